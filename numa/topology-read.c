/* The host's topology, through hwloc. */
#include "numa/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ACPI's value for "local", and what Linux assumes of a machine that states no distances. */
#define DISTANCE_LOCAL 10
#define DISTANCE_REMOTE 20
/* 255 means unreachable in a SLIT, and one byte is all it has. */
#define DISTANCE_MAX 254

__attribute__((format(printf, 3, 4))) static bool
fail(char *message, size_t size, const char *format, ...)
{
    va_list args;

    if (message && size > 0) {
        va_start(args, format);
        vsnprintf(message, size, format, args);
        va_end(args);
    }
    return false;
}

/* Says which source to read; loading it comes later. */
static bool
set_source(hwloc_topology_t hw, const char *source, char *message, size_t size)
{
    if (!source)
        return true;
    if (access(source, F_OK) == 0) {
        if (hwloc_topology_set_xml(hw, source) == 0)
            return true;
        return fail(message, size,
                    "%s is not a topology that hwloc can read (%s); export one with "
                    "'lstopo FILE.xml'",
                    source, strerror(errno));
    }
    if (hwloc_topology_set_synthetic(hw, source) == 0)
        return true;
    return fail(message, size,
                "'%s' is neither an existing hwloc XML file nor a synthetic topology; write one "
                "like 'pack:2 numa:1 core:4 pu:2'",
                source);
}

/* hwloc's default filters stay: without the groups and caches between a processor and its node
 * hwloc says that every node is near to every processor. */
static bool
load(hwloc_topology_t hw, const char *source, char *message, size_t size)
{
    if (!set_source(hw, source, message, size))
        return false;
    if (hwloc_topology_load(hw) == 0)
        return true;
    if (!source)
        return fail(message, size, "hwloc cannot read this host's topology (%s); set [host] "
                    "topology in lpard.conf", strerror(errno));
    return fail(message, size,
                "hwloc cannot load the topology %s (broken, or written by a newer hwloc); check "
                "it with 'lstopo -i %s'",
                source, source);
}

/* Nodes and processors this build has no place for are refused rather than left out: room and
 * capacity would be counted wrong without a word. */
static bool
check_limits(hwloc_topology_t hw, char *message, size_t size)
{
    int n_nodes = hwloc_get_nbobjs_by_type(hw, HWLOC_OBJ_NUMANODE);
    int last = hwloc_bitmap_last(hwloc_topology_get_topology_cpuset(hw));

    if (n_nodes < 1 || n_nodes > LP_MAX_NODES)
        return fail(message, size, "the topology has %d NUMA nodes; lpard handles 1 to %d",
                    n_nodes, LP_MAX_NODES);
    if (last < 0)
        return fail(message, size, "the topology has no usable processor; check the cpuset that "
                    "lpard runs in");
    if (last >= LP_MAX_CPUS)
        return fail(message, size, "the topology has a processor numbered %d; lpard handles 0 "
                    "to %d", last, LP_MAX_CPUS - 1);
    return true;
}

/* Fills in the nodes in the order of their ids; objects[] keeps hwloc's side of each. */
static void
read_nodes(hwloc_topology_t hw, LpTopology *topology, hwloc_obj_t *objects)
{
    hwloc_obj_t object = NULL;

    while ((object = hwloc_get_next_obj_by_type(hw, HWLOC_OBJ_NUMANODE, object))) {
        size_t at = topology->n_nodes++;

        for (; at > 0 && objects[at - 1]->os_index > object->os_index; at--)
            objects[at] = objects[at - 1];
        objects[at] = object;
    }
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        topology->nodes[i].id = objects[i]->os_index;
        topology->nodes[i].memory_bytes = objects[i]->attr->numanode.local_memory;
    }
}

/* The node that a processor is on.  hwloc gives memory-only nodes (high-bandwidth or
 * non-volatile memory, GPUs) the processors they are near to; the operating system counts each
 * processor on one node only: the one nearest to it alone, and of several the first. */
