/* `lpar-sim run`: some policies on one trace and one host. */
#include <stdio.h>

#include "lpard/error.h"
#include "lpard/sim/options.h"
#include "lpard/sim/report.h"

typedef struct {
    char **policies;
    gboolean json;
    char *svg;
} Wanted;

static void
wanted_clear(Wanted *wanted)
{
    g_strfreev(wanted->policies);
    g_free(wanted->svg);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wanted, wanted_clear)

/* Names to policies: "lpard" where none is given, "all" for all. */
static GPtrArray *
choose(char **names, GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    char lpard[] = "lpard", *fallback[] = { lpard, NULL };

    for (char **name = names ? names : fallback; *name != NULL; name++) {
        const LpSimPolicy *policy = lp_sim_policy(*name);

        if (g_str_equal(*name, "all")) {
            for (const LpSimPolicy *const *each = lp_sim_policies; *each != NULL; each++)
                g_ptr_array_add(chosen, (void *) (uintptr_t) *each);
        } else if (policy != NULL) {
            g_ptr_array_add(chosen, (void *) (uintptr_t) policy);
        } else {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "no policy is called '%s': "
                        "`lpar-sim policies` lists them", *name);
            return NULL;
        }
    }
    return g_steal_pointer(&chosen);
}

static bool
print(const Wanted *wanted, const LpReportAbout *about, const LpSimResult *results, size_t n,
      GError **error)
{
    g_autofree char *text = NULL;
    json_t *json;

    if (wanted->svg != NULL) {
        g_autofree char *svg = lp_report_svg(about, results, n);

        if (!lp_report_write(wanted->svg, svg, error))
            return false;
    }
    if (!wanted->json) {
        text = lp_report_table(results, n);
        return lp_report_write("-", text, error);
    }
    json = lp_report_json(about, results, n, true);
    text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    return lp_report_write("-", text, error);
}

static int
run(const LpSimOptions *options, const Wanted *wanted, const GPtrArray *policies, GError **error)
{
    LpSimConfig config;
    g_autoptr(LpTrace) trace = lp_sim_options_load(options, &config, error);
    g_autofree LpSimResult *results = g_new0(LpSimResult, policies->len);
    LpReportAbout about = { .title = "run", .ratio = options->memory_ratio,
                            .trace = options->trace ? options->trace : options->generate };
    uint64_t broken = 0;
    bool printed;

    if (trace == NULL)
        return -1;
    about.epoch_sec = (int64_t) trace->epoch_sec;
    for (guint i = 0; i < policies->len; i++) {
        lp_sim_run(trace, &config, g_ptr_array_index(policies, i), &results[i]);
        results[i].memory_ratio = options->memory_ratio;
        results[i].cpu_ratio = options->cpu_ratio;
        broken += results[i].broken;
        if (results[i].broken > 0)
            fprintf(stderr, "lpar-sim run: an invariant was broken: %s\n",
                    results[i].first_broken);
    }
    printed = print(wanted, &about, results, policies->len, error);
    for (guint i = 0; i < policies->len; i++)
        lp_sim_result_clear(&results[i]);
    if (!printed)
        return -1;
    return broken > 0 ? LP_SIM_EXIT_FAILED : LP_SIM_EXIT_DONE;
}

int
lp_sim_cmd_run(int argc, char **argv)
{
    g_auto(Wanted) wanted = { 0 };
    const GOptionEntry entries[] = {
        { "policy", 'p', 0, G_OPTION_ARG_STRING_ARRAY, &wanted.policies,
          "Run it (lpard); may be repeated; all", "NAME" },
        { "json", 'j', 0, G_OPTION_ARG_NONE, &wanted.json, "Print JSON, no table", NULL },
        { "svg", 0, 0, G_OPTION_ARG_FILENAME, &wanted.svg, "Draw a picture", "FILE" },
        { NULL },
    };
    LpSimOptions options;
    g_autoptr(GPtrArray) policies = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    lp_sim_options_init(&options);
    if (lp_sim_options_parse(&argc, &argv, "Runs policies on a trace.  Exit status: 0 done, "
                             "1 an invariant was broken or an error, 2 usage.", entries, &options,
                             &status)) {
        policies = choose(wanted.policies, &error);
        status = policies ? run(&options, &wanted, policies, &error) : -1;
    }
    if (error != NULL)
        status = lp_sim_fail("run", error);
    lp_sim_options_clear(&options);
    return status;
}
