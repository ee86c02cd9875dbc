/* Placement by nodes, the best first, and within a node by levels: what it gives is spread so that its
 * cells end up alike. */
#include "numa/place.h"

#include <string.h>

const LpPlaceWeights lp_place_weights = {
    .distance = 4000, .uneven = 3000, .split = 1000, .hole = 1000, .reserve = 1000,
};

#define PERMILLE 1000
/* Amounts are halved until a thousandfold of their sum fits 64 bits. */
#define AMOUNT_BITS 53

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
    levels->share[levels->n++] = 0;
}

static void
levels_store(const Levels *levels, uint64_t *ret_shares)
{
    for (size_t i = 0; i < levels->n; i++)
        ret_shares[levels->index[i]] = levels->share[i];
}

/* A node as a candidate: what its cells have together. */
typedef struct {
    size_t first;             /* of its cells */
    int32_t id;
    bool outside, is_done;
    uint64_t room, free;      /* cells of one node should all state the same; the least is believed */
    uint64_t grow, size;      /* of its cells, at most UINT64_MAX */
    uint64_t distance, vcpus;
} Node;

typedef struct {
    size_t n;
    Node nodes[LP_MAX_CELLS];
    size_t node_of[LP_MAX_CELLS];      /* by cell */
    uint64_t size, vcpus;              /* of all cells */
    uint64_t nearest;                  /* distance of the nearest that can still give; 0: not known */
    uint64_t biggest;                  /* hole */
} Nodes;

