/* What no single change leads to, on hosts of few cells. */
#include "numa/layout-priv.h"

/* Cells that are shaken are taken off by twos to fives and put down in another order. */
#define SHAKE_MAX 5
#define SHAKES 400
/* Options weighed in all: a few milliseconds, so that it takes no time beside what it saves. */
#define SHAKE_WORK 60000
#define SHAKE_WORK_ONE 2000

/* The same numbers every time: a layout of the same host is the same. */
static uint32_t
draw(LayoutSearch *search, uint32_t below)
{
    uint64_t z = search->chance += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t) ((z ^ z >> 31) % below);
}

/* Takes a few cells off and puts them down again, the last first.  False: one found no room. */
static bool
shake(LayoutSearch *search, const uint32_t *loose, uint32_t n_loose)
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

/* For hosts of few cells, where it takes no time: from the best that was found to better ones
 * that no single change leads to. */
void
layout_shake_all(LayoutSearch *search, Snapshot *best)
{
    State *state = search->state;
    uint32_t loose[LAYOUT_FEW_CELLS], n_loose = 0;
    int64_t budget = SHAKE_WORK;

    if (state->n_cells > LAYOUT_FEW_CELLS)
        return;
    for (uint32_t k = 0; k < state->n_cells; k++) {
        uint32_t cell = state->order[k];

        if (layout_is_free(state, cell) && !state->cells[cell].pinned)
            loose[n_loose++] = cell;
    }
    if (n_loose < 2)
        return;
    for (uint32_t i = 0; i < SHAKES && budget > 0; i++) {
        bool whole = shake(search, loose, n_loose);

        search->work = min_u64((uint64_t) budget, SHAKE_WORK_ONE);
        budget -= search->work + SHAKE_MAX * (state->n + 8);
        if (whole)
            layout_improve(search);
        budget += search->work;
        if (whole && state->moved <= state->max_moved && state->cost < best->cost)
            layout_save(state, best);
        else
            layout_restore(state, best);
    }
}
