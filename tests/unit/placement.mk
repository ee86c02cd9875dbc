# On which nodes a new partition's cells are to be.
check_PROGRAMS += tests/unit/test_placement
TESTS += tests/unit/test_placement
tests_unit_test_placement_SOURCES = tests/unit/test_placement.c
tests_unit_test_placement_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_placement_LDADD = $(LP_API_TEST_LIBS)
