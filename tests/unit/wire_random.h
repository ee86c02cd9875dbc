/* Random messages of every kind, within what the protocol allows, for the codec's tests. */
#ifndef LP_TEST_WIRE_RANDOM_H
#define LP_TEST_WIRE_RANDOM_H

#include <stdint.h>

#include "agent/wire/wire.h"

#define WIRE_BOOT_ID "04d95510-5312-4c4c-be7e-ad5a632fe836"

/* From LP_TEST_SEED or `otherwise`; says which. */
void wire_random_seed(uint64_t otherwise);
uint32_t wire_random_below(uint32_t limit);
/* Every byte of *ret_message is set, so that two can be compared as memory. */
void wire_random_message(LpWireMessage *ret_message);

#endif
