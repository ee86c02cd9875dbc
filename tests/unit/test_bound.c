/* The bound against every plan there is, on series small enough to try them all. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lpard/sim/bound.h"

#define QUANTUM 100
#define STEP 10
#define SAMPLES 6
#define LEVELS 4
#define PLANS 4096                     /* LEVELS ^ SAMPLES */
#define CHANGES (2 * SAMPLES)

static uint64_t chance;

static uint32_t
draw(uint32_t below)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (chance >> 33) % below;
}

static LpTrace *
make(const uint64_t *demand, size_t n_vms, size_t n_samples)
{
    LpTrace *trace = lp_trace_new(n_vms, n_samples, STEP);

    for (size_t i = 0; i < n_vms; i++) {
        trace->vms[i].max_bytes = LEVELS * QUANTUM;
        for (size_t s = 0; s < n_samples; s++)
            trace->vms[i].mem_bytes[s] = demand[i * n_samples + s];
    }
    return trace;
}

/* The least amount of one partition at each number of changes. */
static void
least_of_one(const uint64_t *demand, bool steps, uint64_t floor_bytes, double *least)
{
    for (int k = 0; k < SAMPLES; k++)
        least[k] = INFINITY;
    for (int plan = 0; plan < PLANS; plan++) {
        double amount = 0;
        int rest = plan, changes = 0, before = -1;
        bool covers = true;

        for (int s = 0; s < SAMPLES; s++, rest /= LEVELS) {
            int level = rest % LEVELS + 1;
            uint64_t bytes = (uint64_t) level * QUANTUM, wanted = demand[s];

            if (!steps && s + 1 < SAMPLES && demand[s + 1] > wanted)
                wanted = demand[s + 1];
            covers = covers && bytes >= wanted && bytes >= floor_bytes;
            changes += before >= 0 && level != before;
            before = level;
            amount += (double) bytes * STEP;
        }
        if (covers)
            least[changes] = fmin(least[changes], amount);
    }
}

/* Of two together, with at most k changes. */
static void
least_of_two(double one[2][SAMPLES], double *least)
{
    for (int k = 0; k < CHANGES; k++) {
        least[k] = k ? least[k - 1] : INFINITY;
        for (int a = 0; a <= k && a < SAMPLES; a++)
            if (k - a < SAMPLES)
                least[k] = fmin(least[k], one[0][a] + one[1][k - a]);
    }
}

/* The lower hull at k: what a price for changes can tell. */
static double
hull(const double *least, int k)
{
    double value = least[k];

    for (int low = 0; low <= k; low++)
        for (int high = k; high < CHANGES; high++)
            if (high > low)
                value = fmin(value, least[low] + (least[high] - least[low]) * (k - low) /
                                                 (high - low));
    return value;
}

static void
test_against_all_plans(void **state)
{
    const char *given = getenv("LP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20130801;

    (void) state;
    printf("# seed %llu\n", (unsigned long long) seed);
    chance = seed;
    for (int round = 0; round < 60; round++) {
        uint64_t demand[2 * SAMPLES], floor_bytes = round % 3 ? 0 : 150;
        double one[2][SAMPLES], least[CHANGES];
        bool steps = round % 2;

        for (int i = 0; i < 2 * SAMPLES; i++)
            demand[i] = draw(LEVELS * QUANTUM + 1);
        for (int i = 0; i < 2; i++)
            least_of_one(&demand[i * SAMPLES], steps, floor_bytes, one[i]);
        least_of_two(one, least);
        g_autoptr(LpTrace) trace = make(demand, 2, SAMPLES);
        for (int k = 0; k < CHANGES; k++) {
            LpSimBound bound = lp_sim_bound(trace, 0, SAMPLES, steps, QUANTUM, floor_bytes,
                                            (uint64_t) k);

            assert_true(fabs(bound.amount - hull(least, k)) < 0.01);
            assert_true(bound.changes <= k);
            assert_true(bound.amount_of_plan >= least[k] - 0.01);
            assert_true(bound.amount <= bound.amount_of_plan + 0.01);
        }
    }
}

static void
test_by_hand(void **state)
{
    /* One peak in a calm day: two changes follow it, none stays at it. */
    static const uint64_t demand[] = { 100, 100, 100, 400, 100, 100, 100, 100 };
    g_autoptr(LpTrace) trace = make(demand, 1, 8);

    (void) state;
    assert_true(lp_sim_bound(trace, 0, 8, true, 100, 0, 0).amount == 400 * 8 * STEP);
    assert_true(lp_sim_bound(trace, 0, 8, true, 100, 0, 2).amount == (400 + 7 * 100) * STEP);
    /* On straight lines the sample before it needs as much. */
    assert_true(lp_sim_bound(trace, 0, 8, false, 100, 0, 2).amount == (2 * 400 + 6 * 100) * STEP);
    /* More are of no use; a part of the trace is a part; levels are whole. */
    assert_true(lp_sim_bound(trace, 0, 8, true, 100, 0, 9).amount == (400 + 7 * 100) * STEP);
    assert_true(lp_sim_bound(trace, 4, 8, true, 100, 0, 0).amount == 4 * 100 * STEP);
    assert_true(lp_sim_bound(trace, 4, 8, true, 64, 0, 0).amount == 4 * 128 * STEP);
    assert_true(lp_sim_bound(trace, 4, 8, true, 100, 250, 0).amount == 4 * 300 * STEP);
}

static void
test_nothing(void **state)
{
    static const uint64_t demand[] = { 0, 0 };
    g_autoptr(LpTrace) trace = make(demand, 1, 2);

    (void) state;
    assert_true(lp_sim_bound(trace, 0, 2, true, 100, 0, 5).amount == 0);
    assert_true(lp_sim_bound(trace, 2, 2, true, 100, 0, 5).amount == 0);
    assert_true(lp_sim_bound(trace, 0, 99, true, 100, 0, 0).amount == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_all_plans),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
