/* Entitlement, pools, reserves, spare: the order in which fill.c divides. */
#include "policy/share.h"

#include <stdlib.h>

#include "policy/fill.h"
#include "policy/planted.h"

#define PERMYRIAD 10000

typedef LpShareWide Wide;

static uint64_t
saturated(Wide value)
{
    return value > UINT64_MAX ? UINT64_MAX : (uint64_t) value;
}

/* Into quanta above the floors: wants as `more`, bases as `take`, the rooms. */
static void
prepare(const LpFill *pools, LpShareGroup *host, uint64_t quantum)
{
    Wide floors = 0;

    for (size_t i = 0; i < pools->n_groups; i++)
        pools->groups[i].work.sum = 0;
    for (size_t i = 0; i < pools->n; i++) {
        LpClaim *c = &pools->claims[i];
        LpShareGroup *g = lp_fill_group(pools, c);
        uint64_t want = lp_fill_max(c->want, c->floor);
        uint64_t base = lp_fill_min(want, lp_fill_max(c->floor, c->entitled));

        c->work.want = c->work.more = (want - c->floor) / quantum;
        c->work.take = LP_PLANTED(ENTITLEMENT) ? 0 : (base - c->floor) / quantum;
        c->work.held = 0;
        floors += c->floor;
        if (g)
            g->work.sum += c->floor;
    }
    for (size_t i = 0; i < pools->n_groups; i++) {
        LpShareGroup *g = &pools->groups[i];

        g->work.room = g->work.sum < g->max ? (g->max - (uint64_t) g->work.sum) / quantum : 0;
        if (g->max == UINT64_MAX || LP_PLANTED(GROUP_MAX))
            g->work.room = UINT64_MAX;
    }
    host->work.room = floors < host->max ? (host->max - (uint64_t) floors) / quantum : 0;
    if (LP_PLANTED(CAPACITY))
        host->work.room++;
}

/* What was taken is held from now on. */
static void
hold(const LpFill *fill)
{
    for (size_t i = 0; i < fill->n; i++) {
        LpClaim *c = &fill->claims[i];

        if (!lp_fill_group(fill, c))
            continue;
        c->work.held += c->work.take;
        c->work.more -= c->work.take;
    }
}

static void
limit_to_taken(const LpFill *fill)
{
    for (size_t i = 0; i < fill->n; i++)
        fill->claims[i].work.more = fill->claims[i].work.take;
}

/* What pools have reserved, as far as it is wanted: all of it, or in proportion where the host has
 * not so much.  Expects the members' limits in `more`. */
static bool
find_reserves(const LpFill *pools, uint64_t room, uint64_t quantum)
{
    Wide sum = 0;
    uint64_t rest = room;

    if (pools->n_groups == 0)
        return false;
    lp_fill_sum_up(pools);
    for (size_t i = 0; i < pools->n_groups; i++) {
        LpShareGroup *g = &pools->groups[i];

        g->work.room = lp_fill_min(g->reserved / quantum, saturated(g->work.sum));
        sum += g->work.room;
    }
    if (sum <= room)
        return sum > 0;
    for (size_t i = 0; i < pools->n_groups; i++) {
        LpShareGroup *g = &pools->groups[i];

        g->work.rest = g->work.room;
        g->work.room = (uint64_t) ((Wide) g->work.room * room / sum);
        rest -= g->work.room;
    }
    for (size_t i = 0; i < pools->n_groups && rest; i++) {
        if (pools->groups[i].work.room < pools->groups[i].work.rest) {
            pools->groups[i].work.room++;
            rest--;
        }
    }
    return room > 0;
}

/* The spare, when all have their bases: pools' maxima, then what they have reserved, then the rest
 * of it. */
static void
divide_spare(const LpFill *pools, const LpFill *host, uint64_t quantum)
{
    uint64_t left = host->groups->work.room;

    for (size_t i = 0; i < pools->n; i++) {
        LpClaim *c = &pools->claims[i];
        LpShareGroup *g = lp_fill_group(pools, c);

        c->work.more = c->work.want - c->work.held;
        left -= c->work.held;
        if (g)
            g->work.room -= c->work.held;
    }
    if (pools->n_groups > 0) {
        lp_fill_by_weight(pools);
        limit_to_taken(pools);
    }
    if (find_reserves(pools, left, quantum)) {
        for (size_t i = 0; i < pools->n_groups; i++)
            left -= pools->groups[i].work.room;
        lp_fill_by_weight(pools);
        hold(pools);
    }
    host->groups->work.room = left;
    lp_fill_by_weight(host);
    hold(host);
}

static uint64_t
finish(const LpFill *pools, uint64_t capacity, uint64_t quantum)
{
    Wide sum = 0;

    for (size_t i = 0; i < pools->n_groups; i++)
        pools->groups[i].work.sum = 0;
    for (size_t i = 0; i < pools->n; i++) {
        LpClaim *c = &pools->claims[i];
        LpShareGroup *g = lp_fill_group(pools, c);

        c->given = c->floor + c->work.held * quantum;
        c->rationed = c->work.held < c->work.want;
        sum += c->given;
        if (g)
            g->work.sum += c->given;
    }
    for (size_t i = 0; i < pools->n_groups; i++)
        pools->groups[i].given = saturated(pools->groups[i].work.sum);
    return sum < capacity ? capacity - (uint64_t) sum : 0;
}

uint64_t
lp_share(LpClaim *claims, size_t n, LpShareGroup *groups, size_t n_groups, uint64_t capacity,
         uint64_t quantum)
{
    LpShareGroup host = { .max = capacity };
    const LpFill pools = { claims, n, groups, n_groups, false };
    const LpFill whole = { claims, n, &host, 1, true };

    if (quantum == 0)
        quantum = 1;
    prepare(&pools, &host, quantum);
    if (lp_fill_sum_up(&pools) && lp_fill_sum_up(&whole)) {
        for (size_t i = 0; i < n; i++)
            claims[i].work.held = claims[i].work.want;
        return finish(&pools, capacity, quantum);
    }
    limit_to_taken(&pools);
    if (n_groups > 0) {
        lp_fill_in_proportion(&pools);
        limit_to_taken(&pools);
    }
    lp_fill_in_proportion(&whole);
    hold(&whole);
    if (host.work.fits)
        divide_spare(&pools, &whole, quantum);
    return finish(&pools, capacity, quantum);
}

/* rho's denominator, but for the factor 1 / (1 - tax) that all have: size * (f + k * (1 - f)) is
 * (size - tax * active) / (1 - tax). */
static Wide
cost_of(const LpDonor *donor, uint32_t tax)
{
    return (Wide) donor->size * PERMYRIAD - (Wide) lp_fill_min(donor->active, donor->size) * tax;
}

static int
compare_donors(const void *a, const void *b, void *tax)
{
    const LpDonor *x = a, *y = b;
    Wide cost_x = cost_of(x, *(uint32_t *) tax), cost_y = cost_of(y, *(uint32_t *) tax);
    Wide price_x = x->weight * cost_y, price_y = y->weight * cost_x;

    if (!cost_x != !cost_y)
        return cost_x ? -1 : 1;
    if (price_x != price_y)
        return price_x < price_y ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

void
lp_share_sort_donors(LpDonor *donors, size_t n, uint32_t tax_permyriad)
{
    uint32_t tax = tax_permyriad < PERMYRIAD ? tax_permyriad : PERMYRIAD;

    if (n > 1)
        qsort_r(donors, n, sizeof *donors, compare_donors, &tax);
}
