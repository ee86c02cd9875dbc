#include "lpard/api/check.h"

#include <stdarg.h>

#include "agent/wire/feature.h"
#include "agent/wire/words.h"
#include "lpard/api/export.h"
#include "policy/units.h"

/* A port for each device that may come while the guest runs; one DIMM at the least. */
#define FREE_PORTS_WANTED 1

typedef enum { FINE, WARN, FAIL } Severity;

static void
add(json_t *list, const char *name, Severity severity, char *text, const char *cure)
{
    static const char *const words[] = {[FINE] = "ok", [WARN] = "warn", [FAIL] = "fail"};

    json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s, s:s?}", "name", name,
                                          "ok", severity == FINE, "severity", words[severity],
                                          "text", text,
                                          "cure", severity == FINE ? NULL : cure));
    g_free(text);
}

static void
check_profile(const LpPartition *partition, json_t *list)
{
    bool good = partition->profile_state == LP_PROFILE_STATE_GOOD;

    if (good)
        add(list, "profile", FINE, g_strdup("the profile can be read"), NULL);
    else
        add(list, "profile", lp_partition_has_profile(partition) ? WARN : FAIL,
            g_strdup_printf("the profile is %s%s%s",
                            lp_profile_state_name(partition->profile_state),
                            partition->profile_message ? ": " : "",
                            partition->profile_message ? partition->profile_message : ""),
            "run `lparctl profile restore NAME`");
}

static void
check_agent(const LpPartition *partition, json_t *list)
{
    const char *state = lp_export_agent_state(partition);

    if (!partition->view->has_channel) {
        add(list, "channel", FAIL,
            g_strdup_printf("the domain has no channel %s", "org.lpard.agent.0"),
            "run `lparctl enable` on it and restart it");
        return;
    }
    add(list, "channel", FINE, g_strdup("the agent's channel is there"), NULL);
    if (partition->view->run == LP_RUN_OFF)
        add(list, "agent", WARN, g_strdup("the partition is off, so no agent can answer"),
            "start it to see whether its agent answers");
    else if (partition->guest.connected)
        add(list, "agent", FINE,
            g_strdup_printf("lpar-agent %s answers", partition->guest.hello.agent), NULL);
    else if (partition->view->qga_connected)
        add(list, "agent", FINE,
            g_strdup("qemu-guest-agent answers in place of lpar-agent: vCPUs and memory blocks go "
                     "on- and offline by it, asked every 250 ms; no hooks, no veto, no pressure"),
            NULL);
    else
        add(list, "agent", WARN,
            g_strdup_printf("the agent is %s: sizes are confirmed by the device only, and vCPUs "
                            "cannot be taken offline in the guest", state),
            "install lpar-agent in the guest and start it");
}

/* What resizing itself takes; of the other features `show --guest` tells. */
#define DRIVERS (LP_WIRE_FEATURE_CPU_HOTPLUG | LP_WIRE_FEATURE_MEM_HOTPLUG \
                 | LP_WIRE_FEATURE_MOVABLE | LP_WIRE_FEATURE_VIRTIO_MEM \
                 | LP_WIRE_FEATURE_BALLOON | LP_WIRE_FEATURE_NUMA | LP_WIRE_FEATURE_PSI)

static void
check_drivers(const LpPartition *partition, json_t *list)
{
    uint32_t has, lacks;

    if (!partition->guest.connected)
        return;
    lp_wire_hello_features(&partition->guest.hello, &has, &lacks);
    for (unsigned bit = 0; bit < LP_WIRE_FEATURES; bit++) {
        const LpWireFeature *feature = lp_wire_feature(bit);
        g_autofree char *name = g_strconcat("guest-", feature->name, NULL);

        if (has & DRIVERS & 1u << bit)
            add(list, name, FINE, g_strdup(feature->has), NULL);
        else if (lacks & DRIVERS & 1u << bit)
            add(list, name, WARN, g_strdup(feature->lacks), feature->cure);
    }
}

static void
check_forbidden(const LpPartition *partition, json_t *list)
{
    uint32_t forbids = partition->guest.connected ? partition->guest.hello.forbids : 0;
    g_autoptr(GString) text = g_string_new("the guest's administrator forbids: ");
    size_t start = text->len;

    for (unsigned bit = 0; bit < LP_WIRE_ACTS; bit++)
        if (forbids & 1u << bit)
            g_string_append_printf(text, "%s%s", text->len > start ? ", " : "",
                                   lp_wire_act_names[bit]);
    if (text->len > start)
        add(list, "guest-forbids", WARN, g_strdup(text->str),
            "change `forbid` in agent.conf of the guest, if that is not meant");
}

