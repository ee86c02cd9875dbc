/* What is recorded of each thing: the one list that writing, reading and comparing go by.
 *
 * A field that is not listed is lost.  Whoever adds one to a header lists it here, counts
 * LP_RECORD_VERSION up, and tells test_record.c the new size. */
#include "policy/record-priv.h"

#include <string.h>

#define FIELD(type, member, kind, limit) { #member, offsetof(type, member), kind, limit }
#define N_FIELDS(fields) (sizeof(fields) / sizeof((fields)[0]))
#define SHAPE(fields, mask_bytes, type) { fields, N_FIELDS(fields), mask_bytes, sizeof(type) }

_Static_assert(sizeof(LpMode) == 4 && sizeof(LpWhy) == 4, "an enum is read as 32 bits");

#define HOST(member, kind, limit) FIELD(LpPolicyHost, member, kind, limit)
static const LpField host_fields[] = {
    HOST(now_msec, LP_FIELD_U64, 0),
    HOST(mode, LP_FIELD_ENUM, LP_MODES),
    HOST(burst, LP_FIELD_BOOL, 0),
    HOST(n_nodes, LP_FIELD_COUNT, LP_POLICY_NODES),
    HOST(capacity_centi, LP_FIELD_U32, 0),
    HOST(reserve_centi, LP_FIELD_U32, 0),
    HOST(n_pools, LP_FIELD_COUNT, LP_POLICY_POOLS),
    HOST(moving_max, LP_FIELD_U32, 0),
    HOST(idle_tax, LP_FIELD_U32, 0),
};
const LpShape lp_shape_host = SHAPE(host_fields, 2, LpPolicyHost);

static const LpField node_fields[] = {
    FIELD(LpPolicyNode, capacity_bytes, LP_FIELD_U64, 0),
    FIELD(LpPolicyNode, reserve_bytes, LP_FIELD_U64, 0),
    FIELD(LpPolicyNode, free_bytes, LP_FIELD_U64, 0),
};
const LpShape lp_shape_node = SHAPE(node_fields, 1, LpPolicyNode);

static const LpField pool_fields[] = {
    FIELD(LpPolicyPool, max_centi, LP_FIELD_U32, 0),
    FIELD(LpPolicyPool, reserved_centi, LP_FIELD_U32, 0),
};
const LpShape lp_shape_pool = SHAPE(pool_fields, 1, LpPolicyPool);

#define PARTITION(member, kind, limit) FIELD(LpPolicyPartition, member, kind, limit)
static const LpField partition_fields[] = {
    PARTITION(key, LP_FIELD_U64, 0),
    PARTITION(mode, LP_FIELD_ENUM, LP_MODES),
    PARTITION(goal, LP_FIELD_ENUM, LP_GOALS),
    PARTITION(priority, LP_FIELD_U32, 0),
    PARTITION(weight, LP_FIELD_U32, 0),
    PARTITION(release_sec, LP_FIELD_U32, 0),
    PARTITION(cpu_min, LP_FIELD_U32, 0),
    PARTITION(cpu_max, LP_FIELD_U32, 0),
    PARTITION(mem_min_bytes, LP_FIELD_U64, 0),
    PARTITION(mem_max_bytes, LP_FIELD_U64, 0),
    PARTITION(scheduled, LP_FIELD_BOOL, 0),
    PARTITION(entitled_bytes, LP_FIELD_U64, 0),
    PARTITION(entitled_centi, LP_FIELD_U32, 0),
    PARTITION(capped, LP_FIELD_BOOL, 0),
    PARTITION(pool, LP_FIELD_U32, 0),
    PARTITION(block_bytes, LP_FIELD_U64, 0),
    PARTITION(n_cells, LP_FIELD_CELLS, LP_POLICY_CELLS),
    PARTITION(fixed, LP_FIELD_BOOL, 0),
    PARTITION(granted_bytes, LP_FIELD_U64, 0),
    PARTITION(granted_cpus, LP_FIELD_U32, 0),
    PARTITION(granted_centi, LP_FIELD_U32, 0),
    PARTITION(seen.mem_by, LP_FIELD_ENUM, LP_SEEN_AGENT + 1),
    PARTITION(seen.has_cpu, LP_FIELD_BOOL, 0),
    PARTITION(seen.has_psi, LP_FIELD_BOOL, 0),
    PARTITION(seen.mem_age_msec, LP_FIELD_MEM_AGE, 0),
    PARTITION(seen.cpu_age_msec, LP_FIELD_CPU_AGE, 0),
    PARTITION(seen.total_bytes, LP_FIELD_U64, 0),
    PARTITION(seen.available_bytes, LP_FIELD_U64, 0),
    PARTITION(seen.working_set_bytes, LP_FIELD_U64, 0),
    PARTITION(seen.swap_used_bytes, LP_FIELD_U64, 0),
    PARTITION(seen.refaults, LP_FIELD_U64, 0),
    PARTITION(seen.oom_kills, LP_FIELD_U64, 0),
    PARTITION(seen.psi_some_centi, LP_FIELD_U32, 0),
    PARTITION(seen.psi_full_centi, LP_FIELD_U32, 0),
    PARTITION(seen.cpu_used_centi, LP_FIELD_U32, 0),
    PARTITION(seen.cpu_running, LP_FIELD_U32, 0),
    PARTITION(seen.cpu_psi_centi, LP_FIELD_U32, 0),
    PARTITION(seen.cpu_steal_centi, LP_FIELD_U32, 0),
    PARTITION(word.asked_bytes, LP_FIELD_U64, 0),
    PARTITION(word.asked_cpus, LP_FIELD_U32, 0),
    PARTITION(word.asked_until_msec, LP_FIELD_U64, 0),
    PARTITION(word.vetoed_until_msec, LP_FIELD_U64, 0),
    PARTITION(failed, LP_FIELD_BOOL, 0),
};
const LpShape lp_shape_partition = SHAPE(partition_fields, 8, LpPolicyPartition);

