/* Whether devices, DIMMs or a balloon give or take memory, and by which steps. */
#include <string.h>

#include "hotplug/plan-parts.h"

/* Typical rates, emulated guests included (see tests/bench). */
#define EXPECTED_GROW_MSEC_PER_GIB 400
#define EXPECTED_SHRINK_MSEC_PER_GIB 2000
/* QEMU tells of a device's size at most once a second. */
#define EXPECTED_SHRINK_FLOOR_MSEC 1000
#define EXPECTED_GROW_FLOOR_MSEC 100
#define EXPECTED_DIMM_MSEC 2000
#define EXPECTED_BALLOON_MSEC_PER_GIB 3000

static uint32_t
scaled_msec(uint64_t bytes, uint32_t per_gib, uint32_t floor)
{
    uint64_t msec = floor + (bytes >> 20) * per_gib / 1024;

    return msec > UINT32_MAX ? UINT32_MAX : (uint32_t) msec;
}

uint64_t
lp_plan_dimm_bytes(const LpView *view)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < view->n_dimms; i++)
        sum += view->dimms[i].bytes;
    return sum;
}

static bool
has_device(const LpView *view)
{
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (view->cells[i].has_device)
            return true;
    return false;
}

uint64_t
lp_plan_block_bytes(const LpView *view, LpVia via)
{
    uint64_t block = 0;

    if (via == LP_VIA_DIMM || (via != LP_VIA_VIRTIO_MEM && !has_device(view)))
        return LP_PLAN_DIMM_BLOCK_BYTES;
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (view->cells[i].has_device && view->cells[i].block_bytes > block)
            block = view->cells[i].block_bytes;
    return block ? block : 2ULL << 20;
}

/* DIMMs leave whole: the biggest that fits (of equals the last), until none does. */
static uint64_t
shrink_dimms(LpPlan *plan, const LpView *view, uint64_t bytes)
{
    uint64_t left = bytes;

    for (;;) {
        int best = -1;

        for (uint32_t i = 0; i < view->n_dimms; i++)
            if (view->dimms[i].bytes && view->dimms[i].bytes <= left
                && !lp_cpumask_has(&plan->dimms_removed, i)
                && (best < 0 || view->dimms[i].bytes >= view->dimms[best].bytes))
                best = (int) i;
        if (best < 0)
            break;
        left -= view->dimms[best].bytes;
        lp_cpumask_add(&plan->dimms_removed, (unsigned) best);
    }
    plan->mem_after_bytes -= bytes - left;
    return bytes - left;
}

/* The block that is cut, or 0: devices are counted from what is fixed, a DIMM from what there is, and a
 * balloon has none, but what it leaves is to be written down. */
static uint64_t
cut_block(const LpView *view, uint64_t wanted, LpVia via)
{
    uint64_t now = lp_view_requested_bytes(view), block = lp_plan_block_bytes(view, via);
    uint64_t from = via == LP_VIA_DIMM ? now : view->base_bytes + lp_plan_dimm_bytes(view);

    if (wanted == now)
        return 0;
    if (via == LP_VIA_BALLOON && wanted < now)
        return wanted % LP_PLAN_PROFILE_BLOCK_BYTES ? LP_PLAN_PROFILE_BLOCK_BYTES : 0;
    return (wanted > from ? wanted - from : from - wanted) % block ? block : 0;
}

static bool
check_memory_bounds(LpPlan *plan, const LpView *view, const LpBounds *bounds, uint64_t wanted,
                    LpVia via)
{
    uint64_t block = cut_block(view, wanted, via);

    if (wanted < bounds->mem_min_bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_BELOW_MIN, LP_RESOURCE_MEM, true, wanted,
                              bounds->mem_min_bytes, -1);
    else if (wanted > bounds->mem_max_bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_ABOVE_MAX, LP_RESOURCE_MEM, true, wanted,
                              bounds->mem_max_bytes, -1);
    else if (block)
        lp_plan_add_shortfall(plan, LP_SHORT_BLOCK, LP_RESOURCE_MEM, true, wanted, block, -1);
    return !plan->refused;
}

/* What an earlier shrink asked for and the guest still holds is counted to the partition as it
 * is: asking for it back costs no room, so that an undo never fails for want of it. */
