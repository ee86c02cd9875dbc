/* Where the cells of a partition are put by its rule, and what its definition pins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hotplug/domxml.h"
#include "lpard/define/definition.h"
#include "lpard/define/placement.h"
#include "lpard/define/profile-change.h"
#include "lpard/error.h"

#define GIB (1ULL << 30)

/* Nodes 0, 1 and 4 of four processors and 8 GiB each, 0 and 1 near each other; 2 has processors
 * alone, 3 memory alone, next to 4. */
static LpPlacementHost *
host_of_five(void)
{
    LpPlacementHost *host = g_new0(LpPlacementHost, 1);
    LpTopology *t = &host->topology;

    t->n_nodes = 5;
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        t->nodes[i] = (LpNode){.id = i, .memory_bytes = i == 2 ? 0 : 8 * GIB,
                               .tier = LP_TIER_NORMAL};
        if (i != 3)
            t->nodes[i].cpus.words[0] = UINT64_C(0xf) << (4 * i);
        for (uint32_t j = 0; j < t->n_nodes; j++)
            t->distance[i][j] = i == j ? 10 : (i < 2) == (j < 2) ? 16 : 32;
        host->use[i].free_bytes = host->later[i].free_bytes = t->nodes[i].memory_bytes;
    }
    t->n_cpus = 16;
    t->distances_known = true;
    return host;
}

static LpPlacementHost *
host_of_one(void)
{
    LpPlacementHost *host = host_of_five();

    host->topology.n_nodes = 1;
    return host;
}

static bool
apply(const LpPlacementHost *host, const LpView *view, const LpProfile *old, const char *text,
      LpProfile *ret_profile, GError **error)
{
    json_t *body = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    LpProfileChange change;
    bool ok;

    assert_non_null(body);
    ok = lp_profile_change_parse(body, &change, error) &&
         lp_profile_change_apply(&change, old, view, host, ret_profile, error);
    json_decref(body);
    return ok;
}

#define WHOLE "\"cpu\":{\"min\":1,\"desired\":2,\"max\":8}," \
    "\"mem\":{\"min_bytes\":4294967296,\"desired_bytes\":4294967296,\"max_bytes\":6442450944}"
/* Larger than any node. */
#define GREAT "\"cpu\":{\"min\":1,\"desired\":2,\"max\":8}," \
    "\"mem\":{\"min_bytes\":4294967296,\"desired_bytes\":12884901888,\"max_bytes\":12884901888}"

/* Than two nodes together. */
#define FAR "\"cpu\":{\"min\":1,\"desired\":2,\"max\":8}," \
    "\"mem\":{\"min_bytes\":5368709120,\"desired_bytes\":5368709120,\"max_bytes\":18253611008}"

static LpProfile
new_one(const LpPlacementHost *host, const char *text)
{
    LpProfile profile;
    GError *error = NULL;

    if (!apply(host, NULL, NULL, text, &profile, &error))
        fail_msg("%s: %s", text, error->message);
    return profile;
}

static void
refuses(const LpPlacementHost *host, const LpProfile *old, const char *text, int code,
        const char *word)
{
    GError *error = NULL;
    LpProfile profile;

    if (apply(host, NULL, old, text, &profile, &error))
        fail_msg("taken: %s", text);
    assert_true(g_error_matches(error, LP_ERROR, code));
    if (!strstr(error->message, word))
        fail_msg("\"%s\" does not say \"%s\"", error->message, word);
    g_error_free(error);
}

static void
test_fits_one_node(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five();
    LpProfile p = new_one(host, "{" WHOLE "}");

    (void)state;
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], 0);
    assert_int_equal(p.version, 1);
    /* Its maximum does not fit where somebody else is. */
    host->use[0].free_bytes = host->later[0].free_bytes = 5 * GIB;
    p = new_one(host, "{" WHOLE "}");
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], 1);
    /* What is off counts as well, but gives nobody more cells than needed now. */
    host->later[1].free_bytes = GIB;
    p = new_one(host, "{" WHOLE "}");
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], 4);
    for (uint32_t i = 0; i < 5; i++)
        host->later[i].free_bytes = 0;
    p = new_one(host, "{" WHOLE "}");
    assert_int_equal(p.n_cells, 1);
}

static void
test_nearest_set(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five();
    LpProfile p = new_one(host, "{" GREAT "}");

    (void)state;
    assert_int_equal(p.n_cells, 2);
    assert_int_equal(p.cell_node[0] + p.cell_node[1], 1);
    p = new_one(host, "{" GREAT ",\"n_cells\":3}");
    assert_int_equal(p.n_cells, 3);
    /* No room anywhere is no reason to refuse a definition without a rule. */
    memset(host->use, 0, sizeof host->use);
    memset(host->later, 0, sizeof host->later);
    p = new_one(host, "{" GREAT "}");
    assert_true(p.n_cells >= 1);
}

