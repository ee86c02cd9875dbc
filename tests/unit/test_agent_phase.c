/* Resizes as the guest lives through them: the agent's program with scripts in its agent.d. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/agent_fixture.h"
#include "tests/unit/tree.h"

#define CPU AGENT_CPU
#define GUEST_KIB 4194304
#define TRACE "trace"
/* Appends its name, its arguments and the amounts. */
#define NOTE "echo \"${0##*/} $1 $2 $3 $LPAR_FROM $LPAR_TO $LPAR_AMOUNT\" >>$T/" TRACE "\n"
#define PATIENCE_MSEC 20000

/* --- helpers --- */

static int64_t
now_msec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
put_file(const char *name, mode_t mode, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "agent.d/%s", name);
    tree_put(path, text);
    assert_int_equal(chmod(tree_path(path), mode), 0);
}

/* A shell script; $T is the tree. */
static void
put_hook(const char *name, const char *body)
{
    char text[2048];

    snprintf(text, sizeof(text), "#!/bin/sh\nT=%s\n%s", tree_path(""), body);
    put_file(name, 0755, text);
}

static void
say_phase(unsigned id, const char *phase, unsigned deadline_msec, bool force, const char *amounts)
{
    char text[512];

    snprintf(text, sizeof(text), "{\"t\":\"phase\",\"id\":%u,\"phase\":\"%s\",\"force\":%s,"
             "\"deadline_msec\":%u,%s}\n", id, phase, force ? "true" : "false", deadline_msec,
             amounts);
    agent_say(text);
}

#define CPU_UP "\"cpu_from\":2,\"cpu_to\":4"
#define CPU_DOWN "\"cpu_from\":4,\"cpu_to\":2"
#define UNITS_UP "\"units_from_centi\":100,\"units_to_centi\":250"
#define MEM_DOWN "\"mem_from_bytes\":4096000,\"mem_to_bytes\":1024000"

static void
hear_answer(unsigned id, LpWirePhaseName phase, LpWireAnswerVerdict verdict, const char *by,
            const char *reason)
{
    agent_hear(LP_WIRE_ANSWER);
    assert_int_equal(heard.answer.id, id);
    assert_int_equal(heard.answer.phase, phase);
    assert_string_equal(heard.answer.reason, reason);
    assert_string_equal(heard.answer.by, by);
    assert_int_equal(heard.answer.verdict, verdict);
}

/* Sends CPU_UP's phase and expects go on. */
static void
pass(unsigned id, const char *name, LpWirePhaseName phase)
{
    say_phase(id, name, 20000, false, CPU_UP);
    hear_answer(id, phase, LP_WIRE_ANSWER_OK, "", "");
}

static const char *
trace(void)
{
    return access(tree_path(TRACE), F_OK) == 0 ? agent_get(TRACE) : "";
}

static void
assert_logged(const char *text)
{
    if (strstr(agent_get("log"), text) == NULL)
        fail_msg("not in the log: %s\n%s", text, agent_get("log"));
}

/* Waits until the file has text that ends a line. */
static const char *
await_file(const char *name)
{
    int64_t until = now_msec() + PATIENCE_MSEC;

    while (now_msec() < until) {
        if (access(tree_path(name), F_OK) == 0 && strchr(agent_get(name), '\n') != NULL)
            return agent_get(name);
        usleep(20000);
    }
    fail_msg("%s never came; the agent says:\n%s", name, agent_get("log"));
    return NULL;
}

