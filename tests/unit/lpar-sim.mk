# The simulator of the policy, and every policy in it for an hour.
check_PROGRAMS += tests/unit/test_lpar_sim_trace tests/unit/test_lpar_sim \
	tests/unit/test_lpar_sim_nodes
TESTS += tests/unit/test_lpar_sim_trace tests/unit/test_lpar_sim \
	tests/unit/test_lpar_sim_nodes
tests_unit_test_lpar_sim_nodes_SOURCES = tests/unit/test_lpar_sim_nodes.c
tests_unit_test_lpar_sim_nodes_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_lpar_sim_nodes_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
tests_unit_test_lpar_sim_trace_SOURCES = tests/unit/test_lpar_sim_trace.c
tests_unit_test_lpar_sim_trace_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(LIBLZMA_CFLAGS) \
	$(CMOCKA_CFLAGS)
tests_unit_test_lpar_sim_trace_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
tests_unit_test_lpar_sim_SOURCES = tests/unit/test_lpar_sim.c
tests_unit_test_lpar_sim_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_lpar_sim_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
TESTS += tests/sim-short.sh
dist_check_SCRIPTS += tests/sim-short.sh
tests/sim-short.log: lpar-sim$(EXEEXT)
