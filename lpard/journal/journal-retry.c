/* How the writer goes on when the disk fails.
 *
 * Full: room is kept in reserve for what operations that are open still have to write.  It is given
 * up to them, and to nothing new, until there is room to set it aside again.
 *
 * Any other error: what was written and not brought to rest may be lost, although it can still be
 * read: Linux tells of a failed write-back once and then takes those pages for written.  So no file
 * is synced again in the hope of better: everything is closed, the log's bytes are written anew
 * (journal-log.c), and the batch is repeated, which is the same as done once as each request is
 * absolute.
 *
 * A result that cannot be written at all is owed: it is the first thing that is, later. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* With less, SQLite cannot even open its files. */
#define LP_ROOM_LEAST_BYTES (256 * 1024)

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

bool
lp_journal_no_room(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < LP_ROOM_LEAST_BYTES;
}

static bool
is_full(const LpJournal *journal, int code)
{
    return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
           (((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN) &&
            lp_journal_no_room(journal->path));
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

/* In a tight place only what operations that are open on disk still need, and results. */
static bool
may_be_written(const LpJournalWriter *writer, const LpJournalRequest *request)
{
    return !writer->tight ||
           (request->ask == LP_JOURNAL_PUT_OPERATION &&
            (!request->open || g_hash_table_contains(writer->open, &request->number)));
}

/* false: there is nothing to write. */
static bool
choose(LpJournal *journal, LpJournalBatch *batch)
{
    bool any = g_hash_table_size(journal->writer.owed) > 0;

    for (guint i = 0; i < batch->requests->len; i++) {
        LpJournalRequest *request = g_ptr_array_index(batch->requests, i);

        request->held_back = !may_be_written(&journal->writer, request);
        any = any || !request->held_back;
    }
    return any;
}

/* At most once more than asked, on a connection made anew. */
static bool
try_batch(LpJournal *journal, LpJournalBatch *batch, bool *ret_full, GError **error)
{
    LpJournalWriter *writer = &journal->writer;
    int code = SQLITE_OK;

    if (!choose(journal, batch)) {
        return true;
    }
    if (writer->sql != NULL && !writer->doubted) {
        if (lp_journal_writer_commit(journal, batch, &code, error)) {
            return true;
        }
        *ret_full = is_full(journal, code);
        writer->doubted = writer->doubted || must_reopen(code);
        if (!writer->doubted) {
            return false;
        }
        g_clear_error(error);
    }
    if (!lp_journal_writer_reopen(journal, error)) {
        *ret_full = *ret_full || lp_journal_no_room(journal->path);
        return false;
    }
    if (lp_journal_writer_commit(journal, batch, &code, error)) {
        return true;
    }
    *ret_full = is_full(journal, code);
    writer->doubted = writer->doubted || must_reopen(code);
    return false;
}

/* What closes an operation outlives the failure. */
static void
owe(LpJournalWriter *writer, const LpJournalRequest *request)
{
    LpJournalRequest *copy;

    if (request->ask != LP_JOURNAL_PUT_OPERATION || request->open) {
        return;
    }
    copy = lp_journal_request_new(request->ask, request->uuid, NULL, NULL);
    copy->number = request->number;
    copy->key = g_strdup(request->key);
    copy->text = g_strdup(request->text);
    g_hash_table_replace(writer->owed, &copy->number, copy);
}

static void
tell_fates(LpJournal *journal, LpJournalBatch *batch, bool written)
{
    for (guint i = 0; i < batch->requests->len; i++) {
        LpJournalRequest *request = g_ptr_array_index(batch->requests, i);

        if (request->error != NULL || (written && !request->held_back)) {
            continue;
        }
        request->error = g_error_copy(batch->error);
        owe(&journal->writer, request);
    }
}

void
lp_journal_write_batch(LpJournal *journal, LpJournalBatch *batch)
{
    LpJournalWriter *writer = &journal->writer;
    GError *missing = NULL, *failed = NULL;
    bool full = false, written = false;

    if (check_place(journal, &failed)) {
        writer->tight = !lp_journal_reserve_make(journal, &missing);
        written = try_batch(journal, batch, &full, &failed);
        if (!written && full && !writer->tight) {
            lp_journal_reserve_give_up(journal);
            writer->tight = true;
            missing = g_steal_pointer(&failed);
            full = false;
            written = try_batch(journal, batch, &full, &failed);
        }
    }
    batch->error = failed != NULL ? failed : g_steal_pointer(&missing);
    g_clear_error(&missing);
    tell_fates(journal, batch, written);
}