static uint64_t
add_u64(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

static void
gather_nodes(const LpPlaceCell *cells, size_t n_cells, Nodes *ret)
{
    ret->n = 0;
    ret->size = ret->vcpus = 0;
    for (size_t i = 0; i < n_cells; i++) {
        const LpPlaceCell *cell = &cells[i];
        uint64_t free = cell->free_bytes ? cell->free_bytes : cell->room_bytes;
        size_t at = 0;
        Node *node;

        while (at < ret->n && ret->nodes[at].id != cell->node)
            at++;
        node = &ret->nodes[at];
        if (at == ret->n) {
            *node = (Node) { .first = i, .id = cell->node, .room = UINT64_MAX, .free = UINT64_MAX,
                             .distance = cell->distance, .outside = true };
            ret->n++;
        }
        ret->node_of[i] = at;
        node->outside = node->outside && cell->outside;
        node->room = min_u64(node->room, cell->room_bytes);
        node->free = min_u64(node->free, free);
        node->grow = add_u64(node->grow, cell->grow_bytes);
        node->size = add_u64(node->size, cell->size_bytes);
        node->vcpus += cell->vcpus;
        ret->size = add_u64(ret->size, cell->size_bytes);
        ret->vcpus += cell->vcpus;
    }
}

static uint64_t
permille(uint64_t part, uint64_t whole)
{
    while (part >> AMOUNT_BITS || whole >> AMOUNT_BITS) {
        part >>= 1;
        whole >>= 1;
    }
    return whole ? part * PERMILLE / whole : 0;
}

/* What the node could give of `bytes`. */
static uint64_t
can_give(const Node *node, uint64_t bytes)
{
    return min_u64(bytes, min_u64(node->room, node->grow));
}

/* How much worse the host is off for `bytes` from there. */
static uint64_t
cost_of(const Nodes *nodes, const Node *node, uint64_t bytes)
{
    uint64_t gives = can_give(node, bytes), left = node->free > gives ? node->free - gives : 0;
    uint64_t cost = lp_place_weights.split * permille(bytes - gives, bytes) +
                    lp_place_weights.hole * permille(left, nodes->biggest);

    if (left < bytes)
        cost += lp_place_weights.reserve * permille(bytes - left, bytes);
    if (nodes->nearest && node->distance > nodes->nearest)
        cost += lp_place_weights.distance * (node->distance - nodes->nearest);
    if (nodes->vcpus) {
        uint64_t share = permille(add_u64(node->size, gives), add_u64(nodes->size, bytes));
        uint64_t due = permille(node->vcpus, nodes->vcpus);

        cost += lp_place_weights.uneven * (share > due ? share - due : 0);
    }
    return cost;
}

/* Of the nodes that can still give: which is the nearest, and the biggest hole. */
static void
survey_nodes(Nodes *nodes, uint64_t bytes)
{
    nodes->nearest = UINT64_MAX;
    nodes->biggest = 0;
    for (size_t i = 0; i < nodes->n; i++) {
        Node *node = &nodes->nodes[i];

        node->is_done |= can_give(node, bytes) == 0;
        if (node->is_done)
            continue;
        nodes->nearest = min_u64(nodes->nearest, node->distance);
        if (node->free > nodes->biggest)
            nodes->biggest = node->free;
    }
}

/* The node to fill next, or NULL. */
static Node *
find_node(Nodes *nodes, uint64_t bytes)
{
    Node *best = NULL;
    uint64_t least = 0;

    survey_nodes(nodes, bytes);
    for (size_t i = 0; i < nodes->n; i++) {
        Node *node = &nodes->nodes[i];
        uint64_t cost;

        if (node->is_done)
            continue;
        cost = cost_of(nodes, node, bytes);
        if (!best || node->outside < best->outside ||
            (node->outside == best->outside &&
             (cost < least || (cost == least && node->id < best->id)))) {
            best = node;
            least = cost;
        }
    }
    return best;
}

/* Levels the cells of one node, within `budget` and its room. */
static uint64_t
fill_node(const LpPlaceCell *cells, size_t n_cells, const Nodes *nodes, const Node *node,
          uint64_t budget, uint64_t *ret_shares)
{
    size_t at = (size_t) (node - nodes->nodes);
    uint64_t given;
    Levels levels;

    levels.n = 0;
    for (size_t i = node->first; i < n_cells; i++) {
        if (nodes->node_of[i] == at)
            levels_insert(&levels, i, cells[i].size_bytes, cells[i].grow_bytes,
                          cells[i].block_bytes);
    }
    given = level_out(&levels, min_u64(budget, node->room));
    levels_store(&levels, ret_shares);
    return given;
}

uint64_t
lp_place_grow(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes, uint64_t *ret_shares)
{
    uint64_t sum = 0;
    Nodes nodes;
    Node *node;

    memset(ret_shares, 0, n_cells * sizeof(*ret_shares));
    if (n_cells > LP_MAX_CELLS)
        return 0;
    gather_nodes(cells, n_cells, &nodes);
    while (sum < bytes && (node = find_node(&nodes, bytes - sum))) {
        node->is_done = true;
        sum += fill_node(cells, n_cells, &nodes, node, bytes - sum, ret_shares);
    }
    return sum;
}

uint64_t
lp_place_level(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes, uint64_t *ret_shares)
{
    uint64_t fixed = 0;
    Nodes nodes;

    memset(ret_shares, 0, n_cells * sizeof(*ret_shares));
    if (n_cells > LP_MAX_CELLS)
        return 0;
    gather_nodes(cells, n_cells, &nodes);
    /* A node that is asked for more than it has gives that, and the others share the rest: their
     * level only rises, so that it stays full. */
    for (;;) {
        uint64_t asked[LP_MAX_CELLS] = { 0 }, given;
        bool is_over = false;
        Levels levels;

        levels.n = 0;
        for (size_t i = 0; i < n_cells; i++) {
            if (!nodes.nodes[nodes.node_of[i]].is_done)
                levels_insert(&levels, i, cells[i].size_bytes, cells[i].grow_bytes,
                              cells[i].block_bytes);
        }
        given = level_out(&levels, bytes - fixed);
        for (size_t i = 0; i < levels.n; i++)
            asked[nodes.node_of[levels.index[i]]] += levels.share[i];
        for (size_t n = 0; n < nodes.n; n++) {
            if (asked[n] <= nodes.nodes[n].room)
                continue;
            fixed += fill_node(cells, n_cells, &nodes, &nodes.nodes[n], UINT64_MAX, ret_shares);
            nodes.nodes[n].is_done = is_over = true;
        }
        if (is_over)
            continue;
        levels_store(&levels, ret_shares);
        return fixed + given;
    }
}

/* Memory is handed out in so many pieces, so that cells come within one of what they are due. */
#define START_PIECES 64

uint64_t
lp_place_start(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes, uint64_t *ret_shares)
{
    LpPlaceCell left[LP_MAX_CELLS];
    uint64_t sum = 0, piece = bytes / START_PIECES, given = 1, vcpus = 0;

    memset(ret_shares, 0, n_cells * sizeof(*ret_shares));
    if (n_cells == 0 || n_cells > LP_MAX_CELLS)
        return 0;
    memcpy(left, cells, n_cells * sizeof(*cells));
    for (size_t i = 0; i < n_cells; i++) {
        vcpus += cells[i].vcpus;
        piece = cells[i].block_bytes > piece ? cells[i].block_bytes : piece;
        left[i].distance = 0;
        left[i].room_bytes = left[i].free_bytes = bytes;
    }
    if (vcpus == 0)
        return lp_place_level(left, n_cells, bytes, ret_shares);
    while (sum < bytes && given > 0) {
        uint64_t shares[LP_MAX_CELLS];

        given = lp_place_grow(left, n_cells, min_u64(piece, bytes - sum), shares);
        sum += given;
        for (size_t i = 0; i < n_cells; i++) {
            ret_shares[i] += shares[i];
            left[i].size_bytes = add_u64(left[i].size_bytes, shares[i]);
            left[i].grow_bytes -= shares[i];
        }
    }
    return sum;
}

/* What is to go first: the cells that a rule would rather not have, then the remotest. */
static uint64_t
remoteness(const LpPlaceCell *cell, bool are_known)
{
    return (cell->outside ? 1ULL << 32 : 0) + (are_known ? cell->distance : 0);
}

uint64_t
lp_place_shrink(const LpPlaceCell *cells, size_t n_cells, uint64_t bytes, uint64_t *ret_shares)
{
    bool is_done[LP_MAX_CELLS] = { false }, are_known = true;
    size_t n_done = 0;
    uint64_t sum = 0;

    memset(ret_shares, 0, n_cells * sizeof(*ret_shares));
    if (n_cells > LP_MAX_CELLS)
        return 0;
    for (size_t i = 0; i < n_cells; i++)
        are_known = are_known && cells[i].distance > 0;
    while (n_done < n_cells && sum < bytes) {
        uint64_t farthest = 0;
        Levels levels;

        for (size_t i = 0; i < n_cells; i++) {
            if (!is_done[i] && remoteness(&cells[i], are_known) > farthest)
                farthest = remoteness(&cells[i], are_known);
        }
        levels.n = 0;
        for (size_t i = 0; i < n_cells; i++) {
            if (is_done[i] || remoteness(&cells[i], are_known) + LP_PLACE_NEAR < farthest)
                continue;
            is_done[i] = true;
            n_done++;
            /* Counted from above, the biggest cell is the lowest, and taking is filling. */
            levels_insert(&levels, i, UINT64_MAX - cells[i].size_bytes,
                          min_u64(cells[i].shrink_bytes, cells[i].size_bytes),
                          cells[i].block_bytes);
        }
        sum += level_out(&levels, bytes - sum);
        levels_store(&levels, ret_shares);
    }
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
