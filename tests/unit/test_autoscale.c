/* The settings of autoscaling: defaults, equality, and which bounds hold when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/autoscale.h"
#include "policy/demand.h"
#include "policy/explain.h"
#include "policy/profile.h"
#include "policy/units.h"

#define SEED 20261123u
#define GIB (1ULL << 30)

enum { SUN, MON, TUE, WED, THU, FRI, SAT };

#define AT(day, hour, min) ((LpWallTime) { .weekday = (day), .minute = (hour) * 60 + (min) })

static const LpScaleBounds OWN = { .cpu_min = 1, .cpu_max = 8, .mem_min_bytes = 2 * GIB,
                                   .mem_max_bytes = 16 * GIB };

static void
add(LpAutoscale *autoscale, const char *text)
{
    char message[LP_SCHEDULE_MESSAGE] = "";

    if (!lp_schedule_parse(text, &autoscale->schedules[autoscale->n_schedules], message,
                           sizeof(message)))
        fail_msg("%s: %s", text, message);
    autoscale->n_schedules++;
}

static LpScaleBounds
bounds_at(const LpAutoscale *autoscale, LpWallTime time)
{
    LpScaleBounds bounds = OWN;

    lp_schedule_bounds(autoscale, time, &bounds);
    return bounds;
}

static bool
holds(const char *text, LpWallTime time)
{
    LpAutoscale autoscale;

    lp_autoscale_init(&autoscale);
    add(&autoscale, text);
    return lp_schedule_holds(&autoscale.schedules[0], time);
}

static void
test_defaults(void **state)
{
    LpAutoscale a;

    (void) state;
    memset(&a, 0xff, sizeof(a));
    lp_autoscale_init(&a);
    assert_int_equal(a.mode, LP_MODE_OFF);
    assert_int_equal(a.goal, LP_GOAL_BALANCED);
    assert_int_equal(a.priority, LP_PRIORITY_DEFAULT);
    assert_true(a.entitled_bytes == 0);
    assert_int_equal(a.release_sec, 0);
    assert_int_equal(a.n_schedules, 0);
    assert_true(lp_autoscale_is_default(&a));
    assert_string_equal(lp_mode_names[LP_MODE_HOST], "host");
    assert_string_equal(lp_goal_names[LP_GOAL_DENSITY], "density");
}

/* Each field makes a difference; what is not said makes none. */
static void
test_equality(void **state)
{
    LpAutoscale a, b;

    (void) state;
    lp_autoscale_init(&a);
    add(&a, "daily 08:00-18:00 min mem=4G cpu=2 max mem=8G cpu=4");
#define DIFFERS(change)                                 \
    do {                                                \
        b = a;                                          \
        assert_true(lp_autoscale_equal(&a, &b));        \
        change;                                         \
        assert_false(lp_autoscale_equal(&a, &b));       \
        assert_false(lp_autoscale_equal(&b, &a));       \
    } while (0)
    DIFFERS(b.mode = LP_MODE_AUTO);
    DIFFERS(b.goal = LP_GOAL_LATENCY);
    DIFFERS(b.priority = 7);
    DIFFERS(b.entitled_bytes = GIB);
    DIFFERS(b.release_sec = 1);
    DIFFERS(b.n_schedules = 0);
    DIFFERS(b.schedules[0].days = 1);
    DIFFERS(b.schedules[0].from_minute++);
    DIFFERS(b.schedules[0].to_minute++);
    DIFFERS(b.schedules[0].has_cpu_min = false);
    DIFFERS(b.schedules[0].has_cpu_max = false);
    DIFFERS(b.schedules[0].has_mem_min = false);
    DIFFERS(b.schedules[0].has_mem_max = false);
    DIFFERS(b.schedules[0].cpu_min++);
    DIFFERS(b.schedules[0].cpu_max++);
    DIFFERS(b.schedules[0].mem_min_bytes++);
    DIFFERS(b.schedules[0].mem_max_bytes++);
#undef DIFFERS
    b = a;
    b.schedules[1].days = 1;            /* beyond n_schedules */
    assert_true(lp_autoscale_equal(&a, &b));
    a.schedules[0].has_cpu_min = b.schedules[0].has_cpu_min = false;
    b.schedules[0].cpu_min = 99;        /* of a bound that is not given */
    assert_true(lp_autoscale_equal(&a, &b));
    assert_false(lp_autoscale_is_default(&a));
    /* One that was never made is of another goal. */
    memset(&a, 0, sizeof(a));
    assert_false(lp_autoscale_is_default(&a));
}

