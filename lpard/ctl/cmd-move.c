/* lparctl move: from one partition to another; the giver shrinks before the other grows. */
#include <string.h>

#include "lpard/ctl/change.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_move(LpCtl *ctl, GError **error)
{
    const char *from = lp_ctl_value(ctl, LP_CTL_OPT_FROM), *to = lp_ctl_value(ctl, LP_CTL_OPT_TO);
    g_autofree char *to_path = NULL;
    json_t *body;

    if (from == NULL || to == NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "a move needs both ends: give --from PARTITION and --to PARTITION");
        return -1;
    }
    if (strcmp(from, to) == 0) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--from and --to are both %s: name two partitions", from);
        return -1;
    }
    to_path = lp_ctl_partition_path(to, "", error);
    if (to_path == NULL)
        return -1;
    body = json_object();
    if (!lp_ctl_change_amounts(ctl, 0, "set", body, error)) {
        json_decref(body);
        return -1;
    }
    json_object_set_new(body, "to", json_string(to));
    return lp_ctl_change_run(ctl, "move", from, NULL, body, error);
}
