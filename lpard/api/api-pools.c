/* Shared processor pools: the list, definitions, and who is in which. */
#include <string.h>

#include "lpard/api/api-private.h"
#include "lpard/body.h"

/* NULL, and the call is answered. */
static LpPools *
pools_of(LpCall *call)
{
    if (!call->api->pools)
        lp_call_problem(call, lp_error_http_status(LP_ERROR_UNSUPPORTED),
                        lp_error_name(LP_ERROR_UNSUPPORTED), "this lpard runs without pools");
    return call->api->pools;
}

static json_t *
members_json(LpApi *api, const LpPool *pool)
{
    g_autoptr(GPtrArray) list = lp_registry_list(api->registry);
    json_t *members = json_array();

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);
        g_autofree char *name = g_utf8_make_valid(partition->view->name, -1);
        bool now = lp_pool_runs(pool, partition), next = lp_pool_has(pool, partition);

        if (now || next)
            json_array_append_new(
                members,
                json_pack("{s:s, s:s, s:b, s:b, s:i}", "name", name, "uuid", partition->uuid,
                          "now", now, "next_start", next, "entitled_centi",
                          lp_partition_has_profile(partition)
                              ? (int)partition->profile.capacity.entitled_centi : 0));
    }
    return members;
}

static json_t *
pool_json(LpApi *api, const LpPool *pool)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:s?, s:o}", "name", pool->name, "max_centi",
                     (int)pool->max_centi, "reserved_centi", (int)pool->reserved_centi,
                     "entitled_centi", (int)lp_pools_entitled(api->pools, pool), "problem",
                     lp_pools_problem(api->pools, pool), "members", members_json(api, pool));
}

void
lp_api_get_pools(LpCall *call)
{
    LpPools *pools = pools_of(call);
    g_autoptr(GError) why = NULL;
    json_t *list;
    bool usable;

    if (!pools)
        return;
    usable = lp_pools_usable(pools, &why);
    list = json_array();
    for (guint i = 0; i < lp_pools_count(pools); i++)
        json_array_append_new(list, pool_json(call->api, lp_pools_at(pools, i)));
    lp_call_answer(call, SOUP_STATUS_OK,
                   json_pack("{s:b, s:s?, s:o}", "usable", usable, "reason",
                             usable ? NULL : why->message, "pools", list));
}

void
lp_api_get_pool(LpCall *call)
{
    LpPools *pools = pools_of(call);
    g_autoptr(GError) error = NULL;
    const LpPool *pool = pools ? lp_pools_find(pools, call->argument, &error) : NULL;

    if (pool)
        lp_call_answer(call, SOUP_STATUS_OK, pool_json(call->api, pool));
    else if (pools)
        lp_call_fail(call, error);
}

/* --- definitions ---------------------------------------------------------------------------- */

typedef struct {
    LpCall *call;
    char *name;                   /* of the pool; NULL: none (leave) */
    char *uuid;                   /* of who joins; NULL: the pool itself is changed */
    bool removed;
} Asked;

static Asked *
asked_new(LpCall *call, const char *name, const char *uuid)
{
    Asked *asked = g_new0(Asked, 1);

    asked->call = lp_call_later(call);
    asked->name = g_strdup(name);
    asked->uuid = g_strdup(uuid);
    return asked;
}

static void
asked_free(Asked *asked)
{
    lp_call_unref(asked->call);
    g_free(asked->name);
    g_free(asked->uuid);
    g_free(asked);
}

/* What a partition's membership is, and from when on. */
static json_t *
membership_json(const LpPartition *partition)
{
    const LpView *view = partition->view;
    bool off = view->run == LP_RUN_OFF;
    const char *now = off ? NULL : lp_pool_of_resource(view->resource);
    const char *next = view->persistent ? lp_pool_of_resource(view->resource_config) : now;
    g_autofree char *name = g_utf8_make_valid(view->name, -1);

    return json_pack("{s:s, s:s?, s:s?, s:s}", "partition", name, "pool", next, "now", now,
                     "effective", off || g_strcmp0(now, next) == 0 ? "now" : "next-start");
}

static void
answered(const GError *error, void *data)
{
    Asked *asked = data;
    LpCall *call = asked->call;
    LpApi *api = call->api;
    const LpPool *pool = NULL;
    const LpPartition *partition = NULL;

    if (lp_call_wanted(call)) {
        if (!error && asked->uuid)
            partition = lp_registry_by_uuid(api->registry, asked->uuid);
        else if (!error && !asked->removed)
            pool = lp_pools_find(api->pools, asked->name, NULL);
        if (error)
            lp_call_fail(call, error);
        else if (partition)
            lp_call_answer(call, SOUP_STATUS_OK, membership_json(partition));
        else if (pool)
            lp_call_answer(call, SOUP_STATUS_OK, pool_json(api, pool));
        else
            lp_call_answer(call, SOUP_STATUS_OK, json_object());
    }
    asked_free(asked);
}

