# tests of this room

# the journal and the agent link
check_PROGRAMS += test_journal test_channel
TESTS += test_journal test_channel
test_journal_SOURCES = tests/unit/test_journal.c lpard/journal.c lpard/journal.h \
	lpard/journal-db.c lpard/journal-priv.h lpard/journal-read.c lpard/journal-writer.c \
	lpard/error.c lpard/error.h
test_journal_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS) \
	$(CMOCKA_CFLAGS)
test_journal_LDADD = $(SQLITE_LIBS) $(JANSSON_LIBS) $(GLIB_LIBS) $(CMOCKA_LIBS)
test_channel_SOURCES = tests/unit/test_channel.c lpard/channel.c lpard/channel.h
test_channel_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(JANSSON_CFLAGS) $(CMOCKA_CFLAGS)
# Its clock and timers are the test's.
test_channel_LDFLAGS = -Wl,--wrap=g_timeout_add -Wl,--wrap=g_get_monotonic_time
test_channel_LDADD = liblp-wire.a liblp-plan.a liblp-place.a $(JANSSON_LIBS) $(GLIB_LIBS) \
	$(CMOCKA_LIBS)
