/* The libvirt driver on libvirt's own mock, which lives in this process: no daemon is needed.
 *
 * The mock has no memory devices, no processes and no cgroups; those are tried on real guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "hotplug/domxml.h"

#define URI "test:///default"
#define DOMAIN_UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"    /* the mock's own domain */
#define EVENT_DEADLINE_MSEC 5000

static const LpDriver *const driver = &lp_driver_libvirt;

static const char profile[] =
    "<lpard:partition xmlns:lpard=\"https://lpard.org/xmlns/partition/1\" version=\"1\"/>";

static const char other_xml[] =
    "<domain type='test'><name>trial</name><memory unit='MiB'>64</memory>"
    "<vcpu current='1'>4</vcpu><os><type>hvm</type></os></domain>";

static int
open_conn(void **state)
{
    GError *error = NULL;

    *state = driver->open(URI, &error);
    if (!*state)
        fail_msg("%s", error->message);
    return 0;
}

static int
close_conn(void **state)
{
    driver->close(*state);
    return 0;
}

static LpView *
look(LpConn *conn, const char *uuid)
{
    GError *error = NULL;
    LpView *view = driver->look(conn, uuid, &error);

    if (!view)
        fail_msg("%s", error->message);
    return view;
}

static void
assert_error(bool ok, GError **error, int code)
{
    assert_false(ok);
    assert_non_null(*error);
    assert_int_equal((*error)->domain, LP_DRIVER_ERROR);
    assert_int_equal((*error)->code, code);
    g_clear_error(error);
}

static void
test_driver_for(void **state)
{
    (void)state;
    assert_string_equal(lp_driver_for(URI)->name, driver->name);
    assert_string_equal(lp_driver_for("qemu:///system")->name, driver->name);
    assert_string_equal(lp_driver_for("sim:/tmp/x")->name, lp_driver_sim.name);
}

static void
test_open_fails(void **state)
{
    GError *error = NULL;

    (void)state;
    assert_error(driver->open("nosuchdriver:///x", &error), &error,
                 LP_DRIVER_ERROR_UNREACHABLE);
    assert_error(driver->open("qemu+unix:///system?socket=/nonexistent", &error), &error,
                 LP_DRIVER_ERROR_UNREACHABLE);
    assert_error(driver->open("nonsense", &error), &error, LP_DRIVER_ERROR_UNREACHABLE);
}

static void
test_describe(void **state)
{
    g_autofree char *text = driver->describe(*state, NULL);

    assert_true(g_str_has_prefix(text, "TEST "));
    assert_non_null(strstr(text, "libvirt "));
}

static void
test_list_and_look(void **state)
{
    g_autoptr(GPtrArray) views = driver->list(*state, NULL);
    g_autoptr(LpView) view = look(*state, DOMAIN_UUID);
    GError *error = NULL;
    bool found = false;

    for (guint i = 0; i < views->len; i++)
        found = found || strcmp(((LpView *)views->pdata[i])->uuid, DOMAIN_UUID) == 0;
    assert_true(found);
    assert_string_equal(view->name, "test");
    assert_int_equal(view->run, LP_RUN_RUNNING);
    assert_int_equal(view->accel, LP_ACCEL_TEST);
    assert_int_equal(view->cgroup, LP_CGROUP_NONE);
    assert_true(view->persistent);
    assert_int_equal(view->pid, 0);
    assert_true(view->run_id[0] != '\0');
    assert_true(view->base_bytes > 0);
    assert_error(driver->look(*state, "00000000-0000-0000-0000-000000000001", &error), &error,
                 LP_DRIVER_ERROR_NO_DOMAIN);
    assert_error(driver->look(*state, "no uuid", &error), &error, LP_DRIVER_ERROR_INVALID);
}

