# Where memory is counted, and what brings it from cell to cell.
check_PROGRAMS += tests/unit/test_engine_shift
TESTS += tests/unit/test_engine_shift
tests_unit_test_engine_shift_SOURCES = tests/unit/test_engine_shift.c $(LP_ENGINE_FIXTURE)
tests_unit_test_engine_shift_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_engine_shift_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_engine_shift_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_ledger tests/unit/test_registry_nodes
TESTS += tests/unit/test_ledger tests/unit/test_registry_nodes
tests_unit_test_ledger_SOURCES = tests/unit/test_ledger.c
tests_unit_test_ledger_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_ledger_LDADD = liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_registry_nodes_SOURCES = tests/unit/test_registry_nodes.c $(LP_ENGINE_FIXTURE)
tests_unit_test_registry_nodes_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_registry_nodes_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_registry_nodes_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
