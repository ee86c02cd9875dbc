/* The profile in the metadata: what is written reads back, and nothing else is taken. */
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lpard/error.h"
#include "lpard/profile-xml.h"

#define SEED 20261123u
#define GIB (1ULL << 30)

static uint64_t
random_memory(const LpProfile *p)
{
    uint64_t blocks = (p->mem.max_bytes - p->mem.min_bytes) / LP_MEM_BLOCK_BYTES;

    return p->mem.min_bytes + (uint64_t) rand() % (blocks + 1) * LP_MEM_BLOCK_BYTES;
}

static LpSchedule
random_schedule(const LpProfile *p)
{
    LpSchedule s = { .days = (uint8_t) (1 + rand() % 127),
                     .from_minute = (uint16_t) (rand() % 1440),
                     .to_minute = (uint16_t) (rand() % 1440), .has_mem_min = true };

    s.mem_min_bytes = random_memory(p);
    if (rand() % 2) {
        s.has_cpu_max = true;
        s.cpu_max = p->cpu.desired;
    }
    return s;
}

/* A third says nothing, and so has the schema of before. */
static void
random_autoscale(LpProfile *p)
{
    LpAutoscale *a = &p->autoscale;

    lp_autoscale_init(a);
    if (rand() % 3 == 0)
        return;
    a->mode = (LpMode) (rand() % LP_MODES);
    a->goal = (LpGoal) (rand() % LP_GOALS);
    a->priority = (uint32_t) rand() % (LP_PRIORITY_MAX + 1);
    a->entitled_bytes = rand() % 2 ? random_memory(p) : 0;
    a->release_sec = (uint32_t) rand() % (LP_RELEASE_SEC_MAX + 1);
    a->n_schedules = (uint32_t) rand() % (LP_SCHEDULES_MAX + 1);
    for (uint32_t i = 0; i < a->n_schedules; i++)
        a->schedules[i] = random_schedule(p);
}

/* Likewise half of the rules. */
static void
random_numa(LpProfile *p)
{
    LpNumaRule *rule = &p->numa;
    bool some;

    if (rand() % 2)
        return;
    rule->mode = (LpNumaMode) (rand() % LP_NUMA_MODES);
    rule->floor = (uint32_t) rand() % 101;
    rule->floor_action = (LpFloor) (rand() % LP_FLOORS);
    some = rule->mode == LP_NUMA_STRICT || rule->mode == LP_NUMA_PREFERRED
           || (rule->mode != LP_NUMA_AUTO && rule->mode != LP_NUMA_KEEP && rand() % 2);
    for (unsigned id = (unsigned) rand() % 8; some && rule->n_nodes < 1 + (unsigned) rand() % 64;
         id += 1 + (unsigned) rand() % 15)
        rule->node_id[rule->n_nodes++] = (uint16_t) id;
}

static LpProfile
random_profile(void)
{
    LpProfile p = { 0 };
    uint64_t block = LP_MEM_BLOCK_BYTES;

    p.generation = ((uint64_t) rand() << 33) ^ (uint64_t) rand();
    p.cpu.min = 1 + (uint32_t) rand() % 8;
    p.cpu.desired = p.cpu.min + (uint32_t) rand() % 8;
    p.cpu.max = p.cpu.desired + (uint32_t) rand() % 64;
    p.n_cells = 1 + (uint32_t) rand() % MIN(p.cpu.max, LP_MAX_CELLS);
    for (uint32_t i = 0; i < p.n_cells; i++)
        p.cell_node[i] = rand() % 300 - 1;
    p.mem.max_bytes = 32 * GIB + (uint64_t) (rand() % 1000) * block;
    p.mem.min_bytes = lp_profile_base_floor(p.mem.max_bytes, p.n_cells);
    p.mem.desired_bytes = p.mem.min_bytes + (uint64_t) (rand() % 100) * block;
    p.capacity.entitled_centi = lp_profile_default_entitlement(&p.cpu);
    p.capacity.weight = (uint32_t) rand() % 256;
    p.capacity.capped = rand() % 2;
    for (unsigned i = 0; i < p.cpu.max; i++) {
        if (rand() % 3 == 0)
            lp_cpumask_add(&p.folded, i);
    }
    p.hold_until_sec = rand() % 3 ? rand() : INT64_MAX;
    random_autoscale(&p);
    random_numa(&p);
    p.version = lp_profile_version(&p);
    return p;
}

