/* The affinity score: by hand, at the edges, and its properties on random hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "numa/score.h"
#include "tests/unit/numa_host.h"

#define SEED 20261123u

static LpTopology host;

static void
test_by_hand(void **state)
{
    LpSpread cpu = { { 2, 2 } }, memory = { { 30, 10 } };

    (void) state;
    numa_host(&host, 3, GIB, 4, 20);
    numa_host_distance(&host, 0, 2, 40);
    /* D = (1/2)(3/4)10 + (1/2)(1/4)20 + (1/2)(3/4)20 + (1/2)(1/4)10 = 15; (40 - 15) / (40 - 10) */
    assert_int_equal(lp_score_distance(&host, &cpu, &memory), 1500);
    assert_int_equal(lp_score_local(&host, &cpu, &memory), 8333);
    memory = (LpSpread) { { 1, 1 } };
    cpu = (LpSpread) { { 7 } };
    assert_int_equal(lp_score_distance(&host, &cpu, &memory), 1500);
    cpu = (LpSpread) { { 0, 0, 1 } };
    assert_int_equal(lp_score_distance(&host, &cpu, &memory), 3000);
    assert_int_equal(lp_score_local(&host, &cpu, &memory), 3333);
    /* All as far as can be, all local. */
    memory = (LpSpread) { { 5 } };
    assert_int_equal(lp_score_local(&host, &cpu, &memory), 0);
    memory = (LpSpread) { { 0, 0, 5 } };
    assert_int_equal(lp_score_local(&host, &cpu, &memory), LP_SCORE_MAX);
    assert_int_equal(lp_score_distance(&host, &cpu, &memory), 1000);
}

/* Which way the distance is meant: from the processor to the memory. */
static void
test_distances_of_one_way(void **state)
{
    LpSpread first = { { 1 } }, second = { { 0, 1 } };

    (void) state;
    numa_host(&host, 2, GIB, 4, 20);
    host.distance[0][1] = 30;
    assert_int_equal(lp_score_distance(&host, &first, &second), 3000);
    assert_int_equal(lp_score_distance(&host, &second, &first), 2000);
    assert_int_equal(lp_score_local(&host, &second, &first), 5000);
}

static void
test_edges(void **state)
{
    LpSpread none = { { 0 } }, one = { { 1 } }, all = { { 3, 0, 9 } }, last = { { 0 } };

    (void) state;
    numa_host(&host, 1, GIB, 4, 0);
    assert_int_equal(lp_score_local(&host, &one, &one), LP_SCORE_MAX);
    assert_int_equal(lp_score_local(&host, &none, &one), LP_SCORE_NONE);
    assert_int_equal(lp_score_local(&host, &one, &none), LP_SCORE_NONE);
    assert_int_equal(lp_score_distance(&host, &one, &none), 0);
    /* A table of all 10s: no node is far from any. */
    numa_host(&host, 3, GIB, 4, 10);
    assert_int_equal(lp_score_local(&host, &one, &all), LP_SCORE_MAX);
    assert_int_equal(lp_score_distance(&host, &one, &all), 1000);
    /* Nonsense in the table: taken within the limits. */
    numa_host(&host, 2, GIB, 4, UINT32_MAX);
    host.distance[0][0] = 0;
    last.on[1] = 1;
    assert_int_equal(lp_score_local(&host, &one, &last), 0);
    assert_int_equal(lp_score_local(&host, &one, &one), LP_SCORE_MAX);
    numa_host(&host, 0, 0, 0, 0);
    assert_int_equal(lp_score_local(&host, &one, &one), LP_SCORE_NONE);
}