/* "new" keeps a slip of the pen from making a pool, or from changing one. */
static bool
may_be_new(LpCall *call, const LpPool *old, GError **error)
{
    bool has, is_new = false;

    if (!lp_body_bool(call->body, "", "new", &has, &is_new, error))
        return false;
    if (has && is_new && old) {
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                    "there is a pool %s already: `lparctl pool set` changes it", old->name);
        return false;
    }
    return !has || is_new || lp_pools_find(call->api->pools, call->argument, error);
}

/* A field that is not there stays as it is. */
static bool
read_pool(LpCall *call, LpPools *pools, LpPool *ret_pool, GError **error)
{
    static const char *const known[] = {"max_centi", "reserved_centi", "new", NULL};
    const LpPool *old = lp_pools_find(pools, call->argument, NULL);
    uint64_t max = old ? old->max_centi : 0, reserved = old ? old->reserved_centi : 0;
    bool has_max, has_reserved;

    if (!lp_body_known(call->body, "", known, error) || !may_be_new(call, old, error) ||
        !lp_body_integer(call->body, "", "max_centi", UINT32_MAX, &has_max, &max, error) ||
        !lp_body_integer(call->body, "", "reserved_centi", UINT32_MAX, &has_reserved, &reserved,
                         error))
        return false;
    if (!has_max && (!old || !has_reserved)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s",
                    old ? "the body must have \"max_centi\" or \"reserved_centi\""
                        : "a new pool needs \"max_centi\"");
        return false;
    }
    if (!lp_pool_name_is_good(call->argument)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "a pool's name is a letter, then letters, digits and underscores, at most %d "
                    "in all", LP_POOL_NAME_MAX);
        return false;
    }
    *ret_pool = (LpPool){.max_centi = (uint32_t)max, .reserved_centi = (uint32_t)reserved};
    g_strlcpy(ret_pool->name, call->argument, sizeof ret_pool->name);
    return true;
}

void
lp_api_put_pool(LpCall *call)
{
    LpPools *pools = pools_of(call);
    g_autoptr(GError) error = NULL;
    LpPool pool;
    Asked *asked;

    if (!pools)
        return;
    asked = asked_new(call, call->argument, NULL);
    if (read_pool(call, pools, &pool, &error) &&
        lp_pools_set(pools, &pool, answered, asked, &error))
        return;
    lp_call_fail(call, error);
    asked_free(asked);
}

void
lp_api_delete_pool(LpCall *call)
{
    LpPools *pools = pools_of(call);
    g_autoptr(GError) error = NULL;
    Asked *asked;

    if (!pools)
        return;
    asked = asked_new(call, call->argument, NULL);
    asked->removed = true;
    if (lp_pools_remove(pools, call->argument, answered, asked, &error))
        return;
    lp_call_fail(call, error);
    asked_free(asked);
}

/* --- members -------------------------------------------------------------------------------- */

static void
join(LpCall *call, LpPools *pools, const char *name)
{
    g_autoptr(GError) error = NULL;
    /* One that ceased to be a partition in a pool may leave it. */
    LpPartition *partition =
        name ? lp_registry_find_enabled(call->api->registry, call->argument, &error)
             : lp_registry_find(call->api->registry, call->argument, &error);
    Asked *asked = NULL;

    if (partition) {
        asked = asked_new(call, name, partition->uuid);
        if (lp_pools_join(pools, partition, name, answered, asked, &error))
            return;
    }
    lp_call_fail(call, error);
    if (asked)
        asked_free(asked);
}

void
lp_api_put_membership(LpCall *call)
{
    static const char *const known[] = {"pool", NULL};
    LpPools *pools = pools_of(call);
    g_autoptr(GError) error = NULL;
    const char *name;

    if (!pools)
        return;
    if (lp_body_known(call->body, "", known, &error) &&
        lp_body_text(call->body, "", "pool", NULL, &name, &error))
        join(call, pools, name);
    else
        lp_call_fail(call, error);
}

void
lp_api_delete_membership(LpCall *call)
{
    LpPools *pools = pools_of(call);

    if (pools)
        join(call, pools, NULL);
}
