/* Any driver, with a point before and after each of its calls; only in a build with
 * --enable-fault-injection. */
#ifndef LP_HOTPLUG_FAULT_DRIVER_H
#define LP_HOTPLUG_FAULT_DRIVER_H

#include "hotplug/driver.h"

/* The driver to be used in place of `real`. */
const LpDriver *lp_fault_driver(const LpDriver *real);

#endif
