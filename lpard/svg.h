/* Shapes and text as SVG 1.1.  Numbers are written with a point whatever the locale, text is
 * escaped and made valid: what comes out is well-formed whatever goes in. */
#ifndef LP_LPARD_SVG_H
#define LP_LPARD_SVG_H

#include <glib.h>
#include <stdbool.h>

/* The page is this wide; its height is told at the end. */
#define LP_SVG_WIDTH 1240.0
#define LP_SVG_MARGIN 40.0

/* One look for the whole page. */
#define LP_SVG_INK "#1c2733"
#define LP_SVG_MUTED "#5d6b79"
#define LP_SVG_GRID "#e3e8ed"
#define LP_SVG_AXIS "#9aa7b4"
#define LP_SVG_AREA "#cde2f6"
#define LP_SVG_BLUE "#1f6fc0"
#define LP_SVG_RED "#d3222f"
#define LP_SVG_TINT "#eef5fc"

typedef enum { LP_SVG_START, LP_SVG_MIDDLE, LP_SVG_END } LpSvgAnchor;

typedef struct {
    GString *body;
    const char *style;            /* CSS that goes before all, or NULL */
} LpSvg;

typedef struct {
    double size;
    const char *colour;
    LpSvgAnchor anchor;
    bool bold;
} LpSvgFont;

/* Sets `style` to NULL; whoever wants one sets it then. */
void lp_svg_begin(LpSvg *svg);
/* The whole document (g_free); nothing is left in svg. */
char *lp_svg_end(LpSvg *svg, double height, const char *title);

/* What is drawn between the two says `title` to whoever points at it; they do not nest. */
void lp_svg_group(LpSvg *svg, const char *title);
void lp_svg_group_end(LpSvg *svg);

void lp_svg_text(LpSvg *svg, double x, double y, const LpSvgFont *font, const char *text);
void lp_svg_line(LpSvg *svg, double x1, double y1, double x2, double y2, const char *colour,
                 double width, const char *dashes);
void lp_svg_box(LpSvg *svg, double x, double y, double width, double height, const char *fill);
void lp_svg_dot(LpSvg *svg, double x, double y, double radius, const char *fill);
/* Through n points: filled down to `base`, or drawn.  What is not finite is left
 * out. */
void lp_svg_area(LpSvg *svg, const double *x, const double *y, size_t n, double base,
                 const char *fill);
void lp_svg_path(LpSvg *svg, const double *x, const double *y, size_t n, const char *colour,
                 double width, const char *dashes);

/* About how wide a text is, in pixels: fonts differ, layout must not depend on one. */
double lp_svg_text_width(const char *text, double size);

#endif
