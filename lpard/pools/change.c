/* A pool is defined, changed or removed in steps: on the disk; then members' quotas that would not
 * fit a smaller maximum; then the group; then the quotas that a larger one allows.  The kernel
 * takes no other order (control groups of version 1). */
#include <gio/gio.h>
#include <string.h>

#include "lpard/error.h"
#include "lpard/pools/group.h"
#include "lpard/pools/members.h"
#include "lpard/pools/pools-priv.h"
#include "policy/units.h"

typedef struct {
    LpPools *pools;
    LpPool pool;
    bool remove, shrinks;
    GArray *list;                 /* the definitions afterwards */
    char *text;
    GPtrArray *uuids;             /* of members, those not yet done */
    bool group_done;
    GError *problem;              /* the first */
    LpPoolsDone done;
    void *data;
} Change;

static void next(Change *change);

static void
finish(Change *change)
{
    LpPools *pools = change->pools;

    pools->changing = false;
    change->done(change->problem, change->data);
    g_clear_error(&change->problem);
    g_clear_pointer(&change->list, g_array_unref);
    g_clear_pointer(&change->uuids, g_ptr_array_unref);
    g_free(change->text);
    g_free(change);
    lp_pools_unref(pools);
}

static void
keep(Change *change, const GError *error)
{
    if (error && !change->problem)
        change->problem = g_error_copy(error);
}

/* --- members -------------------------------------------------------------------------------- */

static void
list_members(Change *change)
{
    g_autoptr(GPtrArray) list = lp_registry_list(change->pools->registry);

    change->uuids = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (lp_pool_runs(&change->pool, partition) || lp_pool_has(&change->pool, partition))
            g_ptr_array_add(change->uuids, g_strdup(partition->uuid));
    }
}

static void
take_view(LpPools *pools, LpPoolMember *member, const GError *error)
{
    if (pools->closed)
        return;
    if (!error && member->view)
        lp_registry_update(pools->registry, member->uuid, g_steal_pointer(&member->view));
    else if (lp_registry_by_uuid(pools->registry, member->uuid))
        lp_registry_look(pools->registry, member->uuid);
}

static void
member_done(bool ok, const GError *error, void *data)
{
    LpPoolMember *member = data;
    Change *change = member->user;

    (void) ok;
    keep(change, error);
    lp_pool_member_end(member);
    take_view(change->pools, member, error);
    next(change);
}

static bool
next_member(Change *change)
{
    LpPools *pools = change->pools;

    while (change->uuids->len > 0) {
        g_autofree char *uuid = g_ptr_array_steal_index_fast(change->uuids,
                                                             change->uuids->len - 1);
        LpPoolMember *member = lp_pool_member_new(uuid, change->pool.name,
                                                  change->pool.max_centi, false);
        g_autoptr(GError) error = NULL;

        member->user = change;
        if (lp_engine_definition(pools->engine, uuid, "its pool's maximum", lp_pool_member_follow,
                                 member_done, member, lp_pool_member_free, &error))
            return true;
        keep(change, error);
        lp_pool_member_free(member);
    }
    return false;
}

/* --- the steps ------------------------------------------------------------------------------ */

static void
group_done(const GError *error, void *data)
{
    Change *change = data;

    keep(change, error);
    change->group_done = true;
    if (!change->shrinks)
        list_members(change);
    next(change);
}

/* A tick that began before must not write its older figures last. */
static gboolean
begin_group(void *data)
{
    Change *change = data;

    if (change->pools->ticking && !change->pools->closed)
        return G_SOURCE_CONTINUE;
    if (change->remove)
        lp_pools_dissolve(change->pools, change->pool.name, group_done, change);
    else
        lp_pools_apply(change->pools, &change->pool, group_done, change);
    return G_SOURCE_REMOVE;
}

static void
next(Change *change)
{
    if (change->pools->closed)
        finish(change);
    else if (change->uuids && next_member(change))
        return;
    else if (change->group_done)
        finish(change);
    else
        g_timeout_add(1, begin_group, change);
}

