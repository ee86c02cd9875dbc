/* The optimizer: it measures, scores, plans and moves; what it is asked to leave alone stays; others go on
 * meanwhile, and so does it after a restart. */
#include "optimize_fixture.h"

#include "lpard/optimize/work.h"

/* p0 is to be on node 0 and lies on node 1; p1 the other way round. */
static void
begin_crossed(const char *host)
{
    g_autofree char *cell_0 = one_cell(0, 0, 2048);
    g_autofree char *cell_1 = one_cell(1, 2048, 0);

    begin_nodes(host, guest("p0", "strict:0", cell_0, ", \"own\": {\"1\": 67108864}"),
                guest("p1", "strict:1", cell_1, ""), NULL);
}

static char *
definition_of(const char *name)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    char *xml = lp_driver_sim.get_xml(conn, part(name)->uuid, true, NULL);

    lp_driver_sim.close(conn);
    assert_non_null(xml);
    return xml;
}

/* ---- measuring ---- */

static bool
all_measured(void)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);

    for (guint i = 0; i < list->len; i++)
        if (!((LpPartition *) g_ptr_array_index(list, i))->locality)
            return false;
    return true;
}

static void
test_survey(void **state)
{
    g_autofree char *cell = one_cell(0, 512, 1536);

    (void) state;
    begin_nodes("", guest("p0", "auto", cell, ", \"own\": {\"0\": 1048576}"),
                guest("plain", NULL, cell, ""), NULL);
    /* Nobody asks for it. */
    UNTIL(all_measured());
    assert_int_equal(part("p0")->view->cells[0].home, 1);
    assert_int_equal(part("p0")->locality->parts[0].on_bytes[1], 1536 * MIB);
    /* Its vCPUs may run anywhere: half of all accesses are far, wherever its memory is. */
    assert_int_equal(score_of("p0", "score_centi"), 5000);
    assert_int_equal(score_of("p0", "local_centi"), 5000);
    assert_int_equal(score_of("p0", "best_centi"), 10000);
    assert_int_equal(score_of("p0", "predicted_centi"), 10000);
    assert_int_equal(score_of("p0", "agreement_centi"), -1);
    assert_int_equal(score_of("p0", "memory_bytes"), 2048 * MIB);
    assert_int_equal(score_of("plain", "predicted_centi"), 5000);
    assert_int_equal(score_of("host", "score_centi"), 5000);
    /* Its partitions', and nobody else's. */
    assert_int_equal(score_of("host", "predicted_centi"), 10000);
}

/* What came is measured when the resize has ended, and not a minute later. */
static void
test_survey_follows_resize(void **state)
{
    g_autofree char *cell = one_cell(0, 2048, 0);

    (void) state;
    begin_nodes("", guest("p0", "auto", cell, ""), NULL);
    UNTIL(all_measured() && all_connected());
    EXPECT(run(SET_P0 MEM("set", 3221225472) "}"), LP_OP_DONE);
    UNTIL(part("p0")->locality->parts[0].on_bytes[0] == 3 * GIB);
}

static void
test_scores_say_why(void **state)
{
    static const char *const left_alone[] = {"keep", "plain", "foreign", "mixed", "soon"};
    g_autofree char *cell = one_cell(0, 0, 2048);
    json_t *scores;

    (void) state;
    begin_nodes("", guest("keep", "keep", cell, ""), guest("plain", NULL, cell, ""),
                guest("foreign", "auto", cell, ", \"numatune\": \"strict\""),
                guest("mixed", "interleave", cell, ", \"numatune\": \"strict\""),
                guest("soon", "interleave", cell, ""),
                guest("locked", "auto", cell, ", \"locked\": true"),
                guest("blind", "auto", cell, ", \"no_locate\": true"),
                guest("off", "auto", cell, ", \"run\": \"off\""), NULL);
    scores = scores_now(true);
    assert_string_equal(plan_text(plan_part(scores, "keep"), "stays"), "rule");
    assert_string_equal(plan_text(plan_part(scores, "plain"), "stays"), "no-profile");
    assert_string_equal(plan_text(plan_part(scores, "foreign"), "stays"), "numatune");
    assert_string_equal(plan_text(plan_part(scores, "blind"), "stays"), "not-measured");
    assert_int_equal(plan_number(plan_part(scores, "blind"), "score_centi"), -1);
    /* What lpard wrote is no stranger's, and what is left alone is not said to be moved. */
    assert_string_equal(plan_text(plan_part(scores, "mixed"), "stays"), "numatune");
    assert_non_null(strstr(plan_text(plan_part(scores, "mixed"), "stays_text"), "interleave"));
    /* Nor is it moved before that start from which it is interleaved. */
    assert_string_equal(plan_text(plan_part(scores, "soon"), "stays"), "numatune");
    assert_non_null(strstr(plan_text(plan_part(scores, "foreign"), "stays_text"), "somebody else"));
    for (unsigned i = 0; i < G_N_ELEMENTS(left_alone); i++) {
        g_autofree char *remarks = json_dumps(
            json_object_get(plan_part(scores, left_alone[i]), "remarks"), 0);

        assert_non_null(strstr(remarks, "memory lies elsewhere"));
        assert_null(strstr(remarks, "is moved after it"));
    }
    assert_true(json_is_null(json_object_get(plan_part(scores, "locked"), "stays")));
    /* Off, there is nothing to measure. */
    assert_int_equal(json_array_size(json_object_get(scores, "partitions")), 7);
    json_decref(scores);
}

