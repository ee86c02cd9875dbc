/* The kernel's cgroups, through libcgroup: version 2, or version 1 with its hierarchies. */
#ifndef LP_AGENT_CLASSES_KERNEL_H
#define LP_AGENT_CLASSES_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/classes/share.h"

typedef struct {
    bool v2;
    char *cpu, *acct, *mem;          /* where each controller is mounted; mem may be NULL */
    char error[512];                 /* of the last call that failed, for people */
} LpClassKernel;

typedef enum {
    LP_KERNEL_SET,
    LP_KERNEL_OVER,                  /* set, but it uses more memory than it may: see error */
    LP_KERNEL_FAILED,
} LpKernelResult;

/* Finds where the controllers are.  Without the memory controller it succeeds only if
 * !needs_memory. */
bool lp_kernel_open(LpClassKernel *kernel, bool needs_memory);
void lp_kernel_close(LpClassKernel *kernel);

/* The cgroup is there for each controller. */
bool lp_kernel_has(const LpClassKernel *kernel, const char *path);
/* ... for one of them at least. */
bool lp_kernel_has_part(const LpClassKernel *kernel, const char *path);
/* Whether its limits can be set, or, if it is not there, it can be made. */
bool lp_kernel_may(LpClassKernel *kernel, const char *path);
/* Makes one cgroup below one that is there. */
bool lp_kernel_make(LpClassKernel *kernel, const char *path);
/* Removes it unless it has processes or cgroups in it; false then. */
bool lp_kernel_remove(LpClassKernel *kernel, const char *path);
/* cgroup v2: the cgroups above it hand both controllers down to it. */
bool lp_kernel_hand_down(LpClassKernel *kernel, const char *path);

LpKernelResult lp_kernel_set(LpClassKernel *kernel, const LpClassGroup *group);
/* Takes back what lp_kernel_set() sets, of a class or of a cgroup above classes. */
bool lp_kernel_reset(LpClassKernel *kernel, const char *path, bool is_class);

/* The files that tell what a cgroup uses; "-" for what cannot be known. */
void lp_kernel_use_files(const LpClassKernel *kernel, const char *path, char *cpu_file,
                         char *mem_file, size_t size);

#endif
