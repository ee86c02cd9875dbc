/* The pages of simulated domains: where they come to lie, and how they move. */
#include <string.h>

#include "hotplug/sim-host.h"

/* Where memory goes that is bound to no node, on a host that says nothing of its nodes. */
#define FIRST_NODE 0u

static void
append(GArray *extents, uint32_t node, uint64_t bytes)
{
    LpSimExtent *last = extents->len
        ? &g_array_index(extents, LpSimExtent, extents->len - 1) : NULL;
    LpSimExtent extent = { .node = node, .bytes = bytes };

    if (bytes == 0)
        return;
    if (last && last->node == node)
        last->bytes += bytes;
    else
        g_array_append_val(extents, extent);
}

static void
truncate_by(GArray *extents, uint64_t bytes)
{
    while (bytes > 0 && extents->len > 0) {
        LpSimExtent *last = &g_array_index(extents, LpSimExtent, extents->len - 1);
        uint64_t taken = MIN(bytes, last->bytes);

        last->bytes -= taken;
        bytes -= taken;
        if (last->bytes == 0)
            g_array_set_size(extents, extents->len - 1);
    }
}

static uint64_t
sum(const GArray *extents)
{
    uint64_t bytes = 0;

    for (guint i = 0; i < extents->len; i++)
        bytes += g_array_index(extents, LpSimExtent, i).bytes;
    return bytes;
}

static void
free_parts(LpSimNuma *numa)
{
    for (uint32_t i = 0; i < numa->n_parts; i++)
        g_array_unref(numa->parts[i].extents);
    g_clear_pointer(&numa->parts, g_free);
    numa->n_parts = 0;
}

void
lp_sim_numa_start(LpSimDomain *domain)
{
    LpSimNuma *numa = &domain->numa;

    lp_sim_numa_stop(domain);
    numa->n_parts = domain->n_cells + 1;
    numa->parts = g_new0(LpSimPart, numa->n_parts);
    for (uint32_t i = 0; i < numa->n_parts; i++)
        numa->parts[i].extents = g_array_new(FALSE, FALSE, sizeof(LpSimExtent));
    lp_sim_xml_pins(domain->live_xml, domain->vcpu_max, numa);
}

void
lp_sim_numa_stop(LpSimDomain *domain)
{
    LpSimNuma *numa = &domain->numa;

    free_parts(numa);
    g_clear_pointer(&numa->pins, g_free);
    numa->n_pins = numa->n_nodeset = 0;
    numa->moved_bytes = 0;
    lp_cpumask_clear(&numa->emulator);
}

static uint64_t
used_on(const LpSimHost *host, uint32_t node)
{
    uint64_t bytes = 0;

    for (guint i = 0; i < host->domains->len; i++) {
        const LpSimNuma *numa = &((const LpSimDomain *) g_ptr_array_index(host->domains, i))->numa;

        for (uint32_t part = 0; part < numa->n_parts; part++) {
            const GArray *extents = numa->parts[part].extents;

            for (guint at = 0; at < extents->len; at++) {
                const LpSimExtent *extent = &g_array_index(extents, LpSimExtent, at);

                bytes += extent->node == node ? extent->bytes : 0;
            }
        }
    }
    return bytes;
}

/* A node that FILE does not name has no memory. */
static uint64_t
free_on(const LpSimHost *host, uint32_t node)
{
    const LpSimNodes *limits = &host->node_bytes;

    if (limits->n == 0)
        return UINT64_MAX;
    for (uint32_t i = 0; i < limits->n; i++) {
        if (limits->at[i].node == node)
            return limits->at[i].bytes - MIN(limits->at[i].bytes, used_on(host, node));
    }
    return 0;
}

/* As the kernel does with a preferred node: there while it has room, then elsewhere; and all there
 * is left on the preferred one when no node has room, for this host has no end. */
static void
grow(LpSimDomain *domain, LpSimPart *part, uint32_t home, uint64_t bytes)
{
    const LpSimNodes *limits = &domain->host->node_bytes;
    uint64_t here = MIN(bytes, free_on(domain->host, home));

    append(part->extents, home, here);
    bytes -= here;
    for (uint32_t i = 0; i < limits->n && bytes > 0; i++) {
        uint64_t there = MIN(bytes, free_on(domain->host, limits->at[i].node));

        append(part->extents, limits->at[i].node, there);
        bytes -= there;
    }
    append(part->extents, home, bytes);
}

