/* Processes below the agent: how one is started, and finding those that are left. */
#ifndef LP_AGENT_SPAWN_H
#define LP_AGENT_SPAWN_H

#include <sys/types.h>

#include "agent/child.h"

/* Forks spec's program, in a session of its own, with nothing of the agent's but stdout and
 * stderr, which are `output`.  If it cannot be executed its errno is written to `problem`, an
 * int, and the status is 127.  The pid, or -1 and errno; never waits. */
pid_t lp_spawn(const LpChildSpec *spec, int output, int problem);

/* From now on what descendants leave behind becomes the agent's child.  Children that it has
 * already are somebody else's affair (who exec'ed into it): they are never killed. */
void lp_spawn_adopt(void);
/* Sends SIGKILL to every child of the agent; how many there were. */
unsigned lp_spawn_kill_children(void);

#endif
