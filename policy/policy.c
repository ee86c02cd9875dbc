#include <stdlib.h>
#include <string.h>

#include "policy/profile.h"
#include "policy/round.h"

void
lp_policy_host_init(LpPolicyHost *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->mode = LP_MODE_ADVISE;
    ret->burst = true;
    ret->moving_max = 16;
    ret->idle_tax = 7500;
}

LpPolicy *
lp_policy_new(void)
{
    return calloc(1, sizeof(LpPolicy));
}

void
lp_policy_free(LpPolicy *policy)
{
    if (policy == NULL)
        return;
    free(policy->items);
    free(policy->extents);
    free(policy->places);
    free(policy->claims);
    free(policy->donors);
    free(policy->slots);
    free(policy->by_node);
    free(policy);
}

static bool
widen(void *at, size_t n, size_t size)
{
    void **block = at, *wider;

    if (n > SIZE_MAX / size)
        return false;
    wider = realloc(*block, n * size);
    if (wider == NULL)
        return false;
    *block = wider;
    return true;
}

/* A step larger each time, so that a host that fills up slowly is not copied at every arrival. */
static size_t
roomier(size_t n)
{
    return n < 64 ? 64 : n + n / 4;
}

bool
lp_round_room(LpPolicy *policy, const LpPolicyHost *host, const LpPolicyPartition *partitions,
              size_t n)
{
    uint32_t n_nodes = host->n_nodes < LP_POLICY_NODES ? host->n_nodes : LP_POLICY_NODES;
    size_t extents = 0;

    /* Indices are of 32 bits. */
    if (n >= UINT32_MAX / LP_POLICY_CELLS)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t cells = partitions[i].n_cells;

        if (cells > LP_POLICY_CELLS)
            cells = 0;
        extents += cells > n_nodes ? n_nodes : cells > 0 ? cells : 1;
    }
    if (n > policy->items_room) {
        size_t most = roomier(n), slots = 64;

        while (slots < 2 * most)
            slots *= 2;
        policy->items_room = 0;
        if (!widen(&policy->items, most, sizeof(*policy->items)) ||
            !widen(&policy->places, most, sizeof(*policy->places)) ||
            !widen(&policy->donors, most, sizeof(*policy->donors)) ||
            !widen(&policy->slots, slots, sizeof(*policy->slots)))
            return false;
        policy->items_room = most;
        policy->slots_room = slots;
    }
    /* A round of processors has a claim for each partition, one of memory for each extent. */
    if (extents < n)
        extents = n;
    if (extents > policy->extents_room) {
        size_t most = roomier(extents);

        policy->extents_room = 0;
        if (!widen(&policy->extents, most, sizeof(*policy->extents)) ||
            !widen(&policy->claims, most, sizeof(*policy->claims)) ||
            !widen(&policy->by_node, most, sizeof(*policy->by_node)))
            return false;
        policy->extents_room = most;
    }
    return true;
}

bool
lp_policy_decide(LpPolicy *policy, const LpPolicyHost *host, const LpPolicyPartition *partitions,
                 LpPolicyState *states, size_t n, LpDecision *ret_decisions)
{
    LpRound round = {
        .room = policy, .host = host, .partitions = partitions, .states = states,
        .decisions = ret_decisions, .n = n, .now_msec = host->now_msec,
    };

    if (!lp_round_room(policy, host, partitions, n))
        return false;
    lp_round_read(&round);
    lp_round_targets(&round);
    lp_round_grow(&round);
    lp_round_reclaim(&round);
    lp_round_give_back(&round);
    lp_round_finish(&round);
    lp_round_cpu(&round);
    return true;
}

uint64_t
lp_sat_add(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t
lp_sat_sub(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

uint64_t
lp_part_down(uint64_t amount, uint64_t part, uint64_t whole)
{
    return part == whole ? amount : amount / whole * part + amount % whole * part / whole;
}

uint64_t
lp_part_up(uint64_t amount, uint64_t part, uint64_t whole)
{
    return part == whole ? amount
                         : amount / whole * part + (amount % whole * part + whole - 1) / whole;
}

uint64_t
lp_round_down(const LpItem *item, uint64_t amount)
{
    return amount - amount % item->quantum;
}

uint64_t
lp_round_up(const LpItem *item, uint64_t amount)
{
    uint64_t rest = amount % item->quantum;

    return rest == 0 ? amount : lp_sat_add(amount - rest, item->quantum);
}

uint64_t
lp_least_step(const LpItem *item)
{
    uint64_t step = lp_round_down(item, item->granted / LP_LEAST_STEP_DIVISOR);

    return step > item->quantum ? step : item->quantum;
}

uint64_t
lp_good_step(const LpItem *item)
{
    uint64_t step = lp_round_down(item, item->granted / LP_GOOD_STEP_DIVISOR);

    return step > item->quantum ? step : item->quantum;
}

bool
lp_moves_free(const LpRound *round)
{
    return round->moving < round->host->moving_max;
}

const LpTuning *
lp_partition_tuning(const LpPolicyPartition *partition)
{
    return lp_goal_tuning((unsigned)partition->goal < LP_GOALS ? partition->goal
                                                               : LP_GOAL_BALANCED);
}

int64_t
lp_release_msec(const LpPolicyPartition *partition)
{
    uint32_t sec = partition->release_sec;

    if (sec == 0)
        sec = lp_partition_tuning(partition)->release_sec;
    return (int64_t)(sec < LP_RELEASE_SEC_MAX ? sec : LP_RELEASE_SEC_MAX) * 1000;
}
