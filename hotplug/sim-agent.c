/* The agent in simulated guests: the far end of each channel, served on the main loop. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/wire/wire.h"
#include "hotplug/fds.h"
#include "hotplug/sim-host.h"

/* What a Linux kernel keeps of boot memory for itself, so that MemTotal is less. */
#define KERNEL_SHARE_DIVISOR 16

/* A real agent says how its guest fares every 20 s at least. */
#define SPEAK_USEC (15 * G_USEC_PER_SEC)

/* All that matters for resizing, one that it lacks, and some of which nothing is said. */
#define SIM_FEATURES \
    (LP_WIRE_FEATURE_CPU_HOTPLUG | LP_WIRE_FEATURE_MEM_HOTPLUG | LP_WIRE_FEATURE_MOVABLE \
     | LP_WIRE_FEATURE_VIRTIO_MEM | LP_WIRE_FEATURE_BALLOON | LP_WIRE_FEATURE_NUMA \
     | LP_WIRE_FEATURE_PSI | LP_WIRE_FEATURE_STEAL_TIME | LP_WIRE_FEATURE_KVMCLOCK)

struct LpSimLink {
    LpSimHost *host;
    char *uuid;
    int fd;
    LpFd *watch;
    bool dead;
    uint32_t greeted_boot;        /* the boot that has said HELLO here; 0: none */
    uint64_t seq;
    LpWireState sent;
    LpSimLoad told;               /* what was last said of its load */
    LpWireReader *reader;
};

static void
link_free(LpSimLink *link)
{
    lp_fd_unwatch(link->watch);
    close(link->fd);
    lp_sim_host_unref(link->host);
    g_free(link->uuid);
    g_free(link->reader);
    g_free(link);
}

/* Whoever watches it sees the hang-up and frees the link, on its own thread. */
static void
kill_link(LpSimLink *link)
{
    link->dead = true;
    shutdown(link->fd, SHUT_RDWR);
}

static void
send_text(LpSimLink *link, const char *text, size_t length)
{
    if (link->dead)
        return;
    /* lpard reads or is cut off: a guest's port would not wait for it for ever either. */
    if (send(link->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) length)
        kill_link(link);
}

static void
say(LpSimLink *link, const LpSimDomain *domain, const LpWireMessage *message)
{
    static const char nonsense[] = "}{ this is not what you think\n";
    g_autofree char *frame = NULL;
    size_t length;

    if (domain->manners.agent_nonsense) {
        send_text(link, nonsense, sizeof(nonsense) - 1);
        return;
    }
    frame = g_malloc(LP_WIRE_FRAME_MAX + 1);
    if (lp_wire_encode(message, frame, LP_WIRE_FRAME_MAX + 1, &length) == LP_WIRE_OK)
        send_text(link, frame, length);
    else
        kill_link(link);
}

static char *
boot_id(const LpSimDomain *domain)
{
    return lp_sim_make_uuid(domain->host->seed, domain->uuid, domain->boots);
}

static void
say_hello(LpSimLink *link, const LpSimDomain *domain)
{
    g_autofree char *boot = boot_id(domain);
    LpWireMessage message = { .kind = LP_WIRE_HELLO, .hello = {
        .version = LP_WIRE_VERSION, .agent = "simulated", .kernel = "simulated",
        .caps = LP_WIRE_CAP_CPU_ONLINE | LP_WIRE_CAP_MEM_ONLINE | LP_WIRE_CAP_MEM_MOVABLE
            | LP_WIRE_CAP_VIRTIO_MEM | LP_WIRE_CAP_BALLOON | LP_WIRE_CAP_PSI
            | LP_WIRE_CAP_PRESSURE,
        .hypervisor = LP_WIRE_HYPERVISOR_KVM, .has = SIM_FEATURES,
        .lacks = LP_WIRE_FEATURE_FREE_PAGE_REPORTING,
    } };

    if (!domain->manners.consent.no_phases)
        message.hello.caps |= LP_WIRE_CAP_PHASES | LP_WIRE_CAP_REQUESTS;
    g_strlcpy(message.hello.boot_id, boot, sizeof(message.hello.boot_id));
    say(link, domain, &message);
}

static void
add_cell(LpWireState *state, uint64_t total_bytes)
{
    if (state->n_cells < LP_WIRE_CELLS_MAX) {
        state->cells[state->n_cells] = (LpWireCell) { state->n_cells, total_bytes,
                                                      total_bytes / 2 };
        state->n_cells++;
    }
    state->mem_total_bytes += total_bytes;
}

/* Half of the memory is in use, whatever its size: enough for figures that move with it.  The
 * kernel brings all that arrives online by itself. */
