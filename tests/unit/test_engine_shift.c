/* Memory of one partition from a cell to another: shrunk there, confirmed, grown here. */
#include "engine_fixture.h"

/* Two cells of 1 GiB and a device of 3 GiB each; 1 GiB is plugged, all of it in the first. */
#define CELLS \
    "[{\"node\": 0, \"base_bytes\": 1073741824, \"device_bytes\": 3221225472, " \
    "\"requested_bytes\": 1073741824}, {\"node\": 1, \"base_bytes\": 1073741824, " \
    "\"device_bytes\": 3221225472}]"
#define SHIFT(from, to, n) \
    "{\"kind\":\"shift\",\"partition\":\"p0\",\"shift\":{\"from_cell\":" #from \
    ",\"to_cell\":" #to ",\"bytes\":" #n "}}"

static void
two_cells(LpProfile *profile)
{
    profile->mem.min_bytes = 2 * GIB;
    profile->mem.desired_bytes = 3 * GIB;
    profile->mem.max_bytes = 8 * GIB;
    profile->n_cells = 2;
    profile->cell_node[1] = 1;
}

/* Nodes 0 and 1, each with half of it. */
static void
start_nodes(unsigned n, uint64_t capacity_bytes, const char *host, const char *extra)
{
    LpTopology *topology;

    profile_hook = two_cells;
    cells_text = CELLS;
    start_world(n, capacity_bytes, host, extra);
    halt();
    topology = &world.host->topology;
    topology->n_nodes = 2;
    topology->n_packages = 2;
    for (uint32_t i = 0; i < 2; i++) {
        topology->nodes[i] = (LpNode){.id = i, .memory_bytes = capacity_bytes / 2, .package = i};
        for (unsigned c = 0; c < 8; c++)
            lp_cpumask_add(&topology->nodes[i].cpus, i * 8 + c);
        topology->distance[i][i] = 10;
        topology->distance[i][1 - i] = 21;
    }
    boot();
}

static uint64_t
requested(uint32_t cell)
{
    return part("p0")->view->cells[cell].requested_bytes;
}

static void
test_shift(void **state)
{
    const LpOperation *op;
    uint64_t generation;

    (void) state;
    start_nodes(1, 16 * GIB, MOVING, "");
    UNTIL(all_connected());
    generation = part("p0")->profile.generation;
    op = run(SHIFT(0, 1, 536870912));
    EXPECT(op, LP_OP_DONE);
    assert_int_equal(op->confirm, LP_CONFIRM_AGENT);
    assert_int_equal(op->legs->len, 2);
    assert_int_equal(leg_of(op, 0)->mem_now_bytes, 2560 * MIB);
    assert_int_equal(leg_of(op, 1)->mem_before_bytes, 2560 * MIB);
    assert_int_equal(leg_of(op, 1)->mem_now_bytes, 3 * GIB);
    assert_int_equal(requested(0), 512 * MIB);
    assert_int_equal(requested(1), 512 * MIB);
    check_now("p0", 2, 3 * GIB);
    /* What it is to have, and what its definition says, is as it was. */
    assert_int_equal(part("p0")->profile.generation, generation);
    assert_int_equal(part("p0")->profile.mem.desired_bytes, 3 * GIB);
    assert_int_equal(part("p0")->view->requested_config_bytes, GIB);
    assert_int_equal(part("p0")->promised_bytes, 0);
    EXPECT(run(SHIFT(1, 0, 536870912)), LP_OP_DONE);
    assert_int_equal(requested(1), 0);
    UNTIL(agree("p0"));
}

/* What the guest holds on to stays where it is, and that much less arrives: the sum is as it was. */
static void
test_shift_in_part(void **state)
{
    const LpOperation *op;

    (void) state;
    set_clock(FAST);
    start_nodes(1, 16 * GIB, MOVING, "\"unmovable_bytes\": 805306368");
    UNTIL(all_connected());
    op = run(SHIFT(0, 1, 536870912));
    EXPECT(op, LP_OP_PARTIAL);
    assert_string_equal(op->code, "stalled");
    assert_int_equal(requested(0), 768 * MIB);
    assert_int_equal(requested(1), 256 * MIB);
    check_now("p0", 2, 3 * GIB);
}

static void
test_shift_is_asked(void **state)
{
    const LpOperation *op;

    (void) state;
    start_nodes(1, 16 * GIB, MOVING, "\"veto\": \"import runs\"");
    UNTIL(all_connected());
    op = run(SHIFT(0, 1, 536870912));
    EXPECT(op, LP_OP_VETOED);
    assert_non_null(strstr(op->message, "import runs"));
    assert_int_equal(requested(0), GIB);
    assert_int_equal(requested(1), 0);
    /* It was asked of the whole, once. */
    assert_int_equal(lp_engine_consent_counts(world.engine)->vetoes, 1);
}

/* Once it has given, getting it back elsewhere is not for it to refuse. */
static void
test_shift_comes_back(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_nodes(1, 16 * GIB,
                "\"cgroup\": \"v2\", \"delays\": {\"unplug_bytes_per_sec\": 2147483648, "
                "\"size_event_usec\": 1000}", "");
    UNTIL(all_connected());
    id = submit(SHIFT(0, 1, 536870912));
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    tell("p0", "{\"veto_pre\": \"no more\"}");
    op = finish(id);
    EXPECT(op, LP_OP_DONE);
    assert_int_equal(op->remarks->len, 1);
    assert_non_null(strstr(g_ptr_array_index(op->remarks, 0), "no more"));
    assert_int_equal(requested(1), 512 * MIB);
    EXPECT(run(SHIFT(1, 0, 536870912)), LP_OP_VETOED);
    assert_int_equal(requested(1), 512 * MIB);
}

