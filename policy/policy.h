/* The policy: what each partition should have.  Values in, values out: no clock, no files, no
 * libvirt, no floats; the same inputs and states give the same decisions to the last bit.
 *
 * sense (lpard/autoscale, lpard/sim) -> demand -> share -> calm -> a decision each, with its
 * reason and the numbers behind it.  All is per host, once a tick (a second). */
#ifndef LP_POLICY_POLICY_H
#define LP_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/autoscale.h"
#include "policy/demand.h"

#define LP_POLICY_NODES 64
#define LP_POLICY_POOLS 64
#define LP_POLICY_CELLS 64
#define LP_NO_POOL UINT32_MAX
/* So often an hour may a partition that suffers override another's dwell, and its own. */
#define LP_POLICY_EARLY 4
#define LP_POLICY_TREND 2

typedef struct {
    uint64_t capacity_bytes;       /* less what domains without a profile and overheads take */
    uint64_t reserve_bytes;
    uint64_t free_bytes;           /* observed free and promised to nobody, reserve not deducted */
} LpPolicyNode;

typedef struct {
    uint32_t max_centi, reserved_centi;
} LpPolicyPool;

typedef struct {
    int64_t now_msec;              /* monotonic */
    LpMode mode;                   /* OFF, ADVISE or AUTO */
    bool burst;                    /* what is left over stays with who has it; else it returns */
    uint32_t n_nodes;
    LpPolicyNode nodes[LP_POLICY_NODES];
    uint32_t capacity_centi, reserve_centi;
    uint32_t n_pools;
    LpPolicyPool pools[LP_POLICY_POOLS];
    uint32_t moving_max;           /* resizes of memory at work at once */
    uint32_t idle_tax;             /* permyriad; ESX's 7500 */
} LpPolicyHost;

void lp_policy_host_init(LpPolicyHost *ret);

/* What an open request of the guest itself, or its refusal, says; 0 msec: none. */
typedef struct {
    uint64_t asked_bytes;          /* at least so much ... */
    uint32_t asked_cpus;
    int64_t asked_until_msec;
    int64_t vetoed_until_msec;     /* nothing is taken before */
} LpGuestWord;

typedef struct {
    uint64_t key;                  /* unique and lasting */
    LpMode mode;                   /* LP_MODE_HOST is resolved by the caller */
    LpGoal goal;
    uint32_t priority, weight;
    uint32_t release_sec;          /* 0: the goal's */
    /* Bounds now, schedules applied. */
    uint32_t cpu_min, cpu_max;
    uint64_t mem_min_bytes, mem_max_bytes;
    bool scheduled;
    uint64_t entitled_bytes;       /* 0: mem_min_bytes */
    uint32_t entitled_centi;
    bool capped;
    uint32_t pool;                 /* index, or LP_NO_POOL */
    uint64_t block_bytes;          /* steps of memory */
    uint32_t n_cells;              /* its memory lies in equal parts on ... */
    uint8_t cell_node[LP_POLICY_CELLS];   /* ... these, indices into nodes[] */
    /* What is. */
    bool fixed;                    /* not to be changed now: held, busy, starting, stuck */
    uint64_t granted_bytes;
    uint32_t granted_cpus;
    uint32_t granted_centi;        /* processing units it can use: its cap, or its vCPUs */
    LpSignals seen;
    LpGuestWord word;
    bool failed;                   /* the last change of it failed or was refused since last tick */
} LpPolicyPartition;

/* What a partition's past is to the policy.  No pointers: may be copied and kept.  All zero: a
 * partition that is new. */
