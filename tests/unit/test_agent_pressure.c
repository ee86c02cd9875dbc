/* How a guest fares: figures from made-up trees, and when they are said. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/files.h"
#include "agent/pressure.h"
#include "agent/wire/words.h"
#include "tests/unit/tree.h"

#define BOOT "04d95510-5312-4c4c-be7e-ad5a632fe836"
#define KIB UINT64_C(1024)

static LpAgent *agent;
static int host;
static LpPressureBase base;
static LpWirePressure seen;

static void
put_meminfo(unsigned available_kib)
{
    char text[600];

    snprintf(text, sizeof(text),
             "MemTotal:        1000000 kB\nMemFree:          200000 kB\n"
             "MemAvailable:     %6u kB\nBuffers:            1000 kB\n"
             "SwapCached:            7 kB\nActive(file):     100000 kB\n"
             "Inactive(file):   150000 kB\nSwapTotal:         50000 kB\n"
             "SwapFree:          20000 kB\nSlab:              60000 kB\n"
             "SReclaimable:      40000 kB\nSUnreclaim:        20000 kB\n", available_kib);
    tree_put("proc/meminfo", text);
}

static void
put_stat(unsigned user, unsigned idle, unsigned steal)
{
    char text[200];

    snprintf(text, sizeof(text), "cpu  %u 10 20 %u 5 1 2 %u 3 4\ncpu0 1 1 1 1\nintr 5 6\n", user,
             idle, steal);
    tree_put("proc/stat", text);
}

static void
put_all(void)
{
    put_meminfo(500000);
    put_stat(100, 1000, 7);
    tree_put("proc/sys/kernel/random/boot_id", BOOT "\n");
    tree_put("proc/loadavg", "1.25 0.50 0.10 4/80 99\n");
    tree_put("proc/vmstat", "nr_free_pages 1\nworkingset_refault_anon 11\n"
             "workingset_refault_file 22\nworkingset_refault_other 5\noom_kill 3\n"
             "oom_kill_other 9\n");
    tree_put("proc/pressure/cpu", "some avg10=12.34 avg60=0.00 avg300=0.00 total=5\n"
             "full avg10=99.00 avg60=0.00 avg300=0.00 total=5\n");
    tree_put("proc/pressure/memory", "some avg10=0.50 avg60=7.00 avg300=0.00 total=5\n"
             "full avg10=0.25 avg60=0.00 avg300=0.00 total=5\n");
    tree_put("proc/pressure/io", "some avg10=100.00 avg60=0.00 avg300=0.00 total=5\n"
             "full avg10=4.05 avg60=0.00 avg300=0.00 total=5\n");
}

static void
look(void)
{
    lp_pressure_read(tree_path("proc"), tree_path("classes"), &base, &seen);
}

static void
test_figures(void **data)
{
    (void)data;
    put_all();
    look();
    assert_string_equal(seen.boot_id, BOOT);
    assert_int_equal(seen.mem_total_bytes, 1000000 * KIB);
    assert_int_equal(seen.mem_available_bytes, 500000 * KIB);
    assert_int_equal(seen.working_set_bytes, (1000000 - 200000 - 150000 - 40000) * KIB);
    assert_int_equal(seen.swap_used_bytes, 30000 * KIB);
    assert_int_equal(seen.refaults, 33);
    assert_int_equal(seen.oom_kills, 3);
    assert_int_equal(seen.psi_cpu_some_centi, 1234);
    assert_int_equal(seen.psi_mem_some_centi, 50);
    assert_int_equal(seen.psi_mem_full_centi, 25);
    assert_int_equal(seen.psi_io_some_centi, 10000);
    assert_int_equal(seen.psi_io_full_centi, 405);
    assert_int_equal(seen.running, 3);          /* the agent itself runs, too */
    assert_int_equal(seen.busy_centi, 0);       /* no rate yet */
    assert_int_equal(seen.n_classes, 0);
}

static void
test_rates(void **data)
{
    (void)data;
    put_all();
    look();
    put_stat(150, 1100, 57);
    look();
    /* 50 of user, 100 idle, 50 stolen. */
    assert_int_equal(seen.busy_centi, 2500);
    assert_int_equal(seen.steal_centi, 2500);
    /* Nothing has passed; then time has stepped back, as it does over a resume. */
    look();
    assert_int_equal(seen.busy_centi, 0);
    assert_int_equal(seen.steal_centi, 0);
    put_stat(10, 10, 1);
    look();
    assert_int_equal(seen.busy_centi, 0);
    put_stat(110, 10, 1);
    look();
    assert_int_equal(seen.busy_centi, 10000);
}

