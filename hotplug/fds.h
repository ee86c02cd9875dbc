/* Descriptors of many guests, looked after by one source of the main loop.
 *
 * GLib asks the kernel about every descriptor that it knows of at each turn of the loop, so that a
 * thousand guests who say nothing would cost more than all that is done.  The kernel's own list
 * (epoll) tells only of those that have something to say. */
#ifndef LP_HOTPLUG_FDS_H
#define LP_HOTPLUG_FDS_H

#include <glib.h>
#include <stdbool.h>

typedef struct LpFd LpFd;

/* Something wanted is possible, or the other end has hung up (which is told as either, so that the
 * next read or write fails).  May call anything below, also on others. */
typedef void (*LpFdFunc)(bool readable, bool writable, void *data);

/* Watches for nothing yet, in the calling thread's default main context; from one thread for each
 * context.  NULL: the process has no descriptors left. */
LpFd *lp_fd_watch(int fd, LpFdFunc func, void *data);
/* False: the kernel has no room for one more, and nothing is told of it. */
bool lp_fd_want(LpFd *watch, bool readable, bool writable);
/* Before the descriptor is closed.  NULL is allowed. */
void lp_fd_unwatch(LpFd *watch);

#endif
