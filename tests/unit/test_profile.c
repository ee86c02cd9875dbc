/* The rules of a profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/profile.h"

#define SEED 20261123u
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

static LpProfile
good_profile(void)
{
    return (LpProfile) {
        .version = LP_PROFILE_VERSION,
        .generation = 1,
        .cpu = { 1, 2, 4 },
        .mem = { GIB, 2 * GIB, 4 * GIB },
        .capacity = { .entitled_centi = 50, .weight = LP_WEIGHT_DEFAULT },
        .n_cells = 2,
        .autoscale = { .mode = LP_MODE_OFF, .goal = LP_GOAL_BALANCED,
                       .priority = LP_PRIORITY_DEFAULT },
    };
}

/* One change at a time, each to the edge of its rule and one step beyond. */
static void
test_each_rule(void **state)
{
    LpProfile p;

    (void) state;
#define CHECK(change, verdict)                                \
    do {                                                      \
        p = good_profile();                                   \
        change;                                               \
        assert_int_equal(lp_profile_check(&p), verdict);      \
    } while (0)
    CHECK((void) p, LP_PROFILE_OK);
    CHECK(p.cpu.min = 0, LP_PROFILE_CPU_ZERO);
    CHECK(p.cpu.min = 3, LP_PROFILE_CPU_ORDER);
    CHECK(p.cpu.min = 2, LP_PROFILE_OK);
    CHECK(p.cpu.desired = 5, LP_PROFILE_CPU_ORDER);
    CHECK(p.cpu.max = LP_MAX_CPUS, LP_PROFILE_OK);
    CHECK(p.cpu.max = LP_MAX_CPUS + 1, LP_PROFILE_CPU_MANY);
    CHECK(p.mem.min_bytes = 3 * GIB, LP_PROFILE_MEM_ORDER);
    CHECK(p.mem.desired_bytes = 5 * GIB, LP_PROFILE_MEM_ORDER);
    CHECK(p.mem.min_bytes += MIB, LP_PROFILE_MEM_BLOCK);
    CHECK(p.mem.desired_bytes += 1, LP_PROFILE_MEM_BLOCK);
    CHECK(p.mem.max_bytes -= MIB, LP_PROFILE_MEM_BLOCK);
    CHECK(p.mem.min_bytes += 2 * MIB, LP_PROFILE_OK);
    CHECK((p.mem.min_bytes = p.mem.desired_bytes = p.mem.max_bytes = LP_MEM_MAX_BYTES),
          LP_PROFILE_OK);
    CHECK((p.mem.max_bytes = LP_MEM_MAX_BYTES + 2 * MIB), LP_PROFILE_MEM_MANY);
    CHECK(p.mem.min_bytes = GIB - 2 * MIB, LP_PROFILE_MEM_BASE);
    CHECK(p.capacity.weight = 0, LP_PROFILE_OK);
    CHECK(p.capacity.weight = 255, LP_PROFILE_OK);
    CHECK(p.capacity.weight = 256, LP_PROFILE_WEIGHT);
    CHECK(p.capacity.entitled_centi = 10, LP_PROFILE_OK);
    CHECK(p.capacity.entitled_centi = 9, LP_PROFILE_ENTITLED_LOW);
    CHECK(p.capacity.entitled_centi = 200, LP_PROFILE_OK);
    CHECK(p.capacity.entitled_centi = 201, LP_PROFILE_ENTITLED_HIGH);
    CHECK(p.n_cells = 0, LP_PROFILE_CELLS);
    CHECK(p.n_cells = 5, LP_PROFILE_CELLS);
    CHECK((p.cpu.max = 100, p.n_cells = LP_MAX_CELLS + 1), LP_PROFILE_CELLS);
    CHECK(p.version = LP_PROFILE_VERSION + 1, LP_PROFILE_VERSION_NEWER);
    /* Nothing else of a newer schema is judged. */
    CHECK((p.version = 9, p.cpu.min = 0), LP_PROFILE_VERSION_NEWER);
}

