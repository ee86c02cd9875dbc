#include "hotplug/driver.h"

#ifdef LP_FAULT_INJECTION
#include "hotplug/fault-driver.h"
#endif

GQuark
lp_driver_error_quark(void)
{
    return g_quark_from_static_string("lp-driver-error");
}

const LpDriver *
lp_driver_for(const char *uri)
{
    const LpDriver *driver = lp_driver_sim.handles(uri) ? &lp_driver_sim : &lp_driver_libvirt;

#ifdef LP_FAULT_INJECTION
    driver = lp_fault_driver(driver);
#endif
    return driver;
}
