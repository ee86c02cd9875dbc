/* Between placement's files: levelling (place-levels.c), for nodes and cells (place.c). */
#ifndef LP_NUMA_PLACE_PRIV_H
#define LP_NUMA_PLACE_PRIV_H

#include "numa/place.h"

/* The cells being levelled, in an order of their own (by node, then by what they are), so that
 * the result does not depend on the order in which the caller lists them. */
typedef struct {
    size_t n;
    size_t index[LP_MAX_CELLS];      /* into the caller's arrays */
    uint64_t level[LP_MAX_CELLS];    /* size before; for a shrink counted from above */
    uint64_t limit[LP_MAX_CELLS];    /* whole blocks */
    uint64_t block[LP_MAX_CELLS];
    uint64_t share[LP_MAX_CELLS];
} LpPlaceLevels;

/* Adds a cell in its place: lowest first, and by its other properties where that is equal. */
void lp_place_levels_insert(LpPlaceLevels *levels, size_t index, uint64_t level, uint64_t limit,
                            uint64_t block);
/* Gives out `budget` block by block to whichever cell is then lowest, as far as it goes.  Returns what
 * was given. */
uint64_t lp_place_level_out(LpPlaceLevels *levels, uint64_t budget);
/* Writes the shares of those cells, and no others'. */
void lp_place_levels_store(const LpPlaceLevels *levels, uint64_t *ret_shares);

#endif
