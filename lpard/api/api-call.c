#include "lpard/api/api-private.h"

#include <stdlib.h>
#include <string.h>

#include "hotplug/driver.h"

static void
on_finished(SoupServerMessage *message, LpCall *call)
{
    (void)message;
    call->gone = true;
}

LpCall *
lp_call_new(LpApi *api, SoupServerMessage *message)
{
    LpCall *call = g_new0(LpCall, 1);

    call->refs = 1;
    call->api = lp_api_ref(api);
    call->message = g_object_ref(message);
    call->caller = lp_caller_ref(lp_door_caller(message));
    call->finished_id = g_signal_connect(message, "finished", G_CALLBACK(on_finished), call);
    return call;
}

LpCall *
lp_call_ref(LpCall *call)
{
    call->refs++;
    return call;
}

void
lp_call_unref(LpCall *call)
{
    if (--call->refs > 0)
        return;
    /* It did what it did, though nobody waited for the end. */
    lp_call_record(call, 0, NULL);
    for (size_t i = 0; i < LP_SUBJECTS_MAX; i++) {
        g_free(call->subjects[i].uuid);
        g_free(call->subjects[i].name);
    }
    lp_caller_unref(call->caller);
    g_signal_handler_disconnect(call->message, call->finished_id);
    g_object_unref(call->message);
    g_free(call->argument);
    g_clear_pointer(&call->query, g_hash_table_unref);
    json_decref(call->body);
    lp_api_unref(call->api);
    g_free(call);
}

LpCall *
lp_call_later(LpCall *call)
{
    if (!call->paused) {
        call->paused = true;
        soup_server_message_pause(call->message);
    }
    return lp_call_ref(call);
}

bool
lp_call_wanted(const LpCall *call)
{
    return !call->gone && !call->answered && !call->api->closed;
}

const char *
lp_call_query(const LpCall *call, const char *name)
{
    return call->query ? g_hash_table_lookup(call->query, name) : NULL;
}

bool
lp_call_query_number(const LpCall *call, const char *name, uint64_t max, uint64_t *ret,
                     GError **error)
{
    const char *text = lp_call_query(call, name);
    guint64 number;

    if (!text)
        return true;
    if (!g_ascii_string_to_unsigned(text, 10, 0, max, &number, NULL)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "the parameter \"%s\" must be a number from 0 to %" G_GUINT64_FORMAT, name,
                    max);
        return false;
    }
    *ret = number;
    return true;
}

bool
lp_call_query_flag(const LpCall *call, const char *name, bool *ret, GError **error)
{
    const char *text = lp_call_query(call, name);

    if (!text)
        return true;
    *ret = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    if (*ret || strcmp(text, "0") == 0 || strcmp(text, "false") == 0)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the parameter \"%s\" must be 0 or 1", name);
    return false;
}

void
lp_call_answer_text(LpCall *call, unsigned status, const char *type, const char *text,
                    size_t length)
{
    if (call->answered || call->gone)
        return;
    call->answered = true;
    lp_call_record(call, status, NULL);
    lp_caller_now(call->caller, LP_CALLER_SENDING);
    soup_server_message_set_status(call->message, status, lp_api_phrase(status));
    soup_server_message_set_response(call->message, type, SOUP_MEMORY_COPY, text, length);
    if (call->paused)
        soup_server_message_unpause(call->message);
}

static void
answer_json(LpCall *call, unsigned status, const char *type, json_t *body)
{
    /* Indented: people read it through curl, and programs do not mind. */
    char *text = json_dumps(body, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    g_autofree char *line = NULL;

    json_decref(body);
    if (!text) {
        static const char broken[] = "{\"code\":\"internal\"}\n";

        lp_call_answer_text(call, SOUP_STATUS_INTERNAL_SERVER_ERROR, "application/problem+json",
                            broken, strlen(broken));
        return;
    }
    line = g_strconcat(text, "\n", NULL);
    free(text);
    lp_call_answer_text(call, status, type, line, strlen(line));
}

void
lp_call_answer(LpCall *call, unsigned status, json_t *body)
{
    answer_json(call, status, "application/json", body);
}

const char *
lp_api_phrase(unsigned status)
{
    switch (status) {
    case LP_STATUS_TOO_MANY_REQUESTS:
        return "Too Many Requests";
    case LP_STATUS_HEAD_TOO_LARGE:
        return "Request Header Fields Too Large";
    default:
        return soup_status_get_phrase(status);
    }
}

json_t *
lp_api_problem(unsigned status, const char *code, const char *detail)
{
    g_autofree char *valid = g_utf8_make_valid(detail, -1);

    return json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title",
                     lp_api_phrase(status), "status", (int)status, "detail", valid,
                     "code", code);
}

void
lp_call_problem(LpCall *call, unsigned status, const char *code, const char *detail)
{
    lp_call_record(call, status, code);
    answer_json(call, status, "application/problem+json", lp_api_problem(status, code, detail));
}

LpErrorCode
lp_api_error_code(const GError *error)
{
    if (error->domain == LP_ERROR)
        return error->code;
    if (error->domain == LP_DRIVER_ERROR) {
        switch ((LpDriverError)error->code) {
        case LP_DRIVER_ERROR_UNREACHABLE:
            return LP_ERROR_UNREACHABLE;
        case LP_DRIVER_ERROR_NO_DOMAIN:
            return LP_ERROR_NO_PARTITION;
        case LP_DRIVER_ERROR_NOT_RUNNING:
            return LP_ERROR_NOT_RUNNING;
        case LP_DRIVER_ERROR_UNSUPPORTED:
            return LP_ERROR_UNSUPPORTED;
        case LP_DRIVER_ERROR_FAILED:
        case LP_DRIVER_ERROR_TIMEOUT:
        case LP_DRIVER_ERROR_UNKNOWN:
        case LP_DRIVER_ERROR_INVALID:
            return LP_ERROR_HYPERVISOR;
        }
    }
    return LP_ERROR_INTERNAL;
}

void
lp_call_fail(LpCall *call, const GError *error)
{
    LpErrorCode code = lp_api_error_code(error);

    lp_call_problem(call, lp_error_http_status(code), lp_error_name(code), error->message);
}

char *
lp_call_requester(const LpCall *call)
{
    g_autofree char *role = lp_access_role_text(call->api->access, call->caller->grant);

    return g_strdup_printf("%s (%s)", call->caller->who, role);
}
