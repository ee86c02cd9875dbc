#include "tests/faults/liar.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MSEC 2
#define KEPT 64
#define FRAMES_A_TURN 4
#define FLOOD_POLL_MSEC 10

static struct {
    char uuid[40];
    LiarWay way;
    GRand *random;
    LpView *view;
    int fd;
    guint turn;
    unsigned n_sent, n_here;
    char *kept[KEPT];
    char *dripping;
    size_t dripped;
    uint64_t wanted, phase;       /* the last numbers that it was told */
    /* A flood comes from another processor, as a guest's does. */
    GThread *flood;
    GString *flood_bytes;
    gint flood_ends, n_flooded;
} liar = {.fd = -1};

/* ---- lies ---- */

static uint64_t
number(GRand *random, uint64_t truth)
{
    static const uint64_t extremes[] = {0, 1, 2, 4095, 4096, 1ULL << 21, 1ULL << 30, 1ULL << 40, 1ULL << 52,
                                        1ULL << 62, INT64_MAX};

    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
        return extremes[g_rand_int_range(random, 0, G_N_ELEMENTS(extremes))];
    case 1:
        return truth + (1ULL << g_rand_int_range(random, 0, 40));
    case 2:
        return truth - MIN(truth, 1ULL << g_rand_int_range(random, 0, 40));
    case 3:
        return ((uint64_t) g_rand_int(random) << 20) ^ g_rand_int(random);
    default:
        return truth;
    }
}

static uint32_t
small(GRand *random, uint32_t truth)
{
    return (uint32_t) number(random, truth);
}

static void
mask(GRand *random, const LpCpuMask *truth, LpCpuMask *ret_mask)
{
    *ret_mask = *truth;
    switch (g_rand_int_range(random, 0, 5)) {
    case 0:
        lp_cpumask_clear(ret_mask);
        break;
    case 1:
        lp_cpumask_first_n(ret_mask, (unsigned) g_rand_int_range(random, 0, 1024));
        break;
    case 2:
        lp_cpumask_add(ret_mask, (unsigned) g_rand_int_range(random, 0, 1024));
        break;
    case 3:
        lp_cpumask_remove(ret_mask, (unsigned) g_rand_int_range(random, 0, 4));
        break;
    default:
        break;
    }
}

static void
text(GRand *random, char *ret_text, size_t size)
{
    static const char *const texts[] = {"", "\n\r\t\x1b[2J", "%s%n%d", "../../etc/passwd", "'; --",
                                        "<lpard:partition/>", "\xc3\xa4\xe2\x82\xac", "p1"};

    g_strlcpy(ret_text, texts[g_rand_int_range(random, 0, G_N_ELEMENTS(texts))], size);
    if (g_rand_int_range(random, 0, 4) == 0)
        memset(ret_text, 'x', size - 1);
    ret_text[size - 1] = '\0';
}

static void
boot_id(GRand *random, char *ret_text, size_t size)
{
    static const char truth[] = "11111111-2222-3333-4444-555555555555";

    g_strlcpy(ret_text, truth, size);
    if (g_rand_int_range(random, 0, 20) == 0)
        ret_text[0] = (char) ('0' + g_rand_int_range(random, 0, 10));
}

static void
hello(GRand *random, LpWireHello *message)
{
    message->version = LP_WIRE_VERSION;
    g_strlcpy(message->agent, "liar", sizeof message->agent);
    text(random, message->kernel, sizeof message->kernel);
    boot_id(random, message->boot_id, sizeof message->boot_id);
    message->caps = g_rand_int_range(random, 0, 3) ? 0x1ff : g_rand_int(random) & 0x1ff;
    message->hypervisor = (LpWireHypervisor) g_rand_int_range(random, 0, LP_WIRE_HYPERVISORS);
    message->has = g_rand_int(random) & 0xfff;
    message->lacks = g_rand_int(random) & 0xfff & ~message->has;
    message->forbids = g_rand_int(random) & 0xff;
}

static void
state(GRand *random, const LpView *view, uint64_t wanted, LpWireState *message)
{
    uint64_t total = lp_view_plugged_bytes(view) - view->base_bytes / 16;

    boot_id(random, message->boot_id, sizeof message->boot_id);
    message->seq = number(random, liar.n_sent);
    message->want_id = number(random, wanted);
    mask(random, &view->plugged, &message->present);
    mask(random, &view->plugged, &message->online);
    message->mem_total_bytes = number(random, total);
    message->mem_available_bytes = number(random, total / 2);
    message->mem_free_bytes = number(random, total / 4);
    message->mem_offline_bytes = g_rand_int_range(random, 0, 2) ? 0 : number(random, 0);
    message->n_cells = (uint32_t) g_rand_int_range(random, 0, LP_WIRE_CELLS_MAX);
    for (uint32_t i = 0; i < message->n_cells; i++)
        message->cells[i] = (LpWireCell){small(random, i), number(random, total),
                                         number(random, total)};
    message->load_centi = small(random, 100);
    message->psi_cpu_centi = small(random, 100);
    message->psi_mem_centi = small(random, 100);
}

