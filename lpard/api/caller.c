/* One connection: its state, its deadline, and its end. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lpard/api/api-private.h"
#include "lpard/api/door-priv.h"

#define CALLER "lp-caller"
/* Each takes a descriptor for as long as it takes to be told. */
#define LEAVING_MAX 64

LpCaller *
lp_caller_new(LpDoor *door, GSocket *socket)
{
    LpCaller *caller = g_new0(LpCaller, 1);

    *caller = (LpCaller){
        .refs = 1, .door = door, .socket = g_object_ref(socket),
        .stream = G_IO_STREAM(g_socket_connection_factory_create_connection(socket)),
        .cancellable = g_cancellable_new(), .who = g_strdup("nobody known"),
    };
    lp_caller_now(caller, LP_CALLER_HEAD);
    return caller;
}

LpCaller *
lp_caller_ref(LpCaller *caller)
{
    caller->refs++;
    return caller;
}

void
lp_caller_unref(LpCaller *caller)
{
    if (--caller->refs > 0)
        return;
    g_clear_object(&caller->socket);
    g_clear_object(&caller->stream);
    g_clear_object(&caller->cancellable);
    g_free(caller->who);
    g_free(caller);
}

void
lp_caller_unref_it(void *data)
{
    lp_caller_unref(data);
}

static void
unwatch_end(LpCaller *caller)
{
    if (caller->end_watch)
        g_source_destroy(caller->end_watch);
    g_clear_pointer(&caller->end_watch, g_source_unref);
}

