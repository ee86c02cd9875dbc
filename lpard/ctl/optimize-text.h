/* An optimization for people: its plan, how far it is, what it brought. */
#ifndef LP_CTL_OPTIMIZE_TEXT_H
#define LP_CTL_OPTIMIZE_TEXT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* The operation is of that kind. */
bool lp_ctl_is_optimize(const json_t *operation);

/* What it would do, of one that was only planned. */
void lp_ctl_optimize_plan_text(const json_t *operation, GString *out);

/* Scores before, predicted and measured, what moved and what could not. */
void lp_ctl_optimize_outcome_text(const json_t *operation, GString *out);

/* "3.20 GiB of 11.8 GiB, web1, 512 MiB/s, about 16 s left", behind what is said of
 * every operation. */
void lp_ctl_optimize_progress(const json_t *operation, gint64 age_msec, GString *line);

#endif
