#include "lpard/registry/registry.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/events.h"
#include "lpard/journal/journal.h"
#include "lpard/profile-xml.h"
#include "lpard/registry/registry-priv.h"

/* Reading every domain of a large host once. */
#define LIST_DEADLINE_MSEC 60000
/* Resident memory is watched from outside at this pace: cheap, and overruns build up slowly. */
#define TICK_SEC 5

static void
partition_free(gpointer data)
{
    LpPartition *partition = data;

    lp_guest_close(partition);
    lp_calls_free(partition->calls);
    lp_view_free(partition->view);
    lp_locality_free(partition->locality);
    g_free(partition->account->cell_memory);
    g_free(partition->account);
    g_free(partition->profile_message);
    g_free(partition->uuid);
    g_free(partition);
}

void
lp_registry_tell(LpRegistry *registry, LpChange change, LpPartition *partition, const char *alias)
{
    for (guint i = 0; i < registry->listeners->len; i++) {
        LpListener *listener = &g_array_index(registry->listeners, LpListener, i);

        listener->func(change, partition, alias, listener->data);
    }
}

static void
set_profile_state(LpRegistry *registry, LpPartition *partition, LpProfileState state,
                  const char *message)
{
    static const char *const names[] = {"none", "good", "garbled", "lost", "older",
                                        "config-lost"};
    bool same = partition->profile_state == state
                && g_strcmp0(partition->profile_message, message) == 0;

    if (same)
        return;
    partition->profile_state = state;
    g_free(partition->profile_message);
    partition->profile_message = g_strdup(message);
    lp_events_emit(registry->events, "profile",
                   json_pack("{s:s,s:s,s:s?}", "partition", partition->view->name, "state",
                             names[state], "message", message));
}

/* The running domain's metadata is the truth, the persistent one what boots; the journal only
 * notices when one of them was lost or replaced behind lpard's back. */
static void
read_profile(LpRegistry *registry, LpPartition *partition)
{
    const LpView *view = partition->view;
    const char *xml = view->run == LP_RUN_OFF && view->metadata_config ? view->metadata_config
                                                                       : view->metadata;
    g_autoptr(GError) error = NULL;
    uint64_t generation = 0;
    const char *last = NULL;
    bool seen = lp_journal_last_profile(registry->journal, partition->uuid, &generation, &last);
    LpProfile profile;

    /* The disk may be slower than the next look. */
    generation = MAX(generation, partition->generation_seen);
    if (partition->defining > 0) {
        /* What it says is taken; what that means is judged when the definition is through. */
        if (xml && lp_profile_from_xml(xml, &profile, NULL))
            partition->profile = profile;
        return;
    }
    if (!xml) {
        if (!seen)
            partition->generation_seen = 0;
        set_profile_state(registry, partition,
                          seen ? LP_PROFILE_STATE_LOST : LP_PROFILE_STATE_NONE,
                          seen ? "the profile vanished from the domain's metadata (a stale "
                                 "definition was put back?); `lparctl profile restore` writes "
                                 "the last one seen, `lparctl disable` forgets it"
                               : NULL);
        return;
    }
    if (!lp_profile_from_xml(xml, &profile, &error)) {
        set_profile_state(registry, partition, LP_PROFILE_STATE_GARBLED, error->message);
        return;
    }
    partition->profile = profile;
    if (seen && profile.generation < generation) {
        set_profile_state(registry, partition, LP_PROFILE_STATE_OLDER,
                          "the metadata holds an older profile than the last one seen; `lparctl "
                          "profile restore` writes the newer one, any edit keeps the older");
    } else if (view->run != LP_RUN_OFF && view->persistent && !view->metadata_config) {
        set_profile_state(registry, partition, LP_PROFILE_STATE_CONFIG_LOST,
                          "the running domain has the profile, its persistent definition does "
                          "not; `lparctl profile restore` writes it there");
    } else {
        set_profile_state(registry, partition, LP_PROFILE_STATE_GOOD, NULL);
    }
    if (!seen || profile.generation > generation) {
        partition->generation_seen = profile.generation;
        lp_journal_put_profile(registry->journal, partition->uuid, profile.generation, xml, NULL,
                               NULL);
    }
}

