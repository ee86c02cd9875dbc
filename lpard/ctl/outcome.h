/* How an operation ended, and what a plan would do, for people. */
#ifndef LP_CTL_OUTCOME_H
#define LP_CTL_OUTCOME_H

#include <glib.h>
#include <jansson.h>

/* State, who confirmed it, one line for each partition with what it had, has and can use, what
 * remains, remarks. */
void lp_ctl_outcome_text(const json_t *operation, GString *out);

/* A plan that nothing was done of: steps in order, what is not attainable and why. */
void lp_ctl_plan_text(const json_t *operation, GString *out);

/* The steps of all legs with how far each is. */
void lp_ctl_steps_text(const json_t *operation, GString *out);

/* By the operation's own word; the state is asked where an older lpard gives none. */
int lp_ctl_outcome_exit(const json_t *operation);

#endif
