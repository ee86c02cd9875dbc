/* Things that are each to be looked at some time after now, the same time for all: one timer
 * serves them, since they come due in the order in which they were put in.  Main loop only. */
#ifndef LP_LPARD_LOOKOUT_H
#define LP_LPARD_LOOKOUT_H

#include <glib.h>
#include <stdbool.h>

typedef void (*LpLookoutFunc)(void *data);

typedef struct {
    guint msec;
    LpLookoutFunc func;           /* its thing is no longer in */
    GQueue waiting;               /* of LpLookoutPlace*, the next one first */
    guint source;
} LpLookout;

#define LP_LOOKOUT(msec, func) {(msec), (func), G_QUEUE_INIT, 0}

/* A thing's place, part of it. */
typedef struct {
    GList link;
    gint64 due_usec;
    bool in;
} LpLookoutPlace;

/* Anew if it is in already. */
void lp_lookout_enter(LpLookout *lookout, LpLookoutPlace *place, void *data);
void lp_lookout_leave(LpLookout *lookout, LpLookoutPlace *place);

#endif
