/* Any signals, any times, any grants: promises that hold whatever is said.
 * LP_TEST_SEED, LP_TEST_STEPS: other cases, more of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/demand.h"

#define MIB (UINT64_C(1) << 20)
#define STEPS 200000
/* A partition is thrown away after so many steps on average. */
#define LIFE 100

static uint64_t chance;

static uint64_t
below(uint64_t limit)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return limit > 0 ? (chance >> 16) % limit : 0;
}

static bool
one_in(uint64_t n)
{
    return below(n) == 0;
}

/* Any magnitude; the ends at times. */
static uint64_t
any_amount(void)
{
    uint64_t high;

    if (one_in(40))
        return one_in(2) ? UINT64_MAX : 0;
    high = below(UINT64_C(1) << 32) << 32;
    return (high | below(UINT64_C(1) << 32)) >> below(64);
}

static uint32_t
any_centi(void)
{
    return (uint32_t)any_amount();
}

static int64_t
any_age(void)
{
    if (one_in(30))
        return (int64_t)(one_in(2) ? any_amount() : 0 - any_amount());
    return (int64_t)below(one_in(8) ? 100000 : 2000);
}

static void
change_signals(LpSignals *seen, uint64_t granted_bytes, uint32_t granted_centi)
{
    bool wild = one_in(6);

    seen->mem_by = (LpSeenBy)(one_in(10) ? below(3) : LP_SEEN_AGENT);
    seen->has_cpu = !one_in(20);
    seen->has_psi = !one_in(10);
    seen->mem_age_msec = any_age();
    seen->cpu_age_msec = any_age();
    seen->total_bytes = wild ? any_amount() : granted_bytes;
    seen->available_bytes = wild ? any_amount() : below(seen->total_bytes);
    seen->working_set_bytes = wild ? any_amount() : below(seen->total_bytes);
    seen->swap_used_bytes = wild ? any_amount() : seen->swap_used_bytes + below(MIB);
    seen->refaults = wild ? any_amount() : seen->refaults + below(20000);
    seen->oom_kills = wild ? any_amount() : seen->oom_kills + one_in(50);
    seen->psi_some_centi = wild ? any_centi() : one_in(3) ? (uint32_t)below(10000) : 0;
    seen->psi_full_centi = any_centi();
    seen->cpu_used_centi = wild ? any_centi() : (uint32_t)below((uint64_t)granted_centi + 1);
    seen->cpu_running = wild ? any_centi() : (uint32_t)below(20);
    seen->cpu_psi_centi = wild ? any_centi() : (uint32_t)below(10000);
    seen->cpu_steal_centi = wild ? any_centi() : (uint32_t)below(1000);
}

static int64_t
later(int64_t now_msec)
{
    if (one_in(200))
        return (int64_t)(any_amount() ^ any_amount());
    if (one_in(100))
        return (int64_t)((uint64_t)now_msec + below(UINT64_C(400) * 86400000) -
                         UINT64_C(200) * 86400000);
    return (int64_t)((uint64_t)now_msec + (one_in(5) ? below(600000) : 1000));
}

static uint64_t
sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

typedef struct {
    LpDemandState state;
    LpTuning tuning;
    LpSignals seen;
    uint64_t granted_bytes, most_bytes;        /* the most that was ever granted */
    uint32_t granted_centi, most_centi;
    int64_t now_msec;
} Life;

static void
step(Life *life)
{
    if (one_in(LIFE)) {
        memset(life, 0, sizeof(*life));
        life->tuning = *lp_goal_tuning((LpGoal)below(LP_GOALS));
        /* No goal's: no room at all, no time. */
        if (one_in(5))
            life->tuning.mem_headroom = life->tuning.cpu_headroom = 0;
        if (one_in(5))
            life->tuning.mem_room_bytes = life->tuning.cpu_room_centi = 0;
        if (one_in(10))
            life->tuning.window_sec = 0;
        life->now_msec = (int64_t)below(UINT64_C(1) << 40);
        life->granted_bytes = any_amount();
        life->granted_centi = any_centi();
    }
    if (one_in(10))
        life->granted_bytes = one_in(5) ? any_amount() :
            sum(life->granted_bytes / 2, below(life->granted_bytes));
    if (one_in(10))
        life->granted_centi = one_in(5) ? any_centi() : (uint32_t)below(12800);
    if (life->granted_bytes > life->most_bytes)
        life->most_bytes = life->granted_bytes;
    if (life->granted_centi > life->most_centi)
        life->most_centi = life->granted_centi;
    change_signals(&life->seen, life->granted_bytes, life->granted_centi);
    life->now_msec = later(life->now_msec);
}

static bool
is_fresh(int64_t age_msec)
{
    return age_msec >= 0 && age_msec <= LP_SIGNAL_STALE_MSEC;
}

