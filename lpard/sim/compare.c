/* `lpar-sim compare`: every policy on every size of host, side by side, and what lpard's is to
 * show against the others. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/sim/compare.h"
#include "lpard/sim/goals.h"
#include "lpard/sim/options.h"
#include "lpard/sim/report.h"
#include "lpard/sim/sim-priv.h"

#define RATIOS "1.0,1.25,1.5,2.0"
#define RATIOS_MAX 32
#define RATIO_MIN 0.1
#define RATIO_MAX 1000.0
#define JOBS_MAX 256

typedef struct {
    char *policies, *memory_ratios, *cpu_ratios, *svg;
    gboolean json, goals;
    int jobs;
} Wanted;

typedef struct {
    const LpTrace *trace;
    LpSimConfig config;            /* but for the host's size */
    GPtrArray *policies;
    GArray *memory_ratios, *cpu_ratios;
    size_t n;                      /* runs: one policy at one pair of ratios each */
    LpSimResult *results;
    LpSimBound *bounds;            /* of lpard's own */
    GMutex lock;                   /* of what follows */
    size_t done;
    bool progress;
} Compare;

static void
wanted_clear(Wanted *wanted)
{
    g_free(wanted->policies);
    g_free(wanted->memory_ratios);
    g_free(wanted->cpu_ratios);
    g_free(wanted->svg);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wanted, wanted_clear)

/* Names to policies, in the order of the table; all where none is given. */
static GPtrArray *
choose(const char *names, GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    g_auto(GStrv) each = g_strsplit(names ? names : "", ",", -1);

    for (char **name = each; *name; name++)
        if (!lp_sim_policy(g_strstrip(*name))) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "no policy is called '%s': "
                        "`lpar-sim policies` lists them", *name);
            return NULL;
        }
    for (const LpSimPolicy *const *policy = lp_sim_policies; *policy; policy++)
        if (!names || g_strv_contains((const char *const *) each, (*policy)->name))
            g_ptr_array_add(chosen, (void *) (uintptr_t) *policy);
    if (chosen->len == 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "--policies names none: "
                    "`lpar-sim policies` lists them");
        return NULL;
    }
    return g_steal_pointer(&chosen);
}

static GArray *
read_ratios(const char *option, const char *text, GError **error)
{
    g_autoptr(GArray) ratios = g_array_new(false, false, sizeof(double));
    g_auto(GStrv) each = g_strsplit(text, ",", -1);

    for (char **word = each; *word; word++) {
        char *end;
        double ratio = g_ascii_strtod(*word, &end);

        if (end == *word || *end != '\0' || !(ratio >= RATIO_MIN && ratio <= RATIO_MAX) ||
            ratios->len == RATIOS_MAX) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s takes up to %d numbers of %.1f..%.0f "
                        "with commas between, as in " RATIOS ": '%s'", option, RATIOS_MAX,
                        RATIO_MIN, RATIO_MAX, text);
            return NULL;
        }
        g_array_append_val(ratios, ratio);
    }
    return g_steal_pointer(&ratios);
}

/* The shorter list goes on with its last. */
static double
ratio_at(const GArray *ratios, size_t i)
{
    return g_array_index(ratios, double, MIN(i, ratios->len - 1));
}

static void
show_progress(Compare *compare, const LpSimResult *result)
{
    g_mutex_lock(&compare->lock);
    compare->done++;
    if (compare->progress) {
        fprintf(stderr, "\r%zu of %zu: %-12s %.2fx in %.1f s    ", compare->done, compare->n,
                result->policy, result->memory_ratio, result->wall_sec);
        if (compare->done == compare->n)
            fputc('\n', stderr);
    }
    g_mutex_unlock(&compare->lock);
}

/* What one who knows all could do with as many resizes, over the part that was measured, and with
 * the minimum that everybody keeps. */
static LpSimBound
bound_of(const LpTrace *trace, const LpSimResult *result)
{
    const LpSimConfig *config = &result->config;
    uint64_t begin = config->from_sec + config->warm_sec, end = config->from_sec + config->seconds;

    if (config->seconds == 0)
        end = (uint64_t) trace->n_samples * trace->step_sec;
    return lp_sim_bound(trace, begin / trace->step_sec, end / trace->step_sec, config->steps,
                        LP_SIM_BOUND_QUANTUM, LP_SIM_MIN_BYTES, result->mem.resizes);
}

static void
run_one(gpointer data, gpointer user_data)
{
    Compare *compare = user_data;
    size_t i = GPOINTER_TO_SIZE(data) - 1, ratio = i / compare->policies->len;
    const LpSimPolicy *policy =
        g_ptr_array_index(compare->policies, (guint) (i % compare->policies->len));
    double memory = ratio_at(compare->memory_ratios, ratio);
    double cpu = ratio_at(compare->cpu_ratios, ratio);
    LpSimConfig config = compare->config;
    LpSimResult *result = &compare->results[i];

    lp_sim_host_size(compare->trace, lp_sim_permyriad(memory), lp_sim_permyriad(cpu), &config);
    lp_sim_run(compare->trace, &config, policy, result);
    result->memory_ratio = memory;
    result->cpu_ratio = cpu;
    if (lp_sim_is_own(result))
        compare->bounds[i] = bound_of(compare->trace, result);
    show_progress(compare, result);
}

