/* Between the planner's files: choosing vCPUs (plan-cpu.c) and memory (plan-mem.c). */
#ifndef LP_HOTPLUG_PLAN_PARTS_H
#define LP_HOTPLUG_PLAN_PARTS_H

#include "hotplug/plan.h"

/* libvirt's and Linux's own default period. */
#define LP_PLAN_DEFAULT_PERIOD_USEC 100000
/* PowerVM's floor: a twentieth of a processor for each vCPU. */
#define LP_PLAN_CENTI_PER_VCPU_MIN 5
/* Linux on x86 takes DIMMs in memory blocks of this size. */
#define LP_PLAN_DIMM_BLOCK_BYTES (128ULL << 20)
/* What a profile says of memory is a multiple of this: an amount in between could not be desired. */
#define LP_PLAN_PROFILE_BLOCK_BYTES (2ULL << 20)

typedef struct {
    bool shrinks;
    bool tell_agent;          /* a fold step is wanted: vCPUs come or go in the guest */
    LpCpuMask plug;           /* to be plugged */
    LpCpuMask folded;         /* folded once the agent has done its part */
    LpCpuMask unplug;         /* of those, to be unplugged afterwards */
} LpCpuChange;

LpStep *lp_plan_add_step(LpPlan *plan, LpStepKind kind, uint32_t stage);
void lp_plan_add_shortfall(LpPlan *plan, LpShortReason reason, LpResource resource, bool fatal,
                           uint64_t asked, uint64_t bound, int32_t where);

void lp_plan_choose_cpus(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                         const LpGuestFacts *guest, const LpTarget *target,
                         LpCpuChange *ret_change);
void lp_plan_add_cpu_steps(LpPlan *plan, const LpView *view, const LpCpuChange *change,
                           uint32_t stage);
void lp_plan_add_unplug_steps(LpPlan *plan, const LpView *view, const LpCpuChange *change,
                              uint32_t stage);

/* Decides plan->requested_after_bytes and what DIMMs and balloon must do. */
void lp_plan_choose_memory(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                           const LpRoom *room, const LpTarget *target,
                           const LpPlanOptions *options);
/* The rule of placement, for the planner (plan-near.c): whether it keeps memory to the nodes it
 * names, wants all cells alike, and would have memory on that node (id; -1: bound to none). */
bool lp_plan_is_held(const LpNumaRule *rule);
bool lp_plan_is_level(const LpNumaRule *rule);
bool lp_plan_names_node(const LpNumaRule *rule, int32_t node);
/* Refuses growth where the host has none of the nodes that the rule holds to; tells if one
 * lacks. */
bool lp_plan_check_nodes(LpPlan *plan, const LpNumaRule *rule, const LpRoom *room, uint64_t bytes);
/* When all is chosen: whether the partition falls below its affinity floor by it. */
void lp_plan_check_affinity(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                            const LpRoom *room, const LpTarget *target);
/* Among the cells (plan-cells.c); each adds to the plan what it decides, or why it cannot. */
void lp_plan_grow_devices(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                          const LpRoom *room, uint64_t spare, uint64_t bytes);
uint64_t lp_plan_shrink_devices(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                                const LpRoom *room, uint64_t bytes);
void lp_plan_grow_dimm(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                       const LpRoom *room, uint64_t spare, uint64_t bytes);
void lp_plan_choose_offline(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                            const LpTarget *target);
void lp_plan_choose_in_cell(LpPlan *plan, const LpView *view, const LpBounds *bounds,
                            const LpRoom *room, const LpTarget *target, uint64_t now);
uint64_t lp_plan_dimm_bytes(const LpView *view);
uint64_t lp_plan_block_bytes(const LpView *view, LpVia via);
void lp_plan_add_mem_steps(LpPlan *plan, const LpView *view, const LpTarget *target,
                           const LpPlanOptions *options, uint32_t stage);

#endif