/* vCPUs 0 and 1, of the first cell, do nothing. */
static uint32_t
half_idle(const char *uuid, uint32_t vcpu, void *data)
{
    (void) uuid;
    (void) data;
    return vcpu < 2 ? LP_VCPU_BUSY / 1000 : LP_VCPU_BUSY;
}

/* It is the time of vCPUs that counts, not their number. */
static void
test_busy_vcpus_count(void **state)
{
    LpPictureOrder order = {0};
    LpPicture *picture;

    (void) state;
    begin_nodes("", g_strdup("{\"name\": \"plain\", \"vcpus\": 4, \"vcpus_max\": 4, \"cells\": ["
                             "{\"node\": 0, \"base_bytes\": 3221225472, \"cpus\": \"0-3\"},"
                             "{\"node\": 1, \"base_bytes\": 1073741824, \"cpus\": \"512-515\"}]}"),
                NULL);
    UNTIL(all_measured());
    picture = lp_picture_new(world.registry, &order);
    assert_int_equal(picture->parts[0].local, 5000);
    lp_picture_free(picture);
    order.weight = half_idle;
    picture = lp_picture_new(world.registry, &order);
    assert_in_range(picture->parts[0].local, 2490, 2510);
    lp_picture_free(picture);
    /* In the simulated host all run alike. */
    assert_int_equal(score_of("plain", "local_centi"), 5000);
}

/* ---- the whole of it ---- */

static void
test_moves(void **state)
{
    const LpOperation *operation;
    const json_t *p0, *host;
    g_autofree char *xml = NULL;

    (void) state;
    begin_crossed("");
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
    assert_int_equal(lies_on("p1", 1), 2048);
    p0 = plan_part(operation->optimize, "p0");
    host = json_object_get(operation->optimize, "host");
    assert_string_equal(plan_text(p0, "state"), "done");
    assert_int_equal(plan_number(p0, "measured_centi"), 10000);
    assert_int_equal(plan_number(p0, "predicted_centi"), 10000);
    assert_true(plan_number(p0, "before_centi") < 10000);
    assert_int_equal(plan_number(host, "predicted_centi"), plan_number(host, "measured_centi"));
    assert_int_equal(plan_number(operation->optimize, "moved_bytes"), 4096 * MIB);
    assert_int_equal(plan_number(operation->optimize, "total_bytes"), 4096 * MIB);
    assert_string_equal(plan_text(operation->optimize, "phase"), "done");
    assert_int_equal(operation->confirm, LP_CONFIRM_HOST);
    /* All vCPUs that it may ever have, and what the process has of its own. */
    for (uint32_t i = 0; i < part("p0")->locality->n_vcpus; i++)
        assert_true(lp_cpumask_covers(&world.host->topology.nodes[0].cpus,
                                      &part("p0")->locality->vcpus[i].may));
    assert_int_equal(part("p0")->locality->parts[1].on_bytes[0], 64 * MIB);
    xml = definition_of("p0");
    assert_non_null(strstr(xml, "vcpu='3' cpuset='0-3'"));
    assert_non_null(strstr(xml, "emulatorpin cpuset='0-3'"));
    /* And nothing is left to do. */
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(plan_number(operation->optimize, "total_bytes"), 0);
}

