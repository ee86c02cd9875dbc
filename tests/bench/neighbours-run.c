/* How long operations of honest partitions take beside one that is hostile or hangs, and without it: in
 * turns, in one process, by lpard's own engine on a simulated host.  tests/bench/neighbours builds and
 * runs it; it prints one line of JSON. */
#include "engine_fixture.h"
#include "tests/faults/faulty_driver.h"
#include "tests/faults/liar.h"

#include <getopt.h>

#define PARTITIONS 32
#define BLOCK 40
/* Beside LIAR_WAYS of agents: a QEMU that answers nothing. */
#define WAY_QEMU LIAR_WAYS
#define WAYS (LIAR_WAYS + 1)

static const char *const way_names[WAYS] = {"lies in every field", "repeats old frames", "drips",
                                            "connects and hangs up", "hangs", "floods",
                                            "QEMU hangs"};

typedef struct {
    GArray *without, *with;       /* of double: msec an operation took */
    unsigned errors;
} Figures;

static unsigned turn;

/* ---- the one beside them ---- */

static void
restart_first(void)
{
    tell("p0", "{\"do\":\"stop\"}");
    tell("p0", "{\"do\":\"start\"}");
    UNTIL(part("p0")->view->run == LP_RUN_RUNNING);
}

static void
hostile_begin(unsigned way, GRand *random)
{
    if (way == WAY_QEMU) {
        tell("p0", "{\"hang_call_msec\": 80000000, \"hang_look\": true}");
        return;
    }
    faulty_channel = liar_open;
    liar_begin(part("p0")->uuid, (LiarWay) way, random);
    restart_first();
    UNTIL(liar_n_sent() > 0);
}

static void
hostile_end(unsigned way)
{
    if (way == WAY_QEMU) {
        tell("p0", "{\"hang_call_msec\": 0, \"hang_look\": false}");
        UNTIL(!part("p0")->stuck && lp_workers_abandoned(world.workers) == 0);
        return;
    }
    liar_end();
    faulty_channel = NULL;
    restart_first();
}

/* It always has an operation of its own under way, too. */
static void
ask_first(void)
{
    static int64_t open;
    Asked *asked;
    const LpOperation *operation = open ? lp_engine_find(world.engine, open) : NULL;

    if (operation && !LP_OP_IS_FINAL(operation->state))
        return;
    if (lp_engine_lane_depth(world.engine, part("p0")->uuid))
        return;
    /* Lives as long as the process: it may be answered late. */
    asked = g_new0(Asked, 1);
    g_free(try_submit(turn++ % 2 ? SET_P0 CPU("set", 3) ",\"timeout_sec\":5}"
                                 : SET_P0 CPU("set", 2) ",\"timeout_sec\":5}",
                      asked));
    open = asked->id;
}

/* ---- the others ---- */

static double
serve(unsigned number, unsigned *errors)
{
    bool up = number / (PARTITIONS - 1) % 2 == 0;
    g_autofree char *text = g_strdup_printf(
        "{\"kind\":\"resize\",\"partition\":\"p%u\",\"cpu\":{\"mode\":\"set\",\"count\":%u},"
        "\"mem\":{\"mode\":\"set\",\"bytes\":%" PRIu64 "}}",
        1 + number % (PARTITIONS - 1), up ? 3 : 2, (uint64_t) (up ? 3 * GIB : 2 * GIB));
    int64_t begin_usec = g_get_monotonic_time();
    const LpOperation *operation;

    ask_first();
    operation = run(text);
    if (operation->state != LP_OP_DONE || operation->confirm != LP_CONFIRM_AGENT)
        ++*errors;
    return (double) (g_get_monotonic_time() - begin_usec) / 1000;
}

static void
serve_block(GArray *times, unsigned *number, unsigned *errors)
{
    for (unsigned i = 0; i < BLOCK; i++) {
        double msec = serve((*number)++, errors);

        g_array_append_val(times, msec);
    }
}

static int
by_size(const void *a, const void *b)
{
    double left = *(const double *) a, right = *(const double *) b;

    return (left > right) - (left < right);
}

static double
rank(GArray *times, double share)
{
    guint at = (guint) (share * (times->len - 1) + 0.5);

    g_array_sort(times, by_size);
    return g_array_index(times, double, at);
}

static json_t *
report(const char *name, Figures *figures)
{
    double without = rank(figures->without, 0.5), with = rank(figures->with, 0.5);
    double without_99 = rank(figures->without, 0.99), with_99 = rank(figures->with, 0.99);

    return json_pack("{s:s,s:i,s:i,s:{s:f,s:f},s:{s:f,s:f},s:f,s:f}", "beside", name, "n",
                     (int) figures->with->len, "errors", (int) figures->errors, "without_msec",
                     "median", without, "p99", without_99, "with_msec", "median", with, "p99",
                     with_99, "median_ratio", with / without, "p99_ratio", with_99 / without_99);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {"seed", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    unsigned rounds = 5, number = 0, warm_errors = 0;
    uint32_t seed = 1;
    g_autoptr(GArray) warm = g_array_new(FALSE, FALSE, sizeof(double));
    Figures figures[WAYS];
    json_t *list = json_array();
    GRand *random;
    void *state = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'r')
            rounds = (unsigned) strtoul(optarg, NULL, 10);
        else if (option == 's')
            seed = (uint32_t) strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    random = g_rand_new_with_seed(seed);
    start_clock();
    start_world(PARTITIONS, 1024 * GIB, MOVING, "");
    UNTIL(all_connected());
    serve_block(warm, &number, &warm_errors);
    for (unsigned way = 0; way < WAYS; way++)
        figures[way] = (Figures){g_array_new(FALSE, FALSE, sizeof(double)),
                                 g_array_new(FALSE, FALSE, sizeof(double)), 0};
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned way = 0; way < WAYS; way++) {
            serve_block(figures[way].without, &number, &figures[way].errors);
            hostile_begin(way, random);
            serve_block(figures[way].with, &number, &figures[way].errors);
            hostile_end(way);
        }
    for (unsigned way = 0; way < WAYS; way++) {
        json_array_append_new(list, report(way_names[way], &figures[way]));
        g_array_unref(figures[way].without);
        g_array_unref(figures[way].with);
    }
    list = json_pack("{s:i,s:i,s:o}", "partitions", PARTITIONS, "seed", (int) seed, "ways", list);
    json_dumpf(list, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(list);
    g_rand_free(random);
    tear_down(&state);
    return 0;
}
