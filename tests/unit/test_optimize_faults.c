/* What goes wrong with moving pages, and what is said of it: that partition's part ends, and the others' goes
 * on. */
#include "optimize_fixture.h"

#include <glib/gstdio.h>

#include "lpard/optimize/run.h"
#include "lpard/profile-xml.h"

static int
tear_down_all(void **state)
{
    int result = tear_down(state);

    set_clock(FAST);
    memset(&numa_settings, 0, sizeof numa_settings);
    return result;
}

/* p0 with a fault, and p1 that goes well; both are to be on node 0, and lie on node 1. */
static const LpOperation *
optimize_with(const char *host, const char *fault)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    g_autofree char *more = g_strconcat(", ", fault, NULL);

    begin_nodes(host, guest("p0", "strict:0", cell, more), guest("p1", "strict:0", cell, ""), NULL);
    return optimize("{}");
}

static const json_t *
part_of(const LpOperation *operation, const char *name)
{
    return plan_part(operation->optimize, name);
}

static json_int_t
stuck(const LpOperation *operation, const char *name, const char *why)
{
    return plan_number(json_object_get(part_of(operation, name), "stuck"), why);
}

static void
expect_part(const LpOperation *operation, const char *name, const char *state, const char *reason)
{
    const json_t *json = part_of(operation, name);

    if (strcmp(plan_text(json, "state"), state) != 0) {
        json_dumpf(json, stderr, JSON_INDENT(1));
        fail_msg("%s: %s, not %s", name, plan_text(json, "state"), state);
    }
    if (!reason)
        assert_null(plan_text(json, "reason"));
    else if (!plan_text(json, "reason") || !strstr(plan_text(json, "reason"), reason))
        fail_msg("%s: \"%s\" says nothing of \"%s\"", name, plan_text(json, "reason"), reason);
}

static void
test_busy_pages(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_busy_bytes\": 67108864");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "partial", "64 MiB are pinned for a device or under I/O");
    expect_part(operation, "p1", "done", NULL);
    assert_int_equal(stuck(operation, "p0", "busy"), 64 * MIB);
    assert_int_equal(lies_on("p0", 0), 2048 - 64);
    assert_int_equal(lies_on("p1", 0), 2048);
    assert_non_null(strstr(operation->message, "1 of 2 partitions"));
    assert_true(plan_number(part_of(operation, "p0"), "measured_centi") < 10000);
}

/* Busy for a moment only: it is tried again. */
static void
test_busy_for_a_while(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    int64_t id;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"move_busy_bytes\": 67108864"), NULL);
    set_clock(1);
    id = begin_optimize("{}");
    UNTIL(moved_of(id) >= (2048 - 64) * MIB);
    tell("p0", "{\"move_busy_bytes\": 0}");
    EXPECT(finish(id), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
    assert_int_equal(stuck(lp_engine_find(world.engine, id), "p0", "busy"), 0);
}

/* What came before lpard was killed counts, though only the rest is left to be moved and cannot be: the
 * vCPUs follow. */
static void
test_restart_near_the_end(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const LpLocality *locality;
    int64_t id;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"move_busy_bytes\": 67108864"), NULL);
    set_clock(1);
    id = begin_optimize("{}");
    UNTIL(lies_on("p0", 0) >= 2048 - 64);
    halt();
    boot();
    EXPECT(finish(id), LP_OP_PARTIAL);
    UNTIL((locality = part("p0")->locality) != NULL);
    for (uint32_t i = 0; i < locality->n_vcpus; i++)
        assert_true(lp_cpumask_covers(&world.host->topology.nodes[0].cpus,
                                      &locality->vcpus[i].may));
}

/* A page or two is no failure. */
static void
test_a_few_pages(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_busy_bytes\": 65536");

    (void) state;
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(stuck(operation, "p0", "busy"), 65536);
}