static void
test_old_kernel(void **data)
{
    (void)data;
    tree_put("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\n");
    tree_put("proc/vmstat", "workingset_refault 44\n");
    tree_put("proc/stat", "cpu  1 2 3 4\n");
    look();
    assert_string_equal(seen.boot_id, "0");
    assert_int_equal(seen.working_set_bytes, 900 * KIB);
    assert_int_equal(seen.refaults, 44);
    assert_int_equal(seen.psi_mem_some_centi, 0);
    tree_put("proc/stat", "cpu  4 2 3 5\n");
    look();
    assert_int_equal(seen.busy_centi, 7500);
}

static void
assert_encodable(void)
{
    static char frame[LP_WIRE_FRAME_MAX + 1];
    LpWireMessage message = { .kind = LP_WIRE_PRESSURE, .pressure = seen };
    LpWireMessage back;
    size_t length;

    message.pressure.seq = 1;
    assert_int_equal(lp_wire_encode(&message, frame, sizeof(frame), &length), LP_WIRE_OK);
    assert_int_equal(lp_wire_decode(frame, length - 1, &back, NULL), LP_WIRE_OK);
}

/* Whatever is in the files: figures that the wire takes. */
static void
test_garbage(void **data)
{
    static const char *const files[] = {
        "proc/meminfo", "proc/vmstat", "proc/stat", "proc/loadavg", "proc/pressure/memory",
        "proc/pressure/cpu", "proc/pressure/io", "classes",
    };
    static const char *const texts[] = {
        "", "\n\n\n", "cpu ", "cpu", "cpu  -1 -1 -1 -1 -1", "1 2 3", "1 2 3 ", "1 2 3 -9/4",
        "some avg10=", "some avg10=-5", "some avg10=99999999999999999999.99", "\xff\xfe \xff \xff",
        "MemTotal: 99999999999999999999999 kB\nMemFree: -1 kB\nSwapTotal: 18446744073709551615",
        "workingset_refault_anon 18446744073709551615\noom_kill 99999999999999999999999",
        "cpu  18446744073709551615 18446744073709551615 1 1 1 1 1 1", "name a", "name a b c d",
        "1 2 3 99999999999999999999/1", "\x01name /etc/passwd /etc/passwd",
        "cpu  9007199254740992 9007199254740992 9007199254740992 9007199254740992 1 1 1 1",
    };

    (void)data;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
            tree_put(files[k], texts[i]);
        look();
        assert_encodable();
        look();
        assert_encodable();
    }
}

static void
put_class(const char *cpu, const char *usage)
{
    char text[400];

    tree_put(cpu, usage);
    snprintf(text, sizeof(text), "web %s %s\n", tree_path(cpu), tree_path("memory"));
    tree_put("classes", text);
}

static void
pause_msec(long msec)
{
    struct timespec pause = { .tv_nsec = msec * 1000000 };

    nanosleep(&pause, NULL);
}

/* Between half and three times what it would be had exactly `msec` passed. */
static void
assert_share(uint32_t centi, uint64_t usec, unsigned msec)
{
    uint64_t exact = usec / 10 / msec;

    if (centi > exact || centi < exact / 8)
        fail_msg("%u is far from %u", (unsigned)centi, (unsigned)exact);
}

static void
test_classes(void **data)
{
    (void)data;
    tree_put("memory", "123456\n");
    put_class("v2/cpu.stat", "usage_usec 1000\nuser_usec 99\n");
    look();
    assert_int_equal(seen.n_classes, 1);
    assert_string_equal(seen.classes[0].name, "web");
    assert_int_equal(seen.classes[0].mem_bytes, 123456);
    assert_int_equal(seen.classes[0].cpu_centi, 0);
    pause_msec(20);
    tree_put("v2/cpu.stat", "usage_usec 2001000\nuser_usec 99\n");
    look();
    assert_share(seen.classes[0].cpu_centi, 2000000, 20);
    /* Another in its place has no rate yet. */
    pause_msec(5);
    put_class("v1/cpuacct.usage", "9000000000000\n");
    look();
    assert_int_equal(seen.classes[0].cpu_centi, 0);
    pause_msec(20);
    tree_put("v1/cpuacct.usage", "9002000000000\n");
    look();
    assert_share(seen.classes[0].cpu_centi, 2000000, 20);
    /* Gone, and back: made anew. */
    assert_int_equal(unlink(tree_path("v1/cpuacct.usage")), 0);
    look();
    assert_int_equal(seen.n_classes, 1);
    assert_int_equal(seen.classes[0].cpu_centi, 0);
    tree_put("v1/cpuacct.usage", "99999999999999\n");
    pause_msec(5);
    look();
    assert_int_equal(seen.classes[0].cpu_centi, 0);
    /* More than there can be. */
    pause_msec(5);
    tree_put("v1/cpuacct.usage", "999999999999999999\n");
    look();
    assert_encodable();
}

