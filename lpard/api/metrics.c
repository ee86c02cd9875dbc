#include "lpard/api/metrics.h"

#include <jansson.h>
#include <string.h>

#include "lpard/engine/engine.h"
#include "lpard/api/export.h"
#include "lpard/engine/operation.h"

/* An operation may be told of again after its end (a late removal, say); it is counted once.
 * As many are remembered as the engine keeps. */
#define ENDED_KEPT LP_FINISHED_KEPT

struct LpCounts {
    uint64_t events;
    uint64_t ended[LP_OP_STATES];
    int64_t ended_ids[ENDED_KEPT];
    unsigned n_ended;
};

LpCounts *
lp_counts_new(void)
{
    return g_new0(LpCounts, 1);
}

void
lp_counts_free(LpCounts *counts)
{
    g_free(counts);
}

static bool
counted(LpCounts *counts, int64_t id)
{
    for (unsigned i = 0; i < MIN(counts->n_ended, ENDED_KEPT); i++) {
        if (counts->ended_ids[i] == id)
            return true;
    }
    counts->ended_ids[counts->n_ended++ % ENDED_KEPT] = id;
    return false;
}

void
lp_counts_event(LpCounts *counts, const LpEventItem *item)
{
    json_t *body;
    json_int_t id;
    const char *state;

    counts->events++;
    if (strcmp(item->type, "operation") != 0)
        return;
    body = json_loads(item->text, 0, NULL);
    if (body && json_unpack(body, "{s:I, s:s}", "id", &id, "state", &state) == 0) {
        for (unsigned s = LP_OP_DONE; s < LP_OP_STATES; s++) {
            if (strcmp(state, lp_op_state_name(s)) == 0 && !counted(counts, id))
                counts->ended[s]++;
        }
    }
    json_decref(body);
}

static void
head(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

char *
lp_metrics_label(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);

    for (const char *c = valid; *c; c++) {
        if (*c == '\\' || *c == '"')
            g_string_append_c(out, '\\');
        if (*c == '\n')
            g_string_append(out, "\\n");
        else
            g_string_append_c(out, *c);
    }
    return g_string_free(out, FALSE);
}

static void
single(GString *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    g_string_append_printf(out, "%s %" G_GUINT64_FORMAT "\n", name, value);
}

static void
figure(GString *out, const char *name, const char *partition, const char *which, uint64_t value)
{
    g_string_append_printf(out, "%s{partition=\"%s\",figure=\"%s\"} %" G_GUINT64_FORMAT "\n",
                           name, partition, which, value);
}

typedef void (*EachFunc)(GString *out, const LpPartition *partition, const char *name);

static void
each_partition(GString *out, const LpMetrics *metrics, EachFunc func)
{
    for (guint i = 0; i < metrics->partitions->len; i++) {
        const LpPartition *partition = g_ptr_array_index(metrics->partitions, i);

        if (partition->profile_state != LP_PROFILE_STATE_NONE) {
            g_autofree char *name = lp_metrics_label(partition->view->name);

            func(out, partition, name);
        }
    }
}

static void
cpu_of(GString *out, const LpPartition *partition, const char *name)
{
    uint32_t usable = lp_partition_usable_cpus(partition);

    if (lp_partition_has_profile(partition))
        figure(out, "lpard_partition_cpu", name, "desired", partition->profile.cpu.desired);
    figure(out, "lpard_partition_cpu", name, "granted", lp_partition_granted_cpus(partition));
    if (usable > 0)
        figure(out, "lpard_partition_cpu", name, "usable", usable);
}

static void
mem_of(GString *out, const LpPartition *partition, const char *name)
{
    uint64_t usable = lp_partition_usable_bytes(partition);

    if (lp_partition_has_profile(partition))
        figure(out, "lpard_partition_memory_bytes", name, "desired",
               partition->profile.mem.desired_bytes);
    figure(out, "lpard_partition_memory_bytes", name, "granted",
           lp_partition_granted_bytes(partition));
    if (usable > 0)
        figure(out, "lpard_partition_memory_bytes", name, "usable", usable);
}

static void
agent_of(GString *out, const LpPartition *partition, const char *name)
{
    g_string_append_printf(out, "lpard_partition_agent_connected{partition=\"%s\"} %d\n", name,
                           partition->guest.connected);
}

static void
run_of(GString *out, const LpPartition *partition, const char *name)
{
    g_string_append_printf(out, "lpard_partition_running{partition=\"%s\"} %d\n", name,
                           partition->view->run == LP_RUN_RUNNING);
}

static void
overrun_of(GString *out, const LpPartition *partition, const char *name)
{
    g_string_append_printf(out, "lpard_partition_overrun{partition=\"%s\"} %d\n", name,
                           partition->overrun);
}

/* What the guest says of itself; nothing of one that says nothing. */
static const LpWirePressure *
pressure_of(const LpPartition *partition)
{
    const LpGuest *guest = &partition->guest;

    return guest->connected && guest->has_pressure ? &guest->pressure : NULL;
}

