# tests of this room

# the journal and the agent link
check_PROGRAMS += test_journal test_channel
TESTS += test_journal test_channel
test_journal_SOURCES = tests/unit/test_journal.c lpard/journal/journal.c lpard/journal/journal.h \
	lpard/journal/journal-audit.c lpard/journal/journal-db.c lpard/journal/journal-log.c lpard/journal/journal-open.c \
	lpard/journal/journal-priv.h lpard/journal/journal-purge.c lpard/journal/journal-read.c \
	lpard/journal/journal-reserve.c lpard/journal/journal-retry.c lpard/journal/journal-schema.c \
	lpard/journal/journal-sum.c lpard/journal/journal-writer.c \
	lpard/error.c lpard/error.h
test_journal_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS) \
	$(CMOCKA_CFLAGS)
test_journal_LDADD = $(LP_HOTPLUG_LIBS) $(SQLITE_LIBS) $(LP_HOTPLUG_SYSLIBS) $(CMOCKA_LIBS)
test_channel_SOURCES = tests/unit/test_channel.c lpard/registry/channel.c lpard/registry/channel.h \
	lpard/registry/lookout.c lpard/registry/lookout.h hotplug/fds.c hotplug/fds.h
test_channel_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS) $(CMOCKA_CFLAGS)
# Its clock and timers are the test's.
test_channel_LDFLAGS = -Wl,--wrap=g_timeout_add -Wl,--wrap=g_get_monotonic_time
test_channel_LDADD = liblp-wire.a liblp-plan.a liblp-place.a $(JANSSON_LIBS) $(GLIB_LIBS) \
	$(CMOCKA_LIBS)

# the API and what it is made of
LP_API_TESTS = tests/unit/test_error tests/unit/test_events tests/unit/test_api_access \
	tests/unit/test_api_shape tests/unit/test_api_openapi tests/unit/test_api tests/unit/test_api_numa
check_PROGRAMS += $(LP_API_TESTS)
TESTS += $(LP_API_TESTS)
LP_API_TEST_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
LP_API_TEST_LIBS = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) $(CMOCKA_LIBS)
tests_unit_test_error_SOURCES = tests/unit/test_error.c
tests_unit_test_error_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_error_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_events_SOURCES = tests/unit/test_events.c
tests_unit_test_events_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_events_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_api_access_SOURCES = tests/unit/test_api_access.c
tests_unit_test_api_access_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_api_access_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_api_shape_SOURCES = tests/unit/test_api_shape.c
tests_unit_test_api_shape_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_api_shape_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_api_openapi_SOURCES = tests/unit/test_api_openapi.c tests/unit/schema.c \
	tests/unit/schema.h
tests_unit_test_api_openapi_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_api_openapi_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_api_SOURCES = tests/unit/test_api.c tests/unit/api_fixture.c \
	tests/unit/api_fixture.h tests/unit/schema.c tests/unit/schema.h
tests_unit_test_api_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_api_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_api_numa_SOURCES = tests/unit/test_api_numa.c tests/unit/api_fixture.c \
	tests/unit/api_fixture.h tests/unit/schema.c tests/unit/schema.h
tests_unit_test_api_numa_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_api_numa_LDADD = $(LP_API_TEST_LIBS)

# roles, certificates, the audit trail, limits
LP_ROLES_TESTS = tests/unit/test_api_roles tests/unit/test_door
check_PROGRAMS += $(LP_ROLES_TESTS)
TESTS += $(LP_ROLES_TESTS)
LP_ROLES_FIXTURE = tests/unit/api_fixture.c tests/unit/api_fixture.h tests/unit/schema.c \
	tests/unit/schema.h tests/unit/pki.c tests/unit/pki.h
tests_unit_test_api_roles_SOURCES = tests/unit/test_api_roles.c $(LP_ROLES_FIXTURE)
tests_unit_test_api_roles_CFLAGS = $(LP_API_TEST_CFLAGS)
# Who comes is the test's to say.
tests_unit_test_api_roles_LDFLAGS = -Wl,--wrap=lp_access_peer
tests_unit_test_api_roles_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_door_SOURCES = tests/unit/test_door.c $(LP_ROLES_FIXTURE)
tests_unit_test_door_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_door_LDADD = $(LP_API_TEST_LIBS)

# the same from outside
check_PROGRAMS += tests/unit/hoard
tests_unit_hoard_SOURCES = tests/unit/hoard.c
TESTS += tests/door.sh
dist_check_SCRIPTS += tests/door.sh
tests/door.log: lpard/lpard$(EXEEXT) lparctl$(EXEEXT) tests/unit/hoard$(EXEEXT)
