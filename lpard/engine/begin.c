/* The first half of an operation: look, decide the target, plan, admit, make it durable. */
#include <string.h>

#include "hotplug/fault.h"
#include "lpard/engine/engine-priv.h"
#include "lpard/error.h"
#include "lpard/journal/journal.h"
#include "lpard/planted.h"
#include "lpard/profile-xml.h"
#include "lpard/words.h"

/* A move's second half, or an undo, still gets this long when the time is up: what has left one
 * side has to arrive somewhere. */
#define GRACE_SEC 30
/* How often a run looks whether anything still moves. */
#define TICK_MSEC 500
/* What was seen longer ago than this, when a slow guest has answered, is looked at again. */
#define LOOK_AGAIN_USEC G_USEC_PER_SEC

static void plan_now(LpRun *run);
static void consented(LpRun *run);
static void look_at(LpRun *run, guint leg);

/* Only before a move touches anything. */
static bool
wants_both(const LpRun *run)
{
    return run->operation->request->kind == LP_OP_MOVE && !run->undoing
           && run->operation->leg == 0;
}

static bool
begins_shift(const LpRun *run)
{
    return run->operation->request->kind == LP_OP_SHIFT && run->operation->leg == 0;
}

/* Before anything was done the operation ends; later what was done counts. */
static void
give_up(LpRun *run, LpOpState state, const char *code, const char *message)
{
    const LpLeg *leg = lp_run_leg_now(run);

    if (run->operation->leg == 0 && !leg->begun) {
        lp_run_end(run, state, code, message);
        return;
    }
    lp_run_decide(run, LP_OP_FAILED, code, message);
    lp_run_leg_done(run);
}

static void
look_failed(LpRun *run, const GError *error)
{
    bool gone = g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_NO_DOMAIN);
    bool away = g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNREACHABLE)
                || g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN);
    const LpLeg *leg = lp_run_leg_now(run);

    /* What was begun waits until the hypervisor or the domain is back, or the time is up. */
    if (away && (leg->begun || run->operation->leg > 0)) {
        run->lost = true;
        if (run->stop)
            lp_run_leg_done(run);
        return;
    }
    give_up(run, LP_OP_FAILED, gone ? "no-partition" : "hypervisor",
            gone ? "the domain is gone" : error->message);
}

static void
looked(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    LpRun *run = user;
    LpLeg *leg = lp_run_leg_now(run);
    bool other = run->looks_other;

    if (!run->operation->first_call_usec)
        run->operation->look_usec += g_get_monotonic_time();
    run->looks_other = false;
    /* Of a leg that has ended the last word will do. */
    if ((!ok || abandoned) && (!other || wants_both(run))) {
        run->waiting = false;
        look_failed(run, error);
        return;
    }
    if (ok && !abandoned)
        lp_registry_take_look(run->engine->registry, data);
    run->waiting = false;
    if (other) {
        look_at(run, run->operation->leg);
        return;
    }
    run->partition = lp_registry_by_uuid(run->engine->registry, leg->uuid);
    plan_now(run);
}

static void
look_at(LpRun *run, guint index)
{
    LpLeg *leg = g_ptr_array_index(run->operation->legs, index);
    LpPartition *partition = lp_registry_by_uuid(run->engine->registry, leg->uuid);

    if (!partition) {
        give_up(run, LP_OP_FAILED, "no-partition", "the domain is gone");
        return;
    }
    if (!run->operation->first_call_usec)
        run->operation->look_usec -= g_get_monotonic_time();
    run->waiting = true;
    lp_registry_look_for(run->engine->registry, partition, looked, run);
}

static uint32_t
cpu_target(LpAmountMode mode, uint32_t now, uint32_t amount)
{
    switch (mode) {
    case LP_AMOUNT_ADD:
        return now + amount;
    case LP_AMOUNT_REMOVE:
        return amount < now ? now - amount : 0;
    default:
        return amount;
    }
}

