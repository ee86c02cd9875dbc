/* What lpard's policy is to show against its peers, and whether it did. */
#ifndef LP_SIM_GOALS_H
#define LP_SIM_GOALS_H

#include "lpard/sim/bound.h"
#include "lpard/sim/sim.h"

/* The size of host, to the peak of summed demand, at which the goals are. */
#define LP_GOAL_RATIO 1.25
/* Of the best peer's shortfall; where that is below the second there is nothing to divide. */
#define LP_GOAL_OF_BEST 0.1
#define LP_GOAL_BEST_LEAST 1e-5
#define LP_GOAL_SHORTFALL 1e-4         /* of demand */
#define LP_GOAL_RESIZES 4.0            /* for each partition and day */
#define LP_GOAL_OF_BOUND 1.25          /* allocated, at the same number of resizes */

typedef enum { LP_VERDICT_MET, LP_VERDICT_MISSED, LP_VERDICT_NOT_RUN } LpVerdict;

typedef struct {
    const char *name;
    LpVerdict verdict;
    char *text;                    /* the figure, and what it should be */
} LpSimGoal;

extern const char *const lp_verdict_names[];   /* "met", "missed", "not run" */

#define LP_SIM_GOALS 7

/* Judges n results of one trace, any policies and sizes of host.  bounds[i] goes with results[i];
 * an amount of 0: was not worked out.  Fills all LP_SIM_GOALS. */
void lp_sim_goals(const LpSimResult *results, const LpSimBound *bounds, size_t n,
                  LpSimGoal *ret_goals);
void lp_sim_goals_clear(LpSimGoal *goals);

/* Not a peer: lpard's own, or one who knows the future. */
bool lp_sim_is_own(const LpSimResult *result);
bool lp_sim_is_peer(const LpSimResult *result);
/* Resizes for each partition and day. */
double lp_sim_resizes(const LpSimAmount *amount);

#endif
