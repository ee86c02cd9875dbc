/* The effects on a running domain. */
#include <string.h>

#include "hotplug/libvirt-priv.h"

#define KIB UINT64_C(1024)

/* What the running domain is by its own XML, since most effects start from that. */
static LpView *
read_live(LpConn *conn, virDomainPtr domain, GError **error)
{
    g_autofree char *xml = virDomainGetXMLDesc(domain, 0);
    g_autoptr(LpView) view = lp_view_new();

    if (!xml) {
        lp_libvirt_fail(conn, false, "the domain's XML cannot be read", error);
        return NULL;
    }
    if (!lp_domxml_read(xml, view, error))
        return NULL;
    return g_steal_pointer(&view);
}

static bool
fail_vcpu(LpConn *conn, virDomainPtr domain, uint32_t vcpu, bool plugged, GError **error)
{
    int code = virGetLastErrorCode();
    g_autofree char *what = g_strdup_printf("vCPU %u cannot be %s", vcpu,
                                            plugged ? "added" : "removed");
    GError *inner = NULL;

    lp_libvirt_fail_effect(conn, domain, what, &inner);
    /* libvirt waits 5 s for the guest; one that lets go later is still taken out. */
    if (!plugged && code == VIR_ERR_OPERATION_TIMEOUT)
        inner->code = LP_DRIVER_ERROR_TIMEOUT;
    g_propagate_error(error, inner);
    return false;
}

/* Hypervisors that know only a number of vCPUs add the lowest free id and remove the highest;
 * any other is beyond them, and libvirt's word of that stands. */
static int
set_vcpu_by_count(virDomainPtr domain, const LpView *view, uint32_t vcpu, bool plugged)
{
    unsigned count = lp_cpumask_count(&view->plugged);

    if (vcpu != (plugged ? count : count - 1))
        return -1;
    return virDomainSetVcpusFlags(domain, plugged ? count + 1 : count - 1,
                                  VIR_DOMAIN_AFFECT_LIVE);
}

bool
lp_libvirt_set_vcpu(LpConn *conn, const char *uuid, uint32_t vcpu, bool plugged, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autoptr(LpView) view = domain ? read_live(conn, domain, error) : NULL;
    char map[16];
    int result;

    if (!view)
        return false;
    if (vcpu >= view->vcpu_max) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the running domain has vCPUs 0 to %u, no %u", view->vcpu_max - 1, vcpu);
        return false;
    }
    if (lp_cpumask_has(&view->plugged, vcpu) == plugged)
        return true;
    if (!plugged && view->accel == LP_ACCEL_TCG) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                    "vCPU %u cannot be removed: QEMU's emulator breaks when one leaves; take it "
                    "offline in the guest", vcpu);
        return false;
    }
    g_snprintf(map, sizeof map, "%u", vcpu);
    result = virDomainSetVcpu(domain, map, plugged, VIR_DOMAIN_AFFECT_LIVE);
    if (result < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        result = set_vcpu_by_count(domain, view, vcpu, plugged);
    if (result < 0)
        return fail_vcpu(conn, domain, vcpu, plugged, error);
    return true;
}

