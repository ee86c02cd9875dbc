/* How far the nodes are apart: a matrix, the darker the farther. */
#include "lpard/ctl/picture-priv.h"
#include "lpard/ctl/text.h"

#define LOCAL 10
/* Beyond so many nodes a number has no room in its square. */
#define NUMBERS_MAX 24
#define LABEL_WIDTH 34.0
#define SQUARE_MAX 36.0
/* Shades of one blue, which no colour of the page's is; dark text stands on the lighter ones. */
static const char *const shades[] = { "#f0f6fd", "#d3e4f6", "#aecdee", "#85b2e3", "#5b95d5",
                                      "#3777c0", "#215c9f" };
#define LIGHT_SHADES 4
#define DARK_TEXT "#10202e"
#define LIGHT_TEXT "#fffffe"

typedef struct {
    LpSvg *svg;
    const LpPicture *picture;
    const json_t *rows;
    gint64 far;
    double x, y, square;
} Matrix;

static gint64
distance(const Matrix *matrix, guint from, guint to)
{
    const json_t *cell = json_array_get(json_array_get(matrix->rows, from), to);

    return json_is_integer(cell) ? CLAMP(json_integer_value(cell), 0, G_MAXINT32) : 0;
}

static guint
shade(const Matrix *matrix, gint64 value)
{
    gint64 last = G_N_ELEMENTS(shades) - 1;

    if (matrix->far <= LOCAL || value <= LOCAL)
        return 0;
    return (guint)MAX((value - LOCAL) * last / (matrix->far - LOCAL), 1);
}

/* Squares of one distance, side by side, are one where no number stands in them. */
static guint
run(const Matrix *matrix, guint from, guint to)
{
    guint n = 1;

    if (matrix->picture->n_nodes <= NUMBERS_MAX)
        return 1;
    while (to + n < matrix->picture->n_nodes &&
           distance(matrix, from, to + n) == distance(matrix, from, to))
        n++;
    return n;
}

static void
draw_squares(const Matrix *matrix, guint from, guint to, guint n)
{
    gint64 value = distance(matrix, from, to);
    const LpPictureNode *nodes = matrix->picture->nodes;
    g_autofree char *many = n > 1 ? g_strdup_printf("-%" G_GINT64_FORMAT, nodes[to + n - 1].id)
                                  : g_strdup("");
    g_autofree char *title = g_strdup_printf("node %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
                                             "%s: %" G_GINT64_FORMAT, nodes[from].id,
                                             nodes[to].id, many, value);
    double x = matrix->x + to * matrix->square, y = matrix->y + from * matrix->square;

    lp_svg_group(matrix->svg, title);
    lp_svg_box(matrix->svg, x, y, matrix->square * n - 1, matrix->square - 1,
               shades[shade(matrix, value)]);
    if (matrix->picture->n_nodes <= NUMBERS_MAX) {
        const LpSvgFont font = {
            .size = 11, .anchor = LP_SVG_MIDDLE,
            .colour = shade(matrix, value) < LIGHT_SHADES ? DARK_TEXT : LIGHT_TEXT,
        };
        g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);

        lp_svg_text(matrix->svg, x + matrix->square / 2, y + matrix->square / 2 + 4, &font, text);
    }
    lp_svg_group_end(matrix->svg);
}

static void
draw_labels(const Matrix *matrix)
{
    bool numbers = matrix->picture->n_nodes <= NUMBERS_MAX;
    LpSvgFont font = { .size = numbers ? 11 : 9, .colour = LP_SVG_MUTED, .anchor = LP_SVG_END };

    for (guint i = 0; i < matrix->picture->n_nodes; i++) {
        g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, matrix->picture->nodes[i].id);
        double middle = (i + 0.5) * matrix->square;

        font.anchor = LP_SVG_END;
        lp_svg_text(matrix->svg, matrix->x - 6, matrix->y + middle + 3, &font, id);
        font.anchor = LP_SVG_MIDDLE;
        lp_svg_text(matrix->svg, matrix->x + middle, matrix->y - 6, &font, id);
    }
}

double
lp_picture_distances(LpSvg *svg, const LpPicture *picture, const json_t *host, double y)
{
    const LpSvgFont heading = { .size = 15, .colour = LP_SVG_INK, .bold = true };
    bool known = lp_ctl_json_bool(host, "topology.distances_known");
    Matrix matrix = {
        .svg = svg, .picture = picture, .rows = lp_ctl_json_at(host, "topology.distances"),
        .x = LP_SVG_MARGIN + LABEL_WIDTH, .y = y + 36,
    };

    if (picture->n_nodes == 0)
        return 0;
    lp_svg_text(svg, LP_SVG_MARGIN, y + 6, &heading,
                known ? "Distances (10 is local)"
                      : "Distances (the machine states none: these are assumed)");
    matrix.square = MIN((LP_SVG_WIDTH - 2 * LP_SVG_MARGIN - LABEL_WIDTH) / picture->n_nodes,
                        picture->n_nodes > NUMBERS_MAX ? 14 : SQUARE_MAX);
    for (guint i = 0; i < picture->n_nodes; i++)
        for (guint k = 0; k < picture->n_nodes; k++)
            matrix.far = MAX(matrix.far, distance(&matrix, i, k));
    draw_labels(&matrix);
    for (guint i = 0; i < picture->n_nodes; i++) {
        for (guint k = 0; k < picture->n_nodes;) {
            guint n = run(&matrix, i, k);

            draw_squares(&matrix, i, k, n);
            k += n;
        }
    }
    return 36 + picture->n_nodes * matrix.square;
}
