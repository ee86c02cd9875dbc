# The operator's command: apart from main() a library, which its tests link.
noinst_LIBRARIES += liblp-ctl.a
liblp_ctl_a_SOURCES = lpard/ctl/amounts.c lpard/ctl/amounts.h lpard/ctl/change.c \
	lpard/ctl/change.h lpard/ctl/client.c lpard/ctl/client.h lpard/ctl/cmd-add.c lpard/ctl/cmd-autoscale.c \
	lpard/ctl/cmd-capacity.c lpard/ctl/cmd-check.c lpard/ctl/cmd-define.c \
	lpard/ctl/cmd-disable.c lpard/ctl/cmd-enable.c lpard/ctl/cmd-events.c \
	lpard/ctl/cmd-help.c lpard/ctl/cmd-hold.c lpard/ctl/cmd-host.c lpard/ctl/cmd-list.c \
	lpard/ctl/cmd-move.c lpard/ctl/cmd-names.c lpard/ctl/cmd-op.c lpard/ctl/cmd-policy.c lpard/ctl/cmd-pool.c lpard/ctl/cmd-profile.c \
	lpard/ctl/cmd-reconcile.c lpard/ctl/cmd-remove.c lpard/ctl/cmd-set.c \
	lpard/ctl/cmd-show.c lpard/ctl/show-guest.c lpard/ctl/cmd-start.c lpard/ctl/cmd-version.c lpard/ctl/ctl.h \
	lpard/ctl/definition.c lpard/ctl/definition.h lpard/ctl/options.c lpard/ctl/options.h \
	lpard/ctl/outcome.c lpard/ctl/outcome.h lpard/ctl/plan.c lpard/ctl/progress.c \
	lpard/ctl/progress.h lpard/ctl/show.c lpard/ctl/sse.c lpard/ctl/sse.h \
	lpard/ctl/table.c lpard/ctl/table.h lpard/ctl/text.c lpard/ctl/text.h \
	lpard/ctl/verbs.c lpard/ctl/verbs.h lpard/ctl/wait.c lpard/ctl/wait.h \
	lpard/ctl/cmd-score.c lpard/ctl/cmd-optimize.c lpard/ctl/optimize-text.c \
	lpard/ctl/optimize-text.h lpard/ctl/host-numa.c lpard/ctl/picture.c lpard/ctl/picture.h \
	lpard/ctl/picture-priv.h lpard/ctl/picture-card.c lpard/ctl/picture-distances.c \
	lpard/ctl/cmd-audit.c lpard/ctl/log.c lpard/ctl/log.h lpard/ctl/remote.c lpard/ctl/remote.h \
	lpard/svg.c lpard/svg.h lpard/error.c lpard/error.h
liblp_ctl_a_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(SOUP_CFLAGS) $(JANSSON_CFLAGS)

bin_PROGRAMS += lparctl
lparctl_SOURCES = lpard/ctl/main.c
lparctl_CFLAGS = $(liblp_ctl_a_CFLAGS)
LP_CTL_LIBS = liblp-ctl.a liblp-policy.a liblp-place.a $(SOUP_LIBS) $(JANSSON_LIBS) $(GLIB_LIBS)
lparctl_LDADD = $(LP_CTL_LIBS)
