/* Where the registry counts memory: at its measured home, and in sums that follow every change. */
#include "engine_fixture.h"

#define SEED 20261125u
#define ROUNDS 400
#define DOMAINS 12
#define RESERVE_BYTES (512 * MIB)

static const int32_t ids[] = {-1, 0, 1, 5, 9};

/* Nodes 0, 1 and 5 of 8, 4 and 4 GiB, and nothing on them. */
static void
start(void)
{
    LpTopology *topology;

    start_world(0, 16 * GIB, AT_ONCE, "");
    halt();
    topology = &world.host->topology;
    topology->n_nodes = 3;
    topology->n_cpus = 12;
    for (uint32_t n = 0; n < 3; n++) {
        topology->nodes[n] = (LpNode){.id = n < 2 ? n : 5, .memory_bytes = (n ? 4 : 8) * GIB};
        for (unsigned c = 0; c < 4; c++)
            lp_cpumask_add(&topology->nodes[n].cpus, n * 4 + c);
        for (uint32_t m = 0; m < 3; m++)
            topology->distance[n][m] = n == m ? 10 : 10 + 6 * (n > m ? n - m : m - n);
    }
    boot();
    world.unbounded = true;
    world.capacity_bytes = UINT64_MAX;
}

static LpView *
new_view(const char *uuid, uint32_t n_cells)
{
    LpView *view = lp_view_new();

    view->uuid = strdup(uuid);
    view->name = strdup(uuid + 32);
    view->run = LP_RUN_RUNNING;
    g_strlcpy(view->run_id, "7", sizeof view->run_id);
    view->accel = LP_ACCEL_KVM;
    view->vcpu_max = 8;
    view->n_cells = n_cells;
    for (uint32_t i = 0; i < n_cells; i++) {
        view->cells[i] = (LpViewCell){.node = 0, .base_bytes = GIB, .has_device = true,
                                      .device_bytes = 4 * GIB, .block_bytes = 2 * MIB};
        view->base_bytes += GIB;
        lp_cpumask_add(&view->cells[i].vcpus, 2 * i);
        lp_cpumask_add(&view->cells[i].vcpus, 2 * i + 1);
        lp_cpumask_add(&view->plugged, 2 * i);
    }
    return view;
}

static LpLocality *
new_locality(const char *run_id, uint32_t n_cells)
{
    LpLocality *locality = lp_locality_new();

    g_strlcpy(locality->run_id, run_id, sizeof locality->run_id);
    locality->n_parts = n_cells + 1;
    locality->parts = calloc(n_cells + 1, sizeof *locality->parts);
    return locality;
}

static const char *
uuid_of(unsigned index)
{
    static char text[40];

    g_snprintf(text, sizeof text, "00000000-0000-0000-0000-0000%08u", index);
    return text;
}

static void
test_homes(void **state)
{
    LpPartition *p;
    LpLocality *locality;

    (void) state;
    start();
    lp_registry_update(world.registry, uuid_of(1), new_view(uuid_of(1), 2));
    p = lp_registry_by_uuid(world.registry, uuid_of(1));
    assert_int_equal(p->view->cells[0].home, 0);
    /* Most of cell 0 is on 5; of cell 1 less than half was ever touched. */
    locality = new_locality("7", 2);
    locality->parts[0].on_bytes[0] = 100 * MIB;
    locality->parts[0].on_bytes[2] = 600 * MIB;
    locality->parts[1].on_bytes[1] = 500 * MIB;
    lp_registry_locate(world.registry, p, locality);
    assert_int_equal(p->view->cells[0].home, 5);
    assert_int_equal(p->view->cells[1].home, 0);
    /* It stays so with the next look; of equals the one it is bound to. */
    lp_registry_update(world.registry, uuid_of(1), new_view(uuid_of(1), 2));
    assert_int_equal(p->view->cells[0].home, 5);
    locality = new_locality("7", 2);
    locality->parts[0].on_bytes[0] = locality->parts[0].on_bytes[1] = 500 * MIB;
    locality->parts[1].elsewhere_bytes = 400 * MIB;
    locality->parts[1].on_bytes[1] = 112 * MIB;
    lp_registry_locate(world.registry, p, locality);
    assert_int_equal(p->view->cells[0].home, 0);
    assert_int_equal(p->view->cells[1].home, 1);
    /* Of another run, or with other cells: dropped. */
    lp_registry_locate(world.registry, p, new_locality("8", 2));
    lp_registry_locate(world.registry, p, new_locality("7", 1));
    lp_registry_locate(world.registry, p, NULL);
    assert_int_equal(p->view->cells[1].home, 1);
    {
        LpView *view = new_view(uuid_of(1), 2);

        g_strlcpy(view->run_id, "8", sizeof view->run_id);
        lp_registry_update(world.registry, uuid_of(1), view);
    }
    assert_null(p->locality);
    assert_int_equal(p->view->cells[1].home, 0);
}

