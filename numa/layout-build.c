/* A host as the layout sees it, made of what the caller says: absurd figures bounded, where
 * things lie brought to the sum of what was granted, weights made into factors. */
#include "numa/layout-priv.h"

#include <stdlib.h>

/* In thousandths of a point of the host's score, for all memory.  A rule comes before the score
 * (100 points, also where few bytes can follow it and all vCPUs must), and to lie at all before
 * everything. */
#define RULE_WEIGHT 400000u
#define UNPLACED_WEIGHT 1000000u
/* How much more the score of a requested partition weighs: more than a thousand others of its
 * size could lose between them is not wanted either. */
#define REQUESTED_FACTOR 100
/* Points of 100. */
#define POINTS 100

static uint32_t
bounded_weight(uint32_t weight)
{
    return weight < COST_WEIGHT_MAX ? weight : COST_WEIGHT_MAX;
}

static void
bound_weights(const LpLayoutWeights *in, LpLayoutWeights *out)
{
    if (!in)
        in = &lp_layout_weights;
    out->locality = bounded_weight(in->locality) < COST_WEIGHT_MAX / POINTS
                        ? in->locality
                        : COST_WEIGHT_MAX / POINTS;
    out->agreement = bounded_weight(in->agreement);
    out->crowding = bounded_weight(in->crowding);
    out->fragmentation = bounded_weight(in->fragmentation);
    out->growth = bounded_weight(in->growth);
    out->tier = bounded_weight(in->tier);
    out->movement = bounded_weight(in->movement);
}

/* ------------------------------------------------------------------ nodes */

static void
sort_by_distance(const LpTopology *topology, uint32_t from, bool to_cpus, uint8_t *order,
                 uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint8_t node = order[i];
        uint32_t at = i;
        uint32_t d = to_cpus ? topology->distance[from][node] : topology->distance[node][from];

        while (at > 0) {
            uint8_t before = order[at - 1];
            uint32_t other = to_cpus ? topology->distance[from][before]
                                     : topology->distance[before][from];

            if (other < d || (other == d && (before == from || node != from)))
                break;
            order[at] = before;
            at--;
        }
        order[at] = node;
    }
}

static void
build_nodes(State *state, const LpLayoutHost *host)
{
    const LpTopology *topology = state->topology;

    for (uint32_t i = 0; i < state->n; i++) {
        for (uint32_t j = 0; j < state->n; j++) {
            state->extra[i][j] = (uint16_t) (lp_score_pair(topology, i, j) - LP_SCORE_NEAR);
            if (state->extra[i][j] > state->span)
                state->span = state->extra[i][j];
        }
    }
    for (uint32_t j = 0; j < state->n; j++) {
        NodeState *node = &state->nodes[j];

        node->n_cpus = lp_cpumask_count(&topology->nodes[j].cpus);
        node->near = lp_topology_near_cpus(topology, j);
        node->room = min_u64(host->nodes[j].room_bytes, BYTES_LIMIT);
        node->tier = topology->nodes[j].tier;
        if (node->n_cpus) {
            state->all_cpus |= NODE_BIT(j);
            state->n_all_cpus += node->n_cpus;
        }
    }
    for (uint32_t j = 0; j < state->n; j++) {
        NodeState *node = &state->nodes[j];
        uint32_t n_cpus = 0;

        for (uint32_t i = 0; i < state->n; i++) {
            node->by_distance[i] = (uint8_t) i;
            if (state->nodes[i].n_cpus)
                node->cpus_by_distance[n_cpus++] = (uint8_t) i;
        }
        sort_by_distance(topology, j, false, node->by_distance, state->n);
        sort_by_distance(topology, j, true, node->cpus_by_distance, n_cpus);
    }
}

LpNodeSet
layout_serving_cpus(const State *state, LpNodeSet nodes)
{
    LpNodeSet cpus = nodes ? lp_score_cpu_nodes(state->topology, nodes) : state->all_cpus;

    return cpus ? cpus : state->all_cpus;
}

/* ------------------------------------------------------------------ cells */

