/* The autoscaler in the daemon, on a simulated host: what becomes of decisions, whose word goes
 * before the policy's, what outlives lpard, and that its history says the same when it is run
 * again. */
#include "engine_fixture.h"

#include <glib/gstdio.h>

#include "lpard/api/drift.h"
#include "lpard/api/export-policy.h"
#include "lpard/api/metrics.h"
#include "lpard/api/openapi.h"
#include "lpard/autoscale/autoscale.h"
#include "lpard/autoscale/history.h"
#include "policy/record.h"
#include "tests/unit/schema.h"

/* Three guests of 2 GiB and what their QEMUs take. */
#define THREE (3 * (2 * GIB + OVERHEAD_BYTES))
/* Programs that leave hardly anything of 2 GiB, and such that need little. */
#define LOADED "{\"used_bytes\": 1970000000}"
#define IDLE "{\"used_bytes\": 200000000}"
#define RELEASE_SEC 10

static LpScaler *scaler;
static LpSettings settings;
static uint64_t n_policy_operations;

/* ---- the fixture ---- */

static void
autoscaled(LpProfile *profile)
{
    profile->autoscale.mode = LP_MODE_AUTO;
    profile->autoscale.release_sec = RELEASE_SEC;
}

static void
as_host(LpProfile *profile)
{
    autoscaled(profile);
    profile->autoscale.mode = LP_MODE_HOST;
}

static void
count_operation(LpOperation *operation, void *data)
{
    (void) data;
    n_policy_operations += LP_OP_IS_FINAL(operation->state)
                           && g_strcmp0(operation->request->requester, "policy") == 0;
}

static void
start_scaler(LpMode mode)
{
    settings = (LpSettings){
        .state_dir = world.dir, .policy_mode = mode, .policy_burst = false,
        .policy_idle_tax_permyriad = 7500, .policy_moving = 4,
        .policy_history_bytes = 16 * MIB, .reserve_centi = 10,
    };
    scaler = lp_scaler_new(&settings, world.registry, world.engine, world.events);
}

static void
stop_scaler(void)
{
    lp_scaler_free(scaler);
    scaler = NULL;
}

static LpScalerFigures
figures(void)
{
    LpScalerFigures now;

    lp_scaler_figures(scaler, &now);
    return now;
}

static void
begin(uint64_t capacity_bytes, LpMode mode, void (*hook)(LpProfile *))
{
    profile_hook = hook;
    set_clock(FAST);
    start_world(3, capacity_bytes, AT_ONCE, "\"used_bytes\": 1000000000");
    n_policy_operations = 0;
    lp_engine_listen(world.engine, count_operation, NULL);
    start_scaler(mode);
    UNTIL(all_connected());
    UNTIL(mode == LP_MODE_OFF || figures().n_decided == 3);
}

static int
end(void **state)
{
    if (scaler)
        stop_scaler();
    return tear_down(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_teardown(name, end)

static void
run_ticks(uint64_t n)
{
    uint64_t until = figures().ticks + n;

    UNTIL(figures().ticks >= until);
}

static LpScaled
decided(const char *name)
{
    LpScaled scaled;

    if (!lp_scaler_find(scaler, part(name), &scaled))
        fail_msg("nothing is decided for %s", name);
    return scaled;
}

static uint64_t
granted(const char *name)
{
    return lp_partition_granted_bytes(part(name));
}

/* The newest operation of the policy on it. */
static const LpOperation *
policy_operation(const char *name)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);

    for (guint i = 0; i < list->len; i++) {
        const LpOperation *operation = g_ptr_array_index(list, i);

        if (strcmp(operation->request->partition, name) == 0
            && g_strcmp0(operation->request->requester, "policy") == 0)
            return operation;
    }
    return NULL;
}

static void
count_line(const LpScalerLine *line, void *data)
{
    unsigned *counts = data;

    counts[0]++;
    counts[1] += strcmp(line->what, "grow") == 0;
    counts[2] += strcmp(line->what, "shrink") == 0;
    counts[3] += strcmp(line->what, "result") == 0;
    assert_true(*line->text);
}

/* ---- what it does ---- */

