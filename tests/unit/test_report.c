/* Reports: well-formed and whole whatever the results say. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "lpard/sim/report-priv.h"

#define GIB (UINT64_C(1) << 30)
#define DAY 86400u
#define POINTS 700
#define RATIOS 7

static const char *const policies[] = { "lpard", "static", "mom", "pve", "squeezed", "qmemman",
                                        "hyperv-like", "esx-tax", "neon", "vpa", "senpai",
                                        "clairvoyant" };

static uint64_t state_of_chance = 88172645463325252u;

static double
chance(void)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return (double) (state_of_chance >> 11) / 9007199254740992.0;
}

static void
fill_amount(LpSimAmount *amount, double quality, double ratio)
{
    amount->vm_seconds = 120u * 30 * DAY;
    amount->demand = 3e17;
    amount->shortfall = ratio > 2 && quality < 1 ? 0 : 3e17 * 1e-5 * pow(10, quality - ratio);
    amount->granted = 9e17;
    amount->needs = 5e17 / (1 + quality / 4);
    amount->static_amount = 2e18;
    amount->violated = (uint64_t) (1000 * quality);
    amount->stall_sec = 4000 * quality;
    amount->ooms = (uint64_t) quality;
    amount->resizes = (uint64_t) (9000 * (1 + quality));
    amount->resizes_calm = amount->resizes / 2;
    amount->calm_vm_days = 3000;
    amount->reversals = 1234;
    amount->resizes_per_vm_day_p99 = 7.5;
    amount->bytes_moved = 5e14;
    amount->fairness = 0.97;
    amount->host_min_free = 3 * GIB;
}

static void
fill_points(LpSimResult *result, double quality)
{
    result->n_points = POINTS;
    result->points = g_malloc0_n(POINTS, sizeof *result->points);
    for (size_t i = 0; i < POINTS; i++) {
        double wave = 300 + 120 * sin((double) i / POINTS * 60 * G_PI / 2) + 60 * chance();
        bool lacks = chance() < 0.01 * (1 + 4 * quality);

        result->points[i].sec = DAY + i * (29 * DAY / POINTS);
        result->points[i].demand = (uint64_t) (wave * (double) GIB);
        result->points[i].needs = (uint64_t) ((wave * 1.15 + 20 * chance()) * (double) GIB);
        result->points[i].granted = (uint64_t) ((480 + 60 * chance()) * (double) GIB);
        result->points[i].shortfall = lacks ? (uint64_t) (pow(10, 6 + 5 * chance())) : 0;
    }
}

/* Policies on hosts of several sizes, as compare makes them. */
static LpSimResult *
some_results(size_t *ret_n)
{
    LpSimResult *results = g_new0(LpSimResult, G_N_ELEMENTS(policies) * RATIOS);
    size_t n = 0;

    for (size_t k = 0; k < RATIOS; k++)
        for (size_t i = 0; i < G_N_ELEMENTS(policies); i++, n++) {
            LpSimResult *result = &results[n];
            double quality = i == 11 ? 0 : (double) i * 0.45;

            result->policy = policies[i];
            result->n = 120;
            result->memory_ratio = result->cpu_ratio = 1 + 0.25 * (double) k;
            result->config.host_bytes = (uint64_t) (result->memory_ratio * 440 * (double) GIB);
            result->config.host_centi = 40000;
            result->config.seed = UINT64_MAX - 1;
            result->config.from_sec = 0;
            result->config.seconds = 30 * DAY;
            result->config.warm_sec = DAY;
            result->config.tick_sec = 1;
            fill_amount(&result->mem, quality, result->memory_ratio);
            fill_amount(&result->cpu, quality / 2, result->cpu_ratio);
            if (k == 1)
                fill_points(result, quality);
        }
    *ret_n = n;
    return results;
}

static void
free_results(LpSimResult *results, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g_free(results[i].points);
    g_free(results);
}

/* Elements of a name below a node. */
static size_t
count_elements(xmlNode *node, const char *name)
{
    size_t n = 0;

    for (; node != NULL; node = node->next)
        n += (node->type == XML_ELEMENT_NODE && strcmp((const char *) node->name, name) == 0) +
             count_elements(node->children, name);
    return n;
}

