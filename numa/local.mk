# Pure placement, pure layouts (which take memory), and apart from both what asks the machine.
noinst_LIBRARIES += liblp-place.a liblp-layout.a liblp-numa.a
liblp_place_a_SOURCES = numa/cpumask.c numa/cpumask.h numa/topology.c numa/topology.h \
	numa/place.c numa/place.h numa/place-priv.h numa/place-levels.c numa/place-vcpus.c \
	numa/ledger.c numa/ledger.h numa/rule.c numa/rule.h \
	numa/score.c numa/score-best.c numa/score.h numa/cores.c numa/cores.h
liblp_layout_a_SOURCES = numa/layout.c numa/layout.h numa/layout-priv.h numa/layout-build.c \
	numa/layout-state.c numa/layout-part.c numa/layout-option.c numa/layout-search.c \
	numa/layout-order.c numa/layout-room.c numa/layout-shake.c \
	numa/layout-trim.c numa/layout-moves.c numa/layout-choose.c
liblp_numa_a_SOURCES = numa/topology-read.c numa/topology-objects.c numa/topology-xml.c \
	numa/topology-priv.h numa/pages.c numa/pages-move.c numa/pages-ranges.c \
	numa/pages-hidden.c numa/pages-priv.h \
	numa/pages.h
liblp_numa_a_CFLAGS = $(AM_CFLAGS) $(HWLOC_CFLAGS) $(NUMA_CFLAGS)
