/* A decaying histogram: what was used, the older the less.  Integers only, fixed size.
 *
 * Source: Autopilot (EuroSys'20) and Kubernetes' VPA: buckets that grow with what they hold,
 * weights halved every half-life.  Here each power of two is divided into eight equal buckets (7 to
 * 12 % wide), found by shifts; old weights are halved at once, at each half-life, instead of new
 * ones being grown for ever. */
#ifndef LP_POLICY_HISTOGRAM_H
#define LP_POLICY_HISTOGRAM_H

#include <stdint.h>

/* From one unit to 3840 units: 64 MiB to 240 GiB, or 0.1 to 384 processors. */
#define LP_HISTOGRAM_BUCKETS 96
/* The upper end of the last bucket. */
#define LP_HISTOGRAM_UNITS 3840
/* More weight than this is taken as this: a bucket holds two of it. */
#define LP_HISTOGRAM_WEIGHT_MAX 32767

typedef struct {
    int64_t halved_msec;      /* when weights were last halved */
    uint32_t total;           /* of the weights */
    uint16_t weights[LP_HISTOGRAM_BUCKETS];
} LpHistogram;

/* All zero is an empty histogram.  `unit`: the upper end of the first bucket; 0 is taken as 1.
 * Above the last bucket values count as in it.  Halves all weights for each half-life that has
 * passed (0 or less: none does), and where a bucket would overflow.  A time before the last halving
 * halves nothing and counts from there. */
void lp_histogram_add(LpHistogram *histogram, uint64_t value, uint64_t unit, uint32_t weight,
                      int64_t half_life_msec, int64_t now_msec);
/* The upper end of the bucket in which the permyriad-th part of the weight lies; 0 when empty. */
uint64_t lp_histogram_percentile(const LpHistogram *histogram, uint64_t unit, uint32_t permyriad);

#endif
