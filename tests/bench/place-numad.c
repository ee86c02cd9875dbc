/* numad's formula, as numad 0.5 (20150602) has it, with its defaults.
 *
 * What a node is worth to a process is the product of its memory and its processors that are free,
 * each as far as it is needed at ten (six), beyond that at four (one); an anchor is the sum over
 * its nearest nodes, each by the square of its distance; from the best anchor nodes are taken in
 * the order of their distance until memory and processors suffice.  The process is bound to them,
 * and its memory is moved there.  All nodes count as being like the first. */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/place-world.h"

#define TARGET_PERCENT 85     /* of a node's processors and memory that it wants used */
#define LOCAL_PERCENT 90      /* of a bound process's memory in its place: then it stays */
#define MARGIN_MB 100
#define STEP_LOOKS 64         /* places in the list that are looked at after each event */
#define MB MIB

typedef struct {
    int64_t memory_free, memory, cpus_free, cpus;     /* MB; hundredths of a processor */
    int64_t worth;
} Node;

static int64_t
worth_of(const Node *node, int64_t memory, int64_t cpus)
{
    int64_t needed = node->memory_free < memory ? node->memory_free : memory;
    int64_t run = node->cpus_free < cpus ? node->cpus_free : cpus;

    return (needed * 10 + (node->memory_free - needed) * 4) *
           (run * 6 + (node->cpus_free - run));
}

/* What every node has free. */
static void
look_around(const World *world, Node *nodes)
{
    uint64_t load[LP_MAX_NODES];

    world_load(world, load);
    for (uint32_t i = 0; i < world->topology->n_nodes; i++) {
        int64_t used = (int64_t) load[i] / 10;

        nodes[i].memory = (int64_t) (world->room[i] / MB);
        nodes[i].memory_free = (int64_t) (world_free_on(world, i) / MB);
        nodes[i].cpus = 100 * (int64_t) lp_cpumask_count(&world->topology->nodes[i].cpus);
        nodes[i].cpus_free = used < nodes[i].cpus ? nodes[i].cpus - used : 0;
    }
}

/* Gives the process back what it has itself, and a little more, so that it rather stays: bound ones
 * a quarter of their memory and the mean of their nodes' processors, others a sixteenth. */
static void
count_own(const World *world, const Part *part, LpNodeSet bound, int64_t run, Node *nodes)
{
    uint32_t n = world->topology->n_nodes;
    bool is_bound = __builtin_popcountll(bound) < (int) n;
    int64_t all = (int64_t) (part_bytes(world, part) / MB), mean = run;

    for (uint32_t i = 0; i < n; i++)
        mean += bound & 1ULL << i ? nodes[i].cpus_free : 0;
    mean /= __builtin_popcountll(bound) ? __builtin_popcountll(bound) : 1;
    for (uint32_t i = 0; i < n; i++) {
        int64_t own = 0;

        for (uint32_t c = 0; c < part->n_cells; c++)
            own += (int64_t) (part->cells[c].on[i] / MB);
        nodes[i].memory_free += is_bound ? own * 5 / 4 : own * 17 / 16;
        if (!is_bound)
            nodes[i].cpus_free += all > 0 ? run * own / all : 0;
        else if (bound & 1ULL << i)
            nodes[i].cpus_free = mean;
        if (nodes[i].memory_free > nodes[i].memory)
            nodes[i].memory_free = nodes[i].memory;
        if (nodes[i].cpus_free > nodes[i].cpus)
            nodes[i].cpus_free = nodes[i].cpus;
    }
}

/* All nodes by their distance from `from`, of equals the one that is worth more. */
static void
order_nodes(const World *world, const Node *nodes, uint32_t from, uint32_t *order)
{
    uint32_t n = world->topology->n_nodes;

    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t best = i, kept;

        for (uint32_t j = i + 1; j < n; j++) {
            uint32_t d = world->topology->distance[order[j]][from];
            uint32_t least = world->topology->distance[order[best]][from];

            if (d < least || (d == least && nodes[order[j]].worth > nodes[order[best]].worth))
                best = j;
        }
        kept = order[i];
        order[i] = order[best];
        order[best] = kept;
    }
}

