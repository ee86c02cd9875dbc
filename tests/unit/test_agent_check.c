/* Whether a guest can do with less: made-up guests, and what is said of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/bound.h"
#include "agent/check.h"
#include "tests/unit/tree.h"

#define MIB (UINT64_C(1) << 20)

static LpAgent agent;
static LpWireAnswer answer;
static char sysfs[128], procfs[128];

static int
setup(void **data)
{
    (void)data;
    tree_make();
    snprintf(sysfs, sizeof(sysfs), "%s", tree_path("sys"));
    snprintf(procfs, sizeof(procfs), "%s", tree_path("proc"));
    memset(&agent, 0, sizeof(agent));
    agent.options.sysfs = sysfs;
    agent.options.procfs = procfs;
    agent.conf.pressure_limit_centi = 2000;
    lp_cpus_init(&agent.cpus, sysfs);
    lp_memory_init(&agent.memory, sysfs, procfs, &agent.conf);
    return 0;
}

static int
teardown(void **data)
{
    (void)data;
    tree_drop();
    return 0;
}

static void
put_cpus(unsigned n, const char *online)
{
    char name[96], text[32];

    snprintf(text, sizeof(text), "0-%u\n", n - 1);
    tree_put("sys/devices/system/cpu/present", text);
    tree_put("sys/devices/system/cpu/online", online);
    for (unsigned i = 1; i < n; i++) {
        snprintf(name, sizeof(name), "sys/devices/system/cpu/cpu%u/online", i);
        tree_put(name, "1\n");
    }
    lp_cpus_scan(&agent.cpus, true);
}

/* A thread as /proc shows it: name, threads of its process, processors, flags. */
static void
put_task(unsigned pid, unsigned tid, const char *name, unsigned threads, const char *cpus,
         unsigned flags)
{
    char path[96], text[256];

    snprintf(path, sizeof(path), "proc/%u/task/%u/status", pid, tid);
    snprintf(text, sizeof(text), "Name:\t%s\nThreads:\t%u\nCpus_allowed:\tff\n"
             "Cpus_allowed_list:\t%s\nMems_allowed:\t1\n", name, threads, cpus);
    tree_put(path, text);
    snprintf(path, sizeof(path), "proc/%u/task/%u/stat", pid, tid);
    snprintf(text, sizeof(text), "%u (%s) S 1 2 3 0 -1 %u 5 6 7\n", tid, name, flags);
    tree_put(path, text);
}

static void
put_meminfo(unsigned total_mib, unsigned available_mib, const char *more)
{
    char text[512];

    snprintf(text, sizeof(text), "MemTotal:       %u kB\nMemFree:        1000 kB\n"
             "MemAvailable:   %u kB\nBuffers:             0 kB\n%s", total_mib << 10,
             available_mib << 10, more);
    tree_put("proc/meminfo", text);
}

static void
check(unsigned cpu_from, unsigned cpu_to, unsigned from_mib, unsigned to_mib)
{
    const LpWirePhase phase = {
        .id = 1, .deadline_msec = 5000, .has_cpu = cpu_from > 0, .cpu_from = cpu_from,
        .cpu_to = cpu_to, .has_mem = from_mib > 0, .mem_from_bytes = from_mib * MIB,
        .mem_to_bytes = to_mib * MIB,
    };

    memset(&answer, 0x5a, sizeof(answer));
    lp_check_resize(&agent, &phase, &answer);
}

static void
assert_ok(const char *leave)
{
    char text[LP_CPUMASK_TEXT];

    assert_int_equal(answer.verdict, LP_WIRE_ANSWER_OK);
    assert_string_equal(answer.by, "");
    assert_string_equal(answer.reason, "");
    assert_int_equal(answer.has_leave, leave != NULL);
    assert_string_equal(lp_cpumask_format(&answer.leave, text, sizeof(text)),
                        leave != NULL ? leave : "");
}

static void
assert_veto(const char *reason)
{
    assert_string_equal(answer.reason, reason);
    assert_string_equal(answer.by, "agent");
    assert_int_equal(answer.verdict, LP_WIRE_ANSWER_VETO);
}

static void
test_floor(void **data)
{
    static const struct {
        unsigned total_mib, floor_mib;
    } known[] = {
        { 16, 16 }, { 32, 24 }, { 128, 72 }, { 512, 168 }, { 2048, 360 }, { 8192, 744 },
        { 32768, 1512 },
    };
    uint64_t last = lp_check_floor_bytes(0);

    (void)data;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint64_t total = known[i].total_mib * MIB;

        assert_int_equal(lp_check_floor_bytes(total), known[i].floor_mib * MIB);
        /* No step at a break: a page less needs at most a page less. */
        assert_in_range(lp_check_floor_bytes(total) - lp_check_floor_bytes(total - 4096), 0, 4096);
    }
    for (uint64_t total = 0; total < 65536 * MIB; total += 7 * MIB) {
        uint64_t now = lp_check_floor_bytes(total);

        assert_true(now >= last && now - last <= 7 * MIB);
        last = now;
    }
    assert_true(lp_check_floor_bytes(UINT64_MAX) > 0);
}

