/* What there is: domains and partitions. */
#include "lpard/api/api-private.h"
#include "lpard/api/check.h"
#include "lpard/api/export.h"
#include "lpard/optimize/optimize.h"

json_t *
lp_api_partition_json(LpApi *api, const LpPartition *partition)
{
    LpExportFacts facts = {
        .overhead_bytes = api->settings->overhead_bytes, .now_usec = g_get_monotonic_time(),
        .operations_open = lp_engine_lane_depth(api->engine, partition->uuid),
        .stuck = lp_engine_lane_stuck(api->engine, partition->uuid),
        .connected = lp_registry_connected(api->registry),
        .score = api->optimizer ? lp_optimizer_score_of(api->optimizer, partition) : NULL,
    };

    return lp_export_partition(partition, &facts);
}

void
lp_api_get_domains(LpCall *call)
{
    g_autoptr(GPtrArray) list = lp_registry_list(call->api->registry);
    json_t *domains = json_array();

    for (guint i = 0; i < list->len; i++)
        json_array_append_new(domains, lp_export_domain(g_ptr_array_index(list, i)));
    lp_call_answer(call, SOUP_STATUS_OK, json_pack("{s:o, s:b}", "domains", domains, "connected",
                             lp_registry_connected(call->api->registry)));
}

void
lp_api_get_partitions(LpCall *call)
{
    g_autoptr(GPtrArray) list = lp_registry_list(call->api->registry);
    json_t *partitions = json_array();

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *partition = g_ptr_array_index(list, i);

        if (partition->profile_state != LP_PROFILE_STATE_NONE)
            json_array_append_new(partitions, lp_api_partition_json(call->api, partition));
    }
    lp_call_answer(call, SOUP_STATUS_OK,
                   json_pack("{s:o, s:b}", "partitions", partitions, "connected",
                             lp_registry_connected(call->api->registry)));
}

/* A partition however bad its profile: to see it is how one learns what is wrong. */
static const LpPartition *
find(LpCall *call, GError **error)
{
    const LpPartition *partition = lp_registry_find(call->api->registry, call->argument, error);

    if (partition && partition->profile_state == LP_PROFILE_STATE_NONE) {
        g_set_error(error, LP_ERROR, LP_ERROR_NOT_ENABLED,
                    "%s is a domain without a profile: run `lparctl enable %s` to make it a "
                    "partition", partition->view->name, partition->view->name);
        return NULL;
    }
    return partition;
}

void
lp_api_get_partition(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    const LpPartition *partition = find(call, &error);

    if (partition)
        lp_call_answer(call, SOUP_STATUS_OK, lp_api_partition_json(call->api, partition));
    else
        lp_call_fail(call, error);
}

void
lp_api_get_profile(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    const LpPartition *partition =
        lp_registry_find_enabled(call->api->registry, call->argument, &error);

    if (partition)
        lp_call_answer(call, SOUP_STATUS_OK, lp_export_profile(&partition->profile));
    else
        lp_call_fail(call, error);
}

void
lp_api_get_check(LpCall *call)
{
    LpApi *api = call->api;
    g_autoptr(GError) error = NULL;
    const LpPartition *partition = find(call, &error);

    if (!partition) {
        lp_call_fail(call, error);
        return;
    }
    lp_call_answer(call, SOUP_STATUS_OK,
                   json_pack("{s:s, s:o}", "partition", partition->view->name, "checks",
                             lp_check_partition(partition, lp_registry_host(api->registry))));
}

void
lp_api_get_guest(LpCall *call)
{
    g_autoptr(GError) error = NULL;
    const LpPartition *partition = find(call, &error);

    if (partition)
        lp_call_answer(call, SOUP_STATUS_OK,
                       lp_export_guest(partition, g_get_monotonic_time()));
    else
        lp_call_fail(call, error);
}
