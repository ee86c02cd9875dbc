/* The policy's decisions as the JSON of the API.  Main loop only; new references. */
#ifndef LP_LPARD_EXPORT_POLICY_H
#define LP_LPARD_EXPORT_POLICY_H

#include <jansson.h>

#include "lpard/autoscale/autoscale.h"

/* What was decided, in one flat object. */
json_t *lp_export_decision(const LpScaled *scaled);
/* With all that it was decided from, and in words. */
json_t *lp_export_decision_whole(const LpScaled *scaled);
json_t *lp_export_policy_line(const LpScalerLine *line);
/* The text's lines as an array. */
json_t *lp_export_lines(const char *text);
/* "keep", "burst" */
const char *lp_export_leftovers(bool burst);

#endif
