/* lparctl host --numa: node by node, how far they are apart, and who lies where. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/picture.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"
#include "numa/cpumask.h"
#include "policy/units.h"

/* A column of each fits LP_CTL_COLUMNS; beyond, nodes are told by their distance. */
#define MATRIX_MAX 19

static void
print_nodes(const json_t *nodes, GString *out)
{
    static const char *const headings[] = { ">NODE", ">PACKAGE", "TIER", "PROCESSORS", ">MEMORY",
                                            ">GRANTED", ">FREE", ">RESERVE", ">CACHE", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    for (gsize i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        lp_ctl_table_take(table, lp_ctl_text_int(node, "id"), lp_ctl_text_int(node, "package"),
                          lp_ctl_text_str(node, "tier"), lp_ctl_text_str(node, "cpus"),
                          lp_ctl_text_measured(node, "memory_bytes"),
                          lp_ctl_text_measured(node, "granted_bytes"),
                          lp_ctl_text_measured(node, "free_bytes"),
                          lp_ctl_text_measured(node, "reserve_bytes"),
                          lp_ctl_json_int(node, "memory_cache_bytes", 0) > 0
                              ? lp_ctl_text_measured(node, "memory_cache_bytes") : NULL);
    }
    lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
}

/* What the machine has, and lpard may not use. */
static void
print_missing(const json_t *topology, GString *out)
{
    static const struct { const char *field, *what; } counts[] = {
        { "nodes_offline", "nodes offline" },
        { "cpus_offline", "processors offline" },
        { "cpus_forbidden", "processors that lpard may not use" },
    };
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
        gint64 n = lp_ctl_json_int(topology, counts[i].field, 0);

        if (n > 0)
            g_string_append_printf(text, "%s%s: %" G_GINT64_FORMAT, text->len ? ", " : "",
                                   counts[i].what, n);
    }
    if (text->len > 0)
        lp_ctl_text_wrap(out, "not used: ", "  ", text->str);
}

static gint64
distance(const json_t *topology, gsize from, gsize to)
{
    const json_t *row = json_array_get(json_object_get(topology, "distances"), from);

    return json_integer_value(json_array_get(row, to));
}

static void
print_matrix(const json_t *topology, GString *out)
{
    const json_t *nodes = json_object_get(topology, "nodes");
    gsize n = json_array_size(nodes);

    g_string_append(out, "    ");
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(out, " %4" G_GINT64_FORMAT,
                               lp_ctl_json_int(json_array_get(nodes, i), "id", -1));
    g_string_append_c(out, '\n');
    for (gsize i = 0; i < n; i++) {
        g_string_append_printf(out, "%4" G_GINT64_FORMAT,
                               lp_ctl_json_int(json_array_get(nodes, i), "id", -1));
        for (gsize k = 0; k < n; k++)
            g_string_append_printf(out, " %4" G_GINT64_FORMAT,
                                   CLAMP(distance(topology, i, k), 0, 9999));
        g_string_append_c(out, '\n');
    }
}

/* The least distance above `above`; 0: there is none. */
static gint64
next_distance(const json_t *topology, gsize from, gint64 above)
{
    gsize n = json_array_size(json_object_get(topology, "nodes"));
    gint64 found = 0;

    for (gsize i = 0; i < n; i++) {
        gint64 value = distance(topology, from, i);

        if (value > above && (found == 0 || value < found))
            found = value;
    }
    return found;
}

/* "node 3: 10 to 3; 12 to 0-2; 21 to 4-63" */
static void
print_rings(const json_t *topology, GString *out)
{
    const json_t *nodes = json_object_get(topology, "nodes");
    gsize n = json_array_size(nodes);

    for (gsize i = 0; i < n; i++) {
        g_autofree char *first = g_strdup_printf(
            "node %" G_GINT64_FORMAT ": ", lp_ctl_json_int(json_array_get(nodes, i), "id", -1));
        g_autoptr(GString) line = g_string_new(NULL);

        for (gint64 d = next_distance(topology, i, 0); d > 0; d = next_distance(topology, i, d)) {
            char text[LP_CPUMASK_TEXT];
            LpCpuMask ids;

            lp_cpumask_clear(&ids);
            for (gsize k = 0; k < n; k++) {
                gint64 id = lp_ctl_json_int(json_array_get(nodes, k), "id", -1);

                if (distance(topology, i, k) == d && id >= 0 && id < LP_MAX_CPUS)
                    lp_cpumask_add(&ids, (unsigned)id);
            }
            g_string_append_printf(line, "%s%" G_GINT64_FORMAT " to %s", line->len ? "; " : "", d,
                                   lp_cpumask_format(&ids, text, sizeof text));
        }
        lp_ctl_text_wrap(out, first, "  ", line->str);
    }
}

