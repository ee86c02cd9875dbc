#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lpard/api/access.h"
#include "lpard/api/rate.h"
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

    return lp_access_grant(access, &peer).role;
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

static LpOwner *
owner(const char *name, const char *members, const char *partitions)
{
    LpOwner *owner = g_new0(LpOwner, 1);

    owner->name = g_strdup(name);
    owner->members = lp_settings_words(members);
    owner->partitions = lp_settings_words(partitions);
    return owner;
}

#define PRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PRINT_WRITTEN "01:23:45:67:89:AB:CD:EF:0123456789abcdef0123456789abcdef0123456789ABCDEF"

/* web: group 60001, the certificate "ci web" by its fingerprint; db: 60001 and 60002, and the
 * certificate db-ops. */
static LpAccess *
owned_world(LpSettings *settings)
{
    settings->owners = g_ptr_array_new_with_free_func((GDestroyNotify)lp_owner_free);
    g_ptr_array_add(settings->owners,
                    owner("web", "60001 cert:sha256:" PRINT_WRITTEN, "web*, shop-?"));
    g_ptr_array_add(settings->owners, owner("db", "60001, 60002 cert:db-ops", "db1"));
    return lp_access_new(settings, NULL, NULL);
}

static void
test_owners(void **state)
{
    LpSettings settings = {.operators = admins};
    LpAccess *access = owned_world(&settings);
    gid_t web[] = {60001}, db[] = {60002}, both[] = {60002, 60003};
    LpPeer peers[] = {{.uid = 5, .n_gids = 1, .gids = web}, {.uid = 6, .n_gids = 1, .gids = db},
                      {.uid = 7, .n_gids = 2, .gids = both}, {.uid = 8}};
    static const struct {
        unsigned peer;
        LpRole needed;
        const char *name;         /* NULL: the host */
        bool may;
    } rows[] = {
        {0, LP_ROLE_VIEWER, NULL, true},     {0, LP_ROLE_VIEWER, "other", true},
        {0, LP_ROLE_OPERATOR, "web", true},  {0, LP_ROLE_OPERATOR, "web7-b", true},
        {0, LP_ROLE_OPERATOR, "shop-1", true}, {0, LP_ROLE_OPERATOR, "shop-12", false},
        {0, LP_ROLE_OPERATOR, "shop-", false}, {0, LP_ROLE_OPERATOR, "db1", true},
        {0, LP_ROLE_OPERATOR, "db12", false}, {0, LP_ROLE_OPERATOR, "aweb", false},
        {0, LP_ROLE_OPERATOR, "WEB", false}, {0, LP_ROLE_OPERATOR, "", false},
        {0, LP_ROLE_OPERATOR, "web*", true}, {0, LP_ROLE_OPERATOR, NULL, false},
        {0, LP_ROLE_ADMIN, "web", false},    {0, LP_ROLE_ADMIN, NULL, false},
        {1, LP_ROLE_OPERATOR, "db1", true},  {1, LP_ROLE_OPERATOR, "web", false},
        {1, LP_ROLE_VIEWER, "web", true},
        /* An operator who owns something is an operator still. */
        {2, LP_ROLE_OPERATOR, "web", true},  {2, LP_ROLE_OPERATOR, NULL, true},
        {2, LP_ROLE_ADMIN, "db1", false},
        {3, LP_ROLE_VIEWER, NULL, false},    {3, LP_ROLE_OPERATOR, "web", false},
    };

    (void)state;
    assert_non_null(access);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LpGrant grant = lp_access_grant(access, &peers[rows[i].peer]);

        if (lp_access_may(access, grant, rows[i].needed, rows[i].name) != rows[i].may)
            fail_msg("row %zu: %s", i, rows[i].name ? rows[i].name : "the host");
    }
    for (unsigned i = 0; i < 4; i++) {
        static const char *const texts[] = {"owner web,db", "owner db", "operator", "none"};
        g_autofree char *text =
            lp_access_role_text(access, lp_access_grant(access, &peers[i]));

        assert_string_equal(text, texts[i]);
    }
    lp_access_free(access);
    g_ptr_array_unref(settings.owners);
}

