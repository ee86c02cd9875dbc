/* lpard's own decisions on a world of the placement bench. */
#include <stdlib.h>
#include <string.h>

#include "numa/place.h"
#include "tests/bench/place-world.h"

/* When the scheduled optimize runs, and what it must gain: hundredths of a point. */
#define MOVES_BELOW 9500
#define MOVES_GAIN 100

static uint64_t
blocks(uint64_t bytes)
{
    return bytes / BLOCK * BLOCK;
}

/* The part of its vCPUs' time on each node, for the mean distance of a cell's node. */
static uint32_t
mean_distance(const World *world, const Part *part, uint32_t node)
{
    LpSpread cpus = { { 0 } }, memory = { { 0 } };

    for (uint32_t c = 0; c < part->n_cells; c++) {
        LpSpread spread;

        lp_spread_cpus(world->topology, part->cells[c].cpus,
                       (uint64_t) part->cells[c].vcpus << 20, &spread);
        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            cpus.on[i] += spread.on[i];
    }
    memory.on[node] = 1;
    return lp_score_distance(world->topology, &cpus, &memory);
}

static void
fill_cells(const World *world, const Part *part, LpPlaceCell *cells)
{
    for (uint32_t c = 0; c < part->n_cells; c++) {
        const Cell *cell = &part->cells[c];
        uint64_t bytes = cell_bytes(world, cell), room = world_free_on(world, (uint32_t) cell->home);

        cells[c] = (LpPlaceCell) {
            .room_bytes = room, .free_bytes = room, .size_bytes = bytes,
            .grow_bytes = cell->max_bytes > bytes ? cell->max_bytes - bytes : 0,
            .shrink_bytes = bytes > cell->base_bytes ? bytes - cell->base_bytes : 0,
            .block_bytes = BLOCK, .node = (int32_t) world->topology->nodes[cell->home].id,
            .distance = mean_distance(world, part, (uint32_t) cell->home),
        };
    }
}

/* Pages that a shrink takes: those away from home first. */
static void
take_from(World *world, Cell *cell, uint64_t bytes)
{
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < world->topology->n_nodes && bytes > 0; i++) {
            uint64_t share = cell->on[i] < bytes ? cell->on[i] : bytes;

            if ((pass == 1) != ((int32_t) i == cell->home))
                continue;
            world_take(world, cell, i, share);
            bytes -= share;
        }
    }
}

static bool
lpard_resize(World *world, Part *part, const Want *want)
{
    LpPlaceCell cells[MAX_CELLS];
    uint64_t shares[MAX_CELLS], now = part_bytes(world, part);
    bool grow = want->bytes > now;
    uint64_t bytes = grow ? want->bytes - now : now - want->bytes, done;

    fill_cells(world, part, cells);
    done = (grow ? lp_place_grow : lp_place_shrink)(cells, part->n_cells, bytes, shares);
    if (grow && done < bytes)
        return false;
    for (uint32_t c = 0; c < part->n_cells; c++) {
        if (grow)
            world_put(world, &part->cells[c], (uint32_t) part->cells[c].home, shares[c]);
        else
            take_from(world, &part->cells[c], shares[c]);
    }
    return true;
}

/* Cells as lpard defines them: alike in what they may grow to, a quarter of today's memory as base. */
static bool
lay_out(const World *world, Part *part, const Want *want)
{
    LpLayoutUse use[LP_MAX_NODES];
    LpLayoutNew wanted = { .bytes = want->bytes, .max_bytes = want->max_bytes,
                           .vcpus = want->vcpus, .max_vcpus = want->vcpus };
    int32_t nodes[LP_MAX_CELLS];
    uint64_t load[LP_MAX_NODES];
    uint32_t n;

    world_load(world, load);
    for (uint32_t i = 0; i < world->topology->n_nodes; i++)
        use[i] = (LpLayoutUse) { .free_bytes = world_free_on(world, i),
                                 .vcpus = (uint32_t) (load[i] / 1000) };
    n = lp_layout_choose(world->topology, use, &wanted, nodes);
    if (n == 0 || n > MAX_CELLS)
        return false;
    memset(part, 0, sizeof(*part));
    *part = (Part) { .here = true, .want = *want, .n_cells = n };
    for (uint32_t c = 0; c < n; c++)
        part->cells[c] = (Cell) {
            .vcpus = want->vcpus / n + (c < want->vcpus % n),
            .base_bytes = blocks(want->bytes / 4 / n),
            .max_bytes = c == 0 ? want->max_bytes - (n - 1) * blocks(want->max_bytes / n)
                                : blocks(want->max_bytes / n),
            .home = nodes[c], .cpus = lp_score_cpu_nodes(world->topology, 1ULL << nodes[c]),
        };
    return true;
}

