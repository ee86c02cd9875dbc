#include "lpard/api/export.h"

#include "agent/wire/words.h"
#include "lpard/registry/channel.h"
#include "lpard/api/drift.h"
#include "lpard/define/autoscale-change.h"
#include "lpard/sandbox.h"
#include "numa/score.h"

const char *
lp_profile_state_name(LpProfileState state)
{
    switch (state) {
    case LP_PROFILE_STATE_NONE:
        return "none";
    case LP_PROFILE_STATE_GOOD:
        return "good";
    case LP_PROFILE_STATE_GARBLED:
        return "garbled";
    case LP_PROFILE_STATE_LOST:
        return "lost";
    case LP_PROFILE_STATE_OLDER:
        return "older";
    case LP_PROFILE_STATE_CONFIG_LOST:
        return "config-lost";
    }
    return "none";
}

static const char *
accel_name(LpAccel accel)
{
    static const char *const names[] = {
        [LP_ACCEL_KVM] = "kvm", [LP_ACCEL_TCG] = "tcg", [LP_ACCEL_SIM] = "sim",
        [LP_ACCEL_TEST] = "test",
    };

    return (unsigned)accel < G_N_ELEMENTS(names) ? names[accel] : "test";
}

const char *
lp_export_agent_state(const LpPartition *partition)
{
    if (partition->guest.connected)
        return "connected";
    if (partition->view->qga_connected)
        return "qemu-guest-agent";
    if (!partition->view->has_channel)
        return "no-channel";
    /* The port is open, but whoever is behind it has not said HELLO. */
    if (partition->channel && lp_channel_connected(partition->channel))
        return "silent";
    return "absent";
}

const char *
lp_export_cell_mechanism(const LpView *view, uint32_t index)
{
    if (view->cells[index].has_device)
        return "virtio-mem";
    return view->slots > view->slots_used ? "dimm" : "none";
}

static json_t *
integer(uint64_t number)
{
    /* JSON's integers here are signed; every amount is far below that. */
    return json_integer((json_int_t)MIN(number, (uint64_t)INT64_MAX));
}

static json_t *
integer_or_null(bool known, uint64_t number)
{
    return known ? integer(number) : json_null();
}

static json_t *
mask_text(const LpCpuMask *mask)
{
    char text[LP_CPUMASK_TEXT];

    return json_string(lp_cpumask_format(mask, text, sizeof text));
}

/* What comes from outside may not be UTF-8, which JSON needs. */
static json_t *
text_or_null(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

    return valid ? json_string(valid) : json_null();
}

json_t *
lp_export_profile(const LpProfile *profile)
{
    json_t *nodes = json_array();
    char rule[LP_NUMA_RULE_TEXT];

    for (uint32_t i = 0; i < profile->n_cells && i < LP_MAX_CELLS; i++)
        json_array_append_new(nodes, json_integer(profile->cell_node[i]));
    lp_numa_rule_format(&profile->numa, rule, sizeof rule);
    return json_pack("{s:i, s:o, s:{s:i, s:i, s:i}, s:{s:o, s:o, s:o}, s:i, s:i, s:b, s:o, s:o, "
                     "s:o, s:o, s:s, s:i, s:s}",
                     "version", (int)profile->version,
                     "generation", integer(profile->generation),
                     "cpu", "min", (int)profile->cpu.min, "desired", (int)profile->cpu.desired,
                     "max", (int)profile->cpu.max,
                     "mem", "min_bytes", integer(profile->mem.min_bytes),
                     "desired_bytes", integer(profile->mem.desired_bytes),
                     "max_bytes", integer(profile->mem.max_bytes),
                     "entitled_centi", (int)profile->capacity.entitled_centi,
                     "weight", (int)profile->capacity.weight,
                     "capped", profile->capacity.capped,
                     "cells", nodes,
                     "folded", mask_text(&profile->folded),
                     "hold_until_sec", integer((uint64_t)MAX(profile->hold_until_sec, 0)),
                     "autoscale", lp_autoscale_json(&profile->autoscale),
                     "numa", rule, "affinity_floor", (int)profile->numa.floor,
                     "affinity_floor_action",
                     lp_floor_names[MIN((unsigned)profile->numa.floor_action, LP_FLOORS - 1)]);
}

