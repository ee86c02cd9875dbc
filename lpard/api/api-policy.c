/* The policy: its mode, what it decided, why, and what it would do. */
#include <string.h>

#include "lpard/api/api-private.h"
#include "lpard/api/export-policy.h"
#include "lpard/body.h"

#define LINES_DEFAULT 50

static void
fail(LpCall *call, LpErrorCode code, const char *text)
{
    lp_call_problem(call, lp_error_http_status(code), lp_error_name(code), text);
}

/* NULL, and the call is answered. */
static LpScaler *
scaler_of(LpCall *call)
{
    if (!call->api->scaler)
        fail(call, LP_ERROR_UNSUPPORTED, "this lpard runs without a policy");
    return call->api->scaler;
}

static void
append_decision(const LpScaled *scaled, void *data)
{
    json_array_append_new(data, lp_export_decision(scaled));
}

static json_t *
tick_json(const LpScalerFigures *figures)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)figures->ticks,
                     "last_usec", (json_int_t)figures->last_usec,
                     "mean_usec",
                     (json_int_t)(figures->ticks ? figures->total_usec / (int64_t)figures->ticks
                                                 : 0),
                     "max_usec", (json_int_t)figures->max_usec);
}

static json_t *
policy_json(LpScaler *scaler)
{
    json_t *partitions = json_array();
    LpScalerFigures figures;

    lp_scaler_figures(scaler, &figures);
    lp_scaler_each(scaler, append_decision, partitions);
    return json_pack(
        "{s:s, s:s, s:o, s:i, s:i, s:{s:I, s:I, s:I, s:I}, s:{s:s, s:I, s:I, s:s?}, s:o}",
        "mode", lp_mode_names[lp_scaler_mode(scaler)],
        "leftovers", lp_export_leftovers(lp_scaler_burst(scaler)),
        "tick", tick_json(&figures), "decided", (int)figures.n_decided,
        "moving", (int)figures.n_moving,
        "memory", "granted_bytes", (json_int_t)figures.granted_bytes,
        "want_bytes", (json_int_t)figures.want_bytes,
        "target_bytes", (json_int_t)figures.target_bytes,
        "free_bytes", (json_int_t)figures.free_bytes,
        "history", "directory", lp_scaler_history_dir(scaler),
        "bytes", (json_int_t)figures.history_bytes,
        "dropped", (json_int_t)figures.history_dropped,
        "error", *figures.history_error ? figures.history_error : NULL,
        "partitions", partitions);
}

void
lp_api_get_policy(LpCall *call)
{
    LpScaler *scaler = scaler_of(call);

    if (scaler)
        lp_call_answer(call, SOUP_STATUS_OK, policy_json(scaler));
}

static bool
read_mode(const char *text, LpMode *ret, GError **error)
{
    for (unsigned i = 0; i <= LP_MODE_AUTO; i++) {
        if (strcmp(text, lp_mode_names[i]) == 0) {
            *ret = (LpMode)i;
            return true;
        }
    }
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "the field \"mode\" must be off, advise or auto");
    return false;
}

static bool
read_leftovers(const char *text, bool *ret_burst, GError **error)
{
    *ret_burst = strcmp(text, "burst") == 0;
    if (*ret_burst || strcmp(text, "keep") == 0)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "the field \"leftovers\" must be keep or burst");
    return false;
}

static bool
read_policy(LpCall *call, LpMode *mode, bool *burst, GError **error)
{
    static const char *const known[] = {"mode", "leftovers", NULL};
    const char *text;
    bool has_mode, has_leftovers;

    if (!lp_body_known(call->body, "", known, error) ||
        !lp_body_text(call->body, "", "mode", &has_mode, &text, error) ||
        (has_mode && !read_mode(text, mode, error)) ||
        !lp_body_text(call->body, "", "leftovers", &has_leftovers, &text, error) ||
        (has_leftovers && !read_leftovers(text, burst, error)))
        return false;
    if (has_mode || has_leftovers)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                "the body must have \"mode\" or \"leftovers\"");
    return false;
}

static void
on_set(const GError *error, void *data)
{
    LpCall *call = data;

    if (lp_call_wanted(call)) {
        if (error)
            fail(call, LP_ERROR_JOURNAL, error->message);
        else
            lp_call_answer(call, SOUP_STATUS_OK, policy_json(call->api->scaler));
    }
    lp_call_unref(call);
}

