/* A hostile agent at the guest's end of a channel: it lies in every field of every message that a guest
 * sends, repeats old frames, drips, sends nonsense, hangs up and comes back. */
#ifndef LP_TESTS_LIAR_H
#define LP_TESTS_LIAR_H

#include <glib.h>
#include <stdbool.h>

#include "agent/wire/wire.h"
#include "hotplug/driver.h"

typedef enum {
    LIAR_LIES,                    /* whole frames, all of them wrong somewhere */
    LIAR_REPLAYS,                 /* and old ones again */
    LIAR_DRIPS,                   /* a byte at a time */
    LIAR_FLAPS,                   /* hangs up after each few frames */
    LIAR_HANGS,                   /* greets, and is never heard again; does not read */
    LIAR_FLOODS,                  /* as much as the channel takes */
    LIAR_WAYS,
} LiarWay;

/* Takes the channel of the domain `uuid`; all others have their own agents.  Main loop. */
void liar_begin(const char *uuid, LiarWay way, GRand *random);
void liar_end(void);
/* For faulty_channel. */
int liar_open(const char *uri, const LpView *view, GError **error);
/* How many frames it has sent. */
unsigned liar_n_sent(void);

/* One message that a guest may send, with a lie in any of its fields; `wanted` is what was last heard. */
void liar_message(GRand *random, const LpView *view, uint64_t wanted, uint64_t phase,
                  LpWireMessage *ret_message);

#endif
