/* Programs that the agent runs: one at a time, each with a deadline, killed with all it started.
 *
 * The agent is their subreaper, so whatever a child leaves behind, however it forked away, becomes
 * the agent's own child and is killed before the next is started. */
#ifndef LP_AGENT_CHILD_H
#define LP_AGENT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct LpAgent LpAgent;

/* The first so many bytes of what it says are kept, and its last line; the rest is read and
 * dropped, up to LP_CHILD_FLOOD_BYTES, beyond which it is killed. */
#define LP_CHILD_OUTPUT_MAX 2048
#define LP_CHILD_LINE_MAX 256
#define LP_CHILD_FLOOD_BYTES (1 << 20)
/* How many may wait: a resize of three resources needs one for each, then classes, then reclaim. */
#define LP_CHILD_QUEUE_MAX 8
/* From SIGTERM to SIGKILL. */
#define LP_CHILD_TERM_MSEC 500
/* What survives SIGKILL for so long (it hangs in the kernel) is left to itself. */
#define LP_CHILD_CLEAR_MSEC 3000

typedef struct {
    bool started;                  /* else `error` says why not */
    int error;                     /* errno; ECANCELED after lp_child_cancel() */
    bool timed_out, flooded;
    bool signalled;
    int code;                      /* exit status, or the signal */
    const char *output;            /* stdout and stderr together, cut, NUL-terminated */
    const char *last_line;         /* its last line that is not blank, cut, or "" */
} LpChildEnd;

/* *end and its texts are valid within the call only. */
typedef void (*LpChildDone)(LpAgent *agent, const LpChildEnd *end, void *data);

typedef struct {
    const char *path;              /* program; NULL: `func` is run instead, its result the status */
    char *const *argv, *const *envp;   /* kept by reference: they must live until done() */
    int (*func)(void *data);
    int64_t timeout_msec;          /* from its start on */
    LpChildDone done;
    void *data;
} LpChildSpec;

void lp_child_init(LpAgent *agent);
/* Starts it, or puts it in the queue; done() comes later, never from within.  False: the queue is
 * full, and done() never comes. */
bool lp_child_run(LpAgent *agent, const LpChildSpec *spec);
/* Ends those that were run with `data` as if their time were up; done() comes later.  Whether one
 * of them was at work; the others never start. */
bool lp_child_cancel(LpAgent *agent, const void *data);
/* SIGCHLD has come. */
void lp_child_reap(LpAgent *agent, int64_t now_msec);
int64_t lp_child_deadline(const LpAgent *agent);
void lp_child_tick(LpAgent *agent, int64_t now_msec);
/* The agent is ending: kills what runs.  done() does not come. */
void lp_child_end(LpAgent *agent);

#endif
