/* The system calls that a sandboxed lpard may make. */
#ifndef LP_LPARD_SANDBOX_FILTER_H
#define LP_LPARD_SANDBOX_FILTER_H

#include <stdbool.h>

/* Sets no_new_privs and loads the filter, for every thread of this process, for good.  0, or a
 * negative errno: nothing has changed. */
int lp_sandbox_filter_load(void);

#endif