/* A cell has a vCPU, and its part of boot memory. */
static void
test_no_more_cells_than_can_be(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five();
    LpProfile p = new_one(host, "{\"cpu\":{\"min\":1,\"desired\":1,\"max\":1},\"mem\":{"
                                "\"min_bytes\":4294967296,\"desired_bytes\":12884901888,"
                                "\"max_bytes\":12884901888},\"numa\":\"spread\"}");

    (void)state;
    assert_int_equal(p.n_cells, 1);
    p = new_one(host, "{\"cpu\":{\"min\":1,\"desired\":2,\"max\":8},\"mem\":{"
                      "\"min_bytes\":276824064,\"desired_bytes\":276824064,"
                      "\"max_bytes\":276824064},\"numa\":\"spread\"}");
    assert_int_equal(p.n_cells, 2);
    refuses(host, NULL, "{" WHOLE ",\"n_cells\":9}", LP_ERROR_REFUSED, "cells");
    refuses(host, NULL, "{" WHOLE ",\"n_cells\":0}", LP_ERROR_USAGE, "n_cells");
}

static void
test_rules(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five();
    LpProfile p = new_one(host, "{" WHOLE ",\"numa\":\"strict:4\"}");
    g_autofree char *nodes = NULL;

    (void)state;
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], 4);
    assert_int_equal(p.version, 3);
    p = new_one(host, "{" WHOLE ",\"numa\":\"preferred:1\"}");
    assert_int_equal(p.cell_node[0], 1);
    p = new_one(host, "{" WHOLE ",\"numa\":\"spread:0-1,4\"}");
    assert_int_equal(p.n_cells, 3);
    assert_int_equal(p.cell_node[0] + p.cell_node[1] + p.cell_node[2], 5);
    p = new_one(host, "{" WHOLE ",\"numa\":\"interleave:0,4\"}");
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], -1);
    nodes = lp_placement_interleaved(&p, &host->topology);
    assert_string_equal(nodes, "0,4");
    p = new_one(host, "{" WHOLE ",\"numa\":\"keep\"}");
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], -1);
    p = new_one(host, "{" WHOLE ",\"affinity_floor\":80,\"affinity_floor_action\":\"refuse\"}");
    assert_int_equal(p.numa.floor, 80);
    assert_int_equal(p.numa.floor_action, LP_FLOOR_REFUSE);
    assert_int_equal(p.version, 3);
}

/* A strict rule's cells are as many as its nodes, and grow no further than those. */
static void
test_reach(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five();
    LpProfile p = new_one(host, "{" FAR ",\"numa\":\"strict:1\"}");

    (void)state;
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], 1);
    assert_true(lp_placement_reach(host, &p) == 8 * GIB);
    /* However full they are now. */
    host->use[1].free_bytes = host->later[1].free_bytes = 5 * GIB;
    assert_true(lp_placement_reach(host, &p) == 8 * GIB);
    p = new_one(host, "{" FAR ",\"numa\":\"strict:0-1\"}");
    assert_int_equal(p.n_cells, 2);
    assert_true(lp_placement_reach(host, &p) == 16 * GIB);
    p = new_one(host, "{" FAR ",\"numa\":\"strict:0\",\"cells\":[0,0]}");
    assert_true(lp_placement_reach(host, &p) == 8 * GIB);
    p = new_one(host, "{" FAR ",\"numa\":\"spread:0-1\"}");
    assert_true(lp_placement_reach(host, &p) == 16 * GIB);
    p = new_one(host, "{" WHOLE ",\"numa\":\"strict:0\"}");
    assert_true(lp_placement_reach(host, &p) == UINT64_MAX);
    p = new_one(host, "{" FAR ",\"numa\":\"preferred:0\"}");
    assert_true(lp_placement_reach(host, &p) == UINT64_MAX);
}

