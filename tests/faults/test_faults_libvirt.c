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

            if (!is_worth(site) || !case_is_tried(n++, PERCENT))
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

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow),     cmocka_unit_test(test_shrink),
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
