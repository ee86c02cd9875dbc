/* The hosts of the placement bench. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/place-world.h"

static void
set_cpus(LpTopology *topology, uint32_t node, uint32_t first, uint32_t n)
{
    topology->n_cpus -= lp_cpumask_count(&topology->nodes[node].cpus);
    lp_cpumask_clear(&topology->nodes[node].cpus);
    for (uint32_t i = 0; i < n; i++) {
        lp_cpumask_add(&topology->nodes[node].cpus, first + i);
        topology->core_of[first + i] = (uint16_t) (first + i);
    }
    topology->n_cpus += n;
    topology->n_cores = topology->n_cpus;
}

void
host_even(Host *host, const char *name, uint32_t n, uint64_t memory_bytes, uint32_t cpus,
          uint32_t far)
{
    LpTopology *topology = &host->topology;

    memset(host, 0, sizeof(*host));
    snprintf(host->name, sizeof(host->name), "%s", name);
    topology->n_nodes = n;
    topology->n_packages = n;
    topology->distances_known = true;
    for (uint32_t i = 0; i < n; i++) {
        topology->nodes[i].id = i;
        topology->nodes[i].memory_bytes = memory_bytes;
        topology->nodes[i].tier = LP_TIER_NORMAL;
        topology->nodes[i].package = i;
        set_cpus(topology, i, i * cpus, cpus);
        for (uint32_t j = 0; j < n; j++)
            topology->distance[i][j] = i == j ? 10 : far;
    }
}

static void
set_distance(LpTopology *topology, uint32_t i, uint32_t j, uint32_t distance)
{
    topology->distance[i][j] = topology->distance[j][i] = distance;
}

/* Groups of `group` nodes with `near` between them. */
static void
set_groups(LpTopology *topology, uint32_t group, uint32_t near)
{
    for (uint32_t i = 0; i < topology->n_nodes; i++)
        for (uint32_t j = 0; j < i; j++)
            if (i / group == j / group)
                set_distance(topology, i, j, near);
}

/* Corners of a cube, or nodes of a ring: farther with each step. */
static void
set_steps(LpTopology *topology, bool cube, const uint32_t *by_steps)
{
    uint32_t n = topology->n_nodes;

    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < i; j++) {
            uint32_t ring = i - j < n - (i - j) ? i - j : n - (i - j);

            set_distance(topology, i, j,
                         by_steps[cube ? (uint32_t) __builtin_popcount(i ^ j) : ring]);
        }
    }
}

/* Turns a node into memory without processors, with this distance from `near`, and more from
 * others. */
static void
set_memory_only(LpTopology *topology, uint32_t node, uint32_t near, uint64_t bytes, LpTier tier,
                uint32_t distance, uint32_t farther)
{
    set_cpus(topology, node, 0, 0);
    topology->nodes[node].memory_bytes = bytes;
    topology->nodes[node].tier = tier;
    topology->nodes[node].package = near;
    for (uint32_t i = 0; i < topology->n_nodes; i++)
        if (i != node)
            set_distance(topology, node, i, i == near ? distance : farther);
}

static void
make_sub_numa(Host *host)
{
    host_even(host, "2 sockets, sub-NUMA clusters", 4, 192 * GIB, 20, 21);
    set_groups(&host->topology, 2, 11);
}

static void
make_epyc(Host *host)
{
    host_even(host, "2 sockets of 4 nodes", 8, 64 * GIB, 16, 32);
    set_groups(&host->topology, 4, 12);
}

static void
make_cube(Host *host)
{
    static const uint32_t STEPS[] = { 10, 16, 22, 22 };

    host_even(host, "8 nodes, glueless cube", 8, 32 * GIB, 6, 22);
    set_steps(&host->topology, true, STEPS);
}

static void
make_blades(Host *host)
{
    host_even(host, "8 nodes, 4 blades", 8, 128 * GIB, 16, 79);
    set_groups(&host->topology, 4, 65);
    set_groups(&host->topology, 2, 50);
}

static void
make_ring(Host *host)
{
    static const uint32_t STEPS[] = { 10, 14, 22, 30 };

    host_even(host, "6 nodes, ring", 6, 96 * GIB, 12, 30);
    set_steps(&host->topology, false, STEPS);
}

