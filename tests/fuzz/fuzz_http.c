/* The API against who may only look: the input is what such a user (first byte even) or one that may do
 * nothing at all (odd) writes to the socket; 0xfe cuts it, and lpard reads what came before.
 *
 * Whatever it is, no operation is accepted, nothing is journaled, no domain and no pool is touched; the
 * answer is never that lpard has failed; and the connection is answered or closed once the other end has
 * said all. */
#include <errno.h>
#include <glib-unix.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lpard/api/api-private.h"
#include "tests/fuzz/world.h"

#define LP_CUT 0xfe
#define LP_VIEWER 4711
#define LP_NOBODY 4712
/* No answer is longer, but for a stream that never ends. */
#define LP_ANSWER_MAX (8u << 20)

/* libsoup loses the path of a request that it refuses by itself; and stacks through libraries do not
 * tell its losses from ours.  What lpard loses, the unit tests see. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
    return 1;
}

/* --- who asks --- */

static gid_t caller;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    struct ucred credentials = { .pid = 1, .uid = caller, .gid = caller };

    if (level == SOL_SOCKET && name == SO_PEERCRED) {
        memcpy(value, &credentials, sizeof credentials);
        *size = sizeof credentials;
        return 0;
    }
    if (level == SOL_SOCKET && name == SO_PEERGROUPS) {
        *size = 0;
        return 0;
    }
    return __real_getsockopt(fd, level, name, value, size);
}

/* --- effects: what may not happen --- */

static bool armed;

#define FORBIDDEN() LP_MUST(!armed)

void __real_lp_journal_put_operation(LpJournal *journal, int64_t id, const char *uuid,
                                     const char *key, bool open, json_t *body, LpDurableFunc done,
                                     void *data);
void __wrap_lp_journal_put_operation(LpJournal *journal, int64_t id, const char *uuid,
                                     const char *key, bool open, json_t *body, LpDurableFunc done,
                                     void *data);
void __real_lp_journal_put_profile(LpJournal *journal, const char *uuid, uint64_t generation,
                                   const char *metadata, LpDurableFunc done, void *data);
void __wrap_lp_journal_put_profile(LpJournal *journal, const char *uuid, uint64_t generation,
                                   const char *metadata, LpDurableFunc done, void *data);
void __real_lp_journal_put_saved_xml(LpJournal *journal, const char *uuid, const char *xml,
                                     LpDurableFunc done, void *data);
void __wrap_lp_journal_put_saved_xml(LpJournal *journal, const char *uuid, const char *xml,
                                     LpDurableFunc done, void *data);
bool __real_lp_pool_file_write(const char *path, const char *text, GError **error);
bool __wrap_lp_pool_file_write(const char *path, const char *text, GError **error);
void __real_lp_scaler_set(LpScaler *scaler, LpMode mode, bool burst, LpScalerSetDone done,
                          void *data);
void __wrap_lp_scaler_set(LpScaler *scaler, LpMode mode, bool burst, LpScalerSetDone done,
                          void *data);
bool __real_lp_engine_cancel(LpEngine *engine, int64_t id, GError **error);
bool __wrap_lp_engine_cancel(LpEngine *engine, int64_t id, GError **error);

void
__wrap_lp_journal_put_operation(LpJournal *journal, int64_t id, const char *uuid, const char *key,
                                bool open, json_t *body, LpDurableFunc done, void *data)
{
    FORBIDDEN();
    __real_lp_journal_put_operation(journal, id, uuid, key, open, body, done, data);
}

void
__wrap_lp_journal_put_profile(LpJournal *journal, const char *uuid, uint64_t generation,
                              const char *metadata, LpDurableFunc done, void *data)
{
    FORBIDDEN();
    __real_lp_journal_put_profile(journal, uuid, generation, metadata, done, data);
}

void
__wrap_lp_journal_put_saved_xml(LpJournal *journal, const char *uuid, const char *xml,
                                LpDurableFunc done, void *data)
{
    FORBIDDEN();
    __real_lp_journal_put_saved_xml(journal, uuid, xml, done, data);
}

bool
__wrap_lp_pool_file_write(const char *path, const char *text, GError **error)
{
    FORBIDDEN();
    return __real_lp_pool_file_write(path, text, error);
}

void
__wrap_lp_scaler_set(LpScaler *scaler, LpMode mode, bool burst, LpScalerSetDone done, void *data)
{
    FORBIDDEN();
    __real_lp_scaler_set(scaler, mode, burst, done, data);
}

bool
__wrap_lp_engine_cancel(LpEngine *engine, int64_t id, GError **error)
{
    FORBIDDEN();
    return __real_lp_engine_cancel(engine, id, error);
}

/* --- the world --- */

/* What the hypervisor has, in a number. */
static uint64_t
sum_of_views(void)
{
    g_autoptr(GPtrArray) list = lp_registry_list(lp_fuzz_world.registry);
    uint64_t sum = list->len;

    for (guint i = 0; i < list->len; i++) {
        const LpView *view = ((const LpPartition *)g_ptr_array_index(list, i))->view;

        sum = sum * 31 + view->run + lp_cpumask_count(&view->plugged);
        sum = sum * 31 + lp_view_requested_bytes(view) + view->balloon_bytes;
        sum = sum * 31 + view->cpu_shares + (uint64_t)view->global_quota_usec;
        sum = sum * 31 + (view->metadata != NULL ? g_str_hash(view->metadata) : 0);
        sum = sum * 31 + (view->metadata_config != NULL ? g_str_hash(view->metadata_config) : 0);
        sum = sum * 31 + g_str_hash(view->resource_config);
    }
    return sum;
}

