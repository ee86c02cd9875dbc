/* The page: head, panels, charts, table. */
#include <math.h>
#include <string.h>

#include "lpard/sim/report-priv.h"

#define GIB 1073741824.0
#define ROW_HEIGHT 21.0
#define NAME_WIDTH 120.0

static const char *
plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* "2013-08-02 to 2013-08-31", or how long. */
static char *
span_text(const LpReportAbout *about, const LpSimConfig *config)
{
    uint64_t from = config->from_sec + config->warm_sec;

    if (about && about->epoch_sec != 0 && config->seconds > 0) {
        int64_t end = about->epoch_sec + (int64_t) (config->from_sec + config->seconds);
        g_autoptr(GDateTime) first = g_date_time_new_from_unix_utc(about->epoch_sec +
                                                                   (int64_t) from);
        g_autoptr(GDateTime) last = g_date_time_new_from_unix_utc(end - 1);
        g_autofree char *a = first ? g_date_time_format(first, "%Y-%m-%d") : NULL;
        g_autofree char *b = last ? g_date_time_format(last, "%Y-%m-%d") : NULL;

        if (a && b)
            return g_strdup_printf(" \xc2\xb7 %s to %s", a, b);
    }
    return g_strdup("");
}

static char *
title_of(const LpReportAbout *about)
{
    return about && about->title ? g_strdup_printf("lpar-sim %s", about->title)
                                 : g_strdup("lpar-sim");
}

static double
draw_heading(LpSvg *svg, const LpReportAbout *about, const LpSimResult *result)
{
    static const LpSvgFont title = { 24, LP_SVG_INK, LP_SVG_START, true };
    static const LpSvgFont said = { 12.5, LP_SVG_MUTED, LP_SVG_START, false };
    g_autofree char *name = title_of(about);
    g_autofree char *trace = about && about->trace ? g_path_get_basename(about->trace) : NULL;
    g_autofree char *span = NULL, *text = NULL;
    char host[LP_REPORT_TEXT], ratio[LP_REPORT_TEXT];

    lp_svg_text(svg, LP_SVG_MARGIN, 52, &title, name);
    if (!result)
        return 90;
    span = span_text(about, &result->config);
    lp_report_number((double) result->config.host_bytes / GIB, host, sizeof host);
    lp_report_number(result->memory_ratio, ratio, sizeof ratio);
    text = g_strdup_printf("%s%s%zu partition%s%s \xc2\xb7 host of %s GiB, %s times the peak of "
                           "demand \xc2\xb7 seed %" G_GUINT64_FORMAT, trace ? trace : "",
                           trace ? " \xc2\xb7 " : "", result->n, plural(result->n), span, host,
                           ratio, result->config.seed);
    lp_svg_text(svg, LP_SVG_MARGIN, 74, &said, text);
    return 96;
}

static void
draw_heads(LpSvg *svg, bool cpu, double step, double y)
{
    static const LpSvgFont name = { 11.5, LP_SVG_INK, LP_SVG_START, true };
    static const LpSvgFont head = { 11.5, LP_SVG_INK, LP_SVG_END, true };
    static const LpSvgFont unit = { 10, LP_SVG_MUTED, LP_SVG_END, false };
    double x = LP_SVG_MARGIN + NAME_WIDTH;

    lp_svg_text(svg, LP_SVG_MARGIN + 8, y + 12, &name, cpu ? "processors" : "memory");
    for (size_t i = 0; i < lp_report_n_columns; i++) {
        if (!lp_report_columns[i].picture || (cpu && !lp_report_columns[i].cpu))
            continue;
        x += step;
        lp_svg_text(svg, x, y + 12, &head, lp_report_columns[i].head);
        lp_svg_text(svg, x, y + 25, &unit, lp_report_columns[i].unit);
    }
}

static double
draw_table(LpSvg *svg, const LpSimResult **chosen, size_t n, bool cpu, double y)
{
    size_t columns = 0;
    double step;

    for (size_t i = 0; i < lp_report_n_columns; i++)
        columns += lp_report_columns[i].picture;
    step = (LP_SVG_WIDTH - 2 * LP_SVG_MARGIN - NAME_WIDTH - 8) / (double) MAX(columns, 1);
    draw_heads(svg, cpu, step, y);
    y += 32;
    lp_svg_line(svg, LP_SVG_MARGIN, y, LP_SVG_WIDTH - LP_SVG_MARGIN, y, LP_SVG_AXIS, 1, NULL);
    for (size_t i = 0; i < n; i++, y += ROW_HEIGHT) {
        LpSvgFont name = { 12, LP_SVG_INK, LP_SVG_START, i == 0 };
        LpSvgFont figure = { 12, LP_SVG_INK, LP_SVG_END, i == 0 };
        double x = LP_SVG_MARGIN + NAME_WIDTH;

        if (i == 0)
            lp_svg_box(svg, LP_SVG_MARGIN, y + 1, LP_SVG_WIDTH - 2 * LP_SVG_MARGIN, ROW_HEIGHT - 1,
                       LP_SVG_TINT);
        lp_svg_text(svg, LP_SVG_MARGIN + 8, y + 15, &name,
                    chosen[i]->policy ? chosen[i]->policy : "-");
        for (size_t k = 0; k < lp_report_n_columns; k++) {
            const LpReportColumn *column = &lp_report_columns[k];
            char text[LP_REPORT_TEXT];

            if (!column->picture || (cpu && !column->cpu))
                continue;
            x += step;
            lp_report_figure(column, chosen[i], cpu, text, sizeof text);
            lp_svg_text(svg, x, y + 15, &figure, text);
        }
        lp_svg_line(svg, LP_SVG_MARGIN, y + ROW_HEIGHT, LP_SVG_WIDTH - LP_SVG_MARGIN,
                    y + ROW_HEIGHT, LP_SVG_GRID, 1, NULL);
    }
    return y + 24;
}

static double
draw_foot(LpSvg *svg, double y)
{
    static const LpSvgFont font = { 10.5, LP_SVG_MUTED, LP_SVG_START, false };

    lp_svg_text(svg, LP_SVG_MARGIN, y, &font,
                "short: demand that was not met. needed: before what is left over is handed out. "
                "static: all that is provisioned. calm: in hours without shortage. fair: Jain's "
                "index of met to wanted. See lpar-sim(8).");
    return y + 26;
}

char *
lp_report_svg(const LpReportAbout *about, const LpSimResult *results, size_t n)
{
    size_t n_chosen, n_panels;
    g_autofree const LpSimResult **chosen = lp_report_of_policies(about, results, n, &n_chosen);
    g_autofree const LpSimResult **panels = g_new0(const LpSimResult *, n_chosen + 1);
    g_autofree char *title = title_of(about);
    LpSvg svg;
    double y;

    memcpy(panels, chosen, n_chosen * sizeof *panels);
    n_panels = lp_report_panels(panels, n_chosen);
    lp_svg_begin(&svg);
    y = draw_heading(&svg, about, n_chosen > 0 ? chosen[0] : NULL);
    y = lp_report_draw_panels(&svg, about, panels, n_panels, y);
    y = lp_report_draw_charts(&svg, results, n, chosen, n_chosen, y);
    if (n_chosen > 0) {
        y = draw_table(&svg, chosen, n_chosen, false, y + 6);
        if (lp_report_has_cpu(results, n))
            y = draw_table(&svg, chosen, n_chosen, true, y);
        y = draw_foot(&svg, y);
    }
    return lp_svg_end(&svg, y, title);
}
