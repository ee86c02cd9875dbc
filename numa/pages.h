/* Pages of another process: where they lie, and moving them (libnuma).  Blocks; any thread.
 *
 * A process's memory is taken as ranges of addresses, which /proc/PID/maps gives without walking
 * page tables, so that a guest of terabytes costs no more to ask about than a small one. */
#ifndef LP_NUMA_PAGES_H
#define LP_NUMA_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "numa/topology.h"

typedef struct {
    uint64_t start, end;      /* addresses in the process */
    uint64_t page_bytes;      /* 4 KiB, or a huge page's size */
    bool shared;              /* a file or memfd: others may have its pages mapped */
    bool writable, executable;
} LpPageRange;

/* The memory that the process can write to, by address: program text, files that are only read, and
 * mappings of devices are left out.  NULL: errno (ESRCH: it is gone, EACCES: not this user's to look
 * at, ENOMEM).  Caller frees. */
LpPageRange *lp_pages_ranges(pid_t pid, size_t *ret_n);

/* Where pages lie, in bytes. */
typedef struct {
    uint64_t looked_bytes;    /* asked about */
    uint64_t absent_bytes;    /* never touched, or swapped out */
    /* Resident, but on which node the kernel did not say: counted as the others lie, or as elsewhere
     * where there are no others. */
    uint64_t hidden_bytes;
    uint64_t on_bytes[LP_MAX_NODES];   /* resident, by the index in `node_id` */
    uint64_t elsewhere_bytes; /* on a node that is not in `node_id` */
    uint64_t n_resident;      /* pages that were asked about and are resident: what the error is by */
    bool sampled;             /* else every page was asked about */
} LpPagesWhere;

/* Asks about `samples` pages spread over the ranges (0: every page), and scales what they say to the
 * whole.  One page is taken out of each of as many equal pieces, at a place in it that looks like chance
 * but is the same each time: an even stride could keep step with how an interleaved guest lies.
 * node_id: n_nodes ids, LpTopology's order.  False: errno (ESRCH: it is gone, EPERM). */
bool lp_pages_where(pid_t pid, const LpPageRange *ranges, size_t n_ranges, uint32_t samples,
                    const uint32_t *node_id, uint32_t n_nodes, LpPagesWhere *ret);

typedef enum {
    LP_STUCK_BUSY,            /* EBUSY: pinned for a device, or under I/O; may go later */
    LP_STUCK_NO_ROOM,         /* ENOMEM: the node has no free page (of that size) */
    LP_STUCK_SHARED,          /* EACCES: another process has it mapped too */
    LP_STUCK_OTHER,
    LP_STUCKS,
} LpStuck;
extern const char *const lp_stuck_names[LP_STUCKS];        /* "busy", "no-room", "shared", "other" */

typedef struct {
    uint64_t looked_bytes, moved_bytes;
    uint64_t stuck_bytes[LP_STUCKS];
    size_t range;             /* where to go on: */
    uint64_t offset;          /* ... in ranges[range] */
    bool done;                /* all ranges were gone through */
    /* errno that ended it early, or 0: ESRCH, EPERM, ENODEV (no such node, or offline), EACCES (the
     * node is outside the process's cpuset) */
    int error;
} LpPagesMoved;

/* Moves pages that are on `from` (id; -1: on any other) to the node `to`, from ret->range and ->offset
 * on, until `max_bytes` have moved, `max_look_bytes` were looked at (each: 0: no limit) or the end is
 * reached.  Ends early, and not done, where the node is full: a whole batch of pages found no room.  A
 * transparent huge page moves as a whole, so up to one of those more may have moved than is told.
 * Memory that others share by a file moves with them where this process may do that (CAP_SYS_NICE).
 * False: see ret->error; what was moved until then is told too. */
bool lp_pages_move(pid_t pid, const LpPageRange *ranges, size_t n_ranges, int32_t from, int32_t to,
                   uint64_t max_bytes, uint64_t max_look_bytes, LpPagesMoved *ret);

#endif
