/* liblpar-agent: how a program takes part in the resizes of the partition it runs in.
 *
 * lpar-agent, the guest's agent, tells a program on a local socket that processors, memory or
 * processing units are about to come or go; the program may make ready, may refuse (veto), and
 * may ask for another size.  See lpar-agent(3).
 *
 *     LparAgent *agent;
 *     LparAgentEvent event;
 *
 *     if (lpar_agent_connect(NULL, &agent) < 0 ||
 *         lpar_agent_subscribe(agent, "cache", LPAR_AGENT_MEM, LPAR_AGENT_CONSULTED) < 0)
 *         ...
 *     while (lpar_agent_next(agent, -1, &event) > 0) {
 *         if (event.kind == LPAR_AGENT_PHASE && event.phase.name == LPAR_AGENT_PRE &&
 *             event.phase.mem_to < event.phase.mem_from)
 *             shrink_cache(event.phase.mem_from - event.phase.mem_to);
 *         lpar_agent_answer(agent, &event, NULL);
 *     }
 *
 * Units: memory is bytes, processing units are hundredths of a processor, times milliseconds.
 * Errors: what returns int returns a negative errno on failure, and lpar_agent_error() then says
 * it in words.  After -EPIPE, -EPROTO or -EMSGSIZE the link is of no more use: close it, and
 * connect again when it suits.
 * Memory: what a function is given it copies; what it fills belongs to the caller.  The library
 * allocates in lpar_agent_connect(), frees in lpar_agent_close(), and otherwise only within calls.
 * Threads: a handle is used by one thread at a time; different handles do not know each other.
 * Signals: none is caught, and none is caused: not SIGPIPE either. */
#ifndef LPAR_AGENT_H
#define LPAR_AGENT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest texts, in bytes with their NUL.  Longer ones are cut. */
#define LPAR_AGENT_NAME_MAX 48
#define LPAR_AGENT_TEXT_MAX 160

typedef struct LparAgent LparAgent;

/* Resources, to be or-ed. */
enum {
    LPAR_AGENT_CPU = 1,            /* virtual processors */
    LPAR_AGENT_MEM = 2,
    LPAR_AGENT_UNITS = 4           /* processing units: capacity, at one number of processors */
};

/* Whether CHECK and PRE wait for this program's answer. */
enum {
    LPAR_AGENT_TOLD = 0,
    LPAR_AGENT_CONSULTED = 1
};

/* The phases of a resize, in the order in which they come.  A resize whose CHECK was vetoed has
 * no more; each other one ends with POST. */
typedef enum {
    LPAR_AGENT_CHECK,              /* may it be?  Change nothing yet.  May be vetoed */
    LPAR_AGENT_PRE,                /* it will be: make ready.  May be vetoed */
    LPAR_AGENT_POST,               /* it has been: what really came or went */
    LPAR_AGENT_UNDO                /* it will not be after all: PRE was for nothing; POST follows */
} LparAgentPhaseName;

/* A resource that the resize is not about, or that was not subscribed to, is not in `resources`,
 * and its two amounts are 0.  In POST `to` is what was reached. */
typedef struct {
    uint64_t id;                   /* of the resize: the same in all its phases */
    LparAgentPhaseName name;
    int waits;                     /* whether an answer is waited for */
    int force;                     /* a veto will be shown to the operator, and not heeded */
    uint32_t deadline_msec;        /* from its arrival on; an answer that comes later is ignored */
    unsigned resources;
    uint32_t cpu_from, cpu_to;
    uint64_t mem_from, mem_to;
    uint32_t units_from, units_to;
} LparAgentPhase;

/* What became of a request. */
typedef struct {
    uint64_t id;                   /* as lpar_agent_ask() gave it */
    int final;                     /* else it is under way, and more will be said */
    uint64_t operation;            /* of lpard, on the host; 0: it made none */
    /* "queued", "running", ... and at the end "done", "partial", "refused", "vetoed", "failed",
     * "timed-out", "cancelled", or "unreachable": the host has gone, and nobody knows. */
    char state[24];
    char message[LPAR_AGENT_TEXT_MAX];   /* for people; may be empty */
} LparAgentResult;

typedef enum {
    LPAR_AGENT_PHASE,
    LPAR_AGENT_RESULT
} LparAgentEventKind;

typedef struct {
    LparAgentEventKind kind;
    LparAgentPhase phase;          /* if it is LPAR_AGENT_PHASE */
    LparAgentResult result;        /* if it is LPAR_AGENT_RESULT */
} LparAgentEvent;

typedef enum {
    LPAR_AGENT_SET,                /* this much, in all */
    LPAR_AGENT_ADD,                /* this much more */
    LPAR_AGENT_REMOVE              /* this much less */
} LparAgentMode;

/* A request for another size; a resource with an amount of 0 stays as it is. */
typedef struct {
    LparAgentMode cpu_mode, mem_mode;
    uint32_t cpu;                  /* virtual processors */
    uint64_t mem;                  /* bytes */
    const char *why;               /* for the operator; NULL: no reason given */
} LparAgentRequest;

/* Connects to the agent at `path`, NULL: where the agent of this system has its socket.  Does not
 * wait.  On failure *ret_agent is NULL: -ENOENT and -ECONNREFUSED, no agent runs; -EACCES, this
 * user may not; -ENAMETOOLONG; -ENOMEM. */
int lpar_agent_connect(const char *path, LparAgent **ret_agent);

/* Ends the link and frees the handle; NULL is let pass.  Requests that are under way go on. */
void lpar_agent_close(LparAgent *agent);

/* A descriptor for the caller's own poll(): readable when lpar_agent_next() has something to do.
 * It may only be waited on.  lpar_agent_next() must then be called until it returns 0: one read
 * may bring several events. */
int lpar_agent_fd(const LparAgent *agent);

/* Asks to be told of the resizes of some resources; once for each handle.  `name` is what the
 * operator will see: "program NAME".  -EINVAL: no name, no resource, or a name that is not plain
 * text; -EALREADY. */
int lpar_agent_subscribe(LparAgent *agent, const char *name, unsigned resources, int consulted);

/* Fills *ret_event with the next event and returns 1; 0 if none came in `timeout_msec` (0: do not
 * wait, -1: for as long as it takes) or a signal was caught meanwhile; or an error: -EPIPE, the
 * agent has gone. */
int lpar_agent_next(LparAgent *agent, int timeout_msec, LparAgentEvent *ret_event);

/* Answers a phase: go on, or, with a reason for the operator, a veto.  Does nothing where no
 * answer is waited for, so it may be called with every event. */
int lpar_agent_answer(LparAgent *agent, const LparAgentEvent *event, const char *veto);

/* Asks for another size.  The host grants it within the bounds of the partition's profile; what
 * becomes of it comes as events with the id in *ret_id, which may be NULL.  A program may ask
 * once in five seconds.  -EINVAL: nothing is asked for. */
int lpar_agent_ask(LparAgent *agent, const LparAgentRequest *request, uint64_t *ret_id);

/* What went wrong in the last call that failed, for people; never NULL; valid until the next call
 * with this handle.  Where lpar_agent_connect() fails there is no handle: use strerror(). */
const char *lpar_agent_error(const LparAgent *agent);

#ifdef __cplusplus
}
#endif

#endif
