/* What libvirt and the host's kernel say of a domain.
 *
 * Only calls that libvirtd answers from its own memory or from cgroup files: none waits for a
 * domain's job or asks a QEMU monitor, so that one stopped QEMU stalls nobody.  (Statistics,
 * job information and virDomainGetInfo's kin are left out for that reason.) */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hotplug/libvirt-priv.h"
#include "hotplug/resource.h"

/* QEMU's scheduler parameters are nine; libvirt's protocol refuses to be asked for more than
 * 16. */
#define MAX_PARAMS 16

/* --- the process --- */

static char *
pid_file(const LpConn *conn, const char *name)
{
    g_autofree char *dir = NULL;

    if (strchr(name, '/'))
        return NULL;
    if (!conn->is_session)
        return g_strdup_printf("/run/libvirt/qemu/%s.pid", name);
    dir = g_build_filename(g_get_user_runtime_dir(), "libvirt", "qemu", "run", NULL);
    return g_strdup_printf("%s/%s.pid", dir, name);
}

/* A pid file outlives a QEMU that was killed, and its number may be another process's by now. */
static bool
is_process_of(pid_t pid, const char *uuid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    g_autofree char *text = NULL;
    gsize length;

    if (!g_file_get_contents(path, &text, &length, NULL))
        return false;
    for (gsize i = 0; i < length; i += strlen(text + i) + 1) {
        if (strcmp(text + i, uuid) == 0)
            return true;
    }
    return false;
}

/* By its pid file alone; 0: unknown. */
static pid_t
started_process(const LpConn *conn, const LpView *view)
{
    g_autofree char *path = NULL, *text = NULL;
    guint64 pid;

    if (!conn->is_qemu || !conn->is_local || !view->name || !view->uuid)
        return 0;
    path = pid_file(conn, view->name);
    if (!path || !g_file_get_contents(path, &text, NULL, NULL) ||
        !g_ascii_string_to_unsigned(g_strstrip(text), 10, 1, G_MAXINT32, &pid, NULL))
        return 0;
    return (pid_t)pid;
}

static pid_t
find_process(const LpConn *conn, const LpView *view)
{
    pid_t pid = started_process(conn, view);

    return pid > 0 && is_process_of(pid, view->uuid) ? pid : 0;
}

bool
lp_libvirt_has_ended(const LpConn *conn, const LpView *view)
{
    pid_t pid = started_process(conn, view);

    return pid > 0 && !is_process_of(pid, view->uuid);
}

/* In clock ticks since the host's boot; 0 if unknown.  Field 22, counted after the command's
 * name, which may itself hold blanks and parentheses. */
static unsigned long long
start_time(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    const char *end;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !(end = strrchr(text, ')')))
        return 0;
    fields = g_strsplit(end + 1, " ", -1);    /* [0] is empty, [1] is field 3 */
    return g_strv_length(fields) > 20 ? g_ascii_strtoull(fields[20], NULL, 10) : 0;
}

static uint64_t
resident_bytes(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/statm", (int)pid);
    g_autofree char *text = NULL;
    unsigned long long pages;

    if (!g_file_get_contents(path, &text, NULL, NULL) || sscanf(text, "%*u %llu", &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
lp_libvirt_fill_process(const LpConn *conn, virDomainPtr domain, LpView *view)
{
    unsigned id = virDomainGetID(domain);

    if (view->run == LP_RUN_OFF || id == (unsigned)-1)
        return;
    view->pid = find_process(conn, view);
    if (view->pid == 0) {
        snprintf(view->run_id, sizeof view->run_id, "%u", id);
        return;
    }
    view->resident_bytes = resident_bytes(view->pid);
    snprintf(view->run_id, sizeof view->run_id, "%u-%llx", id, start_time(view->pid));
}

/* --- state --- */

static LpRunState
paused_state(int reason)
{
    switch (reason) {
    case VIR_DOMAIN_PAUSED_MIGRATION:
    case VIR_DOMAIN_PAUSED_POSTCOPY:
    case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
        return LP_RUN_MIGRATING;
    case VIR_DOMAIN_PAUSED_STARTING_UP:
        return LP_RUN_STARTING;
    case VIR_DOMAIN_PAUSED_SAVE:
    case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
    case VIR_DOMAIN_PAUSED_CRASHED:
        return LP_RUN_STOPPING;
    default:
        return LP_RUN_PAUSED;
    }
}

static LpRunState
running_state(virDomainPtr domain, int reason)
{
    virDomainControlInfo info;

    if (reason == VIR_DOMAIN_RUNNING_POSTCOPY)
        return LP_RUN_MIGRATING;
    /* A long job of its own (migration, save, dump) rules out others. */
    if (virDomainGetControlInfo(domain, &info, 0) == 0 && info.state == VIR_DOMAIN_CONTROL_JOB)
        return LP_RUN_MIGRATING;
    return LP_RUN_RUNNING;
}

static bool
fill_state(LpConn *conn, virDomainPtr domain, LpView *view, GError **error)
{
    int state, reason;

    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return lp_libvirt_fail(conn, false, "the domain's state cannot be read", error);
    switch (state) {
    case VIR_DOMAIN_SHUTOFF:
        view->run = LP_RUN_OFF;
        break;
    case VIR_DOMAIN_SHUTDOWN:
        view->run = LP_RUN_STOPPING;
        break;
    case VIR_DOMAIN_CRASHED:
        view->run = virDomainIsActive(domain) == 1 ? LP_RUN_STOPPING : LP_RUN_OFF;
        break;
    case VIR_DOMAIN_PAUSED:
        view->run = paused_state(reason);
        break;
    case VIR_DOMAIN_PMSUSPENDED:
        view->run = LP_RUN_PAUSED;
        break;
    case VIR_DOMAIN_NOSTATE:
        view->run = LP_RUN_STARTING;
        break;
    default:
        view->run = running_state(domain, reason);
    }
    return true;
}

/* --- capacity --- */

/* A controller is in one hierarchy for the whole host, so this process's membership tells. */
static LpCgroup
host_cgroup(void)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    LpCgroup found = LP_CGROUP_NONE;

    if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL))
        return LP_CGROUP_NONE;
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, ":", 3);    /* id:controllers:path */
        g_auto(GStrv) controllers = NULL;

        if (g_strv_length(fields) != 3)
            continue;
        controllers = g_strsplit(fields[1], ",", -1);
        if (g_strv_contains((const char *const *)controllers, "cpu"))
            return LP_CGROUP_V1;
        if (strcmp(fields[0], "0") == 0)
            found = LP_CGROUP_V2;
    }
    return found;
}

