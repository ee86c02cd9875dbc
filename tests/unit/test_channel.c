/* The host's end of the agent link against guests that behave, and guests that do not.  The
 * clock and the timers are the test's: pauses pass at once and are only written down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lpard/registry/channel.h"

/* --- the clock --- */

guint __wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data);
gint64 __wrap_g_get_monotonic_time(void);

typedef struct {
    GSource *source;
    gint64 due_usec;
} Pause;

static gint64 clock_usec = G_USEC_PER_SEC;
static GArray *waiting;               /* of Pause */
static GArray *pauses;                /* of guint msec, in the order they were asked for */

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

/* A source that is due when the test says so. */
guint
__wrap_g_timeout_add(guint msec, GSourceFunc func, gpointer data)
{
    static GSourceFuncs funcs = { .dispatch = on_pause };
    Pause pause = { g_source_new(&funcs, sizeof(GSource)), clock_usec + (gint64)msec * 1000 };

    g_source_set_callback(pause.source, func, data, NULL);
    g_array_append_val(waiting, pause);
    g_array_append_val(pauses, msec);
    return g_source_attach(pause.source, NULL);
}

/* All that is due without time passing. */
static void
settle(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* To the next pause's end; false: nothing waits. */
static bool
pass(void)
{
    int next = -1;
    Pause pause;

    settle();
    for (guint i = 0; i < waiting->len;) {
        Pause *one = &g_array_index(waiting, Pause, i);

        if (g_source_is_destroyed(one->source)) {
            g_source_unref(one->source);
            g_array_remove_index(waiting, i);
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
    pause = g_array_index(waiting, Pause, next);
    clock_usec = MAX(clock_usec, pause.due_usec);
    g_source_set_ready_time(pause.source, 0);
    settle();
    return true;
}

/* --- the other end --- */

/* Only the channel's use of it is tested here, so only its quark is needed of the drivers. */
G_DEFINE_QUARK(lp-driver-error-quark, lp_driver_error)

static int guest_fd = -1;             /* the guest's end of the link made last */
static int links, attempts, refusals;
static int refuse_code;
static LpView *view;

static int
fake_open_channel(const char *uri, const LpView *seen, GError **error)
{
    int fds[2];

    assert_string_equal(uri, "fake:///");
    assert_string_equal(seen->name, "web1");
    assert_ptr_not_equal(seen, view);
    attempts++;
    if (refusals > 0) {
        refusals--;
        g_set_error(error, LP_DRIVER_ERROR, refuse_code, "not there");
        return -1;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (guest_fd >= 0) {
        close(guest_fd);
    }
    guest_fd = fds[1];
    links++;
    return fds[0];
}

static const LpDriver fake = { .name = "fake", .open_channel = fake_open_channel };

/* --- the owner --- */

static LpChannel *channel;
static int messages, nonsenses, losses;
static LpWireMessage last_message;
static LpWireVerdict last_verdict;
static char *last_why, *last_field;
static enum { KEEP, FREE_ON_MESSAGE, FREE_ON_NONSENSE, FREE_ON_LOST, SEND_ON_MESSAGE } habit;

static void
free_channel(void)
{
    g_clear_pointer(&channel, lp_channel_free);
}

static bool
send_want(uint64_t id)
{
    LpWireMessage want = { .kind = LP_WIRE_WANT, .want = { .id = id } };

    return lp_channel_send(channel, &want);
}

static void
on_message(const LpWireMessage *message, void *data)
{
    assert_ptr_equal(data, &links);
    assert_non_null(channel);
    assert_true(lp_wire_guest_says(message->kind));
    messages++;
    last_message = *message;
    if (habit == FREE_ON_MESSAGE) {
        free_channel();
    } else if (habit == SEND_ON_MESSAGE) {
        while (send_want(1)) {
        }
    }
}

static void
on_nonsense(LpWireVerdict verdict, const char *field, void *data)
{
    assert_ptr_equal(data, &links);
    assert_non_null(channel);
    nonsenses++;
    last_verdict = verdict;
    g_free(last_field);
    last_field = g_strdup(field);
    if (habit == FREE_ON_NONSENSE) {
        free_channel();
    }
}

static void
on_lost(const char *why, void *data)
{
    assert_ptr_equal(data, &links);
    assert_non_null(channel);
    assert_false(lp_channel_connected(channel));
    losses++;
    g_free(last_why);
    last_why = g_strdup(why);
    if (habit == FREE_ON_LOST) {
        free_channel();
    }
}

static void
start(void)
{
    static const LpChannelEvents events = {
        .message = on_message, .nonsense = on_nonsense, .lost = on_lost,
    };

    channel = lp_channel_new(&fake, "fake:///", view, &events, &links);
}


static void
say_bytes(const char *bytes, size_t length)
{
    assert_int_equal(send(guest_fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static void
say(const LpWireMessage *message)
{
    static char frame[LP_WIRE_FRAME_MAX + 1];
    size_t length;

    assert_int_equal(lp_wire_encode(message, frame, sizeof(frame), &length), LP_WIRE_OK);
    say_bytes(frame, length);
}

static void
say_text(const char *text)
{
    say_bytes(text, strlen(text));
}

static void
say_hello(void)
{
    LpWireMessage hello = { .kind = LP_WIRE_HELLO, .hello = { .version = LP_WIRE_VERSION } };

    g_strlcpy(hello.hello.agent, "1.0", sizeof(hello.hello.agent));
    g_strlcpy(hello.hello.kernel, "6.1", sizeof(hello.hello.kernel));
    g_strlcpy(hello.hello.boot_id, "8d3a2c1e-0000-4000-8000-000000000001",
              sizeof(hello.hello.boot_id));
    say(&hello);
}

static void
say_reply(uint64_t id)
{
    LpWireMessage reply = { .kind = LP_WIRE_REPLY, .reply = { .id = id, .ok = true } };

    say(&reply);
}

/* Frames of `kind` that the guest finds in its socket. */
static int
hear(LpWireKind kind)
{
    static LpWireReader reader;
    int n = 0;

    lp_wire_reader_init(&reader);
    while (true) {
        LpWireMessage message;
        LpWireVerdict verdict;
        size_t size, length;
        char *space = lp_wire_reader_space(&reader, &size);
        ssize_t got = recv(guest_fd, space, size, 0);
        const char *line;

        if (got <= 0) {
            return n;
        }
        lp_wire_reader_filled(&reader, (size_t)got);
        while ((line = lp_wire_reader_next(&reader, &length, &verdict)) != NULL) {
            assert_int_equal(lp_wire_decode(line, length, &message, NULL), LP_WIRE_OK);
            n += message.kind == kind;
        }
    }
}

static guint
pause_at(guint i)
{
    assert_true(i < pauses->len);
    return g_array_index(pauses, guint, i);
}

static int
setup(void **state)
{
    (void)state;
    waiting = g_array_new(FALSE, FALSE, sizeof(Pause));
    pauses = g_array_new(FALSE, FALSE, sizeof(guint));
    view = lp_view_new();
    view->name = strdup("web1");
    view->uuid = strdup("u");
    messages = nonsenses = losses = links = attempts = refusals = 0;
    habit = KEEP;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    free_channel();
    assert_false(pass());
    if (guest_fd >= 0) {
        close(guest_fd);
        guest_fd = -1;
    }
    g_array_unref(waiting);
    g_array_unref(pauses);
    lp_view_free(view);
    g_clear_pointer(&last_why, g_free);
    g_clear_pointer(&last_field, g_free);
    return 0;
}

/* --- tests --- */

static void
test_conversation(void **state)
{
    (void)state;
    start();
    assert_true(lp_channel_connected(channel));
    assert_int_equal(hear(LP_WIRE_WHO), 1);
    say_text("the tail of a frame\n");
    say_hello();
    settle();
    assert_int_equal(nonsenses, 0);
    assert_int_equal(messages, 1);
    assert_int_equal(last_message.kind, LP_WIRE_HELLO);
    assert_true(send_want(7));
    assert_int_equal(hear(LP_WIRE_WANT), 1);
    say_reply(7);
    settle();
    assert_int_equal(messages, 2);
    assert_int_equal(last_message.reply.id, 7);
    /* WHO is answered, so it is not repeated. */
    assert_true(pass());
    assert_int_equal(hear(LP_WIRE_WHO), 0);
    assert_int_equal(losses, 0);
}

/* An agent that has stopped: asked after 30 s without a word, lost if it gives none. */
static void
test_silence(void **state)
{
    (void)state;
    start();
    assert_int_equal(hear(LP_WIRE_WHO), 1);
    say_hello();
    settle();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hear(LP_WIRE_WHO), 0);
        assert_true(pass());
    }
    assert_int_equal(hear(LP_WIRE_WHO), 1);
    /* One that answers stays, however often. */
    say_hello();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(losses, 0);
        assert_true(pass());
    }
    assert_int_equal(hear(LP_WIRE_WHO), 1);
    assert_int_equal(losses, 0);
    assert_true(pass());
    assert_int_equal(losses, 1);
    assert_string_equal(last_why, "the agent has stopped answering");
}

static void
test_who(void **state)
{
    static const guint expected[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000 };

    (void)state;
    start();
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        assert_int_equal(hear(LP_WIRE_WHO), 1);
        assert_int_equal(pause_at(i), expected[i]);
        assert_true(pass());
    }
    /* Not behind one that nobody has read. */
    for (int i = 0; i < 10; i++) {
        assert_true(pass());
    }
    assert_int_equal(hear(LP_WIRE_WHO), 1);
    say_hello();
    settle();
    assert_true(pass());
    assert_int_equal(hear(LP_WIRE_WHO), 0);
    assert_int_equal(losses, 0);
}

static void
test_drip(void **state)
{
    static char frame[LP_WIRE_FRAME_MAX + 1];
    LpWireMessage reply = { .kind = LP_WIRE_REPLY, .reply = { .id = 3, .ok = true } };
    size_t length;

    (void)state;
    start();
    assert_int_equal(lp_wire_encode(&reply, frame, sizeof(frame), &length), LP_WIRE_OK);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(messages, 0);
        say_bytes(frame + i, 1);
        settle();
    }
    assert_int_equal(messages, 1);
}

static void
test_too_long(void **state)
{
    g_autofree char *bytes = g_strnfill(LP_WIRE_FRAME_MAX, 'x');

    (void)state;
    start();
    say_bytes(bytes, 60000);
    settle();
    assert_int_equal(losses, 0);
    say_bytes(bytes, 5536);
    settle();
    assert_int_equal(losses, 1);
    assert_non_null(strstr(last_why, "too long"));
    assert_false(lp_channel_connected(channel));
    assert_false(send_want(1));
    assert_true(pass());
    assert_int_equal(links, 2);
}

static void
test_nonsense(void **state)
{
    LpWireMessage who = { .kind = LP_WIRE_WHO };

    (void)state;
    start();
    say_hello();
    for (int i = 0; i < 50; i++) {
        say_text("{\"t\":\"from-the-future\"}\n");
    }
    settle();
    assert_int_equal(nonsenses, 50);
    assert_int_equal(last_verdict, LP_WIRE_UNKNOWN_TYPE);
    assert_int_equal(losses, 0);
    say(&who);
    settle();
    assert_int_equal(last_verdict, LP_WIRE_BAD_FIELD);
    assert_string_equal(last_field, "t");
    for (int i = 0; i < 19; i++) {
        say_text("{]\n");
    }
    settle();
    assert_int_equal(nonsenses, 70);
    assert_int_equal(losses, 0);
    /* Three seconds pay for one. */
    clock_usec += 3 * G_USEC_PER_SEC;
    say_text("{]\n");
    settle();
    assert_int_equal(losses, 0);
    say_text("{]\n");
    settle();
    assert_int_equal(losses, 1);
    assert_non_null(strstr(last_why, "nothing"));
    assert_int_equal(messages, 1);
}

/* What only hosts and programs say is nonsense from a guest; the rest of a resize is not. */
static void
test_speakers(void **state)
{
    static const char *const guests[] = {
        "{\"t\":\"answer\",\"id\":1,\"phase\":\"pre\",\"verdict\":\"ok\",\"by\":\"\","
        "\"reason\":\"\"}\n",
        "{\"t\":\"stop\",\"id\":1,\"back_bytes\":1,\"reason\":\"\"}\n",
        "{\"t\":\"ask\",\"id\":1,\"cpu_mode\":\"add\",\"cpu\":1,\"who\":\"\",\"why\":\"\"}\n",
    };
    static const char *const others[] = {
        "{\"t\":\"who\"}\n",
        "{\"t\":\"want\",\"id\":1,\"mem\":\"auto\",\"watch_msec\":0}\n",
        "{\"t\":\"phase\",\"id\":1,\"phase\":\"pre\",\"force\":false,\"deadline_msec\":1,"
        "\"cpu_from\":1,\"cpu_to\":2}\n",
        "{\"t\":\"result\",\"id\":1,\"final\":true,\"operation\":1,\"state\":\"done\","
        "\"message\":\"\"}\n",
        "{\"t\":\"subscribe\",\"name\":\"x\",\"cpu\":true,\"mem\":true,\"units\":true,"
        "\"consults\":true}\n",
    };

    (void)state;
    start();
    say_hello();
    settle();
    messages = 0;
    for (guint i = 0; i < G_N_ELEMENTS(guests); i++) {
        say_text(guests[i]);
        settle();
        assert_int_equal(messages, (int)i + 1);
    }
    assert_int_equal(last_message.kind, LP_WIRE_ASK);
    assert_int_equal(nonsenses, 0);
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        say_text(others[i]);
        settle();
        assert_int_equal(nonsenses, (int)i + 1);
        assert_int_equal(last_verdict, LP_WIRE_BAD_FIELD);
        assert_string_equal(last_field, "t");
    }
    assert_int_equal(messages, G_N_ELEMENTS(guests));
}

/* A turn takes 16 frames, two seconds' worth may come at once, then only the rate. */
static void
test_flood(void **state)
{
    const LpWireMessage reply = { .kind = LP_WIRE_REPLY, .reply = { .id = 1, .ok = true } };
    static char frame[LP_WIRE_FRAME_MAX + 1];
    size_t length;
    gint64 since;
    int before;

    (void)state;
    assert_int_equal(lp_wire_encode(&reply, frame, sizeof(frame), &length), LP_WIRE_OK);
    start();
    say_hello();
    settle();
    for (int i = 0; i < 100; i++) {
        say_reply(1);
    }
    before = messages;
    g_main_context_iteration(NULL, FALSE);
    assert_int_equal(messages, before + 16);
    settle();
    assert_int_equal(messages, 101);
    for (int i = 0; i < 200; i++) {
        say_reply(1);
    }
    settle();
    for (int i = 0; i < 200; i++) {
        say_reply(1);
    }
    settle();
    assert_in_range(messages, 398, 401);
    assert_int_equal(losses, 0);
    assert_true(lp_channel_connected(channel));

    since = clock_usec;
    before = messages;
    while (losses == 0) {
        for (int i = 0; i < 40; i++) {
            /* A full socket is what a flood meets. */
            if (send(guest_fd, frame, length, MSG_NOSIGNAL) < 0) {
                break;
            }
        }
        assert_true(pass());
        assert_true(clock_usec - since < 40 * G_USEC_PER_SEC);
    }
    assert_true(clock_usec - since > 29 * G_USEC_PER_SEC);
    assert_non_null(strstr(last_why, "rate"));
    assert_true(messages - before < 32 * 200);
    assert_true(messages - before > 28 * 190);
}

static void
test_slow_reader(void **state)
{
    int sent = 0;

    (void)state;
    start();
    say_hello();
    settle();
    while (sent < 100000 && send_want((uint64_t)sent + 1)) {
        sent++;
    }
    assert_true(sent > 1000 && sent < 100000);
    /* Told from the loop, not from inside the call. */
    assert_int_equal(losses, 0);
    assert_false(lp_channel_connected(channel));
    settle();
    assert_int_equal(losses, 1);
    assert_non_null(strstr(last_why, "not read"));
    assert_true(pass());

    /* One that reads late gets all of it, in order. */
    hear(LP_WIRE_WHO);
    for (int i = 0; i < sent / 2; i++) {
        assert_true(send_want(1));
    }
    for (int got = 0; got < sent / 2; settle()) {
        got += hear(LP_WIRE_WANT);
    }
    assert_int_equal(losses, 1);
}

static void
test_reconnect(void **state)
{
    static const guint expected[] = { 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };

    (void)state;
    refusals = G_N_ELEMENTS(expected);
    refuse_code = LP_DRIVER_ERROR_FAILED;
    start();
    assert_false(lp_channel_connected(channel));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        assert_int_equal(pause_at(i), expected[i]);
        assert_true(pass());
    }
    assert_true(lp_channel_connected(channel));
    assert_int_equal(losses, 0);
    say_hello();
    say_reply(5);
    close(guest_fd);
    guest_fd = -1;
    g_array_set_size(pauses, 0);
    settle();
    /* What came before the end was taken, and the HELLO made the pause short again. */
    assert_int_equal(messages, 2);
    assert_int_equal(losses, 1);
    assert_int_equal(pause_at(pauses->len - 1), 100);
    assert_true(pass());
    assert_int_equal(links, 2);

    /* A guest that says HELLO and misbehaves waits longer each time. */
    for (guint i = 0; i < 5; i++) {
        g_autofree char *bytes = g_strnfill(LP_WIRE_FRAME_MAX, 'x');

        clock_usec += G_USEC_PER_SEC;
        say_hello();
        settle();
        g_array_set_size(pauses, 0);
        say_bytes(bytes, LP_WIRE_FRAME_MAX);
        settle();
        assert_int_equal(losses, (int)i + 2);
        assert_int_equal(pause_at(0), 100u << i);
        assert_true(pass());
    }

    free_channel();
    refusals = 1;
    refuse_code = LP_DRIVER_ERROR_UNSUPPORTED;
    g_array_set_size(pauses, 0);
    start();
    assert_int_equal(pause_at(0), 60000);
}

