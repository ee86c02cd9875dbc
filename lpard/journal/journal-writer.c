/* The thread that owns the journal's writing: takes all requests that wait, commits them as one
 * transaction, and answers.  What SQLite may not have written is not trusted: after an error of
 * the disk everything is opened again. */
#include <errno.h>
#include <sys/stat.h>

#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* A transaction larger than this would make its first request wait for its last. */
#define LP_BATCH_MAX 512

static const char *const statements[LP_JOURNAL_STATEMENTS] = {
    [LP_JOURNAL_PUT_OPERATION] =
        "INSERT OR REPLACE INTO operation (id, uuid, key, body, open, changed_sec)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [LP_JOURNAL_PUT_PROFILE] =
        "INSERT OR REPLACE INTO profile (generation, uuid, metadata) VALUES (?1, ?2, ?4)",
    [LP_JOURNAL_FORGET_PROFILE] = "DELETE FROM profile WHERE uuid = ?2",
    [LP_JOURNAL_PUT_XML] = "INSERT OR REPLACE INTO saved_xml (uuid, xml) VALUES (?2, ?4)",
    [LP_JOURNAL_FORGET_XML] = "DELETE FROM saved_xml WHERE uuid = ?2",
    [LP_JOURNAL_PUT_AUDIT] = "INSERT INTO audit (time_sec, uuid, body) VALUES (?1, ?2, ?4)",
    [LP_JOURNAL_MARK] = "UPDATE meta SET value = ?1 WHERE name = 'next_id'",
};

void
lp_journal_request_free(gpointer data)
{
    LpJournalRequest *request = data;

    g_free(request->uuid);
    g_free(request->key);
    g_free(request->text);
    g_clear_error(&request->error);
    g_free(request);
}

void
lp_journal_batch_free(gpointer data)
{
    LpJournalBatch *batch = data;

    g_ptr_array_unref(batch->requests);
    g_clear_error(&batch->error);
    g_free(batch);
}

static void
disconnect(LpJournal *journal)
{
    LpJournalWriter *writer = &journal->writer;

    for (int i = 0; i < LP_JOURNAL_STATEMENTS; i++) {
        sqlite3_finalize(writer->statements[i]);
        writer->statements[i] = NULL;
    }
    sqlite3_close(writer->sql);
    writer->sql = NULL;
}

static bool
connect_file(LpJournal *journal, GError **error)
{
    LpJournalWriter *writer = &journal->writer;

    writer->sql = lp_journal_db_connect(journal->path, false, error);
    if (writer->sql == NULL) {
        return false;
    }
    for (int i = 0; i < LP_JOURNAL_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(writer->sql, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &writer->statements[i], NULL) != SQLITE_OK) {
            lp_journal_db_fail(writer->sql, journal->path, "open", error);
            disconnect(journal);
            return false;
        }
    }
    return true;
}

/* SQLite goes on writing to a file that was unlinked or renamed; what it acknowledges then is
 * lost. */
static bool
check_place(LpJournal *journal, GError **error)
{
    struct stat now;

    if (stat(journal->path, &now) == 0 && now.st_ino == journal->writer.inode &&
        now.st_dev == journal->writer.device) {
        return true;
    }
    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "the journal %s was moved, removed or replaced "
                "while lpard runs: put it back, or restart lpard to begin with what is there",
                journal->path);
    return false;
}

static int
bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    /* Not every statement has every parameter. */
    if (at > sqlite3_bind_parameter_count(statement)) {
        return SQLITE_OK;
    }
    return text == NULL ? sqlite3_bind_null(statement, at)
                        : sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static bool
apply(LpJournalWriter *writer, const LpJournalRequest *request, int64_t now_sec)
{
    sqlite3_stmt *statement = writer->statements[request->ask];
    int code = sqlite3_bind_int64(statement, 1, request->number);

    if (code == SQLITE_OK) {
        code = bind_text(statement, 2, request->uuid);
    }
    if (code == SQLITE_OK) {
        code = bind_text(statement, 3, request->key);
    }
    if (code == SQLITE_OK) {
        code = bind_text(statement, 4, request->text);
    }
    if (code == SQLITE_OK && request->ask == LP_JOURNAL_PUT_OPERATION) {
        code = sqlite3_bind_int(statement, 5, request->open);
        if (code == SQLITE_OK) {
            code = sqlite3_bind_int64(statement, 6, now_sec);
        }
    }
    writer->audited = writer->audited || request->ask == LP_JOURNAL_PUT_AUDIT;
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
    }
    return code == SQLITE_OK;
}

