/* Programs of the guest on the agent's socket: the agent is the program itself, the test is the
 * host and the programs. */
#include <errno.h>
#include <fcntl.h>
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

#include "agent/apps.h"
#include "agent/lib/lpar-agent.h"
#include "tests/unit/agent_fixture.h"
#include "tests/unit/tree.h"

#define PATIENCE_MSEC 20000
/* "At once", on a busy machine and with a sanitizer; each deadline that must not be waited for is
 * much longer. */
#define SOON_MSEC 4000
#define LONG_MSEC 60000

typedef struct {
    int fd;
    LpWireReader reader;
} Program;

static Program etl, web, other;
static LpWireMessage told;
static pid_t child = -1;

static int64_t
clock_msec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
put_conf(const char *lines)
{
    char text[300];

    snprintf(text, sizeof(text), "socket = %s\n%s", tree_path("apps"), lines);
    agent_put_conf(text);
}

static int
setup(void **data)
{
    int status = agent_setup(data);

    etl.fd = web.fd = other.fd = -1;
    agent_put_meminfo(8u << 20);
    put_conf("");
    return status;
}

static void
leave(Program *program)
{
    if (program->fd >= 0)
        close(program->fd);
    program->fd = -1;
}

static int
teardown(void **data)
{
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = -1;
    }
    leave(&etl);
    leave(&web);
    leave(&other);
    return agent_teardown(data);
}

/* --- programs --- */

static void
join(Program *program)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(address.sun_path, tree_path("apps"));
    program->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(program->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    lp_wire_reader_init(&program->reader);
}