static void
test_refused(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five();

    (void)state;
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"strict:7\"}", LP_ERROR_REFUSED, "no node 7");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"strict:7\"}", LP_ERROR_REFUSED,
            "0 (8 GiB free), 1 (8 GiB free), 3 (8 GiB free), 4");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"strict:2\"}", LP_ERROR_REFUSED, "no memory");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"interleave:0,9\"}", LP_ERROR_REFUSED, "node 9");
    host->use[4].free_bytes = 3 * GIB;
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"strict:4\"}", LP_ERROR_REFUSED, "3 GiB free");
    /* Full now is not too small. */
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"strict:4\"}", LP_ERROR_REFUSED,
            "where others can leave, give it numa=preferred:4, let `lparctl optimize` bring it "
            "there, and then give it numa=strict:4");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"strict:4\",\"cells\":[4]}", LP_ERROR_REFUSED,
            "3 GiB free");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"strict:0\",\"cells\":[1]}", LP_ERROR_USAGE,
            "node 1");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"interleave\",\"cells\":[1]}", LP_ERROR_USAGE,
            "interleave");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"keep\",\"cells\":[1]}", LP_ERROR_USAGE, "keep");
    refuses(host, NULL, "{" WHOLE ",\"numa\":\"near\"}", LP_ERROR_USAGE, "near");
    refuses(host, NULL, "{" WHOLE ",\"numa\":7}", LP_ERROR_USAGE, "numa");
    refuses(host, NULL, "{" WHOLE ",\"affinity_floor\":101}", LP_ERROR_USAGE, "affinity_floor");
    refuses(host, NULL, "{" WHOLE ",\"affinity_floor_action\":\"die\"}", LP_ERROR_USAGE,
            "affinity_floor_action");
}

