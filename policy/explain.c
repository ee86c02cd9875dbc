#include "policy/explain.h"
