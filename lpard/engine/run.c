/* The second half: the steps of a leg are asked in order, each of its stages confirmed. */
#include <string.h>

#include "hotplug/fault.h"
#include "lpard/engine/engine-priv.h"
#include "lpard/error.h"
#include "lpard/planted.h"

/* The agent sends STATE on every change for this long at most. */
#define WATCH_MAX_MSEC 60000

/* An effect with everything a worker needs: values only. */
typedef struct {
    char *uuid;
    LpStep step;
    char *metadata;
    LpCapacityLimits limits;
    LpConfigChange change;
} Effect;

static void
effect_free(void *data)
{
    Effect *effect = data;

    g_free(effect->uuid);
    g_free(effect->metadata);
    g_free(effect);
}

static bool
effect_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Effect *effect = data;
    const LpStep *step = &effect->step;

    switch (step->kind) {
    case LP_STEP_PLUG_VCPU:
        return driver->set_vcpu(conn, effect->uuid, step->vcpu, true, error);
    case LP_STEP_UNPLUG_VCPU:
        return driver->set_vcpu(conn, effect->uuid, step->vcpu, false, error);
    case LP_STEP_CAPACITY:
        return driver->set_capacity(conn, effect->uuid, &effect->limits, error);
    case LP_STEP_VIRTIO_MEM:
        return driver->set_requested(conn, effect->uuid, step->cell, step->to_bytes, error);
    case LP_STEP_DIMM_ADD:
        return driver->attach_dimm(conn, effect->uuid, step->cell, step->to_bytes, error);
    case LP_STEP_DIMM_REMOVE:
        return driver->detach_dimm(conn, effect->uuid, step->alias, error);
    case LP_STEP_BALLOON:
        return driver->set_balloon(conn, effect->uuid, step->to_bytes, error);
    case LP_STEP_LIMIT:
        return driver->set_memory_limit(conn, effect->uuid, step->to_bytes, error);
    case LP_STEP_PROFILE:
        return driver->set_metadata(conn, effect->uuid, effect->metadata, error);
    case LP_STEP_CONFIG:
        return driver->set_config(conn, effect->uuid, &effect->change, error);
    case LP_STEP_FOLD:
    case LP_STEP_KINDS:
        break;
    }
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID, "no such effect");
    return false;
}

/* What the call has done, in the registry's view; libvirt's own word follows with the next look. */
static void
note_effect(LpRun *run, const Effect *effect)
{
    const LpStep *step = &effect->step;
    LpView *view;

    if (!run->partition || step->kind == LP_STEP_CONFIG || step->kind == LP_STEP_DIMM_REMOVE)
        return;
    view = lp_view_copy(run->partition->view);
    switch (step->kind) {
    case LP_STEP_PLUG_VCPU:
        lp_cpumask_add(&view->plugged, step->vcpu);
        lp_cpumask_add(&view->hotpluggable, step->vcpu);
        break;
    case LP_STEP_UNPLUG_VCPU:
        lp_cpumask_remove(&view->plugged, step->vcpu);
        lp_cpumask_remove(&view->hotpluggable, step->vcpu);
        break;
    case LP_STEP_CAPACITY:
        view->cpu_shares = effect->limits.shares;
        view->global_quota_usec = effect->limits.global_quota_usec;
        view->global_period_usec = effect->limits.global_period_usec;
        break;
    case LP_STEP_LIMIT:
        view->memory_limit_bytes = step->to_bytes;
        break;
    case LP_STEP_VIRTIO_MEM:
        view->cells[step->cell].requested_bytes = step->to_bytes;
        if (LP_PLANTED(GROW_BEFORE_CONFIRM))
            view->cells[step->cell].current_bytes = step->to_bytes;
        run->partition->memory_asked_usec = g_get_monotonic_time();
        break;
    case LP_STEP_PROFILE:
        free(view->metadata);
        view->metadata = strdup(effect->metadata);
        break;
    default:
        break;
    }
    lp_registry_update(run->engine->registry, effect->uuid, view);
    /* A DIMM's alias and slot are libvirt's to name. */
    if (step->kind == LP_STEP_DIMM_ADD || step->kind == LP_STEP_BALLOON)
        lp_registry_look(run->engine->registry, effect->uuid);
}

