/* Hosts, partitions, states and decisions with any values that may be, for the records' tests.
 * Padding is zero, so that two of them can be compared as bytes. */
#ifndef LP_TESTS_UNIT_RECORD_RANDOM_H
#define LP_TESTS_UNIT_RECORD_RANDOM_H

#include "policy/policy.h"

void record_random_seed(uint64_t otherwise);      /* or $LP_TEST_SEED; it is printed */
uint64_t record_random(void);
uint32_t record_random_below(uint32_t limit);
void record_random_host(LpPolicyHost *ret);
void record_random_partition(LpPolicyPartition *ret);
void record_random_state(LpPolicyState *ret);
void record_random_decision(LpDecision *ret);
/* What a second may bring: some things change, ages grow. */
void record_random_host_later(LpPolicyHost *host, int64_t passed_msec);
void record_random_partition_later(LpPolicyPartition *partition, int64_t passed_msec);

#endif
