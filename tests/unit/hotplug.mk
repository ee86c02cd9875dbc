# The domain XML code, and the libvirt driver on libvirt's mock.
check_PROGRAMS += tests/unit/test_domxml tests/unit/test_libvirt_driver tests/unit/test_qga
TESTS += tests/unit/test_domxml tests/unit/test_libvirt_driver tests/unit/test_qga
LP_HOTPLUG_TEST_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(LIBVIRT_CFLAGS) $(LIBXML_CFLAGS) \
	$(CMOCKA_CFLAGS)
LP_HOTPLUG_TEST_LIBS = $(LP_HOTPLUG_LIBS) $(LP_HOTPLUG_SYSLIBS) $(CMOCKA_LIBS)
tests_unit_test_domxml_SOURCES = tests/unit/test_domxml.c
tests_unit_test_domxml_CFLAGS = $(LP_HOTPLUG_TEST_CFLAGS)
tests_unit_test_domxml_LDADD = $(LP_HOTPLUG_TEST_LIBS)
tests_unit_test_libvirt_driver_SOURCES = tests/unit/test_libvirt_driver.c
tests_unit_test_libvirt_driver_CFLAGS = $(LP_HOTPLUG_TEST_CFLAGS)
tests_unit_test_libvirt_driver_LDADD = $(LP_HOTPLUG_TEST_LIBS)
tests_unit_test_qga_SOURCES = tests/unit/test_qga.c
tests_unit_test_qga_CFLAGS = $(LP_HOTPLUG_TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_qga_LDADD = $(LP_HOTPLUG_TEST_LIBS)
