/* `lpar-sim replay` on histories of decisions made here: the same again is 0, anything else 1. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "lpard/sim/replay.h"
#include "policy/record.h"
#include "tests/unit/record_random.h"

#define PARTITIONS 5
#define TICKS 240
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static char *dir, *history, *out_path, *err_path;
static char *out, *err;                    /* of the last command */

/* A small host whose guests work: a sum of wants around what there is. */
typedef struct {
    LpPolicyHost host;
    LpPolicyPartition partitions[PARTITIONS];
    LpPolicyState states[PARTITIONS];
    LpDecision decisions[PARTITIONS];
    const char *names[PARTITIONS];
    size_t n;
    uint64_t load[PARTITIONS];
} World;

static const char *const world_names[PARTITIONS] = { "web1", "db:main", "batch", "idle", "late" };

static void
world_init(World *world)
{
    memset(world, 0, sizeof(*world));
    lp_policy_host_init(&world->host);
    world->host.mode = LP_MODE_AUTO;
    world->host.now_msec = 1000000;
    world->host.n_nodes = 1;
    world->host.nodes[0].capacity_bytes = 16 * GIB;
    world->host.capacity_centi = 800;
    world->n = PARTITIONS - 1;
    for (size_t i = 0; i < PARTITIONS; i++) {
        LpPolicyPartition *partition = &world->partitions[i];

        partition->key = 100 + i;
        partition->mode = LP_MODE_AUTO;
        partition->goal = LP_GOAL_BALANCED;
        partition->priority = LP_PRIORITY_DEFAULT;
        partition->weight = 128;
        partition->cpu_min = 1;
        partition->cpu_max = 4;
        partition->mem_min_bytes = GIB;
        partition->mem_max_bytes = 8 * GIB;
        partition->pool = LP_NO_POOL;
        partition->block_bytes = 2 * MIB;
        partition->n_cells = 1;
        partition->granted_bytes = 3 * GIB;
        partition->granted_cpus = 2;
        partition->granted_centi = 200;
        world->names[i] = world_names[i];
        world->load[i] = GIB;
    }
}

/* What came of the decisions, and what the guests do then. */
static void
world_later(World *world)
{
    uint64_t granted = 0;

    world->host.now_msec += 1000;
    for (size_t i = 0; i < world->n; i++) {
        LpPolicyPartition *partition = &world->partitions[i];
        LpSignals *seen = &partition->seen;

        if (world->decisions[i].mem_bytes > 0)
            partition->granted_bytes = world->decisions[i].mem_bytes;
        if (record_random_below(20) == 0)
            world->load[i] = 256 * MIB + record_random_below(6 * 1024) * MIB;
        granted += partition->granted_bytes;
        seen->mem_by = LP_SEEN_AGENT;
        seen->has_cpu = seen->has_psi = true;
        seen->mem_age_msec = record_random_below(3) == 0 ? 20 : seen->mem_age_msec + 1000;
        seen->cpu_age_msec = 0;
        seen->total_bytes = partition->granted_bytes;
        seen->working_set_bytes = MIN(world->load[i], partition->granted_bytes);
        seen->available_bytes = partition->granted_bytes - seen->working_set_bytes;
        seen->psi_some_centi = world->load[i] > partition->granted_bytes ? 3000 : 0;
        seen->cpu_used_centi = record_random_below(200);
    }
    world->host.nodes[0].free_bytes = 16 * GIB - MIN(granted, 16 * GIB);
}

typedef struct {
    int alter_tick;                        /* a decision is recorded that was not made; -1: none */
    int snapshot_every;
    bool restart;                          /* lpard forgets its states half way */
} Story;

/* Appends records to files of 100 ticks each. */
static void
write_history(const Story *story)
{
    World world;
    LpPolicy *policy = lp_policy_new();
    LpRecorder *recorder = lp_recorder_new();
    GString *file = g_string_new(NULL);

    world_init(&world);
    for (int tick = 0; tick < TICKS; tick++) {
        g_autofree char *path = g_strdup_printf("%s/%08d.lph", history, tick / 100 + 1);
        bool first = tick % 100 == 0;
        const uint8_t *bytes;
        size_t length;

        world_later(&world);
        if (tick == 150)
            world.n = PARTITIONS;
        if (story->restart && tick == 100)
            memset(world.states, 0, sizeof(world.states));
        if (first)
            g_string_truncate(file, 0);
        assert_true(lp_recorder_begin(recorder,
                                      first || (story->snapshot_every > 0 &&
                                                tick % story->snapshot_every == 0),
                                      &world.host, world.partitions, world.states,
                                      world.names, world.n));
        assert_true(lp_policy_decide(policy, &world.host, world.partitions, world.states, world.n,
                                     world.decisions));
        if (tick == story->alter_tick)
            world.decisions[1].demand.want_bytes++;
        bytes = lp_recorder_end(recorder, world.decisions, &length);
        assert_non_null(bytes);
        g_string_append_len(file, (const char *) bytes, (gssize) length);
        if (tick % 100 == 99 || tick == TICKS - 1)
            assert_true(g_file_set_contents(path, file->str, (gssize) file->len, NULL));
    }
    g_string_free(file, TRUE);
    lp_recorder_free(recorder);
    lp_policy_free(policy);
}

