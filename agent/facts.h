/* What the guest can say of itself: the HELLO and STATE messages, from procfs and sysfs. */
#ifndef LP_AGENT_FACTS_H
#define LP_AGENT_FACTS_H

#include "agent/conf.h"
#include "agent/cpu.h"
#include "agent/mem.h"
#include "agent/wire/wire.h"

void lp_facts_hello(const char *sysfs, const char *procfs, const LpConf *conf,
                    LpWireHello *ret_hello);
/* Fills all but seq and want_id.  What cannot be read is 0. */
void lp_facts_state(const char *sysfs, const char *procfs, const LpCpus *cpus,
                    LpMemory *memory, LpWireState *ret_state);
/* The kB figure of the line of a meminfo that starts with `key` ("MemFree:"), as bytes; 0 if there
 * is none. */
uint64_t lp_facts_meminfo(const char *text, const char *key);
/* The kernel's random id of this boot; "0" where it has none. */
void lp_facts_boot_id(const char *procfs, char *ret_text, size_t size);
/* MemTotal alone: cheap enough to look at every few milliseconds. */
uint64_t lp_facts_mem_total(const char *procfs);

#endif
