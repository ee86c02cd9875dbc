/* The cells as candidates: which of them, and so which host node, gives or takes memory. */
#include <string.h>

#include "hotplug/plan-parts.h"

/* What each cell holds or was granted, whichever is more: memory that a guest has not given back
 * takes room, and so do DIMMs. */
static void
fill_held(const LpPlan *plan, const LpView *view, uint64_t *ret_held)
{
    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];
        uint64_t asked = plan->requested_after_bytes[i];

        ret_held[i] = cell->base_bytes + (asked > cell->current_bytes ? asked
                                                                      : cell->current_bytes);
    }
    for (uint32_t i = 0; i < view->n_dimms; i++)
        if (view->dimms[i].cell < view->n_cells)
            ret_held[view->dimms[i].cell] += view->dimms[i].bytes;
}

/* By the room's order; -1: not one of the host's nodes, or not known. */
static int
node_index(const LpRoom *room, int32_t id)
{
    for (uint32_t n = 0; room && id >= 0 && n < room->n_nodes; n++)
        if (room->node_id[n] == id)
            return (int) n;
    return -1;
}

/* Where a cell's next pages come to; of a node that the host has not, nothing does. */
static int32_t
next_node(const LpBounds *bounds, const LpRoom *room, const LpViewCell *cell)
{
    int32_t next = lp_plan_growth_node(&bounds->numa, cell);

    return room && node_index(room, next) < 0 ? cell->home : next;
}

/* What a cell's node has for this partition less what the partition's cells hold of it already;
 * cells that are bound to no node share the host's. */
static uint64_t
node_room(const LpView *view, const LpBounds *bounds, const LpRoom *room, const uint64_t *held,
          int node, uint64_t base_room)
{
    uint64_t sum = 0;

    if (node < 0)
        return base_room;
    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];
        uint64_t fresh = cell->fresh_bytes < held[i] ? cell->fresh_bytes : held[i];

        if (cell->home == room->node_id[node])
            sum += held[i] - fresh;
        if (next_node(bounds, room, cell) == room->node_id[node])
            sum += fresh;
    }
    return room->node_room_bytes[node] > sum ? room->node_room_bytes[node] - sum : 0;
}

static uint32_t
common_vcpus(const LpCpuMask *a, const LpCpuMask *b)
{
    uint32_t n = 0;

    for (unsigned w = 0; w < LP_MAX_CPUS / 64; w++)
        n += (uint32_t) __builtin_popcountll(a->words[w] & b->words[w]);
    return n;
}

/* As it runs now: what a guest wishes of its vCPUs decides nothing about memory. */
static uint32_t
running_vcpus(const LpView *view, const LpBounds *bounds, uint32_t cell)
{
    LpCpuMask running = view->plugged;

    for (unsigned w = 0; w < LP_MAX_CPUS / 64; w++)
        running.words[w] &= ~bounds->folded.words[w];
    return common_vcpus(&running, &view->cells[cell].vcpus);
}

/* What the cell has as the plan has it so far, DIMMs included. */
static uint64_t
size_after(const LpPlan *plan, const LpView *view, uint32_t cell)
{
    uint64_t sum = view->cells[cell].base_bytes + plan->requested_after_bytes[cell];

    for (uint32_t i = 0; i < view->n_dimms; i++)
        if (view->dimms[i].cell == cell)
            sum += view->dimms[i].bytes;
    return sum;
}

/* The cells as candidates to grow, as the plan has them so far. */
static void
fill_cells(const LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpRoom *room,
           uint64_t base_room, LpPlaceCell *cells)
{
    uint64_t held[LP_MAX_CELLS];

    fill_held(plan, view, held);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];
        uint64_t requested = plan->requested_after_bytes[i];
        int32_t next = next_node(bounds, room, cell);
        int node = node_index(room, next);
        uint64_t free = node_room(view, bounds, room, held, node, base_room);
        /* What is preferred is where it lies in the end: what comes from elsewhere follows. */
        bool named = lp_plan_names_node(&bounds->numa, lp_plan_is_held(&bounds->numa) ? next
                                                                               : cell->home);

        cells[i] = (LpPlaceCell){
            .room_bytes = free < base_room ? free : base_room,
            .free_bytes = free,
            .size_bytes = size_after(plan, view, i),
            .grow_bytes = cell->has_device && cell->device_bytes > requested
                              ? cell->device_bytes - requested : 0,
            .shrink_bytes = requested,
            .block_bytes = cell->block_bytes ? cell->block_bytes : 2ULL << 20,
            .node = next,
            .distance = room && room->where && node >= 0 ? room->where->node_distance[node] : 0,
            .vcpus = running_vcpus(view, bounds, i),
            .outside = !named,
        };
        /* Unbound memory may come from anywhere, which no rule that holds can allow. */
        if (!named && lp_plan_is_held(&bounds->numa))
            cells[i].room_bytes = cells[i].free_bytes = 0;
    }
}

