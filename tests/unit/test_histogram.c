/* The decaying histogram: against a sorted list, over time, and at its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/histogram.h"

#define HOUR INT64_C(3600000)
#define SEED 4

static uint64_t chance;

static uint64_t
below(uint64_t limit)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (chance >> 20) % limit;
}

static uint32_t
sum_of(const LpHistogram *histogram)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < LP_HISTOGRAM_BUCKETS; i++)
        sum += histogram->weights[i];
    return sum;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void
test_empty(void **state)
{
    LpHistogram histogram = { 0 };

    (void)state;
    assert_int_equal(lp_histogram_percentile(&histogram, 100, 9500), 0);
    lp_histogram_add(&histogram, 5000, 100, 0, HOUR, 0);
    assert_int_equal(lp_histogram_percentile(&histogram, 100, 9500), 0);
}

/* One value: its bucket's end is not below it, and at most an eighth above. */
static void
test_buckets(void **state)
{
    static const uint64_t UNITS[] = { 1, 7, 8, 10, 100, UINT64_C(64) << 20, UINT64_C(1) << 50 };

    (void)state;
    for (size_t u = 0; u < sizeof(UNITS) / sizeof(UNITS[0]); u++) {
        uint64_t unit = UNITS[u], last = 0;

        for (uint64_t n = 0; n <= LP_HISTOGRAM_UNITS * 4; n++) {
            uint64_t value = unit / 4 * n + unit % 4 * n / 4;
            LpHistogram histogram = { 0 };
            uint64_t end;

            lp_histogram_add(&histogram, value, unit, 1, HOUR, 0);
            end = lp_histogram_percentile(&histogram, unit, 10000);
            assert_true(end >= value);
            assert_true(end <= (value > unit ? value + value / 8 + 1 : unit));
            assert_true(end >= last);
            last = end;
        }
        assert_true(last == unit * LP_HISTOGRAM_UNITS);
    }
}

static void
test_ends(void **state)
{
    static const uint64_t HIGH[] = { UINT64_MAX, (UINT64_C(3840) << 26) + 1, UINT64_C(1) << 62 };
    const uint64_t unit = UINT64_C(1) << 26;
    LpHistogram histogram = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(HIGH) / sizeof(HIGH[0]); i++)
        lp_histogram_add(&histogram, HIGH[i], unit, 1, HOUR, 0);
    assert_int_equal(histogram.weights[LP_HISTOGRAM_BUCKETS - 1], 3);
    assert_true(lp_histogram_percentile(&histogram, unit, 5000) == unit * LP_HISTOGRAM_UNITS);
    /* An end that 64 bits do not hold; a unit of 0 is 1. */
    assert_true(lp_histogram_percentile(&histogram, UINT64_MAX, 5000) == UINT64_MAX);
    assert_int_equal(lp_histogram_percentile(&histogram, 0, 5000), LP_HISTOGRAM_UNITS);
    memset(&histogram, 0, sizeof(histogram));
    lp_histogram_add(&histogram, UINT64_MAX, UINT64_MAX, 1, HOUR, 0);
    lp_histogram_add(&histogram, 1, 0, 1, HOUR, 0);
    assert_int_equal(histogram.weights[0], 2);
}

/* The percentile of many values is that of the sorted list, but for the bucket's width. */
static void
test_sorted_reference(void **state)
{
    static const uint32_t PARTS[] = { 0, 1, 5000, 9000, 9500, 9800, 9900, 10000, 20000 };
    static uint64_t values[3000];
    const uint64_t unit = 10;

    (void)state;
    chance = SEED;
    print_message("# seed %d\n", SEED);
    for (size_t round = 0; round < 200; round++) {
        size_t n = 1 + below(sizeof(values) / sizeof(values[0]));
        LpHistogram histogram = { 0 };

        for (size_t i = 0; i < n; i++) {
            values[i] = below(unit << below(12));
            lp_histogram_add(&histogram, values[i], unit, 1, HOUR, 0);
        }
        qsort(values, n, sizeof(values[0]), compare);
        for (size_t p = 0; p < sizeof(PARTS) / sizeof(PARTS[0]); p++) {
            size_t rank = (n * (PARTS[p] < 10000 ? PARTS[p] : 10000) + 9999) / 10000;
            uint64_t exact = values[rank > 0 ? rank - 1 : 0];
            uint64_t told = lp_histogram_percentile(&histogram, unit, PARTS[p]);

            assert_true(told >= exact);
            assert_true(told <= (exact > unit ? exact + exact / 8 + 1 : unit));
        }
    }
}

