#include "hotplug/plan.h"

#include <stdlib.h>
#include <string.h>

#include "hotplug/plan-parts.h"

/* QEMU's own threads (main loop, vnc, block) share the domain's quota with its vCPUs; a tenth of a
 * processor keeps a guest that uses all of its vCPUs from starving the thread that serves it. */
#define EMULATOR_ALLOWANCE_PERMILLE 100

static const char *const step_kind_names[LP_STEP_KINDS] = {
    [LP_STEP_FOLD] = "fold",
    [LP_STEP_PLUG_VCPU] = "plug-vcpu",
    [LP_STEP_UNPLUG_VCPU] = "unplug-vcpu",
    [LP_STEP_CAPACITY] = "capacity",
    [LP_STEP_VIRTIO_MEM] = "virtio-mem",
    [LP_STEP_DIMM_ADD] = "dimm-add",
    [LP_STEP_DIMM_REMOVE] = "dimm-remove",
    [LP_STEP_BALLOON] = "balloon",
    [LP_STEP_LIMIT] = "memory-limit",
    [LP_STEP_PROFILE] = "profile",
    [LP_STEP_CONFIG] = "config",
};

static const char *const short_reason_names[LP_SHORT_KINDS] = {
    [LP_SHORT_NONE] = "none",
    [LP_SHORT_NO_CHANGE] = "no-change",
    [LP_SHORT_BELOW_MIN] = "below-min",
    [LP_SHORT_ABOVE_MAX] = "above-max",
    [LP_SHORT_HOST_MEMORY] = "host-memory",
    [LP_SHORT_NODE_MEMORY] = "node-memory",
    [LP_SHORT_HOST_CPU] = "host-cpu",
    [LP_SHORT_BLOCK] = "block",
    [LP_SHORT_NO_DEVICE] = "no-device",
    [LP_SHORT_NO_SLOT] = "no-slot",
    [LP_SHORT_DEVICE_SIZE] = "device-size",
    [LP_SHORT_VCPU_MAX] = "vcpu-max",
    [LP_SHORT_DIMM_WHOLE] = "dimm-whole",
    [LP_SHORT_NO_BALLOON] = "no-balloon",
    [LP_SHORT_BALLOON_ONLY] = "balloon-only",
    [LP_SHORT_NO_CGROUP] = "no-cgroup",
    [LP_SHORT_NO_AGENT] = "no-agent",
    [LP_SHORT_NOT_RUNNING] = "not-running",
    [LP_SHORT_ENTITLED_LOW] = "entitled-low",
    [LP_SHORT_ENTITLED_HIGH] = "entitled-high",
    [LP_SHORT_BOOT_CPU] = "boot-cpu",
    [LP_SHORT_PAUSED] = "paused",
    [LP_SHORT_BUSY] = "busy",
    [LP_SHORT_UNPLUG_EMULATED] = "unplug-emulated",
    [LP_SHORT_OVERRUN] = "overrun",
    [LP_SHORT_TRANSIENT] = "transient",
    [LP_SHORT_AFFINITY] = "affinity",
    [LP_SHORT_CELL] = "cell",
    [LP_SHORT_NODES_ABSENT] = "nodes-absent",
};

const char *
lp_step_kind_name(LpStepKind kind)
{
    return kind < LP_STEP_KINDS ? step_kind_names[kind] : "unknown";
}

const char *
lp_short_reason_name(LpShortReason reason)
{
    return reason < LP_SHORT_KINDS ? short_reason_names[reason] : "unknown";
}

LpPlan *
lp_plan_new(void)
{
    LpPlan *plan = calloc(1, sizeof *plan);

    if (!plan)
        abort();
    return plan;
}

void
lp_plan_free(LpPlan *plan)
{
    if (!plan)
        return;
    free(plan->steps);
    free(plan);
}

uint32_t
lp_plan_granted_vcpus(const LpView *view, const LpCpuMask *folded)
{
    uint32_t n = 0;

    for (int cpu = lp_cpumask_next(&view->plugged, 0); cpu >= 0;
         cpu = lp_cpumask_next(&view->plugged, (unsigned) cpu + 1))
        n += !lp_cpumask_has(folded, (unsigned) cpu);
    return n;
}

