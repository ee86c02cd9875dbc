/* Dividing rooms among claims: by priority and weight, or in proportion.  share.c puts it together.
 * Pure; no memory. */
#ifndef LP_POLICY_FILL_H
#define LP_POLICY_FILL_H

#include "policy/share.h"

/* What is divided at once: the room of each pool among its members, or (groups[0], `together`)
 * that of the host among all. */
typedef struct {
    LpClaim *claims;
    size_t n;
    LpShareGroup *groups;
    size_t n_groups;
    bool together;
} LpFill;

static inline uint64_t
lp_fill_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t
lp_fill_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* NULL: it is in none of them. */
static inline LpShareGroup *
lp_fill_group(const LpFill *fill, const LpClaim *claim)
{
    if (fill->together)
        return fill->groups;
    return claim->group < fill->n_groups ? &fill->groups[claim->group] : NULL;
}

/* For each group, in `sum`, how much `more` its members would take; `fits`: its room has that.
 * true: all fit. */
bool lp_fill_sum_up(const LpFill *fill);

/* Sets `take` of all: how much of its `more` each gets of its group's room, by priority, then by
 * weight.  Exactly the room is taken where they want so much.  A claim in no group takes all.  The
 * groups' rooms are used up by it. */
void lp_fill_by_weight(const LpFill *fill);

/* As that, but in proportion to `more`; the rooms stay. */
void lp_fill_in_proportion(const LpFill *fill);

#endif
