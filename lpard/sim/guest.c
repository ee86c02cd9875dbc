/* What a guest does with what it has.
 *
 * Its working set is the trace's demand.  What is free beyond it fills with page cache over time;
 * the warmest of that (a sixteenth of the working set) is missed when it is squeezed out: pages
 * come back (refaults) with a little pressure.  Below the working set it stalls, swaps a little,
 * and where that is not enough for some seconds the kernel kills, and what was killed takes a
 * minute to be back.
 *
 * The quick way through is for guests that lack nothing, which is nearly all of them nearly
 * always. */
#include <math.h>

#include "lpard/sim/sim-priv.h"

#define PAGE_SHIFT 12
#define WARM_SHIFT 4
/* A second's reading into the cache: of a disk that does little else. */
#define CACHE_BYTES_PER_SEC (16LL << 20)
/* Time in which a task waits, as part of all: k * lack / (1 + k * lack), where each touch of what
 * is not there costs so many times what others cost.  1 % lacking stalls 17 %, 10 % two thirds. */
#define STALL_COST 20
/* All warm cache gone: 2 % of the time is waited for it. */
#define WARM_STALL_CENTI 200
/* One in so many of the pages that are missed is touched each second. */
#define REFAULT_SHIFT 6
#define PERCENT_CENTI 10000
/* Swap of 1/16 of the size, 1 GiB at most, as installers make it. */
#define SWAP_SHIFT 4
#define SWAP_MAX (1LL << 30)
#define OOM_AFTER_SEC 5
#define RESTART_SEC 60

void
lp_sim_guests_begin(LpSim *sim)
{
    sim->decay = (uint32_t) lrint(65536 * (1 - exp(-(double) sim->config->tick_sec / 10)));
    for (size_t i = 0; i < sim->n; i++) {
        LpSimGuest *guest = &sim->guests[i];

        guest->cache_step = CACHE_BYTES_PER_SEC * sim->config->tick_sec;
        sim->strains[i].swap_max = MIN((int64_t) (sim->grants[i].max_bytes >> SWAP_SHIFT),
                                       SWAP_MAX);
    }
}

/* An average of 10 s, as the kernel's avg10. */
static uint32_t
follow(uint32_t average, uint32_t now_centi, uint32_t decay)
{
    return (uint32_t) (((uint64_t) average * (65536 - decay) +
                        ((uint64_t) now_centi << LP_SIM_POINT) * decay) >> 16);
}

static uint32_t
stall_centi(int64_t lack, int64_t want)
{
    __int128 cost = (__int128) lack * STALL_COST;

    return lack > 0 ? (uint32_t) (PERCENT_CENTI * cost / (want + cost)) : 0;
}

/* Far too little for too long: killed, and all is begun anew. */
static void
suffer(LpSim *sim, LpSimStrain *strain, int64_t lack)
{
    uint32_t tick_sec = sim->config->tick_sec;

    strain->deep_sec = lack > strain->swap_max ? strain->deep_sec + tick_sec : 0;
    if (strain->deep_sec < OOM_AFTER_SEC)
        return;
    strain->oom_kills++;
    sim->measure.mem.ooms++;
    strain->deep_sec = 0;
    strain->down_sec = RESTART_SEC;
}

/* One tick of a guest that lacks something, or did. Returns what it wants now. */
static int64_t
strain_tick(LpSim *sim, size_t i, int64_t demand)
{
    LpSimGuest *guest = &sim->guests[i];
    LpSimStrain *strain = &sim->strains[i];
    uint32_t tick_sec = sim->config->tick_sec, some;
    int64_t want = demand, lack, cold;

    if (strain->down_sec > 0) {
        want = demand * (RESTART_SEC - strain->down_sec) / RESTART_SEC;
        strain->down_sec -= MIN(strain->down_sec, tick_sec);
    }
    strain->want = want;
    lack = MAX(want - guest->usable, 0);
    cold = CLAMP(want + (want >> WARM_SHIFT) - guest->usable, 0, want >> WARM_SHIFT);
    some = lack > 0 ? stall_centi(lack, want)
                    : (uint32_t) (cold * WARM_STALL_CENTI / MAX(want >> WARM_SHIFT, 1));
    strain->refaults += (uint64_t) (lack + cold) >> PAGE_SHIFT >> REFAULT_SHIFT;
    strain->swap = (uint64_t) MIN(lack, strain->swap_max);
    suffer(sim, strain, lack);
    strain->some = follow(strain->some, some, sim->decay);
    strain->full = follow(strain->full, some * some / PERCENT_CENTI, sim->decay);
    guest->strained = (strain->some | strain->full | strain->deep_sec | strain->down_sec |
                       strain->swap) != 0;

    sim->measure.mem.stall_sec += (double) (strain->down_sec > 0 ? PERCENT_CENTI : some) *
                                  tick_sec / PERCENT_CENTI;
    /* What is not there since it was killed is lacking too: to kill is no way to save. */
    lack = demand - MIN(want, guest->usable);
    if (lack > 0) {
        sim->measure.shortfall += (uint64_t) lack;
        sim->measure.mem.violated += tick_sec;
        strain->lacked += (uint64_t) lack >> 10;
    }
    return want;
}

