/* What the agent says, kept with its partition; and what it is told to want. */
#include <string.h>

#include "hotplug/fault.h"
#include "lpard/registry/channel.h"
#include "lpard/events.h"
#include "lpard/registry/registry-priv.h"

/* A kernel keeps this much of its boot memory to itself at most (image, firmware, page
 * descriptors); a MemTotal that lacks more was read before hotplugged memory had arrived. */
#define KERNEL_SHARE_BYTES (192ULL << 20)
#define KERNEL_SHARE_DIVISOR 32

typedef struct {
    LpRegistry *registry;
    char *uuid;
} Link;

static void
link_free(gpointer data)
{
    Link *link = data;

    g_free(link->uuid);
    g_free(link);
}

static void
emit_agent(LpRegistry *registry, const LpPartition *partition, const char *state)
{
    lp_events_emit(registry->events, "agent",
                   json_pack("{s:s,s:s}", "partition", partition->view->name, "state", state));
}

void
lp_registry_want_recorded(LpRegistry *registry, LpPartition *partition)
{
    LpWireWant want = {.has_cpus = true, .cpus = partition->view->plugged};
    uint64_t id;

    if (!lp_partition_has_profile(partition))
        return;
    for (int c = lp_cpumask_next(&partition->profile.folded, 0); c >= 0;
         c = lp_cpumask_next(&partition->profile.folded, c + 1u))
        lp_cpumask_remove(&want.cpus, (unsigned) c);
    (void) lp_registry_want(registry, partition, &want, &id);
}

static void
take_hello(LpRegistry *registry, LpPartition *partition, const LpWireHello *hello)
{
    LpGuest *guest = &partition->guest;
    bool was_connected = guest->connected;
    bool same_boot = strcmp(guest->hello.boot_id, hello->boot_id) == 0;

    if (!same_boot) {
        guest->base_total_bytes = 0;
        guest->has_state = guest->has_pressure = false;
    }
    guest->hello = *hello;
    guest->connected = true;
    if (!was_connected)
        emit_agent(registry, partition, "connected");
    /* A reboot brings folded vCPUs back, and an agent that was started anew has forgotten what
     * it was told: each introduction is answered with what is wanted. */
    lp_registry_want_recorded(registry, partition);
    /* One that was only asked whether it is there still brings no news. */
    if (!was_connected || !same_boot)
        lp_registry_look(registry, partition->uuid);
}

/* Nobody acts on it: it is there for who asks. */
static void
take_pressure(LpGuest *guest, const LpWirePressure *pressure)
{
    /* One that was sent before a reboot says nothing of this boot. */
    if (!guest->connected || strcmp(pressure->boot_id, guest->hello.boot_id) != 0)
        return;
    guest->pressure = *pressure;
    guest->pressure_usec = g_get_monotonic_time();
    guest->has_pressure = true;
}

static void
take_message(Link *link, const LpWireMessage *message)
{
    LpPartition *partition = lp_registry_by_uuid(link->registry, link->uuid);
    LpGuest *guest;

    if (!partition)
        return;
    guest = &partition->guest;
    switch (message->kind) {
    case LP_WIRE_HELLO:
        take_hello(link->registry, partition, &message->hello);
        break;
    case LP_WIRE_STATE:
        /* One that was sent before a reboot says nothing of this boot. */
        if (!guest->connected || strcmp(message->state.boot_id, guest->hello.boot_id) != 0)
            return;
        guest->state = message->state;
        guest->has_state = true;
        guest->state_usec = g_get_monotonic_time();
        lp_guest_calibrate(partition);
        break;
    case LP_WIRE_REPLY:
        guest->reply = message->reply;
        guest->has_reply = true;
        break;
    case LP_WIRE_PRESSURE:
        take_pressure(guest, &message->pressure);
        return;
    case LP_WIRE_ANSWER:
    case LP_WIRE_STOP:
    case LP_WIRE_ASK:
        /* Before HELLO nobody has spoken who could have been asked. */
        if (guest->connected && link->registry->heard)
            link->registry->heard(partition, message, link->registry->heard_data);
        return;
    default:
        guest->refused_frames++;
        return;
    }
    lp_registry_tell(link->registry, LP_CHANGE_GUEST, partition, NULL);
}

static void
on_message(const LpWireMessage *message, void *data)
{
    LP_FAULT(AGENT_MESSAGE_BEFORE);
    take_message(data, message);
    LP_FAULT(AGENT_MESSAGE_AFTER);
}

static void
on_nonsense(LpWireVerdict verdict, const char *field, void *data)
{
    Link *link = data;
    LpPartition *partition = lp_registry_by_uuid(link->registry, link->uuid);

    (void) verdict;
    (void) field;
    if (partition)
        partition->guest.refused_frames++;
}

