/* Who grows now, and how far.  Only into memory that was seen to be free on every node it lies on,
 * and in a fair order; generously where there is plenty, so that it need not soon again. */
#include <stdlib.h>

#include "policy/planted.h"
#include "policy/round.h"

static bool
below_entitlement(const LpItem *item)
{
    return item->granted < (item->target < item->entitled ? item->target : item->entitled);
}

/* Of a small machine the last per cents are soon gone, so half of its room counts too. */
static bool
is_full(const LpRound *round, const LpItem *item, size_t index)
{
    const LpTuning *tuning = lp_partition_tuning(&round->partitions[index]);
    uint64_t used = round->decisions[index].demand.used_bytes;

    return item->suffers || used > lp_part_down(item->granted, tuning->mem_up, 10000) ||
           lp_sat_add(used, tuning->mem_room_bytes / 2) > item->granted;
}

/* Is it worth a resize?  Late: what it would have besides what it needs can wait, but what is owed
 * cannot. */
static bool
due(const LpRound *round, const LpItem *item, size_t index)
{
    if (item->target <= item->granted)
        return false;
    if (item->granted < item->floor || is_full(round, item, index))
        return true;
    return below_entitlement(item) && item->target - item->granted >= lp_least_step(item);
}

/* Compares a.amount / a.weight with b's; of weight 0: last. */
static int
by_lack_per_weight(const LpPlace *a, const LpPlace *b)
{
    __extension__ typedef unsigned __int128 Wide;
    Wide left = (Wide)a->amount * b->weight, right = (Wide)b->amount * a->weight;

    if ((a->weight == 0) != (b->weight == 0))
        return a->weight == 0 ? 1 : -1;
    return left < right ? -1 : left > right;
}

static int
by_fairness(const void *first, const void *second)
{
    const LpPlace *a = first, *b = second;
    int order;

    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->suffers != b->suffers)
        return a->suffers ? -1 : 1;
    order = by_lack_per_weight(a, b);
    if (order != 0)
        return order;
    return a->key < b->key ? -1 : a->key > b->key;
}

/* How much of it fits into room[] on all its nodes, in whole quanta. */
static uint64_t
fitting(const LpRound *round, const LpItem *item, const uint64_t *room, uint64_t amount)
{
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        const LpExtent *extent = &round->room->extents[e];
        uint64_t most = lp_part_down(room[extent->node], item->n_cells, extent->cells);

        if (most < amount)
            amount = lp_round_down(item, most);
    }
    return amount;
}

static void
take(const LpRound *round, const LpItem *item, uint64_t *room, uint64_t amount)
{
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        const LpExtent *extent = &round->room->extents[e];

        room[extent->node] = lp_sat_sub(room[extent->node],
                                        lp_part_up(amount, extent->cells, item->n_cells));
    }
}

/* Where it grows to if nothing stands in the way: the target, in whole steps. */
static uint64_t
goal_of(const LpItem *item, uint64_t bytes)
{
    uint64_t goal = lp_sat_add(item->granted, lp_round_up(item, lp_sat_sub(bytes, item->granted)));

    return goal < item->max ? goal : item->max;
}

static void
grow_to(LpRound *round, LpItem *item, uint64_t goal)
{
    uint64_t amount = lp_sat_sub(goal, item->size);
    uint64_t fits = fitting(round, item, round->avail, amount);

    if (LP_PLANTED(GROWS_INTO_NOTHING))
        fits = amount;
    take(round, item, round->avail, fits);
    item->size += fits;
}

/* What calm, and the number that move, leave of the growth of one whose turn it is.  0: no growth
 * now, and the decision says why. */
static uint64_t
allowed(LpRound *round, LpItem *item, size_t index, uint64_t goal)
{
    const LpTuning *tuning = lp_partition_tuning(&round->partitions[index]);
    LpDecision *decision = &round->decisions[index];
    bool urgent = item->suffers || item->granted < item->floor || below_entitlement(item);
    LpBound bound;
    int64_t next;
    LpCalm calm = lp_calm_grow(&round->states[index], tuning, item->suffers, round->now_msec,
                               &bound, &next);
    uint64_t limit = goal_of(item, item->entitled);

    item->how = LP_CALM_ANY;
    item->ceiling = calm == LP_CALM_ANY ? item->max : calm == LP_CALM_NOTHING ? 0 : limit;
    if (calm == LP_CALM_NOTHING || (calm == LP_CALM_FORCED && limit <= item->granted)) {
        decision->mem_bound = bound;
        decision->mem_next_msec = next;
        return 0;
    }
    if (!urgent && !lp_moves_free(round)) {
        decision->mem_bound = LP_BOUND_MOVING;
        return 0;
    }
    if (goal > limit && calm == LP_CALM_FORCED) {
        decision->mem_bound = bound;
        decision->mem_next_msec = next;
        return limit;
    }
    if (goal > limit && calm == LP_CALM_EARLY) {
        item->how = calm;
        item->ceiling = item->max;
    }
    return goal;
}

