# Least power: the sandbox, one lpard to a hypervisor, the state directory; nothing runs a shell.
LP_POWER_TESTS = tests/unit/test_instance tests/unit/test_state_dir
# A build with a sanitizer has no sandbox, and the test would look at nothing.
if !SANITIZERS
LP_POWER_TESTS += tests/unit/test_sandbox
endif
check_PROGRAMS += $(LP_POWER_TESTS)
TESTS += $(LP_POWER_TESTS) tests/power.sh
dist_check_SCRIPTS += tests/power.sh
tests/power.log: lpard/lpard$(EXEEXT) lparctl$(EXEEXT) lpar-agent$(EXEEXT) lpar-sim$(EXEEXT)
EXTRA_DIST += tests/unit/test_sandbox.c
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c
tests_unit_test_sandbox_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_sandbox_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_instance_SOURCES = tests/unit/test_instance.c
tests_unit_test_instance_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_instance_LDADD = $(LP_API_TEST_LIBS)
tests_unit_test_state_dir_SOURCES = tests/unit/test_state_dir.c
tests_unit_test_state_dir_CFLAGS = $(LP_API_TEST_CFLAGS)
tests_unit_test_state_dir_LDADD = $(LP_API_TEST_LIBS)
