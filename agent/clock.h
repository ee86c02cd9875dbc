/* The agent's clock: milliseconds since boot, and deadlines on it. */
#ifndef LP_AGENT_CLOCK_H
#define LP_AGENT_CLOCK_H

#include <stdint.h>
#include <time.h>

/* A deadline that is not set. */
#define LP_NEVER INT64_MAX

static inline int64_t
lp_clock_msec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t
lp_clock_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
