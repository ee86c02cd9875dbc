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

/* ------------------------------------------------------------------ hosts of all kinds */

static void
test_one_node_is_left_alone(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 1, 64 * GIB, 16, 20);
    layout_case_add(&host, 16 * GIB, 40, 0);
    host.cells[0].now_cpus = 0;
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->cpus[0], 0);
    lp_layout_free(layout);
}

static void
test_a_host_without_partitions(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_NONE);
    assert_int_equal(layout->n_cells, 0);
    host.topology.n_nodes = 0;
    layout_case_add(&host, GIB, 1, -1);
    lp_layout_free(layout);
    layout = make();
    assert_int_equal(layout->unplaced_bytes, GIB);
    lp_layout_free(layout);
}

/* 64 nodes in four boards; each partition lies on a wrong one. */
static void
test_64_nodes(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 64, 16 * GIB, 16, 40);
    for (uint32_t i = 0; i < 64; i++) {
        host.topology.nodes[i].id = i < 3 ? i : 20 + 3 * i;
        for (uint32_t j = 0; j < 64; j++)
            if (i != j && i / 16 == j / 16)
                host.topology.distance[i][j] = 20;
    }
    for (uint32_t i = 0; i < 64; i++) {
        layout_case_add(&host, 12 * GIB, 8, (int32_t) i);
        layout_case_lies(&host, i, (i + 17) % 64, 4 * GIB);
        host.cells[i].now_cpus = UINT64_C(1) << (i + 32) % 64;
    }
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->moved_bytes, 64 * 4 * GIB);
    lp_layout_free(layout);
}

static void
test_more_partitions_than_processors(void **state)
{
    uint32_t on_node[4] = { 0 };
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 4, 64 * GIB, 4, 20);
    for (uint32_t i = 0; i < 100; i++)
        layout_case_add(&host, GIB, 1, -1);
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->unplaced_bytes, 0);
    for (uint32_t i = 0; i < 100; i++)
        on_node[layout->home[i]]++;
    for (uint32_t j = 0; j < 4; j++)
        assert_int_equal(on_node[j], 25);
    lp_layout_free(layout);
}

/* Four sockets in a ring: the nearest set is two neighbours. */
static void
test_a_partition_larger_than_any_node(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 4, 64 * GIB, 16, 20);
    numa_host_distance(&host.topology, 0, 2, 30);
    numa_host_distance(&host.topology, 1, 3, 30);
    layout_case_add(&host, 100 * GIB, 8, 0);
    host.now[0][0] = 50 * GIB;
    host.now[0][2] = 50 * GIB;
    host.cells[0].now_cpus = 0;
    layout = make();
    assert_int_equal(layout->score[0], LP_SCORE_MAX);
    assert_true(on(layout, 0, 2) == 0 || on(layout, 0, 0) == 0);
    lp_layout_free(layout);

    layout_case_init(&host, 4, 64 * GIB, 16, 20);
    numa_host_distance(&host.topology, 0, 1, 30);
    numa_host_distance(&host.topology, 0, 2, 30);
    numa_host_distance(&host.topology, 0, 3, 30);
    layout_case_add(&host, 100 * GIB, 8, -1);
    layout = make();
    assert_int_equal(layout->score[0], LP_SCORE_MAX);
    assert_int_equal(on(layout, 0, 0), 0);
    assert_int_equal(on(layout, 0, (uint32_t) layout->home[0]), 64 * GIB);
    lp_layout_free(layout);

    layout_case_init(&host, 4, 64 * GIB, 16, 20);
    layout_case_add(&host, 300 * GIB, 8, -1);
    layout = make();
    assert_int_equal(layout->unplaced_bytes, 300 * GIB);
    lp_layout_free(layout);
}

