/* What the parts that read a topology through hwloc share. */
#ifndef LP_NUMA_TOPOLOGY_PRIV_H
#define LP_NUMA_TOPOLOGY_PRIV_H

#include <hwloc.h>

#include "numa/topology.h"

/* hwloc's side of nodes[], by the same index. */
typedef struct {
    hwloc_obj_t node[LP_MAX_NODES];
    bool has_cpus[LP_MAX_NODES];    /* in the machine: they may be offline or forbidden */
} LpObjects;

/* In topology-objects.c; in this order. */
void lp_topology_read_nodes(hwloc_topology_t hw, LpTopology *topology, LpObjects *objects);
void lp_topology_read_cpus(hwloc_topology_t hw, LpTopology *topology, LpObjects *objects);
/* Needs the distances, too. */
void lp_topology_read_memory(hwloc_topology_t hw, LpTopology *topology, const LpObjects *objects);

/* Nodes that this process may use. */
uint32_t lp_topology_count_nodes(hwloc_topology_t hw);

/* Makes hwloc read a file that its version 3 wrote as if version 2 had, which differs in nothing that is
 * asked for here.  False: it is no such file, or cannot be read. */
bool lp_topology_set_newer_xml(hwloc_topology_t hw, const char *path);    /* topology-xml.c */

#endif
