/* lparctl audit: who asked for what, and what came of it. */
#include <string.h>

#include "lpard/ctl/log.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

static char *
local_time(gint64 seconds)
{
    g_autoptr(GDateTime) local = g_date_time_new_from_unix_local(seconds);

    return local ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

/* The path with what was asked for in it: " /v1/partitions/web1/resize"; nothing where a connection
 * came to no request. */
static char *
path_of(const json_t *entry)
{
    g_autofree char *route = lp_ctl_text_str(entry, "route");
    g_autofree char *name = lp_ctl_text_str(entry, "name");
    g_autofree char *operation = lp_ctl_text_int(entry, "operation");
    g_autoptr(GString) path = g_string_new(" ");

    if (strcmp(route, "-") == 0)
        return g_strdup("");
    g_string_append(path, route);
    if (g_string_replace(path, "{name}", name, 1) == 0 && strcmp(name, "-") != 0)
        g_string_append_printf(path, " %s", name);
    g_string_replace(path, "{id}", operation, 1);
    return g_strdup(path->str);
}

static char *
answer_of(const json_t *entry)
{
    gint64 status = lp_ctl_json_int(entry, "status", 0);
    g_autofree char *problem = lp_ctl_text_str(entry, "problem");
    g_autofree char *operation = lp_ctl_text_int(entry, "operation");

    if (status == 0)
        return g_strdup(strcmp(lp_ctl_json_str(entry, "method"), "CONNECT") == 0
                            ? "gone" : "nobody waited for the answer");
    if (strcmp(problem, "-") != 0)
        return g_strdup_printf("%" G_GINT64_FORMAT " %s", status, problem);
    if (strcmp(operation, "-") != 0)
        return g_strdup_printf("%" G_GINT64_FORMAT ", operation %s", status, operation);
    return g_strdup_printf("%" G_GINT64_FORMAT, status);
}

static void
print_entry(const json_t *entry, GString *out)
{
    g_autofree char *at = local_time(lp_ctl_json_int(entry, "time_sec", 0));
    g_autofree char *peer = lp_ctl_text_str(entry, "peer");
    g_autofree char *role = lp_ctl_text_str(entry, "role");
    g_autofree char *method = lp_ctl_text_str(entry, "method");
    g_autofree char *path = path_of(entry);
    g_autofree char *answer = answer_of(entry);
    g_autofree char *detail = lp_ctl_text_str(entry, "detail");
    gint64 lost = lp_ctl_json_int(entry, "lost", 0);

    if (lost > 0)
        g_string_append_printf(out, "%" G_GINT64_FORMAT " entries that came here could not be "
                               "written: see lpard's log\n", lost);
    g_string_append_printf(out, "%s %s (%s)\n", at, peer, role);
    g_string_append_printf(out, LP_CTL_LOG_INDENT "%s%s: %s\n", method, path, answer);
    if (strcmp(detail, "-") != 0)
        lp_ctl_text_wrap(out, LP_CTL_LOG_INDENT, LP_CTL_LOG_INDENT, detail);
}

int
lp_ctl_cmd_audit(LpCtl *ctl, GError **error)
{
    static const LpCtlLog trail = {
        .path = "/v1/audit", .key = "entries", .print = print_entry,
        .nothing = "Nobody has asked for a change yet.",
    };

    return lp_ctl_show_log(ctl, &trail, ctl->n_words > 0 ? ctl->words[0] : NULL, error);
}
