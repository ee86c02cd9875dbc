/* The NUMA engine: scores, and the optimization of the host. */
#include <string.h>

#include "lpard/api/api-private.h"
#include "lpard/body.h"
#include "lpard/optimize/optimize.h"

/* NULL, and the call is answered. */
static LpOptimizer *
optimizer_of(LpCall *call)
{
    if (!call->api->optimizer)
        lp_call_problem(call, lp_error_http_status(LP_ERROR_UNSUPPORTED),
                        lp_error_name(LP_ERROR_UNSUPPORTED),
                        "this lpard runs without its optimizer");
    return call->api->optimizer;
}

static void
on_scores(json_t *scores, const GError *error, void *data)
{
    LpCall *call = data;

    if (!lp_call_wanted(call)) {
        json_decref(scores);
    } else if (error) {
        lp_call_fail(call, error);
    } else {
        json_object_set_new(scores, "connected",
                            json_boolean(lp_registry_connected(call->api->registry)));
        lp_call_answer(call, SOUP_STATUS_OK, scores);
    }
    lp_call_unref(call);
}

void
lp_api_get_score(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    bool fresh = false;

    if (!lp_call_query_flag(call, "fresh", &fresh, &error))
        lp_call_fail(call, error);
    else if (optimizer_of(call))
        lp_optimizer_scores(call->api->optimizer, fresh, on_scores, lp_call_later(call));
}

static void
on_begun(LpOperation *operation, const GError *error, void *data)
{
    LpCall *call = data;

    if (operation && !error)
        call->operation = operation->id;
    if (!lp_call_wanted(call)) {
        lp_call_unref(call);
        return;
    }
    if (error) {
        lp_call_fail(call, error);
    } else {
        /* A dry run has no number, for there is nothing to come back to. */
        if (operation->id > 0) {
            g_autofree char *place = g_strdup_printf("/v1/operations/%" G_GINT64_FORMAT,
                                                     operation->id);

            soup_message_headers_replace(
                soup_server_message_get_response_headers(call->message), "Location", place);
        }
        lp_call_answer(call, operation->id > 0 ? SOUP_STATUS_ACCEPTED : SOUP_STATUS_OK,
                       lp_operation_to_json(operation));
    }
    lp_call_unref(call);
}

/* What the path and the connection say is not in the body. */
static LpOptimizeRequest *
read_request(LpCall *call, bool *ret_dry_run, GError **error)
{
    const char *key = soup_message_headers_get_one(
        soup_server_message_get_request_headers(call->message), "Idempotency-Key");
    bool has = false, dry_run = false;
    LpOptimizeRequest *request = NULL;
    json_t *body;

    if (!lp_body_bool(call->body, "", "dry_run", &has, &dry_run, error))
        return NULL;
    if (key && !g_utf8_validate(key, -1, NULL)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the Idempotency-Key is not UTF-8");
        return NULL;
    }
    body = json_copy(call->body);
    json_object_del(body, "dry_run");
    request = lp_optimize_request_from_json(body, error);
    json_decref(body);
    if (!request)
        return NULL;
    g_free(request->key);
    g_free(request->requester);
    request->key = g_strdup(key);
    request->requester = lp_call_requester(call);
    *ret_dry_run = dry_run;
    return request;
}

void
lp_api_post_optimize(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    LpOptimizeRequest *request;
    bool dry_run = false;

    if (!optimizer_of(call))
        return;
    request = read_request(call, &dry_run, &error);
    if (request)
        lp_optimizer_start(call->api->optimizer, request, dry_run, on_begun, lp_call_later(call));
    else
        lp_call_fail(call, error);
}