typedef struct {
    uint64_t key;                  /* whose it is; another's is forgotten */
    LpDemandState demand;
    int64_t up_msec, down_msec;    /* when its memory last grew, shrank by decision; 0: never */
    int64_t claimed_msec;          /* when some was last taken for another's entitlement */
    int64_t surplus_msec;          /* since when it has had surplus; 0: it has none */
    int64_t quiet_until_msec;      /* nothing is taken before: back-off */
    int64_t up_quiet_until_msec;   /* nor is it grown: back-off of that */
    uint32_t failures, up_failures;   /* in a row */
    int64_t early_msec[LP_POLICY_EARLY];   /* when dwell was last overridden for need; 0: never */
    uint64_t seen_bytes;           /* what was granted at the last tick; 0: there was none */
    uint64_t ordered_bytes;        /* what it was last to have, while that is under way; 0: none */
    int64_t ordered_msec;
    int64_t tick_msec;             /* of the last tick: shows where the clock jumped */
    uint64_t trend_bytes[LP_POLICY_TREND];     /* what was in use a while ago; [0] last */
    int64_t trend_msec[LP_POLICY_TREND];       /* 0: none */
    int64_t cpu_up_msec, cpu_down_msec, cpu_surplus_msec;
    uint32_t cpu_share;            /* as last said: it follows the target at some distance */
} LpPolicyState;

typedef enum {
    LP_ACT_NONE,           /* all is as it should be */
    LP_ACT_GROW, LP_ACT_SHRINK,
    LP_ACT_WAIT,           /* it should change, and will: see bound */
} LpAct;

/* What decided, or stands in the way. */
typedef enum {
    LP_BOUND_NONE,         /* the want is met */
    LP_BOUND_OFF, LP_BOUND_FIXED, LP_BOUND_NO_SIGNAL,
    LP_BOUND_MIN, LP_BOUND_MAX, LP_BOUND_SCHEDULE,
    LP_BOUND_CAPPED,       /* CPU: never above its entitlement */
    LP_BOUND_POOL,
    LP_BOUND_SHARE,        /* rivals: its fair part is smaller */
    LP_BOUND_FREE,         /* the memory is promised, and not yet free */
    LP_BOUND_DEADBAND,     /* too little to move for */
    LP_BOUND_DWELL,        /* it changed not long ago */
    LP_BOUND_RELEASE,      /* surplus, but not for long enough */
    LP_BOUND_LEFTOVER,     /* surplus that nobody needs */
    LP_BOUND_VETO, LP_BOUND_BACKOFF,
    LP_BOUND_MOVING,       /* enough others are moving */
    LP_BOUNDS,
} LpBound;

/* Why something is taken. */
typedef enum { LP_TAKE_NONE, LP_TAKE_SURPLUS, LP_TAKE_FOR_RIVAL, LP_TAKE_FOR_ENTITLEMENT,
               LP_TAKE_OVER_MAX, LP_TAKE_SHORTAGE } LpTake;

typedef struct {
    LpDemand demand;
    uint64_t mem_target_bytes;     /* its part: of the want, after sharing; before leftovers */
    uint64_t mem_bytes;            /* to have now; granted_bytes: nothing to do */
    LpAct mem_act;
    LpBound mem_bound;
    LpTake mem_take;
    uint64_t rival;                /* key of who gets what is taken, or is ahead; 0: none */
    int64_t mem_next_msec;         /* when a bound in time ends; 0: none */
    uint32_t cpu_target_centi;     /* its part of the processors */
    uint32_t cpu_centi;            /* the cap to set: its part, or all its vCPUs can use */
    uint32_t cpu_share;            /* for contention: in proportion to this */
    uint32_t cpus;                 /* vCPUs to have now; granted_cpus: nothing to do */
    LpAct cpu_act;
    LpBound cpu_bound;
    int64_t cpu_next_msec;
} LpDecision;

/* Room to work in, as much as the most partitions that were decided at once need. */
typedef struct LpPolicy LpPolicy;
LpPolicy *lp_policy_new(void);
void lp_policy_free(LpPolicy *policy);

/* One tick for n partitions; states[] and ret_decisions[] go with partitions[].  Keys are unique
 * (LP_PARTITION with an equal key later in the list is left alone).  false: out of memory, and
 * nothing was decided.
 *
 * Promises: S1 no target below mem_min (or what is granted below it); S2 none above mem_max; S3 on
 * each node the memory that would be granted grows by no more than is free there beyond the
 * reserve; nobody is below its entitlement and want while another keeps more than its own can
 * be taken for it. */
bool lp_policy_decide(LpPolicy *policy, const LpPolicyHost *host,
                      const LpPolicyPartition *partitions, LpPolicyState *states, size_t n,
                      LpDecision *ret_decisions);

#endif
