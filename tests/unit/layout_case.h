/* Hosts with partitions for the tests of the layout, and what must hold of every layout. */
#ifndef LP_TEST_LAYOUT_CASE_H
#define LP_TEST_LAYOUT_CASE_H

#include "numa/layout.h"
#include "numa_host.h"

#define CASE_CELLS 128

typedef struct {
    LpTopology topology;
    LpLayoutHost host;
    LpLayoutPartition parts[CASE_CELLS];
    LpLayoutCell cells[CASE_CELLS];
    uint64_t now[CASE_CELLS][LP_MAX_NODES];
} LayoutCase;

/* A host without partitions, whose nodes' rooms are their memory.  To be filled in this order. */
void layout_case_init(LayoutCase *c, uint32_t n_nodes, uint64_t memory_bytes, uint32_t cpus,
                      uint32_t far);
/* After a change of c->topology: the rooms anew. */
void layout_case_rooms(LayoutCase *c);
/* A partition of one cell that lies on `node` with its vCPUs there (-1: nowhere yet).  Its
 * index. */
uint32_t layout_case_add(LayoutCase *c, uint64_t bytes, uint32_t vcpus, int32_t node);
/* Another cell of the partition added last. */
uint32_t layout_case_cell(LayoutCase *c, uint64_t bytes, uint32_t vcpus, int32_t node);
/* Lets a cell lie elsewhere: so much on a node, which is taken off where most lies. */
void layout_case_lies(LayoutCase *c, uint32_t cell, uint32_t node, uint64_t bytes);

/* A random case on the topology: partitions of every kind that lie anyhow, within the rooms if
 * `tidy`. */
void layout_case_random(LayoutCase *c, uint64_t *chance, uint32_t max_parts, bool tidy);

/* NULL, or what does not hold of the layout. */
const char *layout_case_judge(const LayoutCase *c, const LpLayoutOrder *order,
                              const LpLayout *layout);
/* The same of the way that leads there. */
const char *layout_case_judge_moves(const LayoutCase *c, const LpLayout *layout);

#endif
