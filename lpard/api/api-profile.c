/* Requests to change definitions: define, enable, edit, hold, disable, restore, start. */
#include "lpard/api/api-change.h"
#include "lpard/body.h"
#include "lpard/api/export.h"

static bool
read_change(LpCall *call, LpProfileChange *ret_change, bool *ret_dry_run, GError **error)
{
    static const char *const known[] = {"cpu", "mem", "entitled_centi", "weight", "capped",
                                        "cells", "n_cells", "numa", "affinity_floor",
                                        "affinity_floor_action", "autoscale", "dry_run", NULL};
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
    LpApiChange *change;

    if (partition && partition->profile_state == LP_PROFILE_STATE_NONE)
        kind = LP_DEFINITION_ENABLE;
    else if (partition)
        partition = lp_registry_find_enabled(call->api->registry, call->argument, &error);
    if (!partition || !read_change(call, &wanted, &dry_run, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = lp_api_change_new(call, kind, partition->uuid, partition->view->name);
    change->definition->change = wanted;
    change->dry_run = dry_run;
    lp_api_change_begin(change);
}

static void
hold(LpCall *call, int64_t until_sec)
{
    g_autoptr(GError) error = NULL;
    LpPartition *partition =
        lp_registry_find_enabled(call->api->registry, call->argument, &error);
    LpApiChange *change;

    if (!partition) {
        lp_call_fail(call, error);
        return;
    }
    change = lp_api_change_new(call, LP_DEFINITION_EDIT, partition->uuid, partition->view->name);
    change->definition->change.has_hold = true;
    change->definition->change.hold_until_sec = until_sec;
    change->answer_partition = true;
    lp_api_change_begin(change);
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
    LpApiChange *change;

    if (partition && partition->profile_state == LP_PROFILE_STATE_NONE)
        g_set_error(&error, LP_ERROR, LP_ERROR_NOT_ENABLED, "%s has no profile to take away",
                    partition->view->name);
    if (error || !lp_call_query_flag(call, "dry_run", &dry_run, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = lp_api_change_new(call, LP_DEFINITION_DISABLE, partition->uuid, partition->view->name);
    change->dry_run = dry_run;
    lp_api_change_begin(change);
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
    LpApiChange *change;

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
    change = lp_api_change_new(call, LP_DEFINITION_RESTORE, partition->uuid, partition->view->name);
    change->definition->wanted_metadata = g_strdup(metadata);
    change->dry_run = dry_run;
    lp_api_change_begin(change);
}

void
lp_api_post_start(LpCall *call)
{
    static const char *const known[] = {NULL};
    g_autoptr(GError) error = NULL;
    LpPartition *partition =
        lp_registry_find_enabled(call->api->registry, call->argument, &error);
    LpApiChange *change;

    if (partition && partition->view->run != LP_RUN_OFF)
        g_set_error(&error, LP_ERROR, LP_ERROR_CONFLICT, "%s is %s already",
                    partition->view->name, lp_run_state_name(partition->view->run));
    if (error || !lp_body_known(call->body, "", known, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = lp_api_change_new(call, LP_DEFINITION_START, partition->uuid, partition->view->name);
    change->answer_partition = true;
    lp_api_change_begin(change);
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
        "name", "cpu", "mem", "entitled_centi", "weight", "capped", "cells", "n_cells",
        "numa", "affinity_floor", "affinity_floor_action", "autoscale", "kernel", "initrd", "cmdline",
        "disk", "network", "start", "dry_run", NULL};
    g_autoptr(GError) error = NULL;
    const char *name = NULL;
    LpApiChange *change;
    bool has;

    if (!lp_body_known(call->body, "", known, &error) ||
        !lp_body_text(call->body, "", "name", NULL, &name, &error) ||
        !name_is_free(call, name, &error)) {
        lp_call_fail(call, error);
        return;
    }
    change = lp_api_change_new(call, LP_DEFINITION_NEW, NULL, name);
    change->definition->emulated = !lp_registry_host(call->api->registry)->kvm_usable;
    if (lp_profile_change_parse(call->body, &change->definition->change, &error) &&
        read_new(call, change->definition, &error) &&
        lp_body_bool(call->body, "", "dry_run", &has, &change->dry_run, &error))
        lp_api_change_begin(change);
    else
        lp_api_change_fail(change, error);
}
