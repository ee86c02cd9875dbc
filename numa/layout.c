/* The layout of a host. */
#include "numa/layout.h"
