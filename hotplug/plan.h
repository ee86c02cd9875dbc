/* From a target to the ordered steps that reach it: pure data, made before anything is touched.
 *
 * No GLib, no clock, no I/O.  Reasons are codes with numbers; lpard/words.[ch] makes the
 * sentences, so that API, log and terminal say the same. */
#ifndef LP_HOTPLUG_PLAN_H
#define LP_HOTPLUG_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "hotplug/view.h"
#include "numa/cpumask.h"
#include "numa/place.h"
#include "numa/rule.h"
#include "numa/score.h"
#include "numa/topology.h"

#define LP_PLAN_MAX_SHORTFALLS 8
/* Grow or fold; hold; unplug; lift the hold; lower the memory limit. */
#define LP_PLAN_MAX_STAGES 5

typedef enum {
    LP_STEP_FOLD,             /* agent takes vCPUs offline / online: `cpus` are to run */
    LP_STEP_PLUG_VCPU,        /* `vcpu` */
    LP_STEP_UNPLUG_VCPU,
    LP_STEP_CAPACITY,         /* `limits` */
    LP_STEP_VIRTIO_MEM,       /* `cell`, from_bytes -> to_bytes requested */
    LP_STEP_DIMM_ADD,         /* `cell`, to_bytes is its size */
    LP_STEP_DIMM_REMOVE,      /* `alias` */
    LP_STEP_BALLOON,          /* from_bytes -> to_bytes inflated */
    LP_STEP_LIMIT,            /* the memory cgroup holds the process to to_bytes */
    LP_STEP_PROFILE,          /* live metadata: desired, capacity, and `cpus` as folded */
    LP_STEP_CONFIG,           /* the persistent definition follows */
    LP_STEP_KINDS,
} LpStepKind;

typedef struct {
    LpStepKind kind;
    /* Steps of one stage are asked one after the other without waiting for the guest; the next
     * stage begins when all of this one are confirmed. */
    uint32_t stage;
    bool release;             /* gives back to the host (else takes from it) */
    uint32_t vcpu, cell;
    char alias[32];
    LpCpuMask cpus;           /* FOLD: the vCPUs that are to run; PROFILE: those folded */
    uint64_t from_bytes, to_bytes;
    uint64_t shares;
    int64_t global_quota_usec;
    uint64_t global_period_usec;
    uint32_t expected_msec;   /* typical, from measurements; 0: nothing to wait for */
} LpStep;

/* Why a part of what was asked is out of reach. */
typedef enum {
    LP_SHORT_NONE,
    LP_SHORT_NO_CHANGE,           /* asked is what is: nothing to do */
    LP_SHORT_BELOW_MIN,           /* asked < bound */
    LP_SHORT_ABOVE_MAX,
    LP_SHORT_HOST_MEMORY,         /* host has `bound` free, `asked` were needed */
    LP_SHORT_NODE_MEMORY,         /* node `where` has `bound` free; if it is not fatal, `asked` come
                                     to lie elsewhere */
    LP_SHORT_HOST_CPU,            /* entitlements would exceed the processors (S8) */
    LP_SHORT_BLOCK,               /* not a multiple of the block size `bound` */
    LP_SHORT_NO_DEVICE,           /* no virtio-mem, and no DIMM slot */
    LP_SHORT_NO_SLOT,
    LP_SHORT_DEVICE_SIZE,         /* the devices hold `bound` at most until restarted */
    LP_SHORT_VCPU_MAX,            /* the running domain has `bound` vCPUs at most */
    LP_SHORT_DIMM_WHOLE,          /* DIMMs leave whole: nearest is `bound` */
    LP_SHORT_NO_BALLOON,
    LP_SHORT_BALLOON_ONLY,        /* part comes by balloon: reclaimed, not granted back */
    LP_SHORT_NO_CGROUP,           /* session connection: capacity cannot be enforced */
    LP_SHORT_NO_AGENT,            /* needs the agent, which is not connected */
    LP_SHORT_NOT_RUNNING,         /* changes the next start only */
    LP_SHORT_ENTITLED_LOW,        /* below 0.05 for each granted vCPU */
    LP_SHORT_ENTITLED_HIGH,       /* above granted vCPUs */
    LP_SHORT_BOOT_CPU,            /* vCPUs of the minimum cannot be unplugged */
    LP_SHORT_PAUSED,
    LP_SHORT_BUSY,                /* starting, stopping or migrating: left alone */
    LP_SHORT_UNPLUG_EMULATED,     /* under emulation vCPUs are folded, not unplugged */
    LP_SHORT_OVERRUN,             /* the guest holds more than its grant */
    LP_SHORT_TRANSIENT,           /* no persistent definition: live only */
    LP_SHORT_AFFINITY,            /* score would be `bound` (points), floor is `asked` */
    LP_SHORT_CELL,                /* cell `where` can move `bound` by its device */
    LP_SHORT_NODES_ABSENT,        /* its rule is strict, and the host has no node `where` */
    LP_SHORT_KINDS,
} LpShortReason;

