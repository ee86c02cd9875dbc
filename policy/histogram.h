/* A decaying histogram: what was used, the older the less.  Integers only, fixed size.
 *
 * Source: Autopilot (EuroSys'20) and Kubernetes' VPA: buckets that grow by a constant factor,
 * weights halved every half-life.  Here buckets are eighths of powers of two (9 % apart), found
 * by shifts; old weights are halved at once, at each half-life, instead of new ones being grown
 * for ever. */
#ifndef LP_POLICY_HISTOGRAM_H
#define LP_POLICY_HISTOGRAM_H

#include <stdint.h>

/* From one unit to 2^12 units: 64 MiB to 256 GiB, or 0.1 to 409 processors. */
#define LP_HISTOGRAM_BUCKETS 96

typedef struct {
    uint16_t weights[LP_HISTOGRAM_BUCKETS];
    uint32_t total;
    int64_t halved_msec;      /* when weights were last halved */
} LpHistogram;

/* `unit`: the upper end of the first bucket. Above the last bucket values count as in it. */
void lp_histogram_add(LpHistogram *histogram, uint64_t value, uint64_t unit, uint32_t weight,
                      int64_t half_life_msec, int64_t now_msec);
/* The upper end of the bucket in which the permyriad-th part of the weight lies; 0 when empty. */
uint64_t lp_histogram_percentile(const LpHistogram *histogram, uint64_t unit, uint32_t permyriad);

#endif
