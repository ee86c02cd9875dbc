/* A hypervisor's process: which mapping is which cell's, where it lies, and its vCPUs' threads.  The
 * process played here is this test. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "hotplug/driver.h"
#include "hotplug/process.h"

#define MIB (1ULL << 20)
#define ALIGN (2 * MIB)

/* --- which is which --- */

static LpPageRange
range_at(uint64_t mib, uint64_t size_mib)
{
    return (LpPageRange) { .start = mib * MIB, .end = (mib + size_mib) * MIB, .page_bytes = 4096,
                           .writable = true };
}

static void
check_sort(const LpBackend *backends, uint32_t n_backends, const LpPageRange *ranges, size_t n,
           const uint32_t *expected, bool exact)
{
    LpProcess process = { .n_cells = 2, .n_backends = n_backends, .backends = backends };
    uint32_t part[16];

    assert_int_equal(lp_process_sort(&process, ranges, n, part), exact);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(part[i], expected[i]);
}

static void
test_sort_by_size(void **state)
{
    const LpBackend backends[] = { { 0, 512 * MIB }, { 1, 256 * MIB }, { 1, 1024 * MIB },
                                   { 0, 128 * MIB } };
    const LpPageRange ranges[] = { range_at(4, 1), range_at(100, 1024), range_at(2000, 128),
                                   range_at(3000, 256), range_at(4000, 512), range_at(5000, 64) };

    (void)state;
    check_sort(backends, 4, ranges, 6, (uint32_t[]){ 2, 1, 0, 1, 0, 2 }, true);
    /* A domain without cells is all one part. */
    check_sort(NULL, 0, ranges, 6, (uint32_t[]){ 2, 2, 2, 2, 2, 2 }, true);
    check_sort(backends, 4, ranges, 0, NULL, false);
}

static void
test_sort_equal_sizes(void **state)
{
    const LpBackend cells[] = { { 0, 256 * MIB }, { 1, 256 * MIB } };
    const LpBackend one_cell[] = { { 1, 256 * MIB }, { 0, 512 * MIB }, { 1, 256 * MIB } };
    const LpBackend three[] = { { 1, 256 * MIB }, { 0, 256 * MIB }, { 0, 256 * MIB } };
    const LpPageRange two[] = { range_at(1000, 256), range_at(2000, 256) };
    const LpPageRange more[] = { range_at(1000, 256), range_at(1300, 512), range_at(2000, 256) };
    const LpPageRange many[] = { range_at(500, 256), range_at(1000, 256), range_at(2000, 256) };

    (void)state;
    /* Made first, mapped highest. */
    check_sort(cells, 2, two, 2, (uint32_t[]){ 1, 0 }, false);
    check_sort(three, 3, many, 3, (uint32_t[]){ 0, 0, 1 }, false);
    /* Of one cell: it does not matter which is which. */
    check_sort(one_cell, 3, more, 3, (uint32_t[]){ 1, 0, 1 }, true);
    /* One too many, and one too few. */
    check_sort(cells, 2, many, 3, (uint32_t[]){ 2, 1, 0 }, false);
    check_sort(cells, 2, two, 1, (uint32_t[]){ 0 }, false);
}

/* An emulator's buffer for code may be as big as a cell. */
static void
test_sort_leaves_out(void **state)
{
    const LpBackend backends[] = { { 0, 1024 * MIB }, { 1, 64 * MIB }, { 1, 0 } };
    LpPageRange ranges[] = { range_at(1000, 1024), range_at(3000, 1024), range_at(9001, 64) };

    (void)state;
    ranges[1].executable = true;
    check_sort(backends, 1, ranges, 2, (uint32_t[]){ 0, 2 }, true);
    /* Memory behind a file lies where it fits ... */
    check_sort(backends, 3, ranges, 3, (uint32_t[]){ 0, 2, 1 }, true);
    /* ... and where what QEMU aligns is enough, what is not is none of the guest's. */
    check_sort(backends, 3, (LpPageRange[]){ range_at(1000, 64), range_at(9001, 64) }, 2,
               (uint32_t[]){ 1, 2 }, false);
    check_sort(backends + 1, 1, (LpPageRange[]){ range_at(1000, 64), range_at(9001, 64) }, 2,
               (uint32_t[]){ 1, 2 }, true);
}

/* --- this process --- */

static uint8_t *
map_aligned(size_t bytes, size_t touched)
{
    uint8_t *whole = mmap(NULL, bytes + 2 * ALIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *memory;

    assert_ptr_not_equal(whole, MAP_FAILED);
    memory = (uint8_t *)(((uintptr_t)whole + ALIGN) & ~(ALIGN - 1));
    assert_ptr_equal(mmap(memory, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), memory);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 3, touched);
    return memory;
}

