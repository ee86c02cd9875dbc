/* The simulated host behind the driver's vtable. */
#include <string.h>

#include "hotplug/domxml.h"
#include "hotplug/sim-host.h"

/* How often a call that hangs looks whether somebody has let it go on from outside. */
#define HANG_POLL_USEC 100000
/* Linux guests add and remove memory in such blocks. */
#define DIMM_BLOCK_BYTES (128ULL << 20)
/* The kernel's bounds on CFS bandwidth. */
#define QUOTA_MIN_USEC 1000
#define PERIOD_MAX_USEC 1000000

struct LpConn {
    LpSimHost *host;
};

enum {
    CALL_RUNNING = 1,             /* the domain must run */
    CALL_MONITOR = 2,             /* goes through QEMU, which may hang */
    CALL_LOOK = 4,
};

/* One call on one domain, from taking the lock to giving it back. */
typedef struct {
    LpSimHost *host;
    LpSimDomain *domain;
    int64_t now_usec;
    bool fails_after;
    LpDriverError error;
} SimCall;

static bool
sim_handles(const char *uri)
{
    return g_str_has_prefix(uri, "sim:");
}

static LpConn *
sim_open(const char *uri, GError **error)
{
    LpSimHost *host = lp_sim_host_open(uri, error);
    LpConn *conn;

    if (!host)
        return NULL;
    conn = g_new0(LpConn, 1);
    conn->host = host;
    return conn;
}

static void
sim_close(LpConn *conn)
{
    if (!conn)
        return;
    lp_sim_host_unref(conn->host);
    g_free(conn);
}

static bool
fail(GError **error, LpDriverError code, const char *name, const char *why)
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

/* Takes the lock; false (and not locked) when the host cannot be reached. */
static bool
lock_host(LpSimHost *host, GError **error)
{
    take_time(host);
    g_mutex_lock(&host->lock);
    if (lp_sim_mailbox_take(host, NULL, error) && !host->disconnected)
        return true;
    if (host->disconnected)
        fail(error, LP_DRIVER_ERROR_UNREACHABLE, host->path, "the simulated host is down");
    g_mutex_unlock(&host->lock);
    return false;
}

static bool
is_hung(const SimCall *call, unsigned flags)
{
    const LpSimManners *manners = &call->domain->manners;

    return call->domain->run != LP_RUN_OFF && manners->hang_call_msec
        && (flags & CALL_MONITOR || (flags & CALL_LOOK && manners->hang_look));
}

/* Blocks while QEMU is "stopped".  The domain may be gone when it returns. */
static bool
wait_hung(SimCall *call, const char *uuid, unsigned flags, GError **error)
{
    int64_t start_usec = g_get_monotonic_time();

    while (is_hung(call, flags)) {
        int64_t now_usec = g_get_monotonic_time();
        int64_t end_usec = start_usec + (int64_t) call->domain->manners.hang_call_msec * 1000;

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
take_planned_failure(SimCall *call, const char *name, bool *ret_now)
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

static bool
begin_locked(SimCall *call, const char *uuid, const char *name, unsigned flags, GError **error)
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
    if (flags & CALL_RUNNING && call->domain->run == LP_RUN_OFF)
        return fail(error, LP_DRIVER_ERROR_NOT_RUNNING, call->domain->name,
                    "the domain is not running");
    take_planned_failure(call, name, &fails_now);
    if (fails_now)
        return fail(error, call->error, call->domain->name, "a fault was asked for");
    return true;
}

/* False: the call is over, and nothing is locked. */
static bool
begin(SimCall *call, LpConn *conn, const char *uuid, const char *name, unsigned flags,
      GError **error)
{
    *call = (SimCall) { .host = conn->host };
    if (!lock_host(conn->host, error))
        return false;
    if (begin_locked(call, uuid, name, flags, error))
        return true;
    g_mutex_unlock(&conn->host->lock);
    return false;
}

/* Ends a call that may have changed the domain (if `ok`). */
static bool
end(SimCall *call, bool ok, GError **error)
{
    if (ok) {
        lp_sim_guest_advance(call->domain, g_get_monotonic_time());
        ok = lp_sim_state_save(call->domain, error);
        lp_sim_host_touch(call->host, call->domain);
    }
    if (ok && call->fails_after)
        ok = fail(error, call->error, call->domain->name, "a fault was asked for");
    g_mutex_unlock(&call->host->lock);
    return ok;
}

static char *
sim_describe(LpConn *conn, GError **error)
{
    char *text;

    if (!lock_host(conn->host, error))
        return NULL;
    text = g_strdup_printf("simulated host of %u domains", conn->host->domains->len);
    g_mutex_unlock(&conn->host->lock);
    return text;
}

static void
free_view(void *view)
{
    lp_view_free(view);
}

static GPtrArray *
sim_list(LpConn *conn, GError **error)
{
    int64_t now_usec = g_get_monotonic_time();
    LpSimHost *host = conn->host;
    GPtrArray *views;

    if (!lock_host(host, error))
        return NULL;
    views = g_ptr_array_new_full(host->domains->len, free_view);
    for (guint i = 0; i < host->domains->len; i++) {
        LpSimDomain *domain = g_ptr_array_index(host->domains, i);

        if (g_hash_table_contains(host->moving, domain))
            lp_sim_guest_advance(domain, now_usec);
        g_ptr_array_add(views, lp_sim_domain_view(domain));
    }
    g_mutex_unlock(&host->lock);
    return views;
}

static LpView *
sim_look(LpConn *conn, const char *uuid, GError **error)
{
    SimCall call;
    LpView *view;

    if (!begin(&call, conn, uuid, "look", CALL_LOOK, error))
        return NULL;
    view = lp_sim_domain_view(call.domain);
    g_mutex_unlock(&call.host->lock);
    return view;
}

static char *
sim_get_xml(LpConn *conn, const char *uuid, bool inactive, GError **error)
{
    SimCall call;
    char *xml = NULL;

    if (!begin(&call, conn, uuid, "get_xml", CALL_LOOK, error))
        return NULL;
    if (!inactive && call.domain->live_xml)
        xml = lp_sim_xml_live(call.domain, error);
    else if (call.domain->config_xml)
        xml = g_strdup(call.domain->config_xml);
    else
        fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
             "a transient domain has no persistent definition");
    g_mutex_unlock(&call.host->lock);
    return xml;
}

