#include "lpard/engine/engine.h"

#include <string.h>

#include "hotplug/fault.h"
#include "lpard/engine/engine-priv.h"
#include "lpard/error.h"
#include "lpard/events.h"
#include "lpard/journal/journal.h"

typedef struct {
    LpOperationFunc func;
    void *data;
} Listener;

void
lp_operation_changed(LpEngine *engine, LpOperation *operation)
{
    operation->version++;
    if (LP_OP_IS_FINAL(operation->state))
        lp_requests_ended(engine, operation);
    for (guint i = 0; i < engine->listeners->len; i++) {
        Listener *listener = &g_array_index(engine->listeners, Listener, i);

        listener->func(operation, listener->data);
    }
}

void
lp_operation_set_state(LpEngine *engine, LpOperation *operation, LpOpState state)
{
    if (operation->state == state)
        return;
    operation->state = state;
    if (operation->id)
        lp_events_emit(engine->events, "operation",
                       json_pack("{s:I,s:s,s:s,s:s?,s:s?,s:I}", "id", (json_int_t) operation->id,
                                 "kind", lp_op_kind_name(operation->request->kind), "state",
                                 lp_op_state_name(state), "partition",
                                 operation->request->partition, "message", operation->message,
                                 "version", (json_int_t) operation->version + 1));
    lp_operation_changed(engine, operation);
}

void
lp_run_free(LpRun *run)
{
    if (run->deadline_source)
        g_source_remove(run->deadline_source);
    if (run->tick_source)
        g_source_remove(run->tick_source);
    if (run->lock_source)
        g_source_remove(run->lock_source);
    lp_run_qga_drop(run);
    if (run->queued)
        *run->queued = NULL;
    lp_consent_drop(run);
    g_ptr_array_remove_fast(run->engine->runs, run);
    if (run->ticket)
        lp_ticket_leave(run->ticket);
    g_free(run->end_message);
    g_free(run);
}

static void
start_run(LpTicket *ticket)
{
    LpRun *run = ticket->data;

    if (run->lock_source)
        g_source_remove(run->lock_source);
    run->lock_source = 0;
    g_clear_pointer(&run->operation->waits_for, g_free);
    lp_run_begin(run);
}

static gboolean
lock_timeout(gpointer data)
{
    LpRun *run = data;

    run->lock_source = 0;
    lp_run_end(run, LP_OP_TIMED_OUT, "lock-timeout",
               "the partition was busy with other operations for as long as --lock-timeout "
               "allows; nothing was changed");
    return G_SOURCE_REMOVE;
}

bool
lp_engine_ready(LpEngine *engine, GError **error)
{
    if (!lp_journal_ready(engine->journal, error))
        return false;
    if (!lp_registry_synced(engine->registry)) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNREACHABLE,
                    "the hypervisor at %s cannot be reached; is libvirtd running? lpard goes on "
                    "trying by itself",
                    lp_registry_uri(engine->registry));
        return false;
    }
    if (!engine->recovered) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL,
                    "nothing can be begun: what was open when lpard last ended cannot be read from "
                    "the journal; lpard goes on trying by itself, and its log says why");
        return false;
    }
    /* A look may answer while an effect still hangs, so calls that never came back count too. */
    if (MAX(lp_registry_n_stuck(engine->registry), lp_workers_abandoned(engine->workers))
        >= LP_STUCK_LANES_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_BUSY,
                    "%u partitions hang in calls that do not return, and libvirtd has hardly any "
                    "workers left; see `lparctl list` for which, and look after their QEMUs first",
                    MAX(lp_registry_n_stuck(engine->registry),
                        lp_workers_abandoned(engine->workers)));
        return false;
    }
    return true;
}

