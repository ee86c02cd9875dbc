/* What the registry knows, as the policy's values. */
#include <string.h>

#include "lpard/autoscale/autoscale-priv.h"

const char *const lp_fixed_names[LP_FIXED_S] = {
    [LP_FIXED_NO] = "no",
    [LP_FIXED_HELD] = "held",
    [LP_FIXED_OPERATION] = "operation",
    [LP_FIXED_RUN] = "run-state",
    [LP_FIXED_STUCK] = "stuck",
    [LP_FIXED_OPERATOR] = "operator",
    [LP_FIXED_OVERRUN] = "overrun",
};

/* What all partitions of a tick are seen with. */
typedef struct {
    int64_t now_usec, now_sec;    /* monotonic; wall clock */
    LpWallTime wall;
    const LpTopology *topology;
} Moment;

uint64_t
lp_sense_key(const char *uuid)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);    /* FNV-1a */

    for (const char *c = uuid; *c; c++)
        hash = (hash ^ (uint8_t) *c) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}

static LpWallTime
wall_time(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();

    /* GLib's week ends with Sunday, 7. */
    return (LpWallTime){
        .weekday = (uint8_t) (g_date_time_get_day_of_week(now) % 7),
        .minute = (uint16_t) (g_date_time_get_hour(now) * 60 + g_date_time_get_minute(now)),
    };
}

static LpFixed
fixed_of(const LpScaledItem *item, const Moment *moment)
{
    const LpPartition *partition = item->partition;

    if (partition->stuck)
        return LP_FIXED_STUCK;
    if (partition->view->run != LP_RUN_RUNNING)
        return LP_FIXED_RUN;
    if (partition->profile.hold_until_sec > moment->now_sec)
        return LP_FIXED_HELD;
    if (item->asking || item->operation || partition->defining
        || lp_engine_lane_depth(item->scaler->engine, partition->uuid) > 0)
        return LP_FIXED_OPERATION;
    if (item->rest_until_usec > moment->now_usec)
        return LP_FIXED_OPERATOR;
    return partition->overrun ? LP_FIXED_OVERRUN : LP_FIXED_NO;
}

/* Within the profile's bounds and what the running domain can have; an entitlement bounds vCPUs
 * too, as the gate does: a twentieth of a processor for each, and one processor at most. */
static void
fill_bounds(const LpPartition *partition, LpWallTime wall, LpPolicyPartition *ret)
{
    const LpProfile *profile = &partition->profile;
    const LpView *view = partition->view;
    LpScaleBounds bounds = {
        .cpu_min = profile->cpu.min, .cpu_max = profile->cpu.max,
        .mem_min_bytes = profile->mem.min_bytes, .mem_max_bytes = profile->mem.max_bytes,
    };
    uint32_t entitled = profile->capacity.entitled_centi;
    bool device = false;

    lp_schedule_bounds(&profile->autoscale, wall, &bounds);
    ret->scheduled = bounds.scheduled;
    ret->cpu_max = MIN(MIN(bounds.cpu_max, view->vcpu_max), entitled / LP_CENTI_PER_VCPU_MIN);
    ret->cpu_min = MIN(MAX(bounds.cpu_min, (entitled + 99) / 100), ret->cpu_max);
    ret->mem_max_bytes = MIN(bounds.mem_max_bytes, lp_view_ceiling_bytes(view));
    ret->mem_min_bytes = MIN(bounds.mem_min_bytes, ret->mem_max_bytes);
    ret->block_bytes = LP_MEM_BLOCK_BYTES;
    for (uint32_t i = 0; i < view->n_cells; i++) {
        device = device || view->cells[i].has_device;
        ret->block_bytes = MAX(ret->block_bytes, view->cells[i].block_bytes);
    }
    /* DIMMs leave whole or not at all: nothing to decide each second. */
    if (!device)
        ret->mem_min_bytes = ret->mem_max_bytes = lp_partition_granted_bytes(partition);
}