static bool
run_all(Compare *compare, int jobs, GError **error)
{
    GThreadPool *pool = g_thread_pool_new(run_one, compare, jobs, true, error);

    if (!pool)
        return false;
    for (size_t i = 0; i < compare->n; i++)
        g_thread_pool_push(pool, GSIZE_TO_POINTER(i + 1), NULL);
    g_thread_pool_free(pool, false, true);
    return true;
}

static json_t *
goals_to_json(const LpSimGoal *goals)
{
    json_t *array = json_array();

    for (size_t i = 0; i < LP_SIM_GOALS; i++)
        json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "name", goals[i].name,
                                               "verdict", lp_verdict_names[goals[i].verdict],
                                               "text", goals[i].text));
    return array;
}

static json_t *
bounds_to_json(const Compare *compare)
{
    json_t *array = json_array();

    for (size_t i = 0; i < compare->n; i++) {
        const LpSimResult *result = &compare->results[i];

        if (!(compare->bounds[i].amount > 0))
            continue;
        json_array_append_new(array, json_pack(
            "{s:s, s:f, s:b, s:f, s:f, s:f, s:f}", "policy", result->policy, "memory_ratio",
            result->memory_ratio, "steps", result->config.steps, "bound_byte_seconds",
            compare->bounds[i].amount, "resizes_of_bound", compare->bounds[i].changes,
            "needs_byte_seconds", result->mem.needs, "needs_to_bound",
            result->mem.needs / compare->bounds[i].amount));
    }
    return array;
}

static char *
to_json(const Compare *compare, const LpReportAbout *about, const LpSimGoal *goals)
{
    json_t *json = lp_report_json(about, compare->results, compare->n, false);
    char *text, *copy;

    json_object_set_new(json, "bounds", bounds_to_json(compare));
    json_object_set_new(json, "goals", goals_to_json(goals));
    text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    copy = g_strconcat(text, "\n", NULL);
    free(text);
    return copy;
}

/* A table for each size of host, and how far lpard's is from the bound there. */
static char *
to_text(const Compare *compare, const LpSimGoal *goals, bool with_goals)
{
    GString *text = g_string_new(NULL);
    guint each = compare->policies->len;

    for (size_t i = 0; i < compare->n; i += each) {
        const LpSimResult *first = &compare->results[i];
        g_autofree char *table = lp_report_table(first, each);

        g_string_append_printf(text, "%sMemory %.2fx of the peak of summed demand (%.1f GiB), "
                               "processors %.2fx (%.1f)\n", i ? "\n" : "", first->memory_ratio,
                               (double) first->config.host_bytes / (1 << 30), first->cpu_ratio,
                               first->config.host_centi / 100.0);
        g_string_append(text, table);
        for (size_t j = i; j < i + each; j++)
            if (compare->bounds[j].amount > 0)
                g_string_append_printf(
                    text, "%s: %.2f resizes a day, %.3f times what who knows all would allocate "
                    "with as many\n", compare->results[j].policy,
                    lp_sim_resizes(&compare->results[j].mem),
                    compare->results[j].mem.needs / compare->bounds[j].amount);
    }
    for (size_t i = 0; with_goals && i < LP_SIM_GOALS; i++)
        g_string_append_printf(text, "%s%-8s %s: %s\n", i ? "" : "\n",
                               lp_verdict_names[goals[i].verdict], goals[i].name, goals[i].text);
    return g_string_free(text, false);
}

static bool
print(const Compare *compare, const Wanted *wanted, const LpReportAbout *about,
      const LpSimGoal *goals, GError **error)
{
    g_autofree char *text = wanted->json ? to_json(compare, about, goals)
                                         : to_text(compare, goals, wanted->goals);

    if (wanted->svg) {
        g_autofree char *svg = lp_report_svg(about, compare->results, compare->n);

        if (!lp_report_write(wanted->svg, svg, error))
            return false;
    }
    /* JSON has them too; who asked wants to read them. */
    for (size_t i = 0; wanted->json && wanted->goals && i < LP_SIM_GOALS; i++)
        fprintf(stderr, "%-8s %s: %s\n", lp_verdict_names[goals[i].verdict], goals[i].name,
                goals[i].text);
    return lp_report_write("-", text, error);
}