static LpTopology topology;

static uint64_t
resident(const LpLocalityPart *part)
{
    uint64_t sum = part->elsewhere_bytes;

    for (uint32_t i = 0; i < topology.n_nodes; i++)
        sum += part->on_bytes[i];
    return sum;
}

/* A sanitizer reserves terabytes of addresses, whose pages are not all to be asked about. */
#ifdef __SANITIZE_ADDRESS__
#define FEWEST 4096
#else
#define FEWEST 0
#endif

static const LpBackend backends[] = { { 0, 38 * MIB }, { 1, 26 * MIB }, { 0, 14 * MIB } };

static LpProcess
this_process(void)
{
    return (LpProcess) { .pid = getpid(), .n_cells = 2, .n_backends = 3, .backends = backends };
}

static void
test_locate(void **state)
{
    uint8_t *a = map_aligned(38 * MIB, 10 * MIB);
    uint8_t *b = map_aligned(26 * MIB, 26 * MIB);
    uint8_t *c = map_aligned(14 * MIB, 2 * MIB);
    LpProcess process = this_process();
    GError *error = NULL;

    (void)state;
    for (uint32_t samples = FEWEST; samples <= 4096; samples += 4096) {
        g_autoptr(LpLocality) locality = lp_locality_new();

        if (!lp_process_locate(&process, &topology, samples, locality, &error))
            fail_msg("%s", error->message);
        assert_int_equal(locality->n_parts, 3);
        assert_true(locality->exact_cells);
        assert_int_equal(locality->parts[0].size_bytes, 52 * MIB);
        assert_int_equal(locality->parts[1].size_bytes, 26 * MIB);
        assert_true(locality->parts[2].size_bytes > MIB);
        assert_int_equal(locality->parts[0].page_bytes, sysconf(_SC_PAGESIZE));
        assert_false(locality->parts[0].shared);
        assert_in_range(resident(&locality->parts[0]), 12 * MIB - MIB / 8, 12 * MIB + MIB / 8);
        assert_in_range(resident(&locality->parts[1]), 26 * MIB - MIB / 8, 26 * MIB + MIB / 8);
        if (samples == 0) {
            assert_true(resident(&locality->parts[2]) > 0);
            assert_int_equal(locality->error_permyriad, 0);
        }
        /* A thousand pages of the one, thousands of the other. */
        if (samples > 0)
            assert_in_range(locality->error_permyriad, 50, 400);
    }
    munmap(a, 38 * MIB);
    munmap(b, 26 * MIB);
    munmap(c, 14 * MIB);
}

static void
test_move(void **state)
{
    uint8_t *memory = map_aligned(26 * MIB, 26 * MIB);
    LpProcess process = this_process();
    LpMoveOrder order = { .part = 1, .from = -1, .to = 1023, .max_bytes = 8 * MIB };
    LpPagesMoved moved;
    GError *error = NULL;

    (void)state;
    assert_false(lp_process_move(&process, &order, &moved, &error));
    assert_int_equal(error->code, LP_DRIVER_ERROR_INVALID);
    assert_int_equal(moved.error, ENODEV);
    assert_non_null(strstr(error->message, "1023"));
    g_clear_error(&error);
    /* From a node that it is not on there is nothing to move. */
    order = (LpMoveOrder) { .part = 1, .from = 1022, .to = (int32_t)topology.nodes[0].id };
    assert_true(lp_process_move(&process, &order, &moved, &error));
    assert_true(moved.done);
    assert_int_equal(moved.looked_bytes, 26 * MIB);
    assert_int_equal(moved.moved_bytes, 0);
    munmap(memory, 26 * MIB);
}

static void
test_ended(void **state)
{
    g_autoptr(LpLocality) locality = lp_locality_new();
    g_autoptr(LpLocality) threads = lp_locality_new();
    LpProcess process = this_process();
    LpMoveOrder order = { .part = 0 };
    LpPagesMoved moved;
    GError *error = NULL;

    (void)state;
    process.pid = fork();
    if (process.pid == 0)
        _exit(0);
    assert_int_equal(waitpid(process.pid, NULL, 0), process.pid);
    assert_false(lp_process_locate(&process, &topology, 16, locality, &error));
    assert_int_equal(error->code, LP_DRIVER_ERROR_NOT_RUNNING);
    g_clear_error(&error);
    assert_false(lp_process_vcpus(process.pid, 4, threads, &error));
    assert_int_equal(error->code, LP_DRIVER_ERROR_NOT_RUNNING);
    g_clear_error(&error);
    assert_false(lp_process_move(&process, &order, &moved, &error));
    assert_int_equal(error->code, LP_DRIVER_ERROR_NOT_RUNNING);
    assert_int_equal(moved.error, ESRCH);
    g_clear_error(&error);
}

