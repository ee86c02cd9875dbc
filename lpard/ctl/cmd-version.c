/* lparctl version: both ends. */
#include <stdio.h>

#include "config.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static void
print_journal(const json_t *json)
{
    g_autofree char *message = lp_ctl_text_str(json, "journal.message");
    gint64 stuck = lp_ctl_json_int(json, "stuck_lanes", 0);

    if (lp_ctl_json_at(json, "journal.healthy") != NULL &&
        !lp_ctl_json_bool(json, "journal.healthy"))
        printf("journal: not healthy: %s\n", message);
    if (stuck > 0)
        printf("stuck: %" G_GINT64_FORMAT " partitions do not answer libvirt\n", stuck);
}

int
lp_ctl_cmd_version(LpCtl *ctl, GError **error)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autofree char *version = NULL, *uri = NULL, *hypervisor = NULL, *role = NULL;
    int shown;

    /* Our own is known even when lpard is not there. */
    if (!lp_ctl_is_json(ctl)) {
        puts("lparctl " PACKAGE_VERSION);
        fflush(stdout);
    }
    shown = lp_ctl_show(ctl, "GET", "/v1/", NULL, &answer, error);
    if (shown != LP_CTL_SHOW)
        return shown;
    version = lp_ctl_text_str(answer.json, "version");
    uri = lp_ctl_text_str(answer.json, "uri");
    hypervisor = lp_ctl_text_str(answer.json, "hypervisor");
    role = lp_ctl_text_str(answer.json, "role");
    printf("lpard %s, API %" G_GINT64_FORMAT ", you are %s\n", version,
           lp_ctl_json_int(answer.json, "api", 0), role);
    printf("%s, %s%s\n", uri,
           lp_ctl_json_bool(answer.json, "connected") ? "connected to " : "not connected",
           lp_ctl_json_bool(answer.json, "connected") ? hypervisor : "");
    print_journal(answer.json);
    return LP_CTL_EXIT_DONE;
}
