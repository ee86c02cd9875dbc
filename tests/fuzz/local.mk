# Fuzz targets on their kept inputs.  tests/fuzz/run builds the same with libFuzzer in place of
# replay.c (LP_FUZZ_MAIN=-fsanitize=fuzzer) and fuzzes them; `targets` has the rest of what it needs.
LP_FUZZ_TARGETS = tests/fuzz/fuzz_wire tests/fuzz/fuzz_channel tests/fuzz/fuzz_agent_conf \
	tests/fuzz/fuzz_qga tests/fuzz/fuzz_record
check_PROGRAMS += $(LP_FUZZ_TARGETS)
TESTS += $(LP_FUZZ_TARGETS) tests/fuzz/test-replay.sh
dist_check_SCRIPTS += tests/fuzz/run tests/fuzz/test-replay.sh
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/targets tests/fuzz/wire.dict tests/fuzz/channel.dict \
	tests/fuzz/agent_conf.dict tests/fuzz/qga.dict tests/fuzz/record.dict \
	tests/fuzz/RESULTS.md

check_LIBRARIES += tests/fuzz/liblp-fuzz.a tests/fuzz/liblp-replay.a
tests_fuzz_liblp_fuzz_a_SOURCES = tests/fuzz/file.c tests/fuzz/fuzz.h
tests_fuzz_liblp_replay_a_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h
LP_FUZZ_MAIN = tests/fuzz/liblp-replay.a
LP_FUZZ_LIBS = $(LP_FUZZ_MAIN) tests/fuzz/liblp-fuzz.a

tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c
tests_fuzz_fuzz_wire_LDADD = $(LP_FUZZ_LIBS) liblp-wire.a liblp-place.a $(JANSSON_LIBS)

tests_fuzz_fuzz_channel_SOURCES = tests/fuzz/fuzz_channel.c lpard/registry/channel.c \
	lpard/registry/channel.h
tests_fuzz_fuzz_channel_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS)
# Its clock and timers are the target's.
tests_fuzz_fuzz_channel_LDFLAGS = -Wl,--wrap=g_timeout_add -Wl,--wrap=g_get_monotonic_time
tests_fuzz_fuzz_channel_LDADD = $(LP_FUZZ_LIBS) liblp-wire.a liblp-plan.a liblp-place.a \
	$(JANSSON_LIBS) $(GLIB_LIBS)

tests_fuzz_fuzz_agent_conf_SOURCES = tests/fuzz/fuzz_agent_conf.c
tests_fuzz_fuzz_agent_conf_LDADD = $(LP_FUZZ_LIBS) liblp-agent.a liblp-wire.a liblp-place.a \
	$(JANSSON_LIBS)

tests_fuzz_fuzz_qga_SOURCES = tests/fuzz/fuzz_qga.c hotplug/qga.c hotplug/qga.h
tests_fuzz_fuzz_qga_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_qga_LDADD = $(LP_FUZZ_LIBS) liblp-plan.a liblp-place.a $(JANSSON_LIBS) $(GLIB_LIBS)

tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c
tests_fuzz_fuzz_record_LDADD = $(LP_FUZZ_LIBS) liblp-policy.a liblp-place.a