/* All processors that the partition's vCPUs may run on. */
static LpCpuMask
processors_of(const char *name)
{
    const LpLocality *locality = part(name)->locality;
    LpCpuMask all = {{0}};

    for (uint32_t i = 0; i < locality->n_vcpus; i++)
        for (size_t w = 0; w < G_N_ELEMENTS(all.words); w++)
            all.words[w] |= locality->vcpus[i].may.words[w];
    return all;
}

/* Processors of its own: as many as it may have vCPUs, no two have the same, who comes when they are all
 * gone shares the node's, and who has some keeps them. */
static void
test_own_cores(void **state)
{
    g_autofree char *cell = one_cell(0, 1024, 0);
    LpCpuMask first, second, node;
    const LpOperation *operation;

    (void) state;
    guest_vcpus_max = 2;
    begin_nodes("", guest("p0", "strict:0+cores", cell, ""), guest("p1", "strict:0+cores", cell, ""),
                guest("p2", "strict:0+cores", cell, ""), guest("p3", "strict:0", cell, ""), NULL);
    guest_vcpus_max = 4;
    node = world.host->topology.nodes[0].cpus;
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    assert_true(json_is_true(json_object_get(plan_part(operation->optimize, "p0"), "pins")));
    first = processors_of("p0");
    second = processors_of("p1");
    assert_int_equal(lp_cpumask_count(&first), 2);
    assert_int_equal(lp_cpumask_count(&second), 2);
    for (int cpu = lp_cpumask_next(&first, 0); cpu >= 0;
         cpu = lp_cpumask_next(&first, (unsigned) cpu + 1)) {
        assert_true(lp_cpumask_has(&node, (unsigned) cpu));
        assert_false(lp_cpumask_has(&second, (unsigned) cpu));
    }
    second = processors_of("p2");
    assert_true(lp_cpumask_equal(&second, &node));
    second = processors_of("p3");
    assert_true(lp_cpumask_equal(&second, &node));
    /* All is in order: nothing is pinned anew. */
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(json_array_size(json_object_get(operation->optimize, "partitions")), 0);
    second = processors_of("p0");
    assert_true(lp_cpumask_equal(&first, &second));
}

/* It is bound to where it was moved to, from its next start on. */
static void
test_next_start(void **state)
{
    g_autofree char *cell = one_cell(0, 2048, 0);
    g_autofree char *xml = NULL;

    (void) state;
    begin_nodes("", guest("p0", "strict:1", cell, ""), NULL);
    EXPECT(optimize("{}"), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 1), 2048);
    assert_int_equal(part("p0")->view->cells[0].home, 1);
    assert_int_equal(part("p0")->view->cells[0].node, 0);
    xml = definition_of("p0");
    assert_non_null(strstr(xml, "nodeset='1'"));
    assert_null(strstr(xml, "nodeset='0'"));
    UNTIL(part("p0")->profile.cell_node[0] == 1);
    assert_int_equal(part("p0")->profile.generation, 2);
    assert_int_equal(part("p0")->profile_state, LP_PROFILE_STATE_GOOD);
}

static void
test_dry_run(void **state)
{
    Asked asked;
    g_autofree char *code = NULL;
    const json_t *plan, *p0;

    (void) state;
    begin_crossed("");
    code = try_optimize("{}", NULL, true, &asked);
    assert_null(code);
    plan = json_object_get(asked.plan, "optimize");
    assert_true(json_is_true(json_object_get(plan, "dry_run")));
    p0 = plan_part(plan, "p0");
    assert_int_equal(plan_number(p0, "total_bytes"), 2048 * MIB);
    assert_int_equal(plan_number(p0, "predicted_centi"), 10000);
    assert_true(json_array_size(json_object_get(p0, "moves")) > 0);
    assert_true(json_is_true(json_object_get(p0, "pins")));
    assert_int_equal(lies_on("p0", 1), 2048);
    assert_null(lp_engine_find(world.engine, 0));
    json_decref(asked.plan);
}

/* The simulated kernel moves it when its cpuset changes. */
static void
test_restrictive(void **state)
{
    g_autofree char *cell = one_cell(1, 0, 2048);
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"numatune\": \"restrictive\""), NULL);
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
    assert_int_equal(plan_number(plan_part(operation->optimize, "p0"), "moved_bytes"), 2048 * MIB);
    assert_int_equal(plan_number(plan_part(operation->optimize, "p0"), "measured_centi"), 10000);
}

