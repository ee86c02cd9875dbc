#include "agent/agent.h"
#include "agent/clock.h"

void lp_apps_init(LpAgent *agent) { (void)agent; }
static LpWireAnswer held; static LpAppsDone held_done;
void lp_apps_tell(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec, LpWireAnswer *answer, LpAppsDone done)
{ (void)agent; (void)phase; (void)deadline_msec; held = *answer; held_done = done; }
void lp_apps_result(LpAgent *agent, const LpWireResult *result) { (void)agent; (void)result; }
void lp_apps_host_lost(LpAgent *agent) { (void)agent; }
int64_t lp_apps_deadline(const LpAgent *agent) { (void)agent; return held_done ? 0 : LP_NEVER; }
void lp_apps_run(LpAgent *agent, int64_t now_msec)
{ LpAppsDone done = held_done; (void)now_msec; held_done = NULL; if (done) done(agent, &held); }
