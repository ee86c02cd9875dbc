/* Pages that are there, though move_pages(2) says that they are not.
 *
 * Automatic NUMA balancing takes away the right to read a page to see who comes for it, and Linux 6.1 to
 * 6.5 then answers ENOENT for it, and EFAULT for a transparent huge one.  Memory that is bound by a policy
 * (a guest's cells) is exempt. */
#ifndef LP_NUMA_PAGES_PRIV_H
#define LP_NUMA_PAGES_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* For looking into a process's page tables; -1: this user may not. */
int lp_pages_map_open(pid_t pid);
/* Whether each page is there and this process's alone, by page of `page_bytes` from `start` on. */
void lp_pages_map_read(int map, uint64_t start, uint64_t page_bytes, unsigned long n, bool *ret_there);
/* Reads a byte of each page, which ends its being hidden; what cannot be read stays as it is. */
void lp_pages_touch(pid_t pid, void *const *pages, unsigned long n);

#endif
