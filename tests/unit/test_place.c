/* Placement: properties on seeded random cases, and a slow model on small ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "numa/place.h"

#define SEED 20261123u
#define MIB (1ULL << 20)
#define MODEL_CELLS 4

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void
test_levels_cells_of_one_node(void **state)
{
    LpPlaceCell cells[3] = {
        { .room_bytes = 4096, .size_bytes = 100, .grow_bytes = 1000, .block_bytes = 10 },
        { .room_bytes = 4096, .size_bytes = 300, .grow_bytes = 1000, .block_bytes = 10 },
        { .room_bytes = 4096, .size_bytes = 200, .grow_bytes = 1000, .block_bytes = 10 },
    };
    uint64_t shares[3];

    (void) state;
    assert_int_equal(lp_place_grow(cells, 3, 100, shares), 100);
    assert_int_equal(shares[0], 100);
    assert_int_equal(lp_place_grow(cells, 3, 300, shares), 300);
    assert_int_equal(shares[0], 200);
    assert_int_equal(shares[1], 0);
    assert_int_equal(shares[2], 100);
    /* A device that is full passes its part on. */
    cells[0].grow_bytes = 50;
    assert_int_equal(lp_place_grow(cells, 3, 300, shares), 300);
    assert_int_equal(shares[0], 50);
    assert_int_equal(shares[2] + cells[2].size_bytes, 380);
    assert_int_equal(shares[1] + cells[1].size_bytes, 370);
}

static void
test_fills_the_roomiest_node_first(void **state)
{
    LpPlaceCell cells[3] = {
        { .room_bytes = 500, .grow_bytes = 900, .block_bytes = 100, .node = 0 },
        { .room_bytes = 700, .grow_bytes = 900, .block_bytes = 100, .node = 1 },
        { .room_bytes = 500, .grow_bytes = 900, .block_bytes = 100, .node = 0 },
    };
    uint64_t shares[3];

    (void) state;
    assert_int_equal(lp_place_grow(cells, 3, 600, shares), 600);
    assert_int_equal(shares[1], 600);
    assert_int_equal(lp_place_grow(cells, 3, 900, shares), 900);
    assert_int_equal(shares[1], 700);
    assert_int_equal(shares[0], 100);
    assert_int_equal(shares[2], 100);
    /* 500 are on node 0 for both of its cells together. */
    assert_int_equal(lp_place_grow(cells, 3, 5000, shares), 1200);
    assert_int_equal(lp_place_grow(cells, 3, UINT64_MAX, shares), 1200);
}

static void
test_shrinks_the_biggest_first(void **state)
{
    LpPlaceCell cells[3] = {
        { .size_bytes = 1000, .shrink_bytes = 500, .block_bytes = 100 },
        { .size_bytes = 700, .shrink_bytes = 600, .block_bytes = 100, .node = 1 },
        { .size_bytes = 900, .shrink_bytes = 100, .block_bytes = 100, .node = 2 },
    };
    uint64_t shares[3];

    (void) state;
    assert_int_equal(lp_place_shrink(cells, 3, 100, shares), 100);
    assert_int_equal(shares[0], 100);
    assert_int_equal(lp_place_shrink(cells, 3, 400, shares), 400);
    assert_int_equal(shares[0], 300);
    assert_int_equal(shares[2], 100);
    assert_int_equal(lp_place_shrink(cells, 3, 600, shares), 600);
    assert_int_equal(shares[0], 400);
    assert_int_equal(shares[1], 100);
    assert_int_equal(lp_place_shrink(cells, 3, 9999, shares), 1200);
    /* Less than a block cannot be taken. */
    assert_int_equal(lp_place_shrink(cells, 3, 99, shares), 0);
}

