#include "agent/agent.h"
#include "agent/clock.h"

void lp_conf_init(LpConf *conf) { *conf = (LpConf){ .forbid = 0 }; }
bool lp_conf_read(LpConf *conf, const char *path) { (void)conf; (void)path; return true; }