/* Two vCPUs: one pinned to node 0, one that may use nodes 0 and 1. */
static void
test_distances(void **state)
{
    LpPartition *p;
    LpLocality *locality;
    const LpWhere *where;
    LpView *view;

    (void) state;
    start();
    view = new_view(uuid_of(1), 2);
    view->cells[1].node = 5;
    view->has_pins = true;
    lp_registry_update(world.registry, uuid_of(1), view);
    p = lp_registry_by_uuid(world.registry, uuid_of(1));
    where = lp_partition_where(p);
    /* Not measured: each with its cell. */
    assert_int_equal(where->node_distance[0], (1000 + 2200) / 2);
    assert_int_equal(where->node_distance[1], 1600);
    assert_int_equal(where->cell_distance[1], 1600);
    assert_int_equal(where->cell_memory[1].on[2], GIB);
    locality = new_locality("7", 2);
    locality->n_vcpus = 2;
    locality->vcpus = calloc(2, sizeof *locality->vcpus);
    locality->vcpus[1].vcpu = 2;
    assert_true(lp_cpumask_parse("0-3", &locality->vcpus[0].may));
    assert_true(lp_cpumask_parse("0-7", &locality->vcpus[1].may));
    locality->parts[1].on_bytes[0] = 300 * MIB;
    locality->parts[1].on_bytes[2] = 900 * MIB;
    lp_registry_locate(world.registry, p, locality);
    where = lp_partition_where(p);
    assert_int_equal(where->node_distance[0], 1000 * 3 / 4 + 1600 / 4);
    assert_int_equal(where->node_distance[2], 2200 * 3 / 4 + 1600 / 4);
    assert_int_equal(where->cell_memory[1].on[0], GIB / 4);
    assert_int_equal(where->cell_distance[1], (1150 + 3 * 2050) / 4);
    /* Nobody is near to anything with one node. */
    world.host->topology.n_nodes = 1;
    halt();
    boot();
    world.capacity_bytes = UINT64_MAX;
    lp_registry_update(world.registry, uuid_of(1), new_view(uuid_of(1), 1));
    assert_null(lp_partition_where(lp_registry_by_uuid(world.registry, uuid_of(1))));
}

/* ---- sums ---- */

static uint64_t
amount(unsigned most_mib)
{
    return (uint64_t) (rand() % (int) most_mib) * MIB + (uint64_t) (rand() % 2) * 12345;
}

static LpView *
random_view(const char *uuid)
{
    LpView *view = new_view(uuid, (uint32_t) rand() % 4);

    view->run = rand() % 5 ? LP_RUN_RUNNING : LP_RUN_OFF;
    view->accel = rand() % 4 ? LP_ACCEL_KVM : LP_ACCEL_TCG;
    if (view->n_cells == 0)
        view->base_bytes = amount(900);
    for (uint32_t i = 0; i < view->n_cells; i++) {
        view->cells[i].node = ids[rand() % 5];
        view->cells[i].requested_bytes = amount(500);
        view->cells[i].current_bytes = amount(500);
    }
    if (view->n_cells && rand() % 2) {
        view->dimms[view->n_dimms].cell = (uint32_t) rand() % 4;
        view->dimms[view->n_dimms++].bytes = 128 * MIB;
    }
    view->resident_bytes = rand() % 4 ? 0 : amount(9000);
    if (rand() % 2) {
        view->metadata = profile_text(1, 1, 2, 4);
        view->persistent = rand() % 2;
    }
    return view;
}