static void
test_nothing_to_place(void **state)
{
    LpPlaceCell cell = { .room_bytes = 100, .grow_bytes = 100, .block_bytes = 0 };
    uint64_t share = 7;

    (void) state;
    assert_int_equal(lp_place_grow(NULL, 0, 100, &share), 0);
    assert_int_equal(lp_place_shrink(NULL, 0, 100, &share), 0);
    assert_int_equal(lp_place_grow(&cell, 1, 100, &share), 0);
    assert_int_equal(share, 0);
    cell.block_bytes = 10;
    assert_int_equal(lp_place_grow(&cell, 1, 9, &share), 0);
    assert_int_equal(lp_place_grow(&cell, 1, 0, &share), 0);
    assert_int_equal(share, 0);
}

/* Three cells on nodes of their own, all with room: what decides is named, one after the other. */
static void
test_what_makes_a_node_better(void **state)
{
    const LpPlaceCell plain[3] = {
        { .room_bytes = 8000, .grow_bytes = 9000, .block_bytes = 100, .node = 0 },
        { .room_bytes = 8000, .grow_bytes = 9000, .block_bytes = 100, .node = 1 },
        { .room_bytes = 8000, .grow_bytes = 9000, .block_bytes = 100, .node = 2 },
    };
    LpPlaceCell cells[3];
    uint64_t shares[3];

    (void) state;
    /* Nothing: the lowest id. */
    assert_int_equal(lp_place_grow(plain, 3, 1000, shares), 1000);
    assert_int_equal(shares[0], 1000);
    /* Where it fits closely, so that the big holes stay; but not to the last. */
    memcpy(cells, plain, sizeof(cells));
    cells[1].room_bytes = 3000;
    cells[2].room_bytes = 1000;
    assert_int_equal(lp_place_grow(cells, 3, 1000, shares), 1000);
    assert_int_equal(shares[1], 1000);
    /* Where it fits whole. */
    assert_int_equal(lp_place_grow(cells, 3, 4000, shares), 4000);
    assert_int_equal(shares[0], 4000);
    /* What the node has free for anybody makes the hole, not this partition's part of it. */
    cells[1].free_bytes = 50000;
    cells[2].room_bytes = 5000;
    assert_int_equal(lp_place_grow(cells, 3, 1000, shares), 1000);
    assert_int_equal(shares[2], 1000);
    /* A cell with little memory for its vCPUs goes before that. */
    for (size_t i = 0; i < 3; i++) {
        cells[i].vcpus = 4;
        cells[i].size_bytes = 4000;
    }
    cells[0].size_bytes = 1000;
    assert_int_equal(lp_place_grow(cells, 3, 1000, shares), 1000);
    assert_int_equal(shares[0], 1000);
    /* And distance before all: the near one as far as it goes, the rest where it is next best. */
    for (size_t i = 0; i < 3; i++)
        cells[i].distance = 2100;
    cells[2].distance = 1000;
    assert_int_equal(lp_place_grow(cells, 3, 6000, shares), 6000);
    assert_int_equal(shares[2], 5000);
    assert_int_equal(shares[0], 1000);
    /* Not where one of them is not known. */
    cells[0].distance = 0;
    assert_int_equal(lp_place_grow(cells, 3, 1000, shares), 1000);
    assert_int_equal(shares[0], 1000);
    /* What a rule would rather not have comes last, whatever else. */
    cells[0].distance = 2100;
    cells[2].outside = cells[0].outside = true;
    assert_int_equal(lp_place_grow(cells, 3, 4000, shares), 4000);
    assert_int_equal(shares[1], 3000);
    assert_int_equal(shares[2], 1000);
}

/* The first node is full: the second cell grows. */
static void
test_grows_where_there_is_room(void **state)
{
    LpPlaceCell cells[2] = {
        { .room_bytes = 0, .size_bytes = 100, .grow_bytes = 900, .block_bytes = 100, .node = 0,
          .distance = 1000 },
        { .room_bytes = 500, .size_bytes = 800, .grow_bytes = 900, .block_bytes = 100, .node = 1,
          .distance = 2100 },
    };
    uint64_t shares[2];

    (void) state;
    assert_int_equal(lp_place_grow(cells, 2, 400, shares), 400);
    assert_int_equal(shares[1], 400);
    assert_int_equal(lp_place_grow(cells, 2, 600, shares), 500);
    cells[0].room_bytes = 200;
    assert_int_equal(lp_place_grow(cells, 2, 600, shares), 600);
    assert_int_equal(shares[0], 200);
}

