/* The order in which cells are looked at: by what they are, and not by where a caller put them. */
#include "numa/layout-priv.h"

#include <stdlib.h>
#include <string.h>

static int
compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int
compare_cells(const State *state, uint32_t a, uint32_t b)
{
    const CellState *x = &state->cells[a], *y = &state->cells[b];
    int order = -compare_u64(x->bytes, y->bytes);

    if (!order)
        order = -compare_u64(x->vcpus, y->vcpus);
    if (!order)
        order = -compare_u64(x->growth, y->growth);
    if (!order)
        order = compare_u64(x->centi, y->centi);
    if (!order)
        order = compare_u64(x->untouched, y->untouched);
    if (!order)
        order = compare_u64((uint64_t) x->untouched_node, (uint64_t) y->untouched_node);
    if (!order)
        order = compare_u64(x->pinned, y->pinned);
    if (!order)
        order = compare_u64(x->now_cpus, y->now_cpus);
    if (!order)
        order = memcmp(state->now + (size_t) a * state->n, state->now + (size_t) b * state->n,
                       state->n * sizeof(*state->now));
    return order;
}

/* What must lie somewhere in particular first, then the big ones; a partition's cells together. */
static int
compare_order(const void *left, const void *right, void *context)
{
    const State *state = context;
    uint32_t a = *(const uint32_t *) left, b = *(const uint32_t *) right;
    uint32_t p = state->cells[a].part, q = state->cells[b].part;
    const PartState *x = &state->parts[p], *y = &state->parts[q];
    int order;

    if (p == q)
        return a < b ? -1 : a > b;
    order = -compare_u64(x->requested, y->requested);
    if (!order)
        order = compare_u64((uint64_t) __builtin_popcountll(x->allowed),
                            (uint64_t) __builtin_popcountll(y->allowed));
    if (!order)
        order = -compare_u64(x->bytes, y->bytes);
    if (!order)
        order = compare_u64(x->allowed, y->allowed);
    if (!order)
        order = compare_u64(x->mode, y->mode);
    if (!order)
        order = compare_u64(x->fixed, y->fixed);
    if (!order)
        order = compare_u64(x->n_cells, y->n_cells);
    for (uint32_t i = 0; !order && i < x->n_cells; i++)
        order = compare_cells(state, x->first + i, y->first + i);
    return order ? order : compare_u64(p, q);
}

void
layout_sort(State *state)
{
    for (uint32_t c = 0; c < state->n_cells; c++)
        state->order[c] = c;
    qsort_r(state->order, state->n_cells, sizeof(*state->order), compare_order, state);
}
