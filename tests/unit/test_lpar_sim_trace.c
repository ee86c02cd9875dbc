/* Traces: what real monitors write, what nobody should, and our own. */
#include <glib.h>
#include <glib/gstdio.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lpard/error.h"
#include "lpard/sim/trace.h"

#define MIB (1ULL << 20)
#define HEADER "vm,ts,cores,cpu_cap_mhz,cpu_use_mhz,mem_cap_mib,mem_use_mib\n"

static char *dir;

/* Reads bytes as a file of that name. */
static LpTrace *
read_bytes(const char *name, const void *bytes, size_t length, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    assert_true(g_file_set_contents(path, bytes, (gssize) length, NULL));
    return lp_trace_read(path, error);
}

static LpTrace *
read_rows(const char *rows, GError **error)
{
    g_autofree char *text = g_strconcat(HEADER, rows, NULL);

    return read_bytes("trace.csv", text, strlen(text), error);
}

static void
refuses(const char *rows, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) trace = read_rows(rows, &error);

    if (trace != NULL || strstr(error->message, part) == NULL)
        print_error("%s: %s\n", rows, error ? error->message : "was taken");
    assert_null(trace);
    assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_USAGE));
    assert_non_null(strstr(error->message, part));
}

static const LpTraceVm *
vm_named(const LpTrace *trace, const char *name)
{
    for (size_t i = 0; i < trace->n_vms; i++)
        if (g_str_equal(trace->vms[i].name, name))
            return &trace->vms[i];
    fail_msg("%s is not in the trace", name);
    return NULL;
}

static void
test_plain(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) trace = read_rows("a,1000,2,5000,1250,4096,1024\n"
                                         "a,1300,2,5000,5000,8192,2048.5\n",
                                         &error);
    const LpTraceVm *vm;

    (void) state;
    assert_null(error);
    assert_int_equal(trace->n_vms, 1);
    assert_int_equal(trace->n_samples, 2);
    assert_int_equal(trace->step_sec, 300);
    assert_int_equal(trace->epoch_sec, 1000);
    vm = vm_named(trace, "a");
    assert_true(vm->max_bytes == 8192 * MIB);
    assert_int_equal(vm->max_centi, 200);
    assert_int_equal(vm->cpu_centi[0], 50);
    assert_int_equal(vm->cpu_centi[1], 200);
    assert_true(vm->mem_bytes[0] == 1024 * MIB);
    assert_true(vm->mem_bytes[1] == 2048 * MIB + MIB / 2);
}

/* Out of order, drifting by a second, two missing rows, one twice, a partition that comes late. */
static void
test_rows_as_they_come(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) trace = read_rows("b,1601,1,1000,100,1000,30\n"
                                         "a,1600,1,1000,0,1000,12\n"
                                         "a,1000,1,1000,0,1000,10\r\n"
                                         "a,1301,1,1000,0,1000,11\n"
                                         "\n"
                                         "a,2500,1,1000,0,1000,15\n"
                                         "a,2501,1,1000,0,1000,16\n"
                                         "b,1900,1,1000,200,1000,31",
                                         &error);
    static const uint64_t a[] = { 10, 11, 12, 12, 12, 16 }, b[] = { 30, 30, 30, 31, 31, 31 };

    (void) state;
    assert_null(error);
    assert_int_equal(trace->n_samples, 6);
    for (size_t k = 0; k < 6; k++) {
        assert_true(vm_named(trace, "a")->mem_bytes[k] == a[k] * MIB);
        assert_true(vm_named(trace, "b")->mem_bytes[k] == b[k] * MIB);
    }
    assert_true(lp_trace_peak_mem(trace, 0, 6) == 47 * MIB);
    assert_true(lp_trace_peak_mem(trace, 0, 3) == 42 * MIB);
    assert_int_equal(lp_trace_peak_cpu(trace, 0, 3), 10);
    assert_int_equal(lp_trace_peak_cpu(trace, 3, 99), 20);
}

/* 0 cores, a capacity of 0, use above capacity. */
static void
test_impossible_machines(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) trace = read_rows("none,0,0,0,0,0,0\n"
                                         "over,0,2,1000,5000,100,5000\n"
                                         "over,300,4,2000,100,100,50\n"
                                         "half,0,0,1000,500,128,64\n",
                                         &error);

    (void) state;
    assert_null(error);
    assert_int_equal(vm_named(trace, "none")->max_centi, 100);
    assert_true(vm_named(trace, "none")->max_bytes == LP_TRACE_MIN_BYTES);
    assert_int_equal(vm_named(trace, "none")->cpu_centi[0], 0);
    assert_int_equal(vm_named(trace, "over")->cpu_centi[0], 200);
    assert_int_equal(vm_named(trace, "over")->cpu_centi[1], 20);
    assert_true(vm_named(trace, "over")->mem_bytes[0] == 100 * MIB);
    assert_int_equal(vm_named(trace, "half")->cpu_centi[0], 50);
}

