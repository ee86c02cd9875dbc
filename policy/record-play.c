/* Reading: everything is checked before it is believed, counts before memory is taken for them. */
#include "policy/record-priv.h"

#include <stdlib.h>
#include <string.h>

/* Of a partition in a snapshot, at least: its name's length, its state's masks, two counts. */
#define LEAST_BYTES (1 + 8 + 8 + 2)

struct LpPlayer {
    const uint8_t *bytes;
    size_t length;
    size_t at;             /* the record that comes next, or that was the last */
    LpPlayVerdict verdict;
    bool begun;            /* a snapshot was read */
    LpPolicyHost host;
    LpPolicyPartition *partitions;
    LpPolicyState *states;
    LpDecision *decisions;
    const char **names;
    char *letters;         /* of all names */
    size_t n;
};

/* A body; `bad` stays once something did not fit. */
typedef struct {
    const uint8_t *at, *end;
    bool bad;
} Reader;

LpPlayer *
lp_player_new(const uint8_t *bytes, size_t length)
{
    LpPlayer *player = calloc(1, sizeof(*player));

    if (player == NULL)
        return NULL;
    player->bytes = bytes;
    player->length = length;
    player->verdict = LP_PLAY_TICK;
    return player;
}

static void
forget(LpPlayer *player)
{
    free(player->partitions);
    free(player->states);
    free(player->decisions);
    free(player->names);
    free(player->letters);
    player->partitions = NULL;
    player->states = NULL;
    player->decisions = NULL;
    player->names = NULL;
    player->letters = NULL;
    player->n = 0;
}

void
lp_player_free(LpPlayer *player)
{
    if (player == NULL)
        return;
    forget(player);
    free(player);
}

size_t
lp_player_offset(const LpPlayer *player)
{
    return player->at;
}

static uint64_t
get_at(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static const uint8_t *
take(Reader *reader, size_t length)
{
    const uint8_t *at = reader->at;

    if (reader->bad || length > (size_t)(reader->end - at)) {
        reader->bad = true;
        return NULL;
    }
    reader->at += length;
    return at;
}

static uint64_t
get(Reader *reader, size_t bytes)
{
    const uint8_t *at = take(reader, bytes);

    return at != NULL ? get_at(at, bytes) : 0;
}

/* A byte that is at most `most`. */
static uint64_t
get_small(Reader *reader, uint64_t most)
{
    uint64_t value = get(reader, 1);

    if (value <= most)
        return value;
    reader->bad = true;
    return 0;
}

static void
get_cells(Reader *reader, const LpField *field, LpPolicyPartition *partition)
{
    uint64_t n = get_small(reader, field->limit);
    const uint8_t *cells = take(reader, n);

    memset(partition->cell_node, 0, sizeof(partition->cell_node));
    if (cells != NULL)
        memcpy(partition->cell_node, cells, n);
    lp_field_set(field, partition, n);
}

static void
get_field(Reader *reader, const LpField *field, void *thing)
{
    switch (field->kind) {
    case LP_FIELD_BOOL:
        lp_field_set(field, thing, get_small(reader, 1));
        return;
    case LP_FIELD_ENUM:
        lp_field_set(field, thing, get_small(reader, field->limit - 1));
        return;
    case LP_FIELD_COUNT:
        lp_field_set(field, thing, get_small(reader, field->limit));
        return;
    case LP_FIELD_U8:
        lp_field_set(field, thing, get(reader, 1));
        return;
    case LP_FIELD_U32:
        lp_field_set(field, thing, get(reader, 4));
        return;
    case LP_FIELD_U64:
    case LP_FIELD_MEM_AGE:
    case LP_FIELD_CPU_AGE:
        lp_field_set(field, thing, get(reader, 8));
        return;
    case LP_FIELD_CELLS:
        get_cells(reader, field, thing);
        return;
    }
}

static void
get_thing(Reader *reader, const LpShape *shape, void *thing)
{
    uint64_t mask = get(reader, shape->mask_bytes);

    if (shape->n_fields < 64 && mask >> shape->n_fields != 0)
        reader->bad = true;
    for (uint32_t i = 0; i < shape->n_fields && !reader->bad; i++)
        if (mask >> i & 1)
            get_field(reader, &shape->fields[i], thing);
}

/* Indices rise, so each thing is told of once and no list is longer than the things. */
static void
get_list(Reader *reader, const LpShape *shape, void *things, size_t n)
{
    uint64_t count = get(reader, 4), least = 0;

    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        uint64_t index = get(reader, 4);

        if (index < least || index >= n) {
            reader->bad = true;
            return;
        }
        get_thing(reader, shape, (char *)things + index * shape->size);
        least = index + 1;
    }
}

static void
get_weights(Reader *reader, LpHistogram *histogram)
{
    uint64_t count = get(reader, 1), least = 0;

    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        uint64_t index = get(reader, 1);

        if (index < least || index >= LP_HISTOGRAM_BUCKETS) {
            reader->bad = true;
            return;
        }
        histogram->weights[index] = (uint16_t)get(reader, 2);
        least = index + 1;
    }
}

/* Copies the name behind `letters`; returns where the next may be. */
static char *
get_name(Reader *reader, char *letters, const char **ret_name)
{
    uint64_t length = get(reader, 1);
    const uint8_t *name = take(reader, length);

    if (name == NULL || length == 0)
        return letters;
    if (memchr(name, '\0', length) != NULL) {
        reader->bad = true;
        return letters;
    }
    memcpy(letters, name, length);
    letters[length] = '\0';
    *ret_name = letters;
    return letters + length + 1;
}