static uint32_t
home_of(const LpSimDomain *domain, uint32_t index)
{
    const LpSimNuma *numa = &domain->numa;
    uint32_t cell = index < domain->n_cells ? index : 0;

    if (numa->n_nodeset > 0)
        return numa->nodeset[0];
    if (cell < domain->n_cells && domain->cells[cell].node >= 0)
        return (uint32_t) domain->cells[cell].node;
    return domain->host->node_bytes.n ? domain->host->node_bytes.at[0].node : FIRST_NODE;
}

/* What the guest has of the part, resident or not.  The balloon takes boot memory, the last cell's
 * first. */
static uint64_t
size_of(const LpSimDomain *domain, uint32_t index)
{
    uint64_t ballooned = domain->balloon_bytes, bytes;

    if (index == domain->n_cells) {
        bytes = domain->numa.own_bytes;
        if (domain->n_cells == 0)
            bytes += domain->base_bytes - MIN(domain->base_bytes, ballooned);
        return bytes;
    }
    for (uint32_t i = domain->n_cells - 1; i > index; i--)
        ballooned -= MIN(ballooned, domain->cells[i].base_bytes);
    bytes = domain->cells[index].base_bytes;
    bytes -= MIN(bytes, ballooned);
    bytes += domain->cells[index].plugged_bytes;
    for (guint i = 0; i < domain->dimms->len; i++) {
        const LpSimDimm *dimm = &g_array_index(domain->dimms, LpSimDimm, i);

        bytes += dimm->cell == index ? dimm->bytes : 0;
    }
    return bytes;
}

void
lp_sim_numa_settle(LpSimDomain *domain)
{
    for (uint32_t i = 0; i < domain->numa.n_parts; i++) {
        LpSimPart *part = &domain->numa.parts[i];
        uint64_t wanted = size_of(domain, i), has = sum(part->extents);

        wanted -= MIN(wanted, part->untouched_bytes);
        if (wanted > has)
            grow(domain, part, home_of(domain, i), wanted - has);
        else
            truncate_by(part->extents, has - wanted);
    }
}

static void
put(GArray *extents, const LpSimNodes *nodes)
{
    g_array_set_size(extents, 0);
    for (uint32_t i = 0; i < nodes->n; i++)
        append(extents, nodes->at[i].node, nodes->at[i].bytes);
}

void
lp_sim_numa_place(LpSimDomain *domain, const LpSimSpec *spec)
{
    LpSimNuma *numa = &domain->numa;

    for (uint32_t i = 0; i < spec->own.n; i++)
        numa->own_bytes += spec->own.at[i].bytes;
    if (numa->n_parts != spec->n_cells + 1)
        return;                   /* it is off */
    for (uint32_t i = 0; i < spec->n_cells; i++) {
        const LpSimNodes *lies = spec->cells[i].lies;
        uint64_t size = size_of(domain, i);

        if (!lies)
            continue;
        put(numa->parts[i].extents, lies);
        numa->parts[i].untouched_bytes = size - MIN(size, sum(numa->parts[i].extents));
    }
    put(numa->parts[spec->n_cells].extents, &spec->own);
    lp_sim_numa_settle(domain);
}

/* One pass over a part. */
typedef struct {
    const LpMoveOrder *order;
    const LpSimMoving *faults;
    GArray *extents;              /* as it becomes */
    uint64_t at;                  /* the address that comes next */
    uint64_t room_bytes;          /* left on the node that it goes to */
    LpPagesMoved *moved;
} Pass;

static void
stay(Pass *pass, uint32_t node, uint64_t bytes, LpStuck why)
{
    append(pass->extents, node, bytes);
    if (why < LP_STUCKS)
        pass->moved->stuck_bytes[why] += bytes;
    pass->at += bytes;
}

