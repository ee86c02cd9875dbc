#include "tests/crash/kills.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls, memory and vCPUs take long enough that there is a middle to be killed in. */
static const char host_json[] =
    "{\"seed\": 9, \"cgroup\": \"v2\", \"delays\": {\"call_usec\": 1000, \"online_cpu_usec\": 3000,"
    " \"unplug_cpu_usec\": 3000, \"plug_bytes_per_sec\": 8589934592,"
    " \"unplug_bytes_per_sec\": 8589934592, \"size_event_usec\": 10000, \"boot_usec\": 10000},"
    " \"domains\": [{\"name\": \"p%%u\", \"count\": %d, \"vcpus\": %d, \"vcpus_max\": %d,"
    " \"metadata\": \"<lpard:partition xmlns:lpard=\\\"https://lpard.org/xmlns/partition/1\\\""
    " version=\\\"1\\\" generation=\\\"1\\\"><lpard:cpu min=\\\"%d\\\" desired=\\\"%d\\\""
    " max=\\\"%d\\\" folded=\\\"\\\"/><lpard:memory min=\\\"%lld\\\" desired=\\\"%lld\\\""
    " max=\\\"%lld\\\"/><lpard:capacity entitled=\\\"40\\\" weight=\\\"128\\\" capped=\\\"no\\\"/>"
    "<lpard:cell id=\\\"0\\\" node=\\\"0\\\"/><lpard:hold until=\\\"0\\\"/></lpard:partition>\","
    " \"cells\": [{\"base_bytes\": %lld, \"device_bytes\": %lld, \"requested_bytes\": %lld}]},"
    " {\"name\": \"plain\"}]}";

void
life_bail(const Life *life, const char *format, ...)
{
    g_autofree char *log = life->dir ? g_build_filename(life->dir, "log", NULL) : NULL;
    g_autofree char *text = NULL;
    size_t length;
    va_list args;

    va_start(args, format);
    printf("Bail out! ");
    vprintf(format, args);
    va_end(args);
    printf("\n");
    if (life->dir)
        printf("# what it left is in %s\n", life->dir);
    if (log && g_file_get_contents(log, &text, &length, NULL))
        printf("# %s\n", length > 2000 ? text + length - 2000 : text);
    fflush(stdout);
    if (life->pid)
        kill(life->pid, SIGKILL);
    exit(1);
}

void
life_make(Life *life, const char *lpard, const char *parent)
{
    g_autofree char *host = NULL, *text = NULL, *conf = NULL;

    *life = (Life){.lpard = lpard, .dir = g_build_filename(parent, "lpard-kills-XXXXXX", NULL)};
    if (!g_mkdtemp(life->dir))
        life_bail(life, "no directory in %s: %s", parent, g_strerror(errno));
    host = g_build_filename(life->dir, "host.json", NULL);
    conf = g_build_filename(life->dir, "conf", NULL);
    life->socket = g_build_filename(life->dir, "sock", NULL);
    life->uri = g_strconcat("sim:", host, NULL);
    text = g_strdup_printf(host_json, KILLS_PARTITIONS, KILLS_CPU, KILLS_CPU_MAX, KILLS_CPU_MIN,
                           KILLS_CPU, KILLS_CPU_MAX, KILLS_MEM_MIN_MIB * KILLS_MIB,
                           KILLS_MEM_MIB * KILLS_MIB, KILLS_MEM_MAX_MIB * KILLS_MIB,
                           KILLS_MEM_MIN_MIB * KILLS_MIB,
                           (KILLS_MEM_MAX_MIB - KILLS_MEM_MIN_MIB) * KILLS_MIB,
                           (KILLS_MEM_MIB - KILLS_MEM_MIN_MIB) * KILLS_MIB);
    if (!g_file_set_contents(host, text, -1, NULL) || !g_file_set_contents(conf, "", 0, NULL))
        life_bail(life, "cannot write in %s", life->dir);
}

static void
remove_all(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *inside = g_build_filename(path, name, NULL);

        if (g_file_test(inside, G_FILE_TEST_IS_DIR) && !g_file_test(inside, G_FILE_TEST_IS_SYMLINK))
            remove_all(inside);
        else
            g_unlink(inside);
    }
    g_rmdir(path);
}

