/* Where a partition that is to come is put: how many cells, and on which node each. */
#include "numa/layout.h"
#include "numa/place.h"

/* A set of nodes, and how good it is; less is better, from the first to the last. */
typedef struct {
    uint32_t n;
    uint32_t nodes[LP_MAX_NODES];
    uint32_t slow;            /* of slow memory */
    uint64_t distance;        /* of all pairs */
    uint64_t crowd;           /* vCPUs for each processor, in 1/256, beyond one */
    uint64_t left;            /* free memory that stays on them, in 2^-8: great holes stay whole */
    uint64_t cpus, load;      /* of the nodes whose processors serve them: */
    LpNodeSet serving;
} NodeGroup;

typedef struct {
    const LpTopology *topology;
    const LpLayoutUse *use;
    uint64_t each;            /* memory for one cell */
    uint32_t vcpus;           /* of the whole partition */
    bool roomiest;            /* the most room is best, not the least */
} Wish;

static uint64_t
distance_between(const LpTopology *topology, uint32_t a, uint32_t b)
{
    return (uint64_t) lp_score_pair(topology, a, b) + lp_score_pair(topology, b, a);
}

/* Adds a node to a group. */
static void
join(const Wish *wish, NodeGroup *group, uint32_t node)
{
    const LpTopology *topology = wish->topology;
    uint64_t free = wish->use[node].free_bytes, load;
    int near = lp_topology_near_cpus(topology, node);

    group->slow += topology->nodes[node].tier == LP_TIER_SLOW;
    group->left += (free - (free < wish->each ? free : wish->each)) >> 8;
    if (near >= 0 && near != (int) node)
        group->distance += lp_score_pair(topology, (uint32_t) near, node);
    for (uint32_t k = 0; k < group->n; k++)
        group->distance += distance_between(topology, node, group->nodes[k]);
    if (near >= 0 && !(group->serving >> near & 1)) {
        group->serving |= UINT64_C(1) << near;
        group->cpus += lp_cpumask_count(&topology->nodes[near].cpus);
        group->load += wish->use[near].vcpus;
    }
    load = group->load + wish->vcpus;
    group->crowd = UINT32_MAX;
    if (group->cpus)
        group->crowd = load > group->cpus ? (load - group->cpus) * 256 / group->cpus : 0;
    group->nodes[group->n++] = node;
}

static bool
is_better(const Wish *wish, const NodeGroup *a, const NodeGroup *b)
{
    if (b->n == 0)
        return true;
    if (a->slow != b->slow)
        return a->slow < b->slow;
    if (a->distance != b->distance)
        return a->distance < b->distance;
    if (a->crowd != b->crowd)
        return a->crowd < b->crowd;
    return wish->roomiest ? a->left > b->left : a->left < b->left;
}

/* The `n` of the nodes given that are nearest to `center`, itself first; of equally near ones
 * those with the fewest vCPUs for a processor, then the fullest. */
static bool
group_around(const Wish *wish, LpNodeSet nodes, uint32_t center, uint32_t n, NodeGroup *ret)
{
    LpNodeSet left = nodes & ~(UINT64_C(1) << center);

    *ret = (NodeGroup) { 0 };
    join(wish, ret, center);
    while (ret->n < n) {
        NodeGroup best = { 0 };

        for (uint32_t j = 0; j < wish->topology->n_nodes; j++) {
            NodeGroup with;

            if (!(left >> j & 1))
                continue;
            with = *ret;
            join(wish, &with, j);
            if (is_better(wish, &with, &best))
                best = with;
        }
        if (best.n == 0)
            return false;
        left &= ~(UINT64_C(1) << best.nodes[best.n - 1]);
        *ret = best;
    }
    return true;
}

static bool
find_group(const Wish *wish, LpNodeSet nodes, uint32_t n, NodeGroup *ret)
{
    ret->n = 0;
    for (uint32_t j = 0; j < wish->topology->n_nodes; j++) {
        NodeGroup group;

        if ((nodes >> j & 1) && group_around(wish, nodes, j, n, &group) &&
            is_better(wish, &group, ret))
            *ret = group;
    }
    return ret->n == n;
}