static bool
lpard_arrive(World *world, Part *part, const Want *want)
{
    uint64_t base = 0;

    if (!lay_out(world, part, want))
        return false;
    for (uint32_t c = 0; c < part->n_cells; c++) {
        uint64_t given = world_put(world, &part->cells[c], (uint32_t) part->cells[c].home,
                                   part->cells[c].base_bytes);

        base += given;
        if (given < part->cells[c].base_bytes) {
            world_clear(world, part);
            return false;
        }
    }
    if (base < want->bytes && !lpard_resize(world, part, want)) {
        world_clear(world, part);
        return false;
    }
    return true;
}

const Contender contender_lpard = { "lpard", lpard_arrive, lpard_resize, NULL };

/* ------------------------------------------------------------------ with moves */

/* Lays everybody out anew with this partition at the size wanted; false: it does not fit so either. */
static bool
make_room(World *world, uint32_t index, const Want *want)
{
    LpLayout *layout = lp_layout_new();
    Part *part = &world->parts[index];
    uint64_t now = part_bytes(world, part);
    Picture picture;
    bool ok;

    picture_make(world, true, &picture);
    for (uint32_t at = 0, left = part->n_cells; at < picture.host.n_cells; at++) {
        uint64_t share = left > 0 && picture.part[at] == index
                             ? blocks((want->bytes - now) / left) : 0;
        uint64_t most = picture.cells[at].max_bytes - picture.cells[at].bytes;

        if (picture.part[at] != index)
            continue;
        if (left == 1)
            share = want->bytes - now;
        share = share < most ? share : most;
        picture.cells[at].bytes += share;
        now += share;
        left--;
    }
    ok = now >= want->bytes &&
         lp_layout_make(&picture.host, &(LpLayoutOrder) { 0 }, layout) &&
         layout->unplaced_bytes == 0;
    for (uint32_t i = 0; ok && i < layout->n_nodes; i++) {
        uint64_t sum = 0;

        for (uint32_t at = 0; at < layout->n_cells; at++)
            sum += layout->bytes[at * layout->n_nodes + i];
        ok = sum <= world->room[i];
    }
    if (ok)
        picture_apply(world, &picture, layout);
    picture_clear(&picture);
    lp_layout_free(layout);
    return ok;
}

static bool
moving_resize(World *world, Part *part, const Want *want)
{
    if (lpard_resize(world, part, want))
        return true;
    return want->bytes - part_bytes(world, part) <= world_free_bytes(world) &&
           make_room(world, (uint32_t) (part - world->parts), want);
}

static bool
moving_arrive(World *world, Part *part, const Want *want)
{
    if (lpard_arrive(world, part, want))
        return true;
    if (want->bytes > world_free_bytes(world) || !lay_out(world, part, want))
        return false;
    for (uint32_t c = 0; c < part->n_cells; c++)
        part->cells[c].home = -1;
    if (make_room(world, (uint32_t) (part - world->parts), want))
        return true;
    memset(part, 0, sizeof(*part));
    return false;
}

void
lpard_optimize(World *world, uint64_t max_bytes)
{
    LpLayout *layout = lp_layout_new();
    Picture picture;

    picture_make(world, true, &picture);
    if (lp_layout_make(&picture.host, &(LpLayoutOrder) { .max_bytes = max_bytes }, layout))
        picture_apply(world, &picture, layout);
    picture_clear(&picture);
    lp_layout_free(layout);
}

static void
moving_settle(World *world)
{
    uint32_t score = world_score(world);
    LpLayout *layout;
    Picture picture;

    if (score == LP_SCORE_NONE || score >= MOVES_BELOW)
        return;
    layout = lp_layout_new();
    picture_make(world, true, &picture);
    if (lp_layout_make(&picture.host, &(LpLayoutOrder) { 0 }, layout) &&
        layout->host >= layout->host_now + MOVES_GAIN)
        picture_apply(world, &picture, layout);
    picture_clear(&picture);
    lp_layout_free(layout);
}

const Contender contender_lpard_moves = { "lpard, moving", moving_arrive, moving_resize,
                                          moving_settle };
