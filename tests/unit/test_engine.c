/* The operation engine with its registry, workers and journal in this process, on a simulated
 * host: what an operation comes to, whatever guest, hypervisor and disk do meanwhile. */
#include "engine_fixture.h"

#include <sqlite3.h>

#include <signal.h>
#include <sys/resource.h>

#include "hotplug/domxml.h"
#include "lpard/profile-xml.h"

static void
every_kind(const char *extra, bool agent)
{
    const LpOperation *op;
    LpConfirm level = agent ? LP_CONFIRM_AGENT : LP_CONFIRM_DEVICE;

    start_world(2, 64 * GIB, MOVING, extra);
    if (agent)
        UNTIL(all_connected());
    op = run(SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}");
    EXPECT(op, LP_OP_DONE);
    assert_int_equal(op->confirm, level);
    assert_int_equal(leg_of(op, 0)->cpu_before, 2);
    assert_int_equal(leg_of(op, 0)->cpu_now, 4);
    assert_int_equal(leg_of(op, 0)->mem_now_bytes, 3 * GIB);
    if (agent)
        assert_int_equal(leg_of(op, 0)->usable_bytes, 3 * GIB);
    check_now("p0", 4, 3 * GIB);
    EXPECT(run(SET_P0 CPU("remove", 2) "}"), LP_OP_DONE);
    EXPECT(run(SET_P0 MEM("add", 536870912) "}"), LP_OP_DONE);
    check_now("p0", 2, 3584 * MIB);
    op = run("{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," CPU("set", 1) ","
             MEM("set", 536870912) "}");
    EXPECT(op, LP_OP_DONE);
    check_now("p0", 1, 3 * GIB);
    check_now("p1", 3, 2560 * MIB);
    EXPECT(run("{\"kind\":\"capacity\",\"partition\":\"p1\",\"entitled_centi\":150,"
               "\"capped\":true}"), LP_OP_DONE);
    assert_int_equal(part("p1")->view->global_quota_usec, 160000);
    EXPECT(run("{\"kind\":\"reconcile\",\"partition\":\"p1\"}"), LP_OP_DONE);
    if (agent)
        UNTIL(agree("p0") && agree("p1"));
    assert_int_equal(part("p0")->promised_bytes, 0);
    assert_int_equal(part("p1")->promised_bytes, 0);
}

static void
test_kinds_kvm(void **state)
{
    (void) state;
    every_kind("", true);
}

static void
test_kinds_tcg(void **state)
{
    (void) state;
    every_kind("\"accel\": \"tcg\"", true);
    assert_int_equal(lp_cpumask_count(&part("p0")->view->plugged), 4);
}

static void
test_kinds_no_agent(void **state)
{
    (void) state;
    set_clock(FAST);
    every_kind("\"agent\": false", false);
}

static void
test_kinds_nonsense(void **state)
{
    (void) state;
    set_clock(FAST);
    every_kind("\"agent_nonsense\": true", false);
    assert_true(part("p0")->guest.refused_frames > 0 || !part("p0")->guest.connected);
}

/* A reboot undoes folding and unplugs for a while: the guest is told again, and what it can use is
 * known again. */
static void
test_reset(void **state)
{
    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, MOVING, "\"accel\": \"tcg\"");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 1) "," MEM("set", 3221225472) "}"), LP_OP_DONE);
    tell("p0", "{\"do\":\"reset\"}");
    UNTIL(part("p0")->guest.base_total_bytes == 0);
    UNTIL(agree("p0"));
    EXPECT(run("{\"kind\":\"reconcile\",\"partition\":\"p0\"}"), LP_OP_DONE);
    check_now("p0", 1, 3 * GIB);
}

static void
test_queue(void **state)
{
    Asked first, second, third;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "");
    UNTIL(all_connected());
    assert_null(try_submit(SET_P0 MEM("set", 3221225472) "}", &first));
    assert_null(try_submit(SET_P0 MEM("add", 536870912) "}", &second));
    assert_null(try_submit(SET_P0 CPU("set", 3) ",\"key\":\"k\"}", &third));
    assert_int_equal(lp_engine_lane_depth(world.engine, part("p0")->uuid), 3);
    UNTIL(second.answered && third.answered);
    assert_true(world.seen_waiting);
    UNTIL(first.answered);
    EXPECT(finish(first.id), LP_OP_DONE);
    EXPECT(finish(second.id), LP_OP_DONE);
    EXPECT(finish(third.id), LP_OP_DONE);
    assert_null(lp_engine_find(world.engine, second.id)->waits_for);
    check_now("p0", 3, 3584 * MIB);
}

static void
test_key(void **state)
{
    static const char text[] = SET_P0 CPU("add", 1) ",\"key\":\"once\"}";
    g_autofree char *again = g_strdup_printf("{\"kind\":\"resize\",\"partition\":\"%s\","
                                             CPU("add", 1) ",\"key\":\"once\"}", "p0");
    g_autofree char *by_uuid = NULL, *code = NULL;
    Asked asked;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, AT_ONCE, "");
    id = submit(text);
    assert_int_equal(submit(again), id);
    EXPECT(finish(id), LP_OP_DONE);
    by_uuid = g_strdup_printf("{\"kind\":\"resize\",\"partition\":\"%s\"," CPU("add", 1)
                              ",\"key\":\"once\"}", part("p0")->uuid);
    assert_int_equal(submit(by_uuid), id);
    code = try_submit(SET_P0 CPU("add", 2) ",\"key\":\"once\"}", &asked);
    assert_string_equal(code, "conflict");
    check_now("p0", 3, 2 * GIB);
    /* The key holds over a restart. */
    halt();
    boot();
    assert_int_equal(submit(text), id);
    EXPECT(lp_engine_find(world.engine, id), LP_OP_DONE);
    check_now("p0", 3, 2 * GIB);
}

