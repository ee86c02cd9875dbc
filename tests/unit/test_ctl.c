/* lparctl's parts: amounts, options, tables, progress, events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lpard/ctl/amounts.h"
#include "lpard/ctl/ctl.h"
#include "lpard/ctl/outcome.h"
#include "lpard/ctl/progress.h"
#include "lpard/ctl/sse.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "policy/profile.h"

#define FUZZ_ROUNDS 20000

static bool
amounts(const char *line, bool round, LpCtlAmounts *ret, GError **error)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    return lp_ctl_amounts_parse(words, g_strv_length(words), round, ret, error);
}

static void
test_amounts(void **state)
{
    LpCtlAmounts got;

    (void)state;
    assert_true(amounts("cpu=4 mem=6G", false, &got, NULL));
    assert_true(got.has_cpu && got.has_mem);
    assert_int_equal(got.cpu, 4);
    assert_int_equal(got.mem_bytes, 6ULL << 30);
    assert_true(amounts("mem=3M", false, &got, NULL));
    assert_int_equal(got.mem_bytes, 3ULL << 20);
    assert_true(amounts("mem=3M", true, &got, NULL));
    assert_int_equal(got.mem_bytes, 4ULL << 20);
    assert_int_equal(got.asked_bytes, 3ULL << 20);
    assert_true(amounts("mem=1", true, &got, NULL));
    assert_int_equal(got.mem_bytes, 2ULL << 20);
    assert_true(amounts("mem=4M", true, &got, NULL));
    assert_int_equal(got.mem_bytes, got.asked_bytes);
    assert_true(amounts("mem=64T", true, &got, NULL));
    assert_int_equal(got.mem_bytes, LP_MEM_MAX_BYTES);
}

static void
test_amount_messages(void **state)
{
    static const struct {
        const char *line, *part;
    } rows[] = {
        { "mem=6GB", "write 6G" }, { "mem=1.5MB", "write 1.5M" }, { "mem=6X", "K, M, G or T" },
        { "mem=-1", "negative" }, { "mem=", "is empty" }, { "cpu=", "is empty" },
        { "cpu=0", "from 1 to 1024" }, { "cpu=1.5", "whole number" }, { "mem=0", "above 0" },
        { "mem=99999999999999999999", "too large" }, { "mem=65T", "up to 64T" },
        { "cpu=1 cpu=1", "given twice" }, { "memory=1G", "is no amount" }, { "cpu", "is no amount" },
        { "CPU=1", "is no amount" }, { "cpu= 1", "is empty" }, { "cpu=1024x", "whole number" },
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        LpCtlAmounts got;

        assert_false(amounts(rows[i].line, false, &got, &error));
        assert_int_equal(error->code, LP_CTL_EXIT_USAGE);
        if (strstr(error->message, rows[i].part) == NULL)
            print_message("%s: %s\n", rows[i].line, error->message);
        assert_non_null(strstr(error->message, rows[i].part));
        assert_null(strchr(error->message, '\n'));
    }
}

static void
test_until(void **state)
{
    gint64 got = 0;

    (void)state;
    assert_true(lp_ctl_until_parse("+2h", 1000, &got, NULL));
    assert_int_equal(got, 1000 + 7200);
    assert_true(lp_ctl_until_parse("+1d", 1000, &got, NULL));
    assert_int_equal(got, 1000 + 86400);
    assert_true(lp_ctl_until_parse("1970-01-01T02:00:00+01:00", 1000, &got, NULL));
    assert_int_equal(got, 3600);
    assert_false(lp_ctl_until_parse("1970-01-01T00:00:00Z", 1000, &got, NULL));
    assert_false(lp_ctl_until_parse("2100-01-01T00:00:00", 1000, &got, NULL));
    assert_false(lp_ctl_until_parse("+2", 1000, &got, NULL));
    assert_false(lp_ctl_until_parse("+h", 1000, &got, NULL));
    assert_false(lp_ctl_until_parse("+-2h", 1000, &got, NULL));
    assert_false(lp_ctl_until_parse("", 1000, &got, NULL));
}

/* Whatever is written: never both an amount and an error, never outside the bounds. */
static void
test_fuzz_amounts(void **state)
{
    static const char alphabet[] = "cpumem==::,0019.-+GMKTBi xX";
    guint32 seed = g_random_int();
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    (void)state;
    print_message("seed %u\n", seed);
    for (int i = 0; i < FUZZ_ROUNDS; i++) {
        char word[24];
        int length = g_rand_int_range(rand, 0, (int)sizeof(word));
        g_autoptr(GError) error = NULL, field_error = NULL;
        const char *prefix = g_rand_boolean(rand) ? "mem=" : "cpu=";
        g_autofree char *line = NULL;
        json_t *body = json_object();
        LpCtlAmounts got = { 0 };

        for (int j = 0; j < length; j++)
            word[j] = alphabet[g_rand_int_range(rand, 0, sizeof(alphabet) - 1)];
        word[length > 0 ? length - 1 : 0] = '\0';
        line = g_strconcat(g_rand_boolean(rand) ? prefix : "", word, NULL);
        if (amounts(line, g_rand_boolean(rand), &got, &error)) {
            assert_null(error);
            assert_true(got.has_cpu || got.has_mem);
            assert_true(!got.has_cpu || (got.cpu >= 1 && got.cpu <= 1024));
            assert_true(!got.has_mem ||
                        (got.mem_bytes >= got.asked_bytes && got.asked_bytes > 0 &&
                         got.mem_bytes - got.asked_bytes < LP_MEM_BLOCK_BYTES &&
                         got.mem_bytes <= LP_MEM_MAX_BYTES));
        } else {
            assert_int_equal(error->code, LP_CTL_EXIT_USAGE);
        }
        if (!lp_ctl_profile_field(body, g_rand_boolean(rand) ? "mem" : "cell-nodes", word,
                                  g_rand_boolean(rand), &field_error))
            assert_int_equal(field_error->code, LP_CTL_EXIT_USAGE);
        else
            assert_int_equal(json_object_size(body), 1);
        json_decref(body);
    }
}

