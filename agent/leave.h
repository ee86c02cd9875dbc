/* Which processors leave most cheaply.  Pure.
 *
 * What stays must hold one of every set that something is bound to, and the reserved processors.
 * Of the others whole cores leave first, so that what stays keeps whole ones; then those with the
 * fewest tasks and interrupts to move; then the highest vCPU id.  If too few are free, the rest is
 * made up of reserved and then of bound ones, for a host that insists. */
#ifndef LP_AGENT_LEAVE_H
#define LP_AGENT_LEAVE_H

#include <stdint.h>

#include "agent/bound.h"
#include "numa/cpumask.h"

/* Processors by the kernel's numbers. */
typedef struct {
    LpCpuMask online;                  /* of which some are to leave */
    LpCpuMask may_leave;               /* those of them that can; never processor 0 */
    const uint16_t *id_of;             /* vCPU id */
    uint16_t core_of[LP_MAX_CPUS];     /* equal for the threads of a core */
} LpLeaveCase;

/* Chooses exactly n of may_leave (or all, if there are fewer); returns how many of these could
 * leave without harm. */
unsigned lp_leave_choose(const LpLeaveCase *of, const LpBound *bound, unsigned n,
                         LpCpuMask *ret_leave);

#endif
