/* agent.conf: what is taken from it, and that nothing in it can do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/conf.h"
#include "agent/log.h"
#include "agent/text.h"
#include "agent/wire/wire.h"
#include "agent/wire/words.h"
#include "tests/unit/tree.h"

static LpConf conf;

static bool
parse(const char *text)
{
    lp_conf_init(&conf);
    return lp_conf_parse(&conf, text, strlen(text), "test");
}

static void
test_defaults(void **data)
{
    (void)data;
    assert_true(parse(""));
    assert_int_equal(conf.forbid, 0);
    assert_int_equal(conf.floor_bytes, 0);
    assert_int_equal(conf.floor_cpus, 0);
    assert_int_equal(conf.pressure_limit_centi, 2000);
    assert_int_equal(conf.movable_ratio_percent, 301);
    assert_int_equal(conf.hook_timeout_msec, 5000);
    assert_string_equal(conf.hooks_dir, LP_CONF_HOOKS_DIR);
    assert_string_equal(conf.classes_file, LP_CONF_CLASSES_FILE);
    assert_string_equal(conf.classes_helper, LP_CONF_CLASSES_HELPER);
    assert_string_equal(conf.socket, LP_CONF_SOCKET);
}

static void
test_all_keys(void **data)
{
    (void)data;
    assert_true(parse("# a comment\n\n \t\r\n  forbid = cpu-release,mem-acquire \t hooks\r\n"
                      "floor-memory=512M\nfloor-cpus = 3\npressure-limit = 12.5 \n"
                      "movable-ratio = 0\nhook-timeout = 600\nhooks = /a/b c\n"
                      "classes = /c\nclasses-helper = /h\nsocket = none\nsocket-group = app\n"
                      "forbid = requests"));
    assert_int_equal(conf.forbid, LP_WIRE_ACT_CPU_RELEASE | LP_WIRE_ACT_MEM_ACQUIRE |
                     LP_WIRE_ACT_HOOKS | LP_WIRE_ACT_REQUESTS);
    assert_int_equal(conf.floor_bytes, UINT64_C(512) << 20);
    assert_int_equal(conf.floor_cpus, 3);
    assert_int_equal(conf.pressure_limit_centi, 1250);
    assert_int_equal(conf.movable_ratio_percent, 0);
    assert_int_equal(conf.hook_timeout_msec, 600000);
    assert_string_equal(conf.hooks_dir, "/a/b c");
    assert_string_equal(conf.classes_file, "/c");
    assert_string_equal(conf.classes_helper, "/h");
    assert_string_equal(conf.socket, "");
    assert_string_equal(conf.socket_group, "app");
}

static void
test_every_action(void **data)
{
    char line[64];

    (void)data;
    for (unsigned i = 0; i < LP_WIRE_ACTS; i++) {
        snprintf(line, sizeof(line), "forbid = %s", lp_wire_act_names[i]);
        assert_true(parse(line));
        assert_int_equal(conf.forbid, 1u << i);
    }
}

static void
test_sizes(void **data)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        { "0", 0 }, { "4096", 4096 }, { "1K", 1024 }, { "3G", UINT64_C(3) << 30 },
        { "8191T", UINT64_C(8191) << 40 },
    };
    static const char *const bad[] = {
        "", "M", "-1", "1.5G", "1GB", "1 G", "18446744073709551615", "18446744073709551616",
        "9999999999T", "8193T", "1k", "0x10",
    };
    char line[64];

    (void)data;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(line, sizeof(line), "floor-memory = %s", good[i].text);
        assert_true(parse(line));
        assert_int_equal(conf.floor_bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(line, sizeof(line), "floor-memory = %s", bad[i]);
        assert_false(parse(line));
        assert_int_equal(conf.floor_bytes, 0);
    }
}

static void
test_bad_values(void **data)
{
    static const char *const bad[] = {
        "floor-cpus = 1025", "floor-cpus = two", "floor-cpus =", "floor-cpus = 1x",
        "pressure-limit = 0.99", "pressure-limit = 100.01", "pressure-limit = 5.123",
        "pressure-limit = 5.", "pressure-limit = .5", "pressure-limit = 5%%",
        "pressure-limit = 1.2.3", "pressure-limit = 99999999999999999999999",
        "movable-ratio = 10001", "movable-ratio = 3.5", "hook-timeout = 0", "hook-timeout = 601",
        "hook-timeout = 1.5", "hook-timeout = 18446744073709551617", "hooks = here", "hooks =",
        "socket = ", "socket = @abstract", "socket-group =", "socket-group = a b",
        "classes = none", "nothing = 1", "floor-cpus", "= 1",
        "=", "[section]", "FLOOR-CPUS = 1",
    };

    (void)data;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        LpConf before;

        lp_conf_init(&before);
        if (parse(bad[i]))
            fail_msg("taken: %s", bad[i]);
        assert_memory_equal(&before, &conf, sizeof(conf));
    }
}

static void
test_rest_is_used(void **data)
{
    char text[2000], path[LP_CONF_TEXT_MAX + 1];

    (void)data;
    assert_false(parse("nonsense\nfloor-cpus = 2\nfloor-cpus = many\n"));
    assert_int_equal(conf.floor_cpus, 2);
    /* What is known of a list is forbidden, though another word of it is not. */
    assert_false(parse("forbid = everything, cpu-release, cpu-releases\n"));
    assert_int_equal(conf.forbid, LP_WIRE_ACT_CPU_RELEASE);
    /* A line of any length, and a path one byte too long. */
    memset(text, 'x', sizeof(text));
    snprintf(text + 1800, sizeof(text) - 1800, "\nfloor-cpus = 4\n");
    assert_false(parse(text));
    assert_int_equal(conf.floor_cpus, 4);
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    path[LP_CONF_TEXT_MAX] = '\0';
    snprintf(text, sizeof(text), "hooks = %s\n", path);
    assert_false(parse(text));
    path[LP_CONF_TEXT_MAX - 1] = '\0';
    snprintf(text, sizeof(text), "hooks = %s\n", path);
    assert_true(parse(text));
    assert_string_equal(conf.hooks_dir, path);
}

