/* Writing: see record.h for the form and record-fields.c for what is in it. */
#include "policy/record-priv.h"

#include <stdlib.h>
#include <string.h>

struct LpRecorder {
    uint8_t *bytes;
    size_t length, room;
    bool failed;           /* out of memory in this record */
    bool known;            /* what follows is the last tick, as a reader has it */
    bool begun, snapshot;
    LpPolicyHost host;
    LpPolicyPartition *partitions;
    LpDecision *decisions;
    size_t n, n_room;
};

LpRecorder *
lp_recorder_new(void)
{
    return calloc(1, sizeof(LpRecorder));
}

void
lp_recorder_free(LpRecorder *recorder)
{
    if (recorder == NULL)
        return;
    free(recorder->bytes);
    free(recorder->partitions);
    free(recorder->decisions);
    free(recorder);
}

/* Room for so many more bytes; NULL, and the record has failed. */
static uint8_t *
extend(LpRecorder *recorder, size_t more)
{
    uint8_t *at;

    if (recorder->failed)
        return NULL;
    if (more > recorder->room - recorder->length) {
        size_t room = recorder->room + recorder->room / 2 + more + 4096;
        uint8_t *bytes = realloc(recorder->bytes, room);

        if (bytes == NULL) {
            recorder->failed = true;
            return NULL;
        }
        recorder->bytes = bytes;
        recorder->room = room;
    }
    at = recorder->bytes + recorder->length;
    recorder->length += more;
    return at;
}

