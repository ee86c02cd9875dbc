/* Where the memory of simulated guests lies, how it moves, and what goes wrong with that. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "hotplug/driver.h"
#include "hotplug/sim.h"
#include "tests/remove-tree.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

#define CHECK(expression) \
    do { \
        bool ok_ = (expression); \
        if (error) \
            print_error("%s\n", error->message); \
        assert_true(ok_); \
        assert_null(error); \
    } while (0)
#define CHECK_FAILS(expression, wanted) \
    do { \
        assert_false(expression); \
        assert_non_null(error); \
        assert_int_equal(error->code, wanted); \
        g_clear_error(&error); \
    } while (0)

static const LpDriver *const sim = &lp_driver_sim;

typedef struct {
    char *dir, *file, *uri, *uuid;
    LpConn *conn;
    LpTopology topology;          /* two nodes of four processors */
} Fixture;

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->dir = g_dir_make_tmp("test-sim-numa-XXXXXX", NULL);
    f->file = g_build_filename(f->dir, "host.json", NULL);
    f->uri = g_strconcat("sim:", f->file, NULL);
    assert_true(lp_topology_read("pack:2 numa:1 core:4 pu:1", &f->topology, NULL, 0));
    assert_int_equal(f->topology.n_nodes, 2);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *f = *state;

    if (f->conn)
        sim->close(f->conn);
    remove_tree(f->dir);
    g_free(f->dir);
    g_free(f->file);
    g_free(f->uri);
    g_free(f->uuid);
    g_free(f);
    return 0;
}

/* Opens the host and remembers the UUID of the domain "a". */
static void
open_host(Fixture *f, const char *json)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) views = NULL;

    if (json)
        assert_true(g_file_set_contents(f->file, json, -1, NULL));
    f->conn = sim->open(f->uri, &error);
    CHECK(f->conn != NULL);
    views = sim->list(f->conn, &error);
    CHECK(views != NULL);
    for (guint i = 0; i < views->len; i++) {
        const LpView *view = g_ptr_array_index(views, i);

        if (strcmp(view->name, "a") != 0)
            continue;
        g_free(f->uuid);
        f->uuid = g_strdup(view->uuid);
    }
    assert_non_null(f->uuid);
}

/* lpard is gone by kill -9, and another one comes. */
static void
restart(Fixture *f)
{
    sim->close(g_steal_pointer(&f->conn));
    lp_sim_forget(f->uri);
    open_host(f, NULL);
}

static void
tell(Fixture *f, const char *json)
{
    g_autoptr(GError) error = NULL;

    CHECK(lp_sim_tell(f->uri, "a", json, &error));
}

static void
assert_lies(Fixture *f, uint32_t part, uint64_t on0, uint64_t on1)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpLocality) locality = sim->locate(f->conn, f->uuid, &f->topology, 0, &error);

    CHECK(locality != NULL);
    assert_true(part < locality->n_parts);
    assert_int_equal(locality->parts[part].on_bytes[0] / MIB, on0 / MIB);
    assert_int_equal(locality->parts[part].on_bytes[1] / MIB, on1 / MIB);
    assert_int_equal(locality->error_permyriad, 0);
}

static LpPagesMoved
move(Fixture *f, uint32_t part, int32_t from, int32_t to, uint64_t max_bytes, uint64_t offset)
{
    g_autoptr(GError) error = NULL;
    const LpMoveOrder order = { .part = part, .from = from, .to = to, .max_bytes = max_bytes,
                                .offset = offset };
    LpPagesMoved moved;

    CHECK(sim->move_pages(f->conn, f->uuid, &order, &moved, &error));
    return moved;
}

