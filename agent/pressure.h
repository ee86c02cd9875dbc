/* How the guest fares: measured on PSI triggers and slow timers, said when it changes and at most
 * once a second. */
#ifndef LP_AGENT_PRESSURE_H
#define LP_AGENT_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* What rates are made from, between two readings. */
typedef struct {
    int64_t at_msec;
    uint64_t busy_ticks, steal_ticks, all_ticks;
    uint64_t class_cpu_usec[LP_WIRE_CLASSES_MAX];
} LpPressureBase;

typedef struct {
    int64_t sent_at_msec, look_at_msec;
    uint64_t seq;
    int trigger_fd[3];                 /* cpu, memory, io; -1: the kernel has none */
    LpPressureBase base;
    LpWirePressure sent;
} LpPressure;

void lp_pressure_init(LpAgent *agent);
/* Measures now; rates since *base, which is brought up to date.  What cannot be read is 0. */
void lp_pressure_read(const char *sysfs, const char *procfs, const char *classes_list,
                      LpPressureBase *base, LpWirePressure *ret_pressure);
/* The host has connected: it is told as soon as possible. */
void lp_pressure_touch(LpAgent *agent, int64_t now_msec);
int64_t lp_pressure_deadline(const LpAgent *agent);
void lp_pressure_run(LpAgent *agent, int64_t now_msec);

#endif