/* Each of two cells to a node of its own, as the guest was told. */
static void
test_two_cells(void **state)
{
    static const char cells[] =
        "[{\"node\": 0, \"base_bytes\": 1073741824, \"device_bytes\": 1073741824, \"lies\": "
        "{\"1\": 1073741824}},"
        "{\"node\": 1, \"base_bytes\": 1073741824, \"device_bytes\": 1073741824, \"lies\": "
        "{\"0\": 1073741824}}]";
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "spread", cells, ""), NULL);
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(score_of("p0", "agreement_centi"), 10000);
}

/* ---- what was asked ---- */

static void
test_protected(void **state)
{
    const LpOperation *operation;

    (void) state;
    begin_crossed("");
    operation = optimize("{\"protect\": [\"p1\"]}");
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
    assert_int_equal(lies_on("p1", 0), 2048);
    assert_string_equal(plan_text(plan_part(operation->optimize, "p1"), "state"), "stays");
    assert_non_null(strstr(plan_text(plan_part(operation->optimize, "p1"), "reason"), "protected"));
}

static void
test_max_bytes(void **state)
{
    g_autofree char *cell = one_cell(0, 1024, 1024);
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "auto", cell, ""), guest("p1", "auto", cell, ""), NULL);
    operation = optimize("{\"max_bytes\": 1073741824}");
    EXPECT(operation, LP_OP_DONE);
    assert_in_range(plan_number(operation->optimize, "moved_bytes"), 1, 1024 * MIB);
}

/* Half of what a rule wants would be worse than nothing of it. */
static void
test_rule_beyond_max_bytes(void **state)
{
    g_autofree char *cell = one_cell(1, 0, 2048);
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ""), NULL);
    operation = optimize("{\"max_bytes\": 1073741824}");
    EXPECT(operation, LP_OP_PARTIAL);
    assert_int_equal(lies_on("p0", 1), 2048);
    assert_string_equal(plan_text(plan_part(operation->optimize, "p0"), "state"), "partial");
    assert_int_equal(plan_number(plan_part(operation->optimize, "p0"), "measured_centi"), 10000);
    assert_non_null(strstr(plan_text(plan_part(operation->optimize, "p0"), "reason"), "rule"));
}

static void
test_min_gain(void **state)
{
    g_autofree char *cell = one_cell(0, 2000, 48);
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "auto", cell, ""), NULL);
    EXPECT(optimize("{}"), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
    /* One that is at home gains nothing: asked for, it says so. */
    operation = optimize("{\"min_gain_centi\": 5000, \"request\": [\"p0\"]}");
    EXPECT(operation, LP_OP_DONE);
    assert_string_equal(plan_text(plan_part(operation->optimize, "p0"), "state"), "stays");
}

static void
expect_refused(const char *json, const char *wanted)
{
    Asked asked;
    g_autofree char *code = try_optimize(json, NULL, true, &asked);

    if (!code || strcmp(code, wanted) != 0)
        fail_msg("%s: %s, not %s", json, code ? code : "taken", wanted);
}

static void
test_bad_requests(void **state)
{
    (void) state;
    begin_crossed("");
    expect_refused("{\"request\": [\"p0\"], \"protect\": [\"p0\"]}", "usage");
    expect_refused("{\"request\": [\"nobody\"]}", "no-partition");
    expect_refused("{\"protect\": [\"nobody\"]}", "no-partition");
    expect_refused("{\"request\": \"p0\"}", "usage");
    expect_refused("{\"request\": [1]}", "usage");
    expect_refused("{\"request\": [\"\"]}", "usage");
    expect_refused("{\"min_gain_centi\": -1}", "usage");
    expect_refused("{\"min_gain_centi\": 10001}", "usage");
    expect_refused("{\"max_bytes\": 1.5}", "usage");
    expect_refused("{\"all\": true}", "usage");
    expect_refused("[]", "usage");
}

/* ---- one at a time, and others beside it ---- */

static void
slow(void)
{
    /* 32 pieces, the next of them long after the test has done what it does. */
    numa_settings.move_rate_bytes = 64 * MIB;
}