static LpStepProgress *
progress_of(LpRun *run, uint32_t index)
{
    return &lp_run_leg_now(run)->progress[index];
}

static void
set_step(LpRun *run, uint32_t index, LpStepState state, const char *message)
{
    LpStepProgress *progress = progress_of(run, index);

    progress->state = state;
    if (state == LP_STEPSTATE_CONFIRMED && !progress->confirmed_usec)
        progress->confirmed_usec = run->operation->last_confirm_usec = g_get_monotonic_time();
    if (message) {
        g_free(progress->message);
        progress->message = g_strdup(message);
    }
    run->progress_usec = g_get_monotonic_time();
}

/* A vCPU that the guest or QEMU did not let go stays folded and held: enforced all the same. */
static void
keep_plugged(LpRun *run, uint32_t index, const char *why)
{
    LpLeg *leg = lp_run_leg_now(run);
    LpCpuMask kept = {0};
    g_autofree char *message = g_strdup_printf(
        "vCPU %u is not unplugged yet (%s); it stays folded and held, and is taken off the "
        "record when it leaves",
        leg->plan->steps[index].vcpu, why);

    lp_cpumask_add(&kept, leg->plan->steps[index].vcpu);
    lp_plan_keep_folded(leg->plan, &run->bounds, &leg->target, &kept);
    set_step(run, index, LP_STEPSTATE_PARTIAL, message);
    g_ptr_array_add(run->operation->remarks, g_strdup(message));
}

/* A vCPU that could not be plugged is not waited for in the guest. */
static void
forget_vcpu(LpRun *run, uint32_t vcpu)
{
    LpPlan *plan = lp_run_leg_now(run)->plan;

    lp_cpumask_remove(&plan->run_after, vcpu);
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == LP_STEP_FOLD)
            lp_cpumask_remove(&plan->steps[i].cpus, vcpu);
}

static void
step_failed(LpRun *run, uint32_t index, const GError *error)
{
    const LpStep *step = &lp_run_leg_now(run)->plan->steps[index];
    int code = error->domain == LP_DRIVER_ERROR ? error->code : LP_DRIVER_ERROR_FAILED;

    switch (code) {
    case LP_DRIVER_ERROR_UNREACHABLE:
    case LP_DRIVER_ERROR_UNKNOWN:
        /* Whether it happened is not known: never repeated blindly, but read again first. */
        run->lost = true;
        break;
    case LP_DRIVER_ERROR_NOT_RUNNING:
    case LP_DRIVER_ERROR_NO_DOMAIN:
        set_step(run, index, LP_STEPSTATE_FAILED, error->message);
        lp_run_decide_gone(run);
        break;
    default:
        if (step->kind == LP_STEP_UNPLUG_VCPU)
            keep_plugged(run, index, error->message);
        else
            set_step(run, index, LP_STEPSTATE_FAILED, error->message);
        if (step->kind == LP_STEP_PLUG_VCPU)
            forget_vcpu(run, step->vcpu);
        /* Without room under its limit the guest would be killed, and without the record a vCPU
         * would be unplugged that nobody knows to be folded. */
        if (step->kind == LP_STEP_PROFILE || (step->kind == LP_STEP_LIMIT && !step->release))
            lp_run_decide(run, LP_OP_FAILED, "hypervisor", error->message);
        break;
    }
}