static void
random_locality(LpPartition *p)
{
    LpLocality *locality = new_locality(p->view->run_id, p->view->n_cells);

    for (uint32_t i = 0; i < p->view->n_cells; i++)
        for (uint32_t n = 0; n < 3; n++)
            locality->parts[i].on_bytes[n] = amount(1500);
    lp_registry_locate(world.registry, p, locality);
}

/* What one takes of each node, and of none, from its view alone. */
static void
add_up(const LpPartition *p, uint64_t *on, uint64_t *loose_mib, uint64_t *counted)
{
    uint64_t all = lp_partition_counted_bytes(p, OVERHEAD_BYTES), rest = all;

    for (uint32_t i = 0; all && i < p->view->n_cells; i++) {
        const LpViewCell *cell = &p->view->cells[i];
        uint64_t has = MAX(cell->requested_bytes, cell->current_bytes);
        uint64_t bytes = cell->base_bytes + MAX(has, p->promised_cell_bytes[i]), dimms = 0;
        uint64_t lies = UINT64_MAX;
        int32_t next = -1;

        for (uint32_t d = 0; d < p->view->n_dimms; d++)
            dimms += p->view->dimms[d].cell == i ? p->view->dimms[d].bytes : 0;
        bytes += dimms;
        /* What was measured lies at home; what came since is where it comes from. */
        if (p->locality && cell->node >= 0 && cell->home != cell->node) {
            const LpLocalityPart *part = &p->locality->parts[i];
            uint64_t seen = part->on_bytes[0] + part->on_bytes[1] + part->on_bytes[2];

            lies = MIN(cell->base_bytes + has + dimms, seen);
            next = cell->node;
        }
        if (next == 9)
            lies = bytes;
        for (uint32_t n = 0; n < 3; n++) {
            int32_t id = (int32_t) world.host->topology.nodes[n].id;
            uint64_t here = id == cell->home ? MIN(bytes, lies) : 0;

            if (id == next && bytes > lies)
                here += bytes - lies;
            on[n] += here;
            rest -= MIN(rest, here);
        }
    }
    *loose_mib += rest >> 20;
    *counted += all;
}

static void
check_room(const LpPartition *p)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);
    uint64_t on[3] = {0}, over = 0, loose_mib = 0, counted = 0, sum = 0, capacity = 16 * GIB;
    uint64_t excess = lp_partition_excess_bytes(p, OVERHEAD_BYTES), left[3];
    uint64_t beside = RESERVE_BYTES + OVERHEAD_BYTES + excess;
    LpRoom room;

    for (guint i = 0; i < list->len; i++)
        if (g_ptr_array_index(list, i) != p)
            add_up(g_ptr_array_index(list, i), on, &loose_mib, &counted);
    lp_registry_room(world.registry, p, &room);
    counted += beside;
    assert_int_equal(room.room_bytes, capacity > counted ? capacity - counted : 0);
    assert_int_equal(room.excess_bytes, excess);
    for (uint32_t n = 0; n < 3; n++) {
        uint64_t share = n ? 4 : 2, size = (n ? 4 : 8) * GIB;
        uint64_t taken = on[n] + ((loose_mib / share) << 20) + ((beside >> 20) / share << 20);

        left[n] = size > taken ? size - taken : 0;
        over += taken > size ? taken - size : 0;
        sum += left[n];
        assert_true(room.node_room_bytes[n] <= left[n]);
    }
    /* What some nodes are over is taken from the others, no more and no less. */
    assert_int_equal(room.node_room_bytes[0] + room.node_room_bytes[1] + room.node_room_bytes[2],
                     sum > over ? sum - over : 0);
}