/* Cells that are bound to no node lie on all of them. */
static void
fill_cells(const LpPartition *partition, const LpTopology *topology, LpPolicyPartition *ret)
{
    const LpView *view = partition->view;
    bool bound = view->n_cells > 0;

    for (uint32_t i = 0; bound && i < view->n_cells && i < LP_POLICY_CELLS; i++) {
        int node = view->cells[i].home < 0
                       ? -1
                       : lp_topology_find(topology, (uint32_t) view->cells[i].home);

        bound = node >= 0;
        ret->cell_node[i] = (uint8_t) MAX(node, 0);
        ret->n_cells = i + 1;
    }
    if (bound)
        return;
    ret->n_cells = MIN(topology->n_nodes, LP_POLICY_CELLS);
    for (uint32_t i = 0; i < ret->n_cells; i++)
        ret->cell_node[i] = (uint8_t) i;
}

/* By its agent's word, else its balloon's.  MemTotal lacks what the kernel took of the boot memory;
 * that is in use, so both amounts are given as parts of what is granted. */
static void
see_memory(const LpPartition *partition, int64_t now_msec, LpSignals *ret)
{
    const LpGuest *guest = &partition->guest;
    const LpWirePressure *pressure = &guest->pressure;
    uint64_t kernel;

    if (!guest->connected || !guest->has_pressure) {
        lp_balloon_see(partition, now_msec, ret);
        return;
    }
    kernel = guest->base_total_bytes && guest->base_total_bytes <= partition->view->base_bytes
                 ? partition->view->base_bytes - guest->base_total_bytes
                 : 0;
    ret->mem_by = LP_SEEN_AGENT;
    ret->mem_age_msec = now_msec - guest->pressure_usec / 1000;
    ret->total_bytes = pressure->mem_total_bytes + MIN(kernel, UINT64_MAX
                                                                   - pressure->mem_total_bytes);
    ret->available_bytes = pressure->mem_available_bytes;
    ret->working_set_bytes = pressure->working_set_bytes
                             + MIN(kernel, UINT64_MAX - pressure->working_set_bytes);
    ret->swap_used_bytes = pressure->swap_used_bytes;
    ret->refaults = pressure->refaults;
    ret->oom_kills = pressure->oom_kills;
    ret->has_psi = guest->hello.caps & LP_WIRE_CAP_PSI;
    ret->psi_some_centi = pressure->psi_mem_some_centi;
    ret->psi_full_centi = pressure->psi_mem_full_centi;
    ret->cpu_running = pressure->running;
    ret->cpu_psi_centi = pressure->psi_cpu_some_centi;
    ret->cpu_steal_centi = pressure->steal_centi;
}

/* By the host's count; where it has none, the guest's. */
static void
see_cpu(const LpScaledItem *item, int64_t now_msec, LpSignals *ret)
{
    const LpPartition *partition = item->partition;
    uint32_t online = MAX(lp_partition_usable_cpus(partition), 1);

    if (item->meter.known && item->meter.pid == partition->view->pid) {
        ret->has_cpu = true;
        ret->cpu_age_msec = now_msec - item->meter.at_usec / 1000;
        ret->cpu_used_centi = item->meter.used_centi;
    } else if (partition->view->pid == 0 && ret->mem_by == LP_SEEN_AGENT) {
        uint64_t used = (uint64_t) MIN(partition->guest.pressure.busy_centi, 10000) * online / 100;

        ret->has_cpu = true;
        ret->cpu_age_msec = ret->mem_age_msec;
        ret->cpu_used_centi = (uint32_t) used;
    }
}

/* What it can use: its cap, or all of its vCPUs. */
static uint32_t
granted_centi(const LpPartition *partition, uint32_t cpus)
{
    const LpCapacity *capacity = &partition->profile.capacity;
    uint32_t centi = cpus * 100;

    return capacity->capped && partition->view->cgroup != LP_CGROUP_NONE
               ? MIN(centi, capacity->entitled_centi)
               : centi;
}

