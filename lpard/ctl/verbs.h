/* The verbs, one a file. */
#ifndef LP_CTL_VERBS_H
#define LP_CTL_VERBS_H

#include "lpard/ctl/ctl.h"

int lp_ctl_cmd_add(LpCtl *ctl, GError **error);
int lp_ctl_cmd_audit(LpCtl *ctl, GError **error);
int lp_ctl_cmd_autoscale(LpCtl *ctl, GError **error);
int lp_ctl_cmd_capacity(LpCtl *ctl, GError **error);
int lp_ctl_cmd_check(LpCtl *ctl, GError **error);
int lp_ctl_cmd_define(LpCtl *ctl, GError **error);
int lp_ctl_cmd_disable(LpCtl *ctl, GError **error);
int lp_ctl_cmd_enable(LpCtl *ctl, GError **error);
int lp_ctl_cmd_events(LpCtl *ctl, GError **error);
int lp_ctl_cmd_help(LpCtl *ctl, GError **error);
int lp_ctl_cmd_hold(LpCtl *ctl, GError **error);
int lp_ctl_cmd_host(LpCtl *ctl, GError **error);
/* host --numa [--svg FILE]; host-numa.c */
int lp_ctl_host_numa(LpCtl *ctl, GError **error);
int lp_ctl_cmd_list(LpCtl *ctl, GError **error);
int lp_ctl_cmd_move(LpCtl *ctl, GError **error);
int lp_ctl_cmd_names(LpCtl *ctl, GError **error);
int lp_ctl_cmd_op(LpCtl *ctl, GError **error);
int lp_ctl_cmd_optimize(LpCtl *ctl, GError **error);
int lp_ctl_cmd_policy(LpCtl *ctl, GError **error);
int lp_ctl_cmd_pool(LpCtl *ctl, GError **error);
int lp_ctl_cmd_profile(LpCtl *ctl, GError **error);
int lp_ctl_cmd_reconcile(LpCtl *ctl, GError **error);
int lp_ctl_cmd_remove(LpCtl *ctl, GError **error);
int lp_ctl_cmd_score(LpCtl *ctl, GError **error);
int lp_ctl_cmd_set(LpCtl *ctl, GError **error);
int lp_ctl_cmd_show(LpCtl *ctl, GError **error);
int lp_ctl_show_guest(LpCtl *ctl, GError **error);
int lp_ctl_cmd_start(LpCtl *ctl, GError **error);
int lp_ctl_cmd_version(LpCtl *ctl, GError **error);

#endif
