/* What a run was like. */
#include <stdlib.h>
#include <string.h>

#include "lpard/sim/sim-priv.h"

#define HOUR_SEC 3600u
#define DAY_SEC 86400u
/* A picture is not wider. */
#define POINTS 1000u
/* Calm: at most this part of the host is wanted, whatever a policy makes of it. */
#define CALM_PERMYRIAD 9000u

void
lp_sim_measure_begin(LpSim *sim)
{
    LpSimMeasure *measure = &sim->measure;
    uint64_t ticks = (sim->end_sec - sim->sec) / sim->config->tick_sec + 1;

    measure->days = (sim->end_sec - sim->sec) / DAY_SEC + 1;
    measure->day_resizes = g_new0(uint32_t, sim->n * measure->days);
    measure->cpu_day_resizes = g_new0(uint32_t, sim->n * measure->days);
    measure->every = ticks / POINTS + 1;
    measure->points_max = ticks / measure->every + 2;
    sim->result->points = g_malloc0_n(measure->points_max, sizeof *sim->result->points);
    lp_sim_measure_restart(sim);
}

void
lp_sim_measure_restart(LpSim *sim)
{
    LpSimMeasure *measure = &sim->measure;

    memset(&measure->mem, 0, sizeof measure->mem);
    memset(&measure->cpu, 0, sizeof measure->cpu);
    memset(measure->day_resizes, 0, sim->n * measure->days * sizeof *measure->day_resizes);
    memset(measure->cpu_day_resizes, 0, sim->n * measure->days * sizeof *measure->day_resizes);
    measure->mem.host_min_free = measure->cpu.host_min_free = UINT64_MAX;
    measure->hour_resizes = measure->cpu_hour_resizes = measure->hour_sec = measure->worst = 0;
    measure->short_hour = measure->cpu_short_hour = false;
    sim->result->n_points = 0;
    for (size_t i = 0; i < sim->n; i++) {
        sim->guests[i].wanted = sim->guests[i].cpu_wanted = 0;
        sim->strains[i].lacked = sim->strains[i].cpu_lacked = 0;
    }
}

static size_t
today(const LpSim *sim)
{
    uint64_t since = sim->sec - sim->config->from_sec;

    since -= MIN(since, sim->config->warm_sec);
    return MIN(since / DAY_SEC, sim->measure.days - 1);
}

void
lp_sim_measure_resize(LpSim *sim, size_t i, bool grows)
{
    LpSimMeasure *measure = &sim->measure;
    int8_t direction = grows ? 1 : -1;

    measure->mem.resizes++;
    measure->mem.reversals += sim->grants[i].direction == -direction;
    sim->grants[i].direction = direction;
    measure->hour_resizes++;
    measure->day_resizes[i * measure->days + today(sim)]++;
}

void
lp_sim_measure_cpus(LpSim *sim, size_t i, uint32_t from, uint32_t to)
{
    LpSimMeasure *measure = &sim->measure;
    int8_t direction = to > from ? 1 : -1;

    measure->cpu.resizes++;
    measure->cpu.reversals += sim->grants[i].cpu_direction == -direction;
    measure->cpu.bytes_moved += to > from ? to - from : from - to;
    sim->grants[i].cpu_direction = direction;
    measure->cpu_hour_resizes++;
    measure->cpu_day_resizes[i * measure->days + today(sim)]++;
}

static void
end_hour(LpSim *sim)
{
    LpSimMeasure *measure = &sim->measure;
    double vm_days = (double) sim->n * (double) measure->hour_sec / DAY_SEC;

    if (!measure->short_hour) {
        measure->mem.resizes_calm += measure->hour_resizes;
        measure->mem.calm_vm_days += vm_days;
    }
    if (!measure->cpu_short_hour) {
        measure->cpu.resizes_calm += measure->cpu_hour_resizes;
        measure->cpu.calm_vm_days += vm_days;
    }
    measure->hour_resizes = measure->cpu_hour_resizes = measure->hour_sec = 0;
    measure->short_hour = measure->cpu_short_hour = false;
}

static void
add_point(LpSim *sim)
{
    LpSimResult *result = sim->result;

    if (result->n_points == sim->measure.points_max)
        return;
    result->points[result->n_points].sec = sim->sec;
    result->points[result->n_points].demand = sim->measure.demand;
    result->points[result->n_points].granted = sim->granted;
    result->points[result->n_points].needs = sim->needs;
    result->points[result->n_points].shortfall = sim->measure.worst;
    result->n_points++;
    sim->measure.worst = 0;
}

