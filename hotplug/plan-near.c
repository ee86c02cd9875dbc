/* What the partition's rule of placement says to a plan, and what the plan does to its affinity. */
#include <string.h>

#include "hotplug/plan-parts.h"

/* Scores are in hundredths of a point, floors in points. */
#define SCORE_POINT 100

bool
lp_plan_is_level(const LpNumaRule *rule)
{
    return rule->mode == LP_NUMA_SPREAD || rule->mode == LP_NUMA_INTERLEAVE;
}

bool
lp_plan_is_held(const LpNumaRule *rule)
{
    return rule->n_nodes > 0 && (rule->mode == LP_NUMA_STRICT || lp_plan_is_level(rule));
}

bool
lp_plan_names_node(const LpNumaRule *rule, int32_t node)
{
    if (!lp_plan_is_held(rule) && (rule->mode != LP_NUMA_PREFERRED || rule->n_nodes == 0))
        return true;
    for (uint32_t i = 0; i < rule->n_nodes && i < LP_MAX_NODES; i++)
        if (node >= 0 && rule->node_id[i] == node)
            return true;
    return false;
}

int32_t
lp_plan_growth_node(const LpNumaRule *rule, const LpViewCell *cell)
{
    bool bars = lp_plan_is_held(rule) && !lp_plan_names_node(rule, cell->node);

    return cell->node >= 0 && !bars ? cell->node : cell->home;
}

bool
lp_plan_may_stray(const LpView *view, const LpNumaRule *rule, uint32_t n_nodes)
{
    /* With one node there is no other.  Somebody else's binding may have the guest killed for want
     * of memory that other nodes have; and what is locked could never be brought home. */
    return n_nodes > 1 && !lp_plan_is_held(rule) && !view->memory_locked
           && (view->numatune == LP_NUMATUNE_NONE || view->numatune == LP_NUMATUNE_CELLS);
}

bool
lp_plan_check_nodes(LpPlan *plan, const LpNumaRule *rule, const LpRoom *room, uint64_t bytes)
{
    uint32_t n_present = 0, n = rule->n_nodes < LP_MAX_NODES ? rule->n_nodes : LP_MAX_NODES;
    int32_t absent = -1;

    if (!lp_plan_is_held(rule) || room->n_nodes == 0)
        return true;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = 0;

        while (at < room->n_nodes && room->node_id[at] != rule->node_id[i])
            at++;
        if (at < room->n_nodes)
            n_present++;
        else if (absent < 0)
            absent = rule->node_id[i];
    }
    if (absent >= 0)
        lp_plan_add_shortfall(plan, LP_SHORT_NODES_ABSENT, LP_RESOURCE_MEM, n_present == 0, bytes,
                              n_present, absent);
    return n_present > 0;
}

static int
index_of(const LpTopology *topology, int32_t node)
{
    return node < 0 ? -1 : lp_topology_find(topology, (uint32_t) node);
}

/* Adds what lies beside `home` for want of room, to the nodes with room, the nearest first. */
static void
add_remote(const LpTopology *topology, uint64_t *room_bytes, int home, uint64_t bytes,
           LpSpread *memory)
{
    while (bytes > 0) {
        int best = -1;
        uint64_t part;

        for (uint32_t n = 0; n < topology->n_nodes; n++)
            if ((int) n != home && room_bytes[n] > 0
                && (best < 0 || topology->distance[home][n] < topology->distance[home][best]))
                best = (int) n;
        if (best < 0)
            break;
        part = room_bytes[best] < bytes ? room_bytes[best] : bytes;
        memory->on[best] += part;
        room_bytes[best] -= part;
        bytes -= part;
    }
    memory->on[home] += bytes;
}

/* Adds what a cell has to `memory`: as its pages lie, what is new at its home but for `remote`. */
static void
add_cell(const LpWhere *where, const LpView *view, uint32_t cell, uint64_t bytes, uint64_t remote,
         uint64_t *room_bytes, LpSpread *memory)
{
    const LpSpread *now = &where->cell_memory[cell];
    int home = index_of(where->topology, view->cells[cell].home);
    unsigned __int128 sum = 0;
    uint64_t rest = bytes;

    for (uint32_t n = 0; n < where->topology->n_nodes; n++)
        sum += now->on[n];
    /* What grows keeps its pages; what shrinks, or grows nowhere known, keeps their shares. */
    for (uint32_t n = 0; sum && n < where->topology->n_nodes; n++) {
        uint64_t part = sum < bytes && home >= 0
                            ? now->on[n]
                            : (uint64_t) (now->on[n] * (unsigned __int128) bytes / sum);

        memory->on[n] += part;
        rest -= part < rest ? part : rest;
    }
    if (home < 0)
        return;
    remote = remote < rest ? remote : rest;
    memory->on[home] += rest - remote;
    add_remote(where->topology, room_bytes, home, remote, memory);
}

