/* The whole daemon in this process on a simulated host, asked over its socket. */
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "hotplug/sim.h"
#include "lpard/error.h"
#include "lpard/registry/channel.h"
#include "tests/unit/api_fixture.h"

static const char sim_host[] =
    "{\"seed\": 7, \"cgroup\": \"v2\", \"domains\": ["
    "{\"name\": \"one\", \"run\": \"off\"}, {\"name\": \"two\"}, "
    "{\"name\": \"idle\", \"run\": \"off\"}, {\"name\": \"busy\"}, "
    "{\"name\": \"big\", \"run\": \"off\"}, {\"name\": \"seen\", \"run\": \"off\"}]}";

static const char enable_body[] =
    "{\"cpu\":{\"min\":1,\"desired\":1,\"max\":4},\"mem\":{\"min_bytes\":1073741824,"
    "\"desired_bytes\":1073741824,\"max_bytes\":2147483648}}";

static int
begin(void **state)
{
    (void)state;
    begin_world(sim_host, 1);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    end_world();
    return 0;
}

static void
test_reading(void **state)
{
    struct stat status;

    (void)state;
    json_decref(ask_for("Daemon", "GET", "/v1/", NULL, 200));
    json_decref(ask_for("Host", "GET", "/v1/host", NULL, 200));
    json_decref(ask_for("Domains", "GET", "/v1/domains", NULL, 200));
    json_decref(ask_for("Partitions", "GET", "/v1/partitions", NULL, 200));
    json_decref(ask_for("Operations", "GET", "/v1/operations", NULL, 200));
    json_decref(ask("GET", "/v1/openapi.json", NULL, 200));
    json_decref(ask("GET", "/v1/metrics", NULL, 200));
    assert_int_equal(stat(world.settings.socket, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0666);
}

static void
test_bad_requests(void **state)
{
    (void)state;
    refused("GET", "/v1/nothing", NULL, 404, "usage", "/v1/nothing");
    refused("PATCH", "/v1/host", NULL, 405, "usage", "GET");
    refused("GET", "/v1/host?x=1", NULL, 400, "usage", "\"x\"");
    refused("GET", "/v1/partitions/nobody", NULL, 404, "no-partition", "nobody");
    refused("GET", "/v1/partitions/two", NULL, 409, "not-enabled", "lparctl enable");
    refused("GET", "/v1/operations/abc", NULL, 400, "usage", "abc");
    refused("GET", "/v1/operations/0", NULL, 400, "usage", "0");
    refused("GET", "/v1/operations/999999", NULL, 404, "no-operation", "999999");
    refused("GET", "/v1/operations?state=shut", NULL, 400, "usage", "state");
    refused("GET", "/v1/operations?limit=-1", NULL, 400, "usage", "limit");
    refused("DELETE", "/v1/operations/999999", NULL, 404, "no-operation", "999999");
    refused("PUT", "/v1/partitions/two/profile", "{", 400, "usage", "JSON");
    refused("PUT", "/v1/partitions/two/profile", "[1]", 400, "usage", "object");
    refused("PUT", "/v1/partitions/two/profile", "", 400, "usage", "JSON");
    refused("PUT", "/v1/partitions/two/profile", "{\"cpus\":1}", 400, "usage", "cpus");
    refused("PUT", "/v1/partitions/two/profile", "{\"weight\":1,\"weight\":2}", 400, "usage",
            "JSON");
    refused("PUT", "/v1/partitions/two/profile", "{\"weight\":1}", 400, "usage", "cpu.min");
    refused("POST", "/v1/partitions", "{\"name\":\"two\"}", 409, "conflict", "two");
    refused("POST", "/v1/partitions/two/resize", "{\"cpu\":{\"mode\":\"set\",\"count\":2}}", 409,
            "not-enabled", "two");
    refused("POST", "/v1/plan", "{\"partition\":\"two\"}", 400, "usage", "kind");
    refused("POST", "/v1/move", "{\"requester\":\"root\"}", 400, "usage", "requester");
    refused("DELETE", "/v1/partitions/two/profile", NULL, 409, "not-enabled", "two");
    refused("DELETE", "/v1/partitions/two/profile?dry_run=perhaps", NULL, 409, "not-enabled",
            "two");
}

static void
check_enabled(const char *name, uint64_t generation)
{
    g_autofree char *path = g_strdup_printf("/v1/partitions/%s", name);
    json_t *json = ask_for("Partition", "GET", path, NULL, 200);

    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "profile"),
                                                        "generation")), generation);
    assert_string_equal(json_string_value(json_object_get(json, "profile_state")), "good");
    json_decref(json);
}