static void
pressure(GRand *random, const LpView *view, LpWirePressure *message)
{
    uint64_t total = lp_view_plugged_bytes(view);

    boot_id(random, message->boot_id, sizeof message->boot_id);
    message->seq = number(random, liar.n_sent);
    message->mem_total_bytes = number(random, total);
    message->mem_available_bytes = number(random, total);
    message->working_set_bytes = number(random, total);
    message->swap_used_bytes = number(random, 0);
    message->refaults = number(random, 0);
    message->oom_kills = number(random, 0);
    message->psi_mem_some_centi = small(random, 0);
    message->psi_cpu_some_centi = small(random, 0);
    message->running = small(random, 1);
    message->busy_centi = small(random, 100);
    message->steal_centi = small(random, 0);
    message->n_classes = (uint32_t) g_rand_int_range(random, 0, LP_WIRE_CLASSES_MAX);
    for (uint32_t i = 0; i < message->n_classes; i++) {
        text(random, message->classes[i].name, sizeof message->classes[i].name);
        message->classes[i].mem_bytes = number(random, total);
        message->classes[i].cpu_centi = small(random, 100);
    }
}

void
liar_message(GRand *random, const LpView *view, uint64_t wanted, uint64_t phase,
             LpWireMessage *ret_message)
{
    static const LpWireKind kinds[] = {LP_WIRE_HELLO, LP_WIRE_STATE, LP_WIRE_STATE, LP_WIRE_STATE,
                                       LP_WIRE_STATE, LP_WIRE_REPLY, LP_WIRE_REPLY, LP_WIRE_ANSWER,
                                       LP_WIRE_ANSWER, LP_WIRE_STOP, LP_WIRE_PRESSURE, LP_WIRE_ASK};
    LpWireMessage *message = ret_message;

    memset(message, 0, sizeof *message);
    message->kind = kinds[g_rand_int_range(random, 0, G_N_ELEMENTS(kinds))];
    switch (message->kind) {
    case LP_WIRE_HELLO:
        hello(random, &message->hello);
        break;
    case LP_WIRE_STATE:
        state(random, view, wanted, &message->state);
        break;
    case LP_WIRE_REPLY:
        message->reply.id = number(random, wanted);
        message->reply.ok = g_rand_boolean(random);
        mask(random, &view->plugged, &message->reply.failed);
        text(random, message->reply.error, sizeof message->reply.error);
        break;
    case LP_WIRE_ANSWER:
        message->answer.id = number(random, phase);
        message->answer.phase = (LpWirePhaseName) g_rand_int_range(random, 0, LP_WIRE_PHASES);
        message->answer.verdict = g_rand_int_range(random, 0, 4) ? LP_WIRE_ANSWER_OK
                                                                 : LP_WIRE_ANSWER_VETO;
        text(random, message->answer.by, sizeof message->answer.by);
        text(random, message->answer.reason, sizeof message->answer.reason);
        message->answer.has_leave = g_rand_boolean(random);
        mask(random, &view->plugged, &message->answer.leave);
        break;
    case LP_WIRE_STOP:
        message->stop.id = number(random, phase);
        message->stop.back_bytes = number(random, 1ULL << 30);
        text(random, message->stop.reason, sizeof message->stop.reason);
        break;
    case LP_WIRE_PRESSURE:
        pressure(random, view, &message->pressure);
        break;
    default:
        message->ask.id = number(random, liar.n_sent);
        message->ask.has_cpu = g_rand_boolean(random);
        message->ask.has_mem = g_rand_boolean(random) || !message->ask.has_cpu;
        message->ask.cpu_mode = (LpWireMode) g_rand_int_range(random, 0, LP_WIRE_MODES);
        message->ask.mem_mode = (LpWireMode) g_rand_int_range(random, 0, LP_WIRE_MODES);
        message->ask.cpu = small(random, 4);
        message->ask.mem_bytes = number(random, 4ULL << 30);
        text(random, message->ask.who, sizeof message->ask.who);
        text(random, message->ask.why, sizeof message->ask.why);
        break;
    }
}

/* ---- the link ---- */