static void
stalls_of(GString *out, const LpPartition *partition, const char *name)
{
    const LpWirePressure *pressure = pressure_of(partition);

    if (!pressure)
        return;
    figure(out, "lpard_guest_pressure_centi", name, "cpu_some", pressure->psi_cpu_some_centi);
    figure(out, "lpard_guest_pressure_centi", name, "mem_some", pressure->psi_mem_some_centi);
    figure(out, "lpard_guest_pressure_centi", name, "mem_full", pressure->psi_mem_full_centi);
    figure(out, "lpard_guest_pressure_centi", name, "io_some", pressure->psi_io_some_centi);
    figure(out, "lpard_guest_pressure_centi", name, "io_full", pressure->psi_io_full_centi);
}

static void
guest_memory_of(GString *out, const LpPartition *partition, const char *name)
{
    const LpWirePressure *pressure = pressure_of(partition);

    if (!pressure)
        return;
    figure(out, "lpard_guest_memory_bytes", name, "total", pressure->mem_total_bytes);
    figure(out, "lpard_guest_memory_bytes", name, "available", pressure->mem_available_bytes);
    figure(out, "lpard_guest_memory_bytes", name, "working_set", pressure->working_set_bytes);
    figure(out, "lpard_guest_memory_bytes", name, "swap_used", pressure->swap_used_bytes);
}

static void
times_of(GString *out, const LpPartition *partition, const char *name)
{
    const LpWirePressure *pressure = pressure_of(partition);

    if (!pressure)
        return;
    figure(out, "lpard_guest_cpu_centi", name, "busy", pressure->busy_centi);
    figure(out, "lpard_guest_cpu_centi", name, "steal", pressure->steal_centi);
}

/* Figures that have a name of their own. */
static void
plain(GString *out, const char *metric, const char *name, uint64_t value)
{
    g_string_append_printf(out, "%s{partition=\"%s\"} %" G_GUINT64_FORMAT "\n", metric, name,
                           value);
}

static void
running_of(GString *out, const LpPartition *partition, const char *name)
{
    if (pressure_of(partition))
        plain(out, "lpard_guest_runnable", name, pressure_of(partition)->running);
}

static void
refaults_of(GString *out, const LpPartition *partition, const char *name)
{
    if (pressure_of(partition))
        plain(out, "lpard_guest_refaults_total", name, pressure_of(partition)->refaults);
}

static void
oom_kills_of(GString *out, const LpPartition *partition, const char *name)
{
    if (pressure_of(partition))
        plain(out, "lpard_guest_oom_kills_total", name, pressure_of(partition)->oom_kills);
}

static void
each_class(GString *out, const LpPartition *partition, const char *name, const char *metric,
           bool memory)
{
    const LpWirePressure *pressure = pressure_of(partition);

    for (uint32_t i = 0; pressure && i < MIN(pressure->n_classes, LP_WIRE_CLASSES_MAX); i++) {
        const LpWireClassUse *use = &pressure->classes[i];
        g_autofree char *class = lp_metrics_label(use->name);

        g_string_append_printf(out, "%s{partition=\"%s\",class=\"%s\"} %" G_GUINT64_FORMAT "\n",
                               metric, name, class, memory ? use->mem_bytes : use->cpu_centi);
    }
}

static void
class_cpu_of(GString *out, const LpPartition *partition, const char *name)
{
    each_class(out, partition, name, "lpard_guest_class_cpu_centi", false);
}

static void
class_memory_of(GString *out, const LpPartition *partition, const char *name)
{
    each_class(out, partition, name, "lpard_guest_class_memory_bytes", true);
}

static void
guests(GString *out, const LpMetrics *metrics)
{
    static const struct {
        const char *name, *type, *help;
        EachFunc func;
    } figures[] = {
        {"lpard_guest_pressure_centi", "gauge",
         "Time in which tasks of the guest stalled, 10 s average, percent x 100.", stalls_of},
        {"lpard_guest_memory_bytes", "gauge", "Memory as the guest sees it.", guest_memory_of},
        {"lpard_guest_cpu_centi", "gauge",
         "Time of the guest's processors, percent x 100.", times_of},
        {"lpard_guest_runnable", "gauge", "Tasks of the guest that want to run.", running_of},
        {"lpard_guest_refaults_total", "counter",
         "Pages that the guest needed again after dropping them, since its boot.", refaults_of},
        {"lpard_guest_oom_kills_total", "counter",
         "Processes killed in the guest for want of memory, since its boot.", oom_kills_of},
        {"lpard_guest_class_cpu_centi", "gauge",
         "Processors used by a workload class of the guest, x 100.", class_cpu_of},
        {"lpard_guest_class_memory_bytes", "gauge",
         "Memory used by a workload class of the guest.", class_memory_of},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(figures); i++) {
        head(out, figures[i].name, figures[i].type, figures[i].help);
        each_partition(out, metrics, figures[i].func);
    }
}

