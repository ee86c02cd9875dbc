/* The layout of a host: one case for each thing that it must know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "layout_case.h"

static LayoutCase host;       /* the one of the test at work */

static LpLayout *
make_with(const LpLayoutOrder *order)
{
    LpLayout *layout = lp_layout_new();
    const char *fault;

    assert_true(lp_layout_make(&host.host, order, layout));
    fault = layout_case_judge(&host, order, layout);
    if (!fault)
        fault = layout_case_judge_moves(&host, layout);
    if (fault)
        fail_msg("%s", fault);
    return layout;
}

static LpLayout *
make(void)
{
    static const LpLayoutOrder order = { 0 };

    return make_with(&order);
}

static uint64_t
on(const LpLayout *layout, uint32_t cell, uint32_t node)
{
    return layout->bytes[(size_t) cell * layout->n_nodes + node];
}

static void
test_what_is_well_stays(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 4, 64 * GIB, 16, 20);
    for (uint32_t i = 0; i < 8; i++)
        layout_case_add(&host, 8 * GIB, 2, (int32_t) i % 4);
    layout = make();
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->host_now, LP_SCORE_MAX);
    assert_int_equal(layout->host, LP_SCORE_MAX);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(layout->home[i], i % 4);
        assert_int_equal(layout->cpus[i], 1 << i % 4);
    }
    lp_layout_free(layout);
}

static void
test_strays_come_home(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 16 * GIB, 4, 0);
    layout_case_lies(&host, 0, 1, 2 * GIB);
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->moved_bytes, 2 * GIB);
    assert_int_equal(on(layout, 0, 0), 16 * GIB);
    lp_layout_free(layout);
}

/* Pinning is free: where all memory is on one node, nothing is copied. */
static void
test_vcpus_go_to_the_memory(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 16 * GIB, 4, 0);
    host.cells[0].now_cpus = 2;
    layout = make();
    assert_int_equal(layout->score_now[0], 0);
    assert_int_equal(layout->score[0], LP_SCORE_MAX);
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->cpus[0], 1);
    lp_layout_free(layout);
}

/* Neither finds room alone. */
static void
test_two_change_places(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    for (uint32_t i = 0; i < 2; i++) {
        layout_case_add(&host, 60 * GIB, 16, (int32_t) i);
        layout_case_lies(&host, i, 1 - i, 30 * GIB);
        host.cells[i].now_cpus = 3;
    }
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->moved_bytes, 60 * GIB);
    lp_layout_free(layout);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_well_stays),
        cmocka_unit_test(test_strays_come_home),
        cmocka_unit_test(test_vcpus_go_to_the_memory),
        cmocka_unit_test(test_two_change_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
