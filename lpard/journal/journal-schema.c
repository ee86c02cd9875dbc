/* The journal's file: making it, examining it, migrating it. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* "LPAR" in the file's header: other programs' databases are recognised and left alone. */
#define LP_JOURNAL_APPLICATION 0x4c504152
/* Where SQLite's header keeps its numbers, all big-endian. */
#define LP_HEADER_BYTES 100
#define LP_HEADER_PAGE_BYTES 16
#define LP_HEADER_CHANGES 24
#define LP_HEADER_PAGES 28
#define LP_HEADER_VERSION 60
#define LP_HEADER_APPLICATION 68
#define LP_HEADER_PAGES_AT 92         /* the count of changes for which the number of pages holds */
/* Copies of one old version kept beside each other before somebody must tidy up. */
#define LP_COPIES_MAX 100

/* migrations[N] brings version N to N + 1; from nothing to 1 is the first schema. */
static const char *const migrations[LP_JOURNAL_VERSION] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('next_id', 1);"
    "CREATE TABLE operation (id INTEGER PRIMARY KEY, uuid TEXT, key TEXT,"
    " open INTEGER NOT NULL, changed_sec INTEGER NOT NULL, body TEXT NOT NULL);"
    "CREATE INDEX operation_uuid ON operation (uuid, id);"
    "CREATE INDEX operation_key ON operation (key, id) WHERE key IS NOT NULL;"
    "CREATE INDEX operation_open ON operation (id) WHERE open;"
    "CREATE TABLE profile (uuid TEXT PRIMARY KEY, generation INTEGER NOT NULL, metadata TEXT);"
    "CREATE TABLE saved_xml (uuid TEXT PRIMARY KEY, xml TEXT NOT NULL);",
    /* Its ids never repeat, so that pages of it have a place to go on from. */
    "CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, time_sec INTEGER NOT NULL,"
    " uuid TEXT, body TEXT NOT NULL);"
    "CREATE INDEX audit_uuid ON audit (uuid, id) WHERE uuid IS NOT NULL;"
    "INSERT INTO meta VALUES ('purged_sec', 0);"
    /* Of older rows and of those made by hand it is NULL. */
    "ALTER TABLE operation ADD COLUMN sum INTEGER;"
    "ALTER TABLE profile ADD COLUMN sum INTEGER;"
    "ALTER TABLE saved_xml ADD COLUMN sum INTEGER;",
};

static bool
sync_path(const char *path, int flags, GError **error)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (!ok) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot write %s to the disk: %s: see the "
                    "kernel's log for errors of that disk", path, g_strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* An empty file of mode 0600: SQLite gives its log and index the mode of the database. */
static bool
make_empty(const char *path, GError **error)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot make %s: %s: check the space, "
                    "owner and mode of its directory", path, g_strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

static bool
migrate(sqlite3 *sql, const char *path, int from, GError **error)
{
    g_autofree char *stamp = g_strdup_printf("PRAGMA application_id = %d; "
                                             "PRAGMA user_version = %d; COMMIT",
                                             LP_JOURNAL_APPLICATION, LP_JOURNAL_VERSION);
    bool ok = lp_journal_db_exec(sql, path, "BEGIN EXCLUSIVE", error);

    for (int version = from; ok && version < LP_JOURNAL_VERSION; version++) {
        ok = lp_journal_db_exec(sql, path, migrations[version], error);
    }
    ok = ok && lp_journal_db_exec(sql, path, stamp, error);
    if (!ok && !sqlite3_get_autocommit(sql)) {
        sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL);
    }
    return ok;
}

/* Made whole under another name and then renamed, so that an empty journal.db can only be a
 * damaged one and is never taken for a new one. */
static bool
make_file(const char *path, GError **error)
{
    g_autofree char *fresh = g_strconcat(path, ".new", NULL);
    g_autofree char *fresh_journal = g_strconcat(fresh, "-journal", NULL);
    g_autofree char *dir = g_path_get_dirname(path);
    sqlite3 *sql;
    bool ok;

    g_unlink(fresh);
    g_unlink(fresh_journal);
    if (!make_empty(fresh, error) || (sql = lp_journal_db_open(fresh, error)) == NULL) {
        return false;
    }
    ok = migrate(sql, fresh, 0, error);
    sqlite3_close(sql);
    if (!ok) {
        g_unlink(fresh);
        return false;
    }
    if (g_rename(fresh, path) != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot rename %s to %s: %s: check the "
                    "owner and mode of the directory", fresh, path, g_strerror(errno));
        return false;
    }
    return sync_path(dir, O_RDONLY | O_DIRECTORY, error);
}

static void
set_damaged(const char *path, const char *why, GError **error)
{
    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL,
                "the journal %s is damaged (%s); it was left as it is: " LP_JOURNAL_CURE_DAMAGED,
                path, why);
}

static bool
check_stamp(const char *path, int64_t application, int64_t version, GError **error)
{
    if (application != LP_JOURNAL_APPLICATION) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "%s is a database, but not lpard's "
                    "journal; it was left as it is: move it aside, or set another state "
                    "directory in lpard.conf", path);
        return false;
    }
    if (version > LP_JOURNAL_VERSION || version < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "the journal %s has schema version %d and "
                    "this lpard knows versions up to %d; it was left as it is: start the newer "
                    "lpard that wrote it, or move the file aside", path, (int)version,
                    LP_JOURNAL_VERSION);
        return false;
    }
    return true;
}

static int64_t
header_number(const unsigned char *bytes)
{
    return (int32_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                     (uint32_t)bytes[2] << 8 | bytes[3]);
}