/* False: the agent has ended the link. */
static bool
say(Program *program, const char *text, size_t length)
{
    return send(program->fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void __attribute__((format(printf, 2, 3)))
says(Program *program, const char *format, ...)
{
    char text[1024];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_true(say(program, text, (size_t)length));
}

static void
subscribe(Program *program, const char *name, const char *resources, bool consults)
{
    join(program);
    says(program, "{\"t\":\"subscribe\",\"name\":\"%s\",\"cpu\":%s,\"mem\":%s,\"units\":false,"
         "\"consults\":%s}\n", name, strstr(resources, "cpu") != NULL ? "true" : "false",
         strstr(resources, "mem") != NULL ? "true" : "false", consults ? "true" : "false");
}

/* The next message to it in `told`; false: the link has ended, or nothing came in time. */
static bool
hears(Program *program, int msec)
{
    struct pollfd poll_fd = { .fd = program->fd, .events = POLLIN };
    LpWireVerdict verdict;
    const char *line;
    size_t length, room;
    char *space;
    ssize_t n;

    while ((line = lp_wire_reader_next(&program->reader, &length, &verdict)) == NULL) {
        if (poll(&poll_fd, 1, msec) <= 0)
            return false;
        space = lp_wire_reader_space(&program->reader, &room);
        n = read(program->fd, space, room);
        if (n <= 0)
            return false;
        lp_wire_reader_filled(&program->reader, (size_t)n);
    }
    assert_int_equal(lp_wire_decode(line, length, &told, NULL), LP_WIRE_OK);
    return true;
}

static bool
is_dropped(Program *program)
{
    struct pollfd poll_fd = { .fd = program->fd, .events = POLLIN };
    char bytes[4096];
    ssize_t n;

    do {
        if (poll(&poll_fd, 1, PATIENCE_MSEC) <= 0)
            return false;
        n = read(program->fd, bytes, sizeof(bytes));
    } while (n > 0);
    return true;
}

static void
hears_phase(Program *program, uint64_t id, LpWirePhaseName phase)
{
    assert_true(hears(program, PATIENCE_MSEC));
    assert_int_equal(told.kind, LP_WIRE_PHASE);
    assert_int_equal(told.phase.id, id);
    assert_int_equal(told.phase.phase, phase);
}

static void
answers(Program *program, uint64_t id, const char *phase, const char *veto)
{
    says(program, "{\"t\":\"answer\",\"id\":%llu,\"phase\":\"%s\",\"verdict\":\"%s\",\"by\":\"\","
         "\"reason\":\"%s\"}\n", (unsigned long long)id, phase, veto != NULL ? "veto" : "ok",
         veto != NULL ? veto : "");
}

/* --- the host --- */

static void
phase(uint64_t id, const char *name, const char *amounts, int deadline_msec, bool force)
{
    char text[400];

    snprintf(text, sizeof(text), "{\"t\":\"phase\",\"id\":%llu,\"phase\":\"%s\",\"force\":%s,"
             "\"deadline_msec\":%d,%s}\n", (unsigned long long)id, name, force ? "true" : "false",
             deadline_msec, amounts);
    agent_say(text);
}

#define GROW_CPU "\"cpu_from\":1,\"cpu_to\":2"
#define GROW_MEM "\"mem_from_bytes\":1073741824,\"mem_to_bytes\":2147483648"
#define SHRINK_MEM "\"mem_from_bytes\":2147483648,\"mem_to_bytes\":1610612736"
#define STAY_MEM "\"mem_from_bytes\":2147483648,\"mem_to_bytes\":2147483648"

static void
host_hears(LpWireAnswerVerdict verdict, const char *by, const char *reason)
{
    agent_hear(LP_WIRE_ANSWER);
    if (heard.answer.verdict != verdict)
        print_error("%s: %s\n", heard.answer.by, heard.answer.reason);
    assert_int_equal(heard.answer.verdict, verdict);
    assert_string_equal(heard.answer.by, by);
    assert_string_equal(heard.answer.reason, reason);
}

/* A message of a program has no answer, so the agent is known to have taken it in when it has
 * answered one that came later on the same link; a request always has an answer. */
static void
settle(Program *program)
{
    static unsigned id = 1000;

    says(program, "{\"t\":\"ask\",\"id\":%u,\"cpu_mode\":\"set\",\"cpu\":1,\"who\":\"\","
         "\"why\":\"\"}\n", ++id);
    do {
        assert_true(hears(program, PATIENCE_MSEC));
    } while (told.kind == LP_WIRE_PHASE);
    assert_int_equal(told.kind, LP_WIRE_RESULT);
    assert_string_equal(told.result.state, "refused");
}

static void
start(const char *conf)
{
    put_conf(conf);
    agent_greet();
}

/* Whatever the others have done, it serves a program that behaves; requests must be forbidden. */
static void
is_alive(uint64_t id)
{
    Program probe;

    subscribe(&probe, "probe", "mem", true);
    settle(&probe);
    phase(id, "check", GROW_MEM, LONG_MSEC, false);
    hears_phase(&probe, id, LP_WIRE_PHASE_CHECK);
    answers(&probe, id, "check", "alive");
    host_hears(LP_WIRE_ANSWER_VETO, "program probe", "alive");
    leave(&probe);
}

/* --- phases --- */

static void
test_told_what_was_asked_for(void **data)
{
    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "mem", true);
    subscribe(&web, "web", "cpu", false);
    subscribe(&other, "other", "", true);
    settle(&etl);
    settle(&web);
    settle(&other);
    phase(7, "check", GROW_CPU "," GROW_MEM, LONG_MSEC, true);
    hears_phase(&etl, 7, LP_WIRE_PHASE_CHECK);
    assert_true(told.phase.has_mem && !told.phase.has_cpu && !told.phase.has_units);
    assert_int_equal(told.phase.mem_from_bytes, UINT64_C(1) << 30);
    assert_int_equal(told.phase.mem_to_bytes, UINT64_C(2) << 30);
    assert_true(told.phase.force);
    assert_in_range(told.phase.deadline_msec, LONG_MSEC / 2, LONG_MSEC);
    hears_phase(&web, 7, LP_WIRE_PHASE_CHECK);
    assert_true(told.phase.has_cpu && !told.phase.has_mem);
    assert_int_equal(told.phase.cpu_from, 1);
    assert_int_equal(told.phase.cpu_to, 2);
    answers(&etl, 7, "check", NULL);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    /* Nobody is asked when it is over, and what did not come is said too. */
    phase(7, "undo", STAY_MEM, LONG_MSEC, false);
    hears_phase(&etl, 7, LP_WIRE_PHASE_UNDO);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    phase(7, "post", STAY_MEM, LONG_MSEC, false);
    hears_phase(&etl, 7, LP_WIRE_PHASE_POST);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    assert_false(hears(&web, 0));
    assert_false(hears(&other, 0));
}

static void
test_veto(void **data)
{
    int64_t began;

    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "cpu mem", true);
    subscribe(&web, "web", "mem", true);
    settle(&etl);
    settle(&web);
    began = clock_msec();
    phase(1, "check", GROW_MEM, LONG_MSEC, false);
    hears_phase(&web, 1, LP_WIRE_PHASE_CHECK);
    answers(&web, 1, "check", "licence of 1 GiB");
    /* The first veto is enough: the other is not waited for. */
    host_hears(LP_WIRE_ANSWER_VETO, "program web", "licence of 1 GiB");
    assert_true(clock_msec() - began < LONG_MSEC / 2);
    hears_phase(&etl, 1, LP_WIRE_PHASE_CHECK);
    answers(&etl, 1, "check", "too late");
    /* A veto may have no reason; PRE may be vetoed too. */
    phase(2, "pre", GROW_CPU, LONG_MSEC, false);
    hears_phase(&etl, 2, LP_WIRE_PHASE_PRE);
    answers(&etl, 2, "pre", "");
    host_hears(LP_WIRE_ANSWER_VETO, "program etl", "no reason given");
}

