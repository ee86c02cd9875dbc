# The pure rooms and lpard's small text modules.
LP_PURE_TESTS = tests/unit/test_cpumask tests/unit/test_place tests/unit/test_units \
	tests/unit/test_profile tests/unit/test_policy_links tests/unit/test_topology \
	tests/unit/test_topology_real
LP_TEXT_TESTS = tests/unit/test_profile_xml tests/unit/test_words tests/unit/test_settings
check_PROGRAMS += $(LP_PURE_TESTS) $(LP_TEXT_TESTS)
TESTS += $(LP_PURE_TESTS) $(LP_TEXT_TESTS) tests/check-layers.sh tests/check-invariants.sh
dist_check_SCRIPTS += tests/check-layers.sh tests/check-invariants.sh
EXTRA_DIST += tests/INVARIANTS.md tests/lpard-tap.sh tests/remove-tree.h
# The script looks into these archives.
tests/check-layers.log: liblp-policy.a liblp-place.a liblp-plan.a liblp-wire.a

tests_unit_test_cpumask_SOURCES = tests/unit/test_cpumask.c
tests_unit_test_cpumask_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cpumask_LDADD = liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_place_SOURCES = tests/unit/test_place.c
tests_unit_test_place_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_place_LDADD = liblp-place.a $(CMOCKA_LIBS)
tests_unit_test_units_SOURCES = tests/unit/test_units.c
tests_unit_test_units_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_units_LDADD = liblp-policy.a $(CMOCKA_LIBS)
tests_unit_test_profile_SOURCES = tests/unit/test_profile.c
tests_unit_test_profile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_profile_LDADD = liblp-policy.a liblp-place.a $(CMOCKA_LIBS)
# Nothing but the two pure archives and libc: that it links at all is the test.
tests_unit_test_policy_links_SOURCES = tests/unit/test_policy_links.c
tests_unit_test_policy_links_LDADD = liblp-policy.a liblp-place.a
tests_unit_test_topology_SOURCES = tests/unit/test_topology.c
tests_unit_test_topology_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_topology_LDADD = liblp-numa.a liblp-place.a $(HWLOC_LIBS) $(CMOCKA_LIBS)
# Real machines' topologies, where LPARD_TOPOLOGIES names a directory of them.
tests_unit_test_topology_real_SOURCES = tests/unit/test_topology.c
tests_unit_test_topology_real_CPPFLAGS = $(AM_CPPFLAGS) -DLP_REAL_MACHINES
tests_unit_test_topology_real_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_topology_real_LDADD = $(tests_unit_test_topology_LDADD)

tests_unit_test_words_SOURCES = tests/unit/test_words.c lpard/words.c
tests_unit_test_words_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_words_LDADD = liblp-policy.a liblp-place.a $(GLIB_LIBS) $(CMOCKA_LIBS)
tests_unit_test_profile_xml_SOURCES = tests/unit/test_profile_xml.c lpard/profile-xml.c \
	lpard/words.c lpard/error.c
tests_unit_test_profile_xml_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(LIBXML_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_profile_xml_LDADD = liblp-policy.a liblp-place.a $(LIBXML_LIBS) $(GLIB_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c lpard/settings.c lpard/settings-owner.c lpard/error.c
tests_unit_test_settings_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_settings_LDADD = liblp-policy.a $(GLIB_LIBS) $(CMOCKA_LIBS)
