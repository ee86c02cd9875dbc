/* lparctl disable: takes the profile away; the domain stays. */
#include "lpard/ctl/definition.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_disable(LpCtl *ctl, GError **error)
{
    bool dry_run = lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN);
    g_autofree char *path =
        lp_ctl_partition_path(ctl->words[0], dry_run ? "/profile?dry_run=1" : "/profile", error);

    if (path == NULL)
        return -1;
    return lp_ctl_definition_run(ctl, "DELETE", path, NULL, "is a plain domain again.", error);
}
