/* Amounts as people write them: memory in bytes, processing units in hundredths.
 *
 * Pure; no locale is consulted. */
#ifndef LP_POLICY_UNITS_H
#define LP_POLICY_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Room for any text that the formatters write. */
#define LP_UNITS_TEXT 32

typedef enum {
    LP_UNITS_OK,
    LP_UNITS_EMPTY,
    LP_UNITS_SYNTAX,          /* not a number, or trailing characters */
    LP_UNITS_NEGATIVE,
    LP_UNITS_OVERFLOW,
    LP_UNITS_SUFFIX,          /* an unknown suffix: "6X" */
    LP_UNITS_DECIMAL_SUFFIX,  /* "6GB": refused, since it may mean 10^9 or 2^30 */
    LP_UNITS_FRACTION,        /* finer than a byte, or than 0.01 units */
} LpUnitsVerdict;

/* "512M", "6G", "1.5G", "4GiB", "1048576" (bytes).  K M G T and KiB MiB GiB TiB are powers of
 * 1024, in either case for the first letter. */
LpUnitsVerdict lp_units_parse_bytes(const char *text, uint64_t *ret_bytes);

/* A count without suffix or sign, at most `max`. */
LpUnitsVerdict lp_units_parse_count(const char *text, uint32_t max, uint32_t *ret_count);

/* Processing units, "1.50" or "2": hundredths of a processor. */
LpUnitsVerdict lp_units_parse_centi(const char *text, uint32_t *ret_centi);

/* The shortest exact form in binary units: "6 GiB", "1.5 GiB", "514 MiB"; two decimals at most,
 * and a following "~" never: an amount that does not fit is given in the next smaller unit. */
char *lp_units_format_bytes(uint64_t bytes, char *buf, size_t size);
/* The same for what is measured, where a hundredth of the largest unit is enough: what is not exact in it
 * is cut to two decimals, "16.12 GiB" and not "16512 MiB". */
char *lp_units_near_bytes(uint64_t bytes, char *buf, size_t size);
char *lp_units_format_centi(uint32_t centi, char *buf, size_t size);

/* What is wrong, and what to write instead, as the end of a sentence. */
const char *lp_units_hint(LpUnitsVerdict verdict);

#endif
