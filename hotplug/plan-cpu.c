/* Which vCPUs come and which go. */
#include <string.h>

#include "hotplug/plan-parts.h"

/* Typical times, emulated guests included: onlining is what takes long there. */
#define EXPECTED_ONLINE_MSEC 600
#define EXPECTED_OFFLINE_MSEC 100
#define EXPECTED_UNPLUG_MSEC 1000

static int
cell_of(const LpView *view, unsigned vcpu)
{
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (lp_cpumask_has(&view->cells[i].vcpus, vcpu))
            return (int) i;
    return 0;
}

/* The cells as candidates for a vCPU: `running` of each, and of `pool` how many each owns. */
static uint32_t
count_cells(const LpView *view, const LpCpuMask *running, const LpCpuMask *pool,
            LpPlaceCell *cells, uint32_t *n_running, uint32_t *n_pool)
{
    uint32_t n = view->n_cells ? view->n_cells : 1;

    memset(cells, 0, n * sizeof *cells);
    memset(n_running, 0, n * sizeof *n_running);
    memset(n_pool, 0, n * sizeof *n_pool);
    for (uint32_t i = 0; i < n; i++) {
        cells[i].block_bytes = 1;
        cells[i].size_bytes = view->n_cells ? view->cells[i].base_bytes
                                                  + view->cells[i].requested_bytes
                                            : 1;
    }
    for (int c = lp_cpumask_next(running, 0); c >= 0; c = lp_cpumask_next(running, c + 1u))
        n_running[cell_of(view, (unsigned) c)]++;
    for (int c = lp_cpumask_next(pool, 0); c >= 0; c = lp_cpumask_next(pool, c + 1u))
        n_pool[cell_of(view, (unsigned) c)]++;
    return n;
}

/* Of `pool` the lowest vCPU (or highest, for one that leaves) in `cell`. */
static int
pick(const LpView *view, const LpCpuMask *pool, int cell, bool highest)
{
    int found = -1;

    for (int c = lp_cpumask_next(pool, 0); c >= 0; c = lp_cpumask_next(pool, c + 1u)) {
        if (cell_of(view, (unsigned) c) != cell)
            continue;
        found = c;
        if (!highest)
            break;
    }
    return found;
}

/* Moves one vCPU from `pool` into `running`, from the cell that should have it. */
static int
take_one(const LpView *view, LpCpuMask *running, LpCpuMask *pool)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint32_t n_running[LP_MAX_CELLS], n_pool[LP_MAX_CELLS];
    uint32_t n = count_cells(view, running, pool, cells, n_running, n_pool);
    int cell = lp_place_vcpu_add(cells, n_running, n_pool, n);
    int vcpu = cell < 0 ? -1 : pick(view, pool, cell, false);

    if (vcpu >= 0) {
        lp_cpumask_add(running, (unsigned) vcpu);
        lp_cpumask_remove(pool, (unsigned) vcpu);
    }
    return vcpu;
}

static int
drop_one(const LpView *view, LpCpuMask *running, LpCpuMask *pool)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint32_t n_running[LP_MAX_CELLS], n_pool[LP_MAX_CELLS];
    uint32_t n = count_cells(view, running, pool, cells, n_running, n_pool);
    int cell = lp_place_vcpu_remove(cells, n_running, n_pool, n);
    int vcpu = cell < 0 ? -1 : pick(view, pool, cell, true);

    if (vcpu >= 0) {
        lp_cpumask_remove(running, (unsigned) vcpu);
        lp_cpumask_remove(pool, (unsigned) vcpu);
    }
    return vcpu;
}

/* In the emulator ids are filled without a gap, whatever the cell: QEMU loses the interrupts
 * between vCPUs past a missing id, and the guest then waits seconds for each on- or offlining. */
static int
take_new(const LpView *view, LpCpuMask *running, LpCpuMask *pool)
{
    int vcpu;

    if (view->accel != LP_ACCEL_TCG)
        return take_one(view, running, pool);
    vcpu = lp_cpumask_next(pool, 0);
    if (vcpu >= 0) {
        lp_cpumask_add(running, (unsigned) vcpu);
        lp_cpumask_remove(pool, (unsigned) vcpu);
    }
    return vcpu;
}

