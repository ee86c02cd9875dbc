/* The simulated hosts of this process: one for each FILE, shared by all its connections. */
#include <errno.h>
#include <string.h>

#include <glib/gstdio.h>

#include "hotplug/sim-host.h"
#include "hotplug/sim.h"

static GMutex hosts_lock;
static GHashTable *hosts;         /* path -> LpSimHost*, not owned: gone with its last user */

static bool
add_domain(LpSimHost *host, const LpSimSpec *spec, const char *name, int64_t now_usec,
           GError **error)
{
    g_autofree char *uuid = spec->uuid ? g_strdup(spec->uuid)
                                       : lp_sim_make_uuid(host->seed, name, 0);
    g_autofree char *xml = lp_sim_xml_build(spec, name, uuid);
    LpSimDomain *domain;

    if (g_hash_table_contains(host->by_name, name) || g_hash_table_contains(host->by_uuid, uuid)) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "domain \"%s\" or its uuid is there twice", name);
        return false;
    }
    domain = lp_sim_domain_new(host, name, uuid);
    domain->manners = spec->manners;
    if (!lp_sim_domain_set_config(domain, xml, error)
        || (spec->run != LP_RUN_OFF && !lp_sim_domain_start(domain, now_usec, error))) {
        g_prefix_error(error, "domain \"%s\": ", name);
        lp_sim_domain_free(domain);
        return false;
    }
    /* A guest that is said to run has done so for long: booted, and its memory plugged. */
    if (spec->run != LP_RUN_OFF)
        domain->booted_usec = now_usec;
    for (uint32_t i = 0; i < domain->n_cells && spec->run != LP_RUN_OFF; i++) {
        domain->cells[i].plugged_bytes = domain->cells[i].requested_bytes;
        domain->cells[i].told_bytes = domain->cells[i].requested_bytes;
        domain->cells[i].since_usec = now_usec;
    }
    domain->run = spec->run;
    lp_sim_host_add(host, domain);
    lp_sim_numa_place(domain, spec);
    return true;
}

/* A domain that was here before: as it was left, not as FILE says. */
static bool
add_kept(LpSimHost *host, const json_t *state, const char *name, const LpSimSpec *spec,
         int64_t now_usec, GError **error)
{
    const char *uuid = json_string_value(json_object_get(state, "uuid"));
    LpSimDomain *domain = lp_sim_domain_new(host, name, uuid);
    bool undefined = false;

    if (spec)
        domain->manners = spec->manners;
    if (!lp_sim_state_load(domain, state, &undefined, now_usec, error)
        || (!undefined && (!uuid || g_hash_table_contains(host->by_uuid, uuid)))) {
        if (error && !*error)
            g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                        "the kept state of %s has no uuid of its own; remove its file in %s",
                        name, host->state_dir);
        lp_sim_domain_free(domain);
        return false;
    }
    if (undefined)
        lp_sim_domain_free(domain);
    else
        lp_sim_host_add(host, domain);
    return true;
}

static bool
load_spec(LpSimHost *host, const LpSimSpec *spec, int64_t now_usec, GHashTable *seen,
          GError **error)
{
    for (uint32_t i = 0; i < spec->count; i++) {
        g_autofree char *name = lp_sim_spec_name(spec, i);
        g_autoptr(GError) why = NULL;
        json_t *state = lp_sim_state_read(host, name, &why);
        bool ok;

        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
        ok = state ? add_kept(host, state, name, spec, now_usec, error)
                   : add_domain(host, spec, name, now_usec, error);
        json_decref(state);
        if (!ok)
            return false;
        g_hash_table_add(seen, g_steal_pointer(&name));
    }
    return true;
}

/* Domains that were defined since, and so are not in FILE. */
static bool
load_others(LpSimHost *host, int64_t now_usec, GHashTable *seen, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(host->state_dir, 0, NULL);
    const char *file;

    while (dir && (file = g_dir_read_name(dir))) {
        g_autofree char *name = NULL;
        json_t *state;
        bool ok;

        if (!g_str_has_suffix(file, ".json"))
            continue;
        name = g_strndup(file, strlen(file) - strlen(".json"));
        if (g_hash_table_contains(seen, name))
            continue;
        state = lp_sim_state_read(host, name, error);
        ok = state && add_kept(host, state, name, NULL, now_usec, error);
        json_decref(state);
        if (!ok)
            return false;
    }
    return true;
}

static bool
load(LpSimHost *host, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    json_t *root = lp_sim_json_load(host->path, error), *domains, *object;
    int64_t now_usec = g_get_monotonic_time();
    bool ok = root && lp_sim_host_read(host, root, error);
    size_t i;

    if (ok && (g_mkdir_with_parents(host->state_dir, 0755) < 0
               || g_mkdir_with_parents(host->faults_dir, 0755) < 0)) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "cannot make the directories beside %s: %s", host->path, g_strerror(errno));
        ok = false;
    }
    domains = ok ? json_object_get(root, "domains") : NULL;
    json_array_foreach(domains, i, object) {
        LpSimSpec spec;

        if (!ok || !lp_sim_spec_read(object, &spec, error)) {
            ok = false;
            break;
        }
        ok = load_spec(host, &spec, now_usec, seen, error);
        lp_sim_spec_clear(&spec);
    }
    ok = ok && load_others(host, now_usec, seen, error);
    json_decref(root);
    if (!ok)
        g_prefix_error(error, "simulated host %s: ", host->path);
    return ok;
}