static uint64_t
mem_target(LpAmountMode mode, uint64_t now, uint64_t amount)
{
    switch (mode) {
    case LP_AMOUNT_ADD:
        return now + amount;
    case LP_AMOUNT_REMOVE:
        return amount < now ? now - amount : 0;
    default:
        return amount;
    }
}

/* What the leg starts from: granted when running, what the next start gives when not. */
static void
note_before(LpLeg *leg, const LpPartition *partition)
{
    bool off = partition->view->run == LP_RUN_OFF;

    leg->cpu_before = off ? partition->profile.cpu.desired : lp_partition_granted_cpus(partition);
    leg->mem_before_bytes = off ? partition->profile.mem.desired_bytes
                                : lp_partition_granted_bytes(partition);
    leg->capacity_before = partition->profile.capacity;
    leg->cpu_now = leg->cpu_before;
    leg->mem_now_bytes = leg->mem_before_bytes;
}

/* Deltas count from what was asked of the guest, so that a repeated one does not count twice
 * what is still on its way. */
static uint64_t
asked_bytes(const LpLeg *leg, const LpPartition *partition)
{
    return partition->view->run == LP_RUN_OFF ? leg->mem_before_bytes
                                              : lp_view_requested_bytes(partition->view);
}

static void
set_capacity_target(LpTarget *target, const LpRequest *request, const LpPartition *partition)
{
    LpCapacity capacity = partition->profile.capacity;

    if (request->has_entitled)
        capacity.entitled_centi = request->entitled_centi;
    if (request->has_weight)
        capacity.weight = request->weight;
    if (request->has_capped)
        capacity.capped = request->capped;
    target->has_capacity = true;
    target->entitled_centi = capacity.entitled_centi;
    target->weight = capacity.weight;
    target->capped = capacity.capped;
    target->shares = lp_capacity_shares(&capacity, partition->view->cgroup);
}

/* `released_*`: for the receiving side of a move, what the giver has really given (or, when only
 * planning, is meant to give). */
static void
set_target(const LpRun *run, guint index, LpLeg *leg, const LpPartition *partition,
           uint32_t released_cpu, uint64_t released_bytes)
{
    const LpRequest *request = run->operation->request;
    LpAmountMode cpu_mode = request->cpu_mode, mem_mode = request->mem_mode;
    uint32_t cpu = request->cpu;
    uint64_t mem = request->mem_bytes;
    LpTarget *target = &leg->target;

    memset(target, 0, sizeof *target);
    if (request->kind == LP_OP_CAPACITY) {
        set_capacity_target(target, request, partition);
        return;
    }
    if (request->kind == LP_OP_RECONCILE) {
        set_capacity_target(target, request, partition);
        target->has_cpu = target->has_mem = true;
        target->cpu = partition->profile.cpu.desired;
        target->mem_bytes = partition->profile.mem.desired_bytes;
        return;
    }
    if (request->kind == LP_OP_MOVE) {
        cpu_mode = request->cpu_mode ? (index == 0 ? LP_AMOUNT_REMOVE : LP_AMOUNT_ADD) : 0;
        mem_mode = request->mem_mode ? (index == 0 ? LP_AMOUNT_REMOVE : LP_AMOUNT_ADD) : 0;
        cpu = index == 0 ? cpu : released_cpu;
        mem = index == 0 ? mem : released_bytes;
    }
    if (request->kind == LP_OP_SHIFT) {
        mem_mode = index == 0 ? LP_AMOUNT_REMOVE : LP_AMOUNT_ADD;
        mem = index == 0 ? mem : released_bytes;
        target->one_cell = true;
        target->cell = index == 0 ? request->from_cell : request->to_cell;
    }
    target->has_cpu = cpu_mode != LP_AMOUNT_NONE && (cpu || cpu_mode == LP_AMOUNT_SET);
    target->has_mem = mem_mode != LP_AMOUNT_NONE && (mem || mem_mode == LP_AMOUNT_SET);
    target->cpu = cpu_target(cpu_mode, leg->cpu_before, cpu);
    target->mem_bytes = mem_target(mem_mode, asked_bytes(leg, partition), mem);
}

