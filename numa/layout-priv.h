/* What the parts of the layout share: a host being laid out, with its cost kept up to date. */
#ifndef LP_NUMA_LAYOUT_PRIV_H
#define LP_NUMA_LAYOUT_PRIV_H

#include "numa/layout.h"

/* Costs inside are in 2^-32 thousandths of a point, so that what one partition of a million adds
 * is seen.  All weights are held below COST_WEIGHT_MAX (a thousand points), so that all sums fit
 * 63 bits. */
#define COST_SHIFT 32
#define COST_WEIGHT_MAX 1000000u
/* What all memory moved once may cost, where bytes are dear: more than any gain. */
#define PRICE_MAX (UINT64_C(1) << 27)
/* Shares of one are in 2^-20. */
#define SHARE_SHIFT 20
#define SHARE_ONE (1u << SHARE_SHIFT)
/* A vCPU's load in 2^-8. */
#define LOAD_SHIFT 8
/* All memory of all cells stays below, whatever a caller says. */
#define BYTES_LIMIT (UINT64_C(1) << 60)

/* Where a cell lies.  bytes[] is good for the nodes of `mem` only. */
typedef struct {
    LpNodeSet mem, cpus;      /* cpus: nodes with processors; 0 only if the host has none */
    int32_t home;             /* where most of it lies; -1: nowhere */
    uint64_t bytes[LP_MAX_NODES];
} Spot;

typedef struct {
    uint32_t n_cpus;
    int32_t near;             /* itself, or the nearest with processors; -1: none */
    uint64_t room, cap;       /* cap: the room, or what it holds now where that is more */
    uint64_t level, level_centi;       /* of load, beyond which it is crowded */
    LpTier tier;
    uint8_t by_distance[LP_MAX_NODES]; /* all nodes, nearest first */
    uint8_t cpus_by_distance[LP_MAX_NODES];      /* those with processors */
    /* What stands on it. */
    uint64_t used, growth, load, centi;
    int64_t cost;
} NodeState;

typedef struct {
    uint32_t first, n_cells;
    uint64_t bytes, inverse;  /* inverse: 2^63 / bytes */
    uint32_t vcpus, best;     /* best: LP_SCORE_NONE where it has no score */
    uint64_t loss_weight, agreement_weight, rule_weight, unplaced_weight;
    LpNodeSet allowed;        /* nodes for its memory; none outside without need */
    LpNodeSet allowed_cpus;
    LpNumaMode mode;
    bool fixed, requested;
    int64_t cost, cost_now;
    uint64_t breach_now;
} PartState;

typedef struct {
    uint32_t part;
    uint64_t bytes, growth;
    uint64_t untouched;       /* of `bytes`, what no move copies; it is counted on this node: */
    int32_t untouched_node;
    uint32_t vcpus, centi;
    bool pinned;              /* its bytes stay where they are; its vCPUs may go elsewhere */
    bool was;                 /* it lies somewhere now */
    LpNodeSet now_mem, now_cpus;
    int32_t now_home;
    /* Where it stands (bytes: in State.bytes). */
    LpNodeSet mem, cpus;
    int32_t home;
    uint64_t moved;
    int64_t move_cost;
} CellState;

typedef struct {
    const LpLayoutHost *host;
    const LpTopology *topology;
    LpLayoutWeights weights;
    uint32_t n, n_cells, n_parts;
    uint16_t extra[LP_MAX_NODES][LP_MAX_NODES];    /* distances, less that of a node to itself */
    uint32_t span;            /* the greatest; 0: all memory is alike */
    LpNodeSet all_cpus;
    uint32_t n_all_cpus;
    NodeState nodes[LP_MAX_NODES];
    PartState *parts;
    CellState *cells;
    uint64_t *part_bytes;     /* by partition */
    uint32_t *scores;         /* room for one of each */
    uint32_t *order;          /* cells, by what they are and not by where the caller put them */
    uint64_t *bytes, *now;    /* [cell * n + node] */
    uint64_t piece;           /* free memory below this on a node is too little for a partition */
    unsigned __int128 per_load, per_centi, per_growth, per_free, per_slow, per_moved,
        per_over;
    uint64_t slow_used, normal_free;
    uint64_t total;           /* bytes of all cells */
    uint64_t moved, max_moved, over_now;
    LpNodeSet closed;         /* nodes that options must take something off (making room) */
    int64_t cost;             /* the sum of all */
} State;

/* What a caller may hold on to and go back to. */
typedef struct {
    uint64_t *bytes;
    LpNodeSet *mem, *cpus;
    int32_t *home;
    int64_t cost;
} Snapshot;

