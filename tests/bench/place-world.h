/* A host with partitions on it, as tests/bench/place plays it: every contender has one, and all see
 * the same events. */
#ifndef LP_BENCH_PLACE_WORLD_H
#define LP_BENCH_PLACE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numa/layout.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define BLOCK (2 * MIB)

/* Guest cells of one partition; the partitions here need fewer. */
#define MAX_CELLS 16

/* ------------------------------------------------------------------ hosts (place-host.c) */

typedef struct {
    char name[96];
    bool real;                /* a machine's, not made up */
    LpTopology topology;
} Host;

/* Made-up machines of every shape; the next one, or false: there are no more. */
bool host_synthetic(uint32_t index, Host *host);
/* An hwloc XML file or synthetic text.  False: *message tells why. */
bool host_read(const char *source, Host *host, char *message, size_t size);
/* A host of nodes that are alike, 10 and `far`. */
void host_even(Host *host, const char *name, uint32_t n, uint64_t memory_bytes, uint32_t cpus,
               uint32_t far);

/* ------------------------------------------------------------------ chance and events */

uint64_t chance_next(uint64_t *chance);
uint64_t chance_below(uint64_t *chance, uint64_t below);       /* below > 0 */

typedef struct {
    uint64_t min_bytes, bytes, max_bytes;
    uint32_t vcpus, max_vcpus;
} Want;

typedef enum { EVENT_NONE, EVENT_ARRIVE, EVENT_RESIZE, EVENT_LEAVE } EventKind;

typedef struct {
    EventKind kind;
    uint32_t part;            /* index of the partition: each arrival has its own */
    Want want;                /* what it is to be from then on */
} Event;

/* `n` events on this host, the fill going up and down below `most` percent of its memory.  All
 * memory in whole `unit`s (0: fine ones).  Caller frees. */
Event *events_make(const LpTopology *topology, uint64_t *chance, uint32_t n, uint32_t most,
                   uint64_t unit);

/* ------------------------------------------------------------------ worlds (place-world.c) */

typedef struct {
    uint64_t on[LP_MAX_NODES];         /* bytes by node */
    uint64_t base_bytes, max_bytes;
    uint32_t vcpus, max_vcpus;         /* that run; that it may have */
    int32_t home;
    LpNodeSet cpus;
} Cell;

typedef struct {
    bool here;
    Want want;
    uint32_t n_cells;
    Cell cells[MAX_CELLS];
} Part;

typedef struct World World;
struct World {
    const LpTopology *topology;
    uint64_t room[LP_MAX_NODES], used[LP_MAX_NODES];
    uint32_t n_cpus[LP_MAX_NODES];
    uint64_t moved_bytes;     /* pages copied from node to node */
    /* Of arrivals and growth, while the host had as much. */
    uint64_t asked_bytes, refused_bytes;
    uint64_t chance;
    uint32_t n_parts;
    Part *parts;
    struct Best *best;        /* answers of lp_score_best */
};

World *world_new(const LpTopology *topology, uint32_t n_parts);
void world_free(World *world);
World *world_copy(const World *world);

uint64_t world_free_on(const World *world, uint32_t node);
uint64_t world_free_bytes(const World *world);
uint64_t cell_bytes(const World *world, const Cell *cell);
uint64_t part_bytes(const World *world, const Part *part);
/* vCPUs by node, in thousandths. */
void world_load(const World *world, uint64_t ret_load[LP_MAX_NODES]);

/* Takes room for at most so much on the node; how much it was. */
uint64_t world_put(World *world, Cell *cell, uint32_t node, uint64_t bytes);
void world_take(World *world, Cell *cell, uint32_t node, uint64_t bytes);
void world_clear(World *world, Part *part);
/* vCPUs run where the memory is. */
void world_follow(World *world, Cell *cell);

/* Hundredths of a point; LP_SCORE_NONE: nobody is here. */
uint32_t world_score(const World *world);
/* The same as the layout sees it. */
typedef struct {
    LpLayoutHost host;
    LpLayoutPartition *partitions;
    LpLayoutCell *cells;
    uint64_t *now;            /* [cell * n_nodes + node] */
    uint32_t *part, *cell;    /* by layout cell: whose it is */
} Picture;
/* `lies`: with where memory lies now; else all is to be placed. */
void picture_make(const World *world, bool lies, Picture *ret);
void picture_clear(Picture *picture);
/* Brings the world to a layout; what moves is counted. */
void picture_apply(World *world, const Picture *picture, const LpLayout *layout);

/* ------------------------------------------------------------------ contenders */

typedef struct {
    const char *name;
    /* A partition comes; false: refused, and nothing has changed. */
    bool (*arrive)(World *world, Part *part, const Want *want);
    /* It is to have want->bytes and ->vcpus; false: it stays as it was. */
    bool (*resize)(World *world, Part *part, const Want *want);
    void (*settle)(World *world);      /* after each event; NULL: nothing to do */
} Contender;

extern const Contender contender_lpard;           /* choose, grow, shrink; moves nothing */
extern const Contender contender_lpard_moves;     /* and optimizes when too much is far */
extern const Contender contender_first_fit, contender_best_fit, contender_nova, contender_numad;

/* Lets numad's formula move partitions until none moves any more, or `rounds` are over. */
void numad_settle(World *world, uint32_t rounds);
/* Optimizes; `max_bytes` 0: without a limit. */
void lpard_optimize(World *world, uint64_t max_bytes);

/* ------------------------------------------------------------------ the exact optimum */

typedef struct {
    bool proven;              /* else the search was given up */
    uint64_t cost;            /* as exact_cost() */
    uint64_t looked;          /* places tried */
} Exact;
/* What stands costs, in thousandths of a point: as lp_layout_cost() has it but for the way there,
 * or (`score`) what the host's score lacks and what processors carry too much, and nothing else. */
uint64_t exact_cost(const World *world, bool score);
/* The least of that which any layout of the same partitions and cells can cost, with memory in
 * whole `unit`s; not above `bound`, which somebody found. */
Exact exact_search(const World *world, bool score, uint64_t unit, uint64_t bound,
                   uint64_t most_looks);

/* ------------------------------------------------------------------ time */

/* Nanoseconds of processor time, the median of `rounds`: all partitions placed on a host of so many
 * nodes, from nothing, or from a start where they lie anywhere. */
int64_t time_layout(uint32_t n_nodes, uint32_t n_parts, bool scattered, uint32_t rounds);
/* One decision which cell grows, with so many partitions there. */
int64_t time_grow(uint32_t n_nodes, uint32_t n_parts, uint32_t rounds);

/* Puts partitions down anywhere, up to `fill` percent of the memory. */
void world_scatter(World *world, uint64_t *chance, uint32_t fill);

#endif