static void
effect_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    LpRun *run = user;
    uint32_t index = run->next - 1;
    Effect *effect = abandoned ? NULL : data;

    if (ok)
        note_effect(run, effect);
    if (run->settling) {
        run->waiting = false;
        lp_run_settle_next(run);
        return;
    }
    if (!ok)
        step_failed(run, index, error);
    else if (progress_of(run, index)->state == LP_STEPSTATE_PENDING)
        set_step(run, index, LP_STEPSTATE_ASKED, NULL);
    run->waiting = false;
    lp_operation_changed(run->engine, run->operation);
    lp_run_pump(run);
}

static void
call(LpRun *run, Effect *effect)
{
    if (!run->operation->first_call_usec)
        run->operation->first_call_usec = g_get_monotonic_time();
    run->waiting = true;
    lp_registry_call(run->engine->registry, run->partition, effect_job, effect, effect_free,
                     LP_CALL_DEADLINE_MSEC, effect_done, run);
}

static Effect *
effect_new(const LpRun *run, const LpStep *step)
{
    Effect *effect = g_new0(Effect, 1);

    effect->uuid = g_strdup(run->partition->uuid);
    effect->step = *step;
    effect->limits = (LpCapacityLimits){step->shares, step->global_quota_usec,
                                        step->global_period_usec};
    return effect;
}

void
lp_run_effect(LpRun *run, const LpStep *step)
{
    call(run, effect_new(run, step));
}

static void
fill_config(LpRun *run, Effect *effect)
{
    const LpLeg *leg = lp_run_leg_now(run);
    const LpView *view = run->partition->view;
    LpCpuMask none = {0};

    effect->metadata = lp_run_metadata(run, &none);
    effect->change.metadata = effect->metadata;
    if (leg->target.has_cpu)
        effect->change.vcpus = leg->target.cpu;
    if (leg->target.has_mem) {
        effect->change.set_memory = true;
        effect->change.memory_bytes = leg->target.mem_bytes;
        memcpy(effect->change.requested_bytes, leg->plan->requested_after_bytes,
               sizeof effect->change.requested_bytes);
    }
    if (leg->target.has_capacity && view->cgroup != LP_CGROUP_NONE) {
        uint64_t period = view->global_period_usec ? view->global_period_usec : 100000;

        effect->limits = (LpCapacityLimits){
            .shares = leg->target.shares,
            .global_quota_usec = lp_plan_quota(leg->target.has_cpu
                                                   ? leg->target.cpu
                                                   : run->partition->profile.cpu.desired,
                                               false, leg->target.entitled_centi,
                                               leg->target.capped, period),
            .global_period_usec = period,
        };
        effect->limits.global_quota_usec = lp_plan_quota_in_pool(
            effect->limits.global_quota_usec, view->pool_config_centi, period);
        effect->change.limits = &effect->limits;
    }
}

/* The desired state goes to the agent before anything is plugged, so that what arrives is taken
 * up at once; the fold step itself only waits for it. */
static bool
send_want(LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);
    LpWireWant want = {.watch_msec = WATCH_MAX_MSEC};

    for (uint32_t i = 0; i < leg->plan->n_steps; i++)
        if (leg->plan->steps[i].kind == LP_STEP_FOLD) {
            want.has_cpus = true;
            want.cpus = leg->plan->run_after;
        }
    return lp_registry_want(run->engine->registry, run->partition, &want, &run->want_id);
}

static void
ask(LpRun *run, uint32_t index)
{
    const LpStep *step = &lp_run_leg_now(run)->plan->steps[index];
    Effect *effect;

    progress_of(run, index)->asked_usec = g_get_monotonic_time();
    if (step->kind == LP_STEP_FOLD) {
        /* Told already, when the leg began; confirm.c tells again one that was away. */
        if (run->partition->guest.connected || lp_run_qga_used(run))
            set_step(run, index, LP_STEPSTATE_ASKED, NULL);
        else
            set_step(run, index, LP_STEPSTATE_FAILED, "the agent is not connected any more");
        if (!run->operation->first_call_usec)
            run->operation->first_call_usec = g_get_monotonic_time();
        return;
    }
    if (step->kind == LP_STEP_UNPLUG_VCPU
        && lp_cpumask_has(&lp_run_leg_now(run)->plan->run_after, step->vcpu)) {
        set_step(run, index, LP_STEPSTATE_SKIPPED, "the guest keeps it");
        return;
    }
    effect = effect_new(run, step);
    if (step->kind == LP_STEP_PROFILE)
        effect->metadata = lp_run_metadata(run, &step->cpus);
    if (step->kind == LP_STEP_CONFIG)
        fill_config(run, effect);
    call(run, effect);
}