static int
judge_and_print(const Compare *compare, const Wanted *wanted, const LpReportAbout *about,
                GError **error)
{
    LpSimGoal goals[LP_SIM_GOALS];
    int status = LP_SIM_EXIT_DONE;

    lp_sim_goals(compare->results, compare->bounds, compare->n, goals);
    for (size_t i = 0; i < LP_SIM_GOALS; i++)
        if (wanted->goals && goals[i].verdict == LP_VERDICT_MISSED)
            status = LP_SIM_EXIT_FAILED;
    for (size_t i = 0; i < compare->n; i++)
        if (compare->results[i].broken > 0) {
            fprintf(stderr, "lpar-sim compare: an invariant was broken: %s\n",
                    compare->results[i].first_broken);
            status = LP_SIM_EXIT_FAILED;
        }
    if (!print(compare, wanted, about, goals, error))
        status = LP_SIM_EXIT_FAILED;
    lp_sim_goals_clear(goals);
    return status;
}

static int
compare_trace(const LpSimOptions *options, const Wanted *wanted, GError **error)
{
    g_autoptr(GPtrArray) policies = choose(wanted->policies, error);
    const char *memory = wanted->memory_ratios ? wanted->memory_ratios : RATIOS;
    g_autoptr(GArray) memory_ratios = NULL, cpu_ratios = NULL;
    g_autoptr(LpTrace) trace = NULL;
    Compare compare = { .progress = isatty(STDERR_FILENO) };
    LpReportAbout about = { .title = "compare", .ratio = LP_GOAL_RATIO,
                            .trace = options->trace ? options->trace : options->generate };
    int status = LP_SIM_EXIT_FAILED;

    if (!policies ||
        !(memory_ratios = read_ratios("--memory-ratios", memory, error)) ||
        !(cpu_ratios = read_ratios("--cpu-ratios", wanted->cpu_ratios
                                   ? wanted->cpu_ratios : memory, error)))
        return LP_SIM_EXIT_FAILED;
    if (wanted->jobs < 1 || wanted->jobs > JOBS_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "--jobs is 1..%d", JOBS_MAX);
        return LP_SIM_EXIT_FAILED;
    }
    if (!(trace = lp_sim_options_load(options, &compare.config, error)))
        return LP_SIM_EXIT_FAILED;
    about.epoch_sec = (int64_t) trace->epoch_sec;
    compare.trace = trace;
    compare.policies = policies;
    compare.memory_ratios = memory_ratios;
    compare.cpu_ratios = cpu_ratios;
    compare.n = (size_t) MAX(memory_ratios->len, cpu_ratios->len) * policies->len;
    compare.results = g_new0(LpSimResult, compare.n);
    compare.bounds = g_new0(LpSimBound, compare.n);
    g_mutex_init(&compare.lock);
    if (run_all(&compare, wanted->jobs, error))
        status = judge_and_print(&compare, wanted, &about, error);
    for (size_t i = 0; i < compare.n; i++)
        lp_sim_result_clear(&compare.results[i]);
    g_mutex_clear(&compare.lock);
    g_free(compare.results);
    g_free(compare.bounds);
    return status;
}

int
lp_sim_compare(int argc, char **argv)
{
    g_auto(Wanted) wanted = { .jobs = 2 };
    const GOptionEntry entries[] = {
        { "policies", 'p', 0, G_OPTION_ARG_STRING, &wanted.policies,
          "Only these (all), with commas between", "NAMES" },
        { "memory-ratios", 0, 0, G_OPTION_ARG_STRING, &wanted.memory_ratios,
          "The host's memory to the peak of summed demand (" RATIOS ")", "R,..." },
        { "cpu-ratios", 0, 0, G_OPTION_ARG_STRING, &wanted.cpu_ratios,
          "Its processors likewise, the first with the first (the same)", "R,..." },
        { "jobs", 'j', 0, G_OPTION_ARG_INT, &wanted.jobs, "Runs at a time (2)", "N" },
        { "goals", 0, 0, G_OPTION_ARG_NONE, &wanted.goals,
          "Judge lpard's against them; exit status 1 when one is missed", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &wanted.json, "Print JSON, no table", NULL },
        { "svg", 0, 0, G_OPTION_ARG_FILENAME, &wanted.svg, "Draw a picture", "FILE" },
        { NULL },
    };
    LpSimOptions options, given;
    g_autoptr(GError) error = NULL;
    int status;

    lp_sim_options_init(&options);
    given = options;
    options.memory_ratio = options.cpu_ratio = 0;
    if (lp_sim_options_parse(&argc, &argv, "Runs all policies on all sizes of host.  Exit status: "
                             "0 done, 1 a goal missed (with --goals), an invariant broken or an "
                             "error, 2 usage.", entries, &options, &status)) {
        if (options.memory_ratio != 0 || options.cpu_ratio != 0)
            g_set_error(&error, LP_ERROR, LP_ERROR_USAGE, "--memory-ratio and --cpu-ratio are of "
                        "run: write --memory-ratios and --cpu-ratios");
        options.memory_ratio = given.memory_ratio;
        options.cpu_ratio = given.cpu_ratio;
        if (!error)
            status = compare_trace(&options, &wanted, &error);
    }
    if (error)
        status = lp_sim_fail("compare", error);
    lp_sim_options_clear(&options);
    return status;
}
