/* Records: what comes out is what went in, to the last bit; what is cut or damaged is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/record-priv.h"
#include "tests/unit/record_random.h"

#if defined(__x86_64__) || defined(__aarch64__)
/* Who changes one of these lists its fields in record-fields.c and fills them in
 * record_random.c: a field that is forgotten would be lost in the history. */
_Static_assert(sizeof(LpPolicyHost) == 2096, "LpPolicyHost changed: list its fields");
_Static_assert(sizeof(LpPolicyPartition) == 320, "LpPolicyPartition changed: list its fields");
_Static_assert(sizeof(LpHistogram) == 208, "LpHistogram changed: list its fields");
_Static_assert(sizeof(LpPolicyState) == 880, "LpPolicyState changed: list its fields");
_Static_assert(sizeof(LpDecision) == 128, "LpDecision changed: list its fields");
#endif

#define PARTITIONS 6
#define TICKS 25

/* Everything of one tick. */
typedef struct {
    LpPolicyHost host;
    LpPolicyPartition partitions[PARTITIONS];
    LpPolicyState states[PARTITIONS];
    LpDecision decisions[PARTITIONS];
    const char *names[PARTITIONS];
    size_t n;
    bool snapshot;
} Tick;

typedef struct {
    uint8_t *bytes;
    size_t length;
    size_t ends[TICKS];        /* of each record */
    size_t n;
} Stream;

static const char *const some_names[] = { "web1", "", NULL, "db with spaces", "\xc3\xa4\"<&>" };

static void
append(Stream *stream, const uint8_t *bytes, size_t length)
{
    assert_non_null(bytes);
    stream->bytes = realloc(stream->bytes, stream->length + length);
    memcpy(stream->bytes + stream->length, bytes, length);
    stream->length += length;
    assert_true(stream->n < TICKS);
    stream->ends[stream->n++] = stream->length;
}

static void
random_set(Tick *tick)
{
    tick->n = record_random_below(PARTITIONS + 1);
    for (size_t i = 0; i < tick->n; i++) {
        record_random_partition(&tick->partitions[i]);
        tick->names[i] = some_names[record_random_below(5)];
    }
}

/* A tick after `tick`, in its place; `first`: the first of all. */
static void
random_tick(Tick *tick, bool first)
{
    int64_t passed = record_random_below(4) == 0 ? (int64_t)record_random() : 1000;

    tick->snapshot = first || record_random_below(8) == 0;
    if (first) {
        record_random_host(&tick->host);
        random_set(tick);
    } else {
        record_random_host_later(&tick->host, passed);
        for (size_t i = 0; i < tick->n; i++)
            record_random_partition_later(&tick->partitions[i], passed);
        if (record_random_below(10) == 0)
            random_set(tick);
    }
    for (size_t i = 0; i < tick->n; i++) {
        record_random_state(&tick->states[i]);
        if (first || record_random_below(3) == 0)
            record_random_decision(&tick->decisions[i]);
    }
}

static void
record(LpRecorder *recorder, const Tick *tick, Stream *stream)
{
    size_t length;
    const uint8_t *bytes = lp_recorder_tick(recorder, tick->snapshot, &tick->host,
                                            tick->partitions, tick->states, tick->names, tick->n,
                                            tick->decisions, &length);

    append(stream, bytes, length);
}

static void
assert_name(const char *was, const char *is)
{
    if (was == NULL || was[0] == '\0')
        assert_null(is);
    else
        assert_string_equal(is, was);
}

/* As bytes: padding is zero on both sides, and a field that were forgotten would be seen. */
static void
assert_same(const Tick *was, const LpPlayTick *is, bool same_set)
{
    assert_int_equal(is->n, was->n);
    assert_memory_equal(is->host, &was->host, sizeof(was->host));
    assert_true(was->snapshot ? is->snapshot : !is->snapshot || !same_set);
    for (size_t i = 0; i < was->n; i++) {
        assert_memory_equal(&is->partitions[i], &was->partitions[i], sizeof(was->partitions[i]));
        assert_memory_equal(&is->decisions[i], &was->decisions[i], sizeof(was->decisions[i]));
        if (is->snapshot) {
            assert_memory_equal(&is->states[i], &was->states[i], sizeof(was->states[i]));
            assert_name(was->names[i], is->names[i]);
        }
    }
}

