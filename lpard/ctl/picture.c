/* The host's nodes as a picture. */
#include "lpard/ctl/picture.h"

#include <string.h>

#include "lpard/ctl/picture-priv.h"
#include "lpard/ctl/text.h"

#define HEAD_HEIGHT 112.0
#define GAP 16.0
#define FOOT 24.0

/* Where the viewer's screen is dark, the page is, too: the same colours by other names. */
static const char dark[] =
    "@media (prefers-color-scheme:dark){"
    "rect[fill=\"#ffffff\"]{fill:#12171d}[fill=\"" LP_SVG_INK "\"]{fill:#e6ebf0}"
    "[fill=\"" LP_SVG_MUTED "\"]{fill:#a3b2c0}[fill=\"" LP_SVG_GRID "\"]{fill:#3a4652}"
    "[fill=\"" LP_SVG_TINT "\"]{fill:#1e2731}[stroke=\"" LP_SVG_INK "\"]{stroke:#e6ebf0}}";

/* Told apart on white and on black; the largest partitions have one each. */
static const char *const colours[] = {
    "#2f7fd0", "#d9772b", "#2f9e62", "#9467cf", "#cf4d96", "#b3971b", "#2aa3a8", "#8c7a66",
    "#d3414c", "#6b8f33",
};
#define OTHER_COLOUR "#93a1ae"

typedef struct {
    const char *name;
    double bytes;
} Total;

static double
amount(const json_t *json, const char *field)
{
    return (double)MAX(lp_ctl_json_int(json, field, 0), 0);
}

static int
by_bytes(gconstpointer a, gconstpointer b)
{
    const Total *left = a, *right = b;

    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? 1 : -1;
    return strcmp(left->name, right->name);
}

/* From a name to its colour, for the largest. */
static GHashTable *
choose_colours(const json_t *contents)
{
    GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) totals = g_array_new(FALSE, FALSE, sizeof(Total));

    for (gsize i = 0; i < json_array_size(contents); i++) {
        const json_t *each = json_array_get(contents, i);
        const json_t *nodes = json_object_get(each, "nodes");
        Total total = { .name = lp_ctl_json_str(each, "partition") };

        for (gsize k = 0; k < json_array_size(nodes); k++)
            total.bytes += amount(json_array_get(nodes, k), "bytes");
        g_array_append_val(totals, total);
    }
    g_array_sort(totals, by_bytes);
    for (guint i = 0; i < MIN(totals->len, G_N_ELEMENTS(colours)); i++)
        g_hash_table_insert(table,
                            (void *)(guintptr)g_array_index(totals, Total, i).name,
                            (void *)(guintptr)colours[i]);
    return table;
}

static int
parts_by_size(gconstpointer a, gconstpointer b)
{
    const LpPicturePart *left = a, *right = b;

    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? 1 : -1;
    if (left->vcpus != right->vcpus)
        return left->vcpus < right->vcpus ? 1 : -1;
    return strcmp(left->name, right->name);
}

static void
add_part(LpPicture *picture, const json_t *owner, const json_t *place)
{
    const char *name = lp_ctl_json_str(owner, "partition");
    const char *colour = g_hash_table_lookup(picture->colours, name);
    LpPicturePart part = {
        .name = name, .bytes = amount(place, "bytes"),
        /* Those that may run on several nodes are on each in part. */
        .vcpus = amount(owner, "vcpus") * amount(place, "cpu_permyriad") / 10000,
        .colour = colour ? colour : OTHER_COLOUR,
        .measured = lp_ctl_json_bool(owner, "measured"),
    };
    gint64 id = lp_ctl_json_int(place, "node", -1);

    for (guint i = 0; i < picture->n_nodes; i++) {
        if (picture->nodes[i].id == id) {
            g_array_append_val(picture->nodes[i].parts, part);
            return;
        }
    }
}