/* Makes the leg's plan from the partition as it is; false when plan or gate refuse. */
static bool
make_plan(LpRun *run, LpLeg *leg, LpPartition *partition, const LpRoom *room,
          const LpCpuMask *leave, LpBounds *bounds, char **ret_code, char **ret_message)
{
    LpPlanOptions options = {.via = run->operation->request->via,
                             .live_only = run->operation->request->live_only,
                             .keep_desired = run->operation->request->keep_desired};
    LpGuestFacts facts;
    LpAdmitVerdict verdict;
    uint32_t step = 0;

    lp_registry_bounds(run->engine->registry, partition, bounds);
    lp_partition_facts(partition, &facts);
    if (leave)
        facts.leave = *leave;
    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++)
        g_free(leg->progress[i].message);
    g_clear_pointer(&leg->progress, g_free);
    lp_plan_free(leg->plan);
    leg->plan = lp_plan_new();
    lp_plan_make(partition->view, bounds, room, &facts, &leg->target, &options, leg->plan);
    leg->progress = g_new0(LpStepProgress, MAX(leg->plan->n_steps, 1));
    for (uint32_t i = 0; i < leg->plan->n_shortfalls; i++) {
        const LpShortfall *shortfall = &leg->plan->shortfalls[i];

        if (!shortfall->fatal || *ret_code)
            continue;
        *ret_code = g_strdup(lp_short_reason_name(shortfall->reason));
        *ret_message = lp_words_shortfall(shortfall, partition->view->name);
    }
    if (leg->plan->refused)
        return false;
    verdict = lp_admit(leg->plan, partition->view, bounds, room, &leg->target, &step);
    if (verdict == LP_ADMIT_OK)
        return true;
    leg->plan->refused = true;
    *ret_code = g_strdup("invariant");
    *ret_message = g_strdup_printf("step %u was stopped at the gate: %s", step + 1,
                                   lp_admit_verdict_text(verdict));
    return false;
}

static void
add_remarks(LpRun *run, const LpLeg *leg)
{
    for (uint32_t i = 0; i < leg->plan->n_shortfalls; i++)
        if (!leg->plan->shortfalls[i].fatal)
            g_ptr_array_add(run->operation->remarks,
                            lp_words_shortfall(&leg->plan->shortfalls[i], leg->name));
}

static void
promise(LpRun *run, LpPartition *partition, const LpLeg *leg)
{
    partition->promised_bytes = MAX(leg->plan->mem_after_bytes, leg->plan->mem_before_bytes);
    /* Also what leaves: until the leg is done it may have to come back. */
    for (uint32_t i = 0; i < partition->view->n_cells; i++)
        partition->promised_cell_bytes[i] = MAX(partition->view->cells[i].requested_bytes,
                                                leg->plan->requested_after_bytes[i]);
    /* Nobody takes the room at the other end while it is on its way. */
    if (begins_shift(run)) {
        const LpLeg *arrival = g_ptr_array_index(run->operation->legs, 1);

        partition->promised_cell_bytes[run->operation->request->to_cell]
            += arrival->target.mem_bytes - MIN(arrival->target.mem_bytes, leg->target.mem_bytes);
    }
    if (leg->target.has_capacity)
        partition->promised_centi = leg->target.entitled_centi;
    lp_registry_count(run->engine->registry, partition);
}

/* The receiving side of a move, planned before the giving side is touched: what could never
 * arrive must not leave. */
