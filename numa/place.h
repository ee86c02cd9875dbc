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
    uint32_t distance;        /* mean, of the partition's processors to the node (to grow) or to where
                                 the cell's memory lies (to shrink), in hundredths: 1000 is local; 0:
                                 not known, and of no weight */
    uint64_t free_bytes;      /* what the node has free for anybody; 0: as room_bytes */
    uint32_t vcpus;           /* of the cell that run; 0 in all cells: not known, and of no weight */
    bool outside;             /* its rule would rather not have it there: last to grow, first to
                                 shrink */
} LpPlaceCell;

/* What makes a node the worse to take memory from, each in thousandths for the whole of what it
 * names.  Distance comes before all else, for the host's other wishes only move memory about, while a
 * far access is paid for as long as the partition runs. */
typedef struct {
    uint32_t distance;        /* farther than the nearest by as much as local memory is away */
    uint32_t uneven;          /* its cells have all the partition's memory, and none of its vCPUs */
    uint32_t split;           /* nothing of the growth fits there: the rest is taken elsewhere */
    uint32_t hole;            /* all that was free there is left, in the biggest piece: a growth
                                 belongs where it fits closely, so that the big ones stay whole */
    uint32_t reserve;         /* nothing is left there for a growth like this one */
} LpPlaceWeights;
extern const LpPlaceWeights lp_place_weights;

/* Distances that differ by less are the same to a shrink: a tenth of local. */
#define LP_PLACE_NEAR 100

/* Divides `bytes` of growth among the cells: each whole blocks of its cell, within grow_bytes and its
 * node's room.  Nodes are filled one after the other, the one that leaves the host best off first
 * (lp_place_weights; weighed again for what remains); cells of one node are levelled (smallest
 * first), so that a guest's cells stay alike.  Writes each cell's share and returns the sum, which is
 * below `bytes` where room or devices do not suffice. */
uint64_t lp_place_grow(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes,
                       uint64_t *ret_shares);

/* The same with all cells levelled, whatever their nodes, as far as each node has room: for what is
 * to be spread. */
uint64_t lp_place_level(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes,
                        uint64_t *ret_shares);

/* For what is not there yet, where nobody knows what room there will be: memory follows the vCPUs that
 * will run (`vcpus`), as far as the devices hold it; all cells alike where none is known. */
uint64_t lp_place_start(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes,
                        uint64_t *ret_shares);

/* The reverse: takes from the remotest cells first (LP_PLACE_NEAR), from the biggest of equally
 * remote ones, within shrink_bytes. */
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
