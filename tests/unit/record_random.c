#include "tests/unit/record_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state;

uint64_t
record_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t
record_random_below(uint32_t limit)
{
    return (uint32_t)((record_random() >> 32) * limit >> 32);
}

void
record_random_seed(uint64_t otherwise)
{
    const char *text = getenv("LP_TEST_SEED");

    random_state = text != NULL ? strtoull(text, NULL, 0) : otherwise;
    if (random_state == 0)
        random_state = 1;
    printf("# seed %llu\n", (unsigned long long)random_state);
}

/* Of all magnitudes, often 0, and the bounds. */
static uint64_t
wide(void)
{
    switch (record_random_below(8)) {
    case 0:
        return 0;
    case 1:
        return record_random_below(2) == 0 ? UINT64_MAX : UINT64_C(1) << 63;
    default:
        return record_random() >> record_random_below(64);
    }
}

static uint32_t
word(void)
{
    return (uint32_t)wide();
}

static int64_t
msec(void)
{
    return (int64_t)wide();
}

static bool
flag(void)
{
    return record_random_below(2) == 0;
}

static void
random_nodes(LpPolicyHost *host)
{
    memset(host->nodes, 0, sizeof(host->nodes));
    memset(host->pools, 0, sizeof(host->pools));
    for (uint32_t i = 0; i < host->n_nodes; i++) {
        host->nodes[i].capacity_bytes = wide();
        host->nodes[i].reserve_bytes = wide();
        host->nodes[i].free_bytes = wide();
    }
    for (uint32_t i = 0; i < host->n_pools; i++) {
        host->pools[i].max_centi = word();
        host->pools[i].reserved_centi = word();
    }
}

void
record_random_host(LpPolicyHost *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->now_msec = msec();
    ret->mode = (LpMode)record_random_below(LP_MODES);
    ret->burst = flag();
    ret->n_nodes = record_random_below(LP_POLICY_NODES + 1);
    ret->capacity_centi = word();
    ret->reserve_centi = word();
    ret->n_pools = record_random_below(LP_POLICY_POOLS + 1);
    ret->moving_max = word();
    ret->idle_tax = word();
    random_nodes(ret);
}

static void
random_signals(LpSignals *seen)
{
    seen->mem_by = (LpSeenBy)record_random_below(LP_SEEN_AGENT + 1);
    seen->has_cpu = flag();
    seen->has_psi = flag();
    seen->mem_age_msec = msec();
    seen->cpu_age_msec = msec();
    seen->total_bytes = wide();
    seen->available_bytes = wide();
    seen->working_set_bytes = wide();
    seen->swap_used_bytes = wide();
    seen->refaults = wide();
    seen->oom_kills = wide();
    seen->psi_some_centi = word();
    seen->psi_full_centi = word();
    seen->cpu_used_centi = word();
    seen->cpu_running = word();
    seen->cpu_psi_centi = word();
    seen->cpu_steal_centi = word();
}

void
record_random_partition(LpPolicyPartition *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->key = record_random();
    ret->mode = (LpMode)record_random_below(LP_MODES);
    ret->goal = (LpGoal)record_random_below(LP_GOALS);
    ret->priority = word();
    ret->weight = word();
    ret->release_sec = word();
    ret->cpu_min = word();
    ret->cpu_max = word();
    ret->mem_min_bytes = wide();
    ret->mem_max_bytes = wide();
    ret->scheduled = flag();
    ret->entitled_bytes = wide();
    ret->entitled_centi = word();
    ret->capped = flag();
    ret->pool = flag() ? LP_NO_POOL : word();
    ret->block_bytes = wide();
    ret->n_cells = record_random_below(LP_POLICY_CELLS + 1);
    for (uint32_t i = 0; i < ret->n_cells; i++)
        ret->cell_node[i] = (uint8_t)record_random();
    ret->fixed = flag();
    ret->granted_bytes = wide();
    ret->granted_cpus = word();
    ret->granted_centi = word();
    random_signals(&ret->seen);
    ret->word.asked_bytes = wide();
    ret->word.asked_cpus = word();
    ret->word.asked_until_msec = msec();
    ret->word.vetoed_until_msec = msec();
    ret->failed = flag();
}

static void
random_histogram(LpHistogram *histogram)
{
    uint32_t filled = record_random_below(LP_HISTOGRAM_BUCKETS + 1);

    for (uint32_t i = 0; i < filled; i++)
        histogram->weights[record_random_below(LP_HISTOGRAM_BUCKETS)] = (uint16_t)record_random();
    histogram->total = word();
    histogram->halved_msec = msec();
}

