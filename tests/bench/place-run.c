/* lpard's placement against that of others, on the same hosts and events: see tests/bench/place --help.
 *
 * usage: place-run [--quick] [--seed N] [TOPOLOGY...]     figures in JSON on stdout */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/place-world.h"

/* The reverse of lp_layout_cost(): thousandths of a point that a layout is worth of all. */
#define WORTH_MAX 100000
/* Places that an exact search may try: about a second, and a quarter. */
#define MOST_LOOKS 3000000
#define MOST_LOOKS_QUICK 500000
#define NUMAD_ROUNDS 12

static const Contender *const contenders[] = {
    &contender_lpard, &contender_lpard_moves, &contender_first_fit, &contender_best_fit,
    &contender_numad, &contender_nova,
};
#define N_CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

typedef struct {
    uint64_t seed;
    bool quick;
    uint32_t n_hosts;
    Host *hosts;
} Bench;

/* ------------------------------------------------------------------ events */

typedef struct {
    double score, served, cost;        /* served: what was refused counts as 0 points */
    uint64_t samples, asked, refused, moved;
} Figures;

/* Plays an event; what the contender refuses while the host has the memory is counted. */
static void
play(World *world, const Contender *contender, const Event *event)
{
    Part *part = &world->parts[event->part];
    uint64_t now = part->here ? part_bytes(world, part) : 0;
    uint64_t more = event->want.bytes > now ? event->want.bytes - now : 0;
    bool has_room = more <= world_free_bytes(world), ok = true;

    switch (event->kind) {
    case EVENT_ARRIVE:
        if (event->want.bytes == 0)
            return;
        ok = contender->arrive(world, part, &event->want);
        break;
    case EVENT_RESIZE:
        if (part->here)
            ok = contender->resize(world, part, &event->want);
        break;
    case EVENT_LEAVE:
        if (part->here)
            world_clear(world, part);
        break;
    }
    if (ok && part->here) {
        part->want = event->want;
        part->want.bytes = part_bytes(world, part);
    }
    if (more > 0 && has_room) {
        world->asked_bytes += more;
        world->refused_bytes += ok ? 0 : more;
    }
    if (contender->settle)
        contender->settle(world);
}

static uint64_t
used_bytes(const World *world)
{
    return lp_topology_memory(world->topology) - world_free_bytes(world);
}

static void
play_all(const LpTopology *topology, const Contender *contender, const Event *events, uint32_t n,
         Figures *figures)
{
    World *world = world_new(topology, n);
    uint64_t *wanted = calloc(n, sizeof(*wanted)), all_wanted = 0;

    for (uint32_t e = 0; e < n; e++) {
        uint32_t score;

        all_wanted += events[e].want.bytes - wanted[events[e].part];
        wanted[events[e].part] = events[e].want.bytes;
        play(world, contender, &events[e]);
        /* The first ones find an empty host. */
        if (e < n / 8 || e % 2 == 0)
            continue;
        score = world_score(world);
        if (score == LP_SCORE_NONE)
            continue;
        figures->score += score / 100.0;
        figures->served += score / 100.0 * (double) used_bytes(world) / (double) all_wanted;
        figures->cost += (double) world_cost(world) / 1000;
        figures->samples++;
    }
    figures->asked += world->asked_bytes;
    figures->refused += world->refused_bytes;
    figures->moved += world->moved_bytes;
    free(wanted);
    world_free(world);
}

static json_t *
figures_json(const char *name, const Figures *f)
{
    double samples = f->samples > 0 ? (double) f->samples : 1;

    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "contender", name, "score",
                     f->score / samples, "served", f->served / samples, "cost", f->cost / samples, "stranded_percent",
                     f->asked ? 100.0 * (double) f->refused / (double) f->asked : 0.0,
                     "moved_gib", (double) f->moved / (double) GIB);
}

