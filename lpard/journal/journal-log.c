/* What a sync that failed leaves of the log.  Linux tells of pages that could not be written back
 * once, and takes them for clean from then on: they can be read for as long as they stay in memory,
 * a later sync succeeds, and after a loss of power they are not there.  A log with such a hole
 * loses all that was appended behind it, whatever was promised of that.  So each byte is written
 * once more, as it is, and brought to rest on a descriptor that has seen no error.
 *
 * Through SQLite's own file layer, as all else of these files. */
#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

#define LP_LOG_STEP_BYTES (64 * 1024)

static int
write_over(sqlite3_file *file)
{
    g_autofree char *bytes = g_malloc(LP_LOG_STEP_BYTES);
    sqlite3_int64 size = 0;
    int code = file->pMethods->xFileSize(file, &size);

    for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size; at += LP_LOG_STEP_BYTES) {
        int n = (int)MIN(size - at, LP_LOG_STEP_BYTES);

        code = file->pMethods->xRead(file, bytes, n, at);
        if (code == SQLITE_OK) {
            code = file->pMethods->xWrite(file, bytes, n, at);
        }
    }
    return code == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : code;
}

static int
rewrite(sqlite3_vfs *vfs, sqlite3_filename name)
{
    sqlite3_file *file;
    int code = SQLITE_OK, exists = 0, flags = 0;

    code = vfs->xAccess(vfs, name, SQLITE_ACCESS_EXISTS, &exists);
    if (code != SQLITE_OK || !exists) {
        return code;
    }
    file = g_malloc0((gsize)vfs->szOsFile);
    code = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, &flags);
    if (code == SQLITE_OK) {
        code = write_over(file);
    }
    if (file->pMethods != NULL) {
        file->pMethods->xClose(file);
    }
    g_free(file);
    return code;
}

bool
lp_journal_log_rewrite(const char *path, GError **error)
{
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    sqlite3_filename name = sqlite3_create_filename(path, "", log, 0, NULL);
    int code = SQLITE_NOMEM;

    if (name != NULL) {
        code = rewrite(sqlite3_vfs_find(NULL), sqlite3_filename_wal(name));
        sqlite3_free_filename(name);
    }
    if (code != SQLITE_OK) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot write the journal's log %s: %s: %s",
                    log, sqlite3_errstr(code), lp_journal_db_cure(code));
    }
    return code == SQLITE_OK;
}
