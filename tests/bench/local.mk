# The benches: run by hand (--help tells), or by ./lab check as a short smoke.
EXTRA_DIST += \
	tests/bench/agent \
	tests/bench/cycles \
	tests/bench/decide \
	tests/bench/fsync \
	tests/bench/idle \
	tests/bench/lib.sh \
	tests/bench/load \
	tests/bench/neighbours \
	tests/bench/policy \
	tests/bench/resize \
	tests/bench/resize-sides.sh \
	tests/bench/slow-fsync.c

# tests/bench/place builds and runs it.
EXTRA_DIST += tests/bench/place
EXTRA_PROGRAMS += tests/bench/place-run
tests_bench_place_run_SOURCES = tests/bench/place-run.c tests/bench/place-run.h \
	tests/bench/place-play.c tests/bench/place-small.c tests/bench/place-moves.c \
	tests/bench/place-world.c tests/bench/place-world.h tests/bench/place-host.c \
	tests/bench/place-events.c tests/bench/place-rivals.c tests/bench/place-numad.c tests/bench/place-lpard.c \
	tests/bench/place-exact.c tests/bench/place-time.c
tests_bench_place_run_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_bench_place_run_LDADD = liblp-numa.a liblp-layout.a liblp-place.a $(HWLOC_LIBS) \
	$(NUMA_LIBS) $(JANSSON_LIBS) -lm
CLEANFILES += tests/bench/place-run

# tests/bench/load builds and runs it.
EXTRA_PROGRAMS += tests/bench/load-run
tests_bench_load_run_SOURCES = tests/bench/load-run.c tests/bench/load-http.c tests/bench/load-http.h \
	tests/bench/load-times.c tests/bench/load-times.h
CLEANFILES += tests/bench/load-run

# tests/bench/neighbours builds and runs it.
EXTRA_PROGRAMS += tests/bench/neighbours-run
tests_bench_neighbours_run_SOURCES = tests/bench/neighbours-run.c tests/faults/liar.c tests/faults/liar.h \
	tests/faults/faulty_driver.c tests/faults/faulty_driver.h $(LP_ENGINE_FIXTURE)
tests_bench_neighbours_run_CFLAGS = $(LP_FAULTS_CFLAGS)
tests_bench_neighbours_run_LDFLAGS = $(LP_FAULTS_LDFLAGS)
tests_bench_neighbours_run_LDADD = $(LP_FAULTS_LDADD)
CLEANFILES += tests/bench/neighbours-run
