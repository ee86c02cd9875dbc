# The operation engine on a simulated host: in one process, and as the real programs.
check_PROGRAMS += tests/unit/test_engine
TESTS += tests/unit/test_engine
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c
tests_unit_test_engine_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
# Deadlines pass at the test's own pace.
tests_unit_test_engine_LDFLAGS = -Wl,--wrap=g_get_monotonic_time -Wl,--wrap=g_timeout_add \
	-Wl,--wrap=g_timeout_add_seconds -Wl,--wrap=g_cond_wait_until \
	-Wl,--wrap=g_source_set_ready_time
tests_unit_test_engine_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)

TESTS += tests/e2e-sim.sh
dist_check_SCRIPTS += tests/e2e-sim.sh
