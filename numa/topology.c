/* Questions to a topology. */
#include "numa/topology.h"

const char *const lp_tier_names[LP_TIERS] = { "fast", "normal", "slow" };

/* ACPI's value for a node itself. */
#define DISTANCE_LOCAL 10

static bool
has_cpus(const LpNode *node)
{
    return lp_cpumask_next(&node->cpus, 0) >= 0;
}

int
lp_topology_near_cpus(const LpTopology *topology, uint32_t index)
{
    int best = -1;

    if (has_cpus(&topology->nodes[index]))
        return (int) index;
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (has_cpus(&topology->nodes[i]) &&
            (best < 0 || topology->distance[index][i] < topology->distance[index][best]))
            best = (int) i;
    }
    return best;
}

uint32_t
lp_topology_far(const LpTopology *topology)
{
    uint32_t far = DISTANCE_LOCAL;

    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        for (uint32_t j = 0; j < topology->n_nodes; j++) {
            if (topology->distance[i][j] > far)
                far = topology->distance[i][j];
        }
    }
    return far;
}

int
lp_topology_find(const LpTopology *topology, uint32_t node_id)
{
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (topology->nodes[i].id == node_id)
            return (int) i;
    }
    return -1;
}

uint64_t
lp_topology_memory(const LpTopology *topology)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < topology->n_nodes; i++)
        sum += topology->nodes[i].memory_bytes;
    return sum;
}
