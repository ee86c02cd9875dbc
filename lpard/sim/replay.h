/* `lpar-sim replay`: what lpard decided, decided again from what it recorded. */
#ifndef LP_SIM_REPLAY_H
#define LP_SIM_REPLAY_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

/* argv[0] is the command's name; returns the exit status. */
int lp_sim_replay(int argc, char **argv);

/* Another value for something that was recorded: of the host, of all partitions or of one. */
typedef struct LpWhatIf LpWhatIf;

/* "key=value" for the host or all partitions, "NAME:key=value" for one; NULL: what is wrong. */
LpWhatIf *lp_what_if_parse(const char *text, GError **error);
void lp_what_if_free(LpWhatIf *what_if);
/* `what_ifs` are LpWhatIf; `names` go with the partitions, any of them NULL.  Returns how many
 * values are others now. */
size_t lp_what_if_apply(const GPtrArray *what_ifs, LpPolicyHost *host,
                        LpPolicyPartition *partitions, const char *const *names, size_t n);

#endif
