/* What the agent has to say: to stderr, only when something is wrong (or with --verbose).
 *
 * When stderr is no terminal each line carries the kernel's level prefix ("<4>"), which both
 * /dev/kmsg and the journal of systemd understand. */
#ifndef LP_AGENT_LOG_H
#define LP_AGENT_LOG_H

#include <stdbool.h>

void lp_log_init(bool verbose);
/* Limited to a burst per minute: a host that talks nonsense must not fill the guest's disk. */
void lp_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Only with --verbose. */
void lp_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