static void
free_domain(void *domain)
{
    lp_sim_domain_free(domain);
}

static LpSimHost *
host_new(const char *path)
{
    LpSimHost *host = g_new0(LpSimHost, 1);

    host->refs = 1;
    host->path = g_strdup(path);
    host->state_dir = g_strconcat(path, ".state", NULL);
    host->faults_dir = g_strconcat(path, ".faults", NULL);
    g_mutex_init(&host->lock);
    g_cond_init(&host->wake);
    host->domains = g_ptr_array_new_with_free_func(free_domain);
    host->by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
    host->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    host->moving = g_hash_table_new(g_str_hash, g_str_equal);
    host->watches = g_ptr_array_new();
    host->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return host;
}

static void
host_free(LpSimHost *host)
{
    g_hash_table_unref(host->moving);
    g_hash_table_unref(host->by_name);
    g_hash_table_unref(host->by_uuid);
    g_ptr_array_unref(host->domains);
    g_ptr_array_unref(host->watches);
    g_hash_table_unref(host->links);
    g_mutex_clear(&host->lock);
    g_cond_clear(&host->wake);
    g_free(host->path);
    g_free(host->state_dir);
    g_free(host->faults_dir);
    g_free(host);
}

static char *
path_of(const char *uri)
{
    return g_canonicalize_filename(uri + strlen("sim:"), NULL);
}

LpSimHost *
lp_sim_host_open(const char *uri, GError **error)
{
    g_autofree char *path = NULL;
    g_autoptr(GMutexLocker) locker = NULL;
    LpSimHost *host;

    if (!g_str_has_prefix(uri, "sim:") || !uri[strlen("sim:")]) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "%s names no file; a simulated host is sim:FILE", uri);
        return NULL;
    }
    path = path_of(uri);
    locker = g_mutex_locker_new(&hosts_lock);
    if (!hosts)
        hosts = g_hash_table_new(g_str_hash, g_str_equal);
    host = g_hash_table_lookup(hosts, path);
    if (host) {
        host->refs++;
        return host;
    }
    host = host_new(path);
    if (!load(host, error)) {
        host_free(host);
        return NULL;
    }
    g_hash_table_insert(hosts, host->path, host);
    return host;
}

LpSimHost *
lp_sim_host_ref(LpSimHost *host)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&hosts_lock);

    host->refs++;
    return host;
}

void
lp_sim_host_unref(LpSimHost *host)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&hosts_lock);

    if (--host->refs > 0)
        return;
    if (hosts && g_hash_table_lookup(hosts, host->path) == host)
        g_hash_table_remove(hosts, host->path);
    host_free(host);
}

void
lp_sim_forget(const char *uri)
{
    g_autofree char *path = path_of(uri);
    LpSimHost *host;

    g_mutex_lock(&hosts_lock);
    host = hosts ? g_hash_table_lookup(hosts, path) : NULL;
    if (host) {
        host->refs++;
        g_hash_table_remove(hosts, path);
    }
    g_mutex_unlock(&hosts_lock);
    if (!host)
        return;
    g_mutex_lock(&host->lock);
    lp_sim_agent_close(host, NULL);
    g_mutex_unlock(&host->lock);
    lp_sim_host_unref(host);
}

LpSimDomain *
lp_sim_host_find(LpSimHost *host, const char *uuid, GError **error)
{
    LpSimDomain *domain = g_hash_table_lookup(host->by_uuid, uuid);

    if (!domain)
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NO_DOMAIN,
                    "the simulated host has no domain with UUID %s", uuid);
    return domain;
}

void
lp_sim_host_add(LpSimHost *host, LpSimDomain *domain)
{
    g_ptr_array_add(host->domains, domain);
    g_hash_table_insert(host->by_uuid, domain->uuid, domain);
    g_hash_table_insert(host->by_name, domain->name, domain);
    lp_sim_host_touch(host, domain);
}

void
lp_sim_host_remove(LpSimHost *host, LpSimDomain *domain)
{
    g_hash_table_remove(host->moving, domain->uuid);
    g_hash_table_remove(host->by_uuid, domain->uuid);
    g_hash_table_remove(host->by_name, domain->name);
    g_ptr_array_remove(host->domains, domain);
}

void
lp_sim_host_touch(LpSimHost *host, LpSimDomain *domain)
{
    g_hash_table_insert(host->moving, domain->uuid, domain);
    if (host->timer)
        g_source_set_ready_time(host->timer, 0);
}
