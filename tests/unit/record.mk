# Decisions as bytes, and the same again.
check_PROGRAMS += tests/unit/test_record
TESTS += tests/unit/test_record
tests_unit_test_record_SOURCES = tests/unit/test_record.c tests/unit/record_random.c \
	tests/unit/record_random.h
tests_unit_test_record_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_record_LDADD = liblp-policy.a liblp-place.a $(CMOCKA_LIBS)
# `lpar-sim replay` on them.
check_PROGRAMS += tests/unit/test_replay
TESTS += tests/unit/test_replay
tests_unit_test_replay_SOURCES = tests/unit/test_replay.c tests/unit/record_random.c \
	tests/unit/record_random.h
tests_unit_test_replay_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_replay_LDADD = $(LP_SIM_LIBS) $(CMOCKA_LIBS)
# The daemon's history, and the same decisions again.
dist_check_SCRIPTS += tests/e2e-replay.sh
tests/e2e-replay.log: lpard/lpard$(EXEEXT) lparctl$(EXEEXT) lpar-sim$(EXEEXT)
