/* The peers' formulas, on cases small enough to be worked out by hand, and on their own vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lpard/sim/rival-pve.h"
#include "lpard/sim/rival.h"

#define MB 1000000LL
#define GB 1000000000LL
#define MIB LP_RIVAL_MIB
#define GIB LP_RIVAL_GIB
#define NEAR (4 * MIB)         /* whole blocks, and a formula's own slack */

/* --- pve ------------------------------------------------------------------------------------ */

typedef struct {
    int64_t goal;
    bool again;                /* until nothing changes */
    int64_t expected[3];       /* 0: nothing is said of it */
} PveCase;

/* As its source's tests have them (its balloontest.pl): goal and what comes of it. */
static void
pve_cases(const LpPveVm *begin, size_t n, const PveCase *cases, size_t n_cases)
{
    for (size_t c = 0; c < n_cases; c++) {
        LpPveVm vms[3];
        int64_t planned[3], said[3] = { 0 }, goal = cases[c].goal, moved;

        memcpy(vms, begin, n * sizeof *vms);
        do {
            moved = 0;
            lp_pve_plan(vms, n, goal, 100 * MB, planned);
            for (size_t i = 0; i < n; i++) {
                if (planned[i] == 0)
                    continue;
                int64_t change = planned[i] - vms[i].balloon;
                if (change != 0 || !cases[c].again)
                    said[i] = planned[i];
                vms[i].balloon = planned[i];
                vms[i].free = vms[i].free + change > 0 ? vms[i].free + change : 0;
                moved += llabs(change);
                goal -= change;
            }
        } while (cases[c].again && moved != 0);
        for (size_t i = 0; i < n; i++)
            if (said[i] != cases[c].expected[i])
                fail_msg("case %zu, VM %zu: %lld, not %lld", c, i, (long long) said[i],
                         (long long) cases[c].expected[i]);
    }
}

static void
test_pve_by_shares(void **state)
{
    static const LpPveVm vms[] = { { 2 * GB, GB, GB, 0, 2000 }, { 2 * GB, GB, GB, 0, 1000 } };
    static const PveCase cases[] = {
        { 0, false, { 0, 0 } },
        { 90 * MB, false, { 1060 * MB, 1030 * MB } },
        { 150 * MB, false, { 1100 * MB, 1050 * MB } },
        { 270 * MB, false, { 1100 * MB, 1090 * MB } },
        { 180 * MB, true, { 1120 * MB, 1060 * MB } },
        { 270 * MB, true, { 1180 * MB, 1090 * MB } },
        { 600 * MB, true, { 1300 * MB, 1300 * MB } },
        { 900 * MB, true, { 1600 * MB, 1300 * MB } },
    };

    (void) state;
    pve_cases(vms, 2, cases, 8);
}

static void
test_pve_at_maximum(void **state)
{
    static const LpPveVm vms[] = {
        { 2 * GB, 2 * GB, 2 * GB, 0, 2000 },
        { 2 * GB, GB, GB, 0, 1000 },
    };
    static const PveCase cases[] = {
        { 0, false, { 0, 0 } },
        { 18 * MB, false, { 0, 1018 * MB } },
        { 500 * MB, false, { 0, 1100 * MB } },
    };

    (void) state;
    pve_cases(vms, 2, cases, 3);
}

static void
test_pve_pressed_first(void **state)
{
    static const LpPveVm vms[] = {
        { 2 * GB, 2 * GB, 2 * GB, 0, 2000 },
        { 2 * GB, GB, GB + 7 * MB, 0, 1000 },
        { 2 * GB, GB, GB, 512 * MB, 1000 },
    };
    static const PveCase cases[] = {
        { 0, false, { 0, 0, 0 } },
        { 11 * MB, false, { 0, 1018 * MB, 0 } },
        { 80 * MB, false, { 0, 1087 * MB, 0 } },
        { 200 * MB, false, { 0, 1107 * MB, 0 } },
        { 593 * MB, true, { 0, 1300 * MB, 1300 * MB } },
    };
    static const LpPveVm grown[] = {
        { 2 * GB, 2 * GB, 2 * GB, 0, 2000 },
        { 2 * GB, GB, 1300 * MB, 293 * MB, 1000 },
        { 2 * GB, GB, 1300 * MB, 812 * MB, 1000 },
    };
    static const PveCase back[] = {
        { -200 * MB, true, { 0, 1200 * MB, 1200 * MB } },
        { -400 * MB, true, { 0, 1200 * MB, 1000 * MB } },
        { -593 * MB, true, { 0, 1007 * MB, 1000 * MB } },
    };

    (void) state;
    pve_cases(vms, 3, cases, 5);
    pve_cases(grown, 3, back, 3);
}