/* vCPUs that are pinned come to and leave the node of their cell; all others run as they did. */
static void
move_vcpus(const LpWhere *where, const LpView *view, const LpCpuMask *before,
           const LpCpuMask *after, LpSpread *cpus)
{
    uint32_t n_before = lp_cpumask_count(before);
    unsigned __int128 sum = 0;
    uint64_t one;

    for (uint32_t n = 0; n < where->topology->n_nodes; n++)
        sum += cpus->on[n];
    one = n_before ? (uint64_t) (sum / n_before) : 0;
    for (uint32_t i = 0; i < view->n_cells && view->has_pins; i++) {
        int node = index_of(where->topology, view->cells[i].home);

        node = node < 0 ? -1 : lp_topology_near_cpus(where->topology, (uint32_t) node);
        for (int c = lp_cpumask_next(&view->cells[i].vcpus, 0); node >= 0 && c >= 0;
             c = lp_cpumask_next(&view->cells[i].vcpus, c + 1u)) {
            bool was = lp_cpumask_has(before, (unsigned) c);
            bool is = lp_cpumask_has(after, (unsigned) c);

            if (is && !was)
                cpus->on[node] += one;
            else if (was && !is)
                cpus->on[node] -= one < cpus->on[node] ? one : cpus->on[node];
        }
    }
}

/* What each node has beside what the partition holds of it. */
static void
fill_rooms(const LpView *view, const LpRoom *room, uint64_t *ret_bytes)
{
    for (uint32_t n = 0; n < room->n_nodes; n++) {
        uint64_t held = 0;

        for (uint32_t i = 0; i < view->n_cells; i++)
            if (view->cells[i].home == room->node_id[n])
                held += view->cells[i].base_bytes + view->cells[i].requested_bytes;
        ret_bytes[n] = room->node_room_bytes[n] > held ? room->node_room_bytes[n] - held : 0;
    }
}

/* In hundredths; LP_SCORE_NONE: nothing to tell.  `remote` by cell, or NULL: all at home. */
static uint32_t
score_with(const LpView *view, const LpBounds *bounds, const LpRoom *room, const LpSpread *cpus,
           uint32_t vcpus, const uint64_t *requested, const uint64_t *remote)
{
    const LpTopology *topology = room->where->topology;
    LpNodeSet allowed = lp_numa_rule_nodes(&bounds->numa, topology, NULL);
    uint64_t total = 0, room_bytes[LP_MAX_NODES] = {0};
    LpSpread memory;

    memset(&memory, 0, sizeof memory);
    fill_rooms(view, room, room_bytes);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        uint64_t bytes = view->cells[i].base_bytes + requested[i];

        add_cell(room->where, view, i, bytes, remote ? remote[i] : 0, room_bytes, &memory);
        total += bytes;
    }
    return lp_score_of(lp_score_local(topology, cpus, &memory),
                       lp_score_best(topology, NULL, allowed, total, vcpus));
}

void
lp_plan_check_affinity(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                       const LpRoom *room, const LpTarget *target)
{
    const LpWhere *where = room->where;
    uint64_t requested[LP_MAX_CELLS];
    uint32_t now, then, floor = bounds->numa.floor;
    LpCpuMask running = view->plugged;
    LpSpread cpus;
    bool grows;

    /* Whoever names the cell knows why: it is half of a shift. */
    if (target->one_cell || !floor || !where || plan->refused || view->run == LP_RUN_OFF
        || view->n_cells == 0)
        return;
    for (unsigned w = 0; w < LP_MAX_CPUS / 64; w++)
        running.words[w] &= ~bounds->folded.words[w];
    for (uint32_t i = 0; i < view->n_cells; i++)
        requested[i] = view->cells[i].requested_bytes;
    cpus = where->cpus;
    now = score_with(view, bounds, room, &cpus, plan->cpu_before, requested, NULL);
    move_vcpus(where, view, &running, &plan->run_after, &cpus);
    then = score_with(view, bounds, room, &cpus, plan->cpu_after, plan->requested_after_bytes,
                      plan->remote_bytes);
    /* One that is below already may come nearer, or stay. */
    if (then == LP_SCORE_NONE || then >= floor * SCORE_POINT
        || (now != LP_SCORE_NONE && then >= now))
        return;
    /* What is given back is never refused: others wait for it. */
    grows = plan->cpu_after > plan->cpu_before
            || (target->has_mem && plan->mem_after_bytes > plan->mem_before_bytes);
    lp_plan_add_shortfall(plan, LP_SHORT_AFFINITY,
                          target->has_mem ? LP_RESOURCE_MEM : LP_RESOURCE_CPU,
                          grows && bounds->numa.floor_action == LP_FLOOR_REFUSE, floor,
                          then / SCORE_POINT, -1);
}
