# tests of this room
check_PROGRAMS += tests/unit/test_wire tests/unit/test_agent
TESTS += tests/unit/test_wire tests/unit/test_agent

tests_unit_test_wire_SOURCES = tests/unit/test_wire.c
tests_unit_test_wire_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_wire_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)

# Runs the program itself.
tests_unit_test_agent_SOURCES = tests/unit/test_agent.c
tests_unit_test_agent_CPPFLAGS = $(AM_CPPFLAGS) -DLP_AGENT_PATH=\"$(abs_builddir)/lpar-agent\"
tests_unit_test_agent_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_agent_DEPENDENCIES = lpar-agent$(EXEEXT)