typedef enum { LP_RESOURCE_CPU, LP_RESOURCE_MEM, LP_RESOURCE_CAPACITY } LpResource;

typedef struct {
    LpShortReason reason;
    LpResource resource;
    bool fatal;               /* the whole plan is refused; else it is a remark */
    uint64_t asked, bound;    /* bytes, vCPUs or hundredths, by resource */
    int32_t where;            /* node or cell, -1: none */
} LpShortfall;

typedef enum { LP_VIA_AUTO, LP_VIA_VIRTIO_MEM, LP_VIA_DIMM, LP_VIA_BALLOON } LpVia;

/* Absolute: where the partition is to be.  Unset fields keep what is. */
typedef struct {
    bool has_cpu, has_mem, has_capacity;
    uint32_t cpu;
    uint64_t mem_bytes;
    uint32_t entitled_centi, weight;
    bool capped;
    uint64_t shares;          /* the cgroup weight that the entitlement makes */
    bool one_cell;            /* memory comes to, or leaves, `cell` only, by its device */
    uint32_t cell;
} LpTarget;

/* What the planner may not exceed, and what the profile says now. */
typedef struct {
    uint32_t cpu_min, cpu_max, cpu_desired;
    uint64_t mem_min_bytes, mem_max_bytes, mem_desired_bytes;
    uint32_t entitled_centi, weight;
    bool capped;
    uint64_t shares;
    /* What QEMU may have beside the grant where memory is held by a hard limit (enforce = hard);
     * 0: it is not. */
    uint64_t limit_overhead_bytes;
    uint32_t pool_centi;      /* what the pool it runs in may use; 0: no limit */
    LpCpuMask folded;         /* vCPUs plugged but held offline by lpard */
    LpNumaRule numa;
} LpBounds;

/* Where a partition lies and runs: measured, or as it is meant where it was not. */
typedef struct {
    const LpTopology *topology;
    LpSpread cpus;                 /* its running vCPUs, in any unit */
    const LpSpread *cell_memory;   /* by cell: what it has, in bytes */
    /* Mean distance, in hundredths, of its vCPUs to each node (by the topology's index), and to
     * where each cell's pages are; 0: not known. */
    uint32_t node_distance[LP_MAX_NODES];
    uint32_t cell_distance[LP_MAX_CELLS];
} LpWhere;

/* What the host can give this partition in all, what it has included: capacity less reserve less
 * what every other is counted at. */
typedef struct {
    uint64_t room_bytes;
    uint64_t excess_bytes;    /* what this partition's guest holds beyond its grant */
    uint32_t n_nodes;
    int32_t node_id[LP_MAX_NODES];
    uint64_t node_room_bytes[LP_MAX_NODES];
    uint32_t room_centi;                     /* processing units not entitled to others;
                                                includes this partition's own */
    const LpWhere *where;     /* NULL: the host has one node, or nothing is known */
} LpRoom;

