/* The history of decisions on disk: records of policy/record.h in numbered files, the oldest
 * deleted, so that all together stay within a size.  Each file begins with a snapshot and is good
 * by itself.  A thread writes: no disk stalls the main loop. */
#ifndef LP_LPARD_HISTORY_H
#define LP_LPARD_HISTORY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A file each five minutes: what a reader has to go through for one moment. */
#define LP_HISTORY_FILE_SEC 300
/* A file may take this part of the whole, so that there are always several. */
#define LP_HISTORY_FILES_LEAST 4
/* Four weeks of a host where hardly anything happens; and empty files, which a full disk leaves,
 * have an end. */
#define LP_HISTORY_FILES_MOST 8192
/* What waits for a disk that hangs: some snapshots of thousands of partitions. */
#define LP_HISTORY_WAITING_BYTES (32 << 20)

typedef struct LpHistory LpHistory;

/* `dir` is made when the first record comes. */
LpHistory *lp_history_new(const char *dir, uint64_t limit_bytes);
/* Waits until what it has is written. */
void lp_history_free(LpHistory *history);
const char *lp_history_dir(const LpHistory *history);

/* Whether the next record must be a snapshot, which begins a file: at first, when the time or the
 * part of one file is up, and after one was lost. */
bool lp_history_wants_snapshot(const LpHistory *history, int64_t now_usec);
/* Copies.  A record is dropped when the disk is far behind, or nothing can be written. */
void lp_history_write(LpHistory *history, const void *bytes, size_t length, bool snapshot,
                      int64_t now_usec);

/* Bytes in files, records dropped; the error that there is now into text, or "". */
void lp_history_figures(LpHistory *history, uint64_t *ret_bytes, uint64_t *ret_dropped,
                        char *text, size_t size);

#endif
