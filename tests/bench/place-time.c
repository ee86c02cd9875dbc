/* How long decisions take, in processor time of one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "numa/ledger.h"
#include "numa/place.h"
#include "tests/bench/place-world.h"

static int64_t
now_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int
by_time(const void *first, const void *second)
{
    const int64_t *a = first, *b = second;

    return *a < *b ? -1 : *a > *b;
}

static int64_t
median(int64_t *times, uint32_t n)
{
    qsort(times, n, sizeof(*times), by_time);
    return times[n / 2];
}

/* Partitions that fill the host to `fill` percent between them, on nodes by chance: half on one
 * node, half in two pieces. */
void
world_scatter(World *world, uint64_t *chance, uint32_t fill)
{
    uint32_t n = world->topology->n_nodes, n_cpus = world->topology->n_cpus;
    uint64_t total = lp_topology_memory(world->topology);
    uint64_t each = total / 100 * fill / world->n_parts;

    for (uint32_t p = 0; p < world->n_parts; p++) {
        Part *part = &world->parts[p];
        uint64_t bytes = (each / 2 + chance_below(chance, each)) / BLOCK * BLOCK, left;
        uint32_t vcpus = (uint32_t) (n_cpus * (bytes >> 20) / (total >> 20));
        uint32_t pieces = 1 + (uint32_t) chance_below(chance, 2);

        bytes = bytes > 0 ? bytes : BLOCK;
        left = bytes;
        *part = (Part) { .here = true, .n_cells = 1 };
        part->want = (Want) { 0, bytes, bytes + bytes / 2, vcpus > 0 ? vcpus : 1 };
        part->cells[0] = (Cell) { .max_bytes = part->want.max_bytes, .vcpus = part->want.vcpus };
        for (uint32_t k = pieces; k > 0; k--)
            left -= world_put(world, &part->cells[0], (uint32_t) chance_below(chance, n), left / k);
        for (uint32_t k = 0, i = (uint32_t) chance_below(chance, n); k < n; k++, i = (i + 1) % n)
            left -= world_put(world, &part->cells[0], i, left);
        world_follow(world, &part->cells[0]);
        /* Its vCPUs are anywhere else. */
        part->cells[0].cpus = lp_score_cpu_nodes(world->topology, 1ULL << chance_below(chance, n));
        if (part_bytes(world, part) < bytes)
            world_clear(world, part);
    }
}

int64_t
time_layout(uint32_t n_nodes, uint32_t n_parts, bool scattered, uint32_t rounds)
{
    int64_t *times = calloc(rounds, sizeof(*times)), ret;
    uint64_t chance = n_nodes * 1000 + n_parts;
    LpLayout *layout = lp_layout_new();
    Host host;

    host_even(&host, "time", n_nodes, 256 * GIB, 16, 32);
    for (uint32_t i = 0; i < n_nodes; i++)
        for (uint32_t j = 0; j < n_nodes; j++)
            if (i != j && i / 4 == j / 4)
                host.topology.distance[i][j] = 12;
    for (uint32_t r = 0; r < rounds; r++) {
        World *world = world_new(&host.topology, n_parts);
        Picture picture;
        int64_t begin;

        world_scatter(world, &chance, 80);
        picture_make(world, scattered, &picture);
        begin = now_nsec();
        if (!lp_layout_make(&picture.host, &(LpLayoutOrder) { 0 }, layout))
            abort();
        times[r] = now_nsec() - begin;
        picture_clear(&picture);
        world_free(world);
    }
    ret = median(times, rounds);
    lp_layout_free(layout);
    free(times);
    return ret;
}

/* What the daemon does for one grow: the rooms as they are without this partition, which cells get
 * how much, and the account brought up to date.  Every eighth partition has two cells, every 64th
 * eight. */
int64_t
time_grow(uint32_t n_nodes, uint32_t n_parts, uint32_t rounds)
{
    int64_t *times = calloc(rounds, sizeof(*times)), ret;
    LpCharge *charges = calloc(n_parts, sizeof(*charges));
    LpLedger *ledger = calloc(1, sizeof(*ledger));
    uint64_t chance = n_nodes * 1000 + n_parts;
    Host host;

    host_even(&host, "time", n_nodes, n_parts / n_nodes * 8 * GIB, 16, 20);
    for (uint32_t p = 0; p < n_parts; p++) {
        uint32_t n_cells = p % 64 == 0 ? 8 : p % 8 == 0 ? 2 : 1;

        lp_charge_clear(&charges[p]);
        for (uint32_t c = 0; c < n_cells; c++)
            lp_charge_add(&charges[p], &host.topology, (int) ((p + c) % n_nodes), 4 * GIB / n_cells,
                          1, 0);
        lp_charge_close(&charges[p], 4 * GIB);
        lp_ledger_add(ledger, &charges[p]);
    }
    for (uint32_t r = 0; r < rounds; r++) {
        LpCharge *charge = &charges[chance_below(&chance, n_parts)];
        uint64_t rooms[LP_MAX_NODES], shares[LP_MAX_CELLS], given;
        LpPlaceCell cells[LP_MAX_CELLS];
        LpNumaRule rule = { 0 };
        int64_t begin = now_nsec();
        LpNodeSet allowed;

        lp_ledger_rooms(ledger, &host.topology, 64 * GIB, charge, rooms);
        allowed = lp_numa_rule_nodes(&rule, &host.topology, NULL);
        for (uint32_t c = 0; c < charge->n_parts; c++) {
            uint32_t node = charge->parts[c].node;

            cells[c] = (LpPlaceCell) {
                .room_bytes = allowed >> node & 1 ? rooms[node] - charge->parts[c].bytes : 0,
                .free_bytes = rooms[node], .size_bytes = charge->parts[c].bytes,
                .grow_bytes = 8 * GIB, .block_bytes = BLOCK, .node = (int32_t) node,
                .distance = 1000,
            };
        }
        given = lp_place_grow(cells, charge->n_parts, 2 * MIB + chance_below(&chance, 64) * BLOCK,
                              shares);
        lp_ledger_remove(ledger, charge);
        for (uint32_t c = 0; c < charge->n_parts; c++)
            charge->parts[c].bytes += shares[c];
        charge->bytes += given;
        lp_ledger_add(ledger, charge);
        times[r] = now_nsec() - begin;
    }
    ret = median(times, rounds);
    free(times);
    free(charges);
    free(ledger);
    return ret;
}
