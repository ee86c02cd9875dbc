/* The driver's calls about nodes, on the simulated host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/sim-call.h"

/* What a vCPU that is online has run before anybody looks: a guest that runs has run. */
#define TIME_BEFORE_USEC 1000000
#define PAGE_BYTES 4096
#define PERCENT_CENTI 10000

__extension__ typedef unsigned __int128 LpSimWide;

static bool
can_locate(const LpSimCall *call, GError **error)
{
    if (!call->domain->manners.moving.no_locate)
        return true;
    return lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call->domain->name,
                       "where its memory lies cannot be seen");
}

static void
locate_part(const LpSimDomain *domain, uint32_t index, const LpTopology *topology,
            LpLocalityPart *ret)
{
    const GArray *extents = domain->numa.parts[index].extents;

    ret->page_bytes = PAGE_BYTES;
    ret->shared = domain->manners.moving.shared_bytes > 0;
    if (index < domain->n_cells) {
        ret->size_bytes = domain->cells[index].base_bytes + domain->cells[index].device_bytes;
        for (guint i = 0; i < domain->dimms->len; i++) {
            const LpSimDimm *dimm = &g_array_index(domain->dimms, LpSimDimm, i);

            ret->size_bytes += dimm->cell == index ? dimm->bytes : 0;
        }
    } else {
        ret->size_bytes = domain->numa.own_bytes
                          + (domain->n_cells == 0 ? domain->base_bytes : 0);
    }
    for (guint i = 0; i < extents->len; i++) {
        const LpSimExtent *extent = &g_array_index(extents, LpSimExtent, i);
        int at = lp_topology_find(topology, extent->node);

        if (at >= 0)
            ret->on_bytes[at] += extent->bytes;
        else
            ret->elsewhere_bytes += extent->bytes;
    }
}

static LpCpuMask
host_cpus(const LpTopology *topology)
{
    LpCpuMask all = { { 0 } };

    for (uint32_t node = 0; node < topology->n_nodes; node++)
        for (unsigned i = 0; i < G_N_ELEMENTS(all.words); i++)
            all.words[i] |= topology->nodes[node].cpus.words[i];
    return all;
}

/* Which of the processors a vCPU that may use them all was on last: any, but the same each time. */
static int32_t
pick(const LpCpuMask *may, uint32_t vcpu)
{
    unsigned n = lp_cpumask_count(may);
    int cpu = lp_cpumask_next(may, 0);

    for (uint32_t i = 0; n > 0 && i < vcpu % n; i++)
        cpu = lp_cpumask_next(may, (unsigned) cpu + 1);
    return cpu;
}

static void
locate_vcpu(const LpSimCall *call, uint32_t vcpu, const LpCpuMask *all, LpLocalityVcpu *ret)
{
    const LpSimDomain *domain = call->domain;
    const LpSimNuma *numa = &domain->numa;
    uint64_t busy = domain->manners.load.busy_centi ? domain->manners.load.busy_centi
                                                    : PERCENT_CENTI;
    int64_t ran_usec = MAX(call->now_usec - domain->booted_usec, 0);

    ret->vcpu = vcpu;
    ret->may = *all;
    if (vcpu < numa->n_pins && lp_cpumask_count(&numa->pins[vcpu]) > 0)
        ret->may = numa->pins[vcpu];
    ret->cpu = pick(&ret->may, vcpu);
    if (lp_cpumask_has(&domain->online, vcpu))
        ret->time_usec = (uint64_t) (TIME_BEFORE_USEC + ran_usec) / PERCENT_CENTI * busy;
}

