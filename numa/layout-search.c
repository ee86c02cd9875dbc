/* The search: from what is and from nothing, changes that make the whole cheaper. */
#include "numa/layout-priv.h"

#include <stdlib.h>

/* Changes that can be taken back together. */
#define LOG_MAX 160
/* Partitions looked at to make room for another, and how many may go. */
#define EJECT_CANDIDATES 6
#define EJECT_MAX 8
#define PASSES 12
/* Options weighed in one search; keeps it near n log n (1,000 cells on 8 nodes: some 20 ms). */
#define WORK_PER_CELL 60
#define WORK_BASE 40000

/* Up to so many cells are shaken: taken off by twos to fives and put down in another order. */
#define SHAKE_CELLS_MAX 200
#define SHAKE_MAX 5
#define SHAKE_WORK 60000
#define SHAKES 400

typedef struct {
    State *state;
    uint64_t chance;
    uint32_t n_log;
    uint32_t log_cell[LOG_MAX];
    Spot log_spot[LOG_MAX];
    int64_t work;
} Search;

static bool
is_free(const State *state, uint32_t cell)
{
    return !state->parts[state->cells[cell].part].fixed;
}

static bool
put_logged(Search *search, uint32_t cell, const Spot *spot)
{
    if (search->n_log == LOG_MAX)
        return false;
    layout_spot(search->state, cell, &search->log_spot[search->n_log]);
    search->log_cell[search->n_log++] = cell;
    layout_put(search->state, cell, spot);
    return true;
}

static void
roll_back(Search *search, uint32_t mark)
{
    while (search->n_log > mark) {
        search->n_log--;
        layout_put(search->state, search->log_cell[search->n_log],
                   &search->log_spot[search->n_log]);
    }
}

/* Whether nothing about the cell could be better, so that there is nothing to look for. */
static bool
is_content(const State *state, uint32_t index)
{
    const CellState *cell = &state->cells[index];
    const PartState *part = &state->parts[cell->part];
    LpNodeSet nodes = cell->mem | cell->cpus;
    uint32_t j;

    if (part->cost > 0 || cell->moved > 0 || cell->home < 0)
        return false;
    FOR_NODES (j, nodes) {
        const NodeState *node = &state->nodes[j];

        if (node->load > node->level || node->centi > node->level_centi ||
            node->growth + node->used > node->room || node->tier == LP_TIER_SLOW)
            return false;
    }
    return true;
}

/* One cell at a time to its best place.  Returns whether anything changed. */
static bool
sweep(Search *search, bool all)
{
    State *state = search->state;
    bool changed = false;

    for (uint32_t k = 0; k < state->n_cells && search->work > 0; k++) {
        uint32_t cell = state->order[k];
        Spot spot;

        if (!is_free(state, cell) || (!all && is_content(state, cell)))
            continue;
        search->work -= state->n + 8;
        if (layout_best_option(state, cell, 0, &spot) < 0) {
            layout_put(state, cell, &spot);
            changed = true;
        }
    }
    return changed;
}

/* ------------------------------------------------------------------ partitions of many cells */

/* All cells of a partition to one node, if that is cheaper. */
static bool
gather_part(Search *search, uint32_t index)
{
    State *state = search->state;
    const PartState *part = &state->parts[index];
    bool changed = false;

    if (part->fixed || part->n_cells < 2 || part->n_cells > LOG_MAX)
        return false;
    for (uint32_t j = 0; j < state->n; j++) {
        int64_t before = state->cost;
        bool fits = (part->allowed & NODE_BIT(j)) != 0 && state->nodes[j].cap >= part->bytes;

        search->n_log = 0;
        for (uint32_t c = part->first; fits && c < part->first + part->n_cells; c++) {
            Spot spot;

            layout_whole(state, c, j, &spot);
            fits = !state->cells[c].pinned && layout_fits(state, c, &spot) &&
                   put_logged(search, c, &spot);
        }
        search->work -= part->n_cells;
        if (fits && state->cost < before)
            changed = true;
        else
            roll_back(search, 0);
    }
    return changed;
}

/* Two cells of a partition change places. */
static bool
swap_cells_of_part(Search *search, uint32_t index)
{
    State *state = search->state;
    const PartState *part = &state->parts[index];
    bool changed = false;

    if (part->fixed || part->n_cells < 2 || part->n_cells > 16)
        return false;
    for (uint32_t a = part->first; a < part->first + part->n_cells; a++) {
        for (uint32_t b = a + 1; b < part->first + part->n_cells; b++) {
            int64_t before = state->cost;
            int32_t home_a = state->cells[a].home, home_b = state->cells[b].home;
            Spot spot;
            bool fits;

            if (home_a < 0 || home_b < 0 || home_a == home_b || state->cells[a].pinned ||
                state->cells[b].pinned)
                continue;
            search->n_log = 0;
            search->work -= 2;
            layout_whole(state, a, (uint32_t) home_b, &spot);
            put_logged(search, a, &spot);
            layout_whole(state, b, (uint32_t) home_a, &spot);
            put_logged(search, b, &spot);
            fits = state->nodes[home_a].used <= state->nodes[home_a].cap &&
                   state->nodes[home_b].used <= state->nodes[home_b].cap &&
                   state->moved <= state->max_moved;
            if (fits && state->cost < before)
                changed = true;
            else
                roll_back(search, 0);
        }
    }
    return changed;
}