static void
test_idle_guest_shrinks(void **data)
{
    (void)data;
    /* 512 MiB grown to 1 and 2 GiB: what is in use are the kernel's own maps. */
    put_meminfo(916, 860, "");
    check(0, 0, 1024, 512);
    assert_ok(NULL);
    put_meminfo(1940, 1868, "");
    check(0, 0, 2048, 512);
    assert_ok(NULL);
    /* Nothing leaves: nothing is asked. */
    check(0, 0, 512, 2048);
    assert_ok(NULL);
    check(0, 0, 512, 512);
    assert_ok(NULL);
}

static void
test_memory_in_use(void **data)
{
    (void)data;
    put_meminfo(1024, 324, "");
    check(0, 0, 1024, 768);
    assert_veto("700 MiB are in use and cannot be reclaimed, 900 MiB must stay, 768 MiB would");
    /* All of it, and more than there is. */
    check(0, 0, 1024, 0);
    assert_veto("700 MiB are in use and cannot be reclaimed, 708 MiB must stay, 0 MiB would");
    check(0, 0, 4096, 1024);
    assert_veto("700 MiB are in use and cannot be reclaimed, 708 MiB must stay, 0 MiB would");
    /* To the byte: 700 + 104 + x/8 fits into x from 918 6/7 on. */
    check(0, 0, 1024, 918);
    assert_int_equal(answer.verdict, LP_WIRE_ANSWER_VETO);
    check(0, 0, 1024, 919);
    assert_ok(NULL);
    /* Blocks that are not online leave first. */
    tree_put("sys/devices/system/memory/block_size_bytes", "8000000\n");
    tree_put("sys/devices/system/memory/memory32/state", "offline\n");
    lp_memory_init(&agent.memory, sysfs, procfs, &agent.conf);
    check(0, 0, 1024, 896);
    assert_ok(NULL);
    check(0, 0, 1024, 768);
    assert_int_equal(answer.verdict, LP_WIRE_ANSWER_VETO);
}

static void
test_largest_is_named(void **data)
{
    char text[64];

    (void)data;
    tree_put("proc/811/statm", "1 100 0 0 0 0 0\n");
    snprintf(text, sizeof(text), "999999 %llu 1 1 0 1 0\n",
             (unsigned long long)(410 * MIB / (uint64_t)sysconf(_SC_PAGESIZE)));
    tree_put("proc/812/statm", text);
    tree_put("proc/812/comm", "post\033gres\n");
    tree_put("proc/self/statm", "9999999 9999999 1 1 0 1 0\n");
    put_meminfo(1024, 324, "");
    check(0, 0, 1024, 768);
    assert_veto("700 MiB are in use and cannot be reclaimed, 900 MiB must stay, 768 MiB would; "
                "largest: pid 812 postgres 410 MiB");
    put_meminfo(1024, 324, "HugePages_Total:   206\nHugepagesize:   2048 kB\n");
    check(0, 0, 1024, 768);
    assert_non_null(strstr(answer.reason, "; 412 MiB are huge pages"));
    put_meminfo(1024, 324, "Hugetlb:   1024 kB\nUnevictable:   430080 kB\n");
    check(0, 0, 1024, 768);
    assert_non_null(strstr(answer.reason, "; 420 MiB are locked"));
    put_meminfo(1024, 324, "Shmem:   440320 kB\n");
    check(0, 0, 1024, 768);
    assert_non_null(strstr(answer.reason, "; 430 MiB are in tmpfs or shared memory"));
    /* Who holds next to nothing is not blamed. */
    tree_put("proc/812/statm", "9999 1 1 1 0 1 0\n");
    put_meminfo(1024, 324, "Shmem:   1024 kB\n");
    check(0, 0, 1024, 768);
    assert_non_null(strstr(answer.reason, "768 MiB would"));
    assert_null(strstr(answer.reason, ";"));
}

