#include "lpard/engine/consent.h"

#include <string.h>

#include "lpard/engine/engine-priv.h"
#include "lpard/events.h"
#include "policy/units.h"

/* Long enough for hooks that ask an application, short enough for an operator who waits; and
 * never more than half of what is left of the operation, so that a guest that does not answer
 * leaves time for the rest. */
#define PATIENCE_MSEC 15000
/* Of a dry run, which promises an answer at once. */
#define DRY_PATIENCE_MSEC 3000
/* An operation whose guest is slow to answer is put on record, so that its client has a number
 * to follow and to cancel by. */
#define RECORD_MSEC 200
/* Agents introduce themselves within milliseconds of lpard's start, emulated ones within a second;
 * a port behind which there is none costs this much, once. */
#define AWAIT_MSEC 3000

static const char *const phase_names[LP_WIRE_PHASES] = {
    [LP_WIRE_PHASE_CHECK] = "check",
    [LP_WIRE_PHASE_PRE] = "pre",
    [LP_WIRE_PHASE_POST] = "post",
    [LP_WIRE_PHASE_UNDO] = "undo",
};

static LpLeg *
leg_of(const LpRun *run, guint index)
{
    return g_ptr_array_index(run->operation->legs, index);
}

static LpPartition *
partition_of(const LpRun *run, guint index)
{
    return lp_registry_by_uuid(run->engine->registry, leg_of(run, index)->uuid);
}

static bool
can_be_asked(const LpPartition *partition)
{
    return partition && partition->guest.connected && partition->view->run == LP_RUN_RUNNING
           && (partition->guest.hello.caps & LP_WIRE_CAP_PHASES);
}

static bool
same_boot(const LpPartition *partition, const LpConsent *consent)
{
    return partition && partition->guest.connected
           && strcmp(partition->guest.hello.boot_id, consent->boot_id) == 0;
}