static void
round_trip(void)
{
    static Tick ticks[TICKS];
    LpRecorder *recorder = lp_recorder_new();
    Stream stream = { NULL };
    LpPlayer *player;
    LpPlayTick played;

    memset(ticks, 0, sizeof(ticks));
    for (int i = 0; i < TICKS; i++) {
        if (i > 0)
            memcpy(&ticks[i], &ticks[i - 1], sizeof(ticks[i]));
        random_tick(&ticks[i], i == 0);
        record(recorder, &ticks[i], &stream);
    }
    player = lp_player_new(stream.bytes, stream.length);
    for (int i = 0; i < TICKS; i++) {
        bool same_set = i > 0 && ticks[i].n == ticks[i - 1].n;

        for (size_t k = 0; same_set && k < ticks[i].n; k++)
            same_set = ticks[i].partitions[k].key == ticks[i - 1].partitions[k].key;
        assert_int_equal(lp_player_next(player, &played), LP_PLAY_TICK);
        assert_same(&ticks[i], &played, same_set);
        assert_int_equal(lp_player_offset(player), stream.ends[i]);
    }
    assert_int_equal(lp_player_next(player, &played), LP_PLAY_END);
    assert_int_equal(lp_player_next(player, &played), LP_PLAY_END);
    lp_player_free(player);
    lp_recorder_free(recorder);
    free(stream.bytes);
}

static void
test_round_trip(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++)
        round_trip();
}

static void
make_stream(Stream *ret, int ticks)
{
    static Tick tick;
    LpRecorder *recorder = lp_recorder_new();

    memset(ret, 0, sizeof(*ret));
    memset(&tick, 0, sizeof(tick));
    for (int i = 0; i < ticks; i++) {
        random_tick(&tick, i == 0);
        record(recorder, &tick, ret);
    }
    lp_recorder_free(recorder);
}

/* Plays what is there, from memory of its own, so that a read past its end is seen. */
static LpPlayVerdict
play(const uint8_t *bytes, size_t length, size_t *ret_ticks)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    LpPlayer *player;
    LpPlayTick tick;
    LpPlayVerdict verdict;

    memcpy(exact, bytes, length);
    player = lp_player_new(exact, length);
    *ret_ticks = 0;
    while ((verdict = lp_player_next(player, &tick)) == LP_PLAY_TICK)
        (*ret_ticks)++;
    assert_int_equal(lp_player_next(player, &tick), verdict);
    lp_player_free(player);
    free(exact);
    return verdict;
}

static void
test_cut(void **state)
{
    Stream stream;

    (void)state;
    make_stream(&stream, 4);
    for (size_t length = 0; length <= stream.length; length++) {
        size_t ticks, whole = 0;
        bool between = length == 0;
        LpPlayVerdict verdict = play(stream.bytes, length, &ticks);

        for (size_t i = 0; i < stream.n; i++) {
            whole += stream.ends[i] <= length;
            between = between || stream.ends[i] == length;
        }
        assert_int_equal(ticks, whole);
        assert_int_equal(verdict, between ? LP_PLAY_END : LP_PLAY_CUT);
    }
    free(stream.bytes);
}

static void
test_flipped(void **state)
{
    Stream stream;

    (void)state;
    make_stream(&stream, 3);
    for (size_t at = 0; at < stream.length; at++) {
        size_t ticks, whole = 0;
        uint8_t bit = (uint8_t)(1u << record_random_below(8));

        for (size_t i = 0; i < stream.n; i++)
            whole += stream.ends[i] <= at;
        stream.bytes[at] ^= bit;
        assert_int_equal(play(stream.bytes, stream.length, &ticks), LP_PLAY_BAD);
        assert_int_equal(ticks, whole);
        stream.bytes[at] ^= bit;
    }
    free(stream.bytes);
}

