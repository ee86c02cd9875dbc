/* Reading the journal from the main loop: a connection of its own, which the write-ahead log
 * lets read while the writer waits for the disk. */
#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* However many are asked for: a page of history stays a few MiB. */
#define LP_HISTORY_MAX 1000

sqlite3_stmt *
lp_journal_query_begin(LpJournal *journal, const char *text, GError **error)
{
    sqlite3_stmt *statement = NULL;

    if (!g_mutex_trylock(&journal->reader_lock)) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "the journal %s is being opened again "
                    "after an error of its disk: try again in a moment", journal->path);
        return NULL;
    }
    if (journal->reader == NULL) {
        journal->reader = lp_journal_db_connect(journal->path, true, error);
    }
    if (journal->reader != NULL &&
        sqlite3_prepare_v2(journal->reader, text, -1, &statement, NULL) != SQLITE_OK) {
        lp_journal_db_fail(journal->reader, journal->path, "read", error);
    }
    if (statement == NULL) {
        g_mutex_unlock(&journal->reader_lock);
    }
    return statement;
}

void
lp_journal_query_end(LpJournal *journal, sqlite3_stmt *statement)
{
    sqlite3_finalize(statement);
    g_mutex_unlock(&journal->reader_lock);
}

bool
lp_journal_query_next(LpJournal *journal, sqlite3_stmt *statement, GError **error)
{
    int code = sqlite3_step(statement);

    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        lp_journal_db_fail(journal->reader, journal->path, "read", error);
    }
    return code == SQLITE_ROW;
}

static const char *
column_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

/* What every query of operations selects, in this order. */
#define ROW "id, uuid, key, open, body, sum"

static json_t *
row_body(LpJournal *journal, sqlite3_stmt *statement, GError **error)
{
    int64_t id = sqlite3_column_int64(statement, 0);
    const char *text = column_text(statement, 4);
    json_t *body = NULL;

    if (text != NULL &&
        lp_journal_sum_right(statement, 5,
                             lp_journal_sum(id, column_text(statement, 1),
                                            column_text(statement, 2),
                                            sqlite3_column_int(statement, 3), text))) {
        body = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    }
    if (body == NULL) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "operation %" G_GINT64_FORMAT " in the "
                    "journal %s is not readable: the disk or somebody changed it; see what became "
                    "of it with lparctl show, stop lpard and delete that row with sqlite3",
                    (gint64)id, journal->path);
    }
    return body;
}

/* All rows as {"id", "uuid", "key", "open", "body"}.  One that is not readable hides none of the
 * others. */
static json_t *
rows(LpJournal *journal, sqlite3_stmt *statement, GError **error)
{
    json_t *list = json_array();
    GError *failed = NULL;

    while (lp_journal_query_next(journal, statement, &failed)) {
        g_autoptr(GError) unreadable = NULL;
        json_t *body = row_body(journal, statement, &unreadable);

        if (body == NULL) {
            g_warning("%s", unreadable->message);
            continue;
        }
        json_array_append_new(list, json_pack("{s:I, s:s?, s:s?, s:b, s:o}",
            "id", (json_int_t)sqlite3_column_int64(statement, 0),
            "uuid", column_text(statement, 1), "key", column_text(statement, 2),
            "open", sqlite3_column_int(statement, 3), "body", body));
    }
    if (failed != NULL) {
        g_propagate_error(error, failed);
        json_decref(list);
        return NULL;
    }
    return list;
}

/* By the rows themselves: an index that has lost one would leave its operation open for ever. */
json_t *
lp_journal_unreadable_operations(LpJournal *journal, GError **error)
{
    sqlite3_stmt *statement = lp_journal_query_begin(journal, "SELECT " ROW
                                                     " FROM operation NOT INDEXED WHERE open"
                                                     " ORDER BY id", error);
    json_t *list = json_array();
    GError *failed = NULL;

    while (statement != NULL && lp_journal_query_next(journal, statement, &failed)) {
        json_t *body = row_body(journal, statement, NULL);

        if (body == NULL) {
            json_array_append_new(list, json_pack("{s:I, s:s?}",
                "id", (json_int_t)sqlite3_column_int64(statement, 0),
                "uuid", column_text(statement, 1)));
        }
        json_decref(body);
    }
    if (statement != NULL) {
        lp_journal_query_end(journal, statement);
    }
    if (failed != NULL) {
        g_propagate_error(error, failed);
    }
    return list;
}