static void
take_param(const virTypedParameter *param, LpView *view)
{
    if (strcmp(param->field, VIR_DOMAIN_SCHEDULER_CPU_SHARES) == 0)
        view->cpu_shares = param->value.ul;
    else if (strcmp(param->field, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD) == 0)
        view->global_period_usec = param->value.ul;
    else if (strcmp(param->field, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA) == 0)
        view->global_quota_usec = param->value.l > 0 ? param->value.l : -1;
}

static void
fill_capacity(LpConn *conn, virDomainPtr domain, LpView *view)
{
    virTypedParameter params[MAX_PARAMS];
    int n = MAX_PARAMS;

    view->cgroup = LP_CGROUP_NONE;
    if (!conn->is_qemu || !conn->is_local || conn->is_session)
        return;
    if (view->run == LP_RUN_OFF) {
        view->cgroup = host_cgroup();    /* the XML's figures hold at the next start */
        return;
    }
    memset(params, 0, sizeof params);
    if (virDomainGetSchedulerParametersFlags(domain, params, &n, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return;    /* libvirtd found no cpu controller */
    for (int i = 0; i < n; i++)
        take_param(&params[i], view);
    virTypedParamsClear(params, n);
    view->cgroup = host_cgroup();
}

/* --- the view --- */

static bool
fill_config(LpConn *conn, virDomainPtr domain, LpView *view, GError **error)
{
    g_autoptr(LpView) config = NULL;
    g_autofree char *xml = NULL;

    if (view->run == LP_RUN_OFF) {
        view->metadata_config = g_strdup(view->metadata);
        memcpy(view->resource_config, view->resource, sizeof view->resource_config);
        return true;
    }
    if (!view->persistent)
        return true;
    xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    if (!xml)
        return lp_libvirt_fail(conn, false, "the domain's definition cannot be read", error);
    config = lp_view_new();
    if (!lp_domxml_read(xml, config, error))
        return false;
    view->metadata_config = g_steal_pointer(&config->metadata);
    view->plugged_config = config->plugged;
    view->requested_config_bytes = config->requested_config_bytes;
    view->base_config_bytes = config->base_bytes;
    view->cpu_shares_config = config->cpu_shares;
    view->global_quota_config_usec = config->global_quota_usec;
    memcpy(view->resource_config, config->resource, sizeof view->resource_config);
    return true;
}

static LpView *
view_of(LpConn *conn, virDomainPtr domain, GError **error)
{
    g_autoptr(LpView) view = lp_view_new();
    g_autofree char *xml = NULL;

    xml = virDomainGetXMLDesc(domain, 0);
    if (!xml) {
        lp_libvirt_fail(conn, false, "the domain's XML cannot be read", error);
        return NULL;
    }
    if (!lp_domxml_read(xml, view, error) || !fill_state(conn, domain, view, error))
        return NULL;
    view->persistent = virDomainIsPersistent(domain) == 1;
    if (!fill_config(conn, domain, view, error))
        return NULL;
    lp_libvirt_fill_process(conn, domain, view);
    fill_capacity(conn, domain, view);
    if (view->cgroup != LP_CGROUP_NONE) {
        view->pool_centi = lp_resource_centi(view->resource);
        view->pool_config_centi = lp_resource_centi(view->resource_config);
    }
    return g_steal_pointer(&view);
}

LpView *
lp_libvirt_look(LpConn *conn, const char *uuid, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find(conn, uuid, error);

    return domain ? view_of(conn, domain, error) : NULL;
}

GPtrArray *
lp_libvirt_list(LpConn *conn, GError **error)
{
    g_autoptr(GPtrArray) views = g_ptr_array_new_with_free_func((GDestroyNotify)lp_view_free);
    virDomainPtr *domains = NULL;
    int n;

    if (!lp_libvirt_ready(conn, error))
        return NULL;
    n = virConnectListAllDomains(conn->vir, &domains, 0);
    if (n < 0) {
        lp_libvirt_fail(conn, false, "the domains cannot be listed", error);
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        LpView *view = view_of(conn, domains[i], NULL);

        /* One that went away since, or that lpard cannot read, must not hide the others. */
        if (view)
            g_ptr_array_add(views, view);
        virDomainFree(domains[i]);
    }
    free(domains);
    if (virConnectIsAlive(conn->vir) != 1) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNREACHABLE,
                    "the connection to libvirt at %s was lost", conn->uri);
        return NULL;
    }
    return g_steal_pointer(&views);
}
