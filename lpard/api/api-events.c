/* The events as a stream that a client may follow and resume. */
#include <string.h>

#include "lpard/api/api-private.h"

/* How far a client may fall behind before it is cut off. */
#define BEHIND_MAX_EVENTS 256
#define BEHIND_MAX_BYTES (1024 * 1024)
/* Often enough for proxies and for noticing a dead client. */
#define HEARTBEAT_SEC 15
/* Each holds a connection; monitors and terminals of one host stay far below. */
#define STREAMS_MAX 64
/* Of one user or certificate. */
#define STREAMS_PEER_MAX 32

typedef struct {
    LpCall *call;
    LpPeerUse *use;               /* kept while it counts a stream; NULL: none */
    char *partition;              /* only of this one (a name or UUID); NULL: of all */
    GQueue behind;                /* of char*: frames not yet given to the connection */
    size_t behind_bytes;
    bool in_flight;               /* a chunk is with the connection */
    bool lost;                    /* the client was too slow: the end is near */
    unsigned silent_beats;        /* heartbeats since the chunk in flight was given */
    guint listener, heartbeat;
    GSource *hangup;
    gulong wrote_id, finished_id;
} Stream;

static void
free_stream(Stream *stream)
{
    SoupServerMessage *message = stream->call->message;

    g_signal_handler_disconnect(message, stream->wrote_id);
    g_signal_handler_disconnect(message, stream->finished_id);
    g_source_remove(stream->heartbeat);
    if (stream->hangup) {
        g_source_destroy(stream->hangup);
        g_source_unref(stream->hangup);
    }
    if (stream->listener)
        lp_events_unlisten(stream->call->api->events, stream->listener);
    g_queue_clear_full(&stream->behind, g_free);
    if (stream->use)
        stream->use->n_streams--;
    g_free(stream->partition);
    lp_call_unref(stream->call);
    g_free(stream);
}

static void
end_stream(Stream *stream)
{
    g_ptr_array_remove(stream->call->api->streams, stream);
    free_stream(stream);
}

/* One frame at a time, so that what the client has not read is counted here and not hidden in
 * the library's buffer. */
static void
pump(Stream *stream)
{
    SoupMessageBody *body = soup_server_message_get_response_body(stream->call->message);
    char *frame;
    size_t length;

    if (stream->in_flight)
        return;
    frame = g_queue_pop_head(&stream->behind);
    if (frame) {
        length = strlen(frame);
        stream->behind_bytes -= length;
        stream->in_flight = true;
        stream->silent_beats = 0;
        soup_message_body_append_take(body, (guchar *)frame, length);
    } else if (stream->lost) {
        soup_message_body_complete(body);
    } else {
        return;
    }
    soup_server_message_unpause(stream->call->message);
}

static void
fall_off(Stream *stream)
{
    static const char last[] = "event: lost\ndata: {}\n\n";

    g_queue_clear_full(&stream->behind, g_free);
    g_queue_init(&stream->behind);
    g_queue_push_tail(&stream->behind, g_strdup(last));
    stream->behind_bytes = strlen(last);
    stream->lost = true;
}

/* Takes the frame. */
static void
push(Stream *stream, char *frame)
{
    size_t length = strlen(frame);

    if (stream->lost) {
        g_free(frame);
        return;
    }
    if (g_queue_get_length(&stream->behind) >= BEHIND_MAX_EVENTS ||
        stream->behind_bytes + length > BEHIND_MAX_BYTES) {
        g_free(frame);
        fall_off(stream);
    } else {
        g_queue_push_tail(&stream->behind, frame);
        stream->behind_bytes += length;
    }
}

static bool
concerns(const Stream *stream, const LpEventItem *item)
{
    static const char *const fields[] = {"partition", "to", "name", "uuid"};
    json_t *body;
    bool found = false;

    if (!stream->partition)
        return true;
    body = json_loads(item->text, 0, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        const char *text = json_string_value(json_object_get(body, fields[i]));

        found = found || g_strcmp0(text, stream->partition) == 0;
    }
    json_decref(body);
    return found;
}

static char *
frame_of(const LpEventItem *item)
{
    return g_strdup_printf("id: %" G_GUINT64_FORMAT "\nevent: %s\ndata: %s\n\n", item->number,
                           item->type, item->text);
}

static void
on_event(const LpEventItem *item, void *data)
{
    Stream *stream = data;

    if (!concerns(stream, item))
        return;
    push(stream, frame_of(item));
    pump(stream);
}

typedef struct {
    const Stream *stream;
    GString *text;
} Past;

static void
on_past_event(const LpEventItem *item, void *data)
{
    Past *past = data;
    g_autofree char *frame = NULL;

    if (!concerns(past->stream, item))
        return;
    frame = frame_of(item);
    g_string_append(past->text, frame);
}

