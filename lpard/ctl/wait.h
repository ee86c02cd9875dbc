/* Follows an operation to its end. */
#ifndef LP_CTL_WAIT_H
#define LP_CTL_WAIT_H

#include "lpard/ctl/ctl.h"

/* Ctrl-C detaches from now on instead of ending the command at once. */
typedef struct LpCtlWait LpCtlWait;
LpCtlWait *lp_ctl_wait_new(LpCtl *ctl);
void lp_ctl_wait_free(LpCtlWait *wait);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpCtlWait, lp_ctl_wait_free)

/* Waits until the operation in *operation is final, replacing it by each newer answer.
 * Returns the exit status, or -1 with *error.  Prints the outcome to stdout. */
int lp_ctl_wait_follow(LpCtlWait *wait, LpCtlAnswer *operation, GError **error);

#endif
