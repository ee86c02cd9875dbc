/* The agent's program itself, on made-up /sys and /proc trees and a socket for its port. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/wire/wire.h"
#include "tests/unit/agent_fixture.h"
#include "tests/unit/tree.h"

#define CPU AGENT_CPU
#define MEM AGENT_MEM

static void
assert_mask(const LpCpuMask *mask, const char *want)
{
    char text[LP_CPUMASK_TEXT];

    assert_string_equal(lp_cpumask_format(mask, text, sizeof(text)), want);
}

static void
test_hello_and_state(void **data)
{
    const LpWireState *state = &heard.state;

    (void)data;
    agent_accept();
    agent_hear(LP_WIRE_HELLO);
    assert_string_equal(heard.hello.kernel, "6.1.0-test");
    assert_string_equal(heard.hello.boot_id, AGENT_BOOT);
    assert_int_equal(heard.hello.caps, LP_WIRE_CAP_CPU_ONLINE | LP_WIRE_CAP_MEM_ONLINE |
                     LP_WIRE_CAP_MEM_MOVABLE | LP_WIRE_CAP_VIRTIO_MEM | LP_WIRE_CAP_PSI |
                     LP_WIRE_CAP_PHASES | LP_WIRE_CAP_PRESSURE | LP_WIRE_CAP_REQUESTS);
    agent_hear(LP_WIRE_STATE);
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
    assert_string_equal(agent_get(MEM "memory32/state"), "online_movable");
    assert_int_equal(state->mem_offline_bytes, 0);
}

static void
test_want_cpus(void **data)
{
    (void)data;
    agent_greet();
    tree_put(CPU "cpu3/online", "1\n");
    tree_put(CPU "online", "0-1,3\n");
    agent_say("{\"t\":\"want\",\"id\":5,"
              "\"cpus\":\"0,2-3\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_int_equal(heard.reply.id, 5);
    assert_true(heard.reply.ok);
    assert_string_equal(heard.reply.error, "");
    assert_string_equal(agent_get(CPU "cpu1/online"), "0");
    assert_string_equal(agent_get(CPU "cpu2/online"), "1");
    assert_string_equal(agent_get(CPU "cpu3/online"), "1\n");    /* as it was: not written */
    agent_hear(LP_WIRE_STATE);
    assert_int_equal(heard.state.want_id, 5);
}

