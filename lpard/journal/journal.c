/* The journal's face to the main loop: requests go to the writer's thread, its answers come
 * back in their order. */
#include "config.h"

#include "lpard/journal/journal.h"

#include <string.h>

#include "hotplug/fault.h"
#include "lpard/error.h"
#include "lpard/journal/journal-priv.h"

/* How soon it is noticed that a disk works again: nobody else may write, as nothing is begun. */
#define LP_PROBE_MSEC 1000

void
lp_journal_profile_free(gpointer data)
{
    LpJournalProfile *profile = data;

    g_free(profile->metadata);
    g_free(profile);
}

void
lp_journal_keep_profile(LpJournal *journal, const char *uuid, uint64_t generation,
                        const char *metadata)
{
    LpJournalProfile *profile = g_new0(LpJournalProfile, 1);

    profile->generation = generation;
    profile->metadata = g_strdup(metadata);
    g_hash_table_replace(journal->profiles, g_strdup(uuid), profile);
}

void
lp_journal_free(LpJournal *journal)
{
    g_clear_handle_id(&journal->probe_source, g_source_remove);
    sqlite3_close(journal->reader);
    lp_journal_writer_close(journal);
    g_clear_pointer(&journal->writer.open, g_hash_table_unref);
    g_clear_pointer(&journal->writer.owed, g_hash_table_unref);
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

/* The same as was asked for last is not written at all: each mark is another one. */
static gboolean
probe(gpointer data)
{
    LpJournal *journal = data;

    ask_mark(journal, MAX(journal->marked, journal->next_id + LP_IDS_RESERVED) + 1);
    return G_SOURCE_CONTINUE;
}

void
lp_journal_note_health(LpJournal *journal, const GError *error)
{
    if (error != NULL && journal->unhealthy == NULL) {
        g_warning("%s; until then nothing new is begun", error->message);
    } else if (error == NULL && journal->unhealthy != NULL) {
        g_warning("the journal can be written again: new work is taken");
    }
    g_free(journal->unhealthy);
    journal->unhealthy = error != NULL ? g_strdup(error->message) : NULL;
    if (error != NULL && journal->probe_source == 0) {
        journal->probe_source = g_timeout_add(LP_PROBE_MSEC, probe, journal);
    } else if (error == NULL && journal->probe_source != 0) {
        g_source_remove(journal->probe_source);
        journal->probe_source = 0;
    }
}

static void
answer_request(LpJournal *journal, const LpJournalRequest *request)
{
    const GError *error = request->error;

    if (request->ask == LP_JOURNAL_MARK && error != NULL) {
        journal->marked = 0;
    } else if (request->ask == LP_JOURNAL_PUT_PROFILE && error == NULL) {
        lp_journal_keep_profile(journal, request->uuid, (uint64_t)request->number, request->text);
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
    lp_journal_note_health(journal, batch->error);
    /* A callback may close the journal, after which no other one is called. */
    for (guint i = 0; !journal->closed && i < batch->requests->len; i++) {
        answer_request(journal, g_ptr_array_index(batch->requests, i));
    }
    LP_FAULT(JOURNAL_ANSWER_AFTER);
    lp_journal_batch_free(batch);
    journal->delivering = false;
    if (journal->closed) {
        lp_journal_free(journal);
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

void
lp_journal_close(LpJournal *journal)
{
    if (journal == NULL) {
        return;
    }
    /* An orderly end skips no ids. */
    ask_mark(journal, journal->next_id);
    g_async_queue_push(journal->requests,
                       lp_journal_request_new(LP_JOURNAL_QUIT, NULL, NULL, NULL));
    g_thread_join(journal->thread);
    if (journal->answers_source != NULL) {
        g_source_destroy(journal->answers_source);
        g_clear_pointer(&journal->answers_source, g_source_unref);
    }
    journal->closed = true;
    if (!journal->delivering) {
        lp_journal_free(journal);
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
    g_async_queue_push(journal->requests,
                       lp_journal_request_new(LP_JOURNAL_FORGET_XML, uuid, NULL, NULL));
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

bool
lp_journal_ready(const LpJournal *journal, GError **error)
{
    const char *message;

    if (lp_journal_healthy(journal, &message)) {
        return true;
    }
    g_set_error(error, LP_ERROR, LP_ERROR_JOURNAL, "nothing can be begun: %s", message);
    return false;
}