static void
test_dry_run(void **state)
{
    Asked asked = {0};
    char *before, *after;
    g_autofree char *path = NULL;

    (void) state;
    /* Whose agent is not asked, so that its record of that is no change. */
    start_world(2, 64 * GIB, AT_ONCE, "\"no_phases\": true");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 3) "}"), LP_OP_DONE);
    path = g_strdup_printf("%s/host.json.state/p0.json", world.dir);
    assert_true(g_file_get_contents(path, &before, NULL, NULL));
    assert_true(lp_engine_plan(world.engine, request_of(SET_P0 CPU("set", 4) ","
                                                        MEM("set", 4294967296) "}"),
                               on_accepted, &asked, NULL));
    UNTIL(asked.answered);
    assert_string_equal(json_string_value(json_object_get(asked.plan, "state")), "queued");
    json_decref(asked.plan);
    memset(&asked, 0, sizeof asked);
    assert_true(lp_engine_plan(world.engine, request_of("{\"kind\":\"move\",\"partition\":\"p0\","
                                                        "\"to\":\"p1\"," CPU("set", 3) "}"),
                               on_accepted, &asked, NULL));
    UNTIL(asked.answered);
    assert_string_equal(json_string_value(json_object_get(asked.plan, "state")), "refused");
    json_decref(asked.plan);
    assert_true(g_file_get_contents(path, &after, NULL, NULL));
    assert_string_equal(before, after);
    g_free(before);
    g_free(after);
    assert_int_equal(part("p0")->promised_bytes, 0);
    assert_int_equal(part("p1")->promised_bytes, 0);
}

static void
test_refusals(void **state)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        {SET_P0 CPU("set", 5) "}", "above-max"},
        {SET_P0 CPU("remove", 2) "}", "below-min"},
        {SET_P0 MEM("set", 536870912) "}", "below-min"},
        {SET_P0 MEM("set", 8589934592) "}", "above-max"},
        {SET_P0 MEM("set", 2148000000) "}", "block"},
        {SET_P0 MEM("set", 4294967296) "}", "host-memory"},
        {"{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":300}", "entitled-high"},
    };
    g_autofree char *code = NULL, *none = NULL;
    Asked asked;

    (void) state;
    start_world(2, 4 * GIB + 256 * MIB, AT_ONCE, "");
    UNTIL(all_connected());
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const LpOperation *op = run(cases[i].text);

        EXPECT(op, LP_OP_REFUSED);
        assert_string_equal(op->code, cases[i].code);
        assert_int_equal(lp_op_state_exit_status(op->state), 4);
        check_now("p0", 2, 2 * GIB);
    }
    code = try_submit("{\"kind\":\"resize\",\"partition\":\"p9\"," CPU("set", 1) "}", &asked);
    assert_string_equal(code, "no-partition");
    tell("p1", "{\"do\":\"pause\"}");
    UNTIL(part("p1")->view->run == LP_RUN_PAUSED);
    EXPECT(run("{\"kind\":\"resize\",\"partition\":\"p1\"," CPU("set", 1) "}"), LP_OP_REFUSED);
    none = try_submit("{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"zz\"," CPU("set", 1) "}",
                      &asked);
    assert_string_equal(none, "no-partition");
}

/* A host that is full to the byte: what the giver gave is the receiver's, nobody else's. */
static void
test_move_on_full_host(void **state)
{
    (void) state;
    start_world(2, 4 * GIB + 2 * OVERHEAD_BYTES, MOVING, "");
    UNTIL(all_connected());
    EXPECT(run("{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," MEM("set", 536870912)
               "}"), LP_OP_DONE);
    check_now("p0", 2, 1536 * MIB);
    check_now("p1", 2, 2560 * MIB);
}

static void
test_cancel(void **state)
{
    Asked first, second;

    (void) state;
    start_world(1, 64 * GIB, MOVING, "\"unmovable_bytes\": 1006632960");
    UNTIL(all_connected());
    assert_null(try_submit(SET_P0 MEM("set", 1073741824) "}", &first));
    assert_null(try_submit(SET_P0 CPU("set", 4) "}", &second));
    UNTIL(second.answered || first.answered);
    UNTIL(first.answered);
    UNTIL(second.answered);
    assert_true(lp_engine_cancel(world.engine, second.id, NULL));
    EXPECT(finish(second.id), LP_OP_CANCELLED);
    /* What the one at work was promised is still counted. */
    assert_int_equal(part("p0")->promised_bytes, 2 * GIB);
    UNTIL(part("p0")->view->cells[0].current_bytes == 960 * MIB);
    assert_true(lp_engine_cancel(world.engine, first.id, NULL));
    EXPECT(finish(first.id), LP_OP_CANCELLED);
    assert_int_equal(leg_of(lp_engine_find(world.engine, first.id), 0)->mem_now_bytes,
                     1984 * MIB);
    check_now("p0", 2, 1984 * MIB);
    UNTIL(agree("p0"));
    assert_false(lp_engine_cancel(world.engine, first.id, NULL));
    /* Cancelled in the same turn: the journal's answer comes after the end. */
    assert_null(try_submit(SET_P0 CPU("set", 4) "}", &first));
    assert_null(try_submit(SET_P0 CPU("set", 3) "}", &second));
    assert_true(lp_engine_cancel(world.engine, second.id ? second.id : 4, NULL));
    UNTIL(first.answered && second.answered);
    EXPECT(finish(first.id), LP_OP_DONE);
}

static void
test_lock_timeout(void **state)
{
    Asked first, second;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, MOVING, "\"unmovable_bytes\": 1006632960");
    UNTIL(all_connected());
    assert_null(try_submit(SET_P0 MEM("set", 1073741824) ",\"timeout_sec\":5}", &first));
    assert_null(try_submit(SET_P0 CPU("set", 4) ",\"lock_timeout_sec\":1}", &second));
    UNTIL(first.answered && second.answered);
    EXPECT(finish(second.id), LP_OP_TIMED_OUT);
    assert_string_equal(lp_engine_find(world.engine, second.id)->code, "lock-timeout");
    assert_false(is_over(first.id));
    EXPECT(finish(first.id), LP_OP_PARTIAL);
    assert_string_equal(lp_engine_find(world.engine, first.id)->code, "timed-out");
    check_now("p0", 2, 1984 * MIB);
}

