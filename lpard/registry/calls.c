/* One call at a time on a domain: the rest wait their turn. */
#include "lpard/registry/registry-priv.h"

/* How often a partition that hangs is tried again. */
#define PROBE_SEC 5
/* A look at a healthy domain takes milliseconds; libvirt itself gives up a job after 30 s. */
#define LOOK_DEADLINE_MSEC 10000

struct LpLook {
    char *uuid;
    LpView *view;
};

typedef struct {
    LpJobFunc func;
    void *data;
    GDestroyNotify free_data;
    uint32_t deadline_msec;
    LpJobDone done;
    void *user;
} Call;

struct LpCalls {
    LpRegistry *registry;
    char *uuid;
    GQueue waiting;               /* of Call* */
    Call *running;
    bool look_waits;
    guint probe_source;
    int64_t last_usec;            /* when the last call came back */
    bool orphan;                  /* the partition is gone; the running call ends silently */
};

static void next_call(struct LpCalls *calls);

struct LpCalls *
lp_calls_new(LpRegistry *registry, const char *uuid)
{
    struct LpCalls *calls = g_new0(struct LpCalls, 1);

    calls->registry = registry;
    calls->uuid = g_strdup(uuid);
    g_queue_init(&calls->waiting);
    return calls;
}

static void
free_now(struct LpCalls *calls)
{
    if (calls->probe_source)
        g_source_remove(calls->probe_source);
    g_free(calls->uuid);
    g_free(calls);
}

static void
fail_waiting(struct LpCalls *calls, const char *why)
{
    Call *call;

    while ((call = g_queue_pop_head(&calls->waiting))) {
        g_autoptr(GError) error = g_error_new_literal(LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN,
                                                      why);

        call->done(false, false, call->data, error, call->user);
        if (call->free_data)
            call->free_data(call->data);
        g_free(call);
    }
}

static void
drop_waiting(struct LpCalls *calls)
{
    Call *call;

    while ((call = g_queue_pop_head(&calls->waiting))) {
        if (call->free_data)
            call->free_data(call->data);
        g_free(call);
    }
}

void
lp_calls_free(struct LpCalls *calls)
{
    if (!calls)
        return;
    calls->orphan = true;
    if (calls->registry->closing) {
        /* Those who would be answered are gone already, and the workers answer nobody. */
        drop_waiting(calls);
        g_clear_pointer(&calls->running, g_free);
    }
    fail_waiting(calls, "the domain is gone");
    if (!calls->running)
        free_now(calls);
    else
        g_ptr_array_add(calls->registry->orphans, calls);
}

void
lp_calls_free_orphans(LpRegistry *registry)
{
    for (guint i = 0; i < registry->orphans->len; i++) {
        struct LpCalls *calls = g_ptr_array_index(registry->orphans, i);

        g_free(calls->running);
        free_now(calls);
    }
    g_ptr_array_unref(registry->orphans);
}

static gboolean
probe(gpointer data)
{
    struct LpCalls *calls = data;

    /* Each try would leave a thread behind, and another one would follow it; the list of what is there
     * when the hypervisor is back tries those that hang. */
    if (!calls->registry->connected)
        return G_SOURCE_CONTINUE;
    calls->probe_source = 0;
    lp_registry_look(calls->registry, calls->uuid);
    return G_SOURCE_REMOVE;
}

static void
set_stuck(struct LpCalls *calls, bool stuck)
{
    LpPartition *partition = lp_registry_by_uuid(calls->registry, calls->uuid);

    if (partition && partition->stuck != stuck) {
        partition->stuck = stuck;
        calls->registry->n_stuck += stuck ? 1 : -1u;
        lp_registry_tell(calls->registry, LP_CHANGE_VIEW, partition, NULL);
    }
    if (stuck) {
        fail_waiting(calls, "an earlier call on this domain never came back");
        if (!calls->probe_source)
            calls->probe_source = g_timeout_add_seconds(PROBE_SEC, probe, calls);
    }
}

