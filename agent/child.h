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

/* The first so many bytes of what it says are kept; the rest is read and dropped, up to
 * LP_CHILD_FLOOD_BYTES, beyond which it is killed. */
#define LP_CHILD_OUTPUT_MAX 2048
#define LP_CHILD_FLOOD_BYTES (1 << 20)
/* How many may wait: a resize of three resources needs one for each, then classes, then reclaim. */
#define LP_CHILD_QUEUE_MAX 8

typedef struct {
    bool started;                  /* else `error` says why not */
    int error;                     /* errno */
    bool timed_out, flooded;
    bool signalled;
    int code;                      /* exit status, or the signal */
    const char *output;            /* stdout and stderr together, cut, NUL-terminated */
} LpChildEnd;

typedef void (*LpChildDone)(LpAgent *agent, const LpChildEnd *end, void *data);

typedef struct {
    const char *path;              /* program; NULL: `func` is run instead, its result the status */
    char *const *argv, *const *envp;   /* copied by fork; need not outlive lp_child_run() only if
                                          it starts at once, so keep them until done */
    int (*func)(void *data);
    int64_t timeout_msec;
    LpChildDone done;
    void *data;
} LpChildSpec;

void lp_child_init(LpAgent *agent);
/* Starts it, or puts it in the queue; done() comes later, never from within.  False: the queue is
 * full, and done() never comes. */
bool lp_child_run(LpAgent *agent, const LpChildSpec *spec);
/* SIGCHLD has come. */
void lp_child_reap(LpAgent *agent, int64_t now_msec);
int64_t lp_child_deadline(const LpAgent *agent);
void lp_child_tick(LpAgent *agent, int64_t now_msec);
/* The agent is ending: kills what runs. */
void lp_child_end(LpAgent *agent);

#endif
