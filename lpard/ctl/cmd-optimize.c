/* lparctl optimize: another layout of the host, brought about while its partitions run. */
#include <stdio.h>
#include <string.h>

#include "lpard/ctl/change.h"
#include "lpard/ctl/optimize-text.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"
#include "policy/units.h"

#define POINTS_MAX 100

/* "a,b" as ["a","b"]; a name with a comma in it is reached by its UUID. */
static bool
add_names(LpCtl *ctl, LpCtlOption option, const char *field, json_t *body, GError **error)
{
    g_auto(GStrv) names = NULL;
    json_t *list;

    if (!lp_ctl_has(ctl, option))
        return true;
    names = g_strsplit(lp_ctl_value(ctl, option), ",", -1);
    list = json_array();
    json_object_set_new(body, field, list);
    for (guint i = 0; names[i] != NULL; i++) {
        g_autofree char *path = lp_ctl_partition_path(names[i], "", error);

        if (path == NULL)
            return false;
        json_array_append_new(list, json_string(names[i]));
    }
    if (json_array_size(list) > 0)
        return true;
    lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--%s names no partition: write --%s web1,web2",
                 lp_ctl_option_name(option), lp_ctl_option_name(option));
    return false;
}

static bool
check_overlap(const json_t *body, GError **error)
{
    const json_t *request = json_object_get(body, "request");
    const json_t *protect = json_object_get(body, "protect");

    for (gsize i = 0; i < json_array_size(request); i++) {
        for (gsize k = 0; k < json_array_size(protect); k++) {
            if (!json_equal(json_array_get(request, i), json_array_get(protect, k)))
                continue;
            lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                         "%s is both requested and protected: name it once",
                         json_string_value(json_array_get(request, i)));
            return false;
        }
    }
    return true;
}

static bool
add_gain(LpCtl *ctl, json_t *body, GError **error)
{
    const char *text = lp_ctl_value(ctl, LP_CTL_OPT_MIN_GAIN);
    uint32_t centi = 0;

    if (text == NULL)
        return true;
    if (lp_units_parse_centi(text, &centi) != LP_UNITS_OK || centi > POINTS_MAX * 100) {
        lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                     "--min-gain %s: write points of a score from 0 to %d, as 5 or 2.5", text,
                     POINTS_MAX);
        return false;
    }
    json_object_set_new(body, "min_gain_centi", json_integer(centi));
    return true;
}

static bool
add_bytes(LpCtl *ctl, json_t *body, GError **error)
{
    const char *text = lp_ctl_value(ctl, LP_CTL_OPT_MAX_BYTES);
    uint64_t bytes;

    if (text == NULL)
        return true;
    if (!lp_ctl_mem_parse("--max-bytes", text, &bytes, error))
        return false;
    json_object_set_new(body, "max_bytes", json_integer((json_int_t)bytes));
    return true;
}

static int
plan(LpCtl *ctl, json_t *body, GError **error)
{
    g_auto(LpCtlAnswer) answer = { 0 };
    int shown;

    json_object_set_new(body, "dry_run", json_true());
    shown = lp_ctl_show(ctl, "POST", "/v1/optimize", body, &answer, error);
    if (shown < 0)
        return -1;
    if (shown == LP_CTL_SHOW) {
        g_autoptr(GString) out = g_string_new(NULL);

        lp_ctl_optimize_plan_text(answer.json, out);
        fputs(out->str, stdout);
    }
    return strcmp(lp_ctl_json_str(answer.json, "state"), "refused") == 0 ? LP_CTL_EXIT_REFUSED
                                                                         : LP_CTL_EXIT_DONE;
}

/* That nothing runs is what was wanted. */
static int
stop(LpCtl *ctl, GError **error)
{
    g_auto(LpCtlAnswer) open = { 0 };
    const json_t *list;

    if (!lp_ctl_client_ask(ctl->client, "GET", "/v1/operations?state=open&limit=1000", NULL, NULL,
                           &open, error))
        return -1;
    list = json_object_get(open.json, "operations");
    for (gsize i = 0; i < json_array_size(list); i++) {
        const json_t *operation = json_array_get(list, i);
        g_auto(LpCtlAnswer) answer = { 0 };
        g_autofree char *path = NULL;
        int shown;

        if (!lp_ctl_is_optimize(operation))
            continue;
        path = g_strdup_printf("/v1/operations/%" G_GINT64_FORMAT,
                               lp_ctl_json_int(operation, "id", 0));
        shown = lp_ctl_show(ctl, "DELETE", path, NULL, &answer, error);
        if (shown == LP_CTL_SHOW)
            printf("operation %" G_GINT64_FORMAT " is asked to stop; what has moved stays there\n",
                   lp_ctl_json_int(operation, "id", 0));
        return shown < 0 ? -1 : LP_CTL_EXIT_DONE;
    }
    if (lp_ctl_is_json(ctl))
        puts("null");
    else
        puts("No optimization runs.");
    return LP_CTL_EXIT_DONE;
}

/* --stop goes with nothing that says what is to be started. */
static bool
check_stop(LpCtl *ctl, GError **error)
{
    static const LpCtlOption starts[] = {
        LP_CTL_OPT_REQUEST, LP_CTL_OPT_PROTECT, LP_CTL_OPT_MIN_GAIN, LP_CTL_OPT_MAX_BYTES,
        LP_CTL_OPT_WAIT, LP_CTL_OPT_NO_WAIT, LP_CTL_OPT_KEY,
    };

    for (guint i = 0; i < G_N_ELEMENTS(starts); i++) {
        if (!lp_ctl_has(ctl, starts[i]))
            continue;
        lp_ctl_error(error, LP_CTL_EXIT_USAGE, "--stop and --%s exclude each other: give one of "
                     "them", lp_ctl_option_name(starts[i]));
        return false;
    }
    return true;
}

int
lp_ctl_cmd_optimize(LpCtl *ctl, GError **error)
{
    json_t *body;
    int status = -1;

    if (lp_ctl_has(ctl, LP_CTL_OPT_STOP))
        return check_stop(ctl, error) ? stop(ctl, error) : -1;
    body = json_object();
    if (add_names(ctl, LP_CTL_OPT_REQUEST, "request", body, error) &&
        add_names(ctl, LP_CTL_OPT_PROTECT, "protect", body, error) && check_overlap(body, error) &&
        add_gain(ctl, body, error) && add_bytes(ctl, body, error))
        status = lp_ctl_has(ctl, LP_CTL_OPT_DRY_RUN)
                     ? plan(ctl, body, error)
                     : lp_ctl_change_send(ctl, "/v1/optimize", body, error);
    json_decref(body);
    return status;
}
