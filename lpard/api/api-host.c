/* The daemon itself, the host, the metrics, and the description of this API. */
#include <string.h>

#include "config.h"
#include "lpard/api/api-private.h"
#include "lpard/api/api-work.h"
#include "lpard/api/export.h"
#include "lpard/api/metrics.h"
#include "lpard/api/openapi.h"
#include "lpard/optimize/optimize.h"

/* The version in the paths. */
#define API_VERSION 1

typedef struct {
    char *text;
} Description;

static void
clear_description(void *data)
{
    Description *description = data;

    g_free(description->text);
}

static void *
ref_description(void *data)
{
    return g_atomic_rc_box_acquire(data);
}

static void
unref_description(void *data)
{
    g_atomic_rc_box_release_full(data, clear_description);
}

static bool
describe(const LpDriver *driver, LpConn *conn, void *data, GError **error)
{
    Description *description = data;

    description->text = driver->describe(conn, error);
    return description->text != NULL;
}

static void
described(const GError *error, void *data, void *user)
{
    const Description *description = data;
    LpApi *api = user;

    /* The old word is kept: it says what was there while it is away. */
    if (!error) {
        g_free(api->hypervisor);
        api->hypervisor = g_utf8_make_valid(description->text, -1);
    }
    lp_api_unref(api);
}

void
lp_api_ask_hypervisor(LpApi *api)
{
    Description *description = g_atomic_rc_box_new0(Description);

    if (!lp_api_work(api, NULL, "describe", describe, description, ref_description,
                     unref_description, described, lp_api_ref(api), NULL))
        lp_api_unref(api);
    unref_description(description);
}

void
lp_api_get_root(LpCall *call)
{
    LpApi *api = call->api;
    const char *message = NULL;
    bool healthy = lp_journal_healthy(api->journal, &message);
    g_autoptr(GPtrArray) owned = lp_access_owned(api->access, call->caller->grant);
    json_t *owns = json_array();

    /* It could not be asked when lpard started: the next time it is known. */
    if (!api->hypervisor)
        lp_api_ask_hypervisor(api);
    for (guint i = 0; i < owned->len; i++)
        json_array_append_new(owns, json_string(g_ptr_array_index(owned, i)));
    lp_call_answer(call, SOUP_STATUS_OK, json_pack(
        "{s:s, s:s, s:i, s:s, s:b, s:s?, s:s, s:o, s:{s:b, s:s?}, s:i, s:o}",
        "name", "lpard", "version", PACKAGE_VERSION, "api", API_VERSION,
        "uri", lp_registry_uri(api->registry),
        "connected", lp_registry_connected(api->registry), "hypervisor", api->hypervisor,
        "role", lp_role_name(call->caller->grant.role), "owns", owns,
        "journal", "healthy", healthy, "message", healthy ? NULL : message,
        "stuck_lanes", (int)lp_registry_n_stuck(api->registry), "sandbox", lp_export_sandbox()));
}

/* Memory of each node, by the nodes' order in the topology. */
static void
use_by_node(LpApi *api, const GPtrArray *list, const LpTopology *topology,
            LpExportNode ret_nodes[LP_MAX_NODES])
{
    LpNodeUse uses[LP_MAX_NODES];

    memset(ret_nodes, 0, LP_MAX_NODES * sizeof *ret_nodes);
    lp_registry_nodes(api->registry, uses);
    for (uint32_t i = 0; i < topology->n_nodes; i++)
        ret_nodes[i].use = uses[i];
    for (guint i = 0; i < list->len; i++) {
        const LpView *view = ((const LpPartition *)g_ptr_array_index(list, i))->view;

        for (uint32_t c = 0; view->run != LP_RUN_OFF && c < view->n_cells; c++) {
            const LpViewCell *cell = &view->cells[c];
            int index = cell->home < 0 ? -1 : lp_topology_find(topology, (uint32_t)cell->home);

            if (index >= 0)
                ret_nodes[index].granted_bytes += cell->base_bytes +
                                                  MAX(cell->requested_bytes, cell->current_bytes);
        }
    }
}

