/* What lpard knows, as Prometheus text. */
#ifndef LP_LPARD_METRICS_H
#define LP_LPARD_METRICS_H

#include <glib.h>
#include <stdbool.h>

#include "lpard/autoscale/autoscale.h"
#include "lpard/engine/consent.h"
#include "lpard/events.h"
#include "lpard/registry/registry.h"

/* What only ever grows: events by type, operations by the state they ended in. */
typedef struct LpCounts LpCounts;

LpCounts *lp_counts_new(void);
void lp_counts_free(LpCounts *counts);
void lp_counts_event(LpCounts *counts, const LpEventItem *item);

/* What is known of how near memory is to processors. */
typedef struct {
    const GPtrArray *scores;      /* of json_t*: partitions' scores as the API says them */
    uint32_t host_centi;          /* LP_SCORE_NONE: not known */
    uint64_t moved_bytes, runs;   /* by optimizations, since lpard started */
} LpMetricsAffinity;

typedef struct {
    const GPtrArray *partitions;  /* of LpPartition*, plain domains among them */
    const GPtrArray *operations;  /* of LpOperation* */
    const LpHostUse *use;
    const LpCounts *counts;
    const LpConsentCounts *consent;   /* NULL: none */
    LpScaler *scaler;             /* NULL: none */
    const LpMetricsAffinity *affinity;    /* NULL: none */
    bool connected, journal_healthy;
    uint32_t n_stuck, n_streams, n_connections;
    const char *version;
} LpMetrics;

/* What the policy wants and does; metrics-policy.c. */
void lp_metrics_policy(GString *out, LpScaler *scaler);
/* metrics-affinity.c */
void lp_metrics_affinity(GString *out, const LpMetricsAffinity *affinity);
/* A label's value, with a backslash, a quote and a new line escaped.  Caller frees. */
char *lp_metrics_label(const char *text);
/* Caller frees. */
char *lp_metrics_text(const LpMetrics *metrics);

#endif
