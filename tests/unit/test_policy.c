/* The policy, case by case: each bound, and each input that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/calm.h"
#include "policy_world.h"

static World world;

static int
open_world(void **unused)
{
    (void)unused;
    world_open(&world, 64 * GIB, 16);
    return 0;
}

static int
close_world(void **unused)
{
    (void)unused;
    world_close(&world);
    return 0;
}

static void
assert_decision(size_t i, LpAct act, LpBound bound)
{
    assert_int_equal(world.decisions[i].mem_act, act);
    assert_int_equal(world.decisions[i].mem_bound, bound);
    if (act == LP_ACT_NONE || act == LP_ACT_WAIT)
        assert_int_equal(world.decisions[i].mem_bytes, world.partitions[i].granted_bytes);
}

static void
test_grows_at_once_and_with_room(void **unused)
{
    LpPolicyPartition *p = world_add(&world, 8 * GIB, 8 * GIB);

    (void)unused;
    world_decide(&world);
    assert_decision(0, LP_ACT_GROW, LP_BOUND_NONE);
    assert_true(world.decisions[0].mem_bytes >= 9 * GIB);
    assert_int_equal(world.decisions[0].mem_bytes % p->block_bytes, 0);
}

static void
test_idle_keeps_its_surplus_where_nobody_needs_it(void **unused)
{
    (void)unused;
    world_add(&world, 32 * GIB, 2 * GIB);
    world_ticks(&world, 20000);
    assert_decision(0, LP_ACT_NONE, LP_BOUND_LEFTOVER);
}

static void
test_surplus_is_given_to_whom_it_lacks(void **unused)
{
    int tick = 0;

    (void)unused;
    for (int i = 0; i < 4; i++)
        world_add(&world, 16 * GIB, 2 * GIB);
    world_ticks(&world, 3);
    for (; tick < 10 && world.partitions[0].granted_bytes < 17 * GIB; tick++) {
        world_use(&world.partitions[0], 16 * GIB);
        world_tick(&world);
    }
    assert_true(tick < 10);
    /* It was taken from one, not from all. */
    assert_true(world.partitions[2].granted_bytes == 16 * GIB ||
                world.partitions[3].granted_bytes == 16 * GIB);
    assert_true(world.partitions[1].granted_bytes >= 2 * GIB);
}

static void
test_without_burst_surplus_goes_back_in_steps(void **unused)
{
    uint64_t before;

    (void)unused;
    world.host.burst = false;
    world_add(&world, 32 * GIB, 2 * GIB)->release_sec = 100;
    world_ticks(&world, 90);
    assert_decision(0, LP_ACT_WAIT, LP_BOUND_RELEASE);
    assert_true(world.decisions[0].mem_next_msec > world.host.now_msec);
    world_ticks(&world, 20);
    before = world.partitions[0].granted_bytes;
    assert_true(before < 26 * GIB && before > 20 * GIB);
    world_ticks(&world, 5);
    assert_int_equal(world.partitions[0].granted_bytes, before);
    world_ticks(&world, 3600);
    assert_true(world.partitions[0].granted_bytes < 4 * GIB);
    assert_true(world.partitions[0].granted_bytes > 2 * GIB);
}

