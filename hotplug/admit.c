#include "hotplug/admit.h"

#include <string.h>

#include "hotplug/plan-parts.h"

/* What the walk has so far: the partition as it would be after the steps already seen. */
typedef struct {
    LpCpuMask plugged, folded;
    LpCpuMask folded_before;  /* on record when this stage began */
    uint32_t slots_used;
    uint64_t balloon_bytes;
    uint64_t requested[LP_MAX_CELLS];
    uint64_t dimm_bytes[LP_MAX_CELLS];
    LpCpuMask dimms_gone;
} Walk;

static void
start_walk(Walk *walk, const LpView *view, const LpBounds *bounds)
{
    memset(walk, 0, sizeof *walk);
    walk->plugged = view->plugged;
    walk->folded = bounds->folded;
    /* It runs whatever a record says. */
    lp_cpumask_remove(&walk->folded, 0);
    walk->folded_before = walk->folded;
    walk->slots_used = view->slots_used;
    walk->balloon_bytes = view->balloon_bytes;
    for (uint32_t i = 0; i < view->n_cells; i++)
        walk->requested[i] = view->cells[i].requested_bytes;
    for (uint32_t i = 0; i < view->n_dimms; i++)
        if (view->dimms[i].cell < LP_MAX_CELLS)
            walk->dimm_bytes[view->dimms[i].cell] += view->dimms[i].bytes;
}

static uint64_t
cell_bytes(const Walk *walk, const LpView *view, uint32_t cell)
{
    return view->cells[cell].base_bytes + walk->requested[cell] + walk->dimm_bytes[cell];
}

/* What the host must count the cell at: a guest holds what it has not given back. */
static uint64_t
cell_held_bytes(const Walk *walk, const LpView *view, uint32_t cell)
{
    uint64_t current = view->cells[cell].current_bytes, asked = walk->requested[cell];

    return cell_bytes(walk, view, cell) + (current > asked ? current - asked : 0);
}

static uint64_t
total_bytes(const Walk *walk, const LpView *view)
{
    uint64_t sum = view->n_cells ? 0 : view->base_bytes;

    for (uint32_t i = 0; i < view->n_cells; i++)
        sum += cell_bytes(walk, view, i);
    return sum;
}

static uint64_t
total_held_bytes(const Walk *walk, const LpView *view)
{
    uint64_t sum = view->n_cells ? 0 : view->base_bytes;

    for (uint32_t i = 0; i < view->n_cells; i++)
        sum += cell_held_bytes(walk, view, i);
    return sum;
}

/* What the guest is left with. */
static uint64_t
left_bytes(const Walk *walk, const LpView *view)
{
    uint64_t total = total_bytes(walk, view);

    return total > walk->balloon_bytes ? total - walk->balloon_bytes : 0;
}

static uint32_t
granted_vcpus(const Walk *walk)
{
    uint32_t n = 0;

    for (int c = lp_cpumask_next(&walk->plugged, 0); c >= 0;
         c = lp_cpumask_next(&walk->plugged, c + 1u))
        n += !lp_cpumask_has(&walk->folded, (unsigned) c);
    return n;
}

static bool
apply_virtio_mem(Walk *walk, const LpView *view, const LpStep *step)
{
    const LpViewCell *cell;

    if (step->cell >= view->n_cells)
        return false;
    cell = &view->cells[step->cell];
    if (!cell->has_device || step->to_bytes > cell->device_bytes || cell->block_bytes == 0
        || step->to_bytes % cell->block_bytes || step->from_bytes != walk->requested[step->cell])
        return false;
    walk->requested[step->cell] = step->to_bytes;
    return true;
}

static bool
apply_dimm_remove(Walk *walk, const LpView *view, const LpStep *step)
{
    for (uint32_t i = 0; i < view->n_dimms; i++) {
        if (strcmp(view->dimms[i].alias, step->alias) || lp_cpumask_has(&walk->dimms_gone, i)
            || view->dimms[i].cell >= LP_MAX_CELLS)
            continue;
        lp_cpumask_add(&walk->dimms_gone, i);
        walk->dimm_bytes[view->dimms[i].cell] -= view->dimms[i].bytes;
        walk->slots_used--;
        return true;
    }
    return false;
}