static void
test_shared_pages(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_shared_bytes\": 134217728");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "partial", "mapped by another process");
    assert_int_equal(stuck(operation, "p0", "shared"), 128 * MIB);
}

static void
test_no_permission(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_error\": \"EPERM\"");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "cannot be moved: the kernel does not let lpard");
    expect_part(operation, "p0", "failed", "must run as root, or with CAP_SYS_PTRACE");
    expect_part(operation, "p1", "done", NULL);
    assert_int_equal(lies_on("p0", 1), 2048);
}

static void
test_node_gone(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_error\": \"ENODEV\"");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "its pages cannot be moved: node 0 is gone or offline");
    expect_part(operation, "p1", "done", NULL);
}

/* Whose it is, is said once. */
static void
test_name_once(void **state)
{
    const LpOperation *operation = optimize_with(
        "", "\"fail_next\": {\"call\": \"move_pages\", \"error\": \"failed\"}");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "its pages cannot be moved: ");
    assert_null(strstr(plan_text(part_of(operation, "p0"), "reason"), "p0"));
}

/* What QEMU has of its own is brought along where it can be, and is no part of the outcome. */
static void
test_own_pages_stay(void **state)
{
    static const char cell[] =
        "[{\"node\": 0, \"base_bytes\": 1073741824, \"device_bytes\": 3221225472, "
        "\"requested_bytes\": 1073741824, \"lies\": {\"0\": 2147483648}, \"cpus\": \"4-7\"}]";
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell,
                          ", \"own\": {\"1\": 134217728}, \"move_error\": \"EPERM\""), NULL);
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    expect_part(operation, "p0", "done", NULL);
    assert_int_equal(lp_cpumask_count(&part("p0")->locality->vcpus[0].may), 4);
    assert_true(lp_cpumask_has(&part("p0")->locality->vcpus[0].may, 0));
    assert_int_equal(part("p0")->profile.generation, 2);
}

static void
test_gone(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_error\": \"ESRCH\"");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "ended while it was being moved");
    expect_part(operation, "p1", "done", NULL);
}

static void
test_alone_and_failed(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"move_error\": \"EPERM\""), NULL);
    operation = optimize("{}");
    EXPECT(operation, LP_OP_FAILED);
}

/* Its QEMU exits in the middle. */
static void
test_crash(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_stop_bytes\": 268435456");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "ended while it was being moved");
    assert_true(plan_number(part_of(operation, "p0"), "moved_bytes") > 0);
    assert_int_equal(plan_number(part_of(operation, "p0"), "measured_centi"), -1);
    expect_part(operation, "p1", "done", NULL);
}

static void
test_restart_meanwhile(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    g_autofree char *run_id = NULL;
    const LpOperation *operation;
    int64_t id;

    (void) state;
    numa_settings.move_rate_bytes = 64 * MIB;
    begin_nodes("", guest("p0", "strict:0", cell, ""), NULL);
    run_id = g_strdup(part("p0")->view->run_id);
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0);
    tell("p0", "{\"do\": \"stop\"}");
    tell("p0", "{\"do\": \"start\"}");
    operation = finish(id);
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "");
    assert_string_not_equal(part("p0")->view->run_id, run_id);
}

static void
test_pins_fail(void **state)
{
    const LpOperation *operation = optimize_with(
        "", "\"fail_next\": {\"call\": \"set_pins\", \"error\": \"failed\"}");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "vCPUs cannot be pinned");
    expect_part(operation, "p1", "done", NULL);
}

/* It was moved; only its next start would be elsewhere. */
static void
test_definition_fails(void **state)
{
    const LpOperation *operation = optimize_with(
        "", "\"fail_next\": {\"call\": \"set_config\", \"error\": \"failed\"}");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "partial", "its next start will be there");
    assert_int_equal(lies_on("p0", 0), 2048);
}

