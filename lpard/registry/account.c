/* Who is counted at how much, and what is left: S3 and S8. */
#include <string.h>

#include "lpard/planted.h"
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

    if (LP_PLANTED(TRUST_IN_BALLOON))
        granted -= MIN(granted, partition->view->balloon_bytes);
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
    ret_bounds->numa = profile->numa;
    ret_bounds->pool_centi = partition->view->pool_centi;
    if (registry->enforce_hard)
        ret_bounds->limit_overhead_bytes = lp_partition_overhead(partition,
                                                                 registry->overhead_bytes);
}

bool
lp_partition_is_placed(const LpPartition *partition)
{
    return lp_partition_has_profile(partition) && partition->view->run != LP_RUN_OFF
           && partition->view->n_cells > 0;
}

/* What a cell has by its device, or was promised of it, and beside that. */
static uint64_t
cell_bytes(const LpView *view, uint32_t cell, uint64_t promised)
{
    uint64_t sum = view->cells[cell].base_bytes
                   + MAX(MAX(view->cells[cell].requested_bytes, view->cells[cell].current_bytes),
                         promised);

    for (uint32_t i = 0; i < view->n_dimms; i++)
        if (view->dimms[i].cell == cell)
            sum += view->dimms[i].bytes;
    return sum;
}

uint64_t
lp_registry_cell_bytes(const LpView *view, uint32_t cell)
{
    return cell_bytes(view, cell, 0);
}

uint64_t
lp_partition_cell_bytes(const LpPartition *partition, uint32_t cell)
{
    return cell_bytes(partition->view, cell, partition->promised_cell_bytes[cell]);
}

static int
node_of(const LpTopology *topology, int32_t id)
{
    return id < 0 ? -1 : lp_topology_find(topology, (uint32_t) id);
}

/* vCPUs granted in a cell. */
static uint32_t
cell_vcpus(const LpPartition *partition, uint32_t cell)
{
    const LpView *view = partition->view;
    bool profile = lp_partition_has_profile(partition);
    uint32_t n = 0;

    for (size_t w = 0; w < G_N_ELEMENTS(view->plugged.words); w++)
        n += (uint32_t) __builtin_popcountll(
            view->plugged.words[w] & view->cells[cell].vcpus.words[w]
            & ~(profile ? partition->profile.folded.words[w] : 0));
    return n;
}

/* A cell's memory: what was measured at its home, what came or is promised since where it comes
 * from. */
static void
charge_cell(const LpTopology *topology, const LpPartition *partition, uint32_t index,
            uint32_t vcpus, LpCharge *charge)
{
    const LpViewCell *cell = &partition->view->cells[index];
    int home = node_of(topology, cell->home);
    int next = node_of(topology, lp_plan_growth_node(&partition->profile.numa, cell));
    uint64_t bytes = lp_partition_cell_bytes(partition, index), fresh = 0;

    if (home >= 0 && next >= 0 && home != next)
        fresh = bytes - lp_registry_cell_bytes(partition->view, index) + cell->fresh_bytes;
    lp_charge_add(charge, topology, home, home < 0 ? 0 : bytes - fresh, vcpus, 0);
    if (fresh > 0)
        lp_charge_add(charge, topology, next, fresh, 0, 0);
}

/* By node: its cells by where they lie, and the rest (QEMU itself, cells that are bound to none, an
 * excess) at none. */
static void
fill_charge(const LpTopology *topology, const LpPartition *partition, uint64_t counted,
            LpCharge *charge)
{
    const LpView *view = partition->view;
    uint32_t vcpus = lp_partition_granted_cpus(partition);

    lp_charge_clear(charge);
    if (counted == 0)
        return;
    charge->placed = lp_partition_is_placed(partition);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        uint32_t here = view->run == LP_RUN_OFF ? 0 : cell_vcpus(partition, i);

        charge_cell(topology, partition, i, here, charge);
        vcpus -= MIN(vcpus, here);
    }
    /* Of a domain without cells. */
    lp_charge_add(charge, topology, -1, 0, vcpus, 0);
    if (partition->coming_bytes && view->run != LP_RUN_OFF)
        lp_charge_add(charge, topology, node_of(topology, partition->coming_node), 0, 0,
                      partition->coming_bytes);
    lp_charge_close(charge, counted);
    if (view->run == LP_RUN_OFF)
        charge->centi = partition->starting_centi;
    else if (lp_partition_has_profile(partition))
        charge->centi = MAX(partition->profile.capacity.entitled_centi, partition->promised_centi);
}

/* What one partition adds to the host's totals. */
static void
fill_use(const LpPartition *partition, uint64_t counted, LpHostUse *use)
{
    bool running = partition->view->run != LP_RUN_OFF;

    memset(use, 0, sizeof *use);
    if (partition->profile_state == LP_PROFILE_STATE_NONE) {
        use->n_unmanaged = running;
        use->unmanaged_bytes = counted;
        return;
    }
    use->n_partitions = 1;
    use->n_running = running;
    if (!running)
        return;
    use->granted_bytes = lp_partition_granted_bytes(partition);
    use->overhead_bytes = counted - MIN(counted, use->granted_bytes);
    if (lp_partition_has_profile(partition))
        use->entitled_centi = partition->profile.capacity.entitled_centi;
}

