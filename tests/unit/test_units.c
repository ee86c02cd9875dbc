/* Amounts as people write them. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/units.h"

#define SEED 20261123u
#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define TIB (1ULL << 40)

static void
test_bytes(void **state)
{
    static const struct { const char *text; uint64_t bytes; } GOOD[] = {
        { "512M", 512 * MIB }, { "6G", 6 * GIB }, { "1.5G", 3 * GIB / 2 }, { "4GiB", 4 * GIB },
        { "1048576", MIB }, { "6g", 6 * GIB }, { "6giB", 6 * GIB }, { "2k", 2 * KIB },
        { "1T", TIB }, { "0", 0 }, { "0G", 0 }, { "6 GiB", 6 * GIB }, { "7 B", 7 },
        { "1.50G", 3 * GIB / 2 }, { "1.0", 1 }, { "18446744073709551615", UINT64_MAX },
        { "0.0009765625M", KIB }, { "16777215.99999999999909050529822707176208496093750T",
                                    UINT64_MAX },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        uint64_t bytes = 1;

        assert_int_equal(lp_units_parse_bytes(GOOD[i].text, &bytes), LP_UNITS_OK);
        assert_true(bytes == GOOD[i].bytes);
    }
}

static void
test_bytes_refused(void **state)
{
    static const struct { const char *text; LpUnitsVerdict verdict; } BAD[] = {
        { "", LP_UNITS_EMPTY }, { NULL, LP_UNITS_EMPTY }, { "6X", LP_UNITS_SUFFIX },
        { "6GB", LP_UNITS_DECIMAL_SUFFIX }, { "6Gb", LP_UNITS_DECIMAL_SUFFIX },
        { "6kb", LP_UNITS_DECIMAL_SUFFIX }, { "6Gi", LP_UNITS_SUFFIX }, { "6P", LP_UNITS_SUFFIX },
        { "6GG", LP_UNITS_SUFFIX }, { "6gib", LP_UNITS_SUFFIX }, { "-6G", LP_UNITS_NEGATIVE },
        { "-0", LP_UNITS_NEGATIVE }, { "+6G", LP_UNITS_SYNTAX }, { "G", LP_UNITS_SYNTAX },
        { ".5G", LP_UNITS_SYNTAX }, { "5.G", LP_UNITS_SYNTAX }, { "1.2.3G", LP_UNITS_SYNTAX },
        { " 6G", LP_UNITS_SYNTAX }, { "6 ", LP_UNITS_SYNTAX }, { "6G ", LP_UNITS_SUFFIX },
        { "6  G", LP_UNITS_SYNTAX }, { "0x10", LP_UNITS_SUFFIX }, { "1e3", LP_UNITS_SUFFIX },
        { "1,5G", LP_UNITS_SUFFIX }, { "0.1G", LP_UNITS_FRACTION }, { "1.5", LP_UNITS_FRACTION },
        { "0.00000000000000000000000000000000000000000000000001T", LP_UNITS_FRACTION },
        { "16777216T", LP_UNITS_OVERFLOW }, { "18446744073709551616", LP_UNITS_OVERFLOW },
        { "99999999999999999999999G", LP_UNITS_OVERFLOW }, { "-", LP_UNITS_SYNTAX },
        { "nan", LP_UNITS_SYNTAX }, { "6\xc2\xb5", LP_UNITS_SUFFIX },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        uint64_t bytes = 77;
        LpUnitsVerdict verdict = lp_units_parse_bytes(BAD[i].text, &bytes);

        if (verdict != BAD[i].verdict)
            fail_msg("'%s' gave verdict %d", BAD[i].text, verdict);
        assert_true(bytes == 77);
    }
}

static void
test_count(void **state)
{
    uint32_t count = 77;

    (void) state;
    assert_int_equal(lp_units_parse_count("0", 4, &count), LP_UNITS_OK);
    assert_int_equal(count, 0);
    assert_int_equal(lp_units_parse_count("4", 4, &count), LP_UNITS_OK);
    assert_int_equal(count, 4);
    assert_int_equal(lp_units_parse_count("4294967295", UINT32_MAX, &count), LP_UNITS_OK);
    assert_true(count == UINT32_MAX);
    count = 77;
    assert_int_equal(lp_units_parse_count("5", 4, &count), LP_UNITS_OVERFLOW);
    assert_int_equal(lp_units_parse_count("4294967296", UINT32_MAX, &count), LP_UNITS_OVERFLOW);
    assert_int_equal(lp_units_parse_count("1.0", 4, &count), LP_UNITS_SYNTAX);
    assert_int_equal(lp_units_parse_count("2x", 4, &count), LP_UNITS_SYNTAX);
    assert_int_equal(lp_units_parse_count("-1", 4, &count), LP_UNITS_NEGATIVE);
    assert_int_equal(lp_units_parse_count("", 4, &count), LP_UNITS_EMPTY);
    assert_int_equal(count, 77);
}

static void
test_centi(void **state)
{
    static const struct { const char *text; LpUnitsVerdict verdict; uint32_t centi; } CASES[] = {
        { "1.50", LP_UNITS_OK, 150 }, { "2", LP_UNITS_OK, 200 }, { "0.05", LP_UNITS_OK, 5 },
        { "1.5", LP_UNITS_OK, 150 }, { "1.500", LP_UNITS_OK, 150 },
        { "42949672.95", LP_UNITS_OK, UINT32_MAX }, { "42949672.96", LP_UNITS_OVERFLOW, 77 },
        /* A hundred times this is just below 2^64: the decimals must not carry it round. */
        { "184467440737095516.99", LP_UNITS_OVERFLOW, 77 }, { "0.005", LP_UNITS_FRACTION, 77 },
        { "1.", LP_UNITS_SYNTAX, 77 }, { "1,5", LP_UNITS_SYNTAX, 77 },
        { "-1", LP_UNITS_NEGATIVE, 77 },
        { "2cpu", LP_UNITS_SYNTAX, 77 }, { "", LP_UNITS_EMPTY, 77 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint32_t centi = 77;

        assert_int_equal(lp_units_parse_centi(CASES[i].text, &centi), CASES[i].verdict);
        assert_true(centi == CASES[i].centi);
    }
}

