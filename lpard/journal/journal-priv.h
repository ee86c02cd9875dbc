/* What the journal's own files share: the file (journal-db.c), its schema and examination
 * (journal-schema.c), opening it (journal-open.c), the thread that writes (journal-writer.c) and
 * how it goes on after an error of the disk (journal-retry.c, journal-reserve.c, journal-log.c),
 * what is deleted when it is old (journal-purge.c), the rows' sums (journal-sum.c), the readers
 * (journal-read.c), the audit trail (journal-audit.c), and the face (journal.c). */
#ifndef LP_LPARD_JOURNAL_PRIV_H
#define LP_LPARD_JOURNAL_PRIV_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "lpard/journal/journal.h"

/* What a request asks of the writer; one prepared statement each, in this order. */
typedef enum {
    LP_JOURNAL_PUT_OPERATION,
    LP_JOURNAL_PUT_PROFILE,
    LP_JOURNAL_FORGET_PROFILE,
    LP_JOURNAL_PUT_XML,
    LP_JOURNAL_FORGET_XML,
    LP_JOURNAL_PUT_AUDIT,             /* `number`: wall clock seconds */
    LP_JOURNAL_MARK,                  /* `number`: no id below it is given out again */
    LP_JOURNAL_STATEMENTS,
    LP_JOURNAL_QUIT = LP_JOURNAL_STATEMENTS,
} LpJournalAsk;

typedef struct {
    LpJournalAsk ask;
    int64_t number;                   /* an operation's id, a generation, or the mark */
    char *uuid, *key, *text;
    bool open;
    bool held_back;                   /* there is only room for what must be written */
    unsigned lost;                    /* audit entries that this one tells of */
    GError *error;                    /* why it is not on disk; NULL: it is */
    LpDurableFunc done;
    void *data;
} LpJournalRequest;

/* Requests that were tried together. */
typedef struct {
    GPtrArray *requests;              /* of LpJournalRequest*, in the order they were made */
    GError *error;                    /* why nothing new may be begun; NULL: all is well */
} LpJournalBatch;

typedef struct {
    sqlite3 *sql;                     /* NULL: could not be opened again after an error */
    sqlite3_stmt *statements[LP_JOURNAL_STATEMENTS];
    dev_t device;                     /* the file that was opened, to notice its removal */
    ino_t inode;
    gint64 purged_usec;               /* monotonic; 0: not by this process */
    GHashTable *open;                 /* ids of the operations that are open on disk */
    GHashTable *owed;                 /* id -> LpJournalRequest* that closes it, not yet on disk */
    bool reserved;                    /* room is set aside, or cannot be here */
    bool tight;                       /* only for what open operations need is there room */
    bool doubted;                     /* what the log holds may not be on disk: write it again */
    bool audited;                     /* rows were added since the oldest were looked for */
} LpJournalWriter;

struct LpJournal {
    char *path;
    int lock_fd;
    uint32_t keep_days;

    /* The main loop's. */
    int64_t next_id;
    int64_t marked;                   /* the mark that was last asked for; 0: ask again */
    GHashTable *profiles;             /* uuid -> LpJournalProfile* */
    char *unhealthy;                  /* the sentence, or NULL */
    guint probe_source;               /* looks whether it is well again; 0 while it is */
    bool delivering, closed;
    unsigned audits_waiting;          /* for the disk */
    unsigned audits_lost;             /* not yet told in the trail itself */

    GThread *thread;
    GAsyncQueue *requests;
    LpJournalWriter writer;           /* the thread's, once it runs */

    /* From the thread to the main loop. */
    GMainContext *context;
    GMutex answers_lock;
    GQueue answers;                   /* of LpJournalBatch* */
    GSource *answers_source;

    /* The readers' connection; the writer closes it when it must start afresh. */
    GMutex reader_lock;
    sqlite3 *reader;
};

typedef struct {
    uint64_t generation;
    char *metadata;
} LpJournalProfile;

/* The writer's thread may wait for somebody's sqlite3 shell so long. */
#define LP_JOURNAL_BUSY_MSEC 5000

#define LP_JOURNAL_CURE_DAMAGED \
    "stop lpard, move the file aside together with those named -wal and -shm beside it, and " \
    "start lpard again; what it held (operations, last profiles, XML saved at enable) is then " \
    "unknown to lpard"

/* journal-schema.c: makes the file, or examines, copies and migrates the one that is there. */
bool lp_journal_db_prepare(const char *path, GError **error);