static void
test_nul(void **data)
{
    static const char text[] = "floor-cpus = 2\0\nfloor-cpus = 3\nfloor-\0cpus = 4";

    (void)data;
    lp_conf_init(&conf);
    assert_false(lp_conf_parse(&conf, text, sizeof(text) - 1, "test"));
    assert_int_equal(conf.floor_cpus, 3);
}

static int
make_tree(void **data)
{
    (void)data;
    tree_make();
    return 0;
}

static int
drop_tree(void **data)
{
    (void)data;
    tree_drop();
    return 0;
}

static void
test_file(void **data)
{
    char *text = malloc(70001);

    (void)data;
    lp_conf_init(&conf);
    assert_false(lp_conf_read(&conf, tree_path("none")));
    tree_put("conf", "floor-cpus = 5\n");
    assert_true(lp_conf_read(&conf, tree_path("conf")));
    assert_int_equal(conf.floor_cpus, 5);
    assert_false(lp_conf_read(&conf, tree_path("")));      /* a directory */
    /* Too long: the lines within the bound are used, but for the one that is cut. */
    memset(text, '\n', 70000);
    text[70000] = '\0';
    memcpy(text + 100, "floor-cpus = 6\n", 15);
    memcpy(text + 65536 - 14, "floor-cpus = 77", 15);
    tree_put("conf", text);
    free(text);
    assert_false(lp_conf_read(&conf, tree_path("conf")));
    assert_int_equal(conf.floor_cpus, 6);
}

/* The sample says of each key what it is without a line: each line is fine without its "#". */
static void
test_sample(void **data)
{
    FILE *file = fopen(LP_SAMPLE, "r");
    unsigned n_keys = 0;
    LpConf defaults;
    char line[200];

    (void)data;
    assert_non_null(file);
    lp_conf_init(&defaults);
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_true(line[0] == '#' || line[0] == '\n');
        if (line[0] != '#' || line[1] < 'a' || line[1] > 'z')
            continue;
        n_keys++;
        if (strstr(line, "(no default)") != NULL)
            continue;
        if (!parse(line + 1))
            fail_msg("%s", line);
        /* Where files are is a matter of how it was built. */
        if (strchr(line, '/') == NULL)
            assert_memory_equal(&conf, &defaults, sizeof(conf));
    }
    fclose(file);
    assert_int_equal(n_keys, 11);
}