static void
test_forced(void **data)
{
    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "mem", true);
    subscribe(&web, "web", "mem", true);
    settle(&etl);
    settle(&web);
    phase(1, "check", GROW_MEM, LONG_MSEC, true);
    hears_phase(&etl, 1, LP_WIRE_PHASE_CHECK);
    hears_phase(&web, 1, LP_WIRE_PHASE_CHECK);
    answers(&etl, 1, "check", "first");
    /* It is not heeded, so the other may still make ready. */
    assert_true(agent_is_quiet(300));
    answers(&web, 1, "check", "second");
    host_hears(LP_WIRE_ANSWER_VETO, "program etl", "first");
}

static void
test_silent(void **data)
{
    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "mem", true);
    settle(&etl);
    for (unsigned id = 1; id <= 3; id++) {
        phase(id, "check", GROW_MEM, 600, false);
        host_hears(LP_WIRE_ANSWER_OK, "program etl", "has not answered in time");
        hears_phase(&etl, id, LP_WIRE_PHASE_CHECK);
    }
    /* A veto after the deadline changes nothing. */
    answers(&etl, 3, "check", "late");
    settle(&etl);
    /* Three times is enough: it is told, and not waited for. */
    phase(4, "check", GROW_MEM, LONG_MSEC, false);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    hears_phase(&etl, 4, LP_WIRE_PHASE_CHECK);
    assert_true(agent_is_quiet(100));
}

static void
test_silent_until_it_answers(void **data)
{
    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "mem", true);
    subscribe(&web, "web", "mem", true);
    settle(&etl);
    settle(&web);
    for (unsigned id = 1; id <= 3; id++) {
        phase(id, "check", GROW_MEM, 600, false);
        hears_phase(&web, id, LP_WIRE_PHASE_CHECK);
        answers(&web, id, "check", NULL);
        host_hears(LP_WIRE_ANSWER_OK, "program etl", "has not answered in time");
        hears_phase(&etl, id, LP_WIRE_PHASE_CHECK);
    }
    /* It is back: it answers while another is waited for. */
    phase(4, "check", GROW_MEM, LONG_MSEC, false);
    hears_phase(&etl, 4, LP_WIRE_PHASE_CHECK);
    answers(&etl, 4, "check", NULL);
    settle(&etl);
    hears_phase(&web, 4, LP_WIRE_PHASE_CHECK);
    answers(&web, 4, "check", NULL);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    phase(5, "check", GROW_MEM, LONG_MSEC, false);
    hears_phase(&etl, 5, LP_WIRE_PHASE_CHECK);
    hears_phase(&web, 5, LP_WIRE_PHASE_CHECK);
    answers(&web, 5, "check", NULL);
    assert_true(agent_is_quiet(200));
    answers(&etl, 5, "check", "awake");
    host_hears(LP_WIRE_ANSWER_VETO, "program etl", "awake");
}

static void
test_leaves_while_asked(void **data)
{
    int64_t began;

    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "mem", true);
    settle(&etl);
    began = clock_msec();
    phase(1, "check", GROW_MEM, LONG_MSEC, false);
    hears_phase(&etl, 1, LP_WIRE_PHASE_CHECK);
    leave(&etl);
    host_hears(LP_WIRE_ANSWER_OK, "program etl", "has left without an answer");
    assert_true(clock_msec() - began < LONG_MSEC / 2);
}