/* SQLite reads what is missing of the last page as zeroes.  While there is a log, a file may well
 * be shorter than it says: the log was being copied into it. */
static bool
is_cut(const char *path, int fd, const unsigned char *header)
{
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    int64_t page = header[LP_HEADER_PAGE_BYTES] << 8 | header[LP_HEADER_PAGE_BYTES + 1];
    int64_t pages = header_number(header + LP_HEADER_PAGES);
    struct stat file, log_file;

    return header_number(header + LP_HEADER_CHANGES) ==
               header_number(header + LP_HEADER_PAGES_AT) &&
           (stat(log, &log_file) != 0 || log_file.st_size == 0) && fstat(fd, &file) == 0 &&
           file.st_size < pages * (page == 1 ? 65536 : page);
}

/* Reads the header without SQLite, which would write to the files of a journal that is not
 * ours to touch. */
static bool
check_header(const char *path, int fd, GError **error)
{
    unsigned char header[LP_HEADER_BYTES];
    ssize_t n = pread(fd, header, sizeof(header), 0);

    if (n < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot read the journal %s: %s: see the "
                    "kernel's log for errors of that disk", path, g_strerror(errno));
        return false;
    }
    if (n < (ssize_t)sizeof(header)) {
        set_damaged(path, n == 0 ? "it is empty" : "it is cut short", error);
        return false;
    }
    if (memcmp(header, "SQLite format 3", 16) != 0) {
        set_damaged(path, "it is not a database", error);
        return false;
    }
    if (!check_stamp(path, header_number(header + LP_HEADER_APPLICATION),
                     header_number(header + LP_HEADER_VERSION), error)) {
        return false;
    }
    if (is_cut(path, fd, header)) {
        set_damaged(path, "it is cut short", error);
        return false;
    }
    return true;
}

static bool
check_pages(sqlite3 *sql, const char *path, GError **error)
{
    sqlite3_stmt *statement = NULL;
    const char *answer = NULL;
    bool ok;

    if (sqlite3_prepare_v2(sql, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        answer = (const char *)sqlite3_column_text(statement, 0);
    }
    ok = g_strcmp0(answer, "ok") == 0;
    if (!ok) {
        int code = sqlite3_errcode(sql);

        if (answer != NULL || code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
            set_damaged(path, answer != NULL ? answer : sqlite3_errmsg(sql), error);
        } else {
            lp_journal_db_fail(sql, path, "read", error);
        }
    }
    sqlite3_finalize(statement);
    return ok;
}

/* The whole database, its log included, as one file beside it. */
static bool
copy_beside(sqlite3 *sql, const char *path, int version, GError **error)
{
    g_autofree char *copy = g_strdup_printf("%s.v%d", path, version);
    char *command;
    bool ok;

    for (int i = 1; g_file_test(copy, G_FILE_TEST_EXISTS) && i < LP_COPIES_MAX; i++) {
        g_free(copy);
        copy = g_strdup_printf("%s.v%d.%d", path, version, i);
    }
    if (!make_empty(copy, error)) {
        return false;
    }
    command = sqlite3_mprintf("VACUUM INTO %Q", copy);
    ok = lp_journal_db_exec(sql, path, command, error) && sync_path(copy, O_RDWR, error);
    sqlite3_free(command);
    if (!ok) {
        g_prefix_error(error, "the journal was not migrated, as it could not be copied to %s: ",
                       copy);
        g_unlink(copy);
    }
    return ok;
}

static bool
examine(sqlite3 *sql, const char *path, GError **error)
{
    int64_t application = 0, version = 0;

    /* The header may lag behind the log, so both numbers are asked for again. */
    if (!lp_journal_db_number(sql, path, "PRAGMA application_id", &application, error) ||
        !lp_journal_db_number(sql, path, "PRAGMA user_version", &version, error) ||
        !check_stamp(path, application, version, error) || !check_pages(sql, path, error)) {
        return false;
    }
    if (version == LP_JOURNAL_VERSION) {
        return true;
    }
    /* The log goes into the file at once: its header must tell the version to any lpard. */
    return copy_beside(sql, path, (int)version, error) &&
           migrate(sql, path, (int)version, error) &&
           lp_journal_db_exec(sql, path, "PRAGMA wal_checkpoint(TRUNCATE)", error);
}

static bool
examine_file(const char *path, int fd, GError **error)
{
    sqlite3 *sql;
    bool ok;

    if (!check_header(path, fd, error) || (sql = lp_journal_db_open(path, error)) == NULL) {
        return false;
    }
    /* A refused file keeps every byte, so closing must not move the log into it. */
    sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_busy_timeout(sql, LP_JOURNAL_BUSY_MSEC);
    ok = examine(sql, path, error);
    sqlite3_close(sql);
    if (ok && fchmod(fd, 0600) != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot set the mode of %s to 0600: %s: "
                    "check its owner", path, g_strerror(errno));
        return false;
    }
    return ok;
}

bool
lp_journal_db_prepare(const char *path, GError **error)
{
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool ok;

    if (fd < 0 && errno == ENOENT) {
        /* Its pages would be replayed into a file they do not belong to. */
        if (g_file_test(log, G_FILE_TEST_EXISTS)) {
            g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "the journal %s is missing but its log "
                        "%s is there: put the journal back, or move the log aside too", path,
                        log);
            return false;
        }
        return make_file(path, error);
    }
    if (fd < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot open the journal %s: %s: check the "
                    "owner and mode of the file and its directory", path, g_strerror(errno));
        return false;
    }
    ok = examine_file(path, fd, error);
    close(fd);
    return ok;
}
