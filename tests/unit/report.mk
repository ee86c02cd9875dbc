# Results of simulations as table, JSON and picture; nothing of the simulator itself.
check_PROGRAMS += tests/unit/test_report
TESTS += tests/unit/test_report
tests_unit_test_report_SOURCES = tests/unit/test_report.c lpard/sim/report.c lpard/sim/report.h \
	lpard/sim/report-priv.h lpard/sim/report-table.c lpard/sim/report-json.c \
	lpard/sim/report-svg.c lpard/sim/report-panel.c lpard/sim/report-chart.c lpard/svg.c \
	lpard/svg.h
tests_unit_test_report_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS) $(LIBXML_CFLAGS) \
	$(CMOCKA_CFLAGS)
tests_unit_test_report_LDADD = $(JANSSON_LIBS) $(LIBXML_LIBS) $(GLIB_LIBS) $(CMOCKA_LIBS) -lm
