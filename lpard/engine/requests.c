/* What guests ask for: another size of their own partition, within the profile's bounds, as an
 * operation like any other.  A guest that asks too much or too often is refused, and costs no
 * more than the answer. */
#include <string.h>

#include "lpard/engine/engine-priv.h"
#include "lpard/error.h"

/* A program that asks more often does not wait for what became of its last request. */
#define ASK_PAUSE_USEC (5 * G_USEC_PER_SEC)
/* Longer names of domains are not shown to their guest's audit; the UUID is. */
#define NAME_MAX_BYTES 160

typedef struct {
    LpEngine *engine;
    char uuid[40];
    uint64_t ask_id;              /* the guest's */
    int64_t operation;            /* 0: not accepted yet */
    int64_t heard_usec;
    bool open;                    /* not answered finally */
    bool lost;                    /* whoever asked is not there any more */
} Ask;

static void
answer(Ask *ask, bool final, int64_t operation, const char *state, const char *message)
{
    LpPartition *partition = lp_registry_by_uuid(ask->engine->registry, ask->uuid);
    LpWireResult result = {.id = ask->ask_id, .final = final, .operation = (uint64_t) operation};
    const char *end;

    ask->open = ask->open && !final;
    if (!partition || ask->lost)
        return;
    g_strlcpy(result.state, state, sizeof result.state);
    g_strlcpy(result.message, message ? message : "", sizeof result.message);
    /* Cut between characters. */
    if (!g_utf8_validate(result.message, -1, &end))
        result.message[end - result.message] = '\0';
    (void) lp_registry_result(partition, &result);
}

static void
refuse(Ask *ask, const char *message)
{
    ask->engine->counts.asks_refused++;
    answer(ask, true, 0, lp_op_state_name(LP_OP_REFUSED), message);
}

/* The last of that guest, open or not. */
static Ask *
last_ask(LpEngine *engine, const char *uuid)
{
    for (guint i = engine->asks->len; i-- > 0;) {
        Ask *ask = g_ptr_array_index(engine->asks, i);

        if (strcmp(ask->uuid, uuid) == 0)
            return ask;
    }
    return NULL;
}

/* Those of guests that may ask again need not be remembered. */
static void
forget_old(LpEngine *engine)
{
    int64_t now = g_get_monotonic_time();

    for (guint i = engine->asks->len; i-- > 0;) {
        const Ask *ask = g_ptr_array_index(engine->asks, i);

        if (!ask->open && now - ask->heard_usec >= ASK_PAUSE_USEC)
            g_ptr_array_remove_index(engine->asks, i);
    }
}

/* Why it may not ask now; NULL: it may.  Static text. */
static const char *
why_not(const LpEngine *engine, const LpPartition *partition, const Ask *last)
{
    int64_t until = lp_partition_has_profile(partition) ? partition->profile.hold_until_sec : 0;

    if (engine->refuse_asks)
        return "this host takes no requests from guests ([guests] requests in lpard.conf)";
    if (until > g_get_real_time() / G_USEC_PER_SEC)
        return "the operator holds this partition as it is; ask again later";
    if (last && last->open)
        return "another request of this guest is under way; wait for its result";
    if (last && g_get_monotonic_time() - last->heard_usec < ASK_PAUSE_USEC)
        return "this guest asked less than 5 s ago; ask again later";
    return NULL;
}

static LpAmountMode
mode_of(LpWireMode mode)
{
    return mode == LP_WIRE_MODE_ADD      ? LP_AMOUNT_ADD
           : mode == LP_WIRE_MODE_REMOVE ? LP_AMOUNT_REMOVE
                                         : LP_AMOUNT_SET;
}

/* By way of the API's form, so that it is checked as an operator's. */
static LpRequest *
request_of(const LpPartition *partition, const LpWireAsk *wanted, GError **error)
{
    const char *name = strlen(partition->view->name) <= NAME_MAX_BYTES ? partition->view->name
                                                                       : partition->uuid;
    g_autofree char *requester = g_strdup_printf("guest %s: %s", name, wanted->who);
    LpRequest raw = {
        .kind = LP_OP_RESIZE, .partition = partition->uuid, .requester = requester,
        .cpu_mode = wanted->has_cpu ? mode_of(wanted->cpu_mode) : LP_AMOUNT_NONE,
        .cpu = wanted->cpu,
        .mem_mode = wanted->has_mem ? mode_of(wanted->mem_mode) : LP_AMOUNT_NONE,
        .mem_bytes = wanted->mem_bytes,
    };
    char why[LP_WIRE_TEXT_MAX];
    json_t *json;
    LpRequest *request;

    g_strlcpy(why, wanted->why, sizeof why);
    raw.why = *why ? why : NULL;
    json = lp_request_to_json(&raw);
    request = lp_request_from_json(json, error);
    json_decref(json);
    return request;
}

static void
on_accepted(LpOperation *operation, const GError *error, void *data)
{
    Ask *ask = data;

    if (error) {
        refuse(ask, error->message);
        return;
    }
    ask->operation = operation->id;
    if (LP_OP_IS_FINAL(operation->state))
        lp_requests_ended(ask->engine, operation);
    else
        answer(ask, false, operation->id, lp_op_state_name(operation->state), NULL);
}

void
lp_requests_heard(LpEngine *engine, LpPartition *partition, const LpWireAsk *wanted)
{
    g_autoptr(GError) error = NULL;
    const char *reason;
    LpRequest *request;
    Ask *ask;

    engine->counts.asks++;
    forget_old(engine);
    reason = why_not(engine, partition, last_ask(engine, partition->uuid));
    if (reason) {
        Ask refused = {.engine = engine, .ask_id = wanted->id};

        g_strlcpy(refused.uuid, partition->uuid, sizeof refused.uuid);
        refuse(&refused, reason);
        return;
    }
    ask = g_new0(Ask, 1);
    ask->engine = engine;
    g_strlcpy(ask->uuid, partition->uuid, sizeof ask->uuid);
    ask->ask_id = wanted->id;
    ask->heard_usec = g_get_monotonic_time();
    ask->open = true;
    g_ptr_array_add(engine->asks, ask);
    request = request_of(partition, wanted, &error);
    if (!request || !lp_engine_submit(engine, request, on_accepted, ask, &error))
        refuse(ask, error->message);
}

void
lp_requests_lost(LpEngine *engine, const LpPartition *partition)
{
    for (guint i = 0; i < engine->asks->len; i++) {
        Ask *ask = g_ptr_array_index(engine->asks, i);

        if (strcmp(ask->uuid, partition->uuid) == 0)
            ask->lost = true;
    }
}

void
lp_requests_ended(LpEngine *engine, const LpOperation *operation)
{
    for (guint i = 0; i < engine->asks->len; i++) {
        Ask *ask = g_ptr_array_index(engine->asks, i);

        if (!ask->open || ask->operation != operation->id || !operation->id)
            continue;
        if (operation->state == LP_OP_REFUSED)
            engine->counts.asks_refused++;
        answer(ask, true, operation->id, lp_op_state_name(operation->state), operation->message);
        return;
    }
}
