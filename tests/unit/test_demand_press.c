/* Memory under pressure: the signs, the steps, what remains after it; liars and clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/demand_case.h"

/* Calm for a minute, in `granted`, of which `used` is in use. */
static void
begin(DemandCase *c, LpGoal goal, uint64_t granted, uint64_t used)
{
    demand_case_init(c, goal);
    demand_case_grant(c, granted);
    demand_case_use(c, used, 100);
    demand_case_ticks(c, MINUTE, 1000);
    assert_false(c->demand.mem_pressed);
}

/* 95 % in use: neither hidden, nor so much free that pressure is doubted. */
static void
begin_tight(DemandCase *c, LpGoal goal)
{
    begin(c, goal, 8 * GIB, 8 * GIB * 95 / 100);
}

static void
test_psi_limits(void **state)
{
    static const uint32_t LIMITS[LP_GOALS] = { 100, 300, 1000 };

    (void)state;
    for (int goal = 0; goal < LP_GOALS; goal++) {
        DemandCase c;

        begin_tight(&c, (LpGoal)goal);
        c.seen.psi_some_centi = LIMITS[goal] - 1;
        assert_false(demand_case_tick(&c, 1000)->mem_pressed);
        c.seen.psi_some_centi = LIMITS[goal];
        demand_case_tick(&c, 1000);
        assert_true(c.demand.mem_pressed);
        assert_int_equal(c.demand.mem_why, LP_WHY_PRESSURE);
        assert_true(c.demand.want_bytes >= 9 * GIB);
        assert_true(c.demand.need_bytes == 9 * GIB);
        assert_true(c.state.mem_pressed_msec == c.now_msec);
        /* A balloon has no PSI, whatever the figure is. */
        begin_tight(&c, (LpGoal)goal);
        c.seen.mem_by = LP_SEEN_BALLOON;
        c.seen.psi_some_centi = 9000;
        assert_false(demand_case_tick(&c, 1000)->mem_pressed);
        c.seen.mem_by = LP_SEEN_AGENT;
        c.seen.has_psi = false;
        assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    }
}

/* Steps rise while it lasts; each is of what is granted then. */
static void
test_steps_rise(void **state)
{
    static const uint64_t EIGHTHS[] = { 9, 10, 11, 12, 12, 12 };
    DemandCase c;

    (void)state;
    begin_tight(&c, LP_GOAL_BALANCED);
    c.seen.psi_some_centi = 2000;
    for (size_t i = 0; i < sizeof(EIGHTHS) / sizeof(EIGHTHS[0]); i++) {
        demand_case_tick(&c, 1000);
        assert_true(c.demand.want_bytes == EIGHTHS[i] * GIB);
        assert_int_equal(c.state.pressed_ticks, i + 1);
    }
    c.seen.psi_some_centi = 0;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    assert_int_equal(c.state.pressed_ticks, 0);
    assert_true(c.state.mem_asked_bytes == 0);
    c.seen.psi_some_centi = 2000;
    demand_case_tick(&c, 1000);
    assert_int_equal(c.state.pressed_ticks, 1);
}

/* The same sample, seen again at later ticks, is no further sign. */
static void
test_one_sample_one_step(void **state)
{
    DemandCase c;

    (void)state;
    begin_tight(&c, LP_GOAL_BALANCED);
    c.seen.psi_some_centi = 2000;
    demand_case_tick(&c, 1000);
    for (int i = 0; i < 40; i++) {
        c.seen.mem_age_msec += 1000;
        demand_case_tick(&c, 1000);
        assert_true(c.demand.mem_pressed);
        assert_true(c.demand.want_bytes == 9 * GIB);
        assert_int_equal(c.state.pressed_ticks, 1);
    }
    /* With some free, a part of it is needed at once. */
    c.seen.mem_age_msec = 0;
    demand_case_use(&c, 7 * GIB, 100);
    demand_case_ticks(&c, 2000, 1000);
    assert_true(c.state.mem_asked_bytes == 11 * GIB);
    assert_true(c.demand.need_bytes == 8 * GIB + GIB / 2);
    begin_tight(&c, LP_GOAL_BALANCED);
    c.seen.psi_some_centi = 2000;
    demand_case_tick(&c, 1000);
    /* Nor is it after the growth that it asked for. */
    c.granted_bytes = 9 * GIB;
    c.seen.mem_age_msec += 1000;
    demand_case_tick(&c, 1000);
    assert_true(c.demand.want_bytes == 9 * GIB);
}

