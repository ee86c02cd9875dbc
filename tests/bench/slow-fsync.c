/* A slow disk, for LD_PRELOAD: each fsync and fdatasync takes SLOW_FSYNC_MSEC more. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void
be_slow(void)
{
    const char *text = getenv("SLOW_FSYNC_MSEC");
    long msec = text ? strtol(text, NULL, 10) : 0;
    struct timespec left = {.tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000};

    while (nanosleep(&left, &left) != 0)
        ;
}

int
fsync(int fd)
{
    int (*next)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");

    be_slow();
    return next(fd);
}

int
fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

    be_slow();
    return next(fd);
}
