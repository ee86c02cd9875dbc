/* Changes of definitions: define, enable, edit, hold, disable, restore, start. */
#include <string.h>

#include "hotplug/domxml.h"
#include "lpard/api-private.h"
#include "lpard/api-work.h"
#include "lpard/body.h"
#include "lpard/definition.h"
#include "lpard/export.h"

/* A resize may have the lane between the two halves; more often than this is a busy script. */
#define TRIES_MAX 5

/* One change on its way: prepared in a worker, journaled, applied in a worker. */
typedef struct {
    LpCall *call;
    LpDefinition *definition;
    bool dry_run;
    bool answer_partition;        /* else a Definition */
    unsigned tries;
    /* What the journal held, to be put back when the effect fails. */
    bool had_profile;
    uint64_t had_generation;
    char *had_metadata;
} Change;

static void begin(Change *change);

static void
free_change(void *data)
{
    Change *change = data;

    lp_definition_unref(change->definition);
    lp_call_unref(change->call);
    g_free(change->had_metadata);
    g_free(change);
}

static void *
ref_definition(void *data)
{
    return lp_definition_ref(data);
}

static void
unref_definition(void *data)
{
    lp_definition_unref(data);
}

static void
fail(Change *change, const GError *error)
{
    lp_call_fail(change->call, error);
    free_change(change);
}

static Change *
new_change(LpCall *call, LpDefinitionKind kind, const char *uuid, const char *name)
{
    Change *change = g_new0(Change, 1);

    change->call = lp_call_later(call);
    change->definition = lp_definition_new(kind, uuid, name);
    change->definition->topology = lp_registry_host(call->api->registry)->topology;
    return change;
}

static json_t *
sentences(const GPtrArray *list)
{
    json_t *array = json_array();

    for (guint i = 0; i < list->len; i++)
        json_array_append_new(array, json_string(g_ptr_array_index(list, i)));
    return array;
}

static json_t *
definition_json(const Change *change)
{
    const LpDefinition *definition = change->definition;

    return json_pack("{s:s, s:s?, s:b, s:s, s:o, s:o, s:o}", "partition", definition->name,
                     "uuid", definition->uuid, "dry_run", change->dry_run,
                     "diff", definition->diff ? definition->diff : "",
                     "now", sentences(definition->now),
                     "next_start", sentences(definition->next_start),
                     "profile", definition->has_profile
                         ? lp_export_profile(&definition->profile) : json_null());
}

static void
answer(Change *change)
{
    LpCall *call = change->call;
    const LpDefinition *definition = change->definition;
    unsigned status = definition->kind == LP_DEFINITION_NEW && !change->dry_run
                          ? SOUP_STATUS_CREATED : SOUP_STATUS_OK;

    if (change->answer_partition) {
        g_autoptr(GError) error = NULL;
        LpPartition *partition = lp_registry_find(call->api->registry, definition->uuid,
                                                  &error);

        if (partition)
            lp_call_answer(call, status, lp_api_partition_json(call->api, partition));
        else
            lp_call_fail(call, error);
    } else {
        lp_call_answer(call, status, definition_json(change));
    }
    free_change(change);
}

static void
put_back(const Change *change)
{
    LpJournal *journal = change->call->api->journal;
    const LpDefinition *definition = change->definition;

    if (!definition->uuid || definition->kind == LP_DEFINITION_START ||
        definition->kind == LP_DEFINITION_NEW)
        return;
    if (change->had_profile)
        lp_journal_put_profile(journal, definition->uuid, change->had_generation,
                               change->had_metadata, NULL, NULL);
    else
        lp_journal_forget_profile(journal, definition->uuid, NULL, NULL);
}

/* The record of enable, where there is one; an unreadable journal is no reason to fail here. */
static void
load_saved(Change *change)
{
    LpDefinition *definition = change->definition;

    g_free(definition->saved);
    definition->saved = lp_journal_saved_xml(change->call->api->journal, definition->uuid, NULL);
}

/* The record that `disable` will go by, after this change; NULL: as it is.  Caller frees. */
static char *
new_record(Change *change)
{
    const LpDefinition *definition = change->definition;
    g_autofree char *before = NULL;

    if (!definition->defined)
        return NULL;
    if (definition->kind == LP_DEFINITION_ENABLE)
        return lp_definition_record(definition->before, definition->defined);
    if (definition->kind != LP_DEFINITION_EDIT)
        return NULL;
    /* lpard's own edit is no edit by a stranger. */
    load_saved(change);
    if (definition->saved &&
        lp_definition_unchanged(definition->saved, definition->before, &before))
        return lp_definition_record(before, definition->defined);
    return NULL;
}

