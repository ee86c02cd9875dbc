/* What enable, define, disable and profile share: a profile's fields, and its answer. */
#ifndef LP_CTL_DEFINITION_H
#define LP_CTL_DEFINITION_H

#include "lpard/ctl/ctl.h"

/* Puts --cpu, --mem, --entitled ... into `body`; cpu and mem must be there, whole. */
bool lp_ctl_definition_options(LpCtl *ctl, json_t *body, GError **error);

/* Appends a Definition.  `done`: what has happened, after the name. */
void lp_ctl_definition_text(LpCtl *ctl, const json_t *definition, const char *done, GString *out);

/* A profile's autoscaling in a line; NULL where there is none.  Caller frees. */
char *lp_ctl_autoscale_text(const json_t *autoscale);
/* Whether it is what a profile has that says nothing of it. */
bool lp_ctl_autoscale_is_default(const json_t *autoscale);

/* A profile's rule and floor in a line, and whether it says nothing of either.  Caller frees. */
char *lp_ctl_numa_text(const json_t *profile);
bool lp_ctl_numa_is_default(const json_t *profile);

/* Sends, takes `body`, prints the Definition.  `done`: what has happened, after the name. */
int lp_ctl_definition_run(LpCtl *ctl, const char *method, const char *path, json_t *body,
                          const char *done, GError **error);

#endif
