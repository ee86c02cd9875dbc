/* The host's end of one guest's agent link.
 *
 * A guest can do three things to it: send too much (then its bytes stay in the socket until its
 * rate allows them), send nonsense (counted, then the link is dropped), and not read (the queue
 * fills, the link is dropped).  Whatever it does costs the loop one bounded turn at a time. */
#include "lpard/registry/channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hotplug/fds.h"
#include "lpard/registry/lookout.h"

/* Pauses between attempts to connect. */
#define LP_RETRY_MIN_MSEC 100
#define LP_RETRY_MAX_MSEC 10000
/* Without a channel in the domain only a changed driver state could help. */
#define LP_RETRY_UNSUPPORTED_MSEC 60000
/* A link that lived this long makes up for an earlier one that was dropped for its behaviour. */
#define LP_FORGIVE_NSEC (60 * LP_SEC)
/* WHO is repeated, since QEMU may throw away what is written while the guest has the port
 * closed. */
#define LP_WHO_MIN_MSEC 1000
#define LP_WHO_MAX_MSEC 30000
/* QEMU does not tell when the guest closes the port, so an agent that has said nothing for this
 * long is asked, and is lost if it says nothing to that either. */
#define LP_SILENCE_NSEC (30 * LP_SEC)
#define LP_SILENCE_LOOK_MSEC 10000
/* The most frames of one guest between two looks at everything else. */
#define LP_FRAMES_A_TURN 16
/* The rate: 200 frames/s of up to 5 kB, 1 MB/s beyond; a guest of 1024 vCPUs that is watched
 * sends 50 frames/s.  Two seconds of it may come at once. */
#define LP_SEC G_GINT64_CONSTANT(1000000000)
#define LP_FRAME_NSEC (LP_SEC / 200)
#define LP_BYTE_NSEC (LP_SEC / 1000000)
#define LP_BURST_NSEC (2 * LP_SEC)
/* A guest that outruns its rate for so long is not one that catches up. */
#define LP_FLOOD_NSEC (30 * LP_SEC)
/* Bad frames: 20 a minute. */
#define LP_BAD_NSEC (3 * LP_SEC)
#define LP_BAD_BURST_NSEC (60 * LP_SEC)
/* Frames a guest may leave unread: some dozens of the largest that are sent. */
#define LP_SEND_QUEUE_MAX (256 * 1024)

/* A leaky bucket: `level` is the moment at which it will be empty. */
typedef int64_t LpMeter;

struct LpChannel {
    const LpDriver *driver;
    char *uri;
    LpView *view;
    LpChannelEvents events;
    void *data;
    unsigned refs;
    bool freed;

    int fd;                       /* -1: not connected */
    uint64_t link;                /* counts connections, to notice a change under a callback */
    int64_t connected_nsec;
    bool ended;                   /* nothing more can be read */
    bool first_line;              /* may be the tail of a frame sent to a former listener */
    bool heard;                   /* a HELLO came */
    int64_t heard_nsec;           /* when the last frame that made sense came */
    bool asked;                   /* whether it is there still, since then */
    bool misbehaved;              /* the last link was dropped for what the guest did */
    LpMeter rate, bad;
    int64_t flood_nsec;           /* since when the rate has been exceeded; 0: it is not */
    GByteArray *out;
    char *why;                    /* of the loss that is to be told */

    LpFd *watch;                  /* NULL: not connected */
    bool reading;                 /* what is watched for */
    guint read_source;            /* the next turn, if it does not wait for bytes */
    guint who_source;
    LpLookoutPlace silence;
    guint retry_source;           /* tells of the loss, or connects again */
    guint retry_msec, who_msec;
    LpWireReader reader;
};

static void channel_connect(LpChannel *channel);
static gboolean on_read(gpointer data);
static void on_ready(bool readable, bool writable, void *data);
static void on_silence(void *data);

/* Of every guest: their waits are equally long. */
static LpLookout silences = LP_LOOKOUT(LP_SILENCE_LOOK_MSEC, on_silence);

static int64_t
now_nsec(void)
{
    return g_get_monotonic_time() * 1000;
}

static void
meter_add(LpMeter *level, int64_t now, int64_t cost_nsec)
{
    *level = MAX(*level, now) + cost_nsec;
}

/* How far it is over the brim; <= 0: it is not. */
static int64_t
meter_over(LpMeter level, int64_t now, int64_t burst_nsec)
{
    return level - now - burst_nsec;
}

