/* HTTP over a Unix socket or TLS. */
#include "lpard/ctl/client.h"

#include <gio/gunixsocketaddress.h>
#include <libsoup/soup.h>
#include <stdarg.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "lpard/ctl/ctl.h"
#include "lpard/ctl/text.h"
#include "lpard/error.h"

/* The socket decides where a request goes; the URI only needs some host. */
#define BASE_URI "http://lpard"
#define CHUNK_BYTES (64 * 1024)

struct LpCtlClient {
    char *where;                  /* the socket, or the URL */
    LpCtlRemote *remote;          /* NULL: the socket */
    GTlsCertificateFlags distrust;    /* what was wrong with lpard's certificate */
    SoupSession *session;
    GCancellable *interrupt;
};

/* One request on its way. */
typedef struct {
    LpCtlClient *client;
    SoupMessage *message;
    GInputStream *stream;
    GString *text;
    char *buffer;
    gsize bound;
    GError *error;
    bool finished;
    bool too_long;
} Exchange;

G_DEFINE_QUARK(lp-ctl-error-quark, lp_ctl_error)

void
lp_ctl_error(GError **error, int exit_status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (error != NULL && *error == NULL)
        *error = g_error_new_valist(LP_CTL_ERROR, exit_status, format, arguments);
    va_end(arguments);
}

void
lp_ctl_answer_clear(LpCtlAnswer *answer)
{
    if (answer->text != NULL)
        g_string_free(answer->text, TRUE);
    json_decref(answer->json);
    memset(answer, 0, sizeof(*answer));
}

/* The system's lpard if it is there or we are root; else the user's own. */
static char *
default_socket(void)
{
    const char *given = g_getenv("LPARD_SOCKET");
    const char *system_socket = LP_RUNSTATEDIR "/lpard/lpard.sock";

    if (given != NULL && given[0] != '\0')
        return g_strdup(given);
    if (geteuid() == 0 || access(system_socket, F_OK) == 0)
        return g_strdup(system_socket);
    return g_build_filename(g_get_user_runtime_dir(), "lpard", "lpard.sock", NULL);
}

/* Too long a path is a mistake better told before connect() tells it. */
static GSocketAddress *
socket_address(const char *path, GError **error)
{
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

    if (path[0] != '\0' && strlen(path) < room)
        return g_unix_socket_address_new(path);
    lp_ctl_error(error, LP_CTL_EXIT_USAGE,
                 "the socket's path is %s: give one of 1 to %zu bytes with --socket",
                 path[0] == '\0' ? "empty" : "too long", room - 1);
    return NULL;
}

LpCtlClient *
lp_ctl_client_new(const LpCtlWay *way, GError **error)
{
    LpCtlClient *client;
    g_autoptr(GError) unusable = NULL;
    g_autoptr(LpCtlRemote) remote = lp_ctl_remote_new(way, &unusable);
    g_autoptr(GSocketAddress) address = NULL;
    g_autofree char *path = NULL;

    if (unusable != NULL) {
        g_propagate_error(error, g_steal_pointer(&unusable));
        return NULL;
    }
    if (remote == NULL) {
        path = way->socket ? g_strdup(way->socket) : default_socket();
        address = socket_address(path, error);
        if (address == NULL)
            return NULL;
    }
    client = g_new0(LpCtlClient, 1);
    client->where = remote ? g_strdup(remote->base) : g_steal_pointer(&path);
    client->remote = g_steal_pointer(&remote);
    client->interrupt = g_cancellable_new();
    /* No proxy: looking for one would load modules and read settings at every start. */
    client->session = soup_session_new_with_options("remote-connectable", address,
                                                    "proxy-resolver", NULL,
                                                    "timeout", LP_CTL_ANSWER_SEC,
                                                    "user-agent", "lparctl/" PACKAGE_VERSION,
                                                    NULL);
    if (client->remote != NULL && client->remote->authority != NULL)
        soup_session_set_tls_database(client->session, client->remote->authority);
    return client;
}

void
lp_ctl_client_free(LpCtlClient *client)
{
    if (client == NULL)
        return;
    g_object_unref(client->session);
    g_object_unref(client->interrupt);
    lp_ctl_remote_free(client->remote);
    g_free(client->where);
    g_free(client);
}

void
lp_ctl_client_set_timeout(LpCtlClient *client, guint seconds)
{
    soup_session_set_timeout(client->session, seconds);
}

void
lp_ctl_client_interrupt(LpCtlClient *client)
{
    g_cancellable_cancel(client->interrupt);
}