static uint64_t views_sum;
static LpOperation *ended;

static void
on_accepted(LpOperation *operation, const GError *error, void *data)
{
    (void)data;
    LP_MUST(operation != NULL && error == NULL);
    ended = operation;
}

static bool
is_ended(void *data)
{
    (void)data;
    return ended != NULL && LP_OP_IS_FINAL(ended->state);
}

static bool
is_quiet(void *data)
{
    g_autoptr(GPtrArray) list = lp_registry_list(lp_fuzz_world.registry);

    (void)data;
    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (partition->view->run == LP_RUN_RUNNING && !partition->guest.connected)
            return false;
    }
    return lp_fuzz_world.api->streams->len == 0;
}

/* One operation is there to be looked at. */
static void
start(void)
{
    static char viewer[] = "4711", *viewers[] = { viewer, NULL };
    json_t *body = json_pack("{s:s,s:s,s:{s:s,s:i}}", "kind", "resize", "partition", "p0", "cpu",
                             "mode", "set", "count", 3);
    LpRequest *request = lp_request_from_json(body, NULL);

    signal(SIGPIPE, SIG_IGN);
    lp_fuzz_world_make();
    lp_fuzz_world.settings.viewers = viewers;
    LP_MUST(lp_fuzz_world_boot(true));
    json_decref(body);
    request->requester = g_strdup("uid 0 (admin)");
    lp_fuzz_until(is_quiet, NULL, "all agents are connected");
    LP_MUST(lp_engine_submit(lp_fuzz_world.engine, request, on_accepted, NULL, NULL));
    lp_fuzz_until(is_ended, NULL, "the first operation ends");
    lp_fuzz_until(is_quiet, NULL, "all is quiet");
    for (int i = 0; i < 100; i++) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    /* By exit() the daemon's threads are gone before what they use. */
    atexit(lp_fuzz_world_halt);
    views_sum = sum_of_views();
    armed = true;
}

/* --- the connection --- */

typedef struct {
    int fd;
    GString *answer;
    bool closed, streams;
} Line;

static void
take(Line *line)
{
    char buffer[65536];
    ssize_t n;

    while (!line->closed && (n = recv(line->fd, buffer, sizeof buffer, MSG_DONTWAIT)) != 0) {
        if (n < 0) {
            line->closed = errno != EAGAIN && errno != EINTR;
            return;
        }
        g_string_append_len(line->answer, buffer, n);
        LP_MUST(line->answer->len <= LP_ANSWER_MAX);
    }
    line->closed = true;
}

static gboolean
on_readable(int fd, GIOCondition condition, void *data)
{
    Line *line = data;

    (void)fd, (void)condition;
    take(line);
    /* An event stream goes on until the client goes. */
    line->streams = line->streams ||
                    g_strstr_len(line->answer->str, -1, "text/event-stream") != NULL;
    return line->closed ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static bool
is_done(void *data)
{
    const Line *line = data;

    return line->closed || line->streams;
}

static void
some_turns(void)
{
    for (int i = 0; i < 8; i++)
        g_main_context_iteration(NULL, FALSE);
}

static void
say(Line *line, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = send(line->fd, data + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return;
        at += n > 0 ? (size_t)n : 0;
        some_turns();
    }
}

static int
open_line(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, lp_fuzz_world.settings.socket, sizeof address.sun_path);
    LP_MUST(fd >= 0);
    LP_MUST(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* Where answers begin: bodies are JSON, which has no bare line end in a text, and Prometheus text. */
static void
check_answers(const Line *line)
{
    const char *at = line->answer->str;

    while ((at = strstr(at, "HTTP/1.")) != NULL) {
        bool begins = at == line->answer->str || at[-1] == '\n' || at[-1] == '}';
        int status = 0;

        if (begins && sscanf(at, "HTTP/1.%*1d %3d", &status) == 1) {
            LP_MUST(status < 500 || status == SOUP_STATUS_NOT_IMPLEMENTED ||
                    status == SOUP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
            LP_MUST(caller != LP_NOBODY || status >= 400 || status == 100);
            /* Nothing is accepted, created, or changed. */
            LP_MUST(status != 201 && status != 202 && status != 204);
        }
        at++;
    }
}

static bool
no_streams(void *data)
{
    (void)data;
    /* One that is gone is noticed when something is sent. */
    lp_events_emit(lp_fuzz_world.events, "fuzz", json_object());
    return lp_fuzz_world.api->streams->len == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Line line = { .fd = -1 };
    g_autoptr(GPtrArray) list = NULL;
    guint source;

    if (size == 0)
        return 0;
    if (!armed)
        start();
    caller = data[0] % 2 == 0 ? LP_VIEWER : LP_NOBODY;
    line.fd = open_line();
    line.answer = g_string_new(NULL);
    source = g_unix_fd_add(line.fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, &line);
    for (size_t at = 1; at < size;) {
        const uint8_t *cut = memchr(data + at, LP_CUT, size - at);
        size_t length = cut != NULL ? (size_t)(cut - data) - at : size - at;

        say(&line, data + at, length);
        some_turns();
        at += length + 1;
    }
    shutdown(line.fd, SHUT_WR);
    lp_fuzz_until(is_done, &line, "it is answered or closed");
    if (!line.closed)
        g_source_remove(source);
    close(line.fd);
    check_answers(&line);
    lp_fuzz_until(no_streams, NULL, "streams end with their clients");
    list = lp_engine_list(lp_fuzz_world.engine);
    LP_MUST(list->len == 1);
    LP_MUST(sum_of_views() == views_sum);
    g_string_free(line.answer, TRUE);
    return 0;
}
