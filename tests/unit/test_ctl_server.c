/* A made-up lpard, in a thread of its own. */
#include "tests/unit/test_ctl_server.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <libsoup/soup.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    unsigned status;
    char *body;
} Answer;

struct FakeServer {
    char *dir, *socket;
    GThread *thread;
    GMainContext *context;
    GMainLoop *loop;
    GMutex lock;
    GCond ready;
    gboolean listening, held;
    GQueue answers;
    GString *asked;
    int fd;                       /* raw */
    const char *bytes;
    guint times;
};

static void
on_request(SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query,
           gpointer data)
{
    FakeServer *server = data;
    GUri *uri = soup_server_message_get_uri(message);
    SoupMessageBody *body = soup_server_message_get_request_body(message);
    g_autoptr(GBytes) bytes = soup_message_body_flatten(body);
    const char *key = soup_message_headers_get_one(
        soup_server_message_get_request_headers(message), "Idempotency-Key");
    const char *last = soup_message_headers_get_one(
        soup_server_message_get_request_headers(message), "Last-Event-ID");
    Answer *answer;

    (void)soup;
    (void)path;
    (void)query;
    g_mutex_lock(&server->lock);
    g_string_append_printf(server->asked, "%s %s%s%s", soup_server_message_get_method(message),
                           g_uri_get_path(uri), g_uri_get_query(uri) ? "?" : "",
                           g_uri_get_query(uri) ? g_uri_get_query(uri) : "");
    if (g_bytes_get_size(bytes) > 0)
        g_string_append_printf(server->asked, " %.*s", (int)g_bytes_get_size(bytes),
                               (const char *)g_bytes_get_data(bytes, NULL));
    if (key != NULL)
        g_string_append_printf(server->asked, " key=%s", key);
    if (last != NULL)
        g_string_append_printf(server->asked, " last=%s", last);
    g_string_append_c(server->asked, '\n');
    answer = g_queue_pop_head(&server->answers);
    if (answer != NULL && answer->status == 0) {
        soup_server_message_pause(message);
        server->held = TRUE;
        g_cond_signal(&server->ready);
        g_mutex_unlock(&server->lock);
        g_free(answer->body);
        g_free(answer);
        return;
    }
    g_mutex_unlock(&server->lock);
    soup_server_message_set_status(message, answer ? answer->status : 500, NULL);
    if (answer != NULL) {
        soup_server_message_set_response(message, "application/json", SOUP_MEMORY_COPY,
                                         answer->body, strlen(answer->body));
        g_free(answer->body);
        g_free(answer);
    }
}

static gpointer
serve(gpointer data)
{
    FakeServer *server = data;
    g_autoptr(SoupServer) soup = NULL;
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(server->socket);
    g_autoptr(GError) error = NULL;

    g_main_context_push_thread_default(server->context);
    soup = soup_server_new(NULL, NULL);
    soup_server_add_handler(soup, NULL, on_request, server, NULL);
    if (!soup_server_listen(soup, address, 0, &error))
        g_error("%s", error->message);
    g_mutex_lock(&server->lock);
    server->listening = TRUE;
    g_cond_signal(&server->ready);
    g_mutex_unlock(&server->lock);
    g_main_loop_run(server->loop);
    soup_server_disconnect(soup);
    g_clear_object(&soup);
    g_main_context_pop_thread_default(server->context);
    return NULL;
}

static FakeServer *
server_alloc(void)
{
    FakeServer *server = g_new0(FakeServer, 1);

    server->dir = g_dir_make_tmp("lparctl-XXXXXX", NULL);
    server->socket = g_build_filename(server->dir, "s", NULL);
    server->asked = g_string_new(NULL);
    server->fd = -1;
    g_queue_init(&server->answers);
    g_mutex_init(&server->lock);
    g_cond_init(&server->ready);
    return server;
}

FakeServer *
fake_server_new(void)
{
    FakeServer *server = server_alloc();

    server->context = g_main_context_new();
    server->loop = g_main_loop_new(server->context, FALSE);
    server->thread = g_thread_new("server", serve, server);
    g_mutex_lock(&server->lock);
    while (!server->listening)
        g_cond_wait(&server->ready, &server->lock);
    g_mutex_unlock(&server->lock);
    return server;
}

static gpointer
serve_raw(gpointer data)
{
    FakeServer *server = data;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        char request[4096];
        gsize length = strlen(server->bytes);
        ssize_t n = recv(fd, request, sizeof(request), 0);

        for (guint i = 0; n > 0 && i < server->times; i++) {
            if (send(fd, server->bytes, length, MSG_NOSIGNAL) < 0)
                break;
        }
        close(fd);
    }
    return NULL;
}

