#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lpard/api/drift.h"
#include "lpard/error.h"
#include "lpard/define/profile-change.h"
#include "lpard/define/shape.h"
#include "policy/demand.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* Nodes 0 and 4 with memory and four processors each, node 1 with neither. */
static LpPlacementHost *
two_nodes(void)
{
    LpPlacementHost *host = g_new0(LpPlacementHost, 1);
    LpTopology *topology = &host->topology;

    topology->n_nodes = 3;
    topology->n_cpus = 8;
    topology->nodes[0] = (LpNode){.id = 0, .memory_bytes = 8 * GIB, .cpus = {{0x0f}}};
    topology->nodes[1] = (LpNode){.id = 1};
    topology->nodes[2] = (LpNode){.id = 4, .memory_bytes = 8 * GIB, .cpus = {{0xf0}}};
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        for (uint32_t j = 0; j < topology->n_nodes; j++)
            topology->distance[i][j] = i == j ? 10 : 20;
        host->use[i].free_bytes = host->later[i].free_bytes = topology->nodes[i].memory_bytes;
    }
    return host;
}

static bool
make_on(LpPlacementHost *host, const LpView *view, const char *text, const LpProfile *old,
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

static bool
make(const char *text, const LpProfile *old, LpProfile *ret_profile, GError **error)
{
    g_autofree LpPlacementHost *host = two_nodes();

    return make_on(host, NULL, text, old, ret_profile, error);
}

static const char whole[] =
    "{\"cpu\":{\"min\":1,\"desired\":2,\"max\":8},"
    "\"mem\":{\"min_bytes\":1073741824,\"desired_bytes\":2147483648,\"max_bytes\":4294967296}}";

static void
refuses(const char *text, const LpProfile *old, int code, const char *word)
{
    GError *error = NULL;
    LpProfile profile;

    assert_false(make(text, old, &profile, &error));
    assert_true(g_error_matches(error, LP_ERROR, code));
    if (!strstr(error->message, word))
        fail_msg("\"%s\" does not say \"%s\"", error->message, word);
    g_error_free(error);
}

static void
test_new_profile(void **state)
{
    LpProfile profile;

    (void)state;
    assert_true(make(whole, NULL, &profile, NULL));
    assert_int_equal(profile.n_cells, 1);
    assert_int_equal(profile.cell_node[0], 0);
    assert_int_equal(profile.capacity.weight, LP_WEIGHT_DEFAULT);
    assert_int_equal(profile.capacity.entitled_centi,
                     lp_profile_default_entitlement(&profile.cpu));
}

static void
test_bad_input(void **state)
{
    LpProfile profile;

    (void)state;
    assert_true(make(whole, NULL, &profile, NULL));
    refuses("{}", NULL, LP_ERROR_USAGE, "cpu.min");
    refuses("{\"cpu\":{\"min\":-1}}", &profile, LP_ERROR_USAGE, "cpu.min");
    refuses("{\"cpu\":{\"min\":1.5}}", &profile, LP_ERROR_USAGE, "cpu.min");
    refuses("{\"cpu\":{\"most\":1}}", &profile, LP_ERROR_USAGE, "cpu.most");
    refuses("{\"cpu\":[1]}", &profile, LP_ERROR_USAGE, "cpu");
    refuses("{\"mem\":{\"max_bytes\":\"6G\"}}", &profile, LP_ERROR_USAGE, "mem.max_bytes");
    refuses("{\"weight\":256}", &profile, LP_ERROR_USAGE, "weight");
    refuses("{\"capped\":1}", &profile, LP_ERROR_USAGE, "capped");
    refuses("{\"cells\":[1]}", &profile, LP_ERROR_USAGE, "node 1");
    refuses("{\"cells\":[7]}", &profile, LP_ERROR_USAGE, "node 7");
    refuses("{\"cells\":[0],\"n_cells\":2}", &profile, LP_ERROR_USAGE, "n_cells");
    refuses("{\"n_cells\":0}", &profile, LP_ERROR_USAGE, "n_cells");
    /* Bounds, not syntax. */
    refuses("{\"cpu\":{\"desired\":9}}", &profile, LP_ERROR_REFUSED, "");
    refuses("{\"mem\":{\"max_bytes\":34359738368}}", &profile, LP_ERROR_REFUSED, "");
}

static void
test_edit_keeps_the_rest(void **state)
{
    LpProfile old, profile;

    (void)state;
    assert_true(make(whole, NULL, &old, NULL));
    assert_true(make("{\"weight\":7,\"n_cells\":4}", &old, &profile, NULL));
    assert_int_equal(profile.capacity.weight, 7);
    assert_int_equal(profile.cpu.desired, 2);
    assert_int_equal(profile.n_cells, 4);
    assert_int_equal(profile.cell_node[2], 0);
    assert_true(lp_profile_shape_differs(&old, &profile));
    assert_true(make("{\"weight\":7}", &old, &profile, NULL));
    assert_false(lp_profile_shape_differs(&old, &profile));
}

static void
test_autoscale_changes(void **state)
{
    LpProfile old, profile, third;
    json_t *json;

    (void)state;
    assert_true(make(whole, NULL, &old, NULL));
    assert_int_equal(old.version, 1);
    assert_true(lp_autoscale_is_default(&old.autoscale));
    assert_true(make("{\"autoscale\":{\"mode\":\"auto\",\"goal\":\"density\",\"priority\":7,"
                     "\"entitled_bytes\":2147483648,\"release_sec\":60,\"schedules\":"
                     "[\"weekdays 08:00-18:00 min mem=2G\",\"daily 22:00-06:00 max cpu=2\"]}}",
                     &old, &profile, NULL));
    assert_int_equal(profile.version, 2);
    assert_int_equal(profile.autoscale.mode, LP_MODE_AUTO);
    assert_int_equal(profile.autoscale.goal, LP_GOAL_DENSITY);
    assert_int_equal(profile.autoscale.priority, 7);
    assert_true(profile.autoscale.entitled_bytes == 2 * GIB);
    assert_int_equal(profile.autoscale.release_sec, 60);
    assert_int_equal(profile.autoscale.n_schedules, 2);
    /* No device, no cell, no boot memory is another for it. */
    assert_false(lp_profile_shape_differs(&old, &profile));
    /* A part changes a part; schedules are all of them. */
    assert_true(make("{\"autoscale\":{\"priority\":0,\"schedules\":[]}}", &profile, &third,
                     NULL));
    assert_int_equal(third.autoscale.mode, LP_MODE_AUTO);
    assert_int_equal(third.autoscale.priority, 0);
    assert_int_equal(third.autoscale.n_schedules, 0);
    assert_true(third.autoscale.entitled_bytes == 2 * GIB);
    assert_true(make("{\"weight\":9}", &profile, &third, NULL));
    assert_true(lp_autoscale_equal(&profile.autoscale, &third.autoscale));
    /* What is exported is what is read. */
    json = json_pack("{s:o}", "autoscale", lp_autoscale_json(&profile.autoscale));
    assert_non_null(json);
    {
        g_autofree char *text = json_dumps(json, 0);

        assert_true(make(text, &old, &third, NULL));
        assert_true(lp_autoscale_equal(&profile.autoscale, &third.autoscale));
    }
    json_decref(json);
    /* Back at the defaults an older lpard reads it again. */
    assert_true(make("{\"autoscale\":{\"mode\":\"off\",\"goal\":\"balanced\",\"priority\":3,"
                     "\"entitled_bytes\":0,\"release_sec\":0,\"schedules\":[]}}", &profile,
                     &third, NULL));
    assert_int_equal(third.version, 1);
}

static void
test_autoscale_refused(void **state)
{
    static const struct { const char *body, *named; int code; } BAD[] = {
        {"{\"autoscale\":1}", "autoscale", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"modes\":1}}", "autoscale.modes", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"mode\":1}}", "autoscale.mode", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"mode\":\"on\"}}", "off, advise, auto or host", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"goal\":\"fast\"}}", "latency, balanced or density",
         LP_ERROR_USAGE},
        {"{\"autoscale\":{\"priority\":8}}", "autoscale.priority\" must be an integer from 0 to 7",
         LP_ERROR_USAGE},
        {"{\"autoscale\":{\"entitled_bytes\":\"2G\"}}", "entitled_bytes", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"entitled_bytes\":2097152}}", "--entitled-mem", LP_ERROR_REFUSED},
        {"{\"autoscale\":{\"entitled_bytes\":2147483649}}", "2 MiB", LP_ERROR_REFUSED},
        {"{\"autoscale\":{\"release_sec\":86401}}", "release_sec", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"schedules\":\"daily\"}}", "array", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"schedules\":[1]}}", "schedules\"[0]: it must be a text",
         LP_ERROR_USAGE},
        {"{\"autoscale\":{\"schedules\":[\"daily 00:00-24:00 min cpu=1\",\"never\"]}}",
         "schedules\"[1]: 'never': the days", LP_ERROR_USAGE},
        {"{\"autoscale\":{\"schedules\":[\"daily 00:00-24:00 min mem=64G\"]}}", "min mem=64G",
         LP_ERROR_REFUSED},
        {"{\"autoscale\":{\"schedules\":[\"daily 00:00-24:00 min cpu=99\"]}}", "min cpu=99",
         LP_ERROR_REFUSED},
        {"{\"autoscale\":{\"schedules\":[1,2,3,4,5,6,7,8,9]}}", "at most 8", LP_ERROR_USAGE},
    };
    LpProfile old;

    (void)state;
    assert_true(make(whole, NULL, &old, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++)
        refuses(BAD[i].body, &old, BAD[i].code, BAD[i].named);
}

/* Bounds that would leave a schedule outside are refused, and say which. */
static void
test_bounds_keep_schedules(void **state)
{
    LpProfile old, profile;

    (void)state;
    assert_true(make(whole, NULL, &old, NULL));
    assert_true(make("{\"autoscale\":{\"schedules\":[\"daily 08:00-18:00 min mem=3G\"]}}", &old,
                     &profile, NULL));
    refuses("{\"mem\":{\"max_bytes\":2147483648}}", &profile, LP_ERROR_REFUSED,
            "daily 08:00-18:00 min mem=3G");
    assert_true(make("{\"mem\":{\"max_bytes\":2147483648},\"autoscale\":{\"schedules\":[]}}",
                     &profile, &old, NULL));
}

static void
check_aside(const char *text, bool wanted)
{
    json_t *body = json_loads(text, 0, NULL);
    LpProfileChange change = {0};

    assert_true(lp_profile_change_parse(body, &change, NULL));
    assert_true(lp_profile_change_is_aside(&change) == wanted);
    json_decref(body);
}

static void
test_aside(void **state)
{
    LpProfileChange hold = {.has_hold = true};

    (void)state;
    assert_true(lp_profile_change_is_aside(&hold));
    check_aside("{}", false);
    check_aside("{\"weight\":1}", false);
    check_aside("{\"autoscale\":{}}", false);
    check_aside("{\"autoscale\":{\"mode\":\"auto\"}}", true);
    check_aside("{\"autoscale\":{\"schedules\":[]}}", true);
    check_aside("{\"autoscale\":{\"mode\":\"auto\"},\"cpu\":{\"max\":4}}", false);
    check_aside("{\"autoscale\":{\"goal\":\"density\"},\"capped\":true}", false);
}

static void
check_shape(const LpProfile *profile, const LpShape *shape)
{
    uint64_t base = 0, requested = 0, device = 0;

    for (uint32_t i = 0; i < shape->n_cells; i++) {
        assert_true(shape->base_bytes[i] >= LP_CELL_BASE_MIN_BYTES);
        assert_int_equal(shape->base_bytes[i] % LP_MEM_BLOCK_BYTES, 0);
        assert_int_equal(shape->requested_bytes[i] % LP_MEM_BLOCK_BYTES, 0);
        assert_int_equal(shape->device_bytes[i] % LP_DEVICE_STEP_BYTES, 0);
        assert_true(shape->requested_bytes[i] <= shape->device_bytes[i]);
        base += shape->base_bytes[i];
        requested += shape->requested_bytes[i];
        device += shape->device_bytes[i];
    }
    assert_int_equal(base, profile->mem.min_bytes);
    assert_int_equal(base + requested, profile->mem.desired_bytes);
    assert_true(base + device >= profile->mem.max_bytes);
    assert_true(base + device <
                profile->mem.max_bytes + profile->n_cells * LP_DEVICE_STEP_BYTES);
}

/* Whatever the profile's rules let pass has a shape whose sums are exact. */
static void
test_shapes_of_any_profile(void **state)
{
    unsigned seed = 20261123, n_good = 0;
    LpShape *shape = g_new0(LpShape, 1);

    (void)state;
    print_message("# seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 20000; round++) {
        LpProfile profile = {.version = LP_PROFILE_VERSION, .cpu = {1, 64, 64}};

        profile.n_cells = 1 + (uint32_t)rand() % LP_MAX_CELLS;
        profile.capacity.entitled_centi = 640;
        profile.mem.min_bytes = (uint64_t)(rand() % 8192) * LP_MEM_BLOCK_BYTES;
        profile.mem.desired_bytes = profile.mem.min_bytes +
                                    (uint64_t)(rand() % 4096) * LP_MEM_BLOCK_BYTES;
        profile.mem.max_bytes = profile.mem.desired_bytes +
                                (uint64_t)(rand() % 4096) * LP_MEM_BLOCK_BYTES;
        if (lp_profile_check(&profile) != LP_PROFILE_OK)
            continue;
        n_good++;
        lp_shape_make(&profile, "<x/>", shape);
        check_shape(&profile, shape);
    }
    assert_true(n_good > 1000);
    g_free(shape);
}

/* Memory starts where vCPUs do, unless the rule is to have it everywhere. */
static void
test_requests_follow_vcpus(void **state)
{
    g_autofree LpShape *shape = g_new0(LpShape, 1);
    LpProfile profile, two;

    (void)state;
    assert_true(make(whole, NULL, &profile, NULL));
    assert_true(make("{\"n_cells\":2}", &profile, &two, NULL));
    lp_shape_make(&two, "<x/>", shape);          /* 2 vCPUs of 8 */
    assert_int_equal(shape->base_bytes[1], GIB / 2);
    assert_int_equal(shape->requested_bytes[0], GIB);
    assert_int_equal(shape->requested_bytes[1], 0);
    two.cpu.desired = 6;                         /* 4 and 2 of them */
    lp_shape_make(&two, "<x/>", shape);
    assert_int_equal(shape->requested_bytes[0] + shape->requested_bytes[1], GIB);
    assert_in_range((shape->base_bytes[0] + shape->requested_bytes[0]) / MIB, 1340, 1392);
    two.cpu.desired = 8;
    lp_shape_make(&two, "<x/>", shape);
    assert_int_equal(shape->requested_bytes[0], GIB / 2);
    assert_int_equal(shape->requested_bytes[1], GIB / 2);
    /* As far as their devices go. */
    two.cpu.desired = 1;
    two.mem.desired_bytes = 4 * GIB;
    lp_shape_make(&two, "<x/>", shape);
    assert_int_equal(shape->requested_bytes[0], shape->device_bytes[0]);
    assert_int_equal(shape->requested_bytes[0] + shape->requested_bytes[1], 3 * GIB);
    two.mem.desired_bytes = 2 * GIB;
    two.numa.mode = LP_NUMA_SPREAD;
    lp_shape_make(&two, "<x/>", shape);
    assert_int_equal(shape->requested_bytes[1], GIB / 2);
}

static bool
says(const GPtrArray *list, const char *text)
{
    for (guint i = 0; i < list->len; i++) {
        if (strstr(g_ptr_array_index(list, i), text))
            return true;
    }
    return false;
}

static void
test_effects(void **state)
{
    GPtrArray *now = g_ptr_array_new_with_free_func(g_free);
    GPtrArray *next = g_ptr_array_new_with_free_func(g_free);
    LpView *view = lp_view_new();
    g_autofree char *grows = NULL;
    LpProfile one, old, profile;

    (void)state;
    assert_true(make(whole, NULL, &one, NULL));
    assert_true(make("{\"n_cells\":2}", &one, &old, NULL));
    view->run = LP_RUN_RUNNING;
    view->vcpu_max = 8;
    view->base_bytes = GIB;
    view->n_cells = 2;
    view->has_channel = view->has_balloon = true;
    for (unsigned i = 0; i < 2; i++) {
        view->cells[i].has_device = true;
        view->cells[i].base_bytes = GIB / 2;
        view->cells[i].device_bytes = 2 * GIB;
    }
    assert_true(make("{\"cpu\":{\"desired\":4,\"max\":16},\"mem\":{\"min_bytes\":1075838976}}",
                     &old, &profile, NULL));
    lp_shape_effects("web1", view, &old, &profile, UINT64_MAX, now, next);
    assert_true(says(now, "lparctl reconcile web1"));
    assert_true(says(next, "up to 16 vCPUs"));
    assert_true(says(now, "not below 1026 MiB"));
    assert_false(says(next, "guest NUMA"));

    g_ptr_array_set_size(now, 0);
    g_ptr_array_set_size(next, 0);
    view->n_cells = 0;
    view->has_channel = false;
    lp_shape_effects("web1", view, NULL, &old, UINT64_MAX, now, next);
    assert_true(says(now, "is a partition"));
    assert_true(says(next, "2 guest NUMA cells"));
    assert_true(says(next, "org.lpard.agent.0"));

    /* So is a rule; a running domain follows later. */
    assert_false(says(now, "rule"));
    view->n_cells = 2;
    assert_true(make("{\"numa\":\"strict:4\",\"affinity_floor\":80}", &old, &profile, NULL));
    g_ptr_array_set_size(now, 0);
    lp_shape_effects("web1", view, &old, &profile, UINT64_MAX, now, next);
    assert_true(says(now, "by the rule strict:4; what is on other nodes follows at the next"));
    assert_true(says(now, "below 80 is warned of"));
    assert_true(says(next, "memory comes from host nodes 4, 4"));
    assert_false(says(now, "it can grow to"));
    /* A maximum that its nodes never hold. */
    g_ptr_array_set_size(now, 0);
    lp_shape_effects("web1", view, &old, &profile, 3 * GIB, now, next);
    assert_true(says(now, "by the rule strict:4 its cells can have 3 GiB at most"));
    assert_true(says(now, "it can grow to 3 GiB"));
    g_ptr_array_set_size(now, 0);
    lp_shape_effects("web1", view, &profile, &profile, 3 * GIB, now, next);
    assert_false(says(now, "it can grow to"));
    g_ptr_array_set_size(next, 0);
    lp_shape_effects("web1", NULL, NULL, &profile, 3 * GIB, now, next);
    assert_true(says(next, "by the rule strict:4 its cells can have 3 GiB at most"));
    assert_true(says(next, "vCPUs and 3 GiB"));
    g_ptr_array_set_size(now, 0);
    g_ptr_array_set_size(next, 0);
    profile.numa.mode = LP_NUMA_INTERLEAVE;
    profile.numa.n_nodes = 0;
    profile.cell_node[0] = profile.cell_node[1] = -1;
    g_ptr_array_set_size(now, 0);
    g_ptr_array_set_size(next, 0);
    lp_shape_effects("web1", view, &old, &profile, UINT64_MAX, now, next);
    assert_true(says(now, "by the rule interleave from its next start on"));
    assert_false(says(now, "lparctl optimize"));
    assert_false(says(next, "-1"));
    profile.numa.mode = LP_NUMA_KEEP;
    profile.numa.n_nodes = 0;
    g_ptr_array_set_size(now, 0);
    lp_shape_effects("web1", view, NULL, &profile, UINT64_MAX, now, next);
    assert_true(says(now, "numa=auto"));

    /* Autoscaling is told where it changes, with its figures. */
    g_ptr_array_set_size(now, 0);
    lp_shape_effects("web1", view, NULL, &old, UINT64_MAX, now, next);
    assert_false(says(now, "autoscaling"));
    assert_true(make("{\"autoscale\":{\"mode\":\"auto\",\"entitled_bytes\":2147483648,"
                     "\"release_sec\":5400,\"schedules\":[\"sat 01:00-02:00 max cpu=2\"]}}", &old,
                     &profile, NULL));
    g_ptr_array_set_size(now, 0);
    lp_shape_effects("web1", view, &old, &profile, UINT64_MAX, now, next);
    assert_true(says(now, "the host's mode allows (auto), goal balanced, priority 3"));
    grows = g_strdup_printf("it grows when %u %% of its memory is in use",
                            lp_goal_tuning(LP_GOAL_BALANCED)->mem_up / 100);
    assert_true(says(now, grows));
    assert_true(says(now, "not wanted for 90 min may be taken"));
    assert_true(says(now, "2 GiB of memory are its own"));
    assert_true(says(now, "sat 01:00-02:00 max cpu=2"));
    g_ptr_array_set_size(now, 0);
    lp_shape_effects("web1", view, &profile, &profile, UINT64_MAX, now, next);
    assert_false(says(now, "autoscaling"));
    /* What only advises, or depends on the host, promises nothing. */
    profile.autoscale.mode = LP_MODE_ADVISE;
    lp_shape_effects("web1", view, &old, &profile, UINT64_MAX, now, next);
    assert_true(says(now, "it would grow when") && says(now, "might be taken"));
    g_ptr_array_set_size(now, 0);
    profile.autoscale.mode = LP_MODE_OFF;
    lp_shape_effects("web1", view, &old, &profile, UINT64_MAX, now, next);
    assert_true(says(now, "autoscaling is off"));
    assert_false(says(now, "grow"));
    lp_view_free(view);
    g_ptr_array_unref(now);
    g_ptr_array_unref(next);
}

static bool
drifts(const LpPartition *partition, const char *text)
{
    json_t *list = lp_drift_sentences(partition);
    bool found = false;

    for (size_t i = 0; i < json_array_size(list); i++)
        found = found || strstr(json_string_value(json_array_get(list, i)), text) != NULL;
    json_decref(list);
    return found;
}

/* What the device tells late has not failed to happen. */
static void
test_drift_waits_for_the_device(void **state)
{
    LpPartition *partition = g_new0(LpPartition, 1);
    LpView *view = partition->view = lp_view_new();

    (void)state;
    view->name = strdup("web1");
    view->run = LP_RUN_RUNNING;
    view->base_bytes = view->cells[0].base_bytes = GIB;
    view->n_cells = 1;
    view->cells[0].has_device = true;
    view->cells[0].requested_bytes = GIB;
    partition->profile.mem.desired_bytes = 2 * GIB;
    partition->memory_asked_usec = g_get_monotonic_time();
    assert_false(drifts(partition, "has not yet taken"));
    partition->memory_asked_usec -= LP_SIZE_EVENT_LAG_USEC;
    assert_true(drifts(partition, "has not yet taken 1 GiB"));
    partition->memory_asked_usec = 0;
    assert_true(drifts(partition, "has not yet taken 1 GiB"));
    lp_view_free(view);
    g_free(partition);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_profile),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_edit_keeps_the_rest),
        cmocka_unit_test(test_autoscale_changes),
        cmocka_unit_test(test_autoscale_refused),
        cmocka_unit_test(test_bounds_keep_schedules),
        cmocka_unit_test(test_aside),
        cmocka_unit_test(test_shapes_of_any_profile),
        cmocka_unit_test(test_requests_follow_vcpus),
        cmocka_unit_test(test_effects),
        cmocka_unit_test(test_drift_waits_for_the_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
