/* Does a plan's steps one by one on a copy of the partition and looks at each result as a whole. */
#include <string.h>

#include "plan_case.h"

uint64_t
judge_requested(const LpView *view)
{
    uint64_t sum = view->n_cells ? 0 : view->base_bytes;

    for (uint32_t i = 0; i < view->n_cells; i++)
        sum += view->cells[i].base_bytes + view->cells[i].requested_bytes;
    for (uint32_t i = 0; i < view->n_dimms; i++)
        sum += view->dimms[i].bytes;
    return sum;
}

/* What cells of one node hold (any node for NULL), with what a guest has not given back. */
static uint64_t
held(const LpView *view, const int32_t *node)
{
    uint64_t sum = view->n_cells ? 0 : view->base_bytes;

    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];

        if (node && cell->home != *node)
            continue;
        sum += cell->base_bytes + (cell->current_bytes > cell->requested_bytes
                                       ? cell->current_bytes : cell->requested_bytes);
        for (uint32_t d = 0; d < view->n_dimms; d++)
            if (view->dimms[d].cell == i)
                sum += view->dimms[d].bytes;
    }
    return sum;
}

uint32_t
judge_granted(const LpView *view, const LpCpuMask *folded)
{
    uint32_t n = 0;

    for (unsigned c = 0; c < LP_MAX_CPUS; c++)
        n += lp_cpumask_has(&view->plugged, c) && (c == 0 || !lp_cpumask_has(folded, c));
    return n;
}

static bool
remove_dimm(LpView *view, const char *alias)
{
    for (uint32_t i = 0; i < view->n_dimms; i++) {
        if (strcmp(view->dimms[i].alias, alias))
            continue;
        memmove(&view->dimms[i], &view->dimms[i + 1],
                (view->n_dimms - i - 1) * sizeof view->dimms[0]);
        view->n_dimms--;
        view->slots_used--;
        return true;
    }
    return false;
}

static bool
do_memory(LpView *view, const LpStep *step)
{
    LpViewCell *cell = step->cell < view->n_cells ? &view->cells[step->cell] : NULL;

    switch (step->kind) {
    case LP_STEP_VIRTIO_MEM:
        if (!cell || !cell->has_device || step->to_bytes > cell->device_bytes
            || step->to_bytes % cell->block_bytes || step->from_bytes != cell->requested_bytes)
            return false;
        cell->requested_bytes = step->to_bytes;
        return true;
    case LP_STEP_DIMM_ADD:
        if (!cell || step->to_bytes == 0 || step->to_bytes % (128 * MIB)
            || view->slots_used >= view->slots)
            return false;
        memset(&view->dimms[view->n_dimms], 0, sizeof view->dimms[0]);
        memcpy(view->dimms[view->n_dimms].alias, "added", 6);
        view->dimms[view->n_dimms].cell = step->cell;
        view->dimms[view->n_dimms++].bytes = step->to_bytes;
        view->slots_used++;
        return true;
    case LP_STEP_DIMM_REMOVE:
        return remove_dimm(view, step->alias);
    default:
        if (!view->has_balloon || step->to_bytes >= judge_requested(view))
            return false;
        view->balloon_bytes = step->to_bytes;
        return true;
    }
}

static bool
do_vcpu(PlanCase *end, const LpStep *step, const LpCpuMask *folded_before_stage)
{
    LpView *view = &end->view;

    if (step->kind == LP_STEP_PLUG_VCPU) {
        if (step->vcpu >= view->vcpu_max || lp_cpumask_has(&view->plugged, step->vcpu))
            return false;
        lp_cpumask_add(&view->plugged, step->vcpu);
        lp_cpumask_add(&view->hotpluggable, step->vcpu);
        return true;
    }
    /* Only one that has been folded and is on record as such, in a stage that is over. */
    if (step->vcpu == 0 || !lp_cpumask_has(&view->plugged, step->vcpu)
        || !lp_cpumask_has(&view->hotpluggable, step->vcpu)
        || !lp_cpumask_has(folded_before_stage, step->vcpu) || view->accel == LP_ACCEL_TCG)
        return false;
    lp_cpumask_remove(&view->plugged, step->vcpu);
    lp_cpumask_remove(&end->bounds.folded, step->vcpu);
    return true;
}

static void
do_profile(PlanCase *end, const LpStep *step)
{
    const LpTarget *target = &end->target;

    end->bounds.folded = step->cpus;
    if (target->has_cpu)
        end->bounds.cpu_desired = target->cpu;
    if (target->has_mem)
        end->bounds.mem_desired_bytes = target->mem_bytes;
    if (!target->has_capacity)
        return;
    end->bounds.entitled_centi = target->entitled_centi;
    end->bounds.weight = target->weight;
    end->bounds.capped = target->capped;
    end->bounds.shares = target->shares;
}