bool
lp_libvirt_set_requested(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes,
                         GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autofree char *xml = NULL, *device = NULL;

    if (!domain)
        return false;
    xml = virDomainGetXMLDesc(domain, 0);
    if (!xml)
        return lp_libvirt_fail(conn, false, "the domain's XML cannot be read", error);
    device = lp_domxml_device_requested(xml, cell, bytes, error);
    if (!device)
        return false;
    if (virDomainUpdateDeviceFlags(domain, device, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return lp_libvirt_fail_effect(conn, domain, "the virtio-mem device cannot be resized",
                                      error);
    return true;
}

bool
lp_libvirt_attach_dimm(LpConn *conn, const char *uuid, uint32_t cell, uint64_t bytes,
                       GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autofree char *xml = NULL;

    if (!domain)
        return false;
    if (bytes == 0 || bytes % KIB != 0) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "a DIMM of %" G_GUINT64_FORMAT " bytes: must be whole KiB", bytes);
        return false;
    }
    xml = g_strdup_printf("<memory model='dimm'><target><size unit='KiB'>%" G_GUINT64_FORMAT
                          "</size><node>%u</node></target></memory>", bytes / KIB, cell);
    if (virDomainAttachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return lp_libvirt_fail_effect(conn, domain, "the DIMM cannot be added", error);
    return true;
}

bool
lp_libvirt_detach_dimm(LpConn *conn, const char *uuid, const char *alias, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autoptr(LpView) view = domain ? read_live(conn, domain, error) : NULL;
    bool there = false;

    if (!view)
        return false;
    for (uint32_t i = 0; i < view->n_dimms; i++)
        there = there || strcmp(view->dimms[i].alias, alias) == 0;
    if (!there)
        return true;
    if (virDomainDetachDeviceAlias(domain, alias, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return lp_libvirt_fail_effect(conn, domain, "the DIMM cannot be removed", error);
    return true;
}

bool
lp_libvirt_set_balloon(LpConn *conn, const char *uuid, uint64_t bytes, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    g_autoptr(LpView) view = domain ? read_live(conn, domain, error) : NULL;
    uint64_t whole;

    if (!view)
        return false;
    if (!view->has_balloon) {
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                            "the domain has no balloon device");
        return false;
    }
    /* The reverse of how a view's balloon_bytes is made: libvirt takes what is to be left of
     * boot memory and DIMMs. */
    whole = view->base_bytes;
    for (uint32_t i = 0; i < view->n_dimms; i++)
        whole += view->dimms[i].bytes;
    if (bytes >= whole) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the balloon cannot take %" G_GUINT64_FORMAT " bytes: the guest has %"
                    G_GUINT64_FORMAT " bytes outside virtio-mem", bytes, whole);
        return false;
    }
    if (virDomainSetMemoryFlags(domain, (unsigned long)((whole - bytes) / KIB),
                                VIR_DOMAIN_AFFECT_LIVE) < 0)
        return lp_libvirt_fail_effect(conn, domain, "the balloon cannot be set", error);
    return true;
}

bool
lp_libvirt_set_memory_limit(LpConn *conn, const char *uuid, uint64_t bytes, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, result;

    if (!domain)
        return false;
    if (!conn->is_qemu || conn->is_session) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                    "%s has no cgroups, so memory cannot be limited from outside", conn->uri);
        return false;
    }
    result = virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_MEMORY_HARD_LIMIT,
                                     bytes ? bytes / KIB : VIR_DOMAIN_MEMORY_PARAM_UNLIMITED);
    if (result == 0)
        result = virDomainSetMemoryParameters(domain, params, n, VIR_DOMAIN_AFFECT_LIVE);
    if (result < 0)
        lp_libvirt_fail_effect(conn, domain, "the memory limit cannot be set", error);
    virTypedParamsFree(params, n);
    return result >= 0;
}

bool
lp_libvirt_set_capacity(LpConn *conn, const char *uuid, const LpCapacityLimits *limits,
                        GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, result = 0;

    if (!domain)
        return false;
    if (!conn->is_qemu || conn->is_session) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                    "%s has no cgroups, so CPU capacity cannot be enforced", conn->uri);
        return false;
    }
    if (limits->shares > 0)
        result |= virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_SCHEDULER_CPU_SHARES,
                                          limits->shares);
    if (limits->global_period_usec > 0)
        result |= virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD,
                                          limits->global_period_usec);
    result |= virTypedParamsAddLLong(&params, &n, &max, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA,
                                     limits->global_quota_usec < 0 ? -1
                                                                   : limits->global_quota_usec);
    if (result == 0)
        result = virDomainSetSchedulerParametersFlags(domain, params, n, VIR_DOMAIN_AFFECT_LIVE);
    if (result < 0)
        lp_libvirt_fail_effect(conn, domain, "the CPU capacity cannot be set", error);
    virTypedParamsFree(params, n);
    return result >= 0;
}
