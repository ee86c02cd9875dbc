/* Which processors something is bound to, and what: affinity masks, cpusets, isolated processors,
 * interrupts.
 *
 * The kernel takes a processor offline whatever is bound to it: the task is then let run anywhere,
 * which is not what its owner wanted.  So a task that could run nowhere else is a reason to refuse.
 * Not so an interrupt: its handler runs as well elsewhere, and the kernel moves it (or, if it
 * manages it itself, shuts the queue that belongs to the processor down in good order).  Interrupts
 * only make a processor dearer.  The kernel's own threads follow its processors. */
#ifndef LP_AGENT_BOUND_H
#define LP_AGENT_BOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/cpumask.h"

#define LP_BOUND_TEXT 64
/* Sets of processors that differ and do not contain each other: a program that binds a thread to
 * each processor makes as many as there are processors.  Those beyond are still heeded, see
 * `others`. */
#define LP_BOUND_SETS 32

/* Something that can run only within a set; processors by the kernel's numbers. */
typedef struct {
    LpCpuMask cpus;                    /* of those online */
    bool cpuset;                       /* `who` is a cpuset's path, not a task */
    char who[LP_BOUND_TEXT];           /* "pid 812 postgres" */
} LpBinding;

typedef struct {
    unsigned n_sets;
    LpBinding sets[LP_BOUND_SETS];
    /* For sets beyond those, the lowest processor of each: if it stays, they can run.  `other` is
     * the first of their owners. */
    LpCpuMask others;
    LpBinding other;
    LpCpuMask isolated, nohz_full;     /* reserved at boot, of those online */
    uint16_t cost[LP_MAX_CPUS];        /* bound tasks and interrupts that would have to move */
} LpBound;

/* Reads it all, for the processors in `online` (the kernel's numbers).  The tasks looked at are
 * bounded in number and by budget_msec; what cannot be read binds nothing. */
void lp_bound_read(const char *sysfs, const char *procfs, const LpCpuMask *online,
                   int64_t budget_msec, LpBound *ret_bound);
/* Adds one task or cpuset that can run only within `cpus`, unless that adds nothing. */
void lp_bound_add(LpBound *bound, const LpCpuMask *online, const LpBinding *binding);

/* What could run nowhere if these left, for people: "pid 812 postgres is bound to cpu 3 (vCPU 5)";
 * id_of gives the vCPU id by the kernel's number.  False: nothing, and ret_text is empty. */
bool lp_bound_blocker(const LpBound *bound, const LpCpuMask *leaving, const uint16_t *id_of,
                      char *ret_text, size_t size);

#endif
