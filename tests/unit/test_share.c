/* Sharing, case by case: what each rule gives in figures that can be checked by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/share.h"

#define ALONE LP_SHARE_ALONE
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* floor, entitled, want, weight, priority, group */
static LpClaim
claim(uint64_t key, uint64_t floor, uint64_t entitled, uint64_t want, uint32_t weight,
      uint32_t priority, uint32_t group)
{
    return (LpClaim) { .key = key, .floor = floor, .entitled = entitled, .want = want,
                       .weight = weight, .priority = priority, .group = group };
}

static void
expect(const LpClaim *claims, size_t n, const uint64_t *given)
{
    for (size_t i = 0; i < n; i++) {
        if (claims[i].given != given[i])
            print_message("# claim %zu\n", i);
        assert_int_equal(claims[i].given, given[i]);
    }
}

#define EXPECT(claims, ...) \
    do { \
        const uint64_t expected_[] = { __VA_ARGS__ }; \
        expect(claims, COUNT(expected_), expected_); \
    } while (0)

static void
test_nothing_to_share(void **state)
{
    LpShareGroup group = { .max = 5, .given = 9 };

    (void) state;
    assert_int_equal(lp_share(NULL, 0, NULL, 0, 100, 1), 100);
    assert_int_equal(lp_share(NULL, 0, &group, 1, 100, 0), 100);
    assert_int_equal(group.given, 0);
}

static void
test_everybody_fits(void **state)
{
    LpClaim claims[] = { claim(1, 10, 20, 30, 1, 0, ALONE), claim(2, 0, 0, 70, 0, 0, ALONE) };

    (void) state;
    assert_int_equal(lp_share(claims, 2, NULL, 0, 101, 1), 1);
    EXPECT(claims, 30, 70);
    assert_false(claims[0].rationed || claims[1].rationed);
}

static void
test_spare_goes_by_weight(void **state)
{
    LpClaim claims[] = { claim(1, 0, 10, 1000, 1, 0, ALONE), claim(2, 0, 10, 1000, 3, 0, ALONE),
                         claim(3, 0, 10, 12, 100, 0, ALONE) };

    (void) state;
    assert_int_equal(lp_share(claims, 3, NULL, 0, 72, 1), 0);
    EXPECT(claims, 20, 40, 12);
    assert_true(claims[0].rationed && claims[1].rationed && !claims[2].rationed);
}

static void
test_unwanted_entitlement_is_others(void **state)
{
    LpClaim claims[] = { claim(1, 5, 90, 10, 1, 0, ALONE), claim(2, 5, 10, 200, 1, 0, ALONE) };

    (void) state;
    assert_int_equal(lp_share(claims, 2, NULL, 0, 100, 1), 0);
    EXPECT(claims, 10, 90);
}

static void
test_priorities(void **state)
{
    LpClaim claims[] = { claim(1, 0, 10, 100, 1, 0, ALONE), claim(2, 0, 10, 60, 1, 7, ALONE),
                         claim(3, 0, 10, 100, 9, 0, ALONE), claim(4, 0, 0, 10, 0, 7, ALONE) };

    (void) state;
    assert_int_equal(lp_share(claims, 4, NULL, 0, 100, 1), 0);
    EXPECT(claims, 12, 60, 28, 0);     /* weight 0 comes after all, its priority regardless */
    assert_int_equal(lp_share(claims, 4, NULL, 0, 265, 1), 0);
    EXPECT(claims, 100, 60, 100, 5);
}

static void
test_bases_do_not_fit(void **state)
{
    LpClaim claims[] = { claim(1, 10, 50, 80, 1, 0, ALONE), claim(2, 20, 100, 100, 9, 7, ALONE),
                         claim(3, 40, 40, 90, 200, 7, ALONE) };

    (void) state;
    /* 30 beyond the floors, to 40 : 80 : 0. */
    assert_int_equal(lp_share(claims, 3, NULL, 0, 100, 1), 0);
    EXPECT(claims, 20, 40, 40);
}

static void
test_floors_stay(void **state)
{
    LpClaim claims[] = { claim(1, 60, 0, 0, 1, 0, ALONE), claim(2, 60, 80, 90, 1, 0, ALONE) };

    (void) state;
    assert_int_equal(lp_share(claims, 2, NULL, 0, 100, 1), 0);
    EXPECT(claims, 60, 60);
    assert_false(claims[0].rationed);
    assert_true(claims[1].rationed);
}

