/* When a release of memory is stopped, and how much is asked back; making room before it.  The
 * agent's loop, its phases and its children are played by the test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/check.h"
#include "agent/clock.h"
#include "tests/unit/tree.h"

#define MIB (UINT64_C(1) << 20)

static LpAgent agent;
static char sysfs[128], procfs[128];

/* What the guard has said. */
static bool is_open, has_stopped;
static char reason[LP_WIRE_TEXT_MAX];
static uint64_t back_bytes;
static const LpWatcher *watcher;
static int watched_fd;
static uint32_t watched_events;
static const LpChildSpec *child;
static LpChildSpec kept_child;
static bool child_fits;
static int n_done;

bool
lp_phase_stop(LpAgent *of, const char *why, uint64_t back, int64_t now_msec)
{
    (void)of;
    (void)now_msec;
    if (!is_open)
        return false;
    assert_false(has_stopped);
    has_stopped = true;
    snprintf(reason, sizeof(reason), "%s", why);
    back_bytes = back;
    return true;
}

bool
lp_agent_watch(LpAgent *of, int fd, uint32_t events, const LpWatcher *by)
{
    (void)of;
    watcher = by;
    watched_fd = fd;
    watched_events = events;
    return true;
}

bool
lp_child_run(LpAgent *of, const LpChildSpec *spec)
{
    (void)of;
    if (!child_fits)
        return false;
    kept_child = *spec;
    child = &kept_child;
    return true;
}

static int
setup(void **data)
{
    (void)data;
    tree_make();
    snprintf(sysfs, sizeof(sysfs), "%s", tree_path("sys"));
    snprintf(procfs, sizeof(procfs), "%s", tree_path("proc"));
    memset(&agent, 0, sizeof(agent));
    agent.options.sysfs = sysfs;
    agent.options.procfs = procfs;
    agent.conf.pressure_limit_centi = 2000;
    lp_guard_init(&agent);
    is_open = child_fits = true;
    has_stopped = false;
    watcher = NULL;
    child = NULL;
    n_done = 0;
    return 0;
}

static int
teardown(void **data)
{
    (void)data;
    lp_guard_end(&agent);
    tree_drop();
    return 0;
}

static void
put_memory(unsigned total_mib, unsigned available_mib)
{
    char text[160];

    snprintf(text, sizeof(text), "MemTotal: %u kB\nMemFree: %u kB\nMemAvailable: %u kB\n",
             total_mib << 10, available_mib << 9, available_mib << 10);
    tree_put("proc/meminfo", text);
}

static void
begin(unsigned from_mib, unsigned to_mib, bool force)
{
    const LpWirePhase phase = {
        .id = 3, .phase = LP_WIRE_PHASE_PRE, .force = force, .has_mem = true,
        .mem_from_bytes = from_mib * MIB, .mem_to_bytes = to_mib * MIB,
    };

    lp_guard_begin(&agent, &phase, 1000);
}

static void
look(void)
{
    int64_t at = lp_guard_deadline(&agent);

    assert_int_not_equal(at, LP_NEVER);
    lp_guard_run(&agent, at);
}

static void
test_only_while_memory_leaves(void **data)
{
    const LpWirePhase other = { .has_cpu = true, .cpu_from = 4, .cpu_to = 1 };

    (void)data;
    put_memory(1024, 900);
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
    begin(512, 1024, false);
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
    lp_guard_begin(&agent, &other, 0);
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
    begin(1024, 512, false);
    assert_int_equal(lp_guard_deadline(&agent), 1000);
    look();
    assert_int_equal(lp_guard_deadline(&agent), 1250);
    lp_guard_end(&agent);
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
    lp_guard_run(&agent, 99999);
    assert_false(has_stopped);
}

/* 512 of 1024 are to leave; the floor at 512 is 168, of which half must be. */
static void
test_what_would_be(void **data)
{
    (void)data;
    put_memory(1024, 900);
    begin(1024, 512, false);
    put_memory(1024, 512 + 84);
    look();
    assert_false(has_stopped);
    put_memory(1024, 512 + 83);
    look();
    assert_true(has_stopped);
    assert_string_equal(reason, "memory pressure: 595 MiB are available, 596 MiB must be for more "
                                "to leave");
    /* Nothing has gone, and there is enough. */
    assert_int_equal(back_bytes, 0);
    /* Once. */
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
}

