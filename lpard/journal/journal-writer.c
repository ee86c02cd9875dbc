/* The thread that owns the journal's writing: takes all requests that wait, commits them as one
 * transaction, and answers. */
#include <errno.h>
#include <sys/stat.h>

#include "hotplug/fault.h"
#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* A transaction larger than this would make its first request wait for its last. */
#define LP_BATCH_MAX 512

static const char *const statements[LP_JOURNAL_STATEMENTS] = {
    [LP_JOURNAL_PUT_OPERATION] =
        "INSERT OR REPLACE INTO operation (id, uuid, key, body, open, changed_sec, sum)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [LP_JOURNAL_PUT_PROFILE] =
        "INSERT OR REPLACE INTO profile (generation, uuid, metadata, sum)"
        " VALUES (?1, ?2, ?4, ?7)",
    [LP_JOURNAL_FORGET_PROFILE] = "DELETE FROM profile WHERE uuid = ?2",
    [LP_JOURNAL_PUT_XML] = "INSERT OR REPLACE INTO saved_xml (uuid, xml, sum)"
        " VALUES (?2, ?4, ?7)",
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

/* Not every statement has every parameter. */
static bool
has(sqlite3_stmt *statement, int at)
{
    return at <= sqlite3_bind_parameter_count(statement);
}

static bool
bind_number(sqlite3_stmt *statement, int at, int64_t number)
{
    return !has(statement, at) || sqlite3_bind_int64(statement, at, number) == SQLITE_OK;
}

static bool
bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return !has(statement, at) ||
           (text == NULL ? sqlite3_bind_null(statement, at)
                         : sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC)) == SQLITE_OK;
}

static bool
apply(LpJournalWriter *writer, const LpJournalRequest *request, int64_t now_sec)
{
    sqlite3_stmt *statement = writer->statements[request->ask];

    writer->audited = writer->audited || request->ask == LP_JOURNAL_PUT_AUDIT;
    return bind_number(statement, 1, request->number) &&
           bind_text(statement, 2, request->uuid) && bind_text(statement, 3, request->key) &&
           bind_text(statement, 4, request->text) && bind_number(statement, 5, request->open) &&
           bind_number(statement, 6, now_sec) &&
           bind_number(statement, 7, lp_journal_sum(request->number, request->uuid, request->key,
                                                    request->open, request->text)) &&
           sqlite3_step(statement) == SQLITE_DONE;
}

/* The error is taken before the statement is reset: the reset may replace it. */
static bool
apply_one(LpJournal *journal, const LpJournalRequest *request, int64_t now_sec, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    bool ok = apply(writer, request, now_sec);

    if (!ok) {
        lp_journal_db_fail(writer->sql, journal->path, "write", error);
    }
    sqlite3_reset(writer->statements[request->ask]);
    sqlite3_clear_bindings(writer->statements[request->ask]);
    return ok;
}

static bool
apply_all(LpJournal *journal, const LpJournalBatch *batch, int64_t now_sec, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    GHashTableIter iter;
    LpJournalRequest *request;
    bool ok = true;

    g_hash_table_iter_init(&iter, writer->owed);
    while (ok && g_hash_table_iter_next(&iter, NULL, (gpointer *)&request)) {
        ok = apply_one(journal, request, now_sec, error);
    }
    for (guint i = 0; ok && i < batch->requests->len; i++) {
        request = g_ptr_array_index(batch->requests, i);
        ok = request->error != NULL || request->held_back ||
             apply_one(journal, request, now_sec, error);
    }
    return ok;
}

static bool
write_all(LpJournal *journal, const LpJournalBatch *batch, GError **error)
{
    int64_t now_sec = g_get_real_time() / G_USEC_PER_SEC;
    sqlite3 *sql = journal->writer.sql;

    LP_FAULT(JOURNAL_BEGIN_BEFORE);
    if (!lp_journal_db_exec(sql, journal->path, "BEGIN IMMEDIATE", error)) {
        return false;
    }
    LP_FAULT(JOURNAL_BEGIN_AFTER);
    if (!apply_all(journal, batch, now_sec, error) ||
        (!journal->writer.tight && !lp_journal_purge(journal, now_sec, error))) {
        return false;
    }
    LP_FAULT(JOURNAL_COMMIT_BEFORE);
    if (!lp_journal_db_exec(sql, journal->path, "COMMIT", error)) {
        return false;
    }
    LP_FAULT(JOURNAL_COMMIT_AFTER);
    return true;
}

/* What is open on disk now. */
static void
note_open(LpJournalWriter *writer, const LpJournalBatch *batch)
{
    GHashTableIter iter;
    gpointer id;

    g_hash_table_iter_init(&iter, writer->owed);
    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        g_hash_table_remove(writer->open, id);
    }
    g_hash_table_remove_all(writer->owed);
    for (guint i = 0; i < batch->requests->len; i++) {
        const LpJournalRequest *request = g_ptr_array_index(batch->requests, i);

        if (request->error != NULL || request->held_back ||
            request->ask != LP_JOURNAL_PUT_OPERATION) {
            continue;
        }
        if (request->open) {
            g_hash_table_add(writer->open, g_memdup2(&request->number, sizeof(int64_t)));
        } else {
            g_hash_table_remove(writer->open, &request->number);
        }
    }
}

bool
lp_journal_writer_commit(LpJournal *journal, const LpJournalBatch *batch, int *ret_code,
                         GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    gint64 purged_usec = writer->purged_usec;

    if (write_all(journal, batch, error)) {
        note_open(writer, batch);
        return true;
    }
    *ret_code = sqlite3_extended_errcode(writer->sql);
    /* SQLite knows of a full disk, but not of a quota. */
    if ((*ret_code & 0xff) == SQLITE_IOERR && sqlite3_system_errno(writer->sql) == EDQUOT) {
        *ret_code = SQLITE_FULL;
        writer->doubted = true;
    }
    writer->purged_usec = purged_usec;
    if (!sqlite3_get_autocommit(writer->sql)) {
        sqlite3_exec(writer->sql, "ROLLBACK", NULL, NULL, NULL);
    }
    return false;
}

/* Every connection is closed, the readers' too: only the first one to open reads the log anew
 * instead of believing the index in shared memory. */
bool
lp_journal_writer_reopen(LpJournal *journal, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    bool ok;

    g_mutex_lock(&journal->reader_lock);
    sqlite3_close(journal->reader);
    journal->reader = NULL;
    if (writer->sql != NULL) {
        sqlite3_db_config(writer->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        disconnect(journal);
    }
    ok = !writer->doubted || lp_journal_log_rewrite(journal->path, error);
    if (ok) {
        writer->doubted = false;
        ok = connect_file(journal, error);
    }
    g_mutex_unlock(&journal->reader_lock);
    return ok;
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
        lp_journal_write_batch(journal, batch);
        lp_journal_answer(journal, batch);
    }
    return NULL;
}

static bool
load_open(LpJournal *journal, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(writer->sql, "SELECT id FROM operation WHERE open", -1,
                                  &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            int64_t id = sqlite3_column_int64(statement, 0);

            g_hash_table_add(writer->open, g_memdup2(&id, sizeof(id)));
        }
    }
    if (code != SQLITE_DONE) {
        lp_journal_db_fail(writer->sql, journal->path, "read", error);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE;
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
    ok = load_open(journal, error) &&
         lp_journal_purge(journal, g_get_real_time() / G_USEC_PER_SEC, error);
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