static void
write_in_thread(GTask *task, void *source, void *data, GCancellable *cancellable)
{
    const Change *change = data;
    GError *error = NULL;

    (void) source;
    (void) cancellable;
    if (lp_pool_file_write(change->pools->path, change->text, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
written(GObject *source, GAsyncResult *result, void *data)
{
    Change *change = data;
    g_autoptr(GError) error = NULL;

    (void) source;
    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        g_set_error(&change->problem, LP_ERROR, LP_ERROR_JOURNAL,
                    "the pools cannot be written down, so nothing is changed: %s", error->message);
        finish(change);
        return;
    }
    lp_pools_take(change->pools, g_steal_pointer(&change->list));
    lp_events_emit(change->pools->events, "pool",
                   json_pack("{s:s, s:s, s:i, s:i}", "pool", change->pool.name, "what",
                             change->remove ? "removed" : "set", "max_centi",
                             (int) change->pool.max_centi, "reserved_centi",
                             (int) change->pool.reserved_centi));
    if (change->shrinks)
        list_members(change);
    next(change);
}

static bool
may_change(const LpPools *pools, GError **error)
{
    if (!lp_pools_usable(pools, error))
        return false;
    if (!pools->changing && pools->joining == 0)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_BUSY, "a pool or its members are being changed: try "
                "again");
    return false;
}

static void
begin(LpPools *pools, const LpPool *pool, bool remove, LpPoolsDone done, void *data)
{
    Change *change = g_new0(Change, 1);
    GTask *task = g_task_new(NULL, NULL, written, change);
    guint at = 0;

    *change = (Change){.pools = lp_pools_ref(pools), .pool = *pool, .remove = remove,
                       .list = g_array_copy(pools->list), .done = done, .data = data};
    while (at < change->list->len &&
           strcmp(g_array_index(change->list, LpPool, at).name, pool->name) < 0)
        at++;
    if (at < change->list->len &&
        strcmp(g_array_index(change->list, LpPool, at).name, pool->name) == 0) {
        change->shrinks = !remove &&
                          pool->max_centi < g_array_index(change->list, LpPool, at).max_centi;
        g_array_remove_index(change->list, at);
    }
    if (!remove)
        g_array_insert_val(change->list, at, *pool);
    change->text = lp_pool_file_text(change->list);
    pools->changing = true;
    g_task_set_task_data(task, change, NULL);
    g_task_run_in_thread(task, write_in_thread);
    g_object_unref(task);
}

/* S8: entitlements, what pools have reserved and the host's reserve fit the processors; and a pool
 * holds what its own members are entitled to. */
static bool
fits(const LpPools *pools, const LpPool *pool, const LpPartition *joins, GError **error)
{
    const LpPool *old = lp_pools_find(pools, pool->name, NULL);
    uint32_t promised = lp_pools_promised(pools, pool, joins) + pool->reserved_centi;
    uint32_t more = pool->reserved_centi - MIN(pool->reserved_centi,
                                               old ? old->reserved_centi : 0);
    char asked[LP_UNITS_TEXT], bound[LP_UNITS_TEXT];
    LpRoom room;

    lp_registry_room(pools->registry, NULL, &room);
    if (more > room.room_centi) {
        g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                    "%s units more cannot be reserved: %s are left beside the partitions' "
                    "entitlements, other pools' reserves and the host's",
                    lp_units_format_centi(more, asked, sizeof asked),
                    lp_units_format_centi(room.room_centi, bound, sizeof bound));
        return false;
    }
    if (promised > pool->max_centi) {
        g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                    "the pool %s would have %s units at most, but %s are reserved for it and its "
                    "members entitled to", pool->name,
                    lp_units_format_centi(pool->max_centi, bound, sizeof bound),
                    lp_units_format_centi(promised, asked, sizeof asked));
        return false;
    }
    return true;
}

bool
lp_pools_set(LpPools *pools, const LpPool *pool, LpPoolsDone done, void *data, GError **error)
{
    uint32_t host_centi = lp_registry_host(pools->registry)->topology.n_cpus * 100;

    if (!may_change(pools, error) || !lp_pool_check(pool, host_centi, error) ||
        !fits(pools, pool, NULL, error))
        return false;
    if (!lp_pools_find(pools, pool->name, NULL) && pools->list->len == LP_POOLS_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_REFUSED, "there are %d pools already, and no more "
                    "are possible", LP_POOLS_MAX);
        return false;
    }
    begin(pools, pool, false, done, data);
    return true;
}

bool
lp_pools_remove(LpPools *pools, const char *name, LpPoolsDone done, void *data, GError **error)
{
    const LpPool *pool = lp_pools_find(pools, name, error);
    g_autoptr(GPtrArray) list = lp_registry_list(pools->registry);

    if (!pool || !may_change(pools, error))
        return false;
    /* Of domains that nobody has read yet it is not known whose pool they are in. */
    if (!lp_registry_synced(pools->registry)) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNREACHABLE,
                    "who is in the pool %s is not known while the hypervisor is away", name);
        return false;
    }
    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (!lp_pool_runs(pool, partition) && !lp_pool_has(pool, partition))
            continue;
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT, "%s is %s the pool %s: `lparctl pool leave "
                    "%s` first%s", partition->view->name,
                    lp_pool_has(pool, partition) ? "in" : "still running in", name,
                    partition->view->name,
                    lp_pool_runs(pool, partition) ? ", then shut it down" : "");
        return false;
    }
    begin(pools, pool, true, done, data);
    return true;
}

/* --- joining -------------------------------------------------------------------------------- */

typedef struct {
    LpPools *pools;
    LpPoolsDone done;
    void *data;
} Joining;

static void
joined(bool ok, const GError *error, void *data)
{
    LpPoolMember *member = data;
    Joining *joining = member->user;

    (void) ok;
    joining->pools->joining--;
    lp_pool_member_end(member);
    take_view(joining->pools, member, error);
    joining->done(error, joining->data);
    lp_pools_unref(joining->pools);
    g_free(joining);
}

/* One after the other, and not while a pool changes: what fits alone need not fit together. */
static bool
may_join(const LpPools *pools, const LpPool *pool, GError **error)
{
    if (!pools->changing && (!pool || pools->joining == 0))
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_BUSY, "a pool or its members are being changed: try "
                "again");
    return false;
}

bool
lp_pools_join(LpPools *pools, LpPartition *partition, const char *name, LpPoolsDone done,
              void *data, GError **error)
{
    const LpPool *pool = name ? lp_pools_find(pools, name, error) : NULL;
    LpPoolMember *member;
    Joining *joining;

    if ((name && !pool) || !lp_pools_usable(pools, error) || !may_join(pools, pool, error) ||
        (pool && !fits(pools, pool, partition, error)))
        return false;
    joining = g_new0(Joining, 1);
    *joining = (Joining){lp_pools_ref(pools), done, data};
    pools->joining++;
    member = lp_pool_member_new(partition->uuid, name, pool ? pool->max_centi : 0, true);
    member->user = joining;
    if (lp_engine_definition(pools->engine, partition->uuid, name ? "joining a pool"
                                                                  : "leaving its pool",
                             lp_pool_member_follow, joined, member, lp_pool_member_free, error))
        return true;
    pools->joining--;
    lp_pool_member_free(member);
    lp_pools_unref(pools);
    g_free(joining);
    return false;
}