static void
test_in_the_middle(void **data)
{
    (void)data;
    put_memory(1024, 900);
    begin(1024, 512, false);
    /* 384 have gone, 128 are still to go. */
    put_memory(640, 128 + 84);
    look();
    assert_false(has_stopped);
    put_memory(640, 100);
    look();
    assert_true(has_stopped);
    /* To the floor of a guest of 640. */
    assert_int_equal(back_bytes, 84 * MIB);
}

/* Blocks that are not online leave first, and MemTotal has never had them. */
static void
test_offline_leaves_first(void **data)
{
    (void)data;
    agent.memory.block_bytes = 128 * MIB;
    agent.memory.offline_blocks = 3;
    put_memory(1024, 300);
    begin(1408, 896, false);
    /* Only 128 leave what is in use: at 896 half of the floor is 108. */
    put_memory(1024, 236);
    look();
    assert_false(has_stopped);
    put_memory(1024, 235);
    look();
    assert_true(has_stopped);
    agent.memory.offline_blocks = 4;
    begin(1536, 1024, false);
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
}

/* Not all of it, but what can be had: block by block, as long as one more may go. */
static void
test_who_insists(void **data)
{
    (void)data;
    agent.memory.block_bytes = 128 * MIB;
    put_memory(1024, 400);
    begin(1024, 512, true);
    look();
    /* At 896 half of the floor is 108, at 768 it is 100. */
    put_memory(896, 228);
    look();
    assert_false(has_stopped);
    put_memory(896, 227);
    look();
    assert_true(has_stopped);
    assert_string_equal(reason, "memory pressure: 227 MiB are available, 228 MiB must be for more "
                                "to leave");
    assert_int_equal(back_bytes, 0);
}

/* It is over, but for POST: what is there is too little, and the floor is asked back. */
static void
test_too_little_at_the_end(void **data)
{
    (void)data;
    put_memory(1024, 900);
    begin(1024, 512, false);
    put_memory(512, 84);
    look();
    assert_false(has_stopped);
    put_memory(512, 80);
    look();
    assert_true(has_stopped);
    assert_string_equal(reason, "memory pressure: 80 MiB are available, 84 MiB must be");
    assert_int_equal(back_bytes, 88 * MIB);
}

static void
test_never_more_than_has_gone(void **data)
{
    (void)data;
    put_memory(1024, 900);
    begin(1024, 512, false);
    put_memory(1004, 1);
    look();
    assert_true(has_stopped);
    assert_int_equal(back_bytes, 20 * MIB);
}

