#include "agent/agent.h"
#include "agent/clock.h"

uint64_t lp_check_floor_bytes(uint64_t total_bytes) { return total_bytes / 8; }
void lp_check_resize(LpAgent *agent, const LpWirePhase *phase, LpWireAnswer *ret_answer)
{ (void)agent; (void)phase; (void)ret_answer; }
