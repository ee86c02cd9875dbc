#include "policy/demand.h"
