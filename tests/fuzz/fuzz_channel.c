/* The host's end of the agent link, against a guest that does anything.
 *
 * The input is what the guest sends; 0xfe makes the byte after it an act: the guest closes,
 * reads, floods, or time passes, or the owner speaks or lets go.  See act().  The clock and the
 * timers are the target's, so that minutes cost nothing. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lpard/registry/channel.h"

#define LP_ACT 0xfe
/* What a channel promises (channel.c). */
#define LP_QUEUE_BYTES (256 * 1024)
#define LP_RATE_BURST 400
#define LP_RATE_EACH_USEC 5000
#define LP_BAD_BURST 20
#define LP_BAD_EACH_USEC (3 * G_USEC_PER_SEC)
#define LP_PAUSE_MIN_MSEC 100
/* More than any kernel keeps of a local socket by default. */
#define LP_SOCKET_BYTES (1024 * 1024)
/* Turns of the loop at one moment: each takes 16 frames of at most a socket full, or ends. */
#define LP_TURNS_MAX 100000

/* --- the clock --- */

guint __wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data);
gint64 __wrap_g_get_monotonic_time(void);

typedef struct {
    GSource *source;
    gint64 due_usec;
} Pause;

static gint64 clock_usec;
static GArray *waiting;               /* of Pause */

gint64
__wrap_g_get_monotonic_time(void)
{
    return clock_usec;
}

static gboolean
on_pause(GSource *source, GSourceFunc func, gpointer data)
{
    (void)source;
    return func(data);
}

guint
__wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data)
{
    static GSourceFuncs funcs = { .dispatch = on_pause };
    Pause pause = { g_source_new(&funcs, sizeof(GSource)), clock_usec + (gint64)msec * 1000 };

    g_source_set_callback(pause.source, func, data, NULL);
    g_array_append_val(waiting, pause);
    return g_source_attach(pause.source, NULL);
}

static void
settle(void)
{
    for (int i = 0; g_main_context_iteration(NULL, FALSE); i++) {
        LP_MUST(i < LP_TURNS_MAX);
    }
}

/* To the next pause's end; false: nothing waits. */
static bool
pass(void)
{
    int next = -1;

    settle();
    for (guint i = 0; i < waiting->len;) {
        Pause *one = &g_array_index(waiting, Pause, i);

        if (g_source_is_destroyed(one->source)) {
            g_source_unref(one->source);
            g_array_remove_index_fast(waiting, i);
            continue;
        }
        if (next < 0 || one->due_usec < g_array_index(waiting, Pause, next).due_usec) {
            next = (int)i;
        }
        i++;
    }
    if (next < 0) {
        return false;
    }
    clock_usec = MAX(clock_usec, g_array_index(waiting, Pause, next).due_usec);
    g_source_set_ready_time(g_array_index(waiting, Pause, next).source, 0);
    settle();
    return true;
}

/* --- the guest --- */

G_DEFINE_QUARK(lp-driver-error-quark, lp_driver_error)

static int guest_fd = -1;
static bool linked;                   /* from open_channel to lost */
static guint refusals;
static gint64 began_usec, linked_usec, opened_usec;
static uint64_t n_events, n_bad;      /* since `began`, and of this link */
static uint64_t n_lost;
static int64_t unread_bytes;          /* taken for the guest, and not read by it */
static LpWireReader ear;

static int
fake_open_channel(const char *uri, const LpView *view, GError **error)
{
    int fds[2];

    (void)uri;
    (void)view;
    LP_MUST(!linked);
    /* Never in a circle, however often the guest goes. */
    LP_MUST(clock_usec - opened_usec >= LP_PAUSE_MIN_MSEC * 1000);
    opened_usec = clock_usec;
    if (refusals > 0) {
        refusals--;
        g_set_error(error, LP_DRIVER_ERROR,
                    refusals & 1 ? LP_DRIVER_ERROR_UNSUPPORTED : LP_DRIVER_ERROR_FAILED, "not now");
        return -1;
    }
    LP_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    if (guest_fd >= 0) {
        close(guest_fd);
    }
    guest_fd = fds[1];
    linked = true;
    linked_usec = clock_usec;
    n_bad = 0;
    unread_bytes = 0;
    lp_wire_reader_init(&ear);
    return fds[0];
}

static const LpDriver fake = { .name = "fake", .open_channel = fake_open_channel };

