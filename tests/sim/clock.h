/* Virtual time: what every clock of the process says, GLib's too.
 *
 * It stands still while code runs, and goes on where everybody waits (fibers.h).  The wall clock
 * is apart from it, and may be put anywhere. */
#ifndef LP_TESTS_SIM_CLOCK_H
#define LP_TESTS_SIM_CLOCK_H

#include <stdint.h>

/* Both clocks to where every run begins. */
void clock_reset(void);
int64_t clock_now_usec(void);
/* Never backwards. */
void clock_advance_to(int64_t usec);
/* The wall clock is put forward, or back. */
void clock_jump(int64_t usec);
/* The machine's own monotonic clock. */
int64_t clock_real_usec(void);

#endif
