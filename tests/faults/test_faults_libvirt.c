/* Every call of every kind of operation, cut off before or after its effect, refused, or with its
 * domain gone at that moment: the operation ends done or says truly what became of it, nothing is
 * repeated unread, and no invariant breaks. */
#include "tests/faults/case.h"

/* Of some 1,400 cases, so many in a check; LPARD_FAULTS=all tries them all. */
#define PERCENT 8

typedef struct {
    const char *name;
    bool after, fails;
    LpDriverError error;
    const char *tell;             /* done to the domain, or to the host */
    bool host;
    bool undefine;
} Fault;

static const Fault faults[] = {
    {"the connection cut before it", false, true, LP_DRIVER_ERROR_UNREACHABLE, NULL, false, false},
    {"no answer, and not done", false, true, LP_DRIVER_ERROR_UNKNOWN, NULL, false, false},
    {"no answer, and done", true, true, LP_DRIVER_ERROR_UNKNOWN, NULL, false, false},
    {"refused", false, true, LP_DRIVER_ERROR_FAILED, NULL, false, false},
    {"not supported", false, true, LP_DRIVER_ERROR_UNSUPPORTED, NULL, false, false},
    {"the guest too slow", false, true, LP_DRIVER_ERROR_TIMEOUT, NULL, false, false},
    {"invalid", false, true, LP_DRIVER_ERROR_INVALID, NULL, false, false},
    {"libvirtd away before it", false, false, 0, "{\"do\":\"disconnect\"}", true, false},
    {"libvirtd away after it", true, true, LP_DRIVER_ERROR_UNKNOWN, "{\"do\":\"disconnect\"}", true,
     false},
    {"stopped before it", false, false, 0, "{\"do\":\"stop\"}", false, false},
    {"stopped after it", true, false, 0, "{\"do\":\"stop\"}", false, false},
    {"stopped after it, and no answer", true, true, LP_DRIVER_ERROR_UNKNOWN, "{\"do\":\"stop\"}",
     false, false},
    {"gone before it", false, false, 0, "{\"do\":\"stop\"}", false, true},
    {"gone after it", true, false, 0, "{\"do\":\"stop\"}", false, true},
};

static const Fault *fault_now;
static FaultySite site_now;

/* In the worker's thread, at the call. */
static void
strike(void *data)
{
    const Fault *fault = data;
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    g_autoptr(GPtrArray) views = lp_driver_sim.list(conn, NULL);
    const char *name = NULL;

    for (guint i = 0; views && i < views->len && !fault->host; i++) {
        const LpView *view = g_ptr_array_index(views, i);

        if (strcmp(view->uuid, site_now.uuid) == 0)
            name = view->name;
    }
    if (fault->undefine)
        (void) lp_driver_sim.undefine(conn, site_now.uuid, NULL);
    if (name || fault->host)
        (void) lp_sim_tell(world.uri, name, fault->tell, NULL);
    lp_driver_sim.close(conn);
}

static bool
has_ended(int64_t id)
{
    if (fault_now->host && faulty_struck() && !lp_registry_connected(world.registry))
        tell(NULL, "{\"do\":\"connect\"}");
    return is_over(id);
}

static void
try_one(const FaultCase *fault_case, const FaultySite *site, const Fault *fault)
{
    g_autofree char *text = NULL;
    g_autofree char *code = NULL;
    FaultyPlan plan = {.site = *site, .after = fault->after, .fails = fault->fails,
                       .error = fault->error, .act = fault->tell ? strike : NULL,
                       .data = (void *) (uintptr_t) fault};
    Asked asked;

    text = g_strdup_printf("%s: %s %u of %.8s: %s", fault_case->name, site->call, site->nth,
                           site->uuid, fault->name);
    fault_now = fault;
    site_now = *site;
    case_begin(fault_case);
    faulty_arm(&plan);
    code = try_submit(fault_case->request, &asked);
    if (code)
        fail_msg("%s: %s", text, code);
    UNTIL(asked.answered);
    if (g_getenv("LPARD_FAULTS_TALK"))
        print_message("# %s\n", text);
    UNTIL(has_ended(asked.id));
    if (fault->host) {
        tell(NULL, "{\"do\":\"connect\"}");
        /* What was told of it on the way. */
        while (g_main_context_iteration(NULL, FALSE))
            ;
    }
    UNTIL(lp_registry_synced(world.registry));
    case_judge(asked.id, text);
    case_mend(fault_case, text);
    case_end();
}

/* Looks after the first few are of one kind. */
static bool
is_worth(const FaultySite *site)
{
    return site->effect || site->nth <= 2;
}