static void
test_on_its_nodes(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"vcpus\":2,\"cells\":["
                 "{\"node\":0,\"requested_bytes\":1073741824},{\"node\":1}]}]}");
    assert_lies(f, 0, 2 * GIB, 0);
    assert_lies(f, 1, 0, GIB);
    assert_lies(f, 2, 0, 0);
    /* What grows comes from the cell's node, wherever the rest has moved to. */
    assert_true(move(f, 0, 0, 1, UINT64_MAX, 0).done);
    assert_lies(f, 0, 0, 2 * GIB);
    CHECK(sim->set_requested(f->conn, f->uuid, 0, 2 * GIB, &error));
    assert_lies(f, 0, GIB, 2 * GIB);
    /* What came last goes first. */
    CHECK(sim->set_requested(f->conn, f->uuid, 0, 512 * MIB, &error));
    assert_lies(f, 0, 0, 1536 * MIB);
    CHECK(sim->attach_dimm(f->conn, f->uuid, 1, 256 * MIB, &error));
    assert_lies(f, 1, 0, GIB + 256 * MIB);
    CHECK(sim->set_balloon(f->conn, f->uuid, 256 * MIB, &error));
    assert_lies(f, 1, 0, GIB);
}

static void
test_put_down_wrongly(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(LpLocality) locality = NULL;

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"vcpus\":2,\"vcpus_max\":4,"
                 "\"own\":{\"1\":67108864},\"cells\":["
                 "{\"node\":0,\"lies\":{\"1\":268435456,\"0\":268435456,\"7\":1048576},"
                 "\"cpus\":\"4-5\"}]}]}");
    locality = sim->locate(f->conn, f->uuid, &f->topology, 4096, &error);
    CHECK(locality != NULL);
    assert_string_equal(locality->run_id, "sim-1");
    assert_int_equal(locality->n_parts, 2);
    assert_int_equal(locality->parts[0].on_bytes[0], 256 * MIB);
    assert_int_equal(locality->parts[0].on_bytes[1], 256 * MIB);
    assert_int_equal(locality->parts[0].elsewhere_bytes, MIB);
    assert_int_equal(locality->parts[0].size_bytes, 4 * GIB);
    assert_int_equal(locality->parts[1].on_bytes[1], 64 * MIB);
    assert_int_equal(locality->n_vcpus, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(locality->vcpus[i].vcpu, i);
        assert_int_equal(locality->vcpus[i].cpu, 4 + i);
        assert_int_equal(lp_cpumask_count(&locality->vcpus[i].may), 2);
        assert_true(locality->vcpus[i].time_usec > 0);
    }
    assert_int_equal(locality->vcpus[0].time_usec, locality->vcpus[1].time_usec);
    /* What was never touched stays so, and only what comes is new. */
    CHECK(sim->set_requested(f->conn, f->uuid, 0, 128 * MIB, &error));
    assert_lies(f, 0, 384 * MIB, 256 * MIB);
}

static void
test_moves_in_pieces(void **state)
{
    Fixture *f = *state;
    LpPagesMoved moved;

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"cells\":[{\"node\":0,"
                 "\"lies\":{\"1\":536870912,\"0\":268435456,\"2\":268435456}}]}]}");
    moved = move(f, 0, 1, 0, 200 * MIB, 0);
    assert_false(moved.done);
    assert_int_equal(moved.moved_bytes, 200 * MIB);
    assert_int_equal(moved.offset, 200 * MIB);
    assert_lies(f, 0, 456 * MIB, 312 * MIB);
    moved = move(f, 0, 1, 0, 400 * MIB, moved.offset);
    assert_true(moved.done);
    assert_int_equal(moved.moved_bytes, 312 * MIB);
    assert_int_equal(moved.looked_bytes, 824 * MIB);
    assert_lies(f, 0, 768 * MIB, 0);
    /* From anywhere else. */
    moved = move(f, 0, -1, 0, 0, 0);
    assert_int_equal(moved.moved_bytes, 256 * MIB);
    assert_lies(f, 0, GIB, 0);
    moved = move(f, 0, -1, 0, UINT64_MAX, 0);
    assert_true(moved.done);
    assert_int_equal(moved.moved_bytes, 0);
}

static void
test_stuck(void **state)
{
    Fixture *f = *state;
    LpPagesMoved moved;

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"cells\":[{\"node\":1}]}]}");
    tell(f, "{\"move_busy_bytes\":104857600,\"move_shared_bytes\":52428800}");
    moved = move(f, 0, 1, 0, UINT64_MAX, 0);
    assert_true(moved.done);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_BUSY], 100 * MIB);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_SHARED], 50 * MIB);
    assert_int_equal(moved.moved_bytes, GIB - 150 * MIB);
    assert_lies(f, 0, GIB - 150 * MIB, 150 * MIB);
    tell(f, "{\"move_busy_bytes\":0,\"move_no_room_node\":0}");
    moved = move(f, 0, 1, 0, UINT64_MAX, 0);
    assert_int_equal(moved.moved_bytes, 0);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_SHARED], 50 * MIB);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_NO_ROOM], 100 * MIB);
    tell(f, "{\"move_shared_bytes\":0,\"move_no_room_node\":null}");
    assert_int_equal(move(f, 0, 1, 0, UINT64_MAX, 0).moved_bytes, 150 * MIB);
    assert_lies(f, 0, GIB, 0);
}

