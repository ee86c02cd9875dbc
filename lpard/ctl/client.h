/* Asks lpard over its Unix socket or over TLS, and turns what goes wrong into one line and an
 * exit status. */
#ifndef LP_CTL_CLIENT_H
#define LP_CTL_CLIENT_H

#include <gio/gio.h>
#include <jansson.h>
#include <stdbool.h>

#include "lpard/ctl/remote.h"

#define LP_CTL_ERROR (lp_ctl_error_quark())
GQuark lp_ctl_error_quark(void);
/* The code of these errors is the exit status. */
void lp_ctl_error(GError **error, int exit_status, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* An answer is read whole, so it has an end: a list of 10,000 partitions is about 30 MiB. */
#define LP_CTL_ANSWER_MAX (64U << 20)
/* lpard answers a waiting request within 60 s at most, and sends an event stream something
 * every 15 s; a definition may keep libvirt busy for most of a minute. */
#define LP_CTL_ANSWER_SEC 90

typedef struct {
    unsigned status;
    GString *text;                /* as it came */
    json_t *json;                 /* an object; its texts are fit for a terminal */
} LpCtlAnswer;

void lp_ctl_answer_clear(LpCtlAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LpCtlAnswer, lp_ctl_answer_clear)
/* Makes `json` of status and text, which came from `where`; a problem document becomes *error. */
bool lp_ctl_answer_read(LpCtlAnswer *answer, const char *where, GError **error);

typedef struct LpCtlClient LpCtlClient;

/* What `way` leaves open comes from the environment, else it is the socket at the usual places.
 * Does not connect yet. */
LpCtlClient *lp_ctl_client_new(const LpCtlWay *way, GError **error);
void lp_ctl_client_free(LpCtlClient *client);
/* Completion must not hang a shell. */
void lp_ctl_client_set_timeout(LpCtlClient *client, guint seconds);

/* Sends `body` (NULL: none; the reference stays the caller's), and reads the answer, an
 * object.  The default main context runs meanwhile.  A problem document becomes *error. */
bool lp_ctl_client_ask(LpCtlClient *client, const char *method, const char *path,
                       const json_t *body, const char *key, LpCtlAnswer *ret_answer,
                       GError **error);

/* Opens a stream of events after number `last` (NULL: from now on). */
GInputStream *lp_ctl_client_stream(LpCtlClient *client, const char *path, const char *last,
                                   GError **error);

/* Ends the request under way, and every later one: *error is G_IO_ERROR_CANCELLED. */
void lp_ctl_client_interrupt(LpCtlClient *client);
/* Makes the message of a failed read of the stream. */
void lp_ctl_client_explain(const LpCtlClient *client, const char *method, const GError *cause,
                           GError **error);

#endif