/* vCPUs held back by folding are held by the quota; without one only by the guest's goodwill. */
static bool
cpu_enforced(const LpPartition *partition)
{
    const LpView *view = partition->view;

    if (view->run == LP_RUN_OFF)
        return view->cgroup != LP_CGROUP_NONE;
    if (lp_partition_granted_cpus(partition) >= lp_cpumask_count(&view->plugged))
        return true;
    return view->cgroup != LP_CGROUP_NONE && view->global_quota_usec > 0;
}

static json_t *
cpu_json(const LpPartition *partition, bool has_profile)
{
    const LpView *view = partition->view;
    uint32_t usable = lp_partition_usable_cpus(partition);

    return json_pack("{s:o, s:i, s:o, s:i, s:i, s:o, s:b}",
                     "desired", integer_or_null(has_profile, partition->profile.cpu.desired),
                     "granted", (int)lp_partition_granted_cpus(partition),
                     "usable", integer_or_null(usable > 0, usable),
                     "plugged", (int)lp_cpumask_count(&view->plugged),
                     "max_running", (int)view->vcpu_max,
                     "online", partition->guest.has_state
                         ? mask_text(&partition->guest.state.online) : json_null(),
                     "enforced", cpu_enforced(partition));
}

static json_t *
mem_json(const LpPartition *partition, bool has_profile, uint64_t overhead_bytes)
{
    const LpView *view = partition->view;
    const LpGuest *guest = &partition->guest;
    uint64_t usable = lp_partition_usable_bytes(partition);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "desired_bytes",
                     integer_or_null(has_profile, partition->profile.mem.desired_bytes),
                     "granted_bytes", integer(lp_partition_granted_bytes(partition)),
                     "usable_bytes", integer_or_null(usable > 0, usable),
                     "requested_bytes", integer(lp_view_requested_bytes(view)),
                     "plugged_bytes", integer(lp_view_plugged_bytes(view)),
                     "balloon_bytes", integer(view->balloon_bytes),
                     "base_bytes", integer(view->base_bytes),
                     "ceiling_bytes", integer(lp_view_ceiling_bytes(view)),
                     "resident_bytes", integer(view->resident_bytes),
                     "counted_bytes",
                     integer(lp_partition_counted_bytes(partition, overhead_bytes)),
                     "available_bytes",
                     integer_or_null(guest->has_state, guest->state.mem_available_bytes));
}

static json_t *
cell_usable(const LpGuest *guest, uint32_t cell)
{
    for (uint32_t i = 0; guest->has_state && i < guest->state.n_cells; i++) {
        if (guest->state.cells[i].cell == cell)
            return integer(guest->state.cells[i].total_bytes);
    }
    return json_null();
}

static json_t *
cells_json(const LpPartition *partition)
{
    const LpView *view = partition->view;
    json_t *cells = json_array();

    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];
        LpCpuMask plugged = cell->vcpus;

        for (size_t w = 0; w < G_N_ELEMENTS(plugged.words); w++)
            plugged.words[w] &= view->plugged.words[w];
        json_array_append_new(cells, json_pack(
            "{s:i, s:i, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}",
            "cell", (int)i, "node", (int)cell->node, "home", (int)cell->home,
            "drifted", cell->node >= 0 && cell->home >= 0 && cell->home != cell->node,
            "base_bytes", integer(cell->base_bytes),
            "requested_bytes", integer(cell->requested_bytes),
            "plugged_bytes", integer(cell->current_bytes),
            "device_bytes", integer(cell->has_device ? cell->device_bytes : 0),
            "usable_bytes", cell_usable(&partition->guest, i),
            "mechanism", lp_export_cell_mechanism(view, i),
            "vcpus", mask_text(&cell->vcpus), "plugged_vcpus", mask_text(&plugged)));
    }
    return cells;
}

