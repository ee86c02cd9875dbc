# The layout of a host, and processors of a node.
LP_LAYOUT_TESTS = tests/unit/test_layout tests/unit/test_layout_random \
	tests/unit/test_layout_choose tests/unit/test_cores
check_PROGRAMS += $(LP_LAYOUT_TESTS)
TESTS += $(LP_LAYOUT_TESTS)
LP_LAYOUT_CASE = tests/unit/layout_case.c tests/unit/layout_case.h tests/unit/numa_host.c \
	tests/unit/numa_host.h
tests_unit_test_layout_SOURCES = tests/unit/test_layout.c $(LP_LAYOUT_CASE)
tests_unit_test_layout_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_layout_LDADD = liblp-layout.a liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_layout_random_SOURCES = tests/unit/test_layout_random.c $(LP_LAYOUT_CASE)
tests_unit_test_layout_random_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_layout_random_LDADD = liblp-layout.a liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_layout_choose_SOURCES = tests/unit/test_layout_choose.c tests/unit/numa_host.c \
	tests/unit/numa_host.h
tests_unit_test_layout_choose_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_layout_choose_LDADD = liblp-layout.a liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_cores_SOURCES = tests/unit/test_cores.c tests/unit/numa_host.c \
	tests/unit/numa_host.h
tests_unit_test_cores_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cores_LDADD = liblp-place.a $(CMOCKA_LIBS)