static uint64_t
take_back(LpPlan *plan, const LpView *view, uint64_t bytes)
{
    uint64_t left = bytes;

    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];
        uint64_t top = cell->current_bytes < cell->device_bytes ? cell->current_bytes
                                                                : cell->device_bytes;
        uint64_t share;

        if (!cell->has_device || cell->block_bytes == 0 || top <= cell->requested_bytes)
            continue;
        share = top - cell->requested_bytes < left ? top - cell->requested_bytes : left;
        share -= share % cell->block_bytes;
        plan->requested_after_bytes[i] += share;
        left -= share;
    }
    plan->mem_after_bytes += bytes - left;
    return bytes - left;
}

static void
choose_growth(LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpRoom *room,
              uint64_t bytes, LpVia via)
{
    uint64_t counted = plan->mem_before_bytes;
    uint64_t spare = room->room_bytes > counted ? room->room_bytes - counted : 0;

    plan->balloon_after_bytes = 0;
    if (via != LP_VIA_DIMM)
        bytes -= take_back(plan, view, bytes);
    if (bytes == 0)
        return;
    if (room->excess_bytes) {
        lp_plan_add_shortfall(plan, LP_SHORT_OVERRUN, LP_RESOURCE_MEM, true,
                              plan->mem_before_bytes + room->excess_bytes,
                              plan->mem_before_bytes, -1);
        return;
    }
    if (bytes > spare) {
        lp_plan_add_shortfall(plan, LP_SHORT_HOST_MEMORY, LP_RESOURCE_MEM, true, bytes, spare,
                              -1);
        return;
    }
    if (!lp_plan_check_nodes(plan, &bounds->numa, room, bytes))
        return;
    if (via == LP_VIA_DIMM || !has_device(view)) {
        if (via == LP_VIA_VIRTIO_MEM)
            lp_plan_add_shortfall(plan, LP_SHORT_NO_DEVICE, LP_RESOURCE_MEM, true, bytes, 0, -1);
        else
            lp_plan_grow_dimm(plan, view, bounds, room, spare, bytes);
        return;
    }
    if (plan->mem_after_bytes + bytes > lp_view_ceiling_bytes(view)) {
        lp_plan_add_shortfall(plan, LP_SHORT_DEVICE_SIZE, LP_RESOURCE_MEM, true,
                              plan->mem_after_bytes + bytes, lp_view_ceiling_bytes(view), -1);
        return;
    }
    lp_plan_grow_devices(plan, view, bounds, room, spare, bytes);
}

static void
choose_shrink(LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpRoom *room,
              uint64_t bytes, LpVia via)
{
    uint64_t taken = 0;

    if (via == LP_VIA_AUTO || via == LP_VIA_VIRTIO_MEM)
        taken += lp_plan_shrink_devices(plan, view, bounds, room, bytes);
    if ((via == LP_VIA_AUTO || via == LP_VIA_DIMM) && taken < bytes)
        taken += shrink_dimms(plan, view, bytes - taken);
    /* What a balloon holds beyond this comes back, or both together would go below. */
    plan->balloon_after_bytes = 0;
    if (taken == bytes)
        return;
    if (via == LP_VIA_DIMM || (via == LP_VIA_AUTO && !view->has_balloon && view->n_dimms)) {
        lp_plan_add_shortfall(plan, LP_SHORT_DIMM_WHOLE, LP_RESOURCE_MEM, taken == 0, bytes,
                              taken, -1);
        return;
    }
    if (via == LP_VIA_VIRTIO_MEM) {
        lp_plan_add_shortfall(plan, LP_SHORT_NO_DEVICE, LP_RESOURCE_MEM, taken == 0, bytes, taken,
                              -1);
        return;
    }
    if (!view->has_balloon) {
        lp_plan_add_shortfall(plan, LP_SHORT_NO_BALLOON, LP_RESOURCE_MEM, taken == 0, bytes,
                              taken, -1);
        return;
    }
    plan->balloon_after_bytes = bytes - taken;
    lp_plan_add_shortfall(plan, LP_SHORT_BALLOON_ONLY, LP_RESOURCE_MEM, false, bytes - taken, 0,
                          -1);
}

