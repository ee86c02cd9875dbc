/* lparctl hold: no automatic change to a partition, for a time or until released. */
#include <stdio.h>

#include "lpard/ctl/amounts.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static void
print_hold(const json_t *partition)
{
    gint64 until = lp_ctl_json_int(partition, "profile.hold_until_sec", 0);
    g_autofree char *name = lp_ctl_text_str(partition, "name");
    g_autoptr(GDateTime) time = until > 0 ? g_date_time_new_from_unix_local(until) : NULL;
    g_autofree char *text = time ? g_date_time_format_iso8601(time) : NULL;

    if (until <= 0)
        printf("%s may be changed automatically\n", name);
    else if (text != NULL)
        printf("%s is held until %s: no automatic change\n", name, text);
    else
        printf("%s is held until `lparctl hold %s --release`: no automatic change\n", name, name);
}

int
lp_ctl_cmd_hold(LpCtl *ctl, GError **error)
{
    bool release = lp_ctl_has(ctl, LP_CTL_OPT_RELEASE);
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "/hold", error);
    g_auto(LpCtlAnswer) answer = { 0 };
    json_t *body = NULL;
    gint64 until;
    int shown;

    if (path == NULL)
        return -1;
    if (!release)
        body = json_object();
    if (lp_ctl_has(ctl, LP_CTL_OPT_UNTIL)) {
        if (!lp_ctl_until_parse(lp_ctl_value(ctl, LP_CTL_OPT_UNTIL),
                                g_get_real_time() / G_USEC_PER_SEC, &until, error)) {
            json_decref(body);
            return -1;
        }
        json_object_set_new(body, "until_sec", json_integer(until));
    }
    shown = lp_ctl_show(ctl, release ? "DELETE" : "PUT", path, body, &answer, error);
    json_decref(body);
    if (shown != LP_CTL_SHOW)
        return shown;
    print_hold(answer.json);
    return LP_CTL_EXIT_DONE;
}