/* journal-db.c */

sqlite3 *lp_journal_db_open(const char *path, GError **error);
/* A connection to a prepared file.  A reader never waits longer than the loop can bear. */
sqlite3 *lp_journal_db_connect(const char *path, bool reader, GError **error);
bool lp_journal_db_exec(sqlite3 *sql, const char *path, const char *text, GError **error);
bool lp_journal_db_number(sqlite3 *sql, const char *path, const char *query, int64_t *ret_number,
                          GError **error);
/* What to do about one of SQLite's error codes. */
const char *lp_journal_db_cure(int code);
/* The sentence for what `sql` last failed in: what, path, why, what to do. */
void lp_journal_db_fail(sqlite3 *sql, const char *path, const char *verb, GError **error);

/* journal-read.c */

/* A prepared query, with the readers' lock held until the end. */
sqlite3_stmt *lp_journal_query_begin(LpJournal *journal, const char *text, GError **error);
/* false: no more rows, or *error. */
bool lp_journal_query_next(LpJournal *journal, sqlite3_stmt *statement, GError **error);
void lp_journal_query_end(LpJournal *journal, sqlite3_stmt *statement);

/* journal-sum.c */

/* Of a row's content, so that one that the disk or somebody's hand changed is not believed. */
int64_t lp_journal_sum(int64_t number, const char *uuid, const char *key, bool open,
                       const char *text);
/* Whether the sum in `column` is that of the row, or there is none. */
bool lp_journal_sum_right(sqlite3_stmt *statement, int column, int64_t sum);

/* journal-audit.c */

/* An entry's fate, on the main loop. */
void lp_journal_audit_answer(LpJournal *journal, const LpJournalRequest *request,
                             const GError *error);

/* journal-reserve.c */

/* Makes sure that room is set aside.  False (*error says what to do) while the file system has too
 * little; true as well where a file system cannot set room aside, after one warning. */
bool lp_journal_reserve_make(LpJournal *journal, GError **error);
/* Gives it free for the journal. */
void lp_journal_reserve_give_up(LpJournal *journal);

/* journal-log.c */

/* Writes the log's bytes over themselves and brings them to rest, so that all that can be read in
 * it is on disk.  Only while no connection is open.  True also when there is no log. */
bool lp_journal_log_rewrite(const char *path, GError **error);

/* journal-purge.c */

/* Deletes what is older than keep_days or too much, as part of the writer's transaction or on its
 * own.  The writer's fields are the caller's to restore if the transaction is not committed. */
bool lp_journal_purge(LpJournal *journal, int64_t now_sec, GError **error);

/* journal-writer.c */

bool lp_journal_writer_open(LpJournal *journal, GError **error);
void lp_journal_writer_close(LpJournal *journal);
/* Closed without moving the log into the file, and opened anew; the readers' connection as well. */
bool lp_journal_writer_reopen(LpJournal *journal, GError **error);
/* One transaction: first the results that are owed, then what of the batch is not held back.
 * *ret_code: SQLite's extended one, if it failed. */
bool lp_journal_writer_commit(LpJournal *journal, const LpJournalBatch *batch, int *ret_code,
                              GError **error);
/* journal-retry.c: tries as often as makes sense; afterwards each request has its fate. */
void lp_journal_write_batch(LpJournal *journal, LpJournalBatch *batch);
/* Whether the file system of `path` has too little room for SQLite to work at all. */
bool lp_journal_no_room(const char *path);
/* The thread. */
gpointer lp_journal_writer_run(gpointer data);
void lp_journal_request_free(gpointer request);
void lp_journal_batch_free(gpointer batch);

/* Ids set aside on disk at a time: how many may be skipped by a crash.  Half of them must cover
 * those given out while one commit is on its way. */
#define LP_IDS_RESERVED 100

/* journal.c */

void lp_journal_profile_free(gpointer profile);
void lp_journal_keep_profile(LpJournal *journal, const char *uuid, uint64_t generation,
                             const char *metadata);
/* NULL: all is well.  While it is not, it is looked for whether it is again. */
void lp_journal_note_health(LpJournal *journal, const GError *error);
void lp_journal_free(LpJournal *journal);

LpJournalRequest *lp_journal_request_new(LpJournalAsk ask, const char *uuid, LpDurableFunc done,
                                         void *data);
/* Hands a batch over to the main loop. */
void lp_journal_answer(LpJournal *journal, LpJournalBatch *batch);

#endif