static void
test_wrong_answers(void **data)
{
    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "mem", true);
    subscribe(&web, "web", "mem", false);
    answers(&etl, 9, "check", "before anything");
    settle(&etl);
    settle(&web);
    phase(9, "check", GROW_MEM, LONG_MSEC, false);
    hears_phase(&etl, 9, LP_WIRE_PHASE_CHECK);
    answers(&etl, 8, "check", "another id");
    answers(&etl, 9, "pre", "another phase");
    answers(&web, 9, "check", "not consulted");
    settle(&web);
    answers(&etl, 9, "check", NULL);
    answers(&etl, 9, "check", "changed its mind");
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    settle(&etl);
    is_alive(10);
}

/* --- bad programs --- */

static void
test_junk(void **data)
{
    static const char zeros[] = "\0\0\0\n";
    char deep[1001];

    (void)data;
    start("forbid = requests\n");
    join(&etl);
    /* Of a newer program: passed over. */
    for (int i = 0; i < 20; i++)
        says(&etl, "{\"t\":\"later\"}\n");
    settle(&etl);
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\n';
    say(&etl, deep, sizeof(deep));
    say(&etl, zeros, sizeof(zeros) - 1);
    says(&etl, "}{\n\"\n[]\n{\"t\":\"subscribe\"}\n");
    settle(&etl);
    for (int i = 0; i < 10; i++)
        say(&etl, "garbage\n", 8);
    assert_true(is_dropped(&etl));
    is_alive(1);
}

static void
test_not_a_programs_words(void **data)
{
    (void)data;
    start("forbid = requests\n");
    join(&etl);
    says(&etl, "{\"t\":\"who\"}\n");
    assert_true(is_dropped(&etl));
    subscribe(&web, "web", "mem", true);
    says(&web, "{\"t\":\"subscribe\",\"name\":\"b\",\"cpu\":true,\"mem\":true,\"units\":true,"
         "\"consults\":true}\n");
    assert_true(is_dropped(&web));
    is_alive(1);
}

static void
test_long_line(void **data)
{
    char *bytes = malloc(1 << 20);

    (void)data;
    start("forbid = requests\n");
    memset(bytes, ' ', 1 << 20);
    join(&etl);
    say(&etl, bytes, LP_WIRE_FRAME_MAX);
    assert_true(is_dropped(&etl));
    assert_non_null(strstr(agent_get("log"), "sent a line that is too long"));
    join(&web);
    for (int i = 0; i < 10; i++) {
        if (!say(&web, bytes, 1 << 20))
            break;
    }
    free(bytes);
    assert_true(is_dropped(&web));
    is_alive(1);
}

static void
test_flood(void **data)
{
    char *bytes = malloc(1 << 20);

    (void)data;
    start("forbid = requests\n");
    /* More messages than a program sends in a second, in few bytes. */
    subscribe(&etl, "etl", "mem", true);
    settle(&etl);
    for (int i = 0; i < 150; i++)
        memcpy(bytes + 13 * i, "{\"t\":\"more\"}\n", 13);
    say(&etl, bytes, 150 * 13);
    assert_true(is_dropped(&etl));
    assert_non_null(strstr(agent_get("log"), "sends too many messages"));
    /* Lines that are not even messages. */
    join(&web);
    memset(bytes, '\n', 1 << 20);
    for (int i = 0; i < 100; i++) {
        if (!say(&web, bytes, 1 << 20))
            break;
    }
    free(bytes);
    assert_true(is_dropped(&web));
    assert_non_null(strstr(agent_get("log"), "sends too much"));
    is_alive(1);
}

static void
test_reads_nothing(void **data)
{
    unsigned id = 0;

    (void)data;
    start("forbid = requests\n");
    subscribe(&etl, "etl", "mem", false);
    settle(&etl);
    /* Much more than the socket and the agent's queue for it hold. */
    for (id = 1; id < 4000; id++) {
        phase(id, "check", GROW_MEM, LONG_MSEC, false);
        agent_hear(LP_WIRE_ANSWER);
        if (strstr(agent_get("log"), "does not read") != NULL)
            break;
    }
    assert_true(id < 4000);
    assert_true(is_dropped(&etl));
    is_alive(5000);
}