int64_t
lp_plan_quota(uint32_t granted_vcpus, bool any_folded, uint32_t entitled_centi, bool capped,
              uint64_t period_usec)
{
    uint64_t centi = (uint64_t) granted_vcpus * 100;

    if (!capped && !any_folded)
        return -1;
    if (capped && entitled_centi < centi)
        centi = entitled_centi;
    return (int64_t) (centi * period_usec / 100
                      + period_usec * EMULATOR_ALLOWANCE_PERMILLE / 1000);
}

int64_t
lp_plan_quota_in_pool(int64_t quota_usec, uint32_t pool_centi, uint64_t period_usec)
{
    int64_t most = (int64_t) (pool_centi * period_usec / 100);

    return pool_centi && quota_usec > most ? most : quota_usec;
}

LpStep *
lp_plan_add_step(LpPlan *plan, LpStepKind kind, uint32_t stage)
{
    LpStep *step;

    if (plan->n_steps == plan->n_allocated) {
        plan->n_allocated = plan->n_allocated ? plan->n_allocated * 2 : 8;
        plan->steps = realloc(plan->steps, plan->n_allocated * sizeof *plan->steps);
        if (!plan->steps)
            abort();
    }
    step = &plan->steps[plan->n_steps++];
    memset(step, 0, sizeof *step);
    step->kind = kind;
    step->stage = stage;
    step->global_quota_usec = -1;
    return step;
}

void
lp_plan_add_shortfall(LpPlan *plan, LpShortReason reason, LpResource resource, bool fatal,
                      uint64_t asked, uint64_t bound, int32_t where)
{
    plan->refused |= fatal;
    if (plan->n_shortfalls == LP_PLAN_MAX_SHORTFALLS)
        return;
    plan->shortfalls[plan->n_shortfalls++] = (LpShortfall){
        .reason = reason,
        .resource = resource,
        .fatal = fatal,
        .asked = asked,
        .bound = bound,
        .where = where,
    };
}

/* Whether the domain is in a state in which anything may be planned at all. */
static bool
check_run_state(LpPlan *plan, const LpView *view, LpResource resource)
{
    switch (view->run) {
    case LP_RUN_OFF:
        lp_plan_add_shortfall(plan, LP_SHORT_NOT_RUNNING, resource, !view->persistent, 0, 0, -1);
        return view->persistent;
    case LP_RUN_RUNNING:
        return true;
    case LP_RUN_PAUSED:
        lp_plan_add_shortfall(plan, LP_SHORT_PAUSED, resource, true, 0, 0, -1);
        return false;
    case LP_RUN_STARTING:
    case LP_RUN_STOPPING:
    case LP_RUN_MIGRATING:
        break;
    }
    lp_plan_add_shortfall(plan, LP_SHORT_BUSY, resource, true, 0, 0, -1);
    return false;
}

/* Entitlement against what it must serve: its floor per vCPU, one processor per vCPU, and the
 * host's processors (S8). */
static void
check_capacity(LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpRoom *room,
               const LpTarget *target)
{
    uint32_t entitled = target->has_capacity ? target->entitled_centi : bounds->entitled_centi;
    uint32_t vcpus = view->run == LP_RUN_OFF && !target->has_cpu ? bounds->cpu_desired
                                                                 : plan->cpu_after;
    bool changes = vcpus != plan->cpu_before || target->has_capacity;
    uint32_t most = vcpus, least = vcpus;

    if (!changes)
        return;
    /* The profile says it beside what is desired, which need not be what is granted. */
    if (target->has_capacity && !target->has_cpu && bounds->cpu_desired) {
        most = bounds->cpu_desired > vcpus ? bounds->cpu_desired : vcpus;
        least = bounds->cpu_desired < vcpus ? bounds->cpu_desired : vcpus;
    }
    if (entitled < most * LP_PLAN_CENTI_PER_VCPU_MIN)
        lp_plan_add_shortfall(plan, LP_SHORT_ENTITLED_LOW, LP_RESOURCE_CAPACITY, true, entitled,
                              most * LP_PLAN_CENTI_PER_VCPU_MIN, -1);
    if (entitled > least * 100)
        lp_plan_add_shortfall(plan, LP_SHORT_ENTITLED_HIGH, LP_RESOURCE_CAPACITY, true, entitled,
                              least * 100, -1);
    if (target->has_capacity && view->run != LP_RUN_OFF
        && entitled > bounds->entitled_centi && entitled > room->room_centi)
        lp_plan_add_shortfall(plan, LP_SHORT_HOST_CPU, LP_RESOURCE_CAPACITY, true, entitled,
                              room->room_centi, -1);
    if (target->has_capacity && view->run != LP_RUN_OFF && view->cgroup == LP_CGROUP_NONE)
        lp_plan_add_shortfall(plan, LP_SHORT_NO_CGROUP, LP_RESOURCE_CAPACITY, true, entitled, 0,
                              -1);
}

