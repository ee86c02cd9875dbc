/* Sizes at any moment: S1, S2, S3, S8. */
#include <inttypes.h>
#include <string.h>

#include "hotplug/plan.h"
#include "tests/oracle/oracle-priv.h"


/* A domain without a profile may take all that it was defined with. */
static uint64_t
most_bytes(const LpView *view, bool managed)
{
    return managed ? lp_view_granted_bytes(view) : lp_view_ceiling_bytes(view);
}

static void
check_bounds(LpOracle *oracle, const LpView *view, const LpProfile *profile)
{
    uint64_t bytes = lp_view_granted_bytes(view), asked = lp_view_requested_bytes(view);
    uint32_t cpus = lp_plan_granted_vcpus(view, &profile->folded);

    if (MIN(bytes, asked) < profile->mem.min_bytes)
        lp_oracle_tell(oracle, LP_INVARIANT_S1, "%s has %" PRIu64 " bytes, its min is %" PRIu64,
                       view->name, MIN(bytes, asked), profile->mem.min_bytes);
    if (cpus < profile->cpu.min)
        lp_oracle_tell(oracle, LP_INVARIANT_S1, "%s has %u vCPUs, its min is %u", view->name,
                       cpus, profile->cpu.min);
    if (bytes > profile->mem.max_bytes)
        lp_oracle_tell(oracle, LP_INVARIANT_S2, "%s has %" PRIu64 " bytes, its max is %" PRIu64,
                       view->name, bytes, profile->mem.max_bytes);
    if (cpus > profile->cpu.max)
        lp_oracle_tell(oracle, LP_INVARIANT_S2, "%s has %u vCPUs, its max is %u", view->name,
                       cpus, profile->cpu.max);
}

static void
check_nodes(LpOracle *oracle, const uint64_t *node_bytes)
{
    const LpTopology *topology = oracle->host.topology;

    for (uint32_t n = 0; n < topology->n_nodes; n++)
        if (node_bytes[n] > topology->nodes[n].memory_bytes)
            lp_oracle_tell(oracle, LP_INVARIANT_S3,
                           "node %u: %" PRIu64 " bytes may be taken of its %" PRIu64,
                           topology->nodes[n].id, node_bytes[n],
                           topology->nodes[n].memory_bytes);
}

/* A cell that only prefers its node takes from others where that is full: the host's sum bounds it. */
static bool
is_bound(const LpView *view, const LpProfile *profile)
{
    return view->numatune == LP_NUMATUNE_RESTRICTIVE || view->numatune == LP_NUMATUNE_OTHER
           || (profile
               && (profile->numa.mode == LP_NUMA_STRICT
                   || (profile->numa.n_nodes > 0
                       && (profile->numa.mode == LP_NUMA_SPREAD
                           || profile->numa.mode == LP_NUMA_INTERLEAVE))));
}

/* What is bound to a node, by the hypervisor's word; DIMMs follow their cell. */
static void
add_nodes(const LpOracle *oracle, const LpView *view, bool managed, uint64_t *node_bytes)
{
    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];
        int node = cell->home < 0 ? -1
                                  : lp_topology_find(oracle->host.topology,
                                                     (uint32_t) cell->home);

        if (node < 0)
            continue;
        node_bytes[node] += cell->base_bytes
                            + (managed ? MAX(cell->requested_bytes, cell->current_bytes)
                                       : cell->device_bytes);
        for (uint32_t d = 0; d < view->n_dimms; d++)
            if (view->dimms[d].cell == i)
                node_bytes[node] += view->dimms[d].bytes;
    }
}

void
lp_oracle_look(LpOracle *oracle, GPtrArray *views)
{
    uint64_t sum = oracle->host.reserve_bytes, node_bytes[LP_MAX_NODES] = {0};
    uint64_t centi = (uint64_t) oracle->host.reserve_centi + oracle->host.pools_centi;
    uint64_t capacity = lp_topology_memory(oracle->host.topology);

    for (guint i = 0; i < views->len; i++) {
        const LpView *view = g_ptr_array_index(views, i);
        LpProfile profile;
        bool managed = lp_oracle_profile(view, &profile);

        if (view->run == LP_RUN_OFF)
            continue;
        sum += most_bytes(view, managed) + oracle->host.overhead_bytes;
        if (is_bound(view, managed ? &profile : NULL))
            add_nodes(oracle, view, managed, node_bytes);
        if (!managed)
            continue;
        centi += profile.capacity.entitled_centi;
        check_bounds(oracle, view, &profile);
    }
    if (sum > capacity)
        lp_oracle_tell(oracle, LP_INVARIANT_S3,
                       "the host's %" PRIu64 " bytes: %" PRIu64 " may be taken, reserve and "
                       "overhead included",
                       capacity, sum);
    check_nodes(oracle, node_bytes);
    if (centi > (uint64_t) oracle->host.topology->n_cpus * 100)
        lp_oracle_tell(oracle, LP_INVARIANT_S8,
                       "%" PRIu64 " hundredths of a processor are entitled or reserved, and there "
                       "are %u processors",
                       centi, oracle->host.topology->n_cpus);
}