static bool
plan_receiver(LpRun *run, const LpLeg *giver, char **ret_code, char **ret_message)
{
    LpLeg *leg = g_ptr_array_index(run->operation->legs, 1);
    LpPartition *partition = lp_registry_by_uuid(run->engine->registry, leg->uuid);
    LpBounds bounds;
    LpRoom room;

    if (!partition || !lp_partition_has_profile(partition)) {
        *ret_code = g_strdup("no-partition");
        *ret_message = g_strdup_printf("\"%s\" is gone", leg->name);
        return false;
    }
    note_before(leg, partition);
    set_target(run, 1, leg, partition, giver->plan->cpu_before - giver->plan->cpu_after,
               giver->plan->mem_before_bytes - giver->plan->mem_after_bytes);
    lp_registry_room(run->engine->registry, partition, &room);
    room.room_bytes += giver->plan->mem_before_bytes - giver->plan->mem_after_bytes;
    for (uint32_t i = 0; i < run->partition->view->n_cells; i++) {
        const LpViewCell *cell = &run->partition->view->cells[i];

        for (uint32_t n = 0; n < room.n_nodes; n++)
            if (room.node_id[n] == cell->home)
                room.node_room_bytes[n] += cell->requested_bytes
                                           - MIN(cell->requested_bytes,
                                                 giver->plan->requested_after_bytes[i]);
    }
    return make_plan(run, leg, partition, &room, lp_consent_leave(run, 1), &bounds, ret_code,
                     ret_message);
}

/* The second half of a shift, planned as for the partition that the first will leave. */
static bool
plan_arrival(LpRun *run, const LpLeg *giver, char **ret_code, char **ret_message)
{
    LpLeg *leg = g_ptr_array_index(run->operation->legs, 1);
    LpPartition then = *run->partition;
    LpBounds bounds;
    LpRoom room;
    bool fine;

    then.view = lp_view_copy(run->partition->view);
    for (uint32_t i = 0; i < then.view->n_cells; i++)
        then.view->cells[i].requested_bytes = then.view->cells[i].current_bytes
            = giver->plan->requested_after_bytes[i];
    note_before(leg, &then);
    set_target(run, 1, leg, &then, 0, giver->plan->mem_before_bytes - giver->plan->mem_after_bytes);
    lp_registry_room(run->engine->registry, run->partition, &room);
    fine = make_plan(run, leg, &then, &room, NULL, &bounds, ret_code, ret_message);
    lp_view_free(then.view);
    return fine;
}

static void
made_ready(LpRun *run)
{
    if (lp_consent_veto(run))
        lp_run_decide(run, LP_OP_VETOED, "veto", lp_consent_veto(run));
    lp_run_leg(run);
}

static void
intent_durable(const GError *error, void *data)
{
    LpRun *run = data;
    LpAcceptedFunc accepted = run->accepted;

    run->waiting = false;
    run->accepted = NULL;
    if (error) {
        if (accepted)
            accepted(NULL, error, run->accepted_data);
        lp_run_decide(run, LP_OP_FAILED, "journal", error->message);
        /* What an earlier leg, or this one before it was begun again, has done is told as done. */
        if (run->operation->leg > 0 || run->operation->first_call_usec || run->resumed)
            lp_run_leg_done(run);
        else
            lp_run_end(run, LP_OP_FAILED, "journal", error->message);
        return;
    }
    LP_FAULT(ACCEPT_BEFORE);
    if (accepted)
        accepted(run->operation, NULL, run->accepted_data);
    LP_FAULT(ACCEPT_AFTER);
    if (!lp_consent_pre(run, made_ready))
        lp_run_leg(run);
}

static void
take_receiver(LpRun *run)
{
    LpLeg *leg = g_ptr_array_index(run->operation->legs, 1);

    add_remarks(run, leg);
    if (!run->dry)
        promise(run, lp_registry_by_uuid(run->engine->registry, leg->uuid), leg);
}

static void
refuse(LpRun *run, const char *code, const char *message)
{
    /* The second half of a move, an undo, or a leg begun again: something was done, so this is no
     * refusal. */
    if (run->operation->leg > 0 || lp_run_leg_now(run)->begun)
        code = "refused";
    give_up(run, LP_OP_REFUSED, code, message);
}