static void
test_levels_over_nodes(void **state)
{
    LpPlaceCell cells[4] = {
        { .room_bytes = 900, .size_bytes = 100, .grow_bytes = 900, .block_bytes = 10, .node = 0 },
        { .room_bytes = 100, .size_bytes = 100, .grow_bytes = 900, .block_bytes = 10, .node = 1 },
        { .room_bytes = 900, .size_bytes = 400, .grow_bytes = 900, .block_bytes = 10, .node = 2 },
        { .room_bytes = 100, .size_bytes = 0, .grow_bytes = 900, .block_bytes = 10, .node = 1 },
    };
    uint64_t shares[4];

    (void) state;
    assert_int_equal(lp_place_level(cells, 4, 600, shares), 600);
    /* Node 1 gives its 100 to the lower of its cells, the others stand level. */
    assert_int_equal(shares[3], 100);
    assert_int_equal(shares[1], 0);
    assert_int_equal(shares[0], 400);
    assert_int_equal(shares[2], 100);
    assert_int_equal(lp_place_level(cells, 4, UINT64_MAX, shares), 1900);
    assert_int_equal(lp_place_level(cells, 4, 0, shares), 0);
    assert_int_equal(lp_place_level(NULL, 0, 10, shares), 0);
}

static void
test_shrinks_the_remotest_first(void **state)
{
    LpPlaceCell cells[4] = {
        { .size_bytes = 1000, .shrink_bytes = 900, .block_bytes = 100, .distance = 1000 },
        { .size_bytes = 300, .shrink_bytes = 300, .block_bytes = 100, .distance = 2100 },
        { .size_bytes = 500, .shrink_bytes = 500, .block_bytes = 100, .distance = 2040 },
        { .size_bytes = 400, .shrink_bytes = 100, .block_bytes = 100, .distance = 1300 },
    };
    uint64_t shares[4];

    (void) state;
    /* Nearly as far is as far: those two are levelled. */
    assert_int_equal(lp_place_shrink(cells, 4, 400, shares), 400);
    assert_int_equal(shares[1], 100);
    assert_int_equal(shares[2], 300);
    assert_int_equal(lp_place_shrink(cells, 4, 1000, shares), 1000);
    assert_int_equal(shares[3], 100);
    assert_int_equal(shares[0], 100);
    /* What its rule would not have there goes before. */
    cells[3].outside = true;
    assert_int_equal(lp_place_shrink(cells, 4, 100, shares), 100);
    assert_int_equal(shares[3], 100);
    /* One that is not known: all are alike. */
    cells[3].outside = false;
    cells[1].distance = 0;
    assert_int_equal(lp_place_shrink(cells, 4, 500, shares), 500);
    assert_int_equal(shares[0], 500);
}

/* The rule itself, a block at a time: of the cells of a node that can take one, the one that is
 * then lowest. */
static uint64_t
model_grow_node(const LpPlaceCell *cells, size_t n, int32_t node, uint64_t budget,
                uint64_t *shares)
{
    uint64_t given = 0;

    for (;;) {
        size_t best = n;

        for (size_t i = 0; i < n; i++) {
            if (cells[i].node != node || cells[i].block_bytes > budget - given ||
                shares[i] + cells[i].block_bytes > cells[i].grow_bytes)
                continue;
            if (best == n || cells[i].size_bytes + shares[i] + cells[i].block_bytes <
                                 cells[best].size_bytes + shares[best] + cells[best].block_bytes)
                best = i;
        }
        if (best == n)
            return given;
        shares[best] += cells[best].block_bytes;
        given += cells[best].block_bytes;
    }
}

static int
compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return x < y ? -1 : x > y;
}