static LpPartition *
find_ready(LpEngine *engine, const char *name, GError **error)
{
    LpPartition *partition = lp_registry_find_enabled(engine->registry, name, error);
    const int64_t *unreadable;

    if (!partition)
        return NULL;
    if (partition->stuck) {
        g_set_error(error, LP_ERROR, LP_ERROR_BUSY,
                    "\"%s\" hangs: a call on it never came back (is its QEMU stopped?); lpard "
                    "looks again every few seconds",
                    partition->view->name);
        return NULL;
    }
    unreadable = g_hash_table_lookup(engine->unreadable, partition->uuid);
    if (unreadable) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL,
                    "\"%s\" is held: operation %" G_GINT64_FORMAT " on it is open in the journal "
                    "and cannot be read; see `lparctl show %s` for what became of it, then stop "
                    "lpard, delete that row of the journal with sqlite3, and start it again",
                    partition->view->name, *unreadable, partition->view->name);
        return NULL;
    }
    if (lp_engine_lane_depth(engine, partition->uuid) >= LP_LANE_QUEUE_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_BUSY,
                    "%d operations on \"%s\" wait already; let some end, or cancel them",
                    LP_LANE_QUEUE_MAX, partition->view->name);
        return NULL;
    }
    return partition;
}

static LpRun *
new_run(LpEngine *engine, LpOperation *operation)
{
    LpRun *run = g_new0(LpRun, 1);

    run->engine = engine;
    run->operation = operation;
    run->end_state = -1;
    g_ptr_array_add(engine->runs, run);
    return run;
}

/* Legs, ticket and place in the lanes. */
static void
enter_lanes(LpRun *run, const char *uuid, const char *other)
{
    LpOperation *operation = run->operation;
    g_autofree char *what = g_strdup_printf("operation %" G_GINT64_FORMAT " (%s)", operation->id,
                                            lp_op_kind_name(operation->request->kind));

    run->ticket = lp_ticket_new(run->engine, uuid, other, what, start_run, run);
    lp_ticket_enter(run->ticket);
}

static void
queued_durable(const GError *error, void *data)
{
    g_autofree LpRun **queued = data;
    LpRun *run = *queued;
    LpAcceptedFunc accepted;

    /* It may have got the lane, been cancelled or have ended while the disk was slow. */
    if (!run)
        return;
    run->queued = NULL;
    /* One at work has its own intent, which may come to disk where this did not: who asked is
     * answered for that.  One whose guest is still asked has none. */
    if (error && run->operation->started_usec && !run->consent_then) {
        run->operation->on_record = false;
        return;
    }
    accepted = g_steal_pointer(&run->accepted);
    if (error) {
        if (accepted)
            accepted(NULL, error, run->accepted_data);
        lp_run_end(run, LP_OP_FAILED, "journal", error->message);
        return;
    }
    LP_FAULT(ACCEPT_BEFORE);
    if (accepted)
        accepted(run->operation, NULL, run->accepted_data);
    LP_FAULT(ACCEPT_AFTER);
}

void
lp_run_record(LpRun *run)
{
    LpOperation *operation = run->operation;

    if (run->queued || operation->on_record)
        return;
    operation->on_record = true;
    run->queued = g_new(LpRun *, 1);
    *run->queued = run;
    lp_journal_put_operation(run->engine->journal, operation->id, run->ticket->keys[0],
                             operation->request->key, true, lp_operation_to_json(operation),
                             queued_durable, run->queued);
}

/* What a busy lane means for a new operation: it is on record at once, and may give up waiting. */
static void
wait_in_lane(LpRun *run)
{
    LpOperation *operation = run->operation;

    operation->waits_for = lp_ticket_waits_for(run->ticket);
    if (operation->request->lock_timeout_sec)
        run->lock_source = g_timeout_add_seconds(operation->request->lock_timeout_sec,
                                                 lock_timeout, run);
    lp_operation_changed(run->engine, operation);
    lp_run_record(run);
}

/* The operation that used the key, also before a restart; NULL: none did. */
static LpOperation *
find_by_key(LpEngine *engine, const char *key, GError **error)
{
    GHashTableIter iter;
    LpOperation *operation;
    json_t *body;

    g_hash_table_iter_init(&iter, engine->operations);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &operation))
        if (g_strcmp0(operation->request->key, key) == 0)
            return operation;
    body = lp_journal_by_key(engine->journal, key, error);
    operation = body ? lp_operation_from_json(body, NULL) : NULL;
    json_decref(body);
    if (!operation)
        return NULL;
    g_hash_table_insert(engine->operations, &operation->id, operation);
    lp_engine_keep_finished(engine, operation);
    return operation;
}