static void
test_a_definition_lives(void **state)
{
    const char *path = "/v1/partitions/one/profile";
    json_t *json;
    g_autofree char *dry = g_strconcat("{\"dry_run\":true,", enable_body + 1, NULL);

    (void)state;
    json = ask_for("Definition", "PUT", path, dry, 200);
    assert_true(*json_string_value(json_object_get(json, "diff")));
    json_decref(json);
    refused("GET", "/v1/partitions/one", NULL, 409, "not-enabled", "one");

    json_decref(ask_for("Definition", "PUT", path, enable_body, 200));
    check_enabled("one", 1);
    json_decref(ask_for("Definition", "PUT", path, "{\"weight\":7,\"cpu\":{\"max\":6}}", 200));
    check_enabled("one", 2);
    refused("PUT", path, "{\"cpu\":{\"desired\":99}}", 422, "refused", "");
    check_enabled("one", 2);
    json_decref(ask_for("Partition", "PUT", "/v1/partitions/one/hold", NULL, 200));
    json_decref(ask_for("Partition", "DELETE", "/v1/partitions/one/hold", NULL, 200));
    check_enabled("one", 4);
    json_decref(ask_for("Check", "GET", "/v1/partitions/one/check", NULL, 200));
    json_decref(ask_for("Profile", "GET", path, NULL, 200));
    refused("POST", "/v1/partitions/one/profile/restore", NULL, 409, "conflict", "order");
    json_decref(ask_for("Partition", "POST", "/v1/partitions/one/start", NULL, 200));
    refused("POST", "/v1/partitions/one/start", NULL, 409, "conflict", "already");
    json = ask_for("Definition", "DELETE", path, NULL, 200);
    assert_non_null(strstr(json_string_value(json_array_get(json_object_get(json, "next_start"),
                                                            0)), "from before `enable`"));
    json_decref(json);
    refused("GET", "/v1/partitions/one", NULL, 409, "not-enabled", "one");
}

static char *
domain_xml(const char *name, bool inactive)
{
    LpConn *conn = lp_driver_sim.open(world.settings.uri, NULL);
    char *xml;

    assert_non_null(conn);
    xml = lp_driver_sim.get_xml(conn, lp_registry_find(world.registry, name, NULL)->uuid,
                                inactive, NULL);
    lp_driver_sim.close(conn);
    assert_non_null(xml);
    return xml;
}

static void
xml_says(const char *name, bool inactive, const char *text, bool wanted)
{
    g_autofree char *xml = domain_xml(name, inactive);

    if ((strstr(xml, text) != NULL) != wanted)
        fail_msg("%s \"%s\" in the %s XML of %s:\n%s", wanted ? "no" : "there is", text,
                 inactive ? "inactive" : "live", name, xml);
}

/* Only the element changes: by a generation, and to the newer schema and back. */
static void
test_autoscale(void **state)
{
    const char *path = "/v1/partitions/one/profile";
    const char *set = "{\"autoscale\":{\"mode\":\"advise\",\"schedules\":"
                      "[\"weekends 08:00-18:00 max cpu=1\"]}}";
    g_autofree char *dry = g_strconcat("{\"dry_run\":true,", set + 1, NULL);
    json_t *json;

    (void)state;
    json_decref(ask_for("Definition", "PUT", path, enable_body, 200));
    xml_says("one", true, "version=\"1\"", true);
    json = ask_for("Definition", "PUT", path, dry, 200);
    assert_non_null(strstr(json_string_value(json_object_get(json, "diff")), "mode=\"advise\""));
    json_decref(json);
    json = ask_for("Definition", "PUT", path, set, 200);
    assert_int_equal(json_array_size(json_object_get(json, "next_start")), 0);
    json_decref(json);
    json = ask_for("Profile", "GET", path, NULL, 200);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "autoscale"),
                                                          "mode")), "advise");
    assert_int_equal(json_integer_value(json_object_get(json, "version")), 2);
    json_decref(json);
    xml_says("one", true, "when=\"weekends 08:00-18:00 max cpu=1\"", true);
    xml_says("one", true, "version=\"2\"", true);
    refused("PUT", path, "{\"autoscale\":{\"mode\":\"on\"}}", 400, "usage", "autoscale.mode");
    refused("PUT", path, "{\"autoscale\":{\"schedules\":[\"daily 00:00-24:00 min cpu=99\"]}}",
            422, "refused", "min cpu=99");
    json_decref(ask_for("Definition", "PUT", path, "{\"weight\":9}", 200));
    xml_says("one", true, "mode=\"advise\"", true);
    json_decref(ask_for("Definition", "PUT", path,
                        "{\"autoscale\":{\"mode\":\"off\",\"schedules\":[]}}", 200));
    xml_says("one", true, "version=\"1\"", true);
    xml_says("one", true, "autoscale", false);
    json = ask_for("Profile", "GET", path, NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(json, "generation")), 4);
    json_decref(json);
    json_decref(ask_for("Definition", "DELETE", path, NULL, 200));
}

