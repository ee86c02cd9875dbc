/* What a leg that was stopped leaves: nothing that moves on by itself later, and nothing that
 * contradicts the record. */
#include "hotplug/fault.h"
#include "lpard/engine/engine-priv.h"
#include "lpard/journal/journal.h"

__extension__ typedef unsigned __int128 Wide;

/* ---- memory ---- */

static bool
is_virtio_mem(const LpRun *run, uint32_t index)
{
    return lp_run_leg_now(run)->plan->steps[index].kind == LP_STEP_VIRTIO_MEM;
}

/* Asked for already when this was planned: before a restart, or by somebody who gave up. */
static bool
is_under_way(const LpStep *step)
{
    return step->from_bytes == step->to_bytes;
}

/* A guest under pressure gets back also what it had given up in full. */
static bool
to_settle(const LpRun *run, uint32_t index)
{
    const LpLeg *leg = lp_run_leg_now(run);
    LpStepState state = leg->progress[index].state;

    return is_virtio_mem(run, index)
           && (state == LP_STEPSTATE_ASKED
               || (run->resumed && state == LP_STEPSTATE_PENDING
                   && is_under_way(&leg->plan->steps[index]))
               || (run->pressure && leg->plan->steps[index].release
                   && state == LP_STEPSTATE_CONFIRMED));
}

/* What has left by a step. */
static uint64_t
released(const LpRun *run, uint32_t index)
{
    const LpStep *step = &lp_run_leg_now(run)->plan->steps[index];
    uint64_t now = run->partition->view->cells[step->cell].current_bytes;

    return step->release && now < step->from_bytes ? step->from_bytes - now : 0;
}

static uint64_t
released_in_all(const LpRun *run)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < lp_run_leg_now(run)->plan->n_steps; i++)
        if (is_virtio_mem(run, i))
            all += released(run, i);
    return all;
}

/* This step's share of `bytes`: by how much has left where. */
static uint64_t
share(const LpRun *run, uint32_t index, uint64_t bytes)
{
    uint64_t all = released_in_all(run), own = released(run, index);

    return own ? (uint64_t) ((Wide) MIN(bytes, all) * own / all) : 0;
}

/* What seems to have left and has not: of a growth just before, libvirt may know the first part
 * only, since QEMU holds back what follows.  The guest's own count falls before the device's. */
static uint64_t
not_left_yet(const LpRun *run)
{
    uint64_t left = lp_run_guest_released(run), all = released_in_all(run);

    return left < all ? all - left : 0;
}

/* By how much this leg has asked for more, at most: what was there before is never taken back, whatever
 * a guest that reboots shows. */
static uint64_t
growth(const LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);
    uint64_t now = lp_view_requested_bytes(run->partition->view);

    return leg->target.has_mem && now > leg->mem_before_bytes ? now - leg->mem_before_bytes : 0;
}

/* Where a step began that was asked for already when it was planned. */
static uint64_t
began_at(const LpStep *step, uint64_t current, uint64_t *growth_left)
{
    uint64_t missing = step->to_bytes - MIN(current, step->to_bytes);

    missing = MIN(missing, *growth_left);
    *growth_left -= missing;
    return MAX(step->to_bytes - missing, current);
}

/* Where each device is to be left.  Worked out for all before any is asked, for a share depends
 * on what has left everywhere. */
static void
note_goals(LpRun *run)
{
    LpLeg *leg = lp_run_leg_now(run);
    uint64_t here = not_left_yet(run), back = run->pressure ? run->back_bytes : 0;
    uint64_t growth_left = growth(run);

    for (uint32_t i = 0; i < leg->plan->n_steps; i++) {
        const LpStep *step = &leg->plan->steps[i];
        const LpViewCell *cell = &run->partition->view->cells[step->cell];
        uint64_t from = step->from_bytes, low, high, now, goal;

        if (!to_settle(run, i))
            continue;
        if (is_under_way(step))
            from = began_at(step, cell->current_bytes, &growth_left);
        low = MIN(from, step->to_bytes);
        high = MAX(from, step->to_bytes);
        /* Between the two ends of the step, since a guest that reboots shows 0 for a while. */
        now = MIN(CLAMP(cell->current_bytes, low, high) + share(run, i, here), high);
        goal = MIN(now + share(run, i, back), high);
        goal = (goal + cell->block_bytes - 1) / cell->block_bytes * cell->block_bytes;
        leg->progress[i].reached_bytes = MIN(goal, high);
        run->given_back_bytes += run->pressure ? leg->progress[i].reached_bytes - now : 0;
        leg->progress[i].state = LP_STEPSTATE_PARTIAL;
    }
}

/* What a device was asked for and did not reach: the request is taken back to where it is, so
 * that hypervisor, lpard and guest agree, and nothing moves later by itself. */
static bool
settle_step(const LpRun *run, uint32_t index, LpStep *ret_back)
{
    const LpLeg *leg = lp_run_leg_now(run);
    const LpStep *step = &leg->plan->steps[index];

    *ret_back = *step;
    if (!is_virtio_mem(run, index) || leg->progress[index].state != LP_STEPSTATE_PARTIAL)
        return false;
    ret_back->to_bytes = leg->progress[index].reached_bytes;
    return ret_back->to_bytes != run->partition->view->cells[step->cell].requested_bytes;
}