static void
test_life_of_a_domain(void **state)
{
    g_autofree char *uuid = NULL, *xml = NULL;
    g_autoptr(LpView) off = NULL, on = NULL, more = NULL;
    LpConfigChange change = { .vcpus = 3, .metadata = profile };
    GError *error = NULL;

    assert_true(driver->define(*state, other_xml, &uuid, &error));
    off = look(*state, uuid);
    assert_int_equal(off->run, LP_RUN_OFF);
    assert_string_equal(off->run_id, "");
    assert_int_equal(lp_cpumask_count(&off->plugged_config), 1);
    assert_error(driver->set_vcpu(*state, uuid, 1, true, &error), &error,
                 LP_DRIVER_ERROR_NOT_RUNNING);
    assert_error(driver->set_balloon(*state, uuid, 0, &error), &error,
                 LP_DRIVER_ERROR_NOT_RUNNING);

    assert_true(driver->start(*state, uuid, &error));
    assert_true(driver->start(*state, uuid, &error));
    assert_true(driver->set_vcpu(*state, uuid, 1, true, &error));
    assert_true(driver->set_vcpu(*state, uuid, 1, true, &error));
    on = look(*state, uuid);
    assert_int_equal(on->run, LP_RUN_RUNNING);
    assert_true(lp_cpumask_has(&on->plugged, 1));
    assert_int_equal(lp_cpumask_count(&on->plugged), 2);
    assert_int_equal(lp_cpumask_count(&on->plugged_config), 1);
    assert_true(driver->set_vcpu(*state, uuid, 1, false, &error));
    assert_true(driver->set_vcpu(*state, uuid, 1, false, &error));
    assert_error(driver->set_vcpu(*state, uuid, 4, true, &error), &error,
                 LP_DRIVER_ERROR_INVALID);
    /* The mock counts vCPUs, so none but the next can come. */
    assert_error(driver->set_vcpu(*state, uuid, 3, true, &error), &error,
                 LP_DRIVER_ERROR_UNSUPPORTED);

    assert_true(driver->set_config(*state, uuid, &change, &error));
    more = look(*state, uuid);
    assert_int_equal(lp_cpumask_count(&more->plugged), 1);
    assert_int_equal(lp_cpumask_count(&more->plugged_config), 3);
    assert_null(more->metadata);
    assert_string_equal(more->metadata_config, profile);
    xml = driver->get_xml(*state, uuid, true, &error);
    assert_non_null(strstr(xml, "current='3'"));
}

static void
test_metadata(void **state)
{
    g_autoptr(LpView) with = NULL, without = NULL, bare = NULL;
    GError *error = NULL;

    assert_true(driver->set_metadata(*state, DOMAIN_UUID, profile, &error));
    with = look(*state, DOMAIN_UUID);
    assert_string_equal(with->metadata, profile);
    assert_true(driver->set_metadata(*state, DOMAIN_UUID, "<partition version='2'/>", &error));
    bare = look(*state, DOMAIN_UUID);
    assert_non_null(strstr(bare->metadata, "<lpard:partition xmlns:lpard="));
    assert_non_null(strstr(bare->metadata, "version=\"2\""));
    assert_true(driver->set_metadata(*state, DOMAIN_UUID, NULL, &error));
    assert_true(driver->set_metadata(*state, DOMAIN_UUID, NULL, &error));
    without = look(*state, DOMAIN_UUID);
    assert_null(without->metadata);
    assert_error(driver->set_metadata(*state, DOMAIN_UUID, "<partition>", &error), &error,
                 LP_DRIVER_ERROR_INVALID);
}

static void
test_what_the_mock_cannot(void **state)
{
    LpCapacityLimits limits = { .shares = 10, .global_quota_usec = -1 };
    LpConfigChange change = { .vcpus = 4000 };
    GError *error = NULL;

    assert_error(driver->set_requested(*state, DOMAIN_UUID, 0, 0, &error), &error,
                 LP_DRIVER_ERROR_UNSUPPORTED);
    assert_error(driver->set_capacity(*state, DOMAIN_UUID, &limits, &error), &error,
                 LP_DRIVER_ERROR_UNSUPPORTED);
    assert_error(driver->attach_dimm(*state, DOMAIN_UUID, 0, 1, &error), &error,
                 LP_DRIVER_ERROR_INVALID);
    assert_error(driver->set_config(*state, DOMAIN_UUID, &change, &error), &error,
                 LP_DRIVER_ERROR_INVALID);
    assert_error(driver->define(*state, "<domain", NULL, &error), &error,
                 LP_DRIVER_ERROR_INVALID);
    /* One that is gone is gone. */
    assert_true(driver->detach_dimm(*state, DOMAIN_UUID, "dimm0", &error));
}

