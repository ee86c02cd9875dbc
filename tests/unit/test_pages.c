/* Pages of other processes: on this machine's kernel, and on one played here that has four nodes, huge
 * pages, and pages that will not go. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <numaif.h>

#include "numa/pages-priv.h"
#include "numa/pages.h"

#define MIB (1ULL << 20)
#define PAGE 4096ULL

/* --- a kernel --- */

#define FAKE_BASE 0x7f0000000000ULL
#define FAKE_PAGES 16384    /* 64 MiB */
#define FAKE_PID 4242

typedef enum {
    GOES,
    BUSY_AT_ONCE,       /* cannot be isolated: says so */
    BUSY_LATER,         /* cannot be migrated: only counted */
    SHARED,
} Manner;

static struct {
    bool used;
    int node[FAKE_PAGES];           /* < 0: -errno */
    uint8_t manner[FAKE_PAGES];
    bool huge[FAKE_PAGES / 512];
    bool hidden[FAKE_PAGES];        /* by NUMA balancing, until it is touched */
    bool may_not_touch, moves_on_touch;
    bool no_frames;                 /* no CAP_SYS_ADMIN */
    unsigned long n_touched;
    unsigned long room[4];          /* pages that still fit */
    bool no_move_all;               /* no CAP_SYS_NICE */
    int fail_after, fail_with;      /* calls that move, then this errno */
    unsigned long n_asked, n_moving_calls, most_pages;
    bool shared_with_all;           /* MOVE_ALL was asked for */
} fake;

int __real_numa_move_pages(int pid, unsigned long count, void **pages, const int *nodes,
                           int *status, int flags);
int __wrap_numa_move_pages(int pid, unsigned long count, void **pages, const int *nodes,
                           int *status, int flags);

static size_t
fake_index(void *page)
{
    uint64_t at = ((uint64_t) (uintptr_t) page - FAKE_BASE) / PAGE;

    assert_int_equal((uint64_t) (uintptr_t) page % PAGE, 0);
    assert_true(at < FAKE_PAGES);
    return at;
}

/* Migrates what is queued: *ret_left of them stay.  False: no room. */
static bool
fake_flush(const size_t *queue, unsigned long *n, int to, int *status, const unsigned long *at,
           unsigned long *ret_left)
{
    for (unsigned long i = 0; i < *n; i++) {
        size_t page = queue[i], first = page, end = page + 1;

        if (fake.manner[page] == BUSY_LATER) {
            ++*ret_left;
            continue;
        }
        if (fake.huge[page / 512]) {
            first = page - page % 512;
            end = first + 512;
        }
        if (fake.room[to] < end - first)
            return false;
        fake.room[to] -= end - first;
        for (size_t j = first; j < end; j++) {
            fake.room[fake.node[j]]++;
            fake.node[j] = to;
        }
        status[at[i]] = to;
    }
    *n = 0;
    return true;
}

/* As Linux 6.1 does it: pages are queued until one gives reason to migrate those so far, and the first
 * that do not go end the call. */
static int
fake_move(unsigned long count, void **pages, const int *nodes, int *status, int flags)
{
    size_t queue[4096];
    unsigned long at[4096], n = 0, left = 0;

    for (unsigned long i = 0; i < count; i++) {
        size_t page = fake_index(pages[i]);
        bool in_queue = false;

        for (unsigned long j = 0; j < n && fake.huge[page / 512]; j++)
            in_queue = in_queue || queue[j] / 512 == page / 512;
        if (nodes[i] < 0 || nodes[i] > 3) {
            errno = ENODEV;
            return -1;
        }
        if (fake.hidden[page])
            status[i] = -ENOENT;
        else if (fake.node[page] < 0)
            status[i] = fake.node[page];
        else if (fake.node[page] == nodes[i])
            status[i] = fake.node[page];
        else if (fake.manner[page] == BUSY_AT_ONCE || in_queue)
            status[i] = -EBUSY;
        else if (fake.manner[page] == SHARED && !(flags & MPOL_MF_MOVE_ALL))
            status[i] = -EACCES;
        else {
            queue[n] = page;
            at[n++] = i;
            continue;
        }
        if (!fake_flush(queue, &n, nodes[i], status, at, &left)) {
            errno = ENOMEM;
            return -1;
        }
        if (left > 0)
            return (int) (left + count - i - 1);
    }
    if (n > 0 && !fake_flush(queue, &n, nodes[0], status, at, &left)) {
        errno = ENOMEM;
        return -1;
    }
    return (int) left;
}

