# The disk fails, forgets and fills; journals are cut and bent.
LP_DISK_JOURNAL = lpard/journal/journal.c lpard/journal/journal.h lpard/journal/journal-audit.c \
	lpard/journal/journal-db.c lpard/journal/journal-log.c lpard/journal/journal-open.c \
	lpard/journal/journal-priv.h lpard/journal/journal-purge.c lpard/journal/journal-read.c \
	lpard/journal/journal-reserve.c lpard/journal/journal-retry.c lpard/journal/journal-schema.c \
	lpard/journal/journal-sum.c lpard/journal/journal-writer.c \
	lpard/error.c lpard/error.h
LP_DISK_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS)
LP_DISK_LIBS = $(LP_HOTPLUG_LIBS) $(SQLITE_LIBS) $(LP_HOTPLUG_SYSLIBS)
# The reserve is a matter between lpard and the disk, too.
LP_DISK_LDFLAGS = -Wl,--wrap=fallocate -Wl,--wrap=unlink

check_PROGRAMS += tests/disk/test_disk_power
TESTS += tests/disk/test_disk_power
tests_disk_test_disk_power_SOURCES = tests/disk/test_disk_power.c tests/disk/fault-vfs.c \
	tests/disk/fault-vfs.h $(LP_DISK_JOURNAL)
tests_disk_test_disk_power_CFLAGS = $(LP_DISK_CFLAGS)
tests_disk_test_disk_power_LDFLAGS = $(LP_DISK_LDFLAGS) -Wl,--wrap=g_timeout_add
tests_disk_test_disk_power_LDADD = $(LP_DISK_LIBS)

check_PROGRAMS += tests/disk/test_disk_engine
TESTS += tests/disk/test_disk_engine
tests_disk_test_disk_engine_SOURCES = tests/disk/test_disk_engine.c tests/disk/fault-vfs.c \
	tests/disk/fault-vfs.h $(LP_ENGINE_FIXTURE)
tests_disk_test_disk_engine_CFLAGS = $(liblp_daemon_a_CFLAGS) $(CMOCKA_CFLAGS)
tests_disk_test_disk_engine_LDFLAGS = $(LP_DISK_LDFLAGS) $(LP_ENGINE_LDFLAGS)
tests_disk_test_disk_engine_LDADD = $(LP_ORACLE) $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS) \
	$(CMOCKA_LIBS)

check_PROGRAMS += tests/disk/test_disk_damage
TESTS += tests/disk/test_disk_damage
tests_disk_test_disk_damage_SOURCES = tests/disk/test_disk_damage.c $(LP_DISK_JOURNAL)
tests_disk_test_disk_damage_CFLAGS = $(LP_DISK_CFLAGS)
tests_disk_test_disk_damage_LDFLAGS = -Wl,--wrap=fallocate
tests_disk_test_disk_damage_LDADD = $(LP_DISK_LIBS)

dist_check_SCRIPTS += tests/disk/test-disk-full.sh
TESTS += tests/disk/test-disk-full.sh
