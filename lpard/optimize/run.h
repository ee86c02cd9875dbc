/* The inside of a run: run.c (its course), steps.c (one call and what came of it), ending.c. */
#ifndef LP_LPARD_OPTIMIZE_RUN_H
#define LP_LPARD_OPTIMIZE_RUN_H

#include "lpard/optimize/optimize-priv.h"

struct LpRunning {
    LpOptimizer *optimizer;
    LpOperation *operation;
    LpWork *work;
    GPtrArray *asked;             /* of Asked* in steps.c: calls under way */
    guint n_shifts;               /* operations of shift.c under way */
    bool recording;               /* the journal has yet to answer */
    bool cancelled;
    bool looking;                 /* after a restart: what is left is not known yet */
    bool measuring;               /* all was done; how it came out is being looked at */
    char *trouble;                /* that ends all of it, or NULL */
    uint64_t left_bytes[LP_MAX_NODES], left_any_bytes;    /* lp_running_left() */
    int64_t next_usec;            /* the rate allows no piece before */
    int64_t away_usec;            /* a call did not reach the hypervisor; none is made before */
    int64_t pressed_usec;         /* since when all that is left are guests short of memory; 0: not so */
    int64_t look_usec;            /* when the host's pressure was last read, ... */
    uint32_t host_centi;          /* ... and what it was */
    int64_t told_usec, begun_usec;
    int64_t event_usec;           /* of the last event, and ... */
    char *event_mark;             /* ... what it was about */
    uint64_t begun_bytes;         /* what had been moved when it began here */
    guint pump_source, timer_source;
    int64_t timer_usec;           /* when that comes */
};

/* run.c */
/* Something has changed: goes on with what can be done now. */
void lp_running_pump(LpRunning *running);
/* The same after a while. */
void lp_running_wake(LpRunning *running, int64_t after_usec);
/* Says how far it is; unless `now`, not more than once a second. */
void lp_running_tell(LpRunning *running, bool now);

/* What has left a node (id; -1: any) since it began: room for others. */
uint64_t lp_running_left(const LpRunning *running, int32_t node);
void lp_running_note_left(LpRunning *running, int32_t node, uint64_t bytes);

/* steps.c */
/* Begins the next thing to do with it; false: there is nothing, or not now. */
bool lp_step_finish(LpRunning *running, LpWorkPart *part);
void lp_step_move(LpRunning *running, LpWorkMove *move, LpPartition *partition);
/* Nothing more is done of it.  Takes the reason. */
void lp_part_fail(LpWorkPart *part, char *reason);
/* The partition, as it was planned; NULL: the part has failed, and says why. */
LpPartition *lp_part_find(LpRunning *running, LpWorkPart *part);
bool lp_part_moves_over(const LpWorkPart *part, bool sweeps_too);

/* shift.c: instead of pages that find no room.  False: it cannot be done, or was tried already. */
bool lp_shift_begin(LpRunning *running, LpWorkMove *move, LpPartition *partition);
void lp_shift_heard(LpRunning *running, const LpOperation *operation);
void lp_shift_stop(LpRunning *running);

/* ending.c: measures what was touched, and ends the operation and the run. */
void lp_running_end_work(LpRunning *running);

#endif