static void
partitions(GString *out, const LpMetrics *metrics)
{
    head(out, "lpard_partition_cpu", "gauge", "vCPUs: desired, granted, usable by the guest.");
    each_partition(out, metrics, cpu_of);
    head(out, "lpard_partition_memory_bytes", "gauge",
         "Memory: desired, granted, usable by the guest.");
    each_partition(out, metrics, mem_of);
    head(out, "lpard_partition_agent_connected", "gauge", "Whether lpar-agent answers.");
    each_partition(out, metrics, agent_of);
    head(out, "lpard_partition_running", "gauge", "Whether the partition runs.");
    each_partition(out, metrics, run_of);
    head(out, "lpard_partition_overrun", "gauge",
         "Whether the guest holds more memory than it was granted.");
    each_partition(out, metrics, overrun_of);
}

static void
host(GString *out, const LpHostUse *use)
{
    single(out, "lpard_host_memory_capacity_bytes", "Memory of the host.", use->capacity_bytes);
    single(out, "lpard_host_memory_granted_bytes", "Memory granted to partitions.",
           use->granted_bytes);
    single(out, "lpard_host_memory_unmanaged_bytes", "Memory that plain domains may use.",
           use->unmanaged_bytes);
    single(out, "lpard_host_memory_free_bytes", "Memory that can still be granted.",
           use->free_bytes);
    single(out, "lpard_host_cpu_entitled_centi", "Processing units entitled, in hundredths.",
           use->entitled_centi);
    single(out, "lpard_host_cpu_free_centi", "Processing units not entitled, in hundredths.",
           use->free_centi);
    single(out, "lpard_partitions", "Partitions known.", use->n_partitions);
    single(out, "lpard_domains_unmanaged", "Running domains without a profile.",
           use->n_unmanaged);
}

static void
operations(GString *out, const LpMetrics *metrics)
{
    uint32_t open[LP_OP_STATES] = {0};

    for (guint i = 0; i < metrics->operations->len; i++)
        open[((const LpOperation *)g_ptr_array_index(metrics->operations, i))->state]++;
    head(out, "lpard_operations_open", "gauge", "Operations under way, by state.");
    for (unsigned s = 0; s < LP_OP_DONE; s++)
        g_string_append_printf(out, "lpard_operations_open{state=\"%s\"} %u\n",
                               lp_op_state_name(s), open[s]);
    head(out, "lpard_operations_total", "counter",
         "Operations ended since lpard started, by final state.");
    for (unsigned s = LP_OP_DONE; s < LP_OP_STATES; s++)
        g_string_append_printf(out, "lpard_operations_total{state=\"%s\"} %" G_GUINT64_FORMAT
                               "\n", lp_op_state_name(s), metrics->counts->ended[s]);
}

static void
consent(GString *out, const LpConsentCounts *counts)
{
    const struct { const char *what; uint64_t n; } all[] = {
        {"vetoed", counts->vetoes}, {"forced", counts->forced}, {"silent", counts->silent},
        {"late", counts->late}, {"stopped", counts->stops}, {"hook_failed", counts->hooks},
        {"asked", counts->asks}, {"ask_refused", counts->asks_refused},
    };

    head(out, "lpard_guest_answers_total", "counter",
         "What guests did about resizes since lpard started: refused, were overridden, did not "
         "answer in time or too late, stopped a release, failed in a hook, asked.");
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        g_string_append_printf(out, "lpard_guest_answers_total{what=\"%s\"} %" G_GUINT64_FORMAT
                               "\n", all[i].what, all[i].n);
}

char *
lp_metrics_text(const LpMetrics *metrics)
{
    GString *out = g_string_new(NULL);

    head(out, "lpard_build_info", "gauge", "The version that runs.");
    g_string_append_printf(out, "lpard_build_info{version=\"%s\"} 1\n", metrics->version);
    single(out, "lpard_hypervisor_connected", "Whether the hypervisor's daemon answers.",
           metrics->connected);
    single(out, "lpard_journal_healthy", "Whether the last write of the journal succeeded.",
           metrics->journal_healthy);
    single(out, "lpard_stuck_lanes", "Partitions whose hypervisor call does not return.",
           metrics->n_stuck);
    single(out, "lpard_connections", "Connections to the API.", metrics->n_connections);
    single(out, "lpard_event_streams", "Clients that follow the events.", metrics->n_streams);
    head(out, "lpard_events_total", "counter", "Events told since lpard started.");
    g_string_append_printf(out, "lpard_events_total %" G_GUINT64_FORMAT "\n",
                           metrics->counts->events);
    host(out, metrics->use);
    partitions(out, metrics);
    guests(out, metrics);
    operations(out, metrics);
    if (metrics->consent)
        consent(out, metrics->consent);
    if (metrics->scaler)
        lp_metrics_policy(out, metrics->scaler);
    if (metrics->affinity)
        lp_metrics_affinity(out, metrics->affinity);
    return g_string_free(out, FALSE);
}