static void
test_certificates(void **state)
{
    char ops_name[] = "cert:ops", star[] = "*", root_name[] = "cert:0";
    char *operator_certificates[] = {ops_name, root_name, NULL}, *all[] = {star, NULL};
    LpSettings settings = {.operators = operator_certificates, .viewers = all};
    LpAccess *access = owned_world(&settings);
    char print[] = PRINT, other_print[] = "f" PRINT, ops[] = "ops", db[] = "db-ops",
         upper[] = "OPS", fake[] = "sha256:" PRINT;
    LpPeer peer = {.uid = (uid_t)-1, .fingerprint = other_print, .common_name = ops};
    LpGrant grant = lp_access_grant(access, &peer);

    (void)state;
    assert_int_equal(grant.role, LP_ROLE_OPERATOR);
    assert_true(grant.owners == 0);
    /* "*" is every user of this machine, and not whoever comes over the network. */
    peer.common_name = upper;
    assert_int_equal(lp_access_grant(access, &peer).role, LP_ROLE_NONE);
    peer.common_name = NULL;
    assert_int_equal(lp_access_grant(access, &peer).role, LP_ROLE_NONE);
    /* A name that looks like a fingerprint is a name. */
    peer.common_name = fake;
    assert_int_equal(lp_access_grant(access, &peer).role, LP_ROLE_NONE);
    /* Whatever its user number is: a certificate has none. */
    peer.uid = 0;
    assert_int_equal(lp_access_grant(access, &peer).role, LP_ROLE_NONE);
    peer.fingerprint = print;
    grant = lp_access_grant(access, &peer);
    assert_int_equal(grant.role, LP_ROLE_VIEWER);
    assert_true(grant.owners == 1);
    peer.common_name = db;
    assert_true(lp_access_grant(access, &peer).owners == 3);
    /* Nor has a user who is in a group of that number anything to do with it. */
    peer = (LpPeer){.uid = 9};
    assert_int_equal(lp_access_grant(access, &peer).role, LP_ROLE_VIEWER);
    lp_access_free(access);
    g_ptr_array_unref(settings.owners);
}

static void
test_bad_members(void **state)
{
    static const char *const bad[] = {"cert:", "cert:sha256:", "cert:sha256:12",
                                      "cert:sha256:" PRINT "0", "cert:sha256:g" PRINT, "*"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        LpSettings settings = {
            .owners = g_ptr_array_new_with_free_func((GDestroyNotify)lp_owner_free)};
        GError *error = NULL;

        g_ptr_array_add(settings.owners, owner("web", bad[i], "web*"));
        assert_null(lp_access_new(&settings, NULL, &error));
        assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_USAGE));
        g_error_free(error);
        g_ptr_array_unref(settings.owners);
    }
}

#define SEC 1000000

static void
test_bucket(void **state)
{
    LpBucket bucket;

    (void)state;
    lp_bucket_init(&bucket, 10, 20, 5 * SEC);
    for (unsigned i = 0; i < 20; i++)
        assert_true(lp_bucket_take(&bucket, 5 * SEC));
    assert_false(lp_bucket_take(&bucket, 5 * SEC));
    assert_int_equal(lp_bucket_wait_sec(&bucket), 1);
    assert_false(lp_bucket_take(&bucket, 5 * SEC + 99999));
    assert_true(lp_bucket_take(&bucket, 5 * SEC + 100000));
    assert_false(lp_bucket_take(&bucket, 5 * SEC + 100000));
    assert_false(lp_bucket_full(&bucket, 6 * SEC));
    /* A clock that goes back gives nothing, and takes nothing. */
    for (unsigned i = 0; i < 9; i++)
        assert_true(lp_bucket_take(&bucket, 6 * SEC));
    assert_false(lp_bucket_take(&bucket, 3 * SEC));
    assert_true(lp_bucket_full(&bucket, 9 * SEC));
    /* Centuries fill it, and no more than that. */
    assert_true(lp_bucket_take(&bucket, INT64_MAX));
    for (unsigned i = 0; i < 19; i++)
        assert_true(lp_bucket_take(&bucket, INT64_MAX));
    assert_false(lp_bucket_take(&bucket, INT64_MAX));
    lp_bucket_init(&bucket, 0, 0, 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(lp_bucket_take(&bucket, 0));
    assert_true(lp_bucket_full(&bucket, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_everybody_views_and_no_more),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_bad_members),
        cmocka_unit_test(test_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
