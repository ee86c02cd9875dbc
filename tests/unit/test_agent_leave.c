/* The choice of processors that leave: by example, and by property on random guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/bound.h"
#include "agent/leave.h"

static uint16_t id_of[LP_MAX_CPUS];
static LpLeaveCase of;
static LpBound bound;
static LpCpuMask leave;

/* n processors, all online, of which all but 0 may leave. */
static void
make_guest(unsigned n, unsigned threads)
{
    memset(&of, 0, sizeof(of));
    memset(&bound, 0, sizeof(bound));
    of.id_of = id_of;
    lp_cpumask_first_n(&of.online, n);
    of.may_leave = of.online;
    lp_cpumask_remove(&of.may_leave, 0);
    for (unsigned i = 0; i < n; i++) {
        id_of[i] = (uint16_t)i;
        of.core_of[i] = (uint16_t)(i - i % threads);
    }
}

static void
bind_to(const char *cpus)
{
    LpBinding binding = { .who = "pid 1 x" };

    assert_true(lp_cpumask_parse(cpus, &binding.cpus));
    lp_bound_add(&bound, &of.online, &binding);
}

static void
assert_leave(unsigned n, unsigned n_free, const char *want)
{
    char text[LP_CPUMASK_TEXT];

    assert_int_equal(lp_leave_choose(&of, &bound, n, &leave), n_free);
    assert_string_equal(lp_cpumask_format(&leave, text, sizeof(text)), want);
}

static void
test_highest_first(void **data)
{
    (void)data;
    make_guest(4, 1);
    assert_leave(1, 1, "3");
    assert_leave(3, 3, "1-3");
    /* By vCPU id, not by the kernel's number. */
    id_of[1] = 3;
    id_of[3] = 1;
    assert_leave(1, 1, "1");
    /* More than there are: all that can. */
    assert_leave(9, 3, "1-3");
    assert_leave(0, 0, "");
}

static void
test_cheapest_first(void **data)
{
    (void)data;
    make_guest(4, 1);
    bound.cost[3] = 2;
    bound.cost[2] = 1;
    assert_leave(1, 1, "1");
    assert_leave(2, 2, "1-2");
}

static void
test_whole_cores(void **data)
{
    (void)data;
    make_guest(8, 2);
    /* 7 is dear, so 4-5 goes as a whole rather than 5 and 6. */
    bound.cost[7] = 4;
    assert_leave(2, 2, "4-5");
    assert_leave(4, 4, "2-5");
    /* 1 can never go together with 0: it is the first of single ones, before a core is broken up. */
    assert_leave(1, 1, "1");
    assert_leave(3, 3, "1,4-5");
    bind_to("1");
    assert_leave(3, 3, "4-6");
    /* A core of which one thread is offline already is a whole one. */
    lp_cpumask_remove(&of.online, 6);
    lp_cpumask_remove(&of.may_leave, 6);
    assert_leave(1, 1, "7");
}

static void
test_bound(void **data)
{
    char text[160];

    (void)data;
    make_guest(4, 1);
    bind_to("3");
    assert_leave(1, 1, "2");
    assert_leave(2, 2, "1-2");
    /* Who insists gets it. */
    assert_leave(3, 2, "1-3");
    assert_true(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)));
    assert_string_equal(text, "pid 1 x is bound to cpu 3");
    /* One of a set is enough for it: also one that stays anyway. */
    make_guest(4, 1);
    bind_to("2-3");
    bind_to("0,1");
    assert_leave(2, 2, "1,3");
    assert_false(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)));
    assert_string_equal(text, "");
    /* One that serves two sets stays rather than one of each. */
    make_guest(4, 1);
    bind_to("1,2");
    bind_to("2,3");
    assert_leave(2, 2, "1,3");
    /* The whole guest, or processors that are not there, bind nothing. */
    make_guest(4, 1);
    bind_to("0-3");
    bind_to("7-9");
    assert_int_equal(bound.n_sets, 0);
    /* Only what adds something is kept: the smaller of two sets. */
    bind_to("1-3");
    bind_to("1-3");
    bind_to("1,2,9");
    bind_to("0-2");
    assert_int_equal(bound.n_sets, 1);
    assert_int_equal(lp_cpumask_count(&bound.sets[0].cpus), 2);
}

static void
test_reserved(void **data)
{
    char text[160];

    (void)data;
    make_guest(4, 1);
    lp_cpumask_add(&bound.isolated, 3);
    lp_cpumask_add(&bound.nohz_full, 2);
    bind_to("1");
    assert_leave(1, 0, "3");
    assert_true(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)));
    assert_string_equal(text, "cpu 3 is isolated (isolcpus)");
    /* The last that goes is the one with a task. */
    assert_leave(2, 0, "2-3");
    lp_cpumask_remove(&leave, 3);
    assert_true(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)));
    assert_string_equal(text, "cpu 2 is isolated (nohz_full)");
}

