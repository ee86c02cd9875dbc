/* What qemu-guest-agent answers, and what is made of it: a guest's word, so anything may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hotplug/domxml.h"
#include "hotplug/qga.h"

#define FUZZ_ROUNDS 20000

static json_t *
answer(const char *text)
{
    g_autoptr(GError) error = NULL;
    json_t *json = lp_qga_answer(text, &error);

    if (!json)
        fail_msg("%s: %s", text, error->message);
    return json;
}

static void
test_answers(void **state)
{
    static const char *const bad[] = {
        "", "{", "[]", "null", "{}", "{\"return\": ", "{\"error\": {}}", "{\"error\": 5}",
        "{\"return\": 1, \"return\": 2}", "\x80",
    };
    g_autoptr(GError) error = NULL;
    json_t *json = answer("{\"return\": {}}");

    (void)state;
    json_decref(json);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) why = NULL;

        assert_null(lp_qga_answer(bad[i], &why));
        assert_int_equal(why->code, LP_DRIVER_ERROR_FAILED);
    }
    /* What a guest says must not move a terminal's cursor. */
    assert_null(lp_qga_answer("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                              "\"no\\u001b[2Jway\"}}", &error));
    assert_string_equal(error->message, "qemu-guest-agent: no?[2Jway");
}

static bool
read_cpus(const char *text, LpQgaCpus *ret_cpus)
{
    json_t *json = answer(text);
    bool ok = lp_qga_read_cpus(json, ret_cpus, NULL);

    json_decref(json);
    return ok;
}

#define CPU(id, online, off) \
    "{\"logical-id\":" #id ",\"online\":" #online ",\"can-offline\":" #off "}"

static void
test_cpus(void **state)
{
    static const char *const bad[] = {
        "{\"return\": []}", "{\"return\": {}}", "{\"return\": [5]}", "{\"return\": [{}]}",
        "{\"return\": [" CPU(-1, true, true) "]}", "{\"return\": [" CPU(1024, true, true) "]}",
        "{\"return\": [" CPU(0.5, true, true) "]}", "{\"return\": [" CPU(1, 1, true) "]}",
        "{\"return\": [" CPU(1, true, true) "," CPU(1, false, true) "]}",
    };
    LpQgaCpus cpus;
    char text[LP_CPUMASK_TEXT];

    (void)state;
    assert_true(read_cpus("{\"return\": [" CPU(0, true, false) "," CPU(2, false, true) ","
                          CPU(1, true, true) "]}", &cpus));
    assert_string_equal(lp_cpumask_format(&cpus.present, text, sizeof text), "0-2");
    assert_string_equal(lp_cpumask_format(&cpus.online, text, sizeof text), "0-1");
    assert_string_equal(lp_cpumask_format(&cpus.offlinable, text, sizeof text), "1-2");
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        if (read_cpus(bad[i], &cpus))
            fail_msg("taken: %s", bad[i]);
    }
}

static bool
known(const char *guest, const char *host, uint32_t n_cells, LpAccel accel)
{
    LpView *view = lp_view_new();
    LpQgaCpus cpus = { 0 };
    bool result;

    assert_true(lp_cpumask_parse(guest, &cpus.present));
    assert_true(lp_cpumask_parse(host, &view->plugged));
    view->n_cells = n_cells;
    view->accel = accel;
    result = lp_qga_ids_are_known(&cpus, view);
    lp_view_free(view);
    return result;
}

static void
test_ids(void **state)
{
    (void)state;
    assert_true(known("0-3", "0-3", 1, LP_ACCEL_KVM));
    assert_true(known("0", "0", 0, LP_ACCEL_KVM));
    assert_true(known("0-3", "0-3", 2, LP_ACCEL_TCG));
    /* Cells take turns under KVM, so the order of arrival is not that of ids. */
    assert_false(known("0-3", "0-3", 2, LP_ACCEL_KVM));
    assert_false(known("0-2", "0-1,4", 1, LP_ACCEL_KVM));
    assert_false(known("0,2", "0,2", 1, LP_ACCEL_KVM));
    /* One is still on its way into the guest, or out. */
    assert_false(known("0-1", "0-2", 1, LP_ACCEL_KVM));
}

