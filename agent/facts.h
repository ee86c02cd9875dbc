/* What the guest can say of itself: the HELLO and STATE messages, from procfs and sysfs. */
#ifndef LP_AGENT_FACTS_H
#define LP_AGENT_FACTS_H

#include "agent/cpu.h"
#include "agent/mem.h"
#include "agent/wire/wire.h"

void lp_facts_hello(const char *sysfs, const char *procfs, LpWireHello *ret_hello);
/* Fills all but seq and want_id.  What cannot be read is 0. */
void lp_facts_state(const char *sysfs, const char *procfs, const LpCpus *cpus,
                    LpMemory *memory, LpWireState *ret_state);
/* MemTotal alone: cheap enough to look at every few milliseconds. */
uint64_t lp_facts_mem_total(const char *procfs);

#endif