/* Unsigned, so that what is taken away again leaves what was: `sign` is 1 or -1. */
static void
add_use(LpHostUse *sum, const LpHostUse *use, int sign)
{
    uint64_t wide = (uint64_t) sign;
    uint32_t narrow = (uint32_t) sign;

    sum->granted_bytes += wide * use->granted_bytes;
    sum->unmanaged_bytes += wide * use->unmanaged_bytes;
    sum->overhead_bytes += wide * use->overhead_bytes;
    sum->entitled_centi += narrow * use->entitled_centi;
    sum->n_partitions += narrow * use->n_partitions;
    sum->n_running += narrow * use->n_running;
    sum->n_unmanaged += narrow * use->n_unmanaged;
}

void
lp_registry_discount(LpRegistry *registry, LpPartition *partition)
{
    struct LpAccount *account = partition->account;

    lp_ledger_remove(&registry->ledger, &account->charge);
    add_use(&registry->use, &account->use, -1);
    lp_charge_clear(&account->charge);
    memset(&account->use, 0, sizeof account->use);
}

void
lp_registry_count(LpRegistry *registry, LpPartition *partition)
{
    struct LpAccount *account = partition->account;
    uint64_t counted = lp_partition_counted_bytes(partition, registry->overhead_bytes);

    lp_registry_discount(registry, partition);
    fill_charge(&registry->host.topology, partition, counted, &account->charge);
    fill_use(partition, counted, &account->use);
    lp_ledger_add(&registry->ledger, &account->charge);
    add_use(&registry->use, &account->use, 1);
}

void
lp_registry_expect(LpRegistry *registry, LpPartition *partition, int32_t node, uint64_t bytes)
{
    partition->coming_node = node;
    partition->coming_bytes = bytes;
    lp_registry_count(registry, partition);
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
    const LpCharge *own = partition ? &partition->account->charge : NULL;
    uint64_t capacity = lp_topology_memory(topology);
    uint64_t beside = registry->reserve_bytes + registry->overhead_bytes, taken;
    uint32_t cpus = topology->n_cpus * 100;
    uint32_t entitled = registry->reserve_centi + registry->pools_centi;

    memset(ret_room, 0, sizeof *ret_room);
    if (partition) {
        ret_room->excess_bytes = lp_partition_excess_bytes(partition, registry->overhead_bytes);
        ret_room->where = lp_partition_where(partition);
    }
    beside += ret_room->excess_bytes;
    taken = beside + registry->ledger.bytes - (own ? own->bytes : 0);
    entitled += registry->ledger.centi - (own ? own->centi : 0);
    ret_room->n_nodes = topology->n_nodes;
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        ret_room->node_id[n] = (int32_t) topology->nodes[n].id;
    lp_ledger_rooms(&registry->ledger, topology, beside, own, ret_room->node_room_bytes);
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
    uint64_t capacity = lp_topology_memory(topology), taken = registry->ledger.bytes;
    uint64_t rooms[LP_MAX_NODES];

    lp_ledger_rooms(&registry->ledger, topology, 0, NULL, rooms);
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        ret_nodes[n] = (LpNodeUse){
            .reserve_bytes = lp_ledger_part(topology, n, registry->reserve_bytes),
            .free_bytes = rooms[n],
        };
    fit_nodes(ret_nodes, topology->n_nodes, capacity > taken ? capacity - taken : 0);
}

void
lp_registry_layout_use(LpRegistry *registry, LpLayoutUse ret_use[LP_MAX_NODES])
{
    const LpTopology *topology = &registry->host.topology;
    uint64_t rooms[LP_MAX_NODES];
    uint32_t vcpus[LP_MAX_NODES];

    /* One more domain is to come, with what QEMU takes for it. */
    lp_ledger_rooms(&registry->ledger, topology, registry->reserve_bytes + registry->overhead_bytes,
                    NULL, rooms);
    lp_ledger_vcpus(&registry->ledger, topology, vcpus);
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        ret_use[n] = (LpLayoutUse){.free_bytes = rooms[n], .vcpus = vcpus[n]};
}

void
lp_registry_layout_nodes(LpRegistry *registry, LpLayoutNode ret_nodes[LP_MAX_NODES])
{
    const LpTopology *topology = &registry->host.topology;
    uint64_t rooms[LP_MAX_NODES];

    lp_ledger_placeable(&registry->ledger, topology, registry->reserve_bytes, rooms);
    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        uint32_t centi = lp_cpumask_count(&topology->nodes[n].cpus) * 100;
        uint32_t reserve = topology->n_cpus ? (uint32_t) ((uint64_t) registry->reserve_centi * centi
                                                          / (topology->n_cpus * 100ULL))
                                            : 0;

        ret_nodes[n] = (LpLayoutNode){
            .room_bytes = rooms[n], .room_centi = centi - MIN(centi, reserve),
        };
    }
}

void
lp_registry_use(LpRegistry *registry, LpHostUse *ret_use)
{
    const LpTopology *topology = &registry->host.topology;
    uint64_t counted = registry->reserve_bytes + registry->ledger.bytes, centi;

    *ret_use = registry->use;
    ret_use->capacity_bytes = lp_topology_memory(topology);
    ret_use->reserve_bytes = registry->reserve_bytes;
    ret_use->capacity_centi = topology->n_cpus * 100;
    ret_use->reserve_centi = registry->reserve_centi;
    ret_use->pools_centi = registry->pools_centi;
    ret_use->free_bytes = ret_use->capacity_bytes > counted ? ret_use->capacity_bytes - counted : 0;
    centi = (uint64_t) ret_use->entitled_centi + ret_use->reserve_centi + ret_use->pools_centi;
    ret_use->free_centi = ret_use->capacity_centi > centi
                              ? ret_use->capacity_centi - (uint32_t) centi : 0;
}
