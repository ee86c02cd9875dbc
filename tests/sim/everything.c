/* usage: everything [-v] [--steps N] --seed N
 *        everything [--json] [--stop] [--steps N] --seeds N [--from M]
 *
 * One seed, with its trace (-v), or many; each that breaks something is told, with the command that runs
 * it again, and ends the row (--stop) or not.  Exit status 1: something is broken. */
#include <glib/gstdio.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/clock.h"
#include "tests/sim/disk.h"
#include "tests/sim/everything.h"
#include "tests/sim/fibers.h"

#define STEPS 120
/* Between two steps of what is done to lpard. */
#define PAUSE_MOST_USEC (6 * G_USEC_PER_SEC)
/* An operation has its 60 s, a lane may hold a row of them, and calls may hang that began before. */
#define REST_USEC (900 * G_USEC_PER_SEC)
/* What no event told of is read within a minute. */
#define REREAD_USEC (75 * G_USEC_PER_SEC)
#define SETTLE_USEC (20 * G_USEC_PER_SEC)

World world;

const char *const fault_names[FAULT_CLASSES] = {
#define X(name, text) text,
    FAULTS(X)
#undef X
};

/* ---- chance and the trace ---- */

int64_t
draw(int64_t low, int64_t high)
{
    return high > low ? lp_chance_between(&world.chance, low, high) : low;
}

bool
one_in(uint32_t n)
{
    return n && lp_chance(&world.chance) % n == 0;
}

void
count_fault(FaultClass fault)
{
    world.faults[fault]++;
}

void
say(const char *format, ...)
{
    g_autofree char *line = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(text, format, args);
    va_end(args);
    /* The same for every process. */
    g_string_replace(text, world.dir, "DIR", 0);
    line = g_strdup_printf("%10.6f %s", (double) (clock_now_usec() % 86400000000) / 1e6, text->str);
    for (const char *c = line; *c; c++)
        world.hash = (world.hash ^ (unsigned char) *c) * 0x100000001b3u;
    if (world.verbose)
        puts(line);
}

/* lpard's own warnings are part of the trace. */
static GLogWriterOutput
write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
    (void) data;
    for (gsize i = 0; i < n_fields; i++)
        if (strcmp(fields[i].key, "MESSAGE") == 0 && world.oracle && !(level & G_LOG_LEVEL_ERROR))
            say("log: %s", (const char *) fields[i].value);
        else if (strcmp(fields[i].key, "MESSAGE") == 0)
            printf("# %s\n", (const char *) fields[i].value);
    if (level & G_LOG_LEVEL_ERROR)
        printf("# seed %" PRIu64 " ends in an error:\n", world.seed);
    if (level & G_LOG_LEVEL_CRITICAL && world.oracle)
        lp_oracle_tell(world.oracle, LP_INVARIANT_L1, "a critical warning was logged");
    return G_LOG_WRITER_HANDLED;
}

/* ---- one seed ---- */

static bool
all_over(void)
{
    g_autoptr(GPtrArray) list = world.engine ? lp_engine_list(world.engine) : NULL;

    for (guint i = 0; list && i < list->len; i++)
        if (!LP_OP_IS_FINAL(((LpOperation *) g_ptr_array_index(list, i))->state))
            return false;
    return world.engine && lp_registry_synced(world.registry);
}

static void
judge_journal(void)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify) lp_view_free);

    /* Where somebody else made the host overfull, sizes were judged effect by effect; and what the journal
     * has purged says nothing of them. */
    for (guint i = 0; i < domains()->len && !world.meddled && !world.purged; i++)
        g_ptr_array_add(list, lp_sim_domain_view(g_ptr_array_index(domains(), i)));
    lp_oracle_rest(world.oracle, list);
    g_ptr_array_unref(list);
}

static void
run_steps(unsigned steps)
{
    for (unsigned i = 0; i < steps && !judge_failed(); i++) {
        fibers_run_until(clock_now_usec() + draw(1000, one_in(3) ? PAUSE_MOST_USEC : 500000), NULL);
        if (one_in(3))
            hand_step();
        else
            load_step();
        judge_step();
    }
}

static void
run_to_rest(void)
{
    say("all is well from now on");
    hand_rest();
    fibers_run_until(clock_now_usec() + SETTLE_USEC, NULL);
    judge_step();
    fibers_run_until(clock_now_usec() + REST_USEC, all_over);
    fibers_run_until(clock_now_usec() + REREAD_USEC, NULL);
    judge_step();
    if (!judge_failed())
        judge_rest();
    if (!judge_failed())
        judge_journal();
    judge_step();
    lpard_stop(false);
}

/* What a run came to: handed from its process to the one that counts. */
typedef struct {
    bool ended, fine;
    uint64_t faults[FAULT_CLASSES], steps, operations, effects, unfinished, hash;
} Outcome;

