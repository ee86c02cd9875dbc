/* Decisions in words: what was seen, what was wanted, what decided, what happens next.  Pure. */
#ifndef LP_POLICY_EXPLAIN_H
#define LP_POLICY_EXPLAIN_H

#include "policy/policy.h"

#define LP_EXPLAIN_TEXT 1024

/* Stable names for the API and the log: "working-set", "share", "shrink". */
extern const char *const lp_why_names[LP_WHY_S];
extern const char *const lp_bound_names[LP_BOUNDS];
const char *lp_act_name(LpAct act);
const char *lp_take_name(LpTake take);

/* Sentences for people, one a line, memory then processors. `rival_name` NULL: none, or unknown.
 * Returns buf. */
char *lp_explain(const LpPolicyHost *host, const LpPolicyPartition *partition,
                 const LpPolicyState *state, const LpDecision *decision, const char *rival_name,
                 char *buf, size_t size);

#endif
