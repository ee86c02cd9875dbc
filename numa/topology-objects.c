/* Nodes, their processors and what kind of memory they have, out of hwloc's objects. */
#include "numa/topology-priv.h"

#include <string.h>

/* Memory that is this many times as fast as the nearest processors' own is another kind of memory. */
#define FAST_FACTOR 2

/* --- nodes --- */

static bool
is_allowed(hwloc_topology_t hw, hwloc_obj_t node)
{
    return hwloc_bitmap_isset(hwloc_topology_get_allowed_nodeset(hw), node->os_index);
}

uint32_t
lp_topology_count_nodes(hwloc_topology_t hw)
{
    hwloc_obj_t object = NULL;
    uint32_t n = 0;

    while ((object = hwloc_get_next_obj_by_type(hw, HWLOC_OBJ_NUMANODE, object)))
        n += is_allowed(hw, object);
    return n;
}

/* In the order of their ids. */
void
lp_topology_read_nodes(hwloc_topology_t hw, LpTopology *topology, LpObjects *objects)
{
    int n_all = hwloc_bitmap_weight(hwloc_topology_get_complete_nodeset(hw));
    hwloc_obj_t object = NULL;

    while ((object = hwloc_get_next_obj_by_type(hw, HWLOC_OBJ_NUMANODE, object))) {
        size_t at;

        if (!is_allowed(hw, object))
            continue;
        at = topology->n_nodes++;
        for (; at > 0 && objects->node[at - 1]->os_index > object->os_index; at--)
            objects->node[at] = objects->node[at - 1];
        objects->node[at] = object;
    }
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        topology->nodes[i].id = objects->node[i]->os_index;
        topology->nodes[i].memory_bytes = objects->node[i]->attr->numanode.local_memory;
    }
    if (n_all > (int) topology->n_nodes)
        topology->n_nodes_offline = (uint32_t) n_all - topology->n_nodes;
}

/* --- processors --- */

/* What hwloc calls the memory of a node; it guesses from the firmware's tables where it can. */
typedef enum {
    KIND_UNKNOWN,
    KIND_DRAM,
    KIND_FAST,
    KIND_SLOW,
} Kind;

static Kind
kind_of(hwloc_obj_t node)
{
    static const struct {
        const char *subtype;
        Kind kind;
    } KINDS[] = {
        { "DRAM", KIND_DRAM }, { "HBM", KIND_FAST }, { "MCDRAM", KIND_FAST }, { "SPM", KIND_FAST },
        { "NVM", KIND_SLOW }, { "CXL", KIND_SLOW }, { "GPUMemory", KIND_SLOW },
    };

    for (size_t i = 0; node->subtype && i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        /* "CXL-DRAM" is CXL first. */
        if (strncmp(node->subtype, KINDS[i].subtype, strlen(KINDS[i].subtype)) == 0)
            return KINDS[i].kind;
    }
    return KIND_UNKNOWN;
}

static bool
is_special(hwloc_obj_t node)
{
    Kind kind = kind_of(node);

    return kind == KIND_FAST || kind == KIND_SLOW;
}

/* Whether `a` is more likely than `b` the node that a processor near to both is on. */
static bool
is_nearer(hwloc_obj_t a, hwloc_obj_t b)
{
    int weight_a = hwloc_bitmap_weight(a->cpuset), weight_b = hwloc_bitmap_weight(b->cpuset);

    return weight_a != weight_b ? weight_a < weight_b : is_special(b) && !is_special(a);
}

/* The node that a processor is on.  hwloc gives memory-only nodes (high-bandwidth or non-volatile
 * memory, GPUs) the processors they are near to; the operating system counts each processor on one node
 * only: the one nearest to it alone, of those of ordinary memory, and of several the first. */
static int
find_home(const LpTopology *topology, const LpObjects *objects, unsigned cpu)
{
    int best = -1;

    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        hwloc_obj_t node = objects->node[i];

        if (node->cpuset && hwloc_bitmap_isset(node->cpuset, cpu) &&
            (best < 0 || is_nearer(node, objects->node[best])))
            best = (int) i;
    }
    /* A processor whose own node is offline can but be on the one that is left. */
    return best < 0 && topology->n_nodes == 1 ? 0 : best;
}

static hwloc_obj_t
last_cache(hwloc_obj_t pu)
{
    hwloc_obj_t found = NULL;

    for (hwloc_obj_t object = pu; object; object = object->parent) {
        if (hwloc_obj_type_is_dcache(object->type))
            found = object;
    }
    return found;
}

/* Gives numbers from 0 in the order in which objects are first met. */
typedef struct {
    hwloc_obj_t met[LP_MAX_CPUS];
    uint32_t n;
} Numbers;

static uint16_t
number_of(Numbers *numbers, hwloc_obj_t object)
{
    for (uint32_t i = numbers->n; i-- > 0;) {    /* mostly the last one met */
        if (numbers->met[i] == object)
            return (uint16_t) i;
    }
    numbers->met[numbers->n] = object;
    return (uint16_t) numbers->n++;
}

/* Some virtual machines and synthetic descriptions name neither packages nor cores, nor caches: then
 * all is one package, each processor a core, and a package's processors share what cache there is.
 * Returns the package. */
