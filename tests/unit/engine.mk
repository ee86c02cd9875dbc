# The operation engine on a simulated host: in one process, and as the real programs.
check_PROGRAMS += tests/unit/test_engine tests/unit/test_engine_consent
LP_ENGINE_FIXTURE = tests/unit/engine_fixture.c tests/unit/engine_fixture.h
# Deadlines pass at the test's own pace.
LP_ENGINE_LDFLAGS = -Wl,--wrap=g_get_monotonic_time -Wl,--wrap=g_timeout_add \
	-Wl,--wrap=g_timeout_add_seconds -Wl,--wrap=g_cond_wait_until \
	-Wl,--wrap=g_source_set_ready_time
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c $(LP_ENGINE_FIXTURE)
tests_unit_test_engine_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_engine_LDFLAGS = $(LP_ENGINE_LDFLAGS) -Wl,--wrap=lp_journal_open_operations
tests_unit_test_engine_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
tests_unit_test_engine_consent_SOURCES = tests/unit/test_engine_consent.c $(LP_ENGINE_FIXTURE)
tests_unit_test_engine_consent_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_engine_consent_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_engine_consent_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)

dist_check_SCRIPTS += tests/e2e-sim.sh
