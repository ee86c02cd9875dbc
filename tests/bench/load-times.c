#include "load-times.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SYNCS 100
#define PARTS 10

static int
compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

    return left < right ? -1 : left > right;
}

static uint32_t
rank(const uint32_t *sorted, size_t n, double share)
{
    size_t at = (size_t) ((double) n * share);

    return n ? sorted[at < n ? at : n - 1] : 0;
}

void
times_add(Times *times, int64_t usec)
{
    if (times->n == times->room) {
        times->room = times->room ? times->room * 2 : 1024;
        times->usec = realloc(times->usec, times->room * sizeof *times->usec);
        if (!times->usec)
            abort();
    }
    times->usec[times->n++] = usec < 0 ? 0 : usec > UINT32_MAX ? UINT32_MAX : (uint32_t) usec;
}

void
times_join(Times *to, const Times *from)
{
    for (size_t i = 0; i < from->n; i++)
        times_add(to, from->usec[i]);
}

void
times_print(Times *times)
{
    if (times->n)
        qsort(times->usec, times->n, sizeof *times->usec, compare);
    printf("{\"n\":%zu,\"median\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}", times->n,
           rank(times->usec, times->n, 0.5) / 1e3, rank(times->usec, times->n, 0.99) / 1e3,
           rank(times->usec, times->n, 0.999) / 1e3, rank(times->usec, times->n, 1) / 1e3);
}

void
resident_open(Resident *resident, const char *pid, int seconds)
{
    *resident = (Resident){.pid = pid, .room = seconds + 1};
    resident->kib = calloc((size_t) resident->room, sizeof *resident->kib);
    if (!resident->kib)
        abort();
}

void
resident_take(Resident *resident, int second)
{
    char path[64], line[256];
    unsigned kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", resident->pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Rss: %u kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    if (second < resident->room)
        resident->kib[resident->n++] = kib;
}

double
resident_cpu_sec(const Resident *resident)
{
    unsigned long user = 0, system = 0;
    char path[64], text[1024];
    size_t length;
    FILE *file;
    char *at;

    snprintf(path, sizeof path, "/proc/%s/stat", resident->pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    /* The name in brackets may hold anything. */
    at = strrchr(text, ')');
    if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                      &system) != 2)
        return 0;
    return (double) (user + system) / (double) sysconf(_SC_CLK_TCK);
}

void
resident_print(const Resident *resident, int warm_up)
{
    int first = warm_up < resident->n ? warm_up : 0, n = resident->n - first;
    double begin = 0, most = 0;

    printf("\"rss\":{\"mib\":[");
    for (int part = 0; part < PARTS && n >= PARTS; part++) {
        int from = first + n * part / PARTS, to = first + n * (part + 1) / PARTS;
        double mib;

        qsort(resident->kib + from, (size_t) (to - from), sizeof *resident->kib, compare);
        mib = resident->kib[(from + to) / 2] / 1024.0;
        printf("%s%.2f", part ? "," : "", mib);
        begin = part ? begin : mib;
        most = mib > most ? mib : most;
    }
    printf("],\"growth_percent\":%.2f}", begin > 0 ? 100 * (most - begin) / begin : -1);
}

void
sync_measure(const char *dir, SyncTimes *ret_sync)
{
    char path[4096], page[4096];
    uint32_t usec[SYNCS];
    int fd;

    snprintf(path, sizeof path, "%s/load-sync", dir);
    memset(page, 'x', sizeof page);
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    for (int i = 0; i < SYNCS; i++) {
        struct timespec from, to;

        clock_gettime(CLOCK_MONOTONIC, &from);
        if (fd < 0 || write(fd, page, sizeof page) < 0 || fdatasync(fd) != 0) {
            fprintf(stderr, "load: cannot write in %s\n", dir);
            exit(1);
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        usec[i] = (uint32_t) ((to.tv_sec - from.tv_sec) * 1000000
                              + (to.tv_nsec - from.tv_nsec) / 1000);
    }
    close(fd);
    unlink(path);
    qsort(usec, SYNCS, sizeof usec[0], compare);
    ret_sync->median_msec = rank(usec, SYNCS, 0.5) / 1e3;
    ret_sync->p99_msec = rank(usec, SYNCS, 0.99) / 1e3;
}
