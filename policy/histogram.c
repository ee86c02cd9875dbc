#include "policy/histogram.h"
