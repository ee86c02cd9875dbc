/* What the balloon's driver says of a simulated guest. */
#include "hotplug/sim-call.h"

static bool
begin(LpSimCall *call, LpConn *conn, const char *uuid, const char *name, GError **error)
{
    if (!lp_sim_begin(call, conn, uuid, name, LP_SIM_RUNNING | LP_SIM_MONITOR, error))
        return false;
    if (call->domain->has_balloon)
        return true;
    lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call->domain->name, "it has no balloon");
    g_mutex_unlock(&call->host->lock);
    return false;
}

bool
lp_sim_set_stats_period(LpConn *conn, const char *uuid, uint32_t sec, GError **error)
{
    LpSimCall call;

    if (!begin(&call, conn, uuid, "set_stats_period", error))
        return false;
    call.domain->stats_period_sec = sec;
    return lp_sim_end(&call, true, error);
}

bool
lp_sim_memory_stats(LpConn *conn, const char *uuid, LpMemoryStats *ret_stats, GError **error)
{
    const LpSimManners *manners;
    LpSimCall call;

    *ret_stats = (LpMemoryStats){0};
    if (!begin(&call, conn, uuid, "memory_stats", error))
        return false;
    manners = &call.domain->manners;
    ret_stats->actual_bytes = call.domain->base_bytes
                              - MIN(call.domain->base_bytes, call.domain->balloon_bytes);
    if (call.domain->stats_period_sec && manners->load.used_bytes) {
        lp_sim_guest_memory(call.domain, &ret_stats->total_bytes, &ret_stats->usable_bytes);
        if (manners->stats.total_bytes)
            ret_stats->total_bytes = manners->stats.total_bytes;
        if (manners->stats.usable_bytes)
            ret_stats->usable_bytes = manners->stats.usable_bytes;
        ret_stats->unused_bytes = ret_stats->usable_bytes / 2;
        ret_stats->last_update_sec = (uint64_t) (g_get_real_time() / G_USEC_PER_SEC)
                                     - manners->stats.age_sec;
    }
    return lp_sim_end(&call, true, error);
}