static void
check_overrun(LpRegistry *registry, LpPartition *partition)
{
    const LpView *view = partition->view;
    bool overrun = lp_partition_excess_bytes(partition, registry->overhead_bytes) > 0;

    if (overrun == partition->overrun)
        return;
    partition->overrun = overrun;
    lp_events_emit(registry->events, "partition",
                   json_pack("{s:s,s:s,s:b,s:I}", "name", view->name, "uuid", partition->uuid,
                             "overrun", overrun, "resident_bytes",
                             (json_int_t) view->resident_bytes));
}

static void
emit_partition(LpRegistry *registry, const LpPartition *partition)
{
    lp_events_emit(registry->events, "partition",
                   json_pack("{s:s,s:s,s:s,s:I,s:I}", "name", partition->view->name, "uuid",
                             partition->uuid, "run", lp_run_state_name(partition->view->run), "cpu",
                             (json_int_t) lp_partition_granted_cpus(partition), "mem_bytes",
                             (json_int_t) lp_partition_granted_bytes(partition)));
}

/* Of two that seem to have one name for a moment, while domains are renamed, the one read last has it. */
static void
drop_name(LpRegistry *registry, LpPartition *partition)
{
    if (g_hash_table_lookup(registry->by_name, partition->view->name) == partition)
        g_hash_table_remove(registry->by_name, partition->view->name);
}

static void
keep_name(LpRegistry *registry, LpPartition *partition, const char *now)
{
    if (partition->view->name && strcmp(partition->view->name, now) != 0)
        drop_name(registry, partition);
    if (g_hash_table_lookup(registry->by_name, now) != partition)
        g_hash_table_replace(registry->by_name, g_strdup(now), partition);
}

static void
forget(LpRegistry *registry, const char *uuid)
{
    LpPartition *partition = lp_registry_by_uuid(registry, uuid);

    if (!partition)
        return;
    g_hash_table_steal(registry->partitions, partition->uuid);
    drop_name(registry, partition);
    registry->n_stuck -= partition->stuck;
    lp_registry_discount(registry, partition);
    lp_events_emit(registry->events, "partition",
                   json_pack("{s:s,s:s,s:s}", "name", partition->view->name, "uuid",
                             partition->uuid, "run", "gone"));
    lp_registry_tell(registry, LP_CHANGE_GONE, partition, NULL);
    partition_free(partition);
}

static void
follow_channel(LpRegistry *registry, LpPartition *partition, bool restarted)
{
    const LpView *view = partition->view;
    bool wanted = partition->profile_state != LP_PROFILE_STATE_NONE && view->run != LP_RUN_OFF
                  && view->has_channel;

    if (partition->channel && (!wanted || restarted))
        lp_guest_close(partition);
    if (wanted)
        lp_guest_open(registry, partition);
}

void
lp_registry_update(LpRegistry *registry, const char *uuid, LpView *view)
{
    LpPartition *partition = lp_registry_by_uuid(registry, uuid);
    bool restarted, changed;

    if (!view) {
        forget(registry, uuid);
        return;
    }
    if (!partition) {
        partition = g_new0(LpPartition, 1);
        partition->uuid = g_strdup(uuid);
        partition->calls = lp_calls_new(registry, uuid);
        partition->account = g_new0(struct LpAccount, 1);
        partition->view = lp_view_new();
        g_hash_table_insert(registry->partitions, partition->uuid, partition);
    }
    restarted = strcmp(partition->view->run_id, view->run_id) != 0;
    changed = restarted || partition->view->run != view->run
              || lp_view_granted_bytes(partition->view) != lp_view_granted_bytes(view)
              || !lp_cpumask_equal(&partition->view->plugged, &view->plugged);
    keep_name(registry, partition, view->name);
    lp_view_free(partition->view);
    partition->view = view;
    partition->seen_usec = g_get_monotonic_time();
    read_profile(registry, partition);
    lp_registry_settle(registry, partition);
    lp_registry_count(registry, partition);
    follow_channel(registry, partition, restarted);
    lp_guest_calibrate(partition);
    check_overrun(registry, partition);
    if (changed)
        emit_partition(registry, partition);
    lp_registry_tell(registry, LP_CHANGE_VIEW, partition, NULL);
}