/* All small cases of two cells on one node: the same sum and the same levels as the model. */
static void
test_small_cases_against_the_model(void **state)
{
    unsigned n_cases = 0;

    (void) state;
    for (unsigned code = 0; code < 4 * 4 * 4 * 4 * 2 * 2 * 8; code++) {
        unsigned c = code;
        LpPlaceCell cells[2] = { { 0 } };
        uint64_t bytes, room, shares[2], model[2] = { 0 }, sum, levels[2], model_levels[2];

        for (size_t i = 0; i < 2; i++) {
            cells[i].size_bytes = c % 4 * 3;
            c /= 4;
            cells[i].grow_bytes = c % 4 * 4;
            c /= 4;
            cells[i].block_bytes = 2 + c % 2;
            c /= 2;
        }
        room = c * 3;
        for (bytes = 0; bytes < 20; bytes += 3) {
            cells[0].room_bytes = cells[1].room_bytes = room;
            sum = lp_place_grow(cells, 2, bytes, shares);
            memset(model, 0, sizeof(model));
            assert_int_equal(sum, model_grow_node(cells, 2, 0, min_u64(bytes, room), model));
            for (size_t i = 0; i < 2; i++) {
                levels[i] = cells[i].size_bytes + shares[i];
                model_levels[i] = cells[i].size_bytes + model[i];
            }
            /* Equal cells may swap their shares. */
            qsort(levels, 2, sizeof(levels[0]), compare_u64);
            qsort(model_levels, 2, sizeof(levels[0]), compare_u64);
            assert_memory_equal(levels, model_levels, sizeof(levels));
            n_cases++;
        }
    }
    print_message("# %u cases\n", n_cases);
}

static uint64_t
random_amount(void)
{
    static const uint64_t SCALES[] = { 1, 16, MIB, 512 * MIB, 1ULL << 40, 1ULL << 60 };

    return (uint64_t) (rand() % 20) * SCALES[(size_t) rand() % 6];
}

static void
random_cells(LpPlaceCell *cells, size_t n)
{
    uint64_t room[4], free[4];
    uint32_t distance[4];
    bool outside[4];

    for (size_t i = 0; i < 4; i++) {
        room[i] = random_amount();
        free[i] = rand() % 2 ? 0 : room[i] + random_amount();
        distance[i] = rand() % 8 ? 1000 + (uint32_t) rand() % 30 * 50 : 0;
        outside[i] = rand() % 4 == 0;
    }
    for (size_t i = 0; i < n; i++) {
        cells[i].node = rand() % 4;
        cells[i].room_bytes = room[cells[i].node];
        cells[i].size_bytes = random_amount();
        cells[i].grow_bytes = random_amount();
        cells[i].shrink_bytes = random_amount();
        cells[i].block_bytes = rand() % 4 ? 2 * MIB : 1 + random_amount();
        cells[i].distance = distance[cells[i].node];
        cells[i].free_bytes = free[cells[i].node];
        cells[i].vcpus = (uint32_t) rand() % 3;
        cells[i].outside = outside[cells[i].node];
    }
}

static void
check_shares(const LpPlaceCell *cells, size_t n, uint64_t bytes, const uint64_t *shares,
             uint64_t sum, bool grow)
{
    uint64_t total = 0, node_total[4] = { 0 };

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(shares[i] % cells[i].block_bytes, 0);
        assert_true(shares[i] <= (grow ? cells[i].grow_bytes : cells[i].shrink_bytes));
        if (!grow)
            assert_true(shares[i] <= cells[i].size_bytes);
        total += shares[i];
        node_total[cells[i].node] += shares[i];
        if (grow)
            assert_true(node_total[cells[i].node] <= cells[i].room_bytes);
    }
    assert_true(total == sum);
    assert_true(sum <= bytes);
    /* Nothing that would still fit is left: no cell could take one block more. */
    for (size_t i = 0; i < n; i++) {
        uint64_t limit = grow ? min_u64(cells[i].grow_bytes, UINT64_MAX - cells[i].size_bytes)
                              : min_u64(cells[i].shrink_bytes, cells[i].size_bytes);
        bool fits = shares[i] + cells[i].block_bytes <= limit &&
                    cells[i].block_bytes <= bytes - sum;

        if (grow)
            fits = fits && node_total[cells[i].node] + cells[i].block_bytes <= cells[i].room_bytes;
        assert_false(fits);
    }
}

