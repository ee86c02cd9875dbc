/* A host being laid out: what stands where, and what that costs, kept up to date change by
 * change. */
#include "numa/layout-priv.h"

#include <stdlib.h>
#include <string.h>

/* What node `j` costs by itself, with so much on it. */
static int64_t
node_cost(const State *state, const NodeState *node, uint64_t used, uint64_t growth, uint64_t load,
          uint64_t centi)
{
    uint64_t free = used < node->room ? node->room - used : 0;
    unsigned __int128 sum = 0;

    if (load > node->level)
        sum += (load - node->level) * state->per_load;
    if (centi > node->level_centi)
        sum += (centi - node->level_centi) * state->per_centi;
    if (used > node->cap)
        sum += (used - node->cap) * state->per_over;
    if (growth > free)
        sum += (growth - free) * state->per_growth;
    if (free < state->piece)
        sum += free * state->per_free;
    return (int64_t) (sum >> 64);
}

static int64_t
tier_cost(const State *state, uint64_t slow_used, uint64_t normal_free)
{
    return (int64_t) (min_u64(slow_used, normal_free) * state->per_slow >> 64);
}

void
layout_clear_nodes(State *state)
{
    for (uint32_t j = 0; j < state->n; j++) {
        NodeState *node = &state->nodes[j];

        node->cost = node_cost(state, node, 0, 0, 0, 0);
        state->cost += node->cost;
        if (node->tier != LP_TIER_SLOW)
            state->normal_free += node->room;
    }
}

static uint64_t
free_of(const NodeState *node, uint64_t used)
{
    return used < node->room ? node->room - used : 0;
}

/* What of the cell is copied when it goes to the spot. */
static uint64_t
moved_bytes(const State *state, uint32_t index, const Spot *spot)
{
    const CellState *cell = &state->cells[index];
    const uint64_t *now = state->now + (size_t) index * state->n;
    uint64_t leaving = 0;
    uint32_t j;

    if (!cell->was || spot->home < 0)
        return 0;
    FOR_NODES (j, cell->now_mem) {
        uint64_t lies = now[j] - (j == (uint32_t) cell->untouched_node ? cell->untouched : 0);
        uint64_t stays = spot->mem & NODE_BIT(j) ? spot->bytes[j] : 0;

        leaving += lies > stays ? lies - stays : 0;
    }
    return leaving;
}

/* Also what a change of processors is worth avoiding: a thousandth of the cell's memory. */
static int64_t
move_cost_of(const State *state, const CellState *cell, uint64_t moved, int32_t home,
             LpNodeSet cpus)
{
    int64_t cost = (int64_t) (moved * state->per_moved >> 64);

    if (cell->was && home >= 0 && cpus != cell->now_cpus)
        cost += 1 + (int64_t) (cell->bytes * state->per_moved >> 74);
    return cost;
}

/* The price of a byte that moves, and with it the cost of all that has. */
void
layout_price_of_byte(State *state, unsigned __int128 per_moved)
{
    state->per_moved = per_moved;
    for (uint32_t c = 0; c < state->n_cells; c++) {
        CellState *cell = &state->cells[c];
        int64_t cost = move_cost_of(state, cell, cell->moved, cell->home, cell->cpus);

        state->cost += cost - cell->move_cost;
        cell->move_cost = cost;
    }
}

/* Makes each byte that moves cost 2^doublings times what its weight says; 0: as it says. */
void
layout_price(State *state, uint32_t doublings)
{
    uint64_t weight = (uint64_t) state->weights.movement << doublings;

    if (weight > PRICE_MAX)
        weight = PRICE_MAX;
    layout_price_of_byte(state, ((unsigned __int128) weight << (COST_SHIFT + 64)) /
                                    (state->total ? state->total : 1));
}

/* ------------------------------------------------------------------ changes of one cell */

/* What a cell that goes from one spot to another leaves on a node. */
typedef struct {
    uint64_t used, growth, load, centi;
} Figures;

