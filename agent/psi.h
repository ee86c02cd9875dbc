/* Pressure stall information of this kernel. */
#ifndef LP_AGENT_PSI_H
#define LP_AGENT_PSI_H

#include "agent/wire/psi.h"

/* `resource`: "cpu", "memory" or "io". */
LpPsi lp_psi_read(const char *procfs, const char *resource);

#endif
