#include "lpard/api/metrics.h"

#include <jansson.h>

#include "numa/score.h"

static void
head(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Hundredths, written out: no locale has a word in it. */
static void
hundredths(GString *out, uint64_t centi)
{
    g_string_append_printf(out, "%" G_GUINT64_FORMAT ".%02u\n", centi / 100,
                           (unsigned)(centi % 100));
}

/* One figure of all that have it, divided by `unit` into hundredths. */
static void
each(GString *out, const LpMetricsAffinity *affinity, const char *name, const char *help,
     const char *field, json_int_t unit)
{
    head(out, name, "gauge", help);
    for (guint i = 0; i < affinity->scores->len; i++) {
        const json_t *score = g_ptr_array_index(affinity->scores, i);
        const char *partition = json_string_value(json_object_get(score, "partition"));
        const json_t *value = json_object_get(score, field);
        g_autofree char *label = lp_metrics_label(partition ? partition : "");

        if (!json_is_integer(value) || json_integer_value(value) < 0)
            continue;
        g_string_append_printf(out, "%s{partition=\"%s\"} ", name, label);
        hundredths(out, (uint64_t)(json_integer_value(value) / unit));
    }
}

void
lp_metrics_affinity(GString *out, const LpMetricsAffinity *affinity)
{
    each(out, affinity, "lpard_affinity_score",
         "How near memory is to the processors that use it: 100 is the best that this host can do.",
         "score_centi", 1);
    each(out, affinity, "lpard_affinity_local",
         "The same, where 100 is all local.", "local_centi", 1);
    each(out, affinity, "lpard_affinity_agreement",
         "How far the cells that the guest sees are what they seem.", "agreement_centi", 1);
    each(out, affinity, "lpard_affinity_age_seconds", "Since that was measured.", "age_msec", 10);
    head(out, "lpard_host_affinity_score", "gauge",
         "The mean score of all partitions, by their memory.");
    if (affinity->host_centi != LP_SCORE_NONE) {
        g_string_append(out, "lpard_host_affinity_score ");
        hundredths(out, affinity->host_centi);
    }
    head(out, "lpard_optimize_moved_bytes_total", "counter",
         "Memory moved between nodes since lpard started.");
    g_string_append_printf(out, "lpard_optimize_moved_bytes_total %" G_GUINT64_FORMAT "\n",
                           affinity->moved_bytes);
    head(out, "lpard_optimize_runs_total", "counter", "Optimizations since lpard started.");
    g_string_append_printf(out, "lpard_optimize_runs_total %" G_GUINT64_FORMAT "\n",
                           affinity->runs);
}
