# The daemon: everything but main() in an archive, so that tests can link it.
noinst_LIBRARIES += liblp-daemon.a
liblp_daemon_a_SOURCES = \
	lpard/account.c lpard/begin.c lpard/calls.c lpard/channel.c lpard/channel.h \
	lpard/confirm.c lpard/engine-priv.h lpard/engine.c lpard/engine.h lpard/finish.c \
	lpard/guest.c lpard/recover.c \
	lpard/host.c lpard/journal-db.c lpard/journal-priv.h lpard/journal-read.c \
	lpard/journal-writer.c lpard/journal.c lpard/journal.h lpard/operation.c \
	lpard/operation.h lpard/profile-xml.c lpard/profile-xml.h lpard/registry-priv.h \
	lpard/registry.c lpard/registry.h lpard/request.c lpard/run.c lpard/settings.c \
	lpard/settings.h lpard/words.c lpard/words.h lpard/workers.c lpard/workers.h \
	lpard/error.c lpard/error.h lpard/events.c lpard/events.h \
	lpard/access.c lpard/access.h lpard/body.c lpard/body.h \
	lpard/export.c lpard/export.h lpard/drift.c lpard/drift.h \
	lpard/check.c lpard/check.h lpard/metrics.c lpard/metrics.h \
	lpard/profile-change.c lpard/profile-change.h lpard/shape.c lpard/shape.h \
	lpard/definition.c lpard/definition.h lpard/definition-text.c lpard/definition-text.h \
	lpard/definition-apply.c lpard/api.c lpard/api.h lpard/api-private.h \
	lpard/api-call.c lpard/api-routes.c lpard/api-socket.c lpard/api-socket.h \
	lpard/api-work.c lpard/api-work.h lpard/api-host.c lpard/api-partitions.c \
	lpard/api-operations.c lpard/api-profile.c lpard/api-change.c lpard/api-change.h \
	lpard/api-admit.c lpard/api-events.c lpard/openapi.h
nodist_liblp_daemon_a_SOURCES = lpard/openapi-text.c
liblp_daemon_a_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(SOUP_CFLAGS) $(LIBVIRT_CFLAGS) \
	$(LIBXML_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
LP_DAEMON_LIBS = liblp-daemon.a $(LP_HOTPLUG_LIBS) liblp-policy.a liblp-numa.a
LP_DAEMON_SYSLIBS = $(SOUP_LIBS) $(SQLITE_LIBS) $(HWLOC_LIBS) $(LP_HOTPLUG_SYSLIBS)

# In its folder, since that has the same name.
sbin_PROGRAMS += lpard/lpard
lpard_lpard_SOURCES = lpard/main.c
lpard_lpard_CFLAGS = $(liblp_daemon_a_CFLAGS)
lpard_lpard_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS)

# The description of the API is part of the binary: what is served is what was built.
EXTRA_DIST += lpard/openapi.json
CLEANFILES += lpard/openapi-text.c
lpard/openapi-text.c: $(top_srcdir)/lpard/openapi.json
	$(AM_V_GEN)mkdir -p lpard && { \
	  echo '#include "lpard/openapi.h"'; echo 'const char lp_openapi_text[] = {'; \
	  od -An -v -tx1 $(top_srcdir)/lpard/openapi.json | sed 's/ \(..\)/0x\1,/g'; \
	  echo '0};'; echo 'const size_t lp_openapi_length = sizeof lp_openapi_text - 1;'; \
	  } > $@.tmp && mv $@.tmp $@
