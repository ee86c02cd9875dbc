/* Inner parts of the API, shared by its files only. */
#ifndef LP_LPARD_API_PRIVATE_H
#define LP_LPARD_API_PRIVATE_H

#include <jansson.h>
#include <libsoup/soup.h>

#include "lpard/api/access.h"
#include "lpard/api/api.h"
#include "lpard/api/door.h"
#include "lpard/error.h"

typedef struct LpCall LpCall;
typedef struct LpCounts LpCounts;

/* Alive while a call is: `closed` says that the rest of lpard is gone. */
struct LpApi {
    unsigned refs;
    bool closed;
    LpSettings *settings;
    LpRegistry *registry;
    LpEngine *engine;
    LpJournal *journal;
    LpEvents *events;
    LpAccess *access;
    LpScaler *scaler;             /* NULL: no policy */
    LpPools *pools;               /* NULL: none */
    LpOptimizer *optimizer;       /* NULL: none */
    SoupServer *server;
    LpDoor *door;
    char *hypervisor;             /* "QEMU 7.2 (libvirt 9.0.0)", or NULL while unknown */
    guint listener;
    GPtrArray *waiters;           /* of calls that wait for an operation */
    GPtrArray *streams;           /* of event streams */
    LpCounts *counts;
};

LpApi *lp_api_ref(LpApi *api);
void lp_api_unref(LpApi *api);

typedef enum { LP_BODY_NONE, LP_BODY_OPTIONAL, LP_BODY_NEEDED } LpBodyRule;

/* Of what the role is needed, and where the request names it. */
typedef enum {
    LP_OF_HOST,
    LP_OF_PARTITION,              /* "{name}" */
    LP_OF_BODY,                   /* the body's "partition", and "to" */
    LP_OF_OPERATION,              /* all partitions of "{id}" */
    LP_OF_QUERY,                  /* the parameter "partition"; without it, of the host */
} LpScope;

typedef struct {
    const char *method;
    const char *path;             /* one segment may be "{name}" or "{id}" */
    LpRole role;                  /* the least that may */
    LpScope scope;
    LpBodyRule body;
    const char *query;            /* allowed parameters, separated by a space */
    void (*handle)(LpCall *call);
} LpRoute;

extern const LpRoute lp_api_routes[];
extern const size_t lp_api_n_routes;

/* The route of a request; *ret_argument (caller frees) is what stands for the braces.  NULL:
 * none; *ret_allowed (caller frees) then names the methods that the path has, or is NULL. */
const LpRoute *lp_api_route(const char *method, const char *raw_path, char **ret_argument,
                            char **ret_allowed);

/* A partition that a request is about. */
typedef struct {
    char *uuid;                   /* NULL: there is none of that name */
    char *name;
} LpSubject;
/* A move has two. */
#define LP_SUBJECTS_MAX 2

/* One request.  A handler answers it before it returns, or keeps it with lp_call_later(). */
struct LpCall {
    unsigned refs;
    LpApi *api;
    SoupServerMessage *message;
    const LpRoute *route;
    char *argument;
    GHashTable *query;            /* NULL: none */
    json_t *body;                 /* {} if there was none */
    LpCaller *caller;             /* whose connection it came on */
    LpSubject subjects[LP_SUBJECTS_MAX];
    int64_t operation;            /* that it began; 0: none */
    gulong finished_id;
    bool paused, answered, gone, recorded;
};

LpCall *lp_call_new(LpApi *api, SoupServerMessage *message);
LpCall *lp_call_ref(LpCall *call);
void lp_call_unref(LpCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpCall, lp_call_unref)

/* A reference for whoever answers later. */
LpCall *lp_call_later(LpCall *call);
/* False: nobody waits for the answer, or lpard is ending. */
bool lp_call_wanted(const LpCall *call);
const char *lp_call_query(const LpCall *call, const char *name);
/* A whole number in the query; absent: *ret untouched. */
bool lp_call_query_number(const LpCall *call, const char *name, uint64_t max, uint64_t *ret,
                          GError **error);
