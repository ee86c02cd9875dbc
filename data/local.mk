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
