/* What a row was when it was written, as one number: SQLite notices damage to its own structure,
 * but not a bit that has turned in what it keeps. */
#include <string.h>

#include "lpard/journal/journal-priv.h"

/* FNV-1a of 64 bits: every single changed bit changes it, and nobody means harm here. */
#define LP_SUM_BEGIN 0xcbf29ce484222325ULL
#define LP_SUM_PRIME 0x100000001b3ULL

static uint64_t
add(uint64_t sum, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ at[i]) * LP_SUM_PRIME;
    }
    return sum;
}

/* NULL is not "", and what ends one text does not begin the next. */
static uint64_t
add_text(uint64_t sum, const char *text)
{
    return text != NULL ? add(sum, text, strlen(text) + 1) : add(sum, "\1", 2);
}

int64_t
lp_journal_sum(int64_t number, const char *uuid, const char *key, bool open, const char *text)
{
    uint64_t sum = add(LP_SUM_BEGIN, &number, sizeof(number));

    sum = add_text(sum, uuid);
    sum = add_text(sum, key);
    sum = add(sum, open ? "o" : "c", 1);
    return (int64_t)add_text(sum, text);
}

bool
lp_journal_sum_right(sqlite3_stmt *statement, int column, int64_t sum)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ||
           sqlite3_column_int64(statement, column) == sum;
}
