/* What is old is deleted once a day.  Rows carry the wall clock, which somebody may set wrongly by
 * years: so the day between two purges is measured on a clock that nobody sets, and one purge
 * takes no more than a tenth of what there is, however late the wall clock says it is. */
#include <time.h>

#include "lpard/journal/journal-priv.h"

#define LP_DAY_SEC (24 * 60 * 60)
/* One row of so many at most: more than the thirtieth that grows old each day when a month is kept,
 * and little enough to notice a wrong clock before the month is gone. */
#define LP_PURGE_SHARE 10

static gint64
uptime_usec(void)
{
    struct timespec now;

    /* Counts the time that the host slept as well. */
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* By a clock that cannot be set while this process runs; when it starts by the wall clock of the
 * last purge, so that one lpard restarted each minute does not purge each minute. */
static bool
due(LpJournal *journal, int64_t now_sec, bool *ret_due, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    int64_t last_sec;

    if (writer->purged_usec != 0) {
        *ret_due = uptime_usec() - writer->purged_usec >= (gint64)LP_DAY_SEC * G_USEC_PER_SEC;
        return true;
    }
    if (!lp_journal_db_number(writer->sql, journal->path,
                              "SELECT value FROM meta WHERE name = 'purged_sec'", &last_sec,
                              error)) {
        return false;
    }
    *ret_due = now_sec < last_sec || now_sec - last_sec >= LP_DAY_SEC;
    return true;
}

static bool
delete_old(LpJournal *journal, const char *table, const char *where, const char *column,
           int64_t now_sec, GError **error)
{
    g_autofree char *text = g_strdup_printf(
        "DELETE FROM %s WHERE id IN (SELECT id FROM %s WHERE %s AND %s < %" G_GINT64_FORMAT
        " ORDER BY %s, id LIMIT (SELECT (count(*) + %d) / %d FROM %s WHERE %s))", table, table,
        where, column, (gint64)(now_sec - (int64_t)journal->keep_days * LP_DAY_SEC), column,
        LP_PURGE_SHARE - 1, LP_PURGE_SHARE, table, where);

    return lp_journal_db_exec(journal->writer.sql, journal->path, text, error);
}

/* Ids follow each other, so the newest tells which ones are too many. */
static bool
delete_many(LpJournal *journal, GError **error)
{
    g_autofree char *text = NULL;

    if (!journal->writer.audited) {
        return true;
    }
    text = g_strdup_printf("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - %d",
                           LP_AUDIT_ROWS_MAX);
    if (!lp_journal_db_exec(journal->writer.sql, journal->path, text, error)) {
        return false;
    }
    journal->writer.audited = false;
    return true;
}

bool
lp_journal_purge(LpJournal *journal, int64_t now_sec, GError **error)
{
    g_autofree char *text = NULL;
    bool is_due = false;

    if (!delete_many(journal, error) || !due(journal, now_sec, &is_due, error)) {
        return false;
    }
    if (!is_due) {
        return true;
    }
    text = g_strdup_printf("UPDATE meta SET value = %" G_GINT64_FORMAT " WHERE name = 'purged_sec'",
                           (gint64)now_sec);
    if (!delete_old(journal, "operation", "NOT open", "changed_sec", now_sec, error) ||
        !delete_old(journal, "audit", "1", "time_sec", now_sec, error) ||
        !lp_journal_db_exec(journal->writer.sql, journal->path, text, error)) {
        return false;
    }
    journal->writer.purged_usec = uptime_usec();
    return true;
}