/* Where it lies.  Pages that were never touched come from its home. */
static void
build_now(State *state, uint32_t index, const LpLayoutCell *in, uint64_t limit)
{
    CellState *cell = &state->cells[index];
    uint64_t *now = state->now + (size_t) index * state->n, sum = 0, most = 0;
    int32_t home = in->home >= 0 && (uint32_t) in->home < state->n ? in->home : -1;

    cell->now_home = home;
    for (uint32_t j = 0; in->now_bytes && j < state->n; j++) {
        now[j] = min_u64(in->now_bytes[j], limit - sum);
        sum += now[j];
        if (now[j] > most) {
            most = now[j];
            cell->now_home = (int32_t) j;
        }
    }
    cell->bytes = max_u64(min_u64(in->bytes, limit), sum);
    cell->was = cell->now_home >= 0;
    if (!cell->was)
        return;
    cell->untouched = cell->bytes - sum;
    cell->untouched_node = home >= 0 ? home : cell->now_home;
    now[cell->untouched_node] += cell->untouched;
    if (now[cell->untouched_node] > now[cell->now_home])
        cell->now_home = cell->untouched_node;
    for (uint32_t j = 0; j < state->n; j++) {
        if (now[j])
            cell->now_mem |= NODE_BIT(j);
    }
    cell->now_mem |= NODE_BIT(cell->now_home);
}

static void
build_cell(State *state, uint32_t index, uint64_t limit)
{
    const LpLayoutCell *in = &state->host->cells[index];
    CellState *cell = &state->cells[index];

    build_now(state, index, in, limit);
    cell->vcpus = in->vcpus < (1u << 20) ? in->vcpus : 1u << 20;
    cell->growth = min_u64(in->max_bytes > cell->bytes ? in->max_bytes - cell->bytes : 0, limit);
    cell->pinned = !in->movable && cell->was && cell->untouched < cell->bytes;
    cell->now_cpus = layout_serving_cpus(state, in->now_cpus);
    cell->home = -1;
}

/* ------------------------------------------------------------------ partitions */

static uint32_t
find_best(const State *state, LpNodeSet allowed, uint64_t bytes, uint32_t vcpus)
{
    uint32_t best;

    if (bytes == 0 || vcpus == 0)
        return LP_SCORE_NONE;
    best = lp_score_best(state->topology, NULL, allowed, bytes, vcpus);
    return best == LP_SCORE_NONE ? lp_score_best(state->topology, NULL, ~UINT64_C(0), bytes, vcpus)
                                 : best;
}

static void
build_allowed(const State *state, const LpNumaRule *rule, PartState *part)
{
    LpNodeSet with_memory = 0, named;

    for (uint32_t j = 0; j < state->n; j++) {
        if (state->nodes[j].room || state->topology->nodes[j].memory_bytes)
            with_memory |= NODE_BIT(j);
    }
    named = lp_numa_rule_nodes(rule, state->topology, NULL);
    part->mode = rule->mode;
    part->allowed = with_memory;
    part->allowed_cpus = state->all_cpus;
    if (rule->mode == LP_NUMA_AUTO || rule->mode == LP_NUMA_KEEP)
        return;
    part->allowed = named & with_memory;
    if (rule->n_nodes == 0 && (part->allowed & state->all_cpus))
        part->allowed &= state->all_cpus;
    if (rule->mode == LP_NUMA_STRICT)
        part->allowed_cpus = lp_score_cpu_nodes(state->topology, part->allowed);
    if (rule->mode == LP_NUMA_PREFERRED && !part->allowed)
        part->allowed = with_memory;
}

