/* What lparctl shows of the NUMA engine: scores, optimizations, nodes as a table and a picture. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <libxml/parser.h>

#include "lpard/ctl/picture.h"
#include "lpard/ctl/text.h"
#include "tests/unit/test_ctl_server.h"

#define GIB (1ULL << 30)

#define SCORE(name, score, predicted, agreement, nodes, remarks)                              \
    "{\"partition\":\"" name "\",\"uuid\":\"u-" name "\",\"run\":\"running\",\"score_centi\":" \
    score ",\"predicted_centi\":" predicted ",\"local_centi\":5000,\"best_centi\":10000,"     \
    "\"agreement_centi\":" agreement ",\"memory_bytes\":4294967296,\"nodes\":" nodes ","      \
    "\"remarks\":" remarks "}"
#define SCORES                                                                                 \
    "{\"host\":{\"score_centi\":7049,\"predicted_centi\":9999},\"partitions\":["               \
    SCORE("batch", "10000", "10000", "null",                                    \
          "[{\"node\":0,\"bytes\":10,\"cpu_permyriad\":10000}]", "[]") ","                                                                            \
    SCORE("web1", "4010", "9999", "2500",                                                     \
          "[{\"node\":0,\"bytes\":400,\"cpu_permyriad\":10000},"                              \
          "{\"node\":33,\"bytes\":600,\"cpu_permyriad\":0}]",                                  \
          "[\"cell 1 lies on node 0\\u001b[2J\"]") "],\"connected\":true}"

/* One way in two pieces. */
#define MOVES "[{\"cell\":0,\"from\":33,\"to\":0,\"bytes\":4294967296},"                    \
              "{\"cell\":0,\"from\":33,\"to\":0,\"bytes\":2147483648},"                    \
              "{\"cell\":null,\"from\":null,\"to\":0,\"bytes\":1048576}]"
#define OPTIMIZE(state, exit, version, phase, moved, measured, message)                       \
    "{\"id\":17,\"kind\":\"optimize\",\"state\":\"" state "\",\"exit_status\":" exit ","      \
    "\"partition\":null,\"to\":null,\"message\":" message ",\"confirm\":\"host\","            \
    "\"remarks\":[],\"version\":" version ",\"timing\":{\"total_msec\":4200},\"legs\":[],"     \
    "\"optimize\":{\"host\":{\"before_centi\":4030,\"predicted_centi\":9820,"                \
    "\"measured_centi\":" measured "},\"total_bytes\":6443499520,\"moved_bytes\":" moved ","  \
    "\"rate_bytes\":536870912,\"left_msec\":8000,\"phase\":\"" phase "\",\"paused\":null,"     \
    "\"partition\":\"web1\",\"partitions\":[{\"partition\":\"web1\",\"before_centi\":4010,"   \
    "\"predicted_centi\":9999,\"measured_centi\":" measured ",\"total_bytes\":6443499520,"     \
    "\"moved_bytes\":" moved ",\"stuck\":{\"busy\":1048576,\"shared\":2097152},\"pins\":true," \
    "\"state\":\"" state "\",\"reason\":\"3 MiB stay: busy or shared\",\"moves\":" MOVES "},"  \
    "{\"partition\":\"batch\",\"state\":\"stays\",\"reason\":\"its rule is keep\","           \
    "\"moves\":[]}]}}"

#define HOST                                                                                   \
    "{\"uri\":\"sim:x\",\"connected\":true,\"topology\":{\"nodes\":["                          \
    "{\"id\":0,\"package\":0,\"tier\":\"normal\",\"cpus\":\"0-3\",\"n_cpus\":4,"              \
    "\"memory_bytes\":8589934592,\"granted_bytes\":4294967296,\"free_bytes\":4294967296,"      \
    "\"reserve_bytes\":536870912,\"memory_cache_bytes\":0},"                                   \
    "{\"id\":33,\"package\":0,\"tier\":\"slow\",\"cpus\":\"\",\"n_cpus\":0,"                  \
    "\"memory_bytes\":17179869184,\"granted_bytes\":0,\"free_bytes\":17179869184,"             \
    "\"reserve_bytes\":0,\"memory_cache_bytes\":1073741824}],"                                \
    "\"distances\":[[10,17],[28,10]],\"distances_known\":true,\"packages\":1,\"cpus\":4,"     \
    "\"nodes_offline\":1,\"cpus_offline\":0,\"cpus_forbidden\":2},\"contents\":["              \
    "{\"partition\":\"web1\",\"managed\":true,\"measured\":true,\"vcpus\":2,\"nodes\":["      \
    "{\"node\":0,\"bytes\":3221225472,\"cpu_permyriad\":7500},"                               \
    "{\"node\":33,\"bytes\":1073741824,\"cpu_permyriad\":2500}]},"                            \
    "{\"partition\":\"db1\",\"managed\":true,\"measured\":false,\"vcpus\":0,"                 \
    "\"nodes\":[]}]}"

