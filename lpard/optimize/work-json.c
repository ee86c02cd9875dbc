/* Work as an operation's JSON: what people are shown, and what a restart goes on with. */
#include <string.h>

#include "lpard/optimize/work.h"

/* ---- writing ---- */

static json_t *
number(uint64_t bytes)
{
    return json_integer((json_int_t) bytes);
}

static json_t *
text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *
names_json(char *const *names)
{
    json_t *array = json_array();

    for (; names && *names; names++)
        json_array_append_new(array, json_string(*names));
    return array;
}

static json_t *
node_json(const LpTopology *topology, int32_t index)
{
    return index < 0 ? json_null() : json_integer(topology->nodes[index].id);
}

static json_t *
cell_json(const LpWorkCell *cell, uint32_t index, const LpTopology *topology)
{
    json_t *target = json_array(), *cpus = json_array();
    char own[LP_CPUMASK_TEXT];

    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        if (cell->target.on[n])
            json_array_append_new(target, json_pack("{s:I,s:I}", "node",
                                                    (json_int_t) topology->nodes[n].id, "bytes",
                                                    (json_int_t) cell->target.on[n]));
        if (cell->cpus & (1ULL << n))
            json_array_append_new(cpus, json_integer(topology->nodes[n].id));
    }
    return json_pack("{s:I,s:o,s:o,s:s,s:o}", "cell", (json_int_t) index, "home",
                     node_json(topology, cell->home), "cpus", cpus, "processors",
                     lp_cpumask_format(&cell->own, own, sizeof own), "target", target);
}

static json_t *
move_json(const LpWorkMove *move)
{
    return json_pack("{s:o,s:o,s:I,s:o}", "cell",
                     move->cell < 0 ? json_null() : json_integer(move->cell), "from",
                     move->from < 0 ? json_null() : json_integer(move->from), "to",
                     (json_int_t) move->to, "bytes", number(move->bytes));
}

/* Of two that change places there are up to a thousand pieces, in turn: they are one move to people and
 * to the journal.  The sweep after a cell's pieces is none of its own. */
static json_t *
moves_json(const LpWorkPart *part)
{
    g_autoptr(GArray) moves = g_array_new(FALSE, FALSE, sizeof(LpWorkMove));
    json_t *array = json_array();

    for (guint i = 0; i < part->moves->len; i++) {
        const LpWorkMove *move = g_ptr_array_index(part->moves, i);
        LpWorkMove *same = NULL;

        if (move->bytes == UINT64_MAX && move->cell >= 0)
            continue;
        for (guint m = 0; m < moves->len && !same; m++) {
            LpWorkMove *other = &g_array_index(moves, LpWorkMove, m);

            if (other->cell == move->cell && other->from == move->from && other->to == move->to)
                same = other;
        }
        if (same) {
            same->bytes += move->bytes;
            continue;
        }
        g_array_append_val(moves, *move);
        if (move->cell < 0)
            g_array_index(moves, LpWorkMove, moves->len - 1).bytes = part->own_bytes;
    }
    for (guint m = 0; m < moves->len; m++)
        json_array_append_new(array, move_json(&g_array_index(moves, LpWorkMove, m)));
    return array;
}

static json_t *
part_json(const LpWorkPart *part, const LpTopology *topology)
{
    json_t *json = json_object(), *stuck = json_object(), *cells = json_array();

    for (unsigned i = 0; i < LP_STUCKS; i++)
        json_object_set_new(stuck, lp_stuck_names[i], number(part->stuck_bytes[i]));
    for (uint32_t i = 0; i < part->n_cells; i++)
        json_array_append_new(cells, cell_json(&part->cells[i], i, topology));
    json_object_set_new(json, "partition", json_string(part->name));
    json_object_set_new(json, "uuid", json_string(part->uuid));
    json_object_set_new(json, "run_id", json_string(part->run_id));
    json_object_set_new(json, "state", json_string(lp_part_state_name(part->state)));
    json_object_set_new(json, "reason", text_or_null(part->reason));
    json_object_set_new(json, "before_centi", lp_score_json(part->before));
    json_object_set_new(json, "predicted_centi", lp_score_json(part->predicted));
    json_object_set_new(json, "measured_centi", lp_score_json(part->measured));
    json_object_set_new(json, "total_bytes", number(part->total_bytes));
    json_object_set_new(json, "moved_bytes", number(part->moved_bytes));
    json_object_set_new(json, "shift_bytes", number(part->shift_bytes));
    json_object_set_new(json, "stuck", stuck);
    json_object_set_new(json, "pins", json_boolean(part->pins));
    json_object_set_new(json, "whole", json_boolean(part->whole));
    json_object_set_new(json, "strays", json_boolean(part->sweep_only));
    json_object_set_new(json, "main", node_json(topology, part->main));
    json_object_set_new(json, "cells", cells);
    json_object_set_new(json, "moves", moves_json(part));
    return json;
}

