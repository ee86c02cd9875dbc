/* Opening the journal: one lpard at a time, what is kept in memory, the writer's thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* Open-file-description locks: unlike the process's own they are not lost when anything in the
 * process closes the file. */
static int
lock_dir(const char *state_dir, GError **error)
{
    g_autofree char *path = g_build_filename(state_dir, "lpard.lock", NULL);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char text[24] = "";
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot open %s: %s: check the owner and "
                    "mode of the directory", path, g_strerror(errno));
        return -1;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        if (errno != EAGAIN && errno != EACCES) {
            g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot lock %s: %s: keep the state "
                        "directory on a local file system", path, g_strerror(errno));
        } else if (pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) > 0) {
            g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT, "another lpard (pid %d) works with %s: "
                        "stop it, or set another state directory in lpard.conf", atoi(text),
                        state_dir);
        } else {
            g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT, "another lpard is starting with %s: "
                        "stop it, or set another state directory in lpard.conf", state_dir);
        }
        close(fd);
        return -1;
    }
    g_snprintf(text, sizeof(text), "%d\n", (int)getpid());
    /* Over what is there, which needs no room; and who holds it is told for people only. */
    if ((pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text) ||
         ftruncate(fd, (off_t)strlen(text)) != 0) && errno != ENOSPC && errno != EDQUOT) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot write %s: %s: check the space of "
                    "its file system", path, g_strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static bool
load_profiles(LpJournal *journal, GError **error)
{
    sqlite3 *sql = journal->writer.sql;
    sqlite3_stmt *statement = NULL;
    int code;

    if (sqlite3_prepare_v2(sql, "SELECT uuid, generation, metadata, sum FROM profile", -1,
                           &statement, NULL) != SQLITE_OK) {
        lp_journal_db_fail(sql, journal->path, "read", error);
        return false;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *uuid = (const char *)sqlite3_column_text(statement, 0);
        int64_t generation = sqlite3_column_int64(statement, 1);
        const char *metadata = (const char *)sqlite3_column_text(statement, 2);

        if (uuid == NULL || metadata == NULL ||
            !lp_journal_sum_right(statement, 3, lp_journal_sum(generation, uuid, NULL, false,
                                                               metadata))) {
            g_warning("the profile last seen of %s is not readable in the journal %s and is "
                      "forgotten: the disk or somebody changed it", uuid ? uuid : "?",
                      journal->path);
            continue;
        }
        lp_journal_keep_profile(journal, uuid, (uint64_t)generation, metadata);
    }
    if (code != SQLITE_DONE) {
        lp_journal_db_fail(sql, journal->path, "read", error);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

static bool
load_next_id(LpJournal *journal, GError **error)
{
    sqlite3 *sql = journal->writer.sql;
    g_autofree char *text = NULL;
    int64_t mark = 0, last = 0;

    if (!lp_journal_db_number(sql, journal->path,
                              "SELECT value FROM meta WHERE name = 'next_id'", &mark, error) ||
        !lp_journal_db_number(sql, journal->path, "SELECT coalesce(max(id), 0) FROM operation",
                              &last, error)) {
        return false;
    }
    journal->next_id = MAX(MAX(mark, last + 1), 1);
    journal->marked = journal->next_id + LP_IDS_RESERVED;
    text = g_strdup_printf("UPDATE meta SET value = %" G_GINT64_FORMAT " WHERE name = 'next_id'",
                           (gint64)journal->marked);
    return lp_journal_db_exec(sql, journal->path, text, error);
}

static bool
try_open(LpJournal *journal, GError **error)
{
    if (lp_journal_db_prepare(journal->path, error) && lp_journal_writer_open(journal, error) &&
        load_profiles(journal, error) && load_next_id(journal, error)) {
        return true;
    }
    lp_journal_writer_close(journal);
    return false;
}

/* On a full disk what was open before must be taken up and closed all the same. */
static bool
open_file(LpJournal *journal, GError **error)
{
    g_autoptr(GError) missing = NULL, failed = NULL;

    if (!try_open(journal, &failed)) {
        if (!lp_journal_no_room(journal->path)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        lp_journal_reserve_give_up(journal);
        if (!try_open(journal, error)) {
            return false;
        }
        lp_journal_note_health(journal, failed);
    } else if (!lp_journal_reserve_make(journal, &missing)) {
        lp_journal_note_health(journal, missing);
    }
    return true;
}

LpJournal *
lp_journal_open(const char *state_dir, uint32_t keep_days, GError **error)
{
    LpJournal *journal = g_new0(LpJournal, 1);

    journal->path = g_build_filename(state_dir, "journal.db", NULL);
    journal->keep_days = keep_days;
    journal->lock_fd = -1;
    journal->profiles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              lp_journal_profile_free);
    journal->requests = g_async_queue_new_full(lp_journal_request_free);
    journal->context = g_main_context_ref_thread_default();
    g_mutex_init(&journal->answers_lock);
    g_mutex_init(&journal->reader_lock);
    g_queue_init(&journal->answers);
    journal->writer.open = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    journal->writer.owed = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                                 lp_journal_request_free);
    if (g_mkdir_with_parents(state_dir, 0700) != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot make the state directory %s: %s: "
                    "make it, or set another one in lpard.conf", state_dir, g_strerror(errno));
    } else if ((journal->lock_fd = lock_dir(state_dir, error)) >= 0 &&
               open_file(journal, error)) {
        journal->thread = g_thread_new("lpard-journal", lp_journal_writer_run, journal);
        return journal;
    }
    lp_journal_free(journal);
    return NULL;
}