static void
test_capacity_is_in_force(void **state)
{
    const char *path = "/v1/partitions/idle/profile";
    g_autofree char *capped = g_strconcat("{\"entitled_centi\":50,\"capped\":true,",
                                          enable_body + 1, NULL);
    g_autofree char *new = g_strconcat("{\"name\":\"new\",\"disk\":\"/d.qcow2\","
                                       "\"entitled_centi\":70,", enable_body + 1, NULL);

    (void)state;
    /* Off: from the next start on. */
    json_decref(ask_for("Definition", "PUT", path, capped, 200));
    xml_says("idle", true, "<shares>50</shares>", true);
    xml_says("idle", true, "<global_quota>60000</global_quota>", true);
    json_decref(ask_for("Partition", "POST", "/v1/partitions/idle/start", NULL, 200));
    xml_says("idle", false, "<shares>50</shares>", true);
    xml_says("idle", false, "<global_quota>60000</global_quota>", true);
    /* Edited while it runs, also together with another shape: both now and then. */
    json_decref(ask_for("Definition", "PUT", path,
                        "{\"entitled_centi\":80,\"cpu\":{\"max\":6}}", 200));
    for (unsigned inactive = 0; inactive < 2; inactive++) {
        xml_says("idle", inactive, "<shares>80</shares>", true);
        xml_says("idle", inactive, "<global_quota>90000</global_quota>", true);
    }
    /* And back. */
    json_decref(ask_for("Definition", "DELETE", path, NULL, 200));
    xml_says("idle", false, "<shares>100</shares>", true);
    xml_says("idle", false, "<global_quota>90000</global_quota>", false);
    xml_says("idle", true, "<shares>", false);
    /* Enabled while it runs. */
    json_decref(ask_for("Definition", "PUT", path, capped, 200));
    xml_says("idle", false, "<shares>50</shares>", true);
    json_decref(ask_for("Definition", "DELETE", path, NULL, 200));
    /* Defined. */
    json_decref(ask_for("Definition", "POST", "/v1/partitions", new, 201));
    xml_says("new", true, "<shares>70</shares>", true);
}

/* Who reads it knows what to write instead. */
static void
on_kept(const GError *error, void *data)
{
    assert_null(error);
    *(bool *)data = true;
}

static bool
is_set(void *data)
{
    return *(bool *)data;
}

/* Of the journal too, where it is filed under the partition that gave. */
static void
test_a_receiver_has_its_moves(void **state)
{
    const char *giver = lp_registry_find(world.registry, "one", NULL)->uuid;
    const char *receiver = lp_registry_find(world.registry, "idle", NULL)->uuid;
    struct {
        const char *name;
        bool wanted;
    } rows[] = {{"one", true}, {"idle", true}, {"two", false}};
    int64_t id = lp_journal_next_id(world.journal);
    bool kept = false;

    (void)state;
    lp_journal_put_operation(world.journal, id, giver, NULL, false,
                             json_pack("{s:I, s:[{s:s}, {s:s}]}", "id", (json_int_t)id, "legs",
                                       "uuid", giver, "uuid", receiver), on_kept, &kept);
    until(is_set, &kept);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strconcat("/v1/operations?partition=", rows[i].name, NULL);
        json_t *json = ask("GET", path, NULL, 200);
        const json_t *list = json_object_get(json, "operations");
        unsigned n = 0;

        for (size_t k = 0; k < json_array_size(list); k++)
            n += json_integer_value(json_object_get(json_array_get(list, k), "id")) == id;
        assert_int_equal(n, rows[i].wanted);
        json_decref(json);
    }
}

