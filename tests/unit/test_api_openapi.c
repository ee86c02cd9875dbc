/* openapi.json against the routes, and the exported objects against its schemas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lpard/api/api-private.h"
#include "lpard/api/check.h"
#include "lpard/api/export.h"
#include "lpard/api/metrics.h"
#include "lpard/api/openapi.h"
#include "tests/unit/schema.h"

#define MIB (1ULL << 20)

static json_t *document;

static int
load(void **state)
{
    (void)state;
    document = json_loadb(lp_openapi_text, lp_openapi_length, JSON_REJECT_DUPLICATES, NULL);
    return document ? 0 : -1;
}

static int
unload(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static const json_t *
described(const char *method, const char *path)
{
    g_autofree char *lower = g_ascii_strdown(method, -1);

    return json_object_get(json_object_get(json_object_get(document, "paths"), path), lower);
}

static bool
has_query(const json_t *operation, const char *name)
{
    const json_t *parameters = json_object_get(operation, "parameters");

    for (size_t i = 0; i < json_array_size(parameters); i++) {
        const json_t *parameter = json_array_get(parameters, i);

        if (strcmp(json_string_value(json_object_get(parameter, "in")), "query") == 0 &&
            strcmp(json_string_value(json_object_get(parameter, "name")), name) == 0)
            return true;
    }
    return false;
}

static size_t
n_query(const json_t *operation)
{
    const json_t *parameters = json_object_get(operation, "parameters");
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(parameters); i++)
        n += strcmp(json_string_value(json_object_get(json_array_get(parameters, i), "in")),
                    "query") == 0;
    return n;
}

static void
test_every_route_is_described(void **state)
{
    static const char *const owners[] = {
        [LP_OF_HOST] = "",
        [LP_OF_PARTITION] = "; or owner of the partition",
        [LP_OF_BODY] = "; or owner of all partitions in the body",
        [LP_OF_OPERATION] = "; or owner of all its partitions",
        [LP_OF_QUERY] = "; or owner of the partition in the query",
    };

    (void)state;
    for (size_t i = 0; i < lp_api_n_routes; i++) {
        const LpRoute *route = &lp_api_routes[i];
        const json_t *operation = described(route->method, route->path);
        g_auto(GStrv) query = g_strsplit(route->query, " ", -1);
        g_autofree char *role = g_strdup_printf(
            "Role: %s%s.", lp_role_name(route->role),
            route->role == LP_ROLE_OPERATOR ? owners[route->scope] : "");
        const json_t *body;

        if (!operation)
            fail_msg("%s %s is not described", route->method, route->path);
        assert_string_equal(json_string_value(json_object_get(operation, "description")), role);
        body = json_object_get(operation, "requestBody");
        assert_true((body != NULL) == (route->body != LP_BODY_NONE));
        if (body)
            assert_true(json_is_true(json_object_get(body, "required")) ==
                        (route->body == LP_BODY_NEEDED));
        for (guint q = 0; query[q]; q++)
            assert_true(!*query[q] || has_query(operation, query[q]));
        assert_int_equal(n_query(operation), *route->query ? g_strv_length(query) : 0);
    }
}

static void
test_everything_described_is_a_route(void **state)
{
    const char *path, *method;
    json_t *methods, *operation;
    size_t n = 0;

    (void)state;
    json_object_foreach(json_object_get(document, "paths"), path, methods) {
        json_object_foreach(methods, method, operation) {
            g_autofree char *upper = g_ascii_strup(method, -1);
            bool found = false;

            for (size_t i = 0; i < lp_api_n_routes; i++)
                found = found || (strcmp(lp_api_routes[i].method, upper) == 0 &&
                                  strcmp(lp_api_routes[i].path, path) == 0);
            if (!found)
                fail_msg("%s %s is described, but no route", upper, path);
            n++;
        }
    }
    assert_int_equal(n, lp_api_n_routes);
}

static void
check_refs(const json_t *value)
{
    const json_t *ref = json_object_get(value, "$ref");
    const char *name = ref ? strrchr(json_string_value(ref), '/') + 1 : NULL;
    const char *key;
    json_t *part;
    size_t i;

    if (name && !json_object_get(json_object_get(json_object_get(document, "components"),
                                                 "schemas"), name))
        fail_msg("there is no schema %s", name);
    json_object_foreach((json_t *)(uintptr_t)value, key, part) {
        check_refs(part);
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, part) {
        check_refs(part);
    }
}

static void
test_references_resolve(void **state)
{
    (void)state;
    check_refs(document);
}

static void
test_codes_are_listed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LP_ERROR_CODES; i++) {
        json_t *problem = lp_api_problem(lp_error_http_status(i), lp_error_name(i), "so\xff");

        assert_true(schema_holds(document, "Problem", problem));
        json_decref(problem);
    }
}

static void
test_routing(void **state)
{
    char *argument, *allowed;
    const LpRoute *route;

    (void)state;
    route = lp_api_route("GET", "/v1/partitions/a%20b%2Fc", &argument, &allowed);
    assert_non_null(route);
    assert_string_equal(argument, "a b/c");
    g_free(argument);
    assert_non_null(lp_api_route("GET", "/v1", &argument, &allowed));
    assert_non_null(lp_api_route("GET", "/v1/host/", &argument, &allowed));
    assert_null(lp_api_route("PATCH", "/v1/partitions", &argument, &allowed));
    assert_string_equal(allowed, "GET, POST");
    g_free(allowed);
    static const char *const none[] = {"/", "", "/v2/host", "/v1/partitions//profile",
                                       "/v1/partitions/%00", "/v1/partitions/%ff",
                                       "/v1/partitions/%zz", "/v1/host/x", "//v1/host"};
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
        if (lp_api_route("GET", none[i], &argument, &allowed))
            fail_msg("%s is a route", none[i]);
        assert_null(allowed);
    }
}

static LpPartition *
sample(void)
{
    LpPartition *partition = g_new0(LpPartition, 1);
    LpView *view = lp_view_new();

    partition->uuid = g_strdup("11111111-2222-3333-4444-555555555555");
    partition->view = view;
    view->uuid = strdup(partition->uuid);
    view->name = strdup("we\"b\\1");
    view->run = LP_RUN_RUNNING;
    view->accel = LP_ACCEL_TCG;
    view->persistent = true;
    view->vcpu_max = 4;
    lp_cpumask_first_n(&view->plugged, 2);
    lp_cpumask_first_n(&view->plugged_config, 2);
    view->n_cells = 2;
    view->slots = 4;
    view->base_bytes = 512 * MIB;
    for (unsigned i = 0; i < 2; i++) {
        LpViewCell *cell = &view->cells[i];

        *cell = (LpViewCell){.node = (int)i, .base_bytes = 256 * MIB, .has_device = i == 0,
                             .device_bytes = 1024 * MIB, .block_bytes = 2 * MIB,
                             .requested_bytes = 128 * MIB, .current_bytes = 64 * MIB};
        lp_cpumask_add(&cell->vcpus, i);
    }
    partition->profile_state = LP_PROFILE_STATE_GOOD;
    partition->profile = (LpProfile){.version = 1, .generation = 3, .cpu = {1, 3, 4},
                                     .mem = {512 * MIB, 768 * MIB, 1536 * MIB},
                                     .capacity = {40, 128, false}, .n_cells = 2,
                                     .cell_node = {0, 1}, .hold_until_sec = INT64_MAX};
    return partition;
}

static void
free_sample(LpPartition *partition)
{
    lp_view_free(partition->view);
    g_free(partition->uuid);
    g_free(partition);
}

static void
check_partition(const LpPartition *partition)
{
    LpExportFacts facts = {.overhead_bytes = 320 * MIB, .now_usec = 5000000};
    json_t *json = lp_export_partition(partition, &facts);

    assert_non_null(json);
    assert_true(schema_holds(document, "Partition", json));
    json_decref(json);
    json = lp_export_domain(partition);
    assert_true(schema_holds(document, "Domain", json));
    json_decref(json);
}

static void
test_partition(void **state)
{
    LpPartition *partition = sample();
    LpHost *host = g_new0(LpHost, 1);
    json_t *json;

    (void)state;
    check_partition(partition);
    partition->guest.connected = partition->guest.has_state = true;
    g_strlcpy(partition->guest.hello.kernel, "6.1\xff", sizeof partition->guest.hello.kernel);
    partition->guest.hello.caps = UINT32_MAX;
    partition->guest.state.load_centi = UINT32_MAX;
    partition->view->has_channel = true;
    check_partition(partition);
    json = json_pack("{s:s, s:o}", "partition", "web1", "checks",
                     lp_check_partition(partition, host));
    assert_true(schema_holds(document, "Check", json));
    json_decref(json);
    for (LpProfileState s = LP_PROFILE_STATE_NONE; s <= LP_PROFILE_STATE_CONFIG_LOST; s++) {
        partition->profile_state = s;
        check_partition(partition);
    }
    partition->view->persistent = false;
    partition->view->n_cells = 0;
    partition->view->run = LP_RUN_OFF;
    check_partition(partition);
    json = json_pack("{s:s, s:o}", "partition", "web1", "checks",
                     lp_check_partition(partition, host));
    assert_true(schema_holds(document, "Check", json));
    json_decref(json);
    free_sample(partition);
    g_free(host);
}

/* Takes the reference. */
static void
text_is(json_t *json, const char *text)
{
    char *dumped = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);

    assert_string_equal(dumped, text);
    free(dumped);
    json_decref(json);
}