void
lp_plan_choose_memory(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                      const LpRoom *room, const LpTarget *target, const LpPlanOptions *options)
{
    uint64_t now = lp_view_requested_bytes(view);

    plan->balloon_after_bytes = view->balloon_bytes;
    if (!target->has_mem
        || !check_memory_bounds(plan, view, bounds, target->mem_bytes, options->via))
        return;
    if (target->one_cell) {
        lp_plan_choose_in_cell(plan, view, bounds, room, target, now);
        return;
    }
    if (view->run == LP_RUN_OFF) {
        lp_plan_choose_offline(plan, view, bounds, target);
        return;
    }
    /* From what is asked of the guest, not from what it still holds: a shrink under way that
     * is asked for again must not be asked for twice. */
    plan->mem_after_bytes = now;
    if (target->mem_bytes > now)
        choose_growth(plan, view, bounds, room, target->mem_bytes - now, options->via);
    else if (target->mem_bytes < now)
        choose_shrink(plan, view, bounds, room, now - target->mem_bytes, options->via);
    else
        plan->balloon_after_bytes = 0;
}

static void
add_balloon_step(LpPlan *plan, const LpView *view, uint32_t stage)
{
    uint64_t from = view->balloon_bytes, to = plan->balloon_after_bytes;
    LpStep *step = lp_plan_add_step(plan, LP_STEP_BALLOON, stage);

    step->release = to > from;
    step->from_bytes = from;
    step->to_bytes = to;
    step->expected_msec = scaled_msec(to > from ? to - from : from - to,
                                      EXPECTED_BALLOON_MSEC_PER_GIB, EXPECTED_GROW_FLOOR_MSEC);
}

static void
add_device_step(LpPlan *plan, const LpView *view, uint32_t cell, uint32_t stage)
{
    uint64_t from = view->cells[cell].requested_bytes, to = plan->requested_after_bytes[cell];
    LpStep *step = lp_plan_add_step(plan, LP_STEP_VIRTIO_MEM, stage);

    step->release = to < from || (to == from && to < view->cells[cell].current_bytes);
    step->cell = cell;
    memcpy(step->alias, view->cells[cell].alias, sizeof step->alias);
    step->from_bytes = from;
    step->to_bytes = to;
    step->expected_msec = to < from ? scaled_msec(from - to, EXPECTED_SHRINK_MSEC_PER_GIB,
                                                  EXPECTED_SHRINK_FLOOR_MSEC)
                                    : scaled_msec(to - from, EXPECTED_GROW_MSEC_PER_GIB,
                                                  EXPECTED_GROW_FLOOR_MSEC);
}

void
lp_plan_add_mem_steps(LpPlan *plan, const LpView *view, const LpTarget *target,
                      const LpPlanOptions *options, uint32_t stage)
{
    bool by_device = options->via == LP_VIA_AUTO || options->via == LP_VIA_VIRTIO_MEM;

    if (!target->has_mem)
        return;
    /* What a balloon holds comes back first: it is the guest's already. */
    if (plan->balloon_after_bytes < view->balloon_bytes)
        add_balloon_step(plan, view, stage);
    for (uint32_t i = 0; i < view->n_cells; i++)
        /* One that is still on its way to what it was asked for is asked again, and waited for. */
        if (view->cells[i].has_device
            && (plan->requested_after_bytes[i] != view->cells[i].requested_bytes
                || (by_device
                    && plan->requested_after_bytes[i] != view->cells[i].current_bytes)))
            add_device_step(plan, view, i, stage);
    if (plan->dimm_bytes) {
        LpStep *step = lp_plan_add_step(plan, LP_STEP_DIMM_ADD, stage);

        step->cell = plan->dimm_cell;
        step->to_bytes = plan->dimm_bytes;
        step->expected_msec = EXPECTED_DIMM_MSEC;
    }
    for (uint32_t i = 0; i < view->n_dimms; i++) {
        LpStep *step;

        if (!lp_cpumask_has(&plan->dimms_removed, i))
            continue;
        step = lp_plan_add_step(plan, LP_STEP_DIMM_REMOVE, stage);
        step->release = true;
        step->cell = view->dimms[i].cell;
        memcpy(step->alias, view->dimms[i].alias, sizeof step->alias);
        step->from_bytes = view->dimms[i].bytes;
        step->expected_msec = EXPECTED_DIMM_MSEC;
    }
    if (plan->balloon_after_bytes > view->balloon_bytes)
        add_balloon_step(plan, view, stage);
}