FakeServer *
fake_server_new_raw(const char *bytes, guint times)
{
    FakeServer *server = server_alloc();
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    server->bytes = bytes;
    server->times = times;
    g_strlcpy(address.sun_path, server->socket, sizeof(address.sun_path));
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(server->fd, 4) != 0)
        g_error("cannot listen at %s", server->socket);
    server->thread = g_thread_new("raw", serve_raw, server);
    return server;
}

void
fake_server_free(FakeServer *server)
{
    Answer *answer;

    if (server->fd >= 0)
        shutdown(server->fd, SHUT_RDWR);
    if (server->loop != NULL)
        g_main_loop_quit(server->loop);
    g_thread_join(server->thread);
    if (server->fd >= 0)
        close(server->fd);
    g_clear_pointer(&server->loop, g_main_loop_unref);
    g_clear_pointer(&server->context, g_main_context_unref);
    while ((answer = g_queue_pop_head(&server->answers)) != NULL) {
        g_free(answer->body);
        g_free(answer);
    }
    g_unlink(server->socket);
    g_rmdir(server->dir);
    g_string_free(server->asked, TRUE);
    g_mutex_clear(&server->lock);
    g_cond_clear(&server->ready);
    g_free(server->socket);
    g_free(server->dir);
    g_free(server);
}

const char *
fake_server_socket(const FakeServer *server)
{
    return server->socket;
}

void
fake_server_answer(FakeServer *server, unsigned status, const char *body)
{
    Answer *answer = g_new0(Answer, 1);

    answer->status = status;
    answer->body = g_strdup(body);
    g_mutex_lock(&server->lock);
    g_queue_push_tail(&server->answers, answer);
    g_mutex_unlock(&server->lock);
}

char *
fake_server_asked(FakeServer *server)
{
    char *asked;

    g_mutex_lock(&server->lock);
    asked = g_strdup(server->asked->str);
    g_string_truncate(server->asked, 0);
    g_mutex_unlock(&server->lock);
    return asked;
}

static char **
make_argv(const FakeServer *server, const char *arguments, char ***ret_env)
{
    const char *program = g_getenv("LPARCTL") ? g_getenv("LPARCTL") : "./lparctl";
    g_autofree char *line = g_strdup_printf("%s %s", program, arguments);
    g_autoptr(GError) error = NULL;
    char **env = g_get_environ();
    char **argv = NULL;

    env = g_environ_setenv(env, "LPARD_SOCKET", server ? server->socket : "/nonexistent/s", TRUE);
    env = g_environ_setenv(env, "LC_ALL", "C", TRUE);
    *ret_env = g_environ_setenv(env, "TZ", "UTC", TRUE);
    if (!g_shell_parse_argv(line, NULL, &argv, &error))
        g_error("%s: %s", line, error->message);
    return argv;
}

Ran
run_lparctl(const FakeServer *server, const char *arguments)
{
    g_auto(GStrv) env = NULL;
    g_auto(GStrv) argv = make_argv(server, arguments, &env);
    g_autoptr(GError) error = NULL;
    Ran ran = { .status = -1 };
    int wait_status = 0;

    if (!g_spawn_sync(NULL, argv, env, G_SPAWN_SEARCH_PATH, NULL, NULL, &ran.out, &ran.err,
                      &wait_status, &error))
        g_error("%s: %s", argv[0], error->message);
    ran.status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128;
    return ran;
}

void
fake_server_await_held(FakeServer *server)
{
    g_mutex_lock(&server->lock);
    while (!server->held)
        g_cond_wait(&server->ready, &server->lock);
    server->held = FALSE;
    g_mutex_unlock(&server->lock);
}

/* What a child writes is short of a pipe's buffer here. */
static char *
read_all(int fd)
{
    char buffer[16384];
    GString *text = g_string_new(NULL);
    ssize_t n;

    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        g_string_append_len(text, buffer, n);
    close(fd);
    return g_string_free(text, FALSE);
}

Ran
run_lparctl_signal(FakeServer *server, const char *arguments, int signal)
{
    g_auto(GStrv) env = NULL;
    g_auto(GStrv) argv = make_argv(server, arguments, &env);
    g_autoptr(GError) error = NULL;
    Ran ran = { .status = -1 };
    int wait_status = 0, out, err;
    GPid pid;

    if (!g_spawn_async_with_pipes(NULL, argv, env,
                                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                  &pid, NULL, &out, &err, &error))
        g_error("%s: %s", argv[0], error->message);
    fake_server_await_held(server);
    kill(pid, signal);
    ran.out = read_all(out);
    ran.err = read_all(err);
    waitpid(pid, &wait_status, 0);
    ran.status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128;
    return ran;
}

void
ran_clear(Ran *ran)
{
    g_free(ran->out);
    g_free(ran->err);
}
