#include "tests/faults/case.h"

#include "hotplug/domxml.h"
#include "lpard/profile-xml.h"

#define P0_BACK SET_P0 CPU("set", 2) "," MEM("set", 2147483648) ",\"timeout_sec\":3600}"
#define QGA "\"agent\": false, \"qga\": true"

const FaultCase fault_cases[] = {
    {"grow", "", NULL, SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}", P0_BACK, false, false},
    {"shrink", "", NULL, SET_P0 CPU("set", 1) "," MEM("set", 1073741824) "}", P0_BACK, false,
     false},
    {"fold", "\"accel\": \"tcg\"", NULL, SET_P0 CPU("set", 1) "}", P0_BACK, false, false},
    {"atomic", "\"unmovable_bytes\": 536870912", NULL,
     SET_P0 CPU("set", 4) "," MEM("set", 1073741824) ",\"atomic\":true}", P0_BACK, false, false},
    {"move", "", NULL,
     "{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\"," CPU("set", 1) ","
     MEM("set", 536870912) "}", P0_BACK, false, false},
    {"capacity", "", NULL,
     "{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":150,\"capped\":true}", P0_BACK,
     false, false},
    {"dimm-add", "", NULL, SET_P0 MEM("set", 2684354560) ",\"via\":\"dimm\"}", P0_BACK, true,
     false},
    {"dimm-remove", "", SET_P0 MEM("set", 2684354560) ",\"via\":\"dimm\"}",
     SET_P0 MEM("set", 2147483648) ",\"via\":\"dimm\"}", P0_BACK, true, false},
    {"balloon", "", NULL, SET_P0 MEM("set", 1610612736) ",\"via\":\"balloon\"}", P0_BACK, false,
     false},
    {"limit", "", NULL, SET_P0 MEM("set", 3221225472) "}", P0_BACK, false, true},
    {"qga-grow", QGA, NULL, SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}", P0_BACK, false,
     false},
    {"qga-shrink", QGA, NULL, SET_P0 CPU("set", 1) "," MEM("set", 1073741824) "}", P0_BACK, false,
     false},
    {NULL, NULL, NULL, NULL, NULL, false, false},
};

static LpOracle *oracle;

/* ---- the host ---- */

/* Domains as lpard makes them have no room for DIMMs beside the device; these have. */
static void
widen(void)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    g_autoptr(GPtrArray) views = lp_driver_sim.list(conn, NULL);

    for (guint i = 0; i < views->len; i++) {
        const LpView *view = g_ptr_array_index(views, i);
        g_autofree char *xml = lp_driver_sim.get_xml(conn, view->uuid, true, NULL);
        char *end = strstr(xml, "</maxMemory>"), *start = end;
        g_autofree char *wide = NULL;

        assert_non_null(end);
        while (start[-1] != '>')
            start--;
        *start = '\0';
        wide = g_strdup_printf("%s%" PRIu64 "%s", xml, (uint64_t) (8 * GIB / 1024), end);
        tell(view->name, "{\"do\":\"stop\"}");
        assert_true(lp_driver_sim.define(conn, wide, NULL, NULL));
        tell(view->name, "{\"do\":\"start\"}");
    }
    lp_driver_sim.close(conn);
}

static void
enforce(void)
{
    lp_registry_enforce_hard(world.registry);
}

static bool
is_quiet(void)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (lp_engine_lane_depth(world.engine, partition->uuid) || partition->stuck
            || lp_view_granted_bytes(partition->view) != lp_view_requested_bytes(partition->view))
            return false;
    }
    return lp_workers_abandoned(world.workers) == 0;
}

const FaultCase *
case_find(const char *name)
{
    const FaultCase *fault_case = fault_cases;

    while (strcmp(fault_case->name, name) != 0)
        fault_case++;
    return fault_case;
}

void
case_keep_in_memory(void)
{
    if (!g_getenv("TMPDIR") && g_file_test("/dev/shm", G_FILE_TEST_IS_DIR))
        g_setenv("TMPDIR", "/dev/shm", TRUE);
}

void
case_begin(const FaultCase *fault_case)
{
    case_begin_with(fault_case, AT_ONCE);
}

void
case_begin_with(const FaultCase *fault_case, const char *manners)
{
    g_autofree char *path = NULL;
    LpOracleHost host = {.overhead_bytes = OVERHEAD_BYTES, .reserve_centi = 10};

    set_clock(FAST);
    boot_hook = fault_case->dimm ? widen : fault_case->hard ? enforce : NULL;
    start_world(2, 64 * GIB, manners, fault_case->extra);
    if (!strstr(fault_case->extra, "\"agent\": false"))
        UNTIL(all_connected());
    else
        UNTIL(part("p0")->view->qga_connected && part("p1")->view->qga_connected);
    if (fault_case->first)
        EXPECT(run(fault_case->first), LP_OP_DONE);
    UNTIL(is_quiet());
    host.topology = &world.host->topology;
    path = g_build_filename(world.dir, "journal.db", NULL);
    oracle = lp_oracle_new(&host, path);
    /* A vCPU that leaves late is taken off the record as a definition is. */
    lp_oracle_expect_definition(oracle, true);
    faulty_begin(oracle);
}

void
case_end(void)
{
    void *state = NULL;

    faulty_end();
    g_clear_pointer(&oracle, lp_oracle_free);
    tear_down(&state);
}

GArray *
case_sites(const FaultCase *fault_case)
{
    GArray *sites;

    case_begin(fault_case);
    finish(submit(fault_case->request));
    UNTIL(is_quiet());
    sites = faulty_sites();
    case_judge(0, fault_case->name);
    case_end();
    return sites;
}