/* Well-formed, without a script or a link, and without numbers that are none. */
static xmlDoc *
parsed(const char *svg)
{
    xmlDoc *doc = xmlReadMemory(svg, (int) strlen(svg), "picture.svg", NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

    assert_non_null(doc);
    assert_string_equal(xmlDocGetRootElement(doc)->name, "svg");
    assert_int_equal(count_elements(xmlDocGetRootElement(doc), "script"), 0);
    assert_int_equal(count_elements(xmlDocGetRootElement(doc), "image"), 0);
    assert_null(strcasestr(svg, "\"nan"));
    assert_null(strcasestr(svg, " nan"));
    assert_null(strcasestr(svg, "Lnan"));
    assert_null(strstr(svg, "inf\""));
    assert_null(strstr(svg, "href"));
    return doc;
}

static void
test_picture(void **state)
{
    const LpReportAbout about = { "compare", "/srv/traces/bitbrains-rnd-2013-08-120vms.csv.xz",
                                  1375315200, 0 };
    size_t n;
    LpSimResult *results = some_results(&n);
    g_autofree char *svg = lp_report_svg(&about, results, n);
    const char *path = g_getenv("LP_TEST_PICTURE");
    xmlDoc *doc = parsed(svg);

    (void) state;
    if (path)
        assert_true(lp_report_write(path, svg, NULL));
    /* A curve for each of three quantities in six panels, and for each policy in two charts. */
    assert_true(count_elements(xmlDocGetRootElement(doc), "path") >= 6 * 3 + 2 * 12);
    for (size_t i = 0; i < G_N_ELEMENTS(policies); i++)
        assert_non_null(strstr(svg, policies[i]));
    assert_non_null(strstr(svg, ">bitbrains-rnd-2013-08-120vms.csv.xz \xc2\xb7 120 partitions"));
    assert_non_null(strstr(svg, "2013-08-02 to 2013-08-30"));
    assert_non_null(strstr(svg, "Aug</text>"));
    assert_non_null(strstr(svg, " GiB</text>"));
    xmlFreeDoc(doc);
    free_results(results, n);
}

static double
attribute(xmlNode *node, const char *name)
{
    xmlChar *text = xmlGetProp(node, (const xmlChar *) name);
    double value = text ? g_ascii_strtod((const char *) text, NULL) : 0;

    xmlFree(text);
    return value;
}

/* Everything is on the page: boxes, lines and text. */
static void
test_on_page(void **state)
{
    size_t n;
    LpSimResult *results = some_results(&n);
    g_autofree char *svg = lp_report_svg(NULL, results, n);
    xmlDoc *doc = parsed(svg);
    xmlNode *root = xmlDocGetRootElement(doc);
    double width = attribute(root, "width"), height = attribute(root, "height");

    (void) state;
    assert_true(width > 800 && height > 600 && height < 2400);
    for (xmlNode *node = root->children; node != NULL; node = node->next) {
        double x, y;

        if (node->type != XML_ELEMENT_NODE || xmlHasProp(node, (const xmlChar *) "d"))
            continue;
        x = MAX(attribute(node, "x"), MAX(attribute(node, "x1"), attribute(node, "x2")));
        y = MAX(attribute(node, "y"), MAX(attribute(node, "y1"), attribute(node, "y2")));
        assert_true(x >= 0 && x <= width);
        assert_true(y >= 0 && y <= height);
    }
    xmlFreeDoc(doc);
    free_results(results, n);
}

static void
check_all(const LpReportAbout *about, const LpSimResult *results, size_t n)
{
    g_autofree char *svg = lp_report_svg(about, results, n);
    g_autofree char *table = lp_report_table(results, n);
    json_t *json = lp_report_json(about, results, n, true), *again;
    char *text = json_dumps(json, 0);

    xmlFreeDoc(parsed(svg));
    assert_null(strcasestr(table, "nan"));
    assert_null(strstr(table, "inf"));
    assert_non_null(text);
    again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_equal(json, again));
    assert_int_equal(json_array_size(json_object_get(json, "results")), n);
    json_decref(json);
    json_decref(again);
    free(text);
}

