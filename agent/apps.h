/* Programs of the guest on the agent's socket: they are told of resizes, may veto, may ask.
 *
 * The agent speaks to them as lpard speaks to it (wire/); they are trusted no more than it trusts
 * the host: bounded in number, rate and queue.  Who may open the socket may do all of this: it
 * is root's, and that of the group that agent.conf names. */
#ifndef LP_AGENT_APPS_H
#define LP_AGENT_APPS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"

typedef struct LpAgent LpAgent;
typedef struct LpApps LpApps;

#define LP_APPS_MAX 16             /* programs at a time */

/* Opens the socket of agent->conf.  Where that fails it says so, and the agent goes without. */
void lp_apps_init(LpAgent *agent);
/* Tells subscribers of a phase and, for CHECK and PRE, waits for those that consult; done() comes
 * later, never from within.  *answer must last until then: it comes in as it is so far and leaves
 * with the first veto, or with who did not answer. */
typedef void (*LpAppsDone)(LpAgent *agent, LpWireAnswer *answer);
void lp_apps_tell(LpAgent *agent, const LpWirePhase *phase, int64_t deadline_msec,
                  LpWireAnswer *answer, LpAppsDone done);
/* The host's word on an ASK that was passed on. */
void lp_apps_result(LpAgent *agent, const LpWireResult *result);
/* The host has gone, or has come anew: whoever waits for a result is told that none will come. */
void lp_apps_host_lost(LpAgent *agent);
int64_t lp_apps_deadline(const LpAgent *agent);
void lp_apps_run(LpAgent *agent, int64_t now_msec);
/* The agent is ending: the socket is removed. */
void lp_apps_end(LpAgent *agent);

#endif
