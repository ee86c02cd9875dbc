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

/* The same with whatever change a test wants to make to hwloc's topology, and then to the text: pairs of
 * what is there and what is to be there, in order, ended by NULL. */
static void
read_changed(const char *synthetic, void (*change)(hwloc_topology_t hw), const char *const *edits)
{
    char path[] = "/tmp/lpard-topology-XXXXXX";
    int fd = mkstemp(path), length;
    hwloc_topology_t hw;
    char *text, *rest;
    FILE *file;
    bool ok;

    assert_true(fd >= 0);
    assert_int_equal(hwloc_topology_init(&hw), 0);
    hwloc_topology_set_flags(hw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    assert_int_equal(hwloc_topology_set_synthetic(hw, synthetic), 0);
    assert_int_equal(hwloc_topology_load(hw), 0);
    if (change)
        change(hw);
    assert_int_equal(hwloc_topology_export_xmlbuffer(hw, &text, &length, 0), 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    rest = text;
    for (; edits && edits[0]; edits += 2) {
        char *at = strstr(rest, edits[0]);

        assert_non_null(at);
        fprintf(file, "%.*s%s", (int) (at - rest), rest, edits[1]);
        rest = at + strlen(edits[0]);
    }
    fputs(rest, file);
    assert_int_equal(fclose(file), 0);
    hwloc_free_xmlbuffer(hw, text);
    hwloc_topology_destroy(hw);
    message[0] = '\0';
    ok = lp_topology_read(path, &topology, message, sizeof(message));
    unlink(path);
    if (!ok)
        fail_msg("%s", message);
    check_sane();
}

static hwloc_obj_t
node_of(hwloc_topology_t hw, unsigned os_index)
{
    hwloc_obj_t node = hwloc_get_numanode_obj_by_os_index(hw, os_index);

    assert_non_null(node);
    return node;
}

static void
set_subtype(hwloc_topology_t hw, unsigned os_index, const char *subtype)
{
    node_of(hw, os_index)->subtype = strdup(subtype);
}

static void
name_kinds(hwloc_topology_t hw)
{
    set_subtype(hw, 1, "MCDRAM");
    set_subtype(hw, 3, "HBM");
    set_subtype(hw, 5, "CXL-DRAM");
    set_subtype(hw, 7, "NVM");
}

static void
test_tiers_by_name(void **state)
{
    static const LpTier TIERS[] = {
        LP_TIER_NORMAL, LP_TIER_FAST, LP_TIER_NORMAL, LP_TIER_FAST,
        LP_TIER_NORMAL, LP_TIER_SLOW, LP_TIER_NORMAL, LP_TIER_SLOW,
    };

    (void) state;
    read_changed("pack:4 [numa(memory=4GB)] [numa(memory=1GB)] core:2 pu:1", name_kinds, NULL);
    assert_int_equal(topology.n_nodes, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(topology.nodes[i].tier, TIERS[i]);
        /* Processors are on ordinary memory; the rest is of the package that it is near to. */
        assert_int_equal(lp_cpumask_count(&topology.nodes[i].cpus), i % 2 ? 0 : 2);
        assert_int_equal(topology.nodes[i].package, i / 2);
    }
}

/* The fast memory may have the lower number: the processors are not on it for that. */
static void
name_first_fast(hwloc_topology_t hw)
{
    set_subtype(hw, 0, "HBM");
    set_subtype(hw, 1, "DRAM");
}

static void
name_all_fast(hwloc_topology_t hw)
{
    set_subtype(hw, 0, "HBM");
    set_subtype(hw, 1, "HBM");
}

static void
test_tiers_are_relative(void **state)
{
    (void) state;
    read_changed("[numa(memory=1GB)] [numa(memory=4GB)] core:2 pu:1", name_first_fast, NULL);
    check_cpus(0, "");
    check_cpus(1, "0-1");
    assert_int_equal(topology.nodes[0].tier, LP_TIER_FAST);
    assert_int_equal(topology.nodes[1].tier, LP_TIER_NORMAL);
    /* Nor are they on what all of them share, ordinary or not. */
    read_changed("[numa(memory=8GB)] pack:2 [numa(memory=1GB)] core:2 pu:1", name_all_fast, NULL);
    check_cpus(0, "0-1");
    check_cpus(1, "2-3");
    check_cpus(2, "");
    /* Where there is no other kind it is the ordinary one. */
    read_changed("numa:2(memory=1GB) core:2 pu:1", name_all_fast, NULL);
    assert_int_equal(topology.nodes[0].tier, LP_TIER_NORMAL);
    assert_int_equal(topology.nodes[1].tier, LP_TIER_NORMAL);
}

static void
set_bandwidths(hwloc_topology_t hw)
{
    static const hwloc_uint64_t MIB_PER_SEC[] = { 100000, 400000, 100000, 60000 };

    for (unsigned i = 0; i < 4; i++) {
        hwloc_obj_t node = node_of(hw, i);
        struct hwloc_location from = { .type = HWLOC_LOCATION_TYPE_CPUSET,
                                       .location.cpuset = node->cpuset };

        assert_int_equal(hwloc_memattr_set_value(hw, HWLOC_MEMATTR_ID_BANDWIDTH, node, &from, 0,
                                                 MIB_PER_SEC[i]), 0);
    }
}

/* A machine that states bandwidths and nothing else: no distances, and nodes without processors are what
 * they carry. */
static void
test_tiers_by_bandwidth(void **state)
{
    (void) state;
    read_changed("pack:2 [numa(memory=4GB)] [numa(memory=1GB)] core:2 pu:1", set_bandwidths, NULL);
    assert_false(topology.distances_known);
    assert_int_equal(topology.nodes[0].tier, LP_TIER_NORMAL);
    assert_int_equal(topology.nodes[1].tier, LP_TIER_FAST);
    assert_int_equal(topology.nodes[2].tier, LP_TIER_NORMAL);
    assert_int_equal(topology.nodes[3].tier, LP_TIER_SLOW);
    read_good("pack:2 [numa(memory=4GB)] [numa(memory=1GB)] core:2 pu:1");
    assert_int_equal(topology.nodes[1].tier, LP_TIER_SLOW);    /* nothing is known of it */
}

static void
add_bandwidth_matrix(hwloc_topology_t hw)
{
    static hwloc_uint64_t values[] = { 10, 21, 21, 10 };
    hwloc_distances_add_handle_t handle =
        hwloc_distances_add_create(hw, "links", HWLOC_DISTANCES_KIND_FROM_USER |
                                   HWLOC_DISTANCES_KIND_MEANS_BANDWIDTH, 0);
    hwloc_obj_t nodes[] = { node_of(hw, 0), node_of(hw, 1) };

    assert_non_null(handle);
    assert_int_equal(hwloc_distances_add_values(hw, handle, 2, nodes, values, 0), 0);
    assert_int_equal(hwloc_distances_add_commit(hw, handle, 0), 0);
}

static void
test_bandwidths_are_no_distances(void **state)
{
    (void) state;
    read_changed("numa:2 pu:2", add_bandwidth_matrix, NULL);
    assert_false(topology.distances_known);
}

static int bad_first;

static void
add_two_matrices(hwloc_topology_t hw)
{
    static hwloc_uint64_t bad[] = { 10, 10, 10, 10 }, good[] = { 10, 17, 17, 10 };
    hwloc_obj_t nodes[] = { node_of(hw, 0), node_of(hw, 1) };

    for (int i = 0; i < 2; i++) {
        bool is_good = i == bad_first;
        hwloc_distances_add_handle_t handle =
            hwloc_distances_add_create(hw, is_good ? "good" : "bad", HWLOC_DISTANCES_KIND_FROM_USER |
                                       HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);

        assert_non_null(handle);
        assert_int_equal(hwloc_distances_add_values(hw, handle, 2, nodes, is_good ? good : bad,
                                                    0), 0);
        assert_int_equal(hwloc_distances_add_commit(hw, handle, 0), 0);
    }
}

static void
test_first_good_matrix(void **state)
{
    (void) state;
    for (bad_first = 0; bad_first < 2; bad_first++) {
        read_changed("numa:2 pu:2", add_two_matrices, NULL);
        assert_true(topology.distances_known);
        assert_int_equal(topology.distance[0][1], 17);
    }
}

static void
test_memory_side_cache(void **state)
{
    static const char *const WRAP[] = {
        "<object type=\"NUMANode\" os_index=\"1\"",
        "<object type=\"MemCache\" cpuset=\"0x0000000c\" complete_cpuset=\"0x0000000c\" "
        "nodeset=\"0x00000002\" complete_nodeset=\"0x00000002\" gp_index=\"900\" "
        "cache_size=\"67108864\" depth=\"1\" cache_linesize=\"64\" cache_associativity=\"0\" "
        "cache_type=\"0\"><object type=\"NUMANode\" os_index=\"1\"",
        "</object>", "</object></object>", NULL,
    };

    (void) state;
    read_changed("numa:2(memory=1GB) pu:2", NULL, WRAP);
    assert_int_equal(topology.n_nodes, 2);
    assert_int_equal(topology.nodes[0].memory_cache_bytes, 0);
    assert_int_equal(topology.nodes[1].memory_cache_bytes, 64 << 20);
    check_cpus(1, "2-3");
}

static void
test_cores_and_caches(void **state)
{
    (void) state;
    read_good("pack:2 [numa(memory=1GB)] l3:2(size=4194304) l2:2(size=1048576) core:1 pu:2");
    assert_int_equal(topology.cache_bytes, 4 << 20);
    for (unsigned cpu = 0; cpu < 16; cpu++) {
        assert_int_equal(topology.core_of[cpu], cpu / 2);
        assert_int_equal(topology.cache_of[cpu], cpu / 4);
    }
    assert_int_equal(topology.nodes[0].package, 0);
    assert_int_equal(topology.nodes[1].package, 1);
    /* Siblings far apart in number, as most machines have them. */
    read_good("numa:2(memory=1GB) core:2 pu:2(indexes=0,4,1,5,2,6,3,7)");
    check_cpus(0, "0-1,4-5");
    assert_int_equal(topology.core_of[0], topology.core_of[4]);
    assert_int_equal(topology.core_of[3], topology.core_of[7]);
    assert_int_not_equal(topology.core_of[0], topology.core_of[1]);
    assert_int_equal(topology.cache_bytes, 0);
    /* Neither cores nor caches are named. */
    read_good("numa:2(memory=1GB) pu:2");
    assert_int_equal(topology.n_cores, 4);
    assert_int_equal(topology.core_of[3], 3);
    assert_int_equal(topology.cache_of[3], topology.cache_of[0]);
    /* Packages and nodes numbered across each other. */
    read_good("pack:2 numa:2(indexes=0,2,1,3 memory=1GB) core:1 pu:1");
    assert_int_equal(topology.nodes[0].package, 0);
    assert_int_equal(topology.nodes[1].package, 1);
    assert_int_equal(topology.nodes[2].package, 0);
    assert_int_equal(topology.nodes[3].package, 1);
    read_good("pack:2 numa:2(memory=1GB) core:1 pu:1(indexes=0,2,1,3)");
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(topology.nodes[i].package, i / 2);
}

static void
test_many_packages(void **state)
{
    (void) state;
    read_good("pack:24 numa:1 core:4 pu:2");
    assert_int_equal(topology.n_nodes, 24);
    assert_int_equal(topology.n_packages, 24);
    for (unsigned i = 0; i < 24; i++)
        assert_int_equal(topology.nodes[i].package, i);
    /* More packages than nodes. */
    read_good("numa:4(memory=1GB) pack:4 core:2 pu:1");
    assert_int_equal(topology.n_packages, 16);
    assert_int_equal(topology.nodes[3].package, 12);
}

static void
forbid(hwloc_topology_t hw)
{
    hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

    hwloc_bitmap_list_sscanf(cpus, "2-5");
    assert_int_equal(hwloc_topology_allow(hw, cpus, NULL, HWLOC_ALLOW_FLAG_CUSTOM), 0);
    hwloc_bitmap_free(cpus);
}

/* A cpuset around this process: what is outside is counted, and not used. */
static void
test_forbidden_processors(void **state)
{
    (void) state;
    read_changed("numa:3(memory=1GB) core:4 pu:1", forbid, NULL);
    assert_int_equal(topology.n_nodes, 3);
    assert_int_equal(topology.n_cpus, 4);
    assert_int_equal(topology.n_cpus_forbidden, 8);
    assert_int_equal(topology.n_cpus_offline, 0);
    assert_int_equal(topology.n_cores, 4);
    check_cpus(0, "2-3");
    check_cpus(1, "4-5");
    check_cpus(2, "");
    /* Its memory is ordinary memory all the same. */
    assert_int_equal(topology.nodes[2].tier, LP_TIER_NORMAL);
}

static void
forbid_nodes(hwloc_topology_t hw)
{
    hwloc_bitmap_t nodes = hwloc_bitmap_alloc();

    hwloc_bitmap_list_sscanf(nodes, "0,2");
    assert_int_equal(hwloc_topology_allow(hw, NULL, nodes, HWLOC_ALLOW_FLAG_CUSTOM), 0);
    hwloc_bitmap_free(nodes);
}

static void
test_forbidden_nodes(void **state)
{
    (void) state;
    read_changed("numa:3(memory=1GB) core:2 pu:1", forbid_nodes, NULL);
    assert_int_equal(topology.n_nodes, 2);
    assert_int_equal(topology.nodes[1].id, 2);
    assert_int_equal(topology.n_nodes_offline, 1);
    check_cpus(1, "4-5");
}

static void
forbid_all_but_one_node(hwloc_topology_t hw)
{
    hwloc_bitmap_t nodes = hwloc_bitmap_alloc();

    hwloc_bitmap_set(nodes, 1);
    assert_int_equal(hwloc_topology_allow(hw, NULL, nodes, HWLOC_ALLOW_FLAG_CUSTOM), 0);
    hwloc_bitmap_free(nodes);
}

/* Processors without a node of their own are on the one that there is, and nowhere where there are
 * several: they are far from each. */
static void
test_processors_without_a_node(void **state)
{
    (void) state;
    read_changed("numa:3(memory=1GB) core:2 pu:1", forbid_all_but_one_node, NULL);
    assert_int_equal(topology.n_nodes, 1);
    assert_int_equal(topology.nodes[0].id, 1);
    check_cpus(0, "0-5");
    read_changed("numa:3(memory=1GB) core:2 pu:1", forbid_nodes, NULL);
    assert_int_equal(topology.n_cpus, 6);
    check_cpus(0, "0-1");
}

/* hwloc 3 writes the same for what is asked for here, under another number. */
static void
test_newer_file(void **state)
{
    static const char *const VERSION[] = {
        "<topology version=\"2.0\"", "<topology version=\"3.0\"", NULL,
    };

    (void) state;
    read_changed("pack:2 numa:2(memory=1GB) core:2 pu:2", NULL, VERSION);
    assert_int_equal(topology.n_nodes, 4);
    assert_int_equal(topology.n_cpus, 16);
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
    assert_int_equal(topology.n_cores, 3);
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
        /* Two nodes of one number; more than any machine has. */
        "numa:4(indexes=0,2,4,2) pu:1", "4294967295", "pack:1024 core:1024 pu:1024",
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
        cmocka_unit_test(test_bandwidths_are_no_distances),
        cmocka_unit_test(test_first_good_matrix),
        cmocka_unit_test(test_tiers_by_name),
        cmocka_unit_test(test_tiers_are_relative),
        cmocka_unit_test(test_tiers_by_bandwidth),
        cmocka_unit_test(test_memory_side_cache),
        cmocka_unit_test(test_cores_and_caches),
        cmocka_unit_test(test_many_packages),
        cmocka_unit_test(test_forbidden_processors),
        cmocka_unit_test(test_forbidden_nodes),
        cmocka_unit_test(test_processors_without_a_node),
        cmocka_unit_test(test_newer_file),
        cmocka_unit_test(test_restricted_cpuset),
        cmocka_unit_test(test_node_without_processors),
        cmocka_unit_test(test_node_without_memory),
        cmocka_unit_test(test_refused_untouched),
    };

    return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}

#else
/* Real machines, where somebody has them: LPARD_TOPOLOGIES names the directory. */
/* What is known of some of them (by their README): nodes with memory, those of them that no processor
 * is on, packages, processors, and the least and greatest distance to another node (0: none stated). */
static const struct {
    const char *file;
    uint32_t nodes, without_cpus, packages, cpus, near, far;
} MACHINES[] = {
    { "16amd64-8n2c.from-sysfs.xml", 8, 0, 8, 16, 20, 20 },
    { "40intel64-2g2n4c+pcilocality.xml", 4, 0, 4, 40, 20, 20 },
    { "48amd64-4pa2n6c-sparse.from-sysfs.xml", 8, 0, 4, 48, 16, 22 },
    { "96em64t-4n4d3ca2co-pci.xml", 4, 0, 16, 96, 26, 26 },
    { "cascade-lake-ap-snl-hwloc1.xml", 4, 0, 4, 192, 21, 21 },
    { "coral-lassen-hwloc1.xml", 6, 4, 2, 160, 40, 80 },
    { "eas-tioga.xml", 4, 0, 1, 128, 12, 12 },
    { "epyc-corona-p2.xml", 2, 0, 2, 96, 32, 32 },
    /* hwloc shows each node beside the processors that it is near to; here each counts once. */
    { "fakeheteromemtiers.from-sysfs.xml", 7, 4, 1, 6, 20, 20 },
    { "g4dnmetal.xml", 2, 0, 2, 96, 21, 21 },
    { "memorysidecaches.xml", 4, 0, 2, 80, 11, 21 },
    { "offline-cpu0-node0.from-sysfs.xml", 1, 0, 2, 17, 0, 0 },
};

static int
find_machine(const char *file)
{
    for (size_t i = 0; i < sizeof(MACHINES) / sizeof(MACHINES[0]); i++) {
        if (strcmp(MACHINES[i].file, file) == 0)
            return (int) i;
    }
    return -1;
}

static void
check_machine(const char *file)
{
    uint32_t without_cpus = 0, near = 255, far = 0;
    int which = find_machine(file);

    if (which < 0)
        return;
    for (uint32_t i = 0; i < topology.n_nodes; i++) {
        without_cpus += lp_cpumask_count(&topology.nodes[i].cpus) == 0;
        for (uint32_t j = 0; j < topology.n_nodes; j++) {
            if (i != j && topology.distance[i][j] < near)
                near = topology.distance[i][j];
            if (i != j && topology.distance[i][j] > far)
                far = topology.distance[i][j];
        }
    }
    print_message("# %s\n", file);
    assert_int_equal(topology.n_nodes, MACHINES[which].nodes);
    assert_int_equal(without_cpus, MACHINES[which].without_cpus);
    assert_int_equal(topology.n_packages, MACHINES[which].packages);
    assert_int_equal(topology.n_cpus, MACHINES[which].cpus);
    assert_int_equal(topology.distances_known, MACHINES[which].far > 0);
    if (topology.distances_known) {
        assert_int_equal(near, MACHINES[which].near);
        assert_int_equal(far, MACHINES[which].far);
    }
}

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
            check_machine(entry->d_name);
            n_read++;
        } else {
            assert_true(strlen(message) > 20);
            print_message("# refused: %s\n", message);
            assert_int_equal(find_machine(entry->d_name), -1);
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
