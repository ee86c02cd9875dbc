/* The journal on a disk that can be made slow, full or broken, and under kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/journal/journal.h"

#define TABLES 4

/* --- a disk with faults: SQLite's own file layer with two of its functions replaced --- */

static sqlite3_vfs *true_vfs;
static sqlite3_vfs faulty_vfs;
static struct {
    const sqlite3_io_methods *original;
    sqlite3_io_methods patched;
} tables[TABLES];
static GMutex disk_lock;
static GCond disk_changed;
static int write_fault, sync_fault, sync_faults_left;
static int syncs, syncs_waiting;
static bool sync_held;

static int
faulty_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    int fault;

    g_mutex_lock(&disk_lock);
    fault = write_fault;
    g_mutex_unlock(&disk_lock);
    return fault != 0 ? fault : tables[0].original->xWrite(file, bytes, n, offset);
}

static int
faulty_sync(sqlite3_file *file, int flags)
{
    int fault = 0;

    g_mutex_lock(&disk_lock);
    syncs++;
    syncs_waiting++;
    g_cond_broadcast(&disk_changed);
    while (sync_held) {
        g_cond_wait(&disk_changed, &disk_lock);
    }
    syncs_waiting--;
    if (sync_faults_left > 0) {
        sync_faults_left--;
        fault = sync_fault;
    }
    g_mutex_unlock(&disk_lock);
    return fault != 0 ? fault : tables[0].original->xSync(file, flags);
}

static int
faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
            int *ret_flags)
{
    int code = true_vfs->xOpen(true_vfs, name, file, flags, ret_flags);
    int i;

    (void)vfs;
    if (file->pMethods == NULL) {
        return code;
    }
    g_mutex_lock(&disk_lock);
    for (i = 0; i < TABLES && tables[i].original != NULL; i++) {
        if (tables[i].original == file->pMethods) {
            break;
        }
    }
    g_assert(i < TABLES);
    if (tables[i].original == NULL) {
        tables[i].original = file->pMethods;
        tables[i].patched = *file->pMethods;
        tables[i].patched.xWrite = faulty_write;
        tables[i].patched.xSync = faulty_sync;
    }
    g_assert(tables[i].original->xWrite == tables[0].original->xWrite);
    g_assert(tables[i].original->xSync == tables[0].original->xSync);
    file->pMethods = &tables[i].patched;
    g_mutex_unlock(&disk_lock);
    return code;
}

static void
set_faults(int write_code, int sync_code, int n_syncs)
{
    g_mutex_lock(&disk_lock);
    write_fault = write_code;
    sync_fault = sync_code;
    sync_faults_left = n_syncs;
    g_mutex_unlock(&disk_lock);
}

static void
hold_syncs(bool held)
{
    g_mutex_lock(&disk_lock);
    sync_held = held;
    g_cond_broadcast(&disk_changed);
    g_mutex_unlock(&disk_lock);
}

static void
wait_for_held_sync(void)
{
    g_mutex_lock(&disk_lock);
    while (syncs_waiting == 0) {
        g_cond_wait(&disk_changed, &disk_lock);
    }
    g_mutex_unlock(&disk_lock);
}

/* --- the rest of the bench --- */

static char *dir, *db;
static GArray *acked;                 /* of int64_t: the data of each callback, in order */
static unsigned failures;
static GError *last_error;

static void
on_durable(const GError *error, void *data)
{
    int64_t id = GPOINTER_TO_INT(data);

    if (error != NULL) {
        failures++;
        g_clear_error(&last_error);
        last_error = g_error_copy(error);
        assert_true(error->domain == LP_ERROR && error->code == LP_ERROR_JOURNAL);
    }
    g_array_append_val(acked, id);
}

static void
wait_acks(unsigned n)
{
    while (acked->len < n) {
        g_main_context_iteration(NULL, TRUE);
    }
    assert_int_equal(acked->len, n);
}

static LpJournal *
must_open(void)
{
    GError *error = NULL;
    LpJournal *journal = lp_journal_open(dir, 30, &error);

    if (journal == NULL) {
        fail_msg("%s", error->message);
    }
    return journal;
}

static void
must_refuse(LpErrorCode code, const char *says)
{
    g_autoptr(GError) error = NULL;
    LpJournal *journal = lp_journal_open(dir, 30, &error);

    assert_null(journal);
    assert_true(error->domain == LP_ERROR && error->code == (int)code);
    if (strstr(error->message, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error->message, says);
    }
}

static void
put(LpJournal *journal, int64_t id, bool open)
{
    json_t *body = json_pack("{s:I, s:s}", "id", (json_int_t)id, "state",
                             open ? "running" : "done");
    g_autofree char *key = g_strdup_printf("key-%d", (int)id);

    lp_journal_put_operation(journal, id, id % 2 ? "odd" : "even", key, open, body, on_durable,
                             GINT_TO_POINTER((int)id));
}