static void
test_modes(void **unused)
{
    (void)unused;
    world_add(&world, 8 * GIB, 8 * GIB)->mode = LP_MODE_OFF;
    world_add(&world, 8 * GIB, 8 * GIB)->mode = LP_MODE_ADVISE;
    world_add(&world, 8 * GIB, 8 * GIB)->mode = (LpMode)77;
    world_add(&world, 8 * GIB, 8 * GIB)->mode = LP_MODE_HOST;
    world_decide(&world);
    assert_decision(0, LP_ACT_NONE, LP_BOUND_OFF);
    assert_int_equal(world.decisions[1].mem_act, LP_ACT_GROW);
    assert_int_equal(world.states[1].up_msec, 0);
    assert_decision(2, LP_ACT_NONE, LP_BOUND_OFF);
    assert_int_equal(world.decisions[3].mem_act, LP_ACT_GROW);
    assert_int_not_equal(world.states[3].up_msec, 0);
    /* The host's mode is a lid on all. */
    world.host.mode = LP_MODE_ADVISE;
    world.host.now_msec += 1000;
    memset(world.states, 0, 16 * sizeof(*world.states));
    world_decide(&world);
    assert_int_equal(world.decisions[3].mem_act, LP_ACT_GROW);
    assert_int_equal(world.states[3].up_msec, 0);
    world.host.mode = LP_MODE_OFF;
    world_decide(&world);
    for (size_t i = 0; i < 4; i++)
        assert_decision(i, LP_ACT_NONE, LP_BOUND_OFF);
    world.host.mode = LP_MODE_HOST;
    world_decide(&world);
    assert_decision(3, LP_ACT_NONE, LP_BOUND_OFF);
}

static void
test_fixed_stays(void **unused)
{
    (void)unused;
    world_add(&world, 8 * GIB, 8 * GIB)->fixed = true;
    world_decide(&world);
    assert_decision(0, LP_ACT_NONE, LP_BOUND_FIXED);
    assert_int_equal(world.decisions[0].cpus, 2);
}

static void
test_silence_and_old_news_change_nothing(void **unused)
{
    (void)unused;
    world_add(&world, 32 * GIB, GIB)->seen.mem_by = LP_SEEN_NOTHING;
    world_add(&world, 16 * GIB, GIB)->seen.mem_age_msec = LP_SIGNAL_STALE_MSEC + 1;
    world_add(&world, 8 * GIB, 8 * GIB);
    world_add(&world, 8 * GIB, 8 * GIB)->mem_max_bytes = 4 * GIB;
    world.partitions[3].seen.mem_by = LP_SEEN_NOTHING;
    world.host.burst = false;
    world_decide(&world);
    assert_decision(0, LP_ACT_NONE, LP_BOUND_NO_SIGNAL);
    assert_decision(1, LP_ACT_NONE, LP_BOUND_NO_SIGNAL);
    assert_decision(2, LP_ACT_NONE, LP_BOUND_SHARE);
    /* Not even above its maximum. */
    assert_decision(3, LP_ACT_NONE, LP_BOUND_NO_SIGNAL);
    assert_int_equal(world.decisions[3].mem_target_bytes, 4 * GIB);
    /* But a minimum that was raised is met. */
    world.host.nodes[0].capacity_bytes = 128 * GIB;
    world.partitions[1].mem_min_bytes = 20 * GIB;
    world_decide(&world);
    assert_int_equal(world.decisions[1].mem_bytes, 20 * GIB);
}

static void
test_bounds(void **unused)
{
    (void)unused;
    world_add(&world, 4 * GIB, 4 * GIB)->mem_max_bytes = 4 * GIB;
    world_add(&world, 2 * GIB, 128 * MIB)->mem_min_bytes = 2 * GIB;
    world_add(&world, GIB, 128 * MIB)->mem_min_bytes = 3 * GIB;
    world_add(&world, 8 * GIB, GIB)->mem_max_bytes = 6 * GIB;
    world.partitions[3].scheduled = true;
    world_decide(&world);
    assert_decision(0, LP_ACT_NONE, LP_BOUND_MAX);
    assert_decision(1, LP_ACT_NONE, LP_BOUND_MIN);
    assert_int_equal(world.decisions[2].mem_bytes, 3 * GIB);
    assert_int_equal(world.decisions[3].mem_act, LP_ACT_SHRINK);
    assert_int_equal(world.decisions[3].mem_take, LP_TAKE_OVER_MAX);
    assert_int_equal(world.decisions[3].mem_bytes, 6 * GIB);
    world.partitions[0].scheduled = true;
    world_decide(&world);
    assert_decision(0, LP_ACT_NONE, LP_BOUND_SCHEDULE);
}

/* Fills the host with idle partitions, and lets one suffer. */
static void
make_tight(void)
{
    world_add(&world, 16 * GIB, 16 * GIB);
    for (int i = 0; i < 3; i++)
        world_add(&world, 16 * GIB, 2 * GIB);
}

