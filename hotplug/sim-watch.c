/* Events of the simulated host, and the clock that makes them fall due on the main loop. */
#include <string.h>

#include <gio/gio.h>

#include "hotplug/sim-host.h"

struct LpWatch {
    gint refs;                    /* the owner's, and the pending source's */
    LpSimHost *host;
    LpEventFunc func;             /* NULL: unwatched */
    void *data;
    GMainContext *context;
    GQueue pending;               /* of LpEvent*, by the host's lock */
    bool scheduled;
};

static void
event_free(void *data)
{
    LpEvent *event = data;

    g_free((char *) (uintptr_t) event->uuid);
    g_free((char *) (uintptr_t) event->alias);
    g_free(event);
}

static void
watch_unref(void *data)
{
    LpWatch *watch = data;

    if (!g_atomic_int_dec_and_test(&watch->refs))
        return;
    g_queue_clear_full(&watch->pending, event_free);
    g_main_context_unref(watch->context);
    lp_sim_host_unref(watch->host);
    g_free(watch);
}

/* The callback may call anything here, unwatch included. */
static gboolean
deliver(void *data)
{
    LpWatch *watch = data;
    GQueue events;

    g_mutex_lock(&watch->host->lock);
    events = watch->pending;
    g_queue_init(&watch->pending);
    watch->scheduled = false;
    g_mutex_unlock(&watch->host->lock);
    while (!g_queue_is_empty(&events)) {
        LpEvent *event = g_queue_pop_head(&events);

        if (watch->func)
            watch->func(event, watch->data);
        event_free(event);
    }
    return G_SOURCE_REMOVE;
}

static void
post_to(LpWatch *watch, LpEventKind kind, const char *uuid, const char *alias, uint64_t bytes)
{
    LpEvent *event = g_new0(LpEvent, 1);
    GSource *source;

    *event = (LpEvent) { kind, g_strdup(uuid), g_strdup(alias), bytes };
    g_queue_push_tail(&watch->pending, event);
    if (watch->scheduled)
        return;
    watch->scheduled = true;
    g_atomic_int_inc(&watch->refs);
    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, deliver, watch, watch_unref);
    g_source_attach(source, watch->context);
    g_source_unref(source);
}

void
lp_sim_post(LpSimHost *host, LpEventKind kind, const char *uuid, const char *alias,
            uint64_t bytes)
{
    for (guint i = 0; i < host->watches->len; i++)
        post_to(g_ptr_array_index(host->watches, i), kind, uuid, alias, bytes);
}

/* Brings all that moves up to date, and sleeps until the next thing falls due. */
static gboolean
tick(GSource *source, G_GNUC_UNUSED GSourceFunc func, void *data)
{
    LpSimHost *host = lp_sim_host_ref(data);
    int64_t next_usec = -1, now_usec = g_get_monotonic_time();
    GHashTableIter iter;
    void *value;

    g_mutex_lock(&host->lock);
    g_source_set_ready_time(source, -1);
    g_hash_table_iter_init(&iter, host->moving);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        LpSimDomain *domain = value;
        int64_t at_usec;

        lp_sim_guest_advance(domain, now_usec);
        lp_sim_agent_update(domain, now_usec);
        at_usec = lp_sim_guest_next(domain, now_usec);
        if (at_usec < 0)
            g_hash_table_iter_remove(&iter);
        else if (next_usec < 0 || at_usec < next_usec)
            next_usec = at_usec;
    }
    /* Never at once again: what is due now was just done. */
    if (next_usec >= 0)
        g_source_set_ready_time(source, MAX(next_usec, now_usec + 1));
    g_mutex_unlock(&host->lock);
    lp_sim_host_unref(host);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs tick_funcs = { .dispatch = tick };

static void
mail_came(G_GNUC_UNUSED GFileMonitor *monitor, GFile *file, GFile *other,
          GFileMonitorEvent kind, void *data)
{
    LpSimHost *host = lp_sim_host_ref(data);
    g_autofree char *base = NULL, *name = NULL;

    if (kind != G_FILE_MONITOR_EVENT_DELETED && kind != G_FILE_MONITOR_EVENT_MOVED_OUT) {
        base = g_file_get_basename(kind == G_FILE_MONITOR_EVENT_RENAMED ? other : file);
        if (g_str_has_suffix(base, ".json")) {
            LpSimDomain *domain;

            name = g_strndup(base, strlen(base) - strlen(".json"));
            g_mutex_lock(&host->lock);
            domain = g_hash_table_lookup(host->by_name, name);
            /* A file that makes no sense stays, and fails the next call, which can say so. */
            if (domain || g_str_equal(name, ".host"))
                lp_sim_mailbox_take(host, domain, NULL);
            g_mutex_unlock(&host->lock);
        }
    }
    lp_sim_host_unref(host);
}

void
lp_sim_listen(LpSimHost *host)
{
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();
    g_autoptr(GFile) dir = NULL;

    if (host->listeners++ > 0)
        return;
    host->timer = g_source_new(&tick_funcs, sizeof(GSource));
    g_source_set_callback(host->timer, NULL, host, NULL);
    g_source_set_ready_time(host->timer, 0);
    g_source_attach(host->timer, context);
    dir = g_file_new_for_path(host->faults_dir);
    host->monitor = g_file_monitor_directory(dir, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
    if (host->monitor)
        g_signal_connect(host->monitor, "changed", G_CALLBACK(mail_came), host);
}

void
lp_sim_unlisten(LpSimHost *host)
{
    if (--host->listeners > 0)
        return;
    g_source_destroy(host->timer);
    g_clear_pointer(&host->timer, g_source_unref);
    if (host->monitor) {
        g_signal_handlers_disconnect_by_data(host->monitor, host);
        g_file_monitor_cancel(host->monitor);
        g_clear_pointer(&host->monitor, g_object_unref);
    }
}

LpWatch *
lp_sim_watch(const char *uri, LpEventFunc func, void *data, GError **error)
{
    LpSimHost *host = lp_sim_host_open(uri, error);
    LpWatch *watch;

    if (!host)
        return NULL;
    watch = g_new0(LpWatch, 1);
    watch->refs = 1;
    watch->host = host;
    watch->func = func;
    watch->data = data;
    watch->context = g_main_context_ref_thread_default();
    g_queue_init(&watch->pending);
    g_mutex_lock(&host->lock);
    g_ptr_array_add(host->watches, watch);
    lp_sim_listen(host);
    post_to(watch, host->disconnected ? LP_EVENT_DISCONNECTED : LP_EVENT_CONNECTED, NULL, NULL,
            0);
    g_mutex_unlock(&host->lock);
    return watch;
}

void
lp_sim_unwatch(LpWatch *watch)
{
    LpSimHost *host = watch->host;

    watch->func = NULL;
    g_mutex_lock(&host->lock);
    g_ptr_array_remove(host->watches, watch);
    lp_sim_unlisten(host);
    g_mutex_unlock(&host->lock);
    watch_unref(watch);
}
