#include "lpard/sim/trace.h"

#include <stdio.h>

#include "lpard/error.h"
#include "lpard/sim/report.h"

#define MIB ((uint64_t) 1 << 20)
/* A writer has no clock speeds: a core is taken as this many MHz, so that a hundredth is a whole
 * number of tenths. */
#define CORE_MHZ 1000u

LpTrace *
lp_trace_new(size_t n_vms, size_t n_samples, uint32_t step_sec)
{
    LpTrace *trace = g_new0(LpTrace, 1);

    trace->step_sec = step_sec;
    trace->n_samples = n_samples;
    trace->n_vms = n_vms;
    trace->vms = g_new0(LpTraceVm, n_vms);
    for (size_t i = 0; i < n_vms; i++) {
        trace->vms[i].mem_bytes = g_new0(uint64_t, n_samples);
        trace->vms[i].cpu_centi = g_new0(uint32_t, n_samples);
    }
    return trace;
}

static void
vm_clear(LpTraceVm *vm)
{
    g_free(vm->name);
    g_free(vm->mem_bytes);
    g_free(vm->cpu_centi);
}

void
lp_trace_free(LpTrace *trace)
{
    if (trace == NULL)
        return;
    for (size_t i = 0; i < trace->n_vms; i++)
        vm_clear(&trace->vms[i]);
    g_free(trace->vms);
    g_free(trace);
}

void
lp_trace_keep(LpTrace *trace, size_t n, size_t hold_back, bool held)
{
    size_t kept = 0;

    for (size_t i = 0; i < trace->n_vms; i++) {
        bool is_held = hold_back > 0 && i % hold_back == hold_back - 1;

        if ((hold_back > 0 && is_held != held) || (n > 0 && kept == n))
            vm_clear(&trace->vms[i]);
        else
            trace->vms[kept++] = trace->vms[i];
    }
    trace->n_vms = kept;
}

/* The sample at or before a second, and how far behind it is; the last one lasts. */
static size_t
sample_at(const LpTrace *trace, uint64_t sec, uint32_t *ret_into)
{
    uint64_t k = sec / trace->step_sec;

    *ret_into = (uint32_t) (sec % trace->step_sec);
    if (k + 1 >= trace->n_samples) {
        *ret_into = 0;
        return trace->n_samples - 1;
    }
    return k;
}

static int64_t
between(int64_t a, int64_t b, uint32_t into, uint32_t step)
{
    return a + (int64_t) ((__int128) (b - a) * into / step);
}

uint64_t
lp_trace_mem(const LpTrace *trace, size_t vm, uint64_t sec, bool steps)
{
    const uint64_t *samples = trace->vms[vm].mem_bytes;
    uint32_t into;
    size_t k = sample_at(trace, sec, &into);

    if (steps || into == 0)
        return samples[k];
    return (uint64_t) between((int64_t) samples[k], (int64_t) samples[k + 1], into,
                              trace->step_sec);
}

uint32_t
lp_trace_cpu(const LpTrace *trace, size_t vm, uint64_t sec, bool steps)
{
    const uint32_t *samples = trace->vms[vm].cpu_centi;
    uint32_t into;
    size_t k = sample_at(trace, sec, &into);

    if (steps || into == 0)
        return samples[k];
    return (uint32_t) between(samples[k], samples[k + 1], into, trace->step_sec);
}

uint64_t
lp_trace_peak_mem(const LpTrace *trace, size_t from, size_t to)
{
    uint64_t peak = 0;

    for (size_t k = from; k < MIN(to, trace->n_samples); k++) {
        uint64_t sum = 0;

        for (size_t i = 0; i < trace->n_vms; i++)
            sum += trace->vms[i].mem_bytes[k];
        peak = MAX(peak, sum);
    }
    return peak;
}

uint64_t
lp_trace_peak_cpu(const LpTrace *trace, size_t from, size_t to)
{
    uint64_t peak = 0;

    for (size_t k = from; k < MIN(to, trace->n_samples); k++) {
        uint64_t sum = 0;

        for (size_t i = 0; i < trace->n_vms; i++)
            sum += trace->vms[i].cpu_centi[k];
        peak = MAX(peak, sum);
    }
    return peak;
}

bool
lp_trace_write(const LpTrace *trace, const char *path, GError **error)
{
    g_autoptr(GString) text =
        g_string_new("vm,ts,cores,cpu_cap_mhz,cpu_use_mhz,mem_cap_mib,mem_use_mib\n");

    for (size_t i = 0; i < trace->n_vms; i++) {
        const LpTraceVm *vm = &trace->vms[i];
        uint32_t cores = (vm->max_centi + 99) / 100;

        for (size_t k = 0; k < trace->n_samples; k++)
            g_string_append_printf(text,
                                   "%s,%" G_GUINT64_FORMAT ",%u,%u,%u,%" G_GUINT64_FORMAT
                                   ",%" G_GUINT64_FORMAT "\n",
                                   vm->name, trace->epoch_sec + k * trace->step_sec, cores,
                                   cores * CORE_MHZ, vm->cpu_centi[k] * (CORE_MHZ / 100),
                                   vm->max_bytes / MIB, vm->mem_bytes[k] / MIB);
    }
    return lp_report_write(path, text->str, error);
}
