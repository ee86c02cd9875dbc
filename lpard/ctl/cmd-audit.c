/* lparctl audit: who asked for what, and what came of it. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

#define INDENT "    "
/* As many as lpard gives at once. */
#define LIMIT_MAX 1000
#define LIMIT_DEFAULT 50

static char *
local_time(gint64 seconds)
{
    g_autoptr(GDateTime) local = g_date_time_new_from_unix_local(seconds);

    return local ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

/* The path with what was asked for in it: "/v1/partitions/web1/resize". */
static char *
path_of(const json_t *entry)
{
    g_autofree char *route = lp_ctl_text_str(entry, "route");
    g_autofree char *name = lp_ctl_text_str(entry, "name");
    g_autofree char *operation = lp_ctl_text_int(entry, "operation");
    g_autoptr(GString) path = g_string_new(route);

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
        return g_strdup("nobody waited for the answer");
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
    g_string_append_printf(out, INDENT "%s %s: %s\n", method, path, answer);
    if (strcmp(detail, "-") != 0)
        lp_ctl_text_wrap(out, INDENT, INDENT, detail);
}

int
lp_ctl_cmd_audit(LpCtl *ctl, GError **error)
{
    const char *name = ctl->n_words > 0 ? ctl->words[0] : NULL;
    const char *limit = lp_ctl_value(ctl, LP_CTL_OPT_LIMIT);
    g_autofree char *escaped = name ? g_uri_escape_string(name, NULL, FALSE) : NULL;
    g_autofree char *path = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    const json_t *entries;
    guint64 number = LIMIT_DEFAULT;
    int shown;

    if (limit != NULL && !g_ascii_string_to_unsigned(limit, 10, 1, LIMIT_MAX, &number, NULL)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--limit is a number from 1 to %d", LIMIT_MAX);
        return -1;
    }
    path = g_strdup_printf("/v1/audit?limit=%" G_GUINT64_FORMAT "%s%s", number,
                           name ? "&partition=" : "", name ? escaped : "");
    shown = lp_ctl_show(ctl, "GET", path, NULL, &answer, error);
    if (shown != LP_CTL_SHOW)
        return shown;
    entries = json_object_get(answer.json, "entries");
    /* As it happened. */
    for (gsize i = json_array_size(entries); i > 0; i--)
        print_entry(json_array_get(entries, i - 1), out);
    if (out->len == 0)
        g_string_append(out, "Nobody has asked for a change yet.\n");
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}