static void
test_bad_fields_name_their_range(void **state)
{
    const char *path = "/v1/partitions/two/resize";

    (void)state;
    refused("POST", path, "{\"cpu\":{\"mode\":\"set\",\"count\":5000}}", 400, "usage",
            "\"count\" must be a whole number from 0 to 1024");
    refused("POST", path, "{\"cpu\":{\"mode\":\"grow\",\"count\":5}}", 400, "usage",
            "\"mode\" must be \"set\", \"add\" or \"remove\"");
    refused("POST", path, "{\"mem\":{\"mode\":\"set\"}}", 400, "usage", "and \"bytes\"");
    refused("POST", path, "{\"cpu\":{\"mode\":\"set\",\"count\":2},\"via\":\"rail\"}", 400, "usage",
            "\"dimm\" or \"balloon\"");
}

static void
test_operations(void **state)
{
    json_t *json;
    g_autofree char *path = NULL;
    static const char resize[] = "{\"cpu\":{\"mode\":\"set\",\"count\":2},"
                                 "\"mem\":{\"mode\":\"add\",\"bytes\":134217728}}";

    (void)state;
    json_decref(ask_for("Definition", "PUT", "/v1/partitions/two/profile", enable_body, 200));
    json = ask_for("Operation", "POST", "/v1/plan",
                   "{\"kind\":\"resize\",\"partition\":\"two\","
                   "\"cpu\":{\"mode\":\"set\",\"count\":2}}", 200);
    assert_int_equal(json_integer_value(json_object_get(json, "id")), 0);
    json_decref(json);
    json = ask_for("Operation", "POST", "/v1/partitions/two/resize", resize, 202);
    path = g_strdup_printf("/v1/operations/%" JSON_INTEGER_FORMAT "?wait=30",
                           json_integer_value(json_object_get(json, "id")));
    json_decref(json);
    json = ask_for("Operation", "GET", path, NULL, 200);
    assert_string_equal(json_string_value(json_object_get(json, "state")), "done");
    json_decref(json);
    json = ask_for("Operations", "GET", "/v1/operations?partition=two&limit=5", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(json, "operations")), 1);
    json_decref(json);
    json = ask_for("Partition", "GET", "/v1/partitions/two", NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "cpu"),
                                                        "granted")), 2);
    json_decref(json);
}

/* A bare connection, for what a proper client would not do. */
static GSocket *
dial(const char *text)
{
    GSocket *sock = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, NULL);
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(world.settings.socket);

    assert_true(g_socket_connect(sock, address, NULL, NULL));
    assert_int_equal(g_socket_send(sock, text, strlen(text), NULL, NULL), strlen(text));
    g_socket_set_blocking(sock, FALSE);
    return sock;
}

typedef struct {
    GSocket *sock;
    GString *text;
    const char *word;
    bool closed;
} Reading;

static bool
has_word(void *data)
{
    Reading *reading = data;
    char buffer[4096];
    gssize n;

    while ((n = g_socket_receive(reading->sock, buffer, sizeof buffer, NULL, NULL)) > 0)
        g_string_append_len(reading->text, buffer, n);
    reading->closed = reading->closed || n == 0;
    return reading->word ? strstr(reading->text->str, reading->word) != NULL || reading->closed
                         : reading->closed;
}

static gboolean
tick(void *data)
{
    (void)data;
    return G_SOURCE_CONTINUE;
}

/* Iterates the loop until the word has come (NULL: until the other end closes). */
static void
read_until(Reading *reading, const char *word)
{
    guint source = g_timeout_add(5, tick, NULL);

    reading->word = word;
    until(has_word, reading);
    g_source_remove(source);
    if (word && !strstr(reading->text->str, word))
        fail_msg("closed before \"%s\": %s", word, reading->text->str);
}