static void
build_part(State *state, uint32_t index)
{
    const LpLayoutPartition *in = &state->host->partitions[index];
    PartState *part = &state->parts[index];
    LpNodeSet score_nodes;

    part->first = in->first_cell;
    part->n_cells = in->n_cells;
    if (part->first > state->n_cells || part->n_cells > state->n_cells - part->first)
        part->n_cells = 0;
    part->fixed = in->fixed || in->rule.mode == LP_NUMA_KEEP;
    part->requested = in->requested;
    build_allowed(state, &in->rule, part);
    for (uint32_t c = part->first; c < part->first + part->n_cells; c++) {
        state->cells[c].part = index;
        part->bytes += state->cells[c].bytes;
        part->vcpus += state->cells[c].vcpus;
    }
    for (uint32_t c = part->first; c < part->first + part->n_cells && part->vcpus; c++)
        state->cells[c].centi = (uint32_t) ((uint64_t) min_u64(in->entitled_centi, 1u << 30) *
                                            state->cells[c].vcpus / part->vcpus);
    state->part_bytes[index] = part->bytes;
    part->inverse = part->bytes ? (UINT64_C(1) << 63) / part->bytes : 0;
    score_nodes = part->mode == LP_NUMA_STRICT || part->mode == LP_NUMA_SPREAD ||
                          part->mode == LP_NUMA_INTERLEAVE
                      ? part->allowed
                      : ~UINT64_C(0);
    part->best = find_best(state, score_nodes, part->bytes, part->vcpus);
}

static void
weigh_part(State *state, PartState *part)
{
    uint64_t total = state->total ? state->total : 1;
    uint64_t share = (uint64_t) (((unsigned __int128) part->bytes << COST_SHIFT) / total);
    uint64_t factor = part->requested ? REQUESTED_FACTOR : 1;

    part->loss_weight = share * state->weights.locality * POINTS * factor;
    part->agreement_weight = share * state->weights.agreement;
    part->rule_weight = share * RULE_WEIGHT * factor;
    part->unplaced_weight = share * UNPLACED_WEIGHT;
}

/* ------------------------------------------------------------------ factors */

static unsigned __int128
per_unit(uint32_t weight, uint64_t total)
{
    return ((unsigned __int128) weight << (COST_SHIFT + 64)) / (total ? total : 1);
}

/* The load that each node may carry before it is crowded: its processors; where the host has
 * more vCPUs than processors, its part of all. */
static void
build_levels(State *state, uint64_t load, uint64_t centi)
{
    uint64_t room_centi = 0;

    for (uint32_t j = 0; j < state->n; j++)
        room_centi += state->nodes[j].n_cpus ? state->host->nodes[j].room_centi : 0;
    for (uint32_t j = 0; j < state->n; j++) {
        NodeState *node = &state->nodes[j];
        uint64_t here = node->n_cpus ? state->host->nodes[j].room_centi : 0;

        node->level = (uint64_t) node->n_cpus << LOAD_SHIFT;
        if (state->n_all_cpus)
            node->level = max_u64(node->level, (uint64_t) ((unsigned __int128) load * node->n_cpus /
                                                           state->n_all_cpus));
        node->level_centi = room_centi ? here : UINT64_MAX;
        if (room_centi)
            node->level_centi = max_u64(here, (uint64_t) ((unsigned __int128) centi * here /
                                                          room_centi));
    }
}

static void
build_factors(State *state)
{
    const LpLayoutWeights *w = &state->weights;
    uint64_t load = 0, centi = 0, growth = 0, room = 0;

    for (uint32_t c = 0; c < state->n_cells; c++) {
        load += (uint64_t) state->cells[c].vcpus << LOAD_SHIFT;
        centi += state->cells[c].centi;
        growth += state->cells[c].growth;
    }
    for (uint32_t j = 0; j < state->n; j++)
        room = min_u64(room + state->nodes[j].room, BYTES_LIMIT);
    build_levels(state, load, centi);
    state->per_load = per_unit(w->crowding, load);
    state->per_centi = per_unit(w->crowding, centi);
    state->per_growth = per_unit(w->growth, growth);
    /* Free memory of full nodes beside others that are over their room must not divide by
     * little. */
    state->per_free = per_unit(w->fragmentation,
                               max_u64(room > state->total ? room - state->total : 0, room / 16));
    state->per_slow = per_unit(w->tier, state->total);
    state->per_over = per_unit(UNPLACED_WEIGHT, state->total);
    state->per_moved = per_unit(w->movement, state->total);
    state->piece = state->n_parts ? state->total / state->n_parts : 0;
}

