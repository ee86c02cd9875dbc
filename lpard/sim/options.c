#include "lpard/sim/options.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "lpard/error.h"
#include "numa/topology.h"

#define DAY_SEC 86400u
#define HOUR_SEC 3600u
#define RATIO_MAX 1000.0
#define TICK_MAX 60
#define NOT_GIVEN INT_MIN

void
lp_sim_options_init(LpSimOptions *ret)
{
    *ret = (LpSimOptions){ .seed = 1, .tick = 1, .memory_ratio = 1.25, .cpu_ratio = 2.0,
                           .warm_hours = -1, .vms = NOT_GIVEN, .days = NOT_GIVEN };
}

void
lp_sim_options_clear(LpSimOptions *options)
{
    g_free(options->trace);
    g_free(options->generate);
    g_free(options->topology);
}

GOptionGroup *
lp_sim_options_group(LpSimOptions *options)
{
    GOptionGroup *group = g_option_group_new("trace", "Trace and host:", "Show them", NULL, NULL);
    const GOptionEntry entries[] = {
        { "trace", 't', 0, G_OPTION_ARG_FILENAME, &options->trace,
          "Read demand from FILE (.csv or .csv.xz)", "FILE" },
        { "generate", 'g', 0, G_OPTION_ARG_STRING, &options->generate,
          "Generate it: diurnal, bursty, leaking, batch, idle, storm, mix", "KINDS" },
        { "vms", 0, 0, G_OPTION_ARG_INT, &options->vms, "The first N partitions only", "N" },
        { "hold-back", 0, 0, G_OPTION_ARG_INT, &options->hold_back,
          "Leave out each N-th partition", "N" },
        { "held", 0, 0, G_OPTION_ARG_NONE, &options->held,
          "Take just those that --hold-back leaves out", NULL },
        { "from-day", 0, 0, G_OPTION_ARG_INT, &options->from_day, "Begin so many days later", "N" },
        { "days", 0, 0, G_OPTION_ARG_INT, &options->days, "Last so many days", "N" },
        { "warm-hours", 0, 0, G_OPTION_ARG_INT, &options->warm_hours,
          "Hours that are not measured (24, or a quarter of less than 2 days)", "N" },
        { "seed", 's', 0, G_OPTION_ARG_INT64, &options->seed, "Of all chance (1)", "N" },
        { "steps", 0, 0, G_OPTION_ARG_NONE, &options->steps,
          "Hold samples until the next instead of drawing a line", NULL },
        { "tick", 0, 0, G_OPTION_ARG_INT, &options->tick, "Seconds in a tick (1)", "N" },
        { "fail", 0, 0, G_OPTION_ARG_INT, &options->fail,
          "So many of 10000 shrinks end half way", "N" },
        { "veto", 0, 0, G_OPTION_ARG_INT, &options->veto,
          "So many of 10000 shrinks are refused by the guest", "N" },
        { "memory-ratio", 'm', 0, G_OPTION_ARG_DOUBLE, &options->memory_ratio,
          "The host's memory: so many times the peak of summed demand (1.25)", "R" },
        { "cpu-ratio", 'c', 0, G_OPTION_ARG_DOUBLE, &options->cpu_ratio,
          "Its processors likewise (2.0)", "R" },
        { "topology", 0, 0, G_OPTION_ARG_STRING, &options->topology,
          "Its nodes: a synthetic description or an hwloc XML file (one node)", "TEXT" },
        { NULL },
    };

    g_option_group_add_entries(group, entries);
    return group;
}

uint32_t
lp_sim_permyriad(double ratio)
{
    return (uint32_t) lrint(ratio * 10000);
}

static bool
wrong(GError **error, const char *message)
{
    g_set_error_literal(error, LP_ERROR, LP_ERROR_USAGE, message);
    return false;
}

static bool
check(const LpSimOptions *options, GError **error)
{
    if (options->trace == NULL && options->generate == NULL)
        return wrong(error, "either --trace FILE or --generate KINDS is needed");
    if (options->trace != NULL && options->generate != NULL)
        return wrong(error, "--trace and --generate exclude each other");
    if ((options->vms != NOT_GIVEN && options->vms < 1) ||
        (options->days != NOT_GIVEN && options->days < 1))
        return wrong(error, "--vms and --days take a number from 1");
    if (options->from_day < 0 || options->hold_back < 0)
        return wrong(error, "--from-day and --hold-back cannot be negative");
    if (options->hold_back == 1 || (options->held && options->hold_back == 0))
        return wrong(error, "--hold-back takes 2 or more, and --held goes with it");
    if (options->tick < 1 || options->tick > TICK_MAX)
        return wrong(error, "--tick is 1..60 seconds");
    if (options->fail < 0 || options->veto < 0 || options->fail > 10000 - options->veto)
        return wrong(error, "--fail and --veto are 0..10000 together");
    if (!(options->memory_ratio > 0 && options->memory_ratio <= RATIO_MAX) ||
        !(options->cpu_ratio > 0 && options->cpu_ratio <= RATIO_MAX))
        return wrong(error, "--memory-ratio and --cpu-ratio are above 0, and 1000 at most");
    return true;
}

