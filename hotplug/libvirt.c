/* The libvirt driver: connections and errors, and the table of its functions. */
#include <libvirt-glib/libvirt-glib.h>
#include <string.h>

#include "hotplug/libvirt-priv.h"

static void
ignore_error(void *data, virErrorPtr error)
{
    (void)data;
    (void)error;    /* every one is read by the caller that got it; none belongs on stderr */
}

static void *
init_once(void *data)
{
    (void)data;
    virInitialize();
    virSetErrorFunc(NULL, ignore_error);
    /* Its sources run on the default main context, whatever thread asks for them. */
    gvir_event_register();
    return NULL;
}

void
lp_libvirt_init(void)
{
    static GOnce once = G_ONCE_INIT;

    g_once(&once, init_once, NULL);
}

static const char *
last_message(void)
{
    virErrorPtr error = virGetLastError();

    return error && error->message ? error->message : "no reason given";
}

virConnectPtr
lp_libvirt_connect(const char *uri, GError **error)
{
    virConnectPtr vir;

    lp_libvirt_init();
    vir = virConnectOpen(uri);
    if (!vir) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNREACHABLE,
                    "libvirt at %s cannot be reached: %s", uri, last_message());
        return NULL;
    }
    /* Drivers inside the process (test:) have no need of it and refuse. */
    virConnectSetKeepAlive(vir, LP_KEEPALIVE_SEC, LP_KEEPALIVE_COUNT);
    return vir;
}

/* --- errors --- */

static LpDriverError
code_of(const virError *error)
{
    switch (error ? error->code : VIR_ERR_OK) {
    case VIR_ERR_NO_DOMAIN:
        return LP_DRIVER_ERROR_NO_DOMAIN;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
        return LP_DRIVER_ERROR_UNSUPPORTED;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_INVALID_ARG:
        return LP_DRIVER_ERROR_INVALID;
    default:
        return LP_DRIVER_ERROR_FAILED;
    }
}

static bool
is_lost(LpConn *conn)
{
    return conn->vir && virConnectIsAlive(conn->vir) != 1;
}

bool
lp_libvirt_fail(LpConn *conn, bool effect, const char *what, GError **error)
{
    virErrorPtr saved = virSaveLastError();
    LpDriverError code = code_of(saved);

    if (is_lost(conn))
        code = effect ? LP_DRIVER_ERROR_UNKNOWN : LP_DRIVER_ERROR_UNREACHABLE;
    g_set_error(error, LP_DRIVER_ERROR, (int)code, "%s: %s", what,
                saved && saved->message ? saved->message : "libvirt gave no reason");
    virFreeError(saved);
    return false;
}

bool
lp_libvirt_fail_effect(LpConn *conn, virDomainPtr domain, const char *what, GError **error)
{
    GError *inner = NULL;

    lp_libvirt_fail(conn, true, what, &inner);
    if (g_error_matches(inner, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED) &&
        virDomainIsActive(domain) == 0)
        inner->code = LP_DRIVER_ERROR_NOT_RUNNING;
    g_propagate_error(error, inner);
    return false;
}

/* --- connections --- */

static void
learn_kind(LpConn *conn)
{
    const char *type = virConnectGetType(conn->vir);
    g_autofree char *uri = virConnectGetURI(conn->vir);
    const char *host = uri ? strstr(uri, "://") : NULL;

    conn->is_qemu = type && strcmp(type, "QEMU") == 0;
    conn->is_local = host && host[3] == '/' && !strstr(uri, "+ssh:");
    conn->is_session = host && strstr(host, "/session");
}

static LpConn *
libvirt_open(const char *uri, GError **error)
{
    virConnectPtr vir = lp_libvirt_connect(uri, error);
    LpConn *conn;

    if (!vir)
        return NULL;
    conn = g_new0(LpConn, 1);
    conn->uri = g_strdup(uri);
    conn->vir = vir;
    learn_kind(conn);
    return conn;
}

static void
libvirt_close(LpConn *conn)
{
    if (!conn)
        return;
    if (conn->vir)
        virConnectClose(conn->vir);
    g_free(conn->uri);
    g_free(conn);
}