static void
reading_clear(Reading *reading)
{
    g_object_unref(reading->sock);
    g_string_free(reading->text, TRUE);
}

static void
test_long_bodies_are_cut_early(void **state)
{
    static const char *const heads[] = {
        /* By its length, before a byte of it has come. */
        "POST /v1/move HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n",
        /* Without a length: by what has come; the end never does. */
        "POST /v1/move HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n12000\r\n",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
        g_autofree char *filler = g_strnfill(i ? 0x11000 : 0, ' ');
        g_autofree char *text = g_strconcat(heads[i], filler, NULL);
        Reading reading = {.sock = dial(text), .text = g_string_new(NULL)};

        read_until(&reading, "longer");
        assert_non_null(strstr(reading.text->str, "HTTP/1.1 413 "));
        read_until(&reading, NULL);
        reading_clear(&reading);
    }
    /* And the server lives. */
    json_decref(ask_for("Daemon", "GET", "/v1/", NULL, 200));
}

static void
test_events_stream(void **state)
{
    uint64_t number = lp_events_last(world.events);
    g_autofree char *resume = NULL, *wanted = NULL;
    Reading live = {.sock = dial("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"),
                    .text = g_string_new(NULL)};
    Reading filtered = {.sock = dial("GET /v1/events?partition=a HTTP/1.1\r\nHost: x\r\n\r\n"),
                        .text = g_string_new(NULL)};
    Reading resumed = {.text = g_string_new(NULL)}, lost = {.text = g_string_new(NULL)};

    (void)state;
    read_until(&live, "text/event-stream");
    read_until(&filtered, ": \n\n");
    lp_events_emit(world.events, "agent", json_pack("{s:s}", "partition", "b"));
    lp_events_emit(world.events, "agent", json_pack("{s:s}", "partition", "a"));
    wanted = g_strdup_printf("id: %" G_GUINT64_FORMAT "\nevent: agent\ndata: ", number + 2);
    read_until(&live, wanted);
    read_until(&filtered, wanted);
    assert_null(strstr(filtered.text->str, "\"b\""));
    resume = g_strdup_printf("GET /v1/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: %"
                             G_GUINT64_FORMAT "\r\n\r\n", number + 1);
    resumed.sock = dial(resume);
    read_until(&resumed, wanted);
    assert_null(strstr(resumed.text->str, "\"b\""));
    lost.sock = dial("GET /v1/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 1\r\n\r\n");
    read_until(&lost, "event: lost\n");
    reading_clear(&lost);
    reading_clear(&resumed);
    reading_clear(&filtered);
    reading_clear(&live);
}

/* One that does not read: cut off, and told so when it reads at last. */
/* Journal and domain change one after the other: nobody is to be told that a profile is lost. */
static void
test_changes_lose_no_profile(void **state)
{
    const char *path = "/v1/partitions/busy/profile";
    Reading reading = {.sock = dial("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"),
                       .text = g_string_new(NULL)};

    (void)state;
    read_until(&reading, "\r\n\r\n");
    for (unsigned i = 0; i < 20; i++) {
        json_decref(ask_for("Definition", "PUT", path, enable_body, 200));
        json_decref(ask_for("Definition", "PUT", path, "{\"weight\":9}", 200));
        json_decref(ask_for("Definition", "DELETE", path, NULL, 200));
        refused("GET", "/v1/partitions/busy", NULL, 409, "not-enabled", "busy");
    }
    until(quiet_but_streams, NULL);
    json_decref(ask_for("Definition", "PUT", path, enable_body, 200));
    json_decref(ask_for("Definition", "PUT", path, "{\"weight\":77}", 200));
    json_decref(ask_for("Definition", "DELETE", path, NULL, 200));
    refused("GET", "/v1/partitions/busy", NULL, 409, "not-enabled", "busy");
    read_until(&reading, "\"good\"");
    until(quiet_but_streams, NULL);
    read_until(&reading, "\"none\"");
    if (strstr(reading.text->str, "\"lost\"") || strstr(reading.text->str, "\"older\"") ||
        strstr(reading.text->str, "config-lost"))
        fail_msg("%s", reading.text->str);
    reading_clear(&reading);
}