/* False: the step names something that is not there. */
static bool
apply(Walk *walk, const LpView *view, const LpStep *step)
{
    switch (step->kind) {
    case LP_STEP_FOLD:
        /* vCPU 0 runs always, and nothing runs that the domain cannot have. */
        return lp_cpumask_has(&step->cpus, 0)
               && lp_cpumask_last(&step->cpus) < (int) view->vcpu_max;
    case LP_STEP_PLUG_VCPU:
        if (step->vcpu >= view->vcpu_max || lp_cpumask_has(&walk->plugged, step->vcpu))
            return false;
        lp_cpumask_add(&walk->plugged, step->vcpu);
        return true;
    case LP_STEP_UNPLUG_VCPU:
        /* First folded and on record as such, in a stage that is over; then unplugged. */
        if (step->vcpu == 0 || !lp_cpumask_has(&walk->plugged, step->vcpu)
            || !lp_cpumask_has(&view->hotpluggable, step->vcpu)
            || !lp_cpumask_has(&walk->folded_before, step->vcpu) || view->accel == LP_ACCEL_TCG)
            return false;
        lp_cpumask_remove(&walk->plugged, step->vcpu);
        lp_cpumask_remove(&walk->folded, step->vcpu);
        return true;
    case LP_STEP_VIRTIO_MEM:
        return apply_virtio_mem(walk, view, step);
    case LP_STEP_DIMM_ADD:
        if (step->cell >= view->n_cells || step->to_bytes == 0
            || step->to_bytes % LP_PLAN_DIMM_BLOCK_BYTES || walk->slots_used >= view->slots)
            return false;
        walk->slots_used++;
        walk->dimm_bytes[step->cell] += step->to_bytes;
        return true;
    case LP_STEP_DIMM_REMOVE:
        return apply_dimm_remove(walk, view, step);
    case LP_STEP_BALLOON:
        if (!view->has_balloon || step->to_bytes >= total_bytes(walk, view))
            return false;
        walk->balloon_bytes = step->to_bytes;
        return true;
    case LP_STEP_PROFILE:
        if (lp_cpumask_has(&step->cpus, 0))
            return false;
        walk->folded = step->cpus;
        return true;
    case LP_STEP_CAPACITY:
        return view->cgroup != LP_CGROUP_NONE;
    case LP_STEP_LIMIT:
        /* Never below what the guest holds by then. */
        return view->cgroup != LP_CGROUP_NONE
               && step->to_bytes > total_bytes(walk, view);
    case LP_STEP_CONFIG:
        return true;
    case LP_STEP_KINDS:
        break;
    }
    return false;
}


/* Whether a rule holds memory to the nodes that it names. */
static bool
holds_to_nodes(const LpNumaRule *rule)
{
    return rule->n_nodes > 0
           && (rule->mode == LP_NUMA_STRICT || rule->mode == LP_NUMA_SPREAD
               || rule->mode == LP_NUMA_INTERLEAVE);
}

/* A node's own room is no bound for memory that only prefers it and can be moved: it comes from
 * another, and the host's room in all bounds it. */
static bool
may_lie_elsewhere(const LpView *view, const LpBounds *bounds, const LpRoom *room)
{
    bool bound = view->numatune == LP_NUMATUNE_RESTRICTIVE || view->numatune == LP_NUMATUNE_OTHER;

    return room->n_nodes > 1 && !bound && !view->memory_locked && !holds_to_nodes(&bounds->numa);
}

static bool
is_off_limits(const LpNumaRule *rule, int32_t node)
{
    for (uint32_t i = 0; i < rule->n_nodes; i++)
        if ((int32_t) rule->node_id[i] == node)
            return false;
    return holds_to_nodes(rule);
}

/* Where more of a cell comes to: the node its memory is taken from; where it lies, if it is taken
 * from none known, or from one that its rule forbids and that it is moved away from. */
static int32_t
comes_to(const LpView *view, const LpBounds *bounds, uint32_t cell)
{
    const LpViewCell *of = &view->cells[cell];

    return of->node < 0 || is_off_limits(&bounds->numa, of->node) ? of->home : of->node;
}

static uint64_t
node_held_bytes(const Walk *first, const Walk *walk, const LpView *view, const LpBounds *bounds,
                int32_t node)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < view->n_cells; i++) {
        uint64_t had = cell_held_bytes(first, view, i), has = cell_held_bytes(walk, view, i);
        uint64_t fresh = view->cells[i].fresh_bytes, lies = had > fresh ? had - fresh : 0;

        if (view->cells[i].home == node)
            sum += has < lies ? has : lies;
        if (comes_to(view, bounds, i) == node && has > lies)
            sum += has - lies;
    }
    return sum;
}

/* What a step does is told from before and after, not from what the step says of itself.  A
 * partition that was outside its bounds already may come nearer, but not go further. */
