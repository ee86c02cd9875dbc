# Where the memory of simulated guests lies, and how it moves.
check_PROGRAMS += tests/unit/test_sim_numa
TESTS += tests/unit/test_sim_numa
tests_unit_test_sim_numa_SOURCES = tests/unit/test_sim_numa.c
tests_unit_test_sim_numa_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sim_numa_LDADD = $(LP_HOTPLUG_LIBS) $(LP_HOTPLUG_SYSLIBS) $(CMOCKA_LIBS)
