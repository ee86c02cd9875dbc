/* What counts as done: the agent's word where there is one, else the device's. Room is freed by
 * the device's word only. */
#include <string.h>

#include "lpard/engine/engine-priv.h"

/* A guest that holds on to its pages is waited for this long after the last block moved; Linux's
 * virtio-mem driver itself pauses 5 s before it tries again. */
#define STALL_SEC 15
/* How long the agent may disagree with the device before the device's word is taken. */
#define SETTLE_USEC (3 * G_USEC_PER_SEC)
/* How long the agent may lag behind a device that has let go: a few of its polls. */
#define AGENT_LAG_USEC (G_USEC_PER_SEC / 2)
/* An agent that does not answer a fold in this time does not hold up the hold by quota. */
#define FOLD_PATIENCE_USEC (10 * G_USEC_PER_SEC)

static bool
is_memory(const LpStep *step)
{
    return step->kind == LP_STEP_VIRTIO_MEM || step->kind == LP_STEP_DIMM_ADD
           || step->kind == LP_STEP_DIMM_REMOVE || step->kind == LP_STEP_BALLOON;
}

/* What the steps move in all, by the guest's count. */
static int64_t
moved_bytes(const LpRun *run)
{
    const LpPlan *plan = lp_run_leg_now(run)->plan;
    int64_t delta = 0;

    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const LpStep *step = &plan->steps[i];

        if (step->kind == LP_STEP_VIRTIO_MEM)
            delta += (int64_t) (step->to_bytes
                                - run->partition->view->cells[step->cell].current_bytes);
        else if (step->kind == LP_STEP_DIMM_ADD || step->kind == LP_STEP_DIMM_REMOVE)
            delta += (int64_t) (step->to_bytes - step->from_bytes);
        else if (step->kind == LP_STEP_BALLOON)
            delta -= (int64_t) (step->to_bytes - step->from_bytes);
    }
    return delta;
}

static uint64_t
dimm_bytes(const LpView *view)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < view->n_dimms; i++)
        sum += view->dimms[i].bytes;
    return sum;
}

void
lp_run_note_start(LpRun *run)
{
    const LpPlan *plan = lp_run_leg_now(run)->plan;
    const LpGuest *guest = &run->partition->guest;

    run->start_dimm_bytes = dimm_bytes(run->partition->view);
    run->total_known = guest->connected && guest->has_state;
    if (!run->total_known)
        return;
    run->start_total = guest->state.mem_total_bytes;
    g_strlcpy(run->boot_id, guest->hello.boot_id, sizeof run->boot_id);
    if (guest->base_total_bytes)
        run->expected_total = guest->base_total_bytes + plan->mem_after_bytes
                              - run->partition->view->base_bytes - plan->balloon_after_bytes;
    else
        run->expected_total = guest->state.mem_total_bytes + (uint64_t) moved_bytes(run);
}

static bool
agent_can_tell(const LpRun *run)
{
    const LpGuest *guest = &run->partition->guest;

    return run->total_known && guest->connected && guest->has_state
           && strcmp(guest->hello.boot_id, run->boot_id) == 0;
}

uint64_t
lp_run_guest_released(const LpRun *run)
{
    uint64_t now = run->partition->guest.state.mem_total_bytes;

    /* After a restart the count at the beginning is not known any more. */
    if (run->resumed || !agent_can_tell(run))
        return UINT64_MAX;
    return now < run->start_total ? run->start_total - now : 0;
}

/* The guest's MemTotal is to the byte what it must be when every step is done. */
static bool
guest_has_it(const LpRun *run)
{
    const LpGuest *guest = &run->partition->guest;

    return agent_can_tell(run) && guest->state.mem_offline_bytes == 0
           && guest->state.mem_total_bytes == run->expected_total;
}

/* The device has spoken since it was asked, or has had the time to. */
static bool
device_is_fresh(const LpRun *run, const LpStep *step, const LpStepProgress *progress)
{
    return run->partition->size_event_usec[step->cell] > progress->asked_usec
           || g_get_monotonic_time() - progress->asked_usec > LP_SIZE_EVENT_LAG_USEC;
}

