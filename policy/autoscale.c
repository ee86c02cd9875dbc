#include "policy/autoscale.h"
