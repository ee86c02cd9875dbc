/* What others do: first-fit, best-fit, and the fit of OpenStack Nova.
 *
 * They get the same room as lpard and never a worse rule than their own: whoever does not fit one
 * node is split, growth that its nodes cannot take comes from others, and vCPUs run where the
 * memory is. */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/place-world.h"

/* One cell for all, which may lie on any nodes. */
static Cell *
settle_in(Part *part, const Want *want)
{
    memset(part, 0, sizeof(*part));
    part->here = true;
    part->want = *want;
    part->n_cells = 1;
    part->cells[0] = (Cell) { .vcpus = want->vcpus, .max_bytes = want->max_bytes, .home = -1 };
    return &part->cells[0];
}

/* Gives back from all nodes alike: a guest's free pages are anywhere. */
static void
shrink_evenly(World *world, Part *part, uint64_t bytes)
{
    uint64_t left = bytes, all = part_bytes(world, part);

    for (uint32_t c = 0; c < part->n_cells; c++) {
        for (uint32_t i = 0; i < world->topology->n_nodes; i++) {
            uint64_t on = part->cells[c].on[i];
            uint64_t share = all ? (uint64_t) ((unsigned __int128) on * bytes / all) : 0;

            world_take(world, &part->cells[c], i, share);
            left -= share;
        }
    }
    for (uint32_t i = 0; i < world->topology->n_nodes && left > 0; i++) {
        uint64_t share = part->cells[0].on[i] < left ? part->cells[0].on[i] : left;

        world_take(world, &part->cells[0], i, share);
        left -= share;
    }
}

/* ------------------------------------------------------------------ first-fit and best-fit */

/* The node to take next for `bytes`: the first that holds all of it (tight: the one with least room
 * that does); where none does, the first with room (the one with most).  -1: the host is full. */
static int
next_node(const World *world, LpNodeSet among, uint64_t bytes, bool tight)
{
    int best = -1;

    for (uint32_t i = 0; i < world->topology->n_nodes; i++) {
        uint64_t room = world_free_on(world, i);
        uint64_t best_room = best < 0 ? 0 : world_free_on(world, (uint32_t) best);
        bool fits = room >= bytes, best_fits = best_room >= bytes;

        if (!(among & 1ULL << i) || room == 0)
            continue;
        if (best < 0 || (fits && !best_fits) ||
            (tight && fits == best_fits && (fits ? room < best_room : room > best_room)))
            best = (int) i;
    }
    return best;
}

static void
give(World *world, Cell *cell, LpNodeSet among, uint64_t *bytes, bool tight)
{
    int node;

    while (*bytes > 0 && (node = next_node(world, among, *bytes, tight)) >= 0)
        *bytes -= world_put(world, cell, (uint32_t) node, *bytes);
}

/* Nodes with processors come first: memory that is far from all of them is nobody's first
 * choice. */
static void
give_anywhere(World *world, Cell *cell, uint64_t bytes, bool tight)
{
    LpNodeSet with_cpus = lp_score_cpu_nodes(world->topology, ~0ULL);
    int node = next_node(world, with_cpus, bytes, tight);

    if (node >= 0 && world_free_on(world, (uint32_t) node) >= bytes)
        world_put(world, cell, (uint32_t) node, bytes);
    else {
        give(world, cell, with_cpus, &bytes, tight);
        give(world, cell, ~0ULL, &bytes, tight);
    }
}

static bool
fit_arrive(World *world, Part *part, const Want *want, bool tight)
{
    Cell *cell;

    if (want->bytes > world_free_bytes(world))
        return false;
    cell = settle_in(part, want);
    give_anywhere(world, cell, want->bytes, tight);
    world_follow(world, cell);
    return true;
}

