/* Which goals a set of results meets: made-up figures, each goal on both sides of its limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lpard/sim/goals.h"

enum { AGAINST, SHORTFALL, RESIZES, ALLOCATED, CPU_AGAINST, CPU_SHORTFALL, INVARIANTS };

/* Results of one host: lpard, two peers, and one who knows the future. */
typedef struct {
    LpSimResult results[4];
    LpSimBound bounds[4];
    LpSimGoal goals[LP_SIM_GOALS];
} Case;

static void
make(Case *it)
{
    static const char *const names[] = { "lpard", "neon", "vpa", "clairvoyant" };

    memset(it, 0, sizeof *it);
    for (int i = 0; i < 4; i++) {
        LpSimResult *result = &it->results[i];

        result->policy = names[i];
        result->memory_ratio = result->cpu_ratio = 1.25;
        result->mem.demand = result->cpu.demand = 1e6;
        result->mem.shortfall = result->cpu.shortfall = i == 3 ? 0 : 50 * i;
        result->mem.vm_seconds = 86400 * 10;
        result->mem.resizes = 40;
        result->mem.needs = 125;
    }
    it->bounds[0].amount = 100;
}

static LpVerdict
judge(Case *it, int goal)
{
    LpVerdict verdict;

    lp_sim_goals(it->results, it->bounds, 4, it->goals);
    for (int i = 0; i < LP_SIM_GOALS; i++) {
        assert_non_null(it->goals[i].name);
        assert_non_null(it->goals[i].text);
    }
    verdict = it->goals[goal].verdict;
    lp_sim_goals_clear(it->goals);
    return verdict;
}

static void
test_all_met(void **state)
{
    Case it;

    (void) state;
    make(&it);
    for (int goal = 0; goal < LP_SIM_GOALS; goal++)
        assert_int_equal(judge(&it, goal), LP_VERDICT_MET);
}

static void
test_against_best_peer(void **state)
{
    Case it;

    (void) state;
    make(&it);
    /* A tenth of the best peer's 50; who knows the future is no peer. */
    it.results[0].mem.shortfall = 5;
    assert_int_equal(judge(&it, AGAINST), LP_VERDICT_MET);
    it.results[0].mem.shortfall = 6;
    assert_int_equal(judge(&it, AGAINST), LP_VERDICT_MISSED);
    assert_int_equal(judge(&it, CPU_AGAINST), LP_VERDICT_MET);
    /* Who leaves processors alone has all of them, and is no peer for them. */
    it.results[1].policy = "mom";
    assert_int_equal(judge(&it, AGAINST), LP_VERDICT_MISSED);
    it.results[0].cpu.shortfall = 9;
    assert_int_equal(judge(&it, CPU_AGAINST), LP_VERDICT_MET);
    it.results[1].policy = "neon";
    assert_int_equal(judge(&it, CPU_AGAINST), LP_VERDICT_MISSED);
    it.results[0].cpu.shortfall = 0;
    /* A peer on another host is not asked. */
    it.results[1].memory_ratio = 2;
    assert_int_equal(judge(&it, AGAINST), LP_VERDICT_MET);
    /* Where the best lacks next to nothing, as little will do. */
    make(&it);
    it.results[1].cpu.shortfall = 9;
    it.results[0].cpu.shortfall = 9;
    assert_int_equal(judge(&it, CPU_AGAINST), LP_VERDICT_MET);
    it.results[0].cpu.shortfall = 10;
    assert_int_equal(judge(&it, CPU_AGAINST), LP_VERDICT_MISSED);
}

static void
test_each_limit(void **state)
{
    Case it;

    (void) state;
    make(&it);
    it.results[0].mem.shortfall = 100;
    it.results[0].cpu.shortfall = 101;
    assert_int_equal(judge(&it, SHORTFALL), LP_VERDICT_MET);
    assert_int_equal(judge(&it, CPU_SHORTFALL), LP_VERDICT_MISSED);
    it.results[0].mem.resizes = 41;
    assert_int_equal(judge(&it, RESIZES), LP_VERDICT_MISSED);
    it.results[0].mem.needs = 126;
    assert_int_equal(judge(&it, ALLOCATED), LP_VERDICT_MISSED);
    it.results[3].broken = 1;
    assert_int_equal(judge(&it, INVARIANTS), LP_VERDICT_MISSED);
}

static void
test_not_run(void **state)
{
    Case it;

    (void) state;
    make(&it);
    it.results[0].memory_ratio = 1.5;
    assert_int_equal(judge(&it, AGAINST), LP_VERDICT_NOT_RUN);
    assert_int_equal(judge(&it, RESIZES), LP_VERDICT_NOT_RUN);
    assert_int_equal(judge(&it, ALLOCATED), LP_VERDICT_NOT_RUN);
    make(&it);
    it.bounds[0].amount = 0;
    assert_int_equal(judge(&it, ALLOCATED), LP_VERDICT_NOT_RUN);
    /* Alone there is nobody to be held against. */
    lp_sim_goals(it.results, it.bounds, 1, it.goals);
    assert_int_equal(it.goals[AGAINST].verdict, LP_VERDICT_NOT_RUN);
    assert_int_equal(it.goals[SHORTFALL].verdict, LP_VERDICT_MET);
    lp_sim_goals_clear(it.goals);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_met),
        cmocka_unit_test(test_against_best_peer),
        cmocka_unit_test(test_each_limit),
        cmocka_unit_test(test_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
