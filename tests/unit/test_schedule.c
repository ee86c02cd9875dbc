/* Schedules as people write them: read back as written, and nonsense told with its cure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/autoscale.h"
#include "policy/profile.h"

#define SEED 20261123u
#define GIB (1ULL << 30)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool
same(const LpSchedule *a, const LpSchedule *b)
{
    LpAutoscale x, y;

    lp_autoscale_init(&x);
    lp_autoscale_init(&y);
    x.n_schedules = y.n_schedules = 1;
    x.schedules[0] = *a;
    y.schedules[0] = *b;
    return lp_autoscale_equal(&x, &y);
}

static LpSchedule
parse(const char *text)
{
    char message[LP_SCHEDULE_MESSAGE] = "";
    LpSchedule schedule;

    if (!lp_schedule_parse(text, &schedule, message, sizeof(message)))
        fail_msg("%s: %s", text, message);
    assert_true(lp_schedule_valid(&schedule));
    return schedule;
}

static void
test_fields(void **state)
{
    LpSchedule s = parse("weekdays 08:00-18:30 min mem=8G max cpu=4");

    (void) state;
    assert_int_equal(s.days, 0x3e);
    assert_int_equal(s.from_minute, 480);
    assert_int_equal(s.to_minute, 1110);
    assert_true(s.has_mem_min && s.mem_min_bytes == 8 * GIB);
    assert_true(s.has_cpu_max && s.cpu_max == 4);
    assert_false(s.has_cpu_min || s.has_mem_max);
    s = parse("weekends 22:00-06:00 max mem=1.5G cpu=1024 min mem=2M cpu=1");
    assert_int_equal(s.days, 0x41);
    assert_int_equal(s.from_minute, 1320);
    assert_int_equal(s.to_minute, 360);
    assert_true(s.mem_max_bytes == GIB * 3 / 2 && s.cpu_max == 1024);
    assert_true(s.mem_min_bytes == 2 << 20 && s.cpu_min == 1);
    assert_int_equal(parse("daily 00:00-24:00 min cpu=1").to_minute, 0);
    assert_int_equal(parse("daily 00:00-24:00 min cpu=1").days, 0x7f);
    assert_int_equal(parse("sun 23:59-00:00 min cpu=1").days, 1);
    assert_int_equal(parse("sat,mon 00:00-00:01 min cpu=1").days, 0x42);
}

/* One form for each meaning. */
static void
test_form(void **state)
{
    static const struct { const char *text, *form; } CASES[] = {
        { "weekdays 08:00-18:00 min mem=8G", NULL },
        { "weekdays 08:00-18:00 min cpu=2 mem=8G max cpu=4 mem=16G", NULL },
        { "mon,wed 08:00-18:00 max mem=1536M", NULL },
        { "daily 00:00-24:00 max cpu=1", NULL },
        { "daily 00:00-00:00 max cpu=1", "daily 00:00-24:00 max cpu=1" },
        { "  sun,sat  18:00-00:00   max  mem=64T min mem=4GiB ",
          "weekends 18:00-24:00 min mem=4G max mem=64T" },
        { "fri,thu,wed,tue,mon 01:02-03:04 min mem=1.5g cpu=0007",
          "weekdays 01:02-03:04 min cpu=7 mem=1536M" },
        { "sun,mon,tue,wed,thu,fri,sat 01:02-03:04 min mem=2097152",
          "daily 01:02-03:04 min mem=2M" },
        { "sun,mon 08:00-08:00 min mem=1T", "mon,sun 08:00-08:00 min mem=1T" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        LpSchedule schedule = parse(CASES[i].text);
        char text[LP_SCHEDULE_TEXT];

        assert_string_equal(lp_schedule_format(&schedule, text, sizeof(text)),
                            CASES[i].form ? CASES[i].form : CASES[i].text);
    }
}

static LpSchedule
random_schedule(void)
{
    LpSchedule s = { .days = (uint8_t) (1 + rand() % 127),
                     .from_minute = (uint16_t) (rand() % 1440),
                     .to_minute = (uint16_t) (rand() % 1440) };
    unsigned bounds = 1 + (unsigned) rand() % 15;

    s.has_cpu_min = bounds & 1;
    s.has_cpu_max = bounds & 2;
    s.has_mem_min = bounds & 4;
    s.has_mem_max = bounds & 8;
    s.cpu_min = 1 + (uint32_t) rand() % LP_MAX_CPUS;
    s.cpu_max = s.cpu_min + (uint32_t) rand() % (LP_MAX_CPUS + 1 - s.cpu_min);
    s.mem_min_bytes = (1 + (uint64_t) (rand() % 1000000)) << (21 + rand() % 4);
    s.mem_max_bytes = s.mem_min_bytes + ((uint64_t) (rand() % 1000000) << 21);
    return s;
}

static void
test_round_trip(void **state)
{
    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 20000; round++) {
        LpSchedule s = random_schedule(), again;
        char text[LP_SCHEDULE_TEXT], second[LP_SCHEDULE_TEXT], message[LP_SCHEDULE_MESSAGE] = "";

        assert_true(lp_schedule_valid(&s));
        lp_schedule_format(&s, text, sizeof(text));
        if (!lp_schedule_parse(text, &again, message, sizeof(message)))
            fail_msg("%s: %s", text, message);
        if (!same(&s, &again))
            fail_msg("%s reads back as another", text);
        assert_string_equal(lp_schedule_format(&again, second, sizeof(second)), text);
    }
}

