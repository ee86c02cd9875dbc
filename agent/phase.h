/* A resize as the guest lives through it: check, pre, then post or undo and post.
 *
 * Each phase goes through the same mediums, one after the other: the agent's own part (check.c,
 * guard.c, reclaim.c), the hooks, the subscribed programs.  The first veto ends a phase.  One
 * phase is at work at a time; those that come meanwhile wait. */
#ifndef LP_AGENT_PHASE_H
#define LP_AGENT_PHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* More than one resize's worth waits only if the host does not keep to the protocol. */
#define LP_PHASE_QUEUE_MAX 8

typedef struct {
    bool busy;                         /* `now` is at work */
    LpWirePhase now;
    LpWireAnswer answer;               /* as far as it is */
    int64_t deadline_msec;             /* of `now` */
    LpWirePhase queue[LP_PHASE_QUEUE_MAX];
    unsigned n_queued;
    LpWireAnswer last;                 /* repeated when the host repeats itself; id 0: none */
    /* Between PRE and POST. */
    bool open;
    LpWirePhase pre;
    uint64_t total_bytes;              /* MemTotal when it was opened */
    uint32_t online;                   /* vCPUs then */
    int64_t orphan_msec;               /* when POST is said to oneself, the host having vanished */
} LpPhases;

void lp_phase_init(LpAgent *agent);
void lp_phase_heard(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec);
int64_t lp_phase_deadline(const LpAgent *agent);
void lp_phase_run(LpAgent *agent, int64_t now_msec);
/* Says STOP for the release that is open; false if none is. */
bool lp_phase_stop(LpAgent *agent, const char *reason, uint64_t back_bytes, int64_t now_msec);

#endif
