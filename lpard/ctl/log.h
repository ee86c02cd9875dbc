/* Lists that lpard gives newest first, shown as it happened: the policy's log, the audit trail. */
#ifndef LP_LPARD_CTL_LOG_H
#define LP_LPARD_CTL_LOG_H

#include "lpard/ctl/ctl.h"

/* Ahead of what is said below an entry's first line. */
#define LP_CTL_LOG_INDENT "    "

typedef struct {
    const char *path;             /* "/v1/audit" */
    const char *key;              /* of the list in the answer */
    void (*print)(const json_t *entry, GString *out);
    const char *nothing;          /* said where the list is empty */
} LpCtlLog;

/* Asks for as many entries as --limit says, of the partition `name` or of all (NULL), and prints
 * them.  The exit status; -1: `error` is set. */
int lp_ctl_show_log(LpCtl *ctl, const LpCtlLog *log, const char *name, GError **error);

#endif
