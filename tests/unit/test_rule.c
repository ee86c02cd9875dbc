/* The rule: its text, and which nodes it means on a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "numa/rule.h"
#include "tests/unit/numa_host.h"

#define SEED 20261125u

static LpTopology host;

static void
test_texts(void **state)
{
    static const struct {
        const char *text, *back;
        LpNumaMode mode;
        uint32_t n;
    } CASES[] = {
        { "auto", "auto", LP_NUMA_AUTO, 0 },
        { "auto+cores", "auto+cores", LP_NUMA_AUTO, 0 },
        { "strict:3+cores", "strict:3+cores", LP_NUMA_STRICT, 1 },
        { "spread+cores", "spread+cores", LP_NUMA_SPREAD, 0 },
        { "strict:0-1,4", "strict:0-1,4", LP_NUMA_STRICT, 3 },
        { "strict:4,1,0,1", "strict:0-1,4", LP_NUMA_STRICT, 3 },
        { "preferred:0", "preferred:0", LP_NUMA_PREFERRED, 1 },
        { "preferred:1023", "preferred:1023", LP_NUMA_PREFERRED, 1 },
        { "spread", "spread", LP_NUMA_SPREAD, 0 },
        { "spread:2,33", "spread:2,33", LP_NUMA_SPREAD, 2 },
        { "interleave", "interleave", LP_NUMA_INTERLEAVE, 0 },
        { "interleave:0-63", "interleave:0-63", LP_NUMA_INTERLEAVE, 64 },
        { "keep", "keep", LP_NUMA_KEEP, 0 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        LpNumaRule rule = { .floor = 70, .floor_action = LP_FLOOR_REFUSE };
        char text[LP_NUMA_RULE_TEXT], message[160] = "";

        if (!lp_numa_rule_parse(CASES[i].text, &rule, message, sizeof(message)))
            fail_msg("%s: %s", CASES[i].text, message);
        assert_int_equal(rule.mode, CASES[i].mode);
        assert_int_equal(rule.n_nodes, CASES[i].n);
        /* The floor is said elsewhere. */
        assert_int_equal(rule.floor, 70);
        assert_int_equal(rule.floor_action, LP_FLOOR_REFUSE);
        assert_true(lp_numa_rule_valid(&rule));
        assert_string_equal(lp_numa_rule_format(&rule, text, sizeof(text)), CASES[i].back);
    }
}

static void
test_malformed(void **state)
{
    static const struct { const char *text, *word; } CASES[] = {
        { "", "auto, strict" }, { "Auto", "auto, strict" }, { "autos", "auto, strict" },
        { "aut", "auto, strict" }, { ":0", "auto, strict" }, { " auto", "auto, strict" },
        { "auto ", "auto, strict" }, { "0-1", "auto, strict" }, { "strict 0", "auto, strict" },
        { "strict", "strict:0-1" }, { "preferred", "preferred:0-1" },
        { "strict:", "no node" }, { "spread:", "no node" }, { "interleave:", "no node" },
        { "keep+cores", "takes no +cores" }, { "interleave+cores", "takes no +cores" },
        { "auto+core", "auto, strict" }, { "+cores", "auto, strict" },
        { "strict+cores", "needs the nodes" }, { "auto+cores+cores", "auto, strict" },
        { "auto:0", "takes no nodes" }, { "auto:", "takes no nodes" }, { "keep:1", "takes no" },
        { "strict:a", "list of nodes" }, { "strict:0,", "list of nodes" },
        { "strict:,0", "list of nodes" }, { "strict:1-0", "list of nodes" },
        { "strict:-1", "list of nodes" }, { "strict: 0", "list of nodes" },
        { "strict:0:1", "list of nodes" }, { "strict:0x1", "list of nodes" },
        { "strict:1024", "list of nodes" }, { "strict:99999999999999999999", "list of nodes" },
        { "strict:0-64", "65 nodes" }, { "spread:0-1023", "1024 nodes" },
    };
    char longest[4096];

    (void) state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        LpNumaRule rule = { .mode = LP_NUMA_STRICT, .n_nodes = 1, .node_id = { 7 } };
        LpNumaRule before = rule;
        char message[160] = "";

        if (lp_numa_rule_parse(CASES[i].text, &rule, message, sizeof(message)))
            fail_msg("\"%s\" was taken", CASES[i].text);
        if (!strstr(message, CASES[i].word))
            fail_msg("\"%s\": %s", CASES[i].text, message);
        assert_memory_equal(&rule, &before, sizeof(rule));
        assert_false(lp_numa_rule_parse(CASES[i].text, &rule, NULL, 0));
    }
    /* A text without end is neither repeated nor cut into a rule. */
    for (size_t colon = 0; colon < 2; colon++) {
        LpNumaRule rule = { 0 };
        char message[160] = "";

        memset(longest, '1', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        if (colon)
            memcpy(longest, "strict:", 7);
        assert_false(lp_numa_rule_parse(longest, &rule, message, sizeof(message)));
        assert_true(strlen(message) > 40 && strlen(message) < sizeof(message) - 1);
    }
}