static void
test_commands(void **state)
{
    LpQgaBlocks blocks = { .offline = { 9, 32 }, .n_listed = 2 };
    g_autofree char *cpus = NULL, *memory = NULL;
    LpCpuMask mask;

    (void)state;
    assert_true(lp_cpumask_parse("1,3", &mask));
    cpus = lp_qga_set_cpus_command(&mask, false);
    assert_string_equal(cpus, "{\"execute\":\"guest-set-vcpus\",\"arguments\":{\"vcpus\":["
                              "{\"logical-id\":1,\"online\":false},"
                              "{\"logical-id\":3,\"online\":false}]}}");
    memory = lp_qga_online_blocks_command(&blocks);
    assert_string_equal(memory, "{\"execute\":\"guest-set-memory-blocks\",\"arguments\":"
                                "{\"mem-blks\":[{\"phys-index\":9,\"online\":true},"
                                "{\"phys-index\":32,\"online\":true}]}}");
}

static void
test_blocks(void **state)
{
    g_autoptr(GString) text = g_string_new("{\"return\": [");
    LpQgaBlocks blocks;
    json_t *json;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        g_string_append_printf(text, "%s{\"phys-index\": %u, \"online\": %s, \"can-offline\": true}",
                               i ? "," : "", i, i < 60 ? "true" : "false");
    g_string_append(text, "]}");
    json = answer(text->str);
    assert_true(lp_qga_read_blocks(json, 70, &blocks, NULL));
    assert_int_equal(blocks.n_online, 60);
    assert_int_equal(blocks.n_offline, 40);
    assert_int_equal(blocks.n_listed, LP_QGA_BLOCKS_AT_ONCE);
    assert_int_equal(blocks.offline[0], 70);
    assert_int_equal(blocks.offline[blocks.n_listed - 1], 69 + LP_QGA_BLOCKS_AT_ONCE);
    assert_true(lp_qga_read_blocks(json, 95, &blocks, NULL));
    assert_int_equal(blocks.n_listed, 5);
    json_decref(json);
    json = answer("{\"return\": [{\"phys-index\": -3, \"online\": true}]}");
    assert_false(lp_qga_read_blocks(json, 0, &blocks, NULL));
    json_decref(json);
}

/* qemu-ga lists them as readdir() does: in no order. */
static void
test_blocks_in_disorder(void **state)
{
    g_autoptr(GString) text = g_string_new("{\"return\": [");
    LpQgaBlocks blocks;
    json_t *json;

    (void)state;
    for (unsigned i = 0; i < 101; i++)
        g_string_append_printf(text, "%s{\"phys-index\": %u, \"online\": false}", i ? "," : "",
                               i * 37 % 101);
    g_string_append(text, "]}");
    json = answer(text->str);
    for (unsigned from = 0; from < 101; from += 11) {
        assert_true(lp_qga_read_blocks(json, from, &blocks, NULL));
        assert_int_equal(blocks.n_listed, MIN(LP_QGA_BLOCKS_AT_ONCE, 101 - from));
        for (unsigned i = 0; i < blocks.n_listed; i++)
            assert_int_equal(blocks.offline[i], from + i);
    }
    json_decref(json);
}

static bool
size_is(const char *text, uint64_t wanted)
{
    json_t *json = answer(text);
    uint64_t bytes = 0;
    bool ok = lp_qga_read_block_size(json, &bytes, NULL);

    json_decref(json);
    return ok && bytes == wanted;
}

static bool
all_done(const char *text)
{
    json_t *json = answer(text);
    bool ok = lp_qga_read_block_results(json, NULL);

    json_decref(json);
    return ok;
}

static void
test_block_results(void **state)
{
    (void)state;
    assert_true(size_is("{\"return\": {\"size\": 134217728}}", 134217728));
    assert_false(size_is("{\"return\": {\"size\": 0}}", 0));
    assert_false(size_is("{\"return\": {\"size\": 134217729}}", 134217729));
    assert_false(size_is("{\"return\": {\"size\": \"4096\"}}", 4096));
    assert_true(all_done("{\"return\": [{\"phys-index\": 1, \"response\": \"success\"},"
                         "{\"phys-index\": 2, \"response\": \"not-found\"}]}"));
    assert_false(all_done("{\"return\": [{\"phys-index\": 1, \"response\": \"success\"},"
                          "{\"phys-index\": 2, \"response\": \"operation-failed\"}]}"));
    assert_false(all_done("{\"return\": [{}]}"));
    assert_false(all_done("{\"return\": 3}"));
}