static LpStepState
confirm_device(LpRun *run, const LpStep *step, LpStepProgress *progress)
{
    LpViewCell *cell = &run->partition->view->cells[step->cell];
    bool device = cell->current_bytes == step->to_bytes && device_is_fresh(run, step, progress);
    int64_t quiet = g_get_monotonic_time() - run->progress_usec;

    progress->reached_bytes = cell->current_bytes;
    /* Room comes by the device's word; the agent only gets the moment it needs to say the same,
     * so that the result tells what the guest has. */
    if (step->release)
        return device && (!agent_can_tell(run) || guest_has_it(run) || quiet > AGENT_LAG_USEC)
                       && !lp_run_qga_memory_pending(run, quiet)
                   ? LP_STEPSTATE_CONFIRMED
                   : LP_STEPSTATE_ASKED;
    if (guest_has_it(run)) {
        /* The device will say the same within a second; until then it is counted in full. */
        cell->current_bytes = progress->reached_bytes = step->to_bytes;
        return LP_STEPSTATE_CONFIRMED;
    }
    if (device && (!agent_can_tell(run) || quiet > SETTLE_USEC)
        && !lp_run_qga_memory_pending(run, quiet))
        return LP_STEPSTATE_CONFIRMED;
    return LP_STEPSTATE_ASKED;
}

static bool
has_dimm(const LpView *view, const char *alias)
{
    for (uint32_t i = 0; i < view->n_dimms; i++)
        if (strcmp(view->dimms[i].alias, alias) == 0)
            return true;
    return false;
}

/* Folding: those that were to leave and did not stay granted. */
static LpStepState
confirm_fold(LpRun *run, const LpStep *step, LpStepProgress *progress)
{
    LpLeg *leg = lp_run_leg_now(run);
    const LpGuest *guest = &run->partition->guest;
    LpCpuMask stayed = guest->state.online;
    bool answered = guest->has_reply && guest->reply.id == run->want_id;

    /* Only what it says after it was told counts, since it may be late with an earlier wish; and
     * one that was said to have failed may run all the same. */
    if (guest->connected && guest->has_state && answered
        && (step->release ? lp_cpumask_equal(&guest->state.online, &step->cpus)
                          : lp_cpumask_covers(&guest->state.online, &step->cpus)))
        return LP_STEPSTATE_CONFIRMED;
    if (guest->connected && answered && !guest->reply.ok) {
        for (int c = lp_cpumask_next(&step->cpus, 0); c >= 0;
             c = lp_cpumask_next(&step->cpus, c + 1u))
            lp_cpumask_remove(&stayed, (unsigned) c);
        progress->message = g_strdup_printf("the guest could not: %s", guest->reply.error);
        if (step->release)
            lp_plan_keep_vcpus(leg->plan, &run->bounds, &leg->target, &stayed);
        return LP_STEPSTATE_PARTIAL;
    }
    if (step->release && run->partition->view->cgroup != LP_CGROUP_NONE
        && g_get_monotonic_time() - progress->asked_usec > FOLD_PATIENCE_USEC) {
        progress->message = g_strdup("the agent does not answer; the partition is held to its "
                                     "vCPUs by quota, and folds when the agent is back");
        return LP_STEPSTATE_PARTIAL;
    }
    return LP_STEPSTATE_ASKED;
}

static LpStepState
confirm_step(LpRun *run, const LpStep *step, LpStepProgress *progress)
{
    const LpPartition *partition = run->partition;
    const LpGuest *guest = &partition->guest;

    switch (step->kind) {
    case LP_STEP_FOLD:
        if (lp_run_qga_used(run))
            return lp_run_qga_fold(run, step, progress);
        return confirm_fold(run, step, progress);
    case LP_STEP_PLUG_VCPU:
        if (lp_run_qga_used(run))
            return lp_run_qga_vcpu(run, step, progress);
        if (guest->connected && guest->has_state)
            return lp_cpumask_has(&guest->state.online, step->vcpu) ? LP_STEPSTATE_CONFIRMED
                                                                    : LP_STEPSTATE_ASKED;
        return LP_STEPSTATE_CONFIRMED;
    case LP_STEP_VIRTIO_MEM:
        return confirm_device(run, step, progress);
    case LP_STEP_DIMM_ADD:
        /* The guest may have it before lpard has read it from the hypervisor: until then it would
         * not be counted. */
        return dimm_bytes(partition->view) >= run->start_dimm_bytes + step->to_bytes
                       && (!agent_can_tell(run) || guest_has_it(run))
                       && !lp_run_qga_memory_pending(run, g_get_monotonic_time()
                                                              - run->progress_usec)
                   ? LP_STEPSTATE_CONFIRMED
                   : LP_STEPSTATE_ASKED;
    case LP_STEP_DIMM_REMOVE:
        return has_dimm(partition->view, step->alias) ? LP_STEPSTATE_ASKED
                                                      : LP_STEPSTATE_CONFIRMED;
    case LP_STEP_BALLOON:
        progress->reached_bytes = partition->view->balloon_bytes;
        return partition->view->balloon_bytes == step->to_bytes ? LP_STEPSTATE_CONFIRMED
                                                                : LP_STEPSTATE_ASKED;
    default:
        return LP_STEPSTATE_CONFIRMED;
    }
}