static void
test_loaded_grows(void **state)
{
    unsigned counts[4] = {0};
    const LpOperation *operation;
    json_t *drift;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p0", LOADED);
    UNTIL(granted("p0") > 2 * GIB);
    UNTIL(policy_operation("p0") && LP_OP_IS_FINAL(policy_operation("p0")->state));
    operation = policy_operation("p0");
    EXPECT(operation, LP_OP_DONE);
    assert_true(operation->request->live_only && operation->request->keep_desired);
    assert_non_null(strstr(operation->request->why, "Memory: it has 2 GiB"));
    assert_in_range(strlen(operation->request->why), 20, 256);
    /* What is desired stays, and to be elsewhere is no drift. */
    assert_true(part("p0")->profile.mem.desired_bytes == 2 * GIB);
    assert_int_equal(part("p0")->profile.generation, 1);
    UNTIL(agree("p0"));
    drift = lp_drift_sentences(part("p0"));
    assert_int_equal(json_array_size(drift), 0);
    json_decref(drift);
    lp_scaler_lines(scaler, part("p0")->uuid, 100, count_line, counts);
    assert_true(counts[1] >= 1 && counts[3] >= 1);
    /* Pressure has ended; it stays where it is. */
    run_ticks(5);
    assert_true(granted("p0") > 2 * GIB);
}

static void
held_to_node(LpProfile *profile)
{
    autoscaled(profile);
    profile->numa = (LpNumaRule){.mode = LP_NUMA_STRICT, .n_nodes = 1};
}

/* All three fill node 0; node 1 has 4 GiB that nobody has. */
static void
begin_nodes(void (*hook)(LpProfile *))
{
    LpTopology *topology;

    profile_hook = hook;
    cells_text = "[{\"node\": 0, \"base_bytes\": 1073741824, \"device_bytes\": 3221225472, "
                 "\"requested_bytes\": 1073741824}]";
    set_clock(FAST);
    start_world(3, THREE + 4 * GIB, AT_ONCE, "\"used_bytes\": 1000000000");
    halt();
    topology = &world.host->topology;
    topology->n_nodes = 2;
    topology->nodes[0].memory_bytes = THREE;
    topology->nodes[1] = (LpNode){.id = 1, .memory_bytes = 4 * GIB};
    topology->distance[0][0] = topology->distance[1][1] = 10;
    topology->distance[0][1] = topology->distance[1][0] = 21;
    boot();
    start_scaler(LP_MODE_AUTO);
    UNTIL(all_connected());
    UNTIL(figures().n_decided == 3);
}

/* Far memory is better than none. */
static void
test_full_node(void **state)
{
    (void) state;
    begin_nodes(autoscaled);
    tell("p0", LOADED);
    UNTIL(granted("p0") > 2 * GIB);
    UNTIL(policy_operation("p0") && LP_OP_IS_FINAL(policy_operation("p0")->state));
    EXPECT(policy_operation("p0"), LP_OP_DONE);
    assert_non_null(strstr(g_ptr_array_index(policy_operation("p0")->remarks, 0), "host node 0"));
}

/* But not for one that its rule holds, which is not even tried. */
static void
test_full_node_held(void **state)
{
    (void) state;
    begin_nodes(held_to_node);
    tell("p0", LOADED);
    /* What it lacks comes from its own node, where p1 and p2 give what they do not use. */
    tell("p1", IDLE);
    UNTIL(granted("p0") > 2 * GIB);
    run_ticks(5);
    assert_true(granted("p0") + granted("p1") + granted("p2") <= 6 * GIB);
    assert_int_equal(figures().failures, 0);
}

/* The host is full: what p0 needs comes from those that do not use what they have. */
static void
test_from_the_idle(void **state)
{
    (void) state;
    begin(THREE + 64 * MIB, LP_MODE_AUTO, autoscaled);
    tell("p1", IDLE);
    tell("p2", IDLE);
    tell("p0", "{\"used_bytes\": 2500000000}");
    UNTIL(granted("p0") > 2600000000);
    assert_true(granted("p1") < 2 * GIB || granted("p2") < 2 * GIB);
    assert_true(granted("p1") >= GIB && granted("p2") >= GIB);
}

static void
test_idle_gives_back(void **state)
{
    unsigned counts[4] = {0};

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p1", IDLE);
    UNTIL(granted("p1") < 2 * GIB);
    lp_scaler_lines(scaler, part("p1")->uuid, 100, count_line, counts);
    assert_true(counts[2] >= 1);
    assert_true(part("p1")->profile.mem.desired_bytes == 2 * GIB);
}

