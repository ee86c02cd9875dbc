# Fuzz targets on their kept inputs.  tests/fuzz/run builds the same with libFuzzer in place of
# replay.c (LP_FUZZ_MAIN= LDFLAGS=-fsanitize=fuzzer) and fuzzes them; `targets` has what else it needs.
LP_FUZZ_TARGETS = tests/fuzz/fuzz_wire tests/fuzz/fuzz_channel tests/fuzz/fuzz_agent_conf \
	tests/fuzz/fuzz_qga tests/fuzz/fuzz_record tests/fuzz/fuzz_profile tests/fuzz/fuzz_domxml \
	tests/fuzz/fuzz_settings tests/fuzz/fuzz_pools tests/fuzz/fuzz_trace \
	tests/fuzz/fuzz_topology tests/fuzz/fuzz_request tests/fuzz/fuzz_policy \
	tests/fuzz/fuzz_http tests/fuzz/fuzz_journal tests/fuzz/fuzz_ctl \
	tests/fuzz/fuzz_sim
check_PROGRAMS += $(LP_FUZZ_TARGETS)
TESTS += $(LP_FUZZ_TARGETS) tests/fuzz/test-replay.sh
dist_check_SCRIPTS += tests/fuzz/run tests/fuzz/test-replay.sh
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/targets tests/fuzz/wire.dict tests/fuzz/channel.dict \
	tests/fuzz/agent_conf.dict tests/fuzz/qga.dict tests/fuzz/record.dict \
	tests/fuzz/profile.dict tests/fuzz/domxml.dict tests/fuzz/settings.dict \
	tests/fuzz/pools.dict tests/fuzz/trace.dict tests/fuzz/topology.dict \
	tests/fuzz/request.dict tests/fuzz/policy.dict tests/fuzz/http.dict tests/fuzz/journal.dict tests/fuzz/ctl.dict \
	tests/fuzz/sim.dict \
	tests/fuzz/RESULTS.md

check_LIBRARIES += tests/fuzz/liblp-fuzz.a tests/fuzz/liblp-replay.a
tests_fuzz_liblp_fuzz_a_SOURCES = tests/fuzz/file.c tests/fuzz/fuzz.h
tests_fuzz_liblp_replay_a_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h
LP_FUZZ_MAIN = tests/fuzz/liblp-replay.a
LP_FUZZ_LIBS = $(LP_FUZZ_MAIN) tests/fuzz/liblp-fuzz.a

tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c
tests_fuzz_fuzz_wire_LDADD = $(LP_FUZZ_LIBS) liblp-wire.a liblp-place.a $(JANSSON_LIBS)

tests_fuzz_fuzz_channel_SOURCES = tests/fuzz/fuzz_channel.c lpard/registry/channel.c \
	lpard/registry/channel.h lpard/registry/lookout.c lpard/registry/lookout.h \
	hotplug/fds.c hotplug/fds.h
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

# Those that need what the daemon is made of.
LP_FUZZ_DAEMON_CFLAGS = $(liblp_daemon_a_CFLAGS)
LP_FUZZ_DAEMON_LDADD = $(LP_FUZZ_LIBS) $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS)

tests_fuzz_fuzz_profile_SOURCES = tests/fuzz/fuzz_profile.c
tests_fuzz_fuzz_profile_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_profile_LDADD = $(LP_FUZZ_DAEMON_LDADD)

tests_fuzz_fuzz_domxml_SOURCES = tests/fuzz/fuzz_domxml.c
tests_fuzz_fuzz_domxml_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_domxml_LDADD = $(LP_FUZZ_DAEMON_LDADD)

tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz_settings.c
tests_fuzz_fuzz_settings_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_settings_LDADD = $(LP_FUZZ_DAEMON_LDADD)

tests_fuzz_fuzz_pools_SOURCES = tests/fuzz/fuzz_pools.c
tests_fuzz_fuzz_pools_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_pools_LDADD = $(LP_FUZZ_DAEMON_LDADD)

tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c
tests_fuzz_fuzz_request_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_request_LDADD = $(LP_FUZZ_DAEMON_LDADD)

tests_fuzz_fuzz_topology_SOURCES = tests/fuzz/fuzz_topology.c
tests_fuzz_fuzz_topology_CFLAGS = $(AM_CFLAGS) $(LIBXML_CFLAGS)
tests_fuzz_fuzz_topology_LDADD = $(LP_FUZZ_LIBS) liblp-numa.a liblp-place.a $(HWLOC_LIBS) \
	$(NUMA_LIBS) $(LIBXML_LIBS)

tests_fuzz_fuzz_trace_SOURCES = tests/fuzz/fuzz_trace.c
tests_fuzz_fuzz_trace_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS)
tests_fuzz_fuzz_trace_LDADD = $(LP_FUZZ_LIBS) $(LP_SIM_LIBS)

tests_fuzz_fuzz_policy_SOURCES = tests/fuzz/fuzz_policy.c $(LP_FUZZ_PLAN_CASES)
tests_fuzz_fuzz_policy_LDADD = $(LP_FUZZ_LIBS) liblp-plan.a liblp-policy.a liblp-place.a
# But for where its cases come from.
LP_FUZZ_PLAN_CASES = tests/unit/plan_case.c tests/unit/plan_case.h tests/unit/plan_judge.c

# The daemon as a whole; who asks, and what may not happen, is the target's.
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/world.c tests/fuzz/world.h
tests_fuzz_fuzz_http_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_http_LDFLAGS = -Wl,--wrap=getsockopt -Wl,--wrap=lp_journal_put_operation \
	-Wl,--wrap=lp_journal_put_profile -Wl,--wrap=lp_journal_put_saved_xml \
	-Wl,--wrap=lp_pool_file_write -Wl,--wrap=lp_scaler_set -Wl,--wrap=lp_engine_cancel
tests_fuzz_fuzz_http_LDADD = $(LP_FUZZ_DAEMON_LDADD)

tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c tests/fuzz/world.c tests/fuzz/world.h
tests_fuzz_fuzz_journal_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_journal_LDADD = $(LP_FUZZ_DAEMON_LDADD)

# Its server is the target.
tests_fuzz_fuzz_ctl_SOURCES = tests/fuzz/fuzz_ctl.c
tests_fuzz_fuzz_ctl_CFLAGS = $(liblp_ctl_a_CFLAGS)
tests_fuzz_fuzz_ctl_LDFLAGS = -Wl,--wrap=lp_ctl_client_ask -Wl,--wrap=lp_ctl_client_stream
tests_fuzz_fuzz_ctl_LDADD = $(LP_FUZZ_LIBS) $(LP_CTL_LIBS)

tests_fuzz_fuzz_sim_SOURCES = tests/fuzz/fuzz_sim.c
tests_fuzz_fuzz_sim_CFLAGS = $(LP_FUZZ_DAEMON_CFLAGS)
tests_fuzz_fuzz_sim_LDADD = $(LP_FUZZ_DAEMON_LDADD)
