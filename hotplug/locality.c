/* A locality as a value. */
#include "hotplug/locality.h"

#include <stdlib.h>

LpLocality *
lp_locality_new(void)
{
    LpLocality *locality = calloc(1, sizeof(*locality));

    if (!locality)
        abort();
    return locality;
}

void
lp_locality_free(LpLocality *locality)
{
    if (!locality)
        return;
    free(locality->parts);
    free(locality->vcpus);
    free(locality);
}
