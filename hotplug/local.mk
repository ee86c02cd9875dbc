# The pure planner and its gate, and apart from them the drivers.
noinst_LIBRARIES += liblp-plan.a liblp-hotplug.a
liblp_plan_a_SOURCES = hotplug/view.c hotplug/view.h hotplug/plan.c hotplug/plan.h \
	hotplug/plan-cpu.c hotplug/plan-mem.c hotplug/plan-cells.c hotplug/plan-near.c hotplug/plan-parts.h \
	hotplug/admit.c hotplug/admit.h
liblp_hotplug_a_SOURCES = hotplug/driver.c hotplug/driver.h hotplug/fds.c hotplug/fds.h hotplug/domxml.h \
	hotplug/domxml-priv.h hotplug/domxml.c hotplug/domxml-tree.c hotplug/domxml-write.c \
	hotplug/domxml-ports.c hotplug/domxml-enable.c hotplug/domxml-cells.c \
	hotplug/domxml-devices.c hotplug/domxml-change.c hotplug/domxml-new.c \
	hotplug/domxml-numa.c \
	hotplug/domxml-diff.c hotplug/locality.h hotplug/locality.c hotplug/process.h \
	hotplug/process.c hotplug/process-vcpu.c \
	hotplug/resource.h hotplug/resource.c \
	hotplug/libvirt-priv.h hotplug/libvirt.c hotplug/libvirt-look.c hotplug/libvirt-define.c \
	hotplug/libvirt-effects.c hotplug/qga.h hotplug/qga.c hotplug/libvirt-qga.c \
	hotplug/libvirt-stats.c hotplug/libvirt-numa.c hotplug/libvirt-channel.c hotplug/libvirt-watch.h \
	hotplug/libvirt-watch.c hotplug/libvirt-events.c \
	hotplug/sim.c hotplug/sim.h hotplug/sim-host.h \
	hotplug/sim-call.h hotplug/sim-call.c hotplug/sim-effects.c \
	hotplug/sim-host.c hotplug/sim-file.c hotplug/sim-state.c hotplug/sim-domain.c \
	hotplug/sim-guest.c hotplug/sim-xml.c hotplug/sim-watch.c hotplug/sim-tell.c \
	hotplug/sim-agent.c hotplug/sim-phase.c hotplug/sim-qga.c \
	hotplug/sim-balloon.c hotplug/sim-numa.h hotplug/sim-numa.c \
	hotplug/sim-numa-json.c hotplug/sim-pages.c hotplug/sim-xml-numa.c
liblp_hotplug_a_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(LIBVIRT_CFLAGS) $(LIBVIRT_GLIB_CFLAGS) \
	$(LIBXML_CFLAGS) $(JANSSON_CFLAGS)
LP_HOTPLUG_LIBS = liblp-hotplug.a liblp-wire.a liblp-plan.a liblp-numa.a liblp-layout.a liblp-place.a
LP_HOTPLUG_SYSLIBS = $(LIBVIRT_GLIB_LIBS) $(LIBVIRT_LIBS) $(LIBXML_LIBS) $(JANSSON_LIBS) \
	$(GLIB_LIBS) $(NUMA_LIBS) $(HWLOC_LIBS)

# Points to fail at on purpose: no part of a build that is meant for use.
if FAULT_INJECTION
liblp_hotplug_a_SOURCES += hotplug/fault.c hotplug/fault-driver.c
endif
EXTRA_DIST += hotplug/fault.h hotplug/fault.c hotplug/fault-driver.h hotplug/fault-driver.c
