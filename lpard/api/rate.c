#include "lpard/api/rate.h"

#define MICRO 1000000ULL
#define USEC_PER_SEC 1000000

void
lp_bucket_init(LpBucket *bucket, uint32_t per_sec, uint32_t burst, int64_t now_usec)
{
    *bucket = (LpBucket){.per_sec = per_sec, .burst = burst, .micro = burst * MICRO,
                         .at_usec = now_usec};
}

static void
fill(LpBucket *bucket, int64_t now_usec)
{
    uint64_t full = bucket->burst * MICRO, missing = full - bucket->micro, passed;

    if (now_usec <= bucket->at_usec)
        return;
    passed = (uint64_t)(now_usec - bucket->at_usec);
    bucket->at_usec = now_usec;
    /* A microsecond brings per_sec millionths; divided, so that years do not overflow it. */
    if (bucket->per_sec == 0 || passed >= missing / bucket->per_sec + 1)
        bucket->micro = full;
    else
        bucket->micro += passed * bucket->per_sec;
}

bool
lp_bucket_take(LpBucket *bucket, int64_t now_usec)
{
    if (bucket->per_sec == 0)
        return true;
    fill(bucket, now_usec);
    if (bucket->micro < MICRO)
        return false;
    bucket->micro -= MICRO;
    return true;
}

bool
lp_bucket_full(LpBucket *bucket, int64_t now_usec)
{
    fill(bucket, now_usec);
    return bucket->per_sec == 0 || bucket->micro == bucket->burst * MICRO;
}

uint32_t
lp_bucket_wait_sec(const LpBucket *bucket)
{
    uint64_t missing = bucket->micro >= MICRO ? 0 : MICRO - bucket->micro;
    uint64_t per_sec = bucket->per_sec ? (uint64_t)bucket->per_sec * USEC_PER_SEC : 1;

    return 1 + (uint32_t)(missing / per_sec);
}