static int
find_home(const LpTopology *topology, hwloc_obj_t *objects, unsigned cpu)
{
    int best = -1, best_weight = 0;

    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        int weight;

        if (!objects[i]->cpuset || !hwloc_bitmap_isset(objects[i]->cpuset, cpu))
            continue;
        weight = hwloc_bitmap_weight(objects[i]->cpuset);
        if (best < 0 || weight < best_weight) {
            best = (int) i;
            best_weight = weight;
        }
    }
    return best;
}

static void
read_cpus(hwloc_topology_t hw, LpTopology *topology, hwloc_obj_t *objects)
{
    hwloc_const_cpuset_t usable = hwloc_topology_get_topology_cpuset(hw);
    int n_packages = hwloc_get_nbobjs_by_type(hw, HWLOC_OBJ_PACKAGE);
    int n_cores = hwloc_get_nbobjs_by_type(hw, HWLOC_OBJ_CORE);

    for (int cpu = hwloc_bitmap_first(usable); cpu >= 0; cpu = hwloc_bitmap_next(usable, cpu)) {
        int home = find_home(topology, objects, (unsigned) cpu);

        if (home >= 0)
            lp_cpumask_add(&topology->nodes[home].cpus, (unsigned) cpu);
        topology->n_cpus++;
    }
    /* Some virtual machines and synthetic descriptions name neither packages nor cores. */
    topology->n_packages = n_packages > 0 ? (uint32_t) n_packages : 1;
    topology->n_cores = n_cores > 0 ? (uint32_t) n_cores : topology->n_cpus;
}

static void
set_default_distances(LpTopology *topology)
{
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        for (uint32_t j = 0; j < topology->n_nodes; j++)
            topology->distance[i][j] = i == j ? DISTANCE_LOCAL : DISTANCE_REMOTE;
    }
}

/* Takes a matrix over if it covers every node and makes sense as a SLIT: 10 for a node itself,
 * more to any other. */
static bool
take_distances(LpTopology *topology, hwloc_obj_t *objects, struct hwloc_distances_s *stated)
{
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        for (uint32_t j = 0; j < topology->n_nodes; j++) {
            int row = hwloc_distances_obj_index(stated, objects[i]);
            int column = hwloc_distances_obj_index(stated, objects[j]);
            hwloc_uint64_t value;

            if (row < 0 || column < 0)
                return false;
            value = stated->values[(unsigned) row * stated->nbobjs + (unsigned) column];
            if (value > DISTANCE_MAX || (i == j) != (value == DISTANCE_LOCAL) ||
                value < DISTANCE_LOCAL)
                return false;
            topology->distance[i][j] = (uint32_t) value;
        }
    }
    return true;
}

static void
read_distances(hwloc_topology_t hw, LpTopology *topology, hwloc_obj_t *objects)
{
    struct hwloc_distances_s *stated[1];
    unsigned n_stated = 1;

    if (hwloc_distances_get_by_type(hw, HWLOC_OBJ_NUMANODE, &n_stated, stated,
                                    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) == 0 &&
        n_stated > 0) {
        topology->distances_known = take_distances(topology, objects, stated[0]);
        hwloc_distances_release(hw, stated[0]);
    }
    if (!topology->distances_known)
        set_default_distances(topology);
}

bool
lp_topology_read(const char *source, LpTopology *ret_topology, char *message, size_t size)
{
    LpTopology topology = { 0 };
    hwloc_obj_t objects[LP_MAX_NODES];
    hwloc_topology_t hw;
    bool ok;

    if (hwloc_topology_init(&hw) != 0)
        return fail(message, size, "hwloc cannot start (%s); free some memory and try again",
                    strerror(errno));
    ok = load(hw, source, message, size) && check_limits(hw, message, size);
    if (ok) {
        read_nodes(hw, &topology, objects);
        read_cpus(hw, &topology, objects);
        read_distances(hw, &topology, objects);
        *ret_topology = topology;
    }
    hwloc_topology_destroy(hw);
    return ok;
}