static void
check_use(void)
{
    g_autoptr(GPtrArray) list = lp_registry_list(world.registry);
    LpHostUse use, mine = {0};
    uint64_t counted = RESERVE_BYTES;

    for (guint i = 0; i < list->len; i++) {
        const LpPartition *p = g_ptr_array_index(list, i);
        uint64_t whole = lp_partition_counted_bytes(p, OVERHEAD_BYTES);
        bool running = p->view->run != LP_RUN_OFF;

        counted += whole;
        if (p->profile_state == LP_PROFILE_STATE_NONE) {
            mine.n_unmanaged += running;
            mine.unmanaged_bytes += whole;
            continue;
        }
        mine.n_partitions++;
        mine.n_running += running;
        mine.granted_bytes += lp_partition_granted_bytes(p);
        if (running && lp_partition_has_profile(p))
            mine.entitled_centi += p->profile.capacity.entitled_centi;
    }
    lp_registry_use(world.registry, &use);
    assert_int_equal(use.n_partitions, mine.n_partitions);
    assert_int_equal(use.n_running, mine.n_running);
    assert_int_equal(use.n_unmanaged, mine.n_unmanaged);
    assert_int_equal(use.unmanaged_bytes, mine.unmanaged_bytes);
    assert_int_equal(use.granted_bytes, mine.granted_bytes);
    assert_int_equal(use.entitled_centi, mine.entitled_centi);
    assert_int_equal(use.free_bytes, 16 * GIB > counted ? 16 * GIB - counted : 0);
}

static void
change_one(unsigned index)
{
    LpPartition *p = lp_registry_by_uuid(world.registry, uuid_of(index));

    switch (p ? rand() % 6 : 0) {
    case 1:
        random_locality(p);
        break;
    case 2:
        p->promised_bytes = amount(6000);
        for (uint32_t i = 0; i < 4; i++)
            p->promised_cell_bytes[i] = amount(900);
        p->promised_centi = (uint32_t) rand() % 200;
        lp_registry_count(world.registry, p);
        break;
    case 3:
        p->starting_bytes = amount(2000);
        p->starting_centi = 50;
        lp_registry_count(world.registry, p);
        break;
    case 4:
        lp_registry_update(world.registry, uuid_of(index), NULL);
        break;
    default:
        lp_registry_update(world.registry, uuid_of(index), random_view(uuid_of(index)));
        break;
    }
}

static void
test_sums(void **state)
{
    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    start();
    lp_registry_free(world.registry);
    world.registry = lp_registry_new(world.workers, world.journal, world.events, world.host,
                                     RESERVE_BYTES, 10, OVERHEAD_BYTES);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const LpPartition *p;

        change_one((unsigned) rand() % DOMAINS);
        p = lp_registry_by_uuid(world.registry, uuid_of((unsigned) rand() % DOMAINS));
        if (p)
            check_room(p);
        check_use();
    }
}

