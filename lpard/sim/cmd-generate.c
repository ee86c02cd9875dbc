/* `lpar-sim generate` and `lpar-sim policies`. */
#include <stdio.h>

#include "lpard/error.h"
#include "lpard/sim/options.h"

int
lp_sim_cmd_generate(int argc, char **argv)
{
    g_autofree char *kinds = NULL, *output = NULL;
    int vms = 24, days = 7, status;
    gint64 seed = 1;
    const GOptionEntry entries[] = {
        { "kinds", 'g', 0, G_OPTION_ARG_STRING, &kinds,
          "diurnal, bursty, leaking, batch, idle, storm, mix (mix)", "KINDS" },
        { "vms", 0, 0, G_OPTION_ARG_INT, &vms, "So many partitions (24)", "N" },
        { "days", 0, 0, G_OPTION_ARG_INT, &days, "So many days (7)", "N" },
        { "seed", 's', 0, G_OPTION_ARG_INT64, &seed, "Of all chance (1)", "N" },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
          "Write to FILE, not to the standard output", "FILE" },
        { NULL },
    };
    g_autoptr(LpTrace) trace = NULL;
    g_autoptr(GError) error = NULL;

    if (!lp_sim_options_parse(&argc, &argv, "Writes a trace of its own, the same for the same "
                              "seed.", entries, NULL, &status))
        return status;
    trace = lp_trace_generate(kinds ? kinds : "mix", vms > 0 ? (size_t) vms : 0,
                              days > 0 ? (uint32_t) days : 0, (uint64_t) seed, &error);
    if (trace == NULL || !lp_trace_write(trace, output ? output : "-", &error))
        return lp_sim_fail("generate", error);
    return LP_SIM_EXIT_DONE;
}

int
lp_sim_cmd_policies(int argc, char **argv)
{
    int status;

    if (!lp_sim_options_parse(&argc, &argv, "Lists the policies: name, how often it decides, "
                              "what for, and where its formula is from.", NULL, NULL, &status))
        return status;
    for (const LpSimPolicy *const *policy = lp_sim_policies; *policy != NULL; policy++)
        printf("%-12s %4u s  %-10s  %s\n", (*policy)->name, (*policy)->interval_sec,
               (*policy)->does_cpu ? "memory+cpu" : "memory", (*policy)->source);
    return LP_SIM_EXIT_DONE;
}