/* Changes that can be taken back together. */
#define LOG_MAX 160
/* Up to so many cells more is tried than with many: it takes no time beside what it saves. */
#define LAYOUT_FEW_CELLS 200

/* A search under way. */
typedef struct {
    State *state;
    uint64_t chance;
    int64_t work;             /* options that may still be weighed */
    uint32_t n_log;
    uint32_t log_cell[LOG_MAX];
    Spot log_spot[LOG_MAX];
} LayoutSearch;

/* layout-order.c */
void layout_sort(State *state);

/* layout-build.c.  NULL: out of memory. */
State *layout_state_new(const LpLayoutHost *host, const LpLayoutWeights *weights);
void layout_state_free(State *state);
/* Nodes whose processors serve these; 0: all. */
LpNodeSet layout_serving_cpus(const State *state, LpNodeSet nodes);

/* layout-state.c */
void layout_clear_nodes(State *state);     /* their cost with nothing on them */
void layout_now(const State *state, uint32_t cell, Spot *spot);       /* as it lies today */
void layout_spot(const State *state, uint32_t cell, Spot *spot);      /* as it stands */
bool layout_fits(const State *state, uint32_t cell, const Spot *spot);
/* What it would cost more to put the cell there. */
int64_t layout_delta(const State *state, uint32_t cell, const Spot *spot);
void layout_put(State *state, uint32_t cell, const Spot *spot);
void layout_remove(State *state, uint32_t cell);
void layout_price(State *state, uint32_t doublings);
void layout_price_of_byte(State *state, unsigned __int128 per_moved);
bool layout_changed(const State *state, uint32_t cell);
bool layout_snapshot_init(const State *state, Snapshot *snapshot);
void layout_snapshot_clear(Snapshot *snapshot);
void layout_save(const State *state, Snapshot *snapshot);
void layout_saved_spot(const State *state, const Snapshot *snapshot, uint32_t cell, Spot *spot);
void layout_restore(State *state, const Snapshot *snapshot);

/* layout-part.c: what a partition costs by itself, with `cell` at `spot` (NULL: as all stand). */
int64_t layout_part_cost(const State *state, uint32_t part, uint32_t cell, const Spot *spot);
/* The part of it that lies against its rule, in SHARE_ONE. */
uint64_t layout_part_breach(const State *state, uint32_t part);
uint32_t layout_cpu_share(const State *state, LpNodeSet cpus, uint32_t node);

/* layout-option.c */
LpNodeSet layout_cpus_for(const State *state, uint32_t cell, uint32_t node);
void layout_whole(const State *state, uint32_t cell, uint32_t node, Spot *spot);
/* From the node outwards as far as there is room.  False: there is not enough. */
bool layout_split(const State *state, uint32_t cell, uint32_t node, Spot *spot);
/* Over all nodes that its rule names. */
bool layout_even(const State *state, uint32_t cell, Spot *spot);
/* As it stands, but as much as room and order->max_bytes allow of it brought to the node. */
bool layout_pull(const State *state, uint32_t cell, uint32_t node, Spot *spot);
/* The cheapest place for the cell that has room.  Returns the cost beyond what is; *spot is
 * untouched where nothing is below `bound`. */
int64_t layout_best_option(const State *state, uint32_t cell, int64_t bound, Spot *spot);

/* layout-search.c.  False: out of memory. */
bool layout_search(State *state);
bool layout_is_free(const State *state, uint32_t cell);
bool layout_is_content(const State *state, uint32_t cell);
/* False: the log is full, and nothing was changed. */
bool layout_put_logged(LayoutSearch *search, uint32_t cell, const Spot *spot);
void layout_roll_back(LayoutSearch *search, uint32_t mark);
void layout_improve(LayoutSearch *search);

/* layout-room.c.  Whether anything changed. */
bool layout_push_all(LayoutSearch *search);

/* layout-shake.c: leaves the best that was found, also in *best (which is what stands at first). */
void layout_shake_all(LayoutSearch *search, Snapshot *best);

/* layout-trim.c.  False: out of memory. */
bool layout_trim(State *state, const LpLayoutOrder *order);
/* Its score as it stands, or as it lies today. */
uint32_t layout_part_score(const State *state, uint32_t part, bool now);
uint32_t layout_host_score(State *state, bool now);
/* Bytes beyond the rooms: granted, never touched, and nowhere to come from. */
uint64_t layout_over(const State *state);

static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t
max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#define NODE_BIT(i) (UINT64_C(1) << (i))
#define FOR_NODES(i, set) \
    for (LpNodeSet rest_##i = (set); \
         rest_##i && ((i) = (uint32_t) __builtin_ctzll(rest_##i), true); rest_##i &= rest_##i - 1)

#endif