/* Whatever the text: within bounds, no read beyond its end (each is in a block of its own size). */
static void
test_junk(void **data)
{
    static const char *const words[] = {
        "forbid", "floor-memory", "floor-cpus", "pressure-limit", "movable-ratio", "hook-timeout",
        "hooks", "classes", "classes-helper", "socket", "=", " = ", "\n", "\n", ",", "#", "%", ".",
        "1", "99999999999", "K", "T", "/", "/x", "none", "cpu-release", "\t", "\r",
    };
    const size_t n_words = sizeof(words) / sizeof(words[0]);

    (void)data;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        char text[600];
        size_t length = 0;
        char *exact;

        for (int n = rand() % 40; n > 0; n--) {
            const char *word = words[(size_t)rand() % n_words];

            if (rand() % 8 == 0)
                text[length++] = (char)rand();
            else
                length += (size_t)snprintf(text + length, sizeof(text) - length, "%s", word);
        }
        exact = malloc(length > 0 ? length : 1);
        memcpy(exact, text, length);
        lp_conf_init(&conf);
        lp_conf_parse(&conf, exact, length, "junk");
        free(exact);
        assert_true(conf.forbid < 1u << LP_WIRE_ACTS);
        assert_true(conf.floor_bytes <= LP_WIRE_INTEGER_MAX);
        assert_in_range(conf.floor_cpus, 0, LP_MAX_CPUS);
        assert_in_range(conf.pressure_limit_centi, 100, 10000);
        assert_in_range(conf.movable_ratio_percent, 0, 10000);
        assert_in_range(conf.hook_timeout_msec, 1000, 600000);
        assert_int_equal(conf.hooks_dir[0], '/');
        assert_non_null(memchr(conf.socket, '\0', sizeof(conf.socket)));
    }
}

static void
assert_clean(const char *from, const char *want)
{
    char to[16];

    memset(to, 'x', sizeof(to));
    lp_text_clean(to, sizeof(to), from);
    assert_string_equal(to, want);
}

static void
test_text(void **data)
{
    (void)data;
    assert_clean("", "");
    assert_clean(" \t plain\ttext \n", "plain text");
    assert_clean("\033[1mred\177", "[1mred");
    assert_clean("\302\205\302\240a", "\302\240a");        /* U+0085 is a control, U+00A0 not */
    assert_clean("\303\244\342\202\254\360\237\230\200", "\303\244\342\202\254\360\237\230\200");
    assert_clean("\300\257 \355\240\200 \364\220\200\200", "?? ??? ????");  /* not UTF-8 */
    assert_clean("\200\377\303", "???");
    assert_clean("0123456789abcdefgh", "0123456789abcde");
    assert_clean("0123456789abcd\303\244", "0123456789abcd");               /* not cut in two */
}

/* What is warned of is lost rather than waited for: systemd's journal may hang in a guest that is
 * short of memory, just when the agent is needed. */
static void
test_log_does_not_wait(void **data)
{
    char bytes[4096] = "";
    int ends[2], was, fills;

    (void)data;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fflush(stderr);
    was = dup(STDERR_FILENO);
    dup2(ends[0], STDERR_FILENO);
    lp_log_init(true);                 /* however many warnings there were */
    lp_log_warn("this is %s", "read");
    for (fills = 0; send(ends[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0; fills++)
        continue;
    alarm(10);
    lp_log_warn("this is not");
    alarm(0);
    lp_log_init(false);
    dup2(was, STDERR_FILENO);
    close(was);
    assert_true(fills > 0);
    assert_true(read(ends[1], bytes, sizeof(bytes) - 1) > 0);
    assert_non_null(strstr(bytes, "lpar-agent: this is read\n"));
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_every_action), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_rest_is_used),
        cmocka_unit_test(test_nul),
        cmocka_unit_test_setup_teardown(test_file, make_tree, drop_tree),
        cmocka_unit_test(test_sample), cmocka_unit_test(test_junk), cmocka_unit_test(test_text),
        cmocka_unit_test(test_log_does_not_wait),
    };

    return cmocka_run_group_tests_name("agent-conf", tests, NULL, NULL);
}