/* Every contender on every host. */
static json_t *
run_events(const Bench *bench)
{
    Figures all[N_CONTENDERS] = { { 0 } };
    json_t *hosts = json_array(), *sums = json_array();
    uint32_t n = bench->quick ? 120 : 400, seeds = bench->quick ? 1 : 2;

    for (uint32_t h = 0; h < bench->n_hosts; h++) {
        const Host *host = &bench->hosts[h];
        json_t *rows = json_array();

        for (size_t k = 0; k < N_CONTENDERS; k++) {
            Figures figures = { 0 };

            for (uint32_t s = 0; s < seeds; s++) {
                uint64_t chance = bench->seed + s * 1000003 + h;
                Event *events = events_make(&host->topology, &chance, n, 92, 0);

                play_all(&host->topology, contenders[k], events, n, &figures);
                free(events);
            }
            json_array_append_new(rows, figures_json(contenders[k]->name, &figures));
            /* Every host counts alike, whatever its size. */
            all[k].score += figures.samples ? figures.score / (double) figures.samples : 0;
            all[k].served += figures.samples ? figures.served / (double) figures.samples : 0;
            all[k].cost += figures.samples ? figures.cost / (double) figures.samples : 0;
            all[k].samples += figures.samples > 0;
            all[k].asked += figures.asked / MIB;
            all[k].refused += figures.refused / MIB;
            all[k].moved += figures.moved;
        }
        json_array_append_new(hosts, json_pack("{s:s, s:b, s:i, s:o}", "host", host->name, "real",
                                               host->real, "nodes", (int) host->topology.n_nodes,
                                               "contenders", rows));
    }
    for (size_t k = 0; k < N_CONTENDERS; k++)
        json_array_append_new(sums, figures_json(contenders[k]->name, &all[k]));
    return json_pack("{s:i, s:i, s:o, s:o}", "events", (int) n, "seeds", (int) seeds, "all", sums,
                     "hosts", hosts);
}

/* ------------------------------------------------------------------ the exact optimum */

typedef struct {
    double sum, worst;
    uint64_t n, worst_seed;
    uint32_t worst_host;
} Gap;

/* In percent of what the best is worth. */
static void
gap_add(Gap *gap, uint64_t cost, uint64_t best, uint32_t host, uint64_t seed)
{
    double worth = best < WORTH_MAX ? (double) (WORTH_MAX - best) : 1;
    double percent = cost > best ? 100.0 * (double) (cost - best) / worth : 0;

    gap->sum += percent;
    gap->n++;
    if (percent > gap->worst) {
        gap->worst = percent;
        gap->worst_host = host;
        gap->worst_seed = seed;
    }
}

static json_t *
gap_json(const Bench *bench, const char *name, const Gap *gap)
{
    return json_pack("{s:s, s:f, s:f, s:s, s:I}", "contender", name, "mean_percent",
                     gap->n ? gap->sum / (double) gap->n : 0.0, "worst_percent", gap->worst,
                     "worst_host", bench->hosts[gap->worst_host].name, "worst_seed",
                     (json_int_t) gap->worst_seed);
}

/* A small host with whole units, and events until so many partitions stand. */
static World *
play_until(const Host *host, const Contender *contender, const Event *events, uint32_t n,
           uint64_t unit)
{
    World *world = world_new(&host->topology, n);

    for (uint32_t i = 0; i < host->topology.n_nodes; i++)
        world->room[i] -= world->room[i] % unit;
    for (uint32_t e = 0; e < n; e++)
        play(world, contender, &events[e]);
    return world;
}

/* The events up to where at most ten are there. */
static uint32_t
cut_events(const Event *events, uint32_t n)
{
    uint32_t here = 0, cut = 0;

    for (uint32_t e = 0; e < n; e++) {
        here += events[e].kind == EVENT_ARRIVE && events[e].want.bytes > 0;
        here -= events[e].kind == EVENT_LEAVE;
        if (here > 10)
            break;
        if (here >= 4)
            cut = e + 1;
    }
    return cut;
}

