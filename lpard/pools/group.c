#include "lpard/pools/group.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libcgroup.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/resource.h"
#include "lpard/error.h"

/* The kernel's own default, and libvirt's. */
#define PERIOD_USEC 100000

/* libcgroup keeps what it read of the mounts in variables of its own. */
static GMutex library;

static bool
fail(int code, const char *what, const char *name, GError **error)
{
    g_set_error(error, LP_ERROR, LP_ERROR_HYPERVISOR, "%s of the pool %s: %s", what, name,
                code == ECGOTHER ? g_strerror(cgroup_get_last_errno()) : cgroup_strerror(code));
    return false;
}

static bool
begin(GError **error)
{
    int code = cgroup_init();

    if (code == 0)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_UNSUPPORTED, "this host has no control groups: %s",
                cgroup_strerror(code));
    return false;
}

/* Where the processors' controller is; NULL: nowhere. */
static char *
mount_of(const char *controller)
{
    char *mount = NULL;

    return cgroup_get_subsys_mount_point(controller, &mount) == 0 ? mount : NULL;
}

static LpCgroup
kind(GError **error)
{
    char *mount = mount_of("cpu");
    g_autofree char *mark = mount ? g_build_filename(mount, "cgroup.controllers", NULL) : NULL;

    free(mount);
    /* Every group of version 2 has this file, and none of version 1. */
    if (mark)
        return g_file_test(mark, G_FILE_TEST_EXISTS) ? LP_CGROUP_V2 : LP_CGROUP_V1;
    g_set_error(error, LP_ERROR, LP_ERROR_UNSUPPORTED,
                "this host's control groups have no processors (the controller \"cpu\")");
    return LP_CGROUP_NONE;
}

LpCgroup
lp_pool_groups_kind(GError **error)
{
    LpCgroup found = LP_CGROUP_NONE;

    g_mutex_lock(&library);
    if (begin(error))
        found = kind(error);
    g_mutex_unlock(&library);
    return found;
}

/* The group with the controllers that libvirt looks for it in. */
static struct cgroup *
open_group(const char *path, LpCgroup version)
{
    struct cgroup *group = cgroup_new_cgroup(path);
    struct controller_data info;
    void *handle = NULL;
    int code;

    if (!group)
        return NULL;
    if (version == LP_CGROUP_V2) {
        if (!cgroup_add_controller(group, "cpu"))
            cgroup_free(&group);
        return group;
    }
    for (code = cgroup_get_all_controller_begin(&handle, &info); code == 0;
         code = cgroup_get_all_controller_next(&handle, &info)) {
        char *mount = mount_of(info.name);

        /* One that is compiled in need not be mounted. */
        if (mount && info.hierarchy != 0)
            cgroup_add_controller(group, info.name);
        free(mount);
    }
    cgroup_get_all_controller_end(&handle);
    return group;
}

static bool
set(const char *path, const char *controller, const char *key, const char *value)
{
    struct cgroup *group = cgroup_new_cgroup(path);
    struct cgroup_controller *part = group ? cgroup_add_controller(group, controller) : NULL;
    int code = part ? cgroup_set_value_string(part, key, value) : ECGOTHER;

    if (code == 0)
        code = cgroup_modify_cgroup(group);
    if (group)
        cgroup_free(&group);
    return code == 0;
}

/* A cpuset of version 1 begins empty, and nobody can run in an empty one. */
static void
inherit_cpuset(const char *path)
{
    static const char *const keys[] = {"cpuset.cpus", "cpuset.mems"};
    char *mount = mount_of("cpuset");
    g_autofree char *above = g_path_get_dirname(path);

    for (size_t i = 0; mount && i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *own = g_build_filename(mount, path, keys[i], NULL);
        g_autofree char *other = g_build_filename(mount, strcmp(above, ".") == 0 ? "" : above,
                                                  keys[i], NULL);
        g_autofree char *has = NULL, *value = NULL;

        if (g_file_get_contents(own, &has, NULL, NULL) && *g_strstrip(has) == '\0' &&
            g_file_get_contents(other, &value, NULL, NULL))
            set(path, "cpuset", keys[i], g_strstrip(value));
    }
    free(mount);
}

