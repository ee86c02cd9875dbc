#include "agent/agent.h"
#include "agent/clock.h"

void lp_classes_init(LpAgent *agent) { (void)agent; }
void lp_classes_touch(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
int64_t lp_classes_deadline(const LpAgent *agent) { (void)agent; return LP_NEVER; }
void lp_classes_run(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
