#include "lpard/api/api.h"

#include <string.h>

#include "config.h"
#include "lpard/api/api-private.h"
#include "lpard/api/metrics.h"

/* How much of the body has come, and whether the request was cut off. */
typedef struct {
    LpApi *api;
    LpCaller *caller;
    size_t received;
    bool cut, head;
} Intake;

#define INTAKE "lp-intake"

LpApi *
lp_api_ref(LpApi *api)
{
    api->refs++;
    return api;
}

void
lp_api_unref(LpApi *api)
{
    if (--api->refs > 0)
        return;
    g_clear_object(&api->server);
    lp_access_free(api->access);
    g_ptr_array_unref(api->waiters);
    g_ptr_array_unref(api->streams);
    lp_counts_free(api->counts);
    g_free(api->hypervisor);
    g_free(api);
}

/* Answers on the bare connection: libsoup itself would first read the whole body. */
static gboolean
cut_off(void *data)
{
    SoupServerMessage *message = data;
    Intake *intake = g_object_get_data(G_OBJECT(message), INTAKE);
    LpCaller *caller = lp_door_caller(message);
    unsigned status = intake->head ? LP_STATUS_HEAD_TOO_LARGE
                                   : SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE;
    g_autoptr(GIOStream) stream = soup_server_message_steal_connection(message);
    g_autofree char *detail = g_strdup_printf("the %s longer than %d bytes: no request of this "
                                              "API needs that", intake->head ? "head is"
                                              : "body is", intake->head ? LP_API_HEAD_MAX
                                              : LP_API_BODY_MAX);

    if (stream && caller && caller->door)
        lp_api_record_refused(caller, status, "usage", detail, intake->api);
    if (stream && caller)
        lp_caller_turn_away(caller, status, "usage", detail);
    return G_SOURCE_REMOVE;
}

static void
refuse_length(SoupServerMessage *message, Intake *intake, bool head)
{
    if (intake->cut)
        return;
    intake->cut = true;
    intake->head = head;
    soup_server_message_pause(message);
    g_idle_add_full(G_PRIORITY_DEFAULT, cut_off, g_object_ref(message), g_object_unref);
}

static void
on_chunk(SoupServerMessage *message, GBytes *chunk, Intake *intake)
{
    intake->received += g_bytes_get_size(chunk);
    if (intake->received > LP_API_BODY_MAX)
        refuse_length(message, intake, false);
}

static void
count_header(const char *name, const char *value, void *data)
{
    *(size_t *)data += strlen(name) + strlen(value);
}

static void
on_headers(SoupServerMessage *message, Intake *intake)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
    g_autofree char *uri = g_uri_to_string(soup_server_message_get_uri(message));
    size_t length = strlen(uri);

    lp_caller_now(intake->caller, LP_CALLER_BODY);
    /* Nothing here is worth having in parts, and libsoup makes of one answer as many parts,
     * overlapping ones too, as are asked for. */
    soup_message_headers_remove(headers, "Range");
    soup_message_headers_foreach(headers, count_header, &length);
    if (length > LP_API_HEAD_MAX)
        refuse_length(message, intake, true);
    else if (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH &&
             soup_message_headers_get_content_length(headers) > LP_API_BODY_MAX)
        refuse_length(message, intake, false);
}

/* It takes its answer, so it lives. */
static void
on_wrote(SoupServerMessage *message, unsigned size, Intake *intake)
{
    (void)message, (void)size;
    if (intake->caller->state == LP_CALLER_SENDING)
        lp_caller_now(intake->caller, LP_CALLER_SENDING);
}

static void
on_over(SoupServerMessage *message, Intake *intake)
{
    (void)message;
    lp_caller_now(intake->caller, LP_CALLER_IDLE);
}

static void
free_intake(void *data)
{
    Intake *intake = data;

    lp_caller_unref(intake->caller);
    g_free(intake);
}

static void
on_request(SoupServer *server, SoupServerMessage *message, void *data)
{
    Intake *intake = g_new0(Intake, 1);

    (void)server;
    intake->api = data;
    intake->caller = lp_caller_ref(lp_door_caller(message));
    lp_caller_now(intake->caller, LP_CALLER_HEAD);
    g_object_set_data_full(G_OBJECT(message), INTAKE, intake, free_intake);
    g_signal_connect(message, "got-headers", G_CALLBACK(on_headers), intake);
    g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), intake);
    g_signal_connect(message, "wrote-body-data", G_CALLBACK(on_wrote), intake);
    g_signal_connect(message, "finished", G_CALLBACK(on_over), intake);
}

static bool
has_pace(LpCall *call, GError **error)
{
    LpPeerUse *use = call->caller->use;
    g_autofree char *wait = NULL;

    if (!use || lp_bucket_take(&use->requests, g_get_monotonic_time()))
        return true;
    wait = g_strdup_printf("%u", lp_bucket_wait_sec(&use->requests));
    soup_message_headers_replace(soup_server_message_get_response_headers(call->message),
                                 "Retry-After", wait);
    g_set_error(error, LP_ERROR, LP_ERROR_RATE,
                "%s makes more than %u requests a second: wait %s s, ask less often, or raise "
                "`rate =` under [limits] in lpard.conf", call->caller->who,
                use->requests.per_sec, wait);
    return false;
}

static bool
check_query(LpCall *call, GError **error)
{
    g_auto(GStrv) allowed = g_strsplit(call->route->query, " ", -1);
    GHashTableIter iter;
    void *key;

    if (!call->query)
        return true;
    g_hash_table_iter_init(&iter, call->query);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        if (!g_strv_contains((const char *const *)allowed, key)) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "unknown parameter \"%.64s\"; known here: %s", (char *)key,
                        *call->route->query ? call->route->query : "none");
            return false;
        }
    }
    return true;
}

