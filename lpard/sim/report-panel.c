/* Small multiples: a panel a policy, all with the same scales, so that eyes can compare them. */
#include <math.h>
#include <string.h>

#include "lpard/sim/report-priv.h"

#define MIB 1048576.0
#define GIB 1073741824.0
#define DAY 86400.0
#define HOUR 3600.0

#define COLUMNS 2
#define COLUMN_GAP 34.0
#define AXIS_WIDTH 46.0                    /* left of a panel, for its amounts */
#define PANEL_HEIGHT 128.0
#define STRIP_HEIGHT 30.0                  /* below it: what was short */
#define STRIP_GAP 5.0
#define PANEL_HEAD 26.0
#define PANEL_FOOT 34.0
/* The strip tells a megabyte from a terabyte: its scale is in powers. */
#define STRIP_LEAST MIB
#define TIMES_MAX 9
/* Narrower, and a tick that was short would not be seen. */
#define STAIR_LEAST 1.0
/* A point each pixel and no more. */
#define PLOT_POINTS 540

/* One scale for all panels. */
typedef struct {
    uint64_t from, to;                     /* seconds of the trace */
    double most;                           /* bytes, at the top */
    double step;                           /* between lines */
    double worst;                          /* bytes short, at the strip's top */
    int64_t epoch_sec;
    double width;
} Scale;

typedef struct {
    size_t n;
    double x[PLOT_POINTS], demand[PLOT_POINTS], granted[PLOT_POINTS], needs[PLOT_POINTS],
        shortfall[PLOT_POINTS];
} Plot;

static double
nice_step(double most, double lines)
{
    double rough = most / lines, power, part;

    if (!(rough > 0))
        return 1;
    power = pow(10, floor(log10(rough)));
    part = rough / power;
    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static Scale
scale_of(const LpReportAbout *about, const LpSimResult **results, size_t n)
{
    Scale scale = { .from = UINT64_MAX, .epoch_sec = about ? about->epoch_sec : 0 };
    double unit;

    for (size_t i = 0; i < n; i++) {
        const LpSimResult *result = results[i];

        for (size_t k = 0; k < result->n_points; k++) {
            double high = (double) MAX(result->points[k].demand, result->points[k].granted);

            scale.from = MIN(scale.from, result->points[k].sec);
            scale.to = MAX(scale.to, result->points[k].sec);
            scale.most = MAX(scale.most, MAX(high, (double) result->points[k].needs));
            scale.worst = MAX(scale.worst, (double) result->points[k].shortfall);
        }
    }
    scale.to = MAX(scale.to, scale.from + 1);
    unit = scale.most >= GIB ? GIB : MIB;
    scale.step = nice_step(MAX(scale.most, MIB) / unit, 4) * unit;
    scale.most = MAX(ceil(scale.most / scale.step), 1) * scale.step;
    scale.worst = MAX(scale.worst, 1024 * STRIP_LEAST);
    scale.width = (LP_SVG_WIDTH - 2 * LP_SVG_MARGIN - (COLUMNS - 1) * COLUMN_GAP) / COLUMNS -
                  AXIS_WIDTH;
    return scale;
}

/* Points that fall on the same pixel become one, with the highest of each: a peak stays seen. */
static Plot *
plot_of(const LpSimResult *result, const Scale *scale)
{
    Plot *plot = g_new0(Plot, 1);
    double span = (double) (scale->to - scale->from);
    double last = -1;

    for (size_t i = 0; i < result->n_points; i++) {
        double at = floor((double) (result->points[i].sec - scale->from) / span *
                          (PLOT_POINTS - 1));

        if (at > last && plot->n < PLOT_POINTS) {
            last = at;
            plot->x[plot->n++] = at / (PLOT_POINTS - 1) * scale->width;
        }
        if (plot->n == 0)
            continue;
        plot->demand[plot->n - 1] = MAX(plot->demand[plot->n - 1],
                                        (double) result->points[i].demand);
        plot->granted[plot->n - 1] = MAX(plot->granted[plot->n - 1],
                                         (double) result->points[i].granted);
        plot->needs[plot->n - 1] = MAX(plot->needs[plot->n - 1], (double) result->points[i].needs);
        plot->shortfall[plot->n - 1] = MAX(plot->shortfall[plot->n - 1],
                                           (double) result->points[i].shortfall);
    }
    return plot;
}

static void
place(double *amounts, size_t n, double most, double top)
{
    for (size_t i = 0; i < n; i++)
        amounts[i] = top + PANEL_HEIGHT * (1 - amounts[i] / most);
}

static double
strip_height(double bytes, const Scale *scale)
{
    double part = log(bytes / STRIP_LEAST) / log(scale->worst / STRIP_LEAST);

    /* Less than the least is still drawn: something was short. */
    return bytes > 0 ? STRIP_HEIGHT * CLAMP(part, 0.05, 1) : 0;
}

static void
draw_strip(LpSvg *svg, const Plot *plot, const Scale *scale, double left, double top)
{
    static const LpSvgFont small = { 9.5, LP_SVG_MUTED, LP_SVG_END, false };
    double x[2 * PLOT_POINTS], y[2 * PLOT_POINTS];

    for (double power = 1024; power * STRIP_LEAST <= scale->worst * 1.001; power *= 1024) {
        double at = top + STRIP_HEIGHT - strip_height(power * STRIP_LEAST, scale);

        lp_svg_line(svg, left, at, left + scale->width, at, LP_SVG_GRID, 1, NULL);
        lp_svg_text(svg, left - 6, at + 3.5, &small, power < 2000 ? "1 GiB" : power < 2e6 ? "1 TiB"
                                                                                     : "1 PiB");
    }
    /* Stairs: each point says what was short until the next. */
    for (size_t i = 0; i < plot->n; i++) {
        double end = i + 1 < plot->n ? plot->x[i + 1] : plot->x[i] + STAIR_LEAST;

        x[2 * i] = left + plot->x[i];
        x[2 * i + 1] = left + MIN(MAX(end, plot->x[i] + STAIR_LEAST), scale->width);
        y[2 * i] = y[2 * i + 1] = top + STRIP_HEIGHT - strip_height(plot->shortfall[i], scale);
    }
    lp_svg_area(svg, x, y, 2 * plot->n, top + STRIP_HEIGHT, LP_SVG_RED);
    lp_svg_line(svg, left, top + STRIP_HEIGHT, left + scale->width, top + STRIP_HEIGHT, LP_SVG_AXIS,
                1, NULL);
}

static char *
amount_text(double bytes, double most)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    double unit = most >= GIB ? GIB : MIB;

    g_ascii_formatd(text, sizeof text, "%.10g", bytes / unit);
    return g_strdup_printf("%s %s", text, most >= GIB ? "GiB" : "MiB");
}

