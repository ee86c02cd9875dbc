#include "lpard/registry/lookout.h"

static void set_timer(LpLookout *lookout);

static LpLookoutPlace *
first(LpLookout *lookout)
{
    GList *link = g_queue_peek_head_link(&lookout->waiting);

    return link ? (LpLookoutPlace *) ((char *) link - G_STRUCT_OFFSET(LpLookoutPlace, link))
                : NULL;
}

static gboolean
on_due(gpointer data)
{
    LpLookout *lookout = data;
    gint64 now = g_get_monotonic_time();
    LpLookoutPlace *place;

    lookout->source = 0;
    while ((place = first(lookout)) && place->due_usec <= now) {
        void *thing = place->link.data;

        lp_lookout_leave(lookout, place);
        lookout->func(thing);
    }
    set_timer(lookout);
    return G_SOURCE_REMOVE;
}

static void
set_timer(LpLookout *lookout)
{
    LpLookoutPlace *next = first(lookout);
    gint64 left = next ? next->due_usec - g_get_monotonic_time() : 0;

    if (next && !lookout->source)
        lookout->source = g_timeout_add((guint) (left > 0 ? (left + 999) / 1000 : 0), on_due,
                                        lookout);
    else if (!next)
        g_clear_handle_id(&lookout->source, g_source_remove);
}

void
lp_lookout_enter(LpLookout *lookout, LpLookoutPlace *place, void *data)
{
    lp_lookout_leave(lookout, place);
    *place = (LpLookoutPlace) {
        .link.data = data, .in = true,
        .due_usec = g_get_monotonic_time() + (gint64) lookout->msec * 1000,
    };
    g_queue_push_tail_link(&lookout->waiting, &place->link);
    set_timer(lookout);
}

void
lp_lookout_leave(LpLookout *lookout, LpLookoutPlace *place)
{
    if (!place->in)
        return;
    place->in = false;
    g_queue_unlink(&lookout->waiting, &place->link);
    /* One that left early leaves its time to the next, which finds itself not due and waits on. */
    set_timer(lookout);
}