static void
test_nodes_end(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    LpPagesMoved moved;

    /* b holds a quarter of node 0; a finds room for half of what it boots with. */
    open_host(f, "{\"node_bytes\":{\"0\":1073741824,\"1\":4294967296},\"domains\":["
                 "{\"name\":\"b\",\"cells\":[{\"node\":0,\"base_bytes\":268435456}]},"
                 "{\"name\":\"a\",\"cells\":[{\"node\":0,\"base_bytes\":1610612736}]}]}");
    assert_lies(f, 0, 768 * MIB, 768 * MIB);
    moved = move(f, 0, 1, 0, UINT64_MAX, 0);
    assert_int_equal(moved.moved_bytes, 0);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_NO_ROOM], 768 * MIB);
    CHECK(lp_sim_tell(f->uri, "b", "{\"do\":\"stop\"}", &error));
    moved = move(f, 0, 1, 0, UINT64_MAX, 0);
    assert_int_equal(moved.moved_bytes, 256 * MIB);
    assert_int_equal(moved.stuck_bytes[LP_STUCK_NO_ROOM], 512 * MIB);
    assert_lies(f, 0, GIB, 512 * MIB);
}

static void
test_refused(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    LpMoveOrder order = { .part = 0, .from = 0, .to = 1, .max_bytes = GIB };
    LpPagesMoved moved;

    open_host(f, "{\"domains\":[{\"name\":\"a\"}]}");
    tell(f, "{\"move_error\":\"EPERM\"}");
    CHECK_FAILS(sim->move_pages(f->conn, f->uuid, &order, &moved, &error),
                LP_DRIVER_ERROR_UNSUPPORTED);
    assert_int_equal(moved.error, EPERM);
    tell(f, "{\"move_error\":\"ESRCH\"}");
    CHECK_FAILS(sim->move_pages(f->conn, f->uuid, &order, &moved, &error),
                LP_DRIVER_ERROR_NOT_RUNNING);
    tell(f, "{\"move_error\":\"\",\"no_locate\":true}");
    CHECK_FAILS(sim->move_pages(f->conn, f->uuid, &order, &moved, &error),
                LP_DRIVER_ERROR_UNSUPPORTED);
    CHECK_FAILS(sim->locate(f->conn, f->uuid, &f->topology, 0, &error) != NULL,
                LP_DRIVER_ERROR_UNSUPPORTED);
    tell(f, "{\"no_locate\":false,\"fail_next\":{\"call\":\"locate\",\"error\":\"unreachable\"}}");
    CHECK_FAILS(sim->locate(f->conn, f->uuid, &f->topology, 0, &error) != NULL,
                LP_DRIVER_ERROR_UNREACHABLE);
    order.part = 2;
    CHECK_FAILS(sim->move_pages(f->conn, f->uuid, &order, &moved, &error),
                LP_DRIVER_ERROR_INVALID);
    tell(f, "{\"do\":\"stop\"}");
    CHECK_FAILS(sim->locate(f->conn, f->uuid, &f->topology, 0, &error) != NULL,
                LP_DRIVER_ERROR_NOT_RUNNING);
    order.part = 0;
    CHECK_FAILS(sim->move_pages(f->conn, f->uuid, &order, &moved, &error),
                LP_DRIVER_ERROR_NOT_RUNNING);
}

