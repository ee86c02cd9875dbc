/* One node as a card: its memory and processors, and whose they are. */
#include <string.h>

#include "lpard/ctl/picture-priv.h"
#include "lpard/ctl/text.h"

#define PAD 12.0
#define MEMORY_Y 44.0
#define MEMORY_HEIGHT 18.0
#define CPUS_Y 86.0
#define CPUS_HEIGHT 10.0
#define ROWS_Y 116.0
#define ROW_HEIGHT 16.0
#define SWATCH 9.0
/* A narrower card has no room for words. */
#define WIDE 200.0

/* Cut to `width` pixels, with an ellipsis.  Caller frees. */
static char *
fit(const char *text, double size, double width)
{
    g_autofree char *clean = lp_ctl_text_clean(text);
    glong letters = g_utf8_strlen(clean, -1);

    if (lp_svg_text_width(clean, size) <= width)
        return g_steal_pointer(&clean);
    while (letters > 1) {
        g_autofree char *start = g_utf8_substring(clean, 0, --letters);
        g_autofree char *cut = g_strconcat(start, "\u2026", NULL);

        if (lp_svg_text_width(cut, size) <= width)
            return g_steal_pointer(&cut);
    }
    return g_strdup("\u2026");
}

static char *
size_text(double bytes)
{
    json_t *json = json_pack("{s:I}", "b", (json_int_t)MIN(bytes, 9e18));
    char *text = lp_ctl_text_measured(json, "b");

    json_decref(json);
    return text;
}

/* To a tenth: one that may run on several nodes is on each in part. */
static char *
vcpus_text(double vcpus)
{
    guint64 tenths = (guint64)(MIN(vcpus, 1e15) * 10 + 0.5);

    return g_strdup_printf(tenths % 10 == 0 ? "%.0f" : "%.1f", (double)tenths / 10);
}

/* The parts that have no row of their own, as one. */
static LpPicturePart
others(const LpPicture *picture, const LpPictureNode *node)
{
    LpPicturePart sum = { .name = "", .colour = LP_SVG_MUTED, .measured = true };

    for (guint i = picture->rows; i < node->parts->len; i++) {
        sum.bytes += g_array_index(node->parts, LpPicturePart, i).bytes;
        sum.vcpus += g_array_index(node->parts, LpPicturePart, i).vcpus;
    }
    return sum;
}

static guint
n_shown(const LpPicture *picture, const LpPictureNode *node)
{
    return MIN(picture->rows, node->parts->len);
}

static char *
part_title(const LpPictureNode *node, const LpPicturePart *part, guint n_others)
{
    g_autofree char *size = size_text(part->bytes);
    g_autofree char *name = lp_ctl_text_clean(part->name);
    g_autofree char *count = g_strdup_printf("%u others", n_others);
    g_autofree char *vcpus = vcpus_text(part->vcpus);

    return g_strdup_printf("%s: %s, %s vCPUs on node %" G_GINT64_FORMAT "%s",
                           n_others ? count : name, size, vcpus, node->id,
                           part->measured ? "" : " (by its definition)");
}

/* A bar from x on; returns where it ends. */
static double
segment(LpSvg *svg, double x, double y, double width, double height, const LpPicturePart *part,
        const char *title)
{
    if (width <= 0)
        return x;
    lp_svg_group(svg, title);
    /* Neighbours of one colour stay two. */
    lp_svg_box(svg, x, y, MAX(width - 0.7, 0.4), height, part->colour);
    lp_svg_group_end(svg);
    return x + width;
}

static void
draw_bars(LpSvg *svg, const LpPicture *picture, const LpPictureNode *node, double x, double y)
{
    double width = picture->card_width - 2 * PAD, memory = node->reserve, vcpus = 0;
    double at_memory = x + PAD, at_cpus = x + PAD, scale;
    guint shown = n_shown(picture, node), n_others = node->parts->len - shown;

    for (guint i = 0; i < node->parts->len; i++) {
        memory += g_array_index(node->parts, LpPicturePart, i).bytes;
        vcpus += g_array_index(node->parts, LpPicturePart, i).vcpus;
    }
    memory = MAX(MAX(memory, node->memory), 1);
    scale = MAX(MAX(vcpus, node->n_cpus), 1);
    lp_svg_box(svg, x + PAD, y + MEMORY_Y, width * MAX(node->memory, 1) / memory, MEMORY_HEIGHT,
               LP_SVG_TINT);
    lp_svg_box(svg, x + PAD, y + CPUS_Y, width * node->n_cpus / scale, CPUS_HEIGHT, LP_SVG_TINT);
    for (guint i = 0; i < shown + (n_others > 0); i++) {
        LpPicturePart part = i < shown ? g_array_index(node->parts, LpPicturePart, i)
                                       : others(picture, node);
        g_autofree char *title = part_title(node, &part, i < shown ? 0 : n_others);

        at_memory = segment(svg, at_memory, y + MEMORY_Y, width * part.bytes / memory,
                            MEMORY_HEIGHT, &part, title);
        at_cpus = segment(svg, at_cpus, y + CPUS_Y, width * part.vcpus / scale, CPUS_HEIGHT, &part,
                          title);
    }
    if (node->reserve > 0) {
        double reserve = width * node->reserve / memory;

        lp_svg_group(svg, "the host's reserve");
        lp_svg_box(svg, x + PAD + width - reserve, y + MEMORY_Y, reserve, MEMORY_HEIGHT,
                   LP_SVG_GRID);
        lp_svg_group_end(svg);
    }
    /* More vCPUs than processors, and not by the rounding of shares alone: where these end. */
    if (vcpus > node->n_cpus + 0.05)
        lp_svg_line(svg, x + PAD + width * node->n_cpus / scale, y + CPUS_Y - 3,
                    x + PAD + width * node->n_cpus / scale, y + CPUS_Y + CPUS_HEIGHT + 3,
                    LP_SVG_INK, 1.5, NULL);
}

