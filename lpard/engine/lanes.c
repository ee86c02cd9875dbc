/* Lanes: one operation at a time on a partition, the others in the order in which they came. */
#include <string.h>

#include "lpard/engine/engine-priv.h"

typedef struct {
    GQueue waiting;                  /* of LpTicket* */
    LpTicket *holder;
} Lane;

static void
lane_free(gpointer data)
{
    Lane *lane = data;

    g_queue_clear(&lane->waiting);
    g_free(lane);
}

GHashTable *
lp_lanes_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, lane_free);
}

static Lane *
lane_of(LpEngine *engine, const char *uuid)
{
    Lane *lane = g_hash_table_lookup(engine->lanes, uuid);

    if (!lane) {
        lane = g_new0(Lane, 1);
        g_queue_init(&lane->waiting);
        g_hash_table_insert(engine->lanes, g_strdup(uuid), lane);
    }
    return lane;
}

LpTicket *
lp_ticket_new(LpEngine *engine, const char *uuid, const char *other, const char *what,
              void (*run)(LpTicket *), void *data)
{
    LpTicket *ticket = g_new0(LpTicket, 1);
    bool swap = other && strcmp(uuid, other) > 0;

    ticket->engine = engine;
    ticket->keys[ticket->n_keys++] = g_strdup(swap ? other : uuid);
    if (other)
        ticket->keys[ticket->n_keys++] = g_strdup(swap ? uuid : other);
    ticket->what = g_strdup(what);
    ticket->run = run;
    ticket->data = data;
    return ticket;
}

/* Takes lane after lane while they are free; queues at the first that is not. */
static void
advance(LpTicket *ticket)
{
    while (ticket->n_held < ticket->n_keys) {
        Lane *lane = lane_of(ticket->engine, ticket->keys[ticket->n_held]);

        if (lane->holder && lane->holder != ticket) {
            g_queue_push_tail(&lane->waiting, ticket);
            return;
        }
        lane->holder = ticket;
        ticket->n_held++;
    }
    ticket->run(ticket);
}

void
lp_ticket_enter(LpTicket *ticket)
{
    advance(ticket);
}

static gboolean
wake_next(gpointer data)
{
    LpTicket *ticket = data;

    advance(ticket);
    return G_SOURCE_REMOVE;
}

void
lp_ticket_leave(LpTicket *ticket)
{
    for (unsigned i = 0; i < ticket->n_keys; i++) {
        Lane *lane = lane_of(ticket->engine, ticket->keys[i]);

        g_queue_remove(&lane->waiting, ticket);
        if (lane->holder == ticket) {
            lane->holder = g_queue_pop_head(&lane->waiting);
            /* From the loop, since the one that leaves may be deep in its own end. */
            if (lane->holder)
                g_idle_add_full(G_PRIORITY_DEFAULT, wake_next, lane->holder, NULL);
        }
        g_free(ticket->keys[i]);
    }
    while (g_source_remove_by_user_data(ticket))
        ;
    g_free(ticket->what);
    g_free(ticket);
}

uint32_t
lp_engine_lane_depth(LpEngine *engine, const char *uuid)
{
    Lane *lane = g_hash_table_lookup(engine->lanes, uuid);

    return lane ? g_queue_get_length(&lane->waiting) + (lane->holder != NULL) : 0;
}

char *
lp_ticket_waits_for(LpTicket *ticket)
{
    for (unsigned i = ticket->n_held; i < ticket->n_keys; i++) {
        Lane *lane = lane_of(ticket->engine, ticket->keys[i]);

        if (lane->holder && lane->holder != ticket)
            return g_strdup(lane->holder->what);
    }
    return NULL;
}

bool
lp_engine_lane_stuck(LpEngine *engine, const char *uuid)
{
    LpPartition *partition = lp_registry_by_uuid(engine->registry, uuid);

    return partition && partition->stuck;
}
