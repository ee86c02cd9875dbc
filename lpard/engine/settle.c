/* What a leg that was stopped leaves: nothing that moves on by itself later, and nothing that
 * contradicts the record. */
#include "lpard/engine/engine-priv.h"

/* What a device was asked for and did not reach: the request is taken back to where it is, so
 * that hypervisor, lpard and guest agree, and nothing moves later by itself.  Held between the
 * two ends of the step, since a guest that reboots shows 0 for a while. */
static bool
settle_step(LpRun *run, uint32_t index)
{
    const LpStep *step = &lp_run_leg_now(run)->plan->steps[index];
    LpStepProgress *progress = &lp_run_leg_now(run)->progress[index];
    const LpViewCell *cell;
    uint64_t low = MIN(step->from_bytes, step->to_bytes);
    uint64_t high = MAX(step->from_bytes, step->to_bytes), value;
    LpStep back;

    if (step->kind != LP_STEP_VIRTIO_MEM || progress->state != LP_STEPSTATE_ASKED)
        return false;
    cell = &run->partition->view->cells[step->cell];
    value = CLAMP(cell->current_bytes, low, high);
    value = (value + cell->block_bytes - 1) / cell->block_bytes * cell->block_bytes;
    progress->reached_bytes = value;
    progress->state = LP_STEPSTATE_PARTIAL;
    if (value == cell->requested_bytes)
        return false;
    back = *step;
    back.to_bytes = value;
    lp_run_effect(run, &back);
    return true;
}

static bool
can_settle(const LpRun *run)
{
    return run->partition && run->partition->view->run == LP_RUN_RUNNING
           && !run->partition->stuck && lp_registry_connected(run->engine->registry);
}

void
lp_run_settle_next(LpRun *run)
{
    LpLeg *leg = lp_run_leg_now(run);
    bool usable = can_settle(run);

    for (uint32_t i = 0; usable && leg->plan && i < leg->plan->n_steps; i++)
        if (settle_step(run, i))
            return;
    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++) {
        if (leg->progress[i].state == LP_STEPSTATE_PENDING)
            leg->progress[i].state = LP_STEPSTATE_SKIPPED;
        if (leg->progress[i].state == LP_STEPSTATE_ASKED)
            leg->progress[i].state = LP_STEPSTATE_PARTIAL;
    }
    lp_run_leg_done(run);
}

static void
settle_looked(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    LpRun *run = user;

    (void) error;
    if (ok && !abandoned && run->partition)
        lp_registry_take_look(run->engine->registry, data);
    run->waiting = false;
    lp_run_settle_next(run);
}

/* What is taken back is measured afresh: an older word would move the guest once more. */
void
lp_run_settle(LpRun *run)
{
    const LpLeg *leg = lp_run_leg_now(run);
    bool moving = false;

    for (uint32_t i = 0; i < leg->plan->n_steps; i++)
        moving |= leg->plan->steps[i].kind == LP_STEP_VIRTIO_MEM
                  && leg->progress[i].state == LP_STEPSTATE_ASKED;
    if (!moving || !can_settle(run)) {
        lp_run_settle_next(run);
        return;
    }
    run->waiting = true;
    lp_registry_look_for(run->engine->registry, run->partition, settle_looked, run);
}
