/* The journal's face to the main loop: requests go to the writer's thread, its answers come
 * back in their order. */
#include "config.h"

#include "lpard/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hotplug/fault.h"
#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* Ids set aside on disk at a time: how many may be skipped by a crash.  Half of them must cover
 * those given out while one commit is on its way. */
#define LP_IDS_RESERVED 100

static void
profile_free(gpointer data)
{
    LpJournalProfile *profile = data;

    g_free(profile->metadata);
    g_free(profile);
}

static void
keep_profile(LpJournal *journal, const char *uuid, uint64_t generation, const char *metadata)
{
    LpJournalProfile *profile = g_new0(LpJournalProfile, 1);

    profile->generation = generation;
    profile->metadata = g_strdup(metadata);
    g_hash_table_replace(journal->profiles, g_strdup(uuid), profile);
}

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
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text)) {
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

    if (sqlite3_prepare_v2(sql, "SELECT uuid, generation, metadata FROM profile", -1, &statement,
                           NULL) != SQLITE_OK) {
        lp_journal_db_fail(sql, journal->path, "read", error);
        return false;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        keep_profile(journal, (const char *)sqlite3_column_text(statement, 0),
                     (uint64_t)sqlite3_column_int64(statement, 1),
                     (const char *)sqlite3_column_text(statement, 2));
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

static void
journal_free(LpJournal *journal)
{
    sqlite3_close(journal->reader);
    lp_journal_writer_close(journal);
    g_queue_clear_full(&journal->answers, lp_journal_batch_free);
    g_clear_pointer(&journal->requests, g_async_queue_unref);
    g_clear_pointer(&journal->context, g_main_context_unref);
    g_clear_pointer(&journal->profiles, g_hash_table_unref);
    g_mutex_clear(&journal->answers_lock);
    g_mutex_clear(&journal->reader_lock);
    if (journal->lock_fd >= 0) {
        close(journal->lock_fd);
    }
    g_free(journal->unhealthy);
    g_free(journal->path);
    g_free(journal);
}

LpJournal *
lp_journal_open(const char *state_dir, uint32_t keep_days, GError **error)
{
    LpJournal *journal = g_new0(LpJournal, 1);

    journal->path = g_build_filename(state_dir, "journal.db", NULL);
    journal->keep_days = keep_days;
    journal->lock_fd = -1;
    journal->profiles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, profile_free);
    journal->requests = g_async_queue_new_full(lp_journal_request_free);
    journal->context = g_main_context_ref_thread_default();
    g_mutex_init(&journal->answers_lock);
    g_mutex_init(&journal->reader_lock);
    g_queue_init(&journal->answers);

    if (g_mkdir_with_parents(state_dir, 0700) != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "cannot make the state directory %s: %s: "
                    "make it, or set another one in lpard.conf", state_dir, g_strerror(errno));
    } else if ((journal->lock_fd = lock_dir(state_dir, error)) >= 0 &&
               lp_journal_db_prepare(journal->path, error) &&
               lp_journal_writer_open(journal, error) && load_profiles(journal, error) &&
               load_next_id(journal, error)) {
        journal->thread = g_thread_new("lpard-journal", lp_journal_writer_run, journal);
        return journal;
    }
    journal_free(journal);
    return NULL;
}

/* --- answers, on the main loop --- */

static void
note_health(LpJournal *journal, const GError *error)
{
    g_free(journal->unhealthy);
    journal->unhealthy = error != NULL ? g_strdup(error->message) : NULL;
}

static void
answer_request(LpJournal *journal, const LpJournalRequest *request, const GError *failed)
{
    const GError *error = request->error != NULL ? request->error : failed;

    if (request->ask == LP_JOURNAL_MARK && error != NULL) {
        journal->marked = 0;
    } else if (request->ask == LP_JOURNAL_PUT_PROFILE && error == NULL) {
        keep_profile(journal, request->uuid, (uint64_t)request->number, request->text);
    } else if (request->ask == LP_JOURNAL_FORGET_PROFILE && error == NULL) {
        g_hash_table_remove(journal->profiles, request->uuid);
    } else if (request->ask == LP_JOURNAL_PUT_AUDIT) {
        lp_journal_audit_answer(journal, request, error);
    }
    if (request->done != NULL) {
        request->done(error, request->data);
    }
}

static LpJournalBatch *
next_answer(LpJournal *journal)
{
    LpJournalBatch *batch;

    g_mutex_lock(&journal->answers_lock);
    batch = g_queue_pop_head(&journal->answers);
    if (batch == NULL) {
        g_clear_pointer(&journal->answers_source, g_source_unref);
    }
    g_mutex_unlock(&journal->answers_lock);
    return batch;
}