/* A repeated key: the same request gets the same operation, another one an error. */
bool
lp_engine_answer_repeated(LpEngine *engine, const LpRequest *request, LpAcceptedFunc accepted,
                          void *data, bool *ret_answered, GError **error)
{
    g_autoptr(GError) unknown = NULL;
    LpOperation *operation = request->key ? find_by_key(engine, request->key, &unknown) : NULL;
    json_t *one, *two;

    *ret_answered = false;
    if (unknown) {
        /* Whether it was used is not known, and twice is worse than not at all. */
        g_propagate_error(error, g_steal_pointer(&unknown));
        return false;
    }
    if (!operation)
        return true;
    one = lp_request_to_json(operation->request);
    two = lp_request_to_json(request);
    *ret_answered = json_equal(one, two);
    json_decref(one);
    json_decref(two);
    if (*ret_answered) {
        accepted(operation, NULL, data);
        return true;
    }
    g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                "the idempotency key \"%s\" was used for another request (operation "
                "%" G_GINT64_FORMAT ")",
                request->key, operation->id);
    return false;
}

static bool
find_both(LpEngine *engine, const LpRequest *request, LpPartition **ret_from, LpPartition **ret_to,
          GError **error)
{
    *ret_to = NULL;
    *ret_from = find_ready(engine, request->partition, error);
    if (!*ret_from)
        return false;
    if (!request->to)
        return true;
    *ret_to = find_ready(engine, request->to, error);
    if (*ret_to == *ret_from) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "a move needs two partitions; both names are \"%s\"",
                    (*ret_from)->view->name);
        return false;
    }
    return *ret_to != NULL;
}

static bool
submit(LpEngine *engine, LpRequest *request, bool dry, LpAcceptedFunc accepted, void *data,
       GError **error)
{
    g_autoptr(LpRequest) owned = request;
    LpPartition *from, *to;
    LpOperation *operation;
    LpRun *run;
    bool answered;

    if (request->kind == LP_OP_SHIFT) {
        /* What it has in all stays, and so does its definition; only a device can do it. */
        request->live_only = request->keep_desired = true;
        request->via = LP_VIA_VIRTIO_MEM;
    }
    if (!request->partition) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "an operation of kind \"%s\" is of the host, not of a partition; it is begun "
                    "with `lparctl optimize`",
                    lp_op_kind_name(request->kind));
        return false;
    }
    if (!lp_engine_ready(engine, error) || !find_both(engine, request, &from, &to, error))
        return false;
    /* Names in the record are the domain's own, whatever was typed. */
    g_free(request->partition);
    request->partition = g_strdup(from->view->name);
    if (to) {
        g_free(request->to);
        request->to = g_strdup(to->view->name);
    }
    if (!lp_engine_answer_repeated(engine, request, accepted, data, &answered, error))
        return false;
    if (answered)
        return true;
    operation = lp_operation_new(g_steal_pointer(&owned));
    operation->created_sec = g_get_real_time() / G_USEC_PER_SEC;
    operation->created_usec = g_get_monotonic_time();
    g_ptr_array_add(operation->legs, lp_leg_new(from->uuid, from->view->name));
    if (to)
        g_ptr_array_add(operation->legs, lp_leg_new(to->uuid, to->view->name));
    else if (operation->request->kind == LP_OP_SHIFT)
        g_ptr_array_add(operation->legs, lp_leg_new(from->uuid, from->view->name));
    run = new_run(engine, operation);
    run->accepted = accepted;
    run->accepted_data = data;
    run->dry = dry;
    if (dry) {
        /* A plan waits for nobody: it is true at the moment of looking. */
        lp_run_begin(run);
        return true;
    }
    operation->id = lp_journal_next_id(engine->journal);
    g_hash_table_insert(engine->operations, &operation->id, operation);
    enter_lanes(run, from->uuid, to ? to->uuid : NULL);
    /* Still waiting: the run was not begun by the ticket. */
    if (operation->state == LP_OP_QUEUED && !operation->started_usec)
        wait_in_lane(run);
    return true;
}