static bool
same(const LpProfile *a, const LpProfile *b)
{
    return a->version == b->version && a->generation == b->generation &&
           memcmp(&a->cpu, &b->cpu, sizeof(a->cpu)) == 0 &&
           memcmp(&a->mem, &b->mem, sizeof(a->mem)) == 0 &&
           a->capacity.entitled_centi == b->capacity.entitled_centi &&
           a->capacity.weight == b->capacity.weight && a->capacity.capped == b->capacity.capped &&
           a->n_cells == b->n_cells &&
           memcmp(a->cell_node, b->cell_node, a->n_cells * sizeof(a->cell_node[0])) == 0 &&
           lp_cpumask_equal(&a->folded, &b->folded) && a->hold_until_sec == b->hold_until_sec &&
           lp_autoscale_equal(&a->autoscale, &b->autoscale) &&
           lp_numa_rule_equal(&a->numa, &b->numa);
}

static const char GOOD[] =
    "<lpard:partition xmlns:lpard=\"https://lpard.org/xmlns/partition/1\" version=\"1\""
    " generation=\"7\"><lpard:cpu min=\"1\" desired=\"2\" max=\"4\" folded=\"2-3\"/>"
    "<lpard:memory min=\"1073741824\" desired=\"2147483648\" max=\"4294967296\"/>"
    "<lpard:capacity entitled=\"50\" weight=\"128\" capped=\"no\"/>"
    "<lpard:cell id=\"0\" node=\"0\"/><lpard:cell id=\"1\" node=\"3\"/>"
    "<lpard:hold until=\"0\"/></lpard:partition>";

#define SCHEDULE_XML "<lpard:schedule when=\"weekdays 08:00-18:00 min mem=2G\"/>"
#define AUTOSCALE_XML                                                           \
    "<lpard:autoscale mode=\"auto\" goal=\"latency\" priority=\"5\""            \
    " entitled=\"2147483648\" release=\"600\">" SCHEDULE_XML                    \
    "<lpard:schedule when=\"daily 22:00-06:00 max cpu=2\"/></lpard:autoscale>"

static const char GOOD_2[] =
    "<lpard:partition xmlns:lpard=\"https://lpard.org/xmlns/partition/1\" version=\"2\""
    " generation=\"7\"><lpard:cpu min=\"1\" desired=\"2\" max=\"4\" folded=\"2-3\"/>"
    "<lpard:memory min=\"1073741824\" desired=\"2147483648\" max=\"4294967296\"/>"
    "<lpard:capacity entitled=\"50\" weight=\"128\" capped=\"no\"/>"
    "<lpard:cell id=\"0\" node=\"0\"/><lpard:cell id=\"1\" node=\"3\"/>"
    "<lpard:hold until=\"0\"/>" AUTOSCALE_XML "</lpard:partition>";

static char *
replace(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);

    if (!at)
        fail_msg("%s is not in the text", from);
    return g_strdup_printf("%.*s%s%s", (int) (at - text), text, to, at + strlen(from));
}

/* Refused, with a sentence that names what is wrong, and the profile left alone. */
static void
check_refused(const char *xml, const char *named)
{
    LpProfile before = random_profile(), p = before;
    g_autoptr(GError) error = NULL;

    if (lp_profile_from_xml(xml, &p, &error))
        fail_msg("taken: %s", xml);
    assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_BAD_PROFILE));
    assert_true(same(&p, &before));
    assert_true(g_utf8_validate(error->message, -1, NULL));
    if (named && !strstr(error->message, named))
        fail_msg("'%s' does not name %s", error->message, named);
}

