/* How a leg, and then the operation, ended: from what is, not from what was meant. */
#include <string.h>

#include "hotplug/fault.h"
#include "lpard/engine/engine-priv.h"
#include "lpard/events.h"
#include "lpard/journal/journal.h"

static void
drop_promise(LpRun *run, LpPartition *partition)
{
    partition->promised_bytes = 0;
    partition->promised_centi = 0;
    memset(partition->promised_cell_bytes, 0, sizeof partition->promised_cell_bytes);
    lp_registry_count(run->engine->registry, partition);
}

/* Only those of one that has the lanes: while it waits, they are its forerunner's. */
static void
drop_promises(LpRun *run)
{
    for (guint i = 0; run->operation->started_usec && i < run->operation->legs->len; i++) {
        LpLeg *leg = g_ptr_array_index(run->operation->legs, i);
        LpPartition *partition = lp_registry_by_uuid(run->engine->registry, leg->uuid);

        if (partition)
            drop_promise(run, partition);
    }
}

static bool
same_capacity(const LpCapacity *one, const LpCapacity *two)
{
    return one->entitled_centi == two->entitled_centi && one->weight == two->weight
           && one->capped == two->capped;
}

static void
note_now(LpLeg *leg, const LpPartition *partition)
{
    if (!partition || !leg->begun)
        return;
    if (partition->view->run == LP_RUN_OFF) {
        /* Off, only the definition counts, and that was written whole or not at all. */
        bool written = leg->plan && leg->plan->n_steps
                       && leg->progress[leg->plan->n_steps - 1].state == LP_STEPSTATE_CONFIRMED;

        if (written && leg->target.has_cpu)
            leg->cpu_now = leg->target.cpu;
        if (written && leg->target.has_mem)
            leg->mem_now_bytes = leg->target.mem_bytes;
        return;
    }
    leg->capacity_changed = leg->target.has_capacity && lp_partition_has_profile(partition)
                            && !same_capacity(&partition->profile.capacity,
                                              &leg->capacity_before);
    leg->cpu_now = lp_partition_granted_cpus(partition);
    leg->mem_now_bytes = lp_partition_granted_bytes(partition);
    leg->usable_cpu = lp_partition_usable_cpus(partition);
    leg->usable_bytes = lp_partition_usable_bytes(partition);
}

static bool
has_shortfall(const LpLeg *leg, LpShortReason reason)
{
    for (uint32_t i = 0; leg->plan && i < leg->plan->n_shortfalls; i++)
        if (leg->plan->shortfalls[i].reason == reason)
            return true;
    return false;
}

/* Reached in full?  An unplug that is late counts as reached: the hold enforces it. */
static bool
reached(const LpLeg *leg)
{
    if (!leg->begun)
        return false;
    /* Without a plan it ended before a restart: what it came to is on record. */
    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++) {
        LpStepState state = leg->progress[i].state;

        if (leg->plan->steps[i].kind == LP_STEP_UNPLUG_VCPU && state == LP_STEPSTATE_PARTIAL)
            continue;
        if (state != LP_STEPSTATE_CONFIRMED)
            return false;
    }
    if (has_shortfall(leg, LP_SHORT_BALLOON_ONLY))
        return false;
    return (!leg->target.has_cpu || leg->cpu_now == leg->target.cpu)
           && (!leg->target.has_mem || leg->mem_now_bytes == leg->target.mem_bytes);
}

static bool
moved(const LpLeg *leg)
{
    bool any = leg->cpu_now != leg->cpu_before || leg->mem_now_bytes != leg->mem_before_bytes
               || leg->capacity_changed;

    for (uint32_t i = 0; leg->plan && leg->begun && i < leg->plan->n_steps; i++)
        any |= leg->progress[i].state == LP_STEPSTATE_CONFIRMED
               && (leg->plan->steps[i].kind == LP_STEP_CAPACITY
                   || leg->plan->steps[i].kind == LP_STEP_BALLOON
                   || leg->plan->steps[i].kind == LP_STEP_FOLD);
    return any;
}

/* The profile is written before anything moves: a guest that gave nothing leaves a new desired
 * amount all the same. */
static bool
touched(const LpLeg *leg)
{
    /* What an lpard that was killed has done of it is in no plan; an undo of nothing does nothing. */
    if (leg->taken_up)
        return true;
    for (uint32_t i = 0; leg->plan && leg->begun && i < leg->plan->n_steps; i++)
        if (leg->progress[i].state == LP_STEPSTATE_CONFIRMED
            && (leg->plan->steps[i].kind == LP_STEP_PROFILE
                || leg->plan->steps[i].kind == LP_STEP_CONFIG))
            return true;
    return moved(leg);
}

/* The first thing that went wrong, for the message. */
static const char *
first_trouble(const LpOperation *operation)
{
    for (guint i = 0; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);

        for (uint32_t s = 0; leg->plan && leg->begun && s < leg->plan->n_steps; s++)
            if (leg->progress[s].message
                && leg->plan->steps[s].kind != LP_STEP_UNPLUG_VCPU)
                return leg->progress[s].message;
    }
    return NULL;
}

