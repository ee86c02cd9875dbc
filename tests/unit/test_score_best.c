/* The best a host can do for a partition: by hand, at the edges, and against all that it could
 * do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "numa/score.h"
#include "tests/unit/numa_host.h"

#define SEED 20261124u
#define ALL (~0ULL)

static LpTopology host;

static void
test_by_hand(void **state)
{
    uint64_t room[4] = { GIB, GIB, GIB, 3 * GIB };

    (void) state;
    numa_host(&host, 4, 4 * GIB, 4, 20);
    numa_host_distance(&host, 0, 1, 12);
    numa_host_distance(&host, 2, 3, 30);
    /* One node is enough. */
    assert_int_equal(lp_score_best(&host, NULL, ALL, 4 * GIB, 4), LP_SCORE_MAX);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 1, 1), LP_SCORE_MAX);
    /* Twice a node: 0 and 1, half of it at 12.  (30 - 11) / (30 - 10) */
    assert_int_equal(lp_score_best(&host, NULL, ALL, 8 * GIB, 8), 9500);
    /* The same where that pair may not be used: half at 20. */
    assert_int_equal(lp_score_best(&host, NULL, 1 | 4, 8 * GIB, 8), 7500);
    assert_int_equal(lp_score_best(&host, NULL, 4 | 8, 8 * GIB, 8), 5000);
    /* Processors for one node, memory for two: all of them at the first. */
    assert_int_equal(lp_score_best(&host, NULL, ALL, 8 * GIB, 4), 9500);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 6 * GIB, 4), 9666);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 4 * GIB, 6), 9666);
    /* What others hold is no room. */
    assert_int_equal(lp_score_best(&host, room, ALL, 3 * GIB, 4), LP_SCORE_MAX);
    assert_int_equal(lp_score_best(&host, room, 7, 3 * GIB, 4), 8000);
}

static void
test_edges(void **state)
{
    (void) state;
    numa_host(&host, 1, 4 * GIB, 4, 0);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 4 * GIB, 4), LP_SCORE_MAX);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 4 * GIB, UINT32_MAX), LP_SCORE_MAX);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 4 * GIB + 1, 4), LP_SCORE_NONE);
    assert_int_equal(lp_score_best(&host, NULL, ALL, UINT64_MAX, 4), LP_SCORE_NONE);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 0, 4), LP_SCORE_NONE);
    assert_int_equal(lp_score_best(&host, NULL, ALL, GIB, 0), LP_SCORE_NONE);
    assert_int_equal(lp_score_best(&host, NULL, 0, GIB, 1), LP_SCORE_NONE);
    assert_int_equal(lp_score_best(&host, NULL, 2, GIB, 1), LP_SCORE_NONE);
    /* Nobody is far from anything. */
    numa_host(&host, 3, 4 * GIB, 4, 10);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 12 * GIB, 12), LP_SCORE_MAX);
    /* No processors at all. */
    numa_host(&host, 2, 4 * GIB, 0, 20);
    assert_int_equal(lp_score_best(&host, NULL, ALL, GIB, 1), LP_SCORE_NONE);
    numa_host(&host, 0, 0, 0, 0);
    assert_int_equal(lp_score_best(&host, NULL, ALL, GIB, 1), LP_SCORE_NONE);
    numa_host(&host, 2, UINT64_MAX, 4, 20);
    assert_int_equal(lp_score_best(&host, NULL, ALL, UINT64_MAX, 4), LP_SCORE_MAX);
    assert_int_equal(lp_score_best(&host, NULL, ALL, UINT64_MAX, 8), 5000);
}

/* Memory without processors, and processors without memory. */
static void
test_half_nodes(void **state)
{
    (void) state;
    numa_host(&host, 3, 4 * GIB, 4, 20);
    numa_host_cpus(&host, 2, 0);
    numa_host_distance(&host, 1, 2, 17);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 4 * GIB, 4), LP_SCORE_MAX);
    /* Only its memory is allowed: from the nearest processors, (20 - 17) / 10. */
    assert_int_equal(lp_score_best(&host, NULL, 4, 4 * GIB, 4), 3000);
    assert_int_equal(lp_score_best(&host, NULL, 4 | 2, 8 * GIB, 4), 6500);
    host.nodes[0].memory_bytes = 0;
    assert_int_equal(lp_score_best(&host, NULL, 1, 1, 1), LP_SCORE_NONE);
    assert_int_equal(lp_score_best(&host, NULL, 1 | 2, GIB, 8), 5000);
    /* All processors far from all memory: that is then the best, and 100 of it. */
    numa_host(&host, 2, 4 * GIB, 4, 20);
    numa_host_cpus(&host, 1, 0);
    host.nodes[0].memory_bytes = 0;
    assert_int_equal(lp_score_best(&host, NULL, ALL, GIB, 1), 0);
    assert_int_equal(lp_score_of(0, 0), LP_SCORE_MAX);
}

