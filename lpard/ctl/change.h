/* From the operator's options to an operation or a plan: what set, add, remove, move, capacity
 * and reconcile share. */
#ifndef LP_CTL_CHANGE_H
#define LP_CTL_CHANGE_H

#include "lpard/ctl/amounts.h"
#include "lpard/ctl/ctl.h"

/* Reads cpu= and mem= from the words after `from`, and puts them into `body` with `mode`
 * ("set", "add", "remove").  Says so when it rounded. */
bool lp_ctl_change_amounts(LpCtl *ctl, guint from, const char *mode, json_t *body, GError **error);

/* Sends the request of `kind` for `partition` (or its plan) with `body`, which it takes, and
 * the options; waits as they say; prints the outcome.  `action`: the path behind the
 * partition's ("/resize"), NULL for a move. */
int lp_ctl_change_run(LpCtl *ctl, const char *kind, const char *partition, const char *action,
                      json_t *body, GError **error);

/* Sends what becomes an operation, waits as the options say, prints the outcome. */
int lp_ctl_change_send(LpCtl *ctl, const char *path, const json_t *body, GError **error);

/* set, add and remove: one partition, amounts with `mode`. */
int lp_ctl_resize_run(LpCtl *ctl, const char *mode, GError **error);

#endif