/* Pages were moved from node 0 to node 5: what comes next comes from node 0, until it is measured. */
static void
test_growth_of_the_moved(void **state)
{
    LpPartition *p, *q;
    LpLocality *locality;
    LpRoom before, now;
    LpView *view;

    (void) state;
    start();
    view = new_view(uuid_of(1), 1);
    view->metadata = profile_text(1, 1, 2, 4);
    lp_registry_update(world.registry, uuid_of(1), view);
    lp_registry_update(world.registry, uuid_of(2), new_view(uuid_of(2), 1));
    p = lp_registry_by_uuid(world.registry, uuid_of(1));
    q = lp_registry_by_uuid(world.registry, uuid_of(2));
    locality = new_locality("7", 1);
    locality->parts[0].on_bytes[2] = GIB;
    lp_registry_locate(world.registry, p, locality);
    assert_int_equal(p->view->cells[0].home, 5);
    assert_int_equal(p->view->cells[0].fresh_bytes, 0);
    lp_registry_room(world.registry, q, &before);
    p->promised_bytes = 2 * GIB;
    p->promised_cell_bytes[0] = GIB;
    lp_registry_count(world.registry, p);
    lp_registry_room(world.registry, q, &now);
    assert_int_equal(now.node_room_bytes[0], before.node_room_bytes[0] - GIB);
    assert_int_equal(now.node_room_bytes[2], before.node_room_bytes[2]);
    /* It has come. */
    p->promised_bytes = p->promised_cell_bytes[0] = 0;
    view = new_view(uuid_of(1), 1);
    view->metadata = profile_text(1, 1, 2, 4);
    view->cells[0].requested_bytes = view->cells[0].current_bytes = GIB;
    lp_registry_update(world.registry, uuid_of(1), view);
    assert_int_equal(p->view->cells[0].fresh_bytes, GIB);
    lp_registry_room(world.registry, q, &now);
    assert_int_equal(now.node_room_bytes[0], before.node_room_bytes[0] - GIB);
    assert_int_equal(now.node_room_bytes[2], before.node_room_bytes[2]);
    /* It has been moved after the rest. */
    locality = new_locality("7", 1);
    locality->parts[0].on_bytes[2] = 2 * GIB;
    lp_registry_locate(world.registry, p, locality);
    lp_registry_room(world.registry, q, &now);
    assert_int_equal(now.node_room_bytes[0], before.node_room_bytes[0]);
    assert_int_equal(now.node_room_bytes[2], before.node_room_bytes[2] - GIB);
}

/* Pages on their way hold the room that they come to. */
static void
test_expected(void **state)
{
    LpPartition *p, *q;
    LpLayoutNode nodes[LP_MAX_NODES];
    LpLayoutUse use[LP_MAX_NODES];
    LpRoom before, own, now;
    LpView *view;

    (void) state;
    start();
    view = new_view(uuid_of(1), 1);
    view->metadata = profile_text(1, 1, 2, 4);
    lp_registry_update(world.registry, uuid_of(1), view);
    lp_registry_update(world.registry, uuid_of(2), new_view(uuid_of(2), 1));
    p = lp_registry_by_uuid(world.registry, uuid_of(1));
    q = lp_registry_by_uuid(world.registry, uuid_of(2));
    lp_registry_room(world.registry, q, &before);
    lp_registry_room(world.registry, p, &own);
    lp_registry_expect(world.registry, p, 5, 700 * MIB);
    lp_registry_room(world.registry, q, &now);
    assert_int_equal(now.node_room_bytes[2], before.node_room_bytes[2] - 700 * MIB);
    assert_int_equal(now.room_bytes, before.room_bytes);
    lp_registry_room(world.registry, p, &now);
    assert_int_equal(now.node_room_bytes[2], own.node_room_bytes[2] - 700 * MIB);
    lp_registry_expect(world.registry, p, 5, 0);
    lp_registry_room(world.registry, q, &now);
    assert_int_equal(now.node_room_bytes[2], before.node_room_bytes[2]);
    /* p is a layout's to place, q is not: 1 GiB, and 4 more that nothing holds it below. */
    assert_true(lp_partition_is_placed(p));
    assert_false(lp_partition_is_placed(q));
    assert_int_equal(lp_partition_cell_bytes(p, 0), GIB);
    lp_registry_layout_nodes(world.registry, nodes);
    /* By halves and quarters of their own and of what q may yet take. */
    assert_int_equal(nodes[0].room_bytes, 8 * GIB - GIB - 2 * GIB - 64 * MIB);
    assert_int_equal(nodes[1].room_bytes, 4 * GIB - GIB - 32 * MIB);
    assert_int_equal(nodes[1].room_centi, 400 - 3);
    lp_registry_layout_use(world.registry, use);
    assert_int_equal(use[0].free_bytes, nodes[0].room_bytes - GIB - 32 * MIB);
    assert_int_equal(use[0].vcpus, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_homes), TEST(test_distances), TEST(test_sums), TEST(test_expected),
        TEST(test_growth_of_the_moved),
    };

    start_clock();
    return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}