static bool
undo_wanted(const LpRun *run, bool all_reached)
{
    return run->operation->request->atomic && !run->undoing && !all_reached;
}

/* One leg back for each that moved, the last first. */
static bool
add_undo_legs(LpRun *run)
{
    LpOperation *operation = run->operation;
    guint n = operation->legs->len;

    LP_FAULT(UNDO_BEFORE);
    for (guint i = n; i-- > 0;) {
        const LpLeg *done = g_ptr_array_index(operation->legs, i);
        LpPartition *partition = lp_registry_by_uuid(run->engine->registry, done->uuid);
        LpLeg *leg;

        if (!done->begun || !touched(done) || !partition)
            continue;
        leg = lp_leg_new(done->uuid, done->name);
        leg->undo = true;
        leg->target.has_cpu = done->target.has_cpu;
        leg->target.cpu = done->cpu_before;
        leg->target.has_mem = done->target.has_mem;
        leg->target.mem_bytes = done->mem_before_bytes;
        leg->target.has_capacity = done->target.has_capacity;
        leg->target.entitled_centi = done->capacity_before.entitled_centi;
        leg->target.weight = done->capacity_before.weight;
        leg->target.capped = done->capacity_before.capped;
        /* Nobody else is promised the room that it comes back to. */
        partition->promised_bytes = MAX(partition->promised_bytes, leg->target.mem_bytes);
        lp_registry_count(run->engine->registry, partition);
        g_ptr_array_add(operation->legs, leg);
    }
    return operation->legs->len > n;
}

static void
next_leg(LpRun *run, guint index)
{
    run->operation->leg = index;
    run->stop = run->resumed = false;
    lp_run_grace(run);
    lp_run_begin_leg(run);
}

static bool
next_is_worth_it(const LpRun *run)
{
    const LpOperation *operation = run->operation;
    const LpLeg *leg = lp_run_leg_now(run);

    if (operation->leg + 1 >= operation->legs->len)
        return false;
    if (run->undoing)
        return true;
    /* What the giver gave has to arrive, even if it is less than asked; and what a partition has
     * given itself, also when it was told to stop. */
    return (!operation->cancel_asked || operation->request->kind == LP_OP_SHIFT)
           && (leg->cpu_now < leg->cpu_before || leg->mem_now_bytes < leg->mem_before_bytes);
}

static void
end_of_legs(LpRun *run)
{
    LpOperation *operation = run->operation;
    bool all = true, any = false, some = false, undone = true;
    const char *trouble = first_trouble(operation);
    LpOpState state;

    for (guint i = 0; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);

        if (leg->undo)
            undone = undone && reached(leg);
        else {
            all = all && reached(leg);
            any = any || moved(leg);
            some = some || touched(leg);
        }
    }
    if (undo_wanted(run, all) && some && add_undo_legs(run)) {
        guint first = 0;

        while (!((LpLeg *) g_ptr_array_index(operation->legs, first))->undo)
            first++;
        LP_FAULT(UNDO_AFTER);
        run->undoing = true;
        lp_run_decide(run, LP_OP_FAILED, "failed", trouble ? trouble : "not all was reached");
        next_leg(run, first);
        return;
    }
    state = run->end_state >= 0 ? (LpOpState) run->end_state : LP_OP_FAILED;
    if (run->undoing && undone) {
        g_autofree char *message = g_strdup_printf("%s; all that was done is undone",
                                                   run->end_message);

        lp_run_end(run, state, "undone", message);
    } else if (run->undoing) {
        g_autofree char *message = g_strdup_printf("%s; undoing it did not succeed in full",
                                                   run->end_message);

        lp_run_end(run, LP_OP_PARTIAL, "undo-failed", message);
    } else if (all) {
        lp_run_end(run, LP_OP_DONE, NULL, NULL);
    } else if (state == LP_OP_CANCELLED) {
        lp_run_end(run, state, run->end_code, run->end_message);
    } else if (any) {
        lp_run_end(run, LP_OP_PARTIAL, run->end_state >= 0 ? run->end_code : "partial",
                   run->end_message ? run->end_message
                   : trouble        ? trouble
                                    : "not all could be had by the way that was possible");
    } else {
        lp_run_end(run, state, run->end_state >= 0 ? run->end_code : "failed",
                   run->end_message ? run->end_message
                   : trouble        ? trouble
                                    : "nothing could be changed");
    }
}