/* The device's own word, sooner than a fresh look would bring it. */
static void
note_size(LpRegistry *registry, LpPartition *partition, const char *alias, uint64_t bytes)
{
    for (uint32_t i = 0; alias && i < partition->view->n_cells; i++)
        if (strcmp(partition->view->cells[i].alias, alias) == 0) {
            partition->view->cells[i].current_bytes = bytes;
            partition->size_event_usec[i] = g_get_monotonic_time();
        }
    partition->told_usec = g_get_monotonic_time();
    lp_registry_count(registry, partition);
    /* A look under way may be from before this. */
    if (lp_calls_busy(partition->calls, partition->told_usec))
        lp_registry_look(registry, partition->uuid);
    lp_guest_calibrate(partition);
    lp_registry_tell(registry, LP_CHANGE_VIEW, partition, alias);
}

/* Gone by the hypervisor's word: whoever is told of it must not find it there still. */
static void
drop_dimm(LpView *view, const char *alias)
{
    for (uint32_t i = 0; alias && i < view->n_dimms; i++)
        if (strcmp(view->dimms[i].alias, alias) == 0) {
            view->n_dimms--;
            memmove(&view->dimms[i], &view->dimms[i + 1],
                    (view->n_dimms - i) * sizeof view->dimms[0]);
            return;
        }
}

typedef struct {
    GPtrArray *views;
} List;

static void
list_free(void *data)
{
    List *list = data;

    g_clear_pointer(&list->views, g_ptr_array_unref);
    g_free(list);
}

static bool
list_job(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    List *list = data;

    list->views = driver->list(conn, error);
    return list->views != NULL;
}

static void
forget_absent(LpRegistry *registry, GHashTable *seen)
{
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer uuid;

    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, &uuid, NULL))
        if (!g_hash_table_contains(seen, uuid))
            g_ptr_array_add(gone, g_strdup(uuid));
    for (guint i = 0; i < gone->len; i++)
        forget(registry, g_ptr_array_index(gone, i));
}

static void read_all(LpRegistry *registry);

static gboolean
read_again(gpointer data)
{
    LpRegistry *registry = data;

    registry->again_source = 0;
    read_all(registry);
    return G_SOURCE_REMOVE;
}

static void
list_done(bool ok, bool abandoned, void *data, const GError *error, void *user)
{
    LpRegistry *registry = user;
    List *list = data;
    g_autoptr(GHashTable) seen = NULL;

    registry->listing = false;
    if (!ok || abandoned) {
        g_warning("cannot read the domains: %s; trying again", error->message);
        if (registry->connected && !registry->again_source)
            registry->again_source = g_timeout_add_seconds(1, read_again, registry);
        return;
    }
    /* A list from before the connection was lost proves nothing. */
    if (!registry->connected)
        return;
    if (registry->list_again && !registry->synced) {
        read_all(registry);
        return;
    }
    seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < list->views->len; i++) {
        LpView *view = g_ptr_array_index(list->views, i);
        g_autofree char *uuid = g_strdup(view->uuid);

        LpPartition *known = lp_registry_by_uuid(registry, uuid);

        g_hash_table_add(seen, g_strdup(uuid));
        /* What was read before an effect must not hide it. */
        if (known && (lp_calls_busy(known->calls, registry->list_usec)
                      || known->told_usec >= registry->list_usec)) {
            lp_registry_look(registry, uuid);
            continue;
        }
        /* Moved out of the array, which would free it. */
        list->views->pdata[i] = NULL;
        lp_registry_update(registry, uuid, view);
    }
    forget_absent(registry, seen);
    registry->synced = true;
    lp_registry_reread_stuck(registry);
    lp_events_emit(registry->events, "hypervisor", json_pack("{s:b}", "connected", true));
    lp_registry_tell(registry, LP_CHANGE_CONNECTED, NULL, NULL);
    if (registry->list_again)
        read_all(registry);
}

static void
read_all(LpRegistry *registry)
{
    registry->list_again = registry->listing;
    if (registry->listing)
        return;
    registry->listing = true;
    registry->list_usec = g_get_monotonic_time();
    lp_workers_run(registry->workers, list_job, g_new0(List, 1), list_free, LIST_DEADLINE_MSEC,
                   list_done, registry);
}

