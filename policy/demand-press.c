/* The fast path of memory: pressure multiplies what is wanted, and leaves a floor behind.
 *
 * One sample, one step: an agent speaks at most once a second and PSI's averages trail by ten, so
 * what is asked is kept until a later sample says how the growth has worked. */
#include "policy/demand-priv.h"

/* Samples that are less apart are one: their age is rounded, and agents speak once a second. */
#define SAMPLE_MSEC 500
/* Steps are so many eighths of what is granted, one more with each sample under pressure. */
#define STEP_EIGHTHS_MAX 4
/* What was too little is not come back to for so long ... */
#define FLOOR_MSEC (30 * 60000)
/* ... or, where it killed, for longer than an operator's shift is half over. */
#define FLOOR_OOM_MSEC (4 * 3600000)
/* Less than this part of total available: what is wanted cannot be seen any more. */
#define HIDDEN_PART 32
/* PSI's 10 s averages are worked out every 2 s: so long after a growth they say nothing of it, and
 * so long after they fell they may be falling. */
#define LAG_MSEC 4000
/* What was granted is online within this time, or never. */
#define ARRIVAL_MSEC 10000
/* After a shrink, pages that come back within this time had been needed. */
#define PROBE_MSEC 60000
/* ... if they are this part of total (and 1 MiB) in a sample: a few come back always. */
#define PROBE_PART 512
#define PROBE_REFAULTS 256
/* Refaults that would bring all memory back within so many seconds are fast. */
#define REFAULT_CYCLE_SEC 256
#define PAGE_BYTES 4096
/* Swap that grows by this part of total in a sample is more than cold pages leaving. */
#define SWAP_PART 256
/* More refaults at once are as bad as this many, and their bytes fit. */
#define REFAULTS_MAX (UINT64_C(1) << 40)

/* What has come since the last sample; a counter that fell is a guest that booted. */
static uint64_t
counted(const LpDemandState *state, uint64_t before, uint64_t now)
{
    return state->counted && now > before ? now - before : 0;
}

static bool
is_refaulting(const LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
              uint64_t elapsed_msec, int64_t now_msec)
{
    uint64_t pages = lp_least(counted(state, state->refaults, seen->refaults), REFAULTS_MAX);

    if (pages < PROBE_REFAULTS)
        return false;
    if (state->mem_shrunk && pages * PAGE_BYTES >= seen->total_bytes / PROBE_PART &&
        lp_since(now_msec, state->mem_changed_msec) <= PROBE_MSEC)
        return true;
    /* Reading a file larger than memory brings pages back too, and no stalls. */
    if (seen->has_psi && (uint64_t)seen->psi_some_centi * 4 < tuning->psi_some_centi)
        return false;
    return pages * PAGE_BYTES * 1000 / elapsed_msec >= seen->total_bytes / REFAULT_CYCLE_SEC;
}

/* Growth is under way: what the guest has falls short of what is granted. */
static bool
is_arriving(const LpDemandState *state, const LpSignals *seen, uint64_t granted_bytes,
            int64_t now_msec)
{
    return !state->mem_shrunk && state->mem_changed_msec != 0 &&
           lp_since(now_msec, state->mem_changed_msec) < ARRIVAL_MSEC &&
           seen->total_bytes < granted_bytes - granted_bytes / 8;
}

static LpWhy
sign_of(const LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
        uint64_t elapsed_msec, int64_t now_msec)
{
    if (seen->mem_by == LP_SEEN_AGENT) {
        if (counted(state, state->oom_kills, seen->oom_kills) > 0)
            return LP_WHY_OOM;
        if (seen->has_psi && seen->psi_some_centi >= tuning->psi_some_centi)
            return LP_WHY_PRESSURE;
        if (is_refaulting(state, tuning, seen, elapsed_msec, now_msec))
            return LP_WHY_REFAULT;
        if (counted(state, state->swap_used_bytes, seen->swap_used_bytes) >
            seen->total_bytes / SWAP_PART)
            return LP_WHY_SWAP;
    }
    if (seen->available_bytes < seen->total_bytes / HIDDEN_PART)
        return LP_WHY_WORKING_SET;
    return LP_WHY_NONE;
}

/* Whether it is too early to say that what was granted does not do. */
static bool
is_easing(const LpDemandState *state, const LpSignals *seen, LpWhy sign, uint64_t granted_bytes,
          int64_t now_msec)
{
    if (sign == LP_WHY_OOM)
        return false;
    if (is_arriving(state, seen, granted_bytes, now_msec))
        return true;
    if (seen->available_bytes < seen->total_bytes / LP_RELIEF_PART)
        return false;
    if (sign == LP_WHY_PRESSURE && state->psi_fell_msec != 0 &&
        lp_since(now_msec, state->psi_fell_msec) < LAG_MSEC)
        return true;
    return !state->mem_shrunk && state->mem_changed_msec != 0 &&
           lp_since(now_msec, state->mem_changed_msec) < LAG_MSEC;
}