bool
lp_libvirt_ready(LpConn *conn, GError **error)
{
    if (conn->vir && !is_lost(conn))
        return true;
    if (conn->vir)
        virConnectClose(conn->vir);
    conn->vir = lp_libvirt_connect(conn->uri, error);
    if (!conn->vir)
        return false;
    learn_kind(conn);
    return true;
}

virDomainPtr
lp_libvirt_find(LpConn *conn, const char *uuid, GError **error)
{
    virDomainPtr domain;

    if (!lp_libvirt_ready(conn, error))
        return NULL;
    domain = virDomainLookupByUUIDString(conn->vir, uuid);
    if (!domain)
        lp_libvirt_fail(conn, false, "the domain cannot be looked up", error);
    return domain;
}

virDomainPtr
lp_libvirt_find_running(LpConn *conn, const char *uuid, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find(conn, uuid, error);
    int active;

    if (!domain)
        return NULL;
    active = virDomainIsActive(domain);
    if (active == 1)
        return g_steal_pointer(&domain);
    if (active < 0)
        lp_libvirt_fail(conn, false, "the domain cannot be looked up", error);
    else
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NOT_RUNNING,
                    "the domain %s is not running", virDomainGetName(domain));
    return NULL;
}

static char *
version_text(unsigned long version)
{
    return g_strdup_printf("%lu.%lu.%lu", version / 1000000, version / 1000 % 1000,
                           version % 1000);
}

static char *
libvirt_describe(LpConn *conn, GError **error)
{
    unsigned long hypervisor = 0, library = 0;
    g_autofree char *hypervisor_text = NULL, *library_text = NULL;
    const char *type;

    if (!lp_libvirt_ready(conn, error))
        return NULL;
    type = virConnectGetType(conn->vir);
    if (!type || virConnectGetVersion(conn->vir, &hypervisor) < 0 ||
        virConnectGetLibVersion(conn->vir, &library) < 0) {
        lp_libvirt_fail(conn, false, "the hypervisor does not say what it is", error);
        return NULL;
    }
    hypervisor_text = version_text(hypervisor);
    library_text = version_text(library);
    return g_strdup_printf("%s %s, libvirt %s", type, hypervisor_text, library_text);
}

static bool
libvirt_handles(const char *uri)
{
    return !g_str_has_prefix(uri, "sim:");
}

const LpDriver lp_driver_libvirt = {
    .name = "libvirt",
    .handles = libvirt_handles,
    .open = libvirt_open,
    .close = libvirt_close,
    .describe = libvirt_describe,
    .list = lp_libvirt_list,
    .look = lp_libvirt_look,
    .get_xml = lp_libvirt_get_xml,
    .define = lp_libvirt_define,
    .undefine = lp_libvirt_undefine,
    .start = lp_libvirt_start,
    .set_vcpu = lp_libvirt_set_vcpu,
    .set_requested = lp_libvirt_set_requested,
    .attach_dimm = lp_libvirt_attach_dimm,
    .detach_dimm = lp_libvirt_detach_dimm,
    .set_balloon = lp_libvirt_set_balloon,
    .set_memory_limit = lp_libvirt_set_memory_limit,
    .set_stats_period = lp_libvirt_set_stats_period,
    .memory_stats = lp_libvirt_memory_stats,
    .set_capacity = lp_libvirt_set_capacity,
    .set_metadata = lp_libvirt_set_metadata,
    .set_config = lp_libvirt_set_config,
    .qga_look = lp_libvirt_qga_look,
    .qga_set_vcpus = lp_libvirt_qga_set_vcpus,
    .qga_online_memory = lp_libvirt_qga_online_memory,
    .locate = lp_libvirt_locate,
    .move_pages = lp_libvirt_move_pages,
    .set_pins = lp_libvirt_set_pins,
    .set_nodeset = lp_libvirt_set_nodeset,
    .open_channel = lp_libvirt_open_channel,
    .watch = lp_libvirt_watch,
    .unwatch = lp_libvirt_unwatch,
};
