/* lparctl start: boots a defined partition. */
#include <stdio.h>

#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_start(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "/start", error);
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autofree char *name = NULL, *run = NULL;
    int shown = path ? lp_ctl_show(ctl, "POST", path, NULL, &answer, error) : -1;

    if (shown != LP_CTL_SHOW)
        return shown;
    name = lp_ctl_text_str(answer.json, "name");
    run = lp_ctl_text_str(answer.json, "run");
    printf("%s is %s\n", name, run);
    return LP_CTL_EXIT_DONE;
}