static void
test_day(void **state)
{
    (void) state;
    assert_false(holds("weekdays 08:00-18:00 min cpu=2", AT(MON, 7, 59)));
    assert_true(holds("weekdays 08:00-18:00 min cpu=2", AT(MON, 8, 0)));
    assert_true(holds("weekdays 08:00-18:00 min cpu=2", AT(FRI, 17, 59)));
    assert_false(holds("weekdays 08:00-18:00 min cpu=2", AT(FRI, 18, 0)));
    assert_false(holds("weekdays 08:00-18:00 min cpu=2", AT(SAT, 12, 0)));
    assert_false(holds("weekdays 08:00-18:00 min cpu=2", AT(SUN, 12, 0)));
    assert_true(holds("weekends 08:00-18:00 min cpu=2", AT(SUN, 12, 0)));
    assert_true(holds("tue,thu 08:00-18:00 min cpu=2", AT(THU, 12, 0)));
    assert_false(holds("tue,thu 08:00-18:00 min cpu=2", AT(WED, 12, 0)));
    assert_true(holds("daily 00:00-24:00 min cpu=2", AT(SUN, 0, 0)));
    assert_true(holds("daily 00:00-24:00 min cpu=2", AT(SAT, 23, 59)));
    assert_true(holds("mon 00:00-24:00 min cpu=2", AT(MON, 23, 59)));
    assert_false(holds("mon 00:00-24:00 min cpu=2", AT(TUE, 0, 0)));
}

/* The night belongs to the day on which it begins. */
static void
test_past_midnight(void **state)
{
    (void) state;
    assert_true(holds("fri 22:00-06:00 max cpu=2", AT(FRI, 22, 0)));
    assert_true(holds("fri 22:00-06:00 max cpu=2", AT(SAT, 5, 59)));
    assert_false(holds("fri 22:00-06:00 max cpu=2", AT(SAT, 6, 0)));
    assert_false(holds("fri 22:00-06:00 max cpu=2", AT(FRI, 5, 59)));
    assert_false(holds("fri 22:00-06:00 max cpu=2", AT(SAT, 22, 0)));
    /* From the end of a week into the next. */
    assert_true(holds("sat 22:00-06:00 max cpu=2", AT(SUN, 3, 0)));
    assert_false(holds("sun 22:00-06:00 max cpu=2", AT(SUN, 3, 0)));
    assert_true(holds("daily 22:00-06:00 max cpu=2", AT(SUN, 3, 0)));
    /* An end that is the beginning is that of the next day. */
    assert_true(holds("mon 08:00-08:00 max cpu=2", AT(MON, 8, 0)));
    assert_true(holds("mon 08:00-08:00 max cpu=2", AT(TUE, 7, 59)));
    assert_false(holds("mon 08:00-08:00 max cpu=2", AT(TUE, 8, 0)));
}

static void
test_no_such_time(void **state)
{
    (void) state;
    assert_false(holds("daily 00:00-24:00 max cpu=2", AT(7, 12, 0)));
    assert_false(holds("daily 00:00-24:00 max cpu=2", AT(255, 0, 0)));
    assert_false(holds("daily 22:00-06:00 max cpu=2", AT(MON, 24, 0)));
    assert_false(holds("daily 22:00-06:00 max cpu=2", ((LpWallTime) { MON, UINT16_MAX })));
}

static void
test_bounds(void **state)
{
    LpAutoscale a;
    LpScaleBounds b;

    (void) state;
    lp_autoscale_init(&a);
    b = bounds_at(&a, AT(MON, 12, 0));
    assert_false(b.scheduled);
    assert_true(b.cpu_min == OWN.cpu_min && b.cpu_max == OWN.cpu_max &&
                b.mem_min_bytes == OWN.mem_min_bytes && b.mem_max_bytes == OWN.mem_max_bytes);
    add(&a, "weekdays 08:00-18:00 min mem=8G cpu=2");
    add(&a, "daily 12:00-14:00 max cpu=4");
    add(&a, "mon 13:00-15:00 min cpu=3");
    b = bounds_at(&a, AT(SAT, 8, 0));
    assert_false(b.scheduled);
    b = bounds_at(&a, AT(MON, 8, 0));
    assert_true(b.scheduled);
    assert_true(b.mem_min_bytes == 8 * GIB && b.mem_max_bytes == 16 * GIB);
    assert_true(b.cpu_min == 2 && b.cpu_max == 8);
    /* Three overlap: a later one over an earlier one. */
    b = bounds_at(&a, AT(MON, 13, 30));
    assert_true(b.cpu_min == 3 && b.cpu_max == 4 && b.mem_min_bytes == 8 * GIB);
    b = bounds_at(&a, AT(MON, 14, 30));
    assert_true(b.cpu_min == 3 && b.cpu_max == 8);
    b = bounds_at(&a, AT(SUN, 13, 30));
    assert_true(b.cpu_min == 1 && b.cpu_max == 4 && b.mem_min_bytes == 2 * GIB);
}