static int
tear_down_all(void **state)
{
    int result = tear_down(state);

    set_clock(FAST);
    memset(&numa_settings, 0, sizeof numa_settings);
    return result;
}

static void
test_busy(void **state)
{
    Asked asked, again;
    g_autofree char *code = NULL, *other = NULL, *same = NULL;

    (void) state;
    slow();
    begin_crossed("");
    code = try_optimize("{}", "once", false, &asked);
    assert_null(code);
    other = try_optimize("{\"protect\": [\"p1\"]}", NULL, false, &again);
    assert_string_equal(other, "busy");
    same = try_optimize("{}", "once", false, &again);
    assert_null(same);
    assert_int_equal(again.id, asked.id);
    g_free(other);
    other = try_optimize("{\"protect\": [\"p1\"]}", "once", false, &again);
    assert_string_equal(other, "conflict");
    /* A dry run disturbs nobody. */
    g_free(same);
    same = try_optimize("{}", NULL, true, &again);
    assert_null(same);
    json_decref(again.plan);
}

static void
test_cancel(void **state)
{
    int64_t id;
    const LpOperation *operation;

    (void) state;
    slow();
    begin_crossed("");
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0);
    assert_int_equal(lp_engine_find(world.engine, id)->state, LP_OP_RUNNING);
    assert_true(lp_engine_cancel(world.engine, id, NULL));
    operation = finish(id);
    EXPECT(operation, LP_OP_CANCELLED);
    assert_true(moved_of(id) < 4096 * MIB);
    assert_int_equal(lies_on("p0", 0) + lies_on("p1", 1), moved_of(id) / MIB);
    assert_non_null(strstr(operation->message, "stays where it is"));
    assert_false(lp_engine_cancel(world.engine, id, NULL));
    /* Whoever comes next finds the rest. */
    optimizer->rate_bytes = 1ULL << 40;
    EXPECT(optimize("{}"), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
}

static void
test_resize_meanwhile(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    int64_t id;

    (void) state;
    slow();
    begin_nodes("", guest("p0", "preferred:0", cell, ""), NULL);
    UNTIL(all_connected());
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0);
    EXPECT(run(SET_P0 MEM("set", 3221225472) "}"), LP_OP_DONE);
    assert_false(is_over(id));
    optimizer->rate_bytes = 1ULL << 40;
    EXPECT(finish(id), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 3072);
    check_now("p0", 2, 3 * GIB);
}

/* kill -9 in the middle: the journal's operation is taken up, and comes to the same. */
static void
test_recovers(void **state)
{
    const LpOperation *operation;
    uint64_t before;
    int64_t id;

    (void) state;
    slow();
    begin_crossed("");
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0);
    halt();
    numa_settings.move_rate_bytes = 1ULL << 40;
    boot();
    before = lies_on("p0", 0) + lies_on("p1", 1);
    assert_in_range(before, 1, 4096 - 1);
    operation = finish(id);
    EXPECT(operation, LP_OP_DONE);
    assert_true(operation->recovered);
    assert_int_equal(lies_on("p0", 0), 2048);
    assert_int_equal(lies_on("p1", 1), 2048);
    assert_int_equal(plan_number(plan_part(operation->optimize, "p0"), "measured_centi"), 10000);
    /* Also when it has ended, and lpard starts once more. */
    halt();
    boot();
    assert_null(optimizer->running);
}

/* ---- by itself ---- */

static LpOperation *
newest(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);

    return list->len ? g_ptr_array_index(list, 0) : NULL;
}

/* As if it had not tried for an hour. */
static void
look_now(void)
{
    optimizer->tried_usec = optimizer->tidied_usec = INT64_MIN / 2;
    lp_schedule_look(optimizer);
}

static bool
nothing_planned(void)
{
    return optimizer->plannings->len == 0 && !optimizer->running;
}

static void
test_schedule(void **state)
{
    (void) state;
    numa_settings.optimize_auto = true;
    begin_crossed("");
    UNTIL(all_measured());
    look_now();
    UNTIL(newest() && LP_OP_IS_FINAL(newest()->state));
    EXPECT(newest(), LP_OP_DONE);
    assert_string_equal(newest()->request->requester, "schedule");
    assert_true(json_is_true(json_object_get(newest()->optimize, "auto")));
    assert_int_equal(lies_on("p0", 0), 2048);
    /* Above the threshold nothing is begun. */
    look_now();
    assert_true(nothing_planned());
}