static void
make_asymmetric(Host *host)
{
    host_even(host, "4 nodes, unlike memory", 4, 64 * GIB, 16, 21);
    host->topology.nodes[0].memory_bytes = 256 * GIB;
    host->topology.nodes[2].memory_bytes = 16 * GIB;
    host->topology.nodes[3].memory_bytes = 128 * GIB;
}

static void
make_cxl(Host *host)
{
    host_even(host, "2 sockets and 2 CXL expanders", 4, 256 * GIB, 32, 21);
    set_memory_only(&host->topology, 2, 0, 128 * GIB, LP_TIER_SLOW, 24, 34);
    set_memory_only(&host->topology, 3, 1, 128 * GIB, LP_TIER_SLOW, 24, 34);
}

static void
make_hbm(Host *host)
{
    host_even(host, "4 nodes, each with fast memory", 8, 96 * GIB, 16, 21);
    for (uint32_t i = 0; i < 4; i++)
        set_memory_only(&host->topology, 4 + i, i, 16 * GIB, LP_TIER_FAST, 13, 23);
}

static void
make_gpu(Host *host)
{
    host_even(host, "2 sockets, 4 nodes of GPU memory", 6, 160 * GIB, 80, 40);
    for (uint32_t i = 0; i < 4; i++)
        set_memory_only(&host->topology, 2 + i, i / 2, 16 * GIB, LP_TIER_NORMAL, 80, 80);
}

static void
make_cpu_only(Host *host)
{
    host_even(host, "4 nodes, one without memory", 4, 64 * GIB, 12, 20);
    host->topology.nodes[3].memory_bytes = 0;
}

static void
make_sparse(Host *host)
{
    static const uint32_t IDS[] = { 0, 1, 2, 33 };

    host_even(host, "4 nodes, ids 0,1,2,33", 4, 12 * GIB, 6, 22);
    set_groups(&host->topology, 2, 16);
    for (uint32_t i = 0; i < 4; i++)
        host->topology.nodes[i].id = IDS[i];
}

static void
make_boards(Host *host)
{
    host_even(host, "24 sockets on 6 boards", 24, 256 * GIB, 28, 40);
    set_groups(&host->topology, 8, 28);
    set_groups(&host->topology, 4, 16);
}

static void
make_64(Host *host)
{
    host_even(host, "64 nodes", 64, 64 * GIB, 16, 60);
    set_groups(&host->topology, 16, 42);
    set_groups(&host->topology, 4, 18);
}

static void
make_one_way(Host *host)
{
    host_even(host, "4 nodes, distances unlike both ways", 4, 96 * GIB, 16, 21);
    set_groups(&host->topology, 2, 16);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < i; j++)
            host->topology.distance[i][j] += 3;
}

bool
host_synthetic(uint32_t index, Host *host)
{
    static void (*const MAKE[])(Host *host) = {
        make_sub_numa, make_epyc, make_cube, make_blades, make_ring, make_asymmetric, make_cxl,
        make_hbm, make_gpu, make_cpu_only, make_sparse, make_boards, make_64, make_one_way,
    };

    switch (index) {
    case 0: host_even(host, "1 node", 1, 256 * GIB, 32, 10); return true;
    case 1: host_even(host, "2 sockets", 2, 128 * GIB, 24, 21); return true;
    case 2: host_even(host, "4 sockets", 4, 128 * GIB, 24, 20); return true;
    case 3: host_even(host, "4 nodes, all distances 10", 4, 64 * GIB, 16, 10); return true;
    default: break;
    }
    if (index - 4 >= sizeof(MAKE) / sizeof(MAKE[0]))
        return false;
    MAKE[index - 4](host);
    return true;
}

bool
host_read(const char *source, Host *host, char *message, size_t size)
{
    const char *slash = strrchr(source, '/');
    bool is_file = access(source, F_OK) == 0;

    memset(host, 0, sizeof(*host));
    snprintf(host->name, sizeof(host->name), "%s", is_file && slash ? slash + 1 : source);
    host->real = is_file;
    return lp_topology_read(source, &host->topology, message, size);
}
