#include "agent/wire/words.h"

#include <string.h>

const char *const lp_wire_type_names[LP_WIRE_KINDS] = {
    [LP_WIRE_HELLO] = "hello",
    [LP_WIRE_STATE] = "state",
    [LP_WIRE_REPLY] = "reply",
    [LP_WIRE_WHO] = "who",
    [LP_WIRE_WANT] = "want",
};

const char *const lp_wire_cap_names[LP_WIRE_CAPS] = {
    "cpu-online", "mem-online", "mem-movable", "virtio-mem", "balloon", "psi",
};

const char *const lp_wire_mem_names[LP_WIRE_MEM_POLICIES] = {
    [LP_WIRE_MEM_MOVABLE] = "movable",
    [LP_WIRE_MEM_KERNEL] = "kernel",
    [LP_WIRE_MEM_LEAVE] = "leave",
};

int
lp_wire_word_find(const char *const *names, int n_names, const char *name)
{
    for (int i = 0; i < n_names; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

bool
lp_wire_text_allowed(const char *text, size_t length, size_t size)
{
    if (length >= size)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte < 0x20 || byte == 0x7f)
            return false;
        /* U+0080..U+009F: terminals take some of these for escape sequences too. */
        if (byte == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] < 0xa0)
            return false;
    }
    return true;
}

bool
lp_wire_boot_id_allowed(const char *text, size_t length)
{
    if (length == 0 || length >= sizeof(((LpWireHello *)NULL)->boot_id))
        return false;
    return strspn(text, "0123456789abcdef-") >= length;
}

const char *
lp_wire_verdict_text(LpWireVerdict verdict)
{
    switch (verdict) {
    case LP_WIRE_OK:
        return "no error";
    case LP_WIRE_TOO_LONG:
        return "the frame is longer than 65536 bytes";
    case LP_WIRE_TOO_DEEP:
        return "the frame is nested more than 8 deep";
    case LP_WIRE_NOT_JSON:
        return "the frame is not JSON";
    case LP_WIRE_NOT_OBJECT:
        return "the frame is not a JSON object";
    case LP_WIRE_UNKNOWN_TYPE:
        return "the message is of an unknown type";
    case LP_WIRE_BAD_FIELD:
        return "a field is missing, of the wrong type or out of range";
    case LP_WIRE_VERSION_DIFFERS:
        return "the peer speaks another version of the protocol";
    case LP_WIRE_NO_ROOM:
        return "the message does not fit the buffer";
    }
    return "unknown verdict";
}
