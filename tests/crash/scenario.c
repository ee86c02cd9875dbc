#include "tests/crash/scenario.h"

#include "lpard/define/definition.h"
#include "lpard/profile-xml.h"

#define MOVE "{\"kind\":\"move\",\"partition\":\"p0\",\"to\":\"p1\","
/* A guest that takes its time, so that there is a middle to crash in. */
#define SLOW \
    "\"cgroup\": \"v2\", \"delays\": {\"size_event_usec\": 1000, \"unplug_bytes_per_sec\": " \
    "268435456, \"plug_bytes_per_sec\": 268435456}"

static void
do_text(const char *text)
{
    (void) run(text);
}

/* ---- memory and processors ---- */

static void grow_mem(void) { do_text(SET_P0 MEM("set", 3221225472) "}"); }
static void shrink_mem(void) { do_text(SET_P0 MEM("set", 1610612736) "}"); }
static void grow_cpu(void) { do_text(SET_P0 CPU("set", 4) "}"); }
static void shrink_cpu(void) { do_text(SET_P0 CPU("set", 2) "}"); }
static void fold_cpu(void) { do_text(SET_P0 CPU("set", 1) "}"); }
static void move_mem(void) { do_text(MOVE MEM("set", 536870912) "}"); }
static void move_cpu(void) { do_text(MOVE CPU("set", 1) "}"); }
static void both_atomic(void)
{
    do_text(SET_P0 CPU("set", 4) "," MEM("set", 1073741824) ",\"atomic\":true}");
}
static void dimm(void) { do_text(SET_P0 MEM("add", 536870912) ",\"via\":\"dimm\"}"); }
static void undimm(void) { do_text(SET_P0 MEM("remove", 536870912) ",\"via\":\"dimm\"}"); }
static void balloon(void) { do_text(SET_P0 MEM("remove", 536870912) ",\"via\":\"balloon\"}"); }

static void
capacity(void)
{
    do_text("{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":120,\"weight\":200,"
            "\"capped\":true}");
}

/* The hypervisor refuses the definition, after all that runs was changed. */
static void
capacity_atomic(void)
{
    tell("p0", "{\"fail_next\": {\"call\": \"set_config\", \"error\": \"failed\"}}");
    do_text("{\"kind\":\"capacity\",\"partition\":\"p0\",\"entitled_centi\":120,\"weight\":200,"
            "\"capped\":true,\"atomic\":true}");
}

static void
reconcile(void)
{
    do_text("{\"kind\":\"reconcile\",\"partition\":\"p0\"}");
}

/* Halfway it is told to stop: what is on its way is taken back. */
static void
cancel_shrink(void)
{
    int64_t id = submit(SET_P0 MEM("set", 1073741824) "}");

    UNTIL(part("p0")->view->cells[0].current_bytes < 900 * MIB || is_over(id));
    (void) lp_engine_cancel(world.engine, id, NULL);
    (void) finish(id);
}

/* The second waits in the lane. */
static void
two_at_once(void)
{
    int64_t one = submit(SET_P0 MEM("set", 1610612736) "}");
    int64_t two = submit(SET_P0 CPU("set", 3) "}");

    (void) finish(one);
    (void) finish(two);
}

/* What is refused in the guest leaves late, and is taken off the record. */
static void
late_unplug(void)
{
    do_text(SET_P0 CPU("set", 2) "}");
    UNTIL(lp_cpumask_count(&part("p0")->view->plugged) == 2
          && lp_cpumask_count(&part("p0")->profile.folded) == 0
          && lp_engine_lane_depth(world.engine, part("p0")->uuid) == 0);
}

static void
grow_cpu_first(void)
{
    UNTIL(all_connected());
    EXPECT(run(SET_P0 CPU("set", 4) "}"), LP_OP_DONE);
}

/* A definition as lpard makes it has no room beside the device: this one ends higher. */
static void
widen(void)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    g_autofree char *xml = lp_driver_sim.get_xml(conn, part("p0")->uuid, true, NULL);
    g_autofree char *room = g_strdup_printf(">%" PRIu64 "</maxMemory>", (uint64_t) (8 * GIB / 1024));
    g_autoptr(GRegex) limit = g_regex_new(">[0-9]+</maxMemory>", 0, 0, NULL);
    g_autofree char *wide = g_regex_replace_literal(limit, xml, -1, 0, room, 0, NULL);

    assert_string_not_equal(xml, wide);
    tell("p0", "{\"do\":\"stop\"}");
    assert_true(lp_driver_sim.define(conn, wide, NULL, NULL));
    tell("p0", "{\"do\":\"start\"}");
    lp_driver_sim.close(conn);
    UNTIL(part("p0")->view->run == LP_RUN_RUNNING && part("p0")->view->max_memory_bytes == 8 * GIB
          && all_connected());
}

static void
dimm_first(void)
{
    widen();
    EXPECT(run(SET_P0 MEM("add", 536870912) ",\"via\":\"dimm\"}"), LP_OP_DONE);
}

static void
by_qga(void)
{
    UNTIL(part("p0")->view->qga_connected);
    do_text(SET_P0 CPU("set", 4) "," MEM("set", 3221225472) "}");
}

/* Without an agent the balloon's driver is asked how the guest fares. */
static void
ask_balloon(void)
{
    /* How often its driver speaks, and then what it says. */
    UNTIL((lp_registry_ask_balloon(world.registry, part("p0"), true), part("p0")->balloon.known));
    do_text(SET_P0 MEM("set", 3221225472) "}");
}

/* ---- where it lies ---- */

