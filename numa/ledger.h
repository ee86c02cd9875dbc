/* What is promised of each node's memory and processors, as sums that follow each domain's change, so
 * that what is left is known without asking every domain.  Pure: a value; takes no memory.
 *
 * Amounts above LP_LEDGER_MOST are counted as that: no host has as much, and no sum overflows. */
#ifndef LP_NUMA_LEDGER_H
#define LP_NUMA_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/place.h"
#include "numa/topology.h"

#define LP_LEDGER_MOST (1ULL << 48)

/* What one domain is counted at. */
typedef struct {
    uint64_t bytes;           /* in all (S3) */
    uint64_t loose_mib;       /* of that, what lies on no node known: nodes share it by size */
    bool placed;              /* a layout decides where its cells lie */
    uint32_t n_parts;         /* nodes it has something on, each once */
    struct {
        uint16_t node;        /* index in the topology */
        uint32_t vcpus;       /* that run there */
        uint64_t bytes;       /* of its cells */
        uint64_t coming_bytes;         /* that are being moved there; counted elsewhere still */
    } parts[LP_MAX_NODES];
    uint32_t loose_vcpus;     /* that run anywhere */
    uint32_t centi;           /* processing units entitled to it */
} LpCharge;

typedef struct {
    uint64_t bytes, loose_mib;
    uint64_t on_bytes[LP_MAX_NODES], placed_bytes[LP_MAX_NODES];     /* by the index of nodes[] */
    uint32_t vcpus[LP_MAX_NODES], loose_vcpus;
    uint32_t centi;
} LpLedger;

/* Makes a charge of nothing (memory that is not zeroed is all right). */
void lp_charge_clear(LpCharge *charge);
/* Adds to what it has on a node; an index that the topology has not is ignored, as on -1. */
void lp_charge_add(LpCharge *charge, const LpTopology *topology, int node, uint64_t bytes,
                   uint32_t vcpus, uint64_t coming_bytes);
/* The rest of `bytes`, when all parts are added, lies on no node known. */
void lp_charge_close(LpCharge *charge, uint64_t bytes);

void lp_ledger_add(LpLedger *ledger, const LpCharge *charge);
/* One that was added, unchanged since. */
void lp_ledger_remove(LpLedger *ledger, const LpCharge *charge);

/* What each node has left when `beside` more bytes (a reserve, say), shared by the nodes' size, and all
 * charges but `without` (or NULL: all) are counted.  What is coming of that one is counted still.  What a
 * node is counted at beyond what it has takes room of the nearest others: there it lies. */
void lp_ledger_rooms(const LpLedger *ledger, const LpTopology *topology, uint64_t beside,
                     const LpCharge *without, uint64_t ret_rooms[LP_MAX_NODES]);
/* The same for domains that a layout places: whatever they have is part of it. */
void lp_ledger_placeable(const LpLedger *ledger, const LpTopology *topology, uint64_t beside,
                         uint64_t ret_rooms[LP_MAX_NODES]);
/* vCPUs that run on each node, those that run anywhere shared by the nodes' processors. */
void lp_ledger_vcpus(const LpLedger *ledger, const LpTopology *topology,
                     uint32_t ret_vcpus[LP_MAX_NODES]);

/* A node's part, by its size, of what lies on none: whole MiB, rounded down. */
uint64_t lp_ledger_part(const LpTopology *topology, uint32_t node, uint64_t bytes);

#endif
