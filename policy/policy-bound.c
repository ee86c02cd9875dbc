/* Surplus that goes back by itself; then what was decided, or what stood in the way, in each
 * decision, and in each state what it is to remember. */
#include <stdlib.h>

#include "policy/round.h"

/* Given back in probes: a quarter of the surplus at a time. */
#define PROBE_DIVISOR 4

/* Where surplus ends: at its part, and where it goes back by itself at what it is used to want too,
 * so that it need not grow again each day. */
static uint64_t
kept_of(const LpRound *round, const LpItem *item, size_t index)
{
    uint64_t used_to = round->states[index].demand.mem_long_bytes;

    if (used_to > item->max)
        used_to = item->max;
    return round->host->burst || used_to < item->target ? item->target : used_to;
}

/* Enough of it to count. */
static bool
has_surplus(const LpRound *round, const LpItem *item, size_t index)
{
    const LpTuning *tuning = lp_partition_tuning(&round->partitions[index]);
    uint32_t down = tuning->mem_down < 10000 ? tuning->mem_down : 10000;
    uint64_t kept = kept_of(round, item, index);

    return item->known && item->granted > kept && item->granted - kept >= item->quantum &&
           kept < lp_part_down(item->granted, down, 10000);
}

static void
date_surplus(LpRound *round, const LpItem *item, size_t index)
{
    int64_t *since = &round->states[index].surplus_msec;

    if (!has_surplus(round, item, index))
        *since = 0;
    else if (*since == 0)
        *since = lp_calm_stamp(round->now_msec);
}

/* What is to go whoever needs it: 0, or how much. */
static uint64_t
to_go(const LpRound *round, const LpItem *item, size_t index, LpTake *ret_take)
{
    const LpPolicyState *state = &round->states[index];
    const LpPolicyPartition *partition = &round->partitions[index];
    uint64_t surplus, step;

    if (!item->known || item->size != item->granted)
        return 0;
    if (item->granted > item->max) {
        uint64_t over = lp_round_up(item, item->granted - item->max);

        *ret_take = LP_TAKE_OVER_MAX;
        return item->granted - over >= item->min && over < item->granted
               ? over : item->granted - item->max;
    }
    if (round->host->burst || state->surplus_msec == 0 ||
        lp_calm_since(state->surplus_msec, round->now_msec) < lp_release_msec(partition) ||
        lp_calm_since(state->down_msec, round->now_msec) < LP_CALM_PROBE_MSEC)
        return 0;
    *ret_take = LP_TAKE_SURPLUS;
    surplus = lp_round_down(item, lp_sat_sub(item->granted, kept_of(round, item, index)));
    step = lp_round_up(item, surplus / PROBE_DIVISOR);
    if (step < lp_least_step(item))
        step = lp_least_step(item);
    return step < surplus ? step : surplus;
}

static int
by_size_then_key(const void *first, const void *second)
{
    const LpPlace *a = first, *b = second;

    if (a->owed != b->owed)
        return a->owed ? -1 : 1;
    if (a->amount != b->amount)
        return a->amount > b->amount ? -1 : 1;
    return a->key < b->key ? -1 : a->key > b->key;
}

void
lp_round_give_back(LpRound *round)
{
    LpPolicy *room = round->room;
    size_t n = 0;

    for (size_t i = 0; i < round->n; i++) {
        LpItem *item = &room->items[i];
        LpDecision *decision = &round->decisions[i];
        LpTake take = LP_TAKE_NONE;
        LpBound bound;
        uint64_t bytes;

        if (item->part == LP_PART_NONE || item->part == LP_PART_OFF)
            continue;
        date_surplus(round, item, i);
        if (item->part == LP_PART_FIXED || (bytes = to_go(round, item, i, &take)) == 0)
            continue;
        if (lp_calm_shrink(&round->states[i], &round->partitions[i],
                           lp_partition_tuning(&round->partitions[i]), round->now_msec, &bound,
                           &decision->mem_next_msec) != LP_CALM_ANY) {
            decision->mem_bound = bound;
            continue;
        }
        if (!item->acts && item->part == LP_PART_ADVISE) {
            item->size = item->granted - bytes;
            decision->mem_take = take;
            continue;
        }
        room->places[n++] = (LpPlace){ .key = item->key, .amount = bytes, .index = (uint32_t)i,
                                       .owed = take == LP_TAKE_OVER_MAX };
    }
    if (n > 1)
        qsort(room->places, n, sizeof(*room->places), by_size_then_key);
    for (size_t k = 0; k < n; k++) {
        LpItem *item = &room->items[room->places[k].index];

        if (lp_moves_free(round))
            lp_round_shrink(round, item, item->granted - room->places[k].amount, LP_CALM_ANY,
                            room->places[k].owed ? LP_TAKE_OVER_MAX : LP_TAKE_SURPLUS);
        else
            round->decisions[room->places[k].index].mem_bound = LP_BOUND_MOVING;
    }
}