/* ------------------------------------------------------------------ all of it */

static bool
take_memory(State *state)
{
    size_t figures = (size_t) state->n_cells * state->n;

    state->parts = calloc(state->n_parts + 1, sizeof(*state->parts));
    state->cells = calloc(state->n_cells + 1, sizeof(*state->cells));
    state->part_bytes = calloc(state->n_parts + 1, sizeof(*state->part_bytes));
    state->scores = calloc(state->n_parts + 1, sizeof(*state->scores));
    state->order = calloc(state->n_cells + 1, sizeof(*state->order));
    state->bytes = calloc(figures + 1, sizeof(*state->bytes));
    state->now = calloc(figures + 1, sizeof(*state->now));
    return state->parts && state->part_bytes && state->scores && state->cells && state->order &&
           state->bytes && state->now;
}

/* A node's bound: its room, or what really lies on it where that is more already. */
static void
build_caps(State *state)
{
    uint64_t lies[LP_MAX_NODES] = { 0 };

    for (uint32_t c = 0; c < state->n_cells; c++) {
        const CellState *cell = &state->cells[c];
        uint32_t j;

        FOR_NODES (j, cell->now_mem)
            lies[j] += state->now[(size_t) c * state->n + j] -
                       (j == (uint32_t) cell->untouched_node && !state->parts[cell->part].fixed
                            ? cell->untouched
                            : 0);
    }
    for (uint32_t j = 0; j < state->n; j++)
        state->nodes[j].cap = max_u64(state->nodes[j].room, lies[j]);
}

/* Puts all that lies somewhere there. */
static void
put_now(State *state)
{
    build_caps(state);
    for (uint32_t p = 0; p < state->n_parts; p++)
        state->cost += state->parts[p].cost = layout_part_cost(state, p, 0, NULL);
    layout_clear_nodes(state);
    for (uint32_t c = 0; c < state->n_cells; c++) {
        Spot spot;

        if (!state->cells[c].was)
            continue;
        layout_now(state, c, &spot);
        layout_put(state, c, &spot);
    }
    for (uint32_t p = 0; p < state->n_parts; p++) {
        state->parts[p].cost_now = state->parts[p].cost;
        state->parts[p].breach_now = state->parts[p].fixed ? 0 : layout_part_breach(state, p);
    }
    state->over_now = layout_over(state);
}

State *
layout_state_new(const LpLayoutHost *host, const LpLayoutWeights *weights)
{
    State *state = calloc(1, sizeof(*state));
    uint64_t limit;

    if (!state)
        return NULL;
    state->host = host;
    state->topology = host->topology;
    state->n = host->topology->n_nodes < LP_MAX_NODES ? host->topology->n_nodes : LP_MAX_NODES;
    state->n_cells = host->n_cells;
    state->n_parts = host->n_partitions;
    state->max_moved = UINT64_MAX;
    bound_weights(weights, &state->weights);
    if (!take_memory(state)) {
        layout_state_free(state);
        return NULL;
    }
    build_nodes(state, host);
    limit = BYTES_LIMIT / (state->n_cells ? state->n_cells : 1);
    for (uint32_t c = 0; c < state->n_cells; c++) {
        state->cells[c].part = state->n_parts;     /* of none, until one claims it */
        build_cell(state, c, limit);
    }
    state->parts[state->n_parts].fixed = true;
    for (uint32_t p = 0; p < state->n_parts; p++)
        build_part(state, p);
    for (uint32_t p = 0; p < state->n_parts; p++)
        state->total += state->parts[p].bytes;
    for (uint32_t p = 0; p < state->n_parts; p++)
        weigh_part(state, &state->parts[p]);
    build_factors(state);
    put_now(state);
    layout_sort(state);
    return state;
}

void
layout_state_free(State *state)
{
    if (!state)
        return;
    free(state->parts);
    free(state->cells);
    free(state->part_bytes);
    free(state->scores);
    free(state->order);
    free(state->bytes);
    free(state->now);
    free(state);
}