/* Whatever can change of it once it is planned. */
static uint64_t
digest(const LpWorkPart *part)
{
    uint64_t sum = part->state + 8 * part->moved_bytes + part->total_bytes / 3 + part->shift_bytes / 5
                   + part->measured + g_direct_hash(part->reason) + part->own_bytes;

    for (unsigned i = 0; i < LP_STUCKS; i++)
        sum = sum * 31 + part->stuck_bytes[i];
    return sum * 31 + part->moves->len;
}

/* A full host's work is long, and hardly any of it changes from one second to the next. */
static json_t *
part_json_kept(LpWorkPart *part, const LpTopology *topology)
{
    uint64_t now = digest(part);

    if (!part->json || part->said != now) {
        json_decref(part->json);
        part->json = part_json(part, topology);
        part->said = now;
    }
    return json_incref(part->json);
}

static uint64_t
stuck_of(const LpWork *work)
{
    uint64_t sum = 0;

    for (guint i = 0; i < work->parts->len; i++)
        for (unsigned s = 0; s < LP_STUCKS; s++)
            sum += ((const LpWorkPart *) g_ptr_array_index(work->parts, i))->stuck_bytes[s];
    return sum;
}

static const char *
at_work(const LpWork *work)
{
    for (guint i = 0; i < work->parts->len; i++) {
        const LpWorkPart *part = g_ptr_array_index(work->parts, i);

        if (part->state == LP_PART_RUNNING)
            return part->name;
    }
    return NULL;
}

json_t *
lp_work_to_json(LpWork *work, const LpTopology *topology)
{
    json_t *json = json_object(), *parts = json_array();

    for (guint i = 0; i < work->parts->len; i++)
        json_array_append_new(parts, part_json_kept(g_ptr_array_index(work->parts, i), topology));
    json_object_set_new(json, "auto", json_boolean(work->automatic));
    json_object_set_new(json, "dry_run", json_boolean(work->dry));
    json_object_set_new(json, "requested", names_json(work->requested));
    json_object_set_new(json, "protected", names_json(work->protected_));
    json_object_set_new(json, "min_gain_centi", json_integer(work->min_gain));
    json_object_set_new(json, "max_bytes", number(work->max_bytes));
    json_object_set_new(json, "host", json_pack("{s:o,s:o,s:o}", "before_centi",
                                                lp_score_json(work->before), "predicted_centi",
                                                lp_score_json(work->predicted), "measured_centi",
                                                lp_score_json(work->measured)));
    json_object_set_new(json, "total_bytes", number(work->total_bytes));
    json_object_set_new(json, "moved_bytes", number(work->moved_bytes));
    json_object_set_new(json, "stuck_bytes", number(stuck_of(work)));
    json_object_set_new(json, "rate_bytes", number(work->rate_bytes));
    json_object_set_new(json, "left_msec", work->left_msec < 0 ? json_null()
                                                               : json_integer(work->left_msec));
    json_object_set_new(json, "phase", json_string(work->phase));
    json_object_set_new(json, "paused", text_or_null(work->paused));
    json_object_set_new(json, "partition", text_or_null(at_work(work)));
    json_object_set_new(json, "partitions", parts);
    return json;
}

/* ---- reading ---- */

static uint64_t
read_number(const json_t *json, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(json, key));

    return value > 0 ? (uint64_t) value : 0;
}

static uint32_t
read_score(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    json_int_t score = json_integer_value(value);

    return json_is_integer(value) && score >= 0 && score <= LP_SCORE_MAX ? (uint32_t) score
                                                                         : LP_SCORE_NONE;
}

/* Its index on this host, which may be another one than it was; -1: it has none. */
static int32_t
read_node(const json_t *value, const LpTopology *topology)
{
    json_int_t id = json_integer_value(value);

    return json_is_integer(value) && id >= 0 && id <= LP_NODE_ID_MAX
               ? lp_topology_find(topology, (uint32_t) id)
               : -1;
}