static void
do_config(PlanCase *end)
{
    LpView *view = &end->view;

    if (end->target.has_cpu)
        lp_cpumask_first_n(&view->plugged_config, end->target.cpu);
    if (end->target.has_mem) {
        view->requested_config_bytes = 0;
        for (uint32_t i = 0; i < view->n_cells; i++)
            view->requested_config_bytes += view->cells[i].requested_bytes;
    }
    if (end->target.has_capacity && view->cgroup != LP_CGROUP_NONE) {
        uint64_t period = view->global_period_usec ? view->global_period_usec : 100000;
        uint64_t centi = 100 * (uint64_t) (end->target.has_cpu ? end->target.cpu
                                                               : end->bounds.cpu_desired);

        if (end->target.entitled_centi < centi)
            centi = end->target.entitled_centi;
        view->cpu_shares_config = end->target.shares;
        view->global_quota_config_usec = end->target.capped
                                             ? (int64_t) ((centi + 10) * period / 100) : -1;
    }
    /* An off domain's profile is in its definition. */
    if (view->run == LP_RUN_OFF)
        do_profile(end, &(LpStep){.cpus = end->bounds.folded});
}

static bool
do_step(PlanCase *end, const LpStep *step, const LpCpuMask *folded_before_stage)
{
    LpView *view = &end->view;

    switch (step->kind) {
    case LP_STEP_FOLD:
        for (unsigned c = view->vcpu_max; c < LP_MAX_CPUS; c++)
            if (lp_cpumask_has(&step->cpus, c))
                return false;
        end->guest.online = step->cpus;
        return lp_cpumask_has(&step->cpus, 0);
    case LP_STEP_PLUG_VCPU:
    case LP_STEP_UNPLUG_VCPU:
        return do_vcpu(end, step, folded_before_stage);
    case LP_STEP_CAPACITY:
        view->global_quota_usec = step->global_quota_usec;
        view->global_period_usec = step->global_period_usec;
        view->cpu_shares = step->shares;
        return view->cgroup != LP_CGROUP_NONE;
    case LP_STEP_PROFILE:
        if (lp_cpumask_has(&step->cpus, 0))
            return false;
        do_profile(end, step);
        return true;
    case LP_STEP_LIMIT:
        view->memory_limit_bytes = step->to_bytes;
        return view->cgroup != LP_CGROUP_NONE && step->to_bytes > judge_requested(view);
    case LP_STEP_CONFIG:
        do_config(end);
        return true;
    default:
        return step->kind < LP_STEP_KINDS && do_memory(view, step);
    }
}

static LpAdmitVerdict
judge_vcpus(uint32_t before, uint32_t after, const LpBounds *bounds)
{
    if (after < before && after < bounds->cpu_min)
        return LP_ADMIT_S1_BELOW_MIN;
    return after > before && after > bounds->cpu_max ? LP_ADMIT_S2_ABOVE_MAX : LP_ADMIT_OK;
}

static bool
holds(const LpNumaRule *rule)
{
    return rule->n_nodes > 0
           && (rule->mode == LP_NUMA_STRICT || rule->mode == LP_NUMA_SPREAD
               || rule->mode == LP_NUMA_INTERLEAVE);
}

static bool
names(const LpNumaRule *rule, int32_t node)
{
    for (uint32_t i = 0; i < rule->n_nodes; i++)
        if (rule->node_id[i] == node)
            return true;
    return !holds(rule);
}

/* One cell's part of held(). */
static uint64_t
held_by(const LpView *view, uint32_t cell)
{
    const LpViewCell *of = &view->cells[cell];
    uint64_t sum = of->base_bytes + (of->current_bytes > of->requested_bytes
                                         ? of->current_bytes : of->requested_bytes);

    for (uint32_t d = 0; d < view->n_dimms; d++)
        sum += view->dimms[d].cell == cell ? view->dimms[d].bytes : 0;
    return sum;
}

/* What is on a node: what was measured where it lies, and what came since where that comes to, which
 * is where it is taken from, unless its rule forbids that. */
static uint64_t
held_on(const PlanCase *pcase, const LpView *view, int32_t node)
{
    const LpNumaRule *rule = &pcase->bounds.numa;
    uint64_t sum = 0;

    for (uint32_t c = 0; c < view->n_cells; c++) {
        const LpViewCell *cell = &view->cells[c];
        uint64_t had = held_by(&pcase->view, c), has = held_by(view, c);
        bool taken = cell->node >= 0 && names(rule, cell->node);
        uint64_t lies = had - (cell->fresh_bytes < had ? cell->fresh_bytes : had);

        if (cell->home == node)
            sum += has < lies ? has : lies;
        if ((taken ? cell->node : cell->home) == node)
            sum += has > lies ? has - lies : 0;
    }
    return sum;
}

/* Memory that a rule of placement forbids where it came to. */
static bool
strays(const LpView *before, const LpView *after, const LpNumaRule *rule)
{
    for (uint32_t c = 0; c < after->n_cells; c++) {
        const LpViewCell *cell = &after->cells[c];

        if (!names(rule, cell->home) && !names(rule, cell->node)
            && held_by(after, c) > held_by(before, c))
            return true;
    }
    return false;
}

