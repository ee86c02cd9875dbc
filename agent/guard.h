/* Watches the guest while memory leaves it, and ends the release before it hurts.
 *
 * Two eyes, because each is blind to something.  The kernel's pressure (a PSI trigger, nothing is
 * polled) sees tasks that wait for memory, also when much seems available: the file cache that a
 * working set needs counts as available.  But in a guest without swap a program that grows fast
 * meets the OOM killer before it has waited for long.  So while a release is open, which is
 * seconds, MemAvailable is looked at too: what there would be once the rest has left or, for who
 * insists, the next block.  The release is stopped when that is less than half of the floor that
 * CHECK asks for (check.h): between the two a guest may use what it was left.
 *
 * Where the kernel has no triggers (CONFIG_PSI, Linux 5.2, CAP_SYS_RESOURCE before 6.4) the second
 * alone watches. */
#ifndef LP_AGENT_GUARD_H
#define LP_AGENT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* Makes room before memory leaves: if less is free than is to leave, drops clean cache and
 * compacts; in a child, until deadline_msec of the clock at most.  The cache would go anyway, page
 * by page, while the kernel looks for a place for what has to move.  done() comes later, never
 * from within, whether anything could be done or not. */
typedef void (*LpReclaimDone)(LpAgent *agent);
void lp_reclaim_run(LpAgent *agent, uint64_t bytes, int64_t deadline_msec, LpReclaimDone done);

typedef struct {
    const char *procfs;
    uint64_t bytes;
    LpReclaimDone done;                /* NULL: none is under way */
    bool skipped;                      /* nothing runs: done() is due */
} LpReclaim;

typedef struct {
    bool open;                         /* a release is under way and was not stopped */
    bool pressed;                      /* the trigger has fired */
    int fd;                            /* the trigger; -1: none */
    bool force;                        /* the operator insists on it */
    uint64_t leaves_bytes;             /* of what is online */
    uint64_t total_bytes;              /* MemTotal when it began; 0: not known */
    int64_t look_msec;
    LpReclaim reclaim;
} LpGuard;

void lp_guard_init(LpAgent *agent);
/* A release of memory begins (PRE) or has ended (POST, UNDO).  Begin does nothing for a phase in
 * which no memory that is online leaves. */
void lp_guard_begin(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec);
void lp_guard_end(LpAgent *agent);
int64_t lp_guard_deadline(const LpAgent *agent);
void lp_guard_run(LpAgent *agent, int64_t now_msec);

#endif