static void *
flood(void *data)
{
    const GString *bytes = data;
    size_t at = 0;

    while (!g_atomic_int_get(&liar.flood_ends)) {
        struct pollfd waits = {.fd = liar.fd, .events = POLLOUT};
        ssize_t n;

        if (poll(&waits, 1, FLOOD_POLL_MSEC) <= 0)
            continue;
        n = send(liar.fd, bytes->str + at, bytes->len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return NULL;
        at = n > 0 ? (at + (size_t) n) % bytes->len : at;
        g_atomic_int_inc(&liar.n_flooded);
    }
    return NULL;
}

static void
hang_up(void)
{
    if (liar.flood) {
        g_atomic_int_set(&liar.flood_ends, 1);
        g_thread_join(g_steal_pointer(&liar.flood));
        g_string_free(g_steal_pointer(&liar.flood_bytes), TRUE);
    }
    if (liar.fd >= 0)
        close(liar.fd);
    liar.fd = -1;
    liar.n_here = 0;
}

/* The numbers of what it was told, without which no lie would be heard. */
static void
listen_to(const char *bytes, size_t length)
{
    g_auto(GStrv) lines = NULL;
    g_autofree char *whole = g_strndup(bytes, length);

    lines = g_strsplit(whole, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        LpWireMessage message;

        if (lp_wire_decode(lines[i], strlen(lines[i]), &message, NULL) != LP_WIRE_OK)
            continue;
        if (message.kind == LP_WIRE_WANT)
            liar.wanted = message.want.id;
        if (message.kind == LP_WIRE_PHASE)
            liar.phase = message.phase.id;
    }
}

static void
put(const char *frame, size_t length)
{
    if (liar.fd < 0)
        return;
    if (send(liar.fd, frame, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
        hang_up();
    liar.n_sent++;
    liar.n_here++;
}

static char *
frame_now(void)
{
    g_autofree char *frame = g_malloc(LP_WIRE_FRAME_MAX + 1);
    LpWireMessage message;
    size_t length;

    if (liar.way == LIAR_REPLAYS && g_rand_boolean(liar.random)
        && liar.kept[liar.n_sent * 7 % KEPT])
        return g_strdup(liar.kept[liar.n_sent * 7 % KEPT]);
    do {
        liar_message(liar.random, liar.view, liar.wanted, liar.phase, &message);
        /* Whoever has not greeted is not heard. */
        if (liar.n_here == 0 && message.kind != LP_WIRE_HELLO)
            continue;
    } while (lp_wire_encode(&message, frame, LP_WIRE_FRAME_MAX + 1, &length) != LP_WIRE_OK
             || (liar.n_here == 0 && message.kind != LP_WIRE_HELLO));
    g_free(liar.kept[liar.n_sent % KEPT]);
    liar.kept[liar.n_sent % KEPT] = g_strdup(frame);
    return g_steal_pointer(&frame);
}

static void
drip(void)
{
    if (!liar.dripping || !liar.dripping[liar.dripped]) {
        g_free(liar.dripping);
        liar.dripping = frame_now();
        liar.dripped = 0;
    }
    put(&liar.dripping[liar.dripped++], 1);
}

static void
begin_flood(void)
{
    if (liar.flood)
        return;
    liar.flood_bytes = g_string_new(NULL);
    for (unsigned i = 0; i < KEPT; i++) {
        g_autofree char *frame = frame_now();

        g_string_append(liar.flood_bytes, frame);
        liar.n_sent++;
        liar.n_here++;
    }
    liar.flood_ends = 0;
    liar.flood = g_thread_new("flood", flood, liar.flood_bytes);
}

static gboolean
on_turn(void *data)
{
    char bytes[4096];
    ssize_t n;

    (void) data;
    if (liar.fd < 0)
        return G_SOURCE_CONTINUE;
    if (liar.way == LIAR_HANGS && liar.n_here)
        return G_SOURCE_CONTINUE;
    while ((n = recv(liar.fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        listen_to(bytes, (size_t) n);
    if (n == 0) {
        hang_up();
        return G_SOURCE_CONTINUE;
    }
    if (liar.way == LIAR_FLOODS) {
        begin_flood();
        return G_SOURCE_CONTINUE;
    }
    if (liar.way == LIAR_DRIPS) {
        drip();
        return G_SOURCE_CONTINUE;
    }
    for (int i = 0; i < FRAMES_A_TURN && liar.fd >= 0; i++) {
        g_autofree char *frame = frame_now();

        put(frame, strlen(frame));
    }
    if (liar.way == LIAR_FLAPS && liar.n_here > 8)
        hang_up();
    return G_SOURCE_CONTINUE;
}

int
liar_open(const char *uri, const LpView *view, GError **error)
{
    int pair[2];

    if (strcmp(view->uuid, liar.uuid) != 0)
        return lp_driver_sim.open_channel(uri, view, error);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED, "no socket");
        return -1;
    }
    hang_up();
    lp_view_free(liar.view);
    liar.view = lp_view_copy(view);
    liar.fd = pair[1];
    return pair[0];
}

unsigned
liar_n_sent(void)
{
    return liar.n_sent + (unsigned) g_atomic_int_get(&liar.n_flooded);
}

void
liar_begin(const char *uuid, LiarWay way, GRand *random)
{
    g_strlcpy(liar.uuid, uuid, sizeof liar.uuid);
    liar.way = way;
    liar.random = random;
    liar.n_sent = 0;
    liar.n_flooded = 0;
    liar.turn = g_timeout_add(TURN_MSEC, on_turn, NULL);
}

void
liar_end(void)
{
    g_source_remove(liar.turn);
    hang_up();
    g_clear_pointer(&liar.view, lp_view_free);
    g_clear_pointer(&liar.dripping, g_free);
    for (unsigned i = 0; i < KEPT; i++)
        g_clear_pointer(&liar.kept[i], g_free);
    liar.uuid[0] = '\0';
}
