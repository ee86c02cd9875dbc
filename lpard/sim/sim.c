/* The clock, and what a policy is shown. */
#include "lpard/sim/sim.h"

#include <string.h>

#include "lpard/sim/sim-priv.h"

#define DAY_SEC 86400u

void
lp_sim_config_init(LpSimConfig *ret)
{
    *ret = (LpSimConfig){
        .warm_sec = DAY_SEC,
        .tick_sec = 1,
        .seed = 1,
        .actuators = { .grow_msec_per_gib = 11, .shrink_msec_per_gib = 34,
                       .grow_delay_msec = 50, .shrink_delay_msec = 100 },
    };
}

static uint64_t
trace_end(const LpTrace *trace, const LpSimConfig *config)
{
    uint64_t end = (uint64_t) trace->n_samples * trace->step_sec;

    return config->seconds > 0 ? MIN(end, config->from_sec + config->seconds) : end;
}

static uint64_t
max_bytes(const LpTraceVm *vm)
{
    return (vm->max_bytes + LP_SIM_BLOCK_BYTES - 1) / LP_SIM_BLOCK_BYTES * LP_SIM_BLOCK_BYTES;
}

void
lp_sim_host_size(const LpTrace *trace, uint32_t memory_permyriad, uint32_t cpu_permyriad,
                 LpSimConfig *config)
{
    size_t from = (config->from_sec + config->warm_sec) / trace->step_sec;
    size_t to = (trace_end(trace, config) + trace->step_sec - 1) / trace->step_sec;
    unsigned __int128 bytes = lp_trace_peak_mem(trace, from, to);
    unsigned __int128 centi = lp_trace_peak_cpu(trace, from, to);
    uint64_t minima = 0, minima_centi = 0;

    for (size_t i = 0; i < trace->n_vms; i++) {
        minima += MIN(max_bytes(&trace->vms[i]), LP_SIM_MIN_BYTES);
        minima_centi += LP_SIM_MIN_CENTI;
    }
    config->host_bytes = MAX((uint64_t) (bytes * memory_permyriad / 10000), minima);
    config->host_centi = (uint32_t) MAX((uint64_t) (centi * cpu_permyriad / 10000), minima_centi);
}

/* By the nodes' sizes, in whole blocks; the last with memory has what is left over. */
static void
divide_host(const LpSimConfig *config, LpSimHost *ret_host)
{
    uint64_t left = config->host_bytes, size_left = 0;

    for (uint32_t j = 0; j < config->n_nodes; j++)
        size_left += config->node_size[j];
    ret_host->n_nodes = size_left > 0 ? config->n_nodes : 1;
    if (size_left == 0)
        ret_host->node_bytes[0] = left;
    for (uint32_t j = 0; j < config->n_nodes && size_left > 0; j++) {
        uint64_t bytes = (uint64_t) ((unsigned __int128) left * config->node_size[j] / size_left);

        size_left -= config->node_size[j];
        if (size_left > 0)
            bytes -= bytes % LP_SIM_BLOCK_BYTES;
        ret_host->node_bytes[j] = bytes;
        left -= bytes;
    }
}

static void
begin_views(LpSim *sim)
{
    for (size_t i = 0; i < sim->n; i++) {
        const LpTraceVm *vm = &sim->trace->vms[i];
        LpSimGrant *grant = &sim->grants[i];
        LpSimView *view = &sim->host.views[i];

        grant->max_bytes = max_bytes(vm);
        grant->min_bytes = MIN(LP_SIM_MIN_BYTES, grant->max_bytes);
        grant->max_centi = vm->max_centi;
        grant->min_centi = MIN(LP_SIM_MIN_CENTI, vm->max_centi);
        view->key = i + 1;
        view->min_bytes = view->entitled_bytes = grant->min_bytes;
        view->max_bytes = grant->max_bytes;
        view->block_bytes = LP_SIM_BLOCK_BYTES;
        view->min_centi = view->entitled_centi = grant->min_centi;
        view->max_centi = grant->max_centi;
        view->weight = LP_SIM_WEIGHT;
    }
    sim->host.host_bytes = sim->config->host_bytes;
    sim->host.host_centi = sim->config->host_centi;
    sim->host.n = sim->n;
    divide_host(sim->config, &sim->host);
}

/* The most that will be wanted soon; on a straight line that is at an end or at a sample. */
static void
show_future(const LpSim *sim, size_t i, LpSimView *view)
{
    const LpTrace *trace = sim->trace;
    const LpTraceVm *vm = &trace->vms[i];
    uint64_t end = sim->sec + LP_SIM_FUTURE_SEC;
    bool steps = sim->config->steps;

    view->future_bytes = MAX(lp_trace_mem(trace, i, sim->sec, steps),
                             lp_trace_mem(trace, i, end, steps));
    view->future_centi = MAX(lp_trace_cpu(trace, i, sim->sec, steps),
                             lp_trace_cpu(trace, i, end, steps));
    for (size_t k = sim->sec / trace->step_sec + 1;
         k < trace->n_samples && k * trace->step_sec <= end; k++) {
        view->future_bytes = MAX(view->future_bytes, vm->mem_bytes[k]);
        view->future_centi = MAX(view->future_centi, vm->cpu_centi[k]);
    }
}

