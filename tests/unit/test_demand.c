/* What a partition wants without pressure: use, peaks, history; what is stale; jumps of time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/demand_case.h"

static void
assert_held(const LpDemand *demand, const DemandCase *c, LpWhy mem_why)
{
    assert_false(demand->mem_known);
    assert_false(demand->mem_pressed);
    assert_true(demand->want_bytes == c->granted_bytes);
    assert_true(demand->need_bytes == c->granted_bytes);
    assert_true(demand->used_bytes == c->granted_bytes);
    assert_int_equal(demand->mem_why, mem_why);
}

static void
test_use_with_headroom(void **state)
{
    const LpDemand *demand;
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand = demand_case_update(&c);
    assert_true(demand->mem_known && demand->cpu_known);
    assert_false(demand->mem_pressed || demand->cpu_pressed);
    assert_int_equal(demand->mem_why, LP_WHY_WORKING_SET);
    assert_true(demand->used_bytes == 2 * GIB);
    assert_true(demand->need_bytes == 2 * GIB + 64 * MIB);
    assert_true(demand->want_bytes == 2 * GIB + 2 * GIB / 10);
    assert_int_equal(demand->need_centi, 108);
    assert_int_equal(demand->want_centi, 125);
    /* Little in use: the room is not a part of it. */
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand_case_use(&c, 100 * MIB, 0);
    demand = demand_case_update(&c);
    assert_true(demand->want_bytes == 260 * MIB);
    assert_true(demand->need_bytes == 116 * MIB);
    assert_int_equal(demand->want_centi, 10);
    assert_int_equal(demand->need_centi, 2);
}

static void
test_working_set(void **state)
{
    DemandCase c;

    (void)state;
    /* Cache that is used counts, by an agent's word ... */
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.working_set_bytes = 3 * GIB;
    assert_true(demand_case_update(&c)->used_bytes == 3 * GIB);
    /* ... what cannot be reclaimed counts anyway ... */
    c.seen.working_set_bytes = GIB;
    assert_true(demand_case_update(&c)->used_bytes == 2 * GIB);
    /* ... the balloon knows nothing of it ... */
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.mem_by = LP_SEEN_BALLOON;
    c.seen.working_set_bytes = 3 * GIB;
    assert_true(demand_case_update(&c)->used_bytes == 2 * GIB);
    /* ... and nobody uses more than there is. */
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.working_set_bytes = UINT64_MAX;
    assert_true(demand_case_update(&c)->used_bytes == 8 * GIB);
    c.seen.total_bytes = UINT64_MAX;
    c.seen.available_bytes = GIB;
    assert_true(demand_case_update(&c)->used_bytes == 8 * GIB);
    assert_true(demand_case_update(&c)->want_bytes <= 16 * GIB);
}

static void
test_goals(void **state)
{
    const LpTuning *l = lp_goal_tuning(LP_GOAL_LATENCY), *b = lp_goal_tuning(LP_GOAL_BALANCED),
        *d = lp_goal_tuning(LP_GOAL_DENSITY);

    (void)state;
    assert_ptr_equal(lp_goal_tuning((LpGoal)77), b);
    assert_true(l->mem_headroom > b->mem_headroom && b->mem_headroom > d->mem_headroom);
    assert_true(l->mem_up < b->mem_up && b->mem_up < d->mem_up);
    assert_true(l->psi_some_centi < b->psi_some_centi && b->psi_some_centi < d->psi_some_centi);
    assert_true(l->window_sec > b->window_sec && b->window_sec > d->window_sec);
    for (int goal = 0; goal < LP_GOALS; goal++) {
        const LpTuning *tuning = lp_goal_tuning((LpGoal)goal);

        /* Between giving back and growing there is room, and all parts are parts. */
        assert_true(tuning->mem_down < tuning->mem_up && tuning->mem_up < 10000);
        assert_true(tuning->cpu_down < tuning->cpu_up && tuning->cpu_up < 10000);
        assert_true(tuning->mem_percentile <= 10000 && tuning->cpu_percentile <= 10000);
        assert_true(tuning->mem_headroom > 0 && tuning->cpu_headroom > 0);
        assert_true(tuning->psi_some_centi > 0 && tuning->cpu_psi_centi > 0);
        assert_true(tuning->window_sec >= LP_PEAKS && tuning->dwell_sec < tuning->release_sec);
        assert_true(tuning->release_sec <= LP_RELEASE_SEC_MAX);
        /* What is wanted after growing does not ask for growth at once. */
        assert_true((10000 + tuning->mem_headroom) * (uint64_t)tuning->mem_up > 10000 * 9900);
    }
}

