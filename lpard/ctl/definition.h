/* What enable, define, disable and profile share: a profile's fields, and its answer. */
#ifndef LP_CTL_DEFINITION_H
#define LP_CTL_DEFINITION_H

#include "lpard/ctl/ctl.h"

/* Puts --cpu, --mem, --entitled ... into `body`; cpu and mem must be there, whole. */
bool lp_ctl_definition_options(LpCtl *ctl, json_t *body, GError **error);

/* Sends, takes `body`, prints the Definition.  `done`: what has happened, after the name. */
int lp_ctl_definition_run(LpCtl *ctl, const char *method, const char *path, json_t *body,
                          const char *done, GError **error);

#endif