static void
check_changed(const char *from, const char *to, const char *named)
{
    g_autofree char *xml = replace(GOOD, from, to);

    check_refused(xml, named);
}

static void
check_changed_2(const char *from, const char *to, const char *named)
{
    g_autofree char *xml = replace(GOOD_2, from, to);

    check_refused(xml, named);
}

static void
test_round_trip(void **state)
{
    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 2000; round++) {
        LpProfile p = random_profile(), again;
        g_autofree char *xml = lp_profile_to_xml(&p), *second = NULL;
        g_autoptr(GError) error = NULL;

        if (!lp_profile_from_xml(xml, &again, &error))
            fail_msg("%s: %s", error->message, xml);
        assert_true(same(&p, &again));
        second = lp_profile_to_xml(&again);
        assert_string_equal(xml, second);
    }
}

static void
test_form(void **state)
{
    LpProfile p;
    g_autofree char *xml = NULL;

    (void) state;
    assert_true(lp_profile_from_xml(GOOD, &p, NULL));
    assert_int_equal(p.generation, 7);
    assert_int_equal(p.cpu.max, 4);
    assert_int_equal(p.cell_node[1], 3);
    assert_true(lp_cpumask_has(&p.folded, 3) && !lp_cpumask_has(&p.folded, 1));
    xml = lp_profile_to_xml(&p);
    assert_string_equal(xml, GOOD);
}

/* libvirt indents, may choose another prefix, and gives the element without its namespace. */
static void
test_forms_that_libvirt_gives(void **state)
{
    g_autofree char *bare = g_strdup(GOOD), *indented = NULL, *prefix = NULL;
    g_auto(GStrv) parts = g_strsplit(GOOD, "lpard:", -1);
    g_auto(GStrv) elements = g_strsplit(GOOD, "><", -1);
    g_autofree char *renamed = g_strjoinv("other:", parts);
    g_autofree char *plain = g_strjoinv("", parts);
    LpProfile good, p;

    (void) state;
    assert_true(lp_profile_from_xml(GOOD, &good, NULL));
    indented = g_strjoinv(">\n    <", elements);
    assert_true(lp_profile_from_xml(indented, &p, NULL) && same(&p, &good));
    prefix = replace(renamed, "xmlns:lpard", "xmlns:other");
    assert_true(lp_profile_from_xml(prefix, &p, NULL) && same(&p, &good));
    g_free(bare);
    bare = replace(plain, " xmlns:lpard=\"https://lpard.org/xmlns/partition/1\"", "");
    assert_true(lp_profile_from_xml(bare, &p, NULL) && same(&p, &good));
}

static const struct { const char *element, *attribute, *value; } ATTRIBUTES[] = {
    { "partition", "version", "1" }, { "partition", "generation", "7" }, { "cpu", "min", "1" },
    { "cpu", "desired", "2" }, { "cpu", "max", "4" }, { "cpu", "folded", "2-3" },
    { "memory", "min", "1073741824" }, { "memory", "desired", "2147483648" },
    { "memory", "max", "4294967296" }, { "capacity", "entitled", "50" },
    { "capacity", "weight", "128" }, { "capacity", "capped", "no" }, { "cell", "id", "0" },
    { "cell", "node", "0" }, { "cell", "id", "1" }, { "cell", "node", "3" },
    { "hold", "until", "0" },
};

