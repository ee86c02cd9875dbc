/* Who is counted at how much, and what is left: S3 and S8. */
#include <string.h>

#include "lpard/registry/registry-priv.h"

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

/* What a running domain may have: its grant, or what an admitted operation will make of it; without
 * a profile nothing holds it below what its definition allows. */
static uint64_t
may_have(const LpPartition *partition)
{
    uint64_t granted = partition->profile_state == LP_PROFILE_STATE_NONE
                           ? lp_view_ceiling_bytes(partition->view)
                           : lp_view_granted_bytes(partition->view);

    return MAX(granted, partition->promised_bytes);
}

/* A guest without a virtio-mem driver can use device memory that it was never given; what is
 * resident beyond the grant is charged to it, so that nobody else is promised that room. */
uint64_t
lp_partition_excess_bytes(const LpPartition *partition, uint64_t overhead_bytes)
{
    uint64_t most = may_have(partition) + lp_partition_overhead(partition, overhead_bytes);

    if (partition->view->run == LP_RUN_OFF || partition->view->resident_bytes <= most)
        return 0;
    return partition->view->resident_bytes - most;
}

uint64_t
lp_partition_counted_bytes(const LpPartition *partition, uint64_t overhead_bytes)
{
    if (partition->view->run == LP_RUN_OFF)
        return partition->starting_bytes ? partition->starting_bytes + overhead_bytes : 0;
    return may_have(partition) + overhead_bytes
           + lp_partition_excess_bytes(partition, overhead_bytes);
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
    if (ret_facts->connected) {
        ret_facts->online = partition->guest.state.online;
    } else if (partition->view->qga_connected && partition->qga_known && partition->qga.ids_known) {
        ret_facts->connected = true;
        ret_facts->online = partition->qga.online;
    }
}

uint64_t
lp_capacity_shares(const LpCapacity *capacity, LpCgroup cgroup)
{
    return cgroup == LP_CGROUP_V2 ? lp_capacity_weight_v2(capacity)
                                  : lp_capacity_shares_v1(capacity);
}

void
lp_registry_bounds(LpRegistry *registry, const LpPartition *partition, LpBounds *ret_bounds)
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
    ret_bounds->shares = partition->policy_shares
                             ? partition->policy_shares
                             : lp_capacity_shares(&profile->capacity, partition->view->cgroup);
    ret_bounds->folded = profile->folded;
    ret_bounds->pool_centi = partition->view->pool_centi;
    if (registry->enforce_hard)
        ret_bounds->limit_overhead_bytes = lp_partition_overhead(partition,
                                                                 registry->overhead_bytes);
}

/* A node's part, by its size, of what is bound to none.  In MiB: 128 bits are not needed then. */
static uint64_t
part_of(const LpTopology *topology, uint32_t index, uint64_t bytes)
{
    uint64_t all = lp_topology_memory(topology) >> 20;

    return all ? ((bytes >> 20) * (topology->nodes[index].memory_bytes >> 20) / all) << 20 : 0;
}

/* What the cells that are bound to `node` hold, or will. */
static uint64_t
bound_bytes(const LpPartition *partition, int32_t node)
{
    const LpView *view = partition->view;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < view->n_cells; i++)
        if (view->cells[i].node == node)
            sum += view->cells[i].base_bytes
                   + MAX(MAX(view->cells[i].requested_bytes, view->cells[i].current_bytes),
                         partition->promised_cell_bytes[i]);
    return sum;
}

/* Takes what a domain is counted at out of the nodes' rooms: what its cells are bound to there,
 * and the rest (QEMU itself, cells that are not bound, an excess) by the nodes' size. */
static void
take_from_nodes(LpRoom *room, const LpTopology *topology, const LpPartition *partition,
                uint64_t overhead_bytes)
{
    uint64_t rest = lp_partition_counted_bytes(partition, overhead_bytes);

    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint64_t bound = bound_bytes(partition, room->node_id[n]);

        rest -= MIN(rest, bound);
        room->node_room_bytes[n] -= MIN(room->node_room_bytes[n], bound);
    }
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        room->node_room_bytes[n] -= MIN(room->node_room_bytes[n], part_of(topology, n, rest));
}

