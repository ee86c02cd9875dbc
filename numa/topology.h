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

/* A set of nodes: bit i is nodes[i], not the node with the id i. */
typedef uint64_t LpNodeSet;

/* How fast a node's memory is beside the host's ordinary one. */
typedef enum {
    LP_TIER_FAST,              /* high-bandwidth memory */
    LP_TIER_NORMAL,
    LP_TIER_SLOW,              /* persistent memory, CXL: whatever is far from every processor */
    LP_TIERS,
} LpTier;

typedef struct {
    uint32_t id;               /* the operating system's node number; may be sparse */
    uint64_t memory_bytes;     /* 0: a node without memory */
    LpCpuMask cpus;            /* empty: a node without processors */
    LpTier tier;
    uint64_t memory_cache_bytes;       /* a memory-side cache before it; 0: none */
    uint32_t package;          /* of its first processor; of the nearest node's, where it has none */
} LpNode;

typedef struct {
    uint32_t n_nodes;
    LpNode nodes[LP_MAX_NODES];                       /* ordered by id */
    /* ACPI SLIT values, indexed like nodes[]; 10 = local.  Where the machine states none
     * (or nonsense), 10 on the diagonal and 20 elsewhere, and distances_known is false. */
    uint32_t distance[LP_MAX_NODES][LP_MAX_NODES];
    bool distances_known;
    uint32_t n_packages, n_cores, n_cpus;             /* n_cpus: hardware threads usable */
    /* By processor: which core and which last-level cache it belongs to, numbered from 0 through
     * the host; good for those in some nodes[].cpus only. */
    uint16_t core_of[LP_MAX_CPUS];
    uint16_t cache_of[LP_MAX_CPUS];
    uint64_t cache_bytes;                             /* of one last-level cache; 0: not known */
    /* What the machine has, and this system or this process may not use; nodes outside its cpuset
     * count as offline. */
    uint32_t n_nodes_offline, n_cpus_offline, n_cpus_forbidden;
} LpTopology;

/* Reads this host (source NULL), a synthetic description ("pack:2 numa:2 core:4 pu:2") or
 * an hwloc XML file of version 1 to 3 (source is a path that exists).  False: *message, if given, tells why in
 * one sentence, and *ret_topology is untouched.  Not thread-safe with itself. */
bool lp_topology_read(const char *source, LpTopology *ret_topology, char *message, size_t size);

/* Index into nodes[] of the node with that id, or -1. */
int lp_topology_find(const LpTopology *topology, uint32_t node_id);

/* Index of the node with processors that is nearest to nodes[index] (itself if it has some; of
 * equals the first), or -1: no node has any. */
int lp_topology_near_cpus(const LpTopology *topology, uint32_t index);

/* The greatest distance between two nodes; 10 where there is one node. */
uint32_t lp_topology_far(const LpTopology *topology);

/* "fast", "normal", "slow" */
extern const char *const lp_tier_names[LP_TIERS];

/* The memory of all nodes, in bytes. */
uint64_t lp_topology_memory(const LpTopology *topology);

#endif
