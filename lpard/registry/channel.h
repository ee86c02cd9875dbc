/* The host's end of one guest's agent link: connects, reads, bounds, decodes, reconnects.
 *
 * Main loop only; never blocks.  The guest is not trusted: a frame that is too long or a flood
 * drops the link, which is retried with growing pauses. */
#ifndef LP_LPARD_CHANNEL_H
#define LP_LPARD_CHANNEL_H

#include <glib.h>
#include <stdbool.h>

#include "agent/wire/wire.h"
#include "hotplug/driver.h"

typedef struct LpChannel LpChannel;

typedef struct {
    void (*message)(const LpWireMessage *message, void *data);
    void (*nonsense)(LpWireVerdict verdict, const char *field, void *data);
    void (*lost)(const char *why, void *data);      /* it will reconnect by itself */
} LpChannelEvents;

/* Copies what it needs of the view.  Starts connecting at once. */
LpChannel *lp_channel_new(const LpDriver *driver, const char *uri, const LpView *view,
                          const LpChannelEvents *events, void *data);
/* No event comes after this. */
void lp_channel_free(LpChannel *channel);

/* Queues a frame; false when not connected, or when the guest reads too slowly (the link is
 * then dropped). */
bool lp_channel_send(LpChannel *channel, const LpWireMessage *message);
bool lp_channel_connected(const LpChannel *channel);

#endif
