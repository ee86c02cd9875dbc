# The planner and its gate: tables, and properties on random partitions.
check_PROGRAMS += tests/unit/test_plan tests/unit/test_plan_random tests/unit/test_admit
TESTS += tests/unit/test_plan tests/unit/test_plan_random tests/unit/test_admit
LP_PLAN_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
LP_PLAN_TEST_LIBS = liblp-plan.a liblp-place.a $(CMOCKA_LIBS)
LP_PLAN_TEST_CASES = tests/unit/plan_case.c tests/unit/plan_case.h tests/unit/plan_judge.c \
	tests/unit/plan_random.c
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c
tests_unit_test_plan_CFLAGS = $(LP_PLAN_TEST_CFLAGS)
tests_unit_test_plan_LDADD = $(LP_PLAN_TEST_LIBS)
tests_unit_test_plan_random_SOURCES = tests/unit/test_plan_random.c $(LP_PLAN_TEST_CASES)
tests_unit_test_plan_random_CFLAGS = $(LP_PLAN_TEST_CFLAGS)
tests_unit_test_plan_random_LDADD = $(LP_PLAN_TEST_LIBS)
tests_unit_test_admit_SOURCES = tests/unit/test_admit.c $(LP_PLAN_TEST_CASES)
tests_unit_test_admit_CFLAGS = $(LP_PLAN_TEST_CFLAGS)
tests_unit_test_admit_LDADD = $(LP_PLAN_TEST_LIBS)