static void
test_names(void **data)
{
    LpBinding binding = { .cpuset = true, .who = "/mygroup" };
    char text[160];

    (void)data;
    make_guest(6, 1);
    assert_true(lp_cpumask_parse("2-3", &binding.cpus));
    lp_bound_add(&bound, &of.online, &binding);
    assert_true(lp_cpumask_parse("1-3", &leave));
    assert_true(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)));
    assert_string_equal(text, "cpuset /mygroup has only cpus 2-3");
    id_of[4] = 5;
    id_of[5] = 4;
    bind_to("4");
    assert_true(lp_cpumask_parse("4", &leave));
    assert_true(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)));
    assert_string_equal(text, "pid 1 x is bound to cpu 4 (vCPU 5)");
}

/* More sets than are kept: none of them loses its last processor all the same. */
static void
test_many_sets(void **data)
{
    char text[160];

    (void)data;
    make_guest(LP_BOUND_SETS + 20, 1);
    for (unsigned i = 1; i < LP_BOUND_SETS + 11; i++) {
        LpBinding binding = { .who = "pid 1 x" };

        lp_cpumask_add(&binding.cpus, i);
        lp_bound_add(&bound, &of.online, &binding);
    }
    assert_int_equal(bound.n_sets, LP_BOUND_SETS);
    assert_leave(9, 9, "43-51");
    assert_leave(10, 9, "42-51");
    assert_true(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)));
    assert_string_equal(text, "a program is bound to cpu 42");
}

static bool
have_common(const LpCpuMask *a, const LpCpuMask *b)
{
    for (unsigned cpu = 0; cpu < LP_MAX_CPUS; cpu++) {
        if (lp_cpumask_has(a, cpu) && lp_cpumask_has(b, cpu))
            return true;
    }
    return false;
}

static void
make_random_guest(void)
{
    unsigned n = 1 + (unsigned)rand() % 24, n_bound = (unsigned)rand() % 6;

    make_guest(n, 1 + (unsigned)rand() % 2);
    for (unsigned i = 1; i < n; i++) {
        if (rand() % 5 == 0) {
            lp_cpumask_remove(&of.online, i);
            lp_cpumask_remove(&of.may_leave, i);
        }
        if (rand() % 8 == 0)
            lp_cpumask_remove(&of.may_leave, i);
        if (rand() % 10 == 0 && lp_cpumask_has(&of.online, i))
            lp_cpumask_add(rand() % 2 ? &bound.isolated : &bound.nohz_full, i);
        bound.cost[i] = (uint16_t)(rand() % 4);
        id_of[i] = (uint16_t)(n - i);
    }
    for (unsigned i = 0; i < n_bound; i++) {
        LpBinding binding = { .who = "pid 1 x" };

        for (unsigned cpu = 0; cpu < n; cpu++) {
            if (rand() % 3 == 0)
                lp_cpumask_add(&binding.cpus, cpu);
        }
        lp_bound_add(&bound, &of.online, &binding);
    }
}

static void
test_properties(void **data)
{
    (void)data;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        unsigned most, n, n_free;
        LpCpuMask stays, again;
        char text[160];

        make_random_guest();
        most = lp_cpumask_count(&of.may_leave);
        n = (unsigned)rand() % (most + 1);
        n_free = lp_leave_choose(&of, &bound, n, &leave);
        /* Exactly n, of those that may; never processor 0. */
        assert_int_equal(lp_cpumask_count(&leave), n);
        assert_true(lp_cpumask_covers(&of.may_leave, &leave));
        assert_false(lp_cpumask_has(&leave, 0));
        assert_true(n_free <= n);
        /* Without force nothing bound loses its last, and nothing reserved goes. */
        assert_int_equal(lp_bound_blocker(&bound, &leave, id_of, text, sizeof(text)), n_free < n);
        stays = of.online;
        for (unsigned cpu = 0; cpu < LP_MAX_CPUS; cpu++) {
            if (lp_cpumask_has(&leave, cpu))
                lp_cpumask_remove(&stays, cpu);
        }
        for (unsigned i = 0; n_free == n && i < bound.n_sets; i++)
            assert_true(have_common(&bound.sets[i].cpus, &stays));
        if (n_free == n) {
            assert_false(have_common(&leave, &bound.isolated));
            assert_false(have_common(&leave, &bound.nohz_full));
        }
        assert_int_equal(lp_leave_choose(&of, &bound, n, &again), n_free);
        assert_true(lp_cpumask_equal(&leave, &again));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_highest_first), cmocka_unit_test(test_cheapest_first),
        cmocka_unit_test(test_whole_cores),   cmocka_unit_test(test_bound),
        cmocka_unit_test(test_reserved),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_many_sets),     cmocka_unit_test(test_properties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
