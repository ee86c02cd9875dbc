/* Demand over time, of many partitions: read from a file, or generated. */
#ifndef LP_SIM_TRACE_H
#define LP_SIM_TRACE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nobody is provisioned less: a machine does not boot with it. */
#define LP_TRACE_MIN_BYTES (64ULL << 20)
/* Bounds on what a file can make us allocate: a year of 5 min, and 1e8 samples (1.2 GB) in all. */
#define LP_TRACE_SAMPLES_MAX 110000u
#define LP_TRACE_CELLS_MAX 100000000u

typedef struct {
    char *name;
    uint64_t max_bytes;            /* provisioned: the most that it ever had */
    uint32_t max_centi;            /* processors x 100 */
    uint64_t *mem_bytes;           /* n_samples: demand, at most max_bytes */
    uint32_t *cpu_centi;
} LpTraceVm;

typedef struct {
    uint32_t step_sec;             /* between samples: 300 */
    uint64_t epoch_sec;            /* of the first sample, since 1970; 0: of no date */
    size_t n_samples;
    size_t n_vms;
    LpTraceVm *vms;
} LpTrace;

/* `vm,ts,cores,cpu_cap_mhz,cpu_use_mhz,mem_cap_mib,mem_use_mib`, plain or .xz (by its name); rows
 * in any order.  Missing rows carry the last value (before the first: the first), use is clamped
 * to what is provisioned, VMs of 0 cores have one.  Of two rows in one step the later counts.
 * NULL: *error says line and cause. */
LpTrace *lp_trace_read(const char *path, GError **error);
/* Writes the same format, plain; "-" is the standard output. */
bool lp_trace_write(const LpTrace *trace, const char *path, GError **error);
/* A mix, deterministic by the seed.  kinds: "diurnal,bursty,leaking,batch,idle,storm" or "mix". */
LpTrace *lp_trace_generate(const char *kinds, size_t n_vms, uint32_t days, uint64_t seed,
                           GError **error);
/* Room for n_vms times n_samples, all zero, names unset. */
LpTrace *lp_trace_new(size_t n_vms, size_t n_samples, uint32_t step_sec);
void lp_trace_free(LpTrace *trace);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpTrace, lp_trace_free)

/* Leaves the first `n` only (0: all); before that each hold_back-th is left out (0: none), so that
 * a policy can be tuned on some and judged on others: `held` keeps just those instead. */
void lp_trace_keep(LpTrace *trace, size_t n, size_t hold_back, bool held);

/* Demand at a second, between samples on the straight line, or held. */
uint64_t lp_trace_mem(const LpTrace *trace, size_t vm, uint64_t sec, bool steps);
uint32_t lp_trace_cpu(const LpTrace *trace, size_t vm, uint64_t sec, bool steps);
/* The peaks of the sums over all partitions, over [from, to) samples. */
uint64_t lp_trace_peak_mem(const LpTrace *trace, size_t from, size_t to);
uint64_t lp_trace_peak_cpu(const LpTrace *trace, size_t from, size_t to);

#endif