static void
test_host(void **state)
{
    LpHost *host = g_new0(LpHost, 1);
    LpExportNode nodes[LP_MAX_NODES] = {{.granted_bytes = 7, .use = {5, 6}}};
    LpHostUse use = {0};
    json_t *json, *node;

    (void)state;
    host->topology.n_nodes = 2;
    host->topology.nodes[1] = (LpNode){.id = 33, .tier = LP_TIER_SLOW, .package = 4,
                                       .memory_cache_bytes = MIB};
    host->topology.n_cpus_forbidden = 3;
    json = lp_export_host("sim:x", true, false, host, &use, nodes, LP_SCORE_NONE);
    assert_true(schema_holds(document, "Host", json));
    assert_true(json_is_null(json_object_get(json, "score_centi")));
    node = json_array_get(json_object_get(json_object_get(json, "topology"), "nodes"), 1);
    assert_string_equal(json_string_value(json_object_get(node, "tier")), "slow");
    assert_int_equal(json_integer_value(json_object_get(node, "id")), 33);
    assert_int_equal(json_integer_value(json_object_get(node, "package")), 4);
    node = json_array_get(json_object_get(json_object_get(json, "topology"), "nodes"), 0);
    assert_int_equal(json_integer_value(json_object_get(node, "granted_bytes")), 7);
    assert_int_equal(json_integer_value(json_object_get(node, "reserve_bytes")), 5);
    assert_int_equal(json_integer_value(json_object_get(node, "free_bytes")), 6);
    json_decref(json);
    host->has_svm = host->has_nested_paging = host->kvm_usable = true;
    json = lp_export_host("sim:x", true, false, host, &use, nodes, 8312);
    assert_true(schema_holds(document, "Host", json));
    assert_int_equal(json_integer_value(json_object_get(json, "score_centi")), 8312);
    assert_string_equal(json_string_value(json_object_get(
        json_object_get(json, "virtualization"), "nested_paging")), "NPT");
    json_decref(json);
    g_free(host);
}