void
lp_api_put_policy(LpCall *call)
{
    LpScaler *scaler = scaler_of(call);
    g_autoptr(GError) error = NULL;
    LpMode mode;
    bool burst;

    if (!scaler)
        return;
    mode = lp_scaler_mode(scaler);
    burst = lp_scaler_burst(scaler);
    if (read_policy(call, &mode, &burst, &error))
        lp_scaler_set(scaler, mode, burst, on_set, lp_call_later(call));
    else
        lp_call_fail(call, error);
}

void
lp_api_get_plan(LpCall *call)
{
    LpScaler *scaler = scaler_of(call);
    json_t *partitions;

    if (!scaler)
        return;
    partitions = json_array();
    if (lp_scaler_plan(scaler, append_decision, partitions)) {
        lp_call_answer(call, SOUP_STATUS_OK,
                       json_pack("{s:s, s:s, s:o}", "mode",
                                 lp_mode_names[lp_scaler_mode(scaler)], "leftovers",
                                 lp_export_leftovers(lp_scaler_burst(scaler)), "partitions",
                                 partitions));
        return;
    }
    json_decref(partitions);
    fail(call, LP_ERROR_UNREACHABLE,
         "the hypervisor cannot be reached, so there is nothing to decide on");
}

static json_t *
undecided_json(LpScaler *scaler, const LpPartition *partition)
{
    LpMode mode = lp_scaler_mode_of(scaler, partition);
    LpMode own = partition->profile.autoscale.mode;
    g_autofree char *name = g_utf8_make_valid(partition->view->name, -1);
    const char *why = partition->view->run == LP_RUN_OFF
                          ? "It is off: nothing is decided for it."
                      : mode == LP_MODE_OFF && own == LP_MODE_OFF
                          ? "Its mode is off: nothing is decided for it. `lparctl autoscale NAME "
                            "--goal balanced` puts it under the policy."
                      : mode == LP_MODE_OFF
                          ? "The host's mode is off: nothing is decided for anybody. `lparctl "
                            "policy set --mode auto` ends that."
                          : "Nothing was decided in this mode yet; in a second it will be.";

    return json_pack("{s:s, s:s, s:s, s:b, s:[s]}", "partition", name, "uuid", partition->uuid,
                     "mode", lp_mode_names[mode], "decided", false, "text", why);
}

void
lp_api_get_partition_policy(LpCall *call)
{
    LpScaler *scaler = scaler_of(call);
    g_autoptr(GError) error = NULL;
    const LpPartition *partition;
    LpScaled scaled;
    json_t *json;

    if (!scaler)
        return;
    partition = lp_registry_find_enabled(call->api->registry, call->argument, &error);
    if (!partition) {
        lp_call_fail(call, error);
        return;
    }
    /* What was decided in the mode before is no answer any more. */
    if (!lp_scaler_find(scaler, partition, &scaled)
        || scaled.input->mode != lp_scaler_mode_of(scaler, partition)) {
        lp_call_answer(call, SOUP_STATUS_OK, undecided_json(scaler, partition));
        return;
    }
    json = lp_export_decision_whole(&scaled);
    json_object_set_new(json, "decided", json_true());
    json_object_set_new(json, "host_mode", json_string(lp_mode_names[lp_scaler_mode(scaler)]));
    json_object_set_new(json, "own_mode",
                        json_string(lp_mode_names[partition->profile.autoscale.mode]));
    lp_call_answer(call, SOUP_STATUS_OK, json);
}

static void
append_line(const LpScalerLine *line, void *data)
{
    json_array_append_new(data, lp_export_policy_line(line));
}

void
lp_api_get_policy_log(LpCall *call)
{
    LpScaler *scaler = scaler_of(call);
    const char *name = lp_call_query(call, "partition");
    g_autoptr(GError) error = NULL;
    const LpPartition *partition = NULL;
    uint64_t limit = LINES_DEFAULT;
    json_t *lines;

    if (!scaler)
        return;
    if ((name && !(partition = lp_registry_find(call->api->registry, name, &error))) ||
        !lp_call_query_number(call, "limit", LP_SCALER_LINES, &limit, &error)) {
        lp_call_fail(call, error);
        return;
    }
    lines = json_array();
    lp_scaler_lines(scaler, partition ? partition->uuid : NULL, limit, append_line, lines);
    lp_call_answer(call, SOUP_STATUS_OK, json_pack("{s:o}", "lines", lines));
}
