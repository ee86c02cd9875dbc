/* What may move now: dwell, back-off, and the bound on reversals.  Inner part of the policy.  Pure.
 *
 * A partition that has grown keeps what it has for its goal's dwell.  Two things override that:
 *   - a rival that suffers, LP_POLICY_EARLY times an hour and partition ("early");
 *   - a rival below its entitlement, for what lies above this one's own entitlement ("forced").
 *     The one taken from then grows above its entitlement only after a dwell, or early.
 * A refused or failed change is not tried again before a time that doubles with each failure. */
#ifndef LP_POLICY_CALM_H
#define LP_POLICY_CALM_H

#include "policy/policy.h"

/* Whatever the goal says, so that the bound on reversals is finite. */
#define LP_CALM_DWELL_MIN_SEC 60
/* After a failed or refused shrink: a minute, two, ... two hours.  (arcbox#469: a fixed five
 * minutes was 5477 attempts in a few hours; the cure there was 10 to 60 minutes.) */
#define LP_CALM_BACKOFF_MIN_MSEC 60000
#define LP_CALM_BACKOFF_MAX_MSEC 7200000
/* After a failed growth: somebody waits for it. */
#define LP_CALM_UP_BACKOFF_MIN_MSEC 5000
#define LP_CALM_UP_BACKOFF_MAX_MSEC 300000
/* What was ordered counts as coming for so long; an unplug that takes longer is stuck. */
#define LP_CALM_UNDER_WAY_MSEC 600000
/* Ticks are a second apart.  After a longer silence what is dated is of another time. */
#define LP_CALM_JUMP_MSEC 86400000
/* Giving back in steps: the next one when the last has shown whether it hurts. */
#define LP_CALM_PROBE_MSEC 60000

/* How far the rules of calm let something be taken: each includes those after it. */
typedef enum {
    LP_CALM_ANY,           /* for any reason */
    LP_CALM_EARLY,         /* for one that suffers */
    LP_CALM_FORCED,        /* for an entitlement */
    LP_CALM_NOTHING,       /* not at all */
} LpCalm;

/* The most reversals of direction in any hour that these rules allow a partition whose profile,
 * and whose host, stay as they are.  See calm.c for how it follows. */
uint32_t lp_calm_turns_per_hour(uint32_t dwell_sec);

/* `now` for a state: 0 stands for never there. */
int64_t lp_calm_stamp(int64_t now_msec);
/* Milliseconds from `then` to `now`; INT64_MAX where then is 0 (never), 0 where it is ahead. */
int64_t lp_calm_since(int64_t then_msec, int64_t now_msec);
/* then + passed, as far as it goes. */
int64_t lp_calm_after(int64_t then_msec, int64_t passed_msec);
int64_t lp_calm_dwell_msec(const LpTuning *tuning);

/* Begins a tick: the clock's jumps, what has come of the last order, failures. */
void lp_calm_tick(LpPolicyState *state, const LpPolicyPartition *partition, int64_t now_msec);
/* Some of what was ordered is still to come: what will be granted then; else what is. */
uint64_t lp_calm_settled(const LpPolicyState *state, const LpPolicyPartition *partition);

/* Where not ANY: *bound says what stands in the way, and *next_msec until when. */
LpCalm lp_calm_shrink(const LpPolicyState *state, const LpPolicyPartition *partition,
                      const LpTuning *tuning, int64_t now_msec, LpBound *bound,
                      int64_t *next_msec);
/* ANY: to any size; FORCED: up to its entitlement only; EARLY: any, and counted; NOTHING. */
LpCalm lp_calm_grow(const LpPolicyState *state, const LpTuning *tuning, bool suffers,
                    int64_t now_msec, LpBound *bound, int64_t *next_msec);

/* Writes down what was decided. `how` as above; ANY for what needed no exception. */
void lp_calm_grown(LpPolicyState *state, uint64_t bytes, LpCalm how, int64_t now_msec);
void lp_calm_shrunk(LpPolicyState *state, uint64_t bytes, LpCalm how, int64_t now_msec);

#endif