static void
explain_no_connection(const LpCtlClient *client, const GError *cause, GError **error)
{
    const char *start = client->remote ? "start it there, with [tls] listen in its lpard.conf"
                                       : "start it with `lpard` or `systemctl start lpard`";

    if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE, "lpard is not running (no socket at %s): %s",
                     client->where, start);
    else if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE,
                     "lpard is not running (nobody listens at %s): %s", client->where, start);
    else if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE,
                     "lpard cannot be reached (permission denied at %s): run lparctl as a user "
                     "who may open it, or name another with --socket", client->where);
    else if (cause->domain == G_RESOLVER_ERROR)
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE, "no host is known by the name in %s (%s)",
                     client->where, cause->message);
    else if (g_error_matches(cause, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE))
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE, "the certificate that lpard shows at %s %s",
                     client->where, lp_ctl_remote_distrust(client->distrust));
    else if (cause->domain == G_TLS_ERROR)
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE,
                     "there is no talking TLS with what answers at %s (%s): is it lpard's "
                     "[tls] listen?", client->where, cause->message);
}

void
lp_ctl_client_explain(const LpCtlClient *client, const char *method, const GError *cause,
                      GError **error)
{
    g_autoptr(GError) known = NULL;
    const char *taken = "";

    if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_propagate_error(error, g_error_copy(cause));
        return;
    }
    explain_no_connection(client, cause, &known);
    if (known != NULL) {
        g_propagate_error(error, g_steal_pointer(&known));
        return;
    }
    if (g_error_matches(cause, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_PARSING) ||
        g_error_matches(cause, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_ENCODING)) {
        lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                     "what answers at %s does not speak HTTP: is it lpard's socket?",
                     client->where);
        return;
    }
    if (strcmp(method, "GET") != 0)
        taken = "; the request may have been taken: look with `lparctl op list --all`";
    if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE,
                     "lpard at %s did not answer in time: see its log, or restart it%s",
                     client->where, taken);
    else
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE,
                     "lpard at %s broke off its answer (%s): see its log, and try again%s",
                     client->where, cause->message, taken);
}

static void
finish(Exchange *exchange, GError *error)
{
    exchange->error = error;
    exchange->finished = true;
}

static void read_more(Exchange *exchange);

static void
on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    Exchange *exchange = data;
    GError *error = NULL;
    gssize n = g_input_stream_read_finish(G_INPUT_STREAM(source), result, &error);

    if (n <= 0) {
        finish(exchange, error);
        return;
    }
    if (exchange->text->len + (gsize)n > exchange->bound) {
        exchange->too_long = true;
        finish(exchange, NULL);
        return;
    }
    g_string_append_len(exchange->text, exchange->buffer, n);
    read_more(exchange);
}

static void
read_more(Exchange *exchange)
{
    g_input_stream_read_async(exchange->stream, exchange->buffer, CHUNK_BYTES, G_PRIORITY_DEFAULT,
                              exchange->client->interrupt, on_read, exchange);
}

static void
on_sent(GObject *source, GAsyncResult *result, gpointer data)
{
    Exchange *exchange = data;
    GError *error = NULL;

    exchange->stream = soup_session_send_finish(SOUP_SESSION(source), result, &error);
    if (exchange->stream == NULL || exchange->buffer == NULL)
        finish(exchange, error);
    else
        read_more(exchange);
}

static void
exchange_send(Exchange *exchange)
{
    soup_session_send_async(exchange->client->session, exchange->message, G_PRIORITY_DEFAULT,
                            exchange->client->interrupt, on_sent, exchange);
    while (!exchange->finished)
        g_main_context_iteration(NULL, TRUE);
}

static void
exchange_clear(Exchange *exchange)
{
    g_clear_object(&exchange->message);
    g_clear_object(&exchange->stream);
    g_clear_error(&exchange->error);
    g_free(exchange->buffer);
    if (exchange->text != NULL)
        g_string_free(exchange->text, TRUE);
}

/* It is not accepted; but what is wrong with it is told to nobody else. */
static gboolean
on_distrusted(SoupMessage *message, GTlsCertificate *certificate, GTlsCertificateFlags flags,
              gpointer data)
{
    LpCtlClient *client = data;

    (void)message, (void)certificate;
    client->distrust = flags;
    return FALSE;
}

static SoupMessage *
make_message(LpCtlClient *client, const char *method, const char *path)
{
    g_autofree char *uri = g_strconcat(client->remote ? client->remote->base : BASE_URI, path,
                                       NULL);
    SoupMessage *message = soup_message_new(method, uri);

    soup_message_add_flags(message, SOUP_MESSAGE_NO_REDIRECT);
    if (client->remote != NULL) {
        g_signal_connect(message, "accept-certificate", G_CALLBACK(on_distrusted), client);
        if (client->remote->certificate != NULL)
            soup_message_set_tls_client_certificate(message, client->remote->certificate);
    }
    return message;
}

