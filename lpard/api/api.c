#include "lpard/api/api.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "lpard/api/api-private.h"
#include "lpard/api/api-socket.h"
#include "lpard/api/metrics.h"

/* How much of the body has come, and whether the request was cut off. */
typedef struct {
    size_t received;
    bool cut;
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
    g_free(api->bound_path);
    g_free(api->hypervisor);
    g_free(api);
}

/* Answers on the bare connection: libsoup itself would first read the whole body. */
static gboolean
cut_off(void *data)
{
    SoupServerMessage *message = data;
    g_autoptr(GIOStream) stream = soup_server_message_steal_connection(message);
    g_autofree char *detail = g_strdup_printf("the body is longer than %d bytes: no request of "
                                              "this API needs that", LP_API_BODY_MAX);
    json_t *problem = lp_api_problem(413, "usage", detail);
    char *text = json_dumps(problem, JSON_PRESERVE_ORDER);
    g_autofree char *answer = g_strdup_printf(
        "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: application/problem+json\r\n"
        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(text), text);

    if (stream) {
        /* A few hundred bytes into an empty socket buffer: this does not block. */
        g_output_stream_write_all(g_io_stream_get_output_stream(stream), answer, strlen(answer),
                                  NULL, NULL, NULL);
        g_io_stream_close(stream, NULL, NULL);
    }
    free(text);
    json_decref(problem);
    return G_SOURCE_REMOVE;
}

static void
refuse_length(SoupServerMessage *message, Intake *intake)
{
    if (intake->cut)
        return;
    intake->cut = true;
    soup_server_message_pause(message);
    g_idle_add_full(G_PRIORITY_DEFAULT, cut_off, g_object_ref(message), g_object_unref);
}

static void
on_chunk(SoupServerMessage *message, GBytes *chunk, Intake *intake)
{
    intake->received += g_bytes_get_size(chunk);
    if (intake->received > LP_API_BODY_MAX)
        refuse_length(message, intake);
}

static void
on_headers(SoupServerMessage *message, Intake *intake)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);

    if (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH &&
        soup_message_headers_get_content_length(headers) > LP_API_BODY_MAX)
        refuse_length(message, intake);
}

static void
on_request(SoupServer *server, SoupServerMessage *message, void *data)
{
    Intake *intake = g_new0(Intake, 1);

    (void)server, (void)data;
    g_object_set_data_full(G_OBJECT(message), INTAKE, intake, g_free);
    g_signal_connect(message, "got-headers", G_CALLBACK(on_headers), intake);
    g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), intake);
}

static bool
identify(LpCall *call, GError **error)
{
    GSocket *socket = soup_server_message_get_socket(call->message);
    LpPeer peer = {0};

    if (!socket) {
        g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN, "the connection has gone");
        return false;
    }
    if (!lp_access_peer(g_socket_get_fd(socket), &peer, error))
        return false;
    call->uid = peer.uid;
    call->role = lp_access_role(call->api->access, &peer);
    lp_peer_clear(&peer);
    if (call->role != LP_ROLE_NONE)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN,
                "user %u may not use lpard: none of its groups is listed under [access] in "
                "lpard.conf; ask the administrator to add one to viewers, operators or admins",
                (unsigned)call->uid);
    return false;
}

static bool
permit(LpCall *call, GError **error)
{
    if (call->role >= call->route->role)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_FORBIDDEN,
                "user %u is a %s; this needs the role %s (see [access] in lpard.conf)",
                (unsigned)call->uid, lp_role_name(call->role), lp_role_name(call->route->role));
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
    call->query = query ? g_hash_table_ref(query) : NULL;
    if (!identify(call, &error)) {
        lp_call_fail(call, error);
        return;
    }
    call->route = lp_api_route(soup_server_message_get_method(message), path, &call->argument,
                               &allowed);
    if (!call->route)
        no_route(call, path, allowed);
    else if (!permit(call, &error) || !check_query(call, &error) || !read_body(call, &error))
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
    g_autoptr(GSocket) socket = NULL;

    api->server = soup_server_new("server-header", "lpard/" PACKAGE_VERSION, "raw-paths", TRUE,
                                  NULL);
    socket = lp_api_socket_listen(api->settings->socket, error);
    if (!socket)
        return false;
    api->bound_path = g_strdup(api->settings->socket);
    g_signal_connect(api->server, "request-started", G_CALLBACK(on_request), api);
    soup_server_add_handler(api->server, NULL, on_call, api, NULL);
    return soup_server_listen_socket(api->server, socket, 0, error);
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
        g_warning("[access] names the group \"%s\", which does not exist: nobody is in it",
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
    /* Only what this lpard bound: another's socket is not ours to remove. */
    if (api->bound_path)
        g_unlink(api->bound_path);
    lp_api_unref(api);
}