static void
read_all(const char *name, char *text, size_t size)
{
    FILE *file = fopen(tree_path(name), "r");

    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void
test_trigger(void **data)
{
    char text[64];

    (void)data;
    tree_put("proc/pressure/memory", "");
    put_memory(1024, 900);
    begin(1024, 512, false);
    assert_non_null(watcher);
    assert_int_equal(watched_events, EPOLLPRI);
    read_all("proc/pressure/memory", text, sizeof(text));
    assert_string_equal(text, "some 400000 2000000");
    /* Much is available, and yet tasks wait: a step at least. */
    put_memory(640, 500);
    watcher->ready(&agent, EPOLLPRI);
    assert_true(has_stopped);
    assert_string_equal(reason, "memory pressure passed 20.00 % of 2 s, 500 MiB are available");
    assert_int_equal(back_bytes, 64 * MIB);
    /* It was closed; what epoll still had is nothing to anybody. */
    assert_int_equal(fcntl(watched_fd, F_GETFD), -1);
    watcher->ready(&agent, EPOLLPRI);
}

static void
test_trigger_too_early_or_gone(void **data)
{
    (void)data;
    tree_put("proc/pressure/memory", "");
    put_memory(1024, 900);
    begin(1024, 512, false);
    is_open = false;
    watcher->ready(&agent, EPOLLPRI);
    assert_false(has_stopped);
    /* It is not forgotten. */
    is_open = true;
    look();
    assert_true(has_stopped);
    has_stopped = false;
    begin(1024, 512, false);
    watcher->ready(&agent, EPOLLERR | EPOLLPRI);
    assert_int_equal(fcntl(watched_fd, F_GETFD), -1);
    assert_false(has_stopped);
    /* The other eye still watches. */
    put_memory(640, 10);
    look();
    assert_true(has_stopped);
    assert_string_equal(reason, "memory pressure: 10 MiB are available, 212 MiB must be for more "
                                "to leave");
}

static void
test_no_meminfo(void **data)
{
    (void)data;
    tree_put("proc/pressure/memory", "");
    begin(1024, 512, false);
    look();
    assert_false(has_stopped);
    watcher->ready(&agent, EPOLLPRI);
    assert_true(has_stopped);
    assert_int_equal(back_bytes, 0);
}

static void
on_room(LpAgent *of)
{
    assert_ptr_equal(of, &agent);
    n_done++;
}

static void
test_room_is_made(void **data)
{
    const LpChildEnd end = { .started = true };
    char text[8];

    (void)data;
    tree_put("proc/sys/vm/drop_caches", "0");
    tree_put("proc/sys/vm/compact_memory", "0");
    put_memory(1024, 900);
    lp_reclaim_run(&agent, 512 * MIB, lp_clock_msec() + 1000, on_room);
    assert_non_null(child);
    assert_in_range(child->timeout_msec, 1, 1000);
    assert_int_equal(n_done, 0);
    /* 450 MiB are free. */
    assert_int_equal(child->func(child->data), 0);
    read_all("proc/sys/vm/drop_caches", text, sizeof(text));
    assert_string_equal(text, "1");
    read_all("proc/sys/vm/compact_memory", text, sizeof(text));
    assert_string_equal(text, "1");
    child->done(&agent, &end, child->data);
    assert_int_equal(n_done, 1);
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
}

static void
test_room_is_there(void **data)
{
    const LpChildEnd end = { .timed_out = true, .started = true };
    char text[8];

    (void)data;
    tree_put("proc/sys/vm/drop_caches", "0");
    put_memory(1024, 900);
    lp_reclaim_run(&agent, 450 * MIB, lp_clock_msec() + 1000, on_room);
    assert_int_equal(child->func(child->data), 0);
    read_all("proc/sys/vm/drop_caches", text, sizeof(text));
    assert_string_equal(text, "0");
    /* Where it cannot be had the status is the errno, and the release goes on. */
    unlink(tree_path("proc/sys/vm/drop_caches"));
    agent.guard.reclaim.bytes = 900 * MIB;
    assert_int_equal(child->func(child->data), ENOENT);
    child->done(&agent, &end, child->data);
    assert_int_equal(n_done, 1);
}

static void
assert_skipped(void)
{
    int before = n_done;

    lp_reclaim_run(&agent, 512 * MIB, lp_clock_msec() + 1000, on_room);
    assert_int_equal(n_done, before);
    assert_int_equal(lp_guard_deadline(&agent), 0);
    lp_guard_run(&agent, 0);
    assert_int_equal(n_done, before + 1);
    assert_int_equal(lp_guard_deadline(&agent), LP_NEVER);
}

static void
test_room_cannot_be_made(void **data)
{
    (void)data;
    put_memory(1024, 900);
    child_fits = false;
    assert_skipped();
    child_fits = true;
    agent.conf.forbid = LP_WIRE_ACT_RECLAIM;
    assert_skipped();
    assert_null(child);
    agent.conf.forbid = 0;
    lp_reclaim_run(&agent, 512 * MIB, 1, on_room);
    assert_null(child);
    lp_guard_run(&agent, 0);
    assert_int_equal(n_done, 3);
}

int
main(void)
{
#define TEST(func) cmocka_unit_test_setup_teardown(func, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_only_while_memory_leaves), TEST(test_what_would_be), TEST(test_in_the_middle),
        TEST(test_offline_leaves_first),
        TEST(test_who_insists), TEST(test_too_little_at_the_end),
        TEST(test_never_more_than_has_gone), TEST(test_trigger),
        TEST(test_trigger_too_early_or_gone), TEST(test_no_meminfo), TEST(test_room_is_made),
        TEST(test_room_is_there), TEST(test_room_cannot_be_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
