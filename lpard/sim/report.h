/* What runs were like: a table and a picture for people, JSON for programs.
 *
 * All take an array of results as lp_sim_run() leaves them, one a policy and a size of host, in
 * any order; nothing is kept of it.  What cannot be said (a share of no demand) is "-" in the
 * table and the picture and null in JSON, never NaN. */
#ifndef LP_SIM_REPORT_H
#define LP_SIM_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lpard/sim/sim.h"

/* The picture shows at most so many policies over time: a page holds no more that can be read. */
#define LP_REPORT_PANELS 6

/* What was run, for headings.  All may be NULL or 0. */
typedef struct {
    const char *title;             /* the command: "compare" */
    const char *trace;             /* a path, or the generator's words */
    int64_t epoch_sec;             /* Unix time of the trace's second 0; 0: hours are counted */
    double ratio;                  /* compare: the panels are of the hosts nearest to it; 0: 1.25 */
} LpReportAbout;

/* Of demand, of provisioned, in hours; NAN where it cannot be said. */
double lp_report_part(double part, double whole);

/* An aligned table, one line a result: memory, and processors where a policy was given some to
 * decide.  The caller frees (g_free). */
char *lp_report_table(const LpSimResult *results, size_t n);

/* {"trace", "results": [...]}: every field of every result, its configuration and seed included,
 * and its points where `points`.  The caller may add to it, and drops it (json_decref). */
json_t *lp_report_json(const LpReportAbout *about, const LpSimResult *results, size_t n,
                       bool points);

/* One page of SVG 1.1: demand, granted, needed and short over time for the first result of each
 * policy (LP_REPORT_PANELS of them: the first of the array, then those with the least shortfall),
 * shortfall against the size of the host where there are several sizes, and a table.  The caller
 * frees (g_free). */
char *lp_report_svg(const LpReportAbout *about, const LpSimResult *results, size_t n);

/* Writes `text` to a file; "-" is the standard output. */
bool lp_report_write(const char *path, const char *text, GError **error);

#endif