/* What the host is worth once everything is laid out anew, moving as it likes (or for what it costs). */
static World *
laid_out_anew(const World *world, bool from_nothing)
{
    World *copy = world_copy(world);
    LpLayout *layout = lp_layout_new();
    Picture picture;

    picture_make(copy, !from_nothing, &picture);
    if (lp_layout_make(&picture.host, &(LpLayoutOrder) { 0 }, layout) &&
        layout->unplaced_bytes == 0)
        picture_apply(copy, &picture, layout);
    picture_clear(&picture);
    lp_layout_free(layout);
    return copy;
}

enum { GAP_PLAN, GAP_OPTIMIZED, GAP_FIRST };       /* ... and then the contenders */

typedef struct {
    Gap cost[GAP_FIRST + N_CONTENDERS], score[GAP_FIRST + N_CONTENDERS];
    uint32_t n_cases, n_given_up, n_refused;
    uint64_t looked;
} Small;

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One host with one lot of partitions: everybody beside the optimum of the same partitions. */
static void
run_small_case(const Bench *bench, uint32_t h, uint64_t seed, Small *small)
{
    const Host *host = &bench->hosts[h];
    World *worlds[GAP_FIRST + N_CONTENDERS];
    uint64_t chance = seed, unit, cost[GAP_FIRST + N_CONTENDERS], points[GAP_FIRST + N_CONTENDERS];
    uint64_t biggest = 0, least_cost = UINT64_MAX, least_points = UINT64_MAX;
    uint64_t looks = bench->quick ? MOST_LOOKS_QUICK : MOST_LOOKS;
    bool refused = false;
    Exact exact, best_score;
    Event *events;
    uint32_t n;

    for (uint32_t i = 0; i < host->topology.n_nodes; i++)
        if (host->topology.nodes[i].memory_bytes > biggest)
            biggest = host->topology.nodes[i].memory_bytes;
    unit = biggest / 8 / BLOCK * BLOCK;
    events = events_make(&host->topology, &chance, 60, 85 + (uint32_t) chance_below(&chance, 10),
                         unit);
    n = cut_events(events, 60);
    for (size_t k = 0; k < N_CONTENDERS; k++)
        worlds[GAP_FIRST + k] = play_until(host, contenders[k], events, n, unit);
    free(events);
    worlds[GAP_PLAN] = laid_out_anew(worlds[GAP_FIRST], true);
    worlds[GAP_OPTIMIZED] = laid_out_anew(worlds[GAP_FIRST], false);
    refused = n == 0 || world_score(worlds[GAP_FIRST]) == LP_SCORE_NONE;
    for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS && !refused; k++) {
        cost[k] = exact_cost(worlds[k], false);
        points[k] = exact_cost(worlds[k], true);
        if (k < GAP_FIRST + 1) {
            least_cost = min_u64(least_cost, cost[k]);
            least_points = min_u64(least_points, points[k]);
        }
    }
    if (refused || worlds[GAP_FIRST]->refused_bytes > 0) {
        small->n_refused += !(n == 0);
    } else {
        exact = exact_search(worlds[GAP_FIRST], false, unit, least_cost, looks);
        best_score = exact_search(worlds[GAP_FIRST], true, unit, least_points, looks);
        small->looked += exact.looked + best_score.looked;
        small->n_cases++;
        small->n_given_up += !exact.proven || !best_score.proven;
        for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS && exact.proven && best_score.proven; k++) {
            /* Whoever refused some has others there, and is not compared. */
            if (worlds[k]->refused_bytes > 0)
                continue;
            gap_add(&small->cost[k], cost[k], exact.cost, h, seed);
            gap_add(&small->score[k], points[k], best_score.cost, h, seed);
        }
    }
    for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS; k++)
        world_free(worlds[k]);
}

