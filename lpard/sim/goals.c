#include "lpard/sim/goals.h"

#include <math.h>
#include <string.h>

#define DAY_SEC 86400.0
#define OWN "lpard"

const char *const lp_verdict_names[] = { "met", "missed", "not run" };

bool
lp_sim_is_own(const LpSimResult *result)
{
    return g_str_has_prefix(result->policy, OWN);
}

bool
lp_sim_is_peer(const LpSimResult *result)
{
    const LpSimPolicy *policy = lp_sim_policy(result->policy);

    return !lp_sim_is_own(result) && !(policy && policy->knows_future);
}

double
lp_sim_resizes(const LpSimAmount *amount)
{
    return amount->vm_seconds > 0 ? (double) amount->resizes * DAY_SEC / (double) amount->vm_seconds
                                  : 0;
}

static double
shortfall(const LpSimAmount *amount)
{
    return amount->demand > 0 ? amount->shortfall / amount->demand : 0;
}

static bool
at_ratio(double ratio)
{
    return fabs(ratio - LP_GOAL_RATIO) < 1e-6;
}

static const LpSimResult *
find_own(const LpSimResult *results, size_t n, bool cpu)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(results[i].policy, OWN) == 0 &&
            at_ratio(cpu ? results[i].cpu_ratio : results[i].memory_ratio))
            return &results[i];
    return NULL;
}

/* A policy that leaves processors alone is no peer in dividing them: all have all of them. */
static bool
divides(const LpSimResult *result, bool cpu)
{
    const LpSimPolicy *policy = lp_sim_policy(result->policy);

    return !cpu || (policy && policy->does_cpu);
}

/* The peer with the lowest shortfall on the same host. */
static const LpSimResult *
find_best(const LpSimResult *results, size_t n, const LpSimResult *own, bool cpu)
{
    const LpSimResult *best = NULL;

    for (size_t i = 0; i < n; i++) {
        const LpSimResult *result = &results[i];

        if (!lp_sim_is_peer(result) || !divides(result, cpu) ||
            result->memory_ratio != own->memory_ratio || result->cpu_ratio != own->cpu_ratio)
            continue;
        if (!best || shortfall(cpu ? &result->cpu : &result->mem) <
                         shortfall(cpu ? &best->cpu : &best->mem))
            best = result;
    }
    return best;
}

G_GNUC_PRINTF(4, 5)
static void
say(LpSimGoal *goal, const char *name, LpVerdict verdict, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *goal = (LpSimGoal) { name, verdict, g_strdup_vprintf(format, args) };
    va_end(args);
}

static LpVerdict
met(bool is)
{
    return is ? LP_VERDICT_MET : LP_VERDICT_MISSED;
}

static void
judge_shortfall(const LpSimResult *results, size_t n, bool cpu, LpSimGoal *goals)
{
    const char *names[] = { cpu ? "cpu-against-peers" : "memory-against-peers",
                            cpu ? "cpu-shortfall" : "memory-shortfall" };
    const LpSimResult *own = find_own(results, n, cpu);
    const LpSimResult *best = own ? find_best(results, n, own, cpu) : NULL;

    if (!own) {
        for (int i = 0; i < 2; i++)
            say(&goals[i], names[i], LP_VERDICT_NOT_RUN, "%s at %.2fx is needed", OWN,
                LP_GOAL_RATIO);
        return;
    }
    double lacks = shortfall(cpu ? &own->cpu : &own->mem);
    if (!best) {
        say(&goals[0], names[0], LP_VERDICT_NOT_RUN, "no peer was run at %.2fx", LP_GOAL_RATIO);
    } else {
        double least = shortfall(cpu ? &best->cpu : &best->mem);
        double limit = least < LP_GOAL_BEST_LEAST ? least : LP_GOAL_OF_BEST * least;

        say(&goals[0], names[0], met(lacks <= limit),
            "%.5f %% of demand, goal at most %.5f %%: %s has %.5f %%", 100 * lacks, 100 * limit,
            best->policy, 100 * least);
    }
    say(&goals[1], names[1], met(lacks <= LP_GOAL_SHORTFALL),
        "%.5f %% of demand, goal at most %.2f %%", 100 * lacks, 100 * LP_GOAL_SHORTFALL);
}

static void
judge_resizes(const LpSimResult *own, LpSimGoal *goal)
{
    if (!own) {
        say(goal, "resizes", LP_VERDICT_NOT_RUN, "%s at %.2fx is needed", OWN, LP_GOAL_RATIO);
        return;
    }
    double resizes = lp_sim_resizes(&own->mem);
    say(goal, "resizes", met(resizes <= LP_GOAL_RESIZES),
        "%.2f for each partition and day (99th percentile %.0f), goal at most %.0f", resizes,
        own->mem.resizes_per_vm_day_p99, LP_GOAL_RESIZES);
}

static void
judge_allocated(const LpSimResult *own, const LpSimBound *bound, LpSimGoal *goal)
{
    if (!own || !(bound->amount > 0)) {
        say(goal, "allocated", LP_VERDICT_NOT_RUN, "%s at %.2fx and its bound are needed", OWN,
            LP_GOAL_RATIO);
        return;
    }
    double ratio = own->mem.needs / bound->amount;
    say(goal, "allocated", met(ratio <= LP_GOAL_OF_BOUND),
        "%.3f times the bound at as many resizes, goal at most %.2f", ratio, LP_GOAL_OF_BOUND);
}

static void
judge_broken(const LpSimResult *results, size_t n, LpSimGoal *goal)
{
    for (size_t i = 0; i < n; i++)
        if (results[i].broken > 0) {
            say(goal, "invariants", LP_VERDICT_MISSED, "%s broke one in %" G_GUINT64_FORMAT
                " ticks, first: %s", results[i].policy, results[i].broken,
                results[i].first_broken);
            return;
        }
    say(goal, "invariants", LP_VERDICT_MET, "S1-S3 held after every tick of %zu runs", n);
}

void
lp_sim_goals(const LpSimResult *results, const LpSimBound *bounds, size_t n, LpSimGoal *ret_goals)
{
    const LpSimResult *own = find_own(results, n, false);

    judge_shortfall(results, n, false, &ret_goals[0]);
    judge_resizes(own, &ret_goals[2]);
    judge_allocated(own, own ? &bounds[own - results] : NULL, &ret_goals[3]);
    judge_shortfall(results, n, true, &ret_goals[4]);
    judge_broken(results, n, &ret_goals[6]);
}

void
lp_sim_goals_clear(LpSimGoal *goals)
{
    for (size_t i = 0; i < LP_SIM_GOALS; i++)
        g_clear_pointer(&goals[i].text, g_free);
}