static void
print_contents(const json_t *contents, GString *out)
{
    static const char *const headings[] = { "DOMAIN", ">MEMORY", "MEMORY ON", ">VCPUS", "VCPUS ON",
                                            "BY", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    for (gsize i = 0; i < json_array_size(contents); i++) {
        const json_t *each = json_array_get(contents, i);
        const json_t *nodes = json_object_get(each, "nodes");
        char text[LP_UNITS_TEXT];
        gint64 bytes = 0;

        for (gsize k = 0; k < json_array_size(nodes); k++)
            bytes += lp_ctl_json_int(json_array_get(nodes, k), "bytes", 0);
        lp_ctl_table_take(table, lp_ctl_text_str(each, "partition"),
                          g_strdup(lp_units_near_bytes((guint64)MAX(bytes, 0), text, sizeof text)),
                          lp_ctl_text_shares(nodes, "bytes"),
                          lp_ctl_text_int(each, "vcpus"),
                          lp_ctl_text_shares(nodes, "cpu_permyriad"),
                          g_strdup(lp_ctl_json_bool(each, "measured") ? "measured"
                                                                      : "definition"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    else
        g_string_append(out, "No domain runs.\n");
}

static void
print_host(const json_t *host)
{
    g_autoptr(GString) out = g_string_new(NULL);
    const json_t *topology = json_object_get(host, "topology");
    const json_t *nodes = json_object_get(topology, "nodes");
    bool known = lp_ctl_json_bool(topology, "distances_known");

    if (json_array_size(nodes) == 0) {
        puts("This host's topology has no nodes.");
        return;
    }
    print_nodes(nodes, out);
    print_missing(topology, out);
    if (json_array_size(nodes) > 1) {
        g_string_append(out, known ? "distances:\n"
                                   : "distances (the machine states none: these are assumed):\n");
        if (json_array_size(nodes) <= MATRIX_MAX)
            print_matrix(topology, out);
        else
            print_rings(topology, out);
    }
    print_contents(json_object_get(host, "contents"), out);
    fputs(out->str, stdout);
}

static int
draw(const json_t *host, const char *file, GError **error)
{
    g_autofree char *page = lp_ctl_picture(host);
    g_autoptr(GError) failed = NULL;

    if (strcmp(file, "-") == 0) {
        fputs(page, stdout);
        return LP_CTL_EXIT_DONE;
    }
    if (g_file_set_contents(file, page, -1, &failed))
        return LP_CTL_EXIT_DONE;
    lp_ctl_error(error, LP_CTL_EXIT_ERROR, "the picture could not be written: %s",
                 failed->message);
    return -1;
}

int
lp_ctl_host_numa(LpCtl *ctl, GError **error)
{
    const char *file = lp_ctl_value(ctl, LP_CTL_OPT_SVG);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown;

    if (file != NULL && (lp_ctl_is_json(ctl) || file[0] == '\0')) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     file[0] ? "--svg and -o json exclude each other: give one of them"
                             : "--svg needs a file: write --svg host.svg, or - for the standard "
                               "output");
        return -1;
    }
    shown = lp_ctl_show(ctl, "GET", "/v1/host?contents=1", NULL, &answer, error);
    if (shown != LP_CTL_SHOW)
        return shown;
    lp_ctl_warn_away(answer.json);
    if (file != NULL)
        return draw(answer.json, file, error);
    print_host(answer.json);
    return LP_CTL_EXIT_DONE;
}