/* A peak is believed for a window, give or take a slice, and with less room than what is now. */
static void
check_peak_lasts_a_window(int64_t tick_msec)
{
    DemandCase c;
    int64_t window, after = 0;

    demand_case_init(&c, LP_GOAL_BALANCED);
    window = c.tuning->window_sec * INT64_C(1000);
    demand_case_use(&c, 6 * GIB, 300);
    demand_case_ticks(&c, MINUTE, 1000);
    demand_case_use(&c, 2 * GIB, 100);
    demand_case_tick(&c, 1000);
    assert_int_equal(c.demand.mem_why, LP_WHY_PEAK);
    assert_int_equal(c.demand.cpu_why, LP_WHY_PEAK);
    assert_true(c.demand.want_bytes == 6 * GIB + 6 * GIB / 20);
    assert_int_equal(c.demand.want_centi, 337);
    assert_true(c.demand.need_bytes < 3 * GIB);
    while (c.demand.want_bytes > 6 * GIB) {
        demand_case_tick(&c, tick_msec);
        after += tick_msec;
        assert_true(after <= window);
    }
    assert_true(after >= window - window / LP_PEAKS);
    assert_true(c.demand.want_bytes == 2 * GIB + 2 * GIB / 10);
    if (tick_msec < 10000)
        assert_int_equal(c.demand.want_centi, 125);
}

static void
test_peak_lasts_a_window(void **state)
{
    (void)state;
    check_peak_lasts_a_window(5000);
    check_peak_lasts_a_window(300000);
}

static void
test_history(void **state)
{
    DemandCase c;

    (void)state;
    for (int goal = 0; goal < LP_GOALS; goal++) {
        demand_case_init(&c, (LpGoal)goal);
        demand_case_update(&c);
        assert_true(c.state.mem_long_bytes == 0);
        demand_case_use(&c, 6 * GIB, 300);
        demand_case_ticks(&c, 12 * HOUR, 30000);
        demand_case_use(&c, GIB, 20);
        demand_case_ticks(&c, 4 * HOUR, 30000);
        /* Within a bucket of what was in use for three quarters of the time. */
        assert_true(c.state.mem_long_bytes >= 6 * GIB && c.state.mem_long_bytes <= 27 * GIB / 4);
        assert_true(c.state.cpu_long_centi >= 300 && c.state.cpu_long_centi <= 338);
        if (goal == LP_GOAL_LATENCY) {
            assert_true(c.demand.want_bytes == c.state.mem_long_bytes);
            assert_int_equal(c.demand.mem_why, LP_WHY_HISTORY);
            assert_int_equal(c.demand.want_centi, c.state.cpu_long_centi);
            assert_int_equal(c.demand.cpu_why, LP_WHY_HISTORY);
        } else {
            assert_true(c.demand.want_centi < 50);
            assert_true(c.demand.want_bytes < 3 * GIB / 2);
        }
        /* After days it is forgotten. */
        demand_case_ticks(&c, 20 * 24 * HOUR, MINUTE);
        assert_true(c.state.mem_long_bytes <= 3 * GIB / 2);
        assert_true(c.state.cpu_long_centi <= 100);
    }
}

/* Fed with the peak of each 300 s, however short it was. */
static void
test_sample_is_a_peak(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand_case_update(&c);
    for (int sample = 0; sample < 20; sample++) {
        demand_case_use(&c, 5 * GIB, 100);
        demand_case_tick(&c, 1000);
        demand_case_use(&c, GIB, 100);
        demand_case_ticks(&c, 5 * MINUTE - 1000, 1000);
    }
    assert_true(c.state.mem_long_bytes >= 5 * GIB);
    assert_int_equal(c.state.mem_used.total, 20 * 16);
}

