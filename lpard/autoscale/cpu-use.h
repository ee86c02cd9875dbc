/* How much processor time hypervisor processes take, by the host's own count.  Read in a thread:
 * thousands of files in /proc are no work for the main loop. */
#ifndef LP_LPARD_CPU_USE_H
#define LP_LPARD_CPU_USE_H

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* So many are read at a time; more take turns. */
#define LP_CPU_READS 500

/* What two readings of one process make. */
typedef struct {
    pid_t pid;
    uint64_t used_usec;           /* of all its threads, at ... */
    int64_t at_usec;              /* monotonic; 0: never */
    bool known;
    uint32_t used_centi;          /* processors x 100, between the last two */
} LpCpuMeter;

void lp_cpu_meter_take(LpCpuMeter *meter, pid_t pid, uint64_t used_usec, int64_t at_usec);

typedef struct {
    uint64_t key;                 /* the caller's */
    pid_t pid;
    uint64_t used_usec;
    int64_t at_usec;
    bool ok;                      /* it was there */
} LpCpuReading;

typedef struct LpCpuUse LpCpuUse;
typedef void (*LpCpuUseFunc)(const LpCpuReading *readings, size_t n, void *data);

LpCpuUse *lp_cpu_use_new(LpCpuUseFunc func, void *data);
/* `func` is not called any more. */
void lp_cpu_use_free(LpCpuUse *use);
/* Takes the array of LpCpuReading.  False, and the array is dropped: the last is under way yet. */
bool lp_cpu_use_read(LpCpuUse *use, GArray *readings);

/* Time used by "PID (name) S ..." of /proc/PID/stat: user and system of all threads, guests' time
 * included (proc(5), fields 14 and 15), in ticks.  False: it is not such a line. */
bool lp_cpu_use_parse(const char *text, uint64_t *ret_ticks);

#endif