static void
note_plan(const LpScaled *scaled, void *data)
{
    bool *grows = data;

    assert_true(scaled->host->mode == LP_MODE_AUTO);
    if (strcmp(scaled->partition->view->name, "p0") == 0)
        *grows = scaled->decision->mem_act == LP_ACT_GROW
                 && scaled->decision->mem_bytes > 2 * GIB;
}

static void
test_advise_does_nothing(void **state)
{
    bool grows = false;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_ADVISE, as_host);
    tell("p0", LOADED);
    tell("p1", IDLE);
    UNTIL(decided("p0").decision->mem_act == LP_ACT_GROW);
    run_ticks(3 * RELEASE_SEC);
    assert_true(granted("p0") == 2 * GIB && granted("p1") == 2 * GIB);
    assert_int_equal(n_policy_operations, 0);
    assert_null(policy_operation("p0"));
    assert_int_equal(figures().requests, 0);
    {
        LpScaled scaled = decided("p0");
        g_autofree char *text = lp_scaler_explain(&scaled);

        assert_non_null(strstr(text, "The host's mode is advise: this is what would be done"));
    }
    assert_true(lp_scaler_plan(scaler, note_plan, &grows));
    assert_true(grows);
    /* A tried decision is none: the states are as they were. */
    assert_true(granted("p0") == 2 * GIB);
}

/* The host's mode is the most that a partition's own allows. */
static void
test_modes(void **state)
{
    LpScaled scaled;
    bool grows = false;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_OFF, autoscaled);
    tell("p0", LOADED);
    run_ticks(5);
    assert_false(lp_scaler_find(scaler, part("p0"), &scaled));
    assert_true(granted("p0") == 2 * GIB);
    assert_int_equal(lp_scaler_mode_of(scaler, part("p0")), LP_MODE_OFF);
    assert_true(lp_scaler_plan(scaler, note_plan, &grows));
    assert_true(grows);
    lp_scaler_set(scaler, LP_MODE_ADVISE, false, NULL, NULL);
    assert_int_equal(lp_scaler_mode_of(scaler, part("p0")), LP_MODE_ADVISE);
    run_ticks(5);
    assert_true(granted("p0") == 2 * GIB);
    lp_scaler_set(scaler, LP_MODE_AUTO, false, NULL, NULL);
    UNTIL(granted("p0") > 2 * GIB);
}

/* ---- whose word goes first ---- */