/* In effect it is already: without the record `disable` only does less. */
static void
on_recorded(const GError *error, void *data)
{
    Change *change = data;

    (void)error;
    if (change->call->api->closed) {
        free_change(change);
        return;
    }
    /* Only now does the registry judge what it sees by what the journal knows. */
    lp_registry_update(change->call->api->registry, change->definition->uuid,
                       g_steal_pointer(&change->definition->view));
    answer(change);
}

/* What later needs to be known of it; then answers. */
static void
remember(Change *change)
{
    LpJournal *journal = change->call->api->journal;
    const LpDefinition *definition = change->definition;
    g_autofree char *record = new_record(change);

    if (definition->kind == LP_DEFINITION_NEW) {
        lp_journal_put_profile(journal, definition->uuid, definition->profile.generation,
                               definition->metadata, on_recorded, change);
    } else if (definition->kind == LP_DEFINITION_DISABLE) {
        lp_journal_forget_saved_xml(journal, definition->uuid);
        /* Once more: a look between the two halves has seen the profile, and told the journal. */
        lp_journal_forget_profile(journal, definition->uuid, on_recorded, change);
    } else if (record) {
        lp_journal_put_saved_xml(journal, definition->uuid, record, on_recorded, change);
    } else {
        on_recorded(NULL, change);
    }
}

static void
on_applied(const GError *error, void *data, void *user)
{
    Change *change = user;
    LpDefinition *definition = data;
    LpRegistry *registry = change->call->api->registry;

    if (change->call->api->closed) {
        free_change(change);
        return;
    }
    if (error) {
        /* Where it is not known whether it happened, what the journal has is the newer. */
        if (!g_error_matches(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNKNOWN))
            put_back(change);
        if (change->definition->kind != LP_DEFINITION_NEW)
            lp_registry_look(registry, change->definition->uuid);
        fail(change, error);
        return;
    }
    if (definition->changed_meanwhile) {
        put_back(change);
        begin(change);
        return;
    }
    remember(change);
}

static bool
apply(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    return lp_definition_apply(driver, conn, data, error);
}

static void
run(Change *change, LpDefinitionFunc func, LpWorkDone done)
{
    static const char *const what[] = {
        [LP_DEFINITION_NEW] = "define", [LP_DEFINITION_ENABLE] = "enable",
        [LP_DEFINITION_EDIT] = "profile", [LP_DEFINITION_DISABLE] = "disable",
        [LP_DEFINITION_RESTORE] = "profile restore", [LP_DEFINITION_START] = "start",
    };
    LpDefinition *definition = change->definition;
    const char *lane = definition->kind == LP_DEFINITION_NEW ? NULL : definition->uuid;
    g_autoptr(GError) error = NULL;

    if (!lp_api_work(change->call->api, lane, what[definition->kind], func, definition,
                     ref_definition, unref_definition, done, change, &error))
        fail(change, error);
}

static void
on_profile_durable(const GError *error, void *data)
{
    Change *change = data;

    if (change->call->api->closed)
        free_change(change);
    else if (error)
        fail(change, error);
    else
        run(change, apply, on_applied);
}

static void
put_profile(Change *change)
{
    LpJournal *journal = change->call->api->journal;
    const LpDefinition *definition = change->definition;
    const char *metadata = NULL;

    g_clear_pointer(&change->had_metadata, g_free);
    change->had_profile = lp_journal_last_profile(journal, definition->uuid,
                                                  &change->had_generation, &metadata);
    change->had_metadata = change->had_profile ? g_strdup(metadata) : NULL;
    if (definition->kind == LP_DEFINITION_DISABLE)
        lp_journal_forget_profile(journal, definition->uuid, on_profile_durable, change);
    else
        lp_journal_put_profile(journal, definition->uuid, definition->profile.generation,
                               definition->metadata, on_profile_durable, change);
}

static void
on_saved_durable(const GError *error, void *data)
{
    Change *change = data;

    if (change->call->api->closed)
        free_change(change);
    else if (error)
        fail(change, error);
    else
        put_profile(change);
}

/* S8: what all are entitled to must be there. */
static bool
capacity_fits(const Change *change, GError **error)
{
    LpApi *api = change->call->api;
    const LpDefinition *definition = change->definition;
    LpPartition *partition = definition->uuid
                                 ? lp_registry_by_uuid(api->registry, definition->uuid) : NULL;
    uint32_t entitled = definition->profile.capacity.entitled_centi;
    g_autofree LpRoom *room = g_new0(LpRoom, 1);

    if (!partition || !definition->has_profile || !definition->running ||
        (definition->kind == LP_DEFINITION_EDIT &&
         entitled <= definition->old.capacity.entitled_centi))
        return true;
    lp_registry_room(api->registry, partition, room);
    if (entitled <= room->room_centi)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_REFUSED,
                "%s cannot be entitled to %u.%02u processing units: the host has %u.%02u for it; "
                "lower this or another partition's entitlement", definition->name,
                entitled / 100, entitled % 100, room->room_centi / 100, room->room_centi % 100);
    return false;
}