static void
on_event(const LpEvent *event, void *data)
{
    LpRegistry *registry = data;
    LpPartition *partition = event->uuid ? lp_registry_by_uuid(registry, event->uuid) : NULL;

    switch (event->kind) {
    case LP_EVENT_CONNECTED:
        registry->connected = true;
        read_all(registry);
        return;
    case LP_EVENT_DISCONNECTED:
        if (registry->connected)
            lp_events_emit(registry->events, "hypervisor", json_pack("{s:b}", "connected", false));
        registry->connected = registry->synced = false;
        lp_registry_tell(registry, LP_CHANGE_DISCONNECTED, NULL, NULL);
        return;
    case LP_EVENT_DOMAIN_GONE:
        forget(registry, event->uuid);
        return;
    default:
        break;
    }
    if (!partition) {
        /* A domain that was defined just now: the list brings it in. */
        if (event->kind == LP_EVENT_DOMAIN_CHANGED)
            read_all(registry);
        return;
    }
    switch (event->kind) {
    case LP_EVENT_MEMORY_SIZE:
        note_size(registry, partition, event->alias, event->bytes);
        return;
    case LP_EVENT_DEVICE_REMOVED:
        drop_dimm(partition->view, event->alias);
        lp_registry_count(registry, partition);
        lp_registry_tell(registry, LP_CHANGE_DEVICE_REMOVED, partition, event->alias);
        break;
    case LP_EVENT_DEVICE_REFUSED:
        lp_registry_tell(registry, LP_CHANGE_DEVICE_REFUSED, partition, event->alias);
        break;
    case LP_EVENT_DOMAIN_MIGRATED:
        g_strlcpy(partition->migrated_run_id, partition->view->run_id,
                  sizeof partition->migrated_run_id);
        break;
    case LP_EVENT_DOMAIN_RESET:
        partition->guest.base_total_bytes = 0;
        lp_registry_tell(registry, LP_CHANGE_RESET, partition, NULL);
        break;
    default:
        break;
    }
    lp_registry_look(registry, event->uuid);
}

/* Resident memory by the host's word, between looks. */
static void
read_resident(LpView *view)
{
    char path[64], text[128] = "";
    unsigned long size, resident;
    FILE *file;

    g_snprintf(path, sizeof path, "/proc/%ld/statm", (long) view->pid);
    file = fopen(path, "re");
    if (!file)
        return;
    if (fgets(text, sizeof text, file) && sscanf(text, "%lu %lu", &size, &resident) == 2)
        view->resident_bytes = (uint64_t) resident * (uint64_t) sysconf(_SC_PAGESIZE);
    fclose(file);
}

static gboolean
on_tick(gpointer data)
{
    LpRegistry *registry = data;
    GHashTableIter iter;
    LpPartition *partition;

    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &partition)) {
        if (partition->view->run == LP_RUN_OFF)
            continue;
        /* Device and guest may each have spoken last too soon after the other. */
        lp_guest_calibrate(partition);
        if (partition->view->pid <= 0)
            continue;
        read_resident(partition->view);
        lp_registry_count(registry, partition);
        check_overrun(registry, partition);
    }
    lp_registry_reread(registry, TICK_SEC);
    /* Views are large and short-lived; what they leave behind goes back to the host. */
    malloc_trim(0);
    return G_SOURCE_CONTINUE;
}

LpRegistry *
lp_registry_new(LpWorkers *workers, LpJournal *journal, LpEvents *events, const LpHost *host,
                uint64_t reserve_bytes, uint32_t reserve_centi, uint64_t overhead_bytes)
{
    LpRegistry *registry = g_new0(LpRegistry, 1);

    registry->workers = workers;
    registry->journal = journal;
    registry->events = events;
    registry->host = *host;
    registry->reserve_bytes = reserve_bytes;
    registry->reserve_centi = reserve_centi;
    registry->overhead_bytes = overhead_bytes;
    registry->partitions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, partition_free);
    registry->orphans = g_ptr_array_new();
    registry->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    registry->listeners = g_array_new(FALSE, FALSE, sizeof(LpListener));
    return registry;
}

void
lp_registry_enforce_hard(LpRegistry *registry)
{
    registry->enforce_hard = true;
}

void
lp_registry_free(LpRegistry *registry)
{
    if (!registry)
        return;
    registry->closing = true;
    if (registry->tick_source)
        g_source_remove(registry->tick_source);
    if (registry->again_source)
        g_source_remove(registry->again_source);
    if (registry->watch)
        lp_workers_driver(registry->workers)->unwatch(registry->watch);
    g_hash_table_unref(registry->by_name);
    g_hash_table_unref(registry->partitions);
    lp_calls_free_orphans(registry);
    g_array_unref(registry->listeners);
    g_free(registry);
}