static void
test_operator_wins(void **state)
{
    (void) state;
    begin(THREE + 4 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p0", LOADED);
    run_ticks(2);
    EXPECT(run(SET_P0 MEM("set", 1610612736) ",\"requester\":\"uid 0 (admin)\"}"), LP_OP_DONE);
    run_ticks(1);
    assert_int_equal(decided("p0").fixed, LP_FIXED_OPERATOR);
    assert_in_range(decided("p0").fixed_left_sec, LP_OPERATOR_REST_SEC / 2, LP_OPERATOR_REST_SEC);
    {
        LpScaled scaled = decided("p0");
        g_autofree char *text = lp_scaler_explain(&scaled);

        assert_non_null(strstr(text, "An operator resized it"));
    }
    run_ticks(40);
    assert_true(granted("p0") == 1610612736);
    /* The host's mode, switched to and fro, undoes nobody's word. */
    lp_scaler_set(scaler, LP_MODE_OFF, false, NULL, NULL);
    run_ticks(2);
    lp_scaler_set(scaler, LP_MODE_AUTO, false, NULL, NULL);
    run_ticks(10);
    assert_int_equal(decided("p0").fixed, LP_FIXED_OPERATOR);
    assert_true(granted("p0") == 1610612736);
    /* Who puts it under the policy anew has said so. */
    part("p0")->profile.autoscale.mode = LP_MODE_OFF;
    run_ticks(2);
    part("p0")->profile.autoscale.mode = LP_MODE_AUTO;
    UNTIL(granted("p0") > 1610612736);
}

/* While the host's mode was off: not undone by its end. */
static void
test_operator_before(void **state)
{
    (void) state;
    begin(THREE + 4 * GIB, LP_MODE_OFF, autoscaled);
    tell("p0", LOADED);
    run_ticks(2);
    EXPECT(run(SET_P0 MEM("set", 1610612736) ",\"requester\":\"uid 0 (admin)\"}"), LP_OP_DONE);
    lp_scaler_set(scaler, LP_MODE_AUTO, false, NULL, NULL);
    run_ticks(10);
    assert_int_equal(decided("p0").fixed, LP_FIXED_OPERATOR);
    assert_true(granted("p0") == 1610612736);
}

/* What an operator refuses to see done is not done again at once. */
static void
test_cancelled(void **state)
{
    (void) state;
    begin(THREE + 4 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p0", "{\"used_bytes\": 1970000000, \"answer_msec\": 200}");
    UNTIL(policy_operation("p0") && !LP_OP_IS_FINAL(policy_operation("p0")->state));
    assert_true(lp_engine_cancel(world.engine, policy_operation("p0")->id, NULL));
    UNTIL(LP_OP_IS_FINAL(policy_operation("p0")->state));
    run_ticks(2);
    assert_int_equal(decided("p0").fixed, LP_FIXED_OPERATOR);
}

/* The host's mode is a switch: also of what is under way, and no operator's word for later. */
static void
test_stopped(void **state)
{
    (void) state;
    begin(THREE + 4 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p0", "{\"used_bytes\": 1970000000, \"answer_msec\": 500}");
    UNTIL(policy_operation("p0") && !LP_OP_IS_FINAL(policy_operation("p0")->state));
    lp_scaler_set(scaler, LP_MODE_OFF, false, NULL, NULL);
    UNTIL(LP_OP_IS_FINAL(policy_operation("p0")->state));
    assert_int_equal(policy_operation("p0")->state, LP_OP_CANCELLED);
    run_ticks(5);
    assert_true(granted("p0") == 2 * GIB);
    tell("p0", LOADED);
    lp_scaler_set(scaler, LP_MODE_AUTO, false, NULL, NULL);
    UNTIL(granted("p0") > 2 * GIB);
}

static void
held(LpProfile *profile)
{
    autoscaled(profile);
    profile->hold_until_sec = INT64_MAX;
}

static void
test_hold(void **state)
{
    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, held);
    tell("p0", LOADED);
    tell("p1", IDLE);
    run_ticks(3 * RELEASE_SEC);
    assert_int_equal(decided("p0").fixed, LP_FIXED_HELD);
    assert_int_equal(decided("p0").decision->mem_bound, LP_BOUND_FIXED);
    assert_true(granted("p0") == 2 * GIB && granted("p1") == 2 * GIB);
    assert_int_equal(n_policy_operations, 0);
}

static void
released_late(LpProfile *profile)
{
    autoscaled(profile);
    profile->autoscale.release_sec = 2 * LP_SIGNAL_STALE_MSEC / 1000;
}

/* A guest that is not heard of keeps what it has, however little it used. */
static void
test_stale(void **state)
{
    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, released_late);
    tell("p1", IDLE);
    tell("p2", IDLE);
    UNTIL(decided("p1").decision->mem_bound == LP_BOUND_RELEASE);
    /* Nor of its balloon, which is asked when the agent is taken for lost. */
    tell("p1", "{\"agent_silent\": true, \"stats_age_sec\": 3600}");
    UNTIL(!decided("p1").decision->demand.mem_known);
    /* The other, of which one hears, gives back meanwhile. */
    UNTIL(granted("p2") < 2 * GIB);
    run_ticks(RELEASE_SEC);
    assert_true(granted("p1") == 2 * GIB);
    assert_int_equal(decided("p1").decision->mem_bound, LP_BOUND_NO_SIGNAL);
}

/* ---- who has no agent ---- */

static void
without_agent(const char *name, const char *keys)
{
    g_autofree char *json = g_strdup_printf("{\"agent\": false, %s}", keys);

    tell(name, json);
    UNTIL(!part(name)->guest.connected);
}

static LpSeenBy
seen_by(const char *name)
{
    return decided(name).input->seen.mem_by;
}

static void
test_balloon(void **state)
{
    LpScaled scaled;
    g_autofree char *text = NULL;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_ADVISE, as_host);
    without_agent("p0", "\"used_bytes\": 2050000000");
    UNTIL(seen_by("p0") == LP_SEEN_BALLOON);
    assert_int_equal(part("p0")->view->stats_period_sec, 5);
    scaled = decided("p0");
    assert_true(scaled.input->seen.total_bytes == 2 * GIB);
    /* What the kernel took of boot memory is in use, as by an agent's word. */
    assert_in_range(scaled.input->seen.available_bytes, 1, 2 * GIB - 2050000000 - 1);
    text = lp_scaler_explain(&scaled);
    assert_non_null(strstr(text, ", by its balloon's word"));
    lp_scaler_set(scaler, LP_MODE_AUTO, false, NULL, NULL);
    UNTIL(granted("p0") > 2 * GIB);
    /* With an agent nobody asks the balloon, and its driver need not speak. */
    tell("p0", "{\"agent\": true}");
    UNTIL(seen_by("p0") == LP_SEEN_AGENT && part("p0")->view->stats_period_sec == 0);
    run_ticks(RELEASE_SEC);
    assert_int_equal(part("p0")->view->stats_period_sec, 0);
    assert_false(part("p0")->balloon.known);
    assert_int_equal(part("p1")->view->stats_period_sec, 0);
}

