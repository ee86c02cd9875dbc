#include "agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/log.h"
#include "agent/spawn.h"

#define LP_CHILD_READ 4096
#define LP_CHILD_READS_AT_ONCE 16       /* what a pipe holds; then everybody else has a turn */
/* Every death is told by SIGCHLD; this is for what the look at the list of children missed. */
#define LP_CHILD_LOOK_MSEC 100

typedef enum {
    IDLE,
    FAILED,            /* could not be started: its done() is due */
    RUNNING,
    TERMINATING,       /* SIGTERM was sent */
    CLEARING,          /* it ended or was killed; what it left is being killed */
    TELLING,           /* done() is at work: nothing is started meanwhile */
} LpChildStage;

typedef struct {
    LpChildSpec spec;
    bool cancelled;
} LpChildWait;

/* One agent a process. */
static struct {
    LpChildStage stage;
    LpChildWait queue[LP_CHILD_QUEUE_MAX];   /* the first is the one at work */
    unsigned n;
    pid_t pid;                               /* 0: not there, or reaped */
    int output_fd, problem_fd;
    int64_t next_msec, give_up_msec;
    size_t n_said, n_kept, n_line;
    LpChildEnd end;
    char output[LP_CHILD_OUTPUT_MAX + 1];
    char line[LP_CHILD_LINE_MAX], last[LP_CHILD_LINE_MAX];
} child;

static void on_output(LpAgent *agent, uint32_t events);
static const LpWatcher output_watcher = { on_output };

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
lp_child_init(LpAgent *agent)
{
    (void)agent;
    memset(&child, 0, sizeof(child));
    child.output_fd = child.problem_fd = -1;
    child.next_msec = LP_NEVER;
    lp_spawn_adopt();
}

static void
end_line(void)
{
    bool blank = true;

    for (size_t i = 0; i < child.n_line && blank; i++)
        blank = (unsigned char)child.line[i] <= ' ';
    if (!blank) {
        memcpy(child.last, child.line, child.n_line);
        child.last[child.n_line] = '\0';
    }
    child.n_line = 0;
}

static void
take_output(const char *bytes, size_t length)
{
    size_t room = LP_CHILD_OUTPUT_MAX - child.n_kept;
    size_t keep = length < room ? length : room;

    memcpy(child.output + child.n_kept, bytes, keep);
    child.n_kept += keep;
    child.n_said += length;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r')
            end_line();
        else if (child.n_line < sizeof(child.line) - 1)
            child.line[child.n_line++] = bytes[i] != '\0' ? bytes[i] : ' ';
    }
}

/* Reads what is there, within bounds. */
static void
read_output(void)
{
    char bytes[LP_CHILD_READ];

    for (int i = 0; i < LP_CHILD_READS_AT_ONCE && child.output_fd >= 0; i++) {
        ssize_t n = read(child.output_fd, bytes, sizeof(bytes));

        if (n > 0)
            take_output(bytes, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            close_fd(&child.output_fd);
        else if (errno == EAGAIN)
            return;
    }
}

static void
clear_rest(int64_t now_msec)
{
    child.stage = CLEARING;
    child.give_up_msec = now_msec + LP_CHILD_CLEAR_MSEC;
    child.next_msec = now_msec;
}

static void
on_output(LpAgent *agent, uint32_t events)
{
    (void)agent;
    (void)events;
    read_output();
    if (child.n_said <= LP_CHILD_FLOOD_BYTES || child.end.flooded)
        return;
    child.end.flooded = true;
    close_fd(&child.output_fd);
    if (child.stage == RUNNING || child.stage == TERMINATING)
        clear_rest(lp_clock_msec());
}

/* To all of its group; to itself where it has not got that far. */
static void
signal_child(int number)
{
    if (child.pid > 0 && kill(-child.pid, number) < 0)
        kill(child.pid, number);
}

/* Two pipes and the process; false and errno. */
static bool
spawn(LpAgent *agent, const LpChildSpec *spec)
{
    int output[2] = { -1, -1 }, problem[2] = { -1, -1 }, saved;
    pid_t pid = -1;

    if (pipe2(output, O_CLOEXEC) == 0 && pipe2(problem, O_CLOEXEC | O_NONBLOCK) == 0 &&
        fcntl(output[0], F_SETFL, O_NONBLOCK) == 0 &&
        lp_agent_watch(agent, output[0], EPOLLIN, &output_watcher))
        pid = lp_spawn(spec, output[1], problem[1]);
    saved = errno;
    close_fd(&output[1]);
    close_fd(&problem[1]);
    if (pid < 0) {
        close_fd(&output[0]);
        close_fd(&problem[0]);
    }
    child.pid = pid < 0 ? 0 : pid;
    child.output_fd = output[0];
    child.problem_fd = problem[0];
    errno = saved;
    return pid > 0;
}

static void
start_next(LpAgent *agent)
{
    const LpChildWait *wait = &child.queue[0];
    int64_t now;

    if (child.stage != IDLE || child.n == 0)
        return;
    now = lp_clock_msec();
    memset(&child.end, 0, sizeof(child.end));
    child.n_said = child.n_kept = child.n_line = 0;
    child.last[0] = '\0';
    if (wait->cancelled || !spawn(agent, &wait->spec)) {
        child.end.error = wait->cancelled ? ECANCELED : errno;
        child.end.timed_out = wait->cancelled;
        child.stage = FAILED;
        child.next_msec = now;
        return;
    }
    child.end.started = true;
    child.stage = RUNNING;
    child.next_msec = now + wait->spec.timeout_msec;
}

bool
lp_child_run(LpAgent *agent, const LpChildSpec *spec)
{
    if (child.n == LP_CHILD_QUEUE_MAX)
        return false;
    child.queue[child.n++] = (LpChildWait){ .spec = *spec };
    start_next(agent);
    return true;
}

/* Its output and whether it could be executed at all, then done(), then the next. */
static void
finish(LpAgent *agent)
{
    LpChildSpec spec = child.queue[0].spec;

    read_output();
    end_line();
    child.output[child.n_kept] = '\0';
    if (child.problem_fd >= 0 &&
        read(child.problem_fd, &child.end.error, sizeof(int)) == (ssize_t)sizeof(int))
        child.end.started = false;
    close_fd(&child.output_fd);
    close_fd(&child.problem_fd);
    child.end.output = child.output;
    child.end.last_line = child.last;
    child.n--;
    memmove(child.queue, child.queue + 1, child.n * sizeof(child.queue[0]));
    child.pid = 0;
    child.next_msec = LP_NEVER;
    child.stage = TELLING;
    if (spec.done != NULL)
        spec.done(agent, &child.end, spec.data);
    child.stage = IDLE;
    start_next(agent);
}

static void
reap(void)
{
    siginfo_t info;
    int status;
    pid_t pid;

    /* Its group is killed while its number cannot be anybody else's yet. */
    memset(&info, 0, sizeof(info));
    if (child.pid > 0 &&
        waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == child.pid)
        kill(-child.pid, SIGKILL);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != child.pid)
            continue;
        child.pid = 0;
        child.end.signalled = WIFSIGNALED(status);
        child.end.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    }
}

