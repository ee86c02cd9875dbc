/* The planner on random partitions: what must hold of every plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plan_case.h"

#define CASES 120000
#define BROKEN_CASES 40000

static uint64_t seed;

static LpPlan *
make(const PlanCase *pcase)
{
    LpPlan *plan = lp_plan_new();

    lp_plan_make(&pcase->view, &pcase->bounds, &pcase->room, &pcase->guest, &pcase->target,
                 &pcase->options, plan);
    return plan;
}

static void
print_plan(const LpPlan *plan)
{
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const LpStep *s = &plan->steps[i];

        print_message("#  step %u stage %u %s vcpu %u cell %u %llu -> %llu\n", i, s->stage,
                      lp_step_kind_name(s->kind), s->vcpu, s->cell,
                      (unsigned long long) s->from_bytes, (unsigned long long) s->to_bytes);
    }
    for (uint32_t i = 0; i < plan->n_shortfalls; i++)
        print_message("#  %s%s %llu %llu\n", lp_short_reason_name(plan->shortfalls[i].reason),
                      plan->shortfalls[i].fatal ? " (fatal)" : "",
                      (unsigned long long) plan->shortfalls[i].asked,
                      (unsigned long long) plan->shortfalls[i].bound);
}

/* Names the case that breaks a property: its number with the seed makes it again. */
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            print_message("# case %u: %s\n", number, #condition); \
            print_plan(plan); \
            fail_msg("a property does not hold"); \
        } \
    } while (0)

static bool
has_reason(const LpPlan *plan, LpShortReason reason)
{
    for (uint32_t i = 0; i < plan->n_shortfalls; i++)
        if (plan->shortfalls[i].reason == reason)
            return true;
    return false;
}

static bool
same_plan(const LpPlan *a, const LpPlan *b)
{
    LpPlan x = *a, y = *b;

    x.steps = y.steps = NULL;
    return a->n_steps == b->n_steps && memcmp(&x, &y, sizeof x) == 0
           && (a->n_steps == 0 || memcmp(a->steps, b->steps, a->n_steps * sizeof *a->steps) == 0);
}

static void
check_form(const LpPlan *plan, uint32_t number)
{
    uint32_t stage = 0;

    CHECK(!plan->refused || plan->n_steps == 0);
    CHECK(plan->n_steps || plan->n_shortfalls);
    CHECK(plan->n_shortfalls <= LP_PLAN_MAX_SHORTFALLS);
    for (uint32_t i = 0; i < plan->n_shortfalls; i++)
        CHECK(plan->refused || !plan->shortfalls[i].fatal);
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        CHECK(plan->steps[i].stage >= stage && plan->steps[i].stage <= stage + 1);
        stage = plan->steps[i].stage;
        CHECK(stage < plan->n_stages && plan->n_stages <= LP_PLAN_MAX_STAGES);
    }
}

/* Once vCPUs are on record as folded or are unplugged, the quota holds the guest. */
static void
check_hold(const PlanCase *pcase, const LpPlan *plan, uint32_t number)
{
    int64_t quota = pcase->view.global_quota_usec;

    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const LpStep *step = &plan->steps[i];

        if (step->kind == LP_STEP_CAPACITY)
            quota = step->global_quota_usec;
        if (step->kind == LP_STEP_UNPLUG_VCPU
            || (step->kind == LP_STEP_PROFILE && lp_cpumask_count(&step->cpus)
                && pcase->target.has_cpu))
            CHECK(quota >= 0 || pcase->view.cgroup == LP_CGROUP_NONE);
    }
}

static int64_t
expected_quota(const PlanCase *end)
{
    uint64_t period = end->view.global_period_usec ? end->view.global_period_usec : 100000;
    uint64_t centi = 100 * (uint64_t) judge_granted(&end->view, &end->bounds.folded);

    if (!end->bounds.capped && lp_cpumask_count(&end->bounds.folded) == 0)
        return -1;
    if (end->bounds.capped && end->bounds.entitled_centi < centi)
        centi = end->bounds.entitled_centi;
    return (int64_t) ((centi * period + 10 * period) / 100);
}

