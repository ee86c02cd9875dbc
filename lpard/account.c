/* Who is counted at how much, and what is left: S3 and S8. */
#include <string.h>

#include "lpard/registry-priv.h"

/* QEMU's emulator keeps a translation buffer of up to 1 GiB beside the guest's memory. */
#define TCG_BUFFER_BYTES (1ULL << 30)

bool
lp_partition_has_profile(const LpPartition *partition)
{
    return partition->profile_state == LP_PROFILE_STATE_GOOD
           || partition->profile_state == LP_PROFILE_STATE_OLDER
           || partition->profile_state == LP_PROFILE_STATE_CONFIG_LOST;
}

uint64_t
lp_partition_overhead(const LpPartition *partition, uint64_t overhead_bytes)
{
    return overhead_bytes + (partition->view->accel == LP_ACCEL_TCG ? TCG_BUFFER_BYTES : 0);
}

/* A guest without a virtio-mem driver can use device memory that it was never given; what is
 * resident beyond the grant is charged to it, so that nobody else is promised that room. */
uint64_t
lp_partition_counted_bytes(const LpPartition *partition, uint64_t overhead_bytes)
{
    const LpView *view = partition->view;
    uint64_t granted = lp_view_granted_bytes(view);
    uint64_t most = lp_partition_overhead(partition, overhead_bytes);
    uint64_t excess;

    if (view->run == LP_RUN_OFF)
        return 0;
    /* Without a profile nothing holds it below what its definition allows. */
    if (partition->profile_state == LP_PROFILE_STATE_NONE)
        granted = lp_view_ceiling_bytes(view);
    granted = MAX(granted, partition->promised_bytes);
    excess = view->resident_bytes > granted + most ? view->resident_bytes - granted - most : 0;
    return granted + overhead_bytes + excess;
}

uint32_t
lp_partition_granted_cpus(const LpPartition *partition)
{
    LpCpuMask none = {0};

    /* What the host is held to: nothing, until it is started. */
    if (partition->view->run == LP_RUN_OFF)
        return 0;
    return lp_plan_granted_vcpus(partition->view, lp_partition_has_profile(partition)
                                                      ? &partition->profile.folded
                                                      : &none);
}

uint64_t
lp_partition_granted_bytes(const LpPartition *partition)
{
    return partition->view->run == LP_RUN_OFF ? 0 : lp_view_granted_bytes(partition->view);
}

uint64_t
lp_partition_usable_bytes(const LpPartition *partition)
{
    const LpGuest *guest = &partition->guest;

    if (!guest->connected || !guest->has_state || !guest->base_total_bytes)
        return 0;
    if (guest->state.mem_total_bytes + partition->view->base_bytes < guest->base_total_bytes)
        return 0;
    return partition->view->base_bytes + guest->state.mem_total_bytes - guest->base_total_bytes;
}

uint32_t
lp_partition_usable_cpus(const LpPartition *partition)
{
    return partition->guest.connected && partition->guest.has_state
               ? lp_cpumask_count(&partition->guest.state.online)
               : 0;
}

void
lp_partition_facts(const LpPartition *partition, LpGuestFacts *ret_facts)
{
    memset(ret_facts, 0, sizeof *ret_facts);
    ret_facts->connected = partition->guest.connected && partition->guest.has_state;
    if (ret_facts->connected)
        ret_facts->online = partition->guest.state.online;
}

uint64_t
lp_capacity_shares(const LpCapacity *capacity, LpCgroup cgroup)
{
    return cgroup == LP_CGROUP_V2 ? lp_capacity_weight_v2(capacity)
                                  : lp_capacity_shares_v1(capacity);
}

void
lp_partition_bounds(const LpPartition *partition, LpBounds *ret_bounds)
{
    const LpProfile *profile = &partition->profile;

    memset(ret_bounds, 0, sizeof *ret_bounds);
    ret_bounds->cpu_min = profile->cpu.min;
    ret_bounds->cpu_max = profile->cpu.max;
    ret_bounds->cpu_desired = profile->cpu.desired;
    ret_bounds->mem_min_bytes = profile->mem.min_bytes;
    ret_bounds->mem_max_bytes = profile->mem.max_bytes;
    ret_bounds->mem_desired_bytes = profile->mem.desired_bytes;
    ret_bounds->entitled_centi = profile->capacity.entitled_centi;
    ret_bounds->weight = profile->capacity.weight;
    ret_bounds->capped = profile->capacity.capped;
    ret_bounds->shares = lp_capacity_shares(&profile->capacity, partition->view->cgroup);
    ret_bounds->folded = profile->folded;
}