/* Kills until nothing is left, or until it is no use. */
static void
clear(LpAgent *agent, int64_t now_msec)
{
    unsigned left;

    signal_child(SIGKILL);
    reap();
    left = lp_spawn_kill_children();
    if (child.pid == 0 && left == 0) {
        finish(agent);
    } else if (now_msec >= child.give_up_msec) {
        lp_log_warn("%s left processes that cannot be killed",
                    child.queue[0].spec.path != NULL ? child.queue[0].spec.path : "a helper");
        finish(agent);
    } else {
        child.next_msec = now_msec + LP_CHILD_LOOK_MSEC;
    }
}

void
lp_child_reap(LpAgent *agent, int64_t now_msec)
{
    reap();
    if ((child.stage == RUNNING || child.stage == TERMINATING) && child.pid == 0)
        clear_rest(now_msec);
    if (child.stage == CLEARING)
        clear(agent, now_msec);
}

int64_t
lp_child_deadline(const LpAgent *agent)
{
    (void)agent;
    return child.next_msec;
}

void
lp_child_tick(LpAgent *agent, int64_t now_msec)
{
    switch (child.stage) {
    case FAILED:
        finish(agent);
        break;
    case RUNNING:
        child.end.timed_out = true;
        signal_child(SIGTERM);
        child.stage = TERMINATING;
        child.next_msec = now_msec + LP_CHILD_TERM_MSEC;
        break;
    case TERMINATING:
        clear_rest(now_msec);
        clear(agent, now_msec);
        break;
    case CLEARING:
        clear(agent, now_msec);
        break;
    case IDLE:
    case TELLING:
        child.next_msec = LP_NEVER;
        break;
    }
}

bool
lp_child_cancel(LpAgent *agent, const void *data)
{
    bool at_work = child.stage != IDLE && child.stage != TELLING;

    (void)agent;
    for (unsigned i = at_work ? 1 : 0; i < child.n; i++) {
        if (child.queue[i].spec.data == data)
            child.queue[i].cancelled = true;
    }
    if (!at_work || child.queue[0].spec.data != data)
        return false;
    if (child.stage == RUNNING)
        child.next_msec = lp_clock_msec();
    return true;
}

void
lp_child_end(LpAgent *agent)
{
    (void)agent;
    /* Some 100 ms at most: whoever stops the agent waits for it. */
    for (int i = 0; i < 20 && (child.pid > 0 || lp_spawn_kill_children() > 0); i++) {
        signal_child(SIGKILL);
        usleep(i > 0 ? 5000 : 0);
        reap();
    }
    close_fd(&child.output_fd);
    close_fd(&child.problem_fd);
}
