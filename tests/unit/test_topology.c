/* Topologies: synthetic ones, files written here, and real machines' where they are at hand. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <hwloc.h>

#include "numa/topology.h"

static LpTopology topology;
static char message[512];

/* What must hold of any topology that is given out. */
static void
check_sane(void)
{
    LpCpuMask all;
    unsigned n_cpus = 0;

    lp_cpumask_clear(&all);
    assert_in_range(topology.n_nodes, 1, LP_MAX_NODES);
    assert_true(topology.n_packages >= 1 && topology.n_cores >= 1);
    assert_true(topology.n_cpus >= 1 && topology.n_cpus >= topology.n_cores);
    for (uint32_t i = 0; i < topology.n_nodes; i++) {
        const LpNode *node = &topology.nodes[i];

        assert_true(i == 0 || topology.nodes[i - 1].id < node->id);
        assert_int_equal(lp_topology_find(&topology, node->id), i);
        n_cpus += lp_cpumask_count(&node->cpus);
        for (int cpu = lp_cpumask_next(&node->cpus, 0); cpu >= 0;
             cpu = lp_cpumask_next(&node->cpus, (unsigned) cpu + 1)) {
            assert_false(lp_cpumask_has(&all, (unsigned) cpu));
            lp_cpumask_add(&all, (unsigned) cpu);
        }
        for (uint32_t j = 0; j < topology.n_nodes; j++) {
            if (i == j)
                assert_int_equal(topology.distance[i][j], 10);
            else
                assert_in_range(topology.distance[i][j], 11, 254);
            if (!topology.distances_known && i != j)
                assert_int_equal(topology.distance[i][j], 20);
        }
    }
    assert_true(n_cpus <= topology.n_cpus);
}

#ifndef LP_REAL_MACHINES
static void
read_good(const char *source)
{
    message[0] = '\0';
    if (!lp_topology_read(source, &topology, message, sizeof(message)))
        fail_msg("%s: %s", source ? source : "this host", message);
    check_sane();
}