static void
test_stuck_shrink(void **state)
{
    const LpOperation *op;
    json_t *json;

    (void) state;
    set_clock(FAST);
    start_world(2, 64 * GIB, AT_ONCE, "\"unmovable_bytes\": 536870912");
    UNTIL(all_connected());
    op = run(SET_P0 MEM("set", 1073741824) "}");
    EXPECT(op, LP_OP_PARTIAL);
    assert_string_equal(op->code, "stalled");
    json = lp_operation_to_json(op);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(
                         json_array_get(json_object_get(json, "legs"), 0), "remaining"),
                         "mem_bytes")), -512 * (json_int_t) MIB);
    json_decref(json);
    check_now("p0", 2, 1536 * MIB);
    UNTIL(agree("p0"));
    /* What the giver of a move could give arrives, though it is less than asked. */
    op = run("{\"kind\":\"move\",\"partition\":\"p1\",\"to\":\"p0\"," MEM("set", 1073741824) "}");
    EXPECT(op, LP_OP_PARTIAL);
    check_now("p1", 2, 1536 * MIB);
    check_now("p0", 2, 2 * GIB);
}

static void
test_atomic(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_world(2, 64 * GIB, AT_ONCE, "\"unmovable_bytes\": 536870912");
    UNTIL(all_connected());
    op = run(SET_P0 CPU("set", 4) "," MEM("set", 1073741824) ",\"atomic\":true}");
    EXPECT(op, LP_OP_TIMED_OUT);
    assert_string_equal(op->code, "undone");
    check_now("p0", 2, 2 * GIB);
    assert_int_equal(part("p0")->profile.cpu.desired, 2);
    op = run("{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," MEM("set", 1073741824)
             ",\"atomic\":true}");
    EXPECT(op, LP_OP_TIMED_OUT);
    assert_string_equal(op->code, "undone");
    check_now("p0", 2, 2 * GIB);
    check_now("p1", 2, 2 * GIB);
    /* The undo meets trouble of its own: partial, and what is left is said. */
    tell("p0", "{\"unmovable_bytes\": 0}");
    tell("p1", "{\"fail_next\": {\"call\": \"set_vcpu\", \"error\": \"failed\"}}");
    op = run("{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," CPU("set", 1) ","
             MEM("set", 536870912) ",\"atomic\":true}");
    EXPECT(op, LP_OP_FAILED);
    UNTIL(agree("p0") && agree("p1"));
    check_now("p0", 2, 2 * GIB);
    check_now("p1", 2, 2 * GIB);
}

static void
test_failing_undo(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, AT_ONCE, "\"unmovable_bytes\": 536870912");
    UNTIL(all_connected());
    id = submit(SET_P0 CPU("set", 4) "," MEM("set", 1073741824) ",\"atomic\":true}");
    UNTIL(part("p0")->view->cells[0].current_bytes == 512 * MIB
          && lp_partition_granted_cpus(part("p0")) == 4);
    tell("p0", "{\"stuck_cpus\": \"2-3\"}");
    op = finish(id);
    EXPECT(op, LP_OP_PARTIAL);
    assert_string_equal(op->code, "undo-failed");
    assert_int_equal(lp_view_requested_bytes(part("p0")->view), 2 * GIB);
    UNTIL(agree("p0"));
}

static void
test_late_unplug(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, AT_ONCE, "\"refuse_unplug\": true, \"late_unplug_msec\": 8000");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 4) "}"), LP_OP_DONE);
    op = run(SET_P0 CPU("set", 2) "}");
    EXPECT(op, LP_OP_DONE);
    assert_true(op->remarks->len > 0);
    assert_int_equal(lp_partition_granted_cpus(part("p0")), 2);
    UNTIL(part("p0")->view->global_quota_usec >= 0);
    UNTIL(agree("p0"));
    /* Later they leave: off the record, and the hold is lifted. */
    UNTIL(lp_cpumask_count(&part("p0")->view->plugged) == 2
          && lp_cpumask_count(&part("p0")->profile.folded) == 0
          && part("p0")->view->global_quota_usec < 0);
    check_now("p0", 2, 2 * GIB);
}

/* REVIEW A6: what a rebooting guest seems to have given back is nobody's. */
static void
test_reset_in_shrink(void **state)
{
    Asked other;
    int64_t id;

    (void) state;
    start_world(2, 4 * GIB + 2 * OVERHEAD_BYTES,
                "\"cgroup\": \"v2\", \"delays\": {\"unplug_bytes_per_sec\": 268435456, "
                "\"plug_bytes_per_sec\": 1073741824, \"size_event_usec\": 10000, "
                "\"boot_usec\": 300000}", "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1610612736) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    tell("p0", "{\"do\":\"reset\"}");
    UNTIL(part("p0")->view->cells[0].current_bytes < 256 * MIB);
    assert_false(is_over(id));
    assert_null(try_submit("{\"kind\":\"resize\",\"partition\":\"p1\"," MEM("add", 536870912)
                           "}", &other));
    UNTIL(other.answered);
    EXPECT(finish(other.id), LP_OP_REFUSED);
    EXPECT(finish(id), LP_OP_DONE);
    check_now("p0", 2, 1536 * MIB);
    EXPECT(run("{\"kind\":\"resize\",\"partition\":\"p1\"," MEM("add", 536870912) "}"),
           LP_OP_DONE);
}

/* Whether the definition for the next start has been written. */
static bool
config_written(int64_t id)
{
    const LpLeg *leg = g_ptr_array_index(lp_engine_find(world.engine, id)->legs, 0);

    for (uint32_t i = 0; leg->plan && i < leg->plan->n_steps; i++)
        if (leg->plan->steps[i].kind == LP_STEP_CONFIG)
            return leg->progress[i].state == LP_STEPSTATE_CONFIRMED;
    return false;
}

static void
stop_in_the_middle(const char *json, LpOpState wanted)
{
    int64_t id;

    start_world(1, 64 * GIB, AT_ONCE, "\"unmovable_bytes\": 536870912");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1073741824) ",\"timeout_sec\":10}");
    /* What is left of it when it stops depends on what was written by then. */
    UNTIL(part("p0")->view->cells[0].current_bytes == 512 * MIB && config_written(id));
    tell("p0", json);
    EXPECT(finish(id), wanted);
    assert_int_equal(lp_engine_lane_depth(world.engine, part("p0")->uuid), 0);
}