static void
test_too_many(void **data)
{
    static const char asking[] = "{\"t\":\"ask\",\"id\":1,\"cpu_mode\":\"set\",\"cpu\":1,"
                                 "\"who\":\"\",\"why\":\"\"}\n";
    static Program crowd[LP_APPS_MAX];

    (void)data;
    start("forbid = requests\n");
    for (unsigned i = 0; i < LP_APPS_MAX; i++) {
        subscribe(&crowd[i], "crowd", "cpu", true);
        settle(&crowd[i]);
    }
    join(&etl);
    assert_true(is_dropped(&etl));
    leave(&etl);
    leave(&crowd[3]);
    /* The place is free when the agent has seen it. */
    do {
        leave(&etl);
        join(&etl);
    } while (!say(&etl, asking, sizeof(asking) - 1) || !hears(&etl, PATIENCE_MSEC));
    assert_int_equal(told.kind, LP_WIRE_RESULT);
    for (unsigned i = 0; i < LP_APPS_MAX; i++)
        leave(&crowd[i]);
}

/* --- requests --- */

static void
ask(Program *program, unsigned id)
{
    says(program, "{\"t\":\"ask\",\"id\":%u,\"mem_mode\":\"add\",\"mem_bytes\":1073741824,"
         "\"who\":\"the king\",\"why\":\"import\"}\n", id);
}

static void
result(uint64_t id, bool final, unsigned operation, const char *state, const char *text)
{
    char line[300];

    snprintf(line, sizeof(line), "{\"t\":\"result\",\"id\":%llu,\"final\":%s,\"operation\":%u,"
             "\"state\":\"%s\",\"message\":\"%s\"}\n", (unsigned long long)id,
             final ? "true" : "false", operation, state, text);
    agent_say(line);
}

static void
hears_result(Program *program, uint64_t id, bool final, const char *state, const char *text)
{
    assert_true(hears(program, PATIENCE_MSEC));
    assert_int_equal(told.kind, LP_WIRE_RESULT);
    assert_int_equal(told.result.id, id);
    assert_int_equal(told.result.final, final);
    assert_string_equal(told.result.state, state);
    assert_non_null(strstr(told.result.message, text));
}

static void
test_ask(void **data)
{
    uint64_t first, second;
    char who[64];

    (void)data;
    start("");
    subscribe(&etl, "etl", "mem", false);
    join(&web);
    ask(&etl, 5);
    agent_hear(LP_WIRE_ASK);
    first = heard.ask.id;
    snprintf(who, sizeof(who), "etl pid %d", (int)getpid());
    assert_string_equal(heard.ask.who, who);
    assert_string_equal(heard.ask.why, "import");
    assert_true(heard.ask.has_mem && !heard.ask.has_cpu);
    assert_int_equal(heard.ask.mem_mode, LP_WIRE_MODE_ADD);
    assert_int_equal(heard.ask.mem_bytes, UINT64_C(1) << 30);
    /* Another program's of the same id is another request. */
    ask(&web, 5);
    agent_hear(LP_WIRE_ASK);
    second = heard.ask.id;
    assert_int_not_equal(first, second);
    assert_non_null(strstr(heard.ask.who, "unknown pid "));
    result(first, false, 12, "running", "");
    hears_result(&etl, 5, false, "running", "");
    assert_int_equal(told.result.operation, 12);
    result(second, true, 0, "refused", "above the maximum");
    hears_result(&web, 5, true, "refused", "above the maximum");
    /* Once is enough: what is final is forgotten. */
    result(second, true, 0, "done", "");
    result(first + 77, true, 0, "done", "");
    result(first, true, 12, "done", "2 GiB");
    hears_result(&etl, 5, true, "done", "2 GiB");
    assert_false(hears(&web, 100));
}

static void
test_ask_refused(void **data)
{
    (void)data;
    start("");
    join(&etl);
    ask(&etl, 1);
    agent_hear(LP_WIRE_ASK);
    /* The same id again: the first one's answer is still to come. */
    ask(&etl, 1);
    ask(&etl, 2);
    hears_result(&etl, 2, true, "refused", "once in 5 seconds");
    result(heard.ask.id, true, 0, "done", "");
    hears_result(&etl, 1, true, "done", "");
    /* By programs that connect anew for each: only so many in all are under way. */
    for (int i = 0; i < 30; i++) {
        leave(&web);
        join(&web);
        ask(&web, 1);
        if (hears(&web, i < 8 ? 50 : PATIENCE_MSEC))
            break;
        agent_hear(LP_WIRE_ASK);
    }
    assert_string_equal(told.result.state, "refused");
    assert_non_null(strstr(told.result.message, "under way"));
}

