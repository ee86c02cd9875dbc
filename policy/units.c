/* Amounts as text.  Everything is exact: a fraction either is a whole number of the smallest
 * step, or is refused; nothing is rounded. */
#include "policy/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CENTI_PER_UNIT 100

/* A fraction of a unit of 2^40 bytes is whole in bytes with at most 40 decimals. */
#define MAX_DECIMALS 40

static const char UNIT_LETTERS[] = "KMGT";
/* Up to 2^50, which a sum may come to. */
#define NEAR_UNITS 5

/* A decimal number as it was written: the part before the point, and the digits behind it
 * without trailing zeros. */
typedef struct {
    uint64_t whole;
    const char *decimals;
    size_t n_decimals;
} Number;

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a number and moves *text behind it. */
static LpUnitsVerdict
parse_number(const char **text, Number *ret_number)
{
    const char *p = *text;
    Number number = { 0 };

    if (!p || !*p)
        return LP_UNITS_EMPTY;
    if (*p == '-' && is_digit(p[1]))
        return LP_UNITS_NEGATIVE;
    if (!is_digit(*p))
        return LP_UNITS_SYNTAX;
    for (; is_digit(*p); p++) {
        if (__builtin_mul_overflow(number.whole, 10, &number.whole) ||
            __builtin_add_overflow(number.whole, (uint64_t) (*p - '0'), &number.whole))
            return LP_UNITS_OVERFLOW;
    }
    if (*p == '.') {
        number.decimals = ++p;
        if (!is_digit(*p))
            return LP_UNITS_SYNTAX;
        while (is_digit(*p))
            p++;
        number.n_decimals = (size_t) (p - number.decimals);
        while (number.n_decimals > 0 && number.decimals[number.n_decimals - 1] == '0')
            number.n_decimals--;
    }
    *text = p;
    *ret_number = number;
    return LP_UNITS_OK;
}

/* The power of two that a suffix stands for. */
static LpUnitsVerdict
parse_suffix(const char *suffix, unsigned *ret_shift)
{
    char letter = *suffix;
    const char *found;

    if (strcmp(suffix, "") == 0 || strcmp(suffix, "B") == 0) {
        *ret_shift = 0;
        return LP_UNITS_OK;
    }
    if (letter >= 'a' && letter <= 'z')
        letter = (char) (letter - 'a' + 'A');
    found = strchr(UNIT_LETTERS, letter);
    if (!found)
        return is_digit(*suffix) || *suffix == '.' || *suffix == '-' || *suffix == ' '
                   ? LP_UNITS_SYNTAX
                   : LP_UNITS_SUFFIX;
    *ret_shift = 10 * (unsigned) (found - UNIT_LETTERS + 1);
    if (suffix[1] == '\0' || strcmp(suffix + 1, "iB") == 0)
        return LP_UNITS_OK;
    if (strcmp(suffix + 1, "B") == 0 || strcmp(suffix + 1, "b") == 0)
        return LP_UNITS_DECIMAL_SUFFIX;
    return LP_UNITS_SUFFIX;
}

/* The fraction times 2^shift, by doubling its decimal digits, which is exact where a product
 * in 64 bits would overflow. */
static LpUnitsVerdict
scale_fraction(const Number *number, unsigned shift, uint64_t *ret_amount)
{
    uint8_t digits[MAX_DECIMALS] = { 0 };
    uint64_t amount = 0;

    if (number->n_decimals > MAX_DECIMALS)
        return LP_UNITS_FRACTION;
    for (size_t i = 0; i < number->n_decimals; i++)
        digits[i] = (uint8_t) (number->decimals[i] - '0');
    for (unsigned bit = 0; bit < shift; bit++) {
        unsigned carry = 0;

        for (size_t i = number->n_decimals; i-- > 0;) {
            unsigned doubled = digits[i] * 2U + carry;

            digits[i] = (uint8_t) (doubled % 10);
            carry = doubled / 10;
        }
        amount = amount * 2 + carry;
    }
    for (size_t i = 0; i < number->n_decimals; i++) {
        if (digits[i] != 0)
            return LP_UNITS_FRACTION;
    }
    *ret_amount = amount;
    return LP_UNITS_OK;
}

LpUnitsVerdict
lp_units_parse_bytes(const char *text, uint64_t *ret_bytes)
{
    Number number;
    unsigned shift = 0;
    uint64_t fraction = 0, bytes;
    LpUnitsVerdict verdict = parse_number(&text, &number);

    if (verdict != LP_UNITS_OK)
        return verdict;
    /* "6 GiB" is what the formatter writes, so it is read back. */
    if (text[0] == ' ' && text[1] != '\0')
        text++;
    verdict = parse_suffix(text, &shift);
    if (verdict == LP_UNITS_OK)
        verdict = scale_fraction(&number, shift, &fraction);
    if (verdict != LP_UNITS_OK)
        return verdict;
    if (__builtin_mul_overflow(number.whole, UINT64_C(1) << shift, &bytes) ||
        __builtin_add_overflow(bytes, fraction, &bytes))
        return LP_UNITS_OVERFLOW;
    *ret_bytes = bytes;
    return LP_UNITS_OK;
}