static void
set_floor(LpDemandState *state, LpWhy sign, uint64_t granted_bytes, int64_t now_msec)
{
    bool killed = sign == LP_WHY_OOM, holds = now_msec < state->mem_floor_until_msec;
    uint64_t floor = lp_sum(granted_bytes, granted_bytes / (killed ? 4 : 16));
    int64_t until = lp_later(now_msec, killed ? FLOOR_OOM_MSEC : FLOOR_MSEC);

    if (!holds || floor > state->mem_floor_bytes) {
        state->mem_floor_bytes = floor;
        state->floor_why = (uint8_t)sign;
    }
    if (!holds || until > state->mem_floor_until_msec)
        state->mem_floor_until_msec = until;
}

static void
step(LpDemandState *state, const LpSignals *seen, LpWhy sign, uint64_t granted_bytes,
     int64_t now_msec)
{
    uint32_t eighths = state->pressed_ticks < STEP_EIGHTHS_MAX && sign != LP_WHY_OOM ?
        state->pressed_ticks : STEP_EIGHTHS_MAX;
    uint64_t most = UINT64_MAX;

    /* Where half of it is free, more may be no cure (a group in the guest has a limit of its own):
     * twice what it had when it began, and no further. */
    if (sign != LP_WHY_OOM && seen->available_bytes >= seen->total_bytes / 2)
        most = lp_most(lp_sum(state->mem_pressed_bytes, state->mem_pressed_bytes), granted_bytes);
    state->mem_asked_bytes = lp_least(lp_sum(granted_bytes, granted_bytes / 8 * eighths), most);
    if (state->mem_asked_bytes > granted_bytes)
        set_floor(state, sign, granted_bytes, now_msec);
}

/* By an eighth or more: pressure's averages fall by a fifth in 2 s once it is over. */
static void
note_psi(LpDemandState *state, uint32_t psi_centi, int64_t now_msec)
{
    if (psi_centi > state->psi_centi)
        state->psi_fell_msec = 0;
    else if (psi_centi < state->psi_centi - state->psi_centi / 8)
        state->psi_fell_msec = now_msec;
    else
        return;
    state->psi_centi = psi_centi;
}

static void
take_sample(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
            uint64_t granted_bytes, uint64_t elapsed_msec, int64_t now_msec)
{
    LpWhy sign = sign_of(state, tuning, seen, elapsed_msec, now_msec);

    note_psi(state, seen->psi_some_centi, now_msec);
    state->pressed_why = (uint8_t)sign;
    if (sign == LP_WHY_NONE) {
        state->pressed_ticks = 0;
        state->mem_asked_bytes = 0;
        return;
    }
    if (state->pressed_ticks == 0)
        state->mem_pressed_bytes = granted_bytes;
    if (state->pressed_ticks < UINT32_MAX)
        state->pressed_ticks++;
    if (is_easing(state, seen, sign, granted_bytes, now_msec))
        state->mem_asked_bytes = granted_bytes;
    else
        step(state, seen, sign, granted_bytes, now_msec);
}

/* How long after the one before this sample was taken; 0: it is the same one. */
static uint64_t
elapsed_since_sample(const LpDemandState *state, int64_t taken_msec)
{
    int64_t elapsed = lp_since(taken_msec, state->mem_seen_msec);

    if (!state->seen || elapsed <= -SAMPLE_MSEC)
        return SAMPLE_MSEC;
    return elapsed < SAMPLE_MSEC ? 0 : (uint64_t)elapsed;
}

bool
lp_demand_press(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
                uint64_t granted_bytes, int64_t now_msec, uint64_t *want, LpWhy *why)
{
    int64_t taken_msec = lp_since(now_msec, seen->mem_age_msec);
    uint64_t elapsed = elapsed_since_sample(state, taken_msec);

    if (elapsed > 0) {
        take_sample(state, tuning, seen, granted_bytes, elapsed, now_msec);
        state->mem_seen_msec = taken_msec;
        state->counted = state->counted || seen->mem_by == LP_SEEN_AGENT;
        if (seen->mem_by == LP_SEEN_AGENT) {
            state->refaults = seen->refaults;
            state->oom_kills = seen->oom_kills;
            state->swap_used_bytes = seen->swap_used_bytes;
        }
    }
    if (state->pressed_why != LP_WHY_NONE) {
        state->mem_pressed_msec = now_msec;
        *want = lp_most(*want, state->mem_asked_bytes);
        /* Even where use alone would ask for more: it is what hurts. */
        *why = (LpWhy)state->pressed_why;
    }
    if (now_msec < state->mem_floor_until_msec)
        lp_raise(want, why, state->mem_floor_bytes, (LpWhy)state->floor_why);
    return state->pressed_why != LP_WHY_NONE;
}

void
lp_demand_press_redate(LpDemandState *state, int64_t now_msec)
{
    int64_t left = lp_since(state->mem_floor_until_msec, state->tick_msec);

    state->mem_floor_until_msec = left > 0 ? lp_later(now_msec, left) : now_msec;
    state->psi_fell_msec = 0;
    state->mem_changed_msec = 0;
    state->mem_pressed_msec = 0;
}
