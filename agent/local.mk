# wire/ is used by both ends; the agent itself is one small static program.
noinst_LIBRARIES += liblp-wire.a
liblp_wire_a_SOURCES = agent/wire/wire.h agent/wire/words.h agent/wire/words.c \
	agent/wire/encode.c agent/wire/decode.c agent/wire/fields.c agent/wire/fields.h \
	agent/wire/state.c agent/wire/resize.c agent/wire/pressure.c agent/wire/psi.c agent/wire/psi.h agent/wire/reader.c \
	agent/wire/feature.c agent/wire/feature.h
liblp_wire_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
EXTRA_DIST += agent/wire/PROTOCOL.md

# Everything of the agent but its main(), so that tests can link its parts.
noinst_LIBRARIES += liblp-agent.a
liblp_agent_a_SOURCES = agent/agent.c agent/agent.h agent/clock.h \
	agent/cpu.c agent/cpu.h agent/desire.c agent/facts.c agent/facts.h \
	agent/files.c agent/files.h agent/log.c agent/log.h agent/mem.c agent/mem.h \
	agent/port.c agent/port.h agent/report.c agent/speak.c agent/status.c \
	agent/uevent.c agent/uevent.h \
	agent/conf.c agent/conf.h agent/child.c agent/child.h agent/spawn.c agent/spawn.h \
	agent/hooks.c agent/hooks.h agent/hookdir.c agent/hookdir.h agent/text.c agent/text.h \
	agent/phase.c agent/phase.h agent/check.c agent/check.h agent/bound.c agent/bound.h \
	agent/leave.c agent/leave.h agent/lines.c agent/lines.h agent/memuse.c agent/memuse.h \
	agent/zones.c agent/zones.h agent/guard.c agent/guard.h agent/reclaim.c \
	agent/psi.c agent/psi.h \
	agent/apps.c agent/apps.h agent/apps-link.c agent/apps-priv.h \
	agent/apps-socket.c \
	agent/pressure.c agent/pressure.h agent/measure.c agent/classes.c agent/classes.h \
	agent/enlight.c agent/enlight.h
liblp_agent_a_CFLAGS = $(AM_CFLAGS) -ffunction-sections -fdata-sections

sbin_PROGRAMS += lpar-agent
lpar_agent_SOURCES = agent/main.c agent/command.h agent/request.c agent/watch.c \
	agent/lib/lpar-agent.c agent/lib/lpar-agent.h
lpar_agent_CFLAGS = $(AM_CFLAGS) -ffunction-sections -fdata-sections
lpar_agent_LDADD = liblp-agent.a liblp-wire.a liblp-policy.a liblp-place.a $(JANSSON_LIBS)
lpar_agent_LDFLAGS = -Wl,--gc-sections
# Guests are of every distribution and age: the program brings its own libc.
if STATIC_AGENT
lpar_agent_LDFLAGS += -static
endif

# The helper for workload classes: what it needs libcgroup for, the agent does without.
noinst_LIBRARIES += liblp-classes.a
liblp_classes_a_SOURCES = agent/classes/parse.c agent/classes/parse.h agent/classes/share.c \
	agent/classes/share.h
libexec_PROGRAMS += lpar-agent-classes
lpar_agent_classes_SOURCES = agent/classes/main.c agent/classes/apply.c agent/classes/apply.h \
	agent/classes/kernel.c agent/classes/kernel.h agent/classes/record.c agent/classes/record.h
lpar_agent_classes_CFLAGS = $(AM_CFLAGS) $(LIBCGROUP_CFLAGS)
lpar_agent_classes_LDADD = liblp-classes.a liblp-agent.a liblp-place.a $(LIBCGROUP_LIBS)
if STATIC_AGENT
lpar_agent_classes_SOURCES += agent/classes/nousers.c
lpar_agent_classes_LDFLAGS = -static
endif