static void
test_rest_by_key(void **state)
{
    LpClaim claims[] = { claim(9, 0, 0, 10, 1, 0, ALONE), claim(3, 0, 0, 10, 1, 0, ALONE),
                         claim(UINT64_MAX, 0, 0, 10, 1, 0, ALONE) };

    (void) state;
    assert_int_equal(lp_share(claims, 3, NULL, 0, 11, 1), 0);
    EXPECT(claims, 4, 4, 3);
    assert_int_equal(lp_share(claims, 3, NULL, 0, 10, 1), 0);
    EXPECT(claims, 3, 4, 3);
}

static void
test_equal_keys(void **state)
{
    LpClaim claims[] = { claim(5, 0, 0, 10, 1, 0, ALONE), claim(5, 0, 0, 10, 1, 0, ALONE),
                         claim(1, 0, 0, 10, 1, 0, ALONE), claim(5, 0, 0, 10, 1, 0, ALONE) };

    (void) state;
    assert_int_equal(lp_share(claims, 4, NULL, 0, 14, 1), 0);
    EXPECT(claims, 4, 3, 4, 3);
}

static void
test_quantum(void **state)
{
    LpClaim claims[] = { claim(1, 3, 25, 100, 1, 0, ALONE), claim(2, 0, 0, 19, 1, 0, ALONE),
                         claim(3, 7, 0, 9, 1, 0, ALONE) };

    (void) state;
    /* 90 beyond the floors are 9 quanta: 2 entitled, 1 to the second, 6 to the first. */
    assert_int_equal(lp_share(claims, 3, NULL, 0, 100, 10), 0);
    EXPECT(claims, 83, 10, 7);
    assert_true(claims[0].rationed);
    assert_false(claims[1].rationed || claims[2].rationed);   /* by less than a quantum */
    assert_int_equal(lp_share(claims, 3, NULL, 0, 95, 10), 5);
}

static void
test_pool_maximum(void **state)
{
    LpShareGroup groups[] = { { .max = 30 } };
    LpClaim claims[] = { claim(1, 0, 10, 100, 1, 0, 0), claim(2, 0, 10, 100, 4, 0, 0),
                         claim(3, 0, 10, 100, 1, 0, ALONE), claim(4, 0, 0, 5, 1, 0, 7) };

    (void) state;
    assert_int_equal(lp_share(claims, 4, groups, 1, 100, 1), 0);
    EXPECT(claims, 12, 18, 65, 5);
    assert_int_equal(groups[0].given, 30);
    /* Where the maximum does not hold the entitlements, not those either. */
    groups[0].max = 10;
    assert_int_equal(lp_share(claims, 4, groups, 1, 100, 1), 0);
    EXPECT(claims, 5, 5, 85, 5);
    /* And never the floors. */
    claims[0].floor = claims[1].floor = 10;
    assert_int_equal(lp_share(claims, 4, groups, 1, 200, 1), 75);
    EXPECT(claims, 10, 10, 100, 5);
    assert_int_equal(groups[0].given, 20);
}

static void
test_pool_and_priority(void **state)
{
    LpShareGroup groups[] = { { .max = 30 } };
    LpClaim claims[] = { claim(1, 0, 0, 25, 1, 5, 0), claim(2, 0, 0, 25, 9, 0, 0),
                         claim(3, 0, 0, 25, 1, 5, ALONE), claim(4, 0, 0, 99, 1, 0, ALONE) };

    (void) state;
    /* The first fills its pool but for 5; 10 are left at priority 0, of which it can take 5. */
    assert_int_equal(lp_share(claims, 4, groups, 1, 60, 1), 0);
    EXPECT(claims, 25, 5, 25, 5);
    assert_int_equal(lp_share(claims, 4, groups, 1, 54, 1), 0);
    EXPECT(claims, 25, 4, 25, 0);
}

static void
test_pool_reserve(void **state)
{
    LpShareGroup groups[] = { { .reserved = 20, .max = 100 }, { .reserved = 8, .max = 4 } };
    LpClaim claims[] = { claim(1, 0, 10, 50, 1, 0, 0), claim(2, 0, 10, 50, 3, 0, 0),
                         claim(3, 0, 10, 99, 4, 0, ALONE), claim(4, 0, 2, 50, 1, 0, 1) };

    (void) state;
    /* 68 to spare: 20 and 2 are reserved, 46 go by 1 : 3 : 4. */
    assert_int_equal(lp_share(claims, 4, groups, 2, 100, 1), 0);
    EXPECT(claims, 10 + 5 + 6, 10 + 15 + 17, 10 + 23, 4);
    /* What is not wanted of it is others'. */
    claims[0].want = claims[1].want = 12;
    assert_int_equal(lp_share(claims, 4, groups, 2, 100, 1), 0);
    EXPECT(claims, 12, 12, 72, 4);
    /* What the host has not is not theirs: 11 to 20 : 2. */
    claims[0].want = claims[1].want = 50;
    assert_int_equal(lp_share(claims, 4, groups, 2, 43, 1), 0);
    EXPECT(claims, 10 + 3, 10 + 7, 10, 2 + 1);
}

