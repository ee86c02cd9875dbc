/* Small hosts: everybody beside the exact optimum of the same partitions. */
#include <stdlib.h>

#include "tests/bench/place-run.h"

/* The reverse of lp_layout_cost(): thousandths of a point that a layout is worth of all. */
#define WORTH_MAX 100000
/* Places that an exact search may try: about a second, and less. */
#define MOST_LOOKS 3000000
#define MOST_LOOKS_QUICK 500000

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

/* What the host is worth once everything is laid out anew, moving as it likes (or for what it
 * costs). */
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
    uint32_t n_cases, n_given_up;
    uint64_t looked;
} Small;

typedef struct {
    World *worlds[GAP_FIRST + N_CONTENDERS];
    uint64_t unit;
    bool empty;
} Case;

/* The same events for everybody, and what lpard would make of what it then has. */
static void
make_case(const Host *host, uint64_t seed, Case *ret)
{
    uint64_t chance = seed, biggest = 0;
    Event *events;
    uint32_t n;

    for (uint32_t i = 0; i < host->topology.n_nodes; i++)
        if (host->topology.nodes[i].memory_bytes > biggest)
            biggest = host->topology.nodes[i].memory_bytes;
    ret->unit = biggest / 8 / BLOCK * BLOCK;
    events = events_make(&host->topology, &chance, 60, 85 + (uint32_t) chance_below(&chance, 10),
                         ret->unit);
    n = cut_events(events, 60);
    for (size_t k = 0; k < N_CONTENDERS; k++)
        ret->worlds[GAP_FIRST + k] = play_until(host, contenders[k], events, n, ret->unit);
    free(events);
    ret->worlds[GAP_PLAN] = laid_out_anew(ret->worlds[GAP_FIRST], true);
    ret->worlds[GAP_OPTIMIZED] = laid_out_anew(ret->worlds[GAP_FIRST], false);
    ret->empty = world_score(ret->worlds[GAP_FIRST]) == LP_SCORE_NONE;
}

/* Everybody beside the optimum of the same partitions: of the cost, or of the score alone. */
static bool
judge(const Bench *bench, const Case *c, bool score, uint32_t h, uint64_t seed, Small *small)
{
    uint64_t cost[GAP_FIRST + N_CONTENDERS], least = UINT64_MAX;
    Gap *gaps = score ? small->score : small->cost;
    Exact exact;

    for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS; k++) {
        cost[k] = exact_cost(c->worlds[k], score);
        /* The cells of the first are those that are searched. */
        if (k <= GAP_FIRST && cost[k] < least)
            least = cost[k];
    }
    exact = exact_search(c->worlds[GAP_FIRST], score, c->unit, least,
                         bench->quick ? MOST_LOOKS_QUICK : MOST_LOOKS);
    small->looked += exact.looked;
    for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS && exact.proven; k++) {
        /* Whoever refused some has others there, and is not compared. */
        if (c->worlds[k]->refused_bytes == 0)
            gap_add(&gaps[k], cost[k], exact.cost, h, seed);
    }
    return exact.proven;
}

static void
run_case(const Bench *bench, uint32_t h, uint64_t seed, Small *small)
{
    Case c;

    make_case(&bench->hosts[h], seed, &c);
    if (!c.empty && c.worlds[GAP_FIRST]->refused_bytes == 0) {
        bool ok = judge(bench, &c, false, h, seed, small);

        ok = judge(bench, &c, true, h, seed, small) && ok;
        small->n_cases++;
        small->n_given_up += !ok;
    }
    for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS; k++)
        world_free(c.worlds[k]);
}

json_t *
run_small(const Bench *bench)
{
    Small small = { 0 };
    json_t *rows = json_array(), *scores = json_array();
    uint32_t rounds = bench->quick ? 2 : 10;

    for (uint32_t h = 0; h < bench->n_hosts; h++) {
        if (bench->hosts[h].topology.n_nodes > 4)
            continue;
        for (uint32_t r = 0; r < rounds; r++)
            run_case(bench, h, bench->seed * 7919 + h * 101 + r, &small);
    }
    for (size_t k = 0; k < GAP_FIRST + N_CONTENDERS; k++) {
        const char *name = k == GAP_PLAN        ? "lpard, laid out from nothing"
                           : k == GAP_OPTIMIZED ? "lpard, optimized"
                                                : contenders[k - GAP_FIRST]->name;

        json_array_append_new(rows, gap_json(bench, name, &small.cost[k]));
        json_array_append_new(scores, gap_json(bench, name, &small.score[k]));
    }
    return json_pack("{s:i, s:i, s:I, s:o, s:o}", "cases", (int) small.n_cases, "given_up",
                     (int) small.n_given_up, "looked", (json_int_t) small.looked, "cost_gap", rows,
                     "score_gap", scores);
}