static json_t *
run_small(const Bench *bench)
{
    Small small = { 0 };
    json_t *rows = json_array(), *scores = json_array();
    uint32_t rounds = bench->quick ? 2 : 10;

    for (uint32_t h = 0; h < bench->n_hosts; h++) {
        if (bench->hosts[h].topology.n_nodes > 4)
            continue;
        for (uint32_t r = 0; r < rounds; r++)
            run_small_case(bench, h, bench->seed * 7919 + h * 101 + r, &small);
    }
    for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS; k++) {
        const char *name = k == GAP_PLAN        ? "lpard, laid out from nothing"
                           : k == GAP_OPTIMIZED ? "lpard, optimized"
                                                : contenders[k - GAP_FIRST]->name;

        json_array_append_new(rows, gap_json(bench, name, &small.cost[k]));
        json_array_append_new(scores, gap_json(bench, name, &small.score[k]));
    }
    return json_pack("{s:i, s:i, s:i, s:I, s:o, s:o}", "cases", (int) small.n_cases, "given_up",
                     (int) small.n_given_up, "refused", (int) small.n_refused, "looked",
                     (json_int_t) small.looked, "cost_gap", rows, "score_gap", scores);
}

/* ------------------------------------------------------------------ moves */

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

static json_t *
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
                                          bench->quick ? 4 : 8)
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

/* ------------------------------------------------------------------ time */

static json_t *
run_time(void)
{
    static const uint32_t PARTS[] = { 125, 250, 500, 1000, 2000, 4000 };
    static const uint32_t GROWS[] = { 100, 1000, 10000 };
    json_t *layouts = json_array(), *grows = json_array();
    int64_t first = 1, last = 1;

    for (size_t k = 0; k < sizeof(PARTS) / sizeof(PARTS[0]); k++) {
        uint32_t rounds = PARTS[k] > 1000 ? 5 : 9;
        int64_t place = time_layout(8, PARTS[k], false, rounds);
        int64_t optimize = time_layout(8, PARTS[k], true, rounds);

        json_array_append_new(layouts, json_pack("{s:i, s:i, s:I, s:I}", "nodes", 8, "partitions",
                                                 (int) PARTS[k], "place_nsec",
                                                 (json_int_t) place, "optimize_nsec",
                                                 (json_int_t) optimize));
        if (PARTS[k] == 1000)
            first = place + optimize;
        last = place + optimize;
    }
    for (size_t k = 0; k < sizeof(GROWS) / sizeof(GROWS[0]); k++)
        json_array_append_new(
            grows, json_pack("{s:i, s:i, s:I}", "nodes", 64, "partitions", (int) GROWS[k],
                             "grow_nsec", (json_int_t) time_grow(64, GROWS[k], 2000)));
    /* From 1,000 to 4,000 partitions. */
    return json_pack("{s:o, s:o, s:f}", "layout", layouts, "grow", grows, "exponent",
                     log((double) last / (double) first) / log(4.0));
}

/* ------------------------------------------------------------------ main */

/* Progress, with the processor time that has gone. */
__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "place: %4.1f s: ", (double) clock() / CLOCKS_PER_SEC);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void
add_host(Bench *bench, const Host *host)
{
    bench->hosts = realloc(bench->hosts, (bench->n_hosts + 1) * sizeof(*bench->hosts));
    bench->hosts[bench->n_hosts++] = *host;
}

int
main(int argc, char **argv)
{
    Bench bench = { .seed = 1 };
    json_t *skipped = json_array(), *root, *events, *small, *moves;
    Host *host = malloc(sizeof(*host));
    char message[256];

    for (uint32_t i = 0; host_synthetic(i, host); i++)
        add_host(&bench, host);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            bench.quick = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            bench.seed = strtoull(argv[++i], NULL, 10);
        else if (host_read(argv[i], host, message, sizeof(message)))
            add_host(&bench, host);
        else
            json_array_append_new(skipped, json_string(message));
    }
    say("%u hosts, seed %llu: events", bench.n_hosts, (unsigned long long) bench.seed);
    events = run_events(&bench);
    say("small hosts beside the optimum");
    small = run_small(&bench);
    say("moves from a bad start");
    moves = run_moves(&bench);
    say("time");
    root = json_pack("{s:I, s:i, s:o, s:o, s:o, s:o, s:o}", "seed", (json_int_t) bench.seed, "hosts",
                     (int) bench.n_hosts, "skipped", skipped, "events", events, "small", small,
                     "moves", moves, "time", run_time());
    json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(root);
    free(bench.hosts);
    free(host);
    return 0;
}
