/* lpard's placement against that of others, on the same hosts and events: see tests/bench/place
 * --help.
 *
 * usage: place-run [--quick] [--seed N] [TOPOLOGY...]     figures in JSON on stdout */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/place-run.h"

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
    root = json_pack("{s:I, s:i, s:o, s:o, s:o, s:o, s:o}", "seed", (json_int_t) bench.seed,
                     "hosts", (int) bench.n_hosts, "skipped", skipped, "events", events, "small",
                     small, "moves", moves, "time", run_time());
    json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(root);
    free(bench.hosts);
    free(host);
    return 0;
}
