/* What a sandboxed process cannot do any more, and what it still can: each in a child of its own,
 * since there is no way back. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <linux/bpf.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lpard/sandbox.h"

static LpSettings *
settings_for(const char *uri)
{
    LpSettings *settings = lp_settings_load("/nonexistent/lpard.conf", false, true, NULL);

    assert_non_null(settings);
    g_free(settings->uri);
    settings->uri = g_strdup(uri);
    return settings;
}

static bool hides_pages;

static void
enter(void)
{
    g_autoptr(LpSettings) settings = settings_for("sim:/tmp/none.json");
    g_autoptr(GError) error = NULL;

    if (!lp_sandbox_enter(settings, hides_pages, &error) || !lp_sandbox()->on) {
        printf("# %s\n", error ? error->message : lp_sandbox()->reason);
        _exit(99);
    }
}

/* The exit status of what `deed` does in a sandboxed child: 0 for "it was as it should be". */
static int
in_sandbox(int (*deed)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        enter();
        _exit(deed());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- what must fail --- */

/* A system call with arguments for which it would not otherwise fail with EPERM, or that root, as
 * whom this test may run, could do. */
typedef struct {
    const char *name;
    long number, arguments[5];
} Forbidden;

static char *nothing[] = { NULL };
static const char TRUE_PATH[] = "/bin/true";

#define P(pointer) ((long) (intptr_t) (pointer))

static const Forbidden *tried;

static int
is_forbidden(void)
{
    const long *with = tried->arguments;

    errno = 0;
    return syscall(tried->number, with[0], with[1], with[2], with[3], with[4]) == -1
                   && errno == EPERM
               ? 0 : 1;
}

static void
test_forbidden_calls(void **state)
{
    const Forbidden all[] = {
        { "execve", SYS_execve, { P(TRUE_PATH), P(nothing), P(nothing) } },
        { "execveat", SYS_execveat, { AT_FDCWD, P(TRUE_PATH), P(nothing), P(nothing), 0 } },
        { "a new process", SYS_clone, { SIGCHLD } },
        { "a thread in a new user namespace", SYS_clone, { CLONE_THREAD | CLONE_NEWUSER } },
        { "ptrace", SYS_ptrace, { PTRACE_TRACEME } },
        { "process_vm_writev", SYS_process_vm_writev, { 1 } },
        { "mount", SYS_mount, { P("none"), P("/"), P("tmpfs"), MS_RDONLY } },
        { "umount2", SYS_umount2, { P("/nonexistent") } },
        { "pivot_root", SYS_pivot_root, { P("/"), P("/") } },
        { "chroot", SYS_chroot, { P("/") } },
        { "unshare", SYS_unshare, { 0 } },
        { "setns", SYS_setns, { -1 } },
        { "init_module", SYS_init_module, { 0 } },
        { "finit_module", SYS_finit_module, { -1, P(""), 0 } },
        { "delete_module", SYS_delete_module, { P("none") } },
        { "kexec_load", SYS_kexec_load, { 0 } },
        { "bpf", SYS_bpf, { BPF_PROG_LOAD } },
        { "perf_event_open", SYS_perf_event_open, { 0 } },
        { "keyctl", SYS_keyctl, { 0, -3 } },
        { "add_key", SYS_add_key, { P("user"), P("x"), P("x"), 1, -3 } },
        { "swapon", SYS_swapon, { P("/nonexistent") } },
        { "reboot", SYS_reboot, { 0 } },
        { "settimeofday", SYS_settimeofday, { 0 } },
        { "setuid", SYS_setuid, { 0 } },
        { "setgroups", SYS_setgroups, { 0 } },
        { "capset", SYS_capset, { 0 } },
        { "seccomp", SYS_seccomp, { 0 } },
        { "personality", SYS_personality, { 0xffffffff } },
        { "userfaultfd", SYS_userfaultfd, { 0 } },
        { "syslog", SYS_syslog, { 10 } },
        { "setrlimit", SYS_prlimit64, { 0, 7, P(nothing) } },
        { "a signal to its parent", SYS_kill, { getpid(), 0 } },
        { "prctl(PR_SET_DUMPABLE)", SYS_prctl, { PR_SET_DUMPABLE, 1 } },
        { "a packet socket", SYS_socket, { AF_PACKET, SOCK_RAW } },
        { "a socket of virtual machines", SYS_socket, { AF_VSOCK, SOCK_STREAM } },
        { "memory to be written and executed", SYS_mmap,
          { 0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
        { "typing into the terminal", SYS_ioctl, { 0, TIOCSTI, P("x") } },
        { "symlink", SYS_symlink, { P("/nonexistent/a"), P("/nonexistent/b") } },
        { "mknod", SYS_mknod, { P("/nonexistent/a"), 0 } },
        { "open_by_handle_at", SYS_open_by_handle_at, { -1 } },
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        tried = &all[i];
        if (in_sandbox(is_forbidden) != 0)
            fail_msg("%s is not refused", tried->name);
    }
}

/* Executable in place: the attacker's way around the rule on mmap(). */
static int
cannot_make_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == -1
                   && errno == EPERM && mprotect(page, 4096, PROT_READ) == 0
               ? 0 : 1;
}

static void
test_written_memory_is_not_executed(void **state)
{
    (void) state;
    assert_int_equal(in_sandbox(cannot_make_executable), 0);
}

/* Threads that are there already, as a library might have started one. */
static gpointer
ask_for_a_process(gpointer data)
{
    int *pipe_ends = data;
    char go;

    if (read(pipe_ends[0], &go, 1) != 1)
        return GINT_TO_POINTER(2);
    return GINT_TO_POINTER(syscall(SYS_execve, TRUE_PATH, nothing, nothing) == -1 && errno == EPERM
                               ? 0 : 1);
}

static void
test_it_holds_for_older_threads(void **state)
{
    pid_t child = fork();
    int status;

    (void) state;
    if (child == 0) {
        int ends[2];
        GThread *thread;

        if (pipe(ends) != 0)
            _exit(3);
        thread = g_thread_new("older", ask_for_a_process, ends);
        enter();
        if (write(ends[1], "x", 1) != 1)
            _exit(3);
        _exit(GPOINTER_TO_INT(g_thread_join(thread)));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- what must go on --- */

static gpointer
add_one(gpointer data)
{
    g_atomic_int_inc((int *) data);
    return NULL;
}

static int
threads_start(void)
{
    GThread *threads[8];
    int count = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("worker", add_one, &count);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    return count == (int) G_N_ELEMENTS(threads) ? 0 : 1;
}

static char *scratch;

static int
database_works(void)
{
    g_autofree char *path = g_build_filename(scratch, "test.db", NULL);
    sqlite3 *sql = NULL;
    int code = sqlite3_open(path, &sql);

    if (code == SQLITE_OK)
        code = sqlite3_exec(sql, "PRAGMA journal_mode=WAL; CREATE TABLE t (x);"
                                 "INSERT INTO t VALUES (1); VACUUM;", NULL, NULL, NULL);
    sqlite3_close(sql);
    return code == SQLITE_OK ? 0 : 1;
}

static int
files_are_replaced(void)
{
    g_autofree char *path = g_build_filename(scratch, "pools.conf", NULL);

    return g_file_set_contents_full(path, "x", 1, G_FILE_SET_CONTENTS_CONSISTENT
                                                      | G_FILE_SET_CONTENTS_DURABLE, 0600, NULL)
               ? 0 : 1;
}

static int
names_are_found(void)
{
    return getgrnam("root") ? 0 : 1;
}

static int
sockets_work(void)
{
    static const int domains[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

    for (size_t i = 0; i < G_N_ELEMENTS(domains); i++) {
        int fd = socket(domains[i], domains[i] == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);

        /* A host without IPv6 has none in a sandbox either. */
        if (fd < 0 && errno == EPERM)
            return 1;
        if (fd >= 0)
            close(fd);
    }
    return 0;
}

static int
pages_are_found(void)
{
    void *page = &scratch;
    int where = -1;

    /* A kernel without NUMA has no such call. */
    return syscall(SYS_move_pages, 0, 1, &page, NULL, &where, 0) == 0 || errno == ENOSYS ? 0 : 1;
}

static void
test_the_work_goes_on(void **state)
{
    (void) state;
    scratch = g_dir_make_tmp("lpard-sandbox-XXXXXX", NULL);
    assert_non_null(scratch);
    assert_int_equal(in_sandbox(threads_start), 0);
    assert_int_equal(in_sandbox(database_works), 0);
    assert_int_equal(in_sandbox(files_are_replaced), 0);
    assert_int_equal(in_sandbox(names_are_found), 0);
    assert_int_equal(in_sandbox(sockets_work), 0);
    assert_int_equal(in_sandbox(pages_are_found), 0);
    for (int i = 0; i < 2; i++) {
        g_autofree char *path = g_build_filename(scratch, i ? "pools.conf" : "test.db", NULL);

        assert_int_equal(g_unlink(path), 0);
    }
    assert_int_equal(g_rmdir(scratch), 0);
    g_free(scratch);
}

static int
abort_ends_it(void)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* A failed assertion ends lpard by the signal that says so, and not by something stranger. */
static void
test_it_can_end_itself(void **state)
{
    (void) state;
    assert_int_equal(in_sandbox(abort_ends_it), 128 + SIGABRT);
}

/* --- capabilities --- */

/* The number behind "CapEff:" in /proc/self/status. */
static unsigned long long
status_number(const char *key, int base)
{
    g_autofree char *text = NULL;
    const char *line;

    if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL)
        || !(line = strstr(text, key)))
        return ~0ULL;
    return g_ascii_strtoull(line + strlen(key), NULL, base);
}

static int
capabilities_are_few(void)
{
    /* CAP_DAC_OVERRIDE, CAP_SYS_PTRACE, CAP_SYS_NICE. */
    const unsigned long long kept = 1ULL << 1 | 1ULL << 19 | 1ULL << 23
                                    | (hides_pages ? 1ULL << 21 : 0);
    unsigned n = g_strv_length(lp_sandbox()->capabilities);

    if (status_number("CapEff:", 16) & ~kept || status_number("CapPrm:", 16) & ~kept
        || status_number("CapInh:", 16) || status_number("CapAmb:", 16))
        return 1;
    if ((unsigned) __builtin_popcountll(status_number("CapEff:", 16)) != n)
        return 2;
    return status_number("NoNewPrivs:", 10) == 1 && status_number("Seccomp:", 10) == 2 ? 0 : 3;
}

static void
test_few_capabilities_are_kept(void **state)
{
    (void) state;
    assert_int_equal(in_sandbox(capabilities_are_few), 0);
    /* CAP_SYS_ADMIN, where pages may be hidden, and nothing more by it. */
    hides_pages = true;
    assert_int_equal(in_sandbox(capabilities_are_few), 0);
    test_forbidden_calls(state);
    hides_pages = false;
    assert_false(lp_sandbox_hides_pages(1));
}

static int
bounding_set_is_empty(void)
{
    return status_number("CapBnd:", 16) == 0 ? 0 : 1;
}

static void
test_nothing_can_be_had_back(void **state)
{
    (void) state;
    if (prctl(PR_CAPBSET_READ, 8 /* CAP_SETPCAP */) != 1 || geteuid() != 0)
        skip();
    assert_int_equal(in_sandbox(bounding_set_is_empty), 0);
}

/* --- where it stays off --- */

static void
test_off_where_programs_are_run(void **state)
{
    (void) state;
    assert_true(lp_sandbox_uri_runs_programs("qemu:///session"));
    assert_true(lp_sandbox_uri_runs_programs("qemu:///session?socket=/x"));
    assert_true(lp_sandbox_uri_runs_programs("qemu+ssh://root@host/system"));
    assert_true(lp_sandbox_uri_runs_programs("qemu+ext://host/system?command=x"));
    assert_true(lp_sandbox_uri_runs_programs("qemu:///embed?root=/x"));
    assert_false(lp_sandbox_uri_runs_programs("qemu:///system"));
    assert_false(lp_sandbox_uri_runs_programs("qemu+unix:///system?socket=/run/session"));
    assert_false(lp_sandbox_uri_runs_programs("qemu+tls://ssh.example/system"));
    assert_false(lp_sandbox_uri_runs_programs("sim:/tmp/session.json"));
    assert_false(lp_sandbox_uri_runs_programs("test:///default"));
}

static void
off(const char *uri, bool by_setting, const char *why)
{
    g_autoptr(LpSettings) settings = settings_for(uri);
    g_autoptr(GError) error = NULL;

    settings->no_sandbox = by_setting;
    assert_true(lp_sandbox_enter(settings, hides_pages, &error));
    assert_false(lp_sandbox()->on);
    assert_null(lp_sandbox()->capabilities);
    assert_non_null(strstr(lp_sandbox()->reason, why));
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

static void
test_off_is_said_with_its_reason(void **state)
{
    (void) state;
    off("sim:/tmp/none.json", true, "sandbox = off");
    off("qemu:///session", false, "libvirt runs programs");
    g_setenv("LD_PRELOAD", "/usr/libexec/valgrind/vgpreload_core-amd64-linux.so", TRUE);
    off("sim:/tmp/none.json", false, "valgrind");
    g_unsetenv("LD_PRELOAD");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forbidden_calls),
        cmocka_unit_test(test_written_memory_is_not_executed),
        cmocka_unit_test(test_it_holds_for_older_threads),
        cmocka_unit_test(test_the_work_goes_on),
        cmocka_unit_test(test_it_can_end_itself),
        cmocka_unit_test(test_few_capabilities_are_kept),
        cmocka_unit_test(test_nothing_can_be_had_back),
        cmocka_unit_test(test_off_where_programs_are_run),
        cmocka_unit_test(test_off_is_said_with_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
