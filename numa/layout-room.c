/* Room for a cell where there is none: others go elsewhere, if all together is cheaper. */
#include "numa/layout-priv.h"

/* Cells looked at to make room for another, and how many may go. */
#define EJECT_CANDIDATES 6
#define EJECT_MAX 8

/* The cells on the node that are looked at: those that make enough room alone, the smallest first;
 * then the biggest of the others. */
static uint32_t
find_candidates(const State *state, uint32_t node, uint64_t lacking, uint32_t except,
                uint32_t *candidates)
{
    uint32_t n = 0;
    uint64_t key[EJECT_CANDIDATES];

    for (uint32_t k = 0; k < state->n_cells; k++) {
        uint32_t cell = state->order[k], at;
        uint64_t bytes, rank;

        if (!(state->cells[cell].mem & NODE_BIT(node)) || cell == except ||
            state->cells[cell].pinned || !layout_is_free(state, cell))
            continue;
        bytes = state->bytes[(size_t) cell * state->n + node];
        if (bytes == 0)
            continue;
        rank = bytes >= lacking ? bytes : UINT64_MAX - bytes;
        if (n == EJECT_CANDIDATES && rank >= key[n - 1])
            continue;
        at = n < EJECT_CANDIDATES ? n++ : n - 1;
        while (at > 0 && key[at - 1] > rank) {
            key[at] = key[at - 1];
            candidates[at] = candidates[at - 1];
            at--;
        }
        key[at] = rank;
        candidates[at] = cell;
    }
    return n;
}

/* Puts others elsewhere until the node is no more over its room; `limit`: what that may cost. */
static bool
make_room(LayoutSearch *search, uint32_t node, uint32_t except, int64_t limit)
{
    State *state = search->state;

    for (uint32_t round = 0; state->nodes[node].used > state->nodes[node].cap; round++) {
        uint64_t lacking = state->nodes[node].used - state->nodes[node].cap;
        uint32_t candidates[EJECT_CANDIDATES], n, chosen = UINT32_MAX;
        int64_t best = limit - state->cost;
        Spot spot;

        if (round == EJECT_MAX)
            return false;
        n = find_candidates(state, node, lacking, except, candidates);
        state->closed = NODE_BIT(node);
        for (uint32_t i = 0; i < n; i++) {
            Spot other;
            int64_t delta;

            search->work -= state->n + 8;
            delta = layout_best_option(state, candidates[i], best, &other);
            if (delta < best) {
                best = delta;
                chosen = candidates[i];
                spot = other;
            }
        }
        state->closed = 0;
        if (chosen == UINT32_MAX || !layout_put_logged(search, chosen, &spot))
            return false;
    }
    return state->cost < limit && state->moved <= state->max_moved;
}

/* A cell to a node that has no room for it, others from there to where there is. */
static bool
push_cell(LayoutSearch *search, uint32_t cell)
{
    State *state = search->state;
    LpNodeSet nodes = state->parts[state->cells[cell].part].allowed;
    uint32_t j;

    FOR_NODES (j, nodes) {
        int64_t before = state->cost;
        Spot spot;

        layout_whole(state, cell, j, &spot);
        if (state->nodes[j].cap < state->cells[cell].bytes || layout_fits(state, cell, &spot) ||
            layout_delta(state, cell, &spot) >= 0)
            continue;
        search->n_log = 0;
        layout_put_logged(search, cell, &spot);
        if (make_room(search, j, cell, before))
            return true;
        layout_roll_back(search, 0);
    }
    return false;
}

bool
layout_push_all(LayoutSearch *search)
{
    State *state = search->state;
    bool changed = false;

    for (uint32_t k = 0; k < state->n_cells && search->work > 0; k++) {
        uint32_t cell = state->order[k];

        if (layout_is_free(state, cell) && !state->cells[cell].pinned &&
            state->parts[state->cells[cell].part].mode != LP_NUMA_INTERLEAVE &&
            !layout_is_content(state, cell))
            changed |= push_cell(search, cell);
    }
    return changed;
}
