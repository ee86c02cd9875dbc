/* Shapes and text as SVG. */
#include "lpard/svg.h"

#include <math.h>

#define FONTS "'Inter','Helvetica Neue',Helvetica,Arial,'DejaVu Sans',sans-serif"
/* An average of sans-serif letters and digits, in parts of the size. */
#define LETTER_WIDTH 0.56
/* Nothing on a page is further out, whatever a result says. */
#define FAR_OUT 1e5

static void
number(LpSvg *svg, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    if (!isfinite(value))
        value = 0;
    g_ascii_formatd(text, sizeof text, "%.1f", CLAMP(value, -FAR_OUT, FAR_OUT));
    g_string_append(svg->body, g_str_equal(text, "-0.0") ? "0" : text);
}

static void
attribute(LpSvg *svg, const char *name, double value)
{
    g_string_append_printf(svg->body, " %s=\"", name);
    number(svg, value);
    g_string_append_c(svg->body, '"');
}

/* XML has no control characters, not even escaped. */
static void
escaped(GString *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *markup = NULL;

    for (char *c = valid; *c != '\0'; c++)
        if ((unsigned char) *c < 0x20 || *c == 0x7f)
            *c = ' ';
    markup = g_markup_escape_text(valid, -1);
    /* The last two that are in UTF-8 but not in XML. */
    for (char *c = markup; *c != '\0'; c = g_utf8_next_char(c)) {
        gunichar letter = g_utf8_get_char(c);

        g_string_append_unichar(out, letter == 0xfffe || letter == 0xffff ? 0xfffd : letter);
    }
}

void
lp_svg_begin(LpSvg *svg)
{
    *svg = (LpSvg) { .body = g_string_new(NULL) };
}

char *
lp_svg_end(LpSvg *svg, double height, const char *title)
{
    g_autofree char *body = g_string_free(svg->body, FALSE);
    GString *page = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                 "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\"");

    svg->body = page;
    attribute(svg, "width", LP_SVG_WIDTH);
    attribute(svg, "height", height);
    g_string_append(page, " viewBox=\"0 0 ");
    number(svg, LP_SVG_WIDTH);
    g_string_append_c(page, ' ');
    number(svg, height);
    g_string_append(page, "\" font-family=\"" FONTS "\">\n<title>");
    escaped(page, title);
    g_string_append(page, "</title>\n");
    if (svg->style)
        g_string_append_printf(page, "<style>%s</style>\n", svg->style);
    g_string_append(page, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    g_string_append(page, body);
    g_string_append(page, "</svg>\n");
    svg->body = NULL;
    return g_string_free(page, FALSE);
}

void
lp_svg_group(LpSvg *svg, const char *title)
{
    g_string_append(svg->body, "<g><title>");
    escaped(svg->body, title);
    g_string_append(svg->body, "</title>\n");
}

void
lp_svg_group_end(LpSvg *svg)
{
    g_string_append(svg->body, "</g>\n");
}

void
lp_svg_text(LpSvg *svg, double x, double y, const LpSvgFont *font, const char *text)
{
    static const char *const anchors[] = { "start", "middle", "end" };

    g_string_append(svg->body, "<text");
    attribute(svg, "x", x);
    attribute(svg, "y", y);
    attribute(svg, "font-size", font->size);
    g_string_append_printf(svg->body, " fill=\"%s\"", font->colour);
    if (font->anchor != LP_SVG_START)
        g_string_append_printf(svg->body, " text-anchor=\"%s\"", anchors[font->anchor]);
    if (font->bold)
        g_string_append(svg->body, " font-weight=\"600\"");
    g_string_append_c(svg->body, '>');
    escaped(svg->body, text);
    g_string_append(svg->body, "</text>\n");
}

static void
stroke(LpSvg *svg, const char *colour, double width, const char *dashes)
{
    g_string_append_printf(svg->body, " stroke=\"%s\"", colour);
    attribute(svg, "stroke-width", width);
    if (dashes)
        g_string_append_printf(svg->body, " stroke-dasharray=\"%s\"", dashes);
}

void
lp_svg_line(LpSvg *svg, double x1, double y1, double x2, double y2, const char *colour,
            double width, const char *dashes)
{
    g_string_append(svg->body, "<line");
    attribute(svg, "x1", x1);
    attribute(svg, "y1", y1);
    attribute(svg, "x2", x2);
    attribute(svg, "y2", y2);
    stroke(svg, colour, width, dashes);
    g_string_append(svg->body, "/>\n");
}

void
lp_svg_box(LpSvg *svg, double x, double y, double width, double height, const char *fill)
{
    g_string_append(svg->body, "<rect");
    attribute(svg, "x", x);
    attribute(svg, "y", y);
    attribute(svg, "width", MAX(width, 0));
    attribute(svg, "height", MAX(height, 0));
    g_string_append_printf(svg->body, " fill=\"%s\"/>\n", fill);
}

void
lp_svg_dot(LpSvg *svg, double x, double y, double radius, const char *fill)
{
    g_string_append(svg->body, "<circle");
    attribute(svg, "cx", x);
    attribute(svg, "cy", y);
    attribute(svg, "r", radius);
    g_string_append_printf(svg->body, " fill=\"%s\"/>\n", fill);
}

/* Returns whether there was any. */
static bool
points(LpSvg *svg, const double *x, const double *y, size_t n, double *ret_first, double *ret_last)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]))
            continue;
        if (!any)
            *ret_first = x[i];
        *ret_last = x[i];
        g_string_append_c(svg->body, any ? 'L' : 'M');
        number(svg, x[i]);
        g_string_append_c(svg->body, ' ');
        number(svg, y[i]);
        any = true;
    }
    return any;
}

void
lp_svg_area(LpSvg *svg, const double *x, const double *y, size_t n, double base, const char *fill)
{
    double first = 0, last = 0;
    gsize begin = svg->body->len;

    g_string_append_printf(svg->body, "<path fill=\"%s\" d=\"", fill);
    if (!points(svg, x, y, n, &first, &last)) {
        g_string_truncate(svg->body, begin);
        return;
    }
    g_string_append_c(svg->body, 'L');
    number(svg, last);
    g_string_append_c(svg->body, ' ');
    number(svg, base);
    g_string_append_c(svg->body, 'L');
    number(svg, first);
    g_string_append_c(svg->body, ' ');
    number(svg, base);
    g_string_append(svg->body, "Z\"/>\n");
}

void
lp_svg_path(LpSvg *svg, const double *x, const double *y, size_t n, const char *colour,
            double width, const char *dashes)
{
    double first = 0, last = 0;
    gsize begin = svg->body->len;

    g_string_append(svg->body, "<path fill=\"none\" stroke-linejoin=\"round\"");
    stroke(svg, colour, width, dashes);
    g_string_append(svg->body, " d=\"");
    if (points(svg, x, y, n, &first, &last))
        g_string_append(svg->body, "\"/>\n");
    else
        g_string_truncate(svg->body, begin);
}

double
lp_svg_text_width(const char *text, double size)
{
    return (double) g_utf8_strlen(text, -1) * size * LETTER_WIDTH;
}