/* What was said before is not true for ever: the flag is of now. */
static void
test_bounds_forget(void **state)
{
    LpAutoscale a;
    LpScaleBounds b = OWN;

    (void) state;
    lp_autoscale_init(&a);
    b.scheduled = true;
    lp_schedule_bounds(&a, AT(MON, 0, 0), &b);
    assert_false(b.scheduled);
}

/* The profile's own bounds hold always, and a minimum above a maximum raises it, whichever of
 * the two schedules comes first. */
static void
test_bounds_kept(void **state)
{
    static const char *const TEXTS[2] = { "daily 00:00-24:00 min mem=8G cpu=6",
                                          "daily 00:00-24:00 max mem=4G cpu=2" };
    LpAutoscale a;
    LpScaleBounds b;

    (void) state;
    for (unsigned first = 0; first < 2; first++) {
        lp_autoscale_init(&a);
        add(&a, TEXTS[first]);
        add(&a, TEXTS[1 - first]);
        b = bounds_at(&a, AT(MON, 12, 0));
        assert_true(b.mem_min_bytes == 8 * GIB && b.mem_max_bytes == 8 * GIB);
        assert_true(b.cpu_min == 6 && b.cpu_max == 6);
    }
    lp_autoscale_init(&a);
    add(&a, "daily 00:00-24:00 min mem=1G cpu=12 max mem=32G cpu=100");
    b = bounds_at(&a, AT(MON, 12, 0));
    assert_true(b.mem_min_bytes == 2 * GIB && b.mem_max_bytes == 16 * GIB);
    assert_true(b.cpu_min == 8 && b.cpu_max == 8);
    lp_autoscale_init(&a);
    add(&a, "daily 00:00-24:00 max mem=1G");
    b = bounds_at(&a, AT(MON, 12, 0));
    assert_true(b.mem_min_bytes == 2 * GIB && b.mem_max_bytes == 2 * GIB);
}

static LpSchedule
random_schedule(void)
{
    LpSchedule s = { .days = (uint8_t) (rand() % 128), .from_minute = (uint16_t) (rand() % 1440),
                     .to_minute = (uint16_t) (rand() % 1440) };

    s.has_cpu_min = rand() % 2;
    s.has_cpu_max = rand() % 2;
    s.has_mem_min = rand() % 2;
    s.has_mem_max = rand() % 2;
    s.cpu_min = (uint32_t) rand() % 20;
    s.cpu_max = (uint32_t) rand() % 20;
    s.mem_min_bytes = (uint64_t) (rand() % 40) * GIB;
    s.mem_max_bytes = rand() % 9 ? (uint64_t) (rand() % 40) * GIB : UINT64_MAX;
    return s;
}

/* Whatever schedules say, even such as no text can: within the profile's bounds, in order; and a
 * week has each schedule as long as its days and times say. */
static void
test_bounds_property(void **state)
{
    (void) state;
    srand(SEED);
    print_message("# seed %u\n", SEED);
    for (unsigned round = 0; round < 20000; round++) {
        LpWallTime time = { (uint8_t) (rand() % 8), (uint16_t) (rand() % 1500) };
        LpAutoscale a;
        LpScaleBounds b;

        lp_autoscale_init(&a);
        a.n_schedules = (uint32_t) rand() % (LP_SCHEDULES_MAX + 2);
        for (unsigned i = 0; i < LP_SCHEDULES_MAX; i++)
            a.schedules[i] = random_schedule();
        b = bounds_at(&a, time);
        assert_true(OWN.cpu_min <= b.cpu_min && b.cpu_min <= b.cpu_max &&
                    b.cpu_max <= OWN.cpu_max);
        assert_true(OWN.mem_min_bytes <= b.mem_min_bytes && b.mem_min_bytes <= b.mem_max_bytes &&
                    b.mem_max_bytes <= OWN.mem_max_bytes);
    }
    for (unsigned round = 0; round < 50; round++) {
        LpSchedule s = random_schedule();
        int each = s.to_minute - s.from_minute, held = 0;

        if (each <= 0)
            each += 1440;
        for (unsigned minute = 0; minute < 7 * 1440; minute++)
            held += lp_schedule_holds(&s, (LpWallTime) { (uint8_t) (minute / 1440),
                                                         (uint16_t) (minute % 1440) });
        assert_int_equal(held, each * __builtin_popcount(s.days));
    }
}

