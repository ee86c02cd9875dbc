/* The history's files: whole records, a ring within its size, errors that stop nothing.  And the
 * count of processor time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "lpard/autoscale/cpu-use.h"
#include "lpard/autoscale/history.h"

#define LIMIT 65536
#define SEC G_USEC_PER_SEC

static char *dir;

/* The disk's answer: it comes while `hangs` is false. */
static GMutex disk;
static GCond disk_cond;
static bool hangs, asked;

int fdatasync(int fd);

int
fdatasync(int fd)
{
    (void) fd;
    g_mutex_lock(&disk);
    asked = true;
    g_cond_broadcast(&disk_cond);
    while (hangs)
        g_cond_wait(&disk_cond, &disk);
    g_mutex_unlock(&disk);
    return 0;
}

static int
make_dir(void **state)
{
    (void) state;
    dir = g_dir_make_tmp("lpard-history-XXXXXX", NULL);
    return dir ? 0 : -1;
}

static gint
by_name(gconstpointer a, gconstpointer b)
{
    const char *const *left = a, *const *right = b;

    return strcmp(*left, *right);
}

/* Names in order, and their bytes in all. */
static GPtrArray *
files(const char *path, uint64_t *ret_bytes)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) open = g_dir_open(path, 0, NULL);
    const char *name;

    *ret_bytes = 0;
    while (open && (name = g_dir_read_name(open))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        struct stat info;

        assert_int_equal(stat(file, &info), 0);
        *ret_bytes += (uint64_t) info.st_size;
        g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, by_name);
    return names;
}

static int
remove_dir(void **state)
{
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    const char *name;

    (void) state;
    while (open && (name = g_dir_read_name(open))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        g_remove(path);
    }
    g_rmdir(dir);
    g_clear_pointer(&dir, g_free);
    return 0;
}

static void
write_text(LpHistory *history, const char *text, int64_t now)
{
    lp_history_write(history, text, strlen(text), lp_history_wants_snapshot(history, now), now);
}

static void
test_files(void **state)
{
    LpHistory *history = lp_history_new(dir, LIMIT);
    g_autoptr(GPtrArray) names = NULL;
    g_autofree char *path = NULL, *text = NULL;
    uint64_t bytes;

    (void) state;
    assert_true(lp_history_wants_snapshot(history, SEC));
    write_text(history, "one", SEC);
    assert_false(lp_history_wants_snapshot(history, 2 * SEC));
    write_text(history, "two", 2 * SEC);
    assert_false(lp_history_wants_snapshot(history, LP_HISTORY_FILE_SEC * SEC));
    assert_true(lp_history_wants_snapshot(history, (LP_HISTORY_FILE_SEC + 1) * SEC));
    write_text(history, "three", (LP_HISTORY_FILE_SEC + 1) * SEC);
    /* A clock that went back begins a file too. */
    assert_true(lp_history_wants_snapshot(history, SEC));
    lp_history_free(history);
    names = files(dir, &bytes);
    assert_int_equal(names->len, 2);
    assert_int_equal(bytes, 11);
    path = g_build_filename(dir, "00000001.lph", NULL);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, "onetwo");

    /* The next lpard goes on counting, and leaves what was. */
    history = lp_history_new(dir, LIMIT);
    write_text(history, "four", SEC);
    lp_history_free(history);
    g_ptr_array_unref(names);
    names = files(dir, &bytes);
    assert_int_equal(names->len, 3);
    assert_string_equal(names->pdata[2], "00000003.lph");
}