static bool
sweep_parts(Search *search)
{
    bool changed = false;

    for (uint32_t k = 0; k < search->state->n_cells && search->work > 0; k++) {
        uint32_t cell = search->state->order[k], p = search->state->cells[cell].part;

        if (search->state->parts[p].first != cell || search->state->parts[p].cost == 0)
            continue;
        changed |= gather_part(search, p);
        changed |= swap_cells_of_part(search, p);
    }
    return changed;
}

/* ------------------------------------------------------------------ making room */

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
            state->cells[cell].pinned || !is_free(state, cell))
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
make_room(Search *search, uint32_t node, uint32_t except, int64_t limit)
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
        if (chosen == UINT32_MAX || !put_logged(search, chosen, &spot))
            return false;
    }
    return state->cost < limit && state->moved <= state->max_moved;
}

/* A cell to a node that has no room for it, others from there to where there is. */
static bool
push_cell(Search *search, uint32_t cell)
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
        put_logged(search, cell, &spot);
        if (make_room(search, j, cell, before))
            return true;
        roll_back(search, 0);
    }
    return false;
}

static bool
push_all(Search *search)
{
    State *state = search->state;
    bool changed = false;

    for (uint32_t k = 0; k < state->n_cells && search->work > 0; k++) {
        uint32_t cell = state->order[k];

        if (is_free(state, cell) && !state->cells[cell].pinned &&
            state->parts[state->cells[cell].part].mode != LP_NUMA_INTERLEAVE &&
            !is_content(state, cell))
            changed |= push_cell(search, cell);
    }
    return changed;
}

static void
improve(Search *search)
{
    for (uint32_t pass = 0; pass < PASSES && search->work > 0; pass++) {
        bool changed = sweep(search, pass == 0);

        changed |= sweep_parts(search);
        if (!changed && !push_all(search))
            break;
    }
}

/* Takes everything off that may go elsewhere, and puts it down anew.  False: something found no room
 * that had some before. */
static bool
place_anew(Search *search)
{
    State *state = search->state;
    bool all = true;

    for (uint32_t c = 0; c < state->n_cells; c++) {
        if (is_free(state, c) && !state->cells[c].pinned && state->cells[c].home >= 0)
            layout_remove(state, c);
    }
    for (uint32_t k = 0; k < state->n_cells; k++) {
        uint32_t cell = state->order[k];
        Spot spot;

        if (!is_free(state, cell) || state->cells[cell].pinned)
            continue;
        if (layout_best_option(state, cell, INT64_MAX, &spot) < INT64_MAX)
            layout_put(state, cell, &spot);
        else if (state->cells[cell].was)
            all = false;
    }
    return all;
}

/* The same numbers every time: a layout of the same host is the same. */
static uint32_t
draw(Search *search, uint32_t below)
{
    uint64_t z = search->chance += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t) ((z ^ z >> 31) % below);
}

/* Takes a few cells off and puts them down again, the last first.  False: one found no room. */
static bool
shake(Search *search, const uint32_t *loose, uint32_t n_loose)
{
    State *state = search->state;
    uint32_t n = 2 + draw(search, SHAKE_MAX - 1), cells[SHAKE_MAX];

    for (uint32_t i = 0; i < n; i++) {
        cells[i] = loose[draw(search, n_loose)];
        if (state->cells[cells[i]].home >= 0)
            layout_remove(state, cells[i]);
    }
    for (uint32_t i = n; i-- > 0;) {
        Spot spot;

        if (state->cells[cells[i]].home >= 0)
            continue;
        if (layout_best_option(state, cells[i], INT64_MAX, &spot) == INT64_MAX)
            return false;
        layout_put(state, cells[i], &spot);
    }
    return true;
}

/* For hosts of few cells, where it takes no time: from the best that was found to better ones that no
 * single change leads to. */
static void
shake_all(Search *search, Snapshot *best)
{
    State *state = search->state;
    uint32_t loose[SHAKE_CELLS_MAX], n_loose = 0;
    int64_t budget = SHAKE_WORK;

    if (state->n_cells > SHAKE_CELLS_MAX)
        return;
    for (uint32_t k = 0; k < state->n_cells; k++) {
        uint32_t cell = state->order[k];

        if (is_free(state, cell) && !state->cells[cell].pinned)
            loose[n_loose++] = cell;
    }
    if (n_loose < 2)
        return;
    for (uint32_t i = 0; i < SHAKES && budget > 0; i++) {
        bool whole = shake(search, loose, n_loose);

        search->work = min_u64((uint64_t) budget, 2000);
        budget -= search->work + SHAKE_MAX * (state->n + 8);
        if (whole)
            improve(search);
        budget += search->work;
        if (whole && state->moved <= state->max_moved && state->cost < best->cost)
            layout_save(state, best);
        else
            layout_restore(state, best);
    }
}

bool
layout_search(State *state)
{
    Search *search = calloc(1, sizeof(*search));
    Snapshot best = { 0 };
    int64_t work = WORK_BASE + (int64_t) state->n_cells * WORK_PER_CELL;

    if (!search)
        return false;
    search->state = state;
    search->work = work;
    if (!layout_snapshot_init(state, &best)) {
        free(search);
        return false;
    }
    improve(search);
    layout_save(state, &best);
    if (state->max_moved == UINT64_MAX) {
        search->work = work;
        if (place_anew(search)) {
            improve(search);
            if (state->cost < best.cost)
                layout_save(state, &best);
        }
        layout_restore(state, &best);
    }
    shake_all(search, &best);
    layout_snapshot_clear(&best);
    free(search);
    return true;
}
