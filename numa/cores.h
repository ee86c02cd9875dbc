/* Which processors of a node a partition's vCPUs get for themselves: whole cores first, siblings
 * together, near in one cache.  Pure. */
#ifndef LP_NUMA_CORES_H
#define LP_NUMA_CORES_H

#include "numa/topology.h"

/* Chooses `n` processors of nodes[node] that are not in `taken`, which it adds them to.  False: there are
 * not as many free; then *ret is all processors of the node, shared by all who got no own. */
bool lp_cores_choose(const LpTopology *topology, uint32_t node, uint32_t n, LpCpuMask *taken,
                     LpCpuMask *ret);

/* All processors of the nodes; of a node without any, the nearest node's. */
void lp_cores_of_nodes(const LpTopology *topology, LpNodeSet nodes, LpCpuMask *ret);

#endif