/* Records that wait for a disk that hangs take no more memory than a bound, however large each. */
static void
test_disk_that_hangs(void **state)
{
    enum { N = 100, LENGTH = 1 << 20 };
    LpHistory *history = lp_history_new(dir, G_MAXUINT64);
    g_autofree char *record = g_malloc0(LENGTH);
    uint64_t bytes, dropped;
    char error[200];

    (void) state;
    hangs = true;
    lp_history_write(history, record, LENGTH, true, SEC);
    lp_history_write(history, record, LENGTH, true, SEC);
    g_mutex_lock(&disk);
    while (!asked)
        g_cond_wait(&disk_cond, &disk);
    g_mutex_unlock(&disk);
    for (int i = 0; i < N; i++)
        lp_history_write(history, record, LENGTH, lp_history_wants_snapshot(history, SEC), SEC);
    lp_history_figures(history, &bytes, &dropped, error, sizeof error);
    g_mutex_lock(&disk);
    hangs = false;
    g_cond_broadcast(&disk_cond);
    g_mutex_unlock(&disk);
    assert_in_range(dropped, N - LP_HISTORY_WAITING_BYTES / LENGTH,
                    N - LP_HISTORY_WAITING_BYTES / LENGTH + 1);
    /* It goes on with a snapshot. */
    assert_true(lp_history_wants_snapshot(history, SEC));
    lp_history_free(history);
}

