# What goes wrong around an operation, at each of its calls: libvirt, guests, agents.
LP_FAULTS_FIXTURE = tests/faults/faulty_driver.c tests/faults/faulty_driver.h tests/faults/case.c \
	tests/faults/case.h $(LP_ENGINE_FIXTURE)
LP_FAULTS_CFLAGS = $(liblp_daemon_a_CFLAGS) -I$(top_srcdir)/tests/unit $(CMOCKA_CFLAGS)
LP_FAULTS_LDFLAGS = $(LP_ENGINE_LDFLAGS) -Wl,--wrap=lp_driver_for
LP_FAULTS_LDADD = $(LP_ORACLE) $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/faults/test_faults_libvirt tests/faults/test_faults_guest \
	tests/faults/test_faults_agent
TESTS += tests/faults/test_faults_libvirt tests/faults/test_faults_guest \
	tests/faults/test_faults_agent
tests_faults_test_faults_libvirt_SOURCES = tests/faults/test_faults_libvirt.c $(LP_FAULTS_FIXTURE)
tests_faults_test_faults_libvirt_CFLAGS = $(LP_FAULTS_CFLAGS)
tests_faults_test_faults_libvirt_LDFLAGS = $(LP_FAULTS_LDFLAGS)
tests_faults_test_faults_libvirt_LDADD = $(LP_FAULTS_LDADD)
tests_faults_test_faults_guest_SOURCES = tests/faults/test_faults_guest.c $(LP_FAULTS_FIXTURE)
tests_faults_test_faults_guest_CFLAGS = $(LP_FAULTS_CFLAGS)
tests_faults_test_faults_guest_LDFLAGS = $(LP_FAULTS_LDFLAGS)
tests_faults_test_faults_guest_LDADD = $(LP_FAULTS_LDADD)
tests_faults_test_faults_agent_SOURCES = tests/faults/test_faults_agent.c tests/faults/liar.c \
	tests/faults/liar.h $(LP_FAULTS_FIXTURE)
tests_faults_test_faults_agent_CFLAGS = $(LP_FAULTS_CFLAGS)
tests_faults_test_faults_agent_LDFLAGS = $(LP_FAULTS_LDFLAGS)
tests_faults_test_faults_agent_LDADD = $(LP_FAULTS_LDADD)