static void
check_promises(const Life *life, const LpDemand *demand)
{
    const LpSignals *seen = &life->seen;

    assert_true(demand->need_bytes <= demand->want_bytes);
    assert_true(demand->need_centi <= demand->want_centi);
    assert_true((unsigned)demand->mem_why < LP_WHY_S && (unsigned)demand->cpu_why < LP_WHY_S);
    assert_true(demand->used_bytes <= life->granted_bytes);
    /* Without knowledge nothing changes. */
    assert_true(demand->mem_known == (seen->mem_by != LP_SEEN_NOTHING && seen->total_bytes > 0 &&
                                      seen->available_bytes <= seen->total_bytes &&
                                      is_fresh(seen->mem_age_msec)));
    assert_true(demand->cpu_known == (seen->has_cpu && is_fresh(seen->cpu_age_msec)));
    if (!demand->mem_known)
        assert_true(demand->want_bytes == life->granted_bytes &&
                    demand->need_bytes == life->granted_bytes && !demand->mem_pressed);
    else
        assert_true(demand->want_bytes >= demand->used_bytes);
    if (!demand->cpu_known)
        assert_true(demand->want_centi == life->granted_centi &&
                    demand->need_centi == life->granted_centi && !demand->cpu_pressed);
    /* No word of a guest brings it further than twice what it has had, and room. */
    assert_true(demand->want_bytes <= sum(sum(life->most_bytes, life->most_bytes), 256 * MIB));
    assert_true(demand->want_centi <= 5 * (uint64_t)life->most_centi + 300);
}

static uint64_t
begin(uint64_t steps)
{
    const char *seed = getenv("LP_TEST_SEED"), *more = getenv("LP_TEST_STEPS");

    chance = seed ? strtoull(seed, NULL, 10) : 20261123;
    print_message("# seed %llu\n", (unsigned long long)chance);
    return more ? strtoull(more, NULL, 10) : steps;
}

static void
test_promises(void **state)
{
    uint64_t pressed = 0, known = 0, steps = begin(STEPS);
    unsigned whys[LP_WHY_S] = { 0 };
    Life life = { .tuning = *lp_goal_tuning(LP_GOAL_BALANCED) };

    (void)state;
    for (uint64_t i = 0; i < steps; i++) {
        LpDemand demand;

        step(&life);
        memset(&demand, 0xa5, sizeof(demand));
        lp_demand_update(&life.state, &life.tuning, &life.seen, life.granted_bytes,
                         life.granted_centi, life.now_msec, &demand);
        check_promises(&life, &demand);
        pressed += demand.mem_pressed;
        known += demand.mem_known;
        whys[demand.mem_why]++;
        whys[demand.cpu_why]++;
    }
    /* The cases are not all of one kind. */
    assert_true(known > steps / 2 && known < steps && pressed > steps / 20);
    for (int why = LP_WHY_UNKNOWN; why < LP_WHY_S; why++)
        assert_true(whys[why] > 0 || why == LP_WHY_ASKED);
}

/* Who uses more wants no less, and needs no less, all else being equal. */
static void
test_monotone(void **state)
{
    uint64_t differ = 0, steps = begin(STEPS);
    Life life = { .tuning = *lp_goal_tuning(LP_GOAL_BALANCED) };

    (void)state;
    for (uint64_t i = 0; i < steps; i++) {
        LpDemandState more_state;
        LpSignals more;
        LpDemand less_demand, more_demand;

        step(&life);
        more = life.seen;
        more_state = life.state;
        more.available_bytes -= below(sum(more.available_bytes, 1));
        more.working_set_bytes += below(UINT64_MAX - more.working_set_bytes);
        more.cpu_used_centi += (uint32_t)below(UINT32_MAX - more.cpu_used_centi);
        lp_demand_update(&life.state, &life.tuning, &life.seen, life.granted_bytes,
                         life.granted_centi, life.now_msec, &less_demand);
        lp_demand_update(&more_state, &life.tuning, &more, life.granted_bytes,
                         life.granted_centi, life.now_msec, &more_demand);
        if (more_demand.cpu_known) {
            assert_true(more_demand.want_centi >= less_demand.want_centi);
            assert_true(more_demand.need_centi >= less_demand.need_centi);
        }
        if (!less_demand.mem_known)
            continue;
        differ += more_demand.want_bytes > less_demand.want_bytes;
        assert_true(more_demand.used_bytes >= less_demand.used_bytes);
        assert_true(more_demand.want_bytes >= less_demand.want_bytes);
        assert_true(more_demand.need_bytes >= less_demand.need_bytes);
    }
    assert_true(differ > steps / 20);
}

/* The same inputs give the same, to the last byte; and a state may be copied. */
static void
test_deterministic(void **state)
{
    uint64_t steps = begin(STEPS / 10);
    Life life = { .tuning = *lp_goal_tuning(LP_GOAL_BALANCED) };

    (void)state;
    for (uint64_t i = 0; i < steps; i++) {
        LpDemandState copy;
        LpDemand first, second;

        step(&life);
        memcpy(&copy, &life.state, sizeof(copy));
        memset(&first, 0, sizeof(first));
        memset(&second, 0, sizeof(second));
        lp_demand_update(&copy, &life.tuning, &life.seen, life.granted_bytes,
                         life.granted_centi, life.now_msec, &first);
        lp_demand_update(&life.state, &life.tuning, &life.seen, life.granted_bytes,
                         life.granted_centi, life.now_msec, &second);
        assert_memory_equal(&first, &second, sizeof(first));
        assert_memory_equal(&copy, &life.state, sizeof(copy));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_monotone),
        cmocka_unit_test(test_deterministic),
    };

    return cmocka_run_group_tests_name("demand, any input", tests, NULL, NULL);
}