static bool
read_body(LpCall *call, GError **error)
{
    SoupMessageBody *body = soup_server_message_get_request_body(call->message);
    g_autoptr(GBytes) bytes = soup_message_body_flatten(body);
    gsize size = 0;
    const char *text = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    json_error_t where;

    if (size == 0 && call->route->body != LP_BODY_NEEDED) {
        call->body = json_object();
        return true;
    }
    if (call->route->body == LP_BODY_NONE) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s %s takes no body", call->route->method,
                    call->route->path);
        return false;
    }
    call->body = json_loadb(text ? text : "", size, JSON_REJECT_DUPLICATES, &where);
    if (!call->body) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "the body is not JSON: %s (line %d, column %d)", where.text, where.line,
                    where.column);
        return false;
    }
    if (!json_is_object(call->body)) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "the body must be a JSON object");
        return false;
    }
    return true;
}

/* A change leaves its line in the audit trail, and mostly a file: where nothing can be written none
 * is taken on.  A cancellation is: what it ends is on record already. */
static bool
can_be_recorded(const LpCall *call, GError **error)
{
    return !lp_call_changes(call) || call->route->handle == lp_api_delete_operation ||
           lp_journal_ready(call->api->journal, error);
}

static void
no_route(LpCall *call, const char *path, const char *allowed)
{
    const char *method = soup_server_message_get_method(call->message);
    g_autofree char *detail = NULL;

    if (allowed) {
        soup_message_headers_replace(
            soup_server_message_get_response_headers(call->message), "Allow", allowed);
        detail = g_strdup_printf("%s cannot be done on %.200s; it takes %s", method, path,
                                 allowed);
        lp_call_problem(call, SOUP_STATUS_METHOD_NOT_ALLOWED, "usage", detail);
        return;
    }
    detail = g_strdup_printf("there is no %.200s; /v1/openapi.json describes what there is",
                             path);
    lp_call_problem(call, SOUP_STATUS_NOT_FOUND, "usage", detail);
}

static void
on_call(SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query,
        void *data)
{
    g_autoptr(LpCall) call = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *allowed = NULL;
    const Intake *intake = g_object_get_data(G_OBJECT(message), INTAKE);

    (void)server;
    if (intake && intake->cut)
        return;
    call = lp_call_new(data, message);
    lp_caller_now(call->caller, LP_CALLER_SERVED);
    call->query = query ? g_hash_table_ref(query) : NULL;
    call->route = lp_api_route(soup_server_message_get_method(message), path, &call->argument,
                               &allowed);
    if (!has_pace(call, &error)) {
        lp_call_fail(call, error);
        return;
    }
    if (!call->route)
        no_route(call, path, allowed);
    else if (!lp_call_has_role(call, &error) || !check_query(call, &error) ||
             !read_body(call, &error) || !lp_call_permit(call, &error) ||
             !can_be_recorded(call, &error))
        lp_call_fail(call, error);
    else
        call->route->handle(call);
}

static void
on_event(const LpEventItem *item, void *data)
{
    LpApi *api = data;

    lp_counts_event(api->counts, item);
    if (strcmp(item->type, "hypervisor") == 0)
        lp_api_ask_hypervisor(api);
}

static void
on_operation(LpOperation *operation, void *data)
{
    (void)operation;
    lp_api_wake_waiters(data);
}

static bool
serve(LpApi *api, GError **error)
{
    api->server = soup_server_new("server-header", "lpard/" PACKAGE_VERSION, "raw-paths", TRUE,
                                  NULL);
    g_signal_connect(api->server, "request-started", G_CALLBACK(on_request), api);
    soup_server_add_handler(api->server, NULL, on_call, api, NULL);
    api->door = lp_door_new(api->settings, api->access, api->server, error);
    if (!api->door)
        return false;
    lp_door_tell(api->door, lp_api_record_refused, api);
    return true;
}

LpApi *
lp_api_new(LpSettings *settings, LpRegistry *registry, LpEngine *engine, LpJournal *journal,
           LpEvents *events, GError **error)
{
    LpApi *api = g_new0(LpApi, 1);
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);

    *api = (LpApi){
        .refs = 1, .settings = settings, .registry = registry, .engine = engine,
        .journal = journal, .events = events, .waiters = g_ptr_array_new(),
        .streams = g_ptr_array_new(), .counts = lp_counts_new(),
    };
    api->access = lp_access_new(settings, unknown, error);
    if (!api->access || !serve(api, error)) {
        lp_api_free(api);
        return NULL;
    }
    for (guint i = 0; i < unknown->len; i++)
        g_warning("lpard.conf names the group \"%s\", which does not exist: nobody is in it",
                  (char *)g_ptr_array_index(unknown, i));
    api->listener = lp_events_listen(events, on_event, api);
    lp_engine_listen(engine, on_operation, api);
    lp_api_ask_hypervisor(api);
    return api;
}

void
lp_api_serve_pools(LpApi *api, LpPools *pools)
{
    api->pools = pools;
}

void
lp_api_serve_optimizer(LpApi *api, LpOptimizer *optimizer)
{
    api->optimizer = optimizer;
}

void
lp_api_serve_policy(LpApi *api, LpScaler *scaler)
{
    api->scaler = scaler;
}

void
lp_api_free(LpApi *api)
{
    if (!api)
        return;
    if (api->listener)
        lp_events_unlisten(api->events, api->listener);
    api->closed = true;
    lp_api_drop_waiters(api);
    lp_api_end_streams(api);
    if (api->server)
        soup_server_disconnect(api->server);
    g_clear_pointer(&api->door, lp_door_free);
    lp_api_unref(api);
}
