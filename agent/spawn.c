#include "agent/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/files.h"

/* Above the highest descriptor that the agent ever has: port, signals, socket, sixteen programs. */
#define LP_SPAWN_FD_MAX 256
/* Children found at the start that are remembered; a shell's exec leaves one or two. */
#define LP_SPAWN_SPARED_MAX 16
/* A look takes so much of the kernel's list; what is beyond is found by the next look. */
#define LP_SPAWN_LIST 4096

static pid_t spared[LP_SPAWN_SPARED_MAX];
static unsigned n_spared;

static void
reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* stdin, stdout, stderr; whichever of them the agent itself was started without. */
static int
set_streams(int output, int problem)
{
    int null = fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, 3);

    output = fcntl(output, F_DUPFD_CLOEXEC, 3);
    problem = fcntl(problem, F_DUPFD_CLOEXEC, 3);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    return problem;
}

static void
become(const LpChildSpec *spec, pid_t agent, int output, int problem)
{
    static char *const nothing[] = { NULL };
    int error;
    ssize_t n;

    /* It does not outlive an agent that is killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != agent)
        _exit(127);
    setsid();
    /* The agent's own priority is not its programs'. */
    setpriority(PRIO_PROCESS, 0, 0);
    reset_signals();
    problem = set_streams(output, problem);
    umask(022);
    if (chdir("/") < 0)
        _exit(127);
    /* The port can be opened only once: not even a dying agent's child may hold it.  An exec closes
     * it, and here also what the agent itself was left with by who started it. */
    for (int fd = 3; fd < LP_SPAWN_FD_MAX; fd++) {
        if (spec->path == NULL)
            close(fd);
        else
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    if (spec->path == NULL)
        _exit(spec->func(spec->data));
    execve(spec->path, spec->argv, spec->envp != NULL ? spec->envp : nothing);
    error = errno;
    n = write(problem, &error, sizeof(error));
    (void)n;
    _exit(127);
}

pid_t
lp_spawn(const LpChildSpec *spec, int output, int problem)
{
    pid_t agent = getpid(), pid = fork();

    if (pid == 0)
        become(spec, agent, output, problem);
    return pid;
}

/* "812 (some) name) S 1 ...": the parent is the second word after the last parenthesis. */
static pid_t
parent_of(uint32_t pid)
{
    char text[512];
    const char *at;

    if (lp_file_read(text, sizeof(text), "/proc/%u/stat", pid) <= 0)
        return 0;
    at = strrchr(text, ')');
    return at != NULL && strlen(at) > 4 ? (pid_t)atoi(at + 4) : 0;
}

typedef struct {
    void (*func)(pid_t pid);
    unsigned count;
} LpChildWalk;

static void
visit(uint32_t number, void *data)
{
    LpChildWalk *walk = data;
    pid_t pid = (pid_t)number;

    for (unsigned i = 0; i < n_spared; i++) {
        if (spared[i] == pid)
            return;
    }
    walk->func(pid);
    walk->count++;
}

static void
visit_if_child(uint32_t number, void *data)
{
    if (parent_of(number) == getpid())
        visit(number, data);
}

/* Always the real /proc, whatever the agent was told to read its figures from. */
static unsigned
each_child(void (*func)(pid_t pid))
{
    LpChildWalk walk = { .func = func };
    char text[LP_SPAWN_LIST], *at = text, *end;

    if (lp_file_read(text, sizeof(text), "/proc/self/task/%d/children", (int)getpid()) < 0) {
        /* A kernel without CONFIG_PROC_CHILDREN. */
        lp_file_each("/proc", "", visit_if_child, &walk);
        return walk.count;
    }
    for (;;) {
        unsigned long pid = strtoul(at, &end, 10);

        /* Cut in the middle of a number: not a pid. */
        if (end == at || (*end == '\0' && (size_t)(end - text) == sizeof(text) - 1))
            return walk.count;
        visit((uint32_t)pid, &walk);
        at = end;
    }
}

static void
spare(pid_t pid)
{
    if (n_spared < LP_SPAWN_SPARED_MAX)
        spared[n_spared++] = pid;
}

void
lp_spawn_adopt(void)
{
    n_spared = 0;
    each_child(spare);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void
kill_one(pid_t pid)
{
    kill(pid, SIGKILL);
}

unsigned
lp_spawn_kill_children(void)
{
    /* As a container's first process it is everybody's reaper: it cannot tell whose child that
     * was, and kills none. */
    return getpid() == 1 ? 0 : each_child(kill_one);
}