/* Of one that is not to change at all now. */
static bool
finish_still(LpItem *item, LpDecision *decision)
{
    switch (item->part) {
    case LP_PART_OFF:
        decision->mem_bound = LP_BOUND_OFF;
        item->target = item->granted;
        return true;
    case LP_PART_NONE:
        decision->mem_bound = LP_BOUND_FIXED;
        item->target = item->granted;
        return true;
    case LP_PART_FIXED:
        decision->mem_bound = LP_BOUND_FIXED;
        if (item->target > item->settled)
            item->target = item->settled > item->min ? item->settled : item->min;
        return true;
    case LP_PART_ADVISE:
    case LP_PART_IN:
        break;
    }
    return false;
}

/* Which limit its target is at. */
static LpBound
limit_of(const LpItem *item, const LpPolicyPartition *partition, const LpDemand *demand)
{
    if (item->rationed)
        return LP_BOUND_SHARE;
    if (demand->want_bytes > item->max)
        return partition->scheduled ? LP_BOUND_SCHEDULE : LP_BOUND_MAX;
    if (demand->want_bytes < item->min)
        return partition->scheduled ? LP_BOUND_SCHEDULE : LP_BOUND_MIN;
    return LP_BOUND_NONE;
}

/* It has less than its part and does not grow: why. */
static void
finish_short(LpItem *item, LpDecision *decision)
{
    if (!item->due) {
        decision->mem_bound = LP_BOUND_DEADBAND;
        return;
    }
    decision->mem_act = LP_ACT_WAIT;
    if (decision->mem_bound == LP_BOUND_NONE)
        decision->mem_bound = LP_BOUND_FREE;
}

/* It has more than its part and keeps it: why. */
static void
finish_surplus(LpRound *round, LpItem *item, size_t index)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    const LpPolicyState *state = &round->states[index];
    LpDecision *decision = &round->decisions[index];
    bool wanted = false;
    LpBound bound;
    int64_t next;

    if (decision->mem_bound != LP_BOUND_NONE) {
        decision->mem_act = LP_ACT_WAIT;
        return;
    }
    if (item->granted - item->target < item->quantum) {
        decision->mem_bound = LP_BOUND_DEADBAND;
        return;
    }
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++)
        for (LpFor what = LP_FOR_SHORTAGE; what <= LP_FOR_KEPT; what++)
            wanted |= round->lack[what][round->room->extents[e].node] != 0;
    if (wanted && lp_calm_shrink(state, partition, lp_partition_tuning(partition),
                                 round->now_msec, &bound, &next) != LP_CALM_ANY) {
        decision->mem_act = LP_ACT_WAIT;
        decision->mem_bound = bound;
        decision->mem_next_msec = next;
    } else if (wanted && !lp_moves_free(round)) {
        decision->mem_act = LP_ACT_WAIT;
        decision->mem_bound = LP_BOUND_MOVING;
    } else if (state->surplus_msec == 0) {
        decision->mem_bound = LP_BOUND_DEADBAND;
    } else if (round->host->burst) {
        decision->mem_bound = LP_BOUND_LEFTOVER;
    } else {
        int64_t release = lp_calm_after(state->surplus_msec, lp_release_msec(partition));
        int64_t probe = state->down_msec == 0
                        ? release : lp_calm_after(state->down_msec, LP_CALM_PROBE_MSEC);

        decision->mem_act = LP_ACT_WAIT;
        decision->mem_bound = LP_BOUND_RELEASE;
        decision->mem_next_msec = probe > release ? probe : release;
    }
}

static void
finish_one(LpRound *round, size_t index)
{
    LpItem *item = &round->room->items[index];
    LpPolicyState *state = &round->states[index];
    LpDecision *decision = &round->decisions[index];
    const LpPolicyPartition *partition = &round->partitions[index];

    decision->mem_bytes = item->granted;
    if (finish_still(item, decision)) {
        decision->mem_target_bytes = item->target;
        return;
    }
    if (item->target > item->max)
        item->target = item->max;
    decision->mem_target_bytes = item->target;
    decision->mem_bytes = item->size;
    decision->rival = item->rival;
    if (item->size > item->granted) {
        decision->mem_act = LP_ACT_GROW;
        if (item->acts)
            lp_calm_grown(state, item->size, item->how, round->now_msec);
        if (lp_sat_sub(item->target, item->size) < item->quantum)
            decision->mem_bound = LP_BOUND_NONE;
        else if (decision->mem_bound == LP_BOUND_NONE)
            decision->mem_bound = LP_BOUND_FREE;
        if (decision->mem_bound == LP_BOUND_NONE)
            decision->mem_bound = limit_of(item, partition, &decision->demand);
    } else if (item->size < item->granted) {
        decision->mem_act = LP_ACT_SHRINK;
        decision->mem_bound = limit_of(item, partition, &decision->demand);
        if (item->acts)
            lp_calm_shrunk(state, item->size, item->how, round->now_msec);
    } else if (!item->known) {
        decision->mem_bound = LP_BOUND_NO_SIGNAL;
    } else if (item->target > item->granted) {
        finish_short(item, decision);
    } else if (item->target < item->granted) {
        finish_surplus(round, item, index);
    } else {
        decision->mem_bound = limit_of(item, partition, &decision->demand);
    }
    if (decision->mem_act == LP_ACT_GROW || decision->mem_act == LP_ACT_SHRINK)
        decision->mem_next_msec = 0;
}

void
lp_round_finish(LpRound *round)
{
    for (size_t i = 0; i < round->n; i++)
        finish_one(round, i);
}