static void
on_wrote_chunk(SoupServerMessage *message, Stream *stream)
{
    (void)message;
    stream->in_flight = false;
    pump(stream);
}

static void
on_finished(SoupServerMessage *message, Stream *stream)
{
    (void)message;
    end_stream(stream);
}

static gboolean
on_heartbeat(void *data)
{
    Stream *stream = data;

    if (!stream->in_flight) {
        push(stream, g_strdup(": \n\n"));
        pump(stream);
    } else if (stream->lost && ++stream->silent_beats >= 2) {
        /* It does not even read that it lost: nothing more can be told to it. */
        g_socket_shutdown(stream->call->caller->socket, TRUE, TRUE, NULL);
    }
    return G_SOURCE_CONTINUE;
}

/* The client has gone: a write is what makes the library notice. */
static gboolean
on_hangup(GSocket *socket, GIOCondition condition, void *data)
{
    Stream *stream = data;

    (void)socket, (void)condition;
    g_clear_pointer(&stream->hangup, g_source_unref);
    push(stream, g_strdup(": \n\n"));
    pump(stream);
    return G_SOURCE_REMOVE;
}

static void
watch_hangup(Stream *stream)
{
    GSocket *socket = stream->call->caller->socket;

    if (g_socket_is_closed(socket))
        return;
    stream->hangup = g_socket_create_source(socket, G_IO_HUP | G_IO_ERR, NULL);
    g_source_set_callback(stream->hangup, G_SOURCE_FUNC(on_hangup), stream, NULL);
    g_source_attach(stream->hangup, g_main_context_get_thread_default());
}

static Stream *
begin(LpCall *call)
{
    SoupServerMessage *message = call->message;
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
    Stream *stream = g_new0(Stream, 1);

    soup_server_message_set_status(message, SOUP_STATUS_OK, NULL);
    soup_message_headers_set_encoding(headers, SOUP_ENCODING_CHUNKED);
    soup_message_headers_set_content_type(headers, "text/event-stream", NULL);
    soup_message_headers_replace(headers, "Cache-Control", "no-store");
    /* When the stream ends there is nothing more to say on this connection. */
    soup_message_headers_replace(headers, "Connection", "close");
    soup_message_body_set_accumulate(soup_server_message_get_response_body(message), FALSE);

    stream->call = lp_call_later(call);
    stream->use = call->caller->use;
    if (stream->use)
        stream->use->n_streams++;
    call->answered = true;
    g_queue_init(&stream->behind);
    stream->wrote_id = g_signal_connect(message, "wrote-chunk", G_CALLBACK(on_wrote_chunk),
                                        stream);
    stream->finished_id = g_signal_connect(message, "finished", G_CALLBACK(on_finished), stream);
    stream->heartbeat = g_timeout_add_seconds(HEARTBEAT_SEC, on_heartbeat, stream);
    watch_hangup(stream);
    g_ptr_array_add(call->api->streams, stream);
    return stream;
}

/* What happened since, as one frame: the ring is longer than a client may be behind, and a
 * client that comes back is not slow for that.  Where some is missing it is told first. */
static void
replay(Stream *stream, uint64_t since)
{
    Past past = {.stream = stream, .text = g_string_new(NULL)};

    if (!lp_events_since(stream->call->api->events, since, on_past_event, &past))
        g_string_prepend(past.text, "event: lost\ndata: {}\n\n");
    g_string_append(past.text, ": \n\n");
    stream->behind_bytes += past.text->len;
    g_queue_push_tail(&stream->behind, g_string_free(past.text, FALSE));
}

void
lp_api_get_events(LpCall *call)
{
    LpApi *api = call->api;
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(call->message);
    const char *last = soup_message_headers_get_one(headers, "Last-Event-ID");
    const LpPeerUse *use = call->caller->use;
    guint64 since = 0;
    Stream *stream;

    if (last && !g_ascii_string_to_unsigned(last, 10, 0, G_MAXUINT64, &since, NULL)) {
        lp_call_problem(call, SOUP_STATUS_BAD_REQUEST, "usage",
                        "the header Last-Event-ID must be the number of an event");
        return;
    }
    if (api->streams->len >= STREAMS_MAX || (use && use->n_streams >= STREAMS_PEER_MAX)) {
        lp_call_problem(call, SOUP_STATUS_SERVICE_UNAVAILABLE, "busy",
                        "too many clients follow the events already: end one of them");
        return;
    }
    stream = begin(call);
    stream->partition = g_strdup(lp_call_query(call, "partition"));
    if (last)
        replay(stream, since);
    else
        push(stream, g_strdup(": \n\n"));
    stream->listener = lp_events_listen(api->events, on_event, stream);
    pump(stream);
}

void
lp_api_end_streams(LpApi *api)
{
    while (api->streams->len > 0)
        free_stream(g_ptr_array_remove_index(api->streams, api->streams->len - 1));
}