static void
on_lost(const char *why, void *data)
{
    Link *link = data;
    LpPartition *partition = lp_registry_by_uuid(link->registry, link->uuid);

    (void) why;
    if (!partition || !partition->guest.connected)
        return;
    partition->guest.connected = false;
    partition->guest.has_state = partition->guest.has_pressure = false;
    emit_agent(link->registry, partition, "absent");
    lp_registry_tell(link->registry, LP_CHANGE_GUEST_LOST, partition, NULL);
}

static const LpChannelEvents channel_events = {
    .message = on_message,
    .nonsense = on_nonsense,
    .lost = on_lost,
};

void
lp_guest_open(LpRegistry *registry, LpPartition *partition)
{
    Link *link;

    if (partition->channel)
        return;
    link = g_new0(Link, 1);
    link->registry = registry;
    link->uuid = g_strdup(partition->uuid);
    partition->link = link;
    partition->channel = lp_channel_new(lp_workers_driver(registry->workers),
                                        lp_workers_uri(registry->workers), partition->view,
                                        &channel_events, link);
}

void
lp_guest_close(LpPartition *partition)
{
    if (partition->channel)
        lp_channel_free(partition->channel);
    partition->channel = NULL;
    g_clear_pointer(&partition->link, link_free);
    memset(&partition->guest, 0, sizeof partition->guest);
}

uint64_t
lp_guest_kernel_most(const LpView *view)
{
    return KERNEL_SHARE_BYTES + view->base_bytes / KERNEL_SHARE_DIVISOR;
}

void
lp_guest_calibrate(LpPartition *partition)
{
    LpGuest *guest = &partition->guest;
    const LpView *view = partition->view;
    uint64_t plugged = lp_view_plugged_bytes(view) - view->base_bytes, base;

    if (!guest->connected || !guest->has_state || guest->state.mem_offline_bytes)
        return;
    /* While memory moves, device and guest speak of different moments. */
    if (partition->promised_bytes
        || (partition->memory_asked_usec
            && g_get_monotonic_time() - partition->memory_asked_usec < LP_SIZE_EVENT_LAG_USEC))
        return;
    for (uint32_t i = 0; i < view->n_cells; i++)
        if (view->cells[i].requested_bytes != view->cells[i].current_bytes)
            return;
    if (view->balloon_bytes || guest->state.mem_total_bytes < plugged)
        return;
    base = guest->state.mem_total_bytes - plugged;
    if (base > view->base_bytes
        || view->base_bytes - base > lp_guest_kernel_most(view))
        return;
    /* The guest can only lag behind its devices, so of several readings the largest is right. */
    if (base > guest->base_total_bytes)
        guest->base_total_bytes = base;
}

uint64_t
lp_guest_next_id(LpPartition *partition)
{
    /* From the clock on, so that no answer to an earlier lpard is taken for one to this; in
     * microseconds, so that also after a clock was set back none of those few is met again. */
    if (partition->guest.last_id == 0)
        partition->guest.last_id = (uint64_t) g_get_real_time();
    return ++partition->guest.last_id;
}

bool
lp_registry_want(LpRegistry *registry, LpPartition *partition, LpWireWant *want, uint64_t *ret_id)
{
    LpWireMessage message = {.kind = LP_WIRE_WANT};
    bool sent;

    (void) registry;
    if (!partition->channel || !partition->guest.connected)
        return false;
    want->id = *ret_id = partition->guest.want_id = lp_guest_next_id(partition);
    /* Older agents do not know it. */
    if (want->mem == LP_WIRE_MEM_MOVABLE && (partition->guest.hello.caps & LP_WIRE_CAP_PHASES))
        want->mem = LP_WIRE_MEM_AUTO;
    message.want = *want;
    LP_FAULT(AGENT_WANT_SEND_BEFORE);
    sent = lp_channel_send(partition->channel, &message);
    LP_FAULT(AGENT_WANT_SEND_AFTER);
    return sent;
}

bool
lp_registry_phase(LpPartition *partition, const LpWirePhase *phase)
{
    LpWireMessage message = {.kind = LP_WIRE_PHASE, .phase = *phase};
    bool sent;

    if (!partition->channel || !partition->guest.connected)
        return false;
    LP_FAULT(AGENT_PHASE_SEND_BEFORE);
    sent = lp_channel_send(partition->channel, &message);
    LP_FAULT(AGENT_PHASE_SEND_AFTER);
    return sent;
}

bool
lp_registry_result(LpPartition *partition, const LpWireResult *result)
{
    LpWireMessage message = {.kind = LP_WIRE_RESULT, .result = *result};

    return partition->channel && partition->guest.connected
           && lp_channel_send(partition->channel, &message);
}

bool
lp_guest_may_come(const LpPartition *partition)
{
    return partition->view->run == LP_RUN_RUNNING && !partition->guest.connected
           && partition->channel && lp_channel_connected(partition->channel);
}

void
lp_registry_hear(LpRegistry *registry, LpGuestFunc func, void *data)
{
    registry->heard = func;
    registry->heard_data = data;
}
