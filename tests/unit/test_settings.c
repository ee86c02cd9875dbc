/* lpard.conf(5). */
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lpard/error.h"
#include "lpard/settings.h"

#define SEED 20261123u
#define MIB (1ULL << 20)

static char path[] = "/tmp/lpard-settings-XXXXXX";

static LpSettings *
load_bytes(const char *text, gssize len, GError **error)
{
    assert_true(g_file_set_contents(path, text, len, NULL));
    return lp_settings_load(path, true, false, error);
}

static void
test_defaults(void **state)
{
    g_autoptr(LpSettings) root = lp_settings_load("/nonexistent/lpard.conf", false, false, NULL);
    g_autoptr(LpSettings) empty = load_bytes("# nothing\n", -1, NULL);

    (void) state;
    assert_string_equal(root->uri, "qemu:///system");
    assert_string_equal(root->socket, "/run/lpard/lpard.sock");
    assert_string_equal(root->state_dir, "/var/lib/lpard");
    assert_null(root->topology);
    assert_true(root->reserve_bytes == 512 * MIB);
    assert_int_equal(root->reserve_centi, 10);
    assert_true(root->overhead_bytes == 320 * MIB);
    assert_int_equal(root->timeout_sec, 60);
    assert_false(root->refuse_requests);
    assert_int_equal(root->keep_days, 30);
    assert_int_equal(root->policy_mode, LP_MODE_AUTO);
    assert_true(root->policy_burst);
    assert_int_equal(root->policy_idle_tax_permyriad, 7500);
    assert_int_equal(root->policy_moving, 4);
    assert_true(root->policy_history_bytes == 256 * MIB);
    assert_false(root->optimize_auto);
    assert_int_equal(root->optimize_threshold, 80);
    assert_int_equal(root->optimize_delta, 10);
    assert_true(root->move_rate_bytes == 512 * MIB);
    assert_int_equal(root->move_pressure_centi, 1000);
    assert_null(root->viewers[0]);
    assert_null(root->operators[0]);
    assert_null(root->admins[0]);
    assert_string_equal(empty->uri, root->uri);
}

static void
test_session_defaults(void **state)
{
    g_autoptr(LpSettings) session = lp_settings_load("/nonexistent/lpard.conf", false, true, NULL);

    (void) state;
    assert_string_equal(session->uri, "qemu:///session");
    assert_null(session->socket_group);
    assert_false(session->no_sandbox);
    assert_string_equal(session->socket, "/tmp/run-of-a-user/lpard/lpard.sock");
    assert_string_equal(session->state_dir, "/tmp/state-of-a-user/lpard");
}

static void
test_everything_set(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpSettings) s = load_bytes(
        "[lpard]\nconnect = test:///default\nsocket=/tmp/s\nstate=/tmp/d \n"
        "socket-group = lpard \nsandbox=off\n"
        "[host]\ntopology=pack:2 core:4 pu:2\nmemory-reserve=1.5G\ncpu-reserve=0.25\n"
        "guest-overhead=0\n[operations]\ntimeout=300\nkeep-days=7\n[guests]\nrequests=refuse\n"
        "[policy]\nmode=off\nleftovers=keep\nidle-tax=99\nmoving=64\nhistory-size=16M\n"
        "[numa]\noptimize=auto\nthreshold=95\ndelta=1\nmove-rate=1M\nmove-pressure=100\n"
        "[access]\nviewers=staff, users\noperators=kvm\nadmins=wheel,adm\n", -1, &error);

    (void) state;
    assert_null(error);
    assert_string_equal(s->uri, "test:///default");
    assert_string_equal(s->socket, "/tmp/s");
    assert_string_equal(s->state_dir, "/tmp/d");
    assert_string_equal(s->socket_group, "lpard");
    assert_true(s->no_sandbox);
    assert_string_equal(s->topology, "pack:2 core:4 pu:2");
    assert_true(s->reserve_bytes == 1536 * MIB);
    assert_int_equal(s->reserve_centi, 25);
    assert_true(s->overhead_bytes == 0);
    assert_int_equal(s->timeout_sec, 300);
    assert_true(s->refuse_requests);
    assert_int_equal(s->keep_days, 7);
    assert_int_equal(s->policy_mode, LP_MODE_OFF);
    assert_false(s->policy_burst);
    assert_int_equal(s->policy_idle_tax_permyriad, 9900);
    assert_int_equal(s->policy_moving, 64);
    assert_true(s->policy_history_bytes == 16 * MIB);
    assert_true(s->optimize_auto);
    assert_int_equal(s->optimize_threshold, 95);
    assert_int_equal(s->optimize_delta, 1);
    assert_true(s->move_rate_bytes == MIB);
    assert_int_equal(s->move_pressure_centi, 10000);
    assert_string_equal(s->viewers[1], "users");
    assert_null(s->viewers[2]);
    assert_string_equal(s->operators[0], "kvm");
    assert_string_equal(s->admins[1], "adm");
}

