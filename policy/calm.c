#include "policy/calm.h"

#include <string.h>

#include "policy/planted.h"

#define HOUR_MSEC 3600000

/* Up, then down: either the dwell lies between, once in it and once more at the hour's edges; or
 * it was early, LP_POLICY_EARLY times; or it was forced, and then what was taken had been grown
 * above the entitlement, which is again a dwell after the last time it was forced (or early).
 * Between two such turns lies one from down to up. */
uint32_t
lp_calm_turns_per_hour(uint32_t dwell_sec)
{
    uint32_t dwell = dwell_sec > LP_CALM_DWELL_MIN_SEC ? dwell_sec : LP_CALM_DWELL_MIN_SEC;
    uint32_t dwells = (HOUR_MSEC / 1000 + dwell - 1) / dwell + 1;

    return 2 * (2 * dwells + LP_POLICY_EARLY) + 1;
}

int64_t
lp_calm_stamp(int64_t now_msec)
{
    return now_msec != 0 ? now_msec : 1;
}

int64_t
lp_calm_since(int64_t then_msec, int64_t now_msec)
{
    int64_t passed;

    if (then_msec == 0)
        return INT64_MAX;
    if (__builtin_sub_overflow(now_msec, then_msec, &passed))
        return then_msec > now_msec ? 0 : INT64_MAX;
    return passed > 0 ? passed : 0;
}

int64_t
lp_calm_after(int64_t then_msec, int64_t passed_msec)
{
    int64_t sum;

    return __builtin_add_overflow(then_msec, passed_msec, &sum) ? INT64_MAX : sum;
}

int64_t
lp_calm_dwell_msec(const LpTuning *tuning)
{
    uint32_t sec = tuning->dwell_sec;

    return (int64_t)(sec > LP_CALM_DWELL_MIN_SEC ? sec : LP_CALM_DWELL_MIN_SEC) * 1000;
}

static int64_t
backoff_msec(uint32_t failures, int64_t least, int64_t most)
{
    int64_t msec = least;

    while (failures-- > 1 && msec < most)
        msec *= 2;
    return msec < most ? msec : most;
}

/* A date that is ahead is no date; one of before a jump is as if it were now, so that nothing is
 * taken sooner for it. */
static void
redate(int64_t *msec, int64_t now_msec)
{
    if (*msec != 0)
        *msec = lp_calm_stamp(now_msec);
}

static void
clock_jumped(LpPolicyState *state, int64_t now_msec)
{
    redate(&state->up_msec, now_msec);
    redate(&state->down_msec, now_msec);
    redate(&state->claimed_msec, now_msec);
    redate(&state->surplus_msec, now_msec);
    redate(&state->cpu_up_msec, now_msec);
    redate(&state->cpu_down_msec, now_msec);
    redate(&state->cpu_surplus_msec, now_msec);
    for (int i = 0; i < LP_POLICY_EARLY; i++)
        redate(&state->early_msec[i], now_msec);
    /* The wait begins anew: its length is known, how much of it has passed is not. */
    if (state->quiet_until_msec != 0)
        state->quiet_until_msec = lp_calm_after(now_msec,
            backoff_msec(state->failures, LP_CALM_BACKOFF_MIN_MSEC, LP_CALM_BACKOFF_MAX_MSEC));
    if (state->up_quiet_until_msec != 0)
        state->up_quiet_until_msec = lp_calm_after(now_msec,
            backoff_msec(state->up_failures, LP_CALM_UP_BACKOFF_MIN_MSEC,
                         LP_CALM_UP_BACKOFF_MAX_MSEC));
    redate(&state->ordered_msec, now_msec);
}

static void
count_failure(LpPolicyState *state, bool grew, int64_t now_msec)
{
    if (LP_PLANTED(NO_BACKOFF))
        return;
    if (grew) {
        if (state->up_failures < 64)
            state->up_failures++;
        state->up_quiet_until_msec = lp_calm_after(now_msec,
            backoff_msec(state->up_failures, LP_CALM_UP_BACKOFF_MIN_MSEC,
                         LP_CALM_UP_BACKOFF_MAX_MSEC));
        return;
    }
    if (state->failures < 64)
        state->failures++;
    state->quiet_until_msec = lp_calm_after(now_msec,
        backoff_msec(state->failures, LP_CALM_BACKOFF_MIN_MSEC, LP_CALM_BACKOFF_MAX_MSEC));
}

