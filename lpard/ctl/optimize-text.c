/* An optimization for people. */
#include "lpard/ctl/optimize-text.h"

#include <string.h>

#include "lpard/ctl/ctl.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "policy/units.h"

#define NOTHING "Nothing to move: no other layout is worth what it would take.\n"

bool
lp_ctl_is_optimize(const json_t *operation)
{
    return strcmp(lp_ctl_json_str(operation, "kind"), "optimize") == 0;
}

static const json_t *
touched(const json_t *optimize)
{
    return json_object_get(optimize, "partitions");
}

static bool
is_same_way(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "cell"), json_object_get(b, "cell")) &&
           json_equal(json_object_get(a, "from"), json_object_get(b, "from")) &&
           json_equal(json_object_get(a, "to"), json_object_get(b, "to"));
}

/* Two that change places on full nodes go in pieces by turns: to people that is one way.  All bytes
 * on the way of the i-th move, or NULL if an earlier one has told them. */
static char *
way_bytes(const json_t *moves, gsize i)
{
    const json_t *move = json_array_get(moves, i);
    gint64 bytes = 0;
    json_t *sum;
    char *text;

    for (gsize k = 0; k < json_array_size(moves); k++) {
        const json_t *other = json_array_get(moves, k);

        if (!is_same_way(move, other))
            continue;
        if (k < i)
            return NULL;
        bytes += lp_ctl_json_int(other, "bytes", 0);
    }
    sum = json_pack("{s:I}", "bytes", (json_int_t)bytes);
    text = lp_ctl_text_measured(sum, "bytes");
    json_decref(sum);
    return text;
}

/* "5.9 GiB of cell 0 from node 1 to 0, ..." */
static char *
moves_text(const json_t *moves)
{
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < json_array_size(moves); i++) {
        const json_t *move = json_array_get(moves, i);
        gint64 cell = lp_ctl_json_int(move, "cell", -1), from = lp_ctl_json_int(move, "from", -1);
        g_autofree char *bytes = way_bytes(moves, i);

        if (bytes == NULL)
            continue;
        g_string_append_printf(text, "%s%s of ", text->len ? ", " : "", bytes);
        if (cell >= 0)
            g_string_append_printf(text, "cell %" G_GINT64_FORMAT, cell);
        else
            g_string_append(text, "QEMU's own");
        if (from >= 0)
            g_string_append_printf(text, " from node %" G_GINT64_FORMAT, from);
        g_string_append_printf(text, " to %s%" G_GINT64_FORMAT, from >= 0 ? "" : "node ",
                               lp_ctl_json_int(move, "to", -1));
    }
    return g_string_free(text, FALSE);
}

/* The sentences on those that stay where they are, or did not come whole. */
static void
append_reasons(const json_t *optimize, GString *out)
{
    const json_t *list = touched(optimize);

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);
        g_autofree char *name = lp_ctl_text_str(each, "partition");
        g_autofree char *first = g_strdup_printf("  - %s: ", name);
        const char *reason = lp_ctl_json_str(each, "reason");

        if (reason[0] != '\0')
            lp_ctl_text_wrap(out, first, "    ", reason);
    }
}

static bool
stays(const json_t *each)
{
    return strcmp(lp_ctl_json_str(each, "state"), "stays") == 0;
}

static void
plan_table(const json_t *optimize, GString *out)
{
    static const char *const headings[] = { "PARTITION", ">NOW", ">PREDICTED", ">TO MOVE", "VCPUS",
                                            NULL };
    const json_t *list = touched(optimize);
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);

    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);

        if (!stays(each))
            lp_ctl_table_take(table, lp_ctl_text_str(each, "partition"),
                              lp_ctl_text_points(each, "before_centi"),
                              lp_ctl_text_points(each, "predicted_centi"),
                              lp_ctl_text_measured(each, "total_bytes"),
                              g_strdup(lp_ctl_json_bool(each, "pins") ? "pinned anew" : "stay"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    else
        g_string_append(out, NOTHING);
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);
        g_autofree char *moves = moves_text(json_object_get(each, "moves"));
        g_autofree char *name = lp_ctl_text_str(each, "partition");
        g_autofree char *first = g_strdup_printf("  %s: ", name);

        if (moves[0] != '\0' && !stays(each))
            lp_ctl_text_wrap(out, first, "    ", moves);
    }
}