static void
test_nonsense(void **state)
{
    static const struct { const char *text, *named; } BAD[] = {
        { "", "empty" }, { "    ", "empty" }, { "hello", "days" },
        { "Weekdays 08:00-18:00 min cpu=2", "weekdays" },
        { "mon-fri 08:00-18:00 min cpu=2", "mon" },
        { "mon,mon 08:00-18:00 min cpu=2", "once" }, { "mon, 08:00-18:00 min cpu=2", "days" },
        { ",mon 08:00-18:00 min cpu=2", "days" }, { "mon,,tue 08:00-18:00 min cpu=2", "days" },
        { "monday 08:00-18:00 min cpu=2", "days" }, { "08:00-18:00 min cpu=2", "days" },
        { "weekdays", "times" }, { "weekdays min cpu=2", "times" },
        { "weekdays 8:00-18:00 min cpu=2", "HH:MM" }, { "weekdays 08:00 min cpu=2", "HH:MM" },
        { "weekdays 08:00-18:0 min cpu=2", "HH:MM" }, { "weekdays 08:60-18:00 min cpu=2", "HH:MM" },
        { "weekdays 24:00-06:00 min cpu=2", "HH:MM" },
        { "weekdays 08:00-24:01 min cpu=2", "HH:MM" },
        { "weekdays 08:00-25:00 min cpu=2", "HH:MM" },
        { "weekdays 08:00-18:00Z min cpu=2", "HH:MM" },
        { "weekdays 08.00-18.00 min cpu=2", "HH:MM" },
        { "weekdays 08:00- 18:00 min cpu=2", "HH:MM" },
        { "weekdays -8:00-18:00 min cpu=2", "HH:MM" }, { "weekdays 08:00-18:00", "bound" },
        { "weekdays 08:00-18:00 min", "bound" }, { "weekdays 08:00-18:00 cpu=2", "min or max" },
        { "weekdays 08:00-18:00 min cpu=2 max", "bound" },
        { "weekdays 08:00-18:00 min max cpu=2", "once" },
        { "weekdays 08:00-18:00 min cpu=2 min mem=2G", "once" },
        { "weekdays 08:00-18:00 min cpu=2 cpu=2", "twice" },
        { "weekdays 08:00-18:00 max mem=2G mem=2G", "twice" },
        { "weekdays 08:00-18:00 min cpus=2", "cpu=N" },
        { "weekdays 08:00-18:00 min mem", "mem=SIZE" },
        { "weekdays 08:00-18:00 min cpu=0", "1 to 1024" },
        { "weekdays 08:00-18:00 min cpu=1025", "1 to 1024" },
        { "weekdays 08:00-18:00 min cpu=", "1 to 1024" },
        { "weekdays 08:00-18:00 min cpu=1.5", "1 to 1024" },
        { "weekdays 08:00-18:00 min cpu=-1", "1 to 1024" },
        { "weekdays 08:00-18:00 min mem=", "512M" }, { "weekdays 08:00-18:00 min mem=0", "2M" },
        { "weekdays 08:00-18:00 min mem=8GB", "K, M, G" },
        { "weekdays 08:00-18:00 min mem=1M", "2M" }, { "weekdays 08:00-18:00 min mem=65T", "64T" },
        { "weekdays 08:00-18:00 min mem=99999999999999999999", "too large" },
        { "weekdays 08:00-18:00 min mem=8 G", "2M" },
        { "weekdays 08:00-18:00 min mem=8G max mem=4G", "above" },
        { "weekdays 08:00-18:00 max cpu=2 min cpu=4", "above" },
        { "weekdays\t08:00-18:00 min cpu=2", "days" },
        { "weekdays 08:00-18:00 min cpu=2;", "1 to" },
        { "weekdays 08:00-18:00 min cpu=2 # day", "cpu=N" },
        /* Cut short it would be cpu=4. */
        { "daily 00:00-24:00 min cpu=0000000000000000000000000000000000000000000000045x",
          "1 to 1024" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT(BAD); i++) {
        char message[LP_SCHEDULE_MESSAGE] = "";
        LpSchedule schedule, before;

        memset(&before, 0xa5, sizeof(before));
        schedule = before;
        if (lp_schedule_parse(BAD[i].text, &schedule, message, sizeof(message)))
            fail_msg("taken: %s", BAD[i].text);
        if (!strstr(message, BAD[i].named))
            fail_msg("%s: '%s' lacks '%s'", BAD[i].text, message, BAD[i].named);
        assert_memory_equal(&schedule, &before, sizeof(before));
    }
}

/* A text may be any bytes: a message is plain, and no longer than the room for it. */
static void
test_messages(void **state)
{
    char text[400], message[LP_SCHEDULE_MESSAGE], tight[8];
    LpSchedule schedule;

    (void) state;
    memset(text, ' ', sizeof(text));
    memcpy(text, "daily 00:00-24:00 min cpu=1", 27);
    text[LP_SCHEDULE_TEXT - 1] = '\0';
    assert_true(lp_schedule_parse(text, &schedule, message, sizeof(message)));
    text[LP_SCHEDULE_TEXT - 1] = ' ';
    text[sizeof(text) - 1] = '\0';
    assert_false(lp_schedule_parse(text, &schedule, message, sizeof(message)));
    assert_non_null(strstr(message, "too long"));
    assert_false(lp_schedule_parse("\xc3\xa9t\xc3\xa9\x1b[2J\x7f", &schedule, message,
                                   sizeof(message)));
    for (const char *p = message; *p; p++)
        assert_in_range(*p, ' ', '~');
    assert_false(lp_schedule_parse("hello", &schedule, tight, sizeof(tight)));
    assert_int_equal(strlen(tight), sizeof(tight) - 1);
}

/* Near to a schedule or far from it: taken or refused, and what is taken is one. */
static void
test_random_bytes(void **state)
{
    static const char *const BASES[] = { "weekdays 08:00-18:00 min mem=8G max cpu=4",
                                         "mon,fri 22:00-06:00 max cpu=2 mem=16G min mem=1536M" };
    static const char INSERTS[] = " ,:-=.0123456789GMTmincpuax\xff\n";
    unsigned taken = 0;

    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 50000; round++) {
        char text[80], message[LP_SCHEDULE_MESSAGE], form[LP_SCHEDULE_TEXT];
        size_t length;
        LpSchedule s, again;

        snprintf(text, sizeof(text), "%s", BASES[round % 2]);
        length = strlen(text);
        for (int n = 1 + rand() % 3; n > 0; n--) {
            size_t at = (size_t) rand() % length;

            if (rand() % 3 == 0)
                text[at] = '\0';
            else
                text[at] = INSERTS[(size_t) rand() % (sizeof(INSERTS) - 1)];
        }
        if (!lp_schedule_parse(text, &s, message, sizeof(message)))
            continue;
        taken++;
        assert_true(lp_schedule_valid(&s));
        lp_schedule_format(&s, form, sizeof(form));
        assert_true(lp_schedule_parse(form, &again, message, sizeof(message)));
        assert_true(same(&s, &again));
    }
    print_message("# %u of 50000 were still schedules\n", taken);
    assert_in_range(taken, 100, 40000);
}