static uint64_t
limit_of(const LpPlaceCell *cell, uint64_t bytes)
{
    return bytes - bytes % cell->block_bytes;
}

/* Nothing comes to where the rule would not have it while another can take a block more. */
static void
check_rule_first(const LpPlaceCell *cells, size_t n, const uint64_t *shares)
{
    uint64_t on[4] = { 0 }, given = 0;

    for (size_t i = 0; i < n; i++) {
        on[cells[i].node] += shares[i];
        given += cells[i].outside ? shares[i] : 0;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t most = min_u64(cells[i].grow_bytes, UINT64_MAX - cells[i].size_bytes);

        assert_false(!cells[i].outside && cells[i].block_bytes <= given &&
                     shares[i] + cells[i].block_bytes <= most &&
                     on[cells[i].node] + cells[i].block_bytes <= cells[i].room_bytes);
    }
}

/* No cell that was given something stands higher than one which could have had it. */
static void
check_level(const LpPlaceCell *cells, size_t n, const uint64_t *shares)
{
    uint64_t on[4] = { 0 };

    for (size_t i = 0; i < n; i++)
        on[cells[i].node] += shares[i];
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            uint64_t most = min_u64(cells[j].grow_bytes, UINT64_MAX - cells[j].size_bytes);

            if (shares[i] == 0 || cells[i].block_bytes != cells[j].block_bytes ||
                shares[j] + cells[j].block_bytes > most ||
                on[cells[j].node] + cells[j].block_bytes > cells[j].room_bytes)
                continue;
            assert_true(cells[i].size_bytes + shares[i] <=
                        cells[j].size_bytes + shares[j] + cells[j].block_bytes);
        }
    }
}

/* Nothing leaves a near cell while a clearly remoter one has a block to give. */
static void
check_remotest_first(const LpPlaceCell *cells, size_t n, const uint64_t *shares)
{
    bool are_known = true;

    for (size_t i = 0; i < n; i++)
        are_known &= cells[i].distance > 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            uint64_t most = limit_of(&cells[j], min_u64(cells[j].shrink_bytes,
                                                        cells[j].size_bytes));
            bool before = cells[j].outside != cells[i].outside
                              ? cells[j].outside
                              : are_known && cells[j].distance > cells[i].distance + LP_PLACE_NEAR;

            if (before && shares[i] > 0 && shares[j] < most)
                assert_true(cells[j].block_bytes > shares[i]);
        }
    }
}

static void
test_properties(void **state)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint64_t shares[LP_MAX_CELLS];

    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 4000; round++) {
        size_t n = 1 + (size_t) rand() % (round % 50 == 0 ? LP_MAX_CELLS : 6);
        uint64_t bytes = random_amount(), sum;

        random_cells(cells, n);
        sum = lp_place_grow(cells, n, bytes, shares);
        check_shares(cells, n, bytes, shares, sum, true);
        check_rule_first(cells, n, shares);
        sum = lp_place_level(cells, n, bytes, shares);
        check_shares(cells, n, bytes, shares, sum, true);
        check_level(cells, n, shares);
        sum = lp_place_shrink(cells, n, bytes, shares);
        check_shares(cells, n, bytes, shares, sum, false);
        check_remotest_first(cells, n, shares);
    }
}

