/* Placement by levels: what a node gives is spread so that its cells end up alike. */
#include "numa/place.h"

#include <string.h>

/* The cells being levelled, in an order of their own (by node, then by what they are), so that
 * the result does not depend on the order in which the caller lists them. */
typedef struct {
    size_t n;
    size_t index[LP_MAX_CELLS];      /* into the caller's arrays */
    uint64_t level[LP_MAX_CELLS];    /* size before; for a shrink counted from above */
    uint64_t limit[LP_MAX_CELLS];    /* whole blocks */
    uint64_t block[LP_MAX_CELLS];
    uint64_t share[LP_MAX_CELLS];
} Levels;

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether cell i can take one block more out of `budget`. */
static bool
is_eligible(const Levels *levels, size_t i, uint64_t budget)
{
    return levels->block[i] <= budget && levels->limit[i] - levels->share[i] >= levels->block[i];
}

/* Whether filling the eligible cells up to `top` stays within the budget; and if so, what that
 * gives each beyond its share, and in all. */
static bool
try_top(const Levels *levels, uint64_t top, uint64_t budget, uint64_t *ret_extra,
        uint64_t *ret_sum)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < levels->n; i++) {
        uint64_t level = levels->level[i] + levels->share[i], extra = 0;

        if (is_eligible(levels, i, budget) && top > level) {
            extra = top - level;
            extra -= extra % levels->block[i];
            extra = min_u64(extra, levels->limit[i] - levels->share[i]);
        }
        if (extra > budget - sum)
            return false;
        sum += extra;
        ret_extra[i] = extra;
    }
    *ret_sum = sum;
    return true;
}

/* Fills up to the highest top that the budget reaches: what each cell gains, and the sum. */
static uint64_t
find_stride(const Levels *levels, uint64_t budget, uint64_t *ret_extra)
{
    uint64_t low = 0, high = UINT64_MAX, sum = 0;

    while (low < high) {
        uint64_t middle = high - (high - low) / 2;

        if (try_top(levels, middle, budget, ret_extra, &sum))
            low = middle;
        else
            high = middle - 1;
    }
    /* The top 0 gives nothing, which fits any budget. */
    try_top(levels, low, budget, ret_extra, &sum);
    return sum;
}

/* The cell that would stand lowest with one block more; n if none can take one. */
static size_t
find_lowest(const Levels *levels, uint64_t budget)
{
    size_t best = levels->n;
    uint64_t best_level = 0;

    for (size_t i = 0; i < levels->n; i++) {
        uint64_t level;

        if (!is_eligible(levels, i, budget))
            continue;
        level = levels->level[i] + levels->share[i] + levels->block[i];
        if (best == levels->n || level < best_level) {
            best = i;
            best_level = level;
        }
    }
    return best;
}

/* Gives out `budget` block by block to whichever cell is then lowest, as far as it goes; in
 * strides, for memory of terabytes has millions of blocks.  Returns what was given. */
static uint64_t
level_out(Levels *levels, uint64_t budget)
{
    uint64_t given = 0;

    for (;;) {
        uint64_t left = budget - given, extra[LP_MAX_CELLS];
        uint64_t stride = find_stride(levels, left, extra);
        size_t lowest;

        if (stride > 0) {
            for (size_t i = 0; i < levels->n; i++)
                levels->share[i] += extra[i];
            given += stride;
            continue;
        }
        /* Too little for all that stand at this level: single blocks. */
        lowest = find_lowest(levels, left);
        if (lowest == levels->n)
            return given;
        levels->share[lowest] += levels->block[lowest];
        given += levels->block[lowest];
    }
}

/* Adds a cell in its place: lowest first, and by its other properties where that is equal. */
static void
levels_insert(Levels *levels, size_t index, uint64_t level, uint64_t limit, uint64_t block)
{
    size_t at = levels->n;

    if (block == 0)
        return;
    limit = min_u64(limit, UINT64_MAX - level);
    limit -= limit % block;
    while (at > 0) {
        size_t i = at - 1;
        bool before = level != levels->level[i]   ? level < levels->level[i]
                      : block != levels->block[i] ? block < levels->block[i]
                                                  : limit < levels->limit[i];

        if (!before)
            break;
        levels->index[at] = levels->index[i];
        levels->level[at] = levels->level[i];
        levels->limit[at] = levels->limit[i];
        levels->block[at] = levels->block[i];
        at = i;
    }
    levels->index[at] = index;
    levels->level[at] = level;
    levels->limit[at] = limit;
    levels->block[at] = block;
    levels->n++;
}