static void
show(const LpSim *sim, size_t i, LpSimView *view)
{
    const LpSimGuest *guest = &sim->guests[i];
    const LpSimStrain *strain = &sim->strains[i];
    const LpSimGrant *grant = &sim->grants[i];
    /* The tick has moved demand on to the next already. */
    int64_t want = (guest->mem - guest->mem_slope) >> LP_SIM_POINT;
    int64_t cpu = (guest->cpu - guest->cpu_slope) >> LP_SIM_CPU_POINT;
    int64_t used = MIN(guest->strained ? strain->want : want, guest->usable);

    view->used_bytes = (uint64_t) used;
    view->cache_bytes = (uint64_t) MIN(guest->cache, guest->usable - used);
    view->free_bytes = (uint64_t) (guest->usable - used) - view->cache_bytes;
    view->swap_bytes = strain->swap;
    view->refaults = strain->refaults;
    view->oom_kills = strain->oom_kills;
    view->psi_some_centi = strain->some >> LP_SIM_POINT;
    view->psi_full_centi = strain->full >> LP_SIM_POINT;
    view->cpu_used_centi = (uint32_t) MIN(cpu, guest->granted_centi);
    view->cpu_running = (uint32_t) (cpu + 99) / 100;
    view->cpu_psi_centi = strain->cpu_some >> LP_SIM_POINT;
    view->granted_bytes = view->target_bytes = grant->granted;
    view->usable_bytes = (uint64_t) guest->usable;
    view->granted_centi = view->target_centi = guest->granted_centi;
    view->granted_cpus = grant->cpus;
    view->target_cpus = 0;
    view->moving = guest->moving;
    view->failed = grant->failed;
    view->failures = grant->failures;
    view->needs_bytes = grant->needs;
    view->needs_centi = grant->needs_centi;
    if (sim->policy->knows_future)
        show_future(sim, i, view);
}

static void
show_all(LpSim *sim)
{
    sim->host.now_msec = (int64_t) sim->sec * 1000;
    sim->host.host_free_bytes = sim->host_free;
    for (size_t i = 0; i < sim->n; i++)
        show(sim, i, &sim->host.views[i]);
}

static void
tick(LpSim *sim, bool decide)
{
    if (sim->n_moving > 0)
        lp_sim_moves_tick(sim);
    lp_sim_guests_tick(sim);
    lp_sim_measure_tick(sim);
    if (decide) {
        show_all(sim);
        sim->policy->decide(sim->self, &sim->host);
        lp_sim_apply(sim);
    }
    lp_sim_check(sim);
}

static void
run(LpSim *sim)
{
    uint64_t warm_end = sim->config->from_sec + sim->config->warm_sec;
    uint64_t next = sim->sec, interval = MAX(sim->policy->interval_sec, 1);
    bool warm = sim->config->warm_sec > 0;

    for (; sim->sec < sim->end_sec; sim->sec += sim->config->tick_sec) {
        bool decide = sim->sec >= next;

        if (warm && sim->sec >= warm_end) {
            lp_sim_measure_restart(sim);
            warm = false;
        }
        tick(sim, decide);
        if (decide)
            next += interval;
    }
}

void
lp_sim_run(const LpTrace *trace, const LpSimConfig *config, const LpSimPolicy *policy,
           LpSimResult *ret_result)
{
    int64_t began = g_get_monotonic_time();
    LpSim sim = { .trace = trace, .config = config, .policy = policy, .n = trace->n_vms,
                  .sec = config->from_sec, .end_sec = trace_end(trace, config),
                  .sample = UINT64_MAX, .result = ret_result };

    *ret_result = (LpSimResult){ .policy = policy->name, .config = *config, .n = trace->n_vms };
    sim.end_sec = MAX(sim.end_sec, sim.sec);
    sim.guests = g_new0(LpSimGuest, sim.n);
    sim.strains = g_new0(LpSimStrain, sim.n);
    sim.grants = g_new0(LpSimGrant, sim.n);
    sim.moving = g_new0(uint32_t, sim.n);
    sim.host.views = g_new0(LpSimView, sim.n);
    begin_views(&sim);
    lp_sim_grant_first(&sim);
    lp_sim_guests_begin(&sim);
    lp_sim_measure_begin(&sim);
    show_all(&sim);
    sim.self = policy->begin ? policy->begin(&sim.host) : NULL;
    run(&sim);
    if (policy->end != NULL)
        policy->end(sim.self);
    lp_sim_measure_end(&sim);
    g_free(sim.guests);
    g_free(sim.strains);
    g_free(sim.grants);
    g_free(sim.moving);
    g_free(sim.host.views);
    ret_result->wall_sec = (double) (g_get_monotonic_time() - began) / G_USEC_PER_SEC;
}

void
lp_sim_result_clear(LpSimResult *result)
{
    g_free(result->points);
    result->points = NULL;
    result->n_points = 0;
}
