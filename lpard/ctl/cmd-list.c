/* lparctl list: the partitions, a line each. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static void
note(GString *notes, const char *text)
{
    g_string_append_printf(notes, "%s%s", notes->len ? ", " : "", text);
}

/* What wants the operator's eye; the worst first, since the end may be cut. */
static char *
notes_of(const json_t *partition)
{
    GString *notes = g_string_new(NULL);
    const char *profile = lp_ctl_json_str(partition, "profile_state");
    gint64 open = lp_ctl_json_int(partition, "operations_open", 0);

    if (lp_ctl_json_bool(partition, "stuck"))
        note(notes, "stuck");
    if (lp_ctl_json_bool(partition, "overrun"))
        note(notes, "overrun");
    if (profile[0] != '\0' && strcmp(profile, "good") != 0) {
        g_autofree char *text = g_strdup_printf("profile %s", profile);

        note(notes, text);
    }
    if (json_array_size(json_object_get(partition, "drift")) > 0)
        note(notes, "drift");
    if (open > 0) {
        g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT " open", open);

        note(notes, text);
    }
    return g_string_free(notes, FALSE);
}

static char *
cpu_text(const json_t *partition)
{
    g_autofree char *desired = lp_ctl_text_int(partition, "cpu.desired");
    g_autofree char *granted = lp_ctl_text_int(partition, "cpu.granted");
    g_autofree char *usable = lp_ctl_text_int(partition, "cpu.usable");

    return g_strdup_printf("%s/%s/%s", desired, granted, usable);
}

static void
print_partitions(const json_t *list)
{
    static const char *const headings[] = { "NAME", "STATE", ">CPU D/G/U", ">MEM DESIRED",
                                            ">GRANTED", ">USABLE", ">UNITS", "AGENT", "NOTES",
                                            NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autoptr(GString) out = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *partition = json_array_get(list, i);

        lp_ctl_table_take(table, lp_ctl_text_str(partition, "name"),
                          lp_ctl_text_str(partition, "run"), cpu_text(partition),
                          lp_ctl_text_mem(partition, "mem.desired_bytes"),
                          lp_ctl_text_mem(partition, "mem.granted_bytes"),
                          lp_ctl_text_mem(partition, "mem.usable_bytes"),
                          lp_ctl_text_centi(partition, "capacity.entitled_centi"),
                          lp_ctl_text_str(partition, "agent.state"), notes_of(partition));
    }
    if (lp_ctl_table_rows(table) == 0)
        g_string_append(out, "There are no partitions. `lparctl list --all` shows the domains; "
                             "make one of them a partition:\n"
                             "  lparctl enable DOMAIN --cpu 1:2:8 --mem 2G:4G:8G\n");
    else
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    fputs(out->str, stdout);
}

static void
print_domains(const json_t *list)
{
    static const char *const headings[] = { "NAME", "UUID", "STATE", "PARTITION", "PROFILE", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autoptr(GString) out = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *domain = json_array_get(list, i);

        lp_ctl_table_take(table, lp_ctl_text_str(domain, "name"), lp_ctl_text_str(domain, "uuid"),
                          lp_ctl_text_str(domain, "run"),
                          g_strdup(lp_ctl_json_bool(domain, "enabled") ? "yes" : "no"),
                          lp_ctl_text_str(domain, "profile_state"));
    }
    if (lp_ctl_table_rows(table) == 0)
        g_string_append(out, "libvirt knows no domain. Make a partition of a kernel or a disk:\n"
                             "  lparctl define NAME --disk FILE --cpu 1:2:8 --mem 2G:4G:8G\n");
    else
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    fputs(out->str, stdout);
}

int
lp_ctl_cmd_list(LpCtl *ctl, GError **error)
{
    bool all = lp_ctl_has(ctl, LP_CTL_OPT_ALL);
    const char *member = all ? "domains" : "partitions";
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = lp_ctl_show(ctl, "GET", all ? "/v1/domains" : "/v1/partitions", NULL, &answer,
                            error);
    const json_t *list;

    if (shown != LP_CTL_SHOW)
        return shown;
    list = json_object_get(answer.json, member);
    if (!json_is_array(list)) {
        lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                     "lpard's answer has no list of %s: is it of the same version as lparctl?",
                     member);
        return -1;
    }
    lp_ctl_warn_away(answer.json);
    if (all)
        print_domains(list);
    else
        print_partitions(list);
    return LP_CTL_EXIT_DONE;
}
