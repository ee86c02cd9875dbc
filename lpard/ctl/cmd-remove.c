/* lparctl remove: less than there is. */
#include "lpard/ctl/change.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_remove(LpCtl *ctl, GError **error)
{
    return lp_ctl_resize_run(ctl, "remove", error);
}
