/* What is not worth its bytes stays: the administrator's bounds on a layout found. */
#include "numa/layout-priv.h"

#include <stdlib.h>
#include <string.h>

/* Partitions that stay may let others stay: how often all are asked. */
#define ROUNDS 4
/* How dear a byte may become where few may move: beyond 2^15 times its weight nothing does. */
#define PRICE_DOUBLINGS 15

static void
spread_of(const State *state, uint32_t index, bool now, LpSpread *cpu, LpSpread *memory)
{
    const PartState *part = &state->parts[index];
    uint32_t j;

    memset(cpu, 0, sizeof(*cpu));
    memset(memory, 0, sizeof(*memory));
    for (uint32_t c = part->first; c < part->first + part->n_cells; c++) {
        const CellState *cell = &state->cells[c];
        LpNodeSet mem = now ? cell->now_mem : cell->mem, cpus = now ? cell->now_cpus : cell->cpus;
        const uint64_t *bytes = (now ? state->now : state->bytes) + (size_t) c * state->n;

        FOR_NODES (j, mem)
            memory->on[j] += bytes[j];
        FOR_NODES (j, cpus)
            cpu->on[j] += (uint64_t) cell->vcpus * layout_cpu_share(state, cpus, j);
    }
}

uint32_t
layout_part_score(const State *state, uint32_t index, bool now)
{
    const PartState *part = &state->parts[index];
    LpSpread cpu, memory;

    if (part->best == LP_SCORE_NONE)
        return LP_SCORE_NONE;
    spread_of(state, index, now, &cpu, &memory);
    return lp_score_of(lp_score_local(state->topology, &cpu, &memory), part->best);
}

uint32_t
layout_host_score(State *state, bool now)
{
    for (uint32_t p = 0; p < state->n_parts; p++)
        state->scores[p] = layout_part_score(state, p, now);
    return lp_score_mean(state->scores, state->part_bytes, state->n_parts);
}

/* ------------------------------------------------------------------ back and forth */

uint64_t
layout_over(const State *state)
{
    uint64_t sum = 0;

    for (uint32_t j = 0; j < state->n; j++) {
        const NodeState *node = &state->nodes[j];

        sum += node->used > node->cap ? node->used - node->cap : 0;
    }
    return sum;
}

static bool
holds(const State *state, uint64_t over)
{
    return layout_over(state) <= over && state->moved <= state->max_moved;
}

static bool
part_changed(const State *state, uint32_t index)
{
    const PartState *part = &state->parts[index];

    for (uint32_t c = part->first; c < part->first + part->n_cells; c++) {
        if (state->cells[c].was && layout_changed(state, c))
            return true;
    }
    return false;
}

static void
put_part(State *state, uint32_t index, const Snapshot *snapshot)
{
    const PartState *part = &state->parts[index];
    Spot spot;

    for (uint32_t c = part->first; c < part->first + part->n_cells; c++) {
        if (!state->cells[c].was)
            continue;
        if (snapshot)
            layout_saved_spot(state, snapshot, c, &spot);
        else
            layout_now(state, c, &spot);
        layout_put(state, c, &spot);
    }
}

/* ------------------------------------------------------------------ the least gain */

static bool
gains_too_little(const State *state, uint32_t index, uint32_t min_gain)
{
    uint32_t now = layout_part_score(state, index, true);
    uint32_t then = layout_part_score(state, index, false);

    return now == LP_SCORE_NONE || then == LP_SCORE_NONE || then < now || then - now < min_gain;
}

/* Partitions that gain too little stay, unless they make room for others, or their rule moves
 * them. */
static void
drop_small_gains(State *state, Snapshot *found, uint32_t min_gain)
{
    bool changed = true;

    for (uint32_t round = 0; changed && round < ROUNDS; round++) {
        changed = false;
        for (uint32_t k = 0; k < state->n_cells; k++) {
            uint32_t cell = state->order[k], p = state->cells[cell].part;
            uint64_t breach, over = layout_over(state);

            if (state->parts[p].first != cell || state->parts[p].fixed ||
                !part_changed(state, p) || !gains_too_little(state, p, min_gain))
                continue;
            breach = layout_part_breach(state, p);
            layout_save(state, found);
            put_part(state, p, NULL);
            if (holds(state, over) && layout_part_breach(state, p) <= breach)
                changed = true;
            else
                put_part(state, p, found);
        }
    }
}

/* ------------------------------------------------------------------ the most bytes */

typedef struct {
    uint32_t part, place;     /* place: in the search's order */
    int64_t gain;
    uint64_t moved;
} Worth;