static void
test_hostile(void **state)
{
    const uint64_t most = UINT64_MAX;
    LpShareGroup groups[] = { { .reserved = UINT64_MAX, .max = UINT64_MAX } };
    LpClaim claims[] = {
        claim(1, 0, most, most, UINT32_MAX, UINT32_MAX, 0),
        claim(2, 0, 0, most, UINT32_MAX, UINT32_MAX, 0), claim(3, 0, 0, most, 1, 0, ALONE),
    };

    (void) state;
    assert_int_equal(lp_share(claims, 3, groups, 1, most, 1), 0);
    EXPECT(claims, most, 0, 0);
    claims[0].entitled = 0;
    assert_int_equal(lp_share(claims, 3, groups, 1, most, 1), 0);
    EXPECT(claims, most / 2 + 1, most / 2, 0);
    claims[0].floor = claims[1].floor = most;
    assert_int_equal(lp_share(claims, 3, groups, 1, most, most), 0);
    EXPECT(claims, most, most, 0);
    assert_int_equal(groups[0].given, most);
    claims[0].floor = claims[1].floor = 0;
    for (int i = 0; i < 3; i++)
        claims[i].weight = 0;
    assert_int_equal(lp_share(claims, 3, NULL, 0, 9, 0), 0);
    EXPECT(claims, 5, 4, 0);
}

static void
test_donors(void **state)
{
    /* Equal weights and sizes: the idle one first; then by weight per size. */
    LpDonor donors[] = {
        { .key = 1, .weight = 100, .size = 1000, .active = 1000, .index = 0 },
        { .key = 2, .weight = 100, .size = 1000, .active = 0, .index = 1 },
        { .key = 3, .weight = 400, .size = 1000, .active = 0, .index = 2 },
        { .key = 4, .weight = 0, .size = 10, .active = 10, .index = 3 },
        { .key = 5, .weight = 0, .size = 0, .active = 0, .index = 4 },
        { .key = 6, .weight = 100, .size = 4000, .active = 9000, .index = 5 },
    };
    /* Prices at a tax of 0.75: .1, .025, .1, 0, -, .025; so keys decide twice. */
    const size_t taxed[] = { 3, 1, 5, 0, 2, 4 };
    /* Untaxed: .1, .1, .4, 0, -, .025. */
    const size_t untaxed[] = { 3, 5, 0, 1, 2, 4 };

    (void) state;
    lp_share_sort_donors(NULL, 0, 7500);
    lp_share_sort_donors(donors, COUNT(donors), 7500);
    for (size_t i = 0; i < COUNT(donors); i++)
        assert_int_equal(donors[i].index, taxed[i]);
    lp_share_sort_donors(donors, COUNT(donors), 0);
    for (size_t i = 0; i < COUNT(donors); i++)
        assert_int_equal(donors[i].index, untaxed[i]);
}

/* Products of 2^64, 2^32 and 10^4 that differ in the last bit. */
static void
test_donors_exactly(void **state)
{
    LpDonor donors[] = {
        { .key = 1, .weight = UINT32_MAX, .size = UINT64_MAX - 1, .index = 0 },
        { .key = 2, .weight = UINT32_MAX, .size = UINT64_MAX, .index = 1 },
        { .key = 3, .weight = UINT32_MAX, .size = UINT64_MAX, .active = 1, .index = 2 },
    };

    (void) state;
    lp_share_sort_donors(donors, 3, 9999);
    assert_int_equal(donors[0].index, 1);
    assert_int_equal(donors[1].index, 2);
    assert_int_equal(donors[2].index, 0);
    lp_share_sort_donors(donors, 3, UINT32_MAX);
    assert_int_equal(donors[0].index, 1);
    assert_int_equal(donors[1].index, 0);      /* the same as one less, and the lower key */
    assert_int_equal(donors[2].index, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_share),
        cmocka_unit_test(test_everybody_fits),
        cmocka_unit_test(test_spare_goes_by_weight),
        cmocka_unit_test(test_unwanted_entitlement_is_others),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_bases_do_not_fit),
        cmocka_unit_test(test_floors_stay),
        cmocka_unit_test(test_rest_by_key),
        cmocka_unit_test(test_equal_keys),
        cmocka_unit_test(test_quantum),
        cmocka_unit_test(test_pool_maximum),
        cmocka_unit_test(test_pool_and_priority),
        cmocka_unit_test(test_pool_reserve),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_donors),
        cmocka_unit_test(test_donors_exactly),
    };

    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
