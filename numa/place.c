/* Placement by nodes, the best first, and within a node by levels: what it gives is spread so that
 * its cells end up alike. */
#include "numa/place-priv.h"

#include <string.h>

const LpPlaceWeights lp_place_weights = {
    .distance = 4000, .uneven = 3000, .split = 1000, .hole = 1000, .reserve = 1000,
};

#define PERMILLE 1000
/* Amounts are halved until a thousandfold of their sum fits 64 bits. */
#define AMOUNT_BITS 53

/* A node as a candidate: what its cells have together. */
typedef struct {
    size_t first;             /* of its cells */
    int32_t id;
    bool outside, is_done;
    uint64_t room, free;      /* cells of one node should state the same; the least is believed */
    uint64_t grow, size;      /* of its cells, at most UINT64_MAX */
    uint64_t distance, vcpus;
} Node;

typedef struct {
    size_t n;
    Node nodes[LP_MAX_CELLS];
    size_t node_of[LP_MAX_CELLS];      /* by cell */
    uint64_t size, vcpus;              /* of all cells */
    uint64_t nearest;                  /* distance of the nearest that can give; 0: not known */
    uint64_t biggest;                  /* hole */
} Nodes;

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

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

/* LpPlaceLevels the cells of one node, within `budget` and its room. */
static uint64_t
fill_node(const LpPlaceCell *cells, size_t n_cells, const Nodes *nodes, const Node *node,
          uint64_t budget, uint64_t *ret_shares)
{
    size_t at = (size_t) (node - nodes->nodes);
    uint64_t given;
    LpPlaceLevels levels;

    levels.n = 0;
    for (size_t i = node->first; i < n_cells; i++) {
        if (nodes->node_of[i] == at)
            lp_place_levels_insert(&levels, i, cells[i].size_bytes, cells[i].grow_bytes,
                          cells[i].block_bytes);
    }
    given = lp_place_level_out(&levels, min_u64(budget, node->room));
    lp_place_levels_store(&levels, ret_shares);
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
        LpPlaceLevels levels;

        levels.n = 0;
        for (size_t i = 0; i < n_cells; i++) {
            if (!nodes.nodes[nodes.node_of[i]].is_done)
                lp_place_levels_insert(&levels, i, cells[i].size_bytes, cells[i].grow_bytes,
                              cells[i].block_bytes);
        }
        given = lp_place_level_out(&levels, bytes - fixed);
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
        lp_place_levels_store(&levels, ret_shares);
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
        LpPlaceLevels levels;

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
            lp_place_levels_insert(&levels, i, UINT64_MAX - cells[i].size_bytes,
                          min_u64(cells[i].shrink_bytes, cells[i].size_bytes),
                          cells[i].block_bytes);
        }
        sum += lp_place_level_out(&levels, bytes - sum);
        lp_place_levels_store(&levels, ret_shares);
    }
    return sum;
}
