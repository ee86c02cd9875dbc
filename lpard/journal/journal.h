/* What must outlive lpard: operations and the intents of their effects, profiles last seen,
 * XML saved at enable, history.  One thread owns SQLite (WAL, synchronous=FULL); everything
 * else is asked of it by message and answered on the main loop, so that no fsync stalls it.
 * Requests that wait together are committed together. */
#ifndef LP_LPARD_JOURNAL_H
#define LP_LPARD_JOURNAL_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The schema of the file.  A newer one is refused untouched, an older one migrated after the
 * file was copied beside itself. */
#define LP_JOURNAL_VERSION 2

typedef struct LpJournal LpJournal;

/* Called on the main loop.  error NULL: it is on disk. */
typedef void (*LpDurableFunc)(const GError *error, void *data);

/* Opens (creates) `state_dir`/journal.db and locks it: a second lpard on the same directory
 * gets LP_ERROR_CONFLICT naming the first one's pid.  Operations older than keep_days are deleted,
 * a tenth of all each day at most: the wall clock may be wrong. */
LpJournal *lp_journal_open(const char *state_dir, uint32_t keep_days, GError **error);
/* Waits until all that was asked is on disk.  No callback comes after this call began: answers
 * not yet delivered are dropped, so that nothing is begun while everything ends. */
void lp_journal_close(LpJournal *journal);

/* The next operation id; ids never repeat, also across restarts. */
int64_t lp_journal_next_id(LpJournal *journal);

/* An operation at acceptance and with its plan: the intent.  `open` false closes it. */
void lp_journal_put_operation(LpJournal *journal, int64_t id, const char *uuid, const char *key,
                              bool open, json_t *body /* takes this reference */,
                              LpDurableFunc done, void *data);

/* Rows at start, before the loop runs; blocking. Each: {"id", "uuid", "key", "open", "body"}. */
json_t *lp_journal_open_operations(LpJournal *journal, GError **error);
/* Those of them that were left out since they cannot be read: {"id", "uuid"}, as far as even that is
 * right. */
json_t *lp_journal_unreadable_operations(LpJournal *journal, GError **error);
/* Finished ones, newest first, as the same rows; blocking but bounded by `limit`; uuid NULL: of
 * all; before_id 0: from the newest. */
json_t *lp_journal_history(LpJournal *journal, const char *uuid, int64_t before_id,
                           unsigned limit, GError **error);
/* One operation's body by id, or by idempotency key; NULL if there is none. */
json_t *lp_journal_operation(LpJournal *journal, int64_t id, GError **error);
json_t *lp_journal_by_key(LpJournal *journal, const char *key, GError **error);

/* The audit trail: who asked lpard for what, and what came of it.  Rows are deleted after keep_days
 * like operations, and the oldest ones beyond this many (some 30 MiB), whoever asks how often. */
#define LP_AUDIT_ROWS_MAX 100000

typedef struct {
    const char *peer;                 /* who: "uid 1000 (gid 1000)", a certificate's name */
    const char *role;
    const char *method, *route;
    const char *uuid, *name;          /* the partition, if it is about one */
    int status;                       /* HTTP's */
    const char *problem;              /* its code, if it was refused */
    int64_t operation;                /* that it began; 0: none */
    const char *detail;               /* a few words more */
} LpJournalAudit;

/* Strings may be NULL, may come from the peer as they are, and are copied: each is made UTF-8 and
 * cut to 256 bytes.  Never blocks and never fails: entries that the disk does not take are counted,
 * and the next entry that it takes says how many were lost before it. */
void lp_journal_put_audit(LpJournal *journal, const LpJournalAudit *entry);
/* Newest first; uuid NULL: of all; before_id 0: from the newest; at most 1,000.  Blocking but
 * bounded.  Each: {"id", "time_sec" (wall clock when it was put), "peer", "role", "method",
 * "route", "uuid", "name", "status", "problem", "operation", "detail", "lost"}; what was not given
 * is not there; "lost": so many entries before this one were not written. */
json_t *lp_journal_audit(LpJournal *journal, const char *uuid, int64_t before_id, unsigned limit,
                         GError **error);

/* The last profile seen of a domain: its generation and metadata element. */
void lp_journal_put_profile(LpJournal *journal, const char *uuid, uint64_t generation,
                            const char *metadata, LpDurableFunc done, void *data);
void lp_journal_forget_profile(LpJournal *journal, const char *uuid, LpDurableFunc done,
                               void *data);
/* From memory (read at open); metadata belongs to the journal.  false: never seen. */
bool lp_journal_last_profile(LpJournal *journal, const char *uuid, uint64_t *ret_generation,
                             const char **ret_metadata);

/* The persistent XML before `enable`, for `disable` to restore. */
void lp_journal_put_saved_xml(LpJournal *journal, const char *uuid, const char *xml,
                              LpDurableFunc done, void *data);
char *lp_journal_saved_xml(LpJournal *journal, const char *uuid, GError **error);
void lp_journal_forget_saved_xml(LpJournal *journal, const char *uuid);

/* Whether the last write succeeded; *ret_message (may be NULL) is the sentence if not.  While
 * it is false new work is refused, and each new write is tried again. */
bool lp_journal_healthy(const LpJournal *journal, const char **ret_message);
/* The same as an error (LP_ERROR_JOURNAL), for who would begin something. */
bool lp_journal_ready(const LpJournal *journal, GError **error);

#endif
