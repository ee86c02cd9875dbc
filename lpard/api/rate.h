/* A token bucket: how often something may be done.  Pure: the time is an argument. */
#ifndef LP_LPARD_API_RATE_H
#define LP_LPARD_API_RATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t per_sec;             /* 0: without limit */
    uint32_t burst;               /* may come at once */
    uint64_t micro;               /* millionths of a token that there are */
    int64_t at_usec;              /* monotonic; of the last look */
} LpBucket;

/* Full. */
void lp_bucket_init(LpBucket *bucket, uint32_t per_sec, uint32_t burst, int64_t now_usec);
/* Takes one; false: there is none. */
bool lp_bucket_take(LpBucket *bucket, int64_t now_usec);
/* Whether nothing was taken lately: it is as a new one. */
bool lp_bucket_full(LpBucket *bucket, int64_t now_usec);
/* Whole seconds, at least one, until there is one again. */
uint32_t lp_bucket_wait_sec(const LpBucket *bucket);

#endif
