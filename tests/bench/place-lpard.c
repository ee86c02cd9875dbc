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

/* Mean distance of the partition's processors to memory. */
static uint32_t
mean_distance(const World *world, const Part *part, const LpSpread *memory)
{
    LpSpread cpus = { { 0 } };

    for (uint32_t c = 0; c < part->n_cells; c++) {
        LpSpread spread;

        lp_spread_cpus(world->topology, part->cells[c].cpus,
                       (uint64_t) part->cells[c].vcpus << 20, &spread);
        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            cpus.on[i] += spread.on[i];
    }
    return lp_score_distance(world->topology, &cpus, memory);
}

/* As the daemon's planner fills them (hotplug/plan-mem.c): a cell's distance is that of the node
 * that it grows on, or of the memory that it would give back. */
static void
fill_cells(const World *world, const Part *part, bool grow, LpPlaceCell *cells)
{
    for (uint32_t c = 0; c < part->n_cells; c++) {
        const Cell *cell = &part->cells[c];
        uint64_t bytes = cell_bytes(world, cell);
        uint64_t room = world_free_on(world, (uint32_t) cell->home);
        LpSpread memory = { { 0 } };

        if (grow)
            memory.on[cell->home] = 1;
        else
            memcpy(memory.on, cell->on, sizeof(memory.on));
        cells[c] = (LpPlaceCell) {
            .room_bytes = room, .free_bytes = room, .size_bytes = bytes,
            .grow_bytes = cell->max_bytes > bytes ? cell->max_bytes - bytes : 0,
            .shrink_bytes = bytes > cell->base_bytes ? bytes - cell->base_bytes : 0,
            .block_bytes = BLOCK, .node = (int32_t) world->topology->nodes[cell->home].id,
            .distance = mean_distance(world, part, &memory), .vcpus = cell->vcpus,
        };
    }
}

/* Memory for a cell: it prefers the cell's node, and comes from the nearest others when that is
 * full. */
