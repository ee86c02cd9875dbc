# The client library: an archive with the codec in it, one header, and a file for pkg-config.
lib_LIBRARIES = liblpar-agent.a
include_HEADERS = agent/lib/lpar-agent.h
liblpar_agent_a_SOURCES = agent/lib/lpar-agent.c $(liblp_wire_a_SOURCES) \
	numa/cpumask.c numa/cpumask.h
# It may end up in somebody's shared object.
liblpar_agent_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) -fPIC
pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = agent/lib/lpar-agent.pc

# The example is built so that it stays true, and includes the header as it is installed.
noinst_PROGRAMS += agent/lib/example
agent_lib_example_SOURCES = agent/lib/example.c
agent_lib_example_CPPFLAGS = -I$(top_srcdir)/agent/lib
agent_lib_example_LDADD = liblpar-agent.a $(JANSSON_LIBS)
