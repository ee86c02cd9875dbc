/* Where a running domain's memory lies and where its vCPUs run, as seen from the host; and what moves
 * it.  Values between a driver and those who ask it. */
#ifndef LP_HOTPLUG_LOCALITY_H
#define LP_HOTPLUG_LOCALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/cpumask.h"
#include "numa/pages.h"
#include "numa/topology.h"

/* A part of a domain: one of its cells, or (the last) what the hypervisor's process has beside them. */
typedef struct {
    uint64_t on_bytes[LP_MAX_NODES];   /* resident, by the index of the topology's nodes[] */
    uint64_t elsewhere_bytes;
    uint64_t size_bytes;               /* of the mapping: resident or not */
    uint64_t page_bytes;               /* of its pages; 4 KiB: also transparent huge ones */
    bool shared;                       /* by a file: other processes may map it */
} LpLocalityPart;

typedef struct {
    uint32_t vcpu;
    uint64_t time_usec;                /* that it ran, since its start */
    int32_t cpu;                       /* which processor it ran on last; -1: not known */
    LpCpuMask may;                     /* processors that it may run on */
} LpLocalityVcpu;

typedef struct {
    char run_id[24];                   /* of the run that this is about */
    uint32_t n_parts;                  /* cells + 1 */
    LpLocalityPart *parts;
    uint32_t n_vcpus;                  /* those that are plugged */
    LpLocalityVcpu *vcpus;
    uint32_t error_permyriad;          /* of the shares, two standard deviations; 0: all was counted */
    bool exact_cells;                  /* else cells of equal size were told apart by their order only */
} LpLocality;

LpLocality *lp_locality_new(void);
void lp_locality_free(LpLocality *locality);

/* Pages of one part from one node to another, a piece at a time. */
typedef struct {
    uint32_t part;                     /* cell, or the view's n_cells: the process's own */
    int32_t from, to;                  /* node ids; from -1: from any other */
    uint64_t max_bytes;                /* of this call */
    /* Where the call before ended; 0 to begin with. */
    size_t range;
    uint64_t offset;
} LpMoveOrder;

/* vCPUs by what they may run on; what is empty is left as it is. */
typedef struct {
    uint32_t n_vcpus;                  /* ids 0..n-1, plugged or not: one that comes later has it too */
    LpCpuMask *vcpus;
    LpCpuMask emulator;
} LpPins;

#endif
