#include "agent/agent.h"
#include "agent/clock.h"

void lp_pressure_init(LpAgent *agent) { (void)agent; }
void lp_pressure_read(const char *sysfs, const char *procfs, const char *classes_list, LpPressureBase *base, LpWirePressure *ret_pressure)
{ (void)sysfs; (void)procfs; (void)classes_list; (void)base; *ret_pressure = (LpWirePressure){ .seq = 0 }; }
void lp_pressure_touch(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
int64_t lp_pressure_deadline(const LpAgent *agent) { (void)agent; return LP_NEVER; }
void lp_pressure_run(LpAgent *agent, int64_t now_msec) { (void)agent; (void)now_msec; }
