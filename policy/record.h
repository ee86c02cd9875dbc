/* Decisions with their inputs, as bytes: what the history keeps and `lpar-sim replay` runs again.
 *
 * A record stream begins with a SNAPSHOT (host, partitions, states) and goes on with TICKs: the
 * host, and those partitions whose inputs differ from the tick before, and what was decided
 * differently.  Little-endian, each record with its length and CRC-32; a stream cut anywhere is
 * good up to the last whole record.  Pure: bytes in, bytes out. */
#ifndef LP_POLICY_RECORD_H
#define LP_POLICY_RECORD_H

#include "policy/policy.h"

#define LP_RECORD_VERSION 1

typedef struct LpRecorder LpRecorder;      /* remembers the last tick's inputs */
typedef struct LpPlayer LpPlayer;          /* the inputs, rebuilt */

LpRecorder *lp_recorder_new(void);
void lp_recorder_free(LpRecorder *recorder);
/* The states are those before the decision, the decisions what came out.  `snapshot`: a whole one,
 * to begin a stream (also done by itself when the set of partitions has changed).  The bytes are
 * the recorder's until the next call; NULL: out of memory. */
const uint8_t *lp_recorder_tick(LpRecorder *recorder, bool snapshot, const LpPolicyHost *host,
                                const LpPolicyPartition *partitions, const LpPolicyState *states,
                                size_t n, const LpDecision *decisions, size_t *ret_length);

typedef enum { LP_PLAY_TICK, LP_PLAY_END, LP_PLAY_CUT, LP_PLAY_BAD } LpPlayVerdict;

typedef struct {
    const LpPolicyHost *host;
    const LpPolicyPartition *partitions;
    LpPolicyState *states;                 /* filled by a snapshot; the caller's to go on with */
    const LpDecision *decisions;           /* as recorded */
    size_t n;
    bool snapshot;
} LpPlayTick;

LpPlayer *lp_player_new(const uint8_t *bytes, size_t length);   /* borrows */
void lp_player_free(LpPlayer *player);
/* The next tick; CUT: the stream ends in the middle of a record; BAD: it is not such a stream, or
 * damaged.  On a snapshot in the middle of a stream the states are replaced by the recorded ones. */
LpPlayVerdict lp_player_next(LpPlayer *player, LpPlayTick *ret_tick);

#endif
