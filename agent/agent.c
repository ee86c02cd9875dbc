/* The loop.  Nothing here polls: with no deadline set it sleeps until something happens. */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/log.h"
#include "agent/uevent.h"

/* Lines of the host handled before everybody else is looked at again. */
#define LP_LINES_AT_ONCE 16
/* Ahead of the guest's work: it is needed most when the guest is busiest. */
#define LP_AGENT_NICE (-10)
/* Only where the kernel's events cannot be had (a container, say). */
#define LP_BLIND_SWEEP_MSEC 10000
/* With so long to sleep the start is over. */
#define LP_REST_MSEC 1000

static void on_signal(LpAgent *agent, uint32_t events);
static void on_uevent(LpAgent *agent, uint32_t events);
static void on_port(LpAgent *agent, uint32_t events);

static const LpWatcher signal_watcher = { on_signal }, uevent_watcher = { on_uevent };
static LpWatcher port_watcher = { on_port };

bool
lp_agent_watch(LpAgent *agent, int fd, uint32_t events, const LpWatcher *watcher)
{
    struct epoll_event event = { .events = events };

    /* epoll only hands it back. */
    memcpy(&event.data.ptr, &watcher, sizeof(watcher));
    return epoll_ctl(agent->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool
open_signals(LpAgent *agent)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    signal(SIGPIPE, SIG_IGN);
    agent->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return agent->signal_fd >= 0 &&
           lp_agent_watch(agent, agent->signal_fd, EPOLLIN, &signal_watcher);
}

static bool
start(LpAgent *agent, const LpAgentOptions *options)
{
    agent->options = *options;
    if (setpriority(PRIO_PROCESS, 0, LP_AGENT_NICE) < 0)
        lp_log_info("no priority for it: %s", strerror(errno));
    agent->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (agent->epoll_fd < 0 || !open_signals(agent)) {
        lp_log_warn("cannot start: %s", strerror(errno));
        return false;
    }
    /* Subscribed before the first look, so that nothing falls between the two. */
    agent->uevent_fd = lp_uevent_open();
    if (agent->uevent_fd < 0 ||
        !lp_agent_watch(agent, agent->uevent_fd, EPOLLIN, &uevent_watcher))
        lp_log_warn("no events of the kernel (%s): looking every %d s instead", strerror(errno),
                    LP_BLIND_SWEEP_MSEC / 1000);
    lp_conf_init(&agent->conf);
    lp_conf_read(&agent->conf, options->conf);
    lp_child_init(agent);
    lp_desire_init(agent);
    lp_report_init(agent);
    lp_phase_init(agent);
    lp_guard_init(agent);
    lp_pressure_init(agent);
    lp_classes_init(agent);
    lp_apps_init(agent);
    lp_port_init(&agent->port, options->sysfs, options->port, agent->epoll_fd, &port_watcher);
    return true;
}

static void
sweep(LpAgent *agent)
{
    int64_t now = lp_clock_msec();

    lp_desire_sweep(agent, now);
    lp_speak_caps(agent, now);
    lp_port_try(&agent->port, now);
    lp_classes_touch(agent, now);
}

static void
on_signal(LpAgent *agent, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)events;
    while (read(agent->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            lp_conf_init(&agent->conf);
            lp_conf_read(&agent->conf, agent->options.conf);
            sweep(agent);
            lp_classes_reload(agent, lp_clock_msec());
        } else if (info.ssi_signo == SIGCHLD) {
            lp_child_reap(agent, lp_clock_msec());
        } else {
            agent->stop = true;
        }
    }
}

static void
on_uevent(LpAgent *agent, uint32_t events)
{
    LpUevents seen = { .lost = false };
    int64_t now = lp_clock_msec();

    (void)events;
    lp_uevent_drain(agent->uevent_fd, &seen);
    if (seen.lost) {
        sweep(agent);
        return;
    }
    lp_memory_arrived(&agent->memory, seen.blocks, seen.n_blocks);
    if (seen.memory) {
        agent->memory.stale = true;
        lp_report_touch(agent, now);
    }
    if (seen.cpus)
        lp_desire_cpus(agent, false, now);
    if (seen.cpus || seen.memory)
        lp_classes_touch(agent, now);
    if (seen.drivers)
        lp_speak_caps(agent, now);
    if (seen.ports)
        lp_port_try(&agent->port, now);
}

