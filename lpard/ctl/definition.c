/* A profile's fields, and what lpard says of a definition. */
#include "lpard/ctl/definition.h"

#include <stdio.h>
#include <string.h>

#include "lpard/ctl/amounts.h"
#include "lpard/ctl/text.h"
#include "numa/rule.h"
#include "policy/autoscale.h"

bool
lp_ctl_definition_options(LpCtl *ctl, json_t *body, GError **error)
{
    static const LpCtlOption fields[] = {
        LP_CTL_OPT_CPU, LP_CTL_OPT_MEM, LP_CTL_OPT_ENTITLED, LP_CTL_OPT_WEIGHT, LP_CTL_OPT_CAPPED,
        LP_CTL_OPT_UNCAPPED, LP_CTL_OPT_CELLS, LP_CTL_OPT_CELL_NODES, LP_CTL_OPT_NUMA,
        LP_CTL_OPT_AFFINITY_FLOOR,
    };

    if (!lp_ctl_has(ctl, LP_CTL_OPT_CPU) || !lp_ctl_has(ctl, LP_CTL_OPT_MEM)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "a partition needs its bounds: give --cpu MIN:DESIRED:MAX and "
                     "--mem MIN:DESIRED:MAX, as --cpu 1:2:8 --mem 2G:4G:8G");
        return false;
    }
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (lp_ctl_has(ctl, fields[i]) &&
            !lp_ctl_profile_field(body, lp_ctl_option_name(fields[i]),
                                  lp_ctl_value(ctl, fields[i]), true, error))
            return false;
    }
    return true;
}

static void
print_sentences(GString *out, const char *heading, const json_t *list)
{
    if (json_array_size(list) == 0)
        return;
    g_string_append_printf(out, "%s\n", heading);
    lp_ctl_text_list(out, "  ", list);
}

/* Line by line, so that a control character in the XML stays harmless. */
static void
print_diff(GString *out, const char *diff)
{
    g_auto(GStrv) lines = NULL;

    if (diff[0] == '\0') {
        g_string_append(out, "The domain's XML stays as it is.\n");
        return;
    }
    lines = g_strsplit(diff, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_autofree char *clean = lp_ctl_text_clean(*line);

        if (line[1] != NULL || **line != '\0')
            g_string_append_printf(out, "%s\n", clean);
    }
}

bool
lp_ctl_autoscale_is_default(const json_t *autoscale)
{
    LpAutoscale usual;

    lp_autoscale_init(&usual);
    return strcmp(lp_ctl_json_str(autoscale, "mode"), lp_mode_names[usual.mode]) == 0 &&
           strcmp(lp_ctl_json_str(autoscale, "goal"), lp_goal_names[usual.goal]) == 0 &&
           lp_ctl_json_int(autoscale, "priority", -1) == usual.priority &&
           lp_ctl_json_int(autoscale, "entitled_bytes", -1) == 0 &&
           lp_ctl_json_int(autoscale, "release_sec", -1) == 0 &&
           json_array_size(json_object_get(autoscale, "schedules")) == 0;
}

char *
lp_ctl_autoscale_text(const json_t *autoscale)
{
    const json_t *schedules = json_object_get(autoscale, "schedules");
    gint64 release = lp_ctl_json_int(autoscale, "release_sec", 0);
    gsize n = json_array_size(schedules);
    GString *text;

    if (!json_is_object(autoscale))
        return NULL;
    text = g_string_new(NULL);
    g_string_append_printf(text, "%s, goal %s, priority %" G_GINT64_FORMAT,
                           lp_ctl_json_str(autoscale, "mode"), lp_ctl_json_str(autoscale, "goal"),
                           lp_ctl_json_int(autoscale, "priority", 0));
    if (lp_ctl_json_int(autoscale, "entitled_bytes", 0) > 0) {
        g_autofree char *bytes = lp_ctl_text_mem(autoscale, "entitled_bytes");

        g_string_append_printf(text, ", entitled to %s", bytes);
    }
    if (release > 0) {
        bool hours = release % 3600 == 0, minutes = release % 60 == 0;

        g_string_append_printf(text, ", surplus kept %" G_GINT64_FORMAT " %s",
                               release / (hours ? 3600 : minutes ? 60 : 1),
                               hours ? "h" : minutes ? "min" : "s");
    }
    if (n > 0)
        g_string_append_printf(text, ", %zu schedule%s", n, n == 1 ? "" : "s");
    return g_string_free(text, FALSE);
}

char *
lp_ctl_numa_text(const json_t *profile)
{
    g_autofree char *rule = lp_ctl_text_str(profile, "numa");
    gint64 floor = lp_ctl_json_int(profile, "affinity_floor", 0);

    if (floor <= 0)
        return g_steal_pointer(&rule);
    return g_strdup_printf("%s, affinity floor %" G_GINT64_FORMAT " (%s)", rule, floor,
                           lp_ctl_json_str(profile, "affinity_floor_action"));
}

bool
lp_ctl_numa_is_default(const json_t *profile)
{
    const char *rule = lp_ctl_json_str(profile, "numa");

    return (rule[0] == '\0' || strcmp(rule, lp_numa_mode_names[LP_NUMA_AUTO]) == 0) &&
           lp_ctl_json_int(profile, "affinity_floor", 0) == 0;
}

void
lp_ctl_definition_text(LpCtl *ctl, const json_t *definition, const char *done, GString *out)
{
    g_autofree char *name = lp_ctl_text_str(definition, "partition");
    bool dry_run = lp_ctl_json_bool(definition, "dry_run");

    if (dry_run)
        g_string_append_printf(out, "Dry run: nothing is changed.\n");
    if (dry_run || lp_ctl_has(ctl, LP_CTL_OPT_VERBOSE))
        print_diff(out, lp_ctl_json_str(definition, "diff"));
    if (!dry_run)
        g_string_append_printf(out, "%s %s\n", name, done);
    print_sentences(out, "In effect now:", json_object_get(definition, "now"));
    print_sentences(out, "At the next start:", json_object_get(definition, "next_start"));
}

int
lp_ctl_definition_run(LpCtl *ctl, const char *method, const char *path, json_t *body,
                      const char *done, GError **error)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = lp_ctl_show(ctl, method, path, body, &answer, error);

    json_decref(body);
    if (shown < 0)
        return -1;
    if (shown == LP_CTL_SHOW) {
        g_autoptr(GString) out = g_string_new(NULL);

        lp_ctl_definition_text(ctl, answer.json, done, out);
        fputs(out->str, stdout);
    }
    return LP_CTL_EXIT_DONE;
}
