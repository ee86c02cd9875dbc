/* The audit trail: entries are put without waiting and read by the page. */
#include <string.h>

#include "lpard/journal/journal-priv.h"

/* Peers choose routes and names; nothing an entry is for needs more. */
#define LP_AUDIT_TEXT_MAX 256
/* While the disk hangs or fails, memory is not its substitute: some 5 MiB. */
#define LP_AUDIT_WAITING_MAX 10000
#define LP_AUDIT_PAGE_MAX 1000

static void
add_text(json_t *body, const char *name, const char *text)
{
    g_autofree char *valid = NULL;
    gsize n;

    if (text == NULL) {
        return;
    }
    /* A character that the cut went through becomes a mark as the other bad bytes do. */
    n = strlen(text);
    valid = g_utf8_make_valid(text, (gssize)MIN(n, LP_AUDIT_TEXT_MAX));
    json_object_set_new(body, name, json_string(valid));
}

void
lp_journal_put_audit(LpJournal *journal, const LpJournalAudit *entry)
{
    LpJournalRequest *request;
    json_t *body;

    if (journal->audits_waiting >= LP_AUDIT_WAITING_MAX) {
        journal->audits_lost++;
        return;
    }
    body = json_object();
    add_text(body, "peer", entry->peer);
    add_text(body, "role", entry->role);
    add_text(body, "method", entry->method);
    add_text(body, "route", entry->route);
    add_text(body, "name", entry->name);
    json_object_set_new(body, "status", json_integer(entry->status));
    add_text(body, "problem", entry->problem);
    if (entry->operation != 0) {
        json_object_set_new(body, "operation", json_integer(entry->operation));
    }
    add_text(body, "detail", entry->detail);
    if (journal->audits_lost > 0) {
        json_object_set_new(body, "lost", json_integer(journal->audits_lost));
    }
    request = lp_journal_request_new(LP_JOURNAL_PUT_AUDIT, NULL, NULL, NULL);
    request->uuid = entry->uuid != NULL ? g_utf8_make_valid(entry->uuid, -1) : NULL;
    request->number = g_get_real_time() / G_USEC_PER_SEC;
    request->text = json_dumps(body, JSON_COMPACT);
    request->lost = journal->audits_lost;
    journal->audits_lost = 0;
    journal->audits_waiting++;
    json_decref(body);
    g_async_queue_push(journal->requests, request);
}

void
lp_journal_audit_answer(LpJournal *journal, const LpJournalRequest *request, const GError *error)
{
    journal->audits_waiting--;
    if (error != NULL) {
        journal->audits_lost += request->lost + 1;
    }
}

json_t *
lp_journal_audit(LpJournal *journal, const char *uuid, int64_t before_id, unsigned limit,
                 GError **error)
{
    sqlite3_stmt *statement = lp_journal_query_begin(journal, uuid != NULL ?
        "SELECT id, time_sec, uuid, body FROM audit WHERE id < ?1 AND uuid = ?3"
        " ORDER BY id DESC LIMIT ?2" :
        "SELECT id, time_sec, uuid, body FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        error);
    GError *failed = NULL;
    json_t *list;

    if (statement == NULL) {
        return NULL;
    }
    sqlite3_bind_int64(statement, 1, before_id > 0 ? before_id : INT64_MAX);
    sqlite3_bind_int64(statement, 2, MIN(limit, LP_AUDIT_PAGE_MAX));
    if (uuid != NULL) {
        sqlite3_bind_text(statement, 3, uuid, -1, SQLITE_STATIC);
    }
    list = json_array();
    while (lp_journal_query_next(journal, statement, &failed)) {
        const char *text = (const char *)sqlite3_column_text(statement, 3);
        json_t *row = text != NULL ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;

        /* A row that somebody changed by hand hides none of the others. */
        if (!json_is_object(row)) {
            json_decref(row);
            row = json_pack("{s:s}", "detail", "this entry is not readable: somebody changed the "
                            "journal");
        }
        json_object_set_new(row, "id", json_integer(sqlite3_column_int64(statement, 0)));
        json_object_set_new(row, "time_sec", json_integer(sqlite3_column_int64(statement, 1)));
        if (sqlite3_column_type(statement, 2) != SQLITE_NULL) {
            json_object_set_new(row, "uuid",
                                json_string((const char *)sqlite3_column_text(statement, 2)));
        }
        json_array_append_new(list, row);
    }
    lp_journal_query_end(journal, statement);
    if (failed != NULL) {
        g_propagate_error(error, failed);
        json_decref(list);
        return NULL;
    }
    return list;
}