void
lp_run_leg_done(LpRun *run)
{
    LpOperation *operation = run->operation;
    LpLeg *leg = lp_run_leg_now(run);

    run->partition = lp_registry_by_uuid(run->engine->registry, leg->uuid);
    /* Whatever was told on the way, by this leg or to an agent that came anew: the record holds. */
    if (run->partition && run->partition->guest.connected && run->want_id
        && (run->stop || run->partition->guest.want_id != run->want_id))
        lp_registry_want_recorded(run->engine->registry, run->partition);
    note_now(leg, run->partition);
    LP_FAULT(CONFIRM_AFTER);
    if (run->pressure && run->end_code && strcmp(run->end_code, "guest-pressure") == 0) {
        g_free(run->end_message);
        run->end_message = lp_consent_pressure_text(run);
        g_clear_pointer(&run->pressure, g_free);
    }
    /* What --atomic may still take back is not told as an outcome. */
    if (!operation->request->atomic && operation->leg < LP_CONSENTS_MAX)
        lp_consent_close(run, operation->leg);
    lp_run_qga_note(run, leg);
    /* What was observed to have left is the next leg's room; its own it keeps. */
    if (run->partition && !(operation->request->kind == LP_OP_SHIFT && next_is_worth_it(run)))
        drop_promise(run, run->partition);
    operation->confirm = operation->leg == 0 ? lp_run_confirm_level(run)
                                             : MIN(operation->confirm, lp_run_confirm_level(run));
    if (next_is_worth_it(run))
        next_leg(run, operation->leg + 1);
    else
        end_of_legs(run);
}

void
lp_engine_keep_finished(LpEngine *engine, LpOperation *operation)
{
    g_queue_push_tail(&engine->finished, operation);
    while (g_queue_get_length(&engine->finished) > LP_FINISHED_KEPT) {
        LpOperation *oldest = g_queue_pop_head(&engine->finished);

        g_hash_table_remove(engine->operations, &oldest->id);
    }
}

typedef struct {
    LpEngine *engine;
    LpOperation *operation;
    LpOpState state;
    LpAcceptedFunc accepted;
    void *accepted_data;
} Ending;

static void
tell_end(const GError *error, void *data)
{
    Ending *ending = data;

    /* Without a journal the result stands all the same; that new work is refused says the rest. */
    (void) error;
    LP_FAULT(CLOSE_TELL_BEFORE);
    lp_operation_set_state(ending->engine, ending->operation, ending->state);
    if (ending->accepted)
        ending->accepted(ending->operation, NULL, ending->accepted_data);
    LP_FAULT(CLOSE_TELL_AFTER);
    lp_engine_keep_finished(ending->engine, ending->operation);
    g_ptr_array_remove_fast(ending->engine->endings, ending);
}

/* A result is told when it is on disk, so that no restart takes up again what was told to have
 * ended. `done` need not wait: taking it up finds nothing left to do. */
static void
close_operation(LpEngine *engine, LpOperation *operation, LpOpState state,
                LpAcceptedFunc accepted, void *accepted_data)
{
    Ending *ending = g_new0(Ending, 1);
    LpOpState shown = operation->state;
    bool waits = false;
    json_t *body;

    for (guint i = 0; i < operation->legs->len; i++)
        waits |= ((LpLeg *) g_ptr_array_index(operation->legs, i))->begun;
    waits = (waits || operation->on_record) && state != LP_OP_DONE;

    *ending = (Ending){engine, operation, state, accepted, accepted_data};
    g_ptr_array_add(engine->endings, ending);
    operation->state = state;
    body = lp_operation_to_json(operation);
    operation->state = shown;
    LP_FAULT(CLOSE_WRITE_BEFORE);
    lp_journal_put_operation(engine->journal, operation->id,
                             ((LpLeg *) g_ptr_array_index(operation->legs, 0))->uuid,
                             operation->request->key, false, body, waits ? tell_end : NULL,
                             waits ? ending : NULL);
    LP_FAULT(CLOSE_WRITE_AFTER);
    if (!waits)
        tell_end(NULL, ending);
}

void
lp_run_end(LpRun *run, LpOpState state, const char *code, const char *message)
{
    LpEngine *engine = run->engine;
    LpOperation *operation = run->operation;
    LpAcceptedFunc accepted = g_steal_pointer(&run->accepted);
    void *accepted_data = run->accepted_data;
    bool dry = run->dry;

    if (!dry)
        lp_consent_close_all(run);
    /* Nothing was done that could be confirmed. */
    if (state == LP_OP_VETOED)
        operation->confirm = LP_CONFIRM_NONE;
    /* The two texts may be the operation's own. */
    g_autofree char *new_code = g_strdup(code), *new_message = g_strdup(message);

    g_free(operation->code);
    g_free(operation->message);
    operation->code = g_steal_pointer(&new_code);
    operation->message = g_steal_pointer(&new_message);
    operation->finished_usec = g_get_monotonic_time();
    operation->finished_sec = g_get_real_time() / G_USEC_PER_SEC;
    g_clear_pointer(&operation->waits_for, g_free);
    if (dry) {
        operation->state = state;
        lp_run_free(run);
        if (accepted)
            accepted(operation, NULL, accepted_data);
        lp_operation_free(operation);
        return;
    }
    drop_promises(run);
    for (guint i = 0; i < operation->legs->len; i++)
        lp_registry_look(engine->registry,
                         ((LpLeg *) g_ptr_array_index(operation->legs, i))->uuid);
    lp_run_free(run);
    close_operation(engine, operation, state, accepted, accepted_data);
}
