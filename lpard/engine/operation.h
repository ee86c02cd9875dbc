/* One request on its way: what was asked, the plan, how far it is, how it ended. */
#ifndef LP_LPARD_OPERATION_H
#define LP_LPARD_OPERATION_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "hotplug/plan.h"
#include "policy/profile.h"

typedef enum {
    LP_OP_RESIZE,                 /* cpu and/or memory of one partition */
    LP_OP_MOVE,                   /* from one to another: shrinks, confirms, then grows */
    LP_OP_CAPACITY,               /* entitlement, weight, capped */
    LP_OP_RECONCILE,              /* to the profile's desired, whatever drifted */
    LP_OP_SHIFT,                  /* memory of one from a cell to another: as a move, within it */
    LP_OP_OPTIMIZE,               /* of the host: another layout; no legs, in no lane */
    LP_OP_KINDS,
} LpOpKind;

typedef enum {
    LP_OP_QUEUED,
    LP_OP_CHECKING,               /* looking, planning, admitting */
    LP_OP_RUNNING,
    LP_OP_CONFIRMING,             /* all asked; waiting for the guest or device */
    LP_OP_DONE,
    LP_OP_PARTIAL,
    LP_OP_REFUSED,
    LP_OP_VETOED,
    LP_OP_FAILED,
    LP_OP_TIMED_OUT,
    LP_OP_CANCELLED,
    LP_OP_STATES,
} LpOpState;
#define LP_OP_IS_FINAL(state) ((state) >= LP_OP_DONE)

typedef enum { LP_AMOUNT_NONE, LP_AMOUNT_SET, LP_AMOUNT_ADD, LP_AMOUNT_REMOVE } LpAmountMode;

/* What was asked, as it came: deltas become absolute when the operation starts. */
typedef struct {
    LpOpKind kind;
    char *partition;              /* a name or UUID; MOVE: the giver; OPTIMIZE: NULL */
    char *to;                     /* MOVE: the receiver */
    LpAmountMode cpu_mode, mem_mode;
    uint32_t cpu;
    uint64_t mem_bytes;
    bool has_shift;
    uint32_t from_cell, to_cell;  /* SHIFT: `mem_bytes` go from one to the other */
    bool has_entitled, has_weight, has_capped;
    uint32_t entitled_centi, weight;
    bool capped;
    LpVia via;
    bool live_only, atomic;
    bool keep_desired;            /* the policy's: what the profile desires stays as it is */
    bool force;                   /* a guest's veto is shown, and not heeded */
    uint32_t timeout_sec;         /* 0: the configured default */
    uint32_t lock_timeout_sec;    /* waiting for the lane; 0: without end */
    char *key;                    /* Idempotency-Key, or NULL */
    char *requester;              /* who, for the audit: "uid 1000 (operator)" */
    char *why;                    /* a guest's reason for its own request, or NULL */
    json_t *optimize;             /* OPTIMIZE: what was asked, an object; else NULL */
} LpRequest;

LpRequest *lp_request_copy(const LpRequest *request);
void lp_request_free(LpRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpRequest, lp_request_free)
/* The journal's form.  from_json: NULL and *error (LP_ERROR_USAGE, naming the field) on
 * anything unknown, missing, or out of range; it is also what reads API bodies. */
json_t *lp_request_to_json(const LpRequest *request);
LpRequest *lp_request_from_json(json_t *json, GError **error);

typedef enum {
    LP_STEPSTATE_PENDING,
    LP_STEPSTATE_ASKED,           /* the effect returned; not confirmed */
    LP_STEPSTATE_CONFIRMED,
    LP_STEPSTATE_PARTIAL,
    LP_STEPSTATE_FAILED,
    LP_STEPSTATE_SKIPPED,
} LpStepState;

typedef struct {
    LpStepState state;
    int64_t asked_usec, confirmed_usec;    /* monotonic; 0: not yet */
    uint64_t reached_bytes;                /* memory steps: the last word on them */
    char *message;                         /* why it failed, or NULL */
} LpStepProgress;

