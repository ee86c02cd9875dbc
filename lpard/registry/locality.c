/* Where a partition lies: what was measured laid over what its definition says. */
#include <string.h>

#include "lpard/registry/registry-priv.h"

/* A vCPU's weight in a spread: fine enough to be shared by a thousand processors. */
#define VCPU_WEIGHT (1U << 20)
/* Mean distances have two decimals. */
#define HUNDREDTHS 100

static uint64_t
resident_of(const LpLocalityPart *part, uint32_t n_nodes)
{
    uint64_t sum = part->elsewhere_bytes;

    for (uint32_t n = 0; n < n_nodes; n++)
        sum += part->on_bytes[n];
    return sum;
}

/* The id of the node with most of it, of equals the one it is bound to; `otherwise` where less than
 * half of what the cell has was ever touched. */
static int32_t
home_of(const LpTopology *topology, const LpViewCell *cell, const LpLocalityPart *part)
{
    uint64_t has = cell->base_bytes + cell->current_bytes;
    int best = lp_topology_find(topology, (uint32_t) cell->node);

    if (resident_of(part, topology->n_nodes) < has - has / 2)
        return cell->node;
    if (cell->node < 0)
        best = -1;
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        if (part->on_bytes[n] > (best < 0 ? 0 : part->on_bytes[best]))
            best = (int) n;
    return best < 0 ? cell->node : (int32_t) topology->nodes[best].id;
}

/* What was measured of a cell, or NULL. */
static const LpLocalityPart *
part_of(const LpPartition *partition, uint32_t cell)
{
    const LpLocality *locality = partition->locality;

    return locality && cell + 1 < locality->n_parts ? &locality->parts[cell] : NULL;
}

/* Of what a cell has, what had no page yet. */
static uint64_t
fresh_of(const LpRegistry *registry, const LpLocalityPart *part, uint64_t has)
{
    uint64_t resident = resident_of(part, registry->host.topology.n_nodes);

    return has > resident ? has - resident : 0;
}

static void
settle_homes(LpRegistry *registry, LpPartition *partition)
{
    LpView *view = partition->view;

    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpLocalityPart *part = part_of(partition, i);

        LpViewCell *cell = &view->cells[i];

        cell->home = part ? home_of(&registry->host.topology, cell, part) : cell->node;
        cell->fresh_bytes = 0;
        if (part && cell->node >= 0 && cell->home != cell->node)
            cell->fresh_bytes = fresh_of(registry, part, lp_registry_cell_bytes(view, i));
    }
}

/* One vCPU shared by the nodes of the processors that it may use. */
static void
spread_by_mask(const LpTopology *topology, const LpCpuMask *may, LpSpread *spread)
{
    uint32_t on[LP_MAX_NODES] = {0}, all = 0;

    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        LpCpuMask both;

        for (size_t w = 0; w < G_N_ELEMENTS(both.words); w++)
            both.words[w] = topology->nodes[n].cpus.words[w] & may->words[w];
        on[n] = lp_cpumask_count(&both);
        all += on[n];
    }
    for (uint32_t n = 0; n < topology->n_nodes && all; n++)
        spread->on[n] += (uint64_t) VCPU_WEIGHT * on[n] / all;
}

static int
cell_of(const LpView *view, unsigned vcpu)
{
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (lp_cpumask_has(&view->cells[i].vcpus, vcpu))
            return (int) i;
    return -1;
}

/* Not measured: a pinned vCPU is where its cell is, any other anywhere. */
static void
spread_by_home(const LpTopology *topology, const LpView *view, unsigned vcpu, LpSpread *spread)
{
    int cell = view->has_pins ? cell_of(view, vcpu) : -1;
    int node = cell < 0 || view->cells[cell].home < 0
                   ? -1 : lp_topology_find(topology, (uint32_t) view->cells[cell].home);

    node = node < 0 ? -1 : lp_topology_near_cpus(topology, (uint32_t) node);
    if (node >= 0)
        spread->on[node] += VCPU_WEIGHT;
    else
        for (uint32_t n = 0; n < topology->n_nodes; n++)
            spread->on[n] += (uint64_t) VCPU_WEIGHT * lp_cpumask_count(&topology->nodes[n].cpus)
                             / MAX(topology->n_cpus, 1);
}

