/* The simulated host: demand, guests, actuators, measures and invariants, each against what a
 * hand works out. */
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lpard/sim/sim.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define STEP 300u

/* A policy of a test: sees and says what the test wants. */
typedef struct {
    void (*act)(LpSimHost *host, void *notes);
    void *notes;
} Script;

static Script script;

static void
script_decide(void *self, LpSimHost *host)
{
    (void) self;
    for (size_t i = 0; i < host->n; i++)
        host->views[i].needs_bytes = host->views[i].target_bytes;
    if (script.act != NULL)
        script.act(host, script.notes);
}

static const LpSimPolicy test_policy = { .name = "test", .source = "here", .interval_sec = 1,
                                         .decide = script_decide };
static const LpSimPolicy test_cpu_policy = { .name = "test", .source = "here", .interval_sec = 1,
                                             .does_cpu = true, .decide = script_decide };

static LpSimResult
run_policy(const LpSimPolicy *policy, const LpTrace *trace, const LpSimConfig *config,
           void (*act)(LpSimHost *host, void *notes), void *notes)
{
    LpSimResult result;

    script = (Script){ act, notes };
    lp_sim_run(trace, config, policy, &result);
    lp_sim_result_clear(&result);
    return result;
}

/* Partitions of max_bytes with so much demand at each of the samples; one processor. */
static LpTrace *
make_trace(size_t n_vms, uint64_t max_bytes, size_t n_samples, const uint64_t *demand)
{
    LpTrace *trace = lp_trace_new(n_vms, n_samples, STEP);

    for (size_t i = 0; i < n_vms; i++) {
        trace->vms[i].name = g_strdup_printf("vm%zu", i);
        trace->vms[i].max_bytes = max_bytes;
        trace->vms[i].max_centi = 400;
        for (size_t k = 0; k < n_samples; k++)
            trace->vms[i].mem_bytes[k] = demand[k];
    }
    return trace;
}

static LpSimConfig
make_config(uint64_t host_bytes)
{
    LpSimConfig config;

    lp_sim_config_init(&config);
    config.host_bytes = host_bytes;
    config.host_centi = 100000;
    config.warm_sec = 0;
    config.steps = true;
    return config;
}

static void
near(double value, double wanted)
{
    if (value < wanted * 0.999 - 1e-9 || value > wanted * 1.001 + 1e-9)
        fail_msg("%g is not %g", value, wanted);
}

/* 1 GiB wanted for 300 of 600 s, 992 MiB there: 32 MiB short, which stalls
 * 20 * 32 / (1024 + 20 * 32) of the time. */
static void
test_shortfall_by_hand(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, GIB, 2, (uint64_t[]){ 512 * MIB, GIB });
    LpSimConfig config = make_config(992 * MIB);
    LpSimResult result = run_policy(&test_policy, trace, &config, NULL, NULL);

    (void) state;
    assert_int_equal(result.broken, 0);
    assert_int_equal(result.mem.vm_seconds, 600);
    near(result.mem.demand, 300.0 * 1536 * (double) MIB);
    near(result.mem.shortfall, 300.0 * 32 * (double) MIB);
    assert_int_equal(result.mem.violated, 300);
    near(result.mem.stall_sec, 300 * 0.3846);
    near(result.mem.granted, 600.0 * 992 * (double) MIB);
    near(result.mem.static_amount, 600.0 * 1024 * (double) MIB);
    assert_int_equal(result.mem.ooms, 0);
    assert_int_equal(result.mem.resizes, 0);
    near(result.mem.fairness, 1);
}

/* What is lacking in the warm-up is not measured. */
static void
test_warm_up(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, GIB, 3, (uint64_t[]){ GIB, 512 * MIB, 512 * MIB });
    LpSimConfig config = make_config(992 * MIB);
    LpSimResult result;

    (void) state;
    config.warm_sec = STEP;
    result = run_policy(&test_policy, trace, &config, NULL, NULL);
    assert_int_equal(result.mem.vm_seconds, 2 * STEP);
    near(result.mem.demand, 600.0 * 512 * (double) MIB);
    near(result.mem.shortfall, 0);
    assert_int_equal(result.mem.violated, 0);
}

typedef struct {
    uint32_t some_at_10, some_most, full_most;
    uint64_t refaults, swap_most, cache_at_10, cache_end, kills;
    uint64_t used_least_after_kill;
    uint64_t free_end;
} Watched;