static void
fill_partition(LpScaledItem *item, const Moment *moment, LpPolicyPartition *ret)
{
    LpPartition *partition = item->partition;
    const LpProfile *profile = &partition->profile;

    memset(ret, 0, sizeof *ret);
    item->fixed = fixed_of(item, moment);
    ret->key = item->key;
    ret->mode = item->mode;
    ret->goal = profile->autoscale.goal;
    ret->priority = profile->autoscale.priority;
    ret->weight = profile->capacity.weight;
    ret->release_sec = profile->autoscale.release_sec;
    fill_bounds(partition, moment->wall, ret);
    ret->entitled_bytes = profile->autoscale.entitled_bytes;
    ret->entitled_centi = profile->capacity.entitled_centi;
    ret->capped = profile->capacity.capped;
    ret->pool = item->scaler->pools ? lp_pools_index(item->scaler->pools, partition) : LP_NO_POOL;
    fill_cells(partition, moment->topology, ret);
    ret->fixed = item->fixed != LP_FIXED_NO;
    ret->granted_bytes = lp_partition_granted_bytes(partition);
    ret->granted_cpus = lp_partition_granted_cpus(partition);
    ret->granted_centi = granted_centi(partition, ret->granted_cpus);
    see_memory(partition, moment->now_usec / 1000, &ret->seen);
    see_cpu(item, moment->now_usec / 1000, &ret->seen);
    ret->word = item->word;
    ret->failed = item->failed;
}

/* Capacity is what the policy can hand out: what is free, and what its partitions have. */
static void
fill_host(LpScaler *scaler, const Moment *moment)
{
    LpPolicyHost *host = &scaler->host;
    LpNodeUse nodes[LP_MAX_NODES];

    lp_policy_host_init(host);
    host->now_msec = moment->now_usec / 1000;
    host->mode = scaler->mode;
    host->burst = scaler->burst;
    host->idle_tax = scaler->idle_tax;
    host->moving_max = scaler->moving_max;
    host->capacity_centi = moment->topology->n_cpus * 100;
    host->reserve_centi = scaler->reserve_centi;
    host->n_pools = scaler->pools ? lp_pools_policy(scaler->pools, host->pools) : 0;
    host->n_nodes = MIN(moment->topology->n_nodes, LP_POLICY_NODES);
    lp_registry_nodes(scaler->registry, nodes);
    for (uint32_t n = 0; n < host->n_nodes; n++)
        host->nodes[n] = (LpPolicyNode){
            .capacity_bytes = nodes[n].free_bytes, .reserve_bytes = nodes[n].reserve_bytes,
            .free_bytes = nodes[n].free_bytes,
        };
    for (size_t i = 0; i < scaler->n; i++) {
        const LpPolicyPartition *input = &scaler->inputs[i];

        for (uint32_t c = 0; c < input->n_cells; c++)
            if (input->cell_node[c] < host->n_nodes)
                host->nodes[input->cell_node[c]].capacity_bytes += input->granted_bytes
                                                                   / input->n_cells;
    }
}

/* Memory that only prefers its node may lie on another: to the policy such a host is of one piece, and
 * which node gives is the planner's to choose.  One partition that is held to its nodes is reason enough
 * to look at each by itself. */
static void
merge_nodes(LpScaler *scaler, const GPtrArray *rows)
{
    LpPolicyHost *host = &scaler->host;

    for (guint i = 0; i < rows->len; i++) {
        const LpPartition *partition = ((LpScaledItem *) g_ptr_array_index(rows, i))->partition;

        if (!lp_plan_may_stray(partition->view, &partition->profile.numa, host->n_nodes))
            return;
    }
    for (uint32_t n = 1; n < host->n_nodes; n++) {
        host->nodes[0].capacity_bytes += host->nodes[n].capacity_bytes;
        host->nodes[0].reserve_bytes += host->nodes[n].reserve_bytes;
        host->nodes[0].free_bytes += host->nodes[n].free_bytes;
    }
    host->n_nodes = MIN(host->n_nodes, 1);
    for (size_t i = 0; i < scaler->n; i++) {
        scaler->inputs[i].n_cells = 1;
        scaler->inputs[i].cell_node[0] = 0;
    }
}

static bool
counts(const LpPartition *partition)
{
    return lp_partition_has_profile(partition) && partition->view->run != LP_RUN_OFF
           && lp_partition_granted_bytes(partition) > 0;
}

static bool
make_room(LpScaler *scaler, size_t n)
{
    size_t room = MAX(n, 2 * scaler->n_room);
    void *inputs, *states, *decisions;

    if (n <= scaler->n_room)
        return true;
    inputs = g_try_realloc_n(scaler->inputs, room, sizeof *scaler->inputs);
    scaler->inputs = inputs ? inputs : scaler->inputs;
    states = inputs ? g_try_realloc_n(scaler->states, room, sizeof *scaler->states) : NULL;
    scaler->states = states ? states : scaler->states;
    decisions = states ? g_try_realloc_n(scaler->decisions, room, sizeof *scaler->decisions)
                       : NULL;
    scaler->decisions = decisions ? decisions : scaler->decisions;
    if (!decisions)
        return false;
    scaler->n_room = room;
    return true;
}