static LpAdmitVerdict
judge_memory(const LpView *before, const LpView *after, const PlanCase *pcase)
{
    uint64_t was = judge_requested(before), is = judge_requested(after);
    uint64_t was_left = was - before->balloon_bytes;
    uint64_t is_left = is > after->balloon_bytes ? is - after->balloon_bytes : 0;

    if (is_left < was_left && is_left < pcase->bounds.mem_min_bytes)
        return LP_ADMIT_S1_BELOW_MIN;
    if (is > was && is > pcase->bounds.mem_max_bytes)
        return LP_ADMIT_S2_ABOVE_MAX;
    if (held(after, NULL) > held(before, NULL) && strays(before, after, &pcase->bounds.numa))
        return LP_ADMIT_NODE_RULE;
    if (held(after, NULL) > held(before, NULL) && held(after, NULL) > pcase->room.room_bytes)
        return LP_ADMIT_S3_HOST_MEMORY;
    /* What prefers its node finds memory on others. */
    if (pcase->room.n_nodes > 1 && after->numatune <= LP_NUMATUNE_CELLS && !after->memory_locked
        && (pcase->bounds.numa.n_nodes == 0 || pcase->bounds.numa.mode == LP_NUMA_PREFERRED
            || pcase->bounds.numa.mode == LP_NUMA_AUTO || pcase->bounds.numa.mode == LP_NUMA_KEEP))
        return LP_ADMIT_OK;
    for (uint32_t n = 0; n < pcase->room.n_nodes; n++) {
        int32_t node = pcase->room.node_id[n];

        if (held_on(pcase, after, node) > held_on(pcase, before, node)
            && held_on(pcase, after, node) > pcase->room.node_room_bytes[n])
            return LP_ADMIT_S3_NODE_MEMORY;
    }
    return LP_ADMIT_OK;
}

static LpAdmitVerdict
judge_step(const PlanCase *pcase, const PlanCase *before, const PlanCase *after,
           const LpStep *step)
{
    uint32_t was = judge_granted(&before->view, &before->bounds.folded);

    switch (step->kind) {
    case LP_STEP_FOLD:
        return judge_vcpus(was, lp_cpumask_count(&step->cpus), &pcase->bounds);
    case LP_STEP_PLUG_VCPU:
    case LP_STEP_UNPLUG_VCPU:
    case LP_STEP_PROFILE:
        return judge_vcpus(was, judge_granted(&after->view, &after->bounds.folded),
                           &pcase->bounds);
    case LP_STEP_CAPACITY:
    case LP_STEP_LIMIT:
    case LP_STEP_CONFIG:
        return LP_ADMIT_OK;
    default:
        return judge_memory(&before->view, &after->view, pcase);
    }
}

LpAdmitVerdict
plan_judge(const PlanCase *pcase, const LpPlan *plan, uint32_t *ret_step, PlanCase *ret_end)
{
    static PlanCase before, end;
    LpCpuMask folded_before_stage = pcase->bounds.folded;
    const LpTarget *target = &pcase->target;
    uint32_t stage = 0;

    *ret_step = 0;
    if (target->has_capacity && pcase->view.run != LP_RUN_OFF
        && target->entitled_centi > pcase->bounds.entitled_centi
        && target->entitled_centi > pcase->room.room_centi)
        return LP_ADMIT_S8_CAPACITY;
    end = *pcase;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const LpStep *step = &plan->steps[i];
        LpAdmitVerdict verdict;

        *ret_step = i;
        before = end;
        if (step->stage > stage)
            folded_before_stage = end.bounds.folded;
        if (step->stage < stage || step->stage >= LP_PLAN_MAX_STAGES
            || !do_step(&end, step, &folded_before_stage))
            return LP_ADMIT_MALFORMED;
        stage = step->stage;
        verdict = judge_step(pcase, &before, &end, step);
        if (verdict != LP_ADMIT_OK)
            return verdict;
    }
    if (!ret_end)
        return LP_ADMIT_OK;
    *ret_end = end;
    if (pcase->view.run == LP_RUN_OFF && plan->n_steps)
        ret_end->bounds.folded = plan->folded_after;
    if (pcase->view.run == LP_RUN_OFF && plan->n_steps && target->has_mem) {
        /* The definition is shared out afresh. */
        ret_end->view.requested_config_bytes = 0;
        for (uint32_t i = 0; i < end.view.n_cells; i++) {
            ret_end->view.cells[i].requested_bytes = plan->requested_after_bytes[i];
            ret_end->view.requested_config_bytes += plan->requested_after_bytes[i];
        }
        return LP_ADMIT_OK;
    }
    /* The guest has done as asked. */
    for (uint32_t i = 0; i < end.view.n_cells; i++)
        ret_end->view.cells[i].current_bytes = end.view.cells[i].requested_bytes;
    return LP_ADMIT_OK;
}