static void
read_nodes(LpPicture *picture, const json_t *host)
{
    const json_t *list = lp_ctl_json_at(host, "topology.nodes");
    const json_t *contents = json_object_get(host, "contents");

    picture->n_nodes = (guint)MIN(json_array_size(list), LP_CTL_PICTURE_NODES);
    for (guint i = 0; i < picture->n_nodes; i++) {
        const json_t *node = json_array_get(list, i);
        LpPictureNode *ret = &picture->nodes[i];

        *ret = (LpPictureNode) {
            .id = lp_ctl_json_int(node, "id", i), .package = lp_ctl_json_int(node, "package", 0),
            .tier = lp_ctl_json_str(node, "tier"), .cpus = lp_ctl_json_str(node, "cpus"),
            .n_cpus = amount(node, "n_cpus"), .memory = amount(node, "memory_bytes"),
            .free = amount(node, "free_bytes"), .reserve = amount(node, "reserve_bytes"),
            .parts = g_array_new(FALSE, FALSE, sizeof(LpPicturePart)),
        };
    }
    picture->colours = choose_colours(contents);
    for (gsize i = 0; i < json_array_size(contents); i++) {
        const json_t *each = json_array_get(contents, i);
        const json_t *places = json_object_get(each, "nodes");

        for (gsize k = 0; k < json_array_size(places); k++)
            add_part(picture, each, json_array_get(places, k));
    }
    for (guint i = 0; i < picture->n_nodes; i++)
        g_array_sort(picture->nodes[i].parts, parts_by_size);
}

static void
draw_head(LpSvg *svg, const json_t *host, const LpPicture *picture)
{
    const LpSvgFont title = { .size = 22, .colour = LP_SVG_INK, .bold = true };
    const LpSvgFont plain = { .size = 13, .colour = LP_SVG_MUTED };
    const LpSvgFont small = { .size = 11, .colour = LP_SVG_MUTED };
    g_autofree char *uri = lp_ctl_text_str(host, "uri");
    g_autofree char *heading = g_strdup_printf("NUMA nodes of %s", uri);
    gint64 score = lp_ctl_json_int(host, "score_centi", -1);
    g_autofree char *points = lp_ctl_text_points(host, "score_centi");
    g_autofree char *facts = g_strdup_printf(
        "%u node%s, %" G_GINT64_FORMAT " package%s, %" G_GINT64_FORMAT " processors; %zu domains "
        "run%s%s", picture->n_nodes, picture->n_nodes == 1 ? "" : "s",
        lp_ctl_json_int(host, "topology.packages", 0),
        lp_ctl_json_int(host, "topology.packages", 0) == 1 ? "" : "s",
        lp_ctl_json_int(host, "topology.cpus", 0),
        json_array_size(json_object_get(host, "contents")), score >= 0 ? "; affinity score " : "",
        score >= 0 ? points : "");

    lp_svg_text(svg, LP_SVG_MARGIN, 46, &title, heading);
    lp_svg_text(svg, LP_SVG_MARGIN, 68, &plain, facts);
    lp_svg_text(svg, LP_SVG_MARGIN, 90, &small,
                "Upper bar: memory by owner, the host's reserve at its end. Lower bar: vCPUs by "
                "owner; a line: the node has no more processors. Behind a name: memory, vCPUs.");
}

static void
clear(LpPicture *picture)
{
    for (guint i = 0; i < picture->n_nodes; i++)
        g_array_unref(picture->nodes[i].parts);
    g_hash_table_unref(picture->colours);
}

char *
lp_ctl_picture(const json_t *host)
{
    g_autofree LpPicture *picture = g_new0(LpPicture, 1);
    g_autofree char *uri = lp_ctl_text_str(host, "uri");
    g_autofree char *title = g_strdup_printf("NUMA nodes of %s", uri);
    double inner = LP_SVG_WIDTH - 2 * LP_SVG_MARGIN, height, y = HEAD_HEIGHT;
    guint columns;
    char *page;
    LpSvg svg;

    lp_svg_begin(&svg);
    svg.style = dark;
    read_nodes(picture, host);
    draw_head(&svg, host, picture);
    columns = picture->n_nodes > 16 ? 6 : picture->n_nodes > 3 ? 4 : MAX(picture->n_nodes, 2);
    picture->card_width = (inner - GAP * (columns - 1)) / columns;
    picture->rows = columns > 4 ? 4 : 8;
    height = lp_picture_card_height(picture);
    for (guint i = 0; i < picture->n_nodes; i++)
        lp_picture_card(&svg, picture, &picture->nodes[i],
                        LP_SVG_MARGIN + (i % columns) * (picture->card_width + GAP),
                        y + (i / columns) * (height + GAP), height);
    y += (picture->n_nodes + columns - 1) / columns * (height + GAP) + GAP;
    y += lp_picture_distances(&svg, picture, host, y);
    clear(picture);
    page = lp_svg_end(&svg, y + FOOT, title);
    return page;
}