/* A driver that has said nothing for long holds the size; one that says little is in use gives. */
static void
test_balloon_old(void **state)
{
    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, released_late);
    without_agent("p1", "\"used_bytes\": 200000000, \"stats_age_sec\": 3600");
    UNTIL(seen_by("p1") == LP_SEEN_BALLOON);
    /* The other, of which one hears, gives back meanwhile. */
    UNTIL(granted("p2") < 2 * GIB);
    run_ticks(RELEASE_SEC);
    assert_int_equal(decided("p1").decision->demand.mem_why, LP_WHY_STALE);
    assert_int_equal(decided("p1").decision->mem_bound, LP_BOUND_NO_SIGNAL);
    assert_true(granted("p1") == 2 * GIB);
    tell("p1", "{\"stats_age_sec\": 0}");
    UNTIL(granted("p1") < 2 * GIB);
}

static void
test_balloon_nonsense(void **state)
{
    (void) state;
    begin(THREE + GIB, LP_MODE_AUTO, released_late);
    /* More to use than it has: that says nothing. */
    without_agent("p1", "\"used_bytes\": 200000000, \"stats_total_bytes\": 1048576");
    UNTIL(part("p1")->view->stats_period_sec == 5);
    UNTIL(granted("p2") < 2 * GIB);
    run_ticks(RELEASE_SEC);
    assert_int_equal(seen_by("p1"), LP_SEEN_NOTHING);
    assert_true(granted("p1") == 2 * GIB);
    /* All in use of more than there is: it has what it was granted, and uses that. */
    tell("p1", "{\"stats_total_bytes\": 9223372036854775807}");
    UNTIL(seen_by("p1") == LP_SEEN_BALLOON);
    assert_true(decided("p1").input->seen.total_bytes == decided("p1").input->granted_bytes);
    assert_true(decided("p1").input->seen.available_bytes == 0);
    assert_true(decided("p1").decision->demand.used_bytes == decided("p1").input->granted_bytes);
}

/* Nobody's balloon is made to speak for nothing. */
static void
test_balloon_off(void **state)
{
    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_OFF, autoscaled);
    without_agent("p0", "\"used_bytes\": 1970000000");
    run_ticks(3 * RELEASE_SEC);
    assert_int_equal(part("p0")->view->stats_period_sec, 0);
    assert_false(part("p0")->balloon.known);
}

static bool
waits(LpBound bound)
{
    return bound == LP_BOUND_VETO || bound == LP_BOUND_BACKOFF;
}

static void
test_veto(void **state)
{
    uint64_t requests;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p1", "{\"used_bytes\": 200000000, \"veto\": \"import under way\"}");
    UNTIL(figures().vetoes >= 1);
    run_ticks(2);
    assert_true(granted("p1") == 2 * GIB);
    assert_true(decided("p1").input->word.vetoed_until_msec > decided("p1").host->now_msec);
    {
        LpScaled scaled = decided("p1");
        g_autofree char *text = lp_scaler_explain(&scaled);

        if (!waits(scaled.decision->mem_bound) && !waits(scaled.decision->cpu_bound))
            fail_msg("%s", text);
    }
    requests = figures().requests;
    run_ticks(2 * RELEASE_SEC);
    assert_true(granted("p1") == 2 * GIB);
    /* Others may have been asked for something, but not it again. */
    assert_true(policy_operation("p1")->state == LP_OP_VETOED);
    assert_int_equal(figures().vetoes, 1);
    assert_true(figures().requests - requests < 10);
}

