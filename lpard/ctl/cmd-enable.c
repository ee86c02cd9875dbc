/* lparctl enable: an existing domain becomes a partition. */
#include "lpard/ctl/definition.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_enable(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "/profile", error);
    json_t *body;

    if (path == NULL)
        return -1;
    body = json_object();
    if (!lp_ctl_definition_options(ctl, body, error)) {
        json_decref(body);
        return -1;
    }
    if (lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN))
        json_object_set_new(body, "dry_run", json_true());
    return lp_ctl_definition_run(ctl, "PUT", path, body, "is a partition.", error);
}