/* More vCPUs than processors: each carries as few as can be. */
static void
test_more_vcpus_than_processors(void **state)
{
    (void) state;
    numa_host(&host, 2, 4 * GIB, 4, 20);
    assert_int_equal(lp_score_best(&host, NULL, ALL, GIB, 8), 5000);
    assert_int_equal(lp_score_best(&host, NULL, ALL, GIB, 9), 8888);
    assert_int_equal(lp_score_best(&host, NULL, ALL, GIB, 16), 5000);
    assert_int_equal(lp_score_best(&host, NULL, 1, GIB, 9), LP_SCORE_MAX);
    assert_true(lp_score_best(&host, NULL, ALL, GIB, UINT32_MAX) <= 5001);
}

/* Everything that could be: memory in whole units, vCPUs one by one. */
typedef struct {
    uint32_t n, vcpus, left_vcpus;
    uint64_t room[LP_MAX_NODES], cap[LP_MAX_NODES];
    LpSpread memory, cpu;
    uint32_t best;
} Brute;

static void
brute_cpus(Brute *brute, uint32_t i, uint32_t left)
{
    if (i == brute->n) {
        uint32_t local;

        if (left > 0)
            return;
        local = lp_score_local(&host, &brute->cpu, &brute->memory);
        if (brute->best == LP_SCORE_NONE || local > brute->best)
            brute->best = local;
        return;
    }
    for (uint64_t k = 0; k <= left && k <= brute->cap[i]; k++) {
        brute->cpu.on[i] = k;
        brute_cpus(brute, i + 1, left - (uint32_t) k);
    }
    brute->cpu.on[i] = 0;
}

static void
brute_memory(Brute *brute, uint32_t i, uint64_t left)
{
    if (i == brute->n) {
        if (left == 0)
            brute_cpus(brute, 0, brute->vcpus);
        return;
    }
    for (uint64_t k = 0; k <= left && k <= brute->room[i]; k++) {
        brute->memory.on[i] = k;
        brute_memory(brute, i + 1, left - k);
    }
    brute->memory.on[i] = 0;
}

static void
test_against_brute_force(void **state)
{
    uint64_t chance = SEED;
    unsigned n_split = 0, n_none = 0;

    (void) state;
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 3000; round++) {
        Brute brute = { .best = LP_SCORE_NONE };
        LpNodeSet allowed, runs;
        uint64_t memory = numa_random(&chance, 8), n_cpus = 0;
        uint32_t vcpus = (uint32_t) numa_random(&chance, 7), got;

        numa_host_random(&host, &chance, 4);
        allowed = numa_random(&chance, 3) ? ALL : numa_random(&chance, 16);
        runs = lp_score_cpu_nodes(&host, allowed);
        brute.n = host.n_nodes;
        brute.vcpus = vcpus;
        for (uint32_t i = 0; i < host.n_nodes; i++) {
            brute.room[i] = numa_random(&chance, 6);
            brute.cap[i] = runs & 1ULL << i ? lp_cpumask_count(&host.nodes[i].cpus) : 0;
            n_cpus += brute.cap[i];
        }
        got = lp_score_best(&host, brute.room, allowed, memory, vcpus);
        for (uint32_t i = 0; i < host.n_nodes; i++) {
            brute.room[i] = allowed & 1ULL << i ? brute.room[i] : 0;
            brute.cap[i] *= n_cpus == 0 ? 0 : (vcpus + n_cpus - 1) / n_cpus;
        }
        if (memory > 0 && vcpus > 0)
            brute_memory(&brute, 0, memory);
        if (got != brute.best)
            fail_msg("round %u: %u, and %u can be had", round, got, brute.best);
        n_split += got > 0 && got < LP_SCORE_MAX;
        n_none += got == LP_SCORE_NONE;
    }
    print_message("# %u of 3000 cases are split, %u do not fit\n", n_split, n_none);
    /* The cases are worth something. */
    assert_true(n_split > 500 && n_none > 300 && n_none < 2000);
}

