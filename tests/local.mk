# Tests are run in this order.  Those that take longest (20 to 50 s, most of it waiting) come first,
# so that none is left alone at the end.
TESTS += tests/unit/test_autoscale_daemon tests/unit/test_engine_consent \
	tests/unit/test_agent_phase tests/unit/test_engine tests/e2e-sim.sh tests/e2e-replay.sh
# Those that work the longest come next.
include tests/oracle/local.mk
include tests/crash/local.mk
include tests/sim/local.mk
# Each room's tests in a part of their own.
include tests/unit/engine.mk
include tests/unit/autoscale-daemon.mk
include tests/unit/pure.mk
include tests/unit/score.mk
include tests/unit/layout.mk
include tests/unit/policy-demand.mk
include tests/unit/autoscale.mk
include tests/unit/plan.mk
include tests/unit/share.mk
include tests/unit/policy.mk
include tests/unit/wire.mk
include tests/unit/record.mk
include tests/unit/report.mk
include tests/unit/judge.mk
include tests/unit/apps.mk
include tests/unit/classes.mk
include tests/unit/hotplug.mk
include tests/unit/pages.mk
include tests/unit/sim.mk
include tests/unit/sim-numa.mk
include tests/unit/rivals.mk
include tests/unit/lpard.mk
include tests/unit/power.mk
include tests/unit/placement.mk
include tests/unit/optimize.mk
include tests/unit/pools.mk
include tests/unit/nodes.mk
include tests/unit/ctl.mk
include tests/unit/lpar-sim.mk
include tests/disk/local.mk
include tests/time/local.mk
include tests/faults/local.mk
include tests/bench/local.mk
include tests/fuzz/local.mk
include tests/analyze/local.mk
include tests/lab/local.mk
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
	ASAN_OPTIONS=detect_leaks=1; export ASAN_OPTIONS;
TEST_EXTENSIONS = .sh
SH_LOG_DRIVER = $(LOG_DRIVER)

# What `./lab check` runs in its release build, after everything has run under sanitizers: the
# programs themselves, and what sanitizers do not allow or make too slow.
LP_RELEASE_TESTS = tests/sim/test-everything.sh tests/e2e-sim.sh tests/e2e-replay.sh \
	tests/sim/test-planted.sh tests/crash/kills tests/door.sh tests/power.sh \
	tests/crash/test-release.sh tests/disk/test-disk-full.sh tests/time/test-clock-jump.sh \
	tests/time/test-clock-uses.sh tests/unit/test_sandbox tests/unit/test-agent-hooks.sh \
	tests/unit/test-agent-init.sh tests/check-layers.sh tests/check-invariants.sh tests/sim-short.sh
LP_RELEASE_BINARIES = tests/unit/hoard tests/sim/everything $(LP_SIM_PLANTS) tests/crash/kills tests/unit/test_sandbox
