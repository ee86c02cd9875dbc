#include "lpard/pools/pools.h"

#include <gio/gio.h>
#include <string.h>

#include "hotplug/resource.h"
#include "lpard/error.h"
#include "lpard/pools/group.h"
#include "lpard/pools/pools-priv.h"

/* Members start and stop, and with them the weight of a pool beside others changes. */
#define TICK_SEC 2
/* As lp_capacity_shares() makes them of an entitlement. */
#define SHARES_V1_PER_CPU 1024
#define WEIGHT_V2_PER_CPU 100
/* Others may have undone it: systemd does, when it starts a slice. */
#define AGAIN_USEC (30 * G_USEC_PER_SEC)

/* --- the list ------------------------------------------------------------------------------- */

guint
lp_pools_count(const LpPools *pools)
{
    return pools->list->len;
}

const LpPool *
lp_pools_at(const LpPools *pools, guint index)
{
    return &g_array_index(pools->list, LpPool, index);
}

const LpPool *
lp_pools_find(const LpPools *pools, const char *name, GError **error)
{
    for (guint i = 0; i < pools->list->len; i++)
        if (strcmp(lp_pools_at(pools, i)->name, name) == 0)
            return lp_pools_at(pools, i);
    g_set_error(error, LP_ERROR, LP_ERROR_NO_PARTITION,
                "there is no pool %s: `lparctl pool list` shows those that are", name);
    return NULL;
}

bool
lp_pool_runs(const LpPool *pool, const LpPartition *partition)
{
    const LpView *view = partition->view;

    return view->run != LP_RUN_OFF &&
           g_strcmp0(lp_pool_of_resource(view->resource), pool->name) == 0;
}

bool
lp_pool_has(const LpPool *pool, const LpPartition *partition)
{
    return partition->view->persistent &&
           g_strcmp0(lp_pool_of_resource(partition->view->resource_config), pool->name) == 0;
}

uint32_t
lp_pools_entitled(const LpPools *pools, const LpPool *pool)
{
    g_autoptr(GPtrArray) list = lp_registry_list(pools->registry);
    uint32_t sum = 0;

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (lp_partition_has_profile(partition) && lp_pool_runs(pool, partition))
            sum += partition->profile.capacity.entitled_centi;
    }
    return sum;
}

/* What its weight beside others is to be in proportion to: its members' entitlements and what is
 * reserved, or what the policy has given the members if that is more. */
static uint32_t
share_of(const LpPools *pools, const LpPool *pool)
{
    g_autoptr(GPtrArray) list = lp_registry_list(pools->registry);
    uint64_t given = 0;

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (!lp_partition_has_profile(partition) || !lp_pool_runs(pool, partition))
            continue;
        if (partition->policy_shares == 0)
            given += partition->profile.capacity.entitled_centi;
        else if (partition->view->cgroup == LP_CGROUP_V1)
            given += partition->policy_shares * 100 / SHARES_V1_PER_CPU;
        else
            given += partition->policy_shares * 100 / WEIGHT_V2_PER_CPU;
    }
    given = MAX(given, lp_pools_entitled(pools, pool) + (uint64_t) pool->reserved_centi);
    return (uint32_t) MIN(given, G_MAXUINT32);
}

/* Also by an operation under way. */
static uint32_t
promised_to(const LpPartition *partition)
{
    return MAX(partition->profile.capacity.entitled_centi, partition->promised_centi);
}

uint32_t
lp_pools_promised(const LpPools *pools, const LpPool *pool, const LpPartition *and_this)
{
    g_autoptr(GPtrArray) list = lp_registry_list(pools->registry);
    uint32_t sum = 0;

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (lp_partition_has_profile(partition) &&
            (partition == and_this || lp_pool_runs(pool, partition) ||
             lp_pool_has(pool, partition)))
            sum += promised_to(partition);
    }
    return sum;
}

uint32_t
lp_pools_policy(const LpPools *pools, LpPolicyPool ret[LP_POLICY_POOLS])
{
    G_STATIC_ASSERT(LP_POOLS_MAX <= LP_POLICY_POOLS);

    for (guint i = 0; i < pools->list->len; i++)
        ret[i] = (LpPolicyPool){
            .max_centi = lp_pools_at(pools, i)->max_centi,
            .reserved_centi = lp_pools_at(pools, i)->reserved_centi,
        };
    return pools->list->len;
}