/* More vCPUs than a node has processors are spread, and memory stays. */
static void
test_a_wide_partition(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 4, 64 * GIB, 16, 20);
    layout_case_add(&host, 32 * GIB, 30, 0);
    host.cells[0].now_cpus = 0;
    layout = make();
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(__builtin_popcountll(layout->cpus[0]), 2);
    assert_true(layout->score[0] > 9000);
    lp_layout_free(layout);
    /* To the score 30 vCPUs on 16 processors are near to their memory: that is not made less. */
    host.cells[0].now_cpus = 1;
    layout = make();
    assert_int_equal(layout->host, layout->host_now);
    lp_layout_free(layout);
    host.cells[0].now_bytes = NULL;
    host.cells[0].home = -1;
    layout = make();
    assert_int_equal(__builtin_popcountll(layout->cpus[0]), 2);
    lp_layout_free(layout);
}

/* What is wider than its node needs a second one: not the same for all, if others are as near. */
static void
test_wide_partitions_keep_apart(void **state)
{
    uint32_t on[LP_MAX_NODES] = { 0 };
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 12, 8 * GIB, 2, 20);
    for (uint32_t i = 0; i < 5; i++) {
        layout_case_add(&host, 2 * GIB, 4, (int32_t) i + 4);
        host.cells[i].now_cpus = 0;
    }
    layout = make();
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(__builtin_popcountll(layout->cpus[i]), 2);
        for (uint32_t n = 0; n < 12; n++)
            on[n] += layout->cpus[i] >> n & 1;
    }
    for (uint32_t n = 0; n < 12; n++)
        assert_true(on[n] <= 1);
    lp_layout_free(layout);
}

static void
test_distances_that_say_nothing(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 4, 64 * GIB, 16, 10);
    for (uint32_t i = 0; i < 8; i++) {
        layout_case_add(&host, 12 * GIB, 2, (int32_t) i % 4);
        layout_case_lies(&host, i, (i + 1) % 4, GIB);
    }
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->moved_bytes, 0);
    lp_layout_free(layout);
}

static void
test_nodes_without_processors_or_memory(void **state)
{
    LpLayout *layout;

    (void) state;
    /* 0 and 1 are ordinary, 2 has memory near 1, 3 has processors near 0. */
    layout_case_init(&host, 4, 64 * GIB, 16, 30);
    numa_host_cpus(&host.topology, 2, 0);
    host.topology.nodes[3].memory_bytes = 0;
    numa_host_distance(&host.topology, 1, 2, 17);
    numa_host_distance(&host.topology, 0, 3, 12);
    layout_case_rooms(&host);
    layout_case_add(&host, 40 * GIB, 4, -1);
    layout_case_add(&host, 40 * GIB, 4, -1);
    layout_case_add(&host, 40 * GIB, 4, -1);
    layout = make();
    assert_int_equal(layout->unplaced_bytes, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(on(layout, i, 3), 0);
        if (layout->home[i] == 2)
            assert_int_equal(layout->cpus[i], 2);
    }
    lp_layout_free(layout);

    /* What is crowded at node 0 finds processors at node 1. */
    layout_case_init(&host, 3, 64 * GIB, 8, 30);
    host.topology.nodes[1].memory_bytes = 0;
    numa_host_distance(&host.topology, 0, 1, 11);
    layout_case_rooms(&host);
    host.host.nodes[2].room_bytes = 0;
    layout_case_add(&host, 20 * GIB, 8, 0);
    layout_case_add(&host, GIB, 8, -1);
    layout = make();
    assert_int_equal(on(layout, 1, 0), GIB);
    assert_int_equal(layout->cpus[0] | layout->cpus[1], 3);
    lp_layout_free(layout);
}

static void
test_slow_memory_is_for_the_rest(void **state)
{
    LpLayout *layout;

    (void) state;
    /* As near as the other, so that the tier alone decides. */
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    host.topology.nodes[0].tier = LP_TIER_SLOW;
    layout_case_add(&host, 40 * GIB, 4, -1);
    layout = make();
    assert_int_equal(layout->home[0], 1);
    lp_layout_free(layout);
    layout_case_add(&host, 40 * GIB, 4, -1);
    layout = make();
    assert_int_equal(layout->unplaced_bytes, 0);
    assert_true(layout->home[0] == 0 || layout->home[1] == 0);
    lp_layout_free(layout);
}