/* On a full disk files are made, and stay empty. */
static void
test_empty_files(void **state)
{
    LpHistory *history = lp_history_new(dir, LIMIT);
    g_autoptr(GPtrArray) names = NULL;
    uint64_t bytes;

    (void) state;
    for (int i = 1; i <= LP_HISTORY_FILES_MOST + 3; i++) {
        g_autofree char *path = g_strdup_printf("%s/%08d.lph", dir, i);

        assert_true(g_file_set_contents_full(path, "", 0, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    }
    write_text(history, "one", SEC);
    lp_history_free(history);
    names = files(dir, &bytes);
    assert_int_equal(names->len, LP_HISTORY_FILES_MOST);
    assert_string_equal(names->pdata[0], "00000005.lph");
}

static void
test_ring(void **state)
{
    LpHistory *history = lp_history_new(dir, LIMIT);
    g_autofree char *record = g_malloc(LIMIT / 16);
    g_autofree char *foreign = g_build_filename(dir, "notes.txt", NULL);
    g_autoptr(GPtrArray) names = NULL;
    uint64_t bytes, shown, dropped;
    char error[200];

    (void) state;
    memset(record, 'x', LIMIT / 16);
    assert_true(g_file_set_contents(foreign, "mine", -1, NULL));
    for (int i = 0; i < 100; i++) {
        bool snapshot = lp_history_wants_snapshot(history, SEC + i);

        /* A file takes a quarter, so each fifth record or so begins one. */
        lp_history_write(history, record, LIMIT / 16, snapshot, SEC + i);
    }
    lp_history_figures(history, &shown, &dropped, error, sizeof error);
    assert_int_equal(dropped, 0);
    assert_string_equal(error, "");
    lp_history_free(history);
    names = files(dir, &bytes);
    assert_in_range(bytes, LIMIT / 2, LIMIT + 4);
    assert_in_range(names->len, LP_HISTORY_FILES_LEAST - 1, LP_HISTORY_FILES_LEAST + 2);
    /* Others' files are theirs. */
    assert_true(g_file_test(foreign, G_FILE_TEST_EXISTS));
    assert_string_not_equal(names->pdata[0], "00000001.lph");
}

static GLogWriterOutput
no_log(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void) level;
    (void) fields;
    (void) n;
    (void) data;
    return G_LOG_WRITER_HANDLED;
}

static void
test_no_directory(void **state)
{
    g_autofree char *file = g_build_filename(dir, "file", NULL);
    g_autofree char *below = g_build_filename(file, "history", NULL);
    LpHistory *history;
    uint64_t bytes, dropped = 0;
    char error[200] = "";

    (void) state;
    assert_true(g_file_set_contents(file, "", 0, NULL));
    history = lp_history_new(below, LIMIT);
    write_text(history, "one", SEC);
    while (!*error)
        lp_history_figures(history, &bytes, &dropped, error, sizeof error);
    write_text(history, "two", 2 * SEC);
    lp_history_figures(history, &bytes, &dropped, error, sizeof error);
    assert_non_null(strstr(error, "Not a directory"));
    assert_true(dropped >= 1);
    /* Where it can be written again, the next file is. */
    g_remove(file);
    write_text(history, "three", (LP_HISTORY_FILE_SEC + 1) * SEC);
    lp_history_free(history);
    {
        g_autoptr(GPtrArray) names = files(below, &bytes);

        g_autofree char *path = g_build_filename(below, names->pdata[0], NULL);

        assert_int_equal(names->len, 1);
        assert_int_equal(bytes, 5);
        g_remove(path);
    }
    g_rmdir(below);
    g_rmdir(file);
}

static void
test_parse(void **state)
{
    static const char good[] =
        "4711 (qemu (x) ) y) S 1 4711 4711 0 -1 138412416 5 0 0 0 1234 66 0 0 20 0 5 0 99 1 2\n";
    static const char *const bad[] = {"", "1 (a", "1 (a) S", "1 (a) S 1 1 1 0 -1 0 0 0 0 0 x 1",
                                      "1 a S 1 4711 4711 0 -1 1 5 0 0 0 1234 66"};
    uint64_t ticks = 0;

    (void) state;
    assert_true(lp_cpu_use_parse(good, &ticks));
    assert_int_equal(ticks, 1300);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_false(lp_cpu_use_parse(bad[i], &ticks));
}

static void
test_meter(void **state)
{
    LpCpuMeter meter = {0};

    (void) state;
    lp_cpu_meter_take(&meter, 7, 5 * SEC, SEC);
    assert_false(meter.known);
    lp_cpu_meter_take(&meter, 7, 8 * SEC, 3 * SEC);
    assert_true(meter.known);
    assert_int_equal(meter.used_centi, 150);
    /* Another process, or a clock that stands, says nothing of what is used. */
    lp_cpu_meter_take(&meter, 8, SEC, 4 * SEC);
    assert_false(meter.known);
    lp_cpu_meter_take(&meter, 8, 2 * SEC, 4 * SEC);
    assert_false(meter.known);
    lp_cpu_meter_take(&meter, 8, SEC, 6 * SEC);
    assert_false(meter.known);
    lp_cpu_meter_take(&meter, 8, SEC, 7 * SEC);
    assert_true(meter.known);
    assert_int_equal(meter.used_centi, 0);
}

typedef struct {
    size_t n;
    LpCpuReading readings[2];
} Read;

static void
on_read(const LpCpuReading *readings, size_t n, void *data)
{
    Read *read = data;

    read->n = n;
    memcpy(read->readings, readings, n * sizeof *readings);
}

static void
test_read(void **state)
{
    Read read = {0};
    LpCpuUse *use = lp_cpu_use_new(on_read, &read);
    GArray *readings = g_array_new(FALSE, TRUE, sizeof(LpCpuReading));
    LpCpuReading self = {.key = 1, .pid = getpid()}, none = {.key = 2, .pid = G_MAXINT32};

    (void) state;
    g_array_append_val(readings, self);
    g_array_append_val(readings, none);
    assert_true(lp_cpu_use_read(use, readings));
    assert_false(lp_cpu_use_read(use, g_array_ref(readings)));
    while (read.n == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(read.n, 2);
    assert_true(read.readings[0].ok && read.readings[0].at_usec > 0);
    assert_false(read.readings[1].ok);
    /* Freed while it reads. */
    readings = g_array_new(FALSE, TRUE, sizeof(LpCpuReading));
    g_array_append_val(readings, self);
    read.n = 0;
    assert_true(lp_cpu_use_read(use, readings));
    lp_cpu_use_free(use);
    for (int i = 0; i < 50; i++) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    assert_int_equal(read.n, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_ring, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_empty_files, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_disk_that_hangs, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_no_directory, make_dir, remove_dir),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_meter),
        cmocka_unit_test(test_read),
    };

    g_log_set_writer_func(no_log, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
