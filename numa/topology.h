/* What the host is made of: NUMA nodes, their memory and processors, the distances between.
 *
 * A value, read once (through hwloc) and then only passed around. */
#ifndef LP_NUMA_TOPOLOGY_H
#define LP_NUMA_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numa/cpumask.h"

/* Linux on x86 is built for at most 1024 nodes, but no machine shipped has more than 64. */
#define LP_MAX_NODES 64

typedef struct {
    uint32_t id;               /* the operating system's node number; may be sparse */
    uint64_t memory_bytes;     /* 0: a node without memory */
    LpCpuMask cpus;            /* empty: a node without processors */
} LpNode;

typedef struct {
    uint32_t n_nodes;
    LpNode nodes[LP_MAX_NODES];                       /* ordered by id */
    /* ACPI SLIT values, indexed like nodes[]; 10 = local.  Where the machine states none
     * (or nonsense), 10 on the diagonal and 20 elsewhere, and distances_known is false. */
    uint32_t distance[LP_MAX_NODES][LP_MAX_NODES];
    bool distances_known;
    uint32_t n_packages, n_cores, n_cpus;             /* n_cpus: hardware threads usable */
} LpTopology;

/* Reads this host (source NULL), a synthetic description ("pack:2 numa:2 core:4 pu:2") or
 * an hwloc XML file (source is a path that exists).  False: *message, if given, tells why in
 * one sentence, and *ret_topology is untouched.  Not thread-safe with itself. */
bool lp_topology_read(const char *source, LpTopology *ret_topology, char *message, size_t size);

/* Index into nodes[] of the node with that id, or -1. */
int lp_topology_find(const LpTopology *topology, uint32_t node_id);

/* The memory of all nodes, in bytes. */
uint64_t lp_topology_memory(const LpTopology *topology);

#endif
