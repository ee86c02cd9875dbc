# The simulator's peers of the policy, the bound, and the judgement.
LP_RIVAL_TESTS = tests/unit/test_rivals tests/unit/test_bound tests/unit/test_goals \
	tests/unit/test_compare
check_PROGRAMS += $(LP_RIVAL_TESTS)
TESTS += $(LP_RIVAL_TESTS)
tests_unit_test_rivals_SOURCES = tests/unit/test_rivals.c
tests_unit_test_rivals_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_rivals_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
tests_unit_test_bound_SOURCES = tests/unit/test_bound.c
tests_unit_test_bound_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_bound_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
tests_unit_test_goals_SOURCES = tests/unit/test_goals.c
tests_unit_test_goals_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_goals_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
tests_unit_test_compare_SOURCES = tests/unit/test_compare.c
tests_unit_test_compare_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_compare_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
