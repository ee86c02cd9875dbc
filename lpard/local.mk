# The daemon: everything but main() in an archive, so that tests can link it.
noinst_LIBRARIES += liblp-daemon.a
liblp_daemon_a_SOURCES = \
	lpard/registry/account.c lpard/registry/locality.c lpard/engine/begin.c lpard/registry/balloon.c lpard/registry/calls.c lpard/registry/channel.c lpard/registry/channel.h lpard/registry/lookout.c lpard/registry/lookout.h lpard/registry/reread.c \
	lpard/engine/confirm.c lpard/engine/engine-priv.h lpard/engine/engine.c lpard/engine/engine.h lpard/engine/finish.c \
	lpard/registry/guest.c lpard/engine/recover.c lpard/engine/guest-agent.c lpard/engine/guest-agent.h \
	lpard/registry/host.c lpard/journal/journal-audit.c lpard/journal/journal-db.c lpard/journal/journal-log.c \
	lpard/journal/journal-open.c lpard/journal/journal-priv.h lpard/journal/journal-purge.c lpard/journal/journal-read.c \
	lpard/journal/journal-reserve.c lpard/journal/journal-retry.c lpard/journal/journal-schema.c \
	lpard/journal/journal-sum.c \
	lpard/journal/journal-writer.c lpard/journal/journal.c lpard/journal/journal.h lpard/engine/operation.c \
	lpard/engine/operation.h lpard/profile-xml.c lpard/profile-xml.h lpard/registry/registry-priv.h \
	lpard/registry/registry.c lpard/registry/registry.h lpard/engine/request.c lpard/engine/run.c \
	lpard/engine/consent.c lpard/engine/consent.h lpard/engine/requests.c lpard/engine/settle.c lpard/engine/tidy.c lpard/engine/lanes.c lpard/engine/foreign.c \
	lpard/sandbox.c lpard/sandbox.h lpard/sandbox-filter.c lpard/sandbox-filter.h \
	lpard/instance.c lpard/instance.h lpard/state-dir.c lpard/state-dir.h \
	lpard/settings.c \
	lpard/settings.h lpard/settings-owner.c lpard/settings-owner.h lpard/planted.h lpard/words.c lpard/words.h lpard/registry/workers.c lpard/registry/workers.h \
	lpard/error.c lpard/error.h lpard/events.c lpard/events.h \
	lpard/api/access.c lpard/api/access.h lpard/body.c lpard/body.h \
	lpard/api/permit.c lpard/api/api-audit.c lpard/api/rate.c lpard/api/rate.h lpard/api/certificate.c \
	lpard/api/certificate.h lpard/api/caller.c lpard/api/door.c lpard/api/door.h lpard/api/door-priv.h lpard/api/door-tls.c \
	lpard/api/export.c lpard/api/export.h lpard/api/export-guest.c lpard/api/drift.c lpard/api/drift.h \
	lpard/api/check.c lpard/api/check.h lpard/api/metrics.c lpard/api/metrics.h \
	lpard/define/autoscale-change.c lpard/define/autoscale-change.h \
	lpard/define/profile-change.c lpard/define/profile-change.h \
	lpard/define/placement.c lpard/define/placement.h lpard/define/shape.c lpard/define/shape.h \
	lpard/define/definition.c lpard/define/definition.h lpard/define/definition-text.c lpard/define/definition-text.h \
	lpard/define/definition-apply.c lpard/api/api.c lpard/api/api.h lpard/api/api-private.h \
	lpard/api/api-call.c lpard/api/api-routes.c lpard/api/api-socket.c lpard/api/api-socket.h \
	lpard/api/api-work.c lpard/api/api-work.h lpard/api/api-host.c lpard/api/api-partitions.c \
	lpard/api/api-operations.c lpard/api/api-profile.c lpard/api/api-change.c lpard/api/api-change.h lpard/api/api-place.c \
	lpard/api/api-admit.c lpard/api/api-events.c lpard/api/openapi.h \
	lpard/api/api-policy.c lpard/api/export-policy.c lpard/api/export-policy.h \
	lpard/api/metrics-policy.c lpard/api/metrics-affinity.c lpard/api/api-numa.c lpard/api/export-numa.c \
	lpard/autoscale/autoscale.c lpard/autoscale/autoscale.h lpard/autoscale/autoscale-priv.h \
	lpard/autoscale/balloon.c lpard/autoscale/sense.c lpard/autoscale/cpu-use.c lpard/autoscale/cpu-use.h \
	lpard/autoscale/heed.c lpard/autoscale/act.c lpard/autoscale/chronicle.c \
	lpard/autoscale/history.c lpard/autoscale/history.h lpard/autoscale/mode.c \
	lpard/autoscale/report.c
