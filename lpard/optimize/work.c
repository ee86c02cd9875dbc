#include "lpard/optimize/work.h"

#include <stdlib.h>
#include <string.h>

#include "numa/cores.h"

/* Of a cell that is at home: more of it elsewhere was put there on purpose. */
#define STRAY_PERCENT 25

static const char *const state_names[LP_PART_STATES] = {
    [LP_PART_PENDING] = "pending", [LP_PART_RUNNING] = "running", [LP_PART_DONE] = "done",
    [LP_PART_PARTIAL] = "partial", [LP_PART_FAILED] = "failed",   [LP_PART_STAYS] = "stays",
};

const char *
lp_part_state_name(LpPartState state)
{
    return state < LP_PART_STATES ? state_names[state] : "unknown";
}

static void
part_free(gpointer data)
{
    LpWorkPart *part = data;

    json_decref(part->json);
    g_ptr_array_unref(part->moves);
    g_free(part->cells);
    g_free(part->uuid);
    g_free(part->name);
    g_free(part->reason);
    g_free(part);
}

LpWorkPart *
lp_work_add_part(LpWork *work, const char *uuid, const char *name, uint32_t n_cells)
{
    LpWorkPart *part = g_new0(LpWorkPart, 1);

    part->uuid = g_strdup(uuid);
    part->name = g_strdup(name);
    part->n_cells = n_cells;
    part->cells = g_new0(LpWorkCell, MAX(n_cells, 1));
    part->moves = g_ptr_array_new_with_free_func(g_free);
    part->before = part->predicted = part->measured = LP_SCORE_NONE;
    part->main = -1;
    g_ptr_array_add(work->parts, part);
    g_hash_table_insert(work->by_uuid, part->uuid, part);
    return part;
}

LpWork *
lp_work_new(void)
{
    LpWork *work = g_new0(LpWork, 1);

    work->parts = g_ptr_array_new_with_free_func(part_free);
    work->by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
    work->queue = g_ptr_array_new();
    work->before = work->predicted = work->measured = LP_SCORE_NONE;
    work->phase = "planning";
    work->left_msec = -1;
    return work;
}

void
lp_work_free(LpWork *work)
{
    if (!work)
        return;
    g_strfreev(work->requested);
    g_strfreev(work->protected_);
    g_ptr_array_unref(work->queue);
    g_hash_table_unref(work->by_uuid);
    g_ptr_array_unref(work->parts);
    g_free(work->paused);
    g_free(work);
}

static LpWorkPart *
find_part(const LpWork *work, const char *uuid)
{
    return g_hash_table_lookup(work->by_uuid, uuid);
}

static uint64_t
sum_of(const LpSpread *spread)
{
    uint64_t sum = 0;

    for (uint32_t n = 0; n < LP_MAX_NODES; n++)
        sum += spread->on[n];
    return sum;
}

/* The one node where all of it is to be, or -1. */
static int
only_node(const LpSpread *target)
{
    int only = -1;

    for (uint32_t n = 0; n < LP_MAX_NODES; n++) {
        if (target->on[n] == 0)
            continue;
        if (only >= 0)
            return -1;
        only = (int) n;
    }
    return only;
}

static bool
is_open(const LpWorkPart *part)
{
    return part->state == LP_PART_PENDING || part->state == LP_PART_RUNNING;
}

/* ---- the way there ---- */

static LpWorkMove *
add_move(LpWork *work, LpWorkPart *part, int32_t cell, int32_t from, int32_t to, uint64_t bytes)
{
    LpWorkMove *move = g_new0(LpWorkMove, 1);

    move->part = part;
    move->cell = cell;
    move->from = from;
    move->to = to;
    move->bytes = bytes;
    g_ptr_array_add(part->moves, move);
    g_ptr_array_add(work->queue, move);
    return move;
}

/* The layout that the work is on the way to, as far as it is not there: what is not part of it, or is
 * finished, stays. */
