/* The operation engine: a lane per partition, one operation at a time in it, every effect
 * journaled before it happens.  Main loop only; blocking calls go to the workers. */
#ifndef LP_LPARD_ENGINE_H
#define LP_LPARD_ENGINE_H

#include "lpard/engine/consent.h"
#include "lpard/engine/operation.h"
#include "lpard/journal/journal.h"
#include "lpard/registry/registry.h"

/* More waiting requests on one partition than any operator means to make. */
#define LP_LANE_QUEUE_MAX 64
/* libvirtd's own workers run out at about 14 calls stuck in dead QEMUs. */
#define LP_STUCK_LANES_MAX 8
/* Finished operations kept in memory; older ones are read from the journal. */
#define LP_FINISHED_KEPT 256

typedef struct LpEngine LpEngine;

LpEngine *lp_engine_new(LpRegistry *registry, LpWorkers *workers, LpJournal *journal,
                        LpEvents *events, uint32_t timeout_sec);
void lp_engine_free(LpEngine *engine);
/* Takes up what the journal holds open; call when the registry has read all domains. */
void lp_engine_recover(LpEngine *engine);

/* Takes the request.  Fails at once on what can be known at once (unknown partition, no
 * profile, queue full, journal down); else the operation is queued and durable when
 * `accepted` is called on the main loop (error set: it could not be made durable).
 * A repeated key of the same request answers with the first one's operation. */
typedef void (*LpAcceptedFunc)(LpOperation *operation, const GError *error, void *data);
bool lp_engine_submit(LpEngine *engine, LpRequest *request, LpAcceptedFunc accepted, void *data,
                      GError **error);

/* Dry run: looks, plans and admits, touches nothing.  `done` gets an operation that is not
 * journaled and not listed, in state queued or refused, legs planned; freed after the call. */
bool lp_engine_plan(LpEngine *engine, LpRequest *request, LpAcceptedFunc done, void *data,
                    GError **error);

/* Live operations and finished ones kept in memory. */
LpOperation *lp_engine_find(LpEngine *engine, int64_t id);
GPtrArray *lp_engine_list(LpEngine *engine);          /* caller unrefs; newest first */
bool lp_engine_cancel(LpEngine *engine, int64_t id, GError **error);
/* Open operations of a partition, for its lane's depth. */
uint32_t lp_engine_lane_depth(LpEngine *engine, const char *uuid);
bool lp_engine_lane_stuck(LpEngine *engine, const char *uuid);

/* Whether guests may ask for another size; they may unless told otherwise. */
void lp_engine_refuse_asks(LpEngine *engine);
const LpConsentCounts *lp_engine_consent_counts(const LpEngine *engine);

/* Operations that another room carries out, in no lane (LP_OP_OPTIMIZE): the engine keeps them, lists
 * them, journals them and tells of them; `cancel` is called when somebody asks to stop one, `take_up` for
 * each that was open when lpard last ended. */
typedef struct {
    void (*cancel)(LpOperation *operation, void *data);
    void (*take_up)(LpOperation *operation, void *data);
    void *data;
} LpForeign;
void lp_engine_serve_foreign(LpEngine *engine, LpOpKind kind, const LpForeign *foreign);
/* Whether anything can be begun now: the journal can be written, and the hypervisor is there. */
bool lp_engine_ready(LpEngine *engine, GError **error);
/* A key that was used before: for the same request `accepted` is called with its operation, and
 * *ret_answered set; for another one it is LP_ERROR_CONFLICT. */
bool lp_engine_answer_repeated(LpEngine *engine, const LpRequest *request,
                               LpAcceptedFunc accepted, void *data, bool *ret_answered,
                               GError **error);
/* Takes the request and the reference; the operation is the engine's, in state `checking`, and durable
 * when `accepted` is called.  Its key makes it idempotent as any other's.  `kind` must be served. */
bool lp_engine_add_foreign(LpEngine *engine, LpRequest *request, json_t *optimize,
                           LpAcceptedFunc accepted, void *data, GError **error);
/* What is to be done next, before it is done (S6): `durable` comes when the operation, as it is now, is on
 * disk.  It is `running` from then on. */
void lp_engine_record_foreign(LpEngine *engine, LpOperation *operation, LpDurableFunc durable,
                              void *data);
/* Something about it is new; tells whoever waits. */
void lp_engine_tell_foreign(LpEngine *engine, LpOperation *operation, LpOpState state);
/* It is over; what it has to say.  Told to others when it is on disk. */
void lp_engine_end_foreign(LpEngine *engine, LpOperation *operation, LpOpState state,
                           const char *code, const char *message);

/* Called on every change of any operation. */
typedef void (*LpOperationFunc)(LpOperation *operation, void *data);
void lp_engine_listen(LpEngine *engine, LpOperationFunc func, void *data);

/* Work on a definition (enable, disable, profile, define) takes its place in the lane too:
 * `func` runs in a worker when the lane is free, then `done` on the main loop.  `uuid` NULL:
 * no lane (a new domain).  `done` may come before a worker that hung begins: `data` is freed by
 * `free_data` (or NULL), in any thread, when nobody can come to it any more; not on false. */
typedef bool (*LpDefinitionFunc)(const LpDriver *driver, LpConn *conn, void *data, GError **error);
typedef void (*LpDefinitionDone)(bool ok, const GError *error, void *data);
bool lp_engine_definition(LpEngine *engine, const char *uuid, const char *what,
                          LpDefinitionFunc func, LpDefinitionDone done, void *data,
                          GDestroyNotify free_data, GError **error);

#endif