/* PSI's average falls slowly: once there is room, it is waited for. */
static void
test_waits_for_relief(void **state)
{
    DemandCase c;
    uint32_t psi = 3000;

    (void)state;
    begin_tight(&c, LP_GOAL_BALANCED);
    c.seen.psi_some_centi = psi;
    demand_case_tick(&c, 1000);
    demand_case_grant(&c, c.demand.want_bytes);
    while (psi >= 300) {
        demand_case_tick(&c, 1000);
        assert_true(c.demand.mem_pressed);
        assert_true(c.demand.want_bytes == 9 * GIB);
        psi -= psi / 5;
        demand_case_tick(&c, 1000);
        c.seen.psi_some_centi = psi;
    }
    /* It falls, and rises again. */
    c.seen.psi_some_centi = 3000;
    demand_case_tick(&c, 1000);
    c.seen.psi_some_centi = 2000;
    demand_case_tick(&c, 1000);
    assert_true(c.state.mem_asked_bytes == 9 * GIB);
    c.seen.psi_some_centi = 2500;
    assert_true(demand_case_tick(&c, 1000)->want_bytes > 10 * GIB);
    /* It does not fall: what was given does not do. */
    c.seen.psi_some_centi = 3000;
    demand_case_ticks(&c, 5000, 1000);
    assert_true(c.demand.want_bytes > 11 * GIB);
}

/* Nothing free: there is no waiting, a guest four times as big as it may be is done in 5 ticks. */
static void
test_grows_fast(void **state)
{
    DemandCase c;
    int ticks = 0;

    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        begin(&c, LP_GOAL_BALANCED, 2 * GIB, GIB);
        c.seen.mem_by = agent ? LP_SEEN_AGENT : LP_SEEN_BALLOON;
        for (ticks = 0; c.granted_bytes < 8 * GIB; ticks++) {
            c.seen.psi_some_centi = agent ? 5000 : 0;
            demand_case_use(&c, c.granted_bytes, 100);
            demand_case_tick(&c, 1000);
            assert_true(c.demand.mem_pressed);
            assert_int_equal(c.demand.mem_why, agent ? LP_WHY_PRESSURE : LP_WHY_WORKING_SET);
            assert_true(c.demand.want_bytes <= 2 * c.granted_bytes);
            demand_case_grant(&c, c.demand.want_bytes);
        }
        assert_true(ticks <= 5);
    }
}

/* What is granted and not online yet is waited for, but not for ever. */
static void
test_waits_for_arrival(void **state)
{
    DemandCase c;

    (void)state;
    begin(&c, LP_GOAL_BALANCED, 2 * GIB, GIB);
    demand_case_use(&c, 2 * GIB, 100);
    demand_case_tick(&c, 1000);
    assert_true(c.demand.mem_pressed);
    c.granted_bytes = 4 * GIB;
    for (int i = 0; i < 10; i++)
        assert_true(demand_case_tick(&c, 1000)->want_bytes == 4 * GIB);
    assert_true(demand_case_ticks(&c, 2000, 1000)->want_bytes > 4 * GIB);
}

static void
test_oom(void **state)
{
    DemandCase c;

    (void)state;
    begin(&c, LP_GOAL_DENSITY, 8 * GIB, 4 * GIB);
    c.seen.oom_kills = 1;
    demand_case_tick(&c, 1000);
    assert_int_equal(c.demand.mem_why, LP_WHY_OOM);
    assert_true(c.demand.want_bytes == 12 * GIB);
    /* Again, although it has just grown. */
    demand_case_grant(&c, 12 * GIB);
    c.seen.oom_kills = 2;
    assert_true(demand_case_tick(&c, 1000)->want_bytes == 18 * GIB);
    begin(&c, LP_GOAL_DENSITY, 8 * GIB, 4 * GIB);
    c.seen.oom_kills = 1;
    demand_case_tick(&c, 1000);
    demand_case_grant(&c, 12 * GIB);
    demand_case_ticks(&c, HOUR, 1000);
    /* A lesser pressure at a lesser size does not shorten it. */
    demand_case_grant(&c, 6 * GIB);
    c.seen.psi_some_centi = 2000;
    demand_case_ticks(&c, 5000, 1000);
    c.seen.psi_some_centi = 0;
    demand_case_ticks(&c, 2 * HOUR, 1000);
    assert_false(c.demand.mem_pressed);
    assert_true(c.demand.want_bytes == 10 * GIB);
    assert_int_equal(c.demand.mem_why, LP_WHY_OOM);
    demand_case_ticks(&c, HOUR + MINUTE, 1000);
    assert_true(c.demand.want_bytes < 5 * GIB);
}

