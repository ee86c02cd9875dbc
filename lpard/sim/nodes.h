/* A host with nodes, as lpard's policy sees it in the simulator: where each partition lies, and
 * what is free on each node. */
#ifndef LP_SIM_NODES_H
#define LP_SIM_NODES_H

#include "lpard/sim/sim.h"
#include "policy/policy.h"

/* Fills the policy's nodes, and each partition's cells: the fewest that its maximum fits, on the
 * nodes with the least of such maxima beside their size.  They stay there. */
void lp_sim_nodes_place(const LpSimHost *host, LpPolicyHost *policy, LpPolicyPartition *partitions);
/* What is free on each now; what a node cannot hold lies on those with the most left.  Their sum is
 * what the host has free. */
void lp_sim_nodes_free(const LpSimHost *host, const LpPolicyPartition *partitions,
                       LpPolicyHost *policy);

#endif
