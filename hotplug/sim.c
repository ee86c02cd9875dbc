/* The simulated host behind the driver's vtable. */
#include "hotplug/sim-call.h"

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

static char *
sim_describe(LpConn *conn, GError **error)
{
    char *text;

    if (!lp_sim_lock(conn->host, error))
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
    LpSimHost *host = conn->host;
    GPtrArray *views;
    int64_t now_usec;

    if (!lp_sim_lock(host, error))
        return NULL;
    now_usec = g_get_monotonic_time();
    views = g_ptr_array_new_full(host->domains->len, free_view);
    for (guint i = 0; i < host->domains->len; i++) {
        LpSimDomain *domain = g_ptr_array_index(host->domains, i);

        if (g_hash_table_contains(host->moving, domain->uuid))
            lp_sim_guest_advance(domain, now_usec);
        g_ptr_array_add(views, lp_sim_domain_view(domain));
    }
    g_mutex_unlock(&host->lock);
    return views;
}

static LpView *
sim_look(LpConn *conn, const char *uuid, GError **error)
{
    LpSimCall call;
    LpView *view;

    if (!lp_sim_begin(&call, conn, uuid, "look", LP_SIM_LOOK, error))
        return NULL;
    view = lp_sim_domain_view(call.domain);
    g_mutex_unlock(&call.host->lock);
    return view;
}

static char *
sim_get_xml(LpConn *conn, const char *uuid, bool inactive, GError **error)
{
    LpSimCall call;
    char *xml = NULL;

    if (!lp_sim_begin(&call, conn, uuid, "get_xml", LP_SIM_LOOK, error))
        return NULL;
    if (!inactive && call.domain->live_xml)
        xml = lp_sim_xml_live(call.domain, error);
    else if (call.domain->config_xml)
        xml = g_strdup(call.domain->config_xml);
    else
        lp_sim_fail(error, LP_DRIVER_ERROR_UNSUPPORTED, call.domain->name,
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
    return lp_sim_fail(error, LP_DRIVER_ERROR_FAILED, name,
                       by_name ? "a domain of this name exists with another UUID"
                       : "a domain of another name exists with this UUID");
}

static bool
sim_define(LpConn *conn, const char *xml, char **ret_uuid, GError **error)
{
    g_autofree char *name = NULL, *uuid = NULL, *text = NULL;
    LpSimCall call = { .host = conn->host };
    bool fresh;

    text = lp_sim_xml_identify(xml, &name, &uuid, error);
    if (!text || !lp_sim_lock(call.host, error))
        return false;
    if (!find_defined(call.host, name, uuid, &call.domain, error)) {
        g_mutex_unlock(&call.host->lock);
        return false;
    }
    fresh = call.domain == NULL;
    if ((fresh && !(call.domain = lp_sim_domain_new(call.host, name, uuid)))
        || (!fresh && !lp_sim_begin_locked(&call, uuid, "define", 0, error))
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
    if (lp_sim_end(&call, true, error))
        return true;
    if (ret_uuid)
        g_clear_pointer(ret_uuid, g_free);
    return false;
}

static bool
sim_undefine(LpConn *conn, const char *uuid, GError **error)
{
    LpSimCall call;
    bool ok;

    if (!lp_sim_begin(&call, conn, uuid, "undefine", 0, error))
        return false;
    if (!call.domain->config_xml)
        return lp_sim_end(&call, lp_sim_fail(error, LP_DRIVER_ERROR_FAILED, call.domain->name,
                               "a transient domain has no definition to remove"), error);
    if (call.domain->run != LP_RUN_OFF) {
        g_clear_pointer(&call.domain->config_xml, g_free);
        g_clear_pointer(&call.domain->metadata_config, g_free);
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
        return lp_sim_end(&call, true, error);
    }
    ok = lp_sim_state_bury(call.host, call.domain->name, error);
    if (ok) {
        lp_sim_post(call.host, LP_EVENT_DOMAIN_GONE, uuid, NULL, 0);
        lp_sim_host_remove(call.host, call.domain);
        if (call.fails_after)
            ok = lp_sim_fail(error, call.error, uuid, "a fault was asked for");
    }
    g_mutex_unlock(&call.host->lock);
    return ok;
}

static bool
sim_start(LpConn *conn, const char *uuid, GError **error)
{
    LpSimCall call;
    bool ok;

    if (!lp_sim_begin(&call, conn, uuid, "start", 0, error))
        return false;
    ok = call.domain->run == LP_RUN_OFF
        ? lp_sim_domain_start(call.domain, call.now_usec, error)
        : lp_sim_fail(error, LP_DRIVER_ERROR_FAILED, call.domain->name,
                      "the domain is already running");
    if (ok)
        lp_sim_post(call.host, LP_EVENT_DOMAIN_CHANGED, uuid, NULL, 0);
    return lp_sim_end(&call, ok, error);
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
    .set_vcpu = lp_sim_set_vcpu,
    .set_requested = lp_sim_set_requested,
    .attach_dimm = lp_sim_attach_dimm,
    .detach_dimm = lp_sim_detach_dimm,
    .set_balloon = lp_sim_set_balloon,
    .set_memory_limit = lp_sim_set_memory_limit,
    .set_stats_period = lp_sim_set_stats_period,
    .memory_stats = lp_sim_memory_stats,
    .set_capacity = lp_sim_set_capacity,
    .set_metadata = lp_sim_set_metadata,
    .set_config = lp_sim_set_config,
    .qga_look = lp_sim_qga_look,
    .qga_set_vcpus = lp_sim_qga_set_vcpus,
    .qga_online_memory = lp_sim_qga_online_memory,
    .locate = lp_sim_locate,
    .move_pages = lp_sim_move_pages,
    .set_pins = lp_sim_set_pins,
    .set_nodeset = lp_sim_set_nodeset,
    .open_channel = sim_open_channel,
    .watch = lp_sim_watch,
    .unwatch = lp_sim_unwatch,
};
