#include "hotplug/fds.h"

#include <glib-unix.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Told in one turn of the loop; the rest have theirs in the next, after everything else. */
#define LP_FDS_A_TURN 64

typedef struct LpFdSet LpFdSet;

struct LpFd {
    LpFdSet *set;
    int fd;
    bool readable, writable;      /* wanted */
    bool gone;                    /* unwatched while the set is telling */
    LpFdFunc func;
    void *data;
};

/* Those of one main context. */
struct LpFdSet {
    GMainContext *context;
    int epoll_fd;
    GSource *source;
    unsigned n_watches;
    bool telling;
    GSList *gone;                 /* of LpFd*, to be freed when it has told */
};

static GMutex sets_lock;
static GSList *sets;              /* of LpFdSet* */

static void
set_free(LpFdSet *set)
{
    g_mutex_lock(&sets_lock);
    sets = g_slist_remove(sets, set);
    g_mutex_unlock(&sets_lock);
    g_source_destroy(set->source);
    g_source_unref(set->source);
    close(set->epoll_fd);
    g_main_context_unref(set->context);
    g_free(set);
}

static void
tell(const struct epoll_event *event)
{
    LpFd *watch = event->data.ptr;
    bool hung_up = event->events & (EPOLLHUP | EPOLLERR);
    bool readable = watch->readable && (hung_up || event->events & EPOLLIN);
    bool writable = watch->writable && (hung_up || event->events & EPOLLOUT);

    /* An earlier one of this turn may have ended it, or changed what is wanted of it. */
    if (!watch->gone && (readable || writable))
        watch->func(readable, writable, watch->data);
}

static gboolean
on_events(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, void *data)
{
    LpFdSet *set = data;
    struct epoll_event events[LP_FDS_A_TURN];
    int n = epoll_wait(set->epoll_fd, events, LP_FDS_A_TURN, 0);

    set->telling = true;
    for (int i = 0; i < n; i++)
        tell(&events[i]);
    set->telling = false;
    g_slist_free_full(g_steal_pointer(&set->gone), g_free);
    if (set->n_watches == 0)
        set_free(set);
    return G_SOURCE_CONTINUE;
}

static LpFdSet *
set_new(GMainContext *context)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    LpFdSet *set;

    if (epoll_fd < 0)
        return NULL;
    set = g_new0(LpFdSet, 1);
    set->context = g_main_context_ref(context);
    set->epoll_fd = epoll_fd;
    set->source = g_unix_fd_source_new(epoll_fd, G_IO_IN);
    g_source_set_callback(set->source, G_SOURCE_FUNC(on_events), set, NULL);
    g_source_attach(set->source, context);
    g_mutex_lock(&sets_lock);
    sets = g_slist_prepend(sets, set);
    g_mutex_unlock(&sets_lock);
    return set;
}

static LpFdSet *
set_of(GMainContext *context)
{
    LpFdSet *found = NULL;

    g_mutex_lock(&sets_lock);
    for (GSList *each = sets; each && !found; each = each->next)
        if (((LpFdSet *) each->data)->context == context)
            found = each->data;
    g_mutex_unlock(&sets_lock);
    return found ? found : set_new(context);
}

LpFd *
lp_fd_watch(int fd, LpFdFunc func, void *data)
{
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();
    LpFdSet *set = set_of(context);
    LpFd *watch;

    if (!set)
        return NULL;
    watch = g_new0(LpFd, 1);
    watch->set = set;
    watch->fd = fd;
    watch->func = func;
    watch->data = data;
    set->n_watches++;
    return watch;
}

bool
lp_fd_want(LpFd *watch, bool readable, bool writable)
{
    struct epoll_event event = {
        .events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0), .data.ptr = watch,
    };
    bool known = watch->readable || watch->writable, wanted = readable || writable;

    if (readable == watch->readable && writable == watch->writable)
        return true;
    watch->readable = readable;
    watch->writable = writable;
    /* One that is not wanted would still be told of as hung up, without end. */
    return epoll_ctl(watch->set->epoll_fd,
                     !wanted ? EPOLL_CTL_DEL : known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd,
                     &event) == 0;
}

void
lp_fd_unwatch(LpFd *watch)
{
    LpFdSet *set;

    if (!watch)
        return;
    set = watch->set;
    (void) lp_fd_want(watch, false, false);
    set->n_watches--;
    if (set->telling) {
        watch->gone = true;
        set->gone = g_slist_prepend(set->gone, watch);
        return;
    }
    g_free(watch);
    if (set->n_watches == 0)
        set_free(set);
}