static void
check_end(const PlanCase *pcase, const LpPlan *plan, const PlanCase *end, uint32_t number)
{
    const LpTarget *target = &pcase->target;
    uint32_t granted = judge_granted(&end->view, &end->bounds.folded);
    uint64_t bytes = judge_requested(&end->view);
    bool short_of = has_reason(plan, LP_SHORT_DIMM_WHOLE) || has_reason(plan, LP_SHORT_NO_BALLOON)
                    || has_reason(plan, LP_SHORT_NO_DEVICE);

    CHECK(granted == plan->cpu_after);
    CHECK(!target->has_cpu || granted == target->cpu);
    CHECK(bytes == plan->mem_after_bytes || !target->has_mem);
    CHECK(!target->has_mem || short_of
          || bytes - end->view.balloon_bytes == target->mem_bytes);
    CHECK(lp_cpumask_equal(&end->bounds.folded, &plan->folded_after));
    CHECK(end->view.balloon_bytes == plan->balloon_after_bytes);
    CHECK(end->view.cgroup == LP_CGROUP_NONE || end->view.global_quota_usec == expected_quota(end));
    for (unsigned c = 0; c < LP_MAX_CPUS; c++)
        CHECK(lp_cpumask_has(&plan->run_after, c)
              == (lp_cpumask_has(&end->view.plugged, c)
                  && (c == 0 || !lp_cpumask_has(&end->bounds.folded, c))));
    if (target->has_cpu && pcase->guest.connected)
        CHECK(lp_cpumask_equal(&end->guest.online, &plan->run_after));
}

/* A guest's wish changes who leaves and nothing else; and none leaves unwished while one that was
 * wished for, and could leave as well, stays. */
static void
check_wish(const PlanCase *pcase, const LpPlan *plan, uint32_t number, uint32_t *ret_heeded)
{
    static PlanCase without;
    const LpView *view = &pcase->view;
    LpPlan *twin;

    without = *pcase;
    lp_cpumask_clear(&without.guest.leave);
    twin = make(&without);
    /* But for how near to its memory those are that stay. */
    CHECK(twin->refused == plan->refused || has_reason(plan, LP_SHORT_AFFINITY)
          || has_reason(twin, LP_SHORT_AFFINITY));
    CHECK(twin->cpu_after == plan->cpu_after);
    CHECK(twin->n_steps == plan->n_steps || pcase->guest.connected
          || twin->refused != plan->refused);
    if (!plan->refused && !lp_cpumask_equal(&twin->run_after, &plan->run_after))
        (*ret_heeded)++;
    lp_plan_free(twin);
    if (plan->refused || !pcase->target.has_cpu || view->run == LP_RUN_OFF
        || plan->cpu_after >= plan->cpu_before)
        return;
    for (unsigned gone = 1; gone < LP_MAX_CPUS; gone++) {
        if (!lp_cpumask_has(&view->plugged, gone) || lp_cpumask_has(&pcase->bounds.folded, gone)
            || lp_cpumask_has(&plan->run_after, gone)
            || lp_cpumask_has(&pcase->guest.leave, gone))
            continue;
        for (unsigned left = 1; left < LP_MAX_CPUS; left++)
            CHECK(!lp_cpumask_has(&plan->run_after, left)
                  || !lp_cpumask_has(&pcase->guest.leave, left)
                  || (view->accel != LP_ACCEL_TCG
                      && lp_cpumask_has(&view->hotpluggable, gone)
                      && !lp_cpumask_has(&view->hotpluggable, left)));
    }
}

