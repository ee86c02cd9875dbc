/* What happened, in order, for whoever listens: a bounded ring with numbers. Main loop only. */
#ifndef LP_LPARD_EVENTS_H
#define LP_LPARD_EVENTS_H

#include <glib.h>
#include <jansson.h>
#include <stdint.h>

/* Enough for a client that reconnects within minutes on a busy host. */
#define LP_EVENTS_KEPT 4096

typedef struct LpEvents LpEvents;
typedef struct {
    uint64_t number;
    int64_t at_usec;              /* wall clock */
    const char *type;             /* "operation", "partition", "agent", "hypervisor", ... */
    char *text;                   /* JSON of the event, one line */
} LpEventItem;

LpEvents *lp_events_new(void);
void lp_events_free(LpEvents *events);
/* `type` must be a static string; takes the reference of body. */
void lp_events_emit(LpEvents *events, const char *type, json_t *body);
/* Items after `number` still kept, oldest first, calling back each; returns false if some were
 * lost before the oldest kept. */
gboolean lp_events_since(LpEvents *events, uint64_t number,
                         void (*each)(const LpEventItem *item, void *data), void *data);
uint64_t lp_events_last(const LpEvents *events);

typedef void (*LpEventsFunc)(const LpEventItem *item, void *data);
guint lp_events_listen(LpEvents *events, LpEventsFunc func, void *data);
void lp_events_unlisten(LpEvents *events, guint id);

#endif