/* Another boot memory than that which runs: no drift, when it starts as desired. */
static void
test_next_start_is_the_definitions(void **state)
{
    json_t *json;

    (void)state;
    json_decref(ask_for("Definition", "PUT", "/v1/partitions/busy/profile",
                        "{\"cpu\":{\"min\":1,\"desired\":1,\"max\":4},\"mem\":{"
                        "\"min_bytes\":2147483648,\"desired_bytes\":3221225472,"
                        "\"max_bytes\":4294967296}}", 200));
    json = ask_for("Partition", "GET", "/v1/partitions/busy", NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "next_start"),
                                                        "mem_bytes")), 3221225472);
    json_decref(json);
    json_decref(ask_for("Definition", "DELETE", "/v1/partitions/busy/profile", NULL, 200));
}

static void
test_start_needs_room(void **state)
{
    const char *path = "/v1/partitions/big/profile", *start = "/v1/partitions/big/start";

    (void)state;
    json_decref(ask_for("Definition", "PUT", path,
                        "{\"cpu\":{\"min\":1,\"desired\":16,\"max\":16},\"entitled_centi\":1600,"
                        "\"mem\":{\"min_bytes\":34359738368,\"desired_bytes\":68719476736,"
                        "\"max_bytes\":68719476736}}", 200));
    refused("POST", start, NULL, 422, "refused", "64 GiB to start");
    json_decref(ask_for("Definition", "PUT", path, "{\"mem\":{\"desired_bytes\":34359738368}}",
                        200));
    refused("POST", start, NULL, 422, "refused", "entitlement of 16");
    refused("POST", "/v1/partitions",
            "{\"name\":\"more\",\"disk\":\"/d\",\"start\":true,"
            "\"cpu\":{\"min\":1,\"desired\":1,\"max\":1},"
            "\"mem\":{\"min_bytes\":68719476736,\"desired_bytes\":68719476736,"
            "\"max_bytes\":68719476736}}", 422, "refused", "to start");
    json_decref(ask_for("Definition", "PUT", path, "{\"entitled_centi\":100}", 200));
    json_decref(ask_for("Partition", "POST", start, NULL, 200));
}

static void
test_pools(void **state)
{
    const char *pool = "/v1/pools/web", *member = "/v1/partitions/pooled/pool";
    g_autofree char *new = g_strconcat("{\"name\":\"pooled\",\"disk\":\"/d.qcow2\",",
                                       enable_body + 1, NULL);
    json_t *json;

    (void)state;
    json_decref(ask_for("Definition", "POST", "/v1/partitions", new, 201));
    refused("PUT", pool, "{\"reserved_centi\":1}", 400, "usage", "max_centi");
    refused("PUT", pool, "{\"max_centi\":4}", 400, "usage", "0.05");
    refused("PUT", pool, "{\"max_centi\":-1}", 400, "usage", "max_centi");
    refused("PUT", pool, "{\"max_centi\":100,\"size\":1}", 400, "usage", "size");
    refused("PUT", pool, "{\"max_centi\":100,\"new\":false}", 404, "no-partition", "web");
    refused("PUT", "/v1/pools/a-b", "{\"max_centi\":100}", 400, "usage", "letter");
    refused("PUT", pool, "{\"max_centi\":1700}", 422, "refused", "16");
    refused("GET", pool, NULL, 404, "no-partition", "web");
    json_decref(ask_for("Pool", "PUT", pool, "{\"max_centi\":400,\"new\":true}", 200));
    refused("PUT", pool, "{\"max_centi\":300,\"new\":true}", 409, "conflict", "already");
    json = ask_for("Pool", "PUT", pool, "{\"reserved_centi\":50}", 200);
    assert_int_equal(json_integer_value(json_object_get(json, "max_centi")), 400);
    assert_int_equal(json_integer_value(json_object_get(json, "reserved_centi")), 50);
    json_decref(json);

    refused("PUT", member, "{\"pool\":\"none\"}", 404, "no-partition", "none");
    refused("PUT", member, "{\"pool\":7}", 400, "usage", "pool");
    refused("PUT", "/v1/partitions/nobody/pool", "{\"pool\":\"web\"}", 404, "no-partition", "");
    json = ask_for("Membership", "PUT", member, "{\"pool\":\"web\"}", 200);
    assert_string_equal(json_string_value(json_object_get(json, "effective")), "now");
    json_decref(json);
    xml_says("pooled", true, "<partition>/machine/web</partition>", true);
    json_decref(ask_for("Partition", "POST", "/v1/partitions/pooled/start", NULL, 200));
    json = ask_for("Pools", "GET", "/v1/pools", NULL, 200);
    assert_true(json_is_true(json_object_get(json, "usable")));
    assert_int_equal(json_array_size(json_object_get(json, "pools")), 1);
    json_decref(json);
    refused("DELETE", pool, NULL, 409, "conflict", "leave");
    json = ask_for("Membership", "DELETE", member, NULL, 200);
    assert_string_equal(json_string_value(json_object_get(json, "effective")), "next-start");
    assert_string_equal(json_string_value(json_object_get(json, "now")), "web");
    json_decref(json);
    xml_says("pooled", true, "<partition>", false);
    xml_says("pooled", false, "<partition>/machine/web</partition>", true);
    json = ask_for("Pool", "GET", pool, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(json, "members")), 1);
    json_decref(json);
    refused("DELETE", pool, NULL, 409, "conflict", "running");
    /* What ceased to be a partition may still leave, and not join. */
    json_decref(ask_for("Membership", "PUT", member, "{\"pool\":\"web\"}", 200));
    json_decref(ask_for("Definition", "DELETE", "/v1/partitions/pooled/profile", NULL, 200));
    xml_says("pooled", true, "<partition>/machine/web</partition>", true);
    refused("PUT", member, "{\"pool\":\"web\"}", 409, "not-enabled", "pooled");
    json_decref(ask_for("Membership", "DELETE", member, NULL, 200));
    xml_says("pooled", true, "<partition>", false);
}

