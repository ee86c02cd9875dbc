/* What could have been done with memory by one who knows all: the least that covers all demand
 * at no more than so many resizes. */
#ifndef LP_SIM_BOUND_H
#define LP_SIM_BOUND_H

#include "lpard/sim/trace.h"

/* Levels are multiples of it: of 128 MiB, as a plug of memory has them. */
#define LP_SIM_BOUND_QUANTUM (128ULL << 20)

typedef struct {
    double amount;                 /* byte-seconds, of all partitions over the span */
    double changes;                /* of the best plan found with at most as many as asked for */
    double amount_of_plan;         /* that plan's: at least `amount` */
} LpSimBound;

/* For each partition, a level at every sample of [from, to) that is at least its demand until
 * the next one (between samples demand is on the straight line, so at least both ends; `steps`:
 * held, so at least its own) and at least `floor` (or its maximum where that is less); the sum of
 * level x time is least with `changes` changes over all partitions together, in any division among
 * them.
 *
 * By dynamic programming over the levels, with a price for a change; the price is the same for all
 * and halved in on until changes are as many as asked for.  `amount` is the Lagrangian's value: no
 * plan with at most `changes` changes has less.  The first level is no change. */
LpSimBound lp_sim_bound(const LpTrace *trace, size_t from, size_t to, bool steps,
                        uint64_t quantum, uint64_t floor, uint64_t changes);

#endif
