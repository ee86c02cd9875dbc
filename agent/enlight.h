/* Where the guest runs and what it is able to: read once at the start, and when drivers come. */
#ifndef LP_AGENT_ENLIGHT_H
#define LP_AGENT_ENLIGHT_H

#include <stdint.h>

#include "agent/wire/wire.h"

/* By CPUID; LP_WIRE_HYPERVISOR_NONE where the processor says so (or there is no CPUID). */
LpWireHypervisor lp_enlight_hypervisor(void);
/* LP_WIRE_FEATURE_ bits that are known to be there, and known not to be. */
void lp_enlight_features(const char *sysfs, const char *procfs, uint32_t *ret_has,
                         uint32_t *ret_lacks);

#endif