static void
test_slow_streams_lose(void **state)
{
    Reading slow = {.sock = dial("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"),
                    .text = g_string_new(NULL)};
    g_autofree char *big = g_strnfill(8192, 'x');

    (void)state;
    read_until(&slow, ": \n\n");
    for (unsigned i = 0; i < 1000; i++) {
        lp_events_emit(world.events, "agent", json_pack("{s:s}", "big", big));
        g_main_context_iteration(NULL, FALSE);
    }
    read_until(&slow, "event: lost\n");
    read_until(&slow, NULL);
    assert_true(slow.text->len < 3 * 1024 * 1024);
    reading_clear(&slow);
    json_decref(ask_for("Daemon", "GET", "/v1/", NULL, 200));
}

/* Clients that go away in the middle leave nothing behind (the sanitizer watches). */
static void
test_clients_that_vanish(void **state)
{
    static const char *const requests[] = {
        "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/move HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n",
        "PUT /v1/partitions/two/hold HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/partitions HTTP/1.1\r\n", "\r\n\r\n\r\n", "rubbish\r\n\r\n",
        "GET /v1/host HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    unsigned seed = 20261123;

    (void)state;
    print_message("# seed %u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < 100; i++) {
        GSocket *sock = dial(requests[(unsigned)rand() % G_N_ELEMENTS(requests)]);

        for (int n = rand() % 8; n > 0; n--)
            g_main_context_iteration(NULL, FALSE);
        g_object_unref(sock);
    }
    json_decref(ask_for("Daemon", "GET", "/v1/", NULL, 200));
}

static bool
link_is_open(void *name)
{
    const LpPartition *partition = lp_registry_find(world.registry, name, NULL);

    return partition->channel && lp_channel_connected(partition->channel);
}

static const LpGuest *
guest_of(const char *name)
{
    return &lp_registry_find(world.registry, name, NULL)->guest;
}

static bool
pressure_is_known(void *name)
{
    return guest_of(name)->has_pressure;
}

static bool
agent_is_lost(void *name)
{
    return !guest_of(name)->connected;
}

static const json_t *
named(const json_t *guest, const char *list, const char *name)
{
    const json_t *array = json_object_get(guest, list);

    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *one = json_array_get(array, i);

        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return one;
    }
    fail_msg("there is no %s in %s", name, list);
    return NULL;
}

static void
check_no_guest(const char *path, const char *agent)
{
    json_t *json = ask_for("Guest", "GET", path, NULL, 200);

    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "agent"),
                                                          "state")), agent);
    assert_true(json_is_null(json_object_get(json, "hypervisor")));
    assert_true(json_is_null(json_object_get(json, "pressure")));
    assert_int_equal(json_array_size(json_object_get(json, "features")), 0);
    assert_int_equal(json_array_size(json_object_get(json, "abilities")), 0);
    json_decref(json);
}

