#include "tests/sim/clock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define USEC 1000000
/* A day of uptime, and a day in 2027: no clock is near 0, where errors of sign would hide. */
#define BEGIN_USEC (86400LL * USEC)
#define BEGIN_WALL_USEC (1800000000LL * USEC)

static int64_t now_usec = BEGIN_USEC, wall_usec = BEGIN_WALL_USEC - BEGIN_USEC;

void
clock_reset(void)
{
    now_usec = BEGIN_USEC;
    wall_usec = BEGIN_WALL_USEC - BEGIN_USEC;
}

int64_t
clock_now_usec(void)
{
    return now_usec;
}

void
clock_advance_to(int64_t usec)
{
    if (usec > now_usec)
        now_usec = usec;
}

void
clock_jump(int64_t usec)
{
    wall_usec += usec;
}

/* The C library's, for the whole process: GLib and SQLite call them by these names. */

int
clock_gettime(clockid_t id, struct timespec *ret_time)
{
    int64_t usec = now_usec;

    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        usec += wall_usec;
    else if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE && id != CLOCK_BOOTTIME)
        usec = 0;                  /* processor time: nothing takes any */
    ret_time->tv_sec = usec / USEC;
    ret_time->tv_nsec = usec % USEC * 1000;
    return 0;
}

int
gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    (void) zone;
    ret_time->tv_sec = (now_usec + wall_usec) / USEC;
    ret_time->tv_usec = (now_usec + wall_usec) % USEC;
    return 0;
}

time_t
time(time_t *ret_time)
{
    time_t sec = (now_usec + wall_usec) / USEC;

    if (ret_time)
        *ret_time = sec;
    return sec;
}

int64_t
clock_real_usec(void)
{
    struct timespec at;

    if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at) != 0)
        return 0;
    return at.tv_sec * (int64_t) USEC + at.tv_nsec / 1000;
}
