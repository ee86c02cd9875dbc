/* When to say PRESSURE: when a stall began or the figures have drifted far enough to matter. */
#include "agent/pressure.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/facts.h"
#include "agent/files.h"

/* However hard the pressure: so that a guest that is short of everything is not kept busy. */
#define LP_PRESSURE_GAP_MSEC 1000
/* With no stall: as slowly as STATE looks at figures that drift, and in the same wake-up. */
#define LP_PRESSURE_PAUSE_MSEC 10000
#define LP_PRESSURE_EARLY_MSEC 1000
/* What has changed goes on changing: a program that fills memory does so within seconds. */
#define LP_PRESSURE_SOON_MSEC 2000
/* With nothing to tell: at the next look after so long, so that no more than 35 s pass.  The host
 * takes what is older than 45 s for a thing of the past. */
#define LP_PRESSURE_ALIVE_MSEC 15000
/* What makes a change notable. */
#define LP_NOTABLE_MEMORY_PART 20       /* 1/20 of MemTotal: available, working set, swap */
#define LP_NOTABLE_STALL_CENTI 500
#define LP_NOTABLE_TIME_CENTI 2000      /* busy and stolen time, which moves by itself */
#define LP_NOTABLE_REFAULTS 2560        /* 10 MiB in pages of 4 KiB came back */
#define LP_NOTABLE_CLASS_CENTI 50
#define LP_PROC_MAGIC 0x9fa0            /* PROC_SUPER_MAGIC of linux/magic.h */

/* A tenth of the time for memory, which hurts first; processors and disks are waited for in
 * healthy guests too.  A window of two seconds is told of at most so often, costs the kernel
 * nothing that it does not do for its averages anyway, and from Linux 6.4 on needs no privilege
 * (CAP_SYS_RESOURCE). */
static const struct {
    const char *resource, *trigger;
} stalls[LP_PRESSURE_TRIGGERS] = {
    { "cpu", "some 500000 2000000" },
    { "memory", "some 200000 2000000" },
    { "io", "some 500000 2000000" },
};

static void on_stall(LpAgent *agent, uint32_t events);

static const LpWatcher stall_watcher = { on_stall };

static void
close_triggers(LpPressure *pressure)
{
    for (int i = 0; i < LP_PRESSURE_TRIGGERS; i++) {
        if (pressure->trigger_fd[i] >= 0)
            close(pressure->trigger_fd[i]);
        pressure->trigger_fd[i] = -1;
    }
}

void
lp_pressure_init(LpAgent *agent)
{
    LpPressure *pressure = &agent->pressure;

    memset(pressure, 0, sizeof(*pressure));
    pressure->look_at_msec = LP_NEVER;
    for (int i = 0; i < LP_PRESSURE_TRIGGERS; i++)
        pressure->trigger_fd[i] = -1;
}

/* -1 where the kernel has no triggers, or this is not its procfs: nothing else is written to. */
static int
open_trigger(LpAgent *agent, int index)
{
    const char *trigger = stalls[index].trigger;
    char path[LP_PATH_MAX];
    struct statfs system;
    int fd;

    snprintf(path, sizeof(path), "%s/pressure/%s", agent->options.procfs, stalls[index].resource);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstatfs(fd, &system) == 0 && system.f_type == LP_PROC_MAGIC &&
        write(fd, trigger, strlen(trigger) + 1) > 0 &&
        lp_agent_watch(agent, fd, EPOLLPRI, &stall_watcher))
        return fd;
    close(fd);
    return -1;
}

void
lp_pressure_touch(LpAgent *agent, int64_t now_msec)
{
    LpPressure *pressure = &agent->pressure;

    for (int i = 0; i < LP_PRESSURE_TRIGGERS; i++) {
        if (pressure->trigger_fd[i] < 0)
            pressure->trigger_fd[i] = open_trigger(agent, i);
    }
    pressure->told = false;
    pressure->urgent = true;
    pressure->look_at_msec = now_msec;
}

static void
on_stall(LpAgent *agent, uint32_t events)
{
    LpPressure *pressure = &agent->pressure;
    int64_t soonest = pressure->looked_at_msec + LP_PRESSURE_GAP_MSEC, now = lp_clock_msec();

    /* With nobody to tell nobody need wake; and a trigger that failed would not let us sleep. */
    if (!agent->port.connected || events & EPOLLERR) {
        close_triggers(pressure);
        return;
    }
    pressure->urgent = true;
    pressure->look_at_msec = lp_clock_earlier(pressure->look_at_msec,
                                              soonest > now ? soonest : now);
}