liblp_daemon_a_SOURCES += \
	lpard/pools/pools.c lpard/pools/pools.h lpard/pools/pools-priv.h lpard/pools/change.c \
	lpard/pools/members.c lpard/pools/members.h lpard/pools/group.c lpard/pools/group.h \
	lpard/pools/pool-file.c lpard/pools/pool-file.h lpard/api/api-pools.c
liblp_daemon_a_SOURCES += \
	lpard/optimize/optimize.c lpard/optimize/optimize.h lpard/optimize/optimize-priv.h \
	lpard/optimize/survey.c lpard/optimize/picture.c lpard/optimize/picture-json.c \
	lpard/optimize/picture.h lpard/optimize/scores.c lpard/optimize/job.c \
	lpard/optimize/request.c lpard/optimize/work.c lpard/optimize/cores.c lpard/optimize/work-json.c \
	lpard/optimize/work.h lpard/optimize/run.c lpard/optimize/run.h lpard/optimize/steps.c \
	lpard/optimize/ending.c lpard/optimize/schedule.c lpard/optimize/shift.c
nodist_liblp_daemon_a_SOURCES = lpard/api/openapi-text.c
liblp_daemon_a_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(SOUP_CFLAGS) $(LIBVIRT_CFLAGS) \
	$(LIBXML_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) $(LIBCGROUP_CFLAGS) $(SECCOMP_CFLAGS) \
	$(CAPNG_CFLAGS) $(GNUTLS_CFLAGS)
LP_DAEMON_LIBS = liblp-daemon.a $(LP_HOTPLUG_LIBS) liblp-policy.a liblp-numa.a liblp-layout.a liblp-place.a
LP_DAEMON_SYSLIBS = $(GNUTLS_LIBS) $(SECCOMP_LIBS) $(CAPNG_LIBS) $(LIBCGROUP_LIBS) $(SOUP_LIBS) $(SQLITE_LIBS) $(HWLOC_LIBS) $(LP_HOTPLUG_SYSLIBS)

# In its folder, since that has the same name.
sbin_PROGRAMS += lpard/lpard
lpard_lpard_SOURCES = lpard/main.c
lpard_lpard_CFLAGS = $(liblp_daemon_a_CFLAGS)
lpard_lpard_LDADD = $(LP_DAEMON_LIBS) $(LP_DAEMON_SYSLIBS)

# The description of the API is part of the binary: what is served is what was built.
EXTRA_DIST += lpard/api/openapi.json
CLEANFILES += lpard/api/openapi-text.c
lpard/api/openapi-text.c: $(top_srcdir)/lpard/api/openapi.json
	$(AM_V_GEN)mkdir -p lpard/api && { \
	  echo '#include "lpard/api/openapi.h"'; echo 'const char lp_openapi_text[] = {'; \
	  od -An -v -tx1 $(top_srcdir)/lpard/api/openapi.json | sed 's/ \(..\)/0x\1,/g'; \
	  echo '0};'; echo 'const size_t lp_openapi_length = sizeof lp_openapi_text - 1;'; \
	  } > $@.tmp && mv $@.tmp $@
