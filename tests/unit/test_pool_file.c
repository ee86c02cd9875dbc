/* A pool's definition, its file, and what it is called where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "hotplug/domxml.h"
#include "hotplug/plan.h"
#include "lpard/error.h"
#include "lpard/pools/pool-file.h"

static void
test_names(void **state)
{
    static const char *const good[] = {"web", "A", "a_1", "abcdefghijklmnopqrstuvwxyz01234"};
    static const char *const bad[] = {"", "1a", "_a", "a-b", "a.b", "a/b", "..", "ä", "a b",
                                      "abcdefghijklmnopqrstuvwxyz012345"};

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *resource = lp_pool_resource(good[i]);

        assert_true(lp_pool_name_is_good(good[i]));
        assert_string_equal(lp_pool_of_resource(resource), good[i]);
        assert_true(strlen(resource) < LP_RESOURCE_MAX);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *resource = lp_pool_resource(bad[i]);

        assert_false(lp_pool_name_is_good(bad[i]));
        assert_null(lp_pool_of_resource(resource));
    }
    assert_null(lp_pool_of_resource(""));
    assert_null(lp_pool_of_resource("/machine"));
    assert_null(lp_pool_of_resource("/machine/a/b"));
    assert_null(lp_pool_of_resource("/production/web"));
}

static void
test_limits_of_the_kernel(void **state)
{
    (void) state;
    assert_int_equal(lp_resource_parse_centi("150000 100000"), 150);
    assert_int_equal(lp_resource_parse_centi("150000 100000\n"), 150);
    assert_int_equal(lp_resource_parse_centi("50001 100000"), 51);
    assert_int_equal(lp_resource_parse_centi("max 100000"), 0);
    assert_int_equal(lp_resource_parse_centi("-1 100000"), 0);
    assert_int_equal(lp_resource_parse_centi("100000"), 0);
    assert_int_equal(lp_resource_parse_centi("100000 0"), 0);
    assert_int_equal(lp_resource_parse_centi(""), 0);
    assert_int_equal(lp_resource_parse_centi("99999999999999999999 1"), 0);
    assert_int_equal(lp_resource_parse_centi("4611686018427387904 1"), 0);
    assert_int_equal(lp_resource_parse_centi("92233720368547758 1"), UINT32_MAX);
}

static void
test_quotas_in_a_pool(void **state)
{
    (void) state;
    assert_int_equal(lp_plan_quota_in_pool(110000, 80, 100000), 80000);
    assert_int_equal(lp_plan_quota_in_pool(110000, 110, 100000), 110000);
    assert_int_equal(lp_plan_quota_in_pool(110000, 0, 100000), 110000);
    assert_int_equal(lp_plan_quota_in_pool(-1, 80, 100000), -1);
    assert_int_equal(lp_plan_quota_in_pool(60000, 80, 50000), 40000);
}

static LpPool
pool(const char *name, uint32_t max, uint32_t reserved)
{
    LpPool made = {.max_centi = max, .reserved_centi = reserved};

    g_strlcpy(made.name, name, sizeof made.name);
    return made;
}

static int
code_of(LpPool made, uint32_t host_centi)
{
    g_autoptr(GError) error = NULL;

    if (lp_pool_check(&made, host_centi, &error))
        return -1;
    assert_true(error->domain == LP_ERROR);
    return error->code;
}

static void
test_check(void **state)
{
    (void) state;
    assert_int_equal(code_of(pool("web", 800, 800), 800), -1);
    assert_int_equal(code_of(pool("web", 5, 0), 800), -1);
    assert_int_equal(code_of(pool("web", 4, 0), 800), LP_ERROR_USAGE);
    assert_int_equal(code_of(pool("web", 0, 0), 800), LP_ERROR_USAGE);
    assert_int_equal(code_of(pool("web", 100, 101), 800), LP_ERROR_USAGE);
    assert_int_equal(code_of(pool("web", UINT32_MAX, UINT32_MAX), 800), LP_ERROR_REFUSED);
    assert_int_equal(code_of(pool("we b", 100, 0), 800), LP_ERROR_USAGE);
    assert_int_equal(code_of(pool("web", 801, 0), 800), LP_ERROR_REFUSED);
}

static void
test_text(void **state)
{
    g_autoptr(GArray) pools = g_array_new(FALSE, TRUE, sizeof(LpPool)), again = NULL;
    g_autofree char *text = NULL, *same = NULL;
    LpPool one = pool("batch", 105, 0), two = pool("web", 3200, 50);

    (void) state;
    g_array_append_val(pools, one);
    g_array_append_val(pools, two);
    text = lp_pool_file_text(pools);
    again = lp_pool_file_parse(text, NULL);
    assert_non_null(again);
    assert_int_equal(again->len, 2);
    assert_memory_equal(again->data, pools->data, 2 * sizeof(LpPool));
    same = lp_pool_file_text(again);
    assert_string_equal(same, text);
}

static void
test_order(void **state)
{
    g_autoptr(GArray) pools = lp_pool_file_parse("[pool b]\nmax=1\nreserved=0\n\n"
                                                 "[pool a]\nmax=2.50\nreserved=0.25\n", NULL);

    (void) state;
    assert_non_null(pools);
    assert_string_equal(g_array_index(pools, LpPool, 0).name, "a");
    assert_int_equal(g_array_index(pools, LpPool, 0).max_centi, 250);
    assert_int_equal(g_array_index(pools, LpPool, 0).reserved_centi, 25);
    assert_string_equal(g_array_index(pools, LpPool, 1).name, "b");
}

static void
test_bad_text(void **state)
{
    static const char *const texts[] = {
        "[pool a]\nmax=1\n", "[pool a]\nreserved=0\n", "[pool a]\nmax=1\nreserved=2\n",
        "[pool a]\nmax=0\nreserved=0\n", "[pool a]\nmax=-1\nreserved=0\n",
        "[pool a]\nmax=1.001\nreserved=0\n", "[pool a]\nmax=much\nreserved=0\n",
        "[pool a]\nmax=99999999999\nreserved=0\n", "[pool a-b]\nmax=1\nreserved=0\n",
        "[pool ]\nmax=1\nreserved=0\n", "[pools]\nmax=1\nreserved=0\n",
        "[pool a]\nmax=1\nreserved=0\nweight=3\n", "max=1\n", "[pool a\n", "\x7f" "ELF",
        "[pool abcdefghijklmnopqrstuvwxyz0123456789]\nmax=1\nreserved=0\n",
    };
    g_autoptr(GString) many = g_string_new(NULL);

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        if (lp_pool_file_parse(texts[i], &error))
            fail_msg("taken: %s", texts[i]);
        assert_non_null(error);
    }
    for (unsigned i = 0; i <= LP_POOLS_MAX; i++) {
        g_autoptr(GArray) pools = lp_pool_file_parse(many->str, NULL);

        assert_non_null(pools);
        assert_int_equal(pools->len, i);
        g_string_append_printf(many, "[pool p%u]\nmax=1\nreserved=0\n", i);
    }
    assert_null(lp_pool_file_parse(many->str, NULL));
}

static void
test_file(void **state)
{
    g_autofree char *dir = g_dir_make_tmp("lpard-pools-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "pools.conf", NULL);
    g_autoptr(GArray) none = NULL, one = NULL;
    g_autoptr(GError) error = NULL;

    (void) state;
    none = lp_pool_file_read(path, NULL);
    assert_int_equal(none->len, 0);
    assert_true(lp_pool_file_write(path, "[pool a]\nmax=1\nreserved=0\n", NULL));
    one = lp_pool_file_read(path, NULL);
    assert_int_equal(one->len, 1);
    assert_true(g_file_set_contents(path, "[pool \xff]\nmax=1\n", -1, NULL));
    assert_null(lp_pool_file_read(path, &error));
    assert_non_null(strstr(error->message, path));
    g_unlink(path);
    g_rmdir(dir);
    g_clear_error(&error);
    assert_false(lp_pool_file_write(path, "", &error));
}

/* --- in a domain's definition --------------------------------------------------------------- */