/* The caller's order changes nothing but which of two equal cells is which. */
static void
test_order_does_not_matter(void **state)
{
    LpPlaceCell cells[6], shuffled[6];
    uint64_t shares[6], shares_again[6];

    (void) state;
    srand(SEED + 1);
    for (unsigned round = 0; round < 4000; round++) {
        size_t n = 1 + (size_t) rand() % 6, order[6];
        uint64_t bytes = random_amount();
        bool grow = rand() % 2;

        random_cells(cells, n);
        for (size_t i = 0; i < n; i++)
            order[i] = i;
        for (size_t i = n - 1; i > 0; i--) {
            size_t j = (size_t) rand() % (i + 1), kept = order[i];

            order[i] = order[j];
            order[j] = kept;
        }
        for (size_t i = 0; i < n; i++)
            shuffled[i] = cells[order[i]];
        assert_true((grow ? lp_place_grow : lp_place_shrink)(cells, n, bytes, shares) ==
                    (grow ? lp_place_grow : lp_place_shrink)(shuffled, n, bytes, shares_again));
        for (size_t i = 0; i < n; i++) {
            bool has_twin = false;

            for (size_t j = 0; j < n; j++)
                has_twin |= j != order[i] && cells[j].node == cells[order[i]].node &&
                            cells[j].size_bytes == cells[order[i]].size_bytes &&
                            cells[j].block_bytes == cells[order[i]].block_bytes;
            for (size_t j = 0; !grow && j < n; j++)
                has_twin |= j != order[i] && cells[j].size_bytes == cells[order[i]].size_bytes &&
                            cells[j].block_bytes == cells[order[i]].block_bytes;
            if (!has_twin)
                assert_true(shares_again[i] == shares[order[i]]);
        }
    }
}

/* Terabytes in the smallest blocks are placed in no time. */
static void
test_huge_amounts(void **state)
{
    LpPlaceCell cells[LP_MAX_CELLS];
    uint64_t shares[LP_MAX_CELLS];

    (void) state;
    for (size_t i = 0; i < LP_MAX_CELLS; i++)
        cells[i] = (LpPlaceCell) { .room_bytes = 1ULL << 46, .size_bytes = i * MIB,
                                   .grow_bytes = 1ULL << 46, .block_bytes = 2 * MIB };
    assert_true(lp_place_grow(cells, LP_MAX_CELLS, UINT64_MAX, shares) == 1ULL << 46);
    for (size_t i = 1; i < LP_MAX_CELLS; i++) {
        uint64_t a = cells[i - 1].size_bytes + shares[i - 1];
        uint64_t b = cells[i].size_bytes + shares[i];

        assert_true((a > b ? a - b : b - a) <= 2 * MIB);
    }
}

/* Before anything runs memory follows the vCPUs, whatever room there is. */
static void
test_start(void **state)
{
    LpPlaceCell cells[3] = {
        { .grow_bytes = 8000, .block_bytes = 10, .node = 0, .vcpus = 3 },
        { .grow_bytes = 8000, .block_bytes = 10, .node = 1, .vcpus = 1 },
        { .grow_bytes = 8000, .block_bytes = 10, .node = 2 },
    };
    uint64_t shares[3];

    (void) state;
    assert_int_equal(lp_place_start(cells, 3, 6400, shares), 6400);
    assert_in_range(shares[0], 4700, 4900);
    assert_int_equal(shares[0] + shares[1], 6400);
    /* What one has by its boot memory counts, and no device holds more than it can. */
    cells[1].size_bytes = 1000;
    cells[0].grow_bytes = 1500;
    assert_int_equal(lp_place_start(cells, 3, 2000, shares), 2000);
    assert_int_equal(shares[0], 1500);
    assert_int_equal(lp_place_start(cells, 3, UINT64_MAX, shares), 17500);
    assert_int_equal(lp_place_start(cells, 3, 9, shares), 0);
    /* No vCPU is known: alike. */
    cells[0].vcpus = cells[1].vcpus = 0;
    assert_int_equal(lp_place_start(cells, 3, 2000, shares), 2000);
    assert_int_equal(shares[0], 1000);
    assert_int_equal(shares[1], 0);
    assert_int_equal(shares[2], 1000);
    assert_int_equal(lp_place_start(NULL, 0, 10, shares), 0);
}