static void
assert_dead(const char *name)
{
    pid_t pid = (pid_t)atoi(await_file(name));

    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* --- what is run, and with what --- */

static void
test_order_and_amounts(void **data)
{
    (void)data;
    put_hook("10-second", NOTE);
    put_hook("9-first", NOTE);
    put_hook("20-third", NOTE);
    agent_greet();
    say_phase(3, "check", 20000, false,
              UNITS_UP ",\"mem_from_bytes\":1073741824,\"mem_to_bytes\":3221225472," CPU_UP);
    hear_answer(3, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_OK, "", "");
    assert_string_equal(trace(),
                        "9-first check acquire cpu 2 4 2\n"
                        "10-second check acquire cpu 2 4 2\n"
                        "20-third check acquire cpu 2 4 2\n"
                        "9-first check acquire mem 1073741824 3221225472 2147483648\n"
                        "10-second check acquire mem 1073741824 3221225472 2147483648\n"
                        "20-third check acquire mem 1073741824 3221225472 2147483648\n"
                        "9-first check acquire capacity 100 250 150\n"
                        "10-second check acquire capacity 100 250 150\n"
                        "20-third check acquire capacity 100 250 150\n");
}

static void
test_post_has_what_really_came(void **data)
{
    (void)data;
    put_hook("a", NOTE);
    agent_greet();
    say_phase(4, "pre", 20000, false, MEM_DOWN "," CPU_DOWN);
    hear_answer(4, LP_WIRE_PHASE_PRE, LP_WIRE_ANSWER_OK, "", "");
    /* Of memory a part went, of the processors none. */
    say_phase(4, "post", 20000, false, "\"mem_from_bytes\":4096000,\"mem_to_bytes\":3072000,"
              "\"cpu_from\":4,\"cpu_to\":4");
    hear_answer(4, LP_WIRE_PHASE_POST, LP_WIRE_ANSWER_OK, "", "");
    assert_string_equal(trace(),
                        "a pre release cpu 4 2 2\n"
                        "a pre release mem 4096000 1024000 3072000\n"
                        "a post release cpu 4 4 0\n"
                        "a post release mem 4096000 3072000 1024000\n");
}

static void
test_surroundings(void **data)
{
    unsigned long long blocked, ignored;

    (void)data;
    agent_put_conf("hook-timeout = 7\n");
    put_hook("a", "pwd >$T/pwd\nread -r line || echo eof >$T/stdin\n"
             "grep -E '^Sig(Blk|Ign)' /proc/self/status >$T/signals\n"
             "echo /proc/self/fd/* >$T/files\n"
             "tr '\\0' '\\n' </proc/$$/environ | sort >$T/environment\n");
    agent_greet();
    say_phase(77, "check", 20000, true, CPU_DOWN);
    agent_hear(LP_WIRE_ANSWER);
    assert_string_equal(agent_get("environment"),
                        "HOME=/\nLC_ALL=C\nLPAR_ACTION=release\nLPAR_AMOUNT=2\nLPAR_DEADLINE=7\n"
                        "LPAR_FORCE=1\nLPAR_FROM=4\nLPAR_OPERATION=77\nLPAR_PHASE=check\n"
                        "LPAR_RESOURCE=cpu\nLPAR_TO=2\n"
                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
    assert_string_equal(agent_get("pwd"), "/\n");
    assert_string_equal(agent_get("stdin"), "eof\n");
    /* 32 and 33 are the C library's own, and as whoever started the test left them. */
    assert_int_equal(sscanf(agent_get("signals"), "SigBlk: %llx SigIgn: %llx", &blocked, &ignored),
                     2);
    assert_int_equal(blocked, 0);
    assert_int_equal(ignored & ~0x180000000ULL, 0);
    /* Nothing of the agent's: the shell's own are its script (10 or 255) and the directory. */
    assert_null(strstr(agent_get("files"), "/fd/4"));
    assert_null(strstr(agent_get("files"), "/fd/5"));
}

static void
test_which_files(void **data)
{
    (void)data;
    put_hook("good", NOTE);
    put_hook("also.good_1-2", NOTE);
    put_file("plain", 0644, "#!/bin/sh\nexit 1\n");
    put_file("writable", 0775, "#!/bin/sh\nexit 1\n");
    put_file("no-interpreter", 0755, "#!/nonexistent/sh\nexit 1\n");
    put_file("no-program", 0755, "exit 1\n");
    put_file("old~", 0755, "#!/bin/sh\nexit 1\n");
    put_file("old.bak", 0755, "#!/bin/sh\nexit 1\n");
    put_file("old.dpkg-dist", 0755, "#!/bin/sh\nexit 1\n");
    put_file("old.rpmsave", 0755, "#!/bin/sh\nexit 1\n");
    put_file("two words", 0755, "#!/bin/sh\nexit 1\n");
    put_file("directory/file", 0755, "#!/bin/sh\nexit 1\n");
    put_hook("foreign", "exit 1\n");
    if (geteuid() == 0)
        assert_int_equal(chown(tree_path("agent.d/foreign"), 12345, 12345), 0);
    else
        assert_int_equal(unlink(tree_path("agent.d/foreign")), 0);
    assert_int_equal(symlink("good", tree_path("agent.d/link")), 0);
    assert_int_equal(symlink("nowhere", tree_path("agent.d/loose")), 0);
    agent_greet();
    pass(5, "check", LP_WIRE_PHASE_CHECK);
    assert_string_equal(trace(), "also.good_1-2 check acquire cpu 2 4 2\n"
                        "good check acquire cpu 2 4 2\nlink check acquire cpu 2 4 2\n");
    assert_logged("hook plain is left out: it is not executable");
    assert_logged("hook writable is left out: others than its owner can write to it");
    assert_logged("hook no-interpreter is left out: cannot be started: No such file or directory");
    assert_logged("hook no-program is left out: cannot be started: Exec format error");
    assert_logged("hook two words is left out: its name has more than letters");
    assert_logged("hook directory is left out: it is not a regular file");
    assert_logged("hook loose is left out: No such file or directory");
    if (geteuid() == 0)
        assert_logged("hook foreign is left out: it is not root's");
    assert_null(strstr(agent_get("log"), "hook old"));
}

static void
test_directory_of_others(void **data)
{
    (void)data;
    put_hook("a", "exit 1\n");
    assert_int_equal(chmod(tree_path("agent.d"), 0777), 0);
    agent_greet();
    pass(5, "check", LP_WIRE_PHASE_CHECK);
    assert_logged("agent.d: others than its owner can write to it");
}

static void
test_no_directory(void **data)
{
    (void)data;
    agent_greet();
    pass(5, "check", LP_WIRE_PHASE_CHECK);
    pass(5, "pre", LP_WIRE_PHASE_PRE);
    pass(5, "undo", LP_WIRE_PHASE_UNDO);
    pass(5, "post", LP_WIRE_PHASE_POST);
    assert_null(strstr(agent_get("log"), "<4>"));
}

/* --- vetoes --- */

static void
test_veto(void **data)
{
    (void)data;
    put_hook("a", NOTE "echo looking around\n"
             "printf '\\033[31mthe \\302\\233import\\377 is\\trunning\\n\\n  \\n'\nexit 3\n");
    put_hook("b", NOTE);
    agent_greet();
    say_phase(6, "check", 20000, false, CPU_UP "," UNITS_UP);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a",
                "[31mthe import? is running");
    assert_string_equal(trace(), "a check acquire cpu 2 4 2\n");
    put_hook("a", "exit 3\n");
    say_phase(7, "pre", 20000, false, CPU_UP);
    hear_answer(7, LP_WIRE_PHASE_PRE, LP_WIRE_ANSWER_VETO, "hook a", "exit status 3");
}

static void
test_long_reason(void **data)
{
    (void)data;
    /* Two bytes a character: 159 bytes hold 79 of them. */
    put_hook("a", "i=0; while [ $i -lt 3000 ]; do echo progress; i=$((i + 1)); done\n"
             "i=0; while [ $i -lt 120 ]; do printf '\\303\\244'; i=$((i + 1)); done\nexit 1\n");
    agent_greet();
    say_phase(6, "check", 20000, false, CPU_UP);
    agent_hear(LP_WIRE_ANSWER);
    assert_int_equal(strlen(heard.answer.reason), 158);
    assert_memory_equal(heard.answer.reason, "\303\244\303\244", 4);
}

static void
test_two_vetoes(void **data)
{
    (void)data;
    put_hook("a", NOTE "echo first; exit 1\n");
    put_hook("b", NOTE "echo second; exit 1\n");
    agent_greet();
    say_phase(6, "check", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a", "first");
    assert_string_equal(trace(), "a check acquire cpu 2 4 2\n");
    /* Forced: everybody is asked, and the first is shown. */
    say_phase(7, "check", 20000, true, CPU_UP);
    hear_answer(7, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a", "first");
    assert_string_equal(trace(), "a check acquire cpu 2 4 2\na check acquire cpu 2 4 2\n"
                        "b check acquire cpu 2 4 2\n");
}

static void
test_failed_post(void **data)
{
    (void)data;
    put_hook("a", NOTE "[ $1 = post ] || exit 0; echo no; exit 1\n");
    put_hook("b", NOTE);
    agent_greet();
    pass(6, "pre", LP_WIRE_PHASE_PRE);
    say_phase(6, "post", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_POST, LP_WIRE_ANSWER_OK, "hook a", "no");
    assert_non_null(strstr(trace(), "b post acquire cpu 2 4 2\n"));
}

static void
test_undo(void **data)
{
    (void)data;
    put_hook("a", NOTE);
    put_hook("b", NOTE);
    put_hook("c", NOTE "[ $1 != pre ] || [ $3 != mem ] || exit 1\n");
    put_hook("d", NOTE);
    agent_greet();
    say_phase(6, "pre", 20000, false, CPU_DOWN "," MEM_DOWN);
    hear_answer(6, LP_WIRE_PHASE_PRE, LP_WIRE_ANSWER_VETO, "hook c", "exit status 1");
    assert_int_equal(unlink(tree_path(TRACE)), 0);
    say_phase(6, "undo", 20000, false, CPU_DOWN "," MEM_DOWN);
    hear_answer(6, LP_WIRE_PHASE_UNDO, LP_WIRE_ANSWER_OK, "", "");
    assert_string_equal(trace(),
                        "c undo release mem 4096000 1024000 3072000\n"
                        "b undo release mem 4096000 1024000 3072000\n"
                        "a undo release mem 4096000 1024000 3072000\n"
                        "d undo release cpu 4 2 2\nc undo release cpu 4 2 2\n"
                        "b undo release cpu 4 2 2\na undo release cpu 4 2 2\n");
    /* What has not been made ready is not undone. */
    assert_int_equal(unlink(tree_path(TRACE)), 0);
    say_phase(7, "undo", 20000, false, CPU_DOWN);
    hear_answer(7, LP_WIRE_PHASE_UNDO, LP_WIRE_ANSWER_OK, "", "");
    assert_null(strstr(trace(), "undo"));
}

/* --- those that do not behave --- */

static void
test_hanging(void **data)
{
    int64_t start;

    (void)data;
    agent_put_conf("hook-timeout = 1\n");
    put_hook("a", "trap '' TERM\n"
             "setsid sh -c 'trap \"\" TERM; echo $$ >'$T'/runaway; sleep 900' &\n"
             "echo $$ >$T/hook\nwhile :; do sleep 900; done\n");
    agent_greet();
    start = now_msec();
    say_phase(6, "check", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a", "did not answer within 1 s");
    assert_true(now_msec() - start >= 1000 && now_msec() - start < 5000);
    assert_dead("hook");
    assert_dead("runaway");
    assert_logged("hook a (check acquire cpu): did not answer within 1 s");
}

static void
test_ends_when_asked(void **data)
{
    (void)data;
    agent_put_conf("hook-timeout = 1\n");
    put_hook("a", "trap 'echo stopped; exit 0' TERM\nsleep 900 & wait\n");
    agent_greet();
    say_phase(6, "check", 20000, false, CPU_UP);
    /* It has had its second, whatever it says now. */
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a", "did not answer within 1 s");
}

static void
test_gigabyte(void **data)
{
    (void)data;
    put_hook("a", "head -c 1000000000 /dev/zero\n");
    put_hook("b", "yes\n");
    agent_greet();
    say_phase(6, "check", 20000, true, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a",
                "printed more than 1024 KiB");
    assert_logged("hook b (check acquire cpu): printed more than 1024 KiB");
}

static void
test_signal(void **data)
{
    (void)data;
    put_hook("a", "echo unheard\nkill -9 $$\n");
    agent_greet();
    say_phase(6, "check", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a",
                "was ended by signal 9 (Killed)");
}

static void
test_forks_away(void **data)
{
    (void)data;
    /* A daemon in a session of its own, and one that keeps the output open. */
    put_hook("a", "setsid sh -c 'echo $$ >'$T'/runaway; exec sleep 900' >/dev/null 2>&1 &\n"
             "sh -c 'echo $$ >'$T'/holder; exec sleep 900' &\n"
             "until [ -s $T/runaway ] && [ -s $T/holder ]; do sleep 0.02; done\n");
    agent_greet();
    pass(6, "check", LP_WIRE_PHASE_CHECK);
    assert_dead("runaway");
    assert_dead("holder");
}

static void
test_deadline(void **data)
{
    int64_t start;

    (void)data;
    put_hook("a", "trap '' TERM\n"
             "[ $LPAR_OPERATION = 7 ] || { echo $$ >$T/hook; sleep 900; }\n" NOTE);
    agent_greet();
    start = now_msec();
    say_phase(6, "check", 800, false, CPU_UP);
    agent_hear(LP_WIRE_ANSWER);
    assert_true(now_msec() - start < 800);
    assert_int_equal(heard.answer.verdict, LP_WIRE_ANSWER_VETO);
    assert_string_equal(heard.answer.by, "hook a");
    assert_non_null(strstr(heard.answer.reason, "did not answer within "));
    /* The next waits until the last of it is gone, and is not confused with it. */
    pass(7, "check", LP_WIRE_PHASE_CHECK);
    assert_dead("hook");
    assert_string_equal(trace(), "a check acquire cpu 2 4 2\n");
}

/* Of the helper that applies classes: a resize does not wait for it. */
static void
test_helper_gives_way(void **data)
{
    char helper[300], lines[400];

    (void)data;
    snprintf(helper, sizeof(helper), "#!/bin/sh\ncd %s\n[ -e helping ] && echo yes >again\n"
             "echo yes >helping\nuntil [ -e again ]; do sleep 0.05; done\n", tree_path(""));
    put_file("../helper", 0755, helper);
    snprintf(lines, sizeof(lines), "classes-helper = %s\n", tree_path("helper"));
    agent_put_conf(lines);
    tree_put("classes.conf", "# none\n");
    put_hook("a", "[ ! -e $T/again ] && echo $LPAR_OPERATION >>$T/" TRACE "\n");
    put_hook("b", "sleep 0.5; [ ! -e $T/again ]\n");
    agent_greet();
    await_file("helping");
    pass(6, "check", LP_WIRE_PHASE_CHECK);
    assert_string_equal(trace(), "6\n");
    /* Nor does it come between two hooks; then it is run again. */
    await_file("again");
}

static void
test_late_post(void **data)
{
    (void)data;
    put_hook("a", NOTE "[ $LPAR_OPERATION != 6 ] || sleep 900\n");
    put_hook("b", NOTE);
    agent_greet();
    say_phase(6, "post", 800, false, CPU_UP);
    agent_hear(LP_WIRE_ANSWER);
    assert_int_equal(heard.answer.verdict, LP_WIRE_ANSWER_OK);
    assert_string_equal(heard.answer.by, "hook a");
    pass(7, "post", LP_WIRE_PHASE_POST);
    assert_string_equal(trace(), "a post acquire cpu 2 4 2\na post acquire cpu 2 4 2\n"
                        "b post acquire cpu 2 4 2\n");
}

static void
test_agent_stops(void **data)
{
    (void)data;
    put_hook("a", "trap '' TERM\nsetsid sh -c 'echo $$ >'$T'/runaway; exec sleep 900' &\n"
             "until [ -s $T/runaway ]; do sleep 0.02; done; echo $$ >$T/hook; sleep 900\n");
    agent_greet();
    say_phase(6, "check", 20000, false, CPU_UP);
    await_file("hook");
    agent_end();
    assert_dead("hook");
    assert_dead("runaway");
}

/* --- a host that repeats itself, sends too much, or vanishes --- */

static void
test_repeated(void **data)
{
    (void)data;
    put_hook("a", NOTE "sleep 0.3; exit 1\n");
    agent_greet();
    for (int i = 0; i < 3; i++)
        say_phase(6, "check", 20000, false, CPU_UP);
    for (int i = 0; i < 3; i++)
        say_phase(6, "undo", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a", "exit status 1");
    hear_answer(6, LP_WIRE_PHASE_UNDO, LP_WIRE_ANSWER_OK, "", "");
    assert_true(agent_is_quiet(500));
    say_phase(6, "undo", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_UNDO, LP_WIRE_ANSWER_OK, "", "");
    say_phase(7, "check", 20000, false, CPU_UP);
    hear_answer(7, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a", "exit status 1");
    say_phase(7, "check", 20000, false, CPU_UP);
    hear_answer(7, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "hook a", "exit status 1");
    assert_string_equal(trace(), "a check acquire cpu 2 4 2\na check acquire cpu 2 4 2\n");
}

static void
test_queue(void **data)
{
    (void)data;
    put_hook("a", "sleep 0.5\n");
    agent_greet();
    for (unsigned id = 10; id < 30; id++)
        say_phase(id, "check", 20000, false, CPU_UP);
    /* One at work, eight that wait. */
    for (unsigned id = 10; id < 19; id++)
        hear_answer(id, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_OK, "", "");
    assert_true(agent_is_quiet(1000));
    assert_logged("resize 29: check is dropped: too many phases wait already");
}

static void
test_another_while_open(void **data)
{
    (void)data;
    put_hook("a", NOTE);
    agent_greet();
    say_phase(6, "pre", 20000, false, MEM_DOWN);
    hear_answer(6, LP_WIRE_PHASE_PRE, LP_WIRE_ANSWER_OK, "", "");
    agent_put_meminfo(GUEST_KIB - 600);
    /* What would be may be asked at any time, and ends nothing. */
    pass(7, "check", LP_WIRE_PHASE_CHECK);
    pass(8, "pre", LP_WIRE_PHASE_PRE);
    /* 600 KiB went. */
    assert_string_equal(trace(),
                        "a pre release mem 4096000 1024000 3072000\n"
                        "a check acquire cpu 2 4 2\n"
                        "a post release mem 4096000 3481600 614400\n"
                        "a pre acquire cpu 2 4 2\n");
}

static void
test_watch_ends(void **data)
{
    (void)data;
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":1,\"mem\":\"movable\",\"watch_msec\":60000}\n");
    agent_hear(LP_WIRE_REPLY);
    agent_hear(LP_WIRE_STATE);
    say_phase(6, "post", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_POST, LP_WIRE_ANSWER_OK, "", "");
    /* What comes a moment later is told, what comes after that is left to the slow look. */
    agent_put_meminfo(GUEST_KIB + 100);
    agent_hear(LP_WIRE_STATE);
    while (heard.state.mem_total_bytes != (GUEST_KIB + 100) * UINT64_C(1024))
        agent_hear(LP_WIRE_STATE);
    assert_true(agent_is_quiet(3500));
    agent_put_meminfo(GUEST_KIB + 200);
    assert_true(agent_is_quiet(500));
}

static void
test_host_vanishes(void **data)
{
    int64_t until = now_msec() + PATIENCE_MSEC;

    (void)data;
    put_hook("a", NOTE);
    agent_greet();
    say_phase(6, "pre", 300, false, MEM_DOWN "," CPU_UP "," UNITS_UP);
    hear_answer(6, LP_WIRE_PHASE_PRE, LP_WIRE_ANSWER_OK, "", "");
    agent_put_meminfo(GUEST_KIB - 100);
    tree_put(CPU "online", "0-2\n");
    agent_hang_up();
    while (strstr(trace(), "post acquire capacity") == NULL && now_msec() < until)
        usleep(50000);
    assert_string_equal(trace(),
                        "a pre acquire cpu 2 4 2\na pre release mem 4096000 1024000 3072000\n"
                        "a pre acquire capacity 100 250 150\n"
                        "a post acquire cpu 2 3 1\na post release mem 4096000 3993600 102400\n"
                        "a post acquire capacity 100 100 0\n");
    assert_logged("resize 6 was left open: the host has vanished");
}

static void
test_host_is_there(void **data)
{
    (void)data;
    put_hook("a", NOTE);
    agent_greet();
    say_phase(6, "pre", 250, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_PRE, LP_WIRE_ANSWER_OK, "", "");
    /* Silent, but connected: a resize may take its time. */
    assert_true(agent_is_quiet(4000));
    assert_string_equal(trace(), "a pre acquire cpu 2 4 2\n");
    /* On a new link nobody knows of it: then it is over. */
    agent_greet();
    assert_string_equal(trace(), "a pre acquire cpu 2 4 2\n");
    sleep(4);
    assert_string_equal(trace(), "a pre acquire cpu 2 4 2\na post acquire cpu 2 2 0\n");
    /* A host that says the same is answered alone, one that knows better is believed, once. */
    say_phase(6, "post", 20000, false, "\"cpu_from\":2,\"cpu_to\":2");
    hear_answer(6, LP_WIRE_PHASE_POST, LP_WIRE_ANSWER_OK, "", "");
    assert_string_equal(trace(), "a pre acquire cpu 2 4 2\na post acquire cpu 2 2 0\n");
    for (int i = 0; i < 2; i++) {
        pass(6, "post", LP_WIRE_PHASE_POST);
        assert_string_equal(trace(), "a pre acquire cpu 2 4 2\na post acquire cpu 2 2 0\n"
                            "a post acquire cpu 2 4 2\n");
    }
}

/* Of any order of phases: after the `pre` of one resize comes its `post` before another's `pre`. */
static void
assert_closed_each(const char *lines)
{
    unsigned open = 0, n_pre = 0;

    while (*lines != '\0') {
        unsigned id = (unsigned)strtoul(lines, NULL, 10);
        bool is_pre = strncmp(strchr(lines, ' '), " pre\n", 5) == 0;

        if (is_pre && open != 0 && open != id)
            fail_msg("%u was still open when %u began:\n%s", open, id, agent_get(TRACE));
        if (is_pre)
            open = id;
        else if (strncmp(strchr(lines, ' '), " post\n", 6) == 0 && open == id)
            open = 0;
        n_pre += is_pre;
        lines = strchr(lines, '\n') + 1;
    }
    assert_true(n_pre > 20);
}

static void
test_any_order(void **data)
{
    static const char *const names[] = { "check", "pre", "post", "undo" };

    (void)data;
    put_hook("a", "echo $LPAR_OPERATION $1 >>$T/" TRACE "\n"
             "[ $LPAR_OPERATION = 9 ] || exit $(($$ % 7 == 0))\n");
    agent_greet();
    srand(1);
    for (int i = 0; i < 60; i++) {
        for (int n = rand() % 6; n >= 0; n--)
            say_phase(1 + (unsigned)rand() % 4, names[rand() % 4], 20000, rand() % 4 == 0,
                      rand() % 2 == 0 ? CPU_UP : UNITS_UP);
        while (!agent_is_quiet(30))
            continue;
    }
    /* Whatever is left open ends with the next; a slow machine still has answers before its own. */
    say_phase(9, "check", 20000, false, CPU_UP);
    do
        agent_hear(LP_WIRE_ANSWER);
    while (heard.answer.id != 9);
    assert_int_equal(heard.answer.verdict, LP_WIRE_ANSWER_OK);
    assert_closed_each(trace());
    assert_string_equal(strstr(trace(), "\n9 "), "\n9 check\n");
}

/* --- agent.conf --- */

static void
test_forbidden(void **data)
{
    (void)data;
    agent_put_conf("forbid = cpu-release, mem-acquire hooks\n");
    put_hook("a", NOTE "exit 1\n");
    agent_greet();
    pass(5, "check", LP_WIRE_PHASE_CHECK);
    say_phase(6, "check", 20000, false, CPU_DOWN);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "agent.conf",
                "cpu-release is forbidden by agent.conf");
    /* Force does not help. */
    say_phase(6, "pre", 20000, true, "\"mem_from_bytes\":1,\"mem_to_bytes\":2");
    hear_answer(6, LP_WIRE_PHASE_PRE, LP_WIRE_ANSWER_VETO, "agent.conf",
                "mem-acquire is forbidden by agent.conf");
    assert_string_equal(trace(), "");
    agent_say("{\"t\":\"want\",\"id\":1,\"cpus\":\"0,2\",\"mem\":\"movable\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_false(heard.reply.ok);
    assert_string_equal(heard.reply.error, "cpu-release is forbidden by agent.conf");
    assert_string_equal(agent_get(CPU "cpu1/online"), "1\n");
    assert_string_equal(agent_get(CPU "cpu2/online"), "1");
    assert_string_equal(agent_get(AGENT_MEM "memory32/state"), "offline\n");
}

static void
test_conf_read_again(void **data)
{
    (void)data;
    agent_put_conf("forbid = cpu-acquire\nnonsense\n");
    agent_greet();
    say_phase(6, "check", 20000, false, CPU_UP);
    hear_answer(6, LP_WIRE_PHASE_CHECK, LP_WIRE_ANSWER_VETO, "agent.conf",
                "cpu-acquire is forbidden by agent.conf");
    assert_logged("agent.conf:5: it is not \"key = value\": ignored");
    agent_put_conf("");
    kill(agent_pid, SIGHUP);
    /* The host is told what is forbidden now. */
    agent_hear(LP_WIRE_HELLO);
    assert_int_equal(heard.hello.forbids, 0);
    agent_hear(LP_WIRE_STATE);
    pass(7, "check", LP_WIRE_PHASE_CHECK);
}

static void
test_floor_cpus(void **data)
{
    (void)data;
    agent_put_conf("floor-cpus = 2\n");
    agent_greet();
    agent_say("{\"t\":\"want\",\"id\":1,\"cpus\":\"0\",\"mem\":\"leave\",\"watch_msec\":0}\n");
    agent_hear(LP_WIRE_REPLY);
    assert_false(heard.reply.ok);
    assert_non_null(strstr(heard.reply.error, "floor-cpus"));
    assert_string_equal(agent_get(CPU "cpu1/online"), "1\n");
}

/* A guest of a size that has to spare what is released here. */
static int
setup(void **data)
{
    int result = agent_setup(data);

    agent_put_meminfo(GUEST_KIB);
    return result;
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, agent_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(test_order_and_amounts), RUN(test_post_has_what_really_came), RUN(test_surroundings),
        RUN(test_which_files), RUN(test_directory_of_others), RUN(test_no_directory),
        RUN(test_veto), RUN(test_long_reason), RUN(test_two_vetoes), RUN(test_failed_post),
        RUN(test_undo), RUN(test_hanging), RUN(test_ends_when_asked), RUN(test_gigabyte),
        RUN(test_signal), RUN(test_forks_away), RUN(test_deadline), RUN(test_helper_gives_way),
        RUN(test_late_post), RUN(test_agent_stops),
        RUN(test_repeated), RUN(test_queue), RUN(test_another_while_open),
        RUN(test_watch_ends), RUN(test_host_vanishes), RUN(test_host_is_there), RUN(test_any_order),
        RUN(test_forbidden),
        RUN(test_conf_read_again), RUN(test_floor_cpus),
    };

    return cmocka_run_group_tests_name("agent-phase", tests, NULL, NULL);
}