/* Most gain for a byte first. */
static int
compare_worth(const void *left, const void *right)
{
    const Worth *a = left, *b = right;
    __int128 x = (__int128) a->gain * b->moved, y = (__int128) b->gain * a->moved;

    if (x != y)
        return x > y ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static uint32_t
list_worth(const State *state, Worth *list)
{
    uint32_t n = 0;

    for (uint32_t k = 0; k < state->n_cells; k++) {
        uint32_t cell = state->order[k], p = state->cells[cell].part;
        const PartState *part = &state->parts[p];
        Worth worth = { p, k, part->cost_now - part->cost, 1 };

        if (part->first != cell || part->fixed || !part_changed(state, p))
            continue;
        for (uint32_t c = part->first; c < part->first + part->n_cells; c++)
            worth.moved += state->cells[c].moved;
        list[n++] = worth;
    }
    return n;
}

/* All as it lies; what is new is nowhere. */
static void
put_all_back(State *state)
{
    for (uint32_t p = 0; p < state->n_parts; p++)
        put_part(state, p, NULL);
    for (uint32_t c = 0; c < state->n_cells; c++) {
        if (!state->cells[c].was && state->cells[c].home >= 0)
            layout_remove(state, c);
    }
}

/* From what is, as much of what was found as the bytes allow, the worthiest first. */
static bool
take_worthiest(State *state, const Snapshot *found)
{
    Worth *list = calloc((size_t) state->n_parts + 1, sizeof(*list));
    bool changed = true;
    uint32_t n;

    if (!list)
        return false;
    layout_restore(state, found);
    n = list_worth(state, list);
    qsort(list, n, sizeof(*list), compare_worth);
    put_all_back(state);
    for (uint32_t round = 0; changed && round < ROUNDS; round++) {
        changed = false;
        for (uint32_t i = 0; i < n; i++) {
            int64_t before = state->cost;
            uint64_t over = layout_over(state);

            if (list[i].part == UINT32_MAX)
                continue;
            put_part(state, list[i].part, found);
            if (holds(state, over) && state->cost < before) {
                list[i].part = UINT32_MAX;
                changed = true;
            } else {
                put_part(state, list[i].part, NULL);
            }
        }
    }
    free(list);
    return true;
}

/* Raises the price of a byte until the best layout moves few enough.  *much: the cheapest layout
 * that moves too much, *few: the first that does not (as it lies, if there is none). */
static bool
raise_price(State *state, uint64_t max_bytes, Snapshot *much, Snapshot *few)
{
    uint32_t low = 0, high = PRICE_DOUBLINGS + 1;

    put_all_back(state);
    layout_save(state, few);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        put_all_back(state);
        layout_price(state, middle);
        if (!layout_search(state))
            return false;
        if (state->moved > max_bytes) {
            layout_save(state, much);
            low = middle;
        } else {
            layout_save(state, few);
            high = middle;
        }
    }
    layout_price(state, 0);
    return true;
}

/* The best within the bytes: from what a higher price leaves, and from the worthiest part of what a
 * price too low finds; in both, what is left of the bytes is used up. */
static bool
hold_bytes(State *state, Snapshot *much, uint64_t max_bytes)
{
    Snapshot few = { 0 };
    bool ok;

    if (!layout_snapshot_init(state, &few))
        return false;
    layout_save(state, much);
    ok = raise_price(state, max_bytes, much, &few);
    state->max_moved = max_bytes;
    if (ok) {
        layout_restore(state, &few);
        ok = layout_search(state);
        layout_save(state, &few);
    }
    ok = ok && take_worthiest(state, much) && layout_search(state);
    if (state->cost > few.cost)
        layout_restore(state, &few);
    layout_snapshot_clear(&few);
    return ok;
}

/* ------------------------------------------------------------------ never worse */

/* Whether nothing had to change: all rules are kept as it is, and all has room. */
static bool
was_lawful(const State *state)
{
    bool lawful = true;

    for (uint32_t c = 0; c < state->n_cells; c++)
        lawful &= state->cells[c].was || state->parts[state->cells[c].part].fixed;
    for (uint32_t p = 0; p < state->n_parts; p++)
        lawful &= !state->parts[p].breach_now;
    return lawful && !state->over_now;
}

/* Better processors, growth or order are not worth a worse score: those who lost go back, unless
 * their rule moved them; and if that is not enough, and nothing had to change, all.  (A partition
 * that was asked for may cost the others something.) */
static void
keep_score(State *state, Snapshot *found)
{
    uint32_t now = layout_host_score(state, true);

    for (uint32_t p = 0; p < state->n_parts; p++) {
        if (state->parts[p].requested)
            return;
    }
    if (now == LP_SCORE_NONE)
        return;
    for (uint32_t k = 0; k < state->n_cells && layout_host_score(state, false) < now; k++) {
        uint32_t cell = state->order[k], p = state->cells[cell].part;
        uint64_t over = layout_over(state);

        if (state->parts[p].first != cell || state->parts[p].fixed || !part_changed(state, p) ||
            layout_part_score(state, p, false) >= layout_part_score(state, p, true) ||
            layout_part_breach(state, p) < state->parts[p].breach_now)
            continue;
        layout_save(state, found);
        put_part(state, p, NULL);
        if (!holds(state, over))
            put_part(state, p, found);
    }
    if (layout_host_score(state, false) < now && was_lawful(state)) {
        for (uint32_t p = 0; p < state->n_parts; p++)
            put_part(state, p, NULL);
    }
}

/* Within a bound on bytes a rule may move a partition half, and leave it worse and its rule
 * broken still: such a one stays as it lies. */
static void
keep_whole(State *state, Snapshot *found)
{
    for (uint32_t p = 0; p < state->n_parts; p++) {
        uint64_t over = layout_over(state);

        if (state->parts[p].fixed || !part_changed(state, p) || !layout_part_breach(state, p) ||
            layout_part_score(state, p, false) >= layout_part_score(state, p, true))
            continue;
        layout_save(state, found);
        put_part(state, p, NULL);
        if (!holds(state, over))
            put_part(state, p, found);
    }
}

bool
layout_trim(State *state, const LpLayoutOrder *order)
{
    Snapshot found = { 0 };
    bool ok = true;

    if (!layout_snapshot_init(state, &found))
        return false;
    if (order->max_bytes && state->moved > order->max_bytes) {
        ok = hold_bytes(state, &found, order->max_bytes);
        keep_whole(state, &found);
    }
    if (order->min_gain)
        drop_small_gains(state, &found, order->min_gain);
    keep_score(state, &found);
    layout_snapshot_clear(&found);
    return ok;
}