static void
refused(const char *text, const char *code, uint64_t first, uint64_t second)
{
    const LpOperation *op = run(text);

    EXPECT(op, LP_OP_REFUSED);
    assert_string_equal(op->code, code);
    assert_int_equal(requested(0), first);
    assert_int_equal(requested(1), second);
}

/* Nothing leaves that could not arrive. */
static void
test_shift_refused(void **state)
{
    (void) state;
    start_nodes(2, 8 * GIB, AT_ONCE, "");
    UNTIL(all_connected());
    refused(SHIFT(0, 1, 2147483648), "below-min", GIB, 0);
    refused(SHIFT(1, 0, 536870912), "cell", GIB, 0);
    refused(SHIFT(0, 2, 536870912), "cell", GIB, 0);
    refused(SHIFT(5, 0, 536870912), "cell", GIB, 0);
    refused(SHIFT(0, 1, 1048576), "block", GIB, 0);
    /* p1 takes what node 1 has left, to the last: node 0 has room, but that is not where it goes. */
    EXPECT(run("{\"kind\":\"shift\",\"partition\":\"p1\",\"shift\":{\"from_cell\":0,\"to_cell\":1,"
               "\"bytes\":1073741824}}"), LP_OP_DONE);
    refused(SHIFT(0, 1, 1073741824), "node-memory", GIB, 0);
    EXPECT(run(SHIFT(0, 1, 536870912)), LP_OP_DONE);
}

static void
test_shift_requests(void **state)
{
    static const char *const bad[] = {
        "{\"kind\":\"shift\",\"partition\":\"p0\"}",
        "{\"kind\":\"resize\",\"partition\":\"p0\",\"shift\":{\"from_cell\":0,\"to_cell\":1,"
        "\"bytes\":4}}",
        SHIFT(0, 0, 4), SHIFT(0, 64, 4), SHIFT(-1, 0, 4), SHIFT(0, 1, 0), SHIFT(0, 1, "4"),
        "{\"kind\":\"shift\",\"partition\":\"p0\",\"shift\":{\"from_cell\":0,\"to_cell\":1}}",
        "{\"kind\":\"shift\",\"partition\":\"p0\",\"shift\":{\"from_cell\":0,\"to_cell\":1,"
        "\"bytes\":4,\"more\":1}}",
        "{\"kind\":\"shift\",\"partition\":\"p0\",\"shift\":7}",
        "{\"kind\":\"shift\",\"partition\":\"p0\",\"atomic\":true,\"shift\":{\"from_cell\":0,"
        "\"to_cell\":1,\"bytes\":4}}",
        "{\"kind\":\"shift\",\"partition\":\"p0\"," MEM("set", 4) ",\"shift\":{\"from_cell\":0,"
        "\"to_cell\":1,\"bytes\":4}}",
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        json_t *json = json_loads(bad[i], 0, NULL);

        assert_non_null(json);
        assert_null(lp_request_from_json(json, &error));
        assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_USAGE));
        json_decref(json);
    }
    {
        g_autoptr(LpRequest) request = request_of(SHIFT(3, 1, 2097152));
        json_t *one = lp_request_to_json(request), *two;
        g_autoptr(LpRequest) again = lp_request_from_json(one, NULL);

        assert_int_equal(again->from_cell, 3);
        assert_int_equal(again->to_cell, 1);
        assert_int_equal(again->mem_bytes, 2 * MIB);
        two = lp_request_to_json(again);
        assert_true(json_equal(one, two));
        json_decref(one);
        json_decref(two);
    }
}

/* lpard ends when half of it is done: the next one brings the rest over. */
static void
test_shift_recovered(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_nodes(1, 16 * GIB, MOVING, "");
    UNTIL(all_connected());
    id = submit(SHIFT(0, 1, 1073741824));
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    halt();
    boot();
    lp_engine_recover(world.engine);
    op = finish(id);
    EXPECT(op, LP_OP_DONE);
    assert_true(op->recovered);
    assert_int_equal(requested(0), 0);
    assert_int_equal(requested(1), GIB);
    assert_int_equal(leg_of(op, 1)->target.cell, 1);
}

/* Told to stop in the middle, what has left one cell still arrives in the other. */
static void
test_shift_cancelled(void **state)
{
    const LpOperation *op;
    int64_t id;

    (void) state;
    start_nodes(1, 16 * GIB,
                "\"cgroup\": \"v2\", \"delays\": {\"unplug_bytes_per_sec\": 1073741824, "
                "\"size_event_usec\": 1000}", "");
    UNTIL(all_connected());
    id = submit(SHIFT(0, 1, 1073741824));
    UNTIL(part("p0")->view->cells[0].current_bytes < GIB);
    assert_true(lp_engine_cancel(world.engine, id, NULL));
    op = finish(id);
    EXPECT(op, LP_OP_CANCELLED);
    assert_int_equal(requested(0) + requested(1), GIB);
    assert_true(requested(1) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shift), TEST(test_shift_in_part), TEST(test_shift_is_asked), TEST(test_shift_comes_back),
       
        TEST(test_shift_refused), cmocka_unit_test(test_shift_requests),
        TEST(test_shift_recovered), TEST(test_shift_cancelled),
    };

    start_clock();
    return cmocka_run_group_tests_name("shift", tests, NULL, NULL);
}
