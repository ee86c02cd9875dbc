/* Random partitions for the planner's tests, and a judge of plans that shares no code with
 * planner or gate. */
#ifndef LP_TESTS_PLAN_CASE_H
#define LP_TESTS_PLAN_CASE_H

#include "hotplug/admit.h"
#include "hotplug/plan.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

typedef struct {
    LpView view;
    LpBounds bounds;
    LpRoom room;              /* its `where` is that of the case made last */
    LpGuestFacts guest;
    LpTarget target;
    LpPlanOptions options;
} PlanCase;

typedef struct {
    uint64_t state;
} Random;

/* LPARD_SEED, or one of its own; prints it. */
uint64_t plan_case_seed(void);
/* Cases to run: `plain`, and few enough under sanitizers. */
uint32_t plan_case_count(uint32_t plain);
uint64_t random_next(Random *random);
/* 0 .. n - 1; 0 for n == 0. */
uint64_t random_below(Random *random, uint64_t n);
bool random_percent(Random *random, unsigned percent);

/* A partition that libvirt could show: out of step (current != requested, over its maximum,
 * more held than room), but not impossible. */
void plan_case_make(PlanCase *pcase, Random *random);
/* Makes it impossible: sums that do not add up, more requested than the device holds... */
void plan_case_break(PlanCase *pcase, Random *random);

/* Whether the plan's steps, done one by one, keep every invariant; the first that does not.
 * On LP_ADMIT_OK, *ret_end (may be NULL, may be pcase) is the partition when all is done. */
LpAdmitVerdict plan_judge(const PlanCase *pcase, const LpPlan *plan, uint32_t *ret_step,
                          PlanCase *ret_end);
uint64_t judge_requested(const LpView *view);
uint32_t judge_granted(const LpView *view, const LpCpuMask *folded);

#endif