static void
on_prepared(const GError *error, void *data, void *user)
{
    Change *change = user;
    const LpDefinition *definition = data;
    g_autoptr(GError) refused = NULL;

    if (change->call->api->closed) {
        free_change(change);
    } else if (error) {
        fail(change, error);
    } else if (!capacity_fits(change, &refused)) {
        fail(change, refused);
    } else if (change->dry_run) {
        answer(change);
    } else if (definition->kind == LP_DEFINITION_ENABLE) {
        g_autofree char *record = lp_definition_record(definition->before, NULL);

        lp_journal_put_saved_xml(change->call->api->journal, definition->uuid, record,
                                 on_saved_durable, change);
    } else if (definition->kind == LP_DEFINITION_NEW) {
        run(change, apply, on_applied);
    } else {
        put_profile(change);
    }
}

static bool
prepare(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    return lp_definition_prepare(driver, conn, data, error);
}

static void
begin(Change *change)
{
    LpDefinition *definition = change->definition;
    const char *metadata;

    if (change->tries++ >= TRIES_MAX) {
        g_autoptr(GError) error = g_error_new(
            LP_ERROR, LP_ERROR_CONFLICT, "%s is changed by others all the time: try again when "
            "its other operations have ended", definition->name);

        fail(change, error);
        return;
    }
    lp_definition_reset(definition);
    if (definition->kind == LP_DEFINITION_DISABLE)
        load_saved(change);
    if (definition->uuid && definition->kind != LP_DEFINITION_START)
        lp_journal_last_profile(change->call->api->journal, definition->uuid,
                                &definition->generation_seen, &metadata);
    run(change, prepare, on_prepared);
}

static bool
read_change(LpCall *call, LpProfileChange *ret_change, bool *ret_dry_run, GError **error)
{
    static const char *const known[] = {"cpu", "mem", "entitled_centi", "weight", "capped",
                                        "cells", "n_cells", "dry_run", NULL};
    bool has;

    return lp_body_known(call->body, "", known, error) &&
           lp_profile_change_parse(call->body, ret_change, error) &&
           lp_body_bool(call->body, "", "dry_run", &has, ret_dry_run, error);
}