/* As libvirt has it: a name and a UUID belong to each other. */
static bool
find_defined(LpSimHost *host, const char *name, const char *uuid, LpSimDomain **ret_domain,
             GError **error)
{
    LpSimDomain *by_name = g_hash_table_lookup(host->by_name, name);

    *ret_domain = g_hash_table_lookup(host->by_uuid, uuid);
    if (by_name == *ret_domain)
        return true;
    return fail(error, LP_DRIVER_ERROR_FAILED, name,
                by_name ? "a domain of this name exists with another UUID"
                        : "a domain of another name exists with this UUID");
}

static bool
sim_define(LpConn *conn, const char *xml, char **ret_uuid, GError **error)
{
    g_autofree char *name = NULL, *uuid = NULL, *text = NULL;
    SimCall call = { .host = conn->host };
    bool fresh;

    text = lp_sim_xml_identify(xml, &name, &uuid, error);
    if (!text || !lock_host(call.host, error))
        return false;
    if (!find_defined(call.host, name, uuid, &call.domain, error)) {
        g_mutex_unlock(&call.host->lock);
        return false;
    }
    fresh = call.domain == NULL;
    if ((fresh && !(call.domain = lp_sim_domain_new(call.host, name, uuid)))
        || (!fresh && !begin_locked(&call, uuid, "define", 0, error))
        || !lp_sim_domain_set_config(call.domain, text, error)) {
        if (fresh)
            lp_sim_domain_free(call.domain);
        g_mutex_unlock(&call.host->lock);
        return false;
    }
    if (fresh)
        lp_sim_host_add(call.host, call.domain);
    lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    if (ret_uuid)
        *ret_uuid = g_strdup(uuid);
    if (end(&call, true, error))
        return true;
    if (ret_uuid)
        g_clear_pointer(ret_uuid, g_free);
    return false;
}

static bool
sim_undefine(LpConn *conn, const char *uuid, GError **error)
{
    SimCall call;
    bool ok;

    if (!begin(&call, conn, uuid, "undefine", 0, error))
        return false;
    if (!call.domain->config_xml)
        return end(&call, fail(error, LP_DRIVER_ERROR_FAILED, call.domain->name,
                               "a transient domain has no definition to remove"), error);
    if (call.domain->run != LP_RUN_OFF) {
        g_clear_pointer(&call.domain->config_xml, g_free);
        g_clear_pointer(&call.domain->metadata_config, g_free);
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
        return end(&call, true, error);
    }
    ok = lp_sim_state_bury(call.host, call.domain->name, error);
    if (ok) {
        lp_sim_post(call.host, LP_EVENT_DOMAIN_GONE, uuid, NULL, 0);
        lp_sim_host_remove(call.host, call.domain);
        if (call.fails_after)
            ok = fail(error, call.error, uuid, "a fault was asked for");
    }
    g_mutex_unlock(&call.host->lock);
    return ok;
}