/* More than the histogram can tell apart. */
static void
test_history_of_a_giant(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_LATENCY);
    demand_case_grant(&c, 2048 * GIB);
    demand_case_use(&c, 1024 * GIB, 100);
    demand_case_ticks(&c, HOUR, 30000);
    assert_true(c.state.mem_long_bytes == 1024 * GIB);
}

static void
test_stale_is_held(void **state)
{
    DemandCase c, before;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand_case_ticks(&c, 20 * MINUTE, 1000);
    before = c;
    c.seen.mem_age_msec = c.seen.cpu_age_msec = LP_SIGNAL_STALE_MSEC;
    assert_true(demand_case_tick(&c, 1000)->mem_known);
    c = before;
    /* What a guest says that is no longer there is not learnt. */
    demand_case_use(&c, 7 * GIB, 400);
    c.seen.mem_age_msec = c.seen.cpu_age_msec = LP_SIGNAL_STALE_MSEC + 1;
    c.seen.psi_some_centi = 9000;
    c.seen.oom_kills = 3;
    demand_case_ticks(&c, MINUTE, 1000);
    assert_held(&c.demand, &c, LP_WHY_STALE);
    assert_false(c.demand.cpu_known);
    assert_int_equal(c.demand.cpu_why, LP_WHY_STALE);
    assert_int_equal(c.demand.want_centi, 400);
    assert_int_equal(c.demand.need_centi, 400);
    assert_memory_equal(c.state.mem_peaks, before.state.mem_peaks, sizeof(c.state.mem_peaks));
    assert_memory_equal(c.state.cpu_peaks, before.state.cpu_peaks, sizeof(c.state.cpu_peaks));
    assert_int_equal(c.state.oom_kills, 0);
    assert_int_equal(c.state.cpu_smooth_eighths, before.state.cpu_smooth_eighths);
    /* From the future: as little. */
    c.seen.mem_age_msec = c.seen.cpu_age_msec = -1;
    assert_held(demand_case_tick(&c, 1000), &c, LP_WHY_STALE);
    assert_false(c.demand.cpu_known);
    c.seen.mem_age_msec = c.seen.cpu_age_msec = INT64_MIN;
    assert_held(demand_case_tick(&c, 1000), &c, LP_WHY_STALE);
    /* One is known without the other. */
    c.seen.cpu_age_msec = 0;
    c.seen.has_cpu = false;
    demand_case_use(&c, 2 * GIB, 100);
    c.seen.mem_age_msec = 0;
    demand_case_tick(&c, 1000);
    assert_true(c.demand.mem_known);
    assert_int_equal(c.demand.cpu_why, LP_WHY_UNKNOWN);
}

static void
test_stale_for_hours_feeds_nothing(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.mem_by = LP_SEEN_NOTHING;
    c.seen.has_cpu = false;
    demand_case_ticks(&c, 3 * HOUR, 1000);
    assert_held(&c.demand, &c, LP_WHY_UNKNOWN);
    assert_int_equal(c.state.mem_used.total, 0);
    assert_int_equal(c.state.cpu_used.total, 0);
}

static void
test_contradictions_are_unknown(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.available_bytes = c.seen.total_bytes + 1;
    assert_held(demand_case_update(&c), &c, LP_WHY_UNKNOWN);
    c.seen.available_bytes = UINT64_MAX;
    assert_held(demand_case_tick(&c, 1000), &c, LP_WHY_UNKNOWN);
    c.seen.total_bytes = c.seen.available_bytes = 0;
    assert_held(demand_case_tick(&c, 1000), &c, LP_WHY_UNKNOWN);
    /* Nothing is granted: nothing is used, and a little is wanted. */
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.granted_bytes = c.granted_centi = 0;
    demand_case_update(&c);
    assert_true(c.demand.used_bytes == 0 && c.demand.want_bytes == 160 * MIB);
    assert_true(c.demand.want_centi >= 1 && c.demand.want_centi <= 200);
    c.granted_bytes = UINT64_MAX;
    c.granted_centi = UINT32_MAX;
    c.seen.total_bytes = UINT64_MAX;
    demand_case_use(&c, UINT64_MAX, UINT32_MAX);
    demand_case_tick(&c, 1000);
    assert_true(c.demand.want_bytes == UINT64_MAX && c.demand.need_bytes == UINT64_MAX);
}

