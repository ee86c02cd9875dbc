/* Shortfall against the size of the host, and against what was taken for it.  The shares are of
 * all magnitudes and often none, so the scale is in powers of ten above a line for none. */
#include <math.h>
#include <string.h>

#include "lpard/sim/report-priv.h"

#define CHART_HEIGHT 230.0
#define CHART_HEAD 34.0
#define CHART_FOOT 46.0
#define CHART_GAP 30.0
#define AXIS_WIDTH 58.0
#define LABEL_WIDTH 92.0
/* Two to a row at most wide: a wider one shows no more. */
#define CHART_WIDTH_MAX 565.0
#define ROW_MAX 3
#define LABEL_HEIGHT 12.5
/* Below the least power of ten is the line of none. */
#define NONE_HEIGHT 20.0
/* Percent; what is less is as good as none, and a scale that went on would show nothing else. */
#define LEAST_PERCENT 1e-6
#define SERIES_MAX 24
#define POINTS_MAX 40

typedef struct {
    const char *policy;                    /* may be NULL */
    const char *colour;
    bool first;                            /* the one that the picture is about */
    size_t n;
    double x[POINTS_MAX], y[POINTS_MAX];   /* percent; then places on the page */
} Series;

typedef struct {
    const char *title, *below;
    bool from_none;                        /* x begins at 0 */
    Series series[SERIES_MAX];
    size_t n;
    double from, to;                       /* of x */
    double least, most;                    /* powers of ten, of y */
    double left, top, width;
} Chart;

static const char *const colours[] = {
    "#1f6fc0", "#e07b00", "#2a9d5c", "#8e44ad", "#b03a2e", "#00838f", "#7f8c3a", "#c2185b",
    "#5d6d7e", "#a0522d", "#3f51b5", "#00a896", "#6b4c9a", "#b8860b", "#4a7c59", "#d1495b",
};

static void
add(Chart *chart, const char *policy, double x, double y)
{
    size_t i = 0;

    if (!isfinite(x) || !isfinite(y))
        return;
    while (i < chart->n && g_strcmp0(chart->series[i].policy, policy) != 0)
        i++;
    if (i == SERIES_MAX)
        return;
    if (i == chart->n) {
        chart->series[i].policy = policy;
        chart->series[i].colour = colours[i % G_N_ELEMENTS(colours)];
        chart->series[i].first = i == 0;
        chart->n++;
    }
    if (chart->series[i].n == POINTS_MAX)
        return;
    chart->series[i].x[chart->series[i].n] = x;
    chart->series[i].y[chart->series[i].n++] = y;
}

static double
percent_short(const LpSimAmount *amount)
{
    return 100 * lp_report_part(amount->shortfall, amount->demand);
}

/* Of the results of a policy on hosts of one size, that with the most of the other resource. */
static const LpSimResult *
at_ratio(const LpSimResult *results, size_t n, const char *policy, double ratio, bool cpu)
{
    const LpSimResult *best = NULL;

    for (size_t i = 0; i < n; i++) {
        const LpSimResult *result = &results[i];
        double own = cpu ? result->cpu_ratio : result->memory_ratio;
        double other = cpu ? result->memory_ratio : result->cpu_ratio;

        if (g_strcmp0(result->policy, policy) != 0 || fabs(own - ratio) > 0.0005)
            continue;
        if (!best || other > (cpu ? best->memory_ratio : best->cpu_ratio))
            best = result;
    }
    return best;
}

static Chart *
sweep(const LpSimResult *results, size_t n, const LpSimResult **chosen, size_t n_chosen, bool cpu)
{
    Chart *chart = g_new0(Chart, 1);
    size_t n_ratios;
    g_autofree double *ratios = lp_report_ratios(results, n, cpu, &n_ratios);

    chart->title = cpu ? "Processors short, % of demand" : "Memory short, % of demand";
    chart->below = cpu ? "the host's processors, times the peak of demand"
                       : "the host's memory, times the peak of demand";
    for (size_t i = 0; n_ratios > 1 && i < n_chosen; i++)
        for (size_t k = 0; k < n_ratios; k++) {
            const LpSimResult *at = at_ratio(results, n, chosen[i]->policy, ratios[k], cpu);

            if (at)
                add(chart, at->policy, ratios[k], percent_short(cpu ? &at->cpu : &at->mem));
        }
    return chart;
}