typedef struct {
    bool connected;           /* an agent is there to fold vCPUs and to confirm */
    LpCpuMask online;         /* vCPUs that run in the guest, by its word */
    LpCpuMask leave;          /* vCPUs it would rather lose; a wish, empty: none */
} LpGuestFacts;

typedef struct {
    LpVia via;
    bool live_only;           /* leave the persistent definition alone */
    bool keep_desired;        /* and what the profile desires */
} LpPlanOptions;

typedef struct {
    uint32_t n_steps;
    LpStep *steps;
    uint32_t n_allocated;
    uint32_t n_stages;
    uint32_t n_shortfalls;
    LpShortfall shortfalls[LP_PLAN_MAX_SHORTFALLS];
    bool refused;             /* a shortfall is fatal: no step may be taken */
    /* Before, and after if every step succeeds. */
    uint32_t cpu_before, cpu_after;
    uint64_t mem_before_bytes, mem_after_bytes;
    LpCpuMask folded_after;   /* when every step has succeeded */
    LpCpuMask run_after;      /* vCPUs that are then to run */
    uint64_t requested_after_bytes[LP_MAX_CELLS];
    uint64_t remote_bytes[LP_MAX_CELLS];      /* of that, what its node has no room for */
    uint64_t balloon_after_bytes;
    uint64_t dimm_bytes;      /* a DIMM to add to dimm_cell; 0: none */
    uint32_t dimm_cell;
    LpCpuMask dimms_removed;  /* by index into the view's dimms */
    uint32_t expected_msec;
} LpPlan;

LpPlan *lp_plan_new(void);
void lp_plan_free(LpPlan *plan);

/* Fills *ret_plan, which must be new.  Always succeeds; a request that cannot be met is a
 * plan with refused set and the reason in shortfalls. */
void lp_plan_make(const LpView *view, const LpBounds *bounds, const LpRoom *room,
                  const LpGuestFacts *guest, const LpTarget *target,
                  const LpPlanOptions *options, LpPlan *ret_plan);

/* Some vCPUs could not be folded: they stay granted.  Takes them out of what later steps hold,
 * record and unplug. */
void lp_plan_keep_vcpus(LpPlan *plan, const LpBounds *bounds, const LpTarget *target,
                        const LpCpuMask *kept);

/* Some vCPUs were not unplugged (yet): they stay folded, held and on record as such. */
void lp_plan_keep_folded(LpPlan *plan, const LpBounds *bounds, const LpTarget *target,
                         const LpCpuMask *kept);

/* Whether growth may lie beside its cells' nodes where those are full: there are others, and no
 * rule, binding or lock holds its memory. */
bool lp_plan_may_stray(const LpView *view, const LpNumaRule *rule, uint32_t n_nodes);

/* The node that the next pages of a cell come from: the one it is bound to, wherever pages were
 * moved since; -1: not known.  Where a rule holds it off that one, the one where it lies, to which
 * they are moved. */
int32_t lp_plan_growth_node(const LpNumaRule *rule, const LpViewCell *cell);

/* vCPUs granted: plugged and not folded. */
uint32_t lp_plan_granted_vcpus(const LpView *view, const LpCpuMask *folded);

/* The quota that holds a domain to its granted vCPUs, or to its cap if that is lower:
 * min(cap, granted) x period + LP_EMULATOR_ALLOWANCE_USEC.  -1 where nothing needs holding. */
int64_t lp_plan_quota(uint32_t granted_vcpus, bool any_folded, uint32_t entitled_centi,
                      bool capped, uint64_t period_usec);
/* The same of a domain that runs in a pool of so much: a kernel with control groups of version 1
 * takes no quota above the parent's.  `pool_centi` 0: no pool, or one without a limit. */
int64_t lp_plan_quota_in_pool(int64_t quota_usec, uint32_t pool_centi, uint64_t period_usec);

/* Stable names for the API: "virtio-mem", "fold", "host-memory", ... */
const char *lp_step_kind_name(LpStepKind kind);
const char *lp_short_reason_name(LpShortReason reason);

#endif
