# The agent's own judgement: what may leave, when a release must stop, where memory goes.
judge_programs = tests/unit/test_agent_check tests/unit/test_agent_leave \
	tests/unit/test_agent_guard tests/unit/test_agent_memory
check_PROGRAMS += $(judge_programs)
TESTS += $(judge_programs)
judge_ldadd = liblp-agent.a liblp-wire.a liblp-place.a $(JANSSON_LIBS) $(CMOCKA_LIBS)

tests_unit_test_agent_check_SOURCES = tests/unit/test_agent_check.c tests/unit/tree.c \
	tests/unit/tree.h
tests_unit_test_agent_check_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_check_LDADD = $(judge_ldadd)

tests_unit_test_agent_leave_SOURCES = tests/unit/test_agent_leave.c
tests_unit_test_agent_leave_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_leave_LDADD = $(judge_ldadd)

# In place of the agent's loop and phases are the test's own.
tests_unit_test_agent_guard_SOURCES = tests/unit/test_agent_guard.c tests/unit/tree.c \
	tests/unit/tree.h
tests_unit_test_agent_guard_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_agent_guard_LDADD = $(judge_ldadd)

tests_unit_test_agent_memory_SOURCES = tests/unit/test_agent_memory.c tests/unit/tree.c \
	tests/unit/tree.h
tests_unit_test_agent_memory_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# What the agent writes is seen, in order.
tests_unit_test_agent_memory_LDFLAGS = -Wl,--wrap=lp_file_write
tests_unit_test_agent_memory_LDADD = $(judge_ldadd)