/* Somebody else's process: unsupported, which is no fault of the domain's. */
static void
test_foreign(void **state)
{
    LpProcess process = this_process();
    int status;
    pid_t pid;

    (void)state;
    if (getuid() != 0)
        skip();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        LpLocality locality = { 0 };
        LpMoveOrder order = { .part = 0 };
        LpPagesMoved moved;
        GError *error = NULL;

        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        if (lp_process_locate(&process, &topology, 16, &locality, &error) ||
            error->code != LP_DRIVER_ERROR_UNSUPPORTED)
            _exit(2);
        error = NULL;
        if (lp_process_move(&process, &order, &moved, &error) ||
            error->code != LP_DRIVER_ERROR_UNSUPPORTED || moved.error != EPERM)
            _exit(3);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- threads --- */

typedef struct {
    const char *name;
    bool on_first;    /* held to the first processor that this test may use */
    pthread_t thread;
    pthread_barrier_t *barrier;
} Worker;

static void *
work(void *data)
{
    Worker *worker = data;

    pthread_setname_np(pthread_self(), worker->name);
    if (worker->on_first) {
        cpu_set_t all, one;
        int cpu = 0;

        sched_getaffinity(0, sizeof all, &all);
        while (!CPU_ISSET(cpu, &all))
            cpu++;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    pthread_barrier_wait(worker->barrier);    /* looked at from here ... */
    pthread_barrier_wait(worker->barrier);    /* ... to here */
    return NULL;
}

static void
test_vcpus(void **state)
{
    Worker workers[] = {
        { .name = "CPU 10/KVM" }, { .name = "CPU 0/TCG", .on_first = true }, { .name = "CPU 2/KVM" },
        { .name = "CPU 12/KVM" }, { .name = "CPU /KVM" }, { .name = "CPU 3" },
        { .name = "ALL CPUs/TCG" }, { .name = "IO mon_iothread" }, { .name = "a) CPU 1/(x" },
    };
    g_autoptr(LpLocality) locality = lp_locality_new();
    pthread_barrier_t barrier;
    GError *error = NULL;

    (void)state;
    pthread_barrier_init(&barrier, NULL, G_N_ELEMENTS(workers) + 1);
    for (size_t i = 0; i < G_N_ELEMENTS(workers); i++) {
        workers[i].barrier = &barrier;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    pthread_barrier_wait(&barrier);
    if (!lp_process_vcpus(getpid(), 12, locality, &error))
        fail_msg("%s", error->message);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < G_N_ELEMENTS(workers); i++)
        pthread_join(workers[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
    assert_int_equal(locality->n_vcpus, 3);
    assert_int_equal(locality->vcpus[0].vcpu, 0);
    assert_int_equal(locality->vcpus[1].vcpu, 2);
    assert_int_equal(locality->vcpus[2].vcpu, 10);
    assert_int_equal(lp_cpumask_count(&locality->vcpus[0].may), 1);
    assert_true(lp_cpumask_has(&locality->vcpus[0].may, (unsigned)locality->vcpus[0].cpu));
    for (int i = 1; i < 3; i++) {
        assert_int_equal(lp_cpumask_count(&locality->vcpus[i].may),
                         sysconf(_SC_NPROCESSORS_ONLN));
        assert_true(locality->vcpus[i].cpu >= 0);
    }
}

/* The time of a thread is its own, and in microseconds. */
static void
test_vcpu_time(void **state)
{
    char name[16] = "";
    uint64_t before = (uint64_t)g_get_monotonic_time(), first = 0;
    volatile unsigned sink = 0;

    (void)state;
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_setname_np(pthread_self(), "CPU 1/KVM");
    for (;;) {
        g_autoptr(LpLocality) locality = lp_locality_new();
        uint64_t time;

        for (int i = 0; i < 1000000; i++)
            sink++;
        assert_true(lp_process_vcpus(getpid(), 2, locality, NULL));
        assert_int_equal(locality->n_vcpus, 1);
        time = locality->vcpus[0].time_usec;
        first = first > 0 ? first : time + 1;
        if (time + 1 < first + 30000)
            continue;    /* until it has run for three hundredths of a second more */
        assert_true(time - first <= (uint64_t)g_get_monotonic_time() - before + 20000);
        break;
    }
    pthread_setname_np(pthread_self(), name);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort_by_size),
        cmocka_unit_test(test_sort_equal_sizes),
        cmocka_unit_test(test_sort_leaves_out),
        cmocka_unit_test(test_locate),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_vcpus),
        cmocka_unit_test(test_vcpu_time),
    };
    char message[256];

    if (!lp_topology_read(NULL, &topology, message, sizeof message)) {
        g_printerr("%s\n", message);
        return 1;
    }
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