static void
put_at(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void
put(LpRecorder *recorder, uint64_t value, size_t bytes)
{
    uint8_t *at = extend(recorder, bytes);

    if (at != NULL)
        put_at(at, value, bytes);
}

static void
put_raw(LpRecorder *recorder, const void *raw, size_t length)
{
    uint8_t *at = extend(recorder, length);

    if (at != NULL && length > 0)
        memcpy(at, raw, length);
}

static void
put_field(LpRecorder *recorder, const LpField *field, const void *thing)
{
    uint64_t value = lp_field_get(field, thing);

    switch (field->kind) {
    case LP_FIELD_BOOL:
    case LP_FIELD_ENUM:
    case LP_FIELD_COUNT:
    case LP_FIELD_U8:
        put(recorder, value, 1);
        return;
    case LP_FIELD_U32:
        put(recorder, value, 4);
        return;
    case LP_FIELD_U64:
    case LP_FIELD_MEM_AGE:
    case LP_FIELD_CPU_AGE:
        put(recorder, value, 8);
        return;
    case LP_FIELD_CELLS:
        put(recorder, value, 1);
        put_raw(recorder, ((const LpPolicyPartition *)thing)->cell_node, value);
        return;
    }
}

static uint64_t
changed(const LpShape *shape, const void *before, const void *now)
{
    uint64_t mask = 0;

    for (uint32_t i = 0; i < shape->n_fields; i++)
        if (!lp_field_equal(&shape->fields[i], before, now))
            mask |= UINT64_C(1) << i;
    return mask;
}

static void
put_thing(LpRecorder *recorder, const LpShape *shape, uint64_t mask, const void *now)
{
    put(recorder, mask, shape->mask_bytes);
    for (uint32_t i = 0; i < shape->n_fields; i++)
        if (mask >> i & 1)
            put_field(recorder, &shape->fields[i], now);
}

/* Those of n things that differ: how many, and each with its index. */
static void
put_list(LpRecorder *recorder, const LpShape *shape, const void *before, const void *now, size_t n)
{
    size_t at = recorder->length;
    uint32_t count = 0;

    put(recorder, 0, 4);
    for (size_t i = 0; i < n; i++) {
        const char *thing = (const char *)now + i * shape->size;
        const char *past = (const char *)before + i * shape->size;
        uint64_t mask;

        /* Most are the same to the last byte; padding may differ, fields then tell. */
        if (memcmp(past, thing, shape->size) == 0)
            continue;
        mask = changed(shape, past, thing);
        if (mask == 0)
            continue;
        put(recorder, i, 4);
        put_thing(recorder, shape, mask, thing);
        count++;
    }
    if (!recorder->failed)
        put_at(recorder->bytes + at, count, 4);
}

/* Most buckets are empty: those that are not, with their index. */
static void
put_weights(LpRecorder *recorder, const LpHistogram *histogram)
{
    size_t at = recorder->length;
    uint8_t count = 0;

    _Static_assert(LP_HISTOGRAM_BUCKETS < 256, "a bucket's index is a byte");
    put(recorder, 0, 1);
    for (size_t i = 0; i < LP_HISTOGRAM_BUCKETS; i++) {
        if (histogram->weights[i] == 0)
            continue;
        put(recorder, i, 1);
        put(recorder, histogram->weights[i], 2);
        count++;
    }
    if (!recorder->failed)
        recorder->bytes[at] = count;
}

static void
put_name(LpRecorder *recorder, const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;

    if (length > LP_RECORD_NAME_MAX)
        length = LP_RECORD_NAME_MAX;
    put(recorder, length, 1);
    put_raw(recorder, name, length);
}

static void
put_beginning(LpRecorder *recorder, const LpPolicyState *states, const char *const *names, size_t n)
{
    static const LpPolicyState empty;

    put(recorder, n, 4);
    for (size_t i = 0; i < n; i++) {
        put_name(recorder, names != NULL ? names[i] : NULL);
        put_thing(recorder, &lp_shape_state, changed(&lp_shape_state, &empty, &states[i]),
                  &states[i]);
        put_thing(recorder, &lp_shape_demand, changed(&lp_shape_demand, &empty, &states[i]),
                  &states[i]);
        put_weights(recorder, &states[i].demand.mem_used);
        put_weights(recorder, &states[i].demand.cpu_used);
    }
}

static uint32_t
at_most(uint32_t n, uint32_t limit)
{
    return n < limit ? n : limit;
}

/* Also takes it as the last one, without what lies behind its counts: a reader has zeros there. */
static void
put_host(LpRecorder *recorder, const LpPolicyHost *host)
{
    LpPolicyHost *before = &recorder->host;
    uint32_t n_nodes = at_most(host->n_nodes, LP_POLICY_NODES);
    uint32_t n_pools = at_most(host->n_pools, LP_POLICY_POOLS);

    put_thing(recorder, &lp_shape_host, changed(&lp_shape_host, before, host), host);
    put_list(recorder, &lp_shape_node, before->nodes, host->nodes, n_nodes);
    put_list(recorder, &lp_shape_pool, before->pools, host->pools, n_pools);
    *before = *host;
    memset(before->nodes + n_nodes, 0, (LP_POLICY_NODES - n_nodes) * sizeof(LpPolicyNode));
    memset(before->pools + n_pools, 0, (LP_POLICY_POOLS - n_pools) * sizeof(LpPolicyPool));
}

static bool
make_room(LpRecorder *recorder, size_t n)
{
    LpPolicyPartition *partitions;
    LpDecision *decisions;

    if (n <= recorder->n_room)
        return true;
    partitions = realloc(recorder->partitions, n * sizeof(*partitions));
    if (partitions == NULL)
        return false;
    recorder->partitions = partitions;
    decisions = realloc(recorder->decisions, n * sizeof(*decisions));
    if (decisions == NULL)
        return false;
    recorder->decisions = decisions;
    recorder->n_room = n;
    return true;
}

static bool
same_set(const LpRecorder *recorder, const LpPolicyPartition *partitions, size_t n)
{
    if (n != recorder->n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (recorder->partitions[i].key != partitions[i].key)
            return false;
    return true;
}

bool
lp_recorder_begin(LpRecorder *recorder, bool snapshot, const LpPolicyHost *host,
                  const LpPolicyPartition *partitions, const LpPolicyState *states,
                  const char *const *names, size_t n)
{
    int64_t passed;

    snapshot = snapshot || !recorder->known || !same_set(recorder, partitions, n);
    recorder->known = recorder->begun = false;
    recorder->failed = false;
    recorder->length = 0;
    if (n > LP_RECORD_PARTITIONS_MAX || !make_room(recorder, n))
        return false;
    if (snapshot) {
        memset(&recorder->host, 0, sizeof(recorder->host));
        if (n > 0) {
            memset(recorder->partitions, 0, n * sizeof(*partitions));
            memset(recorder->decisions, 0, n * sizeof(*recorder->decisions));
        }
        recorder->n = n;
    }
    put(recorder, 0, LP_RECORD_HEADER / 2);
    put(recorder, 0, LP_RECORD_HEADER / 2);
    if (snapshot)
        put_beginning(recorder, states, names, n);
    passed = (int64_t)((uint64_t)host->now_msec - (uint64_t)recorder->host.now_msec);
    put_host(recorder, host);
    for (size_t i = 0; i < n; i++)
        lp_partition_later(&recorder->partitions[i], passed);
    put_list(recorder, &lp_shape_partition, recorder->partitions, partitions, n);
    if (n > 0)
        memcpy(recorder->partitions, partitions, n * sizeof(*partitions));
    recorder->snapshot = snapshot;
    recorder->begun = !recorder->failed;
    return recorder->begun;
}

const uint8_t *
lp_recorder_end(LpRecorder *recorder, const LpDecision *decisions, size_t *ret_length)
{
    uint8_t *header;

    *ret_length = 0;
    if (!recorder->begun)
        return NULL;
    recorder->begun = false;
    put_list(recorder, &lp_shape_decision, recorder->decisions, decisions, recorder->n);
    if (recorder->failed || recorder->length - LP_RECORD_HEADER > UINT32_MAX)
        return NULL;
    if (recorder->n > 0)
        memcpy(recorder->decisions, decisions, recorder->n * sizeof(*decisions));
    header = recorder->bytes;
    header[0] = LP_RECORD_MAGIC_0;
    header[1] = LP_RECORD_MAGIC_1;
    header[2] = LP_RECORD_VERSION;
    header[3] = recorder->snapshot ? LP_RECORD_SNAPSHOT : LP_RECORD_TICK;
    put_at(header + 4, recorder->length - LP_RECORD_HEADER, 4);
    put_at(header + 8, lp_record_crc(header + LP_RECORD_HEADER,
                                     recorder->length - LP_RECORD_HEADER), 4);
    put_at(header + 12, lp_record_crc(header, 12), 4);
    recorder->known = true;
    *ret_length = recorder->length;
    return recorder->bytes;
}

const uint8_t *
lp_recorder_tick(LpRecorder *recorder, bool snapshot, const LpPolicyHost *host,
                 const LpPolicyPartition *partitions, const LpPolicyState *states,
                 const char *const *names, size_t n, const LpDecision *decisions,
                 size_t *ret_length)
{
    *ret_length = 0;
    if (!lp_recorder_begin(recorder, snapshot, host, partitions, states, names, n))
        return NULL;
    return lp_recorder_end(recorder, decisions, ret_length);
}
