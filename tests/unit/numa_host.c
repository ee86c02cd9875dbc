#include "tests/unit/numa_host.h"

#include <string.h>

void
numa_host_cpus(LpTopology *host, uint32_t index, uint32_t cpus)
{
    host->n_cpus -= lp_cpumask_count(&host->nodes[index].cpus);
    lp_cpumask_clear(&host->nodes[index].cpus);
    /* 1024 processors at most: 16 a node on 64. */
    for (uint32_t i = 0; i < cpus; i++)
        lp_cpumask_add(&host->nodes[index].cpus, index * (LP_MAX_CPUS / host->n_nodes) + i);
    host->n_cpus += cpus;
    host->n_cores = host->n_cpus;
}

void
numa_host(LpTopology *host, uint32_t n, uint64_t memory_bytes, uint32_t cpus, uint32_t far)
{
    memset(host, 0, sizeof(*host));
    host->n_nodes = n;
    host->n_packages = n;
    host->distances_known = true;
    for (uint32_t i = 0; i < n; i++) {
        host->nodes[i].id = i;
        host->nodes[i].memory_bytes = memory_bytes;
        host->nodes[i].tier = LP_TIER_NORMAL;
        host->nodes[i].package = i;
        numa_host_cpus(host, i, cpus);
        for (uint32_t j = 0; j < n; j++)
            host->distance[i][j] = i == j ? 10 : far;
    }
}

void
numa_host_distance(LpTopology *host, uint32_t i, uint32_t j, uint32_t distance)
{
    host->distance[i][j] = host->distance[j][i] = distance;
}

uint64_t
numa_random(uint64_t *chance, uint64_t below)
{
    uint64_t z = *chance += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return below == 0 ? z : z % below;
}

void
numa_host_random(LpTopology *host, uint64_t *chance, uint32_t max)
{
    uint32_t n = 1 + (uint32_t) numa_random(chance, max);
    bool is_even = numa_random(chance, 2);

    numa_host(host, n, (1 + numa_random(chance, 8)) * GIB, 1 + (uint32_t) numa_random(chance, 8),
              20);
    for (uint32_t i = 0; i < n; i++) {
        if (!is_even)
            host->nodes[i].memory_bytes = numa_random(chance, 5) * 3 * GIB;
        if (!is_even && numa_random(chance, 4) == 0)
            numa_host_cpus(host, i, (uint32_t) numa_random(chance, 3));
        for (uint32_t j = 0; j < i; j++) {
            numa_host_distance(host, i, j, 11 + (uint32_t) numa_random(chance, 50));
            if (!is_even && numa_random(chance, 2))
                host->distance[i][j] = 11 + (uint32_t) numa_random(chance, 50);
        }
    }
}