static void
watch(LpSimHost *host, void *notes)
{
    Watched *watched = notes;
    const LpSimView *view = &host->views[0];
    int64_t sec = host->now_msec / 1000;

    assert_true(view->used_bytes + view->cache_bytes + view->free_bytes == view->usable_bytes);
    /* The tenth second of the second sample. */
    if (sec == STEP + 9)
        watched->some_at_10 = view->psi_some_centi;
    if (sec == 9)
        watched->cache_at_10 = view->cache_bytes;
    watched->some_most = MAX(watched->some_most, view->psi_some_centi);
    watched->full_most = MAX(watched->full_most, view->psi_full_centi);
    watched->swap_most = MAX(watched->swap_most, view->swap_bytes);
    watched->refaults = view->refaults;
    watched->cache_end = view->cache_bytes;
    watched->free_end = view->free_bytes;
    watched->kills = view->oom_kills;
    if (view->oom_kills > 0)
        watched->used_least_after_kill = MIN(watched->used_least_after_kill, view->used_bytes);
}

/* A step of pressure is at 1 - 1/e of itself after 10 s, as the kernel's avg10. */
static void
test_pressure_average(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, GIB, 3, (uint64_t[]){ 512 * MIB, GIB, 512 * MIB });
    LpSimConfig config = make_config(992 * MIB);
    Watched watched = { 0 };

    (void) state;
    run_policy(&test_policy, trace, &config, watch, &watched);
    assert_in_range(watched.some_at_10, 3846 * 62 / 100, 3846 * 65 / 100);
    assert_in_range(watched.some_most, 3800, 3846);
    assert_in_range(watched.full_most, 1400, 1479);
    assert_true(watched.swap_most == 32 * MIB);
    assert_true(watched.refaults > 0);
}

/* Cache fills what is free at a disk's speed, and gives way to the working set. */
static void
test_page_cache(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, GIB, 2, (uint64_t[]){ 256 * MIB, 700 * MIB });
    LpSimConfig config = make_config(GIB);
    Watched watched = { 0 };

    (void) state;
    run_policy(&test_policy, trace, &config, watch, &watched);
    assert_true(watched.cache_at_10 == 10 * 16 * MIB);
    assert_true(watched.cache_end == 324 * MIB);
    assert_true(watched.free_end == 0);
    assert_int_equal(watched.refaults, 0);
    assert_int_equal(watched.some_most, 0);
}

/* The working set fits, the warmest cache does not: pages come back, at little cost. */
static void
test_refaults(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, GIB, 2, (uint64_t[]){ 256 * MIB, 960 * MIB });
    LpSimConfig config = make_config(980 * MIB);
    Watched watched = { 0 };
    LpSimResult result = run_policy(&test_policy, trace, &config, watch, &watched);

    (void) state;
    /* 60 MiB warm, 20 there: 40 MiB / 4 KiB / 64 pages a second. */
    assert_int_equal(watched.refaults, STEP * (40 * 256 / 64));
    assert_in_range(watched.some_most, 120, 134);
    assert_int_equal(result.mem.violated, 0);
}

/* 256 MiB short is more than the 64 MiB of swap: killed after 5 s, and again once it is back. */
static void
test_kills(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, GIB, 2, (uint64_t[]){ 512 * MIB, GIB });
    LpSimConfig config = make_config(768 * MIB);
    Watched watched = { .used_least_after_kill = UINT64_MAX };
    LpSimResult result = run_policy(&test_policy, trace, &config, watch, &watched);

    (void) state;
    assert_in_range(result.mem.ooms, 4, 6);
    assert_int_equal(watched.kills, result.mem.ooms);
    assert_true(watched.used_least_after_kill < 64 * MIB);
    assert_true(watched.swap_most == 64 * MIB);
    /* To kill does not make the shortfall smaller. */
    assert_true(result.mem.shortfall > 300.0 * 256 * (double) MIB);
    assert_int_equal(result.mem.violated, 300);
}

static void
compare_with_trace(LpSimHost *host, void *notes)
{
    const LpTrace *trace = notes;
    int64_t seen = (int64_t) host->views[0].used_bytes;
    int64_t wanted = (int64_t) lp_trace_mem(trace, 0, (uint64_t) host->now_msec / 1000, false);
    int64_t cpu = lp_trace_cpu(trace, 0, (uint64_t) host->now_msec / 1000, false);

    assert_in_range(seen - wanted + 2, 0, 4);
    assert_in_range(host->views[0].cpu_used_centi - cpu + 1, 0, 2);
}