static void
test_veto_and_backoff(void **unused)
{
    (void)unused;
    make_tight();
    world.partitions[1].word.vetoed_until_msec = 50000;
    world.partitions[2].failed = true;
    world.partitions[3].failed = true;
    world_decide(&world);
    assert_decision(0, LP_ACT_WAIT, LP_BOUND_FREE);
    assert_decision(1, LP_ACT_WAIT, LP_BOUND_VETO);
    assert_int_equal(world.decisions[1].mem_next_msec, 50000);
    assert_decision(2, LP_ACT_WAIT, LP_BOUND_BACKOFF);
    assert_int_equal(world.decisions[2].mem_next_msec, 1000 + LP_CALM_BACKOFF_MIN_MSEC);
    /* Each failure doubles it, two hours at most. */
    for (int i = 0; i < 12; i++) {
        world.host.now_msec = world.states[2].quiet_until_msec;
        world_decide(&world);
    }
    assert_int_equal(world.states[2].quiet_until_msec - world.host.now_msec,
                     LP_CALM_BACKOFF_MAX_MSEC);
}

static void
test_dwell_after_growth(void **unused)
{
    LpBound bound;
    int64_t next;
    LpPolicyState state = { .up_msec = 5000 };
    LpPolicyPartition *p = world_add(&world, 16 * GIB, GIB);
    const LpTuning *tuning = lp_goal_tuning(LP_GOAL_BALANCED);
    int64_t dwell = lp_calm_dwell_msec(tuning);

    (void)unused;
    assert_int_equal(lp_calm_shrink(&state, p, tuning, 6000, &bound, &next), LP_CALM_EARLY);
    assert_int_equal(bound, LP_BOUND_DWELL);
    assert_int_equal(next, 5000 + dwell);
    for (int i = 0; i < LP_POLICY_EARLY; i++)
        lp_calm_shrunk(&state, GIB, LP_CALM_EARLY, 6000);
    assert_int_equal(lp_calm_shrink(&state, p, tuning, 7000, &bound, &next), LP_CALM_FORCED);
    assert_int_equal(lp_calm_shrink(&state, p, tuning, 5000 + dwell, &bound, &next), LP_CALM_ANY);
    /* An hour later there are early ones again. */
    state.up_msec = 6000 + 3600000;
    assert_int_equal(lp_calm_shrink(&state, p, tuning, 6000 + 3600000, &bound, &next),
                     LP_CALM_EARLY);
}

static void
test_owed_is_taken_in_spite_of_dwell(void **unused)
{
    (void)unused;
    world.host.nodes[0].capacity_bytes = 32 * GIB;
    world_add(&world, 8 * GIB, 8 * GIB)->entitled_bytes = 16 * GIB;
    world_add(&world, 24 * GIB, 24 * GIB);
    /* The rival has just grown, and has no early ones left. */
    world_decide(&world);
    for (int i = 0; i < LP_POLICY_EARLY; i++)
        world.states[1].early_msec[i] = 1000;
    world.states[1].up_msec = 1000;
    world.host.now_msec = 3000;
    world.states[1].ordered_bytes = 0;
    world_decide(&world);
    assert_int_equal(world.decisions[1].mem_act, LP_ACT_SHRINK);
    assert_int_equal(world.decisions[1].mem_take, LP_TAKE_FOR_ENTITLEMENT);
    assert_int_equal(world.decisions[1].rival, world.partitions[0].key);
    for (int t = 0; t < 30; t++) {
        world_tick(&world);
        world_use(&world.partitions[0], 64 * GIB);
        world_use(&world.partitions[1], 64 * GIB);
    }
    assert_true(world.partitions[0].granted_bytes >= 15 * GIB);
    /* What was taken from grows above its own entitlement only after a dwell. */
    memset(&world.states[0], 0, sizeof(world.states[0]));
    world.partitions[0].granted_bytes = GIB;
    world_use(&world.partitions[0], GIB / 2);
    world_use(&world.partitions[1], 64 * GIB);
    world_decide(&world);
    assert_decision(1, LP_ACT_WAIT, LP_BOUND_DWELL);
}

