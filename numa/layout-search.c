/* The search: from what is and from nothing, changes that make the whole cheaper. */
#include "numa/layout-priv.h"

#include <stdlib.h>

#define PASSES 12
/* Options weighed in one search; keeps it near n log n (1,000 cells on 8 nodes: some 10 ms). */
#define WORK_PER_CELL 45
#define WORK_BASE 40000

bool
layout_is_free(const State *state, uint32_t cell)
{
    return !state->parts[state->cells[cell].part].fixed;
}

bool
layout_put_logged(LayoutSearch *search, uint32_t cell, const Spot *spot)
{
    if (search->n_log == LOG_MAX)
        return false;
    layout_spot(search->state, cell, &search->log_spot[search->n_log]);
    search->log_cell[search->n_log++] = cell;
    layout_put(search->state, cell, spot);
    return true;
}

void
layout_roll_back(LayoutSearch *search, uint32_t mark)
{
    while (search->n_log > mark) {
        search->n_log--;
        layout_put(search->state, search->log_cell[search->n_log],
                   &search->log_spot[search->n_log]);
    }
}

/* Whether nothing about the cell could be better, so that there is nothing to look for. */
bool
layout_is_content(const State *state, uint32_t index)
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
sweep(LayoutSearch *search, bool all)
{
    State *state = search->state;
    bool changed = false;

    for (uint32_t k = 0; k < state->n_cells && search->work > 0; k++) {
        uint32_t cell = state->order[k];
        Spot spot;

        if (!layout_is_free(state, cell) || (!all && layout_is_content(state, cell)))
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
gather_part(LayoutSearch *search, uint32_t index)
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
                   layout_put_logged(search, c, &spot);
        }
        search->work -= part->n_cells;
        if (fits && state->cost < before)
            changed = true;
        else
            layout_roll_back(search, 0);
    }
    return changed;
}

/* Two cells of a partition change places. */
static bool
swap_cells_of_part(LayoutSearch *search, uint32_t index)
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
            layout_put_logged(search, a, &spot);
            layout_whole(state, b, (uint32_t) home_a, &spot);
            layout_put_logged(search, b, &spot);
            fits = state->nodes[home_a].used <= state->nodes[home_a].cap &&
                   state->nodes[home_b].used <= state->nodes[home_b].cap &&
                   state->moved <= state->max_moved;
            if (fits && state->cost < before)
                changed = true;
            else
                layout_roll_back(search, 0);
        }
    }
    return changed;
}

static bool
sweep_parts(LayoutSearch *search)
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

void
layout_improve(LayoutSearch *search)
{
    for (uint32_t pass = 0; pass < PASSES && search->work > 0; pass++) {
        bool changed = sweep(search, pass == 0);

        changed |= sweep_parts(search);
        if (!changed && !layout_push_all(search))
            break;
    }
}

/* Takes everything off that may go elsewhere, and puts it down anew.  False: something found no
 * room that had some before. */
static bool
place_anew(LayoutSearch *search)
{
    State *state = search->state;
    bool all = true;

    for (uint32_t c = 0; c < state->n_cells; c++) {
        if (layout_is_free(state, c) && !state->cells[c].pinned && state->cells[c].home >= 0)
            layout_remove(state, c);
    }
    for (uint32_t k = 0; k < state->n_cells; k++) {
        uint32_t cell = state->order[k];
        Spot spot;

        if (!layout_is_free(state, cell) || state->cells[cell].pinned)
            continue;
        if (layout_best_option(state, cell, INT64_MAX, &spot) < INT64_MAX)
            layout_put(state, cell, &spot);
        else if (state->cells[cell].was)
            all = false;
    }
    return all;
}

/* Few cells may be trapped where all lie badly and each move by itself costs more than it gains:
 * what would be best if moving cost nothing is another start, when its price counts again. */
static bool
place_for_free(LayoutSearch *search, int64_t work, Snapshot *best)
{
    State *state = search->state;
    unsigned __int128 price = state->per_moved;
    Snapshot start = { 0 };
    bool all;

    if (state->n_cells > LAYOUT_FEW_CELLS)
        return true;
    if (!layout_snapshot_init(state, &start))
        return false;
    search->work = work;
    layout_price_of_byte(state, 0);
    all = place_anew(search);
    if (all) {
        layout_improve(search);
        layout_save(state, &start);
        layout_shake_all(search, &start);
    }
    layout_price_of_byte(state, price);
    search->work = work;
    if (all)
        layout_improve(search);
    if (all && state->cost < best->cost)
        layout_save(state, best);
    layout_snapshot_clear(&start);
    return true;
}

bool
layout_search(State *state)
{
    LayoutSearch *search = calloc(1, sizeof(*search));
    Snapshot best = { 0 };
    int64_t work = WORK_BASE + (int64_t) state->n_cells * WORK_PER_CELL;
    bool ok = true;

    if (!search)
        return false;
    search->state = state;
    search->work = work;
    if (!layout_snapshot_init(state, &best)) {
        free(search);
        return false;
    }
    layout_improve(search);
    layout_save(state, &best);
    if (state->max_moved == UINT64_MAX) {
        search->work = work;
        if (place_anew(search)) {
            layout_improve(search);
            if (state->cost < best.cost)
                layout_save(state, &best);
        }
        ok = place_for_free(search, work, &best);
        layout_restore(state, &best);
    }
    layout_shake_all(search, &best);
    layout_snapshot_clear(&best);
    free(search);
    return ok;
}
