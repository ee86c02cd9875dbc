/* Levels: what is given out makes the lowest higher, so that all end up alike. */
#include "numa/place-priv.h"

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether cell i can take one block more out of `budget`. */
static bool
is_eligible(const LpPlaceLevels *levels, size_t i, uint64_t budget)
{
    return levels->block[i] <= budget && levels->limit[i] - levels->share[i] >= levels->block[i];
}

/* Whether filling the eligible cells up to `top` stays within the budget; and if so, what that
 * gives each beyond its share, and in all. */
static bool
try_top(const LpPlaceLevels *levels, uint64_t top, uint64_t budget, uint64_t *ret_extra,
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
find_stride(const LpPlaceLevels *levels, uint64_t budget, uint64_t *ret_extra)
{
    uint64_t low = UINT64_MAX, high = 0, sum = 0;

    /* Below the lowest nothing is given, and no level is above the highest by more than all. */
    for (size_t i = 0; i < levels->n; i++) {
        uint64_t level = levels->level[i] + levels->share[i];

        low = min_u64(low, level);
        high = level > high ? level : high;
    }
    high = min_u64(high, UINT64_MAX - budget) + budget;
    while (low < high) {
        uint64_t middle = high - (high - low) / 2;

        if (try_top(levels, middle, budget, ret_extra, &sum))
            low = middle;
        else
            high = middle - 1;
    }
    /* The lowest level gives nothing, which fits any budget. */
    try_top(levels, low, budget, ret_extra, &sum);
    return sum;
}

/* The cell that would stand lowest with one block more; n if none can take one. */
static size_t
find_lowest(const LpPlaceLevels *levels, uint64_t budget)
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
uint64_t
lp_place_level_out(LpPlaceLevels *levels, uint64_t budget)
{
    uint64_t given = 0;

    if (levels->n == 1) {
        given = min_u64(levels->limit[0], budget);
        levels->share[0] = given -= given % levels->block[0];
        return given;
    }
    while (levels->n > 0) {
        uint64_t extra[LP_MAX_CELLS], stride = find_stride(levels, budget - given, extra);

        for (size_t i = 0; i < levels->n; i++)
            levels->share[i] += extra[i];
        given += stride;
        /* Too little for all that stand at this level: single blocks, one a cell or so. */
        for (size_t n = 0; stride == 0 && n < levels->n; n++) {
            size_t lowest = find_lowest(levels, budget - given);

            if (lowest == levels->n)
                return given;
            levels->share[lowest] += levels->block[lowest];
            given += levels->block[lowest];
        }
    }
    return given;
}

/* Adds a cell in its place: lowest first, and by its other properties where that is equal. */
void
lp_place_levels_insert(LpPlaceLevels *levels, size_t index, uint64_t level, uint64_t limit,
                       uint64_t block)
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
    levels->share[levels->n++] = 0;
}

void
lp_place_levels_store(const LpPlaceLevels *levels, uint64_t *ret_shares)
{
    for (size_t i = 0; i < levels->n; i++)
        ret_shares[levels->index[i]] = levels->share[i];
}