static void
test_dies_in_the_middle(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    const LpMoveOrder order = { .part = 0, .from = 0, .to = 1, .max_bytes = 300 * MIB };
    g_autoptr(LpView) view = NULL;
    LpPagesMoved moved;

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"move_stop_bytes\":536870912}]}");
    assert_int_equal(move(f, 0, 0, 1, 300 * MIB, 0).moved_bytes, 300 * MIB);
    CHECK_FAILS(sim->move_pages(f->conn, f->uuid, &order, &moved, &error),
                LP_DRIVER_ERROR_NOT_RUNNING);
    assert_int_equal(moved.moved_bytes, 300 * MIB);
    view = sim->look(f->conn, f->uuid, &error);
    CHECK(view != NULL);
    assert_int_equal(view->run, LP_RUN_OFF);
    /* It starts again where its XML says. */
    CHECK(sim->start(f->conn, f->uuid, &error));
    assert_lies(f, 0, GIB, 0);
}

static void *
stop_it(void *data)
{
    Fixture *f = data;

    tell(f, "{\"do\":\"crash\"}");
    return NULL;
}

/* A move that would take an hour ends with the domain. */
static void
test_dies_while_it_waits(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    const LpMoveOrder order = { .part = 0, .from = 0, .to = 1, .max_bytes = GIB };
    LpPagesMoved moved;
    GThread *thread;

    open_host(f, "{\"delays\":{\"move_bytes_per_sec\":298261},\"domains\":[{\"name\":\"a\"}]}");
    thread = g_thread_new("stop", stop_it, f);
    CHECK_FAILS(sim->move_pages(f->conn, f->uuid, &order, &moved, &error),
                LP_DRIVER_ERROR_NOT_RUNNING);
    g_thread_join(thread);
}

static void
test_takes_its_time(void **state)
{
    Fixture *f = *state;
    int64_t start_usec;

    open_host(f, "{\"delays\":{\"move_bytes_per_sec\":1073741824},"
                 "\"domains\":[{\"name\":\"a\",\"cells\":[{\"node\":0}]}]}");
    start_usec = g_get_monotonic_time();
    assert_int_equal(move(f, 0, 0, 1, 64 * MIB, 0).moved_bytes, 64 * MIB);
    assert_true(g_get_monotonic_time() - start_usec >= 62500);
    /* Nothing to move takes none. */
    assert_int_equal(move(f, 0, 5, 1, G_MAXINT64, 0).moved_bytes, 0);
}

static void
test_pins(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(LpLocality) locality = NULL;
    g_autofree char *xml = NULL, *again = NULL;
    LpCpuMask masks[3] = { { { 0 } } };
    LpPins pins = { .n_vcpus = 3, .vcpus = masks };

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"vcpus\":3}]}");
    lp_cpumask_parse("4-7", &masks[0]);
    lp_cpumask_parse("2,6", &masks[2]);
    lp_cpumask_parse("0-7", &pins.emulator);
    CHECK(sim->set_pins(f->conn, f->uuid, &pins, &error));
    restart(f);
    locality = sim->locate(f->conn, f->uuid, &f->topology, 0, &error);
    CHECK(locality != NULL);
    assert_true(lp_cpumask_equal(&locality->vcpus[0].may, &masks[0]));
    assert_int_equal(locality->vcpus[0].cpu, 4);
    assert_int_equal(lp_cpumask_count(&locality->vcpus[1].may), 8);
    assert_int_equal(locality->vcpus[2].cpu, 2);
    xml = sim->get_xml(f->conn, f->uuid, false, &error);
    CHECK(xml != NULL);
    assert_non_null(strstr(xml, "<vcpupin vcpu=\"0\" cpuset=\"4-7\"/>"));
    assert_non_null(strstr(xml, "<emulatorpin cpuset=\"0-7\"/>"));
    assert_null(strstr(xml, "vcpu=\"1\" cpuset"));
    /* An empty mask leaves a pin as it is. */
    lp_cpumask_clear(&masks[0]);
    CHECK(sim->set_pins(f->conn, f->uuid, &pins, &error));
    again = sim->get_xml(f->conn, f->uuid, false, &error);
    assert_string_equal(xml, again);
    pins.n_vcpus = LP_MAX_CPUS;
    CHECK_FAILS(sim->set_pins(f->conn, f->uuid, &pins, &error), LP_DRIVER_ERROR_INVALID);
}

