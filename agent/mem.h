/* The guest's memory blocks: bringing online those that arrive.
 *
 * A block goes to the movable zone if it is to leave again, for only there the kernel keeps out
 * what cannot be moved.  But the kernel itself lives in the other zones, the map of all memory
 * (1/64 of it) included: LP_WIRE_MEM_AUTO gives them their share (zones.h), or leaves the choice to
 * the kernel where its own policy does the same.  A block's NUMA node is the firmware's word.
 *
 * Blocks that virtio-mem takes away go offline and disappear by the driver's own doing; nothing
 * here ever takes a block offline. */
#ifndef LP_AGENT_MEM_H
#define LP_AGENT_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/conf.h"
#include "agent/wire/wire.h"
#include "agent/zones.h"

typedef struct {
    const char *sysfs, *procfs;
    const LpConf *conf;
    LpWireMemPolicy policy;
    uint64_t block_bytes;          /* 0: this kernel has no memory blocks */
    uint64_t offline_blocks;       /* as of the last count */
    bool stale;                    /* blocks came, went or changed since */
} LpMemory;

/* What is pointed to must outlive *memory; conf may change meanwhile. */
void lp_memory_init(LpMemory *memory, const char *sysfs, const char *procfs, const LpConf *conf);
/* Brings these blocks online by policy, except those that are not offline; none if the kernel does
 * it itself. */
void lp_memory_arrived(LpMemory *memory, const uint32_t *blocks, unsigned n_blocks);
/* The same for every block; returns how many failed, and says of the first why. */
unsigned lp_memory_sweep(LpMemory *memory, char *error, size_t error_size);
/* Bytes in blocks that are present and not online; counts anew if stale. */
uint64_t lp_memory_offline_bytes(LpMemory *memory);

#endif