static void
test_garbage(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) nothing = read_bytes("empty.csv", "", 0, &error);

    (void) state;
    assert_null(nothing);
    assert_non_null(strstr(error->message, "no rows"));
    refuses("", "no rows");
    refuses("a,0,1,1000,0,1000,10\nhello\n", "line 3: 7 columns");
    refuses("a,0,1,1000,0,1000\n", "line 2: 7 columns");
    refuses("a,0,1,1000,0,1000,10,11\n", "line 2: 7 columns");
    refuses(",0,1,1000,0,1000,10\n", "line 2: the name");
    refuses("\xff\xfe,0,1,1000,0,1000,10\n", "line 2: the name");
    refuses("a,,1,1000,0,1000,10\n", "line 2: ts is not a number");
    refuses("a,now,1,1000,0,1000,10\n", "line 2: ts is not a number");
    refuses("a,-1,1,1000,0,1000,10\n", "line 2: ts is out of range");
    refuses("a,0,1,1000,nan,1000,10\n", "line 2: cpu_use_mhz is out of range");
    refuses("a,0,1,1000,0,1000,inf\n", "line 2: mem_use_mib is out of range");
    refuses("a,0,1,1000,0,1e30,10\n", "line 2: mem_cap_mib is out of range");
    refuses("a,0,99999999,1000,0,1000,10\n", "line 2: cores is out of range");
    /* The last column is empty: the next line's number is not taken for it. */
    refuses("a,0,1,1000,0,1000,\n7,0,1,1000,0,1000,10\n", "line 2: ");
    /* Two rows a century apart, where the step is 300 s. */
    refuses("a,0,1,1,0,1,1\na,300,1,1,0,1,1\na,600,1,1,0,1,1\na,9999999999,1,1,0,1,1\n",
            "too long");
    g_clear_error(&error);
    assert_null(read_bytes("t.csv", "vm;ts\na;0\n", 10, &error));
    assert_non_null(strstr(error->message, "line 1"));
    g_clear_error(&error);
    assert_null(lp_trace_read("/nonexistent/trace.csv", &error));
    assert_non_null(error);
}

static void
test_xz(void **state)
{
    static const char text[] = HEADER "a,0,1,1000,0,1000,10\na,300,1,1000,0,1000,12\n";
    uint8_t packed[1024];
    size_t length = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) trace = NULL;

    (void) state;
    assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *) text,
                                             sizeof text - 1, packed, &length, sizeof packed),
                     LZMA_OK);
    trace = read_bytes("t.csv.xz", packed, length, &error);
    assert_null(error);
    assert_true(trace->vms[0].mem_bytes[1] == 12 * MIB);
    /* Wherever it is cut. */
    for (size_t cut = 0; cut < length; cut++) {
        assert_null(read_bytes("cut.csv.xz", packed, cut, &error));
        assert_true(g_error_matches(error, LP_ERROR, LP_ERROR_USAGE));
        assert_non_null(strstr(error->message, "cut off"));
        g_clear_error(&error);
    }
    packed[length / 2] ^= 0x55;
    assert_null(read_bytes("bad.csv.xz", packed, length, &error));
    assert_non_null(error);
    g_clear_error(&error);
    assert_null(read_bytes("plain.csv.xz", text, sizeof text - 1, &error));
    assert_non_null(strstr(error->message, ".xz format"));
}

static void
test_between_samples(void **state)
{
    g_autoptr(LpTrace) trace = lp_trace_new(1, 3, 300);
    LpTraceVm *vm = &trace->vms[0];

    (void) state;
    vm->mem_bytes[0] = 1000;
    vm->mem_bytes[1] = 4000;
    vm->mem_bytes[2] = 3700;
    vm->cpu_centi[1] = 300;
    assert_int_equal(lp_trace_mem(trace, 0, 0, false), 1000);
    assert_int_equal(lp_trace_mem(trace, 0, 30, false), 1300);
    assert_int_equal(lp_trace_mem(trace, 0, 30, true), 1000);
    assert_int_equal(lp_trace_mem(trace, 0, 300, true), 4000);
    assert_int_equal(lp_trace_mem(trace, 0, 450, false), 3850);
    assert_int_equal(lp_trace_mem(trace, 0, 5000, false), 3700);
    assert_int_equal(lp_trace_cpu(trace, 0, 100, false), 100);
    assert_int_equal(lp_trace_cpu(trace, 0, 400, false), 200);
    vm->mem_bytes[0] = 1ULL << 62;
    vm->mem_bytes[1] = 0;
    assert_true(lp_trace_mem(trace, 0, 150, false) == 1ULL << 61);
}