int
__wrap_numa_move_pages(int pid, unsigned long count, void **pages, const int *nodes, int *status,
                       int flags)
{
    if (!fake.used)
        return __real_numa_move_pages(pid, count, pages, nodes, status, flags);
    assert_int_equal(pid, FAKE_PID);
    assert_in_range(count, 1, 4096);
    if (count > fake.most_pages)
        fake.most_pages = count;
    if (!nodes) {
        fake.n_asked += count;
        for (unsigned long i = 0; i < count; i++) {
            size_t page = fake_index(pages[i]);

            status[i] = fake.hidden[page] ? (page % 2 ? -ENOENT : -EFAULT) : fake.node[page];
        }
        return 0;
    }
    fake.shared_with_all = fake.shared_with_all || flags == MPOL_MF_MOVE_ALL;
    if (fake.no_move_all && flags == MPOL_MF_MOVE_ALL) {
        errno = EPERM;
        return -1;
    }
    if (fake.fail_with != 0 && fake.n_moving_calls >= (unsigned long) fake.fail_after) {
        errno = fake.fail_with;
        return -1;
    }
    fake.n_moving_calls++;
    return fake_move(count, pages, nodes, status, flags);
}

void __real_lp_page_map_read(LpPageMap *map, uint64_t start, uint64_t page_bytes, unsigned long n,
                             int *ret_node);
void __wrap_lp_page_map_read(LpPageMap *map, uint64_t start, uint64_t page_bytes, unsigned long n,
                             int *ret_node);
void __real_lp_pages_touch(pid_t pid, void *const *pages, unsigned long n);
void __wrap_lp_pages_touch(pid_t pid, void *const *pages, unsigned long n);

void
__wrap_lp_page_map_read(LpPageMap *map, uint64_t start, uint64_t page_bytes, unsigned long n,
                        int *ret_node)
{
    if (!fake.used) {
        __real_lp_page_map_read(map, start, page_bytes, n, ret_node);
        return;
    }
    for (unsigned long i = 0; i < n; i++) {
        int node = fake.node[fake_index((void *) (uintptr_t) (start + i * page_bytes))];

        ret_node[i] = node < 0 ? LP_PAGE_ABSENT : fake.no_frames ? LP_PAGE_SOMEWHERE : node;
    }
}

void
__wrap_lp_pages_touch(pid_t pid, void *const *pages, unsigned long n)
{
    if (!fake.used) {
        __real_lp_pages_touch(pid, pages, n);
        return;
    }
    for (unsigned long i = 0; i < n; i++) {
        assert_true(fake.hidden[fake_index(pages[i])]);
        fake.n_touched++;
        fake.hidden[fake_index(pages[i])] = fake.may_not_touch;
        /* It comes to whoever reads it. */
        if (!fake.may_not_touch && fake.moves_on_touch)
            fake.node[fake_index(pages[i])] = 2;
    }
}

static void
fake_new(int node)
{
    memset(&fake, 0, sizeof(fake));
    fake.used = true;
    for (size_t i = 0; i < FAKE_PAGES; i++)
        fake.node[i] = node;
    for (int i = 0; i < 4; i++)
        fake.room[i] = FAKE_PAGES;
}

static size_t
fake_count(int node)
{
    size_t n = 0;

    for (size_t i = 0; i < FAKE_PAGES; i++)
        n += fake.node[i] == node;
    return n;
}

static const LpPageRange fake_range = {
    .start = FAKE_BASE, .end = FAKE_BASE + FAKE_PAGES * PAGE, .page_bytes = PAGE, .writable = true,
};
static const uint32_t fake_ids[] = { 0, 1, 3 };

static int
teardown(void **state)
{
    (void) state;
    fake.used = false;
    return 0;
}

/* --- where, on the played kernel --- */