LpUnitsVerdict
lp_units_parse_count(const char *text, uint32_t max, uint32_t *ret_count)
{
    Number number;
    LpUnitsVerdict verdict = parse_number(&text, &number);

    if (verdict != LP_UNITS_OK)
        return verdict;
    if (*text != '\0' || number.decimals)
        return LP_UNITS_SYNTAX;
    if (number.whole > max)
        return LP_UNITS_OVERFLOW;
    *ret_count = (uint32_t) number.whole;
    return LP_UNITS_OK;
}

LpUnitsVerdict
lp_units_parse_centi(const char *text, uint32_t *ret_centi)
{
    Number number;
    uint64_t centi;
    LpUnitsVerdict verdict = parse_number(&text, &number);

    if (verdict != LP_UNITS_OK)
        return verdict;
    if (*text != '\0')
        return LP_UNITS_SYNTAX;
    if (number.n_decimals > 2)
        return LP_UNITS_FRACTION;
    if (number.whole > UINT32_MAX)
        return LP_UNITS_OVERFLOW;
    centi = number.whole * CENTI_PER_UNIT;
    if (number.n_decimals > 0)
        centi += 10 * (uint64_t) (number.decimals[0] - '0');
    if (number.n_decimals > 1)
        centi += (uint64_t) (number.decimals[1] - '0');
    if (centi > UINT32_MAX)
        return LP_UNITS_OVERFLOW;
    *ret_centi = (uint32_t) centi;
    return LP_UNITS_OK;
}

static char *
write_unit(uint64_t bytes, unsigned i, bool all_decimals, char *buf, size_t size)
{
    uint64_t unit = UINT64_C(1) << (10 * i);
    /* Below 2^50, so a hundredfold fits. */
    unsigned part = (unsigned) (bytes % unit * 100 / unit);
    unsigned long long whole = bytes / unit;
    char letter = "KMGTP"[i - 1];

    if (all_decimals || part % 10 != 0)
        snprintf(buf, size, "%llu.%02u %ciB", whole, part, letter);
    else if (part != 0)
        snprintf(buf, size, "%llu.%u %ciB", whole, part / 10, letter);
    else
        snprintf(buf, size, "%llu %ciB", whole, letter);
    return buf;
}

static bool
is_exact(uint64_t bytes, unsigned i)
{
    uint64_t unit = UINT64_C(1) << (10 * i);

    return bytes % unit * 100 % unit == 0;
}

char *
lp_units_format_bytes(uint64_t bytes, char *buf, size_t size)
{
    for (unsigned i = sizeof(UNIT_LETTERS) - 1; i > 0; i--) {
        if (bytes >> (10 * i) != 0 && is_exact(bytes, i))
            return write_unit(bytes, i, false, buf, size);
    }
    snprintf(buf, size, "%llu B", (unsigned long long) bytes);
    return buf;
}

char *
lp_units_near_bytes(uint64_t bytes, char *buf, size_t size)
{
    for (unsigned i = NEAR_UNITS; i > 0; i--) {
        if (bytes >> (10 * i) != 0)
            return write_unit(bytes, i, !is_exact(bytes, i), buf, size);
    }
    snprintf(buf, size, "%llu B", (unsigned long long) bytes);
    return buf;
}

char *
lp_units_format_centi(uint32_t centi, char *buf, size_t size)
{
    snprintf(buf, size, "%u.%02u", centi / CENTI_PER_UNIT, centi % CENTI_PER_UNIT);
    return buf;
}

const char *
lp_units_hint(LpUnitsVerdict verdict)
{
    switch (verdict) {
    case LP_UNITS_OK:
        return "nothing is wrong";
    case LP_UNITS_EMPTY:
        return "the amount is missing; write a number, as in mem=512M or cpu=2";
    case LP_UNITS_SYNTAX:
        return "that is not a number; write digits and, for memory, a unit, as in 512M or 1.5G";
    case LP_UNITS_NEGATIVE:
        return "an amount cannot be negative; write it without the sign";
    case LP_UNITS_OVERFLOW:
        return "the number is too large; write a smaller one";
    case LP_UNITS_SUFFIX:
        return "the unit is unknown; write K, M, G or T (powers of 1024), as in 512M";
    case LP_UNITS_DECIMAL_SUFFIX:
        return "KB, MB, GB and TB may mean powers of 1000 or of 1024; write K, M, G or T "
               "(powers of 1024)";
    case LP_UNITS_FRACTION:
        return "the fraction is too fine; memory goes down to whole bytes and processing units "
               "to 0.01";
    }
    return "the amount cannot be read; write a number, as in 512M";
}