/* libvirtd is away for a moment: what was asked is asked again. */
static void
test_unreachable(void **state)
{
    const LpOperation *operation = optimize_with(
        "", "\"fail_next\": {\"call\": \"move_pages\", \"error\": \"unreachable\"}");

    (void) state;
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
}

/* A resize that never comes back has its turn before the next piece: that ends p0's part, and no other. */
static void
test_hangs(void **state)
{
    const LpOperation *operation;
    g_autofree char *cell = one_cell(0, 0, 2048);
    int64_t id, resize;

    (void) state;
    numa_settings.move_rate_bytes = 64 * MIB;
    begin_nodes("", guest("p0", "preferred:0", cell, ""), guest("p1", "preferred:0", cell, ""), NULL);
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0);
    tell("p0", "{\"hang_call_msec\": 80000000}");
    resize = submit(SET_P0 MEM("set", 3221225472) "}");
    UNTIL(lp_engine_find(world.engine, resize)->first_call_usec);
    optimizer->rate_bytes = 1ULL << 40;
    operation = finish(id);
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "never came back");
    expect_part(operation, "p1", "done", NULL);
    assert_int_equal(lies_on("p1", 0), 2048);
    tell("p0", "{\"hang_call_msec\": 0}");
    UNTIL(lp_workers_abandoned(world.workers) == 0 && is_over(resize));
}

/* Room that was held for pages of one that hangs is everybody's again. */
static void
test_hangs_in_the_end(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    int64_t id, resize;

    (void) state;
    numa_settings.move_rate_bytes = 64 * MIB;
    begin_nodes("", guest("p0", "preferred:0", cell, ""), guest("p1", "preferred:0", cell, ""), NULL);
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0 && part("p0")->coming_bytes > 0);
    tell("p0", "{\"hang_call_msec\": 80000000}");
    resize = submit(SET_P0 MEM("set", 3221225472) "}");
    UNTIL(part("p0")->stuck);
    optimizer->rate_bytes = 1ULL << 40;
    finish(id);
    assert_int_equal(part("p0")->coming_bytes, 0);
    assert_int_equal(part("p1")->coming_bytes, 0);
    tell("p0", "{\"hang_call_msec\": 0}");
    UNTIL(lp_workers_abandoned(world.workers) == 0 && is_over(resize));
}

/* From when most of a cell has come on it counts at its new node, and what it was to take there is not
 * counted once more. */
static void
test_room_counts_once(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    int64_t id;

    (void) state;
    numa_settings.move_rate_bytes = 64 * MIB;
    begin_nodes("", guest("p0", "strict:0", cell, ""), NULL);
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0 && part("p0")->coming_bytes > 0);
    assert_int_equal(part("p0")->coming_node, 0);
    UNTIL(moved_of(id) >= 1200 * MIB);
    lp_survey_soon(optimizer, part("p0")->uuid);
    UNTIL(part("p0")->view->cells[0].home == 0 && part("p0")->coming_bytes > 0);
    /* What has yet to leave is no room where it is. */
    assert_int_equal(part("p0")->coming_node, 1);
    assert_in_range(part("p0")->coming_bytes, 1, 900 * MIB);
    optimizer->rate_bytes = 1ULL << 40;
    EXPECT(finish(id), LP_OP_DONE);
    assert_int_equal(part("p0")->coming_bytes, 0);
}

/* ---- somebody wants it otherwise meanwhile ---- */

static void
write_profile(const char *name, const char *rule)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    LpProfile profile = part(name)->profile;
    g_autofree char *xml = NULL;

    if (rule) {
        assert_true(lp_numa_rule_parse(rule, &profile.numa, NULL, 0));
        profile.generation++;
        xml = lp_profile_to_xml(&profile);
    }
    assert_true(lp_driver_sim.set_metadata(conn, part(name)->uuid, xml, NULL));
    lp_driver_sim.close(conn);
    lp_registry_look(world.registry, part(name)->uuid);
}