/* How sure the result is: the best word that was got. */
typedef enum {
    LP_CONFIRM_NONE,
    LP_CONFIRM_HOST,              /* enforced from outside: quota, or libvirt's definition */
    LP_CONFIRM_DEVICE,            /* the device reports it */
    LP_CONFIRM_QGA,               /* the same as below, by qemu-guest-agent's word */
    LP_CONFIRM_AGENT,             /* the guest can use it / has let it go */
} LpConfirm;

/* One partition's part in an operation.  A move has two, a shift two of the same partition, an undo adds
 * more. */
typedef struct {
    char *uuid, *name;
    bool undo;
    bool begun;
    bool taken_up;                         /* begun before a restart: what was done of it is not known */
    bool capacity_changed;                 /* when it ended, the profile's was another than before */
    LpTarget target;
    uint32_t cpu_before, cpu_now;          /* granted vCPUs */
    uint64_t mem_before_bytes, mem_now_bytes;   /* granted memory */
    LpCapacity capacity_before;            /* by the profile; nothing entitled: not known */
    uint32_t usable_cpu;                   /* by the agent's word; 0: unknown */
    uint64_t usable_bytes;
    LpPlan *plan;                          /* NULL until planned */
    LpStepProgress *progress;              /* plan->n_steps of them */
} LpLeg;

typedef struct {
    int64_t id;                   /* from the journal, 1.. */
    LpRequest *request;
    LpOpState state;
    char *code;                   /* of a result other than done: a stable name */
    char *message;                /* the sentence: what, why, what to do */
    LpConfirm confirm;
    GPtrArray *remarks;           /* of char*: what is not attainable, not enforced, ... */
    GPtrArray *legs;              /* of LpLeg* */
    guint leg;                    /* the one at work */
    bool cancel_asked;
    /* Decided, but not the end yet: leg `ending_leg` was stopped for it, and what that leaves has yet to
     * be taken back.  QUEUED: nothing.  A restart goes on with it. */
    LpOpState ending;
    guint ending_leg;
    const char *ending_code;      /* static or interned */
    char *ending_message;
    bool recovered;               /* taken up again after a restart */
    bool on_record;               /* the journal knows it as open, begun or not */
    char *waits_for;              /* queued: "operation 12 on web1", or NULL */
    uint64_t version;             /* counts changes, for waiting clients */
    int64_t created_sec, finished_sec;     /* wall clock, display only */
    int64_t created_usec, started_usec, finished_usec;  /* monotonic */
    int64_t first_call_usec;      /* when the first effect was issued */
    int64_t look_usec;            /* the hypervisor's time before that, in telling what is */
    int64_t guest_usec;           /* and the guests', in answering check and pre */
    int64_t last_confirm_usec;
    int64_t deadline_usec;        /* monotonic; 0 before it starts */
    json_t *optimize;             /* OPTIMIZE: its plan and how far it is, as the API says it; or NULL */
} LpOperation;

LpOperation *lp_operation_new(LpRequest *request);   /* takes the request */
void lp_operation_free(LpOperation *operation);
LpLeg *lp_leg_new(const char *uuid, const char *name);

const char *lp_op_kind_name(LpOpKind kind);
const char *lp_op_state_name(LpOpState state);
int lp_op_state_exit_status(LpOpState state);
const char *lp_confirm_name(LpConfirm confirm);
const char *lp_stepstate_name(LpStepState state);

/* The API's form of an operation, its plan included; also what the journal keeps. */
json_t *lp_operation_to_json(const LpOperation *operation);
/* From the journal: request, ids, each leg's target and start, which is what recovery needs, and
 * how it ended if it has.
 * NULL with LP_ERROR_JOURNAL when it is not an operation. */
LpOperation *lp_operation_from_json(json_t *json, GError **error);
json_t *lp_plan_to_json(const LpPlan *plan, const LpStepProgress *progress, const char *partition);

#endif