/* By what runs; with nothing running by the connection, since a user's session has no cgroups. */
static bool
cpu_enforced(LpApi *api)
{
    g_autoptr(GPtrArray) list = lp_registry_list(api->registry);
    bool any_runs = false;

    for (guint i = 0; i < list->len; i++) {
        const LpView *view = ((const LpPartition *)g_ptr_array_index(list, i))->view;

        if (view->run != LP_RUN_OFF && view->cgroup != LP_CGROUP_NONE)
            return true;
        any_runs = any_runs || view->run != LP_RUN_OFF;
    }
    return !any_runs && !g_str_has_suffix(lp_registry_uri(api->registry), "/session");
}

static json_t *
score_of(const LpPartition *partition, void *data)
{
    LpApi *api = data;

    return api->optimizer ? lp_optimizer_score_of(api->optimizer, partition) : NULL;
}

void
lp_api_get_host(LpCall *call)
{
    LpApi *api = call->api;
    const LpHost *host = lp_registry_host(api->registry);
    g_autoptr(GPtrArray) list = lp_registry_list(api->registry);
    g_autoptr(GError) error = NULL;
    LpExportNode nodes[LP_MAX_NODES];
    LpOptimizerFigures figures = {.host_centi = LP_SCORE_NONE};
    bool contents = false;
    LpHostUse use;
    json_t *json;

    if (!lp_call_query_flag(call, "contents", &contents, &error)) {
        lp_call_fail(call, error);
        return;
    }
    lp_registry_use(api->registry, &use);
    use_by_node(api, list, &host->topology, nodes);
    if (api->optimizer)
        lp_optimizer_figures(api->optimizer, &figures);
    json = lp_export_host(lp_registry_uri(api->registry), lp_registry_connected(api->registry),
                          cpu_enforced(api), host, &use, nodes, figures.host_centi);
    if (contents)
        json_object_set_new(json, "contents",
                            lp_export_contents(list, &host->topology, score_of, api));
    lp_call_answer(call, SOUP_STATUS_OK, json);
}

void
lp_api_get_metrics(LpCall *call)
{
    LpApi *api = call->api;
    g_autoptr(GPtrArray) list = lp_registry_list(api->registry);
    g_autoptr(GPtrArray) operations = lp_engine_list(api->engine);
    g_autofree char *text = NULL;
    g_autoptr(GPtrArray) scores = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    LpOptimizerFigures figures = {.host_centi = LP_SCORE_NONE};
    LpMetricsAffinity affinity;
    LpHostUse use;
    LpMetrics metrics = {
        .partitions = list, .operations = operations, .use = &use, .counts = api->counts,
        .consent = lp_engine_consent_counts(api->engine), .scaler = api->scaler,
        .connected = lp_registry_connected(api->registry),
        .journal_healthy = lp_journal_healthy(api->journal, NULL),
        .n_stuck = lp_registry_n_stuck(api->registry), .n_streams = api->streams->len,
        .n_connections = lp_door_n_callers(api->door),
        .version = PACKAGE_VERSION,
    };

    if (api->optimizer) {
        lp_optimizer_figures(api->optimizer, &figures);
        for (guint i = 0; i < list->len; i++) {
            const LpPartition *partition = g_ptr_array_index(list, i);
            json_t *score = partition->profile_state == LP_PROFILE_STATE_NONE
                                ? NULL : lp_optimizer_score_of(api->optimizer, partition);

            if (score)
                g_ptr_array_add(scores, score);
        }
        affinity = (LpMetricsAffinity){scores, figures.host_centi, figures.moved_bytes,
                                       figures.runs};
        metrics.affinity = &affinity;
    }
    lp_registry_use(api->registry, &use);
    text = lp_metrics_text(&metrics);
    lp_call_answer_text(call, SOUP_STATUS_OK, "text/plain; version=0.0.4; charset=utf-8", text,
                        strlen(text));
}

void
lp_api_get_openapi(LpCall *call)
{
    lp_call_answer_text(call, SOUP_STATUS_OK, "application/json", lp_openapi_text,
                        lp_openapi_length);
}
