#include "agent/agent.h"
#include "agent/clock.h"

void lp_reclaim_run(LpAgent *agent, uint64_t bytes, int64_t deadline_msec, LpReclaimDone done)
{ (void)agent; (void)bytes; (void)deadline_msec; (void)done; }