bool
lp_registry_start(LpRegistry *registry, GError **error)
{
    registry->watch = lp_workers_driver(registry->workers)->watch(
        lp_workers_uri(registry->workers), on_event, registry, error);
    if (!registry->watch)
        return false;
    registry->tick_source = g_timeout_add_seconds(TICK_SEC, on_tick, registry);
    return true;
}

bool
lp_registry_connected(const LpRegistry *registry)
{
    return registry->connected;
}

bool
lp_registry_synced(const LpRegistry *registry)
{
    return registry->synced;
}

const LpHost *
lp_registry_host(const LpRegistry *registry)
{
    return &registry->host;
}

const char *
lp_registry_uri(const LpRegistry *registry)
{
    return lp_workers_uri(registry->workers);
}

unsigned
lp_registry_n_stuck(LpRegistry *registry)
{
    return registry->n_stuck;
}

static gint
by_name(gconstpointer a, gconstpointer b)
{
    const LpPartition *const *left = a, *const *right = b;

    return strcmp((*left)->view->name, (*right)->view->name);
}

GPtrArray *
lp_registry_list(LpRegistry *registry)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    gpointer partition;

    g_hash_table_iter_init(&iter, registry->partitions);
    while (g_hash_table_iter_next(&iter, NULL, &partition))
        g_ptr_array_add(list, partition);
    g_ptr_array_sort(list, by_name);
    return list;
}

LpPartition *
lp_registry_by_uuid(LpRegistry *registry, const char *uuid)
{
    return g_hash_table_lookup(registry->partitions, uuid);
}

/* A name that shares a beginning with what was typed, or the only one there is. */
static const char *
near_name(GPtrArray *list, const char *name)
{
    const char *best = NULL;
    size_t most = 1;

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);
        size_t same = 0;

        while (name[same] && partition->view->name[same] == name[same])
            same++;
        if (same > most) {
            most = same;
            best = partition->view->name;
        }
    }
    return best;
}

LpPartition *
lp_registry_find(LpRegistry *registry, const char *name, GError **error)
{
    LpPartition *partition = lp_registry_by_uuid(registry, name);
    g_autoptr(GPtrArray) list = NULL;
    const char *near;

    if (!partition)
        partition = g_hash_table_lookup(registry->by_name, name);
    if (partition)
        return partition;
    if (!registry->synced) {
        g_set_error(error, LP_ERROR, LP_ERROR_UNREACHABLE,
                    "the hypervisor at %s cannot be reached, so its domains are not known; is "
                    "libvirtd running?",
                    lp_registry_uri(registry));
        return NULL;
    }
    list = lp_registry_list(registry);
    near = near_name(list, name);
    g_set_error(error, LP_ERROR, LP_ERROR_NO_PARTITION,
                "there is no partition or domain \"%s\"%s%s%s; `lparctl list --all` shows all",
                name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

LpPartition *
lp_registry_find_enabled(LpRegistry *registry, const char *name, GError **error)
{
    LpPartition *partition = lp_registry_find(registry, name, error);

    if (!partition)
        return NULL;
    switch (partition->profile_state) {
    case LP_PROFILE_STATE_NONE:
        g_set_error(error, LP_ERROR, LP_ERROR_NOT_ENABLED,
                    "\"%s\" is a domain, but not a partition; `lparctl enable %s --cpu "
                    "MIN:DESIRED:MAX --mem MIN:DESIRED:MAX` makes it one",
                    partition->view->name, partition->view->name);
        return NULL;
    case LP_PROFILE_STATE_GARBLED:
    case LP_PROFILE_STATE_LOST:
        g_set_error(error, LP_ERROR, LP_ERROR_BAD_PROFILE,
                    "the profile of \"%s\" cannot be used: %s", partition->view->name,
                    partition->profile_message);
        return NULL;
    default:
        return partition;
    }
}

void
lp_registry_listen(LpRegistry *registry, LpChangeFunc func, void *data)
{
    LpListener listener = {func, data};

    g_array_append_val(registry->listeners, listener);
}