uint64_t
lp_run_progress_mark(const LpRun *run)
{
    const LpGuest *guest = &run->partition->guest;
    uint64_t mark = lp_view_plugged_bytes(run->partition->view)
                    - run->partition->view->balloon_bytes;

    /* Sums that only need to differ when anything moved. */
    mark = mark * 31 + run->partition->view->n_dimms;
    if (guest->has_state)
        mark = mark * 31 + guest->state.mem_total_bytes
               + lp_cpumask_count(&guest->state.online);
    return mark;
}

/* The agent came, or came back, since the leg began, and knows of older wishes: told again. */
static void
tell_again(LpRun *run)
{
    LpWireWant want = {.has_cpus = true, .cpus = lp_run_leg_now(run)->plan->run_after,
                       .watch_msec = STALL_SEC * 1000};

    if (run->partition->guest.connected && run->partition->guest.want_id != run->want_id)
        (void) lp_registry_want(run->engine->registry, run->partition, &want, &run->want_id);
}

bool
lp_run_confirm(LpRun *run, bool *ret_stage)
{
    LpLeg *leg = lp_run_leg_now(run);
    bool all = true, vcpus = true, memory = false, changed = false;
    uint64_t mark = lp_run_progress_mark(run);

    if (mark != run->progress_mark) {
        run->progress_mark = mark;
        run->progress_usec = g_get_monotonic_time();
        changed = true;
    }
    for (uint32_t i = 0; i < run->next; i++) {
        const LpStep *step = &leg->plan->steps[i];
        LpStepProgress *progress = &leg->progress[i];

        if (progress->state != LP_STEPSTATE_ASKED)
            continue;
        progress->state = confirm_step(run, step, progress);
        if (progress->state == LP_STEPSTATE_ASKED) {
            if (step->kind == LP_STEP_FOLD || step->kind == LP_STEP_PLUG_VCPU)
                tell_again(run);
            memory |= is_memory(step);
            vcpus = vcpus && is_memory(step);
            all = false;
            continue;
        }
        changed = true;
        run->progress_usec = progress->confirmed_usec = g_get_monotonic_time();
        if (step->kind != LP_STEP_PROFILE && step->kind != LP_STEP_CONFIG)
            run->operation->last_confirm_usec = progress->confirmed_usec;
    }
    if (!all)
        lp_run_qga_poll(run);
    if (changed)
        lp_operation_changed(run->engine, run->operation);
    if (memory && g_get_monotonic_time() - MAX(run->look_usec, run->progress_usec)
                      > LP_SIZE_EVENT_LAG_USEC) {
        /* An event may have been lost, or there was nothing left to tell. */
        run->look_usec = g_get_monotonic_time();
        lp_registry_look(run->engine->registry, run->partition->uuid);
    }
    if (!all && memory
        && g_get_monotonic_time() - run->progress_usec > STALL_SEC * G_USEC_PER_SEC)
        lp_run_decide(run, LP_OP_TIMED_OUT, "stalled",
                      "the guest moves no more memory (pages in use, or no driver for the device)");
    *ret_stage = vcpus;
    return all;
}

LpConfirm
lp_run_confirm_level(const LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);
    bool cpu = false, memory = false;

    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++) {
        const LpStep *step = &leg->plan->steps[i];

        memory |= is_memory(step);
        cpu |= step->kind == LP_STEP_FOLD || step->kind == LP_STEP_PLUG_VCPU
               || step->kind == LP_STEP_UNPLUG_VCPU;
    }
    if (!run->partition || (!cpu && !memory))
        return LP_CONFIRM_HOST;
    if (lp_run_qga_used(run))
        return lp_run_qga_level(run, cpu, memory);
    if (cpu
        && lp_partition_usable_cpus(run->partition)
               != lp_partition_granted_cpus(run->partition))
        return LP_CONFIRM_DEVICE;
    if (memory && !guest_has_it(run))
        return LP_CONFIRM_DEVICE;
    return LP_CONFIRM_AGENT;
}