static void
channel_unref(LpChannel *channel)
{
    if (--channel->refs > 0) {
        return;
    }
    g_byte_array_unref(channel->out);
    lp_view_free(channel->view);
    g_free(channel->uri);
    g_free(channel->why);
    g_free(channel);
}

/* --- losing and finding the other end --- */

static void
close_link(LpChannel *channel)
{
    channel->asked = false;
    g_clear_handle_id(&channel->read_source, g_source_remove);
    g_clear_handle_id(&channel->who_source, g_source_remove);
    lp_lookout_leave(&silences, &channel->silence);
    g_clear_pointer(&channel->watch, lp_fd_unwatch);
    channel->reading = false;
    g_byte_array_set_size(channel->out, 0);
    if (channel->fd >= 0) {
        close(channel->fd);
        channel->fd = -1;
    }
}

static gboolean
on_retry(gpointer data)
{
    LpChannel *channel = data;

    channel->retry_source = 0;
    channel_connect(channel);
    return G_SOURCE_REMOVE;
}

static void
retry_later(LpChannel *channel)
{
    channel->retry_source = g_timeout_add(channel->retry_msec, on_retry, channel);
    channel->retry_msec = MIN(2 * channel->retry_msec, LP_RETRY_MAX_MSEC);
}

static gboolean
on_lost(gpointer data)
{
    LpChannel *channel = data;
    g_autofree char *why = g_steal_pointer(&channel->why);

    channel->retry_source = 0;
    retry_later(channel);
    if (channel->events.lost != NULL) {
        channel->events.lost(why, channel->data);
    }
    return G_SOURCE_REMOVE;
}

/* The loss is told from the loop, never from inside a call of the owner's. */
static void
drop(LpChannel *channel, bool misbehaved, const char *why)
{
    close_link(channel);
    if (now_nsec() - channel->connected_nsec >= LP_FORGIVE_NSEC) {
        channel->misbehaved = false;
        channel->retry_msec = LP_RETRY_MIN_MSEC;
    }
    channel->misbehaved = channel->misbehaved || misbehaved;
    channel->why = g_strdup(why);
    channel->retry_source = g_idle_add_full(G_PRIORITY_DEFAULT, on_lost, channel, NULL);
}

/* --- writing --- */

/* false: the link is gone. */
static bool
watch_for(LpChannel *channel, bool reading, bool writing)
{
    channel->reading = reading;
    if (lp_fd_want(channel->watch, reading, writing)) {
        return true;
    }
    drop(channel, false, "the host has no room to watch it");
    return false;
}

/* Writes what the socket takes; false: the link is gone. */
static bool
flush(LpChannel *channel)
{
    while (channel->out->len > 0) {
        ssize_t n = send(channel->fd, channel->out->data, channel->out->len,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            drop(channel, false, g_strerror(errno));
            return false;
        }
        if (n < 0) {
            return watch_for(channel, channel->reading, true);
        }
        g_byte_array_remove_range(channel->out, 0, (guint)n);
    }
    return watch_for(channel, channel->reading, false);
}

bool
lp_channel_send(LpChannel *channel, const LpWireMessage *message)
{
    g_autofree char *frame = NULL;
    size_t length = 0;

    if (channel->fd < 0) {
        return false;
    }
    frame = g_malloc(LP_WIRE_FRAME_MAX + 1);
    if (lp_wire_encode(message, frame, LP_WIRE_FRAME_MAX + 1, &length) != LP_WIRE_OK) {
        return false;
    }
    if (channel->out->len + length > LP_SEND_QUEUE_MAX) {
        drop(channel, true, "the guest does not read what it is sent");
        return false;
    }
    g_byte_array_append(channel->out, (const guint8 *)frame, (guint)length);
    return flush(channel);
}

/* --- asking who is there --- */

/* Whether the last WHO still waits in the socket: then nobody took it, and a second one would
 * only wait behind it. */
