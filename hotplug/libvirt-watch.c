/* Events: a connection of its own whose socket the main loop serves.
 *
 * The main loop makes no libvirt call that waits for the daemon.  Opening and subscribing, and
 * the farewell, each take a short-lived thread; the connection passes from one to the other at
 * a point where nobody else uses it. */
#include <string.h>

#include "hotplug/libvirt-watch.h"

#define RETRY_MIN_MSEC 250      /* a restart of libvirtd takes about a second */
#define RETRY_MAX_MSEC 2000     /* all is read again within 5 s of its return */

static LpWatch *
watch_ref(LpWatch *watch)
{
    g_atomic_int_inc(&watch->refs);
    return watch;
}

void
lp_watch_unref(void *data)
{
    LpWatch *watch = data;

    if (!g_atomic_int_dec_and_test(&watch->refs))
        return;
    g_hash_table_unref(watch->persistent);
    g_free(watch->uri);
    g_free(watch);
}

void
lp_watch_emit(LpWatch *watch, const LpEvent *event)
{
    if (!watch->closed && watch->announced == LP_WATCH_UP)
        watch->func(event, watch->data);
}

/* --- sessions: one connection from its opening to its end --- */

struct LpWatchSession {
    LpWatch *watch;
    virConnectPtr vir;
    int callbacks[LP_WATCH_CALLBACKS];
    GPtrArray *persistent;      /* UUIDs of persistent domains when it began */
};

static void
session_free(LpWatchSession *session)
{
    g_clear_pointer(&session->persistent, g_ptr_array_unref);
    lp_watch_unref(session->watch);
    g_free(session);
}

/* Thread: says goodbye to the daemon, which may take its time. */
static void *
session_end(void *data)
{
    LpWatchSession *session = data;

    if (session->vir) {
        virConnectUnregisterCloseCallback(session->vir, lp_watch_on_close);
        for (int i = 0; i < LP_WATCH_CALLBACKS; i++) {
            if (session->callbacks[i] >= 0)
                virConnectDomainEventDeregisterAny(session->vir, session->callbacks[i]);
        }
        virConnectClose(session->vir);
    }
    session_free(session);
    return NULL;
}

static void
end_in_thread(LpWatchSession *session)
{
    g_thread_unref(g_thread_new("lp-watch-end", session_end, session));
}

static void
list_persistent(LpWatchSession *session)
{
    virDomainPtr *domains = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];
    int n = virConnectListAllDomains(session->vir, &domains,
                                     VIR_CONNECT_LIST_DOMAINS_PERSISTENT);

    for (int i = 0; i < n; i++) {
        if (virDomainGetUUIDString(domains[i], uuid) == 0)
            g_ptr_array_add(session->persistent, g_strdup(uuid));
        virDomainFree(domains[i]);
    }
    free(domains);
}

static void open_in_thread(LpWatch *watch);

static gboolean
on_retry(void *data)
{
    LpWatch *watch = data;

    watch->retry_source = 0;
    open_in_thread(watch);
    return G_SOURCE_REMOVE;
}

static void
announce(LpWatch *watch, LpWatchState state)
{
    LpEvent event = {
        .kind = state == LP_WATCH_UP ? LP_EVENT_CONNECTED : LP_EVENT_DISCONNECTED,
    };

    if (watch->announced == state || watch->closed)
        return;
    watch->announced = state;
    watch->func(&event, watch->data);
}

static void
retry_later(LpWatch *watch)
{
    if (watch->closed)
        return;
    watch->retry_source = g_timeout_add(watch->retry_msec, on_retry, watch);
    watch->retry_msec = MIN(watch->retry_msec * 2, RETRY_MAX_MSEC);
}

/* Main loop: the opening thread is through. */
static gboolean
on_opened(void *data)
{
    LpWatchSession *session = data;
    LpWatch *watch = session->watch;

    if (!session->vir) {
        announce(watch, LP_WATCH_DOWN);
        retry_later(watch);
        session_free(session);
        return G_SOURCE_REMOVE;
    }
    if (watch->closed) {
        end_in_thread(session);
        return G_SOURCE_REMOVE;
    }
    watch->session = session;
    for (guint i = 0; i < session->persistent->len; i++)
        g_hash_table_add(watch->persistent, g_strdup(session->persistent->pdata[i]));
    /* What was undefined between subscribing and listing. */
    for (guint i = 0; i < watch->early_gone->len; i++)
        g_hash_table_remove(watch->persistent, watch->early_gone->pdata[i]);
    g_clear_pointer(&watch->early_gone, g_ptr_array_unref);
    watch->retry_msec = RETRY_MIN_MSEC;
    announce(watch, LP_WATCH_UP);
    if (virConnectIsAlive(session->vir) != 1)
        lp_watch_lost(watch, session->vir);
    return G_SOURCE_REMOVE;
}

/* Thread. */
static void *
session_begin(void *data)
{
    LpWatchSession *session = data;

    session->vir = lp_libvirt_connect(session->watch->uri, NULL);
    if (session->vir) {
        /* No function to free it: drivers inside the process (test:) accept it, but never call
         * it.  The session's own reference lasts until it is unregistered. */
        virConnectRegisterCloseCallback(session->vir, lp_watch_on_close, session->watch, NULL);
        for (int i = 0; i < LP_WATCH_CALLBACKS; i++)
            session->callbacks[i] = lp_watch_subscribe(session->vir, i,
                                                       watch_ref(session->watch));
        list_persistent(session);
    }
    g_idle_add_full(G_PRIORITY_DEFAULT, on_opened, session, NULL);
    return NULL;
}

static void
open_in_thread(LpWatch *watch)
{
    LpWatchSession *session = g_new0(LpWatchSession, 1);

    session->watch = watch_ref(watch);
    session->persistent = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < LP_WATCH_CALLBACKS; i++)
        session->callbacks[i] = -1;
    g_hash_table_remove_all(watch->persistent);
    g_clear_pointer(&watch->early_gone, g_ptr_array_unref);
    watch->early_gone = g_ptr_array_new_with_free_func(g_free);
    g_thread_unref(g_thread_new("lp-watch", session_begin, session));
}

void
lp_watch_lost(LpWatch *watch, virConnectPtr vir)
{
    if (watch->closed || !watch->session || watch->session->vir != vir)
        return;    /* an earlier connection's, or one that is being opened: seen there */
    end_in_thread(g_steal_pointer(&watch->session));
    announce(watch, LP_WATCH_DOWN);
    retry_later(watch);
}

LpWatch *
lp_libvirt_watch(const char *uri, LpEventFunc func, void *data, GError **error)
{
    LpWatch *watch;

    (void)error;    /* a daemon that is not there yet is waited for */
    lp_libvirt_init();
    watch = g_new0(LpWatch, 1);
    watch->refs = 1;
    watch->uri = g_strdup(uri);
    watch->func = func;
    watch->data = data;
    watch->retry_msec = RETRY_MIN_MSEC;
    watch->persistent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    open_in_thread(watch);
    return watch;
}

void
lp_libvirt_unwatch(LpWatch *watch)
{
    if (!watch)
        return;
    watch->closed = true;
    g_clear_handle_id(&watch->retry_source, g_source_remove);
    g_clear_pointer(&watch->early_gone, g_ptr_array_unref);
    if (watch->session)
        end_in_thread(g_steal_pointer(&watch->session));
    lp_watch_unref(watch);
}
