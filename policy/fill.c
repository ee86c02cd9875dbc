/* By counting in ever finer buckets (priorities, keys) and by Newton's method (levels): every step
 * is one walk over the claims for all groups at once; neither memory nor sorting is needed. */
#include "policy/fill.h"

#include "policy/planted.h"

/* Of weight 0 are only served when all others are; among themselves they are equals. */
static uint32_t
weight_of(const LpClaim *claim)
{
    if (LP_PLANTED(WEIGHT))
        return 1;
    return claim->weight ? claim->weight : 1;
}

/* Where a claim stands in the order in which it is served: those of weight 0 behind all others. */
static uint64_t
order_of(const LpClaim *claim, bool by_key)
{
    return by_key ? claim->key : (uint64_t) !claim->weight << 32 | (UINT32_MAX - claim->priority);
}

/* Where their priorities lie is found out too. */
bool
lp_fill_sum_up(const LpFill *fill)
{
    bool all = true;

    for (size_t i = 0; i < fill->n_groups; i++) {
        fill->groups[i].work.sum = 0;
        fill->groups[i].work.low = UINT64_MAX;
        fill->groups[i].work.high = 0;
    }
    for (size_t i = 0; i < fill->n; i++) {
        const LpClaim *c = &fill->claims[i];
        LpShareGroup *g = lp_fill_group(fill, c);

        if (!g || !c->work.more)
            continue;
        g->work.sum += c->work.more;
        g->work.low = lp_fill_min(g->work.low, order_of(c, false));
        g->work.high = lp_fill_max(g->work.high, order_of(c, false));
    }
    for (size_t i = 0; i < fill->n_groups; i++) {
        fill->groups[i].work.fits = fill->groups[i].work.sum <= fill->groups[i].work.room;
        all &= fill->groups[i].work.fits;
    }
    return all;
}

static void
take_all(const LpFill *fill)
{
    for (size_t i = 0; i < fill->n; i++)
        fill->claims[i].work.take = fill->claims[i].work.more;
}

/* All ones, or 0: which claim counts is as good as chance, and a branch on it would cost more than
 * all the rest of a walk. */
static uint64_t
mask_if(bool condition)
{
    return -(uint64_t) condition;
}

/* Splits [low, high] of each group into buckets; whether any has more than one value left. */
static bool
make_buckets(const LpFill *fill)
{
    bool any = false;

    for (size_t i = 0; i < fill->n_groups; i++) {
        LpShareGroup *g = &fill->groups[i];

        g->work.shift = 0;
        if (g->work.low >= g->work.high)
            continue;
        any = true;
        while ((g->work.high - g->work.low) >> g->work.shift >= LP_SHARE_BUCKETS)
            g->work.shift++;
        for (uint32_t k = 0; k < LP_SHARE_BUCKETS; k++)
            g->work.bucket[k] = 0;
    }
    return any;
}

/* Narrows [low, high] to the bucket in which `sum` is reached, and adds to `before` what is below
 * it.  By key it ends early where a bucket's end is as good a limit as any. */
static void
choose_bucket(LpShareGroup *group, bool by_key)
{
    uint32_t k = 0;

    while (k < LP_SHARE_BUCKETS - 1 &&
           group->work.before + group->work.bucket[k] < group->work.sum)
        group->work.before += group->work.bucket[k++];
    group->work.low += (uint64_t) k << group->work.shift;
    group->work.high = group->work.low + lp_fill_min(group->work.high - group->work.low,
                                                     ((uint64_t) 1 << group->work.shift) - 1);
    if (by_key && group->work.high < UINT64_MAX &&
        group->work.before + group->work.bucket[k] == group->work.sum) {
        group->work.before = group->work.sum;
        group->work.low = ++group->work.high;
    }
}

/* Finds for each group the claim in order with which `sum` is reached: `low` is its place,
 * `before` the sum of those before it.  What counts is how much more each wants; by key it is the
 * number of those open.  A group with low >= high is left as it is. */
static void
find_place(const LpFill *fill, bool by_key)
{
    while (make_buckets(fill)) {
        for (size_t i = 0; i < fill->n; i++) {
            const LpClaim *c = &fill->claims[i];
            LpShareGroup *g = lp_fill_group(fill, c);
            uint64_t order = order_of(c, by_key);
            uint64_t amount = by_key ? c->open : c->work.more;

            if (!g)
                continue;
            amount &= mask_if(order >= g->work.low && order <= g->work.high);
            g->work.bucket[(order - g->work.low) >> g->work.shift & (LP_SHARE_BUCKETS - 1)] +=
                amount;
        }
        for (size_t i = 0; i < fill->n_groups; i++)
            if (fill->groups[i].work.low < fill->groups[i].work.high)
                choose_bucket(&fill->groups[i], by_key);
    }
}

/* Finds for each group the priority at which its room ends, and takes what is above off the
 * room. */
static void
find_priorities(const LpFill *fill)
{
    for (size_t i = 0; i < fill->n_groups; i++) {
        LpShareGroup *g = &fill->groups[i];

        g->work.before = 0;
        g->work.sum = (LpShareWide) g->work.room + 1;
        if (g->work.fits)
            g->work.low = g->work.high = UINT64_MAX;
    }
    find_place(fill, false);
    for (size_t i = 0; i < fill->n_groups; i++)
        fill->groups[i].work.room -= (uint64_t) fill->groups[i].work.before;
}

/* 1: it takes all it wants; 0: it shares what is left at its priority; -1: nothing. */
static int
side_of(const LpShareGroup *group, const LpClaim *claim)
{
    uint64_t order = order_of(claim, false);

    return (order < group->work.low) - (order > group->work.low);
}