static LpNodeSet
take_nodes(const World *world, const Node *nodes, const uint32_t *order, int64_t least,
           int64_t memory, int64_t cpus, int64_t flex, bool enough_cpus)
{
    uint32_t n = world->topology->n_nodes, at = 0;
    LpNodeSet set = 0;

    while (at < n && (least > 0 || memory > 0 || (cpus > flex && !enough_cpus))) {
        const Node *node = &nodes[order[at]];

        set |= 1ULL << order[at++];
        least--;
        memory = node->memory_free >= memory + MARGIN_MB ? 0
                                                         : memory - (node->memory_free - MARGIN_MB);
        cpus = node->cpus_free >= cpus ? 0 : cpus - node->cpus_free;
    }
    return set;
}

/* The nodes for `memory` MB and `cpus` hundredths; a process that is there (`part`) is bound to
 * `bound`. */
static LpNodeSet
pick(const World *world, const Part *part, LpNodeSet bound, int64_t memory, int64_t cpus)
{
    uint32_t n = world->topology->n_nodes, order[LP_MAX_NODES], best = 0;
    Node nodes[LP_MAX_NODES];
    int64_t all_free = 0, flex = 0, least, best_worth = -1;

    look_around(world, nodes);
    if (part != NULL) {
        count_own(world, part, bound, cpus, nodes);
        flex = (100 - TARGET_PERCENT) * nodes[0].cpus / 200;
    }
    for (uint32_t i = 0; i < n; i++) {
        all_free += nodes[i].cpus_free;
        nodes[i].cpus_free = nodes[i].cpus_free < 1 ? 1 : nodes[i].cpus_free;
        nodes[i].worth = worth_of(&nodes[i], memory, cpus);
    }
    least = nodes[0].memory > 0 ? (memory + nodes[0].memory - 1) / nodes[0].memory : 1;
    if (nodes[0].cpus > 0 && (cpus - flex + nodes[0].cpus - 1) / nodes[0].cpus > least)
        least = (cpus - flex + nodes[0].cpus - 1) / nodes[0].cpus;
    least = least > (int64_t) n ? (int64_t) n : least;
    for (uint32_t i = 0; i < n; i++) {
        int64_t sum = 0;

        order_nodes(world, nodes, i, order);
        for (int64_t k = 0; k < least; k++) {
            int64_t d = world->topology->distance[order[k]][i];

            sum += nodes[order[k]].worth / (d * d);
        }
        if (sum > best_worth) {
            best_worth = sum;
            best = i;
        }
    }
    order_nodes(world, nodes, best, order);
    return take_nodes(world, nodes, order, least, memory, cpus, flex,
                      part != NULL && cpus > all_free);
}

/* ------------------------------------------------------------------ memory on the nodes chosen */

/* Memory comes to the nodes whose processors touch it, all alike, as far as they have room; then to
 * the other nodes chosen, and then to the nearest of all. */
static void
fill_set(World *world, Cell *cell, LpNodeSet set, uint64_t bytes)
{
    uint32_t n = world->topology->n_nodes;
    LpSpread spread;
    uint64_t left = bytes;

    lp_spread_cpus(world->topology, set, bytes, &spread);
    for (uint32_t i = 0; i < n; i++)
        if (set & 1ULL << i)
            left -= world_put(world, cell, i, spread.on[i] < left ? spread.on[i] : left);
    for (uint32_t i = 0; i < n && left > 0; i++)
        if (set & 1ULL << i)
            left -= world_put(world, cell, i, left);
    while (left > 0) {
        uint32_t near = n, least = UINT32_MAX;

        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                if (world_free_on(world, i) > 0 && set & 1ULL << j &&
                    world->topology->distance[j][i] < least) {
                    least = world->topology->distance[j][i];
                    near = i;
                }
        if (near == n)
            break;
        left -= world_put(world, cell, near, left);
    }
    cell->cpus = lp_score_cpu_nodes(world->topology, set);
}

