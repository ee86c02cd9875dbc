/* How the guest's memory is spread over the kernel's zones, for the choice of a zone for a block
 * that arrives.
 *
 * As Linux's own "auto-movable" policy counts (auto_movable_ratio in
 * Documentation/admin-guide/mm/memory-hotplug.rst): present pages, of ZONE_MOVABLE and of CMA
 * against those of the other zones, in all and in the block's node.  Linux counts hotplugged
 * memory in a kernel zone only for the device that it belongs to; here it counts for all, since a
 * partition grows by one device a cell. */
#ifndef LP_AGENT_ZONES_H
#define LP_AGENT_ZONES_H

#include <stdbool.h>
#include <stdint.h>

/* As many cells as the wire knows. */
#define LP_ZONES_NODES 64

typedef struct {
    uint64_t kernel_bytes, movable_bytes;
} LpZoneSum;

typedef struct {
    LpZoneSum all;
    LpZoneSum nodes[LP_ZONES_NODES];
} LpZones;

/* False if /proc/zoneinfo cannot be read. */
bool lp_zones_read(const char *procfs, LpZones *ret_zones);
/* Whether `bytes` more in the movable zone of `node` stay within ratio_percent of movable to
 * kernel memory; a node that is not known (-1) is not looked at. */
bool lp_zones_fits_movable(const LpZones *zones, int node, uint64_t bytes,
                           uint32_t ratio_percent);
/* A block has come online. */
void lp_zones_add(LpZones *zones, int node, uint64_t bytes, bool movable);

#endif