/* Of the nodes, those that have room for a cell. */
static LpNodeSet
with_room(const Wish *wish, LpNodeSet nodes)
{
    LpNodeSet fit = 0;

    for (uint32_t j = 0; j < wish->topology->n_nodes; j++) {
        if ((nodes >> j & 1) && wish->use[j].free_bytes >= wish->each)
            fit |= UINT64_C(1) << j;
    }
    return fit;
}

/* Whether so many vCPUs may have a processor each on that many of the nodes, or would not on
 * all. */
static bool
has_processors(const Wish *wish, LpNodeSet nodes, uint32_t n)
{
    uint32_t all = 0, most = 0;

    for (uint32_t j = 0; j < wish->topology->n_nodes; j++) {
        uint32_t here = lp_cpumask_count(&wish->topology->nodes[j].cpus);

        if (!(nodes >> j & 1))
            continue;
        all += here;
        most = here > most ? here : most;
    }
    return wish->vcpus > all || (uint64_t) most * n >= wish->vcpus;
}

static uint64_t
part_of(uint64_t bytes, uint32_t n)
{
    return bytes / n + (bytes % n != 0);
}

/* Those that could hold a cell of this size if nobody else were there. */
static LpNodeSet
great_enough(const Wish *wish, LpNodeSet nodes, uint64_t each)
{
    LpNodeSet fit = 0;

    for (uint32_t j = 0; j < wish->topology->n_nodes; j++) {
        if ((nodes >> j & 1) && wish->topology->nodes[j].memory_bytes >= each)
            fit |= UINT64_C(1) << j;
    }
    return fit;
}

/* So many cells, each with room for its part of `bytes`. */
static bool
find_so_many(Wish *wish, LpNodeSet nodes, uint64_t bytes, uint32_t n, NodeGroup *ret)
{
    LpNodeSet fit;

    wish->each = part_of(bytes, n);
    fit = with_room(wish, nodes);
    return (uint32_t) __builtin_popcountll(fit) >= n && find_group(wish, fit, n, ret);
}

/* The fewest nodes (or, for bandwidth, the most) that are great enough for its maximum in equal
 * parts. The guest keeps its cells for as long as it runs, while others come and go: where there
 * is no room for the maximum now, there must be for what it starts with, and the most is best. */
static bool
find_fewest(Wish *wish, LpNodeSet nodes, const LpLayoutNew *wanted, bool most, NodeGroup *ret)
{
    uint64_t max = wanted->max_bytes > wanted->bytes ? wanted->max_bytes : wanted->bytes;
    uint32_t n_nodes = (uint32_t) __builtin_popcountll(nodes);

    for (uint32_t i = 1; i <= n_nodes; i++) {
        uint32_t n = most ? n_nodes + 1 - i : i;
        LpNodeSet fit = great_enough(wish, nodes, part_of(max, n));

        if ((uint32_t) __builtin_popcountll(fit) < n || (!most && !has_processors(wish, fit, n)))
            continue;
        if (find_so_many(wish, fit, max, n, ret))
            return true;
        wish->roomiest = true;
        if (find_so_many(wish, fit, wanted->bytes, n, ret))
            return true;
        wish->roomiest = false;
    }
    return false;
}

/* So many cells as are asked for, on a node each as far as there are some. */
static bool
find_exactly(Wish *wish, LpNodeSet nodes, const LpLayoutNew *wanted, NodeGroup *ret)
{
    uint64_t max = wanted->max_bytes > wanted->bytes ? wanted->max_bytes : wanted->bytes;
    uint32_t n_nodes = (uint32_t) __builtin_popcountll(nodes);
    uint32_t n = wanted->n_cells < n_nodes ? wanted->n_cells : n_nodes;

    if (n == 0)
        return false;
    if (find_so_many(wish, nodes, max, n, ret))
        return true;
    wish->roomiest = true;
    return find_so_many(wish, nodes, wanted->bytes, n, ret);
}