static void
test_stopped(void **state)
{
    (void) state;
    set_clock(FAST);
    /* The definition has it: that part holds. */
    stop_in_the_middle("{\"do\":\"stop\"}", LP_OP_PARTIAL);
    assert_string_equal(lp_engine_find(world.engine, 1)->code, "not-running");
    /* Off, the definition is what can be changed. */
    EXPECT(run(SET_P0 CPU("set", 3) "," MEM("set", 2147483648) "}"), LP_OP_DONE);
    tell("p0", "{\"do\":\"start\"}");
    UNTIL(part("p0")->view->run == LP_RUN_RUNNING && all_connected());
    check_now("p0", 3, 2 * GIB);
}

static void
test_paused(void **state)
{
    (void) state;
    set_clock(FAST);
    stop_in_the_middle("{\"do\":\"pause\"}", LP_OP_PARTIAL);
    tell("p0", "{\"do\":\"resume\"}");
    UNTIL(part("p0")->view->run == LP_RUN_RUNNING);
    tell("p0", "{\"unmovable_bytes\":0}");
    EXPECT(run(SET_P0 MEM("set", 1073741824) "}"), LP_OP_DONE);
    UNTIL(agree("p0"));
}

static void
test_removed(void **state)
{
    g_autofree char *uuid = NULL;
    LpConn *conn;
    int64_t id, queued;

    (void) state;
    start_world(1, 64 * GIB, AT_ONCE, "\"unmovable_bytes\": 536870912");
    UNTIL(all_connected());
    uuid = g_strdup(part("p0")->uuid);
    id = submit(SET_P0 MEM("set", 1073741824) "}");
    queued = submit(SET_P0 CPU("set", 3) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes == 512 * MIB);
    conn = lp_driver_sim.open(world.uri, NULL);
    assert_true(lp_driver_sim.undefine(conn, uuid, NULL));
    lp_driver_sim.close(conn);
    tell("p0", "{\"do\":\"stop\"}");
    EXPECT(finish(id), LP_OP_FAILED);
    EXPECT(finish(queued), LP_OP_FAILED);
    UNTIL(!lp_registry_by_uuid(world.registry, uuid));
}

static void
test_disconnect(void **state)
{
    g_autofree char *code = NULL;
    Asked asked;
    int64_t id;

    (void) state;
    start_world(2, 64 * GIB, AT_ONCE, "\"unmovable_bytes\": 536870912");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 1073741824) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes == 512 * MIB);
    tell(NULL, "{\"do\":\"disconnect\"}");
    UNTIL(!lp_registry_synced(world.registry));
    code = try_submit(SET_P0 CPU("set", 3) "}", &asked);
    assert_string_equal(code, "unreachable");
    tell("p0", "{\"unmovable_bytes\":0}");
    tell(NULL, "{\"do\":\"connect\"}");
    UNTIL(lp_registry_synced(world.registry));
    EXPECT(finish(id), LP_OP_DONE);
    UNTIL(agree("p0"));
    check_now("p0", 2, GIB);
}

/* Every call, every error, before and after its effect: it ends, says so, and all agree. */
static void
test_each_fault(void **state)
{
    static const char *const calls[] = {"look", "set_vcpu", "set_requested", "set_capacity",
                                        "set_metadata", "set_config"};
    static const char *const errors[] = {"failed", "unreachable", "unsupported", "timeout",
                                         "unknown", "invalid"};

    (void) state;
    set_clock(FAST / 2);
    start_world(1, 64 * GIB, AT_ONCE, "");
    UNTIL(all_connected());
    for (unsigned i = 0; i < G_N_ELEMENTS(calls) * G_N_ELEMENTS(errors) * 4; i++) {
        const char *call = calls[i % G_N_ELEMENTS(calls)];
        const char *error = errors[i / G_N_ELEMENTS(calls) % G_N_ELEMENTS(errors)];
        bool after = i / (G_N_ELEMENTS(calls) * G_N_ELEMENTS(errors)) % 2;
        bool grow = i / (G_N_ELEMENTS(calls) * G_N_ELEMENTS(errors)) / 2;
        g_autofree char *fault = g_strdup_printf(
            "{\"fail_next\":{\"call\":\"%s\",\"error\":\"%s\",\"after_effect\":%s}}", call, error,
            after ? "true" : "false");
        const LpOperation *op;

        /* From the other end each time, and capped, so that every call is made. */
        EXPECT(run(grow ? SET_P0 CPU("set", 2) "," MEM("set", 2147483648) "}"
                        : SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}"), LP_OP_DONE);
        tell("p0", fault);
        op = run(grow ? SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}"
                      : SET_P0 CPU("set", 2) "," MEM("set", 2147483648) "}");
        if (op->state != LP_OP_DONE && op->state != LP_OP_PARTIAL && op->state != LP_OP_FAILED)
            fail_msg("%s %s: %s", call, error, lp_op_state_name(op->state));
        if (op->state != LP_OP_DONE && !op->message)
            fail_msg("%s %s: no reason", call, error);
        tell("p0", "{\"fail_next\":{\"call\":\"none\",\"error\":\"failed\"}}");
        UNTIL(agree("p0"));
        assert_int_equal(part("p0")->promised_bytes, 0);
    }
}

static bool
hangs(unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++) {
        g_autofree char *name = g_strdup_printf("p%u", i);

        if (!part(name)->stuck)
            return false;
    }
    return true;
}

