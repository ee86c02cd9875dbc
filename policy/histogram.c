#include "policy/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define PERMYRIAD 10000
/* Buckets in a power of two. */
#define EIGHTHS 8
/* So many halvings leave nothing of 16 bits. */
#define HALVINGS_MAX 16

/* The bucket after the first is (unit, unit * 9/8], and so on: eight to a power of two. */
static size_t
bucket_of(uint64_t value, uint64_t unit)
{
    uint64_t units, base;
    unsigned power;

    if (value <= unit)
        return 0;
    /* Upper ends belong to their bucket: hence value - 1. */
    units = (value - 1) / unit;
    if (units >= LP_HISTOGRAM_UNITS)
        return LP_HISTOGRAM_BUCKETS - 1;
    power = 63 - (unsigned)__builtin_clzll(units);
    base = unit << power;
    return 1 + EIGHTHS * power +
           (size_t)(((unsigned __int128)(value - 1 - base) * EIGHTHS) / base);
}

static uint64_t
upper_end(size_t bucket, uint64_t unit)
{
    unsigned __int128 base, end;

    if (bucket == 0)
        return unit;
    base = (unsigned __int128)unit << ((bucket - 1) / EIGHTHS);
    /* Rounded up: what is in the bucket is not above its end. */
    end = base + (base * ((bucket - 1) % EIGHTHS + 1) + EIGHTHS - 1) / EIGHTHS;
    return end > UINT64_MAX ? UINT64_MAX : (uint64_t)end;
}

static void
halve(LpHistogram *histogram, unsigned times)
{
    uint32_t total = 0;

    for (size_t i = 0; i < LP_HISTOGRAM_BUCKETS; i++) {
        histogram->weights[i] = (uint16_t)(histogram->weights[i] >> times);
        total += histogram->weights[i];
    }
    histogram->total = total;
}

static void
age(LpHistogram *histogram, int64_t half_life_msec, int64_t now_msec)
{
    int64_t passed, times;

    if (histogram->total == 0 || now_msec < histogram->halved_msec ||
        __builtin_sub_overflow(now_msec, histogram->halved_msec, &passed)) {
        histogram->halved_msec = now_msec;
        return;
    }
    if (half_life_msec <= 0 || passed < half_life_msec)
        return;
    times = passed / half_life_msec;
    halve(histogram, times > HALVINGS_MAX ? HALVINGS_MAX : (unsigned)times);
    /* What has passed of the next one goes on. */
    histogram->halved_msec = now_msec - passed % half_life_msec;
}

void
lp_histogram_add(LpHistogram *histogram, uint64_t value, uint64_t unit, uint32_t weight,
                 int64_t half_life_msec, int64_t now_msec)
{
    size_t bucket = bucket_of(value, unit > 0 ? unit : 1);

    if (weight > LP_HISTOGRAM_WEIGHT_MAX)
        weight = LP_HISTOGRAM_WEIGHT_MAX;
    age(histogram, half_life_msec, now_msec);
    if (histogram->weights[bucket] + weight > UINT16_MAX)
        halve(histogram, 1);
    histogram->weights[bucket] = (uint16_t)(histogram->weights[bucket] + weight);
    histogram->total += weight;
}

uint64_t
lp_histogram_percentile(const LpHistogram *histogram, uint64_t unit, uint32_t permyriad)
{
    uint64_t wanted, below = 0;

    if (histogram->total == 0)
        return 0;
    if (permyriad > PERMYRIAD)
        permyriad = PERMYRIAD;
    wanted = ((uint64_t)histogram->total * permyriad + PERMYRIAD - 1) / PERMYRIAD;
    if (wanted == 0)
        wanted = 1;
    for (size_t i = 0; i < LP_HISTOGRAM_BUCKETS; i++) {
        below += histogram->weights[i];
        if (below >= wanted)
            return upper_end(i, unit > 0 ? unit : 1);
    }
    return upper_end(LP_HISTOGRAM_BUCKETS - 1, unit > 0 ? unit : 1);
}