/* The step that makes shares and quota what they must be with these vCPUs granted; none where
 * they are so already or cannot be set. */
static void
add_capacity_step(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                  const LpTarget *target, uint32_t granted, bool any_folded, uint32_t stage,
                  int64_t *quota_usec, uint64_t *shares)
{
    uint64_t period = view->global_period_usec ? view->global_period_usec
                                               : LP_PLAN_DEFAULT_PERIOD_USEC;
    uint32_t entitled = target->has_capacity ? target->entitled_centi : bounds->entitled_centi;
    bool capped = target->has_capacity ? target->capped : bounds->capped;
    uint64_t want_shares = target->has_capacity ? target->shares : bounds->shares;
    int64_t quota = lp_plan_quota_in_pool(
        lp_plan_quota(granted, any_folded, entitled, capped, period), view->pool_centi, period);
    LpStep *step;

    if (view->cgroup == LP_CGROUP_NONE)
        return;
    if (quota == *quota_usec && (!target->has_capacity || want_shares == *shares))
        return;
    step = lp_plan_add_step(plan, LP_STEP_CAPACITY, stage);
    step->release = quota >= 0 && (*quota_usec < 0 || quota < *quota_usec);
    step->global_quota_usec = quota;
    step->global_period_usec = period;
    step->shares = want_shares;
    *quota_usec = quota;
    *shares = want_shares;
}

/* Raised before memory comes, lowered when it is gone: a limit below what the guest was granted
 * would have its process killed. */
static void
add_limit_step(LpPlan *plan, const LpView *view, const LpBounds *bounds,
               const LpTarget *target, bool lowers, uint32_t stage)
{
    uint64_t limit = plan->mem_after_bytes + bounds->limit_overhead_bytes;
    LpStep *step;

    /* A device that no step moves may still hold what an earlier shrink asked for. */
    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];

        if (plan->requested_after_bytes[i] == cell->requested_bytes
            && cell->current_bytes > cell->requested_bytes && target->has_mem)
            limit += cell->current_bytes - cell->requested_bytes;
    }

    if (!bounds->limit_overhead_bytes || view->cgroup == LP_CGROUP_NONE
        || limit == view->memory_limit_bytes)
        return;
    /* No limit yet is the highest of all. */
    if (lowers != (view->memory_limit_bytes == 0 || limit < view->memory_limit_bytes))
        return;
    step = lp_plan_add_step(plan, LP_STEP_LIMIT, stage);
    step->release = lowers;
    step->from_bytes = view->memory_limit_bytes;
    step->to_bytes = limit;
}

/* The profile in the live metadata, if what it says changes. */
static void
add_profile_step(LpPlan *plan, const LpCpuMask *folded, uint32_t stage)
{
    LpStep *step = lp_plan_add_step(plan, LP_STEP_PROFILE, stage);

    step->cpus = *folded;
}

static bool
profile_changes(const LpPlan *plan, const LpBounds *bounds, const LpTarget *target,
                const LpPlanOptions *options)
{
    bool keep = options->keep_desired;

    return (target->has_cpu && !keep && target->cpu != bounds->cpu_desired)
           || (target->has_mem && !keep && target->mem_bytes != bounds->mem_desired_bytes)
           || (target->has_capacity
               && (target->entitled_centi != bounds->entitled_centi
                   || target->weight != bounds->weight || target->capped != bounds->capped))
           || !lp_cpumask_equal(&plan->folded_after, &bounds->folded);
}

/* Whether the definition's shares or cap are not those of the target. */
static bool
config_capacity_differs(const LpView *view, const LpBounds *bounds, const LpTarget *target)
{
    uint64_t period = view->global_period_usec ? view->global_period_usec
                                               : LP_PLAN_DEFAULT_PERIOD_USEC;
    uint32_t vcpus = target->has_cpu ? target->cpu : bounds->cpu_desired;

    return view->cgroup != LP_CGROUP_NONE && target->has_capacity
           && (view->cpu_shares_config != target->shares
               || view->global_quota_config_usec
                      != lp_plan_quota_in_pool(lp_plan_quota(vcpus, false, target->entitled_centi,
                                                             target->capped, period),
                                               view->pool_config_centi, period));
}

