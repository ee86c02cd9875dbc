/* Processors of a node's own for a partition: whole cores first. */
#include "numa/cores.h"

/* The node's processors, counted by core and by last-level cache (both below LP_MAX_CPUS, as
 * there are no more of them than processors). */
typedef struct {
    const LpTopology *topology;
    const LpCpuMask *cpus;
    uint32_t n_free;
    uint16_t core_free[LP_MAX_CPUS], core_all[LP_MAX_CPUS], cache_free[LP_MAX_CPUS];
    LpCpuMask near;           /* caches that some of the chosen belong to */
    bool any;                 /* some are chosen */
} Count;

static uint32_t
core_of(const Count *count, int cpu)
{
    return count->topology->core_of[cpu] % LP_MAX_CPUS;
}

static uint32_t
cache_of(const Count *count, int cpu)
{
    return count->topology->cache_of[cpu] % LP_MAX_CPUS;
}

static void
count_free(const LpTopology *topology, uint32_t node, const LpCpuMask *taken, Count *count)
{
    *count = (Count) { .topology = topology, .cpus = &topology->nodes[node].cpus };
    for (int i = lp_cpumask_next(count->cpus, 0); i >= 0;
         i = lp_cpumask_next(count->cpus, (unsigned) i + 1)) {
        bool is_free = !lp_cpumask_has(taken, (unsigned) i);

        count->core_all[core_of(count, i)]++;
        count->core_free[core_of(count, i)] += is_free;
        count->cache_free[cache_of(count, i)] += is_free;
        count->n_free += is_free;
    }
}

/* How good the core of a processor is where `n` more are wanted; less is better.  Whole cores;
 * for a rest that is less than a core, one that is broken already.  Then the cache that the
 * others are in; of the caches that hold all of it the fullest, so that great holes stay whole,
 * or else the emptiest. */
static uint64_t
rank_of(const Count *count, int cpu, uint32_t n)
{
    uint32_t core = core_of(count, cpu), cache = cache_of(count, cpu);
    uint32_t free = count->core_free[core], in_cache = count->cache_free[cache];
    bool whole = free == count->core_all[core];
    bool fits = n >= count->core_all[core] ? whole : !whole && free >= n;
    bool near = !count->any || lp_cpumask_has(&count->near, cache);
    uint64_t waste = in_cache >= n ? in_cache - n : 2 * LP_MAX_CPUS - in_cache;

    return (uint64_t) !fits << 40 | (uint64_t) !near << 32 | waste;
}

/* The first free processor of the best core, or -1: none is free. */
static int
find_core(const Count *count, const LpCpuMask *taken, uint32_t n)
{
    LpCpuMask seen = { { 0 } };           /* cores */
    uint64_t best_rank = 0;
    int best = -1;

    for (int i = lp_cpumask_next(count->cpus, 0); i >= 0;
         i = lp_cpumask_next(count->cpus, (unsigned) i + 1)) {
        uint64_t rank;

        if (lp_cpumask_has(taken, (unsigned) i) || lp_cpumask_has(&seen, core_of(count, i)))
            continue;
        lp_cpumask_add(&seen, core_of(count, i));
        rank = rank_of(count, i, n);
        if (best < 0 || rank < best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

/* The free processors of the core, at most `most`; returns their number. */
static uint32_t
take_core(Count *count, uint32_t core, uint32_t most, LpCpuMask *taken, LpCpuMask *ret)
{
    uint32_t n = 0;

    for (int i = lp_cpumask_next(count->cpus, 0); i >= 0 && n < most;
         i = lp_cpumask_next(count->cpus, (unsigned) i + 1)) {
        if (core_of(count, i) != core || lp_cpumask_has(taken, (unsigned) i))
            continue;
        lp_cpumask_add(taken, (unsigned) i);
        lp_cpumask_add(ret, (unsigned) i);
        lp_cpumask_add(&count->near, cache_of(count, i));
        count->core_free[core]--;
        count->cache_free[cache_of(count, i)]--;
        count->any = true;
        n++;
    }
    return n;
}

bool
lp_cores_choose(const LpTopology *topology, uint32_t node, uint32_t n, LpCpuMask *taken,
                LpCpuMask *ret)
{
    Count count;

    lp_cpumask_clear(ret);
    if (node >= topology->n_nodes)
        return n == 0;
    count_free(topology, node, taken, &count);
    if (count.n_free < n) {
        *ret = topology->nodes[node].cpus;
        return false;
    }
    while (n > 0)
        n -= take_core(&count, core_of(&count, find_core(&count, taken, n)), n, taken, ret);
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
