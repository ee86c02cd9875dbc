/* Decisions in words.  Whole sentences where an operator acts on them; the rest by its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "policy/explain.h"
#include "policy_world.h"

static World world;
static char text[LP_EXPLAIN_TEXT];

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

static const char *
explain(size_t i, const char *rival)
{
    return lp_explain(&world.host, &world.partitions[i], &world.states[i], &world.decisions[i],
                      rival, text, sizeof(text));
}

static void
assert_says(const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("no \"%s\" in:\n%s", words, text);
}

static void
test_names_are_all_there(void **unused)
{
    (void)unused;
    for (int i = 0; i < LP_WHY_S; i++)
        assert_non_null(lp_why_names[i]);
    for (int i = 0; i < LP_BOUNDS; i++)
        assert_non_null(lp_bound_names[i]);
    assert_string_equal(lp_why_names[LP_WHY_WORKING_SET], "working-set");
    assert_string_equal(lp_bound_names[LP_BOUND_SHARE], "share");
    assert_string_equal(lp_act_name(LP_ACT_SHRINK), "shrink");
    assert_string_equal(lp_take_name(LP_TAKE_SHORTAGE), "shortage");
    assert_string_equal(lp_act_name((LpAct)99), "unknown");
    assert_string_equal(lp_take_name((LpTake)99), "unknown");
}

static void
test_growth(void **unused)
{
    (void)unused;
    world_add(&world, 8 * GIB, 8 * GIB)->seen.psi_some_centi = 1205;
    world_decide(&world);
    explain(0, NULL);
    assert_says("Memory: it has 8 GiB and uses 8 GiB (100 %); tasks wait for memory 12.05 % of "
                "the time.\n");
    assert_says("its tasks wait for memory.");
    assert_says("  It grows to ");
    assert_says("Processors: it has 2 vCPUs and may use 2.00");
}

static void
test_taken_for_another(void **unused)
{
    size_t giver = 0;

    (void)unused;
    world_add(&world, 16 * GIB, 16 * GIB);
    for (int i = 0; i < 3; i++)
        world_add(&world, 16 * GIB, 2 * GIB);
    world_decide(&world);
    for (size_t i = 1; i < 4; i++)
        if (world.decisions[i].mem_act == LP_ACT_SHRINK)
            giver = i;
    assert_int_not_equal(giver, 0);
    explain(giver, "web1");
    assert_says("GiB are taken now, down to ");
    assert_says(": it can spare them, and web1 needs them.\n");
    explain(giver, NULL);
    assert_says("and another partition needs them.\n");
    explain(0, NULL);
    assert_says("no memory is free yet where it lies. It grows as soon as others have given "
                "theirs.\n");
}

static void
test_what_stands_in_the_way(void **unused)
{
    (void)unused;
    world_add(&world, 16 * GIB, 16 * GIB);
    for (int i = 0; i < 3; i++)
        world_add(&world, 16 * GIB, 2 * GIB);
    world.partitions[1].word.vetoed_until_msec = 31000;
    world.partitions[2].failed = true;
    world.partitions[3].fixed = true;
    world_decide(&world);
    explain(1, NULL);
    assert_says("GiB, but its guest refuses: nothing is taken for another 30 seconds.\n");
    explain(2, NULL);
    assert_says("The last 1 attempt to shrink it failed: the next is in 60 seconds.\n");
    explain(3, NULL);
    assert_says("It is held or busy: nothing is changed now.\n");
}

static void
test_left_alone(void **unused)
{
    (void)unused;
    world_add(&world, 16 * GIB, GIB);
    world_add(&world, GIB, GIB)->seen.mem_age_msec = 50000;
    world_add(&world, GIB, GIB)->seen.mem_by = LP_SEEN_NOTHING;
    world_add(&world, GIB, GIB)->mode = LP_MODE_OFF;
    world_add(&world, GIB, GIB)->mem_min_bytes = 65 * GIB;
    world.partitions[2].seen.has_cpu = false;
    world_decide(&world);
    explain(0, NULL);
    assert_says("It keeps the other ");
    assert_says("until somebody needs them.\n");
    explain(1, NULL);
    assert_says("what was last heard of its use is 50 seconds old, too old to act on.\n");
    explain(2, NULL);
    assert_says("nothing is heard of its use.\n");
    assert_says("So it stays as it is until something is heard.\n");
    explain(3, NULL);
    assert_says("Autoscaling is off: it stays so.\n");
    explain(4, NULL);
    assert_says("Its minimum, 65 GiB, is above its maximum, 64 GiB.");
}

static void
test_release(void **unused)
{
    (void)unused;
    world.host.burst = false;
    world_add(&world, 16 * GIB, GIB)->release_sec = 600;
    world_ticks(&world, 300);
    world_decide(&world);
    explain(0, NULL);
    assert_says("go back to the host, in steps, if they stay unused for another 5 minutes.\n");
    world.host.now_msec += 301000;
    world_decide(&world);
    explain(0, NULL);
    assert_says("go back to the host now, down to ");
    assert_says(": it has not used them for 10 minutes.\n");
}

static void
test_processors(void **unused)
{
    LpPolicyPartition *busy = world_add(&world, 4 * GIB, GIB);

    (void)unused;
    busy->seen.cpu_used_centi = 200;
    world_add(&world, 4 * GIB, GIB)->seen.cpu_used_centi = 100;
    world.partitions[1].capped = true;
    world.partitions[1].granted_cpus = 1;
    world_decide(&world);
    explain(0, NULL);
    assert_says("it uses 2.00 and wants 3.00: it uses all that it may.\n");
    assert_says("It gets 1 more vCPU now: 3.\n");
    explain(1, NULL);
    assert_says("Its part is 0.50, its entitlement: it is capped; it may use 0.50.\n");
}

/* Any decision in any room: the text ends, and within its bounds. */
static void
test_every_size_and_value(void **unused)
{
    LpDecision *d = &world.decisions[0];

    (void)unused;
    world_add(&world, 4 * GIB, GIB);
    world_decide(&world);
    for (size_t size = 0; size < 400; size++) {
        memset(text, 'x', sizeof(text));
        lp_explain(&world.host, &world.partitions[0], &world.states[0], d, NULL, text, size);
        if (size > 0)
            assert_true(strlen(text) < size);
        assert_int_equal(text[size], 'x');
    }
    for (int bound = 0; bound <= LP_BOUNDS; bound++)
        for (int act = 0; act < 5; act++)
            for (int take = 0; take < 7; take++) {
                d->mem_bound = d->cpu_bound = (LpBound)bound;
                d->mem_act = d->cpu_act = (LpAct)act;
                d->mem_take = (LpTake)take;
                d->demand.mem_why = d->demand.cpu_why = (LpWhy)(bound % LP_WHY_S);
                d->mem_target_bytes = UINT64_MAX;
                d->mem_next_msec = act % 2 ? INT64_MAX : INT64_MIN;
                explain(0, "a-partition-with-a-name-that-is-quite-long-0123456789");
                assert_true(strlen(text) > 50 && strlen(text) < LP_EXPLAIN_TEXT - 1);
                assert_null(strstr(text, "(null)"));
            }
}

