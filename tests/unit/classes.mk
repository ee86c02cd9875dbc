# tests of workload classes
check_PROGRAMS += tests/unit/test_agent_classes
TESTS += tests/unit/test_agent_classes

# Runs the helper itself too, and the agent with a stand-in for it.
tests_unit_test_agent_classes_SOURCES = tests/unit/test_agent_classes.c
tests_unit_test_agent_classes_CPPFLAGS = $(AM_CPPFLAGS) \
	-DLP_CLASSES_PATH=\"$(abs_builddir)/lpar-agent-classes\" \
	-DLP_AGENT_PATH=\"$(abs_builddir)/lpar-agent\" \
	-DLP_CLASSES_SAMPLE=\"$(abs_srcdir)/data/classes.conf\"
tests_unit_test_agent_classes_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_classes_LDADD = liblp-classes.a $(CMOCKA_LIBS)
EXTRA_tests_unit_test_agent_classes_DEPENDENCIES = lpar-agent-classes$(EXEEXT) lpar-agent$(EXEEXT)