static void
say(const void *bytes, size_t length)
{
    if (guest_fd >= 0 && send(guest_fd, bytes, length, MSG_NOSIGNAL) < 0) {
        LP_MUST(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
    }
}

/* A peer may trust what the host sends: whole frames, all its own. */
static void
hear_lines(void)
{
    LpWireVerdict verdict = LP_WIRE_OK;
    LpWireMessage message;
    const char *line;
    size_t length;

    while ((line = lp_wire_reader_next(&ear, &length, &verdict)) != NULL) {
        LP_MUST(lp_wire_decode(line, length, &message, NULL) == LP_WIRE_OK);
        LP_MUST(!lp_wire_guest_says(message.kind));
    }
    LP_MUST(verdict == LP_WIRE_OK);
}

static void
hear(void)
{
    while (guest_fd >= 0) {
        size_t size = 0;
        char *space = lp_wire_reader_space(&ear, &size);
        ssize_t n = recv(guest_fd, space, size, 0);

        if (n <= 0) {
            return;
        }
        unread_bytes -= n;
        lp_wire_reader_filled(&ear, (size_t)n);
        hear_lines();
        settle();
    }
}

static void
hang_up(void)
{
    if (guest_fd >= 0) {
        close(guest_fd);
        guest_fd = -1;
    }
}

/* --- the owner --- */

static LpChannel *channel;
static LpView *view;
static enum {
    KEEP,
    FREE_ON_MESSAGE,
    FREE_ON_NONSENSE,
    FREE_ON_LOST,
    SEND_ON_MESSAGE,
    HABITS
} habit;

/* The largest WANT has each second vCPU. */
static bool
send_want(bool large)
{
    static char frame[LP_WIRE_FRAME_MAX];
    LpWireMessage want = { .kind = LP_WIRE_WANT, .want = { .id = 1, .has_cpus = true } };
    bool was_linked = channel != NULL && lp_channel_connected(channel), sent;
    size_t length = 0;

    memset(&want.want.cpus, large ? 0x55 : 0, sizeof(want.want.cpus));
    sent = channel != NULL && lp_channel_send(channel, &want);
    LP_MUST(!sent || was_linked);
    if (sent) {
        LP_MUST(lp_wire_encode(&want, frame, sizeof(frame), &length) == LP_WIRE_OK);
        unread_bytes += (int64_t)length;
        /* What the channel says by itself is not counted here, and makes it only less. */
        LP_MUST(unread_bytes <= LP_QUEUE_BYTES + LP_SOCKET_BYTES);
    }
    return sent;
}

static void
let_go(void)
{
    lp_channel_free(g_steal_pointer(&channel));
    linked = false;
}

static void
count_event(void)
{
    LP_MUST(channel != NULL && linked);
    n_events++;
    LP_MUST(n_events <= LP_RATE_BURST + 1 +
                            (uint64_t)(clock_usec - began_usec) / LP_RATE_EACH_USEC);
}

static void
on_message(const LpWireMessage *message, void *data)
{
    LP_MUST(data == &channel);
    count_event();
    LP_MUST(lp_channel_connected(channel));
    LP_MUST(lp_wire_guest_says(message->kind));
    if (habit == FREE_ON_MESSAGE) {
        let_go();
    } else if (habit == SEND_ON_MESSAGE) {
        send_want(false);
    }
}

static void
on_nonsense(LpWireVerdict verdict, const char *field, void *data)
{
    LP_MUST(data == &channel);
    count_event();
    LP_MUST(verdict != LP_WIRE_OK && verdict != LP_WIRE_NO_ROOM);
    LP_MUST(field == NULL || field[0] != '\0');
    if (verdict != LP_WIRE_UNKNOWN_TYPE && verdict != LP_WIRE_VERSION_DIFFERS) {
        n_bad++;
        LP_MUST(n_bad <= LP_BAD_BURST + 1 +
                             (uint64_t)((clock_usec - linked_usec) / LP_BAD_EACH_USEC));
    }
    if (habit == FREE_ON_NONSENSE) {
        let_go();
    }
}

static void
on_lost(const char *why, void *data)
{
    LP_MUST(data == &channel && channel != NULL && linked);
    LP_MUST(!lp_channel_connected(channel));
    n_lost++;
    LP_MUST(why != NULL && why[0] != '\0');
    linked = false;
    if (habit == FREE_ON_LOST) {
        let_go();
    }
}

static void
start(void)
{
    static const LpChannelEvents events = {
        .message = on_message, .nonsense = on_nonsense, .lost = on_lost,
    };

    hang_up();
    n_events = 0;
    began_usec = clock_usec;
    opened_usec = clock_usec - G_USEC_PER_SEC;
    channel = lp_channel_new(&fake, "fake:///", view, &events, &channel);
}

/* --- the input --- */

static const char hello[] = "\n{\"t\":\"hello\",\"version\":1,\"agent\":\"1\",\"kernel\":\"6\","
    "\"boot_id\":\"a\",\"caps\":[]}\n";
static const char reply[] = "{\"t\":\"reply\",\"id\":1,\"ok\":true,\"failed\":\"\","
    "\"error\":\"\"}\n";

static bool
fill_socket(void)
{
    bool some = false;

    while (guest_fd >= 0 && send(guest_fd, reply, sizeof(reply) - 1, MSG_NOSIGNAL) > 0) {
        some = true;
    }
    settle();
    return some;
}

/* A guest that keeps its socket full for half a minute and more loses its link. */
static void
flood(void)
{
    gint64 until = clock_usec + 45 * G_USEC_PER_SEC;
    uint64_t lost_before = n_lost;

    while (n_lost == lost_before && clock_usec < until) {
        while (n_lost == lost_before && fill_socket()) {
        }
        LP_MUST(pass());
        hear();
    }
    LP_MUST(n_lost > lost_before);
}

static void
act(uint8_t what, uint8_t how_much)
{
    static char run[4096];

    switch (what) {
    case 'p':                         /* some pauses end */
        for (int i = 0; i <= how_much % 8 && pass(); i++) {
        }
        break;
    case 't':                         /* time passes while nobody looks */
        clock_usec += (gint64)how_much * how_much * 1000;
        break;
    case 'c':
        hang_up();
        break;
    case 'r':
        hear();
        break;
    case 'h':
        say(hello, sizeof(hello) - 1);
        break;
    case 'a':
        for (int i = 0; i <= how_much % 64; i++) {
            say(reply, sizeof(reply) - 1);
        }
        break;
    case 'x':                         /* a long line */
        memset(run, 'x', sizeof(run));
        for (int i = 0; i <= how_much % 20; i++) {
            say(run, sizeof(run));
        }
        break;
    case 's':
        /* The most: until the guest, which does not read, is given up. */
        for (int i = 0; how_much == 255 || i <= how_much % 32; i++) {
            if (!send_want(how_much == 255)) {
                break;
            }
        }
        break;
    case 'o':
        habit = how_much % HABITS;
        break;
    case 'e':
        refusals = how_much % 8;
        break;
    case 'n':                         /* the owner comes again */
        let_go();
        settle();
        start();
        break;
    default:
        break;
    }
    if (what != 't' && what != 'o') {
        settle();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool flooded = false;
    size_t at = 0;

    clock_usec = 1000 * G_USEC_PER_SEC;
    waiting = g_array_new(FALSE, FALSE, sizeof(Pause));
    view = lp_view_new();
    view->name = strdup("web1");
    view->uuid = strdup("u");
    habit = KEEP;
    refusals = 0;
    start();
    while (at < size) {
        const uint8_t *mark = memchr(data + at, LP_ACT, size - at);
        size_t length = mark != NULL ? (size_t)(mark - data) - at : size - at;

        if (length > 0) {
            say(data + at, length);
        }
        at += length;
        if (mark != NULL && at + 2 < size && data[at + 1] == 'F' && data[at + 2] == 'F') {
            /* Dear, so once, and in small inputs only. */
            if (!flooded && size <= 16 && channel != NULL && linked && habit == KEEP) {
                flood();
            }
            flooded = true;
            at += 3;
        } else if (mark != NULL) {
            act(at + 1 < size ? data[at + 1] : 0, at + 2 < size ? data[at + 2] : 0);
            at += 3;
        }
        if (channel == NULL) {
            start();
        }
    }
    settle();
    pass();
    let_go();
    /* Nothing of it is left, and nothing of it speaks. */
    LP_MUST(!pass());
    hang_up();
    LP_MUST(waiting->len == 0);
    g_array_unref(waiting);
    lp_view_free(view);
    return 0;
}
