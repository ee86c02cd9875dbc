/* The API of the NUMA engine, on a simulated host of two nodes: scores, plans, an optimization to
 * its end, and what it makes of bad requests. */
#include "tests/unit/api_fixture.h"

#include "hotplug/sim.h"

static const char sim_host[] =
    "{\"seed\": 7, \"cgroup\": \"v2\", \"domains\": ["
    "{\"name\": \"web1\", \"run\": \"off\"}, {\"name\": \"db1\", \"run\": \"off\"},"
    "{\"name\": \"plain\"}]}";

static const char enable_body[] =
    "{\"cpu\":{\"min\":1,\"desired\":2,\"max\":4},\"mem\":{\"min_bytes\":1073741824,"
    "\"desired_bytes\":1073741824,\"max_bytes\":2147483648}%s}";

static void
enable(const char *name, const char *more)
{
    g_autofree char *path = g_strdup_printf("/v1/partitions/%s/profile", name);
    g_autofree char *start = g_strdup_printf("/v1/partitions/%s/start", name);
    g_autofree char *body = g_strdup_printf(enable_body, more);

    json_decref(ask_for("Definition", "PUT", path, body, 200));
    json_decref(ask_for("Partition", "POST", start, NULL, 200));
}

static int
begin(void **state)
{
    (void)state;
    begin_world(sim_host, 2);
    enable("web1", ",\"numa\":\"preferred:0\"");
    enable("db1", "");
    return 0;
}

static int
end(void **state)
{
    (void)state;
    end_world();
    return 0;
}

static const json_t *
score_of(const json_t *scores, const char *name)
{
    const json_t *list = json_object_get(scores, "partitions");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *score = json_array_get(list, i);

        if (strcmp(json_string_value(json_object_get(score, "partition")), name) == 0)
            return score;
    }
    fail_msg("%s has no score", name);
    return NULL;
}

static json_int_t
number(const json_t *json, const char *field)
{
    const json_t *value = json_object_get(json, field);

    if (!json_is_integer(value))
        fail_msg("%s is no number", field);
    return json_integer_value(value);
}

/* The host's picture and the scores tell one story of each domain. */
static void
same_vcpus(const json_t *host, const json_t *scores)
{
    const json_t *each;
    size_t i;

    json_array_foreach(json_object_get(host, "contents"), i, each) {
        const json_t *nodes = json_object_get(each, "nodes"), *score, *node, *same;
        size_t k, n;

        score = score_of(scores, json_string_value(json_object_get(each, "partition")));
        assert_true(json_is_true(json_object_get(each, "measured")));
        json_array_foreach(nodes, k, node) {
            json_array_foreach(json_object_get(score, "nodes"), n, same) {
                if (number(same, "node") == number(node, "node"))
                    assert_int_equal(number(same, "cpu_permyriad"), number(node, "cpu_permyriad"));
            }
        }
    }
}

static void
test_score(void **state)
{
    json_t *scores = ask_for("Scores", "GET", "/v1/score?fresh=1", NULL, 200);
    const json_t *score = score_of(scores, "web1");
    json_t *json;

    (void)state;
    assert_string_equal(json_string_value(json_object_get(score, "rule")), "preferred:0");
    assert_int_equal(number(score, "score_centi"), 10000);
    assert_int_equal(number(json_object_get(scores, "host"), "score_centi"), 10000);
    assert_true(number(score, "memory_bytes") > 0);
    assert_true(number(score, "age_msec") < 60000);
    json = ask_for("Host", "GET", "/v1/host?contents=1", NULL, 200);
    same_vcpus(json, scores);
    json_decref(json);
    json_decref(scores);
    json_decref(ask_for("Scores", "GET", "/v1/score", NULL, 200));
    json = ask_for("Partition", "GET", "/v1/partitions/web1", NULL, 200);
    assert_int_equal(number(json_object_get(json, "score"), "score_centi"), 10000);
    json_decref(json);
    json = ask_for("Host", "GET", "/v1/host?contents=1", NULL, 200);
    assert_int_equal(number(json, "score_centi"), 10000);
    assert_true(json_array_size(json_object_get(json, "contents")) == 3);
    json_decref(json);
    json = ask_for("Host", "GET", "/v1/host", NULL, 200);
    assert_null(json_object_get(json, "contents"));
    json_decref(json);
}

static void
test_bad_requests(void **state)
{
    (void)state;
    refused("GET", "/v1/score?fresh=maybe", NULL, 400, "usage", "fresh");
    refused("GET", "/v1/score?stale=1", NULL, 400, "usage", "stale");
    refused("GET", "/v1/host?contents=2", NULL, 400, "usage", "contents");
    refused("POST", "/v1/optimize", "{\"request\":\"web1\"}", 400, "usage", "request");
    refused("POST", "/v1/optimize", "{\"request\":[7]}", 400, "usage", "request");
    refused("POST", "/v1/optimize", "{\"dry_run\":1}", 400, "usage", "dry_run");
    refused("POST", "/v1/optimize", "{\"min_gain_centi\":10001}", 400, "usage", "min_gain_centi");
    refused("POST", "/v1/optimize", "{\"max_bytes\":-1}", 400, "usage", "max_bytes");
    refused("POST", "/v1/optimize", "{\"key\":\"k\"}", 400, "usage", "key");
    refused("POST", "/v1/optimize", "{\"requester\":\"me\"}", 400, "usage", "requester");
    refused("POST", "/v1/optimize", "{\"request\":[\"web1\"],\"protect\":[\"web1\"]}", 400,
            "usage", "web1");
    refused("POST", "/v1/optimize", "{\"request\":[\"wbe1\"],\"dry_run\":true}", 404,
            "no-partition", "wbe1");
    refused("POST", "/v1/plan", "{\"kind\":\"optimize\"}", 400, "usage", "optimize");
    refused("PUT", "/v1/partitions/web1/profile", "{\"numa\":\"near\"}", 400, "usage", "numa");
    refused("PUT", "/v1/partitions/web1/profile", "{\"affinity_floor\":101}", 400, "usage",
            "affinity_floor");
    refused("PUT", "/v1/partitions/web1/profile", "{\"affinity_floor_action\":\"fail\"}", 400,
            "usage", "affinity_floor_action");
}

