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

/* The next after `last` of numbers that count up within a boot, even if the agent is started anew
 * and remembers none. */
static inline uint64_t
lp_clock_seq(uint64_t last)
{
    struct timespec since_boot;
    uint64_t msec;

    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    msec = (uint64_t)since_boot.tv_sec * 1000 + (uint64_t)since_boot.tv_nsec / 1000000;
    return msec > last ? msec : last + 1;
}

#endif