static void
test_where_every_page(void **state)
{
    LpPagesWhere where;

    (void) state;
    fake_new(0);
    for (size_t i = 0; i < 1000; i++)
        fake.node[i] = 3;
    for (size_t i = 1000; i < 1100; i++)
        fake.node[i] = 2;    /* not among those named */
    for (size_t i = 2000; i < 2500; i++)
        fake.node[i] = i % 2 ? -ENOENT : -EFAULT;
    assert_true(lp_pages_where(FAKE_PID, &fake_range, 1, 0, fake_ids, 3, &where));
    assert_int_equal(where.looked_bytes, 64 * MIB);
    assert_int_equal(where.on_bytes[2], 1000 * PAGE);
    assert_int_equal(where.elsewhere_bytes, 100 * PAGE);
    assert_int_equal(where.absent_bytes, 500 * PAGE);
    assert_int_equal(where.on_bytes[0], (FAKE_PAGES - 1600) * PAGE);
    assert_int_equal(where.n_resident, FAKE_PAGES - 500);
    assert_false(where.sampled);
    assert_true(fake.most_pages <= 2048);
    /* As many samples as pages, or more, are all pages. */
    assert_true(lp_pages_where(FAKE_PID, &fake_range, 1, FAKE_PAGES, fake_ids, 3, &where));
    assert_int_equal(where.on_bytes[2], 1000 * PAGE);
    assert_false(where.sampled);
}

/* What is sampled is scaled to the whole, and a guest that is interleaved over nodes does not keep step
 * with the samples. */
static void
test_where_sampled(void **state)
{
    static const unsigned STRIDES[] = { 1, 2, 4, 8, 16, 64 };
    LpPagesWhere where;

    (void) state;
    for (size_t s = 0; s < sizeof(STRIDES) / sizeof(STRIDES[0]); s++) {
        fake_new(0);
        for (size_t i = 0; i < FAKE_PAGES; i++)
            fake.node[i] = (i / STRIDES[s]) % 2 ? 1 : 0;
        assert_true(lp_pages_where(FAKE_PID, &fake_range, 1, 1024, fake_ids, 3, &where));
        assert_int_equal(fake.n_asked, 1024);
        assert_true(where.sampled);
        assert_int_equal(where.looked_bytes, 64 * MIB);
        assert_int_equal(where.on_bytes[0] + where.on_bytes[1], 64 * MIB);
        assert_in_range(where.on_bytes[0], 29 * MIB, 35 * MIB);
    }
}

static void
test_where_several_ranges(void **state)
{
    LpPageRange ranges[] = {
        { .start = FAKE_BASE, .end = FAKE_BASE + MIB, .page_bytes = PAGE },
        { .start = FAKE_BASE + 2 * MIB, .end = FAKE_BASE + 6 * MIB, .page_bytes = 2 * MIB },
        { .start = FAKE_BASE + 8 * MIB, .end = FAKE_BASE + 9 * MIB, .page_bytes = PAGE },
    };
    LpPagesWhere where;

    (void) state;
    fake_new(0);
    for (size_t i = 0; i < FAKE_PAGES; i++) {
        if (i % 512 != 0 && i >= 512 && i < 1536)
            fake.node[i] = -ENOENT;    /* known by the first address of the huge page only */
    }
    for (size_t i = 2048; i < FAKE_PAGES; i++)
        fake.node[i] = 1;
    for (uint32_t samples = 0; samples < 500; samples += 100) {
        assert_true(lp_pages_where(FAKE_PID, ranges, 3, samples, fake_ids, 3, &where));
        assert_int_equal(where.looked_bytes, 6 * MIB);
        assert_int_equal(where.absent_bytes, 0);
        assert_in_range(where.on_bytes[1], 1 * MIB - MIB / 16, 1 * MIB + MIB / 16);
    }
    assert_true(lp_pages_where(FAKE_PID, ranges, 0, 100, fake_ids, 3, &where));
    assert_int_equal(where.looked_bytes, 0);
}

/* What NUMA balancing hides is resident: where it is the page tables tell, to whom they may; else it lies
 * as the rest does. */
