# The benches: run by hand (--help tells), or by ./lab check as a short smoke.
EXTRA_DIST += \
	tests/bench/agent \
	tests/bench/cycles \
	tests/bench/decide \
	tests/bench/fsync \
	tests/bench/idle \
	tests/bench/lib.sh \
	tests/bench/policy \
	tests/bench/resize \
	tests/bench/resize-sides.sh \
	tests/bench/slow-fsync.c
