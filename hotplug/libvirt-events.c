/* What libvirt's events mean to lpard.  All of this runs on the main loop. */
#include <string.h>

#include "hotplug/libvirt-watch.h"

#define KIB UINT64_C(1024)

static void
emit(LpWatch *watch, virDomainPtr domain, LpEventKind kind, const char *alias, uint64_t bytes)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    LpEvent event = { .kind = kind, .uuid = uuid, .alias = alias, .bytes = bytes };

    if (virDomainGetUUIDString(domain, uuid) == 0)
        lp_watch_emit(watch, &event);
}

static void
note_defined(LpWatch *watch, virDomainPtr domain, bool defined)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (virDomainGetUUIDString(domain, uuid) < 0)
        return;
    if (defined)
        g_hash_table_add(watch->persistent, g_strdup(uuid));
    else
        g_hash_table_remove(watch->persistent, uuid);
    if (!defined && watch->early_gone)
        g_ptr_array_add(watch->early_gone, g_strdup(uuid));
}

static bool
is_persistent(LpWatch *watch, virDomainPtr domain)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    return virDomainGetUUIDString(domain, uuid) == 0 &&
           g_hash_table_contains(watch->persistent, uuid);
}

static int
on_lifecycle(virConnectPtr vir, virDomainPtr domain, int event, int detail, void *data)
{
    LpWatch *watch = data;
    LpEventKind kind = LP_EVENT_DOMAIN_CHANGED;

    (void)vir;
    if (event == VIR_DOMAIN_EVENT_STOPPED && detail == VIR_DOMAIN_EVENT_STOPPED_MIGRATED)
        emit(watch, domain, LP_EVENT_DOMAIN_MIGRATED, NULL, 0);
    if (event == VIR_DOMAIN_EVENT_DEFINED) {
        note_defined(watch, domain, true);
    } else if (event == VIR_DOMAIN_EVENT_UNDEFINED &&
               detail == VIR_DOMAIN_EVENT_UNDEFINED_REMOVED) {
        note_defined(watch, domain, false);
        /* One that runs goes on, as a transient domain. */
        if (virDomainGetID(domain) == (unsigned)-1)
            kind = LP_EVENT_DOMAIN_GONE;
    } else if (event == VIR_DOMAIN_EVENT_STOPPED && !is_persistent(watch, domain)) {
        kind = LP_EVENT_DOMAIN_GONE;
    }
    emit(watch, domain, kind, NULL, 0);
    return 0;
}

static void
on_reboot(virConnectPtr vir, virDomainPtr domain, void *data)
{
    (void)vir;
    emit(data, domain, LP_EVENT_DOMAIN_RESET, NULL, 0);
}

/* libvirt 9.0 gives a memory device's backend as the alias, so this one is not passed on. */
static void
on_added(virConnectPtr vir, virDomainPtr domain, const char *alias, void *data)
{
    (void)vir;
    (void)alias;
    emit(data, domain, LP_EVENT_DOMAIN_CHANGED, NULL, 0);
}

static void
on_removed(virConnectPtr vir, virDomainPtr domain, const char *alias, void *data)
{
    (void)vir;
    emit(data, domain, LP_EVENT_DEVICE_REMOVED, alias, 0);
}

static void
on_refused(virConnectPtr vir, virDomainPtr domain, const char *alias, void *data)
{
    (void)vir;
    emit(data, domain, LP_EVENT_DEVICE_REFUSED, alias, 0);
}

static void
on_memory_size(virConnectPtr vir, virDomainPtr domain, const char *alias,
               unsigned long long size_kib, void *data)
{
    (void)vir;
    emit(data, domain, LP_EVENT_MEMORY_SIZE, alias, size_kib * KIB);
}

static void
on_balloon(virConnectPtr vir, virDomainPtr domain, unsigned long long actual_kib, void *data)
{
    (void)vir;
    emit(data, domain, LP_EVENT_BALLOON, NULL, actual_kib * KIB);
}

static void
on_tunable(virConnectPtr vir, virDomainPtr domain, virTypedParameterPtr params, int n, void *data)
{
    (void)vir;
    (void)params;
    (void)n;
    emit(data, domain, LP_EVENT_DOMAIN_CHANGED, NULL, 0);
}

static void
on_metadata(virConnectPtr vir, virDomainPtr domain, int type, const char *uri, void *data)
{
    (void)vir;
    (void)type;
    /* Other programs' metadata is not lpard's business. */
    if (!uri || strcmp(uri, LP_METADATA_URI) == 0)
        emit(data, domain, LP_EVENT_DOMAIN_CHANGED, NULL, 0);
}

static void
on_control_error(virConnectPtr vir, virDomainPtr domain, void *data)
{
    (void)vir;
    emit(data, domain, LP_EVENT_DOMAIN_CHANGED, NULL, 0);
}

/* qemu-guest-agent came or went. */
static void
on_guest_agent(virConnectPtr vir, virDomainPtr domain, int state, int reason, void *data)
{
    (void)vir;
    (void)state;
    (void)reason;
    emit(data, domain, LP_EVENT_DOMAIN_CHANGED, NULL, 0);
}

static const struct {
    int id;
    virConnectDomainEventGenericCallback callback;
} subscriptions[LP_WATCH_CALLBACKS] = {
    { VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle) },
    { VIR_DOMAIN_EVENT_ID_REBOOT, on_reboot },
    { VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_added) },
    { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_removed) },
    { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, VIR_DOMAIN_EVENT_CALLBACK(on_refused) },
    { VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_memory_size) },
    { VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_balloon) },
    { VIR_DOMAIN_EVENT_ID_TUNABLE, VIR_DOMAIN_EVENT_CALLBACK(on_tunable) },
    { VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata) },
    { VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, on_control_error },
    { VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_guest_agent) },
};

int
lp_watch_subscribe(virConnectPtr vir, int index, LpWatch *watch)
{
    int id = virConnectDomainEventRegisterAny(vir, NULL, subscriptions[index].id,
                                              subscriptions[index].callback, watch,
                                              lp_watch_unref);

    if (id < 0)
        lp_watch_unref(watch);
    return id;
}

/* --- the end of the connection --- */

typedef struct {
    LpWatch *watch;
    virConnectPtr vir;
} Loss;

static gboolean
on_loss(void *data)
{
    Loss *loss = data;

    lp_watch_lost(loss->watch, loss->vir);
    lp_watch_unref(loss->watch);
    g_free(loss);
    return G_SOURCE_REMOVE;
}

/* libvirt calls this from inside its own handling of the socket, perhaps in the opening thread:
 * what follows is done from the loop. */
void
lp_watch_on_close(virConnectPtr vir, int reason, void *data)
{
    LpWatch *watch = data;
    Loss *loss;

    if (reason == VIR_CONNECT_CLOSE_REASON_CLIENT)
        return;
    loss = g_new(Loss, 1);
    g_atomic_int_inc(&watch->refs);
    loss->watch = watch;
    loss->vir = vir;
    g_idle_add_full(G_PRIORITY_DEFAULT, on_loss, loss, NULL);
}