/* It is begun by the rule of then, and stops where it is when that is another one. */
static void
stop_by_profile(const char *rule, const char *reason)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const LpOperation *operation;
    int64_t id;

    numa_settings.move_rate_bytes = 64 * MIB;
    begin_nodes("", guest("p0", "strict:0", cell, ""), guest("p1", "strict:0", cell, ""), NULL);
    id = begin_optimize("{}");
    UNTIL(moved_of(id) > 0);
    write_profile("p0", rule);
    if (rule)
        UNTIL(part("p0")->profile.numa.mode != LP_NUMA_STRICT
              || part("p0")->profile.numa.node_id[0] != 0);
    else
        UNTIL(!lp_partition_has_profile(part("p0")));
    optimizer->rate_bytes = 1ULL << 40;
    operation = finish(id);
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", reason);
    expect_part(operation, "p1", "done", NULL);
    assert_true(lies_on("p0", 1) > 0);
}

static void
test_keep_meanwhile(void **state)
{
    (void) state;
    stop_by_profile("keep", "by its rule it stays");
}

static void
test_rule_meanwhile(void **state)
{
    (void) state;
    stop_by_profile("strict:1", "its rule was changed meanwhile");
}

/* What was disabled gets no profile back. */
static void
test_disabled_meanwhile(void **state)
{
    (void) state;
    stop_by_profile(NULL, "does not manage it");
    assert_null(part("p0")->view->metadata);
}

static void
test_no_room(void **state)
{
    const LpOperation *operation = optimize_with("", "\"move_no_room_node\": 0");

    (void) state;
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "found no room");
    assert_int_equal(stuck(operation, "p0", "no-room"), 2048 * MIB);
    /* Its vCPUs stay with it, and may run anywhere as before. */
    assert_int_equal(lp_cpumask_count(&part("p0")->locality->vcpus[0].may), 8);
    assert_int_equal(part("p0")->profile.generation, 1);
    expect_part(operation, "p1", "done", NULL);
}

/* There is none at first: it waits for it, and others go before it. */
static void
test_room_comes(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const LpOperation *operation;
    int64_t id;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"move_no_room_node\": 0"),
                guest("p1", "strict:0", cell, ""), NULL);
    set_clock(1);
    id = begin_optimize("{}");
    UNTIL(lies_on("p1", 0) == 2048);
    assert_int_equal(lies_on("p0", 0), 0);
    tell("p0", "{\"move_no_room_node\": null}");
    set_clock(FAST);
    operation = finish(id);
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
}

/* Two that are in each other's way change places through what room there is. */
static void
test_change_places(void **state)
{
    g_autofree char *cell_0 = one_cell(0, 0, 2048);
    g_autofree char *cell_1 = one_cell(1, 2048, 0);
    const LpOperation *operation;

    (void) state;
    begin_nodes("\"node_bytes\": {\"0\": 2415919104, \"1\": 2415919104},",
                guest("p0", "strict:0", cell_0, ""), guest("p1", "strict:1", cell_1, ""), NULL);
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
    assert_int_equal(lies_on("p1", 1), 2048);
}

/* Where pages find no room on the node of their cell, the guest gives back what lies elsewhere, and gets as
 * much in the cell that lives there. */
