#include "policy/record.h"
