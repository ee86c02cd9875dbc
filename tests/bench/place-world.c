/* What stands where on a host of the placement bench, and what that is worth. */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/place-world.h"

/* A vCPU in a spread of processor time. */
#define VCPU_WEIGHT (1U << 20)

/* Answers of lp_score_best() by size: it depends on nothing else here. */
#define N_ANSWERS 4096
typedef struct Best {
    struct {
        uint64_t bytes;
        uint32_t vcpus, best;
    } answers[N_ANSWERS];
} Best;

World *
world_new(const LpTopology *topology, uint32_t n_parts)
{
    World *world = calloc(1, sizeof(*world));

    world->topology = topology;
    world->n_parts = n_parts;
    world->parts = calloc(n_parts, sizeof(*world->parts));
    world->best = calloc(1, sizeof(*world->best));
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        world->room[i] = topology->nodes[i].memory_bytes;
        world->n_cpus[i] = lp_cpumask_count(&topology->nodes[i].cpus);
    }
    return world;
}

void
world_free(World *world)
{
    free(world->parts);
    free(world->best);
    free(world);
}

World *
world_copy(const World *world)
{
    World *copy = malloc(sizeof(*copy));

    *copy = *world;
    copy->parts = malloc(world->n_parts * sizeof(*copy->parts));
    memcpy(copy->parts, world->parts, world->n_parts * sizeof(*copy->parts));
    copy->best = malloc(sizeof(*copy->best));
    memcpy(copy->best, world->best, sizeof(*copy->best));
    return copy;
}

uint64_t
world_free_on(const World *world, uint32_t node)
{
    return world->room[node] - world->used[node];
}

uint64_t
world_free_bytes(const World *world)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < world->topology->n_nodes; i++)
        sum += world_free_on(world, i);
    return sum;
}

uint64_t
cell_bytes(const World *world, const Cell *cell)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < world->topology->n_nodes; i++)
        sum += cell->on[i];
    return sum;
}

uint64_t
part_bytes(const World *world, const Part *part)
{
    uint64_t sum = 0;

    for (uint32_t c = 0; c < part->n_cells; c++)
        sum += cell_bytes(world, &part->cells[c]);
    return sum;
}

/* Adds the vCPUs of a cell to the nodes that they may run on, each by its processors. */
static void
add_cpus(const World *world, const Cell *cell, uint64_t weight, uint64_t *on)
{
    uint64_t sum = 0, set = cell->cpus ? cell->cpus : ~0ULL;

    for (uint32_t i = 0; i < world->topology->n_nodes; i++)
        sum += set & 1ULL << i ? world->n_cpus[i] : 0;
    for (uint32_t i = 0; i < world->topology->n_nodes && sum > 0; i++)
        if (set & 1ULL << i)
            on[i] += cell->vcpus * weight * world->n_cpus[i] / sum;
}

static void
part_cpus(const World *world, const Part *part, LpSpread *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (uint32_t c = 0; c < part->n_cells; c++)
        add_cpus(world, &part->cells[c], VCPU_WEIGHT, ret->on);
}

void
world_load(const World *world, uint64_t ret_load[LP_MAX_NODES])
{
    memset(ret_load, 0, LP_MAX_NODES * sizeof(*ret_load));
    for (uint32_t p = 0; p < world->n_parts; p++)
        for (uint32_t c = 0; c < world->parts[p].n_cells; c++)
            add_cpus(world, &world->parts[p].cells[c], 1000, ret_load);
}

uint64_t
world_put(World *world, Cell *cell, uint32_t node, uint64_t bytes)
{
    uint64_t room = world_free_on(world, node);

    if (bytes > room)
        bytes = room;
    cell->on[node] += bytes;
    world->used[node] += bytes;
    return bytes;
}

void
world_take(World *world, Cell *cell, uint32_t node, uint64_t bytes)
{
    cell->on[node] -= bytes;
    world->used[node] -= bytes;
}

void
world_clear(World *world, Part *part)
{
    for (uint32_t c = 0; c < part->n_cells; c++)
        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            world_take(world, &part->cells[c], i, part->cells[c].on[i]);
    memset(part, 0, sizeof(*part));
}

void
world_follow(World *world, Cell *cell)
{
    LpNodeSet nodes = 0;
    uint64_t most = 0;

    for (uint32_t i = 0; i < world->topology->n_nodes; i++) {
        nodes |= cell->on[i] > 0 ? 1ULL << i : 0;
        if (cell->on[i] > most) {
            most = cell->on[i];
            cell->home = (int32_t) i;
        }
    }
    cell->cpus = lp_score_cpu_nodes(world->topology, nodes);
}