static void
test_where_hidden(void **state)
{
    LpPagesWhere where;

    (void) state;
    fake_new(0);
    for (size_t i = 0; i < FAKE_PAGES; i++) {
        if (i % 4 == 0)
            fake.node[i] = 3;
        if (i < FAKE_PAGES / 2)
            fake.hidden[i] = true;
        if (i >= FAKE_PAGES - 1024)
            fake.node[i] = -ENOENT;
    }
    for (size_t i = 0; i < 1024; i++)
        fake.node[i] = 1;    /* hidden all of it: only the page tables can know */
    for (uint32_t samples = 0; samples <= 4096; samples += 2048) {
        for (int known = 0; known < 2; known++) {
            fake.no_frames = !known;
            assert_true(lp_pages_where(FAKE_PID, &fake_range, 1, samples, fake_ids, 3, &where));
            assert_int_equal(where.hidden_bytes, known ? 0 : 32 * MIB);
            assert_int_equal(where.absent_bytes, 4 * MIB);
            assert_int_equal(where.on_bytes[1], known ? 4 * MIB : 0);
            assert_int_equal(where.on_bytes[0] + where.on_bytes[1] + where.on_bytes[2], 60 * MIB);
            assert_in_range(where.on_bytes[2], 12 * MIB, 17 * MIB);
            assert_int_equal(where.elsewhere_bytes, 0);
        }
    }
    fake.no_frames = true;
    memset(fake.hidden, true, sizeof(fake.hidden));
    assert_true(lp_pages_where(FAKE_PID, &fake_range, 1, 100, fake_ids, 3, &where));
    assert_int_equal(where.elsewhere_bytes, where.hidden_bytes);
    assert_int_equal(where.n_resident, 0);
    assert_true(where.hidden_bytes > 58 * MIB);
}

/* --- moving, on the played kernel --- */

static void
test_move_hidden(void **state)
{
    LpPagesMoved moved = { 0 };

    (void) state;
    fake_new(0);
    for (size_t i = 0; i < FAKE_PAGES; i++)
        fake.hidden[i] = i % 3 != 0;
    for (size_t i = 0; i < 1000; i++)
        fake.node[i] = -ENOENT;
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(moved.moved_bytes, (FAKE_PAGES - 1000) * PAGE);
    assert_int_equal(fake_count(1), FAKE_PAGES - 1000);
    /* Only what is to be moved is touched, and what is touched is moved, wherever that brought it. */
    for (int known = 0; known < 2; known++) {
        fake_new(3);
        memset(fake.hidden, true, sizeof(fake.hidden));
        fake.moves_on_touch = true;
        fake.no_frames = !known;
        for (size_t i = 0; i < 5000; i++)
            fake.node[i] = i < 4000 ? 0 : 1;
        moved = (LpPagesMoved) { 0 };
        assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, known ? 0 : -1, 1, 0, 0, &moved));
        if (known) {
            assert_int_equal(fake.n_touched, 4000);
            assert_int_equal(moved.moved_bytes, 4000 * PAGE);
            assert_int_equal(fake_count(1), 5000);
            assert_int_equal(fake_count(2), 0);
        } else {
            assert_int_equal(fake_count(1), FAKE_PAGES);
        }
    }
    /* That may be where it is to go. */
    fake_new(0);
    memset(fake.hidden, true, sizeof(fake.hidden));
    fake.moves_on_touch = true;
    moved = (LpPagesMoved) { 0 };
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 2, 0, 0, &moved));
    assert_int_equal(moved.moved_bytes, 64 * MIB);
    assert_int_equal(fake.n_moving_calls, 0);
    /* Where it may not be touched it stays, and keeps nobody. */
    fake_new(0);
    memset(fake.hidden, true, sizeof(fake.hidden));
    fake.may_not_touch = true;
    moved = (LpPagesMoved) { 0 };
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(moved.moved_bytes, 0);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_BUSY], 64 * MIB);
}

static void
test_move_all(void **state)
{
    LpPagesMoved moved = { 0 };

    (void) state;
    fake_new(0);
    for (size_t i = 0; i < 100; i++)
        fake.node[i] = 3;
    fake.node[200] = -ENOENT;
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(moved.moved_bytes, (FAKE_PAGES - 101) * PAGE);
    assert_int_equal(moved.looked_bytes, 64 * MIB);
    assert_int_equal(fake_count(1), FAKE_PAGES - 101);
    assert_int_equal(fake_count(3), 100);    /* only what was on node 0 */
    moved = (LpPagesMoved) { 0 };
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, -1, 1, 0, 0, &moved));
    assert_int_equal(moved.moved_bytes, 100 * PAGE);
    moved = (LpPagesMoved) { 0 };
    fake.n_moving_calls = 0;
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, -1, 1, 0, 0, &moved));
    assert_int_equal(moved.moved_bytes, 0);
    assert_int_equal(fake.n_moving_calls, 0);
    assert_true(fake.most_pages <= 2048);
    assert_false(fake.shared_with_all);
}

