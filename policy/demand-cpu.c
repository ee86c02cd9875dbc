/* The processors a partition wants: what it uses, by the host's count, and signs that it would use
 * more. */
#include "policy/demand-priv.h"

/* A guest at its limit wants so much more at once: from 0.05 units on, 0.3, 0.55, 0.83, 1.25. */
#define STEP_CENTI 25
/* What is needed above what is seen: 1/16, and a little. */
#define NEED_PART 16
#define NEED_CENTI 2
/* Steal from here on is the host's contention, and not an interrupt's. */
#define STEAL_CENTI 500
/* The host counts emulator threads too; but what is far above granted is a wrong count. */
#define USED_MAX_CENTI (UINT32_C(1) << 28)

static uint32_t
to_centi(uint64_t centi)
{
    return centi > UINT32_MAX ? UINT32_MAX : (uint32_t)centi;
}

static bool
cpu_is_known(const LpSignals *seen, LpWhy *ret_why)
{
    *ret_why = seen->has_cpu ? LP_WHY_STALE : LP_WHY_UNKNOWN;
    return seen->has_cpu && seen->cpu_age_msec >= 0 && seen->cpu_age_msec <= LP_SIGNAL_STALE_MSEC;
}

static bool
agent_speaks(const LpSignals *seen)
{
    return seen->mem_by == LP_SEEN_AGENT && seen->mem_age_msec >= 0 &&
           seen->mem_age_msec <= LP_SIGNAL_STALE_MSEC;
}

static uint32_t
in_use(const LpSignals *seen, uint32_t granted_centi)
{
    uint64_t most = lp_least((uint64_t)granted_centi * 2 + 100, USED_MAX_CENTI);

    return (uint32_t)lp_least(seen->cpu_used_centi, most);
}

/* The guest's word, and the host's: it is not believed of a guest that uses less than half. */
static bool
is_queueing(const LpTuning *tuning, const LpSignals *seen, uint64_t used, uint32_t granted_centi)
{
    return agent_speaks(seen) && seen->has_psi && seen->cpu_psi_centi >= tuning->cpu_psi_centi &&
           seen->cpu_running > 1 && ((uint64_t)seen->cpu_running - 1) * 100 > granted_centi &&
           used * 2 >= granted_centi;
}

/* What it would have used, had others not: steal is a part of all its processors' time, of which
 * what is granted is the least estimate. */
static uint64_t
stolen_centi(const LpSignals *seen, uint32_t granted_centi)
{
    if (!agent_speaks(seen) || seen->cpu_steal_centi < STEAL_CENTI)
        return 0;
    return lp_part(granted_centi, (uint32_t)lp_least(seen->cpu_steal_centi, LP_PERMYRIAD));
}

static uint64_t
room_above(const LpTuning *tuning, uint64_t centi)
{
    return lp_most(lp_part(centi, tuning->cpu_headroom), tuning->cpu_room_centi);
}

/* A second's burst is the scheduler's to absorb: peaks are of the use as smoothed. */
static uint32_t
smoothed(LpDemandState *state, uint32_t used)
{
    if (!state->seen)
        state->cpu_smooth_eighths = used * 8;
    else
        state->cpu_smooth_eighths += used - state->cpu_smooth_eighths / 8;
    return state->cpu_smooth_eighths / 8;
}

static uint32_t
note_peak(LpDemandState *state, uint32_t used)
{
    uint32_t peak = smoothed(state, used);

    state->cpu_sample_peak = (uint32_t)lp_most(state->cpu_sample_peak, peak);
    state->cpu_peaks[0] = (uint32_t)lp_most(state->cpu_peaks[0], peak);
    for (size_t i = 0; i < LP_PEAKS; i++)
        peak = (uint32_t)lp_most(peak, state->cpu_peaks[i]);
    return peak;
}

void
lp_demand_cpu(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
              uint32_t granted_centi, int64_t now_msec, LpDemand *ret_demand)
{
    uint64_t used, wish, peak, want, need;
    LpWhy why;

    ret_demand->want_centi = ret_demand->need_centi = granted_centi;
    ret_demand->cpu_pressed = false;
    ret_demand->cpu_known = cpu_is_known(seen, &ret_demand->cpu_why);
    if (!ret_demand->cpu_known)
        return;
    used = in_use(seen, granted_centi);
    peak = note_peak(state, (uint32_t)used);
    wish = used + stolen_centi(seen, granted_centi);
    need = wish + wish / NEED_PART + NEED_CENTI;
    want = wish + room_above(tuning, wish);
    why = LP_WHY_WORKING_SET;
    lp_raise(&want, &why, peak + room_above(tuning, peak) / 2, LP_WHY_PEAK);
    if (tuning->keeps_history)
        lp_raise(&want, &why, state->cpu_long_centi, LP_WHY_HISTORY);
    if (used >= lp_part(granted_centi, tuning->cpu_up) ||
        is_queueing(tuning, seen, used, granted_centi)) {
        /* What it would use with more cannot be seen. */
        why = used >= lp_part(granted_centi, tuning->cpu_up) ? LP_WHY_CAPPED : LP_WHY_RUN_QUEUE;
        want = lp_most(want, lp_most(((uint64_t)granted_centi * 3 + 1) / 2,
                                     (uint64_t)granted_centi + STEP_CENTI));
        need = lp_most(need, (uint64_t)granted_centi + granted_centi / 8);
        ret_demand->cpu_pressed = true;
        state->cpu_pressed_msec = now_msec;
    }
    ret_demand->need_centi = to_centi(lp_least(need, want));
    ret_demand->want_centi = to_centi(want);
    ret_demand->cpu_why = why;
}
