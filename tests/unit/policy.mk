# The policy: cases, its words, properties in random worlds, and the same on planted bugs.
LP_POLICY_PLANTS = tests/unit/test_policy_planted_reserve_spent \
	tests/unit/test_policy_planted_grows_into_nothing tests/unit/test_policy_planted_no_dwell \
	tests/unit/test_policy_planted_no_backoff tests/unit/test_policy_planted_below_its_part \
	tests/unit/test_policy_planted_stale_is_idle
check_PROGRAMS += tests/unit/test_policy tests/unit/test_explain tests/unit/test_policy_random \
	$(LP_POLICY_PLANTS)
TESTS += tests/unit/test_policy tests/unit/test_explain tests/unit/test_policy_random \
	tests/unit/test-policy-planted.sh
dist_check_SCRIPTS += tests/unit/test-policy-planted.sh
# The script runs them; they are no tests themselves.
tests/unit/test-policy-planted.log: $(LP_POLICY_PLANTS)

LP_POLICY_TEST_LIBS = liblp-policy.a liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c tests/unit/policy_world.c \
	tests/unit/policy_world.h
tests_unit_test_policy_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_LDADD = $(LP_POLICY_TEST_LIBS)
tests_unit_test_explain_SOURCES = tests/unit/test_explain.c tests/unit/policy_world.c \
	tests/unit/policy_world.h
tests_unit_test_explain_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_explain_LDADD = $(LP_POLICY_TEST_LIBS)
tests_unit_test_policy_random_SOURCES = tests/unit/test_policy_random.c
tests_unit_test_policy_random_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_random_LDADD = $(LP_POLICY_TEST_LIBS)

# Each with the one file that has the bug, instead of the archive's.
tests_unit_test_policy_planted_reserve_spent_SOURCES = tests/unit/test_policy_random.c policy/policy-read.c
tests_unit_test_policy_planted_reserve_spent_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_RESERVE_SPENT
tests_unit_test_policy_planted_reserve_spent_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_planted_reserve_spent_LDADD = $(LP_POLICY_TEST_LIBS)
tests_unit_test_policy_planted_grows_into_nothing_SOURCES = tests/unit/test_policy_random.c policy/policy-grow.c
tests_unit_test_policy_planted_grows_into_nothing_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_GROWS_INTO_NOTHING
tests_unit_test_policy_planted_grows_into_nothing_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_planted_grows_into_nothing_LDADD = $(LP_POLICY_TEST_LIBS)
tests_unit_test_policy_planted_no_dwell_SOURCES = tests/unit/test_policy_random.c policy/calm.c
tests_unit_test_policy_planted_no_dwell_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_NO_DWELL
tests_unit_test_policy_planted_no_dwell_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_planted_no_dwell_LDADD = $(LP_POLICY_TEST_LIBS)
tests_unit_test_policy_planted_no_backoff_SOURCES = tests/unit/test_policy_random.c policy/calm.c
tests_unit_test_policy_planted_no_backoff_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_NO_BACKOFF
tests_unit_test_policy_planted_no_backoff_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_planted_no_backoff_LDADD = $(LP_POLICY_TEST_LIBS)
tests_unit_test_policy_planted_below_its_part_SOURCES = tests/unit/test_policy_random.c policy/policy-reclaim.c
tests_unit_test_policy_planted_below_its_part_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_BELOW_ITS_PART
tests_unit_test_policy_planted_below_its_part_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_planted_below_its_part_LDADD = $(LP_POLICY_TEST_LIBS)
tests_unit_test_policy_planted_stale_is_idle_SOURCES = tests/unit/test_policy_random.c policy/policy-read.c
tests_unit_test_policy_planted_stale_is_idle_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_STALE_IS_IDLE
tests_unit_test_policy_planted_stale_is_idle_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_policy_planted_stale_is_idle_LDADD = $(LP_POLICY_TEST_LIBS)

# tests/bench/decide builds and runs it.
EXTRA_PROGRAMS = tests/bench/decide-run
tests_bench_decide_run_SOURCES = tests/bench/decide-run.c
tests_bench_decide_run_LDADD = liblp-policy.a liblp-place.a
CLEANFILES += tests/bench/decide-run
