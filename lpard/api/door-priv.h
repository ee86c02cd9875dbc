/* Inner parts of the door. */
#ifndef LP_LPARD_API_DOOR_PRIV_H
#define LP_LPARD_API_DOOR_PRIV_H

#include "lpard/api/door.h"

typedef struct LpTls LpTls;
/* A socket that is listened on. */
typedef struct {
    LpDoor *door;
    GSocket *socket;
    GSource *source;              /* NULL: paused */
    guint pause;                  /* a timer, or 0 */
    bool starved;                 /* the last accept() failed */
    bool tls;
} LpEntrance;

struct LpDoor {
    const LpSettings *settings;
    const LpAccess *access;
    SoupServer *server;
    LpDoorRefused refused;
    void *refused_data;
    LpEntrance local, tcp;
    LpTls *tls;                   /* NULL: not served */
    char *bound_path;             /* the Unix socket's; NULL: not bound by us */
    GSocket *dummy, *dummy_end;
    GPtrArray *callers;           /* of LpCaller* */
    GHashTable *uses;             /* of LpPeerUse*, by key */
    LpPeerUse strangers;          /* of all who are turned away before it is known who they are */
    unsigned n_shaking;
    guint sweep;
};

void lp_entrance_open(LpEntrance *entrance);
void lp_entrance_shut(LpEntrance *entrance);

/* Cuts those whose time is over, and forgets those that are gone; every second by itself. */
void lp_door_sweep(LpDoor *door);

/* Its head is awaited; the reference is the caller's. */
LpCaller *lp_caller_new(LpDoor *door, GSocket *socket);
/* lp_caller_unref(), for whoever frees by a pointer to anything. */
void lp_caller_unref_it(void *caller);
/* It is known: from now on libsoup has it. */
void lp_caller_hand_over(LpCaller *caller);
/* Its time is over: told so, and ended; the second time, hard. */
void lp_caller_cut(LpCaller *caller);
/* The door has nothing to do with it any more. */
void lp_caller_forget(LpCaller *caller);
/* It is known who that is: counted, and handed over or turned away. */
void lp_door_identified(LpCaller *caller, LpPeer *peer /* cleared */);
/* Turns it away before any request, and says so for the record. */
void lp_caller_refuse(LpCaller *caller, unsigned status, const char *code, const char *detail);
void lp_caller_close(LpCaller *caller);

/* The certificates; NULL: *error says which file is wrong. */
LpTls *lp_tls_new(const LpSettings *settings, GError **error);
void lp_tls_free(LpTls *tls);
/* A numeric ADDRESS:PORT, IPv6 in brackets. */
GSocketAddress *lp_tls_address(const char *text, GError **error);
/* Shakes hands; ends in lp_door_identified() or not at all. */
void lp_tls_greet(LpCaller *caller);

#endif
