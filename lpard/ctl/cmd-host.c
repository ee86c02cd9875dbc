/* lparctl host: what this machine has, and what is left of it. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static void
print_virtualization(const json_t *host, GString *out)
{
    g_autofree char *extension = lp_ctl_text_str(host, "virtualization.extension");
    g_autofree char *paging = lp_ctl_text_str(host, "virtualization.nested_paging");
    const char *reason = lp_ctl_json_str(host, "virtualization.reason");
    bool usable = lp_ctl_json_bool(host, "virtualization.kvm_usable");
    g_autofree char *text =
        g_strdup_printf("%s, nested paging %s, KVM %s%s%s",
                        strcmp(extension, "-") ? extension : "no VT-x or AMD-V",
                        strcmp(paging, "-") ? paging : "none",
                        usable ? "usable" : "not usable", reason[0] ? ": " : "", reason);

    lp_ctl_text_wrap(out, "virtualization: ", "  ", text);
}

/* An older lpard says nothing of it. */
static void
print_sandbox(const json_t *host, GString *out)
{
    const json_t *kept = lp_ctl_json_at(host, "sandbox.capabilities");
    g_autoptr(GString) text = g_string_new("on; capabilities: ");

    if (!kept)
        return;
    if (!lp_ctl_json_bool(host, "sandbox.on"))
        g_string_printf(text, "off: %s", lp_ctl_json_str(host, "sandbox.reason"));
    else if (json_array_size(kept) == 0)
        g_string_append(text, "none");
    for (gsize i = 0; i < json_array_size(kept); i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "",
                               json_string_value(json_array_get(kept, i)));
    lp_ctl_text_wrap(out, "sandbox: ", "  ", text->str);
}

static void
print_use(const json_t *host, GString *out)
{
    static const char *const headings[] = { "", ">CAPACITY", ">RESERVE", ">GRANTED", ">UNMANAGED",
                                            ">OVERHEAD", ">FREE", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    lp_ctl_table_take(table, g_strdup("memory"),
                      lp_ctl_text_measured(host, "memory.capacity_bytes"),
                      lp_ctl_text_measured(host, "memory.reserve_bytes"),
                      lp_ctl_text_measured(host, "memory.granted_bytes"),
                      lp_ctl_text_measured(host, "memory.unmanaged_bytes"),
                      lp_ctl_text_measured(host, "memory.overhead_bytes"),
                      lp_ctl_text_measured(host, "memory.free_bytes"));
    lp_ctl_table_take(table, g_strdup("processing units"),
                      lp_ctl_text_centi(host, "cpu.capacity_centi"),
                      lp_ctl_text_centi(host, "cpu.reserve_centi"),
                      lp_ctl_text_centi(host, "cpu.entitled_centi"), NULL, NULL,
                      lp_ctl_text_centi(host, "cpu.free_centi"));
    lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    if (lp_ctl_json_int(host, "cpu.pools_centi", 0) > 0) {
        g_autofree char *units = lp_ctl_text_centi(host, "cpu.pools_centi");

        g_string_append_printf(out, "%s units more are reserved for pools\n", units);
    }
}

/* One column of distances to each node would not fit a large machine; its row as a text does. */
static char *
distances_of(const json_t *host, gsize row)
{
    const json_t *list = json_array_get(lp_ctl_json_at(host, "topology.distances"), row);
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(list); i++)
        g_string_append_printf(text, "%s%" JSON_INTEGER_FORMAT, i ? " " : "",
                               json_integer_value(json_array_get(list, i)));
    return g_string_free(text, FALSE);
}

static void
print_nodes(const json_t *host, GString *out)
{
    static const char *const headings[] = { ">NODE", "CPUS", ">MEMORY", ">GRANTED", "DISTANCES",
                                            NULL };
    const json_t *nodes = lp_ctl_json_at(host, "topology.nodes");
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    bool known = lp_ctl_json_bool(host, "topology.distances_known");

    for (gsize i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        lp_ctl_table_take(table, lp_ctl_text_int(node, "id"), lp_ctl_text_str(node, "cpus"),
                          lp_ctl_text_measured(node, "memory_bytes"),
                          lp_ctl_text_measured(node, "granted_bytes"),
                          known ? distances_of(host, i) : g_strdup("not known"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
}

/* "1 core", "2 cores". */
static char *
count_of(const json_t *host, const char *path, const char *what)
{
    g_autofree char *number = lp_ctl_text_int(host, path);

    return g_strdup_printf("%s %s%s", number, what, strcmp(number, "1") == 0 ? "" : "s");
}

int
lp_ctl_cmd_host(LpCtl *ctl, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autofree char *uri = NULL, *packages = NULL, *cores = NULL, *cpus = NULL;
    g_autofree char *partitions = NULL, *others = NULL;
    const json_t *host;
    int shown;

    if (lp_ctl_has(ctl, LP_CTL_OPT_NODES) || lp_ctl_has(ctl, LP_CTL_OPT_SVG))
        return lp_ctl_host_numa(ctl, error);
    shown = lp_ctl_show(ctl, "GET", "/v1/host", NULL, &answer, error);
    host = answer.json;
    if (shown != LP_CTL_SHOW)
        return shown;
    lp_ctl_warn_away(host);
    uri = lp_ctl_text_str(host, "uri");
    partitions = count_of(host, "partitions", "partition");
    others = count_of(host, "unmanaged", "other domain");
    packages = count_of(host, "topology.packages", "package");
    cores = count_of(host, "topology.cores", "core");
    cpus = count_of(host, "topology.cpus", "processor");
    g_string_append_printf(out, "%s: %s; %s, %" G_GINT64_FORMAT " running; %s running\n", uri,
                           lp_ctl_json_bool(host, "connected") ? "connected" : "not connected",
                           partitions, lp_ctl_json_int(host, "running", 0), others);
    g_string_append_printf(out, "topology: %s, %s, %s\n", packages, cores, cpus);
    print_virtualization(host, out);
    g_string_append_printf(out, "processor capacity: %s\n",
                           lp_ctl_json_bool(host, "cpu_enforced")
                               ? "enforced" : "not enforced (this connection has no cgroups)");
    print_sandbox(host, out);
    print_nodes(host, out);
    print_use(host, out);
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}
