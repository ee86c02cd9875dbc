/* Pressure stall information of the kernel: the share of time in which tasks wait. */
#ifndef LP_AGENT_PSI_H
#define LP_AGENT_PSI_H

#include <stdint.h>

/* 10 s averages, percent x 100; 0 where the kernel does not tell. */
typedef struct {
    uint32_t some_centi, full_centi;
} LpPsi;

/* `resource`: "cpu", "memory" or "io". */
LpPsi lp_psi_read(const char *procfs, const char *resource);

#endif
