/* What changes a running domain, and its definition. */
#include <string.h>

#include "hotplug/domxml.h"
#include "hotplug/sim-call.h"

/* Linux guests add and remove memory in such blocks. */
#define DIMM_BLOCK_BYTES (128ULL << 20)
/* The kernel's bounds on CFS bandwidth. */
#define QUOTA_MIN_USEC 1000
#define PERIOD_MAX_USEC 1000000

/* Waits for the guest with the lock given back.  False when the domain is no longer there. */
static bool
wait_guest(LpSimCall *call, const char *uuid, int64_t usec, GError **error)
{
    int64_t end_usec = g_get_monotonic_time() + usec;

    while (usec > 0 && g_get_monotonic_time() < end_usec)
        g_cond_wait_until(&call->host->wake, &call->host->lock, end_usec);
    call->domain = lp_sim_host_find(call->host, uuid, error);
    if (!call->domain)
        return false;
    if (call->domain->run == LP_RUN_OFF)
        return lp_sim_fail(error, LP_DRIVER_ERROR_NOT_RUNNING, call->domain->name,
                           "the domain stopped while its guest was asked");
    return true;
}

static bool
unplug_vcpu(LpSimCall *call, const char *uuid, uint32_t vcpu, GError **error)
{
    const LpSimDelays *delays = &call->host->delays;
    LpSimDomain *domain = call->domain;

    if (domain->accel == LP_ACCEL_TCG)
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, domain->name,
                           "QEMU's emulator does not survive the removal of a vCPU");
    if (vcpu == 0 || !lp_cpumask_has(&domain->hotpluggable, vcpu))
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, domain->name,
                           "this vCPU was there at boot and cannot be removed");
    if (!domain->manners.refuse_unplug) {
        if (!wait_guest(call, uuid, delays->unplug_cpu_usec, error))
            return false;
        lp_cpumask_remove(&call->domain->plugged, vcpu);
        lp_cpumask_remove(&call->domain->online, vcpu);
        return true;
    }
    if (domain->manners.late_unplug_msec) {
        lp_cpumask_add(&domain->leaving, vcpu);
        domain->leaving_usec = g_get_monotonic_time() + delays->unplug_timeout_usec
            + (int64_t) domain->manners.late_unplug_msec * 1000;
        /* It leaves even if lpard dies before this call has ended. */
        lp_sim_host_touch(call->host, domain);
        if (!lp_sim_state_save(domain, error))
            return false;
    }
    if (wait_guest(call, uuid, delays->unplug_timeout_usec, error))
        lp_sim_fail(error, LP_DRIVER_ERROR_TIMEOUT, call->domain->name,
                    "the guest has not let the vCPU go; it may still");
    return false;
}

bool
lp_sim_set_vcpu(LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error)
{
    LpSimCall call;
    bool ok = true;

    if (!lp_sim_begin(&call, conn, uuid, "set_vcpu", LP_SIM_RUNNING | LP_SIM_MONITOR, error))
        return false;
    if (vcpu >= call.domain->vcpu_max) {
        ok = lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name, "it has no such vCPU");
    } else if (plugged) {
        if (!lp_cpumask_has(&call.domain->plugged, vcpu)) {
            lp_cpumask_add(&call.domain->plugged, vcpu);
            lp_cpumask_add(&call.domain->hotpluggable, vcpu);
        }
        lp_cpumask_remove(&call.domain->leaving, vcpu);
    } else if (lp_cpumask_has(&call.domain->plugged, vcpu)) {
        ok = unplug_vcpu(&call, uuid, vcpu, error);
    }
    return lp_sim_end(&call, ok, error);
}

static LpSimCell *
find_cell(LpSimCall *call, uint32_t cell, GError **error)
{
    if (cell < call->domain->n_cells)
        return &call->domain->cells[cell];
    lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call->domain->name, "it has no such guest cell");
    return NULL;
}

