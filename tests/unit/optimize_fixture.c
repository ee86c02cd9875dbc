#include "optimize_fixture.h"

#include "lpard/profile-xml.h"
#include "numa_host.h"

LpOptimizer *optimizer;
LpSettings numa_settings;
unsigned guest_vcpus_max = 4;

static char *
profile_with(const char *rule)
{
    LpProfile profile = {
        .version = LP_PROFILE_VERSION, .generation = 1, .cpu = {1, 2, guest_vcpus_max},
        .mem = {GIB, 2 * GIB, 4 * GIB}, .capacity = {40, 128, false}, .n_cells = 1,
    };
    char message[200];

    lp_autoscale_init(&profile.autoscale);
    if (!lp_numa_rule_parse(rule, &profile.numa, message, sizeof message))
        fail_msg("%s: %s", rule, message);
    if (profile_hook)
        profile_hook(&profile);
    return lp_profile_to_xml(&profile);
}

char *
guest(const char *name, const char *rule, const char *cells, const char *more)
{
    g_autofree char *xml = rule ? profile_with(rule) : NULL;
    json_t *metadata = rule ? json_string(xml) : NULL;
    char *quoted = rule ? json_dumps(metadata, JSON_ENCODE_ANY) : NULL;
    char *text = g_strdup_printf(
        "{\"name\": \"%s\", \"vcpus\": 2, \"vcpus_max\": %u, %s%s%s \"cells\": %s%s}", name, guest_vcpus_max,
        rule ? "\"metadata\": " : "", rule ? quoted : "", rule ? "," : "", cells, more);

    free(quoted);
    json_decref(metadata);
    return text;
}

char *
one_cell(int node, unsigned on_0, unsigned on_1)
{
    return g_strdup_printf(
        "[{\"node\": %d, \"base_bytes\": 1073741824, \"device_bytes\": 3221225472, "
        "\"requested_bytes\": 1073741824, \"lies\": {\"0\": %" PRIu64 ", \"1\": %" PRIu64 "}}]",
        node, (uint64_t) (on_0 * MIB), (uint64_t) (on_1 * MIB));
}

static void
make_optimizer(void)
{
    optimizer = lp_optimizer_new(&numa_settings, world.registry, world.engine, world.events);
    /* The pressure of the machine that runs the test is none of its business. */
    optimizer->procfs = "/nowhere";
}

static void
end_optimizer(void)
{
    g_clear_pointer(&optimizer, lp_optimizer_free);
}

void
begin_nodes(const char *host, char *first, ...)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree LpTopology *topology = g_new0(LpTopology, 1);
    va_list args;

    g_string_printf(text, "{\"seed\": 5, \"cgroup\": \"v2\", %s \"domains\": [", host);
    va_start(args, first);
    for (char *each = first; each; each = va_arg(args, char *)) {
        g_string_append_printf(text, "%s%s", each == first ? "" : ",", each);
        g_free(each);
    }
    va_end(args);
    g_string_append(text, "]}");
    numa_host(topology, 2, 8 * GIB, 4, 20);
    numa_settings.optimize_threshold = numa_settings.optimize_threshold
                                           ? numa_settings.optimize_threshold : 80;
    numa_settings.optimize_delta = numa_settings.optimize_delta ? numa_settings.optimize_delta : 10;
    numa_settings.move_rate_bytes = numa_settings.move_rate_bytes
                                        ? numa_settings.move_rate_bytes : 1ULL << 40;
    numa_settings.move_pressure_centi = 1000;
    boot_hook = make_optimizer;
    halt_hook = end_optimizer;
    start_host(text->str, topology);
}

char *
try_optimize(const char *json, const char *key, bool dry, Asked *asked)
{
    g_autoptr(GError) error = NULL;
    json_t *body = json_loads(json, 0, NULL);
    LpOptimizeRequest *request;

    memset(asked, 0, sizeof *asked);
    assert_non_null(body);
    request = lp_optimize_request_from_json(body, &error);
    json_decref(body);
    if (!request)
        return g_strdup(lp_error_name((LpErrorCode) error->code));
    request->key = g_strdup(key);
    request->requester = g_strdup("test");
    lp_optimizer_start(optimizer, request, dry, on_accepted, asked);
    UNTIL(asked->answered);
    return g_steal_pointer(&asked->code);
}

int64_t
begin_optimize(const char *json)
{
    Asked asked;
    g_autofree char *code = try_optimize(json, NULL, false, &asked);

    if (code)
        fail_msg("%s: %s", json, code);
    return asked.id;
}

const LpOperation *
optimize(const char *json)
{
    return finish(begin_optimize(json));
}

const json_t *
plan_part(const json_t *plan, const char *name)
{
    const json_t *parts = json_object_get(plan, "partitions"), *part;
    size_t i;

    json_array_foreach(parts, i, part)
        if (strcmp(json_string_value(json_object_get(part, "partition")), name) == 0)
            return part;
    json_dumpf(plan, stderr, JSON_INDENT(1));
    fail_msg("%s is not in the plan", name);
    return NULL;
}

json_int_t
plan_number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);

    if (json_is_null(value))
        return -1;
    if (!json_is_integer(value))
        fail_msg("%s is no number", key);
    return json_integer_value(value);
}

const char *
plan_text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

unsigned
lies_on(const char *name, uint32_t node)
{
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    g_autoptr(LpLocality) locality = lp_driver_sim.locate(conn, part(name)->uuid,
                                                          &world.host->topology, 0, NULL);
    uint64_t sum = 0;

    lp_driver_sim.close(conn);
    assert_non_null(locality);
    for (uint32_t i = 0; i + 1 < locality->n_parts; i++)
        sum += locality->parts[i].on_bytes[node];
    return (unsigned) (sum / MIB);
}

static void
on_scores(json_t *scores, const GError *error, void *data)
{
    json_t **ret = data;

    if (error)
        fail_msg("%s", error->message);
    *ret = scores;
}

json_t *
scores_now(bool fresh)
{
    json_t *scores = NULL;

    lp_optimizer_scores(optimizer, fresh, on_scores, &scores);
    UNTIL(scores);
    return scores;
}

json_int_t
score_of(const char *name, const char *key)
{
    json_t *scores = scores_now(true);
    json_int_t figure = strcmp(name, "host") == 0
                            ? plan_number(json_object_get(scores, "host"), key)
                            : plan_number(plan_part(scores, name), key);

    json_decref(scores);
    return figure;
}

uint64_t
moved_of(int64_t id)
{
    return (uint64_t) plan_number(lp_engine_find(world.engine, id)->optimize, "moved_bytes");
}

const char *
phase_of(int64_t id)
{
    return plan_text(lp_engine_find(world.engine, id)->optimize, "phase");
}