static void
test_cpu_at_its_limit(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand_case_use(&c, 2 * GIB, 339);
    assert_false(demand_case_update(&c)->cpu_pressed);
    demand_case_use(&c, 2 * GIB, 340);
    demand_case_tick(&c, 1000);
    assert_true(c.demand.cpu_pressed);
    assert_int_equal(c.demand.cpu_why, LP_WHY_CAPPED);
    assert_int_equal(c.demand.want_centi, 600);
    assert_int_equal(c.demand.need_centi, 450);
    assert_true(c.state.cpu_pressed_msec == c.now_msec);
    c.granted_centi = 333;
    demand_case_tick(&c, 1000);
    assert_int_equal(c.demand.want_centi, 500);
    /* From next to nothing: in a few ticks. */
    c.granted_centi = 5;
    demand_case_use(&c, 2 * GIB, 5);
    memset(&c.state, 0, sizeof(c.state));
    for (int i = 0; i < 7; i++) {
        demand_case_tick(&c, 1000);
        c.granted_centi = c.seen.cpu_used_centi = c.demand.want_centi;
    }
    assert_true(c.granted_centi >= 400);
}

static void
test_cpu_queue(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand_case_use(&c, 2 * GIB, 250);
    c.seen.cpu_running = 6;
    c.seen.cpu_psi_centi = 2500;
    demand_case_update(&c);
    assert_int_equal(c.demand.cpu_why, LP_WHY_RUN_QUEUE);
    assert_true(c.demand.cpu_pressed && c.demand.want_centi == 600);
    /* Who looks is one of them. */
    c.seen.cpu_running = 5;
    assert_false(demand_case_tick(&c, 1000)->cpu_pressed);
    c.seen.cpu_running = 6;
    c.seen.cpu_psi_centi = 2499;
    assert_false(demand_case_tick(&c, 1000)->cpu_pressed);
    /* A guest that uses little is not believed; nor one that has gone silent. */
    c.seen.cpu_psi_centi = 9000;
    c.seen.cpu_running = UINT32_MAX;
    demand_case_use(&c, 2 * GIB, 199);
    assert_false(demand_case_tick(&c, 1000)->cpu_pressed);
    demand_case_use(&c, 2 * GIB, 250);
    c.seen.mem_age_msec = LP_SIGNAL_STALE_MSEC + 1;
    assert_false(demand_case_tick(&c, 1000)->cpu_pressed);
}

static void
test_cpu_steal(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    c.seen.cpu_steal_centi = 2500;
    demand_case_update(&c);
    assert_int_equal(c.demand.want_centi, 250);      /* 100 used, 100 stolen, a quarter more */
    assert_int_equal(c.demand.need_centi, 214);
    c.seen.cpu_steal_centi = 499;
    assert_int_equal(demand_case_tick(&c, 1000)->want_centi, 125);
    c.seen.cpu_steal_centi = UINT32_MAX;
    assert_int_equal(demand_case_tick(&c, 1000)->want_centi, 625);
}

/* A second's burst is wanted now, and is no peak; a minute's is. */
static void
test_cpu_bursts(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand_case_ticks(&c, MINUTE, 1000);
    demand_case_use(&c, 2 * GIB, 300);
    assert_int_equal(demand_case_tick(&c, 1000)->want_centi, 375);
    demand_case_use(&c, 2 * GIB, 100);
    demand_case_ticks(&c, MINUTE, 1000);
    assert_true(c.demand.want_centi < 150);
    demand_case_use(&c, 2 * GIB, 300);
    demand_case_ticks(&c, MINUTE, 1000);
    demand_case_use(&c, 2 * GIB, 100);
    demand_case_ticks(&c, MINUTE, 1000);
    assert_true(c.demand.want_centi > 325 && c.demand.want_centi < 345);
    demand_case_use(&c, 2 * GIB, 0);
    demand_case_ticks(&c, 2 * HOUR, 1000);
    assert_int_equal(c.demand.want_centi, 10);
}

