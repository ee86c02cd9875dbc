/* The layout of a host: on which nodes the memory of every partition is to lie, and on which its
 * vCPUs are to run.  Decides for the whole host at once, and for one partition that comes.  Pure:
 * values in, values out; allocates, and does nothing else.  Deterministic.
 *
 * (Which cell of a running partition grows or shrinks is place.h's.) */
#ifndef LP_NUMA_LAYOUT_H
#define LP_NUMA_LAYOUT_H

#include "numa/rule.h"
#include "numa/score.h"
#include "numa/topology.h"

/* A guest cell: memory and vCPUs that belong together. */
typedef struct {
    uint64_t bytes;           /* granted now: what is to be placed (what lies, if that is more) */
    uint64_t max_bytes;       /* what it may grow to */
    uint32_t vcpus, max_vcpus;         /* that run; that it may have */
    int32_t home;             /* index of the node its next pages come from; -1: to be chosen */
    bool movable;             /* else its pages stay where they are (locked, hugetlb, VFIO) */
    /* Where it lies: bytes by the index of nodes[].  NULL: nowhere yet.  What is granted beyond
     * their sum was never touched: it is counted at `home`, and no move copies it. */
    const uint64_t *now_bytes;
    LpNodeSet now_cpus;       /* nodes its vCPUs may run on; 0: all */
} LpLayoutCell;

typedef struct {
    LpNumaRule rule;
    uint32_t first_cell, n_cells;      /* into LpLayoutHost.cells */
    uint32_t entitled_centi;
    bool fixed;               /* protected, or not to be touched: counted where it lies */
    bool requested;           /* its score goes before those of the others */
} LpLayoutPartition;

typedef struct {
    /* What partitions may have on it in all: its memory less the reserve and what others hold.  A
     * host may be over it already. */
    uint64_t room_bytes;
    uint32_t room_centi;      /* processing units, likewise; a wish, where the room is a bound */
} LpLayoutNode;

typedef struct {
    const LpTopology *topology;
    LpLayoutNode nodes[LP_MAX_NODES];
    uint32_t n_partitions, n_cells;
    const LpLayoutPartition *partitions;
    const LpLayoutCell *cells;
} LpLayoutHost;

/* What a point of the host's score is worth beside everything else a layout can be good at.
 * Each is in thousandths of a point of the host's score, for the whole of what it names. */
typedef struct {
    uint32_t locality;        /* the score itself: 1000 */
    uint32_t agreement;       /* cells of one guest apart, each on a node of its own, its vCPUs
                                 there (a cell in two halves weighs more: as a rule broken) */
    uint32_t crowding;        /* vCPUs beyond the processors of a node while others idle; as much
                                 again for the processing units entitled to */
    uint32_t fragmentation;   /* free memory in pieces too small for a partition */
    uint32_t growth;          /* partitions that could not grow to their maximum where they are */
    uint32_t tier;            /* memory on a slow node while a normal one has room */
    uint32_t movement;        /* all partitions' memory moved once */
} LpLayoutWeights;
extern const LpLayoutWeights lp_layout_weights;    /* tuned by tests/bench/place */

typedef struct {
    uint64_t max_bytes;       /* moved at most; 0: no limit */
    uint32_t min_gain;        /* of a partition's score, hundredths: what gains less stays */
    const LpLayoutWeights *weights;    /* NULL: lp_layout_weights */
} LpLayoutOrder;

typedef struct {
    uint32_t n_nodes, n_cells, n_partitions;
    uint64_t *bytes;          /* [cell * n_nodes + node]: where its memory is to lie */
    int32_t *home;            /* by cell: index of the node for its next pages; -1: no node is left
                                 that its rule allows */
    LpNodeSet *cpus;          /* by cell: nodes whose processors its vCPUs may use; 0: all */
    /* By partition, hundredths of a point: now, and when all is moved; what is the most. */
    uint32_t *score_now, *score, *best;
    uint32_t host_now, host;  /* of the whole host */
    uint64_t moved_bytes;
    uint64_t unplaced_bytes;  /* for which no node had room: new cells, and pages granted that were
                                 never touched (what lies somewhere stays there at worst) */
} LpLayout;

LpLayout *lp_layout_new(void);
void lp_layout_free(LpLayout *layout);

/* The best layout found for all that is not fixed: at the least bytes moved for its gain, within
 * order->max_bytes.  The host's score is never lower than it is, unless a rule that is not kept,
 * memory without room or a requested partition asks for it.  What gains less than
 * order->min_gain stays, unless it makes room for others or its rule moves it.  Fills *ret (an
 * earlier content is replaced).  False: out of memory. */
bool lp_layout_make(const LpLayoutHost *host, const LpLayoutOrder *order, LpLayout *ret);

/* What a layout is worth, by the weights: thousandths of a point of the host's score lost, the
 * less the better.  What lp_layout_make() makes small, and what a test's exact search must not
 * beat by much. */
uint64_t lp_layout_cost(const LpLayoutHost *host, const LpLayout *layout,
                        const LpLayoutWeights *weights);

/* One piece of the way from what is to what is to be. */
typedef struct {
    uint32_t partition, cell; /* cell: into LpLayoutHost.cells */
    int32_t from, to;         /* indices of nodes; from -1: wherever it is not on `to` */
    uint64_t bytes;           /* about */
} LpLayoutMove;

/* The pieces in an order in which each finds room, as far as there is one (where two must change
 * places, small pieces in turn).  Returns their number; *ret_moves is the caller's to free(). */
size_t lp_layout_moves(const LpLayoutHost *host, const LpLayout *layout, LpLayoutMove **ret_moves);

/* A partition that is to come (enable, define): how many cells it should have, and on which node
 * each. `n_cells` 0: as few as there must be for its maximum to fit nodes of this size and its
 * vCPUs to have a processor each; one for INTERLEAVE, as many as possible for SPREAD.  Cells are
 * alike.  Writes at most LP_MAX_CELLS indices of nodes; returns the number of cells, 0: its rule
 * leaves it no node.  Where nothing has room, the nodes with the most. Only room and sizes
 * matter here, so `use` (by the index of nodes[]) says what is free. */
typedef struct {
    LpNumaRule rule;
    uint64_t bytes, max_bytes;
    uint32_t vcpus, max_vcpus;
    uint32_t n_cells;
} LpLayoutNew;
typedef struct {
    uint64_t free_bytes;      /* that a partition may still have */
    uint32_t vcpus;           /* of all partitions whose vCPUs are on it */
} LpLayoutUse;
uint32_t lp_layout_choose(const LpTopology *topology, const LpLayoutUse *use,
                          const LpLayoutNew *wanted, int32_t *ret_nodes);

#endif