bool
lp_sim_set_requested(LpConn *conn, const char *uuid, uint32_t index, uint64_t bytes, GError **error)
{
    LpSimCell *cell;
    LpSimCall call;
    bool ok = false;

    if (!lp_sim_begin(&call, conn, uuid, "set_requested", LP_SIM_RUNNING | LP_SIM_MONITOR, error))
        return false;
    cell = find_cell(&call, index, error);
    if (cell && !cell->has_device)
        lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
                    "the cell has no virtio-mem device");
    else if (cell && (bytes > cell->device_bytes || bytes % cell->block_bytes))
        lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name,
                    "the size is above the device's, or not a multiple of its block");
    else
        ok = cell != NULL;
    if (ok)
        cell->requested_bytes = bytes;
    return lp_sim_end(&call, ok, error);
}

static void
next_alias(const LpSimDomain *domain, char *alias, size_t size)
{
    for (unsigned n = 0;; n++) {
        bool taken = false;

        g_snprintf(alias, size, "dimm%u", n);
        for (guint i = 0; i < domain->dimms->len; i++)
            taken |= strcmp(g_array_index(domain->dimms, LpSimDimm, i).alias, alias) == 0;
        if (!taken)
            return;
    }
}

static bool
has_slot(const LpSimDomain *domain)
{
    uint32_t used = domain->dimms->len;

    for (uint32_t i = 0; i < domain->n_cells; i++)
        used += domain->cells[i].has_device;
    return used < domain->slots && domain->dimms->len < LP_MAX_DIMMS;
}

bool
lp_sim_attach_dimm(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error)
{
    LpSimDimm dimm = { .cell = cell, .bytes = bytes };
    LpSimCall call;
    bool ok = false;

    if (!lp_sim_begin(&call, conn, uuid, "attach_dimm", LP_SIM_RUNNING | LP_SIM_MONITOR, error))
        return false;
    if (!find_cell(&call, cell, error))
        ;
    else if (bytes == 0 || bytes % DIMM_BLOCK_BYTES)
        lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name,
                    "a DIMM is a multiple of 128 MiB");
    else if (!has_slot(call.domain))
        lp_sim_fail(error, LP_DRIVER_ERROR_FAILED, call.domain->name,
                    "all memory slots are in use");
    else
        ok = true;
    if (ok) {
        next_alias(call.domain, dimm.alias, sizeof(dimm.alias));
        g_array_append_val(call.domain->dimms, dimm);
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, dimm.alias, bytes);
    }
    return lp_sim_end(&call, ok, error);
}

bool
lp_sim_detach_dimm(LpConn *conn, const char *uuid, const char *alias, GError **error)
{
    LpSimCall call;
    bool ok = false;

    if (!lp_sim_begin(&call, conn, uuid, "detach_dimm", LP_SIM_RUNNING | LP_SIM_MONITOR, error))
        return false;
    for (guint i = 0; i < call.domain->dimms->len && !ok; i++) {
        LpSimDimm *dimm = &g_array_index(call.domain->dimms, LpSimDimm, i);

        if (strcmp(dimm->alias, alias) != 0)
            continue;
        if (dimm->answer_usec == 0)
            dimm->answer_usec = call.now_usec + call.host->delays.detach_usec;
        ok = true;
    }
    if (!ok)
        lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name, "it has no such DIMM");
    return lp_sim_end(&call, ok, error);
}

bool
lp_sim_set_balloon(LpConn *conn, const char *uuid, uint64_t bytes, GError **error)
{
    uint64_t all;
    LpSimCall call;
    bool ok = false;

    if (!lp_sim_begin(&call, conn, uuid, "set_balloon", LP_SIM_RUNNING | LP_SIM_MONITOR, error))
        return false;
    all = call.domain->base_bytes;
    for (guint i = 0; i < call.domain->dimms->len; i++)
        all += g_array_index(call.domain->dimms, LpSimDimm, i).bytes;
    if (!call.domain->has_balloon)
        lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name, "it has no balloon");
    else if (bytes >= all)
        lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name,
                    "a balloon cannot take all of its memory");
    else
        ok = true;
    if (ok) {
        call.domain->balloon_bytes = bytes;
        lp_sim_post(call.host, LP_EVENT_BALLOON, uuid, NULL, all - bytes);
    }
    return lp_sim_end(&call, ok, error);
}