void
lp_api_put_profile(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    LpProfileChange wanted = {0};
    bool dry_run = false;
    LpPartition *partition = lp_registry_find(call->api->registry, call->argument, &error);
    LpDefinitionKind kind = LP_DEFINITION_EDIT;
    Change *change;

    if (partition && partition->profile_state == LP_PROFILE_STATE_NONE)
        kind = LP_DEFINITION_ENABLE;
    else if (partition)
        partition = lp_registry_find_enabled(call->api->registry, call->argument, &error);
    if (!partition || !read_change(call, &wanted, &dry_run, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = new_change(call, kind, partition->uuid, partition->view->name);
    change->definition->change = wanted;
    change->dry_run = dry_run;
    begin(change);
}

static void
hold(LpCall *call, int64_t until_sec)
{
    g_autoptr(GError) error = NULL;
    LpPartition *partition =
        lp_registry_find_enabled(call->api->registry, call->argument, &error);
    Change *change;

    if (!partition) {
        lp_call_fail(call, error);
        return;
    }
    change = new_change(call, LP_DEFINITION_EDIT, partition->uuid, partition->view->name);
    change->definition->change.has_hold = true;
    change->definition->change.hold_until_sec = until_sec;
    change->answer_partition = true;
    begin(change);
}

void
lp_api_put_hold(LpCall *call)
{
    static const char *const known[] = {"until_sec", NULL};
    g_autoptr(GError) error = NULL;
    uint64_t until = INT64_MAX;         /* until released */
    bool has;

    if (lp_body_known(call->body, "", known, &error) &&
        lp_body_integer(call->body, "", "until_sec", INT64_MAX, &has, &until, &error))
        hold(call, (int64_t)until);
    else
        lp_call_fail(call, error);
}

void
lp_api_delete_hold(LpCall *call)
{
    hold(call, 0);
}

void
lp_api_delete_profile(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    LpPartition *partition = lp_registry_find(call->api->registry, call->argument, &error);
    bool dry_run = false;
    Change *change;

    if (partition && partition->profile_state == LP_PROFILE_STATE_NONE)
        g_set_error(&error, LP_ERROR, LP_ERROR_NOT_ENABLED, "%s has no profile to take away",
                    partition->view->name);
    if (error || !lp_call_query_flag(call, "dry_run", &dry_run, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = new_change(call, LP_DEFINITION_DISABLE, partition->uuid, partition->view->name);
    change->dry_run = dry_run;
    begin(change);
}

void
lp_api_post_restore(LpCall *call)
{
    static const char *const known[] = {"dry_run", NULL};
    g_autoptr(GError) error = NULL;
    LpApi *api = call->api;
    LpPartition *partition = lp_registry_find(api->registry, call->argument, &error);
    uint64_t generation;
    const char *metadata = NULL;
    bool has, dry_run = false;
    Change *change;

    if (partition && lp_body_known(call->body, "", known, &error) &&
        lp_body_bool(call->body, "", "dry_run", &has, &dry_run, &error)) {
        if (partition->profile_state == LP_PROFILE_STATE_GOOD)
            g_set_error(&error, LP_ERROR, LP_ERROR_CONFLICT,
                        "the profile of %s is in order: there is nothing to restore",
                        partition->view->name);
        else if (partition->profile_state == LP_PROFILE_STATE_CONFIG_LOST)
            /* What runs is the truth; only the next start has forgotten it. */
            metadata = partition->view->metadata;
        else if (!lp_journal_last_profile(api->journal, partition->uuid, &generation, &metadata))
            g_set_error(&error, LP_ERROR, LP_ERROR_NOT_ENABLED,
                        "lpard has never seen a usable profile of %s: run `lparctl enable %s`",
                        partition->view->name, partition->view->name);
    }
    if (error) {
        lp_call_fail(call, error);
        return;
    }
    change = new_change(call, LP_DEFINITION_RESTORE, partition->uuid, partition->view->name);
    change->definition->wanted_metadata = g_strdup(metadata);
    change->dry_run = dry_run;
    begin(change);
}

void
lp_api_post_start(LpCall *call)
{
    static const char *const known[] = {NULL};
    g_autoptr(GError) error = NULL;
    LpPartition *partition =
        lp_registry_find_enabled(call->api->registry, call->argument, &error);
    Change *change;

    if (partition && partition->view->run != LP_RUN_OFF)
        g_set_error(&error, LP_ERROR, LP_ERROR_CONFLICT, "%s is %s already",
                    partition->view->name, lp_run_state_name(partition->view->run));
    if (error || !lp_body_known(call->body, "", known, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = new_change(call, LP_DEFINITION_START, partition->uuid, partition->view->name);
    change->answer_partition = true;
    run(change, apply, on_applied);
}

/* The texts of a new domain; paths as the host has them. */
static bool
read_new(LpCall *call, LpDefinition *definition, GError **error)
{
    const struct {
        const char *field;
        char **text;
        bool path;
    } texts[] = {
        {"kernel", &definition->kernel, true}, {"initrd", &definition->initrd, true},
        {"disk", &definition->disk, true}, {"cmdline", &definition->cmdline, false},
        {"network", &definition->network, false},
    };
    bool has;

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        const char *text = NULL;

        if (!lp_body_text(call->body, "", texts[i].field, &has, &text, error))
            return false;
        if (text && texts[i].path && !g_path_is_absolute(text)) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                        "\"%s\" must be an absolute path on the host", texts[i].field);
            return false;
        }
        *texts[i].text = g_strdup(text);
    }
    if (!definition->kernel && !definition->disk) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "a new domain needs a \"kernel\" or a \"disk\" to boot from");
        return false;
    }
    return lp_body_bool(call->body, "", "start", &has, &definition->start, error);
}

static bool
name_is_free(LpCall *call, const char *name, GError **error)
{
    if (!lp_registry_find(call->api->registry, name, NULL))
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_CONFLICT,
                "there is a domain %s already: choose another name, or run `lparctl enable %s`",
                name, name);
    return false;
}

void
lp_api_post_partitions(LpCall *call)
{
    static const char *const known[] = {
        "name", "cpu", "mem", "entitled_centi", "weight", "capped", "cells", "n_cells", "kernel",
        "initrd", "cmdline", "disk", "network", "start", "dry_run", NULL};
    g_autoptr(GError) error = NULL;
    const char *name = NULL;
    Change *change;
    bool has;

    if (!lp_body_known(call->body, "", known, &error) ||
        !lp_body_text(call->body, "", "name", NULL, &name, &error) ||
        !name_is_free(call, name, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = new_change(call, LP_DEFINITION_NEW, NULL, name);
    change->definition->emulated = !lp_registry_host(call->api->registry)->kvm_usable;
    if (lp_profile_change_parse(call->body, &change->definition->change, &error) &&
        read_new(call, change->definition, &error) &&
        lp_body_bool(call->body, "", "dry_run", &has, &change->dry_run, &error))
        begin(change);
    else
        fail(change, error);
}
