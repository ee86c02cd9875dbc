/* The two halves of the watcher: the connection's life, and what its events mean. */
#ifndef LP_HOTPLUG_LIBVIRT_WATCH_H
#define LP_HOTPLUG_LIBVIRT_WATCH_H

#include "hotplug/libvirt-priv.h"

#define LP_WATCH_CALLBACKS 11

typedef enum { LP_WATCH_UNKNOWN, LP_WATCH_UP, LP_WATCH_DOWN } LpWatchState;

typedef struct LpWatchSession LpWatchSession;

/* Main loop only, but for refs and uri. */
struct LpWatch {
    gint refs;                  /* atomic: libvirt lets go of its own in any thread */
    char *uri;
    LpEventFunc func;
    void *data;
    bool closed;
    LpWatchState announced;
    guint retry_source, retry_msec;
    LpWatchSession *session;    /* NULL while there is no connection */
    /* Domains with a definition: of any other the end is its disappearance.  Kept by events,
     * since asking the daemon could block. */
    GHashTable *persistent;
    GPtrArray *early_gone;      /* undefined while the session was being opened */
};

void lp_watch_unref(void *watch);
/* Nothing is emitted before LP_EVENT_CONNECTED: all is read again then. */
void lp_watch_emit(LpWatch *watch, const LpEvent *event);
void lp_watch_lost(LpWatch *watch, virConnectPtr vir);

/* Subscribes to the index-th event; takes one reference of the watch.  -1: not to be had. */
int lp_watch_subscribe(virConnectPtr vir, int index, LpWatch *watch);
void lp_watch_on_close(virConnectPtr vir, int reason, void *data);

#endif