static void
by_hand(const char *command)
{
    sqlite3 *sql = NULL;
    char *message = NULL;

    assert_int_equal(sqlite3_open(db, &sql), SQLITE_OK);
    if (sqlite3_exec(sql, command, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", command, message);
    }
    sqlite3_close(sql);
}

static GBytes *
contents(const char *path)
{
    char *bytes;
    gsize length;

    if (!g_file_get_contents(path, &bytes, &length, NULL)) {
        return NULL;
    }
    return g_bytes_new_take(bytes, length);
}

static bool
has_operation(LpJournal *journal, int64_t id)
{
    g_autoptr(GError) error = NULL;
    json_t *body = lp_journal_operation(journal, id, &error);
    bool has = body != NULL;

    assert_null(error);
    if (has) {
        assert_int_equal(json_integer_value(json_object_get(body, "id")), id);
    }
    json_decref(body);
    return has;
}

static int
setup(void **state)
{
    (void)state;
    dir = g_dir_make_tmp("lpard-journal-XXXXXX", NULL);
    db = g_build_filename(dir, "journal.db", NULL);
    acked = g_array_new(FALSE, FALSE, sizeof(int64_t));
    failures = 0;
    set_faults(0, 0, 0);
    hold_syncs(false);
    return 0;
}

static int
teardown(void **state)
{
    GDir *list = g_dir_open(dir, 0, NULL);
    const char *name;

    (void)state;
    while ((name = g_dir_read_name(list)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        g_unlink(path);
    }
    g_dir_close(list);
    g_rmdir(dir);
    g_clear_pointer(&dir, g_free);
    g_clear_pointer(&db, g_free);
    g_array_unref(acked);
    g_clear_error(&last_error);
    return 0;
}

/* --- tests --- */

static void
test_round_trip(void **state)
{
    LpJournal *journal = must_open();
    json_t *list, *row, *body;

    (void)state;
    for (int id = 1; id <= 6; id++) {
        put(journal, id, true);
    }
    wait_acks(6);
    for (int id = 1; id <= 4; id++) {
        put(journal, id, false);
    }
    wait_acks(10);
    assert_int_equal(failures, 0);
    lp_journal_close(journal);

    journal = must_open();
    list = lp_journal_open_operations(journal, NULL);
    assert_int_equal(json_array_size(list), 2);
    row = json_array_get(list, 0);
    assert_int_equal(json_integer_value(json_object_get(row, "id")), 5);
    assert_string_equal(json_string_value(json_object_get(row, "uuid")), "odd");
    assert_string_equal(json_string_value(json_object_get(row, "key")), "key-5");
    assert_true(json_is_true(json_object_get(row, "open")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(row, "body"), "state")),
                        "running");
    json_decref(list);

    list = lp_journal_history(journal, NULL, 0, 3, NULL);
    assert_int_equal(json_array_size(list), 3);
    for (int i = 0; i < 3; i++) {
        row = json_array_get(list, i);
        assert_int_equal(json_integer_value(json_object_get(row, "id")), 4 - i);
        assert_true(json_is_false(json_object_get(row, "open")));
    }
    json_decref(list);
    list = lp_journal_history(journal, "even", 4, 100, NULL);
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 2);
    json_decref(list);

    body = lp_journal_by_key(journal, "key-3", NULL);
    assert_int_equal(json_integer_value(json_object_get(body, "id")), 3);
    json_decref(body);
    assert_null(lp_journal_by_key(journal, "key-33", NULL));
    assert_false(has_operation(journal, 7));
    lp_journal_close(journal);
}