/* Answers with bytes changed, cut or doubled: refused or taken, never more. */
static void
test_fuzz(void **state)
{
    static const char *const seeds[] = {
        "{\"return\":[" CPU(0, true, false) "," CPU(1, false, true) "]}",
        "{\"return\":[{\"phys-index\":7,\"online\":false,\"can-offline\":true}]}",
        "{\"return\":{\"size\":134217728}}",
        "{\"return\":[{\"phys-index\":1,\"response\":\"success\"}]}",
        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}}",
    };
    GRand *random = g_rand_new_with_seed(20261123);

    (void)state;
    for (unsigned i = 0; i < FUZZ_ROUNDS; i++) {
        g_autofree char *text = g_strdup(seeds[i % G_N_ELEMENTS(seeds)]);
        size_t length = strlen(text);
        LpQgaBlocks blocks;
        LpQgaCpus cpus;
        uint64_t bytes;
        json_t *json;

        for (unsigned n = (unsigned)g_rand_int_range(random, 1, 4); n; n--)
            text[g_rand_int_range(random, 0, (int)length)] =
                (char)"\0\"{}[],:09-aetx\x80\n"[g_rand_int_range(random, 0, 18)];
        json = lp_qga_answer(text, NULL);
        if (!json)
            continue;
        lp_qga_read_cpus(json, &cpus, NULL);
        if (lp_qga_read_blocks(json, 0, &blocks, NULL))
            assert_in_range(blocks.n_listed, 0, LP_QGA_BLOCKS_AT_ONCE);
        lp_qga_read_block_size(json, &bytes, NULL);
        lp_qga_read_block_results(json, NULL);
        json_decref(json);
    }
    g_rand_free(random);
}

/* As libvirt shows the channels of a running guest. */
static void
test_channel(void **state)
{
    static const char xml[] =
        "<domain type='kvm'><name>a</name><vcpu>1</vcpu><memory>1048576</memory>"
        "<os><type>hvm</type></os><devices><channel type='unix'>"
        "<target type='virtio' name='org.qemu.guest_agent.0' state='%s'/></channel>"
        "<channel type='unix'><source path='/x'/><target type='virtio' "
        "name='org.lpard.agent.0' state='connected'/></channel></devices></domain>";
    static const struct {
        const char *state;
        bool connected;
    } cases[] = { { "connected", true }, { "disconnected", false }, { "", false } };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(xml, "%s", 2);
        g_autofree char *text = g_strconcat(parts[0], cases[i].state, parts[1], NULL);
        LpView *view = lp_view_new();

        assert_true(lp_domxml_read(text, view, NULL));
        assert_true(view->has_qga);
        assert_int_equal(view->qga_connected, cases[i].connected);
        assert_true(view->has_channel);
        assert_string_equal(view->channel_path, "/x");
        lp_view_free(view);
    }
}

/* The channel is added once, and one that is there is kept as it is. */
static void
test_enable(void **state)
{
    static const char plain[] = "<domain type='kvm'><name>a</name><vcpu>1</vcpu>"
                                "<memory>1048576</memory><os><type>hvm</type></os>"
                                "<devices/></domain>";
    LpShape shape = { .vcpus = 1, .vcpus_max = 1, .n_cells = 1, .base_bytes = { 1U << 30 },
                      .node = { -1 }, .block_bytes = 2U << 20 };
    g_autofree char *once = lp_domxml_enable(plain, &shape, NULL);
    g_autofree char *twice = NULL, *spice = NULL, *kept = NULL;
    g_auto(GStrv) parts = NULL;

    (void)state;
    assert_non_null(once);
    parts = g_strsplit(once, "org.qemu.guest_agent.0", -1);
    assert_int_equal(g_strv_length(parts), 2);
    twice = lp_domxml_enable(once, &shape, NULL);
    assert_string_equal(twice, once);
    spice = g_strdup("<domain type='kvm'><name>a</name><vcpu>1</vcpu><memory>1048576</memory>"
                     "<os><type>hvm</type></os><devices><channel type='spicevmc'>"
                     "<target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices>"
                     "</domain>");
    kept = lp_domxml_enable(spice, &shape, NULL);
    assert_non_null(strstr(kept, "<channel type='spicevmc'>"));
    g_strfreev(parts);
    parts = g_strsplit(kept, "org.qemu.guest_agent.0", -1);
    assert_int_equal(g_strv_length(parts), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_ids), cmocka_unit_test(test_commands),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_blocks_in_disorder), cmocka_unit_test(test_block_results),
        cmocka_unit_test(test_fuzz), cmocka_unit_test(test_channel),
        cmocka_unit_test(test_enable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