static void
test_table(void **state)
{
    static const char *const headings[] = { "NAME", ">N", "NOTE", NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    lp_ctl_table_take(table, g_strdup("web1"), g_strdup("12345"), NULL);
    lp_ctl_table_take(table, g_strdup("a-name-too-long"), g_strdup("7"), g_strdup("x\033y"));
    assert_int_equal(lp_ctl_table_rows(table), 2);
    lp_ctl_table_print(table, 40, "", out);
    assert_string_equal(out->str, "NAME                 N  NOTE\n"
                                  "web1             12345  -\n"
                                  "a-name-too-long      7  x?y\n");
    g_string_truncate(out, 0);
    /* Only the text gives way, and only as much as is needed. */
    lp_ctl_table_print(table, 26, "", out);
    assert_string_equal(out->str, "NAME               N  NOTE\n"
                                  "web1           12345  -\n"
                                  "a-name-too-l~      7  x?y\n");
}

static void
test_fuzz_table_width(void **state)
{
    static const char *const headings[] = { "A", ">B", "C", ">D", "E", ">F", NULL };
    guint32 seed = g_random_int();
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    (void)state;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 500; i++) {
        g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
        g_autoptr(GString) out = g_string_new(NULL);
        g_auto(GStrv) lines = NULL;

        for (int row = g_rand_int_range(rand, 0, 5); row > 0; row--) {
            char *cell[6];

            for (int j = 0; j < 6; j++)
                cell[j] = g_strnfill((gsize)g_rand_int_range(rand, 0, 90), 'x');
            lp_ctl_table_take(table, cell[0], cell[1], cell[2], cell[3], cell[4], cell[5]);
        }
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "  ", out);
        lines = g_strsplit(out->str, "\n", -1);
        for (guint j = 0; lines[j] != NULL; j++)
            assert_true(strlen(lines[j]) <= LP_CTL_COLUMNS);
    }
}

static json_t *
operation(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    return json;
}

static void
expect_progress(const char *json_text, gint64 age_msec, guint columns, const char *expected)
{
    json_t *json = operation(json_text);
    g_autofree char *line = lp_ctl_progress_text(json, age_msec, columns);

    assert_string_equal(line, expected);
    json_decref(json);
}

#define RUNNING \
    "{\"id\":17,\"state\":\"running\",\"partition\":\"web1\",\"deadline_in_msec\":58000," \
    "\"legs\":[{\"partition\":\"web1\",\"target\":{\"cpu\":4,\"mem_bytes\":6442450944}," \
    "\"now\":{\"cpu\":3,\"mem_bytes\":5368709120},\"plan\":{\"steps\":[" \
    "{\"state\":\"confirmed\",\"stage\":0,\"expected_msec\":9000,\"text\":\"first\"}," \
    "{\"state\":\"pending\",\"stage\":1,\"expected_msec\":1500,\"text\":\"second\"}," \
    "{\"state\":\"asked\",\"stage\":1,\"expected_msec\":2500,\"text\":\"third\"}," \
    "{\"state\":\"pending\",\"stage\":2,\"expected_msec\":500,\"text\":\"fourth\"}]}}]}"