/* --- a host where all is done at once -------------------------------------------------------- */

typedef struct {
    LpSimView views[8];
    LpSimHost host;
    uint64_t reversals;
    int direction[8];
} World;

static void
world_init(World *world, uint64_t host_bytes)
{
    memset(world, 0, sizeof *world);
    world->host.host_bytes = world->host.host_free_bytes = host_bytes;
    world->host.host_centi = 6400;
    world->host.views = world->views;
}

static void
world_use(World *world, size_t i, uint64_t demand)
{
    LpSimView *view = &world->views[i];

    view->usable_bytes = view->granted_bytes;
    view->used_bytes = demand < view->granted_bytes ? demand : view->granted_bytes;
    view->free_bytes = view->granted_bytes - view->used_bytes;
}

static void
world_add(World *world, uint64_t min, uint64_t max, uint64_t granted, uint64_t demand)
{
    size_t i = world->host.n++;

    world->views[i] = (LpSimView) {
        .key = i + 1, .min_bytes = min, .max_bytes = max, .block_bytes = 2 * MIB, .weight = 128,
        .min_centi = 10, .max_centi = 400, .granted_bytes = granted, .granted_centi = 400,
        .granted_cpus = 4, .target_bytes = granted, .target_centi = 400,
    };
    world_use(world, i, demand);
    world->host.host_free_bytes -= granted;
}

static void
world_apply(World *world)
{
    for (size_t i = 0; i < world->host.n; i++) {
        LpSimView *view = &world->views[i];
        uint64_t demand = view->used_bytes;
        int way = (view->target_bytes > view->granted_bytes) -
                  (view->target_bytes < view->granted_bytes);

        world->reversals += way != 0 && world->direction[i] == -way;
        world->direction[i] = way ? way : world->direction[i];
        world->host.host_free_bytes += view->granted_bytes;
        assert_true(view->target_bytes <= world->host.host_free_bytes);
        world->host.host_free_bytes -= view->target_bytes;
        view->granted_bytes = view->target_bytes;
        world_use(world, i, demand);
    }
}

static void
world_decide(World *world, const LpSimPolicy *policy, void *self)
{
    for (size_t i = 0; i < world->host.n; i++)
        world->views[i].target_bytes = world->views[i].granted_bytes;
    policy->decide(self, &world->host);
    world->host.now_msec += policy->interval_sec * 1000;
}

#define assert_near(value, expected) \
    assert_in_range(value, (uint64_t) (expected) - NEAR, (uint64_t) (expected) + NEAR)

static void
test_squeezed(void **state)
{
    World world;

    (void) state;
    world_init(&world, 5 * GIB + 72 * MIB);
    world_add(&world, GIB, 3 * GIB, 3 * GIB, GIB);
    world_add(&world, GIB, 5 * GIB, GIB, GIB);
    void *self = lp_rival_squeezed.begin(&world.host);
    /* 3 GiB above the minima for ranges of 2 and 4: half the way for both, donors first. */
    world_decide(&world, &lp_rival_squeezed, self);
    assert_near(world.views[0].target_bytes, 2 * GIB);
    assert_int_equal(world.views[1].target_bytes, GIB);
    world_apply(&world);
    world_decide(&world, &lp_rival_squeezed, self);
    world_apply(&world);
    assert_near(world.views[0].granted_bytes, 2 * GIB);
    assert_near(world.views[1].granted_bytes, 3 * GIB);
    lp_rival_squeezed.end(self);
}

