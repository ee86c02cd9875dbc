#include "policy/share.h"
