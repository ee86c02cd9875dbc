/* The one home of processor sets and of their list form. */
#include "numa/cpumask.h"

#include <string.h>

#define WORD_BITS 64
#define N_WORDS (LP_MAX_CPUS / WORD_BITS)

void
lp_cpumask_clear(LpCpuMask *mask)
{
    memset(mask, 0, sizeof(*mask));
}

void
lp_cpumask_add(LpCpuMask *mask, unsigned cpu)
{
    if (cpu < LP_MAX_CPUS)
        mask->words[cpu / WORD_BITS] |= UINT64_C(1) << (cpu % WORD_BITS);
}

void
lp_cpumask_remove(LpCpuMask *mask, unsigned cpu)
{
    if (cpu < LP_MAX_CPUS)
        mask->words[cpu / WORD_BITS] &= ~(UINT64_C(1) << (cpu % WORD_BITS));
}

bool
lp_cpumask_has(const LpCpuMask *mask, unsigned cpu)
{
    return cpu < LP_MAX_CPUS && (mask->words[cpu / WORD_BITS] >> (cpu % WORD_BITS)) & 1;
}

unsigned
lp_cpumask_count(const LpCpuMask *mask)
{
    unsigned count = 0;

    for (size_t i = 0; i < N_WORDS; i++)
        count += (unsigned) __builtin_popcountll(mask->words[i]);
    return count;
}

bool
lp_cpumask_equal(const LpCpuMask *a, const LpCpuMask *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool
lp_cpumask_covers(const LpCpuMask *whole, const LpCpuMask *part)
{
    for (size_t i = 0; i < N_WORDS; i++) {
        if (part->words[i] & ~whole->words[i])
            return false;
    }
    return true;
}

int
lp_cpumask_next(const LpCpuMask *mask, unsigned from)
{
    if (from >= LP_MAX_CPUS)
        return -1;

    size_t i = from / WORD_BITS;
    uint64_t word = mask->words[i] & (~UINT64_C(0) << (from % WORD_BITS));

    while (word == 0) {
        if (++i == N_WORDS)
            return -1;
        word = mask->words[i];
    }
    return (int) (i * WORD_BITS) + __builtin_ctzll(word);
}

int
lp_cpumask_last(const LpCpuMask *mask)
{
    for (size_t i = N_WORDS; i-- > 0;) {
        if (mask->words[i] != 0)
            return (int) (i * WORD_BITS) + (WORD_BITS - 1) - __builtin_clzll(mask->words[i]);
    }
    return -1;
}

void
lp_cpumask_first_n(LpCpuMask *mask, unsigned n)
{
    lp_cpumask_clear(mask);
    for (unsigned cpu = 0; cpu < n && cpu < LP_MAX_CPUS; cpu++)
        lp_cpumask_add(mask, cpu);
}

/* Reads one id and moves *text behind it.  The bound is checked at each digit, so that no
 * length of text overflows. */
static bool
parse_id(const char **text, unsigned *ret_id)
{
    const char *p = *text;
    unsigned id = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        id = id * 10 + (unsigned) (*p - '0');
        if (id >= LP_MAX_CPUS)
            return false;
    }
    *text = p;
    *ret_id = id;
    return true;
}

bool
lp_cpumask_parse(const char *text, LpCpuMask *ret_mask)
{
    LpCpuMask mask;

    if (!text)
        return false;
    lp_cpumask_clear(&mask);
    while (*text) {
        unsigned first, last;

        if (!parse_id(&text, &first))
            return false;
        last = first;
        if (*text == '-') {
            text++;
            if (!parse_id(&text, &last) || last < first)
                return false;
        }
        for (unsigned cpu = first; cpu <= last; cpu++)
            lp_cpumask_add(&mask, cpu);

        if (*text == ',') {
            text++;
            if (!*text)
                return false;
        } else if (*text) {
            return false;
        }
    }
    *ret_mask = mask;
    return true;
}

static size_t
put_id(char *out, unsigned id)
{
    char digits[8];
    size_t n = 0, len = 0;

    do {
        digits[n++] = (char) ('0' + id % 10);
        id /= 10;
    } while (id > 0);
    while (n > 0)
        out[len++] = digits[--n];
    return len;
}

char *
lp_cpumask_format(const LpCpuMask *mask, char *buf, size_t size)
{
    size_t used = 0;
    int first = lp_cpumask_next(mask, 0);

    if (size == 0)
        return buf;
    while (first >= 0) {
        char item[16];
        size_t len = 0;
        int last = first;

        while (lp_cpumask_has(mask, (unsigned) last + 1))
            last++;
        if (used > 0)
            item[len++] = ',';
        len += put_id(item + len, (unsigned) first);
        if (last > first) {
            item[len++] = '-';
            len += put_id(item + len, (unsigned) last);
        }
        /* A text cut in the middle of a number would name another processor. */
        if (used + len >= size)
            break;
        memcpy(buf + used, item, len);
        used += len;
        first = lp_cpumask_next(mask, (unsigned) last + 1);
    }
    buf[used] = '\0';
    return buf;
}