/* Ticks that do not divide the step included. */
static void
test_demand_follows_the_trace(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, 8 * GIB, 5, (uint64_t[]){ 300 * MIB, 7 * GIB + 1, 1,
                                                                      5 * GIB, 5 * GIB + 7 });
    LpSimConfig config = make_config(8 * GIB);

    (void) state;
    config.steps = false;
    for (size_t k = 0; k < 5; k++)
        trace->vms[0].cpu_centi[k] = (uint32_t) (k * 391 % 400);
    for (config.tick_sec = 1; config.tick_sec < 60; config.tick_sec += 11)
        for (config.from_sec = 0; config.from_sec < 2 * STEP; config.from_sec += 77)
            run_policy(&test_policy, trace, &config, compare_with_trace, trace);
}

/* Actuators: 1 GiB takes 4 s to come and to go; what is asked for meanwhile waits. */
typedef struct {
    int64_t asked_sec, granted_sec, usable_sec, freed_sec;
    uint64_t target;
    uint64_t free_before, free_after;
    uint32_t failures;
    bool failed;
} Move;

static void
move_once(LpSimHost *host, void *notes)
{
    Move *move = notes;
    LpSimView *view = &host->views[0];
    int64_t sec = host->now_msec / 1000;

    if (sec == move->asked_sec) {
        move->free_before = host->host_free_bytes;
        view->target_bytes = move->target;
        return;
    }
    if (sec < move->asked_sec)
        return;
    if (move->granted_sec == 0 && view->granted_bytes == move->target)
        move->granted_sec = sec;
    if (move->usable_sec == 0 && !view->moving)
        move->usable_sec = sec;
    if (move->freed_sec == 0 && host->host_free_bytes != move->free_before)
        move->freed_sec = sec;
    if (view->moving)
        view->target_bytes = view->min_bytes;
    move->free_after = host->host_free_bytes;
    move->failures = view->failures;
    move->failed = view->failed;
}

static LpSimConfig
slow_config(uint64_t host_bytes)
{
    LpSimConfig config = make_config(host_bytes);

    config.actuators = (LpSimActuators){ .grow_msec_per_gib = 3500, .shrink_msec_per_gib = 3000,
                                         .grow_delay_msec = 500, .shrink_delay_msec = 1000 };
    return config;
}

static void
test_moves_take_time(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(2, 4 * GIB, 1, (uint64_t[]){ 300 * MIB });
    LpSimConfig config = slow_config(5 * GIB);
    Move down = { .asked_sec = 10, .target = GIB + GIB / 2 };
    LpSimResult result = run_policy(&test_policy, trace, &config, move_once, &down);

    (void) state;
    /* Each has 2.5 GiB at first. */
    assert_int_equal(down.granted_sec, 14);
    assert_int_equal(down.usable_sec, 14);
    assert_int_equal(down.freed_sec, 14);
    assert_true(down.free_before == 0);
    assert_true(down.free_after == GIB);
    assert_false(down.failed);
    assert_int_equal(result.mem.resizes, 1);
    near(result.mem.bytes_moved, (double) GIB);
    assert_int_equal(result.broken, 0);
}

static void
test_grow_is_charged_at_once(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, 4 * GIB, 1, (uint64_t[]){ 300 * MIB });
    LpSimConfig config = slow_config(3 * GIB);
    Move down = { .asked_sec = 10, .target = GIB }, up = { .asked_sec = 50, .target = 2 * GIB };
    Move *moves[] = { &down, &up };

    (void) state;
    for (int i = 0; i < 2; i++) {
        LpSimResult result = run_policy(&test_policy, trace, &config, move_once, moves[i]);

        assert_int_equal(result.broken, 0);
    }
    assert_int_equal(down.usable_sec, 17);
    assert_true(down.free_after == 2 * GIB);
    /* It begins with all there is, so that this is a shrink too. */
    assert_int_equal(up.usable_sec, 54);
}

static void
test_failures(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, 4 * GIB, 1, (uint64_t[]){ 300 * MIB });
    LpSimConfig config = make_config(3 * GIB);
    Move half = { .asked_sec = 10, .target = GIB }, veto = { .asked_sec = 10, .target = GIB };
    LpSimResult result;

    (void) state;
    config.actuators.shrink_fail_permyriad = 10000;
    result = run_policy(&test_policy, trace, &config, move_once, &half);
    assert_true(half.failed);
    assert_int_equal(half.failures, 1);
    assert_true(half.free_after == GIB);
    assert_int_equal(result.mem.failures, 1);
    near(result.mem.bytes_moved, (double) GIB);
    assert_int_equal(result.broken, 0);
    config.actuators.shrink_fail_permyriad = 0;
    config.actuators.veto_permyriad = 10000;
    result = run_policy(&test_policy, trace, &config, move_once, &veto);
    assert_true(veto.failed);
    assert_true(veto.free_after == 0);
    assert_int_equal(result.mem.failures, 1);
    near(result.mem.bytes_moved, 0);
}