static void
add_figures(const State *state, uint32_t index, uint32_t node, LpNodeSet mem, LpNodeSet cpus,
            int32_t home, const uint64_t *bytes, int sign, Figures *f)
{
    const CellState *cell = &state->cells[index];
    uint64_t s = sign < 0 ? UINT64_MAX : 1;

    if (home < 0)
        return;
    if (mem & NODE_BIT(node))
        f->used += s * bytes[node];
    if (home == (int32_t) node)
        f->growth += s * cell->growth;
    if (cpus & NODE_BIT(node)) {
        uint64_t share = layout_cpu_share(state, cpus, node);

        f->load += s * (cell->vcpus * share >> (SHARE_SHIFT - LOAD_SHIFT));
        f->centi += s * (cell->centi * share >> SHARE_SHIFT);
    }
}

static inline const uint64_t *
cell_bytes(const State *state, uint32_t index)
{
    return state->bytes + (size_t) index * state->n;
}

static inline LpNodeSet
home_bit(int32_t home)
{
    return home < 0 ? 0 : NODE_BIT(home);
}

/* Goes through all nodes that the change touches; adds up, and with `write` applies. */
static int64_t
change_nodes(State *write, const State *state, uint32_t index, const Spot *spot)
{
    const CellState *cell = &state->cells[index];
    LpNodeSet touched = cell->mem | cell->cpus | home_bit(cell->home) | spot->mem | spot->cpus |
                        home_bit(spot->home);
    uint64_t slow_used = state->slow_used, normal_free = state->normal_free;
    int64_t delta = 0;
    uint32_t j;

    FOR_NODES (j, touched) {
        const NodeState *node = &state->nodes[j];
        Figures f = { node->used, node->growth, node->load, node->centi };
        int64_t cost;

        add_figures(state, index, j, cell->mem, cell->cpus, cell->home, cell_bytes(state, index),
                    -1, &f);
        add_figures(state, index, j, spot->mem, spot->cpus, spot->home, spot->bytes, 1, &f);
        cost = node_cost(state, node, f.used, f.growth, f.load, f.centi);
        delta += cost - node->cost;
        if (node->tier == LP_TIER_SLOW)
            slow_used += f.used - node->used;
        else
            normal_free += free_of(node, f.used) - free_of(node, node->used);
        if (write) {
            NodeState *target = &write->nodes[j];

            target->used = f.used;
            target->growth = f.growth;
            target->load = f.load;
            target->centi = f.centi;
            target->cost = cost;
        }
    }
    delta += tier_cost(state, slow_used, normal_free) -
             tier_cost(state, state->slow_used, state->normal_free);
    if (write) {
        write->slow_used = slow_used;
        write->normal_free = normal_free;
    }
    return delta;
}

int64_t
layout_delta(const State *state, uint32_t index, const Spot *spot)
{
    const CellState *cell = &state->cells[index];
    uint64_t moved = moved_bytes(state, index, spot);

    return layout_part_cost(state, cell->part, index, spot) - state->parts[cell->part].cost +
           move_cost_of(state, cell, moved, spot->home, spot->cpus) - cell->move_cost +
           change_nodes(NULL, state, index, spot);
}

void
layout_put(State *state, uint32_t index, const Spot *spot)
{
    CellState *cell = &state->cells[index];
    PartState *part = &state->parts[cell->part];
    uint64_t *bytes = state->bytes + (size_t) index * state->n;
    uint64_t moved = moved_bytes(state, index, spot);
    int64_t move_cost = move_cost_of(state, cell, moved, spot->home, spot->cpus);
    int64_t cost = layout_part_cost(state, cell->part, index, spot);
    uint32_t j;

    state->cost += change_nodes(state, state, index, spot);
    state->cost += cost - part->cost + move_cost - cell->move_cost;
    state->moved += moved - cell->moved;
    part->cost = cost;
    cell->move_cost = move_cost;
    cell->moved = moved;
    FOR_NODES (j, cell->mem)
        bytes[j] = 0;
    FOR_NODES (j, spot->mem)
        bytes[j] = spot->bytes[j];
    cell->mem = spot->mem;
    cell->cpus = spot->cpus;
    cell->home = spot->home;
}

void
layout_remove(State *state, uint32_t index)
{
    Spot none;

    none.mem = none.cpus = 0;
    none.home = -1;
    layout_put(state, index, &none);
}

