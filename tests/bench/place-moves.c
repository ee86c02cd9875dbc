/* From a bad start: memory moved for a score, by lpard and by numad's formula. */
#include "tests/bench/place-run.h"

#define NUMAD_ROUNDS 12

/* The least memory that lpard moves to a score not below `score`, found by halving the limit. */
static uint64_t
least_moved(const World *start, uint32_t score, uint64_t most, int steps)
{
    uint64_t low = 0, high = most;

    for (int step = 0; step < steps && high - low > most / 500; step++) {
        uint64_t middle = low + (high - low) / 2;
        World *world = world_copy(start);

        lpard_optimize(world, middle > 0 ? middle : 1);
        if (world_score(world) >= score)
            high = world->moved_bytes < middle ? world->moved_bytes : middle;
        else
            low = middle;
        world_free(world);
    }
    return high;
}

json_t *
run_moves(const Bench *bench)
{
    uint64_t numad_moved = 0, lpard_moved = 0, full_moved = 0, total = 0;
    double start_score = 0, numad_score = 0, full_score = 0;
    uint32_t n_cases = 0, n_short = 0;
    json_t *rows = json_array();

    for (uint32_t h = 0; h < bench->n_hosts; h++) {
        const LpTopology *topology = &bench->hosts[h].topology;
        uint64_t chance = bench->seed * 31 + h, least;
        World *start, *numad, *lpard;

        if (bench->quick && topology->n_nodes > 8)
            continue;
        start = world_new(topology, 12 * topology->n_nodes < 96 ? 12 * topology->n_nodes : 96);
        world_scatter(start, &chance, 60 + (uint32_t) chance_below(&chance, 25));
        numad = world_copy(start);
        numad_settle(numad, NUMAD_ROUNDS);
        lpard = world_copy(start);
        lpard_optimize(lpard, 0);
        /* Where there is nothing to gain there is nothing to compare. */
        if (world_score(numad) > world_score(start)) {
            bool reached = world_score(lpard) >= world_score(numad);

            least = reached ? least_moved(start, world_score(numad), lpard->moved_bytes,
                                          bench->quick ? 6 : 8)
                            : lpard->moved_bytes;
            n_cases++;
            n_short += !reached;
            start_score += world_score(start) / 100.0;
            numad_score += world_score(numad) / 100.0;
            full_score += world_score(lpard) / 100.0;
            numad_moved += numad->moved_bytes / MIB;
            lpard_moved += least / MIB;
            full_moved += lpard->moved_bytes / MIB;
            for (uint32_t p = 0; p < start->n_parts; p++)
                total += part_bytes(start, &start->parts[p]) / MIB;
            json_array_append_new(
                rows, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "host",
                                bench->hosts[h].name, "start", world_score(start) / 100.0, "numad",
                                world_score(numad) / 100.0, "lpard", world_score(lpard) / 100.0,
                                "numad_gib", (double) numad->moved_bytes / (double) GIB, "same_gib",
                                (double) least / (double) GIB, "lpard_gib",
                                (double) lpard->moved_bytes / (double) GIB));
        }
        world_free(start);
        world_free(numad);
        world_free(lpard);
    }
    n_cases = n_cases > 0 ? n_cases : 1;
    return json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "cases", (int) n_cases,
                     "not_reached", (int) n_short, "start_score", start_score / n_cases,
                     "numad_score", numad_score / n_cases, "lpard_score", full_score / n_cases,
                     "ratio", numad_moved ? (double) lpard_moved / (double) numad_moved : 0.0,
                     "numad_percent", total ? 100.0 * (double) numad_moved / (double) total : 0.0,
                     "same_percent", total ? 100.0 * (double) lpard_moved / (double) total : 0.0,
                     "lpard_percent", total ? 100.0 * (double) full_moved / (double) total : 0.0,
                     "hosts", rows);
}
