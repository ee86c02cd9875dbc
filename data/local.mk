# What else is installed.
install-data-local: install-bash-completion
uninstall-local: uninstall-bash-completion
# Under the command's own name, since that is what bash looks for.
install-bash-completion:
	$(MKDIR_P) "$(DESTDIR)$(bashcompletiondir)"
	$(INSTALL_DATA) $(srcdir)/data/lparctl.bash-completion \
		"$(DESTDIR)$(bashcompletiondir)/lparctl"
uninstall-bash-completion:
	rm -f "$(DESTDIR)$(bashcompletiondir)/lparctl"
.PHONY: install-bash-completion uninstall-bash-completion
EXTRA_DIST += data/lparctl.bash-completion

# A sample, not a configuration: without a file lpard has the same settings.
exampledir = $(docdir)/examples
dist_example_DATA = data/lpard.conf data/agent.conf data/classes.conf

# lpar-agent: its hooks, which do nothing until somebody turns them on, and how it is started.
agenthooksdir = $(pkgdatadir)/agent-hooks
dist_agenthooks_SCRIPTS = agent/hooks/30-nginx agent/hooks/40-postgresql agent/hooks/50-jvm \
	agent/hooks/60-systemd
nodist_systemdsystemunit_DATA = data/lpar-agent.service
nodist_pkgdata_SCRIPTS = data/lpar-agent.init
EXTRA_DIST += data/lpar-agent.service.in data/lpar-agent.init.in
CLEANFILES += data/lpar-agent.service data/lpar-agent.init
data/lpar-agent.service: data/lpar-agent.service.in Makefile
data/lpar-agent.init: data/lpar-agent.init.in Makefile
data/lpar-agent.service data/lpar-agent.init:
	$(AM_V_GEN)$(MKDIR_P) data && \
	sed 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/$@.in >$@.tmp && mv $@.tmp $@

# A guest needs none of the host's programs: "make install-agent" is its part of "make install".
AGENT_MANS = $(filter man/lpar-agent% man/classes% man/lpar.7,$(dist_man_MANS))
AGENT_EXAMPLES = data/agent.conf data/classes.conf
install-agent: lpar-agent$(EXEEXT) $(libexec_PROGRAMS) install-libexecPROGRAMS \
		install-dist_agenthooksSCRIPTS install-nodist_systemdsystemunitDATA \
		install-nodist_pkgdataSCRIPTS
	$(MKDIR_P) "$(DESTDIR)$(sbindir)" "$(DESTDIR)$(exampledir)" \
		"$(DESTDIR)$(sysconfdir)/lpard/agent.d"
	$(INSTALL_PROGRAM) lpar-agent$(EXEEXT) "$(DESTDIR)$(sbindir)/lpar-agent$(EXEEXT)"
	for example in $(AGENT_EXAMPLES); do \
	  $(INSTALL_DATA) $(srcdir)/$$example "$(DESTDIR)$(exampledir)" || exit 1; \
	done
	for page in $(AGENT_MANS); do \
	  section="$(DESTDIR)$(mandir)/man$${page##*.}"; \
	  $(MKDIR_P) "$$section" && $(INSTALL_DATA) $(srcdir)/$$page "$$section" || exit 1; \
	done
# What the administrator has put into /etc is his.
uninstall-agent: uninstall-libexecPROGRAMS uninstall-dist_agenthooksSCRIPTS \
		uninstall-nodist_systemdsystemunitDATA uninstall-nodist_pkgdataSCRIPTS
	rm -f "$(DESTDIR)$(sbindir)/lpar-agent$(EXEEXT)"
	for example in $(AGENT_EXAMPLES); do \
	  rm -f "$(DESTDIR)$(exampledir)/$${example##*/}"; \
	done
	for page in $(AGENT_MANS); do \
	  rm -f "$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}"; \
	done
.PHONY: install-agent uninstall-agent

# lpard: its unit, the group that its socket may be given to, and its directories.
nodist_hostunit_DATA = data/lpard.service
hostunitdir = $(systemdsystemunitdir)
EXTRA_DIST += data/lpard.service.in data/lpard.sysusers.conf data/lpard.tmpfiles.conf
CLEANFILES += data/lpard.service
data/lpard.service: data/lpard.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && \
	sed 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/$@.in >$@.tmp && mv $@.tmp $@
install-data-local: install-host-snippets
uninstall-local: uninstall-host-snippets
install-host-snippets:
	$(MKDIR_P) "$(DESTDIR)$(sysusersdir)" "$(DESTDIR)$(tmpfilesdir)"
	$(INSTALL_DATA) $(srcdir)/data/lpard.sysusers.conf "$(DESTDIR)$(sysusersdir)/lpard.conf"
	$(INSTALL_DATA) $(srcdir)/data/lpard.tmpfiles.conf "$(DESTDIR)$(tmpfilesdir)/lpard.conf"
uninstall-host-snippets:
	rm -f "$(DESTDIR)$(sysusersdir)/lpard.conf" "$(DESTDIR)$(tmpfilesdir)/lpard.conf"
.PHONY: install-host-snippets uninstall-host-snippets
