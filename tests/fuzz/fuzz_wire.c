/* The wire codec: the input is a byte stream from a peer.
 *
 * However it is cut into reads, the reader gives the same lines; what a line decodes to can be
 * written, and reads the same again; a line that is refused leaves nothing behind. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "agent/wire/wire.h"

static char frame[LP_WIRE_FRAME_MAX + 1], again[LP_WIRE_FRAME_MAX + 1];

static void
check_refused(LpWireVerdict verdict, const char *field, const LpWireMessage *message,
              const LpWireMessage *untouched)
{
    LP_MUST(memcmp(message, untouched, sizeof(*message)) == 0);
    LP_MUST(verdict != LP_WIRE_NO_ROOM);
    if (verdict == LP_WIRE_BAD_FIELD || verdict == LP_WIRE_UNKNOWN_TYPE ||
        verdict == LP_WIRE_VERSION_DIFFERS)
        LP_MUST(field != NULL && field[0] != '\0');
    LP_MUST(lp_wire_verdict_text(verdict) != NULL);
}

static void
check_line(const char *line, size_t length)
{
    /* The sanitizer then sees a read past the end. */
    char *exact = malloc(length > 0 ? length : 1);
    LpWireMessage first, second, untouched;
    const char *field = NULL;
    LpWireVerdict verdict;
    size_t n = 0, n_again = 0;

    memcpy(exact, line, length);
    memset(&first, 0x5a, sizeof(first));
    memcpy(&untouched, &first, sizeof(first));
    verdict = lp_wire_decode(exact, length, &first, &field);
    free(exact);
    if (verdict != LP_WIRE_OK) {
        check_refused(verdict, field, &first, &untouched);
        return;
    }
    LP_MUST(lp_wire_encode(&first, frame, sizeof(frame), &n) == LP_WIRE_OK);
    LP_MUST(n >= 2 && frame[n] == '\0' && memchr(frame, '\n', n) == frame + n - 1);
    LP_MUST(lp_wire_decode(frame, n - 1, &second, &field) == LP_WIRE_OK);
    LP_MUST(memcmp(&first, &second, sizeof(first)) == 0);
    LP_MUST(lp_wire_encode(&second, again, sizeof(again), &n_again) == LP_WIRE_OK);
    LP_MUST(n == n_again && memcmp(frame, again, n) == 0);
    /* A byte less of room is too little, and is not written past. */
    {
        char *tight = malloc(n);

        LP_MUST(lp_wire_encode(&first, tight, n, &n_again) == LP_WIRE_NO_ROOM);
        free(tight);
    }
}

/* The next line that is not empty, from *at on; NULL: none, or none that may be. */
static const uint8_t *
plain_line(const uint8_t *data, size_t size, size_t *at, size_t *ret_length)
{
    while (*at < size) {
        const uint8_t *line = data + *at;
        const uint8_t *newline = memchr(line, '\n', size - *at);

        if (newline == NULL || newline - line >= LP_WIRE_FRAME_MAX)
            return NULL;
        *at += (size_t)(newline - line) + 1;
        *ret_length = (size_t)(newline - line);
        if (*ret_length > 0)
            return line;
    }
    return NULL;
}

static void
check_stream(LpWireReader *reader, const uint8_t *data, size_t size)
{
    uint32_t cut = size > 0 ? 1 + data[size / 2] : 1;    /* lengths of the pieces, from the input */
    size_t at = 0, plain_at = 0;
    LpWireVerdict verdict = LP_WIRE_OK;

    while (at < size && verdict == LP_WIRE_OK) {
        size_t room = 0, n, length = 0, expected = 0;
        char *space = lp_wire_reader_space(reader, &room);
        const char *line;

        LP_MUST(room > 0);
        cut = cut * 1103515245u + 12345u;
        n = 1 + (cut >> 16) % ((cut & 1) ? 7 : 900);
        n = n > size - at ? size - at : n;
        n = n > room ? room : n;
        memcpy(space, data + at, n);
        lp_wire_reader_filled(reader, n);
        at += n;
        while ((line = lp_wire_reader_next(reader, &length, &verdict)) != NULL) {
            const uint8_t *plain = plain_line(data, size, &plain_at, &expected);

            LP_MUST(plain != NULL && length == expected && memcmp(line, plain, length) == 0);
            check_line(line, length);
        }
    }
    if (verdict == LP_WIRE_OK) {
        size_t length = 0;

        LP_MUST(plain_line(data, size, &plain_at, &length) == NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static LpWireReader reader;

    lp_wire_reader_init(&reader);
    check_stream(&reader, data, size);
    check_line((const char *)data, size);
    return 0;
}