static json_t *
capacity_json(const LpPartition *partition, bool has_profile)
{
    const LpView *view = partition->view;
    const LpCapacity *capacity = &partition->profile.capacity;
    bool has_quota = view->global_quota_usec > 0 && view->global_period_usec > 0;
    const char *spare = "by entitlement; the weight counts once it is autoscaled";

    if (!has_profile || (view->run != LP_RUN_OFF && view->cgroup == LP_CGROUP_NONE))
        spare = "not enforced";
    else if (capacity->capped)
        spare = "none: capped";
    else if (partition->policy_shares || partition->autoscaled)
        spare = "as the policy shares it out";
    return json_pack("{s:i, s:i, s:b, s:o, s:s}",
                     "entitled_centi", has_profile ? (int)capacity->entitled_centi : 0,
                     "weight", has_profile ? (int)capacity->weight : 0,
                     "capped", has_profile && capacity->capped,
                     "quota_centi",
                     integer_or_null(has_quota, has_quota ? (uint64_t)view->global_quota_usec *
                                                                100 / view->global_period_usec
                                                          : 0),
                     "spare", spare);
}

static json_t *
mechanisms_json(const LpPartition *partition)
{
    const LpView *view = partition->view;
    json_t *list = json_array();
    bool virtio_mem = false;

    for (uint32_t i = 0; i < view->n_cells; i++)
        virtio_mem = virtio_mem || view->cells[i].has_device;
    if (virtio_mem)
        json_array_append_new(list, json_string("virtio-mem"));
    if (view->n_cells > 0 && view->slots > view->slots_used)
        json_array_append_new(list, json_string("dimm"));
    if (view->has_balloon)
        json_array_append_new(list, json_string("balloon"));
    if (view->vcpu_max > 1)
        json_array_append_new(list, json_string("vcpu-hotplug"));
    if (partition->guest.connected && partition->guest.hello.caps & LP_WIRE_CAP_CPU_ONLINE)
        json_array_append_new(list, json_string("fold"));
    if (view->cgroup != LP_CGROUP_NONE)
        json_array_append_new(list, json_string("quota"));
    return list;
}

static json_t *
caps_json(uint32_t caps)
{
    json_t *list = json_array();

    for (unsigned bit = 0; bit < LP_WIRE_CAPS; bit++)
        if (caps & 1u << bit)
            json_array_append_new(list, json_string(lp_wire_cap_names[bit]));
    return list;
}

json_t *
lp_export_agent(const LpPartition *partition, int64_t now_usec)
{
    const LpGuest *guest = &partition->guest;
    const LpWireHello *hello = guest->connected ? &guest->hello : NULL;
    const LpWireState *state = guest->has_state ? &guest->state : NULL;
    const LpWirePressure *pressure = guest->has_pressure ? &guest->pressure : NULL;
    uint32_t cpu = state ? state->psi_cpu_centi : 0, mem = state ? state->psi_mem_centi : 0;
    int64_t age_msec = MAX(now_usec - guest->state_usec, 0) / 1000;

    /* Both say it: whichever spoke last. */
    if (pressure && guest->pressure_usec >= guest->state_usec) {
        cpu = pressure->psi_cpu_some_centi;
        mem = pressure->psi_mem_some_centi;
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:o, s:i}",
                     "state", lp_export_agent_state(partition),
                     "version", text_or_null(hello ? hello->agent : NULL),
                     "kernel", text_or_null(hello ? hello->kernel : NULL),
                     "boot_id", text_or_null(hello ? hello->boot_id : NULL),
                     "caps", caps_json(hello ? hello->caps : 0),
                     "age_msec", integer_or_null(state, (uint64_t)age_msec),
                     "load_centi", (int)(state ? MIN(state->load_centi, G_MAXINT) : 0),
                     "psi_cpu_centi", (int)MIN(cpu, G_MAXINT),
                     "psi_mem_centi", (int)MIN(mem, G_MAXINT),
                     "working_set_bytes",
                     integer_or_null(pressure, pressure ? pressure->working_set_bytes : 0),
                     "refused_frames", (int)MIN(guest->refused_frames, G_MAXINT));
}

static json_t *
next_start_json(const LpView *view)
{
    if (!view->persistent)
        return json_null();
    return json_pack("{s:i, s:o}", "cpu", (int)lp_cpumask_count(&view->plugged_config),
                     "mem_bytes", integer(view->base_config_bytes + view->requested_config_bytes));
}

