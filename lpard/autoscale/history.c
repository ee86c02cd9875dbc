#include "lpard/autoscale/history.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Records that wait for the disk: two minutes of a disk that hangs. */
#define WAITING_MAX 120
#define NAME_FORMAT "%08" G_GUINT64_FORMAT ".lph"

struct LpHistory {
    char *dir;
    uint64_t limit_bytes;
    GThread *thread;
    GAsyncQueue *queue;           /* of Record* */
    /* The main loop's. */
    int64_t begun_usec;           /* when the file was begun; 0: none, or a record was lost */
    uint64_t file_bytes;
    /* The thread's. */
    int fd;
    uint64_t number;              /* of the file; 0: none yet */
    /* Both's. */
    GMutex lock;
    uint64_t bytes, dropped;
    uint64_t waiting;             /* bytes of records in the queue, and of the one being written */
    bool broken;                  /* nothing can follow in this file */
    char error[200];
};

typedef struct {
    size_t length;
    bool snapshot, last;
    uint8_t bytes[];
} Record;

typedef struct {
    uint64_t number;
    uint64_t bytes;
} File;

/* ---- the thread ---- */

static gint
oldest_first(gconstpointer a, gconstpointer b)
{
    const File *left = a, *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

static char *
path_of(const LpHistory *history, uint64_t number)
{
    g_autofree char *name = g_strdup_printf(NAME_FORMAT, number);

    return g_build_filename(history->dir, name, NULL);
}

static GArray *
list_files(const LpHistory *history)
{
    GArray *files = g_array_new(FALSE, FALSE, sizeof(File));
    g_autoptr(GDir) dir = g_dir_open(history->dir, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        File file = {0};
        g_autofree char *path = NULL;
        struct stat info;
        char *end;

        file.number = g_ascii_strtoull(name, &end, 10);
        if (file.number == 0 || strcmp(end, ".lph") != 0)
            continue;
        path = g_build_filename(history->dir, name, NULL);
        if (stat(path, &info) == 0)
            file.bytes = (uint64_t) info.st_size;
        g_array_append_val(files, file);
    }
    g_array_sort(files, oldest_first);
    return files;
}

static void
set_error(LpHistory *history, const char *what)
{
    g_autofree char *text = what ? g_strdup_printf("%s: %s", what, g_strerror(errno)) : NULL;
    bool news;

    g_mutex_lock(&history->lock);
    news = text && !*history->error;
    g_strlcpy(history->error, text ? text : "", sizeof history->error);
    history->broken = text != NULL;
    g_mutex_unlock(&history->lock);
    if (news)
        g_warning("the policy's history cannot be written (%s); decisions go on without it", text);
}

static void
set_bytes(LpHistory *history, uint64_t bytes)
{
    g_mutex_lock(&history->lock);
    history->bytes = bytes;
    g_mutex_unlock(&history->lock);
}

/* Deletes the oldest until there is room for one more file. */
static uint64_t
prune(LpHistory *history)
{
    g_autoptr(GArray) files = list_files(history);
    uint64_t room = history->limit_bytes / LP_HISTORY_FILES_LEAST, sum = 0;

    for (guint i = 0; i < files->len; i++) {
        sum += g_array_index(files, File, i).bytes;
        history->number = MAX(history->number, g_array_index(files, File, i).number);
    }
    for (guint i = 0; i < files->len && (sum > history->limit_bytes - room
                                         || files->len - i >= LP_HISTORY_FILES_MOST); i++) {
        const File *file = &g_array_index(files, File, i);
        g_autofree char *path = path_of(history, file->number);

        if (g_unlink(path) == 0)
            sum -= file->bytes;
    }
    return sum;
}

static void
close_file(LpHistory *history)
{
    if (history->fd < 0)
        return;
    /* What is lost in a crash of the host is the end of the history, and a reader knows. */
    (void) fdatasync(history->fd);
    close(history->fd);
    history->fd = -1;
}

static void
begin_file(LpHistory *history)
{
    g_autofree char *path = NULL;

    close_file(history);
    if (g_mkdir_with_parents(history->dir, 0700) != 0) {
        set_error(history, history->dir);
        return;
    }
    set_bytes(history, prune(history));
    path = path_of(history, ++history->number);
    history->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    set_error(history, history->fd < 0 ? path : NULL);
}

static void
write_record(LpHistory *history, const Record *record)
{
    size_t done = 0;

    if (record->snapshot)
        begin_file(history);
    while (history->fd >= 0 && done < record->length) {
        ssize_t n = write(history->fd, record->bytes + done, record->length - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            /* Cut in the middle of a record: nothing may follow. */
            set_error(history, "write");
            close_file(history);
            break;
        }
        done += (size_t) n;
    }
    g_mutex_lock(&history->lock);
    history->bytes += done;
    history->dropped += done < record->length;
    history->waiting -= record->length;
    g_mutex_unlock(&history->lock);
}

static gpointer
run(gpointer data)
{
    LpHistory *history = data;

    for (;;) {
        Record *record = g_async_queue_pop(history->queue);
        bool last = record->last;

        if (!last)
            write_record(history, record);
        g_free(record);
        if (last)
            break;
    }
    close_file(history);
    return NULL;
}

/* ---- the main loop ---- */

LpHistory *
lp_history_new(const char *dir, uint64_t limit_bytes)
{
    LpHistory *history = g_new0(LpHistory, 1);

    history->dir = g_strdup(dir);
    history->limit_bytes = limit_bytes;
    history->fd = -1;
    history->queue = g_async_queue_new_full(g_free);
    g_mutex_init(&history->lock);
    return history;
}

void
lp_history_free(LpHistory *history)
{
    if (!history)
        return;
    if (history->thread) {
        Record *last = g_malloc0(sizeof *last);

        last->last = true;
        g_async_queue_push(history->queue, last);
        g_thread_join(history->thread);
    }
    g_async_queue_unref(history->queue);
    g_mutex_clear(&history->lock);
    g_free(history->dir);
    g_free(history);
}

const char *
lp_history_dir(const LpHistory *history)
{
    return history->dir;
}

bool
lp_history_wants_snapshot(const LpHistory *history, int64_t now_usec)
{
    return history->begun_usec == 0 || now_usec < history->begun_usec
           || now_usec - history->begun_usec >= LP_HISTORY_FILE_SEC * G_USEC_PER_SEC
           || history->file_bytes >= history->limit_bytes / LP_HISTORY_FILES_LEAST;
}

void
lp_history_write(LpHistory *history, const void *bytes, size_t length, bool snapshot,
                 int64_t now_usec)
{
    Record *record;
    bool broken, full;

    g_mutex_lock(&history->lock);
    /* Tried anew with the next file, not each second. */
    broken = history->broken && !snapshot;
    full = g_async_queue_length(history->queue) >= WAITING_MAX
           || (history->waiting > 0 && history->waiting + length > LP_HISTORY_WAITING_BYTES);
    if (broken || full)
        history->dropped++;
    else
        history->waiting += length;
    g_mutex_unlock(&history->lock);
    if (broken)
        return;
    if (full) {
        history->begun_usec = 0;
        return;
    }
    if (snapshot) {
        history->begun_usec = now_usec;
        history->file_bytes = 0;
    }
    history->file_bytes += length;
    record = g_malloc(sizeof *record + length);
    *record = (Record){.length = length, .snapshot = snapshot};
    memcpy(record->bytes, bytes, length);
    if (!history->thread)
        history->thread = g_thread_new("policy-history", run, history);
    g_async_queue_push(history->queue, record);
}

void
lp_history_figures(LpHistory *history, uint64_t *ret_bytes, uint64_t *ret_dropped, char *text,
                   size_t size)
{
    g_mutex_lock(&history->lock);
    *ret_bytes = history->bytes;
    *ret_dropped = history->dropped;
    g_strlcpy(text, history->error, size);
    g_mutex_unlock(&history->lock);
}