static void
test_shifts(void **state)
{
    static const char cells[] =
        "[{\"node\": 0, \"base_bytes\": 1073741824, \"device_bytes\": 1073741824, "
        "\"requested_bytes\": 1073741824, \"lies\": {\"0\": 1073741824, \"1\": 1073741824}},"
        "{\"node\": 1, \"base_bytes\": 536870912, \"device_bytes\": 2147483648, "
        "\"requested_bytes\": 536870912}]";
    g_autoptr(GPtrArray) list = NULL;
    const LpOperation *operation, *shift;

    (void) state;
    begin_nodes("\"node_bytes\": {\"0\": 1140850688, \"1\": 8589934592},",
                guest("p0", "spread", cells, ""), NULL);
    UNTIL(all_connected());
    operation = optimize("{}");
    list = lp_engine_list(world.engine);
    assert_int_equal(list->len, 2);
    shift = g_ptr_array_index(list, 0);
    assert_int_equal(shift->request->kind, LP_OP_SHIFT);
    assert_string_equal(shift->request->requester, "optimizer");
    EXPECT(shift, LP_OP_DONE);
    EXPECT(operation, LP_OP_DONE);
    assert_true(plan_number(part_of(operation, "p0"), "shift_bytes") >= (json_int_t) (900 * MIB));
    assert_int_equal(lies_on("p0", 0) + lies_on("p0", 1), 3072);
    assert_in_range(part("p0")->locality->parts[0].on_bytes[1], 0, 4 * MIB);
    assert_int_equal(lp_partition_granted_bytes(part("p0")), 3 * GIB);
}

/* ---- pressure ---- */

static void
set_pressure(const char *dir, const char *some)
{
    g_autofree char *pressure = g_build_filename(dir, "pressure", NULL);
    g_autofree char *path = g_build_filename(pressure, "memory", NULL);
    g_autofree char *text = g_strdup_printf("some avg10=%s avg60=0.00 avg300=0.00 total=0\n"
                                            "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
                                            some);

    g_mkdir_with_parents(pressure, 0700);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
test_host_pressure(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    g_autofree char *dir = NULL;
    int64_t id;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ""), NULL);
    dir = g_build_filename(world.dir, "proc", NULL);
    set_pressure(dir, "10.01");
    optimizer->procfs = dir;
    id = begin_optimize("{}");
    UNTIL(strcmp(phase_of(id), "paused") == 0);
    assert_non_null(strstr(plan_text(lp_engine_find(world.engine, id)->optimize, "paused"),
                           "10.01 %"));
    assert_int_equal(lies_on("p0", 0), 0);
    set_pressure(dir, "10.00");
    EXPECT(finish(id), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
    optimizer->procfs = "/nowhere";
}

/* Only the guest that suffers is let be. */
static void
test_guest_pressure(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    int64_t id;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"psi_mem_centi\": 2000, \"used_bytes\": 1048576"),
                guest("p1", "strict:0", cell, ""), NULL);
    UNTIL(part("p0")->guest.has_pressure && part("p0")->guest.pressure.psi_mem_some_centi >= 2000);
    id = begin_optimize("{}");
    UNTIL(strcmp(phase_of(id), "paused") == 0);
    assert_int_equal(lies_on("p0", 0), 0);
    assert_int_equal(lies_on("p1", 0), 2048);
    tell("p0", "{\"psi_mem_centi\": 0}");
    EXPECT(finish(id), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
}

/* Not for ever: nothing else could be optimized. */
static void
test_guest_always_pressed(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const LpOperation *operation;
    int64_t id;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"psi_mem_centi\": 2000, \"used_bytes\": 1048576"),
                guest("p1", "strict:0", cell, ""), NULL);
    UNTIL(part("p0")->guest.has_pressure && part("p0")->guest.pressure.psi_mem_some_centi >= 2000);
    id = begin_optimize("{}");
    UNTIL(strcmp(phase_of(id), "paused") == 0);
    assert_true(optimizer->running->pressed_usec > 0);
    optimizer->running->pressed_usec -= 1800 * (int64_t) G_USEC_PER_SEC;
    operation = finish(id);
    EXPECT(operation, LP_OP_PARTIAL);
    expect_part(operation, "p0", "failed", "short of memory");
    expect_part(operation, "p1", "done", NULL);
    assert_int_equal(lies_on("p0", 0), 0);
}

static void
test_cannot_be_measured(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const LpOperation *operation;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ", \"no_locate\": true"), NULL);
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    expect_part(operation, "p0", "stays", "cannot be measured");
}

