/* What the parts of the demand share: amounts that saturate, times that may jump. */
#ifndef LP_POLICY_DEMAND_PRIV_H
#define LP_POLICY_DEMAND_PRIV_H

#include "policy/demand.h"

#define LP_PERMYRIAD 10000
/* With more than this part available, pressure that falls is the past's, and what is in use can be
 * believed. */
#define LP_RELIEF_PART 16

static inline uint64_t
lp_sum(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t
lp_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t
lp_most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Rounded down; exact but where it saturates. */
static inline uint64_t
lp_part(uint64_t amount, uint32_t permyriad)
{
    uint64_t whole;

    if (__builtin_mul_overflow(amount / LP_PERMYRIAD, permyriad, &whole))
        return UINT64_MAX;
    return lp_sum(whole, amount % LP_PERMYRIAD * permyriad / LP_PERMYRIAD);
}

/* now - then, saturating. */
static inline int64_t
lp_since(int64_t now, int64_t then)
{
    int64_t passed;

    if (__builtin_sub_overflow(now, then, &passed))
        return now < then ? INT64_MIN : INT64_MAX;
    return passed;
}

static inline int64_t
lp_later(int64_t now, int64_t msec)
{
    int64_t then;

    return __builtin_add_overflow(now, msec, &then) ? INT64_MAX : then;
}

static inline void
lp_raise(uint64_t *amount, LpWhy *why, uint64_t to, LpWhy because)
{
    if (to <= *amount)
        return;
    *amount = to;
    *why = because;
}

/* Memory under pressure: brings the state up to date with a sample that is known, and raises
 * *want to what it asks for.  Returns whether there is pressure now. */
bool lp_demand_press(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
                     uint64_t granted_bytes, int64_t now_msec, uint64_t *want, LpWhy *why);
/* After a jump of the clock: what holds still holds, from now on. */
void lp_demand_press_redate(LpDemandState *state, int64_t now_msec);

/* The processors' part of a tick. */
void lp_demand_cpu(LpDemandState *state, const LpTuning *tuning, const LpSignals *seen,
                   uint32_t granted_centi, int64_t now_msec, LpDemand *ret_demand);

#endif