static Chart *
costs(const LpSimResult **chosen, size_t n_chosen, bool cpu)
{
    Chart *chart = g_new0(Chart, 1);

    chart->title = cpu ? "Processors short, % of demand, and what it costs"
                       : "Memory short, % of demand, and what it costs";
    chart->below = cpu ? "processors needed, % of what is provisioned"
                       : "memory needed, % of what is provisioned";
    chart->from_none = true;
    for (size_t i = 0; i < n_chosen; i++) {
        const LpSimAmount *amount = cpu ? &chosen[i]->cpu : &chosen[i]->mem;

        add(chart, chosen[i]->policy,
            100 * lp_report_part(amount->needs, amount->static_amount), percent_short(amount));
    }
    return chart;
}

static void
set_scales(Chart *chart)
{
    double low = HUGE_VAL, high = 0, from = HUGE_VAL, to = -HUGE_VAL;

    for (size_t i = 0; i < chart->n; i++)
        for (size_t k = 0; k < chart->series[i].n; k++) {
            double y = chart->series[i].y[k];

            from = MIN(from, chart->series[i].x[k]);
            to = MAX(to, chart->series[i].x[k]);
            if (y >= LEAST_PERCENT)
                low = MIN(low, y);
            high = MAX(high, y);
        }
    if (!(low <= high)) {
        low = 0.001;
        high = 1;
    }
    chart->least = floor(log10(low));
    chart->most = MAX(ceil(log10(high)), chart->least + 1);
    chart->from = chart->from_none ? MIN(from, 0) : from;
    chart->to = to > chart->from ? to : chart->from + 1;
}

static double
x_of(const Chart *chart, double x)
{
    return chart->left + (x - chart->from) / (chart->to - chart->from) * chart->width;
}

static double
y_of(const Chart *chart, double percent)
{
    double part;

    if (percent < LEAST_PERCENT)
        return chart->top + CHART_HEIGHT;
    part = (log10(percent) - chart->least) / (chart->most - chart->least);
    return chart->top + (CHART_HEIGHT - NONE_HEIGHT) * (1 - CLAMP(part, 0, 1));
}

static void
draw_axes(LpSvg *svg, const Chart *chart)
{
    static const LpSvgFont title = { 13, LP_SVG_INK, LP_SVG_START, true };
    static const LpSvgFont y_font = { 9.5, LP_SVG_MUTED, LP_SVG_END, false };
    static const LpSvgFont x_font = { 9.5, LP_SVG_MUTED, LP_SVG_MIDDLE, false };
    double right = chart->left + chart->width, bottom = chart->top + CHART_HEIGHT;
    double span = chart->to - chart->from;
    double step = span <= 2 ? 0.25 : span <= 4 ? 0.5 : span <= 12 ? 2 : span <= 50 ? 10 : 20;
    double at = ceil(chart->from / step) * step;

    lp_svg_text(svg, chart->left - AXIS_WIDTH + 12, chart->top - 16, &title, chart->title);
    for (double power = chart->least; power <= chart->most; power++) {
        char text[G_ASCII_DTOSTR_BUF_SIZE], format[8];
        double y = y_of(chart, pow(10, power));

        g_snprintf(format, sizeof format, "%%.%.0ff", MAX(-power, 0));
        g_ascii_formatd(text, sizeof text, format, pow(10, power));
        lp_svg_line(svg, chart->left, y, right, y, LP_SVG_GRID, 1, NULL);
        lp_svg_text(svg, chart->left - 6, y + 3.5, &y_font, text);
    }
    lp_svg_line(svg, chart->left, bottom, right, bottom, LP_SVG_AXIS, 1, NULL);
    lp_svg_text(svg, chart->left - 6, bottom + 3.5, &y_font, "none");
    for (int i = 0; i < 12 && at <= chart->to + step / 100; i++, at += step) {
        char text[G_ASCII_DTOSTR_BUF_SIZE];

        g_ascii_formatd(text, sizeof text, "%.10g", at);
        lp_svg_line(svg, x_of(chart, at), bottom, x_of(chart, at), bottom + 4, LP_SVG_AXIS, 1,
                    NULL);
        lp_svg_text(svg, x_of(chart, at), bottom + 16, &x_font, text);
    }
    lp_svg_text(svg, chart->left + chart->width / 2, bottom + 32, &x_font, chart->below);
}

