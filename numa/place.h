/* Which guest cell (and so which host node) gives or receives.  Pure: values in, values out. */
#ifndef LP_NUMA_PLACE_H
#define LP_NUMA_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libvirt and QEMU accept at most 128 guest cells; lpard gives one per host node. */
#define LP_MAX_CELLS 64

/* One guest cell as a candidate. */
typedef struct {
    uint64_t room_bytes;      /* what the host node behind it can still give */
    uint64_t size_bytes;      /* what the cell has now */
    uint64_t grow_bytes;      /* what its device can still take */
    uint64_t shrink_bytes;    /* what its device can give back */
    uint64_t block_bytes;     /* step of its device, > 0 */
    int32_t node;             /* host node behind it; cells that share one share its room */
    uint32_t distance;        /* mean, of the partition's processors to that node, in hundredths: 1000 is
                                 local; 0: not known, and of no weight */
    uint64_t free_bytes;      /* what the node has free for anybody; 0: as room_bytes */
} LpPlaceCell;

/* Divides `bytes` of growth among the cells: each whole blocks of its cell, within grow_bytes
 * and its node's room.  The cell with most room is filled first among nodes; cells of one node
 * are levelled (smallest first), so that a guest's cells stay alike.  Writes each cell's share
 * and returns the sum, which is below `bytes` where room or devices do not suffice. */
uint64_t lp_place_grow(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes,
                       uint64_t *ret_shares);

/* The reverse: takes from the biggest cell first, within shrink_bytes. */
uint64_t lp_place_shrink(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes,
                         uint64_t *ret_shares);

/* Which cell the next vCPU should come from, so that vCPUs follow memory: the cell with the
 * fewest vCPUs per byte among those that have one free.  -1: none has. */
int lp_place_vcpu_add(const LpPlaceCell *cells, const uint32_t *n_running,
                      const uint32_t *n_free, size_t n_cells);
/* Which cell gives the next vCPU back (n_removable of it can leave).  -1: none can. */
int lp_place_vcpu_remove(const LpPlaceCell *cells, const uint32_t *n_running,
                         const uint32_t *n_removable, size_t n_cells);

#endif
