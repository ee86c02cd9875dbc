/* Distances, weighed by who uses what. */
#include "numa/score.h"

#include <string.h>

typedef unsigned __int128 Wide;

/* Amounts are halved until their sum has this many bits.  Two such sums, a distance of 16 bits and
 * the 14 of LP_SCORE_MAX are 118 bits, so no product overflows; 16 TiB still count to the byte. */
#define SUM_BITS 44

uint32_t
lp_score_pair(const LpTopology *topology, uint32_t from, uint32_t to)
{
    uint32_t distance = topology->distance[from][to];

    return distance < LP_SCORE_NEAR  ? LP_SCORE_NEAR
           : distance > LP_SCORE_FAR ? LP_SCORE_FAR
                                     : distance;
}

/* The nodes on which something lies, with how much; returns the sum. */
typedef struct {
    uint32_t n, node[LP_MAX_NODES];
    uint64_t on[LP_MAX_NODES], sum;
} Parts;

static void
take_parts(const LpTopology *topology, const LpSpread *spread, Parts *ret)
{
    Wide sum = 0;
    unsigned shift = 0;

    for (uint32_t i = 0; i < topology->n_nodes; i++)
        sum += spread->on[i];
    while (sum >> shift >> SUM_BITS)
        shift++;
    ret->n = 0;
    ret->sum = 0;
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (spread->on[i] >> shift == 0)
            continue;
        ret->node[ret->n] = i;
        ret->on[ret->n++] = spread->on[i] >> shift;
        ret->sum += spread->on[i] >> shift;
    }
}

/* The sum of all distances, each times both amounts; their number in *ret_weight (0: nothing
 * there). */
static Wide
sum_distances(const LpTopology *topology, const LpSpread *cpu, const LpSpread *memory,
              Wide *ret_weight)
{
    Parts from, to;
    Wide sum = 0;

    take_parts(topology, cpu, &from);
    take_parts(topology, memory, &to);
    for (uint32_t i = 0; i < from.n; i++) {
        uint64_t way = 0;

        for (uint32_t j = 0; j < to.n; j++)
            way += to.on[j] * lp_score_pair(topology, from.node[i], to.node[j]);
        sum += (Wide) from.on[i] * way;
    }
    *ret_weight = (Wide) from.sum * to.sum;
    return sum;
}

static uint32_t
farthest(const LpTopology *topology)
{
    uint32_t far = lp_topology_far(topology);

    return far > LP_SCORE_FAR ? LP_SCORE_FAR : far;
}

uint32_t
lp_score_local_of(const LpTopology *topology, Wide sum, Wide weight)
{
    uint32_t far = farthest(topology);

    if (weight == 0)
        return LP_SCORE_NONE;
    if (far <= LP_SCORE_NEAR)
        return LP_SCORE_MAX;
    return (uint32_t) ((far * weight - sum) * LP_SCORE_MAX / ((far - LP_SCORE_NEAR) * weight));
}

uint32_t
lp_score_local(const LpTopology *topology, const LpSpread *cpu, const LpSpread *memory)
{
    Wide weight, sum = sum_distances(topology, cpu, memory, &weight);

    return lp_score_local_of(topology, sum, weight);
}

uint32_t
lp_score_distance(const LpTopology *topology, const LpSpread *cpu, const LpSpread *memory)
{
    Wide weight, sum = sum_distances(topology, cpu, memory, &weight);

    return weight == 0 ? 0 : (uint32_t) ((sum * 100 + weight / 2) / weight);
}

uint32_t
lp_score_of(uint32_t local, uint32_t best)
{
    uint64_t score;

    if (local == LP_SCORE_NONE || best == LP_SCORE_NONE)
        return LP_SCORE_NONE;
    /* Where not even the best is nearer than the farthest, everything is the best. */
    if (best == 0)
        return LP_SCORE_MAX;
    score = (uint64_t) local * LP_SCORE_MAX / best;
    return score > LP_SCORE_MAX ? LP_SCORE_MAX : (uint32_t) score;
}

uint32_t
lp_score_mean(const uint32_t *scores, const uint64_t *bytes, size_t n)
{
    Wide sum = 0, weight = 0;

    for (size_t i = 0; i < n; i++) {
        if (scores[i] == LP_SCORE_NONE)
            continue;
        sum += (Wide) scores[i] * bytes[i];
        weight += bytes[i];
    }
    return weight == 0 ? LP_SCORE_NONE : (uint32_t) (sum / weight);
}

/* The node with most of it; -1: nothing anywhere. */
static int
find_home(const LpTopology *topology, const LpSpread *memory)
{
    int home = -1;

    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (memory->on[i] > 0 && (home < 0 || memory->on[i] > memory->on[home]))
            home = (int) i;
    }
    return home;
}

/* Hundredths of a point of what is on one node; `none` if there is nothing at all. */
static uint32_t
share_on(const LpTopology *topology, const LpSpread *spread, int node, uint32_t none, Wide *ret_sum)
{
    Wide sum = 0;

    for (uint32_t i = 0; i < topology->n_nodes; i++)
        sum += spread->on[i];
    *ret_sum = sum;
    if (sum == 0)
        return none;
    return node < 0 ? 0 : (uint32_t) ((Wide) spread->on[node] * LP_SCORE_MAX / sum);
}

uint32_t
lp_score_agreement(const LpTopology *topology, const LpSpread *cell_cpu,
                   const LpSpread *cell_memory, size_t n_cells)
{
    Wide sum = 0, weight = 0;
    LpNodeSet taken = 0;
    size_t n = 0;

    for (size_t i = 0; i < n_cells; i++) {
        int home = find_home(topology, &cell_memory[i]);
        uint32_t memory, cpu;
        Wide bytes, time;

        if (home < 0)
            continue;
        if (taken & 1ULL << home)
            return LP_SCORE_NONE;
        taken |= 1ULL << home;
        memory = share_on(topology, &cell_memory[i], home, 0, &bytes);
        cpu = share_on(topology, &cell_cpu[i], lp_topology_near_cpus(topology, (uint32_t) home),
                       memory, &time);
        sum += (memory + cpu) * bytes;
        weight += 2 * bytes;
        n++;
    }
    return n < 2 ? LP_SCORE_NONE : (uint32_t) (sum / weight);
}

LpNodeSet
lp_score_cpu_nodes(const LpTopology *topology, LpNodeSet nodes)
{
    LpNodeSet set = 0;

    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        int near = nodes & 1ULL << i ? lp_topology_near_cpus(topology, i) : -1;

        if (near >= 0)
            set |= 1ULL << near;
    }
    return set;
}

void
lp_spread_cpus(const LpTopology *topology, LpNodeSet nodes, uint64_t amount, LpSpread *spread)
{
    LpNodeSet set = lp_score_cpu_nodes(topology, nodes == 0 ? ~0ULL : nodes);
    uint64_t n_all = 0, n_passed = 0, given = 0;

    memset(spread, 0, sizeof(*spread));
    for (uint32_t i = 0; i < topology->n_nodes; i++)
        n_all += set & 1ULL << i ? lp_cpumask_count(&topology->nodes[i].cpus) : 0;
    /* Each up to its mark in the whole, so that the parts add up to it. */
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        uint64_t mark;

        if (!(set & 1ULL << i))
            continue;
        n_passed += lp_cpumask_count(&topology->nodes[i].cpus);
        mark = (uint64_t) ((Wide) amount * n_passed / n_all);
        spread->on[i] = mark - given;
        given = mark;
    }
}
