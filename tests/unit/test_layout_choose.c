/* The nodes of a partition that is to come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "numa/place.h"
#include "numa_host.h"
#include "numa/layout.h"

static LpTopology host;
static LpLayoutUse use[LP_MAX_NODES];
static int32_t nodes[LP_MAX_CELLS];

static void
make_host(uint32_t n, uint64_t gib, uint32_t cpus)
{
    numa_host(&host, n, gib * GIB, cpus, 20);
    memset(use, 0, sizeof(use));
    for (uint32_t i = 0; i < n; i++)
        use[i].free_bytes = gib * GIB;
}

static uint32_t
choose(const char *rule, uint64_t gib, uint64_t max_gib, uint32_t vcpus, uint32_t n_cells)
{
    LpLayoutNew wanted = { .bytes = gib * GIB, .max_bytes = max_gib * GIB, .vcpus = vcpus,
                           .max_vcpus = vcpus, .n_cells = n_cells };
    char message[200];

    if (!lp_numa_rule_parse(rule, &wanted.rule, message, sizeof(message)))
        fail_msg("%s", message);
    memset(nodes, 0x55, sizeof(nodes));
    return lp_layout_choose(&host, use, &wanted, nodes);
}

static void
test_one_node_if_its_maximum_fits(void **state)
{
    (void) state;
    make_host(4, 64, 16);
    use[0].free_bytes = 20 * GIB;
    use[1].free_bytes = 40 * GIB;
    use[2].free_bytes = 45 * GIB;
    /* The fullest that holds it: the great hole of node 3 stays whole. */
    assert_int_equal(choose("auto", 8, 36, 2, 0), 1);
    assert_int_equal(nodes[0], 1);
    assert_int_equal(choose("auto", 8, 42, 2, 0), 1);
    assert_int_equal(nodes[0], 2);
    assert_int_equal(choose("auto", 8, 60, 2, 0), 1);
    assert_int_equal(nodes[0], 3);
}

static void
test_vcpus_are_spread(void **state)
{
    (void) state;
    make_host(4, 64, 16);
    use[0].free_bytes = 30 * GIB;
    use[0].vcpus = 15;
    use[1].vcpus = 16;
    use[2].vcpus = 20;
    use[3].vcpus = 13;
    assert_int_equal(choose("auto", 8, 16, 2, 0), 1);
    assert_int_equal(nodes[0], 3);
    /* All are crowded: the least. */
    use[3].vcpus = 40;
    use[0].vcpus = 18;
    assert_int_equal(choose("auto", 8, 16, 2, 0), 1);
    assert_int_equal(nodes[0], 1);
}

static void
test_the_nearest_set(void **state)
{
    (void) state;
    make_host(4, 64, 16);
    /* 0 and 3 are neighbours, and 1 and 2. */
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < 4; j++)
            if (i != j)
                host.distance[i][j] = i + j == 3 ? 12 : 32;
    use[1].free_bytes = 49 * GIB;
    assert_int_equal(choose("auto", 80, 100, 8, 0), 2);
    assert_int_equal(nodes[0] + nodes[1], 3);
    assert_true(nodes[0] == 0 || nodes[0] == 3);
    assert_int_equal(choose("auto", 80, 190, 8, 0), 3);
    assert_int_equal(choose("auto", 80, 250, 8, 0), 4);
    /* More vCPUs than a node has processors, too. */
    assert_int_equal(choose("auto", 8, 8, 30, 0), 2);
    assert_int_equal(nodes[0] + nodes[1], 3);
    /* More than the host has: that is no reason. */
    assert_int_equal(choose("auto", 8, 8, 65, 0), 1);
}

/* A guest keeps its cells while its neighbours come and go. */
static void
test_cells_are_for_long(void **state)
{
    (void) state;
    make_host(2, 64, 16);
    use[0].free_bytes = 20 * GIB;
    use[1].free_bytes = 30 * GIB;
    assert_int_equal(choose("auto", 8, 48, 2, 0), 1);
    assert_int_equal(nodes[0], 1);
    /* No node has room for what it starts with: both have. */
    assert_int_equal(choose("auto", 36, 48, 2, 0), 2);
    /* Nor have both: it is told so later, by who admits it. */
    assert_int_equal(choose("auto", 60, 60, 2, 0), 1);
    assert_int_equal(nodes[0], 1);
    assert_int_equal(choose("auto", 500, 500, 2, 0), 2);
}

