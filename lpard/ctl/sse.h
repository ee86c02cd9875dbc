/* A stream of server-sent events, taken apart as it comes.  Pure and bounded. */
#ifndef LP_CTL_SSE_H
#define LP_CTL_SSE_H

#include <glib.h>
#include <stdbool.h>

/* One event; lpard's are under 64 KiB. */
#define LP_CTL_SSE_MAX (1U << 20)

typedef struct {
    const char *id;               /* of this or the last event that had one; "" before */
    const char *type;             /* "message" where none is given */
    const char *data;             /* NULL: a comment, which keeps the stream alive */
} LpCtlSseEvent;

typedef void (*LpCtlSseFunc)(const LpCtlSseEvent *event, void *data);

typedef struct LpCtlSse LpCtlSse;
LpCtlSse *lp_ctl_sse_new(LpCtlSseFunc func, void *data);
void lp_ctl_sse_free(LpCtlSse *sse);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpCtlSse, lp_ctl_sse_free)

/* False when an event is longer than LP_CTL_SSE_MAX: no more is to be fed. */
bool lp_ctl_sse_feed(LpCtlSse *sse, const char *bytes, gsize length);

#endif
