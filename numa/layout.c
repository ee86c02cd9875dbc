/* The layout of a host: what callers see of it. */
#include "numa/layout.h"
#include "numa/layout-priv.h"

#include <stdlib.h>
#include <string.h>

const LpLayoutWeights lp_layout_weights = {
    .locality = 1000,
    .agreement = 5000,
    .crowding = 20000,
    .fragmentation = 500,
    .growth = 2000,
    .tier = 1000,
    .movement = 3000,
};

LpLayout *
lp_layout_new(void)
{
    return calloc(1, sizeof(LpLayout));
}

static void
clear(LpLayout *layout)
{
    free(layout->bytes);
    free(layout->home);
    free(layout->cpus);
    free(layout->score_now);
    free(layout->score);
    free(layout->best);
    memset(layout, 0, sizeof(*layout));
}

void
lp_layout_free(LpLayout *layout)
{
    if (!layout)
        return;
    clear(layout);
    free(layout);
}

static bool
take_memory(LpLayout *layout, const State *state)
{
    size_t n_cells = (size_t) state->n_cells + 1, n_parts = (size_t) state->n_parts + 1;

    clear(layout);
    layout->n_nodes = state->n;
    layout->n_cells = state->n_cells;
    layout->n_partitions = state->n_parts;
    layout->bytes = calloc(n_cells * (state->n + 1), sizeof(*layout->bytes));
    layout->home = calloc(n_cells, sizeof(*layout->home));
    layout->cpus = calloc(n_cells, sizeof(*layout->cpus));
    layout->score_now = calloc(n_parts, sizeof(*layout->score_now));
    layout->score = calloc(n_parts, sizeof(*layout->score));
    layout->best = calloc(n_parts, sizeof(*layout->best));
    return layout->bytes && layout->home && layout->cpus && layout->score_now && layout->score &&
           layout->best;
}

/* The node for a cell's next pages, where most of it lies on a node that its rule forbids: the
 * nearest of those named that has room, or else the nearest. */
static int32_t
find_home(const State *state, const PartState *part, int32_t home)
{
    int32_t nearest = -1;

    for (uint32_t i = 0; i < state->n; i++) {
        uint32_t at = home < 0 ? i : state->nodes[home].by_distance[i];

        if (!(part->allowed & NODE_BIT(at)))
            continue;
        if (state->nodes[at].used < state->nodes[at].cap)
            return (int32_t) at;
        if (nearest < 0)
            nearest = (int32_t) at;
    }
    return nearest;
}

static void
fill_cell(const State *state, uint32_t c, LpLayout *layout)
{
    const CellState *cell = &state->cells[c];
    const PartState *part = &state->parts[cell->part];

    layout->home[c] = cell->home;
    if (part->fixed && state->host->cells[c].home < (int32_t) state->n)
        layout->home[c] = state->host->cells[c].home < 0 ? -1 : state->host->cells[c].home;
    if (!part->fixed && (cell->home < 0 || !(part->allowed & NODE_BIT(cell->home))))
        layout->home[c] = find_home(state, part, cell->home);
    layout->cpus[c] = cell->cpus;
    if (part->fixed || cell->cpus == cell->now_cpus)
        layout->cpus[c] = state->host->cells[c].now_cpus;
    if (cell->home < 0) {
        layout->cpus[c] = state->host->cells[c].now_cpus;
        if (!part->fixed)
            layout->unplaced_bytes += cell->bytes;
    }
}

static void
fill(State *state, LpLayout *layout)
{
    memcpy(layout->bytes, state->bytes,
           (size_t) state->n_cells * state->n * sizeof(*layout->bytes));
    for (uint32_t c = 0; c < state->n_cells; c++)
        fill_cell(state, c, layout);
    for (uint32_t p = 0; p < state->n_parts; p++) {
        layout->score_now[p] = layout_part_score(state, p, true);
        layout->score[p] = layout_part_score(state, p, false);
        layout->best[p] = state->parts[p].best;
    }
    layout->host_now = layout_host_score(state, true);
    layout->host = layout_host_score(state, false);
    layout->moved_bytes = state->moved;
    layout->unplaced_bytes += layout_over(state);
}

bool
lp_layout_make(const LpLayoutHost *host, const LpLayoutOrder *order, LpLayout *ret)
{
    static const LpLayoutOrder none = { 0 };
    State *state;
    bool ok;

    if (!order)
        order = &none;
    state = layout_state_new(host, order->weights);
    ok = state && layout_search(state) && layout_trim(state, order) && take_memory(ret, state);
    if (ok)
        fill(state, ret);
    layout_state_free(state);
    return ok;
}

uint64_t
lp_layout_cost(const LpLayoutHost *host, const LpLayout *layout, const LpLayoutWeights *weights)
{
    State *state = layout_state_new(host, weights);
    uint64_t cost;

    if (!state)
        return UINT64_MAX;
    for (uint32_t c = 0; c < state->n_cells && c < layout->n_cells; c++) {
        const uint64_t *bytes = layout->bytes + (size_t) c * layout->n_nodes;
        Spot spot = { .home = -1 };
        uint64_t most = 0;

        for (uint32_t j = 0; j < state->n && j < layout->n_nodes; j++) {
            if (bytes[j] == 0)
                continue;
            spot.mem |= NODE_BIT(j);
            spot.bytes[j] = bytes[j];
            if (bytes[j] > most) {
                most = bytes[j];
                spot.home = (int32_t) j;
            }
        }
        if (most == 0 && layout->home[c] < (int32_t) state->n)
            spot.home = layout->home[c] < 0 ? -1 : layout->home[c];
        spot.cpus = layout_serving_cpus(state, layout->cpus[c]);
        layout_put(state, c, &spot);
    }
    cost = state->cost > 0 ? (uint64_t) state->cost >> COST_SHIFT : 0;
    layout_state_free(state);
    return cost;
}