static void
test_ask_forbidden(void **data)
{
    (void)data;
    start("forbid = requests\n");
    join(&etl);
    ask(&etl, 1);
    hears_result(&etl, 1, true, "refused", "forbidden");
    assert_true(agent_is_quiet(100));
}

static void
test_host_lost(void **data)
{
    (void)data;
    start("");
    join(&etl);
    ask(&etl, 1);
    agent_hear(LP_WIRE_ASK);
    agent_hang_up();
    hears_result(&etl, 1, true, "unreachable", "the host has gone");
    join(&web);
    ask(&web, 1);
    hears_result(&web, 1, true, "refused", "no host is connected");
}

/* --- the socket --- */

static void
test_socket(void **data)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat info;
    int dead;

    (void)data;
    /* An agent that was killed has left its socket behind. */
    strcpy(address.sun_path, tree_path("run"));
    assert_int_equal(mkdir(tree_path("run"), 0755), 0);
    strcat(address.sun_path, "/s");
    dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
    close(dead);
    agent_put_conf("");
    put_conf("");
    {
        char line[300];

        snprintf(line, sizeof(line), "socket = %s\nsocket-group = %u\n", address.sun_path,
                 (unsigned)getegid());
        agent_put_conf(line);
    }
    agent_greet();
    assert_int_equal(stat(address.sun_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
    assert_int_equal(info.st_gid, getegid());
    agent_end();
    assert_int_equal(access(address.sun_path, F_OK), -1);
    /* Without a group it is the owner's alone; the directory is made. */
    assert_int_equal(rmdir(tree_path("run")), 0);
    {
        char line[300];

        snprintf(line, sizeof(line), "socket = %s\n", address.sun_path);
        agent_put_conf(line);
    }
    agent_greet();
    assert_int_equal(stat(address.sun_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(tree_path("run"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0755);
}

static void
test_socket_taken(void **data)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int living;

    (void)data;
    strcpy(address.sun_path, tree_path("apps"));
    living = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(living, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(living, 1), 0);
    agent_greet();
    assert_non_null(strstr(agent_get("log"), "another agent has it"));
    /* It does its work all the same. */
    phase(1, "check", GROW_MEM, LONG_MSEC, false);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    agent_end();
    assert_int_equal(access(tree_path("apps"), F_OK), 0);
    close(living);
    /* Nor is a file that is no socket touched. */
    unlink(tree_path("apps"));
    tree_put("apps", "precious");
    agent_greet();
    agent_end();
    assert_string_equal(agent_get("apps"), "precious");
}

/* --- the library --- */

static void
next_event(LparAgent *link, LparAgentEvent *event)
{
    assert_int_equal(lpar_agent_next(link, PATIENCE_MSEC, event), 1);
}

static void
test_library(void **data)
{
    LparAgentRequest request = {
        .mem_mode = LPAR_AGENT_REMOVE, .mem = 1u << 20, .why = "caf\xc3\xa9",
    };
    LparAgentEvent event;
    LparAgent *link;
    uint64_t id;

    (void)data;
    assert_int_equal(lpar_agent_connect(tree_path("nowhere"), &link), -ENOENT);
    assert_null(link);
    start("");
    assert_int_equal(lpar_agent_connect(tree_path("apps"), &link), 0);
    assert_int_equal(lpar_agent_subscribe(link, "", LPAR_AGENT_MEM, 1), -EINVAL);
    assert_int_equal(lpar_agent_subscribe(link, "a", 0, 1), -EINVAL);
    assert_int_equal(lpar_agent_subscribe(link, "a\n", LPAR_AGENT_MEM, 1), -EINVAL);
    assert_int_equal(lpar_agent_subscribe(link, "\xff", LPAR_AGENT_MEM, 1), -EINVAL);
    assert_int_equal(lpar_agent_subscribe(link, "cache", LPAR_AGENT_MEM | LPAR_AGENT_CPU,
                                          LPAR_AGENT_CONSULTED), 0);
    assert_int_equal(lpar_agent_subscribe(link, "cache", LPAR_AGENT_MEM, 1), -EALREADY);
    assert_non_null(strstr(lpar_agent_error(link), "already"));
    assert_int_equal(lpar_agent_next(link, 0, &event), 0);
    assert_int_equal(lpar_agent_next(link, 20, &event), 0);
    assert_int_equal(lpar_agent_ask(link, &request, &id), 0);
    agent_hear(LP_WIRE_ASK);
    assert_string_equal(heard.ask.why, "caf\xc3\xa9");
    assert_int_equal(heard.ask.mem_mode, LP_WIRE_MODE_REMOVE);
    phase(4, "check", GROW_CPU, LONG_MSEC, false);
    next_event(link, &event);
    assert_int_equal(event.kind, LPAR_AGENT_PHASE);
    assert_int_equal(event.phase.name, LPAR_AGENT_CHECK);
    assert_int_equal(event.phase.resources, LPAR_AGENT_CPU);
    assert_int_equal(event.phase.cpu_to, 2);
    assert_true(event.phase.waits);
    assert_int_equal(lpar_agent_answer(link, &event, "not now"), 0);
    host_hears(LP_WIRE_ANSWER_VETO, "program cache", "not now");
    phase(4, "post", STAY_MEM, LONG_MSEC, false);
    next_event(link, &event);
    assert_false(event.phase.waits);
    assert_int_equal(lpar_agent_answer(link, &event, "never said"), 0);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    result(heard.answer.id, false, 3, "running", "");
    agent_hang_up();
    next_event(link, &event);
    assert_int_equal(event.kind, LPAR_AGENT_RESULT);
    assert_int_equal(event.result.id, id);
    assert_true(event.result.final);
    assert_string_equal(event.result.state, "unreachable");
    agent_end();
    assert_int_equal(lpar_agent_next(link, PATIENCE_MSEC, &event), -EPIPE);
    assert_int_equal(lpar_agent_ask(link, &request, NULL), -EPIPE);
    lpar_agent_close(link);
    lpar_agent_close(NULL);
}

/* --- programs of their own --- */

static void
run_child(const char *program, char *const *argv)
{
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int out = open(tree_path("out"), O_WRONLY | O_CREAT | O_APPEND, 0644);

        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        close(out);
        execv(program, argv);
        _exit(127);
    }
}

static int
child_status(void)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    child = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
wait_for_text(const char *name, const char *text)
{
    int64_t until = clock_msec() + PATIENCE_MSEC;

    while (access(tree_path(name), F_OK) != 0 || strstr(agent_get(name), text) == NULL) {
        if (clock_msec() > until)
            fail_msg("%s has no \"%s\":\n%s", name, text, agent_get(name));
        usleep(20000);
    }
}

static void
test_example(void **data)
{
    char lock[200], socket[200];
    char name[] = "example";
    char *argv[] = { name, lock, socket, NULL };

    (void)data;
    start("");
    snprintf(lock, sizeof(lock), "%s", tree_path("lock"));
    snprintf(socket, sizeof(socket), "%s", tree_path("apps"));
    run_child(LP_EXAMPLE_PATH, argv);
    wait_for_text("log", "program example");
    wait_for_text("log", "has subscribed");
    tree_put("lock", "");
    phase(1, "check", SHRINK_MEM, LONG_MSEC, false);
    host_hears(LP_WIRE_ANSWER_VETO, "program example", "an import is running");
    unlink(tree_path("lock"));
    phase(2, "check", SHRINK_MEM, LONG_MSEC, false);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    phase(2, "pre", SHRINK_MEM, LONG_MSEC, false);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    wait_for_text("out", "cache 64 MiB\ncache 0 MiB\n");
    phase(2, "post", "\"mem_from_bytes\":2147483648,\"mem_to_bytes\":536870912", LONG_MSEC, false);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    wait_for_text("out", "cache 0 MiB\ncache 32 MiB\n");
    agent_end();
    assert_int_equal(child_status(), 1);
    wait_for_text("out", "the agent has gone");
}

static void
request(const char *first, const char *second)
{
    char name[] = "lpar-agent", conf[200], option[] = "--conf", command[] = "request";
    char one[64], two[64], why[] = "--why", reason[] = "nightly import", timeout[] = "--timeout=30";
    char *argv[] = { name, option, conf, command, one, why, reason, timeout,
                     second != NULL ? two : NULL, NULL };

    snprintf(conf, sizeof(conf), "%s", tree_path("agent.conf"));
    snprintf(one, sizeof(one), "%s", first);
    snprintf(two, sizeof(two), "%s", second != NULL ? second : "");
    unlink(tree_path("out"));
    run_child(LP_AGENT_PATH, argv);
}

static void
test_request(void **data)
{
    static const struct {
        const char *state;
        int status;
    } ends[] = {
        { "done", 0 },   { "failed", 1 },    { "partial", 3 },   { "refused", 4 },
        { "vetoed", 5 }, { "timed-out", 6 }, { "cancelled", 7 }, { "unheard-of", 1 },
    };

    (void)data;
    start("");
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        request("mem=+1.5G", "cpu=-1");
        agent_hear(LP_WIRE_ASK);
        assert_int_equal(heard.ask.mem_mode, LP_WIRE_MODE_ADD);
        assert_int_equal(heard.ask.mem_bytes, UINT64_C(3) << 29);
        assert_int_equal(heard.ask.cpu_mode, LP_WIRE_MODE_REMOVE);
        assert_int_equal(heard.ask.cpu, 1);
        assert_string_equal(heard.ask.why, "nightly import");
        result(heard.ask.id, false, 12, "running", "");
        result(heard.ask.id, true, 12, ends[i].state, "for a reason");
        assert_int_equal(child_status(), ends[i].status);
        assert_non_null(strstr(agent_get("out"), "operation 12: running\n"));
        assert_non_null(strstr(agent_get("out"), ends[i].state));
        assert_non_null(strstr(agent_get("out"), ": for a reason\n"));
    }
    request("cpu=2", NULL);
    agent_hear(LP_WIRE_ASK);
    assert_int_equal(heard.ask.cpu_mode, LP_WIRE_MODE_SET);
    assert_false(heard.ask.has_mem);
    agent_hang_up();
    assert_int_equal(child_status(), 8);
}

static void
test_request_badly(void **data)
{
    static const char *const bad[] = {
        "mem=6GB", "mem=", "mem=lots", "mem=+", "mem=0", "cpu=0", "cpu=1.5", "cpu=-", "cpu=2000",
        "disk=1G", "mem", "--nonsense", "--timeout=0", "--timeout=x",
    };

    (void)data;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request(bad[i], NULL);
        if (child_status() != 2)
            fail_msg("%s is taken", bad[i]);
    }
    request("mem=1G", "mem=2G");
    assert_int_equal(child_status(), 2);
    /* No agent. */
    request("mem=1G", NULL);
    assert_int_equal(child_status(), 8);
    put_conf("socket = none\n");
    request("mem=1G", NULL);
    assert_int_equal(child_status(), 8);
}