static uint32_t
best_of(const World *world, uint64_t bytes, uint32_t vcpus)
{
    uint64_t key = (bytes / BLOCK * 0x9e3779b97f4a7c15ULL + vcpus) % N_ANSWERS;

    if (world->best->answers[key].bytes != bytes || world->best->answers[key].vcpus != vcpus) {
        world->best->answers[key].bytes = bytes;
        world->best->answers[key].vcpus = vcpus;
        world->best->answers[key].best =
            lp_score_best(world->topology, world->room, ~0ULL, bytes, vcpus);
    }
    return world->best->answers[key].best;
}

static uint32_t
part_score(const World *world, const Part *part, uint64_t *ret_bytes)
{
    LpSpread cpus, memory = { { 0 } };

    for (uint32_t c = 0; c < part->n_cells; c++)
        for (uint32_t i = 0; i < world->topology->n_nodes; i++)
            memory.on[i] += part->cells[c].on[i];
    part_cpus(world, part, &cpus);
    *ret_bytes = part_bytes(world, part);
    return lp_score_of(lp_score_local(world->topology, &cpus, &memory),
                       best_of(world, *ret_bytes, part->want.vcpus));
}

uint32_t
world_score(const World *world)
{
    uint32_t *scores = malloc(world->n_parts * sizeof(*scores)), n = 0, mean;
    uint64_t *bytes = malloc(world->n_parts * sizeof(*bytes));

    for (uint32_t p = 0; p < world->n_parts; p++) {
        if (world->parts[p].here) {
            scores[n] = part_score(world, &world->parts[p], &bytes[n]);
            n++;
        }
    }
    mean = lp_score_mean(scores, bytes, n);
    free(scores);
    free(bytes);
    return mean;
}

/* ------------------------------------------------------------------ as the layout sees it */

void
picture_make(const World *world, bool lies, Picture *ret)
{
    uint32_t n = world->topology->n_nodes, n_parts = 0, n_cells = 0;

    for (uint32_t p = 0; p < world->n_parts; p++) {
        n_parts += world->parts[p].here;
        n_cells += world->parts[p].here ? world->parts[p].n_cells : 0;
    }
    ret->partitions = calloc(n_parts + 1, sizeof(*ret->partitions));
    ret->cells = calloc(n_cells + 1, sizeof(*ret->cells));
    ret->now = calloc((size_t) n_cells * n + 1, sizeof(*ret->now));
    ret->part = calloc(n_cells + 1, sizeof(*ret->part));
    ret->cell = calloc(n_cells + 1, sizeof(*ret->cell));
    ret->host = (LpLayoutHost) { .topology = world->topology, .partitions = ret->partitions,
                                 .cells = ret->cells };
    for (uint32_t i = 0; i < n; i++)
        ret->host.nodes[i] = (LpLayoutNode) {
            .room_bytes = world->room[i],
            .room_centi = 100 * lp_cpumask_count(&world->topology->nodes[i].cpus),
        };
    for (uint32_t p = 0; p < world->n_parts; p++) {
        const Part *part = &world->parts[p];

        if (!part->here)
            continue;
        ret->partitions[ret->host.n_partitions++] = (LpLayoutPartition) {
            .first_cell = ret->host.n_cells, .n_cells = part->n_cells };
        for (uint32_t c = 0; c < part->n_cells; c++) {
            const Cell *cell = &part->cells[c];
            uint32_t at = ret->host.n_cells++;

            for (uint32_t i = 0; i < n; i++)
                ret->now[at * n + i] = cell->on[i];
            ret->part[at] = p;
            ret->cell[at] = c;
            ret->cells[at] = (LpLayoutCell) {
                .bytes = cell_bytes(world, cell), .max_bytes = cell->max_bytes,
                .vcpus = cell->vcpus, .max_vcpus = cell->max_vcpus,
                .home = lies ? cell->home : -1, .movable = true,
                .now_bytes = lies ? &ret->now[at * n] : NULL, .now_cpus = lies ? cell->cpus : 0,
            };
        }
    }
}

void
picture_clear(Picture *picture)
{
    free(picture->partitions);
    free(picture->cells);
    free(picture->now);
    free(picture->part);
    free(picture->cell);
}

void
picture_apply(World *world, const Picture *picture, const LpLayout *layout)
{
    uint32_t n = layout->n_nodes;

    memset(world->used, 0, sizeof(world->used));
    for (uint32_t at = 0; at < layout->n_cells; at++) {
        Cell *cell = &world->parts[picture->part[at]].cells[picture->cell[at]];

        for (uint32_t i = 0; i < n; i++) {
            uint64_t bytes = layout->bytes[at * n + i];

            if (bytes < cell->on[i])
                world->moved_bytes += cell->on[i] - bytes;
            cell->on[i] = bytes;
            world->used[i] += bytes;
        }
        cell->home = layout->home[at];
        cell->cpus = layout->cpus[at];
    }
}
