#include "policy_world.h"

#include <stdlib.h>
#include <string.h>

void
world_open(World *world, uint64_t capacity_bytes, size_t room)
{
    memset(world, 0, sizeof(*world));
    world->policy = lp_policy_new();
    world->room = room;
    world->partitions = calloc(room, sizeof(*world->partitions));
    world->states = calloc(room, sizeof(*world->states));
    world->decisions = calloc(room, sizeof(*world->decisions));
    if (world->policy == NULL || world->partitions == NULL || world->states == NULL ||
        world->decisions == NULL)
        abort();
    lp_policy_host_init(&world->host);
    world->host.mode = LP_MODE_AUTO;
    world->host.now_msec = 1000;
    world->host.n_nodes = 1;
    world->host.nodes[0].capacity_bytes = capacity_bytes;
    world->host.capacity_centi = 1600;
}

void
world_close(World *world)
{
    lp_policy_free(world->policy);
    free(world->partitions);
    free(world->states);
    free(world->decisions);
}

LpPolicyPartition *
world_add(World *world, uint64_t granted_bytes, uint64_t used_bytes)
{
    LpPolicyPartition *partition;

    if (world->n == world->room)
        abort();
    partition = &world->partitions[world->n++];
    *partition = (LpPolicyPartition){
        .key = world->n * 7919, .mode = LP_MODE_AUTO, .goal = LP_GOAL_BALANCED, .priority = 3,
        .weight = 128, .cpu_min = 1, .cpu_max = 8, .mem_min_bytes = GIB,
        .mem_max_bytes = 64 * GIB, .entitled_centi = 50, .pool = LP_NO_POOL,
        .block_bytes = 2 * MIB, .n_cells = 1, .granted_bytes = granted_bytes,
        .granted_cpus = 2, .granted_centi = 200,
    };
    partition->seen = (LpSignals){ .mem_by = LP_SEEN_AGENT, .has_cpu = true, .has_psi = true,
                                   .cpu_used_centi = 20, .cpu_running = 1 };
    world_use(partition, used_bytes);
    return partition;
}

void
world_use(LpPolicyPartition *partition, uint64_t used_bytes)
{
    LpSignals *seen = &partition->seen;

    if (used_bytes > partition->granted_bytes)
        used_bytes = partition->granted_bytes;
    seen->total_bytes = partition->granted_bytes;
    seen->available_bytes = partition->granted_bytes - used_bytes;
    seen->working_set_bytes = used_bytes;
}

void
world_count_free(World *world)
{
    for (uint32_t j = 0; j < world->host.n_nodes; j++)
        world->host.nodes[j].free_bytes = world->host.nodes[j].capacity_bytes;
    for (size_t i = 0; i < world->n; i++) {
        const LpPolicyPartition *p = &world->partitions[i];

        for (uint32_t c = 0; c < p->n_cells; c++) {
            LpPolicyNode *node = &world->host.nodes[p->cell_node[c]];
            uint64_t part = p->granted_bytes / p->n_cells;

            node->free_bytes = node->free_bytes > part ? node->free_bytes - part : 0;
        }
    }
}

void
world_decide(World *world)
{
    world_count_free(world);
    if (!lp_policy_decide(world->policy, &world->host, world->partitions, world->states, world->n,
                          world->decisions))
        abort();
}

void
world_tick(World *world)
{
    world_decide(world);
    for (size_t i = 0; i < world->n; i++) {
        LpPolicyPartition *p = &world->partitions[i];
        uint64_t used = p->seen.working_set_bytes;

        p->granted_bytes = world->decisions[i].mem_bytes;
        p->granted_cpus = world->decisions[i].cpus;
        p->granted_centi = world->decisions[i].cpu_centi;
        world_use(p, used);
    }
    world->host.now_msec += 1000;
}

void
world_ticks(World *world, int n)
{
    while (n-- > 0)
        world_tick(world);
}
