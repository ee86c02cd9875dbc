#include "agent/bound.h"

void lp_bound_read(const char *sysfs, const char *procfs, LpBound *ret_bound)
{ (void)sysfs; (void)procfs; *ret_bound = (LpBound){ .blocker = "" }; }
bool lp_bound_blocker(const char *sysfs, const char *procfs, const LpCpuMask *leaving, char *ret_text, uint32_t size)
{ (void)sysfs; (void)procfs; (void)leaving; (void)ret_text; (void)size; return false; }