/* What a guest asked for and got is held for it. */
static void
test_ask(void **state)
{
    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p1", "{\"used_bytes\": 200000000, \"ask\": {\"id\": 1, \"mode\": \"set\", "
               "\"mem_bytes\": 2684354560, \"who\": \"etl\", \"why\": \"import\"}}");
    UNTIL(granted("p1") == 2684354560);
    run_ticks(2);
    assert_true(decided("p1").input->word.asked_bytes == 2684354560);
    run_ticks(3 * RELEASE_SEC);
    assert_true(granted("p1") == 2684354560);
}

/* A failed change is told to the policy once, and it waits. */
static void
test_failure(void **state)
{
    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p0", "{\"used_bytes\": 1970000000, \"fail_next\": {\"call\": \"set_requested\"}}");
    UNTIL(figures().failures >= 1);
    UNTIL(granted("p0") > 2 * GIB);
    assert_in_range(figures().failures, 1, 2);
}

/* ---- coming and going ---- */

static void
test_off_and_gone(void **state)
{
    LpScaled scaled;
    int64_t since;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    run_ticks(3);
    assert_int_equal(figures().n_decided, 3);
    assert_true(decided("p1").state->demand.seen);
    since = decided("p1").state->demand.slice_msec;
    tell("p1", "{\"do\": \"stop\"}");
    UNTIL(part("p1")->view->run == LP_RUN_OFF);
    run_ticks(2);
    assert_false(lp_scaler_find(scaler, part("p1"), &scaled));
    assert_int_equal(figures().n_decided, 2);
    tell("p1", "{\"do\": \"start\"}");
    UNTIL(figures().n_decided == 3);
    /* What was learnt of it is not lost by a stop. */
    assert_true(decided("p1").state->demand.slice_msec == since);
    assert_true(decided("p1").state->key == decided("p1").input->key);
    tell(NULL, "{\"do\": \"disconnect\"}");
    UNTIL(!lp_registry_synced(world.registry));
    {
        uint64_t ticks = figures().ticks;
        int64_t until = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;

        UNTIL(g_get_monotonic_time() > until);
        assert_int_equal(figures().ticks, ticks);
    }
    tell(NULL, "{\"do\": \"connect\"}");
    UNTIL(lp_registry_synced(world.registry));
    run_ticks(2);
    assert_int_equal(figures().n_decided, 3);
}

static void
on_set(const GError *error, void *data)
{
    assert_null(error);
    *(bool *) data = true;
}

static void
expect_unsaved(const GError *error, void *data)
{
    assert_non_null(error);
    assert_non_null(strstr(error->message, "it holds from now on, but only until lpard ends: "));
    *(bool *) data = true;
}

/* The switch works where nothing can be written, and who throws it is told so. */
static void
test_unsaved(void **state)
{
    g_autofree char *path = NULL;
    bool done = false;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    path = g_build_filename(world.dir, "policy.json", NULL);
    assert_int_equal(g_mkdir(path, 0700), 0);
    lp_scaler_set(scaler, LP_MODE_OFF, false, expect_unsaved, &done);
    UNTIL(done);
    assert_int_equal(lp_scaler_mode(scaler), LP_MODE_OFF);
    assert_int_equal(g_rmdir(path), 0);
}

static GLogWriterOutput
no_log(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void) level;
    (void) fields;
    (void) n;
    (void) data;
    return G_LOG_WRITER_HANDLED;
}

static void
test_restart(void **state)
{
    g_autofree char *path = NULL;
    bool done = false;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    lp_scaler_set(scaler, LP_MODE_ADVISE, true, on_set, &done);
    UNTIL(done);
    stop_scaler();
    halt();
    boot();
    start_scaler(LP_MODE_AUTO);
    assert_int_equal(lp_scaler_mode(scaler), LP_MODE_ADVISE);
    assert_true(lp_scaler_burst(scaler));
    stop_scaler();
    /* What cannot be read is no licence. */
    path = g_build_filename(world.dir, "policy.json", NULL);
    assert_true(g_file_set_contents(path, "{\"mode\": \"auto\", \"leftovers\": 1}", -1, NULL));
    start_scaler(LP_MODE_AUTO);
    assert_int_equal(lp_scaler_mode(scaler), LP_MODE_OFF);
}

static void
count_set(const GError *error, void *data)
{
    assert_null(error);
    ++*(unsigned *) data;
}