static void
put4(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Sums of the first record that fit what is in it: damage beyond them. */
static void
seal(Stream *stream)
{
    uint8_t *header = stream->bytes;
    size_t length = stream->ends[0] - LP_RECORD_HEADER;

    put4(header + 8, lp_record_crc(header + LP_RECORD_HEADER, length));
    put4(header + 12, lp_record_crc(header, 12));
}

static void
test_version(void **state)
{
    Stream stream;
    size_t ticks;

    (void)state;
    make_stream(&stream, 1);
    stream.bytes[2] = LP_RECORD_VERSION + 1;
    seal(&stream);
    assert_int_equal(play(stream.bytes, stream.length, &ticks), LP_PLAY_VERSION);
    stream.bytes[2] = LP_RECORD_VERSION;
    stream.bytes[3] = 3;
    seal(&stream);
    assert_int_equal(play(stream.bytes, stream.length, &ticks), LP_PLAY_BAD);
    /* A stream that does not begin at its beginning. */
    stream.bytes[3] = LP_RECORD_TICK;
    seal(&stream);
    assert_int_equal(play(stream.bytes, stream.length, &ticks), LP_PLAY_BAD);
    assert_int_equal(play((const uint8_t *)"{\"json\":1}", 10, &ticks), LP_PLAY_BAD);
    assert_int_equal(play((const uint8_t *)"x", 1, &ticks), LP_PLAY_BAD);
    assert_int_equal(play((const uint8_t *)"", 0, &ticks), LP_PLAY_END);
    free(stream.bytes);
}

/* Bytes of harm behind sums that fit: any verdict but a read past the end, or gigabytes. */
static void
test_hostile(void **state)
{
    static const uint32_t counts[] = { UINT32_MAX, LP_RECORD_PARTITIONS_MAX + 1,
                                       LP_RECORD_PARTITIONS_MAX, 4096 };
    size_t ticks;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        Stream stream;
        uint32_t n = 1 + record_random_below(3);

        make_stream(&stream, 1);
        while (n-- > 0) {
            size_t at = LP_RECORD_HEADER +
                        record_random_below((uint32_t)(stream.length - LP_RECORD_HEADER));

            stream.bytes[at] = (uint8_t)record_random();
        }
        seal(&stream);
        play(stream.bytes, stream.length, &ticks);
        free(stream.bytes);
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        Stream stream;

        make_stream(&stream, 1);
        put4(stream.bytes + LP_RECORD_HEADER, counts[i]);
        seal(&stream);
        assert_int_equal(play(stream.bytes, stream.length, &ticks), LP_PLAY_BAD);
        free(stream.bytes);
    }
}

static size_t
length_of(LpRecorder *recorder, const Tick *tick)
{
    size_t length;

    assert_non_null(lp_recorder_tick(recorder, tick->snapshot, &tick->host, tick->partitions,
                                     tick->states, tick->names, tick->n, tick->decisions,
                                     &length));
    return length;
}

/* A quiet host costs next to nothing: the header, the clock, three empty lists and a fourth. */
static void
test_quiet(void **state)
{
    static Tick tick;
    LpRecorder *recorder = lp_recorder_new();
    size_t quiet = LP_RECORD_HEADER + 2 + 8 + 4 * 4;

    (void)state;
    memset(&tick, 0, sizeof(tick));
    record_random_host(&tick.host);
    tick.n = PARTITIONS;
    for (size_t i = 0; i < tick.n; i++) {
        record_random_partition(&tick.partitions[i]);
        tick.partitions[i].seen.mem_by = i % 2 ? LP_SEEN_AGENT : LP_SEEN_NOTHING;
        tick.partitions[i].seen.has_cpu = i % 3 == 0;
    }
    length_of(recorder, &tick);
    tick.host.now_msec = (int64_t)((uint64_t)tick.host.now_msec + 1234);
    for (size_t i = 0; i < tick.n; i++) {
        LpSignals *seen = &tick.partitions[i].seen;

        if (i % 2)
            seen->mem_age_msec = (int64_t)((uint64_t)seen->mem_age_msec + 1234);
        if (i % 3 == 0)
            seen->cpu_age_msec = (int64_t)((uint64_t)seen->cpu_age_msec + 1234);
    }
    assert_int_equal(length_of(recorder, &tick), quiet);
    /* One that changes costs itself alone; a clock that stands costs nothing. */
    tick.partitions[3].seen.swap_used_bytes ^= 1;
    tick.decisions[5].mem_bytes ^= 1;
    assert_int_equal(length_of(recorder, &tick), quiet - 8 + (4 + 8 + 8) + (4 + 4 + 8));
    lp_recorder_free(recorder);
}