static LpLayout *
layout_of(const LpWork *work, const LpPicture *picture)
{
    const LpLayoutHost *host = &picture->host;
    uint32_t n_nodes = picture->topology->n_nodes;
    LpLayout *layout = lp_layout_new();

    if (!layout)
        return NULL;
    layout->n_nodes = n_nodes;
    layout->n_cells = host->n_cells;
    layout->n_partitions = host->n_partitions;
    layout->bytes = calloc((size_t) MAX(host->n_cells, 1) * n_nodes, sizeof *layout->bytes);
    layout->home = calloc(MAX(host->n_cells, 1), sizeof *layout->home);
    layout->cpus = calloc(MAX(host->n_cells, 1), sizeof *layout->cpus);
    if (!layout->bytes || !layout->home || !layout->cpus) {
        lp_layout_free(layout);
        return NULL;
    }
    for (uint32_t p = 0; p < host->n_partitions; p++) {
        const LpPicturePart *from = &picture->parts[picture->part_of_row[p]];
        const LpWorkPart *part = find_part(work, from->uuid);
        bool open = part && is_open(part) && part->n_cells == from->n_cells;

        for (uint32_t i = 0; i < from->n_cells; i++) {
            uint32_t c = host->partitions[p].first_cell + i;
            const LpPictureCell *cell = &picture->cells[from->first_cell + i];
            uint64_t all = open ? sum_of(&part->cells[i].target) : 0;
            uint64_t *bytes = &layout->bytes[(size_t) c * n_nodes];

            layout->home[c] = all && part->cells[i].home >= 0 ? part->cells[i].home : cell->home;
            for (uint32_t n = 0; n < n_nodes; n++)
                bytes[n] = all ? (uint64_t) ((unsigned __int128) cell->bytes
                                             * part->cells[i].target.on[n] / all)
                               : cell->memory.on[n];
        }
    }
    return layout;
}

/* Whatever is still on other nodes, as what came while the cell was moved. */
static void
add_sweeps(LpWork *work, const LpTopology *topology)
{
    for (guint i = 0; i < work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(work->parts, i);
        uint64_t moved = 0; /* bit by cell, to sweep each once */

        if (!is_open(part) || part->whole)
            continue;
        for (guint m = 0, n = part->moves->len; m < n; m++) {
            const LpWorkMove *move = g_ptr_array_index(part->moves, m);
            int only = move->cell >= 0 ? only_node(&part->cells[move->cell].target) : -1;

            if (only < 0 || (moved & (1ULL << move->cell)))
                continue;
            moved |= 1ULL << move->cell;
            add_move(work, part, move->cell, -1, (int32_t) topology->nodes[only].id, UINT64_MAX)
                ->sweeps = true;
        }
    }
}

static void
add_own(LpWork *work, const LpPicture *picture)
{
    for (guint i = 0; i < work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(work->parts, i);
        const LpPicturePart *now = lp_picture_find(picture, part->uuid);

        if (!is_open(part) || part->whole || part->main < 0 || !now)
            continue;
        part->own_bytes = sum_of(&now->own) - now->own.on[part->main];
        if (part->own_bytes)
            add_move(work, part, -1, -1, (int32_t) picture->topology->nodes[part->main].id,
                     UINT64_MAX)
                ->sweeps = true;
    }
}

static void
take_moves(LpWork *work, const LpPicture *picture, const LpLayoutMove *moves, size_t n)
{
    const LpTopology *topology = picture->topology;

    for (size_t i = 0; i < n; i++) {
        const LpPicturePart *from = &picture->parts[picture->part_of_row[moves[i].partition]];
        LpWorkPart *part = find_part(work, from->uuid);
        int32_t cell = (int32_t) (moves[i].cell - picture->rows[from->row].first_cell);

        if (!part || !is_open(part) || moves[i].bytes == 0 || moves[i].to < 0)
            continue;
        part->total_bytes += moves[i].bytes;
        if (!part->whole)
            add_move(work, part, cell,
                     moves[i].from < 0 ? -1 : (int32_t) topology->nodes[moves[i].from].id,
                     (int32_t) topology->nodes[moves[i].to].id, moves[i].bytes);
    }
}

