/* lparctl reconcile: back to what the profile desires, whatever has drifted. */
#include "lpard/ctl/change.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_reconcile(LpCtl *ctl, GError **error)
{
    return lp_ctl_change_run(ctl, "reconcile", ctl->words[0], "/reconcile", json_object(), error);
}
