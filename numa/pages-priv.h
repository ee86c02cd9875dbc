/* What asking about pages and moving them share; and pages that are there, though move_pages(2) says
 * that they are not.
 *
 * Automatic NUMA balancing takes away the right to read a page to see who comes for it, and Linux 6.1 to
 * 6.5 then answers ENOENT for it, and EFAULT for a transparent huge one.  Memory that is bound by a policy
 * (a guest's cells) is exempt. */
#ifndef LP_NUMA_PAGES_PRIV_H
#define LP_NUMA_PAGES_PRIV_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Pages in one call of the kernel: 8 MiB of small ones, and some 100 KiB of the caller's stack. */
#define LP_PAGES_BATCH 2048

/* errno of a call that failed: a process that has ended and was not waited for has no memory to ask
 * about, which is called an invalid argument. */
static inline int
lp_pages_errno(void)
{
    return errno == EINVAL ? ESRCH : errno;
}

/* A status of move_pages(2): never touched, swapped out, the kernel's page of zeros, or unmapped since; or
 * hidden. */
static inline bool
lp_pages_is_absent(int status)
{
    return status == -ENOENT || status == -EFAULT;
}

/* For looking into a process's page tables, and for whose frame is whose node's. */
typedef struct {
    uint64_t first, end;      /* numbers of page frames */
    int node;
} LpFrames;
typedef struct {
    int fd;                   /* -1: this user may not look */
    bool know_frames;         /* `frames` was read, which is done when it is first needed */
    size_t n_frames;
    LpFrames *frames;
} LpPageMap;

void lp_page_map_open(pid_t pid, LpPageMap *ret_map);
void lp_page_map_close(LpPageMap *map);    /* leaves errno as it is */

enum {
    LP_PAGE_ABSENT = -1,      /* or not this process's alone */
    LP_PAGE_SOMEWHERE = -2,   /* there, but on which node only an administrator is told */
};
/* The node of each page, by page of `page_bytes` from `start` on. */
void lp_page_map_read(LpPageMap *map, uint64_t start, uint64_t page_bytes, unsigned long n,
                      int *ret_node);
/* Reads a byte of each page, which ends its being hidden; what cannot be read stays as it is.  It may
 * bring the page to the node of who reads. */
void lp_pages_touch(pid_t pid, void *const *pages, unsigned long n);

#endif