static void
test_priority_and_weight_in_scarcity(void **unused)
{
    (void)unused;
    world.host.nodes[0].capacity_bytes = 24 * GIB;
    for (int i = 0; i < 4; i++)
        world_add(&world, 10 * GIB, 10 * GIB);
    world.partitions[0].weight = 255;
    world.partitions[1].weight = 64;
    world.partitions[2].weight = 0;
    world.partitions[3].priority = 7;
    for (int i = 0; i < 4; i++)
        world.partitions[i].seen.psi_some_centi = 4000;
    world_decide(&world);
    assert_true(world.decisions[3].mem_target_bytes > world.decisions[0].mem_target_bytes);
    assert_true(world.decisions[0].mem_target_bytes > world.decisions[1].mem_target_bytes);
    assert_true(world.decisions[1].mem_target_bytes > world.decisions[2].mem_target_bytes);
    assert_int_not_equal(world.decisions[1].rival, 0);
}

/* One that claims pressure for ever gets its part beside those who do not lie, and no more. */
static void
test_liar_gets_its_part(void **unused)
{
    uint64_t fair = 0;

    (void)unused;
    world.host.nodes[0].capacity_bytes = 40 * GIB;
    for (int i = 0; i < 4; i++)
        world_add(&world, 8 * GIB, 6 * GIB)->entitled_bytes = 6 * GIB;
    for (int t = 0; t < 4000; t++) {
        LpPolicyPartition *liar = &world.partitions[0];

        world_use(liar, UINT64_MAX);
        liar->seen.psi_some_centi = 10000;
        liar->seen.refaults += 1000000;
        liar->seen.oom_kills++;
        world_tick(&world);
        /* Nobody else suffers by it, not for a second. */
        for (size_t i = 1; i < 4; i++)
            assert_true(world.partitions[i].granted_bytes >= 6 * GIB + 100 * MIB);
    }
    /* Its part is what the others neither use nor have as headroom. */
    fair = 40 * GIB - 3 * (6 * GIB + 6 * GIB / 32 + 16 * MIB);
    assert_true(world.partitions[0].granted_bytes <= fair + 2 * MIB);
    /* And when they want what they are entitled to and more, it goes back at once. */
    for (size_t i = 1; i < 4; i++)
        world.partitions[i].entitled_bytes = 9 * GIB;
    for (int t = 0; t < 30; t++) {
        for (size_t i = 0; i < 4; i++)
            world_use(&world.partitions[i], 64 * GIB);
        world_tick(&world);
    }
    for (size_t i = 1; i < 4; i++)
        assert_true(world.partitions[i].granted_bytes >= 9 * GIB);
}

/* Up and down each few seconds: no more turns in an hour than promised, and few moves. */
static void
test_flapper_is_not_followed(void **unused)
{
    uint64_t before;
    uint32_t moves = 0;

    (void)unused;
    make_tight();
    for (int t = 0; t < 3600; t++) {
        world_use(&world.partitions[1], t / 10 % 2 ? 64 * GIB : GIB);
        before = world.partitions[1].granted_bytes;
        world_tick(&world);
        moves += world.partitions[1].granted_bytes < before;
    }
    assert_true(moves <= lp_calm_turns_per_hour(lp_goal_tuning(LP_GOAL_BALANCED)->dwell_sec) / 2);
}