static void
test_class_list(void **data)
{
    char text[4000] = "";

    (void)data;
    tree_put("classes", "no\n\nweb a b\nweb c d\nweb\n  \ndb\te f\nab\xc3\xa4 g h\nbatch /x/y /z\n"
             "a-name-that-is-far-too-long-to-be-that-of-any-class-here i j\n");
    look();
    assert_int_equal(seen.n_classes, 2);
    assert_string_equal(seen.classes[0].name, "web");
    assert_string_equal(seen.classes[1].name, "batch");
    for (unsigned i = 0; i < 3 * LP_WIRE_CLASSES_MAX; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "class%u /a /b\n", i);
    tree_put("classes", text);
    look();
    assert_int_equal(seen.n_classes, LP_WIRE_CLASSES_MAX);
    assert_encodable();
}

/* The longest list that lpar-agent-classes can leave. */
static void
test_class_list_of_long_paths(void **data)
{
    char text[10240] = "", path[LP_PATH_MAX];
    LpWireClassUse *last = &seen.classes[LP_WIRE_CLASSES_MAX - 1];

    (void)data;
    snprintf(path, sizeof(path), "%s/%0*d", tree_path("v"),
             (int)(sizeof(path) - strlen(tree_path("v")) - 2), 7);
    for (unsigned i = 0; i < LP_WIRE_CLASSES_MAX; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%0*u %s %s\n",
                 LP_WIRE_NAME_MAX - 1, i, path, path);
    tree_put("classes", text);
    tree_put(path + strlen(tree_path("")), "123456\n");
    look();
    assert_int_equal(seen.n_classes, LP_WIRE_CLASSES_MAX);
    assert_int_equal(last->mem_bytes, 123456);
}

static void
test_notable(void **data)
{
    LpWirePressure sent = { .mem_total_bytes = 1000, .mem_available_bytes = 500,
                            .working_set_bytes = 300, .refaults = 10 };
    LpWirePressure now = sent;

    (void)data;
    assert_false(lp_pressure_notable(&sent, &now));
    now.mem_available_bytes = 460;
    now.working_set_bytes = 340;
    now.refaults = 1000;
    now.psi_mem_some_centi = now.psi_cpu_some_centi = 499;
    now.busy_centi = 1500;
    now.running = 80;
    assert_false(lp_pressure_notable(&sent, &now));
#define NOTABLE(field, value) \
    do { \
        now = sent; \
        now.field = value; \
        assert_true(lp_pressure_notable(&sent, &now)); \
    } while (0)
    NOTABLE(mem_available_bytes, 440);
    NOTABLE(working_set_bytes, 360);
    NOTABLE(mem_total_bytes, 1001);
    NOTABLE(swap_used_bytes, 60);
    NOTABLE(refaults, 5000);
    NOTABLE(oom_kills, 1);
    NOTABLE(psi_cpu_some_centi, 500);
    NOTABLE(psi_mem_some_centi, 500);
    NOTABLE(psi_mem_full_centi, 500);
    NOTABLE(psi_io_some_centi, 500);
    NOTABLE(psi_io_full_centi, 500);
    NOTABLE(busy_centi, 2000);
    NOTABLE(steal_centi, 2000);
    NOTABLE(n_classes, 1);
}

/* Whether a PRESSURE has come; it is in `seen` then. */
static bool
told(void)
{
    static char line[LP_WIRE_FRAME_MAX];
    LpWireMessage message;
    ssize_t n = recv(host, line, sizeof(line), MSG_DONTWAIT);

    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        return false;
    }
    assert_true(n > 0);
    assert_int_equal(line[n - 1], '\n');
    assert_int_equal(lp_wire_decode(line, (size_t)n - 1, &message, NULL), LP_WIRE_OK);
    assert_int_equal(message.kind, LP_WIRE_PRESSURE);
    seen = message.pressure;
    return true;
}

static void
connect_host(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    host = ends[0];
    agent->port.fd = ends[1];
    agent->port.is_socket = agent->port.connected = true;
}