void
lp_calm_tick(LpPolicyState *state, const LpPolicyPartition *partition, int64_t now_msec)
{
    uint64_t granted = partition->granted_bytes, before = state->seen_bytes;
    int64_t stamp = lp_calm_stamp(now_msec);
    bool ordered = state->ordered_bytes != 0;
    bool grew = ordered && state->ordered_bytes > before;

    if (state->tick_msec != 0 && (state->tick_msec > now_msec ||
        lp_calm_since(state->tick_msec, now_msec) > LP_CALM_JUMP_MSEC))
        clock_jumped(state, now_msec);
    state->tick_msec = stamp;

    /* Whoever changed it: what an operator gave is not taken back at once either. */
    if (before != 0 && granted > before)
        state->up_msec = stamp;
    if (before != 0 && granted < before)
        state->down_msec = stamp;
    if (partition->failed)
        count_failure(state, grew, now_msec);
    else if (ordered && granted == state->ordered_bytes) {
        if (state->down_msec > state->up_msec)
            state->failures = 0;
        else
            state->up_failures = 0;
    }
    if (!partition->fixed || granted == state->ordered_bytes ||
        lp_calm_since(state->ordered_msec, now_msec) > LP_CALM_UNDER_WAY_MSEC)
        state->ordered_bytes = 0;
    state->seen_bytes = granted;
}

uint64_t
lp_calm_settled(const LpPolicyState *state, const LpPolicyPartition *partition)
{
    return state->ordered_bytes != 0 ? state->ordered_bytes : partition->granted_bytes;
}

static bool
early_left(const LpPolicyState *state, int64_t now_msec)
{
    /* The oldest of the last LP_POLICY_EARLY. */
    return lp_calm_since(state->early_msec[LP_POLICY_EARLY - 1], now_msec) >= HOUR_MSEC;
}

LpCalm
lp_calm_shrink(const LpPolicyState *state, const LpPolicyPartition *partition,
               const LpTuning *tuning, int64_t now_msec, LpBound *bound, int64_t *next_msec)
{
    int64_t dwell = lp_calm_dwell_msec(tuning);

    *bound = LP_BOUND_NONE;
    *next_msec = 0;
    if (partition->word.vetoed_until_msec > now_msec) {
        *bound = LP_BOUND_VETO;
        *next_msec = partition->word.vetoed_until_msec;
        return LP_CALM_NOTHING;
    }
    if (state->quiet_until_msec > now_msec) {
        int64_t whole = backoff_msec(state->failures, LP_CALM_BACKOFF_MIN_MSEC,
                                     LP_CALM_BACKOFF_MAX_MSEC);

        *bound = LP_BOUND_BACKOFF;
        *next_msec = state->quiet_until_msec;
        /* An entitlement does not wait for hours: it asks again each minute. */
        return lp_calm_since(lp_calm_stamp(now_msec), state->quiet_until_msec) <=
                       whole - LP_CALM_BACKOFF_MIN_MSEC
               ? LP_CALM_FORCED : LP_CALM_NOTHING;
    }
    if (lp_calm_since(state->up_msec, now_msec) < dwell && !LP_PLANTED(NO_DWELL)) {
        *bound = LP_BOUND_DWELL;
        *next_msec = lp_calm_after(state->up_msec, dwell);
        return early_left(state, now_msec) ? LP_CALM_EARLY : LP_CALM_FORCED;
    }
    return LP_CALM_ANY;
}

LpCalm
lp_calm_grow(const LpPolicyState *state, const LpTuning *tuning, bool suffers, int64_t now_msec,
             LpBound *bound, int64_t *next_msec)
{
    int64_t dwell = lp_calm_dwell_msec(tuning);

    *bound = LP_BOUND_NONE;
    *next_msec = 0;
    if (state->up_quiet_until_msec > now_msec) {
        *bound = LP_BOUND_BACKOFF;
        *next_msec = state->up_quiet_until_msec;
        return LP_CALM_NOTHING;
    }
    if (lp_calm_since(state->claimed_msec, now_msec) >= dwell)
        return LP_CALM_ANY;
    *bound = LP_BOUND_DWELL;
    *next_msec = lp_calm_after(state->claimed_msec, dwell);
    return suffers && early_left(state, now_msec) ? LP_CALM_EARLY : LP_CALM_FORCED;
}

static void
count_early(LpPolicyState *state, int64_t now_msec)
{
    memmove(&state->early_msec[1], &state->early_msec[0],
            sizeof(state->early_msec) - sizeof(state->early_msec[0]));
    state->early_msec[0] = lp_calm_stamp(now_msec);
}

static void
order(LpPolicyState *state, uint64_t bytes, int64_t now_msec)
{
    state->ordered_bytes = bytes;
    state->ordered_msec = lp_calm_stamp(now_msec);
}

void
lp_calm_grown(LpPolicyState *state, uint64_t bytes, LpCalm how, int64_t now_msec)
{
    state->up_msec = lp_calm_stamp(now_msec);
    if (how == LP_CALM_EARLY)
        count_early(state, now_msec);
    order(state, bytes, now_msec);
}

void
lp_calm_shrunk(LpPolicyState *state, uint64_t bytes, LpCalm how, int64_t now_msec)
{
    state->down_msec = lp_calm_stamp(now_msec);
    if (how == LP_CALM_EARLY)
        count_early(state, now_msec);
    if (how == LP_CALM_FORCED)
        state->claimed_msec = state->down_msec;
    order(state, bytes, now_msec);
}