/* A sufferer takes what there is; others wait until it is worth a resize. */
static void
drop_crumbs(LpRound *round, LpItem *item, uint64_t goal)
{
    uint64_t got = item->size - item->granted, least = lp_least_step(item);

    if (item->suffers || item->size < item->floor || got >= least || item->size == goal)
        return;
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        const LpExtent *extent = &round->room->extents[e];

        round->avail[extent->node] += lp_part_up(got, extent->cells, item->n_cells);
    }
    item->size = item->granted;
}

/* Beyond the target: a good step, or to where its use is going. */
static uint64_t
roomy_goal(const LpRound *round, const LpItem *item, size_t index)
{
    uint64_t used = round->decisions[index].demand.used_bytes;
    uint64_t rise = lp_trend_rise(&round->states[index], used, round->now_msec);
    uint64_t goal = item->target + lp_good_step(item);

    /* One that only gets what it is owed does not use it yet. */
    if (!round->host->burst || !is_full(round, item, index))
        goal = item->target;
    else if (used + rise + rise / LP_GOOD_STEP_DIVISOR > goal)
        goal = used + rise + rise / LP_GOOD_STEP_DIVISOR;
    return goal_of(item, goal);
}

static void
add_room(LpRound *round, LpItem *item)
{
    uint64_t goal = item->roomy < item->ceiling ? item->roomy : item->ceiling;
    uint64_t spare[LP_POLICY_NODES], fits;

    if (goal <= item->size)
        return;
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        uint32_t j = round->room->extents[e].node;

        spare[j] = lp_sat_sub(round->avail[j],
                              round->capacity[j] / 10000 * LP_KEPT_LOW_PERMYRIAD / 2);
    }
    fits = fitting(round, item, spare, goal - item->size);
    take(round, item, round->avail, fits);
    item->size += fits;
}

static size_t
list(LpRound *round)
{
    LpPolicy *room = round->room;
    size_t n = 0;

    for (size_t i = 0; i < round->n; i++) {
        LpItem *item = &room->items[i];

        if (item->part != LP_PART_IN || !due(round, item, i))
            continue;
        item->due = true;
        item->roomy = roomy_goal(round, item, i);
        room->places[n++] = (LpPlace){
            .key = item->key, .amount = item->target - item->granted, .weight = item->weight,
            .priority = item->priority, .index = (uint32_t)i, .suffers = item->suffers,
            .owed = below_entitlement(item),
        };
    }
    return n;
}

/* An advised one: what it would get of what the others leave. */
static void
advise(LpRound *round, LpItem *item, size_t index)
{
    LpDecision *decision = &round->decisions[index];

    if (item->target > item->granted) {
        uint64_t goal = goal_of(item, item->target);
        uint64_t fits = fitting(round, item, round->avail, goal - item->granted);

        item->due = due(round, item, index);
        if (item->granted + fits < item->target) {
            item->target = item->granted + fits;
            decision->mem_bound = LP_BOUND_FREE;
        }
        if (item->due)
            item->size = item->granted + fits;
    }
}

void
lp_round_grow(LpRound *round)
{
    LpPolicy *room = round->room;
    size_t n = round->n_places = list(round);

    if (n > 1)
        qsort(room->places, n, sizeof(*room->places), by_fairness);
    for (size_t k = 0; k < n; k++) {
        LpItem *item = &room->items[room->places[k].index];
        uint64_t owed = item->target < item->entitled ? item->target : item->entitled;
        uint64_t goal;

        if (!room->places[k].owed)
            continue;
        goal = allowed(round, item, room->places[k].index, goal_of(item, owed));
        if (goal != 0)
            grow_to(round, item, goal);
    }
    for (size_t k = 0; k < n; k++) {
        size_t index = room->places[k].index;
        LpItem *item = &room->items[index];
        uint64_t whole = goal_of(item, item->target), goal = allowed(round, item, index, whole);

        if (goal == 0)
            continue;
        grow_to(round, item, goal);
        drop_crumbs(round, item, goal);
        round->moving += item->size > item->granted;
    }
    for (size_t k = 0; k < n; k++) {
        LpItem *item = &room->items[room->places[k].index];

        /* One that is held at its entitlement, or did not get its target, gets no more. */
        if (item->size > item->granted && item->size >= item->target)
            add_room(round, item);
    }
    for (size_t i = 0; i < round->n; i++)
        if (room->items[i].part == LP_PART_ADVISE)
            advise(round, &room->items[i], i);
}
