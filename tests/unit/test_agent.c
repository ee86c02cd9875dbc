/* The agent's program itself, on made-up /sys and /proc trees and a socket for its port. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/wire/wire.h"

#define PATIENCE_MSEC 10000
#define BOOT "04d95510-5312-4c4c-be7e-ad5a632fe836"
#define BLOCK UINT64_C(0x8000000)
#define CPU "sys/devices/system/cpu/"
#define MEM "sys/devices/system/memory/"

static char root[64];
static pid_t agent_pid = -1;
static int listener = -1, host = -1;
static LpWireReader reader;
static LpWireMessage heard;

static const char *
below(const char *name)
{
    static char path[2][256];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", root, name);
    return path[turn];
}

static void
put(const char *name, const char *text)
{
    char path[256], command[600];
    FILE *file;

    snprintf(path, sizeof(path), "%s", below(name));
    *strrchr(path, '/') = '\0';
    snprintf(command, sizeof(command), "mkdir -p '%s'", path);
    assert_int_equal(system(command), 0);
    file = fopen(below(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *
get(const char *name)
{
    static char text[256];
    FILE *file = fopen(below(name), "r");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

static void
put_meminfo(unsigned kib)
{
    char text[256];

    snprintf(text, sizeof(text), "MemTotal:     %8u kB\nMemFree:      %8u kB\n"
             "MemAvailable: %8u kB\n", kib, kib / 2, kib / 2 + 1);
    put("proc/meminfo", text);
}

static void
make_tree(void)
{
    put(CPU "present", "0-3\n");
    put(CPU "online", "0-1\n");
    put(CPU "hotplug/states", "");
    put(CPU "cpu0/topology/core_id", "0\n");
    put(CPU "cpu1/online", "1\n");
    put(CPU "cpu2/online", "0\n");
    put(CPU "cpu3/online", "0\n");
    put(MEM "block_size_bytes", "8000000\n");
    put(MEM "auto_online_blocks", "offline\n");
    put(MEM "memory0/state", "online\n");
    put(MEM "memory32/state", "offline\n");
    put("sys/bus/virtio/drivers/virtio_mem/virtio3/status", "");
    put("sys/devices/system/node/node1/meminfo",
        "Node 1 MemTotal:  200 kB\nNode 1 MemFree:   20 kB\n");
    put("sys/devices/system/node/node0/meminfo",
        "Node 0 MemTotal:  100 kB\nNode 0 MemFree:   10 kB\n");
    put_meminfo(1000);
    put("proc/loadavg", "1.25 0.50 0.10 1/80 99\n");
    put("proc/sys/kernel/random/boot_id", BOOT "\n");
    put("proc/sys/kernel/osrelease", "6.1.0-test\n");
    put("proc/pressure/cpu", "some avg10=12.34 avg60=0.00 avg300=0.00 total=5\n");
    put("proc/pressure/memory", "some avg10=0.50 avg60=0.00 avg300=0.00 total=5\n");
}

static void
start_agent(void)
{
    char port[300], sys[300], proc[300];

    snprintf(port, sizeof(port), "unix:%s", below("port"));
    snprintf(sys, sizeof(sys), "%s", below("sys"));
    snprintf(proc, sizeof(proc), "%s", below("proc"));
    agent_pid = fork();
    assert_true(agent_pid >= 0);
    if (agent_pid == 0) {
        execl(LP_AGENT_PATH, "lpar-agent", "--port", port, "--sysfs", sys, "--procfs", proc,
              (char *)NULL);
        _exit(127);
    }
}

static int
setup(void **data)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)data;
    strcpy(root, "/tmp/lp-agent-XXXXXX");
    assert_non_null(mkdtemp(root));
    make_tree();
    strcpy(address.sun_path, below("port"));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    return 0;
}

/* The agent ends by itself, in good order: with a sanitizer its verdict is in the status. */
static void
end_agent(void)
{
    int status = -1;

    kill(agent_pid, SIGTERM);
    assert_int_equal(waitpid(agent_pid, &status, 0), agent_pid);
    agent_pid = -1;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int
teardown(void **data)
{
    char command[128];

    (void)data;
    if (agent_pid > 0)
        end_agent();
    if (host >= 0)
        close(host);
    close(listener);
    host = listener = -1;
    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

static void
wait_readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MSEC), 1);
}

