/* Threads that make the blocking calls, each with a connection of its own.
 *
 * A job is values in, values out.  One past its deadline is abandoned with its thread and
 * connection: its `done` is called with LP_DRIVER_ERROR_UNKNOWN, and again never. */
#ifndef LP_LPARD_WORKERS_H
#define LP_LPARD_WORKERS_H

#include <glib.h>
#include <stdbool.h>

#include "hotplug/driver.h"

typedef struct LpWorkers LpWorkers;

/* Runs in a worker thread.  Fills `data` (which the job owns while it runs). */
typedef bool (*LpJobFunc)(const LpDriver *driver, LpConn *conn, void *data, GError **error);
/* Runs on the main loop.  When `abandoned`, the thread may still hold `data`: it must not be
 * touched, and is freed with `free_data` when the thread lets go. */
typedef void (*LpJobDone)(bool ok, bool abandoned, void *data, const GError *error, void *user);

LpWorkers *lp_workers_new(const char *uri);
void lp_workers_free(LpWorkers *workers);

void lp_workers_run(LpWorkers *workers, LpJobFunc func, void *data, GDestroyNotify free_data,
                    uint32_t deadline_msec, LpJobDone done, void *user);
/* Threads abandoned and not yet come back. */
unsigned lp_workers_abandoned(const LpWorkers *workers);
const LpDriver *lp_workers_driver(const LpWorkers *workers);
const char *lp_workers_uri(const LpWorkers *workers);

#endif