static void
test_hung_domains(void **state)
{
    int64_t ids[LP_STUCK_LANES_MAX];
    g_autofree char *code = NULL, *busy = NULL;
    Asked asked;

    (void) state;
    set_clock(FAST);
    start_world(LP_STUCK_LANES_MAX + 1, 64 * GIB, AT_ONCE, "");
    UNTIL(all_connected());
    for (unsigned i = 0; i < LP_STUCK_LANES_MAX; i++) {
        g_autofree char *name = g_strdup_printf("p%u", i);
        g_autofree char *text = g_strdup_printf("{\"kind\":\"resize\",\"partition\":\"%s\","
                                                MEM("set", 3221225472)
                                                ",\"timeout_sec\":3600}", name);

        tell(name, "{\"hang_call_msec\": 80000000}");
        ids[i] = submit(text);
        UNTIL(lp_engine_find(world.engine, ids[i])->first_call_usec);
        tell(name, "{\"hang_look\": true}");
    }
    /* Nobody else waits for them. */
    EXPECT(run("{\"kind\":\"resize\",\"partition\":\"p8\"," CPU("set", 3) "}"), LP_OP_DONE);
    UNTIL(hangs(0, LP_STUCK_LANES_MAX));
    busy = try_submit("{\"kind\":\"resize\",\"partition\":\"p8\"," CPU("set", 4) "}", &asked);
    assert_string_equal(busy, "busy");
    tell("p0", "{\"hang_call_msec\": 0}");
    UNTIL(!part("p0")->stuck);
    EXPECT(finish(ids[0]), LP_OP_DONE);
    code = try_submit("{\"kind\":\"resize\",\"partition\":\"p1\"," CPU("set", 4) "}", &asked);
    assert_string_equal(code, "busy");
    EXPECT(run("{\"kind\":\"resize\",\"partition\":\"p8\"," CPU("set", 4) "}"), LP_OP_DONE);
    for (unsigned i = 1; i < LP_STUCK_LANES_MAX; i++) {
        g_autofree char *name = g_strdup_printf("p%u", i);

        tell(name, "{\"hang_call_msec\": 0}");
        EXPECT(finish(ids[i]), LP_OP_DONE);
        UNTIL(agree(name));
        check_now(name, 2, 3 * GIB);
    }
    UNTIL(lp_workers_abandoned(world.workers) == 0);
}

static void
test_full_disk(void **state)
{
    struct rlimit old, none;
    g_autofree char *code = NULL;
    Asked asked;

    (void) state;
    start_world(1, 64 * GIB, AT_ONCE, "");
    UNTIL(all_connected());
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    none = (struct rlimit){4096, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    code = try_submit(SET_P0 CPU("set", 3) "}", &asked);
    assert_null(code);
    UNTIL(asked.answered);
    if (!asked.code)
        fail_msg("accepted as %" G_GINT64_FORMAT, asked.id);
    assert_string_equal(asked.code, "journal");
    g_free(asked.code);
    code = try_submit(SET_P0 CPU("set", 3) "}", &asked);
    assert_string_equal(code, "journal");
    setrlimit(RLIMIT_FSIZE, &old);
    check_now("p0", 2, 2 * GIB);
    assert_int_equal(part("p0")->promised_bytes, 0);
}

/* A profile lost, garbled or put back to an older one behind lpard's back. */
static void
test_bad_profiles(void **state)
{
    g_autofree char *older = profile_text(1, 1, 2, 4), *code = NULL, *lost = NULL;
    const char *uuid;
    LpConn *conn;
    Asked asked;

    (void) state;
    start_world(1, 64 * GIB, AT_ONCE, "");
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 3) "}"), LP_OP_DONE);
    uuid = part("p0")->uuid;
    conn = lp_driver_sim.open(world.uri, NULL);
    assert_true(lp_driver_sim.set_metadata(conn, uuid, "<lpard:partition xmlns:lpard=\"" LP_METADATA_URI
                                           "\" version=\"1\" generation=\"9\"/>", NULL));
    lp_registry_look(world.registry, uuid);
    UNTIL(part("p0")->profile_state == LP_PROFILE_STATE_GARBLED);
    code = try_submit(SET_P0 CPU("set", 2) "}", &asked);
    assert_string_equal(code, "bad-profile");
    assert_true(lp_driver_sim.set_metadata(conn, uuid, NULL, NULL));
    lp_registry_look(world.registry, uuid);
    UNTIL(part("p0")->profile_state == LP_PROFILE_STATE_LOST);
    lost = try_submit(SET_P0 CPU("set", 2) "}", &asked);
    assert_string_equal(lost, "bad-profile");
    assert_true(lp_driver_sim.set_metadata(conn, uuid, older, NULL));
    lp_registry_look(world.registry, uuid);
    UNTIL(part("p0")->profile_state == LP_PROFILE_STATE_OLDER);
    assert_non_null(part("p0")->profile_message);
    lp_driver_sim.close(conn);
}

/* Forty requests at once over six guests, moves both ways: no two wait for each other, nothing is
 * lost and nothing is given twice. */
static void
test_storm(void **state)
{
    const char *given = g_getenv("LP_TEST_SEED");
    uint32_t seed = given ? (uint32_t) strtoul(given, NULL, 10) : g_random_int();
    g_autoptr(GRand) rand = NULL;
    Asked asked[40];
    uint64_t sum = 0;
    uint32_t cpus = 0;

    (void) state;
    print_message("# seed %u (LP_TEST_SEED)\n", seed);
    rand = g_rand_new_with_seed(seed);
    /* A spare GiB, so that some grows find room and others not. */
    start_world(6, 13 * GIB + 6 * OVERHEAD_BYTES, MOVING, "");
    UNTIL(all_connected());
    for (unsigned i = 0; i < G_N_ELEMENTS(asked); i++) {
        int a = g_rand_int_range(rand, 0, 6), b = (a + g_rand_int_range(rand, 1, 6)) % 6;
        g_autofree char *text = g_strdup_printf(
            "{\"kind\":\"move\",\"partition\":\"p%d\",\"to\":\"p%d\"%s,\"mem\":{\"mode\":\"set\","
            "\"bytes\":%" PRIu64 "}}", a, b,
            g_rand_boolean(rand) ? "," CPU("set", 1) : "",
            (uint64_t) g_rand_int_range(rand, 1, 4) * (128U << 20));

        assert_null(try_submit(text, &asked[i]));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(asked); i++) {
        const LpOperation *op;

        UNTIL(asked[i].answered);
        op = finish(asked[i].id);
        if (op->state != LP_OP_DONE && op->state != LP_OP_REFUSED)
            fail_msg("%u: %s: %s", i, lp_op_state_name(op->state), op->message);
    }
    for (unsigned i = 0; i < 6; i++) {
        g_autofree char *name = g_strdup_printf("p%u", i);

        UNTIL(agree(name));
        sum += lp_partition_granted_bytes(part(name));
        cpus += lp_partition_granted_cpus(part(name));
        assert_int_equal(lp_engine_lane_depth(world.engine, part(name)->uuid), 0);
    }
    assert_int_equal(sum, 12 * GIB);
    assert_int_equal(cpus, 12);
}

