/* What the parts of the programs' socket share: apps-socket.c opens it, apps-link.c moves bytes and
 * bounds them, apps.c knows what they mean. */
#ifndef LP_AGENT_APPS_PRIV_H
#define LP_AGENT_APPS_PRIV_H

#include <stddef.h>
#include <sys/types.h>

#include "agent/apps.h"
#include "agent/conf.h"

/* Requests under way in all; the host takes them one by one in any case. */
#define LP_APPS_ASKS_MAX 8

/* One program that is connected: a mapping of its own, of which only the pages that are used
 * become resident, and which goes back to the kernel as a whole. */
typedef struct {
    int fd;
    unsigned slot;
    pid_t pid;
    char name[LP_WIRE_NAME_MAX];   /* as it subscribed; before that its command's name */
    const char *doomed;            /* why it is dropped at the end of this turn, or NULL */
    bool heard;                    /* it has said something that was understood */
    LpWireSubscribe wants;
    bool subscribed;
    bool awaited;                  /* its ANSWER to the phase at hand */
    unsigned missed;               /* answers in a row */
    int64_t asked_at_msec;         /* LP_NEVER: not yet */
    unsigned n_bad;                /* messages that broke the protocol */
    int64_t second_msec;           /* since when the next two count */
    unsigned n_lines, n_bytes;
    int64_t greet_by_msec, unstall_by_msec;
    size_t out_used;
    LpWireReader reader;
    char out[LP_WIRE_FRAME_MAX + 1];
} LpApp;

/* A request that was passed on. */
typedef struct {
    uint64_t id;                   /* towards the host; 0: free */
    uint64_t app_id;               /* as the program counts */
    LpApp *app;                    /* NULL: it has left */
    int64_t until_msec;
} LpAppsAsk;

struct LpApps {
    int listen_fd;                 /* -1: no socket */
    char path[LP_CONF_TEXT_MAX];   /* its own, whatever agent.conf may say by now */
    int epoll_fd;                  /* of the socket and its links, itself watched by the loop */
    int64_t accept_at_msec;        /* the system had no room for another link: not before */
    bool full;                     /* said that there are too many */
    LpApp *apps[LP_APPS_MAX];
    /* The phase at hand. */
    bool telling;
    LpWirePhase phase;
    int64_t deadline_msec;
    LpWireAnswer *answer;
    LpAppsDone done;
    /* Requests. */
    uint64_t last_ask_id;
    LpAppsAsk asks[LP_APPS_ASKS_MAX];
    int64_t minute_msec;           /* since when n_asked counts */
    unsigned n_asked;
};

/* apps-socket.c: a socket that listens, for root and the group (name or number; "": root alone); -1
 * and errno, EADDRINUSE if another agent lives there. */
int lp_apps_open_socket(const char *path, const char *group);

/* apps-link.c */
bool lp_apps_listen(LpAgent *agent);
/* What epoll has to say of the socket or a link. */
void lp_apps_ready(LpAgent *agent, uint32_t events);
/* Queues a message; a program that does not read is doomed. */
void lp_app_send(LpApps *apps, LpApp *app, const LpWireMessage *message, int64_t now_msec);
/* It is let go at the end of this turn; `why` is a constant. */
void lp_app_doom(LpApp *app, const char *why);
/* Lets go of the doomed. */
void lp_apps_reap(LpAgent *agent);
/* When a link has to be looked at though nothing comes, and that look. */
int64_t lp_apps_link_deadline(const LpApps *apps);
void lp_apps_link_run(LpApps *apps, int64_t now_msec);

/* apps.c */
void lp_apps_heard(LpAgent *agent, LpApp *app, const LpWireMessage *message, int64_t now_msec);
void lp_apps_left(LpAgent *agent, LpApp *app);

#endif