static bool
set_times(const LpSimOptions *options, const LpTrace *trace, LpSimConfig *config, GError **error)
{
    uint64_t end = (uint64_t) trace->n_samples * trace->step_sec, length;

    config->from_sec = (uint64_t) options->from_day * DAY_SEC;
    config->seconds = (uint64_t) MAX(options->days, 0) * DAY_SEC;
    if (config->from_sec >= end)
        return wrong(error, "--from-day is behind the end of the trace");
    length = end - config->from_sec;
    if (config->seconds > 0)
        length = MIN(length, config->seconds);
    config->warm_sec = options->warm_hours >= 0 ? (uint64_t) options->warm_hours * HOUR_SEC
                       : length < 2 * DAY_SEC   ? length / 4
                                                : DAY_SEC;
    if (config->warm_sec >= length)
        return wrong(error, "--warm-hours leaves nothing to measure");
    return true;
}

/* Only how many there are and how large beside each other: the host's size is of the demand. */
static bool
set_nodes(const char *text, LpSimConfig *config, GError **error)
{
    g_autofree LpTopology *topology = g_new0(LpTopology, 1);
    char message[256] = "";

    if (!lp_topology_read(text, topology, message, sizeof message)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "--topology: %s", message);
        return false;
    }
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (topology->nodes[i].memory_bytes > 0)
            config->node_size[config->n_nodes++] = topology->nodes[i].memory_bytes;
    }
    return true;
}

LpTrace *
lp_sim_options_load(const LpSimOptions *options, LpSimConfig *ret_config, GError **error)
{
    g_autoptr(LpTrace) trace = NULL;

    if (!check(options, error))
        return NULL;
    if (options->trace != NULL)
        trace = lp_trace_read(options->trace, error);
    else
        trace = lp_trace_generate(options->generate, options->vms > 0 ? (size_t) options->vms : 24,
                                  options->days > 0 ? (uint32_t) options->from_day +
                                                          (uint32_t) options->days : 7,
                                  (uint64_t) options->seed, error);
    if (trace == NULL)
        return NULL;
    lp_trace_keep(trace, (size_t) MAX(options->vms, 0), (size_t) options->hold_back, options->held);
    if (trace->n_vms == 0) {
        wrong(error, "no partition is left of the trace");
        return NULL;
    }
    lp_sim_config_init(ret_config);
    ret_config->steps = options->steps;
    ret_config->seed = (uint64_t) options->seed;
    ret_config->tick_sec = (uint32_t) options->tick;
    ret_config->actuators.shrink_fail_permyriad = (uint32_t) options->fail;
    ret_config->actuators.veto_permyriad = (uint32_t) options->veto;
    if (!set_times(options, trace, ret_config, error))
        return NULL;
    lp_sim_host_size(trace, lp_sim_permyriad(options->memory_ratio),
                     lp_sim_permyriad(options->cpu_ratio), ret_config);
    if (options->topology != NULL && !set_nodes(options->topology, ret_config, error))
        return NULL;
    return g_steal_pointer(&trace);
}

bool
lp_sim_options_parse(int *argc, char ***argv, const char *summary, const GOptionEntry *entries,
                     LpSimOptions *options, int *ret_status)
{
    g_autofree char *name = g_strdup_printf("lpar-sim %s", (*argv)[0]);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    gboolean help = FALSE;
    const GOptionEntry own[] = {
        { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this", NULL },
        { NULL },
    };

    g_set_prgname(name);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_summary(context, summary);
    g_option_context_add_main_entries(context, own, NULL);
    if (entries != NULL)
        g_option_context_add_main_entries(context, entries, NULL);
    if (options != NULL)
        g_option_context_add_group(context, lp_sim_options_group(options));
    *ret_status = LP_SIM_EXIT_DONE;
    if (!g_option_context_parse(context, argc, argv, &error)) {
        *ret_status = lp_sim_fail((*argv)[0], error);
        return false;
    }
    if (help) {
        g_autofree char *text = g_option_context_get_help(context, FALSE, NULL);

        fputs(text, stdout);
        return false;
    }
    if (*argc > 1) {
        g_set_error(&error, LP_ERROR, LP_ERROR_USAGE, "'%s' is too much", (*argv)[1]);
        *ret_status = lp_sim_fail((*argv)[0], error);
        return false;
    }
    return true;
}

int
lp_sim_fail(const char *command, const GError *error)
{
    bool usage = error->domain == G_OPTION_ERROR ||
                 g_error_matches(error, LP_ERROR, LP_ERROR_USAGE);

    fprintf(stderr, "lpar-sim %s: %s\n", command, error->message);
    return usage ? LP_SIM_EXIT_USAGE : LP_SIM_EXIT_FAILED;
}
