/* How much of the guest's memory is in use and cannot be reclaimed, and who holds most of it. */
#ifndef LP_AGENT_MEMUSE_H
#define LP_AGENT_MEMUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t total_bytes;              /* MemTotal */
    /* MemAvailable: free memory and what can be reclaimed, less what the kernel keeps back; in
     * kernels before 3.14 an estimate made in the same manner.  Memory in tmpfs, locked memory
     * and huge pages are not in it. */
    uint64_t available_bytes;
    uint64_t free_bytes;
    uint64_t huge_bytes;               /* reserved as huge pages, used or not */
    uint64_t locked_bytes;             /* unevictable: mlock() and the like */
    uint64_t shared_bytes;             /* tmpfs and shared memory */
} LpMemUse;

/* False if /proc/meminfo cannot be read or makes no sense. */
bool lp_memuse_read(const char *procfs, LpMemUse *ret_use);
/* In use and not reclaimable. */
uint64_t lp_memuse_used(const LpMemUse *use);
/* Who holds most of it, for people: "largest: pid 812 postgres 410 MiB", "412 MiB are huge
 * pages"; empty if nobody holds much.  Looks at a bounded number of processes. */
void lp_memuse_largest(const char *procfs, const LpMemUse *use, char *ret_text, size_t size);

#endif
