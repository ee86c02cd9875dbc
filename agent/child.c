#include "agent/agent.h"
#include "agent/clock.h"

void lp_child_init(LpAgent *agent) { (void)agent; }
bool lp_child_run(LpAgent *agent, const LpChildSpec *spec) { (void)agent; (void)spec; return false; }
void lp_child_reap(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
int64_t lp_child_deadline(const LpAgent *agent) { (void)agent; return LP_NEVER; }
void lp_child_tick(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
void lp_child_end(LpAgent *agent) { (void)agent; }
