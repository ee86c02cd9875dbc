/* Cutting a byte stream into lines, in fixed room. */
#include "agent/wire/wire.h"

#include <string.h>

void
lp_wire_reader_init(LpWireReader *reader)
{
    /* The bytes are left alone: clearing them would only make their pages resident. */
    reader->used = reader->taken = reader->searched = 0;
}

char *
lp_wire_reader_space(LpWireReader *reader, size_t *ret_size)
{
    if (reader->taken > 0) {
        memmove(reader->bytes, reader->bytes + reader->taken, reader->used - reader->taken);
        reader->used -= reader->taken;
        reader->searched -= reader->taken;
        reader->taken = 0;
    }
    *ret_size = sizeof(reader->bytes) - reader->used;
    return reader->bytes + reader->used;
}

void
lp_wire_reader_filled(LpWireReader *reader, size_t n_bytes)
{
    reader->used += n_bytes;
}

const char *
lp_wire_reader_next(LpWireReader *reader, size_t *ret_length, LpWireVerdict *ret_verdict)
{
    *ret_verdict = LP_WIRE_OK;
    while (reader->searched < reader->used) {
        const char *line = reader->bytes + reader->taken;
        const char *newline = memchr(reader->bytes + reader->searched, '\n',
                                     reader->used - reader->searched);
        size_t length;

        if (newline == NULL) {
            reader->searched = reader->used;
            break;
        }
        length = (size_t)(newline - line);
        reader->taken += length + 1;
        reader->searched = reader->taken;
        if (length > 0) {
            *ret_length = length;
            return line;
        }
    }
    if (reader->used - reader->taken == sizeof(reader->bytes))
        *ret_verdict = LP_WIRE_TOO_LONG;
    return NULL;
}