static json_t *
a_score(const LpPartition *partition, void *data)
{
    (void)partition;
    (void)data;
    return json_pack("{s:[{s:i, s:i}, {s:i, s:i}, {s:i}]}", "nodes", "node", 0, "cpu_permyriad",
                     2500, "node", 33, "cpu_permyriad", 7500, "node", 7);
}

/* Where one was measured, that is told; else what its cells say.  vCPUs are where its score has them, and
 * not where each ran last. */
static void
test_contents(void **state)
{
    LpPartition *partition = sample();
    LpTopology *topology = g_new0(LpTopology, 1);
    GPtrArray *list = g_ptr_array_new();
    LpLocality *locality = lp_locality_new();
    LpLocalityPart parts[2] = {{.on_bytes = {MIB, 3 * MIB}}, {.on_bytes = {0, MIB}}};
    LpLocalityVcpu vcpus[3] = {{.cpu = 0}, {.cpu = 0}, {.cpu = -1}};
    json_t *json;

    (void)state;
    topology->n_nodes = 2;
    topology->nodes[1].id = 33;
    lp_cpumask_add(&topology->nodes[0].cpus, 0);
    lp_cpumask_add(&topology->nodes[1].cpus, 5);
    g_ptr_array_add(list, partition);
    partition->view->cells[0].home = 0;
    partition->view->cells[1].home = 33;
    json = lp_export_contents(list, topology, a_score, NULL);
    text_is(json, "[{\"partition\":\"we\\\"b\\\\1\",\"uuid\":"
                  "\"11111111-2222-3333-4444-555555555555\",\"managed\":true,"
                  "\"measured\":false,\"vcpus\":2,\"nodes\":["
                  "{\"node\":0,\"bytes\":402653184,\"cpu_permyriad\":5000},"
                  "{\"node\":33,\"bytes\":402653184,\"cpu_permyriad\":5000}]}]");
    locality->n_parts = 2;
    locality->parts = parts;
    locality->n_vcpus = 3;
    locality->vcpus = vcpus;
    partition->locality = locality;
    partition->profile_state = LP_PROFILE_STATE_NONE;
    json = lp_export_contents(list, topology, a_score, NULL);
    text_is(json, "[{\"partition\":\"we\\\"b\\\\1\",\"uuid\":"
                  "\"11111111-2222-3333-4444-555555555555\",\"managed\":false,"
                  "\"measured\":true,\"vcpus\":2,\"nodes\":["
                  "{\"node\":0,\"bytes\":1048576,\"cpu_permyriad\":2500},"
                  "{\"node\":33,\"bytes\":4194304,\"cpu_permyriad\":7500}]}]");
    partition->view->run = LP_RUN_OFF;
    json = lp_export_contents(list, topology, a_score, NULL);
    text_is(json, "[]");
    locality->parts = NULL;
    locality->vcpus = NULL;
    lp_locality_free(locality);
    partition->locality = NULL;
    free_sample(partition);
    g_ptr_array_unref(list);
    g_free(topology);
}

