# One page for each program, one for its file, one for the concepts.
dist_man_MANS += man/lpar.7 man/lpard.8 man/lparctl.1 man/lpar-agent.8 man/lpard.conf.5 \
	man/lpar-agent.conf.5
dist_man_MANS += man/lpar-agent-classes.8 man/classes.conf.5 man/lpar-agent.3
dist_man_MANS += man/lpar-sim.8