static void
test_rules(void **state)
{
    (void) state;
    make_host(4, 64, 16);
    host.nodes[3].id = 33;
    use[0].free_bytes = use[1].free_bytes = 10 * GIB;
    assert_int_equal(choose("strict:0", 8, 8, 2, 0), 1);
    assert_int_equal(nodes[0], 0);
    assert_int_equal(choose("strict:0", 20, 40, 2, 0), 1);      /* full, but there is no other */
    assert_int_equal(nodes[0], 0);
    assert_int_equal(choose("strict:0-1", 16, 16, 2, 0), 2);
    assert_int_equal(choose("strict:3", 8, 8, 2, 0), 0);        /* the host has 33 and no 3 */
    assert_int_equal(choose("strict:33", 8, 8, 2, 0), 1);
    assert_int_equal(nodes[0], 3);
    assert_int_equal(choose("preferred:1", 8, 8, 2, 0), 1);
    assert_int_equal(nodes[0], 1);
    assert_int_equal(choose("preferred:1", 20, 20, 2, 0), 1);
    assert_true(nodes[0] == 2 || nodes[0] == 3);
    assert_int_equal(choose("preferred:7", 20, 20, 2, 0), 1);
    assert_int_equal(choose("spread", 16, 32, 8, 0), 4);
    assert_int_equal(nodes[0] + nodes[1] + nodes[2] + nodes[3], 6);
    assert_int_equal(choose("spread:0,33", 16, 16, 8, 0), 2);
    assert_int_equal(choose("interleave", 16, 16, 8, 0), 1);
    assert_int_equal(choose("keep", 8, 8, 2, 0), 0);
}

static void
test_so_many_cells_as_asked(void **state)
{
    (void) state;
    make_host(2, 64, 16);
    assert_int_equal(choose("auto", 8, 8, 2, 2), 2);
    assert_int_equal(nodes[0] + nodes[1], 1);
    assert_int_equal(choose("auto", 8, 8, 2, 5), 5);
    assert_int_equal(nodes[4], nodes[0]);
    assert_int_equal(choose("strict:1", 8, 8, 2, 2), 2);
    assert_int_equal(nodes[1], 1);
    assert_int_equal(choose("auto", 8, 8, 2, 10 * LP_MAX_CELLS), LP_MAX_CELLS);
    use[0].free_bytes = use[1].free_bytes = 0;
    assert_int_equal(choose("auto", 8, 8, 2, 2), 2);
    assert_true(nodes[0] >= 0 && nodes[0] < 2);
}

static void
test_nodes_of_other_kinds(void **state)
{
    (void) state;
    make_host(4, 64, 16);
    numa_host_cpus(&host, 1, 0);               /* memory alone */
    host.nodes[0].memory_bytes = 0;            /* processors alone */
    use[0].free_bytes = 0;
    host.nodes[2].tier = LP_TIER_SLOW;
    use[2].free_bytes = 60 * GIB;
    assert_int_equal(choose("auto", 8, 8, 2, 0), 1);
    assert_int_equal(nodes[0], 3);
    use[3].free_bytes = 4 * GIB;
    assert_int_equal(choose("auto", 8, 8, 2, 0), 1);
    assert_int_equal(nodes[0], 2);
    use[2].free_bytes = 4 * GIB;
    assert_int_equal(choose("auto", 16, 16, 2, 0), 1);
    assert_int_equal(nodes[0], 1);
    host.n_nodes = 0;
    assert_int_equal(choose("auto", 8, 8, 2, 0), 0);
}

static void
test_figures_beyond_all(void **state)
{
    (void) state;
    make_host(64, 64, 16);
    for (uint32_t i = 0; i < 64; i++) {
        use[i].vcpus = UINT32_MAX;
        use[i].free_bytes = UINT64_MAX;
        host.nodes[i].memory_bytes = UINT64_MAX;
    }
    assert_int_equal(choose("auto", UINT64_MAX / GIB, UINT64_MAX / GIB, UINT32_MAX, 0), 1);
    assert_int_equal(choose("spread", 0, 0, 0, 0), 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_node_if_its_maximum_fits),
        cmocka_unit_test(test_vcpus_are_spread),
        cmocka_unit_test(test_the_nearest_set),
        cmocka_unit_test(test_cells_are_for_long),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_so_many_cells_as_asked),
        cmocka_unit_test(test_nodes_of_other_kinds),
        cmocka_unit_test(test_figures_beyond_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
