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
/* A longer deadline is cut: whatever asks for it, the guest's programs are not held up so long. */
#define LP_PHASE_DEADLINE_MAX_MSEC 600000
/* The host that has not spoken for so many of its own deadlines, and is not there, has vanished:
 * a minute at its usual 5 s.  Until then it may be starting anew. */
#define LP_PHASE_ORPHAN_DEADLINES 12
#define LP_PHASE_ORPHAN_MAX_MSEC 1200000

/* The mediums, in their order. */
typedef enum {
    LP_PHASE_HOOKS,
    LP_PHASE_PROGRAMS,
    LP_PHASE_RECLAIM,
    LP_PHASE_END,
} LpPhaseMedium;

typedef struct {
    LpWirePhase phase;
    int64_t deadline_msec;             /* when its answer must be on its way */
} LpPhaseWait;

typedef struct {
    bool busy;                         /* `now` is at work */
    bool answered;                     /* ... but its time was up and its answer is sent */
    bool own;                          /* ... said by the agent to itself */
    LpWirePhase now;
    LpPhaseMedium medium;              /* at work */
    LpWireAnswer answer;               /* as far as it is */
    int64_t deadline_msec;             /* of `now` */
    LpPhaseWait queue[LP_PHASE_QUEUE_MAX];
    unsigned n_queued;
    LpWireAnswer last;                 /* repeated when the host repeats itself; id 0: none */
    LpWirePhase guessed;               /* the POST that `last` answers, if it was one's own */
    /* Between PRE and POST. */
    bool open;
    LpWirePhase pre;                   /* stays when it is closed */
    uint64_t total_bytes;              /* MemTotal when it was opened */
    uint32_t online;                   /* vCPUs then */
    bool relinked;                     /* a new link since the host's last phase */
    int64_t orphan_msec;               /* when POST is said to oneself, the host having vanished */
} LpPhases;

void lp_phase_init(LpAgent *agent);
void lp_phase_heard(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec);
/* The host has connected; it has sent a WANT. */
void lp_phase_linked(LpAgent *agent, int64_t now_msec);
void lp_phase_wanted(LpAgent *agent, int64_t now_msec);
int64_t lp_phase_deadline(const LpAgent *agent);
void lp_phase_run(LpAgent *agent, int64_t now_msec);
/* Says STOP for the release of memory that is open; false if none is, or the host is away. */
bool lp_phase_stop(LpAgent *agent, const char *reason, uint64_t back_bytes, int64_t now_msec);

#endif