static void
test_progress(void **state)
{
    (void)state;
    expect_progress(RUNNING, 0, 200, "operation 17 on web1: running, 1/4 steps, cpu 3 of 4, "
                                     "mem 5 GiB of 6 GiB, about 3 s left: third");
    expect_progress(RUNNING, 2000, 200, "operation 17 on web1: running, 1/4 steps, cpu 3 of 4, "
                                        "mem 5 GiB of 6 GiB, about 1 s left: third");
    /* Longer than expected: what is left is the deadline. */
    expect_progress(RUNNING, 10000, 200, "operation 17 on web1: running, 1/4 steps, cpu 3 of 4, "
                                         "mem 5 GiB of 6 GiB, gives up in 48 s: third");
    expect_progress(RUNNING, 0, 30, "operation 17 on web1: running~");
    expect_progress("{\"id\":18,\"state\":\"queued\",\"partition\":\"web1\",\"legs\":[],"
                    "\"waits_for\":\"operation 17 on web1\",\"deadline_in_msec\":null}", 0, 200,
                    "operation 18 on web1: queued, waits for operation 17 on web1");
    /* Nonsense is shown as far as it goes, and harms nothing. */
    expect_progress("{}", 0, 200, "operation 0 on : ");
    expect_progress("{\"legs\":[1,{\"plan\":{\"steps\":[null,{\"stage\":-5},{\"stage\":99999}]}}]}",
                    0, 200, "operation 0 on : , 3/3 steps");
}

static void
test_outcome(void **state)
{
    json_t *json = operation(
        "{\"id\":5,\"state\":\"partial\",\"exit_status\":3,\"confirm\":\"device\","
        "\"message\":\"the guest holds pages\",\"remarks\":[\"a remark\"],"
        "\"timing\":{\"total_msec\":61000},\"legs\":[{\"partition\":\"web1\","
        "\"before\":{\"cpu\":2,\"mem_bytes\":4294967296},\"now\":{\"cpu\":2,"
        "\"mem_bytes\":4290772992},\"usable\":{\"cpu\":0,\"mem_bytes\":0},"
        "\"remaining\":{\"cpu\":-1,\"mem_bytes\":-536870912}}]}");
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    lp_ctl_outcome_text(json, out);
    assert_string_equal(out->str,
                        "partial: operation 5, 61 s, confirmed by the device\n"
                        "  web1  cpu 2 -> 2  mem 4 GiB -> 4092 MiB "
                        "(usable not known)\n"
                        "    remains: 1 vCPU to remove\n"
                        "    remains: 512 MiB (536870912 bytes) to remove\n"
                        "  the guest holds pages\n"
                        "  - a remark\n");
    assert_int_equal(lp_ctl_outcome_exit(json), LP_CTL_EXIT_PARTIAL);
    json_decref(json);
}

/* Each thing is said once, and a cell only of what belongs to one. */
static void
test_plan_says_it_once(void **state)
{
    json_t *json = operation(
        "{\"state\":\"queued\",\"message\":\"no agent\",\"remarks\":[\"no agent\",\"another\"],"
        "\"legs\":[{\"partition\":\"web1\",\"before\":{\"cpu\":2,\"mem_bytes\":0},\"plan\":{"
        "\"expected_msec\":10,\"after\":{\"cpu\":3,\"mem_bytes\":0},\"steps\":["
        "{\"kind\":\"fold\",\"stage\":0,\"cell\":0,\"cpus\":\"0-2\",\"text\":\"F\"},"
        "{\"kind\":\"plug-vcpu\",\"stage\":0,\"cell\":1,\"vcpu\":2,\"text\":\"P\"}],"
        "\"shortfalls\":[{\"fatal\":false,\"text\":\"no agent\"}]}}]}");
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    lp_ctl_plan_text(json, out);
    assert_string_equal(out->str,
                        "Dry run: nothing is changed.\n"
                        "web1: cpu 2 -> 3, mem 0 B -> 0 B; 2 steps, about 0.01 s\n"
                        "  STAGE  HOW        CELL  AMOUNT      TIME  STEP\n"
                        "      0  fold          -  vCPU 0-2  0.00 s  F\n"
                        "      0  plug-vcpu     1  vCPU 2    0.00 s  P\n"
                        "  Remarks:\n"
                        "  - no agent\n"
                        "- another\n");
    json_decref(json);
}