/* Counters since boot: nothing at first sight, nothing when they fall back. */
static void
test_counters(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.oom_kills = 12;
    c.seen.refaults = UINT64_MAX;
    c.seen.swap_used_bytes = UINT64_MAX;
    assert_false(demand_case_update(&c)->mem_pressed);
    c.seen.oom_kills = 1;
    c.seen.refaults = 0;
    c.seen.swap_used_bytes = 0;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    c.seen.oom_kills = 2;
    assert_true(demand_case_tick(&c, 1000)->mem_pressed);
    /* The balloon's word, then an agent's for the first time. */
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.mem_by = LP_SEEN_BALLOON;
    demand_case_ticks(&c, MINUTE, 1000);
    c.seen.mem_by = LP_SEEN_AGENT;
    c.seen.oom_kills = 5;
    c.seen.refaults = 1000000;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    /* A kill while the agent was silent shows when it is back. */
    c.seen.mem_age_msec = 10 * MINUTE;
    demand_case_ticks(&c, 10 * MINUTE, 1000);
    c.seen.mem_age_msec = 0;
    c.seen.oom_kills = 6;
    assert_int_equal(demand_case_tick(&c, 1000)->mem_why, LP_WHY_OOM);
}

static void
test_refaults(void **state)
{
    DemandCase c;

    (void)state;
    /* 8 GiB in 256 s are 8192 pages a second; a quarter of the PSI limit goes with it. */
    begin(&c, LP_GOAL_BALANCED, 8 * GIB, 5 * GIB);
    c.seen.psi_some_centi = 75;
    c.seen.refaults = 8191;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    c.seen.refaults += 8192;
    assert_int_equal(demand_case_tick(&c, 1000)->mem_why, LP_WHY_REFAULT);
    /* In twice the time it is half as fast. */
    c.seen.refaults += 16000;
    assert_false(demand_case_tick(&c, 2000)->mem_pressed);
    /* A long file is read: no stalls. */
    c.seen.psi_some_centi = 74;
    c.seen.refaults += 100000;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    c.seen.has_psi = false;
    c.seen.refaults += 100000;
    assert_true(demand_case_tick(&c, 1000)->mem_pressed);
}

/* The first refaults after a shrink end it, and the size is not come back to soon. */
static void
test_refaults_after_shrink(void **state)
{
    DemandCase c;

    (void)state;
    begin(&c, LP_GOAL_BALANCED, 8 * GIB, 2 * GIB);
    c.seen.refaults = 1800;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    demand_case_grant(&c, 4 * GIB);
    c.seen.refaults += 1800;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);   /* less than 1/512 of 4 GiB */
    c.seen.refaults += 2048;
    demand_case_tick(&c, 1000);
    assert_int_equal(c.demand.mem_why, LP_WHY_REFAULT);
    assert_true(c.demand.want_bytes == 4 * GIB + GIB / 2);
    demand_case_ticks(&c, 29 * MINUTE, 1000);
    assert_false(c.demand.mem_pressed);
    assert_true(c.demand.want_bytes == 4 * GIB + GIB / 4);
    assert_int_equal(c.demand.mem_why, LP_WHY_REFAULT);
    assert_true(demand_case_ticks(&c, 2 * MINUTE, 1000)->want_bytes < 3 * GIB);
    /* A growth is no probe, nor is a shrink long ago. */
    demand_case_grant(&c, 5 * GIB);
    c.seen.refaults += 3000;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    demand_case_grant(&c, 4 * GIB);
    demand_case_ticks(&c, 2 * MINUTE, 1000);
    c.seen.refaults += 3000;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
}

static void
test_swap(void **state)
{
    DemandCase c;

    (void)state;
    begin(&c, LP_GOAL_BALANCED, 8 * GIB, 5 * GIB);
    c.seen.swap_used_bytes = 32 * MIB;
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
    c.seen.swap_used_bytes += 32 * MIB + 1;
    assert_int_equal(demand_case_tick(&c, 1000)->mem_why, LP_WHY_SWAP);
    /* Swapped long ago: it is cold. */
    assert_false(demand_case_tick(&c, 1000)->mem_pressed);
}

/* After pressure: not below the size at which it was felt, and a sixteenth more, for 30 min. */
static void
test_floor(void **state)
{
    DemandCase c;

    (void)state;
    begin_tight(&c, LP_GOAL_DENSITY);
    c.seen.psi_some_centi = 2000;
    demand_case_tick(&c, 1000);
    c.seen.psi_some_centi = 0;
    demand_case_grant(&c, 16 * GIB);
    demand_case_use(&c, GIB, 100);
    demand_case_ticks(&c, 25 * MINUTE, 1000);
    assert_true(c.demand.want_bytes == 8 * GIB + GIB / 2);
    assert_int_equal(c.demand.mem_why, LP_WHY_PRESSURE);
    assert_true(c.demand.need_bytes < 2 * GIB);
    /* Again, at a smaller size: the greater floor stays, for longer. */
    demand_case_grant(&c, 4 * GIB);
    c.seen.psi_some_centi = 2000;
    demand_case_tick(&c, 1000);
    c.seen.psi_some_centi = 0;
    demand_case_ticks(&c, 25 * MINUTE, 1000);
    assert_true(c.demand.want_bytes == 8 * GIB + GIB / 2);
    demand_case_ticks(&c, 6 * MINUTE, 1000);
    assert_true(c.demand.want_bytes < 2 * GIB);
}