static void
test_squeezed_stuck(void **state)
{
    World world;

    (void) state;
    world_init(&world, 5 * GIB + 72 * MIB);
    world_add(&world, GIB, 3 * GIB, 3 * GIB, GIB);
    world_add(&world, GIB, 5 * GIB, GIB, GIB);
    void *self = lp_rival_squeezed.begin(&world.host);
    /* The donor does not move: after 5 s the free GiB is given without it, a quarter of the way. */
    for (int second = 0; second < 4; second++)
        world_decide(&world, &lp_rival_squeezed, self);
    assert_int_equal(world.views[1].target_bytes, GIB);
    for (int second = 0; second < 4; second++)
        world_decide(&world, &lp_rival_squeezed, self);
    assert_int_equal(world.views[0].target_bytes, 3 * GIB);
    assert_near(world.views[1].target_bytes, 2 * GIB);
    lp_rival_squeezed.end(self);
}

static void
test_qmemman_enough(void **state)
{
    World world;

    (void) state;
    world_init(&world, 10 * GIB + 50 * MIB);
    world_add(&world, GIB, 8 * GIB, 6 * GIB, 2 * GIB);
    world_add(&world, GIB, 8 * GIB, 4 * GIB, 3 * GIB);
    void *self = lp_rival_qmemman.begin(&world.host);
    /* 2.6 and 3.9 are preferred: 10 GiB are divided 4 to 6, less a thousandth. */
    world_decide(&world, &lp_rival_qmemman, self);
    assert_near(world.views[0].target_bytes, 0.999 * 4 * GIB);
    assert_near(world.views[0].needs_bytes, 2.6 * GIB);
    world_apply(&world);
    world_decide(&world, &lp_rival_qmemman, self);
    world_apply(&world);
    assert_near(world.views[1].granted_bytes, 0.999 * 6 * GIB);
    /* Both are where they should be, and small changes are not worth it. */
    world.views[0].used_bytes += 8 * MIB;
    world_decide(&world, &lp_rival_qmemman, self);
    assert_int_equal(world.views[0].target_bytes, world.views[0].granted_bytes);
    lp_rival_qmemman.end(self);
}

static void
test_qmemman_low(void **state)
{
    World world;

    (void) state;
    world_init(&world, 10 * GIB + 50 * MIB);
    world_add(&world, GIB, 8 * GIB, 6 * GIB, 2 * GIB);
    world_add(&world, GIB, 9 * GIB, 4 * GIB, 8 * GIB);
    world.views[1].used_bytes = 8 * GIB;           /* by its word: with what is swapped */
    void *self = lp_rival_qmemman.begin(&world.host);
    /* 2.6 and 9 are preferred of 10: the donor falls to what it prefers, the other waits ... */
    world_decide(&world, &lp_rival_qmemman, self);
    assert_near(world.views[0].target_bytes, 2.6 * GIB);
    assert_int_equal(world.views[1].target_bytes, 4 * GIB);
    world_apply(&world);
    world.views[1].used_bytes = 8 * GIB;
    /* ... for the next round, where all of the free 3.4 are its own. */
    world_decide(&world, &lp_rival_qmemman, self);
    assert_near(world.views[1].target_bytes, 0.999 * 7.4 * GIB);
    lp_rival_qmemman.end(self);
}

/* Five guests of 20 GiB that use 12, on 100 GiB: by the source's own averages, MoM never rests. */
static void
test_mom_circles(void **state)
{
    World world;
    uint64_t low = UINT64_MAX, high = 0;

    (void) state;
    world_init(&world, 100 * GIB);
    for (int i = 0; i < 5; i++)
        world_add(&world, GIB, 20 * GIB, 20 * GIB, 12 * GIB);
    void *self = lp_rival_mom.begin(&world.host);
    for (int second = 0; second < 3600; second += 5) {
        world_decide(&world, &lp_rival_mom, self);
        world_apply(&world);
        if (second < 1800)
            continue;
        low = MIN(low, world.host.host_free_bytes);
        high = MAX(high, world.host.host_free_bytes);
    }
    lp_rival_mom.end(self);
    /* Half an hour after it began: a swing of a tenth of the host and more, each 80 s or so. */
    assert_true(high - low > 10 * GIB);
    assert_in_range(world.reversals, 5 * 40, 5 * 150);
}

