#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lpard/error.h"

static void
test_names_are_unique_and_reversible(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LP_ERROR_CODES; i++) {
        assert_non_null(lp_error_name(i));
        assert_true(*lp_error_name(i));
        assert_int_equal(lp_error_from_name(lp_error_name(i)), i);
    }
}

static void
test_status_and_exit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LP_ERROR_CODES; i++) {
        assert_in_range(lp_error_http_status(i), 400, 599);
        assert_in_range(lp_error_exit_status(i), 1, 9);
    }
    assert_int_equal(lp_error_exit_status(LP_ERROR_USAGE), 2);
    assert_int_equal(lp_error_exit_status(LP_ERROR_REFUSED), 4);
    assert_int_equal(lp_error_exit_status(LP_ERROR_UNREACHABLE), 8);
    assert_int_equal(lp_error_http_status(LP_ERROR_NO_PARTITION), 404);
    assert_int_equal(lp_error_http_status(LP_ERROR_FORBIDDEN), 403);
}

static void
test_unknown(void **state)
{
    (void)state;
    assert_int_equal(lp_error_from_name("no such"), LP_ERROR_INTERNAL);
    assert_int_equal(lp_error_from_name(""), LP_ERROR_INTERNAL);
    assert_int_equal(lp_error_from_name(NULL), LP_ERROR_INTERNAL);
    assert_string_equal(lp_error_name((LpErrorCode)1000), "internal");
    assert_int_equal(lp_error_http_status((LpErrorCode)-1), 500);
    assert_int_equal(lp_error_exit_status(LP_ERROR_CODES), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_unique_and_reversible),
        cmocka_unit_test(test_status_and_exit),
        cmocka_unit_test(test_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