static gboolean
on_end(GSocket *socket, GIOCondition condition, void *data)
{
    LpCaller *caller = data;
    char byte;

    (void)condition;
    g_clear_pointer(&caller->end_watch, g_source_unref);
    if ((caller->state == LP_CALLER_HEAD || caller->state == LP_CALLER_IDLE) &&
        recv(g_socket_get_fd(socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        lp_caller_close(caller);
    return G_SOURCE_REMOVE;
}

/* libsoup reads the end of a connection on which nothing is asked, and then forgets it without
 * closing it. */
static void
watch_end(LpCaller *caller)
{
    if (caller->end_watch || !caller->door)
        return;
    caller->end_watch = g_socket_create_source(caller->socket, G_IO_IN | G_IO_HUP, NULL);
    /* After libsoup has had its turn. */
    g_source_set_priority(caller->end_watch, G_PRIORITY_DEFAULT_IDLE);
    g_source_set_callback(caller->end_watch, G_SOURCE_FUNC(on_end), lp_caller_ref(caller),
                          lp_caller_unref_it);
    g_source_attach(caller->end_watch, NULL);
}

void
lp_caller_now(LpCaller *caller, LpCallerState state)
{
    static const int seconds[] = {
        [LP_CALLER_SHAKING] = LP_DOOR_HANDSHAKE_SEC, [LP_CALLER_HEAD] = LP_DOOR_HEAD_SEC,
        [LP_CALLER_BODY] = LP_DOOR_BODY_SEC,         [LP_CALLER_SERVED] = 0,
        [LP_CALLER_SENDING] = LP_DOOR_SEND_SEC,      [LP_CALLER_IDLE] = LP_DOOR_IDLE_SEC,
        [LP_CALLER_LEAVING] = LP_DOOR_LEAVE_SEC,
    };

    if (caller->state == LP_CALLER_LEAVING)
        return;
    caller->state = state;
    caller->deadline_usec = seconds[state] ? g_get_monotonic_time() +
                                             seconds[state] * G_USEC_PER_SEC
                                           : INT64_MAX;
    if (state == LP_CALLER_HEAD || state == LP_CALLER_IDLE)
        watch_end(caller);
}

void
lp_caller_close(LpCaller *caller)
{
    g_cancellable_cancel(caller->cancellable);
    g_socket_close(caller->socket, NULL);
}

/* What it still sends is read and forgotten: closing on it would take from it what it was told. */
static void
on_rest(GObject *source, GAsyncResult *result, void *data)
{
    LpCaller *caller = data;
    g_autoptr(GBytes) bytes = g_input_stream_read_bytes_finish(G_INPUT_STREAM(source), result,
                                                               NULL);

    if (bytes && g_bytes_get_size(bytes) > 0) {
        g_input_stream_read_bytes_async(G_INPUT_STREAM(source), 4096, G_PRIORITY_LOW,
                                        caller->cancellable, on_rest, caller);
        return;
    }
    g_socket_close(caller->socket, NULL);
    lp_caller_unref(caller);
}

void
lp_door_say(GIOStream *stream, unsigned status, const char *code, const char *detail)
{
    json_t *problem = lp_api_problem(status, code, detail);
    char *text = json_dumps(problem, JSON_PRESERVE_ORDER);
    g_autofree char *answer = g_strdup_printf(
        "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n%s", status, lp_api_phrase(status), strlen(text),
        text);

    g_output_stream_write_all(g_io_stream_get_output_stream(stream), answer, strlen(answer), NULL,
                              NULL, NULL);
    free(text);
    json_decref(problem);
}

/* Who has not read what it was told before has no room for more, and the loop waits for nobody. */
static bool
can_be_told(const LpCaller *caller)
{
    return g_socket_condition_check(caller->socket, G_IO_OUT) & G_IO_OUT;
}

static unsigned
count_leaving(const LpDoor *door)
{
    unsigned n = 0;

    for (guint i = 0; i < door->callers->len; i++) {
        const LpCaller *caller = g_ptr_array_index(door->callers, i);

        n += caller->state == LP_CALLER_LEAVING && !g_socket_is_closed(caller->socket);
    }
    return n;
}

void
lp_caller_turn_away(LpCaller *caller, unsigned status, const char *code, const char *detail)
{
    if (!caller->door || count_leaving(caller->door) >= LEAVING_MAX || !can_be_told(caller)) {
        lp_caller_close(caller);
        return;
    }
    lp_caller_now(caller, LP_CALLER_LEAVING);
    lp_door_say(caller->stream, status, code, detail);
    g_output_stream_close(g_io_stream_get_output_stream(caller->stream), NULL, NULL);
    g_socket_shutdown(caller->socket, FALSE, TRUE, NULL);
    g_input_stream_read_bytes_async(g_io_stream_get_input_stream(caller->stream), 4096,
                                    G_PRIORITY_LOW, caller->cancellable, on_rest,
                                    lp_caller_ref(caller));
}

void
lp_caller_refuse(LpCaller *caller, unsigned status, const char *code, const char *detail)
{
    LpDoor *door = caller->door;

    if (door->refused)
        door->refused(caller, status, code, detail, door->refused_data);
    lp_caller_turn_away(caller, status, code, detail);
}

void
lp_caller_cut(LpCaller *caller)
{
    static const char slow[] = "the request did not come to its end in time: send it at once";

    if (caller->cut || caller->state == LP_CALLER_SHAKING || caller->state == LP_CALLER_LEAVING) {
        lp_caller_close(caller);
        return;
    }
    if ((caller->state == LP_CALLER_HEAD || caller->state == LP_CALLER_BODY) &&
        can_be_told(caller))
        lp_door_say(caller->stream, SOUP_STATUS_REQUEST_TIMEOUT, "usage", slow);
    /* libsoup has it, and mostly sees its end. */
    g_socket_shutdown(caller->socket, TRUE, TRUE, NULL);
    caller->cut = true;
    caller->deadline_usec = g_get_monotonic_time() + LP_DOOR_LEAVE_SEC * G_USEC_PER_SEC;
}

void
lp_caller_hand_over(LpCaller *caller)
{
    g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    g_autoptr(GSocketAddress) here = g_inet_socket_address_new(loopback, 0);
    g_autoptr(GSocketAddress) there = g_inet_socket_address_new(loopback, 0);

    /* The address goes with each request of the connection: that is how its caller is found. */
    g_object_set_data_full(G_OBJECT(there), CALLER, lp_caller_ref(caller), lp_caller_unref_it);
    lp_caller_now(caller, LP_CALLER_HEAD);
    soup_server_accept_iostream(caller->door->server, caller->stream, here, there, NULL);
}

LpPeerUse *
lp_caller_use(LpCaller *caller)
{
    return caller->use ? caller->use : caller->door ? &caller->door->strangers : NULL;
}

LpCaller *
lp_door_caller(SoupServerMessage *message)
{
    GSocketAddress *there = soup_server_message_get_remote_address(message);

    return there ? g_object_get_data(G_OBJECT(there), CALLER) : NULL;
}

void
lp_caller_forget(LpCaller *caller)
{
    caller->use = NULL;
    caller->door = NULL;
    unwatch_end(caller);
    g_cancellable_cancel(caller->cancellable);
}
