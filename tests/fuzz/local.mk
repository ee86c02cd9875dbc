# Fuzz targets on their kept inputs; tests/fuzz/run builds the same sources with libFuzzer.
LP_FUZZ_TARGETS = tests/fuzz/fuzz_wire tests/fuzz/fuzz_channel tests/fuzz/fuzz_agent_conf \
	tests/fuzz/fuzz_qga tests/fuzz/fuzz_record
check_PROGRAMS += $(LP_FUZZ_TARGETS)
TESTS += $(LP_FUZZ_TARGETS) tests/fuzz/test-replay.sh
dist_check_SCRIPTS += tests/fuzz/run tests/fuzz/test-replay.sh
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/wire.dict tests/fuzz/channel.dict \
	tests/fuzz/agent_conf.dict tests/fuzz/qga.dict tests/fuzz/record.dict \
	tests/fuzz/RESULTS.md

tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_wire_CPPFLAGS = $(AM_CPPFLAGS) -DLP_FUZZ_NAME=\"fuzz_wire\"
tests_fuzz_fuzz_wire_LDADD = liblp-wire.a liblp-place.a $(JANSSON_LIBS)

tests_fuzz_fuzz_channel_SOURCES = tests/fuzz/fuzz_channel.c tests/fuzz/replay.c \
	tests/fuzz/fuzz.h lpard/registry/channel.c lpard/registry/channel.h
tests_fuzz_fuzz_channel_CPPFLAGS = $(AM_CPPFLAGS) -DLP_FUZZ_NAME=\"fuzz_channel\"
tests_fuzz_fuzz_channel_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS)
# Its clock and timers are the target's.
tests_fuzz_fuzz_channel_LDFLAGS = -Wl,--wrap=g_timeout_add -Wl,--wrap=g_get_monotonic_time
tests_fuzz_fuzz_channel_LDADD = liblp-wire.a liblp-plan.a liblp-place.a $(JANSSON_LIBS) \
	$(GLIB_LIBS)

tests_fuzz_fuzz_agent_conf_SOURCES = tests/fuzz/fuzz_agent_conf.c tests/fuzz/replay.c \
	tests/fuzz/fuzz.h
tests_fuzz_fuzz_agent_conf_CPPFLAGS = $(AM_CPPFLAGS) -DLP_FUZZ_NAME=\"fuzz_agent_conf\"
tests_fuzz_fuzz_agent_conf_LDADD = liblp-agent.a liblp-wire.a liblp-place.a $(JANSSON_LIBS)

tests_fuzz_fuzz_qga_SOURCES = tests/fuzz/fuzz_qga.c tests/fuzz/replay.c tests/fuzz/fuzz.h \
	hotplug/qga.c hotplug/qga.h
tests_fuzz_fuzz_qga_CPPFLAGS = $(AM_CPPFLAGS) -DLP_FUZZ_NAME=\"fuzz_qga\"
tests_fuzz_fuzz_qga_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_qga_LDADD = liblp-plan.a liblp-place.a $(JANSSON_LIBS) $(GLIB_LIBS)

tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_record_CPPFLAGS = $(AM_CPPFLAGS) -DLP_FUZZ_NAME=\"fuzz_record\"
tests_fuzz_fuzz_record_LDADD = liblp-policy.a liblp-place.a