bool
lp_work_find_moves(LpWork *work, const LpPicture *picture)
{
    LpLayout *layout = layout_of(work, picture);
    LpLayoutMove *moves = NULL;
    g_autofree uint64_t *planned = NULL;
    size_t n;

    if (!layout)
        return false;
    planned = g_new0(uint64_t, MAX(work->parts->len, 1));
    g_ptr_array_set_size(work->queue, 0);
    for (guint i = 0; i < work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(work->parts, i);

        g_ptr_array_set_size(part->moves, 0);
        /* What was moved before a restart has been done, and what is left is found anew. */
        planned[i] = part->total_bytes;
        if (is_open(part))
            part->total_bytes = part->moved_bytes;
    }
    n = lp_layout_moves(&picture->host, layout, &moves);
    take_moves(work, picture, moves, n);
    free(moves);
    lp_layout_free(layout);
    add_sweeps(work, picture->topology);
    add_own(work, picture);
    work->total_bytes = 0;
    for (guint i = 0; i < work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(work->parts, i);

        /* What need not be moved any more has come, though it was not written down by then. */
        if (is_open(part) && planned[i] > part->total_bytes) {
            part->moved_bytes += planned[i] - part->total_bytes;
            part->total_bytes = planned[i];
        }
        work->total_bytes += part->total_bytes;
    }
    return true;
}

/* ---- from a layout ---- */

#define RULE_TEXT \
    "its rule wants it on other nodes, which have no room for all of it, or more would have to be moved " \
    "than --max-bytes allows"

/* What a strict rule forbids: a page or two of it was never worth a move. */
static bool
breaks_rule(const LpPicture *picture, const LpPicturePart *part)
{
    LpNodeSet allowed = lp_numa_rule_nodes(&part->rule, picture->topology, NULL);
    uint64_t outside = 0;

    if (part->rule.mode != LP_NUMA_STRICT || !part->measured)
        return false;
    for (uint32_t n = 0; n < picture->topology->n_nodes; n++)
        outside += allowed & (1ULL << n) ? 0 : part->memory.on[n];
    return outside > sum_of(&part->memory) / 100;
}

/* Whether one that stays is worth a word. */
static bool
is_worth_a_word(const LpPicture *picture, const LpPicturePart *part)
{
    if (part->requested || breaks_rule(picture, part))
        return true;
    return part->stays != LP_STAYS_NO_PROFILE && part->stays != LP_STAYS_OFF
           && part->has_profile && part->score != LP_SCORE_MAX;
}

static void
add_stays(LpWork *work, const LpPicture *picture, const LpPicturePart *from)
{
    LpWorkPart *part = lp_work_add_part(work, from->uuid, from->name, 0);

    part->state = LP_PART_STAYS;
    part->before = part->predicted = from->score;
    part->reason = lp_picture_stays_text(from);
    if (!part->reason && breaks_rule(picture, from) && !from->locked)
        part->reason = g_strdup(RULE_TEXT);
    if (!part->reason)
        part->reason = g_strdup(from->locked
                                    ? "its memory is locked, of huge pages or pinned for a device, and "
                                      "cannot be moved"
                                    : "nothing that is worth moving would make it better");
}

static int32_t
main_node(const LpWorkPart *part)
{
    LpSpread sum = {0};
    int32_t best = -1;

    for (uint32_t i = 0; i < part->n_cells; i++)
        for (uint32_t n = 0; n < LP_MAX_NODES; n++)
            sum.on[n] += part->cells[i].target.on[n];
    for (uint32_t n = 0; n < LP_MAX_NODES; n++)
        if (sum.on[n] && (best < 0 || sum.on[n] > sum.on[best]))
            best = (int32_t) n;
    return best;
}

/* Of which run it is, and by which rule it is planned; what its floor says is of resizes. */
static void
note_part(LpWorkPart *part, const LpPicturePart *from)
{
    g_strlcpy(part->run_id, from->run_id, sizeof part->run_id);
    part->rule = from->rule;
    part->rule.floor = 0;
    part->rule.floor_action = LP_FLOOR_WARN;
    part->has_rule = true;
}

