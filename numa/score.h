/* The affinity score: how near a partition's memory is to the processors that use it.  Pure.
 *
 * With c(i) the share of its vCPUs' time on node i and m(j) the share of its memory on node j, the
 * mean distance of an access is D = sum over i and j of c(i) m(j) d(i,j), and
 *
 *     local = 100 (far - D) / (far - 10)        far: the greatest distance on this host
 *
 * so that 100 is all local and 0 all as far as can be; on a host with one node it is 100.  What a
 * host can do for a partition is bounded by its size: `best` is the highest `local` that any
 * placement of it alone on this host could have, and
 *
 *     score = 100 local / best
 *
 * The host's score is the mean of its partitions', each with the weight of its memory.
 *
 * Figures are in hundredths of a point, 0..10000, rounded down.  Amounts may be anything up to
 * UINT64_MAX: sums of up to 16 TiB (or vCPUs) count exactly, greater ones to a part in 2^38. */
#ifndef LP_NUMA_SCORE_H
#define LP_NUMA_SCORE_H

#include "numa/topology.h"

#define LP_SCORE_MAX 10000
/* No memory or no vCPU: there is nothing to be near to. */
#define LP_SCORE_NONE UINT32_MAX

/* Distances are taken within these: what is less than local, or beyond 16 bits, is nonsense. */
#define LP_SCORE_NEAR 10
#define LP_SCORE_FAR 65535

/* How something lies over the nodes, in any unit, by the index of nodes[]. */
typedef struct {
    uint64_t on[LP_MAX_NODES];
} LpSpread;

/* `cpu`: vCPU time (or vCPUs); `memory`: bytes.  Processor time on a node without processors counts
 * as said. */
uint32_t lp_score_local(const LpTopology *topology, const LpSpread *cpu, const LpSpread *memory);

/* Mean distance of an access in hundredths (1000: all local); 0: nothing there. */
uint32_t lp_score_distance(const LpTopology *topology, const LpSpread *cpu,
                           const LpSpread *memory);

/* The highest lp_score_local() of a partition of so much memory and so many vCPUs on this host, had
 * it the host for itself: its memory within `room` of each node (NULL: all memory of the node), no
 * more vCPUs on a processor than there must be (one, while there are as many), on nodes of
 * `allowed` only and the processors of lp_score_cpu_nodes().  LP_SCORE_NONE: it does not fit at
 * all.
 *
 * Exact where at most 8 nodes have room or processors for it; with more, the best that was found.
 * At once where it fits one node, else microseconds (8 nodes) to two milliseconds (64): whoever
 * asks again and again keeps the answer. */
uint32_t lp_score_best(const LpTopology *topology, const uint64_t *room_bytes, LpNodeSet allowed,
                       uint64_t memory_bytes, uint32_t vcpus);

/* score = 100 local / best, at most LP_SCORE_MAX (also where best is 0: then nothing is nearer than
 * all else); NONE where either is. */
uint32_t lp_score_of(uint32_t local, uint32_t best);

/* The mean of scores with weights (a host's: of its partitions', by their memory); those that are
 * NONE do not count.  NONE: none does. */
uint32_t lp_score_mean(const uint32_t *scores, const uint64_t *bytes, size_t n);

/* How far what the guest believes is so: the share of each cell's memory and of its vCPUs' time
 * that is on the node where most of the cell's memory lies (vCPUs of a node without processors: on
 * the nearest with some), memory and processors counting alike, cells by their size.  Cells without
 * vCPUs count by their memory, cells without memory not at all.  NONE: fewer than two cells are
 * left, or two of them are on one node: then the guest's distances mean nothing. */
uint32_t lp_score_agreement(const LpTopology *topology, const LpSpread *cell_cpu,
                            const LpSpread *cell_memory, size_t n_cells);

/* The nodes whose processors serve these: a node itself, or the nearest one that has some
 * (lp_topology_near_cpus). */
LpNodeSet lp_score_cpu_nodes(const LpTopology *topology, LpNodeSet nodes);

/* Spreads an amount over all processors of lp_score_cpu_nodes() alike (`nodes` 0: over all of the
 * host).  In whole units that add up to `amount`: give shares (vCPUs << 20, say), for three vCPUs
 * over two nodes are not one and two.  No processor anywhere: all zero. */
void lp_spread_cpus(const LpTopology *topology, LpNodeSet nodes, uint64_t amount, LpSpread *spread);

/* For those who keep sums of their own.  A distance within its limits, and the `local` of a sum
 * over i and j of c(i) m(j) d(i,j) with the weight sum of c(i) m(j) (0: NONE).  The weight below
 * 2^88. */
uint32_t lp_score_pair(const LpTopology *topology, uint32_t from, uint32_t to);
uint32_t lp_score_local_of(const LpTopology *topology, unsigned __int128 sum,
                           unsigned __int128 weight);

#endif