static void
try_all(const char *name)
{
    const FaultCase *fault_case = case_find(name);
    g_autoptr(GArray) sites = NULL;
    unsigned n = 0, tried = 0;

    sites = case_sites(fault_case);
    for (guint s = 0; s < sites->len; s++)
        for (guint f = 0; f < G_N_ELEMENTS(faults); f++) {
            const FaultySite *site = &g_array_index(sites, FaultySite, s);

            if (!is_worth(site) || !case_is_tried(n++, fault_case->dimm ? 3 * PERCENT : PERCENT))
                continue;
            try_one(fault_case, site, &faults[f]);
            tried++;
        }
    print_message("# %s: %u of %u cases at %u calls\n", name, tried, n, sites->len);
    assert_int_equal(case_failures(), 0);
}

#define CASE(id, name) \
    static void \
    test_##id(void **state) \
    { \
        (void) state; \
        try_all(name); \
    }

CASE(grow, "grow")
CASE(shrink, "shrink")
CASE(fold, "fold")
CASE(atomic, "atomic")
CASE(move, "move")
CASE(capacity, "capacity")
CASE(dimm_add, "dimm-add")
CASE(dimm_remove, "dimm-remove")
CASE(balloon, "balloon")
CASE(limit, "limit")
CASE(qga_grow, "qga-grow")
CASE(qga_shrink, "qga-shrink")

/* ---- L3: what happened while libvirtd was away, is known when it is back ---- */

/* libvirtd's return means a full re-sync within this time. */
#define RESYNC_USEC (5 * G_USEC_PER_SEC)

static void
change_behind(LpConn *conn)
{
    g_autofree char *p0 = g_strdup(part("p0")->uuid), *p1 = g_strdup(part("p1")->uuid);
    g_autofree char *xml = lp_driver_sim.get_xml(conn, p1, true, NULL);
    g_auto(GStrv) parts = g_strsplit(xml, p1, 2), names = NULL;
    g_autofree char *other = g_strdup_printf("%sdeadbeef-0000-4000-8000-000000000001%s", parts[0],
                                             parts[1]);
    g_autofree char *named = NULL;

    names = g_strsplit(other, "<name>p1</name>", 2);
    named = g_strjoinv("<name>p2</name>", names);
    assert_true(lp_driver_sim.set_vcpu(conn, p0, 3, true, NULL));
    assert_true(lp_driver_sim.set_requested(conn, p0, 0, 1536 * MIB, NULL));
    assert_true(lp_driver_sim.undefine(conn, p1, NULL));
    tell("p1", "{\"do\":\"stop\"}");
    assert_true(lp_driver_sim.define(conn, named, NULL, NULL));
}

/* The connection is cut between two events, and what comes then is told to nobody. */
static void
test_return(void **state)
{
    (void) state;
    for (unsigned failing = 0; failing < 3; failing++) {
        LpConn *conn;
        int64_t back_usec, took_usec;

        case_begin(case_find("grow"));
        set_clock(1);
        conn = lp_driver_sim.open(world.uri, NULL);
        tell("p0", "{\"do\":\"pause\"}");
        tell(NULL, "{\"do\":\"disconnect\"}");
        UNTIL(!lp_registry_connected(world.registry));
        faulty_deafen(true);
        tell(NULL, "{\"do\":\"connect\"}");
        change_behind(conn);
        tell("p0", "{\"do\":\"resume\"}");
        faulty_deafen(false);
        assert_false(lp_registry_synced(world.registry));
        faulty_fail_lists(failing);
        tell(NULL, "{\"do\":\"connect\"}");
        back_usec = g_get_monotonic_time();
        UNTIL(case_is_known() && lp_registry_synced(world.registry));
        took_usec = g_get_monotonic_time() - back_usec;
        if (took_usec > RESYNC_USEC)
            fail_msg("it took %" PRId64 " ms", took_usec / 1000);
        assert_int_equal(part("p2")->view->run, LP_RUN_OFF);
        /* Events are heard again. */
        tell("p0", "{\"do\":\"pause\"}");
        UNTIL(part("p0")->view->run == LP_RUN_PAUSED);
        lp_driver_sim.close(conn);
        case_end();
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_return),   cmocka_unit_test(test_grow),     cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_fold),     cmocka_unit_test(test_atomic),
        cmocka_unit_test(test_move),     cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_dimm_add), cmocka_unit_test(test_dimm_remove),
        cmocka_unit_test(test_balloon),  cmocka_unit_test(test_limit),
        cmocka_unit_test(test_qga_grow), cmocka_unit_test(test_qga_shrink),
    };

    case_arguments(argc, argv);
    case_keep_in_memory();
    start_clock();
    return case_figures(cmocka_run_group_tests(tests, NULL, NULL));
}
