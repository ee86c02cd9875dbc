/* Moving pages of another process, by move_pages(2). */
#include "numa/pages-priv.h"
#include "numa/pages.h"

#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <string.h>

/* What a transparent huge page covers, which moves as a whole. */
#define HUGE_BYTES (UINT64_C(2) << 20)
/* The kernel stops at the first pages that will not go and leaves the rest untried: how often the rest
 * of a batch is tried again.  What is not tried by then counts as busy, too. */
#define MAX_TRIES 32
/* No status that the kernel gives: it said nothing of this page. */
#define UNSAID INT32_MAX

const char *const lp_stuck_names[LP_STUCKS] = { "busy", "no-room", "shared", "other" };

/* One batch of pages of one range. */
typedef struct {
    pid_t pid;
    LpPageMap *map;
    int flags;
    int32_t from, to;
    uint64_t page_bytes;
    unsigned long n;
    void *pages[LP_PAGES_BATCH];
    int status[LP_PAGES_BATCH];
    bool brought[LP_PAGES_BATCH]; /* was where it is to be moved from, until it was touched */
} Batch;

static LpStuck
stuck_of(int status)
{
    switch (status) {
    case -EBUSY:
        return LP_STUCK_BUSY;
    case -ENOMEM:
        return LP_STUCK_NO_ROOM;
    case -EACCES:
        return LP_STUCK_SHARED;
    default:
        return LP_STUCK_OTHER;
    }
}

static bool
look(Batch *batch)
{
    for (unsigned long i = 0; i < batch->n; i++)
        batch->status[i] = -ENOENT;
    return batch->n == 0 ||
           numa_move_pages(batch->pid, batch->n, batch->pages, NULL, batch->status, 0) >= 0;
}

static bool
is_from(const Batch *batch, int node)
{
    return node != batch->to && (batch->from < 0 || node == batch->from);
}

/* Hidden pages of a batch as it was filled are brought to light where they are to be moved.  Those that
 * stay hidden are busy. */
static bool
look_again(Batch *batch, LpPagesMoved *moved)
{
    uint64_t start = (uint64_t) (uintptr_t) batch->pages[0];
    void *hidden[LP_PAGES_BATCH];
    int node[LP_PAGES_BATCH];
    unsigned long n = 0;

    lp_page_map_read(batch->map, start, batch->page_bytes, batch->n, node);
    for (unsigned long i = 0; i < batch->n; i++) {
        batch->brought[i] = lp_pages_is_absent(batch->status[i]) && node[i] != LP_PAGE_ABSENT &&
                            (node[i] == LP_PAGE_SOMEWHERE || is_from(batch, node[i]));
        if (batch->brought[i])
            hidden[n++] = batch->pages[i];
    }
    if (n == 0)
        return true;
    lp_pages_touch(batch->pid, hidden, n);
    if (!look(batch))
        return false;
    for (unsigned long i = 0; i < batch->n; i++) {
        if (batch->brought[i] && lp_pages_is_absent(batch->status[i]))
            moved->stuck_bytes[LP_STUCK_BUSY] += batch->page_bytes;
        else if (batch->brought[i] && node[i] >= 0 && batch->status[i] == batch->to)
            moved->moved_bytes += batch->page_bytes;    /* by being touched */
        /* One whose node was not known is now where it was, or on this processor's: no matter. */
        if (batch->brought[i] && node[i] == LP_PAGE_SOMEWHERE)
            batch->brought[i] = false;
    }
    return true;
}

static bool
any_absent(const Batch *batch)
{
    for (unsigned long i = 0; i < batch->n; i++) {
        if (lp_pages_is_absent(batch->status[i]))
            return true;
    }
    return false;
}

/* Keeps the pages that are to be moved. */
static void
keep_movable(Batch *batch)
{
    unsigned long kept = 0;

    for (unsigned long i = 0; i < batch->n; i++) {
        int node = batch->status[i];

        if (node >= 0 && (is_from(batch, node) || (batch->brought[i] && node != batch->to)))
            batch->pages[kept++] = batch->pages[i];
    }
    batch->n = kept;
}

/* Sorts what became of each page into *moved, and keeps those that are yet to be tried.  Where a page
 * is now counts first: one that is said to be busy may have moved with its neighbours in a huge one.  Of
 * a page that was tried and will not go the kernel says nothing; but it goes through them in order, so
 * what lies before one that it spoke of was tried.  Returns how many are settled. */
static long
settle(Batch *batch, const int *said, bool no_room, LpPagesMoved *moved)
{
    unsigned long kept = 0, tried = 0, n = batch->n;

    for (unsigned long i = 0; i < n; i++) {
        if (said[i] != UNSAID)
            tried = i;
    }
    for (unsigned long i = 0; i < n; i++) {
        int silent = no_room ? -ENOMEM : -EBUSY;

        if (batch->status[i] == batch->to)
            moved->moved_bytes += batch->page_bytes;
        else if (lp_pages_is_absent(batch->status[i]))
            continue;    /* given back meanwhile */
        else if (said[i] < 0 || i < tried)
            moved->stuck_bytes[stuck_of(said[i] < 0 ? said[i] : silent)] += batch->page_bytes;
        else
            batch->pages[kept++] = batch->pages[i];
    }
    batch->n = kept;
    return (long) (n - kept);
}

