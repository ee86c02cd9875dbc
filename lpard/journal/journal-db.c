/* Connections to the journal's file, and what SQLite's errors mean to people. */
#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* The loop may not wait for somebody's sqlite3 shell. */
#define LP_READER_BUSY_MSEC 50
/* The write-ahead log shrinks back to this after a burst. */
#define LP_JOURNAL_LOG_BYTES "4194304"

const char *
lp_journal_db_cure(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return "free some space on its file system, which lpard notices by itself";
    case SQLITE_IOERR:
        return "see the kernel's log for errors of that disk, and whether it is full; lpard "
               "tries again by itself";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return "check the owner and mode of the file and its directory, and that the file "
               "system is not mounted read-only";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program holds it: close that program";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "it is damaged: " LP_JOURNAL_CURE_DAMAGED;
    default:
        return "if trying again does not help, stop lpard and examine the file with sqlite3";
    }
}

void
lp_journal_db_fail(sqlite3 *sql, const char *path, const char *verb, GError **error)
{
    int code = sql != NULL ? sqlite3_extended_errcode(sql) : SQLITE_NOMEM;
    int system = sql != NULL ? sqlite3_system_errno(sql) : 0;
    bool says_more = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;

    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot %s the journal %s: %s%s%s: %s", verb,
                path, sql != NULL ? sqlite3_errmsg(sql) : "out of memory",
                says_more && system != 0 ? ": " : "",
                says_more && system != 0 ? g_strerror(system) : "", lp_journal_db_cure(code));
}

bool
lp_journal_db_exec(sqlite3 *sql, const char *path, const char *text, GError **error)
{
    if (sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK) {
        return true;
    }
    lp_journal_db_fail(sql, path, "write", error);
    return false;
}

bool
lp_journal_db_number(sqlite3 *sql, const char *path, const char *query, int64_t *ret_number,
                     GError **error)
{
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(sql, query, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;

    if (ok) {
        *ret_number = sqlite3_column_int64(statement, 0);
    } else {
        lp_journal_db_fail(sql, path, "read", error);
    }
    sqlite3_finalize(statement);
    return ok;
}

sqlite3 *
lp_journal_db_open(const char *path, GError **error)
{
    sqlite3 *sql = NULL;

    if (sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        lp_journal_db_fail(sql, path, "open", error);
        sqlite3_close(sql);
        return NULL;
    }
    sqlite3_extended_result_codes(sql, 1);
    return sql;
}

sqlite3 *
lp_journal_db_connect(const char *path, bool reader, GError **error)
{
    sqlite3 *sql = lp_journal_db_open(path, error);

    if (sql == NULL) {
        return NULL;
    }
    sqlite3_busy_timeout(sql, reader ? LP_READER_BUSY_MSEC : LP_JOURNAL_BUSY_MSEC);
    if (!lp_journal_db_exec(sql, path,
                            reader ? "PRAGMA query_only = 1"
                                   : "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                     "PRAGMA journal_size_limit = " LP_JOURNAL_LOG_BYTES,
                            error)) {
        sqlite3_close(sql);
        return NULL;
    }
    return sql;
}
