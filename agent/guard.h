/* Watches the guest's pressure while memory leaves it, and ends the release before it hurts:
 * a PSI trigger of the kernel, so nothing is polled. */
#ifndef LP_AGENT_GUARD_H
#define LP_AGENT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

typedef struct {
    int fd;                            /* the trigger; -1: not watching */
    bool stopped;                      /* said already in this release */
    LpWirePhase phase;
    int64_t look_msec;                 /* where the kernel has no triggers: look then */
} LpGuard;

void lp_guard_init(LpAgent *agent);
/* A release of memory begins (PRE) or has ended (POST, UNDO). */
void lp_guard_begin(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec);
void lp_guard_end(LpAgent *agent);
int64_t lp_guard_deadline(const LpAgent *agent);
void lp_guard_run(LpAgent *agent, int64_t now_msec);

/* Makes room before memory leaves: drops clean cache, compacts; in a child, within the time.
 * done() comes later, never from within. */
typedef void (*LpReclaimDone)(LpAgent *agent);
void lp_reclaim_run(LpAgent *agent, uint64_t bytes, int64_t deadline_msec, LpReclaimDone done);

#endif
