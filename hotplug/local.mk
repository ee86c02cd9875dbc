# The pure planner and its gate, and apart from them the drivers.
noinst_LIBRARIES += liblp-plan.a liblp-hotplug.a
liblp_plan_a_SOURCES = hotplug/view.c hotplug/view.h hotplug/plan.c hotplug/plan.h \
	hotplug/plan-cpu.c hotplug/plan-mem.c hotplug/plan-parts.h \
	hotplug/admit.c hotplug/admit.h
liblp_hotplug_a_SOURCES = hotplug/driver.c hotplug/driver.h hotplug/domxml.c hotplug/domxml.h \
	hotplug/libvirt.c hotplug/sim.c
liblp_hotplug_a_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS) $(LIBVIRT_CFLAGS) $(LIBVIRT_GLIB_CFLAGS) \
	$(LIBXML_CFLAGS) $(JANSSON_CFLAGS)
LP_HOTPLUG_LIBS = liblp-hotplug.a liblp-wire.a liblp-plan.a liblp-place.a
LP_HOTPLUG_SYSLIBS = $(LIBVIRT_GLIB_LIBS) $(LIBVIRT_LIBS) $(LIBXML_LIBS) $(JANSSON_LIBS) \
	$(GLIB_LIBS)