/* Policies that say what cannot be: refused, and counted each tick. */
static void
lie_free(LpSimHost *host, void *notes)
{
    (void) notes;
    host->views[0].target_bytes = host->views[0].granted_bytes + host->host_free_bytes + 1;
}

static void
lie_twice(LpSimHost *host, void *notes)
{
    (void) notes;
    /* Each alone is free, both are not: at first both give, then both want all of it. */
    for (size_t i = 0; i < host->n; i++)
        host->views[i].target_bytes = host->now_msec == 0 ? host->views[i].granted_bytes - 128 * MIB
                                      : host->now_msec == 10000
                                          ? host->views[i].granted_bytes + 256 * MIB
                                          : host->views[i].granted_bytes;
}

static void
lie_min(LpSimHost *host, void *notes)
{
    (void) notes;
    host->views[1].target_bytes = host->views[1].min_bytes - 1;
}

static void
lie_max(LpSimHost *host, void *notes)
{
    (void) notes;
    host->views[1].target_bytes = UINT64_MAX;
}

static void
lie_cpu(LpSimHost *host, void *notes)
{
    (void) notes;
    host->views[0].target_centi = host->host_centi;
}

static void
lie_cpu_max(LpSimHost *host, void *notes)
{
    (void) notes;
    host->views[0].target_centi = UINT32_MAX;
}

static void
test_lies(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(2, 4 * GIB, 1, (uint64_t[]){ 300 * MIB });
    static const struct {
        void (*act)(LpSimHost *host, void *notes);
        const char *text;
        uint64_t broken;
    } lies[] = {
        { lie_free, "test: S3", STEP }, { lie_twice, "test: S3", 1 },
        { lie_min, "test: S1", STEP },  { lie_max, "test: S2", STEP },
        { lie_cpu, "test: S3", STEP },  { lie_cpu_max, "test: S2", STEP },
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        LpSimConfig config = make_config(4 * GIB);
        LpSimResult result;

        config.host_centi = 300;
        result = run_policy(&test_cpu_policy, trace, &config, lies[i].act, NULL);
        assert_int_equal(result.broken, lies[i].broken);
        assert_memory_equal(result.first_broken, lies[i].text, strlen(lies[i].text));
        assert_true(result.mem.granted <= 300.0 * 4 * (double) GIB);
        assert_true(result.cpu.granted <= 300.0 * 300);
        /* Only lie_twice had anything that could be done. */
        assert_int_equal(result.mem.resizes, lies[i].act == lie_twice ? 3 : 0);
    }
}

static void
saw(LpSimHost *host, void *notes)
{
    (void) notes;
    for (size_t i = 0; i < host->n; i++)
        host->views[i].target_bytes = host->now_msec / 30000 % 2 ? 2 * GIB : GIB + i * 128 * MIB;
}

static void
saw_fitted(LpSimHost *host, void *notes)
{
    saw(host, notes);
    for (size_t i = 0; i < host->n; i++)
        host->views[i].target_bytes += i * 777777;
    lp_sim_fit(host);
}

static void
test_same_seed_same_run(void **state)
{
    g_autoptr(LpTrace) trace = lp_trace_generate("mix", 6, 1, 11, NULL);
    LpSimConfig config = make_config(10 * GIB);
    LpSimResult a, b, c;

    (void) state;
    config.actuators.shrink_fail_permyriad = 2000;
    config.actuators.veto_permyriad = 1000;
    config.seconds = 7200;
    config.seed = 42;
    a = run_policy(&test_policy, trace, &config, saw_fitted, NULL);
    b = run_policy(&test_policy, trace, &config, saw_fitted, NULL);
    config.seed = 43;
    c = run_policy(&test_policy, trace, &config, saw_fitted, NULL);
    assert_int_equal(a.broken, 0);
    assert_memory_equal(&a.mem, &b.mem, sizeof a.mem);
    assert_memory_equal(&a.cpu, &b.cpu, sizeof a.cpu);
    assert_true(a.mem.failures > 0);
    assert_true(memcmp(&a.mem, &c.mem, sizeof a.mem) != 0);
}

