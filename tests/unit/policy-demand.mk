# What a partition wants: histogram, memory, processors, and any input at all.
LP_DEMAND_TESTS = tests/unit/test_histogram tests/unit/test_demand tests/unit/test_demand_press \
	tests/unit/test_demand_random
check_PROGRAMS += $(LP_DEMAND_TESTS)
TESTS += $(LP_DEMAND_TESTS)

tests_unit_test_histogram_SOURCES = tests/unit/test_histogram.c
tests_unit_test_histogram_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_histogram_LDADD = liblp-policy.a $(CMOCKA_LIBS)
tests_unit_test_demand_SOURCES = tests/unit/test_demand.c tests/unit/demand_case.h
tests_unit_test_demand_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_demand_LDADD = liblp-policy.a $(CMOCKA_LIBS)
tests_unit_test_demand_press_SOURCES = tests/unit/test_demand_press.c tests/unit/demand_case.h
tests_unit_test_demand_press_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_demand_press_LDADD = liblp-policy.a $(CMOCKA_LIBS)
tests_unit_test_demand_random_SOURCES = tests/unit/test_demand_random.c
tests_unit_test_demand_random_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_demand_random_LDADD = liblp-policy.a $(CMOCKA_LIBS)
