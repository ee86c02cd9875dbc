/* After a restart: operations that were open are taken up again by what the hypervisor says now.  Also
 * the definitions' turn in the lanes. */
#include <string.h>

#include "hotplug/fault.h"
#include "lpard/engine/engine-priv.h"
#include "lpard/error.h"
#include "lpard/journal/journal.h"

static void
recovered_run(LpTicket *ticket)
{
    lp_run_begin(ticket->data);
}

/* Nobody knows what was to be done with it: it is held until somebody has looked, and all others go
 * on. */
static void
hold(LpEngine *engine, const json_t *row, const char *why)
{
    const char *uuid = json_string_value(json_object_get(row, "uuid"));
    int64_t *id = g_new(int64_t, 1);

    *id = json_integer_value(json_object_get(row, "id"));
    g_warning("operation %" G_GINT64_FORMAT " is open in the journal and is left alone: %s%s%s", *id,
              why, uuid ? "; held until it is dealt with: the partition " : "", uuid ? uuid : "");
    if (uuid)
        g_hash_table_replace(engine->unreadable, g_strdup(uuid), id);
    else
        g_free(id);
}

/* A decision made before the restart stands. */
static void
take_ending(LpRun *run)
{
    const LpOperation *operation = run->operation;

    if (LP_OP_IS_FINAL(operation->ending)) {
        run->end_state = (int) operation->ending;
        run->end_code = operation->ending_code;
        run->end_message = g_strdup(operation->ending_message);
        run->stop = operation->ending_leg == operation->leg && run->resumed;
    } else if (run->undoing) {
        lp_run_decide(run, LP_OP_FAILED, "failed", "not all was reached");
        run->stop = false;
    }
}

static void
recover_one(LpEngine *engine, json_t *row)
{
    g_autoptr(GError) error = NULL;
    LpOperation *operation = lp_operation_from_json(json_object_get(row, "body"), &error);
    LpLeg *first;
    LpRun *run;

    if (!operation) {
        hold(engine, row, error->message);
        return;
    }
    /* What a row says of its own number is what it is known by from here on. */
    if (operation->id != json_integer_value(json_object_get(row, "id")) ||
        g_hash_table_contains(engine->operations, &operation->id)) {
        hold(engine, row, "the number that it says it has is another's");
        lp_operation_free(operation);
        return;
    }
    operation->recovered = operation->on_record = true;
    operation->created_usec = g_get_monotonic_time();
    g_hash_table_insert(engine->operations, &operation->id, operation);
    if (lp_engine_is_foreign(engine, operation)) {
        lp_engine_take_up_foreign(engine, operation);
        return;
    }
    if (operation->legs->len == 0) {
        g_warning("operation %" G_GINT64_FORMAT " of kind %s has nobody to take it up",
                  operation->id, lp_op_kind_name(operation->request->kind));
        return;
    }
    run = g_new0(LpRun, 1);
    run->engine = engine;
    run->operation = operation;
    run->end_state = -1;
    g_ptr_array_add(engine->runs, run);
    first = g_ptr_array_index(operation->legs, 0);
    for (guint i = 0; i < operation->legs->len; i++) {
        LpLeg *leg = g_ptr_array_index(operation->legs, i);

        leg->taken_up = leg->begun;
        run->undoing |= leg->undo && leg->begun;
        /* A leg was begun only when those before it had ended. */
        if (leg->begun)
            operation->leg = i;
    }
    run->resumed = lp_run_leg_now(run)->begun;
    take_ending(run);
    run->ticket = lp_ticket_new(
        engine, first->uuid,
        operation->request->kind == LP_OP_MOVE
            ? ((LpLeg *) g_ptr_array_index(operation->legs, 1))->uuid
            : NULL,
        "an operation taken up again after a restart", recovered_run, run);
    lp_ticket_enter(run->ticket);
}

/* Others may have the file for a moment; nobody waits for longer than this. */
#define RECOVER_AGAIN_SEC 1

static gboolean
on_recover_again(void *data)
{
    LpEngine *engine = data;

    engine->recover_source = 0;
    lp_engine_recover(engine);
    return G_SOURCE_REMOVE;
}

/* Nothing new is begun before it is known what is open: lp_engine_ready(). */
static void
recover_again(LpEngine *engine, const GError *why)
{
    if (!engine->recover_told)
        g_warning("the journal's open operations cannot be read: %s; nothing is begun before they "
                  "are, and lpard tries again every second", why->message);
    engine->recover_told = true;
    if (!engine->recover_source)
        engine->recover_source = g_timeout_add_seconds(RECOVER_AGAIN_SEC, on_recover_again, engine);
}