/* Every 30 s up or down, two partitions, half an hour: 60 phases, the first change at second 0. */
static void
test_resizes_are_counted(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(2, 4 * GIB, 6, (uint64_t[6]){ 0 });
    LpSimConfig config = make_config(8 * GIB);
    LpSimResult result = run_policy(&test_policy, trace, &config, saw, NULL);

    (void) state;
    assert_int_equal(result.broken, 0);
    assert_int_equal(result.mem.resizes, 2 * 60);
    assert_int_equal(result.mem.reversals, 2 * 59);
    /* Half an hour counts as 1/48 day. */
    near(result.mem.resizes_per_vm_day_p99, 60 * 48);
    assert_int_equal(result.mem.resizes_calm, 2 * 60);
    near(result.mem.calm_vm_days, 2.0 / 48);
}

static void
test_calm_hours(void **state)
{
    static const uint64_t demand[24] = { [13] = 3 * GIB + GIB / 2 };
    g_autoptr(LpTrace) trace = make_trace(2, 4 * GIB, 24, demand);
    LpSimConfig config = make_config(7 * GIB);
    LpSimResult result;

    (void) state;
    /* 7 GiB wanted of 7 in the second hour. */
    result = run_policy(&test_policy, trace, &config, saw, NULL);
    assert_int_equal(result.mem.resizes, 2 * 240);
    assert_int_equal(result.mem.resizes_calm, 2 * 120);
    near(result.mem.calm_vm_days, 2.0 / 24);
}

static void
set_cpu(LpSimHost *host, void *notes)
{
    (void) notes;
    host->views[0].target_centi = host->now_msec < 100000   ? 150
                                  : host->now_msec < 150000 ? 199
                                                            : 201;
    host->views[0].needs_centi = 120;
}

/* 2 and 4 wanted of 3: a half of each lacks. */
static void
test_processors_crowded(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(2, GIB, 1, (uint64_t[]){ 300 * MIB });
    LpSimConfig config = make_config(2 * GIB);
    LpSimResult result;

    (void) state;
    config.host_centi = 300;
    trace->vms[0].cpu_centi[0] = 200;
    trace->vms[1].cpu_centi[0] = 400;
    result = run_policy(&test_policy, trace, &config, NULL, NULL);
    near(result.cpu.shortfall, 300.0 * 300);
    near(result.cpu.fairness, 1);
}

/* Processors: 2.5 wanted; 1.5 for 100 s, 1.99 for 50, then 2.01: one change of vCPUs. */
static void
test_processors(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(1, GIB, 1, (uint64_t[]){ 300 * MIB });
    LpSimConfig config = make_config(GIB);
    LpSimResult result;

    (void) state;
    config.host_centi = 150;
    trace->vms[0].cpu_centi[0] = 250;
    result = run_policy(&test_cpu_policy, trace, &config, NULL, NULL);
    near(result.cpu.shortfall, 300.0 * 100);
    near(result.cpu.demand, 300.0 * 250);
    assert_int_equal(result.cpu.violated, 300);
    near(result.cpu.stall_sec, 300 * 0.4);
    assert_int_equal(result.cpu.resizes, 0);
    /* Where a policy leaves processors alone all may use them, and what lacks is the host's. */
    result = run_policy(&test_policy, trace, &config, NULL, NULL);
    assert_int_equal(result.broken, 0);
    near(result.cpu.shortfall, 300.0 * 100);
    assert_int_equal(result.cpu.violated, 300);
    near(result.cpu.granted, 300.0 * 400);
    config.host_centi = 300;
    result = run_policy(&test_policy, trace, &config, NULL, NULL);
    near(result.cpu.shortfall, 0);
    result = run_policy(&test_cpu_policy, trace, &config, set_cpu, NULL);
    assert_int_equal(result.broken, 0);
    /* It begins with 3 vCPUs. */
    assert_int_equal(result.cpu.resizes, 2);
    assert_int_equal(result.cpu.reversals, 1);
    near(result.cpu.needs, 120.0 * 300 + (300 - 120));
}

static void
unequal(LpSimHost *host, void *notes)
{
    (void) notes;
    if (host->now_msec == 0)
        host->views[0].target_bytes = 512 * MIB;
}