/* From the request to what the leg is to reach; one that was begun before keeps its target. */
static void
decide_target(const LpRun *run, LpLeg *leg)
{
    if (!leg->begun) {
        note_before(leg, run->partition);
        if (run->operation->leg == 0) {
            set_target(run, 0, leg, run->partition, 0, 0);
        } else if (!leg->undo) {
            const LpLeg *giver = g_ptr_array_index(run->operation->legs, 0);

            set_target(run, 1, leg, run->partition,
                       giver->cpu_before - MIN(giver->cpu_now, giver->cpu_before),
                       giver->mem_before_bytes
                           - MIN(giver->mem_now_bytes, giver->mem_before_bytes));
        }
    }
    /* An older lpard's journal does not say what there was. */
    if (!leg->capacity_before.entitled_centi)
        leg->capacity_before = run->partition->profile.capacity;
    if (leg->target.has_capacity) {
        /* A leg from the journal knows the entitlement, not this host's weight for it. */
        LpCapacity capacity = {leg->target.entitled_centi, leg->target.weight,
                               leg->target.capped};

        leg->target.shares = lp_capacity_shares(&capacity, run->partition->view->cgroup);
    }
}

static void
plan_now(LpRun *run)
{
    LpOperation *operation = run->operation;
    LpLeg *leg = lp_run_leg_now(run);
    g_autofree char *code = NULL, *message = NULL;
    LpRoom room;
    bool fine;

    if (!run->partition || !lp_partition_has_profile(run->partition)) {
        give_up(run, LP_OP_FAILED, "no-partition",
                "the partition lost its profile or its domain while the operation waited");
        return;
    }
    if (run->stop && !leg->begun) {
        lp_run_leg_done(run);
        return;
    }
    decide_target(run, leg);
    if (lp_run_qga_first(run, plan_now))
        return;
    lp_registry_room(run->engine->registry, run->partition, &room);
    fine = make_plan(run, leg, run->partition, &room, lp_consent_leave(run, operation->leg),
                     &run->bounds, &code, &message);
    if (fine && wants_both(run) && !leg->begun)
        fine = plan_receiver(run, leg, &code, &message);
    else if (fine && begins_shift(run) && !leg->begun)
        fine = plan_arrival(run, leg, &code, &message);
    if (!fine) {
        refuse(run, code, message);
        return;
    }
    if (!leg->begun && operation->leg == 0 && !run->checked) {
        run->checked = true;
        if (lp_consent_check(run, consented))
            return;
    }
    if (operation->leg == 0 || leg->undo)
        add_remarks(run, leg);
    if (wants_both(run) && !leg->begun)
        take_receiver(run);
    if (begins_shift(run) && !leg->begun)
        add_remarks(run, g_ptr_array_index(operation->legs, 1));
    if (run->dry) {
        run->accepted(operation, NULL, run->accepted_data);
        run->accepted = NULL;
        lp_run_free(run);
        lp_operation_free(operation);
        return;
    }
    leg->begun = true;
    promise(run, run->partition, leg);
    run->waiting = true;
    LP_FAULT(INTENT_WRITE_BEFORE);
    lp_journal_put_operation(run->engine->journal, operation->id, leg->uuid,
                             operation->request->key, true, lp_operation_to_json(operation),
                             LP_PLANTED(INTENT_AFTER_EFFECT) ? NULL : intent_durable, run);
    if (LP_PLANTED(INTENT_AFTER_EFFECT))
        intent_durable(NULL, run);
    LP_FAULT(INTENT_WRITE_AFTER);
}

/* All who were asked have answered, or will not.  The plan is made anew: by what they would rather
 * lose, and since others may have taken the room meanwhile. */