/* Each attribute dropped, doubled, renamed and retyped: each change is noticed and named. */
static void
test_every_attribute(void **state)
{
    static const char *const WRONG[] = { "", "x", "-2", "+1", "1.5", "0x1", "01", " 1",
                                         "99999999999999999999999" };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(ATTRIBUTES); i++) {
        const char *name = ATTRIBUTES[i].attribute;
        g_autofree char *whole = g_strdup_printf(" %s=\"%s\"", name, ATTRIBUTES[i].value);
        g_autofree char *twice = g_strconcat(whole, whole, NULL);
        g_autofree char *renamed = g_strdup_printf(" %sx=\"%s\"", name, ATTRIBUTES[i].value);
        g_autofree char *prefixed = g_strdup_printf(" lpard:%s=\"%s\"", name, ATTRIBUTES[i].value);
        g_autofree char *extra = g_strconcat(whole, " extra=\"1\"", NULL);

        check_changed(whole, "", name);
        check_changed(whole, twice, name);
        check_changed(whole, renamed, name);
        check_changed(whole, prefixed, name);
        check_changed(whole, extra, "extra");
        for (size_t j = 0; j < G_N_ELEMENTS(WRONG); j++) {
            g_autofree char *retyped = g_strdup_printf(" %s=\"%s\"", name, WRONG[j]);

            if (strcmp(name, "folded") == 0 && !*WRONG[j])
                continue;       /* none folded is a value */
            /* A list may write its numbers as it likes. */
            if (strcmp(name, "folded") != 0 || strcmp(WRONG[j], "01") != 0)
                check_changed(whole, retyped, name);
        }
    }
}

static void
test_every_element(void **state)
{
    static const char *const NAMES[] = { "cpu", "memory", "capacity", "hold" };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_autofree char *open = g_strconcat("<lpard:", NAMES[i], " ", NULL);
        g_autofree char *alien = g_strconcat("<alien:", NAMES[i], " ", NULL);
        g_autofree char *renamed = g_strconcat("<lpard:", NAMES[i], "x ", NULL);
        const char *at = strstr(GOOD, open);
        g_autofree char *whole = g_strndup(at, (size_t) (strstr(at, "/>") + 2 - at));
        g_autofree char *twice = g_strconcat(whole, whole, NULL);
        g_autofree char *filled = g_strndup(whole, strlen(whole) - 2);
        g_autofree char *text = g_strconcat(filled, ">hello</lpard:", NAMES[i], ">", NULL);

        check_changed(whole, "", NAMES[i]);
        check_changed(whole, twice, NAMES[i]);
        check_changed(whole, text, NAMES[i]);
        check_changed(open, renamed, NAMES[i]);
        check_changed(open, alien, NAMES[i]);
    }
    check_changed("<lpard:cell id=\"0\" node=\"0\"/>", "", "id");
    check_changed("<lpard:cell id=\"1\" node=\"3\"/>", "<lpard:cell id=\"2\" node=\"3\"/>", "id");
    check_changed("<lpard:cell id=\"0\" node=\"0\"/><lpard:cell id=\"1\" node=\"3\"/>", "", "cell");
    check_changed("<lpard:hold", "<lpard:new a=\"1\"/><lpard:hold", "new");
    check_changed("<lpard:hold", "hello<lpard:hold", "text");
    check_changed("<lpard:hold", "<![CDATA[x]]><lpard:hold", "text");
    check_changed("partition/1\"", "partition/2\"", "partition");
    check_changed("</lpard:partition>", "", "well-formed");
}

static void
test_rules_apply(void **state)
{
    (void) state;
    check_changed("max=\"4\"", "max=\"1\"", "order");
    check_changed("weight=\"128\"", "weight=\"256\"", "weight");
    check_changed("entitled=\"50\"", "entitled=\"5\"", "entitlement");
    check_changed("folded=\"2-3\"", "folded=\"2-4\"", "folded");
    check_changed("desired=\"2147483648\"", "desired=\"2147483649\"", "blocks");
    check_changed("version=\"1\"", "version=\"0\"", "version");
    check_changed("version=\"1\"", "version=\"4\"", "newer");
    /* Of a newer schema nothing else is looked at. */
    check_refused("<partition version=\"4\"><shape/></partition>", "newer");
}