/* One has half of what it wants and one all: (0.5 + 1)^2 / (2 * (0.25 + 1)) = 0.9. */
static void
test_fairness(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(2, 32 * GIB, 1, (uint64_t[]){ GIB });
    LpSimConfig config = make_config(2 * GIB);
    LpSimResult result = run_policy(&test_policy, trace, &config, unequal, NULL);

    (void) state;
    assert_int_equal(result.mem.ooms, 0);
    near(result.mem.shortfall, 299 * 512.0 * (double) MIB);
    near(result.mem.fairness, 0.9);
}

static void
test_host_size(void **state)
{
    g_autoptr(LpTrace) trace = make_trace(2, 4 * GIB, 3, (uint64_t[]){ 4 * GIB, GIB, 2 * GIB });
    LpSimConfig config;

    (void) state;
    lp_sim_config_init(&config);
    config.warm_sec = STEP;
    lp_sim_host_size(trace, 12500, 20000, &config);
    assert_true(config.host_bytes == 5 * GIB);
    /* No demand for processors: the minima. */
    assert_int_equal(config.host_centi, 20);
    config.seconds = 2 * STEP;
    lp_sim_host_size(trace, 12500, 20000, &config);
    assert_true(config.host_bytes == 2 * GIB + GIB / 2);
    lp_sim_host_size(trace, 1, 1, &config);
    assert_true(config.host_bytes == 512 * MIB);
}

static void
test_fit(void **state)
{
    LpSimView views[3] = { 0 };
    LpSimHost host = { .host_bytes = 16 * GIB, .host_free_bytes = GIB, .host_centi = 330,
                       .views = views, .n = 3 };

    (void) state;
    for (size_t i = 0; i < 3; i++)
        views[i] = (LpSimView){ .min_bytes = 256 * MIB, .max_bytes = 4 * GIB,
                                .block_bytes = 2 * MIB, .granted_bytes = GIB, .min_centi = 10,
                                .max_centi = 400, .target_centi = 110 };
    views[0].target_bytes = GIB + 700 * MIB + 1;
    views[1].target_bytes = UINT64_MAX;
    views[2].target_bytes = 0;
    lp_sim_fit(&host);
    assert_true(views[0].target_bytes == GIB + 702 * MIB);
    assert_true(views[1].target_bytes == GIB + 322 * MIB);
    assert_true(views[2].target_bytes == 256 * MIB);
    assert_int_equal(views[0].target_centi, 110);
    views[2].moving = true;
    views[0].target_centi = 0;
    views[1].target_centi = 400;
    views[2].target_centi = 600;
    lp_sim_fit(&host);
    assert_true(views[2].target_bytes == GIB);
    assert_int_equal(views[0].target_centi, 10);
    assert_int_equal(views[1].target_centi, 10 + 390 * 300 / 780);
    assert_int_equal(views[2].target_centi, views[1].target_centi);
}

/* What `clairvoyant` is shown is the most of the next five minutes. */
static void
check_future(LpSimHost *host, void *notes)
{
    uint64_t sec = (uint64_t) host->now_msec / 1000, most = 0;

    for (uint64_t s = sec; s <= sec + 300; s++)
        most = MAX(most, lp_trace_mem(notes, 0, s, false));
    assert_true(host->views[0].future_bytes == most);
}

static void
test_future(void **state)
{
    static const LpSimPolicy seer = { .name = "test", .source = "here", .interval_sec = 7,
                                      .knows_future = true, .decide = script_decide };
    g_autoptr(LpTrace) trace = make_trace(1, 8 * GIB, 5, (uint64_t[]){ 300 * MIB, 7 * GIB, 9,
                                                                      5 * GIB, 6 * GIB });
    LpSimConfig config = make_config(8 * GIB);

    (void) state;
    config.steps = false;
    run_policy(&seer, trace, &config, check_future, trace);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shortfall_by_hand), cmocka_unit_test(test_warm_up),
        cmocka_unit_test(test_pressure_average),  cmocka_unit_test(test_page_cache),
        cmocka_unit_test(test_refaults),          cmocka_unit_test(test_kills),
        cmocka_unit_test(test_demand_follows_the_trace),
        cmocka_unit_test(test_moves_take_time),   cmocka_unit_test(test_grow_is_charged_at_once),
        cmocka_unit_test(test_failures),          cmocka_unit_test(test_lies),
        cmocka_unit_test(test_same_seed_same_run), cmocka_unit_test(test_resizes_are_counted),
        cmocka_unit_test(test_calm_hours),        cmocka_unit_test(test_processors),
        cmocka_unit_test(test_processors_crowded),
        cmocka_unit_test(test_fairness),          cmocka_unit_test(test_host_size),
        cmocka_unit_test(test_fit),               cmocka_unit_test(test_future),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