static LpWorkPart *
add_part(LpWork *work, const LpPicture *picture, const LpLayout *layout, guint index)
{
    const LpPicturePart *from = &picture->parts[index];
    LpWorkPart *part = lp_work_add_part(work, from->uuid, from->name, from->n_cells);

    note_part(part, from);
    part->before = from->score;
    part->predicted = lp_picture_predict(picture, layout, index);
    part->whole = from->numatune == LP_NUMATUNE_RESTRICTIVE;
    for (uint32_t i = 0; i < from->n_cells; i++) {
        uint32_t row_cell = picture->rows[from->row].first_cell + i;
        LpWorkCell *cell = &part->cells[i];

        cell->home = layout->home[row_cell];
        for (uint32_t n = 0; n < layout->n_nodes; n++)
            cell->target.on[n] = layout->bytes[(size_t) row_cell * layout->n_nodes + n];
        if (lp_picture_repins(picture, layout, from->first_cell + i, row_cell)) {
            cell->cpus = layout->cpus[row_cell];
            part->pins = true;
        }
    }
    part->main = main_node(part);
    return part;
}

static gint
by_first_move(gconstpointer a, gconstpointer b, gpointer data)
{
    const LpWorkPart *left = *(LpWorkPart *const *) a, *right = *(LpWorkPart *const *) b;
    GHashTable *first = data;
    guint one = GPOINTER_TO_UINT(g_hash_table_lookup(first, left));
    guint two = GPOINTER_TO_UINT(g_hash_table_lookup(first, right));

    return one < two ? -1 : one > two;
}

static void
order_parts(LpWork *work)
{
    g_autoptr(GHashTable) first = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < work->queue->len; i++) {
        LpWorkPart *part = ((LpWorkMove *) g_ptr_array_index(work->queue, i))->part;

        if (!g_hash_table_contains(first, part))
            g_hash_table_insert(first, part, GUINT_TO_POINTER(i + 1));
    }
    /* Those without, as they are, after those with moves; who stays comes last. */
    for (guint i = 0; i < work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(work->parts, i);

        if (!g_hash_table_contains(first, part))
            g_hash_table_insert(first, part,
                                GUINT_TO_POINTER(part->state == LP_PART_STAYS
                                                     ? G_MAXUINT / 2 + i
                                                     : work->queue->len + 1 + i));
    }
    g_ptr_array_sort_with_data(work->parts, by_first_move, first);
}

static bool
is_idle(const LpWorkPart *part)
{
    return part->total_bytes == 0 && !part->pins;
}

/* Only when all moves are known is it known who has anything to do. */
static void
leave_out_idle(LpWork *work, const LpPicture *picture)
{
    GPtrArray *all = work->parts;
    guint n = 0;

    for (guint q = 0; q < work->queue->len; q++) {
        LpWorkMove *move = g_ptr_array_index(work->queue, q);

        if (!is_idle(move->part))
            g_ptr_array_index(work->queue, n++) = move;
    }
    g_ptr_array_set_size(work->queue, (gint) n);
    work->parts = g_ptr_array_new_with_free_func(part_free);
    g_ptr_array_set_free_func(all, NULL);
    for (guint i = 0; i < all->len; i++) {
        LpWorkPart *part = g_ptr_array_index(all, i);

        if (is_idle(part)) {
            g_hash_table_remove(work->by_uuid, part->uuid);
            part_free(part);
            continue;
        }
        if (part->total_bytes == 0
            && breaks_rule(picture, lp_picture_find(picture, part->uuid)))
            part->reason = g_strdup(RULE_TEXT);
        g_ptr_array_add(work->parts, part);
    }
    g_ptr_array_unref(all);
}

LpWork *
lp_work_from_layout(const LpPicture *picture, const LpLayout *layout)
{
    LpWork *work = lp_work_new();

    for (guint i = 0; i < picture->n_parts; i++)
        if (picture->parts[i].row >= 0 && picture->parts[i].stays == LP_STAYS_NOT)
            add_part(work, picture, layout, i);
    lp_work_give_cores(work, picture, layout);
    if (!lp_work_find_moves(work, picture)) {
        lp_work_free(work);
        return NULL;
    }
    leave_out_idle(work, picture);
    for (guint i = 0; i < picture->n_parts; i++)
        if (is_worth_a_word(picture, &picture->parts[i]) && !find_part(work, picture->parts[i].uuid))
            add_stays(work, picture, &picture->parts[i]);
    order_parts(work);
    work->before = picture->score;
    work->predicted = lp_picture_predict_host(picture, layout);
    return work;
}

/* ---- strays ---- */