static void
find_home(World *world, Cell *cell)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < world->topology->n_nodes; i++)
        if (cell->on[i] > most) {
            most = cell->on[i];
            cell->home = (int32_t) i;
        }
}

/* numad -w, which libvirt asks for placement='auto'. */
static bool
numad_arrive(World *world, Part *part, const Want *want)
{
    LpNodeSet set;

    if (want->bytes > world_free_bytes(world))
        return false;
    set = pick(world, NULL, 0, (int64_t) (want->bytes / MB), 100 * (int64_t) want->vcpus);
    memset(part, 0, sizeof(*part));
    *part = (Part) { .here = true, .want = *want, .n_cells = 1 };
    part->cells[0] = (Cell) { .vcpus = want->vcpus, .max_bytes = want->max_bytes };
    fill_set(world, &part->cells[0], set, want->bytes);
    find_home(world, &part->cells[0]);
    return true;
}

static bool
numad_resize(World *world, Part *part, const Want *want)
{
    uint64_t now = part_bytes(world, part);

    part->cells[0].vcpus = want->vcpus;
    if (want->bytes > now) {
        LpNodeSet set = part->cells[0].cpus;

        if (want->bytes - now > world_free_bytes(world))
            return false;
        fill_set(world, &part->cells[0], set, want->bytes - now);
        part->cells[0].cpus = set;
        find_home(world, &part->cells[0]);
        return true;
    }
    return contender_first_fit.resize(world, part, want);
}

/* Whether the formula moves this one; then it has. */
static bool
consider(World *world, Part *part)
{
    uint32_t n = world->topology->n_nodes;
    uint64_t bytes = part_bytes(world, part), astray = 0;
    LpNodeSet bound = 0, set;

    for (uint32_t c = 0; c < part->n_cells; c++)
        bound |= part->cells[c].cpus;
    /* All guests are busy: what they use is all their vCPUs. */
    set = pick(world, part, bound, (int64_t) (bytes / MB) * 100 / TARGET_PERCENT,
               100 * (int64_t) part->want.vcpus);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < part->n_cells; c++)
            astray += set & 1ULL << i ? 0 : part->cells[c].on[i];
    if (lp_score_cpu_nodes(world->topology, set) == bound &&
        astray * 100 <= bytes * (100 - LOCAL_PERCENT))
        return false;
    for (uint32_t c = 0; c < part->n_cells; c++) {
        Cell *cell = &part->cells[c];

        /* Into the room that the nodes chosen have; the rest stays. */
        for (uint32_t from = 0; from < n; from++) {
            for (uint32_t to = 0; to < n && !(set & 1ULL << from) && cell->on[from] > 0; to++) {
                uint64_t moved;

                if (!(set & 1ULL << to))
                    continue;
                moved = world_put(world, cell, to, cell->on[from]);
                world_take(world, cell, from, moved);
                world->moved_bytes += moved;
            }
        }
        cell->cpus = lp_score_cpu_nodes(world->topology, set);
        find_home(world, cell);
    }
    return true;
}

void
numad_settle(World *world, uint32_t rounds)
{
    bool moved = true;

    for (uint32_t round = 0; round < rounds && moved; round++) {
        moved = false;
        for (uint32_t p = 0; p < world->n_parts; p++)
            if (world->parts[p].here && consider(world, &world->parts[p]))
                moved = true;
    }
}

/* One move a pass, by turns. */
static void
numad_step(World *world)
{
    for (uint32_t k = 0; k < world->n_parts && k < STEP_LOOKS; k++) {
        uint32_t p = (uint32_t) (world->chance++ % world->n_parts);

        if (world->parts[p].here && consider(world, &world->parts[p]))
            return;
    }
}

const Contender contender_numad = { "numad", numad_arrive, numad_resize, numad_step };