static void
test_when_to_say(void **data)
{
    uint64_t seq;

    (void)data;
    put_all();
    assert_true(lp_pressure_deadline(agent) == LP_NEVER);
    connect_host();
    assert_true(lp_pressure_deadline(agent) == LP_NEVER);
    agent->report.tick_at_msec = 500;
    lp_pressure_touch(agent, 1000);
    assert_true(lp_pressure_deadline(agent) == 1000);
    lp_pressure_run(agent, 1000);
    assert_true(told());
    assert_int_equal(seen.oom_kills, 3);
    seq = seen.seq;
    /* Then with the tick of STATE, and only if something has changed. */
    agent->report.tick_at_msec = 11003;
    assert_true(lp_pressure_deadline(agent) == 11003);
    lp_pressure_run(agent, 11003);
    assert_false(told());
    agent->report.tick_at_msec = 21003;
    put_meminfo(100000);
    lp_pressure_run(agent, 21003);
    assert_true(told());
    assert_int_equal(seen.mem_available_bytes, 100000 * KIB);
    assert_true(seen.seq > seq);
    /* What moves is looked at again soon, whenever the next tick is; then it is at rest. */
    assert_true(lp_pressure_deadline(agent) == 23003);
    lp_pressure_run(agent, 23003);
    assert_false(told());
    /* STATE moves its tick whenever it is said; the wait for it ends. */
    agent->report.tick_at_msec = 45000;
    assert_true(lp_pressure_deadline(agent) == 32003);
    /* So that the host knows that it holds, what has not changed is said again after a while. */
    lp_pressure_run(agent, 30003);
    assert_false(told());
    lp_pressure_run(agent, 36003);
    assert_true(told());
    lp_pressure_run(agent, 45003);
    assert_false(told());
    /* A new host is told all the same. */
    lp_pressure_touch(agent, 46000);
    lp_pressure_run(agent, 46000);
    assert_true(told());
}

static void
test_files_are_left_alone(void **data)
{
    char text[200];
    FILE *file;

    (void)data;
    put_all();
    connect_host();
    lp_pressure_touch(agent, 1000);
    for (int i = 0; i < LP_PRESSURE_TRIGGERS; i++)
        assert_int_equal(agent->pressure.trigger_fd[i], -1);
    file = fopen(tree_path("proc/pressure/memory"), "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_string_equal(text, "some avg10=0.50 avg60=7.00 avg300=0.00 total=5\n");
}

/* Two that compete for one processor. */
static void
start_load(pid_t pids[2])
{
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            cpu_set_t first;

            CPU_ZERO(&first);
            CPU_SET(0, &first);
            sched_setaffinity(0, sizeof(first), &first);
            alarm(10);
            for (;;)
                ;
        }
    }
}

static void
end_load(const pid_t pids[2])
{
    for (int i = 0; i < 2; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
}

/* Of this machine's kernel, if it has triggers and lets us. */
static void
test_trigger(void **data)
{
    const LpWatcher *watcher;
    struct epoll_event event;
    pid_t pids[2];
    int64_t now;

    (void)data;
    connect_host();
    agent->options.procfs = "/proc";
    agent->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    lp_pressure_touch(agent, lp_clock_msec());
    lp_pressure_run(agent, lp_clock_msec());
    assert_true(told());
    if (agent->pressure.trigger_fd[0] < 0)
        skip();
    start_load(pids);
    assert_int_equal(epoll_wait(agent->epoll_fd, &event, 1, 8000), 1);
    end_load(pids);
    assert_true(event.events & EPOLLPRI);
    watcher = event.data.ptr;
    watcher->ready(agent, event.events);
    now = lp_clock_msec();
    assert_true(agent->pressure.urgent);
    assert_true(lp_pressure_deadline(agent) <= now + 1000);
    /* At most once a second however often it fires. */
    agent->pressure.looked_at_msec = now;
    agent->pressure.look_at_msec = now + 9000;
    watcher->ready(agent, event.events);
    assert_true(lp_pressure_deadline(agent) >= now + 1000);
    assert_true(lp_pressure_deadline(agent) <= now + 1100);
    /* With nobody to tell it is given back. */
    agent->port.connected = false;
    watcher->ready(agent, event.events);
    for (int i = 0; i < LP_PRESSURE_TRIGGERS; i++)
        assert_int_equal(agent->pressure.trigger_fd[i], -1);
    assert_true(lp_pressure_deadline(agent) == LP_NEVER);
    close(agent->epoll_fd);
}

static int
setup(void **data)
{
    static char sysfs[64], procfs[64];

    (void)data;
    tree_make();
    snprintf(sysfs, sizeof(sysfs), "%s", tree_path("sys"));
    snprintf(procfs, sizeof(procfs), "%s", tree_path("proc"));
    memset(&base, 0, sizeof(base));
    agent = calloc(1, sizeof(*agent));
    assert_non_null(agent);
    agent->options.sysfs = sysfs;
    agent->options.procfs = procfs;
    agent->epoll_fd = agent->port.fd = host = -1;
    agent->report.tick_at_msec = LP_NEVER;
    lp_pressure_init(agent);
    return 0;
}

static int
teardown(void **data)
{
    (void)data;
    if (host >= 0) {
        close(host);
        close(agent->port.fd);
    }
    free(agent);
    tree_drop();
    return 0;
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(test_figures), RUN(test_rates), RUN(test_old_kernel), RUN(test_garbage),
        RUN(test_classes), RUN(test_class_list), RUN(test_class_list_of_long_paths),
        RUN(test_notable), RUN(test_when_to_say),
        RUN(test_files_are_left_alone), RUN(test_trigger),
    };

    return cmocka_run_group_tests_name("pressure", tests, NULL, NULL);
}
