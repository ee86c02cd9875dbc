/* An operation on its way, in one line. */
#ifndef LP_CTL_PROGRESS_H
#define LP_CTL_PROGRESS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* "operation 17 on web1: running, 2/5 steps, cpu 3 of 4, mem 5 GiB of 6 GiB, about 2 s left;
 * cell 0 ...", cut to `columns`.  `age_msec`: since lpard gave this answer, so that the time
 * left counts down between answers.  Pure; caller frees. */
char *lp_ctl_progress_text(const json_t *operation, gint64 age_msec, guint columns);

/* The state is one of the final ones. */
bool lp_ctl_operation_final(const json_t *operation);

/* The leg at work: the last that has been begun, or the first. */
const json_t *lp_ctl_operation_leg(const json_t *operation);

/* What the unfinished steps are expected to take: those of one stage run side by side. */
gint64 lp_ctl_operation_left_msec(const json_t *operation);

#endif
