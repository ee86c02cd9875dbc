# Pure placement, and apart from it what asks the machine.
noinst_LIBRARIES += liblp-place.a liblp-numa.a
liblp_place_a_SOURCES = numa/cpumask.c numa/cpumask.h numa/place.c numa/place.h
liblp_numa_a_SOURCES = numa/topology.c numa/topology.h
liblp_numa_a_CFLAGS = $(AM_CFLAGS) $(HWLOC_CFLAGS)
