# lpard killed at each point that it comes to, and once more on its way back; only in a build that can
# be told to.
if FAULT_INJECTION
check_PROGRAMS += tests/crash/matrix
TESTS += tests/crash/matrix
else
TESTS += tests/crash/test-release.sh
endif
dist_check_SCRIPTS += tests/crash/test-release.sh
tests_crash_matrix_SOURCES = tests/crash/matrix.c tests/crash/crash.c tests/crash/crash.h \
	tests/crash/scenario.c tests/crash/scenario.h $(LP_OPTIMIZE_FIXTURE) $(LP_ENGINE_FIXTURE)
tests_crash_matrix_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_crash_matrix_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_crash_matrix_LDADD = $(LP_ORACLE) $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)

# The real program killed at random moments, on files.
check_PROGRAMS += tests/crash/kills
TESTS += tests/crash/kills
tests_crash_kills_SOURCES = tests/crash/kills.c tests/crash/kills.h tests/crash/kills-life.c \
	tests/bench/load-http.c tests/bench/load-http.h
tests_crash_kills_CFLAGS = $(liblp_daemon_a_CFLAGS)
tests_crash_kills_LDADD = $(LP_ORACLE) $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS)