#define STATE(member, kind, limit) FIELD(LpPolicyState, member, kind, limit)
#define PEAKS(member, kind) STATE(member[0], kind, 0), STATE(member[1], kind, 0), \
    STATE(member[2], kind, 0), STATE(member[3], kind, 0), STATE(member[4], kind, 0), \
    STATE(member[5], kind, 0), STATE(member[6], kind, 0), STATE(member[7], kind, 0)
_Static_assert(LP_PEAKS == 8, "PEAKS lists them");
/* The weights of the histograms are written apart. */
static const LpField demand_fields[] = {
    STATE(demand.tick_msec, LP_FIELD_U64, 0),
    PEAKS(demand.mem_peaks, LP_FIELD_U64),
    PEAKS(demand.cpu_peaks, LP_FIELD_U32),
    STATE(demand.slice_msec, LP_FIELD_U64, 0),
    STATE(demand.sample_msec, LP_FIELD_U64, 0),
    STATE(demand.mem_sample_peak, LP_FIELD_U64, 0),
    STATE(demand.mem_long_bytes, LP_FIELD_U64, 0),
    STATE(demand.cpu_sample_peak, LP_FIELD_U32, 0),
    STATE(demand.cpu_long_centi, LP_FIELD_U32, 0),
    STATE(demand.cpu_smooth_eighths, LP_FIELD_U32, 0),
    STATE(demand.psi_centi, LP_FIELD_U32, 0),
    STATE(demand.psi_fell_msec, LP_FIELD_U64, 0),
    STATE(demand.refaults, LP_FIELD_U64, 0),
    STATE(demand.oom_kills, LP_FIELD_U64, 0),
    STATE(demand.swap_used_bytes, LP_FIELD_U64, 0),
    STATE(demand.mem_seen_msec, LP_FIELD_U64, 0),
    STATE(demand.granted_bytes, LP_FIELD_U64, 0),
    STATE(demand.mem_changed_msec, LP_FIELD_U64, 0),
    STATE(demand.mem_pressed_msec, LP_FIELD_U64, 0),
    STATE(demand.cpu_pressed_msec, LP_FIELD_U64, 0),
    STATE(demand.mem_pressed_bytes, LP_FIELD_U64, 0),
    STATE(demand.mem_asked_bytes, LP_FIELD_U64, 0),
    STATE(demand.mem_floor_bytes, LP_FIELD_U64, 0),
    STATE(demand.mem_floor_until_msec, LP_FIELD_U64, 0),
    STATE(demand.pressed_ticks, LP_FIELD_U32, 0),
    STATE(demand.pressed_why, LP_FIELD_U8, 0),
    STATE(demand.floor_why, LP_FIELD_U8, 0),
    STATE(demand.mem_shrunk, LP_FIELD_BOOL, 0),
    STATE(demand.counted, LP_FIELD_BOOL, 0),
    STATE(demand.seen, LP_FIELD_BOOL, 0),
    STATE(demand.mem_used.total, LP_FIELD_U32, 0),
    STATE(demand.mem_used.halved_msec, LP_FIELD_U64, 0),
    STATE(demand.cpu_used.total, LP_FIELD_U32, 0),
    STATE(demand.cpu_used.halved_msec, LP_FIELD_U64, 0),
};
const LpShape lp_shape_demand = SHAPE(demand_fields, 8, LpPolicyState);

