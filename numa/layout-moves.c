/* The way from what is to what is to be, in pieces that each find room. */
#include "numa/layout-priv.h"

#include <stdlib.h>

/* Where partitions must change places with little room, at most so many pieces of one move. */
#define PIECES_MAX 1024

/* Moves to one node, smallest first: if the first finds no room, none does. */
typedef struct {
    size_t next, end;         /* into Way.pending */
} Queue;

typedef struct {
    const LpLayoutHost *host;
    uint32_t n;
    LpLayoutMove *pending, *done;
    size_t n_pending, n_done, size_pending, size_done;
    __int128 free[LP_MAX_NODES];
    Queue queues[LP_MAX_NODES];
} Way;

static bool
append(LpLayoutMove **list, size_t *n, size_t *size, LpLayoutMove move)
{
    if (*n == *size) {
        size_t more = *size ? 2 * *size : 64;
        LpLayoutMove *grown = reallocarray(*list, more, sizeof(*grown));

        if (!grown)
            return false;
        *list = grown;
        *size = more;
    }
    (*list)[(*n)++] = move;
    return true;
}

/* What of a cell leaves one node for another.  Pages that were never touched are not moved: they
 * are counted where they are to come from. */
static bool
list_cell(Way *way, const LpLayout *layout, uint32_t partition, uint32_t c)
{
    const LpLayoutCell *cell = &way->host->cells[c];
    const uint64_t *target = layout->bytes + (size_t) c * layout->n_nodes;
    uint64_t out[LP_MAX_NODES] = { 0 }, in[LP_MAX_NODES] = { 0 };

    for (uint32_t j = 0; j < way->n; j++) {
        uint64_t now = cell->now_bytes ? cell->now_bytes[j] : 0;

        way->free[j] -= target[j];
        out[j] = now > target[j] ? now - target[j] : 0;
        in[j] = target[j] > now ? target[j] - now : 0;
    }
    for (uint32_t to = 0, from = 0; to < way->n && from < way->n;) {
        uint64_t bytes = min_u64(in[to], out[from]);
        LpLayoutMove move = { partition, c, (int32_t) from, (int32_t) to, bytes };

        if (bytes && !append(&way->pending, &way->n_pending, &way->size_pending, move))
            return false;
        way->free[to] += bytes;
        way->free[from] -= bytes;
        in[to] -= bytes;
        out[from] -= bytes;
        if (in[to] == 0)
            to++;
        else
            from++;
    }
    return true;
}

/* A node's room, or what lies on it where that is more. */
static void
start_free(Way *way)
{
    for (uint32_t j = 0; j < way->n; j++) {
        __int128 sum = 0;

        for (uint32_t c = 0; c < way->host->n_cells; c++)
            sum += way->host->cells[c].now_bytes ? way->host->cells[c].now_bytes[j] : 0;
        way->free[j] = way->host->nodes[j].room_bytes;
        if (sum > way->free[j])
            way->free[j] = sum;
    }
}

static int
compare_moves(const void *left, const void *right)
{
    const LpLayoutMove *a = left, *b = right;

    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    if (a->cell != b->cell)
        return a->cell < b->cell ? -1 : 1;
    return a->from < b->from ? -1 : a->from > b->from;
}

static void
fill_queues(Way *way)
{
    size_t at = 0;

    if (way->n_pending)
        qsort(way->pending, way->n_pending, sizeof(*way->pending), compare_moves);
    for (uint32_t j = 0; j < way->n; j++) {
        way->queues[j].next = at;
        while (at < way->n_pending && way->pending[at].to == (int32_t) j)
            at++;
        way->queues[j].end = at;
    }
}

/* The next move to the node, or `bytes` of it. */
static bool
emit(Way *way, uint32_t to, uint64_t bytes)
{
    Queue *queue = &way->queues[to];
    LpLayoutMove *move = &way->pending[queue->next], piece = *move;

    piece.bytes = bytes;
    way->free[to] -= bytes;
    way->free[piece.from] += bytes;
    move->bytes -= bytes;
    if (move->bytes == 0)
        queue->next++;
    return append(&way->done, &way->n_done, &way->size_done, piece);
}

/* All that fits whole.  False: out of memory. */
static bool
emit_whole(Way *way, bool *ret_any)
{
    bool again = true;

    *ret_any = false;
    while (again) {
        again = false;
        for (uint32_t j = 0; j < way->n; j++) {
            const Queue *queue = &way->queues[j];

            while (queue->next < queue->end && way->free[j] >= way->pending[queue->next].bytes) {
                if (!emit(way, j, way->pending[queue->next].bytes))
                    return false;
                again = *ret_any = true;
            }
        }
    }
    return true;
}

/* A piece as great as the room, to the node that has most: what it leaves, the next may take. */
static bool
emit_piece(Way *way, bool *ret_any)
{
    int32_t best = -1;

    *ret_any = false;
    for (uint32_t j = 0; j < way->n; j++) {
        const Queue *queue = &way->queues[j];

        if (queue->next < queue->end &&
            way->free[j] > way->pending[queue->next].bytes / PIECES_MAX &&
            (best < 0 || way->free[j] > way->free[best]))
            best = (int32_t) j;
    }
    if (best < 0)
        return true;
    *ret_any = true;
    return emit(way, (uint32_t) best, (uint64_t) way->free[best]);
}

static bool
go(Way *way)
{
    bool any = true;

    while (any) {
        if (!emit_whole(way, &any) || !emit_piece(way, &any))
            return false;
    }
    /* No room is left for these; whoever moves them will be told so by the system. */
    for (uint32_t j = 0; j < way->n; j++) {
        Queue *queue = &way->queues[j];

        while (queue->next < queue->end) {
            if (!emit(way, j, way->pending[queue->next].bytes))
                return false;
        }
    }
    return true;
}

size_t
lp_layout_moves(const LpLayoutHost *host, const LpLayout *layout, LpLayoutMove **ret_moves)
{
    Way way = { .host = host, .n = layout->n_nodes };
    bool ok = true;

    start_free(&way);
    for (uint32_t p = 0; ok && p < host->n_partitions; p++) {
        const LpLayoutPartition *part = &host->partitions[p];

        for (uint32_t i = 0; ok && i < part->n_cells; i++) {
            if (part->first_cell + i < layout->n_cells)
                ok = list_cell(&way, layout, p, part->first_cell + i);
        }
    }
    fill_queues(&way);
    ok = ok && go(&way);
    free(way.pending);
    if (!ok || way.n_done == 0) {
        free(way.done);
        way.done = NULL;
        way.n_done = 0;
    }
    *ret_moves = way.done;
    return way.n_done;
}