static bool
config_changes(const LpView *view, const LpBounds *bounds, const LpPlan *plan,
               const LpTarget *target)
{
    uint64_t requested = 0;

    for (uint32_t i = 0; i < view->n_cells; i++)
        requested += plan->requested_after_bytes[i];
    return (target->has_cpu && lp_cpumask_count(&view->plugged_config) != target->cpu)
           || (target->has_mem && requested != view->requested_config_bytes)
           || config_capacity_differs(view, bounds, target);
}

/* Steps on a running domain, in stages: what grows or folds first; then, with the vCPUs that
 * leave folded, the hold and its record; then the unplug; then the hold lifted again. */
static void
plan_running(LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpTarget *target,
             const LpPlanOptions *options, const LpCpuChange *cpu)
{
    int64_t quota = view->global_quota_usec;
    uint64_t shares = view->cpu_shares;
    uint32_t stage = 0;
    bool wrote_profile = false;
    bool config = !options->live_only && view->persistent
                  && (profile_changes(plan, bounds, target, options)
                      || config_changes(view, bounds, plan, target));

    if (!cpu->shrinks)
        add_capacity_step(plan, view, bounds, target, plan->cpu_after,
                          lp_cpumask_count(&plan->folded_after) > 0, stage, &quota, &shares);
    add_limit_step(plan, view, bounds, target, false, stage);
    lp_plan_add_cpu_steps(plan, view, cpu, stage);
    lp_plan_add_mem_steps(plan, view, target, options, stage);
    if (cpu->shrinks) {
        /* The next start does not wait for the guest, nor need the guest wait for it. */
        if (config)
            lp_plan_add_step(plan, LP_STEP_CONFIG, stage);
        if (plan->n_steps)
            stage++;
        add_capacity_step(plan, view, bounds, target, plan->cpu_after,
                          lp_cpumask_count(&cpu->folded) > 0, stage, &quota, &shares);
        add_profile_step(plan, &cpu->folded, stage);
        wrote_profile = true;
        if (lp_cpumask_count(&cpu->unplug)) {
            lp_plan_add_unplug_steps(plan, view, cpu, ++stage);
            stage++;
            add_capacity_step(plan, view, bounds, target, plan->cpu_after,
                              lp_cpumask_count(&plan->folded_after) > 0, stage, &quota, &shares);
            wrote_profile = lp_cpumask_equal(&cpu->folded, &plan->folded_after);
        }
    }
    if (!wrote_profile && (cpu->shrinks || profile_changes(plan, bounds, target, options)))
        add_profile_step(plan, &plan->folded_after, stage);
    if (config && !cpu->shrinks)
        lp_plan_add_step(plan, LP_STEP_CONFIG, stage);
    add_limit_step(plan, view, bounds, target, true, stage + 1);
    if (!view->persistent)
        lp_plan_add_shortfall(plan, LP_SHORT_TRANSIENT, LP_RESOURCE_CPU, false, 0, 0, -1);
}

static void
note_totals(LpPlan *plan)
{
    uint32_t msec[LP_PLAN_MAX_STAGES] = {0};

    plan->n_stages = plan->n_steps ? plan->steps[plan->n_steps - 1].stage + 1 : 0;
    /* Within a stage the guest works on all at once; the slowest step tells. */
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const LpStep *step = &plan->steps[i];

        if (step->expected_msec > msec[step->stage])
            msec[step->stage] = step->expected_msec;
    }
    plan->expected_msec = 0;
    for (uint32_t i = 0; i < plan->n_stages; i++)
        plan->expected_msec += msec[i];
}

/* What the record says is folded, as far as it can be: one that has left late is no vCPU to bring
 * back, and vCPU 0 always runs.  What is left out comes off the record with the plan. */
static void
note_folded(LpPlan *plan, const LpView *view, const LpBounds *bounds)
{
    plan->folded_after = bounds->folded;
    lp_cpumask_remove(&plan->folded_after, 0);
    for (int c = lp_cpumask_next(&bounds->folded, 0); c >= 0 && view->run != LP_RUN_OFF;
         c = lp_cpumask_next(&bounds->folded, c + 1u))
        if (!lp_cpumask_has(&view->plugged, (unsigned) c))
            lp_cpumask_remove(&plan->folded_after, (unsigned) c);
}

