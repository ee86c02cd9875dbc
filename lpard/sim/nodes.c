#include "lpard/sim/nodes.h"

#include <string.h>

/* A whole node's promises, in parts of its size. */
#define WHOLE 10000

__extension__ typedef unsigned __int128 Wide;

/* The node that has promised the least beside its size and is not taken yet, or -1. */
static int
emptiest(const LpPolicyHost *policy, const uint64_t *promised, uint64_t least_bytes,
         uint64_t taken)
{
    uint64_t best_part = UINT64_MAX;
    int best = -1;

    for (uint32_t j = 0; j < policy->n_nodes; j++) {
        uint64_t capacity = policy->nodes[j].capacity_bytes, part;

        if (taken >> j & 1 || capacity == 0 || capacity < least_bytes)
            continue;
        part = (uint64_t) ((Wide) promised[j] * WHOLE / capacity);
        if (part < best_part) {
            best_part = part;
            best = (int) j;
        }
    }
    return best;
}

static uint32_t
place_one(const LpPolicyHost *policy, const uint64_t *promised, uint64_t bytes, uint32_t n_cells,
          uint8_t *ret_nodes)
{
    uint64_t taken = 0;
    uint32_t n = 0;

    while (n < n_cells) {
        int node = emptiest(policy, promised, bytes / n_cells, taken);

        if (node < 0)
            break;
        taken |= UINT64_C(1) << node;
        ret_nodes[n++] = (uint8_t) node;
    }
    return n;
}

void
lp_sim_nodes_place(const LpSimHost *host, LpPolicyHost *policy, LpPolicyPartition *partitions)
{
    uint64_t promised[LP_POLICY_NODES] = { 0 };

    policy->n_nodes = host->n_nodes;
    for (uint32_t j = 0; j < host->n_nodes; j++)
        policy->nodes[j] = (LpPolicyNode){ .capacity_bytes = host->node_bytes[j] };
    for (size_t i = 0; i < host->n; i++) {
        LpPolicyPartition *partition = &partitions[i];
        uint64_t bytes = partition->mem_max_bytes;
        uint32_t n = 0;
        bool fits = false;

        for (uint32_t wanted = 1; wanted <= host->n_nodes && !fits; wanted++) {
            n = place_one(policy, promised, bytes, wanted, partition->cell_node);
            fits = n == wanted;
        }
        /* Greater than the host: on all that there is. */
        if (!fits)
            n = place_one(policy, promised, 0, host->n_nodes, partition->cell_node);
        partition->n_cells = n;
        for (uint32_t cell = 0; cell < n; cell++)
            promised[partition->cell_node[cell]] += bytes / n;
    }
}

/* Each cell's equal part, the first with what is left over. */
static uint64_t
part_of(const LpSimView *view, const LpPolicyPartition *partition, uint32_t cell)
{
    uint64_t part = view->granted_bytes / partition->n_cells;

    return cell == 0 ? part + view->granted_bytes % partition->n_cells : part;
}

void
lp_sim_nodes_free(const LpSimHost *host, const LpPolicyPartition *partitions,
                  LpPolicyHost *policy)
{
    uint64_t held[LP_POLICY_NODES] = { 0 }, over = 0;

    for (size_t i = 0; i < host->n; i++) {
        for (uint32_t cell = 0; cell < partitions[i].n_cells; cell++)
            held[partitions[i].cell_node[cell]] += part_of(&host->views[i], &partitions[i], cell);
    }
    for (uint32_t j = 0; j < policy->n_nodes; j++) {
        LpPolicyNode *node = &policy->nodes[j];

        over += held[j] - MIN(held[j], node->capacity_bytes);
        node->free_bytes = node->capacity_bytes - MIN(held[j], node->capacity_bytes);
    }
    while (over > 0) {
        uint32_t most = 0;
        uint64_t taken;

        for (uint32_t j = 1; j < policy->n_nodes; j++) {
            if (policy->nodes[j].free_bytes > policy->nodes[most].free_bytes)
                most = j;
        }
        taken = MIN(over, policy->nodes[most].free_bytes);
        policy->nodes[most].free_bytes -= taken;
        over -= taken;
        if (taken == 0)
            break;
    }
}