static bool
is_stuck(const struct LpCalls *calls)
{
    const LpPartition *partition = lp_registry_by_uuid(calls->registry, calls->uuid);

    return partition && partition->stuck;
}

static void
call_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    struct LpCalls *calls = user;
    Call *call = calls->running;

    /* Still marked as running, so that nothing the callback does starts the next or frees us. */
    call->done(ok, abandoned, data, error, call->user);
    calls->running = NULL;
    calls->last_usec = g_get_monotonic_time();
    g_free(call);
    if (calls->orphan) {
        g_ptr_array_remove_fast(calls->registry->orphans, calls);
        free_now(calls);
        return;
    }
    if (abandoned)
        set_stuck(calls, true);
    else if (!g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN))
        set_stuck(calls, false);
    else if (is_stuck(calls))
        set_stuck(calls, true);   /* not told apart from a hang: to be tried again */
    next_call(calls);
}

static LpLook *
look_new(const char *uuid)
{
    LpLook *look = g_new0(LpLook, 1);

    look->uuid = g_strdup(uuid);
    return look;
}

static void
look_free(void *data)
{
    LpLook *look = data;

    lp_view_free(look->view);
    g_free(look->uuid);
    g_free(look);
}

static bool
look_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    LpLook *look = data;

    look->view = driver->look(conn, look->uuid, error);
    return look->view != NULL;
}

static void
look_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    struct LpCalls *calls = user;

    if (abandoned || calls->orphan)
        return;
    if (ok)
        lp_registry_take_look(calls->registry, data);
    else if (g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NO_DOMAIN))
        lp_registry_update(calls->registry, calls->uuid, NULL);
}

static void
push_look(struct LpCalls *calls)
{
    Call *call = g_new0(Call, 1);

    *call = (Call){.func = look_job, .data = look_new(calls->uuid), .free_data = look_free,
                   .deadline_msec = LOOK_DEADLINE_MSEC, .done = look_done, .user = calls};
    calls->look_waits = false;
    g_queue_push_tail(&calls->waiting, call);
}

static void
next_call(struct LpCalls *calls)
{
    if (calls->running)
        return;
    if (g_queue_is_empty(&calls->waiting) && calls->look_waits)
        push_look(calls);
    calls->running = g_queue_pop_head(&calls->waiting);
    if (calls->running)
        lp_workers_run(calls->registry->workers, calls->running->func, calls->running->data,
                       calls->running->free_data, calls->running->deadline_msec, call_done,
                       calls);
}

bool
lp_calls_busy(const struct LpCalls *calls, int64_t since_usec)
{
    return calls->running || calls->last_usec >= since_usec;
}

void
lp_registry_look(LpRegistry *registry, const char *uuid)
{
    LpPartition *partition = lp_registry_by_uuid(registry, uuid);

    if (!partition)
        return;
    partition->calls->look_waits = true;
    next_call(partition->calls);
}

void
lp_registry_call(LpRegistry *registry, LpPartition *partition, LpJobFunc func, void *data,
                 GDestroyNotify free_data, uint32_t deadline_msec, LpJobDone done, void *user)
{
    struct LpCalls *calls = partition->calls;
    Call *call = g_new0(Call, 1);

    (void) registry;
    *call = (Call){.func = func, .data = data, .free_data = free_data,
                   .deadline_msec = deadline_msec, .done = done, .user = user};
    g_queue_push_tail(&calls->waiting, call);
    if (partition->stuck)
        fail_waiting(calls, "an earlier call on this domain never came back");
    next_call(calls);
}

void
lp_registry_look_for(LpRegistry *registry, LpPartition *partition, LpJobDone done, void *user)
{
    lp_registry_call(registry, partition, look_job, look_new(partition->uuid), look_free,
                     LOOK_DEADLINE_MSEC, done, user);
}

void
lp_registry_take_look(LpRegistry *registry, LpLook *look)
{
    lp_registry_update(registry, look->uuid, g_steal_pointer(&look->view));
}