static void
test_numa_rules(void **state)
{
    LpProfile p;

    (void) state;
    CHECK(p.numa.mode = LP_NUMA_KEEP, LP_PROFILE_OK);
    CHECK(p.numa.mode = LP_NUMA_MODES, LP_PROFILE_NUMA);
    CHECK(p.numa.mode = LP_NUMA_STRICT, LP_PROFILE_NUMA);
    CHECK((p.numa.mode = LP_NUMA_STRICT, p.numa.n_nodes = 1), LP_PROFILE_OK);
    CHECK(p.numa.n_nodes = 1, LP_PROFILE_NUMA);
    CHECK(p.numa.n_nodes = UINT32_MAX, LP_PROFILE_NUMA);
    CHECK(p.numa.floor = 100, LP_PROFILE_OK);
    CHECK(p.numa.floor = 101, LP_PROFILE_NUMA);
    CHECK(p.numa.floor_action = LP_FLOOR_REFUSE, LP_PROFILE_OK);
    CHECK(p.numa.floor_action = LP_FLOORS, LP_PROFILE_NUMA);
#undef CHECK
}

static void
test_autoscale_rules(void **state)
{
    const LpSchedule day = { .days = 0x3e, .from_minute = 480, .to_minute = 1080,
                             .has_mem_min = true, .mem_min_bytes = 2 * GIB };
    LpProfile p;

    (void) state;
#define CHECK(change, verdict)                                          \
    do {                                                                \
        p = good_profile();                                             \
        for (unsigned i = 0; i < LP_SCHEDULES_MAX; i++)                 \
            p.autoscale.schedules[i] = day;                             \
        p.autoscale.n_schedules = 2;                                    \
        change;                                                         \
        assert_int_equal(lp_profile_check(&p), verdict);                \
    } while (0)
    CHECK((void) p, LP_PROFILE_OK);
    CHECK(p.autoscale.mode = LP_MODES, LP_PROFILE_MODE);
    CHECK(p.autoscale.mode = (LpMode) -1, LP_PROFILE_MODE);
    CHECK(p.autoscale.goal = LP_GOALS, LP_PROFILE_MODE);
    CHECK(p.autoscale.priority = 7, LP_PROFILE_OK);
    CHECK(p.autoscale.priority = 8, LP_PROFILE_PRIORITY);
    CHECK(p.autoscale.release_sec = 86400, LP_PROFILE_OK);
    CHECK(p.autoscale.release_sec = 86401, LP_PROFILE_RELEASE);
    CHECK(p.autoscale.entitled_bytes = GIB, LP_PROFILE_OK);
    CHECK(p.autoscale.entitled_bytes = GIB - 2 * MIB, LP_PROFILE_ENTITLED_MEM);
    CHECK(p.autoscale.entitled_bytes = 4 * GIB, LP_PROFILE_OK);
    CHECK(p.autoscale.entitled_bytes = 4 * GIB + 2 * MIB, LP_PROFILE_ENTITLED_MEM);
    CHECK(p.autoscale.entitled_bytes = 2 * GIB + MIB, LP_PROFILE_ENTITLED_MEM);
    CHECK(p.autoscale.n_schedules = LP_SCHEDULES_MAX + 1, LP_PROFILE_SCHEDULES);
    CHECK(p.autoscale.n_schedules = UINT32_MAX, LP_PROFILE_SCHEDULES);
    CHECK(p.autoscale.schedules[1].days = 0, LP_PROFILE_SCHEDULES);
    CHECK(p.autoscale.schedules[1].has_mem_min = false, LP_PROFILE_SCHEDULES);
    CHECK(p.autoscale.schedules[1].mem_min_bytes = 4 * GIB, LP_PROFILE_OK);
    CHECK(p.autoscale.schedules[1].mem_min_bytes += 4 * GIB, LP_PROFILE_SCHEDULE_MEM);
    CHECK(p.autoscale.schedules[1].mem_min_bytes = MIB * 2, LP_PROFILE_SCHEDULE_MEM);
    CHECK((p.autoscale.schedules[1].has_cpu_max = true, p.autoscale.schedules[1].cpu_max = 4),
          LP_PROFILE_OK);
    CHECK((p.autoscale.schedules[1].has_cpu_max = true, p.autoscale.schedules[1].cpu_max = 5),
          LP_PROFILE_SCHEDULE_CPU);
    CHECK(p.autoscale.n_schedules = LP_SCHEDULES_MAX, LP_PROFILE_OK);
    CHECK((void) p, LP_PROFILE_OK);
    assert_null(lp_profile_bad_schedule(&p));
    p.autoscale.schedules[1].days = 0;
    assert_ptr_equal(lp_profile_bad_schedule(&p), &p.autoscale.schedules[1]);
#undef CHECK
}