bool
lp_sim_set_memory_limit(LpConn *conn, const char *uuid, uint64_t bytes, GError **error)
{
    LpSimCall call;
    bool ok;

    if (!lp_sim_begin(&call, conn, uuid, "set_memory_limit", LP_SIM_RUNNING, error))
        return false;
    ok = call.host->cgroup != LP_CGROUP_NONE;
    if (ok)
        call.domain->memory_limit_bytes = bytes;
    else
        lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
                    "the simulated host has no cgroup to limit memory with");
    return lp_sim_end(&call, ok, error);
}

static bool
check_limits(const LpSimCall *call, const LpCapacityLimits *limits, GError **error)
{
    bool v1 = call->host->cgroup == LP_CGROUP_V1;
    uint64_t low = v1 ? 2 : 1, high = v1 ? 262144 : 10000;

    if (call->host->cgroup == LP_CGROUP_NONE)
        return lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call->domain->name,
                           "the simulated host has no cgroup to enforce capacity with");
    if (limits->shares < low || limits->shares > high)
        return lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call->domain->name,
                           v1 ? "cpu shares are 2 to 262144" : "the cpu weight is 1 to 10000");
    if (limits->global_quota_usec >= 0
        && (limits->global_quota_usec < QUOTA_MIN_USEC
            || limits->global_period_usec < QUOTA_MIN_USEC
            || limits->global_period_usec > PERIOD_MAX_USEC))
        return lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call->domain->name,
                           "quota is 1000 usec or more, its period 1000 to 1000000");
    return true;
}

bool
lp_sim_set_capacity(LpConn *conn, const char *uuid, const LpCapacityLimits *limits, GError **error)
{
    LpSimCall call;
    bool ok;

    if (!lp_sim_begin(&call, conn, uuid, "set_capacity", LP_SIM_RUNNING, error))
        return false;
    ok = check_limits(&call, limits, error);
    if (ok) {
        call.domain->limits = *limits;
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    }
    return lp_sim_end(&call, ok, error);
}

/* Whether the live XML can carry the metadata it was just given. */
static bool
keep_metadata(LpSimCall *call, const char *metadata, GError **error)
{
    char *before = g_steal_pointer(&call->domain->metadata), *xml;

    call->domain->metadata = g_strdup(metadata);
    xml = lp_sim_xml_live(call->domain, error);
    if (xml) {
        g_free(before);
        g_free(xml);
        return true;
    }
    g_free(call->domain->metadata);
    call->domain->metadata = before;
    return false;
}

bool
lp_sim_set_metadata(LpConn *conn, const char *uuid, const char *metadata, GError **error)
{
    LpSimCall call;
    bool ok;

    if (!lp_sim_begin(&call, conn, uuid, "set_metadata", LP_SIM_RUNNING, error))
        return false;
    ok = keep_metadata(&call, metadata, error);
    if (ok)
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    return lp_sim_end(&call, ok, error);
}

bool
lp_sim_set_config(LpConn *conn, const char *uuid, const LpConfigChange *change, GError **error)
{
    g_autofree char *xml = NULL;
    LpSimCall call;
    bool ok;

    if (!lp_sim_begin(&call, conn, uuid, "set_config", 0, error))
        return false;
    if (!call.domain->config_xml)
        return lp_sim_end(&call, lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
                               "a transient domain has no persistent definition"), error);
    xml = lp_domxml_change(call.domain->config_xml, change, error);
    ok = xml && lp_sim_domain_set_config(call.domain, xml, error);
    if (ok)
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    return lp_sim_end(&call, ok, error);
}