static void
draw_amounts(LpSvg *svg, const Scale *scale, double left, double top)
{
    static const LpSvgFont small = { 9.5, LP_SVG_MUTED, LP_SVG_END, false };

    for (double at = 0; at <= scale->most * 1.001; at += scale->step) {
        double y = top + PANEL_HEIGHT * (1 - at / scale->most);
        bool last = at + scale->step > scale->most * 1.001;
        g_autofree char *text = amount_text(at, scale->most);

        /* The unit once, at the top. */
        if (!last)
            *strchr(text, ' ') = '\0';
        lp_svg_line(svg, left, y, left + scale->width, y, at > 0 ? LP_SVG_GRID : LP_SVG_AXIS, 1,
                    NULL);
        lp_svg_text(svg, left - 6, y + 3.5, &small, text);
    }
}

static double
time_step(double span)
{
    static const double steps[] = { 60, 300, 900, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY,
                                    3 * DAY, 5 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY };

    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
        if (span / steps[i] <= 7)
            return steps[i];
    return nice_step(span, 7);
}

/* "12 Aug" or "14:00" where the date is known, else "day 3" or "7 h". */
static char *
time_text(int64_t epoch_sec, double sec, double step)
{
    g_autoptr(GDateTime) date = NULL;

    if (epoch_sec != 0 && sec < 1e11)
        date = g_date_time_new_from_unix_utc(epoch_sec + (int64_t) sec);
    if (date && step >= DAY) {
        g_autofree char *month = g_date_time_format(date, "%b");

        return g_strdup_printf("%d %s", g_date_time_get_day_of_month(date), month);
    }
    if (date)
        return g_date_time_format(date, "%H:%M");
    if (step >= DAY)
        return g_strdup_printf("day %.0f", sec / DAY + 1);
    if (step >= HOUR)
        return g_strdup_printf("%.0f h", sec / HOUR);
    return g_strdup_printf("%.0f min", sec / 60);
}

static void
draw_times(LpSvg *svg, const Scale *scale, double left, double top, double bottom)
{
    static const LpSvgFont small = { 9.5, LP_SVG_MUTED, LP_SVG_MIDDLE, false };
    double span = (double) (scale->to - scale->from), step = time_step(span);
    /* On the hour and at midnight, of the calendar where it is known. */
    double shift = fmod((double) scale->epoch_sec, step);
    double at = ceil(((double) scale->from + shift) / step) * step - shift;

    /* A time beyond all calendars, to which a step adds nothing, must not hold it up. */
    for (int i = 0; i < TIMES_MAX && at <= (double) scale->to; i++, at += step) {
        double x = left + (at - (double) scale->from) / span * scale->width;
        g_autofree char *text = time_text(scale->epoch_sec, at, step);

        lp_svg_line(svg, x, top, x, bottom, LP_SVG_GRID, 1, NULL);
        lp_svg_text(svg, x, bottom + 13, &small, text);
    }
}

