#include "hotplug/driver.h"

GQuark
lp_driver_error_quark(void)
{
    return g_quark_from_static_string("lp-driver-error");
}

const LpDriver *
lp_driver_for(const char *uri)
{
    if (lp_driver_sim.handles(uri))
        return &lp_driver_sim;
    return &lp_driver_libvirt;
}
