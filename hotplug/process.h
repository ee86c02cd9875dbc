/* A hypervisor's process as the kernel shows it: which of its memory is which cell's and where that
 * lies, and the threads of its vCPUs.  Neither the guest nor the process is asked, and what it costs does
 * not grow with the guest. */
#ifndef LP_HOTPLUG_PROCESS_H
#define LP_HOTPLUG_PROCESS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hotplug/locality.h"

/* Memory that the hypervisor maps by itself: boot memory of a cell, a DIMM, a virtio-mem device. */
typedef struct {
    uint32_t cell;
    uint64_t bytes;
} LpBackend;

typedef struct {
    pid_t pid;
    uint32_t n_cells;
    uint32_t n_backends;               /* in the order in which they were made */
    const LpBackend *backends;
} LpProcess;

/* Which part each range belongs to: a cell, or n_cells for the process's own.  A backend is a mapping of
 * exactly its size; of several of one size the first is the highest, as the kernel gives out addresses
 * from the top and they are made in that order.  False: some were told apart by that alone. */
bool lp_process_sort(const LpProcess *process, const LpPageRange *ranges, size_t n_ranges,
                     uint32_t *ret_part);

/* Errors of these three: _NOT_RUNNING: it has ended; _UNSUPPORTED: it is not this user's to look at.
 * Fills parts, exact_cells and error_permyriad. */
bool lp_process_locate(const LpProcess *process, const LpTopology *topology, uint32_t samples,
                       LpLocality *ret, GError **error);
/* Fills vcpus, by id: those below vcpu_max that have a thread. */
bool lp_process_vcpus(pid_t pid, uint32_t vcpu_max, LpLocality *ret, GError **error);
/* Also _INVALID: the host has no such node; _FAILED: the process may not use it.  *ret_moved is good
 * in any case. */
bool lp_process_move(const LpProcess *process, const LpMoveOrder *order, LpPagesMoved *ret_moved,
                     GError **error);

#endif