static void
test_valid(void **state)
{
    const LpSchedule good = parse("daily 08:00-18:00 min cpu=2 mem=2G max cpu=4 mem=4G");
    LpSchedule s;

    (void) state;
#define INVALID(change)                         \
    do {                                        \
        s = good;                               \
        assert_true(lp_schedule_valid(&s));     \
        change;                                 \
        assert_false(lp_schedule_valid(&s));    \
    } while (0)
    INVALID(s.days = 0);
    INVALID(s.days = 128);
    INVALID(s.from_minute = 1440);
    INVALID(s.to_minute = 1440);
    INVALID(s.cpu_min = 0);
    INVALID(s.cpu_min = 5);
    INVALID((s.cpu_max = 1025, s.cpu_min = 1));
    INVALID((s.has_cpu_min = false, s.cpu_max = 0));
    INVALID(s.mem_min_bytes = 0);
    INVALID(s.mem_min_bytes++);
    INVALID(s.mem_max_bytes++);
    INVALID(s.mem_min_bytes = 5 * GIB);
    INVALID((s.has_mem_min = false, s.mem_max_bytes = 0));
    INVALID(s.mem_max_bytes = LP_MEM_MAX_BYTES + (2 << 20));
    INVALID((s.has_cpu_min = s.has_cpu_max = s.has_mem_min = s.has_mem_max = false));
#undef INVALID
}

/* A buffer that is too small gets what fits, and an end. */
static void
test_tight_buffer(void **state)
{
    const LpSchedule s = parse("mon 08:00-18:00 min mem=2G");
    char whole[LP_SCHEDULE_TEXT];

    (void) state;
    lp_schedule_format(&s, whole, sizeof(whole));
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        char buf[64];

        memset(buf, '#', sizeof(buf));
        lp_schedule_format(&s, buf, size);
        assert_int_equal(strlen(buf), size - 1);
        assert_memory_equal(buf, whole, size - 1);
        assert_int_equal(buf[size], '#');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_tight_buffer),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
