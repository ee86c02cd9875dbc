#include "lpard/events.h"

#include <stdbool.h>
#include <stdlib.h>

typedef struct {
    guint id;
    LpEventsFunc func;            /* NULL: removed while an event was being told */
    void *data;
} Listener;

struct LpEvents {
    /* The item numbered n sits at n % LP_EVENTS_KEPT. */
    LpEventItem items[LP_EVENTS_KEPT];
    uint64_t first;               /* number of the first event of this life */
    uint64_t next;
    GArray *listeners;
    guint last_listener;
    unsigned telling;
};

LpEvents *
lp_events_new(void)
{
    LpEvents *events = g_new0(LpEvents, 1);

    /* Numbers must not repeat when lpard restarts, or a client that resumes would silently miss
     * what happened: they start from the clock, in microseconds, since it may be killed twice in a
     * second.  After a clock was set back they are smaller than those given out before, which
     * lp_events_since() takes for another life's. */
    events->first = (uint64_t)g_get_real_time() + 1;
    events->next = events->first;
    events->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
    return events;
}

void
lp_events_free(LpEvents *events)
{
    if (!events)
        return;
    for (unsigned i = 0; i < LP_EVENTS_KEPT; i++)
        g_free(events->items[i].text);
    g_array_unref(events->listeners);
    g_free(events);
}

static char *
timestamp(int64_t usec)
{
    g_autoptr(GDateTime) second = g_date_time_new_from_unix_utc(usec / G_USEC_PER_SEC);
    g_autofree char *text = g_date_time_format(second, "%Y-%m-%dT%H:%M:%S");

    return g_strdup_printf("%s.%03dZ", text, (int)(usec % G_USEC_PER_SEC / 1000));
}

static void
drop_removed(LpEvents *events)
{
    for (guint i = events->listeners->len; i > 0; i--) {
        if (!g_array_index(events->listeners, Listener, i - 1).func)
            g_array_remove_index(events->listeners, i - 1);
    }
}

static void
tell(LpEvents *events, const LpEventItem *item)
{
    /* Those that come while it is told hear from the next one on. */
    guint n = events->listeners->len;

    events->telling++;
    for (guint i = 0; i < n; i++) {
        Listener listener = g_array_index(events->listeners, Listener, i);

        if (listener.func)
            listener.func(item, listener.data);
    }
    if (--events->telling == 0)
        drop_removed(events);
}

void
lp_events_emit(LpEvents *events, const char *type, json_t *body)
{
    LpEventItem *item = &events->items[events->next % LP_EVENTS_KEPT];
    int64_t now = g_get_real_time();
    g_autofree char *at = timestamp(now);
    char *text;
    LpEventItem told;

    json_object_set_new(body, "at", json_string(at));
    text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(body);
    g_free(item->text);
    *item = (LpEventItem){
        .number = events->next++,
        .at_usec = now,
        .type = type,
        .text = g_strdup(text ? text : "{}"),
    };
    free(text);

    /* A listener may emit in its turn and so take this slot after a whole round of the ring;
     * it is told from a copy of its own. */
    told = *item;
    told.text = g_strdup(item->text);
    tell(events, &told);
    g_free(told.text);
}

static uint64_t
oldest_kept(const LpEvents *events)
{
    uint64_t n = events->next - events->first;

    return n > LP_EVENTS_KEPT ? events->next - LP_EVENTS_KEPT : events->first;
}

gboolean
lp_events_since(LpEvents *events, uint64_t number,
                void (*each)(const LpEventItem *item, void *data), void *data)
{
    uint64_t oldest = oldest_kept(events);
    uint64_t next = events->next;
    /* A number not given yet is of another life of lpard, whose events are not known. */
    bool whole = number < next && number >= oldest - 1;

    for (uint64_t n = whole ? number + 1 : oldest; n < next; n++)
        each(&events->items[n % LP_EVENTS_KEPT], data);
    return whole;
}

uint64_t
lp_events_last(const LpEvents *events)
{
    return events->next - 1;
}

guint
lp_events_listen(LpEvents *events, LpEventsFunc func, void *data)
{
    Listener listener = {.id = ++events->last_listener, .func = func, .data = data};

    g_array_append_val(events->listeners, listener);
    return listener.id;
}

void
lp_events_unlisten(LpEvents *events, guint id)
{
    for (guint i = 0; i < events->listeners->len; i++) {
        Listener *listener = &g_array_index(events->listeners, Listener, i);

        if (listener->id == id)
            listener->func = NULL;
    }
    if (events->telling == 0)
        drop_removed(events);
}
