/* The host as a definition's placement sees it. */
#include "lpard/api/api-change.h"

#include <string.h>

static void
take(LpLayoutUse *use, uint64_t bytes, uint32_t vcpus)
{
    use->free_bytes -= MIN(use->free_bytes, bytes);
    use->vcpus += vcpus;
}

/* What a partition that is off will take when it is started, by its definition. */
static void
take_desired(const LpProfile *profile, const LpTopology *topology, LpLayoutUse *later)
{
    for (uint32_t i = 0; i < profile->n_cells; i++) {
        int index = profile->cell_node[i] < 0
                        ? -1 : lp_topology_find(topology, (uint32_t)profile->cell_node[i]);

        if (index >= 0)
            take(&later[index], profile->mem.desired_bytes / profile->n_cells,
                 profile->cpu.desired / profile->n_cells);
    }
}

void
lp_api_placement_host(LpApi *api, const char *uuid, LpPlacementHost *ret_host)
{
    const LpPartition *own = uuid ? lp_registry_by_uuid(api->registry, uuid) : NULL;
    g_autoptr(GPtrArray) partitions = lp_registry_list(api->registry);
    g_autofree LpRoom *room = g_new0(LpRoom, 1);

    ret_host->topology = lp_registry_host(api->registry)->topology;
    lp_registry_layout_use(api->registry, ret_host->use);
    lp_registry_room(api->registry, own, room);
    for (uint32_t i = 0; i < ret_host->topology.n_nodes; i++)
        ret_host->use[i].free_bytes = room->node_room_bytes[i];
    memcpy(ret_host->later, ret_host->use, sizeof ret_host->later);
    for (guint i = 0; i < partitions->len; i++) {
        const LpPartition *partition = g_ptr_array_index(partitions, i);

        if (partition != own && partition->view->run == LP_RUN_OFF &&
            lp_partition_has_profile(partition) && partition->starting_bytes == 0)
            take_desired(&partition->profile, &ret_host->topology, ret_host->later);
    }
}
