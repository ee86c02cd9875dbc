#include "agent/agent.h"
#include "agent/clock.h"

void lp_guard_init(LpAgent *agent) { agent->guard.fd = -1; }
void lp_guard_begin(LpAgent *agent, const LpWirePhase *phase, int64_t now_msec) { (void)agent; (void)phase; (void)now_msec; }
void lp_guard_end(LpAgent *agent) { (void)agent; }
int64_t lp_guard_deadline(const LpAgent *agent) { (void)agent; return LP_NEVER; }
void lp_guard_run(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