/* A schedule's minimum is no maximum; what is too little to move for is told with its direction. */
static void
test_which_bound(void **unused)
{
    (void)unused;
    world_add(&world, 2 * GIB, GIB)->scheduled = true;
    world.partitions[0].granted_cpus = 1;
    world.partitions[0].granted_centi = 100;
    world.partitions[0].cpu_min = 1;
    world_add(&world, 2 * GIB, GIB)->scheduled = true;
    world.partitions[1].cpu_max = 2;
    world.partitions[1].seen.cpu_used_centi = 200;
    world.partitions[1].seen.cpu_running = 9;
    world_decide(&world);
    explain(0, NULL);
    assert_int_equal(world.decisions[0].cpu_bound, LP_BOUND_SCHEDULE);
    assert_null(strstr(text, "maximum"));
    explain(1, NULL);
    assert_int_equal(world.decisions[1].cpu_bound, LP_BOUND_SCHEDULE);
    assert_says("Its part is 2.00, by its maximum by schedule;");
    world.decisions[0].mem_act = LP_ACT_NONE;
    world.decisions[0].mem_bound = LP_BOUND_DEADBAND;
    world.decisions[0].mem_target_bytes = 2 * GIB - 10 * MIB;
    explain(0, NULL);
    assert_says("  It could spare 10 MiB: too little to move for.\n");
    world.decisions[0].mem_target_bytes = 2 * GIB + 10 * MIB;
    explain(0, NULL);
    assert_says("  It lacks 10 MiB: too little to move for.\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_names_are_all_there), CASE(test_growth), CASE(test_taken_for_another),
        CASE(test_what_stands_in_the_way), CASE(test_left_alone), CASE(test_release),
        CASE(test_processors), CASE(test_which_bound),
        CASE(test_every_size_and_value),
    };

    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
