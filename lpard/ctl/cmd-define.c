/* lparctl define: a new partition from a kernel or a disk. */
#include "lpard/ctl/definition.h"
#include "lpard/ctl/verbs.h"

/* lpard's working directory is not ours, so files are named from the root. */
static void
add_file(LpCtl *ctl, LpCtlOption option, json_t *body)
{
    g_autofree char *path = NULL;

    if (!lp_ctl_has(ctl, option))
        return;
    path = g_canonicalize_filename(lp_ctl_value(ctl, option), NULL);
    json_object_set_new(body, lp_ctl_option_name(option), json_string(path));
}

static void
add_text(LpCtl *ctl, LpCtlOption option, json_t *body)
{
    if (lp_ctl_has(ctl, option))
        json_object_set_new(body, lp_ctl_option_name(option),
                            json_string(lp_ctl_value(ctl, option)));
}

static bool
check(LpCtl *ctl, GError **error)
{
    bool kernel = lp_ctl_has(ctl, LP_CTL_OPT_KERNEL);

    if (!kernel && !lp_ctl_has(ctl, LP_CTL_OPT_DISK))
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "nothing to boot from: give --kernel FILE or --disk FILE");
    else if (!kernel &&
             (lp_ctl_has(ctl, LP_CTL_OPT_INITRD) || lp_ctl_has(ctl, LP_CTL_OPT_CMDLINE)))
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--initrd and --cmdline go with a kernel: give --kernel FILE too");
    else
        return true;
    return false;
}

int
lp_ctl_cmd_define(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "", error);
    json_t *body;

    if (path == NULL || !check(ctl, error))
        return -1;
    body = json_pack("{s:s}", "name", ctl->words[0]);
    if (!lp_ctl_definition_options(ctl, body, error)) {
        json_decref(body);
        return -1;
    }
    add_file(ctl, LP_CTL_OPT_KERNEL, body);
    add_file(ctl, LP_CTL_OPT_INITRD, body);
    add_text(ctl, LP_CTL_OPT_CMDLINE, body);
    add_file(ctl, LP_CTL_OPT_DISK, body);
    add_text(ctl, LP_CTL_OPT_NETWORK, body);
    if (lp_ctl_has(ctl, LP_CTL_OPT_START))
        json_object_set_new(body, "start", json_true());
    if (lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN))
        json_object_set_new(body, "dry_run", json_true());
    return lp_ctl_definition_run(ctl, "POST", "/v1/partitions", body, "is defined.", error);
}
