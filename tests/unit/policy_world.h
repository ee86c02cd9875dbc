/* A host with partitions, for tests of the policy: built by hand, ticked, and its decisions
 * carried out in memory. */
#ifndef LP_TESTS_POLICY_WORLD_H
#define LP_TESTS_POLICY_WORLD_H

#include "policy/policy.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

typedef struct {
    LpPolicy *policy;
    LpPolicyHost host;
    LpPolicyPartition *partitions;
    LpPolicyState *states;
    LpDecision *decisions;
    size_t n, room;
} World;

/* One node of so much, of which nothing is reserved; AUTO and burst; the time is a second. */
void world_open(World *world, uint64_t capacity_bytes, size_t room);
void world_close(World *world);
/* Another partition on node 0: [1 GiB, 64 GiB], weight 128, entitled to 1 GiB and 0.5 processors,
 * 1 to 8 vCPUs, of which it has 2.  An agent says what is in use, a sample of this tick. */
LpPolicyPartition *world_add(World *world, uint64_t granted_bytes, uint64_t used_bytes);
/* What an agent would say of so much in use. */
void world_use(LpPolicyPartition *partition, uint64_t used_bytes);
/* nodes[].free_bytes = capacity less what is granted there. */
void world_count_free(World *world);
void world_decide(World *world);
/* Decides, then gives and takes at once; free memory is counted anew, and a second passes. */
void world_tick(World *world);
void world_ticks(World *world, int n);

#endif