static void
test_absurd_figures(void **state)
{
    LpLayoutOrder order = { .max_bytes = UINT64_MAX, .min_gain = UINT32_MAX };
    LpLayoutWeights heavy = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
                              UINT32_MAX, UINT32_MAX };
    LpLayout *layout = lp_layout_new();

    (void) state;
    layout_case_init(&host, 4, UINT64_MAX, 16, UINT32_MAX);
    for (uint32_t i = 0; i < 16; i++) {
        layout_case_add(&host, i % 2 ? UINT64_MAX : 0, i % 3 ? UINT32_MAX : 0, (int32_t) i % 6 - 1);
        host.cells[i].max_bytes = UINT64_MAX;
        host.parts[i].entitled_centi = UINT32_MAX;
        host.cells[i].home = i % 5 ? INT32_MAX : INT32_MIN;
        host.cells[i].now_cpus = ~UINT64_C(0);
    }
    host.parts[3].first_cell = UINT32_MAX;
    host.parts[4].n_cells = UINT32_MAX;
    assert_true(lp_layout_make(&host.host, &order, layout));
    order.weights = &heavy;
    assert_true(lp_layout_make(&host.host, &order, layout));
    (void) lp_layout_cost(&host.host, layout, &heavy);
    memset(&heavy, 0, sizeof(heavy));
    assert_true(lp_layout_make(&host.host, &order, layout));
    lp_layout_free(layout);
    for (uint32_t j = 0; j < 4; j++)
        host.host.nodes[j].room_bytes = 0;
    layout = lp_layout_new();
    assert_true(lp_layout_make(&host.host, NULL, layout));
    lp_layout_free(layout);
}

/* ------------------------------------------------------------------ rules */

static void
set_rule(uint32_t partition, const char *text)
{
    char message[200];

    if (!lp_numa_rule_parse(text, &host.parts[partition].rule, message, sizeof(message)))
        fail_msg("%s", message);
}

static void
test_strict(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 4, 64 * GIB, 16, 20);
    host.topology.nodes[3].id = 33;
    layout_case_add(&host, 40 * GIB, 4, 0);
    layout_case_add(&host, 40 * GIB, 4, 1);
    set_rule(0, "strict:33");
    set_rule(1, "strict:33");
    layout = make();
    /* One has room there; the other stays whole, and what comes for it comes there. */
    assert_int_equal(on(layout, 0, 3) + on(layout, 1, 3), 40 * GIB);
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->home[0], 3);
    assert_int_equal(layout->home[1], 3);
    lp_layout_free(layout);

    /* On a node that the host has not it cannot be; it stays, and nothing more comes for it. */
    set_rule(0, "strict:7");
    set_rule(1, "auto");
    layout = make();
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->home[0], -1);
    assert_int_equal(layout->home[1], 1);
    lp_layout_free(layout);
}

/* The node is full of partitions that may be elsewhere: they make room. */
static void
test_strict_to_a_full_node(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 30 * GIB, 4, 0);
    for (uint32_t i = 0; i < 4; i++)
        layout_case_add(&host, 15 * GIB, 2, 1);
    set_rule(0, "strict:1");
    layout = make();
    assert_int_equal(on(layout, 0, 1), 30 * GIB);
    assert_int_equal(layout->host, LP_SCORE_MAX);
    assert_int_equal(layout->moved_bytes, 60 * GIB);
    lp_layout_free(layout);

    /* Those that may not be moved do not: it stays whole. */
    for (uint32_t i = 1; i < 5; i++)
        host.parts[i].fixed = true;
    layout = make();
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->cpus[0], 1);
    lp_layout_free(layout);
}

static void
test_preferred(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 40 * GIB, 4, 0);
    layout_case_add(&host, 40 * GIB, 4, 1);
    set_rule(0, "preferred:1");
    host.parts[1].fixed = true;
    layout = make();
    assert_int_equal(on(layout, 0, 1), 24 * GIB);
    assert_int_equal(on(layout, 0, 0), 16 * GIB);
    lp_layout_free(layout);
    host.parts[1].fixed = false;
    layout = make();
    assert_int_equal(on(layout, 0, 1), 40 * GIB);
    assert_int_equal(on(layout, 1, 0), 40 * GIB);
    lp_layout_free(layout);
}

