/* Pages of another process, by move_pages(2): asked without a node it tells where a page is, with one
 * it moves it there. */
#include "numa/pages-priv.h"
#include "numa/pages.h"

#include <errno.h>
#include <inttypes.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pages in one call of the kernel: 8 MiB of small ones, and some 100 KiB of this stack. */
#define BATCH 2048
/* What a transparent huge page covers, which moves as a whole. */
#define HUGE_BYTES (UINT64_C(2) << 20)
/* The kernel stops at the first pages that will not go and leaves the rest untried: how often the rest
 * of a batch is tried again.  What is not tried by then counts as busy, too. */
#define MAX_TRIES 32
/* No status that the kernel gives: it said nothing of this page. */
#define UNSAID INT32_MAX
/* Node ids are below MAX_NUMNODES, 1024 on x86. */
#define MAX_NODE_ID 1024

const char *const lp_stuck_names[LP_STUCKS] = { "busy", "no-room", "shared", "other" };

/* --- where --- */

static uint64_t
total_bytes(const LpPageRange *ranges, size_t n_ranges)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n_ranges; i++)
        sum += ranges[i].end - ranges[i].start;
    return sum;
}

/* A process that has ended and was not waited for has no memory to ask about. */
static int
errno_of_call(void)
{
    return errno == EINVAL ? ESRCH : errno;
}

/* Never touched, swapped out, the kernel's page of zeros, or unmapped since; or hidden. */
static bool
is_absent(int status)
{
    return status == -ENOENT || status == -EFAULT;
}

/* Pages to ask about, and what is known of the answers. */
typedef struct {
    pid_t pid;
    uint8_t index_of[MAX_NODE_ID];    /* by node id: index in `node_id` plus one; 0: not there */
    void *pages[BATCH];
    uint64_t bytes[BATCH];            /* that each stands for */
    unsigned long n;
    LpPageMap map;
    LpPagesWhere *where;
} Survey;

/* Where a page is that is said to be absent. */
static int
hidden_node(Survey *survey, unsigned long i)
{
    int node;

    lp_page_map_read(&survey->map, (uint64_t) (uintptr_t) survey->pages[i], 1, 1, &node);
    return node;
}

static bool
flush(Survey *survey)
{
    int status[BATCH];

    if (survey->n == 0)
        return true;
    for (unsigned long i = 0; i < survey->n; i++)
        status[i] = -ENOENT;
    if (numa_move_pages(survey->pid, survey->n, survey->pages, NULL, status, 0) < 0) {
        errno = errno_of_call();
        return false;
    }
    for (unsigned long i = 0; i < survey->n; i++) {
        LpPagesWhere *where = survey->where;
        int node = status[i];

        where->looked_bytes += survey->bytes[i];
        if (is_absent(node))
            node = hidden_node(survey, i);
        if (node == LP_PAGE_SOMEWHERE) {
            where->hidden_bytes += survey->bytes[i];
            continue;
        }
        if (node < 0) {
            where->absent_bytes += survey->bytes[i];
            continue;
        }
        where->n_resident++;
        if (node < MAX_NODE_ID && survey->index_of[node] > 0)
            where->on_bytes[survey->index_of[node] - 1] += survey->bytes[i];
        else
            where->elsewhere_bytes += survey->bytes[i];
    }
    survey->n = 0;
    return true;
}

static bool
ask(Survey *survey, const LpPageRange *range, uint64_t offset, uint64_t bytes)
{
    uint64_t address = range->start + offset;

    /* A huge page is known by its first address only. */
    survey->pages[survey->n] = (void *) (uintptr_t) (address - address % range->page_bytes);
    survey->bytes[survey->n++] = bytes;
    return survey->n < BATCH || flush(survey);
}

static bool
ask_all(Survey *survey, const LpPageRange *ranges, size_t n_ranges)
{
    for (size_t i = 0; i < n_ranges; i++) {
        uint64_t length = ranges[i].end - ranges[i].start, page = ranges[i].page_bytes;

        for (uint64_t offset = 0; offset < length; offset += page) {
            if (!ask(survey, &ranges[i], offset, length - offset < page ? length - offset : page))
                return false;
        }
    }
    return flush(survey);
}

