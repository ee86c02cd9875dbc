/* The guest's memory blocks: bringing online those that arrive.
 *
 * Blocks that virtio-mem takes away go offline and disappear by the driver's own doing; nothing
 * here ever takes a block offline. */
#ifndef LP_AGENT_MEM_H
#define LP_AGENT_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct {
    const char *sysfs;
    LpWireMemPolicy policy;
    uint64_t block_bytes;          /* 0: this kernel has no memory blocks */
    uint64_t offline_blocks;       /* as of the last count */
    bool stale;                    /* blocks came, went or changed since */
} LpMemory;

void lp_memory_init(LpMemory *memory, const char *sysfs);
/* Brings one block online by policy, unless it is not offline or the kernel does it itself. */
void lp_memory_arrived(LpMemory *memory, uint32_t block);
/* The same for every block; returns how many failed, and says of the first why. */
unsigned lp_memory_sweep(LpMemory *memory, char *error, size_t error_size);
/* Bytes in blocks that are present and not online; counts anew if stale. */
uint64_t lp_memory_offline_bytes(LpMemory *memory);

#endif