/* All corners of the memory, whatever their number: exact for any host, and slow. */
static void
corners(Brute *brute, uint32_t i, uint64_t left, bool has_part)
{
    if (left == 0) {
        uint64_t way[LP_MAX_NODES];
        LpNodeSet done = 0;
        uint32_t vcpus = brute->vcpus, local;

        memset(&brute->cpu, 0, sizeof(brute->cpu));
        for (uint32_t k = 0; k < brute->n; k++) {
            way[k] = 0;
            for (uint32_t j = 0; j < brute->n; j++)
                way[k] += brute->memory.on[j] * host.distance[k][j];
        }
        while (vcpus > 0) {
            uint32_t best = brute->n;

            for (uint32_t k = 0; k < brute->n; k++) {
                if (!(done & 1ULL << k) && (best == brute->n || way[k] < way[best]))
                    best = k;
            }
            done |= 1ULL << best;
            brute->cpu.on[best] = vcpus < brute->cap[best] ? vcpus : brute->cap[best];
            vcpus -= (uint32_t) brute->cpu.on[best];
        }
        local = lp_score_local(&host, &brute->cpu, &brute->memory);
        if (brute->best == LP_SCORE_NONE || local > brute->best)
            brute->best = local;
        return;
    }
    if (i == brute->n)
        return;
    corners(brute, i + 1, left, has_part);
    if (brute->room[i] <= left) {
        brute->memory.on[i] = brute->room[i];
        corners(brute, i + 1, left - brute->room[i], has_part);
    }
    if (!has_part) {
        for (uint64_t k = 1; k < brute->room[i] && k <= left; k++) {
            brute->memory.on[i] = k;
            corners(brute, i + 1, left - k, true);
        }
    }
    brute->memory.on[i] = 0;
}

/* Distances as machines have them: boards of packages of nodes, with another way at each step. */
static void
nest_distances(uint64_t *chance)
{
    uint32_t inner = 2 + (uint32_t) numa_random(chance, 3), outer = inner * 2;
    uint32_t near = 11 + (uint32_t) numa_random(chance, 6), middle = near + 5, far = middle + 11;

    for (uint32_t i = 0; i < host.n_nodes; i++) {
        for (uint32_t j = 0; j < i; j++)
            numa_host_distance(&host, i, j, i / inner == j / inner   ? near
                                            : i / outer == j / outer ? middle
                                                                     : far);
    }
}

/* With more nodes than are searched exactly, within a thousandth of the best where distances are as
 * machines have them, and within two hundredths where they are chance. */
static void
test_many_nodes(void **state)
{
    uint64_t chance = SEED + 1;
    uint32_t worst[2] = { 0 };

    (void) state;
    for (unsigned round = 0; round < 200; round++) {
        bool is_nested = round % 2;
        Brute brute = { .best = LP_SCORE_NONE };
        uint64_t memory = 0, sum = 0;
        uint32_t got, gap;

        numa_host(&host, 9 + (uint32_t) numa_random(&chance, 4), 4 * GIB, 4, 20);
        for (uint32_t i = 0; i < host.n_nodes; i++) {
            for (uint32_t j = 0; j < i; j++)
                numa_host_distance(&host, i, j, 11 + (uint32_t) numa_random(&chance, 30));
        }
        if (is_nested)
            nest_distances(&chance);
        brute.n = host.n_nodes;
        for (uint32_t i = 0; i < host.n_nodes; i++) {
            brute.room[i] = numa_random(&chance, 3) ? 2 : numa_random(&chance, 3);
            brute.cap[i] = 4;
            sum += brute.room[i];
        }
        memory = 1 + numa_random(&chance, sum < 9 ? sum : 9);
        brute.vcpus = 1 + (uint32_t) numa_random(&chance, 20);
        got = lp_score_best(&host, brute.room, ALL, memory, brute.vcpus);
        corners(&brute, 0, memory, false);
        assert_true(got <= brute.best);
        gap = brute.best - got;
        worst[is_nested] = gap > worst[is_nested] ? gap : worst[is_nested];
    }
    print_message("# at most %u too low by chance, %u nested\n", worst[0], worst[1]);
    assert_true(worst[0] <= 200 && worst[1] <= 10);
}

/* 64 nodes in pairs, groups of 8, and further: where the best is known. */
static void
test_64_nodes(void **state)
{
    (void) state;
    numa_host(&host, 64, 4 * GIB, 16, 50);
    for (uint32_t i = 0; i < 64; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (i / 8 == j / 8)
                numa_host_distance(&host, i, j, i / 2 == j / 2 ? 12 : 20);
        }
    }
    assert_int_equal(lp_score_best(&host, NULL, ALL, 8 * GIB, 32), 9750);
    /* A whole group: (10 + 12 + 6 * 20) / 8 = 17.75 */
    assert_int_equal(lp_score_best(&host, NULL, ALL, 32 * GIB, 128), 8062);
    /* All of the host: (142 + 56 * 50) / 64 = 45.97 */
    assert_int_equal(lp_score_best(&host, NULL, ALL, 256 * GIB, 1024), 1007);
    assert_int_equal(lp_score_best(&host, NULL, ALL, 256 * GIB + 1, 1024), LP_SCORE_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_half_nodes),
        cmocka_unit_test(test_more_vcpus_than_processors),
        cmocka_unit_test(test_against_brute_force),
        cmocka_unit_test(test_many_nodes),
        cmocka_unit_test(test_64_nodes),
    };

    return cmocka_run_group_tests_name("score-best", tests, NULL, NULL);
}