static void
test_limits(void **state)
{
    static Tick tick;
    LpRecorder *recorder = lp_recorder_new();
    Stream stream = { NULL };
    LpPlayer *player;
    LpPlayTick played;
    char name[400];

    (void)state;
    memset(&tick, 0, sizeof(tick));
    random_tick(&tick, true);
    tick.n = 1;
    record_random_partition(&tick.partitions[0]);
    record_random_decision(&tick.decisions[0]);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    tick.names[0] = name;
    tick.host.n_nodes = tick.host.n_pools = UINT32_MAX;
    tick.partitions[0].n_cells = UINT32_MAX;
    assert_false(lp_recorder_begin(recorder, true, &tick.host, tick.partitions, tick.states, NULL,
                                   LP_RECORD_PARTITIONS_MAX + 1));
    record(recorder, &tick, &stream);
    player = lp_player_new(stream.bytes, stream.length);
    assert_int_equal(lp_player_next(player, &played), LP_PLAY_TICK);
    assert_int_equal(played.host->n_nodes, LP_POLICY_NODES);
    assert_int_equal(played.host->n_pools, LP_POLICY_POOLS);
    assert_int_equal(played.partitions[0].n_cells, LP_POLICY_CELLS);
    assert_int_equal(strlen(played.names[0]), LP_RECORD_NAME_MAX);
    lp_player_free(player);
    lp_recorder_free(recorder);
    free(stream.bytes);
}

/* A tick without its end is not in the stream, and what follows it is whole. */
static void
test_begun_only(void **state)
{
    static Tick tick;
    LpRecorder *recorder = lp_recorder_new();
    Stream stream = { NULL };
    size_t length, ticks;

    (void)state;
    memset(&tick, 0, sizeof(tick));
    random_tick(&tick, true);
    assert_null(lp_recorder_end(recorder, tick.decisions, &length));
    assert_int_equal(length, 0);
    record(recorder, &tick, &stream);
    tick.snapshot = false;
    assert_true(lp_recorder_begin(recorder, false, &tick.host, tick.partitions, tick.states, NULL,
                                  tick.n));
    record(recorder, &tick, &stream);
    assert_int_equal(stream.bytes[stream.ends[0] + 3], LP_RECORD_SNAPSHOT);
    assert_int_equal(play(stream.bytes, stream.length, &ticks), LP_PLAY_END);
    assert_int_equal(ticks, 2);
    free(stream.bytes);
    lp_recorder_free(recorder);
}

static void
test_differences(void **state)
{
    LpDecision a, b;
    LpPolicyState s, t;
    LpRecordDifference difference;
    size_t at = 0;

    (void)state;
    record_random_decision(&a);
    memcpy(&b, &a, sizeof(b));
    assert_false(lp_record_decision_differs(&a, &b, &at, &difference));
    b.mem_bytes ^= 1;
    b.cpu_bound = (LpBound)((b.cpu_bound + 1) % LP_BOUNDS);
    at = 0;
    assert_true(lp_record_decision_differs(&a, &b, &at, &difference));
    assert_string_equal(difference.field, "mem_bytes");
    assert_true(difference.a == a.mem_bytes && difference.b == b.mem_bytes);
    assert_true(lp_record_decision_differs(&a, &b, &at, &difference));
    assert_string_equal(difference.field, "cpu_bound");
    assert_false(lp_record_decision_differs(&a, &b, &at, &difference));

    record_random_state(&s);
    memcpy(&t, &s, sizeof(t));
    at = 0;
    assert_false(lp_record_state_differs(&s, &t, &at, &difference));
    t.demand.cpu_used.weights[LP_HISTOGRAM_BUCKETS - 1] ^= 1;
    at = 0;
    assert_true(lp_record_state_differs(&s, &t, &at, &difference));
    assert_string_equal(difference.field, "demand.cpu_used.weights");
    assert_false(lp_record_state_differs(&s, &t, &at, &difference));
}

static void
test_crc(void **state)
{
    (void)state;
    /* The check value of the catalogue of CRCs. */
    assert_int_equal(lp_record_crc((const uint8_t *)"123456789", 9), 0xcbf43926);
    assert_int_equal(lp_record_crc(NULL, 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped), cmocka_unit_test(test_version),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_begun_only),
        cmocka_unit_test(test_differences), cmocka_unit_test(test_crc),
    };

    record_random_seed(20261123);
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
