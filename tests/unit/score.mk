# The affinity score, and the rule for where a partition may be.
LP_SCORE_TESTS = tests/unit/test_score tests/unit/test_score_best tests/unit/test_rule
check_PROGRAMS += $(LP_SCORE_TESTS)
TESTS += $(LP_SCORE_TESTS)
tests_unit_test_score_SOURCES = tests/unit/test_score.c tests/unit/numa_host.c tests/unit/numa_host.h
tests_unit_test_score_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_score_LDADD = liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_score_best_SOURCES = tests/unit/test_score_best.c tests/unit/numa_host.c \
	tests/unit/numa_host.h
tests_unit_test_score_best_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_score_best_LDADD = liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_rule_SOURCES = tests/unit/test_rule.c tests/unit/numa_host.c tests/unit/numa_host.h
tests_unit_test_rule_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_rule_LDADD = liblp-place.a $(CMOCKA_LIBS)