static void
test_pressure_and_own_floor(void **data)
{
    (void)data;
    put_meminfo(1024, 960, "");
    tree_put("proc/pressure/memory", "some avg10=19.99 avg60=0.00 avg300=0.00 total=5\n");
    check(0, 0, 1024, 768);
    assert_ok(NULL);
    tree_put("proc/pressure/memory", "some avg10=34.20 avg60=0.00 avg300=0.00 total=5\n");
    check(0, 0, 1024, 768);
    assert_veto("memory pressure is 34.20 % already (10 s average, limit 20.00 %)");
    check(0, 0, 1024, 2048);
    assert_ok(NULL);
    tree_put("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    agent.conf.floor_bytes = 800 * MIB;
    check(0, 0, 1024, 768);
    assert_veto("this guest's agent.conf keeps 800 MiB, 768 MiB would stay");
    check(0, 0, 1024, 800);
    assert_ok(NULL);
}

static void
test_old_kernels_and_containers(void **data)
{
    static const char *const odd[] = {
        "", "MemTotal:", "MemTotal: 0 kB\n", "MemTotal: x kB\nMemAvailable: 5 kB\n",
        "MemTotal: 10 kB\nMemAvailable: 99999999999999999999999 kB\n", "\n\n\n",
    };

    (void)data;
    check(4, 1, 1024, 512);
    assert_ok(NULL);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        tree_put("proc/meminfo", odd[i]);
        check(0, 0, 1024, 512);
        assert_ok(NULL);
    }
    /* Before 3.14 there was no MemAvailable. */
    tree_put("proc/meminfo", "MemTotal: 1048576 kB\nMemFree: 102400 kB\nBuffers: 1024 kB\n"
             "Cached: 331776 kB\nSwapCached: 999999 kB\nShmem: 102400 kB\n"
             "SReclaimable: 1024 kB\n");
    check(0, 0, 1024, 768);
    assert_veto("698 MiB are in use and cannot be reclaimed, 898 MiB must stay, 768 MiB would; "
                "100 MiB are in tmpfs or shared memory");
}

static void
test_processors(void **data)
{
    (void)data;
    put_cpus(4, "0-3\n");
    put_task(1, 1, "init", 1, "0-3", 0x400000);
    put_task(812, 812, "postgres", 3, "0-3", 0);
    check(4, 2, 0, 0);
    assert_ok("2-3");
    /* A thread, in a process whose own may run anywhere. */
    put_task(812, 815, "worker) 1", 3, "3", 0);
    check(4, 3, 0, 0);
    assert_ok("2");
    check(4, 1, 0, 0);
    assert_veto("thread 815 worker) 1 of pid 812 is bound to cpu 3; 2 of 3 vCPUs could leave");
    /* For who insists the choice is there all the same. */
    assert_true(answer.has_leave);
    assert_int_equal(lp_cpumask_count(&answer.leave), 3);
    put_task(811, 811, "nginx", 1, "2", 0);
    put_task(813, 813, "etl", 1, "1", 0);
    check(4, 3, 0, 0);
    assert_true(strncmp(answer.reason, "pid 811 nginx is bound to cpu 2", 31) == 0 ||
                strncmp(answer.reason, "pid 813 etl is bound to cpu 1", 29) == 0 ||
                strncmp(answer.reason, "thread 815 worker) 1 of pid 812 is bound to cpu 3", 49) == 0);
    /* Of four granted one has not come online: it is among those that go. */
    tree_put("sys/devices/system/cpu/online", "0-2\n");
    put_task(811, 811, "nginx", 1, "0-3", 0);
    put_task(813, 813, "etl", 1, "0-3", 0);
    check(4, 2, 0, 0);
    assert_ok("2");
    /* What has been taken offline is nobody's home; of 2 granted 2 stay. */
    tree_put("sys/devices/system/cpu/online", "0,2\n");
    check(4, 2, 0, 0);
    assert_ok(NULL);
}

static void
test_kernel_threads_and_interrupts(void **data)
{
    (void)data;
    put_cpus(3, "0-2\n");
    put_task(20, 20, "migration/1", 1, "1", 0x04208040);
    put_task(21, 21, "kworker/2:0", 1, "2", 0x00208060);
    put_task(22, 22, "iou-wrk-812", 1, "2", 0x04000010);
    check(3, 1, 0, 0);
    assert_ok("1-2");
    /* They make it dearer, and nothing else. */
    tree_put("proc/irq/24/smp_affinity_list", "2\n");
    tree_put("proc/irq/25/smp_affinity_list", "0-2\n");
    tree_put("proc/irq/26/smp_affinity_list", "no list\n");
    check(3, 2, 0, 0);
    assert_ok("1");
    check(3, 1, 0, 0);
    assert_ok("1-2");
}