static void
test_vcpus_follow_memory(void **state)
{
    LpPlaceCell cells[3] = {
        { .size_bytes = 1024 * MIB }, { .size_bytes = 3072 * MIB }, { .size_bytes = 0 },
    };
    uint32_t running[3] = { 0 }, free_vcpus[3] = { 4, 4, 4 };

    (void) state;
    assert_int_equal(lp_place_vcpu_add(cells, running, free_vcpus, 3), 1);
    for (unsigned i = 0; i < 8; i++) {
        int cell = lp_place_vcpu_add(cells, running, free_vcpus, 3);

        assert_true(cell >= 0);
        running[cell]++;
        free_vcpus[cell]--;
    }
    /* 3 to 1 by memory as far as the vCPUs go, and the cell without memory is the last. */
    assert_int_equal(running[1], 4);
    assert_int_equal(running[0], 3);
    assert_int_equal(running[2], 1);
    free_vcpus[0] = free_vcpus[1] = free_vcpus[2] = 0;
    assert_int_equal(lp_place_vcpu_add(cells, running, free_vcpus, 3), -1);
    assert_int_equal(lp_place_vcpu_remove(cells, running, free_vcpus, 3), -1);
    assert_int_equal(lp_place_vcpu_add(cells, running, free_vcpus, 0), -1);
}

/* Taking away undoes giving, whatever the cells are. */
static void
test_vcpu_removal_undoes_adding(void **state)
{
    LpPlaceCell cells[MODEL_CELLS];

    (void) state;
    srand(SEED + 2);
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t running[MODEL_CELLS], free_vcpus[MODEL_CELLS], total_free = 0, total = 0;

        for (size_t i = 0; i < MODEL_CELLS; i++) {
            cells[i].size_bytes = random_amount();
            running[i] = (uint32_t) rand() % 5;
            free_vcpus[i] = (uint32_t) rand() % 5;
            total_free += free_vcpus[i];
            total += running[i];
        }
        for (uint32_t n = 0; n < total_free; n++) {
            int cell = lp_place_vcpu_add(cells, running, free_vcpus, MODEL_CELLS);

            assert_true(cell >= 0 && free_vcpus[cell] > 0);
            free_vcpus[cell]--;
            running[cell]++;
        }
        assert_int_equal(lp_place_vcpu_add(cells, running, free_vcpus, MODEL_CELLS), -1);
        for (uint32_t n = 0; n < total + total_free; n++) {
            int cell = lp_place_vcpu_remove(cells, running, running, MODEL_CELLS);

            assert_true(cell >= 0 && running[cell] > 0);
            /* No other removable cell is denser. */
            for (size_t i = 0; i < MODEL_CELLS; i++) {
                unsigned __int128 other = (unsigned __int128) running[i] *
                                          (cells[cell].size_bytes ? cells[cell].size_bytes : 1);
                unsigned __int128 chosen = (unsigned __int128) running[cell] *
                                           (cells[i].size_bytes ? cells[i].size_bytes : 1);

                assert_true(running[i] == 0 || chosen >= other);
            }
            running[cell]--;
        }
        assert_int_equal(lp_place_vcpu_remove(cells, running, running, MODEL_CELLS), -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_cells_of_one_node),
        cmocka_unit_test(test_fills_the_roomiest_node_first),
        cmocka_unit_test(test_shrinks_the_biggest_first),
        cmocka_unit_test(test_what_makes_a_node_better),
        cmocka_unit_test(test_grows_where_there_is_room),
        cmocka_unit_test(test_levels_over_nodes),
        cmocka_unit_test(test_shrinks_the_remotest_first),
        cmocka_unit_test(test_nothing_to_place),
        cmocka_unit_test(test_small_cases_against_the_model),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_huge_amounts),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_vcpus_follow_memory),
        cmocka_unit_test(test_vcpu_removal_undoes_adding),
    };

    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
