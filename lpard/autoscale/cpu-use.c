#include "lpard/autoscale/cpu-use.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct LpCpuUse {
    LpCpuUseFunc func;            /* NULL: freed while a reading is under way */
    void *data;
    bool busy;
};

void
lp_cpu_meter_take(LpCpuMeter *meter, pid_t pid, uint64_t used_usec, int64_t at_usec)
{
    bool follows = meter->at_usec && meter->pid == pid && at_usec > meter->at_usec
                   && used_usec >= meter->used_usec;

    if (follows) {
        uint64_t centi = (used_usec - meter->used_usec) * 100
                         / (uint64_t) (at_usec - meter->at_usec);

        meter->used_centi = (uint32_t) MIN(centi, UINT32_MAX);
    }
    meter->known = follows;
    meter->pid = pid;
    meter->used_usec = used_usec;
    meter->at_usec = at_usec;
}

bool
lp_cpu_use_parse(const char *text, uint64_t *ret_ticks)
{
    /* The name of the command may hold blanks and parentheses. */
    const char *end = strrchr(text, ')');
    unsigned long long user, system;

    if (!end
        || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                  &system) != 2)
        return false;
    *ret_ticks = user + system;
    return true;
}

static void
read_one(LpCpuReading *reading, uint64_t ticks_a_sec)
{
    char path[64], text[1024];
    uint64_t ticks = 0;
    ssize_t n = -1;
    int fd;

    g_snprintf(path, sizeof path, "/proc/%ld/stat", (long) reading->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof text - 1);
        close(fd);
    }
    if (n <= 0)
        return;
    text[n] = '\0';
    reading->ok = lp_cpu_use_parse(text, &ticks);
    reading->used_usec = ticks * G_USEC_PER_SEC / ticks_a_sec;
    reading->at_usec = g_get_monotonic_time();
}

static void
read_all(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GArray *readings = data;
    long ticks = sysconf(_SC_CLK_TCK);

    (void) source;
    (void) cancellable;
    for (guint i = 0; ticks > 0 && i < readings->len; i++)
        read_one(&g_array_index(readings, LpCpuReading, i), (uint64_t) ticks);
    g_task_return_boolean(task, TRUE);
}

static void
all_read(GObject *source, GAsyncResult *result, gpointer data)
{
    const GArray *readings = g_task_get_task_data(G_TASK(result));
    LpCpuUse *use = data;

    (void) source;
    use->busy = false;
    if (!use->func) {
        g_free(use);
        return;
    }
    use->func((const LpCpuReading *) (void *) readings->data, readings->len, use->data);
}

LpCpuUse *
lp_cpu_use_new(LpCpuUseFunc func, void *data)
{
    LpCpuUse *use = g_new0(LpCpuUse, 1);

    use->func = func;
    use->data = data;
    return use;
}

void
lp_cpu_use_free(LpCpuUse *use)
{
    if (!use)
        return;
    use->func = NULL;
    if (!use->busy)
        g_free(use);
}

bool
lp_cpu_use_read(LpCpuUse *use, GArray *readings)
{
    g_autoptr(GTask) task = NULL;

    if (use->busy || readings->len == 0) {
        g_array_unref(readings);
        return false;
    }
    use->busy = true;
    task = g_task_new(NULL, NULL, all_read, use);
    g_task_set_task_data(task, readings, (GDestroyNotify) g_array_unref);
    g_task_run_in_thread(task, read_all);
    return true;
}