static void
fill_state(const LpSimDomain *domain, LpWireState *state)
{
    g_autofree char *boot = boot_id(domain);
    uint64_t taken;

    memset(state, 0, sizeof(*state));
    g_strlcpy(state->boot_id, boot, sizeof(state->boot_id));
    state->want_id = domain->want_id;
    state->present = domain->plugged;
    state->online = domain->online;
    for (uint32_t i = 0; i < domain->n_cells; i++) {
        const LpSimCell *cell = &domain->cells[i];
        uint64_t bytes = cell->base_bytes - cell->base_bytes / KERNEL_SHARE_DIVISOR
            + cell->plugged_bytes;

        for (guint k = 0; k < domain->dimms->len; k++) {
            const LpSimDimm *dimm = &g_array_index(domain->dimms, LpSimDimm, k);

            bytes += dimm->cell == i ? dimm->bytes : 0;
        }
        add_cell(state, bytes);
    }
    if (domain->n_cells == 0)
        add_cell(state, domain->base_bytes - domain->base_bytes / KERNEL_SHARE_DIVISOR);
    /* Without autodeflate the driver takes what it gives up out of MemTotal. */
    taken = MIN(domain->balloon_bytes, state->mem_total_bytes);
    state->mem_total_bytes -= taken;
    state->cells[0].total_bytes -= MIN(taken, state->cells[0].total_bytes);
    state->cells[0].free_bytes = state->cells[0].total_bytes / 2;
    state->mem_free_bytes = state->mem_available_bytes = state->mem_total_bytes / 2;
    if (domain->manners.load.used_bytes)
        state->mem_available_bytes = state->mem_total_bytes
            - MIN(state->mem_total_bytes, domain->manners.load.used_bytes);
}

void
lp_sim_guest_memory(const LpSimDomain *domain, uint64_t *ret_total, uint64_t *ret_available)
{
    LpWireState state;

    fill_state(domain, &state);
    *ret_total = state.mem_total_bytes;
    *ret_available = state.mem_available_bytes;
}

/* By what its programs use: with less than a sixteenth left it stalls. */
static void
fill_load(const LpSimLoad *load, const LpWireState *state, LpWirePressure *pressure)
{
    bool stalls = state->mem_available_bytes < state->mem_total_bytes / 16;

    if (!load->used_bytes)
        return;
    pressure->refaults = load->refaults;
    pressure->psi_mem_some_centi = (uint32_t) MAX(load->psi_mem_centi, stalls ? 2000 : 0);
    pressure->psi_mem_full_centi = pressure->psi_mem_some_centi / 2;
    pressure->busy_centi = (uint32_t) load->busy_centi;
}

/* A guest at ease, unless more is known of it. */
static void
say_pressure(LpSimLink *link, const LpSimDomain *domain, const LpWireState *state)
{
    LpWireMessage message = { .kind = LP_WIRE_PRESSURE, .pressure = {
        .seq = link->seq, .mem_total_bytes = state->mem_total_bytes,
        .mem_available_bytes = state->mem_available_bytes,
        .working_set_bytes = state->mem_total_bytes - state->mem_available_bytes,
        .running = 1, .busy_centi = 500,
    } };

    fill_load(&domain->manners.load, state, &message.pressure);
    g_strlcpy(message.pressure.boot_id, state->boot_id, sizeof(message.pressure.boot_id));
    link->told = domain->manners.load;
    say(link, domain, &message);
}

static void
say_state(LpSimLink *link, const LpSimDomain *domain, const LpWireState *state)
{
    LpWireMessage message = { .kind = LP_WIRE_STATE };

    link->sent = *state;
    message.state = *state;
    message.state.seq = ++link->seq;
    say(link, domain, &message);
    say_pressure(link, domain, state);
}

static void
say_reply(LpSimLink *link, const LpSimDomain *domain)
{
    LpWireMessage message = { .kind = LP_WIRE_REPLY, .reply.id = domain->want_id };

    for (int cpu = lp_cpumask_next(&domain->manners.stuck_cpus, 0); cpu >= 0;
         cpu = lp_cpumask_next(&domain->manners.stuck_cpus, (unsigned) cpu + 1)) {
        bool wanted = cpu == 0 || lp_cpumask_has(&domain->wanted, (unsigned) cpu);

        if (lp_cpumask_has(&domain->plugged, (unsigned) cpu) && domain->wants_cpus
            && wanted != lp_cpumask_has(&domain->online, (unsigned) cpu))
            lp_cpumask_add(&message.reply.failed, (unsigned) cpu);
    }
    message.reply.ok = lp_cpumask_count(&message.reply.failed) == 0;
    if (!message.reply.ok)
        g_strlcpy(message.reply.error, "Device or resource busy", sizeof(message.reply.error));
    say(link, domain, &message);
}

