#include "layout_case.h"

#include <stdlib.h>
#include <string.h>

void
layout_case_rooms(LayoutCase *c)
{
    c->host.topology = &c->topology;
    c->host.partitions = c->parts;
    c->host.cells = c->cells;
    for (uint32_t j = 0; j < c->topology.n_nodes; j++) {
        c->host.nodes[j].room_bytes = c->topology.nodes[j].memory_bytes;
        c->host.nodes[j].room_centi = 100 * lp_cpumask_count(&c->topology.nodes[j].cpus);
    }
}

void
layout_case_init(LayoutCase *c, uint32_t n_nodes, uint64_t memory_bytes, uint32_t cpus,
                 uint32_t far)
{
    memset(c, 0, sizeof(*c));
    numa_host(&c->topology, n_nodes, memory_bytes, cpus, far);
    layout_case_rooms(c);
}

uint32_t
layout_case_cell(LayoutCase *c, uint64_t bytes, uint32_t vcpus, int32_t node)
{
    uint32_t i = c->host.n_cells++;
    LpLayoutCell *cell = &c->cells[i];

    *cell = (LpLayoutCell) { .bytes = bytes, .max_bytes = bytes, .vcpus = vcpus,
                             .max_vcpus = vcpus, .home = node, .movable = true };
    if (node >= 0) {
        c->now[i][node] = bytes;
        cell->now_bytes = c->now[i];
        cell->now_cpus = lp_score_cpu_nodes(&c->topology, UINT64_C(1) << node);
    }
    c->parts[c->host.n_partitions - 1].n_cells++;
    return i;
}

uint32_t
layout_case_add(LayoutCase *c, uint64_t bytes, uint32_t vcpus, int32_t node)
{
    c->parts[c->host.n_partitions] = (LpLayoutPartition) { .first_cell = c->host.n_cells };
    c->host.n_partitions++;
    layout_case_cell(c, bytes, vcpus, node);
    return c->host.n_partitions - 1;
}

void
layout_case_lies(LayoutCase *c, uint32_t cell, uint32_t node, uint64_t bytes)
{
    uint32_t most = 0;

    for (uint32_t j = 0; j < c->topology.n_nodes; j++) {
        if (c->now[cell][j] > c->now[cell][most])
            most = j;
    }
    c->now[cell][most] -= bytes;
    c->now[cell][node] += bytes;
}

/* ------------------------------------------------------------------ chance */

static void
random_rule(const LpTopology *topology, uint64_t *chance, LpNumaRule *rule)
{
    uint32_t n = 1 + (uint32_t) numa_random(chance, topology->n_nodes);

    switch (numa_random(chance, 12)) {
    case 0:
        rule->mode = LP_NUMA_STRICT;
        break;
    case 1:
        rule->mode = LP_NUMA_PREFERRED;
        break;
    case 2:
        rule->mode = LP_NUMA_SPREAD;
        return;
    case 3:
        rule->mode = LP_NUMA_INTERLEAVE;
        return;
    case 4:
        rule->mode = LP_NUMA_KEEP;
        return;
    default:
        return;
    }
    for (uint32_t j = 0; j < topology->n_nodes && rule->n_nodes < n; j++) {
        if (numa_random(chance, 2))
            rule->node_id[rule->n_nodes++] = (uint16_t) topology->nodes[j].id;
    }
    if (rule->n_nodes == 0)     /* a node that no host here has */
        rule->node_id[rule->n_nodes++] = LP_NODE_ID_MAX;
}

static uint64_t
random_size(uint64_t *chance)
{
    return (1 + numa_random(chance, 64)) * (GIB / 4);
}

/* What is still free on a node; with `tidy` no cell lies where there is no room. */
static void
random_cell(LayoutCase *c, uint64_t *chance, bool tidy, uint64_t *free)
{
    uint32_t i = c->host.n_cells - 1, n = c->topology.n_nodes;
    LpLayoutCell *cell = &c->cells[i];

    cell->max_bytes = cell->bytes * (1 + numa_random(chance, 3));
    cell->movable = numa_random(chance, 10) != 0;
    if (numa_random(chance, 12) == 0)
        return;
    cell->home = (int32_t) numa_random(chance, n);
    cell->now_bytes = c->now[i];
    cell->now_cpus = numa_random(chance, 3) ? UINT64_C(1) << numa_random(chance, n) : 0;
    for (uint64_t left = cell->bytes, tries = 0; left > 0 && tries < 8; tries++) {
        uint32_t node = (uint32_t) numa_random(chance, n);
        uint64_t here = numa_random(chance, 2) ? left : left / 2;

        if (c->topology.nodes[node].memory_bytes == 0)
            continue;
        if (tidy && here > free[node])
            here = free[node];
        c->now[i][node] += here;
        left -= here;
        free[node] -= here > free[node] ? free[node] : here;
    }
    if (numa_random(chance, 8) == 0) {      /* more is granted than was ever touched */
        for (uint32_t j = 0; j < n; j++)
            c->now[i][j] /= 2;
    }
}