/* A row of the table in lpar(7): what it is about, and a figure for each goal. */
static void
check_row(const char *page, const char *about, char figures[LP_GOALS][LP_UNITS_TEXT])
{
    char row[512];

    snprintf(row, sizeof(row), "T{\n%s\nT}|%s|%s|%s\n", about, figures[LP_GOAL_LATENCY],
             figures[LP_GOAL_BALANCED], figures[LP_GOAL_DENSITY]);
    if (!strstr(page, row))
        fail_msg("man/lpar.7 lacks the row\n%s", row);
}

static void
check_percent(const char *page, const char *about, const uint32_t *hundredths)
{
    char figures[LP_GOALS][LP_UNITS_TEXT];

    for (unsigned goal = 0; goal < LP_GOALS; goal++) {
        unsigned whole = hundredths[goal] / 100, tenths = hundredths[goal] % 100 / 10;

        if (tenths)
            snprintf(figures[goal], LP_UNITS_TEXT, "%u.%u %%", whole, tenths);
        else
            snprintf(figures[goal], LP_UNITS_TEXT, "%u %%", whole);
    }
    check_row(page, about, figures);
}

static void
check_time(const char *page, const char *about, const uint32_t *seconds)
{
    char figures[LP_GOALS][LP_UNITS_TEXT];

    for (unsigned goal = 0; goal < LP_GOALS; goal++) {
        bool hours = seconds[goal] % 3600 == 0;

        snprintf(figures[goal], LP_UNITS_TEXT, "%u %s", seconds[goal] / (hours ? 3600 : 60),
                 hours ? "h" : "min");
    }
    check_row(page, about, figures);
}

/* Explained among the words of "What decides". */
static void
check_word(const char *page, const char *word)
{
    const char *part = strstr(page, "\n.Ss What decides\n");
    char item[64];
    const char *at;

    snprintf(item, sizeof(item), "\n.It Li %s\n", word);
    at = part ? strstr(part, item) : NULL;
    if (!at || at > strstr(part, "\n.Ss Schedules\n"))
        fail_msg("man/lpar.7 does not say what %s is", word);
}

/* What the manual says of the goals is what they are, and no word of the policy is left out. */
static void
test_manual(void **state)
{
    static char page[100000];
    char path[4096], rooms[LP_GOALS][LP_UNITS_TEXT];
    const char *srcdir = getenv("srcdir");
    FILE *file;

    (void) state;
    snprintf(path, sizeof(path), "%s/man/lpar.7", srcdir ? srcdir : ".");
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be read: srcdir must name the source tree", path);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
#define OF(field)                                                              \
    (const uint32_t[LP_GOALS]) { lp_goal_tuning(LP_GOAL_LATENCY)->field,       \
                                 lp_goal_tuning(LP_GOAL_BALANCED)->field,      \
                                 lp_goal_tuning(LP_GOAL_DENSITY)->field }
    check_percent(page, "grows when so much of its memory is in use", OF(mem_up));
    check_percent(page, "memory kept above what is in use", OF(mem_headroom));
    check_percent(page, "grows when the guest is stalled for so much of the time (PSI)",
                  OF(psi_some_centi));
    check_percent(page, "gives memory back when it wants less than this part of it",
                  OF(mem_down));
    check_percent(page, "processors wanted above those in use", OF(cpu_headroom));
    check_time(page, "a peak is believed for", OF(window_sec));
    check_time(page, "surplus of memory is kept for", OF(release_sec));
    check_time(page, "nothing is taken after a growth for", OF(dwell_sec));
#undef OF
    for (unsigned goal = 0; goal < LP_GOALS; goal++)
        lp_units_format_bytes(lp_goal_tuning((LpGoal) goal)->mem_room_bytes, rooms[goal],
                              LP_UNITS_TEXT);
    check_row(page, "but no less than", rooms);
    /* "none" needs no explanation. */
    for (unsigned why = LP_WHY_NONE + 1; why < LP_WHY_S; why++)
        check_word(page, lp_why_names[why]);
    for (unsigned bound = LP_BOUND_NONE + 1; bound < LP_BOUNDS; bound++)
        check_word(page, lp_bound_names[bound]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_day),
        cmocka_unit_test(test_past_midnight),
        cmocka_unit_test(test_no_such_time),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_bounds_forget),
        cmocka_unit_test(test_bounds_kept),
        cmocka_unit_test(test_bounds_property),
        cmocka_unit_test(test_manual),
    };

    return cmocka_run_group_tests_name("autoscale", tests, NULL, NULL);
}