/* lpard's own words on what went wrong. */
static void
problem_to_error(unsigned status, const json_t *json, GError **error)
{
    const char *detail = json_string_value(json_object_get(json, "detail"));
    const char *title = json_string_value(json_object_get(json, "title"));
    const char *code = json_string_value(json_object_get(json, "code"));
    int exit_status = LP_CTL_EXIT_ERROR;
    g_autofree char *clean = lp_ctl_text_clean(detail ? detail : title);

    if (code != NULL)
        exit_status = lp_error_exit_status(lp_error_from_name(code));
    if (exit_status <= LP_CTL_EXIT_DONE || exit_status > LP_CTL_EXIT_MAX)
        exit_status = LP_CTL_EXIT_ERROR;
    if (detail != NULL || title != NULL)
        lp_ctl_error(error, exit_status, "%s", clean);
    else
        lp_ctl_error(error, exit_status, "lpard answered status %u without a reason: see its log",
                     status);
}

bool
lp_ctl_answer_read(LpCtlAnswer *answer, const char *where, GError **error)
{
    answer->json = json_loadb(answer->text->str, answer->text->len, JSON_REJECT_DUPLICATES, NULL);
    lp_ctl_json_clean(answer->json);
    if (answer->status >= 400) {
        problem_to_error(answer->status, answer->json, error);
        return false;
    }
    if (answer->status < 200 || answer->status >= 300 || !json_is_object(answer->json)) {
        lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                     "what answers at %s makes no sense (status %u, %zu bytes that are %s): "
                     "is it lpard's socket, and of this version?",
                     where, answer->status, answer->text->len,
                     answer->json ? "no object of JSON" : "not JSON");
        return false;
    }
    return true;
}

static bool
read_answer(const LpCtlClient *client, Exchange *exchange, LpCtlAnswer *answer, GError **error)
{
    answer->status = soup_message_get_status(exchange->message);
    answer->text = g_steal_pointer(&exchange->text);
    return lp_ctl_answer_read(answer, client->where, error);
}

bool
lp_ctl_client_ask(LpCtlClient *client, const char *method, const char *path, const json_t *body,
                  const char *key, LpCtlAnswer *ret_answer, GError **error)
{
    Exchange exchange = {
        .client = client,
        .message = make_message(client, method, path),
        .text = g_string_new(NULL),
        .buffer = g_malloc(CHUNK_BYTES),
        .bound = LP_CTL_ANSWER_MAX,
    };
    bool ok = false;

    lp_ctl_answer_clear(ret_answer);
    if (body != NULL) {
        char *text = json_dumps(body, JSON_COMPACT);
        g_autoptr(GBytes) bytes = g_bytes_new_with_free_func(text, strlen(text), free, text);

        soup_message_set_request_body_from_bytes(exchange.message, "application/json", bytes);
    }
    if (key != NULL)
        soup_message_headers_append(soup_message_get_request_headers(exchange.message),
                                    "Idempotency-Key", key);
    exchange_send(&exchange);
    if (exchange.too_long)
        lp_ctl_error(error, LP_CTL_EXIT_ERROR,
                     "the answer of %s is longer than %u MiB: is it lpard's socket?",
                     client->where, LP_CTL_ANSWER_MAX >> 20);
    else if (exchange.error != NULL)
        lp_ctl_client_explain(client, method, exchange.error, error);
    else
        ok = read_answer(client, &exchange, ret_answer, error);
    exchange_clear(&exchange);
    return ok;
}

/* A refusal comes with a problem document, like any other. */
static void
stream_refused(Exchange *exchange, GError **error)
{
    unsigned status = soup_message_get_status(exchange->message);
    json_t *json = NULL;

    exchange->text = g_string_new(NULL);
    exchange->buffer = g_malloc(CHUNK_BYTES);
    exchange->bound = CHUNK_BYTES;
    exchange->finished = false;
    read_more(exchange);
    while (!exchange->finished)
        g_main_context_iteration(NULL, TRUE);
    if (exchange->error == NULL && !exchange->too_long)
        json = json_loadb(exchange->text->str, exchange->text->len, 0, NULL);
    problem_to_error(status, json, error);
    json_decref(json);
}

GInputStream *
lp_ctl_client_stream(LpCtlClient *client, const char *path, const char *last, GError **error)
{
    Exchange exchange = { .client = client, .message = make_message(client, "GET", path) };
    SoupMessageHeaders *headers = soup_message_get_request_headers(exchange.message);
    GInputStream *stream = NULL;

    soup_message_headers_append(headers, "Accept", "text/event-stream");
    if (last != NULL)
        soup_message_headers_append(headers, "Last-Event-ID", last);
    exchange_send(&exchange);
    if (exchange.error != NULL) {
        lp_ctl_client_explain(client, "GET", exchange.error, error);
    } else if (soup_message_get_status(exchange.message) != SOUP_STATUS_OK) {
        stream_refused(&exchange, error);
    } else {
        stream = g_steal_pointer(&exchange.stream);
    }
    exchange_clear(&exchange);
    return stream;
}
