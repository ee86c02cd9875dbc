/* lparctl show --guest: a partition from the inside, by its agent's word. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static void
print_agent(const json_t *guest, GString *out)
{
    const char *state = lp_ctl_json_str(guest, "agent.state");
    g_autofree char *first = g_strdup_printf("%s: agent ", lp_ctl_json_str(guest, "partition"));
    g_autoptr(GString) text = g_string_new(state);

    if (strcmp(state, "connected") == 0)
        g_string_append_printf(text, ", version %s, kernel %s, boot %s, on %s",
                               lp_ctl_json_str(guest, "agent.version"),
                               lp_ctl_json_str(guest, "agent.kernel"),
                               lp_ctl_json_str(guest, "agent.boot_id"),
                               lp_ctl_json_str(guest, "hypervisor"));
    else if (strcmp(state, "silent") == 0 || strcmp(state, "absent") == 0)
        g_string_append(text, ": nothing was heard from this boot of it; is lpar-agent running in "
                              "the guest? (`lparctl check` tells what else may be missing)");
    else if (strcmp(state, "no-channel") == 0)
        g_string_append(text, ": its definition has no port for one; `lparctl enable` adds it, "
                              "for the next start");
    lp_ctl_text_wrap(out, "", "  ", g_string_prepend(text, first)->str);
}

static void
print_abilities(const json_t *list, GString *out)
{
    if (json_array_size(list) > 0)
        g_string_append(out, "what resizing can do in it:\n");
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *ability = json_array_get(list, i);
        g_autofree char *name = lp_ctl_text_str(ability, "name");
        g_autofree char *able = lp_ctl_text_str(ability, "able");
        g_autofree char *first = g_strdup_printf("  %-16s %-8s ", name, able);

        lp_ctl_text_wrap(out, first, "                            ",
                         lp_ctl_json_str(ability, "text"));
    }
}

/* Names of the features that are in `state`, on a line; nothing if there are none. */
static void
print_features(const json_t *list, const char *state, const char *first, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *feature = json_array_get(list, i);

        if (strcmp(lp_ctl_json_str(feature, "state"), state) == 0)
            g_string_append_printf(text, "%s%s", text->len ? ", " : "",
                                   lp_ctl_json_str(feature, "name"));
    }
    if (text->len)
        lp_ctl_text_wrap(out, first, "  ", text->str);
}

static void
print_lacks(const json_t *list, GString *out)
{
    bool any = false;

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *feature = json_array_get(list, i);
        g_autofree char *name = lp_ctl_text_str(feature, "name");
        g_autofree char *first = g_strdup_printf("  %s: ", name);
        const char *cure = lp_ctl_json_str(feature, "cure");

        if (strcmp(lp_ctl_json_str(feature, "state"), "no") != 0)
            continue;
        if (!any)
            g_string_append(out, "what it lacks:\n");
        any = true;
        lp_ctl_text_wrap(out, first, "      ", lp_ctl_json_str(feature, "text"));
        if (cure[0] != '\0')
            lp_ctl_text_wrap(out, "      cure: ", "      ", cure);
    }
}

static void
print_forbids(const json_t *list, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(list); i++)
        g_string_append_printf(text, "%s%s", text->len ? ", " : "",
                               json_is_string(json_array_get(list, i))
                                   ? json_string_value(json_array_get(list, i)) : "?");
    if (text->len)
        lp_ctl_text_wrap(out, "forbidden by its administrator: ", "  ", text->str);
}

static void
print_stalls(const json_t *pressure, GString *out)
{
    g_autofree char *cpu = lp_ctl_text_centi(pressure, "cpu_some_centi");
    g_autofree char *mem = lp_ctl_text_centi(pressure, "mem_some_centi");
    g_autofree char *mem_full = lp_ctl_text_centi(pressure, "mem_full_centi");
    g_autofree char *io = lp_ctl_text_centi(pressure, "io_some_centi");
    g_autofree char *io_full = lp_ctl_text_centi(pressure, "io_full_centi");
    g_autofree char *text = g_strdup_printf(
        "cpu %s %%, memory %s %% (full %s %%), io %s %% (full %s %%), told %" G_GINT64_FORMAT
        " s ago", cpu, mem, mem_full, io, io_full, lp_ctl_json_int(pressure, "age_sec", 0));

    lp_ctl_text_wrap(out, "pressure: ", "  ", text);
}

static void
print_figures(const json_t *pressure, GString *out)
{
    g_autofree char *total = lp_ctl_text_measured(pressure, "mem_total_bytes");
    g_autofree char *available = lp_ctl_text_measured(pressure, "mem_available_bytes");
    g_autofree char *working = lp_ctl_text_measured(pressure, "working_set_bytes");
    g_autofree char *swap = lp_ctl_text_measured(pressure, "swap_used_bytes");
    g_autofree char *refaults = lp_ctl_text_int(pressure, "refaults");
    g_autofree char *kills = lp_ctl_text_int(pressure, "oom_kills");
    g_autofree char *busy = lp_ctl_text_centi(pressure, "busy_centi");
    g_autofree char *steal = lp_ctl_text_centi(pressure, "steal_centi");
    g_autofree char *running = lp_ctl_text_int(pressure, "running");
    g_autofree char *memory =
        g_strdup_printf("%s, available %s, working set %s, swapped out %s; since boot %s pages "
                        "refaulted, %s OOM kills", total, available, working, swap, refaults,
                        kills);
    g_autofree char *processors =
        g_strdup_printf("%s %% busy, %s %% stolen, %s runnable", busy, steal, running);

    lp_ctl_text_wrap(out, "memory: ", "  ", memory);
    lp_ctl_text_wrap(out, "processors: ", "  ", processors);
}

static void
print_classes(const json_t *list, GString *out)
{
    static const char *const headings[] = { "CLASS", ">PROCESSORS", ">MEMORY", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *class = json_array_get(list, i);

        lp_ctl_table_take(table, lp_ctl_text_str(class, "name"),
                          lp_ctl_text_centi(class, "cpu_centi"),
                          lp_ctl_text_measured(class, "mem_bytes"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
}

int
lp_ctl_show_guest(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "/guest", error);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = path ? lp_ctl_show(ctl, "GET", path, NULL, &answer, error) : -1;
    const json_t *features, *pressure;

    if (shown != LP_CTL_SHOW)
        return shown;
    features = json_object_get(answer.json, "features");
    pressure = json_object_get(answer.json, "pressure");
    print_agent(answer.json, out);
    print_abilities(json_object_get(answer.json, "abilities"), out);
    print_lacks(features, out);
    print_features(features, "yes", "has: ", out);
    print_features(features, "unknown", "not known: ", out);
    print_forbids(json_object_get(answer.json, "forbids"), out);
    if (json_is_object(pressure)) {
        print_stalls(pressure, out);
        print_figures(pressure, out);
        print_classes(json_object_get(pressure, "classes"), out);
    }
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}
