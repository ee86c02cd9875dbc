/* Making the kernel's cgroups as classes.conf says, and taking it back. */
#ifndef LP_AGENT_CLASSES_APPLY_H
#define LP_AGENT_CLASSES_APPLY_H

#include "agent/classes/parse.h"

#define LP_CLASSES_EXIT_FAILED 1     /* the kernel, or the rights here, do not permit it */
#define LP_CLASSES_EXIT_WRONG 2      /* the command line or classes.conf */
#define LP_CLASSES_EXIT_OVER 3       /* applied, but a class uses more memory than it may */

/* Both return the process's exit status, and say on stderr what is amiss. */
int lp_classes_apply(const LpClassTable *table, uint32_t cpus, uint64_t bytes, const char *list);
int lp_classes_clear(const char *list);

#endif