static LpLocality *
locate(const LpSimCall *call, const LpTopology *topology)
{
    const LpSimDomain *domain = call->domain;
    const LpCpuMask all = host_cpus(topology);
    LpLocality *locality = lp_locality_new();
    uint32_t n = 0;

    g_snprintf(locality->run_id, sizeof locality->run_id, "sim-%u", domain->starts);
    locality->exact_cells = true;
    locality->n_parts = domain->numa.n_parts;
    locality->parts = calloc(locality->n_parts, sizeof *locality->parts);
    locality->n_vcpus = lp_cpumask_count(&domain->plugged);
    locality->vcpus = calloc(MAX(locality->n_vcpus, 1), sizeof *locality->vcpus);
    if (!locality->parts || !locality->vcpus)
        abort();
    for (uint32_t i = 0; i < locality->n_parts; i++)
        locate_part(domain, i, topology, &locality->parts[i]);
    for (int vcpu = lp_cpumask_next(&domain->plugged, 0); vcpu >= 0;
         vcpu = lp_cpumask_next(&domain->plugged, (unsigned) vcpu + 1))
        locate_vcpu(call, (uint32_t) vcpu, &all, &locality->vcpus[n++]);
    return locality;
}

LpLocality *
lp_sim_locate(LpConn *conn, const char *uuid, const LpTopology *topology, uint32_t samples,
              GError **error)
{
    LpLocality *locality = NULL;
    LpSimCall call;

    (void) samples;               /* here all can be counted */
    if (!lp_sim_begin(&call, conn, uuid, "locate", LP_SIM_RUNNING, error))
        return NULL;
    lp_sim_numa_settle(call.domain);
    if (can_locate(&call, error))
        locality = locate(&call, topology);
    if (locality && call.fails_after) {
        lp_sim_fail(error, call.error, call.domain->name, "a fault was asked for");
        g_clear_pointer(&locality, lp_locality_free);
    }
    g_mutex_unlock(&call.host->lock);
    return locality;
}

/* What the kernel would say, in the driver's words. */
static bool
refuse_move(const LpSimCall *call, int number, LpPagesMoved *ret_moved, GError **error)
{
    LpDriverError code = number == ESRCH ? LP_DRIVER_ERROR_NOT_RUNNING
                         : number == EPERM ? LP_DRIVER_ERROR_UNSUPPORTED : LP_DRIVER_ERROR_INVALID;

    ret_moved->error = number;
    return lp_sim_fail(error, code, call->domain->name, g_strerror(number));
}

static bool
can_move(const LpSimCall *call, const LpMoveOrder *order, LpPagesMoved *ret_moved, GError **error)
{
    if (!can_locate(call, error))
        return false;
    if (call->domain->manners.moving.error)
        return refuse_move(call, call->domain->manners.moving.error, ret_moved, error);
    if (order->part >= call->domain->numa.n_parts)
        return lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call->domain->name,
                           "it has no such part");
    if (order->to < 0)
        return refuse_move(call, ENODEV, ret_moved, error);
    return true;
}

/* Moving takes its time, in which the domain may stop, and others are served. */
static bool
take_time(LpSimCall *call, const char *uuid, uint64_t bytes, LpPagesMoved *ret_moved,
          GError **error)
{
    uint64_t rate = call->host->delays.move_bytes_per_sec;
    int64_t end_usec = call->now_usec;

    if (rate > 0)
        end_usec += (int64_t) MIN((LpSimWide) bytes * 1000000 / rate, (LpSimWide) G_MAXINT64 / 4);
    while (g_get_monotonic_time() < end_usec) {
        g_cond_wait_until(&call->host->wake, &call->host->lock, end_usec);
        call->domain = lp_sim_host_find(call->host, uuid, error);
        if (!call->domain || !lp_sim_mailbox_take(call->host, call->domain, error))
            return false;
        /* The mail may have been its end. */
        call->domain = lp_sim_host_find(call->host, uuid, error);
        if (!call->domain)
            return false;
        if (call->domain->run == LP_RUN_OFF)
            return refuse_move(call, ESRCH, ret_moved, error);
    }
    lp_sim_guest_advance(call->domain, g_get_monotonic_time());
    return true;
}

