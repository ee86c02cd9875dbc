/* lparctl op: operations listed, shown, cancelled, awaited. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/optimize-text.h"
#include "lpard/ctl/outcome.h"
#include "lpard/ctl/progress.h"
#include "lpard/ctl/table.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"
#include "lpard/ctl/wait.h"

/* What happened is more than where it is about to be. */
static char *
operation_note(const json_t *operation)
{
    const char *waits_for = lp_ctl_json_str(operation, "waits_for");

    if (waits_for[0] != '\0')
        return g_strdup_printf("waits for %s", waits_for);
    return lp_ctl_text_str(operation, "message");
}

static char *
operation_where(const json_t *operation)
{
    const char *to = lp_ctl_json_str(operation, "to");

    if (lp_ctl_is_optimize(operation))
        return g_strdup("the host");
    return g_strdup_printf("%s%s%s", lp_ctl_json_str(operation, "partition"), to[0] ? " -> " : "",
                           to);
}

static int
op_list(LpCtl *ctl, GError **error)
{
    static const char *const headings[] = { ">ID", "KIND", "PARTITION", "STATE", "BEGUN", "NOTES",
                                            NULL };
    g_autoptr(LpCtlTable) table = lp_ctl_table_new(headings);
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    const char *partition = lp_ctl_value(ctl, LP_CTL_OPT_PARTITION);
    g_autofree char *escaped = partition ? g_uri_escape_string(partition, NULL, FALSE) : NULL;
    bool all = lp_ctl_has(ctl, LP_CTL_OPT_ALL);
    g_autofree char *path =
        g_strdup_printf("/v1/operations?state=%s%s%s", all ? "all" : "open",
                        partition ? "&partition=" : "", partition ? escaped : "");
    int shown = lp_ctl_show(ctl, "GET", path, NULL, &answer, error);
    const json_t *list = json_object_get(answer.json, "operations");

    if (shown != LP_CTL_SHOW)
        return shown;
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *operation = json_array_get(list, i);

        lp_ctl_table_take(table, lp_ctl_text_int(operation, "id"),
                          lp_ctl_text_str(operation, "kind"), operation_where(operation),
                          lp_ctl_text_str(operation, "state"),
                          lp_ctl_text_str(operation, "created_at"), operation_note(operation));
    }
    if (lp_ctl_table_rows(table) > 0)
        lp_ctl_table_print(table, LP_CTL_COLUMNS, "", out);
    else
        g_string_append(out, all ? "There have been no operations.\n"
                                 : "No operation is open; `lparctl op list --all` shows the "
                                   "finished ones.\n");
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

/* Who asked, and why if he said; a guest's words are shown clean. */
static void
append_requester(const json_t *operation, GString *out)
{
    g_autofree char *requester = lp_ctl_text_str(operation, "requester");
    g_autofree char *why = lp_ctl_text_str(operation, "request.why");
    g_autofree char *line = NULL;

    if (strcmp(requester, "-") == 0)
        return;
    line = strcmp(why, "-") == 0 ? g_strdup_printf("asked for by %s", requester)
                                 : g_strdup_printf("asked for by %s: %s", requester, why);
    lp_ctl_text_wrap(out, "  ", "    ", line);
}

static int
op_show(LpCtl *ctl, const char *path, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown = lp_ctl_show(ctl, "GET", path, NULL, &answer, error);

    if (shown != LP_CTL_SHOW)
        return shown;
    if (!lp_ctl_operation_final(answer.json)) {
        g_autofree char *line = lp_ctl_progress_text(answer.json, 0, LP_CTL_COLUMNS);

        g_string_append_printf(out, "%s\n", line);
    } else {
        lp_ctl_outcome_text(answer.json, out);
    }
    append_requester(answer.json, out);
    lp_ctl_steps_text(answer.json, out);
    fputs(out->str, stdout);
    return LP_CTL_EXIT_DONE;
}

static int
op_cancel(LpCtl *ctl, const char *path, GError **error)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autofree char *state = NULL;
    int shown = lp_ctl_show(ctl, "DELETE", path, NULL, &answer, error);

    if (shown != LP_CTL_SHOW)
        return shown;
    state = lp_ctl_text_str(answer.json, "state");
    printf("operation %s is asked to stop (%s); what it has reached stays\n", ctl->words[1], state);
    return LP_CTL_EXIT_DONE;
}

static int
op_wait(LpCtl *ctl, const char *path, GError **error)
{
    g_autoptr(LpCtlWait) wait = NULL;
    g_auto(LpCtlAnswer) answer = { 0 };

    if (!lp_ctl_client_ask(ctl->client, "GET", path, NULL, NULL, &answer, error))
        return -1;
    wait = lp_ctl_wait_new(ctl);
    return lp_ctl_wait_follow(wait, &answer, error);
}

int
lp_ctl_cmd_op(LpCtl *ctl, GError **error)
{
    static const struct {
        const char *name;
        int (*run)(LpCtl *ctl, const char *path, GError **error);
    } subs[] = { { "show", op_show }, { "cancel", op_cancel }, { "wait", op_wait } };
    g_autofree char *path = NULL;

    if (strcmp(ctl->words[0], "list") == 0 && ctl->n_words == 1)
        return op_list(ctl, error);
    if (lp_ctl_has(ctl, LP_CTL_OPT_ALL) || lp_ctl_has(ctl, LP_CTL_OPT_PARTITION)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--all and --partition go with `lparctl op list`");
        return -1;
    }
    for (guint i = 0; i < G_N_ELEMENTS(subs) && ctl->n_words == 2; i++) {
        if (strcmp(ctl->words[0], subs[i].name) != 0)
            continue;
        if (!lp_ctl_operation_path(ctl->words[1], &path, error))
            return -1;
        return subs[i].run(ctl, path, error);
    }
    lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                 "write lparctl op list, op show ID, op cancel ID or op wait ID");
    return -1;
}