/* lpard ends in the middle, at any point, and is started again: nothing doubled. */
static void
test_restarts(void **state)
{
    (void) state;
    set_clock(5);
    start_world(2, 64 * GIB, MOVING, "");
    for (unsigned i = 0; i < 24; i++) {
        bool out = i % 2 == 0;
        Asked asked;
        int64_t id;

        UNTIL(all_connected());
        assert_null(try_submit(out ? "{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\","
                                     CPU("set", 1) "," MEM("set", 536870912) "}"
                                   : "{\"kind\":\"move\",\"partition\":\"p1\",\"to\":\"p0\","
                                     CPU("set", 1) "," MEM("set", 536870912) "}", &asked));
        UNTIL(asked.answered);
        id = asked.id;
        /* A little further each time. */
        for (unsigned turn = 0; turn < i * 4 && !is_over(id); turn++)
            g_main_context_iteration(NULL, TRUE);
        halt();
        boot();
        if (lp_engine_find(world.engine, id)) {
            EXPECT(finish(id), LP_OP_DONE);
            assert_true(lp_engine_find(world.engine, id)->recovered);
        }
        UNTIL(agree("p0") && agree("p1"));
        check_now("p0", out ? 1 : 2, out ? 1536 * MIB : 2 * GIB);
        check_now("p1", out ? 3 : 2, out ? 2560 * MIB : 2 * GIB);
    }
}

/* ... and in the middle of an undo. */
static unsigned unreadable_times;

json_t *__real_lp_journal_open_operations(LpJournal *journal, GError **error);
json_t *__wrap_lp_journal_open_operations(LpJournal *journal, GError **error);

json_t *
__wrap_lp_journal_open_operations(LpJournal *journal, GError **error)
{
    if (unreadable_times == 0)
        return __real_lp_journal_open_operations(journal, error);
    unreadable_times--;
    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "database is locked");
    return NULL;
}

/* What is open is read again until it can be, and nothing is begun before. */
static void
test_journal_unreadable_at_first(void **state)
{
    g_autofree char *code = NULL;
    int64_t id;
    Asked asked;

    (void) state;
    start_world(1, 64 * GIB, "\"delays\": {\"plug_bytes_per_sec\": 1073741824}", "");
    UNTIL(all_connected());
    id = submit(SET_P0 MEM("set", 4294967296) "}");
    UNTIL(lp_engine_find(world.engine, id)->state == LP_OP_RUNNING ||
          lp_engine_find(world.engine, id)->state == LP_OP_CONFIRMING);
    halt();
    unreadable_times = 2;
    boot();
    assert_null(lp_engine_find(world.engine, id));
    code = try_submit(SET_P0 MEM("set", 2147483648) "}", &asked);
    assert_string_equal(code, "journal");
    UNTIL(lp_engine_find(world.engine, id) != NULL);
    EXPECT(finish(id), LP_OP_DONE);
    check_now("p0", 2, 4 * GIB);
}

static void
test_restart_in_undo(void **state)
{
    int64_t id;

    (void) state;
    set_clock(FAST);
    start_world(2, 64 * GIB, AT_ONCE, "\"unmovable_bytes\": 536870912");
    UNTIL(all_connected());
    id = submit("{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," MEM("set", 1073741824)
                ",\"atomic\":true}");
    UNTIL(lp_engine_find(world.engine, id)->legs->len > 2
          && leg_of(lp_engine_find(world.engine, id), 2)->begun
          && lp_engine_find(world.engine, id)->state != LP_OP_CHECKING
          && (lp_view_requested_bytes(part("p0")->view) == 2 * GIB
              || lp_view_requested_bytes(part("p1")->view) == 2 * GIB));
    halt();
    boot();
    /* As without a restart: it is undone for the same reason. */
    EXPECT(finish(id), LP_OP_TIMED_OUT);
    assert_string_equal(lp_engine_find(world.engine, id)->code, "undone");
    check_now("p0", 2, 2 * GIB);
    check_now("p1", 2, 2 * GIB);
}

/* Told to stop, and killed before it had: it stops all the same, and what was on its way is taken
 * back. */
static void
cancel_and_restart(const char *request, bool grows)
{
    int64_t id;

    start_world(1, 64 * GIB, "\"cgroup\": \"v2\", \"delays\": {\"plug_bytes_per_sec\": 134217728, "
                "\"unplug_bytes_per_sec\": 134217728, \"size_event_usec\": 1000}", "");
    UNTIL(all_connected());
    id = submit(request);
    UNTIL(part("p0")->view->cells[0].current_bytes != GIB);
    /* The call in which its device would be told to stay is the one that lpard does not survive. */
    tell("p0", "{\"hang_call_msec\": 100}");
    assert_true(lp_engine_cancel(world.engine, id, NULL));
    halt();
    tell("p0", "{\"hang_call_msec\": 0}");
    boot();
    EXPECT(finish(id), LP_OP_CANCELLED);
    UNTIL(agree("p0"));
    /* A guest that grows may be a block or two further than it was told to stay, for a moment. */
    assert_in_range(leg_of(lp_engine_find(world.engine, id), 0)->mem_now_bytes,
                    lp_view_requested_bytes(part("p0")->view),
                    lp_view_requested_bytes(part("p0")->view) + 256 * MIB);
    if (grows)
        assert_in_range(lp_view_requested_bytes(part("p0")->view), 2 * GIB, 4 * GIB - 1);
    else
        assert_in_range(lp_view_requested_bytes(part("p0")->view), GIB + 1, 2 * GIB);
}

static void
test_cancel_over_restart(void **state)
{
    (void) state;
    cancel_and_restart(SET_P0 MEM("set", 1073741824) "}", false);
}

static void
test_cancel_growth_over_restart(void **state)
{
    (void) state;
    cancel_and_restart(SET_P0 MEM("set", 4294967296) "}", true);
}