static int
redirect(int fd, const char *path)
{
    int saved = dup(fd), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(saved >= 0 && file >= 0);
    dup2(file, fd);
    close(file);
    return saved;
}

/* Runs the command as its user would; its words end up in out and err. */
static int
run(const char *first, ...)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    va_list list;
    int status, saved_out, saved_err;
    char name[] = "replay";

    g_ptr_array_add(argv, name);
    va_start(list, first);
    for (const char *word = first; word != NULL; word = va_arg(list, const char *))
        g_ptr_array_add(argv, g_strdup(word));
    va_end(list);
    g_ptr_array_add(argv, NULL);
    fflush(NULL);
    saved_out = redirect(STDOUT_FILENO, out_path);
    saved_err = redirect(STDERR_FILENO, err_path);
    {
        g_autofree gpointer *copy = g_memdup2(argv->pdata, argv->len * sizeof(gpointer));

        status = lp_sim_replay((int) argv->len - 1, (char **) copy);
    }
    fflush(NULL);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    g_clear_pointer(&out, g_free);
    g_clear_pointer(&err, g_free);
    assert_true(g_file_get_contents(out_path, &out, NULL, NULL));
    assert_true(g_file_get_contents(err_path, &err, NULL, NULL));
    for (guint i = 1; i < argv->len; i++)
        g_free(argv->pdata[i]);
    return status;
}

static void
assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        print_error("\"%s\" is not in:\n%s", part, text);
    assert_non_null(strstr(text, part));
}

static void
test_same(void **state)
{
    const Story story = { .alter_tick = -1, .snapshot_every = 7 };

    (void) state;
    write_history(&story);
    assert_int_equal(run("--from-history", history, NULL), 0);
    assert_says(out, "240 ticks of at most 5 partitions in 3 files; 1050 decisions compared, "
                     "0 differ");
    /* That some of it moved, or nothing was tried. */
    assert_int_equal(run("-f", history, "--what-if", "weight=128", NULL), 0);
    assert_says(out, "0 differ");
    assert_null(strstr(out, "recorded          0 grows        0 shrinks"));
    /* Snapshots within follow on. */
    assert_null(strstr(out, "do not follow"));
    /* One file alone. */
    {
        g_autofree char *file = g_build_filename(history, "00000002.lph", NULL);

        assert_int_equal(run("-f", file, NULL), 0);
        assert_says(out, "100 ticks of at most 5 partitions in 1 files");
    }
}

static void
test_differs(void **state)
{
    const Story story = { .alter_tick = 123 };

    (void) state;
    write_history(&story);
    assert_int_equal(run("--from-history", history, NULL), 1);
    assert_says(out, "first difference: tick 123 (123.000 s), partition db:main");
    assert_says(out, "demand.want_bytes");
    assert_says(out, " 1 differ");
}

static void
test_restart(void **state)
{
    const Story story = { .alter_tick = -1, .restart = true };

    (void) state;
    write_history(&story);
    assert_int_equal(run("--from-history", history, NULL), 0);
    assert_says(out, "0 differ");
    assert_says(out, "1 of 4 snapshots do not follow");
}

static void
test_explain(void **state)
{
    const Story story = { .alter_tick = -1 };
    char *line;

    (void) state;
    write_history(&story);
    assert_int_equal(run("-f", history, "--explain", "web1", NULL), 0);
    line = strstr(out, " s\n");
    assert_non_null(line);
    assert_true(strlen(line) > 20);
    /* Who came later is known by name too. */
    assert_int_equal(run("-f", history, "--explain", "late", NULL), 0);
    assert_says(out, "150.000 s\n");
    assert_int_equal(run("-f", history, "--explain", "nobody", NULL), 1);
    assert_says(err, "no partition nobody");
}