static void
test_spread_and_interleave(void **state)
{
    LpLayout *layout;
    LpNodeSet homes = 0;

    (void) state;
    layout_case_init(&host, 4, 64 * GIB, 16, 20);
    layout_case_add(&host, 8 * GIB, 2, 0);
    for (uint32_t i = 1; i < 4; i++)
        layout_case_cell(&host, 8 * GIB, 2, 0);
    set_rule(0, "spread");
    layout_case_add(&host, 20 * GIB, 4, 0);
    set_rule(1, "interleave:0,2");
    layout = make();
    for (uint32_t i = 0; i < 4; i++)
        homes |= UINT64_C(1) << layout->home[i];
    assert_int_equal(homes, 15);
    assert_int_equal(on(layout, 4, 0), 10 * GIB);
    assert_int_equal(on(layout, 4, 2), 10 * GIB);
    assert_int_equal(layout->cpus[4], 5);
    lp_layout_free(layout);
}

static void
test_what_may_not_be_moved(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    for (uint32_t i = 0; i < 3; i++) {
        layout_case_add(&host, 10 * GIB, 2, 0);
        layout_case_lies(&host, i, 1, 4 * GIB);
        host.cells[i].now_cpus = 2;
    }
    set_rule(0, "keep");
    host.parts[1].fixed = true;
    host.cells[2].movable = false;
    layout = make();
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->cpus[0], 2);
    assert_int_equal(layout->cpus[1], 2);
    /* Its memory is locked, its vCPUs are not. */
    assert_int_equal(layout->cpus[2], 1);
    assert_int_equal(layout->score[2], 6000);
    lp_layout_free(layout);
}

/* ------------------------------------------------------------------ bounds */

static void
test_those_asked_for_come_first(void **state)
{
    (void) state;
    for (uint32_t asked = 0; asked < 2; asked++) {
        LpLayout *layout;

        /* Node 0 has room for one of them, node 1 for neither. */
        layout_case_init(&host, 2, 64 * GIB, 16, 20);
        layout_case_add(&host, 22 * GIB, 2, 0);
        layout_case_add(&host, 18 * GIB, 2, 0);
        layout_case_add(&host, 34 * GIB, 2, 0);
        layout_case_add(&host, 54 * GIB, 2, 1);
        layout_case_lies(&host, 0, 1, 8 * GIB);
        layout_case_lies(&host, 1, 1, 2 * GIB);
        host.parts[2].fixed = host.parts[3].fixed = true;
        host.parts[asked].requested = true;
        layout = make();
        assert_int_equal(layout->score[asked], LP_SCORE_MAX);
        assert_true(layout->score[1 - asked] < LP_SCORE_MAX);
        lp_layout_free(layout);
    }
}

static void
test_no_more_bytes_than_allowed(void **state)
{
    LpLayoutOrder order = { .max_bytes = 5 * GIB };
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 20 * GIB, 2, 0);
    layout_case_add(&host, 8 * GIB, 2, 0);
    layout_case_lies(&host, 0, 1, 6 * GIB);
    layout_case_lies(&host, 1, 1, 4 * GIB);
    layout = make_with(&order);
    assert_true(layout->host > layout->host_now);
    assert_int_equal(layout->moved_bytes, 5 * GIB);
    lp_layout_free(layout);
    order.max_bytes = 10 * GIB;
    layout = make_with(&order);
    assert_int_equal(layout->host, LP_SCORE_MAX);
    lp_layout_free(layout);
    order.max_bytes = 1;
    layout = make_with(&order);
    assert_true(layout->moved_bytes <= 1);
    lp_layout_free(layout);
}

