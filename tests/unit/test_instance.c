/* One lpard to a hypervisor, by whatever name it is called. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lpard/error.h"
#include "lpard/instance.h"
#include "tests/remove-tree.h"

static char *dir;

static int
set_up(void **state)
{
    (void) state;
    dir = g_dir_make_tmp("lpard-instance-XXXXXX", NULL);
    return dir ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void) state;
    remove_tree(dir);
    g_clear_pointer(&dir, g_free);
    return 0;
}

static int
lock(const char *uri)
{
    g_autoptr(GError) error = NULL;
    int fd = lp_instance_lock(uri, dir, &error);

    if (fd < 0)
        fail_msg("%s: %s", uri, error->message);
    return fd;
}

/* Refused, with a sentence that names who has it and what to do. */
static void
refused(const char *uri, pid_t pid)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strdup_printf("(pid %d)", (int) pid);

    assert_int_equal(lp_instance_lock(uri, dir, &error), -1);
    assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_CONFLICT));
    assert_non_null(strstr(error->message, name));
    assert_non_null(strstr(error->message, "stop that one"));
}

static void
test_the_second_is_refused(void **state)
{
    int fd = lock("qemu:///system");

    (void) state;
    refused("qemu:///system", getpid());
    close(fd);
    close(lock("qemu:///system"));
}

static void
test_another_hypervisor_is_another(void **state)
{
    int system = lock("qemu:///system"), session = lock("qemu:///session");
    int far = lock("qemu+tls://far/system"), test = lock("test:///default");

    (void) state;
    close(system);
    close(session);
    close(far);
    close(test);
}

static void
test_all_its_names_are_one(void **state)
{
    int fd = lock("qemu:///system");

    (void) state;
    refused("qemu+unix:///system", getpid());
    refused("qemu:///system?no_verify=1", getpid());
    refused("qemu+unix:///system?socket=/run/libvirt/libvirt-sock", getpid());
    close(fd);
}

static void
test_a_simulated_host_is_its_file(void **state)
{
    g_autofree char *file = g_build_filename(dir, "host.json", NULL);
    g_autofree char *other = g_build_filename(dir, "other.json", NULL);
    g_autofree char *link = g_build_filename(dir, "link.json", NULL);
    g_autofree char *uri = g_strconcat("sim:", file, NULL);
    g_autofree char *dotted = g_strconcat("sim:", dir, "/./host.json", NULL);
    g_autofree char *linked = g_strconcat("sim:", link, NULL);
    g_autofree char *apart = g_strconcat("sim:", other, NULL);
    int fd, second;

    (void) state;
    assert_true(g_file_set_contents(file, "{}", -1, NULL));
    assert_true(g_file_set_contents(other, "{}", -1, NULL));
    assert_int_equal(symlink(file, link), 0);
    fd = lock(uri);
    refused(dotted, getpid());
    refused(linked, getpid());
    second = lock(apart);
    close(second);
    close(fd);
}

/* kill -9 leaves no lock behind. */
static void
test_the_dead_hold_nothing(void **state)
{
    int ends[2];
    pid_t child;
    char ready;

    (void) state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        if (lp_instance_lock("qemu:///system", dir, NULL) < 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    refused("qemu:///system", child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(lock("qemu:///system"));
    close(ends[0]);
    close(ends[1]);
}

static void
test_a_planted_link_is_not_followed(void **state)
{
    g_autofree char *file = g_build_filename(dir, "host.json", NULL);
    g_autofree char *precious = g_build_filename(dir, "precious", NULL);
    g_autofree char *planted = g_strconcat(file, ".lock", NULL);
    g_autofree char *uri = g_strconcat("sim:", file, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    (void) state;
    assert_true(g_file_set_contents(file, "{}", -1, NULL));
    assert_true(g_file_set_contents(precious, "precious", -1, NULL));
    assert_int_equal(symlink(precious, planted), 0);
    assert_int_equal(lp_instance_lock(uri, dir, &error), -1);
    assert_non_null(strstr(error->message, planted));
    assert_true(g_file_get_contents(precious, &text, NULL, NULL));
    assert_string_equal(text, "precious");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_second_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_hypervisor_is_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_its_names_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_simulated_host_is_its_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_dead_hold_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_planted_link_is_not_followed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
