/* lpar-sim's trace files, and its answers to "what if": any bytes.
 *
 * A trace that is taken has no sample above what is provisioned, and every second of it can be
 * asked for.  Inputs that begin as an .xz file does are read as one. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "lpard/sim/trace.h"

static void
check_taken(const LpTrace *trace)
{
    uint64_t length = trace->n_samples * (uint64_t)trace->step_sec;

    LP_MUST(trace->step_sec >= 1 && trace->n_vms >= 1 && trace->n_samples >= 1);
    LP_MUST(trace->n_samples <= LP_TRACE_SAMPLES_MAX);
    LP_MUST(trace->n_samples * trace->n_vms <= LP_TRACE_CELLS_MAX);
    for (size_t i = 0; i < trace->n_vms; i++) {
        const LpTraceVm *vm = &trace->vms[i];

        LP_MUST(vm->name != NULL && vm->name[0] != '\0');
        LP_MUST(vm->max_bytes >= LP_TRACE_MIN_BYTES && vm->max_centi >= 100);
        for (size_t k = 0; k < trace->n_samples; k++)
            LP_MUST(vm->mem_bytes[k] <= vm->max_bytes && vm->cpu_centi[k] <= vm->max_centi);
        for (uint64_t at = 0; at <= 8; at++) {
            LP_MUST(lp_trace_mem(trace, i, length * at / 7, at & 1) <= vm->max_bytes);
            LP_MUST(lp_trace_cpu(trace, i, length * at / 7, at & 1) <= vm->max_centi);
        }
    }
    LP_MUST(lp_trace_peak_mem(trace, 0, trace->n_samples) >=
            lp_trace_peak_mem(trace, 0, trace->n_samples / 2));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = lp_fuzz_file(data, size);
    char packed[64] = "";
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) trace = NULL;

    /* The name tells what it is. */
    if (size > 6 && memcmp(data, "\xfd" "7zXZ", 5) == 0) {
        snprintf(packed, sizeof packed, "/tmp/lpard-fuzz-%d.xz", (int)getpid());
        LP_MUST(symlink(path, packed) == 0);
        path = packed;
    }
    trace = lp_trace_read(path, &error);
    if (packed[0] != '\0')
        unlink(packed);
    LP_MUST((trace == NULL) == (error != NULL));
    if (trace == NULL)
        return 0;
    check_taken(trace);
    lp_trace_keep(trace, 3, 2, size % 2);
    LP_MUST(trace->n_vms <= 3);
    return 0;
}