/* A rule that the bytes do not suffice for moves nothing. */
static void
test_a_rule_within_few_bytes(void **state)
{
    static const char *const rules[] = { "strict:0", "preferred:0", "strict:0-1", "auto" };
    LpLayoutOrder order = { .max_bytes = 4 * GIB };

    (void) state;
    for (uint32_t i = 0; i < 4; i++) {
        LpLayout *layout;

        layout_case_init(&host, 4, 64 * GIB, 16, 20);
        layout_case_add(&host, 16 * GIB, 4, 1);
        set_rule(0, rules[i]);
        layout_case_add(&host, 8 * GIB, 2, 2);
        layout_case_lies(&host, 1, 3, 2 * GIB);
        host.parts[1].requested = true;
        layout = make_with(&order);
        assert_int_equal(on(layout, 0, 1), 16 * GIB);
        assert_int_equal(layout->cpus[0], 2);
        assert_int_equal(layout->host, LP_SCORE_MAX);
        assert_int_equal(layout->moved_bytes, 2 * GIB);
        lp_layout_free(layout);
    }
}

static void
test_what_gains_too_little_stays(void **state)
{
    LpLayoutOrder order = { .min_gain = 500 };
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 20 * GIB, 2, 0);
    layout_case_add(&host, 20 * GIB, 2, 1);
    layout_case_lies(&host, 0, 1, GIB / 2);      /* 2.5 points */
    layout_case_lies(&host, 1, 0, 2 * GIB);      /* 10 points */
    layout = make_with(&order);
    assert_int_equal(layout->moved_bytes, 2 * GIB);
    assert_int_equal(on(layout, 0, 1), GIB / 2);
    lp_layout_free(layout);
    /* Its rule is no matter of gain. */
    set_rule(0, "strict:0");
    layout = make_with(&order);
    assert_int_equal(on(layout, 0, 0), 20 * GIB);
    lp_layout_free(layout);
}

/* A host that is over its rooms gets no worse, and what must go goes. */
static void
test_a_host_over_its_rooms(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    host.host.nodes[0].room_bytes = 30 * GIB;
    host.host.nodes[1].room_bytes = 10 * GIB;
    for (uint32_t i = 0; i < 5; i++) {
        layout_case_add(&host, 20 * GIB, 2, (int32_t) i % 2);
        host.cells[i].now_cpus = 3;
    }
    layout = make();
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->host, LP_SCORE_MAX);
    lp_layout_free(layout);
}

/* ------------------------------------------------------------------ what else counts */

/* A grant that its node has no room for goes elsewhere, and what was never touched costs
 * nothing. */
static void
test_growth_beyond_the_node(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 60 * GIB, 2, 0);
    host.parts[0].fixed = true;
    layout_case_add(&host, 4 * GIB, 2, 0);
    host.cells[1].bytes = 20 * GIB;
    layout = make();
    assert_int_equal(layout->unplaced_bytes, 0);
    assert_true(layout->moved_bytes <= 4 * GIB);
    assert_int_equal(on(layout, 1, 1), 20 * GIB);
    lp_layout_free(layout);
    host.cells[1].bytes = 80 * GIB;
    layout = make();
    assert_int_equal(layout->unplaced_bytes, 12 * GIB);
    lp_layout_free(layout);
}

/* Both fit either node; the one that may grow goes where it can. */
static void
test_room_to_grow(void **state)
{
    LpLayoutWeights weights = { .locality = 1000, .growth = 1000 };
    LpLayoutOrder order = { .weights = &weights };
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 40 * GIB, 2, 0);
    layout_case_add(&host, 20 * GIB, 2, -1);
    host.cells[1].max_bytes = 50 * GIB;
    layout = make_with(&order);
    assert_int_equal(layout->home[1], 1);
    lp_layout_free(layout);
}

static void
test_cells_that_agree(void **state)
{
    LpLayout *layout;

    (void) state;
    /* Two cells of 40 GiB each: apart anyhow, but with their vCPUs beside them. */
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 40 * GIB, 8, 0);
    layout_case_cell(&host, 40 * GIB, 8, 1);
    host.cells[0].now_cpus = 2;
    host.cells[1].now_cpus = 1;
    layout = make();
    assert_int_equal(layout->moved_bytes, 0);
    assert_int_equal(layout->cpus[0], 1);
    assert_int_equal(layout->cpus[1], 2);
    lp_layout_free(layout);
}

