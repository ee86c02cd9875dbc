/* Where a cell could lie. */
#include "numa/layout-priv.h"

/* How many sets of processors around its memory are tried for a cell. */
#define CPU_SETS 4
/* With more nodes than this, a cell's vCPUs are tried on the nearest ones only. */
#define NEAR_NODES 8

/* Nodes for the vCPUs of a cell whose memory is (mostly) on `node`: where that is against its
 * rule, they stay with it all the same. */
static LpNodeSet
cpus_allowed(const State *state, uint32_t index, uint32_t node)
{
    const PartState *part = &state->parts[state->cells[index].part];

    return part->allowed & NODE_BIT(node) ? part->allowed_cpus : state->all_cpus;
}

/* The nearest of those that are left (some are); of several as near, the one whose processors have
 * least to do: all who are wider than a node would meet on the first. */
static uint32_t
next_cpus(const State *state, uint32_t node, LpNodeSet left)
{
    const uint8_t *order = state->nodes[node].cpus_by_distance;
    uint32_t n_all = (uint32_t) __builtin_popcountll(state->all_cpus), i = 0, best;

    while (!(left & NODE_BIT(order[i])))
        i++;
    best = order[i];
    for (i++; i < n_all; i++) {
        const NodeState *one = &state->nodes[order[i]], *other = &state->nodes[best];

        if (state->topology->distance[node][order[i]] > state->topology->distance[node][best])
            break;
        if (left & NODE_BIT(order[i])
            && (unsigned __int128) one->load * other->n_cpus
                   < (unsigned __int128) other->load * one->n_cpus)
            best = order[i];
    }
    return best;
}

/* The nearest nodes to its memory that have a processor for each of its vCPUs. */
LpNodeSet
layout_cpus_for(const State *state, uint32_t index, uint32_t node)
{
    const CellState *cell = &state->cells[index];
    LpNodeSet allowed = cpus_allowed(state, index, node), cpus = 0, left;
    uint32_t at = state->nodes[node].cpus_by_distance[0], sum = 0;

    left = allowed & state->all_cpus;
    if (left & NODE_BIT(at) && state->nodes[at].n_cpus >= cell->vcpus)
        return NODE_BIT(at);
    while (left && (!cpus || sum < cell->vcpus)) {
        /* Its own node first, whatever it has to do: its memory is there. */
        at = !cpus && left & NODE_BIT(node) ? node : next_cpus(state, node, left);
        cpus |= NODE_BIT(at);
        left &= ~NODE_BIT(at);
        sum += state->nodes[at].n_cpus;
    }
    return cpus ? cpus : state->all_cpus;
}

void
layout_whole(const State *state, uint32_t index, uint32_t node, Spot *spot)
{
    spot->mem = NODE_BIT(node);
    spot->bytes[node] = state->cells[index].bytes;
    spot->home = (int32_t) node;
    spot->cpus = layout_cpus_for(state, index, node);
}

/* What the cell could have on the node at most. */
static uint64_t
room_for(const State *state, uint32_t index, uint32_t node)
{
    const CellState *cell = &state->cells[index];
    uint64_t own = cell->mem & NODE_BIT(node) ? state->bytes[(size_t) index * state->n + node] : 0;
    uint64_t cap = state->nodes[node].cap, others = state->nodes[node].used - own;

    return others < cap ? cap - others : 0;
}

static void
set_home(const State *state, uint32_t index, Spot *spot)
{
    uint64_t most = 0;
    uint32_t j;

    FOR_NODES (j, spot->mem) {
        if (spot->bytes[j] > most) {
            most = spot->bytes[j];
            spot->home = (int32_t) j;
        }
    }
    spot->cpus = layout_cpus_for(state, index, (uint32_t) spot->home);
}

static void
add_bytes(Spot *spot, uint32_t node, uint64_t bytes)
{
    if (bytes == 0)
        return;
    if (!(spot->mem & NODE_BIT(node)))
        spot->bytes[node] = 0;
    spot->mem |= NODE_BIT(node);
    spot->bytes[node] += bytes;
}