/* Beside controllers of version 1 the hierarchy of version 2 may be mounted with none, and libvirt
 * wants the group there too; libcgroup knows no group without a controller. */
static bool
make_bare(const char *path, const char *name, GError **error)
{
    g_autofree char *mount = lp_pool_unified_mount();
    g_autofree char *where = mount ? g_build_filename(mount, path, NULL) : NULL;

    if (!where || g_mkdir_with_parents(where, 0755) == 0)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_HYPERVISOR, "%s of the pool %s cannot be made: %s", where,
                name, g_strerror(errno));
    return false;
}

static void
remove_bare(const char *path)
{
    g_autofree char *mount = lp_pool_unified_mount();
    g_autofree char *where = mount ? g_build_filename(mount, path, NULL) : NULL;

    if (where)
        (void) g_rmdir(where);
}

static bool
make_group(const char *path, const char *name, LpCgroup version, GError **error)
{
    struct cgroup *group = open_group(path, version);
    int code = group ? cgroup_create_cgroup(group, 1) : ECGOTHER;

    if (group)
        cgroup_free(&group);
    if (code != 0)
        return fail(code, "the control group", name, error);
    if (version != LP_CGROUP_V1)
        return true;
    inherit_cpuset(path);
    return make_bare(path, name, error);
}

static bool
limit(const char *path, const char *name, LpCgroup version, uint32_t max_centi,
      uint32_t share_centi, GError **error)
{
    const LpCapacity share = {.entitled_centi = MAX(share_centi, LP_CENTI_PER_VCPU_MIN)};
    g_autofree char *period = g_strdup_printf("%d", PERIOD_USEC);
    g_autofree char *quota = g_strdup_printf("%" G_GUINT64_FORMAT,
                                             (uint64_t) max_centi * PERIOD_USEC / 100);
    g_autofree char *both = g_strdup_printf("%s %s", quota, period);
    g_autofree char *weight = g_strdup_printf("%u", version == LP_CGROUP_V2
                                                        ? lp_capacity_weight_v2(&share)
                                                        : lp_capacity_shares_v1(&share));
    bool done;

    if (version == LP_CGROUP_V2)
        done = set(path, "cpu", "cpu.max", both) && set(path, "cpu", "cpu.weight", weight);
    else
        done = set(path, "cpu", "cpu.cfs_period_us", period) &&
               set(path, "cpu", "cpu.cfs_quota_us", quota) &&
               set(path, "cpu", "cpu.shares", weight);
    return done || fail(ECGOTHER, "the limits", name, error);
}

bool
lp_pool_group_apply(const char *name, uint32_t max_centi, uint32_t share_centi, GError **error)
{
    g_autofree char *path = lp_pool_group(name);
    g_autofree char *above = g_path_get_dirname(path);
    LpCgroup version = LP_CGROUP_NONE;
    bool done;

    g_mutex_lock(&library);
    if (begin(error))
        version = kind(error);
    done = version != LP_CGROUP_NONE && make_group(above, name, version, error) &&
           make_group(path, name, version, error) &&
           limit(path, name, version, max_centi, share_centi, error);
    g_mutex_unlock(&library);
    return done;
}

bool
lp_pool_group_remove(const char *name, GError **error)
{
    g_autofree char *path = lp_pool_group(name);
    LpCgroup version = LP_CGROUP_NONE;
    struct cgroup *group = NULL;
    int code = 0;

    g_mutex_lock(&library);
    if (begin(error))
        version = kind(error);
    if (version != LP_CGROUP_NONE) {
        group = open_group(path, version);
        code = group ? cgroup_delete_cgroup_ext(group, CGFLAG_DELETE_EMPTY_ONLY |
                                                           CGFLAG_DELETE_IGNORE_MIGRATION)
                     : ECGOTHER;
        if (group)
            cgroup_free(&group);
        if (version == LP_CGROUP_V1)
            remove_bare(path);
    }
    g_mutex_unlock(&library);
    if (version == LP_CGROUP_NONE)
        return false;
    return code == 0 || code == ECGROUPNOTEXIST || fail(code, "the control group", name, error);
}