static void
check_cpus(uint32_t node, const char *expected)
{
    char text[LP_CPUMASK_TEXT];

    lp_cpumask_format(&topology.nodes[node].cpus, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void
test_this_host(void **state)
{
    (void) state;
    read_good(NULL);
    assert_true(lp_topology_memory(&topology) > 0);
}

static void
test_synthetic(void **state)
{
    (void) state;
    read_good("pack:2 numa:2 core:4 pu:2");
    assert_int_equal(topology.n_nodes, 4);
    assert_int_equal(topology.n_packages, 2);
    assert_int_equal(topology.n_cores, 16);
    assert_int_equal(topology.n_cpus, 32);
    assert_false(topology.distances_known);
    check_cpus(1, "8-15");
    assert_true(lp_topology_memory(&topology) == 4ULL << 30);
    assert_int_equal(lp_topology_find(&topology, 4), -1);
}

static void
test_sparse_ids(void **state)
{
    (void) state;
    /* Listed out of order; given in order. */
    read_good("numa:3(indexes=72,3,33 memory=1GB) pu:2");
    assert_int_equal(topology.nodes[0].id, 3);
    assert_int_equal(topology.nodes[1].id, 33);
    assert_int_equal(topology.nodes[2].id, 72);
    assert_int_equal(lp_topology_find(&topology, 33), 1);
    assert_int_equal(lp_topology_find(&topology, 1), -1);
}

/* A second node beside the same processors (high-bandwidth memory) has none of its own. */
static void
test_memory_only_node(void **state)
{
    (void) state;
    read_good("pack:2 [numa(memory=4GB)] [numa(memory=1GB)] core:2 pu:1");
    assert_int_equal(topology.n_nodes, 4);
    assert_int_equal(lp_cpumask_count(&topology.nodes[0].cpus) +
                     lp_cpumask_count(&topology.nodes[1].cpus) +
                     lp_cpumask_count(&topology.nodes[2].cpus) +
                     lp_cpumask_count(&topology.nodes[3].cpus), 4);
    assert_int_equal((lp_cpumask_count(&topology.nodes[0].cpus) == 0) +
                     (lp_cpumask_count(&topology.nodes[1].cpus) == 0) +
                     (lp_cpumask_count(&topology.nodes[2].cpus) == 0) +
                     (lp_cpumask_count(&topology.nodes[3].cpus) == 0), 2);
}

/* Memory that all packages reach (a shared expander) is nobody's home either. */
static void
test_machine_wide_node(void **state)
{
    unsigned n_empty = 0;

    (void) state;
    read_good("[numa(memory=8GB)] pack:2 [numa(memory=1GB)] core:2 pu:1");
    assert_int_equal(topology.n_nodes, 3);
    for (uint32_t i = 0; i < topology.n_nodes; i++) {
        bool wide = topology.nodes[i].memory_bytes > 4ULL << 30;

        assert_int_equal(lp_cpumask_count(&topology.nodes[i].cpus), wide ? 0 : 2);
        n_empty += wide;
    }
    assert_int_equal(n_empty, 1);
}

/* Writes a synthetic machine with the changes a test wants, and reads it back as a file. */
static void
read_exported(const char *synthetic, const hwloc_uint64_t *distances, const char *allowed,
              bool no_memory)
{
    char path[] = "/tmp/lpard-topology-XXXXXX";
    hwloc_topology_t hw;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(hwloc_topology_init(&hw), 0);
    assert_int_equal(hwloc_topology_set_synthetic(hw, synthetic), 0);
    assert_int_equal(hwloc_topology_load(hw), 0);
    if (distances) {
        unsigned n = (unsigned) hwloc_get_nbobjs_by_type(hw, HWLOC_OBJ_NUMANODE);
        hwloc_obj_t objects[LP_MAX_NODES];
        hwloc_distances_add_handle_t handle;

        for (unsigned i = 0; i < n; i++)
            objects[i] = hwloc_get_obj_by_type(hw, HWLOC_OBJ_NUMANODE, i);
        handle = hwloc_distances_add_create(hw, "test",
                                            HWLOC_DISTANCES_KIND_FROM_USER |
                                                HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
        assert_non_null(handle);
        assert_int_equal(hwloc_distances_add_values(hw, handle, n, objects,
                                                    (hwloc_uint64_t *) (uintptr_t) distances, 0),
                         0);
        assert_int_equal(hwloc_distances_add_commit(hw, handle, 0), 0);
    }
    if (allowed) {
        hwloc_bitmap_t set = hwloc_bitmap_alloc();

        hwloc_bitmap_list_sscanf(set, allowed);
        assert_int_equal(hwloc_topology_restrict(hw, set, 0), 0);
        hwloc_bitmap_free(set);
    }
    if (no_memory)
        hwloc_get_obj_by_type(hw, HWLOC_OBJ_NUMANODE, 1)->attr->numanode.local_memory = 0;
    assert_int_equal(hwloc_topology_export_xml(hw, path, 0), 0);
    hwloc_topology_destroy(hw);
    message[0] = '\0';
    if (!lp_topology_read(path, &topology, message, sizeof(message)))
        fail_msg("%s", message);
    unlink(path);
    check_sane();
}

static void
test_distances(void **state)
{
    static const hwloc_uint64_t GOOD[] = { 10, 21, 31, 10 };
    static const hwloc_uint64_t NONSENSE[][4] = {
        { 10, 10, 21, 10 }, { 20, 10, 10, 20 }, { 0, 0, 0, 0 }, { 10, 9, 21, 10 },
        { 10, 255, 21, 10 }, { 10, 21, 21, 11 }, { 10, 1ULL << 40, 21, 10 },
    };

    (void) state;
    read_exported("numa:2 pu:2", GOOD, NULL, false);
    assert_true(topology.distances_known);
    assert_int_equal(topology.distance[0][1], 21);
    assert_int_equal(topology.distance[1][0], 31);
    for (size_t i = 0; i < sizeof(NONSENSE) / sizeof(NONSENSE[0]); i++) {
        read_exported("numa:2 pu:2", NONSENSE[i], NULL, false);
        assert_false(topology.distances_known);
        assert_int_equal(topology.distance[0][1], 20);
    }
}

static void
test_restricted_cpuset(void **state)
{
    (void) state;
    read_exported("numa:2 core:4 pu:1", NULL, "1-2,6", false);
    assert_int_equal(topology.n_cpus, 3);
    check_cpus(0, "1-2");
    check_cpus(1, "6");
}

static void
test_node_without_processors(void **state)
{
    (void) state;
    read_exported("numa:2 core:4 pu:1", NULL, "0-3", false);
    assert_int_equal(topology.n_nodes, 2);
    check_cpus(0, "0-3");
    check_cpus(1, "");
}

static void
test_node_without_memory(void **state)
{
    (void) state;
    read_exported("numa:2 core:4 pu:1", NULL, NULL, true);
    assert_int_equal(topology.n_nodes, 2);
    assert_true(topology.nodes[1].memory_bytes == 0);
    assert_true(lp_topology_memory(&topology) == 1ULL << 30);
    check_cpus(1, "4-7");
}

static void
test_refused_untouched(void **state)
{
    static const char *const BAD[] = {
        "", "bogus", "pack:", "pack:-1", "/nonexistent/host.xml", "/etc/passwd", "/tmp",
        "numa:65 pu:1", "pack:2 core:600 pu:1", "pu:99999999999",
    };
    LpTopology before;

    (void) state;
    memset(&topology, 0x5a, sizeof(topology));
    before = topology;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        message[0] = '\0';
        if (lp_topology_read(BAD[i], &topology, message, sizeof(message)))
            fail_msg("'%s' was taken", BAD[i]);
        assert_memory_equal(&topology, &before, sizeof(before));
        assert_true(strlen(message) > 20);
        assert_null(strchr(message, '\n'));
    }
    assert_false(lp_topology_read("bogus", &topology, NULL, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_host),
        cmocka_unit_test(test_synthetic),
        cmocka_unit_test(test_sparse_ids),
        cmocka_unit_test(test_memory_only_node),
        cmocka_unit_test(test_machine_wide_node),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_restricted_cpuset),
        cmocka_unit_test(test_node_without_processors),
        cmocka_unit_test(test_node_without_memory),
        cmocka_unit_test(test_refused_untouched),
    };

    return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}

#else
/* Real machines, where somebody has them: LPARD_TOPOLOGIES names the directory. */
static void
test_real_machines(void **state)
{
    const char *directory = getenv("LPARD_TOPOLOGIES");
    unsigned n_read = 0, n_refused = 0;
    struct dirent *entry;
    DIR *dir;

    (void) state;
    dir = opendir(directory);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        char path[4096];

        if (len < 5 || strcmp(entry->d_name + len - 4, ".xml") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        message[0] = '\0';
        if (lp_topology_read(path, &topology, message, sizeof(message))) {
            check_sane();
            n_read++;
        } else {
            assert_true(strlen(message) > 20);
            print_message("# refused: %s\n", message);
            n_refused++;
        }
    }
    closedir(dir);
    print_message("# %u machines read, %u refused\n", n_read, n_refused);
    assert_true(n_read > n_refused);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_machines),
    };
    const char *directory = getenv("LPARD_TOPOLOGIES");

    if (!directory || access(directory, R_OK | X_OK) != 0) {
        printf("1..0 # SKIP LPARD_TOPOLOGIES names no directory of hwloc XML files\n");
        return 0;
    }
    return cmocka_run_group_tests_name("topology-real", tests, NULL, NULL);
}
#endif
