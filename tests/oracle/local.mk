# The invariants as code, for all tests that break things.
check_LIBRARIES += tests/oracle/liboracle.a
tests_oracle_liboracle_a_SOURCES = tests/oracle/oracle.c tests/oracle/look.c tests/oracle/rest.c \
	tests/oracle/oracle.h tests/oracle/oracle-priv.h
tests_oracle_liboracle_a_CFLAGS = $(liblp_daemon_a_CFLAGS)
# To be linked before $(LP_DAEMON_LIBS).
LP_ORACLE = tests/oracle/liboracle.a
