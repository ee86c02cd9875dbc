/* Sums by node that follow each change, against a sum of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "numa/ledger.h"

#define SEED 20261124u
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define DOMAINS 40
#define ROUNDS 3000

static LpTopology topology;

/* Nodes of 8, 0, 4 and 4 GiB; 1 is near 0, 3 near 2. */
static int
set_up(void **state)
{
    static const uint64_t gib[] = { 8, 0, 4, 4 };

    (void) state;
    memset(&topology, 0, sizeof(topology));
    topology.n_nodes = 4;
    topology.n_cpus = 12;
    for (uint32_t n = 0; n < 4; n++) {
        topology.nodes[n].id = n * 3;
        topology.nodes[n].memory_bytes = gib[n] * GIB;
        for (unsigned c = 0; n < 3 && c < 4; c++)
            lp_cpumask_add(&topology.nodes[n].cpus, n * 4 + c);
        for (uint32_t m = 0; m < 4; m++)
            topology.distance[n][m] = n == m ? 10 : n / 2 == m / 2 ? 16 : 28;
    }
    return 0;
}

static uint64_t
random_amount(void)
{
    return (uint64_t) (rand() % 40) * (rand() % 4 ? 8 * MIB : MIB / 2) + (uint64_t) (rand() % 3);
}

static void
random_charge(LpCharge *charge)
{
    uint64_t sum = 0;

    lp_charge_clear(charge);
    for (int i = rand() % 6; i > 0; i--) {
        uint64_t bytes = random_amount();

        lp_charge_add(charge, &topology, rand() % 6 - 1, bytes, (uint32_t) rand() % 4,
                      rand() % 8 ? 0 : random_amount());
        sum += bytes;
    }
    lp_charge_close(charge, sum + random_amount());
    charge->placed = rand() % 2;
    charge->centi = (uint32_t) rand() % 400;
}

static void
assert_same(const LpLedger *a, const LpLedger *b)
{
    assert_memory_equal(a, b, sizeof(*a));
}

static void
test_follows_changes(void **state)
{
    static LpCharge charges[DOMAINS];
    LpLedger ledger = { 0 };
    bool is_in[DOMAINS] = { false };

    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned at = (unsigned) rand() % DOMAINS;
        uint64_t rooms[LP_MAX_NODES], without[LP_MAX_NODES];
        LpLedger all = { 0 }, others = { 0 };

        if (is_in[at])
            lp_ledger_remove(&ledger, &charges[at]);
        is_in[at] = rand() % 4 > 0;
        random_charge(&charges[at]);
        if (is_in[at])
            lp_ledger_add(&ledger, &charges[at]);
        for (unsigned i = 0; i < DOMAINS; i++) {
            if (is_in[i])
                lp_ledger_add(&all, &charges[i]);
        }
        assert_same(&ledger, &all);
        if (!is_in[at])
            continue;
        for (unsigned i = 0; i < DOMAINS; i++) {
            LpCharge coming = charges[i];

            /* Of the one that is left out, what is coming is counted still. */
            for (uint32_t p = 0; i == at && p < coming.n_parts; p++)
                coming.parts[p].bytes = 0;
            if (i == at)
                coming.loose_mib = coming.bytes = 0;
            if (is_in[i])
                lp_ledger_add(&others, &coming);
        }
        lp_ledger_rooms(&ledger, &topology, 100 * MIB, &charges[at], rooms);
        lp_ledger_rooms(&others, &topology, 100 * MIB, NULL, without);
        assert_memory_equal(rooms, without, topology.n_nodes * sizeof(rooms[0]));
    }
}

static void
charge_on(LpLedger *ledger, int node, uint64_t bytes, uint64_t all, bool placed)
{
    LpCharge charge;

    lp_charge_clear(&charge);
    lp_charge_add(&charge, &topology, node, bytes, 2, 0);
    lp_charge_close(&charge, all);
    charge.placed = placed;
    lp_ledger_add(ledger, &charge);
}