static void
test_memory_stats(void **state)
{
    LpMemoryStats stats;
    GError *error = NULL;

    assert_true(driver->memory_stats(*state, DOMAIN_UUID, &stats, &error));
    assert_int_equal(stats.actual_bytes, UINT64_C(2) << 30);
    assert_int_equal(stats.total_bytes, UINT64_C(2) << 30);
    assert_int_equal(stats.usable_bytes, UINT64_C(1) << 30);
    assert_true(stats.unused_bytes <= stats.total_bytes);
    assert_true(stats.last_update_sec > 0);
    assert_true(driver->set_stats_period(*state, DOMAIN_UUID, 5, &error));
    assert_true(driver->set_stats_period(*state, DOMAIN_UUID, 0, &error));
    assert_error(driver->memory_stats(*state, "00000000-0000-0000-0000-000000000001", &stats,
                                      &error), &error, LP_DRIVER_ERROR_NO_DOMAIN);
    assert_error(driver->set_stats_period(*state, "00000000-0000-0000-0000-000000000001", 5,
                                          &error), &error, LP_DRIVER_ERROR_NO_DOMAIN);
}

/* --- the channel --- */

/* A domain without a process has no place on any node. */
static void
test_locality(void **state)
{
    LpTopology topology = { .n_nodes = 1 };
    LpMoveOrder order = { .from = -1 };
    LpCpuMask cpus[1] = { 0 };
    LpPins pins = { .n_vcpus = 1, .vcpus = cpus };
    uint32_t node = 0;
    LpPagesMoved moved;
    GError *error = NULL;

    assert_null(driver->locate(*state, DOMAIN_UUID, &topology, 16, &error));
    assert_error(false, &error, LP_DRIVER_ERROR_UNSUPPORTED);
    assert_error(driver->move_pages(*state, DOMAIN_UUID, &order, &moved, &error), &error,
                 LP_DRIVER_ERROR_UNSUPPORTED);
    assert_int_equal(moved.moved_bytes, 0);
    lp_cpumask_add(&cpus[0], 0);
    assert_error(driver->set_pins(*state, DOMAIN_UUID, &pins, &error), &error,
                 LP_DRIVER_ERROR_UNSUPPORTED);
    assert_error(driver->set_nodeset(*state, DOMAIN_UUID, &node, 1, &error), &error,
                 LP_DRIVER_ERROR_UNSUPPORTED);
    assert_null(driver->locate(*state, "6695eb01-f6a4-8304-79aa-97f2502e1930", &topology, 16, &error));
    assert_error(false, &error, LP_DRIVER_ERROR_NO_DOMAIN);
}