static void
test_autoscale_form(void **state)
{
    g_auto(GStrv) elements = g_strsplit(GOOD_2, "><", -1);
    g_autofree char *indented = g_strjoinv(">\n    <", elements);
    g_autofree char *xml = NULL, *commented = NULL;
    LpProfile p, again;

    (void) state;
    assert_true(lp_profile_from_xml(GOOD_2, &p, NULL));
    assert_int_equal(p.version, 2);
    assert_int_equal(p.autoscale.mode, LP_MODE_AUTO);
    assert_int_equal(p.autoscale.goal, LP_GOAL_LATENCY);
    assert_int_equal(p.autoscale.priority, 5);
    assert_true(p.autoscale.entitled_bytes == 2 * GIB);
    assert_int_equal(p.autoscale.release_sec, 600);
    assert_int_equal(p.autoscale.n_schedules, 2);
    assert_true(p.autoscale.schedules[0].mem_min_bytes == 2 * GIB);
    assert_int_equal(p.autoscale.schedules[1].cpu_max, 2);
    xml = lp_profile_to_xml(&p);
    assert_string_equal(xml, GOOD_2);
    assert_true(lp_profile_from_xml(indented, &again, NULL) && same(&p, &again));
    commented = replace(GOOD_2, SCHEDULE_XML, "<!-- days -->" SCHEDULE_XML);
    assert_true(lp_profile_from_xml(commented, &again, NULL) && same(&p, &again));
}

/* What says nothing new is written as before, so that an older lpard reads it. */
static void
test_versions(void **state)
{
    g_autofree char *bare = replace(GOOD_2, AUTOSCALE_XML, "");
    g_autofree char *usual = replace(
        GOOD_2, AUTOSCALE_XML, "<lpard:autoscale mode=\"off\" goal=\"balanced\" priority=\"3\""
                               " entitled=\"0\" release=\"0\"/>");
    g_autofree char *old = replace(GOOD_2, "version=\"2\"", "version=\"1\"");
    g_autofree char *xml = NULL;
    LpProfile p, plain;

    (void) state;
    assert_true(lp_profile_from_xml(GOOD, &plain, NULL));
    assert_int_equal(plain.version, 1);
    assert_true(lp_autoscale_is_default(&plain.autoscale));
    assert_true(lp_profile_from_xml(bare, &p, NULL) && same(&p, &plain));
    assert_true(lp_profile_from_xml(usual, &p, NULL) && same(&p, &plain));
    xml = lp_profile_to_xml(&p);
    assert_string_equal(xml, GOOD);
    /* Whatever the value's version says, the text's is that of what it holds. */
    p.version = 1;
    p.autoscale.mode = LP_MODE_HOST;
    g_free(xml);
    xml = lp_profile_to_xml(&p);
    assert_non_null(strstr(xml, " version=\"2\""));
    check_refused(old, "autoscale");
}

static void
test_autoscale_refused(void **state)
{
    static const struct { const char *from, *to, *named; } BAD[] = {
        { " mode=\"auto\"", "", "mode" }, { " mode=\"auto\"", " mode=\"Auto\"", "mode" },
        { " mode=\"auto\"", " mode=\"\"", "mode" }, { " goal=\"latency\"", "", "goal" },
        { " goal=\"latency\"", " goal=\"fast\"", "goal" }, { " priority=\"5\"", "", "priority" },
        { " priority=\"5\"", " priority=\"8\"", "priority" },
        { " priority=\"5\"", " priority=\"-1\"", "priority" },
        { " entitled=\"2147483648\"", "", "entitled" },
        { " entitled=\"2147483648\"", " entitled=\"2147483649\"", "entitlement" },
        { " entitled=\"2147483648\"", " entitled=\"2G\"", "entitled" },
        { " entitled=\"2147483648\"", " entitled=\"2147483648\" more=\"1\"", "more" },
        { " release=\"600\"", "", "release" },
        { " release=\"600\"", " release=\"86401\"", "day" },
        { " when=\"daily", " when=\" daily", "form" }, { "min mem=2G", "min mem=2048M", "form" },
        { "min mem=2G", "min mem=512M", "weekdays 08:00-18:00 min mem=512M" },
        { "min mem=2G", "max cpu=5", "weekdays 08:00-18:00 max cpu=5" },
        { "min mem=2G", "min", "bound" }, { " when=\"daily", " then=\"daily", "then" },
        { " when=\"daily", " x=\"1\" when=\"daily", "'x'" },
        { "max cpu=2\"/>", "max cpu=2\">text</lpard:schedule>", "empty" },
        { SCHEDULE_XML, SCHEDULE_XML "text", "empty" },
        { SCHEDULE_XML, "<schedule when=\"daily 22:00-06:00 max cpu=2\"/>", "empty" },
        { SCHEDULE_XML, "<lpard:cell id=\"2\" node=\"3\"/>", "empty" },
        { "<lpard:autoscale", SCHEDULE_XML "<lpard:autoscale", "schedule" },
        { AUTOSCALE_XML, AUTOSCALE_XML AUTOSCALE_XML, "twice" },
    };
    GString *many = g_string_new(NULL);

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++)
        check_changed_2(BAD[i].from, BAD[i].to, BAD[i].named);
    for (unsigned i = 0; i < LP_SCHEDULES_MAX; i++)
        g_string_append(many, SCHEDULE_XML);
    check_changed_2(SCHEDULE_XML, many->str, "more than 8");
    g_string_free(many, TRUE);
}