static void
append_host(const json_t *optimize, bool ended, GString *out)
{
    g_autofree char *before = lp_ctl_text_points(optimize, "host.before_centi");
    g_autofree char *predicted = lp_ctl_text_points(optimize, "host.predicted_centi");
    g_autofree char *measured = lp_ctl_text_points(optimize, "host.measured_centi");

    g_string_append_printf(out, "host: score %s, predicted %s", before, predicted);
    if (ended)
        g_string_append_printf(out, ", measured %s", measured);
}

void
lp_ctl_optimize_plan_text(const json_t *operation, GString *out)
{
    const json_t *optimize = json_object_get(operation, "optimize");
    g_autofree char *bytes = lp_ctl_text_measured(optimize, "total_bytes");
    const char *message = lp_ctl_json_str(operation, "message");

    g_string_append(out, "Dry run: nothing is changed.\n");
    append_host(optimize, false, out);
    g_string_append_printf(out, ", %s to move\n", bytes);
    plan_table(optimize, out);
    append_reasons(optimize, out);
    if (message[0] != '\0')
        lp_ctl_text_wrap(out, "  ", "  ", message);
    lp_ctl_text_list(out, "  ", json_object_get(operation, "remarks"));
}

/* What was to move and did not. */
static gint64
stuck_bytes(const json_t *each)
{
    json_t *stuck = json_object_get(each, "stuck"), *bytes;
    const char *why;
    gint64 sum = 0;

    json_object_foreach(stuck, why, bytes)
        sum += json_is_integer(bytes) ? CLAMP(json_integer_value(bytes), 0, G_MAXINT64 / 16) : 0;
    return sum;
}

void
lp_ctl_optimize_outcome_text(const json_t *operation, GString *out)
{
    static const char *const headings[] = { "PARTITION", ">BEFORE", ">PREDICTED", ">MEASURED",
                                            ">MOVED", ">COULD NOT", "STATE", NULL };
    const json_t *optimize = json_object_get(operation, "optimize");
    const json_t *list = touched(optimize);
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autofree char *moved = lp_ctl_text_measured(optimize, "moved_bytes");
    g_autofree char *total = lp_ctl_text_measured(optimize, "total_bytes");

    append_host(optimize, true, out);
    g_string_append_printf(out, "; moved %s of %s\n", moved, total);
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);
        char stuck[LP_UNITS_TEXT];

        if (!stays(each))
            lp_ctl_table_take(table, lp_ctl_text_str(each, "partition"),
                              lp_ctl_text_points(each, "before_centi"),
                              lp_ctl_text_points(each, "predicted_centi"),
                              lp_ctl_text_points(each, "measured_centi"),
                              lp_ctl_text_measured(each, "moved_bytes"),
                              g_strdup(lp_units_near_bytes((guint64)stuck_bytes(each), stuck,
                                                           sizeof stuck)),
                              lp_ctl_text_str(each, "state"));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    else if (strcmp(lp_ctl_json_str(operation, "state"), "done") == 0)
        g_string_append(out, NOTHING);
    append_reasons(optimize, out);
}

void
lp_ctl_optimize_progress(const json_t *operation, gint64 age_msec, GString *line)
{
    const json_t *optimize = json_object_get(operation, "optimize");
    g_autofree char *moved = lp_ctl_text_measured(optimize, "moved_bytes");
    g_autofree char *total = lp_ctl_text_measured(optimize, "total_bytes");
    const char *partition = lp_ctl_json_str(optimize, "partition");
    const char *paused = lp_ctl_json_str(optimize, "paused");
    gint64 left = lp_ctl_json_int(optimize, "left_msec", -1);

    if (!json_is_object(optimize))
        return;
    if (lp_ctl_json_int(optimize, "total_bytes", 0) > 0)
        g_string_append_printf(line, ", %s of %s", moved, total);
    if (partition[0] != '\0')
        g_string_append_printf(line, ", %s", partition);
    if (lp_ctl_json_int(optimize, "rate_bytes", 0) > 0) {
        g_autofree char *rate = lp_ctl_text_measured(optimize, "rate_bytes");

        g_string_append_printf(line, ", %s/s", rate);
    }
    if (left > age_msec)
        g_string_append_printf(line, ", about %" G_GINT64_FORMAT " s left",
                               (left - age_msec + 999) / 1000);
    if (paused[0] != '\0')
        g_string_append_printf(line, ": waits, %s", paused);
}