static void
accept_agent(void)
{
    if (host >= 0)
        close(host);
    if (agent_pid < 0)
        start_agent();
    wait_readable(listener);
    host = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(host >= 0);
    lp_wire_reader_init(&reader);
}

static void
hear(LpWireKind kind)
{
    LpWireVerdict verdict;
    const char *line, *field = NULL;
    size_t length, room;
    ssize_t n;
    char *space;

    while ((line = lp_wire_reader_next(&reader, &length, &verdict)) == NULL) {
        assert_int_equal(verdict, LP_WIRE_OK);
        wait_readable(host);
        space = lp_wire_reader_space(&reader, &room);
        n = read(host, space, room);
        assert_true(n > 0);
        lp_wire_reader_filled(&reader, (size_t)n);
    }
    verdict = lp_wire_decode(line, length, &heard, &field);
    if (verdict != LP_WIRE_OK)
        print_error("%s: %.*s\n", field, (int)length, line);
    assert_int_equal(verdict, LP_WIRE_OK);
    assert_int_equal(heard.kind, kind);
}

static void
say(const char *text)
{
    assert_int_equal(send(host, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void
assert_mask(const LpCpuMask *mask, const char *want)
{
    char text[LP_CPUMASK_TEXT];

    assert_string_equal(lp_cpumask_format(mask, text, sizeof(text)), want);
}

static void
greet(void)
{
    accept_agent();
    hear(LP_WIRE_HELLO);
    hear(LP_WIRE_STATE);
}

static void
test_hello_and_state(void **data)
{
    const LpWireState *state = &heard.state;

    (void)data;
    accept_agent();
    hear(LP_WIRE_HELLO);
    assert_string_equal(heard.hello.kernel, "6.1.0-test");
    assert_string_equal(heard.hello.boot_id, BOOT);
    assert_int_equal(heard.hello.caps, LP_WIRE_CAP_CPU_ONLINE | LP_WIRE_CAP_MEM_ONLINE |
                     LP_WIRE_CAP_MEM_MOVABLE | LP_WIRE_CAP_VIRTIO_MEM | LP_WIRE_CAP_PSI);
    hear(LP_WIRE_STATE);
    assert_int_equal(state->want_id, 0);
    assert_mask(&state->present, "0-3");
    assert_mask(&state->online, "0-1");
    assert_int_equal(state->mem_total_bytes, 1000 * 1024);
    assert_int_equal(state->mem_free_bytes, 500 * 1024);
    assert_int_equal(state->mem_available_bytes, 501 * 1024);
    assert_int_equal(state->n_cells, 2);
    assert_int_equal(state->cells[0].cell, 0);
    assert_int_equal(state->cells[1].total_bytes, 200 * 1024);
    assert_int_equal(state->cells[1].free_bytes, 20 * 1024);
    assert_int_equal(state->load_centi, 125);
    assert_int_equal(state->psi_cpu_centi, 1234);
    assert_int_equal(state->psi_mem_centi, 50);
    /* The block that waited at the start was brought online before anything was said. */
    assert_string_equal(get(MEM "memory32/state"), "online_movable");
    assert_int_equal(state->mem_offline_bytes, 0);
}

static void
test_want_cpus(void **data)
{
    (void)data;
    greet();
    put(CPU "cpu3/online", "1\n");
    put(CPU "online", "0-1,3\n");
    say("{\"t\":\"want\",\"id\":5,\"cpus\":\"0,2-3\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    assert_int_equal(heard.reply.id, 5);
    assert_true(heard.reply.ok);
    assert_string_equal(heard.reply.error, "");
    assert_string_equal(get(CPU "cpu1/online"), "0");
    assert_string_equal(get(CPU "cpu2/online"), "1");
    assert_string_equal(get(CPU "cpu3/online"), "1\n");    /* as it was: not written */
    hear(LP_WIRE_STATE);
    assert_int_equal(heard.state.want_id, 5);
}

static void
test_vcpu_ids(void **data)
{
    (void)data;
    /* Arrived in the order 0, 3, 1; of the fourth the firmware has not said yet which it is. */
    put(CPU "cpu0/firmware_node/path", "\\_SB_.CPUS.C000\n");
    put(CPU "cpu1/firmware_node/path", "\\_SB_.CPUS.C00A\n");
    put(CPU "cpu2/firmware_node/uid", "1\n");
    greet();
    assert_mask(&heard.state.present, "0-1,10");
    assert_mask(&heard.state.online, "0,10");
    /* It never does: then the kernel's number has to do. */
    hear(LP_WIRE_STATE);
    assert_mask(&heard.state.present, "0-1,3,10");
    say("{\"t\":\"want\",\"id\":1,\"cpus\":\"0-1\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(get(CPU "cpu1/online"), "0");
    assert_string_equal(get(CPU "cpu2/online"), "1");
    assert_string_equal(get(CPU "cpu3/online"), "0\n");
}

static void
test_cpu_zero_is_safe(void **data)
{
    (void)data;
    put(CPU "cpu0/online", "1\n");
    greet();
    say("{\"t\":\"want\",\"id\":1,\"cpus\":\"\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(get(CPU "cpu0/online"), "1\n");
    assert_string_equal(get(CPU "cpu1/online"), "0");
}

static void
test_want_fails(void **data)
{
    (void)data;
    assert_int_equal(unlink(below(CPU "cpu2/online")), 0);
    assert_int_equal(mkdir(below(CPU "cpu2/online"), 0755), 0);
    greet();
    say("{\"t\":\"want\",\"id\":8,\"cpus\":\"0-9\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    assert_false(heard.reply.ok);
    /* vCPUs 4-9 are not there yet: no failure. */
    assert_mask(&heard.reply.failed, "2");
    assert_non_null(strstr(heard.reply.error, "vCPU 2 cannot be brought online: "));
    assert_string_equal(get(CPU "cpu3/online"), "1");
    hear(LP_WIRE_STATE);
}

static void
test_late_arrivals(void **data)
{
    (void)data;
    put(CPU "present", "0-1\n");
    greet();
    say("{\"t\":\"want\",\"id\":2,\"cpus\":\"0-2\",\"mem\":\"kernel\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(get(CPU "cpu2/online"), "0\n");
    hear(LP_WIRE_STATE);
    put(CPU "present", "0-3\n");
    put(MEM "memory40/state", "offline\n");
    kill(agent_pid, SIGHUP);
    hear(LP_WIRE_STATE);
    assert_mask(&heard.state.present, "0-3");
    assert_string_equal(get(CPU "cpu2/online"), "1");
    assert_string_equal(get(CPU "cpu3/online"), "0\n");
    assert_string_equal(get(MEM "memory40/state"), "online_kernel");
}

static void
test_memory_left_alone(void **data)
{
    (void)data;
    greet();
    say("{\"t\":\"want\",\"id\":2,\"mem\":\"leave\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    hear(LP_WIRE_STATE);
    put(MEM "memory40/state", "offline\n");
    kill(agent_pid, SIGHUP);
    hear(LP_WIRE_STATE);
    assert_int_equal(heard.state.mem_offline_bytes, BLOCK);
    assert_string_equal(get(MEM "memory40/state"), "offline\n");
    /* Nor is it ours where the kernel does it. */
    put(MEM "auto_online_blocks", "online_movable\n");
    say("{\"t\":\"want\",\"id\":3,\"mem\":\"movable\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(get(MEM "memory40/state"), "offline\n");
}

static void
test_watch(void **data)
{
    struct pollfd quiet = { .fd = -1, .events = POLLIN };

    (void)data;
    greet();
    say("{\"t\":\"want\",\"id\":2,\"mem\":\"movable\",\"watch_msec\":60000}\n");
    hear(LP_WIRE_REPLY);
    hear(LP_WIRE_STATE);
    for (unsigned kib = 2000; kib <= 5000; kib += 1000) {
        uint64_t seq = heard.state.seq;

        /* The file is not replaced in one step: a half of it may be seen, and then the whole. */
        put_meminfo(kib);
        do {
            hear(LP_WIRE_STATE);
            assert_true(heard.state.seq > seq);
        } while (heard.state.mem_total_bytes != kib * 1024);
    }
    say("{\"t\":\"want\",\"id\":3,\"mem\":\"movable\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    hear(LP_WIRE_STATE);
    put_meminfo(9000);
    quiet.fd = host;
    assert_int_equal(poll(&quiet, 1, 300), 0);
}

static void
test_who(void **data)
{
    (void)data;
    greet();
    say("\n{\"t\":\"who\"}\n{\"t\":\"who\"}\n");
    for (int i = 0; i < 2; i++) {
        hear(LP_WIRE_HELLO);
        hear(LP_WIRE_STATE);
    }
}

static void
test_nonsense(void **data)
{
    (void)data;
    greet();
    say("}{\n[]\n\"\n{\"t\":\"want\",\"id\":-1}\n{\"t\":\"later\"}\n{\"t\":\"hello\"}\n"
        "[[[[[[[[[[[[[[\n\x01\xff\xfe\n");
    for (int i = 0; i < 1000; i++)
        say("garbage\n");
    say("{\"t\":\"who\"}\n");
    hear(LP_WIRE_HELLO);
    hear(LP_WIRE_STATE);
    assert_string_equal(get(CPU "cpu1/online"), "1\n");
}

static void
test_too_long(void **data)
{
    char *text = malloc(LP_WIRE_FRAME_MAX + 1);

    (void)data;
    greet();
    say("{\"t\":\"want\",\"id\":4,\"mem\":\"leave\",\"watch_msec\":0}\n");
    hear(LP_WIRE_REPLY);
    hear(LP_WIRE_STATE);
    memset(text, ' ', LP_WIRE_FRAME_MAX);
    text[LP_WIRE_FRAME_MAX] = '\0';
    say(text);
    free(text);
    /* A new link, and the desired state is still there. */
    greet();
    assert_int_equal(heard.state.want_id, 4);
}

static void
test_reconnect(void **data)
{
    (void)data;
    greet();
    say("{\"t\":\"want\",\"id\":6,\"mem\"");      /* never finished */
    greet();
    assert_int_equal(heard.state.want_id, 0);
    say("{\"t\":\"who\"}\n");
    hear(LP_WIRE_HELLO);
    hear(LP_WIRE_STATE);
}

static void
test_restarted_agent(void **data)
{
    uint64_t seq;

    (void)data;
    greet();
    seq = heard.state.seq;
    end_agent();
    greet();
    assert_true(heard.state.seq > seq);
}

static int
run(const char *arguments)
{
    char command[600];
    int status;

    snprintf(command, sizeof(command), "'%s' %s >'%s' 2>&1", LP_AGENT_PATH, arguments,
             below("out"));
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_command_line(void **data)
{
    char arguments[300];

    (void)data;
    assert_int_equal(run("--help"), 0);
    assert_int_equal(run("--version"), 0);
    assert_non_null(strstr(get("out"), "lpar-agent "));
    assert_int_equal(run("--nonsense"), 2);
    assert_int_equal(run("dance"), 2);
    assert_int_equal(run("status more"), 2);
    snprintf(arguments, sizeof(arguments), "'%s' --version >/dev/full", LP_AGENT_PATH);
    assert_int_equal(WEXITSTATUS(system(arguments)), 1);
    snprintf(arguments, sizeof(arguments), "--sysfs '%s/sys' --procfs '%s/proc' status", root,
             root);
    assert_int_equal(run(arguments), 0);
    assert_non_null(strstr(get("out"), "port:           none named org.lpard.agent.0"));
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(test_hello_and_state), RUN(test_want_cpus), RUN(test_vcpu_ids),
        RUN(test_cpu_zero_is_safe), RUN(test_want_fails), RUN(test_late_arrivals),
        RUN(test_memory_left_alone), RUN(test_watch), RUN(test_who), RUN(test_nonsense),
        RUN(test_too_long), RUN(test_reconnect), RUN(test_restarted_agent),
        RUN(test_command_line),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