bool
layout_split(const State *state, uint32_t index, uint32_t node, Spot *spot)
{
    const CellState *cell = &state->cells[index];
    const PartState *part = &state->parts[cell->part];
    uint64_t left = cell->bytes;

    spot->mem = 0;
    spot->home = (int32_t) node;
    for (uint32_t round = 0; round < 2 && left; round++) {
        for (uint32_t i = 0; i < state->n && left; i++) {
            uint32_t at = state->nodes[node].by_distance[i];
            bool named = (part->allowed & NODE_BIT(at)) != 0;
            uint64_t here;

            if (named != (round == 0))
                continue;
            here = min_u64(left, room_for(state, index, at));
            add_bytes(spot, at, here);
            left -= here;
        }
        if (part->mode == LP_NUMA_STRICT)
            break;
    }
    if (left || !spot->mem)
        return false;
    set_home(state, index, spot);
    return true;
}

bool
layout_even(const State *state, uint32_t index, Spot *spot)
{
    const CellState *cell = &state->cells[index];
    LpNodeSet left_nodes = state->parts[cell->part].allowed, cpus = 0;
    uint64_t left = cell->bytes;
    uint32_t j;

    spot->mem = 0;
    spot->home = -1;
    while (left && left_nodes) {
        uint32_t n = (uint32_t) __builtin_popcountll(left_nodes);
        uint64_t each = left / n + (left % n != 0);
        LpNodeSet round = left_nodes;

        FOR_NODES (j, round) {
            uint64_t have = spot->mem & NODE_BIT(j) ? spot->bytes[j] : 0;
            uint64_t here = min_u64(min_u64(each, left), room_for(state, index, j) - have);

            add_bytes(spot, j, here);
            left -= here;
            if (here < each)
                left_nodes &= ~NODE_BIT(j);
        }
    }
    if (left || !spot->mem)
        return false;
    set_home(state, index, spot);
    FOR_NODES (j, state->parts[cell->part].allowed) {
        if (state->nodes[j].near >= 0)
            cpus |= NODE_BIT(state->nodes[j].near);
    }
    if (cpus)
        spot->cpus = cpus;
    return true;
}

/* Takes up to `bytes` off the nodes of the spot, from those that its rule does not name first, then
 * from the most distant from `node`. */
static void
take_far(const State *state, const PartState *part, uint32_t node, uint64_t bytes, Spot *spot)
{
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = state->n; i-- > 0 && bytes;) {
            uint32_t at = state->nodes[node].by_distance[i];
            bool named = (part->allowed & NODE_BIT(at)) != 0;
            uint64_t here;

            if (at == node || !(spot->mem & NODE_BIT(at)) || named != (round == 1))
                continue;
            here = min_u64(bytes, spot->bytes[at]);
            spot->bytes[at] -= here;
            if (spot->bytes[at] == 0)
                spot->mem &= ~NODE_BIT(at);
            bytes -= here;
        }
    }
}

bool
layout_pull(const State *state, uint32_t index, uint32_t node, Spot *spot)
{
    const CellState *cell = &state->cells[index];
    uint64_t have, want;

    layout_spot(state, index, spot);
    have = spot->mem & NODE_BIT(node) ? spot->bytes[node] : 0;
    want = min_u64(room_for(state, index, node), cell->bytes);
    if (state->max_moved < UINT64_MAX)
        want = min_u64(want, have + (state->max_moved > state->moved
                                         ? state->max_moved - state->moved
                                         : 0));
    if (want <= have)
        return false;
    take_far(state, &state->parts[cell->part], node, want - have, spot);
    add_bytes(spot, node, want - have);
    set_home(state, index, spot);
    return true;
}

/* ------------------------------------------------------------------ choosing */

typedef struct {
    const State *state;
    uint32_t cell;
    int64_t best;
    Spot *spot;
} Choice;

/* Whether it takes something off each node that is being cleared. */
static bool
leaves_closed(const State *state, uint32_t index, const Spot *spot)
{
    LpNodeSet closed = state->closed & spot->mem;
    uint32_t j;

    FOR_NODES (j, closed) {
        if (spot->bytes[j] >= state->bytes[(size_t) index * state->n + j])
            return false;
    }
    return true;
}

static void
consider(Choice *choice, const Spot *spot)
{
    int64_t delta;

    if (choice->state->closed && !leaves_closed(choice->state, choice->cell, spot))
        return;
    if (!layout_fits(choice->state, choice->cell, spot))
        return;
    delta = layout_delta(choice->state, choice->cell, spot);
    if (delta < choice->best) {
        uint32_t j;

        choice->best = delta;
        choice->spot->mem = spot->mem;
        choice->spot->cpus = spot->cpus;
        choice->spot->home = spot->home;
        FOR_NODES (j, spot->mem)
            choice->spot->bytes[j] = spot->bytes[j];
    }
}

