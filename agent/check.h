/* Would the guest survive what is asked?  The agent's own part of CHECK.
 *
 * Memory.  Of a guest that has MemTotal and is to lose d bytes there must stay
 *
 *     in use + floor(MemTotal - d),    in use = MemTotal - MemAvailable
 *
 * MemAvailable counts free memory and what can be reclaimed, so what is in use are programs, tmpfs,
 * locked memory, huge pages and the kernel's own; swap is not counted on.  The floor is what must
 * stay available beside that, by the size the guest will have: it is what Linux keeps available on
 * Hyper-V when memory is asked back (compute_balloon_floor() and balloon_up() in
 * drivers/hv/hv_balloon.c), except that there it goes by the size before.  A guest of 512 MiB that
 * is idle may so be grown and shrunk back, and one that uses 700 MiB of 1024 is not shrunk to 768.
 * The administrator's own floor holds for the size that the host gives (what lparctl shows).
 *
 * Processors.  Those that leave are chosen (leave.h); if as many cannot go without taking away
 * where a task may run, or a processor reserved at boot, the first such is named.
 *
 * What cannot be read (an old kernel, a container) is no reason to refuse. */
#ifndef LP_AGENT_CHECK_H
#define LP_AGENT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* What must stay available in a guest with so much memory, in bytes: continuous, and growing more
 * slowly than the guest (half of a very small one, 1/32 of a large one).  Pure. */
uint64_t lp_check_floor_bytes(uint64_t total_bytes);

/* Fills *ret_answer's verdict, by, reason and leave; id and phase are set already.  Reads procfs
 * and sysfs, changes nothing.  A forced check gives the same verdict: the host heeds it or not;
 * `leave` is filled in any case, then with what can leave only by force. */
void lp_check_resize(LpAgent *agent, const LpWirePhase *phase, LpWireAnswer *ret_answer);

#endif