#define NUMA_XML \
    "<lpard:numa mode=\"strict\" nodes=\"0-1,4\" cores=\"own\" floor=\"80\" floor-action=\"refuse\"/>"

/* GOOD_2 in version 3, with a rule. */
static char *
good_3(void)
{
    g_autofree char *three = replace(GOOD_2, "version=\"2\"", "version=\"3\"");

    return replace(three, "</lpard:partition>", NUMA_XML "</lpard:partition>");
}

static void
test_numa_form(void **state)
{
    g_autofree char *whole = good_3(), *xml = NULL;
    g_autofree char *without = replace(whole, NUMA_XML, "");
    g_autofree char *older = replace(whole, "version=\"3\"", "version=\"2\"");
    g_autofree char *usual = replace(whole, NUMA_XML, "<lpard:numa mode=\"auto\" nodes=\"\" "
                                                      "cores=\"shared\" floor=\"0\" floor-action=\"warn\"/>");
    LpProfile p, two;

    (void) state;
    assert_true(lp_profile_from_xml(whole, &p, NULL));
    assert_int_equal(p.version, 3);
    assert_int_equal(p.numa.mode, LP_NUMA_STRICT);
    assert_int_equal(p.numa.n_nodes, 3);
    assert_int_equal(p.numa.node_id[2], 4);
    assert_true(p.numa.own_cores);
    assert_int_equal(p.numa.floor, 80);
    assert_int_equal(p.numa.floor_action, LP_FLOOR_REFUSE);
    xml = lp_profile_to_xml(&p);
    assert_string_equal(xml, whole);
    /* What says nothing new is of the version before. */
    assert_true(lp_profile_from_xml(GOOD_2, &two, NULL));
    assert_true(lp_profile_from_xml(without, &p, NULL) && same(&p, &two));
    assert_true(lp_profile_from_xml(usual, &p, NULL) && same(&p, &two));
    check_refused(older, "numa");
}

