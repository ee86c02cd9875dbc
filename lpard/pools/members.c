#include "lpard/pools/members.h"

#include <string.h>

#include "hotplug/plan.h"
#include "hotplug/resource.h"
#include "lpard/error.h"
#include "lpard/profile-xml.h"

/* The kernel's own default, and libvirt's. */
#define PERIOD_USEC 100000

enum { WAITING, BEGUN, NEVER };

LpPoolMember *
lp_pool_member_new(const char *uuid, const char *name, uint32_t max_centi, bool join)
{
    LpPoolMember *member = g_new0(LpPoolMember, 1);

    member->uuid = g_strdup(uuid);
    member->name = g_strdup(name);
    member->max_centi = max_centi;
    member->join = join;
    return member;
}

void
lp_pool_member_free(void *data)
{
    LpPoolMember *member = data;

    g_free(member->uuid);
    g_free(member->name);
    lp_view_free(member->view);
    g_free(member);
}

static bool
is_in(const char *resource, const char *name)
{
    const char *pool = lp_pool_of_resource(resource);

    return pool && g_strcmp0(pool, name) == 0;
}

static uint64_t
period_of(const LpView *view)
{
    return view->global_period_usec ? view->global_period_usec : PERIOD_USEC;
}

/* The running domain's quota as its profile has it, within the pool. */
static bool
follow_live(const LpDriver *driver, LpConn *conn, const LpPoolMember *member, const LpView *view,
            const LpProfile *profile, GError **error)
{
    LpCapacityLimits limits = {.shares = view->cpu_shares, .global_period_usec = period_of(view)};
    int64_t quota = lp_plan_quota(lp_plan_granted_vcpus(view, &profile->folded),
                                  lp_cpumask_count(&profile->folded) > 0,
                                  profile->capacity.entitled_centi, profile->capacity.capped,
                                  limits.global_period_usec);

    limits.global_quota_usec = lp_plan_quota_in_pool(quota, member->max_centi,
                                                     limits.global_period_usec);
    return limits.global_quota_usec == MAX(view->global_quota_usec, -1) ||
           driver->set_capacity(conn, member->uuid, &limits, error);
}

/* The same of the definition, which may begin or cease to name the pool here. */
static bool
follow_config(const LpDriver *driver, LpConn *conn, const LpPoolMember *member,
              const LpView *view, const LpProfile *profile, GError **error)
{
    g_autofree char *resource = member->name ? lp_pool_resource(member->name) : g_strdup("");
    LpCapacityLimits limits = {.global_period_usec = PERIOD_USEC};
    LpConfigChange change = {.resource = member->join ? resource : NULL};
    int64_t stated = view->run == LP_RUN_OFF ? view->global_quota_usec
                                             : view->global_quota_config_usec;
    int64_t quota = lp_plan_quota(profile->cpu.desired, false, profile->capacity.entitled_centi,
                                  profile->capacity.capped, PERIOD_USEC);

    limits.global_quota_usec = lp_plan_quota_in_pool(quota, member->max_centi, PERIOD_USEC);
    if (view->cgroup != LP_CGROUP_NONE && limits.global_quota_usec != MAX(stated, -1))
        change.limits = &limits;
    return (!change.limits && !change.resource) ||
           driver->set_config(conn, member->uuid, &change, error);
}

/* A pool of lpard's or libvirt's default may be changed for another; what somebody else chose has a
 * reason that lpard does not know. */
static bool
may_join(const LpView *view, GError **error)
{
    if (!view->persistent) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNSUPPORTED,
                    "%s is transient: it has no next start at which a pool could take it",
                    view->name);
        return false;
    }
    if (!*view->resource_config || strcmp(view->resource_config, "/machine") == 0 ||
        lp_pool_of_resource(view->resource_config))
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                "%s is in the resource partition %s by its own definition, which is no pool of "
                "lpard's: take that out first", view->name, view->resource_config);
    return false;
}

static bool
follow(const LpDriver *driver, LpConn *conn, LpPoolMember *member, GError **error)
{
    g_autoptr(LpView) view = driver->look(conn, member->uuid, error);
    LpProfile profile;

    if (!view || (member->join && !may_join(view, error)))
        return false;
    /* Without a profile nothing says what its quota should be, and none was set by lpard. */
    if (!view->metadata || !lp_profile_from_xml(view->metadata, &profile, NULL)) {
        LpConfigChange out = {.resource = ""};

        if (member->join && !member->name)
            return driver->set_config(conn, member->uuid, &out, error);
        if (member->join)
            g_set_error(error, LP_ERROR, LP_ERROR_NOT_ENABLED, "%s has no profile", view->name);
        return !member->join;
    }
    /* Only a domain that runs in this pool has to do with its maximum now. */
    if (view->run != LP_RUN_OFF && view->cgroup != LP_CGROUP_NONE && member->name &&
        is_in(view->resource, member->name) &&
        !follow_live(driver, conn, member, view, &profile, error))
        return false;
    return !(member->join || is_in(view->resource_config, member->name)) || !view->persistent ||
           follow_config(driver, conn, member, view, &profile, error);
}

bool
lp_pool_member_follow(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    LpPoolMember *member = data;

    if (!g_atomic_int_compare_and_exchange(&member->stage, WAITING, BEGUN)) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL, "the work was given up already");
        return false;
    }
    return follow(driver, conn, member, error) &&
           (member->view = driver->look(conn, member->uuid, error));
}

void
lp_pool_member_end(LpPoolMember *member)
{
    g_atomic_int_compare_and_exchange(&member->stage, WAITING, NEVER);
}
