/* lparctl set: absolute amounts: the primitive, and safe to repeat. */
#include "lpard/ctl/change.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_set(LpCtl *ctl, GError **error)
{
    return lp_ctl_resize_run(ctl, "set", error);
}