void
lp_registry_reserve_for_pools(LpRegistry *registry, uint32_t centi)
{
    registry->pools_centi = centi;
}

void
lp_registry_ask_pools(LpRegistry *registry, LpPoolRoomFunc func, void *data)
{
    registry->pool_room = func;
    registry->pool_room_data = data;
}

void
lp_registry_room(LpRegistry *registry, const LpPartition *partition, LpRoom *ret_room)
{
    const LpTopology *topology = &registry->host.topology;
    uint64_t capacity = lp_topology_memory(topology);
    uint64_t taken = registry->reserve_bytes + registry->overhead_bytes;
    uint32_t cpus = topology->n_cpus * 100, entitled = registry->reserve_centi + registry->pools_centi;
    GHashTableIter iter;
    LpPartition *other;

    memset(ret_room, 0, sizeof *ret_room);
    if (partition)
        ret_room->excess_bytes = lp_partition_excess_bytes(partition, registry->overhead_bytes);
    taken += ret_room->excess_bytes;
    ret_room->n_nodes = topology->n_nodes;
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        ret_room->node_id[n] = (int32_t) topology->nodes[n].id;
        ret_room->node_room_bytes[n] = topology->nodes[n].memory_bytes
                                       - MIN(topology->nodes[n].memory_bytes,
                                             part_of(topology, n, taken));
    }
    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &other)) {
        uint64_t counted = lp_partition_counted_bytes(other, registry->overhead_bytes);

        if (other == partition || counted == 0)
            continue;
        taken += counted;
        take_from_nodes(ret_room, topology, other, registry->overhead_bytes);
        if (other->view->run == LP_RUN_OFF)
            entitled += other->starting_centi;
        else if (lp_partition_has_profile(other))
            entitled += MAX(other->profile.capacity.entitled_centi, other->promised_centi);
    }
    ret_room->room_bytes = capacity > taken ? capacity - taken : 0;
    ret_room->room_centi = cpus > entitled ? cpus - entitled : 0;
    if (partition && registry->pool_room)
        ret_room->room_centi = MIN(ret_room->room_centi,
                                   registry->pool_room(partition, registry->pool_room_data));
}

/* A node's part is rounded for each domain, so that the nodes together may seem to have a little
 * more than the host. */
static void
fit_nodes(LpNodeUse *nodes, uint32_t n_nodes, uint64_t free_bytes)
{
    uint64_t sum = 0, beyond;

    for (uint32_t n = 0; n < n_nodes; n++)
        sum += nodes[n].free_bytes;
    beyond = sum > free_bytes ? sum - free_bytes : 0;
    for (uint32_t n = 0; n < n_nodes && beyond > 0; n++) {
        uint64_t part = MIN(beyond, nodes[n].free_bytes);

        nodes[n].free_bytes -= part;
        beyond -= part;
    }
}

void
lp_registry_nodes(LpRegistry *registry, LpNodeUse ret_nodes[LP_MAX_NODES])
{
    const LpTopology *topology = &registry->host.topology;
    uint64_t capacity = lp_topology_memory(topology), taken = 0;
    LpRoom room = {.n_nodes = topology->n_nodes};
    GHashTableIter iter;
    LpPartition *partition;

    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        room.node_id[n] = (int32_t) topology->nodes[n].id;
        room.node_room_bytes[n] = topology->nodes[n].memory_bytes;
    }
    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &partition)) {
        uint64_t counted = lp_partition_counted_bytes(partition, registry->overhead_bytes);

        if (counted == 0)
            continue;
        taken += counted;
        take_from_nodes(&room, topology, partition, registry->overhead_bytes);
    }
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        ret_nodes[n] = (LpNodeUse){
            .reserve_bytes = part_of(topology, n, registry->reserve_bytes),
            .free_bytes = room.node_room_bytes[n],
        };
    fit_nodes(ret_nodes, topology->n_nodes, capacity > taken ? capacity - taken : 0);
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
    ret_use->pools_centi = registry->pools_centi;
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
    counted = ret_use->entitled_centi + ret_use->reserve_centi + ret_use->pools_centi;
    ret_use->free_centi = ret_use->capacity_centi > counted
                              ? ret_use->capacity_centi - (uint32_t) counted
                              : 0;
}
