/* Which files of agent.d/ are hooks, and in which order they are run. */
#ifndef LP_AGENT_HOOKDIR_H
#define LP_AGENT_HOOKDIR_H

#include <stdbool.h>

#include "agent/hooks.h"

typedef struct {
    char name[LP_HOOKS_NAME_MAX];
    unsigned pre_ran;                  /* one bit a resource */
} LpHook;

/* Fills hooks[] by strverscmp() of their names; how many.  With `warn`, says of each file left
 * out why; backups and what starts with a dot are left out silently. */
unsigned lp_hookdir_read(const char *directory, LpHook hooks[LP_HOOKS_MAX], bool warn);
/* Whether a file may be run by root: NULL, or what is wrong. */
const char *lp_hookdir_check(const char *directory, const char *name);

#endif