static void
test_impossible_profiles(void **unused)
{
    (void)unused;
    world_add(&world, 4 * GIB, GIB)->mem_min_bytes = 65 * GIB;
    world_add(&world, 4 * GIB, 4 * GIB)->n_cells = 65;
    world_add(&world, 4 * GIB, 4 * GIB)->cell_node[0] = 9;
    world_add(&world, 4 * GIB, 4 * GIB)->n_cells = 0;
    world_add(&world, 4 * GIB, 4 * GIB)->weight = 0;
    world_add(&world, 4 * GIB, 4 * GIB)->block_bytes = 0;
    world_add(&world, 4 * GIB, 4 * GIB)->goal = (LpGoal)99;
    world_add(&world, 4 * GIB, 4 * GIB)->cpu_min = 9;
    world_add(&world, 4 * GIB, 4 * GIB)->priority = UINT32_MAX;
    world_add(&world, 4 * GIB, 4 * GIB)->block_bytes = UINT64_MAX;
    world_add(&world, 4 * GIB, 4 * GIB)->pool = 63;
    world.partitions[0].cell_node[0] = 0;
    /* The free memory is counted by hand: some of these lie nowhere. */
    world.host.nodes[0].free_bytes = 20 * GIB;
    assert_true(lp_policy_decide(world.policy, &world.host, world.partitions, world.states,
                                 world.n, world.decisions));
    assert_decision(0, LP_ACT_NONE, LP_BOUND_FIXED);
    assert_decision(1, LP_ACT_NONE, LP_BOUND_FIXED);
    assert_decision(2, LP_ACT_NONE, LP_BOUND_FIXED);
    assert_int_equal(world.decisions[3].mem_act, LP_ACT_GROW);
    assert_int_equal(world.decisions[4].mem_act, LP_ACT_GROW);
    assert_int_equal(world.decisions[5].mem_act, LP_ACT_GROW);
    assert_int_equal(world.decisions[6].mem_act, LP_ACT_GROW);
    assert_int_equal(world.decisions[7].cpu_bound, LP_BOUND_FIXED);
    assert_int_equal(world.decisions[7].cpus, 2);
    assert_decision(9, LP_ACT_NONE, LP_BOUND_FIXED);
}

/* More minima than there is memory: nobody is taken below its own. */
static void
test_minima_above_capacity(void **unused)
{
    (void)unused;
    for (int i = 0; i < 8; i++)
        world_add(&world, 12 * GIB, GIB)->mem_min_bytes = 12 * GIB;
    for (int t = 0; t < 100; t++) {
        world_tick(&world);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(world.partitions[i].granted_bytes, 12 * GIB);
    }
}

static void
test_keys_that_are_double(void **unused)
{
    (void)unused;
    world_add(&world, 4 * GIB, 4 * GIB);
    world_add(&world, 4 * GIB, 4 * GIB)->key = world.partitions[0].key;
    world_decide(&world);
    assert_int_equal(world.decisions[0].mem_act, LP_ACT_GROW);
    assert_decision(1, LP_ACT_NONE, LP_BOUND_FIXED);
    assert_int_equal(world.states[1].key, 0);
    /* A state of another is forgotten. */
    world.partitions[0].key++;
    world.states[0].failures = 9;
    world_decide(&world);
    assert_int_equal(world.states[0].failures, 0);
    assert_int_equal(world.states[0].key, world.partitions[0].key);
}

/* A year each way, and to the ends of time. */
static void
test_clock_jumps(void **unused)
{
    const int64_t year = 365LL * 86400 * 1000;
    const int64_t times[] = { 1000 + year, 1000, -year, 0, INT64_MAX, INT64_MIN, 5000, INT64_MIN,
                              INT64_MAX, 1, -1, 86400000 };
    uint64_t before[4];

    (void)unused;
    make_tight();
    world_use(&world.partitions[0], 8 * GIB);
    world_ticks(&world, 10);
    for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
        for (size_t i = 0; i < 4; i++)
            before[i] = world.partitions[i].granted_bytes;
        world.host.now_msec = times[t];
        world_decide(&world);
        /* Nobody lacks anything: a jump moves nothing. */
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(world.decisions[i].mem_bytes, before[i]);
    }
    /* Nor does one without burst, where surplus was young. */
    world.host.burst = false;
    world.host.now_msec = 1000;
    world_decide(&world);
    world.host.now_msec += year;
    world_decide(&world);
    for (size_t i = 0; i < 4; i++)
        assert_int_not_equal(world.decisions[i].mem_act, LP_ACT_SHRINK);
}