void
lp_run_leg(LpRun *run)
{
    LpLeg *leg = lp_run_leg_now(run);
    bool tells = false;

    if (!run->partition) {
        /* The domain went while its plan was written down. */
        lp_run_pump(run);
        return;
    }
    lp_operation_set_state(run->engine, run->operation, LP_OP_RUNNING);
    run->progress_usec = g_get_monotonic_time();
    /* A change of what runs only is no new generation, or the next start would look like a step
     * back. */
    run->generation = run->partition->profile.generation
                      + !run->operation->request->live_only;
    lp_run_note_start(run);
    for (uint32_t i = 0; i < leg->plan->n_steps; i++)
        tells |= leg->plan->steps[i].kind == LP_STEP_FOLD
                 || leg->plan->steps[i].kind == LP_STEP_VIRTIO_MEM
                 || leg->plan->steps[i].kind == LP_STEP_DIMM_ADD
                 || leg->plan->steps[i].kind == LP_STEP_DIMM_REMOVE
                 || leg->plan->steps[i].kind == LP_STEP_BALLOON;
    if (tells && !run->stop && run->partition->guest.connected)
        (void) send_want(run);
    lp_run_pump(run);
}

void
lp_run_decide(LpRun *run, LpOpState state, const char *code, const char *message)
{
    run->stop = true;
    if (run->end_state >= 0)
        return;
    run->end_state = (int) state;
    run->end_code = code;
    run->end_message = g_strdup(message);
    if (run->dry)
        return;
    run->operation->ending = state;
    run->operation->ending_leg = run->operation->leg;
    run->operation->ending_code = code;
    g_free(run->operation->ending_message);
    run->operation->ending_message = g_strdup(message);
}

void
lp_run_stop(LpRun *run, LpOpState state, const char *code, const char *message)
{
    lp_run_decide(run, state, code, message);
    if (!lp_consent_interrupt(run))
        lp_run_pump(run);
}

void
lp_run_decide_gone(LpRun *run)
{
    if (run->migrated || (run->partition && lp_partition_migrated(run->partition)))
        lp_run_decide(run, LP_OP_FAILED, "migrated",
                      "the partition was migrated to another host in the middle; its profile went with "
                      "it, and the lpard there goes on from what it finds");
    else if (!run->partition)
        lp_run_decide(run, LP_OP_FAILED, "no-partition",
                      "the domain was removed in the middle of the operation");
    else
        lp_run_decide(run, LP_OP_FAILED, "not-running",
                      "the partition stopped in the middle; `lparctl show` says what it has at the next "
                      "start");
}

/* The partition as it is now may not be worked on any further. */
static bool
check_partition(LpRun *run)
{
    LpRunState state;

    if (!run->partition) {
        lp_run_decide_gone(run);
        return false;
    }
    state = run->partition->view->run;
    if (state == LP_RUN_OFF || state == LP_RUN_STOPPING) {
        const LpPlan *plan = lp_run_leg_now(run)->plan;

        /* A definition can be changed while the domain is off; nothing else can. */
        for (uint32_t i = 0; i < plan->n_steps; i++)
            if (plan->steps[i].kind != LP_STEP_CONFIG) {
                lp_run_decide_gone(run);
                return false;
            }
    }
    return true;
}