bool
lp_engine_submit(LpEngine *engine, LpRequest *request, LpAcceptedFunc accepted, void *data,
                 GError **error)
{
    return submit(engine, request, false, accepted, data, error);
}

bool
lp_engine_plan(LpEngine *engine, LpRequest *request, LpAcceptedFunc done, void *data,
               GError **error)
{
    return submit(engine, request, true, done, data, error);
}

LpOperation *
lp_engine_find(LpEngine *engine, int64_t id)
{
    return g_hash_table_lookup(engine->operations, &id);
}

static gint
newest_first(gconstpointer a, gconstpointer b)
{
    const LpOperation *const *left = a, *const *right = b;

    return (*left)->id < (*right)->id ? 1 : -1;
}

GPtrArray *
lp_engine_list(LpEngine *engine)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    gpointer operation;

    g_hash_table_iter_init(&iter, engine->operations);
    while (g_hash_table_iter_next(&iter, NULL, &operation))
        g_ptr_array_add(list, operation);
    g_ptr_array_sort(list, newest_first);
    return list;
}

static LpRun *
run_of(LpEngine *engine, const LpOperation *operation)
{
    for (guint i = 0; i < engine->runs->len; i++) {
        LpRun *run = g_ptr_array_index(engine->runs, i);

        if (run->operation == operation)
            return run;
    }
    return NULL;
}

/* No restart forgets it. */
static void
record_cancel(LpRun *run)
{
    LpOperation *operation = run->operation;
    const LpLeg *leg = lp_run_leg_now(run);

    lp_run_decide(run, LP_OP_CANCELLED, "cancelled", "cancelled; what was done is kept");
    /* One that is not on record was not accepted either. */
    if (!operation->on_record && !(leg && leg->begun))
        return;
    LP_FAULT(CANCEL_WRITE_BEFORE);
    lp_journal_put_operation(run->engine->journal, operation->id, leg->uuid,
                             operation->request->key, true, lp_operation_to_json(operation), NULL,
                             NULL);
    LP_FAULT(CANCEL_WRITE_AFTER);
}

bool
lp_engine_cancel(LpEngine *engine, int64_t id, GError **error)
{
    LpOperation *operation = lp_engine_find(engine, id);
    LpRun *run;

    if (!operation) {
        g_set_error(error, LP_ERROR, LP_ERROR_NO_OPERATION,
                    "there is no open operation %" G_GINT64_FORMAT "; `lparctl op list` shows "
                    "them", id);
        return false;
    }
    if (lp_engine_is_foreign(engine, operation))
        return lp_engine_cancel_foreign(engine, operation, error);
    run = run_of(engine, operation);
    if (LP_OP_IS_FINAL(operation->state) || !run) {
        g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                    "operation %" G_GINT64_FORMAT " has ended already%s%s", id,
                    run ? ": " : "", run ? lp_op_state_name(operation->state) : "");
        return false;
    }
    operation->cancel_asked = true;
    lp_operation_changed(engine, operation);
    if (operation->started_usec)
        record_cancel(run);
    if (operation->started_usec)
        lp_run_stop(run, LP_OP_CANCELLED, "cancelled", "cancelled; what was done is kept");
    else
        lp_run_end(run, LP_OP_CANCELLED, "cancelled", "cancelled before it began");
    return true;
}

void
lp_engine_listen(LpEngine *engine, LpOperationFunc func, void *data)
{
    Listener listener = {func, data};

    g_array_append_val(engine->listeners, listener);
}

/* ---- what happens around the operations ---- */