/* In pieces: each no more than it may, none of it twice, and all of it in the end. */
static void
test_move_in_pieces(void **state)
{
    LpPageRange ranges[] = {
        { .start = FAKE_BASE, .end = FAKE_BASE + 5 * MIB, .page_bytes = PAGE },
        { .start = FAKE_BASE + 6 * MIB, .end = FAKE_BASE + 6 * MIB, .page_bytes = PAGE },
        { .start = FAKE_BASE + 7 * MIB, .end = FAKE_BASE + 20 * MIB, .page_bytes = PAGE },
    };
    LpPagesMoved moved = { 0 };
    uint64_t sum = 0, looked = 0;
    int n = 0;

    (void) state;
    fake_new(0);
    do {
        size_t before = fake_count(2);

        assert_true(lp_pages_move(FAKE_PID, ranges, 3, -1, 2, 3 * MIB, 0, &moved));
        assert_true(moved.moved_bytes <= 3 * MIB);
        assert_true(moved.done || moved.moved_bytes == 3 * MIB);
        assert_int_equal((fake_count(2) - before) * PAGE, moved.moved_bytes);
        sum += moved.moved_bytes;
        looked += moved.looked_bytes;
        n++;
    } while (!moved.done && n < 100);
    assert_int_equal(sum, 18 * MIB);
    assert_int_equal(looked, 18 * MIB);
    assert_int_equal(n, 6);
    assert_int_equal(fake_count(2), 18 * MIB / PAGE);
    /* A cursor beyond the end is the end: mappings may have gone meanwhile. */
    assert_true(lp_pages_move(FAKE_PID, ranges, 2, -1, 1, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(moved.looked_bytes, 0);
    moved = (LpPagesMoved) { .range = 0, .offset = 6 * MIB };
    assert_true(lp_pages_move(FAKE_PID, ranges, 2, -1, 1, 0, 0, &moved));
    assert_true(moved.done);
}

/* Memory that was never touched is passed over, a bounded part a call. */
static void
test_move_looks_no_further(void **state)
{
    LpPagesMoved moved = { 0 };

    (void) state;
    fake_new(-ENOENT);
    fake.node[FAKE_PAGES - 1] = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(moved.moved_bytes, 0);
        assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, MIB, 16 * MIB, &moved));
        assert_int_equal(moved.looked_bytes, 16 * MIB);
        assert_int_equal(moved.done, i == 3);
    }
    assert_int_equal(moved.moved_bytes, PAGE);
}

static void
test_move_stuck_pages(void **state)
{
    LpPagesMoved moved = { 0 };

    (void) state;
    fake_new(0);
    for (size_t i = 0; i < FAKE_PAGES; i++) {
        if (i % 100 == 7)
            fake.manner[i] = BUSY_AT_ONCE;
        else if (i % 4096 == 11)
            fake.manner[i] = BUSY_LATER;
        else if (i % 200 == 13)
            fake.manner[i] = SHARED;
    }
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_SHARED], 82 * PAGE);
    /* 4107 is one of the first kind, too. */
    assert_int_equal(moved.stuck_bytes[LP_STUCK_BUSY], (164 + 3) * PAGE);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_NO_ROOM], 0);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_OTHER], 0);
    assert_int_equal(fake_count(1), FAKE_PAGES - 82 - 164 - 3);
    assert_int_equal(moved.moved_bytes, fake_count(1) * PAGE);
}

/* Whatever will not go at all must not keep the call for ever. */
static void
test_move_nothing_goes(void **state)
{
    LpPagesMoved moved = { 0 };

    (void) state;
    fake_new(0);
    memset(fake.manner, BUSY_LATER, sizeof(fake.manner));
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(moved.moved_bytes, 0);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_BUSY], 64 * MIB);
    assert_true(fake.n_moving_calls <= 64 / 8 + 1);    /* one for each batch */
}

/* A page of a transparent huge one that was just queued is called busy, though it moves with it. */
static void
test_move_huge(void **state)
{
    LpPagesMoved moved = { 0 };

    (void) state;
    fake_new(0);
    memset(fake.huge, true, sizeof(fake.huge));
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 16 * MIB, 0, &moved));
    assert_int_equal(moved.moved_bytes, 16 * MIB);
    assert_int_equal(fake_count(1) * PAGE, 16 * MIB);
    assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(fake_count(1), FAKE_PAGES);
    for (int i = 0; i < LP_STUCKS; i++)
        assert_int_equal(moved.stuck_bytes[i], 0);
}

