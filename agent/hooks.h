/* The administrator's scripts in agent.d/: run in the order of their names, for each resource that
 * a resize is about.  lpar-agent(8) describes them. */
#ifndef LP_AGENT_HOOKS_H
#define LP_AGENT_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;

/* More scripts than anybody keeps in such a directory. */
#define LP_HOOKS_MAX 64
#define LP_HOOKS_NAME_MAX 64           /* of a file, NUL included */

/* *answer comes in as the agent's own (OK) and leaves with the first veto, or with who failed. */
typedef void (*LpHooksDone)(LpAgent *agent, LpWireAnswer *answer);

/* Runs the hooks for a phase; *phase and *answer must live until done(), which comes later, never
 * from within.  UNDO runs them backwards, and only those whose `pre` has run in the same resize.
 * A veto ends CHECK and PRE, unless they are forced.  False: there was none to run (*answer may
 * say why), and done() never comes. */
bool lp_hooks_run(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec,
                  LpWireAnswer *answer, LpHooksDone done);
/* Ends what runs; done() still comes.  *answer says which hook was late. */
void lp_hooks_cancel(LpAgent *agent, LpWireAnswer *answer);

#endif