void
life_unmake(Life *life)
{
    if (life->pid)
        life_kill(life);
    remove_all(life->dir);
    g_free(life->dir);
    g_free(life->socket);
    g_free(life->uri);
    *life = (Life){0};
}

void
life_spawn(Life *life)
{
    g_autofree char *conf = g_build_filename(life->dir, "conf", NULL);
    g_autofree char *state = g_build_filename(life->dir, "state", NULL);
    g_autofree char *log = g_build_filename(life->dir, "log", NULL);

    life->pid = fork();
    if (life->pid < 0)
        life_bail(life, "no process: %s", g_strerror(errno));
    if (life->pid == 0) {
        FILE *file = freopen(log, "a", stderr);

        if (!file || !freopen("/dev/null", "w", stdout))
            _exit(127);
        execl(life->lpard, life->lpard, "--config", conf, "--connect", life->uri, "--socket",
              life->socket, "--state", state, "--topology", KILLS_TOPOLOGY, NULL);
        _exit(127);
    }
}

/* NULL: no answer, since it does not serve yet. */
static json_t *
try_host(const Life *life)
{
    HttpLine line = {0};
    json_t *body = NULL;

    if (!http_try(&line, life->socket))
        return NULL;
    if (http_ask(&line, "GET", "/v1/host", NULL) && http_wait(&line, KILLS_PATIENCE_SEC * 1000) == 1
        && line.status == 200)
        body = json_loads(http_body(&line), 0, NULL);
    http_close(&line);
    return body;
}

void
life_start(Life *life)
{
    int64_t begin = g_get_monotonic_time();
    bool up = false;

    life_spawn(life);
    while (!up) {
        json_t *host = try_host(life);

        up = json_is_true(json_object_get(host, "connected"))
             && json_integer_value(json_object_get(host, "running")) == KILLS_PARTITIONS;
        json_decref(host);
        if (up)
            break;
        if (waitpid(life->pid, NULL, WNOHANG) == life->pid) {
            life->pid = 0;
            life_bail(life, "lpard ended by itself");
        }
        if (g_get_monotonic_time() - begin > KILLS_PATIENCE_SEC * G_USEC_PER_SEC)
            life_bail(life, "lpard does not come up");
        g_usleep(2000);
    }
    life->up_usec = g_get_monotonic_time() - begin;
}

static int
reap(Life *life)
{
    int status = 0;

    if (waitpid(life->pid, &status, 0) != life->pid)
        life_bail(life, "lpard is not there: %s", g_strerror(errno));
    life->pid = 0;
    return status;
}

void
life_kill(Life *life)
{
    int status;

    kill(life->pid, SIGKILL);
    status = reap(life);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        life_bail(life, "lpard had ended before it was killed, with %d", status);
}

int
life_stop(Life *life)
{
    kill(life->pid, SIGTERM);
    return reap(life);
}

json_t *
life_get(const Life *life, unsigned status, const char *format, ...)
{
    g_autofree char *target = NULL;
    HttpLine line = {0};
    json_t *body;
    va_list args;

    va_start(args, format);
    target = g_strdup_vprintf(format, args);
    va_end(args);
    if (!http_try(&line, life->socket) || !http_ask(&line, "GET", target, NULL)
        || http_wait(&line, KILLS_PATIENCE_SEC * 1000) != 1)
        life_bail(life, "GET %s is not answered", target);
    if (line.status != (int) status)
        life_bail(life, "GET %s: %d, not %u: %s", target, line.status, status, http_body(&line));
    body = json_loads(http_body(&line), 0, NULL);
    http_close(&line);
    return body;
}

void
life_rest(const Life *life)
{
    int64_t until = g_get_monotonic_time() + KILLS_PATIENCE_SEC * G_USEC_PER_SEC;

    for (;;) {
        json_t *open = life_get(life, 200, "/v1/operations?state=open&limit=1000");
        size_t n = json_array_size(json_object_get(open, "operations"));
        g_autofree char *text = n ? json_dumps(open, JSON_INDENT(1)) : NULL;

        json_decref(open);
        if (n == 0)
            return;
        if (g_get_monotonic_time() > until)
            life_bail(life, "operations stay open: %.3000s", text);
        g_usleep(5000);
    }
}
