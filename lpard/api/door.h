/* Where connections come in: accepted, identified, counted, and cut when they do not get on.
 *
 * libsoup could accept by itself; but its listener goes deaf for ever after one accept() that
 * fails, as it does where descriptors run out, and it counts nothing.  So it gets connections
 * from here, each when it is known whose it is.  Main loop only. */
#ifndef LP_LPARD_API_DOOR_H
#define LP_LPARD_API_DOOR_H

#include <libsoup/soup.h>

#include "lpard/api/access.h"
#include "lpard/api/rate.h"

/* A request's head comes in one packet; whoever drips it for longer only holds a connection. */
#define LP_DOOR_HEAD_SEC 10
/* The same for a body, of which there are 64 KiB at most. */
#define LP_DOOR_BODY_SEC 10
/* As long as common servers keep a connection on which nothing is asked. */
#define LP_DOOR_IDLE_SEC 75
/* Without any byte of the answer being taken. */
#define LP_DOOR_SEND_SEC 30
/* For a client far away on a bad line. */
#define LP_DOOR_HANDSHAKE_SEC 10
/* How long one that is turned away may take to read why. */
#define LP_DOOR_LEAVE_SEC 2

/* Not among libsoup's. */
#define LP_STATUS_TOO_MANY_REQUESTS 429
#define LP_STATUS_HEAD_TOO_LARGE 431

typedef struct LpDoor LpDoor;

typedef enum {
    LP_CALLER_SHAKING,            /* hands, in TLS */
    LP_CALLER_HEAD,               /* its request's head is awaited */
    LP_CALLER_BODY,
    LP_CALLER_SERVED,             /* by lpard: it waits */
    LP_CALLER_SENDING,            /* takes its answer */
    LP_CALLER_IDLE,               /* nothing is asked */
    LP_CALLER_LEAVING,            /* was turned away */
} LpCallerState;

/* All connections of one user or certificate. */
typedef struct {
    char *key;
    char *who;                    /* as its last connection was called */
    LpGrant grant;
    unsigned n_callers, n_polls, n_streams;
    LpBucket arrivals;            /* connections */
    LpBucket requests;
    LpBucket refusals;            /* that are recorded one by one (api-audit.c) */
    uint64_t unrecorded;
} LpPeerUse;

/* One connection. */
typedef struct {
    unsigned refs;
    LpDoor *door;                 /* NULL: it is closed */
    GSocket *socket;
    GIOStream *stream;
    GCancellable *cancellable;
    char *who;                    /* "uid 1000", "certificate ops" */
    LpGrant grant;
    LpPeerUse *use;               /* NULL: not known yet, or dropped */
    LpCallerState state;
    int64_t deadline_usec;        /* monotonic */
    bool cut;                     /* it was over time, and is told so */
    GSource *end_watch;           /* whether it goes while nothing is asked; or NULL */
} LpCaller;

/* Somebody was turned away before any request. */
typedef void (*LpDoorRefused)(LpCaller *caller, unsigned status, const char *code,
                              const char *detail, void *data);

/* Listens as the settings say, on the Unix socket and on TCP, and hands connections to `server`.
 * Keeps pointers to all it is given. */
LpDoor *lp_door_new(const LpSettings *settings, const LpAccess *access, SoupServer *server,
                    GError **error);
void lp_door_tell(LpDoor *door, LpDoorRefused refused, void *data);
/* Closes the listening sockets and all that was not handed over yet. */
void lp_door_free(LpDoor *door);
unsigned lp_door_n_callers(const LpDoor *door);
/* Where TLS is served, for whoever asked for port 0; 0: nowhere. */
unsigned lp_door_tls_port(const LpDoor *door);

/* Whose connection a request came on; NULL once it is closed. */
LpCaller *lp_door_caller(SoupServerMessage *message);
LpCaller *lp_caller_ref(LpCaller *caller);
/* Its use, or that of all who are nobody yet; NULL: it is closed. */
LpPeerUse *lp_caller_use(LpCaller *caller);
void lp_caller_unref(LpCaller *caller);
/* A new state, with its deadline. */
void lp_caller_now(LpCaller *caller, LpCallerState state);

/* Tells it why, waits a little for it to read that, and closes; libsoup must have let go of the
 * connection, or not have had it. */
void lp_caller_turn_away(LpCaller *caller, unsigned status, const char *code, const char *detail);

/* A whole answer on a bare connection: a few hundred bytes, which do not block where it can be
 * written to. */
void lp_door_say(GIOStream *stream, unsigned status, const char *code, const char *detail);

#endif