/* Figures of 0 and of 2^64 - 1 in every field that takes them. */
static void
test_extreme_figures(void **unused)
{
    const uint64_t extremes[] = { 0, 1, UINT64_MAX, UINT64_MAX / 2, 1ULL << 46 };

    (void)unused;
    for (unsigned k = 0; k < 5 * 5 * 5; k++) {
        uint64_t a = extremes[k % 5], b = extremes[k / 5 % 5], c = extremes[k / 25];
        LpPolicyPartition *p;

        world.n = 0;
        world_add(&world, 4 * GIB, 4 * GIB);
        p = world_add(&world, 4 * GIB, 2 * GIB);
        p->mem_max_bytes = a;
        p->mem_min_bytes = b;
        p->granted_bytes = c;
        p->entitled_bytes = a;
        p->seen.total_bytes = b;
        p->seen.available_bytes = c;
        p->seen.working_set_bytes = a;
        p->seen.refaults = c;
        p->cpu_max = (uint32_t)a;
        p->granted_cpus = (uint32_t)c;
        p->granted_centi = (uint32_t)b;
        p->entitled_centi = (uint32_t)a;
        p->seen.cpu_used_centi = (uint32_t)c;
        p->word = (LpGuestWord){ b, (uint32_t)a, INT64_MAX, (int64_t)c };
        p->weight = (uint32_t)b;
        p->release_sec = (uint32_t)a;
        p->block_bytes = c;
        world.host.nodes[0] = (LpPolicyNode){ a, b, c };
        world.host.capacity_centi = (uint32_t)a;
        world.host.reserve_centi = (uint32_t)b;
        world.host.n_pools = (uint32_t)c;
        world.host.idle_tax = (uint32_t)a;
        for (int t = 0; t < 3; t++) {
            assert_true(lp_policy_decide(world.policy, &world.host, world.partitions,
                                         world.states, world.n, world.decisions));
            for (size_t i = 0; i < 2; i++) {
                const LpPolicyPartition *q = &world.partitions[i];
                uint64_t has = q->granted_bytes, gets = world.decisions[i].mem_bytes;

                assert_true(gets <= has || gets <= q->mem_max_bytes);
                assert_true(gets >= has || gets >= q->mem_min_bytes);
                assert_true(gets <= has || gets - has <= c);
            }
        }
    }
}

static void
test_many_at_once(void **unused)
{
    World many;
    uint64_t granted = 0;

    (void)unused;
    world_open(&many, 10000 * 4 * GIB, 10000);
    for (int i = 0; i < 10000; i++)
        world_add(&many, 2 * GIB, i % 2 ? 2 * GIB : GIB);
    world_ticks(&many, 30);
    for (size_t i = 0; i < many.n; i++) {
        granted += many.partitions[i].granted_bytes;
        assert_true(many.partitions[i].granted_bytes > (i % 2 ? 2 * GIB : GIB));
    }
    assert_true(granted <= many.host.nodes[0].capacity_bytes);
    world_close(&many);
}

/* The host shrinks below what is granted: all above their part give, nobody below its minimum. */
static void
test_host_shrinks(void **unused)
{
    uint64_t sum = 0;

    (void)unused;
    for (int i = 0; i < 4; i++)
        world_add(&world, 16 * GIB, 4 * GIB);
    world_ticks(&world, 5);
    world.host.nodes[0].capacity_bytes = 24 * GIB;
    world_ticks(&world, 10);
    for (size_t i = 0; i < 4; i++) {
        sum += world.partitions[i].granted_bytes;
        assert_true(world.partitions[i].granted_bytes >= 4 * GIB);
    }
    assert_true(sum <= 24 * GIB);
    world.host.nodes[0].capacity_bytes = GIB;
    world_ticks(&world, 200);
    for (size_t i = 0; i < 4; i++)
        assert_true(world.partitions[i].granted_bytes >= GIB);
}