void
layout_case_random(LayoutCase *c, uint64_t *chance, uint32_t max_parts, bool tidy)
{
    uint32_t n_parts = 1 + (uint32_t) numa_random(chance, max_parts);
    uint64_t free[LP_MAX_NODES];

    layout_case_rooms(c);
    for (uint32_t j = 0; j < c->topology.n_nodes; j++)
        free[j] = c->host.nodes[j].room_bytes;
    for (uint32_t p = 0; p < n_parts; p++) {
        uint32_t n_cells = numa_random(chance, 4) ? 1 : 2 + (uint32_t) numa_random(chance, 2);

        layout_case_add(c, random_size(chance), (uint32_t) numa_random(chance, 9), -1);
        random_cell(c, chance, tidy, free);
        for (uint32_t i = 1; i < n_cells; i++) {
            layout_case_cell(c, random_size(chance), (uint32_t) numa_random(chance, 5), -1);
            random_cell(c, chance, tidy, free);
        }
        random_rule(&c->topology, chance, &c->parts[p].rule);
        c->parts[p].entitled_centi = (uint32_t) numa_random(chance, 400);
        c->parts[p].fixed = numa_random(chance, 10) == 0;
        c->parts[p].requested = numa_random(chance, 10) == 0;
    }
}

/* ------------------------------------------------------------------ judging */

static uint64_t
lies(const LpLayoutCell *cell, uint32_t node)
{
    return cell->now_bytes ? cell->now_bytes[node] : 0;
}

static const char *
judge_cell(const LayoutCase *c, const LpLayoutPartition *part, uint32_t i, const LpLayout *layout,
           uint64_t *moved, uint64_t *missing)
{
    const LpLayoutCell *cell = &c->cells[i];
    const uint64_t *bytes = layout->bytes + (size_t) i * layout->n_nodes;
    LpNodeSet named = lp_numa_rule_nodes(&part->rule, &c->topology, NULL);
    uint64_t sum = 0, now = 0;
    bool stays = part->fixed || part->rule.mode == LP_NUMA_KEEP || !cell->movable;

    for (uint32_t j = 0; j < layout->n_nodes; j++) {
        sum += bytes[j];
        now += lies(cell, j);
        *moved += lies(cell, j) > bytes[j] ? lies(cell, j) - bytes[j] : 0;
        if (stays && bytes[j] < lies(cell, j))
            return "what may not be moved is moved";
        if (part->rule.mode == LP_NUMA_STRICT && !part->fixed && bytes[j] > lies(cell, j) &&
            !(named >> j & 1) && cell->home != (int32_t) j)
            return "memory goes where its rule forbids it";
    }
    if (sum == 0)
        *missing += cell->bytes;
    else if (sum != (cell->bytes > now ? cell->bytes : now))
        return "a cell's memory is not all there";
    if (layout->home[i] >= (int32_t) layout->n_nodes || layout->home[i] < -1)
        return "its home is no node";
    if ((part->fixed || part->rule.mode == LP_NUMA_KEEP) &&
        (layout->home[i] != cell->home || layout->cpus[i] != cell->now_cpus))
        return "a fixed partition's home or processors change";
    return NULL;
}

static bool
is_fixed(const LayoutCase *c, uint32_t cell)
{
    for (uint32_t p = 0; p < c->host.n_partitions; p++) {
        const LpLayoutPartition *part = &c->parts[p];

        if (cell >= part->first_cell && cell < part->first_cell + part->n_cells)
            return part->fixed || part->rule.mode == LP_NUMA_KEEP;
    }
    return false;
}

/* No node holds more than its room, unless what lies there already does. */
static const char *
judge_rooms(const LayoutCase *c, const LpLayout *layout)
{
    uint64_t over = 0, untouched = 0;

    for (uint32_t i = 0; i < c->host.n_cells; i++) {
        uint64_t sum = 0;

        for (uint32_t j = 0; j < layout->n_nodes; j++)
            sum += lies(&c->cells[i], j);
        untouched += !is_fixed(c, i) && c->cells[i].bytes > sum ? c->cells[i].bytes - sum : 0;
    }
    for (uint32_t j = 0; j < layout->n_nodes; j++) {
        uint64_t used = 0, bound = c->host.nodes[j].room_bytes, now = 0;

        for (uint32_t i = 0; i < c->host.n_cells; i++) {
            uint64_t here = layout->bytes[(size_t) i * layout->n_nodes + j];

            used += here;
            now += is_fixed(c, i) ? here : lies(&c->cells[i], j);
        }
        if (now > bound)
            bound = now;
        if (used > bound)
            over += used - bound;
    }
    /* But for pages that are not there yet, and of those it says so. */
    return over > layout->unplaced_bytes || over > untouched ? "a node holds more than its room"
                                                             : NULL;
}