static void
check_metrics(bool told)
{
    g_autofree char *text = ask_text("GET", "/v1/metrics", NULL, 200);

    assert_true(told == (strstr(text, "lpard_guest_cpu_centi{partition=\"seen\",figure=\"busy\"} "
                                      "500\n") != NULL));
}

static void
test_guest(void **state)
{
    const char *path = "/v1/partitions/seen/guest", *profile = "/v1/partitions/seen/profile";
    static char name[] = "seen";
    const json_t *feature;
    json_t *json;

    (void)state;
    refused("GET", "/v1/partitions/nobody/guest", NULL, 404, "no-partition", "nobody");
    refused("GET", path, NULL, 409, "not-enabled", "lparctl enable");
    refused("GET", "/v1/partitions/seen/guest?x=1", NULL, 400, "usage", "\"x\"");
    json_decref(ask_for("Definition", "PUT", profile, enable_body, 200));
    check_no_guest(path, "absent");
    assert_true(lp_sim_tell(world.settings.uri, name, "{\"agent_silent\": true}", NULL));
    json_decref(ask_for("Partition", "POST", "/v1/partitions/seen/start", NULL, 200));
    until(link_is_open, name);
    check_no_guest(path, "silent");
    assert_true(lp_sim_tell(world.settings.uri, name, "{\"agent_silent\": false}", NULL));
    until(pressure_is_known, name);
    json = ask_for("Guest", "GET", path, NULL, 200);
    assert_string_equal(json_string_value(json_object_get(json, "hypervisor")), "kvm");
    feature = named(json, "features", "virtio-mem");
    assert_string_equal(json_string_value(json_object_get(feature, "state")), "yes");
    assert_true(json_is_null(json_object_get(feature, "cure")));
    feature = named(json, "features", "free-page-reporting");
    assert_string_equal(json_string_value(json_object_get(feature, "state")), "no");
    assert_non_null(strstr(json_string_value(json_object_get(feature, "cure")),
                           "freePageReporting"));
    feature = named(json, "features", "cgroups");
    assert_string_equal(json_string_value(json_object_get(feature, "state")), "unknown");
    assert_string_equal(json_string_value(json_object_get(named(json, "abilities",
                                                                "memory-shrink"), "able")),
                        "yes");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "pressure"),
                                                        "busy_centi")), 500);
    json_decref(json);
    json = ask_for("Partition", "GET", "/v1/partitions/seen", NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "agent"),
                                                        "working_set_bytes")),
                     guest_of(name)->pressure.working_set_bytes);
    json_decref(json);
    check_metrics(true);
    /* With its guest gone nothing old is told. */
    assert_true(lp_sim_tell(world.settings.uri, name, "{\"do\": \"stop\"}", NULL));
    until(agent_is_lost, name);
    check_no_guest(path, "absent");
    check_metrics(false);
    json_decref(ask_for("Definition", "DELETE", profile, NULL, 200));
}

static void
test_second_lpard(void **state)
{
    GError *error = NULL;

    (void)state;
    assert_null(lp_api_new(&world.settings, world.registry, world.engine, world.journal,
                           world.events, &error));
    assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_CONFLICT));
    assert_non_null(strstr(error->message, "second lpard"));
    g_error_free(error);
    json_decref(ask_for("Daemon", "GET", "/v1/", NULL, 200));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_a_definition_lives),
        cmocka_unit_test(test_autoscale),
        cmocka_unit_test(test_capacity_is_in_force),
        cmocka_unit_test(test_a_receiver_has_its_moves),
        cmocka_unit_test(test_bad_fields_name_their_range),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_long_bodies_are_cut_early),
        cmocka_unit_test(test_events_stream),
        cmocka_unit_test(test_changes_lose_no_profile),
        cmocka_unit_test(test_next_start_is_the_definitions),
        cmocka_unit_test(test_start_needs_room),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_slow_streams_lose),
        cmocka_unit_test(test_clients_that_vanish),
        cmocka_unit_test(test_guest),
        cmocka_unit_test(test_second_lpard),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