static void
test_esx_prices(void **state)
{
    World world;

    (void) state;
    world_init(&world, 100 * GIB);
    world_add(&world, GIB, 90 * GIB, 47 * GIB, 40 * GIB);
    world_add(&world, GIB, 90 * GIB, 47 * GIB, 0);
    void *self = lp_rival_esx.begin(&world.host);
    /* 94 to divide.  Idle costs 4: P2 = Sc/4; P1 = (Sc + 3 x 40)/4; so Sc = 128: 62 and 32. */
    world_decide(&world, &lp_rival_esx, self);
    assert_near(world.views[1].target_bytes, 32 * GIB);
    assert_near(world.views[0].needs_bytes, 62 * GIB);
    lp_rival_esx.end(self);
}

static void
test_neon_units(void **state)
{
    World world;

    (void) state;
    world_init(&world, 16 * GIB);
    world_add(&world, GIB, 8 * GIB, 2 * GIB, 1700 * MIB);
    world.views[0].granted_centi = 50;
    world.views[0].max_centi = 200;
    void *self = lp_rival_neon.begin(&world.host);
    /* 1700 MiB are three quarters of 2.2 units: 3, and processors go along. */
    world_decide(&world, &lp_rival_neon, self);
    assert_int_equal(world.views[0].target_bytes, 3 * GIB);
    assert_int_equal(world.views[0].target_centi, 75);
    world_apply(&world);
    /* Idle: one unit at a time, and not below what it uses. */
    world.views[0].used_bytes = 300 * MIB;
    world_decide(&world, &lp_rival_neon, self);
    assert_int_equal(world.views[0].target_bytes, 2 * GIB);
    lp_rival_neon.end(self);
}

static void
test_vpa_margin(void **state)
{
    World world;

    (void) state;
    world_init(&world, 64 * GIB);
    world_add(&world, GIB, 32 * GIB, 32 * GIB, 4 * GIB);
    world.views[0].cpu_used_centi = 100;
    void *self = lp_rival_vpa.begin(&world.host);
    for (int minute = 0; minute < 13 * 60; minute++) {
        world_decide(&world, &lp_rival_vpa, self);
        world_apply(&world);
    }
    /* One peak, and one load: the end of its bucket (5 % wide) and 15 %. */
    assert_in_range(world.views[0].granted_bytes, 4 * 1.15 * GIB, 4 * 1.15 * 1.06 * GIB);
    assert_in_range(world.views[0].needs_centi, 115, 123);
    /* A request is no limit: alone on the host it may use all. */
    assert_int_equal(world.views[0].target_centi, 400);
    lp_rival_vpa.end(self);
}

static void
test_senpai_probes(void **state)
{
    World world;

    (void) state;
    world_init(&world, 64 * GIB);
    world_add(&world, GIB, 32 * GIB, 10 * GIB, 4 * GIB);
    void *self = lp_rival_senpai.begin(&world.host);
    /* At rest at most 1 % is taken, and not again for 6 s. */
    for (int second = 0; second < 6; second++) {
        world_decide(&world, &lp_rival_senpai, self);
        world_apply(&world);
        assert_near(world.views[0].granted_bytes, 9.9 * GIB);
    }
    /* A second of nothing but stalls: twice as much at once. */
    world.views[0].psi_some_centi = 951;           /* avg10 after one second of 100 % */
    world_decide(&world, &lp_rival_senpai, self);
    assert_near(world.views[0].target_bytes, 19.8 * GIB);
    lp_rival_senpai.end(self);
}

static void
test_hyperv_buffer(void **state)
{
    World world;

    (void) state;
    world_init(&world, 64 * GIB);
    world_add(&world, GIB, 32 * GIB, 10 * GIB, 10 * GIB);
    world_add(&world, GIB, 32 * GIB, 10 * GIB, 4 * GIB);
    /* A fifth over what is in use; what is much too much is taken. */
    world_decide(&world, &lp_rival_hyperv, NULL);
    assert_near(world.views[0].target_bytes, 12 * GIB);
    assert_near(world.views[1].target_bytes, 4.8 * GIB);
    /* With 15.4 for a demand of 14 only half of 2.8 is there for buffers: the same part for equals. */
    world.host.host_bytes = (uint64_t) (15.4 * GIB);
    world.host.host_free_bytes = 0;
    world_decide(&world, &lp_rival_hyperv, NULL);
    assert_near(world.views[0].needs_bytes, 11 * GIB);
    assert_near(world.views[1].needs_bytes, 4.4 * GIB);
}

