/* All policies, in the order of the tables; lpard's first. */
#include <string.h>

#include "lpard/sim/rival.h"

const LpSimPolicy *const lp_sim_policies[] = {
    &lp_rival_lpard,   &lp_rival_lpard_keep, &lp_rival_static, &lp_rival_mom,
    &lp_rival_pve,     &lp_rival_squeezed,   &lp_rival_qmemman, &lp_rival_hyperv,
    &lp_rival_esx,     &lp_rival_neon,       &lp_rival_vpa,    &lp_rival_senpai,
    &lp_rival_clairvoyant, NULL,
};

const LpSimPolicy *
lp_sim_policy(const char *name)
{
    for (const LpSimPolicy *const *policy = lp_sim_policies; *policy != NULL; policy++)
        if (strcmp((*policy)->name, name) == 0)
            return *policy;
    return NULL;
}
