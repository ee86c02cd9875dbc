#include "lpard/api/drift.h"

#include <stdarg.h>

#include "policy/units.h"

static void
say(json_t *list, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
say(json_t *list, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

/* QEMU tells of what a guest took only after a while; until then it is on its way, not missing. */
static bool
is_on_its_way(const LpPartition *partition)
{
    return partition->memory_asked_usec != 0 &&
           g_get_monotonic_time() - partition->memory_asked_usec < LP_SIZE_EVENT_LAG_USEC;
}

static void
cpu_drift(const LpPartition *partition, json_t *list)
{
    uint32_t desired = partition->profile.cpu.desired;
    uint32_t granted = lp_partition_granted_cpus(partition);
    uint32_t usable = lp_partition_usable_cpus(partition);

    if (granted != desired && !partition->autoscaled)
        say(list, "vCPUs: %u granted, %u desired: run `lparctl reconcile %s`", granted, desired,
            partition->view->name);
    if (usable != 0 && usable != granted)
        say(list, "the guest runs on %u vCPU%s, %u granted", usable, usable == 1 ? "" : "s",
            granted);
}

static void
mem_drift(const LpPartition *partition, json_t *list)
{
    char a[LP_UNITS_TEXT], b[LP_UNITS_TEXT];
    const LpView *view = partition->view;
    uint64_t desired = partition->profile.mem.desired_bytes;
    uint64_t granted = lp_partition_granted_bytes(partition);
    uint64_t requested = lp_view_requested_bytes(view);
    uint64_t plugged = lp_view_plugged_bytes(view);
    uint64_t usable = lp_partition_usable_bytes(partition);

    if (granted != desired && !partition->autoscaled)
        say(list, "%s of memory are granted, %s are desired: run `lparctl reconcile %s`",
            lp_units_format_bytes(granted, a, sizeof a),
            lp_units_format_bytes(desired, b, sizeof b), view->name);
    if (plugged > requested && !is_on_its_way(partition))
        say(list, "the guest still holds %s that it was asked to give back",
            lp_units_format_bytes(plugged - requested, a, sizeof a));
    else if (plugged < requested && !is_on_its_way(partition))
        say(list, "the guest has not yet taken %s of what it was given",
            lp_units_format_bytes(requested - plugged, a, sizeof a));
    if (usable != 0 && usable != granted && plugged == requested && view->balloon_bytes == 0)
        say(list, "the guest can use %s of memory, %s are granted",
            lp_units_format_bytes(usable, a, sizeof a),
            lp_units_format_bytes(granted, b, sizeof b));
    if (view->balloon_bytes > 0)
        say(list, "the balloon holds %s of the memory granted",
            lp_units_format_bytes(view->balloon_bytes, a, sizeof a));
}

static void
next_start_drift(const LpPartition *partition, json_t *list)
{
    char a[LP_UNITS_TEXT], b[LP_UNITS_TEXT];
    const LpView *view = partition->view;
    uint32_t cpus = lp_cpumask_count(&view->plugged_config);
    uint64_t bytes = view->base_config_bytes + view->requested_config_bytes;

    if (!view->persistent)
        return;
    if (cpus != partition->profile.cpu.desired)
        say(list, "the next start gives %u vCPU%s, %u desired", cpus, cpus == 1 ? "" : "s",
            partition->profile.cpu.desired);
    if (bytes != partition->profile.mem.desired_bytes)
        say(list, "the next start gives %s of memory, %s are desired",
            lp_units_format_bytes(bytes, a, sizeof a),
            lp_units_format_bytes(partition->profile.mem.desired_bytes, b, sizeof b));
}

json_t *
lp_drift_sentences(const LpPartition *partition)
{
    json_t *list = json_array();

    if (partition->view->run != LP_RUN_OFF) {
        cpu_drift(partition, list);
        mem_drift(partition, list);
    }
    next_start_drift(partition, list);
    if (partition->overrun)
        say(list, "the guest holds more memory than it was granted: nothing is given to it "
            "until that ends");
    return list;
}