/* false: out of memory. */
static bool
get_beginning(LpPlayer *player, Reader *reader)
{
    uint64_t n = get(reader, 4);
    size_t left = (size_t)(reader->end - reader->at);
    char *letters;

    forget(player);
    memset(&player->host, 0, sizeof(player->host));
    if (reader->bad || n > LP_RECORD_PARTITIONS_MAX || n > left / LEAST_BYTES) {
        reader->bad = true;
        return true;
    }
    /* One more, since calloc(0) may be NULL. */
    player->partitions = calloc(n + 1, sizeof(*player->partitions));
    player->states = calloc(n + 1, sizeof(*player->states));
    player->decisions = calloc(n + 1, sizeof(*player->decisions));
    player->names = calloc(n + 1, sizeof(*player->names));
    /* A name takes one byte more here than there, and there it has one for its length. */
    player->letters = letters = malloc(left + 1);
    if (player->partitions == NULL || player->states == NULL || player->decisions == NULL ||
        player->names == NULL || letters == NULL)
        return false;
    player->n = n;
    for (size_t i = 0; i < n && !reader->bad; i++) {
        letters = get_name(reader, letters, &player->names[i]);
        get_thing(reader, &lp_shape_state, &player->states[i]);
        get_thing(reader, &lp_shape_demand, &player->states[i]);
        get_weights(reader, &player->states[i].demand.mem_used);
        get_weights(reader, &player->states[i].demand.cpu_used);
    }
    return true;
}

static void
get_host(Reader *reader, LpPolicyHost *host)
{
    get_thing(reader, &lp_shape_host, host);
    get_list(reader, &lp_shape_node, host->nodes, host->n_nodes);
    get_list(reader, &lp_shape_pool, host->pools, host->n_pools);
    memset(host->nodes + host->n_nodes, 0,
           (LP_POLICY_NODES - host->n_nodes) * sizeof(LpPolicyNode));
    memset(host->pools + host->n_pools, 0,
           (LP_POLICY_POOLS - host->n_pools) * sizeof(LpPolicyPool));
}

static LpPlayVerdict
read_body(LpPlayer *player, bool snapshot, Reader *reader)
{
    uint64_t before, passed;

    if (snapshot && !get_beginning(player, reader))
        return LP_PLAY_NO_MEMORY;
    if (!snapshot && !player->begun)
        return LP_PLAY_BAD;
    if (reader->bad)
        return LP_PLAY_BAD;
    before = (uint64_t)player->host.now_msec;
    get_host(reader, &player->host);
    passed = (uint64_t)player->host.now_msec - before;
    for (size_t i = 0; i < player->n; i++)
        lp_partition_later(&player->partitions[i], (int64_t)passed);
    get_list(reader, &lp_shape_partition, player->partitions, player->n);
    get_list(reader, &lp_shape_decision, player->decisions, player->n);
    if (reader->bad || reader->at != reader->end)
        return LP_PLAY_BAD;
    player->begun = true;
    return LP_PLAY_TICK;
}

/* Judges the header; on TICK the body is whole and as it was written. */
static LpPlayVerdict
read_header(const LpPlayer *player, Reader *ret_body, bool *ret_snapshot)
{
    const uint8_t *header;
    size_t left = player->length - player->at;
    uint64_t length;

    /* Before the pointer is made: of an empty stream it may be NULL. */
    if (left == 0)
        return LP_PLAY_END;
    header = player->bytes + player->at;
    /* Not such a stream at all, however short. */
    if (header[0] != LP_RECORD_MAGIC_0 || (left > 1 && header[1] != LP_RECORD_MAGIC_1))
        return LP_PLAY_BAD;
    if (left < LP_RECORD_HEADER)
        return LP_PLAY_CUT;
    if (get_at(header + 12, 4) != lp_record_crc(header, 12))
        return LP_PLAY_BAD;
    if (header[2] != LP_RECORD_VERSION)
        return LP_PLAY_VERSION;
    if (header[3] != LP_RECORD_SNAPSHOT && header[3] != LP_RECORD_TICK)
        return LP_PLAY_BAD;
    length = get_at(header + 4, 4);
    if (length > left - LP_RECORD_HEADER)
        return LP_PLAY_CUT;
    ret_body->at = header + LP_RECORD_HEADER;
    ret_body->end = ret_body->at + length;
    ret_body->bad = false;
    *ret_snapshot = header[3] == LP_RECORD_SNAPSHOT;
    if (get_at(header + 8, 4) != lp_record_crc(ret_body->at, length))
        return LP_PLAY_BAD;
    return LP_PLAY_TICK;
}

LpPlayVerdict
lp_player_next(LpPlayer *player, LpPlayTick *ret_tick)
{
    Reader body = { NULL, NULL, false };
    bool snapshot = false;
    const uint8_t *end;

    if (player->verdict != LP_PLAY_TICK)
        return player->verdict;
    player->verdict = read_header(player, &body, &snapshot);
    end = body.end;
    if (player->verdict == LP_PLAY_TICK)
        player->verdict = read_body(player, snapshot, &body);
    if (player->verdict != LP_PLAY_TICK)
        return player->verdict;
    player->at = (size_t)(end - player->bytes);
    ret_tick->host = &player->host;
    ret_tick->partitions = player->partitions;
    ret_tick->states = player->states;
    ret_tick->names = player->names;
    ret_tick->decisions = player->decisions;
    ret_tick->n = player->n;
    ret_tick->snapshot = snapshot;
    return LP_PLAY_TICK;
}