static void
check_affinity(LpMetrics *metrics)
{
    g_autoptr(GPtrArray) scores = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    LpMetricsAffinity affinity = {.scores = scores, .host_centi = LP_SCORE_NONE};
    g_autofree char *without = lp_metrics_text(metrics), *none = NULL, *text = NULL;

    assert_null(strstr(without, "affinity"));
    metrics->affinity = &affinity;
    none = lp_metrics_text(metrics);
    assert_null(strstr(none, "\nlpard_host_affinity_score "));
    assert_non_null(strstr(none, "\nlpard_optimize_moved_bytes_total 0\n"));
    g_ptr_array_add(scores, json_pack("{s:s, s:i, s:i, s:n, s:i}", "partition", "a\"b",
                                      "score_centi", 9705, "local_centi", 10000,
                                      "agreement_centi", "age_msec", 61340));
    affinity.host_centi = 8300;
    affinity.moved_bytes = 1ULL << 40;
    affinity.runs = 2;
    text = lp_metrics_text(metrics);
    assert_non_null(strstr(text, "\nlpard_affinity_score{partition=\"a\\\"b\"} 97.05\n"));
    assert_non_null(strstr(text, "\nlpard_affinity_local{partition=\"a\\\"b\"} 100.00\n"));
    assert_null(strstr(text, "\nlpard_affinity_agreement{"));
    assert_non_null(strstr(text, "\nlpard_affinity_age_seconds{partition=\"a\\\"b\"} 61.34\n"));
    assert_non_null(strstr(text, "\nlpard_host_affinity_score 83.00\n"));
    assert_non_null(strstr(text, "\nlpard_optimize_moved_bytes_total 1099511627776\n"));
    assert_non_null(strstr(text, "\nlpard_optimize_runs_total 2\n"));
}