static uint16_t
read_cpu(hwloc_topology_t hw, LpTopology *topology, unsigned cpu, Numbers *packages, Numbers *cores,
         Numbers *caches)
{
    hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(hw, cpu);
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(hw, HWLOC_OBJ_PACKAGE, pu);
    hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(hw, HWLOC_OBJ_CORE, pu);
    hwloc_obj_t cache = last_cache(pu);

    if (!package)
        package = hwloc_get_root_obj(hw);
    topology->core_of[cpu] = number_of(cores, core ? core : pu);
    topology->cache_of[cpu] = number_of(caches, cache ? cache : package);
    if (cache && topology->cache_bytes == 0)
        topology->cache_bytes = cache->attr->cache.size;
    return number_of(packages, package);
}

void
lp_topology_read_cpus(hwloc_topology_t hw, LpTopology *topology, LpObjects *objects)
{
    hwloc_const_cpuset_t all = hwloc_topology_get_topology_cpuset(hw);
    hwloc_const_cpuset_t allowed = hwloc_topology_get_allowed_cpuset(hw);
    int n_complete = hwloc_bitmap_weight(hwloc_topology_get_complete_cpuset(hw));
    Numbers packages, cores, caches;

    packages.n = cores.n = caches.n = 0;
    for (int cpu = hwloc_bitmap_first(all); cpu >= 0; cpu = hwloc_bitmap_next(all, cpu)) {
        int home = find_home(topology, objects, (unsigned) cpu);
        uint16_t package;

        if (home >= 0)
            objects->has_cpus[home] = true;
        if (!hwloc_bitmap_isset(allowed, (unsigned) cpu)) {
            topology->n_cpus_forbidden++;
            continue;
        }
        if (home >= 0)
            lp_cpumask_add(&topology->nodes[home].cpus, (unsigned) cpu);
        topology->n_cpus++;
        package = read_cpu(hw, topology, (unsigned) cpu, &packages, &cores, &caches);
        /* Of a node's processors the first is met first. */
        if (home >= 0 && lp_cpumask_next(&topology->nodes[home].cpus, 0) == cpu)
            topology->nodes[home].package = package;
    }
    topology->n_packages = packages.n;
    topology->n_cores = cores.n;
    if (n_complete > hwloc_bitmap_weight(all))
        topology->n_cpus_offline = (uint32_t) (n_complete - hwloc_bitmap_weight(all));
}

/* --- memory --- */

/* The highest bandwidth from any processors to a node, in hwloc's unit; 0: not stated. */
static hwloc_uint64_t
bandwidth_of(hwloc_topology_t hw, hwloc_obj_t node)
{
    struct hwloc_location from;
    hwloc_uint64_t value;

    return hwloc_memattr_get_best_initiator(hw, HWLOC_MEMATTR_ID_BANDWIDTH, node, 0, &from,
                                            &value) == 0 ? value : 0;
}

/* hwloc knows what a node without processors is near to, even where distances do not tell. */
static int
local_cpus(const LpTopology *topology, const LpObjects *objects, uint32_t index)
{
    if (lp_cpumask_next(&topology->nodes[index].cpus, 0) >= 0)
        return (int) index;
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        int cpu = lp_cpumask_next(&topology->nodes[i].cpus, 0);

        if (cpu >= 0 && objects->node[index]->cpuset &&
            hwloc_bitmap_isset(objects->node[index]->cpuset, (unsigned) cpu))
            return (int) i;
    }
    return lp_topology_near_cpus(topology, index);
}

/* A node without processors of whose memory nothing else is known is far from all that could use it;
 * unless it is faster than what is near to them. */
static LpTier
tier_of(hwloc_topology_t hw, const LpTopology *topology, const LpObjects *objects, uint32_t index)
{
    hwloc_uint64_t own, near;
    int nearest;

    switch (kind_of(objects->node[index])) {
    case KIND_FAST:
        return LP_TIER_FAST;
    case KIND_SLOW:
        return LP_TIER_SLOW;
    case KIND_DRAM:
        return LP_TIER_NORMAL;
    default:
        break;
    }
    if (objects->has_cpus[index])
        return LP_TIER_NORMAL;
    nearest = local_cpus(topology, objects, index);
    if (nearest < 0)
        return LP_TIER_NORMAL;
    own = bandwidth_of(hw, objects->node[index]);
    near = bandwidth_of(hw, objects->node[nearest]);
    return near > 0 && own / FAST_FACTOR >= near ? LP_TIER_FAST : LP_TIER_SLOW;
}

static uint64_t
memory_cache_of(hwloc_obj_t node)
{
    uint64_t bytes = 0;

    for (hwloc_obj_t object = node->parent; object && object->type == HWLOC_OBJ_MEMCACHE;
         object = object->parent) {
        if (object->attr->cache.size > bytes)
            bytes = object->attr->cache.size;
    }
    return bytes;
}

void
lp_topology_read_memory(hwloc_topology_t hw, LpTopology *topology, const LpObjects *objects)
{
    bool any_normal = false;

    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        LpNode *node = &topology->nodes[i];
        int nearest = local_cpus(topology, objects, i);

        node->tier = tier_of(hw, topology, objects, i);
        node->memory_cache_bytes = memory_cache_of(objects->node[i]);
        if (nearest >= 0)
            node->package = topology->nodes[nearest].package;
        any_normal = any_normal || node->tier == LP_TIER_NORMAL;
    }
    /* Where all processors' own memory is of one kind, that is the host's ordinary one, however
     * fast. */
    for (uint32_t i = 0; i < topology->n_nodes && !any_normal; i++) {
        if (objects->has_cpus[i])
            topology->nodes[i].tier = LP_TIER_NORMAL;
    }
}
