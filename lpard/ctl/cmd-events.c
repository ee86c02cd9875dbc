/* lparctl events: what happened, and with -f what happens. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lpard/ctl/sse.h"
#include "lpard/ctl/text.h"
#include "lpard/ctl/verbs.h"

#define CHUNK_BYTES (16 * 1024)
/* lpard ends what it has kept with a heartbeat; one that does not is cut off by its silence. */
#define KEPT_PAUSE_MSEC 300

typedef struct {
    LpCtl *ctl;
    bool follow;
    bool lost;                    /* lpard dropped us: ask again from the last number */
    bool kept_read;
    bool finished;
    bool too_long;
    GString *last;
    char buffer[CHUNK_BYTES];
    LpCtlSse *sse;
    GInputStream *stream;
    GCancellable *stop;
    GError *error;
    guint pause;
} Listening;

/* The few fields that tell most, whatever the type. */
static char *
event_text(const LpCtlSseEvent *event)
{
    static const char *const fields[] = { "partition", "name", "kind", "run", "state", "connected",
                                          "what", "phase", "paused", "text", "message" };
    GString *text = g_string_new(NULL);
    json_t *json = json_loads(event->data, 0, NULL);
    gint64 id = lp_ctl_json_int(json, "id", 0);
    g_autofree char *clean = NULL;

    g_string_append_printf(text, "%s %s:", event->id, event->type);
    if (id > 0)
        g_string_append_printf(text, " %" G_GINT64_FORMAT, id);
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        const json_t *value = json_object_get(json, fields[i]);

        if (json_is_string(value))
            g_string_append_printf(text, " %s", json_string_value(value));
        else if (json_is_boolean(value))
            g_string_append_printf(text, " %s%s", json_is_true(value) ? "" : "not ", fields[i]);
    }
    if (lp_ctl_json_int(json, "total_bytes", 0) > 0) {
        g_autofree char *moved = lp_ctl_text_measured(json, "moved_bytes");
        g_autofree char *total = lp_ctl_text_measured(json, "total_bytes");

        g_string_append_printf(text, ", %s of %s", moved, total);
    }
    json_decref(json);
    clean = lp_ctl_text_clean(text->str);
    g_string_free(text, TRUE);
    return g_steal_pointer(&clean);
}

static void
on_event(const LpCtlSseEvent *event, void *data)
{
    Listening *listening = data;

    if (event->data == NULL) {
        listening->kept_read = true;
        return;
    }
    if (strcmp(event->type, "lost") == 0) {
        listening->lost = true;
        /* That the oldest are not kept is no news to who asked for what is kept. */
        if (listening->follow)
            fputs("lparctl: some events were lost\n", stderr);
        return;
    }
    g_string_assign(listening->last, event->id);
    if (lp_ctl_is_json(listening->ctl)) {
        puts(event->data);
    } else {
        g_autofree char *text = event_text(event);

        puts(text);
    }
}

static void read_more(Listening *listening);

static void
on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    Listening *listening = data;
    gssize n = g_input_stream_read_finish(G_INPUT_STREAM(source), result, &listening->error);

    if (listening->pause != 0)
        g_source_remove(listening->pause);
    listening->pause = 0;
    if (n > 0 && !lp_ctl_sse_feed(listening->sse, listening->buffer, (gsize)n))
        listening->too_long = true;
    fflush(stdout);
    /* Nobody reads any more: `lparctl events -f | head`. */
    if (n <= 0 || listening->too_long || ferror(stdout) ||
        (listening->kept_read && !listening->follow))
        listening->finished = true;
    else
        read_more(listening);
}

static gboolean
on_pause(gpointer data)
{
    Listening *listening = data;

    listening->pause = 0;
    listening->kept_read = true;
    g_cancellable_cancel(listening->stop);
    return G_SOURCE_REMOVE;
}

static void
read_more(Listening *listening)
{
    if (!listening->follow)
        listening->pause = g_timeout_add(KEPT_PAUSE_MSEC, on_pause, listening);
    g_input_stream_read_async(listening->stream, listening->buffer, CHUNK_BYTES,
                              G_PRIORITY_DEFAULT, listening->stop, on_read, listening);
}

/* One connection, to its end.  False with *error. */
static bool
listen_once(Listening *listening, const char *path, GError **error)
{
    const char *from = listening->last->len ? listening->last->str : NULL;

    if (from == NULL && !listening->follow)
        from = "0";
    listening->lost = listening->finished = false;
    listening->stream = lp_ctl_client_stream(listening->ctl->client, path, from, error);
    if (listening->stream == NULL)
        return false;
    listening->sse = lp_ctl_sse_new(on_event, listening);
    read_more(listening);
    while (!listening->finished)
        g_main_context_iteration(NULL, TRUE);
    g_clear_pointer(&listening->sse, lp_ctl_sse_free);
    g_clear_object(&listening->stream);
    return true;
}

static bool
explain_end(Listening *listening, GError **error)
{
    if (listening->too_long) {
        lp_ctl_error(error, LP_CTL_EXIT_ERROR, "an event is longer than %u bytes: is it lpard's "
                     "socket?", LP_CTL_SSE_MAX);
    } else if (listening->error != NULL && !listening->kept_read) {
        lp_ctl_client_explain(listening->ctl->client, "GET", listening->error, error);
    } else if (listening->follow && !ferror(stdout)) {
        lp_ctl_error(error, LP_CTL_EXIT_UNREACHABLE,
                     "lpard closed the stream of events: it has stopped, or see its log");
    } else {
        return true;
    }
    return false;
}

int
lp_ctl_cmd_events(LpCtl *ctl, GError **error)
{
    g_autofree Listening *listening = g_new0(Listening, 1);
    const char *partition = lp_ctl_value(ctl, LP_CTL_OPT_PARTITION);
    g_autofree char *escaped = partition ? g_uri_escape_string(partition, NULL, FALSE) : NULL;
    g_autofree char *path = g_strconcat("/v1/events", partition ? "?partition=" : NULL, escaped,
                                        NULL);
    bool ok;

    listening->ctl = ctl;
    listening->follow = lp_ctl_has(ctl, LP_CTL_OPT_FOLLOW);
    listening->last = g_string_new(NULL);
    listening->stop = g_cancellable_new();
    do {
        ok = listen_once(listening, path, error);
    } while (ok && listening->lost && listening->follow && listening->last->len > 0 &&
             listening->error == NULL);
    if (ok)
        ok = explain_end(listening, error);
    g_clear_error(&listening->error);
    g_string_free(listening->last, TRUE);
    g_object_unref(listening->stop);
    return ok ? LP_CTL_EXIT_DONE : -1;
}