/* What was measured once is no reason to move by, when it cannot be seen any more. */
static void
test_cannot_be_measured_any_more(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const LpOperation *operation;
    const char *remark;
    json_t *scores;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ""), guest("p1", "keep", cell, ""), NULL);
    scores = scores_now(true);
    assert_true(json_is_null(json_object_get(plan_part(scores, "p0"), "stays")));
    json_decref(scores);
    tell("p0", "{\"no_locate\": true}");
    tell("p1", "{\"no_locate\": true}");
    scores = scores_now(true);
    assert_string_equal(plan_text(plan_part(scores, "p0"), "stays"), "not-measured");
    remark = json_string_value(json_array_get(json_object_get(plan_part(scores, "p0"), "remarks"),
                                              0));
    assert_non_null(strstr(remark, "could not be measured now: p0: where its memory lies cannot be "
                                   "seen; figures are "));
    assert_string_equal(plan_text(plan_part(scores, "p1"), "stays"), "rule");
    remark = json_string_value(json_array_get(json_object_get(plan_part(scores, "p1"), "remarks"),
                                              1));
    assert_non_null(strstr(remark, "could not be measured now"));
    json_decref(scores);
    operation = optimize("{}");
    EXPECT(operation, LP_OP_DONE);
    expect_part(operation, "p0", "stays", "could not be measured now");
    tell("p0", "{\"no_locate\": false}");
    assert_int_equal(lies_on("p0", 1), 2048);
    EXPECT(optimize("{}"), LP_OP_DONE);
    assert_int_equal(lies_on("p0", 0), 2048);
}

/* Nobody asks one that hangs: what was measured before is told as old. */
static void
test_hangs_with_old_figures(void **state)
{
    g_autofree char *cell = one_cell(0, 0, 2048);
    const char *remark;
    json_t *scores;

    (void) state;
    begin_nodes("", guest("p0", "strict:0", cell, ""), NULL);
    json_decref(scores_now(true));
    part("p0")->stuck = true;
    scores = scores_now(true);
    part("p0")->stuck = false;
    assert_string_equal(plan_text(plan_part(scores, "p0"), "stays"), "stuck");
    remark = json_string_value(json_array_get(json_object_get(plan_part(scores, "p0"), "remarks"),
                                              1));
    assert_non_null(remark);
    assert_non_null(strstr(remark, "could not be measured now; figures are 0 s old"));
    json_decref(scores);
}

/* ---- its JSON ---- */

static void
add_piece(LpWorkPart *part, int32_t from, int32_t to, uint64_t bytes)
{
    LpWorkMove *move = g_new0(LpWorkMove, 1);

    *move = (LpWorkMove){.part = part, .from = from, .to = to, .bytes = bytes};
    g_ptr_array_add(part->moves, move);
}

/* Else the plan of a full host is of tens of megabytes, each time that it is put in the journal. */
static void
test_pieces_are_one_move(void **state)
{
    LpTopology *topology = g_new0(LpTopology, 1);
    LpWork *work = lp_work_new();
    LpWorkPart *part = lp_work_add_part(work, "00000000-0000-0000-0000-000000000001", "p0", 1);
    const json_t *moves;
    json_t *json;

    (void) state;
    for (unsigned i = 0; i < 500; i++)
        add_piece(part, 1, 0, MIB);
    add_piece(part, 2, 0, MIB);
    json = lp_work_to_json(work, topology);
    moves = json_object_get(plan_part(json, "p0"), "moves");
    assert_int_equal(json_array_size(moves), 2);
    assert_int_equal(plan_number(json_array_get(moves, 0), "bytes"), 500 * MIB);
    assert_int_equal(plan_number(json_array_get(moves, 1), "from"), 2);
    json_decref(json);
    lp_work_free(work);
    g_free(topology);
}

/* ---- by itself ---- */

static void
tidy(void)
{
    optimizer->tidied_usec = INT64_MIN / 2;
    lp_schedule_look(optimizer);
    assert_true(optimizer->claimed);
    UNTIL(!optimizer->claimed && !optimizer->running);
}

