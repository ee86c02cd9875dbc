/* Guests and whoever else has a hand on them: at each call of growing and shrinking, and while the
 * guest is waited for, it crashes, resets, reboots, is paused, saved, migrated away or changed with
 * virsh; what it does not let go, or lets go too late. */
#include "tests/faults/case.h"

typedef struct {
    const char *name;
    const char *first, *then;     /* done to it at once, and when the operation is over; or NULL */
    void (*edit)(LpConn *conn, const LpView *view);
    const char *code;             /* of the operation, where that is known */
    bool keeps;                   /* it has afterwards what the operation came to */
} Deed;

/* ---- what virsh does ---- */

static void
virsh_setvcpus(LpConn *conn, const LpView *view)
{
    (void) lp_driver_sim.set_vcpu(conn, view->uuid, 3, !lp_cpumask_has(&view->plugged, 3), NULL);
}

static void
virsh_setmem(LpConn *conn, const LpView *view)
{
    (void) lp_driver_sim.set_balloon(conn, view->uuid, 256 * MIB, NULL);
}

static void
virsh_requested(LpConn *conn, const LpView *view)
{
    (void) lp_driver_sim.set_requested(conn, view->uuid, 0, 1280 * MIB, NULL);
}

static void
virsh_metadata(LpConn *conn, const LpView *view)
{
    (void) lp_driver_sim.set_metadata(conn, view->uuid, NULL, NULL);
}

static void
virsh_schedinfo(LpConn *conn, const LpView *view)
{
    LpCapacityLimits limits = {200, 50000, 100000};

    (void) lp_driver_sim.set_capacity(conn, view->uuid, &limits, NULL);
}

/* The definition as it was before lpard wrote into it. */
static void
virsh_define(LpConn *conn, const LpView *view)
{
    LpConfigChange change = {.vcpus = 3};

    (void) lp_driver_sim.set_config(conn, view->uuid, &change, NULL);
}

static const Deed deeds[] = {
    {"crashes", "{\"do\":\"crash\"}", "{\"do\":\"start\"}", NULL, NULL, false},
    {"crashes and is started", "{\"do\":\"crash\"}", NULL, NULL, NULL, false},
    {"resets", "{\"do\":\"reset\"}", NULL, NULL, NULL, true},
    {"is paused", "{\"do\":\"pause\"}", "{\"do\":\"resume\"}", NULL, NULL, true},
    {"is saved", "{\"do\":\"save\"}", "{\"do\":\"start\"}", NULL, NULL, false},
    {"is migrated away", "{\"do\":\"migrate\"}", NULL, NULL, "migrated", true},
    {"begins to be migrated", "{\"do\":\"migrate-begin\"}", "{\"do\":\"resume\"}", NULL, NULL, false},
    {"is given a vCPU", NULL, NULL, virsh_setvcpus, NULL, false},
    {"is ballooned", NULL, NULL, virsh_setmem, NULL, false},
    {"is asked for other memory", NULL, NULL, virsh_requested, NULL, false},
    {"loses its profile", NULL, NULL, virsh_metadata, NULL, false},
    {"is held to another quota", NULL, NULL, virsh_schedinfo, NULL, false},
    {"is defined anew", NULL, NULL, virsh_define, NULL, false},
};

static FaultySite site_now;

/* In the worker's thread, at the call. */
static void
strike(void *data)
{
    const Deed *deed = data;
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    g_autoptr(LpView) view = lp_driver_sim.look(conn, site_now.uuid, NULL);

    if (view && deed->first)
        (void) lp_sim_tell(world.uri, view->name, deed->first, NULL);
    if (view && strstr(deed->name, "is started"))
        (void) lp_sim_tell(world.uri, view->name, "{\"do\":\"start\"}", NULL);
    if (view && deed->edit)
        deed->edit(conn, view);
    lp_driver_sim.close(conn);
}

static const char *
name_of(const char *uuid)
{
    const LpPartition *partition = lp_registry_by_uuid(world.registry, uuid);

    return partition ? partition->view->name : NULL;
}

/* The one thing is done again after the operation, the other was undone by somebody. */
static void
finish_deed(const Deed *deed)
{
    const char *name = name_of(site_now.uuid);

    if (deed->then && name)
        (void) lp_sim_tell(world.uri, name, deed->then, NULL);
    if (deed->edit == virsh_metadata && name) {
        LpConn *conn = lp_driver_sim.open(world.uri, NULL);
        g_autofree char *xml = profile_text(100, 1, 2, 4);

        (void) lp_driver_sim.set_metadata(conn, site_now.uuid, xml, NULL);
        lp_driver_sim.close(conn);
    }
    if (deed->edit == virsh_setmem && name) {
        LpConn *conn = lp_driver_sim.open(world.uri, NULL);

        (void) lp_driver_sim.set_balloon(conn, site_now.uuid, 0, NULL);
        lp_driver_sim.close(conn);
    }
}

static void
judge(const Deed *deed, int64_t id, bool in_time, const char *text)
{
    const LpOperation *operation = lp_engine_find(world.engine, id);

    if (!deed->keeps)
        case_judge_disturbed(id, site_now.uuid, text);
    if (deed->code && in_time
        && (operation->state == LP_OP_DONE || g_strcmp0(operation->code, deed->code) != 0))
        case_fail(text, operation, "it is not said what became of it");
    finish_deed(deed);
    if (deed->keeps)
        case_judge(id, text);
}