static void
test_round_trip(void **state)
{
    uint64_t chance = SEED;

    (void) state;
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 3000; round++) {
        LpNumaRule rule = { .mode = (LpNumaMode) numa_random(&chance, LP_NUMA_MODES) };
        LpNumaRule back = { 0 };
        char text[LP_NUMA_RULE_TEXT], message[160] = "";
        uint32_t n = 0, id = (uint32_t) numa_random(&chance, 3);

        if (rule.mode == LP_NUMA_STRICT || rule.mode == LP_NUMA_PREFERRED)
            n = 1 + (uint32_t) numa_random(&chance, LP_MAX_NODES);
        else if (rule.mode == LP_NUMA_SPREAD || rule.mode == LP_NUMA_INTERLEAVE)
            n = (uint32_t) numa_random(&chance, LP_MAX_NODES + 1);
        for (uint32_t i = 0; i < n; i++) {
            rule.node_id[rule.n_nodes++] = (uint16_t) id;
            id += 1 + (uint32_t) numa_random(&chance, 15);
        }
        assert_true(lp_numa_rule_valid(&rule));
        lp_numa_rule_format(&rule, text, sizeof(text));
        assert_true(lp_numa_rule_parse(text, &back, message, sizeof(message)));
        assert_true(lp_numa_rule_equal(&rule, &back));
    }
}

/* The longest there is fits, and a buffer that is too short is still terminated. */
static void
test_lengths(void **state)
{
    LpNumaRule rule = { .mode = LP_NUMA_INTERLEAVE };
    char text[LP_NUMA_RULE_TEXT], small[9];

    (void) state;
    for (uint32_t i = 0; i < LP_MAX_NODES; i++)
        rule.node_id[rule.n_nodes++] = (uint16_t) (LP_NODE_ID_MAX - 2 * (LP_MAX_NODES - 1 - i));
    assert_true(lp_numa_rule_valid(&rule));
    lp_numa_rule_format(&rule, text, sizeof(text));
    assert_true(strlen(text) < sizeof(text) - 1);
    assert_string_equal(text + strlen(text) - 5, ",1023");
    assert_string_equal(lp_numa_rule_format(&rule, small, sizeof(small)), "interlea");
    lp_numa_rule_format(&rule, small, 1);
    assert_string_equal(small, "");
    small[0] = 'x';
    lp_numa_rule_format(&rule, small, 0);
    assert_int_equal(small[0], 'x');
}

