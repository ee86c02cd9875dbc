/* Operations that another room carries out: kept, listed, journaled and told of here, as all others
 * are, but in no lane and without legs. */
#include "hotplug/fault.h"
#include "lpard/engine/engine-priv.h"
#include "lpard/error.h"

/* What the journal answers, or nobody any more. */
typedef struct {
    LpEngine *engine;
    LpOperation *operation;
    LpAcceptedFunc accepted;
    LpDurableFunc durable;
    void *data;
    LpOpState state;              /* of one that ends */
} Answer;

void
lp_engine_serve_foreign(LpEngine *engine, LpOpKind kind, const LpForeign *foreign)
{
    engine->foreign[kind] = foreign ? *foreign : (LpForeign){0};
}

bool
lp_engine_is_foreign(const LpEngine *engine, const LpOperation *operation)
{
    return engine->foreign[operation->request->kind].take_up != NULL;
}

static Answer *
answer_new(LpEngine *engine, LpOperation *operation)
{
    Answer *answer = g_new0(Answer, 1);

    answer->engine = engine;
    answer->operation = operation;
    g_ptr_array_add(engine->answers, answer);
    return answer;
}

/* Taken out of what the engine's end would drop. */
static Answer *
answer_take(void *data)
{
    Answer *answer = data;

    g_ptr_array_remove_fast(answer->engine->answers, answer);
    return answer;
}

static void
put(LpEngine *engine, LpOperation *operation, bool open, LpDurableFunc done, void *data)
{
    lp_journal_put_operation(engine->journal, operation->id, NULL, operation->request->key, open,
                             lp_operation_to_json(operation), done, data);
}

static void
drop(LpEngine *engine, LpOperation *operation)
{
    g_hash_table_remove(engine->operations, &operation->id);
}

/* It was never accepted, and nothing was done of it.  But what could not be brought to rest may be in the
 * journal's file all the same, where the next start would find it open: so it is closed there. */
static void
forget(LpEngine *engine, LpOperation *operation, const GError *error)
{
    operation->state = LP_OP_FAILED;
    operation->code = g_strdup("journal");
    operation->message = g_strdup(error->message);
    operation->finished_usec = g_get_monotonic_time();
    operation->finished_sec = g_get_real_time() / G_USEC_PER_SEC;
    put(engine, operation, false, NULL, NULL);
    drop(engine, operation);
}

static void
accepted_durable(const GError *error, void *data)
{
    g_autofree Answer *answer = answer_take(data);

    LP_FAULT(ACCEPT_BEFORE);
    answer->accepted(error ? NULL : answer->operation, error, answer->data);
    LP_FAULT(ACCEPT_AFTER);
    if (error)
        forget(answer->engine, answer->operation, error);
    else
        lp_operation_changed(answer->engine, answer->operation);
}

bool
lp_engine_add_foreign(LpEngine *engine, LpRequest *request, json_t *optimize,
                      LpAcceptedFunc accepted, void *data, GError **error)
{
    g_autoptr(LpRequest) owned = request;
    LpOperation *operation;
    bool answered = false;
    Answer *answer;

    if (!lp_engine_ready(engine, error)
        || !lp_engine_answer_repeated(engine, request, accepted, data, &answered, error)
        || answered) {
        json_decref(optimize);
        return answered;
    }
    operation = lp_operation_new(g_steal_pointer(&owned));
    operation->created_sec = g_get_real_time() / G_USEC_PER_SEC;
    operation->created_usec = g_get_monotonic_time();
    operation->id = lp_journal_next_id(engine->journal);
    operation->optimize = optimize;
    operation->on_record = true;
    g_hash_table_insert(engine->operations, &operation->id, operation);
    lp_operation_set_state(engine, operation, LP_OP_CHECKING);
    answer = answer_new(engine, operation);
    answer->accepted = accepted;
    answer->data = data;
    put(engine, operation, true, accepted_durable, answer);
    return true;
}

static void
record_durable(const GError *error, void *data)
{
    g_autofree Answer *answer = answer_take(data);

    if (answer->durable)
        answer->durable(error, answer->data);
}

void
lp_engine_record_foreign(LpEngine *engine, LpOperation *operation, LpDurableFunc durable,
                         void *data)
{
    Answer *answer = answer_new(engine, operation);

    if (!operation->started_usec)
        operation->started_usec = g_get_monotonic_time();
    lp_operation_set_state(engine, operation, LP_OP_RUNNING);
    answer->durable = durable;
    answer->data = data;
    LP_FAULT(OPTIMIZE_RECORD_BEFORE);
    put(engine, operation, true, record_durable, answer);
    LP_FAULT(OPTIMIZE_RECORD_AFTER);
}

void
lp_engine_tell_foreign(LpEngine *engine, LpOperation *operation, LpOpState state)
{
    if (operation->state == state)
        lp_operation_changed(engine, operation);
    else
        lp_operation_set_state(engine, operation, state);
}

static void
end_durable(const GError *error, void *data)
{
    g_autofree Answer *answer = answer_take(data);

    /* As for others: without a journal the result stands, and new work is refused. */
    (void) error;
    lp_operation_set_state(answer->engine, answer->operation, answer->state);
    lp_engine_keep_finished(answer->engine, answer->operation);
}

void
lp_engine_end_foreign(LpEngine *engine, LpOperation *operation, LpOpState state,
                      const char *code, const char *message)
{
    Answer *answer = answer_new(engine, operation);
    LpOpState shown = operation->state;

    g_free(operation->code);
    g_free(operation->message);
    operation->code = g_strdup(code);
    operation->message = g_strdup(message);
    operation->finished_usec = g_get_monotonic_time();
    operation->finished_sec = g_get_real_time() / G_USEC_PER_SEC;
    answer->state = state;
    operation->state = state;
    /* Told when it is on disk, so that no restart takes up what was told to have ended. */
    LP_FAULT(OPTIMIZE_CLOSE_WRITE_BEFORE);
    put(engine, operation, false, end_durable, answer);
    LP_FAULT(OPTIMIZE_CLOSE_WRITE_AFTER);
    operation->state = shown;
}

bool
lp_engine_cancel_foreign(LpEngine *engine, LpOperation *operation, GError **error)
{
    const LpForeign *foreign = &engine->foreign[operation->request->kind];

    if (LP_OP_IS_FINAL(operation->state) || operation->finished_usec) {
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                    "operation %" G_GINT64_FORMAT " has ended already", operation->id);
        return false;
    }
    operation->cancel_asked = true;
    lp_operation_changed(engine, operation);
    LP_FAULT(CANCEL_WRITE_BEFORE);
    put(engine, operation, true, NULL, NULL);
    LP_FAULT(CANCEL_WRITE_AFTER);
    foreign->cancel(operation, foreign->data);
    return true;
}

void
lp_engine_take_up_foreign(LpEngine *engine, LpOperation *operation)
{
    const LpForeign *foreign = &engine->foreign[operation->request->kind];

    foreign->take_up(operation, foreign->data);
}
