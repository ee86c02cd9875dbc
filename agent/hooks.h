/* The administrator's scripts in agent.d/: run in the order of their names, for each resource that
 * a resize is about.  hooks(7) of the manual is in lpar-agent(8). */
#ifndef LP_AGENT_HOOKS_H
#define LP_AGENT_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* *answer comes in as the agent's own (OK) and leaves with the first veto, or with who failed. */
typedef void (*LpHooksDone)(LpAgent *agent, LpWireAnswer *answer);

/* Runs the hooks for a phase; done() comes later, never from within.  UNDO runs them backwards,
 * and only those whose `pre` has run.  A veto ends CHECK and PRE. */
void lp_hooks_run(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec,
                  LpWireAnswer *answer, LpHooksDone done);

#endif
