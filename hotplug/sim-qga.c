/* qemu-guest-agent in simulated guests: asked by call, as through libvirt. */
#include "hotplug/sim-call.h"

/* What Linux has on x86 up to 64 GiB. */
#define BLOCK_BYTES (128ULL << 20)

bool
lp_sim_qga_connected(const LpSimDomain *domain)
{
    return domain->manners.qga && domain->run != LP_RUN_OFF
           && g_get_monotonic_time() >= domain->booted_usec;
}

static bool
begin(LpSimCall *call, LpConn *conn, const char *uuid, const char *name, GError **error)
{
    if (!lp_sim_begin(call, conn, uuid, name, LP_SIM_RUNNING | LP_SIM_QGA, error))
        return false;
    if (lp_sim_qga_connected(call->domain) && call->domain->run == LP_RUN_RUNNING)
        return true;
    lp_sim_fail(error, LP_DRIVER_ERROR_TIMEOUT, call->domain->name,
                "qemu-guest-agent does not answer");
    g_mutex_unlock(&call->host->lock);
    return false;
}

bool
lp_sim_qga_look(LpConn *conn, const char *uuid, LpQgaState *ret_state, GError **error)
{
    LpSimCall call;
    uint64_t plugged;

    *ret_state = (LpQgaState){0};
    if (!begin(&call, conn, uuid, "qga_look", error))
        return false;
    plugged = lp_sim_guest_plugged(call.domain);
    ret_state->ids_known = true;
    ret_state->online = call.domain->online;
    ret_state->offlinable = call.domain->plugged;
    lp_cpumask_remove(&ret_state->offlinable, 0);
    ret_state->has_blocks = true;
    ret_state->block_bytes = BLOCK_BYTES;
    if (call.domain->manners.memory_waits && plugged > call.domain->onlined_bytes)
        ret_state->offline_bytes = plugged - call.domain->onlined_bytes;
    ret_state->online_bytes = call.domain->base_bytes + plugged - ret_state->offline_bytes;
    return lp_sim_end(&call, true, error);
}

bool
lp_sim_qga_set_vcpus(LpConn *conn, const char *uuid, const LpCpuMask *want, GError **error)
{
    LpSimCall call;
    bool ok = true;

    if (!begin(&call, conn, uuid, "qga_set_vcpus", error))
        return false;
    for (int c = lp_cpumask_next(&call.domain->manners.stuck_cpus, 1); c >= 0 && ok;
         c = lp_cpumask_next(&call.domain->manners.stuck_cpus, c + 1u))
        ok = lp_cpumask_has(want, (unsigned) c) == lp_cpumask_has(&call.domain->online,
                                                                  (unsigned) c);
    if (ok) {
        call.domain->wanted = *want;
        call.domain->wants_cpus = true;
    } else {
        lp_sim_fail(error, LP_DRIVER_ERROR_FAILED, call.domain->name,
                    "qemu-guest-agent: a vCPU cannot be changed");
    }
    return lp_sim_end(&call, ok, error);
}

bool
lp_sim_qga_online_memory(LpConn *conn, const char *uuid, GError **error)
{
    LpSimCall call;

    if (!begin(&call, conn, uuid, "qga_online_memory", error))
        return false;
    call.domain->onlined_bytes = lp_sim_guest_plugged(call.domain);
    return lp_sim_end(&call, true, error);
}
