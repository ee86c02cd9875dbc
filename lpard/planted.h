/* Bugs planted on purpose in the daemon, so that the simulator of everything (tests/sim) can be seen to
 * catch them: LP_PLANTED(NAME), as in the policy's rooms. */
#ifndef LP_LPARD_PLANTED_H
#define LP_LPARD_PLANTED_H

#include "policy/planted.h"

#endif
