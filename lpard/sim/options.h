/* What all commands of lpar-sim take: which trace, which part of it, what host. */
#ifndef LP_SIM_OPTIONS_H
#define LP_SIM_OPTIONS_H

#include "lpard/sim/sim.h"

typedef struct {
    char *trace;                   /* a path; or ... */
    char *generate;                /* ... kinds */
    char *topology;                /* NULL: one node */
    int vms, days, from_day, hold_back, warm_hours;
    gboolean held, steps;
    gint64 seed;
    int tick, fail, veto;
    double memory_ratio, cpu_ratio;
} LpSimOptions;

/* Exit statuses of every command. */
enum { LP_SIM_EXIT_DONE = 0, LP_SIM_EXIT_FAILED = 1, LP_SIM_EXIT_USAGE = 2 };

void lp_sim_options_init(LpSimOptions *ret);
void lp_sim_options_clear(LpSimOptions *options);
/* For GOption; options must outlive it. */
GOptionGroup *lp_sim_options_group(LpSimOptions *options);
/* The trace that is meant, and the configuration with the host's size.  NULL: what is wrong. */
LpTrace *lp_sim_options_load(const LpSimOptions *options, LpSimConfig *ret_config, GError **error);
/* Sizes of the host for other ratios. */
uint32_t lp_sim_permyriad(double ratio);

/* Parses `lpar-sim COMMAND`'s arguments, `entries` (may be NULL) and the group.  *ret_status is set
 * where false: help was asked for, or a message is out already. */
bool lp_sim_options_parse(int *argc, char ***argv, const char *summary,
                          const GOptionEntry *entries, LpSimOptions *options, int *ret_status);
/* Says what is wrong on the standard error, and returns the status. */
int lp_sim_fail(const char *command, const GError *error);

/* The commands: argv[0] is their name; they return the exit status. */
int lp_sim_cmd_run(int argc, char **argv);
int lp_sim_cmd_generate(int argc, char **argv);
int lp_sim_cmd_policies(int argc, char **argv);

#endif
