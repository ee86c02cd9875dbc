/* What tests and people do to a simulated host behind lpard's back. */
#include <string.h>

#include <glib/gstdio.h>

#include "hotplug/sim-host.h"
#include "hotplug/sim.h"

#define MANNER_KEYS_MAX 64

static bool
refuse(GError **error, const char *name, const char *action, const char *why)
{
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED, "%s: cannot %s: %s", name, action,
                why);
    return false;
}

static bool
stop(LpSimHost *host, LpSimDomain *domain, bool *ret_gone, GError **error)
{
    lp_sim_agent_close(host, domain);
    lp_sim_domain_stop(domain);
    *ret_gone = domain->config_xml == NULL;
    lp_sim_post(host, *ret_gone ? LP_EVENT_DOMAIN_GONE : LP_EVENT_DOMAIN_CHANGED, domain->uuid,
                NULL, 0);
    if (!*ret_gone)
        return true;
    if (!lp_sim_state_bury(host, domain->name, error))
        return false;
    lp_sim_host_remove(host, domain);
    return true;
}

/* To another host: nothing of it stays here. */
static bool
migrate(LpSimHost *host, LpSimDomain *domain, bool *ret_gone, GError **error)
{
    lp_sim_post(host, LP_EVENT_DOMAIN_MIGRATED, domain->uuid, NULL, 0);
    g_clear_pointer(&domain->config_xml, g_free);
    g_clear_pointer(&domain->metadata_config, g_free);
    return stop(host, domain, ret_gone, error);
}

/* Memory and all, into a file from which the next start goes on. */
static bool
save(LpSimHost *host, LpSimDomain *domain, bool *ret_gone, GError **error)
{
    g_autofree char *xml = NULL;

    if (!domain->config_xml)
        return refuse(error, domain->name, "save", "it is transient");
    xml = lp_sim_xml_live(domain, error);
    if (!xml || !stop(host, domain, ret_gone, error))
        return false;
    domain->saved_xml = g_steal_pointer(&xml);
    return true;
}

static void
resume(LpSimDomain *domain, int64_t now_usec)
{
    domain->run = LP_RUN_RUNNING;
    for (uint32_t i = 0; i < domain->n_cells; i++)
        domain->cells[i].since_usec = now_usec;
    if (domain->cpu_since_usec)
        domain->cpu_since_usec = now_usec;
}

static bool
act(LpSimHost *host, LpSimDomain *domain, const char *action, bool *ret_gone, GError **error)
{
    int64_t now_usec = g_get_monotonic_time();
    LpEventKind event = LP_EVENT_DOMAIN_CHANGED;

    if (strcmp(action, "start") == 0) {
        if (domain->run != LP_RUN_OFF)
            return refuse(error, domain->name, action, "it is running");
        if (!lp_sim_domain_start(domain, now_usec, error))
            return false;
    } else if (domain->run == LP_RUN_OFF) {
        return refuse(error, domain->name, action, "it is off");
    } else if (strcmp(action, "stop") == 0 || strcmp(action, "crash") == 0) {
        return stop(host, domain, ret_gone, error);
    } else if (strcmp(action, "save") == 0) {
        return save(host, domain, ret_gone, error);
    } else if (strcmp(action, "migrate") == 0) {
        return migrate(host, domain, ret_gone, error);
    } else if (strcmp(action, "migrate-begin") == 0) {
        domain->run = LP_RUN_MIGRATING;
    } else if (strcmp(action, "pause") == 0) {
        domain->run = LP_RUN_PAUSED;
    } else if (strcmp(action, "resume") == 0) {
        resume(domain, now_usec);
    } else if (strcmp(action, "reset") == 0) {
        lp_sim_domain_reset(domain, now_usec);
        event = LP_EVENT_DOMAIN_RESET;
    } else {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID, "key \"do\" must be start, "
                    "stop, crash, save, migrate-begin, migrate, pause, resume or reset, and not "
                    "\"%s\"", action);
        return false;
    }
    lp_sim_post(host, event, domain->uuid, NULL, 0);
    return true;
}

static bool
apply_host(LpSimHost *host, const json_t *json, GError **error)
{
    static const char *const known[] = { "do", NULL };
    const char *action = "";

    if (!lp_sim_json_keys(json, "the host's faults", known, error)
        || !lp_sim_json_text(json, "do", &action, error))
        return false;
    if (strcmp(action, "connect") != 0 && strcmp(action, "disconnect") != 0) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "key \"do\" must be connect or disconnect");
        return false;
    }
    host->disconnected = strcmp(action, "disconnect") == 0;
    lp_sim_post(host, host->disconnected ? LP_EVENT_DISCONNECTED : LP_EVENT_CONNECTED, NULL, NULL,
                0);
    return true;
}

bool
lp_sim_apply(LpSimHost *host, LpSimDomain *domain, const json_t *json, GError **error)
{
    const char *known[MANNER_KEYS_MAX + 3] = { "do", "ask" };
    const json_t *ask = json_object_get(json, "ask");
    const char *action = NULL;
    bool gone = false, had_qga;

    if (!domain)
        return apply_host(host, json, error);
    for (unsigned i = 0; i < MANNER_KEYS_MAX && lp_sim_manner_keys[i]; i++)
        known[i + 2] = lp_sim_manner_keys[i];
    /* What moved until now moved by the old manners. */
    lp_sim_guest_advance(domain, g_get_monotonic_time());
    had_qga = domain->manners.qga;
    if (!lp_sim_json_keys(json, "a domain's faults", known, error)
        || !lp_sim_json_text(json, "do", &action, error)
        || !lp_sim_manners_read(json, &domain->manners, error)
        || (ask && !lp_sim_talk_ask(domain->talk, ask, error))
        || (action && !act(host, domain, action, &gone, error)))
        return false;
    g_cond_broadcast(&host->wake);
    if (gone)
        return true;
    if (domain->manners.qga != had_qga)
        lp_sim_post(host, LP_EVENT_DOMAIN_CHANGED, domain->uuid, NULL, 0);
    lp_sim_host_touch(host, domain);
    return lp_sim_state_save(domain, error);
}

bool
lp_sim_mailbox_take(LpSimHost *host, LpSimDomain *domain, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%s.json", host->faults_dir,
                                            domain ? domain->name : ".host");
    json_t *json;
    bool ok;

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return true;
    json = lp_sim_json_load(path, error);
    ok = json && lp_sim_apply(host, domain, json, error);
    json_decref(json);
    if (ok)
        g_unlink(path);
    else
        g_prefix_error(error, "%s: ", path);
    return ok;
}

bool
lp_sim_tell(const char *uri, const char *name, const char *json, GError **error)
{
    g_autoptr(LpSimHost) host = lp_sim_host_open(uri, error);
    LpSimDomain *domain = NULL;
    json_error_t why;
    json_t *object;
    bool ok = false;

    if (!host)
        return false;
    object = json_loads(json, JSON_REJECT_DUPLICATES, &why);
    g_mutex_lock(&host->lock);
    if (name)
        domain = g_hash_table_lookup(host->by_name, name);
    if (!object)
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID, "%s", why.text);
    else if (name && !domain)
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NO_DOMAIN,
                    "the simulated host has no domain %s", name);
    else
        ok = lp_sim_apply(host, domain, object, error);
    g_mutex_unlock(&host->lock);
    json_decref(object);
    return ok;
}