static void
test_what_the_xml_binds(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five(), *one = host_of_one();
    LpView *view = lp_view_new();
    LpProfile p;

    (void)state;
    view->n_cells = 2;
    view->cells[0].node = 1;
    view->cells[1].node = -1;
    view->has_pins = true;
    assert_true(apply(host, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.numa.mode, LP_NUMA_KEEP);
    assert_int_equal(p.n_cells, 2);
    assert_int_equal(p.cell_node[0], 1);
    assert_int_equal(p.cell_node[1], -1);
    view->has_pins = false;
    view->numatune = LP_NUMATUNE_OTHER;
    assert_true(apply(host, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.numa.mode, LP_NUMA_KEEP);
    /* Whoever names a rule or cells means them. */
    assert_true(apply(host, view, NULL, "{" WHOLE ",\"numa\":\"auto\"}", &p, NULL));
    assert_int_equal(p.numa.mode, LP_NUMA_AUTO);
    assert_int_equal(p.cell_node[0], 0);
    assert_true(apply(host, view, NULL, "{" WHOLE ",\"cells\":[4]}", &p, NULL));
    assert_int_equal(p.numa.mode, LP_NUMA_AUTO);
    assert_int_equal(p.cell_node[0], 4);
    /* With one node there is nothing to keep. */
    assert_true(apply(one, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.version, 1);
    assert_int_equal(p.cell_node[0], 0);
    view->numatune = LP_NUMATUNE_RESTRICTIVE;
    assert_true(apply(host, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.numa.mode, LP_NUMA_AUTO);
    assert_int_equal(p.n_cells, 2);
    assert_int_equal(p.cell_node[0], 1);
    lp_view_free(view);
}

/* Who becomes a partition while it runs stays where it is, if that will do. */
static void
test_runs_already(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five(), *one = host_of_one();
    LpView *view = lp_view_new();
    LpProfile p;

    (void)state;
    view->run = LP_RUN_RUNNING;
    view->numatune = LP_NUMATUNE_CELLS;
    view->n_cells = 2;
    view->cells[0].node = view->cells[0].home = 4;
    view->cells[1].node = view->cells[1].home = 4;
    assert_true(apply(host, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.n_cells, 2);
    assert_int_equal(p.cell_node[0], 4);
    assert_int_equal(p.cell_node[1], 4);
    /* Neither where it may not be, nor where it cannot grow. */
    assert_true(apply(host, view, NULL, "{" WHOLE ",\"numa\":\"strict:1\"}", &p, NULL));
    assert_int_equal(p.cell_node[0], 1);
    assert_true(apply(host, view, NULL, "{" GREAT "}", &p, NULL));
    assert_int_equal(p.cell_node[0] + p.cell_node[1], 1);
    host->use[4].free_bytes = host->later[4].free_bytes = 5 * GIB;
    assert_true(apply(host, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.n_cells, 1);
    host->use[4].free_bytes = 8 * GIB;
    view->run = LP_RUN_OFF;
    assert_true(apply(host, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.n_cells, 1);
    view->run = LP_RUN_RUNNING;
    view->cells[0].home = view->cells[1].home = 0;
    assert_true(apply(one, view, NULL, "{" WHOLE "}", &p, NULL));
    assert_int_equal(p.n_cells, 1);
    lp_view_free(view);
}

static void
test_edits(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five();
    LpProfile old = new_one(host, "{" WHOLE "}"), p, q;

    (void)state;
    /* Where it is allowed it stays, though another node would be chosen now. */
    host->use[0].free_bytes = host->later[0].free_bytes = 4 * GIB;
    assert_true(apply(host, NULL, &old, "{\"numa\":\"strict:0,4\"}", &p, NULL));
    assert_int_equal(p.cell_node[0], 0);
    assert_true(apply(host, NULL, &old, "{\"numa\":\"strict:4\"}", &p, NULL));
    assert_int_equal(p.n_cells, 1);
    assert_int_equal(p.cell_node[0], 4);
    assert_false(lp_profile_shape_differs(&old, &p));
    /* The rest of an edit moves nothing. */
    assert_true(apply(host, NULL, &p, "{\"weight\":7}", &q, NULL));
    assert_int_equal(q.numa.mode, LP_NUMA_STRICT);
    assert_int_equal(q.cell_node[0], 4);
    assert_true(apply(host, NULL, &p, "{\"numa\":\"auto\"}", &q, NULL));
    assert_int_equal(q.cell_node[0], 4);
    assert_int_equal(q.version, 1);
    assert_true(apply(host, NULL, &p, "{\"numa\":\"spread\"}", &q, NULL));
    assert_true(q.n_cells > 1);
    assert_true(lp_profile_shape_differs(&p, &q));
    assert_true(apply(host, NULL, &p, "{\"numa\":\"interleave\"}", &q, NULL));
    assert_true(lp_profile_shape_differs(&p, &q));
    assert_int_equal(q.n_cells, 1);
    assert_true(apply(host, NULL, &q, "{\"numa\":\"auto\"}", &p, NULL));
    assert_int_not_equal(p.cell_node[0], -1);
    assert_true(apply(host, NULL, &old, "{\"numa\":\"keep\"}", &p, NULL));
    assert_int_equal(p.cell_node[0], 0);
    /* The floor by itself; without one it has no action. */
    assert_true(apply(host, NULL, &old, "{\"affinity_floor\":50,\"affinity_floor_action\":"
                                        "\"refuse\"}", &p, NULL));
    assert_true(apply(host, NULL, &p, "{\"numa\":\"preferred:1\"}", &q, NULL));
    assert_int_equal(q.numa.floor, 50);
    assert_true(apply(host, NULL, &p, "{\"affinity_floor\":0}", &q, NULL));
    assert_true(lp_numa_rule_is_default(&q.numa));
    refuses(host, &old, "{\"numa\":\"strict:9\"}", LP_ERROR_REFUSED, "no node 9");
    host->use[1].free_bytes = 0;
    refuses(host, &old, "{\"numa\":\"strict:1\"}", LP_ERROR_REFUSED, "0 B free");
}

static void
assert_mask(const LpCpuMask *mask, const char *wanted)
{
    char text[LP_CPUMASK_TEXT];

    assert_string_equal(lp_cpumask_format(mask, text, sizeof text), wanted);
}

static void
test_pins(void **state)
{
    g_autofree LpPlacementHost *host = host_of_five(), *one = host_of_one();
    LpProfile p = new_one(host, "{" WHOLE ",\"cells\":[1,3]}");
    LpPins *pins = lp_placement_pins_of(&p, &host->topology);

    (void)state;
    assert_non_null(pins);
    assert_int_equal(pins->n_vcpus, 8);          /* also those that come later */
    assert_mask(&pins->vcpus[0], "4-7");
    assert_mask(&pins->vcpus[3], "4-7");
    /* Node 3 has no processors: those of 2, as near as 4 and before it. */
    assert_mask(&pins->vcpus[4], "8-11");
    assert_mask(&pins->vcpus[7], "8-11");
    assert_mask(&pins->emulator, "4-11");
    lp_placement_pins_free(pins);
    p = new_one(host, "{" WHOLE ",\"numa\":\"interleave:0,4\"}");
    pins = lp_placement_pins_of(&p, &host->topology);
    assert_mask(&pins->vcpus[5], "0-3,16-19");
    assert_mask(&pins->emulator, "0-3,16-19");
    lp_placement_pins_free(pins);
    p.numa.mode = LP_NUMA_KEEP;
    assert_null(lp_placement_pins_of(&p, &host->topology));
    p = new_one(one, "{" WHOLE "}");
    assert_null(lp_placement_pins_of(&p, &one->topology));
}

static bool
is_unchanged(const char *after, const char *now)
{
    g_autofree char *record = lp_definition_record("<domain/>", after), *before = NULL;

    return lp_definition_unchanged(record, now, &before);
}

/* What enable wrote and an optimization has changed is no edit: `disable` takes both back. */
static void
test_moved_is_not_edited(void **state)
{
    static const char bare[] = "<domain type='kvm'>\n  <name>a</name>\n"
                               "  <memory unit='KiB'>4194304</memory>\n  <vcpu>8</vcpu>\n"
                               "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n  </os>\n"
                               "</domain>\n";
    g_autofree LpPlacementHost *host = host_of_five();
    LpProfile p = new_one(host, "{" WHOLE "}");
    LpPins *pins = lp_placement_pins_of(&p, &host->topology);
    LpShape shape = {.vcpus = 2, .vcpus_max = 8, .n_cells = 1, .base_bytes = {4 * GIB},
                     .device_bytes = {2 * GIB}, .block_bytes = 2 << 20, .pins = pins};
    LpConfigChange change = {.set_nodes = true, .node = {4}, .pins = pins};
    g_autofree char *after = lp_domxml_enable(bare, &shape, NULL), *moved = NULL, *edited = NULL;
    g_autofree char *unpinned = NULL, *pinned = NULL;

    (void)state;
    assert_non_null(after);
    assert_non_null(strstr(after, "<vcpupin vcpu='7' cpuset='0-3'/>"));
    assert_non_null(strstr(after, "<memnode cellid='0' mode='preferred' nodeset='0'/>"));
    for (uint32_t i = 0; i < pins->n_vcpus; i++)
        pins->vcpus[i].words[0] = 0xf0000;
    moved = lp_domxml_change(after, &change, NULL);
    assert_non_null(moved);
    assert_non_null(strstr(moved, "<vcpupin vcpu='7' cpuset='16-19'/>"));
    assert_true(is_unchanged(after, moved));
    change = (LpConfigChange){.resource = "/machine/other"};
    edited = lp_domxml_change(moved, &change, NULL);
    assert_false(is_unchanged(after, edited));
    /* Pins where enable had written none are somebody's. */
    shape.pins = NULL;
    unpinned = lp_domxml_enable(bare, &shape, NULL);
    change = (LpConfigChange){.pins = pins};
    pinned = lp_domxml_change(unpinned, &change, NULL);
    assert_false(is_unchanged(unpinned, pinned));
    lp_placement_pins_free(pins);
}

static void
test_enable_by_rule(void **state)
{
    static const char bare[] = "<domain type='kvm'>\n  <name>a</name>\n  <memory unit='KiB'>"
                               "4194304</memory>\n  <vcpu>2</vcpu>\n  <numatune>\n    <memory "
                               "mode='strict' nodeset='0-1'/>\n  </numatune>\n  <cputune>\n"
                               "    <vcpupin vcpu='1' cpuset='9'/>\n"
                               "    <vcpupin vcpu='12' cpuset='9'/>\n  </cputune>\n"
                               "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n  </os>\n"
                               "</domain>\n";
    LpShape shape = {.vcpus = 2, .vcpus_max = 8, .n_cells = 1, .base_bytes = {4 * GIB},
                     .device_bytes = {2 * GIB}, .node = {4}, .block_bytes = 2 << 20,
                     .keep_numa = true};
    g_autofree char *kept = lp_domxml_enable(bare, &shape, NULL), *turned = NULL, *again = NULL;
    g_autofree char *bound = NULL;

    (void)state;
    assert_non_null(strstr(kept, "<memory mode='strict' nodeset='0-1'/>"));
    assert_non_null(strstr(kept, "<vcpupin vcpu='1' cpuset='9'/>"));
    assert_null(strstr(kept, "memnode"));
    shape.keep_numa = false;
    shape.interleave = "0,4";
    turned = lp_domxml_enable(kept, &shape, NULL);
    assert_non_null(strstr(turned, "<memory mode='interleave' nodeset='0,4'/>"));
    assert_null(strstr(turned, "strict"));
    assert_null(strstr(turned, "vcpu='12' cpuset"));
    again = lp_domxml_enable(turned, &shape, NULL);
    assert_string_equal(turned, again);
    shape.interleave = NULL;
    bound = lp_domxml_enable(turned, &shape, NULL);
    assert_null(strstr(bound, "interleave"));
    assert_non_null(strstr(bound, "<memnode cellid='0' mode='preferred' nodeset='4'/>"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits_one_node), cmocka_unit_test(test_nearest_set),
        cmocka_unit_test(test_no_more_cells_than_can_be), cmocka_unit_test(test_rules),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_what_the_xml_binds),
        cmocka_unit_test(test_runs_already), cmocka_unit_test(test_edits),
        cmocka_unit_test(test_pins), cmocka_unit_test(test_reach),
        cmocka_unit_test(test_moved_is_not_edited), cmocka_unit_test(test_enable_by_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