/* ---- capacity ---- */

/* Stopped between quota and record, the guest would be held to what is on record nowhere.  What an
 * earlier lpard had asked for is not known. */
static bool
settle_capacity(const LpRun *run, LpStep *ret_step)
{
    const LpLeg *leg = lp_run_leg_now(run);
    const LpView *view = run->partition->view;
    const LpProfile *profile = &run->partition->profile;
    LpStep step = {.kind = LP_STEP_CAPACITY};
    bool asked = run->resumed;

    for (uint32_t i = 0; i < leg->plan->n_steps; i++)
        asked |= leg->plan->steps[i].kind == LP_STEP_CAPACITY
                 && (leg->progress[i].state == LP_STEPSTATE_ASKED
                     || leg->progress[i].state == LP_STEPSTATE_CONFIRMED);
    if (!asked || !lp_partition_has_profile(run->partition) || !view->global_period_usec)
        return false;
    step.global_period_usec = view->global_period_usec;
    step.shares = lp_capacity_shares(&profile->capacity, view->cgroup);
    step.global_quota_usec = lp_plan_quota(lp_partition_granted_cpus(run->partition),
                                           lp_cpumask_count(&profile->folded) > 0,
                                           profile->capacity.entitled_centi,
                                           profile->capacity.capped, step.global_period_usec);
    step.global_quota_usec = lp_plan_quota_in_pool(step.global_quota_usec, view->pool_centi,
                                                   step.global_period_usec);
    *ret_step = step;
    return step.global_quota_usec != view->global_quota_usec || step.shares != view->cpu_shares;
}

/* ---- one after the other ---- */

static bool
can_settle(const LpRun *run)
{
    return run->partition
           && (run->partition->view->run == LP_RUN_RUNNING
               || run->partition->view->run == LP_RUN_PAUSED)
           && !run->partition->stuck && lp_registry_connected(run->engine->registry);
}

static void
settle_durable(const GError *error, void *data)
{
    LpRun *run = data;

    /* Without a journal what moves is taken back all the same: the leg's own intent is still open, and
     * goes as far as these devices. */
    (void) error;
    run->waiting = false;
    lp_run_settle_next(run);
}

/* Where each device will be left, and why: before any is told (S6). */
static void
record_goals(LpRun *run)
{
    const LpOperation *operation = run->operation;

    run->settle_recorded = run->waiting = true;
    LP_FAULT(SETTLE_WRITE_BEFORE);
    lp_journal_put_operation(run->engine->journal, operation->id, lp_run_leg_now(run)->uuid,
                             operation->request->key, true, lp_operation_to_json(operation),
                             settle_durable, run);
    LP_FAULT(SETTLE_WRITE_AFTER);
}

/* False: nothing (more) is to be taken back. */
static bool
settle_one(LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);

    /* Each is tried once: what fails is for `reconcile`. */
    for (; can_settle(run) && leg->plan && run->settled <= leg->plan->n_steps; run->settled++) {
        LpStep step;

        if (run->settled < leg->plan->n_steps ? !settle_step(run, run->settled, &step)
                                              : !settle_capacity(run, &step))
            continue;
        if (!run->settle_recorded) {
            record_goals(run);
            return true;
        }
        run->settled++;
        lp_run_effect(run, &step);
        return true;
    }
    return false;
}

void
lp_run_settle_next(LpRun *run)
{
    LpLeg *leg = lp_run_leg_now(run);

    if (settle_one(run))
        return;
    LP_FAULT(SETTLE_AFTER);
    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++) {
        if (leg->progress[i].state == LP_STEPSTATE_PENDING)
            leg->progress[i].state = LP_STEPSTATE_SKIPPED;
        if (leg->progress[i].state == LP_STEPSTATE_ASKED)
            leg->progress[i].state = LP_STEPSTATE_PARTIAL;
    }
    lp_run_leg_done(run);
}

static void
begin(LpRun *run)
{
    run->settled = 0;
    LP_FAULT(SETTLE_BEFORE);
    if (can_settle(run))
        note_goals(run);
    lp_run_settle_next(run);
}

static void
settle_looked(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    LpRun *run = user;

    (void) error;
    if (ok && !abandoned && run->partition)
        lp_registry_take_look(run->engine->registry, data);
    run->waiting = false;
    begin(run);
}

/* What is taken back is measured afresh: an older word would move the guest once more, and what came
 * last would not be told as reached. */
void
lp_run_settle(LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);
    bool moving = false;

    for (uint32_t i = 0; i < leg->plan->n_steps; i++)
        moving |= to_settle(run, i) || leg->progress[i].state == LP_STEPSTATE_ASKED;
    if (!moving || !can_settle(run)) {
        begin(run);
        return;
    }
    run->waiting = true;
    lp_registry_look_for(run->engine->registry, run->partition, settle_looked, run);
}
