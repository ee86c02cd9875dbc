/* lparctl check: is all there that resizing needs, and if not, what cures it. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

int
lp_ctl_cmd_check(LpCtl *ctl, GError **error)
{
    g_autofree char *path = lp_ctl_partition_path(ctl->words[0], "/check", error);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = path ? lp_ctl_show(ctl, "GET", path, NULL, &answer, error) : -1;
    int status = LP_CTL_EXIT_DONE;
    const json_t *checks;

    if (shown < 0)
        return -1;
    checks = json_object_get(answer.json, "checks");
    for (gsize i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);
        const char *severity = lp_ctl_json_str(check, "severity");
        const char *cure = lp_ctl_json_str(check, "cure");
        g_autofree char *name = lp_ctl_text_str(check, "name");
        g_autofree char *word = lp_ctl_text_clean(severity);
        g_autofree char *first = g_strdup_printf("%-4s  %s: ", word, name);

        lp_ctl_text_wrap(out, first, "      ", lp_ctl_json_str(check, "text"));
        if (cure[0] != '\0')
            lp_ctl_text_wrap(out, "      cure: ", "      ", cure);
        if (strcmp(severity, "fail") == 0)
            status = LP_CTL_EXIT_ERROR;
    }
    if (shown == LP_CTL_SHOW)
        fputs(out->str, stdout);
    return status;
}