json_t *
lp_export_partition(const LpPartition *partition, const LpExportFacts *facts)
{
    const LpView *view = partition->view;
    bool has_profile = lp_partition_has_profile(partition);

    return json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, "
        "s:b, s:i, s:b, s:o}",
        "name", text_or_null(view->name), "uuid", partition->uuid,
        "run", lp_run_state_name(view->run), "accel", accel_name(view->accel),
        "profile_state", lp_profile_state_name(partition->profile_state),
        "profile_message", text_or_null(partition->profile_message),
        "profile", has_profile ? lp_export_profile(&partition->profile) : json_null(),
        "cpu", cpu_json(partition, has_profile),
        "mem", mem_json(partition, has_profile, facts->overhead_bytes),
        "cells", cells_json(partition),
        "capacity", capacity_json(partition, has_profile),
        "mechanisms", mechanisms_json(partition),
        "agent", lp_export_agent(partition, facts->now_usec),
        "next_start", next_start_json(view),
        "drift", has_profile ? lp_drift_sentences(partition) : json_array(),
        "overrun", partition->overrun, "stuck", facts->stuck, "connected", facts->connected,
        "operations_open", (int)facts->operations_open, "persistent", view->persistent,
        "score", facts->score ? facts->score : json_null());
}

json_t *
lp_export_domain(const LpPartition *partition)
{
    return json_pack("{s:o, s:s, s:s, s:b, s:s}",
                     "name", text_or_null(partition->view->name), "uuid", partition->uuid,
                     "run", lp_run_state_name(partition->view->run),
                     "enabled", partition->profile_state != LP_PROFILE_STATE_NONE,
                     "profile_state", lp_profile_state_name(partition->profile_state));
}

static json_t *
virtualization_json(const LpHost *host)
{
    const char *extension = host->has_vmx ? "VT-x" : host->has_svm ? "AMD-V" : NULL;
    const char *paging = host->has_vmx ? "EPT" : host->has_svm ? "NPT" : NULL;

    return json_pack("{s:o, s:o, s:b, s:o}", "extension", text_or_null(extension),
                     "nested_paging", text_or_null(host->has_nested_paging ? paging : NULL),
                     "kvm_usable", host->kvm_usable,
                     "reason", text_or_null(host->kvm_usable ? NULL : host->kvm_reason));
}

json_t *
lp_export_sandbox(void)
{
    const LpSandbox *sandbox = lp_sandbox();
    json_t *capabilities = json_array();

    for (char **name = sandbox->capabilities; name && *name; name++)
        json_array_append_new(capabilities, json_string(*name));
    return json_pack("{s:b, s:s?, s:o}", "on", sandbox->on, "reason", sandbox->reason,
                     "capabilities", capabilities);
}

json_t *
lp_export_host(const char *uri, bool connected, bool cpu_is_enforced, const LpHost *host,
               const LpHostUse *use, const LpExportNode *nodes, uint32_t score_centi)
{
    return json_pack(
        "{s:s, s:b, s:o, s:o, s:b, s:{s:o, s:o, s:o, s:o, s:o, s:o}, "
        "s:{s:i, s:i, s:i, s:i, s:i}, s:i, s:i, s:i, s:o, s:o}",
        "uri", uri, "connected", connected,
        "topology", lp_export_topology(&host->topology, nodes),
        "virtualization", virtualization_json(host), "cpu_enforced", cpu_is_enforced,
        "memory", "capacity_bytes", integer(use->capacity_bytes),
        "reserve_bytes", integer(use->reserve_bytes),
        "granted_bytes", integer(use->granted_bytes),
        "unmanaged_bytes", integer(use->unmanaged_bytes),
        "overhead_bytes", integer(use->overhead_bytes), "free_bytes", integer(use->free_bytes),
        "cpu", "capacity_centi", (int)use->capacity_centi,
        "reserve_centi", (int)use->reserve_centi, "entitled_centi", (int)use->entitled_centi,
        "pools_centi", (int)use->pools_centi, "free_centi", (int)use->free_centi,
        "partitions", (int)use->n_partitions, "running", (int)use->n_running,
        "unmanaged", (int)use->n_unmanaged,
        "score_centi", integer_or_null(score_centi != LP_SCORE_NONE, score_centi),
        "sandbox", lp_export_sandbox());
}