static bool
stage_asked(const LpRun *run)
{
    const LpPlan *plan = lp_run_leg_now(run)->plan;

    return run->next >= plan->n_steps || plan->steps[run->next].stage > run->stage;
}

/* A limit comes down only when the memory is gone, or it would kill the guest. */
static bool
stage_waits_for_memory(const LpRun *run)
{
    const LpStep *step = &lp_run_leg_now(run)->plan->steps[run->next];

    return step->kind == LP_STEP_LIMIT && step->release;
}

/* Under QEMU's emulator a guest whose new vCPU comes online while memory arrives stalls every
 * other time, for minutes: there memory waits for the vCPUs, though not for ever. */
#define VCPU_FIRST_USEC (10 * G_USEC_PER_SEC)

static bool
memory_waits_for_vcpus(const LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);
    LpStepKind kind = leg->plan->steps[run->next].kind;
    int64_t now = g_get_monotonic_time();

    if (run->partition->view->accel != LP_ACCEL_TCG
        || (kind != LP_STEP_VIRTIO_MEM && kind != LP_STEP_DIMM_ADD))
        return false;
    for (uint32_t i = 0; i < run->next; i++)
        if (leg->plan->steps[i].kind == LP_STEP_PLUG_VCPU
            && leg->progress[i].state == LP_STEPSTATE_ASKED
            && now - leg->progress[i].asked_usec < VCPU_FIRST_USEC)
            return true;
    return false;
}

void
lp_run_pump(LpRun *run)
{
    LpLeg *leg = lp_run_leg_now(run);
    bool all, stage;

    /* Before its plan is durable, and while a call is out, the run is driven by their answers. */
    if (run->waiting || !leg || run->settling)
        return;
    if (run->lost && !run->stop) {
        if (lp_registry_synced(run->engine->registry)
            && !(run->partition && run->partition->stuck)) {
            run->lost = false;
            lp_run_begin_leg(run);
        }
        return;
    }
    if (!leg->plan || !leg->begun) {
        if (run->stop)
            lp_run_leg_done(run);
        return;
    }
    for (;;) {
        if (!check_partition(run) || run->stop) {
            run->settling = true;
            lp_run_settle(run);
            return;
        }
        if (!stage_asked(run)) {
            /* A domain on its way to another host, or being saved, is left alone until that has ended. */
            if (run->partition->view->run == LP_RUN_MIGRATING)
                return;
            if (memory_waits_for_vcpus(run)) {
                (void) lp_run_confirm(run, &stage);
                if (run->stop)
                    continue;
                if (memory_waits_for_vcpus(run))
                    return;
            }
            ask(run, run->next++);
            if (run->waiting || run->lost)
                return;
            continue;
        }
        all = lp_run_confirm(run, &stage);
        if (run->stop)
            continue;
        if (run->next < leg->plan->n_steps && (stage_waits_for_memory(run) ? all : stage)) {
            run->stage = leg->plan->steps[run->next].stage;
            continue;
        }
        if (all)
            break;
        if (run->next >= leg->plan->n_steps)
            lp_operation_set_state(run->engine, run->operation, LP_OP_CONFIRMING);
        return;
    }
    LP_FAULT(CONFIRM_BEFORE);
    lp_run_leg_done(run);
}

void
lp_run_device(LpRun *run, const char *alias, bool removed)
{
    LpLeg *leg = lp_run_leg_now(run);

    for (uint32_t i = 0; alias && leg && leg->plan && i < leg->plan->n_steps; i++) {
        const LpStep *step = &leg->plan->steps[i];

        if (step->kind != LP_STEP_DIMM_REMOVE || strcmp(step->alias, alias) != 0)
            continue;
        /* The event may come before the call has returned. */
        set_step(run, i, removed ? LP_STEPSTATE_CONFIRMED : LP_STEPSTATE_PARTIAL,
                 removed ? NULL : "the guest refused to give the DIMM up: pages on it are in use");
    }
}
