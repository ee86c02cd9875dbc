/* Processors: capacity is shared first and at once, the number of vCPUs follows rarely. */
#include <string.h>

#include "policy/profile.h"
#include "policy/round.h"

/* vCPUs are added when so much of what those there can use is needed. */
#define CPU_UP_PERMYRIAD 8000
/* A cap or share that differs by less than this part is left as it is: each write is a system
 * call for each partition, each second. */
#define CPU_STILL_DIVISOR 16
/* Nobody has more processors, and sums of 10^6 of them fit into 64 bits with ease. */
#define CPUS_MAX 1000000u

static uint32_t
least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t
most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* What so many vCPUs can use. */
static uint32_t
usable(uint32_t cpus)
{
    return least(cpus, CPUS_MAX) * 100;
}

/* Its floor, want and entitlement; no vCPU can be scheduled below its own floor. */
static LpClaim
claim_of(const LpRound *round, size_t index)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    const LpDemand *demand = &round->decisions[index].demand;
    uint32_t floor = least(partition->granted_cpus, CPUS_MAX) * LP_CENTI_PER_VCPU_MIN;
    uint32_t cpus = most(partition->cpu_max, partition->granted_cpus);
    uint32_t want = least(demand->want_centi, usable(cpus));

    if (partition->word.asked_until_msec > round->now_msec)
        want = most(want, least(usable(partition->word.asked_cpus), usable(cpus)));
    if (partition->capped)
        want = least(want, partition->entitled_centi);
    return (LpClaim){
        .key = partition->key, .floor = floor, .entitled = partition->entitled_centi,
        .want = most(want, floor), .weight = partition->weight,
        .priority = partition->priority,
        .group = partition->pool < round->host->n_pools && partition->pool < LP_POLICY_POOLS
                 ? partition->pool : LP_SHARE_ALONE,
    };
}

/* Returns whether anybody gets less than it wants. */
static bool
share(LpRound *round, LpShareGroup *groups)
{
    const LpPolicyHost *host = round->host;
    LpClaim *claims = round->room->claims;
    uint32_t n_pools = host->n_pools < LP_POLICY_POOLS ? host->n_pools : LP_POLICY_POOLS;
    bool rationed = false;

    memset(groups, 0, LP_POLICY_POOLS * sizeof(*groups));
    for (uint32_t g = 0; g < n_pools; g++) {
        groups[g].reserved = least(host->pools[g].reserved_centi, host->pools[g].max_centi);
        groups[g].max = host->pools[g].max_centi;
    }
    for (size_t i = 0; i < round->n; i++)
        claims[i] = claim_of(round, i);
    lp_share(claims, round->n, groups, n_pools,
             lp_sat_sub(host->capacity_centi, host->reserve_centi), 0);
    for (size_t i = 0; i < round->n; i++)
        rationed |= claims[i].rationed;
    return rationed;
}

static bool
differs_enough(uint32_t is, uint32_t wanted)
{
    uint32_t by = is > wanted ? is - wanted : wanted - is;

    return by > 0 && by >= is / CPU_STILL_DIVISOR;
}

/* How many vCPUs what it is given keeps busy, within its bounds. */
static uint32_t
enough_cpus(const LpPolicyPartition *partition, uint32_t centi, uint32_t asked)
{
    uint32_t cpus = most(centi / 100 + (centi % 100 != 0), asked);

    return most(least(cpus, partition->cpu_max), most(partition->cpu_min, 1));
}

/* A surplus of vCPUs, and since when. */
static bool
surplus_is_old(LpRound *round, size_t index, uint32_t cpus)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    const LpTuning *tuning = lp_partition_tuning(partition);
    const LpDemand *demand = &round->decisions[index].demand;
    LpPolicyState *state = &round->states[index];
    LpDecision *decision = &round->decisions[index];
    int64_t release = lp_release_msec(partition), dwell = lp_calm_dwell_msec(tuning);
    uint32_t down = tuning->cpu_down < 10000 ? tuning->cpu_down : 10000;

    if (cpus >= partition->granted_cpus ||
        demand->want_centi >= (uint64_t)usable(partition->granted_cpus) * down / 10000) {
        state->cpu_surplus_msec = 0;
        return false;
    }
    if (state->cpu_surplus_msec == 0)
        state->cpu_surplus_msec = lp_calm_stamp(round->now_msec);
    decision->cpu_act = LP_ACT_WAIT;
    if (partition->word.vetoed_until_msec > round->now_msec) {
        decision->cpu_bound = LP_BOUND_VETO;
        decision->cpu_next_msec = partition->word.vetoed_until_msec;
    } else if (state->quiet_until_msec > round->now_msec) {
        decision->cpu_bound = LP_BOUND_BACKOFF;
        decision->cpu_next_msec = state->quiet_until_msec;
    } else if (lp_calm_since(state->cpu_surplus_msec, round->now_msec) < release) {
        decision->cpu_bound = LP_BOUND_RELEASE;
        decision->cpu_next_msec = lp_calm_after(state->cpu_surplus_msec, release);
    } else if (lp_calm_since(state->cpu_up_msec, round->now_msec) < dwell) {
        decision->cpu_bound = LP_BOUND_DWELL;
        decision->cpu_next_msec = lp_calm_after(state->cpu_up_msec, dwell);
    } else {
        decision->cpu_act = LP_ACT_NONE;
        return true;
    }
    return false;
}

