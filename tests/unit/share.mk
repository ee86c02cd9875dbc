# Sharing: tables, properties of random claims, and the same properties on planted bugs.
LP_SHARE_PLANTS = tests/unit/test_share_planted_entitlement \
	tests/unit/test_share_planted_remainder tests/unit/test_share_planted_weight \
	tests/unit/test_share_planted_capacity tests/unit/test_share_planted_group_max
check_PROGRAMS += tests/unit/test_share tests/unit/test_share_random $(LP_SHARE_PLANTS)
TESTS += tests/unit/test_share tests/unit/test_share_random tests/unit/test-share-planted.sh
dist_check_SCRIPTS += tests/unit/test-share-planted.sh
# The script runs them; they are no tests themselves.
tests/unit/test-share-planted.log: $(LP_SHARE_PLANTS)

LP_SHARE_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_share_SOURCES = tests/unit/test_share.c
tests_unit_test_share_CFLAGS = $(LP_SHARE_CFLAGS)
tests_unit_test_share_LDADD = liblp-policy.a liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_share_random_SOURCES = tests/unit/test_share_random.c
tests_unit_test_share_random_CFLAGS = $(LP_SHARE_CFLAGS)
tests_unit_test_share_random_LDADD = liblp-policy.a liblp-place.a $(CMOCKA_LIBS)

LP_SHARE_PLANTED = tests/unit/test_share_random.c policy/share.c policy/fill.c
tests_unit_test_share_planted_entitlement_SOURCES = $(LP_SHARE_PLANTED)
tests_unit_test_share_planted_entitlement_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_ENTITLEMENT
tests_unit_test_share_planted_entitlement_CFLAGS = $(LP_SHARE_CFLAGS)
tests_unit_test_share_planted_entitlement_LDADD = $(CMOCKA_LIBS)
tests_unit_test_share_planted_remainder_SOURCES = $(LP_SHARE_PLANTED)
tests_unit_test_share_planted_remainder_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_REMAINDER
tests_unit_test_share_planted_remainder_CFLAGS = $(LP_SHARE_CFLAGS)
tests_unit_test_share_planted_remainder_LDADD = $(CMOCKA_LIBS)
tests_unit_test_share_planted_weight_SOURCES = $(LP_SHARE_PLANTED)
tests_unit_test_share_planted_weight_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_WEIGHT
tests_unit_test_share_planted_weight_CFLAGS = $(LP_SHARE_CFLAGS)
tests_unit_test_share_planted_weight_LDADD = $(CMOCKA_LIBS)
tests_unit_test_share_planted_capacity_SOURCES = $(LP_SHARE_PLANTED)
tests_unit_test_share_planted_capacity_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_CAPACITY
tests_unit_test_share_planted_capacity_CFLAGS = $(LP_SHARE_CFLAGS)
tests_unit_test_share_planted_capacity_LDADD = $(CMOCKA_LIBS)
tests_unit_test_share_planted_group_max_SOURCES = $(LP_SHARE_PLANTED)
tests_unit_test_share_planted_group_max_CPPFLAGS = $(AM_CPPFLAGS) -DLP_PLANT_GROUP_MAX
tests_unit_test_share_planted_group_max_CFLAGS = $(LP_SHARE_CFLAGS)
tests_unit_test_share_planted_group_max_LDADD = $(CMOCKA_LIBS)