/* What a domain holds of one host node, its part of the overhead aside. Domains that are bound
 * to no node are charged to all in proportion to the nodes' size. */
static uint64_t
on_node(const LpPartition *partition, const LpTopology *topology, uint32_t index)
{
    const LpView *view = partition->view;
    uint64_t all = lp_topology_memory(topology), bound = 0, unbound = 0;

    if (view->run == LP_RUN_OFF)
        return 0;
    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];
        uint64_t bytes = cell->base_bytes
                         + MAX(MAX(cell->requested_bytes, cell->current_bytes),
                               partition->promised_cell_bytes[i]);

        if (cell->node == (int32_t) topology->nodes[index].id)
            bound += bytes;
        else if (cell->node < 0)
            unbound += bytes;
    }
    if (view->n_cells == 0)
        unbound = view->base_bytes;
    if (all == 0)
        return bound;
    return bound + (uint64_t) ((double) unbound * topology->nodes[index].memory_bytes / all);
}

void
lp_registry_room(LpRegistry *registry, const LpPartition *partition, LpRoom *ret_room)
{
    const LpTopology *topology = &registry->host.topology;
    uint64_t capacity = lp_topology_memory(topology), others = registry->overhead_bytes;
    uint32_t cpus = topology->n_cpus * 100, entitled = 0;
    GHashTableIter iter;
    LpPartition *other;

    memset(ret_room, 0, sizeof *ret_room);
    ret_room->n_nodes = topology->n_nodes;
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        ret_room->node_id[n] = (int32_t) topology->nodes[n].id;
        ret_room->node_room_bytes[n] = topology->nodes[n].memory_bytes;
    }
    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &other)) {
        if (other == partition)
            continue;
        others += lp_partition_counted_bytes(other, registry->overhead_bytes);
        if (lp_partition_has_profile(other) && other->view->run != LP_RUN_OFF)
            entitled += MAX(other->profile.capacity.entitled_centi, other->promised_centi);
        for (uint32_t n = 0; n < topology->n_nodes; n++) {
            uint64_t held = on_node(other, topology, n);
            uint64_t *room = &ret_room->node_room_bytes[n];

            *room = *room > held ? *room - held : 0;
        }
    }
    others += registry->reserve_bytes;
    ret_room->room_bytes = capacity > others ? capacity - others : 0;
    entitled += registry->reserve_centi;
    ret_room->room_centi = cpus > entitled ? cpus - entitled : 0;
}

void
lp_registry_use(LpRegistry *registry, LpHostUse *ret_use)
{
    const LpTopology *topology = &registry->host.topology;
    uint64_t counted = registry->reserve_bytes;
    GHashTableIter iter;
    LpPartition *partition;

    memset(ret_use, 0, sizeof *ret_use);
    ret_use->capacity_bytes = lp_topology_memory(topology);
    ret_use->reserve_bytes = registry->reserve_bytes;
    ret_use->capacity_centi = topology->n_cpus * 100;
    ret_use->reserve_centi = registry->reserve_centi;
    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &partition)) {
        uint64_t whole = lp_partition_counted_bytes(partition, registry->overhead_bytes);
        bool running = partition->view->run != LP_RUN_OFF;

        counted += whole;
        if (partition->profile_state == LP_PROFILE_STATE_NONE) {
            ret_use->n_unmanaged += running;
            ret_use->unmanaged_bytes += whole;
            continue;
        }
        ret_use->n_partitions++;
        ret_use->n_running += running;
        if (running) {
            ret_use->granted_bytes += lp_partition_granted_bytes(partition);
            ret_use->overhead_bytes += whole - MIN(whole, lp_partition_granted_bytes(partition));
            if (lp_partition_has_profile(partition))
                ret_use->entitled_centi += partition->profile.capacity.entitled_centi;
        }
    }
    ret_use->free_bytes = ret_use->capacity_bytes > counted ? ret_use->capacity_bytes - counted
                                                            : 0;
    counted = ret_use->entitled_centi + ret_use->reserve_centi;
    ret_use->free_centi = ret_use->capacity_centi > counted
                              ? ret_use->capacity_centi - (uint32_t) counted
                              : 0;
}
