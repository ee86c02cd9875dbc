/* Every code has a sentence of its own. */
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lpard/words.h"

#define GIB (1ULL << 30)
#define MAX_SENTENCE 300

static void
check_sentence(const char *sentence)
{
    assert_non_null(sentence);
    assert_true(g_utf8_validate(sentence, -1, NULL));
    assert_true(strlen(sentence) > 8);
    if (strlen(sentence) > MAX_SENTENCE)
        fail_msg("%zu characters: %s", strlen(sentence), sentence);
    assert_null(strchr(sentence, '\n'));
    assert_false(g_str_has_suffix(sentence, "."));
    /* The way out for a code that has no words. */
    assert_null(strstr(sentence, "no words for"));
}

/* Checks one more sentence and that none before was the same. */
static void
check_own(GHashTable *seen, char *sentence)
{
    check_sentence(sentence);
    if (!g_hash_table_add(seen, sentence))
        fail_msg("said twice: %s", sentence);
}

static void
test_shortfalls(void **state)
{
    static const uint64_t AMOUNTS[] = { 0, 1, 9 * GIB, UINT64_MAX };

    (void) state;
    for (int resource = LP_RESOURCE_CPU; resource <= LP_RESOURCE_CAPACITY; resource++) {
        for (size_t i = 0; i < G_N_ELEMENTS(AMOUNTS); i++) {
            g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                               NULL);

            for (int reason = 0; reason < LP_SHORT_KINDS; reason++) {
                LpShortfall shortfall = {
                    .reason = reason, .resource = resource, .asked = AMOUNTS[i],
                    .bound = AMOUNTS[i], .where = i % 2 ? 1 : -1, .fatal = i % 2,
                };

                check_own(seen, lp_words_shortfall(&shortfall, "web1"));
                g_free(lp_words_shortfall(&shortfall, NULL));
            }
            assert_int_equal(g_hash_table_size(seen), LP_SHORT_KINDS);
        }
    }
}

static void
test_long_names(void **state)
{
    g_autofree char *ascii = g_strnfill(4000, 'x');
    g_autoptr(GString) wide = g_string_new(NULL);

    (void) state;
    for (unsigned i = 0; i < 500; i++)
        g_string_append(wide, "\xc3\xa9");
    for (int reason = 0; reason < LP_SHORT_KINDS; reason++) {
        LpShortfall shortfall = { .reason = reason, .resource = LP_RESOURCE_MEM,
                                  .asked = UINT64_MAX, .bound = UINT64_MAX, .where = INT32_MAX };
        g_autofree char *one = lp_words_shortfall(&shortfall, ascii);
        g_autofree char *two = lp_words_shortfall(&shortfall, wide->str);

        check_sentence(one);
        assert_true(g_utf8_validate(two, -1, NULL));
        assert_true(g_utf8_strlen(two, -1) <= MAX_SENTENCE);
    }
}

static void
test_says_what_why_and_cure(void **state)
{
    LpShortfall above = { .reason = LP_SHORT_ABOVE_MAX, .resource = LP_RESOURCE_MEM,
                          .asked = 9 * GIB, .bound = 8 * GIB, .where = -1 };
    LpShortfall node = { .reason = LP_SHORT_NODE_MEMORY, .resource = LP_RESOURCE_MEM,
                         .asked = 2 * GIB, .bound = GIB / 2, .where = 1, .fatal = true };
    LpShortfall one = { .reason = LP_SHORT_BELOW_MIN, .resource = LP_RESOURCE_CPU, .asked = 1,
                        .bound = 2, .where = -1 };
    g_autofree char *a = lp_words_shortfall(&above, "web1");
    g_autofree char *b = lp_words_shortfall(&node, "web1");
    g_autofree char *c = lp_words_shortfall(&one, "web1");
    LpShortfall far = { .reason = LP_SHORT_AFFINITY, .resource = LP_RESOURCE_MEM, .asked = 80,
                        .bound = 62, .where = -1 };
    LpShortfall absent = { .reason = LP_SHORT_NODES_ABSENT, .resource = LP_RESOURCE_MEM,
                           .fatal = true, .where = 7 };
    g_autofree char *d = lp_words_shortfall(&far, "web1");
    g_autofree char *e = lp_words_shortfall(&absent, "web1");

    (void) state;
    assert_string_equal(d, "web1: its affinity score would be 62, below its floor of 80; make room "
                           "with `lparctl optimize --request web1`, or lower its profile's "
                           "affinity-floor");
    assert_non_null(strstr(e, "holds it to host node 7"));
    assert_non_null(strstr(e, "`lparctl profile set web1 numa=RULE`"));
    assert_string_equal(a, "web1: 9 GiB is above its maximum of 8 GiB; raise it with `lparctl "
                           "profile set web1 mem=MIN:DESIRED:MAX` (at once as far as the "
                           "running domain has devices for it, beyond that at its next start)");
    assert_string_equal(b, "web1: it needs 2 GiB more, but host node 1 can give it 512 MiB; ask "
                           "for less, or free memory on that node");
    assert_non_null(strstr(c, "1 vCPU is below its minimum of 2 vCPUs"));
    assert_non_null(strstr(c, "cpu=MIN:DESIRED:MAX"));
}