/* The node fills up: the call says so and ends, since the rest would find no room either. */
static void
test_move_no_room(void **state)
{
    LpPagesMoved moved = { 0 };
    uint64_t sum = 0;
    int n = 0;

    (void) state;
    fake_new(0);
    fake.room[1] = 3000;
    do {
        assert_true(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
        sum += moved.moved_bytes;
        n++;
    } while (moved.stuck_bytes[LP_STUCK_NO_ROOM] == 0 && !moved.done && n < 100);
    assert_false(moved.done);
    assert_true(moved.stuck_bytes[LP_STUCK_NO_ROOM] > 0);
    assert_int_equal(sum, 3000 * PAGE);
    assert_int_equal(fake_count(1), 3000);
    assert_true(moved.looked_bytes < 32 * MIB);
}

static void
test_move_errors(void **state)
{
    static const int ERRORS[] = { ESRCH, EPERM, ENODEV, EACCES };
    LpPagesMoved moved;

    (void) state;
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        fake_new(0);
        fake.fail_with = ERRORS[i];
        fake.fail_after = 2;
        moved = (LpPagesMoved) { 0 };
        assert_false(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
        assert_int_equal(moved.error, ERRORS[i]);
        assert_false(moved.done);
        /* What went before is told, and where to go on if it is worth it. */
        assert_int_equal(moved.moved_bytes, fake_count(1) * PAGE);
        assert_true(moved.moved_bytes > 0 && moved.offset == moved.moved_bytes);
    }
    fake_new(0);
    fake.fail_with = EINVAL;    /* a process that has ended, but was not waited for */
    moved = (LpPagesMoved) { 0 };
    assert_false(lp_pages_move(FAKE_PID, &fake_range, 1, 0, 1, 0, 0, &moved));
    assert_int_equal(moved.error, ESRCH);
}

/* A guest's memory behind a file goes with those who share it, where that is allowed. */
static void
test_move_shared(void **state)
{
    LpPageRange range = fake_range;
    LpPagesMoved moved = { 0 };

    (void) state;
    range.shared = true;
    for (int allowed = 0; allowed < 2; allowed++) {
        fake_new(0);
        for (size_t i = 0; i < 1000; i++)
            fake.manner[i] = SHARED;
        fake.no_move_all = !allowed;
        moved = (LpPagesMoved) { 0 };
        assert_true(lp_pages_move(FAKE_PID, &range, 1, 0, 1, 0, 0, &moved));
        assert_true(moved.done);
        assert_true(fake.shared_with_all);
        assert_int_equal(moved.moved_bytes, (FAKE_PAGES - (allowed ? 0 : 1000)) * PAGE);
        assert_int_equal(moved.stuck_bytes[LP_STUCK_SHARED], (allowed ? 0 : 1000) * PAGE);
    }
}

/* --- on this machine's kernel --- */

static const uint32_t here_ids[LP_MAX_NODES] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
};
#define N_HERE 16

static uint64_t
resident(const LpPagesWhere *where)
{
    uint64_t sum = where->elsewhere_bytes;

    for (int i = 0; i < N_HERE; i++)
        sum += where->on_bytes[i];
    return sum;
}

static uint8_t *
map(size_t bytes, int protection, int flags)
{
    uint8_t *memory = mmap(NULL, bytes, protection, flags | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

static const LpPageRange *
find(const LpPageRange *ranges, size_t n, const void *address)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(ranges[i].start < ranges[i].end);
        assert_true(i == 0 || ranges[i - 1].end <= ranges[i].start);
        if (ranges[i].start <= (uintptr_t) address && (uintptr_t) address < ranges[i].end)
            return &ranges[i];
    }
    return NULL;
}

