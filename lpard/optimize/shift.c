/* The other way to bring memory to where it should be, where its node has no room for pages: the guest
 * gives some back in the cell that is too large for its node, and gets as much in another, whose node
 * has. */
#include <string.h>

#include "lpard/error.h"
#include "lpard/optimize/run.h"

/* In less a guest's devices and its allocator are hardly worth the trouble. */
#define SHIFT_LEAST_BYTES (64ULL << 20)

static LpWorkPart *
part_by_shift(const LpRunning *running, int64_t id)
{
    for (guint i = 0; i < running->work->parts->len; i++) {
        LpWorkPart *part = g_ptr_array_index(running->work->parts, i);

        if (id > 0 && part->shift == id)
            return part;
    }
    return NULL;
}

static uint64_t
round_down(uint64_t bytes, const LpViewCell *one, const LpViewCell *two)
{
    uint64_t block = MAX(MAX(one->block_bytes, two->block_bytes), 1);

    return bytes - bytes % block;
}

/* What could go from one cell to the other, as far as devices and the minimum let it. */
static uint64_t
shiftable(const LpPartition *partition, uint32_t from, uint32_t to, uint64_t wanted)
{
    const LpViewCell *giver = &partition->view->cells[from];
    const LpViewCell *taker = &partition->view->cells[to];
    uint64_t granted = lp_view_granted_bytes(partition->view);
    uint64_t bytes = MIN(wanted, giver->requested_bytes);

    if (!giver->has_device || !taker->has_device)
        return 0;
    bytes = MIN(bytes, taker->device_bytes - MIN(taker->device_bytes, taker->requested_bytes));
    /* In between the guest has so much less. */
    bytes = MIN(bytes, granted - MIN(granted, partition->profile.mem.min_bytes));
    return round_down(bytes, giver, taker);
}

/* The cell that lies where the pages are now would have them at home without a move; else any that is not
 * of the node that is full. */
static int
find_taker(const LpPartition *partition, const LpWorkMove *move, uint64_t *ret_bytes)
{
    uint64_t wanted = move->bytes == UINT64_MAX
                          ? move->stuck_bytes[LP_STUCK_NO_ROOM]
                          : move->bytes - MIN(move->bytes, move->moved_bytes);
    int best = -1;

    *ret_bytes = 0;
    for (uint32_t i = 0; i < partition->view->n_cells; i++) {
        int32_t home = partition->view->cells[i].home;
        uint64_t bytes;

        if ((int32_t) i == move->cell || home == move->to)
            continue;
        bytes = shiftable(partition, (uint32_t) move->cell, i, wanted);
        if (bytes > *ret_bytes
            || (bytes && bytes == *ret_bytes && home == move->from)) {
            best = (int) i;
            *ret_bytes = bytes;
        }
    }
    return *ret_bytes >= SHIFT_LEAST_BYTES ? best : -1;
}

static void
on_accepted(LpOperation *operation, const GError *error, void *data)
{
    LpOptimizer *optimizer = data;

    /* Its number is known already; only that it could not be written down is news. */
    (void) operation;
    if (error && optimizer->running)
        lp_running_pump_soon(optimizer->running);
}

/* The engine has it by the request's key at once, also before it is durable. */
static LpOperation *
find_submitted(LpEngine *engine, const char *key)
{
    g_autoptr(GPtrArray) list = lp_engine_list(engine);

    for (guint i = 0; i < list->len; i++) {
        LpOperation *operation = g_ptr_array_index(list, i);

        if (g_strcmp0(operation->request->key, key) == 0)
            return operation;
    }
    return NULL;
}

bool
lp_shift_begin(LpRunning *running, LpWorkMove *move, LpPartition *partition)
{
    LpEngine *engine = running->optimizer->engine;
    LpWorkPart *part = move->part;
    LpRequest *request;
    LpOperation *operation;
    g_autofree char *key = NULL;
    uint64_t bytes = 0;
    int taker;

    if (part->shifted || move->cell < 0 || part->sweep_only || running->cancelled)
        return false;
    taker = find_taker(partition, move, &bytes);
    if (taker < 0)
        return false;
    part->shifted = true;
    key = g_strdup_printf("optimize-%" G_GINT64_FORMAT "-%s", running->operation->id, part->uuid);
    request = g_new0(LpRequest, 1);
    request->kind = LP_OP_SHIFT;
    request->partition = g_strdup(part->uuid);
    request->has_shift = true;
    request->from_cell = (uint32_t) move->cell;
    request->to_cell = (uint32_t) taker;
    request->mem_bytes = bytes;
    request->key = g_strdup(key);
    request->requester = g_strdup("optimizer");
    if (!lp_engine_submit(engine, request, on_accepted, running->optimizer, NULL))
        return false;
    operation = find_submitted(engine, key);
    if (!operation || LP_OP_IS_FINAL(operation->state))
        return false;
    part->shift = operation->id;
    part->calling = true;
    running->n_shifts++;
    return true;
}

void
lp_shift_heard(LpRunning *running, const LpOperation *operation)
{
    LpWorkPart *part = LP_OP_IS_FINAL(operation->state) ? part_by_shift(running, operation->id)
                                                        : NULL;

    if (!part)
        return;
    part->shift = 0;
    part->calling = false;
    running->n_shifts--;
    /* The second leg is what has arrived. */
    for (guint i = 1; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);

        if (leg->begun && leg->mem_now_bytes > leg->mem_before_bytes)
            part->shift_bytes += leg->mem_now_bytes - leg->mem_before_bytes;
    }
    lp_running_pump_soon(running);
}

void
lp_shift_stop(LpRunning *running)
{
    for (guint i = 0; i < running->work->parts->len; i++) {
        const LpWorkPart *part = g_ptr_array_index(running->work->parts, i);

        if (part->shift > 0)
            lp_engine_cancel(running->optimizer->engine, part->shift, NULL);
    }
}
