/* From the operator's options to an operation or a plan. */
#include "lpard/ctl/change.h"

#include <stdio.h>
#include <string.h>

#include "lpard/ctl/outcome.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/wait.h"

bool
lp_ctl_change_amounts(LpCtl *ctl, guint from, const char *mode, json_t *body, GError **error)
{
    LpCtlAmounts amounts;

    if (!lp_ctl_amounts_parse(ctl->words + from, ctl->n_words - from,
                              lp_ctl_has(ctl, LP_CTL_OPT_ROUND), &amounts, error))
        return false;
    if (amounts.has_cpu)
        json_object_set_new(body, "cpu",
                            json_pack("{s:s,s:I}", "mode", mode, "count", (json_int_t)amounts.cpu));
    if (amounts.has_mem)
        json_object_set_new(body, "mem", json_pack("{s:s,s:I}", "mode", mode, "bytes",
                                                   (json_int_t)amounts.mem_bytes));
    if (amounts.mem_bytes != amounts.asked_bytes) {
        g_autofree char *rounded = lp_ctl_text_bytes(amounts.mem_bytes);

        fprintf(stderr, "lparctl: mem is rounded up to %s (%" G_GUINT64_FORMAT " bytes)\n", rounded,
                amounts.mem_bytes);
    }
    return true;
}

static bool
add_seconds(LpCtl *ctl, LpCtlOption option, const char *field, json_t *body, GError **error)
{
    uint32_t seconds;

    if (!lp_ctl_has(ctl, option))
        return true;
    if (!lp_ctl_seconds_parse(lp_ctl_value(ctl, option), lp_ctl_option_name(option), &seconds,
                              error))
        return false;
    json_object_set_new(body, field, json_integer(seconds));
    return true;
}

static bool
add_options(LpCtl *ctl, json_t *body, GError **error)
{
    static const char *const ways[] = { "auto", "virtio-mem", "dimm", "balloon", NULL };
    const char *via = lp_ctl_value(ctl, LP_CTL_OPT_VIA);

    if (via != NULL && !g_strv_contains(ways, via)) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--via %s is not known: write auto, virtio-mem, dimm or balloon", via);
        return false;
    }
    if (via != NULL)
        json_object_set_new(body, "via", json_string(via));
    if (lp_ctl_has(ctl, LP_CTL_OPT_LIVE))
        json_object_set_new(body, "live_only", json_true());
    if (lp_ctl_has(ctl, LP_CTL_OPT_ATOMIC))
        json_object_set_new(body, "atomic", json_true());
    if (lp_ctl_has(ctl, LP_CTL_OPT_FORCE))
        json_object_set_new(body, "force", json_true());
    return add_seconds(ctl, LP_CTL_OPT_TIMEOUT, "timeout_sec", body, error) &&
           add_seconds(ctl, LP_CTL_OPT_LOCK_TIMEOUT, "lock_timeout_sec", body, error);
}

static int
run_plan(LpCtl *ctl, const char *kind, const char *partition, json_t *body, GError **error)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown;

    json_object_set_new(body, "kind", json_string(kind));
    json_object_set_new(body, "partition", json_string(partition));
    shown = lp_ctl_show(ctl, "POST", "/v1/plan", body, &answer, error);
    if (shown < 0)
        return -1;
    if (shown == LP_CTL_SHOW) {
        g_autoptr(GString) out = g_string_new(NULL);

        lp_ctl_plan_text(answer.json, out);
        fputs(out->str, stdout);
    }
    return strcmp(lp_ctl_json_str(answer.json, "state"), "refused") == 0 ? LP_CTL_EXIT_REFUSED
                                                                         : LP_CTL_EXIT_DONE;
}

int
lp_ctl_change_send(LpCtl *ctl, const char *path, const json_t *body, GError **error)
{
    g_autoptr(LpCtlWait) wait = lp_ctl_wait_new(ctl);
    g_auto(LpCtlAnswer) answer = { 0 };
    g_autoptr(GError) failed = NULL;

    if (!lp_ctl_client_ask(ctl->client, "POST", path, body, lp_ctl_value(ctl, LP_CTL_OPT_KEY),
                           &answer, &failed)) {
        if (!g_error_matches(failed, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            g_propagate_error(error, g_steal_pointer(&failed));
        else
            lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                         "interrupted before lpard answered; the request may have been taken: "
                         "look with `lparctl op list --all`");
        return -1;
    }
    if (!lp_ctl_has(ctl, LP_CTL_OPT_NO_WAIT))
        return lp_ctl_wait_follow(wait, &answer, error);
    if (lp_ctl_is_json(ctl))
        lp_ctl_print_json(&answer);
    else
        printf("%" G_GINT64_FORMAT "\n", lp_ctl_json_int(answer.json, "id", 0));
    return lp_ctl_outcome_exit(answer.json);
}

int
lp_ctl_change_run(LpCtl *ctl, const char *kind, const char *partition, const char *action,
                  json_t *body, GError **error)
{
    g_autofree char *path = NULL;
    int status = -1;

    /* A plan has no path to refuse a wrong name, so it is looked at here for both. */
    path = lp_ctl_partition_path(partition, action ? action : "", error);
    if (path != NULL && add_options(ctl, body, error)) {
        if (lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN)) {
            status = run_plan(ctl, kind, partition, body, error);
        } else {
            if (action == NULL)
                json_object_set_new(body, "partition", json_string(partition));
            status = lp_ctl_change_send(ctl, action ? path : "/v1/move", body, error);
        }
    }
    json_decref(body);
    return status;
}

int
lp_ctl_resize_run(LpCtl *ctl, const char *mode, GError **error)
{
    json_t *body = json_object();

    /* The commonest slip is to leave the name out. */
    if (strchr(ctl->words[0], '=') != NULL) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "no partition is named: write lparctl %s NAME %s", mode, ctl->words[0]);
    } else if (lp_ctl_change_amounts(ctl, 1, mode, body, error)) {
        return lp_ctl_change_run(ctl, "resize", ctl->words[0], "/resize", body, error);
    }
    json_decref(body);
    return -1;
}