static bool
may_gather(const LpPicturePart *part)
{
    return part->stays == LP_STAYS_NOT && part->row >= 0
           && part->numatune != LP_NUMATUNE_RESTRICTIVE && part->rule.mode != LP_NUMA_SPREAD
           && part->rule.mode != LP_NUMA_INTERLEAVE;
}

/* What a cell has elsewhere than at home: it came from the old node of a cell that was moved, or while
 * there was no room at home. */
static uint64_t
strays_of(const LpPictureCell *cell, const uint64_t *free_bytes)
{
    uint64_t all = sum_of(&cell->memory), stray;

    if (!cell->movable || !cell->measured || cell->home < 0)
        return 0;
    stray = all - cell->memory.on[cell->home];
    return stray > all / 100 * STRAY_PERCENT || stray > free_bytes[cell->home] ? 0 : stray;
}

static void
find_free(const LpPicture *picture, uint64_t *ret)
{
    for (uint32_t n = 0; n < picture->topology->n_nodes; n++)
        ret[n] = picture->host.nodes[n].room_bytes;
    for (guint i = 0; i < picture->n_parts; i++)
        for (uint32_t n = 0; n < picture->topology->n_nodes && picture->parts[i].row >= 0; n++)
            ret[n] -= MIN(ret[n], picture->parts[i].memory.on[n]);
}

LpWork *
lp_work_from_strays(const LpPicture *picture, uint64_t least_bytes)
{
    LpWork *work = lp_work_new();
    uint64_t free_bytes[LP_MAX_NODES] = {0};

    find_free(picture, free_bytes);
    for (guint i = 0; i < picture->n_parts; i++) {
        const LpPicturePart *from = &picture->parts[i];
        LpWorkPart *part = NULL;

        for (uint32_t c = 0; may_gather(from) && c < from->n_cells; c++) {
            const LpPictureCell *cell = &picture->cells[from->first_cell + c];
            uint64_t stray = strays_of(cell, free_bytes);

            if (stray == 0)
                continue;
            free_bytes[cell->home] -= stray;
            if (!part)
                part = lp_work_add_part(work, from->uuid, from->name, from->n_cells);
            note_part(part, from);
            part->sweep_only = true;
            part->before = from->score;
            part->predicted = LP_SCORE_NONE;
            part->cells[c].home = cell->home;
            part->cells[c].target.on[cell->home] = cell->bytes;
        }
    }
    if (!lp_work_find_moves(work, picture) || work->total_bytes < least_bytes) {
        lp_work_free(work);
        return NULL;
    }
    work->before = picture->score;
    return work;
}

/* ---- pins ---- */

static bool
host_pins(const LpTopology *topology)
{
    guint n = 0;

    for (uint32_t i = 0; i < topology->n_nodes; i++)
        n += lp_cpumask_count(&topology->nodes[i].cpus) > 0;
    return n > 1;
}

bool
lp_work_pins(const LpWorkPart *part, const LpView *view, const LpTopology *topology,
             LpPins *ret_pins)
{
    LpNodeSet all = 0;
    bool every = true;

    if (!part->pins || !host_pins(topology) || view->vcpu_max == 0
        || part->n_cells != view->n_cells)
        return false;
    memset(ret_pins, 0, sizeof *ret_pins);
    ret_pins->n_vcpus = view->vcpu_max;
    ret_pins->vcpus = g_new0(LpCpuMask, view->vcpu_max);
    for (uint32_t i = 0; i < part->n_cells; i++) {
        LpCpuMask may;

        every &= part->cells[i].cpus != 0;
        all |= part->cells[i].cpus;
        if (part->cells[i].cpus == 0)
            continue;
        if (lp_cpumask_count(&part->cells[i].own) > 0)
            may = part->cells[i].own;
        else
            lp_cores_of_nodes(topology, part->cells[i].cpus, &may);
        for (uint32_t v = 0; v < view->vcpu_max; v++)
            if (lp_cpumask_has(&view->cells[i].vcpus, v))
                ret_pins->vcpus[v] = may;
    }
    /* Its threads serve all cells, also those whose vCPUs stay as they are. */
    if (every)
        lp_cores_of_nodes(topology, all, &ret_pins->emulator);
    return true;
}
