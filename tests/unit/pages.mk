# Pages of other processes, and what a hypervisor's process is by them.
check_PROGRAMS += tests/unit/test_pages tests/unit/test_process
TESTS += tests/unit/test_pages tests/unit/test_process
tests_unit_test_pages_SOURCES = tests/unit/test_pages.c
tests_unit_test_pages_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# The kernel's part in what one node, or this machine, cannot show.
tests_unit_test_pages_LDFLAGS = -Wl,--wrap=numa_move_pages \
	-Wl,--wrap=lp_page_map_read -Wl,--wrap=lp_pages_touch
tests_unit_test_pages_LDADD = liblp-numa.a liblp-place.a $(HWLOC_LIBS) $(NUMA_LIBS) $(CMOCKA_LIBS)
tests_unit_test_process_SOURCES = tests/unit/test_process.c
tests_unit_test_process_CFLAGS = $(LP_HOTPLUG_TEST_CFLAGS)
tests_unit_test_process_LDADD = $(LP_HOTPLUG_TEST_LIBS)
