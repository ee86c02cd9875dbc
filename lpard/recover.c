/* After a restart, and after the fact: operations that were open are taken up again by what the
 * hypervisor says now, and vCPUs that left late are taken off the record. Also the definitions'
 * turn in the lanes. */
#include <string.h>

#include "lpard/engine-priv.h"
#include "lpard/error.h"
#include "lpard/journal.h"
#include "lpard/profile-xml.h"

static void
recovered_run(LpTicket *ticket)
{
    lp_run_begin(ticket->data);
}

static void
recover_one(LpEngine *engine, json_t *row)
{
    g_autoptr(GError) error = NULL;
    LpOperation *operation = lp_operation_from_json(json_object_get(row, "body"), &error);
    LpLeg *first;
    LpRun *run;

    if (!operation) {
        g_warning("an open operation in the journal cannot be read and is left alone: %s",
                  error->message);
        return;
    }
    operation->recovered = true;
    operation->created_usec = g_get_monotonic_time();
    g_hash_table_insert(engine->operations, &operation->id, operation);
    run = g_new0(LpRun, 1);
    run->engine = engine;
    run->operation = operation;
    run->end_state = -1;
    g_ptr_array_add(engine->runs, run);
    first = g_ptr_array_index(operation->legs, 0);
    for (guint i = 0; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);

        run->undoing |= leg->undo && leg->begun;
        /* Legs before the last one begun have ended, or their target is reached again at once. */
        if (leg->begun && leg->undo)
            operation->leg = i;
    }
    run->ticket = lp_ticket_new(
        engine, first->uuid,
        operation->request->kind == LP_OP_MOVE
            ? ((LpLeg *) g_ptr_array_index(operation->legs, 1))->uuid
            : NULL,
        "an operation taken up again after a restart", recovered_run, run);
    lp_ticket_enter(run->ticket);
}

void
lp_engine_recover(LpEngine *engine)
{
    g_autoptr(GError) error = NULL;
    json_t *rows, *row;
    size_t index;

    if (engine->recovered)
        return;
    engine->recovered = true;
    rows = lp_journal_open_operations(engine->journal, &error);
    if (!rows) {
        g_warning("the journal's open operations cannot be read: %s", error->message);
        return;
    }
    json_array_foreach(rows, index, row)
        recover_one(engine, row);
    json_decref(rows);
}

/* ---- definitions in the lanes ---- */

/* Reads, edits and defines XML: a few calls in a row. */
#define DEFINITION_DEADLINE_MSEC 30000

typedef struct {
    LpEngine *engine;
    LpTicket *ticket;
    char *uuid;
    LpDefinitionFunc func;
    LpDefinitionDone done;
    void *data;
} Definition;

static bool
definition_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Definition *definition = data;

    return definition->func(driver, conn, definition->data, error);
}

static void
definition_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    Definition *definition = user;

    (void) data;
    if (definition->uuid)
        lp_registry_look(definition->engine->registry, definition->uuid);
    definition->done(ok, error, definition->data);
    if (definition->ticket)
        lp_ticket_leave(definition->ticket);
    /* An abandoned thread still holds it; it is small, and such threads are bounded. */
    if (abandoned)
        return;
    g_free(definition->uuid);
    g_free(definition);
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
    lp_registry_call(definition->engine->registry, partition, definition_job, definition, NULL,
                     DEFINITION_DEADLINE_MSEC, definition_done, definition);
}

bool
lp_engine_definition(LpEngine *engine, const char *uuid, const char *what, LpDefinitionFunc func,
                     LpDefinitionDone done, void *data, GError **error)
{
    Definition *definition;
    const char *message;

    if (!lp_journal_healthy(engine->journal, &message)) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "nothing can be begun: %s", message);
        return false;
    }
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
    definition = g_new0(Definition, 1);
    definition->engine = engine;
    definition->uuid = g_strdup(uuid);
    definition->func = func;
    definition->done = done;
    definition->data = data;
    if (!uuid) {
        lp_workers_run(engine->workers, definition_job, definition, NULL,
                       DEFINITION_DEADLINE_MSEC, definition_done, definition);
        return true;
    }
    definition->ticket = lp_ticket_new(engine, uuid, NULL, what, definition_run, definition);
    lp_ticket_enter(definition->ticket);
    return true;
}

/* ---- late removals ---- */

typedef struct {
    LpEngine *engine;
    char *uuid, *metadata;
    LpCapacityLimits limits;
    bool set_limits;
} Tidy;

static bool
tidy_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Tidy *tidy = data;

    return driver->set_metadata(conn, tidy->uuid, tidy->metadata, error)
           && (!tidy->set_limits || driver->set_capacity(conn, tidy->uuid, &tidy->limits, error));
}

static void
tidy_done(bool ok, const GError *error, void *data)
{
    Tidy *tidy = data;

    if (!ok)
        g_warning("a vCPU that left late could not be taken off the record: %s", error->message);
    g_free(tidy->uuid);
    g_free(tidy->metadata);
    g_free(tidy);
}

void
lp_engine_tidy(LpEngine *engine, LpPartition *partition)
{
    const LpView *view = partition->view;
    LpProfile profile;
    Tidy *tidy;

    if (!lp_partition_has_profile(partition) || view->run != LP_RUN_RUNNING
        || lp_cpumask_covers(&view->plugged, &partition->profile.folded)
        || lp_engine_lane_depth(engine, partition->uuid) > 0)
        return;
    profile = partition->profile;
    profile.generation++;
    for (int c = lp_cpumask_next(&partition->profile.folded, 0); c >= 0;
         c = lp_cpumask_next(&partition->profile.folded, c + 1u))
        if (!lp_cpumask_has(&view->plugged, (unsigned) c))
            lp_cpumask_remove(&profile.folded, (unsigned) c);
    tidy = g_new0(Tidy, 1);
    tidy->engine = engine;
    tidy->uuid = g_strdup(partition->uuid);
    tidy->metadata = lp_profile_to_xml(&profile);
    tidy->set_limits = view->cgroup != LP_CGROUP_NONE && view->global_period_usec;
    tidy->limits = (LpCapacityLimits){
        .shares = view->cpu_shares,
        .global_quota_usec = lp_plan_quota(lp_partition_granted_cpus(partition),
                                           lp_cpumask_count(&profile.folded) > 0,
                                           profile.capacity.entitled_centi,
                                           profile.capacity.capped, view->global_period_usec),
        .global_period_usec = view->global_period_usec,
    };
    if (!lp_engine_definition(engine, partition->uuid, "a late vCPU removal", tidy_job, tidy_done,
                              tidy, NULL))
        tidy_done(true, NULL, tidy);
}