static void
test_free_inside(void **state)
{
    (void)state;
    habit = FREE_ON_MESSAGE;
    start();
    say_hello();
    say_reply(1);
    settle();
    assert_null(channel);
    assert_int_equal(messages, 1);

    habit = FREE_ON_NONSENSE;
    start();
    say_text("tail\n{]\n{]\n");
    settle();
    assert_null(channel);
    assert_int_equal(nonsenses, 1);

    habit = FREE_ON_LOST;
    start();
    close(guest_fd);
    guest_fd = -1;
    settle();
    assert_null(channel);
    assert_int_equal(losses, 1);
    assert_false(pass());

    habit = SEND_ON_MESSAGE;
    start();
    say_hello();
    say_reply(1);
    settle();
    assert_int_equal(losses, 2);
    assert_int_equal(messages, 2);
    lp_channel_free(NULL);
}

/* Bytes of any kind: nothing but the guest's own kinds ever comes through. */
static void
test_random(void **state)
{
    static const char *const pieces[] = {
        "{\"t\":\"who\"}", "\n", "{", "[[[[[[[[[[[[", "\"t\":", "\"state\"", "}", "\0", "\xff\xfe",
        "{\"t\":\"hello\"}\n",
    };
    guint32 seed = g_random_int();
    GRand *random = g_rand_new_with_seed(seed);

    (void)state;
    print_message("seed %u\n", seed);
    start();
    for (int round = 0; round < 3000; round++) {
        char bytes[512];
        size_t length = 0;

        if (guest_fd >= 0 && lp_channel_connected(channel)) {
            if (g_rand_boolean(random)) {
                const char *piece =
                    pieces[g_rand_int_range(random, 0, G_N_ELEMENTS(pieces))];

                length = MAX(strlen(piece), 1);
                memcpy(bytes, piece, length);
            } else {
                length = (size_t)g_rand_int_range(random, 1, sizeof(bytes));
                for (size_t i = 0; i < length; i++) {
                    bytes[i] = (char)g_rand_int_range(random, 0, 256);
                }
            }
            if (send(guest_fd, bytes, length, MSG_NOSIGNAL) < 0) {
                assert_true(errno == EAGAIN || errno == EPIPE);
            }
        }
        if (g_rand_int_range(random, 0, 8) == 0 && guest_fd >= 0) {
            LpWireMessage reply = { .kind = LP_WIRE_REPLY, .reply = { .id = 1, .ok = true } };
            char frame[512] = "\n";

            assert_int_equal(lp_wire_encode(&reply, frame + 1, sizeof(frame) - 1, &length),
                             LP_WIRE_OK);
            send(guest_fd, frame, length + 1, MSG_NOSIGNAL);
        }
        if (g_rand_int_range(random, 0, 200) == 0 && guest_fd >= 0) {
            close(guest_fd);
            guest_fd = -1;
        }
        settle();
        if (g_rand_int_range(random, 0, 4) == 0) {
            pass();
        }
    }
    print_message("%d messages, %d refused, %d links\n", messages, nonsenses, links);
    assert_true(links > 1 && nonsenses > 20 && messages > 20);
    g_rand_free(random);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conversation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_speakers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reconnect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };

    /* A wait that never ends is a failure too. */
    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
