#include "tests/unit/agent_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/tree.h"

#define PATIENCE_MSEC 20000

pid_t agent_pid = -1;
int agent_host = -1;
LpWireMessage heard;
static int listener = -1;
static LpWireReader reader;

const char *
agent_get(const char *name)
{
    static char text[65536];
    FILE *file = fopen(tree_path(name), "r");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

void
agent_put_meminfo(unsigned kib)
{
    char text[256];

    snprintf(text, sizeof(text), "MemTotal:     %8u kB\nMemFree:      %8u kB\n"
             "MemAvailable: %8u kB\n", kib, kib / 2, kib / 2 + 1);
    tree_put("proc/meminfo", text);
}

void
agent_put_conf(const char *lines)
{
    char text[1024];

    snprintf(text, sizeof(text), "socket = none\nhooks = %s\nclasses = %s\n%s",
             tree_path("agent.d"), tree_path("classes.conf"), lines);
    tree_put("agent.conf", text);
}

static void
make_files(void)
{
    tree_put(AGENT_CPU "present", "0-3\n");
    tree_put(AGENT_CPU "online", "0-1\n");
    tree_put(AGENT_CPU "hotplug/states", "");
    tree_put(AGENT_CPU "cpu0/topology/core_id", "0\n");
    tree_put(AGENT_CPU "cpu1/online", "1\n");
    tree_put(AGENT_CPU "cpu2/online", "0\n");
    tree_put(AGENT_CPU "cpu3/online", "0\n");
    tree_put(AGENT_MEM "block_size_bytes", "8000000\n");
    tree_put(AGENT_MEM "auto_online_blocks", "offline\n");
    tree_put(AGENT_MEM "memory0/state", "online\n");
    tree_put(AGENT_MEM "memory32/state", "offline\n");
    tree_put("sys/bus/virtio/drivers/virtio_mem/virtio3/status", "");
    tree_put("sys/devices/system/node/node1/meminfo",
             "Node 1 MemTotal:  200 kB\nNode 1 MemFree:   20 kB\n");
    tree_put("sys/devices/system/node/node0/meminfo",
             "Node 0 MemTotal:  100 kB\nNode 0 MemFree:   10 kB\n");
    agent_put_meminfo(1000);
    tree_put("proc/loadavg", "1.25 0.50 0.10 1/80 99\n");
    tree_put("proc/sys/kernel/random/boot_id", AGENT_BOOT "\n");
    tree_put("proc/sys/kernel/osrelease", "6.1.0-test\n");
    tree_put("proc/pressure/cpu", "some avg10=12.34 avg60=0.00 avg300=0.00 total=5\n");
    tree_put("proc/pressure/memory", "some avg10=0.50 avg60=0.00 avg300=0.00 total=5\n");
    agent_put_conf("");
}

static void
start_agent(void)
{
    char port[300];

    snprintf(port, sizeof(port), "unix:%s", tree_path("port"));
    agent_pid = fork();
    assert_true(agent_pid >= 0);
    if (agent_pid == 0) {
        int log = open(tree_path("log"), O_WRONLY | O_CREAT | O_APPEND, 0644);

        dup2(log, STDERR_FILENO);
        close(log);
        /* One that whoever starts it has forgotten to close. */
        dup2(STDERR_FILENO, 4);
        execl(LP_AGENT_PATH, "lpar-agent", "--port", port, "--sysfs", tree_path("sys"),
              "--procfs", tree_path("proc"), "--conf", tree_path("agent.conf"), "--verbose",
              (char *)NULL);
        _exit(127);
    }
}

int
agent_setup(void **data)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)data;
    tree_make();
    make_files();
    strcpy(address.sun_path, tree_path("port"));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    return 0;
}

/* The agent ends by itself, in good order: with a sanitizer its verdict is in the status. */
void
agent_end(void)
{
    int status = -1;

    kill(agent_pid, SIGTERM);
    assert_int_equal(waitpid(agent_pid, &status, 0), agent_pid);
    agent_pid = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        print_error("%s\n", agent_get("log"));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

void
agent_hang_up(void)
{
    if (agent_host >= 0)
        close(agent_host);
    close(listener);
    agent_host = listener = -1;
    unlink(tree_path("port"));
}

int
agent_teardown(void **data)
{
    (void)data;
    if (agent_pid > 0)
        agent_end();
    agent_hang_up();
    tree_drop();
    return 0;
}

static void
wait_readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    if (poll(&poll_fd, 1, PATIENCE_MSEC) != 1)
        fail_msg("nothing came; the agent says:\n%s", agent_get("log"));
}

void
agent_accept(void)
{
    if (agent_host >= 0)
        close(agent_host);
    if (agent_pid < 0)
        start_agent();
    wait_readable(listener);
    agent_host = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(agent_host >= 0);
    lp_wire_reader_init(&reader);
}

/* NULL: there is no whole line. */
static const char *
take_line(size_t *ret_length)
{
    LpWireVerdict verdict;
    const char *line = lp_wire_reader_next(&reader, ret_length, &verdict);

    if (line == NULL)
        assert_int_equal(verdict, LP_WIRE_OK);
    return line;
}

static void
fill(void)
{
    size_t room;
    char *space = lp_wire_reader_space(&reader, &room);
    ssize_t n = read(agent_host, space, room);

    assert_true(n > 0);
    lp_wire_reader_filled(&reader, (size_t)n);
}

static void
decode(const char *line, size_t length)
{
    const char *field = NULL;
    LpWireVerdict verdict = lp_wire_decode(line, length, &heard, &field);

    if (verdict != LP_WIRE_OK)
        print_error("%s: %.*s\n", field, (int)length, line);
    assert_int_equal(verdict, LP_WIRE_OK);
}

/* What the agent tells at a time of its own, which may be just before what is waited for. */
static bool
is_aside(LpWireKind kind)
{
    return heard.kind != kind &&
           (heard.kind == LP_WIRE_PRESSURE ||
            (heard.kind == LP_WIRE_STATE && kind == LP_WIRE_ANSWER));
}

void
agent_hear(LpWireKind kind)
{
    do {
        const char *line;
        size_t length;

        while ((line = take_line(&length)) == NULL) {
            wait_readable(agent_host);
            fill();
        }
        decode(line, length);
    } while (is_aside(kind));
    if (heard.kind != kind)
        print_error("%s\n", agent_get("log"));
    assert_int_equal(heard.kind, kind);
}

bool
agent_is_quiet(int msec)
{
    struct pollfd poll_fd = { .fd = agent_host, .events = POLLIN };

    for (;;) {
        const char *line;
        size_t length;

        while ((line = take_line(&length)) != NULL) {
            decode(line, length);
            if (heard.kind != LP_WIRE_PRESSURE)
                return false;
        }
        if (poll(&poll_fd, 1, msec) == 0)
            return true;
        fill();
    }
}

void
agent_say(const char *text)
{
    assert_int_equal(send(agent_host, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void
agent_greet(void)
{
    agent_accept();
    agent_hear(LP_WIRE_HELLO);
    agent_hear(LP_WIRE_STATE);
}
