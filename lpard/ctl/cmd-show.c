/* lparctl show: all there is to say of one partition. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/definition.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static void
print_head(const json_t *partition, GString *out)
{
    g_autofree char *name = lp_ctl_text_str(partition, "name");
    g_autofree char *uuid = lp_ctl_text_str(partition, "uuid");
    g_autofree char *run = lp_ctl_text_str(partition, "run");
    g_autofree char *accel = lp_ctl_text_str(partition, "accel");
    const char *profile = lp_ctl_json_str(partition, "profile_state");
    const char *message = lp_ctl_json_str(partition, "profile_message");

    g_string_append_printf(out, "%s (%s): %s, %s%s%s%s\n", name, uuid, run, accel,
                           lp_ctl_json_bool(partition, "persistent") ? "" : ", transient",
                           lp_ctl_json_bool(partition, "stuck") ? ", stuck" : "",
                           lp_ctl_json_bool(partition, "overrun") ? ", over its grant" : "");
    if (profile[0] != '\0' && strcmp(profile, "good") != 0) {
        g_autofree char *first = g_strdup_printf("profile %s: ", profile);

        lp_ctl_text_wrap(out, first, "  ", message);
    }
}

/* One that is off has been granted nothing, and nobody in it uses anything. */
static void
print_amounts_off(const json_t *p, GString *out)
{
    static const char *const headings[] = { "", ">MIN", ">DESIRED", ">MAX", ">AT NEXT START",
                                            NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    lp_ctl_table_take(table, g_strdup("cpu"), lp_ctl_text_int(p, "profile.cpu.min"),
                      lp_ctl_text_int(p, "cpu.desired"), lp_ctl_text_int(p, "profile.cpu.max"),
                      lp_ctl_text_int(p, "next_start.cpu"));
    lp_ctl_table_take(table, g_strdup("mem"), lp_ctl_text_mem(p, "profile.mem.min_bytes"),
                      lp_ctl_text_mem(p, "mem.desired_bytes"),
                      lp_ctl_text_mem(p, "profile.mem.max_bytes"),
                      lp_ctl_text_mem(p, "next_start.mem_bytes"));
    lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
}

static void
print_amounts(const json_t *p, GString *out)
{
    static const char *const headings[] = { "", ">MIN", ">DESIRED", ">GRANTED", ">USABLE", ">MAX",
                                            ">PLUGGED", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    lp_ctl_table_take(table, g_strdup("cpu"), lp_ctl_text_int(p, "profile.cpu.min"),
                      lp_ctl_text_int(p, "cpu.desired"), lp_ctl_text_int(p, "cpu.granted"),
                      lp_ctl_text_int(p, "cpu.usable"), lp_ctl_text_int(p, "profile.cpu.max"),
                      lp_ctl_text_int(p, "cpu.plugged"));
    lp_ctl_table_take(table, g_strdup("mem"), lp_ctl_text_mem(p, "profile.mem.min_bytes"),
                      lp_ctl_text_mem(p, "mem.desired_bytes"),
                      lp_ctl_text_mem(p, "mem.granted_bytes"),
                      lp_ctl_text_mem(p, "mem.usable_bytes"),
                      lp_ctl_text_mem(p, "profile.mem.max_bytes"),
                      lp_ctl_text_mem(p, "mem.plugged_bytes"));
    lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
}

static void
print_cells(const json_t *cells, GString *out)
{
    static const char *const headings[] = { ">CELL", ">NODE", "MECHANISM", ">BASE", ">REQUESTED",
                                            ">PLUGGED", ">DEVICE", ">USABLE", "VCPUS", "PLUGGED",
                                            NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    for (gsize i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);

        lp_ctl_table_take(table, lp_ctl_text_int(cell, "cell"), lp_ctl_text_int(cell, "node"),
                          lp_ctl_text_str(cell, "mechanism"), lp_ctl_text_mem(cell, "base_bytes"),
                          lp_ctl_text_mem(cell, "requested_bytes"),
                          lp_ctl_text_mem(cell, "plugged_bytes"),
                          lp_ctl_text_mem(cell, "device_bytes"),
                          lp_ctl_text_measured(cell, "usable_bytes"),
                          lp_ctl_text_str(cell, "vcpus"),
                          lp_ctl_text_str(cell, "plugged_vcpus"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
}

/* Rule, score, and cells that lie elsewhere; nothing where nothing was said or measured. */
static void
print_numa(const json_t *p, GString *out)
{
    const json_t *profile = json_object_get(p, "profile");
    const json_t *score = json_object_get(p, "score"), *cells = json_object_get(p, "cells");
    g_autofree char *rule = lp_ctl_numa_text(profile);
    bool plain = !json_is_object(score) && lp_ctl_numa_is_default(profile);
    g_autoptr(GString) text = g_string_new(plain || strcmp(rule, "-") == 0 ? "" : rule);

    if (json_is_object(score)) {
        g_autofree char *points = lp_ctl_text_points(score, "score_centi");
        g_autofree char *local = lp_ctl_text_points(score, "local_centi");
        g_autofree char *best = lp_ctl_text_points(score, "best_centi");
        g_autofree char *agreement = lp_ctl_text_points(score, "agreement_centi");
        g_autofree char *memory = lp_ctl_text_shares(json_object_get(score, "nodes"), "bytes");
        g_autofree char *cpu = lp_ctl_text_shares(json_object_get(score, "nodes"),
                                                  "cpu_permyriad");

        g_string_append_printf(text, "%sscore %s (local %s of at best %s), agreement %s, memory "
                               "on %s, vCPUs on %s", text->len ? "; " : "", points, local, best,
                               agreement, memory, cpu);
    }
    if (text->len > 0)
        lp_ctl_text_wrap(out, "numa: ", "  ", text->str);
    for (gsize i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);

        if (lp_ctl_json_bool(cell, "drifted"))
            g_string_append_printf(out, "  cell %zu lies on node %" G_GINT64_FORMAT "; until the "
                                   "next start its new pages come from node %" G_GINT64_FORMAT
                                   " and are moved\n", i, lp_ctl_json_int(cell, "home", -1),
                                   lp_ctl_json_int(cell, "node", -1));
    }
}

static void
print_memory(const json_t *p, GString *out)
{
    g_autofree char *resident = lp_ctl_text_measured(p, "mem.resident_bytes");
    g_autofree char *counted = lp_ctl_text_measured(p, "mem.counted_bytes");
    g_autofree char *balloon = lp_ctl_text_mem(p, "mem.balloon_bytes");
    g_autofree char *available = lp_ctl_text_measured(p, "mem.available_bytes");
    g_autofree char *text =
        g_strdup_printf("resident %s on the host, counted as %s, in the balloon %s, available "
                        "inside %s", resident, counted, balloon, available);

    lp_ctl_text_wrap(out, "memory: ", "  ", text);
}

static void
print_capacity(const json_t *p, GString *out)
{
    g_autofree char *entitled = lp_ctl_text_centi(p, "capacity.entitled_centi");
    g_autofree char *weight = lp_ctl_text_int(p, "capacity.weight");
    g_autofree char *quota = lp_ctl_text_centi(p, "capacity.quota_centi");
    const char *spare = lp_ctl_json_str(p, "capacity.spare");
    g_autofree char *text = g_strdup_printf(
        "%s units, weight %s, %s%s%s%s%s%s", entitled, weight,
        lp_ctl_json_bool(p, "capacity.capped") ? "capped" : "uncapped",
        strcmp(quota, "-") != 0 ? ", held to " : "", strcmp(quota, "-") != 0 ? quota : "",
        spare[0] ? "; spare: " : "", spare,
        lp_ctl_json_bool(p, "cpu.enforced") ? "" : "; not enforced");

    lp_ctl_text_wrap(out, "capacity: ", "  ", text);
}

/* As long as nobody has said anything of it, neither does this. */
static void
print_autoscale(const json_t *p, GString *out)
{
    const json_t *autoscale = lp_ctl_json_at(p, "profile.autoscale");
    g_autofree char *text = lp_ctl_autoscale_text(autoscale);

    if (text != NULL && !lp_ctl_autoscale_is_default(autoscale))
        lp_ctl_text_wrap(out, "autoscale: ", "  ", text);
}

static void
print_mechanisms(const json_t *list, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(list); i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "",
                               json_is_string(json_array_get(list, i))
                                   ? json_string_value(json_array_get(list, i)) : "?");
    lp_ctl_text_wrap(out, "mechanisms: ", "  ", text->len ? text->str : "none");
}

static void
print_agent(const json_t *p, GString *out)
{
    const char *state = lp_ctl_json_str(p, "agent.state");
    gint64 age = lp_ctl_json_int(p, "agent.age_msec", -1);
    gint64 refused = lp_ctl_json_int(p, "agent.refused_frames", 0);
    g_autoptr(GString) text = g_string_new(state);

    if (strcmp(state, "connected") == 0)
        g_string_append_printf(text, ", version %s, kernel %s", lp_ctl_json_str(p, "agent.version"),
                               lp_ctl_json_str(p, "agent.kernel"));
    if (age >= 0) {
        g_autofree char *ago = lp_ctl_text_msec(age);
        g_autofree char *load = lp_ctl_text_centi(p, "agent.load_centi");

        g_string_append_printf(text, ", spoke %s ago, load %s", ago, load);
    }
    if (refused > 0)
        g_string_append_printf(text, ", %" G_GINT64_FORMAT " frames refused", refused);
    lp_ctl_text_wrap(out, "agent: ", "  ", text->str);
}

/* What its agent measured; nothing of one that does not measure. */
static void
print_pressure(const json_t *p, GString *out)
{
    g_autofree char *mem = lp_ctl_text_centi(p, "agent.psi_mem_centi");
    g_autofree char *cpu = lp_ctl_text_centi(p, "agent.psi_cpu_centi");
    g_autofree char *working = lp_ctl_text_measured(p, "agent.working_set_bytes");
    g_autofree char *text = g_strdup_printf("memory some %s %%, cpu %s %%, working set %s", mem,
                                            cpu, working);

    if (json_is_integer(lp_ctl_json_at(p, "agent.working_set_bytes")))
        lp_ctl_text_wrap(out, "pressure: ", "  ", text);
}

static void
print_rest(const json_t *p, GString *out)
{
    const json_t *drift = json_object_get(p, "drift");
    const json_t *next = json_object_get(p, "next_start");

    if (json_is_object(next) && strcmp(lp_ctl_json_str(p, "run"), "off") != 0) {
        g_autofree char *cpu = lp_ctl_text_int(next, "cpu");
        g_autofree char *mem = lp_ctl_text_mem(next, "mem_bytes");

        g_string_append_printf(out, "next start: cpu %s, mem %s\n", cpu, mem);
    }
    if (json_array_size(drift) > 0) {
        g_string_append(out, "drift (`lparctl reconcile` acts on it):\n");
        lp_ctl_text_list(out, "  ", drift);
    }
}

/* Only where the partition says that there are some: mostly it is one request. */
static bool
print_operations(LpCtl *ctl, const json_t *p, GString *out, GError **error)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autofree char *escaped = NULL, *path = NULL;
    const json_t *list;

    if (lp_ctl_json_int(p, "operations_open", 0) <= 0)
        return true;
    escaped = g_uri_escape_string(lp_ctl_json_str(p, "uuid"), NULL, FALSE);
    path = g_strdup_printf("/v1/operations?partition=%s&state=open", escaped);
    if (!lp_ctl_client_ask(ctl->client, "GET", path, NULL, NULL, &answer, error))
        return false;
    g_string_append(out, "open operations:\n");
    list = json_object_get(answer.json, "operations");
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *operation = json_array_get(list, i);
        g_autofree char *kind = lp_ctl_text_str(operation, "kind");
        g_autofree char *state = lp_ctl_text_str(operation, "state");

        g_string_append_printf(out, "  %" G_GINT64_FORMAT " %s %s\n",
                               lp_ctl_json_int(operation, "id", 0), kind, state);
    }
    return true;
}

static int
show_partition(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "", error);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = path ? lp_ctl_show(ctl, "GET", path, NULL, &answer, error) : -1;
    bool off;

    if (shown != LP_CTL_SHOW)
        return shown;
    lp_ctl_warn_away(answer.json);
    print_head(answer.json, out);
    off = strcmp(lp_ctl_json_str(answer.json, "run"), "off") == 0;
    if (off)
        print_amounts_off(answer.json, out);
    else
        print_amounts(answer.json, out);
    print_cells(json_object_get(answer.json, "cells"), out);
    if (!off)
        print_memory(answer.json, out);
    print_numa(answer.json, out);
    print_capacity(answer.json, out);
    print_autoscale(answer.json, out);
    print_mechanisms(json_object_get(answer.json, "mechanisms"), out);
    print_agent(answer.json, out);
    print_pressure(answer.json, out);
    print_rest(answer.json, out);
    if (!print_operations(ctl, answer.json, out, error))
        return -1;
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

int
lp_ctl_cmd_show(LpCtl *ctl, GError **error)
{
    return lp_ctl_has(ctl, LP_CTL_OPT_GUEST) ? lp_ctl_show_guest(ctl, error)
                                             : show_partition(ctl, error);
}