static void remark(LpRun *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
remark(LpRun *run, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(run->operation->remarks, g_strdup_vprintf(format, args));
    va_end(args);
}

/* ---- amounts ---- */

/* What the guest has: what a balloon holds is granted to it, but not there. */
static uint64_t
less(uint64_t bytes, uint64_t balloon_bytes)
{
    return bytes - MIN(bytes, balloon_bytes);
}

static uint64_t
held_bytes(const LpPartition *partition)
{
    return less(lp_partition_granted_bytes(partition), partition->view->balloon_bytes);
}

/* From where the leg began to where its plan leads; false if the guest gets and loses nothing. */
static bool
fill_amounts(const LpRun *run, guint index, const LpPartition *partition, LpWirePhase *phase)
{
    const LpLeg *leg = leg_of(run, index);
    const LpPlan *plan = leg->plan;
    uint32_t entitled = run->operation->recovered && leg->begun
                            ? partition->profile.capacity.entitled_centi
                            : leg->capacity_before.entitled_centi;

    if (leg->target.has_cpu && plan->cpu_after != leg->cpu_before) {
        phase->has_cpu = true;
        phase->cpu_from = leg->cpu_before;
        phase->cpu_to = plan->cpu_after;
    }
    phase->mem_from_bytes = less(leg->mem_before_bytes, partition->view->balloon_bytes);
    phase->mem_to_bytes = less(plan->mem_after_bytes, plan->balloon_after_bytes);
    phase->has_mem = leg->target.has_mem && phase->mem_from_bytes != phase->mem_to_bytes;
    if (leg->target.has_capacity && leg->target.entitled_centi != entitled) {
        phase->has_units = true;
        phase->units_from_centi = entitled;
        phase->units_to_centi = leg->target.entitled_centi;
    }
    return phase->has_cpu || phase->has_mem || phase->has_units;
}

/* ---- asking ---- */

static uint32_t
patience_msec(const LpRun *run)
{
    int64_t left = run->operation->deadline_usec - g_get_monotonic_time();

    if (run->dry)
        return DRY_PATIENCE_MSEC;
    return (uint32_t) CLAMP(left / 2000, 1, PATIENCE_MSEC);
}

/* The answers are there, as far as they come. */
static void
go_on(LpRun *run)
{
    void (*then)(LpRun *) = run->consent_then;

    for (guint i = 0; i < LP_CONSENTS_MAX; i++) {
        run->consents[i].waiting = false;
        g_clear_handle_id(&run->consents[i].source, g_source_remove);
    }
    g_clear_handle_id(&run->record_source, g_source_remove);
    g_clear_handle_id(&run->await_source, g_source_remove);
    run->consent_waited_usec = g_get_monotonic_time() - run->consent_usec;
    if (!run->operation->first_call_usec)
        run->operation->guest_usec += run->consent_waited_usec;
    run->consent_then = NULL;
    run->waiting = false;
    if (!run->dry)
        lp_operation_changed(run->engine, run->operation);
    then(run);
}

static void
go_on_if_answered(LpRun *run)
{
    for (guint i = 0; i < LP_CONSENTS_MAX; i++)
        if (run->consents[i].waiting)
            return;
    go_on(run);
}

static void
end_wait(LpConsent *consent)
{
    consent->waiting = false;
    g_clear_handle_id(&consent->source, g_source_remove);
}

static gboolean
on_silence(gpointer data)
{
    LpConsent *consent = data;
    LpRun *run = consent->run;
    g_autofree char *name = g_strdup(leg_of(run, (guint) (consent - run->consents))->name);

    consent->source = 0;
    run->engine->counts.silent++;
    remark(run, "%s: the agent did not answer the %s within %u s; gone on without it", name,
           phase_names[consent->told.phase], (consent->told.deadline_msec + 999) / 1000);
    end_wait(consent);
    go_on_if_answered(run);
    return G_SOURCE_REMOVE;
}

static gboolean
on_record(gpointer data)
{
    LpRun *run = data;

    run->record_source = 0;
    lp_run_record(run);
    return G_SOURCE_REMOVE;
}

/* Between PRE and POST of another operation, which a dry run does not wait for. */
static bool
is_in_resize(const LpRun *run, const LpPartition *partition)
{
    for (guint r = 0; r < run->engine->runs->len; r++) {
        const LpRun *other = g_ptr_array_index(run->engine->runs, r);

        for (guint i = 0; i < LP_CONSENTS_MAX; i++)
            if (other->consents[i].opened
                && strcmp(leg_of(other, i)->uuid, partition->uuid) == 0)
                return true;
    }
    return false;
}

/* The second half of a shift: what the guest gave elsewhere. */
static bool
comes_back(const LpRun *run, guint index)
{
    return run->operation->request->kind == LP_OP_SHIFT && index > 0;
}

/* Says one phase; true if there is an answer to wait for. */
static bool
say(LpRun *run, guint index, LpWirePhaseName name)
{
    LpPartition *partition = partition_of(run, index);
    LpConsent *consent = &run->consents[index];
    /* What had begun is not asked for again: half of it may be done, and more under way. */
    LpWirePhase phase = {.phase = name, .deadline_msec = patience_msec(run),
                         .force = run->operation->request->force || run->resumed
                                  || comes_back(run, index)};

    if (!can_be_asked(partition) || !leg_of(run, index)->plan
        || !fill_amounts(run, index, partition, &phase))
        return false;
    /* A guest that hears of another resize takes the open one to be over, and its watch ends. */
    if (run->dry && is_in_resize(run, partition)) {
        remark(run, "%s: its guest is in another resize, and was not asked",
               leg_of(run, index)->name);
        return false;
    }
    if (!consent->id || !same_boot(partition, consent)) {
        consent->id = lp_guest_next_id(partition);
        g_strlcpy(consent->boot_id, partition->guest.hello.boot_id, sizeof consent->boot_id);
    }
    phase.id = consent->id;
    consent->run = run;
    consent->told = phase;
    if (!lp_registry_phase(partition, &phase))
        return false;
    consent->opened = name == LP_WIRE_PHASE_PRE;
    consent->waiting = true;
    consent->source = g_timeout_add(phase.deadline_msec, on_silence, consent);
    return true;
}

static bool
wait_for(LpRun *run, bool asked, void (*then)(LpRun *run))
{
    if (!asked)
        return false;
    run->consent_usec = g_get_monotonic_time();
    run->consent_then = then;
    run->waiting = true;
    if (!run->dry && run->accepted)
        run->record_source = g_timeout_add(RECORD_MSEC, on_record, run);
    return true;
}

static bool
is_awaited(const LpRun *run)
{
    for (guint i = 0; i < MIN(run->operation->legs->len, LP_CONSENTS_MAX); i++) {
        const LpPartition *partition = partition_of(run, i);

        if (partition && lp_guest_may_come(partition))
            return true;
    }
    return false;
}

static gboolean
on_awaited(gpointer data)
{
    LpRun *run = data;

    run->await_source = 0;
    go_on(run);
    return G_SOURCE_REMOVE;
}

bool
lp_consent_await(LpRun *run, void (*then)(LpRun *run))
{
    if (!wait_for(run, is_awaited(run), then))
        return false;
    run->await_source = g_timeout_add(AWAIT_MSEC, on_awaited, run);
    return true;
}

bool
lp_consent_check(LpRun *run, void (*then)(LpRun *run))
{
    bool asked = false;

    for (guint i = 0; i < MIN(run->operation->legs->len, LP_CONSENTS_MAX); i++)
        asked |= !comes_back(run, i) && say(run, i, LP_WIRE_PHASE_CHECK);
    return wait_for(run, asked, then);
}

bool
lp_consent_pre(LpRun *run, void (*then)(LpRun *run))
{
    guint index = run->operation->leg;

    /* An undo is the operator's own and part of the same resize, which is still open; a leg that
     * is begun again after the hypervisor was away has been consented. */
    if (run->stop || lp_run_leg_now(run)->undo || index >= LP_CONSENTS_MAX
        || run->consents[index].opened)
        return false;
    return wait_for(run, say(run, index, LP_WIRE_PHASE_PRE), then);
}

const char *
lp_consent_veto(const LpRun *run)
{
    return run->veto;
}

int64_t
lp_consent_waited_usec(const LpRun *run)
{
    return run->consent_waited_usec;
}

const LpCpuMask *
lp_consent_leave(const LpRun *run, guint leg)
{
    return leg < LP_CONSENTS_MAX && run->consents[leg].has_leave ? &run->consents[leg].leave
                                                                 : NULL;
}

bool
lp_consent_interrupt(LpRun *run)
{
    if (!run->consent_then)
        return false;
    go_on(run);
    return true;
}

void
lp_consent_drop(LpRun *run)
{
    for (guint i = 0; i < LP_CONSENTS_MAX; i++)
        end_wait(&run->consents[i]);
    g_clear_handle_id(&run->record_source, g_source_remove);
    g_clear_handle_id(&run->await_source, g_source_remove);
    g_clear_pointer(&run->veto, g_free);
    g_clear_pointer(&run->pressure, g_free);
}

void
lp_consent_look(LpRun *run)
{
    bool lost = false;

    if (run->await_source) {
        if (!is_awaited(run))
            go_on(run);
        return;
    }
    for (guint i = 0; run->consent_then && i < LP_CONSENTS_MAX; i++) {
        LpConsent *consent = &run->consents[i];

        if (!consent->waiting || same_boot(partition_of(run, i), consent))
            continue;
        remark(run, "%s: the agent was lost before it answered the %s; gone on without it",
               leg_of(run, i)->name, phase_names[consent->told.phase]);
        end_wait(consent);
        lost = true;
    }
    if (lost)
        go_on_if_answered(run);
}

/* ---- what is answered ---- */

static char *
reason_text(const LpWireAnswer *answer)
{
    return g_strdup_printf("%s%s%s", answer->by, *answer->by ? ": " : "",
                           *answer->reason ? answer->reason : "no reason given");
}

static void
take_veto(LpRun *run, guint index, const LpWireAnswer *answer)
{
    const char *name = leg_of(run, index)->name;
    g_autofree char *reason = reason_text(answer);

    if (run->consents[index].told.force) {
        run->engine->counts.forced++;
        remark(run, "%s's guest refused: %s; gone on all the same, %s", name, reason,
               run->operation->request->force ? "by force" : "for it had begun already");
    } else if (run->dry) {
        remark(run, "the guest of %s would refuse: %s", name, reason);
    } else if (!run->veto) {
        run->engine->counts.vetoes++;
        run->veto = g_strdup_printf("%s's guest refuses: %s (use --force to go on all the same)",
                                    name, reason);
    }
}

static LpConsent *
awaited(LpRun *run, const LpPartition *partition, const LpWireAnswer *answer)
{
    for (guint i = 0; run->consent_then && i < LP_CONSENTS_MAX; i++) {
        LpConsent *consent = &run->consents[i];

        if (consent->waiting && consent->id == answer->id
            && consent->told.phase == answer->phase
            && strcmp(leg_of(run, i)->uuid, partition->uuid) == 0)
            return consent;
    }
    return NULL;
}

/* Of the phases that are not waited for only a failure is of interest. */
static bool
take_closing(LpEngine *engine, LpPartition *partition, const LpWireAnswer *answer)
{
    LpGuest *guest = &partition->guest;
    bool *due = answer->phase == LP_WIRE_PHASE_POST   ? &guest->post_due
                : answer->phase == LP_WIRE_PHASE_UNDO ? &guest->undo_due
                                                      : NULL;

    if (!due || !*due || answer->id != guest->closed_id)
        return false;
    *due = false;
    if (!*answer->by)
        return true;
    engine->counts.hooks++;
    lp_events_emit(engine->events, "hook",
                   json_pack("{s:s,s:s,s:s,s:s}", "partition", partition->view->name, "phase",
                             phase_names[answer->phase], "by", answer->by, "reason",
                             answer->reason));
    return true;
}

void
lp_consent_answer(LpEngine *engine, LpPartition *partition, const LpWireAnswer *answer)
{
    for (guint i = 0; i < engine->runs->len; i++) {
        LpRun *run = g_ptr_array_index(engine->runs, i);
        LpConsent *consent = awaited(run, partition, answer);

        if (!consent)
            continue;
        end_wait(consent);
        consent->has_leave = answer->has_leave;
        consent->leave = answer->leave;
        if (answer->verdict == LP_WIRE_ANSWER_VETO)
            take_veto(run, (guint) (consent - run->consents), answer);
        /* One refusal is enough. */
        if (run->veto)
            go_on(run);
        else
            go_on_if_answered(run);
        return;
    }
    if (!take_closing(engine, partition, answer))
        engine->counts.late++;
}

/* ---- the end ---- */

/* The last word on that partition: an undo's, where there was one. */
static const LpLeg *
last_leg(const LpRun *run, guint index)
{
    const LpLeg *leg = leg_of(run, index);

    for (guint i = index + 1; i < run->operation->legs->len; i++)
        if (leg_of(run, i)->begun && strcmp(leg_of(run, i)->uuid, leg->uuid) == 0)
            leg = leg_of(run, i);
    return leg;
}

void
lp_consent_close(LpRun *run, guint index)
{
    LpPartition *partition = partition_of(run, index);
    LpConsent *consent = &run->consents[index];
    LpWirePhase post = consent->told;
    bool changed;

    if (!consent->opened)
        return;
    consent->opened = false;
    if (!same_boot(partition, consent))
        return;
    post.phase = LP_WIRE_PHASE_POST;
    post.force = false;
    post.deadline_msec = PATIENCE_MSEC;
    post.cpu_to = last_leg(run, index)->cpu_now;
    post.mem_to_bytes = held_bytes(partition);
    post.units_to_centi = partition->profile.capacity.entitled_centi;
    changed = (post.has_cpu && post.cpu_to != post.cpu_from)
              || (post.has_mem && post.mem_to_bytes != post.mem_from_bytes)
              || (post.has_units && post.units_to_centi != post.units_from_centi);
    partition->guest.closed_id = consent->id;
    partition->guest.undo_due = false;
    if (!changed) {
        LpWirePhase undo = consent->told;

        undo.phase = LP_WIRE_PHASE_UNDO;
        undo.force = false;
        undo.deadline_msec = PATIENCE_MSEC;
        partition->guest.undo_due = lp_registry_phase(partition, &undo);
    }
    partition->guest.post_due = lp_registry_phase(partition, &post);
}

void
lp_consent_close_all(LpRun *run)
{
    for (guint i = 0; i < MIN(run->operation->legs->len, LP_CONSENTS_MAX); i++)
        lp_consent_close(run, i);
}

/* ---- a guest in need ---- */

/* Whether memory is on its way out, or about to be. */
static bool
releases(const LpLeg *leg)
{
    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++)
        if (leg->plan->steps[i].release && leg->progress[i].state <= LP_STEPSTATE_ASKED
            && (leg->plan->steps[i].kind == LP_STEP_VIRTIO_MEM
                || leg->plan->steps[i].kind == LP_STEP_DIMM_REMOVE
                || leg->plan->steps[i].kind == LP_STEP_BALLOON))
            return true;
    return false;
}