static void
give(World *world, Cell *cell, uint64_t bytes)
{
    bytes -= world_put(world, cell, (uint32_t) cell->home, bytes);
    while (bytes > 0) {
        int best = -1;

        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            if (world_free_on(world, i) > 0 &&
                (best < 0 || world->topology->distance[cell->home][i] <
                                 world->topology->distance[cell->home][best]))
                best = (int) i;
        if (best < 0)
            return;
        bytes -= world_put(world, cell, (uint32_t) best, bytes);
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

/* vCPUs come and go one by one, after the memory. */
static void
set_vcpus(const World *world, Part *part, uint32_t vcpus)
{
    LpPlaceCell cells[MAX_CELLS];
    uint32_t running[MAX_CELLS], rest[MAX_CELLS], n = 0;

    fill_cells(world, part, true, cells);
    for (uint32_t c = 0; c < part->n_cells; c++)
        n += running[c] = part->cells[c].vcpus;
    while (n != vcpus) {
        int chosen;

        for (uint32_t c = 0; c < part->n_cells; c++)
            rest[c] = n < vcpus ? part->cells[c].max_vcpus - running[c] : running[c];
        chosen = (n < vcpus ? lp_place_vcpu_add : lp_place_vcpu_remove)(cells, running, rest,
                                                                        part->n_cells);
        if (chosen < 0)
            break;
        running[chosen] += n < vcpus ? 1 : -1;
        n += n < vcpus ? 1 : -1;
    }
    for (uint32_t c = 0; c < part->n_cells; c++)
        part->cells[c].vcpus = running[c];
}

static bool
lpard_resize(World *world, Part *part, const Want *want)
{
    LpPlaceCell cells[MAX_CELLS];
    uint64_t shares[MAX_CELLS], more[MAX_CELLS], now = part_bytes(world, part), done;

    fill_cells(world, part, want->bytes > now, cells);
    if (want->bytes <= now) {
        lp_place_shrink(cells, part->n_cells, now - want->bytes, shares);
        for (uint32_t c = 0; c < part->n_cells; c++)
            take_from(world, &part->cells[c], shares[c]);
        set_vcpus(world, part, want->vcpus);
        return true;
    }
    if (want->bytes - now > world_free_bytes(world))
        return false;
    done = lp_place_grow(cells, part->n_cells, want->bytes - now, shares);
    /* What no node of its cells has room for comes from elsewhere. */
    for (uint32_t c = 0; c < part->n_cells; c++) {
        cells[c].size_bytes += shares[c];
        cells[c].grow_bytes -= shares[c];
        cells[c].room_bytes = cells[c].free_bytes = want->bytes;
    }
    done += lp_place_grow(cells, part->n_cells, want->bytes - now - done, more);
    if (now + done < want->bytes)
        return false;
    for (uint32_t c = 0; c < part->n_cells; c++)
        give(world, &part->cells[c], shares[c] + more[c]);
    set_vcpus(world, part, want->vcpus);
    return true;
}

/* Cells as lpard defines them (lpard/define, hotplug/domxml-cells.c): alike in what they may grow
 * to, and as much as it never shrinks below as their base; vCPUs in the order of their ids. */
static bool
lay_out(const World *world, Part *part, const Want *want)
{
    LpLayoutUse use[LP_MAX_NODES];
    LpLayoutNew wanted = { .bytes = want->bytes, .max_bytes = want->max_bytes,
                           .vcpus = want->vcpus, .max_vcpus = want->max_vcpus };
    int32_t nodes[LP_MAX_CELLS];
    uint64_t load[LP_MAX_NODES];
    uint32_t n, left = want->vcpus;

    world_load(world, load);
    for (uint32_t i = 0; i < world->topology->n_nodes; i++)
        use[i] = (LpLayoutUse) { .free_bytes = world_free_on(world, i),
                                 .vcpus = (uint32_t) (load[i] / 1000) };
    n = lp_layout_choose(world->topology, use, &wanted, nodes);
    n = n < want->max_vcpus ? n : want->max_vcpus;
    if (n == 0 || n > MAX_CELLS)
        return false;
    memset(part, 0, sizeof(*part));
    *part = (Part) { .here = true, .want = *want, .n_cells = n };
    for (uint32_t c = 0; c < n; c++) {
        uint32_t most = (c + 1) * want->max_vcpus / n - c * want->max_vcpus / n;

        part->cells[c] = (Cell) {
            .vcpus = left < most ? left : most, .max_vcpus = most,
            .base_bytes = blocks(want->min_bytes / n),
            .max_bytes = c == 0 ? want->max_bytes - (n - 1) * blocks(want->max_bytes / n)
                                : blocks(want->max_bytes / n),
            .home = nodes[c], .cpus = lp_score_cpu_nodes(world->topology, 1ULL << nodes[c]),
        };
        left -= part->cells[c].vcpus;
    }
    return true;
}

/* Memory as its definition has it when it starts: by the vCPUs that run, beyond each cell's
 * base. */
static bool
lpard_arrive(World *world, Part *part, const Want *want)
{
    LpPlaceCell cells[MAX_CELLS];
    uint64_t shares[MAX_CELLS], left;

    if (want->bytes > world_free_bytes(world) || !lay_out(world, part, want))
        return false;
    for (uint32_t c = 0; c < part->n_cells; c++)
        give(world, &part->cells[c], part->cells[c].base_bytes);
    fill_cells(world, part, true, cells);
    left = want->bytes - part_bytes(world, part);
    for (uint32_t c = 0; c < part->n_cells; c++)
        cells[c].room_bytes = cells[c].free_bytes = left;
    if (lp_place_start(cells, part->n_cells, left, shares) == left) {
        for (uint32_t c = 0; c < part->n_cells; c++)
            give(world, &part->cells[c], shares[c]);
        return true;
    }
    world_clear(world, part);
    return false;
}

const Contender contender_lpard = { "lpard", lpard_arrive, lpard_resize, NULL };

/* ------------------------------------------------------------------ with moves */

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

/* Memory that found no room at its cell's home goes there when there is some. */
static void
bring_home(World *world)
{
    for (uint32_t p = 0; p < world->n_parts; p++) {
        Part *part = &world->parts[p];

        for (uint32_t c = 0; c < part->n_cells; c++) {
            Cell *cell = &part->cells[c];

            for (uint32_t i = 0; i < world->topology->n_nodes; i++) {
                uint64_t moved;

                if ((int32_t) i == cell->home || cell->on[i] == 0)
                    continue;
                moved = world_put(world, cell, (uint32_t) cell->home, cell->on[i]);
                world_take(world, cell, i, moved);
                world->moved_bytes += moved;
            }
        }
    }
}

/* What lpard does by itself: strays, and an optimize where that is worth it. */
static void
moving_settle(World *world)
{
    uint32_t score;
    LpLayout *layout;
    Picture picture;

    bring_home(world);
    score = world_score(world);
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

const Contender contender_lpard_moves = { "lpard, moving", lpard_arrive, lpard_resize,
                                          moving_settle };