/* Of two that are set at once the later holds, on the disk too. */
static void
test_set_and_set_again(void **state)
{
    unsigned n = 0;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    for (unsigned turn = 0; turn < 20; turn++) {
        for (unsigned i = 0; i < 7; i++)
            lp_scaler_set(scaler, LP_MODE_ADVISE, false, count_set, &n);
        lp_scaler_set(scaler, LP_MODE_OFF, true, count_set, &n);
        UNTIL(n == 8 * (turn + 1));
        stop_scaler();
        start_scaler(LP_MODE_AUTO);
        assert_int_equal(lp_scaler_mode(scaler), LP_MODE_OFF);
        assert_true(lp_scaler_burst(scaler));
    }
}

/* ---- processors ---- */

/* What its entitlement makes. */
static uint64_t
profile_shares(const char *name)
{
    return lp_capacity_shares(&part(name)->profile.capacity, part(name)->view->cgroup);
}

static void
test_shares(void **state)
{
    uint64_t before;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    before = profile_shares("p0");
    tell("p0", "{\"used_bytes\": 1000000000, \"busy_centi\": 9500}");
    UNTIL(part("p0")->view->cpu_shares > before);
    assert_true(figures().shares >= 1);
    UNTIL(lp_partition_granted_cpus(part("p0")) > 2);
    assert_int_equal(part("p0")->profile.cpu.desired, 2);
    /* The kernel's word, too. */
    lp_registry_look(world.registry, part("p0")->uuid);
    run_ticks(8);
    assert_true(part("p0")->view->cpu_shares > before);
    assert_true(part("p0")->view->global_quota_usec < 0);
    /* And back to what the entitlement makes. */
    lp_scaler_set(scaler, LP_MODE_OFF, false, NULL, NULL);
    UNTIL(part("p0")->view->cpu_shares == before);
    assert_int_equal(part("p0")->policy_shares, 0);
}

static void
count_row(const LpScaled *scaled, void *data)
{
    (void) scaled;
    ++*(unsigned *) data;
}

/* The mode goes while an operation is open: shares are given back after it. */
static void
test_shares_given_back_late(void **state)
{
    uint64_t before;
    unsigned n = 0;

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    before = profile_shares("p0");
    tell("p0", "{\"used_bytes\": 1000000000, \"busy_centi\": 9500}");
    UNTIL(part("p0")->view->cpu_shares > before);
    UNTIL(lp_engine_lane_depth(world.engine, part("p0")->uuid) == 0);
    tell("p0", "{\"answer_msec\": 200}");
    run_ticks(1);
    submit(SET_P0 MEM("set", 1610612736) ",\"requester\":\"uid 0 (admin)\"}");
    assert_true(lp_engine_lane_depth(world.engine, part("p0")->uuid) > 0);
    lp_scaler_set(scaler, LP_MODE_OFF, false, NULL, NULL);
    /* Looks at all of them now, as a tick does. */
    assert_true(lp_scaler_plan(scaler, count_row, &n));
    assert_int_equal(n, 3);
    assert_true(part("p0")->view->cpu_shares > before);
    UNTIL(lp_engine_lane_depth(world.engine, part("p0")->uuid) == 0);
    UNTIL(part("p0")->view->cpu_shares == before);
}

/* A host without a domain that counts. */
static void
test_nobody(void **state)
{
    (void) state;
    profile_hook = NULL;
    set_clock(FAST);
    start_world(0, GIB, AT_ONCE, "\"used_bytes\": 0");
    start_scaler(LP_MODE_AUTO);
    run_ticks(3);
    assert_int_equal(figures().n_decided, 0);
}

/* ---- what is told ---- */

static void
check_row(const LpScaled *scaled, void *data)
{
    json_t *one = lp_export_decision(scaled), *whole = lp_export_decision_whole(scaled);

    assert_non_null(one);
    json_object_set_new(whole, "decided", json_true());
    assert_true(schema_holds(data, "PolicyDecision", one));
    assert_true(schema_holds(data, "PartitionPolicy", whole));
    assert_true(json_array_size(json_object_get(whole, "text")) >= 2);
    json_decref(one);
    json_decref(whole);
}

static void
check_line(const LpScalerLine *line, void *data)
{
    json_t *log = json_pack("{s:[o]}", "lines", lp_export_policy_line(line));

    assert_true(schema_holds(data, "PolicyLog", log));
    json_decref(log);
}

