/* The whole daemon in a test's process, on a simulated host, asked over its socket. */
#ifndef LP_TESTS_API_FIXTURE_H
#define LP_TESTS_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <gio/gunixsocketaddress.h>
#include <libsoup/soup.h>

#include "lpard/api/api-private.h"
#include "tests/unit/schema.h"

typedef struct {
    char *dir;
    LpSettings settings;
    LpHost *host;
    LpJournal *journal;
    LpEvents *events;
    LpWorkers *workers;
    LpRegistry *registry;
    LpEngine *engine;
    LpApi *api;
    LpPools *pools;
    LpOptimizer *optimizer;       /* NULL on one node */
    LpScaler *scaler;             /* a test's; NULL: none */
    SoupSession *session;
    json_t *document;
} World;

extern World world;

/* A test's own settings, before anything reads them; NULL: none. */
extern void (*prepare_world)(LpSettings *settings);

/* `sim_host`: the text of a sim: file.  Its host has nodes of 64 GiB and 16 processors,
 * 21 apart. */
void begin_world(const char *sim_host, unsigned n_nodes);
void end_world(void);

/* Runs the loop until that is so; aborts when it does not become so. */
void until(bool (*done)(void *), void *data);
/* Nothing is on its way any more: every call has let go of the API. */
bool quiet(void *data);
/* The same, but for the streams that are open. */
bool quiet_but_streams(void *data);

/* Each fails the test where the status is another.  What comes is the caller's. */
char *ask_text(const char *method, const char *path, const char *body, unsigned want);
json_t *ask(const char *method, const char *path, const char *body, unsigned want);
/* A POST with an Idempotency-Key. */
json_t *ask_keyed(const char *path, const char *body, const char *key, unsigned want);
/* ... or where the answer is not of that schema. */
json_t *ask_for(const char *schema, const char *method, const char *path, const char *body,
                unsigned want);
/* ... or the problem not of that code, or does not say `word`. */
void refused(const char *method, const char *path, const char *body, unsigned status,
             const char *code, const char *word);

#endif
