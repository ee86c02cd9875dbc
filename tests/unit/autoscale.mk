# The settings of autoscaling, as values.
check_PROGRAMS += tests/unit/test_autoscale tests/unit/test_schedule
TESTS += tests/unit/test_autoscale tests/unit/test_schedule
tests_unit_test_autoscale_SOURCES = tests/unit/test_autoscale.c
tests_unit_test_autoscale_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_autoscale_LDADD = liblp-policy.a liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_schedule_SOURCES = tests/unit/test_schedule.c
tests_unit_test_schedule_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_schedule_LDADD = liblp-policy.a liblp-place.a $(CMOCKA_LIBS)