static void
test_watch(void **data)
{
    char name[] = "lpar-agent", command[] = "watch", option[] = "--socket", socket[200];
    char *argv[] = { name, command, option, socket, NULL };

    (void)data;
    start("");
    snprintf(socket, sizeof(socket), "%s", tree_path("apps"));
    run_child(LP_AGENT_PATH, argv);
    wait_for_text("log", "has subscribed");
    phase(3, "check", GROW_CPU "," SHRINK_MEM, LONG_MSEC, false);
    /* It is not consulted. */
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    phase(3, "post", STAY_MEM ",\"units_from_centi\":100,\"units_to_centi\":150", LONG_MSEC, false);
    host_hears(LP_WIRE_ANSWER_OK, "", "");
    wait_for_text("out", "check acquire cpu 1 2 3\n"
                         "check release mem 2147483648 1610612736 3\n"
                         "post unchanged mem 2147483648 2147483648 3\n"
                         "post acquire capacity 100 150 3\n");
    agent_end();
    assert_int_equal(child_status(), 8);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(test_told_what_was_asked_for),
        RUN(test_veto),
        RUN(test_forced),
        RUN(test_silent),
        RUN(test_silent_until_it_answers),
        RUN(test_leaves_while_asked),
        RUN(test_wrong_answers),
        RUN(test_junk),
        RUN(test_not_a_programs_words),
        RUN(test_long_line),
        RUN(test_flood),
        RUN(test_reads_nothing),
        RUN(test_too_many),
        RUN(test_ask),
        RUN(test_ask_refused),
        RUN(test_ask_forbidden),
        RUN(test_host_lost),
        RUN(test_socket),
        RUN(test_socket_taken),
        RUN(test_library),
        RUN(test_example),
        RUN(test_request),
        RUN(test_request_badly),
        RUN(test_watch),
    };

    return cmocka_run_group_tests_name("agent_apps", tests, NULL, NULL);
}
