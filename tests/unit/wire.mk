# tests of this room
check_PROGRAMS += tests/unit/test_wire tests/unit/test_agent
TESTS += tests/unit/test_wire tests/unit/test_agent

wire_random = tests/unit/wire_random.c tests/unit/wire_random.h
tests_unit_test_wire_SOURCES = tests/unit/test_wire.c $(wire_random)
tests_unit_test_wire_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_wire_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_wire_fields tests/unit/test_wire_hostile
TESTS += tests/unit/test_wire_fields tests/unit/test_wire_hostile
tests_unit_test_wire_hostile_SOURCES = tests/unit/test_wire_hostile.c $(wire_random)
tests_unit_test_wire_hostile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_wire_hostile_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_wire_fields_SOURCES = tests/unit/test_wire_fields.c
tests_unit_test_wire_fields_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_wire_fields_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)

# Runs the program itself.
agent_fixture = tests/unit/agent_fixture.c tests/unit/agent_fixture.h tests/unit/tree.c \
	tests/unit/tree.h
tests_unit_test_agent_SOURCES = tests/unit/test_agent.c $(agent_fixture)
tests_unit_test_agent_CPPFLAGS = $(AM_CPPFLAGS) -DLP_AGENT_PATH=\"$(abs_builddir)/lpar-agent\"
tests_unit_test_agent_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_agent_DEPENDENCIES = lpar-agent$(EXEEXT)

# Resizes as the guest lives through them: scripts, vetoes, an agent.conf, a host that vanishes.
check_PROGRAMS += tests/unit/test_agent_phase tests/unit/test_agent_conf
TESTS += tests/unit/test_agent_conf
tests_unit_test_agent_phase_SOURCES = tests/unit/test_agent_phase.c $(agent_fixture)
tests_unit_test_agent_phase_CPPFLAGS = $(tests_unit_test_agent_CPPFLAGS)
tests_unit_test_agent_phase_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_phase_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_agent_phase_DEPENDENCIES = lpar-agent$(EXEEXT)
tests_unit_test_agent_conf_SOURCES = tests/unit/test_agent_conf.c tests/unit/tree.c tests/unit/tree.h
tests_unit_test_agent_conf_CPPFLAGS = $(AM_CPPFLAGS) \
	-DLP_SAMPLE=\"$(abs_top_srcdir)/data/agent.conf\"
tests_unit_test_agent_conf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_conf_LDADD = liblp-agent.a liblp-wire.a liblp-place.a $(JANSSON_LIBS) \
	$(CMOCKA_LIBS)

# Where the guest runs, what it can, and how it fares.
check_PROGRAMS += tests/unit/test_agent_enlight tests/unit/test_agent_pressure
TESTS += tests/unit/test_agent_enlight tests/unit/test_agent_pressure
tests_unit_test_agent_enlight_SOURCES = tests/unit/test_agent_enlight.c tests/unit/tree.c \
	tests/unit/tree.h
tests_unit_test_agent_enlight_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_enlight_LDADD = liblp-agent.a liblp-wire.a liblp-place.a $(JANSSON_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_test_agent_pressure_SOURCES = tests/unit/test_agent_pressure.c tests/unit/tree.c \
	tests/unit/tree.h
tests_unit_test_agent_pressure_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_pressure_LDADD = liblp-agent.a liblp-wire.a liblp-place.a $(JANSSON_LIBS) \
	$(CMOCKA_LIBS)