/* Nothing has room for it: the nodes with the most. */
static uint32_t
find_roomiest(const Wish *wish, LpNodeSet nodes, uint32_t n, NodeGroup *ret)
{
    ret->n = 0;
    while (ret->n < n) {
        int best = -1;

        for (uint32_t j = 0; j < wish->topology->n_nodes; j++) {
            if ((nodes >> j & 1) &&
                (best < 0 || wish->use[j].free_bytes > wish->use[best].free_bytes))
                best = (int) j;
        }
        if (best < 0)
            break;
        nodes &= ~(UINT64_C(1) << best);
        ret->nodes[ret->n++] = (uint32_t) best;
    }
    return ret->n;
}

static bool
find_among(Wish *wish, const LpLayoutNew *wanted, LpNodeSet nodes, NodeGroup *group)
{
    wish->roomiest = false;
    if (wanted->rule.mode == LP_NUMA_INTERLEAVE && wanted->n_cells == 0)
        return find_roomiest(wish, nodes, 1, group) == 1;
    if (wanted->n_cells)
        return find_exactly(wish, nodes, wanted, group);
    return find_fewest(wish, nodes, wanted, wanted->rule.mode == LP_NUMA_SPREAD, group);
}

/* Nodes that a partition could be put on without any rule: those with memory, with processors of
 * their own if some are. */
static LpNodeSet
ordinary_nodes(const LpTopology *topology)
{
    LpNodeSet memory = 0, both = 0;

    for (uint32_t j = 0; j < topology->n_nodes && j < LP_MAX_NODES; j++) {
        if (topology->nodes[j].memory_bytes == 0)
            continue;
        memory |= UINT64_C(1) << j;
        if (lp_cpumask_next(&topology->nodes[j].cpus, 0) >= 0)
            both |= UINT64_C(1) << j;
    }
    return both ? both : memory;
}

static uint32_t
least_cells(const LpTopology *topology, LpNodeSet nodes, const LpLayoutNew *wanted)
{
    uint64_t greatest = 1, most = wanted->max_bytes > wanted->bytes ? wanted->max_bytes
                                                                    : wanted->bytes;

    if (wanted->n_cells)
        return wanted->n_cells;
    for (uint32_t j = 0; j < topology->n_nodes; j++) {
        if ((nodes >> j & 1) && topology->nodes[j].memory_bytes > greatest)
            greatest = topology->nodes[j].memory_bytes;
    }
    most = most / greatest + (most % greatest != 0);
    return most > LP_MAX_CELLS ? LP_MAX_CELLS : most ? (uint32_t) most : 1;
}

uint32_t
lp_layout_choose(const LpTopology *topology, const LpLayoutUse *use, const LpLayoutNew *wanted,
                 int32_t *ret_nodes)
{
    LpNodeSet named = lp_numa_rule_nodes(&wanted->rule, topology, NULL);
    LpNodeSet all = ordinary_nodes(topology), nodes = wanted->rule.n_nodes ? named : named & all;
    Wish wish = { .topology = topology, .use = use, .vcpus = wanted->vcpus };
    NodeGroup group;
    uint32_t n_cells;
    bool found;

    if (wanted->rule.mode == LP_NUMA_KEEP)
        return 0;
    if (!nodes && wanted->rule.mode != LP_NUMA_STRICT)
        nodes = named ? named : all;
    if (!nodes)
        return 0;
    found = find_among(&wish, wanted, nodes, &group);
    /* What is preferred gives way; what has no processors comes last. */
    if (!found && wanted->rule.mode == LP_NUMA_PREFERRED)
        found = find_among(&wish, wanted, nodes = nodes | all, &group);
    if (!found && wanted->rule.n_nodes == 0 && named != nodes)
        found = find_among(&wish, wanted, named, &group);
    if (!found && find_roomiest(&wish, nodes, least_cells(topology, nodes, wanted), &group) == 0)
        return 0;
    n_cells = wanted->n_cells ? wanted->n_cells : group.n;
    if (n_cells > LP_MAX_CELLS)
        n_cells = LP_MAX_CELLS;
    for (uint32_t i = 0; i < n_cells; i++)
        ret_nodes[i] = (int32_t) group.nodes[i % group.n];
    return n_cells;
}