static void
test_invalid(void **state)
{
    static const LpNumaRule BAD[] = {
        { .mode = LP_NUMA_MODES },
        { .mode = LP_NUMA_AUTO, .n_nodes = 1 },
        { .mode = LP_NUMA_KEEP, .n_nodes = 1 },
        { .mode = LP_NUMA_STRICT },
        { .mode = LP_NUMA_PREFERRED },
        { .mode = LP_NUMA_STRICT, .n_nodes = LP_MAX_NODES + 1 },
        { .mode = LP_NUMA_STRICT, .n_nodes = UINT32_MAX },
        { .mode = LP_NUMA_STRICT, .n_nodes = 2, .node_id = { 1, 0 } },
        { .mode = LP_NUMA_STRICT, .n_nodes = 2, .node_id = { 1, 1 } },
        { .mode = LP_NUMA_STRICT, .n_nodes = 1, .node_id = { LP_NODE_ID_MAX + 1 } },
        { .floor = 101 },
        { .floor_action = LP_FLOORS },
    };
    LpNumaRule rule = { 0 };
    char text[LP_NUMA_RULE_TEXT];

    (void) state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (lp_numa_rule_valid(&BAD[i]))
            fail_msg("case %zu was taken", i);
        assert_string_equal(lp_numa_rule_format(&BAD[i], text, sizeof(text)), "?");
        assert_false(lp_numa_rule_is_default(&BAD[i]));
    }
    assert_true(lp_numa_rule_valid(&rule));
    assert_true(lp_numa_rule_is_default(&rule));
    rule.floor = 100;
    assert_true(lp_numa_rule_valid(&rule));
    assert_false(lp_numa_rule_is_default(&rule));
    rule = (LpNumaRule) { .mode = LP_NUMA_STRICT, .n_nodes = 1, .node_id = { 1, 5 } };
    /* What is behind the last one is not part of it. */
    assert_true(lp_numa_rule_equal(&rule, &(LpNumaRule) { .mode = LP_NUMA_STRICT, .n_nodes = 1,
                                                          .node_id = { 1, 6 } }));
    assert_false(lp_numa_rule_equal(&rule, &(LpNumaRule) { .mode = LP_NUMA_STRICT, .n_nodes = 1,
                                                           .node_id = { 2, 5 } }));
    assert_false(lp_numa_rule_equal(&rule, &(LpNumaRule) { .mode = LP_NUMA_PREFERRED, .n_nodes = 1,
                                                           .node_id = { 1, 5 } }));
}

/* Ids are not places in the list: 0, 1, 2, 33. */
static void
test_nodes_of_a_host(void **state)
{
    LpNumaRule rule = { 0 };
    int32_t absent = 5;

    (void) state;
    numa_host(&host, 4, GIB, 4, 20);
    host.nodes[3].id = 33;
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == 15);
    assert_int_equal(absent, -1);
    assert_true(lp_numa_rule_parse("strict:2,33", &rule, NULL, 0));
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == (4 | 8));
    assert_int_equal(absent, -1);
    assert_true(lp_numa_rule_parse("strict:1,3,7", &rule, NULL, 0));
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == 2);
    assert_int_equal(absent, 3);
    assert_true(lp_numa_rule_nodes(&rule, &host, NULL) == 2);
    assert_true(lp_numa_rule_parse("preferred:9", &rule, NULL, 0));
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == 0);
    assert_int_equal(absent, 9);
    /* A node without memory is there, and holds none. */
    host.nodes[1].memory_bytes = 0;
    assert_true(lp_numa_rule_parse("strict:0-1", &rule, NULL, 0));
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == 1);
    assert_int_equal(absent, -1);
    assert_true(lp_numa_rule_parse("interleave", &rule, NULL, 0));
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == (1 | 4 | 8));
    /* One without processors does. */
    numa_host_cpus(&host, 2, 0);
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == (1 | 4 | 8));
    numa_host(&host, 64, GIB, 1, 20);
    assert_true(lp_numa_rule_nodes(&rule, &host, &absent) == ~0ULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_nodes_of_a_host),
    };

    return cmocka_run_group_tests_name("rule", tests, NULL, NULL);
}
