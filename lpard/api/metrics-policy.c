#include "lpard/api/metrics.h"

#include "policy/explain.h"

typedef struct {
    GString *out;
    uint64_t bounds[LP_BOUNDS];
    bool target;                  /* else: want */
} Sum;

static void
head(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
number(GString *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    g_string_append_printf(out, "%s %" G_GUINT64_FORMAT "\n", name, value);
}

static void
one_amount(const LpScaled *scaled, void *data)
{
    const Sum *sum = data;
    g_autofree char *name = lp_metrics_label(scaled->partition->view->name);

    g_string_append_printf(sum->out, "lpard_policy_%s_bytes{partition=\"%s\"} %"
                           G_GUINT64_FORMAT "\n", sum->target ? "target" : "want", name,
                           sum->target ? scaled->decision->mem_target_bytes
                                       : scaled->decision->demand.want_bytes);
}

static void
one_bound(const LpScaled *scaled, void *data)
{
    Sum *sum = data;

    if ((unsigned)scaled->decision->mem_bound < LP_BOUNDS)
        sum->bounds[scaled->decision->mem_bound]++;
}

static void
decisions(GString *out, LpScaler *scaler, const LpScalerFigures *figures)
{
    Sum sum = {.out = out};

    head(out, "lpard_policy_want_bytes", "gauge", "Memory that a partition is thought to want.");
    lp_scaler_each(scaler, one_amount, &sum);
    sum.target = true;
    head(out, "lpard_policy_target_bytes", "gauge", "Its part of that, after sharing.");
    lp_scaler_each(scaler, one_amount, &sum);
    lp_scaler_each(scaler, one_bound, &sum);
    head(out, "lpard_policy_partitions", "gauge",
         "Partitions by what decides on their memory now.");
    for (unsigned i = 0; i < LP_BOUNDS; i++)
        g_string_append_printf(out, "lpard_policy_partitions{bound=\"%s\"} %" G_GUINT64_FORMAT
                               "\n", lp_bound_names[i], sum.bounds[i]);
    head(out, "lpard_policy_decisions_total", "counter",
         "Decisions that were not the same as before, by what is to be done.");
    for (unsigned i = 0; i <= LP_ACT_WAIT; i++)
        g_string_append_printf(out, "lpard_policy_decisions_total{act=\"%s\"} %"
                               G_GUINT64_FORMAT "\n", lp_act_name((LpAct)i), figures->acts[i]);
}

static void
ticks(GString *out, const LpScalerFigures *figures)
{
    head(out, "lpard_policy_tick_seconds", "summary",
         "Time of the main loop that a tick of the policy took.");
    g_string_append_printf(out, "lpard_policy_tick_seconds_sum %" G_GINT64_FORMAT ".%06d\n",
                           figures->total_usec / G_USEC_PER_SEC,
                           (int)(figures->total_usec % G_USEC_PER_SEC));
    g_string_append_printf(out, "lpard_policy_tick_seconds_count %" G_GUINT64_FORMAT "\n",
                           figures->ticks);
    head(out, "lpard_policy_tick_max_seconds", "gauge", "The longest tick.");
    g_string_append_printf(out, "lpard_policy_tick_max_seconds %" G_GINT64_FORMAT ".%06d\n",
                           figures->max_usec / G_USEC_PER_SEC,
                           (int)(figures->max_usec % G_USEC_PER_SEC));
}

void
lp_metrics_policy(GString *out, LpScaler *scaler)
{
    LpScalerFigures figures;

    lp_scaler_figures(scaler, &figures);
    head(out, "lpard_policy_mode", "gauge", "The host's mode: 1 at the one that holds.");
    for (unsigned i = 0; i <= LP_MODE_AUTO; i++)
        g_string_append_printf(out, "lpard_policy_mode{mode=\"%s\"} %d\n", lp_mode_names[i],
                               lp_scaler_mode(scaler) == (LpMode)i);
    decisions(out, scaler, &figures);
    ticks(out, &figures);
    number(out, "lpard_policy_moving", "gauge", "Resizes of memory by the policy under way.",
           figures.n_moving);
    number(out, "lpard_policy_requests_total", "counter", "Resizes that the policy asked for.",
           figures.requests);
    number(out, "lpard_policy_failures_total", "counter",
           "Of those, not done in full or refused.", figures.failures);
    number(out, "lpard_policy_vetoes_total", "counter",
           "Resizes of anybody that a guest refused.", figures.vetoes);
    number(out, "lpard_policy_shares_total", "counter", "Settings of processor shares.",
           figures.shares);
    number(out, "lpard_policy_history_bytes", "gauge", "The history of decisions on disk.",
           figures.history_bytes);
    number(out, "lpard_policy_history_dropped_total", "counter",
           "Ticks that are missing in it.", figures.history_dropped);
}