/* A number that is without pattern in i: the finishing steps of the generator splitmix64. */
static uint64_t
scramble(uint64_t i)
{
    i += UINT64_C(0x9e3779b97f4a7c15);
    i = (i ^ (i >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    i = (i ^ (i >> 27)) * UINT64_C(0x94d049bb133111eb);
    return i ^ (i >> 31);
}

static bool
ask_some(Survey *survey, const LpPageRange *ranges, uint64_t total, uint32_t samples)
{
    uint64_t before = 0;    /* bytes in ranges before this one */
    size_t range = 0;

    for (uint32_t i = 0; i < samples; i++) {
        uint64_t first = (uint64_t) ((unsigned __int128) total * i / samples);
        uint64_t end = (uint64_t) ((unsigned __int128) total * (i + 1) / samples);
        uint64_t at = first + scramble(i) % (end - first);

        while (at - before >= ranges[range].end - ranges[range].start) {
            before += ranges[range].end - ranges[range].start;
            range++;
        }
        if (!ask(survey, &ranges[range], at - before, end - first))
            return false;
    }
    return flush(survey);
}

/* Adds what is hidden to what is seen, in proportion. */
static void
share_hidden(LpPagesWhere *where)
{
    uint64_t seen = where->looked_bytes - where->absent_bytes - where->hidden_bytes, given = 0;

    for (uint32_t i = 0; i < LP_MAX_NODES && seen > 0; i++) {
        uint64_t share = (uint64_t) ((unsigned __int128) where->hidden_bytes * where->on_bytes[i] /
                                     seen);

        where->on_bytes[i] += share;
        given += share;
    }
    if (seen == 0 || where->elsewhere_bytes > 0) {
        where->elsewhere_bytes += where->hidden_bytes - given;
        return;
    }
    for (uint32_t i = 0; i < LP_MAX_NODES && given < where->hidden_bytes; i++) {
        if (where->on_bytes[i] > 0) {
            where->on_bytes[i] += where->hidden_bytes - given;    /* a rounding's worth */
            break;
        }
    }
}

bool
lp_pages_where(pid_t pid, const LpPageRange *ranges, size_t n_ranges, uint32_t samples,
               const uint32_t *node_id, uint32_t n_nodes, LpPagesWhere *ret)
{
    uint64_t total = total_bytes(ranges, n_ranges), n_pages = 0;
    Survey survey;
    bool ok;

    survey.pid = pid;
    survey.n = 0;
    survey.where = ret;
    memset(survey.index_of, 0, sizeof(survey.index_of));
    for (uint32_t i = 0; i < n_nodes && i < LP_MAX_NODES; i++) {
        if (node_id[i] < MAX_NODE_ID)
            survey.index_of[node_id[i]] = (uint8_t) (i + 1);
    }
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < n_ranges; i++)
        n_pages += (ranges[i].end - ranges[i].start) / ranges[i].page_bytes;
    ret->sampled = samples > 0 && samples < n_pages;
    lp_page_map_open(pid, &survey.map);
    ok = ret->sampled ? ask_some(&survey, ranges, total, samples)
                      : ask_all(&survey, ranges, n_ranges);
    lp_page_map_close(&survey.map);
    if (ok)
        share_hidden(ret);
    return ok;
}

/* --- moving --- */

/* One batch of pages of one range. */
typedef struct {
    pid_t pid;
    LpPageMap *map;
    int flags;
    int32_t from, to;
    uint64_t page_bytes;
    unsigned long n;
    void *pages[BATCH];
    int status[BATCH];
    bool brought[BATCH]; /* was where it is to be moved from, until it was touched */
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
    void *hidden[BATCH];
    int node[BATCH];
    unsigned long n = 0;

    lp_page_map_read(batch->map, start, batch->page_bytes, batch->n, node);
    for (unsigned long i = 0; i < batch->n; i++) {
        batch->brought[i] = is_absent(batch->status[i]) && node[i] != LP_PAGE_ABSENT &&
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
        if (batch->brought[i] && is_absent(batch->status[i]))
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
        if (is_absent(batch->status[i]))
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
        else if (is_absent(batch->status[i]))
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
    int nodes[BATCH], said[BATCH];
    long result;

    for (unsigned long i = 0; i < batch->n; i++) {
        nodes[i] = batch->to;
        said[i] = UNSAID;
    }
    result = numa_move_pages(batch->pid, batch->n, batch->pages, nodes, said, batch->flags);
    *no_room = result < 0 && errno == ENOMEM;
    if (result < 0 && !*no_room) {
        *error = errno_of_call();
        return -1;
    }
    if (!look(batch)) {
        *error = errno_of_call();
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
    uint64_t page = range->page_bytes, limit = BATCH * page;

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
            ret->error = errno_of_call();
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