static void
update_link(LpSimLink *link, const LpSimDomain *domain, const LpWireState *state, bool reply,
            int64_t now_usec)
{
    bool cpus, changed;

    if (link->greeted_boot != domain->boots) {
        link->greeted_boot = domain->boots;
        link->seq = (uint64_t) now_usec;    /* goes on counting where an earlier link ended */
        say_hello(link, domain);
        say_state(link, domain, state);
        /* It may have been told what to do before it had said who it is. */
        if (reply)
            say_reply(link, domain);
        return;
    }
    cpus = !lp_cpumask_equal(&state->online, &link->sent.online)
        || !lp_cpumask_equal(&state->present, &link->sent.present);
    changed = cpus || state->mem_total_bytes != link->sent.mem_total_bytes
        || state->want_id != link->sent.want_id;
    if (changed && (cpus || reply || now_usec < domain->watch_until_usec
                    || lp_sim_guest_memory_settled(domain)))
        say_state(link, domain, state);
    else if (memcmp(&link->told, &domain->manners.load, sizeof(link->told)) != 0
             || (domain->speak_usec && domain->speak_usec <= now_usec))
        say_pressure(link, domain, state);
    if (reply)
        say_reply(link, domain);
}

static void
say_all(const GSList *links, const LpSimDomain *domain, const LpWireMessage *message)
{
    for (const GSList *each = links; each; each = each->next)
        if (!((LpSimLink *) each->data)->dead)
            say(each->data, domain, message);
}

void
lp_sim_agent_update(LpSimDomain *domain, int64_t now_usec)
{
    const GSList *links = g_hash_table_lookup(domain->host->links, domain->uuid);
    LpWireState state = { .seq = 0 };
    LpWireMessage message;
    bool filled = false, reply = domain->reply_due && lp_sim_guest_cpus_settled(domain);

    if (domain->run != LP_RUN_RUNNING || !domain->manners.agent || domain->manners.agent_silent
        || now_usec < domain->booted_usec) {
        domain->speak_usec = 0;
        return;
    }
    for (const GSList *each = links; each; each = each->next) {
        if (((LpSimLink *) each->data)->dead)
            continue;
        if (!filled)
            fill_state(domain, &state);
        filled = true;
        update_link(each->data, domain, &state, reply, now_usec);
    }
    if (reply && filled)
        domain->reply_due = false;
    /* All at the same moments, so that the clock of a large host is not awake all the time. */
    if (!filled || !domain->manners.load.used_bytes)
        domain->speak_usec = 0;
    else if (domain->speak_usec <= now_usec)
        domain->speak_usec = (now_usec / SPEAK_USEC + 1) * SPEAK_USEC;
    while (filled && lp_sim_talk_next(domain, now_usec, &message))
        say_all(links, domain, &message);
}

void
lp_sim_agent_close(LpSimHost *host, const LpSimDomain *domain)
{
    GHashTableIter iter;
    void *uuid, *links;

    g_hash_table_iter_init(&iter, host->links);
    while (g_hash_table_iter_next(&iter, &uuid, &links))
        for (GSList *each = links; each; each = each->next)
            if (!domain || strcmp(uuid, domain->uuid) == 0)
                kill_link(each->data);
}

static void
take_want(LpSimDomain *domain, const LpWireWant *want, int64_t now_usec)
{
    lp_sim_guest_advance(domain, now_usec);
    domain->want_id = want->id;
    domain->reply_due = true;
    if (want->has_cpus) {
        domain->wants_cpus = true;
        domain->wanted = want->cpus;
    }
    if (want->watch_msec)
        domain->watch_until_usec = now_usec + (int64_t) want->watch_msec * 1000;
    lp_sim_guest_advance(domain, now_usec);
    /* Should it not be kept, then only the next process will not know of it, and lpard tells
     * every agent anew what it wants. */
    lp_sim_state_save(domain, NULL);
}

