/* The inputs, made safe: what cannot be is left alone; wants come within bounds. */
#include <string.h>

#include "policy/planted.h"
#include "policy/profile.h"
#include "policy/round.h"

/* A host's nodes together stay below half of 2^64. */
#define NODE_BYTES_MAX (1ULL << 56)

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void
read_nodes(LpRound *round)
{
    const LpPolicyHost *host = round->host;

    round->n_nodes = host->n_nodes < LP_POLICY_NODES ? host->n_nodes : LP_POLICY_NODES;
    for (uint32_t j = 0; j < round->n_nodes; j++) {
        const LpPolicyNode *node = &host->nodes[j];
        uint64_t capacity = least(node->capacity_bytes, NODE_BYTES_MAX);

        round->capacity[j] = lp_sat_sub(capacity, node->reserve_bytes);
        round->avail[j] = lp_sat_sub(least(node->free_bytes, capacity),
                                     LP_PLANTED(RESERVE_SPENT) ? 0 : node->reserve_bytes);
    }
}

/* The host's mode is a lid on each partition's. */
static LpMode
effective_mode(const LpRound *round, LpMode mode)
{
    if (mode == LP_MODE_HOST)
        return round->mode;
    if ((unsigned)mode > LP_MODE_AUTO)
        return LP_MODE_OFF;
    return mode < round->mode ? mode : round->mode;
}

/* Keys are handed out by counting, or are hashes: mixed well either way. */
static size_t
slot_of(uint64_t key, size_t slots)
{
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15ULL;
    return (size_t)(key >> 20) & (slots - 1);
}

static bool
seen_before(LpRound *round, size_t index)
{
    uint32_t *slots = round->room->slots;
    size_t size = round->room->slots_room, at = slot_of(round->partitions[index].key, size);

    for (; slots[at] != 0; at = (at + 1) & (size - 1))
        if (round->partitions[slots[at] - 1].key == round->partitions[index].key)
            return true;
    slots[at] = (uint32_t)index + 1;
    return false;
}

/* Where its memory lies; false where nobody can say. */
static bool
read_extents(LpRound *round, LpItem *item, size_t index)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    LpExtent *extents = round->room->extents + round->n_extents;
    uint32_t n = 0, n_cells = partition->n_cells;

    item->first = (uint32_t)round->n_extents;
    item->n_extents = 0;
    item->n_cells = 1;
    if (n_cells > LP_POLICY_CELLS || round->n_nodes == 0 || (n_cells == 0 && round->n_nodes > 1))
        return false;
    for (uint32_t c = 0; c < (n_cells != 0 ? n_cells : 1); c++) {
        uint8_t node = n_cells != 0 ? partition->cell_node[c] : 0;
        uint32_t e = 0;

        if (node >= round->n_nodes)
            return false;
        while (e < n && extents[e].node != node)
            e++;
        if (e == n) {
            extents[e] = (LpExtent){ .item = (uint32_t)index, .node = node };
            n++;
        }
        extents[e].cells++;
    }
    item->n_extents = (uint16_t)n;
    item->n_cells = (uint16_t)(n_cells != 0 ? n_cells : 1);
    round->n_extents += n;
    return true;
}

/* The guest's own request counts as a want; it wins no more than its share by it. */
static void
hear(LpRound *round, size_t index, LpDemand *demand)
{
    const LpGuestWord *word = &round->partitions[index].word;

    if (word->asked_until_msec <= round->now_msec)
        return;
    if (word->asked_bytes > demand->want_bytes) {
        demand->want_bytes = word->asked_bytes;
        demand->mem_why = LP_WHY_ASKED;
    }
    demand->need_bytes = most(demand->need_bytes, word->asked_bytes);
}

/* What is in use, with headroom, and not below what was too little not long ago. */
static uint64_t
with_room(const LpRound *round, size_t index)
{
    const LpTuning *tuning = lp_partition_tuning(&round->partitions[index]);
    const LpDemandState *state = &round->states[index].demand;
    uint64_t used = round->decisions[index].demand.used_bytes;
    uint64_t room = lp_part_down(used, tuning->mem_headroom, 10000);
    uint64_t sum = lp_sat_add(used, most(room, tuning->mem_room_bytes));

    return state->mem_floor_until_msec > round->now_msec ? most(sum, state->mem_floor_bytes)
                                                         : sum;
}

static void
read_wants(LpRound *round, LpItem *item, size_t index)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    const LpDemand *demand = &round->decisions[index].demand;

    item->min = partition->mem_min_bytes;
    item->max = least(partition->mem_max_bytes, LP_MEM_MAX_BYTES);
    item->entitled = least(most(partition->entitled_bytes, item->min), item->max);
    item->known = demand->mem_known || LP_PLANTED(STALE_IS_IDLE);
    /* Nothing known: what it has stays, unless its minimum is more. */
    item->floor = item->known ? item->min : most(item->granted, item->min);
    item->need = least(demand->need_bytes, item->max);
    item->want = most(least(most(demand->want_bytes, demand->need_bytes), item->max), item->floor);
    item->ceiling = item->max;
    item->suffers = demand->mem_known && (item->need > item->granted || demand->mem_pressed);
    item->first_want = most(most(item->need, least(item->want, item->entitled)), item->floor);
    if (item->first_want > item->want)
        item->first_want = item->want;
    item->next_want = least(most(with_room(round, index), item->first_want), item->want);
    item->target = item->want;
}

