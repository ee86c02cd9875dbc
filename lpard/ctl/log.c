#include "lpard/ctl/log.h"

#include <stdio.h>

#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

/* As many as lpard gives at once. */
#define LIMIT_MAX 1000
#define LIMIT_DEFAULT 50

int
lp_ctl_show_log(LpCtl *ctl, const LpCtlLog *log, const char *name, GError **error)
{
    const char *limit = lp_ctl_value(ctl, LP_CTL_OPT_LIMIT);
    g_autofree char *escaped = name ? g_uri_escape_string(name, NULL, FALSE) : NULL;
    g_autofree char *path = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    const json_t *entries;
    guint64 number = LIMIT_DEFAULT;
    int shown;

    if (limit && !g_ascii_string_to_unsigned(limit, 10, 1, LIMIT_MAX, &number, NULL)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--limit is a number from 1 to %d", LIMIT_MAX);
        return -1;
    }
    path = g_strdup_printf("%s?limit=%" G_GUINT64_FORMAT "%s%s", log->path, number,
                           name ? "&partition=" : "", name ? escaped : "");
    shown = lp_ctl_show(ctl, "GET", path, NULL, &answer, error);
    if (shown != LP_CTL_SHOW)
        return shown;
    entries = json_object_get(answer.json, log->key);
    for (gsize i = json_array_size(entries); i > 0; i--)
        log->print(json_array_get(entries, i - 1), out);
    if (out->len == 0)
        g_string_append_printf(out, "%s\n", log->nothing);
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}