static void
test_text(void **state)
{
    static const struct {
        guint64 bytes;
        const char *text;
    } rows[] = {
        { 0, "0 B" }, { 6ULL << 30, "6 GiB" }, { 536870912, "512 MiB" },
        { 6442450943, "5.99 GiB" }, { 1023, "1023 B" }, { 1025, "1025 B" },
        { G_MAXUINT64, "16383.99 PiB" },
    };
    g_autofree char *clean = lp_ctl_text_clean("ok\033[2J\xff\xc2\x9b\xe2\x80\xae\n");

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = lp_ctl_text_bytes(rows[i].bytes);

        assert_string_equal(text, rows[i].text);
    }
    assert_null(strchr(clean, '\033'));
    assert_null(strstr(clean, "\xc2\x9b"));
    assert_null(strstr(clean, "\xe2\x80\xae"));
}

static void
keep_event(const LpCtlSseEvent *event, void *data)
{
    g_string_append_printf(data, "[%s|%s|%s]", event->id, event->type,
                           event->data ? event->data : "(comment)");
}

/* The same events whatever pieces they come in. */
static void
test_sse(void **state)
{
    static const char stream[] = "id: 1\nevent: agent\ndata: {\"a\":1}\n\n: \n\r\ndata:x\r\n"
                                 "data: y\r\n\r\nid: 9\nevent: lost\n\nhalf: an";
    guint32 seed = g_random_int();
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    (void)state;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 500; i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(LpCtlSse) sse = lp_ctl_sse_new(keep_event, out);

        for (gsize at = 0; at < sizeof(stream) - 1;) {
            gsize n = (gsize)g_rand_int_range(rand, 1, 12);

            n = MIN(n, sizeof(stream) - 1 - at);
            assert_true(lp_ctl_sse_feed(sse, stream + at, n));
            at += n;
        }
        assert_string_equal(out->str, "[1|agent|{\"a\":1}][1||(comment)][1|message|x\ny]"
                                      "[9|lost|]");
    }
}

static void
test_sse_bounded(void **state)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(LpCtlSse) sse = lp_ctl_sse_new(keep_event, out);
    g_autofree char *piece = g_strnfill(65536, 'x');
    guint fed = 0;

    (void)state;
    assert_true(lp_ctl_sse_feed(sse, "data:", 5));
    while (fed < 64 && lp_ctl_sse_feed(sse, piece, 65536))
        fed++;
    assert_true(fed < 17);
}

static void
test_options(void **state)
{
    char set[] = "set", name[] = "web1", dash[] = "--", odd[] = "--odd", json[] = "-ojson",
         timeout[] = "--timeout", ten[] = "10";
    char *line[] = { set, json, timeout, ten, dash, name, odd, NULL };
    g_autoptr(GPtrArray) words = NULL;
    LpCtlOptions options;

    (void)state;
    assert_true(lp_ctl_options_parse(line, &options, &words, NULL));
    assert_int_equal(words->len, 4);
    assert_string_equal(g_ptr_array_index(words, 2), "--odd");
    assert_string_equal(options.value[LP_CTL_OPT_OUTPUT], "json");
    assert_string_equal(options.value[LP_CTL_OPT_TIMEOUT], "10");
    assert_false(lp_ctl_options_has(&options, LP_CTL_OPT_DRY_RUN));
}

/* Whatever a verb prints of an answer. */
static void
test_clean_answer(void **state)
{
    LpCtlAnswer answer = { .status = 200, .text = g_string_new(
        "{\"name\":\"a\\u001b[2J\",\"list\":[{\"diff\":\"-b\\n+\\tc\\u007f\"},7]}") };
    g_autoptr(GError) error = NULL;
    const json_t *inner;

    (void)state;
    assert_true(lp_ctl_answer_read(&answer, "here", &error));
    assert_string_equal(json_string_value(json_object_get(answer.json, "name")), "a?[2J");
    inner = json_array_get(json_object_get(answer.json, "list"), 0);
    assert_string_equal(json_string_value(json_object_get(inner, "diff")), "-b\n+\tc?");
    /* -o json shows it as it came. */
    assert_non_null(strstr(answer.text->str, "u001b"));
    lp_ctl_answer_clear(&answer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_answer),
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_amount_messages),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_fuzz_amounts),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_fuzz_table_width),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_outcome),
        cmocka_unit_test(test_plan_says_it_once),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_sse),
        cmocka_unit_test(test_sse_bounded),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