static void
test_ranges_of_this_process(void **state)
{
    uint8_t *plain = map(3 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    uint8_t *shared = map(4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
    uint8_t *guard = map(MIB, PROT_NONE, MAP_PRIVATE);
    uint8_t *text = map(MIB, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
    const LpPageRange *range;
    LpPageRange *ranges;
    size_t n;

    (void) state;
    ranges = lp_pages_ranges(getpid(), &n);
    assert_non_null(ranges);
    range = find(ranges, n, plain);
    assert_non_null(range);
    assert_true(!range->shared && range->writable && !range->executable);
    assert_int_equal(range->page_bytes, sysconf(_SC_PAGESIZE));
    range = find(ranges, n, shared);
    assert_non_null(range);
    assert_true(range->shared);
    assert_int_equal(range->start, (uintptr_t) shared);
    assert_int_equal(range->end, (uintptr_t) shared + 4 * MIB);
    assert_null(find(ranges, n, guard));
    range = find(ranges, n, text);
    assert_non_null(range);
    assert_true(range->executable);
    assert_null(find(ranges, n, (void *) (uintptr_t) lp_pages_ranges));
    assert_non_null(find(ranges, n, &ranges));    /* the stack */
    free(ranges);
    munmap(plain, 3 * MIB);
    munmap(shared, 4 * MIB);
    munmap(guard, MIB);
    munmap(text, MIB);
}

/* Without huge pages to be had, only what the kernel calls such is one. */
static void
test_ranges_memfd(void **state)
{
    int fd = memfd_create("lpard-test", MFD_CLOEXEC);
    int huge = memfd_create("lpard-test", MFD_CLOEXEC | MFD_HUGETLB);
    uint8_t *memory, *huge_memory = MAP_FAILED;
    const LpPageRange *range;
    LpPageRange *ranges;
    size_t n;

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4 * MIB), 0);
    memory = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    if (huge >= 0 && ftruncate(huge, 4 * MIB) == 0)
        huge_memory = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, huge,
                           0);
    ranges = lp_pages_ranges(getpid(), &n);
    assert_non_null(ranges);
    range = find(ranges, n, memory);
    assert_non_null(range);
    assert_int_equal(range->page_bytes, sysconf(_SC_PAGESIZE));
    assert_true(range->shared);
    if (huge_memory != MAP_FAILED) {
        range = find(ranges, n, huge_memory);
        assert_non_null(range);
        assert_int_equal(range->page_bytes, 2 * MIB);
        munmap(huge_memory, 4 * MIB);
    } else {
        print_message("# this kernel has no huge pages to map\n");
    }
    free(ranges);
    munmap(memory, 4 * MIB);
    close(fd);
    if (huge >= 0)
        close(huge);
}

