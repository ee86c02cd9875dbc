# Programs of the guest: the agent, the library and its example, each as it is.
check_PROGRAMS += tests/unit/test_agent_apps
TESTS += tests/unit/test_agent_apps
tests_unit_test_agent_apps_SOURCES = tests/unit/test_agent_apps.c $(agent_fixture)
tests_unit_test_agent_apps_CPPFLAGS = $(AM_CPPFLAGS) \
	-DLP_AGENT_PATH=\"$(abs_builddir)/lpar-agent\" \
	-DLP_EXAMPLE_PATH=\"$(abs_builddir)/agent/lib/example\"
tests_unit_test_agent_apps_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_apps_LDADD = liblpar-agent.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
EXTRA_tests_unit_test_agent_apps_DEPENDENCIES = lpar-agent$(EXEEXT) agent/lib/example$(EXEEXT)

# The hooks that are installed as examples.
TESTS += tests/unit/test-agent-hooks.sh
dist_check_SCRIPTS += tests/unit/test-agent-hooks.sh

# The script that starts the agent where there is no systemd.
TESTS += tests/unit/test-agent-init.sh
dist_check_SCRIPTS += tests/unit/test-agent-init.sh