bool
layout_fits(const State *state, uint32_t index, const Spot *spot)
{
    const CellState *cell = &state->cells[index];
    const uint64_t *bytes = cell_bytes(state, index);
    uint32_t j;

    FOR_NODES (j, spot->mem) {
        uint64_t before = cell->mem & NODE_BIT(j) ? bytes[j] : 0;
        const NodeState *node = &state->nodes[j];

        if (spot->bytes[j] > before && node->used + (spot->bytes[j] - before) > node->cap)
            return false;
    }
    if (state->max_moved < UINT64_MAX) {
        uint64_t moved = moved_bytes(state, index, spot);

        if (moved > cell->moved && state->moved + (moved - cell->moved) > state->max_moved)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ looking */

static void
copy_spot(LpNodeSet mem, LpNodeSet cpus, int32_t home, const uint64_t *bytes,
          Spot *spot)
{
    uint32_t j;

    spot->mem = mem;
    spot->cpus = cpus;
    spot->home = home;
    FOR_NODES (j, mem)
        spot->bytes[j] = bytes[j];
}

void
layout_now(const State *state, uint32_t index, Spot *spot)
{
    const CellState *cell = &state->cells[index];

    copy_spot(cell->now_mem, cell->now_cpus, cell->was ? cell->now_home : -1,
              state->now + (size_t) index * state->n, spot);
}

void
layout_spot(const State *state, uint32_t index, Spot *spot)
{
    const CellState *cell = &state->cells[index];

    copy_spot(cell->mem, cell->cpus, cell->home, cell_bytes(state, index), spot);
}

bool
layout_changed(const State *state, uint32_t index)
{
    const CellState *cell = &state->cells[index];

    if (cell->mem != cell->now_mem || cell->cpus != cell->now_cpus || cell->home != cell->now_home)
        return true;
    return memcmp(cell_bytes(state, index), state->now + (size_t) index * state->n,
                  state->n * sizeof(*state->now)) != 0;
}

/* ------------------------------------------------------------------ going back */

bool
layout_snapshot_init(const State *state, Snapshot *snapshot)
{
    size_t n = (size_t) state->n_cells + 1;

    snapshot->bytes = calloc(n * (state->n + 1), sizeof(*snapshot->bytes));
    snapshot->mem = calloc(n, sizeof(*snapshot->mem));
    snapshot->cpus = calloc(n, sizeof(*snapshot->cpus));
    snapshot->home = calloc(n, sizeof(*snapshot->home));
    snapshot->cost = INT64_MAX;
    if (snapshot->bytes && snapshot->mem && snapshot->cpus && snapshot->home)
        return true;
    layout_snapshot_clear(snapshot);
    return false;
}

void
layout_snapshot_clear(Snapshot *snapshot)
{
    free(snapshot->bytes);
    free(snapshot->mem);
    free(snapshot->cpus);
    free(snapshot->home);
    memset(snapshot, 0, sizeof(*snapshot));
}

void
layout_save(const State *state, Snapshot *snapshot)
{
    memcpy(snapshot->bytes, state->bytes, (size_t) state->n_cells * state->n * sizeof(uint64_t));
    for (uint32_t c = 0; c < state->n_cells; c++) {
        snapshot->mem[c] = state->cells[c].mem;
        snapshot->cpus[c] = state->cells[c].cpus;
        snapshot->home[c] = state->cells[c].home;
    }
    snapshot->cost = state->cost;
}

void
layout_saved_spot(const State *state, const Snapshot *snapshot, uint32_t index, Spot *spot)
{
    copy_spot(snapshot->mem[index], snapshot->cpus[index], snapshot->home[index],
              snapshot->bytes + (size_t) index * state->n, spot);
}

static bool
stands_so(const State *state, const Snapshot *snapshot, uint32_t index)
{
    const CellState *cell = &state->cells[index];

    return cell->mem == snapshot->mem[index] && cell->cpus == snapshot->cpus[index] &&
           cell->home == snapshot->home[index] &&
           memcmp(cell_bytes(state, index), snapshot->bytes + (size_t) index * state->n,
                  state->n * sizeof(uint64_t)) == 0;
}

void
layout_restore(State *state, const Snapshot *snapshot)
{
    for (uint32_t c = 0; c < state->n_cells; c++) {
        Spot spot;

        if (stands_so(state, snapshot, c))
            continue;
        layout_saved_spot(state, snapshot, c, &spot);
        layout_put(state, c, &spot);
    }
}
