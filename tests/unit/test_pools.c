/* Pools in the daemon, on a simulated host: who is in which from when on, what is refused, and what
 * outlives lpard. */
#include "engine_fixture.h"

#include <glib/gstdio.h>

#include "hotplug/resource.h"
#include "lpard/pools/pools.h"

#define ROOM (16 * GIB)

static LpPools *pools;

typedef struct {
    bool answered;
    int code;                     /* of LP_ERROR; -1: none */
    char *message;
} Answer;

static Answer answer;

static void
begin(unsigned n)
{
    start_world(n, ROOM, AT_ONCE, "");
    pools = lp_pools_new(world.dir, world.registry, world.engine, world.events);
}

static int
end(void **state)
{
    lp_pools_free(pools);
    pools = NULL;
    g_free(answer.message);
    answer = (Answer){0};
    return tear_down(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_teardown(name, end)

static void
on_done(const GError *error, void *data)
{
    (void) data;
    answer.answered = true;
    answer.code = error ? error->code : -1;
    answer.message = error ? g_strdup(error->message) : NULL;
}

/* What was said at once or later. */
static int
outcome(bool begun, GError *const *error)
{
    if (begun)
        UNTIL(answer.answered);
    else
        assert_false(answer.answered);
    return begun ? answer.code : (*error)->code;
}

static void
forget(void)
{
    g_free(answer.message);
    answer = (Answer){0};
}

static int
set(const char *name, uint32_t max, uint32_t reserved)
{
    g_autoptr(GError) error = NULL;
    LpPool pool = {.max_centi = max, .reserved_centi = reserved};

    forget();
    g_strlcpy(pool.name, name, sizeof pool.name);
    return outcome(lp_pools_set(pools, &pool, on_done, NULL, &error), &error);
}

static int
drop(const char *name)
{
    g_autoptr(GError) error = NULL;

    forget();
    return outcome(lp_pools_remove(pools, name, on_done, NULL, &error), &error);
}

static int
join(const char *partition, const char *pool)
{
    g_autoptr(GError) error = NULL;

    forget();
    return outcome(lp_pools_join(pools, part(partition), pool, on_done, NULL, &error), &error);
}

static void
start_again(const char *name)
{
    tell(name, "{\"do\": \"stop\"}");
    UNTIL(part(name)->view->run == LP_RUN_OFF);
    tell(name, "{\"do\": \"start\"}");
    UNTIL(part(name)->view->run == LP_RUN_RUNNING);
}

static const LpPool *
pool_named(const char *name)
{
    const LpPool *pool = lp_pools_find(pools, name, NULL);

    if (!pool)
        fail_msg("there is no pool %s", name);
    return pool;
}

static void
test_members(void **state)
{
    LpPolicyPool policy[LP_POLICY_POOLS];

    (void) state;
    begin(2);
    assert_int_equal(set("web", 400, 50), -1);
    assert_int_equal(set("batch", 200, 0), -1);
    assert_int_equal(lp_pools_policy(pools, policy), 2);
    assert_int_equal(policy[1].max_centi, 400);
    assert_int_equal(policy[1].reserved_centi, 50);
    assert_int_equal(lp_pools_index(pools, part("p0")), LP_NO_POOL);

    assert_int_equal(join("p0", "web"), -1);
    assert_true(lp_pool_has(pool_named("web"), part("p0")));
    assert_false(lp_pool_runs(pool_named("web"), part("p0")));
    assert_int_equal(lp_pools_index(pools, part("p0")), LP_NO_POOL);
    start_again("p0");
    assert_true(lp_pool_runs(pool_named("web"), part("p0")));
    assert_int_equal(lp_pools_index(pools, part("p0")), 1);
    assert_int_equal(lp_pools_index(pools, part("p1")), LP_NO_POOL);
    assert_int_equal(lp_pools_entitled(pools, pool_named("web")), 40);

    /* From one to another, and out. */
    assert_int_equal(join("p0", "batch"), -1);
    assert_true(lp_pool_runs(pool_named("web"), part("p0")));
    assert_false(lp_pool_has(pool_named("web"), part("p0")));
    assert_int_equal(drop("web"), LP_ERROR_CONFLICT);
    assert_int_equal(drop("batch"), LP_ERROR_CONFLICT);
    assert_int_equal(join("p0", NULL), -1);
    start_again("p0");
    assert_int_equal(lp_pools_index(pools, part("p0")), LP_NO_POOL);
    assert_int_equal(drop("web"), -1);
    assert_int_equal(drop("batch"), -1);
    assert_int_equal(lp_pools_count(pools), 0);
}

static void
test_refusals(void **state)
{
    (void) state;
    begin(3);
    assert_int_equal(set("web", 1601, 0), LP_ERROR_REFUSED);
    assert_int_equal(set("web", 3, 0), LP_ERROR_USAGE);
    assert_int_equal(set("web", 100, 101), LP_ERROR_USAGE);
    assert_int_equal(set("a-b", 100, 0), LP_ERROR_USAGE);
    assert_int_equal(drop("web"), LP_ERROR_NO_PARTITION);
    assert_int_equal(join("p0", "web"), LP_ERROR_NO_PARTITION);
    assert_int_equal(set("web", 100, 20), -1);
    assert_int_equal(join("p0", "web"), -1);
    assert_int_equal(join("p1", "web"), -1);
    /* 0.20 are reserved, two are entitled to 0.40 each, and the third as well. */
    assert_int_equal(join("p2", "web"), LP_ERROR_REFUSED);
    assert_int_equal(set("web", 99, 20), LP_ERROR_REFUSED);
    assert_int_equal(set("web", 100, 21), LP_ERROR_REFUSED);
    assert_int_equal(pool_named("web")->max_centi, 100);
    assert_int_equal(set("web", 90, 10), -1);
    assert_int_equal(pool_named("web")->max_centi, 90);
}

/* S8: 16 processors, of which 0.10 are the host's and 1.20 the partitions'. */
static void
test_reserved_units(void **state)
{
    LpHostUse use;
    LpRoom room;

    (void) state;
    begin(3);
    lp_registry_use(world.registry, &use);
    assert_int_equal(use.free_centi, 1600 - 10 - 120);
    assert_int_equal(set("web", 1600, 1471), LP_ERROR_REFUSED);
    assert_int_equal(set("web", 1600, 1000), -1);
    lp_registry_use(world.registry, &use);
    assert_int_equal(use.pools_centi, 1000);
    assert_int_equal(use.free_centi, 470);
    lp_registry_room(world.registry, part("p0"), &room);
    assert_int_equal(room.room_centi, 470 + 40);
    assert_int_equal(set("batch", 1600, 471), LP_ERROR_REFUSED);
    assert_int_equal(set("batch", 1600, 470), -1);
    assert_int_equal(set("web", 1600, 1001), LP_ERROR_REFUSED);
    assert_int_equal(set("web", 1600, 100), -1);
    assert_int_equal(set("batch", 1600, 471), -1);
    /* No entitlement passes what is left. */
    assert_int_equal(set("batch", 1600, 1370), -1);
    lp_registry_room(world.registry, part("p0"), &room);
    assert_int_equal(room.room_centi, 40);
    assert_int_equal(drop("batch"), -1);
    lp_registry_room(world.registry, part("p0"), &room);
    assert_int_equal(room.room_centi, 1370 + 40);
}

static uint32_t
entitled(const char *name)
{
    return part(name)->profile.capacity.entitled_centi;
}

/* What fits alone need not fit together. */
static void
test_two_at_once(void **state)
{
    g_autoptr(GError) error = NULL;
    int64_t first, second;

    (void) state;
    begin(3);
    assert_int_equal(set("web", 100, 0), -1);
    assert_int_equal(join("p0", "web"), -1);
    forget();
    assert_true(lp_pools_join(pools, part("p1"), "web", on_done, NULL, NULL));
    assert_false(lp_pools_join(pools, part("p2"), "web", on_done, NULL, &error));
    assert_int_equal(error->code, LP_ERROR_BUSY);
    UNTIL(answer.answered);
    assert_int_equal(answer.code, -1);
    assert_int_equal(join("p2", "web"), LP_ERROR_REFUSED);

    tell("p0", "{\"answer_msec\": 200}");
    first = submit("{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":60}");
    second = submit("{\"kind\":\"capacity\",\"partition\":\"p1\",\"entitled_centi\":60}");
    finish(first);
    finish(second);
    assert_int_equal(entitled("p0") + entitled("p1"), 100);
}

static void
test_one_change_at_a_time(void **state)
{
    g_autoptr(GError) error = NULL;
    LpPool pool = {.name = "web", .max_centi = 100};

    (void) state;
    begin(1);
    assert_true(lp_pools_set(pools, &pool, on_done, NULL, NULL));
    assert_false(lp_pools_set(pools, &pool, on_done, NULL, &error));
    assert_int_equal(error->code, LP_ERROR_BUSY);
    UNTIL(answer.answered);
    assert_int_equal(answer.code, -1);

    /* Nobody joins what is being removed, and nothing is removed that somebody joins. */
    forget();
    g_clear_error(&error);
    assert_true(lp_pools_remove(pools, "web", on_done, NULL, NULL));
    assert_false(lp_pools_join(pools, part("p0"), "web", on_done, NULL, &error));
    assert_int_equal(error->code, LP_ERROR_BUSY);
    UNTIL(answer.answered);
    assert_int_equal(set("web", 100, 0), -1);
    forget();
    g_clear_error(&error);
    assert_true(lp_pools_join(pools, part("p0"), "web", on_done, NULL, NULL));
    assert_false(lp_pools_remove(pools, "web", on_done, NULL, &error));
    assert_int_equal(error->code, LP_ERROR_BUSY);
    UNTIL(answer.answered);
    assert_int_equal(answer.code, -1);
    assert_true(lp_pool_has(pool_named("web"), part("p0")));
}

/* A pool's maximum holds for its members' entitlements, whoever raises them. */
static void
test_entitlements_in_a_pool(void **state)
{
    LpRoom room;

    (void) state;
    begin(3);
    assert_int_equal(set("web", 130, 20), -1);
    assert_int_equal(join("p0", "web"), -1);
    lp_registry_room(world.registry, part("p0"), &room);
    assert_int_equal(room.room_centi, 110);
    assert_int_equal(join("p1", "web"), -1);
    lp_registry_room(world.registry, part("p0"), &room);
    assert_int_equal(room.room_centi, 70);
    lp_registry_room(world.registry, part("p2"), &room);
    assert_int_equal(room.room_centi, 1600 - 10 - 20 - 80);
    EXPECT(run("{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":71}"),
           LP_OP_REFUSED);
    EXPECT(run("{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":70}"),
           LP_OP_DONE);
    assert_int_equal(join("p0", NULL), -1);
    lp_registry_room(world.registry, part("p0"), &room);
    assert_int_equal(room.room_centi, 1600 - 10 - 20 - 80);
}

static void
test_restart(void **state)
{
    (void) state;
    begin(2);
    assert_int_equal(set("web", 400, 50), -1);
    assert_int_equal(join("p1", "web"), -1);
    start_again("p1");
    lp_pools_free(pools);
    halt();
    boot();
    pools = lp_pools_new(world.dir, world.registry, world.engine, world.events);
    assert_int_equal(pool_named("web")->max_centi, 400);
    assert_int_equal(pool_named("web")->reserved_centi, 50);
    assert_int_equal(lp_pools_index(pools, part("p1")), 0);
}

/* Ended in the middle of a change. */
static void
test_end_while_changing(void **state)
{
    LpPool pool = {.name = "web", .max_centi = 100};

    (void) state;
    begin(1);
    assert_int_equal(set("web", 200, 0), -1);
    assert_int_equal(join("p0", "web"), -1);
    forget();
    assert_true(lp_pools_set(pools, &pool, on_done, NULL, NULL));
    lp_pools_free(pools);
    pools = NULL;
    UNTIL(answer.answered);
}

static void
count_end(const GError *error, void *data)
{
    assert_non_null(error);
    ++*(unsigned *) data;
}

/* Workers that only open their connections when lpard ends begin what nobody waits for. */
static void
test_end_while_leaving(void **state)
{
    static const char *const names[] = {"p0", "p1", "p2"};

    (void) state;
    begin(3);
    for (unsigned turn = 0; turn < 30; turn++) {
        unsigned n = 0;

        for (unsigned i = 0; i < 3; i++)
            assert_true(lp_pools_join(pools, part(names[i]), NULL, count_end, &n, NULL));
        /* They come to it at some time between the first turn's and the last's. */
        g_usleep(turn * 10);
        lp_pools_free(pools);
        pools = NULL;
        halt();
        assert_int_equal(n, 3);
        boot();
        UNTIL(lp_registry_synced(world.registry));
        pools = lp_pools_new(world.dir, world.registry, world.engine, world.events);
    }
}

static void
test_file_that_makes_no_sense(void **state)
{
    g_autofree char *path = NULL, *text = NULL;
    g_autoptr(GError) error = NULL;

    (void) state;
    begin(1);
    lp_pools_free(pools);
    path = g_build_filename(world.dir, "pools.conf", NULL);
    assert_true(g_file_set_contents(path, "[pool web]\nmax=plenty\n", -1, NULL));
    pools = lp_pools_new(world.dir, world.registry, world.engine, world.events);
    assert_false(lp_pools_usable(pools, &error));
    assert_int_equal(error->code, LP_ERROR_JOURNAL);
    assert_non_null(strstr(error->message, "web"));
    assert_int_equal(set("batch", 100, 0), LP_ERROR_JOURNAL);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, "[pool web]\nmax=plenty\n");
}

static void
test_disk_that_is_gone(void **state)
{
    g_autofree char *dir = NULL;

    (void) state;
    begin(1);
    lp_pools_free(pools);
    dir = g_build_filename(world.dir, "gone", NULL);
    pools = lp_pools_new(dir, world.registry, world.engine, world.events);
    assert_int_equal(set("web", 100, 50), LP_ERROR_JOURNAL);
    assert_int_equal(lp_pools_count(pools), 0);
    assert_int_equal(g_mkdir(dir, 0700), 0);
    assert_int_equal(set("web", 100, 50), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_members), TEST(test_refusals), TEST(test_reserved_units),
        TEST(test_two_at_once), TEST(test_one_change_at_a_time),
        TEST(test_entitlements_in_a_pool), TEST(test_restart), TEST(test_end_while_changing),
        TEST(test_end_while_leaving), TEST(test_file_that_makes_no_sense), TEST(test_disk_that_is_gone),
    };

    start_clock();
    return cmocka_run_group_tests_name("pools", tests, NULL, NULL);
}