static void
test_vcpu_ids(void **data)
{
    (void)data;
    /* Arrived in the order 0, 3, 1; of the fourth the firmware has not said yet which it is. */
    tree_put(CPU "cpu0/firmware_node/path", "\\_SB_.CPUS.C000\n");
    tree_put(CPU "cpu1/firmware_node/path", "\\_SB_.CPUS.C00A\n");
    tree_put(CPU "cpu2/firmware_node/uid", "1\n");
    agent_greet();
    assert_mask(&heard.state.present, "0-1,10");
    assert_mask(&heard.state.online, "0,10");
    /* It never does: then the kernel's number has to do. */
    agent_hear(LP_WIRE_STATE);
    assert_mask(&heard.state.present, "0-1,3,10");
    agent_say("{\"t\":\"want\",\"id\":1,\"cpus\":\"0-1\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(agent_get(CPU "cpu1/online"), "0");
    assert_string_equal(agent_get(CPU "cpu2/online"), "1");
    assert_string_equal(agent_get(CPU "cpu3/online"), "0\n");
}

static void
test_cpu_zero_is_safe(void **data)
{
    (void)data;
    tree_put(CPU "cpu0/online", "1\n");
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":1,\"cpus\":\"\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(agent_get(CPU "cpu0/online"), "1\n");
    assert_string_equal(agent_get(CPU "cpu1/online"), "0");
}

static void
test_want_fails(void **data)
{
    (void)data;
    assert_int_equal(unlink(tree_path(CPU "cpu2/online")), 0);
    assert_int_equal(mkdir(tree_path(CPU "cpu2/online"), 0755), 0);
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":8,\"cpus\":\"0-9\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_false(heard.reply.ok);
    /* vCPUs 4-9 are not there yet: no failure. */
    assert_mask(&heard.reply.failed, "2");
    assert_non_null(strstr(heard.reply.error, "vCPU 2 cannot be brought online: "));
    assert_string_equal(agent_get(CPU "cpu3/online"), "1");
    agent_hear(LP_WIRE_STATE);
}

static void
test_late_arrivals(void **data)
{
    (void)data;
    tree_put(CPU "present", "0-1\n");
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":2,\"cpus\":\"0-2\",\"mem\":\"kernel\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(agent_get(CPU "cpu2/online"), "0\n");
    agent_hear(LP_WIRE_STATE);
    tree_put(CPU "present", "0-3\n");
    tree_put(MEM "memory40/state", "offline\n");
    kill(agent_pid, SIGHUP);
    agent_hear(LP_WIRE_STATE);
    assert_mask(&heard.state.present, "0-3");
    assert_string_equal(agent_get(CPU "cpu2/online"), "1");
    assert_string_equal(agent_get(CPU "cpu3/online"), "0\n");
    assert_string_equal(agent_get(MEM "memory40/state"), "online_kernel");
}

static void
test_memory_left_alone(void **data)
{
    (void)data;
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":2,\"mem\":\"leave\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    agent_hear(LP_WIRE_STATE);
    tree_put(MEM "memory40/state", "offline\n");
    kill(agent_pid, SIGHUP);
    agent_hear(LP_WIRE_STATE);
    assert_int_equal(heard.state.mem_offline_bytes, AGENT_BLOCK);
    assert_string_equal(agent_get(MEM "memory40/state"), "offline\n");
    /* Nor is it ours where the kernel does it. */
    tree_put(MEM "auto_online_blocks", "online_movable\n");
    agent_say("{\"t\":\"want\",\"id\":3,\"mem\":\"movable\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_true(heard.reply.ok);
    assert_string_equal(agent_get(MEM "memory40/state"), "offline\n");
}

static void
test_watch(void **data)
{
    (void)data;
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":2,\"mem\":\"movable\",\"watch_msec\":60000}\n");
    agent_hear(LP_WIRE_REPLY);
    agent_hear(LP_WIRE_STATE);
    for (unsigned kib = 2000; kib <= 5000; kib += 1000) {
        uint64_t seq = heard.state.seq;

        /* The file is not replaced in one step: a half of it may be seen, and then the whole. */
        agent_put_meminfo(kib);
        do {
            agent_hear(LP_WIRE_STATE);
            assert_true(heard.state.seq > seq);
        } while (heard.state.mem_total_bytes != kib * 1024);
    }
    agent_say("{\"t\":\"want\",\"id\":3,\"mem\":\"movable\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    agent_hear(LP_WIRE_STATE);
    agent_put_meminfo(9000);
    assert_true(agent_is_quiet(300));
}

static void
test_who(void **data)
{
    (void)data;
    agent_greet();
    agent_say("\n{\"t\":\"who\"}\n{\"t\":\"who\"}\n");
    for (int i = 0; i < 2; i++) {
        agent_hear(LP_WIRE_HELLO);
        agent_hear(LP_WIRE_STATE);
    }
}

static void
test_nonsense(void **data)
{
    (void)data;
    agent_greet();
    agent_say("}{\n[]\n\"\n{\"t\":\"want\",\"id\":-1}\n{\"t\":\"later\"}\n{\"t\":\"hello\"}\n"
        "[[[[[[[[[[[[[[\n\x01\xff\xfe\n");
    for (int i = 0; i < 1000; i++)
        agent_say("garbage\n");
    agent_say("{\"t\":\"who\"}\n");
    agent_hear(LP_WIRE_HELLO);
    agent_hear(LP_WIRE_STATE);
    assert_string_equal(agent_get(CPU "cpu1/online"), "1\n");
}

static void
test_too_long(void **data)
{
    char *text = malloc(LP_WIRE_FRAME_MAX + 1);

    (void)data;
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":4,\"mem\":\"leave\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    agent_hear(LP_WIRE_STATE);
    memset(text, ' ', LP_WIRE_FRAME_MAX);
    text[LP_WIRE_FRAME_MAX] = '\0';
    agent_say(text);
    free(text);
    /* A new link, and the desired state is still there. */
    agent_greet();
    assert_int_equal(heard.state.want_id, 4);
}

static void
test_reconnect(void **data)
{
    (void)data;
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":6,\"mem\"");      /* never finished */
    agent_greet();
    assert_int_equal(heard.state.want_id, 0);
    agent_say("{\"t\":\"who\"}\n");
    agent_hear(LP_WIRE_HELLO);
    agent_hear(LP_WIRE_STATE);
}

static void
test_restarted_agent(void **data)
{
    uint64_t seq;

    (void)data;
    agent_greet();
    seq = heard.state.seq;
    agent_end();
    agent_greet();
    assert_true(heard.state.seq > seq);
}

static int
run(const char *arguments)
{
    char command[600];
    int status;

    snprintf(command, sizeof(command), "'%s' %s >'%s' 2>&1", LP_AGENT_PATH, arguments,
             tree_path("out"));
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
    assert_non_null(strstr(agent_get("out"), "lpar-agent "));
    assert_int_equal(run("--nonsense"), 2);
    assert_int_equal(run("dance"), 2);
    assert_int_equal(run("status more"), 2);
    snprintf(arguments, sizeof(arguments), "'%s' --version >/dev/full", LP_AGENT_PATH);
    assert_int_equal(WEXITSTATUS(system(arguments)), 1);
    snprintf(arguments, sizeof(arguments), "--sysfs '%s' --procfs '%s' status",
             tree_path("sys"), tree_path("proc"));
    assert_int_equal(run(arguments), 0);
    assert_non_null(strstr(agent_get("out"), "port:           none named org.lpard.agent.0"));
}

static char *
read_out(void)
{
    static char text[16384];
    FILE *file = fopen(tree_path("out"), "r");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

static void
assert_shown(const char *words)
{
    if (strstr(read_out(), words) == NULL)
        fail_msg("\"%s\" is not in:\n%s", words, read_out());
}

static void
test_status(void **data)
{
    char arguments[400], *line;

    (void)data;
    tree_put("agent.conf", "forbid = hooks\n");
    tree_put("sys/devices/system/memory/auto_online_blocks", "online_kernel\n");
    snprintf(arguments, sizeof(arguments), "--conf '%s' --sysfs '%s' --procfs '%s' status",
             tree_path("agent.conf"), tree_path("sys"), tree_path("proc"));
    assert_int_equal(run(arguments), 0);
    assert_shown("memory-grow         yes");
    assert_shown("memory-shrink       no");
    assert_shown("hooks               no   forbidden by agent.conf of the guest");
    assert_shown("cure: boot the guest with");
    assert_shown("pressure:       cpu 12.34 %, memory 0.50 %");
    assert_shown("forbidden:      hooks\n");
    for (line = strtok(read_out(), "\n"); line != NULL; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 100);
    strcat(arguments, " --json");
    assert_int_equal(run(arguments), 0);
    assert_ptr_equal(strstr(read_out(), "[{\"t\":\"hello\""), read_out());
    assert_shown("\"forbids\":[\"hooks\"]");
    assert_shown("{\"t\":\"pressure\"");
    assert_shown("]}]\n");
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, agent_setup, agent_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(test_hello_and_state), RUN(test_want_cpus), RUN(test_vcpu_ids),
        RUN(test_cpu_zero_is_safe), RUN(test_want_fails), RUN(test_late_arrivals),
        RUN(test_memory_left_alone), RUN(test_watch), RUN(test_who), RUN(test_nonsense),
        RUN(test_too_long), RUN(test_reconnect), RUN(test_restarted_agent),
        RUN(test_command_line), RUN(test_status),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
