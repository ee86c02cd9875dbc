/* The state directory is lpard's alone. */
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lpard/error.h"
#include "lpard/state-dir.h"

static char *top, *dir;

static int
set_up(void **state)
{
    (void) state;
    top = g_dir_make_tmp("lpard-state-XXXXXX", NULL);
    dir = top ? g_build_filename(top, "state", NULL) : NULL;
    return top ? 0 : -1;
}

static int
tear_down(void **state)
{
    static const char *const files[] = { "journal.db", "journal.db-wal", "pools.conf", "mine" };
    g_autofree char *history = g_build_filename(dir, "policy-history", NULL);

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(dir, files[i], NULL);

        g_unlink(path);
    }
    g_rmdir(history);
    g_rmdir(dir);
    g_rmdir(top);
    g_clear_pointer(&top, g_free);
    g_clear_pointer(&dir, g_free);
    return 0;
}

static unsigned
mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static char *
file(const char *name, mode_t mode)
{
    char *path = g_build_filename(dir, name, NULL);

    assert_true(g_file_set_contents(path, "x", 1, NULL));
    assert_int_equal(g_chmod(path, mode), 0);
    return path;
}

static void
prepared(void)
{
    g_autoptr(GError) error = NULL;

    if (!lp_state_dir_prepare(dir, &error))
        fail_msg("%s", error->message);
}

static void
refused(const char *with)
{
    g_autoptr(GError) error = NULL;

    assert_false(lp_state_dir_prepare(dir, &error));
    assert_int_equal(error->domain, LP_ERROR);
    if (!strstr(error->message, with))
        fail_msg("no \"%s\" in: %s", with, error->message);
    assert_non_null(strstr(error->message, dir));
}

static void
test_it_is_made_for_lpard_alone(void **state)
{
    (void) state;
    prepared();
    assert_int_equal(mode_of(dir), 0700);
    prepared();
}

static void
test_one_that_others_may_write_to_is_refused(void **state)
{
    (void) state;
    assert_int_equal(g_mkdir(dir, 0700), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(g_chmod(dir, (mode_t[]) { 0777, 0770, 01777 }[i]), 0);
        refused("chmod 0700");
    }
    assert_int_equal(g_chmod(dir, 0700), 0);
    prepared();
}

static void
test_one_of_somebody_else_is_refused(void **state)
{
    (void) state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(g_mkdir(dir, 0700), 0);
    assert_int_equal(chown(dir, 12345, 12345), 0);
    refused("belongs to user 12345");
    assert_int_equal(chown(dir, 0, 0), 0);
    prepared();
}

static void
test_no_directory_is_refused(void **state)
{
    (void) state;
    assert_true(g_file_set_contents(dir, "x", 1, NULL));
    refused("cannot be made or opened");
    g_unlink(dir);
}

/* What lpard wrote is closed to others; what is not lpard's is left alone. */
static void
test_files_are_closed_to_others(void **state)
{
    g_autofree char *history = g_build_filename(dir, "policy-history", NULL);
    g_autofree char *journal = NULL, *log = NULL, *pools = NULL, *mine = NULL;

    (void) state;
    assert_int_equal(g_mkdir(dir, 0755), 0);
    assert_int_equal(g_chmod(dir, 0755), 0);
    assert_int_equal(g_mkdir(history, 0755), 0);
    journal = file("journal.db", 0644);
    log = file("journal.db-wal", 0666);
    pools = file("pools.conf", 0640);
    mine = file("mine", 0644);
    prepared();
    assert_int_equal(mode_of(journal), 0600);
    assert_int_equal(mode_of(log), 0600);
    assert_int_equal(mode_of(pools), 0600);
    assert_int_equal(mode_of(history), 0700);
    assert_int_equal(mode_of(mine), 0644);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_made_for_lpard_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_others_may_write_to_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_of_somebody_else_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_directory_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_are_closed_to_others, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