static LpAdmitVerdict
check_memory(const Walk *before, const Walk *after, const LpView *view, const LpBounds *bounds,
             const LpRoom *room)
{
    Walk first;
    uint64_t total = total_bytes(after, view), held = total_held_bytes(after, view);
    uint64_t left = left_bytes(after, view);

    if (left < left_bytes(before, view) && left < bounds->mem_min_bytes)
        return LP_ADMIT_S1_BELOW_MIN;
    if (total > total_bytes(before, view) && total > bounds->mem_max_bytes)
        return LP_ADMIT_S2_ABOVE_MAX;
    if (held <= total_held_bytes(before, view))
        return LP_ADMIT_OK;
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (cell_held_bytes(after, view, i) > cell_held_bytes(before, view, i)
            && is_off_limits(&bounds->numa, comes_to(view, bounds, i)))
            return LP_ADMIT_NODE_RULE;
    if (held > room->room_bytes)
        return LP_ADMIT_S3_HOST_MEMORY;
    if (may_lie_elsewhere(view, bounds, room))
        return LP_ADMIT_OK;
    start_walk(&first, view, bounds);
    for (uint32_t n = 0; n < room->n_nodes; n++) {
        uint64_t on_node = node_held_bytes(&first, after, view, bounds, room->node_id[n]);

        if (on_node > node_held_bytes(&first, before, view, bounds, room->node_id[n])
            && on_node > room->node_room_bytes[n])
            return LP_ADMIT_S3_NODE_MEMORY;
    }
    return LP_ADMIT_OK;
}

static LpAdmitVerdict
check_vcpus(uint32_t before, uint32_t after, const LpBounds *bounds)
{
    if (after < before && after < bounds->cpu_min)
        return LP_ADMIT_S1_BELOW_MIN;
    return after > before && after > bounds->cpu_max ? LP_ADMIT_S2_ABOVE_MAX : LP_ADMIT_OK;
}

static LpAdmitVerdict
check_step(const Walk *before, const Walk *after, const LpView *view, const LpBounds *bounds,
           const LpRoom *room, const LpStep *step)
{
    switch (step->kind) {
    case LP_STEP_FOLD:
        return check_vcpus(granted_vcpus(before), lp_cpumask_count(&step->cpus), bounds);
    case LP_STEP_PLUG_VCPU:
    case LP_STEP_UNPLUG_VCPU:
    case LP_STEP_PROFILE:
        return check_vcpus(granted_vcpus(before), granted_vcpus(after), bounds);
    case LP_STEP_VIRTIO_MEM:
    case LP_STEP_DIMM_ADD:
    case LP_STEP_DIMM_REMOVE:
    case LP_STEP_BALLOON:
        return check_memory(before, after, view, bounds, room);
    default:
        return LP_ADMIT_OK;
    }
}

LpAdmitVerdict
lp_admit(const LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpRoom *room,
         const LpTarget *target, uint32_t *ret_step)
{
    Walk walk, before;
    uint32_t stage = 0;

    start_walk(&walk, view, bounds);
    /* S8: the sum of entitlements fits the processors. */
    if (target->has_capacity && view->run != LP_RUN_OFF
        && target->entitled_centi > bounds->entitled_centi
        && target->entitled_centi > room->room_centi)
        return LP_ADMIT_S8_CAPACITY;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const LpStep *step = &plan->steps[i];
        LpAdmitVerdict verdict = LP_ADMIT_OK;

        if (ret_step)
            *ret_step = i;
        before = walk;
        if (step->stage > stage)
            walk.folded_before = walk.folded;
        if (step->stage < stage || step->stage >= LP_PLAN_MAX_STAGES || !apply(&walk, view, step))
            return LP_ADMIT_MALFORMED;
        stage = step->stage;
        verdict = check_step(&before, &walk, view, bounds, room, step);
        if (verdict != LP_ADMIT_OK)
            return verdict;
    }
    return LP_ADMIT_OK;
}

const char *
lp_admit_verdict_text(LpAdmitVerdict verdict)
{
    switch (verdict) {
    case LP_ADMIT_OK:
        return "admitted";
    case LP_ADMIT_S1_BELOW_MIN:
        return "S1: a step would take the partition below its minimum";
    case LP_ADMIT_S2_ABOVE_MAX:
        return "S2: a step would take the partition above its maximum";
    case LP_ADMIT_S3_HOST_MEMORY:
        return "S3: the host's memory does not hold it";
    case LP_ADMIT_S3_NODE_MEMORY:
        return "S3: a host node's memory does not hold it";
    case LP_ADMIT_S8_CAPACITY:
        return "S8: the entitlements would exceed the host's processors";
    case LP_ADMIT_NODE_RULE:
        return "memory would come to a node that the partition's rule does not name";
    case LP_ADMIT_MALFORMED:
        return "the plan names something that the domain does not have";
    }
    return "unknown";
}