/* An older lpard reads what says nothing that is new. */
static void
test_version(void **state)
{
    LpProfile p = good_profile();

    (void) state;
    assert_int_equal(lp_profile_version(&p), 1);
    p.autoscale.mode = LP_MODE_AUTO;
    assert_int_equal(lp_profile_version(&p), 2);
    p.version = 1;
    assert_int_equal(lp_profile_version(&p), 2);
    p.numa.mode = LP_NUMA_SPREAD;
    assert_int_equal(lp_profile_version(&p), 3);
    p = good_profile();
    p.numa.floor = 1;
    assert_int_equal(lp_profile_version(&p), 3);
    assert_int_equal(lp_profile_check(&p), LP_PROFILE_OK);
}

static void
test_base_floor(void **state)
{
    (void) state;
    /* 256 MiB and the page descriptors, where max is small. */
    assert_int_equal(lp_profile_base_floor(512 * MIB, 1), 264 * MIB);
    assert_int_equal(lp_profile_base_floor(0, 1), 256 * MIB);
    /* A quarter, where it is large. */
    assert_int_equal(lp_profile_base_floor(16 * GIB, 1), 4 * GIB);
    /* 128 MiB for each cell. */
    assert_int_equal(lp_profile_base_floor(GIB, 8), GIB);
    /* Whole blocks for each of three cells. */
    assert_int_equal(lp_profile_base_floor(512 * MIB, 3), 384 * MIB);
    assert_int_equal(lp_profile_base_floor(2 * GIB, 3), 516 * MIB);
    assert_int_equal(lp_profile_base_floor(0, 0), 256 * MIB);
}

static void
test_base_floor_properties(void **state)
{
    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t max = ((uint64_t) rand() << 16) + (uint64_t) rand();
        uint32_t cells = 1 + (uint32_t) rand() % LP_MAX_CELLS;
        uint64_t base = lp_profile_base_floor(max, cells);

        assert_int_equal(base % (cells * LP_MEM_BLOCK_BYTES), 0);
        assert_true(base >= LP_BASE_FLOOR_BYTES + max / 64);
        assert_true(base >= max / 4);
        assert_true(base / cells >= LP_CELL_BASE_MIN_BYTES);
        assert_true(lp_profile_base_floor(max + MIB, cells) >= base);
    }
}

/* Whatever the operator's range, the default entitlement is one the rules accept. */
static void
test_default_entitlement(void **state)
{
    LpCpuRange cpu = { 1, 4, 4 };
    LpProfile p = good_profile();

    (void) state;
    assert_int_equal(lp_profile_default_entitlement(&cpu), 40);
    cpu.max = 16;
    assert_int_equal(lp_profile_default_entitlement(&cpu), 80);
    cpu = (LpCpuRange) { UINT32_MAX, UINT32_MAX, UINT32_MAX };
    assert_true(lp_profile_default_entitlement(&cpu) == UINT32_MAX);
    p.n_cells = 1;
    for (uint32_t desired = 1; desired <= LP_MAX_CPUS; desired += 3) {
        for (uint32_t max = desired; max <= LP_MAX_CPUS; max += 7) {
            p.cpu = (LpCpuRange) { 1, desired, max };
            p.capacity.entitled_centi = lp_profile_default_entitlement(&p.cpu);
            assert_int_equal(lp_profile_check(&p), LP_PROFILE_OK);
        }
    }
}

static void
test_cgroup_weights(void **state)
{
    static const struct { uint32_t centi, v1, v2; } CASES[] = {
        { 0, 2, 1 }, { 1, 10, 1 }, { 5, 51, 5 }, { 50, 512, 50 }, { 100, 1024, 100 },
        { 150, 1536, 150 }, { 10000, 102400, 10000 }, { 25600, 262144, 10000 },
        { UINT32_MAX, 262144, 10000 },
    };
    uint32_t last_v1 = 0, last_v2 = 0;

    (void) state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        LpCapacity capacity = { .entitled_centi = CASES[i].centi };

        assert_int_equal(lp_capacity_shares_v1(&capacity), CASES[i].v1);
        assert_int_equal(lp_capacity_weight_v2(&capacity), CASES[i].v2);
    }
    for (uint32_t centi = 0; centi < 30000; centi++) {
        LpCapacity capacity = { .entitled_centi = centi };

        assert_true(lp_capacity_shares_v1(&capacity) >= last_v1);
        assert_true(lp_capacity_weight_v2(&capacity) >= last_v2);
        last_v1 = lp_capacity_shares_v1(&capacity);
        last_v2 = lp_capacity_weight_v2(&capacity);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_autoscale_rules),
        cmocka_unit_test(test_numa_rules),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_base_floor),
        cmocka_unit_test(test_base_floor_properties),
        cmocka_unit_test(test_default_entitlement),
        cmocka_unit_test(test_cgroup_weights),
    };

    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