static void
check_step(const LpStep *step, uint32_t n_cells, const char *expected)
{
    g_autofree char *text = lp_words_step(step, n_cells);

    assert_string_equal(text, expected);
}

static void
test_steps(void **state)
{
    LpStep step = { .kind = LP_STEP_VIRTIO_MEM, .from_bytes = GIB / 2, .to_bytes = GIB };

    (void) state;
    check_step(&step, 2, "virtio-mem cell 0: 512 MiB -> 1 GiB");
    check_step(&step, 1, "virtio-mem: 512 MiB -> 1 GiB");
    step = (LpStep) { .kind = LP_STEP_PLUG_VCPU, .vcpu = 2, .cell = 1 };
    check_step(&step, 2, "plug vCPU 2 (cell 1)");
    check_step(&step, 1, "plug vCPU 2");
    step = (LpStep) { .kind = LP_STEP_CAPACITY, .shares = 512, .global_quota_usec = 210000,
                      .global_period_usec = 100000 };
    check_step(&step, 2, "hold to 2.10 processors by quota, QEMU's own threads included; "
                         "cgroup shares 512");
    step.global_quota_usec = -1;
    check_step(&step, 2, "lift the processor quota; cgroup shares 512");
    step = (LpStep) { .kind = LP_STEP_FOLD, .release = true };
    lp_cpumask_first_n(&step.cpus, 2);
    check_step(&step, 1, "agent keeps vCPUs 0-1 online and takes the others offline");
    step.release = false;
    lp_cpumask_first_n(&step.cpus, 1);
    check_step(&step, 1, "agent brings vCPU 0 online");
    step = (LpStep) { .kind = LP_STEP_DIMM_REMOVE, .from_bytes = GIB, .cell = 1 };
    memset(step.alias, 'd', sizeof(step.alias));     /* without its terminator */
    check_step(&step, 2, "unplug DIMM dddddddddddddddddddddddddddddddd of 1 GiB (cell 1)");
}

static void
test_every_step_kind(void **state)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    (void) state;
    for (int kind = 0; kind < LP_STEP_KINDS; kind++) {
        LpStep step = { .kind = kind, .to_bytes = UINT64_MAX, .alias = "dimm0",
                        .global_quota_usec = INT64_MAX, .global_period_usec = 1 };

        for (unsigned cpu = 0; cpu < LP_MAX_CPUS; cpu += 2)
            lp_cpumask_add(&step.cpus, cpu);
        check_own(seen, lp_words_step(&step, 64));
    }
    assert_int_equal(g_hash_table_size(seen), LP_STEP_KINDS);
}

static void
test_profile_verdicts(void **state)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    LpProfile profile = { .version = 4, .cpu = { UINT32_MAX, UINT32_MAX, UINT32_MAX },
                          .mem = { UINT64_MAX, UINT64_MAX, UINT64_MAX },
                          .capacity = { UINT32_MAX, UINT32_MAX, true }, .n_cells = 64 };

    (void) state;
    for (int verdict = 0; verdict <= LP_PROFILE_VERSION_NEWER; verdict++)
        check_own(seen, lp_words_profile((LpProfileVerdict) verdict, &profile));
    assert_int_equal(g_hash_table_size(seen), LP_PROFILE_VERSION_NEWER + 1);
}

/* A code from another version still gives a sentence. */
static void
test_unknown_codes(void **state)
{
    LpShortfall shortfall = { .reason = LP_SHORT_KINDS, .resource = 99 };
    LpStep step = { .kind = LP_STEP_KINDS };
    LpProfile profile = { 0 };
    g_autofree char *a = lp_words_shortfall(&shortfall, "web1");
    g_autofree char *b = lp_words_step(&step, 1);
    g_autofree char *c = lp_words_profile((LpProfileVerdict) 99, &profile);

    (void) state;
    assert_non_null(strstr(a, "no words for"));
    assert_non_null(strstr(b, "no words for"));
    assert_non_null(strstr(c, "no words for"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shortfalls),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_says_what_why_and_cure),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_every_step_kind),
        cmocka_unit_test(test_profile_verdicts),
        cmocka_unit_test(test_unknown_codes),
    };

    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