static bool
sim_start(LpConn *conn, const char *uuid, GError **error)
{
    SimCall call;
    bool ok;

    if (!begin(&call, conn, uuid, "start", 0, error))
        return false;
    ok = call.domain->run == LP_RUN_OFF
        ? lp_sim_domain_start(call.domain, call.now_usec, error)
        : fail(error, LP_DRIVER_ERROR_FAILED, call.domain->name, "the domain is already running");
    if (ok)
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    return end(&call, ok, error);
}

/* Waits for the guest with the lock given back.  False when the domain is no longer there. */
static bool
wait_guest(SimCall *call, const char *uuid, int64_t usec, GError **error)
{
    int64_t end_usec = g_get_monotonic_time() + usec;

    while (usec > 0 && g_get_monotonic_time() < end_usec)
        g_cond_wait_until(&call->host->wake, &call->host->lock, end_usec);
    call->domain = lp_sim_host_find(call->host, uuid, error);
    if (!call->domain)
        return false;
    if (call->domain->run == LP_RUN_OFF)
        return fail(error, LP_DRIVER_ERROR_NOT_RUNNING, call->domain->name,
                    "the domain stopped while its guest was asked");
    return true;
}

static bool
unplug_vcpu(SimCall *call, const char *uuid, uint32_t vcpu, GError **error)
{
    const LpSimDelays *delays = &call->host->delays;
    LpSimDomain *domain = call->domain;

    if (domain->accel == LP_ACCEL_TCG)
        return fail(error, LP_DRIVER_ERROR_UNSUPPORTED, domain->name,
                    "QEMU's emulator does not survive the removal of a vCPU");
    if (vcpu == 0 || !lp_cpumask_has(&domain->hotpluggable, vcpu))
        return fail(error, LP_DRIVER_ERROR_UNSUPPORTED, domain->name,
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
        fail(error, LP_DRIVER_ERROR_TIMEOUT, call->domain->name,
             "the guest has not let the vCPU go; it may still");
    return false;
}

static bool
sim_set_vcpu(LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error)
{
    SimCall call;
    bool ok = true;

    if (!begin(&call, conn, uuid, "set_vcpu", CALL_RUNNING | CALL_MONITOR, error))
        return false;
    if (vcpu >= call.domain->vcpu_max) {
        ok = fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name, "it has no such vCPU");
    } else if (plugged) {
        if (!lp_cpumask_has(&call.domain->plugged, vcpu)) {
            lp_cpumask_add(&call.domain->plugged, vcpu);
            lp_cpumask_add(&call.domain->hotpluggable, vcpu);
        }
        lp_cpumask_remove(&call.domain->leaving, vcpu);
    } else if (lp_cpumask_has(&call.domain->plugged, vcpu)) {
        ok = unplug_vcpu(&call, uuid, vcpu, error);
    }
    return end(&call, ok, error);
}

static LpSimCell *
find_cell(SimCall *call, uint32_t cell, GError **error)
{
    if (cell < call->domain->n_cells)
        return &call->domain->cells[cell];
    fail(error, LP_DRIVER_ERROR_INVALID, call->domain->name, "it has no such guest cell");
    return NULL;
}

static bool
sim_set_requested(LpConn *conn, const char *uuid, uint32_t index, uint64_t bytes, GError **error)
{
    LpSimCell *cell;
    SimCall call;
    bool ok = false;

    if (!begin(&call, conn, uuid, "set_requested", CALL_RUNNING | CALL_MONITOR, error))
        return false;
    cell = find_cell(&call, index, error);
    if (cell && !cell->has_device)
        fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
             "the cell has no virtio-mem device");
    else if (cell && (bytes > cell->device_bytes || bytes % cell->block_bytes))
        fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name,
             "the size is above the device's, or not a multiple of its block");
    else
        ok = cell != NULL;
    if (ok)
        cell->requested_bytes = bytes;
    return end(&call, ok, error);
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

static bool
sim_attach_dimm(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes, GError **error)
{
    LpSimDimm dimm = { .cell = cell, .bytes = bytes };
    SimCall call;
    bool ok = false;

    if (!begin(&call, conn, uuid, "attach_dimm", CALL_RUNNING | CALL_MONITOR, error))
        return false;
    if (!find_cell(&call, cell, error))
        ;
    else if (bytes == 0 || bytes % DIMM_BLOCK_BYTES)
        fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name,
             "a DIMM is a multiple of 128 MiB");
    else if (!has_slot(call.domain))
        fail(error, LP_DRIVER_ERROR_FAILED, call.domain->name, "all memory slots are in use");
    else
        ok = true;
    if (ok) {
        next_alias(call.domain, dimm.alias, sizeof(dimm.alias));
        g_array_append_val(call.domain->dimms, dimm);
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, dimm.alias, bytes);
    }
    return end(&call, ok, error);
}

