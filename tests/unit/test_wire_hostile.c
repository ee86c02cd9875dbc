/* The wire codec against a peer that means harm: whatever comes in, nothing is read past its end,
 * nothing is taken in part, and no more is kept than a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/wire/wire.h"
#include "tests/unit/wire_random.h"

static char frame[LP_WIRE_FRAME_MAX + 1];

static LpWireVerdict
decode(const char *text, LpWireMessage *ret_message, const char **ret_field)
{
    size_t length = strlen(text);
    char *exact = malloc(length > 0 ? length : 1);
    LpWireVerdict verdict;

    memcpy(exact, text, length);
    verdict = lp_wire_decode(exact, length, ret_message, ret_field);
    free(exact);
    return verdict;
}

/* --- frames --- */

static void
test_hostile(void **state)
{
    static const struct {
        const char *text;
        LpWireVerdict verdict;
    } cases[] = {
        /* The same key twice, also further in. */
        { "{\"t\":\"stop\",\"id\":1,\"id\":1,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"who\",\"x\":[{\"a\":1,\"a\":1}]}", LP_WIRE_NOT_JSON },
        /* The same key in other letters. */
        { "{\"t\":\"stop\",\"id\":1,\"\\u0069d\":2,\"back_bytes\":0,\"reason\":\"\"}",
          LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":1,\"back_bytes\":0,\"reason\":\"a\\u0000b\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":1,\"back_bytes\":0,\"re\\u0000ason\":\"\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\\u0000\",\"id\":1,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":18446744073709551616,\"back_bytes\":0,\"reason\":\"\"}",
          LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":01,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":+1,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":NaN,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":1,\"back_bytes\":0,\"reason\":\"\\ud800\"}", LP_WIRE_NOT_JSON },
        { "{\"t\":\"stop\",\"id\":1,\"back_bytes\":0,\"reason\":\"\xc0\xaf\"}", LP_WIRE_NOT_JSON },
        { "{\"T\":\"stop\",\"id\":1,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_BAD_FIELD },
        { "{\"t\":\"STOP\",\"id\":1,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_UNKNOWN_TYPE },
        { "{\"t\":[\"stop\"],\"id\":1,\"back_bytes\":0,\"reason\":\"\"}", LP_WIRE_BAD_FIELD },
        { "[{\"t\":\"stop\",\"id\":1,\"back_bytes\":0,\"reason\":\"\"}]", LP_WIRE_NOT_OBJECT },
    };
    static char deep[2100];
    LpWireMessage message;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LpWireVerdict verdict = decode(cases[i].text, &message, NULL);

        if (verdict != cases[i].verdict)
            print_error("%s\n", cases[i].text);
        assert_int_equal(verdict, cases[i].verdict);
    }
    for (int i = 0; i < 1000; i++) {
        deep[i] = '[';
        deep[1000 + i] = ']';
    }
    assert_int_equal(decode(deep, &message, NULL), LP_WIRE_TOO_DEEP);
    memset(deep, '{', 1000);
    assert_int_equal(decode(deep, &message, NULL), LP_WIRE_TOO_DEEP);
    memset(deep, ']', 2000);
    assert_int_equal(decode(deep, &message, NULL), LP_WIRE_NOT_JSON);
    /* A raw NUL ends nothing. */
    {
        static const char nul[] = "{\"t\":\"who\"}\0,\"x\":1}";

        assert_int_equal(lp_wire_decode(nul, sizeof(nul) - 1, &message, NULL), LP_WIRE_NOT_JSON);
    }
}

static void
test_nul_bytes(void **state)
{
    static const char text[] = "{\"t\":\"who\"\0}";
    LpWireMessage message;

    (void)state;
    assert_int_equal(lp_wire_decode(text, sizeof(text) - 1, &message, NULL), LP_WIRE_NOT_JSON);
    assert_int_equal(lp_wire_decode("\0\0\0", 3, &message, NULL), LP_WIRE_NOT_JSON);
}

static void
test_limits(void **state)
{
    static char text[LP_WIRE_FRAME_MAX + 64];
    LpWireMessage message;
    const char *field;
    size_t at;

    (void)state;
    /* Eight is allowed, nine is not; brackets in a string do not count. */
    strcpy(text, "{\"t\":\"who\",\"x\":[[[[[[[]]]]]]]}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_OK);
    strcpy(text, "{\"t\":\"who\",\"x\":[[[[[[[[]]]]]]]]}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_TOO_DEEP);
    strcpy(text, "{\"t\":\"who\",\"x\":\"[[[[[[[[[[\\\"[[[[[\"}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_OK);
    memset(text, '[', LP_WIRE_FRAME_MAX - 1);
    assert_int_equal(lp_wire_decode(text, LP_WIRE_FRAME_MAX - 1, &message, NULL),
                     LP_WIRE_TOO_DEEP);
    assert_int_equal(lp_wire_decode(text, LP_WIRE_FRAME_MAX, &message, NULL), LP_WIRE_TOO_LONG);
    /* More values than any true message has. */
    at = (size_t)sprintf(text, "{\"t\":\"who\",\"x\":[0");
    for (int i = 0; i < LP_WIRE_VALUES_MAX; i++)
        at += (size_t)sprintf(text + at, ",0");
    strcpy(text + at, "]}");
    assert_int_equal(decode(text, &message, &field), LP_WIRE_BAD_FIELD);
    assert_string_equal(field, "(too many values)");
    /* A text of the longest length, and one more. */
    memset(text, 'k', sizeof(text));
    at = (size_t)sprintf(text, "{\"t\":\"reply\",\"id\":1,\"ok\":true,\"failed\":\"\","
                               "\"error\":\"");
    text[at] = 'k';
    strcpy(text + at + LP_WIRE_TEXT_MAX - 1, "\"}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_OK);
    assert_int_equal(strlen(message.reply.error), LP_WIRE_TEXT_MAX - 1);
    text[at + LP_WIRE_TEXT_MAX - 1] = 'k';
    strcpy(text + at + LP_WIRE_TEXT_MAX, "\"}");
    assert_int_equal(decode(text, &message, NULL), LP_WIRE_BAD_FIELD);
}

/* What is decoded must be encodable and decode to the same again: one meaning, both ways. */
static void
check_stable(const char *text, size_t length)
{
    LpWireMessage first, second;
    size_t n = 0;

    if (lp_wire_decode(text, length, &first, NULL) != LP_WIRE_OK)
        return;
    assert_int_equal(lp_wire_encode(&first, frame, sizeof(frame), &n), LP_WIRE_OK);
    assert_int_equal(lp_wire_decode(frame, n - 1, &second, NULL), LP_WIRE_OK);
    assert_memory_equal(&first, &second, sizeof(first));
}

/* One byte changed, added or taken away. */
static size_t
mutate(char *text, size_t length, size_t room)
{
    static const char spice[] = "{}[]\",:\\0123456789-+.eEtrufalsn \0\x80\xff\x1b";
    size_t at = wire_random_below((uint32_t)length + 1);
    uint32_t way = wire_random_below(3);

    if (way == 0 && at < length) {
        text[at] = spice[wire_random_below(sizeof(spice))];
    } else if (way == 1 && length < room) {
        memmove(text + at + 1, text + at, length - at);
        text[at] = spice[wire_random_below(sizeof(spice))];
        length++;
    } else if (at < length) {
        memmove(text + at, text + at + 1, length - at - 1);
        length--;
    }
    return length;
}

static void
test_mutations(void **state)
{
    const int n_rounds = 30000;
    static char source[LP_WIRE_FRAME_MAX + 1];

    (void)state;
    wire_random_seed(20261123);
    for (int round = 0; round < n_rounds; round++) {
        LpWireMessage message;
        size_t length = 0, room;
        char *text;

        wire_random_message(&message);
        assert_int_equal(lp_wire_encode(&message, source, sizeof(source), &length), LP_WIRE_OK);
        length--;
        room = length + 16;
        text = malloc(room);
        memcpy(text, source, length);
        for (uint32_t i = 1 + wire_random_below(4); i > 0; i--)
            length = mutate(text, length, room);
        /* The sanitizer then sees a read past the end. */
        text = realloc(text, length > 0 ? length : 1);
        check_stable(text, length);
        free(text);
    }
}

/* --- the stream --- */

static void
feed(LpWireReader *reader, const char *bytes, size_t n)
{
    size_t room;
    char *space = lp_wire_reader_space(reader, &room);

    assert_true(n <= room);
    memcpy(space, bytes, n);
    lp_wire_reader_filled(reader, n);
}

static void
test_reader(void **state)
{
    LpWireReader *reader = malloc(sizeof(*reader));
    LpWireVerdict verdict;
    const char *line;
    size_t length;

    (void)state;
    lp_wire_reader_init(reader);
    assert_null(lp_wire_reader_next(reader, &length, &verdict));
    assert_int_equal(verdict, LP_WIRE_OK);
    feed(reader, "\n\nab\nc", 6);
    line = lp_wire_reader_next(reader, &length, &verdict);
    assert_int_equal(length, 2);
    assert_memory_equal(line, "ab", 2);
    assert_null(lp_wire_reader_next(reader, &length, &verdict));
    feed(reader, "d\n", 2);
    line = lp_wire_reader_next(reader, &length, &verdict);
    assert_int_equal(length, 2);
    assert_memory_equal(line, "cd", 2);
    free(reader);
}

static void
test_reader_limit(void **state)
{
    LpWireReader *reader = malloc(sizeof(*reader));
    LpWireVerdict verdict;
    size_t length, room;

    (void)state;
    /* The longest frame passes, also byte by byte after others. */
    lp_wire_reader_init(reader);
    feed(reader, "x\n", 2);
    assert_non_null(lp_wire_reader_next(reader, &length, &verdict));
    for (int i = 0; i < LP_WIRE_FRAME_MAX - 1; i++) {
        feed(reader, "y", 1);
        assert_null(lp_wire_reader_next(reader, &length, &verdict));
        assert_int_equal(verdict, LP_WIRE_OK);
    }
    feed(reader, "\n", 1);
    assert_non_null(lp_wire_reader_next(reader, &length, &verdict));
    assert_int_equal(length, LP_WIRE_FRAME_MAX - 1);
    /* One byte more does not. */
    for (int i = 0; i < LP_WIRE_FRAME_MAX; i++)
        feed(reader, "z", 1);
    assert_null(lp_wire_reader_next(reader, &length, &verdict));
    assert_int_equal(verdict, LP_WIRE_TOO_LONG);
    lp_wire_reader_space(reader, &room);
    assert_int_equal(room, 0);
    free(reader);
}

/* However a stream is cut into reads, the lines are the same. */
static void
test_reader_cuts(void **state)
{
    enum { STREAM = 300000 };
    LpWireReader *reader = malloc(sizeof(*reader));
    char *stream = malloc(STREAM);
    uint64_t sum_whole = 0, sum_cut = 0;
    LpWireVerdict verdict;
    size_t at = 0, length;
    const char *line;

    (void)state;
    wire_random_seed(7);
    for (size_t i = 0, start = 0; i < STREAM; i++) {
        stream[i] = wire_random_below(400) == 0 ? '\n' : (char)('a' + wire_random_below(26));
        if (stream[i] != '\n')
            continue;
        if (i > start)
            sum_whole = sum_whole * 31 + (i - start) * 256 + (unsigned char)stream[start];
        start = i + 1;
    }
    lp_wire_reader_init(reader);
    while (at < STREAM) {
        size_t room, n;
        char *space = lp_wire_reader_space(reader, &room);

        n = 1 + wire_random_below(3000);
        n = n > room ? room : n;
        n = n > STREAM - at ? STREAM - at : n;
        memcpy(space, stream + at, n);
        lp_wire_reader_filled(reader, n);
        at += n;
        while ((line = lp_wire_reader_next(reader, &length, &verdict)) != NULL)
            sum_cut = sum_cut * 31 + length * 256 + (unsigned char)line[0];
        assert_int_equal(verdict, LP_WIRE_OK);
    }
    assert_true(sum_whole == sum_cut);
    free(stream);
    free(reader);
}

static void
test_ten_mebibytes(void **state)
{
    LpWireReader *reader = malloc(sizeof(*reader));
    size_t sent = 0, length, room = 1;
    LpWireVerdict verdict = LP_WIRE_OK;

    (void)state;
    lp_wire_reader_init(reader);
    while (sent < 10 * 1024 * 1024 && room > 0) {
        char *space = lp_wire_reader_space(reader, &room);

        memset(space, sent == 0 ? '{' : 'x', room);
        lp_wire_reader_filled(reader, room);
        sent += room;
        assert_null(lp_wire_reader_next(reader, &length, &verdict));
    }
    /* It took one frame's room, and there is no way on. */
    assert_int_equal(sent, LP_WIRE_FRAME_MAX);
    assert_int_equal(verdict, LP_WIRE_TOO_LONG);
    assert_null(lp_wire_reader_next(reader, &length, &verdict));
    assert_int_equal(verdict, LP_WIRE_TOO_LONG);
    free(reader);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_reader_limit),
        cmocka_unit_test(test_reader_cuts),
        cmocka_unit_test(test_ten_mebibytes),
    };

    return cmocka_run_group_tests_name("wire hostile", tests, NULL, NULL);
}