static void
test_export(void **state)
{
    json_t *document = json_loadb(lp_openapi_text, lp_openapi_length, 0, NULL);
    g_autoptr(GString) text = g_string_new(NULL);

    (void) state;
    begin(THREE + 2 * GIB, LP_MODE_AUTO, autoscaled);
    tell("p0", LOADED);
    tell("p1", "{\"used_bytes\": 200000000, \"veto\": \"no\"}");
    tell("p2", "{\"agent_silent\": true}");
    UNTIL(figures().vetoes >= 1 && granted("p0") > 2 * GIB);
    run_ticks(1);
    lp_scaler_each(scaler, check_row, document);
    assert_true(lp_scaler_plan(scaler, check_row, document));
    lp_scaler_lines(scaler, NULL, 1000, check_line, document);
    run_ticks(1);
    lp_metrics_policy(text, scaler);
    assert_non_null(strstr(text->str, "lpard_policy_mode{mode=\"auto\"} 1\n"));
    assert_non_null(strstr(text->str, "lpard_policy_want_bytes{partition=\"p0\"} "));
    assert_non_null(strstr(text->str, "lpard_policy_vetoes_total 1\n"));
    json_decref(document);
}

/* ---- the history ---- */

/* Runs one file again: what comes out now must be what came out then. */
static size_t
replay(const char *path)
{
    g_autofree char *bytes = NULL;
    LpPolicy *policy = lp_policy_new();
    LpPolicyState *states = NULL;
    size_t length, n_ticks = 0, n_decisions = 0;
    LpPlayVerdict verdict;
    LpPlayer *player;
    LpPlayTick tick;

    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    player = lp_player_new((const uint8_t *) bytes, length);
    while ((verdict = lp_player_next(player, &tick)) == LP_PLAY_TICK) {
        g_autofree LpDecision *decisions = g_new0(LpDecision, tick.n + 1);

        assert_true(tick.snapshot || n_ticks > 0);
        states = tick.states;
        assert_true(lp_policy_decide(policy, tick.host, tick.partitions, states, tick.n,
                                     decisions));
        for (size_t i = 0; i < tick.n; i++) {
            LpRecordDifference difference;
            size_t at = 0;

            if (lp_record_decision_differs(&tick.decisions[i], &decisions[i], &at, &difference))
                fail_msg("tick %zu, %s: %s was %" PRIu64 ", is %" PRIu64, n_ticks, tick.names[i],
                         difference.field, difference.a, difference.b);
            n_decisions++;
        }
        n_ticks++;
    }
    assert_int_equal(verdict, LP_PLAY_END);
    lp_player_free(player);
    lp_policy_free(policy);
    return n_decisions;
}

static void
test_history_replays(void **state)
{
    g_autofree char *path = NULL;
    LpScalerFigures last;

    (void) state;
    begin(THREE + 256 * MIB, LP_MODE_AUTO, autoscaled);
    path = g_build_filename(lp_scaler_history_dir(scaler), "00000001.lph", NULL);
    tell("p0", LOADED);
    tell("p1", IDLE);
    run_ticks(3 * RELEASE_SEC);
    tell("p1", "{\"do\": \"stop\"}");
    tell("p0", "{\"used_bytes\": 500000000, \"refaults\": 40000, \"busy_centi\": 9900}");
    run_ticks(RELEASE_SEC);
    tell("p1", "{\"do\": \"start\"}");
    run_ticks(RELEASE_SEC);
    last = figures();
    stop_scaler();
    assert_true(last.requests >= 2);
    assert_int_equal(last.history_dropped, 0);
    assert_true(replay(path) >= 2 * (last.ticks - 3));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_loaded_grows), TEST(test_full_node), TEST(test_full_node_held),
        TEST(test_from_the_idle), TEST(test_idle_gives_back),
        TEST(test_advise_does_nothing), TEST(test_modes), TEST(test_operator_wins),
        TEST(test_operator_before), TEST(test_cancelled), TEST(test_stopped), TEST(test_hold),
        TEST(test_stale), TEST(test_balloon), TEST(test_balloon_old),
        TEST(test_balloon_nonsense), TEST(test_balloon_off), TEST(test_veto), TEST(test_ask), TEST(test_failure),
        TEST(test_off_and_gone), TEST(test_restart), TEST(test_unsaved),
        TEST(test_set_and_set_again),
        TEST(test_shares), TEST(test_shares_given_back_late), TEST(test_nobody),
        TEST(test_export), TEST(test_history_replays),
    };

    start_clock();
    g_log_set_writer_func(no_log, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