/* The error is taken before the statement is reset: the reset may replace it. */
static bool
apply_all(LpJournal *journal, const LpJournalBatch *batch, int64_t now_sec, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    bool ok = true;

    for (guint i = 0; ok && i < batch->requests->len; i++) {
        const LpJournalRequest *request = g_ptr_array_index(batch->requests, i);

        if (request->error != NULL) {
            continue;
        }
        ok = apply(writer, request, now_sec);
        if (!ok) {
            lp_journal_db_fail(writer->sql, journal->path, "write", error);
        }
        sqlite3_reset(writer->statements[request->ask]);
        sqlite3_clear_bindings(writer->statements[request->ask]);
    }
    return ok;
}

/* *ret_code: SQLite's, if it failed. */
static bool
commit(LpJournal *journal, const LpJournalBatch *batch, int *ret_code, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    int64_t now_sec = g_get_real_time() / G_USEC_PER_SEC;
    gint64 purged_usec = writer->purged_usec;

    if (lp_journal_db_exec(writer->sql, journal->path, "BEGIN IMMEDIATE", error) &&
        apply_all(journal, batch, now_sec, error) && lp_journal_purge(journal, now_sec, error) &&
        lp_journal_db_exec(writer->sql, journal->path, "COMMIT", error)) {
        return true;
    }
    *ret_code = sqlite3_errcode(writer->sql);
    writer->purged_usec = purged_usec;
    if (!sqlite3_get_autocommit(writer->sql)) {
        sqlite3_exec(writer->sql, "ROLLBACK", NULL, NULL, NULL);
    }
    return false;
}

/* Whether the connection itself can no longer be believed after `code`. */
static bool
must_reopen(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_TOOBIG:
        return false;
    default:
        return true;
    }
}

/* Every connection is closed, the readers' too: only the first one to open reads the log anew
 * instead of believing the index in shared memory. */
static bool
reopen(LpJournal *journal, GError **error)
{
    bool ok;

    g_mutex_lock(&journal->reader_lock);
    sqlite3_close(journal->reader);
    journal->reader = NULL;
    if (journal->writer.sql != NULL) {
        sqlite3_db_config(journal->writer.sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        disconnect(journal);
    }
    ok = connect_file(journal, error);
    g_mutex_unlock(&journal->reader_lock);
    return ok;
}

/* One retry: a commit that failed may or may not be in the log, and repeating it (each request
 * is absolute) is what makes the answer certain. */
static void
write_batch(LpJournal *journal, LpJournalBatch *batch)
{
    int code = SQLITE_OK;

    if (!check_place(journal, &batch->error)) {
        return;
    }
    if (journal->writer.sql != NULL) {
        if (commit(journal, batch, &code, &batch->error) || !must_reopen(code)) {
            return;
        }
        g_clear_error(&batch->error);
    }
    if (reopen(journal, &batch->error)) {
        commit(journal, batch, &code, &batch->error);
    }
}

/* Waits for one request, then takes those that wait with it.  false: the last batch. */
static bool
take_batch(LpJournal *journal, LpJournalBatch *batch)
{
    LpJournalRequest *request = g_async_queue_pop(journal->requests);

    while (request != NULL && request->ask != LP_JOURNAL_QUIT) {
        g_ptr_array_add(batch->requests, request);
        request = batch->requests->len < LP_BATCH_MAX ? g_async_queue_try_pop(journal->requests)
                                                      : NULL;
    }
    if (request != NULL) {
        lp_journal_request_free(request);
        return false;
    }
    return true;
}

gpointer
lp_journal_writer_run(gpointer data)
{
    LpJournal *journal = data;
    bool more = true;

    while (more) {
        LpJournalBatch *batch = g_new0(LpJournalBatch, 1);

        batch->requests = g_ptr_array_new_with_free_func(lp_journal_request_free);
        more = take_batch(journal, batch);
        if (batch->requests->len == 0) {
            lp_journal_batch_free(batch);
            continue;
        }
        write_batch(journal, batch);
        lp_journal_answer(journal, batch);
    }
    return NULL;
}

bool
lp_journal_writer_open(LpJournal *journal, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    struct stat place;
    bool ok;

    if (stat(journal->path, &place) != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot open the journal %s: %s: check its "
                    "directory", journal->path, g_strerror(errno));
        return false;
    }
    writer->device = place.st_dev;
    writer->inode = place.st_ino;
    if (!connect_file(journal, error)) {
        return false;
    }
    ok = lp_journal_purge(journal, g_get_real_time() / G_USEC_PER_SEC, error);
    if (!ok) {
        disconnect(journal);
    }
    return ok;
}

void
lp_journal_writer_close(LpJournal *journal)
{
    disconnect(journal);
}