/* Neither cell gains alone: only together, where there is room for both. */
static void
test_cells_go_together(void **state)
{
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 3, 64 * GIB, 16, 20);
    layout_case_add(&host, 10 * GIB, 4, 0);
    layout_case_cell(&host, 10 * GIB, 4, 1);
    layout_case_add(&host, 50 * GIB, 4, 0);
    layout_case_add(&host, 50 * GIB, 4, 1);
    host.parts[1].fixed = host.parts[2].fixed = true;
    layout = make();
    assert_int_equal(layout->score_now[0], 5000);
    assert_int_equal(layout->score[0], LP_SCORE_MAX);
    assert_int_equal(on(layout, 0, 2), 10 * GIB);
    assert_int_equal(on(layout, 1, 2), 10 * GIB);
    lp_layout_free(layout);
}

/* Full nodes and a little room: the way is in small pieces, each of which fits. */
static void
test_the_way_of_a_swap(void **state)
{
    uint64_t used[2] = { 64 * GIB, 63 * GIB };
    LpLayoutMove *moves;
    LpLayout *layout;
    size_t n;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 64 * GIB, 4, 0);
    layout_case_add(&host, 63 * GIB, 4, 1);
    layout_case_lies(&host, 0, 1, 30 * GIB);
    layout_case_lies(&host, 1, 0, 30 * GIB);
    layout = make();
    assert_int_equal(layout->host, LP_SCORE_MAX);
    n = lp_layout_moves(&host.host, layout, &moves);
    assert_true(n >= 4 && n < 200);
    for (size_t i = 0; i < n; i++) {
        used[moves[i].to] += moves[i].bytes;
        assert_true(used[moves[i].to] <= 64 * GIB);
        used[moves[i].from] -= moves[i].bytes;
    }
    free(moves);
    lp_layout_free(layout);
}

static void
test_weights_are_what_it_costs(void **state)
{
    LpLayoutWeights weights = { .locality = 1000 };
    LpLayout *layout;

    (void) state;
    layout_case_init(&host, 2, 64 * GIB, 16, 20);
    layout_case_add(&host, 32 * GIB, 4, 0);
    layout_case_lies(&host, 0, 1, 8 * GIB);
    layout = make();
    assert_int_equal(lp_layout_cost(&host.host, layout, &weights), 0);
    /* A quarter is copied: a quarter of the weight of all. */
    weights.movement = 4000;
    assert_int_equal(lp_layout_cost(&host.host, layout, &weights), 1000);
    /* As it lies it has 75 points: 25 are lost. */
    memcpy(layout->bytes, host.now[0], 2 * sizeof(uint64_t));
    layout->cpus[0] = 1;
    assert_in_range(lp_layout_cost(&host.host, layout, &weights), 24990, 25010);
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
        cmocka_unit_test(test_one_node_is_left_alone),
        cmocka_unit_test(test_a_host_without_partitions),
        cmocka_unit_test(test_64_nodes),
        cmocka_unit_test(test_more_partitions_than_processors),
        cmocka_unit_test(test_a_partition_larger_than_any_node),
        cmocka_unit_test(test_a_wide_partition),
        cmocka_unit_test(test_wide_partitions_keep_apart),
        cmocka_unit_test(test_distances_that_say_nothing),
        cmocka_unit_test(test_nodes_without_processors_or_memory),
        cmocka_unit_test(test_slow_memory_is_for_the_rest),
        cmocka_unit_test(test_absurd_figures),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_strict_to_a_full_node),
        cmocka_unit_test(test_preferred),
        cmocka_unit_test(test_spread_and_interleave),
        cmocka_unit_test(test_what_may_not_be_moved),
        cmocka_unit_test(test_those_asked_for_come_first),
        cmocka_unit_test(test_no_more_bytes_than_allowed),
        cmocka_unit_test(test_a_rule_within_few_bytes),
        cmocka_unit_test(test_what_gains_too_little_stays),
        cmocka_unit_test(test_a_host_over_its_rooms),
        cmocka_unit_test(test_growth_beyond_the_node),
        cmocka_unit_test(test_room_to_grow),
        cmocka_unit_test(test_cells_that_agree),
        cmocka_unit_test(test_cells_go_together),
        cmocka_unit_test(test_the_way_of_a_swap),
        cmocka_unit_test(test_weights_are_what_it_costs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
