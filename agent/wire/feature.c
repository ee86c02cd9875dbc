#include "agent/wire/feature.h"

#include <stddef.h>

const LpWireFeature *
lp_wire_feature(unsigned bit)
{
    (void)bit;
    return NULL;
}
