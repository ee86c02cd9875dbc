/* Processors of a node's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "numa/cores.h"
#include "numa_host.h"

static LpTopology host;

/* One node with processors 0..2n-1: i and i + n are siblings, four cores have one cache. */
static void
make_host(uint32_t n_cores)
{
    numa_host(&host, 1, GIB, 2 * n_cores, 10);
    for (uint32_t i = 0; i < 2 * n_cores; i++) {
        host.core_of[i] = (uint16_t) (i % n_cores);
        host.cache_of[i] = (uint16_t) (i % n_cores / 4);
    }
}

static void
assert_chosen(uint32_t n, LpCpuMask *taken, const char *text)
{
    char buf[LP_CPUMASK_TEXT];
    LpCpuMask ret;

    assert_true(lp_cores_choose(&host, 0, n, taken, &ret));
    assert_string_equal(lp_cpumask_format(&ret, buf, sizeof(buf)), text);
    assert_true(lp_cpumask_covers(taken, &ret));
}

static void
test_whole_cores(void **state)
{
    LpCpuMask taken = { { 0 } };

    (void) state;
    make_host(8);
    assert_chosen(4, &taken, "0-1,8-9");
    /* The rest of that cache, and not a hole in the other. */
    assert_chosen(4, &taken, "2-3,10-11");
    assert_chosen(8, &taken, "4-7,12-15");
    assert_chosen(0, &taken, "");
}

static void
test_near_in_one_cache(void **state)
{
    LpCpuMask taken = { { 0 } };

    (void) state;
    make_host(12);
    assert_chosen(6, &taken, "0-2,12-14");
    /* One core is left of the first cache: four processors go into the next. */
    assert_chosen(4, &taken, "4-5,16-17");
    assert_chosen(2, &taken, "3,15");
    /* More than any cache has: the emptiest first. */
    assert_chosen(10, &taken, "6,8-11,18,20-23");
}

static void
test_odd_numbers(void **state)
{
    LpCpuMask taken = { { 0 } };

    (void) state;
    make_host(4);
    assert_chosen(3, &taken, "0-1,4");
    /* The broken core's other half, and no whole core. */
    assert_chosen(1, &taken, "5");
    assert_chosen(1, &taken, "2");
    /* A whole core although a broken one has the lower number. */
    assert_chosen(2, &taken, "3,7");
    assert_chosen(1, &taken, "6");
}

static void
test_too_few(void **state)
{
    LpCpuMask taken = { { 0 } }, before, ret;

    (void) state;
    make_host(4);
    assert_chosen(6, &taken, "0-2,4-6");
    before = taken;
    assert_false(lp_cores_choose(&host, 0, 3, &taken, &ret));
    assert_true(lp_cpumask_equal(&ret, &host.nodes[0].cpus));
    assert_true(lp_cpumask_equal(&taken, &before));
    assert_true(lp_cores_choose(&host, 0, 2, &taken, &ret));
    assert_false(lp_cores_choose(&host, 1, 1, &taken, &ret));
    assert_int_equal(lp_cpumask_count(&ret), 0);
}

static void
test_a_node_of_1024(void **state)
{
    LpCpuMask taken = { { 0 } }, ret;

    (void) state;
    make_host(512);
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(lp_cores_choose(&host, 0, 128, &taken, &ret));
        assert_int_equal(lp_cpumask_count(&ret), 128);
    }
    assert_false(lp_cores_choose(&host, 0, 1, &taken, &ret));
}

static void
test_processors_of_nodes(void **state)
{
    LpCpuMask ret;

    (void) state;
    numa_host(&host, 3, GIB, 4, 20);
    numa_host_cpus(&host, 1, 0);
    numa_host_distance(&host, 1, 2, 15);
    lp_cores_of_nodes(&host, 1, &ret);
    assert_true(lp_cpumask_equal(&ret, &host.nodes[0].cpus));
    lp_cores_of_nodes(&host, 2, &ret);
    assert_true(lp_cpumask_equal(&ret, &host.nodes[2].cpus));
    lp_cores_of_nodes(&host, 3, &ret);
    assert_int_equal(lp_cpumask_count(&ret), 8);
    lp_cores_of_nodes(&host, 0, &ret);
    assert_int_equal(lp_cpumask_count(&ret), 0);
    lp_cores_of_nodes(&host, ~UINT64_C(0), &ret);
    assert_int_equal(lp_cpumask_count(&ret), 8);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_cores),
        cmocka_unit_test(test_near_in_one_cache),
        cmocka_unit_test(test_odd_numbers),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_a_node_of_1024),
        cmocka_unit_test(test_processors_of_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