static bool
is_measured(void)
{
    return part("p0")->locality != NULL;
}

/* Strays that never go are not tried every ten minutes for ever. */
static void
test_strays_stay(void **state)
{
    g_autofree char *cell = one_cell(0, 300, 1748);
    int64_t first;

    (void) state;
    begin_nodes("", guest("p0", "auto", cell, ", \"move_busy_bytes\": 4294967296"), NULL);
    UNTIL(is_measured());
    tidy();
    first = optimizer->tidy_pause_usec;
    assert_true(first > 0);
    tidy();
    assert_int_equal(optimizer->tidy_pause_usec, 2 * first);
    optimizer->tidied_usec = g_get_monotonic_time() - first;
    lp_schedule_look(optimizer);
    assert_false(optimizer->claimed);
    tell("p0", "{\"move_busy_bytes\": 0}");
    tidy();
    assert_int_equal(optimizer->tidy_pause_usec, first / 2);
    assert_int_equal(lies_on("p0", 1), 2048);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_busy_pages, tear_down_all),
        cmocka_unit_test_teardown(test_busy_for_a_while, tear_down_all),
        cmocka_unit_test_teardown(test_restart_near_the_end, tear_down_all),
        cmocka_unit_test_teardown(test_a_few_pages, tear_down_all),
        cmocka_unit_test_teardown(test_shared_pages, tear_down_all),
        cmocka_unit_test_teardown(test_no_permission, tear_down_all),
        cmocka_unit_test_teardown(test_node_gone, tear_down_all),
        cmocka_unit_test_teardown(test_name_once, tear_down_all),
        cmocka_unit_test_teardown(test_own_pages_stay, tear_down_all),
        cmocka_unit_test_teardown(test_gone, tear_down_all),
        cmocka_unit_test_teardown(test_alone_and_failed, tear_down_all),
        cmocka_unit_test_teardown(test_crash, tear_down_all),
        cmocka_unit_test_teardown(test_restart_meanwhile, tear_down_all),
        cmocka_unit_test_teardown(test_pins_fail, tear_down_all),
        cmocka_unit_test_teardown(test_definition_fails, tear_down_all),
        cmocka_unit_test_teardown(test_unreachable, tear_down_all),
        cmocka_unit_test_teardown(test_hangs, tear_down_all),
        cmocka_unit_test_teardown(test_hangs_in_the_end, tear_down_all),
        cmocka_unit_test_teardown(test_room_counts_once, tear_down_all),
        cmocka_unit_test_teardown(test_keep_meanwhile, tear_down_all),
        cmocka_unit_test_teardown(test_rule_meanwhile, tear_down_all),
        cmocka_unit_test_teardown(test_disabled_meanwhile, tear_down_all),
        cmocka_unit_test_teardown(test_no_room, tear_down_all),
        cmocka_unit_test_teardown(test_room_comes, tear_down_all),
        cmocka_unit_test_teardown(test_change_places, tear_down_all),
        cmocka_unit_test_teardown(test_shifts, tear_down_all),
        cmocka_unit_test_teardown(test_host_pressure, tear_down_all),
        cmocka_unit_test_teardown(test_guest_pressure, tear_down_all),
        cmocka_unit_test_teardown(test_guest_always_pressed, tear_down_all),
        cmocka_unit_test_teardown(test_cannot_be_measured, tear_down_all),
        cmocka_unit_test_teardown(test_cannot_be_measured_any_more, tear_down_all),
        cmocka_unit_test_teardown(test_hangs_with_old_figures, tear_down_all),
        cmocka_unit_test(test_pieces_are_one_move),
        cmocka_unit_test_teardown(test_strays_stay, tear_down_all),
    };

    start_clock();
    set_clock(FAST);
    cmocka_set_test_filter(g_getenv("LP_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