void
lp_engine_recover(LpEngine *engine)
{
    g_autoptr(GError) error = NULL;
    json_t *rows, *unreadable = NULL, *row;
    size_t index;

    if (engine->recovered)
        return;
    LP_FAULT(RECOVER_BEFORE);
    rows = lp_journal_open_operations(engine->journal, &error);
    if (rows)
        unreadable = lp_journal_unreadable_operations(engine->journal, &error);
    if (error) {
        recover_again(engine, error);
        json_decref(unreadable);
        json_decref(rows);
        return;
    }
    engine->recovered = true;
    json_array_foreach(rows, index, row) {
        LP_FAULT(RECOVER_ROW_BEFORE);
        recover_one(engine, row);
        LP_FAULT(RECOVER_ROW_AFTER);
    }
    json_array_foreach(unreadable, index, row)
        hold(engine, row, "its row is damaged");
    json_decref(unreadable);
    json_decref(rows);
    LP_FAULT(RECOVER_AFTER);
}

/* ---- definitions in the lanes ---- */

/* Reads, edits and defines XML: a few calls in a row. */
#define DEFINITION_DEADLINE_MSEC 30000

/* Held by the engine until it is answered, and by the worker until it lets go, which for an
 * abandoned one may be long after. */
typedef struct {
    LpEngine *engine;
    LpTicket *ticket;
    char *uuid;
    LpDefinitionFunc func;
    LpDefinitionDone done;
    void *data;
    GDestroyNotify free_data;     /* or NULL: the caller's own care */
    bool over;                    /* was answered; main loop only */
} Definition;

static void
definition_clear(void *data)
{
    Definition *definition = data;

    if (definition->free_data)
        definition->free_data(definition->data);
    g_free(definition->uuid);
}

static void
definition_release(void *data)
{
    g_atomic_rc_box_release_full(data, definition_clear);
}

static bool
definition_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Definition *definition = data;
    bool ok;

    LP_FAULT(DEFINITION_BEFORE);
    ok = definition->func(driver, conn, definition->data, error);
    LP_FAULT(DEFINITION_AFTER);
    return ok;
}

static void
definition_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    Definition *definition = user;

    (void) data;
    (void) abandoned;
    if (definition->over)
        return;
    definition->over = true;
    g_ptr_array_remove_fast(definition->engine->definitions, definition);
    if (definition->uuid)
        lp_registry_look(definition->engine->registry, definition->uuid);
    definition->done(ok, error, definition->data);
    if (definition->ticket)
        lp_ticket_leave(definition->ticket);
    definition_release(definition);
}

void
lp_engine_end_definitions(LpEngine *engine)
{
    g_autoptr(GError) error = g_error_new(LP_ERROR, LP_ERROR_UNREACHABLE,
                                          "lpard is ending; what became of it is in `lparctl "
                                          "show` when it runs again");

    while (engine->definitions->len)
        definition_done(false, true, NULL, error, g_ptr_array_index(engine->definitions, 0));
}

static void
definition_run(LpTicket *ticket)
{
    Definition *definition = ticket->data;
    LpPartition *partition = lp_registry_by_uuid(definition->engine->registry,
                                                 definition->uuid);

    if (!partition) {
        g_autoptr(GError) error = g_error_new(LP_ERROR, LP_ERROR_NO_PARTITION,
                                              "the domain is gone");

        definition_done(false, false, NULL, error, definition);
        return;
    }
    g_atomic_rc_box_acquire(definition);
    lp_registry_call(definition->engine->registry, partition, definition_job, definition,
                     definition_release, DEFINITION_DEADLINE_MSEC, definition_done, definition);
}

static bool
may_define(LpEngine *engine, const char *uuid, GError **error)
{
    if (!lp_journal_ready(engine->journal, error))
        return false;
    if (!lp_registry_synced(engine->registry)) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNREACHABLE,
                    "the hypervisor at %s cannot be reached; is libvirtd running?",
                    lp_registry_uri(engine->registry));
        return false;
    }
    if (uuid && lp_engine_lane_depth(engine, uuid) >= LP_LANE_QUEUE_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_BUSY, "too many operations wait on it already");
        return false;
    }
    return true;
}

static void
enter_definition(LpEngine *engine, const char *uuid, const char *what, LpDefinitionFunc func,
                 LpDefinitionDone done, void *data, GDestroyNotify free_data)
{
    Definition *definition = g_atomic_rc_box_new0(Definition);

    g_ptr_array_add(engine->definitions, definition);
    definition->engine = engine;
    definition->free_data = free_data;
    definition->uuid = g_strdup(uuid);
    definition->func = func;
    definition->done = done;
    definition->data = data;
    if (!uuid) {
        g_atomic_rc_box_acquire(definition);
        lp_workers_run(engine->workers, definition_job, definition, definition_release,
                       DEFINITION_DEADLINE_MSEC, definition_done, definition);
        return;
    }
    definition->ticket = lp_ticket_new(engine, uuid, NULL, what, definition_run, definition);
    lp_ticket_enter(definition->ticket);
}

bool
lp_engine_definition(LpEngine *engine, const char *uuid, const char *what, LpDefinitionFunc func,
                     LpDefinitionDone done, void *data, GDestroyNotify free_data,
                     GError **error)
{
    if (!may_define(engine, uuid, error))
        return false;
    enter_definition(engine, uuid, what, func, done, data, free_data);
    return true;
}