static void
test_odd(void **state)
{
    const LpReportAbout about = { "a <b> & \"c\" \x01\xff", "\xf0\x28 ]]> &amp;", INT64_MAX, -3 };
    LpSimResult results[3] = { { .policy = "<&>\"'\x02\xfe\xef\xbf\xbf" }, { .policy = NULL },
                               { .policy = "third" } };

    (void) state;
    check_all(NULL, NULL, 0);
    check_all(NULL, results, 0);
    check_all(&about, results, 3);
    for (size_t i = 0; i < 3; i++) {
        LpSimAmount *mem = &results[i].mem;

        mem->demand = i == 0 ? NAN : i == 1 ? HUGE_VAL : 1e300;
        mem->shortfall = -1;
        mem->fairness = NAN;
        mem->resizes = UINT64_MAX;
        mem->vm_seconds = i;
        mem->host_min_free = UINT64_MAX;
        results[i].cpu = *mem;
        results[i].cpu.demand = 1;
        results[i].memory_ratio = i == 0 ? NAN : i == 1 ? HUGE_VAL : 1e-300;
        results[i].cpu_ratio = -(double) i;
        results[i].config.seed = UINT64_MAX;
        results[i].config.from_sec = results[i].config.seconds = UINT64_MAX;
        results[i].n_points = i;
        results[i].points = g_malloc0_n(2, sizeof *results[i].points);
    }
    check_all(&about, results, 3);
    results[2].points[0].sec = UINT64_MAX;
    results[2].points[1].sec = UINT64_MAX;
    results[1].points[0].demand = results[2].points[1].shortfall = UINT64_MAX;
    results[1].broken = 3;
    g_strlcpy(results[1].first_broken, "S3 <at> 5", sizeof results[1].first_broken);
    check_all(&about, results, 3);
    for (size_t i = 0; i < 3; i++)
        g_free(results[i].points);
}

/* One policy, one point: a page all the same. */
static void
test_alone(void **state)
{
    LpSimResult result = { .policy = "lpard", .memory_ratio = 1.25, .n = 1, .n_points = 1 };
    g_autofree char *svg = NULL;

    (void) state;
    result.points = g_malloc0_n(1, sizeof *result.points);
    result.points[0].demand = 5 << 20;
    fill_amount(&result.mem, 1, 1);
    svg = lp_report_svg(NULL, &result, 1);
    xmlFreeDoc(parsed(svg));
    assert_non_null(strstr(svg, "MiB"));
    assert_non_null(strstr(svg, "1 partition \xc2\xb7"));
    /* Nothing to compare it with. */
    assert_null(strstr(svg, "what it costs"));
    g_free(result.points);
}

static void
test_table(void **state)
{
    size_t n;
    LpSimResult *results = some_results(&n);
    g_autofree char *table = lp_report_table(results, 12);
    g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
    size_t length = strlen(lines[0]);

    (void) state;
    assert_non_null(strstr(lines[0], "short"));
    assert_non_null(strstr(lines[1], "% demand"));
    for (size_t i = 0; i < 14; i++)
        assert_int_equal(strlen(lines[i]), length);
    assert_string_equal(lines[14], "");
    assert_true(g_str_has_prefix(lines[2], "lpard "));
    assert_true(g_str_has_prefix(lines[15], "processors "));
    assert_null(strstr(table, " broke an"));
    results[0].broken = 1;
    g_strlcpy(results[0].first_broken, "S1: web1", sizeof results[0].first_broken);
    {
        g_autofree char *said = lp_report_table(results, 1);

        assert_non_null(strstr(said, "lpard broke an invariant: S1: web1"));
    }
    free_results(results, n);
}

