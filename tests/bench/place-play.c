/* Partitions come, grow, shrink and go: every contender on every host. */
#include <stdlib.h>

#include "tests/bench/place-run.h"

const Contender *const contenders[N_CONTENDERS] = {
    &contender_lpard, &contender_lpard_moves, &contender_first_fit, &contender_best_fit,
    &contender_numad, &contender_nova,
};

typedef struct {
    double score, served, cost;        /* served: what was refused counts as 0 points */
    uint64_t samples, asked, refused, moved;
} Figures;

void
play(World *world, const Contender *contender, const Event *event)
{
    Part *part = &world->parts[event->part];
    uint64_t now = part->here ? part_bytes(world, part) : 0;
    uint64_t more = event->want.bytes > now ? event->want.bytes - now : 0;
    bool has_room = more <= world_free_bytes(world), ok = true;

    switch (event->kind) {
    case EVENT_NONE:
        break;
    case EVENT_ARRIVE:
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

        if (events[e].kind != EVENT_NONE) {
            all_wanted += events[e].want.bytes - wanted[events[e].part];
            wanted[events[e].part] = events[e].want.bytes;
        }
        play(world, contender, &events[e]);
        /* The first ones find an empty host. */
        if (e < n / 8 || e % 2 == 0)
            continue;
        score = world_score(world);
        if (score == LP_SCORE_NONE)
            continue;
        figures->score += score / 100.0;
        figures->served += score / 100.0 * (double) used_bytes(world) / (double) all_wanted;
        figures->cost += (double) exact_cost(world, true) / 1000;
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
                     f->score / samples, "served", f->served / samples, "cost",
                     f->cost / samples, "stranded_percent",
                     f->asked ? 100.0 * (double) f->refused / (double) f->asked : 0.0,
                     "moved_gib", (double) f->moved / (double) GIB);
}

/* Every contender on every host. */
json_t *
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
