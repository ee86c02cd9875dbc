/* What was measured: times of answers, resident memory, and what a sync of the disk takes. */
#ifndef LP_BENCH_LOAD_TIMES_H
#define LP_BENCH_LOAD_TIMES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t *usec;
    size_t n, room;
} Times;

void times_add(Times *times, int64_t usec);
void times_join(Times *to, const Times *from);
/* As a JSON object, in milliseconds; sorts them. */
void times_print(Times *times);

/* Of a process, second by second. */
typedef struct {
    const char *pid;
    uint32_t *kib;
    int n, room;
} Resident;

void resident_open(Resident *resident, const char *pid, int seconds);
void resident_take(Resident *resident, int second);
/* Processor time that it has used, all threads. */
double resident_cpu_sec(const Resident *resident);
/* `"rss": {...}`: the median of each tenth of what comes after the warm-up, and by how much the
 * highest of them is above the first. */
void resident_print(const Resident *resident, int warm_up);

typedef struct {
    double median_msec, p99_msec;
} SyncTimes;

/* Of 4 KiB appended and synced, 100 times, in that directory. */
void sync_measure(const char *dir, SyncTimes *ret_sync);

#endif
