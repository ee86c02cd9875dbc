/* The guest's processors: which are there, which run, and making it as the host wants.
 *
 * The host speaks of vCPU ids; the kernel numbers processors in order of arrival.  The
 * firmware's name for a processor tells its vCPU id, so that is the translation where there is
 * one; elsewhere the two numbers are the same. */
#ifndef LP_AGENT_CPU_H
#define LP_AGENT_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numa/cpumask.h"

#define LP_CPU_NO_ID UINT16_MAX

typedef struct {
    const char *sysfs;
    LpCpuMask numbers;                 /* the kernel's numbers of processors present */
    LpCpuMask present;                 /* the same as vCPU ids */
    uint16_t id_of[LP_MAX_CPUS];       /* vCPU id by the kernel's number, or LP_CPU_NO_ID */
    bool unbound;                      /* one has no firmware node yet, see lp_cpus_scan() */
} LpCpus;

void lp_cpus_init(LpCpus *cpus, const char *sysfs);
/* Reads what is present.  A processor that has just arrived gets its firmware node a moment
 * after its event: until then it counts as absent and `unbound` is set, unless `give_up`, which
 * takes its number for its id. */
void lp_cpus_scan(LpCpus *cpus, bool give_up);
/* vCPU ids that run now. */
void lp_cpus_online(const LpCpus *cpus, LpCpuMask *ret_online);
/* Brings those present online or offline, as in `want`; never touches processor 0.  In the order
 * of vCPU ids, in which the threads of a core follow each other: upwards online, downwards
 * offline.  Returns how many were changed; `failed` and `error` (of the first failure) are added
 * to. */
unsigned lp_cpus_apply(const LpCpus *cpus, const LpCpuMask *want, LpCpuMask *failed,
                       char *error, size_t error_size);

#endif
