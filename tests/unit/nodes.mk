# Where memory is counted, and what brings it from cell to cell.
check_PROGRAMS += tests/unit/test_engine_shift
TESTS += tests/unit/test_engine_shift
tests_unit_test_engine_shift_SOURCES = tests/unit/test_engine_shift.c $(LP_ENGINE_FIXTURE)
tests_unit_test_engine_shift_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_engine_shift_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_engine_shift_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