void
lp_sim_measure_tick(LpSim *sim)
{
    LpSimMeasure *measure = &sim->measure;
    const LpSimConfig *config = sim->config;
    double tick = config->tick_sec;
    uint64_t since = sim->sec - config->from_sec;

    measure->mem.vm_seconds += sim->n * config->tick_sec;
    measure->mem.demand += (double) measure->demand * tick;
    measure->mem.shortfall += (double) measure->shortfall * tick;
    measure->mem.granted += (double) sim->granted * tick;
    measure->mem.needs += (double) sim->needs * tick;
    measure->mem.host_min_free = MIN(measure->mem.host_min_free, sim->host_free);
    measure->cpu.demand += (double) measure->cpu_demand * tick;
    measure->cpu.shortfall += (double) measure->cpu_shortfall * tick;
    measure->cpu.granted += (double) sim->granted_centi * tick;
    measure->cpu.needs += (double) sim->needs_centi * tick;
    measure->cpu.host_min_free = MIN(measure->cpu.host_min_free,
                                     config->host_centi - MIN(sim->granted_centi,
                                                              config->host_centi));
    measure->worst = MAX(measure->worst, measure->shortfall);
    measure->short_hour |= measure->demand / CALM_PERMYRIAD > config->host_bytes / 10000;
    measure->cpu_short_hour |= measure->cpu_demand * 10000 >
                               (uint64_t) config->host_centi * CALM_PERMYRIAD;
    measure->hour_sec += config->tick_sec;
    if (measure->hour_sec >= HOUR_SEC)
        end_hour(sim);
    if (since / config->tick_sec % measure->every == 0)
        add_point(sim);
}

/* Jain's index of what each got of what it wanted: 1 when all fare alike, 1/n when one has all. */
static double
fairness(const LpSim *sim, bool cpu)
{
    double sum = 0, squares = 0;
    size_t n = 0;

    for (size_t i = 0; i < sim->n; i++) {
        uint64_t wanted = cpu ? sim->guests[i].cpu_wanted : sim->guests[i].wanted;
        uint64_t lacked = cpu ? sim->strains[i].cpu_lacked : sim->strains[i].lacked;
        double part;

        if (wanted == 0)
            continue;
        part = 1 - (double) MIN(lacked, wanted) / (double) wanted;
        sum += part;
        squares += part * part;
        n++;
    }
    return squares > 0 ? sum * sum / ((double) n * squares) : 1;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* The 99th percentile over partitions and days.  A last day that is cut off counts when most of
 * it is there, or when there is no other. */
static double
day_p99(const LpSim *sim, const uint32_t *counts)
{
    uint64_t sec = sim->n ? sim->measure.mem.vm_seconds / sim->n : 0;
    size_t days = sec / DAY_SEC + (sec % DAY_SEC > DAY_SEC / 2 || sec < DAY_SEC), n = 0;
    g_autofree double *all = g_new(double, sim->n * days + 1);
    double p99;

    for (size_t i = 0; i < sim->n; i++)
        for (size_t day = 0; day < MIN(days, sim->measure.days); day++) {
            uint64_t length = MIN(sec - MIN(sec, day * DAY_SEC), DAY_SEC);

            all[n++] = (double) counts[i * sim->measure.days + day] * DAY_SEC /
                       (double) MAX(length, 1);
        }
    qsort(all, n, sizeof *all, by_value);
    p99 = n > 0 ? all[(n - 1) * 99 / 100] : 0;
    return p99;
}

void
lp_sim_measure_end(LpSim *sim)
{
    LpSimMeasure *measure = &sim->measure;
    double seconds = sim->n ? (double) measure->mem.vm_seconds / (double) sim->n : 0;

    end_hour(sim);
    measure->cpu.vm_seconds = measure->mem.vm_seconds;
    for (size_t i = 0; i < sim->n; i++) {
        measure->mem.static_amount += (double) sim->grants[i].max_bytes * seconds;
        measure->cpu.static_amount += (double) sim->grants[i].max_centi * seconds;
    }
    measure->mem.fairness = fairness(sim, false);
    measure->cpu.fairness = fairness(sim, true);
    measure->mem.resizes_per_vm_day_p99 = day_p99(sim, measure->day_resizes);
    measure->cpu.resizes_per_vm_day_p99 = day_p99(sim, measure->cpu_day_resizes);
    sim->result->mem = measure->mem;
    sim->result->cpu = measure->cpu;
    g_free(measure->day_resizes);
    g_free(measure->cpu_day_resizes);
}