/* QEMU dies with its pages on two nodes. */
static bool
crash(LpSimCall *call, LpPagesMoved *ret_moved, GError **error)
{
    json_t *json = json_pack("{s:s}", "do", "crash");
    bool ok = lp_sim_apply(call->host, call->domain, json, error);

    json_decref(json);
    ret_moved->error = ESRCH;
    if (ok)
        lp_sim_fail(error, LP_DRIVER_ERROR_NOT_RUNNING, call->host->path,
                    "the domain crashed while its pages were moved");
    g_mutex_unlock(&call->host->lock);
    return false;
}

bool
lp_sim_move_pages(LpConn *conn, const char *uuid, const LpMoveOrder *order,
                  LpPagesMoved *ret_moved, GError **error)
{
    LpMoveOrder limited = *order;
    const LpSimMoving *faults;
    LpSimCall call;
    bool ok;

    if (limited.max_bytes == 0)
        limited.max_bytes = UINT64_MAX;
    *ret_moved = (LpPagesMoved) { .range = order->range, .offset = order->offset };
    if (!lp_sim_begin(&call, conn, uuid, "move_pages", LP_SIM_RUNNING, error))
        return false;
    ok = can_move(&call, order, ret_moved, error)
         && take_time(&call, uuid, lp_sim_numa_movable(call.domain, &limited), ret_moved, error);
    if (!ok)
        return lp_sim_end(&call, false, error);
    lp_sim_numa_settle(call.domain);
    lp_sim_numa_move(call.domain, &limited, ret_moved);
    faults = &call.domain->manners.moving;
    if (faults->stop_bytes && call.domain->numa.moved_bytes >= faults->stop_bytes)
        return crash(&call, ret_moved, error);
    return lp_sim_end(&call, true, error);
}

static void
keep_pins(LpSimDomain *domain, const LpPins *pins)
{
    LpSimNuma *numa = &domain->numa;

    if (numa->n_pins < domain->vcpu_max) {
        numa->pins = g_renew(LpCpuMask, numa->pins, domain->vcpu_max);
        memset(numa->pins + numa->n_pins, 0,
               (domain->vcpu_max - numa->n_pins) * sizeof *numa->pins);
        numa->n_pins = domain->vcpu_max;
    }
    for (uint32_t i = 0; i < pins->n_vcpus; i++) {
        if (lp_cpumask_count(&pins->vcpus[i]) > 0)
            numa->pins[i] = pins->vcpus[i];
    }
    if (lp_cpumask_count(&pins->emulator) > 0)
        numa->emulator = pins->emulator;
}

bool
lp_sim_set_pins(LpConn *conn, const char *uuid, const LpPins *pins, GError **error)
{
    LpSimCall call;
    bool ok;

    if (!lp_sim_begin(&call, conn, uuid, "set_pins", LP_SIM_RUNNING, error))
        return false;
    ok = pins->n_vcpus <= call.domain->vcpu_max
         || lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name, "it has no such vCPU");
    if (ok) {
        keep_pins(call.domain, pins);
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    }
    return lp_sim_end(&call, ok, error);
}

bool
lp_sim_set_nodeset(LpConn *conn, const char *uuid, const uint32_t *node_ids, uint32_t n,
                   GError **error)
{
    LpSimCall call;
    bool ok = false;

    if (!lp_sim_begin(&call, conn, uuid, "set_nodeset", LP_SIM_RUNNING, error))
        return false;
    if (call.domain->numatune != LP_NUMATUNE_RESTRICTIVE)
        lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
                    "only a restrictive domain's nodes can be changed while it runs");
    else if (n == 0 || n > LP_MAX_NODES)
        lp_sim_fail(error, LP_DRIVER_ERROR_INVALID, call.domain->name, "1 to 64 nodes");
    else
        ok = true;
    if (ok) {
        lp_sim_numa_settle(call.domain);
        lp_sim_numa_herd(call.domain, node_ids, n);
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    }
    return lp_sim_end(&call, ok, error);
}