static void
test_channel(void **state)
{
    g_autofree char *dir = g_dir_make_tmp("lpard-test-XXXXXX", NULL);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    LpView view = { .run = LP_RUN_RUNNING };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), ours, theirs;
    char byte = 'x';
    GError *error = NULL;

    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", dir);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(driver->open_channel(URI, &view, &error), -1);
    assert_error(false, &error, LP_DRIVER_ERROR_UNSUPPORTED);
    view.has_channel = true;
    assert_int_equal(driver->open_channel(URI, &view, &error), -1);
    assert_error(false, &error, LP_DRIVER_ERROR_UNSUPPORTED);
    view.channel_path = address.sun_path;
    assert_int_equal(driver->open_channel(URI, &view, &error), -1);    /* nobody listens */
    assert_error(false, &error, LP_DRIVER_ERROR_FAILED);

    assert_int_equal(listen(listener, 1), 0);
    ours = driver->open_channel(URI, &view, &error);
    assert_true(ours >= 0);
    theirs = accept(listener, NULL, NULL);
    assert_int_equal(read(ours, &byte, 1), -1);    /* and does not block */
    assert_int_equal(write(theirs, "y", 1), 1);
    assert_int_equal(read(ours, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(ours);
    close(theirs);
    close(listener);
    view.run = LP_RUN_OFF;
    assert_int_equal(driver->open_channel(URI, &view, &error), -1);
    assert_error(false, &error, LP_DRIVER_ERROR_NOT_RUNNING);
    g_unlink(address.sun_path);
    g_rmdir(dir);
}

/* --- events --- */

typedef struct {
    GMainLoop *loop;
    LpEventKind wanted;
    const char *uuid;
    bool seen;
    unsigned n_events;
} Ear;

static void
on_event(const LpEvent *event, void *data)
{
    Ear *ear = data;

    ear->n_events++;
    if (event->kind == ear->wanted && g_strcmp0(event->uuid, ear->uuid) == 0) {
        ear->seen = true;
        g_main_loop_quit(ear->loop);
    }
}

static gboolean
on_deadline(void *data)
{
    Ear *ear = data;

    g_main_loop_quit(ear->loop);
    return G_SOURCE_CONTINUE;
}

static void
expect(Ear *ear, LpEventKind kind, const char *uuid)
{
    guint timer = g_timeout_add(EVENT_DEADLINE_MSEC, on_deadline, ear);

    ear->wanted = kind;
    ear->uuid = uuid;
    ear->seen = false;
    g_main_loop_run(ear->loop);
    g_source_remove(timer);
    assert_true(ear->seen);
}

static void
test_watch(void **state)
{
    Ear ear = { .loop = g_main_loop_new(NULL, FALSE) };
    GError *error = NULL;
    LpWatch *watch = driver->watch(URI, on_event, &ear, &error);
    g_autofree char *uuid = NULL;
    unsigned n_events;

    expect(&ear, LP_EVENT_CONNECTED, NULL);
    assert_int_equal(ear.n_events, 1);
    assert_true(driver->define(*state, "<domain type='test'><name>watched</name>"
                               "<memory>1024</memory><os><type>hvm</type></os></domain>",
                               &uuid, &error));
    expect(&ear, LP_EVENT_DOMAIN_CHANGED, uuid);
    assert_true(driver->set_metadata(*state, uuid, profile, &error));
    expect(&ear, LP_EVENT_DOMAIN_CHANGED, uuid);
    assert_true(driver->undefine(*state, uuid, &error));
    expect(&ear, LP_EVENT_DOMAIN_GONE, uuid);
    driver->unwatch(watch);
    n_events = ear.n_events;
    assert_true(driver->set_metadata(*state, DOMAIN_UUID, NULL, &error));
    for (int i = 0; i < 100; i++)
        g_main_context_iteration(NULL, FALSE);
    assert_int_equal(ear.n_events, n_events);
    g_main_loop_unref(ear.loop);
}

/* No daemon: said once, and tried again for as long as it takes. */
static void
test_watch_without_daemon(void **state)
{
    Ear ear = { .loop = g_main_loop_new(NULL, FALSE) };
    LpWatch *watch = driver->watch("qemu+unix:///system?socket=/nonexistent", on_event, &ear,
                                   NULL);

    (void)state;
    expect(&ear, LP_EVENT_DISCONNECTED, NULL);
    ear.wanted = LP_EVENT_CONNECTED;
    for (int i = 0; i < 100; i++)
        g_main_context_iteration(NULL, FALSE);
    assert_int_equal(ear.n_events, 1);
    driver->unwatch(watch);
    g_main_loop_unref(ear.loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_driver_for),
        cmocka_unit_test(test_open_fails),
        cmocka_unit_test_setup_teardown(test_describe, open_conn, close_conn),
        cmocka_unit_test_setup_teardown(test_list_and_look, open_conn, close_conn),
        cmocka_unit_test_setup_teardown(test_life_of_a_domain, open_conn, close_conn),
        cmocka_unit_test_setup_teardown(test_metadata, open_conn, close_conn),
        cmocka_unit_test_setup_teardown(test_what_the_mock_cannot, open_conn, close_conn),
        cmocka_unit_test_setup_teardown(test_memory_stats, open_conn, close_conn),
        cmocka_unit_test_setup_teardown(test_locality, open_conn, close_conn),
        cmocka_unit_test(test_channel),
        cmocka_unit_test_setup_teardown(test_watch, open_conn, close_conn),
        cmocka_unit_test(test_watch_without_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