static void
test_rooms(void **state)
{
    LpLedger ledger = { 0 };
    uint64_t rooms[LP_MAX_NODES];
    uint32_t vcpus[LP_MAX_NODES];

    (void) state;
    /* 1 GiB of QEMU's own is shared by size: a half, nothing, a quarter, a quarter. */
    charge_on(&ledger, 0, 2 * GIB, 3 * GIB, true);
    charge_on(&ledger, 2, GIB, GIB, false);
    lp_ledger_rooms(&ledger, &topology, 0, NULL, rooms);
    assert_int_equal(rooms[0], 8 * GIB - 2 * GIB - GIB / 2);
    assert_int_equal(rooms[1], 0);
    assert_int_equal(rooms[2], 4 * GIB - GIB - GIB / 4);
    assert_int_equal(rooms[3], 4 * GIB - GIB / 4);
    /* What a layout places is its own to place. */
    lp_ledger_placeable(&ledger, &topology, 0, rooms);
    assert_int_equal(rooms[0], 8 * GIB - GIB / 2);
    assert_int_equal(rooms[2], 4 * GIB - GIB - GIB / 4);
    /* A reserve, too. */
    lp_ledger_rooms(&ledger, &topology, 4 * GIB, NULL, rooms);
    assert_int_equal(rooms[3], 3 * GIB - GIB / 4);
    assert_int_equal(lp_ledger_part(&topology, 0, 4 * GIB), 2 * GIB);
    /* 5 GiB on a node of 4 lie on the next one, and then on those far away. */
    memset(&ledger, 0, sizeof(ledger));
    charge_on(&ledger, 2, 5 * GIB, 5 * GIB, false);
    lp_ledger_rooms(&ledger, &topology, 0, NULL, rooms);
    assert_int_equal(rooms[2], 0);
    assert_int_equal(rooms[3], 3 * GIB);
    assert_int_equal(rooms[0], 8 * GIB);
    charge_on(&ledger, 2, 4 * GIB, 4 * GIB, false);
    lp_ledger_rooms(&ledger, &topology, 0, NULL, rooms);
    assert_int_equal(rooms[3], 0);
    assert_int_equal(rooms[0], 7 * GIB);
    charge_on(&ledger, -1, GIB, GIB, false);
    lp_ledger_vcpus(&ledger, &topology, vcpus);
    assert_int_equal(vcpus[2], 4);
    assert_int_equal(vcpus[0], 0);
    charge_on(&ledger, 99, GIB, GIB, false);
    lp_ledger_vcpus(&ledger, &topology, vcpus);
    /* Two that run anywhere and two more: four over twelve processors. */
    assert_int_equal(vcpus[0], 1);
    assert_int_equal(vcpus[3], 0);
}

/* Amounts that no host has overflow nothing, and leave with what brought them. */
static void
test_absurd_amounts(void **state)
{
    LpLedger ledger = { 0 }, empty = { 0 };
    uint64_t rooms[LP_MAX_NODES];
    LpCharge charge;

    (void) state;
    lp_charge_clear(&charge);
    for (unsigned i = 0; i < 100; i++)
        lp_charge_add(&charge, &topology, 0, UINT64_MAX, 1, UINT64_MAX);
    lp_charge_close(&charge, UINT64_MAX);
    assert_int_equal(charge.parts[0].bytes, LP_LEDGER_MOST);
    for (unsigned i = 0; i < 10000; i++)
        lp_ledger_add(&ledger, &charge);
    lp_ledger_rooms(&ledger, &topology, UINT64_MAX, NULL, rooms);
    for (uint32_t n = 0; n < 4; n++)
        assert_int_equal(rooms[n], 0);
    for (unsigned i = 0; i < 10000; i++)
        lp_ledger_remove(&ledger, &charge);
    assert_same(&ledger, &empty);
    topology.n_nodes = 0;
    lp_ledger_rooms(&ledger, &topology, GIB, NULL, rooms);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_follows_changes), TEST(test_rooms), TEST(test_absurd_amounts),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
