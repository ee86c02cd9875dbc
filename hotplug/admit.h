/* The gate between a plan and its effects: independent code that re-checks the invariants on
 * the plan itself, step by step, whatever made it.  Pure. */
#ifndef LP_HOTPLUG_ADMIT_H
#define LP_HOTPLUG_ADMIT_H

#include "hotplug/plan.h"

typedef enum {
    LP_ADMIT_OK,
    LP_ADMIT_S1_BELOW_MIN,        /* S1: some step would go below the minimum */
    LP_ADMIT_S2_ABOVE_MAX,
    LP_ADMIT_S3_HOST_MEMORY,
    LP_ADMIT_S3_NODE_MEMORY,
    LP_ADMIT_S8_CAPACITY,
    LP_ADMIT_NODE_RULE,           /* memory on a node that its rule does not allow */
    LP_ADMIT_MALFORMED,           /* a step that names no such cell, vCPU, device, or goes
                                     backwards in stages */
} LpAdmitVerdict;

/* Walks the plan from the view; *ret_step (may be NULL) names the first step at fault. */
LpAdmitVerdict lp_admit(const LpPlan *plan, const LpView *view, const LpBounds *bounds,
                        const LpRoom *room, const LpTarget *target, uint32_t *ret_step);

const char *lp_admit_verdict_text(LpAdmitVerdict verdict);

#endif
