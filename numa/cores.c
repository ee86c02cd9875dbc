/* Processors of a node's own for a partition: whole cores first. */
#include "numa/cores.h"

#include <string.h>

/* What is free of one last-level cache, or of one core. */
typedef struct {
    uint32_t n_free, n_all;
} Share;

static bool
is_free(const LpCpuMask *cpus, const LpCpuMask *taken, uint32_t cpu)
{
    return lp_cpumask_has(cpus, cpu) && !lp_cpumask_has(taken, cpu);
}

/* Free processors of the node that belong to the same core (or cache) as `cpu`. */
static Share
share_of(const LpCpuMask *cpus, const LpCpuMask *taken, const uint16_t *group, uint32_t cpu)
{
    Share share = { 0, 0 };

    for (int i = lp_cpumask_next(cpus, 0); i >= 0; i = lp_cpumask_next(cpus, (unsigned) i + 1)) {
        if (group[i] != group[cpu])
            continue;
        share.n_all++;
        share.n_free += !lp_cpumask_has(taken, (unsigned) i);
    }
    return share;
}

/* The processors of one core of the node that are free, at most `most`. */
static uint32_t
take_core(const LpTopology *topology, const LpCpuMask *cpus, uint32_t cpu, uint32_t most,
          LpCpuMask *taken, LpCpuMask *ret)
{
    uint32_t n = 0;

    for (int i = lp_cpumask_next(cpus, 0); i >= 0 && n < most;
         i = lp_cpumask_next(cpus, (unsigned) i + 1)) {
        if (topology->core_of[i] != topology->core_of[cpu] ||
            !is_free(cpus, taken, (uint32_t) i))
            continue;
        lp_cpumask_add(taken, (unsigned) i);
        lp_cpumask_add(ret, (unsigned) i);
        n++;
    }
    return n;
}

/* How good the core of a processor is for `n` more.  Less is better; compared as one number. */
static uint64_t
rank_of(const LpTopology *topology, const LpCpuMask *cpus, const LpCpuMask *taken,
        const LpCpuMask *mine, uint32_t cpu, uint32_t n)
{
    Share core = share_of(cpus, taken, topology->core_of, cpu);
    Share cache = share_of(cpus, taken, topology->cache_of, cpu);
    bool near = false, whole = core.n_free == core.n_all;
    uint64_t waste;

    for (int i = lp_cpumask_next(mine, 0); i >= 0 && !near;
         i = lp_cpumask_next(mine, (unsigned) i + 1))
        near = topology->cache_of[i] == topology->cache_of[cpu];
    /* A remainder that is less than a core goes where a core is broken already. */
    if (n < core.n_all && !whole && core.n_free >= n)
        whole = true;
    else if (n < core.n_all && whole)
        whole = core.n_all == 1;
    /* Of the caches that hold all of it the fullest, so that great holes stay; else the emptiest. */
    waste = cache.n_free >= n ? cache.n_free - n : UINT16_MAX + (uint64_t) (LP_MAX_CPUS - cache.n_free);
    return (uint64_t) !whole << 40 | (uint64_t) !near << 32 | waste;
}

bool
lp_cores_choose(const LpTopology *topology, uint32_t node, uint32_t n, LpCpuMask *taken,
                LpCpuMask *ret)
{
    const LpCpuMask *cpus;
    uint32_t n_free = 0;

    lp_cpumask_clear(ret);
    if (node >= topology->n_nodes)
        return n == 0;
    cpus = &topology->nodes[node].cpus;
    for (int i = lp_cpumask_next(cpus, 0); i >= 0; i = lp_cpumask_next(cpus, (unsigned) i + 1))
        n_free += !lp_cpumask_has(taken, (unsigned) i);
    if (n_free < n) {
        *ret = *cpus;
        return false;
    }
    while (n > 0) {
        int best = -1;
        uint64_t best_rank = 0;

        for (int i = lp_cpumask_next(cpus, 0); i >= 0; i = lp_cpumask_next(cpus, (unsigned) i + 1)) {
            uint64_t rank;

            if (lp_cpumask_has(taken, (unsigned) i))
                continue;
            rank = rank_of(topology, cpus, taken, ret, (uint32_t) i, n);
            if (best < 0 || rank < best_rank) {
                best = i;
                best_rank = rank;
            }
        }
        n -= take_core(topology, cpus, (uint32_t) best, n, taken, ret);
    }
    return true;
}

void
lp_cores_of_nodes(const LpTopology *topology, LpNodeSet nodes, LpCpuMask *ret)
{
    lp_cpumask_clear(ret);
    for (uint32_t j = 0; j < topology->n_nodes && j < LP_MAX_NODES; j++) {
        const LpCpuMask *cpus;
        int near;

        if (!(nodes & (UINT64_C(1) << j)) || (near = lp_topology_near_cpus(topology, j)) < 0)
            continue;
        cpus = &topology->nodes[near].cpus;
        for (int i = lp_cpumask_next(cpus, 0); i >= 0; i = lp_cpumask_next(cpus, (unsigned) i + 1))
            lp_cpumask_add(ret, (unsigned) i);
    }
}
