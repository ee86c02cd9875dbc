#include "agent/text.h"

#include <stdbool.h>
#include <stdint.h>

/* The length of the character at `at` and its code point; 0 if that is not UTF-8: overlong forms,
 * surrogates and what is beyond Unicode are not. */
static size_t
read_character(const unsigned char *at, uint32_t *ret_code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 :
                    at[0] < 0xf8 ? 4 : 0;
    uint32_t code = length == 1 ? at[0] : at[0] & (0x7fu >> length);

    if (length == 0)
        return 0;
    /* A NUL is no continuation either: this never reads beyond it. */
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    *ret_code = code;
    return length;
}

static bool
is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

void
lp_text_clean(char *to, size_t size, const char *from)
{
    const unsigned char *at = (const unsigned char *)from;
    size_t used = 0;

    while (*at != '\0') {
        uint32_t code = '?';
        size_t length = read_character(at, &code), taken = length > 0 ? length : 1;

        if (code == '\t')
            code = ' ';
        if (!is_control(code) && (code != ' ' || used > 0)) {
            if (used + taken >= size)
                break;
            if (taken == 1)
                to[used++] = (char)code;
            else
                for (size_t i = 0; i < length; i++)
                    to[used++] = (char)at[i];
        }
        at += taken;
    }
    while (used > 0 && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
}