static bool
fit_resize(World *world, Part *part, const Want *want, bool tight)
{
    Cell *cell = &part->cells[0];
    uint64_t now = part_bytes(world, part);

    cell->vcpus = want->vcpus;
    if (want->bytes > now) {
        LpNodeSet own = 0;
        uint64_t left = want->bytes - now;

        if (left > world_free_bytes(world))
            return false;
        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            own |= cell->on[i] > 0 ? 1ULL << i : 0;
        give(world, cell, own, &left, tight);
        give_anywhere(world, cell, left, tight);
    } else {
        shrink_evenly(world, part, now - want->bytes);
    }
    world_follow(world, cell);
    return true;
}

static bool
first_arrive(World *world, Part *part, const Want *want)
{
    return fit_arrive(world, part, want, false);
}

static bool
first_resize(World *world, Part *part, const Want *want)
{
    return fit_resize(world, part, want, false);
}

static bool
best_arrive(World *world, Part *part, const Want *want)
{
    return fit_arrive(world, part, want, true);
}

static bool
best_resize(World *world, Part *part, const Want *want)
{
    return fit_resize(world, part, want, true);
}

const Contender contender_first_fit = { "first-fit", first_arrive, first_resize, NULL };
const Contender contender_best_fit = { "best-fit", best_arrive, best_resize, NULL };

/* ------------------------------------------------------------------ Nova */

/* Nova (nova/virt/hardware.py, numa_fit_instance_to_host): host nodes ordered by free memory, most
 * first, then by use of their processors; then the first permutation of as many nodes as the flavor
 * has cells in which every cell fits.  The cells are alike, so that is the first nodes of the order
 * that each hold one.  A cell never has more vCPUs than its node has processors.  How many cells a
 * flavor has is its author's: here as few as an empty host needs. */
static bool
holds(const World *world, uint32_t node, uint64_t room, const Want *want, uint32_t n)
{
    return room >= (want->bytes + n - 1) / n &&
           lp_cpumask_count(&world->topology->nodes[node].cpus) >= (want->vcpus + n - 1) / n;
}

static uint32_t
flavor_cells(const World *world, const Want *want)
{
    for (uint32_t n = 1; n <= world->topology->n_nodes && n <= MAX_CELLS; n++) {
        uint32_t fit = 0;

        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            fit += holds(world, i, world->room[i], want, n);
        if (fit >= n)
            return n;
    }
    return 0;
}

static bool
nova_arrive(World *world, Part *part, const Want *want)
{
    uint32_t n = flavor_cells(world, want), order[LP_MAX_NODES], n_fit = 0;
    uint64_t load[LP_MAX_NODES];

    world_load(world, load);
    for (uint32_t i = 0; i < world->topology->n_nodes; i++) {
        uint32_t at = n_fit;

        if (n == 0 || !holds(world, i, world_free_on(world, i), want, n))
            continue;
        for (; at > 0; at--) {
            uint32_t before = order[at - 1];
            uint64_t room = world_free_on(world, i), other = world_free_on(world, before);

            if (other > room || (other == room && load[before] <= load[i]))
                break;
            order[at] = before;
        }
        order[at] = i;
        n_fit++;
    }
    if (n == 0 || n_fit < n)
        return false;
    memset(part, 0, sizeof(*part));
    *part = (Part) { .here = true, .want = *want, .n_cells = n };
    for (uint32_t c = 0; c < n; c++) {
        uint64_t bytes = want->bytes / n + (c < want->bytes % n);

        part->cells[c] = (Cell) { .vcpus = want->vcpus / n + (c < want->vcpus % n),
                                  .max_bytes = want->max_bytes / n };
        world_put(world, &part->cells[c], order[c], bytes);
        world_follow(world, &part->cells[c]);
    }
    return true;
}

/* A resize is another flavor and a restart: placed anew, as if it had not been there. */
static bool
nova_resize(World *world, Part *part, const Want *want)
{
    Part before = *part;

    world_clear(world, part);
    if (nova_arrive(world, part, want))
        return true;
    *part = before;
    for (uint32_t c = 0; c < part->n_cells; c++)
        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            world->used[i] += part->cells[c].on[i];
    return false;
}

const Contender contender_nova = { "nova", nova_arrive, nova_resize, NULL };
