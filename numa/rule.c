/* The rule as text, and what of it a host has. */
#include "numa/rule.h"
