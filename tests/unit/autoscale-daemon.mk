# The autoscaler on a simulated host.
check_PROGRAMS += tests/unit/test_autoscale_daemon tests/unit/test_history
TESTS += tests/unit/test_history
tests_unit_test_autoscale_daemon_SOURCES = tests/unit/test_autoscale_daemon.c $(LP_ENGINE_FIXTURE) \
	tests/unit/schema.c tests/unit/schema.h
tests_unit_test_autoscale_daemon_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_autoscale_daemon_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_autoscale_daemon_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
tests_unit_test_history_SOURCES = tests/unit/test_history.c
tests_unit_test_history_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_history_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