static int
by_height(const void *a, const void *b)
{
    const Series *left = *(Series *const *) a, *right = *(Series *const *) b;
    double at_left = left->y[left->n - 1], at_right = right->y[right->n - 1];

    return at_left < at_right ? -1 : at_left > at_right;
}

/* Names at the right, each at the height of its end, pushed apart where they would overlap. */
static void
draw_names(LpSvg *svg, Chart *chart)
{
    Series *sorted[SERIES_MAX];
    double at[SERIES_MAX], right = chart->left + chart->width;
    double lowest = chart->top + CHART_HEIGHT + LABEL_HEIGHT / 2;

    for (size_t i = 0; i < chart->n; i++)
        sorted[i] = &chart->series[i];
    qsort(sorted, chart->n, sizeof sorted[0], by_height);
    for (size_t i = 0; i < chart->n; i++) {
        at[i] = sorted[i]->y[sorted[i]->n - 1];
        if (i > 0)
            at[i] = MAX(at[i], at[i - 1] + LABEL_HEIGHT);
    }
    for (size_t i = chart->n; i-- > 0;)
        at[i] = MIN(at[i], lowest - (double) (chart->n - 1 - i) * LABEL_HEIGHT);
    for (size_t i = 0; i < chart->n; i++) {
        LpSvgFont font = { 11, sorted[i]->colour, LP_SVG_START, sorted[i]->first };

        lp_svg_line(svg, sorted[i]->x[sorted[i]->n - 1] + 4, sorted[i]->y[sorted[i]->n - 1],
                    right + 12, at[i], LP_SVG_GRID, 1, NULL);
        lp_svg_text(svg, right + 15, at[i] + 3.8, &font,
                    sorted[i]->policy ? sorted[i]->policy : "-");
    }
}

static void
draw_chart(LpSvg *svg, Chart *chart)
{
    set_scales(chart);
    draw_axes(svg, chart);
    for (size_t i = 0; i < chart->n; i++) {
        Series *series = &chart->series[i];

        for (size_t k = 0; k < series->n; k++) {
            series->x[k] = x_of(chart, series->x[k]);
            series->y[k] = y_of(chart, series->y[k]);
        }
    }
    draw_names(svg, chart);
    /* The first last, on top of the others. */
    for (size_t i = chart->n; i-- > 0;) {
        const Series *series = &chart->series[i];

        lp_svg_path(svg, series->x, series->y, series->n > 1 ? series->n : 0, series->colour,
                    series->first ? 3 : 1.4, NULL);
        for (size_t k = 0; k < series->n; k++)
            lp_svg_dot(svg, series->x[k], series->y[k], series->first ? 3.6 : 2.4, series->colour);
    }
}

double
lp_report_draw_charts(LpSvg *svg, const LpSimResult *results, size_t n,
                      const LpSimResult **chosen, size_t n_chosen, double y)
{
    Chart *charts[4] = { sweep(results, n, chosen, n_chosen, false),
                         sweep(results, n, chosen, n_chosen, true),
                         costs(chosen, n_chosen, false), costs(chosen, n_chosen, true) };
    size_t count = 0;
    double wide;

    /* A run of one policy has nothing to be compared with; a row has room for three. */
    for (size_t i = 0; i < G_N_ELEMENTS(charts); i++)
        if (charts[i]->n > 0 && n_chosen > 1 && count < ROW_MAX)
            charts[count++] = g_steal_pointer(&charts[i]);
        else
            g_clear_pointer(&charts[i], g_free);
    if (count == 0)
        return y;
    wide = (LP_SVG_WIDTH - 2 * LP_SVG_MARGIN - (double) (count - 1) * CHART_GAP) / (double) count;
    wide = MIN(wide, CHART_WIDTH_MAX);
    for (size_t i = 0; i < count; i++) {
        charts[i]->left = LP_SVG_MARGIN + (double) i * (wide + CHART_GAP) + AXIS_WIDTH;
        charts[i]->top = y + CHART_HEAD;
        charts[i]->width = wide - AXIS_WIDTH - LABEL_WIDTH;
        draw_chart(svg, charts[i]);
        g_free(charts[i]);
    }
    return y + CHART_HEAD + CHART_HEIGHT + CHART_FOOT;
}
