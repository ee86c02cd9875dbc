/* Proxmox VE's automatic ballooning, apart from the simulation: its source has test vectors. */
#ifndef LP_SIM_RIVAL_PVE_H
#define LP_SIM_RIVAL_PVE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t max, min, balloon;     /* bytes; balloon: what it has */
    int64_t free;                  /* MemFree */
    uint32_t shares;               /* 0: not to be touched */
} LpPveVm;

/* Changes the sum of balloons by `goal` bytes (either way), each by at most max_change.
 * ret_planned[i]: its new size, or 0 where nothing is said of it. */
void lp_pve_plan(const LpPveVm *vms, size_t n, int64_t goal, int64_t max_change,
                 int64_t *ret_planned);

#endif