/* Whether level rest / weights gives a claim all it wants. */
static bool
is_sated(const LpShareGroup *group, const LpClaim *claim)
{
    return (LpShareWide) claim->work.more * group->work.weights <=
           (LpShareWide) weight_of(claim) * group->work.rest;
}

/* The level of each group, as rest / weights of those it does not sate.  Newton's method on the sum
 * of min(more, weight * level), which is concave, so from below.  The product of what is left and
 * of the slope falls to a quarter with each walk (Dinkelbach's method), so 64 are enough for 2^64 of
 * each; three or four are usual. */
static void
find_levels(const LpFill *fill)
{
    bool more = true;

    for (size_t i = 0; i < fill->n_groups; i++) {
        fill->groups[i].work.weights = 1;      /* level 0 */
        fill->groups[i].work.rest = 0;
    }
    for (bool first = true; more; first = false) {
        more = false;
        for (size_t i = 0; i < fill->n_groups; i++)
            fill->groups[i].work.sum = fill->groups[i].work.heavy = 0;
        for (size_t i = 0; i < fill->n; i++) {
            const LpClaim *c = &fill->claims[i];
            LpShareGroup *g = lp_fill_group(fill, c);
            bool shares, sated;

            if (!g)
                continue;
            shares = side_of(g, c) == 0;
            sated = is_sated(g, c);
            g->work.sum += c->work.more & mask_if(shares & sated);
            g->work.heavy += weight_of(c) & mask_if(shares & !sated);
        }
        for (size_t i = 0; i < fill->n_groups; i++) {
            LpShareGroup *g = &fill->groups[i];
            uint64_t weights = (uint64_t) g->work.heavy;

            if (g->work.fits || (!first && weights == g->work.weights))
                continue;
            more = true;
            g->work.weights = weights;
            g->work.rest = g->work.room - (uint64_t) g->work.sum;
        }
    }
}

/* What is left of whole quanta: one each, the lowest keys first, among those that are `open`. */
static void
give_rests(const LpFill *fill)
{
    bool any = false;

    for (size_t i = 0; i < fill->n_groups; i++) {
        LpShareGroup *g = &fill->groups[i];

        g->work.low = UINT64_MAX;
        g->work.high = 0;
        g->work.before = 0;
        g->work.sum = g->work.rest;
        any |= g->work.rest > 0;
    }
    if (!any)
        return;
    for (size_t i = 0; i < fill->n; i++) {
        const LpClaim *c = &fill->claims[i];
        LpShareGroup *g = lp_fill_group(fill, c);

        if (!g || !c->open || !g->work.rest)
            continue;
        g->work.low = lp_fill_min(g->work.low, c->key);
        g->work.high = lp_fill_max(g->work.high, c->key);
    }
    find_place(fill, true);
    for (size_t i = 0; i < fill->n_groups && !LP_PLANTED(REMAINDER); i++)
        fill->groups[i].work.rest -= (uint64_t) fill->groups[i].work.before;
    for (size_t i = 0; i < fill->n; i++) {
        LpClaim *c = &fill->claims[i];
        LpShareGroup *g = lp_fill_group(fill, c);

        if (!g || !c->open || !g->work.sum || (c->key > g->work.low && !LP_PLANTED(REMAINDER)))
            continue;
        /* Keys should be unique; of those that are not, so many get one as there are left. */
        if (c->key == g->work.low || LP_PLANTED(REMAINDER)) {
            if (!g->work.rest)
                continue;
            g->work.rest--;
        }
        c->work.take++;
    }
}

void
lp_fill_by_weight(const LpFill *fill)
{
    if (lp_fill_sum_up(fill)) {
        take_all(fill);
        return;
    }
    find_priorities(fill);
    find_levels(fill);
    for (size_t i = 0; i < fill->n_groups; i++)
        fill->groups[i].work.heavy = 0;
    for (size_t i = 0; i < fill->n; i++) {
        LpClaim *c = &fill->claims[i];
        LpShareGroup *g = lp_fill_group(fill, c);
        int side = g ? side_of(g, c) : 1;

        c->open = side == 0 && c->work.more && !is_sated(g, c);
        if (c->open) {
            LpShareWide part = (LpShareWide) weight_of(c) * g->work.rest;

            c->work.take = part <= UINT64_MAX ? (uint64_t) part / g->work.weights
                                              : (uint64_t) (part / g->work.weights);
            g->work.heavy += c->work.take;
        } else {
            c->work.take = side < 0 ? 0 : c->work.more;
        }
    }
    for (size_t i = 0; i < fill->n_groups; i++)
        fill->groups[i].work.rest -= (uint64_t) fill->groups[i].work.heavy;
    give_rests(fill);
}

void
lp_fill_in_proportion(const LpFill *fill)
{
    if (lp_fill_sum_up(fill)) {
        take_all(fill);
        return;
    }
    for (size_t i = 0; i < fill->n_groups; i++)
        fill->groups[i].work.rest = fill->groups[i].work.fits ? 0 : fill->groups[i].work.room;
    for (size_t i = 0; i < fill->n; i++) {
        LpClaim *c = &fill->claims[i];
        LpShareGroup *g = lp_fill_group(fill, c);

        c->open = g && !g->work.fits && c->work.more;
        c->work.take = c->work.more;
        if (c->open) {
            c->work.take = (uint64_t) ((LpShareWide) c->work.more * g->work.room / g->work.sum);
            g->work.rest -= c->work.take;
        }
    }
    give_rests(fill);
}