static Ran
run(FakeServer *server, const char *answer, const char *line)
{
    fake_server_answer(server, 200, answer);
    return run_lparctl(server, line);
}

static void
expect(FakeServer *server, const char *answer, const char *line, const char *asked,
       const char *out)
{
    g_autofree char *got = NULL;
    Ran ran = run(server, answer, line);

    got = fake_server_asked(server);
    assert_string_equal(got, asked);
    assert_string_equal(ran.err, "");
    assert_string_equal(ran.out, out);
    assert_int_equal(ran.status, 0);
    ran_clear(&ran);
}

static void
test_score(void **state)
{
    expect(*state, SCORES, "score", "GET /v1/score\n",
           "host: score 70.4, predicted 99.9\n"
           "PARTITION  SCORE  PREDICTED  LOCAL   BEST  AGREEMENT  MEMORY  MEMORY ON     VCPUS ON\n"
           "batch      100.0      100.0   50.0  100.0          -   4 GiB  0:100%        0:100%\n"
           "web1        40.1       99.9   50.0  100.0       25.0   4 GiB  33:60% 0:40%  0:100%\n"
           "  - web1: cell 1 lies on node 0?[2J\n");
    expect(*state, SCORES, "score batch --fresh", "GET /v1/score?fresh=1\n",
           "host: score 70.4, predicted 99.9\n"
           "PARTITION  SCORE  PREDICTED  LOCAL   BEST  AGREEMENT  MEMORY  MEMORY ON  VCPUS ON\n"
           "batch      100.0      100.0   50.0  100.0          -   4 GiB  0:100%     0:100%\n");
    expect(*state, SCORES, "score -o json", "GET /v1/score\n", SCORES "\n");
    expect(*state, "{\"host\":{\"score_centi\":null},\"partitions\":[]}", "score",
           "GET /v1/score\n",
           "host: score -, predicted -\nNo partition runs, so nothing lies anywhere.\n");
}

/* What holds for many is said once. */
static void
test_remarks(void **state)
{
    g_autoptr(GString) answer = g_string_new("{\"partitions\":[");
    Ran ran;

    for (int i = 0; i < 9; i++)
        g_string_append_printf(answer, "%s{\"partition\":\"p%d\",\"remarks\":[\"%s\"]}",
                               i ? "," : "", i, i == 5 ? "alone" : "it stays");
    g_string_append(answer, "]}");
    ran = run(*state, answer->str, "score");
    assert_non_null(strstr(ran.out, "\n  - p0, p1, p2, p3 and 4 more: it stays\n"
                                    "  - p5: alone\n"));
    ran_clear(&ran);
    ran = run(*state, answer->str, "score p0 p1 p5");
    assert_non_null(strstr(ran.out, "\n  - p0, p1: it stays\n  - p5: alone\n"));
    ran_clear(&ran);
}