/* What an undo brings back is what there was before the operation, and not what a crashed lpard had
 * written of it. */
static void
test_undo_capacity_after_restart(void **state)
{
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, "\"cgroup\": \"v2\", \"delays\": {\"call_usec\": 50000}", "");
    UNTIL(all_connected());
    id = submit("{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":120,\"weight\":200,"
                "\"atomic\":true}");
    UNTIL(part("p0")->profile.capacity.entitled_centi == 120 || is_over(id));
    assert_false(is_over(id));
    /* Also the call that was on its way. */
    tell("p0", "{\"fail_next\": {\"call\": \"set_config\", \"error\": \"failed\"}}");
    halt();
    tell("p0", "{\"fail_next\": {\"call\": \"set_config\", \"error\": \"failed\"}}");
    boot();
    EXPECT(finish(id), LP_OP_FAILED);
    assert_string_equal(lp_engine_find(world.engine, id)->code, "undone");
    assert_int_equal(part("p0")->profile.capacity.entitled_centi, 40);
    assert_int_equal(part("p0")->profile.capacity.weight, 128);
}

static void
by_hand(const char *text)
{
    g_autofree char *path = g_build_filename(world.dir, "journal.db", NULL);
    sqlite3 *sql;

    assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sql, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sql);
}

/* One open operation that nobody can read holds its own partition, and no other. */
static void
test_unreadable_row(void **state)
{
    Asked asked;
    int64_t one, two;
    g_autofree char *code = NULL;

    (void) state;
    start_world(2, 64 * GIB, "\"cgroup\": \"v2\", \"delays\": {\"unplug_bytes_per_sec\": 268435456}",
                "");
    UNTIL(all_connected());
    one = submit(SET_P0 MEM("set", 1073741824) "}");
    two = submit("{\"kind\":\"resize\",\"partition\":\"p1\"," MEM("set", 1073741824) "}");
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB
          && part("p1")->view->cells[0].current_bytes < GIB);
    halt();
    by_hand("UPDATE operation SET body = '{' WHERE id = (SELECT min(id) FROM operation WHERE open)");
    boot();
    EXPECT(finish(two), LP_OP_DONE);
    assert_null(lp_engine_find(world.engine, one));
    code = try_submit(SET_P0 MEM("set", 2147483648) "}", &asked);
    assert_string_equal(code, lp_error_name(LP_ERROR_JOURNAL));
    EXPECT(run("{\"kind\":\"resize\",\"partition\":\"p1\"," MEM("set", 2147483648) "}"), LP_OP_DONE);
}

typedef struct {
    gint refs, done;
    bool ok;
} Slow;

static bool
slow_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    (void) driver;
    (void) conn;
    (void) error;
    while (g_atomic_int_get(&((Slow *) data)->refs) > 0)
        g_thread_yield();
    return true;
}

static void
slow_done(bool ok, const GError *error, void *data)
{
    Slow *slow = data;

    (void) error;
    slow->done++;
    slow->ok = ok;
}

/* A definition whose call never comes back is answered once, frees its lane, and its thread may
 * still let go of it whenever it likes; also after the end of everything. */
static void
test_abandoned_definition(void **state)
{
    static Slow first = {.refs = 1}, second = {.refs = 1}, third = {.refs = 1};

    (void) state;
    set_clock(FAST);
    start_world(2, 64 * GIB, AT_ONCE, "");
    assert_true(lp_engine_definition(world.engine, part("p0")->uuid, "a test", slow_job, slow_done,
                                     &first, NULL, NULL));
    UNTIL(first.done);
    assert_false(first.ok);
    UNTIL(lp_engine_lane_depth(world.engine, part("p0")->uuid) == 0);
    g_atomic_int_set(&first.refs, 0);
    UNTIL(lp_workers_abandoned(world.workers) == 0);
    assert_int_equal(first.done, 1);
    /* One at work, one behind it: both are told when lpard ends. */
    assert_true(lp_engine_definition(world.engine, part("p1")->uuid, "a test", slow_job, slow_done,
                                     &second, NULL, NULL));
    assert_true(lp_engine_definition(world.engine, part("p1")->uuid, "a test", slow_job, slow_done,
                                     &third, NULL, NULL));
    g_atomic_int_set(&third.refs, 0);
    lp_engine_free(world.engine);
    assert_int_equal(second.done, 1);
    assert_int_equal(third.done, 1);
    g_atomic_int_set(&second.refs, 0);
    world.engine = NULL;
}

/* ---- qemu-guest-agent in place of lpar-agent ---- */

static bool
remarked(const LpOperation *op, const char *part_of_it)
{
    for (guint i = 0; i < op->remarks->len; i++)
        if (strstr(g_ptr_array_index(op->remarks, i), part_of_it))
            return true;
    return false;
}

static bool
has_qga(const char *name)
{
    lp_registry_look(world.registry, part(name)->uuid);
    return part(name)->view->qga_connected;
}

static const LpOperation *
run_confirmed(const char *text, LpConfirm level)
{
    const LpOperation *op = run(text);

    EXPECT(op, LP_OP_DONE);
    if (op->confirm != level)
        fail_msg("%s: confirmed by %s, not %s", text, lp_confirm_name(op->confirm),
                 lp_confirm_name(level));
    return op;
}

#define QGA "\"agent\": false, \"qga\": true"

static void
test_guest_agent(void **state)
{
    const LpOperation *op;

    (void) state;
    start_world(2, 64 * GIB, MOVING, QGA ", \"memory_waits\": true, \"accel\": \"tcg\"");
    UNTIL(has_qga("p0") && has_qga("p1"));
    op = run_confirmed(SET_P0 CPU("set", 1) "}", LP_CONFIRM_QGA);
    assert_int_equal(leg_of(op, 0)->usable_cpu, 1);
    assert_false(remarked(op, "agent"));
    /* At the second asking only: what is offline is nothing to be confirmed. */
    tell("p0", "{\"fail_next\": {\"call\": \"qga_online_memory\", \"error\": \"failed\"}}");
    op = run_confirmed(SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}", LP_CONFIRM_QGA);
    assert_int_equal(leg_of(op, 0)->usable_cpu, 4);
    assert_int_equal(part("p0")->qga.offline_bytes, 0);
    run_confirmed(SET_P0 MEM("set", 2147483648) "}", LP_CONFIRM_QGA);
    run_confirmed("{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," CPU("set", 1) ","
                  MEM("set", 536870912) "}", LP_CONFIRM_QGA);
    check_now("p0", 3, 1536 * MIB);
    check_now("p1", 3, 2560 * MIB);
    /* Where both are, lpar-agent is asked. */
    tell("p0", "{\"agent\": true}");
    UNTIL(part("p0")->guest.base_total_bytes);
    run_confirmed(SET_P0 CPU("set", 2) "}", LP_CONFIRM_AGENT);
}