/* Amounts of any size; the same shares are the same score. */
static void
test_huge_amounts(void **state)
{
    LpSpread cpu, memory;

    (void) state;
    numa_host(&host, 64, GIB, 4, 20);
    for (uint32_t i = 0; i < 64; i++)
        cpu.on[i] = memory.on[i] = UINT64_MAX;
    /* A 64th is local. */
    assert_int_equal(lp_score_local(&host, &cpu, &memory), 156);
    assert_int_equal(lp_score_distance(&host, &cpu, &memory), 1984);
    memset(&memory, 0, sizeof(memory));
    memory.on[63] = UINT64_MAX;
    assert_int_equal(lp_score_local(&host, &cpu, &memory), 156);
    memset(&cpu, 0, sizeof(cpu));
    cpu.on[63] = 1;
    memory.on[0] = 1;
    /* One byte of 2^64 astray does not count, and does no harm. */
    assert_int_equal(lp_score_local(&host, &cpu, &memory), LP_SCORE_MAX);
    for (uint32_t i = 0; i < 64; i++)
        host.distance[0][i] = UINT32_MAX;
    cpu.on[0] = memory.on[0] = UINT64_MAX;
    assert_true(lp_score_local(&host, &cpu, &memory) <= LP_SCORE_MAX);
}

static void
random_spread(LpSpread *spread, uint64_t *chance)
{
    memset(spread, 0, sizeof(*spread));
    for (uint32_t i = 0; i < host.n_nodes; i++)
        spread->on[i] = numa_random(chance, 3) ? numa_random(chance, 1ULL << 32) : 0;
}

static void
test_properties(void **state)
{
    uint64_t chance = SEED, n_cases = 0;

    (void) state;
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 4000; round++) {
        LpSpread cpu, memory, scaled, moved;
        uint32_t local, from, to, before, after;

        numa_host_random(&host, &chance, round % 100 == 0 ? 64 : 8);
        random_spread(&cpu, &chance);
        random_spread(&memory, &chance);
        local = lp_score_local(&host, &cpu, &memory);
        if (local == LP_SCORE_NONE)
            continue;
        n_cases++;
        assert_true(local <= LP_SCORE_MAX);
        /* The unit does not matter, of either. */
        for (uint32_t i = 0; i < host.n_nodes; i++)
            scaled.on[i] = memory.on[i] * 37;
        assert_int_equal(lp_score_local(&host, &cpu, &scaled), local);
        for (uint32_t i = 0; i < host.n_nodes; i++)
            scaled.on[i] = cpu.on[i] * 5;
        assert_int_equal(lp_score_local(&host, &scaled, &memory), local);
        /* Memory that moves to a node nearer to the processors never lowers it, and the reverse. */
        from = (uint32_t) numa_random(&chance, host.n_nodes);
        to = (uint32_t) numa_random(&chance, host.n_nodes);
        moved = (LpSpread) { { 0 } };
        moved.on[from] = 1;
        before = lp_score_distance(&host, &cpu, &moved);
        moved = (LpSpread) { { 0 } };
        moved.on[to] = 1;
        after = lp_score_distance(&host, &cpu, &moved);
        moved = memory;
        moved.on[to] += moved.on[from] / 2;
        moved.on[from] -= moved.on[from] / 2;
        if (from != to && after < before)
            assert_true(lp_score_local(&host, &cpu, &moved) >= local);
        if (from != to && after > before)
            assert_true(lp_score_local(&host, &cpu, &moved) <= local);
    }
    assert_true(n_cases > 2000);
}

static void
test_score_of(void **state)
{
    (void) state;
    assert_int_equal(lp_score_of(5000, LP_SCORE_MAX), 5000);
    assert_int_equal(lp_score_of(5000, 8000), 6250);
    assert_int_equal(lp_score_of(8000, 8000), LP_SCORE_MAX);
    assert_int_equal(lp_score_of(9000, 8000), LP_SCORE_MAX);
    assert_int_equal(lp_score_of(0, 8000), 0);
    assert_int_equal(lp_score_of(0, 0), LP_SCORE_MAX);
    assert_int_equal(lp_score_of(LP_SCORE_NONE, 8000), LP_SCORE_NONE);
    assert_int_equal(lp_score_of(5000, LP_SCORE_NONE), LP_SCORE_NONE);
}

static void
test_mean(void **state)
{
    uint32_t scores[] = { 10000, 4000, LP_SCORE_NONE };
    uint64_t bytes[] = { GIB, 3 * GIB, 50 * GIB };

    (void) state;
    assert_int_equal(lp_score_mean(scores, bytes, 3), 5500);
    assert_int_equal(lp_score_mean(scores + 2, bytes + 2, 1), LP_SCORE_NONE);
    assert_int_equal(lp_score_mean(scores, bytes, 0), LP_SCORE_NONE);
    bytes[0] = bytes[1] = UINT64_MAX;
    assert_int_equal(lp_score_mean(scores, bytes, 3), 7000);
    bytes[0] = bytes[1] = 0;
    assert_int_equal(lp_score_mean(scores, bytes, 2), LP_SCORE_NONE);
}