static void
random_demand_state(LpDemandState *demand)
{
    random_histogram(&demand->mem_used);
    random_histogram(&demand->cpu_used);
    for (int i = 0; i < LP_PEAKS; i++) {
        demand->mem_peaks[i] = wide();
        demand->cpu_peaks[i] = word();
    }
    demand->tick_msec = msec();
    demand->slice_msec = msec();
    demand->sample_msec = msec();
    demand->mem_sample_peak = wide();
    demand->cpu_sample_peak = word();
    demand->mem_long_bytes = wide();
    demand->cpu_long_centi = word();
    demand->cpu_smooth_eighths = word();
    demand->psi_centi = word();
    demand->psi_fell_msec = msec();
    demand->refaults = wide();
    demand->oom_kills = wide();
    demand->swap_used_bytes = wide();
    demand->mem_seen_msec = msec();
    demand->granted_bytes = wide();
    demand->mem_changed_msec = msec();
    demand->mem_pressed_bytes = wide();
    demand->mem_asked_bytes = wide();
    demand->pressed_why = (uint8_t)word();
    demand->floor_why = (uint8_t)word();
    demand->mem_shrunk = flag();
    demand->counted = flag();
    demand->mem_pressed_msec = msec();
    demand->cpu_pressed_msec = msec();
    demand->mem_floor_bytes = wide();
    demand->mem_floor_until_msec = msec();
    demand->pressed_ticks = word();
    demand->seen = flag();
}

void
record_random_state(LpPolicyState *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->key = record_random();
    random_demand_state(&ret->demand);
    ret->up_msec = msec();
    ret->down_msec = msec();
    ret->claimed_msec = msec();
    ret->surplus_msec = msec();
    ret->quiet_until_msec = msec();
    ret->failures = word();
    ret->up_quiet_until_msec = msec();
    ret->up_failures = word();
    for (size_t i = 0; i < sizeof(ret->early_msec) / sizeof(ret->early_msec[0]); i++)
        ret->early_msec[i] = msec();
    for (size_t i = 0; i < sizeof(ret->trend_msec) / sizeof(ret->trend_msec[0]); i++) {
        ret->trend_bytes[i] = wide();
        ret->trend_msec[i] = msec();
    }
    ret->seen_bytes = wide();
    ret->ordered_bytes = wide();
    ret->ordered_msec = msec();
    ret->tick_msec = msec();
    ret->cpu_share = word();
    ret->cpu_up_msec = msec();
    ret->cpu_down_msec = msec();
    ret->cpu_surplus_msec = msec();
}

void
record_random_decision(LpDecision *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->demand.need_bytes = wide();
    ret->demand.want_bytes = wide();
    ret->demand.mem_why = (LpWhy)record_random_below(LP_WHY_S);
    ret->demand.mem_pressed = flag();
    ret->demand.mem_known = flag();
    ret->demand.used_bytes = wide();
    ret->demand.need_centi = word();
    ret->demand.want_centi = word();
    ret->demand.cpu_why = (LpWhy)record_random_below(LP_WHY_S);
    ret->demand.cpu_pressed = flag();
    ret->demand.cpu_known = flag();
    ret->mem_target_bytes = wide();
    ret->mem_bytes = wide();
    ret->mem_act = (LpAct)record_random_below(LP_ACT_WAIT + 1);
    ret->mem_bound = (LpBound)record_random_below(LP_BOUNDS);
    ret->mem_take = (LpTake)record_random_below(LP_TAKE_SHORTAGE + 1);
    ret->rival = wide();
    ret->mem_next_msec = msec();
    ret->cpu_target_centi = word();
    ret->cpu_centi = word();
    ret->cpu_share = word();
    ret->cpus = word();
    ret->cpu_act = (LpAct)record_random_below(LP_ACT_WAIT + 1);
    ret->cpu_bound = (LpBound)record_random_below(LP_BOUNDS);
    ret->cpu_next_msec = msec();
}

void
record_random_host_later(LpPolicyHost *host, int64_t passed_msec)
{
    int64_t now = (int64_t)((uint64_t)host->now_msec + (uint64_t)passed_msec);

    if (record_random_below(10) == 0) {
        record_random_host(host);
    } else if (host->n_nodes > 0) {
        host->nodes[record_random_below(host->n_nodes)].free_bytes = wide();
    }
    host->now_msec = now;
}

void
record_random_partition_later(LpPolicyPartition *partition, int64_t passed_msec)
{
    LpSignals *seen = &partition->seen;
    uint64_t key = partition->key;

    if (seen->mem_by != LP_SEEN_NOTHING)
        seen->mem_age_msec = (int64_t)((uint64_t)seen->mem_age_msec + (uint64_t)passed_msec);
    if (seen->has_cpu)
        seen->cpu_age_msec = (int64_t)((uint64_t)seen->cpu_age_msec + (uint64_t)passed_msec);
    switch (record_random_below(8)) {
    case 0:
        record_random_partition(partition);
        partition->key = key;
        break;
    case 1:
        random_signals(seen);
        break;
    case 2:
        seen->mem_age_msec = 0;
        break;
    case 3:
        partition->granted_bytes = wide();
        partition->failed = flag();
        break;
    default:
        break;
    }
}