/* Silent, forbidden, unable, or gone in the middle: the device's word, said so, and in time. */
static void
test_guest_agent_fails(void **state)
{
    static const char *const errors[] = {"failed", "unsupported", "timeout"};
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_world(1, 64 * GIB, MOVING, QGA ", \"accel\": \"tcg\"");
    UNTIL(has_qga("p0"));
    for (unsigned i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_autofree char *fault = g_strdup_printf(
            "{\"fail_next\": {\"call\": \"qga_set_vcpus\", \"error\": \"%s\"}}", errors[i]);

        tell("p0", fault);
        op = run_confirmed(SET_P0 CPU("set", 1) "}", LP_CONFIRM_DEVICE);
        assert_true(remarked(op, "a fault was asked for: the device's word"));
        assert_true(remarked(op, "the quota holds it"));
        EXPECT(run(SET_P0 CPU("set", 2) "}"), LP_OP_DONE);
    }
    tell("p0", "{\"fail_next\": {\"call\": \"qga_look\", \"error\": \"timeout\"}}");
    op = run_confirmed(SET_P0 CPU("set", 3) "}", LP_CONFIRM_DEVICE);
    assert_true(remarked(op, "a fault was asked for"));
    /* It goes while memory is on its way. */
    tell("p0", "{\"memory_waits\": true}");
    id = submit(SET_P0 CPU("set", 4) "," MEM("set", 4294967296) "}");
    UNTIL(lp_engine_find(world.engine, id)->state == LP_OP_RUNNING
          || lp_engine_find(world.engine, id)->state == LP_OP_CONFIRMING);
    tell("p0", "{\"qga\": false}");
    op = finish(id);
    EXPECT(op, LP_OP_DONE);
    assert_int_equal(op->confirm, LP_CONFIRM_DEVICE);
    assert_true(remarked(op, "qemu-guest-agent"));
    check_now("p0", 4, 4 * GIB);
}

/* It does not do what it says it did: neither waited for without end nor believed. */
static void
test_guest_agent_lies(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, "\"cgroup\": \"v2\", \"delays\": {\"online_cpu_usec\": 600000000}",
                QGA ", \"accel\": \"tcg\"");
    UNTIL(has_qga("p0"));
    op = run_confirmed(SET_P0 CPU("set", 1) "}", LP_CONFIRM_DEVICE);
    assert_true(remarked(op, "does not bring the vCPUs"));
    op = run_confirmed(SET_P0 CPU("set", 3) "}", LP_CONFIRM_DEVICE);
    assert_true(remarked(op, "does not bring the vCPUs"));
}

/* L2: one that is slow on purpose does not pass for a hypervisor that hangs; eight partitions that
 * do would stop everybody's work. */
static void
test_guest_agent_dawdles(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_world(1, 64 * GIB, AT_ONCE, QGA ", \"accel\": \"tcg\"");
    UNTIL(has_qga("p0"));
    tell("p0", "{\"qga_msec\": 8000}");
    op = run_confirmed(SET_P0 CPU("set", 1) "}", LP_CONFIRM_DEVICE);
    assert_true(remarked(op, "the device's word"));
    assert_int_equal(lp_workers_abandoned(world.workers), 0);
    assert_false(part("p0")->stuck);
}

/* Without a quota nothing holds what was not folded: it stays granted, and the result says so. */
static void
test_guest_agent_no_quota(void **state)
{
    (void) state;
    start_world(1, 64 * GIB, "\"cgroup\": \"none\"", QGA ", \"accel\": \"tcg\"");
    UNTIL(has_qga("p0"));
    tell("p0", "{\"stuck_cpus\": \"1\"}");
    assert_true(run(SET_P0 CPU("set", 1) "}")->state != LP_OP_DONE);
    assert_int_equal(lp_partition_granted_cpus(part("p0")), 2);
    tell("p0", "{\"stuck_cpus\": \"\"}");
    run_confirmed(SET_P0 CPU("set", 1) "}", LP_CONFIRM_QGA);
    check_now("p0", 1, 2 * GIB);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kinds_kvm), TEST(test_kinds_tcg), TEST(test_kinds_no_agent),
        TEST(test_kinds_nonsense), TEST(test_reset), TEST(test_queue), TEST(test_key), TEST(test_dry_run),
        TEST(test_refusals), TEST(test_move_on_full_host), TEST(test_cancel),
        TEST(test_lock_timeout), TEST(test_stuck_shrink), TEST(test_atomic),
        TEST(test_failing_undo), TEST(test_late_unplug), TEST(test_reset_in_shrink),
        TEST(test_stopped), TEST(test_paused), TEST(test_removed), TEST(test_disconnect),
        TEST(test_each_fault), TEST(test_hung_domains), TEST(test_full_disk),
        TEST(test_bad_profiles), TEST(test_storm), TEST(test_restarts),
        TEST(test_journal_unreadable_at_first), TEST(test_restart_in_undo), TEST(test_cancel_over_restart),
        TEST(test_cancel_growth_over_restart), TEST(test_undo_capacity_after_restart),
        TEST(test_unreadable_row), TEST(test_abandoned_definition),
        TEST(test_guest_agent), TEST(test_guest_agent_fails),
        TEST(test_guest_agent_lies), TEST(test_guest_agent_dawdles),
        TEST(test_guest_agent_no_quota),
    };

    start_clock();
    cmocka_set_test_filter(g_getenv("LP_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
