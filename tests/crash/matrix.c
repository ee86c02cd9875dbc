/* The crash matrix: lpard is killed at each point of hotplug/fault.h that an operation comes to, and
 * started anew; whatever it was doing is closed as done or as a declared partial, and every invariant
 * holds (L1).  Squared: it is killed once more on the way back.
 *
 *   matrix [--all] [--squared] [--seed N] [--jobs N] [--only SCENARIO] [--strike POINT:NTH] [--json]
 *
 * --all      every point of every scenario, at its first, last and middle occurrence, at each of up to
 *            eight (else: of each point's one, in some of the scenarios, by the seed)
 * --squared  each kill in recovery too (else: a sample by the seed)
 *
 * --strike   this kill alone, and what lpard says
 * --json     last a line of JSON for the soak table
 *
 * TAP. */
#include <getopt.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/crash.h"

#define JOBS_MAX 16
/* Kills in recovery that are drawn for each scenario. */
#define SAMPLE 1
/* Without --all a point is tried in one of so many scenarios that come to it: what `make check` has time
 * for.  Another seed takes others. */
#define ONE_IN 6
#define BROKEN_MAX 32

typedef struct {
    bool all, squared, json;
    uint64_t seed;
    unsigned jobs;
    const char *only;
    Strike strike;                /* this one alone, if nth */
} Options;

/* Of one scenario; shared by all processes. */
typedef struct {
    uint32_t cases, killed, squared, lost, effects;
    uint32_t ever[LP_FAULT_POINTS];
    gint n_broken;
    char broken[BROKEN_MAX][600];
} Tally;

static Tally *tallies;

static void
note_lost(Tally *tally, const Scenario *scenario, Strike one, Strike two, const char *how)
{
    gint at = g_atomic_int_add(&tally->n_broken, 1);
    GString *text = g_string_new(NULL);

    __atomic_add_fetch(&tally->lost, 1, __ATOMIC_RELAXED);
    g_string_printf(text, "%s", scenario->name);
    if (one.nth)
        g_string_append_printf(text, ", killed at %s:%u", lp_fault_name(one.point), one.nth);
    if (two.nth)
        g_string_append_printf(text, ", then at %s:%u", lp_fault_name(two.point), two.nth);
    g_string_append_printf(text, ": %s%s%s", how, *shared->broken ? ": " : "", shared->broken);
    if (at < BROKEN_MAX)
        g_strlcpy(tally->broken[at], text->str, sizeof tally->broken[at]);
    g_string_free(text, TRUE);
}

static const char *
how(LifeEnd end)
{
    return end == LIFE_HUNG ? "it hangs" : "broken";
}

/* ---- cases ---- */

/* Killed at `one`; counts of the recovery stay in shared->counts. */
static bool
try_once(const Scenario *scenario, Tally *tally, Strike one, Strike two)
{
    LifeEnd end;

    crash_restore();
    __atomic_add_fetch(&tally->cases, 1, __ATOMIC_RELAXED);
    end = crash_live(scenario, true, one);
    if (end == LIFE_KILLED)
        __atomic_add_fetch(&tally->killed, 1, __ATOMIC_RELAXED);
    if (end == LIFE_KILLED && two.nth) {
        __atomic_add_fetch(&tally->squared, 1, __ATOMIC_RELAXED);
        end = crash_live(scenario, false, two);
    }
    if (end == LIFE_KILLED)
        end = crash_live(scenario, false, (Strike){0});
    if (end == LIFE_WELL)
        return true;
    note_lost(tally, scenario, one, two, how(end));
    return false;
}

/* Which occurrences of a point that is reached n times are tried: 1..n, first, last and between. */
static unsigned
occurrences(uint32_t n, bool all, uint32_t *ret)
{
    unsigned count = 0;

    if (all && n <= 8) {
        for (uint32_t i = 1; i <= n; i++)
            ret[count++] = i;
        return count;
    }
    for (uint32_t i = 1; i <= MIN(n, 1); i++)
        ret[count++] = i;
    if (n > 2)
        ret[count++] = n / 2 + 1;
    if (n > 1)
        ret[count++] = n;
    return count;
}

static GArray *
strikes_of(const uint32_t *counts, bool all)
{
    GArray *strikes = g_array_new(FALSE, FALSE, sizeof(Strike));

    for (unsigned p = 0; p < LP_FAULT_POINTS; p++) {
        uint32_t nth[8];
        unsigned n = occurrences(counts[p], all, nth);

        for (unsigned i = 0; i < n; i++) {
            Strike strike = {(LpFaultPoint) p, nth[i]};

            g_array_append_val(strikes, strike);
        }
    }
    return strikes;
}

