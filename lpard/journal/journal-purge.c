/* What is old is deleted once a day.  Rows carry the wall clock, which somebody may set wrongly by
 * years: so the day between two purges is measured on a clock that nobody sets, and one purge
 * takes no more than the two oldest days of history, however late the wall clock says it is. */
#include <string.h>
#include <time.h>

#include "lpard/journal/journal-priv.h"

#define LP_DAY_SEC (24 * 60 * 60)
/* More than one, so that a history that lpard was not there to purge is caught up with. */
#define LP_PURGE_DAYS_MAX 2

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
delete_old(LpJournal *journal, const char *from, const char *column, int64_t now_sec,
           GError **error)
{
    sqlite3 *sql = journal->writer.sql;
    g_autofree char *oldest = g_strdup_printf("SELECT coalesce(min(%s), 0) FROM %s", column, from);
    g_autofree char *text = NULL;
    int64_t first_sec = 0, before_sec;

    if (!lp_journal_db_number(sql, journal->path, oldest, &first_sec, error)) {
        return false;
    }
    before_sec = MIN(now_sec - (int64_t)journal->keep_days * LP_DAY_SEC,
                     first_sec + LP_PURGE_DAYS_MAX * LP_DAY_SEC);
    text = g_strdup_printf("DELETE FROM %s %s %s < %" G_GINT64_FORMAT, from,
                           strstr(from, "WHERE") != NULL ? "AND" : "WHERE", column,
                           (gint64)before_sec);
    return lp_journal_db_exec(sql, journal->path, text, error);
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
    if (!delete_old(journal, "operation WHERE NOT open", "changed_sec", now_sec, error) ||
        !delete_old(journal, "audit", "time_sec", now_sec, error) ||
        !lp_journal_db_exec(journal->writer.sql, journal->path, text, error)) {
        return false;
    }
    journal->writer.purged_usec = uptime_usec();
    return true;
}
