# The simulator of the policy: apart from main() a library, which its tests link.
noinst_LIBRARIES += liblp-sim.a
liblp_sim_a_SOURCES = lpard/sim/sim.c lpard/sim/sim.h lpard/sim/sim-priv.h \
	lpard/sim/actuator.c lpard/sim/chance.h lpard/sim/fit.c lpard/sim/generate.c \
	lpard/sim/guest.c lpard/sim/measure.c lpard/sim/trace-read.c lpard/sim/trace.c \
	lpard/sim/trace.h \
	lpard/sim/rivals.c lpard/sim/rival.c lpard/sim/rival.h lpard/sim/rival-lpard.c \
	lpard/sim/rival-static.c lpard/sim/rival-mom.c lpard/sim/rival-pve.c lpard/sim/rival-pve.h \
	lpard/sim/rival-squeezed.c lpard/sim/rival-qmemman.c lpard/sim/rival-hyperv.c \
	lpard/sim/rival-esx.c lpard/sim/rival-neon.c lpard/sim/rival-vpa.c \
	lpard/sim/rival-senpai.c lpard/sim/rival-clairvoyant.c lpard/sim/bound.c lpard/sim/bound.h \
	lpard/sim/compare.c lpard/sim/compare.h lpard/sim/goals.c lpard/sim/goals.h \
	lpard/sim/nodes.c lpard/sim/nodes.h \
	lpard/sim/options.c lpard/sim/options.h lpard/sim/cmd-run.c lpard/sim/cmd-generate.c \
	lpard/sim/report.c lpard/sim/report.h lpard/sim/report-priv.h lpard/sim/report-table.c \
	lpard/sim/report-json.c lpard/sim/report-svg.c lpard/sim/report-panel.c \
	lpard/sim/report-chart.c lpard/svg.c lpard/svg.h \
	lpard/sim/replay.c lpard/sim/replay.h lpard/sim/what-if.c \
	lpard/error.c lpard/error.h
liblp_sim_a_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS) $(LIBLZMA_CFLAGS)
LP_SIM_LIBS = liblp-sim.a liblp-policy.a liblp-numa.a liblp-place.a $(JANSSON_LIBS) $(LIBLZMA_LIBS) \
	$(HWLOC_LIBS) $(GLIB_LIBS) -lm

bin_PROGRAMS += lpar-sim
lpar_sim_SOURCES = lpard/sim/main.c
lpar_sim_CFLAGS = $(liblp_sim_a_CFLAGS)
lpar_sim_LDADD = $(LP_SIM_LIBS)
