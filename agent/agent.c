/* The loop.  Nothing here polls: with no deadline set it sleeps until something happens. */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/log.h"
#include "agent/uevent.h"

/* Lines of the host handled before everybody else is looked at again. */
#define LP_LINES_AT_ONCE 16
/* Only where the kernel's events cannot be had (a container, say). */
#define LP_BLIND_SWEEP_MSEC 10000

static bool
watch_fd(LpAgent *agent, int fd, void *who)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = who };

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
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    signal(SIGPIPE, SIG_IGN);
    agent->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return agent->signal_fd >= 0 && watch_fd(agent, agent->signal_fd, &agent->signal_fd);
}

static bool
start(LpAgent *agent, const LpAgentOptions *options)
{
    agent->options = *options;
    agent->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (agent->epoll_fd < 0 || !open_signals(agent)) {
        lp_log_warn("cannot start: %s", strerror(errno));
        return false;
    }
    /* Subscribed before the first look, so that nothing falls between the two. */
    agent->uevent_fd = lp_uevent_open();
    if (agent->uevent_fd < 0 || !watch_fd(agent, agent->uevent_fd, &agent->uevent_fd))
        lp_log_warn("no events of the kernel (%s): looking every %d s instead", strerror(errno),
                    LP_BLIND_SWEEP_MSEC / 1000);
    lp_desire_init(agent);
    lp_report_init(agent);
    lp_port_init(&agent->port, options->sysfs, options->port, agent->epoll_fd);
    return true;
}

static void
sweep(LpAgent *agent)
{
    int64_t now = lp_clock_msec();

    lp_desire_sweep(agent, now);
    lp_speak_caps(agent, now);
    lp_port_try(&agent->port, now);
}

static void
on_signal(LpAgent *agent)
{
    struct signalfd_siginfo info;

    while (read(agent->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            sweep(agent);
        else
            agent->stop = true;
    }
}

static void
on_uevent(LpAgent *agent)
{
    LpUevents events = { .lost = false };
    int64_t now = lp_clock_msec();

    lp_uevent_drain(agent->uevent_fd, &events);
    if (events.lost) {
        sweep(agent);
        return;
    }
    for (unsigned i = 0; i < events.n_blocks; i++)
        lp_memory_arrived(&agent->memory, events.blocks[i]);
    if (events.memory) {
        agent->memory.stale = true;
        lp_report_touch(agent, now);
    }
    if (events.cpus)
        lp_desire_cpus(agent, false, now);
    if (events.drivers)
        lp_speak_caps(agent, now);
    if (events.ports)
        lp_port_try(&agent->port, now);
}

static void
on_port(LpAgent *agent, uint32_t events)
{
    int64_t now = lp_clock_msec();
    const char *line = NULL;
    size_t length;

    if (lp_port_ready(&agent->port, events, now))
        lp_speak_hello(agent, now);
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

static int
pause_msec(const LpAgent *agent, int64_t blind_at)
{
    int64_t next = lp_report_deadline(agent), now = lp_clock_msec();

    if (agent->more)
        return 0;
    if (agent->port.fd < 0)
        next = lp_clock_earlier(next, agent->port.retry_at_msec);
    next = lp_clock_earlier(next, agent->desire.retry_at_msec);
    next = lp_clock_earlier(next, blind_at);
    if (next == LP_NEVER)
        return -1;
    return next <= now ? 0 : next - now > 60000 ? 60000 : (int)(next - now);
}

static void
dispatch(LpAgent *agent, const struct epoll_event *event)
{
    if (event->data.ptr == &agent->signal_fd)
        on_signal(agent);
    else if (event->data.ptr == &agent->uevent_fd)
        on_uevent(agent);
    else
        on_port(agent, event->events);
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
    lp_report_run(agent, lp_clock_msec());
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
        int n = epoll_wait(agent.epoll_fd, events, 4, pause_msec(&agent, blind_at));

        if (n < 0 && errno != EINTR) {
            lp_log_warn("epoll_wait: %s", strerror(errno));
            return 1;
        }
        for (int i = 0; i < n; i++)
            dispatch(&agent, &events[i]);
        run_deadlines(&agent, &blind_at);
    }
    return 0;
}
