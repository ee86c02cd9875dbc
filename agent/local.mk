# wire/ is used by both ends; the agent itself is one small static program.
noinst_LIBRARIES += liblp-wire.a
liblp_wire_a_SOURCES = agent/wire/wire.h agent/wire/encode.c agent/wire/decode.c \
	agent/wire/reader.c
liblp_wire_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
EXTRA_DIST += agent/wire/PROTOCOL.md
