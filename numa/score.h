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
 * Figures are in hundredths of a point, 0..10000.  All products fit: shares are scaled to 20 bits. */
#ifndef LP_NUMA_SCORE_H
#define LP_NUMA_SCORE_H

#include "numa/topology.h"

#define LP_SCORE_MAX 10000
/* No memory or no vCPU: there is nothing to be near to. */
#define LP_SCORE_NONE UINT32_MAX

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
 * it the host for itself: its memory within `room` of each node (NULL: all memory of the node), at most
 * one vCPU a processor while the host has as many, on nodes of `allowed` only.  LP_SCORE_NONE: it does
 * not fit at all. */
uint32_t lp_score_best(const LpTopology *topology, const uint64_t *room_bytes, LpNodeSet allowed,
                       uint64_t memory_bytes, uint32_t vcpus);

/* score = 100 local / best, at most LP_SCORE_MAX; NONE where either is. */
uint32_t lp_score_of(uint32_t local, uint32_t best);

/* How far what the guest believes is so: the share of each cell's memory and of its vCPUs' time that
 * is on the node where most of the cell's memory lies, memory and processors counting alike, cells by
 * their size.  NONE: fewer than two cells, or two of them on one node: then the guest's distances mean
 * nothing. */
uint32_t lp_score_agreement(const LpTopology *topology, const LpSpread *cell_cpu,
                            const LpSpread *cell_memory, size_t n_cells);

/* The spread of a number of vCPUs that may run on all processors of these nodes alike: by the number
 * of processors of each.  Nodes without any: the nearest that have some (lp_topology_near_cpus). */
void lp_spread_cpus(const LpTopology *topology, LpNodeSet nodes, uint64_t amount, LpSpread *spread);

#endif