static void
cpu_strain_tick(LpSim *sim, size_t i, int64_t want, int64_t lack)
{
    LpSimGuest *guest = &sim->guests[i];
    LpSimStrain *strain = &sim->strains[i];
    uint32_t some = want > 0 ? (uint32_t) (PERCENT_CENTI * lack / want) : 0;

    strain->cpu_some = follow(strain->cpu_some, some, sim->decay);
    guest->cpu_strained = strain->cpu_some != 0;
    if (lack == 0)
        return;
    sim->measure.cpu_shortfall += (uint64_t) lack;
    sim->measure.cpu.violated += sim->config->tick_sec;
    sim->measure.cpu.stall_sec += (double) some * sim->config->tick_sec / PERCENT_CENTI;
    strain->cpu_lacked += (uint64_t) lack;
}

/* Nobody is capped, and all together want more than there is: each lacks the same part. */
static void
crowd(LpSim *sim, uint64_t sum)
{
    uint64_t lack = sum - sim->config->host_centi;

    for (size_t i = 0; i < sim->n; i++) {
        const LpSimGuest *guest = &sim->guests[i];
        uint64_t want = (uint64_t) ((guest->cpu - guest->cpu_slope) >> LP_SIM_CPU_POINT);

        cpu_strain_tick(sim, i, (int64_t) want, (int64_t) (want * lack / sum));
    }
}

/* Of a line that rises by so much in a step, in a tick. */
static int64_t
slope(int64_t rise, int point, int64_t tick, int64_t step)
{
    return rise * ((int64_t) 1 << point) * tick / step;
}

/* A new sample: where demand is, and where it goes until the next one. */
static void
aim(LpSim *sim)
{
    const LpTrace *trace = sim->trace;
    int64_t step = trace->step_sec, tick = sim->config->tick_sec;
    size_t k = MIN(sim->sec / trace->step_sec, trace->n_samples - 1);
    size_t next = MIN(k + 1, trace->n_samples - 1);

    for (size_t i = 0; i < sim->n; i++) {
        const LpTraceVm *vm = &trace->vms[i];
        LpSimGuest *guest = &sim->guests[i];
        int64_t mem = (int64_t) vm->mem_bytes[k], cpu = vm->cpu_centi[k];
        bool steps = sim->config->steps;

        guest->mem = (int64_t) lp_trace_mem(trace, i, sim->sec, steps) << LP_SIM_POINT;
        guest->cpu = (int64_t) lp_trace_cpu(trace, i, sim->sec, steps) << LP_SIM_CPU_POINT;
        guest->mem_slope = slope((int64_t) vm->mem_bytes[next] - mem, LP_SIM_POINT, tick, step);
        guest->cpu_slope = slope(vm->cpu_centi[next] - cpu, LP_SIM_CPU_POINT, tick, step);
        if (steps)
            guest->mem_slope = guest->cpu_slope = 0;
    }
    sim->sample = k;
}

void
lp_sim_guests_tick(LpSim *sim)
{
    uint64_t demand = 0, cpu_demand = 0;

    sim->measure.shortfall = sim->measure.cpu_shortfall = 0;
    if (sim->sec / sim->trace->step_sec != sim->sample)
        aim(sim);
    for (size_t i = 0; i < sim->n; i++) {
        LpSimGuest *guest = &sim->guests[i];
        int64_t want = guest->mem >> LP_SIM_POINT, room;
        int64_t cpu = guest->cpu >> LP_SIM_CPU_POINT;

        demand += (uint64_t) want;
        guest->wanted += (uint64_t) want >> 10;
        if (G_UNLIKELY(want + (want >> WARM_SHIFT) > guest->usable || guest->strained))
            want = strain_tick(sim, i, want);
        room = guest->usable - want - guest->cache;
        guest->cache = MAX(guest->cache + MIN(room, guest->cache_step), 0);
        cpu_demand += (uint64_t) cpu;
        guest->cpu_wanted += (uint64_t) cpu;
        if (G_UNLIKELY(cpu > guest->granted_centi || guest->cpu_strained))
            cpu_strain_tick(sim, i, cpu, MAX(cpu - guest->granted_centi, 0));
        guest->mem += guest->mem_slope;
        guest->cpu += guest->cpu_slope;
    }
    sim->measure.demand = demand;
    sim->measure.cpu_demand = cpu_demand;
    if (!sim->policy->does_cpu && cpu_demand > sim->config->host_centi)
        crowd(sim, cpu_demand);
}