static void
test_modes(void **state)
{
    LpJournal *journal;
    struct stat st;
    g_autofree char *log = g_strconcat(db, "-wal", NULL);
    g_autofree char *lock = g_build_filename(dir, "lpard.lock", NULL);

    (void)state;
    g_rmdir(dir);
    journal = must_open();
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(db, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(log, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(lock, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    lp_journal_close(journal);
    g_chmod(db, 0644);
    lp_journal_close(must_open());
    assert_int_equal(stat(db, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* While the disk holds one commit back, the loop turns, readers read, and what is asked
 * meanwhile waits to be committed together. */
static void
test_slow_disk(void **state)
{
    LpJournal *journal = must_open();
    int before;

    (void)state;
    put(journal, 1, false);
    wait_acks(1);

    hold_syncs(true);
    put(journal, 2, false);
    wait_for_held_sync();
    for (int id = 3; id <= 300; id++) {
        put(journal, id, false);
    }
    for (int i = 0; i < 100; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    assert_int_equal(acked->len, 1);
    assert_true(has_operation(journal, 1));
    assert_false(has_operation(journal, 2));
    before = syncs;
    hold_syncs(false);
    wait_acks(300);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(g_array_index(acked, int64_t, i), i + 1);
    }
    assert_int_equal(failures, 0);
    assert_true(syncs - before <= 4);
    assert_true(has_operation(journal, 300));
    lp_journal_close(journal);
}

static void
test_ids(void **state)
{
    LpJournal *journal = must_open();
    int64_t id = 0, last;
    int status;
    pid_t child;

    (void)state;
    for (int i = 1; i <= 250; i++) {
        assert_int_equal(lp_journal_next_id(journal), i);
    }
    lp_journal_close(journal);
    journal = must_open();
    assert_int_equal(lp_journal_next_id(journal), 251);
    put(journal, 900, false);
    lp_journal_close(journal);
    journal = must_open();
    assert_int_equal(lp_journal_next_id(journal), 901);
    lp_journal_close(journal);

    /* Ids that were given out and never written do not come back after a crash. */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        journal = lp_journal_open(dir, 30, NULL);
        for (int i = 0; i < 40; i++) {
            id = lp_journal_next_id(journal);
        }
        kill(getpid(), id == 941 ? SIGKILL : SIGABRT);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    journal = must_open();
    last = lp_journal_next_id(journal);
    assert_true(last > 941 && last < 1200);
    lp_journal_close(journal);
}

static void
test_second_opener(void **state)
{
    LpJournal *journal = must_open();
    g_autofree char *pid = g_strdup_printf("(pid %d)", (int)getpid());

    (void)state;
    must_refuse(LP_ERROR_CONFLICT, pid);
    must_refuse(LP_ERROR_CONFLICT, dir);
    put(journal, 1, true);
    wait_acks(1);
    lp_journal_close(journal);
    lp_journal_close(must_open());
}

static void
test_newer_schema(void **state)
{
    g_autofree char *log = g_strconcat(db, "-wal", NULL);
    g_autofree char *newer = g_strdup_printf("PRAGMA user_version = %d", LP_JOURNAL_VERSION + 1);
    g_autofree char *ours = g_strdup_printf("PRAGMA user_version = %d", LP_JOURNAL_VERSION);
    g_autofree char *says = g_strdup_printf("schema version %d", LP_JOURNAL_VERSION + 1);
    g_autoptr(GBytes) before = NULL, after = NULL, log_before = NULL, log_after = NULL;
    sqlite3 *sql;

    (void)state;
    lp_journal_close(must_open());
    by_hand(newer);
    before = contents(db);
    must_refuse(LP_ERROR_JOURNAL, says);
    must_refuse(LP_ERROR_JOURNAL, db);
    after = contents(db);
    assert_true(g_bytes_equal(before, after));
    assert_false(g_file_test(log, G_FILE_TEST_EXISTS));
    g_clear_pointer(&before, g_bytes_unref);
    g_clear_pointer(&after, g_bytes_unref);

    /* The version is only in the log, as after a crash of the newer one. */
    by_hand(ours);
    assert_int_equal(sqlite3_open(db, &sql), SQLITE_OK);
    sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(sql, newer, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sql);
    before = contents(db);
    log_before = contents(log);
    assert_true(g_bytes_get_size(log_before) > 0);
    must_refuse(LP_ERROR_JOURNAL, says);
    after = contents(db);
    log_after = contents(log);
    assert_true(g_bytes_equal(before, after));
    assert_true(g_bytes_equal(log_before, log_after));
}

static void
test_older_schema(void **state)
{
    g_autofree char *copy = g_strconcat(db, ".v0", NULL);
    g_autofree char *second = g_strconcat(db, ".v0.1", NULL);
    LpJournal *journal;
    struct stat st;
    sqlite3 *sql;

    (void)state;
    for (int round = 0; round < 2; round++) {
        by_hand("PRAGMA application_id = 0x4c504152; CREATE TABLE relic (x);"
                "INSERT INTO relic VALUES (42)");
        journal = must_open();
        put(journal, 1, true);
        wait_acks(round + 1);
        lp_journal_close(journal);
        by_hand("INSERT INTO relic VALUES (43)");
        g_unlink(db);
    }
    assert_int_equal(failures, 0);
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(second, &st), 0);
    assert_int_equal(sqlite3_open(copy, &sql), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sql, "SELECT x FROM relic", NULL, NULL, NULL), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(sql, "SELECT * FROM operation", NULL, NULL, NULL),
                         SQLITE_OK);
    sqlite3_close(sql);
}

/* As version 1 left it, with its log not yet in the file. */
static void
test_first_schema(void **state)
{
    g_autofree char *copy = g_strconcat(db, ".v1", NULL);
    LpJournal *journal = must_open();
    json_t *list;

    (void)state;
    put(journal, 1, true);
    put(journal, 2, false);
    lp_journal_put_profile(journal, "a", 7, "<p/>", on_durable, NULL);
    lp_journal_put_saved_xml(journal, "a", "<domain/>", on_durable, NULL);
    wait_acks(4);
    lp_journal_close(journal);
    by_hand("DROP TABLE audit; DELETE FROM meta WHERE name = 'purged_sec';"
            "ALTER TABLE operation DROP COLUMN sum; ALTER TABLE profile DROP COLUMN sum;"
            "ALTER TABLE saved_xml DROP COLUMN sum; PRAGMA user_version = 1");
    journal = must_open();
    assert_true(has_operation(journal, 1));
    assert_true(has_operation(journal, 2));
    assert_true(lp_journal_last_profile(journal, "a", NULL, NULL));
    list = lp_journal_open_operations(journal, NULL);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    list = lp_journal_audit(journal, NULL, 0, 10, NULL);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    lp_journal_close(journal);
    assert_true(g_file_test(copy, G_FILE_TEST_EXISTS));
    /* Once only. */
    g_unlink(copy);
    lp_journal_close(must_open());
    assert_false(g_file_test(copy, G_FILE_TEST_EXISTS));
}

static void
test_refused_files(void **state)
{
    g_autofree char *log = g_strconcat(db, "-wal", NULL);

    (void)state;
    by_hand("CREATE TABLE somebody_elses (x)");
    must_refuse(LP_ERROR_JOURNAL, "not lpard's journal");
    assert_true(g_file_set_contents(db, "", 0, NULL));
    must_refuse(LP_ERROR_JOURNAL, "it is empty");
    assert_true(g_file_set_contents(db, "once upon a time", -1, NULL));
    must_refuse(LP_ERROR_JOURNAL, "move the file aside");
    g_unlink(db);
    assert_true(g_file_set_contents(log, "pages", -1, NULL));
    must_refuse(LP_ERROR_JOURNAL, "its log");
    assert_false(g_file_test(db, G_FILE_TEST_EXISTS));
    g_unlink(log);
    g_mkdir(db, 0700);
    must_refuse(LP_ERROR_JOURNAL, db);
    g_rmdir(db);
}

/* Whatever happened to the file: opened or refused by name, never removed, never a crash. */
static void
test_damage(void **state)
{
    guint32 seed = g_random_int();
    GRand *random = g_rand_new_with_seed(seed);
    LpJournal *journal = must_open();
    g_autoptr(GBytes) good = NULL;
    const guint8 *bytes;
    gsize length;
    int refused = 0;

    (void)state;
    print_message("seed %u\n", seed);
    for (int id = 1; id <= 200; id++) {
        put(journal, id, id > 100);
    }
    wait_acks(200);
    lp_journal_close(journal);
    good = contents(db);
    bytes = g_bytes_get_data(good, &length);

    for (int round = 0; round < 80; round++) {
        g_autofree guint8 *bad = g_memdup2(bytes, length);
        gsize keep = length;
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) before = NULL, after = NULL;

        if (round % 2 == 0) {
            keep = g_rand_int_range(random, 0, (gint)length);
        } else {
            for (int i = g_rand_int_range(random, 1, 200); i > 0; i--) {
                bad[g_rand_int_range(random, round % 4 == 1 ? 0 : 100, (gint)length)] =
                    (guint8)g_rand_int(random);
            }
        }
        assert_true(g_file_set_contents(db, (char *)bad, (gssize)keep, NULL));
        before = contents(db);
        journal = lp_journal_open(dir, 30, &error);
        if (journal != NULL) {
            assert_true(round % 2 == 1);
            json_decref(lp_journal_open_operations(journal, NULL));
            json_decref(lp_journal_history(journal, NULL, 0, 1000, NULL));
            lp_journal_close(journal);
            continue;
        }
        refused++;
        assert_true(error->code == LP_ERROR_JOURNAL);
        assert_non_null(strstr(error->message, db));
        after = contents(db);
        assert_true(g_bytes_equal(before, after));
    }
    assert_true(refused >= 40);
    g_rand_free(random);
}

static void
check_outage(LpJournal *journal, const char *says)
{
    const char *message = NULL;
    unsigned n = acked->len, failed = failures;

    put(journal, 10, true);
    put(journal, 11, true);
    wait_acks(n + 2);
    assert_int_equal(failures, failed + 2);
    assert_false(lp_journal_healthy(journal, &message));
    assert_string_equal(message, last_error->message);
    if (strstr(message, says) == NULL || strstr(message, db) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", message, says);
    }
    set_faults(0, 0, 0);
    put(journal, 12, true);
    wait_acks(n + 3);
    assert_int_equal(failures, failed + 2);
    assert_true(lp_journal_healthy(journal, &message));
    assert_null(message);
    assert_true(has_operation(journal, 12));
}

static void
test_outages(void **state)
{
    LpJournal *journal = must_open();

    (void)state;
    put(journal, 1, true);
    wait_acks(1);
    set_faults(SQLITE_FULL, 0, 0);
    check_outage(journal, "free some space");
    set_faults(SQLITE_IOERR_WRITE, 0, 0);
    check_outage(journal, "kernel's log");
    set_faults(SQLITE_READONLY, 0, 0);
    check_outage(journal, "read-only");
    set_faults(0, SQLITE_IOERR_FSYNC, 1000);
    check_outage(journal, "kernel's log");
    assert_true(has_operation(journal, 1));

    /* A sync that failed once is repeated on a file opened afresh. */
    failures = 0;
    set_faults(0, SQLITE_IOERR_FSYNC, 1);
    put(journal, 20, true);
    wait_acks(acked->len + 1);
    assert_int_equal(failures, 0);
    assert_int_equal(sync_faults_left, 0);
    lp_journal_close(journal);
    journal = must_open();
    assert_true(has_operation(journal, 20));
    lp_journal_close(journal);
}

/* A limit that the kernel itself enforces. */
static void
test_file_size_limit(void **state)
{
    LpJournal *journal = must_open();
    g_autofree char *filler = g_strnfill(40000, 'x');
    json_t *body = json_pack("{s:s}", "filler", filler);
    struct rlimit before, tight;
    int id = 0;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 300000;
    setrlimit(RLIMIT_FSIZE, &tight);
    while (failures == 0 && id < 100) {
        id++;
        lp_journal_put_operation(journal, id, "u", NULL, true, json_incref(body), on_durable,
                                 GINT_TO_POINTER(id));
        wait_acks((unsigned)id);
    }
    assert_int_equal(failures, 1);
    assert_false(lp_journal_healthy(journal, NULL));
    setrlimit(RLIMIT_FSIZE, &before);
    for (int i = 1; i < id; i++) {
        json_t *got = lp_journal_operation(journal, i, NULL);

        assert_true(json_equal(got, body));
        json_decref(got);
    }
    lp_journal_put_operation(journal, id, "u", NULL, true, json_incref(body), on_durable, NULL);
    wait_acks((unsigned)id + 1);
    assert_int_equal(failures, 1);
    assert_true(lp_journal_healthy(journal, NULL));
    lp_journal_close(journal);
    json_decref(body);
}

static void
test_moved_file(void **state)
{
    LpJournal *journal = must_open();
    g_autofree char *aside = g_strconcat(db, ".aside", NULL);

    (void)state;
    g_rename(db, aside);
    put(journal, 1, true);
    wait_acks(1);
    assert_int_equal(failures, 1);
    assert_non_null(strstr(last_error->message, "moved"));
    g_rename(aside, db);
    put(journal, 1, true);
    wait_acks(2);
    assert_int_equal(failures, 1);
    assert_true(lp_journal_healthy(journal, NULL));
    lp_journal_close(journal);
}

static void
test_profiles(void **state)
{
    LpJournal *journal = must_open();
    const char *metadata = NULL;
    uint64_t generation = 0;
    g_autofree char *xml = NULL;

    (void)state;
    lp_journal_put_profile(journal, "a", UINT64_MAX, "<p/>", on_durable, NULL);
    assert_false(lp_journal_last_profile(journal, "a", NULL, NULL));
    wait_acks(1);
    assert_true(lp_journal_last_profile(journal, "a", &generation, &metadata));
    assert_true(generation == UINT64_MAX);
    assert_string_equal(metadata, "<p/>");
    lp_journal_put_profile(journal, "b", 7, "<q/>", NULL, NULL);
    set_faults(0, 0, 0);
    lp_journal_put_saved_xml(journal, "a", "<domain/>", on_durable, NULL);
    wait_acks(2);
    set_faults(SQLITE_FULL, 0, 0);
    lp_journal_put_profile(journal, "b", 8, "<r/>", on_durable, NULL);
    lp_journal_forget_profile(journal, "a", on_durable, NULL);
    wait_acks(4);
    assert_int_equal(failures, 2);
    set_faults(0, 0, 0);
    assert_true(lp_journal_last_profile(journal, "a", NULL, NULL));
    assert_true(lp_journal_last_profile(journal, "b", &generation, NULL));
    assert_int_equal(generation, 7);
    lp_journal_close(journal);

    journal = must_open();
    assert_true(lp_journal_last_profile(journal, "a", &generation, &metadata));
    assert_true(generation == UINT64_MAX);
    assert_string_equal(metadata, "<p/>");
    xml = lp_journal_saved_xml(journal, "a", NULL);
    assert_string_equal(xml, "<domain/>");
    assert_null(lp_journal_saved_xml(journal, "b", NULL));
    lp_journal_forget_saved_xml(journal, "a");
    lp_journal_forget_profile(journal, "a", on_durable, NULL);
    wait_acks(5);
    assert_false(lp_journal_last_profile(journal, "a", NULL, NULL));
    assert_null(lp_journal_saved_xml(journal, "a", NULL));
    lp_journal_close(journal);
    journal = must_open();
    assert_false(lp_journal_last_profile(journal, "a", NULL, NULL));
    assert_true(lp_journal_last_profile(journal, "b", NULL, NULL));
    lp_journal_close(journal);
}

#define FORGET_PURGE "UPDATE meta SET value = 0 WHERE name = 'purged_sec';"

static void
test_keep_days(void **state)
{
    LpJournal *journal = must_open();

    (void)state;
    put(journal, 1, false);
    put(journal, 2, true);
    put(journal, 3, false);
    lp_journal_close(journal);
    by_hand("UPDATE operation SET changed_sec = changed_sec - 31 * 86400 WHERE id < 3");
    by_hand("UPDATE operation SET changed_sec = changed_sec - 29 * 86400 WHERE id = 3");
    /* Not again on the same day. */
    journal = must_open();
    assert_true(has_operation(journal, 1));
    lp_journal_close(journal);
    by_hand(FORGET_PURGE);
    journal = must_open();
    assert_false(has_operation(journal, 1));
    assert_true(has_operation(journal, 2));
    assert_true(has_operation(journal, 3));
    lp_journal_close(journal);
}

static json_int_t
n_rows(LpJournal *journal)
{
    json_t *list = lp_journal_history(journal, NULL, 0, 1000, NULL);
    json_int_t n = (json_int_t)json_array_size(list);

    json_decref(list);
    return n;
}

static void
open_and_count(json_int_t expected)
{
    LpJournal *journal = must_open();

    assert_int_equal(n_rows(journal), expected);
    lp_journal_close(journal);
}

/* A history, and a wall clock that somebody set ten years ahead: seen from there all of it is old,
 * and still a day takes a tenth of it at most.  Set back, nothing. */
static void
test_wall_clock(void **state)
{
    LpJournal *journal = must_open();

    (void)state;
    for (int id = 1; id <= 30; id++) {
        put(journal, id, false);
    }
    lp_journal_close(journal);
    by_hand("UPDATE operation SET changed_sec = changed_sec - 86400 * 3650;" FORGET_PURGE);
    for (int i = 0; i < 3; i++) {
        open_and_count(27);
    }
    by_hand(FORGET_PURGE);
    open_and_count(24);
    by_hand("UPDATE operation SET changed_sec = changed_sec + 86400 * 7300;" FORGET_PURGE);
    open_and_count(24);
    /* The last purge was done by a clock that ran ahead: the next day still comes. */
    by_hand("UPDATE operation SET changed_sec = changed_sec - 86400 * 7300;"
            "UPDATE meta SET value = value + 86400 * 3650 WHERE name = 'purged_sec'");
    open_and_count(21);
}

static json_int_t
audit_number(json_t *list, size_t at, const char *name)
{
    return json_integer_value(json_object_get(json_array_get(list, at), name));
}

static const char *
audit_text(json_t *list, size_t at, const char *name)
{
    return json_string_value(json_object_get(json_array_get(list, at), name));
}

static void
wait_audit(LpJournal *journal)
{
    unsigned n = acked->len;

    lp_journal_put_profile(journal, "after", 1, "<p/>", on_durable, NULL);
    wait_acks(n + 1);
}

static void
test_audit(void **state)
{
    g_autofree char *long_route = g_strnfill(5000, 'r');
    LpJournalAudit entry = {
        .peer = "uid 1000", .role = "operator", .method = "PATCH", .route = "/v1/partitions/{name}",
        .uuid = "a", .name = "web1", .status = 202, .operation = 17, .detail = "cpu 2",
    };
    LpJournalAudit hostile = {
        .peer = "\xff\xfe", .route = long_route, .method = "GET", .status = 403,
        .problem = "forbidden",
    };
    LpJournal *journal = must_open();
    json_int_t before;
    json_t *list;

    (void)state;
    lp_journal_put_audit(journal, &entry);
    lp_journal_put_audit(journal, &hostile);
    lp_journal_put_audit(journal, &entry);
    wait_audit(journal);
    lp_journal_close(journal);

    journal = must_open();
    list = lp_journal_audit(journal, NULL, 0, 100, NULL);
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(audit_text(list, 0, "peer"), "uid 1000");
    assert_string_equal(audit_text(list, 0, "role"), "operator");
    assert_string_equal(audit_text(list, 0, "method"), "PATCH");
    assert_string_equal(audit_text(list, 0, "route"), "/v1/partitions/{name}");
    assert_string_equal(audit_text(list, 0, "uuid"), "a");
    assert_string_equal(audit_text(list, 0, "name"), "web1");
    assert_string_equal(audit_text(list, 0, "detail"), "cpu 2");
    assert_int_equal(audit_number(list, 0, "status"), 202);
    assert_int_equal(audit_number(list, 0, "operation"), 17);
    assert_null(audit_text(list, 0, "problem"));
    assert_null(json_object_get(json_array_get(list, 0), "lost"));
    assert_true(ABS(audit_number(list, 0, "time_sec") - g_get_real_time() / G_USEC_PER_SEC) < 600);
    assert_string_equal(audit_text(list, 1, "problem"), "forbidden");
    assert_null(json_object_get(json_array_get(list, 1), "uuid"));
    assert_int_equal(strlen(audit_text(list, 1, "route")), 256);
    assert_true(g_utf8_validate(audit_text(list, 1, "peer"), -1, NULL));
    before = audit_number(list, 1, "id");
    json_decref(list);
    list = lp_journal_audit(journal, "a", before, 100, NULL);
    assert_int_equal(json_array_size(list), 1);
    assert_true(audit_number(list, 0, "id") < before);
    json_decref(list);
    list = lp_journal_audit(journal, NULL, 0, 2, NULL);
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    lp_journal_close(journal);

    /* A row changed by hand hides none of the others. */
    by_hand("UPDATE audit SET body = '{' WHERE id = 2");
    journal = must_open();
    list = lp_journal_audit(journal, NULL, 0, 100, NULL);
    assert_int_equal(json_array_size(list), 3);
    json_decref(list);
    lp_journal_close(journal);
}

static void
test_audit_bounds(void **state)
{
    LpJournalAudit entry = {.peer = "p", .method = "GET", .route = "/", .uuid = "a", .status = 200};
    LpJournal *journal = must_open();
    json_t *list;

    (void)state;
    /* By age. */
    lp_journal_put_audit(journal, &entry);
    lp_journal_put_audit(journal, &entry);
    lp_journal_close(journal);
    by_hand("UPDATE audit SET time_sec = time_sec - 31 * 86400 WHERE id = 1;" FORGET_PURGE);
    journal = must_open();
    list = lp_journal_audit(journal, NULL, 0, 10, NULL);
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(audit_number(list, 0, "id"), 2);
    json_decref(list);

    /* By number. */
    lp_journal_close(journal);
    by_hand("UPDATE sqlite_sequence SET seq = " G_STRINGIFY(LP_AUDIT_ROWS_MAX) " + 1");
    journal = must_open();
    lp_journal_put_audit(journal, &entry);
    wait_audit(journal);
    list = lp_journal_audit(journal, NULL, 0, 10, NULL);
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(audit_number(list, 0, "id"), LP_AUDIT_ROWS_MAX + 2);
    json_decref(list);

    /* What the disk did not take is told by the next entry that it takes. */
    set_faults(SQLITE_IOERR_WRITE, 0, 0);
    lp_journal_put_audit(journal, &entry);
    wait_audit(journal);
    lp_journal_put_audit(journal, &entry);
    wait_audit(journal);
    set_faults(0, 0, 0);
    lp_journal_put_audit(journal, &entry);
    wait_audit(journal);
    /* While the disk hangs so many wait and no more. */
    hold_syncs(true);
    lp_journal_put_audit(journal, &entry);
    wait_for_held_sync();
    for (int i = 0; i < 10002; i++) {
        lp_journal_put_audit(journal, &entry);
    }
    hold_syncs(false);
    wait_audit(journal);
    lp_journal_put_audit(journal, &entry);
    wait_audit(journal);
    list = lp_journal_audit(journal, NULL, 0, 1, NULL);
    assert_int_equal(audit_number(list, 0, "lost"), 3);
    json_decref(list);
    list = lp_journal_audit(journal, NULL, LP_AUDIT_ROWS_MAX + 4, 1, NULL);
    assert_int_equal(audit_number(list, 0, "lost"), 2);
    json_decref(list);
    lp_journal_close(journal);
}

static void
test_bad_body(void **state)
{
    LpJournal *journal = must_open();
    json_t *list;

    (void)state;
    put(journal, 1, true);
    lp_journal_put_operation(journal, 2, "u", NULL, true, NULL, on_durable, GINT_TO_POINTER(2));
    put(journal, 3, true);
    wait_acks(3);
    assert_int_equal(failures, 1);
    assert_true(lp_journal_healthy(journal, NULL));
    assert_true(has_operation(journal, 1));
    assert_false(has_operation(journal, 2));
    assert_true(has_operation(journal, 3));
    by_hand("UPDATE operation SET body = '{' WHERE id = 3");
    g_clear_error(&last_error);
    assert_null(lp_journal_operation(journal, 3, &last_error));
    assert_non_null(strstr(last_error->message, "operation 3"));
    g_clear_error(&last_error);
    /* One row hides none of the others. */
    list = lp_journal_open_operations(journal, &last_error);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    lp_journal_close(journal);
}

/* What reads well and is not what was written is not believed either; what has no sum is. */
static void
test_sums(void **state)
{
    LpJournal *journal = must_open();
    json_t *list;

    (void)state;
    for (int id = 1; id <= 6; id++) {
        put(journal, id, true);
    }
    lp_journal_put_profile(journal, "a", 7, "<p/>", on_durable, NULL);
    lp_journal_put_profile(journal, "b", 7, "<p/>", on_durable, NULL);
    lp_journal_put_saved_xml(journal, "a", "<domain/>", on_durable, NULL);
    wait_acks(9);
    lp_journal_close(journal);
    by_hand("UPDATE operation SET body = replace(body, '2', '3') WHERE id = 2;"
            "UPDATE operation SET uuid = 'other' WHERE id = 3;"
            "UPDATE operation SET key = NULL WHERE id = 4;"
            "UPDATE operation SET sum = NULL WHERE id = 5;"
            "UPDATE operation SET open = 0 WHERE id = 6;"
            "UPDATE profile SET generation = 8 WHERE uuid = 'a';"
            "UPDATE saved_xml SET xml = '<other/>'");
    journal = must_open();
    list = lp_journal_open_operations(journal, NULL);
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(audit_number(list, 0, "id"), 1);
    assert_int_equal(audit_number(list, 1, "id"), 5);
    json_decref(list);
    list = lp_journal_history(journal, NULL, 0, 10, NULL);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    assert_null(lp_journal_operation(journal, 6, NULL));
    assert_false(lp_journal_last_profile(journal, "a", NULL, NULL));
    assert_true(lp_journal_last_profile(journal, "b", NULL, NULL));
    g_clear_error(&last_error);
    assert_null(lp_journal_saved_xml(journal, "a", &last_error));
    assert_non_null(last_error);
    lp_journal_close(journal);
}

static LpJournal *closing;

static void
close_it(const GError *error, void *data)
{
    on_durable(error, data);
    lp_journal_close(closing);
}

static void
test_close(void **state)
{
    LpJournal *journal = must_open();

    (void)state;
    for (int id = 1; id <= 1000; id++) {
        put(journal, id, true);
    }
    lp_journal_close(journal);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    assert_int_equal(acked->len, 0);

    journal = closing = must_open();
    assert_true(has_operation(journal, 1000));
    lp_journal_put_profile(journal, "a", 1, "<p/>", close_it, NULL);
    for (int id = 1001; id <= 1100; id++) {
        put(journal, id, true);
    }
    wait_acks(1);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    assert_int_equal(acked->len, 1);
    journal = must_open();
    assert_true(has_operation(journal, 1100));
    lp_journal_close(journal);
    lp_journal_close(NULL);
}

/* --- kill -9 --- */

static int report_fd;

static void
report_durable(const GError *error, void *data)
{
    int id = GPOINTER_TO_INT(data);

    if (error != NULL || write(report_fd, &id, sizeof(id)) != (ssize_t)sizeof(id)) {
        abort();
    }
}

static void
write_for_ever(void)
{
    LpJournal *journal = lp_journal_open(dir, 30, NULL);

    if (journal == NULL) {
        abort();
    }
    while (true) {
        int id = (int)lp_journal_next_id(journal);
        json_t *body = json_pack("{s:i}", "id", id);

        lp_journal_put_operation(journal, id, "u", NULL, id % 3 != 0, body, report_durable,
                                 GINT_TO_POINTER(id));
        /* A few at once, now and then, as they come in life. */
        if (id % 8 == 0) {
            g_main_context_iteration(NULL, TRUE);
        }
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
}

static void
test_kill(void **state)
{
    guint32 seed = g_random_int();
    GRand *random = g_rand_new_with_seed(seed);
    int highest = 0, total = 0;

    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 20; round++) {
        g_autoptr(GArray) told = g_array_new(FALSE, FALSE, sizeof(int));
        int pipes[2], id, status, want = g_rand_int_range(random, 1, 60);
        LpJournal *journal;
        pid_t child;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(60);
            close(pipes[0]);
            report_fd = pipes[1];
            write_for_ever();
        }
        close(pipes[1]);
        while (read(pipes[0], &id, sizeof(id)) == (ssize_t)sizeof(id)) {
            g_array_append_val(told, id);
            if (told->len == (guint)want) {
                g_usleep((gulong)g_rand_int_range(random, 0, 3000));
                kill(child, SIGKILL);
            }
        }
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close(pipes[0]);

        journal = must_open();
        for (guint i = 0; i < told->len; i++) {
            id = g_array_index(told, int, i);
            assert_true(id > highest);
            assert_true(has_operation(journal, id));
            highest = id;
        }
        total += (int)told->len;
        id = (int)lp_journal_next_id(journal);
        assert_true(id > highest);
        highest = id;
        lp_journal_close(journal);
    }
    print_message("%d acknowledged, all there\n", total);
    g_rand_free(random);
}

/* What is damaged on purpose is warned of a thousand times. */
static GLogWriterOutput
hush(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void)level;
    (void)fields;
    (void)n;
    (void)data;
    return G_LOG_WRITER_HANDLED;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_opener, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_profiles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep_days, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wall_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
    };

    g_log_set_writer_func(hush, NULL, NULL);
    /* A wait that never ends is a failure too. */
    alarm(120);
    true_vfs = sqlite3_vfs_find(NULL);
    faulty_vfs = *true_vfs;
    faulty_vfs.zName = "faulty";
    faulty_vfs.pNext = NULL;
    faulty_vfs.xOpen = faulty_open;
    sqlite3_vfs_register(&faulty_vfs, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