/* States go with their partitions; those of partitions that are off for a while are kept. */
static void
move_states(LpScaler *scaler, GPtrArray *rows)
{
    g_autofree LpPolicyState *states = g_new0(LpPolicyState, MAX(rows->len, 1));

    for (guint i = 0; i < scaler->items->len; i++) {
        LpScaledItem *item = g_ptr_array_index(scaler->items, i);

        if (item->row >= 0) {
            g_free(item->saved);
            item->saved = g_memdup2(&scaler->states[item->row], sizeof *item->saved);
            item->row = -1;
        }
    }
    for (guint i = 0; i < rows->len; i++) {
        LpScaledItem *item = g_ptr_array_index(rows, i);

        if (item->saved)
            states[i] = *item->saved;
        g_clear_pointer(&item->saved, g_free);
        item->row = (int) i;
    }
    memcpy(scaler->states, states, rows->len * sizeof *states);
}

static bool
same_rows(const GPtrArray *a, const GPtrArray *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->pdata, b->pdata, a->len * sizeof(gpointer)) == 0);
}

static LpMode
lesser(LpMode a, LpMode b)
{
    return a < b ? a : b;
}

LpMode
lp_scaler_own_mode(const LpPartition *partition)
{
    return lp_partition_has_profile(partition) ? partition->profile.autoscale.mode : LP_MODE_OFF;
}

LpMode
lp_scaler_mode_of(const LpScaler *scaler, const LpPartition *partition)
{
    LpMode own = lp_scaler_own_mode(partition);

    return own == LP_MODE_HOST ? scaler->mode : lesser(own, scaler->mode);
}

/* Whoever is put under the policy anew has no earlier word of the operator against it; the host's
 * mode is another's word, and switching it undoes nobody's. */
static void
follow_mode(LpScaledItem *item)
{
    LpMode mode = lp_scaler_mode_of(item->scaler, item->partition);
    LpMode own = lp_scaler_own_mode(item->partition);

    if (mode != item->mode && item->mode == LP_MODE_AUTO)
        lp_act_drop_shares(item);
    if (own != item->own)
        item->rest_until_usec = 0;
    item->own = own;
    item->mode = mode;
    item->partition->autoscaled = mode == LP_MODE_AUTO;
}

/* Off means off: what is under way is not carried through against the operator's word. */
static void
stop_own(LpScaledItem *item, const Moment *moment)
{
    bool held = lp_partition_has_profile(item->partition)
                && item->partition->profile.hold_until_sec > moment->now_sec;

    if (!item->operation || item->stopped == item->operation
        || (item->mode == LP_MODE_AUTO && !held))
        return;
    item->stopped = item->operation;
    (void) lp_engine_cancel(item->scaler->engine, item->operation, NULL);
}

bool
lp_sense(LpScaler *scaler)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    Moment moment = {
        .now_usec = g_get_monotonic_time(), .now_sec = g_get_real_time() / G_USEC_PER_SEC,
        .wall = wall_time(), .topology = &lp_registry_host(scaler->registry)->topology,
    };

    for (guint i = 0; i < scaler->items->len; i++) {
        LpScaledItem *item = g_ptr_array_index(scaler->items, i);

        follow_mode(item);
        stop_own(item, &moment);
        if (counts(item->partition))
            g_ptr_array_add(rows, item);
    }
    if (!make_room(scaler, rows->len))
        return false;
    if (!same_rows(rows, scaler->rows)) {
        move_states(scaler, rows);
        g_ptr_array_set_size(scaler->rows, 0);
        g_ptr_array_extend(scaler->rows, rows, NULL, NULL);
        scaler->decided = false;
    }
    scaler->n = rows->len;
    for (size_t i = 0; i < scaler->n; i++)
        fill_partition(g_ptr_array_index(rows, i), &moment, &scaler->inputs[i]);
    fill_host(scaler, &moment);
    merge_nodes(scaler, rows);
    return true;
}