#define DOMAIN(extra) \
    "<domain type='kvm'>\n  <name>d</name>\n  <memory unit='KiB'>1048576</memory>\n" \
    "  <vcpu>2</vcpu>\n" extra "  <os><type>hvm</type></os>\n</domain>\n"

static char *
with_resource(const char *xml, const char *resource)
{
    LpConfigChange change = {.resource = resource};
    char *changed = lp_domxml_change(xml, &change, NULL);

    assert_non_null(changed);
    return changed;
}

static void
expect_resource(const char *xml, const char *resource)
{
    g_autoptr(LpView) view = lp_view_new();

    assert_true(lp_domxml_read(xml, view, NULL));
    assert_string_equal(view->resource, resource);
}

static void
test_definition(void **state)
{
    static const char plain[] = DOMAIN("");
    static const char appid[] =
        DOMAIN("  <resource>\n    <fibrechannel appid='x'/>\n  </resource>\n");
    g_autofree char *in = with_resource(plain, "/machine/web");
    g_autofree char *other = with_resource(in, "/machine/batch");
    g_autofree char *out = with_resource(other, "");
    g_autofree char *both = with_resource(appid, "/machine/web");
    g_autofree char *kept = with_resource(both, "");
    g_autofree char *untouched = with_resource(in, NULL);
    g_autofree char *never = with_resource(plain, "");

    (void) state;
    expect_resource(plain, "");
    expect_resource(in, "/machine/web");
    expect_resource(other, "/machine/batch");
    expect_resource(untouched, "/machine/web");
    assert_null(strstr(out, "<resource"));
    assert_null(strstr(never, "<resource"));
    expect_resource(both, "/machine/web");
    assert_non_null(strstr(both, "appid"));
    expect_resource(kept, "");
    assert_non_null(strstr(kept, "appid"));
}

static void
test_long_resource(void **state)
{
    g_autofree char *name = g_strnfill(200, 'x');
    g_autofree char *xml = g_strdup_printf(
        DOMAIN("  <resource><partition>/machine/%s</partition></resource>\n"), name);
    g_autoptr(LpView) view = lp_view_new();

    (void) state;
    assert_true(lp_domxml_read(xml, view, NULL));
    assert_int_equal(strlen(view->resource), LP_RESOURCE_MAX - 1);
    assert_null(lp_pool_of_resource(view->resource));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_limits_of_the_kernel),
        cmocka_unit_test(test_quotas_in_a_pool),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_long_resource),
    };

    return cmocka_run_group_tests_name("pool_file", tests, NULL, NULL);
}