static void
test_decay_halves(void **state)
{
    LpHistogram histogram = { 0 };

    (void)state;
    for (int i = 0; i < 100; i++)
        lp_histogram_add(&histogram, 1000, 10, 16, HOUR, 0);
    assert_int_equal(histogram.total, 1600);
    lp_histogram_add(&histogram, 10, 10, 1, HOUR, HOUR - 1);
    assert_int_equal(histogram.total, 1601);
    lp_histogram_add(&histogram, 10, 10, 0, HOUR, HOUR);
    assert_int_equal(histogram.total, 800);
    /* Two and a half later: two halvings, and the half goes on. */
    lp_histogram_add(&histogram, 10, 10, 0, HOUR, HOUR + 5 * HOUR / 2);
    assert_int_equal(histogram.total, 200);
    lp_histogram_add(&histogram, 10, 10, 0, HOUR, 4 * HOUR - 1);
    assert_int_equal(histogram.total, 200);
    lp_histogram_add(&histogram, 10, 10, 0, HOUR, 4 * HOUR);
    assert_int_equal(histogram.total, 100);
    assert_int_equal(histogram.total, sum_of(&histogram));
    /* What was learnt long ago is outweighed by what is now. */
    lp_histogram_add(&histogram, 10, 10, 101, HOUR, 4 * HOUR);
    assert_int_equal(lp_histogram_percentile(&histogram, 10, 5000), 10);
    /* No half-life: nothing fades. */
    lp_histogram_add(&histogram, 10, 10, 0, 0, 400 * HOUR);
    assert_int_equal(histogram.total, 201);
    lp_histogram_add(&histogram, 10, 10, 0, HOUR, 400 * HOUR);
    assert_int_equal(histogram.total, 0);
    assert_int_equal(lp_histogram_percentile(&histogram, 10, 5000), 0);
}

static void
test_clock_jumps(void **state)
{
    static const int64_t TIMES[] = {
        INT64_MIN, INT64_MAX, 0, -400 * 24 * HOUR, 400 * 24 * HOUR, INT64_MIN, -1,
    };
    LpHistogram histogram = { 0 };

    (void)state;
    lp_histogram_add(&histogram, 1000, 10, 1600, HOUR, 100 * HOUR);
    /* Back: nothing is halved, and time counts from there. */
    lp_histogram_add(&histogram, 1000, 10, 0, HOUR, -100 * HOUR);
    assert_int_equal(histogram.total, 1600);
    lp_histogram_add(&histogram, 1000, 10, 0, HOUR, -99 * HOUR);
    assert_int_equal(histogram.total, 800);
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++) {
        lp_histogram_add(&histogram, 1000, 10, 5, HOUR, TIMES[i]);
        assert_int_equal(histogram.total, sum_of(&histogram));
        assert_true(histogram.total >= 5);
    }
}

/* Before a bucket overflows everything is halved: proportions stay. */
static void
test_overflow_halves(void **state)
{
    LpHistogram histogram = { 0 };

    (void)state;
    for (int i = 0; i < 100000; i++) {
        lp_histogram_add(&histogram, i % 4 == 3 ? 100 : 10, 10, UINT32_MAX, 0, 0);
        assert_int_equal(histogram.total, sum_of(&histogram));
        assert_true(histogram.weights[0] >= 1);
    }
    assert_int_equal(lp_histogram_percentile(&histogram, 10, 5000), 10);
    memset(&histogram, 0, sizeof(histogram));
    for (int i = 0; i < 4000000; i++)
        lp_histogram_add(&histogram, i % 4 == 0 ? 100 : 10, 10, 3, 0, 0);
    assert_int_equal(lp_histogram_percentile(&histogram, 10, 7000), 10);
    assert_int_equal(lp_histogram_percentile(&histogram, 10, 8000), 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_sorted_reference),
        cmocka_unit_test(test_decay_halves),
        cmocka_unit_test(test_clock_jumps),
        cmocka_unit_test(test_overflow_halves),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