static bool
sim_detach_dimm(LpConn *conn, const char *uuid, const char *alias, GError **error)
{
    SimCall call;
    bool ok = false;

    if (!begin(&call, conn, uuid, "detach_dimm", CALL_RUNNING | CALL_MONITOR, error))
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
        fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name, "it has no such DIMM");
    return end(&call, ok, error);
}

static bool
sim_set_balloon(LpConn *conn, const char *uuid, uint64_t bytes, GError **error)
{
    uint64_t all;
    SimCall call;
    bool ok = false;

    if (!begin(&call, conn, uuid, "set_balloon", CALL_RUNNING | CALL_MONITOR, error))
        return false;
    all = call.domain->base_bytes;
    for (guint i = 0; i < call.domain->dimms->len; i++)
        all += g_array_index(call.domain->dimms, LpSimDimm, i).bytes;
    if (!call.domain->has_balloon)
        fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name, "it has no balloon");
    else if (bytes >= all)
        fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name,
             "a balloon cannot take all of its memory");
    else
        ok = true;
    if (ok) {
        call.domain->balloon_bytes = bytes;
        lp_sim_post(call.host, LP_EVENT_BALLOON, uuid, NULL, all - bytes);
    }
    return end(&call, ok, error);
}

static bool
check_limits(const SimCall *call, const LpCapacityLimits *limits, GError **error)
{
    bool v1 = call->host->cgroup == LP_CGROUP_V1;
    uint64_t low = v1 ? 2 : 1, high = v1 ? 262144 : 10000;

    if (call->host->cgroup == LP_CGROUP_NONE)
        return fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call->domain->name,
                    "the simulated host has no cgroup to enforce capacity with");
    if (limits->shares < low || limits->shares > high)
        return fail(error, LP_DRIVER_ERROR_INVALID, call->domain->name,
                    v1 ? "cpu shares are 2 to 262144" : "the cpu weight is 1 to 10000");
    if (limits->global_quota_usec >= 0
        && (limits->global_quota_usec < QUOTA_MIN_USEC
            || limits->global_period_usec < QUOTA_MIN_USEC
            || limits->global_period_usec > PERIOD_MAX_USEC))
        return fail(error, LP_DRIVER_ERROR_INVALID, call->domain->name,
                    "quota is 1000 usec or more, its period 1000 to 1000000");
    return true;
}

static bool
sim_set_capacity(LpConn *conn, const char *uuid, const LpCapacityLimits *limits, GError **error)
{
    SimCall call;
    bool ok;

    if (!begin(&call, conn, uuid, "set_capacity", CALL_RUNNING, error))
        return false;
    ok = check_limits(&call, limits, error);
    if (ok) {
        call.domain->limits = *limits;
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    }
    return end(&call, ok, error);
}

/* Whether the live XML can carry the metadata it was just given. */
static bool
keep_metadata(SimCall *call, const char *metadata, GError **error)
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

static bool
sim_set_metadata(LpConn *conn, const char *uuid, const char *metadata, GError **error)
{
    SimCall call;
    bool ok;

    if (!begin(&call, conn, uuid, "set_metadata", CALL_RUNNING, error))
        return false;
    ok = keep_metadata(&call, metadata, error);
    if (ok)
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    return end(&call, ok, error);
}

static bool
sim_set_config(LpConn *conn, const char *uuid, const LpConfigChange *change, GError **error)
{
    g_autofree char *xml = NULL;
    SimCall call;
    bool ok;

    if (!begin(&call, conn, uuid, "set_config", 0, error))
        return false;
    if (!call.domain->config_xml)
        return end(&call, fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
                               "a transient domain has no persistent definition"), error);
    xml = lp_domxml_change(call.domain->config_xml, change, error);
    ok = xml && lp_sim_domain_set_config(call.domain, xml, error);
    if (ok)
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    return end(&call, ok, error);
}

static int
sim_open_channel(const char *uri, const LpView *view, GError **error)
{
    return lp_sim_agent_open(uri, view->uuid, error);
}

const LpDriver lp_driver_sim = {
    .name = "sim",
    .handles = sim_handles,
    .open = sim_open,
    .close = sim_close,
    .describe = sim_describe,
    .list = sim_list,
    .look = sim_look,
    .get_xml = sim_get_xml,
    .define = sim_define,
    .undefine = sim_undefine,
    .start = sim_start,
    .set_vcpu = sim_set_vcpu,
    .set_requested = sim_set_requested,
    .attach_dimm = sim_attach_dimm,
    .detach_dimm = sim_detach_dimm,
    .set_balloon = sim_set_balloon,
    .set_capacity = sim_set_capacity,
    .set_metadata = sim_set_metadata,
    .set_config = sim_set_config,
    .open_channel = sim_open_channel,
    .watch = lp_sim_watch,
    .unwatch = lp_sim_unwatch,
};
