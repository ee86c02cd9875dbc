#include "agent/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/check.h"
#include "agent/clock.h"
#include "agent/log.h"
#include "agent/memuse.h"

#define LP_MIB (UINT64_C(1) << 20)

/* The window of the trigger.  Whole multiples of 2 s are what the kernel measures anyway, and all
 * that it allows without privilege. */
#define LP_GUARD_WINDOW_USEC 2000000u
/* Memory leaves in blocks of 128 MiB, some tens of milliseconds each at best; a program touches
 * new memory at about the same speed. */
#define LP_GUARD_LOOK_MSEC 250
/* When tasks wait although enough seems available, nobody knows how much they lack: a step that
 * is felt, and no more than half a memory block. */
#define LP_GUARD_STEP_BYTES (64 * LP_MIB)

static void on_trigger(LpAgent *agent, uint32_t events);

static const LpWatcher trigger_watcher = { on_trigger };

void
lp_guard_init(LpAgent *agent)
{
    memset(&agent->guard, 0, sizeof(agent->guard));
    agent->guard.fd = -1;
    agent->guard.look_msec = LP_NEVER;
}

/* -1 where it cannot be had. */
static int
open_trigger(LpAgent *agent)
{
    /* "some" is any task waiting; the limit is hundredths of a percent of the window. */
    uint64_t usec = (uint64_t)agent->conf.pressure_limit_centi * (LP_GUARD_WINDOW_USEC / 10000);
    char path[256], text[64];
    int fd, length;

    if (usec == 0 || usec > LP_GUARD_WINDOW_USEC)
        return -1;
    snprintf(path, sizeof(path), "%s/pressure/memory", agent->options.procfs);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    length = snprintf(text, sizeof(text), "some %llu %u", (unsigned long long)usec,
                      LP_GUARD_WINDOW_USEC);
    /* With its NUL, as the kernel's documentation has it. */
    if (write(fd, text, (size_t)length + 1) != length + 1 ||
        !lp_agent_watch(agent, fd, EPOLLPRI, &trigger_watcher)) {
        lp_log_info("no trigger for memory pressure: %s", strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static void
close_trigger(LpGuard *guard)
{
    if (guard->fd >= 0)
        close(guard->fd);
    guard->fd = -1;
}

void
lp_guard_begin(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec)
{
    LpGuard *guard = &agent->guard;
    uint64_t leaves, offline;
    LpMemUse use;

    lp_guard_end(agent);
    if (!phase->has_mem || phase->mem_to_bytes >= phase->mem_from_bytes)
        return;
    leaves = phase->mem_from_bytes - phase->mem_to_bytes;
    /* Blocks that are not online leave first, as in CHECK. */
    offline = lp_memory_offline_bytes(&agent->memory);
    if (offline >= leaves)
        return;
    guard->open = true;
    guard->force = phase->force;
    guard->leaves_bytes = leaves - offline;
    guard->total_bytes = lp_memuse_read(agent->options.procfs, &use) ? use.total_bytes : 0;
    /* At once: since CHECK the hooks have run, and programs have gone on. */
    guard->look_msec = now_msec;
    guard->fd = open_trigger(agent);
}

void
lp_guard_end(LpAgent *agent)
{
    LpGuard *guard = &agent->guard;

    close_trigger(guard);
    guard->open = guard->pressed = false;
    guard->look_msec = LP_NEVER;
}

/* How the release stands. */
typedef struct {
    uint64_t gone_bytes;
    uint64_t next_bytes;               /* what leaves before the next look, at most */
    uint64_t available_bytes;          /* now */
    uint64_t least_bytes;              /* what must be by then */
    uint64_t floor_bytes;              /* what should be, at the size now */
} LpGuardView;

static bool
view(LpAgent *agent, LpGuardView *ret_view)
{
    const LpGuard *guard = &agent->guard;
    LpMemUse use;
    uint64_t next;

    if (guard->total_bytes == 0 || !lp_memuse_read(agent->options.procfs, &use))
        return false;
    ret_view->gone_bytes =
        guard->total_bytes > use.total_bytes ? guard->total_bytes - use.total_bytes : 0;
    next = guard->leaves_bytes > ret_view->gone_bytes ?
           guard->leaves_bytes - ret_view->gone_bytes : 0;
    /* He who insists has been told that all of it will not do: he gets what can be had, block by
     * block. */
    if (guard->force && agent->memory.block_bytes > 0 && next > agent->memory.block_bytes)
        next = agent->memory.block_bytes;
    if (next > use.total_bytes)
        next = use.total_bytes;
    ret_view->next_bytes = next;
    ret_view->available_bytes = use.available_bytes;
    ret_view->least_bytes = lp_check_floor_bytes(use.total_bytes - next) / 2;
    ret_view->floor_bytes = lp_check_floor_bytes(use.total_bytes);
    return true;
}

/* Why to stop, for people; false: no reason. */
static bool
find_reason(const LpAgent *agent, const LpGuardView *now, char *ret_text, size_t size)
{
    uint32_t limit = agent->conf.pressure_limit_centi;

    if (agent->guard.pressed) {
        snprintf(ret_text, size, "memory pressure passed %u.%02u %% of 2 s, %llu MiB are available",
                 limit / 100, limit % 100, (unsigned long long)(now->available_bytes / LP_MIB));
        return true;
    }
    if (now->available_bytes >= now->next_bytes + now->least_bytes)
        return false;
    snprintf(ret_text, size, "memory pressure: %llu MiB are available, %llu MiB must be%s",
             (unsigned long long)(now->available_bytes / LP_MIB),
             (unsigned long long)((now->next_bytes + now->least_bytes) / LP_MIB),
             now->next_bytes > 0 ? " for more to leave" : "");
    return true;
}

static uint64_t
bytes_back(const LpAgent *agent, const LpGuardView *now)
{
    uint64_t back = now->floor_bytes > now->available_bytes ?
                    now->floor_bytes - now->available_bytes : 0;

    if (agent->guard.pressed && back < LP_GUARD_STEP_BYTES)
        back = LP_GUARD_STEP_BYTES;
    return back < now->gone_bytes ? back : now->gone_bytes;
}

static void
look(LpAgent *agent, int64_t now_msec)
{
    LpGuard *guard = &agent->guard;
    LpGuardView now = { .gone_bytes = 0 };
    char reason[LP_WIRE_TEXT_MAX];

    guard->look_msec = now_msec + LP_GUARD_LOOK_MSEC;
    if ((!view(agent, &now) && !guard->pressed) ||
        !find_reason(agent, &now, reason, sizeof(reason)))
        return;
    /* Not while PRE is still at work: the next look is soon enough. */
    if (lp_phase_stop(agent, reason, bytes_back(agent, &now), now_msec))
        lp_guard_end(agent);
}

static void
on_trigger(LpAgent *agent, uint32_t events)
{
    LpGuard *guard = &agent->guard;

    /* It may have been closed by who came before in the same round. */
    if (guard->fd < 0 || !guard->open)
        return;
    if (events & (EPOLLERR | EPOLLHUP)) {
        lp_log_info("the trigger for memory pressure is gone");
        close_trigger(guard);
        return;
    }
    if (events & EPOLLPRI) {
        guard->pressed = true;
        look(agent, lp_clock_msec());
    }
}

int64_t
lp_guard_deadline(const LpAgent *agent)
{
    const LpGuard *guard = &agent->guard;

    if (guard->reclaim.skipped)
        return 0;
    return guard->open ? guard->look_msec : LP_NEVER;
}

void
lp_guard_run(LpAgent *agent, int64_t now_msec)
{
    LpReclaim *reclaim = &agent->guard.reclaim;
    LpReclaimDone done = reclaim->done;

    if (reclaim->skipped) {
        reclaim->skipped = false;
        reclaim->done = NULL;
        done(agent);
    }
    if (agent->guard.open && now_msec >= agent->guard.look_msec)
        look(agent, now_msec);
}