/* One call that moves.  Returns how many pages are settled by it, or -1 with *error. */
static long
try_once(Batch *batch, LpPagesMoved *moved, int *error, bool *no_room)
{
    int nodes[LP_PAGES_BATCH], said[LP_PAGES_BATCH];
    long result;

    for (unsigned long i = 0; i < batch->n; i++) {
        nodes[i] = batch->to;
        said[i] = UNSAID;
    }
    result = numa_move_pages(batch->pid, batch->n, batch->pages, nodes, said, batch->flags);
    *no_room = result < 0 && errno == ENOMEM;
    if (result < 0 && !*no_room) {
        *error = lp_pages_errno();
        return -1;
    }
    if (!look(batch)) {
        *error = lp_pages_errno();
        return -1;
    }
    return settle(batch, said, *no_room, moved);
}

/* Moves the pages of a batch.  *ret_full: none went, for want of room. */
static bool
move_batch(Batch *batch, LpPagesMoved *moved, bool *ret_full)
{
    uint64_t before = moved->moved_bytes;
    bool no_room = false;

    for (int i = 0; batch->n > 0 && i < MAX_TRIES; i++) {
        int error = 0;
        long settled = try_once(batch, moved, &error, &no_room);

        if (settled < 0 && error == EPERM && batch->flags == MPOL_MF_MOVE_ALL) {
            batch->flags = MPOL_MF_MOVE;    /* then those that nobody else has mapped */
            continue;
        }
        if (settled < 0) {
            moved->error = error;
            return false;
        }
        if (settled == 0)
            break;
    }
    /* Of what is left the kernel said nothing but that it did not go. */
    moved->stuck_bytes[no_room ? LP_STUCK_NO_ROOM : LP_STUCK_BUSY] += batch->n * batch->page_bytes;
    *ret_full = moved->moved_bytes == before && no_room;
    return true;
}

/* Takes the next pages of the range into the batch: no more than may move or be looked at, up to where
 * a huge page may end.  Returns the bytes taken. */
static uint64_t
fill_batch(Batch *batch, const LpPageRange *range, uint64_t offset, uint64_t most)
{
    uint64_t start = range->start + offset, length = range->end - start;
    uint64_t page = range->page_bytes, limit = LP_PAGES_BATCH * page;

    if (limit > HUGE_BYTES && page < HUGE_BYTES)
        limit -= start % HUGE_BYTES;
    if (most < limit)
        limit = most < page ? page : most - most % page;
    if (limit > length)
        limit = length;
    batch->n = 0;
    memset(batch->brought, 0, sizeof(batch->brought));
    batch->page_bytes = page;
    for (uint64_t at = 0; at < limit; at += page)
        batch->pages[batch->n++] = (void *) (uintptr_t) (start + at);
    return limit;
}

static uint64_t
left_of(uint64_t max_bytes, uint64_t used_bytes)
{
    if (max_bytes == 0)
        return UINT64_MAX;
    return used_bytes < max_bytes ? max_bytes - used_bytes : 0;
}

bool
lp_pages_move(pid_t pid, const LpPageRange *ranges, size_t n_ranges, int32_t from, int32_t to,
              uint64_t max_bytes, uint64_t max_look_bytes, LpPagesMoved *ret)
{
    LpPageMap map;
    Batch batch = { .pid = pid, .map = &map, .from = from, .to = to };
    size_t range = ret->range;
    uint64_t offset = ret->offset;
    bool full = false;

    *ret = (LpPagesMoved) { 0 };
    lp_page_map_open(pid, &map);
    while (range < n_ranges) {
        uint64_t most = left_of(max_bytes, ret->moved_bytes);
        uint64_t most_look = left_of(max_look_bytes, ret->looked_bytes), taken;

        if (offset >= ranges[range].end - ranges[range].start) {
            range++;
            offset = 0;
            continue;
        }
        if (most == 0 || most_look == 0 || full)
            break;
        taken = fill_batch(&batch, &ranges[range], offset, most < most_look ? most : most_look);
        /* Memory behind a file is moved with all who share it: a guest's is one guest's. */
        batch.flags = ranges[range].shared ? MPOL_MF_MOVE_ALL : MPOL_MF_MOVE;
        if (!look(&batch) || (any_absent(&batch) && !look_again(&batch, ret))) {
            ret->error = lp_pages_errno();
            break;
        }
        keep_movable(&batch);
        if (!move_batch(&batch, ret, &full))
            break;
        ret->looked_bytes += taken;
        offset += taken;
    }
    lp_page_map_close(&map);
    ret->range = range;
    ret->offset = offset;
    ret->done = range >= n_ranges;
    return ret->error == 0;
}