static void
draw_row(LpSvg *svg, const LpPicture *picture, const LpPictureNode *node,
         const LpPicturePart *part, guint n_others, double x, double y)
{
    const LpSvgFont font = { .size = 11.5, .colour = LP_SVG_INK };
    const LpSvgFont right = { .size = 11.5, .colour = LP_SVG_MUTED, .anchor = LP_SVG_END };
    bool wide = picture->card_width > WIDE;
    double width = picture->card_width - 2 * PAD;
    g_autofree char *size = size_text(part->bytes);
    g_autofree char *vcpus = vcpus_text(part->vcpus);
    g_autofree char *amounts = wide ? g_strdup_printf("%s, %s", size, vcpus) : g_strdup(size);
    g_autofree char *count = g_strdup_printf("%u others", n_others);
    g_autofree char *name = fit(n_others ? count : part->name, font.size,
                                width - SWATCH - 14 - lp_svg_text_width(amounts, right.size));
    g_autofree char *title = part_title(node, part, n_others);

    lp_svg_group(svg, title);
    lp_svg_box(svg, x + PAD, y - SWATCH, SWATCH, SWATCH, part->colour);
    lp_svg_text(svg, x + PAD + SWATCH + 5, y, &font, name);
    lp_svg_text(svg, x + PAD + width, y, &right, amounts);
    lp_svg_group_end(svg);
}

static void
draw_words(LpSvg *svg, const LpPicture *picture, const LpPictureNode *node, double x, double y)
{
    const LpSvgFont bold = { .size = 14, .colour = LP_SVG_INK, .bold = true };
    const LpSvgFont small = { .size = 11, .colour = LP_SVG_MUTED };
    const LpSvgFont right = { .size = 11, .colour = LP_SVG_MUTED, .anchor = LP_SVG_END };
    bool wide = picture->card_width > WIDE, normal = strcmp(node->tier, "normal") == 0;
    double width = picture->card_width - 2 * PAD, vcpus = 0;
    g_autofree char *name = g_strdup_printf("node %" G_GINT64_FORMAT, node->id);
    const char *tier = normal ? "" : node->tier;
    g_autofree char *package =
        wide ? g_strdup_printf("package %" G_GINT64_FORMAT "%s%s", node->package,
                               tier[0] ? ", " : "", tier)
             : g_strdup(tier);
    g_autofree char *total = size_text(node->memory), *free_text = size_text(node->free);
    g_autofree char *memory = g_strdup_printf(wide ? "memory %s, %s free" : "%s, %s free", total,
                                              free_text);
    g_autofree char *cpus = NULL, *memory_fit = NULL, *cpus_fit = NULL, *vcpus_here = NULL;

    for (guint i = 0; i < node->parts->len; i++)
        vcpus += g_array_index(node->parts, LpPicturePart, i).vcpus;
    vcpus_here = vcpus_text(vcpus);
    if (node->n_cpus <= 0)
        cpus = g_strdup("no processors");
    else if (wide)
        cpus = g_strdup_printf("%.0f processors (%s), %s vCPUs", node->n_cpus, node->cpus,
                               vcpus_here);
    else
        cpus = g_strdup_printf("%.0f cpus, %s vCPUs", node->n_cpus, vcpus_here);
    memory_fit = fit(memory, small.size, width);
    cpus_fit = fit(cpus, small.size, width);
    lp_svg_text(svg, x + PAD, y + 20, &bold, name);
    lp_svg_text(svg, x + PAD + width, y + 20, &right, package);
    lp_svg_text(svg, x + PAD, y + 37, &small, memory_fit);
    lp_svg_text(svg, x + PAD, y + 79, &small, cpus_fit);
}

double
lp_picture_card_height(const LpPicture *picture)
{
    guint most = 0;

    for (guint i = 0; i < picture->n_nodes; i++)
        most = MAX(most, MIN(picture->nodes[i].parts->len, picture->rows + 1));
    return ROWS_Y + most * ROW_HEIGHT + 4;
}

void
lp_picture_card(LpSvg *svg, const LpPicture *picture, const LpPictureNode *node, double x,
                double y, double height)
{
    guint shown = n_shown(picture, node), n_others = node->parts->len - shown;
    double right = x + picture->card_width;

    lp_svg_line(svg, x, y, right, y, LP_SVG_AXIS, 1, NULL);
    lp_svg_line(svg, x, y + height, right, y + height, LP_SVG_AXIS, 1, NULL);
    lp_svg_line(svg, x, y, x, y + height, LP_SVG_AXIS, 1, NULL);
    lp_svg_line(svg, right, y, right, y + height, LP_SVG_AXIS, 1, NULL);
    draw_words(svg, picture, node, x, y);
    draw_bars(svg, picture, node, x, y);
    for (guint i = 0; i < shown; i++)
        draw_row(svg, picture, node, &g_array_index(node->parts, LpPicturePart, i), 0, x,
                 y + ROWS_Y + i * ROW_HEIGHT);
    if (n_others > 0) {
        LpPicturePart rest = others(picture, node);

        draw_row(svg, picture, node, &rest, n_others, x, y + ROWS_Y + shown * ROW_HEIGHT);
    }
}
