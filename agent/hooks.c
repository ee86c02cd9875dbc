#include "agent/agent.h"
#include "agent/clock.h"

void lp_hooks_run(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec, LpWireAnswer *answer, LpHooksDone done)
{ (void)agent; (void)phase; (void)deadline_msec; (void)answer; (void)done; }
