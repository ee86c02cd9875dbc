/* How the guest fares: measured on PSI triggers and slow timers, said when it changes, at most once
 * a second, and now and then also when it does not: who decides by it must know that it holds. */
#ifndef LP_AGENT_PRESSURE_H
#define LP_AGENT_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* cpu, memory, io */
#define LP_PRESSURE_TRIGGERS 3

/* What rates are made from, between two readings. */
typedef struct {
    int64_t at_msec;                   /* 0: nothing read yet, so no rates */
    uint64_t busy_ticks, steal_ticks, all_ticks;
    uint64_t class_key[LP_WIRE_CLASSES_MAX];   /* of whom the next line is; 0: nobody */
    uint64_t class_cpu_usec[LP_WIRE_CLASSES_MAX];
} LpPressureBase;

typedef struct {
    bool told;                         /* the host has had a PRESSURE on this link */
    bool urgent;                       /* the next look is for a trigger, or for a new host */
    bool moving;                       /* the last look found a change: more may follow */
    int64_t looked_at_msec, look_at_msec, said_at_msec;
    uint64_t seq;
    int trigger_fd[LP_PRESSURE_TRIGGERS];   /* -1: the kernel has none */
    LpPressureBase base;
    LpWirePressure sent;
} LpPressure;

void lp_pressure_init(LpAgent *agent);

/* Measures now; rates since *base, which is brought up to date.  What cannot be read is 0; seq is
 * not filled.  measure.c.
 *
 * The working set is MemTotal - MemFree - Inactive(file) - SReclaimable of /proc/meminfo: all that
 * is in use, but for cached pages not used twice of late and slab that goes when asked.  It is the
 * kubelet's and cAdvisor's working set (usage without inactive file pages), said of a whole
 * machine.  Pages that went too early show in `refaults`, not here. */
void lp_pressure_read(const char *procfs, const char *classes_list, LpPressureBase *base,
                      LpWirePressure *ret_pressure);

/* The host has connected: it is told as soon as possible. */
void lp_pressure_touch(LpAgent *agent, int64_t now_msec);
int64_t lp_pressure_deadline(const LpAgent *agent);
void lp_pressure_run(LpAgent *agent, int64_t now_msec);

/* Whether *now differs from *sent by more than figures do by themselves. */
bool lp_pressure_notable(const LpWirePressure *sent, const LpWirePressure *now);

#endif