static LpPart
read_part(LpRound *round, LpItem *item, size_t index, LpMode mode)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    uint64_t block = partition->block_bytes != 0 ? partition->block_bytes : LP_MEM_BLOCK_BYTES;

    if (!read_extents(round, item, index) || partition->mem_min_bytes > partition->mem_max_bytes ||
        partition->mem_min_bytes > LP_MEM_MAX_BYTES || partition->granted_bytes == 0 ||
        partition->granted_bytes > LP_MEM_MAX_BYTES || block > LP_MEM_MAX_BYTES)
        return LP_PART_NONE;
    item->quantum = block * item->n_cells;
    read_wants(round, item, index);
    if (item->known)
        lp_trend_note(&round->states[index], round->decisions[index].demand.used_bytes,
                      round->now_msec);
    if (mode == LP_MODE_OFF)
        return LP_PART_OFF;
    if (partition->fixed)
        return LP_PART_FIXED;
    return mode == round->mode ? LP_PART_IN : LP_PART_ADVISE;
}

static LpPart
read_cpu(const LpPolicyPartition *partition, LpMode mode)
{
    if (partition->granted_cpus == 0 || partition->cpu_min > partition->cpu_max ||
        partition->cpu_max == 0)
        return LP_PART_NONE;
    if (mode == LP_MODE_OFF)
        return LP_PART_OFF;
    return partition->fixed ? LP_PART_FIXED : mode == LP_MODE_AUTO ? LP_PART_IN : LP_PART_ADVISE;
}

/* Sums of what lies on each node. */
static void
count(LpRound *round, const LpItem *item)
{
    for (uint32_t e = item->first; e < item->first + item->n_extents; e++) {
        const LpExtent *extent = &round->room->extents[e];
        uint32_t j = extent->node;

        if (item->part == LP_PART_IN) {
            round->wanted[j] = lp_sat_add(round->wanted[j], lp_part_up(item->want, extent->cells,
                                                                       item->n_cells));
            round->shared[j] = lp_sat_add(round->shared[j], lp_part_up(item->granted,
                                                                       extent->cells,
                                                                       item->n_cells));
            continue;
        }
        round->held[j] = lp_sat_add(round->held[j], lp_part_up(item->settled, extent->cells,
                                                               item->n_cells));
        if (item->settled < item->granted)
            round->coming[j] = lp_sat_add(round->coming[j],
                lp_part_down(item->granted - item->settled, extent->cells, item->n_cells));
    }
}

static void
read_one(LpRound *round, size_t index)
{
    const LpPolicyPartition *partition = &round->partitions[index];
    LpPolicyState *state = &round->states[index];
    LpDecision *decision = &round->decisions[index];
    LpItem *item = &round->room->items[index];
    LpMode mode = effective_mode(round, partition->mode);

    memset(item, 0, sizeof(*item));
    memset(decision, 0, sizeof(*decision));
    item->key = partition->key;
    item->weight = partition->weight;
    item->priority = partition->priority;
    item->quantum = 1;
    item->granted = item->settled = item->size = item->target = partition->granted_bytes;
    if (seen_before(round, index)) {
        item->part = item->cpu = LP_PART_NONE;
        decision->rival = partition->key;
        return;
    }
    if (state->key != partition->key) {
        memset(state, 0, sizeof(*state));
        state->key = partition->key;
    }
    lp_calm_tick(state, partition, round->now_msec);
    lp_demand_update(&state->demand, lp_partition_tuning(partition), &partition->seen,
                     partition->granted_bytes, partition->granted_centi, round->now_msec,
                     &decision->demand);
    hear(round, index, &decision->demand);
    item->acts = mode == LP_MODE_AUTO;
    item->settled = least(lp_calm_settled(state, partition), LP_MEM_MAX_BYTES);
    if (item->settled != partition->granted_bytes && item->acts)
        round->moving++;
    item->part = read_part(round, item, index, mode);
    item->cpu = read_cpu(partition, mode);
    count(round, item);
}

void
lp_round_read(LpRound *round)
{
    LpMode mode = round->host->mode;

    round->mode = (unsigned)mode <= LP_MODE_AUTO ? mode : LP_MODE_OFF;
    if (round->n > 0)
        memset(round->room->slots, 0, round->room->slots_room * sizeof(*round->room->slots));
    read_nodes(round);
    for (size_t i = 0; i < round->n; i++)
        read_one(round, i);
}