/* Of the names that have no score lpard says what they are. */
static void
test_score_names(void **state)
{
    FakeServer *server = *state;
    g_autofree char *asked = NULL;
    Ran ran;

    fake_server_answer(server, 200, SCORES);
    fake_server_answer(server, 404, "{\"detail\":\"no partition is called wbe1: web1?\","
                                    "\"code\":\"no-partition\"}");
    ran = run_lparctl(server, "score u-web1 wbe1");
    asked = fake_server_asked(server);
    assert_string_equal(asked, "GET /v1/score\nGET /v1/partitions/wbe1\n");
    assert_string_equal(ran.err, "lparctl: no partition is called wbe1: web1?\n");
    assert_string_equal(ran.out, "");
    assert_int_equal(ran.status, 1);
    ran_clear(&ran);
    fake_server_answer(server, 200, SCORES);
    fake_server_answer(server, 200, "{\"name\":\"db\",\"run\":\"off\"}");
    ran = run_lparctl(server, "score db");
    assert_non_null(strstr(ran.err, "db has no score: only what runs lies somewhere, and it is "
                                    "off\n"));
    assert_int_equal(ran.status, 1);
    ran_clear(&ran);
    ran = run(server, SCORES, "score web1 -o json");
    assert_null(strstr(ran.out, "batch"));
    assert_non_null(strstr(ran.out, "\"partition\":\"web1\""));
    assert_non_null(strstr(ran.out, "\"host\":{\"score_centi\":7049"));
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

static void
test_optimize_plan(void **state)
{
    expect(*state, OPTIMIZE("queued", "9", "0", "planning", "0", "null", "null"),
           "optimize --dry-run --request web1,u-2 --protect db --min-gain 2.5 --max-bytes 64G",
           "POST /v1/optimize {\"request\":[\"web1\",\"u-2\"],\"protect\":[\"db\"],"
           "\"min_gain_centi\":250,\"max_bytes\":68719476736,\"dry_run\":true}\n",
           "Dry run: nothing is changed.\n"
           "host: score 40.3, predicted 98.2, 6.00 GiB to move\n"
           "PARTITION   NOW  PREDICTED   TO MOVE  VCPUS\n"
           "web1       40.1       99.9  6.00 GiB  pinned anew\n"
           "  web1: 6 GiB of cell 0 from node 33 to 0, 1 MiB of QEMU's own to node 0\n"
           "  - web1: 3 MiB stay: busy or shared\n"
           "  - batch: its rule is keep\n");
}

static void
test_optimize_run(void **state)
{
    FakeServer *server = *state;
    g_autofree char *asked = NULL;
    Ran ran;

    fake_server_answer(server, 202, OPTIMIZE("checking", "9", "1", "planning", "0", "null",
                                             "null"));
    fake_server_answer(server, 200, OPTIMIZE("running", "9", "2", "moving", "3221225472", "null",
                                             "null"));
    fake_server_answer(server, 200, OPTIMIZE("partial", "3", "3", "done", "6440353792", "9780",
                                             "\"not all could move\""));
    ran = run_lparctl(server, "optimize -v --key k1");
    asked = fake_server_asked(server);
    assert_string_equal(asked, "POST /v1/optimize {} key=k1\n"
                               "GET /v1/operations/17?after=1&wait=30\n"
                               "GET /v1/operations/17?after=2&wait=30\n");
    assert_non_null(strstr(ran.err, "operation 17, optimize: checking, 0 B of 6.00 GiB, web1, "));
    assert_non_null(strstr(ran.err, "operation 17, optimize: moving, 3 GiB of 6.00 GiB, web1, "
                                    "512 MiB/s, about 8 s left\n"));
    assert_string_equal(
        ran.out, "partial: operation 17, 4.20 s\n"
                 "host: score 40.3, predicted 98.2, measured 97.8; moved 5.99 GiB of 6.00 GiB\n"
                 "PARTITION  BEFORE  PREDICTED  MEASURED     MOVED  COULD NOT  STATE\n"
                 "web1         40.1       99.9      97.8  5.99 GiB      3 MiB  partial\n"
                 "  - web1: 3 MiB stay: busy or shared\n"
                 "  - batch: its rule is keep\n"
                 "  not all could move\n");
    assert_int_equal(ran.status, 3);
    ran_clear(&ran);
}

static void
test_optimize_nothing(void **state)
{
    static const char answer[] =
        "{\"id\":3,\"kind\":\"optimize\",\"state\":\"done\",\"exit_status\":0,\"version\":1,"
        "\"timing\":{\"total_msec\":0},\"optimize\":{\"host\":{\"before_centi\":10000,"
        "\"predicted_centi\":10000,\"measured_centi\":10000},\"total_bytes\":0,"
        "\"moved_bytes\":0,\"partitions\":[]}}";

    expect(*state, answer, "op show 3", "GET /v1/operations/3\n",
           "done: operation 3, 0.00 s\n"
           "host: score 100.0, predicted 100.0, measured 100.0; moved 0 B of 0 B\n"
           "Nothing to move: no other layout is worth what it would take.\n");
    expect(*state, answer, "optimize --dry-run", "POST /v1/optimize {\"dry_run\":true}\n",
           "Dry run: nothing is changed.\n"
           "host: score 100.0, predicted 100.0, 0 B to move\n"
           "Nothing to move: no other layout is worth what it would take.\n");
}

static void
test_optimize_leaves(void **state)
{
    FakeServer *server = *state;
    Ran ran;

    fake_server_answer(server, 202, OPTIMIZE("checking", "9", "1", "planning", "0", "null",
                                             "null"));
    ran = run_lparctl(server, "optimize --no-wait");
    assert_string_equal(ran.out, "17\n");
    assert_int_equal(ran.status, 9);
    ran_clear(&ran);
    fake_server_answer(server, 202, OPTIMIZE("running", "9", "1", "moving", "0", "null", "null"));
    fake_server_answer(server, 0, "");
    ran = run_lparctl_signal(server, "optimize", SIGINT);
    assert_string_equal(ran.err, "operation 17 goes on; lparctl op wait 17, or op cancel 17\n");
    assert_int_equal(ran.status, 9);
    ran_clear(&ran);
    fake_server_answer(server, 422, "{\"detail\":\"no node is left\",\"code\":\"refused\"}");
    ran = run_lparctl(server, "optimize");
    assert_string_equal(ran.err, "lparctl: no node is left\n");
    assert_int_equal(ran.status, 4);
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

static void
test_optimize_stop(void **state)
{
    FakeServer *server = *state;
    g_autofree char *asked = NULL, *none = NULL;
    Ran ran;

    fake_server_answer(server, 200, "{\"operations\":[{\"id\":18,\"kind\":\"resize\"},"
                       OPTIMIZE("running", "9", "1", "moving", "0", "null", "null") "]}");
    fake_server_answer(server, 202, OPTIMIZE("running", "9", "2", "moving", "0", "null", "null"));
    ran = run_lparctl(server, "optimize --stop");
    asked = fake_server_asked(server);
    assert_string_equal(asked, "GET /v1/operations?state=open&limit=1000\n"
                               "DELETE /v1/operations/17\n");
    assert_string_equal(ran.out, "operation 17 is asked to stop; what has moved stays there\n");
    assert_int_equal(ran.status, 0);
    ran_clear(&ran);
    fake_server_answer(server, 200, "{\"operations\":[{\"id\":18,\"kind\":\"resize\"}]}");
    ran = run_lparctl(server, "optimize --stop");
    none = fake_server_asked(server);
    assert_string_equal(none, "GET /v1/operations?state=open&limit=1000\n");
    assert_string_equal(ran.out, "No optimization runs.\n");
    assert_int_equal(ran.status, 0);
    ran_clear(&ran);
}

static void
test_op_list(void **state)
{
    Ran ran = run(*state, "{\"operations\":["
                  OPTIMIZE("running", "9", "1", "moving", "0", "null", "null") "]}", "op list");

    assert_non_null(strstr(ran.out, "17  optimize  the host   running"));
    ran_clear(&ran);
}

static void
test_event(void **state)
{
    Ran ran = run(*state, "id: 7\nevent: optimize\ndata: {\"id\":3,\"phase\":\"moving\","
                          "\"paused\":\"the host waits for memory\",\"total_bytes\":2097152,"
                          "\"moved_bytes\":1048576,\"partition\":\"web1\"}\n\n", "events");

    assert_string_equal(ran.out, "7 optimize: 3 web1 moving the host waits for memory, 1 MiB of "
                                 "2 MiB\n");
    ran_clear(&ran);
}

static void
test_host_numa(void **state)
{
    expect(*state, HOST, "host --numa", "GET /v1/host?contents=1\n",
           "NODE  PACKAGE  TIER    PROCESSORS  MEMORY  GRANTED    FREE  RESERVE  CACHE\n"
           "   0        0  normal  0-3          8 GiB    4 GiB   4 GiB  512 MiB      -\n"
           "  33        0  slow    -           16 GiB      0 B  16 GiB      0 B  1 GiB\n"
           "not used: nodes offline: 1, processors that lpard may not use: 2\n"
           "distances:\n"
           "        0   33\n"
           "   0   10   17\n"
           "  33   28   10\n"
           "DOMAIN  MEMORY  MEMORY ON     VCPUS  VCPUS ON      BY\n"
           "web1     4 GiB  0:75% 33:25%      2  0:75% 33:25%  measured\n"
           "db1        0 B  -                 0  -             definition\n");
    expect(*state, HOST, "host --numa -o json", "GET /v1/host?contents=1\n", HOST "\n");
    expect(*state, "{}", "host --numa", "GET /v1/host?contents=1\n",
           "This host's topology has no nodes.\n");
}

/* A host of n nodes on which `parts` domains, all of the same hostile name but for a number, have
 * something on every node. */
static json_t *
big_host(guint n, guint parts, const char *name)
{
    json_t *nodes = json_array(), *distances = json_array(), *contents = json_array();

    for (guint i = 0; i < n; i++) {
        json_t *row = json_array();

        json_array_append_new(nodes, json_pack(
            "{s:i, s:i, s:s, s:s, s:i, s:I, s:I, s:I, s:I}", "id", i, "package", i / 8, "tier",
            "normal", "cpus", "0-1023", "n_cpus", 16, "memory_bytes", (json_int_t)(128 * GIB),
            "granted_bytes", (json_int_t)GIB, "free_bytes", (json_int_t)GIB, "reserve_bytes",
            (json_int_t)GIB));
        for (guint k = 0; k < n; k++)
            json_array_append_new(row, json_integer(i == k ? 10 : 11 + (i * 7 + k * 3) % 240));
        json_array_append_new(distances, row);
    }
    for (guint p = 0; p < parts; p++) {
        g_autofree char *full = g_strdup_printf("%s%u", name, p);
        json_t *places = json_array();

        for (guint i = 0; i < n; i++)
            json_array_append_new(places, json_pack("{s:i, s:I, s:i}", "node", i, "bytes",
                                                    (json_int_t)(GIB * (p + i)), "cpu_permyriad",
                                                    3));
        json_array_append_new(contents, json_pack("{s:s, s:b, s:i, s:o}", "partition", full,
                                                  "measured", p % 2, "vcpus", 3, "nodes", places));
    }
    return json_pack("{s:s, s:i, s:{s:o, s:o, s:b, s:i, s:i}, s:o}", "uri", name, "score_centi",
                     8312, "topology", "nodes", nodes, "distances", distances, "distances_known",
                     1, "packages", 8, "cpus", 1024, "contents", contents);
}

/* Counts elements of a name; fails on what no picture should have. */
static unsigned
count(const xmlNode *node, const char *name)
{
    unsigned n = 0;

    for (; node; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        assert_string_not_equal((const char *)node->name, "script");
        n += strcmp((const char *)node->name, name) == 0;
        n += count(node->children, name);
    }
    return n;
}

/* Every x and width stays on the page. */
static void
check_on_page(const xmlNode *node)
{
    for (; node; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (strcmp((const char *)node->name, "rect") == 0 &&
            xmlHasProp(node, (const xmlChar *)"x")) {
            xmlChar *x = xmlGetProp(node, (const xmlChar *)"x");
            xmlChar *width = xmlGetProp(node, (const xmlChar *)"width");
            double left = g_ascii_strtod((const char *)x, NULL);
            double right = left + g_ascii_strtod((const char *)width, NULL);

            assert_true(left >= 0 && right <= 1240 && right >= left);
            xmlFree(x);
            xmlFree(width);
        }
        check_on_page(node->children);
    }
}

static unsigned
check_picture(const json_t *host, const char *element)
{
    g_autofree char *page = lp_ctl_picture(host);
    xmlDoc *document;
    unsigned n;

    assert_non_null(page);
    /* However much lies on the host. */
    if (strlen(page) > 1500000)
        fail_msg("the picture has %zu bytes", strlen(page));
    document = xmlReadMemory(page, (int)strlen(page), "x.svg", NULL, XML_PARSE_NONET);
    assert_non_null(document);
    check_on_page(xmlDocGetRootElement(document));
    n = count(xmlDocGetRootElement(document), element);
    xmlFreeDoc(document);
    return n;
}

static void
test_picture(void **state)
{
    json_t *host = json_loads(HOST, 0, NULL);
    g_autofree char *page = lp_ctl_picture(host);

    (void)state;
    assert_non_null(strstr(page, ">node 33<"));
    assert_non_null(strstr(page, ">web1<"));
    assert_non_null(strstr(page, "<title>web1: 3 GiB, 1.5 vCPUs on node 0</title>"));
    assert_non_null(strstr(page, "<title>web1: 1 GiB, 0.5 vCPUs on node 33</title>"));
    assert_non_null(strstr(page, "4 processors (0-3), 1.5 vCPUs"));
    assert_non_null(strstr(page, "<title>node 33 to 0: 28</title>"));
    assert_non_null(strstr(page, " reserve</title>"));
    assert_non_null(strstr(page, "prefers-color-scheme:dark"));
    assert_non_null(strstr(page, "no processors"));
    check_picture(host, "rect");
    json_decref(host);
}

static void
test_picture_is_bounded(void **state)
{
    json_t *host = big_host(64, 1000, "</svg><script>&\"'\u202e");
    g_autofree char *page = lp_ctl_picture(host);

    (void)state;
    assert_true(check_picture(host, "text") < 64 * 20 + 200);
    assert_true(check_picture(host, "rect") < 64 * 30 + 64 * 64);
    assert_non_null(strstr(page, "<title>996 others: "));
    json_decref(host);
    /* One more than there may be is not drawn. */
    host = big_host(200, 3, "x");
    check_picture(host, "g");
    g_free(page);
    page = lp_ctl_picture(host);
    assert_non_null(strstr(page, ">node 63<"));
    assert_null(strstr(page, ">node 64<"));
    json_decref(host);
}

static void
test_picture_of_nonsense(void **state)
{
    static const char *const hosts[] = {
        "{}", "{\"topology\":7,\"contents\":{}}",
        "{\"topology\":{\"nodes\":[{},{}]},\"contents\":[{\"nodes\":[{}]},3]}",
        "{\"topology\":{\"nodes\":[{\"id\":-9223372036854775807,\"n_cpus\":-5,"
        "\"memory_bytes\":-1,\"reserve_bytes\":9223372036854775807,\"tier\":7}],"
        "\"distances\":[[9223372036854775807,\"x\"],7]},\"contents\":[{"
        "\"partition\":\"\\uffff\\u0001\","
        "\"nodes\":[{\"node\":-9223372036854775807,\"bytes\":9223372036854775807,"
        "\"vcpus\":9223372036854775807}]}]}",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
        json_t *host = json_loads(hosts[i], 0, NULL);

        assert_non_null(host);
        check_picture(host, "rect");
        json_decref(host);
    }
}

static void
test_svg_option(void **state)
{
    FakeServer *server = *state;
    g_autofree char *dir = g_dir_make_tmp("lparctl-svg-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(dir, "host.svg", NULL);
    g_autofree char *line = g_strdup_printf("host --numa --svg %s", file);
    g_autofree char *nowhere = g_strdup_printf("host --svg %s/none/x.svg", dir);
    g_autofree char *text = NULL;
    Ran ran = run(server, HOST, line);

    assert_int_equal(ran.status, 0);
    assert_string_equal(ran.out, "");
    assert_true(g_file_get_contents(file, &text, NULL, NULL));
    assert_true(g_str_has_prefix(text, "<?xml version=\"1.0\""));
    ran_clear(&ran);
    ran = run(server, HOST, "host --svg -");
    assert_string_equal(ran.out, text);
    ran_clear(&ran);
    ran = run(server, HOST, nowhere);
    assert_int_equal(ran.status, 1);
    assert_true(g_str_has_prefix(ran.err, "lparctl: the picture could not be written: "));
    ran_clear(&ran);
    g_unlink(file);
    g_rmdir(dir);
    g_free(fake_server_asked(server));
}

/* Beyond what fits the screen as a matrix, nodes are told by their distance. */
static void
test_many_nodes_fit(void **state)
{
    json_t *host = big_host(64, 1, "web");
    g_autofree char *text = json_dumps(host, JSON_COMPACT);
    Ran ran = run(*state, text, "host --numa");
    g_auto(GStrv) lines = g_strsplit(ran.out, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++)
        assert_true(g_utf8_strlen(lines[i], -1) <= 100);
    assert_non_null(strstr(ran.out, "\nnode 63: 10 to 63; "));
    ran_clear(&ran);
    json_decref(host);
}

static void
test_shares(void **state)
{
    static const struct { const char *json, *text; } rows[] = {
        { "[]", "-" }, { "null", "-" }, { "[{\"node\":1,\"b\":0}]", "-" },
        { "[{\"node\":1,\"b\":-5}]", "-" }, { "[{\"node\":1,\"b\":5}]", "1:100%" },
        { "[{\"node\":0,\"b\":1},{\"node\":1,\"b\":2}]", "1:67% 0:33%" },
        /* Nearly all is not all, and what rounds to nothing is not left out in silence. */
        { "[{\"node\":0,\"b\":9999},{\"node\":1,\"b\":1}]", "0:99% ..." },
        { "[{\"node\":0,\"b\":1},{\"node\":1,\"b\":1},{\"node\":2,\"b\":1},{\"node\":3,\"b\":1},"
          "{\"node\":4,\"b\":1}]", "0:20% 1:20% 2:20% 3:20% ..." },
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        json_t *json = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        g_autofree char *text = lp_ctl_text_shares(json, "b");

        assert_string_equal(text, rows[i].text);
        json_decref(json);
    }
}

#define SHOWN(cells, profile)                                                                  \
    "{\"name\":\"web1\",\"run\":\"running\",\"profile\":{" profile "},\"cells\":[" cells "],"  \
    "\"score\":" SCORE("web1", "9730", "9730", "10000",                                        \
                       "[{\"node\":1,\"bytes\":4,\"cpu_permyriad\":10000}]", "[]") "}"

static void
test_show(void **state)
{
    FakeServer *server = *state;
    Ran ran = run(server, SHOWN("{\"cell\":0,\"node\":0,\"home\":1,\"drifted\":true}",
                                "\"numa\":\"preferred:1\",\"affinity_floor\":80,"
                                "\"affinity_floor_action\":\"warn\""), "show web1");

    assert_non_null(strstr(ran.out, "\nnuma: preferred:1, affinity floor 80 (warn); score 97.3 "
                                    "(local 50.0 of at best 100.0), agreement\n"
                                    "  100.0, memory on 1:100%, vCPUs on 1:100%\n"
                                    "  cell 0 lies on node 1; until the next start its new pages "
                                    "come from node 0 and are moved\n"));
    ran_clear(&ran);
    ran = run(server, "{\"numa\":\"preferred:1\",\"affinity_floor\":80,"
                      "\"affinity_floor_action\":\"refuse\"}", "profile web1");
    assert_non_null(strstr(ran.out, "\nnuma preferred:1, affinity floor 80 (refuse)\n"));
    ran_clear(&ran);
    ran = run(server, "{\"numa\":\"auto\",\"affinity_floor\":0,"
                      "\"affinity_floor_action\":\"warn\"}", "profile web1");
    assert_null(strstr(ran.out, "numa"));
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

static int
set_up(void **state)
{
    *state = fake_server_new();
    return 0;
}

static int
tear_down(void **state)
{
    fake_server_free(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_score, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remarks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_score_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_optimize_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_optimize_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_optimize_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_optimize_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_optimize_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_op_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_host_numa, set_up, tear_down),
        cmocka_unit_test(test_picture),
        cmocka_unit_test(test_picture_is_bounded),
        cmocka_unit_test(test_picture_of_nonsense),
        cmocka_unit_test_setup_teardown(test_svg_option, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_nodes_fit, set_up, tear_down),
        cmocka_unit_test(test_shares),
        cmocka_unit_test_setup_teardown(test_show, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("ctl_numa", tests, NULL, NULL);
}