static void
test_owners_and_doors(void **state)
{
    g_autoptr(LpSettings) s = load_bytes(
        "[owner shop.1]\nmembers = shop-ops, cert:ci\npartitions=web* ,db1\n"
        "[owner b]\npartitions = *\nmembers = 7\n"
        "[tls]\nlisten=[::1]:16510\ncertificate=/a\nkey=/b\nca=/c\n"
        "[limits]\nconnections=65536\nconnections-per-peer=1\nrate=1000000\nlong-polls=2\n",
        -1, NULL);
    g_autoptr(LpSettings) none = load_bytes("", -1, NULL);
    const LpOwner *owner;

    (void) state;
    assert_int_equal(s->owners->len, 2);
    owner = g_ptr_array_index(s->owners, 0);
    assert_string_equal(owner->name, "shop.1");
    assert_string_equal(owner->members[1], "cert:ci");
    assert_null(owner->members[2]);
    assert_string_equal(owner->partitions[0], "web*");
    assert_string_equal(owner->partitions[1], "db1");
    owner = g_ptr_array_index(s->owners, 1);
    assert_string_equal(owner->partitions[0], "*");
    assert_string_equal(s->tls_listen, "[::1]:16510");
    assert_string_equal(s->tls_ca, "/c");
    assert_int_equal(s->max_connections, 65536);
    assert_int_equal(s->max_connections_peer, 1);
    assert_int_equal(s->max_rate, 1000000);
    assert_int_equal(s->max_polls, 2);
    assert_int_equal(none->owners->len, 0);
    assert_null(none->tls_listen);
    assert_int_equal(none->max_connections, 1024);
    assert_int_equal(none->max_connections_peer, 512);
    assert_int_equal(none->max_rate, 1000);
    assert_int_equal(none->max_polls, 256);
}

static void
test_too_many_owners(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    (void) state;
    for (unsigned i = 0; i <= LP_OWNERS_MAX; i++)
        g_string_append_printf(text, "[owner a%u]\nmembers=a\npartitions=b\n", i);
    assert_null(load_bytes(text->str, -1, &error));
    assert_non_null(strstr(error->message, "more than 64"));
}

static void
test_policy_values(void **state)
{
    g_autoptr(LpSettings) s = load_bytes("[policy]\nmode = advise\nleftovers = burst\n"
                                         "idle-tax = 0\nmoving = 1\nhistory-size = 64G\n", -1,
                                         NULL);

    (void) state;
    assert_int_equal(s->policy_mode, LP_MODE_ADVISE);
    assert_true(s->policy_burst);
    assert_int_equal(s->policy_idle_tax_permyriad, 0);
    assert_int_equal(s->policy_moving, 1);
    assert_true(s->policy_history_bytes == 64 * 1024 * MIB);
}

