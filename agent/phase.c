#include "agent/agent.h"
#include "agent/clock.h"

void lp_phase_init(LpAgent *agent) { (void)agent; }
void lp_phase_heard(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec) { (void)agent; (void)phase; (void)now_msec; }
int64_t lp_phase_deadline(const LpAgent *agent) { (void)agent; return LP_NEVER; }
void lp_phase_run(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
bool lp_phase_stop(LpAgent *agent, const char *reason, uint64_t back_bytes, int64_t now_msec)
{ (void)agent; (void)reason; (void)back_bytes; (void)now_msec; return false; }