/* "1"/"true" or "0"/"false" in the query. */
bool lp_call_query_flag(const LpCall *call, const char *name, bool *ret, GError **error);

/* Each answers; the second time nothing happens. */
void lp_call_answer(LpCall *call, unsigned status, json_t *body /* takes the reference */);
void lp_call_answer_text(LpCall *call, unsigned status, const char *type, const char *text,
                         size_t length);
void lp_call_problem(LpCall *call, unsigned status, const char *code, const char *detail);
void lp_call_fail(LpCall *call, const GError *error);
/* A status in words. */
const char *lp_api_phrase(unsigned status);
/* A problem document; new reference. */
json_t *lp_api_problem(unsigned status, const char *code, const char *detail);
/* The code for an error of this daemon or of a driver. */
LpErrorCode lp_api_error_code(const GError *error);

/* permit.c: whether the caller could do this with any partition; before the body is looked at. */
bool lp_call_has_role(const LpCall *call, GError **error);
/* Finds the subjects, and whether the caller may do this with them. */
bool lp_call_permit(LpCall *call, GError **error);

/* api-audit.c: whether it changes something, or would have. */
bool lp_call_changes(const LpCall *call);
/* Once, when it is known what comes of it; status 0: nobody waited for that. */
void lp_call_record(LpCall *call, unsigned status, const char *code);
void lp_api_record_refused(LpCaller *caller, unsigned status, const char *code,
                           const char *detail, void *api);
void lp_api_get_audit(LpCall *call);

/* "uid 1000 (operator)" */
char *lp_call_requester(const LpCall *call);
json_t *lp_api_partition_json(LpApi *api, const LpPartition *partition);

/* Handlers, by file. */
void lp_api_get_root(LpCall *call);
void lp_api_get_host(LpCall *call);
void lp_api_get_metrics(LpCall *call);
void lp_api_get_openapi(LpCall *call);
void lp_api_ask_hypervisor(LpApi *api);

void lp_api_get_domains(LpCall *call);
void lp_api_get_partitions(LpCall *call);
void lp_api_get_partition(LpCall *call);
void lp_api_get_check(LpCall *call);
void lp_api_get_guest(LpCall *call);

void lp_api_post_resize(LpCall *call);
void lp_api_post_capacity(LpCall *call);
void lp_api_post_reconcile(LpCall *call);
void lp_api_post_move(LpCall *call);
void lp_api_post_plan(LpCall *call);
void lp_api_get_operations(LpCall *call);
void lp_api_get_operation(LpCall *call);
void lp_api_delete_operation(LpCall *call);
/* Some operation changed: answers those who waited for it. */
void lp_api_wake_waiters(LpApi *api);
void lp_api_drop_waiters(LpApi *api);

void lp_api_post_partitions(LpCall *call);
void lp_api_get_profile(LpCall *call);
void lp_api_put_profile(LpCall *call);
void lp_api_delete_profile(LpCall *call);
void lp_api_post_restore(LpCall *call);
void lp_api_put_hold(LpCall *call);
void lp_api_delete_hold(LpCall *call);
void lp_api_post_start(LpCall *call);

void lp_api_get_policy(LpCall *call);
void lp_api_put_policy(LpCall *call);
void lp_api_get_plan(LpCall *call);
void lp_api_get_policy_log(LpCall *call);
void lp_api_get_partition_policy(LpCall *call);

void lp_api_get_score(LpCall *call);
void lp_api_post_optimize(LpCall *call);

void lp_api_get_pools(LpCall *call);
void lp_api_get_pool(LpCall *call);
void lp_api_put_pool(LpCall *call);
void lp_api_delete_pool(LpCall *call);
void lp_api_put_membership(LpCall *call);
void lp_api_delete_membership(LpCall *call);

void lp_api_get_events(LpCall *call);
void lp_api_end_streams(LpApi *api);

#endif