int64_t
lp_pressure_deadline(const LpAgent *agent)
{
    const LpPressure *pressure = &agent->pressure;
    int64_t tick = agent->report.tick_at_msec;

    if (!agent->port.connected)
        return LP_NEVER;
    if (pressure->urgent || pressure->moving || pressure->look_at_msec == LP_NEVER)
        return pressure->look_at_msec;
    /* STATE wakes the agent about then anyway. */
    if (tick >= pressure->look_at_msec && tick - pressure->look_at_msec <= LP_PRESSURE_PAUSE_MSEC)
        return tick;
    return pressure->look_at_msec;
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool
stalls_differ(const LpWirePressure *a, const LpWirePressure *b)
{
    return distance(a->psi_cpu_some_centi, b->psi_cpu_some_centi) >= LP_NOTABLE_STALL_CENTI ||
           distance(a->psi_mem_some_centi, b->psi_mem_some_centi) >= LP_NOTABLE_STALL_CENTI ||
           distance(a->psi_mem_full_centi, b->psi_mem_full_centi) >= LP_NOTABLE_STALL_CENTI ||
           distance(a->psi_io_some_centi, b->psi_io_some_centi) >= LP_NOTABLE_STALL_CENTI ||
           distance(a->psi_io_full_centi, b->psi_io_full_centi) >= LP_NOTABLE_STALL_CENTI ||
           distance(a->busy_centi, b->busy_centi) >= LP_NOTABLE_TIME_CENTI ||
           distance(a->steal_centi, b->steal_centi) >= LP_NOTABLE_TIME_CENTI;
}

static bool
classes_differ(const LpWirePressure *a, const LpWirePressure *b, uint64_t part)
{
    if (a->n_classes != b->n_classes)
        return true;
    for (uint32_t i = 0; i < a->n_classes && i < LP_WIRE_CLASSES_MAX; i++) {
        if (strcmp(a->classes[i].name, b->classes[i].name) != 0 ||
            distance(a->classes[i].mem_bytes, b->classes[i].mem_bytes) >= part ||
            distance(a->classes[i].cpu_centi, b->classes[i].cpu_centi) >= LP_NOTABLE_CLASS_CENTI)
            return true;
    }
    return false;
}

bool
lp_pressure_notable(const LpWirePressure *sent, const LpWirePressure *now)
{
    uint64_t part = sent->mem_total_bytes / LP_NOTABLE_MEMORY_PART + 1;

    return now->mem_total_bytes != sent->mem_total_bytes || now->oom_kills != sent->oom_kills ||
           distance(now->mem_available_bytes, sent->mem_available_bytes) >= part ||
           distance(now->working_set_bytes, sent->working_set_bytes) >= part ||
           distance(now->swap_used_bytes, sent->swap_used_bytes) >= part ||
           distance(now->refaults, sent->refaults) >= LP_NOTABLE_REFAULTS ||
           stalls_differ(sent, now) || classes_differ(sent, now, part);
}

void
lp_pressure_run(LpAgent *agent, int64_t now_msec)
{
    LpPressure *pressure = &agent->pressure;
    LpWireMessage message = { .kind = LP_WIRE_PRESSURE };

    pressure->urgent = false;
    pressure->looked_at_msec = now_msec;
    pressure->look_at_msec = now_msec + LP_PRESSURE_PAUSE_MSEC - LP_PRESSURE_EARLY_MSEC;
    lp_pressure_read(agent->options.procfs, LP_CLASSES_LIST,
                     &pressure->base, &message.pressure);
    pressure->moving = pressure->told &&
                       lp_pressure_notable(&pressure->sent, &message.pressure);
    if (pressure->moving)
        pressure->look_at_msec = now_msec + LP_PRESSURE_SOON_MSEC;
    else if (pressure->told && now_msec - pressure->said_at_msec < LP_PRESSURE_ALIVE_MSEC)
        return;
    pressure->seq = lp_clock_seq(pressure->seq);
    message.pressure.seq = pressure->seq;
    pressure->sent = message.pressure;
    pressure->said_at_msec = now_msec;
    pressure->told = lp_speak_send(agent, &message, now_msec);
}