static void
draw_head(LpSvg *svg, const LpSimResult *result, const Scale *scale, double left, double y)
{
    static const LpSvgFont name = { 14, LP_SVG_INK, LP_SVG_START, true };
    static const LpSvgFont said = { 11, LP_SVG_MUTED, LP_SVG_END, false };
    char lacked[LP_REPORT_TEXT], needed[LP_REPORT_TEXT], moves[LP_REPORT_TEXT];
    const LpSimAmount *mem = &result->mem;
    g_autofree char *text = NULL;

    lp_report_number(100 * lp_report_part(mem->shortfall, mem->demand), lacked, sizeof lacked);
    lp_report_number(100 * lp_report_part(mem->needs, mem->static_amount), needed, sizeof needed);
    lp_report_number(lp_report_part((double) mem->resizes, (double) mem->vm_seconds / DAY), moves,
                     sizeof moves);
    text = g_strdup_printf("short %s %% \xc2\xb7 needed %s %% of static \xc2\xb7 "
                           "%s resizes/VM/day", lacked, needed, moves);
    lp_svg_text(svg, left, y, &name, result->policy ? result->policy : "-");
    lp_svg_text(svg, left + scale->width, y, &said, text);
}

static void
draw_panel(LpSvg *svg, const LpSimResult *result, const Scale *scale, double left, double y)
{
    double top = y + PANEL_HEAD, bottom = top + PANEL_HEIGHT, strip = bottom + STRIP_GAP;
    double host = (double) result->config.host_bytes;
    g_autofree Plot *plot = plot_of(result, scale);

    draw_head(svg, result, scale, left, y + 15);
    draw_strip(svg, plot, scale, left, strip);
    place(plot->demand, plot->n, scale->most, top);
    place(plot->granted, plot->n, scale->most, top);
    place(plot->needs, plot->n, scale->most, top);
    for (size_t i = 0; i < plot->n; i++)
        plot->x[i] += left;
    lp_svg_area(svg, plot->x, plot->granted, plot->n, bottom, LP_SVG_AREA);
    draw_amounts(svg, scale, left, top);
    draw_times(svg, scale, left, top, strip + STRIP_HEIGHT);
    lp_svg_path(svg, plot->x, plot->needs, plot->n, LP_SVG_BLUE, 1.3, NULL);
    lp_svg_path(svg, plot->x, plot->demand, plot->n, LP_SVG_INK, 1.1, NULL);
    if (host > 0 && host <= scale->most)
        lp_svg_line(svg, left, top + PANEL_HEIGHT * (1 - host / scale->most), left + scale->width,
                    top + PANEL_HEIGHT * (1 - host / scale->most), LP_SVG_INK, 1, "5 4");
}

static double
key(LpSvg *svg, double x, double y, const char *text)
{
    static const LpSvgFont font = { 11.5, LP_SVG_INK, LP_SVG_START, false };

    lp_svg_text(svg, x + 26, y + 4, &font, text);
    return x + 26 + lp_svg_text_width(text, font.size) + 24;
}

static void
draw_legend(LpSvg *svg, double x, double y)
{
    lp_svg_line(svg, x, y, x + 20, y, LP_SVG_INK, 1.6, NULL);
    x = key(svg, x, y, "demand");
    lp_svg_box(svg, x, y - 6, 20, 12, LP_SVG_AREA);
    x = key(svg, x, y, "granted");
    lp_svg_line(svg, x, y, x + 20, y, LP_SVG_BLUE, 1.8, NULL);
    x = key(svg, x, y, "needed, before what is left over");
    lp_svg_line(svg, x, y, x + 20, y, LP_SVG_INK, 1.2, "5 4");
    x = key(svg, x, y, "the host");
    lp_svg_box(svg, x, y - 6, 20, 12, LP_SVG_RED);
    key(svg, x, y, "short (scale in powers of ten, from 1 MiB)");
}

double
lp_report_draw_panels(LpSvg *svg, const LpReportAbout *about, const LpSimResult **results,
                      size_t n, double y)
{
    double height = PANEL_HEAD + PANEL_HEIGHT + STRIP_GAP + STRIP_HEIGHT + PANEL_FOOT;
    Scale scale;

    if (n == 0)
        return y;
    scale = scale_of(about, results, n);
    draw_legend(svg, LP_SVG_MARGIN, y + 8);
    y += 30;
    for (size_t i = 0; i < n; i++) {
        double left = LP_SVG_MARGIN + AXIS_WIDTH +
                      (double) (i % COLUMNS) * (scale.width + AXIS_WIDTH + COLUMN_GAP);

        draw_panel(svg, results[i], &scale, left, y + (double) (i / COLUMNS) * height);
    }
    return y + (double) ((n + COLUMNS - 1) / COLUMNS) * height;
}
