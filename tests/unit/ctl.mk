# lparctl: its parts, and the whole command against a server that is made up.
check_PROGRAMS += tests/unit/test_ctl tests/unit/test_ctl_run
TESTS += tests/unit/test_ctl tests/unit/test_ctl_run
tests_unit_test_ctl_SOURCES = tests/unit/test_ctl.c
tests_unit_test_ctl_CFLAGS = $(liblp_ctl_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_ctl_LDADD = $(LP_CTL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_ctl_run_SOURCES = tests/unit/test_ctl_run.c tests/unit/test_ctl_server.c \
	tests/unit/test_ctl_server.h
tests_unit_test_ctl_run_CFLAGS = $(liblp_ctl_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_ctl_run_LDADD = $(LP_CTL_LIBS) $(CMOCKA_LIBS)
# The command itself is what it runs.
tests_unit_test_ctl_run_DEPENDENCIES = lparctl liblp-ctl.a liblp-policy.a liblp-place.a

# What it shows of the NUMA engine; libxml2 reads the picture.
check_PROGRAMS += tests/unit/test_ctl_numa
TESTS += tests/unit/test_ctl_numa
tests_unit_test_ctl_numa_SOURCES = tests/unit/test_ctl_numa.c tests/unit/test_ctl_server.c \
	tests/unit/test_ctl_server.h
tests_unit_test_ctl_numa_CFLAGS = $(liblp_ctl_a_CFLAGS) $(LIBXML_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_ctl_numa_LDADD = $(LP_CTL_LIBS) $(LIBXML_LIBS) $(CMOCKA_LIBS)
tests_unit_test_ctl_numa_DEPENDENCIES = lparctl liblp-ctl.a liblp-policy.a liblp-place.a
