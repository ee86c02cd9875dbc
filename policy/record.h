/* Decisions with their inputs, as bytes: what the history keeps and `lpar-sim replay` runs again.
 *
 * A stream begins with a SNAPSHOT (names, states, host, partitions, decisions) and goes on with
 * TICKs: of the host, the partitions and the decisions what differs from the tick before.  An age
 * that has grown by the time between two ticks does not differ.  Little-endian; each record has
 * the magic "LP", its version, its type, its length, the CRC-32 of its body and one of this
 * header, so a stream cut anywhere is good up to the last whole record, and one that is damaged
 * anywhere is known to be.  Pure: bytes in, bytes out. */
#ifndef LP_POLICY_RECORD_H
#define LP_POLICY_RECORD_H

#include "policy/policy.h"

#define LP_RECORD_VERSION 1
/* No host has more; a reader refuses a count above it before it takes memory for it. */
#define LP_RECORD_PARTITIONS_MAX 131072
/* Longer names are cut. */
#define LP_RECORD_NAME_MAX 255

typedef struct LpRecorder LpRecorder;      /* remembers the last tick */
typedef struct LpPlayer LpPlayer;          /* the inputs, rebuilt */

LpRecorder *lp_recorder_new(void);         /* NULL: out of memory */
void lp_recorder_free(LpRecorder *recorder);

/* One tick in two calls, so that nobody has to copy the states: begin before lp_policy_decide(),
 * with the states as they are then; end after it.  `snapshot`: a whole one, to begin a stream (also
 * done by itself at first, when the set of partitions has changed, and after a failure).  `names`
 * go with the partitions and are written with a snapshot only; the array or any of them may be
 * NULL.  Counts beyond the limits of policy.h are cut to them; what lies behind a count (a node,
 * a cell) is not recorded.
 * begin: false: out of memory, or more than LP_RECORD_PARTITIONS_MAX partitions.
 * end: the record, the recorder's until the next call; NULL: out of memory, or begin failed. */
bool lp_recorder_begin(LpRecorder *recorder, bool snapshot, const LpPolicyHost *host,
                       const LpPolicyPartition *partitions, const LpPolicyState *states,
                       const char *const *names, size_t n);
const uint8_t *lp_recorder_end(LpRecorder *recorder, const LpDecision *decisions,
                               size_t *ret_length);
/* Both at once, for who has kept the states from before the decision. */
const uint8_t *lp_recorder_tick(LpRecorder *recorder, bool snapshot, const LpPolicyHost *host,
                                const LpPolicyPartition *partitions, const LpPolicyState *states,
                                const char *const *names, size_t n, const LpDecision *decisions,
                                size_t *ret_length);

typedef enum {
    LP_PLAY_TICK,
    LP_PLAY_END,
    LP_PLAY_CUT,           /* the stream ends in the middle of a record */
    LP_PLAY_BAD,           /* it is not such a stream, or damaged */
    LP_PLAY_VERSION,       /* a record of another version */
    LP_PLAY_NO_MEMORY,
} LpPlayVerdict;

/* All the player's; good until its next call. */
typedef struct {
    const LpPolicyHost *host;
    const LpPolicyPartition *partitions;
    LpPolicyState *states;                 /* filled by a snapshot; the caller's to go on with */
    const char *const *names;              /* NULL where none was recorded */
    const LpDecision *decisions;           /* as recorded */
    size_t n;
    bool snapshot;
} LpPlayTick;

LpPlayer *lp_player_new(const uint8_t *bytes, size_t length);   /* borrows; NULL: out of memory */
void lp_player_free(LpPlayer *player);
/* The next tick.  On a snapshot in the middle of a stream the states are replaced by the recorded
 * ones.  After a verdict other than TICK it is the same verdict for ever. */
LpPlayVerdict lp_player_next(LpPlayer *player, LpPlayTick *ret_tick);
/* Bytes before the record that the last verdict is about. */
size_t lp_player_offset(const LpPlayer *player);

/* Where two values differ: from *at on, which begins as 0, the next field.  false: no more. */
typedef struct {
    const char *field;
    uint64_t a, b;                         /* signed ones as they are in two's complement */
} LpRecordDifference;

bool lp_record_decision_differs(const LpDecision *a, const LpDecision *b, size_t *at,
                                LpRecordDifference *ret);
bool lp_record_state_differs(const LpPolicyState *a, const LpPolicyState *b, size_t *at,
                             LpRecordDifference *ret);

#endif