/* Its memory where it is, its vCPUs elsewhere. */
static void
consider_cpus(Choice *choice)
{
    const State *state = choice->state;
    const CellState *cell = &state->cells[choice->cell];
    LpNodeSet allowed, set = 0;
    uint32_t n_all = (uint32_t) __builtin_popcountll(state->all_cpus);
    Spot spot;

    if (cell->home < 0 || cell->vcpus == 0)
        return;
    allowed = cpus_allowed(state, choice->cell, (uint32_t) cell->home);
    layout_spot(state, choice->cell, &spot);
    for (uint32_t i = 0, found = 0; i < n_all && found < NEAR_NODES; i++) {
        uint32_t at = state->nodes[cell->home].cpus_by_distance[i];

        if (!(allowed & NODE_BIT(at)))
            continue;
        found++;
        set |= NODE_BIT(at);
        spot.cpus = NODE_BIT(at);
        consider(choice, &spot);
        spot.cpus = layout_cpus_for(state, choice->cell, at);
        consider(choice, &spot);
        if (found > 1 && found <= CPU_SETS) {
            spot.cpus = set;
            consider(choice, &spot);
        }
    }
}

/* All of it on one node; where the processors there have enough to do, its vCPUs on the nearest
 * others. */
static void
consider_whole(Choice *choice, uint32_t node)
{
    const State *state = choice->state;
    const CellState *cell = &state->cells[choice->cell];
    LpNodeSet allowed = cpus_allowed(state, choice->cell, node);
    uint32_t n_all = (uint32_t) __builtin_popcountll(state->all_cpus), found = 0;
    const NodeState *first;
    Spot spot;

    layout_whole(state, choice->cell, node, &spot);
    consider(choice, &spot);
    /* (What stands somewhere is asked about its vCPUs by themselves.) */
    if (!spot.cpus || cell->vcpus == 0 || cell->home >= 0)
        return;
    first = &state->nodes[__builtin_ctzll(spot.cpus)];
    if (first->load + ((uint64_t) cell->vcpus << LOAD_SHIFT) <= first->level)
        return;
    for (uint32_t i = 0; i < n_all && found < CPU_SETS; i++) {
        uint32_t at = state->nodes[node].cpus_by_distance[i];

        if (!(allowed & NODE_BIT(at)))
            continue;
        found++;
        spot.cpus = NODE_BIT(at);
        consider(choice, &spot);
    }
}

static void
consider_memory(Choice *choice)
{
    const State *state = choice->state;
    const CellState *cell = &state->cells[choice->cell];
    const PartState *part = &state->parts[cell->part];
    LpNodeSet nodes = part->allowed;
    bool whole = false, over = false;
    Spot spot;
    uint32_t j;

    if (part->mode == LP_NUMA_PREFERRED)
        nodes |= cell->mem;
    FOR_NODES (j, cell->mem)
        over |= state->nodes[j].used > state->nodes[j].cap;
    FOR_NODES (j, nodes) {
        bool has_room = room_for(state, choice->cell, j) >= cell->bytes;

        if (has_room) {
            consider_whole(choice, j);
            whole = true;
        }
        if ((!has_room || state->max_moved < UINT64_MAX) && cell->home >= 0 &&
            layout_pull(state, choice->cell, j, &spot))
            consider(choice, &spot);
    }
    if (!whole || over || part->mode == LP_NUMA_PREFERRED) {
        for (j = 0; j < state->n; j++) {
            if (state->nodes[j].cap && layout_split(state, choice->cell, j, &spot))
                consider(choice, &spot);
        }
    }
}

int64_t
layout_best_option(const State *state, uint32_t index, int64_t bound, Spot *spot)
{
    const CellState *cell = &state->cells[index];
    const PartState *part = &state->parts[cell->part];
    Choice choice = { state, index, bound, spot };
    Spot other;

    if (part->fixed)
        return bound;
    if (cell->was && layout_changed(state, index)) {
        layout_now(state, index, &other);
        consider(&choice, &other);
    }
    if (part->mode == LP_NUMA_INTERLEAVE) {
        if (!cell->pinned && layout_even(state, index, &other))
            consider(&choice, &other);
        if (cell->pinned)
            consider_cpus(&choice);
        return choice.best;
    }
    if (!cell->pinned)
        consider_memory(&choice);
    consider_cpus(&choice);
    return choice.best;
}