static void
test_moving_is_limited(void **unused)
{
    unsigned moving = 0;

    (void)unused;
    world.host.moving_max = 2;
    for (int i = 0; i < 6; i++)
        world_add(&world, 8 * GIB, GIB)->mem_max_bytes = 4 * GIB;
    world_decide(&world);
    for (size_t i = 0; i < 6; i++) {
        moving += world.decisions[i].mem_act == LP_ACT_SHRINK;
        if (world.decisions[i].mem_act != LP_ACT_SHRINK)
            assert_decision(i, LP_ACT_WAIT, LP_BOUND_MOVING);
    }
    assert_int_equal(moving, 2);
    /* Those under way count. */
    for (size_t i = 0; i < 6; i++)
        world.partitions[i].fixed = world.decisions[i].mem_act == LP_ACT_SHRINK;
    world.host.now_msec += 1000;
    world_decide(&world);
    for (size_t i = 0; i < 6; i++)
        assert_int_not_equal(world.decisions[i].mem_act, LP_ACT_SHRINK);
}

/* What is coming back is not asked of a second one. */
static void
test_what_comes_is_waited_for(void **unused)
{
    unsigned first = 0, second = 0;

    (void)unused;
    make_tight();
    world_decide(&world);
    for (size_t i = 0; i < 4; i++) {
        bool gives = world.decisions[i].mem_act == LP_ACT_SHRINK;

        first += gives;
        world.partitions[i].fixed = gives;
    }
    assert_int_equal(first, 1);
    world.host.now_msec += 1000;
    world_decide(&world);
    for (size_t i = 0; i < 4; i++)
        second += world.decisions[i].mem_act == LP_ACT_SHRINK;
    assert_int_equal(second, 0);
    assert_decision(0, LP_ACT_WAIT, LP_BOUND_FREE);
}

/* The scarcest of its nodes decides. */
static void
test_nodes(void **unused)
{
    LpPolicyPartition *p;

    (void)unused;
    world.host.n_nodes = 2;
    world.host.nodes[0] = (LpPolicyNode){ .capacity_bytes = 9 * GIB, .reserve_bytes = GIB };
    world.host.nodes[1] = (LpPolicyNode){ .capacity_bytes = 64 * GIB };
    p = world_add(&world, 16 * GIB, 16 * GIB);
    p->n_cells = 2;
    p->cell_node[1] = 1;
    world_add(&world, 8 * GIB, 8 * GIB)->cell_node[0] = 1;
    world_decide(&world);
    assert_decision(0, LP_ACT_NONE, LP_BOUND_SHARE);
    assert_int_equal(world.decisions[0].mem_target_bytes, 16 * GIB);
    assert_int_equal(world.decisions[1].mem_act, LP_ACT_GROW);
}

static void
test_guest_asks(void **unused)
{
    LpPolicyPartition *p = world_add(&world, 4 * GIB, GIB);

    (void)unused;
    p->word.asked_bytes = 12 * GIB;
    p->word.asked_cpus = 4;
    p->word.asked_until_msec = 10000;
    world_decide(&world);
    assert_int_equal(world.decisions[0].demand.mem_why, LP_WHY_ASKED);
    assert_true(world.decisions[0].mem_bytes >= 12 * GIB);
    assert_int_equal(world.decisions[0].cpus, 4);
    world.host.now_msec = 10000;
    p->granted_bytes = 4 * GIB;
    world_decide(&world);
    assert_int_equal(world.decisions[0].mem_act, LP_ACT_NONE);
}

