/* A simulated host of several nodes: how it is divided, and what lpard's policy sees of it. */
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lpard/sim/nodes.h"
#include "lpard/sim/options.h"
#include "lpard/sim/sim-priv.h"

#define SEED 20261123u
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

typedef struct {
    LpSimHost host;
    LpPolicyHost policy;
    LpSimView views[64];
    LpPolicyPartition partitions[64];
} World;

static World *
world_of(uint32_t n_nodes, uint64_t node_bytes, size_t n, uint64_t max_bytes)
{
    World *world = g_new0(World, 1);

    world->host = (LpSimHost){ .n_nodes = n_nodes, .views = world->views, .n = n };
    for (uint32_t j = 0; j < n_nodes; j++)
        world->host.node_bytes[j] = node_bytes;
    world->host.host_bytes = n_nodes * node_bytes;
    for (size_t i = 0; i < n; i++)
        world->partitions[i].mem_max_bytes = max_bytes;
    return world;
}

static void
test_placed(void **state)
{
    g_autofree World *world = world_of(4, 8 * GIB, 8, 6 * GIB);
    unsigned on[4] = { 0 };

    (void) state;
    lp_sim_nodes_place(&world->host, &world->policy, world->partitions);
    assert_int_equal(world->policy.n_nodes, 4);
    assert_int_equal(world->policy.nodes[3].capacity_bytes, 8 * GIB);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(world->partitions[i].n_cells, 1);
        on[world->partitions[i].cell_node[0]]++;
    }
    for (unsigned j = 0; j < 4; j++)
        assert_int_equal(on[j], 2);
    /* What no node holds is on as few as do. */
    world->partitions[0].mem_max_bytes = 15 * GIB;
    world->partitions[1].mem_max_bytes = 100 * GIB;
    lp_sim_nodes_place(&world->host, &world->policy, world->partitions);
    assert_int_equal(world->partitions[0].n_cells, 2);
    assert_int_not_equal(world->partitions[0].cell_node[0], world->partitions[0].cell_node[1]);
    assert_int_equal(world->partitions[1].n_cells, 4);
}

static uint64_t
free_of(const World *world)
{
    uint64_t bytes = 0;

    for (uint32_t j = 0; j < world->policy.n_nodes; j++)
        bytes += world->policy.nodes[j].free_bytes;
    return bytes;
}

static void
test_what_is_free(void **state)
{
    g_autofree World *world = world_of(2, 8 * GIB, 2, 6 * GIB);

    (void) state;
    lp_sim_nodes_place(&world->host, &world->policy, world->partitions);
    world->views[0].granted_bytes = 3 * GIB;
    world->views[1].granted_bytes = 10 * GIB;       /* more than its node */
    lp_sim_nodes_free(&world->host, world->partitions, &world->policy);
    assert_int_equal(world->policy.nodes[world->partitions[1].cell_node[0]].free_bytes, 0);
    assert_int_equal(world->policy.nodes[world->partitions[0].cell_node[0]].free_bytes, 3 * GIB);
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 300; round++) {
        g_autofree World *many = world_of(1 + (uint32_t) rand() % 16, 8 * GIB, 64, 6 * GIB);
        uint64_t left = many->host.host_bytes;

        for (size_t i = 0; i < 64; i++) {
            uint64_t wanted = (uint64_t) rand() % (6 * GIB);

            many->partitions[i].mem_max_bytes = (uint64_t) rand() % (20 * GIB);
            many->views[i].granted_bytes = MIN(left, wanted);
            left -= many->views[i].granted_bytes;
        }
        lp_sim_nodes_place(&many->host, &many->policy, many->partitions);
        lp_sim_nodes_free(&many->host, many->partitions, &many->policy);
        assert_true(free_of(many) == left);
    }
}

static LpSimHost seen;

static void
look(void *self, LpSimHost *host)
{
    (void) self;
    seen = *host;
}

static LpSimHost
host_of(const LpSimConfig *config)
{
    static const LpSimPolicy policy = { .name = "look", .interval_sec = 1, .decide = look };
    g_autoptr(LpTrace) trace = lp_trace_generate("idle", 2, 1, 1, NULL);
    LpSimConfig shorter = *config;
    LpSimResult result;

    shorter.host_bytes = 10 * GIB + 3 * MIB;
    shorter.host_centi = 1000;
    shorter.warm_sec = 0;
    shorter.seconds = 300;
    lp_sim_run(trace, &shorter, &policy, &result);
    lp_sim_result_clear(&result);
    return seen;
}

static void
test_divided(void **state)
{
    LpSimConfig config;
    LpSimHost host;

    (void) state;
    lp_sim_config_init(&config);
    host = host_of(&config);
    assert_int_equal(host.n_nodes, 1);
    assert_int_equal(host.node_bytes[0], host.host_bytes);
    config.n_nodes = 3;
    config.node_size[0] = 1000;
    config.node_size[1] = 3000;
    config.node_size[2] = 1000;
    host = host_of(&config);
    assert_int_equal(host.n_nodes, 3);
    assert_true(host.node_bytes[0] / MIB == 2048 && host.node_bytes[1] / MIB == 6144 + 2);
    assert_int_equal(host.node_bytes[0] % LP_SIM_BLOCK_BYTES, 0);
    assert_true(host.node_bytes[0] + host.node_bytes[1] + host.node_bytes[2] == host.host_bytes);
}

/* lpard's policy, on a host that it sees in four parts: it keeps within the host. */
static void
test_policy_runs(void **state)
{
    LpSimOptions options;
    LpSimConfig config;
    LpSimResult result;
    GError *error = NULL;

    (void) state;
    lp_sim_options_init(&options);
    options.generate = g_strdup("mix");
    options.vms = 12;
    options.days = 1;
    options.tick = 60;
    options.topology = g_strdup("pack:4 numa:1(memory=1073741824) core:2 pu:1");
    {
        g_autoptr(LpTrace) trace = lp_sim_options_load(&options, &config, &error);

        assert_non_null(trace);
        assert_int_equal(config.n_nodes, 4);
        lp_sim_run(trace, &config, lp_sim_policies[0], &result);
        assert_int_equal(result.broken, 0);
        assert_true(result.mem.resizes > 0);
        lp_sim_result_clear(&result);
    }
    g_free(options.topology);
    options.topology = g_strdup("pack:no");
    assert_null(lp_sim_options_load(&options, &config, &error));
    assert_non_null(g_strrstr(error->message, "--topology"));
    g_error_free(error);
    lp_sim_options_clear(&options);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placed), cmocka_unit_test(test_what_is_free),
        cmocka_unit_test(test_divided), cmocka_unit_test(test_policy_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