/* A group in the guest at a limit of its own: more memory is no cure. */
static void
test_pressure_that_memory_does_not_cure(void **state)
{
    DemandCase c;

    (void)state;
    begin(&c, LP_GOAL_BALANCED, 4 * GIB, GIB);
    c.seen.psi_some_centi = 5000;
    for (int i = 0; i < 1000; i++) {
        demand_case_tick(&c, 1000);
        assert_true(c.demand.want_bytes >= c.granted_bytes);
        demand_case_grant(&c, c.demand.want_bytes);
    }
    assert_true(c.granted_bytes == 8 * GIB);
    /* Taken from it, it is not less than it has; and no more than twice that. */
    demand_case_grant(&c, 3 * GIB);
    demand_case_tick(&c, 1000);
    assert_true(c.demand.want_bytes <= 8 * GIB + GIB / 2);
}

/* Pressure for ever, at most twice what is granted, to the end of 64 bits. */
static void
test_liar(void **state)
{
    DemandCase c;

    (void)state;
    begin(&c, LP_GOAL_LATENCY, GIB, GIB / 2);
    c.seen.psi_some_centi = UINT32_MAX;
    for (int i = 0; i < 400; i++) {
        uint64_t twice = c.granted_bytes > UINT64_MAX / 2 ? UINT64_MAX : 2 * c.granted_bytes;

        demand_case_use(&c, c.granted_bytes, 100);
        c.seen.oom_kills++;
        c.seen.swap_used_bytes += GIB;
        demand_case_tick(&c, 1000);
        assert_true(c.demand.want_bytes <= twice);
        assert_true(c.demand.need_bytes <= c.demand.want_bytes);
        demand_case_grant(&c, c.demand.want_bytes);
    }
    assert_true(c.granted_bytes == UINT64_MAX);
    /* Denied: it does not wind up. */
    begin(&c, LP_GOAL_LATENCY, GIB, GIB / 2);
    demand_case_use(&c, GIB, 100);
    c.seen.psi_some_centi = UINT32_MAX;
    demand_case_ticks(&c, 24 * HOUR, 1000);
    assert_true(c.demand.want_bytes == GIB + GIB / 2);
}

/* A floor holds for what was left of it, over any jump. */
static void
test_floor_over_jumps(void **state)
{
    static const int64_t JUMPS[] = { YEAR, -YEAR };

    (void)state;
    for (size_t i = 0; i < sizeof(JUMPS) / sizeof(JUMPS[0]); i++) {
        DemandCase c;

        begin_tight(&c, LP_GOAL_DENSITY);
        c.seen.psi_some_centi = 2000;
        demand_case_tick(&c, 1000);
        c.seen.psi_some_centi = 0;
        demand_case_grant(&c, 16 * GIB);
        demand_case_use(&c, GIB, 100);
        demand_case_ticks(&c, 21 * MINUTE, 1000);
        demand_case_tick(&c, JUMPS[i]);
        assert_int_equal(c.state.mem_pressed_msec, 0);
        c.state.mem_peaks[0] = 0;
        demand_case_ticks(&c, 8 * MINUTE, 1000);
        assert_true(c.demand.want_bytes == 8 * GIB + GIB / 2);
        demand_case_ticks(&c, 2 * MINUTE, 1000);
        assert_true(c.demand.want_bytes < 2 * GIB);
        /* Pressure is felt as before. */
        c.seen.psi_some_centi = 2000;
        assert_true(demand_case_tick(&c, 1000)->mem_pressed);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psi_limits),
        cmocka_unit_test(test_steps_rise),
        cmocka_unit_test(test_one_sample_one_step),
        cmocka_unit_test(test_waits_for_relief),
        cmocka_unit_test(test_grows_fast),
        cmocka_unit_test(test_waits_for_arrival),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_refaults),
        cmocka_unit_test(test_refaults_after_shrink),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_pressure_that_memory_does_not_cure),
        cmocka_unit_test(test_liar),
        cmocka_unit_test(test_floor_over_jumps),
    };

    return cmocka_run_group_tests_name("demand under pressure", tests, NULL, NULL);
}
