# The optimizer on a simulated host: measuring, planning, moving, and what goes wrong with it.
check_PROGRAMS += tests/unit/test_optimize tests/unit/test_optimize_faults
TESTS += tests/unit/test_optimize tests/unit/test_optimize_faults
LP_OPTIMIZE_FIXTURE = tests/unit/optimize_fixture.c tests/unit/optimize_fixture.h \
	tests/unit/numa_host.c tests/unit/numa_host.h
tests_unit_test_optimize_SOURCES = tests/unit/test_optimize.c $(LP_OPTIMIZE_FIXTURE) \
	$(LP_ENGINE_FIXTURE)
tests_unit_test_optimize_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_optimize_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_optimize_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
tests_unit_test_optimize_faults_SOURCES = tests/unit/test_optimize_faults.c \
	$(LP_OPTIMIZE_FIXTURE) $(LP_ENGINE_FIXTURE)
tests_unit_test_optimize_faults_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_optimize_faults_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_optimize_faults_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