static void
decide_count(LpRound *round, size_t index, bool acts)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    LpDecision *decision = &round->decisions[index];
    LpPolicyState *state = &round->states[index];
    const LpDemand *demand = &decision->demand;
    uint32_t has = partition->granted_cpus, asked = 0, cpus;
    bool over = has > partition->cpu_max, under = has < partition->cpu_min;

    if (partition->word.asked_until_msec > round->now_msec)
        asked = partition->word.asked_cpus;
    cpus = enough_cpus(partition, decision->cpu_target_centi, asked);
    if (under || (cpus > has && state->up_quiet_until_msec <= round->now_msec &&
                  (asked > has || (demand->cpu_known && demand->need_centi >=
                                   (uint64_t)usable(has) * CPU_UP_PERMYRIAD / 10000)))) {
        state->cpu_surplus_msec = 0;
        decision->cpus = cpus;
        decision->cpu_act = LP_ACT_GROW;
        if (acts)
            state->cpu_up_msec = lp_calm_stamp(round->now_msec);
        return;
    }
    if (!demand->cpu_known && !over) {
        decision->cpu_bound = LP_BOUND_NO_SIGNAL;
        return;
    }
    if (!surplus_is_old(round, index, cpus) && !(over && decision->cpu_act != LP_ACT_WAIT))
        return;
    decision->cpus = cpus;
    decision->cpu_act = LP_ACT_SHRINK;
    decision->cpu_bound = LP_BOUND_NONE;
    if (acts)
        state->cpu_down_msec = lp_calm_stamp(round->now_msec);
}

static void
decide_capacity(LpRound *round, size_t index, bool contended)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    LpDecision *decision = &round->decisions[index];
    LpPolicyState *state = &round->states[index];
    uint32_t all = usable(most(decision->cpus, partition->granted_cpus));
    uint32_t floor = least(partition->granted_cpus, CPUS_MAX) * LP_CENTI_PER_VCPU_MIN;
    uint32_t cap = round->host->burst || !contended ? all : decision->cpu_target_centi;

    if (partition->capped)
        cap = least(cap, partition->entitled_centi);
    cap = most(least(cap, all), floor);
    /* All of its vCPUs, or no longer so: that is set at once. */
    if (cap != all && !differs_enough(partition->granted_centi, cap) &&
        partition->granted_centi <= all &&
        !(partition->capped && partition->granted_centi > partition->entitled_centi))
        cap = partition->granted_centi;
    decision->cpu_centi = cap;
    if (state->cpu_share == 0 || differs_enough(state->cpu_share, decision->cpu_target_centi))
        state->cpu_share = most(decision->cpu_target_centi, 1);
    decision->cpu_share = state->cpu_share;
}

/* What bound its part of the processors. */
static LpBound
limit_of(const LpRound *round, size_t index, const LpClaim *claim, const LpShareGroup *groups)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    uint32_t want = round->decisions[index].demand.want_centi;

    if (claim->rationed)
        return claim->group != LP_SHARE_ALONE && groups[claim->group].given >=
               groups[claim->group].max ? LP_BOUND_POOL : LP_BOUND_SHARE;
    if (partition->capped && want > partition->entitled_centi)
        return LP_BOUND_CAPPED;
    if (want > usable(partition->cpu_max))
        return partition->scheduled ? LP_BOUND_SCHEDULE : LP_BOUND_MAX;
    if (want < usable(partition->cpu_min) && partition->granted_cpus == partition->cpu_min)
        return partition->scheduled ? LP_BOUND_SCHEDULE : LP_BOUND_MIN;
    return LP_BOUND_NONE;
}

static void
leave(LpRound *round, size_t index, LpBound bound)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    LpDecision *decision = &round->decisions[index];

    decision->cpu_centi = partition->granted_centi;
    decision->cpu_share = most(decision->cpu_target_centi, 1);
    decision->cpu_bound = bound;
}

void
lp_round_cpu(LpRound *round)
{
    LpShareGroup groups[LP_POLICY_POOLS];
    bool contended = share(round, groups);

    for (size_t i = 0; i < round->n; i++) {
        const LpPolicyPartition *partition = &round->partitions[i];
        const LpItem *item = &round->room->items[i];
        const LpClaim *claim = &round->room->claims[i];
        LpDecision *decision = &round->decisions[i];

        decision->cpus = partition->granted_cpus;
        decision->cpu_target_centi = (uint32_t)claim->given;
        if (item->cpu == LP_PART_OFF || item->cpu == LP_PART_NONE ||
            item->cpu == LP_PART_FIXED) {
            leave(round, i, item->cpu == LP_PART_OFF ? LP_BOUND_OFF : LP_BOUND_FIXED);
            continue;
        }
        decide_count(round, i, item->acts);
        decide_capacity(round, i, contended);
        if (decision->cpu_bound == LP_BOUND_NONE)
            decision->cpu_bound = limit_of(round, i, claim, groups);
    }
}
