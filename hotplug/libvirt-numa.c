/* Where a domain's memory lies and its vCPUs run, by the process's files in /proc; and what moves
 * them.  libvirt is asked for the XML and for pins only, and the monitor never. */
#include <errno.h>
#include <string.h>

#include "hotplug/libvirt-priv.h"

/* Cells, and as many memory slots as libvirt allows. */
#define MAX_BACKENDS (LP_MAX_CELLS + LP_MAX_DIMMS)

/* A running domain whose process can be looked at. */
typedef struct {
    LpView *view;
    LpBackend backends[MAX_BACKENDS];
    LpProcess process;
} Target;

static void
target_clear(Target *target)
{
    lp_view_free(target->view);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

static bool
refuse(LpDriverError code, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool
refuse(LpDriverError code, GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, LP_DRIVER_ERROR, (int)code, text);
    return false;
}

static bool
read_target(LpConn *conn, virDomainPtr domain, Target *target, GError **error)
{
    g_autofree char *xml = virDomainGetXMLDesc(domain, 0);
    int n;

    if (!xml)
        return lp_libvirt_fail(conn, false, "the domain's XML cannot be read", error);
    target->view = lp_view_new();
    if (!lp_domxml_read(xml, target->view, error))
        return false;
    n = lp_domxml_backends(xml, target->backends, MAX_BACKENDS, error);
    if (n < 0)
        return false;
    target->view->run = LP_RUN_RUNNING;
    lp_libvirt_fill_process(conn, domain, target->view);
    if (target->view->pid == 0 &&
        (virDomainIsActive(domain) == 0 || lp_libvirt_has_ended(conn, target->view)))
        return refuse(LP_DRIVER_ERROR_NOT_RUNNING, error, "the domain %s is not running",
                      virDomainGetName(domain));
    if (target->view->pid == 0)
        return refuse(LP_DRIVER_ERROR_UNSUPPORTED, error,
                      "the hypervisor's process of %s is not on this host, or not this user's to "
                      "look at", virDomainGetName(domain));
    target->process = (LpProcess) {
        .pid = target->view->pid, .n_cells = target->view->n_cells,
        .n_backends = (uint32_t)n, .backends = target->backends,
    };
    return true;
}

LpLocality *
lp_libvirt_locate(LpConn *conn, const char *uuid, const LpTopology *topology, uint32_t samples,
                  GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autoptr(LpLocality) locality = lp_locality_new();
    g_auto(Target) target = { 0 };

    if (!domain || !read_target(conn, domain, &target, error) ||
        !lp_process_locate(&target.process, topology, samples, locality, error) ||
        !lp_process_vcpus(target.process.pid, target.view->vcpu_max, locality, error))
        return NULL;
    g_strlcpy(locality->run_id, target.view->run_id, sizeof locality->run_id);
    return g_steal_pointer(&locality);
}

bool
lp_libvirt_move_pages(LpConn *conn, const char *uuid, const LpMoveOrder *order,
                      LpPagesMoved *ret_moved, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_auto(Target) target = { 0 };

    *ret_moved = (LpPagesMoved) { .range = order->range, .offset = order->offset };
    if (!domain || !read_target(conn, domain, &target, error))
        return false;
    if (order->part > target.process.n_cells)
        return refuse(LP_DRIVER_ERROR_INVALID, error, "the domain has %u cells, no part %u",
                      target.process.n_cells, order->part);
    return lp_process_move(&target.process, order, ret_moved, error);
}

/* --- pins --- */

/* libvirt's own form of a set of processors: a bit each, lowest first. */
#define MAP_BYTES (LP_MAX_CPUS / 8)

static void
to_map(const LpCpuMask *cpus, unsigned char *map)
{
    memset(map, 0, MAP_BYTES);
    for (int cpu = lp_cpumask_next(cpus, 0); cpu >= 0;
         cpu = lp_cpumask_next(cpus, (unsigned)cpu + 1))
        map[cpu / 8] |= (unsigned char)(1U << (cpu % 8));
}

/* As long as libvirt has it: no processor that the host could have is beyond. */
static int
map_length(const LpCpuMask *cpus)
{
    int last = lp_cpumask_last(cpus);

    return last / 8 + 1;
}

/* Some of it may have been done, since it is several calls. */
static bool
fail_pin(LpConn *conn, virDomainPtr domain, const char *what, bool any_done, GError **error)
{
    GError *inner = NULL;

    lp_libvirt_fail_effect(conn, domain, what, &inner);
    if (any_done && g_error_matches(inner, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED))
        inner->code = LP_DRIVER_ERROR_UNKNOWN;
    g_propagate_error(error, inner);
    return false;
}

/* What libvirt has each vCPU pinned to now, whether plugged or not; NULL: it does not say. */
static unsigned char *
read_pins(virDomainPtr domain, uint32_t n_vcpus)
{
    g_autofree unsigned char *maps = g_malloc0((size_t)n_vcpus * MAP_BYTES);
    int n = virDomainGetVcpuPinInfo(domain, (int)n_vcpus, maps, MAP_BYTES, VIR_DOMAIN_AFFECT_LIVE);

    return n == (int)n_vcpus ? g_steal_pointer(&maps) : NULL;
}

bool
lp_libvirt_set_pins(LpConn *conn, const char *uuid, const LpPins *pins, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autofree unsigned char *now = NULL;
    unsigned char map[MAP_BYTES];
    bool any_done = false;

    if (!domain)
        return false;
    if (!conn->is_qemu)
        return refuse(LP_DRIVER_ERROR_UNSUPPORTED, error,
                      "%s has no threads of vCPUs that could be pinned", conn->uri);
    now = pins->n_vcpus > 0 ? read_pins(domain, pins->n_vcpus) : NULL;
    for (uint32_t id = 0; id < pins->n_vcpus; id++) {
        g_autofree char *what = NULL;

        if (lp_cpumask_count(&pins->vcpus[id]) == 0)
            continue;
        to_map(&pins->vcpus[id], map);
        if (now && memcmp(now + (size_t)id * MAP_BYTES, map, MAP_BYTES) == 0)
            continue;
        what = g_strdup_printf("vCPU %u cannot be pinned", id);
        if (virDomainPinVcpuFlags(domain, id, map, map_length(&pins->vcpus[id]),
                                  VIR_DOMAIN_AFFECT_LIVE) < 0)
            return fail_pin(conn, domain, what, any_done, error);
        any_done = true;
    }
    if (lp_cpumask_count(&pins->emulator) == 0)
        return true;
    to_map(&pins->emulator, map);
    if (virDomainPinEmulator(domain, map, map_length(&pins->emulator), VIR_DOMAIN_AFFECT_LIVE) < 0)
        return fail_pin(conn, domain, "the emulator's threads cannot be pinned", any_done, error);
    return true;
}

/* --- a restrictive domain --- */

bool
lp_libvirt_set_nodeset(LpConn *conn, const char *uuid, const uint32_t *node_ids, uint32_t n,
                       GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autoptr(LpView) view = lp_view_new();
    g_autofree char *xml = NULL;
    virTypedParameterPtr params = NULL;
    char text[LP_CPUMASK_TEXT];
    int n_params = 0, max = 0, result;
    LpCpuMask nodes;

    if (!domain)
        return false;
    xml = virDomainGetXMLDesc(domain, 0);
    if (!xml)
        return lp_libvirt_fail(conn, false, "the domain's XML cannot be read", error);
    if (!lp_domxml_read(xml, view, error))
        return false;
    if (view->numatune != LP_NUMATUNE_RESTRICTIVE)
        return refuse(LP_DRIVER_ERROR_UNSUPPORTED, error,
                      "the domain was not started with numatune mode 'restrictive', so its nodes "
                      "cannot be set while it runs");
    if (!conn->is_qemu || conn->is_session)
        return refuse(LP_DRIVER_ERROR_UNSUPPORTED, error,
                      "%s has no cpusets, so a running domain's nodes cannot be set", conn->uri);
    lp_cpumask_clear(&nodes);
    for (uint32_t i = 0; i < n; i++)
        lp_cpumask_add(&nodes, node_ids[i]);
    if (lp_cpumask_count(&nodes) == 0)
        return refuse(LP_DRIVER_ERROR_INVALID, error, "no node is named that the domain may use");
    result = virTypedParamsAddString(&params, &n_params, &max, VIR_DOMAIN_NUMA_NODESET,
                                     lp_cpumask_format(&nodes, text, sizeof text));
    if (result == 0)
        result = virDomainSetNumaParameters(domain, params, n_params, VIR_DOMAIN_AFFECT_LIVE);
    if (result < 0)
        lp_libvirt_fail_effect(conn, domain, "the domain's nodes cannot be set", error);
    virTypedParamsFree(params, n_params);
    return result >= 0;
}