void
lp_consent_stop(LpEngine *engine, LpPartition *partition, const LpWireStop *stop)
{
    for (guint i = 0; i < engine->runs->len; i++) {
        LpRun *run = g_ptr_array_index(engine->runs, i);
        guint leg = run->operation->leg;
        const LpConsent *consent = leg < LP_CONSENTS_MAX ? &run->consents[leg] : NULL;

        if (run->partition != partition || !consent || !consent->opened
            || consent->id != stop->id || run->stop || run->settling
            || !releases(lp_run_leg_now(run)))
            continue;
        engine->counts.stops++;
        run->pressure = g_strdup(*stop->reason ? stop->reason : "no reason given");
        run->back_bytes = stop->back_bytes;
        /* Partial if anything stays released; else the guest has, in effect, refused. */
        lp_run_stop(run, LP_OP_VETOED, "guest-pressure", "the guest is under pressure");
        return;
    }
    engine->counts.late++;
}

char *
lp_consent_pressure_text(LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);
    uint64_t now = run->partition ? held_bytes(run->partition) : leg->mem_now_bytes;
    uint64_t gone = less(run->consents[run->operation->leg].told.mem_from_bytes, now);
    char stays[LP_UNITS_TEXT], back[LP_UNITS_TEXT];

    if (!gone && !run->given_back_bytes)
        return g_strdup_printf("%s's guest is under pressure: %s; nothing has left", leg->name,
                               run->pressure);
    return g_strdup_printf("%s's guest is under pressure: %s; %s stays released, %s was given back",
                           leg->name, run->pressure,
                           lp_units_format_bytes(gone, stays, sizeof stays),
                           lp_units_format_bytes(run->given_back_bytes, back, sizeof back));
}