static void
test_numa_refused(void **state)
{
    static const struct { const char *from, *to, *named; } BAD[] = {
        { " mode=\"strict\"", "", "mode" }, { " mode=\"strict\"", " mode=\"Strict\"", "Strict" },
        { " mode=\"strict\"", " mode=\"strict:0\"", "rule" },
        { " mode=\"strict\"", " mode=\"auto\"", "auto" },
        { " nodes=\"0-1,4\"", "", "nodes" }, { " nodes=\"0-1,4\"", " nodes=\"\"", "strict" },
        { " nodes=\"0-1,4\"", " nodes=\"0,1,4\"", "form" },
        { " nodes=\"0-1,4\"", " nodes=\"4,0-1\"", "form" },
        { " nodes=\"0-1,4\"", " nodes=\"x\"", "nodes" },
        { " nodes=\"0-1,4\"", " nodes=\"0-1023\"", "64" },
        { " cores=\"own\"", "", "cores" }, { " cores=\"own\"", " cores=\"mine\"", "shared" },
        { " floor=\"80\"", "", "floor" }, { " floor=\"80\"", " floor=\"101\"", "floor" },
        { " floor=\"80\"", " floor=\"-1\"", "floor" },
        { " floor-action=\"refuse\"", "", "floor-action" },
        { " floor-action=\"refuse\"", " floor-action=\"die\"", "floor-action" },
        { " floor-action=\"refuse\"", " floor-action=\"refuse\" x=\"1\"", "'x'" },
        { NUMA_XML, NUMA_XML NUMA_XML, "twice" },
    };
    g_autofree char *whole = good_3();

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_autofree char *xml = replace(whole, BAD[i].from, BAD[i].to);

        check_refused(xml, BAD[i].named);
    }
}

static void
test_not_a_profile(void **state)
{
    g_autofree char *big = g_strnfill(70000, ' ');
    g_autofree char *padded = g_strconcat(GOOD, big, NULL);
    GString *deep = g_string_new("<partition>");

    (void) state;
    check_refused("", NULL);
    check_refused("hello", "well-formed");
    check_refused("<domain/>", "partition");
    check_refused("\xff\xfe", "well-formed");
    check_refused(padded, "64 KiB");
    check_refused("<!DOCTYPE x [<!ENTITY a \"1\">]><partition version=\"&a;\"/>", "document type");
    check_refused("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><partition/>", "document type");
    check_changed("generation=\"7\"", "generation=\"&a;\"", "well-formed");
    for (unsigned i = 0; i < 9000; i++)
        g_string_append(deep, "<a>");
    check_refused(deep->str, "well-formed");
    g_string_free(deep, TRUE);
}

/* Any bytes, near to a profile or far from it: taken or refused, and what is taken is a profile
 * that reads back. */
static void
test_random_bytes(void **state)
{
    static const char INSERTS[] = "<>&\"'/=!?:[]0129-xlpard \n\xc3\xff";
    unsigned taken = 0;

    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 20000; round++) {
        g_autoptr(GString) text = g_string_new(round % 2 ? GOOD_2 : GOOD);
        g_autoptr(GError) error = NULL;
        LpProfile p, again;

        for (int n = 1 + rand() % 3; n > 0; n--) {
            gssize at = rand() % (gssize) text->len, rest = (gssize) text->len - at;
            gssize cut = 1 + rand() % 12;

            switch (rand() % 3) {
            case 0:
                g_string_erase(text, at, MIN(rest, cut));
                break;
            case 1:
                g_string_insert_c(text, at, INSERTS[(size_t) rand() % (sizeof(INSERTS) - 1)]);
                break;
            default:
                text->str[at] = (char) (1 + rand() % 255);
            }
        }
        if (lp_profile_from_xml(text->str, &p, &error)) {
            g_autofree char *xml = lp_profile_to_xml(&p);

            assert_true(lp_profile_from_xml(xml, &again, NULL) && same(&p, &again));
            assert_int_equal(lp_profile_check(&p), LP_PROFILE_OK);
            taken++;
        } else {
            assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_BAD_PROFILE));
            assert_true(g_utf8_validate(error->message, -1, NULL));
        }
    }
    print_message("# %u of 20000 were still profiles\n", taken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_forms_that_libvirt_gives),
        cmocka_unit_test(test_every_attribute),
        cmocka_unit_test(test_every_element),
        cmocka_unit_test(test_rules_apply),
        cmocka_unit_test(test_autoscale_form),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_autoscale_refused),
        cmocka_unit_test(test_numa_form),
        cmocka_unit_test(test_numa_refused),
        cmocka_unit_test(test_not_a_profile),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests_name("profile-xml", tests, NULL, NULL);
}