static void
test_agreement(void **state)
{
    LpSpread memory[3] = { { { 90, 10 } }, { { 0, 100 } } };
    LpSpread cpu[3] = { { { 4 } }, { { 1, 3 } } };

    (void) state;
    numa_host(&host, 4, GIB, 4, 20);
    /* (90 + 100) / 2 and (100 + 75) / 2, of equal weight. */
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 2), 9125);
    memory[1] = (LpSpread) { { 0, 300 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 2), 8937);
    /* The vCPUs changed places: only the memory agrees with itself. */
    cpu[0] = (LpSpread) { { 0, 4 } };
    cpu[1] = (LpSpread) { { 4 } };
    memory[0] = (LpSpread) { { 300 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 2), 5000);
    cpu[0] = cpu[1] = (LpSpread) { { 0 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 2), LP_SCORE_MAX);
    /* No cells to tell apart. */
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 1), LP_SCORE_NONE);
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 0), LP_SCORE_NONE);
    memory[1] = (LpSpread) { { 200, 100 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 2), LP_SCORE_NONE);
    memory[1] = (LpSpread) { { 0 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 2), LP_SCORE_NONE);
    memory[2] = (LpSpread) { { 0, 0, 0, 1 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 3), LP_SCORE_MAX);
    memory[0] = (LpSpread) { { UINT64_MAX } };
    memory[2] = (LpSpread) { { 0, 0, 0, UINT64_MAX } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 3), LP_SCORE_MAX);
    /* On a node without processors the nearest ones are its own. */
    numa_host_cpus(&host, 3, 0);
    numa_host_distance(&host, 3, 1, 15);
    cpu[2] = (LpSpread) { { 0, 8 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 3), LP_SCORE_MAX);
    cpu[2] = (LpSpread) { { 8 } };
    assert_int_equal(lp_score_agreement(&host, cpu, memory, 3), 7500);
}

static void
test_spread_cpus(void **state)
{
    LpSpread spread;
    uint64_t sum = 0;

    (void) state;
    numa_host(&host, 4, GIB, 8, 20);
    numa_host_cpus(&host, 1, 4);
    numa_host_cpus(&host, 2, 0);
    numa_host_distance(&host, 2, 3, 12);
    lp_spread_cpus(&host, 3, 120, &spread);
    assert_int_equal(spread.on[0], 80);
    assert_int_equal(spread.on[1], 40);
    assert_int_equal(spread.on[2] + spread.on[3], 0);
    /* A node without processors is served by the nearest that has some, and those count once. */
    lp_spread_cpus(&host, 4, 7, &spread);
    assert_int_equal(spread.on[3], 7);
    assert_int_equal(spread.on[2], 0);
    lp_spread_cpus(&host, 4 | 8 | 1, 16, &spread);
    assert_int_equal(spread.on[0], 8);
    assert_int_equal(spread.on[3], 8);
    assert_true(lp_score_cpu_nodes(&host, 4 | 8 | 1) == (8 | 1));
    /* None named: all. */
    lp_spread_cpus(&host, 0, UINT64_MAX, &spread);
    for (uint32_t i = 0; i < LP_MAX_NODES; i++)
        sum += spread.on[i];
    assert_true(sum == UINT64_MAX);
    assert_true(spread.on[0] >= spread.on[1] * 2 - 2 && spread.on[0] <= spread.on[1] * 2 + 2);
    lp_spread_cpus(&host, 1, 0, &spread);
    assert_int_equal(spread.on[0], 0);
    /* Nobody has any. */
    numa_host(&host, 2, GIB, 0, 20);
    lp_spread_cpus(&host, 3, 9, &spread);
    assert_int_equal(spread.on[0] + spread.on[1], 0);
    assert_true(lp_score_cpu_nodes(&host, ~0ULL) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_distances_of_one_way),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_huge_amounts),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_score_of),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_spread_cpus),
    };

    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
