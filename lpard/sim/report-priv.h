/* What the table, JSON and the picture share. */
#ifndef LP_SIM_REPORT_PRIV_H
#define LP_SIM_REPORT_PRIV_H

#include <glib.h>

#include "lpard/sim/report.h"
#include "lpard/svg.h"

/* Room for a figure as text. */
#define LP_REPORT_TEXT 32

/* A figure that is shown for each result. */
typedef struct {
    const char *head, *unit;               /* two lines above the column */
    double (*figure)(const LpSimResult *result, const LpSimAmount *amount);
    bool cpu;                              /* said of processors too */
    bool picture;                          /* in the picture's table */
    bool count;                            /* whole */
} LpReportColumn;

extern const LpReportColumn lp_report_columns[];
extern const size_t lp_report_n_columns;

/* Three digits that count: "0", "<0.0001", "0.0123", "1.23", "45.6", "123"; "-" for NAN.  Always
 * with a point, whatever the locale.  Returns buf. */
char *lp_report_number(double value, char *buf, size_t size);

/* What the column says of a result's memory or processors.  Returns buf. */
char *lp_report_figure(const LpReportColumn *column, const LpSimResult *result, bool cpu, char *buf,
                       size_t size);

/* Processors were wanted in some result, and so are worth a table. */
bool lp_report_has_cpu(const LpSimResult *results, size_t n);
/* The sizes of host there are, ascending (g_free); of memory, or of processors. */
double *lp_report_ratios(const LpSimResult *results, size_t n, bool cpu, size_t *ret_n);
/* One result a policy, in the order of the array, of the host nearest to about->ratio (g_free). */
const LpSimResult **lp_report_of_policies(const LpReportAbout *about, const LpSimResult *results,
                                          size_t n, size_t *ret_n);

/* The first of `chosen`, and then those with the least shortfall, that have points; moved to the
 * front in their old order.  Returns how many. */
size_t lp_report_panels(const LpSimResult **chosen, size_t n);

/* Parts of the picture, from y down; each returns the y below it. */
double lp_report_draw_panels(LpSvg *svg, const LpReportAbout *about, const LpSimResult **results,
                             size_t n, double y);
/* `chosen`: one a policy, for the chart of what it costs; the others are of sizes of host. */
double lp_report_draw_charts(LpSvg *svg, const LpSimResult *results, size_t n,
                             const LpSimResult **chosen, size_t n_chosen, double y);

#endif