static void
test_processors(void **unused)
{
    LpPolicyPartition *busy = world_add(&world, 4 * GIB, GIB);
    LpPolicyPartition *capped = world_add(&world, 4 * GIB, GIB);
    LpPolicyPartition *pooled = world_add(&world, 4 * GIB, GIB);

    (void)unused;
    busy->seen.cpu_used_centi = 200;
    capped->capped = true;
    capped->entitled_centi = 60;
    capped->seen.cpu_used_centi = 60;
    capped->granted_centi = 60;
    capped->granted_cpus = 1;
    pooled->pool = 0;
    pooled->seen.cpu_used_centi = 200;
    world.host.n_pools = 1;
    world.host.pools[0].max_centi = 100;
    world_decide(&world);
    assert_int_equal(world.decisions[0].cpu_act, LP_ACT_GROW);
    assert_int_equal(world.decisions[0].cpus, 3);
    assert_int_equal(world.decisions[0].cpu_centi, 300);
    assert_int_equal(world.decisions[1].cpu_bound, LP_BOUND_CAPPED);
    assert_int_equal(world.decisions[1].cpu_centi, 60);
    assert_int_equal(world.decisions[2].cpu_bound, LP_BOUND_POOL);
    assert_int_equal(world.decisions[2].cpu_target_centi, 100);
    assert_int_equal(world.decisions[2].cpus, 2);
}

/* vCPUs go after the surplus has lasted, and not sooner after a growth than a dwell. */
static void
test_vcpus_go_late(void **unused)
{
    LpPolicyPartition *p = world_add(&world, 4 * GIB, GIB);

    (void)unused;
    p->release_sec = 1000;
    p->granted_cpus = 6;
    p->granted_centi = 600;
    world_ticks(&world, 990);
    assert_int_equal(p->granted_cpus, 6);
    assert_int_equal(world.decisions[0].cpu_bound, LP_BOUND_RELEASE);
    world_ticks(&world, 20);
    assert_int_equal(p->granted_cpus, 1);
}

/* Contention without burst: caps at the targets, which the weights divide. */
static void
test_contended_caps(void **unused)
{
    (void)unused;
    world.host.capacity_centi = 300;
    world.host.burst = false;
    world_add(&world, 4 * GIB, GIB)->seen.cpu_used_centi = 200;
    world_add(&world, 4 * GIB, GIB)->seen.cpu_used_centi = 200;
    world.partitions[1].weight = 64;
    world_decide(&world);
    assert_true(world.decisions[0].cpu_target_centi > world.decisions[1].cpu_target_centi);
    assert_true(world.decisions[0].cpu_target_centi + world.decisions[1].cpu_target_centi <= 300);
    assert_int_equal(world.decisions[1].cpu_bound, LP_BOUND_SHARE);
    assert_int_equal(world.decisions[1].cpu_centi, world.decisions[1].cpu_target_centi);
    assert_true(world.decisions[0].cpu_share > world.decisions[1].cpu_share);
    world.host.burst = true;
    world_decide(&world);
    assert_int_equal(world.decisions[1].cpu_centi, 200);
}

static void
test_nothing_to_decide(void **unused)
{
    (void)unused;
    assert_true(lp_policy_decide(world.policy, &world.host, NULL, NULL, 0, NULL));
    assert_false(lp_policy_decide(world.policy, &world.host, world.partitions, world.states,
                                  SIZE_MAX, world.decisions));
    lp_policy_free(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_grows_at_once_and_with_room),
        CASE(test_idle_keeps_its_surplus_where_nobody_needs_it),
        CASE(test_surplus_is_given_to_whom_it_lacks),
        CASE(test_without_burst_surplus_goes_back_in_steps),
        CASE(test_modes), CASE(test_fixed_stays),
        CASE(test_silence_and_old_news_change_nothing), CASE(test_bounds),
        CASE(test_veto_and_backoff), CASE(test_dwell_after_growth),
        CASE(test_owed_is_taken_in_spite_of_dwell),
        CASE(test_priority_and_weight_in_scarcity), CASE(test_liar_gets_its_part),
        CASE(test_flapper_is_not_followed), CASE(test_impossible_profiles),
        CASE(test_minima_above_capacity), CASE(test_keys_that_are_double),
        CASE(test_clock_jumps), CASE(test_extreme_figures), CASE(test_many_at_once),
        CASE(test_host_shrinks), CASE(test_moving_is_limited),
        CASE(test_what_comes_is_waited_for), CASE(test_nodes), CASE(test_guest_asks),
        CASE(test_processors), CASE(test_vcpus_go_late), CASE(test_contended_caps),
        CASE(test_nothing_to_decide),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