/* As much of the piece as is of one kind; returns how much that was; 0: enough has moved. */
static uint64_t
take(Pass *pass, uint32_t node, uint64_t bytes)
{
    const LpSimMoving *faults = pass->faults;
    uint64_t shared_end = faults->busy_bytes + faults->shared_bytes;

    if (pass->at < faults->busy_bytes) {
        bytes = MIN(bytes, faults->busy_bytes - pass->at);
        stay(pass, node, bytes, LP_STUCK_BUSY);
    } else if (pass->at < shared_end) {
        bytes = MIN(bytes, shared_end - pass->at);
        stay(pass, node, bytes, LP_STUCK_SHARED);
    } else if (pass->room_bytes == 0) {
        stay(pass, node, bytes, LP_STUCK_NO_ROOM);
    } else {
        bytes = MIN(bytes, MIN(pass->room_bytes,
                               pass->order->max_bytes - pass->moved->moved_bytes));
        append(pass->extents, (uint32_t) pass->order->to, bytes);
        pass->moved->moved_bytes += bytes;
        pass->room_bytes -= pass->room_bytes == UINT64_MAX ? 0 : bytes;
        pass->at += bytes;
    }
    pass->moved->looked_bytes += bytes;
    return bytes;
}

static bool
is_from(const LpMoveOrder *order, uint32_t node)
{
    return order->from < 0 ? node != (uint32_t) order->to : node == (uint32_t) order->from;
}

uint64_t
lp_sim_numa_movable(const LpSimDomain *domain, const LpMoveOrder *order)
{
    const GArray *extents = domain->numa.parts[order->part].extents;
    uint64_t bytes = 0;

    for (guint i = 0; i < extents->len; i++) {
        const LpSimExtent *extent = &g_array_index(extents, LpSimExtent, i);

        bytes += is_from(order, extent->node) ? extent->bytes : 0;
    }
    return MIN(bytes, order->max_bytes);
}

static void
pass_extent(Pass *pass, const LpSimExtent *extent)
{
    const LpMoveOrder *order = pass->order;
    uint64_t skip = order->offset > pass->at ? MIN(extent->bytes, order->offset - pass->at) : 0;
    uint64_t left = extent->bytes - skip, n;
    bool wanted = is_from(order, extent->node);

    stay(pass, extent->node, skip, LP_STUCKS);
    if (!wanted && left > 0 && pass->moved->done) {
        pass->moved->looked_bytes += left;
        stay(pass, extent->node, left, LP_STUCKS);
        left = 0;
    }
    while (left > 0 && pass->moved->done) {
        n = take(pass, extent->node, left);
        left -= n;
        if (n == 0) {
            pass->moved->done = false;
            pass->moved->offset = pass->at;
        }
    }
    stay(pass, extent->node, left, LP_STUCKS);
}

void
lp_sim_numa_move(LpSimDomain *domain, const LpMoveOrder *order, LpPagesMoved *ret)
{
    LpSimPart *part = &domain->numa.parts[order->part];
    Pass pass = {
        .order = order, .faults = &domain->manners.moving, .moved = ret,
        .extents = g_array_new(FALSE, FALSE, sizeof(LpSimExtent)),
        .room_bytes = free_on(domain->host, (uint32_t) order->to),
    };

    if (domain->manners.moving.no_room_node == order->to)
        pass.room_bytes = 0;
    ret->done = true;             /* until enough has moved before the end */
    for (guint i = 0; i < part->extents->len; i++)
        pass_extent(&pass, &g_array_index(part->extents, LpSimExtent, i));
    if (ret->done)
        ret->offset = pass.at;
    g_array_unref(part->extents);
    part->extents = pass.extents;
    domain->numa.moved_bytes += ret->moved_bytes;
}

void
lp_sim_numa_herd(LpSimDomain *domain, const uint32_t *node_ids, uint32_t n)
{
    LpSimNuma *numa = &domain->numa;
    uint32_t next = 0;

    for (uint32_t i = 0; i < numa->n_parts; i++) {
        GArray *before = numa->parts[i].extents;
        GArray *after = g_array_new(FALSE, FALSE, sizeof(LpSimExtent));

        for (guint at = 0; at < before->len; at++) {
            const LpSimExtent *extent = &g_array_index(before, LpSimExtent, at);
            bool stays = false;

            for (uint32_t j = 0; j < n; j++)
                stays |= node_ids[j] == extent->node;
            append(after, stays ? extent->node : node_ids[next++ % n], extent->bytes);
        }
        g_array_unref(before);
        numa->parts[i].extents = after;
    }
    numa->n_nodeset = n;
    memcpy(numa->nodeset, node_ids, n * sizeof *node_ids);
}