static void
try_one(const FaultCase *fault_case, const FaultySite *site, const Deed *deed, bool after)
{
    g_autofree char *text = NULL;
    FaultyPlan plan = {.site = *site, .after = after, .act = strike,
                       .data = (void *) (uintptr_t) deed};
    int64_t id;

    text = g_strdup_printf("%s: %s %s %u of %.8s it %s", fault_case->name,
                           after ? "after" : "before", site->call, site->nth, site->uuid,
                           deed->name);
    if (g_getenv("LPARD_FAULTS_TALK"))
        print_message("# %s\n", text);
    site_now = *site;
    case_begin(fault_case);
    faulty_arm(&plan);
    id = submit(fault_case->request);
    UNTIL(is_over(id));
    judge(deed, id, site->effect && faulty_struck(), text);
    case_mend(fault_case, text);
    case_end();
}

static void
try_all(const char *name, unsigned percent)
{
    const FaultCase *fault_case = case_find(name);
    g_autoptr(GArray) sites = case_sites(fault_case);
    unsigned n = 0, tried = 0;

    for (guint s = 0; s < sites->len; s++)
        for (guint d = 0; d < 2 * G_N_ELEMENTS(deeds); d++) {
            const FaultySite *site = &g_array_index(sites, FaultySite, s);

            if ((!site->effect && site->nth > 2) || !case_is_tried(n++, percent))
                continue;
            try_one(fault_case, site, &deeds[d / 2], d % 2);
            tried++;
        }
    print_message("# %s: %u of %u cases at %u calls\n", name, tried, n, sites->len);
    assert_int_equal(case_failures(), 0);
}

static void
test_grow(void **state)
{
    (void) state;
    try_all("grow", 8);
}

static void
test_shrink(void **state)
{
    (void) state;
    try_all("shrink", 8);
}

static void
test_move(void **state)
{
    (void) state;
    try_all("move", 4);
}

/* While the guest is waited for: it moves no more, and then one of them happens. */
static void
test_waiting(void **state)
{
    const FaultCase *fault_case = case_find("atomic");

    (void) state;
    for (guint d = 0; d < G_N_ELEMENTS(deeds); d++) {
        const Deed *deed = &deeds[d];
        g_autofree char *text = g_strdup_printf("waited for, it %s", deed->name);
        int64_t id;

        if (g_getenv("LPARD_FAULTS_TALK"))
            print_message("# %s\n", text);
        case_begin(fault_case);
        g_strlcpy(site_now.uuid, part("p0")->uuid, sizeof site_now.uuid);
        id = submit(SET_P0 MEM("set", 1073741824) ",\"timeout_sec\":10}");
        UNTIL(part("p0")->view->cells[0].current_bytes == 512 * MIB);
        strike((void *) (uintptr_t) deed);
        UNTIL(is_over(id));
        judge(deed, id, true, text);
        case_mend(fault_case, text);
        case_end();
    }
    assert_int_equal(case_failures(), 0);
}

/* Nobody asks lpard for anything: what is, is known, and stays as somebody else made it. */
static void
test_idle(void **state)
{
    (void) state;
    for (guint d = 0; d < G_N_ELEMENTS(deeds); d++) {
        const Deed *deed = &deeds[d];
        g_autofree char *text = g_strdup_printf("idle, it %s", deed->name);
        unsigned before;

        case_begin(case_find("grow"));
        g_strlcpy(site_now.uuid, part("p0")->uuid, sizeof site_now.uuid);
        before = case_effects();
        strike((void *) (uintptr_t) deed);
        case_judge_disturbed(0, site_now.uuid, text);
        if (case_effects() != before)
            case_fail(text, NULL, "what somebody else did was undone");
        finish_deed(deed);
        case_mend(case_find("grow"), text);
        case_end();
    }
    assert_int_equal(case_failures(), 0);
}

/* A DIMM that leaves when its operation was given up long ago: it is counted out, and nothing else moves. */
static void
test_late_dimm(void **state)
{
    const FaultCase *fault_case = case_find("dimm-remove");
    const LpOperation *operation;
    g_autofree char *uuid = NULL;

    (void) state;
    case_begin_with(fault_case, "\"cgroup\": \"v2\", \"delays\": {\"size_event_usec\": 1000, "
                                "\"detach_usec\": 100000000}");
    uuid = g_strdup(part("p0")->uuid);
    operation = run(SET_P0 MEM("set", 2147483648) ",\"via\":\"dimm\",\"timeout_sec\":10}");
    if (operation->state == LP_OP_DONE)
        case_fail("late DIMM", operation, "it had not left");
    assert_non_null(operation->message);
    assert_int_equal(leg_of(operation, 0)->mem_now_bytes, 2560 * MIB);
    UNTIL(part("p0")->view->n_dimms == 0);
    assert_int_equal(lp_partition_granted_bytes(part("p0")), 2 * GIB);
    case_judge_disturbed(0, uuid, "late DIMM");
    case_mend(fault_case, "late DIMM");
    case_end();
    assert_int_equal(case_failures(), 0);
}

static void
test_refused_dimm(void **state)
{
    const FaultCase *fault_case = case_find("dimm-remove");
    const LpOperation *operation;

    (void) state;
    case_begin(fault_case);
    tell("p0", "{\"refuse_unplug\":true}");
    operation = run(fault_case->request);
    if (operation->state == LP_OP_DONE || !operation->message)
        case_fail("refused DIMM", operation, "it is not said");
    case_judge(operation->id, "refused DIMM");
    tell("p0", "{\"refuse_unplug\":false}");
    case_mend(fault_case, "refused DIMM");
    case_end();
    assert_int_equal(case_failures(), 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),      cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_grow),      cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_move),      cmocka_unit_test(test_late_dimm),
        cmocka_unit_test(test_refused_dimm),
    };

    case_arguments(argc, argv);
    case_keep_in_memory();
    start_clock();
    return case_figures(cmocka_run_group_tests(tests, NULL, NULL));
}