static void
test_schedule_gains_too_little(void **state)
{
    g_autofree char *cell = one_cell(0, 1024, 1024);

    (void) state;
    numa_settings.optimize_auto = true;
    numa_settings.optimize_delta = 60;
    begin_nodes("", guest("p0", "auto", cell, ""), NULL);
    UNTIL(all_measured());
    look_now();
    assert_false(nothing_planned());
    UNTIL(nothing_planned());
    assert_null(newest());
}

static void
hold(LpProfile *profile)
{
    profile->hold_until_sec = INT64_MAX;
}

static void
test_schedule_heeds_holds(void **state)
{
    (void) state;
    numa_settings.optimize_auto = true;
    profile_hook = hold;
    begin_crossed("");
    UNTIL(all_measured());
    look_now();
    UNTIL(nothing_planned());
    assert_null(newest());
    assert_int_equal(lies_on("p0", 1), 2048);
    /* Who asks knows what he does. */
    EXPECT(optimize("{}"), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
}

static void
test_manual(void **state)
{
    (void) state;
    begin_crossed("");
    UNTIL(all_measured());
    look_now();
    assert_true(nothing_planned());
}

/* What came from the old node of a cell that was moved is brought home; a little of it is let be. */
static void
test_strays(void **state)
{
    g_autofree char *much = one_cell(0, 300, 1748);
    g_autofree char *little = one_cell(0, 200, 1848);

    (void) state;
    begin_nodes("", guest("p0", "auto", much, ""), NULL);
    UNTIL(all_measured());
    look_now();
    UNTIL(newest() && LP_OP_IS_FINAL(newest()->state));
    EXPECT(newest(), LP_OP_DONE);
    assert_string_equal(newest()->request->requester, "tidy");
    assert_int_equal(lies_on("p0", 1), 2048);
    tear_down(NULL);
    begin_nodes("", guest("p0", "auto", little, ""), NULL);
    UNTIL(all_measured());
    look_now();
    assert_true(nothing_planned());
}

/* ---- the engine's side ---- */

static void
test_not_a_resize(void **state)
{
    Asked asked;
    g_autofree char *code = NULL;

    (void) state;
    begin_crossed("");
    code = try_submit("{\"kind\":\"optimize\",\"optimize\":{}}", &asked);
    assert_string_equal(code, "usage");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_survey, tear_down_all),
        cmocka_unit_test_teardown(test_survey_follows_resize, tear_down_all),
        cmocka_unit_test_teardown(test_scores_say_why, tear_down_all),
        cmocka_unit_test_teardown(test_busy_vcpus_count, tear_down_all),
        cmocka_unit_test_teardown(test_moves, tear_down_all),
        cmocka_unit_test_teardown(test_own_cores, tear_down_all),
        cmocka_unit_test_teardown(test_next_start, tear_down_all),
        cmocka_unit_test_teardown(test_dry_run, tear_down_all),
        cmocka_unit_test_teardown(test_restrictive, tear_down_all),
        cmocka_unit_test_teardown(test_two_cells, tear_down_all),
        cmocka_unit_test_teardown(test_protected, tear_down_all),
        cmocka_unit_test_teardown(test_max_bytes, tear_down_all),
        cmocka_unit_test_teardown(test_rule_beyond_max_bytes, tear_down_all),
        cmocka_unit_test_teardown(test_min_gain, tear_down_all),
        cmocka_unit_test_teardown(test_bad_requests, tear_down_all),
        cmocka_unit_test_teardown(test_busy, tear_down_all),
        cmocka_unit_test_teardown(test_cancel, tear_down_all),
        cmocka_unit_test_teardown(test_resize_meanwhile, tear_down_all),
        cmocka_unit_test_teardown(test_recovers, tear_down_all),
        cmocka_unit_test_teardown(test_schedule, tear_down_all),
        cmocka_unit_test_teardown(test_schedule_gains_too_little, tear_down_all),
        cmocka_unit_test_teardown(test_schedule_heeds_holds, tear_down_all),
        cmocka_unit_test_teardown(test_manual, tear_down_all),
        cmocka_unit_test_teardown(test_strays, tear_down_all),
        cmocka_unit_test_teardown(test_not_a_resize, tear_down_all),
    };

    start_clock();
    set_clock(FAST);
    cmocka_set_test_filter(g_getenv("LP_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
