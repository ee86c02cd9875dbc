/* Processor sets and their list form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "numa/cpumask.h"

#define SEED 20261123u

static void
test_list_form(void **state)
{
    static const struct { const char *text, *canonical; } CASES[] = {
        { "", "" }, { "0", "0" }, { "0-3,8", "0-3,8" }, { "8,0-3", "0-3,8" },
        { "0,1,2,3", "0-3" }, { "5-5", "5" }, { "0-1,1-2", "0-2" }, { "007", "7" },
        { "1023", "1023" }, { "0-1023", "0-1023" }, { "62-65", "62-65" }, { "0,2", "0,2" },
    };
    char text[LP_CPUMASK_TEXT];
    LpCpuMask mask;

    (void) state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_true(lp_cpumask_parse(CASES[i].text, &mask));
        assert_string_equal(lp_cpumask_format(&mask, text, sizeof(text)), CASES[i].canonical);
    }
}

static void
test_malformed_leaves_alone(void **state)
{
    static const char *const BAD[] = {
        "1024", "0-1024", "-1", "-", ",", "1,", ",1", "1,,2", "3-1", "1-", "1--2", "a", "1a",
        "0x1", " 1", "1 ", "1\n", "+1", "1-2-3", "99999999999999999999", "4294967296", "^1",
        "1;2", "1.5", "\xff",
    };
    LpCpuMask mask, before;

    (void) state;
    lp_cpumask_first_n(&before, 7);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        mask = before;
        if (lp_cpumask_parse(BAD[i], &mask))
            fail_msg("'%s' was taken", BAD[i]);
        assert_true(lp_cpumask_equal(&mask, &before));
    }
    assert_false(lp_cpumask_parse(NULL, &mask));
}

static void
test_against_an_array(void **state)
{
    static bool model[LP_MAX_CPUS];
    LpCpuMask mask, again;
    char text[LP_CPUMASK_TEXT];

    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    lp_cpumask_clear(&mask);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned cpu = (unsigned) rand() % (LP_MAX_CPUS + 64), count = 0;
        int first = -1, last = -1, next = -1;

        if (rand() % 2) {
            lp_cpumask_add(&mask, cpu);
            if (cpu < LP_MAX_CPUS)
                model[cpu] = true;
        } else {
            lp_cpumask_remove(&mask, cpu);
            if (cpu < LP_MAX_CPUS)
                model[cpu] = false;
        }
        for (unsigned i = 0; i < LP_MAX_CPUS; i++) {
            if (!model[i])
                continue;
            count++;
            last = (int) i;
            first = first < 0 ? (int) i : first;
            if (next < 0 && i >= cpu)
                next = (int) i;
        }
        assert_int_equal(lp_cpumask_count(&mask), count);
        assert_int_equal(lp_cpumask_next(&mask, 0), first);
        assert_int_equal(lp_cpumask_next(&mask, cpu), next);
        assert_int_equal(lp_cpumask_last(&mask), last);
        assert_int_equal(lp_cpumask_has(&mask, cpu), cpu < LP_MAX_CPUS && model[cpu]);
        if (round % 16 == 0) {
            lp_cpumask_format(&mask, text, sizeof(text));
            assert_true(lp_cpumask_parse(text, &again));
            assert_true(lp_cpumask_equal(&mask, &again));
        }
    }
}

static void
test_longest_text_fits(void **state)
{
    char text[LP_CPUMASK_TEXT];
    LpCpuMask mask, again;

    (void) state;
    /* Any period of members and holes; pairs are the longest. */
    for (unsigned run = 1; run <= 4; run++) {
        lp_cpumask_clear(&mask);
        for (unsigned cpu = 0; cpu < LP_MAX_CPUS; cpu++) {
            if (cpu % (run + 1) != run)
                lp_cpumask_add(&mask, cpu);
        }
        lp_cpumask_format(&mask, text, sizeof(text));
        assert_true(lp_cpumask_parse(text, &again));
        assert_true(lp_cpumask_equal(&mask, &again));
    }
}

static void
test_short_buffer_cuts_between_items(void **state)
{
    LpCpuMask mask, cut;
    char text[16];

    (void) state;
    assert_true(lp_cpumask_parse("10-12,100,512", &mask));
    for (size_t size = 1; size <= sizeof(text); size++) {
        memset(text, 'x', sizeof(text));
        lp_cpumask_format(&mask, text, size);
        assert_true(strlen(text) < size);
        assert_true(lp_cpumask_parse(text, &cut));
        assert_true(lp_cpumask_covers(&mask, &cut));
    }
    text[0] = 'x';
    lp_cpumask_format(&mask, text, 0);
    assert_int_equal(text[0], 'x');
}

static void
test_covers(void **state)
{
    LpCpuMask a, b;

    (void) state;
    assert_true(lp_cpumask_parse("0-3,900", &a));
    assert_true(lp_cpumask_parse("1,900", &b));
    assert_true(lp_cpumask_covers(&a, &b));
    assert_false(lp_cpumask_covers(&b, &a));
    assert_true(lp_cpumask_covers(&a, &a));
    lp_cpumask_add(&b, 901);
    assert_false(lp_cpumask_covers(&a, &b));
    lp_cpumask_clear(&b);
    assert_true(lp_cpumask_covers(&a, &b));
    assert_true(lp_cpumask_covers(&b, &b));
}

static void
test_first_n(void **state)
{
    static const unsigned SIZES[] = { 0, 1, 63, 64, 65, 1023, 1024, 5000 };
    LpCpuMask mask;

    (void) state;
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        unsigned n = SIZES[i] < LP_MAX_CPUS ? SIZES[i] : LP_MAX_CPUS;

        lp_cpumask_first_n(&mask, SIZES[i]);
        assert_int_equal(lp_cpumask_count(&mask), n);
        assert_int_equal(lp_cpumask_last(&mask), (int) n - 1);
    }
}

/* Whatever bytes come: taken or refused, and what is taken reads back the same. */
static void
test_random_text(void **state)
{
    static const char ALPHABET[] = "0123456789--,,, x\n";
    char text[24], again[LP_CPUMASK_TEXT];
    unsigned taken = 0;

    (void) state;
    srand(SEED);
    for (unsigned round = 0; round < 200000; round++) {
        size_t len = (size_t) rand() % (sizeof(text) - 1);
        LpCpuMask mask, second;

        for (size_t i = 0; i < len; i++)
            text[i] = ALPHABET[(size_t) rand() % (sizeof(ALPHABET) - 1)];
        text[len] = '\0';
        if (!lp_cpumask_parse(text, &mask))
            continue;
        taken++;
        assert_true(lp_cpumask_parse(lp_cpumask_format(&mask, again, sizeof(again)), &second));
        assert_true(lp_cpumask_equal(&mask, &second));
    }
    assert_true(taken > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_form),
        cmocka_unit_test(test_malformed_leaves_alone),
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_longest_text_fits),
        cmocka_unit_test(test_short_buffer_cuts_between_items),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_first_n),
        cmocka_unit_test(test_random_text),
    };

    return cmocka_run_group_tests_name("cpumask", tests, NULL, NULL);
}