static void
test_rule_and_floor(void **state)
{
    json_t *json = ask_for("Definition", "PUT", "/v1/partitions/web1/profile",
                           "{\"numa\":\"strict:1\",\"affinity_floor\":80,"
                           "\"affinity_floor_action\":\"refuse\"}", 200);
    const char *diff = json_string_value(json_object_get(json, "diff"));
    const json_t *profile;

    (void)state;
    /* The next start is on node 1 and its processors; what runs is left to an optimization. */
    assert_non_null(strstr(diff, "\n+    <memnode cellid='0' mode='preferred' nodeset='1'/>"));
    assert_non_null(strstr(diff, "\n+    <vcpupin vcpu='3' cpuset='16-31'/>"));
    assert_non_null(strstr(diff, "\n+    <emulatorpin cpuset='16-31'/>"));
    json_decref(json);
    json = ask_for("Partition", "GET", "/v1/partitions/web1", NULL, 200);
    profile = json_object_get(json, "profile");
    assert_string_equal(json_string_value(json_object_get(profile, "numa")), "strict:1");
    assert_int_equal(number(profile, "affinity_floor"), 80);
    assert_string_equal(json_string_value(json_object_get(profile, "affinity_floor_action")),
                        "refuse");
    json_decref(json);
}

static void
check_metrics(void)
{
    g_autofree char *text = ask_text("GET", "/v1/metrics", NULL, 200);

    assert_non_null(strstr(text, "\nlpard_affinity_score{partition=\"web1\"} 100.00\n"));
    assert_null(strstr(text, "{partition=\"plain\"}"));
    assert_non_null(strstr(text, "\nlpard_affinity_age_seconds{partition=\"web1\"} "));
    assert_non_null(strstr(text, "\nlpard_host_affinity_score 100.00\n"));
    assert_non_null(strstr(text, "\nlpard_optimize_moved_bytes_total 1073741824\n"));
    assert_non_null(strstr(text, "\nlpard_optimize_runs_total 1\n"));
}

/* The rule says now that web1 belongs on node 1. */
static void
test_optimize(void **state)
{
    json_t *json = ask_for("Operation", "POST", "/v1/optimize", "{\"dry_run\":true}", 200);
    const json_t *optimize = json_object_get(json, "optimize");
    g_autofree char *path = NULL;
    const char *state_name;
    json_int_t moves, id;

    (void)state;
    assert_int_equal(number(json, "id"), 0);
    assert_true(json_is_null(json_object_get(json, "partition")));
    moves = number(optimize, "total_bytes");
    assert_true(moves > 0);
    json_decref(json);
    json = ask_keyed("/v1/optimize", "{\"protect\":[\"db1\"]}", "night-1", 202);
    assert_true(schema_holds(world.document, "Operation", json));
    id = number(json, "id");
    path = g_strdup_printf("/v1/operations/%" JSON_INTEGER_FORMAT "?wait=60", id);
    assert_string_equal(json_string_value(json_object_get(json, "kind")), "optimize");
    json_decref(json);
    json = ask_for("Operation", "GET", path, NULL, 200);
    state_name = json_string_value(json_object_get(json, "state"));
    optimize = json_object_get(json, "optimize");
    if (strcmp(state_name, "done") != 0)
        fail_msg("%s: %s", state_name, json_string_value(json_object_get(json, "message")));
    assert_int_equal(number(optimize, "moved_bytes"), moves);
    assert_int_equal(number(json_object_get(optimize, "host"), "measured_centi"), 10000);
    json_decref(json);
    /* The same once more is the same one, and not for somebody else's body. */
    json = ask_keyed("/v1/optimize", "{\"protect\":[\"db1\"]}", "night-1", 202);
    assert_int_equal(number(json, "id"), id);
    json_decref(json);
    json_decref(ask_keyed("/v1/optimize", "{}", "night-1", 409));
    /* It is in the list, and in that of the partition that it touched, but in no other's. */
    json = ask_for("Operations", "GET", "/v1/operations?state=all&partition=web1", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(json, "operations")), 1);
    json_decref(json);
    json = ask_for("Host", "GET", "/v1/host?contents=1", NULL, 200);
    json_decref(json);
    json = ask_for("Scores", "GET", "/v1/score", NULL, 200);
    optimize = json_array_get(json_object_get(score_of(json, "web1"), "nodes"), 0);
    assert_int_equal(number(optimize, "node"), 1);
    json_decref(json);
    check_metrics();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_rule_and_floor),
        cmocka_unit_test(test_optimize),
    };

    return cmocka_run_group_tests_name("api_numa", tests, begin, end);
}