static void
test_format(void **state)
{
    static const struct { uint64_t bytes; const char *text; } CASES[] = {
        { 6 * GIB, "6 GiB" }, { 3 * GIB / 2, "1.5 GiB" }, { 514 * MIB, "514 MiB" },
        { 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" }, { KIB, "1 KiB" },
        { 5 * GIB / 4, "1.25 GiB" },
        { GIB + MIB, "1025 MiB" }, { GIB + 1, "1073741825 B" }, { 64 * TIB, "64 TiB" },
        { UINT64_MAX, "18446744073709551615 B" }, { 1536 * MIB, "1.5 GiB" },
        { 7 * TIB / 4, "1.75 TiB" },
    }, NEAR[] = {
        { 16 * GIB, "16 GiB" }, { 16512 * MIB, "16.12 GiB" }, { 500000000, "476.83 MiB" },
        { 0, "0 B" }, { 1023, "1023 B" }, { 1000 * MIB, "1000 MiB" }, { 3 * GIB / 2, "1.5 GiB" },
        { 5 * GIB / 4, "1.25 GiB" }, { 6 * GIB - 1, "5.99 GiB" }, { 6 * GIB + 1, "6.00 GiB" },
        { UINT64_MAX, "16383.99 PiB" },
    };
    char text[LP_UNITS_TEXT];

    (void) state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_string_equal(lp_units_format_bytes(CASES[i].bytes, text, sizeof(text)),
                            CASES[i].text);
    for (size_t i = 0; i < sizeof(NEAR) / sizeof(NEAR[0]); i++)
        assert_string_equal(lp_units_near_bytes(NEAR[i].bytes, text, sizeof(text)), NEAR[i].text);
    assert_string_equal(lp_units_format_centi(150, text, sizeof(text)), "1.50");
    assert_string_equal(lp_units_format_centi(5, text, sizeof(text)), "0.05");
    assert_string_equal(lp_units_format_centi(UINT32_MAX, text, sizeof(text)), "42949672.95");
}

static uint64_t
random_u64(void)
{
    return ((uint64_t) rand() << 42) ^ ((uint64_t) rand() << 21) ^ (uint64_t) rand();
}

/* What is written reads back as exactly what it was. */
static void
test_round_trip(void **state)
{
    char text[LP_UNITS_TEXT];

    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 100000; round++) {
        uint64_t bytes = random_u64() >> (rand() % 64), again;
        uint32_t centi = (uint32_t) (random_u64() >> (rand() % 32)), centi_again;

        bytes &= ~UINT64_C(0) << (rand() % 50);
        assert_int_equal(lp_units_parse_bytes(lp_units_format_bytes(bytes, text, sizeof(text)),
                                              &again), LP_UNITS_OK);
        assert_true(again == bytes);
        assert_int_equal(lp_units_parse_centi(lp_units_format_centi(centi, text, sizeof(text)),
                                              &centi_again), LP_UNITS_OK);
        assert_true(centi_again == centi);
    }
}

static void
test_random_text(void **state)
{
    static const char ALPHABET[] = "00112358..-KkMGgTiBb x";
    unsigned verdicts[LP_UNITS_FRACTION + 1] = { 0 };
    char text[28];

    (void) state;
    srand(SEED);
    for (unsigned round = 0; round < 300000; round++) {
        size_t len = (size_t) rand() % (sizeof(text) - 1);
        uint64_t bytes;
        uint32_t small;
        LpUnitsVerdict verdict;

        for (size_t i = 0; i < len; i++)
            text[i] = ALPHABET[(size_t) rand() % (sizeof(ALPHABET) - 1)];
        text[len] = '\0';
        verdict = lp_units_parse_bytes(text, &bytes);
        assert_true((unsigned) verdict <= LP_UNITS_FRACTION);
        verdicts[verdict]++;
        lp_units_parse_centi(text, &small);
        lp_units_parse_count(text, 100, &small);
    }
    for (size_t i = 0; i <= LP_UNITS_FRACTION; i++)
        assert_true(verdicts[i] > 0 || i == LP_UNITS_OVERFLOW);
}

static void
test_hints_differ(void **state)
{
    (void) state;
    for (int i = 0; i <= LP_UNITS_FRACTION; i++) {
        const char *hint = lp_units_hint((LpUnitsVerdict) i);

        assert_true(strlen(hint) > 10 && strlen(hint) < 150);
        assert_null(strchr(hint, '\n'));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(hint, lp_units_hint((LpUnitsVerdict) j));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bytes_refused),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_centi),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_hints_differ),
    };

    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