static gboolean
deliver(gpointer data)
{
    LpJournal *journal = data;
    LpJournalBatch *batch = next_answer(journal);

    if (batch == NULL) {
        return G_SOURCE_REMOVE;
    }
    journal->delivering = true;
    LP_FAULT(JOURNAL_ANSWER_BEFORE);
    note_health(journal, batch->error);
    /* A callback may close the journal, after which no other one is called. */
    for (guint i = 0; !journal->closed && i < batch->requests->len; i++) {
        answer_request(journal, g_ptr_array_index(batch->requests, i), batch->error);
    }
    LP_FAULT(JOURNAL_ANSWER_AFTER);
    lp_journal_batch_free(batch);
    journal->delivering = false;
    if (journal->closed) {
        journal_free(journal);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

void
lp_journal_answer(LpJournal *journal, LpJournalBatch *batch)
{
    g_mutex_lock(&journal->answers_lock);
    g_queue_push_tail(&journal->answers, batch);
    if (journal->answers_source == NULL) {
        journal->answers_source = g_idle_source_new();
        /* As urgent as the requests that wait for it. */
        g_source_set_priority(journal->answers_source, G_PRIORITY_DEFAULT);
        g_source_set_callback(journal->answers_source, deliver, journal, NULL);
        g_source_attach(journal->answers_source, journal->context);
    }
    g_mutex_unlock(&journal->answers_lock);
}

/* --- requests --- */

LpJournalRequest *
lp_journal_request_new(LpJournalAsk ask, const char *uuid, LpDurableFunc done, void *data)
{
    LpJournalRequest *request = g_new0(LpJournalRequest, 1);

    request->ask = ask;
    request->uuid = g_strdup(uuid);
    request->done = done;
    request->data = data;
    return request;
}

static void
ask_mark(LpJournal *journal, int64_t mark)
{
    LpJournalRequest *request = lp_journal_request_new(LP_JOURNAL_MARK, NULL, NULL, NULL);

    request->number = mark;
    journal->marked = mark;
    g_async_queue_push(journal->requests, request);
}

void
lp_journal_close(LpJournal *journal)
{
    if (journal == NULL) {
        return;
    }
    /* An orderly end skips no ids. */
    ask_mark(journal, journal->next_id);
    g_async_queue_push(journal->requests, lp_journal_request_new(LP_JOURNAL_QUIT, NULL, NULL, NULL));
    g_thread_join(journal->thread);
    if (journal->answers_source != NULL) {
        g_source_destroy(journal->answers_source);
        g_clear_pointer(&journal->answers_source, g_source_unref);
    }
    journal->closed = true;
    if (!journal->delivering) {
        journal_free(journal);
    }
}

int64_t
lp_journal_next_id(LpJournal *journal)
{
    int64_t id = journal->next_id++;

    /* The queue keeps order, so the mark is on disk no later than the operation itself. */
    if (journal->marked - journal->next_id < LP_IDS_RESERVED / 2) {
        ask_mark(journal, journal->next_id + LP_IDS_RESERVED);
    }
    return id;
}

void
lp_journal_put_operation(LpJournal *journal, int64_t id, const char *uuid, const char *key,
                         bool open, json_t *body, LpDurableFunc done, void *data)
{
    LpJournalRequest *request = lp_journal_request_new(LP_JOURNAL_PUT_OPERATION, uuid, done, data);

    request->number = id;
    request->key = g_strdup(key);
    request->open = open;
    /* As text at once: values in it may still be shared with the caller. */
    request->text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(body);
    if (request->text == NULL) {
        request->error = g_error_new(LP_ERROR, LP_ERROR_JOURNAL, "operation %" G_GINT64_FORMAT
                                     " cannot be put in the journal: it has no JSON form",
                                     (gint64)id);
    }
    g_async_queue_push(journal->requests, request);
}

void
lp_journal_put_profile(LpJournal *journal, const char *uuid, uint64_t generation,
                       const char *metadata, LpDurableFunc done, void *data)
{
    LpJournalRequest *request = lp_journal_request_new(LP_JOURNAL_PUT_PROFILE, uuid, done, data);

    request->number = (int64_t)generation;
    request->text = g_strdup(metadata);
    g_async_queue_push(journal->requests, request);
}

void
lp_journal_forget_profile(LpJournal *journal, const char *uuid, LpDurableFunc done, void *data)
{
    g_async_queue_push(journal->requests,
                       lp_journal_request_new(LP_JOURNAL_FORGET_PROFILE, uuid, done, data));
}

void
lp_journal_put_saved_xml(LpJournal *journal, const char *uuid, const char *xml,
                         LpDurableFunc done, void *data)
{
    LpJournalRequest *request = lp_journal_request_new(LP_JOURNAL_PUT_XML, uuid, done, data);

    request->text = g_strdup(xml);
    g_async_queue_push(journal->requests, request);
}

void
lp_journal_forget_saved_xml(LpJournal *journal, const char *uuid)
{
    g_async_queue_push(journal->requests, lp_journal_request_new(LP_JOURNAL_FORGET_XML, uuid, NULL, NULL));
}

bool
lp_journal_last_profile(LpJournal *journal, const char *uuid, uint64_t *ret_generation,
                        const char **ret_metadata)
{
    const LpJournalProfile *profile = g_hash_table_lookup(journal->profiles, uuid);

    if (profile == NULL) {
        return false;
    }
    if (ret_generation != NULL) {
        *ret_generation = profile->generation;
    }
    if (ret_metadata != NULL) {
        *ret_metadata = profile->metadata;
    }
    return true;
}

bool
lp_journal_healthy(const LpJournal *journal, const char **ret_message)
{
    if (ret_message != NULL) {
        *ret_message = journal->unhealthy;
    }
    return journal->unhealthy == NULL;
}