/* A year either way: what was believed is, for another window, and what was learnt stays. */
static void
test_clock_jumps(void **state)
{
    static const int64_t JUMPS[] = { YEAR, -YEAR, 25 * HOUR, -1000, INT64_MAX, INT64_MIN };

    (void)state;
    for (size_t i = 0; i < sizeof(JUMPS) / sizeof(JUMPS[0]); i++) {
        LpDemandState before;
        DemandCase c;

        demand_case_init(&c, LP_GOAL_BALANCED);
        demand_case_use(&c, 6 * GIB, 300);
        demand_case_ticks(&c, 2 * HOUR, 1000);
        demand_case_use(&c, 2 * GIB, 100);
        demand_case_ticks(&c, 10 * MINUTE, 1000);
        before = c.state;
        if (JUMPS[i] == INT64_MAX || JUMPS[i] == INT64_MIN)
            c.now_msec = JUMPS[i];
        else
            c.now_msec += JUMPS[i];
        demand_case_update(&c);
        assert_true(c.demand.want_bytes == 6 * GIB + 6 * GIB / 20);
        assert_int_equal(c.demand.want_centi, 337);
        assert_memory_equal(&c.state.mem_used.weights, &before.mem_used.weights,
                            sizeof(before.mem_used.weights));
        assert_true(c.state.mem_long_bytes == before.mem_long_bytes);
        if (JUMPS[i] == INT64_MAX)
            continue;
        demand_case_ticks(&c, c.tuning->window_sec * INT64_C(800), 1000);
        assert_true(c.demand.want_bytes > 6 * GIB);
        demand_case_ticks(&c, 15 * MINUTE, 1000);
        assert_true(c.demand.want_bytes < 3 * GIB);
        assert_true(c.state.mem_used.total > before.mem_used.total);
        assert_true(c.state.cpu_used.total > before.cpu_used.total);
    }
}

/* A tick that is late by less is time that has passed. */
static void
test_late_tick(void **state)
{
    DemandCase c;

    (void)state;
    demand_case_init(&c, LP_GOAL_BALANCED);
    demand_case_use(&c, 6 * GIB, 300);
    demand_case_ticks(&c, MINUTE, 1000);
    demand_case_use(&c, 2 * GIB, 0);
    demand_case_tick(&c, 23 * HOUR);
    assert_true(c.demand.want_bytes == 2 * GIB + 2 * GIB / 10);
}

static void
test_small(void **state)
{
    (void)state;
    /* 10,000 partitions' are 7 MB; histograms, which no ordinary tick touches, are most of it. */
    assert_true(sizeof(LpDemandState) <= 704);
    assert_true(offsetof(LpDemandState, mem_used) <= 5 * 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_use_with_headroom),
        cmocka_unit_test(test_working_set),
        cmocka_unit_test(test_goals),
        cmocka_unit_test(test_peak_lasts_a_window),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_sample_is_a_peak),
        cmocka_unit_test(test_history_of_a_giant),
        cmocka_unit_test(test_stale_is_held),
        cmocka_unit_test(test_stale_for_hours_feeds_nothing),
        cmocka_unit_test(test_contradictions_are_unknown),
        cmocka_unit_test(test_cpu_at_its_limit),
        cmocka_unit_test(test_cpu_queue),
        cmocka_unit_test(test_cpu_steal),
        cmocka_unit_test(test_cpu_bursts),
        cmocka_unit_test(test_clock_jumps),
        cmocka_unit_test(test_late_tick),
        cmocka_unit_test(test_small),
    };

    return cmocka_run_group_tests_name("demand", tests, NULL, NULL);
}