static void
check_memory_devices(const LpView *view, json_t *list)
{
    uint32_t n_devices = 0;

    for (uint32_t i = 0; i < view->n_cells; i++)
        n_devices += view->cells[i].has_device;
    if (view->n_cells == 0)
        add(list, "cells", FAIL,
            g_strdup("the domain has no guest NUMA cell, so it can have no memory device"),
            "run `lparctl enable` on it and restart it");
    else if (n_devices == view->n_cells)
        add(list, "virtio-mem", FINE, g_strdup("every cell has a virtio-mem device"), NULL);
    else
        add(list, "virtio-mem", WARN,
            g_strdup_printf("%u of %u cells have a virtio-mem device", n_devices,
                            view->n_cells),
            "run `lparctl enable` on it and restart it");

    if (view->slots > view->slots_used)
        add(list, "slots", FINE,
            g_strdup_printf("%u of %u memory slots are free", view->slots - view->slots_used,
                            view->slots), NULL);
    else
        add(list, "slots", n_devices > 0 ? WARN : FAIL,
            g_strdup_printf("no memory slot of %u is free: no DIMM can be added", view->slots),
            "raise <maxMemory slots=...> in the domain's XML and restart it");

    if (view->free_pci_ports >= FREE_PORTS_WANTED)
        add(list, "pci-ports", FINE,
            g_strdup_printf("%u PCIe root ports are free", view->free_pci_ports), NULL);
    else
        add(list, "pci-ports", WARN,
            g_strdup("no PCIe root port is free: no device can be added while it runs"),
            "add <controller type='pci' model='pcie-root-port'/> to the domain and restart it");
}

static void
check_base(const LpPartition *partition, json_t *list)
{
    const LpView *view = partition->view;
    uint64_t floor, most = lp_view_ceiling_bytes(view);
    char base[LP_UNITS_TEXT], need[LP_UNITS_TEXT], max[LP_UNITS_TEXT];

    if (lp_partition_has_profile(partition))
        most = MIN(most, partition->profile.mem.max_bytes);
    floor = lp_profile_base_floor(most, MAX(view->n_cells, 1));
    lp_units_format_bytes(view->base_bytes, base, sizeof base);
    lp_units_format_bytes(floor, need, sizeof need);
    lp_units_format_bytes(most, max, sizeof max);
    if (view->base_bytes >= floor)
        add(list, "base", FINE,
            g_strdup_printf("base memory of %s suffices for a guest of up to %s", base, max),
            NULL);
    else
        add(list, "base", WARN,
            g_strdup_printf("base memory of %s is little for a guest that may grow to %s: its "
                            "kernel can run out of memory of its own; %s are needed", base, max,
                            need),
            "raise the profile's minimum of memory, or lower its maximum, and restart it");
}

static void
check_host(const LpView *view, const LpHost *host, json_t *list)
{
    bool hardware = view->accel == LP_ACCEL_KVM;

    if (view->memory_locked)
        add(list, "pinned-memory", FAIL,
            g_strdup("the domain's memory is pinned (locked, VFIO or huge pages): what the guest "
                     "gives back does not return to the host"),
            "remove <locked/>, <hugepages/> or the assigned device from its XML");
    else
        add(list, "pinned-memory", FINE, g_strdup("the domain's memory is not pinned"), NULL);

    if (view->run == LP_RUN_OFF)
        add(list, "cgroup", FINE, g_strdup("no cgroup while it is off"), NULL);
    else if (view->cgroup != LP_CGROUP_NONE)
        add(list, "cgroup", FINE, g_strdup("processor capacity is enforced by cgroup"), NULL);
    else
        add(list, "cgroup", WARN,
            g_strdup("no cpu cgroup: processor capacity is not enforced"),
            "use qemu:///system, with the cpu controller of cgroup v1 or v2 mounted");

    if (hardware)
        add(list, "kvm", FINE, g_strdup("the partition runs on hardware virtualization"), NULL);
    else
        add(list, "kvm", WARN,
            g_strdup_printf("the partition is emulated: slow, and its vCPUs are folded, never "
                            "unplugged%s%s", host->kvm_usable ? "" : "; ",
                            host->kvm_usable ? "" : host->kvm_reason),
            host->kvm_usable ? "set <domain type='kvm'> and restart it"
                             : "turn on VT-x or AMD-V in the firmware and load kvm_intel or "
                               "kvm_amd");
}

json_t *
lp_check_partition(const LpPartition *partition, const LpHost *host)
{
    json_t *list = json_array();

    check_profile(partition, list);
    check_agent(partition, list);
    check_drivers(partition, list);
    check_forbidden(partition, list);
    check_memory_devices(partition->view, list);
    check_base(partition, list);
    check_host(partition->view, host, list);
    return list;
}
