/* The host's mode: as the configuration has it, or as an administrator set it, also before a
 * restart. */
#include <string.h>

#include <gio/gio.h>
#include <jansson.h>

#include "lpard/autoscale/autoscale-priv.h"

/* Of the file. */
#define STATE_VERSION 1

static const char *const leftovers_names[] = {"keep", "burst"};

/* The file, and which of the settings it has: the later one is not to be overwritten by an earlier
 * one whose thread came later. */
struct LpModeFile {
    char *path;
    GMutex lock;
    uint64_t written;             /* under the lock */
    uint64_t last;                /* the main loop's */
};

static void
file_clear(gpointer data)
{
    LpModeFile *file = data;

    g_free(file->path);
    g_mutex_clear(&file->lock);
}

LpModeFile *
lp_mode_file_new(const char *path)
{
    LpModeFile *file = g_atomic_rc_box_new0(LpModeFile);

    file->path = g_strdup(path);
    g_mutex_init(&file->lock);
    return file;
}

void
lp_mode_file_unref(LpModeFile *file)
{
    g_atomic_rc_box_release_full(file, file_clear);
}

LpMode
lp_scaler_mode(const LpScaler *scaler)
{
    return scaler->mode;
}

bool
lp_scaler_burst(const LpScaler *scaler)
{
    return scaler->burst;
}

/* What an administrator set by the API goes before the configuration, which set the rest. */
void
lp_scaler_load_mode(LpScaler *scaler)
{
    json_error_t why;
    json_t *json;
    const char *mode, *leftovers;
    bool good = false;

    if (!g_file_test(scaler->mode_file->path, G_FILE_TEST_EXISTS))
        return;
    json = json_load_file(scaler->mode_file->path, JSON_REJECT_DUPLICATES, &why);
    mode = json_string_value(json_object_get(json, "mode"));
    leftovers = json_string_value(json_object_get(json, "leftovers"));
    for (unsigned i = 0; mode && leftovers && i <= LP_MODE_AUTO; i++) {
        if (strcmp(mode, lp_mode_names[i]) != 0)
            continue;
        scaler->mode = (LpMode) i;
        scaler->burst = strcmp(leftovers, leftovers_names[1]) == 0;
        good = scaler->burst || strcmp(leftovers, leftovers_names[0]) == 0;
    }
    if (!good) {
        /* Of two ways to be wrong the one that changes nothing. */
        scaler->mode = LP_MODE_OFF;
        g_warning("%s cannot be read: the policy is off; `lparctl policy set --mode MODE` writes "
                  "it anew", scaler->mode_file->path);
    }
    json_decref(json);
}

typedef struct {
    LpModeFile *file;
    uint64_t number;
    char *text;
    LpScalerSetDone done;
    void *data;
} Saving;

static void
saving_free(gpointer data)
{
    Saving *saving = data;

    lp_mode_file_unref(saving->file);
    g_free(saving->text);
    g_free(saving);
}

static void
save(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    const Saving *saving = data;
    LpModeFile *file = saving->file;
    GError *error = NULL;
    bool saved;

    (void) source;
    (void) cancellable;
    g_mutex_lock(&file->lock);
    saved = saving->number <= file->written
            || g_file_set_contents_full(file->path, saving->text, -1,
                                        G_FILE_SET_CONTENTS_CONSISTENT
                                            | G_FILE_SET_CONTENTS_DURABLE, 0600, &error);
    if (saved)
        file->written = MAX(file->written, saving->number);
    g_mutex_unlock(&file->lock);
    if (saved)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
saved(GObject *source, GAsyncResult *result, gpointer data)
{
    const Saving *saving = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;

    (void) source;
    (void) data;
    (void) g_task_propagate_boolean(G_TASK(result), &error);
    /* Who throws the switch must know that it is thrown. */
    g_prefix_error(&error, "it holds from now on, but only until lpard ends: ");
    if (saving->done)
        saving->done(error, saving->data);
}

void
lp_scaler_set(LpScaler *scaler, LpMode mode, bool burst, LpScalerSetDone done, void *data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, saved, NULL);
    Saving *saving = g_new0(Saving, 1);
    g_autofree char *said = g_strdup_printf("mode %s, leftovers %s", lp_mode_names[mode],
                                            leftovers_names[burst]);

    if (mode != scaler->mode || burst != scaler->burst)
        lp_chronicle_say(scaler, NULL, "mode", said);
    scaler->mode = mode;
    scaler->burst = burst;
    /* What was decided in another mode is no answer any more to who asks. */
    scaler->decided &= mode != LP_MODE_OFF;
    saving->file = g_atomic_rc_box_acquire(scaler->mode_file);
    saving->number = ++scaler->mode_file->last;
    saving->text = g_strdup_printf("{\"version\": %d, \"mode\": \"%s\", \"leftovers\": \"%s\"}\n",
                                   STATE_VERSION, lp_mode_names[mode], leftovers_names[burst]);
    saving->done = done;
    saving->data = data;
    g_task_set_task_data(task, saving, saving_free);
    g_task_run_in_thread(task, save);
}