static void
levels_store(const Levels *levels, uint64_t *ret_shares)
{
    for (size_t i = 0; i < levels->n; i++)
        ret_shares[levels->index[i]] = levels->share[i];
}

/* The room of the node behind cell i: cells of one node should all state the same; the least
 * is believed. */
static uint64_t
node_room(const LpPlaceCell *cells, size_t n_cells, size_t i)
{
    uint64_t room = cells[i].room_bytes;

    for (size_t j = 0; j < n_cells; j++) {
        if (cells[j].node == cells[i].node)
            room = min_u64(room, cells[j].room_bytes);
    }
    return room;
}

/* A cell of the node to fill next, or n_cells: most room, then lowest node id. */
static size_t
find_node(const LpPlaceCell *cells, size_t n_cells, const bool *is_done)
{
    size_t best = n_cells;
    uint64_t best_room = 0;

    for (size_t i = 0; i < n_cells; i++) {
        uint64_t room;

        if (is_done[i])
            continue;
        room = node_room(cells, n_cells, i);
        if (best == n_cells || room > best_room ||
            (room == best_room && cells[i].node < cells[best].node)) {
            best = i;
            best_room = room;
        }
    }
    return best;
}

uint64_t
lp_place_grow(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes, uint64_t *ret_shares)
{
    bool is_done[LP_MAX_CELLS] = { false };
    uint64_t sum = 0;
    size_t chosen;

    memset(ret_shares, 0, n_cells * sizeof(*ret_shares));
    if (n_cells > LP_MAX_CELLS)
        return 0;
    while ((chosen = find_node(cells, n_cells, is_done)) < n_cells) {
        Levels levels = { 0 };

        for (size_t i = 0; i < n_cells; i++) {
            if (cells[i].node != cells[chosen].node)
                continue;
            is_done[i] = true;
            levels_insert(&levels, i, cells[i].size_bytes, cells[i].grow_bytes,
                          cells[i].block_bytes);
        }
        sum += level_out(&levels, min_u64(bytes - sum, node_room(cells, n_cells, chosen)));
        levels_store(&levels, ret_shares);
    }
    return sum;
}

uint64_t
lp_place_shrink(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes, uint64_t *ret_shares)
{
    Levels levels = { 0 };
    uint64_t sum;

    memset(ret_shares, 0, n_cells * sizeof(*ret_shares));
    if (n_cells > LP_MAX_CELLS)
        return 0;
    /* Counted from above, the biggest cell is the lowest, and taking is filling. */
    for (size_t i = 0; i < n_cells; i++)
        levels_insert(&levels, i, UINT64_MAX - cells[i].size_bytes,
                      min_u64(cells[i].shrink_bytes, cells[i].size_bytes), cells[i].block_bytes);
    sum = level_out(&levels, bytes);
    levels_store(&levels, ret_shares);
    return sum;
}

/* Compares vCPUs per byte of two cells, exactly: < 0 if `a` has fewer.  A cell without memory
 * counts as one byte, so that any vCPU in it is one too many. */
static int
compare_density(const LpPlaceCell *a, uint32_t n_a, const LpPlaceCell *b, uint32_t n_b)
{
    unsigned __int128 left = (unsigned __int128) n_a * (b->size_bytes ? b->size_bytes : 1);
    unsigned __int128 right = (unsigned __int128) n_b * (a->size_bytes ? a->size_bytes : 1);

    if (left != right)
        return left < right ? -1 : 1;
    /* Equally dense (both empty, mostly): the one with more memory is short of vCPUs. */
    if (a->size_bytes != b->size_bytes)
        return a->size_bytes > b->size_bytes ? -1 : 1;
    return 0;
}

int
lp_place_vcpu_add(const LpPlaceCell *cells, const uint32_t *n_running, const uint32_t *n_free,
                  size_t n_cells)
{
    int best = -1;

    for (size_t i = 0; i < n_cells; i++) {
        if (n_free[i] > 0 &&
            (best < 0 || compare_density(&cells[i], n_running[i], &cells[best],
                                         n_running[best]) < 0))
            best = (int) i;
    }
    return best;
}

int
lp_place_vcpu_remove(const LpPlaceCell *cells, const uint32_t *n_running,
                     const uint32_t *n_removable, size_t n_cells)
{
    int best = -1;

    /* Of equals the last, so that removing undoes adding. */
    for (size_t i = 0; i < n_cells; i++) {
        if (n_removable[i] > 0 &&
            (best < 0 || compare_density(&cells[i], n_running[i], &cells[best],
                                         n_running[best]) >= 0))
            best = (int) i;
    }
    return best;
}