static bool wants_figures;
static unsigned n_tried, n_failures, n_failures_ever;

void
case_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0)
            g_setenv("LPARD_FAULTS", "all", TRUE);
        else if (strcmp(argv[i], "--json") == 0)
            wants_figures = true;
    }
}

int
case_figures(int status)
{
    if (wants_figures)
        printf("{\"faults\": %u, \"lost\": %u}\n", n_tried, n_failures_ever);
    return status;
}

bool
case_is_tried(unsigned number, unsigned percent)
{
    bool tried = g_strcmp0(g_getenv("LPARD_FAULTS"), "all") == 0
                 || number * 2654435761u % 100 < percent;

    n_tried += tried;
    return tried;
}

/* ---- the judgement ---- */

static void
show(const LpOperation *operation)
{
    json_t *json = operation ? lp_operation_to_json(operation) : json_null();

    json_dumpf(json, stderr, JSON_INDENT(1));
    json_decref(json);
}

unsigned
case_failures(void)
{
    unsigned n = n_failures;

    n_failures = 0;
    return n;
}

void
case_fail(const char *text, const LpOperation *operation, const char *what)
{
    n_failures++;
    n_failures_ever++;
    print_message("# FAILED %s: %s\n", text, what);
    if (n_failures == 1)
        show(operation);
}

static void
check_oracle(const char *text, const LpOperation *operation)
{
    GPtrArray *broken = lp_oracle_broken(oracle);

    for (guint i = 0; i < broken->len; i++)
        case_fail(text, operation, g_ptr_array_index(broken, i));
    g_ptr_array_set_size(broken, 0);
}

static void
check_promises(const char *text, const LpOperation *operation)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (partition->promised_bytes || partition->promised_centi)
            case_fail(text, operation, "something is still promised");
    }
}

bool
case_is_known(void)
{
    g_autoptr(GPtrArray) truth = faulty_truth(world.uri), list = lp_registry_list(world.registry);

    if (truth->len != list->len)
        return false;
    for (guint i = 0; i < truth->len; i++) {
        const LpView *view = g_ptr_array_index(truth, i);
        const LpPartition *known = lp_registry_by_uuid(world.registry, view->uuid);

        if (!known || known->view->run != view->run
            || !lp_cpumask_equal(&known->view->plugged, &view->plugged)
            || known->view->n_dimms != view->n_dimms
            || known->view->balloon_bytes != view->balloon_bytes
            || lp_view_requested_bytes(known->view) != lp_view_requested_bytes(view)
            || g_strcmp0(known->view->metadata, view->metadata) != 0)
            return false;
    }
    return true;
}

/* A late removal may still have the lane. */
static bool
is_free(void)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);

    for (guint i = 0; i < list->len; i++)
        if (lp_engine_lane_depth(world.engine, ((LpPartition *) g_ptr_array_index(list, i))->uuid))
            return false;
    return true;
}

static void
on_disk(const GError *error, void *data)
{
    assert_null(error);
    *(bool *) data = true;
}

/* `done` is told before it is on disk; whatever was written before this is, too. */
static void
flush_journal(void)
{
    bool flushed = false;

    lp_journal_put_saved_xml(world.journal, "nobody", "<none/>", on_disk, &flushed);
    UNTIL(flushed);
}

void
case_judge(int64_t id, const char *text)
{
    const LpOperation *operation = id ? finish(id) : NULL;
    g_autoptr(GPtrArray) truth = NULL;

    faulty_arm(NULL);
    UNTIL(case_is_known() && is_free());
    check_promises(text, operation);
    if (faulty_blind())
        case_fail(text, operation, faulty_blind_text());
    flush_journal();
    truth = faulty_truth(world.uri);
    lp_oracle_rest(oracle, truth);
    check_oracle(text, operation);
}

void
case_judge_disturbed(int64_t id, const char *uuid, const char *text)
{
    if (id)
        finish(id);
    lp_oracle_disturbed(oracle, uuid);
    case_judge(id, text);
}

unsigned
case_effects(void)
{
    return lp_oracle_effects(oracle);
}

void
case_mend(const FaultCase *fault_case, const char *text)
{
    g_autoptr(GPtrArray) truth = faulty_truth(world.uri);
    bool agent = !strstr(fault_case->extra, "\"agent\": false"), there = false;
    const LpOperation *operation;

    for (guint i = 0; i < truth->len; i++) {
        const LpView *view = g_ptr_array_index(truth, i);

        tell(view->name, "{\"unmovable_bytes\":0}");
        if (view->run == LP_RUN_OFF)
            tell(view->name, "{\"do\":\"start\"}");
        if (view->run == LP_RUN_PAUSED)
            tell(view->name, "{\"do\":\"resume\"}");
        if (view->run != LP_RUN_RUNNING)
            lp_oracle_disturbed(oracle, view->uuid);
        there = there || strcmp(view->name, "p0") == 0;
    }
    UNTIL(case_is_known() && is_quiet());
    if (!there)
        return;
    if (agent)
        UNTIL(all_connected());
    operation = run(fault_case->back);
    if (operation->state != LP_OP_DONE)
        case_fail(text, operation, "what came after it did not succeed");
    else
        check_now("p0", 2, 2 * GIB);
    case_judge(operation->id, text);
}

void
case_mend_alone(const char *text)
{
    tell("p0", "{\"do\":\"stop\"}");
    tell("p0", "{\"do\":\"start\"}");
    lp_oracle_disturbed(oracle, part("p0")->uuid);
    UNTIL(part("p0")->view->run == LP_RUN_RUNNING);
    case_mend(case_find("grow"), text);
}
