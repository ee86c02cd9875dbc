/* Which processors something is bound to, and what: affinity masks, cpusets, isolated processors,
 * interrupts. */
#ifndef LP_AGENT_BOUND_H
#define LP_AGENT_BOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/cpumask.h"

#define LP_BOUND_TEXT 96

/* By the kernel's processor numbers. */
typedef struct {
    LpCpuMask bound;                   /* something could run nowhere else if these all left */
    uint16_t cost[LP_MAX_CPUS];        /* tasks and interrupts that would have to move */
    /* The first blocker met of each, for people: "pid 812 postgres is bound to cpu 3". */
    char blocker[LP_BOUND_TEXT];
    uint16_t blocker_cpu;
} LpBound;

/* Reads it all; the tasks looked at are bounded (named constant), for very large guests. */
void lp_bound_read(const char *sysfs, const char *procfs, LpBound *ret_bound);
/* What is bound to processor `number` alone or to processors that are all in `leaving`; false if
 * nothing. */
bool lp_bound_blocker(const char *sysfs, const char *procfs, const LpCpuMask *leaving,
                      char *ret_text, uint32_t size);

#endif