static void
thin_out(GArray *strikes, unsigned scenario, uint64_t seed)
{
    for (guint i = strikes->len; i-- > 0;) {
        const Strike *strike = &g_array_index(strikes, Strike, i);

        if ((strike->point * 5 + strike->nth + scenario + seed) % ONE_IN != 0)
            g_array_remove_index(strikes, i);
    }
}

static void
square(const Scenario *scenario, Tally *tally, Strike one, const uint32_t *counts)
{
    g_autoptr(GArray) strikes = strikes_of(counts, false);

    for (guint i = 0; i < strikes->len; i++)
        (void) try_once(scenario, tally, one, g_array_index(strikes, Strike, i));
}

static uint64_t
draw(uint64_t *chance)
{
    uint64_t z = *chance += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* One kill on the way back from this one, by the seed. */
static void
square_one(const Scenario *scenario, Tally *tally, Strike one, const uint32_t *counts,
           uint64_t *chance)
{
    g_autoptr(GArray) strikes = strikes_of(counts, false);

    if (strikes->len)
        (void) try_once(scenario, tally, one,
                        g_array_index(strikes, Strike, draw(chance) % strikes->len));
}

static void
keep_counts(Tally *tally)
{
    for (unsigned p = 0; p < LP_FAULT_POINTS; p++)
        __atomic_add_fetch(&tally->ever[p], shared->ever[p], __ATOMIC_RELAXED);
    __atomic_add_fetch(&tally->effects, shared->effects, __ATOMIC_RELAXED);
    memset(shared->ever, 0, sizeof shared->ever);
    shared->effects = 0;
}

/* One scenario from its dry pass on.  Of its cases this process takes every jobs-th. */
static void
run_scenario(const Scenario *scenario, Tally *tally, const Options *options, unsigned job)
{
    uint64_t chance = options->seed + (uint64_t) (scenario - scenarios) * 1000 + job;
    g_autoptr(GArray) strikes = NULL;
    LifeEnd end;

    if (!crash_make(scenario)) {
        note_lost(tally, scenario, (Strike){0}, (Strike){0}, "its world cannot be made");
        return;
    }
    crash_restore();
    end = crash_live(scenario, true, (Strike){0});
    if (end != LIFE_WELL) {
        note_lost(tally, scenario, (Strike){0}, (Strike){0}, how(end));
        return;
    }
    strikes = strikes_of(shared->counts, options->all);
    if (!options->all)
        thin_out(strikes, (unsigned) (scenario - scenarios), options->seed);
    if (options->strike.nth) {
        g_array_set_size(strikes, 0);
        if (job == 0)
            g_array_append_val(strikes, options->strike);
    }
    for (guint i = job; i < strikes->len; i += options->jobs) {
        Strike one = g_array_index(strikes, Strike, i);
        uint32_t counts[LP_FAULT_POINTS];

        if (!try_once(scenario, tally, one, (Strike){0}))
            continue;
        memcpy(counts, shared->counts, sizeof counts);
        if (options->squared)
            square(scenario, tally, one, counts);
        else if (draw(&chance) % strikes->len < SAMPLE)
            square_one(scenario, tally, one, counts, &chance);
    }
    keep_counts(tally);
}

static void G_GNUC_NORETURN
run_job(const Options *options, unsigned job)
{
    const char *base = g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : g_get_tmp_dir();
    g_autofree char *dir = g_build_filename(base, "lpard-crash-XXXXXX", NULL);

    if (!g_mkdtemp(dir))
        g_error("%s: no directory can be made there", base);
    crash_begin(dir);
    for (unsigned s = 0; s < n_scenarios; s++)
        if (!options->only || strcmp(scenarios[s].name, options->only) == 0)
            run_scenario(&scenarios[s], &tallies[s], options, job);
    crash_end();
    _exit(0);
}

/* ---- what came of it ---- */

static bool
tell_scenario(unsigned number, const Scenario *scenario, const Tally *tally)
{
    printf("%s %u - %s: %u cases, %u kills, %u of them twice, %u effects\n",
           tally->lost ? "not ok" : "ok", number, scenario->name, tally->cases, tally->killed,
           tally->squared, tally->effects);
    for (gint i = 0; i < MIN(tally->n_broken, BROKEN_MAX); i++) {
        g_autofree char *text = g_strchomp(g_strdup(tally->broken[i]));
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (unsigned l = 0; lines[l]; l++)
            printf("#  %s\n", lines[l]);
    }
    return tally->lost == 0;
}

static bool
tell_points(unsigned number)
{
    GString *never = g_string_new(NULL);
    bool ok;

    for (unsigned p = 0; p < LP_FAULT_POINTS; p++) {
        uint64_t sum = 0;

        for (unsigned s = 0; s < n_scenarios; s++)
            sum += tallies[s].ever[p];
        if (!sum)
            g_string_append_printf(never, " %s", lp_fault_name((LpFaultPoint) p));
    }
    ok = never->len == 0;
    printf("%s %u - every point of hotplug/fault.h is reached\n", ok ? "ok" : "not ok", number);
    if (!ok)
        printf("#  by no case:%s\n", never->str);
    g_string_free(never, TRUE);
    return ok;
}

static int
tell_all(const Options *options, double sec)
{
    uint64_t cases = 0, killed = 0, squared = 0, lost = 0, effects = 0;
    unsigned number = 0;
    bool ok = true;

    for (unsigned s = 0; s < n_scenarios; s++) {
        if (options->only && strcmp(scenarios[s].name, options->only) != 0)
            continue;
        ok = tell_scenario(++number, &scenarios[s], &tallies[s]) && ok;
        cases += tallies[s].cases;
        killed += tallies[s].killed;
        squared += tallies[s].squared;
        lost += tallies[s].lost;
        effects += tallies[s].effects;
    }
    if (!options->only)
        ok = tell_points(++number) && ok;
    printf("1..%u\n", number);
    printf("%s{\"what\":\"crash matrix\",\"faults\":%" PRIu64 ",\"cases\":%" PRIu64 ",\"kills\":%" PRIu64
           ",\"kills_in_recovery\":%" PRIu64 ",\"points\":%d,\"effects\":%" PRIu64
           ",\"seed\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"seconds\":%.1f}\n",
           options->json ? "" : "# ", killed + squared, cases, killed, squared, LP_FAULT_POINTS, effects, options->seed, lost, sec);
    return ok ? 0 : 1;
}

static bool
read_strike(const char *text, Strike *ret_strike)
{
    g_auto(GStrv) words = g_strsplit(text, ":", 2);

    ret_strike->point = lp_fault_find(words[0]);
    ret_strike->nth = words[1] ? (uint32_t) g_ascii_strtoull(words[1], NULL, 10) : 1;
    return ret_strike->point != LP_FAULT_POINTS && ret_strike->nth > 0;
}

static bool
read_options(int argc, char **argv, Options *options)
{
    static const struct option known[] = {
        {"all", no_argument, NULL, 'a'}, {"squared", no_argument, NULL, 'q'},
        {"seed", required_argument, NULL, 's'}, {"jobs", required_argument, NULL, 'j'},
        {"json", no_argument, NULL, 'J'}, {"only", required_argument, NULL, 'o'}, {"strike", required_argument, NULL, 'k'}, {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0)
        switch (c) {
        case 'a': options->all = true; break;
        case 'J': options->json = true; break;
        case 'q': options->squared = true; break;
        case 's': options->seed = g_ascii_strtoull(optarg, NULL, 10); break;
        case 'j': options->jobs = (unsigned) g_ascii_strtoull(optarg, NULL, 10); break;
        case 'o': options->only = optarg; break;
        case 'k':
            crash_loud = true;
            if (read_strike(optarg, &options->strike))
                break;
            /* fall through */
        default: return false;
        }
    return optind == argc && options->jobs >= 1 && options->jobs <= JOBS_MAX;
}

int
main(int argc, char **argv)
{
    Options options = {.seed = (uint64_t) g_get_real_time(), .jobs = 2};
    gint64 begun = g_get_monotonic_time();

    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: %s [--all] [--squared] [--seed N] [--jobs N] [--only SCENARIO] "
                        "[--strike POINT:NTH]\n", argv[0]);
        return 2;
    }
    tallies = mmap(NULL, n_scenarios * sizeof *tallies, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tallies == MAP_FAILED)
        return 1;
    printf("# seed %" PRIu64 "\n", options.seed);
    fflush(NULL);
    for (unsigned job = 0; job < options.jobs; job++)
        if (fork() == 0)
            run_job(&options, job);
    while (wait(NULL) > 0)
        ;
    return tell_all(&options, (double) (g_get_monotonic_time() - begun) / G_USEC_PER_SEC);
}
