/* lparctl profile: a partition's bounds and capacity, shown, edited, written back. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/amounts.h"
#include "lpard/ctl/definition.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static char *
cells_text(const json_t *profile)
{
    const json_t *cells = json_object_get(profile, "cells");
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(cells); i++) {
        json_int_t node = json_integer_value(json_array_get(cells, i));

        if (node < 0)
            g_string_append_printf(text, "%s%zu on no single node", i ? ", " : "", i);
        else
            g_string_append_printf(text, "%s%zu on node %" JSON_INTEGER_FORMAT, i ? ", " : "", i,
                                   node);
    }
    return g_string_free(text, FALSE);
}

static void
print_hold(const json_t *profile, GString *out)
{
    gint64 until = lp_ctl_json_int(profile, "hold_until_sec", 0);
    g_autoptr(GDateTime) time = NULL;
    g_autofree char *text = NULL;

    if (until <= 0)
        return;
    time = g_date_time_new_from_unix_local(until);
    text = time ? g_date_time_format_iso8601(time) : g_strdup("it is released");
    g_string_append_printf(out, "held until %s\n", text);
}

static int
show(LpCtl *ctl, const char *name, GError **error)
{
    static const char *const headings[] = { "", ">MIN", ">DESIRED", ">MAX", NULL };
    g_autofree char *path = lp_ctl_partition_path(name, "/profile", error);
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autofree char *entitled = NULL, *weight = NULL, *cells = NULL, *autoscale = NULL;
    const json_t *profile;
    int shown = path ? lp_ctl_show(ctl, "GET", path, NULL, &answer, error) : -1;

    if (shown != LP_CTL_SHOW)
        return shown;
    profile = answer.json;
    lp_ctl_table_take(table, g_strdup("cpu"), lp_ctl_text_int(profile, "cpu.min"),
                      lp_ctl_text_int(profile, "cpu.desired"),
                      lp_ctl_text_int(profile, "cpu.max"));
    lp_ctl_table_take(table, g_strdup("mem"), lp_ctl_text_mem(profile, "mem.min_bytes"),
                      lp_ctl_text_mem(profile, "mem.desired_bytes"),
                      lp_ctl_text_mem(profile, "mem.max_bytes"));
    lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    entitled = lp_ctl_text_centi(profile, "entitled_centi");
    weight = lp_ctl_text_int(profile, "weight");
    cells = cells_text(profile);
    g_string_append_printf(out, "entitled %s, weight %s, %s\n", entitled, weight,
                           lp_ctl_json_bool(profile, "capped") ? "capped" : "uncapped");
    lp_ctl_text_wrap(out, "cells ", "  ", cells);
    if (!lp_ctl_numa_is_default(profile)) {
        g_autofree char *numa = lp_ctl_numa_text(profile);

        lp_ctl_text_wrap(out, "numa ", "  ", numa);
    }
    print_hold(profile, out);
    autoscale = lp_ctl_autoscale_text(json_object_get(profile, "autoscale"));
    if (autoscale && !lp_ctl_autoscale_is_default(json_object_get(profile, "autoscale")))
        lp_ctl_text_wrap(out, "autoscale ", "  ", autoscale);
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

static int
edit(LpCtl *ctl, const char *name, char **fields, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(name, "/profile", error);
    json_t *body;

    if (path == NULL)
        return -1;
    body = json_object();
    for (; *fields != NULL; fields++) {
        g_autofree char *key = NULL;
        const char *value;

        lp_ctl_word_split(*fields, &key, &value);
        if (!lp_ctl_profile_field(body, key, value, false, error)) {
            json_decref(body);
            return -1;
        }
    }
    if (json_object_size(body) == 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "nothing to set: write cpu=1:2:8, mem=2G:4G:8G, entitled=1.50, weight=200, "
                     "numa=auto, affinity-floor=80, capped or uncapped");
        json_decref(body);
        return -1;
    }
    if (lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN))
        json_object_set_new(body, "dry_run", json_true());
    return lp_ctl_definition_run(ctl, "PUT", path, body, "has a new profile.", error);
}

static int
restore(LpCtl *ctl, const char *name, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(name, "/profile/restore", error);

    if (path == NULL)
        return -1;
    if (lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "profile restore has no --dry-run: `lparctl show %s` tells what is lost",
                     name);
        return -1;
    }
    return lp_ctl_definition_run(ctl, "POST", path, NULL, "has its profile back.", error);
}

int
lp_ctl_cmd_profile(LpCtl *ctl, GError **error)
{
    const char *first = ctl->words[0];
    bool sub_first = ctl->n_words >= 2;

    /* `profile NAME show` reads well, `profile set NAME` too; a partition named "set" is
     * reached by `profile set show`. */
    if (ctl->n_words == 2 && strcmp(ctl->words[1], "show") == 0)
        return show(ctl, first, error);
    if (sub_first && strcmp(first, "show") == 0 && ctl->n_words == 2)
        return show(ctl, ctl->words[1], error);
    if (sub_first && strcmp(first, "set") == 0)
        return edit(ctl, ctl->words[1], ctl->words + 2, error);
    if (sub_first && strcmp(first, "restore") == 0 && ctl->n_words == 2)
        return restore(ctl, ctl->words[1], error);
    if (ctl->n_words == 1 && strcmp(first, "set") != 0 && strcmp(first, "restore") != 0)
        return show(ctl, first, error);
    lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                 "write lparctl profile NAME, profile set NAME cpu=1:2:8 ..., or "
                 "profile restore NAME");
    return -1;
}