static void
consented(LpRun *run)
{
    if (lp_consent_veto(run))
        give_up(run, LP_OP_VETOED, "veto", lp_consent_veto(run));
    else if (lp_consent_waited_usec(run) > LOOK_AGAIN_USEC && !run->stop)
        lp_run_begin_leg(run);
    else
        plan_now(run);
}

static const LpLeg *
other_leg(const LpRun *run)
{
    return g_ptr_array_index(run->operation->legs, run->operation->leg - 1);
}

void
lp_run_begin_leg(LpRun *run)
{
    LpLeg *leg = lp_run_leg_now(run);

    run->partition = lp_registry_by_uuid(run->engine->registry, leg->uuid);
    lp_run_qga_reset(run);
    run->stage = run->next = 0;
    run->settling = run->settle_recorded = false;
    /* Both partitions of a move are looked at before either is touched; later what the leg before
     * has freed must be seen to be free. */
    run->looks_other = wants_both(run)
                       || (run->operation->leg > 0
                           && lp_registry_by_uuid(run->engine->registry,
                                                  other_leg(run)->uuid));
    look_at(run, !run->looks_other ? run->operation->leg
                 : wants_both(run) ? 1 : run->operation->leg - 1);
}

static gboolean
on_deadline(gpointer data)
{
    LpRun *run = data;

    run->deadline_source = 0;
    lp_run_stop(run, LP_OP_TIMED_OUT, "timed-out", "the time allowed is up");
    return G_SOURCE_REMOVE;
}

static gboolean
on_tick(gpointer data)
{
    LpRun *run = data;

    if (LP_PLANTED(WALL_CLOCK_DEADLINE)
        && g_get_real_time() / G_USEC_PER_SEC - run->operation->created_sec
               > (int64_t) run->engine->timeout_sec)
        lp_run_stop(run, LP_OP_TIMED_OUT, "timed-out", "the time allowed is up");
    /* Confirmations that come by time alone, and a guest that has stopped moving. */
    lp_run_pump(run);
    return G_SOURCE_CONTINUE;
}

void
lp_run_grace(LpRun *run)
{
    int64_t least_usec = g_get_monotonic_time() + GRACE_SEC * G_USEC_PER_SEC;

    if (run->deadline_source && run->operation->deadline_usec >= least_usec)
        return;
    if (run->deadline_source)
        g_source_remove(run->deadline_source);
    run->operation->deadline_usec = least_usec;
    run->deadline_source = g_timeout_add_seconds(GRACE_SEC, on_deadline, run);
}

void
lp_run_begin(LpRun *run)
{
    LpOperation *operation = run->operation;
    uint32_t timeout = operation->request->timeout_sec ? operation->request->timeout_sec
                                                       : run->engine->timeout_sec;

    operation->started_usec = g_get_monotonic_time();
    if (!run->dry) {
        operation->deadline_usec = operation->started_usec + (int64_t) timeout * G_USEC_PER_SEC;
        run->deadline_source = g_timeout_add_seconds(timeout, on_deadline, run);
        run->tick_source = g_timeout_add(TICK_MSEC, on_tick, run);
        lp_operation_set_state(run->engine, operation, LP_OP_CHECKING);
    }
    if (!operation->recovered || !lp_consent_await(run, lp_run_begin_leg))
        lp_run_begin_leg(run);
}

char *
lp_run_metadata(const LpRun *run, const LpCpuMask *folded)
{
    const LpTarget *target = &lp_run_leg_now(run)->target;
    LpProfile profile = run->partition->profile;

    bool keep = run->operation->request->keep_desired;

    profile.generation = run->generation;
    if (target->has_cpu && !keep)
        profile.cpu.desired = target->cpu;
    if (target->has_mem && !keep)
        profile.mem.desired_bytes = target->mem_bytes;
    if (target->has_capacity) {
        profile.capacity.entitled_centi = target->entitled_centi;
        profile.capacity.weight = target->weight;
        profile.capacity.capped = target->capped;
    }
    profile.folded = *folded;
    return lp_profile_to_xml(&profile);
}