static void
on_change(LpChange change, LpPartition *partition, const char *alias, void *data)
{
    LpEngine *engine = data;
    g_autoptr(GPtrArray) runs = g_ptr_array_copy(engine->runs, NULL, NULL);

    if (change == LP_CHANGE_CONNECTED && !engine->recovered)
        lp_engine_recover(engine);
    for (guint i = 0; i < runs->len; i++) {
        LpRun *run = g_ptr_array_index(runs, i);
        LpLeg *leg;

        if (!g_ptr_array_find(engine->runs, run, NULL) || !run->operation->started_usec)
            continue;
        if (run->consent_then) {
            lp_consent_look(run);
            if (!g_ptr_array_find(engine->runs, run, NULL))
                continue;
        }
        leg = lp_run_leg_now(run);
        if (partition && (!leg || strcmp(leg->uuid, partition->uuid) != 0))
            continue;
        if (change == LP_CHANGE_GONE) {
            run->migrated = lp_partition_migrated(partition);
            run->partition = NULL;
        }
        if (change == LP_CHANGE_DEVICE_REFUSED || change == LP_CHANGE_DEVICE_REMOVED)
            lp_run_device(run, alias, change == LP_CHANGE_DEVICE_REMOVED);
        if (run->partition == partition || !partition || change == LP_CHANGE_GONE)
            lp_run_pump(run);
    }
    if (partition && (change == LP_CHANGE_VIEW))
        lp_engine_tidy(engine, partition);
    if (partition && (change == LP_CHANGE_GUEST_LOST || change == LP_CHANGE_GONE))
        lp_requests_lost(engine, partition);
}

static void
on_guest(LpPartition *partition, const LpWireMessage *message, void *data)
{
    LpEngine *engine = data;

    if (message->kind == LP_WIRE_ANSWER)
        lp_consent_answer(engine, partition, &message->answer);
    else if (message->kind == LP_WIRE_STOP)
        lp_consent_stop(engine, partition, &message->stop);
    else if (message->kind == LP_WIRE_ASK)
        lp_requests_heard(engine, partition, &message->ask);
}

void
lp_engine_refuse_asks(LpEngine *engine)
{
    engine->refuse_asks = true;
}

const LpConsentCounts *
lp_engine_consent_counts(const LpEngine *engine)
{
    return &engine->counts;
}

static void
operation_free(gpointer data)
{
    lp_operation_free(data);
}

LpEngine *
lp_engine_new(LpRegistry *registry, LpWorkers *workers, LpJournal *journal, LpEvents *events,
              uint32_t timeout_sec)
{
    LpEngine *engine = g_new0(LpEngine, 1);

    engine->registry = registry;
    engine->workers = workers;
    engine->journal = journal;
    engine->events = events;
    engine->timeout_sec = timeout_sec;
    engine->lanes = lp_lanes_new();
    engine->unreadable = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    engine->operations = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                               operation_free);
    g_queue_init(&engine->finished);
    engine->runs = g_ptr_array_new();
    engine->definitions = g_ptr_array_new();
    engine->askers = g_ptr_array_new_with_free_func(g_free);
    engine->endings = g_ptr_array_new_with_free_func(g_free);
    engine->answers = g_ptr_array_new();
    engine->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
    engine->asks = g_ptr_array_new_with_free_func(g_free);
    lp_registry_listen(registry, on_change, engine);
    lp_registry_hear(registry, on_guest, engine);
    return engine;
}

static void
free_answer(gpointer answer, gpointer data)
{
    (void) data;
    g_free(answer);
}

void
lp_engine_free(LpEngine *engine)
{
    if (!engine)
        return;
    lp_engine_end_definitions(engine);
    while (engine->runs->len) {
        LpRun *run = g_ptr_array_index(engine->runs, 0);

        /* The journal answers nobody any more. */
        g_clear_pointer(&run->queued, g_free);
        lp_run_free(run);
    }
    g_ptr_array_unref(engine->asks);
    g_ptr_array_unref(engine->definitions);
    g_ptr_array_unref(engine->askers);
    g_ptr_array_unref(engine->endings);
    g_ptr_array_foreach(engine->answers, free_answer, NULL);
    g_ptr_array_unref(engine->answers);
    g_ptr_array_unref(engine->runs);
    g_hash_table_unref(engine->operations);
    g_hash_table_unref(engine->lanes);
    g_hash_table_unref(engine->unreadable);
    g_clear_handle_id(&engine->tidy_source, g_source_remove);
    g_clear_handle_id(&engine->recover_source, g_source_remove);
    g_queue_clear(&engine->finished);
    g_array_unref(engine->listeners);
    g_free(engine);
}
