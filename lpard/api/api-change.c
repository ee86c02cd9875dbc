/* The course of a change of a definition, from a request to its answer. */
#include "lpard/api/api-change.h"

#include <string.h>

#include "lpard/api/api-work.h"
#include "lpard/api/export.h"

/* A resize may have the lane between the two halves; more often than this is a busy script. */
#define TRIES_MAX 5

/* While both halves are under way, journal and domain differ because lpard makes them: that is
 * no loss to tell of.  And what is being started is not there yet for the account to see. */
static void
note_partition(LpApiChange *change, bool begins)
{
    const LpDefinition *definition = change->definition;
    LpPartition *partition;

    if (begins == change->noted || change->dry_run || change->call->api->closed)
        return;
    change->noted = begins;
    partition = definition->uuid && definition->kind != LP_DEFINITION_NEW
                    ? lp_registry_by_uuid(change->call->api->registry, definition->uuid) : NULL;
    if (!partition)
        return;
    if (begins) {
        partition->defining++;
        return;
    }
    if (definition->kind == LP_DEFINITION_START) {
        partition->starting_bytes = partition->starting_centi = 0;
        lp_registry_count(change->call->api->registry, partition);
    }
    /* What was seen meanwhile is seen again, and judged. */
    if (partition->defining > 0 && --partition->defining == 0)
        lp_registry_look(change->call->api->registry, partition->uuid);
}

/* From admission on, so that two starts at once cannot be promised the same room. */
static void
promise(const LpApiChange *change)
{
    const LpDefinition *definition = change->definition;
    LpPartition *partition = lp_registry_by_uuid(change->call->api->registry, definition->uuid);

    if (!partition)
        return;
    partition->starting_bytes = definition->boot_bytes;
    partition->starting_centi = definition->profile.capacity.entitled_centi;
    lp_registry_count(change->call->api->registry, partition);
}

static void
free_change(LpApiChange *change)
{
    note_partition(change, false);
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

void
lp_api_change_fail(LpApiChange *change, const GError *error)
{
    lp_call_fail(change->call, error);
    free_change(change);
}

LpApiChange *
lp_api_change_new(LpCall *call, LpDefinitionKind kind, const char *uuid, const char *name)
{
    LpApiChange *change = g_new0(LpApiChange, 1);

    change->call = lp_call_later(call);
    change->definition = lp_definition_new(kind, uuid, name);
    lp_api_placement_host(call->api, uuid, &change->definition->host);
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
definition_json(const LpApiChange *change)
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
answer(LpApiChange *change)
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
put_back(const LpApiChange *change)
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
load_saved(LpApiChange *change)
{
    LpDefinition *definition = change->definition;

    g_free(definition->saved);
    definition->saved = lp_journal_saved_xml(change->call->api->journal, definition->uuid, NULL);
}

/* The record that `disable` will go by, after this change; NULL: as it is.  Caller frees. */
static char *
new_record(LpApiChange *change)
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
    LpApiChange *change = data;

    (void)error;
    if (change->call->api->closed) {
        free_change(change);
        return;
    }
    /* Only now does the registry judge what it sees by what the journal knows. */
    note_partition(change, false);
    lp_registry_update(change->call->api->registry, change->definition->uuid,
                       g_steal_pointer(&change->definition->view));
    answer(change);
}

/* What later needs to be known of it; then answers. */
static void
remember(LpApiChange *change)
{
    LpJournal *journal = change->call->api->journal;
    const LpDefinition *definition = change->definition;
    g_autofree char *record = new_record(change);

    if (definition->kind == LP_DEFINITION_NEW) {
        lp_journal_put_profile(journal, definition->uuid, definition->profile.generation,
                               definition->metadata, on_recorded, change);
    } else if (definition->kind == LP_DEFINITION_DISABLE) {
        lp_journal_forget_saved_xml(journal, definition->uuid);
        on_recorded(NULL, change);
    } else if (record) {
        lp_journal_put_saved_xml(journal, definition->uuid, record, on_recorded, change);
    } else {
        on_recorded(NULL, change);
    }
}

static void
on_applied(const GError *error, void *data, void *user)
{
    LpApiChange *change = user;
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
        lp_api_change_fail(change, error);
        return;
    }
    if (definition->changed_meanwhile) {
        put_back(change);
        lp_api_change_begin(change);
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
run(LpApiChange *change, LpDefinitionFunc func, LpWorkDone done)
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
        lp_api_change_fail(change, error);
}

static void
on_profile_durable(const GError *error, void *data)
{
    LpApiChange *change = data;

    if (change->call->api->closed)
        free_change(change);
    else if (error)
        lp_api_change_fail(change, error);
    else
        run(change, apply, on_applied);
}

static void
put_profile(LpApiChange *change)
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
    LpApiChange *change = data;

    if (change->call->api->closed)
        free_change(change);
    else if (error)
        lp_api_change_fail(change, error);
    else
        put_profile(change);
}

static void
on_prepared(const GError *error, void *data, void *user)
{
    LpApiChange *change = user;
    const LpDefinition *definition = data;
    g_autoptr(GError) refused = NULL;

    if (change->call->api->closed) {
        free_change(change);
    } else if (error) {
        lp_api_change_fail(change, error);
    } else if (!lp_api_change_fits(change, &refused)) {
        lp_api_change_fail(change, refused);
    } else if (change->dry_run) {
        answer(change);
    } else if (definition->kind == LP_DEFINITION_ENABLE) {
        g_autofree char *record = lp_definition_record(definition->before, NULL);

        lp_journal_put_saved_xml(change->call->api->journal, definition->uuid, record,
                                 on_saved_durable, change);
    } else if (definition->kind == LP_DEFINITION_NEW) {
        run(change, apply, on_applied);
    } else if (definition->kind == LP_DEFINITION_START) {
        promise(change);
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

void
lp_api_change_begin(LpApiChange *change)
{
    LpDefinition *definition = change->definition;
    const char *metadata;

    note_partition(change, true);
    if (change->tries++ >= TRIES_MAX) {
        g_autoptr(GError) error = g_error_new(
            LP_ERROR, LP_ERROR_CONFLICT, "%s is changed by others all the time: try again when "
            "its other operations have ended", definition->name);

        lp_api_change_fail(change, error);
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

