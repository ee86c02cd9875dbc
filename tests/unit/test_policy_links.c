/* Uses something of each file of the pure rooms, and links nothing else: an arrow from them to
 * libvirt, GLib or hwloc would leave this program without its symbols. */
#include <stdio.h>

#include "numa/cpumask.h"
#include "numa/place.h"
#include "policy/policy.h"
#include "policy/profile.h"
#include "policy/units.h"

int
main(void)
{
    LpProfile profile = { .version = LP_PROFILE_VERSION };
    LpPlaceCell cell = { .block_bytes = 1, .room_bytes = 1, .grow_bytes = 1 };
    LpCpuMask mask;
    uint64_t share, bytes = 0;
    bool ok;

    lp_cpumask_first_n(&mask, 3);
    lp_policy_free(lp_policy_new());
    ok = lp_profile_check(&profile) == LP_PROFILE_CPU_ZERO &&
         lp_place_grow(&cell, 1, 1, &share) == 1 && lp_cpumask_count(&mask) == 3 &&
         lp_units_parse_bytes("1K", &bytes) == LP_UNITS_OK && bytes == 1024;
    printf("1..1\n%s 1 - the pure rooms link alone\n", ok ? "ok" : "not ok");
    return ok ? 0 : 1;
}