static void
run_seed(uint64_t seed, unsigned steps, bool verbose, Outcome *ret_outcome)
{
    memset(&world, 0, sizeof world);
    world.verbose = verbose;
    world_begin(seed);
    lpard_start();
    run_steps(steps);
    if (!judge_failed())
        run_to_rest();
    lpard_stop(true);
    ret_outcome->fine = !judge_failed();
    for (guint i = 0; !verbose && i < MIN(lp_oracle_broken(world.oracle)->len, 5); i++)
        printf("# seed %" PRIu64 ": %s\n", seed,
               (const char *) g_ptr_array_index(lp_oracle_broken(world.oracle), i));
    memcpy(ret_outcome->faults, world.faults, sizeof world.faults);
    ret_outcome->steps = world.steps;
    ret_outcome->operations = world.operations;
    ret_outcome->effects = world.effects;
    ret_outcome->unfinished = world.unfinished;
    ret_outcome->hash = world.hash;
    world_end();
    ret_outcome->ended = true;
}

/* In a process of its own: no run finds anything of another's, and one that ends by a signal has
 * failed and ends no others. */
static void
run_apart(uint64_t seed, unsigned steps, bool verbose, Outcome *ret_outcome)
{
    Outcome *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t pid;

    if (shared == MAP_FAILED || (fflush(stdout), pid = fork()) < 0) {
        perror("everything");
        exit(2);
    }
    if (pid == 0) {
        disk_install();
        fibers_install();
        run_seed(seed, steps, verbose, shared);
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    *ret_outcome = *shared;
    munmap(shared, sizeof *shared);
    if (ret_outcome->ended)
        return;
    ret_outcome->fine = false;
    printf("# seed %" PRIu64 ": the process ended by signal %d\n", seed,
           WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    world_remove(pid);
}

/* ---- many ---- */

typedef struct {
    uint64_t seeds, failed;
    Outcome sum;
} Figures;

static void
add_figures(Figures *figures, const Outcome *outcome)
{
    figures->seeds++;
    figures->failed += !outcome->fine;
    for (unsigned i = 0; i < FAULT_CLASSES; i++)
        figures->sum.faults[i] += outcome->faults[i];
    figures->sum.steps += outcome->steps;
    figures->sum.operations += outcome->operations;
    figures->sum.effects += outcome->effects;
    figures->sum.unfinished += outcome->unfinished;
}

static void
print_json(const Figures *figures, int64_t wall_usec)
{
    const Outcome *sum = &figures->sum;

    printf("{\"seeds\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"steps\": %" PRIu64
           ", \"operations\": %" PRIu64 ", \"effects\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"wall_msec\": %" PRId64 ", \"faults\": {",
           figures->seeds, figures->failed, sum->steps, sum->operations, sum->effects,
           sum->unfinished, wall_usec / 1000);
    for (unsigned i = 0; i < FAULT_CLASSES; i++)
        printf("%s\"%s\": %" PRIu64, i ? ", " : "", fault_names[i], sum->faults[i]);
    puts("}}");
}

static int
run_many(uint64_t from, uint64_t n, unsigned steps, bool stop, bool json)
{
    Figures figures = {0};
    int64_t begun = clock_real_usec();

    for (uint64_t seed = from; seed < from + n && !(stop && figures.failed); seed++) {
        Outcome outcome;

        run_apart(seed, steps, false, &outcome);
        add_figures(&figures, &outcome);
        if (!outcome.fine)
            printf("# replay: tests/sim/everything --steps %u --seed %" PRIu64 " -v\n", steps, seed);
    }
    if (json)
        print_json(&figures, clock_real_usec() - begun);
    else
        printf("# %" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64 " steps, %" PRIu64
               " operations, %" PRIu64 " effects; %.1f s\n", figures.seeds, figures.failed,
               figures.sum.steps, figures.sum.operations, figures.sum.effects,
               (double) (clock_real_usec() - begun) / 1e6);
    return figures.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int
run_one_seed(uint64_t seed, unsigned steps, bool verbose)
{
    Outcome outcome;

    run_apart(seed, steps, verbose, &outcome);
    printf("# seed %" PRIu64 ", trace %016" PRIx64 ": %s\n", seed, outcome.hash,
           outcome.fine ? "all holds" : "FAILED");
    return outcome.fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    gint64 seed = -1, seeds = 0, from = 1, steps = STEPS;
    gboolean verbose = FALSE, stop = FALSE, json = FALSE;
    const GOptionEntry entries[] = {
        {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Run this one", "N"},
        {"seeds", 0, 0, G_OPTION_ARG_INT64, &seeds, "Run so many", "N"},
        {"from", 0, 0, G_OPTION_ARG_INT64, &from, "The first of them (1)", "M"},
        {"steps", 0, 0, G_OPTION_ARG_INT64, &steps, "Steps of each (120)", "N"},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Show the trace", NULL},
        {"stop", 0, 0, G_OPTION_ARG_NONE, &stop, "After the first that breaks something", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Figures as one line of JSON", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- everything that can go wrong");
    g_autoptr(GError) error = NULL;

    /* GLib spreads timers by a hash of these. */
    g_unsetenv("DBUS_SESSION_BUS_ADDRESS");
    g_unsetenv("HOSTNAME");
    g_setenv("TZ", "UTC", TRUE);
    setvbuf(stdout, NULL, _IOLBF, 0);
    g_log_set_writer_func(write_log, NULL, NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    if (seed >= 0)
        return run_one_seed((uint64_t) seed, (unsigned) steps, verbose);
    return run_many((uint64_t) from, (uint64_t) MAX(seeds, 1), (unsigned) steps, stop, json);
}