static void
test_generate(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) a = lp_trace_generate("mix", 12, 2, 7, &error);
    g_autoptr(LpTrace) again = lp_trace_generate("mix", 12, 2, 7, &error);
    g_autoptr(LpTrace) more = lp_trace_generate("mix", 18, 2, 7, &error);
    g_autoptr(LpTrace) other = lp_trace_generate("mix", 12, 2, 8, &error);
    bool differs = false;

    (void) state;
    assert_null(error);
    assert_int_equal(a->n_samples, 2 * 288);
    for (size_t i = 0; i < a->n_vms; i++) {
        size_t size = a->n_samples * sizeof *a->vms[i].mem_bytes;
        uint64_t least = UINT64_MAX, most = 0;

        assert_memory_equal(a->vms[i].mem_bytes, again->vms[i].mem_bytes, size);
        assert_memory_equal(a->vms[i].mem_bytes, more->vms[i].mem_bytes, size);
        differs |= memcmp(a->vms[i].mem_bytes, other->vms[i].mem_bytes, size) != 0;
        for (size_t k = 0; k < a->n_samples; k++) {
            least = MIN(least, a->vms[i].mem_bytes[k]);
            most = MAX(most, a->vms[i].mem_bytes[k]);
            assert_true(a->vms[i].cpu_centi[k] <= a->vms[i].max_centi);
        }
        assert_true(least > 0 && most <= a->vms[i].max_bytes);
        /* All but the idle ones move. */
        if (g_str_has_prefix(a->vms[i].name, "idle"))
            assert_true(most < a->vms[i].max_bytes / 4);
        else
            assert_true(most > 2 * least);
    }
    assert_true(differs);
    /* Two of a kind are not twins. */
    assert_memory_not_equal(a->vms[0].cpu_centi, a->vms[6].cpu_centi, a->n_samples * 4);
    assert_null(lp_trace_generate("mix,comets", 1, 1, 1, &error));
    assert_non_null(strstr(error->message, "comets"));
    g_clear_error(&error);
    assert_null(lp_trace_generate("", 1, 1, 1, &error));
    g_clear_error(&error);
    assert_null(lp_trace_generate("mix", 0, 1, 1, &error));
    g_clear_error(&error);
    assert_null(lp_trace_generate("mix", 20000, 366, 1, &error));
}

/* A storm is one because all have it at once. */
static void
test_storms_are_shared(void **state)
{
    g_autoptr(LpTrace) trace = lp_trace_generate("storm", 8, 1, 3, NULL);
    size_t together = 0;

    (void) state;
    for (size_t k = 0; k < trace->n_samples; k++) {
        size_t high = 0;

        for (size_t i = 0; i < 8; i++)
            high += trace->vms[i].mem_bytes[k] > trace->vms[i].max_bytes / 10 * 4;
        assert_true(high == 0 || high > 4);
        together += high > 4;
    }
    assert_true(together >= 3);
}

static void
test_written_and_read(void **state)
{
    g_autofree char *path = g_build_filename(dir, "own.csv", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(LpTrace) a = lp_trace_generate("diurnal,batch", 3, 1, 5, &error);
    g_autoptr(LpTrace) b = NULL;

    (void) state;
    assert_true(lp_trace_write(a, path, &error));
    b = lp_trace_read(path, &error);
    assert_null(error);
    assert_int_equal(b->n_vms, 3);
    assert_int_equal(b->n_samples, a->n_samples);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(a->vms[i].name, b->vms[i].name);
        assert_true(a->vms[i].max_bytes == b->vms[i].max_bytes);
        for (size_t k = 0; k < a->n_samples; k++) {
            assert_int_equal(a->vms[i].cpu_centi[k], b->vms[i].cpu_centi[k]);
            assert_int_equal(a->vms[i].mem_bytes[k] / MIB, b->vms[i].mem_bytes[k] / MIB);
        }
    }
}

static void
test_keep(void **state)
{
    g_autoptr(LpTrace) tuned = lp_trace_generate("mix", 10, 1, 1, NULL);
    g_autoptr(LpTrace) held = lp_trace_generate("mix", 10, 1, 1, NULL);
    g_autoptr(LpTrace) few = lp_trace_generate("mix", 10, 1, 1, NULL);

    (void) state;
    lp_trace_keep(tuned, 0, 4, false);
    lp_trace_keep(held, 0, 4, true);
    lp_trace_keep(few, 3, 0, false);
    assert_int_equal(tuned->n_vms, 8);
    assert_int_equal(held->n_vms, 2);
    assert_int_equal(few->n_vms, 3);
    assert_string_equal(held->vms[0].name, "batch-3");
    assert_string_equal(held->vms[1].name, "bursty-7");
    assert_string_equal(tuned->vms[3].name, "idle-4");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_rows_as_they_come),
        cmocka_unit_test(test_impossible_machines),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_xz),
        cmocka_unit_test(test_between_samples),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_storms_are_shared),
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_keep),
    };
    int failed;

    dir = g_dir_make_tmp("lpar-sim-XXXXXX", NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (const char *const *name = (const char *const[]){ "trace.csv", "empty.csv", "t.csv",
             "t.csv.xz", "cut.csv.xz", "bad.csv.xz", "plain.csv.xz", "own.csv", NULL };
         *name != NULL; name++) {
        g_autofree char *path = g_build_filename(dir, *name, NULL);

        g_unlink(path);
    }
    g_rmdir(dir);
    g_free(dir);
    return failed;
}
