/* The host's topology, through hwloc. */
#include "numa/topology-priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ACPI's value for "local", and what Linux assumes of a machine that states no distances. */
#define DISTANCE_LOCAL 10
#define DISTANCE_REMOTE 20
/* 255 means unreachable in a SLIT, and one byte is all it has. */
#define DISTANCE_MAX 254
/* hwloc keeps one from the firmware; a file may have some of its own. */
#define MAX_MATRICES 8
/* Objects of a synthetic description's last level: more than lpard handles.  hwloc makes them all before
 * anybody can count them, in a time that grows with the square of their number. */
#define MAX_SYNTHETIC (4 * LP_MAX_CPUS)

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

/* How many objects the last level of a synthetic description has, as far as it is one: the product
 * of its counts, attributes in parentheses left out; no more than MAX_SYNTHETIC + 1. */
static uint64_t
count_synthetic(const char *text)
{
    uint64_t product = 1;

    for (bool begins = true; *text && product <= MAX_SYNTHETIC; text++) {
        if (*text == '(') {
            text += strcspn(text, ")");
            if (!*text)
                break;
        } else if (*text == ':' || (begins && *text >= '0' && *text <= '9')) {
            unsigned long count = strtoul(text + (*text == ':'), NULL, 0);

            product *= count < 1 ? 1 : count > MAX_SYNTHETIC ? MAX_SYNTHETIC + 1 : count;
        }
        begins = *text == ' ' || *text == '[' || *text == ']' || *text == ')';
    }
    return product;
}

/* Says which source to read; loading it comes later. */
static bool
set_source(hwloc_topology_t hw, const char *source, char *message, size_t size)
{
    if (!source)
        return true;
    if (access(source, F_OK) == 0) {
        if (lp_topology_set_newer_xml(hw, source) || hwloc_topology_set_xml(hw, source) == 0)
            return true;
        return fail(message, size,
                    "%s is not a topology that hwloc can read (%s); export one with "
                    "'lstopo FILE.xml'",
                    source, strerror(errno));
    }
    if (count_synthetic(source) > MAX_SYNTHETIC)
        return fail(message, size, "'%s' describes more objects than any machine has; lpard "
                    "handles %d processors", source, LP_MAX_CPUS);
    if (hwloc_topology_set_synthetic(hw, source) == 0)
        return true;
    return fail(message, size,
                "'%s' is neither an existing hwloc XML file nor a synthetic topology; write one "
                "like 'pack:2 numa:1 core:4 pu:2'",
                source);
}

/* hwloc's default filters stay: without the groups and caches between a processor and its node
 * hwloc says that every node is near to every processor.  Caches before memory they leave out. */
static bool
load(hwloc_topology_t hw, const char *source, char *message, size_t size)
{
    if (!set_source(hw, source, message, size))
        return false;
    /* What is forbidden to this process is to be told from what is not there. */
    hwloc_topology_set_flags(hw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    hwloc_topology_set_type_filter(hw, HWLOC_OBJ_MEMCACHE, HWLOC_TYPE_FILTER_KEEP_ALL);
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
    uint32_t n_nodes = lp_topology_count_nodes(hw);
    int last = hwloc_bitmap_last(hwloc_topology_get_topology_cpuset(hw));

    if (n_nodes < 1 || n_nodes > LP_MAX_NODES)
        return fail(message, size, "the topology has %u NUMA nodes; lpard handles 1 to %d",
                    n_nodes, LP_MAX_NODES);
    if (!hwloc_bitmap_intersects(hwloc_topology_get_topology_cpuset(hw),
                                 hwloc_topology_get_allowed_cpuset(hw)))
        return fail(message, size, "the topology has no usable processor; check the cpuset that "
                    "lpard runs in");
    if (last >= LP_MAX_CPUS)
        return fail(message, size, "the topology has a processor numbered %d; lpard handles 0 "
                    "to %d", last, LP_MAX_CPUS - 1);
    return true;
}

/* Two of one number cannot be told apart by whoever binds memory to them. */
static bool
check_ids(const LpTopology *topology, char *message, size_t size)
{
    for (uint32_t i = 1; i < topology->n_nodes; i++) {
        if (topology->nodes[i].id == topology->nodes[i - 1].id)
            return fail(message, size, "the topology has two NUMA nodes numbered %u; give each a "
                        "number of its own", topology->nodes[i].id);
    }
    return true;
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
take_distances(LpTopology *topology, const LpObjects *objects, struct hwloc_distances_s *stated)
{
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        for (uint32_t j = 0; j < topology->n_nodes; j++) {
            int row = hwloc_distances_obj_index(stated, objects->node[i]);
            int column = hwloc_distances_obj_index(stated, objects->node[j]);
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

/* Of several matrices (firmware's, an administrator's) the first good one.  Those of bandwidths are not
 * asked for: they say how much goes through, not how far it is. */
static void
read_distances(hwloc_topology_t hw, LpTopology *topology, const LpObjects *objects)
{
    struct hwloc_distances_s *stated[MAX_MATRICES];
    unsigned n_stated = MAX_MATRICES;

    if (hwloc_distances_get_by_type(hw, HWLOC_OBJ_NUMANODE, &n_stated, stated,
                                    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0)
        n_stated = 0;
    for (unsigned i = 0; i < n_stated && i < MAX_MATRICES; i++) {
        if (!topology->distances_known)
            topology->distances_known = take_distances(topology, objects, stated[i]);
        hwloc_distances_release(hw, stated[i]);
    }
    if (!topology->distances_known)
        set_default_distances(topology);
}

bool
lp_topology_read(const char *source, LpTopology *ret_topology, char *message, size_t size)
{
    LpTopology topology = { 0 };
    LpObjects objects = { 0 };
    hwloc_topology_t hw;
    bool ok;

    if (hwloc_topology_init(&hw) != 0)
        return fail(message, size, "hwloc cannot start (%s); free some memory and try again",
                    strerror(errno));
    ok = load(hw, source, message, size) && check_limits(hw, message, size);
    if (ok) {
        lp_topology_read_nodes(hw, &topology, &objects);
        ok = check_ids(&topology, message, size);
    }
    if (ok) {
        lp_topology_read_cpus(hw, &topology, &objects);
        read_distances(hw, &topology, &objects);
        lp_topology_read_memory(hw, &topology, &objects);
        *ret_topology = topology;
    }
    hwloc_topology_destroy(hw);
    return ok;
}
