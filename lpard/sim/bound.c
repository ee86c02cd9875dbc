#include "lpard/sim/bound.h"

#include <math.h>

/* The price is known to 1 in 2^40 of the largest that matters. */
#define ROUNDS 40

/* One partition's demand: runs of equal level.  Within a run nothing is gained by a change, and no
 * best plan is at a level that is not some run's, so both are kept small. */
typedef struct {
    size_t n_runs, n_levels;
    guint32 *runs;                 /* index of the level that is needed */
    double *weights;               /* byte-seconds are level x weight */
    double *levels;                /* bytes, ascending */
} Series;

static int
compare_levels(gconstpointer a, gconstpointer b)
{
    guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

    return (x > y) - (x < y);
}

static guint64 *
needed_levels(const LpTrace *trace, const LpTraceVm *vm, size_t from, size_t to, bool steps,
              uint64_t quantum, uint64_t floor_bytes)
{
    guint64 *needed = g_new(guint64, to - from);

    for (size_t i = from; i < to; i++) {
        uint64_t demand = vm->mem_bytes[i];

        if (!steps && i + 1 < trace->n_samples)
            demand = MAX(demand, vm->mem_bytes[i + 1]);
        demand = MAX(demand, MIN(floor_bytes, vm->max_bytes));
        needed[i - from] = demand / quantum + (demand % quantum != 0);
    }
    return needed;
}

static void
series_make(Series *series, const guint64 *needed, size_t n, uint64_t quantum, uint32_t step_sec)
{
    g_autofree guint64 *sorted = g_memdup2(needed, n * sizeof *needed);

    qsort(sorted, n, sizeof *sorted, compare_levels);
    series->levels = g_new(double, n);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || sorted[i] != sorted[i - 1]) {
            sorted[series->n_levels] = sorted[i];
            series->levels[series->n_levels++] = (double) sorted[i] * (double) quantum;
        }
    series->runs = g_new(guint32, n);
    series->weights = g_new(double, n);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && needed[i] == needed[i - 1]) {
            series->weights[series->n_runs - 1] += step_sec;
            continue;
        }
        const guint64 *level = bsearch(&needed[i], sorted, series->n_levels, sizeof *sorted,
                                       compare_levels);
        series->runs[series->n_runs] = (guint32) (level - sorted);
        series->weights[series->n_runs++] = step_sec;
    }
}

static void
series_clear(Series *series)
{
    g_free(series->runs);
    g_free(series->weights);
    g_free(series->levels);
}

/* The least of level x time + price x changes; adds its parts to *amount and *changes.  Of equals
 * the one with fewer changes.  costs, counts: room for n_levels. */
static void
series_solve(const Series *series, double price, double *costs, double *counts, double *amount,
             double *changes)
{
    double best = 0, best_count = 0;

    for (size_t run = 0; run < series->n_runs; run++) {
        double weight = series->weights[run], next = INFINITY, next_count = 0;
        double changed = best + price, changed_count = best_count + 1;

        if (run == 0) {
            for (size_t level = 0; level < series->n_levels; level++)
                costs[level] = counts[level] = 0;
            changed = INFINITY;
        }
        for (size_t level = 0; level < series->runs[run]; level++)
            costs[level] = INFINITY;
        for (size_t level = series->runs[run]; level < series->n_levels; level++) {
            bool change = changed < costs[level];
            double cost = (change ? changed : costs[level]) + series->levels[level] * weight;
            double count = change ? changed_count : counts[level];

            costs[level] = cost;
            counts[level] = count;
            if (cost < next || (cost == next && count < next_count)) {
                next = cost;
                next_count = count;
            }
        }
        best = next;
        best_count = next_count;
    }
    *amount += best - price * best_count;
    *changes += best_count;
}

LpSimBound
lp_sim_bound(const LpTrace *trace, size_t from, size_t to, bool steps, uint64_t quantum,
             uint64_t floor, uint64_t changes)
{
    LpSimBound bound = { .amount_of_plan = INFINITY };
    double low = 0, high = 1;
    size_t widest = 1;

    to = MIN(to, trace->n_samples);
    if (from >= to || trace->n_vms == 0)
        return (LpSimBound) { 0 };
    g_autofree Series *all = g_new0(Series, trace->n_vms);
    for (size_t i = 0; i < trace->n_vms; i++) {
        g_autofree guint64 *needed = needed_levels(trace, &trace->vms[i], from, to, steps, quantum,
                                                   floor);

        series_make(&all[i], needed, to - from, quantum, trace->step_sec);
        widest = MAX(widest, all[i].n_levels);
        /* At this price nothing is ever changed. */
        high = fmax(high, all[i].levels[all[i].n_levels - 1] * (double) (to - from) *
                          trace->step_sec);
    }
    g_autofree double *costs = g_new(double, widest);
    g_autofree double *counts = g_new(double, widest);
    /* First where changes are free: there may be no more of them than are asked for. */
    for (int round = 0; round <= ROUNDS; round++) {
        double price = round == 0 ? 0 : round == 1 ? high : (low + high) / 2;
        double amount = 0, count = 0;

        for (size_t i = 0; i < trace->n_vms; i++)
            series_solve(&all[i], price, costs, counts, &amount, &count);
        bound.amount = fmax(bound.amount, amount + price * (count - (double) changes));
        if (count > (double) changes) {
            low = price;
            continue;
        }
        if (amount < bound.amount_of_plan) {
            bound.amount_of_plan = amount;
            bound.changes = count;
        }
        high = price;
        if (round == 0)
            break;
    }
    for (size_t i = 0; i < trace->n_vms; i++)
        series_clear(&all[i]);
    return bound;
}
