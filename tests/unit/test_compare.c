/* `lpar-sim compare` as a program sees it: exit status and what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "lpard/sim/compare.h"
#include "lpard/sim/goals.h"

/* Runs it; what it prints goes to *text (g_free), if that is not NULL, and not into TAP. */
static int
compare(const char *arguments, char **text)
{
    g_auto(GStrv) argv = g_strsplit(arguments, " ", -1);
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("compareXXXXXX", &path, NULL), out = dup(STDOUT_FILENO), status;
    /* Option parsing moves and shortens the list. */
    char *list[32] = { 0 };

    assert_true(fd >= 0 && out >= 0 && g_strv_length(argv) < G_N_ELEMENTS(list));
    memcpy(list, argv, g_strv_length(argv) * sizeof *list);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    status = lp_sim_compare((int) g_strv_length(argv), list);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    close(fd);
    if (text)
        assert_true(g_file_get_contents(path, text, NULL, NULL));
    unlink(path);
    return status;
}

#define SMALL "compare --generate mix --vms 3 --days 1 --tick 5 --seed 7 "

static void
test_wrong_use(void **state)
{
    static const char *const wrong[] = {
        "compare",
        SMALL "--policies nobody",
        SMALL "--policies ",
        SMALL "--memory-ratios 0",
        SMALL "--memory-ratios 1,,2",
        SMALL "--memory-ratios nan",
        SMALL "--memory-ratios 1e99",
        SMALL "--cpu-ratios 1.25x",
        SMALL "--memory-ratio 1.25",
        SMALL "-c 2",
        SMALL "--jobs 0",
        SMALL "--jobs 1000000",
        SMALL "more",
        SMALL "--no-such-option",
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        if (compare(wrong[i], NULL) != 2)
            fail_msg("'%s' is not wrong use", wrong[i]);
    assert_int_equal(compare("compare --trace /no/such/file.csv", NULL), 1);
}

static void
test_tables(void **state)
{
    g_autofree char *text = NULL;

    (void) state;
    assert_int_equal(compare(SMALL "--policies mom,static --memory-ratios 1.25,2 --cpu-ratios 2",
                             &text), 0);
    assert_non_null(strstr(text, "Memory 1.25x of the peak"));
    assert_non_null(strstr(text, "Memory 2.00x of the peak"));
    assert_non_null(strstr(text, "processors 2.00x"));
    /* In the order of all, whatever was asked for first; goals only when asked for. */
    assert_true(strstr(text, "\nstatic") < strstr(text, "\nmom"));
    assert_null(strstr(text, "\nlpard"));
    assert_null(strstr(text, "memory-against-peers"));
    g_free(text);
    /* One size asked for is one size: the processors' ratio is the memory's. */
    assert_int_equal(compare(SMALL "--policies static --memory-ratios 1.25", &text), 0);
    assert_non_null(strstr(text, "Memory 1.25x of the peak"));
    assert_non_null(strstr(text, "processors 1.25x"));
    assert_null(strstr(text, "processors 1.00x"));
    assert_null(strstr(text, "processors 2.00x"));
}

static void
test_json(void **state)
{
    g_autofree char *text = NULL;
    json_t *json, *goals;

    (void) state;
    assert_in_range(compare(SMALL "--policies lpard,vpa --memory-ratios 1.25 --cpu-ratios 1.25 "
                            "--jobs 1 --json", &text), 0, 1);
    assert_non_null(json = json_loads(text, 0, NULL));
    assert_int_equal(json_array_size(json_object_get(json, "results")), 2);
    assert_int_equal(json_array_size(json_object_get(json, "bounds")), 1);
    goals = json_object_get(json, "goals");
    assert_int_equal(json_array_size(goals), LP_SIM_GOALS);
    for (size_t i = 0; i < LP_SIM_GOALS; i++) {
        const char *verdict =
            json_string_value(json_object_get(json_array_get(goals, i), "verdict"));

        assert_true(g_str_equal(verdict, "met") || g_str_equal(verdict, "missed"));
    }
    json_decref(json);
}

/* Runs share nothing: as many at a time as may be, the figures are the same. */
static void
test_threads_change_nothing(void **state)
{
    static const char what[] = SMALL "--memory-ratios 1.0,1.5 --cpu-ratios 1.0 --json --jobs ";
    g_autofree char *first = NULL, *second = NULL;
    json_t *json[2];

    (void) state;
    for (int i = 0; i < 2; i++) {
        g_autofree char *text = NULL;
        g_autofree char *line = g_strdup_printf("%s%d", what, i ? 4 : 1);
        size_t at;
        json_t *result;

        compare(line, &text);
        assert_non_null(json[i] = json_loads(text, 0, NULL));
        json_array_foreach(json_object_get(json[i], "results"), at, result)
            json_object_del(result, "wall_sec");
    }
    first = json_dumps(json[0], JSON_SORT_KEYS);
    second = json_dumps(json[1], JSON_SORT_KEYS);
    assert_string_equal(first, second);
    json_decref(json[0]);
    json_decref(json[1]);
}

/* What is printed as missed is what the exit status says. */
static void
test_goals_decide_the_status(void **state)
{
    g_autofree char *text = NULL;
    int status;

    (void) state;
    /* Nothing to judge: nothing is missed. */
    assert_int_equal(compare(SMALL "--policies static --memory-ratios 2 --cpu-ratios 2 --goals",
                             NULL), 0);
    status = compare(SMALL "--policies lpard,static --memory-ratios 1.25 --cpu-ratios 1.25 --goals",
                     &text);
    assert_int_equal(status, strstr(text, "\nmissed") ? 1 : 0);
    assert_non_null(strstr(text, "memory-against-peers: "));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_goals_decide_the_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
