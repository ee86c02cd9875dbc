/* Threads as fibers: every thread that the daemon starts runs in this one, and changes places
 * with the others only where it would have to wait.  Who goes first is drawn from the seed, so
 * that the same seed runs the same way.
 *
 * The linker puts these in place of GLib's (--wrap): g_thread_new and _join, g_mutex_lock, g_cond_*,
 * g_usleep, g_async_queue_pop and _push, g_task_run_in_thread.  The daemon's own workers, journal
 * and layout threads run as they are.  Where all wait, virtual time goes on. */
#ifndef LP_TESTS_SIM_FIBERS_H
#define LP_TESTS_SIM_FIBERS_H

#include <stdbool.h>
#include <stdint.h>

/* Once, before anything uses GLib's main loop. */
void fibers_install(void);
/* Before a run: who goes first is drawn from `seed`. */
void fibers_reset(uint64_t seed);
/* True between fibers_kill() and fibers_bury(): nobody sleeps any more.  What the other end of a
 * connection does still takes its time. */
bool fibers_dying(void);
void fibers_kill(void);
/* When all that belonged to the process has been freed: runs what is left to its end. */
void fibers_bury(void);
/* Others go on for so long. */
void fiber_sleep(int64_t usec);
/* The same, unless somebody wakes those who wait for `key`; true: so it was. */
bool fiber_wait(const void *key, int64_t usec);
void fiber_wake(const void *key);
bool fiber_is_main(void);
/* The main loop goes on until that moment; false: `done` (or NULL) said so before. */
bool fibers_run_until(int64_t usec, bool (*done)(void));

#endif