static void
test_where_here(void **state)
{
    uint8_t *memory = map(32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    LpPageRange range = { .start = (uintptr_t) memory, .end = (uintptr_t) memory + 32 * MIB,
                          .page_bytes = PAGE };
    LpPagesWhere where;

    (void) state;
    memset(memory + 8 * MIB, 1, 8 * MIB);
    munmap(memory + 24 * MIB, 4 * MIB);    /* a hole since the ranges were read */
    assert_true(lp_pages_where(getpid(), &range, 1, 0, here_ids, N_HERE, &where));
    assert_int_equal(where.looked_bytes, 32 * MIB);
    assert_int_equal(resident(&where), 8 * MIB);
    assert_int_equal(where.absent_bytes, 24 * MIB);
    assert_true(lp_pages_where(getpid(), &range, 1, 1024, here_ids, N_HERE, &where));
    assert_in_range(resident(&where), 8 * MIB - MIB / 16, 8 * MIB + MIB / 16);
    assert_int_equal(where.absent_bytes, 32 * MIB - resident(&where));
    munmap(memory, 32 * MIB);
}

/* A child that has memory, and waits until it is killed. */
static pid_t
start_child(uint8_t *memory, size_t bytes)
{
    int ready[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        memset(memory, 2, bytes);    /* its own copy from now on */
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

/* Of 4 MiB the first three are there; to touch what is not makes it neither there nor harm. */
static void
check_map(pid_t pid, uint8_t *memory, int node)
{
    LpPageMap map;
    void *pages[1024];
    int found[1024];

    lp_page_map_open(pid, &map);
    assert_true(map.fd >= 0);
    for (int i = 0; i < 1024; i++)
        pages[i] = memory + (size_t) i * PAGE;
    lp_pages_touch(pid, pages, 768);
    lp_page_map_read(&map, (uintptr_t) memory, PAGE, 1024, found);
    for (int i = 0; i < 1024; i++) {
        if (i >= 768)
            assert_int_equal(found[i], LP_PAGE_ABSENT);
        else if (found[i] != LP_PAGE_SOMEWHERE && node >= 0)
            assert_int_equal(found[i], node);
        else
            assert_true(found[i] == LP_PAGE_SOMEWHERE || found[i] >= 0);
    }
    pages[1] = NULL;
    lp_pages_touch(pid, pages, 768);    /* gone meanwhile */
    lp_page_map_close(&map);
}

static void
test_child(void **state)
{
    uint8_t *memory = map(4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    pid_t pid = start_child(memory, 3 * MIB);
    LpPageRange range = { .start = (uintptr_t) memory, .end = (uintptr_t) memory + 4 * MIB,
                          .page_bytes = PAGE };
    LpPagesMoved moved = { 0 };
    LpPagesWhere where;
    siginfo_t info;
    int node = 0;
    size_t n;

    (void) state;
    assert_true(lp_pages_where(pid, &range, 1, 0, here_ids, N_HERE, &where));
    assert_int_equal(resident(&where), 3 * MIB);
    while (node < N_HERE - 1 && where.on_bytes[node] == 0)
        node++;
    check_map(pid, memory, where.on_bytes[node] == 3 * MIB ? node : -1);
    /* To where it is already: nothing to do, and no error. */
    assert_true(lp_pages_move(pid, &range, 1, -1, node, 0, 0, &moved));
    assert_true(moved.done);
    assert_int_equal(moved.looked_bytes, 4 * MIB);
    assert_int_equal(moved.moved_bytes, resident(&where) - where.on_bytes[node]);
    moved = (LpPagesMoved) { 0 };
    assert_false(lp_pages_move(pid, &range, 1, -1, 1023, 0, 0, &moved));
    assert_int_equal(moved.error, ENODEV);
    assert_false(moved.done);
    /* Dead, but not yet waited for; then gone. */
    kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
    for (int i = 0; i < 2; i++) {
        errno = 0;
        assert_null(lp_pages_ranges(pid, &n));
        assert_int_equal(errno, ESRCH);
        assert_false(lp_pages_where(pid, &range, 1, 0, here_ids, N_HERE, &where));
        assert_int_equal(errno, ESRCH);
        moved = (LpPagesMoved) { 0 };
        assert_false(lp_pages_move(pid, &range, 1, -1, node, 0, 0, &moved));
        assert_int_equal(moved.error, ESRCH);
        waitpid(pid, NULL, 0);
    }
    munmap(memory, 4 * MIB);
}

/* Somebody else's process: what the kernel refuses is told as such. */
static void
test_foreign(void **state)
{
    pid_t target = getpid(), pid;
    int status;

    (void) state;
    if (getuid() != 0) {
        print_message("# needs root to become somebody else\n");
        skip();
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        LpPageRange range = { .start = (uintptr_t) &target & ~(PAGE - 1), .page_bytes = PAGE };
        LpPagesMoved moved = { 0 };
        LpPagesWhere where;
        size_t n;

        range.end = range.start + PAGE;
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        if (lp_pages_ranges(target, &n) || (errno != EACCES && errno != EPERM))
            _exit(2);
        if (lp_pages_where(target, &range, 1, 0, here_ids, N_HERE, &where) || errno != EPERM)
            _exit(3);
        if (lp_pages_move(target, &range, 1, -1, 0, 0, 0, &moved) || moved.error != EPERM)
            _exit(4);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_where_every_page, teardown),
        cmocka_unit_test_teardown(test_where_sampled, teardown),
        cmocka_unit_test_teardown(test_where_several_ranges, teardown),
        cmocka_unit_test_teardown(test_where_hidden, teardown),
        cmocka_unit_test_teardown(test_move_hidden, teardown),
        cmocka_unit_test_teardown(test_move_all, teardown),
        cmocka_unit_test_teardown(test_move_in_pieces, teardown),
        cmocka_unit_test_teardown(test_move_looks_no_further, teardown),
        cmocka_unit_test_teardown(test_move_stuck_pages, teardown),
        cmocka_unit_test_teardown(test_move_nothing_goes, teardown),
        cmocka_unit_test_teardown(test_move_huge, teardown),
        cmocka_unit_test_teardown(test_move_no_room, teardown),
        cmocka_unit_test_teardown(test_move_errors, teardown),
        cmocka_unit_test_teardown(test_move_shared, teardown),
        cmocka_unit_test(test_ranges_of_this_process),
        cmocka_unit_test(test_ranges_memfd),
        cmocka_unit_test(test_where_here),
        cmocka_unit_test(test_child),
        cmocka_unit_test(test_foreign),
    };

    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
