/* Where blocks that arrive go, and in which order processors are changed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/cpu.h"
#include "agent/lines.h"
#include "agent/mem.h"
#include "agent/zones.h"
#include "tests/unit/tree.h"

#define MIB (UINT64_C(1) << 20)
#define MEM "sys/devices/system/memory/"
#define CPU "sys/devices/system/cpu/"

static LpMemory memory;
static LpConf conf;
static char sysfs[128], procfs[128];

/* What is written to processors goes here instead, in order; the first n_busy are refused. */
static char written[256];
static unsigned n_busy;
static LpCpuMask failed;
static char error[128];

int __wrap_lp_file_write(const char *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int
__wrap_lp_file_write(const char *text, const char *format, ...)
{
    char path[256];
    const char *cpu;
    unsigned number;
    va_list args;
    int fd;

    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    cpu = strstr(path, "/cpu/cpu");
    if (cpu != NULL && sscanf(cpu, "/cpu/cpu%u/online", &number) == 1) {
        snprintf(written + strlen(written), sizeof(written) - strlen(written), "cpu%u=%s ", number,
                 text);
        if (n_busy == 0)
            return 0;
        n_busy--;
        return EBUSY;
    }
    fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return 0;
}

static int
setup(void **data)
{
    (void)data;
    tree_make();
    snprintf(sysfs, sizeof(sysfs), "%s", tree_path("sys"));
    snprintf(procfs, sizeof(procfs), "%s", tree_path("proc"));
    memset(&conf, 0, sizeof(conf));
    conf.movable_ratio_percent = 301;
    tree_put(MEM "block_size_bytes", "8000000\n");
    tree_put(MEM "auto_online_blocks", "offline\n");
    lp_memory_init(&memory, sysfs, procfs, &conf);
    memory.policy = LP_WIRE_MEM_AUTO;
    return 0;
}

static int
teardown(void **data)
{
    (void)data;
    tree_drop();
    return 0;
}

static unsigned long long
pages(unsigned mib)
{
    return mib * MIB / (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Two nodes as /proc/zoneinfo shows them; amounts in MiB. */
static void
put_zones(const unsigned kernel[2], const unsigned movable[2], unsigned cma)
{
    char text[4096];
    int used = 0;

    for (int node = 0; node < 2; node++)
        used += snprintf(text + used, sizeof(text) - (size_t)used,
                         "Node %d, zone    DMA32\n  per-node stats\n      nr_free_cma  77\n"
                         "  pages free     9\n        present  %llu\n        managed  5\n"
                         "        cma      %llu\n        protection: (0, 3019, 11339)\n"
                         "Node %d, zone   Normal\n  pages free     9\n        present  0\n"
                         "        managed  0\n"
                         "Node %d, zone  Movable\n        present  %llu\n        managed  1\n"
                         "        cma      0\nNode %d, zone   Device\n        present  999999999\n",
                         node, pages(kernel[node]), node == 0 ? pages(cma) : 0, node, node,
                         pages(movable[node]), node);
    tree_put("proc/zoneinfo", text);
}

static void
put_block(unsigned block, int node)
{
    char name[96];

    snprintf(name, sizeof(name), MEM "memory%u/state", block);
    tree_put(name, "offline\n");
    if (node >= 0) {
        snprintf(name, sizeof(name), MEM "memory%u/node%d/x", block, node);
        tree_put(name, "");
    }
}

static const char *
state_of(unsigned block)
{
    static char text[32];
    char name[96];
    int fd;

    snprintf(name, sizeof(name), MEM "memory%u/state", block);
    fd = open(tree_path(name), O_RDONLY);
    assert_true(fd >= 0);
    memset(text, 0, sizeof(text));
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    return text;
}

static void
arrive(unsigned from, unsigned n)
{
    uint32_t blocks[64];

    for (unsigned i = 0; i < n; i++)
        blocks[i] = from + i;
    lp_memory_arrived(&memory, blocks, n);
}

static void
test_zones_are_counted(void **data)
{
    LpZones zones;

    (void)data;
    assert_false(lp_zones_read(procfs, &zones));
    tree_put("proc/zoneinfo", "");
    assert_false(lp_zones_read(procfs, &zones));
    put_zones((const unsigned[]){ 512, 128 }, (const unsigned[]){ 256, 0 }, 64);
    assert_true(lp_zones_read(procfs, &zones));
    /* CMA memory lies in a kernel zone and is as good as movable. */
    assert_int_equal(zones.all.kernel_bytes, (640 - 64) * MIB);
    assert_int_equal(zones.all.movable_bytes, (256 + 64) * MIB);
    assert_int_equal(zones.nodes[0].kernel_bytes, (512 - 64) * MIB);
    assert_int_equal(zones.nodes[0].movable_bytes, (256 + 64) * MIB);
    assert_int_equal(zones.nodes[1].kernel_bytes, 128 * MIB);
    assert_int_equal(zones.nodes[1].movable_bytes, 0);
}

/* A guest of 512 MiB may have 3.01 times as much movable: 12 blocks, and then the kernel's. */
static void
test_ratio(void **data)
{
    (void)data;
    put_zones((const unsigned[]){ 512, 0 }, (const unsigned[]){ 0, 0 }, 0);
    for (unsigned i = 0; i < 20; i++)
        put_block(32 + i, 0);
    arrive(32, 20);
    for (unsigned i = 0; i < 12; i++)
        assert_string_equal(state_of(32 + i), "online_movable");
    /* A block of the kernel's lets three more be movable, as in Linux for one device. */
    assert_string_equal(state_of(44), "online_kernel");
    assert_string_equal(state_of(45), "online_movable");
    assert_string_equal(state_of(47), "online_movable");
    assert_string_equal(state_of(48), "online_kernel");
    conf.movable_ratio_percent = 0;
    put_block(60, 0);
    arrive(60, 1);
    assert_string_equal(state_of(60), "online_kernel");
}

static void
test_ratio_of_each_node(void **data)
{
    (void)data;
    /* In all there is room, in node 1 there is not. */
    put_zones((const unsigned[]){ 2048, 128 }, (const unsigned[]){ 0, 256 }, 0);
    put_block(32, 1);
    put_block(33, 1);
    put_block(34, 0);
    put_block(35, -1);
    assert_int_equal(lp_memory_sweep(&memory, error, sizeof(error)), 0);
    assert_string_equal(state_of(34), "online_movable");
    assert_string_equal(state_of(35), "online_movable");
    /* One of the two fits, whichever came first. */
    assert_true((strcmp(state_of(32), "online_movable") == 0) !=
                (strcmp(state_of(33), "online_movable") == 0));
}

static void
test_other_policies(void **data)
{
    (void)data;
    put_zones((const unsigned[]){ 128, 0 }, (const unsigned[]){ 1024, 0 }, 0);
    put_block(32, 0);
    arrive(32, 1);
    assert_string_equal(state_of(32), "online_kernel");
    memory.policy = LP_WIRE_MEM_MOVABLE;
    put_block(32, 0);
    arrive(32, 1);
    assert_string_equal(state_of(32), "online_movable");
    memory.policy = LP_WIRE_MEM_KERNEL;
    put_block(32, 0);
    arrive(32, 1);
    assert_string_equal(state_of(32), "online_kernel");
    memory.policy = LP_WIRE_MEM_LEAVE;
    put_block(32, 0);
    arrive(32, 1);
    assert_string_equal(state_of(32), "offline\n");
    assert_int_equal(lp_memory_offline_bytes(&memory), 128 * MIB);
    /* The kernel's own policy does the same, and knows more. */
    memory.policy = LP_WIRE_MEM_AUTO;
    tree_put("sys/module/memory_hotplug/parameters/online_policy", "auto-movable\n");
    arrive(32, 1);
    assert_string_equal(state_of(32), "online");
    tree_put("sys/module/memory_hotplug/parameters/online_policy", "contig-zones\n");
    put_block(32, 0);
    arrive(32, 1);
    assert_string_equal(state_of(32), "online_kernel");
    /* It brings memory online by itself: hands off. */
    tree_put(MEM "auto_online_blocks", "online_movable\n");
    put_block(32, 0);
    arrive(32, 1);
    assert_string_equal(state_of(32), "offline\n");
    /* Zones that cannot be read are no reason to leave memory offline. */
    tree_put(MEM "auto_online_blocks", "offline\n");
    unlink(tree_path("proc/zoneinfo"));
    arrive(32, 1);
    assert_string_equal(state_of(32), "online_movable");
}

static void
make_cpus(LpCpus *cpus, const char *online, const unsigned *ids, unsigned n)
{
    char name[96], text[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof(name), CPU "cpu%u/firmware_node/uid", i);
        snprintf(text, sizeof(text), "%u\n", ids[i]);
        tree_put(name, text);
        snprintf(name, sizeof(name), CPU "cpu%u/online", i);
        tree_put(name, "x");
    }
    snprintf(text, sizeof(text), "0-%u\n", n - 1);
    tree_put(CPU "present", text);
    tree_put(CPU "online", online);
    lp_cpus_init(cpus, sysfs);
    lp_cpus_scan(cpus, true);
}

static void
apply(LpCpus *cpus, const char *want_list, unsigned changed)
{
    LpCpuMask want;

    assert_true(lp_cpumask_parse(want_list, &want));
    lp_cpumask_clear(&failed);
    written[0] = error[0] = '\0';
    assert_int_equal(lp_cpus_apply(cpus, &want, &failed, error, sizeof(error)), changed);
}

/* The kernel numbered them 0, 3, 1, 2: by vCPU id it is 2, 3, 1. */
static void
test_order_of_processors(void **data)
{
    static const unsigned ids[] = { 0, 3, 1, 2 };
    LpCpus cpus;

    (void)data;
    make_cpus(&cpus, "0\n", ids, 4);
    apply(&cpus, "0-3", 3);
    assert_string_equal(written, "cpu2=1 cpu3=1 cpu1=1 ");
    make_cpus(&cpus, "0-3\n", ids, 4);
    apply(&cpus, "", 3);
    assert_string_equal(written, "cpu1=0 cpu3=0 cpu2=0 ");
    /* What is to come comes first; what is not there is not asked for. */
    make_cpus(&cpus, "0,1\n", ids, 4);
    apply(&cpus, "1-2,7", 3);
    assert_string_equal(written, "cpu2=1 cpu3=1 cpu1=0 ");
    apply(&cpus, "3", 0);
    assert_string_equal(written, "");
}

static void
test_busy_processors(void **data)
{
    static const unsigned ids[] = { 0, 1, 2 };
    LpCpus cpus;

    (void)data;
    make_cpus(&cpus, "0-2\n", ids, 3);
    n_busy = 2;
    apply(&cpus, "0", 2);
    assert_string_equal(written, "cpu2=0 cpu2=0 cpu2=0 cpu1=0 ");
    assert_int_equal(lp_cpumask_count(&failed), 0);
    /* Bounded, for all together. */
    n_busy = 1000;
    apply(&cpus, "0", 0);
    assert_string_equal(written, "cpu2=0 cpu2=0 cpu2=0 cpu2=0 cpu1=0 ");
    assert_int_equal(lp_cpumask_count(&failed), 2);
    assert_string_equal(error, "vCPU 2 cannot be brought offline: Device or resource busy");
    n_busy = 0;
}

static void
test_lines(void **data)
{
    char text[3 * LP_LINES_BUFFER + 64];
    static LpLines lines;

    (void)data;
    assert_false(lp_lines_open(&lines, "%s/none", procfs));
    /* One that fits exactly, one that does not, one of several times the size. */
    strcpy(text, "first\n");
    memset(text + 6, 'a', LP_LINES_BUFFER - 1);
    strcpy(text + 6 + LP_LINES_BUFFER - 1, "\n\nlast");
    tree_put("proc/lines", text);
    assert_true(lp_lines_open(&lines, "%s/lines", procfs));
    assert_string_equal(lp_lines_next(&lines), "first");
    assert_int_equal(strlen(lp_lines_next(&lines)), LP_LINES_BUFFER - 1);
    assert_string_equal(lp_lines_next(&lines), "");
    assert_string_equal(lp_lines_next(&lines), "last");
    assert_null(lp_lines_next(&lines));
    lp_lines_close(&lines);
    for (size_t length = LP_LINES_BUFFER; length <= 3 * LP_LINES_BUFFER; length += 1365) {
        memset(text, 'b', length);
        strcpy(text + length, "\nafter\n");
        tree_put("proc/lines", text);
        assert_true(lp_lines_open(&lines, "%s/lines", procfs));
        assert_string_equal(lp_lines_next(&lines), "after");
        assert_null(lp_lines_next(&lines));
        lp_lines_close(&lines);
        text[length] = '\0';
        tree_put("proc/lines", text);
        assert_true(lp_lines_open(&lines, "%s/lines", procfs));
        assert_null(lp_lines_next(&lines));
        lp_lines_close(&lines);
    }
    assert_string_equal(lp_line_value("Threads:\t 4", "Threads:"), "4");
    assert_null(lp_line_value("Thread", "Threads:"));
}

int
main(void)
{
#define TEST(func) cmocka_unit_test_setup_teardown(func, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_zones_are_counted), TEST(test_ratio), TEST(test_ratio_of_each_node),
        TEST(test_other_policies), TEST(test_order_of_processors), TEST(test_busy_processors),
        TEST(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