json_t *
lp_journal_open_operations(LpJournal *journal, GError **error)
{
    sqlite3_stmt *statement = lp_journal_query_begin(journal, "SELECT " ROW
                                          " FROM operation NOT INDEXED WHERE open ORDER BY id",
                                          error);
    json_t *list;

    if (statement == NULL) {
        return NULL;
    }
    list = rows(journal, statement, error);
    lp_journal_query_end(journal, statement);
    return list;
}

json_t *
lp_journal_history(LpJournal *journal, const char *uuid, int64_t before_id, unsigned limit,
                   GError **error)
{
    sqlite3_stmt *statement = lp_journal_query_begin(journal, uuid != NULL ?
        "SELECT " ROW " FROM operation"
        " WHERE NOT open AND id < ?1 AND uuid = ?3 ORDER BY id DESC LIMIT ?2" :
        "SELECT " ROW " FROM operation"
        " WHERE NOT open AND id < ?1 ORDER BY id DESC LIMIT ?2", error);
    json_t *list;

    if (statement == NULL) {
        return NULL;
    }
    sqlite3_bind_int64(statement, 1, before_id > 0 ? before_id : INT64_MAX);
    sqlite3_bind_int64(statement, 2, MIN(limit, LP_HISTORY_MAX));
    if (uuid != NULL) {
        sqlite3_bind_text(statement, 3, uuid, -1, SQLITE_STATIC);
    }
    list = rows(journal, statement, error);
    lp_journal_query_end(journal, statement);
    return list;
}

static json_t *
one_body(LpJournal *journal, sqlite3_stmt *statement, GError **error)
{
    json_t *body = NULL;

    if (lp_journal_query_next(journal, statement, error)) {
        body = row_body(journal, statement, error);
    }
    lp_journal_query_end(journal, statement);
    return body;
}

json_t *
lp_journal_operation(LpJournal *journal, int64_t id, GError **error)
{
    sqlite3_stmt *statement = lp_journal_query_begin(journal, "SELECT " ROW " FROM operation"
                                          " WHERE id = ?1", error);

    if (statement == NULL) {
        return NULL;
    }
    sqlite3_bind_int64(statement, 1, id);
    return one_body(journal, statement, error);
}

json_t *
lp_journal_by_key(LpJournal *journal, const char *key, GError **error)
{
    sqlite3_stmt *statement = lp_journal_query_begin(journal, "SELECT " ROW " FROM operation"
                                          " WHERE key = ?1 ORDER BY id DESC LIMIT 1", error);

    if (statement == NULL) {
        return NULL;
    }
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    return one_body(journal, statement, error);
}

char *
lp_journal_saved_xml(LpJournal *journal, const char *uuid, GError **error)
{
    sqlite3_stmt *statement = lp_journal_query_begin(journal, "SELECT xml, sum FROM saved_xml"
                                                     " WHERE uuid = ?1", error);
    char *xml = NULL;

    if (statement == NULL) {
        return NULL;
    }
    sqlite3_bind_text(statement, 1, uuid, -1, SQLITE_STATIC);
    if (lp_journal_query_next(journal, statement, error)) {
        const char *text = column_text(statement, 0);

        if (text != NULL &&
            lp_journal_sum_right(statement, 1, lp_journal_sum(0, uuid, NULL, false, text))) {
            xml = g_strdup(text);
        } else {
            g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "the XML saved when %s was enabled is "
                        "not readable in the journal %s: the disk or somebody changed it", uuid,
                        journal->path);
        }
    }
    lp_journal_query_end(journal, statement);
    return xml;
}
