# The simulated host, through the driver's vtable.
check_PROGRAMS += tests/unit/test_sim
TESTS += tests/unit/test_sim
tests_unit_test_sim_SOURCES = tests/unit/test_sim.c
tests_unit_test_sim_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sim_LDADD = $(LP_HOTPLUG_LIBS) $(LP_HOTPLUG_SYSLIBS) $(CMOCKA_LIBS)
EXTRA_DIST += tests/unit/sim-sample.json
