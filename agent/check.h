/* Would the guest survive what is asked?  The agent's own part of CHECK. */
#ifndef LP_AGENT_CHECK_H
#define LP_AGENT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* What a guest with so much memory needs at least beside what is in use, in the manner of
 * Hyper-V's floor for its balloon: bytes, by piecewise linear steps.  Pure. */
uint64_t lp_check_floor_bytes(uint64_t total_bytes);

/* Fills *ret_answer's verdict, by, reason and leave; id and phase are set already.  Reads procfs
 * and sysfs, changes nothing.  A forced check gives the same verdict: the host heeds it or not. */
void lp_check_resize(LpAgent *agent, const LpWirePhase *phase, LpWireAnswer *ret_answer);

#endif
