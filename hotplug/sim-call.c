/* One call of the driver, from its latency and the lock to the kept state: here every fault
 * strikes. */
#include <string.h>

#include "hotplug/sim-call.h"

/* How often a call that hangs looks whether somebody has let it go on from outside. */
#define HANG_POLL_USEC 100000

bool
lp_sim_fail(GError **error, LpDriverError code, const char *name, const char *why)
{
    g_set_error(error, LP_DRIVER_ERROR, code, "%s: %s", name, why);
    return false;
}

/* The simulated latency of a call; without the lock. */
static void
take_time(LpSimHost *host)
{
    if (host->delays.call_usec)
        g_usleep((gulong) host->delays.call_usec);
}

bool
lp_sim_lock(LpSimHost *host, GError **error)
{
    take_time(host);
    g_mutex_lock(&host->lock);
    if (lp_sim_mailbox_take(host, NULL, error) && !host->disconnected)
        return true;
    if (host->disconnected)
        lp_sim_fail(error, LP_DRIVER_ERROR_UNREACHABLE, host->path, "the simulated host is down");
    g_mutex_unlock(&host->lock);
    return false;
}

static uint64_t
hang_msec(const LpSimCall *call, unsigned flags)
{
    const LpSimManners *manners = &call->domain->manners;

    if (call->domain->run == LP_RUN_OFF)
        return 0;
    if (flags & LP_SIM_QGA)
        return manners->qga_msec;
    return flags & LP_SIM_MONITOR || (flags & LP_SIM_LOOK && manners->hang_look)
        ? manners->hang_call_msec : 0;
}

/* Blocks while QEMU is "stopped", or the guest's agent slow.  The domain may be gone when it
 * returns. */
static bool
wait_hung(LpSimCall *call, const char *uuid, unsigned flags, GError **error)
{
    int64_t start_usec = g_get_monotonic_time();

    while (hang_msec(call, flags)) {
        int64_t now_usec = g_get_monotonic_time();
        int64_t end_usec = start_usec + (int64_t) hang_msec(call, flags) * 1000;

        if (now_usec >= end_usec)
            return true;
        g_cond_wait_until(&call->host->wake, &call->host->lock,
                          MIN(end_usec, now_usec + HANG_POLL_USEC));
        call->domain = lp_sim_host_find(call->host, uuid, error);
        if (!call->domain || !lp_sim_mailbox_take(call->host, call->domain, error))
            return false;
    }
    return true;
}

static void
take_planned_failure(LpSimCall *call, const char *name, bool *ret_now)
{
    LpSimManners *manners = &call->domain->manners;

    *ret_now = false;
    if (strcmp(manners->fail_call, name) != 0 && strcmp(manners->fail_call, "*") != 0)
        return;
    manners->fail_call[0] = '\0';
    call->error = manners->fail_error;
    call->fails_after = manners->fail_after_effect;
    *ret_now = !call->fails_after;
}

bool
lp_sim_begin_locked(LpSimCall *call, const char *uuid, const char *name, unsigned flags,
                    GError **error)
{
    bool fails_now;

    call->domain = lp_sim_host_find(call->host, uuid, error);
    if (!call->domain || !lp_sim_mailbox_take(call->host, call->domain, error))
        return false;
    /* The mail may have been its end. */
    call->domain = lp_sim_host_find(call->host, uuid, error);
    if (!call->domain || !wait_hung(call, uuid, flags, error))
        return false;
    call->now_usec = g_get_monotonic_time();
    lp_sim_guest_advance(call->domain, call->now_usec);
    if (flags & LP_SIM_RUNNING && call->domain->run == LP_RUN_OFF)
        return lp_sim_fail(error, LP_DRIVER_ERROR_NOT_RUNNING, call->domain->name,
                           "the domain is not running");
    if (flags & LP_SIM_MONITOR && call->domain->run == LP_RUN_MIGRATING)
        return lp_sim_fail(error, LP_DRIVER_ERROR_FAILED, call->domain->name,
                           "another job has the domain: it is being migrated");
    take_planned_failure(call, name, &fails_now);
    if (fails_now)
        return lp_sim_fail(error, call->error, call->domain->name, "a fault was asked for");
    return true;
}

bool
lp_sim_begin(LpSimCall *call, LpConn *conn, const char *uuid, const char *name, unsigned flags,
             GError **error)
{
    *call = (LpSimCall) { .host = conn->host };
    if (!lp_sim_lock(conn->host, error))
        return false;
    if (lp_sim_begin_locked(call, uuid, name, flags, error))
        return true;
    g_mutex_unlock(&conn->host->lock);
    return false;
}

bool
lp_sim_end(LpSimCall *call, bool ok, GError **error)
{
    if (ok) {
        lp_sim_guest_advance(call->domain, g_get_monotonic_time());
        ok = lp_sim_state_save(call->domain, error);
        lp_sim_host_touch(call->host, call->domain);
    }
    if (ok && call->fails_after)
        ok = lp_sim_fail(error, call->error, call->domain->name, "a fault was asked for");
    g_mutex_unlock(&call->host->lock);
    return ok;
}