static void
test_clairvoyant_knows(void **state)
{
    World world;

    (void) state;
    world_init(&world, 16 * GIB);
    world_add(&world, GIB, 10 * GIB, 2 * GIB, GIB);
    world_add(&world, GIB, 10 * GIB, 2 * GIB, GIB);
    world.views[0].future_bytes = 7 * GIB;
    world.views[1].future_bytes = 3 * GIB;
    world_decide(&world, &lp_rival_clairvoyant, NULL);
    assert_near(world.views[0].target_bytes, 7 * GIB);
    assert_near(world.views[1].target_bytes, 3 * GIB);
    /* 6 GiB: beyond the two minima all get half of what they want. */
    world.host.host_bytes = 6 * GIB;
    world.host.host_free_bytes = 2 * GIB;
    world_decide(&world, &lp_rival_clairvoyant, NULL);
    assert_near(world.views[0].target_bytes, 4 * GIB);
    assert_near(world.views[1].target_bytes, 2 * GIB);
}

static void
test_static_parts(void **state)
{
    World world;

    (void) state;
    world_init(&world, 8 * GIB);
    world_add(&world, GIB, 3 * GIB, 3 * GIB, 0);
    world_add(&world, GIB, 11 * GIB, GIB, 10 * GIB);
    /* 6 GiB beyond the minima for ranges of 2 and 10, whoever uses them. */
    world_decide(&world, &lp_rival_static, NULL);
    assert_near(world.views[0].target_bytes, 2 * GIB);
    assert_near(world.views[1].needs_bytes, 6 * GIB);
}

/* Whatever the host has, no policy asks for what is not there, and none for less than the least. */
static void
test_all_keep_bounds(void **state)
{
    (void) state;
    for (size_t p = 0; lp_sim_policies[p]; p++) {
        const LpSimPolicy *policy = lp_sim_policies[p];
        World world;

        assert_ptr_equal(lp_sim_policy(policy->name), policy);
        assert_non_null(policy->source);
        world_init(&world, 9 * GIB);
        for (int i = 0; i < 8; i++)
            world_add(&world, 256 * MIB, (uint64_t) (i + 1) * GIB, GIB, 0);
        void *self = policy->begin ? policy->begin(&world.host) : NULL;
        for (int round = 0; round < 500; round++) {
            for (int i = 0; i < 8; i++) {
                world.views[i].psi_some_centi = round % 50 < i ? 4000 : 0;
                world.views[i].future_bytes = (uint64_t) (round % 7 * i) * GIB;
                world_use(&world, (size_t) i, (uint64_t) (round % 5 * i) * GIB);
            }
            world_decide(&world, policy, self);
            for (int i = 0; i < 8; i++)
                assert_in_range(world.views[i].target_bytes, 256 * MIB,
                                (uint64_t) (i + 1) * GIB);
            /* Takes first: what is asked for beyond what is free now would fail there. */
            uint64_t grows = 0;
            for (int i = 0; i < 8; i++)
                if (world.views[i].target_bytes > world.views[i].granted_bytes)
                    grows += world.views[i].target_bytes - world.views[i].granted_bytes;
            assert_true(grows <= world.host.host_free_bytes);
            world_apply(&world);
        }
        if (policy->end)
            policy->end(self);
    }
    assert_null(lp_sim_policy("no such"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pve_by_shares),
        cmocka_unit_test(test_pve_at_maximum),
        cmocka_unit_test(test_pve_pressed_first),
        cmocka_unit_test(test_squeezed),
        cmocka_unit_test(test_squeezed_stuck),
        cmocka_unit_test(test_qmemman_enough),
        cmocka_unit_test(test_qmemman_low),
        cmocka_unit_test(test_mom_circles),
        cmocka_unit_test(test_esx_prices),
        cmocka_unit_test(test_neon_units),
        cmocka_unit_test(test_vpa_margin),
        cmocka_unit_test(test_senpai_probes),
        cmocka_unit_test(test_hyperv_buffer),
        cmocka_unit_test(test_clairvoyant_knows),
        cmocka_unit_test(test_static_parts),
        cmocka_unit_test(test_all_keep_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