static void
settle_cpus(LpRegistry *registry, LpPartition *partition, LpSpread *spread)
{
    const LpTopology *topology = &registry->host.topology;
    const LpLocality *locality = partition->locality;
    LpCpuMask running = partition->view->plugged;

    memset(spread, 0, sizeof *spread);
    if (lp_partition_has_profile(partition))
        for (size_t w = 0; w < G_N_ELEMENTS(running.words); w++)
            running.words[w] &= ~partition->profile.folded.words[w];
    for (uint32_t i = 0; locality && i < locality->n_vcpus; i++) {
        uint32_t vcpu = locality->vcpus[i].vcpu;

        if (!lp_cpumask_has(&running, vcpu))
            continue;
        spread_by_mask(topology, &locality->vcpus[i].may, spread);
        lp_cpumask_remove(&running, vcpu);
    }
    for (int c = lp_cpumask_next(&running, 0); c >= 0; c = lp_cpumask_next(&running, c + 1u))
        spread_by_home(topology, partition->view, (unsigned) c, spread);
}

/* What a cell has, laid over the nodes as its resident pages are; where none are, at its home, and
 * without one over all nodes by their size. */
static void
spread_cell(const LpTopology *topology, const LpViewCell *cell, const LpLocalityPart *part,
            LpSpread *ret)
{
    uint64_t has = cell->base_bytes + cell->current_bytes, all = lp_topology_memory(topology);
    uint64_t resident = part ? resident_of(part, topology->n_nodes) - part->elsewhere_bytes : 0;
    int home = cell->home < 0 ? -1 : lp_topology_find(topology, (uint32_t) cell->home);

    memset(ret, 0, sizeof *ret);
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint64_t weight = resident   ? part->on_bytes[n]
                          : home < 0 ? topology->nodes[n].memory_bytes
                                     : (uint64_t) ((int) n == home);
        uint64_t sum = resident ? resident : home < 0 ? all : 1;

        if (sum)
            ret->on[n] = (uint64_t) ((unsigned __int128) has * weight / sum);
    }
}

/* The mean of the processors' distances to each node; `amount` by node against `to`. */
static uint32_t
mean_distance(const LpTopology *topology, const LpSpread *amount, const uint32_t *to)
{
    unsigned __int128 sum = 0, weight = 0;

    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        if (amount->on[n] == 0)
            continue;
        sum += (unsigned __int128) amount->on[n] * to[n];
        weight += amount->on[n];
    }
    return weight ? (uint32_t) (sum / weight) : 0;
}

static void
settle_distances(const LpTopology *topology, LpWhere *where, uint32_t n_cells)
{
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint32_t from[LP_MAX_NODES];

        for (uint32_t i = 0; i < topology->n_nodes; i++)
            from[i] = topology->distance[i][n] * HUNDREDTHS;
        where->node_distance[n] = mean_distance(topology, &where->cpus, from);
    }
    for (uint32_t i = 0; i < n_cells; i++)
        where->cell_distance[i] = mean_distance(topology, &where->cell_memory[i],
                                                where->node_distance);
}

void
lp_registry_settle(LpRegistry *registry, LpPartition *partition)
{
    const LpTopology *topology = &registry->host.topology;
    const LpView *view = partition->view;
    struct LpAccount *account = partition->account;
    LpLocality *locality = partition->locality;

    if (locality && strcmp(locality->run_id, view->run_id) != 0) {
        g_clear_pointer(&partition->locality, lp_locality_free);
        partition->locality_usec = 0;
    }
    settle_homes(registry, partition);
    /* With one node there is nothing to be near to. */
    if (topology->n_nodes < 2)
        return;
    account->where.topology = topology;
    account->cell_memory = g_renew(LpSpread, account->cell_memory, MAX(view->n_cells, 1));
    account->where.cell_memory = account->cell_memory;
    for (uint32_t i = 0; i < view->n_cells; i++)
        spread_cell(topology, &view->cells[i], part_of(partition, i), &account->cell_memory[i]);
    settle_cpus(registry, partition, &account->where.cpus);
    settle_distances(topology, &account->where, view->n_cells);
}

void
lp_registry_locate(LpRegistry *registry, LpPartition *partition, LpLocality *locality)
{
    if (!locality)
        return;
    /* Of another run, or of a time at which it had other cells. */
    if (strcmp(locality->run_id, partition->view->run_id) != 0
        || locality->n_parts != partition->view->n_cells + 1) {
        lp_locality_free(locality);
        return;
    }
    lp_locality_free(partition->locality);
    partition->locality = locality;
    partition->locality_usec = g_get_monotonic_time();
    lp_registry_settle(registry, partition);
    lp_registry_count(registry, partition);
}

const LpWhere *
lp_partition_where(const LpPartition *partition)
{
    return partition->account->where.topology ? &partition->account->where : NULL;
}
