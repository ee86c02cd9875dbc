/* Where lpard can be made to fail on purpose: all points by name, in a build configured with
 * --enable-fault-injection.  In any other LP_FAULT() is nothing, and nothing of this is linked.
 *
 *   LPARD_FAULT=POINT[:NTH][=ACTION]
 *
 * strikes when POINT is reached for the NTH time (1), once.  ACTION:
 *   kill       (unless said otherwise) the process ends by SIGKILL, as on a crash
 *   hang-MSEC  whoever came there waits so long
 *   cut        only at the calls to the hypervisor: the connection is cut before the call (it is
 *              not made: LP_DRIVER_ERROR_UNREACHABLE), or after it and before its answer (it is
 *              made: LP_DRIVER_ERROR_UNKNOWN)
 *
 * A point "...-before" is passed when the thing is about to be done, "...-after" when it has been
 * done and nobody has been told.  Any thread. */
#ifndef LP_HOTPLUG_FAULT_H
#define LP_HOTPLUG_FAULT_H

#ifdef LP_FAULT_INJECTION

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The calls to the hypervisor, its daemon's side and the guests': fault-driver.c. */
#define LP_FAULT_CALLS(X) \
    X(CALL_OPEN, "call-open") \
    X(CALL_LIST, "call-list") \
    X(CALL_LOOK, "call-look") \
    X(CALL_GET_XML, "call-get-xml") \
    X(CALL_DEFINE, "call-define") \
    X(CALL_START, "call-start") \
    X(CALL_SET_VCPU, "call-set-vcpu") \
    X(CALL_SET_REQUESTED, "call-set-requested") \
    X(CALL_ATTACH_DIMM, "call-attach-dimm") \
    X(CALL_DETACH_DIMM, "call-detach-dimm") \
    X(CALL_SET_BALLOON, "call-set-balloon") \
    X(CALL_SET_STATS_PERIOD, "call-set-stats-period") \
    X(CALL_SET_CAPACITY, "call-set-capacity") \
    X(CALL_SET_MEMORY_LIMIT, "call-set-memory-limit") \
    X(CALL_SET_METADATA, "call-set-metadata") \
    X(CALL_SET_CONFIG, "call-set-config") \
    X(CALL_MEMORY_STATS, "call-memory-stats") \
    X(CALL_QGA_LOOK, "call-qga-look") \
    X(CALL_QGA_SET_VCPUS, "call-qga-set-vcpus") \
    X(CALL_QGA_ONLINE_MEMORY, "call-qga-online-memory") \
    X(CALL_LOCATE, "call-locate") \
    X(CALL_MOVE_PAGES, "call-move-pages") \
    X(CALL_SET_PINS, "call-set-pins") \
    X(CALL_SET_NODESET, "call-set-nodeset") \
    X(CALL_OPEN_CHANNEL, "call-open-channel") \
    X(CALL_WATCH, "call-watch")

/* What lpard itself does and says. */
#define LP_FAULT_DEEDS(X) \
    /* A transaction of the journal, in its thread. */ \
    X(JOURNAL_BEGIN, "journal-begin") \
    X(JOURNAL_COMMIT, "journal-commit") \
    /* The journal's word that it is on disk, told on the main loop. */ \
    X(JOURNAL_ANSWER, "journal-answer") \
    /* The plan of a leg goes to the journal. */ \
    X(INTENT_WRITE, "intent-write") \
    /* Whoever asked is told that the operation was taken. */ \
    X(ACCEPT, "accept") \
    /* The agent is told which vCPUs to run, or what the resize is about to do; and heard. */ \
    X(AGENT_WANT_SEND, "agent-want-send") \
    X(AGENT_PHASE_SEND, "agent-phase-send") \
    X(AGENT_MESSAGE, "agent-message") \
    /* One leg is over, as planned or not: its outcome is noted. */ \
    X(CONFIRM, "confirm") \
    /* What a stopped leg leaves on its way is taken back: its intent, and all of it. */ \
    X(SETTLE_WRITE, "settle-write") \
    X(SETTLE, "settle") \
    /* What --atomic takes back is added to the operation. */ \
    X(UNDO, "undo") \
    /* The result goes to the journal; it is on disk, and told. */ \
    X(CLOSE_WRITE, "close-write") \
    X(CLOSE_TELL, "close-tell") \
    /* What was open at start is read, and taken up one by one. */ \
    X(RECOVER, "recover") \
    X(RECOVER_ROW, "recover-row") \
    /* A change of a definition, in its worker. */ \
    X(DEFINITION, "definition") \
    /* A cancellation goes to the journal. */ \
    X(CANCEL_WRITE, "cancel-write") \
    /* An optimization writes what is begun next, and its result. */ \
    X(OPTIMIZE_RECORD, "optimize-record") \
    X(OPTIMIZE_CLOSE_WRITE, "optimize-close-write")

#define LP_FAULT_NUMBERS(name, text) LP_FAULT_##name##_BEFORE, LP_FAULT_##name##_AFTER,
typedef enum {
    LP_FAULT_CALLS(LP_FAULT_NUMBERS)
    LP_FAULT_CALL_POINTS,         /* at those before a cut is possible */
    LP_FAULT_CALLS_END_ = LP_FAULT_CALL_POINTS - 1,
    LP_FAULT_DEEDS(LP_FAULT_NUMBERS)
    LP_FAULT_POINTS,
} LpFaultPoint;
#undef LP_FAULT_NUMBERS

typedef enum { LP_FAULT_KILL, LP_FAULT_CUT, LP_FAULT_HANG } LpFaultAction;

/* "call-set-requested-before", ... */
const char *lp_fault_name(LpFaultPoint point);
/* By its name; LP_FAULT_POINTS: there is none. */
LpFaultPoint lp_fault_find(const char *name);

/* In place of the environment variable: strikes when `point` is reached for the nth time (1..) from
 * now on.  nth 0: nothing strikes. */
void lp_fault_arm(LpFaultPoint point, uint32_t nth, LpFaultAction action, uint32_t msec);
/* Whether it has struck. */
bool lp_fault_struck(void);
/* From now on each point that is reached counts one up in `counts` (of LP_FAULT_POINTS; may be
 * shared memory).  NULL: no more. */
void lp_fault_count(uint32_t *counts);
/* Called in the thread that makes it, before each call that changes a domain or its definition;
 * `uuid` is NULL for define.  Set before any connection is opened. */
typedef void (*LpFaultEffectFunc)(const char *call, const char *uuid, void *data);
void lp_fault_watch_effects(LpFaultEffectFunc func, void *data);

/* The point is reached.  True: the action is a cut. */
bool lp_fault_reach(LpFaultPoint point);
/* For fault-driver.c: somebody is about to change a domain. */
void lp_fault_tell_effect(const char *call, const char *uuid);

#define LP_FAULT(name) ((void) lp_fault_reach(LP_FAULT_##name))

#else

#define LP_FAULT(name) ((void) 0)

#endif
#endif
