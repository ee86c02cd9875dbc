/* Hosts of a few nodes for the tests of the pure NUMA code. */
#ifndef LP_TEST_NUMA_HOST_H
#define LP_TEST_NUMA_HOST_H

#include "numa/topology.h"

#define GIB (1ULL << 30)

/* `n` nodes with ids 0.., each with so much memory and so many processors; 10 and `far`. */
void numa_host(LpTopology *host, uint32_t n, uint64_t memory_bytes, uint32_t cpus, uint32_t far);
/* Gives a node other processors than it had: `cpus` of its own. */
void numa_host_cpus(LpTopology *host, uint32_t index, uint32_t cpus);
/* Sets a distance both ways. */
void numa_host_distance(LpTopology *host, uint32_t i, uint32_t j, uint32_t distance);

/* Chance that is the same everywhere. */
uint64_t numa_random(uint64_t *chance, uint64_t below);
/* A host of random shape: 1..max nodes, some without processors or memory, distances of 11..60
 * (symmetrical or not). */
void numa_host_random(LpTopology *host, uint64_t *chance, uint32_t max);

#endif