static void
test_as_a_whole(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL;
    const uint32_t there = 1, far[LP_MAX_NODES + 1] = { 0 };

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"numatune\":\"restrictive\"},"
                 "{\"name\":\"b\"}]}");
    assert_lies(f, 0, GIB, 0);
    CHECK(sim->set_nodeset(f->conn, f->uuid, &there, 1, &error));
    assert_lies(f, 0, 0, GIB);
    CHECK(sim->set_requested(f->conn, f->uuid, 0, GIB, &error));
    restart(f);
    assert_lies(f, 0, 0, 2 * GIB);
    xml = sim->get_xml(f->conn, f->uuid, false, &error);
    assert_non_null(strstr(xml, "<memory mode=\"restrictive\" nodeset=\"1\"/>"));
    CHECK_FAILS(sim->set_nodeset(f->conn, f->uuid, far, LP_MAX_NODES + 1, &error),
                LP_DRIVER_ERROR_INVALID);
    CHECK_FAILS(sim->set_nodeset(f->conn, f->uuid, &there, 0, &error), LP_DRIVER_ERROR_INVALID);
}

static void
test_not_as_a_whole(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    const uint32_t there = 1;

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"numatune\":\"strict\"}]}");
    CHECK_FAILS(sim->set_nodeset(f->conn, f->uuid, &there, 1, &error),
                LP_DRIVER_ERROR_UNSUPPORTED);
}

/* The guests outlive lpard, and their pages lie where they were. */
static void
test_restart(void **state)
{
    Fixture *f = *state;

    open_host(f, "{\"domains\":[{\"name\":\"a\",\"own\":{\"0\":1048576},\"cells\":[{\"node\":0,"
                 "\"lies\":{\"0\":268435456,\"1\":268435456}}]}]}");
    move(f, 0, 0, 1, 100 * MIB, 0);
    tell(f, "{\"move_busy_bytes\":4096,\"move_no_room_node\":3,\"move_error\":\"ENODEV\"}");
    restart(f);
    assert_lies(f, 0, 156 * MIB, 356 * MIB);
    assert_lies(f, 1, MIB, 0);
    tell(f, "{\"move_error\":\"\"}");
    assert_int_equal(move(f, 0, 1, 0, UINT64_MAX, 0).stuck_bytes[LP_STUCK_BUSY], 4096);
    assert_int_equal(move(f, 0, 0, 3, UINT64_MAX, 0).moved_bytes, 0);
}

static void
test_bad_files(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *json, *word;
    } bad[] = {
        { "{\"node_bytes\":[1]}", "node_bytes" },
        { "{\"node_bytes\":{\"x\":1}}", "node_bytes" },
        { "{\"node_bytes\":{\"1024\":1}}", "node_bytes" },
        { "{\"domains\":[{\"name\":\"a\",\"cells\":[{\"lies\":{\"0\":1073741825}}]}]}", "lies" },
        { "{\"domains\":[{\"name\":\"a\",\"cells\":[{\"lies\":{\"0\":-1}}]}]}", "lies" },
        { "{\"domains\":[{\"name\":\"a\",\"cells\":[{\"cpus\":\"x\"}]}]}", "cpus" },
        { "{\"domains\":[{\"name\":\"a\",\"own\":7}]}", "own" },
        { "{\"domains\":[{\"name\":\"a\",\"numatune\":\"near\"}]}", "numatune" },
        { "{\"domains\":[{\"name\":\"a\",\"move_error\":\"ENOENT\"}]}", "move_error" },
        { "{\"domains\":[{\"name\":\"a\",\"move_no_room_node\":\"0\"}]}", "move_no_room_node" },
        { "{\"domains\":[{\"name\":\"a\",\"move_no_room_node\":-1}]}", "move_no_room_node" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        assert_true(g_file_set_contents(f->file, bad[i].json, -1, NULL));
        assert_null(sim->open(f->uri, &error));
        assert_non_null(error);
        if (!strstr(error->message, bad[i].word))
            fail_msg("%s: %s", bad[i].json, error->message);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_on_its_nodes), TEST(test_put_down_wrongly), TEST(test_moves_in_pieces),
        TEST(test_stuck), TEST(test_nodes_end), TEST(test_refused), TEST(test_dies_in_the_middle),
        TEST(test_dies_while_it_waits), TEST(test_takes_its_time), TEST(test_pins),
        TEST(test_as_a_whole), TEST(test_not_as_a_whole), TEST(test_restart),
        TEST(test_bad_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