static bool
unread(const LpChannel *channel)
{
    int bytes = 0;

    return channel->out->len > 0 || (ioctl(channel->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0);
}

static gboolean
on_who(gpointer data)
{
    static const LpWireMessage who = { .kind = LP_WIRE_WHO };
    LpChannel *channel = data;

    channel->who_source = 0;
    if (!unread(channel)) {
        /* The guest may still hold the beginning of a frame that an earlier host never ended. */
        g_byte_array_append(channel->out, (const guint8 *)"\n", 1);
        if (!lp_channel_send(channel, &who)) {
            return G_SOURCE_REMOVE;
        }
    }
    channel->who_source = g_timeout_add(channel->who_msec, on_who, channel);
    channel->who_msec = MIN(2 * channel->who_msec, LP_WHO_MAX_MSEC);
    return G_SOURCE_REMOVE;
}

static void
on_silence(void *data)
{
    static const LpWireMessage who = { .kind = LP_WIRE_WHO };
    LpChannel *channel = data;
    bool silent = now_nsec() - channel->heard_nsec >= LP_SILENCE_NSEC;

    if (silent && channel->asked) {
        drop(channel, false, "the agent has stopped answering");
        return;
    }
    if (silent && !lp_channel_send(channel, &who)) {
        return;
    }
    channel->asked = silent;
    lp_lookout_enter(&silences, &channel->silence, channel);
}

static void
heard_hello(LpChannel *channel)
{
    channel->heard = true;
    if (!channel->silence.in) {
        lp_lookout_enter(&silences, &channel->silence, channel);
    }
    g_clear_handle_id(&channel->who_source, g_source_remove);
    if (!channel->misbehaved) {
        channel->retry_msec = LP_RETRY_MIN_MSEC;
    }
}

/* --- reading --- */

static void
read_when_readable(LpChannel *channel)
{
    g_clear_handle_id(&channel->read_source, g_source_remove);
    watch_for(channel, true, channel->out->len > 0);
}

/* 0: when everything else that is due has had its turn. */
static void
read_after(LpChannel *channel, guint msec)
{
    g_clear_handle_id(&channel->read_source, g_source_remove);
    if (!watch_for(channel, false, channel->out->len > 0)) {
        return;
    }
    channel->read_source = msec > 0 ? g_timeout_add(msec, on_read, channel)
                                    : g_idle_add_full(G_PRIORITY_DEFAULT, on_read, channel, NULL);
}

/* Which verdicts speak of a peer that is broken rather than only newer or older. */
static bool
is_bad(LpWireVerdict verdict)
{
    return verdict != LP_WIRE_OK && verdict != LP_WIRE_UNKNOWN_TYPE &&
           verdict != LP_WIRE_VERSION_DIFFERS;
}

static void
take_line(LpChannel *channel, const char *line, size_t length, int64_t now)
{
    LpWireMessage message;
    const char *field = NULL;
    LpWireVerdict verdict = lp_wire_decode(line, length, &message, &field);
    bool first = channel->first_line;

    channel->first_line = false;
    if (verdict == LP_WIRE_OK && !lp_wire_guest_says(message.kind)) {
        verdict = LP_WIRE_BAD_FIELD;
        field = "t";
    }
    if (verdict == LP_WIRE_OK) {
        channel->heard_nsec = now;
        channel->asked = false;
        if (message.kind == LP_WIRE_HELLO) {
            heard_hello(channel);
        }
        channel->events.message(&message, channel->data);
        return;
    }
    if (is_bad(verdict)) {
        if (first) {
            return;
        }
        meter_add(&channel->bad, now, LP_BAD_NSEC);
        if (meter_over(channel->bad, now, LP_BAD_BURST_NSEC) > 0) {
            drop(channel, true, "the agent sends frames that mean nothing");
        }
    }
    if (channel->events.nonsense != NULL) {
        channel->events.nonsense(verdict, field, channel->data);
    }
}

/* One read, of what there is room for; false: the link is gone. */
static bool
fill(LpChannel *channel, int64_t now)
{
    size_t size = 0;
    char *space = lp_wire_reader_space(&channel->reader, &size);
    ssize_t n;

    if (size == 0 || channel->ended) {
        return true;
    }
    do {
        n = recv(channel->fd, space, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        lp_wire_reader_filled(&channel->reader, (size_t)n);
        meter_add(&channel->rate, now, n * LP_BYTE_NSEC);
    } else if (n == 0) {
        /* The lines that came before the end are still taken. */
        channel->ended = true;
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        drop(channel, false, g_strerror(errno));
        return false;
    }
    return true;
}

/* Over its rate: the guest's bytes wait in the socket, or the link is dropped.  The pause is
 * for a turn's worth of frames, so that they do not come one by one. */
static bool
hold_back(LpChannel *channel, int64_t now)
{
    int64_t over = meter_over(channel->rate, now, LP_BURST_NSEC);

    if (over <= 0) {
        return false;
    }
    if (channel->flood_nsec == 0) {
        channel->flood_nsec = now;
    }
    if (now - channel->flood_nsec > LP_FLOOD_NSEC) {
        drop(channel, true, "the agent sends more than its rate without end");
    } else {
        read_after(channel, (guint)((over + LP_FRAMES_A_TURN * LP_FRAME_NSEC) / 1000000));
    }
    return true;
}

static void
out_of_lines(LpChannel *channel, LpWireVerdict verdict)
{
    if (verdict == LP_WIRE_TOO_LONG) {
        drop(channel, true, "the agent sent a frame that is too long");
    } else if (channel->ended) {
        drop(channel, false, "the other end was closed");
    } else {
        read_when_readable(channel);
    }
}

/* One turn. */
static void
read_turn(LpChannel *channel)
{
    uint64_t link = channel->link;
    int64_t now = now_nsec();

    if (meter_over(channel->rate, now, LP_BURST_NSEC / 2) < 0) {
        channel->flood_nsec = 0;
    }
    if (hold_back(channel, now) || !fill(channel, now)) {
        return;
    }
    for (int i = 0; i < LP_FRAMES_A_TURN; i++) {
        LpWireVerdict verdict = LP_WIRE_OK;
        size_t length = 0;
        const char *line;

        if (hold_back(channel, now)) {
            return;
        }
        line = lp_wire_reader_next(&channel->reader, &length, &verdict);
        if (line == NULL) {
            out_of_lines(channel, verdict);
            return;
        }
        /* Its bytes were charged when they were read. */
        meter_add(&channel->rate, now, MAX(0, LP_FRAME_NSEC - (int64_t)length * LP_BYTE_NSEC));
        take_line(channel, line, length, now);
        if (channel->freed || channel->fd < 0 || channel->link != link) {
            return;
        }
    }
    read_after(channel, 0);
}

/* Each turn leaves behind what begins the next one, if there is to be one. */
static gboolean
on_read(gpointer data)
{
    LpChannel *channel = data;

    channel->refs++;
    channel->read_source = 0;
    read_turn(channel);
    channel_unref(channel);
    return G_SOURCE_REMOVE;
}

static void
on_ready(bool readable, bool writable, void *data)
{
    LpChannel *channel = data;

    if ((!writable || flush(channel)) && readable) {
        on_read(channel);
    }
}

/* --- the whole --- */

static void
channel_connect(LpChannel *channel)
{
    g_autoptr(GError) error = NULL;

    if (channel->driver->open_channel != NULL) {
        channel->fd = channel->driver->open_channel(channel->uri, channel->view, &error);
    }
    if (channel->fd < 0) {
        if (error == NULL ||
            g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED)) {
            channel->retry_source = g_timeout_add(LP_RETRY_UNSUPPORTED_MSEC, on_retry, channel);
        } else {
            retry_later(channel);
        }
        return;
    }
    channel->watch = lp_fd_watch(channel->fd, on_ready, channel);
    if (channel->watch == NULL) {
        close_link(channel);
        retry_later(channel);
        return;
    }
    channel->link++;
    channel->connected_nsec = now_nsec();
    channel->ended = false;
    channel->first_line = true;
    channel->heard = false;
    channel->bad = 0;
    channel->flood_nsec = 0;
    channel->who_msec = LP_WHO_MIN_MSEC;
    lp_wire_reader_init(&channel->reader);
    if (watch_for(channel, true, false)) {
        on_who(channel);
    }
}

LpChannel *
lp_channel_new(const LpDriver *driver, const char *uri, const LpView *view,
               const LpChannelEvents *events, void *data)
{
    LpChannel *channel = g_new0(LpChannel, 1);

    channel->driver = driver;
    channel->uri = g_strdup(uri);
    channel->view = lp_view_copy(view);
    channel->events = *events;
    channel->data = data;
    channel->refs = 1;
    channel->fd = -1;
    channel->retry_msec = LP_RETRY_MIN_MSEC;
    channel->out = g_byte_array_new();
    channel_connect(channel);
    return channel;
}

void
lp_channel_free(LpChannel *channel)
{
    if (channel == NULL) {
        return;
    }
    close_link(channel);
    g_clear_handle_id(&channel->retry_source, g_source_remove);
    channel->freed = true;
    channel_unref(channel);
}

bool
lp_channel_connected(const LpChannel *channel)
{
    return channel->fd >= 0;
}
