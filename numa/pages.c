/* Pages, through libnuma. */
#include "numa/pages.h"
