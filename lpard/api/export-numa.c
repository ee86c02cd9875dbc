/* The host's nodes, and who lies where, as the JSON of the API. */
#include <string.h>

#include "lpard/api/export.h"

static json_t *
integer(uint64_t number)
{
    return json_integer((json_int_t)MIN(number, (uint64_t)INT64_MAX));
}

static json_t *
node_json(const LpNode *node, const LpExportNode *use)
{
    char cpus[LP_CPUMASK_TEXT];

    return json_pack("{s:i, s:i, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}",
                     "id", (int)node->id, "package", (int)node->package,
                     "tier", (unsigned)node->tier < LP_TIERS ? lp_tier_names[node->tier]
                                                             : lp_tier_names[LP_TIER_NORMAL],
                     "cpus", lp_cpumask_format(&node->cpus, cpus, sizeof cpus),
                     "n_cpus", (int)lp_cpumask_count(&node->cpus),
                     "memory_bytes", integer(node->memory_bytes),
                     "memory_cache_bytes", integer(node->memory_cache_bytes),
                     "granted_bytes", integer(use->granted_bytes),
                     "free_bytes", integer(use->use.free_bytes),
                     "reserve_bytes", integer(use->use.reserve_bytes));
}

json_t *
lp_export_topology(const LpTopology *topology, const LpExportNode *uses)
{
    json_t *nodes = json_array();
    json_t *distances = json_array();

    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        json_t *row = json_array();

        json_array_append_new(nodes, node_json(&topology->nodes[i], &uses[i]));
        for (uint32_t j = 0; j < topology->n_nodes; j++)
            json_array_append_new(row, json_integer(topology->distance[i][j]));
        json_array_append_new(distances, row);
    }
    return json_pack("{s:o, s:o, s:b, s:i, s:i, s:i, s:i, s:i, s:i}", "nodes", nodes,
                     "distances", distances, "distances_known", topology->distances_known,
                     "packages", (int)topology->n_packages, "cores", (int)topology->n_cores,
                     "cpus", (int)topology->n_cpus,
                     "nodes_offline", (int)topology->n_nodes_offline,
                     "cpus_offline", (int)topology->n_cpus_offline,
                     "cpus_forbidden", (int)topology->n_cpus_forbidden);
}

#define WHOLE_PERMYRIAD 10000

/* What one domain has on each node, by the index of nodes[]. */
typedef struct {
    uint64_t bytes[LP_MAX_NODES];
    uint32_t cpu_permyriad[LP_MAX_NODES];
} Lies;

/* Its vCPUs as its score counts them: one rule for all that is shown of a domain. */
static void
measured(const LpLocality *locality, const json_t *score, const LpTopology *topology, Lies *lies)
{
    const json_t *nodes = json_object_get(score, "nodes"), *each;
    size_t k;

    for (uint32_t p = 0; p < locality->n_parts; p++)
        for (uint32_t i = 0; i < topology->n_nodes; i++)
            lies->bytes[i] += locality->parts[p].on_bytes[i];
    json_array_foreach(nodes, k, each) {
        json_int_t id = json_integer_value(json_object_get(each, "node"));
        int i = lp_topology_find(topology, (uint32_t)id);

        if (i >= 0)
            lies->cpu_permyriad[i] =
                (uint32_t)json_integer_value(json_object_get(each, "cpu_permyriad"));
    }
}

static void
by_definition(const LpView *view, const LpTopology *topology, Lies *lies)
{
    uint32_t all = lp_cpumask_count(&view->plugged);

    for (uint32_t c = 0; c < view->n_cells; c++) {
        const LpViewCell *cell = &view->cells[c];
        int node = cell->home < 0 ? -1 : lp_topology_find(topology, (uint32_t)cell->home);
        LpCpuMask plugged = cell->vcpus;

        if (node < 0)
            continue;
        for (size_t w = 0; w < G_N_ELEMENTS(plugged.words); w++)
            plugged.words[w] &= view->plugged.words[w];
        lies->bytes[node] += cell->base_bytes + MAX(cell->requested_bytes, cell->current_bytes);
        if (all > 0)
            lies->cpu_permyriad[node] += lp_cpumask_count(&plugged) * WHOLE_PERMYRIAD / all;
    }
}

static json_t *
domain_json(const LpPartition *partition, const json_t *score, const LpTopology *topology)
{
    g_autofree Lies *lies = g_new0(Lies, 1);
    g_autofree char *name = g_utf8_make_valid(partition->view->name ? partition->view->name : "",
                                              -1);
    json_t *nodes = json_array();

    if (partition->locality)
        measured(partition->locality, score, topology, lies);
    else
        by_definition(partition->view, topology, lies);
    for (uint32_t i = 0; i < topology->n_nodes; i++) {
        if (lies->bytes[i] || lies->cpu_permyriad[i])
            json_array_append_new(nodes, json_pack("{s:i, s:o, s:i}",
                                                   "node", (int)topology->nodes[i].id,
                                                   "bytes", integer(lies->bytes[i]),
                                                   "cpu_permyriad", (int)lies->cpu_permyriad[i]));
    }
    return json_pack("{s:s, s:s, s:b, s:b, s:i, s:o}", "partition", name, "uuid", partition->uuid,
                     "managed", partition->profile_state != LP_PROFILE_STATE_NONE,
                     "measured", partition->locality != NULL,
                     "vcpus", (int)lp_cpumask_count(&partition->view->plugged), "nodes", nodes);
}

json_t *
lp_export_contents(const GPtrArray *domains, const LpTopology *topology, LpExportScoreFunc score_of,
                   void *data)
{
    json_t *contents = json_array();

    for (guint i = 0; i < domains->len; i++) {
        const LpPartition *partition = g_ptr_array_index(domains, i);
        json_t *score;

        if (partition->view->run == LP_RUN_OFF)
            continue;
        score = partition->locality ? score_of(partition, data) : NULL;
        json_array_append_new(contents, domain_json(partition, score, topology));
        json_decref(score);
    }
    return contents;
}