static void
test_metrics(void **state)
{
    LpPartition *partition = sample();
    LpEvents *events = lp_events_new();
    GPtrArray *partitions = g_ptr_array_new(), *operations = g_ptr_array_new();
    LpCounts *counts = lp_counts_new();
    LpEventItem item = {.type = "operation", .text = g_strdup("{\"id\":7,\"state\":\"partial\"}")};
    LpHostUse use = {0};
    LpConsentCounts consent = {.vetoes = 3, .late = 4};
    LpMetrics metrics = {.partitions = partitions, .operations = operations, .use = &use,
                         .counts = counts, .consent = &consent, .version = "9"};
    char *text;

    (void)state;
    g_ptr_array_add(partitions, partition);
    partition->guest.connected = partition->guest.has_pressure = true;
    partition->guest.pressure = (LpWirePressure){.psi_mem_full_centi = 77, .oom_kills = 2,
                                                 .working_set_bytes = MIB, .steal_centi = 9,
                                                 .refaults = 5, .running = 4, .n_classes = 1,
                                                 .classes = {{"a\"b", 125, 4096}}};
    lp_counts_event(counts, &item);
    lp_counts_event(counts, &item);     /* told again: counted once */
    text = lp_metrics_text(&metrics);
    assert_non_null(strstr(text, "lpard_operations_total{state=\"partial\"} 1\n"));
    assert_non_null(strstr(text, "lpard_events_total 2\n"));
    assert_non_null(strstr(text, "lpard_guest_answers_total{what=\"vetoed\"} 3\n"));
    assert_non_null(strstr(text, "lpard_guest_answers_total{what=\"late\"} 4\n"));
    assert_non_null(strstr(text, "lpard_partition_cpu{partition=\"we\\\"b\\\\1\","
                                 "figure=\"desired\"} 3\n"));
    assert_null(strstr(text, "figure=\"usable\""));
    assert_non_null(strstr(text, "lpard_guest_pressure_centi{partition=\"we\\\"b\\\\1\","
                                 "figure=\"mem_full\"} 77\n"));
    assert_non_null(strstr(text, "figure=\"working_set\"} 1048576\n"));
    assert_non_null(strstr(text, "figure=\"steal\"} 9\n"));
    assert_non_null(strstr(text, "lpard_guest_refaults_total{partition=\"we\\\"b\\\\1\"} 5\n"));
    assert_non_null(strstr(text, "lpard_guest_oom_kills_total{partition=\"we\\\"b\\\\1\"} 2\n"));
    assert_non_null(strstr(text, "lpard_guest_runnable{partition=\"we\\\"b\\\\1\"} 4\n"));
    assert_non_null(strstr(text, ",class=\"a\\\"b\"} 125\n"));
    assert_non_null(strstr(text, ",class=\"a\\\"b\"} 4096\n"));
    g_free(text);
    g_free(item.text);
    check_affinity(&metrics);
    lp_counts_free(counts);
    lp_events_free(events);
    free_sample(partition);
    g_ptr_array_unref(partitions);
    g_ptr_array_unref(operations);
}

static void
check_guest(const LpPartition *partition)
{
    json_t *json = lp_export_guest(partition, 5000000);

    assert_non_null(json);
    assert_true(schema_holds(document, "Guest", json));
    json_decref(json);
}