const char *
layout_case_judge(const LayoutCase *c, const LpLayoutOrder *order, const LpLayout *layout)
{
    uint64_t moved = 0, missing = 0;

    if (layout->n_nodes != c->topology.n_nodes || layout->n_cells != c->host.n_cells)
        return "it is of another host";
    for (uint32_t p = 0; p < c->host.n_partitions; p++) {
        const LpLayoutPartition *part = &c->parts[p];

        for (uint32_t i = part->first_cell; i < part->first_cell + part->n_cells; i++) {
            const char *fault = judge_cell(c, part, i, layout, &moved, &missing);

            if (fault)
                return fault;
        }
        if (layout->score[p] != LP_SCORE_NONE && layout->score[p] > LP_SCORE_MAX)
            return "a score is beyond 100";
    }
    if (moved != layout->moved_bytes)
        return "moved_bytes is not what moves";
    if (order->max_bytes && moved > order->max_bytes)
        return "more moves than was allowed";
    return judge_rooms(c, layout);
}

/* What a node may hold on the way: its room, or what lies there already, or what its share of
 * the layout needs before anything moves (pages that were never touched are counted where they
 * are to come from). */
static void
start_way(const LayoutCase *c, const LpLayout *layout, __int128 *free)
{
    for (uint32_t j = 0; j < layout->n_nodes; j++) {
        __int128 now = 0, then = 0, out = 0;

        for (uint32_t i = 0; i < c->host.n_cells; i++) {
            uint64_t target = layout->bytes[(size_t) i * layout->n_nodes + j];

            now += lies(&c->cells[i], j);
            then += target;
            out += lies(&c->cells[i], j) > target ? lies(&c->cells[i], j) - target : 0;
        }
        free[j] = c->host.nodes[j].room_bytes > now ? c->host.nodes[j].room_bytes : now;
        free[j] -= then + out;
    }
}

static bool
finds_room(const LpLayoutMove *moves, size_t n, size_t k, const __int128 *free)
{
    for (size_t i = k; i < n; i++) {
        if (free[moves[i].to] > moves[i].bytes / 1024 && free[moves[i].to] > 0)
            return true;
    }
    return false;
}

/* The pieces one by one. */
static const char *
go(const LayoutCase *c, const LpLayoutMove *moves, size_t n, uint64_t (*at)[LP_MAX_NODES],
   __int128 *free)
{
    bool stuck = false;       /* nothing that is left finds room: it is only named */

    for (size_t k = 0; k < n; k++) {
        const LpLayoutMove *move = &moves[k];
        const LpLayoutPartition *part = &c->parts[move->partition];

        if (move->cell < part->first_cell || move->cell >= part->first_cell + part->n_cells)
            return "a piece is of another partition's cell";
        if (move->from < 0 || move->from == move->to || at[move->cell][move->from] < move->bytes)
            return "a piece is not where it should come from";
        stuck = stuck || (free[move->to] < move->bytes && !finds_room(moves, n, k, free));
        if (!stuck && free[move->to] < move->bytes)
            return "a piece finds no room though another would";
        at[move->cell][move->from] -= move->bytes;
        at[move->cell][move->to] += move->bytes;
        free[move->from] += move->bytes;
        free[move->to] -= move->bytes;
    }
    return NULL;
}

const char *
layout_case_judge_moves(const LayoutCase *c, const LpLayout *layout)
{
    LpLayoutMove *moves;
    size_t n = lp_layout_moves(&c->host, layout, &moves);
    uint64_t (*at)[LP_MAX_NODES] = calloc(c->host.n_cells + 1, sizeof(*at)), sum = 0;
    __int128 free_bytes[LP_MAX_NODES];
    const char *fault;

    for (uint32_t i = 0; i < c->host.n_cells; i++) {
        for (uint32_t j = 0; j < layout->n_nodes; j++)
            at[i][j] = lies(&c->cells[i], j);
    }
    start_way(c, layout, free_bytes);
    for (size_t k = 0; k < n; k++) {
        sum += moves[k].bytes;
        free_bytes[moves[k].to] += moves[k].bytes;
    }
    fault = go(c, moves, n, at, free_bytes);
    for (uint32_t i = 0; i < c->host.n_cells && !fault; i++) {
        for (uint32_t j = 0; j < layout->n_nodes; j++) {
            if (at[i][j] > layout->bytes[(size_t) i * layout->n_nodes + j])
                fault = "the pieces do not lead to the layout";
        }
    }
    if (!fault && sum != layout->moved_bytes)
        fault = "the pieces are not moved_bytes";
    free(at);
    free(moves);
    return fault;
}