/* And to shrink: by where each cell's memory is. */
static void
fill_giving_cells(const LpPlan *plan, const LpView *view, const LpBounds *bounds,
                  const LpRoom *room, LpPlaceCell *cells)
{
    fill_cells(plan, view, bounds, room, UINT64_MAX, cells);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        cells[i].outside = !lp_plan_names_node(&bounds->numa, view->cells[i].home);
        cells[i].distance = room && room->where && !lp_plan_is_level(&bounds->numa)
                                ? room->where->cell_distance[i] : 0;
    }
}

/* The total was checked, so it is a node, or the bound devices on it, that lacks: the roomiest. */
static void
lacks_node(LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpPlaceCell *cells,
           uint64_t bytes, uint64_t placed)
{
    int32_t where = lp_plan_is_held(&bounds->numa) ? (int32_t) bounds->numa.node_id[0] : -1;
    uint64_t most = 0;

    for (uint32_t i = 0; i < view->n_cells; i++)
        if (cells[i].room_bytes >= most && lp_plan_names_node(&bounds->numa, cells[i].node)) {
            most = cells[i].room_bytes;
            where = cells[i].node;
        }
    lp_plan_add_shortfall(plan, LP_SHORT_NODE_MEMORY, LP_RESOURCE_MEM, true, bytes, placed, where);
}

static uint64_t
place_growth(const LpBounds *bounds, const LpPlaceCell *cells, uint32_t n, uint64_t bytes,
             uint64_t *ret_shares)
{
    return (lp_plan_is_level(&bounds->numa) ? lp_place_level : lp_place_grow)(cells, n, bytes,
                                                                              ret_shares);
}

/* What no node of its cells has room for, though the host has: their memory prefers its node and is
 * bound to none, so that it comes from the nearest that has some. */
static uint64_t
place_remote(LpPlan *plan, const LpView *view, const LpBounds *bounds, LpPlaceCell *cells,
             uint64_t spare, uint64_t bytes, uint64_t *shares)
{
    uint64_t more[LP_MAX_CELLS] = {0}, placed;
    int32_t where = -1;

    for (uint32_t i = 0; i < view->n_cells; i++) {
        cells[i].size_bytes += shares[i];
        cells[i].grow_bytes -= shares[i];
        cells[i].room_bytes = cells[i].free_bytes = spare;
    }
    placed = place_growth(bounds, cells, view->n_cells, bytes, more);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        shares[i] += more[i];
        plan->remote_bytes[i] = more[i];
        if (more[i] && where < 0)
            where = cells[i].node;
    }
    if (placed == bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_NODE_MEMORY, LP_RESOURCE_MEM, false, bytes, 0, where);
    return placed;
}

void
lp_plan_grow_devices(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                     const LpRoom *room, uint64_t spare, uint64_t bytes)
{
    LpPlaceCell cells[LP_MAX_CELLS], local[LP_MAX_CELLS];
    uint64_t shares[LP_MAX_CELLS] = {0}, placed, near;

    fill_cells(plan, view, bounds, room, spare, cells);
    memcpy(local, cells, view->n_cells * sizeof *cells);
    placed = near = place_growth(bounds, cells, view->n_cells, bytes, shares);
    if (placed < bytes && lp_plan_may_stray(view, &bounds->numa, room->n_nodes))
        placed += place_remote(plan, view, bounds, cells, spare - placed, bytes - placed, shares);
    if (placed < bytes) {
        lacks_node(plan, view, bounds, local, bytes, near);
        return;
    }
    for (uint32_t i = 0; i < view->n_cells; i++)
        plan->requested_after_bytes[i] += shares[i];
    plan->mem_after_bytes += placed;
}

uint64_t
lp_plan_shrink_devices(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                       const LpRoom *room, uint64_t bytes)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint64_t shares[LP_MAX_CELLS] = {0}, taken;

    fill_giving_cells(plan, view, bounds, room, cells);
    taken = lp_place_shrink(cells, view->n_cells, bytes, shares);
    for (uint32_t i = 0; i < view->n_cells; i++)
        plan->requested_after_bytes[i] -= shares[i];
    plan->mem_after_bytes -= taken;
    return taken;
}

void
lp_plan_grow_dimm(LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpRoom *room,
                  uint64_t spare, uint64_t bytes)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint64_t shares[LP_MAX_CELLS] = {0}, ceiling = lp_view_ceiling_bytes(view);

    if (view->n_cells == 0 || view->slots == 0) {
        lp_plan_add_shortfall(plan, LP_SHORT_NO_DEVICE, LP_RESOURCE_MEM, true, bytes, 0, -1);
        return;
    }
    if (view->slots_used >= view->slots) {
        lp_plan_add_shortfall(plan, LP_SHORT_NO_SLOT, LP_RESOURCE_MEM, true, bytes, view->slots,
                              -1);
        return;
    }
    if (ceiling > view->max_memory_bytes || bytes > view->max_memory_bytes - ceiling) {
        lp_plan_add_shortfall(plan, LP_SHORT_DEVICE_SIZE, LP_RESOURCE_MEM, true, bytes,
                              ceiling > view->max_memory_bytes
                                  ? 0 : view->max_memory_bytes - ceiling, -1);
        return;
    }
    fill_cells(plan, view, bounds, room, spare, cells);
    /* It is of one piece, and any cell can have it. */
    for (uint32_t i = 0; i < view->n_cells; i++)
        cells[i].grow_bytes = cells[i].block_bytes = bytes;
    if (lp_place_grow(cells, view->n_cells, bytes, shares) < bytes) {
        uint64_t most = 0;

        for (uint32_t i = 0; i < view->n_cells; i++)
            most = cells[i].room_bytes > most ? cells[i].room_bytes : most;
        lacks_node(plan, view, bounds, cells, bytes, most);
        return;
    }
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (shares[i])
            plan->dimm_cell = i;
    plan->dimm_bytes = bytes;
    plan->mem_after_bytes += bytes;
}