static void
check_again(const PlanCase *end, uint32_t number)
{
    LpPlan *plan = make(end);

    /* A limit may come down further when a guest has given back what an earlier shrink asked. */
    for (uint32_t i = 0; i < plan->n_steps; i++)
        CHECK((end->options.live_only && plan->steps[i].kind == LP_STEP_PROFILE)
              || (plan->steps[i].kind == LP_STEP_LIMIT && plan->steps[i].release));
    lp_plan_free(plan);
}

static void
test_every_plan(void **state)
{
    static PlanCase pcase, end;
    uint32_t n_made = 0, n_refused = 0, n_steps = 0, n_heeded = 0;
    uint32_t kinds[LP_STEP_KINDS] = {0}, reasons[LP_SHORT_KINDS] = {0};

    (void) state;
    for (uint32_t number = 0; number < plan_case_count(CASES); number++) {
        Random random = {seed + number};
        LpPlan *plan, *twin;
        uint32_t step, judged;

        plan_case_make(&pcase, &random);
        plan = make(&pcase);
        twin = make(&pcase);
        CHECK(same_plan(plan, twin));
        lp_plan_free(twin);
        check_form(plan, number);
        if (lp_cpumask_count(&pcase.guest.leave))
            check_wish(&pcase, plan, number, &n_heeded);
        for (uint32_t i = 0; i < plan->n_steps; i++)
            kinds[plan->steps[i].kind]++;
        for (uint32_t i = 0; i < plan->n_shortfalls; i++)
            reasons[plan->shortfalls[i].reason]++;
        n_refused += plan->refused;
        n_made += !plan->refused;
        n_steps += plan->n_steps;
        if (!plan->refused) {
            LpAdmitVerdict verdict = plan_judge(&pcase, plan, &judged, &end);

            if (verdict != LP_ADMIT_OK)
                print_message("# step %u: %s\n", judged, lp_admit_verdict_text(verdict));
            CHECK(verdict == LP_ADMIT_OK);
            verdict = lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room, &pcase.target,
                               &step);
            if (verdict != LP_ADMIT_OK)
                print_message("# gate, step %u: %s\n", step, lp_admit_verdict_text(verdict));
            CHECK(verdict == LP_ADMIT_OK);
            check_hold(&pcase, plan, number);
            if (pcase.view.run != LP_RUN_OFF)
                check_end(&pcase, plan, &end, number);
            check_again(&end, number);
        }
        lp_plan_free(plan);
    }
    print_message("# %u plans with %u steps, %u refused\n", n_made, n_steps, n_refused);
    /* The cases must reach what they are meant to test. */
    assert_true(n_heeded > n_made / 200);
    for (uint32_t i = 0; i < LP_STEP_KINDS; i++)
        if (kinds[i] < n_made / 1000)
            fail_msg("too few steps of kind %s: %u", lp_step_kind_name(i), kinds[i]);
    for (uint32_t i = 0; i < LP_SHORT_KINDS; i++)
        if (reasons[i] == 0 && i != LP_SHORT_NONE)
            fail_msg("no case reached %s", lp_short_reason_name(i));
}

/* Views that contradict themselves: planner and gate stay on their feet, and whatever the gate
 * lets through is no malformed step. */
static void
test_impossible_views(void **state)
{
    static PlanCase pcase;

    (void) state;
    for (uint32_t number = 0; number < plan_case_count(BROKEN_CASES); number++) {
        Random random = {~seed + number};
        LpPlan *plan, *twin;
        uint32_t step;

        plan_case_make(&pcase, &random);
        plan_case_break(&pcase, &random);
        plan = make(&pcase);
        twin = make(&pcase);
        CHECK(same_plan(plan, twin));
        check_form(plan, number);
        CHECK(lp_admit_verdict_text(lp_admit(plan, &pcase.view, &pcase.bounds, &pcase.room,
                                             &pcase.target, &step)));
        lp_plan_free(plan);
        lp_plan_free(twin);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_plan),
        cmocka_unit_test(test_impossible_views),
    };

    seed = plan_case_seed();
    return cmocka_run_group_tests_name("plan_random", tests, NULL, NULL);
}
