/* Histories: the input is a stream of records from a disk.
 *
 * Whatever it is, nothing is read past its end and each verdict stays.  What can be played can be
 * recorded, and plays the same again.  The sums are put right first, or nothing would get past
 * them; the input as it is is tried too. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "policy/record-priv.h"

typedef struct {
    uint8_t *bytes;
    size_t length;
} Stream;

static void
append(Stream *stream, const uint8_t *bytes, size_t length)
{
    LP_MUST(bytes != NULL);
    stream->bytes = realloc(stream->bytes, stream->length + length);
    memcpy(stream->bytes + stream->length, bytes, length);
    stream->length += length;
}

static void
check_tick(const LpPlayTick *tick)
{
    LP_MUST(tick->n <= LP_RECORD_PARTITIONS_MAX);
    LP_MUST(tick->host->n_nodes <= LP_POLICY_NODES && tick->host->n_pools <= LP_POLICY_POOLS);
    LP_MUST(tick->host->mode < LP_MODES);
    for (size_t i = 0; i < tick->n; i++) {
        LP_MUST(tick->partitions[i].n_cells <= LP_POLICY_CELLS);
        LP_MUST(tick->partitions[i].goal < LP_GOALS && tick->partitions[i].mode < LP_MODES);
        LP_MUST(tick->decisions[i].mem_bound < LP_BOUNDS);
        LP_MUST(tick->decisions[i].demand.cpu_why < LP_WHY_S);
        LP_MUST(tick->names[i] == NULL || strlen(tick->names[i]) <= LP_RECORD_NAME_MAX);
    }
}

/* The same values, as bytes: both are the players', whose padding is zero. */
static void
check_same(const LpPlayTick *a, const LpPlayTick *b)
{
    LP_MUST(a->n == b->n);
    LP_MUST(memcmp(a->host, b->host, sizeof(*a->host)) == 0);
    if (a->n == 0)
        return;
    LP_MUST(memcmp(a->partitions, b->partitions, a->n * sizeof(*a->partitions)) == 0);
    LP_MUST(memcmp(a->decisions, b->decisions, a->n * sizeof(*a->decisions)) == 0);
    if (!b->snapshot)
        return;
    LP_MUST(memcmp(a->states, b->states, a->n * sizeof(*a->states)) == 0);
    for (size_t i = 0; i < a->n; i++)
        LP_MUST((a->names[i] == NULL) == (b->names[i] == NULL) &&
                (a->names[i] == NULL || strcmp(a->names[i], b->names[i]) == 0));
}

/* Records again what is played; returns how many ticks it is good for. */
static size_t
play(const uint8_t *bytes, size_t length, Stream *again)
{
    LpPlayer *player = lp_player_new(bytes, length);
    LpRecorder *recorder = lp_recorder_new();
    LpPlayTick tick;
    LpPlayVerdict verdict;
    const uint8_t *record;
    size_t ticks = 0, at = 0, n;

    while ((verdict = lp_player_next(player, &tick)) == LP_PLAY_TICK) {
        LP_MUST(lp_player_offset(player) > at && lp_player_offset(player) <= length);
        at = lp_player_offset(player);
        check_tick(&tick);
        record = lp_recorder_tick(recorder, tick.snapshot, tick.host, tick.partitions, tick.states,
                                  tick.names, tick.n, tick.decisions, &n);
        append(again, record, n);
        ticks++;
    }
    LP_MUST(verdict != LP_PLAY_END || at == length);
    LP_MUST(lp_player_next(player, &tick) == verdict && lp_player_offset(player) == at);
    lp_recorder_free(recorder);
    lp_player_free(player);
    return ticks;
}

static void
check(const uint8_t *bytes, size_t length)
{
    Stream again = { NULL, 0 }, third = { NULL, 0 };
    size_t ticks = play(bytes, length, &again);
    LpPlayer *first = lp_player_new(bytes, length);
    LpPlayer *second = lp_player_new(again.bytes, again.length);
    LpPlayTick a, b;

    for (size_t i = 0; i < ticks; i++) {
        LP_MUST(lp_player_next(first, &a) == LP_PLAY_TICK);
        LP_MUST(lp_player_next(second, &b) == LP_PLAY_TICK);
        check_same(&a, &b);
    }
    LP_MUST(lp_player_next(second, &b) == LP_PLAY_END);
    lp_player_free(first);
    lp_player_free(second);
    /* What the recorder writes it writes again. */
    LP_MUST(play(again.bytes, again.length, &third) == ticks);
    LP_MUST(third.length == again.length);
    LP_MUST(again.length == 0 || memcmp(third.bytes, again.bytes, again.length) == 0);
    free(again.bytes);
    free(third.bytes);
}

static void
put4(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Magic, version and sums as they must be, as far as lengths lead; the last is cut to fit. */
static void
seal(uint8_t *bytes, size_t length)
{
    size_t at = 0;

    while (length - at >= LP_RECORD_HEADER) {
        uint8_t *header = bytes + at;
        size_t left = length - at - LP_RECORD_HEADER;
        size_t body = header[4] | (size_t)header[5] << 8;

        if (body > left)
            body = left;
        header[0] = LP_RECORD_MAGIC_0;
        header[1] = LP_RECORD_MAGIC_1;
        header[2] = LP_RECORD_VERSION;
        header[3] = at == 0 || header[3] % 4 == 0 ? LP_RECORD_SNAPSHOT : LP_RECORD_TICK;
        put4(header + 4, (uint32_t)body);
        put4(header + 8, lp_record_crc(header + LP_RECORD_HEADER, body));
        put4(header + 12, lp_record_crc(header, 12));
        at += LP_RECORD_HEADER + body;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Of its own: the sanitizer then sees a read past the end. */
    uint8_t *exact = malloc(size > 0 ? size : 1);

    memcpy(exact, data, size);
    check(exact, size);
    seal(exact, size);
    check(exact, size);
    free(exact);
    return 0;
}