/* The persistent definition of a domain that is off: shared out afresh, by the vCPUs that it will
 * start with, for where the host will have room is not known. */
void
lp_plan_choose_offline(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                       const LpTarget *target)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint64_t fixed = view->base_bytes + lp_plan_dimm_bytes(view), wanted = target->mem_bytes;
    uint64_t bytes = wanted > fixed ? wanted - fixed : 0;
    uint64_t placed;
    LpCpuMask first;

    if (fixed + bytes > lp_view_ceiling_bytes(view) || wanted < fixed) {
        lp_plan_add_shortfall(plan, LP_SHORT_DEVICE_SIZE, LP_RESOURCE_MEM, true, wanted,
                              wanted < fixed ? fixed : lp_view_ceiling_bytes(view), -1);
        return;
    }
    memset(plan->requested_after_bytes, 0, sizeof plan->requested_after_bytes);
    fill_cells(plan, view, bounds, NULL, UINT64_MAX, cells);
    lp_cpumask_first_n(&first, target->has_cpu ? target->cpu : bounds->cpu_desired);
    for (uint32_t i = 0; i < view->n_cells; i++)
        cells[i].vcpus = lp_plan_is_level(&bounds->numa)
                             ? 0 : common_vcpus(&first, &view->cells[i].vcpus);
    placed = lp_place_start(cells, view->n_cells, bytes, plan->requested_after_bytes);
    plan->mem_after_bytes = fixed + placed;
    if (placed < bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_BLOCK, LP_RESOURCE_MEM, true, wanted,
                              lp_plan_block_bytes(view, LP_VIA_VIRTIO_MEM), -1);
}

static void
grow_in_cell(LpPlan *plan, const LpView *view, const LpBounds *bounds, const LpRoom *room,
             uint32_t index, uint64_t bytes)
{
    uint64_t spare = room->room_bytes > plan->mem_before_bytes
                         ? room->room_bytes - plan->mem_before_bytes : 0;
    LpPlaceCell cells[LP_MAX_CELLS];

    fill_cells(plan, view, bounds, room, spare, cells);
    if (bytes > cells[index].grow_bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_CELL, LP_RESOURCE_MEM, true, bytes,
                              cells[index].grow_bytes, (int32_t) index);
    else if (room->excess_bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_OVERRUN, LP_RESOURCE_MEM, true,
                              plan->mem_before_bytes + room->excess_bytes,
                              plan->mem_before_bytes, -1);
    else if (bytes > spare)
        lp_plan_add_shortfall(plan, LP_SHORT_HOST_MEMORY, LP_RESOURCE_MEM, true, bytes, spare, -1);
    else if (bytes > cells[index].room_bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_NODE_MEMORY, LP_RESOURCE_MEM, true, bytes,
                              cells[index].room_bytes, cells[index].node);
    else
        plan->requested_after_bytes[index] += bytes;
}

/* One cell alone, by its device: whoever names it wants its node, so nothing lies elsewhere. */
void
lp_plan_choose_in_cell(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                       const LpRoom *room, const LpTarget *target, uint64_t now)
{
    uint64_t to = target->mem_bytes, bytes = to > now ? to - now : now - to;
    const LpViewCell *cell = &view->cells[target->cell % LP_MAX_CELLS];

    if (target->cell >= view->n_cells || !cell->has_device || cell->block_bytes == 0
        || view->run == LP_RUN_OFF || (to < now && bytes > cell->requested_bytes))
        lp_plan_add_shortfall(plan, LP_SHORT_CELL, LP_RESOURCE_MEM, true, bytes,
                              target->cell < view->n_cells ? cell->requested_bytes : 0,
                              (int32_t) target->cell);
    else if (bytes % cell->block_bytes)
        lp_plan_add_shortfall(plan, LP_SHORT_BLOCK, LP_RESOURCE_MEM, true, to, cell->block_bytes,
                              -1);
    else if (to > now)
        grow_in_cell(plan, view, bounds, room, target->cell, bytes);
    else
        plan->requested_after_bytes[target->cell] -= bytes;
    /* As in any target: what a balloon holds of it is the guest's again. */
    plan->balloon_after_bytes = 0;
    if (!plan->refused)
        plan->mem_after_bytes = to;
}