static const LpField state_fields[] = {
    STATE(key, LP_FIELD_U64, 0),
    STATE(up_msec, LP_FIELD_U64, 0),
    STATE(down_msec, LP_FIELD_U64, 0),
    STATE(claimed_msec, LP_FIELD_U64, 0),
    STATE(surplus_msec, LP_FIELD_U64, 0),
    STATE(quiet_until_msec, LP_FIELD_U64, 0),
    STATE(up_quiet_until_msec, LP_FIELD_U64, 0),
    STATE(failures, LP_FIELD_U32, 0),
    STATE(up_failures, LP_FIELD_U32, 0),
    STATE(early_msec[0], LP_FIELD_U64, 0),
    STATE(early_msec[1], LP_FIELD_U64, 0),
    STATE(early_msec[2], LP_FIELD_U64, 0),
    STATE(early_msec[3], LP_FIELD_U64, 0),
    STATE(seen_bytes, LP_FIELD_U64, 0),
    STATE(ordered_bytes, LP_FIELD_U64, 0),
    STATE(ordered_msec, LP_FIELD_U64, 0),
    STATE(tick_msec, LP_FIELD_U64, 0),
    STATE(trend_bytes[0], LP_FIELD_U64, 0),
    STATE(trend_bytes[1], LP_FIELD_U64, 0),
    STATE(trend_msec[0], LP_FIELD_U64, 0),
    STATE(trend_msec[1], LP_FIELD_U64, 0),
    STATE(cpu_up_msec, LP_FIELD_U64, 0),
    STATE(cpu_down_msec, LP_FIELD_U64, 0),
    STATE(cpu_surplus_msec, LP_FIELD_U64, 0),
    STATE(cpu_share, LP_FIELD_U32, 0),
};
const LpShape lp_shape_state = SHAPE(state_fields, 8, LpPolicyState);

#define DECISION(member, kind, limit) FIELD(LpDecision, member, kind, limit)
static const LpField decision_fields[] = {
    DECISION(demand.need_bytes, LP_FIELD_U64, 0),
    DECISION(demand.want_bytes, LP_FIELD_U64, 0),
    DECISION(demand.mem_why, LP_FIELD_ENUM, LP_WHY_S),
    DECISION(demand.mem_pressed, LP_FIELD_BOOL, 0),
    DECISION(demand.mem_known, LP_FIELD_BOOL, 0),
    DECISION(demand.used_bytes, LP_FIELD_U64, 0),
    DECISION(demand.need_centi, LP_FIELD_U32, 0),
    DECISION(demand.want_centi, LP_FIELD_U32, 0),
    DECISION(demand.cpu_why, LP_FIELD_ENUM, LP_WHY_S),
    DECISION(demand.cpu_pressed, LP_FIELD_BOOL, 0),
    DECISION(demand.cpu_known, LP_FIELD_BOOL, 0),
    DECISION(mem_target_bytes, LP_FIELD_U64, 0),
    DECISION(mem_bytes, LP_FIELD_U64, 0),
    DECISION(mem_act, LP_FIELD_ENUM, LP_ACT_WAIT + 1),
    DECISION(mem_bound, LP_FIELD_ENUM, LP_BOUNDS),
    DECISION(mem_take, LP_FIELD_ENUM, LP_TAKE_SHORTAGE + 1),
    DECISION(rival, LP_FIELD_U64, 0),
    DECISION(mem_next_msec, LP_FIELD_U64, 0),
    DECISION(cpu_target_centi, LP_FIELD_U32, 0),
    DECISION(cpu_centi, LP_FIELD_U32, 0),
    DECISION(cpu_share, LP_FIELD_U32, 0),
    DECISION(cpus, LP_FIELD_U32, 0),
    DECISION(cpu_act, LP_FIELD_ENUM, LP_ACT_WAIT + 1),
    DECISION(cpu_bound, LP_FIELD_ENUM, LP_BOUNDS),
    DECISION(cpu_next_msec, LP_FIELD_U64, 0),
};
const LpShape lp_shape_decision = SHAPE(decision_fields, 4, LpDecision);

_Static_assert(N_FIELDS(host_fields) <= 16 && N_FIELDS(partition_fields) <= 64 &&
               N_FIELDS(demand_fields) <= 64 && N_FIELDS(state_fields) <= 64 &&
               N_FIELDS(decision_fields) <= 32,
               "the masks have room");