static void
test_cpuset_is_named(void **data)
{
    (void)data;
    put_cpus(4, "0-3\n");
    put_task(900, 900, "batch", 1, "2-3", 0);
    tree_put("proc/900/cpuset", "/my group\n");
    tree_put("sys/fs/cgroup/my group/cpuset.cpus.effective", "2-3,9\n");
    check(4, 2, 0, 0);
    assert_ok("1,3");
    put_task(901, 901, "x", 1, "1", 0);
    check(4, 2, 0, 0);
    assert_veto("cpuset /my group has only cpus 2-3; 1 of 2 vCPUs could leave");
    /* As version 1 has it; and bound within a larger cpuset by itself. */
    unlink(tree_path("sys/fs/cgroup/my group/cpuset.cpus.effective"));
    tree_put("sys/fs/cgroup/cpuset/my group/cpuset.cpus", "2-3\n");
    check(4, 2, 0, 0);
    assert_non_null(strstr(answer.reason, "cpuset /my group"));
    tree_put("sys/fs/cgroup/cpuset/my group/cpuset.cpus", "1-3\n");
    check(4, 2, 0, 0);
    assert_veto("pid 900 batch is bound to cpus 2-3; 1 of 2 vCPUs could leave");
}

static void
test_isolated(void **data)
{
    (void)data;
    put_cpus(4, "0-3\n");
    tree_put("sys/devices/system/cpu/isolated", "3\n");
    tree_put("sys/devices/system/cpu/nohz_full", "(null)\n");
    check(4, 2, 0, 0);
    assert_ok("1-2");
    check(4, 1, 0, 0);
    assert_veto("cpu 3 is isolated (isolcpus); 2 of 3 vCPUs could leave");
}

/* vCPU 5 came as the kernel's third: the answer speaks of vCPUs, the reason of both. */
static void
test_numbers_and_ids(void **data)
{
    (void)data;
    tree_put("sys/devices/system/cpu/cpu0/firmware_node/uid", "0\n");
    tree_put("sys/devices/system/cpu/cpu1/firmware_node/uid", "1\n");
    tree_put("sys/devices/system/cpu/cpu2/firmware_node/uid", "5\n");
    put_cpus(3, "0-2\n");
    check(3, 2, 0, 0);
    assert_ok("5");
    put_task(812, 812, "postgres", 1, "2", 0);
    check(3, 2, 0, 0);
    assert_ok("1");
    check(3, 1, 0, 0);
    assert_veto("pid 812 postgres is bound to cpu 2 (vCPU 5); 1 of 2 vCPUs could leave");
    /* One that the host has folded away does not count, even if somebody brought it back. */
    agent.desire.has_cpus = true;
    lp_cpumask_add(&agent.desire.cpus, 0);
    lp_cpumask_add(&agent.desire.cpus, 5);
    check(2, 1, 0, 0);
    assert_veto("pid 812 postgres is bound to cpu 2 (vCPU 5)");
}

static void
test_least_processors(void **data)
{
    (void)data;
    put_cpus(4, "0-3\n");
    check(4, 0, 0, 0);
    assert_veto("a guest needs 1 vCPU, 0 would stay");
    assert_false(lp_cpumask_has(&answer.leave, 0));
    agent.conf.floor_cpus = 3;
    check(4, 2, 0, 0);
    assert_veto("this guest's agent.conf keeps 3 vCPUs, 2 would stay");
    check(4, 3, 0, 0);
    assert_ok("3");
    /* Processor 0 not even if the kernel offers it, nor what the host calls vCPU 0. */
    tree_put("sys/devices/system/cpu/cpu0/online", "1\n");
    agent.conf.floor_cpus = 0;
    check(4, 1, 0, 0);
    assert_ok("1-3");
    agent.cpus.id_of[0] = 1;
    agent.cpus.id_of[1] = 0;
    check(4, 2, 0, 0);
    assert_ok("2-3");
    check(4, 1, 0, 0);
    assert_veto("the kernel cannot take more offline; 2 of 3 vCPUs could leave");
    lp_cpus_scan(&agent.cpus, true);
    /* One that cannot go offline at all. */
    unlink(tree_path("sys/devices/system/cpu/cpu2/online"));
    check(4, 1, 0, 0);
    assert_veto("the kernel cannot take more offline; 2 of 3 vCPUs could leave");
}

/* Memory and processors in one: the first reason stays, the choice is made anyway. */
static void
test_both(void **data)
{
    (void)data;
    put_cpus(2, "0-1\n");
    put_meminfo(1024, 324, "");
    check(2, 1, 1024, 512);
    assert_non_null(strstr(answer.reason, "in use"));
    assert_true(lp_cpumask_has(&answer.leave, 1));
}

int
main(void)
{
#define TEST(func) cmocka_unit_test_setup_teardown(func, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_floor), TEST(test_idle_guest_shrinks), TEST(test_memory_in_use),
        TEST(test_largest_is_named), TEST(test_pressure_and_own_floor),
        TEST(test_old_kernels_and_containers), TEST(test_processors),
        TEST(test_kernel_threads_and_interrupts), TEST(test_cpuset_is_named),
        TEST(test_isolated), TEST(test_numbers_and_ids), TEST(test_least_processors),
        TEST(test_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