uint32_t
lp_pools_index(const LpPools *pools, const LpPartition *partition)
{
    /* Asked for every partition each second, of which most are in none. */
    if (!lp_pool_of_resource(partition->view->resource))
        return LP_NO_POOL;
    for (guint i = 0; i < pools->list->len; i++)
        if (lp_pool_runs(lp_pools_at(pools, i), partition))
            return i;
    return LP_NO_POOL;
}

void
lp_pools_take(LpPools *pools, GArray *list)
{
    uint32_t reserved = 0;

    g_array_unref(pools->list);
    pools->list = list;
    for (guint i = 0; i < list->len; i++)
        reserved += lp_pools_at(pools, i)->reserved_centi;
    lp_registry_reserve_for_pools(pools->registry, reserved);
}

/* An LpPoolRoomFunc: both the pool that it runs in and that of its next start have to hold it. */
static uint32_t
room_of(const LpPartition *partition, void *data)
{
    const LpPools *pools = data;
    uint32_t room = UINT32_MAX;

    for (guint i = 0; i < pools->list->len; i++) {
        const LpPool *pool = lp_pools_at(pools, i);
        uint32_t taken = pool->reserved_centi;

        if (!lp_pool_runs(pool, partition) && !lp_pool_has(pool, partition))
            continue;
        taken += lp_pools_promised(pools, pool, NULL);
        if (lp_partition_has_profile(partition))
            taken -= promised_to(partition);
        room = MIN(room, pool->max_centi - MIN(pool->max_centi, taken));
    }
    return room;
}

bool
lp_pools_usable(const LpPools *pools, GError **error)
{
    if (!pools->unusable)
        return true;
    g_propagate_error(error, g_error_copy(pools->unusable));
    return false;
}

/* --- the groups ----------------------------------------------------------------------------- */

typedef struct {
    LpPools *pools;
    LpPool pool;
    uint32_t share_centi;
    bool remove;
    LpPoolApplied done;
    void *data;
} Work;

static void
group_free(void *data)
{
    LpPoolGroup *group = data;

    g_free(group->problem);
    g_free(group);
}

static LpPoolGroup *
group_of(LpPools *pools, const char *name)
{
    LpPoolGroup *group = g_hash_table_lookup(pools->groups, name);

    if (!group) {
        group = g_new0(LpPoolGroup, 1);
        g_hash_table_insert(pools->groups, g_strdup(name), group);
    }
    return group;
}

const char *
lp_pools_problem(const LpPools *pools, const LpPool *pool)
{
    const LpPoolGroup *group = g_hash_table_lookup(pools->groups, pool->name);

    return group ? group->problem : NULL;
}