static void
test_refused(void **state)
{
    static const struct { const char *text, *named; } BAD[] = {
        { "[hosts]\n", "[hosts]" }, { "[host]\nmemory=1G\n", "'memory'" },
        { "[lpard]\ntimeout=5\n", "'timeout'" }, { "[host]\nmemory-reserve=6X\n", "K, M, G" },
        { "[host]\nmemory-reserve=6GB\n", "1024" }, { "[host]\nmemory-reserve=-1\n", "negative" },
        { "[host]\nmemory-reserve=\n", "missing" }, { "[host]\nmemory-reserve=65T\n", "too large" },
        { "[host]\ncpu-reserve=2000\n", "(0.00 to 1024.00)" },
        { "[host]\ncpu-reserve=0.005\n", "0.01" }, { "[host]\ncpu-reserve=2x\n", "number" },
        { "[guests]\nrequests=yes\n", "allow or refuse" },
        { "[operations]\ntimeout=0\n", "too small" }, { "[operations]\ntimeout=1d\n", "number" },
        { "[operations]\ntimeout=99999999999\n", "too large" },
        { "[operations]\nkeep-days=100000\n", "too large" },
        { "[policy]\nmode=host\n", "off, advise or auto" },
        { "[policy]\nmode=Auto\n", "off, advise or auto" },
        { "[policy]\nmode=\n", "off, advise or auto" },
        { "[policy]\nleftovers=spread\n", "keep or burst" },
        { "[lpard]\nsandbox=no\n", "on or off" }, { "[lpard]\nsocket-group=\n", "empty" },
        { "[policy]\nidle-tax=100\n", "too large" }, { "[policy]\nidle-tax=7.5\n", "number" },
        { "[policy]\nmoving=0\n", "too small" }, { "[policy]\nmoving=65\n", "too large" },
        { "[policy]\nhistory-size=1M\n", "too small" },
        { "[policy]\nhistory-size=65G\n", "too large" },
        { "[policy]\ngoal=latency\n", "history-size" },
        { "[numa]\noptimize=on\n", "manual or auto" },
        { "[numa]\noptimize=\n", "manual or auto" },
        { "[numa]\nthreshold=101\n", "(0 to 100, whole)" },
        { "[numa]\nthreshold=79.5\n", "(0 to 100, whole)" },
        { "[numa]\ndelta=0\n", "too small" }, { "[numa]\ndelta=101\n", "too large" },
        { "[numa]\nmove-rate=512K\n", "too small" }, { "[numa]\nmove-rate=2T\n", "(1 MiB to 1 TiB)" },
        { "[numa]\nmove-rate=1GB\n", "1024" },
        { "[numa]\nmove-pressure=101\n", "too large" },
        { "[numa]\nrate=1G\n", "move-rate" },
        { "[owner]\nmembers=a\npartitions=b\n", "[owner NAME]" },
        { "[owner ]\nmembers=a\npartitions=b\n", "[owner NAME]" },
        { "[owner a b]\nmembers=a\npartitions=b\n", "[owner NAME]" },
        { "[owner 123456789012345678901234567890123]\nmembers=a\npartitions=b\n", "32" },
        { "[owner a]\nmembers=a\n", "partitions = NAME" },
        { "[owner a]\npartitions=a\n", "members = GROUP" },
        { "[owner a]\nmembers= ,\npartitions=a\n", "members = GROUP" },
        { "[owner a]\nmembers=a\npartitions=b\nrole=admin\n", "members, partitions" },
        { "[owner a]\nmembers=a\npartitions=\xff\n", "plain UTF-8" },
        { "[owners]\nmembers=a\n", "owner NAME" },
        { "[tls]\nlisten=127.0.0.1:1\n", "all four" },
        { "[tls]\ncertificate=/a\nkey=/b\nca=/c\n", "all four" },
        { "[tls]\nkey=server.key\n", "'/'" }, { "[tls]\ncert=/a\n", "certificate" },
        { "[limits]\nconnections=0\n", "too small" },
        { "[limits]\nconnections=65537\n", "too large" },
        { "[limits]\nrate=0\n", "too small" }, { "[limits]\nrate=1.5\n", "number" },
        { "[limits]\npolls=1\n", "long-polls" },
        { "[lpard]\nsocket=lpard.sock\n", "'/'" }, { "[lpard]\nconnect=\n", "empty" },
        { "[lpard]\nconnect=a\\q\n", "plain UTF-8" }, { "connect=x\n", "cannot be read" },
        { "[lpard\nconnect=x\n", "cannot be read" }, { "[lpard]\nhello\n", "cannot be read" },
        { "[lpard]\nConnect=x\n", "'Connect'" }, { "[lpard]\nconnect[de]=x\n", "connect[de]" },
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(LpSettings) settings = load_bytes(BAD[i].text, -1, &error);

        if (settings)
            fail_msg("taken: %s", BAD[i].text);
        assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_USAGE));
        if (!strstr(error->message, path) || !strstr(error->message, BAD[i].named))
            fail_msg("'%s' lacks '%s'", error->message, BAD[i].named);
    }
}

static void
test_missing_file(void **state)
{
    g_autoptr(GError) error = NULL;

    (void) state;
    assert_null(lp_settings_load("/nonexistent/lpard.conf", true, false, &error));
    assert_non_null(strstr(error->message, "/nonexistent/lpard.conf"));
    g_clear_error(&error);
    /* A directory is there, but is no file: never taken for "missing". */
    assert_null(lp_settings_load("/tmp", false, false, &error));
    assert_non_null(error);
}

static void
test_random_bytes(void **state)
{
    static const char BASE[] = "[lpard]\nconnect=x\n[host]\nmemory-reserve=1G\ncpu-reserve=0.25\n"
                               "[operations]\ntimeout=5\n[access]\nadmins=a,b\n";

    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 3000; round++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(LpSettings) settings = NULL;
        char text[sizeof(BASE)];

        memcpy(text, BASE, sizeof(BASE));
        for (int n = 1 + rand() % 4; n > 0; n--)
            text[(size_t) rand() % (sizeof(BASE) - 1)] = (char) (rand() % 256);
        settings = load_bytes(text, sizeof(BASE) - 1, &error);
        assert_true((settings != NULL) == (error == NULL));
        if (settings)
            assert_true(settings->timeout_sec >= 1 && *settings->uri);
        else
            assert_true(g_utf8_validate(error->message, -1, NULL));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_session_defaults),
        cmocka_unit_test(test_everything_set),
        cmocka_unit_test(test_policy_values),
        cmocka_unit_test(test_owners_and_doors),
        cmocka_unit_test(test_too_many_owners),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_random_bytes),
    };
    int fd, failed;

    g_setenv("XDG_RUNTIME_DIR", "/tmp/run-of-a-user", TRUE);
    g_setenv("XDG_STATE_HOME", "/tmp/state-of-a-user", TRUE);
    fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests_name("settings", tests, NULL, NULL);
    g_unlink(path);
    return failed;
}