static void
test_json(void **state)
{
    const LpReportAbout about = { .trace = "mix" };
    size_t n;
    LpSimResult *results = some_results(&n);
    json_t *json = lp_report_json(&about, results, n, true), *first, *memory, *config;
    json_t *brief = lp_report_json(NULL, results, 1, false);

    (void) state;
    results[12].mem.demand = 0;
    assert_string_equal(json_string_value(json_object_get(json, "trace")), "mix");
    first = json_array_get(json_object_get(json, "results"), 0);
    memory = json_object_get(first, "memory");
    config = json_object_get(first, "config");
    assert_string_equal(json_string_value(json_object_get(first, "policy")), "lpard");
    assert_string_equal(json_string_value(json_object_get(config, "seed")), "18446744073709551614");
    assert_true(json_real_value(json_object_get(memory, "demand")) == 3e17);
    assert_int_equal(json_integer_value(json_object_get(memory, "resizes")), 9000);
    assert_int_equal(json_array_size(json_object_get(first, "points")), 0);
    first = json_array_get(json_object_get(json, "results"), 12);
    assert_int_equal(json_array_size(json_object_get(first, "points")), POINTS);
    first = json_array_get(json_object_get(brief, "results"), 0);
    assert_null(json_object_get(first, "points"));
    assert_true(json_is_null(json_object_get(brief, "trace")));
    json_decref(json);
    json_decref(brief);
    /* A share of no demand. */
    json = lp_report_json(NULL, &results[12], 1, false);
    memory = json_object_get(json_array_get(json_object_get(json, "results"), 0), "memory");
    assert_true(json_is_null(json_object_get(memory, "shortfall_of_demand")));
    json_decref(json);
    free_results(results, n);
}

static void
test_numbers(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0, "0" },          { 0.00001, "<0.0001" }, { 0.0123, "0.0123" }, { 0.99951, "1.00" },
        { 1.234, "1.23" },   { 45.61, "45.6" },      { 99.96, "100" },     { 123456, "123456" },
        { -2.5, "-2.50" },   { NAN, "-" },           { HUGE_VAL, "-" },    { 9.996, "10.0" },
        { 0.5, "0.500" },
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char text[LP_REPORT_TEXT];

        assert_string_equal(lp_report_number(cases[i].value, text, sizeof text), cases[i].text);
    }
    assert_true(isnan(lp_report_part(1, 0)));
    assert_true(isnan(lp_report_part(1, -1)));
    assert_true(isnan(lp_report_part(NAN, 1)));
    assert_true(lp_report_part(1, 4) == 0.25);
}

/* The first of the array always, then the least short; in the order they had. */
static void
test_chosen(void **state)
{
    size_t n, n_chosen, n_panels;
    LpSimResult *results = some_results(&n);
    const LpSimResult **chosen = lp_report_of_policies(NULL, results, n, &n_chosen);

    (void) state;
    assert_int_equal(n_chosen, 12);
    for (size_t i = 0; i < n_chosen; i++) {
        assert_string_equal(chosen[i]->policy, policies[i]);
        assert_true(chosen[i]->memory_ratio == 1.25);
    }
    chosen[0] = &results[12 + 10];
    chosen[10] = &results[12];
    n_panels = lp_report_panels(chosen, n_chosen);
    assert_int_equal(n_panels, LP_REPORT_PANELS);
    assert_string_equal(chosen[0]->policy, "senpai");
    assert_string_equal(chosen[1]->policy, "static");
    assert_string_equal(chosen[4]->policy, "lpard");
    assert_string_equal(chosen[5]->policy, "clairvoyant");
    g_free(chosen);
    free_results(results, n);
}

static void
test_write(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL, *back = NULL, *link = NULL;
    int fd = g_file_open_tmp("lpar-sim-XXXXXX", &path, NULL);

    (void) state;
    close(fd);
    assert_true(lp_report_write(path, "text\n", NULL));
    assert_true(g_file_get_contents(path, &back, NULL, NULL));
    assert_string_equal(back, "text\n");
    /* What is no file stays what it is: by -o /dev/stdout no device is replaced. */
    link = g_strconcat(path, ".link", NULL);
    assert_int_equal(symlink(path, link), 0);
    assert_true(lp_report_write(link, "other\n", NULL));
    assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    g_free(back);
    assert_true(g_file_get_contents(path, &back, NULL, NULL));
    assert_string_equal(back, "other\n");
    unlink(link);
    unlink(path);
    assert_false(lp_report_write("/nonexistent/x.svg", "text", &error));
    assert_non_null(strstr(error->message, "/nonexistent/x.svg"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture), cmocka_unit_test(test_on_page), cmocka_unit_test(test_odd),
        cmocka_unit_test(test_alone),   cmocka_unit_test(test_table),   cmocka_unit_test(test_json),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_chosen),  cmocka_unit_test(test_write),
    };

    /* A comma in a number would be no number: where the locale is there, it is tried. */
    setlocale(LC_ALL, "de_DE.UTF-8");
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