static void
take_line(LpSimLink *link, LpSimDomain *domain, const char *line, size_t length,
          int64_t now_usec)
{
    g_autofree LpWireMessage *message = g_new0(LpWireMessage, 1);

    if (lp_wire_decode(line, length, message, NULL) != LP_WIRE_OK)
        return;
    if (message->kind == LP_WIRE_WHO)
        link->greeted_boot = 0;
    else if (message->kind == LP_WIRE_WANT)
        take_want(domain, &message->want, now_usec);
    else if (message->kind == LP_WIRE_PHASE)
        lp_sim_talk_phase(domain, &message->phase, now_usec);
    else if (message->kind == LP_WIRE_RESULT)
        lp_sim_talk_result(domain, &message->result);
    else
        return;
    if (message->kind == LP_WIRE_PHASE || message->kind == LP_WIRE_RESULT)
        lp_sim_state_save(domain, NULL);
    lp_sim_host_touch(link->host, domain);
}

/* False: the link has ended. */
static bool
read_link(LpSimLink *link, LpSimDomain *domain, int64_t now_usec)
{
    LpWireVerdict verdict = LP_WIRE_OK;
    const char *line;
    size_t size, length;
    char *space;
    ssize_t n;

    for (;;) {
        space = lp_wire_reader_space(link->reader, &size);
        n = size ? recv(link->fd, space, size, MSG_DONTWAIT) : 0;
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        lp_wire_reader_filled(link->reader, (size_t) n);
        while ((line = lp_wire_reader_next(link->reader, &length, &verdict)))
            if (domain && domain->run == LP_RUN_RUNNING && domain->manners.agent)
                take_line(link, domain, line, length, now_usec);
        if (verdict == LP_WIRE_TOO_LONG)
            return false;
    }
}

static void
remember_link(LpSimLink *link)
{
    GSList *links = g_hash_table_lookup(link->host->links, link->uuid);

    g_hash_table_insert(link->host->links, g_strdup(link->uuid), g_slist_prepend(links, link));
}

static void
forget_link(LpSimLink *link)
{
    GHashTable *all = link->host->links;
    GSList *links = g_slist_remove(g_hash_table_lookup(all, link->uuid), link);

    if (links)
        g_hash_table_insert(all, g_strdup(link->uuid), links);
    else
        g_hash_table_remove(all, link->uuid);
}

static void
serve(G_GNUC_UNUSED bool readable, G_GNUC_UNUSED bool writable, void *data)
{
    LpSimLink *link = data;
    LpSimHost *host = link->host;
    LpSimDomain *domain;
    bool alive;

    g_mutex_lock(&host->lock);
    domain = g_hash_table_lookup(host->by_uuid, link->uuid);
    alive = !link->dead && domain && read_link(link, domain, g_get_monotonic_time())
        && !link->dead;
    if (!alive) {
        forget_link(link);
        lp_sim_unlisten(host);
    }
    g_mutex_unlock(&host->lock);
    if (!alive)
        link_free(link);
}

static bool
can_open(LpSimDomain *domain, GError **error)
{
    if (!domain)
        return false;
    if (domain->run == LP_RUN_OFF || !domain->has_channel) {
        g_set_error(error, LP_DRIVER_ERROR, domain->has_channel ? LP_DRIVER_ERROR_NOT_RUNNING
                                                                : LP_DRIVER_ERROR_UNSUPPORTED,
                    "domain %s %s", domain->name,
                    domain->has_channel ? "is not running" : "has no agent channel");
        return false;
    }
    return true;
}

/* Takes the host and the descriptor. */
static bool
serve_link(LpSimHost *host, LpSimDomain *domain, int fd)
{
    LpSimLink *link = g_new0(LpSimLink, 1);

    link->host = host;
    link->uuid = g_strdup(domain->uuid);
    link->fd = fd;
    link->reader = g_malloc(sizeof(*link->reader));
    lp_wire_reader_init(link->reader);
    link->watch = lp_fd_watch(fd, serve, link);
    if (!link->watch || !lp_fd_want(link->watch, true, false)) {
        link_free(link);
        return false;
    }
    domain->reply_due = false;
    remember_link(link);
    lp_sim_listen(host);
    lp_sim_host_touch(host, domain);
    return true;
}

int
lp_sim_agent_open(const char *uri, const char *uuid, GError **error)
{
    LpSimHost *host = lp_sim_host_open(uri, error);
    LpSimDomain *domain;
    int fds[2] = { -1, -1 };

    if (!host)
        return -1;
    g_mutex_lock(&host->lock);
    domain = lp_sim_host_find(host, uuid, error);
    if (can_open(domain, error)) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0
            || !serve_link(lp_sim_host_ref(host), domain, fds[1])) {
            g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED,
                        "no socket pair for the agent of %s: %s", domain->name,
                        g_strerror(errno));
            if (fds[0] >= 0)
                close(fds[0]);
            fds[0] = -1;
        }
    }
    g_mutex_unlock(&host->lock);
    lp_sim_host_unref(host);
    return fds[0];
}