/* Those that are plugged but folded come back first (milliseconds), then new ones. */
static void
choose_growth(LpPlan *plan, const LpView *view, LpCpuMask *running, uint32_t wanted,
              LpCpuChange *change)
{
    LpCpuMask folded = change->folded, free_vcpus;

    lp_cpumask_first_n(&free_vcpus, view->vcpu_max);
    for (int c = lp_cpumask_next(&view->plugged, 0); c >= 0;
         c = lp_cpumask_next(&view->plugged, c + 1u))
        lp_cpumask_remove(&free_vcpus, (unsigned) c);
    while (lp_cpumask_count(running) < wanted && take_one(view, running, &folded) >= 0)
        ;
    change->folded = folded;
    while (lp_cpumask_count(running) < wanted) {
        int vcpu = take_new(view, running, &free_vcpus);

        if (vcpu < 0)
            break;
        lp_cpumask_add(&change->plug, (unsigned) vcpu);
    }
    plan->folded_after = folded;
}

/* Who may leave, in the order in which they are taken.  What cannot be unplugged comes last, for it
 * would stay plugged and held; the guest's wish decides among equals.  vCPU 0 is in none, since
 * guests cannot run without it. */
#define SHRINK_POOLS 4

static void
sort_by_preference(const LpView *view, const LpGuestFacts *guest, const LpCpuMask *running,
                   bool may_unplug, LpCpuMask pools[SHRINK_POOLS])
{
    memset(pools, 0, SHRINK_POOLS * sizeof *pools);
    for (int c = lp_cpumask_next(running, 1); c >= 0; c = lp_cpumask_next(running, c + 1u)) {
        bool stays = !lp_cpumask_has(&view->hotpluggable, (unsigned) c);
        bool wished = lp_cpumask_has(&guest->leave, (unsigned) c);
        /* Where nothing is unplugged anyway, the wish comes first. */
        unsigned pool = may_unplug ? stays * 2u + !wished : !wished * 2u + stays;

        lp_cpumask_add(&pools[pool], (unsigned) c);
    }
}

static void
choose_shrink(LpPlan *plan, const LpView *view, const LpGuestFacts *guest, LpCpuMask *running,
              uint32_t wanted, bool may_unplug, LpCpuChange *change)
{
    LpCpuMask pools[SHRINK_POOLS];
    bool boot_cpu = false;
    unsigned pool = 0;

    sort_by_preference(view, guest, running, may_unplug, pools);
    while (lp_cpumask_count(running) > wanted && pool < SHRINK_POOLS) {
        int vcpu = drop_one(view, running, &pools[pool]);

        if (vcpu < 0) {
            pool++;
            continue;
        }
        lp_cpumask_add(&change->folded, (unsigned) vcpu);
        if (!lp_cpumask_has(&view->hotpluggable, (unsigned) vcpu))
            boot_cpu = true;
        else if (may_unplug)
            lp_cpumask_add(&change->unplug, (unsigned) vcpu);
    }
    if (boot_cpu && may_unplug)
        lp_plan_add_shortfall(plan, LP_SHORT_BOOT_CPU, LP_RESOURCE_CPU, false, wanted, 0, -1);
    plan->folded_after = change->folded;
    for (int c = lp_cpumask_next(&change->unplug, 0); c >= 0;
         c = lp_cpumask_next(&change->unplug, c + 1u))
        lp_cpumask_remove(&plan->folded_after, (unsigned) c);
}

static bool
check_cpu_bounds(LpPlan *plan, const LpView *view, const LpBounds *bounds, uint32_t wanted)
{
    if (wanted < bounds->cpu_min || wanted == 0)
        lp_plan_add_shortfall(plan, LP_SHORT_BELOW_MIN, LP_RESOURCE_CPU, true, wanted,
                              bounds->cpu_min, -1);
    else if (wanted > bounds->cpu_max)
        lp_plan_add_shortfall(plan, LP_SHORT_ABOVE_MAX, LP_RESOURCE_CPU, true, wanted,
                              bounds->cpu_max, -1);
    else if (wanted > view->vcpu_max)
        lp_plan_add_shortfall(plan, LP_SHORT_VCPU_MAX, LP_RESOURCE_CPU, true, wanted,
                              view->vcpu_max, -1);
    return !plan->refused;
}

/* What the guest's side and the host's side can do about vCPUs here: whether a shrink means
 * anything at all, and what must be said about it. */