static void
test_what_if(void **state)
{
    static const char *const wrong[] = { "goal", "goal=fast", "mode=host", "mood=auto", "=", ":=",
                                         "web1:idle-tax=5", "idle-tax=100", "priority=8",
                                         "release=-1", "min-mem=5GB", "weight=1e3", "leftovers=" };
    const Story story = { .alter_tick = -1, .snapshot_every = 7 };

    (void) state;
    write_history(&story);
    assert_int_equal(run("-f", history, "--what-if", "mode=off", NULL), 0);
    assert_says(out, "what if           0 grows        0 shrinks        0 waits");
    assert_int_equal(run("-f", history, "-w", "db:main:max-mem=2G", "-w", "leftovers=keep", "-w",
                         "reserve=1G", "-w", "moving=1", "-w", "idle-tax=10", NULL), 0);
    assert_null(strstr(out, " 0 differ"));
    assert_null(strstr(out, "first difference"));
    assert_int_equal(run("-f", history, "-w", "nobody:goal=density", NULL), 1);
    assert_says(err, "names no partition");
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        assert_int_equal(run("-f", history, "-w", wrong[i], NULL), 2);
        assert_says(err, "--what-if");
        assert_string_equal(out, "");
    }
}

static void
test_damaged(void **state)
{
    const Story story = { .alter_tick = -1 };
    g_autofree char *path = g_build_filename(history, "00000002.lph", NULL);
    g_autofree char *bytes = NULL;
    gsize length;

    (void) state;
    write_history(&story);
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    /* Cut: what is there is good, and so is the next file. */
    assert_true(g_file_set_contents(path, bytes, (gssize) length - 5, NULL));
    assert_int_equal(run("-f", history, NULL), 0);
    assert_says(out, "239 ticks");
    assert_says(err, "ends in the middle of a record");
    bytes[length / 2] ^= 4;
    assert_true(g_file_set_contents(path, bytes, (gssize) length, NULL));
    assert_int_equal(run("-f", history, NULL), 1);
    assert_says(err, "00000002.lph is damaged");
    /* What is before the damage, and the next file. */
    assert_says(out, " in 3 files");
    assert_null(strstr(out, "140 ticks"));
    assert_says(out, "0 differ");
    bytes[length / 2] ^= 4;
    /* Not a history at all: nothing of it is replayed. */
    bytes[0]++;
    assert_true(g_file_set_contents(path, bytes, (gssize) length, NULL));
    assert_int_equal(run("-f", history, NULL), 1);
    assert_says(out, "140 ticks");
    assert_true(g_file_set_contents(path, "", 0, NULL));
    assert_int_equal(run("-f", path, NULL), 0);
    assert_says(out, "0 ticks");
}

static void
test_usage(void **state)
{
    g_autofree char *empty = g_build_filename(dir, "empty", NULL);

    (void) state;
    assert_int_equal(run(NULL, NULL), 2);
    assert_says(err, "--from-history");
    assert_int_equal(run("-f", history, "more", NULL), 2);
    assert_int_equal(run("--no-such", NULL), 2);
    assert_int_equal(run("--help", NULL), 0);
    assert_says(out, "--what-if");
    assert_int_equal(run("-f", "/nonexistent", NULL), 1);
    assert_int_equal(g_mkdir(empty, 0700), 0);
    assert_int_equal(run("-f", empty, NULL), 1);
    assert_says(err, "has no history");
    g_rmdir(empty);
}

static int
set_up(void **state)
{
    (void) state;
    dir = g_dir_make_tmp("lpar-replay-XXXXXX", NULL);
    history = g_build_filename(dir, "policy-history", NULL);
    out_path = g_build_filename(dir, "out", NULL);
    err_path = g_build_filename(dir, "err", NULL);
    return g_mkdir(history, 0700);
}

static int
tear_down(void **state)
{
    (void) state;
    for (int i = 1; i <= 3; i++) {
        g_autofree char *path = g_strdup_printf("%s/%08d.lph", history, i);

        g_unlink(path);
    }
    g_rmdir(history);
    g_unlink(out_path);
    g_unlink(err_path);
    g_rmdir(dir);
    g_free(dir);
    g_free(history);
    g_free(out_path);
    g_free(err_path);
    g_free(out);
    g_free(err);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),    cmocka_unit_test(test_differs),
        cmocka_unit_test(test_restart), cmocka_unit_test(test_explain),
        cmocka_unit_test(test_what_if), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_usage),
    };

    record_random_seed(4);
    return cmocka_run_group_tests_name("replay", tests, set_up, tear_down);
}