static char **
read_names(const json_t *array)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const json_t *item;
    size_t index;

    json_array_foreach(array, index, item)
        if (json_is_string(item))
            g_strv_builder_add(builder, json_string_value(item));
    return g_strv_builder_end(builder);
}

static void
read_cell(const json_t *json, const LpTopology *topology, LpWorkCell *cell)
{
    const json_t *item;
    const char *own;
    size_t index;

    cell->home = read_node(json_object_get(json, "home"), topology);
    json_array_foreach(json_object_get(json, "target"), index, item) {
        int32_t node = read_node(json_object_get(item, "node"), topology);

        if (node >= 0)
            cell->target.on[node] = read_number(item, "bytes");
    }
    json_array_foreach(json_object_get(json, "cpus"), index, item) {
        int32_t node = read_node(item, topology);

        if (node >= 0)
            cell->cpus |= 1ULL << node;
    }
    own = json_string_value(json_object_get(json, "processors"));
    if (own)
        lp_cpumask_parse(own, &cell->own);
}

static LpPartState
read_state(const json_t *json)
{
    const char *text = json_string_value(json_object_get(json, "state"));

    for (unsigned i = 0; text && i < LP_PART_STATES; i++)
        if (strcmp(text, lp_part_state_name((LpPartState) i)) == 0)
            return (LpPartState) i;
    return LP_PART_STAYS;
}

static bool
read_part(LpWork *work, const json_t *json, const LpTopology *topology)
{
    const char *uuid = json_string_value(json_object_get(json, "uuid"));
    const char *name = json_string_value(json_object_get(json, "partition"));
    const char *run_id = json_string_value(json_object_get(json, "run_id"));
    const json_t *cells = json_object_get(json, "cells");
    const json_t *stuck = json_object_get(json, "stuck");
    LpWorkPart *part;

    if (!uuid || !name || !run_id || !json_is_array(cells)
        || json_array_size(cells) > LP_MAX_CELLS)
        return false;
    part = lp_work_add_part(work, uuid, name, (uint32_t) json_array_size(cells));
    g_strlcpy(part->run_id, run_id, sizeof part->run_id);
    part->state = read_state(json);
    part->reason = g_strdup(json_string_value(json_object_get(json, "reason")));
    part->before = read_score(json, "before_centi");
    part->predicted = read_score(json, "predicted_centi");
    part->measured = read_score(json, "measured_centi");
    part->total_bytes = read_number(json, "total_bytes");
    part->moved_bytes = read_number(json, "moved_bytes");
    part->shift_bytes = read_number(json, "shift_bytes");
    part->pins = json_is_true(json_object_get(json, "pins"));
    part->whole = json_is_true(json_object_get(json, "whole"));
    part->sweep_only = json_is_true(json_object_get(json, "strays"));
    part->main = read_node(json_object_get(json, "main"), topology);
    for (unsigned i = 0; i < LP_STUCKS; i++)
        part->stuck_bytes[i] = read_number(stuck, lp_stuck_names[i]);
    for (uint32_t i = 0; i < part->n_cells; i++)
        read_cell(json_array_get(cells, i), topology, &part->cells[i]);
    return true;
}

LpWork *
lp_work_from_json(const json_t *json, const LpTopology *topology)
{
    const json_t *parts = json_object_get(json, "partitions"), *item;
    const json_t *host = json_object_get(json, "host");
    LpWork *work;
    size_t index;

    if (!json_is_array(parts) || !json_is_object(host))
        return NULL;
    work = lp_work_new();
    work->automatic = json_is_true(json_object_get(json, "auto"));
    work->requested = read_names(json_object_get(json, "requested"));
    work->protected_ = read_names(json_object_get(json, "protected"));
    work->min_gain = (uint32_t) MIN(read_number(json, "min_gain_centi"), LP_SCORE_MAX);
    work->max_bytes = read_number(json, "max_bytes");
    work->before = read_score(host, "before_centi");
    work->predicted = read_score(host, "predicted_centi");
    work->total_bytes = read_number(json, "total_bytes");
    work->moved_bytes = read_number(json, "moved_bytes");
    json_array_foreach(parts, index, item) {
        if (!read_part(work, item, topology)) {
            lp_work_free(work);
            return NULL;
        }
    }
    return work;
}
