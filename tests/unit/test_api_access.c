#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lpard/api/access.h"
#include "lpard/error.h"

static char g1[] = "60001", g2[] = "60002", g3[] = "60003", all_users[] = "*",
            strange[] = "no-such-group-here";
static char *viewers[] = {g1, strange, NULL};
static char *operators[] = {g2, NULL};
static char *admins[] = {g3, NULL};
static char *everybody[] = {all_users, NULL};

static LpRole
role_of(LpAccess *access, uid_t uid, size_t n_gids, gid_t *gids)
{
    LpPeer peer = {.uid = uid, .n_gids = n_gids, .gids = gids};

    return lp_access_role(access, &peer);
}

static void
test_roles(void **state)
{
    LpSettings settings = {.viewers = viewers, .operators = operators, .admins = admins};
    GPtrArray *unknown = g_ptr_array_new_with_free_func(g_free);
    LpAccess *access = lp_access_new(&settings, unknown, NULL);
    gid_t none[] = {100, 60000}, viewer[] = {100, 60001}, both[] = {60001, 60002},
          all[] = {60003, 60001, 60002};

    (void)state;
    assert_non_null(access);
    assert_int_equal(unknown->len, 1);
    assert_string_equal(g_ptr_array_index(unknown, 0), "no-such-group-here");
    assert_int_equal(role_of(access, 0, 0, NULL), LP_ROLE_ADMIN);
    assert_int_equal(role_of(access, getuid(), 2, none), LP_ROLE_ADMIN);
    assert_int_equal(role_of(access, 54321, 0, NULL), LP_ROLE_NONE);
    assert_int_equal(role_of(access, 54321, 2, none), LP_ROLE_NONE);
    assert_int_equal(role_of(access, 54321, 2, viewer), LP_ROLE_VIEWER);
    assert_int_equal(role_of(access, 54321, 2, both), LP_ROLE_OPERATOR);
    assert_int_equal(role_of(access, 54321, 3, all), LP_ROLE_ADMIN);
    lp_access_free(access);
    g_ptr_array_unref(unknown);
}

static void
test_everybody_views_and_no_more(void **state)
{
    LpSettings settings = {.viewers = everybody};
    LpSettings foolish = {.operators = everybody};
    LpAccess *access = lp_access_new(&settings, NULL, NULL);
    GError *error = NULL;

    (void)state;
    assert_int_equal(role_of(access, 54321, 0, NULL), LP_ROLE_VIEWER);
    lp_access_free(access);
    assert_null(lp_access_new(&foolish, NULL, &error));
    assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_USAGE));
    g_error_free(error);
}

static void
test_peer(void **state)
{
    int fds[2];
    LpPeer peer = {0};

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_true(lp_access_peer(fds[0], &peer, NULL));
    assert_int_equal(peer.uid, getuid());
    assert_true(peer.n_gids >= 1);
    assert_int_equal(peer.gids[0], getgid());
    assert_int_equal(peer.n_gids - 1, getgroups(0, NULL));
    lp_peer_clear(&peer);
    close(fds[0]);
    close(fds[1]);
    assert_false(lp_access_peer(-1, &peer, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_everybody_views_and_no_more),
        cmocka_unit_test(test_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