void
lp_plan_make(const LpView *view, const LpBounds *bounds, const LpRoom *room,
             const LpGuestFacts *guest, const LpTarget *target, const LpPlanOptions *options,
             LpPlan *ret_plan)
{
    LpPlan *plan = ret_plan;
    LpCpuChange cpu;
    LpResource resource = target->has_cpu   ? LP_RESOURCE_CPU
                          : target->has_mem ? LP_RESOURCE_MEM
                                            : LP_RESOURCE_CAPACITY;

    note_folded(plan, view, bounds);
    plan->cpu_before = plan->cpu_after = lp_plan_granted_vcpus(view, &plan->folded_after);
    plan->mem_before_bytes = plan->mem_after_bytes = lp_view_granted_bytes(view);
    for (uint32_t i = 0; i < view->n_cells; i++)
        plan->requested_after_bytes[i] = view->cells[i].requested_bytes;

    if (!check_run_state(plan, view, resource))
        return;
    lp_plan_choose_cpus(plan, view, bounds, guest, target, &cpu);
    lp_plan_choose_memory(plan, view, bounds, room, target, options);
    check_capacity(plan, view, bounds, room, target);
    lp_plan_check_affinity(plan, view, bounds, room, target);
    if (plan->refused)
        return;
    if (view->run != LP_RUN_OFF)
        plan_running(plan, view, bounds, target, options, &cpu);
    else if (!options->keep_desired
             && (profile_changes(plan, bounds, target, options)
                 || config_changes(view, bounds, plan, target)))
        lp_plan_add_step(plan, LP_STEP_CONFIG, 0);
    if (plan->n_steps == 0)
        lp_plan_add_shortfall(plan, LP_SHORT_NO_CHANGE, resource, false, 0, 0, -1);
    note_totals(plan);
}

/* With vCPUs that did not leave, the domain is held to what is granted; a hold at all granted
 * vCPUs costs the guest nothing. */
static void
hold_again(LpPlan *plan, const LpBounds *bounds, const LpTarget *target)
{
    uint32_t entitled = target->has_capacity ? target->entitled_centi : bounds->entitled_centi;
    bool capped = target->has_capacity ? target->capped : bounds->capped;

    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == LP_STEP_CAPACITY)
            plan->steps[i].global_quota_usec = lp_plan_quota_in_pool(
                lp_plan_quota(plan->cpu_after, true, entitled, capped,
                              plan->steps[i].global_period_usec),
                bounds->pool_centi, plan->steps[i].global_period_usec);
}

/* Whether the plan takes this vCPU out of the grant: only such a one can be kept, whatever a guest
 * says that it runs. */
static bool
is_leaving(const LpPlan *plan, const LpBounds *bounds, unsigned vcpu)
{
    if (lp_cpumask_has(&bounds->folded, vcpu) || lp_cpumask_has(&plan->run_after, vcpu))
        return false;
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == LP_STEP_PROFILE && lp_cpumask_has(&plan->steps[i].cpus, vcpu))
            return true;
    return false;
}

void
lp_plan_keep_vcpus(LpPlan *plan, const LpBounds *bounds, const LpTarget *target,
                   const LpCpuMask *kept)
{
    for (int c = lp_cpumask_next(kept, 0); c >= 0; c = lp_cpumask_next(kept, c + 1u)) {
        if (!is_leaving(plan, bounds, (unsigned) c))
            continue;
        plan->cpu_after++;
        lp_cpumask_remove(&plan->folded_after, (unsigned) c);
        lp_cpumask_add(&plan->run_after, (unsigned) c);
        for (uint32_t i = 0; i < plan->n_steps; i++)
            if (plan->steps[i].kind == LP_STEP_PROFILE)
                lp_cpumask_remove(&plan->steps[i].cpus, (unsigned) c);
    }
    hold_again(plan, bounds, target);
}

void
lp_plan_keep_folded(LpPlan *plan, const LpBounds *bounds, const LpTarget *target,
                    const LpCpuMask *kept)
{
    for (int c = lp_cpumask_next(kept, 0); c >= 0; c = lp_cpumask_next(kept, c + 1u)) {
        /* One that could not even be folded is granted still. */
        if (lp_cpumask_has(&plan->run_after, (unsigned) c))
            continue;
        lp_cpumask_add(&plan->folded_after, (unsigned) c);
        for (uint32_t i = 0; i < plan->n_steps; i++)
            if (plan->steps[i].kind == LP_STEP_PROFILE)
                lp_cpumask_add(&plan->steps[i].cpus, (unsigned) c);
    }
    hold_again(plan, bounds, target);
}