static void
run_optimize(void)
{
    (void) optimize("{}");
}

/* All pages are somewhere, once; and where they should be, if that is said to be done. */
static void
lies_where_said(LpOracle *oracle)
{
    json_t *rows = lp_journal_history(world.journal, NULL, 0, 1, NULL);
    const json_t *last = json_object_get(json_array_get(rows, 0), "body");
    bool done = g_strcmp0(json_string_value(json_object_get(last, "state")), "done") == 0;
    unsigned on[2][2];

    for (unsigned i = 0; i < 2; i++) {
        const char *name = i ? "p1" : "p0";

        on[i][0] = lies_on(name, 0);
        on[i][1] = lies_on(name, 1);
        if (on[i][0] + on[i][1] != 2048 || (done && on[i][i] != 2048))
            lp_oracle_tell(oracle, LP_INVARIANT_L1, "%s has %u MiB on node 0 and %u on node 1",
                           name, on[i][0], on[i][1]);
    }
    json_decref(rows);
}

/* ---- definitions ---- */

static bool
definition_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    return lp_definition_prepare(driver, conn, data, error)
           && lp_definition_apply(driver, conn, data, error);
}

static bool definition_over;

static void
definition_done(bool ok, const GError *error, void *data)
{
    (void) ok;
    (void) error;
    (void) data;
    definition_over = true;
}

static void
free_definition(void *data)
{
    lp_definition_unref(data);
}

static void
define(LpDefinition *definition)
{
    definition_over = false;
    assert_true(lp_engine_definition(world.engine, definition->uuid, "a test", definition_job,
                                     definition_done, definition, free_definition, NULL));
    UNTIL(definition_over);
}

/* Another maximum of processors, live and at the next start. */
static void
edit_profile(void)
{
    LpDefinition *definition = lp_definition_new(LP_DEFINITION_EDIT, part("p0")->uuid, "p0");

    definition->change.has_entitled = true;
    definition->change.capacity.entitled_centi = 100;
    define(definition);
}

static void
start_domain(void)
{
    define(lp_definition_new(LP_DEFINITION_START, part("p0")->uuid, "p0"));
}

/* ---- all of them ---- */

const Scenario scenarios[] = {
    {.name = "grow-mem", .host = AT_ONCE, .n_guests = 1, .run = grow_mem},
    {.name = "shrink-mem", .host = AT_ONCE, .n_guests = 1, .run = shrink_mem},
    {.name = "grow-cpu", .host = AT_ONCE, .n_guests = 1, .run = grow_cpu},
    {.name = "shrink-cpu", .host = AT_ONCE, .n_guests = 1, .prepare = grow_cpu_first,
     .run = shrink_cpu},
    {.name = "fold-cpu", .host = AT_ONCE, .n_guests = 1, .run = fold_cpu},
    {.name = "late-unplug", .host = AT_ONCE, .n_guests = 1,
     .guests = {"\"refuse_unplug\": true, \"late_unplug_msec\": 1000"},
     .prepare = grow_cpu_first, .run = late_unplug},
    {.name = "move-mem", .host = AT_ONCE, .n_guests = 2, .run = move_mem},
    {.name = "move-cpu", .host = AT_ONCE, .n_guests = 2, .run = move_cpu},
    {.name = "capacity", .host = AT_ONCE, .n_guests = 1, .run = capacity},
    {.name = "capacity-atomic", .host = AT_ONCE, .n_guests = 1, .run = capacity_atomic},
    {.name = "atomic", .host = AT_ONCE, .n_guests = 1,
     .guests = {"\"unmovable_bytes\": 536870912"}, .run = both_atomic},
    {.name = "reconcile", .host = AT_ONCE, .n_guests = 1, .run = reconcile},
    {.name = "cancel", .host = SLOW, .n_guests = 1, .run = cancel_shrink},
    {.name = "queued", .host = SLOW, .n_guests = 1, .run = two_at_once},
    {.name = "limit-grow", .host = AT_ONCE, .n_guests = 1, .hard = true, .run = grow_mem},
    {.name = "limit-shrink", .host = AT_ONCE, .n_guests = 1, .hard = true, .run = shrink_mem},
    {.name = "dimm-add", .host = AT_ONCE, .n_guests = 1,
     .prepare = widen, .run = dimm},
    {.name = "dimm-remove", .host = AT_ONCE, .n_guests = 1,
     .prepare = dimm_first, .run = undimm},
    {.name = "balloon", .host = AT_ONCE, .n_guests = 1, .run = balloon},
    {.name = "guest-agent", .host = AT_ONCE, .n_guests = 1,
     .guests = {"\"agent\": false, \"qga\": true, \"memory_waits\": true"}, .run = by_qga},
    {.name = "no-agent", .host = AT_ONCE, .n_guests = 1,
     .guests = {"\"agent\": false, \"used_bytes\": 536870912"}, .run = ask_balloon},
    {.name = "optimize", .host = "", .nodes = true, .n_guests = 2, .run = run_optimize,
     .judge = lies_where_said},
    {.name = "nodeset", .host = "", .nodes = true, .n_guests = 2,
     .guests = {", \"numatune\": \"restrictive\"", ", \"numatune\": \"restrictive\""},
     .run = run_optimize},
    {.name = "definition", .host = AT_ONCE, .n_guests = 1, .definition = true,
     .run = edit_profile},
    {.name = "start", .host = AT_ONCE, .n_guests = 1, .guests = {"\"run\": \"off\""},
     .definition = true, .run = start_domain},
};
const unsigned n_scenarios = G_N_ELEMENTS(scenarios);