static void
work_in_thread(GTask *task, void *source, void *data, GCancellable *cancellable)
{
    const Work *work = data;
    GError *error = NULL;

    (void) source;
    (void) cancellable;
    if (work->remove ? lp_pool_group_remove(work->pool.name, &error)
                     : lp_pool_group_apply(work->pool.name, work->pool.max_centi,
                                           work->share_centi, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* The same trouble is told once. */
static void
note(LpPools *pools, const Work *work, const GError *error)
{
    LpPoolGroup *group = group_of(pools, work->pool.name);

    if (error && g_strcmp0(group->problem, error->message) != 0)
        g_warning("%s", error->message);
    g_free(group->problem);
    group->problem = error ? g_strdup(error->message) : NULL;
    group->max_centi = error ? 0 : work->pool.max_centi;
    group->share_centi = work->share_centi;
    group->applied_usec = g_get_monotonic_time();
    if (work->remove && !error)
        g_hash_table_remove(pools->groups, work->pool.name);
}

static void
work_done(GObject *source, GAsyncResult *result, void *data)
{
    Work *work = data;
    g_autoptr(GError) error = NULL;

    (void) source;
    (void) g_task_propagate_boolean(G_TASK(result), &error);
    note(work->pools, work, error);
    work->done(error, work->data);
    lp_pools_unref(work->pools);
    g_free(work);
}

static void
begin_work(LpPools *pools, const LpPool *pool, bool remove, LpPoolApplied done, void *data)
{
    Work *work;
    GTask *task;

    if (!pools->enforced) {
        done(NULL, data);
        return;
    }
    work = g_new0(Work, 1);
    *work = (Work){
        .pools = lp_pools_ref(pools), .pool = *pool, .remove = remove, .done = done, .data = data,
        .share_centi = share_of(pools, pool),
    };
    task = g_task_new(NULL, NULL, work_done, work);
    g_task_set_task_data(task, work, NULL);
    g_task_run_in_thread(task, work_in_thread);
    g_object_unref(task);
}

void
lp_pools_apply(LpPools *pools, const LpPool *pool, LpPoolApplied done, void *data)
{
    begin_work(pools, pool, false, done, data);
}

void
lp_pools_dissolve(LpPools *pools, const char *name, LpPoolApplied done, void *data)
{
    LpPool pool = {0};

    g_strlcpy(pool.name, name, sizeof pool.name);
    begin_work(pools, &pool, true, done, data);
}

static void
ticked(const GError *error, void *data)
{
    LpPools *pools = data;

    (void) error;                     /* noted */
    pools->ticking = false;
    lp_pools_unref(pools);
}

static gboolean
on_tick(void *data)
{
    LpPools *pools = data;
    int64_t now = g_get_monotonic_time();

    for (guint i = 0; i < pools->list->len && !pools->changing && !pools->ticking; i++) {
        const LpPool *pool = lp_pools_at(pools, i);
        const LpPoolGroup *group = group_of(pools, pool->name);

        if (group->applied_usec && now - group->applied_usec < AGAIN_USEC &&
            group->share_centi == share_of(pools, pool))
            continue;
        /* One after the other: the next at the next tick. */
        pools->ticking = true;
        lp_pools_apply(pools, pool, ticked, lp_pools_ref(pools));
    }
    return G_SOURCE_CONTINUE;
}

/* --- life ----------------------------------------------------------------------------------- */

LpPools *
lp_pools_ref(LpPools *pools)
{
    pools->refs++;
    return pools;
}

void
lp_pools_unref(LpPools *pools)
{
    if (--pools->refs > 0)
        return;
    g_array_unref(pools->list);
    g_hash_table_unref(pools->groups);
    g_clear_error(&pools->unusable);
    g_free(pools->path);
    g_free(pools);
}

/* Whether this hypervisor's host is this host, and has groups. */
static bool
can_enforce(const char *uri, GError **error)
{
    if (!g_str_has_prefix(uri, "qemu:///")) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNSUPPORTED,
                    "pools are control groups of this host, which %s does not run its domains in",
                    uri);
        return false;
    }
    if (g_str_has_prefix(uri, "qemu:///session")) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNSUPPORTED,
                    "a plain user's session has no control groups, and so no pools: they need "
                    "lpard on qemu:///system");
        return false;
    }
    return lp_pool_groups_kind(error) != LP_CGROUP_NONE;
}

LpPools *
lp_pools_new(const char *state_dir, LpRegistry *registry, LpEngine *engine, LpEvents *events)
{
    LpPools *pools = g_new0(LpPools, 1);
    const char *uri = lp_registry_uri(registry);
    GArray *list;

    *pools = (LpPools){
        .refs = 1, .registry = registry, .engine = engine, .events = events,
        .path = g_build_filename(state_dir, "pools.conf", NULL),
        .list = g_array_new(FALSE, TRUE, sizeof(LpPool)),
        .groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, group_free),
        .enforced = !g_str_has_prefix(uri, "sim:"),
    };
    lp_registry_ask_pools(registry, room_of, pools);
    list = lp_pool_file_read(pools->path, &pools->unusable);
    if (list)
        lp_pools_take(pools, list);
    else
        pools->unusable->code = LP_ERROR_JOURNAL;
    if (pools->unusable)
        g_warning("the pools cannot be read: %s", pools->unusable->message);
    if (pools->enforced && !pools->unusable && !can_enforce(uri, &pools->unusable))
        pools->enforced = false;
    if (!pools->unusable) {
        pools->timer = g_timeout_add_seconds(TICK_SEC, on_tick, pools);
        on_tick(pools);
    }
    return pools;
}

void
lp_pools_free(LpPools *pools)
{
    if (!pools)
        return;
    pools->closed = true;
    lp_registry_ask_pools(pools->registry, NULL, NULL);
    if (pools->timer)
        g_source_remove(pools->timer);
    pools->timer = 0;
    lp_pools_unref(pools);
}
