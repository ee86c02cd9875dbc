/* A fixed-size set of processors (or of a guest's vCPU ids), as a value.
 *
 * Pure: no allocation, no I/O.  The textual form is the kernel's list format, "0-3,8". */
#ifndef LP_NUMA_CPUMASK_H
#define LP_NUMA_CPUMASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* KVM's own ceiling for one guest is 1024 vCPUs on x86, and hosts above it are rare. */
#define LP_MAX_CPUS 1024

/* The longest list text of LP_MAX_CPUS processors: pairs with a hole of one between them,
 * "0-1,3-4,...", which is 8 bytes for each three ids above 99. */
#define LP_CPUMASK_TEXT 2816

typedef struct {
    uint64_t words[LP_MAX_CPUS / 64];
} LpCpuMask;

void lp_cpumask_clear(LpCpuMask *mask);
void lp_cpumask_add(LpCpuMask *mask, unsigned cpu);      /* cpu >= LP_MAX_CPUS: ignored */
void lp_cpumask_remove(LpCpuMask *mask, unsigned cpu);
bool lp_cpumask_has(const LpCpuMask *mask, unsigned cpu);
unsigned lp_cpumask_count(const LpCpuMask *mask);
bool lp_cpumask_equal(const LpCpuMask *a, const LpCpuMask *b);
/* Whether every member of `part` is in `whole`. */
bool lp_cpumask_covers(const LpCpuMask *whole, const LpCpuMask *part);
/* Lowest member >= from, or -1. */
int lp_cpumask_next(const LpCpuMask *mask, unsigned from);
/* Highest member, or -1. */
int lp_cpumask_last(const LpCpuMask *mask);
/* All of 0..n-1. */
void lp_cpumask_first_n(LpCpuMask *mask, unsigned n);

/* Parses "0-3,8" (empty text: the empty set).  On malformed text or an id >= LP_MAX_CPUS
 * returns false and leaves *ret_mask alone. */
bool lp_cpumask_parse(const char *text, LpCpuMask *ret_mask);
/* Writes the list form, always terminated; returns buf. */
char *lp_cpumask_format(const LpCpuMask *mask, char *buf, size_t size);

#endif
