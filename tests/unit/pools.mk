# Shared processor pools: definitions, the resource partition in a domain's XML, the API on a
# simulated host.
check_PROGRAMS += tests/unit/test_pool_file tests/unit/test_pools
TESTS += tests/unit/test_pool_file tests/unit/test_pools
tests_unit_test_pool_file_SOURCES = tests/unit/test_pool_file.c
tests_unit_test_pool_file_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_pool_file_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
tests_unit_test_pools_SOURCES = tests/unit/test_pools.c $(LP_ENGINE_FIXTURE)
tests_unit_test_pools_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_pools_LDFLAGS = $(LP_ENGINE_LDFLAGS)
tests_unit_test_pools_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