uint64_t
lp_field_get(const LpField *field, const void *thing)
{
    const char *at = (const char *)thing + field->offset;
    uint64_t wide;
    uint32_t word;
    uint8_t byte;
    bool flag;

    switch (field->kind) {
    case LP_FIELD_BOOL:
        memcpy(&flag, at, sizeof(flag));
        return flag;
    case LP_FIELD_U8:
        memcpy(&byte, at, sizeof(byte));
        return byte;
    case LP_FIELD_ENUM:
    case LP_FIELD_U32:
        memcpy(&word, at, sizeof(word));
        return word;
    case LP_FIELD_COUNT:
    case LP_FIELD_CELLS:
        memcpy(&word, at, sizeof(word));
        return word > field->limit ? field->limit : word;
    case LP_FIELD_U64:
    case LP_FIELD_MEM_AGE:
    case LP_FIELD_CPU_AGE:
        break;
    }
    memcpy(&wide, at, sizeof(wide));
    return wide;
}

void
lp_field_set(const LpField *field, void *thing, uint64_t value)
{
    char *at = (char *)thing + field->offset;
    uint32_t word = (uint32_t)value;
    uint8_t byte = (uint8_t)value;
    bool flag = value != 0;

    switch (field->kind) {
    case LP_FIELD_BOOL:
        memcpy(at, &flag, sizeof(flag));
        return;
    case LP_FIELD_U8:
        memcpy(at, &byte, sizeof(byte));
        return;
    case LP_FIELD_ENUM:
    case LP_FIELD_U32:
    case LP_FIELD_COUNT:
    case LP_FIELD_CELLS:
        memcpy(at, &word, sizeof(word));
        return;
    case LP_FIELD_U64:
    case LP_FIELD_MEM_AGE:
    case LP_FIELD_CPU_AGE:
        break;
    }
    memcpy(at, &value, sizeof(value));
}

bool
lp_field_equal(const LpField *field, const void *a, const void *b)
{
    uint64_t value = lp_field_get(field, a);

    if (value != lp_field_get(field, b))
        return false;
    if (field->kind != LP_FIELD_CELLS)
        return true;
    return memcmp(((const LpPolicyPartition *)a)->cell_node,
                  ((const LpPolicyPartition *)b)->cell_node, value) == 0;
}

void
lp_partition_later(LpPolicyPartition *before, int64_t passed_msec)
{
    LpSignals *seen = &before->seen;

    /* Clocks may jump: unsigned, so that any sum is defined and the same everywhere. */
    if (seen->mem_by != LP_SEEN_NOTHING)
        seen->mem_age_msec = (int64_t)((uint64_t)seen->mem_age_msec + (uint64_t)passed_msec);
    if (seen->has_cpu)
        seen->cpu_age_msec = (int64_t)((uint64_t)seen->cpu_age_msec + (uint64_t)passed_msec);
}

static bool
differs(const LpShape *shape, const void *a, const void *b, size_t *at, LpRecordDifference *ret)
{
    for (; *at < shape->n_fields; (*at)++) {
        const LpField *field = &shape->fields[*at];

        if (lp_field_equal(field, a, b))
            continue;
        ret->field = field->name;
        ret->a = lp_field_get(field, a);
        ret->b = lp_field_get(field, b);
        (*at)++;
        return true;
    }
    return false;
}

bool
lp_record_decision_differs(const LpDecision *a, const LpDecision *b, size_t *at,
                           LpRecordDifference *ret)
{
    return differs(&lp_shape_decision, a, b, at, ret);
}

/* Of a state: its own fields, its demand's, the weights of mem_used, those of cpu_used. */
bool
lp_record_state_differs(const LpPolicyState *a, const LpPolicyState *b, size_t *at,
                        LpRecordDifference *ret)
{
    const size_t own = lp_shape_state.n_fields, listed = own + lp_shape_demand.n_fields;
    size_t in_demand = *at > own ? *at - own : 0;
    bool found;

    if (differs(&lp_shape_state, a, b, at, ret))
        return true;
    if (*at < listed) {
        found = differs(&lp_shape_demand, a, b, &in_demand, ret);
        *at = own + in_demand;
        if (found)
            return true;
    }
    for (; *at < listed + 2 * LP_HISTOGRAM_BUCKETS; (*at)++) {
        bool cpu = *at - listed >= LP_HISTOGRAM_BUCKETS;
        size_t i = (*at - listed) % LP_HISTOGRAM_BUCKETS;

        ret->a = (cpu ? &a->demand.cpu_used : &a->demand.mem_used)->weights[i];
        ret->b = (cpu ? &b->demand.cpu_used : &b->demand.mem_used)->weights[i];
        ret->field = cpu ? "demand.cpu_used.weights" : "demand.mem_used.weights";
        if (ret->a == ret->b)
            continue;
        (*at)++;
        return true;
    }
    return false;
}

/* Half a byte at a time: a table that can be read, and fast enough for a record a second. */
uint32_t
lp_record_crc(const uint8_t *bytes, size_t length)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
        0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
        0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}