static void
on_port(LpAgent *agent, uint32_t events)
{
    int64_t now = lp_clock_msec();
    const char *line = NULL;
    size_t length;

    if (lp_port_ready(&agent->port, events, now)) {
        lp_apps_host_lost(agent);      /* an earlier link's */
        lp_speak_hello(agent, now);
        lp_pressure_touch(agent, now);
        lp_phase_linked(agent, now);
    }
    agent->more = false;
    for (int i = 0; i < LP_LINES_AT_ONCE; i++) {
        line = lp_port_next(&agent->port, &length, now);
        if (line == NULL)
            return;
        lp_speak_heard(agent, line, length, now);
        now = lp_clock_msec();
    }
    /* Edge-triggered: epoll will not say again that there is more. */
    agent->more = true;
}

/* Whoever has something to do later. */
static const struct {
    int64_t (*deadline)(const LpAgent *agent);
    void (*run)(LpAgent *agent, int64_t now_msec);
} timed[] = {
    { lp_child_deadline, lp_child_tick },
    { lp_phase_deadline, lp_phase_run },
    { lp_guard_deadline, lp_guard_run },
    { lp_apps_deadline, lp_apps_run },
    { lp_classes_deadline, lp_classes_run },
    { lp_pressure_deadline, lp_pressure_run },
    { lp_report_deadline, lp_report_run },
};

static int
pause_msec(const LpAgent *agent, int64_t blind_at)
{
    int64_t next = LP_NEVER, now = lp_clock_msec();

    if (agent->more)
        return 0;
    for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]); i++)
        next = lp_clock_earlier(next, timed[i].deadline(agent));
    if (agent->port.fd < 0)
        next = lp_clock_earlier(next, agent->port.retry_at_msec);
    next = lp_clock_earlier(next, agent->desire.retry_at_msec);
    next = lp_clock_earlier(next, blind_at);
    if (next == LP_NEVER)
        return -1;
    return next <= now ? 0 : next - now > 60000 ? 60000 : (int)(next - now);
}

static void
run_deadlines(LpAgent *agent, int64_t *blind_at)
{
    int64_t now = lp_clock_msec();

    if (agent->more)
        on_port(agent, 0);
    if (agent->port.fd < 0 && now >= agent->port.retry_at_msec)
        lp_port_try(&agent->port, now);
    if (now >= agent->desire.retry_at_msec)
        lp_desire_cpus(agent, true, now);
    if (now >= *blind_at) {
        *blind_at = now + LP_BLIND_SWEEP_MSEC;
        sweep(agent);
    }
    for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]); i++) {
        now = lp_clock_msec();
        if (now >= timed[i].deadline(agent))
            timed[i].run(agent, now);
    }
}

/* Where the program's code begins and ends, by the linker. */
extern const char __executable_start[], etext[];

/* The kernel maps much around each page of code that is touched, and most of it only the start, or
 * a resize, needed: a quarter of what the agent takes.  Code that is needed again is mapped again;
 * nothing is read for that, since it stays cached. */
static void
unmap_code(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from, to;

    from = (uintptr_t)__executable_start & ~(page - 1);
    to = (uintptr_t)etext & ~(page - 1);
    if (to > from)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

int
lp_agent_run(const LpAgentOptions *options)
{
    /* Static: the buffers in it are pages that cost nothing until they are used. */
    static LpAgent agent;
    struct epoll_event events[4];
    int64_t blind_at;

    if (!start(&agent, options))
        return 1;
    blind_at = agent.uevent_fd < 0 ? lp_clock_msec() + LP_BLIND_SWEEP_MSEC : LP_NEVER;
    sweep(&agent);
    while (!agent.stop) {
        int n, pause = pause_msec(&agent, blind_at);

        if (!agent.at_rest && (pause < 0 || pause >= LP_REST_MSEC)) {
            agent.at_rest = true;
            unmap_code();
        }
        n = epoll_wait(agent.epoll_fd, events, 4, pause);

        if (n < 0 && errno != EINTR) {
            lp_log_warn("epoll_wait: %s", strerror(errno));
            return 1;
        }
        for (int i = 0; i < n; i++)
            ((const LpWatcher *)events[i].data.ptr)->ready(&agent, events[i].events);
        run_deadlines(&agent, &blind_at);
    }
    lp_child_end(&agent);
    lp_apps_end(&agent);
    return 0;
}
