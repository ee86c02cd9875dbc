/* Pressure stall information, as the kernel writes it in /proc/pressure: the share of time in which
 * tasks wait for a resource.  Of guests and hosts alike, so both ends read it here. */
#ifndef LP_WIRE_PSI_H
#define LP_WIRE_PSI_H

#include <stdint.h>

/* 10 s averages, percent x 100; 0 where the kernel does not tell. */
typedef struct {
    uint32_t some_centi, full_centi;
} LpPsi;

/* One of those files' text. */
LpPsi lp_psi_parse(const char *text);

/* "1.25" as 125: a load average too.  Stops at anything unexpected; at most UINT32_MAX. */
uint32_t lp_psi_centi(const char *text);

#endif