static void
note_cpu_limits(LpPlan *plan, const LpView *view, const LpGuestFacts *guest, bool shrinks,
                bool all_unplugged)
{
    if (!guest->connected)
        lp_plan_add_shortfall(plan, LP_SHORT_NO_AGENT, LP_RESOURCE_CPU,
                              shrinks && !all_unplugged && view->cgroup == LP_CGROUP_NONE,
                              plan->cpu_after, plan->cpu_before, -1);
    if (view->cgroup == LP_CGROUP_NONE)
        lp_plan_add_shortfall(plan, LP_SHORT_NO_CGROUP, LP_RESOURCE_CPU, false, plan->cpu_after,
                              0, -1);
    if (shrinks && view->accel == LP_ACCEL_TCG)
        lp_plan_add_shortfall(plan, LP_SHORT_UNPLUG_EMULATED, LP_RESOURCE_CPU, false,
                              plan->cpu_after, 0, -1);
}

void
lp_plan_choose_cpus(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                    const LpGuestFacts *guest, const LpTarget *target, LpCpuChange *ret_change)
{
    /* QEMU's emulator never frees an unplugged vCPU, and dies at the next hot-add. */
    bool may_unplug = view->accel != LP_ACCEL_TCG;
    LpCpuMask running = view->plugged, folded_before = plan->folded_after;

    memset(ret_change, 0, sizeof *ret_change);
    ret_change->folded = plan->folded_after;
    for (int c = lp_cpumask_next(&plan->folded_after, 0); c >= 0;
         c = lp_cpumask_next(&plan->folded_after, c + 1u))
        lp_cpumask_remove(&running, (unsigned) c);
    plan->run_after = running;
    if (!target->has_cpu || !check_cpu_bounds(plan, view, bounds, target->cpu))
        return;
    if (view->run == LP_RUN_OFF) {
        plan->cpu_after = target->cpu;
        return;
    }
    if (target->cpu > plan->cpu_before)
        choose_growth(plan, view, &running, target->cpu, ret_change);
    else if (target->cpu < plan->cpu_before) {
        ret_change->shrinks = true;
        choose_shrink(plan, view, guest, &running, target->cpu, may_unplug, ret_change);
    }
    plan->cpu_after = lp_cpumask_count(&running);
    plan->run_after = running;
    if (target->cpu != plan->cpu_before)
        note_cpu_limits(plan, view, guest, ret_change->shrinks,
                        lp_cpumask_covers(&folded_before, &plan->folded_after));
    /* The agent is told also when only the guest deviates: a reboot undoes folding. */
    ret_change->tell_agent = guest->connected && !lp_cpumask_equal(&guest->online, &running);
}

void
lp_plan_add_cpu_steps(LpPlan *plan, const LpView *view, const LpCpuChange *change, uint32_t stage)
{
    if (change->tell_agent) {
        LpStep *fold = lp_plan_add_step(plan, LP_STEP_FOLD, stage);

        fold->release = change->shrinks;
        fold->cpus = plan->run_after;
        fold->expected_msec = change->shrinks ? EXPECTED_OFFLINE_MSEC : EXPECTED_ONLINE_MSEC;
    }
    for (int c = lp_cpumask_next(&change->plug, 0); c >= 0;
         c = lp_cpumask_next(&change->plug, c + 1u)) {
        LpStep *plug = lp_plan_add_step(plan, LP_STEP_PLUG_VCPU, stage);

        plug->vcpu = (uint32_t) c;
        plug->cell = (uint32_t) cell_of(view, (unsigned) c);
        plug->expected_msec = EXPECTED_ONLINE_MSEC;
    }
}

void
lp_plan_add_unplug_steps(LpPlan *plan, const LpView *view, const LpCpuChange *change,
                         uint32_t stage)
{
    for (int c = lp_cpumask_last(&change->unplug); c >= 0; c--) {
        LpStep *step;

        if (!lp_cpumask_has(&change->unplug, (unsigned) c))
            continue;
        step = lp_plan_add_step(plan, LP_STEP_UNPLUG_VCPU, stage);
        step->release = true;
        step->vcpu = (uint32_t) c;
        step->cell = (uint32_t) cell_of(view, (unsigned) c);
        step->expected_msec = EXPECTED_UNPLUG_MSEC;
    }
}