static void
test_guest(void **state)
{
    LpPartition *partition = sample();
    LpGuest *guest = &partition->guest;
    json_t *json;

    (void)state;
    check_guest(partition);
    guest->connected = guest->has_pressure = true;
    check_guest(partition);
    /* Whatever a guest may say. */
    memset(&guest->pressure, 0xff, sizeof guest->pressure);
    guest->pressure.n_classes = 1;
    strcpy(guest->pressure.classes[0].name, "web");
    guest->hello.has = guest->hello.lacks = guest->hello.forbids = UINT32_MAX;
    guest->hello.hypervisor = LP_WIRE_HYPERVISOR_OTHER;
    guest->pressure_usec = INT64_MAX;
    check_guest(partition);
    /* What it said on a link that is gone counts no more. */
    guest->connected = false;
    json = lp_export_guest(partition, 0);
    assert_true(json_is_null(json_object_get(json, "pressure")));
    assert_int_equal(json_array_size(json_object_get(json, "forbids")), 0);
    json_decref(json);
    free_sample(partition);
}

static const char *
severity(json_t *checks, const char *name, const char **ret_cure)
{
    for (size_t i = 0; i < json_array_size(checks); i++) {
        json_t *check = json_array_get(checks, i);

        if (strcmp(json_string_value(json_object_get(check, "name")), name) != 0)
            continue;
        *ret_cure = json_string_value(json_object_get(check, "cure"));
        return json_string_value(json_object_get(check, "severity"));
    }
    return NULL;
}

/* What the guest says of features goes before what an older agent says of capabilities. */
static void
test_check_tells_of_features(void **state)
{
    LpPartition *partition = sample();
    LpHost *host = g_new0(LpHost, 1);
    LpWireHello *hello = &partition->guest.hello;
    const char *cure = NULL;
    json_t *checks;

    (void)state;
    partition->guest.connected = true;
    hello->caps = LP_WIRE_CAP_CPU_ONLINE;
    checks = lp_check_partition(partition, host);
    assert_string_equal(severity(checks, "guest-cpu-hotplug", &cure), "ok");
    assert_null(cure);
    assert_string_equal(severity(checks, "guest-virtio-mem", &cure), "warn");
    assert_non_null(strstr(cure, "virtio_mem"));
    assert_null(severity(checks, "guest-forbids", &cure));
    json_decref(checks);
    hello->has = LP_WIRE_FEATURE_VIRTIO_MEM;
    hello->lacks = LP_WIRE_FEATURE_MOVABLE | LP_WIRE_FEATURE_STEAL_TIME;
    hello->forbids = LP_WIRE_ACT_MEM_RELEASE | LP_WIRE_ACT_HOOKS;
    checks = lp_check_partition(partition, host);
    assert_string_equal(severity(checks, "guest-virtio-mem", &cure), "ok");
    assert_string_equal(severity(checks, "guest-movable-zone", &cure), "warn");
    assert_non_null(strstr(cure, "memhp_default_state"));
    assert_null(severity(checks, "guest-cpu-hotplug", &cure));
    assert_null(severity(checks, "guest-steal-time", &cure));
    assert_string_equal(severity(checks, "guest-forbids", &cure), "warn");
    json_decref(checks);
    free_sample(partition);
    g_free(host);
}

/* The checker itself must be able to say no. */
static void
test_schema_refuses(void **state)
{
    json_t *missing = json_pack("{s:s}", "name", "x");
    json_t *more = json_pack("{s:s, s:s, s:s, s:b, s:s, s:i}", "name", "x", "uuid", "y", "run",
                             "off", "enabled", 1, "profile_state", "good", "extra", 1);
    json_t *bad = json_pack("{s:s, s:s, s:s, s:b, s:s}", "name", "x", "uuid", "y", "run",
                            "asleep", "enabled", 1, "profile_state", "good");

    (void)state;
    assert_false(schema_holds(document, "Domain", missing));
    assert_false(schema_holds(document, "Domain", more));
    assert_false(schema_holds(document, "Domain", bad));
    json_decref(missing);
    json_decref(more);
    json_decref(bad);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_is_described),
        cmocka_unit_test(test_everything_described_is_a_route),
        cmocka_unit_test(test_references_resolve),
        cmocka_unit_test(test_codes_are_listed),
        cmocka_unit_test(test_routing),
        cmocka_unit_test(test_partition),
        cmocka_unit_test(test_guest),
        cmocka_unit_test(test_check_tells_of_features),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_schema_refuses),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
